"""What must hold of every journal, whatever the scenario, read from its rows alone.

``violations`` walks through a journal and keeps who is where. It knows the columns and the plain facts of life (one
call a slot, one call an extension, an end for everybody) and nothing of the order of simultaneous events, so it finds
errors that two engines with one thought in common would agree upon.
"""

from collections import Counter
from itertools import groupby
from typing import Any

from parksim.rules import codes as c

Row = tuple[int, ...]


def violations(settings: Any, workload: Any, rows: list[Row]) -> list[str]:
    """Walk through a journal.

    Args:
        settings: of the scenario.
        workload: of which only the number of calls and the arrivals are used.
        rows: time_us, deadline_us, call, lot, slot, extension, kind, reason.

    Returns:
        What is wrong, in words; the first complaint is the one to read, later ones may follow from it.
    """
    walk = _Walk(settings)
    before_us = 0
    for at_us, group in groupby(rows, key=lambda row: row[0]):
        walk.check(at_us >= before_us, f"{at_us}: earlier than {before_us}")
        before_us = at_us
        for row in group:
            walk.take(row)
        walk.look_around(at_us)
    walk.at_the_end([int(arrival_us) for arrival_us in workload.arrival_us], rows)
    return walk.wrong


class _Walk:
    """Who is where, after the rows so far."""

    def __init__(self, settings: Any) -> None:
        self.settings = settings
        self.wrong: list[str] = []
        self.where: dict[int, str] = {}
        self.slots: dict[tuple[int, int], Row] = {}  # (lot, slot) -> the row of PARKED
        self.busy: dict[int, int] = {}  # extension -> call
        self.parker: dict[int, int] = {}
        self.parks: Counter[int] = Counter()
        self.periods: Counter[int] = Counter()
        self.announcing: set[int] = set()
        self.expired_us: dict[int, int] = {}
        self.fetched_us: dict[int, int] = {}

    def check(self, holds: bool, otherwise: str) -> None:
        if not holds:
            self.wrong.append(otherwise)

    def move(self, row: Row, origins: set[str], to: str) -> None:
        """The call goes from one of these places to another."""
        here = self.where.get(row[2], "nowhere")
        self.check(here in origins, f"{row}: was {here}, not {' or '.join(sorted(origins))}")
        self.where[row[2]] = to

    def seize(self, row: Row) -> None:
        """The extension is busy from now on, which it was not, or with this very call."""
        extension = row[5]
        if extension != c.NOBODY:
            at_work = extension in self.busy or extension not in self.off_duty(row[0])
            self.check(at_work, f"{row}: {extension} is off duty")
            self.check(self.busy.get(extension, row[2]) == row[2], f"{row}: {extension} is busy")
            self.check(extension not in self.announcing, f"{row}: {extension} is announcing")
            self.busy[extension] = row[2]

    def free(self, row: Row) -> None:
        """The extension is free from now on, which had this call."""
        extension = row[5]
        if extension != c.NOBODY:
            self.check(self.busy.pop(extension, None) == row[2], f"{row}: {extension} had another call or none")

    def off_duty(self, at_us: int) -> set[int]:
        """The attendants who are off duty at the end of this instant."""
        settings = self.settings
        if not settings.counts:
            return set()
        return set(range(settings.counts[at_us // settings.period_us % len(settings.counts)], settings.attendants))

    def waits_for_its_parker(self, call: int, at_us: int) -> bool:
        """Whether this return, not yet rung, is for nobody else: whoever parked it has been on duty ever since."""
        settings = self.settings
        if settings.recall_to == c.TO_GROUP or settings.busy != c.BUSY_WAIT or self.periods[call]:
            return False
        since = self.expired_us.get(call, at_us) // settings.period_us
        cycle = range(since, min(at_us // settings.period_us, since + len(settings.counts)) + 1)
        return not any(self.parker.get(call) in self.off_duty(number * settings.period_us) for number in cycle)

    def take(self, row: Row) -> None:
        """One fact."""
        at_us, deadline_us, call, lot, _, extension, kind, reason = row
        if kind == c.OFFERED:
            self.move(row, {"nowhere"}, "queue")
        elif kind == c.ANSWERED:
            self.move(row, {"queue"}, "attendant")
            self.seize(row)
        elif kind == c.REFUSED:
            self.move(row, {"attendant"}, "attendant")
            taken = sum(1 for other, _ in self.slots if other == lot)
            if reason == c.SLOT_TAKEN:
                self.check((lot, row[4]) in self.slots, f"{row}: slot not taken")
            else:
                self.check(taken == self.settings.slots[lot], f"{row}: lot not full")
            self.check(self.busy.get(extension, call) == call, f"{row}: asked by another")
        elif kind == c.PARKED:
            self.park(row)
        elif kind == c.RELEASED:
            self.check(extension in self.announcing, f"{row}: has nothing to announce")
            self.announcing.discard(extension)
            self.free(row)
        elif kind == c.REMINDED:
            self.move(row, {"lot"}, "lot")
            self.check(self.slots.get((lot, row[4]), row)[2] == call, f"{row}: not in that slot")
            self.check(extension == self.parker.get(call), f"{row}: not its parker")
        elif kind == c.RETRIEVED and reason == c.RINGING:
            self.check(bool(self.settings.retrievable), f"{row}: cannot be fetched any more")
            self.check(self.fetched_us.get(call) == at_us, f"{row}: did not ring")
            self.move(row, {"returning"}, "staff")
            self.seize(row)
        elif kind in {c.RETRIEVED, c.EXPIRED} or (kind == c.ABANDONED and reason == c.IN_LOT):
            self.leave(row)
        elif kind == c.RECALL_RINGING:
            self.move(row, {"returning"}, "ringing")
            self.seize(row)
            self.periods[call] += 1
            self.check(self.periods[call] <= self.settings.attempts, f"{row}: once too often")
            self.check(extension == self.parker.get(call), f"{row}: rings not at its parker's")
            end_us = c.NEVER if self.settings.ring_us == c.NEVER else at_us + self.settings.ring_us
            self.check(deadline_us == end_us, f"{row}: rings until {deadline_us}, not {end_us}")
        elif kind == c.RECALL_ANSWERED:
            unrung = set() if self.waits_for_its_parker(call, at_us) else {"returning"}
            self.move(row, {"ringing"} | unrung, "attendant")
            self.seize(row)
        elif kind == c.RECALL_UNANSWERED:
            self.move(row, {"ringing"}, "returning")
            if reason == c.FETCHED:
                self.fetched_us[call] = at_us
                self.free(row)
            if reason == c.LAST:
                self.check(self.periods[call] == self.settings.attempts, f"{row}: not the last")
                self.free(row)
        else:
            self.end(row)

    def park(self, row: Row) -> None:
        """PARKED: a free slot of that lot is taken."""
        _, _, call, lot, slot, extension, _, _ = row
        self.move(row, {"attendant"}, "lot")
        self.check(0 <= slot < self.settings.slots[lot], f"{row}: no such slot")
        self.check((lot, slot) not in self.slots, f"{row}: slot taken")
        self.slots[lot, slot] = row
        self.parker[call] = extension
        self.periods[call] = 0
        self.parks[call] += 1
        self.check(self.parks[call] <= self.settings.max_parks, f"{row}: parked too often")
        if extension != c.NOBODY and self.settings.announcement_us:
            self.check(self.busy.get(extension) == call, f"{row}: {extension} had another call or none")
            self.announcing.add(extension)
        else:
            self.free(row)

    def leave(self, row: Row) -> None:
        """RETRIEVED, EXPIRED or hung up in the lot: out of the slot it is in, before its time is up or at its end."""
        at_us, _, call, lot, slot, extension, kind, _ = row
        parked = self.slots.pop((lot, slot), None)
        self.check(parked is not None and parked[2] == call, f"{row}: not in that slot")
        deadline_us = parked[1] if parked else c.NEVER
        self.check(deadline_us == c.NEVER or at_us <= deadline_us, f"{row}: after its deadline {deadline_us}")
        if kind == c.RETRIEVED and row[7] == c.ON_REMINDER:
            self.check(extension == self.parker.get(call), f"{row}: not its parker")
            self.move(row, {"lot"}, "attendant")
            self.check(extension not in self.busy, f"{row}: {extension} is busy")  # may go off duty at this instant
            if extension != c.NOBODY:
                self.busy[extension] = call
            return
        if kind == c.RETRIEVED and row[7] == c.STRANGER and 0 <= extension < self.settings.attendants:
            self.check(extension == slot, f"{row}: not the key of that slot")
            self.move(row, {"lot"}, "met")
            return
        if kind == c.RETRIEVED:
            self.move(row, {"lot"}, "staff")
            first = max(self.settings.attendants, 0)
            right = extension == c.NOBODY if self.settings.staff < 0 else 0 <= extension - first < self.settings.staff
            self.check(right, f"{row}: no such member")
            self.seize(row)
            return
        self.move(row, {"lot"}, "returning" if kind == c.EXPIRED else "gone")
        self.expired_us[call] = at_us
        self.check(extension == self.parker.get(call), f"{row}: not the parker")
        self.check(kind != c.EXPIRED or at_us == deadline_us, f"{row}: not at its deadline {deadline_us}")

    def end(self, row: Row) -> None:
        """The call is gone, from where its reason says."""
        _, _, _, _, _, extension, kind, reason = row
        if reason == c.MET and self.where.get(row[2]) == "met":
            self.move(row, {"met"}, "gone")
            return
        origin, freed = {
            (c.ABANDONED, c.WAITING): ("queue", False),
            (c.ABANDONED, c.RETURNING): ("returning", False),
            (c.ABANDONED, c.RINGING): ("ringing", True),
            (c.ENDED, c.TALKED): ("attendant", True),
            (c.ENDED, c.AFTER_RETRIEVAL): ("staff", True),
            (c.ENDED, c.OVERFLOWED): ("attendant", True),
            (c.ENDED, c.FORWARDED): ("returning", False),
            (c.LOST, c.QUEUE_FULL): ("queue", False),
            (c.LOST, c.LOT_FULL): ("attendant", True),
            (c.LOST, c.SLOT_TAKEN): ("attendant", True),
            (c.LOST, c.MET): ("attendant", True),
            (c.LOST, c.UNANSWERED): ("returning", False),
            (c.LOST, c.BUSY): ("returning", False),
        }[kind, reason]
        self.move(row, {origin}, "gone")
        self.check(freed or reason == c.UNANSWERED or extension == c.NOBODY, f"{row}: frees nobody")
        if freed:
            self.free(row)

    def look_around(self, at_us: int) -> None:
        """As an instant ends nobody waits for what is there."""
        free = set(range(self.settings.attendants)) - set(self.busy) - self.off_duty(at_us)
        for call, where in self.where.items():
            if where == "queue":
                self.check(not free and self.settings.attendants >= 0, f"{at_us}: call {call} waits, {free} are free")
                self.check(self.settings.queue_limit != 0, f"{at_us}: call {call} waits in no queue")
            elif where == "returning":
                wanted = {self.parker.get(call)} if self.waits_for_its_parker(call, at_us) else free
                self.check(not wanted & free, f"{at_us}: return {call} waits, {free} are free")
                self.check(self.settings.attendants >= 0, f"{at_us}: return {call} waits for one of many")
        waiting = sum(where == "queue" for where in self.where.values())
        self.check(self.settings.queue_limit < 0 or waiting <= self.settings.queue_limit, f"{at_us}: {waiting} wait")

    def at_the_end(self, arrivals_us: list[int], rows: list[Row]) -> None:
        """Everybody came, and everything is over."""
        offered = sorted((row[2], row[0]) for row in rows if row[6] == c.OFFERED)
        self.check(offered == list(enumerate(arrivals_us)), "not everybody was offered when it came")
        self.check(set(self.where.values()) <= {"gone"}, f"still there: {self.where}")
        self.check(not self.busy, f"still busy: {self.busy}")
        self.check(not self.slots, f"still parked: {self.slots}")
        last = {row[2]: row for row in rows if row[6] != c.RELEASED}
        ends = {c.ABANDONED, c.ENDED, c.LOST}
        self.check(all(row[6] in ends for row in last.values()), "not every call's last row is its end")
        self.check(sum(row[6] in ends for row in rows) == len(arrivals_us), "not one end a call")
