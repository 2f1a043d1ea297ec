"""The session file: what changed something is appended before it is answered, so that a killed server can resume.

JSON Lines. The first line says which scenario, seed and given calls the session began with; each further one is a
request with the simulated instant at which it took effect, a mark (how far simulated time had come at which time of
day), a resumption, a change of the rate, or many of these lines packed into one (``session_file``). Each line has a
checksum (those of an older parksim have none). The file is its owner's alone (mode 0600) and locked while a server
writes it. A torn last line, which was never answered, is cut off.
"""

import fcntl
import json
import os
import stat
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple
from zlib import compress, decompressobj
from zlib import error as ZlibError  # noqa: N812 - a class with a name of no class

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from parksim.errors import SessionError
from parksim.results import ALTERED, checksum, is_altered
from parksim.rules import uapi
from parksim.rules.uapi.service import Scope
from parksim.scenario.arguments import fault_in
from parksim.scenario.model import Scenario
from parksim.server.checkpoint import Checkpoint, Place, hash_of, usable
from parksim.server.given import Given

SCHEMA: Final = 1
LAST_US: Final = 2**62
"""The last simulated instant of a session."""
_OF_ANOTHERS: Final = 1 << 20
"""How many bytes of a file are read before it is known to be a session."""
_MOST_UNPACKED: Final = 1 << 30
_BEGINNING: Final = b'{"parksim": "session"'
_NO_SESSION: Final = "is no session file of parksim serve; name another --session file"


class Taken(NamedTuple):
    """A request that took effect at ``at_us``; ``wall_s`` as in ``Mark``."""

    at_us: int
    wall_s: float
    request: uapi.Request


class Mark(NamedTuple):
    """Simulated time had come to ``at_us`` at ``wall_s`` (seconds since 1970)."""

    at_us: int
    wall_s: float


class Resumed(NamedTuple):
    """At ``at_us`` a server went on with the session; simulated arrivals were put off by ``gap_us``."""

    at_us: int
    wall_s: float
    gap_us: int


class Speed(NamedTuple):
    """From ``at_us`` on time ran at a rate, or stood still; ``begun_rate`` is the one that the server began with."""

    at_us: int
    wall_s: float
    rate: float
    paused: bool
    begun_rate: float


Record = Taken | Mark | Resumed | Speed
"""What a line after the first tells."""
_Instant = Annotated[int, Field(ge=0, le=LAST_US)]


