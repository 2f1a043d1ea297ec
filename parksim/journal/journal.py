"""The journal: everything that happened, one row a fact, in typed columns.

The journal is the only output of an engine and the only input of measures. Its columns are append-only: a column, once
written, never changes its name, type or meaning, and new ones come at the end. Two runs are equal when their
``tobytes`` are equal; where, when and with what a journal was made stands apart, in its ``header``.
"""

import io
import json
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from parksim.errors import JournalError
from parksim.journal import audit
from parksim.results import ALTERED, Framed, checksum, is_altered, read, replacing
from parksim.rules import codes as c
from parksim.rules.codes import KIND_NAMES, REASON_NAMES
from parksim.rules.lot import Fact
from parksim.scenario.model import Settings
from parksim.scenario.workload import Workload

COLUMNS: Final = (
    ("time_us", "<i8"),
    ("deadline_us", "<i8"),
    ("call", "<i4"),
    ("lot", "<i2"),
    ("slot", "<i2"),
    ("extension", "<i2"),
    ("kind", "u1"),
    ("reason", "u1"),
)
"""Names and types of the columns, in order: the fields of ``rules.lot.Fact``."""
LARGEST_MIB: Final = 1024
"""A larger file is not read."""
SCHEMA: Final = 1
"""Grows when a column is added; a file with a greater number is refused."""

AnyFact = TypeVar("AnyFact", bound=Any)
"""A ``Fact``, or another record with its ``kind``, ``reason`` and ``call``."""
RowWriter = Callable[[int, int, int, int, int, int, int, int], None]

_ROW: Final = struct.Struct("<qqihhhBB")
_ROW_TYPE: Final = np.dtype(list(COLUMNS))
assert _ROW_TYPE.itemsize == _ROW.size
_PACKED: Final = _ROW.pack
_BLOCK_BYTES: Final = 65_536 * _ROW.size
_ALWAYS_UNPACKED: Final = 64 << 20
_TIGHTEST: Final = 100
_MARK: Final = {"journal": "parksim", "schema": SCHEMA}
_CODES: Final = {
    "kind": {name: code for code, name in enumerate(KIND_NAMES)},
    "reason": {name: code for code, name in enumerate(REASON_NAMES)},
}
_LISTS: Final = frozenset({"slots", "choices", "counts"})
_COUNTED: Final = frozenset({"attendants", "staff", "slots", "counts"})
_MOST_COUNTS: Final = 24
_LEAST: Final = {name: int(np.iinfo(dtype).min) for name, dtype in COLUMNS}
_MOST: Final = {name: int(np.iinfo(dtype).max) for name, dtype in COLUMNS}


