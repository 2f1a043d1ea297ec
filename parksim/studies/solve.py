"""The smallest value of a key that meets a scenario's objectives, or of one key for each value of another.

Found by bisection under common random numbers. Where the answer is inconclusive it says so, and what it would cost to
decide it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from operator import index
from typing import Any, Final, Literal, NamedTuple, Unpack, overload

from parksim.errors import ParksimError, PlanError, ScenarioError
from parksim.results import Reported
from parksim.scenario.arguments import checked_scenario, proportion, whole
from parksim.scenario.model import Scenario
from parksim.stats.estimate import Estimate, certain, verdict
from parksim.studies.formulas import formulas
from parksim.studies.gather import MOST_VALUES, Execution, ExecutionArguments, Gatherer, gathering, shows_execution
from parksim.studies.replication import versions
from parksim.studies.search import Outcome, Search, Step, first, looks
from parksim.studies.store import Damage

Sense = Literal["smallest", "largest"]
Ends = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class _Solved(Reported):
    """What a ``Solution`` and a ``Frontier`` have in common.

    Attributes:
        scenario: What was searched.
        sense: Which end of the (first) key's values that meet the objectives was requested.
        seed: Of all designs.
        engine: The one that ran them.
        level: Confidence level of each value's verdict.
        ran: Replications that were run now.
        reused: Replications taken from the store.
        damaged: Records of the store that were not what was written; they were run again.
        made_with: The versions that made it; None for the installed ones.
        asked: The arguments that make it again: key, within, step, sense, replications, precision.
    """

    scenario: Scenario
    sense: Sense
    seed: int
    engine: str
    level: float
    ran: int
    reused: int
    damaged: tuple[Damage, ...] = ()
    made_with: Mapping[str, str] | None = None
    asked: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def _as_json(self, searched: Mapping[str, object], found: Mapping[str, object]) -> dict[str, Any]:
        """Return what was searched, what was found, and how, as plain values."""
        return {
            "scenario": {"name": self.scenario.name, "digest": self.scenario.digest},
            **searched,
            "sense": self.sense,
            **found,
            "seed": self.seed,
            "engine": self.engine,
            "level": self.level,
            "versions": dict(self.made_with or versions(self.engine)),
        }


@dataclass(frozen=True, kw_only=True)
class Solution(_Solved):
    """The smallest (or largest) value of a key that meets all objectives, or why there is no answer.

    Attributes:
        key: What was searched.
        within: Its ends.
        outcome: "found", "undecided" (see ``between``), or "none" (the best end misses an objective).
        value: The answer when it was found.
        between: When undecided: the answer lies here, both ends included; None instead of an end beyond ``within``.
        reason: One sentence.
        trail: What was tried, in order.
        gain: For each objective's measure, the answer's less that of its neighbour that misses, paired.
        erlang: The formulas' answer; None when they have no answer, as ``erlang_reason`` says.
    """

    key: str
    within: Ends
    outcome: Outcome
    value: int | None
    between: tuple[int | None, int | None] | None
    reason: str
    trail: tuple[Step, ...] = field(repr=False)
    gain: Mapping[str, Estimate]
    erlang: int | None
    erlang_reason: str

    @property
    def has_controls(self) -> bool:
        """Whether estimates are corrected by controls, where these are known."""
        return self.trail[0].study.has_controls

    def to_dict(self) -> dict[str, Any]:
        """Return the solution as plain values, for JSON."""
        return self._as_json({"key": self.key, "within": list(self.within)}, self.answer())

    def flat(self) -> list[dict[str, Any]]:
        """Return the steps as plain values: each value, its verdict, and each objective's measure with its interval."""
        return [{self.key: step.value} | step.flat() for step in self.trail]

    def answer(self) -> dict[str, Any]:
        """Return what was found, and how, as plain values."""
        return {
            "outcome": self.outcome,
            "value": self.value,
            "between": None if self.between is None else list(self.between),
            "reason": self.reason,
            "erlang": self.erlang,
            "erlang_reason": self.erlang_reason,
            "gain": {name: one.as_dict() for name, one in self.gain.items()},
            "trail": [step.to_dict() for step in self.trail],
        }


