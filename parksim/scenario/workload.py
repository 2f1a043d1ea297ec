"""The offered calls, drawn before the run: the only randomness of a simulation.

A ``Workload`` is a set of integer columns. Engines read them and draw nothing, so that two engines, two lots or two
staffings can be compared call by call (common random numbers), and any replication can be run again alone.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice, repeat
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from parksim.rules.codes import NEVER
from parksim.scenario.arguments import whole
from parksim.scenario.laws import Constant, Law
from parksim.scenario.lots import LotSection
from parksim.scenario.model import Scenario
from parksim.scenario.quantities import HOURS
from parksim.scenario.recordings import DAY_US
from parksim.scenario.sections import Arrivals, Hourly, Poisson, Recorded, busy_cv

Column = NDArray[np.int64]
Kind = TypeVar("Kind", bound=np.generic)


class Workload(NamedTuple):
    """The calls of one replication, numbered by (instant, line).

    All columns are int64 (``wants_park`` is int8); times are microseconds, ``-1`` means never. A column of one
    value is a view that takes no memory. Per call: shape (calls,). With k = parks made
    so far: ``handling_us`` and ``talk_us`` have shape (max_parks + 1, calls), the others (max_parks, calls).
    """

    arrival_us: Column
    """Instant at which the call is offered."""
    queue_patience_us: Column
    """Longest wait in the queue, from the arrival."""
    lot: Column
    """The lot in which the call is parked first."""
    handling_us: Column
    """From being answered until the decision to park or not."""
    talk_us: Column
    """Talk with the attendant that ends the call, from handling's end or the last refusal."""
    wants_park: NDArray[np.int8]
    """1 if the k-th handling ends in a park request, else 0."""
    max_in_parking_us: Column
    """The longest stay, from PARKED; at least 1 us."""
    patience_us: Column
    """When the parked caller hangs up, from PARKED."""
    retrieval_us: Column
    """When somebody comes to retrieve the call, from PARKED."""
    staff_talk_us: Column
    """Talk after the retrieval, which ends the call."""
    slot_u: Column
    """Random choice: the free slot number ``slot_u mod free``, 0 <= slot_u < 2**62."""
    answer_us: Column
    """When the parker answers a return, from the first ring."""
    recall_patience_us: Column
    """When a returning caller hangs up, from EXPIRED."""


Columns = Workload
"""A workload as engines read it: each column a flat view of Python integers, or a list of them, one a park."""


def columns(workload: Workload) -> Columns:
    """View the columns without a copy: indexing a memoryview gives a Python integer, an array would give NumPy's."""
    return Columns(*(memoryview(c) if c.ndim == 1 else [memoryview(row) for row in c] for c in workload))  # type: ignore[arg-type]  # field by field


# Purposes of the streams: append-only, since the purpose is part of a stream's seed.
(_ARRIVAL, _QUEUE_PATIENCE, _HANDLING, _TALK, _WANTS_PARK, _MAX_IN_PARKING, _PATIENCE, _RETRIEVAL) = range(8)
(_NEVER_RETRIEVED, _STAFF_TALK, _SLOT, _ANSWER, _NEVER_ANSWERED, _RECALL_PATIENCE, _DAY, _LOT) = range(8, 16)
_BUSY_DAYS: Final = 16
COINS: Final = 17
"""Of calls that are drawn without their hour (``studies.rare``): which wishes to park remain in theirs."""

HOUR_US: Final = 3_600_000_000
_SLOT_NUMBERS: Final = 2**62

Streams = Callable[[int, int], np.random.Generator]
"""(purpose, parks made so far) -> the stream of one replication for that purpose."""
Opened = Callable[[], np.random.Generator]
"""-> the stream of a row; what is constant never opens it."""


def streams(seed: int, replication: int) -> Streams:
    """Return the random streams of one replication: independent of each other and of every other replication's.

    Each is that of ``SeedSequence(seed, spawn_key=(replication, purpose, parks))``; what NumPy makes of these numbers
    is put together here, in half its time, which short replications notice.

    Raises:
        ArgumentError: the seed or the replication is no whole number from 0.
    """
    words = _words(whole("a seed is", seed))
    words += [0] * (4 - len(words)) + _words(
        whole("a replication is", replication)
    )  # a short seed is filled up to the size of the pool

    def stream(purpose: int, parks: int) -> np.random.Generator:
        entropy = np.array([*words, purpose, parks], np.uint32)
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy)))

    return stream


def _words(number: int) -> list[int]:
    """Return a whole number from 0 as words of 32 bits, the lowest first."""
    return [number >> shift & 0xFFFFFFFF for shift in range(0, max(number.bit_length(), 1), 32)]