class Journal(Framed):
    """The facts of one replication, in the order in which they happened.

    ``columns`` maps each name of ``COLUMNS`` to a contiguous array, all of one length, read-only; each is an attribute
    too (``journal.time_us``). ``header`` tells how the journal was made and takes no part in equality. ``altered`` says
    why the journal is not the one that was written to its file; it is empty where nothing speaks against that.
    """

    time_us: NDArray[np.int64]
    deadline_us: NDArray[np.int64]
    call: NDArray[np.int32]
    lot: NDArray[np.int16]
    slot: NDArray[np.int16]
    extension: NDArray[np.int16]
    kind: NDArray[np.uint8]
    reason: NDArray[np.uint8]

    altered: str = ""

    def __init__(self, columns: Mapping[str, NDArray[Any]], header: Mapping[str, Any] | None = None) -> None:
        lengths = {len(columns[name]) for name, _ in COLUMNS}
        if len(lengths) != 1:
            raise JournalError(f"the columns of a journal have one length, not {sorted(lengths)}")
        self.columns = {name: np.ascontiguousarray(columns[name], dtype) for name, dtype in COLUMNS}
        for name, column in self.columns.items():
            column.flags.writeable = False
            setattr(self, name, column)
        self.header: dict[str, Any] = dict(header or {})

    @classmethod
    def of(cls, rows: list[Fact] | list[tuple[int, ...]], header: Mapping[str, Any] | None = None) -> Self:
        """Make a journal of ``rows``, each eight integers in the order of ``COLUMNS``."""
        table = np.array([tuple(row) for row in rows], _ROW_TYPE)
        return cls({name: table[name] for name, _ in COLUMNS}, header)

    def __len__(self) -> int:
        return len(self.time_us)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Journal) and self.tobytes() == other.tobytes()

    __hash__ = None  # type: ignore[assignment]  # equal by content, and long

    def __repr__(self) -> str:
        return f"<Journal of {len(self):,} facts, {self.header.get('name', 'unnamed')}>"

    def tobytes(self) -> bytes:
        """Return the columns in order, little-endian: equal runs have equal bytes."""
        return b"".join(self.columns[name].tobytes() for name, _ in COLUMNS)

    def facts(self) -> Iterator[Fact]:
        """Yield each row as a ``Fact`` of Python integers."""
        return map(Fact._make, zip(*(self.columns[name].tolist() for name, _ in COLUMNS), strict=True))

    def lines(self) -> Iterator[str]:
        """Yield the journal as JSON Lines: its header, then one object a fact, with names for kind and reason."""
        yield json.dumps({**_MARK, **self.header}, ensure_ascii=False) + "\n"
        for fact in self.facts():
            row = fact._asdict() | {"kind": KIND_NAMES[fact.kind], "reason": REASON_NAMES[fact.reason]}
            yield json.dumps(row) + "\n"

    @property
    def settings(self) -> Settings:
        """What the scenario told the engine, from the header.

        Raises:
            JournalError: the header has no valid settings.
        """
        return _settings(self.header.get("settings"))

    def check(self, workload: Workload | None = None, settings: Settings | None = None) -> audit.Finding | None:
        """Return the first row that the rules would not have written, None when there is no such row.

        Args:
            workload: the offered calls; without it a journal passes that some workload would have given.
            settings: of the scenario; those of the header by default.

        Raises:
            JournalError: no settings are given and the header has none, the workload does not go with them, or
                commands from outside stand behind the journal (then the rules alone do not tell what comes next;
                ``parksim.run(..., commands=...)`` does).
        """
        settings = self.settings if settings is None else settings
        self._refuse_commands()
        try:
            return audit.check(self.facts(), settings, workload)
        except ValueError as error:
            raise JournalError(f"the journal cannot be checked: {error}") from error

    def replay(self, until_us: int | None = None, settings: Settings | None = None) -> audit.State:
        """Return everything that is true at the end of instant ``until_us`` (the last one by default).

        Raises:
            JournalError: no settings are given and the header has none, or the rules would not have written what
                stands in the journal until then.
        """
        self._refuse_commands()
        try:
            return audit.replay(self.facts(), self.settings if settings is None else settings, until_us)
        except audit.DisagreementError as error:
            raise JournalError(f"the journal does not follow the rules: {error}") from error

    def _refuse_commands(self) -> None:
        if commands := self.header.get("commands"):
            raise JournalError(
                f"{commands} commands from outside stand behind this journal, which the rules alone cannot foresee; "
                "compare it with parksim.run(scenario, seed, replication, commands=switchboard.commands)"
            )

    def save(self, path: str | Path) -> None:
        """Write the journal to ``path``: ``.jsonl`` to read, ``.npz`` to load fast; its header gets a checksum of all.

        Raises:
            JournalError: the ending names neither.
            OutputError: the file cannot be written.
        """
        path = Path(path)
        if path.suffix not in {".jsonl", ".npz"}:
            raise JournalError(
                f"{path}: a journal is written as .jsonl or .npz, not {path.suffix or 'without ending'!r}"
            )
        own = json.loads(json.dumps(self.header))
        header = json.dumps({**_MARK, "checksum": checksum(own, *self.columns.values()), **own}, ensure_ascii=False)
        with replacing(path) as beside, beside.open("wb") as file:
            if path.suffix == ".jsonl":
                rows = self.lines()
                next(rows)
                file.write(header.encode() + b"\n")
                file.writelines(line.encode() for line in rows)
            else:
                np.savez_compressed(file, header=np.array(header), **self.columns)  # type: ignore[arg-type]  # its stub has no **kwargs of arrays

    @classmethod
    def load(cls, path: str | Path, *, unchecked: bool = False) -> Self:
        """Read a journal that ``save`` wrote; the content, not the ending, tells its form.

        Args:
            path: the file.
            unchecked: whether a journal is read that was edited by hand; ``altered`` then says so.

        Raises:
            JournalError: the file is missing or no journal; the message names the first wrong line.
        """
        path = Path(path)
        content = read(path, LARGEST_MIB, JournalError)
        loaded = cls(*(_from_npz(content, path) if content[:2] == b"PK" else _from_lines(content, path)))
        if is_altered(loaded.header, *loaded.columns.values()):
            loaded.altered = f"{path}: {ALTERED}; --unchecked, or a header without its checksum, takes it as it is"
        if loaded.altered and not unchecked:
            raise JournalError(loaded.altered)
        return loaded


