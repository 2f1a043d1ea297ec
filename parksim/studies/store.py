"""Measures that outlive the process: one SQLite file of replications, written as they come.

A record is one replication: its key (scenario digest, seed, replication, engine, versions), its measures as
canonical JSON, and a checksum over both. So a study that was killed resumes where it was, a record that a disk has
changed is found and made again, and the file can be read by any program that reads SQLite. The file also has the
scenarios' texts, and the plans: which studies and sweeps were finished, the last one last.

One process writes, any number read: the writer holds a lock on ``FILE.lock`` (an empty file, which goes with its
writer), which the operating system releases however the writer ends. Readers see what is committed (write-ahead log);
who is the last to close the file takes the log away.

>>> from tempfile import TemporaryDirectory
>>> key = Key("d" * 64, seed=1, replication=0, engine="simpy", version="0.1.0")
>>> with TemporaryDirectory() as folder, Store.open(f"{folder}/sweep.db") as store:
...     store.put({key: {"refused_share": 0.25, "recall_busy_share": float("nan")}})
...     store.results(key.scenario, key.seed, key.engine, key.version)
{0: {'recall_busy_share': nan, 'refused_share': 0.25}}
"""

import hashlib
import json
import math
import os
import platform
import sqlite3
from array import array
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple, Self

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from parksim.errors import ArgumentError, StoreError
from parksim.results import canonical

SCHEMA: Final = 1
"""Version of the tables below, in the file's ``user_version``; a newer one is refused."""
APPLICATION: Final = 0x7061726B
"""In the file's ``application_id``: "park"."""
BUSY_S: Final = 10.0
"""How long to wait for a reader that is in the way."""

_TABLES: Final = f"""BEGIN IMMEDIATE;
CREATE TABLE records (scenario TEXT, seed INTEGER, replication INTEGER, engine TEXT, version TEXT,
    measures TEXT, checksum TEXT, PRIMARY KEY (scenario, seed, replication, engine, version)) WITHOUT ROWID;
CREATE TABLE scenarios (digest TEXT PRIMARY KEY, canonical TEXT) WITHOUT ROWID;
CREATE TABLE plans (number INTEGER PRIMARY KEY, plan TEXT, checksum TEXT);
CREATE TABLE writer (one INTEGER PRIMARY KEY CHECK (one = 1), process INTEGER, machine TEXT);
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {SCHEMA};
COMMIT"""
_COLUMNS: Final = "scenario, seed, replication, engine, version, measures, checksum"

Result = dict[str, Any]
"""The measures of one replication: floats (nan where undefined), and lists of floats for vectors."""


class Key(NamedTuple):
    """The key of a record: equal keys give equal measures."""

    scenario: str  # digest, 64 hexadecimal digits
    seed: int
    replication: int
    engine: str
    version: str  # parksim's and its libraries' (``studies.made_by``)


class Damage(NamedTuple):
    """A damaged record, as far as it can be read, and how the damage shows."""

    table: str
    key: tuple[object, ...]
    why: str

    def __str__(self) -> str:
        """Return "records (a3f0…, 1, 7, simpy, 0.1.0): its checksum is wrong"."""
        return f"{self.table} ({', '.join(map(_short, self.key))}): {self.why}"


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 16 else text[:12] + "…"


_Number = Annotated[float, Field(allow_inf_nan=False)] | None
_MEASURES: Final = TypeAdapter(dict[str, _Number | list[_Number]], config=ConfigDict(strict=True))


def parsed(text: str) -> Result:
    """Return the measures of a ``canonical`` text: the same doubles, null as nan.

    Raises:
        ArgumentError: it is not a JSON object of numbers and of lists of numbers.
    """
    try:
        return {name: _restored(value) for name, value in _MEASURES.validate_json(text).items()}
    except ValidationError:
        raise ArgumentError("measures are a JSON object of numbers and of lists of numbers") from None


def _restored(value: Any) -> Any:
    if isinstance(value, list):
        return array("d", [_restored(one) for one in value])
    return math.nan if value is None else value


def sum_of(result: Result) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of one replication's measures."""
    return hashlib.sha256(canonical(result).encode()).hexdigest()[:16]


@cache
def code_digest() -> str:
    """Return the SHA-256 of the sources that decide what a replication measures, 64 hexadecimal digits.

    So the records of a store belong to other code as soon as a rule is edited, released or not.
    """
    digest = hashlib.sha256()
    package = Path(__file__).parents[1]
    files = [file for pattern in _DECIDING for file in package.glob(pattern)]
    for file in sorted(files):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


