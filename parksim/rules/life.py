"""The life of a call as a table: where it is, what may happen to it there, and where it is then.

``LIFE`` is the whole of it; what does not stand there cannot happen. Engines need no table, since their code goes from
one place to the next; a reader of a journal that somebody else wrote looks here first.

>>> STATE_NAMES[after(IN_SLOT, c.EXPIRED, c.NO_REASON)]
'returning'
>>> after(IN_QUEUE, c.EXPIRED, c.NO_REASON) == FORBIDDEN
True
"""

from typing import Final, NamedTuple

from parksim.rules import codes as c

FORBIDDEN: Final = -1
"""No state: this cannot happen to a call that is there."""

BEFORE: Final = 0
IN_QUEUE: Final = 1
WITH_ATTENDANT: Final = 2
IN_SLOT: Final = 3
WITH_STAFF: Final = 4
ON_RETURN: Final = 5
AT_PARKER: Final = 6
GONE: Final = 7
STATE_NAMES: Final = (
    "not yet offered",
    "in the queue",
    "with an attendant",
    "parked",
    "with the staff",
    "returning",
    "ringing",
    "gone",
)


class Step(NamedTuple):
    """One row of the table: in ``state`` the fact (``kind``, ``reason``) may happen and leads to ``then``."""

    state: int
    kind: int
    reason: int
    then: int
    label: str


LIFE: Final = (
    Step(BEFORE, c.OFFERED, c.NO_REASON, IN_QUEUE, "the call comes"),
    Step(IN_QUEUE, c.ANSWERED, c.NO_REASON, WITH_ATTENDANT, "an attendant takes it"),
    Step(IN_QUEUE, c.LOST, c.QUEUE_FULL, GONE, "nobody is free and there is no room to wait"),
    Step(IN_QUEUE, c.ABANDONED, c.WAITING, GONE, "the caller hangs up in the queue"),
    Step(WITH_ATTENDANT, c.PARKED, c.NO_REASON, IN_SLOT, "it gets a slot"),
    Step(WITH_ATTENDANT, c.REFUSED, c.LOT_FULL, WITH_ATTENDANT, "there is no slot for it, or not in this lot"),
    Step(WITH_ATTENDANT, c.ENDED, c.TALKED, GONE, "it is talked to and ends"),
    Step(WITH_ATTENDANT, c.ENDED, c.OVERFLOWED, GONE, "the lot is full and it leaves for another service"),
    Step(WITH_ATTENDANT, c.LOST, c.LOT_FULL, GONE, "the lot is full and it is dropped"),
    Step(WITH_ATTENDANT, c.REFUSED, c.SLOT_TAKEN, WITH_ATTENDANT, "the slot asked for is taken"),
    Step(WITH_ATTENDANT, c.LOST, c.SLOT_TAKEN, GONE, "the slot asked for is taken and it is dropped"),
    Step(WITH_ATTENDANT, c.LOST, c.MET, GONE, "it is connected with the call in the slot asked for"),
    Step(IN_SLOT, c.RETRIEVED, c.STRANGER, WITH_STAFF, "somebody fetches it who did not come for it"),
    Step(WITH_STAFF, c.LOST, c.MET, GONE, "it is connected with a call that was to be parked in its slot"),
    Step(IN_SLOT, c.RETRIEVED, c.NO_REASON, WITH_STAFF, "somebody fetches it"),
    Step(IN_SLOT, c.REMINDED, c.NO_REASON, IN_SLOT, "its parker is reminded of it"),
    Step(IN_SLOT, c.REMINDED, c.AGAIN, IN_SLOT, "its parker is reminded once more"),
    Step(IN_SLOT, c.RETRIEVED, c.ON_REMINDER, WITH_ATTENDANT, "its parker, reminded, takes it back"),
    Step(IN_SLOT, c.ABANDONED, c.IN_LOT, GONE, "the caller hangs up in the lot"),
    Step(IN_SLOT, c.EXPIRED, c.NO_REASON, ON_RETURN, "its time is up"),
    Step(WITH_STAFF, c.ENDED, c.AFTER_RETRIEVAL, GONE, "it is talked to by who fetched it and ends"),
    Step(ON_RETURN, c.RECALL_RINGING, c.NO_REASON, AT_PARKER, "it rings at its parker's, or rings once more"),
    Step(ON_RETURN, c.RECALL_ANSWERED, c.NO_REASON, WITH_ATTENDANT, "anybody of the group takes it"),
    Step(ON_RETURN, c.ABANDONED, c.RETURNING, GONE, "the caller hangs up on the way back"),
    Step(ON_RETURN, c.ENDED, c.FORWARDED, GONE, "it leaves for voicemail or another number"),
    Step(ON_RETURN, c.LOST, c.BUSY, GONE, "its parker is busy and it is dropped"),
    Step(ON_RETURN, c.LOST, c.UNANSWERED, GONE, "it rang in vain and is dropped"),
    Step(AT_PARKER, c.RECALL_ANSWERED, c.NO_REASON, WITH_ATTENDANT, "its parker takes it"),
    Step(AT_PARKER, c.RECALL_UNANSWERED, c.AGAIN, ON_RETURN, "a period ends in vain and another follows"),
    Step(AT_PARKER, c.RECALL_UNANSWERED, c.LAST, ON_RETURN, "the last period ends in vain"),
    Step(AT_PARKER, c.RECALL_UNANSWERED, c.FETCHED, ON_RETURN, "somebody else takes it while it rings"),
    Step(ON_RETURN, c.RETRIEVED, c.RINGING, WITH_STAFF, "it is fetched while it rang"),
    Step(AT_PARKER, c.ABANDONED, c.RINGING, GONE, "the caller hangs up while it rings"),
    # The announcement is the attendant's; the call meanwhile goes its way, and may even be over.
    Step(IN_SLOT, c.RELEASED, c.NO_REASON, IN_SLOT, "it has been announced and is in its slot"),
    Step(WITH_STAFF, c.RELEASED, c.NO_REASON, WITH_STAFF, "it has been announced and was fetched before"),
    Step(ON_RETURN, c.RELEASED, c.NO_REASON, ON_RETURN, "it has been announced and is on its way back"),
    Step(WITH_ATTENDANT, c.RELEASED, c.NO_REASON, WITH_ATTENDANT, "it has been announced and another attendant has it"),
    Step(GONE, c.RELEASED, c.NO_REASON, GONE, "it has been announced and is over"),
)
"""Everything that may happen to a call, in the order of its life."""

_THEN: Final = {(step.state, step.kind, step.reason): step.then for step in LIFE}


def after(state: int, kind: int, reason: int) -> int:
    """Return where a call in ``state`` is after the fact (``kind``, ``reason``), or ``FORBIDDEN``."""
    return _THEN.get((state, kind, reason), FORBIDDEN)


__all__ = [
    "AT_PARKER",
    "BEFORE",
    "FORBIDDEN",
    "GONE",
    "IN_QUEUE",
    "IN_SLOT",
    "LIFE",
    "ON_RETURN",
    "STATE_NAMES",
    "WITH_ATTENDANT",
    "WITH_STAFF",
    "Step",
    "after",
]
