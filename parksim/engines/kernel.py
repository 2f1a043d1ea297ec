"""The compiled engine: the calendar of the rules as one loop over arrays.

It decides nothing itself: slots, races and routing are the functions of ``rules/lot.py`` and ``rules/routing.py``, compiled
by ``_lift``. It draws nothing: the workload's columns hold all chance. Its journal equals that of ``processes`` byte
for byte; read that file first, this one tells the same story in the order of the calendar.

Each call has one record (``CALL``) and at most one wake-up that counts, kept there as (wake_us, wake_rank); an entry of
the heap that does not agree with its call's record is stale and skipped. Arrivals come from their column, not from the
heap, and the two SERVEs are flags: all three are compared with the heap's top by the same key, (instant, rank << 32 |
number). Calls that wait stand in linked lists whose links are in their records.

``advance`` runs until the calendar is empty or a buffer could be too small for the next event; then the caller makes
it larger and calls again. Indices are asserted where a rule gives them, since compiled code checks no bounds.
"""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from parksim.engines._lift import compiled, lift
from parksim.journal import COLUMNS, Journal
from parksim.rules import lot as lot_rules
from parksim.rules import routing as routing_rules
from parksim.rules.codes import (
    ABANDONED,
    AFTER_RETRIEVAL,
    AGAIN,
    ANSWERED,
    BUSY,
    BUSY_WAIT,
    ENDED,
    FULL_OVERFLOW,
    LAST,
    LOST,
    LOT_FULL,
    NEVER,
    NO_REASON,
    NOBODY,
    OFFERED,
    OVERFLOWED,
    PARKED,
    QUEUE_FULL,
    RANK_ANNOUNCED,
    RANK_ANSWER,
    RANK_ARRIVAL,
    RANK_EXPIRY,
    RANK_HANGUP,
    RANK_PARK_REQUEST,
    RANK_RETRIEVAL,
    RANK_RING_OUT,
    RANK_SERVE,
    RANK_STAFF_SERVE,
    RANK_TALK_END,
    RECALL_ANSWERED,
    RECALL_RINGING,
    RECALL_UNANSWERED,
    RELEASED,
    RETURNING,
    RINGING,
    TALKED,
    TO_GROUP,
    UNANSWERED,
    WAITING,
)
from parksim.rules.lot import Fact, Lot
from parksim.rules.routing import ASK_AGAIN, BUSY_NOW, JOIN_GROUP, LEAVE, RING_AGAIN, TALK_ON
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
        ("extension", "i8"),  # whom the call talks with, or who parked it
        ("next", "i4"),
        ("previous", "i4"),
        ("list", "i4"),
        ("next_joined", "i4"),
        ("asked", "i4"),  # refusals of this request, then attempts of this return
        ("parks", "i2"),
        ("lot", "i8"),
        ("slot", "i8"),
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
_LATEST: Final = np.iinfo(np.int64).max
_ROW: Final = np.dtype(list(COLUMNS))


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


_rules = lift(lot_rules, routing_rules)
change = _rules.change
decide_expiry, decide_hangup = _rules.decide_expiry, _rules.decide_hangup
decide_park, decide_unpark = _rules.decide_park, _rules.decide_unpark
after_busy, after_lot_full, after_unanswered = _rules.after_busy, _rules.after_lot_full, _rules.after_unanswered
first_of_ring, first_of_stay = _rules.first_of_ring, _rules.first_of_stay
longest_idle, queue_is_full = _rules.longest_idle, _rules.queue_is_full


# The calendar ----------------------------------------------------------------------------------------------------


@compiled
def key_of(rank, number):  # type: ignore[no-untyped-def]
    """Return what orders the events of one instant, as one number."""
    return np.int64(rank) << 32 | np.int64(number)


@compiled
def push(state, heap_us, heap_key, time_us, key):  # type: ignore[no-untyped-def]
    """Put (time_us, key) into the heap."""
    child = state[HEAP]
    state[HEAP] = child + 1
    while child > 0:
        parent = (child - 1) >> 1
        if heap_us[parent] < time_us or (heap_us[parent] == time_us and heap_key[parent] <= key):
            break
        heap_us[child] = heap_us[parent]
        heap_key[child] = heap_key[parent]
        child = parent
    heap_us[child] = time_us
    heap_key[child] = key