_DECIDING: Final = (
    "rules/*.py",
    "engines/*.py",
    "scenario/*.py",
    "journal/journal.py",
    "journal/measures.py",
    "journal/tally.py",
    "journal/innovations.py",
    "stats/special.py",
)
"""The files beside rules and engines that decide what a replication measures."""


def checksum(key: Key, measures: str) -> str:
    """Return the SHA-256 of a record, key and measures, in hexadecimal digits."""
    return hashlib.sha256(json.dumps([*key, measures]).encode()).hexdigest()


def _plan_sum(number: int, plan: str) -> str:
    return hashlib.sha256(json.dumps([number, plan]).encode()).hexdigest()


class Store:
    """An open store; see ``open``. A context manager that closes it.

    Attributes:
        path: The file.
        damaged: The damaged records that were found so far; they count as missing.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, opened: ExitStack) -> None:
        self.path = path
        self.damaged: list[Damage] = []
        self._connection = connection
        self._opened = opened

    @classmethod
    def open(cls, path: str | Path, *, read_only: bool = False) -> Self:
        """Open a store, for writing unless ``read_only``; a file that does not exist is made.

        Raises:
            StoreError: the file cannot be opened, is not a store, is of a newer parksim, or another process writes it.
        """
        path = Path(path)
        if read_only and not path.is_file():
            raise StoreError(f"{path}: there is no such file; name the store that a sweep has written")
        if not path.absolute().parent.is_dir():
            raise StoreError(f"{path}: there is no folder {path.parent}; make it, or name a file elsewhere")
        with _explained(path), ExitStack() as opened:
            if not read_only:
                opened.enter_context(_locked(path))
            connection = opened.enter_context(closing(_read_only(path) if read_only else _connected(path, "rwc")))
            _check(path, connection, may_make=not read_only)
            if not read_only:
                connection.execute("INSERT OR REPLACE INTO writer VALUES (1, ?, ?)", (os.getpid(), platform.node()))
            return cls(path, connection, opened.pop_all())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and let others write; what was put is stored already."""
        with _explained(self.path):
            self._opened.close()

    def put(self, records: Mapping[Key, Mapping[str, Any]]) -> None:
        """Store some replications, all of them or (when that fails) none; they replace records with equal keys.

        Raises:
            StoreError: they could not be stored (the disk is full, say).
        """
        rows = []
        for key, result in records.items():
            measures = canonical(result)
            rows.append((*key, measures, checksum(key, measures)))
        with _explained(self.path), self._transaction():
            self._connection.executemany(f"INSERT OR REPLACE INTO records ({_COLUMNS}) VALUES (?,?,?,?,?,?,?)", rows)  # noqa: S608 - a constant

    def put_scenario(self, digest: str, canonical_text: str) -> None:
        """Store a scenario's text under its digest, so that the file explains itself.

        Raises:
            StoreError: it could not be stored.
        """
        with _explained(self.path), self._transaction():
            self._connection.execute("INSERT OR REPLACE INTO scenarios VALUES (?, ?)", (digest, canonical_text))

    def put_plan(self, plan: Mapping[str, Any]) -> None:
        """Store a finished plan as the last one; an equal older one is removed.

        Raises:
            StoreError: it could not be stored.
        """
        text = json.dumps(plan, separators=(",", ":"), ensure_ascii=False)
        damaged = [one.key for one in self._new_damage(self.plans)]
        with _explained(self.path), self._transaction():
            self._connection.executemany("DELETE FROM plans WHERE number = ?", damaged)
            (last,) = self._connection.execute("SELECT coalesce(max(number), 0) FROM plans").fetchone()
            self._connection.execute("DELETE FROM plans WHERE plan = ?", (text,))
            self._connection.execute("INSERT INTO plans VALUES (?, ?, ?)", (last + 1, text, _plan_sum(last + 1, text)))

    def plans(self) -> list[dict[str, Any]]:
        """Return the finished plans, the last one last; damaged ones are left out (see ``damaged``).

        Raises:
            StoreError: the file cannot be read.
        """
        found = []
        for number, text, sum_of_row in self._rows("SELECT number, plan, checksum FROM plans ORDER BY number", ()):
            whole = isinstance(text, bytes) and _plan_sum(number, text.decode(errors="replace")).encode() == sum_of_row
            try:
                if whole:
                    found.append(json.loads(text))
            except (ValueError, RecursionError):
                whole = False
            if not whole:
                self._report(Damage("plans", (_readable(number),), "its checksum is wrong, or it is not JSON"))
        return found

    def results(self, scenario: str, seed: int, engine: str, version: str) -> dict[int, Result]:
        """Return the stored measures of one scenario by replication; damaged ones are left out (see ``damaged``).

        Raises:
            StoreError: the file cannot be read.
        """
        wanted = "scenario = ? AND seed = ? AND engine = ? AND version = ?"
        rows = self._rows(f"SELECT {_COLUMNS} FROM records WHERE {wanted}", (scenario, seed, engine, version))  # noqa: S608 - constants
        return {key.replication: result for key, result in self._sound(rows)}

    def records(self) -> Iterator[tuple[Key, Result]]:
        """Yield everything stored, ordered by key; damaged records are left out (see ``damaged``).

        Raises:
            StoreError: the file cannot be read.
        """
        order = "scenario, seed, engine, version, replication"
        yield from self._sound(self._rows(f"SELECT {_COLUMNS} FROM records ORDER BY {order}", ()))  # noqa: S608 - constants

    def scenarios(self) -> dict[str, str]:
        """Return the stored scenarios' canonical texts by digest; damaged ones are left out (see ``damaged``).

        Raises:
            StoreError: the file cannot be read.
        """
        found = {}
        for digest, text in self._rows("SELECT digest, canonical FROM scenarios", ()):
            if isinstance(text, bytes) and hashlib.sha256(text).hexdigest().encode() == digest:
                found[digest.decode()] = text.decode()
            else:
                self._report(Damage("scenarios", (_readable(digest),), "its digest is not that of its text"))
        return found

    def check(self) -> None:
        """Read the file's pages and refuse one whose tables have lost rows.

        Raises:
            StoreError: it is damaged, or cannot be read.
        """
        (found,) = next(self._rows("PRAGMA quick_check(1)", ()))
        if found != b"ok":
            raise StoreError(f"{self.path}: {_NEXT[sqlite3.SQLITE_CORRUPT]} ({_readable(found)!s:.100})")

    def verify(self) -> list[Damage]:
        """Read every record and return the damaged ones.

        Raises:
            StoreError: the file cannot be read.
        """
        return self._new_damage(lambda: list(self.records()), self.scenarios, self.plans)

    def _new_damage(self, *reads: Callable[[], object]) -> list[Damage]:
        """Return the damage that some reading finds, whether it was found before or not."""
        before, self.damaged = self.damaged, []
        try:
            for read in reads:
                read()
        finally:
            found, self.damaged = self.damaged, before
            for damage in found:
                self._report(damage)
        return found

    def _rows(self, query: str, values: tuple[object, ...]) -> Iterator[tuple[Any, ...]]:
        with _explained(self.path):
            rows = self._connection.execute(query, values)
        while True:
            with _explained(self.path):
                row = rows.fetchone()
            if row is None:
                return
            yield row

    def _sound(self, rows: Iterator[tuple[Any, ...]]) -> Iterator[tuple[Key, Result]]:
        for row in rows:
            read = _read(row)
            if isinstance(read, str):
                self._report(Damage("records", tuple(map(_readable, row[:5])), read))
            else:
                yield read

    def _report(self, damage: Damage) -> None:
        if damage not in self.damaged:
            self.damaged.append(damage)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise


