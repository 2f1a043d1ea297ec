"""Call detail records: a line for each call, with its beginning, its answer and its end.

They tell when calls came, how soon they were answered and how long they were talked to. A record is written when its
call ends, so the facts of a file are put in the order of time.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from parksim.pbx.formats.content import Source
from parksim.pbx.formats.entry import Entry, Findings, Reader
from parksim.pbx.formats.facts import fact, offered_to_a_scenario
from parksim.pbx.formats.order import FEW, clock_of

RECORDS_US: Final = 60_000_000
"""Records of calls that end together may be written in another order by this much."""
TELLS: Final = frozenset({"offered", "waits"})
STEP: Final = "call detail records do not tell of parks; supply the PBX's CEL, AMI or valet events with them, or"


class Record(NamedTuple):
    """One call: instants in microseconds, ``answered_us`` None where nobody answered, ``parks`` where it says so."""

    line: int
    call: str
    begun_us: int
    answered_us: int | None
    ended_us: int
    extension: str = ""
    parks: bool = False


Records = Callable[[Source, ZoneInfo | None], Iterator[Record]]


def reader(form: str, recognises: Callable[..., bool], records: Records, parks: str, column: str) -> Reader:
    """Return the reader of one system's records.

    Args:
        form: its name.
        recognises: whether the first lines of a file are of it.
        records: yields its records.
        parks: what the record of a parked call has.
        column: the name, or the number, of the column with the instants at which calls came.
    """

    def entries(source: Source, findings: Findings) -> Iterator[Entry]:
        facts: list[Entry] = []
        seen: set[str] = set()
        read = [*records(source, findings.zone)]
        _remark_the_clock(read, source, findings)
        for one in read:
            if one.call in seen:
                findings.add(source.path, one.line, "a call has another record", "its first record counts")
            else:
                facts += _facts(one)
            seen.add(one.call)
            if one.parks:
                what = f"the call was parked ({parks})"
                findings.add(source.path, one.line, what, "when, and for how long, a call detail record does not tell")
        facts.sort(key=lambda entry: (entry.time_us, entry.line))
        yield from facts

    return Reader(form, recognises, entries, TELLS, f"{STEP} {offered_to_a_scenario('{file}', column)}")


def _remark_the_clock(read: Sequence[Record], source: Source, findings: Findings) -> None:
    """Remark where the clock went back by whole half hours: at the order of the calls' ends, or their beginnings."""
    by_end, by_begin = [one.ended_us for one in read], [one.begun_us for one in read]
    found = [clock_of(instants, RECORDS_US) for instants in (by_end, by_begin) if instants]
    for out, steps in sorted(found, key=lambda one: len(one[0]))[:1]:
        for step in steps if len(out) <= FEW else ():
            if step.sure:
                what = f"the clock goes back {step.back_us / 1e6:,.0f} s"
                effect = "calls before and after it lie over each other; if these are local dates, name their zone"
                findings.add(source.path, read[step.at].line, what, f"{effect} (--zone Europe/Berlin)")


def _facts(one: Record) -> Iterator[Entry]:
    yield fact(one.line, one.begun_us, "offered", one.call)
    if one.answered_us is None:
        yield fact(one.line, max(one.ended_us, one.begun_us), "unanswered", one.call)
        return
    yield fact(one.line, max(one.answered_us, one.begun_us), "answered", one.call, parker=one.extension)
    yield fact(one.line, max(one.ended_us, one.answered_us), "ended", one.call)