@compiled
def pop(state, heap_us, heap_key):  # type: ignore[no-untyped-def]
    """Take the first entry out of the heap."""
    size = state[HEAP] - 1
    state[HEAP] = size
    time_us, key = heap_us[size], heap_key[size]
    parent = 0
    while True:
        child = 2 * parent + 1
        if child >= size:
            break
        right = child + 1
        if right < size and (
            heap_us[right] < heap_us[child] or (heap_us[right] == heap_us[child] and heap_key[right] < heap_key[child])
        ):
            child = right
        if time_us < heap_us[child] or (time_us == heap_us[child] and key <= heap_key[child]):
            break
        heap_us[parent] = heap_us[child]
        heap_key[parent] = heap_key[child]
        parent = child
    heap_us[parent] = time_us
    heap_key[parent] = key


@compiled
def wake(state, heap_us, heap_key, calls, call, time_us, rank):  # type: ignore[no-untyped-def]
    """Make (time_us, rank) the one wake-up of ``call`` that counts; ``NEVER``: it waits for somebody else."""
    record = calls[call]
    record["wake_us"] = time_us
    record["wake_rank"] = rank
    if time_us != NEVER:
        push(state, heap_us, heap_key, time_us, key_of(rank, call))


@compiled
def later(time_us, delay_us):  # type: ignore[no-untyped-def]
    """Return the instant ``delay_us`` after ``time_us``, or ``NEVER``."""
    return NEVER if delay_us == NEVER else time_us + delay_us


@compiled
def write(state, rows, deadline_us, call, lot, slot, extension, kind, reason):  # type: ignore[no-untyped-def]
    """Write one fact of this instant."""
    row = rows[state[ROWS]]
    state[ROWS] += 1
    row["time_us"] = state[NOW]
    row["deadline_us"] = deadline_us
    row["call"] = call
    row["lot"] = lot
    row["slot"] = slot
    row["extension"] = extension
    row["kind"] = kind
    row["reason"] = reason


@compiled
def note(state, rows, call, extension, kind, reason):  # type: ignore[no-untyped-def]
    """Write one fact that has neither slot nor deadline."""
    write(state, rows, NEVER, call, NOBODY, NOBODY, extension, kind, reason)


# Lists of waiting calls ------------------------------------------------------------------------------------------


@compiled
def join(lists, calls, number, call):  # type: ignore[no-untyped-def]
    """Put ``call`` at the end of a list."""
    line = lists[number]
    record = calls[call]
    record["list"] = number
    record["next"] = NOBODY
    record["previous"] = line["last"]
    if line["last"] == NOBODY:
        line["first"] = call
    else:
        calls[line["last"]]["next"] = call
    line["last"] = call
    line["length"] += 1


@compiled
def leave(lists, calls, call):  # type: ignore[no-untyped-def]
    """Take ``call`` out of the list it stands in."""
    record = calls[call]
    line = lists[record["list"]]
    if record["previous"] == NOBODY:
        line["first"] = record["next"]
    else:
        calls[record["previous"]]["next"] = record["next"]
    if record["next"] == NOBODY:
        line["last"] = record["previous"]
    else:
        calls[record["next"]]["previous"] = record["previous"]
    line["length"] -= 1
    record["list"] = NOBODY


# The lots --------------------------------------------------------------------------------------------------------


@compiled
def view(occupants, parkers, deadlines_us, lots, number):  # type: ignore[no-untyped-def]
    """Return a lot as the rules see it."""
    slots, choice, last_slot = lots[number, 0], lots[number, 1], lots[number, 2]
    return Lot(occupants[number], parkers[number], deadlines_us[number], slots, choice, last_slot, number)