def _read(row: tuple[Any, ...]) -> tuple[Key, Result] | str:
    """Return the record in a row, or why it is damaged; any row is either as it was written or found to be damaged."""
    scenario, seed, replication, engine, version, measures, sum_of_row = row
    texts = (scenario, engine, version, measures, sum_of_row)
    if not all(isinstance(one, bytes) for one in texts) or not all(isinstance(one, int) for one in (seed, replication)):
        return "a column is of another kind"
    try:
        scenario, engine, version, measures, sum_of_row = (one.decode() for one in texts)
    except UnicodeDecodeError:
        return "a column is not text"
    key = Key(scenario, seed, replication, engine, version)
    if checksum(key, measures) != sum_of_row:
        return "its checksum is wrong"
    try:
        return key, parsed(measures)
    except ValueError:
        return "its measures are not a JSON object"


def _readable(value: object) -> object:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _connected(path: Path, mode: str, timeout_s: float = BUSY_S) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=timeout_s, isolation_level=None
    )
    connection.text_factory = bytes  # a changed byte may be no UTF-8, which is for us to find out
    return connection


def _read_only(path: Path) -> sqlite3.Connection:
    """Return a connection that reads, also where not even SQLite's index of its log may be written beside the file.

    Where it may, the connection is one that could write: else SQLite would leave its log and that index there.
    """
    connection = _connected(path, "rw")
    try:
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.Error as error:
        connection.close()
        if _code(error) not in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY} or _log_of(path).exists():
            raise
        connection = _connected(path, "ro&immutable=1")  # all is in the file, and nobody can be writing it
    return connection


