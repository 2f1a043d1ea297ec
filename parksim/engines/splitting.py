"""The kernel's calls in many copies, so that what is rare happens often: importance splitting.

The height of a lot tells how near it is to being full: its busy slots, and half as much for each call that waits for
an attendant. A level says how rare a height is: level l is reached about 2^l times less often than level 0. Whenever a
path of the simulation comes to a higher level it is doubled there, once for each level: both have the same past, and
each gets other calls from then on. The second copy ends as soon as it falls below its level. What happens to a path at
level l counts 2^-l. So the sums have the same means as without levels, with any heights and levels: these decide about
the spread alone.

``explore`` goes through all paths of one replication, one after the other, each to its end before the copy that waits
at the highest level. A path is a state of the kernel (``Exchange``): the calls in progress, with their clocks. What is
still open of them and all new calls come from a pool, no value of which is used twice; the caller draws the pool and
fills it up.

Sources: Villen-Altamirano and Villen-Altamirano (1991), RESTART: a method for accelerating rare event simulations,
Proc. ITC-13, 71-76; Glasserman, Heidelberger, Shahabuddin and Zajic (1999), Multilevel splitting for estimating rare
event probabilities, Operations Research 47(4), 585-600; Garvels (2000), The splitting method in rare event simulation,
thesis, Twente, chapter 2.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from parksim.engines import _state as s
from parksim.engines._lift import compiled, held, inlined
from parksim.engines.kernel import advance
from parksim.errors import UnfinishedError
from parksim.rules import codes as c
from parksim.rules import life
from parksim.scenario.model import Settings
from parksim.scenario.quantities import HOUR_US, HOURS
from parksim.scenario.workload import Offered, Workload, is_constant

# What belongs to a path, and is taken back with it ...
BORN, LEVEL, FIRST_INSIDE, LAST_US = range(4)
# ... and what belongs to the replication.
FILLED, FILLED_US, ENTRY, EVENTS, COPIES, REFUSALS, TO_TAKE = range(7)
REFUSED, REQUESTED, FULL_US = range(3)

DONE: Final = 0
POOL_IS_USED_UP: Final = 1
TOO_MANY_CALLS: Final = 2
ENDED: Final = 3
MOST_INSIDE: Final = 1 << 16
"""Calls at the same time. The memory for them is taken by the system only where it is used."""
MOST_EVENTS: Final = 200_000_000
"""Of one replication with its copies: a minute or two."""
QUARTERS: Final = 4
"""A busy slot counts so much in the height of a lot ..."""
WAITING: Final = 2
"""... and a call that waits for an attendant, in the queue or on its return, so much."""
TRIES: Final = 8


class Demand(NamedTuple):
    """The calls that will be offered: when, and what depends on the hour of the day.

    Attributes:
        rates: Calls an hour, in each hour from the beginning; of Poisson arrivals.
        recorded_us: The instants of all calls where they are recorded, else empty.
        end_us: No call is offered from then on.
        shares: By the hour of the day, how many of the pool's wishes to park remain.
        factors: By the hour of the day, what the pool's retrievals are multiplied by.
        warm_up_us: Calls are counted from then on ...
        horizon_us: ... until then.
    """

    rates: NDArray[np.float64]
    recorded_us: NDArray[np.int64]
    end_us: int
    shares: NDArray[np.float64]
    factors: NDArray[np.float64]
    warm_up_us: int
    horizon_us: int


class Pool(NamedTuple):
    """Values of calls to come, used from the first to the last, each once."""

    workload: Workload
    """A row that is one value for all calls is a view of it; it is so in every pool. ``wants_park`` has no such row."""
    gaps: NDArray[np.float64]
    """Exponential, of mean 1, shape (calls,)."""
    coins: NDArray[np.float64]
    """Uniform from 0 to 1, shape (max_parks, calls)."""


class Paths(NamedTuple):
    """What ``explore`` works on beside the path's own state; only the arrays' contents ever change."""

    numbers: NDArray[np.int64]
    path: NDArray[np.int64]
    sums: NDArray[np.float64]  # REFUSED, REQUESTED, FULL_US: the time in which all slots are busy
    levels: NDArray[np.int64]  # [lot][height] -> level
    busy: NDArray[np.int64]  # [lot] -> busy slots
    met: NDArray[np.float64]  # [lot][height] -> after how many events it was there
    rates: NDArray[np.float64]
    recorded_us: NDArray[np.int64]
    shares: NDArray[np.float64]
    factors: NDArray[np.float64]
    ends_us: NDArray[np.int64]  # of the warm-up, of the window, of all arrivals
    gaps: NDArray[np.float64]
    coins: NDArray[np.float64]
    drawn: NDArray[np.int64]  # the pool's rows, in the order of Exchange.drawn; row 0 is empty
    blank: Any  # one record of CALL
    # The path as it is now: the memory of all arrays that change with it, but the calendar's and the calls'.
    wide: NDArray[np.int64]
    narrow: NDArray[np.int32]
    # The copies that wait, [level] first.
    kept_wide: NDArray[np.int64]
    kept_narrow: NDArray[np.int32]
    kept_heap: NDArray[np.int64]
    kept_calls: Any
    kept_places: NDArray[np.int64]  # [level][place] -> the number of the call
    kept_inside: NDArray[np.int64]  # [level] -> how many


# Calls to come ----------------------------------------------------------------------------------------------------


@inlined
def next_arrival_us(p: Paths, number: int, entry: int) -> int:
    """Return when call ``number`` is offered, the one after FILLED_US; ``LATEST`` after the last one."""
    if len(p.recorded_us) > 0:
        return p.recorded_us[number] if number < len(p.recorded_us) else s.LATEST
    from_us = float(p.numbers[FILLED_US])
    calls = p.gaps[entry]
    hour = int(p.numbers[FILLED_US] // HOUR_US)
    while hour < len(p.rates):
        end_us = float(hour + 1) * HOUR_US
        more = p.rates[hour] * (end_us - from_us) / HOUR_US
        if calls < more:
            at_us = int(from_us + calls * HOUR_US / p.rates[hour])
            return at_us if at_us < p.ends_us[2] else s.LATEST
        calls -= more
        from_us = end_us
        hour += 1
    return s.LATEST


@inlined
def fill(ex: s.Exchange, p: Paths) -> int:
    """Give the path one more call to come, from the pool."""
    number, entry = p.numbers[FILLED], p.numbers[ENTRY]
    if entry == len(p.gaps):
        return POOL_IS_USED_UP
    if number == len(ex.arrival_us):
        return TOO_MANY_CALLS
    p.numbers[FILLED] = number + 1
    at_us = s.LATEST if p.numbers[FILLED_US] == s.LATEST else next_arrival_us(p, number, entry)
    ex.arrival_us[number] = at_us
    p.numbers[FILLED_US] = at_us
    if at_us == s.LATEST:
        return DONE
    p.numbers[ENTRY] = entry + 1
    ex.calls[number] = p.blank[0]
    ex.calls[number]["call"] = number
    if ex.columns[s.QUEUE_PATIENCE, 0, 2] != 0:
        row = ex.columns[s.QUEUE_PATIENCE, 0, 0]
        put(ex, row, number, p.drawn[row, entry])
    give(ex, p, number, entry)
    return DONE


@inlined
def give(ex: s.Exchange, p: Paths, number: int, entry: int) -> None:
    """Give a call the pool's values for all that happens to it from its answer on."""
    hour = ex.arrival_us[number] // HOUR_US % HOURS
    for column in range(len(ex.columns)):
        for parks in range(ex.columns.shape[1]):
            row = ex.columns[column, parks, 0]
            if row == 0 or column == s.QUEUE_PATIENCE:
                continue
            value = p.drawn[row, entry]
            if column == s.RETRIEVAL and value != c.NEVER and p.factors[hour] != 1.0:
                value = int(np.rint(value * p.factors[hour]))
            elif column == s.WANTS_PARK and p.coins[parks, entry] >= p.shares[hour]:
                value = 0
            put(ex, row, number, value)


