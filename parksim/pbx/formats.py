"""The forms in which a PBX's log comes: from a file to entries, each with its line, its instant and its fields.

The form is detected from the content, not from the name:

* **Asterisk events as JSON Lines**: one object a line with ``Event`` (or ``kind``) and ``t``, seconds since the start
  of the recording, or AMI's own ``Timestamp``;
* **AMI text** as the manager interface sends it: ``Event: ParkedCall``, one ``Key: value`` a line, until an empty line
  or the next event. The instant is the ``Timestamp`` header, which ``timestampevents = yes`` in manager.conf adds;
* **CSV with named columns** (``COLUMNS``): time, event, call, slot, and optional others;
* **a journal of parksim** itself.

For anything else (bytes, another encoding, half a line, lines out of order), one ``LogError`` names the file, the line
and the next step.
"""

import csv
import hashlib
import io
import json
import math
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path
from typing import Any, Final, NamedTuple

from parksim.errors import LogError, UnfitError
from parksim.scenario.messages import nearest
from parksim.scenario.quantities import DAY_US
from parksim.scenario.reading import MIB, names_beside, read

LARGEST_FILE: Final = 512 * MIB
LONGEST_LINE: Final = MIB
ORDER_US: Final = 5_000
"""Entries may be out of order by this much: several threads write events."""
LATEST_S: Final = 1e11
"""Larger numbers cannot be seconds since 1970 or since a recording began; they are probably milliseconds."""
FEW: Final = 2
"""Up to this many lines out of place are wrong events; more mean that a file was put together in the wrong order."""

JSON_LINES: Final = "Asterisk events as JSON Lines"
AMI: Final = "AMI text"
CSV: Final = "CSV"
JOURNAL: Final = "a journal of parksim"


class Entry(NamedTuple):
    """One event, command or remark of a log."""

    line: int
    time_us: int
    fields: dict[str, str]


class Entries(NamedTuple):
    """A log, read: ``time_us`` counts from the midnight before the first entry, in the log's own time."""

    form: str
    digest: str
    entries: list[Entry]
    misplaced: list[int]
    """Lines, at most ``FEW``, whose instants do not fit the order of the file."""
    meta: dict[str, Any]
    """What a recording says about itself (JSON Lines only), mainly its lots."""
    last_us: int
    """The instant of the last entry of any kind."""


COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "time": ("time", "timestamp", "t", "t_s", "time_s", "date", "datetime", "eventtime", "at", "when"),
    "event": ("event", "kind", "what", "action", "type", "eventname"),
    "call": ("call", "callid", "uniqueid", "parkeeuniqueid", "parkeechannel", "channel", "linkedid", "caller"),
    "slot": ("slot", "space", "parkingspace", "position", "parkedpos", "orbit"),
    "lot": ("lot", "parkinglot"),
    "parker": ("parker", "by", "extension", "parkerdialstring", "parkedby"),
    "retriever": ("retriever", "retrieverchannel", "retrievedby", "fetchedby"),
    "limit": ("limit", "limits", "timeout", "parkingtimeout", "parkingtime", "maxinparking"),
}
"""The columns of a CSV log and the accepted headings; capitals, blanks, '_' and '-' are ignored."""
NEEDED: Final = ("time", "event", "call", "slot")


def read_entries(path: Path, content: bytes) -> Entries:
    """Return the entries of a log that is not a journal of parksim, in the order of their lines.

    Args:
        path: of the file, for messages.
        content: of the file; it is read once, since a pipe cannot be read again.

    Raises:
        LogError: something in it does not fit its form.
    """
    text = text_of(content, path)
    form = form_of(text, path)
    reader = {JSON_LINES: _from_json, AMI: _from_ami, CSV: _from_csv}[form]
    meta: dict[str, Any] = {}
    timed = list(reader(text, path, meta))
    if not timed:
        raise LogError(path, None, f"this is {form} without a single event", "record events of the parking class")
    midnight_us = min(entry.time_us for entry in timed) // DAY_US * DAY_US
    entries = [entry._replace(time_us=entry.time_us - midnight_us) for entry in timed]
    instants = [entry.time_us for entry in entries]
    misplaced = [entries[i].line for i in out_of_order(instants, ORDER_US)]
    if len(misplaced) > FEW:
        rule = f"the lines are not in order of time ({len(misplaced):,} are out of place, this is the first)"
        raise LogError(path, misplaced[0], rule, "sort them by their instants")
    return Entries(form, hashlib.sha256(content).hexdigest(), entries, misplaced, meta, max(instants))


