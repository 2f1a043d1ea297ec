"""Tables: columns of numbers and names that pandas, polars and DuckDB read without a copy.

A result (a ``Run``, ``Study`` or ``Sweep``) is ``Framed``: it has one table, made once and kept, whose columns are
NumPy arrays. ``to_pandas()`` and the Arrow stream hand those very arrays on, so a result of millions of facts is never
there twice. Units are the last word of a column's name; what is undefined is nan.

>>> table = Table({"lot": Names(np.array([0, 1, 0]), ("north", "south")), "wait_s": np.array([1.5, 2.0, 0.5])})
>>> len(table), table.to_csv().splitlines()
(3, ['lot,wait_s', 'north,1.5', 'south,2.0', 'north,0.5'])
"""

import csv
import hashlib
import html
import io
import json
import math
import os
import re
import shutil
import threading
from abc import ABC, abstractmethod
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from parksim.errors import ArgumentError, MissingLibraryError, OutputError, ParksimError

SHOWN_ROWS: Final = 20
FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")
"""What begins so is a formula to a spreadsheet."""


SHOWERS: Final = {
    "table": "parksim.reports.tables:table_of",
    "html": "parksim.reports.tables:html_of",
    "plot": "parksim.reports.charts:plot",
    "report": "parksim.reports.html:save",
    "play": "parksim.reports.play.frame:Frame",
    "summary": "parksim.reports.screen:screen_text",
    "quick": "parksim.reports.screen_quick:screen_text",
    "rare": "parksim.reports.screen_rare:screen_text",
    "advice": "parksim.studies.advise:advise",
}
"""Who shows a result or continues from it, as ``module:function``, loaded on use; no other place knows them."""


def shower(name: str) -> Callable[..., Any]:
    """Return one of ``SHOWERS``, its module loaded now."""
    module, _, function = SHOWERS[name].partition(":")
    found: Callable[..., Any] = getattr(import_module(module), function)
    return found


class Names(NamedTuple):
    """A column of words: ``names[codes[row]]``, shape of ``codes`` (rows,)."""

    codes: NDArray[Any]
    names: tuple[str, ...]


Column = NDArray[Any] | Names


class Framed:
    """What has a table, or is one: read it with pandas, polars, DuckDB or Arrow, or write it to a file."""

    @cached_property
    def table(self) -> "Table":
        """The result as one table, made on first use."""
        table: Table = shower("table")(self)
        return table

    def to_pandas(self) -> Any:
        """Return ``table`` as a ``pandas.DataFrame`` that shares its numbers; words are categories.

        Raises:
            MissingLibraryError: pandas is not installed.
        """
        pd = library("pandas")
        columns = {
            name: pd.Categorical.from_codes(column.codes, list(column.names)) if isinstance(column, Names) else column
            for name, column in self.table.columns.items()
        }
        return pd.DataFrame(columns, copy=False)

    def to_arrow(self) -> Any:
        """Return ``table`` as a ``pyarrow.Table`` that shares its numbers.

        Raises:
            MissingLibraryError: pyarrow is not installed.
        """
        pa = library("pyarrow")
        arrays = {
            name: pa.DictionaryArray.from_arrays(pa.array(column.codes), pa.array(column.names, pa.string()))
            if isinstance(column, Names)
            else pa.array(column)
            for name, column in self.table.columns.items()
        }
        return pa.table(arrays)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Hand ``table`` on as an Arrow C stream: ``polars.DataFrame(result)``, ``duckdb.sql("from result")``."""
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def _repr_html_(self) -> str:
        text: str = shower("html")(self)
        return text


class Table(Framed):
    """Columns of equal length by name, in order.

    Args:
        columns: one-dimensional arrays of numbers or truth values, or ``Names``.

    Raises:
        ArgumentError: columns of different lengths.
    """

    def __init__(self, columns: Mapping[str, Column]) -> None:
        self.columns = dict(columns)
        lengths = {len(column.codes if isinstance(column, Names) else column) for column in self.columns.values()}
        if len(lengths) > 1:
            raise ArgumentError(f"the columns of a table have one length, not {sorted(lengths)}")
        self._length = lengths.pop() if lengths else 0

    @property
    def table(self) -> Self:
        """The table itself."""
        return self

    def __len__(self) -> int:
        return self._length

    def __repr__(self) -> str:
        return f"<Table of {self._length:,} rows: {', '.join(self.columns)}>"

    def rows(self, most: int | None = None) -> Iterator[tuple[Any, ...]]:
        """Yield the first ``most`` rows as Python values, nan as None; all of them by default."""
        return zip(*(_plain(column, most) for column in self.columns.values()), strict=True)

    def to_csv(self) -> str:
        """Return the table as CSV (see ``to_csv``)."""
        return to_csv(self.columns, self.rows())

    def save(self, path: str | Path) -> None:
        """Write the table to a ``.csv`` or ``.parquet`` file.

        Raises:
            ArgumentError: the ending names neither.
            MissingLibraryError: for Parquet, pyarrow is not installed.
            OutputError: the file cannot be written.
        """
        path = Path(path)
        if path.suffix == ".csv":
            write(path, self.to_csv())
        elif path.suffix == ".parquet":
            table = self.to_arrow()
            with replacing(path) as beside:
                library("pyarrow.parquet").write_table(table, beside)
        else:
            raise ArgumentError(
                f"{path}: a table is written as .csv or .parquet, not {path.suffix or 'without ending'!r}"
            )

    def _repr_html_(self) -> str:
        more = f"{self._length:,} rows" + (f", the first {SHOWN_ROWS} shown" if self._length > SHOWN_ROWS else "")
        return html_table(more, list(self.columns), self.rows(SHOWN_ROWS))


class Drawn(Framed):
    """What has charts as well."""

    def plot(self, name: str | None = None, **options: Any) -> Any:
        """Return one of the result's charts, an ``altair.Chart`` to show, to edit or to save.

        Args:
            name: which; by default the first of ``parksim.reports.charts.charts_of(result)``; a wrong word gets a
                message with the nearest right one.
            options: of the chart (``parksim.reports.charts`` lists them); ``width`` in pixels has every one.

        Raises:
            PlanError: there is no such chart, or no such key, measure or value in the result.
            MissingLibraryError: altair is not installed.
        """
        return shower("plot")(self, name, **options)


class Answered(ABC):
    """What one command answers, without a table: as JSON, and as plain text."""

    _shower: ClassVar[str]
    """Which of ``SHOWERS`` writes it as text."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return the answer as plain values, which the command prints with ``--json``."""

    def to_json(self) -> str:
        """Return ``to_dict`` as a JSON text; what is undefined is null."""
        return json.dumps(nulled(self.to_dict()), ensure_ascii=False, allow_nan=False, indent=2)

    def summary(self) -> str:
        """Return the answer as plain text."""
        text: str = shower(self._shower)(self)
        return text


