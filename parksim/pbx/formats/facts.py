"""The words of a fact, which the readers of many forms yield: an entry says what happened to which call.

Fields: ``event`` (one of ``EVENTS``), ``call``, and as far as the form tells them ``slot``, ``lot``, ``parker``,
``retriever`` and ``limit`` (seconds, 0 for none). ``calls.FactTracker`` makes rows of them.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from parksim.errors import LogError
from parksim.pbx.formats.content import Source
from parksim.pbx.formats.entry import CUT, LATEST_S, Entry, local_us

EVENTS: Final = ("offered", "answered", "refused", "parked", "retrieved", "expired", "abandoned", "ended", "unanswered")


def fact(line: int, time_us: int, event: str, call: str, **more: str) -> Entry:
    """Return an entry that says what happened to a call."""
    return Entry(line, time_us, {"event": event, "call": call, **more})


def csv_rows(reader: Any, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield (line, cells) of the rows that are not empty; a header that stands again is passed over.

    Raises:
        LogError: it is no CSV.
    """
    first: list[str] = []
    try:
        for row in reader:
            if any(cell.strip() for cell in row) and row != first:
                first = first or row
                yield reader.line_num, row
    except csv.Error as error:
        raise LogError(path, reader.line_num, f"this is not CSV ({error})", "save the log as CSV") from None


def cells_of(source: Source) -> Iterator[tuple[int, list[str]]]:
    """Yield (line, cells) of the rows of a file with commas; a last row that breaks off is an error.

    Raises:
        LogError: a row has fewer cells than the first.
    """
    rows = csv_rows(csv.reader(f"{line}\n" for _, line in source.texts()), source.path)
    width = 0
    for number, row in rows:
        width = width or len(row)
        if len(row) < width:
            cut = next(rows, None) is None and not source.ended
            rule = CUT if cut else f"{len(row)} cells where the first row has {width}"
            raise LogError(source.path, number, rule, "copy the file again, or remove that line")
        yield number, [cell.strip() for cell in row]


def first_cells(head: Sequence[str]) -> list[str]:
    """Return the cells of a file's first row; none of a line too long to be one."""
    line = head[0]
    if len(line) > 20_000:
        return []
    try:
        return [cell.strip() for cell in next(csv.reader([line]), [])]
    except csv.Error:
        return []


def offered_to_a_scenario(file: str, column: str) -> str:
    """Return what to do with a file of calls: their instants are arrivals of a scenario."""
    return f'offer its calls to a scenario: [arrivals] kind = "recorded", file = "{file}", column = "{column}"'


_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d")


def is_instant(text: str) -> bool:
    """Tell whether a cell holds an instant: seconds since 1970, or a date and time."""
    return bool(re.fullmatch(r"\d{9,10}(\.\d{1,9})?", text) or _DATE.match(text))


def csv_instant_us(
    text: str, path: Path, line: int, zone: ZoneInfo | None = None, before_us: int = 0
) -> tuple[int, str]:
    """Return the instant of a cell and how it is written; dates without an offset are local time, of a zone if named.

    Raises:
        LogError: it is no instant.
    """
    if re.fullmatch(r"[0-9]+(\.[0-9]*)?", text):
        if float(text) >= LATEST_S:
            raise LogError(path, line, f"{text[:40]} s is not an instant; it may be milliseconds", "write seconds")
        return round(float(text) * 1e6), "seconds"
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        step = "write seconds, or ISO 8601 such as 2026-01-05 08:00:00.123"
        raise LogError(path, line, f"{text[:40]!r} is not an instant", step) from None
    if moment.tzinfo is None and zone is not None:
        return local_us(moment, zone, before_us), "dates without an offset"
    if moment.tzinfo is None:
        return round(moment.replace(tzinfo=UTC).timestamp() * 1e6), "dates without an offset"
    return round(moment.timestamp() * 1e6), "dates with an offset"
