"""The line of every key of a TOML text: TOML readers keep no positions, so the text is read once more."""

import re
import tomllib
from bisect import bisect_right
from contextlib import suppress
from typing import NamedTuple

from parksim.errors import ArgumentError

KeyPath = tuple[str | int, ...]
"""From the top of a file to a value: keys, and numbers of list entries."""


class Scan(NamedTuple):
    """What a TOML text has.

    Attributes:
        lines: The line, from 1, of every table, key and list entry.
        comments: By line, without their sign.
        twice: The first key that stands twice: its path, its line and the line before.
    """

    lines: dict[KeyPath, int]
    comments: dict[int, str]
    twice: tuple[KeyPath, int, int] | None


def scan(text: str) -> Scan:
    r"""Return what a TOML text has, key by key; of a broken text, everything before the fault.

    >>> found = scan("[lot]\n\nslots = 6  # guess")
    >>> found.lines[("lot", "slots")], found.comments
    (3, {3: 'guess'})
    """
    scanner = _Scanner(text)
    with suppress(IndexError, RecursionError, ValueError):
        scanner.document()
    return Scan(scanner.lines, scanner.comments, scanner.twice)


class _Scanner:
    """Walks a TOML text and notes where keys stand; it trusts ``tomllib`` for everything else."""

    _white = re.compile(r"[ \t\r\n]*+")
    _comment = re.compile(r"#[^\n]*+")
    _space = re.compile(r"[ \t]*+")
    _bare = re.compile(r"[A-Za-z0-9_-]+")
    _string = re.compile(
        r'"""(?:[^"\\]|\\.|"{1,2}(?!"))*+"{3,5}|\'\'\'(?:[^\']|\'{1,2}(?!\'))*+\'{3,5}|"(?:[^"\\\n]|\\.)*+"|\'[^\'\n]*+\'',
        re.DOTALL,
    )
    _scalar = re.compile(r"[^,\]}\n#]*+")

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[KeyPath, int] = {}
        self.comments: dict[int, str] = {}
        self.twice: tuple[KeyPath, int, int] | None = None
        self._headers: dict[KeyPath, int] = {}
        self._dotted: dict[KeyPath, int] = {}  # tables begun by a key such as lot.slots, which no header may go on with
        self._counts: dict[KeyPath, int] = {}
        self._breaks = [match.start() for match in re.finditer("\n", text)]

    def document(self) -> None:
        table: KeyPath = ()
        self._skip_blank()
        while self.at < len(self.text):
            if self.text.startswith("[[", self.at):
                table = self._header(2, many=True)
            elif self.text[self.at] == "[":
                table = self._header(1, many=False)
            else:
                self._pair(table)
            self._skip_blank()

    def _header(self, brackets: int, *, many: bool) -> KeyPath:
        line = self._line()
        self.at += brackets
        parts = self._key()
        self.at += brackets
        path = (*self._resolved(parts[:-1]), parts[-1])
        if many:
            self._note(path, line)
            self._counts[path] = self._counts.get(path, -1) + 1
            path = (*path, self._counts[path])
        elif path in self._headers or path in self._dotted:
            self._repeated(path, line, self._headers.get(path) or self._dotted[path])
        else:
            path = self._resolved(parts)
            self._headers[path] = line
        self._note(path, line)
        return path

    def _resolved(self, parts: list[str]) -> KeyPath:
        path: KeyPath = ()
        for part in parts:
            path = (*path, part)
            if path in self._counts:
                path = (*path, self._counts[path])
        return path

    def _pair(self, table: KeyPath) -> None:
        line = self._line()
        path = (*table, *self._key())
        for end in range(len(table) + 1, len(path)):
            self._dotted.setdefault(path[:end], line)
        if path in self.lines:
            self._repeated(path, line, self.lines[path])
        self._note(path, line)
        self.at += 1  # the equals sign
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        self._skip(self._space)
        opening = self.text[self.at]
        if opening == "[":
            self._list(path)
        elif opening == "{":
            self._inline(path)
        elif opening in "\"'":
            self._skip(self._string)
        else:
            self._skip(self._scalar)

    def _list(self, path: KeyPath) -> None:
        self.at += 1
        index = 0
        self._skip_blank()
        while self.text[self.at] != "]":
            self._note((*path, index), self._line())
            self._value((*path, index))
            index += 1
            self._skip_blank()
            self.at += self.text[self.at] == ","
            self._skip_blank()
        self.at += 1

    def _inline(self, path: KeyPath) -> None:
        self.at += 1
        self._skip_blank()
        while self.text[self.at] != "}":
            self._pair(path)
            self._skip_blank()
            self.at += self.text[self.at] == ","
            self._skip_blank()
        self.at += 1

    def _key(self) -> list[str]:
        parts = []
        while True:
            self._skip(self._space)
            if self.text[self.at] in "\"'":
                start = self.at
                self._skip(self._string)
                parts.append(next(iter(tomllib.loads(f"{self.text[start : self.at]} = 0"))))
            else:
                start = self.at
                self._skip(self._bare)
                parts.append(self.text[start : self.at])
            self._skip(self._space)
            if self.text[self.at] != ".":
                return parts
            self.at += 1

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self.text, self.at)
        if match is None:
            raise ArgumentError(self.at)
        self.at = match.end()

    def _skip_blank(self) -> None:
        """Pass over white space and comments, and note these."""
        self._skip(self._white)
        while self.text.startswith("#", self.at):
            line, start = self._line(), self.at + 1
            self._skip(self._comment)
            self.comments[line] = self.text[start : self.at].strip()
            self._skip(self._white)

    def _line(self) -> int:
        return bisect_right(self._breaks, self.at - 1) + 1

    def _note(self, path: KeyPath, line: int) -> None:
        for end in range(1, len(path) + 1):
            self.lines.setdefault(path[:end], line)

    def _repeated(self, path: KeyPath, line: int, first: int) -> None:
        if self.twice is None:
            self.twice = (path, line, first)
