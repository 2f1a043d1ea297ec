"""Facts, reasons, ranks and policies: integers with names.

They are plain integers because they stand in the journal's columns and because the same rules are compiled for
the kernel. Names for people are the ``*_NAMES`` tuples, indexed by the code. Codes are append-only: a code once
written to a journal never changes its meaning.
"""

from typing import Final

NOBODY: Final = -1
"""No extension, no call, no slot, no lot."""
NEVER: Final = -1
"""No instant: a patience without end, a timer that is off."""
UNLIMITED: Final = -1
"""As a number of attendants, of staff, of calls in the queue: no limit."""

# Kinds of facts, in the order of a call's life.
OFFERED: Final = 0
ANSWERED: Final = 1
REFUSED: Final = 2
PARKED: Final = 3
RELEASED: Final = 4
RETRIEVED: Final = 5
ABANDONED: Final = 6
EXPIRED: Final = 7
RECALL_RINGING: Final = 8
RECALL_ANSWERED: Final = 9
RECALL_UNANSWERED: Final = 10
ENDED: Final = 11
LOST: Final = 12
REMINDED: Final = 13
KIND_NAMES: Final = (
    *("OFFERED", "ANSWERED", "REFUSED", "PARKED", "RELEASED", "RETRIEVED", "ABANDONED", "EXPIRED"),
    *("RECALL_RINGING", "RECALL_ANSWERED", "RECALL_UNANSWERED", "ENDED", "LOST", "REMINDED"),
)

# Reasons: where, or why. One code has one meaning, with every kind.
NO_REASON: Final = 0
WAITING: Final = 1  # ABANDONED in the queue for an attendant
IN_LOT: Final = 2  # ABANDONED in the lot
RETURNING: Final = 3  # ABANDONED after the time-out, before the parker's telephone rang
RINGING: Final = 4  # ABANDONED, RETRIEVED while the return rang
LOT_FULL: Final = 5  # REFUSED, LOST
QUEUE_FULL: Final = 6  # LOST
UNANSWERED: Final = 7  # LOST
BUSY: Final = 8  # LOST
TALKED: Final = 9  # ENDED after the talk with an attendant
AFTER_RETRIEVAL: Final = 10  # ENDED after the talk with the member who retrieved it
OVERFLOWED: Final = 11  # ENDED: left for another service because the lot was full
AGAIN: Final = 12  # RECALL_UNANSWERED, and it rings once more; REMINDED not for the first time
LAST: Final = 13  # RECALL_UNANSWERED, and that was the last attempt
EMPTY_SLOT: Final = 14  # REFUSED: nobody is in that slot (any more); engines never ask, people do
STALE_TIMER: Final = 15  # REFUSED: the timer of a stay that is over
FORWARDED: Final = 16  # ENDED: left for voicemail or another number because its time in the lot was up
FETCHED: Final = 17  # RECALL_UNANSWERED: somebody fetched the call while it rang, who is in RETRIEVED (ringing)
SLOT_TAKEN: Final = 18  # REFUSED: the slot asked for is taken; LOST because of that
STRANGER: Final = 19  # RETRIEVED by somebody who came for another call, or pressed the key of a slot to park there
ON_REMINDER: Final = 21  # RETRIEVED by its parker, who was reminded
MET: Final = 20  # LOST: two callers were connected with each other
REASON_NAMES: Final = (
    *("", "waiting", "parked", "returning", "ringing", "lot_full", "queue_full", "unanswered", "busy"),
    *("talked", "retrieved", "overflow", "again", "last", "empty_slot", "stale_timer", "forwarded", "fetched"),
    *("slot_taken", "stranger", "met", "reminder"),
)

# Ranks: the order of simultaneous events. Facts of the world come first, the system's own fall-back (the
# time-out) is the last of the releases, and claims come after releases: so a retrieval at the deadline succeeds,
# and a slot freed at an instant serves a park of that instant. SERVE of a full hour makes the change of the number on
# duty first: what has a lower rank still finds the hour before, a new call the hour that begins.
RANK_HANGUP: Final = 0
RANK_TALK_END: Final = 1
RANK_ANNOUNCED: Final = 2
RANK_STAFF_SERVE: Final = 3
RANK_RETRIEVAL: Final = 4
RANK_ANSWER: Final = 5
RANK_EXPIRY: Final = 6
RANK_RING_OUT: Final = 7
RANK_SERVE: Final = 8
RANK_ARRIVAL: Final = 9
RANK_PARK_REQUEST: Final = 10
RANK_NAMES: Final = (
    *("HANGUP", "TALK_END", "ANNOUNCED", "STAFF_SERVE", "RETRIEVAL", "ANSWER", "EXPIRY", "RING_OUT", "SERVE"),
    *("ARRIVAL", "PARK_REQUEST"),
)

# Which free slot a park takes.
CHOOSE_LOWEST: Final = 0
CHOOSE_NEXT: Final = 1
CHOOSE_RANDOM: Final = 2
CHOICE_NAMES: Final = ("lowest", "next", "random")

# Which slot the parker asks for: none, so that the lot chooses; his own, one key an attendant; one that he sees free.
SLOT_LOT: Final = 0
SLOT_OWN: Final = 1
SLOT_CHOSEN: Final = 2
SLOT_NAMES: Final = ("lot", "own", "chosen")
# What follows when that slot is taken: another one; a refusal; the call in it is fetched, and the two callers meet.
TAKEN_NEXT: Final = 0
TAKEN_REFUSE: Final = 1
TAKEN_RETRIEVE: Final = 2
TAKEN_NAMES: Final = ("next", "refuse", "retrieve")

# Whom somebody fetches who comes for a parked call: that call; who is in the slot whose number was told; the one
# that is parked longest.
FETCH_CALL: Final = 0
FETCH_NUMBER: Final = 1
FETCH_OLDEST: Final = 2

# What follows when the lot is full.
FULL_KEEP: Final = 0
FULL_OVERFLOW: Final = 1
FULL_DROP: Final = 2
FULL_NAMES: Final = ("keep", "overflow", "drop")

# Where a call returns when its time in the lot is up.
TO_PARKER: Final = 0
TO_GROUP: Final = 1
TO_ELSEWHERE: Final = 2
TO_REMINDER: Final = 3  # nowhere yet: its parker is reminded while the call stays
RECALL_TO_NAMES: Final = ("parker", "group", "elsewhere", "reminder")

# What a return does that finds its parker busy, and one that nobody answers (which never waits).
BUSY_WAIT: Final = 0
BUSY_GROUP: Final = 1
BUSY_DROP: Final = 2
BUSY_NAMES: Final = ("wait", "group", "drop")
UNANSWERED_GROUP: Final = 0
UNANSWERED_DROP: Final = 1
UNANSWERED_NAMES: Final = ("group", "drop")
