"""Whether a PBX follows the rules, as far as a log without slots tells: how many are parked, when stays end, and how.

The slots of such a log are seats (``seats``), so they are not judged. Judged are: a park only while fewer calls are
parked than there are slots, a refusal only while all slots are taken, a time-out at its deadline, and an end only of a
call that is parked. The rules are those of ``rules.lot``: the lot has as many slots as are stated, or as the log shows.

How many slots there are, if nobody says, is the number with which fewest rows disagree: the most calls that were parked
together, or as many as were parked when a park was refused.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from parksim.journal.journal import is_parking
from parksim.pbx.calls import Row, shown
from parksim.pbx.conformance import Agreement, Disagreement, with_limit
from parksim.pbx.log import FieldLog, LotPlan
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
        rows = [row for row in log.rows if row.lot == name and (is_parking(row) or row.kind == c.REFUSED)]
        limited = with_limit(log, plan, limit_us, inferred)
        walk = _best(log, rows, limited, tolerance_us, slots, inferred)
        result.lots[name] = limited._replace(slots=walk.slots, choice=c.CHOOSE_LOWEST, reported=slots is not None)
        result.disagreements += walk.disagreements
        for mine, found in ((result.rows, walk.rows), (result.agreed, walk.agreed), (result.unjudged, walk.unjudged)):
            mine.update(found)
        result.latest_us = max(result.latest_us, walk.latest_us, key=abs)
        result.overlaps += walk.overlaps
    result.inferred = inferred
    reason = "its instant does not fit the order of the lines around it: time goes back there"
    result.disagreements.extend(Disagreement(line, reason) for line in log.misplaced)
    return result


def _best(
    log: FieldLog, rows: Sequence[Row], plan: LotPlan, tolerance_us: int, slots: int | None, inferred: list[str]
) -> "_Count":
    """Return the comparison with the number of slots with which fewest rows disagree, or with the one that is stated."""
    if slots is not None:
        return _Count(log, rows, plan, slots, tolerance_us).go()
    most = _Count(log, rows, plan, max(plan.slots, 1), tolerance_us).go()
    tried = [most]
    for number, _ in most.at_refusals.most_common(MOST_TRIED):
        if 0 < number < most.slots:
            tried.append(_Count(log, rows, plan, number, tolerance_us).go())
    best = min(tried, key=lambda one: (len(one.disagreements), -one.slots))
    where = f"lot {shown(plan.name)}" if plan.name else "the lot"
    refused = f", as {best.at_refusals[best.slots]:,} refused parks show" if best.at_refusals[best.slots] else ""
    why = refused or ", the most calls that were parked together; there may be more"
    inferred.append(f"{where}: {best.slots} slots{why} (--slots)")
    return best


class _Count:
    """Goes through the rows of one lot with a number of slots; after a disagreement the log is believed."""

    def __init__(self, log: FieldLog, rows: Sequence[Row], plan: LotPlan, slots: int, tolerance_us: int) -> None:
        self.slots = slots
        self.disagreements: list[Disagreement] = []
        self.rows: Counter[str] = Counter()
        self.agreed: Counter[str] = Counter()
        self.unjudged: Counter[str] = Counter()
        self.at_refusals: Counter[int] = Counter()
        self.latest_us = self.overlaps = 0
        self._rows = rows
        self._tolerance_us = tolerance_us
        self._limit_us = c.NEVER if plan.limit_us is None else plan.limit_us
        self._calls: dict[str, int] = {}
        """By parked call its deadline, ``NEVER`` for none or for one that is not known."""
        self._before = _before(rows)
        self._calls |= dict.fromkeys(self._before, c.NEVER)
        self._parked_once: set[str] = set()
        self._done: set[int] = set()
        self._known_from_us = log.first_us + self._limit_us
        if log.begins_empty:
            self._known_from_us = log.first_us
        elif self._limit_us == c.NEVER:
            self._known_from_us = log.last_us + 1

    def go(self) -> "_Count":
        """Compare all rows."""
        for at, row in enumerate(self._rows):
            kind = c.KIND_NAMES[row.kind]
            self.rows[kind] += 1
            unsaid = row.kind != c.PARKED and row.call in self._before
            why = None if at in self._done else self._compared(at, row)
            if row.kind == c.REFUSED and why is not None and row.time_us < self._known_from_us:
                why, unsaid = None, True  # calls parked before the log may have been there
            if why is not None:
                where = f"{kind} of call {shown(row.call)} at {row.time_us / 1e6:.4f} s"
                self.disagreements.append(Disagreement(row.line, f"{where}: {why}"))
            else:
                (self.unjudged if unsaid else self.agreed)[kind] += 1
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
        """Say which call should have timed out before a row; each is reported once."""
        for call, deadline_us in self._calls.items():
            if deadline_us != c.NEVER and row.time_us > deadline_us + self._tolerance_us and call != row.call:
                self._calls[call] = c.NEVER
                due = f"EXPIRED of call {shown(call)} at {deadline_us / 1e6:.4f} s"
                return f"the rules would have written {due} before it"
        return None

    def _lot(self, taken: int) -> rules.Lot:
        """Return a lot of which some slots are taken, for the rules."""
        occupants = tuple(place if place < taken else c.NOBODY for place in range(self.slots))
        return rules.empty_lot(self.slots, c.CHOOSE_LOWEST)._replace(occupants=occupants)

    def _is_full(self, taken: int, now_us: int) -> bool:
        fact = rules.decide_park(self._lot(taken), self.slots, c.NOBODY, c.NEVER, c.NOBODY, 0, now_us)
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
                self.overlaps += 1
        full, taken = self._is_full(len(self._calls), row.time_us), len(self._calls) + 1
        self._calls[row.call] = c.NEVER if self._limit_us == c.NEVER else row.time_us + self._limit_us
        self._parked_once.add(row.call)
        return f"{taken} calls are parked in {self.slots} slots, the rules would have refused it" if full else None

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
            self.overlaps += not self._is_full(len(self._calls), row.time_us)
            return None
        return f"{len(self._calls)} of {self.slots} slots are taken, the rules would have given it one"

    def _left(self, row: Row) -> str | None:
        """Compare the end of a stay with what the rules say: of a call that is there, and when."""
        if row.call not in self._calls:
            known = "it has left already" if row.call in self._parked_once else "it is not parked"
            return f"{known}, the rules have nobody to end there"
        deadline_us = self._calls.pop(row.call)
        if row.call in self._before:
            self._before.discard(row.call)
            return None
        off_us = row.time_us - deadline_us
        if row.kind == c.EXPIRED and deadline_us == c.NEVER:
            return None if self._limit_us != c.NEVER else "this stay has no time-out"
        if row.kind == c.EXPIRED and abs(off_us) > self._tolerance_us:
            return f"its time is up at {deadline_us / 1e6:.4f} s, {abs(off_us) / 1e3:.1f} ms {'before' if off_us > 0 else 'later'}"
        if row.kind == c.EXPIRED:
            self.latest_us = max(self.latest_us, off_us, key=abs)
        elif deadline_us != c.NEVER and off_us > self._tolerance_us:
            return f"the rules would have written its EXPIRED at {deadline_us / 1e6:.4f} s before it"
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