@inlined
def give_next(ex: s.Exchange, p: Paths, number: int) -> bool:
    """Give a call the values that come next in the pool; tell whether there were any."""
    entry = p.numbers[ENTRY]
    if entry == len(p.gaps):
        return False
    p.numbers[ENTRY] = entry + 1
    give(ex, p, number, entry)
    return True


@inlined
def put(ex: s.Exchange, row: int, number: int, value: int) -> None:
    """Put one value of a call where ``Exchange`` has it; what is far has the place in ``far`` that it has in drawn."""
    if value > s.MOST:
        place = row * ex.drawn.shape[1] + number
        ex.far[place] = value
        value = -2 - place
    ex.drawn[row, number] = value


@inlined
def draw_anew(ex: s.Exchange, p: Paths, number: int) -> None:
    """Draw what is not known yet of a call in progress that was not parked so far: copies are less alike then.

    Of a call in the queue that is all but its patience. Of one that an attendant handles it is whether and when it
    will be parked as well, given that it was not until now: values are taken until some are longer than that. Where
    ``TRIES`` are not, the end of handling remains as it is, which is one drawn under the same condition.
    """
    call = ex.calls[number]
    if call["parks"] > 0 or call["asked"] > 0:
        return
    if call["where"] == life.IN_QUEUE:
        give_next(ex, p, number)
    elif call["where"] == life.WITH_ATTENDANT:
        for _ in range(TRIES):
            if not give_next(ex, p, number):
                return
            end_us = call["since_us"] + s.at(ex, s.HANDLING, 0, number)
            rank = s.wide(c.RANK_PARK_REQUEST)
            if s.at(ex, s.WANTS_PARK, 0, number) == 0:
                end_us += s.at(ex, s.TALK, 0, number)
                rank = s.wide(c.RANK_TALK_END)
            if end_us > ex.state[s.NOW]:
                s.wake(ex, number, end_us, rank)
                return
        give_next(ex, p, number)


