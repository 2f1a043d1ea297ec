"""Columns of recorded files: measured durations, and the instants at which calls came.

A file is CSV with a header, or plain text with one value a line. Its digest stands for it wherever the file itself
is not at hand (a journal's header, a result): such a reference is written ``sha256:`` and 64 hexadecimal digits.
"""

import csv
import hashlib
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from parksim.errors import ArgumentError, UnfitError
from parksim.scenario.quantities import DAY_US, duration_s
from parksim.scenario.reading import MIB, names_beside, read

LARGEST_FILE: Final = 64 * MIB
MOST_VALUES: Final = 1_000_000
"""Of a column: what is kept of this many fits into a few hundred MB."""
_REFERENCE = re.compile(r"sha256:[0-9a-f]{64}")
_MICROSECOND = timedelta(microseconds=1)
_SQL_TYPE = re.compile(r"\s*(?:INTEGER|BIGINT|UNIQUEIDENTIFIER|VARCHAR\(\d+\)|\s*)\s*", re.IGNORECASE)
_FIRST_DAY = datetime(1, 1, 1, tzinfo=UTC)
_MOST_DIGITS: Final = 11
"""Before the point: more seconds than this many digits write are no instant."""


class Table(NamedTuple):
    """One column of a file: its values, each behind the line on which it stands."""

    name: str
    digest: str
    cells: tuple[tuple[int, str], ...]

    def wrong(self, line: int, text: str, rule: str, step: str) -> UnfitError:
        """Return the error of one value."""
        return UnfitError(f"{self.name}, line {line}: {text[:64]!r} {rule}", step)


def is_reference(file: str) -> bool:
    """Tell whether ``file`` is the digest of a file instead of its name."""
    return _REFERENCE.fullmatch(file) is not None


def located(file: str, context: Mapping[str, Any] | None) -> Path:
    """Return where a scenario's file is: relative names start at the scenario's folder, ``context["folder"]``."""
    return Path((context or {}).get("folder", ".")) / file


def read_column(path: Path, column: str | None) -> Table:
    """Return the cells of one column.

    Without ``column`` the file must have one column only; its first line is then a value if it looks like one. The
    columns of a file without a header are named by their numbers, from 1. A second line of SQL types, as Cisco's CDR
    files have it, is passed over.

    Raises:
        UnfitError: the file is missing, empty, not UTF-8 text, or has no such column.
    """
    digest, rows = read_rows(path)
    cells: list[tuple[int, str]] = []
    header: list[str] = []
    position = 0
    for line, row in rows:
        if not header:
            header = [cell.strip() for cell in row]
            position = _position(header, column, path.name)
            if column in header or not _is_value(header[position]):
                continue
        if not cells and all(map(_SQL_TYPE.fullmatch, row)):
            continue
        if position >= len(row) or not row[position].strip():
            raise UnfitError(
                f"{path.name}, line {line}: the column has no value there", "fill it in or remove the line"
            )
        if len(cells) == MOST_VALUES:
            raise UnfitError(f"{path.name} has more than {MOST_VALUES:,} values", "split it")
        cells.append((line, row[position].strip()))
    if not header:
        raise UnfitError(f"{path.name} is empty", "it needs at least one value")
    if not cells:
        raise UnfitError(f"{path.name} has a header and no values", "it needs at least one value")
    return Table(path.name, digest, tuple(cells))


def read_rows(path: Path) -> tuple[str, Iterator[tuple[int, list[str]]]]:
    """Return the SHA-256 of a CSV file, and its rows that are not empty, each with its line.

    Raises:
        UnfitError: the file is missing, not UTF-8 text, or no CSV.
    """
    raw = _content(path)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnfitError(f"{path.name} is not UTF-8 text (byte {error.start})", "save it as CSV in UTF-8") from None
    if "\0" in text:
        raise UnfitError(f"{path.name} is not a text file", "save it as CSV in UTF-8")
    return hashlib.sha256(raw).hexdigest(), _rows(text, path.name)