class JournalWriter:
    """Collects rows as an engine makes them: packed first, turned into columns block by block."""

    def __init__(self) -> None:
        self._rows = bytearray()
        self._blocks: list[dict[str, NDArray[Any]]] = []

    def append(
        self, time_us: int, deadline_us: int, call: int, lot: int, slot: int, extension: int, kind: int, reason: int
    ) -> None:
        """Add one fact."""
        rows = self._rows
        rows += _PACKED(time_us, deadline_us, call, lot, slot, extension, kind, reason)
        if len(rows) == _BLOCK_BYTES:
            self._close_block()

    def so_far(self) -> Journal:
        """Return all rows added so far as a journal, and keep them."""
        self._close_block()
        return Journal({name: np.concatenate([block[name] for block in self._blocks]) for name, _ in COLUMNS})

    def _close_block(self) -> None:
        table = np.frombuffer(bytes(self._rows), _ROW_TYPE)
        self._blocks.append({name: table[name].copy() for name, _ in COLUMNS})
        self._rows.clear()

    def journal(self, header: Mapping[str, Any] | None = None) -> Journal:
        """Return all rows added so far as a journal; the writer is empty afterwards."""
        self._close_block()
        # One column after the other, so that a long journal never stands in memory twice.
        columns = {name: np.concatenate([block.pop(name) for block in self._blocks]) for name, _ in COLUMNS}
        self._blocks.clear()
        return Journal(columns, header)


