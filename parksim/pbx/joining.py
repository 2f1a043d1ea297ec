"""Logs of one PBX together: which of them says what, and one life for each call.

Stays come from the log that names slots (AMI, valet events); CEL beside it brings the refused parks, which AMI does not
tell, and is the source of stays where no other log has them. A queue's log and call detail records say when calls came,
were answered and gave up. Calls are known by the PBX's unique ids.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from parksim.journal.journal import is_parking
from parksim.pbx.calls import CallTracker, Row
from parksim.pbx.formats.entry import Entry
from parksim.pbx.formats.files import Places
from parksim.pbx.seats import has_slots
from parksim.rules import codes as c

_AROUND = (c.OFFERED, c.ANSWERED, c.ABANDONED)
"""What a log without parks says of a call that others say is parked: nothing of how it ends."""


class _Joined(CallTracker):
    """Takes rows of several logs, in the order of time, through one life for each call."""

    def add(self, row: Row) -> None:
        """Add a row if it can happen to its call now; a parking event in any case."""
        entry = Entry(row.line, row.time_us, {})
        if is_parking(row):
            more: dict[str, Any] = {
                "lot": row.lot,
                "slot": row.slot,
                "limit_us": row.limit_us,
                "requested_slot": row.requested_slot,
            }
            self._parking(entry, row.kind, row.call, extension=row.extension, **more)
            return
        if row.kind == c.ANSWERED and self._record(entry, c.RECALL_ANSWERED, row.call, extension=row.extension):
            return
        if row.kind == c.REFUSED:
            self._reach_attendant(entry, row.call, row.extension)
        more = {"lot": row.lot, "extension": row.extension, "limit_us": row.limit_us}
        self._record(entry, row.kind, row.call, row.reason, requested_slot=row.requested_slot, **more)


def joined(parts: Sequence[tuple[Sequence[Row], Mapping[str, str]]], places: Places) -> list[Row]:
    """Return the rows of several logs of the same time as those of one.

    Args:
        parts: of each log its rows, and by channel the unique ids that it knows.
        places: where the lines stand.
    """
    unique_ids = {channel: one for _, ids in parts for channel, one in ids.items()}
    named = [[row._replace(call=unique_ids.get(row.call, row.call)) for row in rows] for rows, _ in parts]
    parking = [rows for rows in named if any(map(is_parking, rows))]
    with_slots = [rows for rows in parking if has_slots(rows)]
    sources = with_slots or parking
    parked = {row.call for rows in sources for row in rows if is_parking(row)}
    chosen: list[Row] = []
    for rows in named:
        if not any(rows is one for one in parking):
            chosen += (row for row in rows if row.call not in parked or row.kind in _AROUND)
    for rows in parking:
        is_source = any(rows is one for one in sources)
        chosen += (row for row in rows if is_source or row.kind == c.REFUSED)
    tracker = _Joined(places)
    for row in sorted(chosen, key=lambda row: row.time_us):
        tracker.add(row)
    return tracker.rows