@compiled
def apply(state, rows, occupants, parkers, deadlines_us, lots, fact):  # type: ignore[no-untyped-def]
    """Make the change that ``fact`` means, and write it."""
    new = change(fact, lots[fact.lot, 2])
    assert 0 <= new.slot < lots[fact.lot, 0]
    occupants[fact.lot, new.slot] = new.occupant
    parkers[fact.lot, new.slot] = new.parker
    deadlines_us[fact.lot, new.slot] = new.deadline_us
    lots[fact.lot, 2] = new.last_slot
    write(state, rows, fact.deadline_us, fact.call, fact.lot, fact.slot, fact.extension, fact.kind, fact.reason)


# Attendants and staff --------------------------------------------------------------------------------------------


@compiled
def free_attendant(state, lists, idle_us, attendant):  # type: ignore[no-untyped-def]
    """Free an attendant; SERVE becomes due if anybody waits for one."""
    if attendant == NOBODY:
        return
    assert idle_us[attendant] == BUSY_NOW
    idle_us[attendant] = state[NOW]
    if (
        lists[QUEUE]["length"] > 0
        or lists[GROUP_RETURNS]["length"] > 0
        or lists[OWN_RETURNS + attendant]["length"] > 0
    ):
        state[SERVE_DUE] = 1


@compiled
def release(state, heap_us, heap_key, calls, lists, idle_us, policies, call, attendant):  # type: ignore[no-untyped-def]
    """Free the attendant who has parked ``call``: now, or when the slot has been announced."""
    if attendant == NOBODY or policies.announcement_us == 0:
        free_attendant(state, lists, idle_us, attendant)
        return
    push(state, heap_us, heap_key, state[NOW] + policies.announcement_us, key_of(RANK_ANNOUNCED, attendant))
    lists[OWN_RETURNS + attendant]["announces"] = call


@compiled
def talk(state, heap_us, heap_key, calls, call, attendant, end_us):  # type: ignore[no-untyped-def]
    """Talk with the attendant until the call ends."""
    calls[call]["extension"] = attendant
    calls[call]["where"] = WITH_ATTENDANT
    wake(state, heap_us, heap_key, calls, call, end_us, RANK_TALK_END)


@compiled
def handle(state, heap_us, heap_key, calls, policies, handling_us, talk_us, wants_park, call, attendant):  # type: ignore[no-untyped-def]
    """Begin to handle ``call``: it ends in a park request or in talk to the end."""
    record = calls[call]
    parks = record["parks"]
    decided_us = state[NOW] + handling_us[parks, call]
    record["extension"] = attendant
    record["where"] = WITH_ATTENDANT
    record["asked"] = 0
    if parks == policies.max_parks or wants_park[parks, call] == 0:
        wake(state, heap_us, heap_key, calls, call, decided_us + talk_us[parks, call], RANK_TALK_END)
    else:
        wake(state, heap_us, heap_key, calls, call, decided_us, RANK_PARK_REQUEST)


@compiled
def come_back(state, heap_us, heap_key, calls, lists, policies, call, rings):  # type: ignore[no-untyped-def]
    """Put a return among its parker's own or the group's, until its turn comes or its patience ends."""
    record = calls[call]
    record["where"] = COMING_BACK
    record["rings"] = rings
    number = GROUP_RETURNS
    if rings and policies.attendants != NOBODY:
        number = OWN_RETURNS + record["extension"]
        state[OWN_WAITING] += 1
        if policies.busy != BUSY_WAIT:
            record["next_joined"] = NOBODY
            if state[LAST_JOINED] == NOBODY:
                state[FIRST_JOINED] = call
            else:
                calls[state[LAST_JOINED]]["next_joined"] = call
            state[LAST_JOINED] = call
    join(lists, calls, number, call)
    state[SERVE_DUE] = 1
    wake(state, heap_us, heap_key, calls, call, record["patience_end_us"], RANK_HANGUP)


@compiled
def ring(state, heap_us, heap_key, calls, policies, rows, call, attendant):  # type: ignore[no-untyped-def]
    """Begin a ringing period at ``attendant``."""
    record = calls[call]
    ring_end_us = later(state[NOW], policies.ring_us)
    write(state, rows, ring_end_us, call, NOBODY, NOBODY, attendant, RECALL_RINGING, NO_REASON)
    record["where"] = RINGS
    record["extension"] = attendant
    first = first_of_ring(record["patience_end_us"], record["answer_us"], ring_end_us)
    wake(state, heap_us, heap_key, calls, call, first.time_us, first.rank)


