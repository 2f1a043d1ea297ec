"""CSV with named columns: a row for each event of a call.

The columns and the headings that are accepted for each are in ``COLUMNS``; the delimiter is the comma, the semicolon
or the tab.
"""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from parksim.errors import LogError
from parksim.pbx.formats.content import Source
from parksim.pbx.formats.entry import CUT, Entry, Findings, Reader
from parksim.pbx.formats.facts import csv_instant_us, csv_rows, offered_to_a_scenario
from parksim.scenario.messages import nearest

FORM: Final = "CSV"

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


def _recognises(head: Sequence[str]) -> bool:
    cells = _cells(head[0].strip())
    if len(_headings(cells)) >= 2:
        return True
    return len(cells) > 1 and all(re.fullmatch(r"\s*[A-Za-z][\w .-]*", cell) for cell in cells)


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
    rule = f"this is {FORM} with the columns {shown}, not parking events: it lacks {', '.join(NEEDED)}"
    dates = [cell.strip() for cell in cells if re.search(r"offered|arriv|time|date|start|_at$", cell.lower())]
    if not dates:
        return rule, "name the columns like this, with one event per line"
    return rule, f"one event per line; or, if these are calls, {offered_to_a_scenario(path.name, dates[0])}"


def _lacking_columns(header: Sequence[str], missing: Sequence[str]) -> str:
    """Return the next step when columns are missing: a nearly right heading, or the accepted names."""
    for name in missing:
        words = {word_of(cell): cell.strip() for cell in header}
        if near := nearest(word_of(name), words, 0.7):
            return f"did you mean {name} where it says {words[near]}?"
    return f"name a column {missing[0]} ({', '.join(COLUMNS[missing[0]][1:4])} are also accepted)"


def _entries(source: Source, findings: Findings) -> Iterator[Entry]:
    path = source.path
    if len(_headings(_cells(source.head[0][1].strip()))) < 2:
        raise LogError(path, source.head[0][0], *_other_columns(_cells(source.head[0][1].strip()), path))
    texts = (f"{line}\n" for _, line in source.texts())
    rows = csv_rows(csv.reader(texts, delimiter=delimiter_of(source.head[0][1])), path)
    line, header = next(rows)
    named = _headings(header)
    if missing := [name for name in NEEDED if name not in named]:
        rule = f"the columns {', '.join(header)[:120]} lack {' and '.join(missing)}"
        raise LogError(path, line, rule, _lacking_columns(header, missing))
    words = [word_of(cell) for cell in header]
    if twice := [header[at].strip() for at in named.values() if words.count(words[at]) > 1]:
        raise LogError(path, line, f"there are two columns {twice[0]}", "keep one of them")
    written: str | None = None
    time_us = 0
    for number, row in rows:
        if len(row) != len(header):
            cut = next(rows, None) is None and not source.ended
            rule = CUT if cut else f"{len(row)} cells under {len(header)}"
            raise LogError(path, number, rule, "each line needs as many cells as the header")
        fields = {name: row[at].strip() for name, at in named.items()}
        time_us, how = csv_instant_us(fields["time"], path, number, findings.zone, time_us)
        if written not in (None, how):
            raise LogError(path, number, f"{how} among {written} in the time column", "write all of them the same way")
        written = how
        yield Entry(number, time_us, fields)


READER: Final = Reader(
    FORM,
    _recognises,
    _entries,
    frozenset({"slots", "limits", "refusals", "parkers", "retrievers", "offered", "waits", "settings"}),
)
