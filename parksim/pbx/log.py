"""Logs of a real PBX: calls and lots as Asterisk's manager events or a CSV report them, turned into a journal.

``read_log`` returns a ``FieldLog``: its ``rows`` are facts, each with its line; its ``journal`` holds the same facts in
the form of every other journal, so that the same measures are computed from it. ParkedCall, UnParkedCall,
ParkedCallTimeOut and ParkedCallGiveUp are PARKED, RETRIEVED, EXPIRED and ABANDONED; around them the calls' own events
(DialBegin, DialEnd, BridgeEnter, Hangup), if recorded, say when a call came, was answered and ended, and how its
return was taken.

What a log does not say is not made up. AMI has no event for a refused park, which is known only if the request was
recorded (a ``cmd`` line without a ParkedCall within a second, or the recorder's remark). How many attendants there are
and who waited in a queue is never known. A call of which only the parking is known is offered and answered at its park.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple

from parksim.errors import JournalError, LogError
from parksim.journal import journal as journals
from parksim.journal.journal import Journal, is_parking
from parksim.pbx import formats
from parksim.pbx.calls import AmiTracker, CsvTracker, Row
from parksim.rules import codes as c
from parksim.rules.lot import Fact
from parksim.scenario.model import Settings

TOLERANCE_US: Final = 5_000
"""How exact an event's instant is: a retrieval frees its slot up to 4 ms before its UnParkedCall."""
MOST_SLOTS: Final = 10_000
"""The most slots that a scenario's lot may have."""


class LotPlan(NamedTuple):
    """A lot as the log reports it, None for what it does not say; ``reported``: not inferred from the slots seen."""

    name: str
    first: int
    slots: int
    limit_us: int | None
    choice: int | None
    reported: bool


LOT_HEADER: Final = ("name", "first", "slots", "limit_us", "choice", "told")
"""A ``LotPlan`` as journals spell it."""


class FieldLog:
    """A log, read.

    ``rows``: facts in the order of time. ``lots``: the lots in use, in the order of first use. ``misplaced``: lines out
    of the order of time. ``begins_empty``: whether the log is known to start with empty lots. ``requests_recorded``:
    whether requests were recorded, so that refusals are known; ``calls_recorded``: whether calls that were never parked
    were recorded.
    """

    def __init__(self, path: Path, form: str, digest: str, rows: list[Row], lots: dict[str, LotPlan]) -> None:
        self.path, self.form, self.digest = path, form, digest
        self.rows, self.lots = rows, lots
        self.misplaced: list[int] = []
        self.first_us = min(row.time_us for row in rows)
        self.last_us = max(row.time_us for row in rows)
        self.begins_empty = self.requests_recorded = self.calls_recorded = False
        self.settings: Settings | None = None

    @cached_property
    def open_calls(self) -> frozenset[str]:
        """Calls still parked at the end of the log."""
        latest = {row.call: row.kind for row in self.parking}
        return frozenset(call for call, kind in latest.items() if kind == c.PARKED)

    @cached_property
    def parking(self) -> list[Row]:
        """The rows at which a slot is taken or becomes free."""
        return [row for row in self.rows if is_parking(row)]

    @cached_property
    def journal(self) -> Journal:
        """All rows as a journal, with calls numbered as they are offered; the header names the source."""
        return self._journal(frozenset())

    @cached_property
    def measured(self) -> Journal:
        """The journal of the calls whose stays are known from start to end: what measures can count.

        Raises:
            JournalError: in some slot stays overlap by more than the tolerance.
        """
        known = {row.call for row in self.rows if row.kind == c.PARKED}
        before = {row.call for row in self.parking if row.kind != c.PARKED and row.call not in known}
        measured = self._journal(self.open_calls | before)
        _check_turns(measured)
        return measured

    def _journal(self, left_out: frozenset[str]) -> Journal:
        rows = untangled([row for row in self.rows if row.call not in left_out])
        offered = [row.call for row in rows if row.kind == c.OFFERED]
        numbers = {call: number for number, call in enumerate(offered)}
        parkers = _names(row for row in rows if row.kind not in (c.RETRIEVED, c.ENDED))
        fetchers = _names(row for row in rows if row.kind == c.RETRIEVED)
        extensions = {name: number for number, name in enumerate(parkers)}
        staff = {name: len(parkers) + number for number, name in enumerate(fetchers)}
        lots = {name: number for number, name in enumerate(self.lots)}
        facts = []
        for row in rows:
            if row.call not in numbers:  # a stay that began before the log
                continue
            limited = row.kind == c.PARKED and row.limit_us not in (None, c.NEVER)
            deadline_us = row.time_us + (row.limit_us or 0) if limited else c.NEVER
            lot = lots.get(row.lot, c.NOBODY)
            slot = c.NOBODY if c.NOBODY in (lot, row.slot) else row.slot - self.lots[row.lot].first
            who = (staff if row.kind == c.RETRIEVED else extensions).get(row.extension, c.NOBODY)
            facts.append(Fact(row.time_us, deadline_us, numbers[row.call], lot, slot, who, row.kind, row.reason))
        header = {
            "name": self.path.name,
            "engine": "recorded",
            "form": self.form,
            "log_digest": self.digest,
            "lots": [dict(zip(LOT_HEADER, plan, strict=True)) for plan in self.lots.values()],
            "extensions": [*parkers, *fetchers],
            "settings": self.effective_settings.stated(),
        }
        return Journal.of(facts, header)

    @property
    def effective_settings(self) -> Settings:
        """Settings as far as the log says: the lots as they are, attendants and staff unknown (unlimited)."""
        if self.settings is not None:
            return self.settings
        plans = self.lots.values()
        parks = Counter(row.call for row in self.rows if row.kind == c.PARKED)
        return Settings(
            attendants=c.NEVER,
            staff=c.NEVER,
            queue_limit=c.NEVER,
            max_parks=max(parks.values(), default=1),
            announcement_us=0,
            when_full=c.FULL_KEEP,
            retries=0,
            retry_after_us=c.NEVER,
            recall_to=c.TO_PARKER,
            ring_us=c.NEVER,
            attempts=1,
            busy=c.BUSY_DROP,
            unanswered=c.UNANSWERED_DROP,
            slots=tuple(plan.slots for plan in plans),
            choices=tuple(c.CHOOSE_LOWEST if plan.choice is None else plan.choice for plan in plans),
        )