@compiled
def first_ring(state, heap_us, heap_key, calls, policies, rows, answer_us, call, attendant):  # type: ignore[no-untyped-def]
    """Ring for the first time: the parker's answer counts from now."""
    record = calls[call]
    record["answer_us"] = later(state[NOW], answer_us[record["parks"] - 1, call])
    record["asked"] = 1
    ring(state, heap_us, heap_key, calls, policies, rows, call, attendant)


@compiled
def serve_own(state, heap_us, heap_key, calls, lists, idle_us, policies, rows, answer_us):  # type: ignore[no-untyped-def]
    """First part of SERVE: free attendants take their own returns; the rest found their parker busy."""
    for attendant in range(policies.attendants):
        call = lists[OWN_RETURNS + attendant]["first"]
        if call != NOBODY and idle_us[attendant] != BUSY_NOW:
            leave(lists, calls, call)
            state[OWN_WAITING] -= 1
            idle_us[attendant] = BUSY_NOW
            first_ring(state, heap_us, heap_key, calls, policies, rows, answer_us, call, attendant)
    then = after_busy(policies.busy)
    call = state[FIRST_JOINED]
    state[FIRST_JOINED] = state[LAST_JOINED] = NOBODY
    while call != NOBODY:
        if calls[call]["where"] == COMING_BACK and calls[call]["list"] >= OWN_RETURNS:
            leave(lists, calls, call)
            state[OWN_WAITING] -= 1
            if then == JOIN_GROUP:
                join(lists, calls, GROUP_RETURNS, call)
            else:
                calls[call]["where"] = GONE
                calls[call]["wake_us"] = NEVER  # its patience does not count any more
                note(state, rows, call, NOBODY, LOST, BUSY)
        call = calls[call]["next_joined"]


@compiled
def serve(
    state, heap_us, heap_key, calls, lists, idle_us, policies, rows, answer_us, handling_us, talk_us, wants_park
):  # type: ignore[no-untyped-def]
    """Bring free attendants and waiting calls together, in the order that ``routing`` tells."""
    state[SERVE_DUE] = 0
    if policies.attendants == NOBODY:
        while lists[GROUP_RETURNS]["length"] > 0:
            call = lists[GROUP_RETURNS]["first"]
            leave(lists, calls, call)
            if calls[call]["rings"]:
                first_ring(state, heap_us, heap_key, calls, policies, rows, answer_us, call, NOBODY)
            else:
                note(state, rows, call, NOBODY, RECALL_ANSWERED, NO_REASON)
                handle(
                    state, heap_us, heap_key, calls, policies, handling_us, talk_us, wants_park, call, NOBODY
                )
        return
    if state[OWN_WAITING] > 0:
        serve_own(state, heap_us, heap_key, calls, lists, idle_us, policies, rows, answer_us)
    for number in (GROUP_RETURNS, QUEUE):
        while lists[number]["length"] > 0:
            attendant = longest_idle(idle_us, policies.attendants)
            if attendant == NOBODY:
                return
            call = lists[number]["first"]
            leave(lists, calls, call)
            idle_us[attendant] = BUSY_NOW
            note(state, rows, call, attendant, ANSWERED if number == QUEUE else RECALL_ANSWERED, NO_REASON)
            handle(state, heap_us, heap_key, calls, policies, handling_us, talk_us, wants_park, call, attendant)


# Events, by rank -------------------------------------------------------------------------------------------------


