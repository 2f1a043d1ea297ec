"""The forms of a log side by side: what each of them covers, and which is believed for what.

Each form has its own beginning, end and holes. A hole of a form that parking events do not show is a long silence of
it before a call that ends without having begun, or during which another form has calls that this one should have.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

from parksim.journal.journal import is_parking
from parksim.pbx.calls import CallTracker, Row
from parksim.pbx.formats import queue_log
from parksim.pbx.formats.entry import Reader
from parksim.pbx.sections import HOLE, HOLE_US, Cut
from parksim.rules import codes as c
from parksim.scenario.quantities import HOUR_US
from parksim.stats.special import clopper_pearson_limits

Span = tuple[int, int]
"""From when to when, in microseconds."""
SECOND_US: Final = 1_000_000
BY_CHANCE: Final = 0.001
"""A silence of a form is its hole if, in all its silences, chance makes one as odd with no more than this."""

FEW_CALLS: Final = 20
"""Of fewer calls that ended nobody can tell how long one may take."""


class Part(NamedTuple):
    """What one form of a log says: its rows, with calls named as in all forms, and the instants of its entries."""

    form: str
    tells: frozenset[str]
    rows: list[Row]
    instants: Sequence[int]
    orphans: Sequence[int]
    """Instants of facts that end what has not begun."""
    has_calls: bool
    """Whether it has calls that are never parked."""

    @property
    def has_stays(self) -> bool:
        """Whether it has parks."""
        return any(map(is_parking, self.rows))


class Covered(NamedTuple):
    """What one form covers, and for what it is believed."""

    form: str
    tells: frozenset[str]
    spans: tuple[Span, ...]
    tells_calls: bool
    tells_stays: bool
    calls: int
    stays: int


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
        found = []
        for part, holes in zip(parts, holes_of(parts), strict=True):
            gaps = [(cut.from_us, cut.to_us) for cut in cuts if not _written(part, cut.from_us, cut.to_us)]
            gaps += holes
            exact = any(instant % SECOND_US for instant in part.instants)
            spans = tuple(without(gaps, part.instants[0], part.instants[-1] + (0 if exact else SECOND_US - 1)))
            n_calls = len({row.call for row in part.rows if row.kind == c.OFFERED})
            n_stays = sum(row.kind == c.PARKED for row in part.rows)
            found.append(Covered(part.form, part.tells, spans, part in calls, part in stays, n_calls, n_stays))
        return cls(tuple(found), tuple((cut.from_us, cut.to_us) for cut in cuts), first_us, last_us)

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
            holes = f" (it has {gaps:,} hole{'s' * (gaps > 1)})" if gaps else ""
            what = " and ".join(about) or "what no other form tells"
            told.append(f"{part.form} covers {hours:,.2f} hours{holes}; it is believed about {what}.")
        return told

    def _believed(self, spans: Sequence[Sequence[Span]]) -> list[Span]:
        """Return the spans of the form that is believed; those of the whole log where no form, or several, are."""
        return list(spans[0]) if len(spans) == 1 else without(self.gaps, self.first_us, self.last_us)


def parts_of(read: Sequence[tuple[Reader, CallTracker, Sequence[int]]]) -> list[Part]:
    """Return what each form says, with calls named as in all of them.

    Args:
        read: of each form its reader, what took its entries, and their instants.
    """
    known = {channel: one for _, tracker, _ in read for channel, one in tracker.unique_ids.items()}
    if len(read) == 1:
        known = {}  # its own names are enough, and after a restart unique ids may come again
    parts = []
    for reader, tracker, instants in read:
        rows = [row._replace(call=known.get(row.call, row.call)) for row in tracker.rows] if known else tracker.rows
        in_order = array("q", sorted(instants))
        parts.append(Part(reader.form, reader.tells, rows, in_order, tracker.orphans, tracker.calls_recorded))
    return parts


def calls_from(parts: Sequence[Part]) -> list[Part]:
    """Return the parts that are believed about calls: a queue's log where there is one, else all that have calls."""
    with_calls = [part for part in parts if part.has_calls]
    return [part for part in with_calls if part.form == queue_log.FORM] or with_calls


def stays_from(parts: Sequence[Part]) -> list[Part]:
    """Return the parts that are believed about stays: those that name slots, else all that have parks."""
    with_stays = [part for part in parts if part.has_stays]
    with_slots = [part for part in with_stays if any(row.slot != c.NOBODY for row in part.rows if is_parking(row))]
    return with_slots or with_stays


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


