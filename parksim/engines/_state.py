"""What the kernel works on: its arrays, its calendar, its lists of waiting calls and its lots.

Each call that is there has one record (``CALL``) and at most one wake-up that counts, kept there as (wake_us,
wake_rank); an entry of the heap that does not agree with its call's record is stale and skipped. A record serves one
call after the other: that of a call is found by the last bits of its number. Arrivals come from their column, not
from the heap, and the two SERVEs are flags: all three are compared with the heap's top by the same key, (instant, rank
<< 32 | number). Calls that wait stand in linked lists whose links are in their records.

PYTEST_DONT_REWRITE: Numba compiles these assertions as they are written.
"""

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from parksim.engines._lift import inlined, prefetch, rules
from parksim.engines.trees import line_of, tree_of_counts, width_for
from parksim.journal.journal import COLUMNS
from parksim.rules import codes, life, routing
from parksim.rules.lot import Fact, Lot
from parksim.scenario.model import Settings
from parksim.scenario.workload import Offered, Workload, is_constant

# A call. ``where`` is one of the states of ``rules.life``; the links of the list it waits in are in its record as well.
CALL: Final = np.dtype(
    [
        ("wake_us", "i8"),  # the wake-up that counts
        ("patience_end_us", "i8"),  # of a return
        ("answer_us", "i8"),  # of a return
        ("since_us", "i8"),  # when it was parked, then came back; the ring's end while somebody comes to fetch it there
        ("next", "i4"),
        ("previous", "i4"),
        ("next_joined", "i4"),
        ("call", "i4"),  # whose record it is
        ("extension", "i2"),  # whom the call talks with, or who parked it
        ("list", "i2"),
        ("asked", "i2"),  # refusals of this request, then attempts of this return
        ("lot", "i2"),
        ("slot", "i2"),
        ("parks", "i1"),
        ("wake_rank", "i1"),
        ("where", "i1"),
        ("rings", "i1"),
    ],
    align=True,
)
assert CALL.itemsize == 64  # a line of a processor's memory
ROW: Final = np.dtype(list(COLUMNS))
LIST: Final = np.dtype([("first", "i4"), ("last", "i4"), ("length", "i4"), ("announces", "i4")], align=True)
QUEUE: Final = 0
GROUP_RETURNS: Final = 1
RETRIEVALS: Final = 2
OWN_RETURNS: Final = 3  # and one list more for each attendant

# The few numbers that survive between two calls of ``advance``.
NOW, HEAP, ROWS, NEXT_CALL, SERVE_DUE, STAFF_SERVE_DUE, OWN_WAITING, FIRST_JOINED, LAST_JOINED = range(9)
ON_DUTY, NEXT_CHANGE, LONELY_CHANGES, ROOM, RETURNS, DRAWN_PARKS, DRAWN_ROWS, FIRST_IS_FREE = range(9, 17)
TOLD, TOLD_IS_FULL = 17, 18  # numbers of slots that were told, where these are dialled; no room for the next one
COUNTS: Final = 19  # attendants on duty, by period

# The workload's columns by number.
DRAWN: Final = Workload._fields[1:]
QUEUE_PATIENCE, LOT, HANDLING, TALK, WANTS_PARK, MAX_IN_PARKING, PATIENCE = range(7)
RETRIEVAL, STAFF_TALK, SLOT_U, ANSWER, RECALL_PATIENCE = range(7, len(DRAWN))
MOST: Final = int(np.iinfo(np.int32).max)

DONE: Final = 0
MORE_ROOM: Final = 1
LATEST: Final = int(np.iinfo(np.int64).max)


if TYPE_CHECKING:
    Policies = Settings
else:
    _TABLES = {"slots", "choices", "counts"}
    Policies = NamedTuple("Policies", [(name, int) for name in Settings._fields if name not in _TABLES])
"""The settings that are one number each."""