@compiled
def on_hangup(state, calls, lists, idle_us, rows, occupants, parkers, deadlines_us, lots, call):  # type: ignore[no-untyped-def]
    """HANGUP: the caller gives up, wherever the call is."""
    record = calls[call]
    where = record["where"]
    number = record["list"]
    if number != NOBODY:
        leave(lists, calls, call)
    record["where"] = GONE
    if where == IN_QUEUE:
        note(state, rows, call, NOBODY, ABANDONED, WAITING)
    elif where == COMING_BACK:
        if number >= OWN_RETURNS:
            state[OWN_WAITING] -= 1
        note(state, rows, call, NOBODY, ABANDONED, RETURNING)
    elif where == RINGS:
        note(state, rows, call, record["extension"], ABANDONED, RINGING)
        free_attendant(state, lists, idle_us, record["extension"])
    else:
        lot = view(occupants, parkers, deadlines_us, lots, record["lot"])
        fact = decide_hangup(lot, record["slot"], state[NOW])
        apply(state, rows, occupants, parkers, deadlines_us, lots, fact)


@compiled
def on_talk_end(state, calls, lists, idle_us, staff_us, first_member, rows, call):  # type: ignore[no-untyped-def]
    """TALK_END: the call ends; whoever talked with it is free."""
    record = calls[call]
    extension = record["extension"]
    with_member = record["where"] == WITH_MEMBER
    record["where"] = GONE
    note(state, rows, call, extension, ENDED, AFTER_RETRIEVAL if with_member else TALKED)
    if not with_member:
        free_attendant(state, lists, idle_us, extension)
    elif extension != NOBODY:
        staff_us[extension - first_member] = state[NOW]
        if lists[RETRIEVALS]["length"] > 0:
            state[STAFF_SERVE_DUE] = 1


@compiled
def fetch(
    state, heap_us, heap_key, calls, rows, occupants, parkers, deadlines_us, lots, staff_talk_us, call, member
):  # type: ignore[no-untyped-def]
    """Retrieve ``call`` from its slot and talk with it."""
    record = calls[call]
    lot = view(occupants, parkers, deadlines_us, lots, record["lot"])
    fact = decide_unpark(lot, record["slot"], member, state[NOW])
    assert fact.call == call
    apply(state, rows, occupants, parkers, deadlines_us, lots, fact)
    record["where"] = WITH_MEMBER
    record["extension"] = member
    end_us = state[NOW] + staff_talk_us[record["parks"] - 1, call]
    wake(state, heap_us, heap_key, calls, call, end_us, RANK_TALK_END)


@compiled
def stay_on(state, heap_us, heap_key, calls, patience_us, retrieval_us, max_in_parking_us, call):  # type: ignore[no-untyped-def]
    """Wake a parked call at the first of its clocks."""
    record = calls[call]
    parks = record["parks"] - 1
    first = first_of_stay(record["parked_us"], patience_us[parks, call], retrieval_us, max_in_parking_us[parks, call])
    wake(state, heap_us, heap_key, calls, call, first.time_us, first.rank)


@compiled
def on_ring_out(state, heap_us, heap_key, calls, lists, idle_us, policies, rows, call):  # type: ignore[no-untyped-def]
    """RING_OUT: nobody answered; ring again, go to the group, or be lost."""
    record = calls[call]
    parker = record["extension"]
    then = after_unanswered(policies.unanswered, record["asked"], policies.attempts)
    if then == RING_AGAIN:
        note(state, rows, call, parker, RECALL_UNANSWERED, AGAIN)
        record["asked"] += 1
        ring(state, heap_us, heap_key, calls, policies, rows, call, parker)
        return
    note(state, rows, call, parker, RECALL_UNANSWERED, LAST)
    free_attendant(state, lists, idle_us, parker)
    if then == LEAVE:
        record["where"] = GONE
        note(state, rows, call, parker, LOST, UNANSWERED)
    else:
        come_back(state, heap_us, heap_key, calls, lists, policies, call, 0)


