"""The offered calls, drawn before the run: the only randomness of a simulation.

A ``Workload`` is a set of integer columns. Engines read them and draw nothing, so that two engines, two lots or two
staffings can be compared call by call (common random numbers), and any replication can be run again alone.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, lru_cache, partial
from itertools import islice, repeat
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from parksim.rules.codes import NEVER
from parksim.scenario.arguments import whole
from parksim.scenario.laws import Constant, Law
from parksim.scenario.lots import LotSection
from parksim.scenario.model import Scenario
from parksim.scenario.quantities import DAY_US, HOUR_US, HOURS
from parksim.scenario.sections import Arrivals, Hourly, Poisson, Recorded, busy_cv

Column = NDArray[np.int64]
Floats = NDArray[np.float64]
Rows = Callable[[int], NDArray[Any]]
"""Parks made so far -> a row of a column, shape (calls,): whole numbers, integers or floats."""
# The types of a function inside a function are put together at every call of the outer one: these once.
MaybeLaw = Law | None
Laws = Sequence[Law | None]
Numbers = Sequence[float]


class Workload(NamedTuple):
    """The calls of one replication, numbered by (instant, line).

    All columns are int64 (``wants_park`` is int8); times are microseconds, ``-1`` means never. A column of one value is
    a view that takes no memory. Per call: shape (calls,). With k = parks made so far: ``handling_us`` and ``talk_us``
    have shape (max_parks + 1, calls), the others (max_parks, calls).
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
COUNTED: Final = 18
"""What the counters of a PBX leave open (``pbx.counted``)."""

_SLOT_NUMBERS: Final = 2**62

Streams = Callable[[int, int], np.random.Generator]
"""(purpose, parks made so far) -> the stream of one replication for that purpose."""
Opened = Callable[[], np.random.Generator]
"""-> the stream of a row; what is constant never opens it."""


def streams(seed: int, replication: int) -> Streams:
    """Return the random streams of one replication: independent of each other and of every other replication's.

    Each is that of ``SeedSequence(seed, spawn_key=(replication, purpose, parks))``. NumPy seeds one stream at a time;
    here the streams of all purposes are seeded at once, in a quarter of its time, which short replications notice.

    Raises:
        ArgumentError: the seed or the replication is no whole number from 0.
    """
    words = _words(whole("a seed is", seed))
    words += [0] * (4 - len(words))  # a short seed is filled up to the size of the pool
    words += _words(whole("a replication is", replication))
    pool = np.random.SeedSequence(np.array(words, np.uint32)).pool
    seeded: dict[int, NDArray[np.uint64]] = {}

    def stream(purpose: int, parks: int) -> np.random.Generator:
        block, place = divmod(parks, _PARKS_AT_ONCE)
        if block not in seeded:
            seeded[block] = _states(pool, len(words), block * _PARKS_AT_ONCE)
        return np.random.Generator(np.random.PCG64(_Seeded(seeded[block][place, purpose])))  # type: ignore[arg-type]  # its stub knows no other seeds

    return stream


_PARKS_AT_ONCE: Final = 4


class _Seeded(np.random.bit_generator.ISeedSequence):
    """The numbers from which PCG64 begins."""

    def __init__(self, state: NDArray[np.uint64]) -> None:
        self._state = state

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> Any:
        """Return the four numbers that PCG64 asks for."""
        assert (n_words, dtype) == (4, np.uint64)
        return self._state


def _states(pool: NDArray[np.uint32], words: int, first_parks: int) -> NDArray[np.uint64]:
    """Return the state of every purpose after some numbers of parks, shape (parks, purposes, 4).

    ``pool`` is what a SeedSequence has made of the first ``words`` words; (purpose, parks) follow. The steps are those
    of NumPy's SeedSequence, which is O'Neill's seed_seq_fe (pcg-random.org, "Developing a seed_seq alternative", 2015).
    """
    for number, word in enumerate((_PURPOSE, _PARKS + np.uint32(first_parks))):
        # As many constants have been used: four words filled the pool, each was mixed into three, others into four.
        before, after = _constants(_INIT_A, _MULT_A, 16 + 4 * (words - 4 + number), 4)
        pool = _folded(pool * _MIX_LEFT - _folded((word ^ before) * after) * _MIX_RIGHT)
    before, after = _constants(_INIT_B, _MULT_B, 0, 8)
    return _folded((np.concatenate((pool, pool), axis=-1) ^ before) * after).astype("<u4").view(np.uint64)


