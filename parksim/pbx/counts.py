"""Counters of a switchboard: a CSV with a row for each hour, read and checked.

Many switches and dashboards keep no events, only how many calls each hour were offered, parked, retrieved, returned,
abandoned and refused. ``read_counts`` reads such a file; ``counted`` makes a scenario of it.

What is counted obeys a lot's own law: parks less endings is how many more calls stand parked, so over hours that
follow each other this sum can rise or fall by no more than the lot has slots. Counters that break it count different
things, or another lot.
"""

import csv
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple, TypeGuard

from parksim.errors import LogError
from parksim.pbx.formats.columns import delimiter_of, word_of
from parksim.pbx.formats.content import Source
from parksim.pbx.formats.facts import csv_rows
from parksim.scenario.messages import nearest

COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "time": ("hour", "hourofday", "timestamp", "date", "datetime", "start", "starttime", "interval", "hourstart"),
    "offered": ("calls", "callsoffered", "incoming", "incomingcalls", "received", "arrivals", "totalcalls", "inbound"),
    "parked": ("parks", "parksmade", "callsparked", "parkedcalls", "parksuccess", "parksucceeded", "held"),
    "retrieved": ("retrievals", "pickedup", "pickups", "unparked", "fetched", "answered", "unparks"),
    "returned": ("timeouts", "timedout", "expired", "recalled", "recalls", "reverted", "reversions", "ringbacks"),
    "abandoned": ("hungup", "hangups", "gaveup", "lost", "dropped", "disconnected", "callerhungup", "abandons"),
    "refused": ("lotfull", "full", "blocked", "rejected", "denied", "failed", "parksfailed", "noslot", "overflowed"),
    "parked_seconds": ("parkedtime", "secondsparked", "parktime", "holdseconds", "holdtime"),
    "occupancy_mean": ("occupancy", "meanoccupancy", "averageoccupancy", "averageparked", "meanparked", "slotsinuse"),
}
"""Each column with headings of dashboards that may mean it: ``time`` is read under any of them, the others are not,
since "answered" and "lost" mean other things on other systems. Capitals, blanks, '_' and '-' are ignored."""
COUNTS: Final = ("offered", "parked", "retrieved", "returned", "abandoned", "refused")
ENDS: Final = ("retrieved", "returned", "abandoned")
STAYS: Final = ("parked", *ENDS)
"""Of these one may be missing: it is what the others leave."""
MEANS: Final = {
    "offered": "calls that came in",
    "parked": "calls put into a slot",
    "retrieved": "parked calls that somebody fetched",
    "returned": "parked calls that came back at the time-out",
    "abandoned": "callers who hung up while parked",
    "refused": "parks that found the lot full",
    "parked_seconds": "seconds in slots, of all calls together",
    "occupancy_mean": "slots in use, on average",
}
MOST: Final = 1_000_000
"""Counted in an hour; more is a typo, or not one hour."""


AGAIN: Final = 2
"""Times that a call is parked again within an hour, at most: three parks of a call an hour are unlikely already."""


class Hour(NamedTuple):
    """A row.

    Attributes:
        line: In the file.
        number: Of the hour, one more than that of the hour before it: since 1970 (UTC where offsets are written), or
            since the first midnight.
        wall: The same by the clock on the wall, which two hours of a night in autumn share and one in spring lacks.
        counted: By column.
    """

    line: int
    number: int
    wall: int
    counted: dict[str, float]

    @property
    def of_day(self) -> int:
        """The hour of day, 0 to 23, by the clock on the wall."""
        return self.wall % 24


