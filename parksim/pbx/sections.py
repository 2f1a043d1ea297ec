"""What a log covers: its sections, between restarts of the PBX, holes, and steps of the clock.

A log is one section, unless something in it cuts it. After a **restart** the lots are empty, and calls that were in
them are cut off. In a **hole** lines are missing: after it the lots are as unknown as at the beginning of a log. After
a **step** of the clock by an unknown amount nobody can tell when a stay ends that began before it. Each section is
judged for itself, and measured; what begins in one and ends in another is neither.

A hole is believed where the log contradicts itself without one: calls that leave without having come, slots given away
while a call is in them, time-outs that never come. The silence between two lines that explains such a contradiction is
the hole if it is long (``HOLE_US``), or if it explains several.

Without a contradiction a silence is a hole if it is far longer than any other: of ``n`` silences between independent
events the longest is ``1 + x`` times the next with a probability of about ``n ** -x``, since the excess of the longest
over the next is exponential with the mean of all, and the next is about ``log n`` times that mean. ``LEVEL`` is that
probability. A silence of more than ``CLOSED_US`` may be a night, and is left as it is.
"""

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Final, NamedTuple

from parksim.journal.journal import is_parking
from parksim.pbx.calls import Boot, Row
from parksim.rules import codes as c

HOLE_US: Final = 300_000_000
"""A silence of this length that explains a contradiction is a hole."""
SHORT_HOLE_US: Final = 30_000_000
"""A shorter one must explain ``SEVERAL`` contradictions, and be at least this long."""
SEVERAL: Final = 2
MOST_HOLES: Final = 50
DAYS_US: Final = 10**15
"""Far in the future."""
LEVEL: Final = 1e-4
"""How often the longest silence of a log without holes may be called one."""
CLOSED_US: Final = 14_400_000_000
FEW_EVENTS: Final = 50
"""Of fewer events nobody can tell how long a silence may be."""

RESTART: Final = "restart"
HOLE: Final = "hole"
STEP: Final = "step"
SETTINGS: Final = "settings"
EFFECTS: Final = {
    RESTART: "from there the lots are empty; those calls are counted apart, and the time between is left out",
    HOLE: "what it hides is not judged, and its time is left out of the measures",
    STEP: "are not judged and not measured",
    SETTINGS: "the log is judged before and after it apart",
}
"""What follows from a cut."""


class Cut(NamedTuple):
    """Where a log is cut: from ``from_us`` to ``to_us`` it covers nothing; ``line`` is the first line after.

    ``empty``: the lots are known to be empty after it.
    """

    to_us: int
    from_us: int
    line: int
    kind: str
    empty: bool
    why: str


class Section(NamedTuple):
    """A stretch of a log that is judged for itself."""

    begins_us: int
    ends_us: int
    rows: list[Row]
    empty: bool
    """Whether the lots are known to be empty when it begins."""

    def until(self, rows: int) -> "Section":
        """Return its first rows, this many at most, as a section."""
        if rows >= len(self.rows):
            return self
        kept = self.rows[: max(rows, 0)]
        return self._replace(rows=kept, ends_us=kept[-1].time_us if kept else self.begins_us)


def sections_of(rows: list[Row], cuts: Sequence[Cut], first_us: int, last_us: int, *, empty: bool) -> list[Section]:
    """Return the sections of a log, in the order of time; rows are in the order of time."""
    begins = [first_us, *(cut.to_us for cut in cuts)]
    ends = [*(cut.from_us for cut in cuts), last_us]
    known = [empty, *(cut.empty for cut in cuts)]
    parts: list[list[Row]] = [[] for _ in begins]
    for row in rows:
        parts[max(bisect_right(begins, row.time_us) - 1, 0)].append(row)
    return [Section(*one) for one in zip(begins, ends, parts, known, strict=True)]