class Reported(Drawn):
    """What a report can be written of."""

    def report(self, path: str | Path, *, play: bool = False) -> None:
        """Write a report: question, answer, verdicts, assumptions, charts, tables, and how it was made.

        Args:
            path: a page that opens offline (``.html``), or Markdown (``.md``, which needs no library).
            play: whether the switchboard runs in the page, with other values; of a study only.

        Raises:
            ArgumentError: the file's name ends otherwise.
            WrongTypeError: no page plays such a result.
            MissingLibraryError: altair or vl-convert is not installed.
            OutputError: the file cannot be written.
        """
        shower("report")(self, path, play=play)


def to_csv(names: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    r"""Return rows of plain values as CSV: a line of names, the undefined left empty, numbers to the last bit.

    A text that a spreadsheet would take for a formula gets an apostrophe before it.

    >>> to_csv(["lot.slots", "lot.choice", "low"], [(4, "=cmd()", None)])
    "lot.slots,lot.choice,low\r\n4,'=cmd(),\r\n"
    """
    file = io.StringIO(newline="")
    writer = csv.writer(file)  # lines end as RFC 4180 has it, so that a lone \r or \n within a text is quoted
    writer.writerow([_harmless(name) for name in names])
    writer.writerows([_harmless(value) for value in row] for row in rows)
    return file.getvalue()


def rows_to_csv(rows: Iterable[Mapping[str, Any]]) -> str:
    r"""Return rows of plain values by name as CSV (see ``to_csv``); a row may lack what others have.

    >>> rows_to_csv([{"lot.slots": 4, "refused_share": 0.1, "low": None}])
    'lot.slots,refused_share,low\r\n4,0.1,\r\n'
    """
    rows = list(rows)
    names = list(dict.fromkeys(name for row in rows for name in row))
    return to_csv(names, ([row.get(name) for name in names] for row in rows))


def html_table(caption: str, headings: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """Return an HTML table; every text is escaped, what is undefined is a dash.

    >>> html_table("two", ["a"], [["<b>"], [None]])
    '<table><caption>two</caption><thead><tr><th>a</th></tr></thead><tbody><tr><td>&lt;b&gt;</td></tr>\
<tr><td>-</td></tr></tbody></table>'
    """

    def line(cells: Iterable[object], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(_shown(cell))}</{tag}>" for cell in cells) + "</tr>"

    return (
        f"<table><caption>{html.escape(caption)}</caption><thead>{line(headings, 'th')}</thead>"
        f"<tbody>{''.join(line(row, 'td') for row in rows)}</tbody></table>"
    )


def _shown(cell: object) -> str:
    if cell is None or cell != cell:  # noqa: PLR0124 - only nan differs from itself
        return "-"
    return f"{cell:.6g}" if isinstance(cell, float) else str(cell)


def _plain(column: Column, most: int | None) -> list[Any]:
    if isinstance(column, Names):
        return [column.names[code] for code in column.codes[:most].tolist()]
    values: list[Any] = column[:most].tolist()
    return [None if value != value else value for value in values]  # noqa: PLR0124 - only nan differs from itself


def _harmless(value: object) -> object:
    if isinstance(value, float) and value != value:  # noqa: PLR0124 - only nan differs from itself
        return None
    if not isinstance(value, str | int | float | None):
        value = str(value)
    return "'" + value if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value


def nulled(value: Any) -> Any:
    """Return plain values with None for every number that JSON cannot write; arrays become lists."""
    if isinstance(value, dict):
        return {key: nulled(item) for key, item in value.items()}
    if isinstance(value, list | tuple | array):
        return [nulled(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def canonical(value: Any) -> str:
    """Return plain values as JSON text: keys sorted, no spaces, shortest digits that give the same double, nan as null.

    >>> canonical({"b": [0.1, float("nan")], "a": 1.0})
    '{"a":1.0,"b":[0.1,null]}'
    """
    return json.dumps(nulled(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def checksum(content: Mapping[str, Any], *further: NDArray[Any]) -> str:
    """Return what stands as "checksum" in a file: the SHA-256 of its canonical content, and of further columns."""
    digest = hashlib.sha256(canonical(content).encode())
    for one in further:
        digest.update(one.data)
    return f"sha256:{digest.hexdigest()}"


def is_altered(content: dict[str, Any], *further: NDArray[Any]) -> bool:
    """Take the checksum out of what was read from a file, and say whether the rest is not what was written.

    A file of an older parksim has no checksum. A checksum under another name is a damaged one.
    """
    found = content.pop("checksum", None)
    if found is None:
        return any(isinstance(one, str) and _CHECKSUM.fullmatch(one) for one in content.values())
    try:
        return bool(found != checksum(content, *further))
    except RecursionError:
        return True


_CHECKSUM: Final = re.compile("sha256:[0-9a-f]{64}")
ALTERED: Final = "it was edited by hand or is damaged: its content does not match its checksum"


def read(path: Path, most_mib: int, wrong: type[ParksimError]) -> bytes:
    """Return the content of a file of at most ``most_mib``.

    Raises:
        ParksimError: of the class ``wrong``: it cannot be read, is larger, or is a pipe or a device (without end).
    """
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            raise wrong(f"{path}: cannot be read (it is not a regular file); name a file")
        with path.open("rb") as file:
            content = file.read((most_mib << 20) + 1)
    except ParksimError:
        raise
    except (OSError, ValueError) as error:
        raise wrong(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    if len(content) > most_mib << 20:
        raise wrong(f"{path}: is larger than {most_mib} MiB, the most that is read; name another file")
    return content


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield the name of a file that takes the place of ``path`` when it is whole; if it fails, the old one stays.

    A link stays a link, and the new file has the old one's permissions. Where nothing can take its place (a pipe, a
    device, a file that is mounted, a file in a folder that is not writable), the file is written as it is.

    Raises:
        OutputError: the file cannot be written.
    """
    place = Path(os.path.realpath(path))
    beside = place.with_name(f".{place.name[:60]}.{os.getpid()}.{threading.get_ident()}.part")
    try:
        if place.exists() and not (place.is_file() and os.access(place.parent, os.W_OK) and not os.path.ismount(place)):
            yield place
            return
        try:
            yield beside
            with beside.open("rb") as file:
                os.fsync(file.fileno())
            if place.exists():
                shutil.copymode(place, beside)
            beside.replace(place)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(error.errno, error.strerror or str(error), str(path)) from error


def write(path: Path, content: str) -> None:
    """Write a text as UTF-8 in place of a file (see ``replacing``)."""
    with replacing(path) as beside:
        beside.write_text(content, encoding="utf-8", newline="")


def names_of(values: Sequence[object]) -> Names:
    """Return a column of words that repeat, by first appearance.

    >>> names_of(["b", "a", "b"])
    Names(codes=array([0, 1, 0], dtype=int32), names=('b', 'a'))
    """
    known = {word: code for code, word in enumerate(dict.fromkeys(map(str, values)))}
    return Names(np.array([known[str(value)] for value in values], np.int32), tuple(known))


def library(name: str, extra: str = "notebook") -> ModuleType:
    """Return a library that not everybody has, loaded on first use.

    Raises:
        MissingLibraryError: it is not installed; the message says which extra brings it.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError:
        package = name.partition(".")[0].replace("_", "-")
        raise MissingLibraryError(
            f"{package} is not installed; install it with: pip install 'parksim[{extra}]'"
        ) from None
