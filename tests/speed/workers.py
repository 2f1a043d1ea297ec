"""One and two workers beside two bare processes, by the clock on the wall.

A bare process runs its share of the replications and says no more than that it is done. A study hands replications
out, gets every measure back and puts them in order; what that costs shows in how much less two of its workers get done
than two bare processes do. All have started, loaded and run before the clock does. Rounds take turns like those of
``contest``, and each ratio is of one round. The same ratio of CPU seconds, of all processes that take part, stands
beside it: it leaves out how well the work was shared, but neighbours on the machine hardly move it.
"""

import math
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import Connection
from typing import Final, NamedTuple

import parksim
from parksim.studies.replication import replicate
from tests.speed import park1

CALLS_A_REPLICATION: Final = 10_000
BARE, ONE, TWO = "two bare processes", "parksim, one worker", "parksim, two workers"
LEAST_OF_BARE: Final = 0.95


class Pace(NamedTuple):
    """Calls a second on the wall (median over rounds), and ratios to the two bare processes, round by round.

    ``by_cpu`` are those of calls per CPU second; empty where no process may read the CPU time of another.
    """

    name: str
    calls_per_s: float
    ratios: list[float]
    by_cpu: list[float]


class Turn(NamedTuple):
    """Who takes a turn: what it does, and which processes work for it beside this one."""

    name: str
    run: Callable[[], int]
    helpers: Callable[[], list[int]]


def cpu_s(helpers: list[int]) -> float:
    """Return the CPU seconds that this process and some others have used, nan where that cannot be told."""
    if not sys.platform.startswith("linux"):
        return math.nan
    # The number of a process's CPU clock, as the C library's clock_getcpuclockid computes it.
    return time.process_time() + sum(time.clock_gettime(~pid << 3 | 2) for pid in helpers)


def bare(orders: Connection, engine: str) -> None:
    """Be a bare process: run the replications that are asked for, until none are."""
    scenario = parksim.Scenario.model_validate(park1.scenario(CALLS_A_REPLICATION))
    while (numbers := orders.recv()) is not None:
        replicate(scenario, 1, numbers, engine)
        orders.send(len(numbers))


def paces(engine: str, rounds: int, replications: int) -> list[Pace]:
    """Return the pace of two bare processes, of one worker and of two."""
    scenario = parksim.Scenario.model_validate(park1.scenario(CALLS_A_REPLICATION))
    pairs = [multiprocessing.Pipe() for _ in range(2)]
    processes = [multiprocessing.Process(target=bare, args=(far, engine), daemon=True) for _, far in pairs]
    for process in processes:
        process.start()

    def by_bare() -> int:
        for (near, _), first in zip(pairs, (0, replications // 2), strict=True):
            near.send(range(first, first + replications // 2))
        return sum(near.recv() for near, _ in pairs)

    def by(pool: ProcessPoolExecutor, number: int) -> int:
        return len(parksim.study(scenario, number, executor=pool, engine=engine, controls=False).results)

    with ProcessPoolExecutor(1) as one, ProcessPoolExecutor(2) as two:
        turns = [
            Turn(BARE, by_bare, lambda: [process.pid or 0 for process in processes]),
            Turn(ONE, lambda: by(one, replications // 2), lambda: list(one._processes)),
            Turn(TWO, lambda: by(two, replications), lambda: list(two._processes)),
        ]
        for turn in turns:
            turn.run()  # loads whatever there is to load
        rates: dict[str, list[float]] = {turn.name: [] for turn in turns}
        by_cpu: dict[str, list[float]] = {turn.name: [] for turn in turns}
        for number in range(rounds):
            for place in range(len(turns)):
                turn = turns[(place + number) % len(turns)]
                started_s, used_s = time.perf_counter(), cpu_s(turn.helpers())
                calls = turn.run() * (park1.ARRIVALS_PER_S * park1.WARM_UP_S + CALLS_A_REPLICATION)
                rates[turn.name].append(calls / (time.perf_counter() - started_s))
                by_cpu[turn.name].append(calls / (cpu_s(turn.helpers()) - used_s))
    for (near, _), process in zip(pairs, processes, strict=True):
        near.send(None)
        process.join()
    return [
        Pace(name, statistics.median(own), to_bare(own, rates[BARE]), to_bare(by_cpu[name], by_cpu[BARE]))
        for name, own in rates.items()
    ]


def to_bare(own: list[float], bares: list[float]) -> list[float]:
    """Return the ratios round by round, none where a rate cannot be told."""
    return [mine / theirs for mine, theirs in zip(own, bares, strict=True) if not math.isnan(mine)]
