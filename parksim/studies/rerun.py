"""Results loaded from a store, and made again: the same bytes, or what differs and which versions do.

A result is a file of ``parksim run --out x.json``, or a store of a command that runs replications. ``load`` returns
what was finished last in a store; ``rerun`` makes a result again. Single replications are compared by their measures.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from pydantic import model_validator

from parksim.errors import PlanError
from parksim.results import ALTERED, canonical, is_altered, read
from parksim.scenario.model import Scenario
from parksim.studies.gather import Execution, Gatherer, Progress, Workers, gathering
from parksim.studies.loaded import Kept, MadeWith, Plan, Planned, Replications, Share, load, made_of, with_files
from parksim.studies.replication import versions
from parksim.studies.store import Result, Store, sum_of
from parksim.studies.study import Study, study
from parksim.studies.sweep import Sweep

LARGEST_MIB: Final = 256
"""A larger ``.json`` is not read."""
MOST_NAMED: Final = 10
"""This many differences are named; the others are counted."""


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


class _Request(Kept):
    scenario: str
    objectives: dict[str, str]
    level: Share
    controls: bool = False
    replications: Replications | None
    precision: Share | None
    sums: list[str]

    @model_validator(mode="after")
    def _asks_for_one(self) -> Self:
        if (self.replications is None) == (self.precision is None):
            raise PlanError("either replications or a precision")
        return self


class _Named(Kept):
    digest: str


class _Result(MadeWith):
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
        plan = Planned.model_validate(store.plans()[-1])
        if replication is not None:
            raise PlanError(f"{path}: holds {plan.kind}, which is made again as a whole; leave --replication out")
        now = made_of(plan, store, own, _as_made(how, plan.seed, plan.engine, plan.level, plan.controls))
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
