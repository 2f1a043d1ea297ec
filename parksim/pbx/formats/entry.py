"""What the readers of all forms share: an entry of a log, a remark about it, and a reader."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from parksim.errors import LogError
from parksim.pbx.formats.content import Source

LATEST_S: Final = 1e11
"""Larger numbers cannot be seconds since 1970 or since a recording began; they are probably milliseconds."""
FOLD_US: Final = 60_000_000
"""Lines are out of order by less; by more, they show the second of two equal hours."""
SILENT_US: Final = 60_000_000
"""Nothing written for this long is a silence; whether it is a hole in the log is judged by what does not fit."""
CUT: Final = "the last line breaks off: the file was cut"

TELLS: Final[Mapping[str, str]] = {
    "slots": "in which slot a call is parked",
    "limits": "the longest stay of each park",
    "refusals": "which parks were refused",
    "parkers": "who parked a call",
    "retrievers": "who fetched it",
    "offered": "when calls came",
    "waits": "how long they waited for an answer",
    "returns": "what became of calls that returned",
    "settings": "how the lots are configured",
    "attendants": "who answers calls",
}
"""What a form may tell, in words."""


class Entry(NamedTuple):
    """One event, command or remark of a log; ``time_us`` is as the log has it, in the log's own time."""

    line: int
    time_us: int
    fields: dict[str, str]


@dataclass
class Remark:
    """Something of a log that is not as it should be: where it is first, what it is, and what follows from it."""

    path: Path
    line: int | None
    what: str
    effect: str
    times: int = 1

    def as_dict(self) -> dict[str, Any]:
        """Return the remark as plain values."""
        return {
            "file": self.path.name,
            "line": self.line,
            "what": self.what,
            "effect": self.effect,
            "times": self.times,
        }

    def __str__(self) -> str:
        """Return one sentence: file, line, what, effect."""
        where = f"{self.path}" if self.line is None else f"{self.path}, line {self.line}"
        more = f" ({self.times:,} times, this is the first)" if self.times > 1 else ""
        return f"{where}: {self.what}{more}; {self.effect}"


class LotRow(NamedTuple):
    """What a row of a list answer tells of a lot; None for what it does not say."""

    path: Path
    line: int
    first: int | None
    last: int | None
    limit_s: int | None


@dataclass
class Findings:
    """What a reader finds besides entries: remarks, each kind of them once, and what the file says of its lots."""

    zone: ZoneInfo | None = None
    """Of dates without an offset; without it they are taken as they are."""
    remarks: dict[tuple[Path, str], Remark] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)
    listed: set[str] = field(default_factory=set)
    """Calls that a recorder found parked when it looked."""
    agents: set[str] = field(default_factory=set)
    """Who answered calls, where the form names them."""
    exact_us: int = 0
    """How exact instants are at best, where that is worse than the tolerance."""
    lots: dict[str, LotRow] = field(default_factory=dict)
    """The latest that list answers tell of each lot."""
    silences: list[tuple[int, int]] = field(default_factory=list)
    """From when to when, in microseconds, nothing at all was written, foreign events neither."""
    seen_us: int | None = None
    """The latest instant of any event, foreign ones as well."""

    def seen(self, seconds: str | bytes) -> None:
        """Take the instant of an event, of which nothing else may matter."""
        try:
            time_us = round(float(seconds) * 1e6)
        except (ValueError, OverflowError):
            return
        if self.seen_us is not None and time_us - self.seen_us > SILENT_US:
            self.silences.append((self.seen_us, time_us))
        self.seen_us = time_us

    def add(self, path: Path, line: int | None, what: str, effect: str) -> None:
        """Add a remark, or count it if the file has one of these words."""
        known = self.remarks.setdefault((path, what), Remark(path, line, what, effect, 0))
        known.times += 1


class Reader(NamedTuple):
    """How one form is recognised and read."""

    form: str
    """The form's name, as the screen shows it."""
    recognises: Callable[[Sequence[str]], bool]
    """Whether these lines, the first of a file that are not empty, begin a file of this form."""
    entries: Callable[[Source, Findings], Iterator[Entry]]
    """Yields the entries that matter, lazily and in the order of their lines; raises LogError."""
    tells: frozenset[str]
    """What the form can tell, of ``TELLS``."""
    lacking: str = "record ParkedCall and its kin"
    """What to do where a file of this form has no parking event."""


def shown(name: str) -> str:
    r"""Return a name of a log made safe for a screen or a file: one line, no control characters.

    >>> shown("PJSIP/2000"), shown("\x1b[31mred")
    ('PJSIP/2000', '?[31mred')
    """
    return "".join(one if one.isprintable() else "?" for one in name[:80])


def instant_us(value: object, path: Path, line: int, name: str, step: str) -> int:
    """Return an instant in microseconds from a number of seconds, however it is written.

    Raises:
        LogError: it is no number of seconds; ``name`` says which field it is and ``step`` what to do.
    """
    try:
        seconds = -1.0 if value is None or isinstance(value, bool) else float(str(value))
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < LATEST_S:
        said = "it has none" if value is None else f"it is {str(value)[:40]!r}"
        raise LogError(path, line, f"an event needs its instant, {name}, and {said}", step)
    return round(seconds * 1e6)


def local_us(moment: datetime, zone: ZoneInfo, before_us: int) -> int:
    """Return the instant of a local date, in microseconds since 1970.

    Where the clock shows a time twice, at the end of summer time, it is the second one if the first would be before
    ``before_us``, the instant of the line before.
    """
    first, second = (round(moment.replace(tzinfo=zone, fold=fold).timestamp() * 1e6) for fold in (0, 1))
    return second if first < before_us - FOLD_US else first
