"""Results loaded from a store, and made again: the same bytes, or what differs and which versions do.

A result is a file of ``parksim run --out x.json``, or a store of a command that runs replications. ``load`` returns
what was finished last in a store; ``rerun`` makes a result again. Single replications are compared by their measures.

Of a study and a sweep a store holds which replications they have. Of any other plan it holds what was asked, and the
plan is made again from the stored replications, by the function that made it (``REMADE``).
"""

import inspect
import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from parksim.errors import ArgumentError, PlanError, ScenarioError, StoreError, UnfitError, WrongTypeError
from parksim.results import ALTERED, canonical, is_altered, read
from parksim.scenario.arguments import fault_in
from parksim.scenario.comments import Notes
from parksim.scenario.model import Scenario
from parksim.studies.advise import Advice, advise
from parksim.studies.compare import Comparison, changes, compare
from parksim.studies.draws import Draws
from parksim.studies.gather import MOST_RUNS, Execution, Gatherer, Progress, Workers, gathering, requested
from parksim.studies.replication import as_asked, versions
from parksim.studies.sensitivity import Sensitivity, sensitivity
from parksim.studies.solve import Frontier, Solution, solve
from parksim.studies.store import Key, Result, Store, sum_of
from parksim.studies.study import Study, study
from parksim.studies.sweep import Row, Sweep

LARGEST_MIB: Final = 256
"""A larger ``.json`` is not read."""
MOST_NAMED: Final = 10
"""This many differences are named; the others are counted."""


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
            plan = _Plan.model_validate(plans[-1])
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
_Share = Annotated[float, Field(gt=0, lt=1)]
_Replications = Annotated[int, Field(ge=1, le=MOST_RUNS)]


class _Kept(BaseModel):
    """What a file of results has kept: of the right kinds and within bounds before anything is made of it."""

    model_config = ConfigDict(strict=True, frozen=True)


class _Made(_Kept):
    """What a study, or a sweep, was made with."""

    seed: Annotated[int, Field(ge=0)]
    engine: Literal["simpy", "kernel", "auto"]
    versions: dict[str, str]


class _Notes(_Kept):
    head: tuple[str, ...] = Field(strict=False)
    of_keys: dict[str, str]
    given: tuple[str, ...] = Field(strict=False)


class _Draws(_Kept):
    """The draws of one design: their digests, and how many replications each has."""

    designs: list[str] = Field(min_length=1)
    replications: Annotated[int, Field(ge=2, le=MOST_RUNS)]


class _Scenario(_Kept):
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


class _Plan(_Made, _Scenario):
    """A finished study, sweep or other plan, as ``Gatherer.finish`` stores it."""

    kind: str
    level: _Share
    controls: bool = False
    made_by: str
    replications: _Replications = 1
    stopped: str = ""
    precision: _Share | None = None
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


def _remade(plan: _Plan, store: _Finished, own: Scenario | None) -> Plan:
    """Return a plan made of stored replications alone, by its own function.

    Raises:
        StoreError: replications are damaged or missing, or this version would not have made such a plan.
    """
    store.made_by = plan.made_by
    how = {"seed": plan.seed, "engine": plan.engine, "level": plan.level, "controls": plan.controls}
    done = _made_of(plan, store, own, how | {"store": store, "executor": _Nobody(store)})
    if store.damaged:
        raise _damaged(store, "some of it is")
    parts = {name: getattr(done, name, None) for name in ("a", "b", "base")}
    dated: dict[str, Any] = {
        name: replace(one, made_with=plan.versions) for name, one in parts.items() if isinstance(one, Study)
    }
    if isinstance(done, Solution | Frontier | Advice):
        dated["made_with"] = plan.versions
    return replace(done, **dated)


def _made_of(plan: _Plan, store: Store, own: Scenario | None, how: Mapping[str, Any]) -> Plan:
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


def _restored(plan: _Plan, store: Store) -> Study | Sweep:
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