def _log_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the writer's lock: released with the process, not inherited by its children; its file goes with it.

    The file that was locked may be one that its last holder has just removed; then it is not there, or not the same,
    before and after, and the lock is sought again.
    """
    file, holder = path.with_name(path.name + ".lock"), os.getpid()
    while True:
        before = _identity(file)
        try:
            with _explained(file):
                lock = _connected(file, "rwc", timeout_s=0.0)
                with ExitStack() as failed:
                    failed.callback(lock.close)
                    lock.execute("PRAGMA journal_mode = OFF")  # nothing is written, so nothing is undone
                    lock.execute("BEGIN EXCLUSIVE")
                    failed.pop_all()
        except StoreError as error:
            if isinstance(error.__cause__, sqlite3.Error) and _code(error.__cause__) == sqlite3.SQLITE_BUSY:
                raise StoreError(
                    f"{path}: {_holder(path)} is writing it; wait until that ends, or name another file"
                ) from None
            raise
        with closing(lock):
            if before is not None and before == _identity(file):
                try:
                    yield
                finally:
                    if os.getpid() == holder:  # and not a worker that was forked from it
                        with suppress(OSError):
                            file.unlink(missing_ok=True)
                return


def _identity(file: Path) -> tuple[int, ...] | None:
    """Return what tells a file from one that takes its place; None if there is no file."""
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino, found.st_ctime_ns


def _holder(path: Path) -> str:
    """Return who writes the store, as far as it can be found out."""
    try:
        connection = _connected(path, "ro", timeout_s=0.0)
        try:
            process, machine = connection.execute("SELECT process, machine FROM writer").fetchone()
        finally:
            connection.close()
        return f"process {int(process)} on {machine.decode()}"
    except (sqlite3.Error, TypeError, ValueError, AttributeError):
        return "another process"


def _check(path: Path, connection: sqlite3.Connection, *, may_make: bool) -> None:
    """Make the tables of a new file; refuse a file that is not a store of this version."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (schema,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application == 0 and schema == 0 and tables == 0 and may_make:
        _log_ahead(connection)
        connection.executescript(_TABLES)
        return
    if application != APPLICATION:
        raise StoreError(f"{path}: is a database, but not a store of parksim; name another file")
    if schema > SCHEMA:
        raise StoreError(
            f"{path}: is of schema {schema}, written by a newer parksim, and this one knows {SCHEMA}; "
            "update parksim, or name another file"
        )
    if schema != SCHEMA:
        raise StoreError(f"{path}: is of schema {schema}, which no parksim has written; name another file")
    if may_make:
        _log_ahead(connection)


def _log_ahead(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")  # a killed process loses nothing; a power cut the last commits
    connection.execute("PRAGMA cell_size_check = ON")


def _code(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code; 0 where it has no code."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


_NEXT: Final = {
    sqlite3.SQLITE_FULL: "the disk is full; free some space and run the same command again: what was stored stays",
    sqlite3.SQLITE_READONLY: "cannot be written; change its permissions or its folder's, or name a file elsewhere",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened; look at its permissions and its folder's, or name a file elsewhere",
    sqlite3.SQLITE_PERM: "cannot be opened; look at its permissions, or name a file elsewhere",
    sqlite3.SQLITE_NOTADB: "is not a store of parksim, or a damaged one; name another file",
    sqlite3.SQLITE_CORRUPT: "is damaged; move it away and run the same command again: all its records are made again",
    sqlite3.SQLITE_BUSY: "another program holds it; end that, or name another file",
    sqlite3.SQLITE_LOCKED: "another program holds it; end that, or name another file",
    sqlite3.SQLITE_IOERR: "the disk failed; see whether it is full or broken, then run the same command again",
}


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn errors of SQLite and the system into a message with the file and the next step."""
    try:
        yield
    except sqlite3.Error as error:
        step = _NEXT.get(_code(error), "cannot be used; it may be damaged: move it away, or name another file")
        raise StoreError(f"{path}: {step} ({error})") from error
    except UnicodeDecodeError as error:  # from SQLite's own message, when the text that it quotes is damaged
        raise StoreError(f"{path}: {_NEXT[sqlite3.SQLITE_CORRUPT]}") from error
    except OSError as error:
        raise StoreError(f"{path}: cannot be used ({error.strerror or error}); name a file elsewhere") from error
