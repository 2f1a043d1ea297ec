"""Files that are read whole, each kind with its bound, or in blocks; what is no file is refused before it is opened.

A pipe brings what its writer sends (``zcat log.gz | parksim replay /dev/stdin``): it is read up to a bound, and not
waited for when nothing comes. Devices may never end, and folders and sockets cannot be read.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from select import select
from typing import Final

from parksim.errors import UnfitError

MIB: Final = 1024 * 1024
LARGEST_PIPE: Final = 128 * MIB
"""A pipe's size is not known before; what is read of it waits in memory twice."""
PIPE_WAITS_S: Final = 10.0


def read(path: Path, most: int) -> bytes:
    """Return the content of a file of at most ``most`` bytes.

    Raises:
        FileNotFoundError: there is no such file; the caller knows what may be meant.
        UnfitError: it is no file, larger, or cannot be read.
    """
    try:
        return _content(path, most)
    except (FileNotFoundError, UnfitError):
        raise
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UnfitError(f"cannot be read ({reason})", "name a readable file") from None


def blocks(path: Path) -> Iterator[bytes]:
    """Yield the content of a file of any length, or of a pipe until it is closed, block by block.

    Raises:
        FileNotFoundError: there is no such file; the caller knows what may be meant.
        UnfitError: it is no file, or cannot be read.
    """
    try:
        found = path.stat()
        if stat.S_ISFIFO(found.st_mode):
            yield from _pipe_blocks(path)
        else:
            _check_regular(found)
            with path.open("rb") as file:
                while block := file.read(MIB):
                    yield block
    except (FileNotFoundError, UnfitError):
        raise
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UnfitError(f"cannot be read ({reason})", "name a readable file") from None


def _check_regular(found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise UnfitError(f"is {'a folder' if stat.S_ISDIR(found.st_mode) else 'not a regular file'}", "name a file")


def _content(path: Path, most: int) -> bytes:
    found = path.stat()
    if stat.S_ISFIFO(found.st_mode):
        most = min(most, LARGEST_PIPE)
        content = _from_pipe(path, most)
    else:
        _check_regular(found)
        with path.open("rb") as file:
            # Where the size is said to be 0, as of files of the system's own, it is not known.
            content = file.read(min(max(found.st_size, MIB), most) + 1) if found.st_size <= most else b""
    if max(found.st_size, len(content)) > most:
        raise UnfitError(f"is larger than {most // MIB} MiB", "split it")
    return content


def _from_pipe(path: Path, most: int) -> bytes:
    """Return what comes through a pipe, somewhat more than ``most`` at most."""
    parts: list[bytes] = []
    for part in _pipe_blocks(path):
        parts.append(part)
        if sum(map(len, parts)) > most:
            break
    return b"".join(parts)


def _pipe_blocks(path: Path) -> Iterator[bytes]:
    """Yield what comes through a pipe."""
    pipe = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        while True:
            if not select([pipe], [], [], PIPE_WAITS_S)[0]:
                raise UnfitError(f"is a pipe into which nobody has written for {PIPE_WAITS_S:g} s", "name a file")
            part = os.read(pipe, MIB)
            if not part:
                return
            yield part
    finally:
        os.close(pipe)


def names_beside(path: Path) -> list[str]:
    """Return the names of what lies in the folder of a file; none where that cannot be read."""
    try:
        return sorted(entry.name for entry in path.parent.iterdir())
    except (OSError, ValueError):
        return []
