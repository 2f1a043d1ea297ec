"""What a planner should change: for each key the smallest change that meets all objectives, and what else it changes.

Values are searched outwards from the present one, under common random numbers. A value is only proposed when a run with
other seeds would say the same (``foreseen``); what is too close to call is passed over for the next value. Then the
value and the one a step less are run once more, with replications that the search has not seen. Where nearer values
cannot be told apart, the step is a coarser one (``bench``). What is not known of a scenario stays at its values.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import combinations, groupby
from typing import Any, Final, Literal, Unpack

from parksim.catalogue import BY_NAME, Direction
from parksim.errors import PlanError
from parksim.results import Reported
from parksim.scenario.arguments import checked_scenario, whole
from parksim.scenario.messages import nearest
from parksim.scenario.model import Scenario
from parksim.stats.estimate import Estimate, Verdict
from parksim.studies.bench import Bench
from parksim.studies.compare import difference
from parksim.studies.foreseen import foreseen
from parksim.studies.gather import (
    TASK_CALLS,
    Execution,
    ExecutionArguments,
    gathering,
    shows_execution,
)
from parksim.studies.levers import FIRST_KEY, Lever, amount, levers_of
from parksim.studies.replication import versions
from parksim.studies.search import FIRST_LOOK
from parksim.studies.store import Damage
from parksim.studies.study import ObjectiveVerdict, Study, together

CONFIRMED: Final = 200
"""Replications that confirm a change; the search has not seen them."""
WATCHED: Final = (
    "refused_share",
    "expired_share",
    "answered_within_share",
    "queue_abandoned_share",
    "abandoned_share",
    "answer_wait_s_mean",
    "attendant_utilisation",
)
"""What a change may do to a planner's other measures."""
EXPECTED: Final = 3_000
"""About how many replications an advice runs."""
_ROUNDS: Final = 5
"""How often the two keys of a pair are searched in turn."""
_RANKED: Final = 80
"""Replications that rank the hours of a roster."""
_MOST_PAIRS: Final = 60
"""Pairs of keys that are tried, the cheapest first: a scenario with many lots has thousands."""
SATURATED: Final = 0.9
"""Attendants that are busy for more of the time than this answer late, even if everything else is changed."""


@dataclass(frozen=True)
class Change:
    """Values that meet all objectives, found by the search and confirmed.

    Attributes:
        values: By key, the new value; two keys for a pair.
        now: By key, the present value.
        less: By key, the value one step less, the other key at its new value; of what can be spared one step further.
            A key without one is at the end of the values that were tried.
        steps: By key, the step: slots, attendants or staff, seconds, attendant-hours. Of time-outs and rosters it is as
            fine as the confirming replications can tell the two values apart.
        unclear: The keys of which one step less is too close to call; of all others it does not meet the objectives.
        study: The replications that confirm it.
        effects: By measure, what it changes in these replications, paired.
    """

    values: Mapping[str, Any]
    now: Mapping[str, Any]
    less: Mapping[str, Any]
    steps: Mapping[str, float]
    unclear: tuple[str, ...]
    study: Study = field(repr=False)
    effects: Mapping[str, Estimate] = field(repr=False)

    @property
    def cost(self) -> tuple[float, ...]:
        """What it takes: attendant-hours a day, staff, slots, seconds by which time-outs move; the order of advice."""
        sums = dict.fromkeys(("count", "staff", "slots", "max_in_parking"), 0.0)
        for key, value in self.values.items():
            moved = amount(value) - amount(self.now[key])
            what = key.rpartition(".")[2]
            sums[what] += abs(moved) if what == "max_in_parking" else moved
        return tuple(sums.values())

    def is_finest(self, key: str) -> bool:
        """Say whether the step of a key is the finest that is tried: then nothing lies between."""
        return self.steps[key] == Lever(key, self.now[key], ()).steps[0]

    def side(self, name: str) -> Direction:
        """Say whether a measure gets "better" or "worse", or "differs"; "unclear" where chance could have made it."""
        one = self.effects[name]
        return BY_NAME[name].change(one.low, one.high)

    def to_dict(self) -> dict[str, Any]:
        """Return the change as plain values, for JSON."""
        return {
            "values": dict(self.values),
            "now": dict(self.now),
            "less": dict(self.less),
            "step": dict(self.steps),
            "less_verdict": {key: "undecided" if key in self.unclear else "missed" for key in self.less},
            "replications": len(self.study.results),
            "objectives": _as_json(self.study),
            "effects": {name: one.as_dict() | {"side": self.side(name)} for name, one in self.effects.items()},
        }


