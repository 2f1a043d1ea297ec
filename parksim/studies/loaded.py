"""What a store says was finished last, read back: through models before anything is made of it.

Of a study and a sweep a store holds which replications they have. Of any other plan it holds what was asked, and the
plan is made again from the stored replications, by the function that made it (``REMADE``).
"""

import inspect
import itertools
import math
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from parksim.errors import ArgumentError, PlanError, ScenarioError, StoreError, UnfitError, WrongTypeError
from parksim.scenario.arguments import fault_in
from parksim.scenario.comments import Notes
from parksim.scenario.model import Scenario
from parksim.studies.advise import Advice, advise
from parksim.studies.compare import Comparison, changes, compare
from parksim.studies.draws import Draws
from parksim.studies.gather import MOST_RUNS, requested
from parksim.studies.replication import as_asked
from parksim.studies.sensitivity import Sensitivity, sensitivity
from parksim.studies.solve import Frontier, Solution, solve
from parksim.studies.store import Key, Result, Store
from parksim.studies.study import Study
from parksim.studies.sweep import Row, Sweep

Plan = Solution | Frontier | Comparison | Sensitivity | Advice
REMADE: Final[Mapping[str, Callable[..., Plan]]] = {
    "solve": solve,
    "compare": compare,
    "sensitivity": sensitivity,
    "advise": advise,
}
"""The plans that a store keeps by what was asked: the kind that ``Gatherer.finish`` writes, and the function that makes
the plan of its scenario and of what was ``asked``. One more kind is one more line here, and a page in ``reports``."""


def load(path: str | Path, scenario: Scenario | None = None) -> Study | Sweep | Plan:
    """Return what was finished last in a store, without running anything.

    Args:
        path: the store of a study, sweep, solution, comparison or sensitivity.
        scenario: the result's own scenario, with its notes and files. Without it a study or a sweep cannot draw its
            calls again where these need files (recorded arrivals, empirical laws); another plan cannot be loaded then.

    Raises:
        StoreError: the file is not a store, holds nothing finished, or some of it is damaged.
        PlanError: ``scenario`` is another one than the result's.
        UnfitError: the plan needs files that are not at hand.
    """
    with _Finished.open(path, read_only=True) as store:
        store.check()
        plans = store.plans()
        if store.damaged:
            raise _damaged(store, "what was finished is")
        if not plans:
            raise StoreError(
                f"{path}: holds no finished study or sweep, nor another plan; repeat the command with --out {path}: "
                "it resumes there"
            )
        try:
            plan = Planned.model_validate(plans[-1])
            done = _restored(plan, store) if plan.kind not in REMADE else None
        except ArgumentError as error:
            raise StoreError(f"{path}: its scenario {error}; {_AGAIN}") from None
        except ValidationError as error:
            raise StoreError(f"{path}: its last plan is not one of parksim ({fault_in(error)}); {_AGAIN}") from None
        if done is None:
            return _remade(plan, store, scenario)
    if scenario is None:
        return done
    own = with_files(Path(path), done.scenario, scenario)
    if isinstance(done, Study):
        return replace(done, scenario=own)
    rows = (replace(row, study=replace(row.study, scenario=own.with_values(row.values))) for row in done.rows)
    return replace(done, scenario=own, rows=tuple(rows))


_AGAIN: Final = "move the file away, and repeat the command that wrote it"
Share = Annotated[float, Field(gt=0, lt=1)]
Replications = Annotated[int, Field(ge=1, le=MOST_RUNS)]


class Kept(BaseModel):
    """What a file of results has kept: of the right kinds and within bounds before anything is made of it."""

    model_config = ConfigDict(strict=True, frozen=True)


class MadeWith(Kept):
    """What a study, or a sweep, was made with."""

    seed: Annotated[int, Field(ge=0)]
    engine: Literal["simpy", "kernel", "auto"]
    versions: dict[str, str]


class _Notes(Kept):
    head: tuple[str, ...] = Field(strict=False)
    of_keys: dict[str, str]
    given: tuple[str, ...] = Field(strict=False)


class _Draws(Kept):
    """The draws of one design: their digests, and how many replications each has."""

    designs: list[str] = Field(min_length=1)
    replications: Annotated[int, Field(ge=2, le=MOST_RUNS)]