def _names(rows: Iterable[Row]) -> list[str]:
    """Return the extensions that rows name, in the order of appearance, as many as a journal can hold."""
    return list(dict.fromkeys(row.extension for row in rows if row.extension))[:16_000]


def untangled(rows: list[Row]) -> list[Row]:
    """Return rows in the order of time, with a release before the park that follows it in the slot.

    A PBX writes UnParkedCall when the caller has left, some ms after the slot was reused: if a ParkedCall comes between
    them, the release is moved before it, to its instant.
    """
    result: list[Row] = []
    taken: dict[tuple[str, int], str] = {}
    early: set[int] = set()
    for at, row in enumerate(rows):
        if at in early:
            continue
        if is_parking(row):
            place = (row.lot, row.slot)
            if row.kind == c.PARKED and place in taken:
                for later in range(at + 1, len(rows)):
                    other = rows[later]
                    if other.time_us > row.time_us + TOLERANCE_US:
                        break
                    if is_parking(other) and (other.lot, other.slot, other.call) == (*place, taken[place]):
                        early.add(later)
                        result.append(other._replace(time_us=row.time_us))
                        break
            if row.kind == c.PARKED:
                taken[place] = row.call
            else:
                taken.pop(place, None)
        result.append(row)
    return result


def _check_turns(journal: Journal) -> None:
    """Reject a journal in which a slot is not taken and freed in turn."""
    taken: set[tuple[int, int]] = set()
    for fact in journal.facts():
        if is_parking(fact):
            place = (fact.lot, fact.slot)
            if (fact.kind == c.PARKED) == (place in taken):
                raise JournalError("in some slot stays overlap, or end that never began")
            (taken.add if fact.kind == c.PARKED else taken.discard)(place)