@compiled
def on_arrival(
    state, heap_us, heap_key, calls, lists, idle_us, policies, rows, queue_patience_us, handling_us, talk_us, wants_park
):  # type: ignore[no-untyped-def]
    """ARRIVAL: a call is offered; it is answered, turned away or waits."""
    call = state[NEXT_CALL]
    state[NEXT_CALL] += 1
    calls[call]["list"] = NOBODY
    note(state, rows, call, NOBODY, OFFERED, NO_REASON)
    attendant = NOBODY
    if policies.attendants != NOBODY:
        attendant = longest_idle(idle_us, policies.attendants)
        if attendant == NOBODY:
            if queue_is_full(lists[QUEUE]["length"], policies.queue_limit):
                calls[call]["where"] = GONE
                note(state, rows, call, NOBODY, LOST, QUEUE_FULL)
            else:
                calls[call]["where"] = IN_QUEUE
                join(lists, calls, QUEUE, call)
                patience_end_us = later(state[NOW], queue_patience_us[call])
                wake(state, heap_us, heap_key, calls, call, patience_end_us, RANK_HANGUP)
            return
        idle_us[attendant] = BUSY_NOW
    note(state, rows, call, attendant, ANSWERED, NO_REASON)
    handle(state, heap_us, heap_key, calls, policies, handling_us, talk_us, wants_park, call, attendant)


@compiled
def ask_for_slot(
    state, calls, policies, rows, occupants, parkers, deadlines_us, lots, lot_of, max_in_parking_us, slot_u, call
):  # type: ignore[no-untyped-def]
    """Ask the call's lot, and while the policy is overflow each lot after it; tell whether it was parked."""
    record = calls[call]
    parks = record["parks"]
    for number in range(lot_of[call], len(lots)):
        lot = view(occupants, parkers, deadlines_us, lots, number)
        limit_us = max_in_parking_us[parks, call]
        fact = decide_park(lot, call, record["extension"], limit_us, NOBODY, slot_u[parks, call], state[NOW])
        if fact.kind == PARKED:
            apply(state, rows, occupants, parkers, deadlines_us, lots, fact)
            record["where"] = PARKED_IN_LOT
            record["parks"] = parks + 1
            record["lot"] = number
            record["slot"] = fact.slot
            record["parked_us"] = state[NOW]
            return True
        write(state, rows, NEVER, call, number, NOBODY, record["extension"], fact.kind, fact.reason)
        if policies.when_full != FULL_OVERFLOW:
            break
    return False


@compiled
def on_refused(state, heap_us, heap_key, calls, lists, idle_us, policies, rows, talk_us, call):  # type: ignore[no-untyped-def]
    """Do what follows when no slot was free: ask again later, talk on, overflow, or be lost."""
    record = calls[call]
    attendant = record["extension"]
    record["asked"] += 1
    then = after_lot_full(policies.when_full, record["asked"], policies.retries)
    if then == ASK_AGAIN:
        wake(state, heap_us, heap_key, calls, call, state[NOW] + policies.retry_after_us, RANK_PARK_REQUEST)
    elif then == TALK_ON:
        talk(state, heap_us, heap_key, calls, call, attendant, state[NOW] + talk_us[record["parks"], call])
    else:
        record["where"] = GONE
        if then == LEAVE:
            note(state, rows, call, attendant, LOST, LOT_FULL)
        else:
            note(state, rows, call, attendant, ENDED, OVERFLOWED)
        free_attendant(state, lists, idle_us, attendant)


@compiled
def next_event(state, heap_us, heap_key, calls, arrival_us):  # type: ignore[no-untyped-def]
    """Find the first event of the calendar, take it out, and return (instant, key); (``_LATEST``, 0) at the end."""
    while state[HEAP] > 0:
        number = heap_key[0] & 0xFFFFFFFF
        rank = heap_key[0] >> 32
        if rank == RANK_ANNOUNCED or (
            calls[number]["wake_us"] == heap_us[0] and calls[number]["wake_rank"] == rank
        ):
            break
        pop(state, heap_us, heap_key)
    time_us, key = _LATEST, np.int64(0)
    if state[HEAP] > 0:
        time_us, key = heap_us[0], heap_key[0]
    if state[NEXT_CALL] < len(arrival_us):
        arrives_us, arrival_key = arrival_us[state[NEXT_CALL]], key_of(RANK_ARRIVAL, state[NEXT_CALL])
        if arrives_us < time_us or (arrives_us == time_us and arrival_key < key):
            time_us, key = arrives_us, arrival_key
    for flag, rank in ((SERVE_DUE, RANK_SERVE), (STAFF_SERVE_DUE, RANK_STAFF_SERVE)):
        if state[flag] and (time_us > state[NOW] or key > key_of(rank, 0)):
            time_us, key = state[NOW], key_of(rank, 0)
    if key >> 32 not in (RANK_SERVE, RANK_STAFF_SERVE, RANK_ARRIVAL) and time_us != _LATEST:
        pop(state, heap_us, heap_key)
    return time_us, key