@dataclass(frozen=True)
class Counts:
    """Counters by the hour, checked.

    Attributes:
        path: Of the file.
        digest: SHA-256 of the file.
        columns: Those of ``COLUMNS`` that it has, without ``time``.
        hours: The rows that were counted, in order of time; at least one.
        ignored: Headings that mean nothing here.
    """

    path: Path
    digest: str
    columns: tuple[str, ...]
    hours: tuple[Hour, ...]
    ignored: tuple[str, ...]

    def total(self, column: str) -> int:
        """Return the sum of a column of counts; of a missing one of ``STAYS``, what the others leave, at least 0."""
        if column in self.columns:
            return round(math.fsum(hour.counted[column] for hour in self.hours))
        ends = sum(self.total(end) for end in ENDS if end in self.columns)
        return ends if column == "parked" else max(self.total("parked") - ends, 0)

    def by_hour(self, column: str) -> list[int]:
        """Return the sums of a column by hour of day, 24 numbers."""
        sums = [0.0] * 24
        for hour in self.hours:
            sums[hour.of_day] += hour.counted[column]
        return [round(one) for one in sums]

    @property
    def hours_by_hour(self) -> list[int]:
        """How many hours were counted of each hour of day, 24 numbers."""
        return [sum(hour.of_day == of_day for hour in self.hours) for of_day in range(24)]

    @property
    def parked_s(self) -> float | None:
        """Seconds in slots, of all calls and hours together; None where they were not counted."""
        for column, factor in (("parked_seconds", 1.0), ("occupancy_mean", 3600.0)):
            if column in self.columns:
                return factor * math.fsum(hour.counted[column] for hour in self.hours)
        return None

    @property
    def parked_again(self) -> str:
        """What hours say in which more calls were parked than came in, then and in the hour before; else empty."""
        if not {"offered", "parked"} <= set(self.columns):
            return ""
        some = []
        for before, hour in pairwise((None, *self.hours)):
            assert hour is not None
            calls = hour.counted["offered"] + (before.counted["offered"] if _follows(before, hour) else 0.0)
            some += [hour] if hour.counted["parked"] > calls else []
        if not some:
            return ""
        line, first = some[0].line, some[0].counted
        return (
            f"in {len(some):,} of {len(self.hours):,} hours more calls were parked than came in (line {line}: "
            f"{first['parked']:.0f} parked, {first['offered']:.0f} offered), so some were parked again after they came "
            "back or were fetched"
        )

    @property
    def stretches(self) -> list[list[Hour]]:
        """The hours in stretches without a gap."""
        found = [[self.hours[0]]]
        for before, hour in pairwise(self.hours):
            if not _follows(before, hour):
                found.append([])
            found[-1].append(hour)
        return found


def _follows(before: Hour | None, hour: Hour) -> TypeGuard[Hour]:
    return before is not None and before.number == hour.number - 1


def read_counts(path: Path, slots: int) -> Counts:
    """Read the counters of a lot of this many slots, and check them.

    Raises:
        LogError: the file is no such CSV, or its figures contradict each other; with line and column.
    """
    source = Source(path)
    texts = (f"{line}\n" for _, line in source.texts())
    rows = csv_rows(csv.reader(texts, delimiter=delimiter_of(source.head[0][1])), path)
    line, header = next(rows)
    places, ignored = _places(header, path, line)
    hours: list[Hour] = []
    written: str | None = None
    for number, row in rows:
        if len(row) != len(header):
            rule = f"{len(row)} cells under {len(header)}"
            raise LogError(path, number, rule, "each line needs as many cells as the header")
        cells = {name: row[place].strip() for name, place in places.items()}
        at, wall, how = _hour(cells.pop("time"), path, number)
        if written not in (None, how):
            raise LogError(path, number, f"{how} among {written} in the time column", "write all of them the same way")
        written = how
        if hours and how == HOURS_OF_DAY:
            at = wall = at + hours[-1].number // 24 * 24 + (24 if at < hours[-1].of_day else 0)
        counted = {name: _number(name, cell, path, number) for name, cell in cells.items() if any(cells.values())}
        hour = Hour(number, at, wall, counted)
        if hours:
            _check_order(hours[-1], hour, how, path)
        hours.append(hour)
    kept = tuple(hour for hour in hours if hour.counted)
    if not kept:
        raise LogError(path, None, "the file has no hour that was counted", "it needs a row for each hour")
    counts = Counts(path, source.digest.hexdigest(), tuple(n for n in places if n != "time"), kept, ignored)
    _check(counts, slots)
    return counts


# Columns and cells.


