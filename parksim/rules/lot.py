"""The parking lot: who gets which slot, until when, and what frees it again.

Two laws of this file:

1. A decision never changes anything. It gets the lot and the instant and answers with one ``Fact``; ``change``
   says what that fact does to the lot, and ``evolved`` gives the lot after it.
2. Time is an argument and a timer is an answer: integer microseconds, never read from a clock.

How it works: a lot is a row of slots, each empty (``NOBODY``) or holding one call with its parker and deadline.
``decide_park`` picks a slot by the lot's choice; a stay ends by ``decide_unpark``, ``decide_hangup`` or
``decide_expiry``, whichever is asked first. The stay is the closed interval [parked, parked + limit]: a retrieval
stamped exactly at the deadline succeeds, one microsecond later there is nobody. A timer is recognised by (call,
deadline), so one that belongs to an earlier stay never ends a later one.

The file keeps to integers, tuples, indexing and ``len`` so that the kernel compiles these very functions; a lot's
columns may be tuples, lists or arrays.

>>> lot = empty_lot(2)
>>> fact = decide_park(lot, call=7, parker=0, limit_us=30_000_000, asked=c.NOBODY, slot_u=0, now_us=1_000_000)
>>> fact.kind == c.PARKED, fact.slot, fact.deadline_us
(True, 0, 31000000)
>>> lot = evolved(lot, fact)
>>> decide_unpark(lot, slot=0, retriever=3, now_us=31_000_000).kind == c.RETRIEVED
True
>>> decide_unpark(lot, slot=0, retriever=3, now_us=31_000_001).kind == c.REFUSED
True
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, overload

from parksim.rules import codes
from parksim.rules import codes as c

COPIED_SLOTS: Final = 1_000
"""Columns up to this length are copied at a change, which takes microseconds."""


class Lot(NamedTuple):
    """One parking lot at one instant.

    ``occupants[slot]`` is a call or ``NOBODY``; ``parkers[slot]`` and ``deadlines_us[slot]`` belong to that stay.
    The columns may be longer than ``slots``. ``last_slot`` is the slot assigned last (``NOBODY`` before the first
    park); it outlives every stay, so an emptied lot continues where it was. ``number`` names the lot in facts.

    ``free`` is for lots of many slots and may be left empty: then free slots are looked for one by one. Else it is a
    tree of counts, the free slots below each node: node 1 is the root, 2 n and 2 n + 1 are below n, and the second half
    are the slots. Code that changes ``occupants`` keeps it true.
    """

    occupants: Sequence[int]
    parkers: Sequence[int]
    deadlines_us: Sequence[int]
    slots: int
    choice: int
    last_slot: int
    number: int
    free: Sequence[int] = ()


class Fact(NamedTuple):
    """Something that happened: one row of the journal, fields in the order of its columns."""

    time_us: int
    deadline_us: int
    call: int
    lot: int
    slot: int
    extension: int
    kind: int
    reason: int


class Change(NamedTuple):
    """What a fact does to the lot: the new content of one slot (``slot`` = ``NOBODY``: nothing changes)."""

    slot: int
    occupant: int
    parker: int
    deadline_us: int
    last_slot: int


def empty_lot(slots: int, choice: int = c.CHOOSE_LOWEST, number: int = 0) -> Lot:
    """Return a lot of ``slots`` free slots that has never been used."""
    return Lot((c.NOBODY,) * slots, (c.NOBODY,) * slots, (c.NEVER,) * slots, slots, choice, c.NOBODY, number)


def lowest_free(lot: Lot, start: int) -> int:
    """Return the lowest free slot from ``start`` up, or ``NOBODY``."""
    return nth_free(lot, free_below(lot, start))


def free_slots(lot: Lot) -> int:
    """Return how many slots are free."""
    return free_below(lot, lot.slots)


def free_below(lot: Lot, end: int) -> int:
    """Return how many of the slots below ``end`` are free."""
    if len(lot.free) > 0:
        return counted_below(lot.free, end)
    free = 0
    for slot in range(min(end, lot.slots)):
        if lot.occupants[slot] == c.NOBODY:
            free += 1
    return free


def nth_free(lot: Lot, nth: int) -> int:
    """Return the ``nth`` free slot, counted from 0 at the lowest, or ``NOBODY`` when there are fewer."""
    if len(lot.free) > 0:
        return nth_counted(lot.free, nth)
    for slot in range(lot.slots):
        if lot.occupants[slot] == c.NOBODY:
            if nth == 0:
                return slot
            nth -= 1
    return c.NOBODY


def counted_below(counts: Sequence[int], end: int) -> int:
    """Return how many of the leaves below ``end`` a tree of counts has marked."""
    if end >= len(counts) // 2:
        return counts[1]
    if end <= 0:
        return 0
    node = end + len(counts) // 2
    below = 0
    while node > 1:
        if node % 2 == 1:
            below += counts[node - 1]
        node //= 2
    return below


def nth_counted(counts: Sequence[int], nth: int) -> int:
    """Return the ``nth`` leaf that a tree of counts has marked, from 0 at the lowest, or ``NOBODY``."""
    if nth >= counts[1]:
        return c.NOBODY
    node = 1
    while node < len(counts) // 2:
        node *= 2
        right = int(nth >= counts[node])  # a number in place of a branch, which no processor could foresee
        nth -= right * counts[node]
        node += right
    return node - len(counts) // 2


def choose_slot(lot: Lot, asked: int, slot_u: int) -> int:
    """Return the slot that a park made now takes, or ``NOBODY`` when the lot is full.

    A slot asked for goes before the lot's choice: if it is taken, the next free one above it, else the lowest free
    one (as Asterisk's res_parking does, unlike its manual). One out of range is as if none had been asked.
    ``slot_u`` is a number drawn beforehand (0 <= slot_u < 2**62); only the random choice looks at it.
    """
    start = 0
    if 0 <= asked < lot.slots:
        start = asked
    elif lot.choice == c.CHOOSE_NEXT:
        start = lot.last_slot + 1
    elif lot.choice == c.CHOOSE_RANDOM:
        free = free_slots(lot)
        return nth_free(lot, slot_u % free) if free > 0 else c.NOBODY
    slot = lowest_free(lot, start)
    if slot == c.NOBODY and start > 0:
        slot = lowest_free(lot, 0)
    return slot


def slot_to_ask_for(lot: Lot, how: int, parker: int, slot_u: int) -> int:
    """Return the slot that a parker asks for (``SLOT_LOT``, ``SLOT_OWN`` ...), ``NOBODY`` for none.

    A parker's own slot has its position. Of those that are seen to be free ``slot_u`` decides, as in ``choose_slot``.
    """
    if how == c.SLOT_OWN:
        return parker
    free = free_slots(lot) if how == c.SLOT_CHOSEN else 0
    return nth_free(lot, slot_u % free) if free > 0 else c.NOBODY


def decide_park(
    lot: Lot, call: int, parker: int, limit_us: int, asked: int, slot_u: int, now_us: int, taken: int = c.TAKEN_NEXT
) -> Fact:
    """Decide a park request: PARKED with slot and deadline, or REFUSED.

    It is refused when the lot is full or, unless ``taken`` is ``TAKEN_NEXT``, when the slot asked for is taken: what
    then follows is the business of ``decide_meeting``. ``limit_us`` is the longest stay, ``NEVER`` for none. The rule
    that a call is parked only once is the business of the caller, who knows where the call is.
    """
    if taken != c.TAKEN_NEXT and 0 <= asked < lot.slots and lot.occupants[asked] != c.NOBODY:
        return Fact(now_us, c.NEVER, call, lot.number, asked, parker, c.REFUSED, c.SLOT_TAKEN)
    slot = choose_slot(lot, asked, slot_u)
    if slot == c.NOBODY:
        return Fact(now_us, c.NEVER, call, lot.number, c.NOBODY, parker, c.REFUSED, c.LOT_FULL)
    deadline_us = c.NEVER if limit_us == c.NEVER else now_us + limit_us
    return Fact(now_us, deadline_us, call, lot.number, slot, parker, c.PARKED, c.NO_REASON)


def decide_unpark(lot: Lot, slot: int, retriever: int, now_us: int, wanted: int = c.NOBODY) -> Fact:
    """Decide a retrieval: RETRIEVED with the call found there, or REFUSED when nobody is in that slot in time.

    A member who comes for one call, ``wanted``, and finds another one there fetches a stranger.
    """
    call = c.NOBODY
    if 0 <= slot < lot.slots and (lot.deadlines_us[slot] == c.NEVER or now_us <= lot.deadlines_us[slot]):
        call = lot.occupants[slot]
    if call == c.NOBODY:
        return Fact(now_us, c.NEVER, c.NOBODY, lot.number, slot, retriever, c.REFUSED, c.EMPTY_SLOT)
    reason = c.NO_REASON if wanted in (c.NOBODY, call) else c.STRANGER
    return Fact(now_us, c.NEVER, call, lot.number, slot, retriever, c.RETRIEVED, reason)


def longest_parked(lot: Lot, since_us: Sequence[int]) -> int:
    """Return the slot of the call that is parked longest, or ``NOBODY``; of equal instants the lower number is first.

    ``since_us[slot]`` is when its call was parked, ``NEVER`` for one that is passed over since somebody waits to fetch
    it.
    """
    first = c.NOBODY
    for slot in range(lot.slots):
        if lot.occupants[slot] == c.NOBODY or since_us[slot] == c.NEVER:
            continue
        if (
            first == c.NOBODY
            or since_us[slot] < since_us[first]
            or (since_us[slot] == since_us[first] and lot.occupants[slot] < lot.occupants[first])
        ):
            first = slot
    return first


def decide_meeting(lot: Lot, slot: int, extension: int, now_us: int) -> Fact:
    """Decide what a key does whose slot is taken, where it fetches: RETRIEVED with the call there, a stranger."""
    return Fact(now_us, c.NEVER, lot.occupants[slot], lot.number, slot, extension, c.RETRIEVED, c.STRANGER)


def decide_resume(lot: Lot, slot: int, now_us: int) -> Fact:
    """Decide what a parker does who was reminded of the call in ``slot`` and is free: RETRIEVED by its parker."""
    return Fact(now_us, c.NEVER, lot.occupants[slot], lot.number, slot, lot.parkers[slot], c.RETRIEVED, c.ON_REMINDER)


def decide_hangup(lot: Lot, slot: int, now_us: int) -> Fact:
    """Decide the hang-up of the call in ``slot``: ABANDONED with its parker, or REFUSED when nobody is there."""
    if not 0 <= slot < lot.slots or lot.occupants[slot] == c.NOBODY:
        return Fact(now_us, c.NEVER, c.NOBODY, lot.number, slot, c.NOBODY, c.REFUSED, c.EMPTY_SLOT)
    return Fact(now_us, c.NEVER, lot.occupants[slot], lot.number, slot, lot.parkers[slot], c.ABANDONED, c.IN_LOT)


def decide_expiry(lot: Lot, slot: int, call: int, deadline_us: int, now_us: int) -> Fact:
    """Decide a timer that rings for the stay (call, deadline): EXPIRED with its parker, or REFUSED.

    REFUSED when that stay is over (the timer is stale) or its time is not yet up. The slot is free at the instant
    of the fact; to whom the call returns is the business of ``routing``.
    """
    if (
        not 0 <= slot < lot.slots
        or lot.occupants[slot] != call
        or lot.deadlines_us[slot] != deadline_us
        or now_us < deadline_us
    ):
        return Fact(now_us, c.NEVER, call, lot.number, slot, c.NOBODY, c.REFUSED, c.STALE_TIMER)
    return Fact(now_us, c.NEVER, call, lot.number, slot, lot.parkers[slot], c.EXPIRED, c.NO_REASON)


def change(fact: Fact, last_slot: int) -> Change:
    """Return what ``fact`` does to its lot, whose last assigned slot was ``last_slot``."""
    if fact.kind == c.PARKED:
        return Change(fact.slot, fact.call, fact.extension, fact.deadline_us, fact.slot)
    if fact.kind in (c.RETRIEVED, c.EXPIRED) or (fact.kind == c.ABANDONED and fact.reason == c.IN_LOT):
        return Change(fact.slot, c.NOBODY, c.NOBODY, c.NEVER, last_slot)
    return Change(c.NOBODY, c.NOBODY, c.NOBODY, c.NEVER, last_slot)


def evolved(lot: Lot, fact: Fact) -> Lot:
    """Return the lot after ``fact``; the given one stays as it was."""
    new = change(fact, lot.last_slot)
    if new.slot == c.NOBODY:
        return lot
    return lot._replace(
        occupants=_with(lot.occupants, {new.slot: new.occupant}),
        parkers=_with(lot.parkers, {new.slot: new.parker}),
        deadlines_us=_with(lot.deadlines_us, {new.slot: new.deadline_us}),
        last_slot=new.last_slot,
        free=_with(lot.free, _marks(lot.free, new)) if len(lot.free) > COPIED_SLOTS else (),
    )


def _with(column: Sequence[int], values: Mapping[int, int]) -> Sequence[int]:
    """Return the column with those values; of a long one only what differs is kept, until that is much."""
    if len(column) > COPIED_SLOTS:
        before, known = (column.before, column.values) if isinstance(column, Patched) else (column, {})
        values = {**known, **values}
        if len(values) <= COPIED_SLOTS:
            return Patched(before, values)
    changed = list(column)
    for slot, value in values.items():
        changed[slot] = value
    return tuple(changed)


def _marks(free: Sequence[int], new: Change) -> dict[int, int]:
    """Return the counts that differ after the change: those from the slot's leaf up to the root."""
    more = 1 if new.occupant == c.NOBODY else -1
    counts, node = {}, new.slot + len(free) // 2
    while node > 0:
        counts[node] = free[node] + more
        node //= 2
    return counts


class Patched(Sequence[int]):
    """A long column after some changes: the column before, which stays as it was, and what differs from it."""

    __slots__ = ("before", "values")

    def __init__(self, before: Sequence[int], values: Mapping[int, int]) -> None:
        self.before = before
        self.values = values

    def __len__(self) -> int:
        return len(self.before)

    @overload
    def __getitem__(self, place: int) -> int: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[int, ...]: ...
    def __getitem__(self, place: int | slice) -> int | tuple[int, ...]:
        if isinstance(place, slice):
            return tuple(self)[place]
        return self.values[place] if place in self.values else self.before[place]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))


def next_deadline(lot: Lot) -> tuple[int, int]:
    """Return (deadline, slot) of the stay whose time is up first, or (``NEVER``, ``NOBODY``).

    Of equal deadlines the lower call number is first, as everywhere in the calendar.
    """
    first = c.NOBODY
    for slot in range(lot.slots):
        deadline_us = lot.deadlines_us[slot]
        if deadline_us == c.NEVER:
            continue
        if (
            first == c.NOBODY
            or deadline_us < lot.deadlines_us[first]
            or (deadline_us == lot.deadlines_us[first] and lot.occupants[slot] < lot.occupants[first])
        ):
            first = slot
    if first == c.NOBODY:
        return c.NEVER, c.NOBODY
    return lot.deadlines_us[first], first


__all__ = [
    "Change",
    "Fact",
    "Lot",
    "Patched",
    "change",
    "choose_slot",
    "codes",
    "counted_below",
    "decide_expiry",
    "decide_hangup",
    "decide_meeting",
    "decide_park",
    "decide_resume",
    "decide_unpark",
    "empty_lot",
    "evolved",
    "free_below",
    "free_slots",
    "longest_parked",
    "lowest_free",
    "next_deadline",
    "nth_counted",
    "nth_free",
    "slot_to_ask_for",
]
