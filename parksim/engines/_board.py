"""What the kernel works on: its arrays, its calendar, its lists of waiting calls and its lots.

Each call has one record (``CALL``) and at most one wake-up that counts, kept there as (wake_us, wake_rank); an entry of
the heap that does not agree with its call's record is stale and skipped. Arrivals come from their column, not from the
heap, and the two SERVEs are flags: all three are compared with the heap's top by the same key, (instant, rank << 32 |
number). Calls that wait stand in linked lists whose links are in their records.
"""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from parksim.engines._lift import inlined, rules
from parksim.journal import COLUMNS
from parksim.rules.codes import NEVER, NOBODY, RANK_ANNOUNCED, RANK_ARRIVAL, RANK_SERVE, RANK_STAFF_SERVE
from parksim.rules.lot import Fact, Lot
from parksim.scenario import Settings
from parksim.workload import Workload

# Where a call is. The links of the list it waits in are in its record, too.
IN_QUEUE: Final = 1
WITH_ATTENDANT: Final = 2
PARKED_IN_LOT: Final = 3
WITH_MEMBER: Final = 4
COMING_BACK: Final = 5
RINGS: Final = 6
GONE: Final = 7

CALL: Final = np.dtype(
    [
        ("wake_us", "i8"),  # the wake-up that counts
        ("patience_end_us", "i8"),  # of a return
        ("answer_us", "i8"),  # of a return
        ("parked_us", "i8"),
        ("extension", "i4"),  # whom the call talks with, or who parked it
        ("next", "i4"),
        ("previous", "i4"),
        ("list", "i4"),
        ("next_joined", "i4"),
        ("asked", "i4"),  # refusals of this request, then attempts of this return
        ("parks", "i2"),
        ("lot", "i4"),
        ("slot", "i4"),
        ("wake_rank", "i1"),
        ("where", "i1"),
        ("rings", "i1"),
    ],
    align=True,
)
LIST: Final = np.dtype([("first", "i4"), ("last", "i4"), ("length", "i4"), ("announces", "i4")], align=True)
QUEUE: Final = 0
GROUP_RETURNS: Final = 1
RETRIEVALS: Final = 2
OWN_RETURNS: Final = 3  # and one list more for each attendant

# The few numbers that survive between two calls of ``advance``.
NOW, HEAP, ROWS, NEXT_CALL, SERVE_DUE, STAFF_SERVE_DUE, OWN_WAITING, FIRST_JOINED, LAST_JOINED = range(9)
STATE_SIZE: Final = 9

DONE: Final = 0
MORE_ROOM: Final = 1
LATEST: Final = int(np.iinfo(np.int64).max)


class Rows(NamedTuple):
    """The journal's columns, as long as the buffer is."""

    time_us: NDArray[np.int64]
    deadline_us: NDArray[np.int64]
    call: NDArray[np.int32]
    lot: NDArray[np.int16]
    slot: NDArray[np.int16]
    extension: NDArray[np.int16]
    kind: NDArray[np.uint8]
    reason: NDArray[np.uint8]


class Policies(NamedTuple):
    """The settings without those of the lots."""

    attendants: int
    staff: int
    queue_limit: int
    max_parks: int
    announcement_us: int
    when_full: int
    retries: int
    retry_after_us: int
    recall_to: int
    ring_us: int
    attempts: int
    busy: int
    unanswered: int


class Column(NamedTuple):
    """A column of the workload: ``values[parks, call * step]``, so that a column of one value takes no memory."""

    values: NDArray[Any]
    step: int


class Exchange(NamedTuple):
    """Everything the loop works on; only the arrays' contents ever change."""

    state: NDArray[np.int64]
    heap_us: NDArray[np.int64]
    heap_key: NDArray[np.int64]
    calls: Any  # of CALL; Any, since NumPy's stubs know no fields
    lists: Any  # of LIST
    idle_us: NDArray[np.int64]
    staff_us: NDArray[np.int64]
    occupants: NDArray[np.int64]  # [lot][slot], as the two below
    parkers: NDArray[np.int64]
    deadlines_us: NDArray[np.int64]
    lots: NDArray[np.int64]  # [lot] -> slots, choice, last slot
    policies: Policies
    arrival_us: NDArray[np.int64]
    work: Any  # a Workload of ``Column``
    rows: Rows


