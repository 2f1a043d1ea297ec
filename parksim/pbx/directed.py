"""Whether each parker has a slot of his own (``parking.slot = "own"``): a key beside each telephone.

Parks by a lot's own choice do not depend on who parks. So it is directed parking if at least ``PARKERS`` people with
``PARKS`` parks each have different slots in which they park most, and nearly every park whose own slot was free is in
it. Of 40 simulated days without it none is taken for it, and ten of ten with it are recognised (``test_directed``).
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Final

from parksim.pbx.calls import Row
from parksim.rules import codes as c

PARKERS: Final = 2
PARKS: Final = 5
NEARLY: Final = 0.95


def own_slots(rows: Sequence[Row], lot: str) -> dict[str, int]:
    """Return the own slot of each parker of a lot; empty if parks are not directed.

    Args:
        rows: in the order of time.
        lot: its name.
    """
    used: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for row in rows:
        if row.kind == c.PARKED and row.lot == lot and row.extension:
            used[row.extension][row.slot] += 1
    often = {parker: slots for parker, slots in used.items() if slots.total() >= PARKS}
    own = {parker: slots.most_common(1)[0][0] for parker, slots in often.items()}
    if len(own) < PARKERS or len(set(own.values())) < len(own):
        return {}
    inside: set[int] = set()
    free = there = 0
    for row in rows:
        if row.lot != lot or row.slot == c.NOBODY:
            continue
        if row.kind != c.PARKED:
            inside.discard(row.slot)
            continue
        mine = own.get(row.extension)
        if mine is not None and mine not in inside:
            free += 1
            there += row.slot == mine
        inside.add(row.slot)
    return own if free and there >= NEARLY * free else {}


def directed(rows: list[Row], lots: Sequence[str]) -> tuple[list[Row], dict[str, dict[str, int]]]:
    """Return rows with the slot that each park asked for, and the own slots of the lots with directed parking."""
    found = {lot: own for lot in lots if (own := own_slots(rows, lot))}
    if not found:
        return rows, {}
    asked = [
        row._replace(requested_slot=found[row.lot].get(row.extension, c.NOBODY))
        if row.kind == c.PARKED and row.lot in found and row.requested_slot == c.NOBODY
        else row
        for row in rows
    ]
    return asked, found
