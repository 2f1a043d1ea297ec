r"""From a file to numbered lines, block by block: a log may be larger than the memory.

Plain or gzipped; UTF-8 with or without a byte order mark, UTF-16, and single lines of Latin-1 among UTF-8; ended by
``\n``, ``\r\n`` or ``\r``. Lines are bytes until a reader asks for their text, since most of a PBX's log are events
that nobody needs.
"""

import codecs
import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Final

from parksim.errors import LogError, UnfitError
from parksim.scenario.messages import nearest
from parksim.scenario.reading import MIB, blocks, names_beside

LONGEST_LINE: Final = MIB
HEAD_LINES: Final = 200
"""A form is recognised by this many lines at most."""
_GZIP: Final = b"\x1f\x8b"


class Source:
    """One file of a log: its numbered lines, once, in a stream.

    ``ended``: whether its last line has its end, known after the last line. ``lines``: how many there are, as well.
    ``latin``: lines that are not UTF-8. ``digest``: of the bytes read so far.
    """

    def __init__(self, path: Path, progress: Callable[[int], None] | None = None) -> None:
        """Open the file and read its first lines.

        Raises:
            LogError: there is no such file, it cannot be read, is empty, or its first lines are no text.
        """
        self.path = path
        self.ended = True
        self.lines = 0
        self.latin: list[int] = []
        self.tail = b""
        """What the next file of a rotated log begins with, if that is the rest of this one's last line or event."""
        self.digest = hashlib.sha256()
        self._progress = progress
        self._chunks = self._whole_lines(_plain(self._raw(), path))
        self._first: list[tuple[int, bytes]] = []
        head: list[tuple[int, bytes]] = []
        for number, chunk in self._chunks:
            self._first.append((number, chunk))
            head += enumerate(chunk.split(b"\n", HEAD_LINES)[:HEAD_LINES], number)
            if len(head) >= HEAD_LINES:
                break
        self.head = [(number, self.text(line)) for number, line in head[:HEAD_LINES] if line.strip()]
        if not self.head:
            raise LogError(path, None, "the file is empty", "record the PBX's events into it first")

    def chunks(self) -> Iterator[tuple[int, bytes]]:
        r"""Yield (number of its first line, some whole lines, each ended by ``\n``), once."""
        return chain(self._first, self._chunks)

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """Yield (number, line) of each line, without its end; lines that are empty are yielded as well."""
        for number, chunk in self.chunks():
            yield from enumerate(chunk[:-1].split(b"\n"), number)

    def texts(self) -> Iterator[tuple[int, str]]:
        """Yield (number, line) as text."""
        for number, line in self:
            yield number, self.text(line)

    def text(self, line: bytes) -> str:
        """Return a line, or a part of one, as text; what is not UTF-8 is taken as Latin-1."""
        try:
            return line.decode()
        except UnicodeDecodeError:
            return line.decode("latin-1")

    def _raw(self) -> Iterator[bytes]:
        try:
            for block in blocks(self.path):
                self.digest.update(block)
                if self._progress is not None:
                    self._progress(len(block))
                yield block
        except FileNotFoundError:
            step = did_you_mean(self.path.name, names_beside(self.path), "name a log", 0.6)
            raise LogError(self.path, None, "there is no such file", step) from None
        except UnfitError as error:
            raise LogError(self.path, None, error.rule, error.step) from None

    def _whole_lines(self, parts: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
        number, rest = 1, b""
        for block in parts:
            part = rest + block
            held = b"\r" if part.endswith(b"\r") else b""  # half of a line's end, perhaps
            part = part[: len(part) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
            end = part.rfind(b"\n") + 1
            chunk, rest = part[:end], part[end:] + held
            if len(rest) > LONGEST_LINE or b"\0" in block or not part.isascii():
                self._check(number, chunk, rest)
            if chunk:
                yield number, chunk
                number += chunk.count(b"\n")
        self.ended = not rest.rstrip(b"\r")
        self.lines = number - self.ended
        if not self.ended or self.tail:
            yield number, rest.rstrip(b"\r") + self.tail + b"\n"

    def _check(self, number: int, chunk: bytes, rest: bytes) -> None:
        """Note lines of Latin-1; reject what is no text, and lines longer than an event."""
        lines = chunk.split(b"\n")
        lines[-1] = rest
        for at, line in enumerate(lines, number):
            if b"\0" in line:
                raise LogError(self.path, at, "this is not text (it has NUL bytes)", "save the log as text in UTF-8")
            if len(line) > LONGEST_LINE:
                rule = f"the line has {LONGEST_LINE:,} bytes or more, more than an event has"
                raise LogError(self.path, at, rule, "write one event per line")
            if line is not rest and not line.isascii() and not _is_utf8(line):
                self.latin.append(at)


def _plain(parts: Iterator[bytes], path: Path) -> Iterator[bytes]:
    """Yield the content of a file as bytes of UTF-8 (or of what each line is), unpacked."""
    first = b""
    while len(first) < 4 and (part := next(parts, b"")):
        first += part
    rest = chain([first], parts)
    if first.startswith(_GZIP):
        return _plain(_unzipped(rest, path), path)
    pairs = first[:64]
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _recoded(rest, "utf-16", path)
    if len(pairs) > 3 and not any(pairs[1::2]) and all(pairs[::2]):
        return _recoded(rest, "utf-16-le", path)
    if len(pairs) > 3 and not any(pairs[::2]) and all(pairs[1::2]):
        return _recoded(rest, "utf-16-be", path)
    return chain([first.removeprefix(codecs.BOM_UTF8)], parts)


def _recoded(parts: Iterable[bytes], encoding: str, path: Path) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for part in parts:
            yield decoder.decode(part).encode("utf-8", "replace")
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise LogError(path, None, "this begins as UTF-16 but is not UTF-16 to its end", "save it as UTF-8") from None


def _unzipped(parts: Iterable[bytes], path: Path) -> Iterator[bytes]:
    """Yield what is packed in one or more members of gzip."""
    packed = zlib.decompressobj(wbits=31)
    try:
        for part in parts:
            left = part
            while left:
                if packed.eof:
                    if not left.strip(b"\0"):
                        break
                    packed = zlib.decompressobj(wbits=31)
                yield packed.decompress(left, 4 * MIB)
                left = packed.unused_data if packed.eof else packed.unconsumed_tail
        yield packed.flush()
    except zlib.error:
        raise LogError(path, None, "this is compressed, and damaged", "copy it again, or unpack it (gunzip)") from None
    if not packed.eof:
        raise LogError(path, None, "this is compressed, and breaks off", "copy it again, or unpack it (gunzip)")


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def did_you_mean(word: str, words: Iterable[str], otherwise: str, cutoff: float = 0.75) -> str:
    """Return the next step after a wrong word: the nearest of ``words``, or ``otherwise``."""
    near = nearest(word, words, cutoff)
    return f"did you mean {near}?" if near else otherwise