def _places(header: list[str], path: Path, line: int) -> tuple[dict[str, int], tuple[str, ...]]:
    """Return where each column is, and the headings that mean nothing here."""
    words = [word_of(cell) for cell in header]
    known = {word_of(name): name for name in COLUMNS} | dict.fromkeys(COLUMNS["time"], "time")
    places: dict[str, int] = {}
    others = []
    for place, word in enumerate(words):
        name = known.get(word)
        if name is None:
            others.append(header[place].strip())
        elif name in places:
            raise LogError(path, line, f"there are two columns {name}", "keep one of them")
        else:
            places[name] = place
    if {"event", "call"} <= set(words):
        rule = "this file has a row for each event, not for each hour"
        raise LogError(path, line, rule, f"read it as a log, without --counts: parksim calibrate {path}")
    meant = {word_of(one): name for name, also in COLUMNS.items() for one in (name, *also) if name not in places}
    for heading in others:
        near = nearest(word_of(heading), meant, 0.75)
        if near:
            name = meant[near]
            what = "the hour of day, 0 to 23, or the date and time at which the hour starts"
            rule = f"the column {heading[:40]!r} is not known; did you mean {name} ({MEANS.get(name, what)})?"
            raise LogError(path, line, rule, "rename the column if so, else remove it")
    missing = [name for name in STAYS if name not in places]
    if "time" not in places or len(missing) > 1:
        lacking = ["time"] if "time" not in places else missing
        rule = f"the columns {', '.join(header)[:120]} lack {' and '.join(lacking)}"
        raise LogError(path, line, rule, f"counters need time and three of {', '.join(STAYS)}")
    return places, tuple(others)


HOURS_OF_DAY: Final = "hours of the day"
DATES: Final = "dates"
CHANGES_BEFORE: Final = 4
"""The hour of day by which a clock change is over, wherever clocks are changed."""
_HOUR_S: Final = 3600


def _hour(text: str, path: Path, line: int) -> tuple[int, int, str]:
    """Return the number of an hour and that of its clock on the wall (see ``Hour``), and how the hour is written."""
    if re.fullmatch(r"[0-9]{1,2}", text):
        if int(text) > 23:
            raise LogError(path, line, f"column time: {text} is not an hour of the day", "write 0 to 23")
        return int(text), int(text), HOURS_OF_DAY
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        step = "write the hour of day, 0 to 23, or ISO 8601 such as 2026-01-05 08:00"
        raise LogError(path, line, f"column time: {text[:40]!r} is not an hour", step) from None
    if moment.minute or moment.second or moment.microsecond:
        step = "write the full hour at which the row's hour starts, and count by full hours"
        raise LogError(path, line, f"column time: {text[:40]!r} is not the start of an hour", step)
    wall_s = round(moment.replace(tzinfo=UTC).timestamp())
    offset = moment.utcoffset()
    number = (wall_s - (round(offset.total_seconds()) if offset else 0)) // _HOUR_S
    return number, wall_s // _HOUR_S, DATES if offset is None else "dates with an offset"


def _check_order(before: Hour, hour: Hour, how: str, path: Path) -> None:
    """Refuse an hour that is out of place after the one before."""
    line, said = hour.line, f"column time: hour {hour.of_day}"
    # Without offsets a clock change looks like a row too many, or one too few.
    night = how == DATES and hour.of_day < CHANGES_BEFORE
    if hour.number == before.number:
        step = "one row for each hour"
        if night:
            step += "; if the clock was put back, write offsets: 2026-10-25 02:00+02:00, then 2026-10-25 02:00+01:00"
        raise LogError(path, line, f"{said} is there twice (also in line {before.line})", step)
    if hour.number < before.number:
        raise LogError(path, line, f"{said} comes before that of line {before.line}", "sort the rows by time")
    if hour.number > before.number + 1 and hour.wall // 24 == before.wall // 24:
        rule = f"{said} follows hour {before.of_day} (line {before.line}): an hour is missing"
        step = "write a row of zeros if nothing happened, a row of empty cells if it was not counted"
        if night:
            step += "; if the clock was put forward, write offsets: 2026-03-29 01:00+01:00, then 2026-03-29 03:00+02:00"
        raise LogError(path, line, rule, step)