@inlined
def at(column: Column, parks: int, call: int) -> int:
    """Return one value of the workload."""
    return column.values[parks, call * column.step]  # type: ignore[no-any-return]  # an integer


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
def push(ex: Exchange, time_us: int, key: int) -> None:
    """Put (time_us, key) into the heap."""
    child = ex.state[HEAP]
    ex.state[HEAP] = child + 1
    while child > 0:
        parent = (child - 1) >> 1
        if ex.heap_us[parent] < time_us or (ex.heap_us[parent] == time_us and ex.heap_key[parent] <= key):
            break
        ex.heap_us[child] = ex.heap_us[parent]
        ex.heap_key[child] = ex.heap_key[parent]
        child = parent
    ex.heap_us[child] = time_us
    ex.heap_key[child] = key


@inlined
def pop(ex: Exchange) -> None:
    """Take the first entry out of the heap."""
    size = ex.state[HEAP] - 1
    ex.state[HEAP] = size
    time_us, key = ex.heap_us[size], ex.heap_key[size]
    parent = 0
    while True:
        child = 2 * parent + 1
        if child >= size:
            break
        right = child + 1
        if right < size and (
            ex.heap_us[right] < ex.heap_us[child]
            or (ex.heap_us[right] == ex.heap_us[child] and ex.heap_key[right] < ex.heap_key[child])
        ):
            child = right
        if time_us < ex.heap_us[child] or (time_us == ex.heap_us[child] and key <= ex.heap_key[child]):
            break
        ex.heap_us[parent] = ex.heap_us[child]
        ex.heap_key[parent] = ex.heap_key[child]
        parent = child
    ex.heap_us[parent] = time_us
    ex.heap_key[parent] = key


@inlined
def wake(ex: Exchange, call: int, time_us: int, rank: int) -> None:
    """Make (time_us, rank) the one wake-up of ``call`` that counts; ``NEVER``: it waits for somebody else."""
    record = ex.calls[call]
    record["wake_us"] = time_us
    record["wake_rank"] = rank
    if time_us != NEVER:
        push(ex, time_us, key_of(rank, call))


@inlined
def later(time_us: int, delay_us: int) -> int:
    """Return the instant ``delay_us`` after ``time_us``, or ``NEVER``."""
    return NEVER if delay_us == NEVER else time_us + delay_us


@inlined
def write(
    ex: Exchange, deadline_us: int, call: int, lot: int, slot: int, extension: int, kind: int, reason: int
) -> None:
    """Write one fact of this instant."""
    row = ex.state[ROWS]
    ex.state[ROWS] = row + 1
    ex.rows.time_us[row] = ex.state[NOW]
    ex.rows.deadline_us[row] = deadline_us
    ex.rows.call[row] = call
    ex.rows.lot[row] = lot
    ex.rows.slot[row] = slot
    ex.rows.extension[row] = extension
    ex.rows.kind[row] = kind
    ex.rows.reason[row] = reason


@inlined
def note(ex: Exchange, call: int, extension: int, kind: int, reason: int) -> None:
    """Write one fact that has neither slot nor deadline."""
    write(ex, NEVER, call, NOBODY, NOBODY, extension, kind, reason)


# Lists of waiting calls ------------------------------------------------------------------------------------------


@inlined
def join(ex: Exchange, number: int, call: int) -> None:
    """Put ``call`` at the end of a list."""
    line = ex.lists[number]
    record = ex.calls[call]
    record["list"] = number
    record["next"] = NOBODY
    record["previous"] = line["last"]
    if line["last"] == NOBODY:
        line["first"] = call
    else:
        ex.calls[line["last"]]["next"] = call
    line["last"] = call
    line["length"] += 1


@inlined
def leave(ex: Exchange, call: int) -> None:
    """Take ``call`` out of the list it stands in."""
    record = ex.calls[call]
    line = ex.lists[record["list"]]
    if record["previous"] == NOBODY:
        line["first"] = record["next"]
    else:
        ex.calls[record["previous"]]["next"] = record["next"]
    if record["next"] == NOBODY:
        line["last"] = record["previous"]
    else:
        ex.calls[record["next"]]["previous"] = record["previous"]
    line["length"] -= 1
    record["list"] = NOBODY


# The lots --------------------------------------------------------------------------------------------------------


@inlined
def view(ex: Exchange, number: int) -> Lot:
    """Return a lot as the rules see it."""
    slots, choice, last_slot = ex.lots[number, 0], ex.lots[number, 1], ex.lots[number, 2]
    columns = ex.occupants[number], ex.parkers[number], ex.deadlines_us[number]
    return Lot(*columns, slots, choice, last_slot, wide(number))


@inlined
def apply(ex: Exchange, fact: Fact) -> None:
    """Make the change that ``fact`` means, and write it."""
    new = rules.change(fact, ex.lots[fact.lot, 2])
    assert 0 <= new.slot < ex.lots[fact.lot, 0]
    ex.occupants[fact.lot, new.slot] = new.occupant
    ex.parkers[fact.lot, new.slot] = new.parker
    ex.deadlines_us[fact.lot, new.slot] = new.deadline_us
    ex.lots[fact.lot, 2] = new.last_slot
    write(ex, fact.deadline_us, fact.call, fact.lot, fact.slot, fact.extension, fact.kind, fact.reason)


