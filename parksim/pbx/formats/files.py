"""From the files of a log, in any order, to one stream of entries for each form among them.

A log that is rotated is many files. Those of a form are put in the order of their first instants; a line has one
number in all of them together, so that it can be told where an event stands. Nothing is kept of what has been read.
"""

import hashlib
import stat
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from parksim.errors import LogError
from parksim.pbx.formats import ami
from parksim.pbx.formats.content import Source
from parksim.pbx.formats.entry import Entry, Findings, Reader
from parksim.pbx.formats.table import reader_of

Progress = Callable[[int], None]
"""Called with the number of bytes read since the last call."""


class Places:
    """Where the lines of several files are when they are numbered through."""

    def __init__(self) -> None:
        """Begin before the first file."""
        self._begins: list[int] = []
        self._paths: list[Path] = []
        self.last = 0
        """The last line of all files so far."""

    def begin(self, path: Path) -> None:
        """Let the lines of a file follow."""
        self._begins.append(self.last)
        self._paths.append(path)

    @property
    def files(self) -> list[tuple[Path, int]]:
        """Each file with its lines, in the order in which they were read."""
        ends = [*self._begins[1:], self.last]
        return [(path, end - begin) for path, begin, end in zip(self._paths, self._begins, ends, strict=True)]

    def begins_of(self, first: int, last: int) -> list[int]:
        """Return the last lines before the files that begin after line ``first`` and before line ``last``."""
        return [before for before in self._begins if first <= before < last]

    def of(self, line: int) -> tuple[Path, int]:
        """Return the file and the line in it."""
        at = bisect_right(self._begins, line - 1) - 1
        return self._paths[at], line - self._begins[at]


class _File:
    """One file: its reader, its first instant, and its entries, opened or to be opened when their turn comes."""

    def __init__(
        self, path: Path, findings: Findings, progress: Progress | None, cel_columns: Sequence[str] = ()
    ) -> None:
        self.path = path
        self.source = Source(path, progress)
        self.reader = reader_of(self.source, cel_columns)
        entries = self.reader.entries(self.source, findings)
        first = next(entries, None)
        if first is None:
            rule = f"this is {self.reader.form} without a single event"
            raise LogError(path, None, rule, "record events of the parking class")
        self.first_us = first.time_us
        self.entries: Iterator[Entry] | None = chain([first], entries)

    def put_off(self) -> None:
        """Close the file until its turn comes, unless it is a pipe: many files are not held open together."""
        if not stat.S_ISFIFO(self.path.stat().st_mode):
            self.entries = None

    def opened(self, findings: Findings, progress: Progress | None) -> Iterator[Entry]:
        """Return the entries from the first."""
        if self.entries is None:
            self.source = Source(self.path, progress)
            self.entries = self.reader.entries(self.source, findings)
        return self.entries


class Stream:
    """The files of one form, in the order of their first instants."""

    def __init__(self, files: list[_File], findings: Findings, progress: Progress | None) -> None:
        """Take files of one reader."""
        self._files = sorted(files, key=lambda one: one.first_us)
        self.reader: Reader = files[0].reader
        self.first_us = self._files[0].first_us
        self._findings = findings
        self._progress = progress
        self._digests: list[str] = []

    def entries(self, places: Places) -> Iterator[Entry]:
        """Yield the entries of all files, once; their lines are numbered through, as ``places`` knows.

        Raises:
            LogError: something in a file does not fit its form.
        """
        read: set[int] = set()  # of what has been read; a number for each event, since a log is long
        while self._files:
            file = self._files.pop(0)
            places.begin(file.path)
            before = places.last
            entries = file.opened(self._findings, self._progress)
            if self._files and file.reader.form == ami.FORM:
                file.source.tail = ami.rest_of_event(self._files[0].source.head)
            for entry in entries:
                key = hash((entry.time_us, *entry.fields.values()))
                if key in read:
                    what = "events that stand in the log twice"
                    self._findings.add(file.path, entry.line, what, "each is read once")
                    continue
                read.add(key)
                yield entry._replace(line=before + entry.line)
            places.last = before + file.source.lines
            if latin := file.source.latin:
                what = f"{len(latin):,} lines are in Latin-1 and not in UTF-8, this is the first"
                self._findings.add(file.path, latin[0], what, "read as such; nothing is lost")
            self._digests.append(file.source.digest.hexdigest())

    @property
    def digest(self) -> str:
        """The digest of what the files hold, when all of it has been read."""
        if len(self._digests) == 1:
            return self._digests[0]
        return hashlib.sha256("".join(self._digests).encode()).hexdigest()


def streams(
    paths: Sequence[Path], findings: Findings, progress: Progress | None = None, cel_columns: Sequence[str] = ()
) -> list[Stream]:
    """Return a stream for each form among some files; the form is detected from the content, not from the name.

    Args:
        paths: of the files; the journal of parksim is not among the forms.
        findings: takes what the readers remark.
        progress: told how much has been read.
        cel_columns: the columns of a CEL whose file does not name them.

    Raises:
        LogError: a file cannot be read, has no form that parksim knows, or not a single event.
    """
    by_form: dict[str, list[_File]] = {}
    for path in paths:
        if len(paths) == 1:
            file = _File(path, findings, progress, cel_columns)
        else:
            file = _File(path, Findings(), None, cel_columns)
            file.put_off()
        by_form.setdefault(file.reader.form, []).append(file)
    return [Stream(files, findings, progress) for files in by_form.values()]
