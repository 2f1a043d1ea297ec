"""Logs of one PBX together: which of them says what, and one life for each call.

Stays come from the form that names slots (AMI, valet events). CEL beside it brings the refused parks, which AMI does
not tell, and what happens around stays where AMI has nothing but them; stays too where no other form has them. When a
call came and was answered is believed of the queue's log, since a channel begins, and is answered, before it is in the
queue; without a queue's log, of call detail records. These say also when calls end whose end no other form tells. Calls
are known by the PBX's unique ids.

Beside exact instants those of whole seconds are exact as well where another form has the same fact within that second;
the others are spread evenly over their seconds, so that durations between two forms are right on average. A call
that comes and is answered in one second has not waited.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from parksim.journal.journal import is_parking
from parksim.pbx.calls import CallTracker, Row
from parksim.pbx.coverage import SECOND_US
from parksim.pbx.formats.entry import Entry
from parksim.pbx.formats.files import Places
from parksim.pbx.parts import Part, calls_from, stays_from
from parksim.rules import codes as c

_AROUND: Final = (c.OFFERED, c.ANSWERED, c.ABANDONED)
"""What a form without parks says of a call that others say is parked."""
_OVER: Final = (c.ENDED, c.LOST, c.ABANDONED)
_GOLDEN: Final = 0.6180339887498949
"""Multiples of it, without their whole part, are spread evenly."""


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
        happens = self._record(entry, row.kind, row.call, row.reason, requested_slot=row.requested_slot, **more)
        if row.kind == c.ENDED and not happens:
            self._over(entry, row.call)


def joined(parts: Sequence[Part], places: Places) -> list[Row]:
    """Return the rows of several forms of the same time as those of one.

    Args:
        parts: with calls named as in all forms.
        places: where the lines stand.
    """
    if len(parts) == 1:
        return parts[0].rows
    sources, believed = stays_from(parts), calls_from(parts)
    life = _life([row for part in sources for row in part.rows])
    offered = {row.call for part in believed for row in part.rows if row.kind == c.OFFERED}
    chosen: list[Row] = []
    bare = not any(part.has_more for part in sources)
    for part in parts:
        around = (row for row in part.rows if not (row.call in offered and row.kind in (c.OFFERED, c.ANSWERED)))
        if part in sources:
            chosen += around
        elif part.has_stays:
            chosen += (row for row in around if row.kind == c.REFUSED or (bare and not is_parking(row)))
        else:
            mine = part in believed
            rows = (row for row in part.rows if mine or row.call in offered or row.call in life)
            rows = (row for row in rows if mine or row.kind == c.ENDED or row.call not in offered)
            chosen += (row for row in _exact(rows, parts) if _is_told(row, life))
    tracker = _Joined(places)
    for row in sorted(chosen, key=lambda row: row.time_us):
        tracker.add(row)
    return tracker.rows


def _life(rows: Iterable[Row]) -> dict[str, tuple[Row, bool]]:
    """Return of each parked call its last parking event, and whether the call is told to be over."""
    found: dict[str, tuple[Row, bool]] = {}
    for row in rows:
        if is_parking(row):
            found[row.call] = row, row.kind == c.ABANDONED
        elif row.call in found and row.kind in _OVER:
            found[row.call] = found[row.call][0], True
    return found


def _is_told(row: Row, life: dict[str, tuple[Row, bool]]) -> bool:
    """Tell whether a form without parks is believed about a call: not about what happens to it after a park.

    Only where no form with parks tells the end of a call that was fetched, it is this one's.
    """
    if row.call not in life:
        return True
    last, over = life[row.call]
    return row.kind in _AROUND or (
        row.kind == c.ENDED and not over and last.kind == c.RETRIEVED and row.time_us > last.time_us
    )


def _exact(rows: Iterable[Row], parts: Sequence[Part]) -> list[Row]:
    """Return the rows of a form without parks with instants as exact as all forms together have them."""
    rows = list(rows)
    if not rows or any(row.time_us % SECOND_US for row in rows):
        return rows
    told = [row for part in parts for row in part.rows if row.time_us % SECOND_US]
    if not told:
        return rows
    exact = {(row.call, row.kind, row.time_us // SECOND_US): row.time_us for row in reversed(told)}
    latest: dict[str, int] = {}
    result: list[Row] = []
    for number, row in enumerate(rows):
        before = latest.get(row.call)
        earlier_us = row.time_us if before is None else max(row.time_us, result[before].time_us)
        at_us = exact.get((row.call, row.kind, row.time_us // SECOND_US), 0)
        at_once = before is not None and row.kind == c.ANSWERED and rows[before].time_us == row.time_us
        if before is not None and at_once and at_us >= row.time_us:
            result[before] = result[before]._replace(time_us=at_us)
        elif at_us < earlier_us:
            spread = 0 if at_once else (number + 1) * _GOLDEN % 1
            at_us = earlier_us + int(spread * (row.time_us + SECOND_US - earlier_us))
        latest[row.call] = number
        result.append(row._replace(time_us=at_us))
    return result