def _written(part: Part, from_us: int, to_us: int) -> bool:
    """Tell whether a part has an entry between two instants."""
    return bisect_left(part.instants, to_us) > bisect_right(part.instants, from_us)


def unseen_cuts(parts: Sequence[Part], cuts: Sequence[Cut]) -> list[Cut]:
    """Return the holes of the forms that are believed about stays, as far as no other cut is there.

    Args:
        parts: of one log.
        cuts: those of its parking events.
    """
    found = []
    holes = holes_of(parts)
    for part in stays_from(parts):
        for from_us, to_us in holes[parts.index(part)]:
            if not any(_overlap((from_us, to_us), (cut.from_us, cut.to_us)) > 0 for cut in cuts):
                line = next((row.line for row in part.rows if row.time_us >= to_us), 0)
                why = f"lines of {part.form} are missing: it has nothing for {(to_us - from_us) / 1e6:,.0f} s"
                found.append(Cut(to_us, from_us, line, HOLE, False, why))
    return found


# Holes of one form ----------------------------------------------------------------------------------------------------


def holes_of(parts: Sequence[Part]) -> list[list[Span]]:
    """Return the holes of each part: its long silences that something contradicts, or that are a hole of another part.

    They are in the order of time.
    """
    silences = [[(a, b) for a, b in pairwise(part.instants) if b - a >= HOLE_US] for part in parts]
    holes: list[list[Span]] = []
    for part, silent in zip(parts, silences, strict=True):
        unseen = _unseen(part) if silent else []
        told = [_missing_from(part, other, silent) for other in parts if silent and other is not part]
        shown = [one for one in silent if any(_overlap(one, span) > 0 for span in unseen)]
        holes.append([one for one in silent if one in shown or any(is_hole(one) for is_hole in told)])
    alike = [span for one in holes for span in one]
    return [
        [one for one in silent if one in found or any(2 * _overlap(one, span) > span[1] - span[0] for span in alike)]
        for silent, found in zip(silences, holes, strict=True)
    ]


def _overlap(one: Span, other: Span) -> int:
    """Return how much of two spans is the same time; negative where they are apart."""
    return min(one[1], other[1]) - max(one[0], other[0])


def _unseen(part: Part) -> list[Span]:
    """Return from when to when something happened that a part does not have.

    A call that ends without having begun, began before; one that is parked and of which nothing comes after, left
    later. Both within the longest time that any call took, else the part's beginning or end explains them.
    """
    first: dict[str, int] = {}
    last: dict[str, Row] = {}
    for row in part.rows:
        first.setdefault(row.call, row.time_us)
        last[row.call] = row
    if sum(row.kind != c.PARKED for row in last.values()) < FEW_CALLS:
        return []
    longest_us = max((last[call].time_us - at_us for call, at_us in first.items()), default=0)
    begins = {row.call for row in part.rows if row.kind in (c.OFFERED, c.PARKED)}
    ends = [*part.orphans, *(at_us for call, at_us in first.items() if call not in begins)]
    left = [row.time_us for row in last.values() if row.kind == c.PARKED]
    begin_us, end_us = part.instants[0] + longest_us, part.instants[-1] - longest_us
    return [(at_us - longest_us, at_us) for at_us in ends if at_us > begin_us] + [
        (at_us, at_us + longest_us) for at_us in left if at_us < end_us
    ]


def _missing_from(part: Part, other: Part, silences: Sequence[Span]) -> Callable[[Span], bool]:
    """Return what tells whether too few of another part's calls are in a silence for that to be chance.

    Outside silences this part has some share of the other's calls. Of the n that come during a silence it has too few
    if Clopper and Pearson's upper limit, one-sided at ``BY_CHANCE`` over the number of silences, is below that share.
    """
    own = {row.call for row in part.rows}
    first: dict[str, int] = {}
    for row in other.rows:
        first.setdefault(row.call, row.time_us)
    begin_us, end_us = part.instants[0], part.instants[-1]
    inside = {call: at_us for call, at_us in first.items() if begin_us <= at_us <= end_us}
    silent = {call for call, at_us in inside.items() if any(a < at_us < b for a, b in silences)}
    others = [call in own for call in inside if call not in silent]
    level = 1 - 2 * BY_CHANCE / len(silences)

    def is_hole(silence: Span) -> bool:
        during = [call in own for call in silent if silence[0] < inside[call] < silence[1]]
        if not during or not others:
            return False
        return clopper_pearson_limits(sum(during), len(during), level)[1] < sum(others) / len(others)

    return is_hole