@dataclass(frozen=True)
class FrontierRow:
    """The answer with the second key at one value."""

    fixed: int
    solution: Solution


@dataclass(frozen=True, kw_only=True)
class Frontier(_Solved):
    """For each value of a second key the smallest (or largest) value of the first that meets all objectives.

    Attributes:
        keys: The first, which was searched, and the second, which was set.
        within: The ends of each.
        rows: One a value of the second key, from the lowest.
    """

    keys: tuple[str, str]
    within: tuple[Ends, Ends]
    rows: tuple[FrontierRow, ...] = field(repr=False)

    @property
    def has_controls(self) -> bool:
        """Whether estimates are corrected by controls, where these are known."""
        return self.trail[0][1].study.has_controls

    @property
    def outcome(self) -> Outcome:
        """All rows together: "undecided" when one is, "none" when none has an answer, else "found"."""
        outcomes = {row.solution.outcome for row in self.rows}
        return "undecided" if "undecided" in outcomes else "found" if "found" in outcomes else "none"

    @property
    def trail(self) -> tuple[tuple[int, Step], ...]:
        """What was tried, in order: the second key's value, and the step with that of the first."""
        return tuple((row.fixed, step) for row in self.rows for step in row.solution.trail)

    def flat(self) -> list[dict[str, Any]]:
        """Return the steps as plain values, as ``Solution.flat`` does, with the second key's value."""
        first, second = self.keys
        return [{second: fixed, first: step.value} | step.flat() for fixed, step in self.trail]

    def to_dict(self) -> dict[str, Any]:
        """Return the frontier as plain values, for JSON."""
        rows = [{self.keys[1]: row.fixed} | row.solution.answer() for row in self.rows]
        searched = {"keys": list(self.keys), "within": [list(ends) for ends in self.within]}
        return self._as_json(searched, {"outcome": self.outcome, "rows": rows})


class SearchArguments(ExecutionArguments, total=False):
    """The keywords of ``solve``: those of ``ExecutionArguments``, and how values are searched."""

    sense: Sense
    step: int | tuple[int, int]
    precision: float | None