# Copies -----------------------------------------------------------------------------------------------------------


@inlined
def keep(ex: s.Exchange, p: Paths, level: int) -> int:
    """Keep the path as it is now, for the copy that goes through ``level`` later."""
    came_from = p.path[LEVEL]
    p.path[LEVEL] = level
    for place in range(len(p.wide)):
        p.kept_wide[level, place] = p.wide[place]
    for place in range(len(p.narrow)):
        p.kept_narrow[level, place] = p.narrow[place]
    p.path[LEVEL] = came_from
    for entry in range(ex.state[s.HEAP]):
        p.kept_heap[level, 0, entry] = ex.heap[0, entry]
        p.kept_heap[level, 1, entry] = ex.heap[1, entry]
    inside = 0
    for number in range(p.path[FIRST_INSIDE], ex.state[s.NEXT_CALL]):
        if ex.calls[number]["where"] != life.GONE:
            if inside == p.kept_places.shape[1]:
                return TOO_MANY_CALLS
            p.kept_calls[level, inside] = ex.calls[number]
            p.kept_places[level, inside] = number
            inside += 1
    p.kept_inside[level] = inside
    return DONE


@inlined
def take_back(ex: s.Exchange, p: Paths, level: int) -> None:
    """Let the copy that waits at ``level`` be the path; it gets calls of its own from now on."""
    for place in range(len(p.wide)):
        p.wide[place] = p.kept_wide[level, place]
    for place in range(len(p.narrow)):
        p.narrow[place] = p.kept_narrow[level, place]
    for entry in range(ex.state[s.HEAP]):
        ex.heap[0, entry] = p.kept_heap[level, 0, entry]
        ex.heap[1, entry] = p.kept_heap[level, 1, entry]
    for number in range(p.path[FIRST_INSIDE], ex.state[s.NEXT_CALL]):
        ex.calls[number]["where"] = life.GONE
    for place in range(p.kept_inside[level]):
        number = p.kept_places[level, place]
        ex.calls[number] = p.kept_calls[level, place]
        draw_anew(ex, p, number)
    p.numbers[FILLED] = ex.state[s.NEXT_CALL]
    p.numbers[FILLED_US] = ex.state[s.NOW]
    p.numbers[COPIES] += 1


