"""Lines out of the order of time: the fewest that explain it."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

ORDER_US: Final = 5_000
"""Entries may be out of order by this much: several threads write events."""
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