class Exchange(NamedTuple):
    """Everything the loop works on; only the arrays' contents ever change.

    Few and wide arrays: each one more is passed to ``advance`` in seven words or more, and Numba takes time for each.
    """

    state: NDArray[np.int64]
    heap: NDArray[np.int64]  # [instant, key][entry]
    calls: Any  # of CALL; Any, since NumPy's stubs know no fields
    lists: Any  # of LIST
    idle_us: NDArray[np.int64]  # attendants, then staff
    line: NDArray[np.int32]  # [after, before][extension] -> the lines of those idle, of attendants and of staff
    places: NDArray[np.int64]  # [occupant, parker, deadline, since][lot][slot]; since: only where the oldest is fetched
    told: NDArray[np.int32]  # [lot, slot, call, number][number's last bits]: told and not yet dialled; NOBODY: free
    lots: NDArray[np.int64]  # [lot] -> slots, choice, last slot
    counts: NDArray[np.int32]  # [lot][node] -> the tree of its free slots; last, of attendants whose returns may ring
    arrival_us: NDArray[np.int64]
    columns: NDArray[np.int64]  # [column of the workload][parks] -> row in drawn, first cell, step
    drawn: NDArray[np.int32]  # what the workload's columns hold; -2 and less: -2 - (place in far)
    far: NDArray[np.int64]  # what is more than ``MOST``
    policies: Policies
    rows: Any  # of ROW


@inlined
def at(ex: Exchange, column: int, parks: int, call: int) -> int:
    """Return one value of the workload; a row of one value has step 0."""
    where = ex.columns[column, parks]
    cell = wide(ex.drawn[where[0], where[1] + call * where[2]])
    return cell if cell >= codes.NEVER else ex.far[-2 - cell]


@inlined
def record_of(ex: Exchange, call: int) -> Any:
    """Return the record of a call that is there."""
    return ex.calls[call & (len(ex.calls) - 1)]


# The calendar ----------------------------------------------------------------------------------------------------


@inlined
def wide(number: int) -> int:
    """Return a number of a record as the 64 bits that the rules and the calendar count in."""
    return np.int64(number)  # type: ignore[return-value]  # NumPy's integer, where the loop is interpreted


@inlined
def key_of(rank: int, number: int) -> int:
    """Return what orders the events of one instant, as one number."""
    return wide(rank) << 32 | wide(number)


@inlined
def is_before(one_us: int, one_key: int, time_us: int, key: int) -> bool:
    """Tell whether one event comes before another; without a branch, which no processor could foresee."""
    return (one_us < time_us) | ((one_us == time_us) & (one_key < key))


@inlined
def rise(ex: Exchange, place: int, time_us: int, key: int) -> None:
    """Put (time_us, key) into the heap, at a free place of it or above."""
    while place > 0:
        above = (place - 1) >> 1
        if is_before(ex.heap[0, above], ex.heap[1, above], time_us, key):
            break
        ex.heap[0, place] = ex.heap[0, above]
        ex.heap[1, place] = ex.heap[1, above]
        place = above
    ex.heap[0, place] = time_us
    ex.heap[1, place] = key


@inlined
def sink(ex: Exchange, size: int, time_us: int, key: int) -> None:
    """Put (time_us, key) into a heap of ``size`` places whose first is free: the earlier of two move up.

    What is put in belongs far below, so it is not compared on the way. Source: Wegener (1993), Bottom-up heapsort,
    Theoretical Computer Science 118(1), 81-98.
    """
    place, below = wide(0), wide(1)
    row = ex.heap.shape[1]
    while below < size:
        ahead = min(8 * place + 7, size)  # eight entries that are looked at three levels later
        prefetch(ex.heap, ahead)
        prefetch(ex.heap, row + ahead)
        if below + 1 < size:
            below += is_before(ex.heap[0, below + 1], ex.heap[1, below + 1], ex.heap[0, below], ex.heap[1, below])
        ex.heap[0, place] = ex.heap[0, below]
        ex.heap[1, place] = ex.heap[1, below]
        place = below
        below = 2 * place + 1
    rise(ex, place, time_us, key)


