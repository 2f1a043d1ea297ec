"""Facts counted as they happen: one fold over facts, from which all measures of a replication are made.

``count`` takes one fact after the other. The kernel compiles it as it does the rules, and counts a study's facts
without keeping them; ``journal.measures`` gets the same numbers from a whole journal by array operations, which is
quicker where ``count`` would run interpreted. All numbers are integers, so they are equal, not nearly equal.
"""

from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from parksim.rules import codes as c
from parksim.scenario.model import Settings
from parksim.scenario.quantities import HOUR_US, HOURS

Ints = NDArray[np.int64]


class Window(NamedTuple):
    """What is counted: calls offered in [warm_up_us, horizon_us), time in the same interval."""

    warm_up_us: int
    horizon_us: int

    @property
    def length_us(self) -> int:
        """Length of the window."""
        return self.horizon_us - self.warm_up_us


class Tally(NamedTuple):
    """What a replication comes to, in integers. A call is counted if it was offered in the window."""

    facts: Ints
    """[kind][reason]: how many facts of counted calls."""
    of_hour: Ints
    """[``OFFERS`` ... ``IN_TIME``][hour of the day]: how many."""
    of_lot: Ints
    """[``PARKS``, ``REFUSALS``, ``EXPIRIES``][lot]: how many, of counted calls."""
    level_us: Ints
    """[number of slots taken]: time in the window."""
    slot_us: Ints
    """[slot, through all lots]: time in the window in which it is taken."""
    busy_us: Ints
    """[``SLOTS``, ``ATTENDANTS``, ``OVERTIME``][stretch of the window]: busy time of all together."""
    sums: Ints
    """[``STAFF_US``, ``RUNG_AT_ONCE``, ``REUSED``]: busy time of the staff in the window; time-outs of counted calls
    whose parker rang at the same instant; parks of counted calls in a slot that was free for ``REUSED_US`` at most."""
    stays_us: Ints
    """The stays of counted calls, in any order."""
    waits_us: Ints
    """The waits of counted calls that were answered and waited at all, in any order."""


PARKS, REFUSALS, EXPIRIES, OFFERS, TIME_OUTS, IN_TIME = range(6)
"""Of counted calls, in the hour in which: a slot was taken; a park was refused; a stay began that timed out; a call was
offered; (time-outs in the window of all calls); a call was offered that was answered in time."""
SLOTS, ATTENDANTS, OVERTIME = range(3)
STAFF_US, RUNG_AT_ONCE, REUSED = range(3)
REUSED_US: Final = 60_000_000
"""A slot that is given again so soon has a number that people may still have in mind."""


class Count(NamedTuple):
    """A tally as it is made, and what must be remembered for it from fact to fact."""

    tally: Tally
    offered_us: Ints
    """[call]: when it was offered; the calls after the last one offered so far are not looked at."""
    bounds_us: Ints
    """The cuts of the window, its ends among them."""
    duty: Ints
    """[stretch]: how many attendants are on duty."""
    first_slot: Ints
    """[lot]: the number of its first slot, counted through all lots."""
    since_us: Ints
    """[slot, then extension]: since when it is taken, ``NEVER`` where it is free; a slot that became free at t has
    -2 - t."""
    expired: Ints
    """The calls that timed out at ``EXPIRED_US`` and have not rung."""
    now: Ints
    """The numbers below."""


FIRST, END, TARGET_US, ANNOUNCES, LEVEL, LEVEL_US, STRETCH, STAYS, WAITS, EXPIRED, EXPIRED_US, HOUR, HOUR_END_US = (
    range(13)
)