@inlined
def settle(ex: s.Exchange, p: Paths) -> int:
    """Compare the path's level, that of its highest lot, with the one it had: keep copies, or end the path.

    A copy is kept for each level that is new. Before the warm-up is over there is one level only.

    Returns:
        ``DONE`` where the path continues, ``TOO_MANY_CALLS``, or ``ENDED``.
    """
    weight = 0.5 ** p.path[LEVEL]
    waiting = s.calls_waiting(ex)
    level = 0
    for lot in range(len(p.busy)):
        full = QUARTERS * ex.lots[lot, 0]
        height = min(QUARTERS * p.busy[lot] + WAITING * waiting, full - 1) if p.busy[lot] < ex.lots[lot, 0] else full
        p.met[lot, height] += weight
        level = max(level, p.levels[lot, height])
    if ex.state[s.NOW] < p.ends_us[0]:
        level = 0
    if level < p.path[BORN]:
        return ENDED
    if level > p.path[LEVEL]:
        while p.path[FIRST_INSIDE] < ex.state[s.NEXT_CALL]:
            if ex.calls[p.path[FIRST_INSIDE]]["where"] != life.GONE:
                break
            p.path[FIRST_INSIDE] += 1
        for new in range(p.path[LEVEL] + 1, level + 1):
            if keep(ex, p, new) != DONE:
                return TOO_MANY_CALLS
            p.path[BORN] = new
    p.path[LEVEL] = level
    return DONE


# Sums -------------------------------------------------------------------------------------------------------------


@inlined
def count(ex: s.Exchange, p: Paths, first: int) -> None:
    """Count the rows from ``first`` on, with the weight of the path."""
    weight = 0.5 ** p.path[LEVEL]
    for number in range(first, ex.state[s.ROWS]):
        row = ex.rows[number]
        kind = row["kind"]
        frees = kind in (c.RETRIEVED, c.EXPIRED) or (kind == c.ABANDONED and row["reason"] == c.IN_LOT)
        if kind == c.PARKED or frees:
            now_us = row["time_us"]
            free = 0
            for lot in range(len(p.busy)):
                free += ex.lots[lot, 0] - p.busy[lot]
            if free == 0:
                from_us, until_us = max(p.path[LAST_US], p.ends_us[0]), min(now_us, p.ends_us[1])
                p.sums[FULL_US] += weight * max(0, until_us - from_us)
            p.path[LAST_US] = now_us
            p.busy[row["lot"]] += -1 if frees else 1
        if kind == c.ANSWERED and ex.calls[row["call"]]["where"] == life.WITH_ATTENDANT:
            ex.calls[row["call"]]["since_us"] = row["time_us"]  # the kernel uses it from the first park on only
        if kind in (c.PARKED, c.REFUSED):
            offered_us = ex.arrival_us[row["call"]]
            if p.ends_us[0] <= offered_us < p.ends_us[1]:
                p.sums[REQUESTED] += weight
                if kind == c.REFUSED:
                    p.sums[REFUSED] += weight
                    p.numbers[REFUSALS] += 1


# The loop ---------------------------------------------------------------------------------------------------------