def restarts(rows: Sequence[Row], boots: Sequence[Boot], instants: Sequence[int]) -> list[Cut]:
    """Return the restarts among what may be one: FullyBooted comes at a login as well.

    It was one if the PBX says that it has run since then only, or had been shut down; it was none if a call that was
    parked before is released after it. Else it counts as one if calls were parked, and otherwise it does not matter.

    Args:
        rows: in the order of time.
        boots: FullyBooted and Shutdown, in the order of time.
        instants: of all entries, in the order of time.
    """
    cuts: list[Cut] = []
    down_us: int | None = None
    for boot in boots:
        if boot.down:
            down_us = boot.time_us
            continue
        before_us = instants[max(bisect_right(instants, boot.time_us - 1) - 1, 0)]
        came_back, inside = _across(rows, boot.time_us)
        since_us = None if boot.uptime_us is None else boot.time_us - boot.uptime_us
        fresh = since_us is not None and since_us > before_us
        if before_us >= boot.time_us and down_us is None:
            continue  # it begins the log
        if not came_back and (down_us is not None or fresh or (since_us is None and inside)):
            calls = "1 call in its lots was" if inside == 1 else f"{inside:,} calls in its lots were"
            why = f"the PBX was started again: {calls} cut off"
            until_us = before_us if down_us is None else min(down_us, boot.time_us)
            cuts.append(Cut(boot.time_us, until_us, boot.line, RESTART, True, why))
        down_us = None
    return cuts


def _across(rows: Sequence[Row], at_us: int) -> tuple[bool, int]:
    """Return whether a call parked before an instant is released after it, and how many were parked then."""
    inside: dict[str, Row] = {}
    for row in rows:
        if not is_parking(row):
            continue
        if row.time_us >= at_us:
            if row.kind == c.PARKED:
                inside_now = inside.get(row.call)
                if inside_now is not None:
                    break
            elif (there := inside.get(row.call)) is not None and (there.lot, there.slot) == (row.lot, row.slot):
                return True, len(inside)
        elif row.kind == c.PARKED:
            inside[row.call] = row
        else:
            inside.pop(row.call, None)
    return False, len(inside)


def silent(instants: Sequence[int], silences: Sequence[tuple[int, int]] | None = None) -> list[Cut]:
    """Return the silences of a log that are far too long for it, in the order of time; ``line`` of the cuts is 0.

    Args:
        instants: of all entries, in the order of time.
        silences: from when to when nothing at all was written, if the log has more than its entries.

    >>> gaps = [*range(1_000)] * 3
    >>> instants = [*accumulate(one * 30_000 for one in gaps)]
    >>> silent(instants), [cut.to_us for cut in silent([*instants, instants[-1] + 300_000_000])]
    ([], [45255000000])
    """
    spans = [(before, after) for before, after in pairwise(instants) if after - before >= SHORT_HOLE_US]
    if silences is not None:
        spans = [one for before, after in spans for one in _within(before, after, silences)]
    spans.sort(key=lambda span: span[0] - span[1])
    long_us = [after - before for before, after in spans[: SEVERAL + 1]] + [SHORT_HOLE_US] * (SEVERAL + 1)
    if len(instants) < FEW_EVENTS:
        return []
    times = 1 - math.log(LEVEL) / math.log(len(instants))
    many = max((i for i in range(1, SEVERAL + 1) if long_us[i - 1] >= times * long_us[i]), default=0)
    next_s = long_us[many] / 1e6
    return [
        Cut(after, before, 0, HOLE, False, _silence(after - before, f"the next longest silence is {next_s:,.0f} s"))
        for before, after in sorted(spans[: min(many, len(spans))])
        if HOLE_US <= after - before <= CLOSED_US
    ]