@overload
def solve(
    scenario: Scenario, key: str, within: Ends, replications: int | None = None, **how: Unpack[SearchArguments]
) -> Solution: ...
@overload
def solve(
    scenario: Scenario,
    key: tuple[str, str],
    within: tuple[Ends, Ends],
    replications: int | None = None,
    **how: Unpack[SearchArguments],
) -> Frontier: ...
@shows_execution
def solve(
    scenario: Scenario,
    key: str | tuple[str, str],
    within: Ends | tuple[Ends, Ends],
    replications: int | None = None,
    *,
    sense: Sense = "smallest",
    step: int | tuple[int, int] = 1,
    precision: float | None = None,
    **how: Unpack[ExecutionArguments],
) -> Solution | Frontier:
    """Find the smallest value of ``key`` that meets all objectives of ``scenario``, by bisection.

    Every value is offered the same calls, and is decided by the intervals of the objectives' measures: met when all
    lie on their side of the targets, missed when one lies on the other. Without ``replications`` a value gets 10, and
    twice as many until it is decided or has 320; the intervals' level is then divided over these looks (Bonferroni).
    The search assumes that the values which meet the objectives lie on one side, and checks the tried ones for it.

    With two keys, the first is searched for each value of the second. A search begins at the answer of the value
    before and goes outwards, so that a row costs little more than the two values which prove its answer; that answers
    change little, or one way only, from row to row saves work but is not relied on.

    Args:
        scenario: what is searched; has objectives.
        key: a key whose values are whole numbers: counts, or durations in seconds. Or two such keys.
        within: lowest and highest value; with two keys a pair of these.
        replications: how many of each value, with one look; by default as many as decide it.
        sense: "largest" for a (first) key of which small values meet the objectives.
        step: distance between values tried; with two keys of both, or a pair.
        precision: call a value undecided before 320 replications, when the half-widths of what is undecided have
            come down to this share of the targets: nearer to the target it does not matter.
        how: seed, level (the confidence of each value's verdict), executor, workers, engine, store, controls, progress
            (which counts the replications of the current value): see ``gather.ExecutionArguments``.

    Returns:
        A ``Solution``; with two keys a ``Frontier``.

    Raises:
        PlanError: no objectives, an empty range, or arguments that do not go together.
        ArgumentError: an invalid seed, level or number of replications.
        WrongTypeError: ``scenario`` is not a Scenario, or there is no such argument.
        ScenarioError: a value makes an invalid scenario.
        StoreError: the store cannot be used; what was stored stays.
        StudyError: a worker died; what was stored stays.
    """
    execution = Execution.of(how)
    checked_scenario(scenario)
    replications = None if replications is None else whole("replications are", replications, 1)
    axes = _axes(key, within, step)
    _check(scenario, replications, precision)
    seen = looks(replications)
    with gathering(execution, *_first_looks(scenario, axes, seen[0])) as gatherer:
        rows = tuple(_rows(scenario, axes, sense, seen, precision, gatherer))
        searched: dict[str, list[Any]] = {
            "key": [axis.key for axis in axes],
            "within": [list(axis.within) for axis in axes],
            "step": [axis.values.step for axis in axes],
        }
        asked = {name: ones if len(axes) > 1 else ones[0] for name, ones in searched.items()}
        how_many = {"replications": replications, "precision": precision}
        asked |= how_many | {"sense": sense}
        gatherer.finish(scenario, kind="solve", asked=asked)
    if len(axes) == 1:
        return replace(rows[0].solution, asked=asked)
    keys, ends = zip(*((axis.key, axis.within) for axis in axes), strict=True)
    made = gatherer.made_with() | {"asked": asked}
    return Frontier(scenario=scenario, keys=keys, within=ends, sense=sense, rows=rows, **made)


class _Axis(NamedTuple):
    """A key and its values."""

    key: str
    within: Ends
    values: range


def _axes(key: str | tuple[str, str], within: Any, step: int | tuple[int, int]) -> list[_Axis]:
    """Return the keys with their values, one or two.

    Raises:
        PlanError: no values or too many, one key twice, or not a range for each key.
    """
    try:
        keys, spans = ((key,), (within,)) if isinstance(key, str) else (tuple(key), tuple(within))
        steps = tuple(map(index, step)) if isinstance(step, tuple) else (index(step),) * len(keys)
        ends = tuple((index(low), index(high)) for low, high in spans)
    except (TypeError, ValueError):
        raise PlanError(
            f"a range is two whole numbers (durations in seconds), not {within!r:.60} by {step!r:.20}"
        ) from None
    if not len(keys) == len(ends) == len(steps) == len(set(keys)) <= 2:
        raise PlanError("solve takes one key and its range, or two different keys and a range (and a step) for each")
    axes = []
    for one, (low, high), by in zip(keys, ends, steps, strict=True):
        values = range(low, high + 1, by) if by > 0 else range(0)
        if not 1 <= len(values) <= MOST_VALUES:
            raise PlanError(f"{one} within {low}..{high} by {by} are {len(values)} values, not 1 to {MOST_VALUES}")
        axes.append(_Axis(one, (low, high), values))
    return axes


def _check(scenario: Scenario, replications: int | None, precision: float | None) -> None:
    if not scenario.objectives:
        raise PlanError('solve needs a goal; add [objectives] with lines such as refused_share = "< 1 %"')
    if replications is not None and (replications < 2 or precision is not None):
        raise PlanError("give at least 2 replications (an interval needs two), or a precision, or neither")
    if precision is not None:
        proportion("a precision", "5 % is 0.05", precision)


