"""What each form of a log covers: each has its own beginning, end and gaps."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from parksim.pbx.missing import Gap, Span, gaps_of
from parksim.pbx.parts import Part, calls_from, stays_from
from parksim.pbx.sections import HOLE, Cut
from parksim.rules import codes as c
from parksim.scenario.quantities import HOUR_US

SECOND_US: Final = 1_000_000


class Covered(NamedTuple):
    """What one form covers, and for what it is believed."""

    form: str
    tells: frozenset[str]
    spans: tuple[Span, ...]
    tells_calls: bool
    tells_stays: bool
    calls: int
    stays: int
    gaps: tuple[Gap, ...]
    """Those that are no cuts of the whole log."""
    foreign: int
    """Of a form with calls: how many that were parked, while it tells of calls, it does not have."""


@dataclass(frozen=True)
class Coverage:
    """What the forms of a log cover; ``gaps``, ``first_us`` and ``last_us`` are of the whole log."""

    parts: tuple[Covered, ...]
    gaps: tuple[Span, ...]
    first_us: int
    last_us: int

    @classmethod
    def of(cls, parts: Sequence[Part], cuts: Sequence[Cut], first_us: int, last_us: int) -> "Coverage":
        """Return what parts cover; a cut in which a part wrote something does not concern it."""
        calls, stays = calls_from(parts), stays_from(parts)
        parked = {call for part in stays for call in _parked(part)}
        since = {row.call: row.time_us for part in stays for row in reversed(part.rows) if row.call in parked}
        cut = [(one.from_us, one.to_us) for one in cuts]
        found = []
        for part, gaps in zip(parts, gaps_of(parts), strict=True):
            own = tuple(gap for gap in gaps if (gap.from_us, gap.to_us) not in cut)
            spans = [one for one in cut if not _written(part, *one)] + [(gap.from_us, gap.to_us) for gap in own]
            exact = any(instant % SECOND_US for instant in part.instants)
            left = tuple(without(spans, part.instants[0], part.instants[-1] + (0 if exact else SECOND_US - 1)))
            n_calls = len({row.call for row in part.rows if row.kind == c.OFFERED})
            n_stays = sum(row.kind == c.PARKED for row in part.rows)
            believed = part in calls, part in stays
            known = {row.call for row in part.rows}
            foreign = sum(call not in known and span_of(left, at_us) is not None for call, at_us in since.items())
            foreign = foreign if believed == (True, False) else 0
            found.append(Covered(part.form, part.tells, left, *believed, n_calls, n_stays, own, foreign))
        return cls(tuple(found), tuple(cut), first_us, last_us)

    @property
    def calls(self) -> list[Span]:
        """When calls that came are known, in the order of time."""
        return self._believed([part.spans for part in self.parts if part.tells_calls])

    @property
    def stays(self) -> list[Span]:
        """When parks are known, in the order of time."""
        return self._believed([part.spans for part in self.parts if part.tells_stays])

    def in_words(self) -> list[str]:
        """Return what each form covers and is believed about, a sentence each; nothing where there is one form."""
        told = []
        for part in self.parts if len(self.parts) > 1 else ():
            about = [f"calls, waits and answers ({part.calls:,} calls)"] * part.tells_calls
            about += [f"stays ({part.stays:,})"] * part.tells_stays
            hours = sum(end_us - begin_us for begin_us, end_us in part.spans) / HOUR_US
            gaps = len(part.spans) - 1
            holes = f" ({gaps:,} gap{'s' * (gaps > 1)} left out)" if gaps else ""
            what = " and ".join(about) or "what no other form tells"
            foreign = f"; {part.foreign:,} parked calls are not in it, and count as calls that came" * (
                part.foreign > 0
            )
            told.append(f"{part.form} covers {hours:,.2f} hours{holes}; it is believed about {what}{foreign}.")
        return told

    def _believed(self, spans: Sequence[Sequence[Span]]) -> list[Span]:
        """Return the spans of the form that is believed; those of the whole log where no form, or several, are."""
        return list(spans[0]) if len(spans) == 1 else without(self.gaps, self.first_us, self.last_us)


def without(gaps: Iterable[Span], begin_us: int, end_us: int) -> list[Span]:
    """Return what is left of a time without its gaps, in order; a gap of no length divides nothing.

    >>> without([(5, 7), (6, 8), (9, 9)], 0, 10)
    [(0, 5), (8, 10)]
    """
    spans = []
    for from_us, to_us in sorted(gaps):
        if to_us > from_us and to_us > begin_us and from_us < end_us:
            if from_us >= begin_us:
                spans.append((begin_us, from_us))
            begin_us = max(begin_us, to_us)
    return [*spans, (begin_us, end_us)] if begin_us < end_us or not spans else spans


def span_of(spans: Sequence[Span], at_us: int) -> Span | None:
    """Return the span that an instant lies in; None in a gap."""
    at = bisect_right(spans, at_us, key=lambda one: one[0]) - 1
    return spans[at] if at >= 0 and at_us <= spans[at][1] else None


def _parked(part: Part) -> set[str]:
    return {row.call for row in part.rows if row.kind == c.PARKED}


def _written(part: Part, from_us: int, to_us: int) -> bool:
    """Tell whether a part has an entry between two instants."""
    return bisect_left(part.instants, to_us) > bisect_right(part.instants, from_us)


def unseen_cuts(parts: Sequence[Part], cuts: Sequence[Cut]) -> list[Cut]:
    """Return the holes of the forms that are believed about stays, as far as no other cut is there.

    Args:
        parts: of one log.
        cuts: those of its parking events.
    """
    sources = stays_from(parts)
    return [
        Cut(gap.to_us, gap.from_us, gap.line, HOLE, False, f"lines are missing: {gap.why}")
        for part, gaps in zip(parts, gaps_of(parts), strict=True)
        for gap in gaps
        if part in sources and not _written(part, gap.from_us, gap.to_us)
        if not any(cut.from_us < gap.to_us and gap.from_us < cut.to_us for cut in cuts)
    ]
