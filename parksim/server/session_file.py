"""Work on a session file that no server writes: check it, and compact it.

A check reads every line, does every request again, and looks at the checkpoints. Compacting keeps what an audit needs:
the first line, and every request, resumption and change of the rate as it is, with its checksum, but packed. Marks go,
except the last one.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from parksim.engines.clocks import VirtualClock
from parksim.errors import SessionError, UnfitError
from parksim.results import checksum
from parksim.scenario.model import Scenario
from parksim.server.checkpoint import Checkpoint, Place, files, hash_of, pieces, store, usable
from parksim.server.desk import Desk
from parksim.server.given import Given
from parksim.server.session import (
    Mark,
    Record,
    Resumed,
    Speed,
    Taken,
    damaged,
    header_of,
    object_of,
    packed,
    records_of,
    unpacked,
)

LINES_TOGETHER: Final = 1_000
"""Lines that are packed into one."""


class _FileNeededError(SessionError):
    """The scenario of a session names a file, which only the command that serves it knows."""


class Read(NamedTuple):
    """A session file as it was read: whole lines, what they say, by number of the line, and bytes of a torn one."""

    path: Path
    header: dict[str, Any]
    lines: list[bytes]
    records: list[tuple[int, Record]]
    torn_bytes: int


def read_session(path: Path) -> Read:
    """Return what a session file says.

    Raises:
        SessionError: it cannot be read, is no session file, or a line is damaged or out of order.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SessionError(f"{path}: cannot be read ({error.strerror}); name a session file") from None
    whole = content.rfind(b"\n") + 1
    lines = content[:whole].splitlines(keepends=True)
    header = header_of(path, lines[0] if lines else content)
    records = list(records_of(path, lines[1:], 2))
    last = -1
    for number, record in records:
        if record.at_us < last:
            raise damaged(path, number, "comes before the line above it")
        last = record.at_us
    return Read(path, header, lines, records, len(content) - whole)


def replayed(read: Read) -> Desk:
    """Return a desk that has done again what a session says, from its beginning.

    Raises:
        SessionError: a line cannot be done again, or the scenario needs a file (a recording) for that.
    """
    header = read.header
    try:
        desk = Desk(
            Scenario.of_canonical(header["scenario"]),
            clock=VirtualClock(0),
            seed=header["seed"],
            traffic=header["traffic"],
            given=[Given.model_validate(one) for one in header["given"]],
            start_us=header.get("start_us", 0),
        )
    except UnfitError as error:
        raise _FileNeededError(f"{read.path}: {error}") from None
    for number, record in read.records:
        try:
            desk.follow((record,))
        except Exception as error:
            raise damaged(read.path, number, f"cannot be done again ({error})") from error
    return desk


def check(path: Path) -> str:
    """Say what is in a session file, and that it is whole.

    Raises:
        SessionError: it is not.
    """
    read = read_session(path)
    kinds = [sum(isinstance(record, kind) for _, record in read.records) for kind in (Taken, Resumed, Speed, Mark)]
    names = ("requests", "resumptions", "changes of the rate", "marks")
    told = [f"{path}: whole; " + ", ".join(f"{many:,} {name}" for many, name in zip(kinds, names, strict=True))]
    if read.torn_bytes:
        told.append(f"its last line is torn ({read.torn_bytes} bytes), or a server is writing it")
    with path.open("rb") as content:
        checkpoint, note = usable(path, read.lines[0], content)
    if note:
        raise SessionError(f"{note}; the session file itself is whole")
    try:
        desk = replayed(read)
    except _FileNeededError as error:
        told.append(f"its requests were not done again: {error}; parksim serve --full-replay does that")
    else:
        told.append(f"every request can be done again; {desk.live:,} calls are live after the last")
        if checkpoint is not None:
            _compare(desk, read, checkpoint)
            told.append(f"its checkpoint after line {checkpoint.place.lines:,} agrees with that")
    return "".join(f"{line}\n" for line in told)


def _compare(desk: Desk, read: Read, checkpoint: Checkpoint) -> None:
    """Hold the checkpoint and what follows against the whole replay.

    Raises:
        SessionError: they lead to different states.
    """
    twin = desk.anew()
    twin.become(checkpoint.state)
    twin.follow(record for number, record in read.records if number > checkpoint.place.lines)
    at_us = max(desk.switchboard.reached_us, twin.switchboard.reached_us) + 1
    for one in (desk, twin):
        one.follow((Resumed(at_us, 0.0, 0),))
    unlike = desk.unlike(twin)
    if unlike:
        raise SessionError(
            f"{files(read.path)[0]}: leads to other {', '.join(unlike)} than the whole session; remove it"
        )


# ----------------------------------------------------------------------------------------------------- compacted


def compact(path: Path) -> str:
    """Compact a session file in place, with a checkpoint at its end; say what that saved.

    Raises:
        SessionError: a server writes it, it is damaged, or cannot be written; it stays as it was.
    """
    with _locked(path):
        read = read_session(path)
        if not read.records:
            return f"{path}: has no requests yet; nothing to compact\n"
        desk = replayed(read)
        _, last = read.records[-1]
        mark = {"at_us": max(last.at_us, desk.switchboard.reached_us), "wall_s": last.wall_s}
        kept = [line for line, found in _inner_lines(read) if not found.keys() <= {*mark, "checksum"}]
        lines = [read.lines[0]]
        lines += [packed(kept[start : start + LINES_TOGETHER]) for start in range(0, len(kept), LINES_TOGETHER)]
        lines.append(json.dumps(mark | {"checksum": checksum(mark)}).encode() + b"\n")
        content = b"".join(lines)
        place = Place(hash_of(lines[0]), len(content), len(lines), len(lines[-1]), hash_of(lines[-1]))
        try:
            _replace(path, content)
            store(path, list(pieces(Checkpoint(place, desk.state))))
            with suppress(FileNotFoundError):
                files(path)[1].unlink()
        except OSError as error:
            raise SessionError(f"{path}: cannot be written ({error.strerror})") from None
    before = sum(map(len, read.lines))
    return f"{path}: {before:,} bytes before, {len(content):,} now; nothing but marks of time is gone\n"


def _inner_lines(read: Read) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Yield each line after the first, and what is in it; packed ones unpacked."""
    for number, line in enumerate(read.lines[1:], 2):
        found = object_of(read.path, line, number)
        if "packed" not in found:
            yield line, found
            continue
        for inner in unpacked(read.path, found, number):
            yield inner, object_of(read.path, inner, number)


def _replace(path: Path, content: bytes) -> None:
    coming = path.with_name(f"{path.name}.compacted")
    descriptor = os.open(coming, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        coming.replace(path)
    except OSError:
        with suppress(OSError):
            coming.unlink()
        raise


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock that a server holds while it writes the file."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise SessionError(f"{path}: cannot be opened ({error.strerror}); name a session file") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SessionError(f"{path}: a server writes it; stop that one first") from None
        yield
    finally:
        os.close(descriptor)
