"""What one form of a log does not have although it should: long silences, and hours with too few of another's calls.

A long silence is a hole where a call that ends without having begun, or is parked and never leaves, contradicts it;
where another form has calls that this one should have; and where another form has a hole as well. A form that otherwise
has nearly all calls of another contradicts it in an hour in which it has fewer than chance allows.
"""

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from parksim.pbx.calls import Row
from parksim.pbx.parts import Part, calls_from, stays_from
from parksim.pbx.sections import HOLE_US
from parksim.rules import codes as c
from parksim.scenario.quantities import HOUR_US

BY_CHANCE: Final = 0.001
"""Among all silences, or all hours, of a form chance makes one as odd with no more than this."""
NEARLY_ALL: Final = 0.9
"""A form of calls that elsewhere has a smaller share of another's may have none of them in a silence: it is closed."""
Span = tuple[int, int]
"""From when to when, in microseconds."""


class Gap(NamedTuple):
    """A time that a form does not cover, the first line after its beginning, and why."""

    from_us: int
    to_us: int
    line: int
    why: str


def gaps_of(parts: Sequence[Part]) -> list[list[Gap]]:
    """Return what each part does not cover: its holes, and hours in which it contradicts another part."""
    silences = [[(a, b) for a, b in pairwise(part.instants) if b - a >= HOLE_US] for part in parts]
    found: list[list[Gap]] = []
    for part, silent in zip(parts, silences, strict=True):
        others = [other for other in parts if other is not part]
        gaps = [*_holes(part, silent, others)]
        for hour in _contradictions(part, parts):
            if not any(_overlap((hour.from_us, hour.to_us), (gap.from_us, gap.to_us)) > 0 for gap in gaps):
                gaps.append(hour)
        found.append(gaps)
    holes = [gap for gaps in found for gap in gaps]
    for part, silent, gaps in zip(parts, silences, found, strict=True):
        for one in silent:
            alike = any(2 * _overlap(one, (gap.from_us, gap.to_us)) > gap.to_us - gap.from_us for gap in holes)
            if alike and not any(_overlap(one, (gap.from_us, gap.to_us)) > 0 for gap in gaps):
                gaps.append(_gap(part, *one, f"{_silent(part, one)}, as another form that lacks lines there"))
        gaps.sort()
    return found


def _gap(part: Part, from_us: int, to_us: int, why: str) -> Gap:
    lines = (row.line for row in part.rows if row.time_us >= to_us)
    return Gap(from_us, to_us, next(lines, part.rows[-1].line if part.rows else 1), why)


def _silent(part: Part, silence: Span) -> str:
    return f"{part.form} has nothing for {(silence[1] - silence[0]) / 1e6:,.0f} s"


def _overlap(one: Span, other: Span) -> int:
    """Return how much of two spans is the same time; negative where they are apart."""
    return min(one[1], other[1]) - max(one[0], other[0])


def _holes(part: Part, silences: Sequence[Span], others: Sequence[Part]) -> Iterator[Gap]:
    """Yield the silences of a part that its own calls or another part's contradict."""
    if not silences:
        return
    unseen, whole = _unseen(part)
    missing = [_missing(part, other, silences) for other in others]
    for number, one in enumerate(silences):
        told = [reasons[number] for reasons in missing if number in reasons]
        odd = sum(_overlap(one, span) > 0 for span in unseen)
        if odd and len(silences) / math.comb(whole + odd, odd) <= BY_CHANCE:
            yield _gap(part, *one, f"{_silent(part, one)}, and calls came or went unseen")
        elif told:
            yield _gap(part, *one, f"{_silent(part, one)}, and {told[0]}")


def _unseen(part: Part) -> tuple[list[Span], int]:
    """Return from when to when something happened that a part does not have, and how many calls it has.

    A call that ends without having begun, began before; one that is parked and of which nothing comes after, left
    later. Both within the longest time that any call took, unless they took longer than all: k calls are the longest of
    n + k by chance in one case of n + k over k.
    """
    first: dict[str, int] = {}
    last: dict[str, Row] = {}
    for row in part.rows:
        first.setdefault(row.call, row.time_us)
        last[row.call] = row
    longest_us = max((last[call].time_us - at_us for call, at_us in first.items()), default=0)
    begins = {row.call for row in part.rows if row.kind in (c.OFFERED, c.PARKED)}
    ends = [*part.orphans, *(at_us for call, at_us in first.items() if call not in begins)]
    left = [row.time_us for row in last.values() if row.kind == c.PARKED]
    begin_us, end_us = part.instants[0] + longest_us, part.instants[-1] - longest_us
    spans = [(at_us - longest_us, at_us) for at_us in ends if at_us > begin_us]
    return [*spans, *((at_us, at_us + longest_us) for at_us in left if at_us < end_us)], len(begins) - len(left)


