"""The life of a call as a table: where it is, what may happen to it there, and where it is then.

``LIFE`` is the whole of it; what does not stand there cannot happen. Engines need no table, since their code goes from
one place to the next; whoever reads a journal that somebody else wrote looks here first.

>>> STATE_NAMES[after(IN_SLOT, EXPIRED, NO_REASON)]
'returning'
>>> after(IN_QUEUE, EXPIRED, NO_REASON) == FORBIDDEN
True
"""

from typing import Final, NamedTuple

from parksim.rules.codes import (
    ABANDONED,
    AFTER_RETRIEVAL,
    AGAIN,
    ANSWERED,
    BUSY,
    ENDED,
    EXPIRED,
    IN_LOT,
    LAST,
    LOST,
    LOT_FULL,
    NO_REASON,
    OFFERED,
    OVERFLOWED,
    PARKED,
    QUEUE_FULL,
    RECALL_ANSWERED,
    RECALL_RINGING,
    RECALL_UNANSWERED,
    REFUSED,
    RELEASED,
    RETRIEVED,
    RETURNING,
    RINGING,
    TALKED,
    UNANSWERED,
    WAITING,
)

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
    Step(BEFORE, OFFERED, NO_REASON, IN_QUEUE, "the call comes"),
    Step(IN_QUEUE, ANSWERED, NO_REASON, WITH_ATTENDANT, "an attendant takes it"),
    Step(IN_QUEUE, LOST, QUEUE_FULL, GONE, "nobody is free and there is no room to wait"),
    Step(IN_QUEUE, ABANDONED, WAITING, GONE, "the caller hangs up in the queue"),
    Step(WITH_ATTENDANT, PARKED, NO_REASON, IN_SLOT, "it gets a slot"),
    Step(WITH_ATTENDANT, REFUSED, LOT_FULL, WITH_ATTENDANT, "there is no slot for it, or not in this lot"),
    Step(WITH_ATTENDANT, ENDED, TALKED, GONE, "it is talked to and ends"),
    Step(WITH_ATTENDANT, ENDED, OVERFLOWED, GONE, "the lot is full and it leaves for another service"),
    Step(WITH_ATTENDANT, LOST, LOT_FULL, GONE, "the lot is full and it is dropped"),
    Step(IN_SLOT, RETRIEVED, NO_REASON, WITH_STAFF, "somebody fetches it"),
    Step(IN_SLOT, ABANDONED, IN_LOT, GONE, "the caller hangs up in the lot"),
    Step(IN_SLOT, EXPIRED, NO_REASON, ON_RETURN, "its time is up"),
    Step(WITH_STAFF, ENDED, AFTER_RETRIEVAL, GONE, "it is talked to by who fetched it and ends"),
    Step(ON_RETURN, RECALL_RINGING, NO_REASON, AT_PARKER, "it rings at its parker's, or rings once more"),
    Step(ON_RETURN, RECALL_ANSWERED, NO_REASON, WITH_ATTENDANT, "anybody of the group takes it"),
    Step(ON_RETURN, ABANDONED, RETURNING, GONE, "the caller hangs up on the way back"),
    Step(ON_RETURN, LOST, BUSY, GONE, "its parker is busy and it is dropped"),
    Step(ON_RETURN, LOST, UNANSWERED, GONE, "it rang in vain and is dropped"),
    Step(AT_PARKER, RECALL_ANSWERED, NO_REASON, WITH_ATTENDANT, "its parker takes it"),
    Step(AT_PARKER, RECALL_UNANSWERED, AGAIN, ON_RETURN, "a period ends in vain and another follows"),
    Step(AT_PARKER, RECALL_UNANSWERED, LAST, ON_RETURN, "the last period ends in vain"),
    Step(AT_PARKER, ABANDONED, RINGING, GONE, "the caller hangs up while it rings"),
    # The announcement is the attendant's; the call meanwhile goes its way, and may even be over.
    Step(IN_SLOT, RELEASED, NO_REASON, IN_SLOT, "it has been announced and is in its slot"),
    Step(WITH_STAFF, RELEASED, NO_REASON, WITH_STAFF, "it has been announced and was fetched before"),
    Step(ON_RETURN, RELEASED, NO_REASON, ON_RETURN, "it has been announced and is on its way back"),
    Step(WITH_ATTENDANT, RELEASED, NO_REASON, WITH_ATTENDANT, "it has been announced and another attendant has it"),
    Step(GONE, RELEASED, NO_REASON, GONE, "it has been announced and is over"),
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
