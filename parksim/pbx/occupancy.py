"""Whether a PBX follows the rules, as far as a log without slots tells: how many are parked, when stays end, and how.

The slots of such a log are seats (``seats``), so they are not judged. Judged are: a park only while fewer calls are
parked than there are slots, a refusal only while all slots are taken, a time-out at its deadline, and an end only of a
call that is parked. The rules are those of ``rules.lot``: the lot has as many slots as are stated, or as the log shows.

How many slots there are, if nobody says, is the number with which fewest rows disagree: the most calls that were parked
together, or as many as were parked when a park was refused.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from parksim.journal.journal import is_parking
from parksim.pbx.agreement import Agreement, Disagreement, Off
from parksim.pbx.calls import Row
from parksim.pbx.conformance import NEIGHBOURS, STEP_US, then, timed_out_us, with_limit
from parksim.pbx.doubts import with_doubts
from parksim.pbx.formats.entry import shown
from parksim.pbx.log import FieldLog, LotPlan
from parksim.pbx.sections import Section
from parksim.pbx.settings import SLOTS
from parksim.rules import codes as c
from parksim.rules import lot as rules

MOST_TRIED: Final = 12
"""Numbers of slots that are tried, those of the most refusals first."""


def compare_without_slots(
    log: FieldLog, tolerance_us: int, slots: int | None = None, limit_us: int | None = None
) -> Agreement:
    """Return what the rules say about the parking events of a log that names no slots.

    Args:
        log: a log of which ``has_slots`` is false.
        tolerance_us: how far an instant may be off; at least what the log's instants are exact to.
        slots: how many slots each lot has, if that is known.
        limit_us: the longest stay in each lot, NEVER for none.
    """
    tolerance_us = max(tolerance_us, log.exact_us)
    inferred: list[str] = []
    result = Agreement(tolerance_us, {})
    for name, plan in log.lots.items():
        limited = with_limit(log, plan, limit_us, inferred)
        own_us = _own_limits(log, limited, tolerance_us, inferred)
        told = [
            _told(log, section, then(limited, log.changes, section), own_us, empty=section.empty)
            for section in log.sections
        ]
        counts, number = _best(told, limited, tolerance_us, slots, inferred)
        result.lots[name] = limited._replace(slots=number, choice=c.CHOOSE_LOWEST, reported=slots is not None)
        for count in counts:
            result.add(count.result)
    result.inferred = inferred
    with_doubts(result, log, replace(result, disagreements=[*result.disagreements]))
    if not result.rows:
        result.doubts.append(f"it has no parking events; {log.lacking}")
    return result


class _Told(NamedTuple):
    """What a comparison gets of a lot in a section: its rows, its time-outs, and how many slots it had then.

    ``limits_us``: that of the lot, NEVER for none, and those that single parks have of their own. ``slots``: None
    where the log does not show that their number changed. ``known_from_us``: from when on every parked call is known.
    """

    rows: Sequence[Row]
    limits_us: tuple[int, ...]
    slots: int | None
    known_from_us: int


def _told(log: FieldLog, section: Section, plan: LotPlan, own_us: tuple[int, ...], *, empty: bool) -> _Told:
    rows = [row for row in section.rows if row.lot == plan.name and (is_parking(row) or row.kind == c.REFUSED)]
    main_us = c.NEVER if plan.limit_us is None else plan.limit_us
    limits_us = (main_us, *(one for one in own_us if one != main_us))
    changed = any(change.lot == plan.name and change.what == SLOTS for change in log.changes)
    known_from_us = section.ends_us + 1 if main_us == c.NEVER else section.begins_us + max(limits_us)
    return _Told(rows, limits_us, plan.slots if changed else None, section.begins_us if empty else known_from_us)


def _own_limits(log: FieldLog, plan: LotPlan, tolerance_us: int, inferred: list[str]) -> tuple[int, ...]:
    """Return the time-outs that single parks have of their own: whole seconds that were seen twice."""
    main = c.NEVER if plan.limit_us is None else plan.limit_us
    ended = Counter(
        seconds
        for us in timed_out_us(log, plan.name)
        if abs(us - (seconds := round(us / 1e6)) * 1_000_000) <= tolerance_us
    )
    at_main = ended[round(main / 1e6)]
    own = sorted(one for one, times in ended.items() if 2 <= times <= at_main and one * 1_000_000 != main)
    if own:
        shares = ", ".join(f"{one} s ({ended[one]})" for one in own)
        inferred.append(f"{_lot(plan)}: time-outs of single parks, which the log does not tell: {shares}")
    return tuple(one * 1_000_000 for one in own)


def _lot(plan: LotPlan) -> str:
    return f"lot {shown(plan.name)}" if plan.name else "the lot"


def _best(
    told: Sequence[_Told], plan: LotPlan, tolerance_us: int, slots: int | None, inferred: list[str]
) -> "tuple[list[_Count], int]":
    """Return the comparison of each section, and the number of slots: as stated, or with fewest disagreements."""

    def counted(number: int) -> list[_Count]:
        return [_Count(one, one.slots or number if slots is None else slots, tolerance_us).go() for one in told]

    if slots is not None:
        return counted(slots), slots
    tried = {max(plan.slots, 1): counted(max(plan.slots, 1))}
    at_refusals: Counter[int] = sum((count.at_refusals for count in tried[max(plan.slots, 1)]), Counter())
    for number, _ in at_refusals.most_common(MOST_TRIED):
        if 0 < number < plan.slots:
            tried[number] = counted(number)
    best = min(tried, key=lambda one: (sum(len(count.result.disagreements) for count in tried[one]), -one))
    refusals = at_refusals[best]
    why = f", as {refusals:,} refused parks show" if refusals else ", the most calls parked together; there may be more"
    inferred.append(f"{_lot(plan)}: {best} slots{why} (--slots)")
    return tried[best], best


class _Count:
    """Goes through the rows of a lot in a section with a number of slots; after a disagreement the log is believed."""

    def __init__(self, told: _Told, slots: int, tolerance_us: int) -> None:
        self.result = Agreement(tolerance_us, {})
        self.at_refusals: Counter[int] = Counter()
        """How many calls were parked at each refusal."""
        self._slots, self._tolerance_us = slots, tolerance_us
        self._rows, self._limits_us, self._known_from_us = told.rows, told.limits_us, told.known_from_us
        self._before = _before(told.rows)
        self._calls: dict[str, Row | None] = dict.fromkeys(self._before)
        """The park of each parked call; None for one that was there before the log."""
        self._late: set[str] = set()
        """Calls that should have timed out, each of which is reported once."""
        self._parked_once: set[str] = set()
        self._done: set[int] = set()
        self._at = 0

    def go(self) -> "_Count":
        """Compare all rows."""
        for at, row in enumerate(self._rows):
            kind = c.KIND_NAMES[row.kind]
            self.result.rows[kind] += 1
            unsaid = row.kind != c.PARKED and row.call in self._before
            self._at = at
            why = None if at in self._done else self._compared(at, row)
            if row.kind == c.REFUSED and why is not None and row.time_us < self._known_from_us:
                why, unsaid = None, True  # calls parked before the log may have been there
            if why is not None:
                where = f"{kind} of call {shown(row.call)} at {row.time_us / 1e6:.4f} s"
                self.result.disagreements.append(Disagreement(row.line, f"{where}: {why}"))
            else:
                (self.result.unjudged if unsaid else self.result.agreed)[kind] += 1
        return self

    def _compared(self, at: int, row: Row) -> str | None:
        """Say how a row differs from what the rules would have written, and let it happen."""
        overdue = self._overdue(row)
        if row.kind == c.PARKED:
            why = self._parked(at, row)
        elif row.kind == c.REFUSED:
            why = self._refused(at, row)
        else:
            why = self._left(row)
        return overdue or why

    def _overdue(self, row: Row) -> str | None:
        """Say which call should have timed out before a row; each is reported once.

        Where single parks have time-outs of their own, nobody knows whose is the longer one.
        """
        limit_us = self._limits_us[0]
        if len(self._limits_us) > 1 or limit_us == c.NEVER:
            return None
        for call, park in self._calls.items():
            if park is None or call in self._late or call == row.call:
                continue
            due_us = park.time_us + limit_us
            if row.time_us > due_us + self._tolerance_us:
                self._late.add(call)
                later = self._rows[self._at + 1 : self._at + NEIGHBOURS]
                end = next((one for one in later if one.call == call and one.kind != c.PARKED), None)
                if end is not None:
                    self._note_off(row, park, end.time_us - due_us, end)
                due = f"EXPIRED of call {shown(call)} at {due_us / 1e6:.4f} s"
                return f"the rules would have written {due} before it"
        return None

    def _lot(self, taken: int) -> rules.Lot:
        """Return a lot of which some slots are taken, for the rules."""
        occupants = tuple(place if place < taken else c.NOBODY for place in range(self._slots))
        return rules.empty_lot(self._slots, c.CHOOSE_LOWEST)._replace(occupants=occupants)

    def _is_full(self, taken: int, now_us: int) -> bool:
        fact = rules.decide_park(self._lot(taken), self._slots, c.NOBODY, c.NEVER, c.NOBODY, 0, now_us)
        return fact.kind == c.REFUSED

    def _parked(self, at: int, row: Row) -> str | None:
        if row.call in self._calls:
            return "this call is parked already"
        for after in self._near(at, row):
            if not self._is_full(len(self._calls), row.time_us):
                break
            other = self._rows[after]
            if is_parking(other) and other.kind != c.PARKED and other.call in self._calls:
                self._left(other)
                self._done.add(after)
                self.result.overlaps += 1
        full, taken = self._is_full(len(self._calls), row.time_us), len(self._calls) + 1
        self._calls[row.call] = row
        self._parked_once.add(row.call)
        return f"{taken} calls are parked in {self._slots} slots, the rules would have refused it" if full else None

    def _near(self, at: int, row: Row) -> Iterable[int]:
        """Yield the rows after one and within the tolerance that have not happened yet."""
        for after in range(at + 1, len(self._rows)):
            if self._rows[after].time_us > row.time_us + self._tolerance_us:
                return
            if after not in self._done:
                yield after

    def _refused(self, at: int, row: Row) -> str | None:
        """Say if there was a slot at a refusal, and within the tolerance of it all the time."""
        taken = most = len(self._calls)
        for before in range(at - 1, -1, -1):
            other = self._rows[before]
            if other.time_us < row.time_us - self._tolerance_us:
                break
            taken += 0 if other.kind == c.REFUSED else -1 if other.kind == c.PARKED else 1
            most = max(most, taken)
        taken = len(self._calls)
        for after in self._near(at, row):
            other = self._rows[after]
            taken += 0 if other.kind == c.REFUSED else 1 if other.kind == c.PARKED else -1
            most = max(most, taken)
        self.at_refusals[len(self._calls)] += 1
        if self._is_full(most, row.time_us):
            self.result.overlaps += not self._is_full(len(self._calls), row.time_us)
            return None
        return f"{len(self._calls)} of {self._slots} slots are taken, the rules would have given it one"

    def _left(self, row: Row) -> str | None:
        """Compare the end of a stay with what the rules say: of a call that is there, and when."""
        if row.call not in self._calls:
            known = "it has left already" if row.call in self._parked_once else "it is not parked"
            return f"{known}, the rules have nobody to end there"
        park = self._calls.pop(row.call)
        if park is None:
            self._before.discard(row.call)
            return None
        if row.kind == c.EXPIRED:
            return self._expired(park, row)
        limit_us = self._limits_us[0]
        alone = len(self._limits_us) == 1 and limit_us != c.NEVER and row.call not in self._late
        due_us = park.time_us + limit_us
        if alone and row.time_us > due_us + self._tolerance_us:
            self._note_off(row, park, row.time_us - due_us, row)
            return f"the rules would have written its EXPIRED at {due_us / 1e6:.4f} s before it"
        return None

    def _note_off(self, row: Row, park: Row, off_us: int, end: Row) -> None:
        """Note a stay that ended off its time-out; ``row`` is the one that disagrees."""
        if abs(off_us) <= STEP_US:
            kind, exact = c.KIND_NAMES[row.kind], end.kind == c.EXPIRED
            self.result.off.append(Off(row.line, off_us, park.line, end.line, kind, exact))

    def _expired(self, park: Row, row: Row) -> str | None:
        """Compare a stay that timed out with the time-outs there are."""
        if self._limits_us[0] == c.NEVER:
            return "this stay has no time-out"
        stay_us = row.time_us - park.time_us
        off_us = min((stay_us - limit_us for limit_us in self._limits_us), key=abs)
        if abs(off_us) > self._tolerance_us:
            limits = ", ".join(f"{one / 1e6:g} s" for one in self._limits_us)
            if row.call not in self._late:
                self._note_off(row, park, off_us, row)
            return f"it timed out after {stay_us / 1e6:.4f} s, and the time-out is {limits}"
        self.result.in_time.append((park.line, row.line))
        self.result.latest_us = max(self.result.latest_us, off_us, key=abs)
        return None


def _before(rows: Sequence[Row]) -> set[str]:
    """Return the calls that were parked before the log: the first that it has of them is the end of a stay."""
    first: dict[str, int] = {}
    for row in rows:
        if row.kind != c.REFUSED:
            first.setdefault(row.call, row.kind)
    parks: defaultdict[str, int] = defaultdict(int)
    for row in rows:
        parks[row.call] += 1 if row.kind == c.PARKED else -1 if row.kind != c.REFUSED else 0
    return {call for call, kind in first.items() if kind != c.PARKED and parks[call] < 0}