def _from_lines(content: bytes, path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Read JSON Lines; JournalError names the first wrong line."""
    if not content:
        raise JournalError(f"{path}: the file is empty; a journal begins with its header")
    header: dict[str, Any] = {}
    rows: list[tuple[int, ...]] = []
    for number, line in enumerate(io.BytesIO(content), start=1):
        try:
            if number == 1:
                header = _header(_json(line))
            else:
                rows.append(_row(_json(line)))
        except JournalError as error:
            raise JournalError(f"{path}, line {number}: {error}") from None
    table = np.array(rows, _ROW_TYPE)
    return {name: table[name] for name, _ in COLUMNS}, header


def _json(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise JournalError(f"this is no journal of parksim, or it is damaged: no JSON ({error})") from None


def _row(record: Any) -> tuple[int, ...]:
    """Return the row that one line tells, every value a whole number that its column can hold."""
    if not isinstance(record, dict):
        raise JournalError(f"a fact is a JSON object, not {type(record).__name__}")
    if missing := [name for name, _ in COLUMNS if name not in record]:
        raise JournalError(f"a fact has {', '.join(missing)} too")
    values = []
    for name, _ in COLUMNS:
        value = record[name]
        if name in _CODES:
            if not isinstance(value, str) or value not in _CODES[name]:
                raise JournalError(f"{value!r} is no {name} that this parksim knows")
            value = _CODES[name][value]
        elif type(value) is not int or not _LEAST[name] <= value <= _MOST[name]:
            raise JournalError(f"{name} is {value!r}; it is a whole number from {_LEAST[name]} to {_MOST[name]}")
        values.append(value)
    return tuple(values)


def _from_npz(content: bytes, path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Read the archive of ``numpy.savez``, without pickles; JournalError says what is wrong with it."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            _check_unpacked(sum(member.file_size for member in archive.zip.infolist()), len(content))
            header = _header(json.loads(str(archive["header"])))
            columns = {name: archive[name] for name, _ in COLUMNS}
    except JournalError as error:
        raise JournalError(f"{path}: {error}") from None
    except Exception as error:  # noqa: BLE001 - zipfile, zlib, tokenize and numpy raise what they please at damaged bytes
        raise JournalError(f"{path}: this is no journal of parksim, or it is damaged ({error})") from None
    for name, dtype in COLUMNS:
        if columns[name].dtype != np.dtype(dtype) or columns[name].shape != (columns["time_us"].size,):
            found = f"{columns[name].dtype} of shape {columns[name].shape}"
            raise JournalError(f"{path}: column {name} is {found}, a journal's are {np.dtype(dtype)} and of one length")
    if columns["kind"].max(initial=0) >= len(KIND_NAMES) or columns["reason"].max(initial=0) >= len(REASON_NAMES):
        raise JournalError(f"{path}: a kind or reason has a code that this parksim does not know")
    return columns, header


def _check_unpacked(unpacked: int, packed: int) -> None:
    """Refuse an archive that unpacks to more than a journal of its size does."""
    if unpacked > max(_ALWAYS_UNPACKED, _TIGHTEST * packed):
        raise JournalError(f"it unpacks to {unpacked >> 20:,} MiB, more than a journal of its size; name another file")


def _header(record: Any) -> dict[str, Any]:
    """Return the header proper, or raise JournalError when the record is no header of ours."""
    if not isinstance(record, dict) or record.pop("journal", None) != "parksim":
        raise JournalError('this is no journal of parksim: its header lacks "journal": "parksim"')
    schema = record.pop("schema", None)
    if type(schema) is not int or schema < 1:
        raise JournalError(f"the header's schema is {schema!r}; it is a whole number from 1")
    if schema > SCHEMA:
        raise JournalError(f"journal schema {schema} is newer than {SCHEMA}, which this parksim reads; update parksim")
    return record


def _settings(given: Any) -> Settings:
    """Return the settings that stand in a header, where JSON has made lists of tuples."""
    if not isinstance(given, Mapping):
        raise JournalError("the journal's header has no settings; give those it was made with")
    given = {**Settings._field_defaults, **given}  # older headers have fewer
    for name in Settings._fields:
        if name not in given:
            raise JournalError(f"the settings in the journal's header lack {name}")
        value = given[name]
        numbers = value if name in _LISTS else [value]
        most = _MOST["extension"] if name in _COUNTED else None
        if not isinstance(numbers, list | tuple) or not all(_is_setting(number, most) for number in numbers):
            raise JournalError(f"the settings in the journal's header have {name} = {value!r}, which cannot be")
    settings = Settings._make(given[name] for name in Settings._fields)
    settings = settings._replace(
        slots=tuple(settings.slots), choices=tuple(settings.choices), counts=tuple(settings.counts)
    )
    if not settings.slots or len(settings.slots) != len(settings.choices):
        raise JournalError("the settings in the journal's header need a number of slots and a choice for each lot")
    counts = settings.counts
    if counts and not (len(counts) <= _MOST_COUNTS and min(counts) >= 0 and max(counts) == settings.attendants >= 1):
        raise JournalError(
            f"the settings in the journal's header have counts = {list(counts)}, which cannot be: at most "
            f"{_MOST_COUNTS} numbers of attendants on duty, the greatest of which is attendants"
        )
    if settings.period_us < 1:
        raise JournalError(f"the settings in the journal's header have period_us = {settings.period_us}, less than 1")
    return settings


def _is_setting(number: Any, most: int | None) -> bool:
    return type(number) is int and number >= -1 and (most is None or number <= most)


def is_parking(fact: Any) -> bool:
    """Tell whether a slot is taken or becomes free."""
    if fact.kind == c.RETRIEVED:
        return bool(fact.reason != c.RINGING)
    return fact.kind in (c.PARKED, c.EXPIRED) or (fact.kind == c.ABANDONED and fact.reason == c.IN_LOT)


def stays_of(facts: Iterable[AnyFact]) -> list[tuple[AnyFact, AnyFact | None]]:
    """Return the stays as they began: the fact that began each, and the one that ended it, None while it lasts."""
    stays: list[tuple[AnyFact, AnyFact | None]] = []
    open_at: dict[Any, int] = {}
    for fact in facts:
        if fact.kind == c.PARKED:
            open_at[fact.call] = len(stays)
            stays.append((fact, None))
        elif is_parking(fact) and fact.call in open_at:
            place = open_at.pop(fact.call)
            stays[place] = stays[place][0], fact
    return stays
