"""Refusals that are too rare to be seen: a refused share of one in a million within 20 %, in seconds.

The kernel runs copies of what leads to a full lot (``engines/splitting.py``, with the sources). How rare each number of
busy slots is comes from pilot replications, stage after stage until the full lot is reached; they are not used again.
Then replications with levels fixed are averaged as any others: a ratio of sums, with an interval from their spread.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count, islice
from typing import Any, ClassVar, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from parksim.engines.splitting import QUARTERS, Demand, Explored, Pool, explored
from parksim.errors import ArgumentError, MissingLibraryError, StudyError, UnfinishedError
from parksim.results import Answered
from parksim.scenario.arguments import checked_scenario, proportion
from parksim.scenario.model import Scenario
from parksim.scenario.quantities import HOUR_US, HOURS
from parksim.scenario.sections import Hourly, Poisson, Recorded, Run
from parksim.scenario.workload import COINS, Workload, arrivals, day_factors, draw, streams
from parksim.stats import estimate as est
from parksim.studies.formulas import Formula
from parksim.studies.gather import DEFAULT_LEVEL, Execution, Progress, Workers, interruptible, started
from parksim.studies.quick import quick
from parksim.studies.replication import has_compiler
from parksim.studies.study import ObjectiveVerdict, together

WITHIN: Final = 0.2
"""Half-width of the interval as a share of the estimate, unless the caller says another."""
FIRST: Final = 20
"""Replications that are always run."""
SPARE: Final = 1.2
"""Replications that are run for each one that seems to be needed: their number is an estimate."""
COPIES_COST: Final = 4
"""The work of a replication with copies, in plain ones; a rough number."""
MOST_EVENTS: Final = 1e8
"""Events of all replications together: one to two minutes of one core."""
PILOT_CALLS: Final = 20_000
"""Calls of one stage of the pilot, at least."""
MOST_STAGES: Final = 40
IDLE_STAGES: Final = 2
"""The pilot ends where this many stages in a row have come no nearer to a full lot."""
ENOUGH: Final = 50
"""The pilot ends as soon as one stage sees this many refusals."""
WORTH: Final = 1 / 16
"""What is this much rarer than the full lot that is the least rare is not made more frequent than this."""
POOL_CALLS: Final = 1 << 15
"""Calls that are drawn at once, at most."""
_GAP_US: Final = 1_000_000_000
"""Mean time between them."""
_PILOT: Final = 1 << 24
"""The number of the pilot's first replication."""


@dataclass(frozen=True)
class Rare(Answered):
    """How rare refusals are.

    Attributes:
        scenario: What was simulated.
        seed: Of all replications.
        within: The half-width that was wanted, as a share of the estimate.
        refused_share: Refused park requests, of those of the calls offered in the window.
        time_full_share: Share of the window in which all slots are busy; None with several lots.
        levels: Of each lot the level of each number of busy slots, from 0, while nobody waits.
        replications: How many were run, the pilot's not counted.
        events: What happened in them, on all paths.
        copies: How many paths were copied.
        refusals: How many refusals were seen, on all paths.
        refused_a_replication: How many refusals a plain replication has on average.
        seldom: Whether plain replications show too few refusals: else ``parksim.run`` is the better tool.
        theory: What ``parksim.quick`` says of the refused share.
    """

    scenario: Scenario = field(repr=False)
    seed: int
    within: float
    refused_share: est.Estimate
    time_full_share: est.Estimate | None
    levels: tuple[tuple[int, ...], ...]
    replications: int
    events: int
    copies: int
    refusals: int
    refused_a_replication: float
    seldom: bool
    theory: Formula = field(repr=False)
    _shower: ClassVar[str] = "rare"

    @property
    def estimates(self) -> dict[str, est.Estimate]:
        """What was estimated, by measure: the refused share, and with one lot the share of time that it is full."""
        full = {} if self.time_full_share is None else {"time_full_share": self.time_full_share}
        return {"refused_share": self.refused_share} | full

    @property
    def reached(self) -> bool:
        """Whether the interval is as narrow as was wanted."""
        half, mean = self.refused_share.half_width, self.refused_share.mean
        return half is not None and mean is not None and half <= self.within * mean

    @property
    def plain_replications(self) -> float:
        """How many plain replications would give as narrow an interval, at least.

        They are those of refusals that come one by one; refusals that come in bursts take more.
        """
        half, mean = self.refused_share.half_width, self.refused_share.mean
        assert half is not None
        assert mean is not None
        error = half / mean / est.t_of(self.refused_share.level, self.replications - 1)
        return 1 / (self.refused_a_replication * error * error)

    @property
    def objectives(self) -> list[ObjectiveVerdict]:
        """The scenario's objectives about refusals and the full lot; the others need ``parksim.study``."""
        found = self.estimates
        return [
            ObjectiveVerdict(one, est.verdict(found[one.measure], one.relation, one.value))
            for one in self.scenario.objectives
            if one.measure in found
        ]

    @property
    def verdict(self) -> est.Verdict:
        """These objectives together."""
        return together(self.objectives)

    def to_dict(self) -> dict[str, Any]:
        """Return what ``parksim rare --json`` prints."""
        theory = self.theory
        return {
            "scenario": {"name": self.scenario.name, "digest": self.scenario.digest},
            "seed": self.seed,
            "method": "splitting",
            "estimates": {name: one.as_dict() for name, one in self.estimates.items()},
            "within": self.within,
            "reached": self.reached,
            "theory": {"value": theory.value, "exact": theory.value is not None and theory.within is None}
            | {"reason": theory.reason},
            "replications": self.replications,
            "plain_replications": self.plain_replications,
            "events": self.events,
            "copies": self.copies,
            "refusals": self.refusals,
            "seldom": self.seldom,
            "levels": dict(zip(self.scenario.lot_names, self.levels, strict=True)),
            "objectives": [one.to_dict() for one in self.objectives],
        }


