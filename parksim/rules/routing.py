"""Who is on duty and who answers, which of a call's clocks rings first, and where a call goes that comes back.

Pure functions over integers, in the same dialect as ``lot`` (the kernel compiles them). An extension that is not
free has an ``idle_since_us`` below 0: ``BUSY_NOW``, or ``OFF_DUTY`` when it has nothing in hand and takes nothing.

Where the number on duty changes by the hour, the first extensions by position are on duty, and the event SERVE of the
full hour makes the change before it does anything else. So an event with a lower rank at that instant still finds the
hour before, a new call of that instant the hour that begins.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from parksim.rules import codes as c

BUSY_NOW: Final = -1
OFF_DUTY: Final = -2

# What a call does next, when a rule leaves it a choice.
STAY: Final = 0  # goes on waiting where it is
JOIN_GROUP: Final = 1  # joins the group's returns
LEAVE: Final = 2  # is lost
RING_AGAIN: Final = 3
ASK_AGAIN: Final = 4  # asks for a slot once more, after the retry interval
TALK_ON: Final = 5  # stays with its attendant until the end
OVERFLOW: Final = 6  # leaves for the next lot or another service


class Wake(NamedTuple):
    """The first of several clocks: the instant it rings and the rank of what it rings for."""

    time_us: int
    rank: int


def on_duty(counts: Sequence[int], period_us: int, now_us: int) -> int:
    """Return how many extensions are on duty after the change at ``now_us``, if there is one.

    ``counts`` has a number for each period of ``period_us`` from instant 0 on, and begins anew when it is over.
    """
    return counts[now_us // period_us % len(counts)]


def next_change_us(counts: Sequence[int], period_us: int, now_us: int) -> int:
    """Return the first instant after ``now_us`` at which another number is on duty, ``NEVER`` if it never changes."""
    now = now_us // period_us
    for later in range(now + 1, now + len(counts)):
        if counts[later % len(counts)] != counts[now % len(counts)]:
            return later * period_us
    return c.NEVER


def idle_after_change(idle_since_us: int, extension: int, duty: int, now_us: int) -> int:
    """Return since when an extension is idle once ``duty`` of them are on duty.

    An attendant who comes on duty is idle since now. One who goes off takes nothing any more, but
    finishes what it has in hand.
    """
    if idle_since_us == BUSY_NOW:
        return BUSY_NOW
    if extension >= duty:
        return OFF_DUTY
    return now_us if idle_since_us == OFF_DUTY else idle_since_us


def idle_when_freed(extension: int, duty: int, now_us: int) -> int:
    """Return since when an extension is idle that has nothing in hand any more: now, or it goes off duty."""
    return now_us if extension < duty else OFF_DUTY


def is_free(idle_since_us: int) -> bool:
    """Tell whether an extension takes a call: it is on duty and not busy."""
    return idle_since_us > BUSY_NOW


def longest_idle(idle_since_us: Sequence[int], extensions: int) -> int:
    """Return the free extension that has been idle longest, ties by position, or ``NOBODY``."""
    first = c.NOBODY
    for extension in range(extensions):
        if idle_since_us[extension] > BUSY_NOW:
            first = idle_longer(idle_since_us, first, extension)
    return first


def idle_longer(idle_since_us: Sequence[int], one: int, other: int) -> int:
    """Return which of two free extensions takes a call first; ``one`` is before ``other``, each may be ``NOBODY``."""
    if one == c.NOBODY or (other != c.NOBODY and idle_since_us[other] < idle_since_us[one]):
        return other
    return one


def first_of_stay(parked_us: int, patience_us: int, retrieval_us: int, limit_us: int) -> Wake:
    """Decide the race of a stay in the lot: hang-up, retrieval or time-out, by (instant, rank).

    All three run from ``parked_us``; ``NEVER`` takes no part. The first wins; of equal instants the caller
    goes before the retriever and the retriever before the timer. (``NEVER``, expiry) when nothing ever ends it.
    """
    delay_us = c.NEVER
    rank = c.RANK_EXPIRY
    if patience_us != c.NEVER:
        delay_us = patience_us
        rank = c.RANK_HANGUP
    if retrieval_us != c.NEVER and (delay_us == c.NEVER or retrieval_us < delay_us):
        delay_us = retrieval_us
        rank = c.RANK_RETRIEVAL
    if limit_us != c.NEVER and (delay_us == c.NEVER or limit_us < delay_us):
        delay_us = limit_us
        rank = c.RANK_EXPIRY
    return Wake(c.NEVER if delay_us == c.NEVER else parked_us + delay_us, rank)


def first_of_ring(patience_end_us: int, retrieval_us: int, answer_us: int, ring_end_us: int) -> Wake:
    """Decide the race of one ringing period: the caller hangs up, somebody fetches it, the parker answers, or it ends.

    Instants, not delays; ``NEVER`` takes no part. An answer at the very end of the period still counts, and so does a
    retrieval. (``NEVER``, ring-out) when nothing ever ends it.
    """
    time_us = c.NEVER
    rank = c.RANK_RING_OUT
    if patience_end_us != c.NEVER:
        time_us = patience_end_us
        rank = c.RANK_HANGUP
    if retrieval_us != c.NEVER and (time_us == c.NEVER or retrieval_us < time_us):
        time_us = retrieval_us
        rank = c.RANK_RETRIEVAL
    if answer_us != c.NEVER and (time_us == c.NEVER or answer_us < time_us):
        time_us = answer_us
        rank = c.RANK_ANSWER
    if ring_end_us != c.NEVER and (time_us == c.NEVER or ring_end_us < time_us):
        time_us = ring_end_us
        rank = c.RANK_RING_OUT
    return Wake(time_us, rank)


def sooner(wake: Wake, time_us: int, rank: int) -> Wake:
    """Return what comes first: ``wake``, or a clock that rings at (``time_us``, ``rank``); ``NEVER`` takes no part."""
    if time_us == c.NEVER:
        return wake
    if wake.time_us != c.NEVER and (wake.time_us < time_us or (wake.time_us == time_us and wake.rank < rank)):
        return wake
    return Wake(time_us, rank)


def longest_stay(limit_us: int, recall_to: int, forward_after_us: int) -> int:
    """Return how long a call may stay in its slot: where its parker is reminded, until it is forwarded."""
    if recall_to != c.TO_REMINDER or limit_us == c.NEVER:
        return limit_us
    return limit_us + forward_after_us


def leaves_at_time_out(recall_to: int) -> bool:
    """Tell whether a call whose stay ends by itself leaves the system."""
    return recall_to in (c.TO_ELSEWHERE, c.TO_REMINDER)


def retrieval_of_ring(parked_us: int, retrieval_us: int, now_us: int) -> int:
    """Return when somebody comes for a call whose return begins to ring now; ``NEVER`` if not after now.

    The delay runs from the park. Who came before, while the call waited for its parker, found nobody.
    """
    if retrieval_us == c.NEVER or parked_us + retrieval_us <= now_us:
        return c.NEVER
    return parked_us + retrieval_us


def after_lot_full(policy: int, asked: int, retries: int) -> int:
    """Return what a call does that was refused for the ``asked``-th time (from 1) in one request."""
    if policy == c.FULL_KEEP:
        return ASK_AGAIN if asked <= retries else TALK_ON
    return LEAVE if policy == c.FULL_DROP else OVERFLOW


def after_busy(policy: int) -> int:
    """Return what a return does that finds its parker busy."""
    if policy == c.BUSY_GROUP:
        return JOIN_GROUP
    return LEAVE if policy == c.BUSY_DROP else STAY


def after_unanswered(policy: int, attempt: int, attempts: int) -> int:
    """Return what follows the ``attempt``-th ringing period (from 1) in which nobody answered."""
    if attempt < attempts:
        return RING_AGAIN
    return JOIN_GROUP if policy == c.UNANSWERED_GROUP else LEAVE


def queue_is_full(waiting: int, limit: int) -> bool:
    """Tell whether a call that finds no free attendant is turned away (``limit`` = ``NEVER``: never)."""
    return limit != c.UNLIMITED and waiting >= limit