def draw(scenario: Scenario, seed: int, replication: int = 0) -> Workload:
    """Draw the calls of one replication: all offered in [0, horizon + cool-down).

    Equal arguments give equal columns on one machine and NumPy build. Number i of a stream is call i's; a stream
    is that of (seed, replication, purpose, parks made so far) alone: designs that differ in lots, attendants
    or policies meet the same calls.

    Raises:
        ArgumentError: the seed or the replication is no whole number from 0.
    """
    stream = streams(seed, replication)
    arrival_us = arrivals(scenario, stream)
    calls, parks = len(arrival_us), scenario.parking.max_parks
    retrieval, recall = scenario.retrieval, scenario.recall

    def of_hour(numbers: Sequence[float]) -> NDArray[np.float64]:
        """Return the number of the hour of the day in which each call is offered."""
        return np.array(numbers)[arrival_us // HOUR_US % HOURS]

    def rows(purpose: int, times: int = parks) -> list[Opened]:
        return [partial(stream, purpose, k) for k in range(times)]

    def per_park(purpose: int, law: Law | None, times: int = parks, least_us: int = 0) -> Column:
        return _durations(law, rows(purpose, times), calls, least_us)

    def unless_never(column: Column, purpose: int, share: float) -> Column:
        return np.where(_happens(share, rows(purpose), calls), np.int64(NEVER), column) if share else column

    share: float | NDArray[np.float64] = (
        scenario.parking.probability
        if isinstance(scenario.parking.probability, float)
        else of_hour(scenario.parking.probability)
    )
    retrieval_us = per_park(_RETRIEVAL, retrieval.delay)
    if retrieval.delay_factor is not None:
        retrieval_us = np.rint(retrieval_us * of_hour(retrieval.delay_factor)).astype(np.int64)
    lot = _lots(scenario, stream, calls)

    def by_lot(purpose: int, laws: list[Law | None], least_us: int = 0) -> Column:
        """Draw from the law of each call's lot: of one stream, so that lots of one law are as one lot."""
        column = per_park(purpose, laws[0], parks, least_us)
        for number, law in enumerate(laws):
            if law != laws[0]:
                column = np.where(lot == number, per_park(purpose, law, parks, least_us), column)
        return column

    return Workload(
        arrival_us=arrival_us,
        queue_patience_us=per_park(_QUEUE_PATIENCE, scenario.queue_patience, 1)[0],
        lot=lot,
        handling_us=per_park(_HANDLING, scenario.attendants.handling, parks + 1),
        talk_us=per_park(_TALK, scenario.attendants.talk, parks + 1),
        wants_park=_happens(share, rows(_WANTS_PARK), calls),
        max_in_parking_us=by_lot(_MAX_IN_PARKING, [one.max_in_parking for one in scenario.lots], least_us=1),
        patience_us=by_lot(_PATIENCE, [scenario.stay_patience(one) for one in scenario.lots]),
        retrieval_us=unless_never(retrieval_us, _NEVER_RETRIEVED, retrieval.never),
        staff_talk_us=per_park(_STAFF_TALK, retrieval.talk),
        slot_u=_slot_numbers(rows(_SLOT), calls)
        if any(one.choice == "random" for one in scenario.lots)
        else _all(0, parks, calls),
        answer_us=unless_never(per_park(_ANSWER, recall.answer), _NEVER_ANSWERED, recall.never),
        recall_patience_us=per_park(_RECALL_PATIENCE, scenario.recall_patience),
    )


def arrivals(scenario: Scenario, stream: Streams) -> Column:
    """Return the instants at which calls are offered, ascending, in [0, horizon + cool-down)."""
    end_us = scenario.horizon_us + scenario.cool_down_us
    source = scenario.arrivals
    if isinstance(source, Recorded):
        return _recorded(source, stream(_DAY, 0), end_us)
    if isinstance(source, Poisson) and not busy_cv(source):
        us_a_call = 1e6 / source.rate
        return _poisson(source.rate * end_us / 1e6, lambda ticks: ticks * us_a_call, end_us, stream(_ARRIVAL, 0))
    hours = -(-end_us // HOUR_US)
    a_day = source.calls_per_hour if isinstance(source, Hourly) else (source.rate * 3_600,)
    rates = np.resize(np.array(a_day, np.float64), hours)
    if busy_cv(source):
        days = -(-end_us // DAY_US)
        rates *= np.repeat(np.fromiter(islice(day_factors(source, stream), days), np.float64, days), HOURS)[:hours]
    bounds_us = np.arange(hours + 1, dtype=np.float64) * HOUR_US
    expected = np.concatenate(([0.0], np.cumsum(rates)))
    return _poisson(
        float(expected[-1]), lambda ticks: np.interp(ticks, expected, bounds_us), end_us, stream(_ARRIVAL, 0)
    )


def day_factors(source: Arrivals, stream: Streams) -> Iterator[float]:
    """Yield without end by what the rate of each calendar day is multiplied: gamma of mean 1, or 1 if days are alike.

    A Poisson count of such a rate is negative binomial: with the mean m its variance is m + (cv m)^2. Source: Greenwood
    and Yule (1920), J. Roy. Statist. Soc. 83, 255-279; of call centres: Jongbloed and Koole (2001), Appl. Stochastic
    Models Bus. Ind. 17, 307-318.
    """
    cv = busy_cv(source)
    if not cv:
        yield from repeat(1.0)
    shape, gamma = cv**-2, stream(_BUSY_DAYS, 0)
    while True:
        yield gamma.standard_gamma(shape) / shape


def _poisson(
    expected: float,
    to_us: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    end_us: int,
    stream: np.random.Generator,
) -> Column:
    """Draw a Poisson process on [0, end_us) by the inverse ``to_us`` of its expected count, ``expected`` at the end.

    Gaps of a process of rate 1 are drawn until the end is passed. The instant of call i depends on the first i gaps
    and on ``to_us`` alone, to the last bit, so a longer horizon begins with the same calls: sums continue from batch to
    batch as if there were one, and no number depends on where the end is.
    """
    ticks = np.zeros(1)
    while to_us(ticks[-1:])[0] < end_us:
        # A batch that suffices in all but one case of some thousands; its size depends on the scenario alone.
        gaps = stream.standard_exponential(int(expected + 4 * np.sqrt(expected)) + 16)
        gaps[0] += ticks[-1]
        ticks = np.concatenate((ticks, np.cumsum(gaps)))
    instants_us = to_us(ticks[1:])
    # Cut before they become integers: what a very low rate puts far beyond the end would not fit.
    return np.floor(instants_us[instants_us < end_us]).astype(np.int64)


def _recorded(source: Recorded, stream: np.random.Generator, end_us: int) -> Column:
    """Return the recorded instants before ``end_us``: the whole file, or one of its days drawn at random."""
    recording = source.recording
    instants_us = recording.instant_us
    if source.resample == "days":
        instants_us = recording.of_day(int(stream.integers(recording.days)))
    return instants_us[instants_us < end_us]


def _lots(scenario: Scenario, stream: Streams, calls: int) -> Column:
    """Draw the lot that each call asks first, in the ratio of the weights."""
    if isinstance(scenario.lot, LotSection) or len(scenario.lot) == 1:
        return _all(0, 1, calls).reshape(calls)
    upto = np.cumsum([lot.weight for lot in scenario.lot])
    share = stream(_LOT, 0).random(calls)
    lot: Column = np.asarray(np.searchsorted(upto / upto[-1], share, side="right"), np.int64)
    return lot


def _all(value: int, rows: int, calls: int) -> Column:
    """Return a table of one value, which takes no memory."""
    return np.broadcast_to(np.int64(value), (rows, calls))


def _durations(law: Law | None, rows: Sequence[Opened], calls: int, least_us: int) -> Column:
    """Draw one duration a row and call, rounded to microseconds but not below ``least_us``; None is never."""
    if law is None:
        return _all(NEVER, len(rows), calls)
    if isinstance(law, Constant):
        return _all(max(round(law.value * 1e6), least_us), len(rows), calls)

    def drawn_us(stream: np.random.Generator) -> NDArray[Any]:
        drawn = law.draw_s(stream, calls)
        drawn *= 1e6
        return np.rint(drawn, out=drawn)

    table = _table(rows, calls, np.int64, drawn_us)
    return np.maximum(table, least_us, out=table) if least_us else table  # what is drawn is not negative


def _happens(share: float | NDArray[np.float64], rows: Sequence[Opened], calls: int) -> NDArray[np.int8]:
    """Draw one yes (1) or no (0) a row and call; ``share`` is of all calls, or one number a call."""
    if isinstance(share, float) and share in (0, 1):
        return np.broadcast_to(np.int8(share), (len(rows), calls))
    return _table(rows, calls, np.int8, lambda stream: stream.random(calls) < share)


def _slot_numbers(rows: Sequence[Opened], calls: int) -> Column:
    """Draw the numbers of the random choice."""
    return _table(rows, calls, np.int64, lambda stream: stream.integers(_SLOT_NUMBERS, size=calls, dtype=np.int64))


def _table(
    rows: Sequence[Opened], calls: int, kind: type[Kind], draw_row: Callable[[np.random.Generator], NDArray[Any]]
) -> NDArray[Kind]:
    table = np.empty((len(rows), calls), kind)
    for row, opened in zip(table, rows, strict=True):
        row[:] = draw_row(opened())
    return table