def _rows(text: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (line, cells) of the rows that are not empty."""
    reader = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True)
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                yield reader.line_num, row
    except csv.Error as error:
        raise UnfitError(f"{name}, line {reader.line_num}: {error}", "save it as CSV in UTF-8") from None


def _content(path: Path) -> bytes:
    try:
        return read(path, LARGEST_FILE)
    except FileNotFoundError:
        near = get_close_matches(path.name, names_beside(path), 1)
        step = f'did you mean "{near[0]}"?' if near else "names are relative to the folder of the scenario file"
        raise UnfitError("there is no such file", step) from None


def _position(header: list[str], column: str | None, name: str) -> int:
    if column is None:
        if len(header) > 1:
            listed = ", ".join(header[:12])
            raise UnfitError(f"{name} has {len(header)} columns", f"say which one with column = ...: {listed}"[:300])
        return 0
    if column not in header and re.fullmatch("[1-9][0-9]{0,2}", column) and int(column) <= len(header):
        return int(column) - 1
    if column not in header:
        near = get_close_matches(column, header, 1, 0.4)
        step = f'did you mean "{near[0]}"?' if near else f"it has {', '.join(header[:12])}"[:300]
        raise UnfitError(f'{name} has no column "{column[:64]}"', step)
    return header.index(column)


def _is_value(text: str) -> bool:
    for parse in (_seconds, datetime.fromisoformat, duration_s):
        try:
            parse(text)
        except ValueError:
            continue
        return True
    return False


def _seconds(text: str) -> Decimal:
    try:
        value = Decimal(text) if text.isascii() and "_" not in text else None
    except InvalidOperation:
        value = None
    if value is None or not value.is_finite():
        raise ArgumentError(text)
    return value


def durations_s(table: Table) -> NDArray[np.float64]:
    """Return the durations of a column, ascending: numbers of seconds or texts such as "45s".

    Raises:
        UnfitError: a cell is no duration; the line is named.
    """
    values = []
    for line, text in table.cells:
        try:
            try:
                values.append(duration_s(float(_seconds(text))))
            except UnfitError:
                raise
            except ValueError:
                values.append(duration_s(text))
        except UnfitError as error:
            raise table.wrong(line, text, error.rule, error.step) from None
    return np.sort(np.array(values, dtype=np.float64))


@dataclass(frozen=True)
class Recording:
    """When calls came: microseconds from the midnight before the first, sorted.

    ``day`` and ``time_of_day_us`` say the same by the calendar of the recording itself: the number of the day,
    from 0 on the first, and the wall-clock time since its midnight. All of shape (calls,).
    """

    digest: str
    instant_us: NDArray[np.int64] = field(compare=False)
    day: NDArray[np.int64] = field(compare=False)
    time_of_day_us: NDArray[np.int64] = field(compare=False)

    @property
    def days(self) -> int:
        """How many calendar days the recording spans, first and last included."""
        return int(self.day.max()) + 1

    def of_day(self, day: int) -> NDArray[np.int64]:
        """Return the calls of one calendar day, in microseconds from its midnight, sorted."""
        return np.sort(self.time_of_day_us[self.day == day])


def instants(table: Table) -> Recording:
    """Return the instants of a column: ISO 8601 dates (all with or all without an offset), or seconds.

    Raises:
        UnfitError: a cell is neither, or the column mixes them; the line is named.
    """
    try:
        _seconds(table.cells[0][1])
    except ValueError:
        return _from_dates(table)
    return _from_seconds(table)


def _from_seconds(table: Table) -> Recording:
    values = []
    for line, text in table.cells:
        try:
            seconds = _seconds(text)
        except ValueError:
            raise table.wrong(line, text, "is not a number of seconds", "the lines above hold seconds") from None
        if seconds.adjusted() > _MOST_DIGITS:
            raise table.wrong(line, text, "is out of range", "write seconds")
        values.append(int((seconds * 1_000_000).to_integral_value()))
    stamps = np.array(values, dtype=np.int64)
    stamps = np.sort(stamps - stamps.min() // DAY_US * DAY_US)
    return _bounded(Recording(table.digest, stamps, stamps // DAY_US, stamps % DAY_US), table.name)


def _from_dates(table: Table) -> Recording:
    moments: list[datetime] = []
    for line, text in table.cells:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            step = 'write ISO 8601 such as "2026-01-05 08:00:00", or seconds'
            raise table.wrong(line, text, "is not a date and time", step) from None
        if moments and (moment.tzinfo is None) != (moments[0].tzinfo is None):
            rule = "mixes dates with and without an offset"
            raise table.wrong(line, text, rule, "give all of them an offset, or none")
        moments.append(moment)
    walls = [moment.replace(tzinfo=UTC) for moment in moments]
    order = sorted(range(len(moments)), key=lambda i: walls[i] - _FIRST_DAY - (moments[i].utcoffset() or timedelta()))
    first = moments[order[0]]
    midnight = first.replace(hour=0, minute=0, second=0, microsecond=0)
    first_day = min(wall.date() for wall in walls).toordinal()
    stamps = [(moments[i] - midnight) // _MICROSECOND for i in order]
    days = [walls[i].toordinal() - first_day for i in order]
    times = [(walls[i] - walls[i].replace(hour=0, minute=0, second=0, microsecond=0)) // _MICROSECOND for i in order]
    column = Recording(table.digest, *(np.array(part, dtype=np.int64) for part in (stamps, days, times)))
    return _bounded(column, table.name)


def _bounded(recording: Recording, name: str) -> Recording:
    if recording.days > 3_660:
        raise UnfitError(f"{name} spans {recording.days} days", "look for a wrong date; ten years is the limit")
    return recording