def _within(from_us: int, until_us: int, silences: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the longest part of a span in which nothing at all was written."""
    parts = [(max(from_us, begin), min(until_us, end)) for begin, end in silences if begin < until_us and end > from_us]
    return [max(parts, key=lambda part: part[1] - part[0])] if parts else []


def _silence(long_us: int, why: str) -> str:
    return f"lines are missing: nothing was written for {long_us / 1e6:,.0f} s, and {why}"


def holes(
    rows: Sequence[Row], instants: Sequence[int], tolerance_us: int, last_us: int, limits: Mapping[str, int]
) -> list[Cut]:
    """Return the holes of a section that explain contradictions, in the order of time.

    Args:
        rows: of the section, in the order of time.
        instants: of all entries of the section, in the order of time.
        tolerance_us: how far an instant may be off.
        last_us: the end of the section.
        limits: the longest stay of each lot, where parks do not report it.
    """
    limited = [_limited(row, limits) for row in rows] if limits else rows
    left = _contradictions(limited, tolerance_us, last_us)
    silences = [(before, after) for before, after in pairwise(instants) if after - before >= SHORT_HOLE_US]
    ends, begins = [after for _, after in silences], [before for before, _ in silences]
    cuts: list[Cut] = []
    while silences and left and len(cuts) < MOST_HOLES:
        spans = [(bisect_right(ends, from_us), bisect_left(begins, until_us)) for from_us, until_us in left]
        explains = [0] * (len(silences) + 1)
        for begin, end in spans:
            if begin < end:
                explains[begin] += 1
                explains[end] -= 1
        counts = list(accumulate(explains[:-1]))
        best = max(range(len(silences)), key=lambda i: (counts[i], ends[i] - begins[i]))
        long_us = ends[best] - begins[best]
        if counts[best] < (1 if long_us >= HOLE_US else SEVERAL):
            break
        line = next((row.line for row in rows if row.time_us >= ends[best]), 0)
        why = _silence(long_us, "calls came or went unseen")
        cuts.append(Cut(ends[best], begins[best], line, HOLE, False, why))
        left = [one for one, (begin, end) in zip(left, spans, strict=True) if not begin <= best < end]
    return sorted(cuts)


def _limited(row: Row, limits: Mapping[str, int]) -> Row:
    known = row.kind != c.PARKED or row.limit_us is not None or row.lot not in limits
    return row if known else row._replace(limit_us=limits[row.lot])


def longest_seen(rows: Sequence[Row]) -> dict[str, int]:
    """Return the longest time-out, in whole seconds, that stays in each lot showed twice."""
    seen: dict[str, Counter[int]] = {}
    parked: dict[str, Row] = {}
    for row in rows:
        if row.kind == c.PARKED:
            parked[row.call] = row
        elif row.kind == c.EXPIRED and row.call in parked:
            stay_us = row.time_us - parked[row.call].time_us
            seen.setdefault(row.lot, Counter())[round(stay_us / 1e6) * 1_000_000] += 1
    longest = {lot: max((us for us, times in one.items() if times > 1), default=0) for lot, one in seen.items()}
    return {lot: us for lot, us in longest.items() if us}


def _contradictions(rows: Sequence[Row], tolerance_us: int, last_us: int) -> list[tuple[int, int]]:
    """Return from when to when something must have happened that the log does not have.

    A stay that has no end until its slot or its call is parked again, or until long after its time-out, ended unseen;
    and a call that leaves an empty slot came unseen. A PBX that was started again counts its channels anew, so an
    event long after the time-out is that of another call.
    """
    parking = [row for row in rows if is_parking(row)]
    ended: dict[int, bool] = {}
    latest: dict[str, int] = {}
    for at, row in enumerate(parking):
        if row.kind == c.PARKED:
            ended[at] = False
            latest[row.call] = at
        elif (begin := latest.pop(row.call, None)) is not None:
            ended[begin] = row.time_us <= _due_us(parking[begin]) + HOLE_US
    found: list[tuple[int, int]] = []
    taken: dict[tuple[str, int], int] = {}
    touched: dict[tuple[str, int], int] = {}
    until_us = {at: _due_us(parking[at]) + tolerance_us for at, known in ended.items() if not known}
    open_calls: dict[str, int] = {}
    for at, row in enumerate(parking):
        place = row.lot, row.slot
        if row.kind == c.PARKED:
            for other in (taken.get(place), open_calls.get(row.call)):
                if other in until_us:
                    until_us[other] = min(until_us[other], row.time_us + tolerance_us)
            taken[place] = open_calls[row.call] = at
        else:
            begin = open_calls.pop(row.call, None)
            if begin is not None and ended[begin]:
                left = parking[begin]
                taken.pop((left.lot, left.slot), None)
            elif place in touched and place not in taken:
                found.append((touched[place], row.time_us))
        touched[place] = row.time_us
    found += ((parking[at].time_us, until) for at, until in until_us.items())
    return [(from_us, until) for from_us, until in found if until < last_us]


def _due_us(park: Row) -> int:
    """Return when a stay times out; far in the future for one without a limit."""
    return park.time_us + (park.limit_us if park.limit_us not in (None, c.NEVER) else DAYS_US)


def refined_us(rows: Sequence[Row], at_us: int, tolerance_us: int) -> int | None:
    """Return by how much more a clock was set back at ``at_us``, by the stays that span it and timed out.

    None if they do not agree, or no stay does.
    """
    parked: dict[str, Row] = {}
    off: list[int] = []
    for row in rows:
        if row.kind == c.PARKED and row.time_us < at_us:
            parked[row.call] = row
        elif is_parking(row) and (there := parked.pop(row.call, None)) is not None:
            timed = row.kind == c.EXPIRED and there.limit_us not in (None, c.NEVER)
            if timed and row.time_us >= at_us:
                off.append((there.limit_us or 0) - (row.time_us - there.time_us))
    if not off or max(off) - min(off) > 2 * tolerance_us:
        return None
    return sorted(off)[len(off) // 2]
