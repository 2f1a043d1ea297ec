"""From the entries of one form of a log to rows in the order of time: clocks that went back, lines out of place."""

from array import array
from bisect import bisect_right
from collections.abc import Mapping
from itertools import pairwise
from operator import attrgetter
from typing import Final, NamedTuple

from parksim.errors import LogError
from parksim.journal.journal import is_parking
from parksim.pbx.calls import (
    AmiTracker,
    CallTracker,
    CelTracker,
    CsvTracker,
    FactTracker,
    QueueTracker,
    RecordingTracker,
    Row,
)
from parksim.pbx.formats import ami, cel, columns, json_lines, queue_log
from parksim.pbx.formats.entry import Entry
from parksim.pbx.formats.files import Places, Stream
from parksim.pbx.formats.order import FEW, ORDER_US, SLIGHT_US, Step, clock_of, corrected, disorder_us

KEPT: Final = 100_000
"""Of a log with no more entries, lines out of place are put where they belong."""

TRACKERS: Final[Mapping[str, type[CallTracker]]] = {
    json_lines.FORM: RecordingTracker,
    columns.FORM: CsvTracker,
    ami.FORM: AmiTracker,
    cel.FORM: CelTracker,
    queue_log.FORM: QueueTracker,
}
"""What makes rows of a form's entries, where it is not ``FactTracker``."""


class Taken(NamedTuple):
    """The rows of one form of a log, the instants of its entries, and what is wrong with their order."""

    tracker: CallTracker
    instants: "array[int]"
    misplaced: list[int]
    disorder_us: int
    steps: list[tuple[int, int, Step]]
    """Line and instant (after it was corrected) from which on the clock was set back."""


def taken(stream: Stream, places: Places, midnight_us: int, tolerance_us: int) -> Taken:
    """Take all entries of a form; their instants count from midnight, and continue where a clock went back.

    Where lines are out of place, entries are taken in the order of their instants: the life of a call is in order then.

    Raises:
        LogError: more than a few are out of the order of time.
    """
    tracker = TRACKERS.get(stream.reader.form, FactTracker)(places)
    instants, lines = array("q"), array("q")
    kept: list[Entry] = []
    for line, time_us, fields in stream.entries(places):
        entry = Entry(line, time_us - midnight_us, fields)
        instants.append(entry.time_us)
        lines.append(line)
        if len(kept) < KEPT:
            kept.append(entry)
        tracker.take(entry)
    tracker.close(max(instants))
    tolerance_us = max(ORDER_US, tolerance_us)
    begins = [0, *(bisect_right(lines, before) for before in places.begins_of(lines[0], lines[-1])), len(lines)]
    misplaced: list[int] = []
    steps: list[tuple[int, Step]] = []
    worst_us = 0
    for begin, end in pairwise(begins):
        wrong, back = clock_of(instants[begin:end], tolerance_us)
        misplaced.extend(lines[begin + i] for i in wrong)
        steps.extend((begin + step.at, step) for step in back)
        worst_us = max(worst_us, disorder_us(corrected(instants[begin:end], back)))
    if len(misplaced) > FEW:
        rule = f"the lines are not in order of time ({len(misplaced):,} are out of place, this is the first)"
        advice = "sort them by their instants"
        if worst_us <= SLIGHT_US:
            rule += f", by up to {worst_us / 1e3:,.0f} ms"
            advice = f"allow for it (--tolerance {-(-worst_us // 1000)}ms)"
        raise LogError(*places.of(misplaced[0]), rule, advice)
    if worst_us > ORDER_US and not steps and len(kept) == len(instants):
        tracker = type(tracker)(places)
        for entry in sorted(kept, key=attrgetter("time_us")):
            tracker.take(entry)
        tracker.close(max(instants))
    for at, step in steps:
        for i in range(at, len(instants)):
            instants[i] += step.back_us
        from_line = lines[at]
        tracker.rows = [
            row._replace(time_us=row.time_us + step.back_us) if row.line >= from_line else row for row in tracker.rows
        ]
    return Taken(tracker, instants, misplaced, worst_us, [(lines[at], instants[at], step) for at, step in steps])


def later(part: Taken, by_us: int) -> Taken:
    """Return the same with all instants later."""
    tracker = part.tracker
    tracker.rows = [row._replace(time_us=row.time_us + by_us) for row in tracker.rows]
    tracker.boots = [boot._replace(time_us=boot.time_us + by_us) for boot in tracker.boots]
    instants = array("q", (instant + by_us for instant in part.instants))
    return part._replace(instants=instants, steps=[(line, at_us + by_us, step) for line, at_us, step in part.steps])


def without_doubles(rows: list[Row], tolerance_us: int) -> tuple[list[Row], list[int]]:
    """Return rows in the order of time without those that repeat what the same call just did, and these lines."""
    rows.sort(key=lambda row: row.time_us)
    kept: list[Row] = []
    doubles: list[int] = []
    latest: dict[str, Row] = {}
    for row in rows:
        if is_parking(row):
            before = latest.get(row.call)
            same = before is not None and (before.kind, before.lot, before.slot) == (row.kind, row.lot, row.slot)
            if before is not None and same and row.time_us - before.time_us <= tolerance_us:
                doubles.append(row.line)
                continue
            latest[row.call] = row
        kept.append(row)
    return kept, doubles