@dataclass(frozen=True)
class Rerun:
    """A result made again, compared with the old one.

    Attributes:
        path: The result.
        made: What was made again, in words.
        differences: What is not the same: where, what it was and what it is now; empty when all is the same.
        versions: By package, the version that made the result and the installed one, where these differ.
        results: The measures of the replications made again, by (scenario digest, replication).
    """

    path: Path
    made: str
    differences: tuple[str, ...]
    versions: Mapping[str, tuple[str | None, str | None]]
    results: Mapping[tuple[str, int], Result]

    @property
    def same(self) -> bool:
        """Whether every byte is the same."""
        return not self.differences and not self.versions

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison and the measures as plain values, for JSON."""
        return {
            "result": str(self.path),
            "made": self.made,
            "same": self.same,
            "differences": list(self.differences),
            "versions": {name: list(pair) for name, pair in self.versions.items()},
            "replications": [
                {"scenario": digest, "replication": number, "measures": json.loads(canonical(result))}
                for (digest, number), result in self.results.items()
            ],
        }


_Again = tuple[str, Sequence[str], dict[tuple[str, int], Result], dict[str, tuple[str | None, str | None]]]
"""What was made again, in words; what differs; its measures; the versions that differ."""


def rerun(
    path: str | Path,
    replication: int | None = None,
    *,
    scenario: Scenario | None = None,
    executor: Workers = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Rerun:
    """Make a result again, or one replication of it (of each design), and compare.

    Args:
        path: a ``.json`` of ``parksim run``, or a store.
        replication: its number; None for all.
        scenario: the result's scenario, where that needs files, which a result does not hold.
        executor: as in ``sweep``.
        workers: as in ``sweep``.
        progress: called with how many replications are done and to do.

    Raises:
        PlanError: the file is not a result, has no such replication, or is of another scenario.
        StoreError: the store cannot be read, or is damaged.
        StudyError: a worker died.
    """
    path = Path(path)
    how: Mapping[str, Any] = {"executor": executor, "workers": workers, "progress": progress}
    made, differences, results, differing = (_rerun_stored if path.suffix == ".db" else _rerun_written)(
        path, replication, scenario, how
    )
    more = [f"and {len(differences) - MOST_NAMED:,} more"] if len(differences) > MOST_NAMED else []
    return Rerun(path, made, (*differences[:MOST_NAMED], *more), differing, results)


class _Request(_Kept):
    scenario: str
    objectives: dict[str, str]
    level: _Share
    controls: bool = False
    replications: _Replications | None
    precision: _Share | None
    sums: list[str]

    @model_validator(mode="after")
    def _asks_for_one(self) -> Self:
        if (self.replications is None) == (self.precision is None):
            raise PlanError("either replications or a precision")
        return self


class _Named(_Kept):
    digest: str


class _Result(_Made):
    """What ``parksim run`` writes, as far as it takes that to make it again; other keys may be there."""

    scenario: _Named
    request: _Request


class Written(NamedTuple):
    """A result that ``parksim run`` has written.

    Attributes:
        path: The file.
        content: All of it but its checksum.
        made: The part of it that makes it again.
        scenario: What was simulated.
        has_checksum: Whether it had a checksum (older files, and what ``--json`` prints, have none).
        altered: Whether the content is not what was written.
    """

    path: Path
    content: dict[str, Any]
    made: _Result
    scenario: Scenario
    has_checksum: bool
    altered: bool


def result_of(path: Path, *, unchecked: bool = False) -> Written:
    """Return the result that ``parksim run`` has written, checked to hold all it takes to make it again.

    Args:
        path: the file.
        unchecked: whether one is returned that was edited by hand.

    Raises:
        PlanError: it is another file, or was altered.
    """
    try:
        content = json.loads(read(path, LARGEST_MIB, PlanError))
        has_checksum = "checksum" in content
        made = _Result.model_validate(content)
        scenario = Scenario.of_canonical(made.request.scenario, made.request.objectives)
        altered = is_altered(content) or sha256(made.request.scenario.encode()).hexdigest() != made.scenario.digest
    except PlanError:
        raise
    except (ValueError, TypeError, RecursionError) as error:
        raise PlanError(f"{path}: is not a result of parksim run (run --out FILE.json writes one)") from error
    if altered and not unchecked:
        raise PlanError(f"{path}: {ALTERED}; --unchecked takes it anyway, and rerun says what differs")
    return Written(path, content, made, scenario, has_checksum, altered)


def study_of(result: Written, own: Scenario | None, how: Mapping[str, Any]) -> Study:
    """Make the study of a written result again, with all its arguments."""
    request = result.made.request
    fixed = _as_made(how, result.made.seed, result.made.engine, request.level, request.controls)
    scenario = with_files(result.path, result.scenario, own)
    return study(scenario, request.replications, precision=request.precision, **fixed)


def _as_made(how: Mapping[str, Any], seed: int, engine: str, level: float, controls: bool) -> dict[str, Any]:
    return {**how, "seed": seed, "engine": engine, "level": level, "controls": controls}


_NOT_COMPARED: Final = {"versions": None, "checksum": None}


def _rerun_written(path: Path, replication: int | None, own: Scenario | None, how: Mapping[str, Any]) -> _Again:
    result = result_of(path, unchecked=True)
    differing = _versions(result.made.versions, result.made.engine)
    if replication is None:
        again = study_of(result, own, how)
        text = again.to_json(sealed=result.has_checksum) + "\n"
        then, now = result.content | _NOT_COMPARED, json.loads(text) | _NOT_COMPARED
        differences = list(_differences(then, now))
        if not differences and not differing and path.read_bytes() != text.encode():
            what = "checksum" if result.altered else "layout"
            differences = [f"the {what} of the file; its values are the same"]
        made = {(again.scenario.digest, number): one for number, one in enumerate(again.results)}
        return f"{len(again.results):,} replications", differences, made, differing
    sums = result.made.request.sums
    _check_number(path, replication, len(sums))
    scenario = with_files(path, result.scenario, own)
    request = result.made.request
    fixed = _as_made(how, result.made.seed, result.made.engine, request.level, request.controls)
    execution = Execution.of(fixed)
    with gathering(execution, [scenario], 1) as gatherer:
        ((again_one,),) = gatherer.results([scenario], range(replication, replication + 1))
    was, now_sum = sums[replication], sum_of(again_one)
    different = [f"measures of replication {replication}: their sum was {was}, is {now_sum}"] if was != now_sum else []
    return f"replication {replication}", different, {(scenario.digest, replication): again_one}, differing


def _rerun_stored(path: Path, replication: int | None, own: Scenario | None, how: Mapping[str, Any]) -> _Again:
    loaded = load(path, own)
    if not isinstance(loaded, Study | Sweep):
        return _rerun_plan(path, loaded, replication, own, how)
    studies = [loaded] if isinstance(loaded, Study) else [row.study for row in loaded.rows]
    count = len(studies[0].results)
    if replication is not None:
        _check_number(path, replication, count)
    numbers = range(count) if replication is None else range(replication, replication + 1)
    designs = [one.scenario for one in studies]
    fixed = _as_made(how, loaded.seed, loaded.engine, loaded.level, studies[0].has_controls)
    execution = Execution.of(fixed)
    with gathering(execution, designs, len(numbers)) as gatherer:
        pairs = list(zip((one.results for one in studies), designs, gatherer.results(designs, numbers), strict=True))
        if replication is None:
            pairs += [
                one
                for study, design in zip(studies, designs, strict=True)
                for one in _draws_again(study, design, own, gatherer)
            ]
    differences: list[str] = []
    made = {}
    for before, design, results in pairs:
        for number, result in zip(numbers, results, strict=False):  # of draws there are fewer
            made[design.digest, number] = result
            then, now = (json.loads(canonical(x)) for x in (before[number], result))
            place = f"scenario {design.short_digest}, replication {number}"
            differences += _differences(then, now, place)
    of_designs = f" of {len(designs):,} designs" if len(designs) > 1 else ""
    what = f"{count:,} replications" if replication is None else f"replication {replication}"
    return what + of_designs, differences, made, _versions(loaded.made_with or {}, loaded.engine)


_Pair = tuple[tuple[Result, ...], Scenario, tuple[Result, ...]]


def _draws_again(study: Study, design: Scenario, own: Scenario | None, gatherer: Gatherer) -> list[_Pair]:
    """Return the draws of a stored study made again: what was stored, the draw, and its results now."""
    if study.draws is None:
        return []
    designs = study.draws.designs if own is None else design.drawn(len(study.draws.designs), study.seed)
    again = gatherer.results(designs, range(len(study.draws.results[0])))
    return list(zip(study.draws.results, designs, again, strict=True))


def _rerun_plan(
    path: Path, then: Plan, replication: int | None, own: Scenario | None, how: Mapping[str, Any]
) -> _Again:
    """Make a plan again by its function, without the store, and compare all that it says."""
    with Store.open(path, read_only=True) as store:
        plan = _Plan.model_validate(store.plans()[-1])
        if replication is not None:
            raise PlanError(f"{path}: holds {plan.kind}, which is made again as a whole; leave --replication out")
        now = _made_of(plan, store, own, _as_made(how, plan.seed, plan.engine, plan.level, plan.controls))
    old, new = (json.loads(canonical(one.to_dict())) for one in (then, now))
    differing = _versions(plan.versions, plan.engine)
    for one in (old, new):
        for part in (one, one.get("a", {}), one.get("b", {})):
            part.pop("versions", None)
    return f"{plan.kind}, {now.ran:,} replications", list(_differences(old, new)), {}, differing


def _versions(then: Mapping[str, str], engine: str) -> dict[str, tuple[str | None, str | None]]:
    now = versions(engine)
    return {name: (then.get(name), now.get(name)) for name in {**then, **now} if then.get(name) != now.get(name)}


def _check_number(path: Path, replication: int, count: int) -> None:
    if not 0 <= replication < count:
        raise PlanError(f"{path}: has no replication {replication}; they are numbered from 0 to {count - 1}")


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


def _differences(then: Any, now: Any, place: str = "") -> Iterator[str]:
    """Yield where two JSON values differ, and how."""
    if isinstance(then, dict) and isinstance(now, dict):
        names = list(dict.fromkeys([*then, *now]))
        for name in names:
            yield from _differences(then.get(name), now.get(name), f"{place}, {name}" if place else str(name))
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for index, (one, other) in enumerate(zip(then, now, strict=True)):
            yield from _differences(one, other, f"{place}[{index}]")
    elif then != now or type(then) is not type(now):
        yield f"{place}: was {_brief(then)}, is {_brief(now)}"


def _brief(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:37] + "..."
