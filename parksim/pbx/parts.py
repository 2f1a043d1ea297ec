"""The forms of a log side by side, with calls named as in all of them, and which is believed about what."""

from array import array
from collections.abc import Sequence
from typing import Final, NamedTuple

from parksim.journal.journal import is_parking
from parksim.pbx.calls import CallTracker, Row
from parksim.pbx.formats import queue_log
from parksim.pbx.formats.entry import Reader
from parksim.rules import codes as c

AROUND: Final = frozenset({"offered", "waits", "returns"})
"""What a form does not tell that has nothing but parks."""


class Part(NamedTuple):
    """What one form of a log says: its rows, with calls named as in all forms, and the instants of its entries."""

    form: str
    tells: frozenset[str]
    rows: list[Row]
    instants: Sequence[int]
    orphans: Sequence[int]
    """Instants of facts that end what has not begun."""
    has_calls: bool
    """Whether it has calls that are never parked."""

    @property
    def has_stays(self) -> bool:
        """Whether it has parks."""
        return any(map(is_parking, self.rows))

    @property
    def has_more(self) -> bool:
        """Whether it has more than parks, and what a park makes sure came before it."""
        parks = {row.line for row in self.rows if is_parking(row) or row.kind == c.REFUSED}
        return any(row.line not in parks for row in self.rows)


def parts_of(read: Sequence[tuple[Reader, CallTracker, Sequence[int]]]) -> list[Part]:
    """Return what each form says, with calls named as in all of them.

    Args:
        read: of each form its reader, what took its entries, and their instants.
    """
    known = {channel: one for _, tracker, _ in read for channel, one in tracker.unique_ids.items()}
    if len(read) == 1:
        known = {}  # its own names are enough, and after a restart unique ids may come again
    parts = []
    for reader, tracker, instants in read:
        rows = [row._replace(call=known.get(row.call, row.call)) for row in tracker.rows] if known else tracker.rows
        in_order = array("q", sorted(instants))
        part = Part(reader.form, reader.tells, rows, in_order, tracker.orphans, tracker.calls_recorded)
        parts.append(part if part.has_more else part._replace(tells=part.tells - AROUND))
    return parts


def calls_from(parts: Sequence[Part]) -> list[Part]:
    """Return the parts that are believed about calls: a queue's log where there is one, else all that have calls."""
    with_calls = [part for part in parts if part.has_calls]
    return [part for part in with_calls if part.form == queue_log.FORM] or with_calls


def stays_from(parts: Sequence[Part]) -> list[Part]:
    """Return the parts that are believed about stays: those that name slots, else all that have parks."""
    with_stays = [part for part in parts if part.has_stays]
    with_slots = [part for part in with_stays if any(row.slot != c.NOBODY for row in part.rows if is_parking(row))]
    return with_slots or with_stays
