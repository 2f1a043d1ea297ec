"""What the answer owes to each guess: every value that is not known moved down and up, all else equal.

A value with limits is moved to its limits, a key of a file of draws to the ends of the middle 95 % of these, and a
value that is only marked as a guess by a fifth.

Each moved design is compared with the scenario as ``compare`` does it: in pairs where both are offered the same calls,
and with replications of its own where the calls themselves change.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple, Unpack

from parksim.errors import PlanError, ScenarioError
from parksim.results import Reported
from parksim.scenario.arguments import checked_scenario, whole
from parksim.scenario.model import Scenario
from parksim.scenario.sections import Hourly, Recorded
from parksim.stats import estimate as est
from parksim.studies import compare, gather
from parksim.studies.formulas import formulas
from parksim.studies.study import Study

MOVED_BY: Final = 0.2
"""How far a guess is moved down and up, as a share of its value."""
_SCALED: Final = ("mean", "median", "low", "high", "value", "means", "values")
"""Parameters of laws that are times."""
DECIDED: Final = ("slots", "max_in_parking", "count", "staff", "limit", "max_parks")
"""Last words of keys that somebody decides."""
ALIKE: Final = 0.5
"""A guess that moves a measure by this share of what the first moves it is named beside it."""
_WITHOUT_OBJECTIVES: Final = ("refused_share", "expired_share")


class Side(NamedTuple):
    """One guess moved one way: its value, what that changes of each measure, and the verdicts that it would give."""

    value: object
    changes: Mapping[str, est.Estimate]
    verdicts: Mapping[str, est.Verdict]


@dataclass(frozen=True)
class Effect:
    """What one guess does.

    Attributes:
        key: Of the scenario.
        value: As the scenario has it.
        sides: Moved down and up; a side that makes no valid scenario is left out, and a guess that has none.
    """

    key: str
    value: object
    sides: tuple[Side, ...]

    def size(self, measure: str) -> float:
        """Return by how much it moves a measure, the further side."""
        return max((abs(side.changes[measure].mean or 0.0) for side in self.sides), default=0.0)

    def moves(self, measure: str) -> bool:
        """Say whether it moves a measure beyond noise.

        A guess has two sides, and so two chances to leave 0 outside of an interval: they count as if they were so wide
        that both together hold the truth at their level (Bonferroni).
        """
        return any(self._stands_out(side.changes[measure]) for side in self.sides)

    def _stands_out(self, change: est.Estimate) -> bool:
        if change.mean is None or change.low is None or change.high is None:
            return False
        both = 1.0 - (1.0 - change.level) / len(self.sides)
        wider = est.t_of(both, change.n - 1) / est.t_of(change.level, change.n - 1)
        return abs(change.mean) > wider * (change.mean - change.low if change.mean > 0 else change.high - change.mean)


@dataclass(frozen=True)
class Sensitivity(Reported):
    """What each guess of a scenario moves.

    Attributes:
        base: The study of the scenario as it is.
        measures: Which are looked at: those of the objectives.
        effects: A guess each, that which moves the first of ``asked`` most first.
        ran: Replications that were run now.
        reused: Replications taken from the store.
    """

    base: Study
    measures: tuple[str, ...]
    effects: tuple[Effect, ...] = field(repr=False)
    ran: int
    reused: int

    @property
    def scenario(self) -> Scenario:
        """The scenario as it is."""
        return self.base.scenario

    @property
    def asked(self) -> tuple[str, ...]:
        """The measures that matter: those of objectives that are not met; where all are, all of them."""
        return tuple(o.objective.measure for o in self.base.objectives if o.verdict != "met") or self.measures

    @property
    def idle(self) -> tuple[str, ...]:
        """The guesses that move none of the measures that matter beyond noise."""
        return tuple(one.key for one in self.effects if not any(map(one.moves, self.asked)))

    @property
    def first(self) -> tuple[str, ...]:
        """What to measure first, three guesses at most: those that move what matters and that nobody decides."""
        idle = self.idle
        return tuple(one.key for one in self.effects if one.key not in idle and not is_decided(one.key))[:3]

    @property
    def deciding(self) -> tuple[str, ...]:
        """The guesses of which a moved value gives another verdict."""
        verdicts = {one.objective.measure: one.verdict for one in self.base.objectives}
        return tuple(one.key for one in self.effects if any(side.verdicts != verdicts for side in one.sides))

    def flat(self) -> list[dict[str, Any]]:
        """Return a row of plain values for each guess, side and measure: the change with its interval."""
        return [
            {"key": one.key, "value": str(one.value), "moved": str(side.value), "measure": name} | change.as_dict()
            for one in self.effects
            for side in one.sides
            for name, change in side.changes.items()
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        return {
            "scenario": {"name": self.base.scenario.name, "digest": self.base.scenario.digest},
            "seed": self.base.seed,
            "engine": self.base.engine,
            "replications": len(self.base.results),
            "level": self.base.level,
            "effects": [
                {
                    "key": one.key,
                    "value": one.value,
                    "moved": [
                        {
                            "value": side.value,
                            "changes": {name: change.as_dict() for name, change in side.changes.items()},
                            "verdicts": dict(side.verdicts),
                        }
                        for side in one.sides
                    ],
                }
                for one in self.effects
            ],
            "move_nothing": list(self.idle),
            "change_a_verdict": list(self.deciding),
        }


@gather.shows_execution
def sensitivity(
    scenario: Scenario, replications: int = gather.REPLICATIONS, **how: Unpack[gather.ExecutionArguments]
) -> Sensitivity:
    """Move every value that is not known to its limits, every other guess by a fifth, and say what that changes.

    Args:
        scenario: has limits or a file of draws, or is read from a file whose comments mark its guesses ("guess").
        replications: how many of each design, at least 2.
        how: seed, level, executor, workers, engine, store, progress, controls: see ``gather.ExecutionArguments``.

    Raises:
        PlanError: no value has limits or is marked as a guess, or too few replications.
        WrongTypeError: ``scenario`` is not a Scenario, or there is no such argument.
        StoreError: the store cannot be used; what was stored stays.
        StudyError: a worker died; what was stored stays.
    """
    execution, replications = gather.Execution.of(how), whole("replications are", replications, 1)
    checked_scenario(scenario)
    ranges = {key: ends for key, ends in scenario.ranges.items() if ends[0] < ends[1]}
    guesses = _guesses(scenario, ranges)
    if not guesses or replications < 2:
        few = f"sensitivity needs at least 2 replications, not {replications}"
        none = 'no value is marked as a guess, and none has limits; write "# guess" behind those that are'
        raise PlanError(few if guesses else none)
    tried = [
        (key, other, _design(scenario, key, other, key in ranges))
        for key, value in guesses.items()
        for other in ranges.get(key) or _moved(value)
    ]
    moved = [(key, value, design) for key, value, design in tried if design is not None]
    measures = tuple(one.measure for one in scenario.objectives) or _WITHOUT_OBJECTIVES
    designs = [scenario, *(design for _, _, design in moved)]
    looked = min(replications, compare.STREAMS_COMPARED)
    with gather.gathering(execution, designs, replications) as gatherer:
        # Where the calls themselves change, other replications: those of one number would not be independent.
        firsts = [
            replications if "arrival_us" in compare.unlike_columns(scenario, one, gatherer.seed, looked) else 0
            for one in designs
        ]
        results = {
            first: iter(
                gatherer.results(
                    [design for design, its in zip(designs, firsts, strict=True) if its == first],
                    range(first, first + replications),
                )
            )
            for first in set(firsts)
        }
        base, *studies = (
            Study(
                design,
                gatherer.seed,
                gatherer.engine,
                gatherer.level,
                next(results[first]),
                gather.requested(replications),
            )
            for design, first in zip(designs, firsts, strict=True)
        )
        gatherer.finish(scenario, kind="sensitivity", asked={"replications": replications})
    sides: dict[str, list[Side]] = {}
    for (key, value, _), study, first in zip(moved, studies, firsts[1:], strict=True):
        by = est.apart if first else est.together
        changes = {name: compare.difference(study, base, name, replications, by) for name in measures}
        verdicts = {one.objective.measure: one.verdict for one in study.objectives}
        sides.setdefault(key, []).append(Side(value, changes, verdicts))
    effects = [Effect(key, guesses[key], tuple(ones)) for key, ones in sides.items()]
    unsorted = Sensitivity(base, measures, tuple(effects), gatherer.ran, gatherer.reused)
    effects.sort(key=lambda one: -one.size(unsorted.asked[0]))
    return replace(unsorted, effects=tuple(effects))


def foremost(scenario: Scenario, measure: str) -> tuple[str, ...]:
    """Return the guesses, two at most, on which a measure rests most by the lot's own formula.

    The formula is that of the busiest hour with people enough (Erlang's for refused parks, the race of the ways in
    which a stay ends for returns), of each guess moved up by a fifth: it is quick, and right about the order rather
    than about the size. What a planner decides, such as the slots, is not measured, and left out. Nothing is returned
    where the formula says nothing.
    """
    usual = _in_the_busiest_hour(scenario, measure)
    if usual is None:
        return ()
    sizes = {}
    for key, value in scenario.guesses.items():
        if not is_decided(key) and not key.startswith("run."):
            designs = [_design(scenario, key, other, is_number=False) for other in _moved(value)[1:]]
            found = [_in_the_busiest_hour(design, measure) for design in designs if design is not None]
            sizes[key] = max((abs(other - usual) for other in found if other is not None), default=0.0)
    first = sorted(sizes, key=lambda key: -sizes[key])[:2]
    return tuple(key for key in first if sizes[key] > ALIKE * sizes[first[0]])


def is_decided(key: str) -> bool:
    """Say whether a planner decides the value of a key, instead of measuring it."""
    return key.rpartition(".")[2] in DECIDED


def _in_the_busiest_hour(scenario: Scenario, measure: str) -> float | None:
    arrivals = scenario.arrivals
    if isinstance(arrivals, Recorded):
        return None
    busiest_h = max(arrivals.calls_per_hour) if isinstance(arrivals, Hourly) else arrivals.rate * 3600
    try:
        alone = scenario.with_values(
            {
                "arrivals": {"kind": "poisson", "rate": f"{busiest_h / 3600!r}/s"},
                "attendants.count": "unlimited",
                "parking.probability": max(scenario.parking.shares),
                "parking.max_parks": 1,
                "retrieval.staff": "unlimited",
                "run": {"horizon": "1d", "warm_up": 0},
            }
        )
    except ScenarioError:
        return None
    value = formulas(alone)[measure].value
    return value if isinstance(value, float) else None


def _guesses(scenario: Scenario, ranges: Collection[str]) -> dict[str, Any]:
    """Return what is moved: numbers that have ranges, and guesses that hold no such number."""
    values = scenario.numbers
    return {key: values[key] for key in ranges} | {
        key: value
        for key, value in scenario.guesses.items()
        if not key.startswith("run.") and not any(f"{one}.".startswith(f"{key}.") for one in ranges)
    }


def _design(scenario: Scenario, key: str, value: Any, is_number: bool) -> Scenario | None:
    try:
        return scenario.with_numbers({key: value}) if is_number else scenario.with_values({key: value})
    except ScenarioError:
        return None


def _moved(value: Any) -> list[object]:
    """Return a value moved down and up by a fifth: whole numbers by one at least; nothing where it is no number.

    >>> _moved(0.6), _moved(3), _moved({"kind": "exponential", "mean": 45.0})[1]
    ([0.48, 0.72], [2, 4], {'kind': 'exponential', 'mean': 54.0})
    """
    if isinstance(value, bool) or value is None:
        return []
    if isinstance(value, int):
        step = max(1, round(MOVED_BY * value))
        return [value - step, value + step]
    try:
        return [_scaled(value, 1.0 - MOVED_BY), _scaled(value, 1.0 + MOVED_BY)]
    except ValueError:
        return []


def _scaled(value: Any, factor: float) -> Any:
    if isinstance(value, Mapping):
        law = "kind" in value  # of which shapes stay as they are
        return {key: one if law and key not in _SCALED else _scaled(one, factor) for key, one in value.items()}
    if isinstance(value, list):
        return [_scaled(one, factor) for one in value]
    if isinstance(value, str):  # a rate, which the canonical text writes as a number per second
        number, _, unit = value.partition("/")
        return f"{float(number) * factor!r}/{unit}"
    return float(f"{value * factor:.15g}")