@dataclass(frozen=True)
class Failed:
    """A key that does not meet all objectives alone.

    Attributes:
        key: Of the scenario.
        now: Its present value.
        value: Where it meets what is missed now, or the last one tried.
        study: The replications there.
        objectives: What a run would say of each objective there.
    """

    key: str
    now: Any
    value: Any
    study: Study = field(repr=False)
    objectives: tuple[ObjectiveVerdict, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        return {
            "key": self.key,
            "now": self.now,
            "value": self.value,
            "replications": len(self.study.results),
            "objectives": _as_json(self.study, self.objectives),
        }


@dataclass(frozen=True)
class OutOfReach:
    """Why no change meets an objective.

    Attributes:
        why: "trade" where ``key`` at ``value`` meets it but misses ``lost``; "saturated" where the attendants are
            ``busy`` for nearly all of the time; "undefined" where the measure has no value in the scenario as it is;
            "far" where no tried value meets it.
        key: Of a trade.
        value: Of the key.
        lost: Measures of the objectives that the trade misses, or that are then too close to call.
        busy: Share of the time in which the attendants are busy now.
        load: Hours of work an hour that the first handling of each call takes, in erlang.
        reason: Why the measure has no value.
    """

    why: Literal["trade", "saturated", "undefined", "far"]
    key: str | None = None
    value: Any = None
    lost: tuple[str, ...] = ()
    busy: float | None = None
    load: float | None = None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Advice(Reported):
    """What to change so that all objectives are met, or what can be spared where they are.

    Attributes:
        scenario: What was searched.
        base: The replications of the scenario as it is that confirm; changes are compared with them.
        objectives: Each with its verdict in the scenario as it is; "undecided" is too close to call.
        changes: Of a scenario that misses an objective: the smallest single changes that meet all, the cheapest first.
        pairs: Where no single change does: those of two keys, the best first.
        spare: Of a scenario that meets all objectives: by how much each key can be smaller, one key at a time.
        failed: The keys which do not meet all objectives alone, each way that was tried.
        out_of_reach: By measure, why no key meets this objective.
        keys: Those that were tried.
        seed: Of all designs.
        engine: The one that ran them.
        level: Confidence level of all intervals.
        ran: Replications that were run now.
        reused: Replications taken from the store.
        damaged: Records of the store that were not what was written; they were run again.
        made_with: The versions that made it; None for the installed ones.
    """

    scenario: Scenario
    base: Study = field(repr=False)
    objectives: tuple[ObjectiveVerdict, ...]
    changes: tuple[Change, ...]
    pairs: tuple[Change, ...]
    spare: tuple[Change, ...]
    failed: tuple[Failed, ...]
    out_of_reach: Mapping[str, OutOfReach]
    keys: tuple[str, ...]
    seed: int
    engine: str
    level: float
    ran: int
    reused: int
    damaged: tuple[Damage, ...] = ()
    made_with: Mapping[str, str] | None = None

    @property
    def has_controls(self) -> bool:
        """Whether estimates are corrected by controls, where these are known."""
        return self.base.has_controls

    @property
    def verdict(self) -> Verdict:
        """What a run of the scenario as it is would say of all objectives together."""
        return together(self.objectives)

    @property
    def best(self) -> Change | None:
        """The first change, or pair, that meets all objectives; None when none does or none is needed."""
        return next(iter((*self.changes, *self.pairs)), None)

    def flat(self) -> list[dict[str, Any]]:
        """Return a row of plain values for each change and measure: what the change does to it, with its interval."""
        return [
            {"kind": kind, "change": ", ".join(f"{key} = {value}" for key, value in one.values.items())}
            | {"measure": name, "side": one.side(name)}
            | effect.as_dict()
            for kind in ("changes", "pairs", "spare")
            for one in getattr(self, kind)
            for name, effect in one.effects.items()
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return the advice as plain values, for JSON."""
        return {
            "scenario": {"name": self.scenario.name, "digest": self.scenario.digest},
            "verdict": self.verdict,
            "objectives": _as_json(self.base, self.objectives),
            "keys": list(self.keys),
            **{
                name: [one.to_dict() for one in getattr(self, name)] for name in ("changes", "pairs", "spare", "failed")
            },
            "out_of_reach": {name: asdict(one) for name, one in self.out_of_reach.items()},
            "replications": len(self.base.results),
            "seed": self.seed,
            "engine": self.engine,
            "level": self.level,
            "versions": dict(self.made_with or versions(self.engine)),
        }


def _as_json(study: Study, objectives: Collection[ObjectiveVerdict] | None = None) -> list[dict[str, Any]]:
    return [
        {"measure": one.objective.measure, "target": one.objective.text, "verdict": one.verdict}
        | study.estimate(one.objective.measure).as_dict()
        for one in (study.objectives if objectives is None else objectives)
    ]


@shows_execution
def advise(
    scenario: Scenario,
    *,
    keys: Collection[str] | None = None,
    replications: int = CONFIRMED,
    **how: Unpack[ExecutionArguments],
) -> Advice:
    """Find what meets all objectives of ``scenario``: for each key a planner can change, the smallest single change.

    The keys are the slots and the time-out of each lot, the attendants (of a roster the hours: one attendant more in
    the hour in which most callers wait too long, then in the next one too, and so on) and a limited staff. Counts are
    tried up to 4 times the present one plus 8, time-outs in steps of 10 s up to 10 minutes and of a minute up to an
    hour. Where no single change meets all objectives, pairs of keys are tried. "Best" is what needs the fewest further
    attendant-hours, then staff, then slots, then the least change of a time-out. Where all objectives are met already,
    it says how much less of each would still meet them.

    A value is decided by 10 replications, and twice as many until it is clear or has 320. Each answer, and the value
    one step less, is confirmed by replications that the search has not seen. Of a time-out and a roster the step is the
    finest that these replications can tell apart.

    Args:
        scenario: what is searched; has objectives.
        keys: which may be changed; by default all of them.
        replications: how many confirm a change, at least 10.
        how: seed, level, executor, workers, engine, store, controls, progress (which counts the replications of the
            current value): see ``gather.ExecutionArguments``.

    Raises:
        PlanError: no objectives, no such key, or too few replications.
        ArgumentError: an invalid seed or level.
        WrongTypeError: ``scenario`` is not a Scenario, or there is no such argument.
        StoreError: the store cannot be used; what was stored stays.
        StudyError: a worker died; what was stored stays.
    """
    execution = Execution.of(how)
    checked_scenario(scenario)
    if whole("replications are", replications, 1) < FIRST_LOOK:
        raise PlanError(f"a change is confirmed by at least {FIRST_LOOK} replications, not {replications}")
    if not scenario.objectives:
        raise PlanError(
            "the scenario sets no objective, so there is nothing to advise; add [objectives] with lines such as "
            'refused_share = "< 1 %" and answered_within_share = "> 80 %"'
        )
    with gathering(execution, [scenario], EXPECTED) as gatherer:
        bench = Bench(scenario, gatherer, replications)
        chosen = _chosen(bench, keys)
        found = _spared(bench, chosen) if bench.verdict({}) == "met" else _changed(bench, chosen)
        asked = {"keys": None if keys is None else list(keys), "replications": replications}
        gatherer.finish(scenario, kind="advise", asked=asked)
        return Advice(
            scenario=scenario,
            base=bench.confirmation({}),
            objectives=bench.objectives({}),
            keys=tuple(dict.fromkeys(lever.key for lever in chosen)),
            **{"changes": (), "pairs": (), "spare": (), "failed": (), "out_of_reach": {}} | found,
            **gatherer.made_with(),
        )


def at_once(study: Study) -> dict[str, tuple[Any, Any]]:
    """Return a change that would probably meet all objectives of a study, found in a part of the time that it took.

    Tried are one slot more of the only lot, and one attendant more, where an objective about them is missed, with the
    first replications of the study. Where that is more than some tenths of a second's work nothing is tried.

    Returns:
        By key the present and the new value; empty where nothing was found.

    Raises:
        StudyError: a replication cannot be run.
    """
    scenario = study.scenario
    if len(study.results) < FIRST_LOOK or scenario.expected_calls * FIRST_LOOK > TASK_CALLS[study.engine]:
        return {}
    missed = {FIRST_KEY.get(one.objective.measure) for one in study.objectives if one.verdict == "missed"}
    slots, attendants = scenario.lots[0].slots, scenario.attendants.count
    tried: dict[str, int] = {}
    if "lot.slots" in missed and len(scenario.lots) == 1:
        tried["lot.slots"] = slots
    if "attendants.count" in missed and isinstance(attendants, int):
        tried["attendants.count"] = attendants
    how = Execution(study.seed, study.level, engine=study.engine, controls=study.has_controls)
    with gathering(how, [scenario], FIRST_LOOK) as gatherer:
        bench = Bench(scenario, gatherer, CONFIRMED)
        for key, now in tried.items():
            first_ones = bench.study(bench.design({key: now + 1}), range(FIRST_LOOK))
            if together(foreseen(first_ones, CONFIRMED)) == "met":
                return {key: (now, now + 1)}
    return {}


def _chosen(bench: Bench, keys: Collection[str] | None) -> list[Lever]:
    """Return the levers of the keys, all of them by default.

    Raises:
        PlanError: a planner cannot change one of the keys.
    """
    scenario = bench.scenario
    levers = list(levers_of(scenario, partial(bench.study, scenario, range(_RANKED))))
    names = dict.fromkeys(lever.key for lever in levers)
    keys = (keys,) if isinstance(keys, str) else keys
    for key in keys or ():
        if key not in names:
            near = nearest(key, list(names))
            raise PlanError(
                f"{key}: advise does not change it; "
                + (f"did you mean {near}?" if near else f"choose from: {', '.join(names)}")
            )
    return [lever for lever in levers if keys is None or lever.key in keys]


# Up, in pairs, and down -----------------------------------------------------------------------------------------------


def _changed(bench: Bench, levers: list[Lever]) -> dict[str, Any]:
    """Return what meets the objectives that are missed: single changes, else pairs, else what is out of reach."""
    asked = frozenset(one.objective.measure for one in bench.objectives({}) if one.verdict != "met")
    changes: list[Change] = []
    failed: list[Failed] = []
    reach: dict[Lever, frozenset[str]] = {}
    for lever in levers:
        if not lever.values or (lever.what != "max_in_parking" and lever.is_less):
            continue
        place = _alone(bench, lever, asked)
        if place is not None:
            changes.append(_change(bench, {lever: place}))
            continue
        here = bench.nearest(lever, asked, {})
        change = lever.at(len(lever.values) - 1 if here is None else here)
        reach[lever] = frozenset(name for name in asked if bench.verdict(change, {name}) == "met")
        objectives = bench.objectives(change)
        failed.append(Failed(lever.key, lever.now, change[lever.key], bench.searched(change), objectives))
    pairs = [] if changes else _pairs(bench, reach, asked)
    why = {} if changes or pairs else {name: _why(bench, name, failed) for name in sorted(asked)}
    ordered = sorted(changes, key=lambda one: one.cost)
    return {"changes": tuple(ordered), "pairs": tuple(pairs), "failed": tuple(failed), "out_of_reach": why}


def _change(bench: Bench, places: Mapping[Lever, int], *, spare: bool = False) -> Change:
    """Return the change to some places of levers, or to values near them, with what one step less comes to."""
    now = {lever.key: lever.now for lever in places}
    values = {lever.key: lever.values[place] for lever, place in places.items()}
    less: dict[str, Any] = {}
    steps: dict[str, float] = {}
    for lever, place in places.items():
        held = {key: value for key, value in values.items() if key != lever.key}
        values[lever.key], before, steps[lever.key] = bench.told_apart(lever, place, held, spare=spare)
        if before:
            less[lever.key] = before[0]
    without = {key: {**values, key: one} for key, one in less.items()}
    unclear = tuple(
        key
        for key, change in without.items()
        if not bench.is_missed({name: value for name, value in change.items() if value != now[name]})
    )
    study, base = bench.confirmation(values), bench.confirmation({})
    effects = {name: difference(study, base, name, bench.replications) for name in WATCHED}
    return Change(values, now, less, steps, unclear, study, effects)


def _alone(bench: Bench, lever: Lever, asked: frozenset[str]) -> int | None:
    """Return the first place that meets what is missed now and all else, confirmed; None when none does."""
    while True:
        place = bench.nearest(lever, asked, {})
        if place is None or place < 0 or bench.verdict(lever.at(place)) != "met":
            return None
        if bench.is_confirmed(lever.at(place), as_met=True):
            return place


def _pairs(bench: Bench, reach: Mapping[Lever, frozenset[str]], asked: frozenset[str]) -> list[Change]:
    """Return the changes of two keys that meet all objectives, the best first: those without attendants if any do."""

    def dear(lever: Lever) -> int:
        return ("max_in_parking", "slots", "staff", "count").index(lever.what)

    ordered = sorted(reach, key=dear)
    pairs = [
        (one, other)
        for one, other in combinations(ordered, 2)
        if one.key != other.key and reach[one] | reach[other] >= asked
    ]
    pairs.sort(key=lambda pair: [dear(pair[1]), dear(pair[0])])
    for _, group in groupby(pairs[:_MOST_PAIRS], key=lambda pair: dear(pair[1])):
        found = []
        for cheap, other in group:
            for of_cheap in dict.fromkeys((reach[cheap], bench.names - reach[other])):
                places = _both(bench, other, cheap, of_cheap)
                if places is not None:
                    found.append(_change(bench, dict(zip((other, cheap), places, strict=True))))
                    break
        if found:
            return sorted(found, key=lambda one: one.cost)
    return []


def _both(bench: Bench, one: Lever, other: Lever, of_other: frozenset[str]) -> tuple[int, int] | None:
    """Return the least places of two levers that together meet all objectives, by searching them in turn.

    ``of_other`` are the objectives that the second must meet, the first all the rest. Either search begins with the
    other's answer, from the present values: where more of one asks for more of the other, this ends at the least pair.
    """
    places = (-1, -1)
    for _ in range(_ROUNDS):
        second = bench.nearest(other, of_other, one.at(places[0]))
        if second is None:
            return None
        place = bench.nearest(one, bench.names - of_other, other.at(second))
        if place is None:
            return None
        before, places = places, (place, second)
        both = {**one.at(place), **other.at(second)}
        if -1 not in places and bench.verdict(both) == "met" and bench.is_confirmed(both, as_met=True):
            return places
        if before == places:
            return None
    return None


def _spared(bench: Bench, levers: list[Lever]) -> dict[str, Any]:
    """Return how much less of each count still meets all objectives."""
    spare = []
    for lever in levers:
        if lever.what == "max_in_parking" or not lever.values or not lever.is_less:
            continue
        while True:
            fails = bench.furthest(lever)
            last = (len(lever.values) if fails is None else fails) - 1
            if last < 0:
                break
            if bench.is_confirmed(lever.at(last), as_met=True):
                spare.append(_change(bench, {lever: last}, spare=True))
                break
    return {"spare": tuple(sorted(spare, key=lambda one: one.cost))}


def _why(bench: Bench, name: str, failed: list[Failed]) -> OutOfReach:
    """Return why an objective is out of reach."""
    for one in failed:
        verdicts = {o.objective.measure: o.verdict for o in one.objectives}
        if verdicts[name] == "met":
            lost = tuple(other for other, verdict in verdicts.items() if verdict != "met")
            return OutOfReach("trade", one.key, one.value, lost)
    if bench.confirmation({}).estimate(name).mean is None:
        return OutOfReach("undefined", reason=BY_NAME[name].why_undefined)
    busy = bench.confirmation({}).estimate("attendant_utilisation").mean
    if FIRST_KEY.get(name) == "attendants.count" and busy is not None and busy > SATURATED:
        scenario = bench.scenario
        hours = (scenario.horizon_us - scenario.warm_up_us) / 3.6e9
        calls = (bench.confirmation({}).estimate("calls_offered").mean or 0.0) / hours
        return OutOfReach("saturated", busy=busy, load=calls * scenario.attendants.handling.mean_s / 3600)
    return OutOfReach("far")