_PARKS, _PURPOSE = np.indices((_PARKS_AT_ONCE, COUNTED + 1), np.uint32)[..., np.newaxis]
_INIT_A, _MULT_A, _INIT_B, _MULT_B = 0x43B0D7E5, 0x931E8875, 0x8B51F9DD, 0x58F38DED
_MIX_LEFT, _MIX_RIGHT = np.uint32(0xCA01F9DD), np.uint32(0x4973F715)


@cache
def _constants(init: int, multiplier: int, first: int, many: int) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Return some of the constants init * multiplier**n, from n = ``first`` on, and of each the next one."""
    numbers = [init * pow(multiplier, n, 2**32) % 2**32 for n in range(first, first + many + 1)]
    return np.array(numbers[:-1], np.uint32), np.array(numbers[1:], np.uint32)


def _folded(values: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Mix the upper half of each word into its lower half."""
    return values ^ (values >> np.uint32(16))


def _words(number: int) -> list[int]:
    """Return a whole number from 0 as words of 32 bits, the lowest first."""
    return [number >> shift & 0xFFFFFFFF for shift in range(0, max(number.bit_length(), 1), 32)]


class Offered(NamedTuple):
    """The calls of one replication, each row of a column drawn when somebody asks for it.

    Few calls are parked twice, and rows that no call reaches cost nothing.
    """

    arrival_us: Column
    """As in ``Workload``."""
    max_parks: int
    draws: Mapping[str, Rows]
    """By name of the other columns; those without parks have row 0."""

    def rows(self, name: str) -> int:
        """Return how many rows a column has."""
        return 1 if name in _FLAT else self.max_parks + (name in _ALSO_AFTER_ALL_PARKS)

    @classmethod
    def of(cls, workload: Workload) -> "Offered":
        """Return calls that are drawn already."""
        rows = {name: np.atleast_2d(column).__getitem__ for name, column in workload._asdict().items()}
        return cls(rows.pop("arrival_us")(0), len(workload.wants_park), rows)


_FLAT: Final = ("arrival_us", "queue_patience_us", "lot")
_ALSO_AFTER_ALL_PARKS: Final = ("handling_us", "talk_us")


def draw(scenario: Scenario, seed: int, replication: int = 0) -> Workload:
    """Draw the calls of one replication: all offered in [0, horizon + cool-down).

    Equal arguments give equal columns on one machine and NumPy build. Number i of a stream is call i's; a stream
    is that of (seed, replication, purpose, parks made so far) alone: designs that differ in lots, attendants
    or policies meet the same calls.

    Raises:
        ArgumentError: the seed or the replication is no whole number from 0.
    """
    calls = offer(scenario, seed, replication)
    tables = {
        name: _table(row, calls.rows(name), len(calls.arrival_us), np.int8 if name == "wants_park" else np.int64)
        for name, row in calls.draws.items()
    }
    flat = {name: tables.pop(name)[0] for name in _FLAT[1:]}
    return Workload(arrival_us=calls.arrival_us, **flat, **tables)


