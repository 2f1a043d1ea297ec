"""Designs that are run until it is foreseen what a run with other seeds would say of them, and which of them differ."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from parksim.scenario.model import Scenario
from parksim.stats.estimate import Verdict
from parksim.studies.foreseen import foreseen
from parksim.studies.gather import Gatherer, requested
from parksim.studies.levers import Lever, amount
from parksim.studies.search import MOST_LOOKED_AT, first, looks, outwards
from parksim.studies.store import Result
from parksim.studies.study import ObjectiveVerdict, Study, together


class Apart(NamedTuple):
    """A value that meets all objectives, and the one a step nearer to what does not.

    Attributes:
        value: Of the lever.
        less: One step less; of what can be spared one step further. Absent (empty) at the end of the values.
        step: How far apart they are at most: slots, attendants or staff, seconds, attendant-hours.
    """

    value: Any
    less: tuple[Any, ...]
    step: float


@dataclass
class Bench:
    """Runs designs until it is foreseen what a run with other seeds would say of them."""

    scenario: Scenario
    gatherer: Gatherer
    replications: int
    _designs: dict[tuple[tuple[str, Any], ...], Scenario] = field(default_factory=dict)
    _studies: dict[str, Study] = field(default_factory=dict)
    _unsure: dict[str, set[str]] = field(default_factory=dict)

    @property
    def names(self) -> frozenset[str]:
        """The measures of all objectives."""
        return frozenset(one.measure for one in self.scenario.objectives)

    def design(self, change: Mapping[str, Any]) -> Scenario:
        """Return the scenario with some values changed."""
        key = tuple(sorted(change.items()))
        if key not in self._designs:
            values = {name: list(value) if isinstance(value, tuple) else value for name, value in key}
            self._designs[key] = self.scenario.with_values(values) if values else self.scenario
        return self._designs[key]

    def study(self, design: Scenario, numbers: range) -> Study:
        """Return the study of some replications of a design."""
        (results,) = self.gatherer.results([design], numbers)
        return self._made(design, results)

    def _made(self, design: Scenario, results: tuple[Result, ...]) -> Study:
        one = self.gatherer
        return Study(design, one.seed, one.engine, one.level, results, requested(len(results)))

    def confirmation(self, change: Mapping[str, Any]) -> Study:
        """Return the study of the replications that no search sees."""
        return self.study(self.design(change), range(MOST_LOOKED_AT, MOST_LOOKED_AT + self.replications))

    def searched(self, change: Mapping[str, Any], names: Collection[str] | None = None) -> Study:
        """Return the study of a design that has enough replications to decide on some objectives, all by default."""
        design = self.design(change)
        study = self._studies.get(design.digest)
        for number in looks(None):
            if study is None or len(study.results) < number:
                study = self._studies[design.digest] = self.study(design, range(number))
            if self._together(study, names) != "undecided":
                break
        assert study is not None
        return study

    def verdict(self, change: Mapping[str, Any], names: Collection[str] | None = None) -> Verdict:
        """Return what a run would say of some objectives together, all by default."""
        return self._together(self.searched(change, names), names)

    def objectives(self, change: Mapping[str, Any]) -> tuple[ObjectiveVerdict, ...]:
        """Return what a run would say of each objective."""
        for name in self.names:
            self.searched(change, {name})
        return self._foreseen(self.searched(change))

    def _together(self, study: Study, names: Collection[str] | None) -> Verdict:
        return together(one for one in self._foreseen(study) if names is None or one.objective.measure in names)

    def _foreseen(self, study: Study) -> tuple[ObjectiveVerdict, ...]:
        unsure = self._unsure.get(study.scenario.digest, ())
        return tuple(
            one if one.objective.measure not in unsure else ObjectiveVerdict(one.objective, "undecided")
            for one in foreseen(study, self.replications)
        )

    def is_confirmed(self, change: Mapping[str, Any], as_met: bool) -> bool:
        """Say whether replications that the search has not seen say the same, and all together foresee it.

        If not, the change is too close to call from now on: a search that looks at many values now and then meets one
        that is lucky.
        """
        expected, seen, unseen = "met" if as_met else "missed", self.searched(change), self.confirmation(change)
        both = self._made(unseen.scenario, (*seen.results, *unseen.results))
        doubtful = {
            one.objective.measure
            for one, again, all_of_them in zip(
                self._foreseen(seen), unseen.objectives, foreseen(both, self.replications), strict=True
            )
            if one.verdict == expected and ((again.verdict == "met") != as_met or all_of_them.verdict != expected)
        }
        self._unsure.setdefault(unseen.scenario.digest, set()).update(doubtful)
        return self.verdict(change) == expected

    def nearest(self, lever: Lever, names: Collection[str], held: Mapping[str, Any]) -> int | None:
        """Return the first place of a lever that meets some objectives, -1 for its present value, None for nowhere."""

        def meets(place: int) -> bool:
            return self.verdict({**held, **lever.at(place)}, names) == "met"

        return -1 if meets(-1) else outwards(meets, len(lever.values))

    def furthest(self, lever: Lever) -> int | None:
        """Return the first place of a lever that does not meet all objectives, None where each does."""
        return outwards(lambda place: self.verdict(lever.at(place)) != "met", len(lever.values))

    def is_missed(self, change: Mapping[str, Any]) -> bool:
        """Say whether a change surely does not meet all objectives: foreseen, and confirmed."""
        return self.verdict(change) == "missed" and self.is_confirmed(change, as_met=False)

    def told_apart(self, lever: Lever, place: int, held: Mapping[str, Any], *, spare: bool = False) -> Apart:
        """Return a value near a place that meets all objectives, told apart by a run from the one a step before it.

        The step is the finest of the lever with which no value lies between that is too close to call. Where there is
        none, the value is that of the place, and the step leads to the nearest that surely fails; of what is counted
        the step is always one.

        Args:
            lever: one key.
            place: where it meets all objectives; the place before does not, or is too close to call.
            held: values of other keys.
            spare: the place is the last that meets them, and the one after it is not.
        """
        found, fails = lever.values[place], self._surely_missed(lever, place, held, spare)
        for step in lever.steps:
            grid = (lever.now, *lever.grid(step))
            beyond = [at for at, one in enumerate(grid) if lever.distance(one) >= lever.distance(found) and at > 0]
            if not beyond and not spare:
                break
            at = beyond[0] if beyond else len(grid) - 1
            if spare and lever.distance(grid[at]) > lever.distance(found):
                at -= 1
            if at == 0:
                break
            less = grid[at + 1 : at + 2] if spare else grid[at - 1 : at]
            is_apart = self._is_clear(lever, less, fails, spare) and self._surely_met({**held, lever.key: grid[at]})
            if is_apart and (not less or less[0] == lever.now or self.is_missed({**held, lever.key: less[0]})):
                return Apart(grid[at], less, step)
        whole = (lever.now, *lever.values)
        if lever.steps == (1,):
            return Apart(found, whole[place + 2 : place + 3] if spare else whole[place : place + 1], 1)
        less = fails or (() if spare else (lever.now,))
        return Apart(found, less, abs(amount(found) - amount(less[0])) if less else lever.steps[0])

    @staticmethod
    def _is_clear(lever: Lever, less: tuple[Any, ...], fails: tuple[Any, ...], spare: bool) -> bool:
        """Say whether a value is the present one, the end, or not nearer to what is met than what surely fails."""
        if not less or (less[0] == lever.now and not spare):
            return True
        between = bool(fails) and lever.distance(less[0]) - lever.distance(fails[0])
        return bool(fails) and (between >= 0 if spare else between <= 0)

    def _surely_met(self, change: Mapping[str, Any]) -> bool:
        return self.verdict(change) == "met" and self.is_confirmed(change, as_met=True)

    def _surely_missed(self, lever: Lever, place: int, held: Mapping[str, Any], spare: bool) -> tuple[Any, ...]:
        """Return the nearest value that surely fails: before a place, of what is spared after it; empty for none."""

        def at(other: int) -> dict[str, Any]:
            return {**held, **lever.at(other)}

        while True:
            if spare:
                fails = first(lambda one: self.verdict(at(one)) == "missed", place, len(lever.values))
            else:
                fails = first(lambda one: self.verdict(at(one)) != "missed", -2, place) - 1
            if fails in {-2, len(lever.values)}:
                return ()
            if self.is_confirmed(at(fails), as_met=False):
                return ((lever.now, *lever.values)[fails + 1],)
