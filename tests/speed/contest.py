"""Speed as a ratio: contenders measured in turns, in the same minute, in CPU seconds.

A machine's speed changes from minute to minute, by its neighbours and its temperature; the ratio of two programs that
take turns hardly does. So every round runs all contenders once, the order rotating, and what is reported is the
median over rounds of (a contender's calls per CPU second / the first one's in the same round), with its range.
Before anything is timed, each contender must give the six figures of park-1: a fast wrong answer is no contender.
"""

import gc
import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from tests.speed.park1 import EXPECTED, Figures

STANDARD_ERRORS = 4.0
REPLICATIONS = 60
"""Of 6,000 calls each. Six figures with 59 degrees of freedom: four standard errors wrongly alarm at 0.1 % of all
seeds; the seeds are fixed, so a program that passes goes on passing. (With 20 replications a standard error is itself
so uncertain that a right program was once turned away by five of them; 480 replications then put it at 0.3.)"""


class Contender(NamedTuple):
    """A program that simulates park-1.

    ``prepare(seed, calls)`` returns what is timed, ``read`` turns the result of that into the number of calls simulated
    and the figures. ``calls`` is what it is given in one round: enough for about a second. ``target`` is the ratio to
    the first contender that it must reach, if any.
    """

    name: str
    prepare: Callable[[int, int], Callable[[], Any]]
    read: Callable[[Any], tuple[int, Figures]]
    calls: int
    target: float | None = None


class Standing(NamedTuple):
    """How a contender did: calls per CPU second (median, and round by round), and ratios to the first contender."""

    contender: Contender
    calls_per_s: float
    ratio: float
    lowest: float
    highest: float
    rates: Sequence[float]

    def against(self, other: "Standing") -> float:
        """Return the median ratio to another contender, round by round."""
        return statistics.median(mine / theirs for mine, theirs in zip(self.rates, other.rates, strict=True))


class DisagreementError(Exception):
    """A contender does not simulate park-1."""


def checked(contender: Contender, replications: int = REPLICATIONS, calls: int = 6000) -> Figures:
    """Return a contender's figures over replications (seeds 1000, 1001, ...).

    Raises:
        DisagreementError: a figure is further than four standard errors from its value, or does not vary.
    """
    runs = [contender.read(contender.prepare(1000 + number, calls)())[1] for number in range(replications)]
    means = Figures(*(statistics.fmean(column) for column in zip(*runs, strict=True)))
    for name, column, mean, expected in zip(Figures._fields, zip(*runs, strict=True), means, EXPECTED, strict=True):
        error = statistics.stdev(column) / math.sqrt(replications)
        if not (error > 0.0 and abs(mean - expected) <= STANDARD_ERRORS * error):
            raise DisagreementError(f"{contender.name}: {name} is {mean:.5f} +- {error:.5f}, not {expected:.5f}")
    return means


def measured(contenders: Sequence[Contender], rounds: int, clock: Callable[[], float]) -> list[list[float]]:
    """Return calls per CPU second of each contender in each round; the order rotates from round to round."""
    rates: list[list[float]] = [[] for _ in contenders]
    for round_number in range(rounds):
        for turn in range(len(contenders)):
            place = (turn + round_number) % len(contenders)
            timed = contenders[place].prepare(round_number, contenders[place].calls)
            gc.collect()  # nobody sweeps up after his neighbour
            started_s = clock()
            result = timed()
            elapsed_s = clock() - started_s
            rates[place].append(contenders[place].read(result)[0] / elapsed_s)
    return rates


def standings(contenders: Sequence[Contender], rates: Sequence[Sequence[float]]) -> Iterator[Standing]:
    """Yield each contender's median rate and its ratios to the first contender, round by round."""
    for contender, own in zip(contenders, rates, strict=True):
        ratios = [mine / first for mine, first in zip(own, rates[0], strict=True)]
        yield Standing(contender, statistics.median(own), statistics.median(ratios), min(ratios), max(ratios), own)


def contest(contenders: Sequence[Contender], rounds: int) -> list[Standing]:
    """Check that all contenders simulate the same model, then measure them in turns.

    Raises:
        DisagreementError: one of them does not; then nobody is measured.
    """
    for contender in contenders:
        checked(contender)  # which also loads, compiles and caches whatever it needs
    return list(standings(contenders, measured(contenders, rounds, time.process_time)))
