"""Time in a log: lines out of order, the fewest that explain it, and clocks that were set back."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Final, NamedTuple

ORDER_US: Final = 5_000
"""Entries may be out of order by this much: several threads write events."""
HALF_HOUR_US: Final = 1_800_000_000
PAUSE_US: Final = 900_000_000
"""Clocks are set back by whole half hours; the pause between two events hides up to this much of it."""
SLIGHT_US: Final = 1_000_000
"""A log may be out of order by this much because of how it was written; the PBX is not blamed for it."""
LONG_STEP_US: Final = 60_000_000
"""A line or two at the end of a log that are this much too early come after a step of the clock."""
FEW: Final = 2
"""Up to this many lines out of place are wrong events; more mean that a file was put together in the wrong order."""


def out_of_order(instants: Sequence[int], tolerance_us: int) -> list[int]:
    """Return the positions of ``instants`` that are out of order; empty if all are within the tolerance.

    The simplest explanation counts: one element that came too early or too late (of two swapped neighbours the later,
    since time goes back there), then two swapped elements, then the fewest whose removal leaves the rest in order:
    those outside a longest non-decreasing subsequence (Schensted 1961).

    >>> [out_of_order(times, 0) for times in ([1, 2, 4, 3, 5], [1, 4, 3, 2, 5], [9, 1, 2, 3], [3, 1, 4, 2, 6, 5])]
    [[3], [1, 3], [0], [1, 3, 5]]
    >>> out_of_order([1, 2, 4, 3, 5], 1)
    []
    """
    latest = accumulate(instants, max)
    if all(instant >= before - tolerance_us for instant, before in zip(instants, latest, strict=True)):
        return []
    wrong = [i for i, (now, then) in enumerate(zip(instants, sorted(instants), strict=True)) if now != then]
    first, last = wrong[0], wrong[-1]
    for one in (last, first):
        rest = [instants[i] for i in range(first, last + 1) if i != one]
        if rest == sorted(rest):
            return [one]
    if len(wrong) == 2:
        return wrong
    return _outside_longest(instants)


def _outside_longest(instants: Sequence[int]) -> list[int]:
    """Return what a longest non-decreasing subsequence leaves out, by patience sorting from the end."""
    tails: list[int] = []  # the negated instants of the best ends of each length
    places: list[int] = []
    before: list[int] = [-1] * len(instants)
    for i in range(len(instants) - 1, -1, -1):
        at = bisect_right(tails, -instants[i])
        tails[at : at + 1], places[at : at + 1] = [-instants[i]], [i]
        before[i] = places[at - 1] if at else -1
    kept = set()
    at = places[-1]
    while at >= 0:
        kept.add(at)
        at = before[at]
    return [i for i in range(len(instants)) if i not in kept]


def disorder_us(instants: Sequence[int]) -> int:
    """Return by how much an instant is before an earlier one at most.

    >>> disorder_us([1, 5, 3, 9, 8])
    2
    """
    return max(before - now for now, before in zip(instants, accumulate(instants, max), strict=True))


class Step(NamedTuple):
    """A clock that was set back: from which position on, and by how much; ``sure``: not by at least that much."""

    at: int
    back_us: int
    sure: bool


def clock_of(instants: Sequence[int], tolerance_us: int) -> tuple[list[int], list[Step]]:
    """Return the positions that are out of order, and where the clock was set back.

    A line or two out of order are lines out of place. Where more follow that are in order among themselves, from
    within the time before, the clock was set back there: by whole half hours if what is seen is up to ``PAUSE_US``
    less (the end of summer time, a wrong zone), else by at least what is seen, and a microsecond. A second part that
    ends before the first begins is another order of the lines, and no step.

    >>> clock_of([*range(0, 100, 10), *range(45, 200, 10)], 0)
    ([], [Step(at=10, back_us=46, sure=False)])
    >>> clock_of([10, 20, 30, 1, 2, 3], 0)[1]
    []
    """
    out = out_of_order(instants, tolerance_us)
    if not out:
        return [], []
    steps = _steps(instants, tolerance_us, few=len(out) <= FEW)
    if not steps:
        return out, []
    bounds = [0, *(step.at for step in steps), len(instants)]
    left = [begin + i for begin, end in pairwise(bounds) for i in out_of_order(instants[begin:end], tolerance_us)]
    return left, steps


def corrected(instants: Sequence[int], steps: Sequence[Step]) -> list[int]:
    """Return instants as a clock that was not set back would have them.

    >>> corrected([10, 20, 15, 16], [Step(2, 15, True)])
    [10, 20, 30, 31]
    """
    right = list(instants)
    for step in steps:
        right[step.at :] = [instant + step.back_us for instant in right[step.at :]]
    return right


def _steps(instants: Sequence[int], tolerance_us: int, *, few: bool) -> list[Step]:
    """Return where the clock was set back; with ``few`` lines out of order only where the log ends soon after."""
    steps: list[Step] = []
    latest_after = list(accumulate(reversed(instants), max))[::-1]
    begin = 0
    high = below = instants[0]  # of the part since the latest step: the highest and the second highest
    for i, now in enumerate(instants):
        if now < high - tolerance_us:
            after = instants[i : i + FEW + 1]
            peak = now >= below - tolerance_us and not few  # the one before is out of place, too late
            sustained = len(after) > FEW and max(after) < high and not out_of_order(after, tolerance_us)
            at_end = i + len(after) == len(instants) and len(after) <= FEW and high - now >= LONG_STEP_US
            other_order = latest_after[i] <= instants[min(begin + 1, i - 1)]
            if not other_order and not peak and (at_end or (sustained and not few)):
                back_us, sure = _whole(high - now)
                steps.append(Step(i, back_us, sure))
                begin, high, below = i, now, now
            elif peak and sustained:
                high = max(below, now)
        elif now > high:
            below, high = high, now
    return steps


def _whole(back_us: int) -> tuple[int, bool]:
    """Return by how much a clock went back of which ``back_us`` are seen, and whether that is sure."""
    whole_us = -(-back_us // HALF_HOUR_US) * HALF_HOUR_US
    return (whole_us, True) if whole_us - back_us <= PAUSE_US else (back_us + 1, False)