def _number(name: str, text: str, path: Path, line: int) -> float:
    said = f"column {name}: {text[:40]!r}"
    if not text:
        step = "write 0 if there was none; leave the whole row empty if the hour was not counted"
        raise LogError(path, line, f"column {name} is empty", step)
    if not re.fullmatch(r"[+-]?[0-9]+(\.[0-9]*)?", text):
        raise LogError(path, line, f"{said} is not a number", "write digits without separators or units")
    value = float(text)
    if text.startswith("-"):
        raise LogError(path, line, f"{said} is negative", "counters count from 0 in each hour; write the difference")
    if value > MOST * (1 if name in COUNTS else _HOUR_S):
        raise LogError(path, line, f"{said} is more than an hour has", "write the counts of one hour")
    if name in COUNTS and not value.is_integer():
        raise LogError(path, line, f"{said} is not a whole number", "write counts, not averages or rates")
    return value


# What the figures say about each other.


def _check(counts: Counts, slots: int) -> None:
    """Refuse counters that contradict each other or the number of slots."""
    for before, hour in pairwise((None, *counts.hours)):
        assert hour is not None
        _check_hour(counts, before, hour, slots)
    if "parked" in counts.columns:
        for stretch in counts.stretches:
            _check_lot(counts.path, stretch, slots)
    if not counts.total("parked"):
        raise LogError(counts.path, None, "no call was parked in these hours", "count for longer")


def _check_hour(counts: Counts, before: Hour | None, hour: Hour, slots: int) -> None:
    counted, path = hour.counted, counts.path
    # A call that is offered just before the hour may ask for a slot in it.
    also = before.counted if _follows(before, hour) else counted
    if "refused" in counted and "offered" in counted and counted["refused"] > counted["offered"] + also["offered"]:
        rule = f"column refused: {counted['refused']:.0f} of {counted['offered']:.0f} offered calls cannot be refused"
        step = "count each refused call once, or remove the column offered if a call may ask several times"
        raise LogError(path, hour.line, rule, step)
    if {"offered", "parked"} <= counted.keys():
        parked, offered = counted["parked"], counted["offered"]
        again = AGAIN * offered
        if {"retrieved", "returned"} <= counted.keys():
            again = min(again, counted["retrieved"] + counted["returned"])
        if parked > offered + max(also["offered"], slots) + again:
            rule = (
                f"column parked: {parked:.0f} parked of {offered:.0f} offered calls; a call is parked again only after "
                f"it came back or was fetched, and at most {AGAIN} times an hour is likely"
            )
            step = "check that both columns count the same calls and one lot, or remove the column offered"
            raise LogError(path, hour.line, rule, step)
    most = {"parked_seconds": slots * _HOUR_S, "occupancy_mean": slots}
    for name in most.keys() & counted.keys():
        if counted[name] > most[name] * (1 + 1e-9):
            rule = f"column {name}: {counted[name]:g} is more than {slots} slots have in an hour, {most[name]}"
            raise LogError(
                path, hour.line, rule, "check --slots, or whether the column counts waiting and talking also"
            )


def _check_lot(path: Path, stretch: list[Hour], slots: int) -> None:
    """Refuse hours in which more calls would be parked at once than there are slots, or fewer than none.

    With an end not counted only the second can be told: the ends that were counted are too many by themselves.
    """
    ends_of = [end for end in ENDS if end in stretch[0].counted]
    level = least = most = 0.0
    for hour in stretch:
        ends = math.fsum(hour.counted[end] for end in ends_of)
        level += hour.counted["parked"] - ends
        least, most = min(least, level), max(most, level)
        rise, fall = level - least if len(ends_of) == len(ENDS) else 0.0, most - level
        if max(rise, fall) > slots:
            more = f"{hour.counted['parked']:.0f} parked, {ends:.0f} {', '.join(ends_of[:-1])} or {ends_of[-1]}"
            way = "more calls end than were parked" if fall > rise else "more calls are parked than end"
            rule = (
                f"column parked: {more}; up to this hour {way}, by {max(rise, fall):.0f}, but at most {slots} "
                "(the slots) can be parked across the hours"
            )
            raise LogError(path, hour.line, rule, "check --slots, and that all columns count the same lot and calls")
