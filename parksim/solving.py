"""The smallest value of a key that meets a scenario's objectives, found by bisection; undecided rather than guessed."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from parksim.comparing import paired_difference
from parksim.estimate import Estimate, Verdict
from parksim.expected import formulas
from parksim.gather import MOST_RUNS, MOST_VALUES, Gatherer, PlanError, Workers, asked_for, engine_for, gathering
from parksim.scenario import Scenario
from parksim.sections import Objective
from parksim.store import Damage, Store
from parksim.studies import Progress, Study, versions

FIRST_LOOK: Final = 10
"""Replications after which ``solve`` first looks whether a value is decided; then it doubles them."""
MOST_LOOKED_AT: Final = 320
"""Replications of one value after which ``solve`` calls it undecided."""


@dataclass(frozen=True)
class Step:
    """One value that ``solve`` tried.

    Attributes:
        value: Of the key.
        verdict: "met" when all objectives are, "missed" when one is, else "undecided".
        study: Its replications; its level is that of one look.
        needed: Replications that would probably decide it; None when it is decided, or no number would.
    """

    value: int
    verdict: Verdict
    study: Study = field(repr=False)
    needed: int | None

    def to_dict(self) -> dict[str, Any]:
        """Return the step as plain values, for JSON."""
        estimates = {one.objective.measure: one for one in self.study.objectives}
        return {
            "value": self.value,
            "verdict": self.verdict,
            "replications": len(self.study.results),
            "needed": self.needed,
            "objectives": [
                {"measure": name, "target": one.objective.text, "verdict": one.verdict}
                | self.study.estimate(name).as_dict()
                for name, one in estimates.items()
            ],
        }


@dataclass(frozen=True)
class Solution:
    """The smallest (or largest) value of a key that meets all objectives, or why there is none to be told.

    Attributes:
        key: What was searched.
        within: Its ends.
        sense: Which end of the values that meet the objectives was asked for.
        outcome: "found", "undecided" (see ``between``), or "none" (the best end misses an objective).
        value: The answer when it was found.
        between: When undecided: the answer lies here, both ends included; None instead of an end beyond ``within``.
        reason: One sentence.
        trail: What was tried, in order.
        gain: For each objective's measure, the answer's less that of its neighbour that misses, paired.
        erlang: What the formulas answer; None when they have none, as ``erlang_reason`` says.
        ran: Replications that were run now.
        reused: Replications that the store had.
        damaged: Records of the store that were not what was written; they were run again.
    """

    scenario: Scenario
    key: str
    within: tuple[int, int]
    sense: Literal["smallest", "largest"]
    outcome: Literal["found", "undecided", "none"]
    value: int | None
    between: tuple[int | None, int | None] | None
    reason: str
    trail: tuple[Step, ...] = field(repr=False)
    gain: Mapping[str, Estimate]
    erlang: int | None
    erlang_reason: str
    seed: int
    engine: str
    level: float
    ran: int
    reused: int
    damaged: tuple[Damage, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the solution as plain values, for JSON."""
        return {
            "scenario": {"name": self.scenario.name, "digest": self.scenario.digest},
            "key": self.key,
            "within": list(self.within),
            "sense": self.sense,
            "outcome": self.outcome,
            "value": self.value,
            "between": None if self.between is None else list(self.between),
            "reason": self.reason,
            "erlang": self.erlang,
            "erlang_reason": self.erlang_reason,
            "gain": {name: one.as_dict() for name, one in self.gain.items()},
            "trail": [step.to_dict() for step in self.trail],
            "seed": self.seed,
            "engine": self.engine,
            "level": self.level,
            "versions": versions(self.engine),
        }


