"""Plans: the same calls offered to many designs, the smallest design that meets its objectives, and two compared.

``sweep`` runs every combination of some values, ``solve`` searches one key for the objectives, ``compare`` says what
changes from one scenario to another. All use common random numbers: the same seed and replication numbers for every
design, hence the same calls. With a store, what was run before is not run again.
"""

import itertools
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from parksim.catalogue import SCALARS
from parksim.errors import ArgumentError, PlanError, StoreError, UnfitError
from parksim.results import Reported
from parksim.scenario.arguments import asked, plain
from parksim.scenario.comments import Notes
from parksim.scenario.model import Scenario
from parksim.scenario.quantities import duration_s
from parksim.studies.compare import Comparison, changes, compare, compare_results
from parksim.studies.gather import MOST_RUNS, MOST_VALUES, Workers, asked_for, engine_for, gathering
from parksim.studies.solve import Frontier, FrontierRow, Solution, Step, solve
from parksim.studies.store import Damage, Store
from parksim.studies.study import REPLICATIONS, Progress, Study, made_by, versions

__all__ = [
    "Comparison",
    "Frontier",
    "FrontierRow",
    "Row",
    "Solution",
    "Step",
    "Sweep",
    "changes",
    "compare",
    "compare_results",
    "load",
    "plan_of",
    "range_of",
    "solve",
    "sweep",
    "values_of",
]