def content_of(path: Path) -> bytes:
    """Return the bytes of a log.

    Raises:
        LogError: there is no such file, it is empty, larger than ``LARGEST_FILE``, or cannot be read.
    """
    try:
        content = read(path, LARGEST_FILE)
    except FileNotFoundError:
        step = did_you_mean(path.name, names_beside(path), "name a log", 0.6)
        raise LogError(path, None, "there is no such file", step) from None
    except UnfitError as error:
        raise LogError(path, None, error.rule, error.step) from None
    if not content.strip():
        raise LogError(path, None, "the file is empty", "record the PBX's events into it first")
    return content


def text_of(content: bytes, path: Path) -> str:
    """Return a file's content as text.

    Raises:
        LogError: it is not UTF-8 text, or a line is longer than an event.
    """
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise LogError(path, 1, "the file is UTF-16", "save it as UTF-8")
    if content[:2] == b"\x1f\x8b":
        raise LogError(path, None, "the file is compressed", "unpack it (gunzip) first")
    where = content.find(b"\0")
    if where >= 0:
        line = content.count(b"\n", 0, where) + 1
        raise LogError(path, line, "this is not text (it has NUL bytes)", "save the log as text in UTF-8")
    for number, line_bytes in enumerate(content.splitlines(), 1):
        if len(line_bytes) > LONGEST_LINE:
            rule = f"the line has {len(line_bytes):,} bytes, more than an event has"
            raise LogError(path, number, rule, "write one event per line")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise LogError(path, line, f"this is not UTF-8 (byte {error.start})", "save the log as UTF-8") from None


_AMI_START = re.compile(r"(?:Event|Response|Privilege|ActionID|Message|Action)\s*:|Asterisk Call Manager")


