"""Checkpoints of a session: what the desk knew when the session file was so long; a start replays what follows.

Beside ``FILE`` stand ``FILE.checkpoint`` and the one before it, ``FILE.checkpoint-before``. Each is JSON Lines: a head
that names the session, the place in it and parksim's own code; the fields of a ``DeskState``, long ones in pieces; and
the checksum of all that. A checkpoint is used only if it is whole, of this very session, and of this very code; else
the one before is, or the session is replayed from its beginning.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from parksim.engines.snapshot import Snapshot
from parksim.server.desk_state import DeskState, call_of

SCHEMA: Final = 1
ROWS_AT_ONCE: Final = 200
"""Rows that are written as one piece: a millisecond or two, in which the loop does nothing else."""
_CODE: Final = ("rules", "engines", "scenario", "server")
"""The packages that decide what follows from a state."""


class Place(NamedTuple):
    """Where in a session a checkpoint is.

    Attributes:
        session: The SHA-256 of the session's first line.
        end: How many bytes of the session are in it.
        lines: How many lines these are.
        last_bytes: How long the last of them is.
        last: Its SHA-256.
    """

    session: str
    end: int
    lines: int
    last_bytes: int
    last: str


class Checkpoint(NamedTuple):
    """What the desk knew at a place of its session."""

    place: Place
    state: DeskState


def files(session: Path) -> tuple[Path, Path]:
    """Return where the newest checkpoint of a session is, and the one before."""
    return session.with_name(f"{session.name}.checkpoint"), session.with_name(f"{session.name}.checkpoint-before")


def hash_of(line: bytes) -> str:
    """Return by what a line is known."""
    return hashlib.sha256(line).hexdigest()


@cache
def code_digest() -> str:
    """Return the SHA-256 of the code that decides what follows from a state, and of what draws its random numbers."""
    digest = hashlib.sha256(f"numpy {version('numpy')}, simpy {version('simpy')}".encode())
    home = Path(__file__).parents[1]
    for package in _CODE:
        for file in sorted((home / package).rglob("*.py")):
            digest.update(f"{file.relative_to(home).as_posix()} {file.stat().st_size}\n".encode() + file.read_bytes())
    return digest.hexdigest()


# ------------------------------------------------------------------------------------------------------- written


def pieces(checkpoint: Checkpoint) -> Iterator[bytes]:
    """Yield the lines of a checkpoint's file, each made in a moment."""
    digest = hashlib.sha256()
    for line in _lines(checkpoint):
        piece = json.dumps(line, separators=(",", ":")).encode() + b"\n"
        digest.update(piece)
        yield piece
    yield json.dumps({"checksum": f"sha256:{digest.hexdigest()}"}).encode() + b"\n"


def _lines(checkpoint: Checkpoint) -> Iterator[Any]:
    place, state = checkpoint
    yield {"parksim": "checkpoint", "schema": SCHEMA, "code": code_digest(), **place._asdict()}
    for owner, fields in (("desk", state._replace(model=())._asdict()), ("model", state.model._asdict())):  # type: ignore[arg-type]  # in its own lines
        for name, value in fields.items():
            if not isinstance(value, list) or len(value) <= ROWS_AT_ONCE:
                yield owner, name, value
                continue
            yield owner, name, []
            for start in range(0, len(value), ROWS_AT_ONCE):
                yield owner, name, value[start : start + ROWS_AT_ONCE]


def store(session: Path, lines: list[bytes], *, keep_newest: bool = True) -> None:
    """Put a checkpoint into its file, on the disk; the newest becomes the one before, unless it cannot be used.

    Raises:
        OSError: it cannot be written; those that were there still are.
    """
    newest, before = files(session)
    coming = newest.with_name(f"{newest.name}-coming")
    try:
        descriptor = os.open(coming, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        if keep_newest:
            with suppress(FileNotFoundError):
                newest.replace(before)
        coming.replace(newest)
    except OSError:
        with suppress(OSError):
            coming.unlink()
        raise


# ---------------------------------------------------------------------------------------------------------- used


def usable(session: Path, first_line: bytes, content: BinaryIO) -> tuple[Checkpoint | None, str]:
    """Return the newest checkpoint from which a session can be resumed, and a message if a newer one cannot be used.

    ``content`` is the session file, whose position is lost.
    """
    faults: list[str] = []
    for path in files(session):
        try:
            checkpoint = read(path)
            fault = _why_not(checkpoint.place, first_line, content)
        except FileNotFoundError:
            continue
        except OSError as error:
            fault = f"cannot be read ({error.strerror})"
        except _UnusableError as error:
            fault = str(error)
        if not fault:
            return checkpoint, "; ".join([*faults, "the checkpoint before it is used"] if faults else [])
        faults.append(f"{path} {fault}")
    return None, "; ".join([*faults, "the session is replayed from its beginning"] if faults else [])


class _UnusableError(Exception):
    """A checkpoint that says nothing that can be relied on."""


def read(path: Path) -> Checkpoint:
    """Return what is in a file.

    Raises:
        OSError: it cannot be read.
        _UnusableError: it is damaged, or of another parksim.
    """
    content = path.read_bytes()
    body, _, rest = content.rpartition(b'{"checksum": ')
    if rest != f'"sha256:{hashlib.sha256(body).hexdigest()}"}}\n'.encode():
        raise _UnusableError("is damaged")
    head, *lines = body.splitlines()
    told = json.loads(head)
    if told.pop("schema") != SCHEMA or told.pop("code") != code_digest():
        raise _UnusableError("was written by another version of parksim")
    fields: dict[str, dict[str, Any]] = {"desk": {}, "model": {}}
    for line in lines:
        owner, name, value = json.loads(line)
        if name in fields[owner]:
            fields[owner][name] += value
        else:
            fields[owner][name] = value
    desk = fields["desk"]
    calls = [call_of(row) for row in desk.pop("calls")]
    state = DeskState(**desk | {"calls": calls, "model": Snapshot(**fields["model"])})
    return Checkpoint(Place(**{name: told[name] for name in Place._fields}), state)


def _why_not(place: Place, first_line: bytes, content: BinaryIO) -> str:
    """Return why a session cannot be resumed from a place, or an empty text."""
    if place.session != hash_of(first_line):
        return "is of another session"
    content.seek(0, os.SEEK_END)
    if place.end > content.tell():
        return "is of a longer session"
    content.seek(place.end - place.last_bytes)
    return "" if hash_of(content.read(place.last_bytes)) == place.last else "is of another session"