class _Line(BaseModel):
    """A line after the first, as it stands in the file."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    at_us: _Instant
    wall_s: Annotated[float, Field(ge=0, le=1e11)]


class _Request(_Line):
    method: str
    target: str
    body: str
    user: str | None
    scope: Scope


class _Resumption(_Line):
    gap_us: _Instant


class _Speed(_Line):
    rate: Annotated[float, Field(gt=0, le=1e6)]
    paused: bool
    begun_rate: Annotated[float, Field(gt=0, le=1e6)]


_KEPT: Final = tuple(name for name in _Request.model_fields if name not in _Line.model_fields)
"""What a line keeps of a request."""


class Session:
    """An open session file.

    Args:
        path: the file; it is made if it is missing.
        opening: what the session begins with; of a file that is there it must be the same.
        fsync: whether each line is forced to the disk, so that it survives a loss of power.
        full: whether ``records`` has all lines; else only those after the newest checkpoint that can be used.

    Raises:
        SessionError: another server writes it, it is no session file or damaged, or of another scenario.
    """

    def __init__(self, path: Path, opening: dict[str, Any], *, fsync: bool = False, full: bool = False) -> None:
        self.path = path
        self.checkpoint: Checkpoint | None = None
        """What the desk knew when the file was shorter, until it has been used."""
        self.in_checkpoint = 0, 0
        """How many facts and lines are in it."""
        self.note = ""
        """What is wrong with checkpoints that are not used."""
        self.first_line = 2
        """The number of the line that the first of ``records`` stands in."""
        self.numbers: list[int] = []
        """The number of the line that each of ``records`` stands in."""
        self.closed = False
        """Whether it has been let go of."""
        self.cut_bytes = 0
        """How much of a torn last line was cut off."""
        self._fsync = fsync
        self._torn = False
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise SessionError(f"{path}: cannot be opened ({error.strerror}); name another --session file") from None
        try:
            self._begin(opening, full)
        except BaseException:
            os.close(self._file)
            raise

    def _begin(self, opening: dict[str, Any], full: bool) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SessionError(
                f"{self.path}: another server writes it; stop that one, or name another --session file"
            ) from None
        if not stat.S_ISREG(os.fstat(self._file).st_mode):
            raise SessionError(f"{self.path}: {_NO_SESSION}")
        with os.fdopen(os.dup(self._file), "rb") as file:
            content = file.readline(_OF_ANOTHERS)
            if content.startswith(_BEGINNING) and not content.endswith(b"\n"):
                content += file.readline()  # ours, so however long: what a server has written it can resume
            head = content if content.endswith(b"\n") else b""
            if head:
                self._check(header_of(self.path, head), opening)
                self.checkpoint, self.note = usable(self.path, head, file)
                if self.checkpoint is not None:
                    self.in_checkpoint = self.checkpoint.state.changes, self.checkpoint.place.lines
                start, before = len(head), 1
                if self.checkpoint is not None and not full:  # its last line is a mark
                    place = self.checkpoint.place
                    start, before = place.end - place.last_bytes, place.lines - 1
                file.seek(start)
                content = file.read()
            elif not content.startswith(_BEGINNING[: len(content)]):
                raise SessionError(f"{self.path}: {_NO_SESSION}")
        self._session = hash_of(head)
        whole = content.rfind(b"\n") + 1
        lines = content[:whole].splitlines(keepends=True)
        self._end, self._lines, self._last = whole, len(lines), lines[-1] if lines else b""
        self.records: list[Record] = []
        """What the file held when it was opened, in order."""
        if head:
            self._end, self._lines, self.first_line = start + whole, before + len(lines), before + 1
            numbered = list(records_of(self.path, lines, self.first_line))
            self.numbers, self.records = [number for number, _ in numbered], [record for _, record in numbered]
        # A whole record whose newline has become another byte is damage; a torn one is the end of a killed server.
        with suppress(ValueError, RecursionError):
            if isinstance(json.loads(content[whole:-1]), dict):
                raise damaged(self.path, self._lines + 1, "its end is damaged")
        # From here on it is known to be ours: nothing of another's file has been touched.
        self.cut_bytes = len(content) - whole
        try:
            os.fchmod(self._file, 0o600)
            os.ftruncate(self._file, self._end)
            if not head:
                self._append({"parksim": "session", "schema": SCHEMA, **opening})
                self._session = hash_of(self._last)
        except OSError as error:
            raise SessionError(f"{self.path}: cannot be written ({error.strerror})") from None

    @property
    def place(self) -> Place:
        """Where the file ends: all that it has is in a checkpoint of now."""
        return Place(self._session, self._end, self._lines, len(self._last), hash_of(self._last))

    @property
    def lines(self) -> int:
        """How many lines the file has."""
        return self._lines

    def _check(self, header: dict[str, Any], opening: dict[str, Any]) -> None:
        begun = {"start_us": 0} | header  # older sessions have no start
        unlike = [key for key, value in opening.items() if begun.get(key) != json.loads(json.dumps(value))]
        if unlike:
            raise SessionError(
                f"{self.path}: was begun with another {', '.join(key.removesuffix('_us') for key in unlike)}; "
                "start with what it was begun with, or name another --session file"
            )

    def take(self, at_us: int, request: uapi.Request) -> None:
        """Append a request; nothing of its token is kept.

        Raises:
            OSError: it could not be written, and nothing of it is in the file.
        """
        told = {name: getattr(request, name) for name in _KEPT} | {"body": request.body.decode("latin-1")}
        self._append({"at_us": at_us, "wall_s": time.time(), **told})

    def mark(self, at_us: int) -> None:
        """Append how far simulated time has come.

        Raises:
            OSError: as ``take``.
        """
        self._append({"at_us": at_us, "wall_s": time.time()})

    def resume(self, at_us: int, gap_us: int) -> None:
        """Append that the session resumes.

        Raises:
            OSError: as ``take``.
        """
        self._append({"at_us": at_us, "wall_s": time.time(), "gap_us": gap_us})

    def turn(self, at_us: int, rate: float, *, paused: bool, begun_rate: float) -> None:
        """Append that time runs at another rate, or stands still.

        Raises:
            OSError: as ``take``.
        """
        told = {"rate": float(rate), "paused": paused, "begun_rate": float(begun_rate)}
        self._append({"at_us": at_us, "wall_s": time.time(), **told})

    def _append(self, line: dict[str, Any]) -> None:
        content = json.dumps(line | {"checksum": checksum(line)}).encode() + b"\n"
        if self._torn:  # a piece of a line that could not be written, nor be cut off
            os.ftruncate(self._file, self._end)
            self._torn = False
        try:
            rest = content
            while rest:
                rest = rest[os.write(self._file, rest) :]
            if self._fsync:
                os.fsync(self._file)
        except OSError:
            self._torn = True
            with suppress(OSError):
                os.ftruncate(self._file, self._end)
                self._torn = False
            raise
        self._end += len(content)
        self._lines += 1
        self._last = content

    def close(self) -> None:
        """Let go of the file and its lock."""
        self.closed = True
        os.close(self._file)


def opening_of(
    scenario: Scenario, seed: int, *, traffic: bool, given: Sequence[Given], start_us: int = 0
) -> dict[str, Any]:
    """Return what a session begins with."""
    calls = [one.model_dump() for one in given]
    return {"scenario": scenario.canonical, "seed": seed, "traffic": traffic, "given": calls, "start_us": start_us}


def header_of(path: Path, line: bytes) -> dict[str, Any]:
    """Return what the first line of a session file says.

    Raises:
        SessionError: it is no session file, of another schema, or damaged.
    """
    header = object_of(path, line, 1)
    if header.get("parksim") != "session":
        raise SessionError(f"{path}: {_NO_SESSION}")
    if header.get("schema") != SCHEMA:
        raise SessionError(
            f"{path}: is of schema {header.get('schema')!r} and this parksim writes {SCHEMA}; "
            "update parksim, or name another --session file"
        )
    if is_altered(header):
        raise damaged(path, 1, ALTERED)
    return header


def records_of(path: Path, lines: Sequence[bytes], first: int) -> Iterator[tuple[int, Record]]:
    """Yield number and content of each record of some lines, of which ``first`` is the number of the first.

    Raises:
        SessionError: a line is damaged.
    """
    for number, line in enumerate(lines, first):
        found = object_of(path, line, number)
        if "packed" not in found:
            yield number, record_of(path, found, number)
            continue
        for inner in unpacked(path, found, number):
            yield number, record_of(path, object_of(path, inner, number), number)


def packed(lines: Sequence[bytes]) -> bytes:
    """Return one line that holds those lines, as they are, in a fraction of their room."""
    content = {"packed": len(lines), "lines": b64encode(compress(b"".join(lines))).decode()}
    return json.dumps(content | {"checksum": checksum(content)}).encode() + b"\n"


def unpacked(path: Path, found: dict[str, Any], number: int) -> list[bytes]:
    """Return the lines that ``packed`` has put into one.

    Raises:
        SessionError: it is damaged.
    """
    altered = is_altered(found)
    try:
        lines = decompressobj().decompress(b64decode(found["lines"]), _MOST_UNPACKED).splitlines(keepends=True)
    except (KeyError, TypeError, ValueError, ZlibError):
        lines = []
    if altered or set(found) != {"packed", "lines"} or found["packed"] != len(lines):
        raise damaged(path, number, ALTERED)
    return lines


def object_of(path: Path, line: bytes, number: int) -> dict[str, Any]:
    """Return a line of a session file as JSON has it.

    Raises:
        SessionError: it is no line of one.
    """
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise damaged(path, number, "this is no line of a session file, or it is damaged")
    return found


def record_of(path: Path, line: dict[str, Any], number: int) -> Record:
    """Return what a line after the first says.

    Raises:
        SessionError: it is damaged.
    """
    altered = is_altered(line)
    try:
        kinds: dict[str, type[_Line]] = {"method": _Request, "gap_us": _Resumption, "rate": _Speed}
        found = next((kind for key, kind in kinds.items() if key in line), _Line).model_validate(line)
        mark = Mark(found.at_us, found.wall_s)
        if isinstance(found, _Request):
            told = {name: line[name] for name in _KEPT} | {"body": found.body.encode("latin-1")}
            record: Record = Taken(*mark, uapi.Request(**told))
        elif isinstance(found, _Speed):
            record = Speed(*mark, found.rate, found.paused, found.begun_rate)
        else:
            record = Resumed(*mark, found.gap_us) if isinstance(found, _Resumption) else mark
    except ValidationError as error:
        raise damaged(path, number, f"is damaged ({fault_in(error)})") from None
    except UnicodeEncodeError:
        raise damaged(path, number, "is damaged (body: no bytes)") from None
    if altered:
        raise damaged(path, number, ALTERED)
    return record


def damaged(path: Path, number: int, what: str) -> SessionError:
    """Return the error that says what is wrong with a line, and what to do."""
    return SessionError(
        f"{path}, line {number}: {what}; name another --session file, take the checksum out of a line that you edited, "
        "or cut the file before this line to lose what follows"
    )