@compiled
def explore(exchange: s.Exchange, paths: Paths) -> int:
    """Go through all paths of a replication until all have ended (``DONE``) or the pool must be filled.

    ``advance`` gets room for the rows of one event, so that it returns after each. After a SERVE it may need less room
    and do some more events: at most twice as many as returns had waited. The calls for them are at hand.
    """
    ex, p = held(exchange), held(paths)
    while True:
        if p.numbers[TO_TAKE] > 0:
            need = p.kept_inside[p.numbers[TO_TAKE]] * (TRIES + 1)
            if p.numbers[ENTRY] + min(need, len(p.gaps)) > len(p.gaps):
                return POOL_IS_USED_UP
            take_back(ex, p, p.numbers[TO_TAKE])
            p.numbers[TO_TAKE] = 0
            if settle(ex, p) != DONE:
                return TOO_MANY_CALLS
        while p.numbers[FILLED] <= ex.state[s.NEXT_CALL] + 2 * s.returns_waiting(ex):
            code = fill(ex, p)
            if code != DONE:
                return code
        room = s.room_needed(ex)
        first = len(ex.rows) - room
        if first < 0 or ex.state[s.HEAP] + room > ex.heap.shape[1]:
            return TOO_MANY_CALLS
        ex.state[s.ROWS] = first
        ended = advance(exchange) == s.DONE
        p.numbers[EVENTS] += 1
        count(ex, p, first)
        code = ENDED if ended else settle(ex, p)
        if code == TOO_MANY_CALLS:
            return code
        if code != DONE:
            if p.path[BORN] == 0:
                return DONE
            p.numbers[TO_TAKE] = p.path[BORN]


# From outside -----------------------------------------------------------------------------------------------------


class Explored(NamedTuple):
    """What one replication gave: sums whose means are those of a replication without levels."""

    refused: float
    requested: float
    full_us: float
    met: NDArray[np.float64]
    """[lot][height] -> after how many events a lot had it; QUARTERS times its slots where it is full, and only then."""
    events: int
    copies: int
    refusals: int
    """How many refusals were seen, on all paths."""


def explored(settings: Settings, demand: Demand, levels: NDArray[np.int64], pools: Callable[[], Pool]) -> Explored:
    """Run one replication.

    Args:
        settings: Of the scenario.
        demand: When calls come.
        levels: [lot][height] -> level; 0 for height 0.
        pools: Returns other values at each call, of the same number.

    Raises:
        UnfinishedError: more calls are in progress at the same time than fit, or it has more than ``MOST_EVENTS``.
    """
    pool = pools()
    calls = len(demand.recorded_us) or float(demand.rates.sum())
    capacity = int(1.2 * calls + 10 * math.sqrt(calls)) + 1_000
    ex, p = _paths(settings, capacity, demand, levels, pool)
    while (code := explore(ex, p)) != DONE:
        if code == TOO_MANY_CALLS:
            raise UnfinishedError(
                f"more than {p.kept_places.shape[1]:,} calls are in progress at the same time, or "
                f"{len(ex.arrival_us):,} are offered; shorten run.horizon, or use parksim run"
            )
        if p.numbers[EVENTS] > MOST_EVENTS:
            raise UnfinishedError(
                f"one replication has more than {MOST_EVENTS:,} events with its copies; shorten run.horizon, "
                "or use parksim run"
            )
        pool = pools()
        p.gaps[:], p.coins[:] = pool.gaps, pool.coins
        p.drawn[1:] = _varying(pool)
        p.numbers[ENTRY] = 0
    refused, requested, full_us = p.sums.tolist()
    events, copies, refusals = p.numbers[[EVENTS, COPIES, REFUSALS]].tolist()
    return Explored(refused, requested, full_us, p.met, events, copies, refusals)


def _rows(pool: Pool) -> Iterator[tuple[int, int, NDArray[Any]]]:
    """Yield (column, parks, row) of a pool."""
    for column, name in enumerate(s.DRAWN):
        for parks, row in enumerate(np.atleast_2d(getattr(pool.workload, name))):
            yield column, parks, row


def _varying(pool: Pool) -> NDArray[np.int64]:
    """Return the rows of a pool that are not one value."""
    return np.array([row for _, _, row in _rows(pool) if not is_constant(row)], np.int64)