class _Scenario(Kept):
    """What a plan has kept of a scenario beside its text, which is stored under its digest."""

    scenario: str
    objectives: dict[str, str]
    notes: _Notes | None = None

    def scenario_of(self, text: str, *, as_written: bool) -> Scenario:
        """Return the scenario of a canonical text, with the plan's notes and, if so, its targets ``as_written``."""
        scenario = Scenario.of_canonical(text, self.objectives if as_written else None)
        return scenario if self.notes is None else scenario.with_notes(Notes(**dict(self.notes)))

    def its_own(self, store: Store) -> Scenario:
        """Return the scenario itself.

        Raises:
            StoreError: its text is damaged or missing, or this version cannot read it.
        """
        texts = store.scenarios()
        if self.scenario not in texts:
            raise _damaged(store, "the scenario's text is")
        try:
            return self.scenario_of(texts[self.scenario], as_written=True)
        except ArgumentError as error:
            raise StoreError(f"{store.path}: its scenario {error}; {_AGAIN}") from None


class Planned(MadeWith, _Scenario):
    """A finished study, sweep or other plan, as ``Gatherer.finish`` stores it."""

    kind: str
    level: Share
    controls: bool = False
    made_by: str
    replications: Replications = 1
    stopped: str = ""
    precision: Share | None = None
    over: dict[str, list[JsonValue]] = {}
    designs: list[str] = []
    draws: _Draws | None = None
    draws_of: list[_Draws | None] | None = None
    asked: dict[str, JsonValue] = {}
    other: _Scenario | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.kind not in ("study", "sweep", *REMADE):
            raise PlanError(f"no plan is called {self.kind!r:.40}")
        if self.kind in ("study", "sweep") and "replications" not in self.model_fields_set:
            raise PlanError("replications are missing")
        if self.kind == "sweep" and not (
            0 < len(self.designs) == math.prod(map(len, self.over.values())) <= MOST_RUNS / self.replications
        ):
            raise PlanError("designs do not go with over")
        if self.draws_of is not None and len(self.draws_of) != len(self.designs):
            raise PlanError("draws_of does not go with designs")
        return self


class _Finished(Store):
    """A store of which a plan is made again: its records are those of the version that made the plan."""

    made_by: str | None = None

    def results(self, scenario: str, seed: int, engine: str, version: str) -> dict[int, Result]:
        """Return the stored measures of one scenario by replication."""
        return super().results(scenario, seed, engine, self.made_by or version)

    def put(self, records: Mapping[Key, Mapping[str, Any]]) -> None:
        """Keep nothing: the store is read."""

    def put_scenario(self, digest: str, canonical_text: str) -> None:
        """Keep nothing."""

    def put_plan(self, plan: Mapping[str, Any]) -> None:
        """Keep nothing."""


