"""Results loaded from a store, and made again: the same bytes, or what differs and which versions do.

A result is a file of ``parksim run --out x.json``, or a store of ``parksim run`` or ``parksim sweep``. ``load`` returns
the study or sweep that was finished last in a store; ``rerun`` makes a result again. Single replications are compared
by their measures.
"""

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from parksim.errors import PlanError, StoreError
from parksim.scenario.comments import Notes
from parksim.scenario.model import Scenario
from parksim.studies.gather import MOST_RUNS, Execution, Progress, Workers, gathering, requested
from parksim.studies.replication import ENGINES, versions
from parksim.studies.store import Result, Store, canonical, sum_of
from parksim.studies.study import Study, study
from parksim.studies.sweep import Row, Sweep

MOST_NAMED: Final = 10
"""This many differences are named; the others are counted."""


def load(path: str | Path) -> Study | Sweep:
    """Return the study or sweep that was finished last in a store, without running anything.

    Its scenarios cannot draw calls again when they need files (recorded arrivals, empirical laws).

    Raises:
        StoreError: the file is not a store, holds nothing finished, or some of it is damaged.
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
        stopped = requested(plan["replications"])
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
        f"{store.path}: {what} damaged or missing; run the command that wrote it again: this repairs the file"
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


def result_of(path: Path) -> dict[str, Any]:
    """Return the object that ``parksim run`` has written, checked to hold all it takes to make it again.

    Raises:
        PlanError: it is another file.
    """
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
        request = result["request"]
        restored(request["scenario"], request["objectives"])
        if not _is_whole(result, request):
            raise PlanError("a value is missing or of another kind")
    except OSError as error:
        raise PlanError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise PlanError(f"{path}: is not a result of parksim run (run --out FILE.json writes one)") from error
    return dict(result)


def _is_whole(result: Mapping[str, Any], request: Mapping[str, Any]) -> bool:
    """Say whether what a run is started with is of the right kinds and within its bounds; other keys may be there."""
    seed, engine, count, precision = result["seed"], result["engine"], request["replications"], request["precision"]
    is_one_requested = (count is None) != (precision is None)
    return (
        isinstance(result["versions"], dict)
        and (type(seed) is int and seed >= 0)
        and engine in ENGINES
        and is_one_requested
        and (count is None or (type(count) is int and 1 <= count <= MOST_RUNS))
        and (precision is None or (isinstance(precision, float) and 0 < precision < 1))
        and (isinstance(request["level"], float) and 0 < request["level"] < 1)
        and isinstance(request["sums"], list)
    )


def study_of(path: Path, result: Mapping[str, Any], own: Scenario | None, how: Mapping[str, Any]) -> Study:
    """Make the study of a written result again, with all its arguments."""
    request = result["request"]
    scenario = with_files(path, restored(request["scenario"], request["objectives"]), own)
    fixed = _as_made(how, result["seed"], result["engine"], request["level"])
    return study(scenario, request["replications"], precision=request["precision"], **fixed)


def _as_made(how: Mapping[str, Any], seed: int, engine: str, level: float) -> dict[str, Any]:
    return {**how, "seed": seed, "engine": engine, "level": level}


def _rerun_written(path: Path, replication: int | None, own: Scenario | None, how: Mapping[str, Any]) -> _Again:
    result = result_of(path)
    differing = _versions(result["versions"], result["engine"])
    if replication is None:
        again = study_of(path, result, own, how)
        text = again.to_json() + "\n"
        then, now = result | {"versions": None}, json.loads(text) | {"versions": None}
        differences = list(_differences(then, now))
        if not differences and not differing and path.read_bytes() != text.encode():
            differences = ["the layout of the file; its values are the same"]
        made = {(again.scenario.digest, number): one for number, one in enumerate(again.results)}
        return f"{len(again.results):,} replications", differences, made, differing
    sums = result["request"]["sums"]
    _check_number(path, replication, len(sums))
    scenario = with_files(path, restored(result["request"]["scenario"], result["request"]["objectives"]), own)
    execution = Execution.of(_as_made(how, result["seed"], result["engine"], result["request"]["level"]))
    with gathering(execution, [scenario], 1) as gatherer:
        ((again_one,),) = gatherer.results([scenario], range(replication, replication + 1))
    was, now_sum = sums[replication], sum_of(again_one)
    different = [f"measures of replication {replication}: their sum was {was}, is {now_sum}"] if was != now_sum else []
    return f"replication {replication}", different, {(scenario.digest, replication): again_one}, differing


def _rerun_stored(path: Path, replication: int | None, own: Scenario | None, how: Mapping[str, Any]) -> _Again:
    loaded = load(path)
    studies = [loaded] if isinstance(loaded, Study) else [row.study for row in loaded.rows]
    count = len(studies[0].results)
    if replication is not None:
        _check_number(path, replication, count)
    numbers = range(count) if replication is None else range(replication, replication + 1)
    designs = [one.scenario for one in studies]
    if own is not None:
        with_files(path, loaded.scenario, own)
        designs = [own] if isinstance(loaded, Study) else [own.with_values(row.values) for row in loaded.rows]
    execution = Execution.of(_as_made(how, loaded.seed, loaded.engine, loaded.level))
    with gathering(execution, designs, len(numbers)) as gatherer:
        again = gatherer.results(designs, numbers)
    differences: list[str] = []
    made = {}
    for one, results in zip(studies, again, strict=True):
        for number, result in zip(numbers, results, strict=True):
            made[one.scenario.digest, number] = result
            then, now = (json.loads(canonical(x)) for x in (one.results[number], result))
            place = f"scenario {one.scenario.short_digest}, replication {number}"
            differences += _differences(then, now, place)
    of_designs = f" of {len(designs):,} designs" if len(designs) > 1 else ""
    what = f"{count:,} replications" if replication is None else f"replication {replication}"
    return what + of_designs, differences, made, _versions(loaded.made_with or {}, loaded.engine)


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