def offer(scenario: Scenario, seed: int, replication: int = 0) -> Offered:
    """Return the calls that ``draw`` draws, row by row as they are asked for.

    Raises:
        ArgumentError: the seed or the replication is no whole number from 0.
    """
    stream = streams(seed, replication)
    arrival_us = arrivals(scenario, stream)
    calls, retrieval, recall = len(arrival_us), scenario.retrieval, scenario.recall

    def of_hour(numbers: Numbers) -> Floats:
        """Return the number of the hour of the day in which each call is offered."""
        return np.array(numbers)[arrival_us // HOUR_US % HOURS]

    def of(purpose: int, law: MaybeLaw, least_us: int = 0) -> Rows:
        return lambda parks: _durations(law, partial(stream, purpose, parks), calls, least_us)

    def unless_never(row: Rows, purpose: int, share: float) -> Rows:
        if not share:
            return row
        return lambda parks: np.where(
            _happens(share, partial(stream, purpose, parks), calls), np.int64(NEVER), row(parks)
        )

    wished = scenario.parking.probability
    share: float | Floats = wished if isinstance(wished, float) else of_hour(wished)
    lot = _lots(scenario, stream, calls)

    def by_lot(purpose: int, laws: Laws, least_us: int = 0) -> Rows:
        """Draw from the law of each call's lot: of one stream, so that lots of one law are as one lot."""

        def row(parks: int) -> Column:
            column = of(purpose, laws[0], least_us)(parks)
            for number, law in enumerate(laws[1:], 1):
                if law != laws[0]:
                    column = np.where(lot == number, of(purpose, law, least_us)(parks), column)
            return column

        return row

    delay_us = of(_RETRIEVAL, retrieval.delay)
    retrieval_us = delay_us
    if retrieval.delay_factor is not None:
        factors = of_hour(retrieval.delay_factor)

        def retrieval_us(parks: int) -> Column:
            return np.rint(delay_us(parks) * factors)

    chosen_at_random = scenario.parking.slot == "chosen" or any(one.choice == "random" for one in scenario.lots)
    draws: dict[str, Rows] = {
        "queue_patience_us": of(_QUEUE_PATIENCE, scenario.queue_patience),
        "lot": lambda _: lot,
        "handling_us": of(_HANDLING, scenario.attendants.handling),
        "talk_us": of(_TALK, scenario.attendants.talk),
        "wants_park": lambda parks: _happens(share, partial(stream, _WANTS_PARK, parks), calls),
        "max_in_parking_us": by_lot(_MAX_IN_PARKING, [one.max_in_parking for one in scenario.lots], least_us=1),
        "patience_us": by_lot(_PATIENCE, [scenario.stay_patience(one) for one in scenario.lots]),
        "retrieval_us": unless_never(retrieval_us, _NEVER_RETRIEVED, retrieval.never),
        "staff_talk_us": of(_STAFF_TALK, retrieval.talk),
        "slot_u": lambda parks: _slot_numbers(stream(_SLOT, parks), calls) if chosen_at_random else _all(0, calls),
        "answer_us": unless_never(of(_ANSWER, recall.answer), _NEVER_ANSWERED, recall.never),
        "recall_patience_us": of(_RECALL_PATIENCE, scenario.recall_patience),
    }
    return Offered(arrival_us, scenario.parking.max_parks, draws)


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
        return _all(0, calls)
    upto = np.cumsum([lot.weight for lot in scenario.lot])
    share = stream(_LOT, 0).random(calls)
    lot: Column = np.asarray(np.searchsorted(upto / upto[-1], share, side="right"), np.int64)
    return lot


@lru_cache(maxsize=64)
def _all(value: int, calls: int) -> Column:
    """Return a row of one value, which takes no memory."""
    return np.ndarray((calls,), np.int64, np.int64(value).tobytes(), strides=(0,))  # as broadcast_to, but quicker


def _durations(law: Law | None, opened: Opened, calls: int, least_us: int) -> NDArray[Any]:
    """Draw one duration a call, rounded to microseconds but not below ``least_us``; None is never."""
    if law is None:
        return _all(NEVER, calls)
    if isinstance(law, Constant):
        return _all(max(round(law.value * 1e6), least_us), calls)
    drawn = law.draw_s(opened(), calls)
    drawn *= 1e6
    row = np.rint(drawn, out=drawn)
    return np.maximum(row, least_us, out=row) if least_us else row  # what is drawn is not negative


def _happens(share: float | NDArray[np.float64], opened: Opened, calls: int) -> NDArray[np.int8]:
    """Draw one yes (1) or no (0) a call; ``share`` is of all calls, or one number a call."""
    if isinstance(share, float) and share in (0, 1):
        return np.broadcast_to(np.int8(share), calls)
    return (opened().random(calls) < share).view(np.int8)


def _slot_numbers(stream: np.random.Generator, calls: int) -> Column:
    """Draw the numbers of the random choice."""
    return stream.integers(_SLOT_NUMBERS, size=calls, dtype=np.int64)


def is_constant(row: NDArray[Any]) -> bool:
    """Tell whether a row is one value that was drawn from nothing."""
    return row.strides == (0,)


def _table(draw_row: Rows, rows: int, calls: int, kind: type[Any]) -> NDArray[Any]:
    """Return a column of some rows; of one value it takes no memory."""
    first = draw_row(0)
    if is_constant(first):
        return np.broadcast_to(first, (rows, calls))
    table = np.empty((rows, calls), kind)
    table[0] = first
    for parks in range(1, rows):
        table[parks] = draw_row(parks)
    return table
