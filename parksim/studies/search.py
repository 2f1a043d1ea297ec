"""A search over the values of one key, each tried until its verdict is clear or too costly to decide."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from parksim.scenario.model import Scenario
from parksim.stats.estimate import Estimate, Verdict
from parksim.studies import draws as drawing
from parksim.studies.compare import difference
from parksim.studies.gather import MOST_RUNS, Gatherer, requested
from parksim.studies.study import ObjectiveVerdict, Study, together

FIRST_LOOK: Final = 10
"""Replications after which ``solve`` first looks whether a value is decided; then it doubles them."""
MOST_LOOKED_AT: Final = 320
"""Replications of one value after which ``solve`` calls it undecided."""
Outcome = Literal["found", "undecided", "none"]


@dataclass(frozen=True)
class Step:
    """One value that ``solve`` tried.

    Attributes:
        value: Of the key.
        verdict: "met" when all objectives are, "missed" when one is, else "undecided".
        objectives: Each objective with its verdict.
        study: Its replications; its level is that of one look.
        needed: Replications that would probably decide it; None when it is decided, or no number would.
    """

    value: int
    verdict: Verdict
    objectives: tuple[ObjectiveVerdict, ...]
    study: Study = field(repr=False)
    needed: int | None

    def flat(self) -> dict[str, Any]:
        """Return the verdict and each objective's measure with its interval, as one row of plain values."""
        row: dict[str, Any] = {"replications": len(self.study.results), "verdict": self.verdict}
        for one in self.objectives:
            name, estimate = one.objective.measure, self.study.estimate(one.objective.measure)
            row |= {name: estimate.mean, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
            row[f"{name}_verdict"] = one.verdict
        return row

    def to_dict(self) -> dict[str, Any]:
        """Return the step as plain values, for JSON."""
        return {
            "value": self.value,
            "verdict": self.verdict,
            "replications": len(self.study.results),
            "needed": self.needed,
            "objectives": [
                one.to_dict() | self.study.estimate_as_json(one.objective.measure) for one in self.objectives
            ],
        }


@dataclass(frozen=True)
class Found:
    """What a search came to.

    Attributes:
        outcome: As in ``Solution``.
        place: Of the answer; None when there is no answer.
        between: When undecided, the values the answer lies between; None for an end beyond the range.
        reason: One sentence.
        next_to: Where the answer lies as far as one can tell: where to begin with a design much like it.
    """

    outcome: Outcome
    place: int | None
    between: tuple[int | None, int | None] | None
    reason: str
    next_to: int


def looks(replications: int | None) -> tuple[int, ...]:
    """Return after how many replications a value is looked at: the requested number, or 10, 20, ... 320."""
    if replications is not None:
        return (replications,)
    doublings = int(math.log2(MOST_LOOKED_AT // FIRST_LOOK))
    return tuple(FIRST_LOOK << doubling for doubling in range(doublings + 1))


@dataclass
class Search:
    """A bisection over places 0, 1, ...: the values from the end that misses to the end that meets.

    It assumes that the places which meet the objectives lie on one side, and checks the tried ones for it.

    Attributes:
        scenario: What is searched.
        key: The key whose values these are.
        values: In the order of the places.
        looks: Replications after which a value is looked at.
        level: Of the intervals of one look.
        precision: See ``solve``.
        gatherer: Where replications come from.
        tried: By place, what was tried, in order.
    """

    scenario: Scenario
    key: str
    values: range
    looks: tuple[int, ...]
    level: float
    precision: float | None
    gatherer: Gatherer
    tried: dict[int, Step] = field(default_factory=dict)

    def answer(self, near: int | None = None) -> Found:
        """Search all places, or from ``near`` on in steps that double: two values are then enough if it is the answer.

        Raises:
            ScenarioError: a value makes no valid scenario.
            StoreError: the store cannot be used; what was stored stays.
            StudyError: a worker died; what was stored stays.
        """
        fails, known = (-1, len(self.values)) if near is None else self._around(near)
        met = first(lambda place: self.verdict(place) == "met", fails, known)
        next_to = min(met, len(self.values) - 1)
        below = met - 1
        if below >= 0 and self.verdict(below) == "undecided":
            seen = [place for place, step in self.tried.items() if step.verdict == "missed" and place < below]
            missed = first(lambda place: self.verdict(place) != "missed", max(seen, default=-1), below) - 1
            ends = (self._value(missed + 1), self._value(met))
            return self._crossed(next_to) or Found("undecided", None, ends, self._why_undecided(), next_to)
        if met == len(self.values):
            missed_ones = [one.objective for one in self.tried[below].objectives if one.verdict == "missed"]
            words = " and ".join(f"{one.measure} {one.text}" for one in missed_ones)
            reason = f"{self.key} = {self.values[-1]} still misses {words}"
            return self._crossed(next_to) or Found("none", None, None, reason, next_to)
        reason = f"{self.key} = {self.values[met]} meets the objectives, " + (
            f"{self.values[below]} does not" if below >= 0 else "and it is the end of the range"
        )
        return self._crossed(next_to) or Found("found", met, None, reason, next_to)

    def _around(self, near: int) -> tuple[int, int]:
        """Return a place that does not meet the objectives and one further on that does, from ``near`` outwards."""
        stride = 1
        fails, known, end = -1, len(self.values), len(self.values) - 1
        if self.verdict(near) == "met":
            known = near
            while known > 0 and self.verdict(place := max(0, known - stride)) == "met":
                known, stride = place, 2 * stride
            return (place if known > 0 else fails), known
        fails = near
        while fails < end and self.verdict(place := min(end, fails + stride)) != "met":
            fails, stride = place, 2 * stride
        return fails, (place if fails < end else known)

    def _crossed(self, next_to: int) -> Found | None:
        """Return "undecided" when something met lies before something missed: then bisection proves nothing."""
        met = min((place for place, step in self.tried.items() if step.verdict == "met"), default=len(self.values))
        missed = max((place for place, step in self.tried.items() if step.verdict == "missed"), default=-1)
        if met > missed:
            return None
        met_value, missed_value = self.values[met], self.values[missed]
        reason = f"{self.key} = {met_value} meets the objectives but {missed_value} does not: sweep instead"
        ends = (self._value(0), self._value(len(self.values) - 1))
        return Found("undecided", None, ends, reason, next_to)

    def _value(self, place: int) -> int | None:
        return self.values[place] if place < len(self.values) else None

    def _why_undecided(self) -> str:
        undecided = [step for step in self.tried.values() if step.verdict == "undecided"]
        first = [one.measure_first for step in undecided for one in step.objectives if one.measure_first]
        if first:
            values = ", ".join(f"{step.value}" for step in undecided)
            return f"what is not known leaves {self.key} = {values} open: measure {first[0]} first"
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
        drawn = drawing.designs_of(design, self.gatherer.seed)
        for replications in self.looks:
            (results,) = self.gatherer.results([design], range(replications))
            (draws,) = drawing.gathered_all(self.gatherer, [drawn], range(replications))
            made = (self.gatherer.seed, self.gatherer.engine, self.level, results, requested(replications))
            study = Study(design, *made, draws=draws)
            objectives = tuple(study.objectives)
            verdict = together(objectives)
            unclear = [one for one in objectives if one.verdict == "undecided"]
            # Where what is not known leaves it open, no number of replications decides it.
            if verdict != "undecided" or all(one.measure_first or self._is_near_enough(study, one) for one in unclear):
                break
        needed = replications_needed(study, unclear) if verdict == "undecided" else None
        return Step(value, verdict, objectives, study, needed)

    def _is_near_enough(self, study: Study, one: ObjectiveVerdict) -> bool:
        half_width = study.estimate(one.objective.measure).half_width
        return (
            self.precision is not None
            and half_width is not None
            and half_width <= self.precision * abs(one.objective.value)
        )

    def gain(self, place: int) -> dict[str, Estimate]:
        """Return what the value at ``place`` changes of the objectives' measures against the one before it, paired."""
        here, before = self.tried[place].study, self.tried[place - 1].study
        pairs = min(len(here.results), len(before.results))
        names = [one.measure for one in self.scenario.objectives]
        return {name: difference(here, before, name, pairs) for name in names}


def replications_needed(study: Study, unclear: Sequence[ObjectiveVerdict]) -> int | None:
    """Return how many replications would probably make the intervals exclude the targets: widths go with 1/sqrt(n)."""
    needed = 0
    for one in unclear:
        if one.measure_first:
            return None
        estimate = study.estimate(one.objective.measure)
        if estimate.mean is None or estimate.half_width is None or estimate.mean == one.objective.value:
            return None
        ratio = estimate.half_width / abs(estimate.mean - one.objective.value)
        needed = max(needed, math.ceil(len(study.results) * ratio**2))
    return needed if needed <= MOST_RUNS else None


def first(holds: Callable[[int], bool], fails: int, known: int) -> int:
    """Return the first place in (fails, known] where ``holds``: untested false at ``fails``, true at ``known``."""
    while known - fails > 1:
        middle = (fails + known) // 2
        if holds(middle):
            known = middle
        else:
            fails = middle
    return known


def outwards(holds: Callable[[int], bool], count: int) -> int | None:
    """Return the first of ``count`` places where something holds, looking in steps that double; None for nowhere."""
    fails, stride = -1, 1
    while fails < count - 1:
        place = min(fails + stride, count - 1)
        if holds(place):
            return first(holds, fails, place)
        fails, stride = place, 2 * stride
    return None