@inlined
def room_needed(ex: Exchange) -> int:
    """Return how many rows, and entries of the heap, one event can add at most.

    A row for each lot, each extension and each waiting return, and a few more; a wake-up a pair.
    """
    waiting = ex.state[OWN_WAITING] + ex.lists[GROUP_RETURNS]["length"]
    return 8 + len(ex.lots) + len(ex.idle_us) + len(ex.staff_us) + 2 * waiting  # type: ignore[no-any-return]  # an integer


@inlined
def next_event(ex: Exchange) -> tuple[int, int]:
    """Find the first event of the calendar, take it out, and return (instant, key); (``LATEST``, 0) at the end."""
    while ex.state[HEAP] > 0:
        number = ex.heap_key[0] & 0xFFFFFFFF
        rank = ex.heap_key[0] >> 32
        if rank == RANK_ANNOUNCED or (
            ex.calls[number]["wake_us"] == ex.heap_us[0] and ex.calls[number]["wake_rank"] == rank
        ):
            break
        pop(ex)
    time_us, key = LATEST, wide(0)
    if ex.state[HEAP] > 0:
        time_us, key = ex.heap_us[0], ex.heap_key[0]
    if ex.state[NEXT_CALL] < len(ex.arrival_us):
        arrives_us, arrival_key = ex.arrival_us[ex.state[NEXT_CALL]], key_of(RANK_ARRIVAL, ex.state[NEXT_CALL])
        if arrives_us < time_us or (arrives_us == time_us and arrival_key < key):
            time_us, key = arrives_us, arrival_key
    for flag, rank in ((SERVE_DUE, RANK_SERVE), (STAFF_SERVE_DUE, RANK_STAFF_SERVE)):
        if ex.state[flag] and (time_us > ex.state[NOW] or key > key_of(rank, 0)):
            time_us, key = ex.state[NOW], key_of(rank, 0)
    if key >> 32 not in (RANK_SERVE, RANK_STAFF_SERVE, RANK_ARRIVAL) and time_us != LATEST:
        pop(ex)
    return time_us, key


def new_exchange(settings: Settings, workload: Workload) -> Exchange:
    """Return everything as it is before the first call; the workload's columns are not copied."""
    attendants, staff = max(settings.attendants, 0), max(settings.staff, 0)
    calls = len(workload.arrival_us)
    state = np.zeros(STATE_SIZE, np.int64)
    state[FIRST_JOINED] = state[LAST_JOINED] = NOBODY
    lists = np.zeros(OWN_RETURNS + attendants, LIST)
    lists["first"] = lists["last"] = NOBODY
    shape = (len(settings.slots), max(settings.slots))
    lots = [(slots, choice, NOBODY) for slots, choice in zip(settings.slots, settings.choices, strict=True)]
    return Exchange(
        state=state,
        heap_us=np.empty(1024, np.int64),
        heap_key=np.empty(1024, np.int64),
        calls=np.zeros(calls, CALL),
        lists=lists,
        idle_us=np.zeros(attendants, np.int64),
        staff_us=np.zeros(staff, np.int64),
        occupants=np.full(shape, NOBODY, np.int64),
        parkers=np.full(shape, NOBODY, np.int64),
        deadlines_us=np.full(shape, NEVER, np.int64),
        lots=np.array(lots, np.int64),
        policies=Policies(*(getattr(settings, name) for name in Policies._fields)),
        arrival_us=np.ascontiguousarray(workload.arrival_us),
        work=Workload._make(_column(name, column) for name, column in workload._asdict().items()),
        rows=Rows(*(np.empty(5 * calls + 256, dtype) for _, dtype in COLUMNS)),
    )


def _column(name: str, column: NDArray[Any]) -> Column:
    """Return a workload's column in the one form that the loop is compiled for."""
    dtype = np.int8 if name == "wants_park" else np.int64
    table = np.atleast_2d(column).astype(dtype, copy=False)
    if table.shape[1] and table.strides[1] == 0:
        return Column(np.ascontiguousarray(table[:, :1]), 0)
    return Column(np.ascontiguousarray(table), 1)


def longer(buffer: NDArray[Any], used: int, room: int) -> NDArray[Any]:
    """Return a buffer half as large again (and with room for the next event) if ``room`` more would not fit."""
    if used + room <= len(buffer):
        return buffer
    longer = np.zeros(len(buffer) * 3 // 2 + room, buffer.dtype)
    longer[:used] = buffer[:used]
    return longer