@inlined
def push(ex: Exchange, time_us: int, key: int) -> None:
    """Put (time_us, key) into the heap; most events make the next one, which takes their own place."""
    size = ex.state[HEAP]
    if ex.state[FIRST_IS_FREE]:
        ex.state[FIRST_IS_FREE] = 0
        sink(ex, size, time_us, key)
    else:
        ex.state[HEAP] = size + 1
        rise(ex, size, time_us, key)


@inlined
def pop(ex: Exchange) -> None:
    """Take the first entry out of the heap."""
    size = ex.state[HEAP] - 1
    ex.state[HEAP] = size
    sink(ex, size, ex.heap[0, size], ex.heap[1, size])


@inlined
def wake(ex: Exchange, call: int, time_us: int, rank: int) -> None:
    """Make (time_us, rank) the one wake-up of ``call`` that counts; ``NEVER``: it waits for somebody else."""
    record = record_of(ex, call)
    record["wake_us"] = time_us
    record["wake_rank"] = rank
    if time_us != codes.NEVER:
        push(ex, time_us, key_of(rank, call))


@inlined
def later(time_us: int, delay_us: int) -> int:
    """Return the instant ``delay_us`` after ``time_us``, or ``NEVER``."""
    return codes.NEVER if delay_us == codes.NEVER else time_us + delay_us


@inlined
def write(
    ex: Exchange, deadline_us: int, call: int, lot: int, slot: int, extension: int, kind: int, reason: int
) -> None:
    """Write one fact of this instant."""
    row = ex.rows[ex.state[ROWS]]
    ex.state[ROWS] += 1
    row["time_us"] = ex.state[NOW]
    row["deadline_us"] = deadline_us
    row["call"] = call
    row["lot"] = lot
    row["slot"] = slot
    row["extension"] = extension
    row["kind"] = kind
    row["reason"] = reason


@inlined
def note(ex: Exchange, call: int, extension: int, kind: int, reason: int) -> None:
    """Write one fact that has neither slot nor deadline."""
    write(ex, codes.NEVER, call, codes.NOBODY, codes.NOBODY, extension, kind, reason)


# Lists of waiting calls ------------------------------------------------------------------------------------------


@inlined
def join(ex: Exchange, number: int, call: int) -> None:
    """Put ``call`` at the end of a list."""
    line = ex.lists[number]
    record = record_of(ex, call)
    record["list"] = number
    record["next"] = codes.NOBODY
    record["previous"] = line["last"]
    if line["last"] == codes.NOBODY:
        line["first"] = call
    else:
        record_of(ex, line["last"])["next"] = call
    line["last"] = call
    line["length"] += 1


@inlined
def leave(ex: Exchange, call: int) -> None:
    """Take ``call`` out of the list it stands in."""
    record = record_of(ex, call)
    line = ex.lists[record["list"]]
    if record["previous"] == codes.NOBODY:
        line["first"] = record["next"]
    else:
        record_of(ex, record["previous"])["next"] = record["next"]
    if record["next"] == codes.NOBODY:
        line["last"] = record["previous"]
    else:
        record_of(ex, record["next"])["previous"] = record["previous"]
    line["length"] -= 1
    record["list"] = codes.NOBODY


# The lots --------------------------------------------------------------------------------------------------------


@inlined
def lot_view(ex: Exchange, number: int) -> Lot:
    """Return a lot as the rules see it."""
    slots, choice, last_slot = ex.lots[number, 0], ex.lots[number, 1], ex.lots[number, 2]
    occupants, parkers, deadlines_us = ex.places[0, number], ex.places[1, number], ex.places[2, number]
    return Lot(occupants, parkers, deadlines_us, slots, choice, last_slot, wide(number), ex.counts[number])