def _first_looks(scenario: Scenario, axes: list[_Axis], replications: int) -> tuple[list[Scenario], int]:
    """Return the designs at the ends of the ranges, and how many replications of each are like the expected work."""
    corners = [
        scenario.with_values(dict(zip((axis.key for axis in axes), values, strict=True)))
        for values in product(*((axis.values[0], axis.values[-1]) for axis in axes))
    ]
    tried = len(axes[0].values).bit_length() + sum(2 * (len(axis.values) - 1) for axis in axes[1:])
    return corners, replications * -(-tried // len(corners))


def _rows(
    scenario: Scenario,
    axes: list[_Axis],
    sense: Sense,
    seen: tuple[int, ...],
    precision: float | None,
    gatherer: Gatherer,
) -> Iterator[FrontierRow]:
    """Yield the answer for each value of the second key; one answer, of the scenario as it is, without one."""
    searched, *others = axes
    values = searched.values if sense == "smallest" else searched.values[::-1]
    designs = [(fixed, scenario.with_values({axis.key: fixed})) for axis in others for fixed in axis.values]
    level, near = gatherer.level, None
    for fixed, design in designs or [(0, scenario)]:
        ran, reused = gatherer.ran, gatherer.reused
        search = Search(design, searched.key, values, seen, 1.0 - (1.0 - level) / len(seen), precision, gatherer)
        found = search.answer(near)
        near = found.next_to
        erlang, erlang_reason = _formulas_answer(design, searched.key, values)
        solution = Solution(
            scenario=design,
            key=searched.key,
            within=searched.within,
            sense=sense,
            outcome=found.outcome,
            value=None if found.place is None else values[found.place],
            between=found.between,
            reason=found.reason,
            trail=tuple(search.tried.values()),
            gain={} if not found.place else search.gain(found.place),
            erlang=erlang,
            erlang_reason=erlang_reason,
            **gatherer.made_with() | {"ran": gatherer.ran - ran, "reused": gatherer.reused - reused},
        )
        yield FrontierRow(fixed, solution)


CONFIGURED_STEP_S: Final = 10
"""Distance of the durations that are tried by default: nobody sets a time-out of 128 s."""


def is_time(scenario: Scenario, key: str) -> bool:
    """Say whether the values of a key are durations."""
    try:
        scenario.with_values({key: "61s"})
    except ScenarioError:
        return False
    return True


def usual_range(scenario: Scenario, key: str) -> range:
    """Return the values to search where nobody says which: up to four times what the scenario has.

    Raises:
        PlanError: the scenario has no number there.
        ScenarioError: there is no such key.
    """
    value = scenario.assumptions.get(key)
    value = value.get("value") if isinstance(value, dict) else value
    if key not in scenario.assumptions:
        scenario.with_values({key: 1})  # which says what is wrong with the key
    if isinstance(value, int) and not isinstance(value, bool):
        return range(1, 4 * max(1, value) + 1)
    if isinstance(value, float) and is_time(scenario, key):
        step = CONFIGURED_STEP_S if value >= CONFIGURED_STEP_S else 1
        return range(step, int(4 * value) + step, step)
    raise PlanError(f"{key} has no number from which to search; say where: --within 1..40")


class _NoFormulaError(ParksimError):
    """An objective's measure has no formula; says why."""


def _formulas_answer(scenario: Scenario, key: str, values: range) -> tuple[int | None, str]:
    """Return what the formulas answer, and which they are or why they have no answer."""
    reasons: dict[str, None] = {}

    def holds(place: int) -> bool:
        table, meets = formulas(scenario.with_values({key: values[place]})), True
        for objective in scenario.objectives:
            value, reason, _ = table[objective.measure]
            if value is None or isinstance(value, tuple):
                raise _NoFormulaError(f"{objective.measure}: {reason}")
            reasons[reason] = None
            meets &= verdict(certain(value, 0, 1.0, reason), objective.relation, objective.value) == "met"
        return meets

    try:
        place = first(holds, -1, len(values))
    except _NoFormulaError as error:
        return None, str(error)
    named = ", ".join(reasons)
    return (values[place], named) if place < len(values) else (None, f"no value meets them ({named})")
