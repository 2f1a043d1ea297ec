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

import hashlib
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import accumulate, combinations
from pathlib import Path
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from parksim.errors import JournalError, LogError
from parksim.journal import journal as journals
from parksim.journal.journal import Journal, is_parking
from parksim.pbx.calls import Boot, Row
from parksim.pbx.coverage import Coverage, unseen_cuts
from parksim.pbx.directed import directed
from parksim.pbx.formats import ami
from parksim.pbx.formats.entry import TELLS, Findings, Remark, shown
from parksim.pbx.formats.files import Places, Progress, Stream, streams
from parksim.pbx.formats.order import LONG_STEP_US, ORDER_US, Step, out_of_order
from parksim.pbx.formats.table import JOURNAL
from parksim.pbx.joining import joined
from parksim.pbx.parts import Part, parts_of, stays_from
from parksim.pbx.seats import has_slots, in_their_lots, seated
from parksim.pbx.sections import (
    EFFECTS,
    SETTINGS,
    STEP,
    Cut,
    Section,
    holes,
    longest_seen,
    refined_us,
    restarts,
    sections_of,
    silent,
)
from parksim.pbx.settings import Change, changes, whole_limits
from parksim.pbx.taking import Taken, later, taken, without_doubles
from parksim.rules import codes as c
from parksim.rules.lot import Fact
from parksim.scenario.model import Settings
from parksim.scenario.quantities import DAY_US

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

    ``path``: of the first file. ``remarks``: what is not as it should be, and what follows from it.
    ``rows``: facts in the order of time. ``lots``: the lots in use, in the order of first use. ``misplaced``: lines out
    of the order of time. ``begins_empty``: whether the log is known to start with empty lots. ``requests_recorded``:
    whether requests were recorded, so that refusals are known; ``calls_recorded``: whether calls that were never parked
    were recorded. ``has_slots``: whether parking events name slots; else seats stand for them. ``tells``: what the
    log's forms tell, of ``TELLS``. ``midnight_us``: when its instants begin. ``agents``: who answered calls, where
    the log names them. ``exact_us``: how exact instants are at best. ``lacking``: what to do where the log has no
    parking events. ``coverage``: of each form. ``own_slots``: by lot and parker, where each parker has a slot.
    """

    def __init__(self, path: Path, form: str, digest: str, rows: list[Row], lots: dict[str, LotPlan]) -> None:
        self.path, self.form, self.digest = path, form, digest
        self.rows, self.lots = rows, lots
        self.files = 1
        self.places: Places | None = None
        self.remarks: dict[tuple[Path, str], Remark] = {}
        self.misplaced: list[int] = []
        self.disorder_us = 0
        self.cuts: list[Cut] = []
        self.changes: list[Change] = []
        self.doubts: list[str] = []
        self.by_time = False
        self.first_us = min(row.time_us for row in rows)
        self.last_us = max(row.time_us for row in rows)
        self.begins_empty = self.requests_recorded = self.calls_recorded = False
        self.settings: Settings | None = None
        self.has_slots = True
        self.tells: frozenset[str] = frozenset(TELLS)
        self.agents: frozenset[str] = frozenset()
        self.exact_us = self.midnight_us = 0
        self.lacking = ""
        self.own_slots: dict[str, dict[str, int]] = {}
        self.coverage = Coverage((), (), self.first_us, self.last_us)

    def place(self, line: int) -> tuple[Path, int]:
        """Return the file of a line of the log, and the line in it."""
        return (self.path, line) if self.places is None else self.places.of(line)

    def remark(self, line: int, what: str, effect: str) -> None:
        """Add a remark about a line."""
        path, at = self.place(line)
        self.remarks[path, f"{at} {what}"] = Remark(path, at, what, effect)

    @cached_property
    def sections(self) -> list[Section]:
        """The stretches that are judged for themselves, in the order of time."""
        return sections_of(self.rows, self.cuts, self.first_us, self.last_us, empty=self.begins_empty)

    @property
    def covered_us(self) -> int:
        """For how long the log covers what happened."""
        return sum(section.ends_us - section.begins_us for section in self.sections)

    @cached_property
    def known_until_us(self) -> dict[str, int]:
        """Until when each call is known whose stay the log cuts off before its end."""
        known: dict[str, int] = {}
        for section in self.sections[:-1]:
            latest = {row.call: row.kind for row in section.rows if is_parking(row)}
            known |= {call: section.ends_us for call, kind in latest.items() if kind == c.PARKED}
        return known

    @property
    def cut_off(self) -> frozenset[str]:
        """Calls whose stays a restart, a hole or a step of the clock cuts off."""
        return frozenset(self.known_until_us)

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

        Its time has no gaps: a section follows at once on the one before, so that it lasts ``covered_us``.

        Raises:
            JournalError: in some slot stays overlap by more than the tolerance.
        """
        before: set[str] = set()
        for section in self.sections:
            parked = {row.call for row in section.rows if row.kind == c.PARKED}
            before |= {row.call for row in section.rows if is_parking(row) and row.call not in parked}
        measured = self._journal(self.open_calls | self.cut_off | before, closed_up=True)
        _check_turns(measured)
        return measured

    def _journal(self, left_out: frozenset[str], *, closed_up: bool = False) -> Journal:
        rows = self.rows
        if closed_up and self.cuts:
            gone_us = accumulate((cut.to_us - cut.from_us for cut in self.cuts), initial=0)
            rows = [
                row._replace(time_us=max(row.time_us, section.begins_us) - gone)
                for section, gone in zip(self.sections, gone_us, strict=True)
                for row in section.rows
            ]
        rows = untangled([row for row in rows if row.call not in left_out])
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
            if lot == c.NOBODY and (is_parking(row) or row.kind == c.REFUSED):  # of a lot that no stay is in
                continue
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
            slots=tuple(plan.slots for plan in plans) or (1,),
            choices=tuple(c.CHOOSE_LOWEST if plan.choice is None else plan.choice for plan in plans)
            or (c.CHOOSE_LOWEST,),
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
    if taken:
        raise JournalError("a call is parked again before its stay has ended")