@inlined
def apply(ex: Exchange, fact: Fact) -> None:
    """Make the change that ``fact`` means, and write it."""
    new = rules.change(fact, ex.lots[fact.lot, 2])
    assert 0 <= new.slot < ex.lots[fact.lot, 0]
    rules.mark(ex.counts[fact.lot], new.slot, 1 if new.occupant == codes.NOBODY else -1)
    ex.places[0, fact.lot, new.slot] = new.occupant
    ex.places[1, fact.lot, new.slot] = new.parker
    ex.places[2, fact.lot, new.slot] = new.deadline_us
    ex.lots[fact.lot, 2] = new.last_slot
    write(ex, fact.deadline_us, fact.call, fact.lot, fact.slot, fact.extension, fact.kind, fact.reason)


# The attendants and the staff -------------------------------------------------------------------------------------


@inlined
def first_idle(ex: Exchange, group: int) -> int:
    """Return who of the attendants (0) or of the staff (1) takes a call first, or ``NOBODY``."""
    end = len(ex.idle_us) + group
    first = wide(ex.line[0, end])
    return codes.NOBODY if first == end else first


@inlined
def set_idle(ex: Exchange, extension: int, since_us: int) -> None:
    """Let an extension be idle since an instant, busy or off duty."""
    if rules.is_free(ex.idle_us[extension]):
        rules.depart(ex.line[0], ex.line[1], extension)
    ex.idle_us[extension] = since_us
    if rules.is_free(since_us):
        end = len(ex.idle_us) + (0 if extension < ex.policies.attendants else 1)
        rules.enter(ex.line[0], ex.line[1], ex.idle_us, extension, end)


