"""Seats for the calls of a log that names no slots: the lowest free number from 1, as if the lot gave them so.

How many calls are parked together, and for how long, does not depend on the numbers. So a log without slots is measured
like any other; that its numbers are not the PBX's is known to those who would ask for them.
"""

import heapq
from collections import Counter
from collections.abc import Sequence

from parksim.journal.journal import is_parking
from parksim.pbx.calls import Row
from parksim.rules import codes as c


def has_slots(rows: Sequence[Row]) -> bool:
    """Tell whether the parking events of a log name slots."""
    return any(row.slot != c.NOBODY for row in rows if is_parking(row))


def in_their_lots(rows: Sequence[Row]) -> list[Row]:
    """Return rows in order, with the only lot of the log where an event does not say which."""
    names = Counter(row.lot for row in rows if row.lot)
    if len(names) != 1:
        return [*rows]
    name = next(iter(names))
    asked = (c.REFUSED,)
    return [row._replace(lot=name) if not row.lot and (is_parking(row) or row.kind in asked) else row for row in rows]


def seated(rows: Sequence[Row], tolerance_us: int) -> list[Row]:
    """Return rows, in the order of time, with a seat for each stay that begins in the log.

    Of a park that would need one more seat than there ever were, and a release within the tolerance after it, the
    release is taken to be first: a PBX writes it some ms after the slot is free.
    """
    seats: dict[str, tuple[str, int]] = {}
    free: dict[str, list[int]] = {}
    most: Counter[str] = Counter()
    result = [*rows]
    for at, row in enumerate(rows):
        if not is_parking(row):
            continue
        if row.kind != c.PARKED:
            lot, seat = seats.pop(row.call, (row.lot, c.NOBODY))
            if result[at].slot == c.NOBODY:
                result[at] = row._replace(lot=lot, slot=seat)
                if seat != c.NOBODY:
                    heapq.heappush(free.setdefault(lot, []), seat)
            continue
        if not free.get(row.lot):
            early = _leaving(rows, at, seats, tolerance_us)
            if early is not None:
                lot, seat = seats.pop(rows[early].call)
                result[early] = rows[early]._replace(lot=lot, slot=seat)
                heapq.heappush(free.setdefault(lot, []), seat)
        if free.get(row.lot):
            seat = heapq.heappop(free[row.lot])
        else:
            most[row.lot] += 1
            seat = most[row.lot]
        seats[row.call] = row.lot, seat
        result[at] = row._replace(slot=seat)
    return result


def _leaving(rows: Sequence[Row], at: int, seats: dict[str, tuple[str, int]], tolerance_us: int) -> int | None:
    """Return the release of a seated call of the lot within the tolerance after a park; None without one."""
    for after in range(at + 1, len(rows)):
        row = rows[after]
        if row.time_us > rows[at].time_us + tolerance_us:
            return None
        if is_parking(row) and row.kind != c.PARKED and seats.get(row.call, ("\0", 0))[0] == rows[at].lot:
            return after
    return None