def _missing(part: Part, other: Part, silences: Sequence[Span]) -> dict[int, str]:
    """Return why silences are holes, by their numbers: of calls that another part has then, this one has too few.

    Outside silences this part has some share of the other's calls. Of those that come during a silence it has too few
    if so few are chance with no more than ``BY_CHANCE`` over the number of silences (``so_few``).
    """
    begins = [begin_us for begin_us, _ in silences]
    own = {row.call for row in part.rows}
    counts: Counter[tuple[int, bool]] = Counter()
    for call, at_us in _first(other.rows).items():
        if part.instants[0] <= at_us <= part.instants[-1]:
            at = bisect_right(begins, at_us) - 1
            counts[at if at >= 0 and at_us < silences[at][1] else -1, call in own] += 1
    here, elsewhere = counts[-1, True], counts[-1, True] + counts[-1, False]
    if not elsewhere or (not part.has_stays and here < NEARLY_ALL * elsewhere):
        return {}
    found = {}
    for number in range(len(silences)):
        known, all_of = counts[number, True], counts[number, True] + counts[number, False]
        if all_of and so_few(known, all_of, here, elsewhere) * len(silences) <= BY_CHANCE:
            found[number] = f"{_few(known, all_of)} calls that {other.form} has then, else {here / elsewhere:.0%}"
    return found


def _few(known: int, all_of: int) -> str:
    return f"{known:,} of the {all_of:,}" if known else f"none of the {all_of:,}"


def _first(rows: Iterable[Row]) -> dict[str, int]:
    """Return of each call when it is first named."""
    first: dict[str, int] = {}
    for row in rows:
        first.setdefault(row.call, row.time_us)
    return first


def _contradictions(part: Part, parts: Sequence[Part]) -> Iterator[Gap]:
    """Yield the hours in which a part that is believed has too few of another's calls, or stays, for chance.

    Only where it has ``NEARLY_ALL`` of them in the other hours: a queue, for one, does not have all calls of a PBX.
    """
    for believed, kinds in ((calls_from(parts), None), (stays_from(parts), c.PARKED)):
        if part not in believed:
            continue
        for other in parts:
            if other is not part and other.has_calls and kinds is None:
                yield from _few_in_an_hour(part, other, {row.call for row in part.rows}, _first(other.rows))
            elif other is not part and other.has_stays:
                parked = [[row for row in one.rows if row.kind == c.PARKED] for one in (part, other)]
                own = {row.call for row in (parked[0] if kinds == c.PARKED else part.rows)}
                yield from _few_in_an_hour(part, other, own, _first(parked[1]))


def _few_in_an_hour(part: Part, other: Part, own: set[str], calls: dict[str, int]) -> Iterator[Gap]:
    begin_us, end_us = part.instants[0], part.instants[-1]
    known: Counter[int] = Counter()
    all_of: Counter[int] = Counter()
    for call, at_us in calls.items():
        if begin_us <= at_us <= end_us:
            all_of[at_us // HOUR_US] += 1
            known[at_us // HOUR_US] += call in own
    for hour in sorted(all_of):
        here, elsewhere = known.total() - known[hour], all_of.total() - all_of[hour]
        if not elsewhere or here < NEARLY_ALL * elsewhere:
            continue
        if so_few(known[hour], all_of[hour], here, elsewhere) * len(all_of) <= BY_CHANCE:
            from_us = max(hour * HOUR_US, begin_us)
            some = f"{_few(known[hour], all_of[hour])} calls that {other.form} has"
            why = f"{part.form} has {some} in this hour, else {here / elsewhere:.0%}"
            yield _gap(part, from_us, min((hour + 1) * HOUR_US, end_us), why)


def so_few(known: int, all_of: int, here: int, elsewhere: int) -> float:
    """Return the probability of no more than ``known`` of ``all_of`` calls, if the share is that of all others.

    Hypergeometric, as in Fisher's exact test: ``here`` of ``elsewhere`` others are known.

    >>> round(so_few(0, 2, 2, 2), 4), so_few(2, 2, 2, 2)
    (0.1667, 1.0)
    """
    total, marked = all_of + elsewhere, known + here
    least = max(0, marked - elsewhere)
    logarithms = [
        _log_choose(marked, one) + _log_choose(total - marked, all_of - one) - _log_choose(total, all_of)
        for one in range(least, known + 1)
    ]
    return min(math.fsum(map(math.exp, logarithms)), 1.0)


def _log_choose(n: int, k: int) -> float:
    if not 0 <= k <= n:
        return -math.inf
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