def _lines(text: str) -> list[str]:
    """Return the lines as a PBX ends them; other line ends of Unicode may occur within one."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return lines if lines[-1] else lines[:-1]


def form_of(text: str, path: Path) -> str:
    """Return the form of a log by its first line that is not empty.

    Raises:
        LogError: it has another form.
    """
    number, line = next((i, line.strip()) for i, line in enumerate(_lines(text), 1) if line.strip())
    if line.startswith("{"):
        return JSON_LINES
    if re.match(r"\[\s*(\{|$)", line):
        raise LogError(path, number, "this looks like one JSON array", "write one object per line (jq -c '.[]')")
    if _AMI_START.match(line):
        return AMI
    cells = _cells(line)
    if len(_headings(cells)) >= 2:
        return CSV
    if len(cells) > 1 and all(re.fullmatch(r"\s*[A-Za-z][\w .-]*", cell) for cell in cells):
        raise LogError(path, number, *_other_columns(cells, path))
    forms = f"{JSON_LINES}, {AMI} (Event: ParkedCall ...), {CSV} with the columns {', '.join(NEEDED)}, or {JOURNAL}"
    raise LogError(path, number, "parksim cannot read this as a log", f"supply {forms}")


def out_of_order(instants: Sequence[int], tolerance_us: int) -> list[int]:
    """Return the positions of ``instants`` that are out of order; empty if all are within the tolerance.

    The simplest explanation counts: one element that came too early or too late (of two swapped neighbours the later,
    since time goes back there), then two swapped elements, then the fewest whose removal leaves the rest in order:
    those outside a longest non-decreasing subsequence (Schensted 1961).

    >>> [out_of_order(times, 0) for times in ([1, 2, 4, 3, 5], [1, 4, 3, 2, 5], [9, 1, 2, 3], [3, 1, 4, 2, 6, 5])]
    [[3], [1, 3], [0], [1, 3, 5]]
    >>> out_of_order([1, 2, 4, 3, 5], 1)
    []
    """
    latest = accumulate(instants, max)
    if all(instant >= before - tolerance_us for instant, before in zip(instants, latest, strict=True)):
        return []
    wrong = [i for i, (now, then) in enumerate(zip(instants, sorted(instants), strict=True)) if now != then]
    first, last = wrong[0], wrong[-1]
    for one in (last, first):
        rest = [instants[i] for i in range(first, last + 1) if i != one]
        if rest == sorted(rest):
            return [one]
    if len(wrong) == 2:
        return wrong
    return _outside_longest(instants)


def _outside_longest(instants: Sequence[int]) -> list[int]:
    """Return what a longest non-decreasing subsequence leaves out, by patience sorting from the end."""
    tails: list[int] = []  # the negated instants of the best ends of each length
    places: list[int] = []
    before: list[int] = [-1] * len(instants)
    for i in range(len(instants) - 1, -1, -1):
        at = bisect_right(tails, -instants[i])
        tails[at : at + 1], places[at : at + 1] = [-instants[i]], [i]
        before[i] = places[at - 1] if at else -1
    kept = set()
    at = places[-1]
    while at >= 0:
        kept.add(at)
        at = before[at]
    return [i for i in range(len(instants)) if i not in kept]


def _from_json(text: str, path: Path, meta: dict[str, Any]) -> Iterator[Entry]:
    lines = _lines(text)
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            if number == len(lines) and not text.endswith("\n"):
                raise LogError(path, number, _CUT, "copy it again, or remove that line") from None
            raise LogError(path, number, "this is not a JSON object", "write one whole object per line") from None
        if not isinstance(record, dict) or not ({"kind", "Event"} & record.keys()):
            rule = "this is not an event of a PBX: it has neither Event nor kind"
            raise LogError(path, number, rule, f"supply {JSON_LINES}")
        if record.get("kind") == "meta":
            meta.update(record)
        time_us = _instant_us(record.get("Timestamp", record.get("t")), path, number, "t (seconds) or Timestamp")
        yield Entry(number, time_us, {key: _plain(value) for key, value in record.items()})


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _instant_us(value: Any, path: Path, line: int, name: str) -> int:
    """Return an instant in microseconds from a number of seconds, however it is written."""
    try:
        seconds = math.nan if value is None or isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        seconds = math.nan
    if not 0 <= seconds < LATEST_S:
        said = "it has none" if value is None else f"it is {str(value)[:40]!r}"
        raise LogError(path, line, f"an event needs its instant, {name}, and {said}", _TIMESTAMPS)
    return round(seconds * 1e6)


_CUT: Final = "the last line breaks off: the file was cut"
_TIMESTAMPS: Final = "set timestampevents = yes in manager.conf and record again"


def _from_ami(text: str, path: Path, meta: dict[str, Any]) -> Iterator[Entry]:  # noqa: ARG001 - AMI does not list the lots
    """Yield the events; an empty line ends one, and so does the next ``Event:``, since shippers drop empty lines."""
    lines = _lines(text)
    fields: dict[str, str] = {}
    first = 0
    for number, line in enumerate([*lines, ""], 1):
        key, colon, value = line.partition(":")
        if not line.strip() or (key.strip() == "Event" and fields.keys() & {"Event", "Response"}):
            if "Event" in fields:
                if number == len(lines) + 1 and (not text.endswith(("\n", "\r")) or _lacking(fields)):
                    rule = "the last event breaks off: the file was cut"
                    raise LogError(path, first, rule, "copy it again, or remove that event")
                yield Entry(first, _instant_us(fields.get("Timestamp"), path, first, "the header Timestamp"), fields)
            fields, first = {}, 0
        if not line.strip() or line.startswith("Asterisk Call Manager"):
            continue
        if not colon or not re.fullmatch(r"[A-Za-z][\w./() -]{0,99}", key.strip()):
            rule = f"{line.strip()[:40]!r} is not an AMI header"
            raise LogError(path, number, rule, "write Key: value, with an empty line between events")
        first = first or number
        fields.setdefault(key.strip(), value.strip())


def _lacking(fields: Mapping[str, str]) -> bool:
    """Tell whether an event lacks a header; at the end of a file this means that the file was cut."""
    needed = {"Timestamp", "ParkeeChannel", "ParkingSpace"} if "ParkedCall" in fields["Event"] else {"Timestamp"}
    return not needed <= fields.keys()


def delimiter_of(header: str) -> str:
    """Return what separates the cells of a CSV: the comma, or what a header has more of."""
    return max(",;\t", key=header.count)


def word_of(text: str) -> str:
    """Return a heading without capitals, blanks, and marks."""
    return re.sub(r"[^a-z0-9]", "", text.lower())


def _cells(line: str) -> list[str]:
    """Return the cells of a header; an empty list for a line too long to be one."""
    return next(csv.reader([line], delimiter=delimiter_of(line)), []) if len(line) < 10_000 else []


def _headings(cells: Sequence[str]) -> dict[str, int]:
    """Return the position of each column that the cells of a header name."""
    words = [word_of(cell) for cell in cells]
    aliases = {
        name: next((one for one in map(word_of, known) if one in words), None) for name, known in COLUMNS.items()
    }
    return {name: words.index(alias) for name, alias in aliases.items() if alias is not None}


def _other_columns(cells: Sequence[str], path: Path) -> tuple[str, str]:
    """Return what is wrong with a CSV of other columns than those of parking events, and how it may be used."""
    shown = ", ".join(cell.strip() for cell in cells)[:120]
    rule = f"this is {CSV} with the columns {shown}, not parking events: it lacks {', '.join(NEEDED)}"
    dates = [cell.strip() for cell in cells if re.search(r"offered|arriv|time|date|start|_at$", cell.lower())]
    if not dates:
        return rule, "name the columns like this, with one event per line"
    arrivals = f'[arrivals] kind = "recorded", file = "{path.name}", column = "{dates[0]}"'
    return rule, f"one event per line; or, if these are calls, offer them to a scenario: {arrivals}"


def _lacking_columns(header: Sequence[str], missing: Sequence[str]) -> str:
    """Return the next step when columns are missing: a nearly right heading, or the accepted names."""
    for name in missing:
        words = {word_of(cell): cell.strip() for cell in header}
        if near := nearest(word_of(name), words, 0.7):
            return f"did you mean {name} where it says {words[near]}?"
    return f"name a column {missing[0]} ({', '.join(COLUMNS[missing[0]][1:4])} are also accepted)"


def _from_csv(text: str, path: Path, meta: dict[str, Any]) -> Iterator[Entry]:  # noqa: ARG001 - CSV does not list the lots
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter_of(text.lstrip().splitlines()[0]))
    rows = csv_rows(reader, path)
    line, header = next(rows)
    named = _headings(header)
    if missing := [name for name in NEEDED if name not in named]:
        rule = f"the columns {', '.join(header)[:120]} lack {' and '.join(missing)}"
        raise LogError(path, line, rule, _lacking_columns(header, missing))
    words = [word_of(cell) for cell in header]
    if twice := [header[at].strip() for at in named.values() if words.count(words[at]) > 1]:
        raise LogError(path, line, f"there are two columns {twice[0]}", "keep one of them")
    written: str | None = None
    for number, row in rows:
        if len(row) != len(header):
            cut = not text.endswith("\n") and number == len(_lines(text))
            rule = _CUT if cut else f"{len(row)} cells under {len(header)}"
            raise LogError(path, number, rule, "each line needs as many cells as the header")
        fields = {name: row[at].strip() for name, at in named.items()}
        time_us, how = _csv_instant_us(fields["time"], path, number)
        if written not in (None, how):
            raise LogError(path, number, f"{how} among {written} in the time column", "write all of them the same way")
        written = how
        yield Entry(number, time_us, fields)


def csv_rows(reader: Any, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield (line, cells) of the rows that are not empty."""
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                yield reader.line_num, row
    except csv.Error as error:
        raise LogError(path, reader.line_num, f"this is not CSV ({error})", "save the log as CSV") from None


def _csv_instant_us(text: str, path: Path, line: int) -> tuple[int, str]:
    """Return the instant and how it is written; dates without an offset are wall-clock time."""
    if re.fullmatch(r"[0-9]+(\.[0-9]*)?", text):
        if float(text) >= LATEST_S:
            raise LogError(path, line, f"{text[:40]} s is not an instant; it may be milliseconds", "write seconds")
        return round(float(text) * 1e6), "seconds"
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        step = "write seconds, or ISO 8601 such as 2026-01-05 08:00:00.123"
        raise LogError(path, line, f"{text[:40]!r} is not an instant", step) from None
    if moment.tzinfo is None:
        return round(moment.replace(tzinfo=UTC).timestamp() * 1e6), "dates without an offset"
    return round(moment.timestamp() * 1e6), "dates with an offset"


def did_you_mean(word: str, words: Iterable[str], otherwise: str, cutoff: float = 0.75) -> str:
    """Return the next step after a wrong word: the nearest of ``words``, or ``otherwise``."""
    near = nearest(word, words, cutoff)
    return f"did you mean {near}?" if near else otherwise