@inlined
def look_at(ex: Exchange, attendant: int) -> None:
    """Let the next SERVE look at an attendant's own returns, if it does not already."""
    counts = ex.counts[len(ex.lots)]
    if counts[len(counts) // 2 + attendant] == 0:
        rules.mark(counts, attendant, 1)


@inlined
def returns_waiting(ex: Exchange) -> int:
    """Return how many returns wait for an attendant."""
    many: int = ex.state[OWN_WAITING] + ex.lists[GROUP_RETURNS]["length"]
    return many


@inlined
def calls_waiting(ex: Exchange) -> int:
    """Return how many calls wait for an attendant, in the queue or on their return."""
    many: int = ex.lists[QUEUE]["length"] + returns_waiting(ex)
    return many


@inlined
def room_needed(ex: Exchange) -> int:
    """Return how many rows, and entries of the heap, one event can add at most.

    One for each lot and each extension, two for each waiting return, and a few more.
    """
    return 8 + len(ex.lots) + len(ex.idle_us) + 2 * returns_waiting(ex)


@inlined
def next_event(ex: Exchange) -> tuple[int, int]:
    """Find the first event of the calendar, take it out, and return (instant, key); (``LATEST``, 0) at the end."""
    if ex.state[FIRST_IS_FREE]:
        ex.state[FIRST_IS_FREE] = 0
        pop(ex)
    while ex.state[HEAP] > 0:
        number = ex.heap[1, 0] & 0xFFFFFFFF
        rank = ex.heap[1, 0] >> 32
        record = record_of(ex, number)
        if (
            rank == codes.RANK_ANNOUNCED
            or (record["wake_us"] == ex.heap[0, 0] and record["wake_rank"] == rank and record["call"] == number)
            or (rank == codes.RANK_RETRIEVAL and ex.policies.fetching != codes.FETCH_CALL)
        ):
            break
        pop(ex)
    time_us, key, of_heap = LATEST, wide(0), 0
    if ex.state[HEAP] > 0:
        time_us, key, of_heap = ex.heap[0, 0], ex.heap[1, 0], 1
    if ex.state[NEXT_CALL] < len(ex.arrival_us):
        arrives_us = ex.arrival_us[ex.state[NEXT_CALL]]
        arrival_key = key_of(codes.RANK_ARRIVAL, ex.state[NEXT_CALL])
        if is_before(arrives_us, arrival_key, time_us, key):
            time_us, key, of_heap = arrives_us, arrival_key, 0
    change_us, lonely = ex.state[NEXT_CHANGE], wide(0)
    if change_us < time_us or (change_us == time_us and key > key_of(codes.RANK_SERVE, 0)):
        if time_us == LATEST:
            lonely = ex.state[LONELY_CHANGES] + 1
        if time_us != LATEST or (calls_waiting(ex) > 0 and lonely <= len(ex.state) - COUNTS):
            # Who is not served in a round of them never will be.
            time_us, key, of_heap = change_us, key_of(codes.RANK_SERVE, 0), 0
    ex.state[LONELY_CHANGES] = lonely
    now_us = ex.state[NOW]
    if ex.state[SERVE_DUE] and (time_us > now_us or key > key_of(codes.RANK_SERVE, 0)):
        time_us, key, of_heap = now_us, key_of(codes.RANK_SERVE, 0), 0
    if ex.state[STAFF_SERVE_DUE] and (time_us > now_us or key > key_of(codes.RANK_STAFF_SERVE, 0)):
        time_us, key, of_heap = now_us, key_of(codes.RANK_STAFF_SERVE, 0), 0
    ex.state[FIRST_IS_FREE] = of_heap
    return time_us, key


# From outside ----------------------------------------------------------------------------------------------------


class _Beginning(NamedTuple):
    """What is the same for every replication of a scenario, to be copied."""

    idle_us: NDArray[np.int64]
    line: NDArray[np.int32]
    lots: NDArray[np.int64]
    counts: NDArray[np.int32]
    state: NDArray[np.int64]
    policies: Policies


@lru_cache(maxsize=16)
def _beginning(settings: Settings) -> _Beginning:
    attendants, staff = max(settings.attendants, 0), max(settings.staff, 0)
    state = np.zeros(COUNTS + len(settings.counts), np.int64)
    state[FIRST_JOINED] = state[LAST_JOINED] = codes.NOBODY
    state[COUNTS:] = settings.counts
    state[ON_DUTY] = routing.on_duty(settings.counts, settings.period_us, 0) if settings.counts else attendants
    change_us = routing.next_change_us(settings.counts, settings.period_us, 0)
    state[NEXT_CHANGE] = LATEST if change_us == codes.NEVER else change_us
    state[DRAWN_ROWS] = 1
    idle_us = np.zeros(attendants + staff, np.int64)
    idle_us[state[ON_DUTY] : attendants] = routing.OFF_DUTY
    line = np.zeros((2, attendants + staff + 2), np.int32)
    since_us, extensions = idle_us.tolist(), attendants + staff
    line_of(since_us, range(attendants), line[0], line[1], extensions)
    line_of(since_us, range(attendants, extensions), line[0], line[1], extensions + 1)
    leaves = width_for(max(attendants, *settings.slots))
    lots = [(slots, choice, codes.NOBODY) for slots, choice in zip(settings.slots, settings.choices, strict=True)]
    return _Beginning(
        idle_us=idle_us,
        line=line,
        lots=np.array(lots, np.int64),
        counts=np.array([tree_of_counts(marked, leaves) for marked in (*settings.slots, 0)], np.int32),
        state=state,
        policies=Policies(*(getattr(settings, name) for name in Policies._fields)),
    )


def new_exchange(settings: Settings, offered: Offered, rows: int) -> Exchange:
    """Return everything as it is before the first call, with room for this many rows."""
    first = _beginning(settings)
    calls = len(offered.arrival_us)
    lists = np.zeros(OWN_RETURNS + max(settings.attendants, 0), LIST)
    lists["first"] = lists["last"] = codes.NOBODY
    most_rows = 1 + len(DRAWN) * (settings.max_parks + 1)
    ex = Exchange(
        state=first.state.copy(),
        heap=np.empty((2, 1024), np.int64),
        calls=_records(LIVE_CALLS),
        lists=lists,
        idle_us=first.idle_us.copy(),
        line=first.line.copy(),
        places=np.full((4, len(settings.slots), max(settings.slots)), codes.NOBODY, np.int64),
        told=np.full((4, 1 if settings.fetching == codes.FETCH_CALL else LIVE_CALLS), codes.NOBODY, np.int32),
        lots=first.lots.copy(),
        counts=first.counts.copy(),
        arrival_us=np.require(offered.arrival_us, np.int64, ("C", "W")),  # a read-only one is another type to Numba
        columns=np.zeros((len(DRAWN), settings.max_parks + 1, 3), np.int64),
        drawn=np.empty((most_rows, max(calls, most_rows)), np.int32),  # where nothing is written it takes no memory
        far=np.empty(0, np.int64),
        policies=first.policies,
        rows=np.empty(rows, ROW),
    )
    return _drawn(ex, offered)


LIVE_CALLS: Final = 256
"""For this many calls there is room at first."""


def _records(many: int) -> Any:
    """Return records that serve no call yet, each a line of memory; ``many`` is a power of two."""
    line = CALL.itemsize
    memory = np.zeros((many + 1) * line, np.uint8)
    begin = -memory.ctypes.data % line
    records = memory[begin : begin + many * line].view(CALL)
    records["where"] = life.GONE
    return records


def _drawn(ex: Exchange, offered: Offered) -> Exchange:
    """Draw what is needed of calls that were parked once more than those before; a row of one value takes one cell."""
    parks, used, far = int(ex.state[DRAWN_PARKS]), int(ex.state[DRAWN_ROWS]), [ex.far]
    for number, name in enumerate(DRAWN):
        if parks >= offered.rows(name):
            continue
        row = offered.draws[name](parks)
        if not len(row):
            continue
        if is_constant(row):
            row, cell = row[:1], parks * len(DRAWN) + number
            cells = ex.drawn[0, cell : cell + 1]
            ex.columns[number, parks, 1] = cell
        else:
            cells = ex.drawn[used, : len(row)]
            ex.columns[number, parks, 0], ex.columns[number, parks, 2] = used, 1
            used += 1
        if row.itemsize == 8 and (row[0] if len(row) == 1 else row.max()) > MOST:
            beyond, first = np.flatnonzero(row > MOST), sum(map(len, far))
            row = row.astype(np.int64)
            far.append(row[beyond])
            row[beyond] = -2 - first - np.arange(len(beyond))
        cells[:] = row
    ex.state[DRAWN_PARKS], ex.state[DRAWN_ROWS] = parks + 1, used
    return ex._replace(far=np.concatenate(far)) if len(far) > 1 else ex


def with_room(ex: Exchange, offered: Offered) -> Exchange:
    """Return an exchange with room for the next event, and with all drawn that it may need."""
    room = int(ex.state[ROOM])
    ex = ex._replace(rows=_longer(ex.rows, int(ex.state[ROWS]), room), heap=_longer(ex.heap, int(ex.state[HEAP]), room))
    if ex.state[RETURNS] >= ex.state[DRAWN_PARKS]:
        ex = _drawn(ex, offered)
    if ex.calls["where"][int(ex.state[NEXT_CALL]) & len(ex.calls) - 1] != life.GONE:
        live = ex.calls[ex.calls["where"] != life.GONE]
        calls = _records(2 * len(ex.calls))
        calls[live["call"] & len(calls) - 1] = live
        ex = ex._replace(calls=calls)
    if ex.state[TOLD_IS_FULL]:
        live = ex.told[:, ex.told[0] != codes.NOBODY]
        told = np.full((4, 2 * ex.told.shape[1]), codes.NOBODY, np.int32)
        told[:, live[3] & told.shape[1] - 1] = live
        ex.state[TOLD_IS_FULL] = 0
        ex = ex._replace(told=told)
    return ex


def _longer(buffer: NDArray[Any], used: int, room: int) -> NDArray[Any]:
    """Return a buffer half as large again (and with room for the next event) if ``room`` more would not fit."""
    size = buffer.shape[-1]
    if used + room <= size:
        return buffer
    larger = np.zeros((*buffer.shape[:-1], size * 3 // 2 + room), buffer.dtype)
    larger[..., :used] = buffer[..., :used]
    return larger