@compiled
def advance(
    state, heap_us, heap_key, calls, lists, idle_us, staff_us, policies, rows,
    occupants, parkers, deadlines_us, lots,
    arrival_us, queue_patience_us, lot_of, handling_us, talk_us, wants_park, max_in_parking_us, patience_us,
    retrieval_us, staff_talk_us, slot_u, answer_us, recall_patience_us,
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Run until the calendar is empty (``DONE``) or a buffer could be too small for the next event (``MORE_ROOM``).

    One event writes at most a row for each lot, each attendant and each waiting return, and a few more; SERVE and
    STAFF_SERVE put at most one wake-up a pair into the heap.
    """
    first_member = max(policies.attendants, 0)
    fixed = 8 + len(lots) + len(idle_us) + len(staff_us)
    while True:
        room = fixed + 2 * (state[OWN_WAITING] + lists[GROUP_RETURNS]["length"])
        if state[ROWS] + room > len(rows) or state[HEAP] + room > len(heap_us):
            return MORE_ROOM
        time_us, key = next_event(state, heap_us, heap_key, calls, arrival_us)
        if time_us == _LATEST:
            return DONE
        assert time_us >= state[NOW]
        state[NOW] = time_us
        rank, call = key >> 32, key & 0xFFFFFFFF
        if rank == RANK_ARRIVAL:
            on_arrival(
                state, heap_us, heap_key, calls, lists, idle_us, policies, rows,
                queue_patience_us, handling_us, talk_us, wants_park,
            )  # fmt: skip
            continue
        if rank == RANK_SERVE:
            serve(
                state, heap_us, heap_key, calls, lists, idle_us, policies, rows,
                answer_us, handling_us, talk_us, wants_park,
            )  # fmt: skip
            continue
        if rank == RANK_STAFF_SERVE:
            state[STAFF_SERVE_DUE] = 0
            while lists[RETRIEVALS]["length"] > 0:
                member = longest_idle(staff_us, policies.staff)
                if member == NOBODY:
                    break
                staff_us[member] = BUSY_NOW
                call = lists[RETRIEVALS]["first"]
                leave(lists, calls, call)
                fetch(
                    state, heap_us, heap_key, calls, rows, occupants, parkers, deadlines_us, lots,
                    staff_talk_us, call, first_member + member,
                )  # fmt: skip
            continue
        if rank == RANK_ANNOUNCED:
            announced = lists[OWN_RETURNS + call]["announces"]
            note(state, rows, announced, call, RELEASED, NO_REASON)
            free_attendant(state, lists, idle_us, call)
            continue
        record = calls[call]
        record["wake_us"] = NEVER  # this wake-up has come; another entry like it would be stale
        if rank == RANK_PARK_REQUEST:
            if ask_for_slot(
                state, calls, policies, rows, occupants, parkers, deadlines_us, lots,
                lot_of, max_in_parking_us, slot_u, call,
            ):  # fmt: skip
                parker = record["extension"]
                parks = record["parks"] - 1
                release(state, heap_us, heap_key, calls, lists, idle_us, policies, call, parker)
                stay_on(
                    state, heap_us, heap_key, calls, patience_us, retrieval_us[parks, call], max_in_parking_us, call
                )
            else:
                on_refused(state, heap_us, heap_key, calls, lists, idle_us, policies, rows, talk_us, call)
        elif rank == RANK_TALK_END:
            on_talk_end(state, calls, lists, idle_us, staff_us, first_member, rows, call)
        elif rank == RANK_RETRIEVAL:
            member = NOBODY
            if policies.staff != NOBODY:
                member = longest_idle(staff_us, policies.staff)
                if member == NOBODY:
                    join(lists, calls, RETRIEVALS, call)
                    stay_on(state, heap_us, heap_key, calls, patience_us, NEVER, max_in_parking_us, call)
                    continue
                staff_us[member] = BUSY_NOW
                member += first_member
            fetch(
                state, heap_us, heap_key, calls, rows, occupants, parkers, deadlines_us, lots,
                staff_talk_us, call, member,
            )  # fmt: skip
        elif rank == RANK_HANGUP:
            on_hangup(state, calls, lists, idle_us, rows, occupants, parkers, deadlines_us, lots, call)
        elif rank == RANK_EXPIRY:
            if record["list"] != NOBODY:
                leave(lists, calls, call)
            lot = view(occupants, parkers, deadlines_us, lots, record["lot"])
            fact = decide_expiry(lot, record["slot"], call, time_us, time_us)
            apply(state, rows, occupants, parkers, deadlines_us, lots, fact)
            record["patience_end_us"] = later(time_us, recall_patience_us[record["parks"] - 1, call])
            record["extension"] = fact.extension
            rings = 0 if policies.recall_to == TO_GROUP else 1
            come_back(state, heap_us, heap_key, calls, lists, policies, call, rings)
        elif rank == RANK_ANSWER:
            note(state, rows, call, record["extension"], RECALL_ANSWERED, NO_REASON)
            attendant = record["extension"]
            handle(state, heap_us, heap_key, calls, policies, handling_us, talk_us, wants_park, call, attendant)
        else:
            assert rank == RANK_RING_OUT
            on_ring_out(state, heap_us, heap_key, calls, lists, idle_us, policies, rows, call)


# From outside ----------------------------------------------------------------------------------------------------


def simulate(settings: Settings, workload: Workload) -> Journal:
    """Put ``workload`` through the kernel and return its journal (without header): the rows of ``processes``."""
    attendants, staff = max(settings.attendants, 0), max(settings.staff, 0)
    calls = len(workload.arrival_us)
    state = np.zeros(STATE_SIZE, np.int64)
    state[FIRST_JOINED] = state[LAST_JOINED] = NOBODY
    lists = np.zeros(OWN_RETURNS + attendants, LIST)
    lists["first"] = lists["last"] = NOBODY
    widest = max(settings.slots)
    occupants, parkers, deadlines_us = (np.full((len(settings.slots), widest), NOBODY, np.int64) for _ in range(3))
    lots = np.array([(s, c, NOBODY) for s, c in zip(settings.slots, settings.choices, strict=True)], np.int64)
    policies = Policies(*(getattr(settings, name) for name in Policies._fields))
    rows = np.zeros(4 * calls + 256, _ROW)
    heap_us, heap_key = np.zeros(1024, np.int64), np.zeros(1024, np.int64)
    table = np.zeros(calls, CALL)
    idle_us, staff_us = np.zeros(attendants, np.int64), np.zeros(staff, np.int64)
    columns = [np.ascontiguousarray(column) for column in workload]
    while True:
        end = advance(
            state, heap_us, heap_key, table, lists, idle_us, staff_us, policies, rows,
            occupants, parkers, deadlines_us, lots, *columns,
        )  # fmt: skip
        if end == DONE:
            break
        room = 8 + len(lots) + attendants + staff + 2 * int(state[OWN_WAITING] + lists["length"][GROUP_RETURNS])
        rows = _longer(rows, int(state[ROWS]), room)
        heap_us, heap_key = (_longer(heap, int(state[HEAP]), room) for heap in (heap_us, heap_key))
    used = rows[: state[ROWS]]
    return Journal({name: used[name] for name, _ in COLUMNS})


def _longer(buffer: NDArray[Any], used: int, room: int) -> NDArray[Any]:
    """Return a buffer half as large again (and with room for the next event) if ``room`` more would not fit."""
    if used + room <= len(buffer):
        return buffer
    longer = np.zeros(len(buffer) * 3 // 2 + room, buffer.dtype)
    longer[:used] = buffer[:used]
    return longer