def rare(
    scenario: Scenario,
    within: float = WITHIN,
    *,
    seed: int = 1,
    level: float = DEFAULT_LEVEL,
    executor: Workers = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Rare:
    """Return how rare refusals are, by a simulation that goes where the lot is full.

    The result depends on the scenario, ``within``, the seed and the level, not on who runs the replications.

    Args:
        scenario: Any in which parks are requested. Limits of what is not known are not looked at.
        within: Half-width of the interval that is wanted, as a share of the estimate: 0.2 is 20 %.
        seed: A whole number from 0.
        level: Confidence level of the intervals.
        executor: None for this process, "processes", or any ``concurrent.futures.Executor``.
        workers: Size of the pool made for "processes", by default one per core.
        progress: Called with (replications done, to do), anew for the pilot's stages and for what is then run.

    Raises:
        ArgumentError: An argument is invalid, or no call is ever parked.
        MissingLibraryError: Numba is not installed (extra ``fast``); without it this would take hours.
        StudyError: A worker died.
        UnfinishedError: The pilot never came to a full lot, or more calls are in progress than fit.
        WrongTypeError: ``scenario`` is not a Scenario.
    """
    checked_scenario(scenario)
    how = Execution(seed=seed, level=level, executor=executor, workers=workers, progress=progress)
    within = proportion("within", "20 % is 0.2", within)
    if not any(scenario.parking.shares):
        raise ArgumentError("parking.probability is 0: no call is parked, so none is refused; set it above 0")
    if key := scenario.beyond_theory:
        raise ArgumentError(f"copies of a simulation do not know {key}; use parksim run, which does")
    if not has_compiler():
        raise MissingLibraryError("rare refusals need the compiled kernel; type: pip install 'parksim[fast]'")
    with _team(executor, workers) as team:
        plan = _Plan(scenario, how.seed, team, progress)
        levels, seldom = _levels(plan)
        made = plan.run(levels, range(FIRST))
        while (more := min(_needed(made, within, how.level), _affordable(made))) > len(made):
            made += plan.run(levels, range(len(made), more))
    return _rare(scenario, how, within, levels, seldom, made)


def _rare(
    scenario: Scenario,
    how: Execution,
    within: float,
    levels: NDArray[np.int64],
    seldom: bool,
    made: Sequence[Explored],
) -> Rare:
    window_us = scenario.horizon_us - scenario.warm_up_us
    full = est.mean_of([one.full_us / window_us for one in made])
    lots = zip(levels, scenario.settings.slots, strict=True)
    return Rare(
        scenario,
        how.seed,
        within,
        est.t_interval(_share(made), how.level, est.SHARE),
        est.t_interval(full, how.level, est.SHARE) if len(scenario.lots) == 1 else None,
        tuple(tuple(one[: QUARTERS * slots + 1 : QUARTERS].tolist()) for one, slots in lots),
        len(made),
        sum(one.events for one in made),
        sum(one.copies for one in made),
        sum(one.refusals for one in made),
        math.fsum(one.refused for one in made) / len(made),
        seldom,
        quick(scenario).formulas["refused_share"],
    )


# How many replications ------------------------------------------------------------------------------------------------


def _share(made: Sequence[Explored]) -> est.Sample:
    """Return the refused share of some replications.

    Raises:
        UnfinishedError: None of them saw a refusal, or a request.
    """
    of = est.sample(([one.refused for one in made], [one.requested for one in made]))
    if of is None or not of.point:
        raise UnfinishedError(f"{len(made)} replications saw no refusal; take a longer run.horizon")
    return of


def _needed(made: Sequence[Explored], within: float, level: float) -> int:
    """Return how many replications the wanted half-width takes, as far as these say."""
    of = _share(made)
    half = est.t_of(level, of.df) * math.sqrt(of.variance) / of.point
    return len(made) if half <= within else math.ceil(SPARE * len(made) * (half / within) ** 2)


def _affordable(made: Sequence[Explored]) -> int:
    """Return how many replications have ``MOST_EVENTS`` events."""
    return int(MOST_EVENTS * len(made) / sum(one.events for one in made))


# The levels -----------------------------------------------------------------------------------------------------------


def _levels(plan: "_Plan") -> tuple[NDArray[np.int64], bool]:
    """Return the level of each height of each lot, and whether plain replications see few refusals.

    Raises:
        UnfinishedError: The pilot did not come to a full lot.
    """
    full = QUARTERS * np.array(plan.scenario.settings.slots)
    levels = np.zeros((len(full), max(full) + 1), np.int64)
    number = min(200, math.ceil(PILOT_CALLS / max(1.0, plan.scenario.expected_calls)))
    deepest, idle, seldom = levels[:, 0], 0, True
    for stage in range(MOST_STAGES):
        first = _PILOT + stage * number
        made = plan.run(levels, range(first, first + number))
        refusals = sum(one.refusals for one in made)
        seldom = seldom and (stage > 0 or refusals < ENOUGH)
        met = sum((one.met for one in made), np.zeros(levels.shape))
        before, levels = levels, levels_of(met, full)
        if refusals >= ENOUGH:
            return levels, seldom
        reached = np.array([np.flatnonzero(one).max(initial=0) for one in met])
        idle = 0 if (reached > deepest).any() or refusals else idle + 1
        deepest = np.maximum(deepest, reached)
        if idle == IDLE_STAGES:
            break
        levels = np.maximum(levels, before) if idle else levels
    raise UnfinishedError(
        f"no refusal was reached in {stage + 1} stages of copies; refusals are rarer than this method measures, or "
        "impossible; try fewer slots"
    )


def levels_of(met: NDArray[np.float64], full: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the level of each height of each lot, [lot][height].

    It is the binary logarithm of how much less often than always the lot is at least so high; a height that was never
    met has the level below it.

    Args:
        met: [lot][height] -> after how many events the lot had it.
        full: The height of each lot that is full.

    >>> levels_of(np.array([[0.0, 100, 60, 20, 1, 0]]), np.array([5])).tolist()
    [[0, 0, 1, 3, 7, 7]]
    """
    most_full = max(times[height] for times, height in zip(met, full, strict=True))
    at_least = np.cumsum(met[:, ::-1], axis=1)[:, ::-1]
    levels = np.zeros(met.shape, np.int64)
    for of_lot, times in zip(levels, at_least, strict=True):
        met_at_all = np.count_nonzero(times)
        rarer = times[0] / np.maximum(times[:met_at_all], min(WORTH * most_full, times[0]))
        of_lot[:met_at_all] = np.floor(np.log2(rarer)).astype(np.int64)
        of_lot[met_at_all:] = of_lot[:met_at_all].max(initial=0)
    return levels


# Replications ---------------------------------------------------------------------------------------------------------


class _Plan(NamedTuple):
    """What runs replications with levels."""

    scenario: Scenario
    seed: int
    team: "Callable[..., Iterator[Explored]]"
    progress: Progress | None

    def run(self, levels: NDArray[np.int64], numbers: range) -> list[Explored]:
        """Return some replications, in their order."""
        made = []
        for one in self.team(self.scenario, self.seed, levels, numbers):
            made.append(one)
            if self.progress is not None:
                self.progress(len(made), len(numbers))
        return made


@contextmanager
def _team(executor: Workers, workers: int | None) -> "Iterator[Callable[..., Iterator[Explored]]]":
    """Yield what runs replications: here, or in an executor, which is closed at the end if it was made here.

    The first ones are run here in any case, so that the kernel is compiled once, and workers find it.
    """
    pools: list[Executor] = []
    compiled = False

    def run(scenario: Scenario, seed: int, levels: NDArray[np.int64], numbers: range) -> Iterator[Explored]:
        nonlocal compiled
        if executor is None or not compiled:
            compiled = True
            yield from (replication(scenario, seed, number, levels) for number in numbers)
            return
        if executor == "processes" and not pools:
            pools.append(started(workers))
        pool = pools[0] if pools else executor
        assert isinstance(pool, Executor)
        work = partial(interruptible, replication) if pools else replication
        try:
            futures = [pool.submit(work, scenario, seed, number, levels) for number in numbers]
            yield from (one.result() for one in futures)
        except BrokenExecutor as error:
            raise StudyError(f"a worker died; run the same command again, with fewer workers ({error})") from None

    try:
        yield run
    finally:
        for one in pools:
            one.shutdown(cancel_futures=True)


def replication(scenario: Scenario, seed: int, number: int, levels: NDArray[np.int64]) -> Explored:
    """Run one replication with copies."""
    demand = _demand(scenario, seed, number)
    return explored(scenario.settings, demand, levels, _pools(scenario, seed, number))


def _demand(scenario: Scenario, seed: int, number: int) -> Demand:
    """Return when calls come in one replication."""
    source, stream = scenario.arrivals, streams(seed, number)
    end_us = scenario.horizon_us + scenario.cool_down_us
    recorded_us, rates = np.zeros(0, np.int64), np.zeros(0)
    if isinstance(source, Recorded):
        recorded_us = np.array(arrivals(scenario, stream))
    else:
        hours = -(-end_us // HOUR_US)
        days = np.fromiter(islice(day_factors(source, stream), -(-hours // HOURS)), np.float64)
        a_day = source.calls_per_hour if isinstance(source, Hourly) else (source.rate * 3_600,) * HOURS
        rates = np.outer(days, np.array(a_day, np.float64)).ravel()[:hours]
    shares = np.array(scenario.parking.shares)
    return Demand(
        rates,
        recorded_us,
        end_us,
        shares / shares.max(),
        np.array(scenario.retrieval.factors),
        scenario.warm_up_us,
        scenario.horizon_us,
    )


def _pools(scenario: Scenario, seed: int, number: int) -> Callable[[], Pool]:
    """Return what draws the values of calls to come, for one replication.

    They do not depend on the hour, so that any of them may be the next: shares and factors of the hour come later.
    """
    size = min(POOL_CALLS, max(1 << 10, 2 * math.ceil(scenario.expected_calls)))
    expected = size + 8 * math.sqrt(size) + 64
    flat = scenario.model_copy(
        update={
            "arrivals": Poisson(kind="poisson", rate=f"{3.6e9 / _GAP_US}/h"),  # type: ignore[arg-type]  # as in a file
            "run": Run(horizon=expected * _GAP_US / 1e6),
            "parking": scenario.parking.model_copy(update={"probability": max(scenario.parking.shares)}),
            "retrieval": scenario.retrieval.model_copy(update={"delay_factor": None}),
        }
    )
    batches = count((number + 1) << 32)

    def drawn() -> Pool:
        batch = next(batches)
        workload = draw(flat, seed, batch)
        gaps = np.diff(workload.arrival_us[: size + 1]) / _GAP_US
        workload = Workload._make(column[..., :size] for column in workload)
        # A value for each call where its hour changes it.
        workload = workload._replace(wants_park=np.ascontiguousarray(workload.wants_park))
        if scenario.retrieval.delay_factor is not None:
            workload = workload._replace(retrieval_us=np.ascontiguousarray(workload.retrieval_us))
        coins = [streams(seed, batch)(COINS, parks).random(size) for parks in range(scenario.parking.max_parks)]
        return Pool(workload, gaps, np.array(coins))

    return drawn
