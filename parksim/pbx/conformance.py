"""Whether a PBX follows the rules: each parking event of a log is checked against ``rules.lot``.

Row by row the rules say which slot a park gets, which call is in a slot, and when a stay times out. That is compared
with the log, and the first row that the rules would not have written is named. After a disagreement the log is
believed, so that one fault does not make all later rows disagree.

**Tolerance.** Events of a lot that lie within it of each other may have been decided in another order than they were
written: a retrieval frees its slot some ms before its UnParkedCall shows, and of requests within a millisecond the
order of service is not that of sending. So a park agrees if the rules give its slot with any of its neighbours already
done or not yet done; a time-out agrees within the tolerance of its deadline.

**What a log does not say** is inferred and reported: without a range the lot's slots are those seen; the slot choice is
the one with which more parks agree; a time-out that no park reports is the one at which most stays ended.

**A log begins in the middle of life.** A call whose first event is its release was parked before; until then its slot
is taken. A slot that the log never names may hold a call or not, and where ``next`` continues is unknown until the
first park. What depends on that alone is neither agreement nor disagreement: it is counted as not judged. A recording
that names its lots is believed to begin with empty ones, until such a release shows that it does not.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from itertools import islice, product, zip_longest
from types import MappingProxyType
from typing import Final

from parksim.journal.journal import is_parking, stays_of
from parksim.pbx.agreement import Agreement, Disagreement, Off
from parksim.pbx.calls import Row
from parksim.pbx.doubts import with_doubts
from parksim.pbx.formats.entry import shown
from parksim.pbx.log import TOLERANCE_US, FieldLog, LotPlan
from parksim.pbx.sections import Section
from parksim.pbx.settings import SLOTS, Change
from parksim.rules import codes as c
from parksim.rules import lot as rules
from parksim.rules.lot import Lot

NEIGHBOURS: Final = 10
"""Of at most this many events within the tolerance of a park, every combination is tried."""
UNKNOWN: Final = 2**30
"""The occupant of a slot that the log never names, and the last slot before the first park; no call has this number."""
SURE: Final = 2
"""With both readings of the slots that the log never names, free and taken, the rules give the slot of a park."""
FAULT_COST: Final = math.log(100)
"""What a row that does not fit tells against a slot choice: a fault is taken to happen in one row of a hundred."""
RANDOM_COST: Final = math.log(1e6)
"""What must be told against the others before ``random``, with which nearly every row fits, is believed."""
STEP_US: Final = 7_200_000_000
"""A clock is set by no more; what is off by more is a fault."""
ENOUGH: Final = 40_000
"""The slot choice is inferred from this many facts at the beginning of a log; more would not tell more."""
EVEN_SCORE: Final = 4.0
"""How many standard deviations the mean place of a random choice among the free slots may be off the middle."""


def compare(
    log: FieldLog,
    tolerance_us: int = TOLERANCE_US,
    slots: int | None = None,
    choice: int | None = None,
    limit_us: int | None = None,
) -> Agreement:
    """Return what the rules say about each parking event of ``log``.

    Args:
        log: a PBX's log, read.
        tolerance_us: how far an instant may be off.
        slots: how many slots each lot has, if the log does not say or is wrong.
        choice: ``codes.CHOOSE_*``; by default the one that more parks agree with.
        limit_us: the longest stay in each lot, NEVER for none; the log may tell another, and then disagrees.
    """
    inferred: list[str] = []
    plans = {name: _with_options(plan, slots, choice, inferred) for name, plan in log.lots.items()}
    plans = {name: with_limit(log, plan, limit_us, inferred) for name, plan in plans.items()}
    denied = {} if limit_us is None else _denied(log, limit_us)

    def judged(*, begins_empty: bool) -> Agreement:
        reasons = [
            f'{_lot(plans[name])}: each of {len(own)} parkers has a slot of his own (parking.slot = "own")'
            for name, own in log.own_slots.items()
        ]
        chosen = dict(plans)
        for name, plan in plans.items():
            if plan.choice is None:
                found = _likelier(log, plan, tolerance_us, reasons, begins_empty=begins_empty)
                chosen[name] = plan._replace(choice=found)
        result, _ = _walked(log, chosen, tolerance_us, denied, begins_empty=begins_empty)
        result.inferred = [*inferred, *reasons]
        return result

    result = judged(begins_empty=log.begins_empty)
    if log.begins_empty and result.disagreements:
        otherwise = judged(begins_empty=False)
        if otherwise.found_there or (len(result.disagreements) > 1 and not otherwise.disagreements):
            result = otherwise
    in_order = None
    if log.misplaced and not log.by_time:
        by_instant = copy(log)
        by_instant.by_time = True
        by_instant.misplaced = []
        in_order = compare(by_instant, tolerance_us, slots, choice, limit_us)
    return with_doubts(result, log, in_order)


def _walked(
    log: FieldLog,
    plans: dict[str, LotPlan],
    tolerance_us: int,
    denied: Mapping[int, str] = MappingProxyType({}),
    *,
    begins_empty: bool,
    corrects: bool = False,
    most: int | None = None,
) -> tuple[Agreement, list[tuple[int, int]]]:
    """Return what the rules say about each section of a log, and the draws of random choices.

    With ``most``, about this many facts at its beginning only.
    """
    whole = Agreement(tolerance_us, plans)
    draws: list[tuple[int, int]] = []
    for number, one in enumerate(log.sections):
        section = one
        if most is not None:
            section, most = one.until(most), most - len(one.rows)
        empty = section.empty if number else begins_empty
        there = {name: then(plan, log.changes, section) for name, plan in plans.items()}
        walk = _Walk(section, there, tolerance_us, denied, begins_empty=empty, corrects=corrects, by_time=log.by_time)
        part = walk.go()
        if number and empty and part.disagreements:
            other = _Walk(
                section, there, tolerance_us, denied, begins_empty=False, corrects=corrects, by_time=log.by_time
            )
            otherwise = other.go()
            if otherwise.found_there and len(otherwise.disagreements) < len(part.disagreements):
                walk, part = other, otherwise
        whole.add(part)
        draws += walk.draws
    return whole, draws


def then(plan: LotPlan, log_changes: Sequence[Change], section: Section) -> LotPlan:
    """Return a lot as it was in a section of a log in the middle of which its settings changed."""
    for change in log_changes:
        if change.lot == plan.name:
            value = change.before if section.ends_us <= change.at_us else change.after
            plan = plan._replace(slots=value) if change.what == SLOTS else plan._replace(limit_us=value)
    return plan


def _denied(log: FieldLog, limit_us: int) -> dict[int, str]:
    """Return why parks deny the stated time-out, by line: most parks of their lot, and they, have another in the log.

    A request may have a time-out of its own. AMI tells whole seconds, up to one less than there were.
    """
    denied: dict[int, str] = {}
    for name, plan in log.lots.items():
        parks = [row for row in log.rows if row.kind == c.PARKED and row.lot == name]
        told = [(row.line, plan.limit_us if row.limit_us is None else row.limit_us) for row in parks]
        known = [(line, us) for line, us in told if us is not None]
        others = {
            line: f"the log says {_time_out(us)}, not {_time_out(limit_us)}"
            for line, us in known
            if (us != limit_us if c.NEVER in (us, limit_us) else abs(us - limit_us) > 1_000_000)
        }
        if 2 * len(others) > len(known):
            denied |= others
    return denied


def _time_out(limit_us: int) -> str:
    return "no time-out" if limit_us == c.NEVER else f"a time-out of {limit_us / 1e6:g} s"


def _with_options(plan: LotPlan, slots: int | None, choice: int | None, inferred: list[str]) -> LotPlan:
    if slots is not None:
        plan = plan._replace(slots=slots, reported=True)
    elif not plan.reported:
        last = plan.first + plan.slots - 1
        inferred.append(f"{_lot(plan)}: the slots {plan.first} to {last}, the lowest and highest seen (--slots)")
    return plan._replace(choice=plan.choice if choice is None else choice)


def with_limit(log: FieldLog, plan: LotPlan, limit_us: int | None, inferred: list[str]) -> LotPlan:
    """Complete a lot's time-out if parks need it: the option, the log's, or the one at which most stays timed out."""
    if limit_us is not None:
        return plan._replace(limit_us=limit_us)
    parks = [row for row in log.rows if row.kind == c.PARKED and row.lot == plan.name and row.limit_us is None]
    if not parks or plan.limit_us is not None:
        return plan
    ended = Counter(round(stay_us / 1e6) for stay_us in timed_out_us(log, plan.name))
    if not ended:
        inferred.append(f"{_lot(plan)}: no time-out, since the log neither reports nor shows one (--max-in-parking)")
        return plan._replace(limit_us=c.NEVER)
    seconds = max(ended.items(), key=lambda item: (item[1], -item[0]))[0]
    inferred.append(
        f"{_lot(plan)}: a time-out of {seconds} s, as in {ended[seconds]} of {ended.total()} that were seen "
        "(--max-in-parking)"
    )
    return plan._replace(limit_us=max(seconds, 1) * 1_000_000)


def timed_out_us(log: FieldLog, lot: str) -> list[int]:
    """Return the lengths of the stays in a lot that timed out."""
    stays = stays_of(row for row in log.parking if row.lot == lot)
    return [ended.time_us - parked.time_us for parked, ended in stays if ended and ended.kind == c.EXPIRED]


def _likelier(log: FieldLog, plan: LotPlan, tolerance_us: int, inferred: list[str], *, begins_empty: bool) -> int:
    """Return the slot choice with which fewer rows disagree, ``lowest`` where as many do.

    One fault is to count once, so each choice gets the better of two readings: either the log is believed after a
    fault, so that the pointer of ``next`` continues from there, or the row is corrected, so that no call remains in a
    slot that it was never in. If neither choice has at most half the faults of the other, the rows before the first one
    that is wrong with both decide: after it a fault may speak for either choice.

    With ``random`` every free slot fits. It is believed if, by likelihood, its draws explain the log far better than
    that number of faults does (``FAULT_COST``, ``RANDOM_COST``), and if the slots lie evenly among the free ones.
    """
    believed: dict[int, list[int]] = {}
    wrong: dict[int, int] = {}

    def walk(choice: int) -> list[tuple[int, int]]:
        lots = {plan.name: plan._replace(choice=choice)}
        found, draws = _walked(log, lots, tolerance_us, begins_empty=begins_empty, most=ENOUGH)
        believed[choice] = [one.line for one in found.disagreements]
        wrong[choice] = len(believed[choice])
        if wrong[choice]:
            other, _ = _walked(log, lots, tolerance_us, begins_empty=begins_empty, corrects=True, most=ENOUGH)
            wrong[choice] = min(wrong[choice], len(other.disagreements))
        return draws

    for choice in (c.CHOOSE_LOWEST, c.CHOOSE_NEXT):
        walk(choice)
    fault = min(set(believed[c.CHOOSE_LOWEST]) & set(believed[c.CHOOSE_NEXT]), default=math.inf)
    before = {choice: sum(line < fault for line in lines) for choice, lines in believed.items()}
    close = min(wrong.values()) < max(wrong.values()) < 2 * min(wrong.values())
    choice, other = sorted(wrong, key=lambda one: (before[one] if close else 0, wrong[one], one))
    if wrong[choice] * FAULT_COST > RANDOM_COST:
        draws = walk(c.CHOOSE_RANDOM)
        cost = wrong[c.CHOOSE_RANDOM] * FAULT_COST + sum(math.log(free) for _, free in draws) + RANDOM_COST
        if cost < wrong[choice] * FAULT_COST and _even(draws):
            choice, other = c.CHOOSE_RANDOM, choice
    why = f"{wrong[choice]:,} rows do not fit, {wrong[other]:,} with {c.CHOICE_NAMES[other]}"
    inferred.append(f"{_lot(plan)}: slot choice {c.CHOICE_NAMES[choice]} ({why}; --choice)")
    return choice


def _even(draws: Sequence[tuple[int, int]]) -> bool:
    """Tell whether places among the free slots (place from 0, how many were free) may be drawn at random."""
    off = sum((place + 0.5) / free - 0.5 for place, free in draws)
    return abs(off) <= EVEN_SCORE * math.sqrt(sum((1 - 1 / free**2) / 12 for _, free in draws))


def _lot(plan: LotPlan) -> str:
    return f"lot {shown(plan.name)}" if plan.name else "the lot"


class _Walk:
    """Goes through a section of a log row by row, with the lots as the rules leave them.

    After a disagreement the log is believed, or, where it ``corrects``, the rules are.
    """

    def __init__(
        self,
        section: Section,
        plans: dict[str, LotPlan],
        tolerance_us: int,
        denied: Mapping[int, str],
        *,
        begins_empty: bool,
        corrects: bool,
        by_time: bool,
    ) -> None:
        self._denied = denied
        self._corrects = corrects
        self.result = Agreement(tolerance_us, plans)
        self._tolerance_us = tolerance_us
        judged = [row for row in section.rows if row.lot in plans and (is_parking(row) or row.kind == c.REFUSED)]
        # The order of the file is the order of judgement, unless it is known to be less exact than the instants.
        self._rows = judged if by_time else sorted(judged, key=lambda row: row.line)
        self.draws: list[tuple[int, int]] = []
        """Of each park by random choice: its place among the free slots, from 0, and how many were free."""
        self._numbers: dict[str, int] = {}
        self._parked_at: dict[int, int] = {}
        self._at = 0
        self._earlier = {} if begins_empty else self._at_first(section.ends_us)
        self._lots: dict[str, Lot] = {}
        for number, (name, plan) in enumerate(plans.items()):
            empty = rules.empty_lot(plan.slots, c.CHOOSE_LOWEST if plan.choice is None else plan.choice, number)
            if not begins_empty:
                places = [(name, plan.first + slot) for slot in range(plan.slots)]
                occupants = tuple(self._earlier.get(place, UNKNOWN) for place in places)
                empty = empty._replace(occupants=occupants, last_slot=UNKNOWN)
            self._lots[name] = empty
        self._unsaid = False
        self._done: set[int] = set()
        self._history: list[tuple[int, Lot]] = []  # (row, its lot before it) of the latest rows

    def _at_first(self, last_us: int) -> dict[tuple[str, int], int]:
        """Return who was in a lot's slots when the log begins, as far as later rows show it.

        A call parked before is released before anything else happens to it, once more often than it is parked (unless
        it may be parked still when the log ends), and before its slot is given to another call that is released there.
        In other slots that the log names there was nobody, but a park that ends in another slot names none.
        """
        of_call: defaultdict[str, list[Row]] = defaultdict(list)
        for row in self._rows:
            if row.kind != c.REFUSED:
                of_call[row.call].append(row)
        latest = {(row.lot, row.slot): row for row in self._rows}
        earliest = {(row.lot, row.slot): row for row in reversed(self._rows)}
        found: dict[tuple[str, int], int] = {}
        given_us: dict[tuple[str, int], int] = {}
        for rows in of_call.values():
            for row, then in zip_longest(rows, rows[1:]):
                place = row.lot, row.slot
                there = then is not None and (then.lot, then.slot) == place
                if row.kind != c.PARKED or then is None or there:
                    found[place] = c.NOBODY
                if row.kind == c.PARKED and there:
                    given_us[place] = min(given_us.get(place, row.time_us), row.time_us)
        for call, rows in of_call.items():
            first, last, place = rows[0], rows[-1], (rows[0].lot, rows[0].slot)
            parks = sum(row.kind == c.PARKED for row in rows)
            limit_us = self._limit_us(last)
            still = last is latest[last.lot, last.slot] and last.kind == c.PARKED
            still = still and (limit_us == c.NEVER or last.time_us + limit_us >= last_us)
            in_time = first.time_us <= given_us.get(place, first.time_us) + self._tolerance_us
            if first.kind != c.PARKED and 2 * parks < len(rows) + still and in_time and found[place] == c.NOBODY:
                found[place] = self._number(call)
                self.result.found_there += 2 * parks < len(rows) and first is earliest[place]
        return found

    def go(self) -> Agreement:
        """Compare all rows."""
        for at, row in enumerate(self._rows):
            self._at = at
            kind, place = c.KIND_NAMES[row.kind], (row.lot, row.slot)
            self.result.rows[kind] += 1
            self._unsaid = False
            # A release that came before the park it made room for is done.
            why = None if at in self._done else self._overdue(row) or self._compared(at, row)
            why = why or (self._denied.get(row.line) if row.kind == c.PARKED else None)
            if row.kind != c.PARKED and self._earlier.get(place) == self._number(row.call):
                del self._earlier[place]
                self._unsaid = True
            if why is None:
                (self.result.unjudged if self._unsaid else self.result.agreed)[kind] += 1
            else:
                self.result.disagreements.append(Disagreement(row.line, f"{kind}{_described(row)}: {why}"))
        return self.result

    def _number(self, call: str) -> int:
        return self._numbers.setdefault(call, len(self._numbers))

    def _who(self, occupant: int) -> str:
        if occupant in (c.NOBODY, UNKNOWN):
            return "nobody" if occupant == c.NOBODY else "another call, or nobody"
        return shown([*self._numbers][occupant])

    def _limit_us(self, row: Row) -> int:
        limit_us = self.result.lots[row.lot].limit_us if row.limit_us is None else row.limit_us
        return c.NEVER if limit_us is None else limit_us

    def _overdue(self, row: Row) -> str | None:
        """Say which call should have timed out before ``row``, by more than the tolerance; each is reported once."""
        for name, lot in self._lots.items():
            while True:
                deadline_us, slot = rules.next_deadline(lot)
                if deadline_us == c.NEVER or row.time_us <= deadline_us + self._tolerance_us:
                    break
                fact = rules.decide_expiry(lot, slot, lot.occupants[slot], deadline_us, deadline_us)
                self._note_late(row, fact.call, deadline_us)
                due = f"{c.KIND_NAMES[fact.kind]} of call {self._who(fact.call)} in slot {self._label(name, slot)}"
                timers = (*lot.deadlines_us[:slot], c.NEVER, *lot.deadlines_us[slot + 1 :])
                stopped = lot._replace(deadlines_us=timers)
                self._lots[name] = rules.evolved(lot, fact) if self._corrects else stopped
                self._take(self._right(row, self._lots[row.lot]) if self._corrects else row)
                return f"the rules would have written {due} at {_seconds(deadline_us)} before it"
        return None

    def _note_late(self, row: Row, call: int, deadline_us: int) -> None:
        """Note the end of a stay that comes a little after its time-out; ``row`` is the first row after that."""
        for other in islice(self._rows, self._at, self._at + NEIGHBOURS):
            if other.kind != c.PARKED and self._number(other.call) == call and other.time_us > deadline_us:
                self._note_off(row, call, other.time_us - deadline_us, other)
                return

    def _note_off(self, row: Row, call: int, off_us: int, end: Row) -> None:
        if abs(off_us) <= STEP_US and call in self._parked_at:
            kind, exact = c.KIND_NAMES[row.kind], end.kind == c.EXPIRED
            self.result.off.append(Off(row.line, off_us, self._parked_at[call], end.line, kind, exact))

    def _label(self, name: str, slot: int) -> int:
        return self.result.lots[name].first + slot

    def _slot(self, row: Row) -> int | None:
        """Return the slot of a row, from 0; None outside the lot."""
        plan = self.result.lots[row.lot]
        return row.slot - plan.first if 0 <= row.slot - plan.first < plan.slots else None

    def _compared(self, at: int, row: Row) -> str | None:
        """Compare the row with the fact that the rules give, say how they differ, and let the row happen."""
        lot, slot = self._lots[row.lot], self._slot(row)
        if row.kind == c.REFUSED:
            return self._refused(at, row, lot)
        if slot is None:
            self._take(self._right(row, lot))
            return f"the lot has the slots {self._label(row.lot, 0)} to {self._label(row.lot, lot.slots - 1)}"
        self._remember(at, row, lot)
        why = self._parked(at, row, slot) if row.kind == c.PARKED else self._freed(row, lot, slot)
        self._take(row if why is None else self._right(row, self._lots[row.lot]))
        return why

    def _right(self, row: Row, lot: Lot) -> Row | None:
        """Return what is to happen for a row that disagrees: the row, or what the rules have instead, if anything."""
        if not self._corrects:
            return row
        call = self._number(row.call)
        if call in lot.occupants:
            return None if row.kind == c.PARKED else row._replace(slot=self._label(row.lot, lot.occupants.index(call)))
        fact = self._decided(lot, row) if row.kind == c.PARKED else None
        return row._replace(slot=self._label(row.lot, fact.slot)) if fact and fact.kind == c.PARKED else None

    def _remember(self, at: int, row: Row, lot: Lot) -> None:
        self._history = [one for one in self._history if self._rows[one[0]].time_us >= row.time_us - self._tolerance_us]
        self._history.append((at, lot))

    def _take(self, row: Row | None) -> None:
        """Let a row happen."""
        if row is not None:
            self._lots[row.lot] = self._after(self._lots[row.lot], row)

    def _after(self, lot: Lot, row: Row) -> Lot:
        """Return the lot after a row, by the rules."""
        slot, call = self._slot(row), self._number(row.call)
        if slot is None or row.kind == c.REFUSED:
            return lot
        if row.kind == c.PARKED:
            self._parked_at[call] = row.line
        limit_us = self._limit_us(row) if row.kind == c.PARKED else c.NEVER
        deadline_us = c.NEVER if limit_us == c.NEVER else row.time_us + limit_us
        fact = rules.Fact(row.time_us, deadline_us, call, lot.number, slot, c.NOBODY, row.kind, row.reason)
        return rules.evolved(lot, fact)

    def _freed(self, row: Row, lot: Lot, slot: int) -> str | None:
        """Compare a release with what the rules say: which call leaves the slot, and when."""
        call = self._number(row.call)
        found, deadline_us = lot.occupants[slot], lot.deadlines_us[slot]
        if found == call and self._earlier.get((row.lot, row.slot)) == call:
            return None  # parked before the log begins
        now_us = row.time_us
        off_us = 0 if deadline_us == c.NEVER else now_us - deadline_us
        if abs(off_us) <= self._tolerance_us:
            now_us -= off_us
        if row.kind == c.RETRIEVED:
            fact = rules.decide_unpark(lot, slot, c.NOBODY, now_us)
        elif row.kind == c.EXPIRED:
            if found == call and deadline_us == c.NEVER:
                return "this stay has no time-out"
            fact = rules.decide_expiry(lot, slot, call, deadline_us, now_us)
            if fact.kind == c.REFUSED and found == call:
                self._note_off(row, call, off_us, row)
                return f"its time is up at {_seconds(deadline_us)}, {abs(off_us) / 1e3:.1f} ms later"
        else:
            fact = rules.decide_hangup(lot, slot, now_us)
        if (fact.kind, fact.call) != (row.kind, call):
            return f"in slot {row.slot} there is {self._who(found)}"
        if row.kind == c.EXPIRED:
            self.result.in_time.append((self._parked_at.get(call, row.line), row.line))
            if abs(off_us) > abs(self.result.latest_us):
                self.result.latest_us = off_us
        return None

    def _parked(self, at: int, row: Row, slot: int) -> str | None:
        """Compare a park with the slot that the rules give; a slot whose call is just leaving is free."""
        call = self._number(row.call)
        for name, lot in self._lots.items():
            if call in lot.occupants and not self._leaves(at, row, call):
                return f"this call is parked already, in slot {self._label(name, lot.occupants.index(call))}"
        lot = self._lots[row.lot]
        given = self._gives(lot, row, slot)
        if given == SURE and lot.choice == c.CHOOSE_RANDOM and row.requested_slot == c.NOBODY:
            free = max(rules.free_slots(lot), 1)  # the slot itself may be one that the log never names
            self.draws.append((lot.occupants[:slot].count(c.NOBODY), free))
        if given < SURE:
            given = max(given, *(self._gives(one, row, slot) for one in self._possible(at, row)))
            self.result.overlaps += given == SURE
        self._unsaid = 0 < given < SURE
        if not self._let_leave(at, row, slot):
            return f"in slot {row.slot} there is {self._who(self._lots[row.lot].occupants[slot])}"
        if given:
            return None
        fact = self._decided(lot, row)
        if fact.kind == c.REFUSED:
            return "the lot is full, the rules would have refused it"
        return f"the rules would have given it slot {self._label(row.lot, fact.slot)}"

    def _decided(self, lot: Lot, row: Row) -> rules.Fact:
        first, call = self.result.lots[row.lot].first, self._number(row.call)
        requested_slot = c.NOBODY if row.requested_slot == c.NOBODY else row.requested_slot - first
        slot_u = 0
        if lot.choice == c.CHOOSE_RANDOM:
            slot_u = lot.occupants[: max(row.slot - first, 0)].count(c.NOBODY)
        return rules.decide_park(lot, call, c.NOBODY, self._limit_us(row), requested_slot, slot_u, row.time_us)

    def _gives(self, lot: Lot, row: Row, slot: int) -> int:
        """Return 2 if the rules give the slot, 1 if they may, by what the log does not say of the lot, else 0."""
        free = tuple(c.NOBODY if one == UNKNOWN else one for one in lot.occupants)
        requests = 0 <= row.requested_slot - self._label(row.lot, 0) < lot.slots
        if lot.choice == c.CHOOSE_NEXT and lot.last_slot == UNKNOWN and not requests:
            return int(free[slot] == c.NOBODY)
        taken = (*lot.occupants[:slot], free[slot], *lot.occupants[slot + 1 :])
        return sum(self._decided(lot._replace(occupants=one), row).slot == slot for one in (free, taken))

    def _near(self, at: int, row: Row) -> Iterator[int]:
        """Yield the rows after this one, of its lot and within the tolerance."""
        for after in range(at + 1, len(self._rows)):
            if self._rows[after].time_us > row.time_us + self._tolerance_us:
                return
            if self._rows[after].lot == row.lot and self._rows[after].kind != c.REFUSED and after not in self._done:
                yield after

    def _possible(self, at: int, row: Row) -> Iterator[Lot]:
        """Yield the lot as it may have been: each neighbour within the tolerance already done, or not yet."""
        before = [(i, lot) for i, lot in self._history if self._rows[i].lot == row.lot and i != at]
        near = [*(i for i, _ in before), *self._near(at, row)][-NEIGHBOURS:]
        start = next((lot for i, lot in before if i in near), self._lots[row.lot])
        for chosen in product((True, False), repeat=len(near)):
            lot = start
            for done, i in zip(chosen, near, strict=True):
                if done:
                    lot = self._after(lot, self._rows[i])
            yield lot

    def _leaves(self, at: int, row: Row, call: int) -> bool:
        """Tell whether a call is released within the tolerance after this row."""
        near = (self._rows[i] for i in self._near(at, row))
        return any(one.kind != c.PARKED and self._number(one.call) == call for one in near)

    def _let_leave(self, at: int, row: Row, slot: int) -> bool:
        """Move a release before the park that takes its slot; return whether the slot is then free."""
        found = self._lots[row.lot].occupants[slot]
        if found in (c.NOBODY, UNKNOWN):
            return True
        for i in self._near(at, row):
            other = self._rows[i]
            if other.kind != c.PARKED and other.slot == row.slot and self._number(other.call) == found:
                self._take(other)
                self._done.add(i)
                return True
        return False

    def _refused(self, at: int, row: Row, lot: Lot) -> str | None:
        """Say if the rules had a slot for a park that the PBX refused."""
        self._remember(at, row, lot)
        if full := [one for one in (lot, *self._possible(at, row)) if self._decided(one, row).kind == c.REFUSED]:
            self._unsaid = all(UNKNOWN in one.occupants for one in full)
            return None
        return f"the rules would have given it slot {self._label(row.lot, self._decided(lot, row).slot)}"


def _described(row: Row) -> str:
    where = f" in slot {row.slot}" if row.slot != c.NOBODY else ""
    return f" of call {shown(row.call)}{where} at {_seconds(row.time_us)}"


def _seconds(time_us: int) -> str:
    return f"{time_us / 1e6:.4f} s"
