"""What must hold of rows that commands had a part in, read from the rows alone by dictionaries.

``Walk`` takes row after row, keeps where each call is, and complains. It knows nothing of ranks, processes or lines.
"""

from typing import Any

from parksim.rules import codes as c
from parksim.rules import life

Row = tuple[int, ...]

WHERE = {
    c.OFFERED: "queue",
    c.ANSWERED: "attendant",
    c.PARKED: "slot",
    c.RETRIEVED: "staff",
    c.EXPIRED: "returning",
    c.RECALL_RINGING: "ringing",
    c.RECALL_ANSWERED: "attendant",
    c.RECALL_UNANSWERED: "returning",
}
ENDS = {c.ABANDONED, c.ENDED, c.LOST}
STATE_NAMED = {
    "queue": life.IN_QUEUE,
    "attendant": life.WITH_ATTENDANT,
    "slot": life.IN_SLOT,
    "staff": life.WITH_STAFF,
    "returning": life.ON_RETURN,
    "ringing": life.AT_PARKER,
}


class Walk:
    """Who is where after the rows so far; ``wrong`` says what was not as it must be."""

    def __init__(self, settings: Any) -> None:
        self.settings = settings
        self.wrong: list[str] = []
        self.where: dict[int, str] = {}
        self.who: dict[int, int] = {}
        self.slots: dict[tuple[int, int], Row] = {}
        self.gone: set[int] = set()
        self.rows: list[Row] = []

    def check(self, holds: bool, otherwise: str) -> None:
        """Complain unless it holds."""
        if not holds:
            self.wrong.append(otherwise)

    def take(self, *row: int) -> None:
        """One more fact."""
        at_us, deadline_us, call, lot, slot, extension, kind, reason = row
        self.check(not self.rows or at_us >= self.rows[-1][0], f"{row}: earlier than the row before")
        self.rows.append(row)
        if kind == c.RELEASED:
            return
        self.check(call not in self.gone, f"{row}: is over")
        self.check((kind == c.OFFERED) == (call not in self.where), f"{row}: offered once, and first")
        leaves = kind in {c.RETRIEVED, c.EXPIRED} or (kind, reason) == (c.ABANDONED, c.IN_LOT)
        left = (lot, slot) if leaves and (kind, reason) != (c.RETRIEVED, c.RINGING) else None
        if left is not None:
            self.leave(row, left)
        if (kind, reason) == (c.RETRIEVED, c.RINGING):
            before = self.rows[-2:-1]
            missed = [(one[0], one[2], *one[6:]) for one in before]
            self.check(missed == [(at_us, call, c.RECALL_UNANSWERED, c.FETCHED)], f"{row}: did not ring before")
        if kind == c.REFUSED:
            taken = sum(1 for other, _ in self.slots if other == lot)
            if reason == c.SLOT_TAKEN:
                self.check((lot, slot) in self.slots, f"{row}: the slot is not taken")
            else:
                self.check(taken == self.settings.slots[lot], f"{row}: the lot is not full")
        if kind == c.PARKED:
            self.check((lot, slot) not in self.slots, f"{row}: the slot is taken")
            self.check(self.where.get(call) in {"attendant", "staff"}, f"{row}: parked from {self.where.get(call)}")
            self.check(deadline_us == c.NEVER or deadline_us > at_us, f"{row}: over before it began")
            self.slots[lot, slot] = row
        if kind == c.REMINDED:
            parked = self.slots.get((lot, slot))
            self.check(parked is not None and parked[2] == call, f"{row}: is not in that slot")
            self.check(parked is None or parked[5] == extension, f"{row}: not its parker")
        if kind in ENDS:
            self.check(self.where.get(call) != "slot" or left is not None, f"{row}: still in a slot")
            self.where.pop(call, None)
            self.who.pop(call, None)
            self.gone.add(call)
        elif kind not in {c.REFUSED, c.REMINDED}:
            self.where[call] = "attendant" if reason == c.ON_REMINDER else WHERE[kind]
            if kind not in {c.OFFERED, c.RECALL_UNANSWERED}:
                self.who[call] = extension

    def leave(self, row: Row, left: tuple[int, int]) -> None:
        """The slot it leaves is its own, once, in time; a time-out comes at its very instant, to its parker."""
        parked = self.slots.pop(left, None)
        self.check(parked is not None and parked[2] == row[2], f"{row}: is not in that slot")
        if parked is None:
            return
        self.check(parked[1] == c.NEVER or row[0] <= parked[1], f"{row}: after its deadline {parked[1]}")
        if row[6] == c.EXPIRED:
            self.check(row[0] == parked[1], f"{row}: not at its deadline {parked[1]}")
        if row[6] in {c.EXPIRED, c.ABANDONED}:
            self.check(row[5] == parked[5], f"{row}: not its parker {parked[5]}")

    def compare(self, exchange: Any) -> None:
        """The exchange believes what the rows say."""
        places = exchange.places
        self.check(set(places) == set(self.where), f"offered and not over: {sorted(places)}, {sorted(self.where)}")
        for call, place in places.items():
            self.check(place.state == STATE_NAMED[self.where[call]], f"call {call}: {place}, {self.where[call]}")
            if self.where[call] not in {"queue", "returning"}:
                self.check(place.extension == self.who[call], f"call {call}: {place}, {self.who[call]}")
        parked = {(place.lot, place.slot): call for call, place in places.items() if place.state == life.IN_SLOT}
        in_tables = {
            (lot.view.number, slot): call
            for lot in exchange.lots
            for slot, call in enumerate(lot.occupants)
            if call != c.NOBODY
        }
        by_rows = {left: row[2] for left, row in self.slots.items()}
        self.check(parked == in_tables == by_rows, f"slots: {parked}, {in_tables}, {by_rows}")
        deadlines_us = {left: row[1] for left, row in self.slots.items()}
        kept_us = {left: exchange.lots[left[0]].deadlines_us[left[1]] for left in by_rows}
        self.check(deadlines_us == kept_us, f"deadlines: {deadlines_us}, {kept_us}")


def two_at_once(rows: list[Row], touched: set[int]) -> list[str]:
    """Return who had two calls at once that no command has touched: an attendant's first line has room for one."""
    busy: dict[int, int] = {}
    wrong = []
    met = {row[2] for row in rows if row[7] == c.MET}  # a key whose slot was taken connects both, and both are gone
    for row in rows:
        call, extension, kind = row[2], row[5], row[6]
        if call in touched or extension == c.NOBODY or (kind == c.RETRIEVED and call in met):
            continue
        if kind in {c.ANSWERED, c.RECALL_RINGING, c.RECALL_ANSWERED, c.RETRIEVED}:
            if busy.setdefault(extension, call) != call:
                wrong.append(f"{row}: {extension} has {busy[extension]}")
        elif kind in ENDS | {c.PARKED, c.RECALL_UNANSWERED} and busy.get(extension) == call:
            del busy[extension]
    return wrong


def sees(settings: Any, rows: list[Row]) -> list[str]:
    """Walk through whole rows; also everybody is gone at the end."""
    walk = Walk(settings)
    for row in rows:
        walk.take(*row)
    walk.check(not walk.where, f"still there: {walk.where}")
    walk.check(not walk.slots, f"still parked: {walk.slots}")
    return walk.wrong