class Reading(NamedTuple):
    """How a log is to be read.

    ``tolerance_us``: how far an instant may be off. ``zone``: of local dates. ``clock_set``: whether the clock is
    known to have been set where time goes back. ``progress``: called with the bytes read since the last call.
    ``cel_columns``: the columns of a CEL whose file does not name them.
    """

    tolerance_us: int = TOLERANCE_US
    zone: ZoneInfo | None = None
    clock_set: bool = False
    progress: Progress | None = None
    cel_columns: tuple[str, ...] = ()


def read_log(paths: str | Path | Sequence[str | Path], how: Reading | None = None) -> FieldLog:
    """Return a log; its form is detected from its content.

    Args:
        paths: one file, or the files of a rotated log in any order.
        how: what is known of its time.

    Raises:
        LogError: it cannot be read, or holds no parking event, nor tells when calls came.
    """
    how = how or Reading()
    files = [Path(paths)] if isinstance(paths, str | Path) else [Path(one) for one in paths]
    if len(files) == 1 and _is_journal(files[0]):
        return _from_journal(files[0])
    findings, places = Findings(zone=how.zone), Places()
    read = streams(files, findings, how.progress, how.cel_columns)
    midnight_us = min(stream.first_us for stream in read) // DAY_US * DAY_US
    parts = [taken(stream, places, midnight_us, how.tolerance_us) for stream in read]
    if early_us := -(min(0, *(min(part.instants) for part in parts)) // DAY_US * DAY_US):
        parts = [later(part, early_us) for part in parts]  # an instant before the first line's midnight
    forms = parts_of([(stream.reader, part.tracker, part.instants) for stream, part in zip(read, parts, strict=True)])
    rows, doubles = without_doubles(joined(forms, places), how.tolerance_us)
    slots = has_slots(rows)
    rows = in_their_lots(rows) if slots else seated(in_their_lots(rows), TOLERANCE_US)
    form = " and ".join(stream.reader.form for stream in read)
    calls_recorded = any(part.tracker.calls_recorded for part in parts)
    if not any(is_parking(row) for row in rows) and not (calls_recorded and rows):
        raise LogError(files[0], None, f"this is {form}, but without parking events", _lacking(files, read))
    if doubles:
        what = f"{len(doubles):,} parking events stand twice within the tolerance, this is the first"
        findings.add(*places.of(min(doubles)), what, "each is read once")
    if any(stream.reader.form == ami.FORM for stream in read):
        rows = whole_limits(rows, how.tolerance_us)
    digest = hashlib.sha256("".join(stream.digest for stream in read).encode()).hexdigest()
    lots = _lots(places, rows, findings)
    rows, own = directed(rows, [*lots]) if slots else (rows, {})
    log = FieldLog(files[0], form, read[0].digest if len(read) == 1 else digest, rows, lots)
    log.own_slots = own
    log.files, log.places = len(files), places
    log.by_time = len(read) > 1 or how.tolerance_us > ORDER_US
    log.midnight_us = midnight_us - early_us
    log.misplaced = [line for part in parts for line in part.misplaced]
    log.disorder_us = max(part.disorder_us for part in parts)
    log.remarks = findings.remarks
    instants = sorted(instant for part in parts for instant in part.instants)
    log.first_us, log.last_us = instants[0], instants[-1]
    parked = {row.call for row in log.parking}
    log.begins_empty = bool(findings.meta.get("lots")) and findings.listed <= parked  # else calls were parked before
    log.requests_recorded = any(part.tracker.requests_recorded for part in parts)
    log.calls_recorded = calls_recorded
    log.has_slots, log.exact_us = slots, findings.exact_us
    log.tells = frozenset().union(*(part.tells for part in forms))
    log.agents, log.lacking = frozenset(findings.agents), _lacking(files, read)
    boots = sorted((boot for part in parts for boot in part.tracker.boots), key=lambda boot: boot.time_us)
    silences = [(from_us - midnight_us, until_us - midnight_us) for from_us, until_us in findings.silences]
    foreign = any(stream.reader.form == ami.FORM for stream in read) and not any(part.steps for part in parts)
    _cut(log, parts, forms, boots, instants, how, silences if foreign else None)
    log.coverage = Coverage.of(forms, log.cuts, log.first_us, log.last_us)
    for part in log.coverage.parts:
        for gap in part.gaps:
            log.remark(gap.line, gap.why, f"for what {part.form} tells, that time is left out")
    if log.has_slots:
        _remark_overlaps(log)
    return log


def _remark_overlaps(log: FieldLog) -> None:
    """Remark lots that have slot numbers in common."""
    for one, other in combinations(log.lots.values(), 2):
        first, last = max(one.first, other.first), min(one.first + one.slots, other.first + other.slots) - 1
        if first <= last:
            line = next(row.line for row in log.rows if row.lot == other.name)
            names = " and ".join(shown(plan.name) if plan.name else "a lot without a name" for plan in (one, other))
            what = f"{names} both have slots from {first} to {last}"
            log.remark(line, what, "an event belongs to the lot that it names, or to the one without a name")


def _lacking(files: Sequence[Path], read: Sequence[Stream]) -> str:
    """Return what to do where logs have no parking events."""
    return read[0].reader.lacking.replace("{file}", files[0].name)


def _cut(
    log: FieldLog,
    parts: Sequence[Taken],
    forms: Sequence[Part],
    boots: Sequence[Boot],
    instants: list[int],
    how: Reading,
    silences: Sequence[tuple[int, int]] | None,
) -> None:
    """Cut a log where the PBX was restarted, the clock was set, lines are missing or a lot was changed.

    ``silences``: from when to when nothing at all was written, if the log has more events than its entries.
    """
    cuts = restarts(log.rows, boots, instants)
    for part in parts:
        for line, at_us, step in part.steps:
            cuts += _stepped(log, line, at_us, step, instants, how)
    first_us, last_us, limits = log.first_us, log.last_us, longest_seen(log.rows)
    written = sorted(instant for part in stays_from(forms) for instant in part.instants)
    for section in sections_of(log.rows, sorted(cuts), first_us, last_us, empty=False):
        begin, end = bisect_left(written, section.begins_us), bisect_right(written, section.ends_us)
        cuts += holes(section.rows, written[begin:end], how.tolerance_us, section.ends_us, limits)
    cuts += unseen_cuts(forms, cuts)
    for hole in (
        silent(instants, silences) if len(forms) == 1 else ()
    ):  # two files that are silent together miss nothing
        if not any(cut.from_us < hole.to_us and hole.from_us < cut.to_us for cut in cuts):
            line = next((row.line for row in log.rows if row.time_us >= hole.to_us), 0)
            cuts.append(hole._replace(line=line))
    for section in sections_of(log.rows, sorted(cuts), first_us, last_us, empty=False):
        for change in changes(section.rows, log.lots):
            if change.told:
                log.remark(change.line, str(change), "each park is judged by what it reports")
            else:
                log.changes.append(change)
                cuts.append(Cut(change.at_us, change.at_us, change.line, SETTINGS, False, str(change)))
    log.cuts = sorted(cuts)
    for cut in log.cuts:
        log.remark(cut.line, cut.why, EFFECTS[cut.kind])


def _stepped(log: FieldLog, line: int, at_us: int, step: Step, instants: list[int], how: Reading) -> Iterable[Cut]:
    """Remark a clock that was set back; yield the cut if the stays that span it cannot be judged."""
    more_us = refined_us(log.rows, at_us, how.tolerance_us)
    sure = more_us is not None and abs(more_us) <= how.tolerance_us
    back = f"{step.back_us / 1e6:,.0f} s" if step.sure or sure else f"{step.back_us / 1e6:,.3f} s or more"
    what = f"the clock goes back {back}"
    log.remark(line, what, "from there on instants are read as later by this much")
    if step.back_us >= LONG_STEP_US and not how.clock_set:
        path, at = log.place(line)
        log.doubts.append(
            f"{path}: {what} at line {at}; if these are local dates, name their zone (--zone Europe/Berlin), if the "
            "clock was set there, say so (--clock-set), and if lines are in a wrong order, sort them"
        )
    if not sure and not (step.sure and more_us is None):
        before_us = instants[max(bisect_left(instants, at_us) - 1, 0)]
        yield Cut(at_us, before_us, line, STEP, False, "stays that span a step of the clock")


def _is_journal(path: Path) -> bool:
    """Tell whether a regular file is a journal of parksim."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            begin = file.read(64)
    except OSError:
        return False
    return begin[:2] == b"PK" or begin.lstrip()[:12].startswith(b'{"journal"')


def _lots(places: Places, rows: Sequence[Row], findings: Findings) -> dict[str, LotPlan]:
    """Return the lots in use: as the recording reports them, or as wide as the slots seen.

    Raises:
        LogError: a lot has more than ``MOST_SLOTS``.
    """
    seen: dict[str, list[int]] = {}
    for row in rows:
        if row.lot or row.slot != c.NOBODY:
            seen.setdefault(row.lot, []).extend([row.slot] if row.slot != c.NOBODY else [])
    ranges = findings.meta.get("lots")
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
        lowest, highest = min([first, *slots]), max([last, *slots])
        if highest - lowest >= MOST_SLOTS:
            wrong = highest if highest - first >= MOST_SLOTS else lowest
            line = next((row.line for row in rows if (row.lot, row.slot) == (name, wrong)), rows[0].line)
            rule = f"the slots of the lot go from {lowest} to {highest}, which are more than {MOST_SLOTS:,}"
            raise LogError(*places.of(line), rule, "look for a wrong slot number")
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
    log = FieldLog(path, JOURNAL, "", sorted(rows, key=lambda row: row.time_us), lots)
    instants = [row.time_us for row in rows]
    log.misplaced = [rows[i].line for i in out_of_order(instants, 0)]
    log.begins_empty = log.requests_recorded = log.calls_recorded = True
    log.settings = settings
    return log
