"""The forms in which hand-computed cases are written: settings, calls and facts with sensible constants.

All times are microseconds and small, so that a case can be followed on the fingers.
"""

from typing import Any, NamedTuple

import numpy as np

from parksim.rules import codes as c
from parksim.scenario.model import Settings
from parksim.scenario.workload import Workload

Row = tuple[int, ...]
"""time_us, deadline_us, call, lot, slot, extension, kind, reason."""

Columns = dict[str, Any]
"""What differs from the constants for one call."""


class Case(NamedTuple):
    """A scenario small enough to be worked out by hand, and the journal that came out."""

    name: str
    why: str
    """How the rows follow, in words."""
    settings: Settings
    workload: Workload
    rows: list[Row]
    meets: tuple[tuple[int, int], ...]
    """Pairs of ranks whose order at one instant the case shows: the other order gives another journal."""


def settings(**changes: Any) -> Settings:
    """One attendant, a queue and staff without end, one slot, nothing fancy."""
    plain = Settings(
        attendants=1,
        staff=-1,
        queue_limit=-1,
        max_parks=1,
        announcement_us=0,
        when_full=c.FULL_KEEP,
        retries=0,
        retry_after_us=10,
        recall_to=c.TO_PARKER,
        ring_us=30,
        attempts=1,
        busy=c.BUSY_WAIT,
        unanswered=c.UNANSWERED_GROUP,
        slots=(1,),
        choices=(c.CHOOSE_LOWEST,) * len(changes.get("slots", (1,))),
    )
    return plain._replace(**changes)


def parks(at: int = 0, **columns: Any) -> Columns:
    """A call that is parked after 10 us, by its first attendant only; nobody comes for it and it has patience."""
    return {"arrival_us": at, "wants_park": (1, 0), **columns}


def talks(at: int = 0, **columns: Any) -> Columns:
    """A call that is not to be parked: handled for 10 us, then 20 us of talk."""
    return {"arrival_us": at, "wants_park": 0, **columns}


PLAIN = {
    "arrival_us": 0,
    "queue_patience_us": c.NEVER,
    "lot": 0,
    "handling_us": 10,
    "talk_us": 20,
    "wants_park": 1,
    "max_in_parking_us": 100,
    "patience_us": c.NEVER,
    "retrieval_us": c.NEVER,
    "staff_talk_us": 20,
    "slot_u": 0,
    "answer_us": 0,
    "recall_patience_us": c.NEVER,
}
"""The constants of a call. A column with one number for each park is given as a number, good for all, or as a tuple
whose last number is good for all further ones."""


def workload(*calls: Columns, max_parks: int = 1) -> Workload:
    """The columns of these calls, in this order."""
    full = [PLAIN | call for call in calls]
    once = ("arrival_us", "queue_patience_us", "lot")
    once_more = ("handling_us", "talk_us")
    columns = {}
    for name in Workload._fields:
        given = [call[name] for call in full]
        ks = range(max_parks + (name in once_more))
        table = given if name in once else [[_with_parks(value, k) for value in given] for k in ks]
        columns[name] = np.array(table, dtype=np.int8 if name == "wants_park" else np.int64)
    return Workload(**columns)


def _with_parks(value: int | tuple[int, ...], k: int) -> int:
    return value[min(k, len(value) - 1)] if isinstance(value, tuple) else value


# Facts, each with what its row holds; everything else in the row is -1 or 0.


def offered(at: int, call: int) -> Row:
    """A new call."""
    return (at, -1, call, -1, -1, -1, c.OFFERED, 0)


def answered(at: int, call: int, by: int) -> Row:
    """An attendant has a new call."""
    return (at, -1, call, -1, -1, by, c.ANSWERED, 0)


def refused(at: int, call: int, by: int, lot: int = 0) -> Row:
    """No slot is free."""
    return (at, -1, call, lot, -1, by, c.REFUSED, c.LOT_FULL)


