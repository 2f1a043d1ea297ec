"""The switchboard without limits, on the calls that a replication has drawn: array operations, no event loop.

Attendants, slots and staff are unlimited, so no call waits for another one, and each goes its way by its own columns.
``lives`` has the instants of all calls; an engine whose limits are never reached makes the same facts. ``totals`` adds
them up over a window. What is to be expected of these sums is known (``studies.ideal.expectations``), so they serve as
controls of the replication (``studies.controls``).
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from parksim.journal.measures import Mask
from parksim.journal.tally import Ints
from parksim.rules import codes as c
from parksim.scenario.model import Settings
from parksim.scenario.workload import Workload

TOTALS: Final = (
    "calls",
    "park_requests",
    "retrieved",
    "hung_up",
    "returns",
    "stay_s",
    "requests_at_full",
    "busy_slot_s",
    "full_s",
    "time_outs",
    "attended_s",
    "staff_s",
)
"""What ``totals`` returns, in this order; ``studies.ideal.expectations`` says what each is."""
_NEVER_US: Final = np.iinfo(np.int64).max // 8
"""Later than anything that happens."""


class Lives(NamedTuple):
    """Where all calls are when nothing is limited.

    Attributes:
        call: Of each stay in a lot the call's number, shape (stays,).
        lot: Its lot.
        parked_us: When it began; nobody waits, so this is the park request too.
        left_us: When it ended.
        ended_by: ``RETRIEVED``, ``ABANDONED`` or ``EXPIRED``.
        staff_us: How long the staff talk to it afterwards; 0 where it was not fetched.
        attended_call: Of each time that an attendant was taken the call's number, shape (times,).
        taken_us: When that was.
        free_us: When the attendant got free.
    """

    call: Ints
    lot: Ints
    parked_us: Ints
    left_us: Ints
    ended_by: Ints
    staff_us: Ints
    attended_call: Ints
    taken_us: Ints
    free_us: Ints


def lives(settings: Settings, workload: Workload) -> Lives:
    """Return the lives of all calls of ``workload``; of ``settings`` the limits do not count."""
    call, taken_us = np.arange(len(workload.arrival_us)), np.asarray(workload.arrival_us)
    stays: list[tuple[Ints, ...]] = []
    attended: list[tuple[Ints, ...]] = []
    for parks in range(settings.max_parks):
        decided_us = taken_us + workload.handling_us[parks][call]
        wants = workload.wants_park[parks][call] != 0
        talk_us = np.where(wants, settings.announcement_us, workload.talk_us[parks][call])
        attended.append((call, taken_us, decided_us + talk_us))
        call, parked_us = call[wants], decided_us[wants]
        ends_us = [_or_never(column[parks][call]) for column in (workload.patience_us, workload.retrieval_us)]
        stay_us = np.minimum(np.minimum(*ends_us), _or_never(workload.max_in_parking_us[parks][call]))
        ended_by = np.where(ends_us[1] == stay_us, c.RETRIEVED, c.EXPIRED)
        ended_by[ends_us[0] == stay_us] = c.ABANDONED  # of equal instants the caller goes before the retriever
        left_us = parked_us + stay_us
        staff_us = np.where(ended_by == c.RETRIEVED, workload.staff_talk_us[parks][call], 0)
        stays.append((call, workload.lot[call], parked_us, left_us, ended_by, staff_us))
        expired = ended_by == c.EXPIRED
        call, left_us = call[expired], left_us[expired]
        answered, rung_us = _rung(settings, workload, parks, call)
        if settings.recall_to == c.TO_PARKER:
            attended.append((call, left_us, left_us + rung_us))
        call, taken_us = call[answered], (left_us + rung_us)[answered]
    last = settings.max_parks
    ended_us = taken_us + workload.handling_us[last][call] + workload.talk_us[last][call]
    attended.append((call, taken_us, ended_us))
    return Lives(*map(np.concatenate, zip(*stays, strict=True)), *map(np.concatenate, zip(*attended, strict=True)))


def _or_never(column: Ints) -> Ints:
    """Return durations, with a very long one for ``NEVER``."""
    return np.where(column == c.NEVER, _NEVER_US, column)


def _rung(settings: Settings, workload: Workload, parks: int, call: Ints) -> tuple[Mask, Ints]:
    """Return which returns are answered in the end, and how long each rings before."""
    if settings.recall_to == c.TO_ELSEWHERE:
        return np.zeros(len(call), np.bool_), np.zeros(len(call), np.int64)
    patience_us = _or_never(workload.recall_patience_us[parks][call])
    if settings.recall_to == c.TO_GROUP:
        return patience_us > 0, np.zeros(len(call), np.int64)
    answer_us = _or_never(workload.answer_us[parks][call])
    ring_us = _NEVER_US if settings.ring_us == c.UNLIMITED else settings.ring_us * settings.attempts
    rung_us = np.minimum(np.minimum(patience_us, answer_us), ring_us)
    answered = patience_us > rung_us
    if settings.unanswered != c.UNANSWERED_GROUP:
        answered &= answer_us == rung_us
    return answered, rung_us


def totals(settings: Settings, workload: Workload, window: tuple[int, int]) -> NDArray[np.float64]:
    """Return the sums of one replication without limits, in the order of ``TOTALS``.

    Counts are of the calls offered in [window[0], window[1]) us, each followed to its end; times are in that window.
    A lot is at full where it holds as many calls as it has slots, or more.
    """
    low_us, high_us = window
    first, end = np.searchsorted(workload.arrival_us, window).tolist()
    life = lives(settings, workload)
    counted = (life.call >= first) & (life.call < end)
    ended_by = life.ended_by[counted]
    time_outs_us = life.left_us[life.ended_by == c.EXPIRED]
    requests_at_full, full_us = 0, 0
    for lot, slots in enumerate(settings.slots):
        here = life.lot == lot if len(settings.slots) > 1 else slice(None)
        parked_us, left_us = life.parked_us[here], life.left_us[here]
        found, one_us = _at_least(slots, parked_us, left_us, parked_us[counted[here]], window)
        requests_at_full, full_us = requests_at_full + found, full_us + one_us
    fetched_us = life.left_us[life.staff_us > 0]
    talked_us = fetched_us + life.staff_us[life.staff_us > 0]
    values = {
        "calls": end - first,
        "park_requests": len(ended_by),
        "retrieved": np.count_nonzero(ended_by == c.RETRIEVED),
        "hung_up": np.count_nonzero(ended_by == c.ABANDONED),
        "returns": np.count_nonzero(ended_by == c.EXPIRED),
        "stay_s": int((life.left_us - life.parked_us)[counted].sum()) / 1e6,
        "requests_at_full": requests_at_full,
        "busy_slot_s": int(_inside_us(life.parked_us, life.left_us, window).sum()) / 1e6,
        "full_s": full_us / 1e6,
        "time_outs": np.count_nonzero((time_outs_us >= low_us) & (time_outs_us < high_us)),
        "attended_s": int(_inside_us(life.taken_us, life.free_us, window).sum()) / 1e6,
        "staff_s": int(_inside_us(fetched_us, talked_us, window).sum()) / 1e6,
    }
    return np.array([values[name] for name in TOTALS], np.float64)


def _at_least(level: int, from_us: Ints, until_us: Ints, at_us: Ints, window: tuple[int, int]) -> tuple[int, int]:
    """Return at how many of some instants at least ``level`` intervals last, and for how long in the window.

    An interval that begins at an instant does not count there, nor does one that ends there.
    """
    lasts = until_us > from_us
    begins, ends = np.sort(from_us[lasts]), np.sort(until_us[lasts])
    at_us = np.sort(at_us)
    lasting = np.searchsorted(begins, at_us) - np.searchsorted(ends, at_us, side="right")
    # From when the n-th began until the next one does, at least ``level`` last until n + 1 - level have ended.
    full_us, next_us = begins[level - 1 :], np.append(begins[level:], _NEVER_US)[: max(0, len(begins) - level + 1)]
    until_us = np.minimum(ends[: len(full_us)], next_us)
    over_us = _inside_us(full_us, until_us, window).clip(0)
    return int(np.count_nonzero(lasting >= level)), int(over_us.sum())


def _inside_us(from_us: Ints, until_us: Ints, window: tuple[int, int]) -> Ints:
    """Return how much of each interval lies in the window."""
    return np.clip(until_us, *window) - np.clip(from_us, *window)