@dataclass(frozen=True)
class Row:
    """One design of a sweep: its values by key, and the study of it."""

    values: Mapping[str, object]
    study: Study = field(repr=False)

    def flat(self) -> dict[str, Any]:
        """Return the design as one row of plain values: its values, each scalar's estimate, each verdict.

        A measure M gives M, M_low, M_high (None where undefined) and M_n; an objective of it M_verdict.
        """
        row: dict[str, Any] = dict(self.values)
        for name in SCALARS:
            estimate = self.study.estimate(name)
            row |= {name: estimate.mean, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
            row[f"{name}_n"] = estimate.n
        for objective in self.study.objectives:
            row[f"{objective.objective.measure}_verdict"] = objective.verdict
        return row


@dataclass(frozen=True)
class Sweep(Reported):
    """Many designs offered the same calls, in the order of their values (the first key changes slowest).

    Attributes:
        scenario: What was varied.
        over: The values of each key.
        rows: One a combination.
        ran: Replications that were run now.
        reused: Replications that the store had.
        damaged: Records of the store that were not what was written; they were run again.
        made_with: The versions that made it; None for those at hand.
    """

    scenario: Scenario
    over: Mapping[str, tuple[object, ...]]
    seed: int
    engine: str
    replications: int
    level: float
    rows: tuple[Row, ...] = field(repr=False)
    ran: int
    reused: int
    damaged: tuple[Damage, ...] = ()
    made_with: Mapping[str, str] | None = None

    def flat(self) -> list[dict[str, Any]]:
        """Return the rows as plain values (see ``Row.flat``): the same whoever ran them, stored or not."""
        return [row.flat() for row in self.rows]

    def to_dict(self) -> dict[str, Any]:
        """Return the sweep as plain values, for JSON; equal sweeps are equal, whatever was stored."""
        return {
            "scenario": {"name": self.scenario.name, "digest": self.scenario.digest},
            "over": {key: list(values) for key, values in self.over.items()},
            "seed": self.seed,
            "engine": self.engine,
            "replications": self.replications,
            "level": self.level,
            "versions": dict(self.made_with or versions(self.engine)),
            "rows": self.flat(),
        }


def sweep(
    scenario: Scenario,
    over: Mapping[str, Iterable[object]],
    replications: int = REPLICATIONS,
    *,
    seed: int = 1,
    level: float = 0.95,
    executor: Workers = None,
    workers: int | None = None,
    engine: str = "auto",
    store: Store | str | Path | None = None,
    progress: Progress | None = None,
) -> Sweep:
    """Run every combination of some values, each offered the same calls.

    Args:
        scenario: what is varied.
        over: the values of each key, such as ``{"lot.slots": range(4, 21)}``; as ``Scenario.with_values`` takes them.
        replications: how many of each design (numbers 0 to n-1).
        seed: any whole number from 0.
        level: confidence level of all intervals.
        executor: None for this process, "processes" for a pool, or any ``concurrent.futures.Executor``.
        workers: size of the pool made for "processes"; by default one a core.
        engine: "simpy", "kernel", or "auto": the kernel when it is installed and all designs together are large.
        store: where each replication is stored as it comes, and looked up first; a ``Store`` or its file's name.
        progress: told how many of the missing replications are done and to do.

    Raises:
        PlanError: no values, too many, or the same design twice.
        ArgumentError: a seed or a number of replications that is none.
        WrongTypeError: the scenario is none.
        ScenarioError: a combination is no valid scenario; none was run then.
        StoreError: the store cannot be used; what was stored stays.
        StudyError: a worker died; what was stored stays.
    """
    seed, replications = asked(scenario, seed, replications)
    if not isinstance(over, Mapping):
        raise PlanError(_NO_KEY)
    values = {key: _listed(key, ones) for key, ones in over.items()}
    runs = math.prod(map(len, values.values())) * replications
    if not values or runs > MOST_RUNS:
        raise PlanError(f"{runs:,} replications are more than {MOST_RUNS:,}; take fewer values" if values else _NO_KEY)
    combinations = [dict(zip(values, row, strict=True)) for row in itertools.product(*values.values())]
    designs = [scenario.with_values(one) for one in combinations]
    _check_each_once(combinations, designs)
    engine = engine_for(engine, designs, replications)
    with gathering(seed, engine, executor=executor, workers=workers, store=store, progress=progress) as gatherer:
        results = gatherer.results(designs, range(replications))
        rows = tuple(
            Row(one, Study(design, seed, engine, level, measured, asked_for(replications)))
            for one, design, measured in zip(combinations, designs, results, strict=True)
        )
        done = Sweep(
            scenario, values, seed, engine, replications, level, rows, gatherer.ran, gatherer.reused, gatherer.damaged
        )
        if gatherer.store is not None:
            gatherer.keep_scenario(scenario)
            gatherer.store.put_plan(plan_of(done))
    return done


def _listed(key: str, ones: object) -> tuple[object, ...]:
    """Return the values of a key.

    Raises:
        PlanError: they are no list, or none or too many of them.
    """
    if isinstance(ones, str | bytes | Mapping) or not isinstance(ones, Iterable):
        raise PlanError(f"{key} needs a list of values, such as range(4, 21) or [{ones!r:.40}], not {ones!r:.40}")
    values = tuple(map(plain, itertools.islice(ones, MOST_VALUES + 1)))
    if not 1 <= len(values) <= MOST_VALUES:
        raise PlanError(f"{key} needs 1 to {MOST_VALUES:,} values; give it {'fewer' if values else 'some'}")
    return values


def _check_each_once(combinations: Sequence[Mapping[str, object]], designs: Sequence[Scenario]) -> None:
    """Refuse a design that is there twice: it would count twice, and a chart has one place for both."""
    seen: dict[str, Mapping[str, object]] = {}
    for one, design in zip(combinations, designs, strict=True):
        first = seen.setdefault(design.digest, one)
        if first is not one:
            same, again = (", ".join(f"{key} = {value}" for key, value in each.items()) for each in (first, one))
            also = "twice" if same == again else f"twice, the second time as {again}"
            raise PlanError(f"a sweep has each design once, and {same} is there {also}; list each value once")


def plan_of(done: Study | Sweep) -> dict[str, Any]:
    """Return what was asked for, as a store keeps it: everything of a study or sweep but its replications."""
    common = {"seed": done.seed, "engine": done.engine, "level": done.level, "made_by": made_by(done.engine)}
    common |= {"versions": versions(done.engine), "scenario": done.scenario.digest}
    common |= {"objectives": {one.measure: one.text for one in done.scenario.objectives}}
    common |= {"notes": done.scenario.notes.to_dict()}
    if isinstance(done, Study):
        more = {"stopped": done.stopped, "precision": done.precision}
        return common | more | {"kind": "study", "replications": len(done.results)}
    designs = [row.study.scenario.digest for row in done.rows]
    over = {key: list(values) for key, values in done.over.items()}
    return common | {"kind": "sweep", "over": over, "replications": done.replications, "designs": designs}


def load(path: str | Path) -> Study | Sweep:
    """Return the study or sweep that was finished last in a store, without running anything.

    Its scenarios cannot draw calls again when they need files (recorded arrivals, empirical laws).

    Raises:
        StoreError: the file is no store, holds nothing finished, or some of it is damaged.
    """
    with Store.open(path, read_only=True) as store:
        plans = store.plans()
        if not plans:
            raise StoreError(
                f"{path}: holds no finished study or sweep; finish one: parksim run or sweep with --out {path}"
            )
        return _restored(plans[-1], store)


def restored(
    text: str, objectives: Mapping[str, str] | None = None, notes: Mapping[str, Any] | None = None
) -> Scenario:
    """Return the scenario of a canonical text, with its targets and its notes as they were written."""
    values = json.loads(text)
    scenario = Scenario.model_validate(values if objectives is None else values | {"objectives": objectives})
    return scenario if notes is None else scenario.with_notes(Notes.of_dict(notes))


def _restored(plan: Mapping[str, Any], store: Store) -> Study | Sweep:
    texts = store.scenarios()
    made_with, wanted = plan["versions"], range(plan["replications"])
    if plan["scenario"] not in texts:
        raise _damaged(store, "the scenario's text is")
    base, missing = texts[plan["scenario"]], 0

    def study_of(digest: str, stopped: str, precision: float | None = None) -> Study:
        nonlocal missing
        held = store.results(digest, plan["seed"], plan["engine"], plan["made_by"]) if digest in texts else {}
        missing += sum(number not in held for number in wanted)
        results = tuple(held[number] for number in wanted if number in held)
        text = texts.get(digest, base)
        same_targets = json.loads(text).get("objectives") == json.loads(base).get("objectives")
        scenario = restored(text, plan["objectives"] if same_targets else None, plan.get("notes"))
        return Study(scenario, plan["seed"], plan["engine"], plan["level"], results, stopped, precision, made_with)

    if plan["kind"] == "study":
        done: Study | Sweep = study_of(plan["scenario"], plan["stopped"], plan["precision"])
    else:
        over = {key: tuple(values) for key, values in plan["over"].items()}
        combinations = [dict(zip(over, row, strict=True)) for row in itertools.product(*over.values())]
        stopped = asked_for(plan["replications"])
        rows = tuple(
            Row(one, study_of(digest, stopped)) for one, digest in zip(combinations, plan["designs"], strict=True)
        )
        scenario = restored(base, plan["objectives"], plan.get("notes"))
        fixed = (plan["seed"], plan["engine"], plan["replications"], plan["level"])
        done = Sweep(scenario, over, *fixed, rows, 0, len(wanted) * len(rows), (), made_with)
    if missing:
        raise _damaged(store, f"{missing:,} of its replications are")
    return done


def _damaged(store: Store, what: str) -> StoreError:
    return StoreError(
        f"{store.path}: {what} damaged or missing; run the command that wrote it again: it mends the file"
    )


_NO_KEY: Final = 'a sweep needs a key and its values, such as {"lot.slots": range(4, 21)}'


def values_of(text: str) -> tuple[object, ...]:
    """Return the values that a text lists: "4..20" (both ends), "4..20:4" (every fourth), "60s,120s", or "[1, 2],3".

    Parts of a list are whole numbers where they are spelt so, and otherwise texts, which a scenario reads as
    ``with_values`` does; so is what stands in brackets (24 attendants by the hour, a law), commas and all. The ends of
    a range may be durations, then it counts in seconds.

    Raises:
        PlanError: the text is empty, a range that is none, or longer than ``MOST_VALUES``.

    >>> values_of("4..8"), values_of("60s..180s:60"), values_of("60s,2m"), values_of("6, 8..9")
    ((4, 5, 6, 7, 8), (60, 120, 180), ('60s', '2m'), (6, 8, 9))
    >>> values_of('[1, 2], 3')
    ('[1, 2]', 3)
    """
    values: list[object] = []
    for part in _parts(text):
        if not part:
            raise PlanError(f"{text!r}: a value is missing; write 4..20 or 60s,120s,180s")
        further = range_of(part) if ".." in part and part[0] not in "[{" else [_whole(part)]
        values.extend(further[: MOST_VALUES + 1])
        if len(values) > MOST_VALUES:
            raise PlanError(f"{text!r} lists more than {MOST_VALUES:,} values; take fewer")
    return tuple(values)


def _parts(text: str) -> list[str]:
    """Split a text at the commas that stand in no brackets."""
    parts, depth = [""], 0
    for sign in text:
        depth += (sign in "[{") - (sign in "]}")
        if sign == "," and depth <= 0:
            parts.append("")
        else:
            parts[-1] += sign
    return [part.strip() for part in parts]


def range_of(text: str) -> range:
    """Return the range that a text writes: "4..20" (both ends), "4..20:4", "60s..300s:30" (in seconds).

    Raises:
        PlanError: the text is no range, or an empty one.

    >>> range_of("4..20:4"), range_of("1m..5m:30")
    (range(4, 21, 4), range(60, 301, 30))
    """
    if ".." not in text:
        raise PlanError(f"{text!r} is no range; write 4..20, 4..20:2 or 60s..300s:30")
    ends, _, step = text.partition(":")
    low, _, high = ends.partition("..")
    try:
        numbers = range(_second(low), _second(high) + 1, int(step) if step else 1)
    except (ValueError, UnfitError):
        raise PlanError(f"{text!r} is no range; write 4..20, 4..20:2 or 60s..300s:30") from None
    if not numbers or numbers.step < 1:
        raise PlanError(f"{text!r} is an empty range; write the smaller end first, as 4..20")
    return numbers


def _second(text: str) -> int:
    text = text.strip()
    seconds = int(text) if text.lstrip("+-").isdecimal() else duration_s(text)
    if seconds != round(seconds):
        raise ArgumentError(text)
    return round(seconds)


def _whole(text: str) -> object:
    return int(text) if text.isascii() and text.isdecimal() else text