def read_log(path: str | Path) -> FieldLog:
    """Return a log; its form, one of the four in ``formats``, is detected from its content.

    Raises:
        LogError: it cannot be read, or holds no parking event.
    """
    path = Path(path)
    content = formats.content_of(path)
    if content[:2] == b"PK" or content.lstrip()[:12].startswith(b'{"journal"'):
        return _from_journal(path)
    read = formats.read_entries(path, content)
    tracker = CsvTracker(path) if read.form == formats.CSV else AmiTracker(path, read.entries)
    for entry in read.entries:
        tracker.take(entry)
    tracker.close(read.last_us)
    rows = sorted(tracker.rows, key=lambda row: row.time_us)
    if not any(is_parking(row) for row in rows):
        rule = f"this is {read.form}, but without parking events"
        raise LogError(path, None, rule, "record ParkedCall and its kin")
    log = FieldLog(path, read.form, read.digest, rows, _lots(path, rows, read.meta))
    log.misplaced = read.misplaced
    log.first_us = min(entry.time_us for entry in read.entries)
    log.last_us = read.last_us
    parked = {row.call for row in log.parking}
    snapshots = (entry.fields.get("slots", "") for entry in read.entries if entry.fields.get("kind") == "snapshot")
    listed = {call for slots in snapshots for call in re.findall(r': *"([^"]+)"', slots)}
    log.begins_empty = bool(read.meta.get("lots")) and listed <= parked  # else calls were parked before
    log.requests_recorded, log.calls_recorded = tracker.requests_recorded, tracker.calls_recorded
    return log


def _lots(path: Path, rows: Sequence[Row], meta: Mapping[str, Any]) -> dict[str, LotPlan]:
    """Return the lots in use: as the recording reports them, or as wide as the slots seen.

    Raises:
        LogError: a lot has more than ``MOST_SLOTS``.
    """
    seen: dict[str, list[int]] = {}
    for row in rows:
        if row.lot or row.slot != c.NOBODY:
            seen.setdefault(row.lot, []).extend([row.slot] if row.slot != c.NOBODY else [])
    ranges = meta.get("lots")
    plans: dict[str, LotPlan] = {}
    for name, slots in seen.items():
        says = ranges.get(name) if isinstance(ranges, Mapping) else None
        try:
            first, last = int(says["first"]), int(says["last"])  # type: ignore[index]  # not reported: TypeError
            limit_s = float(says["parkingtime"])  # type: ignore[index]  # the same
            limit_us: int | None = round(limit_s * 1e6) or c.NEVER
            reported = last >= first and limit_s >= 0
        except (KeyError, TypeError, ValueError, OverflowError):
            reported = False
        if not reported and not slots:
            continue
        if not reported:
            first, last, limit_us = min(slots), max(slots), None
        if last - first >= MOST_SLOTS:
            line = next((row.line for row in rows if row.lot == name and row.slot == last), None)
            rule = f"the slots of the lot go from {first} to {last}, which are more than {MOST_SLOTS:,}"
            raise LogError(path, line, rule, "look for a wrong slot number")
        plans[name] = LotPlan(name, first, last - first + 1, limit_us, None, reported)
    return plans


def _from_journal(path: Path) -> FieldLog:
    """Read a journal of parksim like a PBX's log: its header has the lots' settings, slots count from 0."""
    journal = journals.Journal.load(path)
    settings = journal.settings
    names = [str(number) for number in range(len(settings.slots))]
    rows = []
    for line, fact in enumerate(journal.facts(), 2):
        now_us, deadline_us, call, lot, slot, who, kind, reason = fact
        in_lot = names[lot] if 0 <= lot < len(names) else ""
        extension = "" if who == c.NOBODY else str(who)
        limit_us = c.NEVER if deadline_us == c.NEVER else deadline_us - now_us
        limit = limit_us if kind == c.PARKED else None
        rows.append(Row(line, now_us, kind, reason, str(call), in_lot, slot, extension, limit))
    if not any(is_parking(row) for row in rows):
        raise LogError(path, None, "this journal holds no parking event", "write one of a scenario that parks calls")
    lots = {
        name: LotPlan(name, 0, slots, None, choice, reported=True)
        for name, slots, choice in zip(names, settings.slots, settings.choices, strict=True)
    }
    log = FieldLog(path, formats.JOURNAL, "", sorted(rows, key=lambda row: row.time_us), lots)
    instants = [row.time_us for row in rows]
    log.misplaced = [rows[i].line for i in formats.out_of_order(instants, 0)]
    log.begins_empty = log.requests_recorded = log.calls_recorded = True
    log.settings = settings
    return log
