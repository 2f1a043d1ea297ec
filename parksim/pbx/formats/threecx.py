"""3CX: the call history of the console (with a header), and the CDR socket's lines with the usual fields.

Console: Call Time, Call ID, From, To, Direction, Status, Ringing, Talking. Socket: historyid, callid, duration,
time-start, time-answered, time-end, reason-terminated, from-no, to-no, from-dn, to-dn, ... Calls are parked at ``SPn``
or ``*0n``.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final
from zoneinfo import ZoneInfo

from parksim.errors import LogError
from parksim.pbx.formats import records
from parksim.pbx.formats.content import Source
from parksim.pbx.formats.facts import cells_of, csv_instant_us, first_cells, is_instant

FORM: Final = "3CX's call history"
_SOCKET: Final = (
    *("historyid", "callid", "duration", "timestart", "timeanswered", "timeend", "reasonterminated", "fromno", "tono"),
    *("fromdn", "todn", "dialno"),
)
_PARK: Final = re.compile(r"(?i)(?:SP\d{1,3}|\*[01]\d)\b")


def _words(cells: Sequence[str]) -> list[str]:
    return [re.sub(r"[^a-z]", "", cell.lower()) for cell in cells]


def _recognises(head: Sequence[str]) -> bool:
    cells = first_cells(head)
    words = {*_words(cells)}
    if {"calltime", "talking"} <= words or {"historyid", "timestart", "timeend"} <= words:
        return True
    return len(cells) > 8 and cells[0].startswith("Call ") and is_instant(cells[3].replace("/", "-"))


def _records(source: Source, zone: ZoneInfo | None) -> Iterator[records.Record]:
    names: list[str] = []
    for line, cells in cells_of(source):
        if not names:
            words = _words(cells)
            names = [*_SOCKET] if cells[0].startswith("Call ") and "calltime" not in words else words
            if names == words:
                continue
        row = dict(zip(names, cells, strict=False))
        is_park = any(_PARK.match(row.get(name, "")) for name in ("to", "tono", "todn", "dialno"))
        if "calltime" in row:
            yield _of_console(row, source, line, zone, is_park=is_park)
        elif row.get("timestart"):
            begun_us, ended_us = (_us(row.get(name, ""), source, line, zone) for name in ("timestart", "timeend"))
            answered_us = _us(row["timeanswered"], source, line, zone) if row.get("timeanswered") else None
            call = row.get("callid") or f"{row.get('historyid', '')} {line}"
            yield records.Record(line, f"{call} {line}", begun_us, answered_us, ended_us, row.get("todn", ""), is_park)


def _of_console(
    row: dict[str, str], source: Source, line: int, zone: ZoneInfo | None, *, is_park: bool
) -> records.Record:
    begun_us = _us(row["calltime"], source, line, zone)
    ringing_us, talking_us = (_span_us(row.get(name, ""), source, line) for name in ("ringing", "talking"))
    answered_us = begun_us + ringing_us if talking_us else None
    call = f"{row.get('callid', '')} {line}"
    return records.Record(
        line, call, begun_us, answered_us, begun_us + ringing_us + talking_us, row.get("to", ""), is_park
    )


def _us(text: str, source: Source, line: int, zone: ZoneInfo | None) -> int:
    return csv_instant_us(text.replace("/", "-"), source.path, line, zone)[0]


def _span_us(text: str, source: Source, line: int) -> int:
    """Return a duration written as hours, minutes and seconds; 0 where the cell is empty."""
    found = re.fullmatch(r"(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2})(?:\.\d+)?", text)
    if text and not found:
        raise LogError(source.path, line, f"{text[:40]!r} is no duration", "write hours:minutes:seconds")
    hours, minutes, seconds = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
    return (hours * 3600 + minutes * 60 + seconds) * 1_000_000


READER: Final = records.reader(FORM, _recognises, _records, "to SPn or *0n", "Call Time")