def solve(
    scenario: Scenario,
    key: str,
    within: tuple[int, int],
    replications: int | None = None,
    *,
    sense: Literal["smallest", "largest"] = "smallest",
    step: int = 1,
    precision: float | None = None,
    seed: int = 1,
    level: float = 0.95,
    executor: Workers = None,
    workers: int | None = None,
    engine: str = "auto",
    store: Store | str | Path | None = None,
    progress: Progress | None = None,
) -> Solution:
    """Find the smallest value of ``key`` that meets all objectives of ``scenario``, by bisection.

    Every value is offered the same calls, and is decided by the intervals of the objectives' measures: met when all
    lie on their side of the targets, missed when one lies on the other. Without ``replications`` a value gets 10, and
    twice as many until it is decided or has 320; the intervals' level is then divided over these looks (Bonferroni).
    It is taken for granted that what meets the objectives lies on one side; what was tried is held against it.

    Args:
        scenario: what is searched; has objectives.
        key: a key whose values are whole numbers: counts, or durations in seconds.
        within: lowest and highest value.
        replications: how many of each value, with one look; by default as many as decide it.
        sense: "largest" for a key of which small values meet the objectives.
        step: distance between values tried.
        precision: call a value undecided before 320 replications, when the half-widths of what is undecided have
            come down to this share of the targets: nearer to the target nobody cares.
        seed: any whole number from 0.
        level: confidence of each value's verdict.
        executor: as in ``sweep``.
        workers: as in ``sweep``.
        engine: as in ``sweep``.
        store: as in ``sweep``.
        progress: told how many of the replications of the value at hand are done and to do.

    Raises:
        PlanError: no objectives, an empty range, or arguments that do not go together.
        ScenarioError: a value makes no valid scenario.
        StoreError: the store cannot be used; what was stored stays.
        StudyError: a worker died; what was stored stays.
    """
    values = range(within[0], within[1] + 1, step) if step > 0 else range(0)
    if not scenario.objectives:
        raise PlanError('solve needs a goal; add [objectives] with lines such as refused_share = "< 1 %"')
    if not 1 <= len(values) <= MOST_VALUES:
        raise PlanError(
            f"{key} within {within[0]}..{within[1]} by {step} are {len(values)} values, not 1 to {MOST_VALUES}"
        )
    if replications is not None and (replications < 2 or precision is not None):
        raise PlanError("give at least 2 replications (an interval needs two), or a precision, or neither")
    if precision is not None and not 0 < precision < 1:
        raise PlanError(f"a precision lies between 0 and 1 (5 % is 0.05), not {precision}")
    if sense == "largest":
        values = values[::-1]
    looks = (replications,) if replications is not None else _doubled(FIRST_LOOK, MOST_LOOKED_AT)
    ends = [scenario.with_values({key: value}) for value in (values[0], values[-1])]
    engine = engine_for(engine, ends, looks[0] * -(-len(values).bit_length() // 2))  # two ends stand for all steps
    with gathering(seed, engine, executor=executor, workers=workers, store=store, progress=progress) as gatherer:
        search = _Search(scenario, key, values, looks, 1.0 - (1.0 - level) / len(looks), precision, gatherer)
        outcome, place, between, reason = search.answered()
    erlang, erlang_reason = _formulas_answer(scenario, key, values)
    return Solution(
        scenario=scenario,
        key=key,
        within=within,
        sense=sense,
        outcome=outcome,
        value=None if place is None else values[place],
        between=between,
        reason=reason,
        trail=tuple(search.tried.values()),
        gain={} if not place else search.gain(place),
        erlang=erlang,
        erlang_reason=erlang_reason,
        seed=seed,
        engine=engine,
        level=level,
        ran=gatherer.ran,
        reused=gatherer.reused,
        damaged=gatherer.damaged,
    )


def _doubled(first: int, most: int) -> tuple[int, ...]:
    looks = [first]
    while looks[-1] * 2 <= most:
        looks.append(looks[-1] * 2)
    return tuple(looks)


_Found = tuple[Literal["found", "undecided", "none"], int | None, tuple[int | None, int | None] | None, str]
"""Outcome, place of the answer, the values it lies between, the reason."""


@dataclass
class _Search:
    """A bisection over places 0, 1, ...: the values from the end that misses to the end that meets."""

    scenario: Scenario
    key: str
    values: range
    looks: tuple[int, ...]
    level: float
    precision: float | None
    gatherer: Gatherer
    tried: dict[int, Step] = field(default_factory=dict)

    def answered(self) -> _Found:
        met = _first(lambda place: self.verdict(place) == "met", -1, len(self.values))
        below = met - 1
        if below >= 0 and self.verdict(below) == "undecided":
            seen = [place for place, step in self.tried.items() if step.verdict == "missed" and place < below]
            missed = _first(lambda place: self.verdict(place) != "missed", max(seen, default=-1), below) - 1
            ends = (self._value(missed + 1), self._value(met))
            return self._crossed() or ("undecided", None, ends, self._why_undecided())
        if met == len(self.values):
            return "none", None, None, f"{self.key} = {self.values[-1]} still misses an objective"
        reason = f"{self.key} = {self.values[met]} meets the objectives, " + (
            f"{self.values[below]} does not" if below >= 0 else "and it is the end of the range"
        )
        return self._crossed() or ("found", met, None, reason)

    def _crossed(self) -> _Found | None:
        """Return "undecided" when something met lies before something missed: then bisection proves nothing."""
        met = min((place for place, step in self.tried.items() if step.verdict == "met"), default=len(self.values))
        missed = max((place for place, step in self.tried.items() if step.verdict == "missed"), default=-1)
        if met > missed:
            return None
        met_value, missed_value = self.values[met], self.values[missed]
        reason = f"{self.key} = {met_value} meets the objectives but {missed_value} does not: sweep instead"
        return "undecided", None, (self._value(0), self._value(len(self.values) - 1)), reason

    def _value(self, place: int) -> int | None:
        return self.values[place] if place < len(self.values) else None

    def _why_undecided(self) -> str:
        undecided = [step for step in self.tried.values() if step.verdict == "undecided"]
        words = ", ".join(
            f"{step.value} ({'no number of' if step.needed is None else f'some {step.needed:,}'} replications"
            " would decide it)"
            for step in undecided
        )
        return f"too near to a target after {len(undecided[-1].study.results)} replications: {self.key} = {words}"

    def verdict(self, place: int) -> Verdict:
        """Return the verdict on the value at ``place``, trying it the first time."""
        if place not in self.tried:
            self.tried[place] = self._try(self.values[place])
        return self.tried[place].verdict

    def _try(self, value: int) -> Step:
        design = self.scenario.with_values({self.key: value})
        for replications in self.looks:
            (results,) = self.gatherer.results([design], range(replications))
            study = Study(
                design, self.gatherer.seed, self.gatherer.engine, self.level, results, asked_for(replications)
            )
            verdicts = [one.verdict for one in study.objectives]
            verdict = _together(verdicts)
            open_ones = [one.objective for one in study.objectives if one.verdict == "undecided"]
            if verdict != "undecided" or all(self._near_enough(study, one) for one in open_ones):
                break
        return Step(value, verdict, study, None if verdict != "undecided" else _needed(study, open_ones))

    def _near_enough(self, study: Study, objective: Objective) -> bool:
        half_width = study.estimate(objective.measure).half_width
        return (
            self.precision is not None
            and half_width is not None
            and half_width <= self.precision * abs(objective.value)
        )

    def gain(self, place: int) -> dict[str, Estimate]:
        """Return what the value at ``place`` changes of the objectives' measures against the one before it."""
        here, before = self.tried[place].study, self.tried[place - 1].study
        pairs = min(len(here.results), len(before.results))
        names = [one.measure for one in self.scenario.objectives]
        return {name: paired_difference(here, before, name, pairs) for name in names}


def _together(verdicts: list[Verdict]) -> Verdict:
    return "missed" if "missed" in verdicts else "undecided" if "undecided" in verdicts else "met"


def _needed(study: Study, objectives: list[Objective]) -> int | None:
    """Return how many replications would probably make the intervals exclude the targets: widths go with 1/sqrt(n)."""
    needed = 0
    for objective in objectives:
        estimate = study.estimate(objective.measure)
        if estimate.mean is None or estimate.half_width is None or estimate.mean == objective.value:
            return None
        ratio = estimate.half_width / abs(estimate.mean - objective.value)
        needed = max(needed, math.ceil(len(study.results) * ratio**2))
    return needed if needed <= MOST_RUNS else None


def _first(holds: Callable[[int], bool], fails: int, known: int) -> int:
    """Return the first place in (fails, known] where ``holds``: false at ``fails``, true at ``known``, unasked."""
    while known - fails > 1:
        middle = (fails + known) // 2
        if holds(middle):
            known = middle
        else:
            fails = middle
    return known


class _NoFormulaError(Exception):
    """An objective's measure has no formula; says why."""


def _formulas_answer(scenario: Scenario, key: str, values: range) -> tuple[int | None, str]:
    """Return what the formulas answer, and which they are or why they have no answer."""
    reasons: dict[str, None] = {}

    def holds(place: int) -> bool:
        table = formulas(scenario.with_values({key: values[place]}))
        for objective in scenario.objectives:
            value, reason = table[objective.measure]
            if value is None or isinstance(value, tuple):
                raise _NoFormulaError(f"{objective.measure}: {reason}")
            reasons[reason] = None
        return all(_holds(table[one.measure].value, one) for one in scenario.objectives)

    try:
        place = _first(holds, -1, len(values))
    except _NoFormulaError as error:
        return None, str(error)
    named = ", ".join(reasons)
    return (values[place], named) if place < len(values) else (None, f"no value meets them ({named})")


def _holds(value: Any, objective: Objective) -> bool:
    target = objective.value
    return bool(
        {"<": value < target, "<=": value <= target, ">": value > target, ">=": value >= target}[objective.relation]
    )
