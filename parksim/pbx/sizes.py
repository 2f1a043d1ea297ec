"""Whether the number of slots of a lot changed within a log: a claim that needs evidence.

A slot that is not used for a while has not gone: perhaps nobody needed it. So a change from ``k`` slots to more, or
back, is believed only where parks that would have got a higher slot did not get one, and others did, more often than
by chance (``LEVEL`` for each lot, over all numbers of slots that are tried). Three kinds of opportunity count:

- with ``lowest``, the time in which the first ``k`` slots were all taken: a park that came then got a higher one. Time
  counts by how many parks came in its hour, since nobody parks at night; and of each such spell only the time until
  its first park counts, since parks come in bursts;
- with ``next``, each park that followed one in slot ``k``;
- with ``random``, each park.

Before a growth all opportunities passed in vain: by chance that has the probability ``(later time / all time) ** n``
with ``n`` parks in higher slots, or the share of the orders of opportunities that begin with as many that passed.
Refusals while exactly the first ``k`` slots are taken show it as well (``REFUSALS``). Shrinkage is the same, seen from
the end.
"""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

from parksim.pbx.calls import Row
from parksim.rules import codes as c

LEVEL: Final = 1e-3
"""How often a change may be claimed of a lot that kept its slots."""
SPELLS: Final = 3
"""With ``lowest``, this many spells must have brought a park in a higher slot."""
REFUSALS: Final = 2
"""This many refusals with exactly the lower slots taken show that there were no more."""
MOST_WORK: Final = 20_000_000
"""With more rows times slots (some ten seconds) no change is looked for."""
HOUR_US: Final = 3_600_000_000
USUAL: Final = 0.8
"""A lot chooses in a way if at least this share of its parks do as that way does."""


class Size(NamedTuple):
    """A change of a lot's slots: the position of the row from which on there are ``after`` instead of ``before``."""

    at: int
    before: int
    after: int


class _Tally(NamedTuple):
    """Of one number of slots, in the order of rows: the opportunities for a higher slot.

    ``passed``: position and weight of those that passed; ``taken``: positions of those that gave a higher slot.
    ``uses``: positions of all parks in higher slots, and of their releases. ``refusals``: positions of refusals with
    exactly the lower slots taken.
    """

    passed: list[tuple[int, float]]
    taken: list[int]
    uses: list[int]
    refusals: list[int]


def changed(rows: Sequence[Row]) -> Size | None:
    """Return where a lot's number of slots changed, the most certain change; None if the log shows none.

    A log of very many rows in very many slots is not searched (``MOST_WORK``).

    Args:
        rows: parking events and refusals of the lot, in the order of time.
    """
    slots = {row.slot for row in rows if row.kind != c.REFUSED}
    if len(slots) < 2:
        return None
    first, most = min(slots), max(slots) - min(slots) + 1
    if most * len(rows) > MOST_WORK:
        return None
    way = _way(rows)
    level = math.log(LEVEL / (2 * (most - 1)))
    found: list[tuple[float, int, Size]] = []
    for lower in range(1, most):
        tally = _tally(rows, first + lower, lower, way)
        if not tally.uses:
            continue
        begin, end = tally.uses[0], tally.uses[-1] + 1
        grew = _unlikely(tally, range(begin), lasting=way == c.CHOOSE_LOWEST)
        shrank = _unlikely(tally, range(end, len(rows)), lasting=way == c.CHOOSE_LOWEST)
        found.append((grew, lower, Size(begin, lower, most)))
        if end < len(rows):
            found.append((shrank, lower, Size(end, most, lower)))
    chance, _, size = min(found, default=(0.0, 0, None))
    return size if chance <= level else None


def _way(rows: Sequence[Row]) -> int:
    """Return how most parks get their slots, by the slots that have been used so far."""
    ways: Counter[int] = Counter()
    parks = 0
    inside: set[int] = set()
    seen: set[int] = set()
    last: int | None = None
    for row in rows:
        if row.kind == c.PARKED:
            seen.add(row.slot)
            free = sorted(seen - inside)
            parks += 1
            ways[c.CHOOSE_LOWEST] += row.slot == (free[0] if free else row.slot)
            above = [one for one in free if last is not None and one > last]
            ways[c.CHOOSE_NEXT] += bool(free) and row.slot == (above or free)[0]
            inside.add(row.slot)
            last = row.slot
        elif row.kind != c.REFUSED:
            inside.discard(row.slot)
            seen.add(row.slot)
    way, times = max(ways.items(), key=lambda item: item[1], default=(c.CHOOSE_LOWEST, 0))
    return way if times >= USUAL * parks else c.CHOOSE_RANDOM


def _tally(rows: Sequence[Row], above: int, lower: int, way: int) -> _Tally:
    """Return the opportunities for a slot from ``above`` on, of which there are ``lower`` below."""
    tally = _Tally([], [], [], [])
    rate = _rates(rows)
    below: set[int] = set()
    higher: set[int] = set()
    last: int | None = None
    before_us = rows[0].time_us
    brought = False
    for at, row in enumerate(rows):
        full = len(below) == lower
        brought = brought and full
        if full and not brought and way == c.CHOOSE_LOWEST:
            tally.passed.append((at, _expected(rate, before_us, row.time_us)))
        before_us = row.time_us
        if row.kind == c.REFUSED:
            if full and not higher:
                tally.refusals.append(at)
            continue
        if row.slot >= above:
            tally.uses.append(at)
        here = higher if row.slot >= above else below
        if row.kind != c.PARKED:
            here.discard(row.slot)
            continue
        here.add(row.slot)
        turn = {c.CHOOSE_LOWEST: full and not brought, c.CHOOSE_NEXT: last == above - 1}.get(way, True)
        if row.slot >= above and turn:
            tally.taken.append(at)
            brought = full
        elif turn and way != c.CHOOSE_LOWEST and not higher:
            tally.passed.append((at, 1.0))
        last = row.slot
    return tally


def _unlikely(tally: _Tally, vain: range, *, lasting: bool) -> float:
    """Return the logarithm of how likely it is that no opportunity in a range of rows gave a higher slot, by chance."""
    if sum(at in vain for at in tally.refusals) >= REFUSALS:
        return -math.inf
    n = len(tally.taken)
    vain_weight, total = (sum(weight for at, weight in tally.passed if at in some) for some in (vain, range(1 << 62)))
    if not n or not vain_weight or (lasting and n < SPELLS):
        return 0.0
    if lasting:
        return n * math.log(max(1 - vain_weight / total, 1e-300))
    return _ways(n, round(total - vain_weight)) - _ways(n, round(total))


def _ways(taken: int, passed: int) -> float:
    """Return the logarithm of how many orders there are of opportunities that were taken or passed."""
    return math.lgamma(taken + passed + 1) - math.lgamma(taken + 1) - math.lgamma(passed + 1)


def _rates(rows: Sequence[Row]) -> Counter[int]:
    """Return how many parks came in each hour."""
    return Counter(row.time_us // HOUR_US for row in rows if row.kind == c.PARKED)


def _expected(rate: Counter[int], from_us: int, until_us: int) -> float:
    """Return how many parks came on average in as much time of the same hours."""
    total = 0.0
    while from_us < until_us:
        hour = from_us // HOUR_US
        end_us = min(until_us, (hour + 1) * HOUR_US)
        total += rate[hour] * (end_us - from_us) / HOUR_US
        from_us = end_us
    return total