def parked(at: int, call: int, slot: int, by: int, until: int, lot: int = 0) -> Row:
    """A call is in the lot, until then at the latest."""
    return (at, until, call, lot, slot, by, c.PARKED, 0)


def released(at: int, call: int, by: int) -> Row:
    """An attendant has announced the call."""
    return (at, -1, call, -1, -1, by, c.RELEASED, 0)


def retrieved(at: int, call: int, slot: int, by: int, lot: int = 0) -> Row:
    """A member took the call out of the lot."""
    return (at, -1, call, lot, slot, by, c.RETRIEVED, 0)


def slot_taken(at: int, call: int, slot: int, by: int, lot: int = 0) -> Row:
    """The slot asked for is taken."""
    return (at, -1, call, lot, slot, by, c.REFUSED, c.SLOT_TAKEN)


def retrieved_stranger(at: int, call: int, slot: int, by: int, lot: int = 0) -> Row:
    """Somebody took the call out of the lot who did not come for it."""
    return (at, -1, call, lot, slot, by, c.RETRIEVED, c.STRANGER)


def reminded(at: int, call: int, slot: int, parker: int, until: int, reason: int = c.NO_REASON) -> Row:
    """The parker is reminded of a call, which stays; ``until`` the next reminder, or until it is forwarded."""
    return (at, until, call, 0, slot, parker, c.REMINDED, reason)


def resumed(at: int, call: int, slot: int, parker: int) -> Row:
    """The parker, reminded, takes the call back."""
    return (at, -1, call, 0, slot, parker, c.RETRIEVED, c.ON_REMINDER)


def retrieved_ringing(at: int, call: int, by: int) -> Row:
    """A member took the call while its return rang."""
    return (at, -1, call, -1, -1, by, c.RETRIEVED, c.RINGING)


def gave_up_waiting(at: int, call: int) -> Row:
    """The caller hung up in the queue."""
    return (at, -1, call, -1, -1, -1, c.ABANDONED, c.WAITING)


def gave_up_parked(at: int, call: int, slot: int, parker: int, lot: int = 0) -> Row:
    """The caller hung up in the lot."""
    return (at, -1, call, lot, slot, parker, c.ABANDONED, c.IN_LOT)


def gave_up_returning(at: int, call: int) -> Row:
    """The caller hung up while its return waited."""
    return (at, -1, call, -1, -1, -1, c.ABANDONED, c.RETURNING)


def gave_up_ringing(at: int, call: int, freed: int) -> Row:
    """The caller hung up while its return rang."""
    return (at, -1, call, -1, -1, freed, c.ABANDONED, c.RINGING)


def expired(at: int, call: int, slot: int, parker: int, lot: int = 0) -> Row:
    """The time in the lot is up."""
    return (at, -1, call, lot, slot, parker, c.EXPIRED, 0)


def rings(at: int, call: int, parker: int, until: int) -> Row:
    """A period of ringing begins."""
    return (at, until, call, -1, -1, parker, c.RECALL_RINGING, 0)


def recalled(at: int, call: int, by: int) -> Row:
    """An attendant has the return."""
    return (at, -1, call, -1, -1, by, c.RECALL_ANSWERED, 0)


def unanswered(at: int, call: int, parker: int, reason: int = c.LAST) -> Row:
    """A period of ringing ends in vain; ``reason`` says whether another one follows."""
    return (at, -1, call, -1, -1, parker, c.RECALL_UNANSWERED, reason)


def ended(at: int, call: int, freed: int, reason: int = c.TALKED) -> Row:
    """The call ends as it should."""
    return (at, -1, call, -1, -1, freed, c.ENDED, reason)


def lost(at: int, call: int, reason: int, extension: int = c.NOBODY) -> Row:
    """The call ends for a want of the system's."""
    return (at, -1, call, -1, -1, extension, c.LOST, reason)