class _Nobody(Executor):
    """Runs nothing: what is not stored is missing."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def submit(self, *_: Any, **__: Any) -> Future[Any]:
        """Refuse the work.

        Raises:
            StoreError: always.
        """
        raise _damaged(self.store, "some of its replications are")


def _remade(plan: Planned, store: _Finished, own: Scenario | None) -> Plan:
    """Return a plan made of stored replications alone, by its own function.

    Raises:
        StoreError: replications are damaged or missing, or this version would not have made such a plan.
    """
    store.made_by = plan.made_by
    how = {"seed": plan.seed, "engine": plan.engine, "level": plan.level, "controls": plan.controls}
    done = made_of(plan, store, own, how | {"store": store, "executor": _Nobody(store)})
    if store.damaged:
        raise _damaged(store, "some of it is")
    parts = {name: getattr(done, name, None) for name in ("a", "b", "base")}
    dated: dict[str, Any] = {
        name: replace(one, made_with=plan.versions) for name, one in parts.items() if isinstance(one, Study)
    }
    if isinstance(done, Solution | Frontier | Advice):
        dated["made_with"] = plan.versions
    return replace(done, **dated)


def made_of(plan: Planned, store: Store, own: Scenario | None, how: Mapping[str, Any]) -> Plan:
    """Make a plan from what was asked: its function with its arguments.

    Raises:
        StoreError: this version would not have made such a plan.
    """
    scenario = with_files(store.path, plan.its_own(store), own)
    asked = {**{name: _tuples(value) for name, value in plan.asked.items()}, **how}
    if plan.other is not None:
        asked["b"] = _with_files_of(own, plan.other.its_own(store))
    wrong = f"{store.path}: its last plan is not one of parksim"
    try:
        inspect.signature(REMADE[plan.kind]).bind(scenario, **asked)
    except TypeError as error:
        raise StoreError(f"{wrong} ({plan.kind}: {error}); {_AGAIN}") from None
    try:
        return REMADE[plan.kind](scenario, **asked)
    except UnfitError:
        raise
    except (ArgumentError, ScenarioError, WrongTypeError) as error:
        raise StoreError(f"{wrong} ({error}); {_AGAIN}") from None


def _with_files_of(own: Scenario | None, other: Scenario) -> Scenario:
    """Return the second scenario of a comparison, with the files of the first where it differs in values alone."""
    if own is None:
        return other
    values = {key: value for key, (_, value) in changes(own, other).items() if value is not None}
    targets = {one.measure: one.text for one in other.objectives}
    try:
        again = own.with_values(values | {"name": other.name, "objectives": targets})
    except ScenarioError:
        return other
    return again.with_notes(other.notes) if again == other else other


def _tuples(value: Any) -> Any:
    """Return a JSON value with tuples for its lists, as they were given."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _restored(plan: Planned, store: Store) -> Study | Sweep:
    texts = store.scenarios()
    wanted = range(plan.replications)
    if plan.scenario not in texts:
        raise _damaged(store, "the scenario's text is")
    base, missing = plan.scenario_of(texts[plan.scenario], as_written=True), 0
    targets = plan.scenario_of(texts[plan.scenario], as_written=False).objectives

    def held_of(digest: str, scenario: Scenario, numbers: range) -> tuple[Result, ...]:
        nonlocal missing
        held = store.results(digest, plan.seed, plan.engine, plan.made_by) if digest in texts else {}
        asked = (as_asked(held[number], scenario, plan.controls) for number in numbers if number in held)
        results = tuple(one for one in asked if one is not None)
        missing += len(numbers) - len(results)
        return results

    def draws_of(drawn: _Draws | None) -> Draws | None:
        if drawn is None:
            return None
        designs = [Scenario.of_canonical(texts.get(digest, texts[plan.scenario])) for digest in drawn.designs]
        numbers = range(drawn.replications)
        pairs = zip(drawn.designs, designs, strict=True)
        return Draws(tuple(designs), tuple(held_of(digest, design, numbers) for digest, design in pairs))

    def study_of(digest: str, stopped: str, drawn: _Draws | None) -> Study:
        text = texts.get(digest, texts[plan.scenario])
        scenario = plan.scenario_of(text, as_written=False)
        if scenario.objectives == targets:
            scenario = plan.scenario_of(text, as_written=True)
        fixed = (plan.seed, plan.engine, plan.level, held_of(digest, scenario, wanted), stopped)
        return Study(scenario, *fixed, plan.precision, plan.versions, draws_of(drawn))

    if plan.kind == "study":
        done: Study | Sweep = study_of(plan.scenario, plan.stopped, plan.draws)
    else:
        over = {key: tuple(values) for key, values in plan.over.items()}
        combinations = [dict(zip(over, row, strict=True)) for row in itertools.product(*over.values())]
        stopped = requested(plan.replications)
        drawn = plan.draws_of or [None] * len(plan.designs)
        rows = tuple(
            Row(one, study_of(digest, stopped, its))
            for one, digest, its in zip(combinations, plan.designs, drawn, strict=True)
        )
        fixed = (plan.seed, plan.engine, plan.replications, plan.level)
        done = Sweep(base, over, *fixed, rows, 0, len(wanted) * len(rows), (), plan.versions)
    if missing:
        raise _damaged(store, f"{missing:,} of its replications are")
    return done


def _damaged(store: Store, what: str) -> StoreError:
    return StoreError(
        f"{store.path}: {what} damaged or missing; repeat the command that wrote it: this repairs the file"
    )


def with_files(path: Path, scenario: Scenario, own: Scenario | None) -> Scenario:
    """Return a result's scenario, or the user's own copy of it, which has its files.

    Raises:
        PlanError: that is another scenario.
    """
    if own is not None and own != scenario:
        raise PlanError(
            f"{path}: is of another scenario ({scenario.short_digest}) than the one given ({own.short_digest})"
        )
    return own or scenario