def count(its: Count, time_us: int, call: int, lot: int, slot: int, extension: int, kind: int, reason: int) -> None:
    """Count one fact in; a journal is counted from its first fact to its last."""
    tally, now = its.tally, its.now
    counted = now[FIRST] <= call < now[END]
    if counted:
        tally.facts[kind, reason] += 1
    if time_us >= now[HOUR_END_US]:
        now[HOUR_END_US] = (time_us // HOUR_US + 1) * HOUR_US
        now[HOUR] = time_us // HOUR_US % HOURS
    hour, slots = now[HOUR], len(tally.slot_us)
    if kind == c.OFFERED:
        if counted:
            tally.of_hour[OFFERS, hour] += 1
    elif kind == c.ANSWERED:
        take(its, slots, extension, time_us)
        if counted:
            count_wait(its, its.offered_us[call], time_us, hour)
    elif kind == c.REFUSED:
        if counted:
            tally.of_hour[REFUSALS, hour] += 1
            tally.of_lot[REFUSALS, lot] += 1
    elif kind == c.PARKED:
        change_level(its, 1, time_us)
        place = its.first_slot[lot] + slot
        freed_us = -2 - its.since_us[place]
        its.since_us[place] = time_us
        if counted:
            tally.sums[REUSED] += freed_us >= 0 and time_us - freed_us <= REUSED_US
            tally.of_hour[PARKS, hour] += 1
            tally.of_lot[PARKS, lot] += 1
        if now[ANNOUNCES] == 0:
            free(its, slots, extension, time_us)
    elif (
        kind == c.EXPIRED
        or (kind == c.RETRIEVED and reason != c.RINGING)
        or (kind == c.ABANDONED and reason == c.IN_LOT)
    ):
        from_us = count_stay(its, its.first_slot[lot] + slot, time_us, counted)
        if kind == c.RETRIEVED:
            take(its, slots, extension, time_us)
        elif kind == c.EXPIRED:
            if its.bounds_us[0] <= time_us < its.bounds_us[-1]:
                tally.of_hour[TIME_OUTS, hour] += 1
            if counted:
                tally.of_lot[EXPIRIES, lot] += 1
                count_expiry(its, call, from_us, time_us)
    elif kind == c.RECALL_RINGING:
        take(its, slots, extension, time_us)
        if counted and now[EXPIRED_US] == time_us:
            for place in range(now[EXPIRED]):
                if its.expired[place] == call:
                    its.expired[place] = c.NOBODY
                    tally.sums[RUNG_AT_ONCE] += 1
    elif kind in (c.RECALL_ANSWERED, c.RETRIEVED):
        take(its, slots, extension, time_us)
    elif kind == c.ENDED and reason == c.AFTER_RETRIEVAL:
        if extension != c.NOBODY:
            tally.sums[STAFF_US] += within(its, time_us) - within(its, its.since_us[slots + extension])
            its.since_us[slots + extension] = c.NEVER
    elif kind != c.REMINDED and (kind != c.ABANDONED or reason == c.RINGING):
        free(its, slots, extension, time_us)


def count_expiry(its: Count, call: int, from_us: int, time_us: int) -> None:
    """Count a time-out for the hour of its park, and keep the call until it is known whether its parker rings now."""
    now = its.now
    its.tally.of_hour[EXPIRIES, from_us // HOUR_US % HOURS] += 1
    if now[EXPIRED_US] != time_us:
        now[EXPIRED_US], now[EXPIRED] = time_us, 0
    its.expired[now[EXPIRED]] = call
    now[EXPIRED] += 1


def count_wait(its: Count, from_us: int, until_us: int, hour: int) -> None:
    """Count the wait of an answered call; ``hour`` is that of the answer."""
    tally, now = its.tally, its.now
    wait_us = until_us - from_us
    if wait_us > 0:
        tally.waits_us[now[WAITS]] = wait_us
        now[WAITS] += 1
    if wait_us <= now[TARGET_US]:
        tally.of_hour[IN_TIME, hour if wait_us == 0 else from_us // HOUR_US % HOURS] += 1


def count_stay(its: Count, place: int, until_us: int, counted: bool) -> int:
    """Count a stay that ends, in the slot ``place``, and return when it began."""
    tally, now = its.tally, its.now
    from_us: int = its.since_us[place]
    its.since_us[place] = -2 - until_us
    change_level(its, -1, until_us)
    tally.slot_us[place] += within(its, until_us) - within(its, from_us)
    spread(its, SLOTS, c.NOBODY, from_us, until_us)
    if counted:
        tally.stays_us[now[STAYS]] = until_us - from_us
        now[STAYS] += 1
    return from_us


def take(its: Count, slots: int, extension: int, time_us: int) -> None:
    """Take an extension; one that rang before it answers is taken already."""
    if extension != c.NOBODY and its.since_us[slots + extension] == c.NEVER:
        its.since_us[slots + extension] = time_us


def free(its: Count, slots: int, extension: int, time_us: int) -> None:
    """Free an attendant, if it is one and taken."""
    if extension != c.NOBODY and its.since_us[slots + extension] != c.NEVER:
        spread(its, ATTENDANTS, extension, its.since_us[slots + extension], time_us)
        its.since_us[slots + extension] = c.NEVER


def within(its: Count, time_us: int) -> int:
    """Return the instant of the window that is nearest to an instant."""
    at_us: int = min(max(time_us, its.bounds_us[0]), its.bounds_us[-1])
    return at_us


def change_level(its: Count, more: int, time_us: int) -> None:
    """Let ``more`` more slots be taken."""
    now, at_us = its.now, within(its, time_us)
    its.tally.level_us[now[LEVEL]] += at_us - now[LEVEL_US]
    now[LEVEL] += more
    now[LEVEL_US] = at_us


def spread(its: Count, whose: int, extension: int, from_us: int, until_us: int) -> None:
    """Add the time from ``from_us`` until now, ``until_us``, to the stretches of the window in which it lies."""
    bounds_us, now = its.bounds_us, its.now
    while now[STRETCH] < len(bounds_us) and bounds_us[now[STRETCH]] <= until_us:
        now[STRETCH] += 1
    stretch, end_us = now[STRETCH] - 1, until_us
    while stretch >= 0 and from_us < end_us:
        begin_us = max(from_us, bounds_us[stretch])
        if stretch < len(its.duty):
            its.tally.busy_us[whose, stretch] += end_us - begin_us
            if whose == ATTENDANTS and extension >= its.duty[stretch]:
                its.tally.busy_us[OVERTIME, stretch] += end_us - begin_us
        end_us = begin_us
        stretch -= 1


# From outside ----------------------------------------------------------------------------------------------------


@lru_cache(maxsize=16)
def stretches(counts: tuple[int, ...], period_us: int, window: Window) -> tuple[Ints, Ints, Ints]:
    """Cut the window at every full hour and wherever the number on duty may change.

    Returns the cuts (the window's ends among them) and, of each stretch between two, its hour of day and how many
    attendants are on duty.
    """
    cuts = [
        np.arange(window.warm_up_us // length_us + 1, -(-window.horizon_us // length_us)) * length_us
        for length_us in ((HOUR_US, period_us) if len(set(counts)) > 1 else (HOUR_US,))
    ]
    bounds_us = np.unique(np.concatenate((window, *cuts)))
    starts_us = bounds_us[:-1]
    return bounds_us, starts_us // HOUR_US % HOURS, np.array(counts)[starts_us // period_us % len(counts)]


def stretches_of(settings: Settings, window: Window) -> tuple[Ints, Ints, Ints]:
    """Return the ``stretches`` of a scenario; how many are on duty matters only where attendants are limited."""
    return stretches(settings.counts or (settings.attendants,), settings.period_us, window)


def new_count(settings: Settings, window: Window, target_us: int, offered_us: Ints) -> Count:
    """Return a count before the first fact.

    Args:
        settings: of the scenario.
        window: what is counted.
        target_us: the wait within which an answer counts as in time.
        offered_us: when each call is offered, shape (calls,).
    """
    bounds_us, _, duty = stretches_of(settings, window)
    slots, lots = sum(settings.slots), len(settings.slots)
    first, end = np.searchsorted(offered_us, window).tolist()
    now = np.zeros(HOUR_END_US + 1, np.int64)
    now[[FIRST, END, TARGET_US, ANNOUNCES]] = first, end, target_us, settings.announcement_us
    now[[LEVEL_US, EXPIRED_US]] = window.warm_up_us, c.NEVER
    tally = Tally(
        facts=np.zeros((len(c.KIND_NAMES), len(c.REASON_NAMES)), np.int64),
        of_hour=np.zeros((IN_TIME + 1, HOURS), np.int64),
        of_lot=np.zeros((EXPIRIES + 1, lots), np.int64),
        level_us=np.zeros(slots + 1, np.int64),
        slot_us=np.zeros(slots, np.int64),
        busy_us=np.zeros((OVERTIME + 1, len(duty)), np.int64),
        sums=np.zeros(REUSED + 1, np.int64),
        stays_us=np.empty(settings.max_parks * (end - first), np.int64),
        waits_us=np.empty(end - first, np.int64),
    )
    return Count(
        tally=tally,
        offered_us=offered_us,
        bounds_us=bounds_us,
        duty=duty,
        first_slot=np.cumsum((0, *settings.slots))[:-1],
        since_us=np.full(slots + max(settings.attendants, 0) + max(settings.staff, 0), c.NEVER, np.int64),
        expired=np.empty(slots, np.int64),
        now=now,
    )


def finished(its: Count) -> Tally:
    """Return the tally after the last fact."""
    tally, now = its.tally, its.now
    tally.level_us[now[LEVEL]] += its.bounds_us[-1] - now[LEVEL_US]
    return tally._replace(stays_us=tally.stays_us[: now[STAYS]], waits_us=tally.waits_us[: now[WAITS]])