def _path(settings: Settings, capacity: int, pool: Pool) -> tuple[s.Exchange, dict[str, NDArray[Any]]]:
    """Return the exchange in which paths run, with room for ``capacity`` calls, and the memory that they share.

    None of the calls is drawn yet, but room is made for all rows of a call. There are as many records as calls, so that
    each call has its own.
    """
    nothing = Workload._make(column[..., :0] for column in pool.workload)
    base = s.new_exchange(settings, Offered.of(nothing), rows=1)
    ones = [(column, parks, row[0]) for column, parks, row in _rows(pool) if is_constant(row)]
    varying = [(column, parks) for column, parks, row in _rows(pool) if not is_constant(row)]
    capacity = min(capacity, s.MOST // (1 + len(varying)))  # places in far have 32 bits as well
    shape = 1 + len(varying), max(capacity, len(ones))
    drawn, far = np.empty(shape, np.int32), np.empty(math.prod(shape), np.int64)
    columns = np.zeros_like(base.columns)
    for cell, (column, parks, value) in enumerate(ones):
        columns[column, parks, 1] = cell
        drawn[0, cell], far[cell] = (-2 - cell if value > s.MOST else value), value
    for row, (column, parks) in enumerate(varying, 1):
        columns[column, parks] = row, 0, 1
    base.state[s.DRAWN_PARKS] = settings.max_parks + 1
    inside = min(capacity, MOST_INSIDE)
    own = np.zeros(LAST_US + 1, np.int64)
    wide, (state, idle_us, places, lots, busy, path) = _together(
        base.state, base.idle_us, base.places, base.lots, np.zeros(len(base.lots), np.int64), own
    )
    narrow, (lists, line, counts) = _together(base.lists.view(np.int32), base.line, base.counts)
    exchange = base._replace(
        state=state,
        heap=np.empty((2, 4 * inside), np.int64),
        calls=np.zeros(1 << (capacity - 1).bit_length(), s.CALL),
        lists=lists.view(s.LIST),
        idle_us=idle_us,
        line=line,
        places=places,
        lots=lots,
        counts=counts,
        arrival_us=np.empty(capacity, np.int64),
        columns=columns,
        drawn=drawn,
        far=far,
        rows=np.empty(64 + len(base.lots) + len(base.idle_us) + 2 * inside, s.ROW),
    )
    return exchange, {"wide": wide, "narrow": narrow, "busy": busy, "path": path}


def _together(*arrays: NDArray[Any]) -> tuple[NDArray[Any], list[NDArray[Any]]]:
    """Return one block of memory with the contents of some arrays, and the arrays in it."""
    block = np.concatenate([one.ravel() for one in arrays])
    ends = np.cumsum([one.size for one in arrays])
    return block, [block[end - one.size : end].reshape(one.shape) for one, end in zip(arrays, ends, strict=True)]


def _paths(
    settings: Settings, capacity: int, demand: Demand, levels: NDArray[np.int64], pool: Pool
) -> tuple[s.Exchange, Paths]:
    """Return what ``explore`` works on, before the first call."""
    ex, shared = _path(settings, capacity, pool)
    top = int(levels.max()) + 1
    blank = np.zeros(1, s.CALL)
    blank["where"] = life.GONE
    inside = min(capacity, MOST_INSIDE)
    return ex, Paths(
        numbers=np.zeros(TO_TAKE + 1, np.int64),
        path=shared["path"],
        sums=np.zeros(FULL_US + 1),
        levels=levels,
        busy=shared["busy"],
        met=np.zeros(levels.shape),
        rates=demand.rates,
        recorded_us=demand.recorded_us,
        shares=demand.shares,
        factors=demand.factors,
        ends_us=np.array([demand.warm_up_us, demand.horizon_us, demand.end_us], np.int64),
        gaps=pool.gaps,
        coins=pool.coins,
        drawn=np.concatenate((np.zeros((1, len(pool.gaps)), np.int64), _varying(pool))),
        blank=blank,
        wide=shared["wide"],
        narrow=shared["narrow"],
        kept_wide=np.empty((top, len(shared["wide"])), np.int64),
        kept_narrow=np.empty((top, len(shared["narrow"])), np.int32),
        kept_heap=np.empty((top, 2, 4 * inside), np.int64),
        kept_calls=np.empty((top, inside), s.CALL),
        kept_places=np.empty((top, inside), np.int64),
        kept_inside=np.zeros(top, np.int64),
    )
