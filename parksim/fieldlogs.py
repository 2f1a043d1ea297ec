"""Logs of a real PBX: what Asterisk's manager events, or a CSV, tell of calls and of the lot, as a journal.

``read_log`` gives a ``FieldLog``: its ``rows`` are facts with the line on which each stands, its ``journal`` is theirs
in the form of every other journal, so that the same measures are computed from it. ParkedCall, UnParkedCall,
ParkedCallTimeOut and ParkedCallGiveUp are PARKED, RETRIEVED, EXPIRED and ABANDONED; around them the calls' own events
(DialBegin, DialEnd, BridgeEnter, Hangup) tell, where they were recorded, when a call came, was answered and ended, and
how its return was taken.

What a log cannot tell is not made up: a refused park is silent in AMI, and known only where the request was recorded
(a ``cmd`` line without a ParkedCall within a second, or the recorder's remark); how many attendants there are, and
who waited in a queue, is never known. A call of which only the parking is known is offered and answered at its park.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple

from parksim import journal as journals
from parksim import logforms
from parksim.journal import Journal, JournalError
from parksim.logforms import Entry, LogError
from parksim.rules import codes, life
from parksim.rules.codes import (
    ABANDONED,
    AFTER_RETRIEVAL,
    ANSWERED,
    BUSY,
    ENDED,
    EXPIRED,
    IN_LOT,
    LAST,
    LOST,
    LOT_FULL,
    NEVER,
    NO_REASON,
    NOBODY,
    OFFERED,
    PARKED,
    RECALL_ANSWERED,
    RECALL_RINGING,
    RECALL_UNANSWERED,
    REFUSED,
    RETRIEVED,
    RETURNING,
    RINGING,
    TALKED,
    UNANSWERED,
    WAITING,
)
from parksim.rules.lot import Fact
from parksim.scenario import Settings

TOLERANCE_US: Final = 5_000
"""A PBX's events tell an instant this well: a retrieval frees its slot up to 4 ms before UnParkedCall shows."""
ASKED_US: Final = 1_000_000
"""A park request without a ParkedCall for so long was refused."""
AT_ONCE_US: Final = 20_000
"""A return whose first ring begins so soon after the time-out rang at once."""

PARKING: Final = {
    "ParkedCall": PARKED,
    "UnParkedCall": RETRIEVED,
    "ParkedCallTimeOut": EXPIRED,
    "ParkedCallGiveUp": ABANDONED,
}
"""AMI's parking events and the facts they are."""
CSV_EVENTS: Final = {
    "offered": OFFERED,
    "arrived": OFFERED,
    "answered": ANSWERED,
    "refused": REFUSED,
    "blocked": REFUSED,
    "parked": PARKED,
    "park": PARKED,
    "parkedcall": PARKED,
    "retrieved": RETRIEVED,
    "unpark": RETRIEVED,
    "unparked": RETRIEVED,
    "unparkedcall": RETRIEVED,
    "expired": EXPIRED,
    "timeout": EXPIRED,
    "parkedcalltimeout": EXPIRED,
    "abandoned": ABANDONED,
    "giveup": ABANDONED,
    "parkedcallgiveup": ABANDONED,
    "ended": ENDED,
    "hangup": ENDED,
}
"""The words of a CSV's event column, without capitals, blanks, '_' and '-'."""
_VAIN: Final = frozenset({"BUSY", "CONGESTION", "CHANUNAVAIL"})


class Row(NamedTuple):
    """One fact with what the log says around it; ``slot`` is the label that people dial, NOBODY where there is none."""

    line: int
    time_us: int
    kind: int
    reason: int
    call: str
    lot: str
    slot: int
    extension: str
    limit_us: int | None
    """PARKED and REFUSED: the longest stay, NEVER for none, None where the log does not say."""
    asked: int
    """PARKED and REFUSED: the slot asked for, as far as the request was recorded."""


class LotPlan(NamedTuple):
    """A lot as the log tells of it: None for what it does not tell; ``told``: not inferred from the slots seen."""

    name: str
    first: int
    slots: int
    limit_us: int | None
    choice: int | None
    told: bool


class FieldLog:
    """A log, read.

    ``rows``: facts in the order of time. ``lots``: those that were used, in the order of use. ``misplaced``: lines out
    of the order of time. ``begins_empty``: whether the log is known to start with empty lots. ``requests_told``:
    whether requests were recorded, so that refusals are known; ``calls_told``: whether calls that were never parked
    are, too.
    """

    def __init__(self, path: Path, form: str, digest: str, rows: list[Row], lots: dict[str, LotPlan]) -> None:
        self.path, self.form, self.digest = path, form, digest
        self.rows, self.lots = rows, lots
        self.misplaced: list[int] = []
        self.first_us = min(row.time_us for row in rows)
        self.last_us = max(row.time_us for row in rows)
        self.begins_empty = self.requests_told = self.calls_told = False
        self.settings: Settings | None = None

    @cached_property
    def open_calls(self) -> frozenset[str]:
        """Calls still parked at the end of the log."""
        inside: set[str] = set()
        for row in self.parking:
            (inside.add if row.kind == PARKED else inside.discard)(row.call)
        return frozenset(inside)

    @cached_property
    def parking(self) -> list[Row]:
        """The rows at which a slot is taken or becomes free."""
        return [row for row in self.rows if is_parking(row)]

    @cached_property
    def journal(self) -> Journal:
        """All rows as a journal, calls numbered as they are offered; the header says where it comes from."""
        return self._journal(frozenset())

    @cached_property
    def measured(self) -> Journal:
        """The journal without calls whose stay is not known from its start to its end: what measures can count.

        Raises:
            JournalError: in some slot stays overlap by more than the tolerance.
        """
        known = {row.call for row in self.rows if row.kind == PARKED}
        before = {row.call for row in self.parking if row.kind != PARKED and row.call not in known}
        measured = self._journal(self.open_calls | before)
        _check_turns(measured)
        return measured

    def _journal(self, left_out: frozenset[str]) -> Journal:
        rows = _untangled([row for row in self.rows if row.call not in left_out])
        offered = [row.call for row in rows if row.kind == OFFERED]
        numbers = {call: number for number, call in enumerate(offered)}
        parkers, fetchers = _names(rows, (RETRIEVED, ENDED)), _names(rows, keep=(RETRIEVED,))
        extensions = {name: number for number, name in enumerate(parkers)}
        staff = {name: len(parkers) + number for number, name in enumerate(fetchers)}
        lots = {name: number for number, name in enumerate(self.lots)}
        facts = []
        for row in rows:
            if row.call not in numbers:  # a stay that began before the log
                continue
            in_lot = row.lot in lots
            limit_us = row.limit_us if row.kind == PARKED else NEVER
            names = staff if row.kind == RETRIEVED else extensions
            facts.append(
                Fact(
                    row.time_us,
                    NEVER if limit_us in (None, NEVER) else row.time_us + int(limit_us or 0),
                    numbers[row.call],
                    lots[row.lot] if in_lot else NOBODY,
                    row.slot - self.lots[row.lot].first if in_lot and row.slot != NOBODY else NOBODY,
                    names.get(row.extension, NOBODY),
                    row.kind,
                    row.reason,
                )
            )
        header = {
            "name": self.path.name,
            "engine": "recorded",
            "form": self.form,
            "log_digest": self.digest,
            "lots": [plan._asdict() for plan in self.lots.values()],
            "extensions": [*parkers, *fetchers],
            "settings": self.effective_settings._asdict(),
        }
        return Journal.of(facts, header)

    @property
    def effective_settings(self) -> Settings:
        """Settings as far as the log tells them: lots as they are, attendants and staff not known (unlimited)."""
        if self.settings is not None:
            return self.settings
        plans = self.lots.values()
        return Settings(
            attendants=NEVER,
            staff=NEVER,
            queue_limit=NEVER,
            max_parks=max(1, self._most_parks()),
            announcement_us=0,
            when_full=codes.FULL_KEEP,
            retries=0,
            retry_after_us=NEVER,
            recall_to=codes.TO_PARKER,
            ring_us=NEVER,
            attempts=1,
            busy=codes.BUSY_DROP,
            unanswered=codes.UNANSWERED_DROP,
            slots=tuple(plan.slots for plan in plans),
            choices=tuple(codes.CHOOSE_LOWEST if plan.choice is None else plan.choice for plan in plans),
        )

    def _most_parks(self) -> int:
        parks: dict[str, int] = {}
        for row in self.rows:
            if row.kind == PARKED:
                parks[row.call] = parks.get(row.call, 0) + 1
        return max(parks.values(), default=0)


def is_parking(row: Row) -> bool:
    """Tell whether a slot is taken or becomes free."""
    return row.kind in (PARKED, RETRIEVED, EXPIRED) or (row.kind == ABANDONED and row.reason == IN_LOT)


def _names(rows: Iterable[Row], leave: tuple[int, ...] = (), keep: tuple[int, ...] = ()) -> list[str]:
    """Return the extensions that rows of some kinds name, in the order of appearance, as many as a journal can hold."""
    named = {row.extension: None for row in rows if row.extension and row.kind not in leave}
    if keep:
        named = {row.extension: None for row in rows if row.extension and row.kind in keep}
    return list(named)[:16_000]


def _untangled(rows: list[Row]) -> list[Row]:
    """Return the rows with a release before the park that follows it in the slot.

    UnParkedCall is written when the caller has left, some ms after the slot was given on: where ParkedCall comes
    between, the release is put before it, at its instant.
    """
    order = sorted(range(len(rows)), key=lambda i: rows[i].time_us)
    result: list[Row] = []
    taken: dict[tuple[str, int], str] = {}
    early: set[int] = set()
    for at, i in enumerate(order):
        row = rows[i]
        if i in early:
            continue
        if is_parking(row):
            place = (row.lot, row.slot)
            if row.kind == PARKED and place in taken:
                for j in order[at + 1 :]:
                    if rows[j].time_us > row.time_us + TOLERANCE_US:
                        break
                    if is_parking(rows[j]) and (rows[j].lot, rows[j].slot, rows[j].call) == (*place, taken[place]):
                        early.add(j)
                        result.append(rows[j]._replace(time_us=row.time_us))
                        break
            if row.kind == PARKED:
                taken[place] = row.call
            else:
                taken.pop(place, None)
        result.append(row)
    return result


def _check_turns(journal: Journal) -> None:
    """Refuse a journal in which a slot is not taken and freed in turn."""
    taken: set[tuple[int, int]] = set()
    for fact in journal.facts():
        if fact.kind in (PARKED, RETRIEVED, EXPIRED) or (fact.kind == ABANDONED and fact.reason == IN_LOT):
            place = (fact.lot, fact.slot)
            if (fact.kind == PARKED) == (place in taken):
                raise JournalError("in some slot stays overlap, or end that never began")
            (taken.add if fact.kind == PARKED else taken.discard)(place)


def read_log(path: str | Path) -> FieldLog:
    """Return what a log tells; its content says in which of the four forms of ``logforms`` it is.

    Raises:
        LogError: it cannot be read, or holds no parking event.
    """
    path = Path(path)
    content = logforms.content_of(path)
    if content[:2] == b"PK" or content.lstrip()[:12].startswith(b'{"journal"'):
        return _from_journal(path)
    read = logforms.read_entries(path)
    story = _CsvStory(path) if read.form == logforms.CSV else _AmiStory(path, read.entries)
    for entry in read.entries:
        story.take(entry)
    story.close(read.last_us)
    rows = sorted(story.rows, key=lambda row: row.time_us)
    if not any(is_parking(row) for row in rows):
        raise LogError(
            path, None, f"this is {read.form}, but none of its events is about parking", "record ParkedCall and its kin"
        )
    log = FieldLog(path, read.form, read.digest, rows, _lots(rows, read.meta))
    log.misplaced = read.misplaced
    log.first_us = min(entry.time_us for entry in read.entries)
    log.last_us = read.last_us
    log.begins_empty = bool(read.meta.get("lots"))
    log.requests_told, log.calls_told = story.requests_told, story.calls_told
    return log


def _lots(rows: Iterable[Row], meta: Mapping[str, Any]) -> dict[str, LotPlan]:
    """Return the lots that were used: as the recording says, or as wide as the slots seen."""
    seen: dict[str, list[int]] = {}
    for row in rows:
        if row.lot or row.slot != NOBODY:
            seen.setdefault(row.lot, []).extend([row.slot] if row.slot != NOBODY else [])
    told = meta.get("lots")
    plans: dict[str, LotPlan] = {}
    for name, slots in seen.items():
        says = told.get(name) if isinstance(told, Mapping) else None
        try:
            first, last = int(says["first"]), int(says["last"])  # type: ignore[index]  # not told: TypeError
            limit_us: int | None = round(float(says["parkingtime"]) * 1e6) or NEVER  # type: ignore[index]  # the same
            is_told = last >= first
        except (KeyError, TypeError, ValueError):
            is_told = False
        if not is_told and not slots:
            continue
        if not is_told:
            first, last, limit_us = min(slots), max(slots), None
        plans[name] = LotPlan(name, first, last - first + 1, limit_us, None, is_told)
    return plans


def _from_journal(path: Path) -> FieldLog:
    """Read a journal that parksim wrote as if a PBX had: the lot's settings are told, slots count from 0."""
    journal = journals.Journal.load(path)
    settings = journal.settings
    names = [str(number) for number in range(len(settings.slots))]
    rows = []
    for number, fact in enumerate(journal.facts()):
        limit_us = None
        if fact.kind == PARKED:
            limit_us = NEVER if fact.deadline_us == NEVER else fact.deadline_us - fact.time_us
        rows.append(
            Row(
                number + 2,
                fact.time_us,
                fact.kind,
                fact.reason,
                str(fact.call),
                names[fact.lot] if 0 <= fact.lot < len(names) else "",
                fact.slot,
                "" if fact.extension == NOBODY else str(fact.extension),
                limit_us,
                NOBODY,
            )
        )
    if not any(is_parking(row) for row in rows):
        raise LogError(path, None, "this journal holds no parking event", "write one of a scenario that parks calls")
    lots = {
        name: LotPlan(name, 0, slots, None, choice, told=True)
        for name, slots, choice in zip(names, settings.slots, settings.choices, strict=True)
    }
    log = FieldLog(path, logforms.JOURNAL, "", sorted(rows, key=lambda row: row.time_us), lots)
    instants = [row.time_us for row in rows]
    log.misplaced = [rows[i].line for i in logforms.out_of_order(instants, 0)]
    log.begins_empty = log.requests_told = log.calls_told = True
    log.settings = settings
    return log


class _Story:
    """Tells facts of calls, each of which is somewhere in its life."""

    requests_told = calls_told = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[Row] = []
        self._states: dict[str, int] = {}

    def take(self, entry: Entry) -> None:
        """Tell what an entry says."""

    def close(self, last_us: int) -> None:
        """Tell what is known only at the end."""

    def _state(self, call: str) -> int:
        return self._states.get(call, life.BEFORE)

    def _tell(self, entry: Entry, kind: int, call: str, reason: int = NO_REASON, **more: Any) -> bool:
        """Add a row where it can happen to the call; say whether it could."""
        then = life.after(self._state(call), kind, reason)
        if then == life.FORBIDDEN:
            return False
        self._add(entry, kind, call, reason, then, **more)
        return True

    def _add(self, entry: Entry, kind: int, call: str, reason: int, then: int, **more: Any) -> None:
        told = {"lot": "", "slot": NOBODY, "extension": "", "limit_us": None, "asked": NOBODY} | more
        self.rows.append(Row(entry.line, entry.time_us, kind, reason, call, **told))
        self._states[call] = then

    def _reach_attendant(self, entry: Entry, call: str, extension: str) -> None:
        """Tell what must have been before a park of which only the parking is recorded."""
        self._tell(entry, OFFERED, call)
        self._tell(entry, ANSWERED, call, extension=extension)
        self._tell(entry, RECALL_ANSWERED, call, extension=extension)

    def _parking(self, entry: Entry, kind: int, call: str, **more: Any) -> None:
        """Tell a parking event, whether it can be or not: that is what replays find out."""
        if kind == PARKED:
            self._reach_attendant(entry, call, str(more.get("extension", "")))
        reason = IN_LOT if kind == ABANDONED else NO_REASON
        then = {PARKED: life.IN_SLOT, RETRIEVED: life.WITH_STAFF, EXPIRED: life.ON_RETURN}.get(kind, life.GONE)
        self._add(entry, kind, call, reason, then, **more)

    def _slot(self, text: str, entry: Entry) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text):
            raise LogError(
                self.path, entry.line, f"{text[:40]!r} is no parking space", "a slot is a whole number such as 701"
            )
        return int(text)

    def _limit_us(self, text: str | None, entry: Entry) -> int | None:
        """Return a limit in seconds as microseconds: 0 is never, nothing is not known."""
        if not text:
            return None
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text):
            raise LogError(self.path, entry.line, f"{text[:40]!r} is no time-out", "write seconds")
        return round(float(text) * 1e6) or NEVER


class _CsvStory(_Story):
    """A CSV's rows, each of which is a fact already."""

    def take(self, entry: Entry) -> None:
        """Tell a row."""
        fields = entry.fields
        word = re.sub(r"[^a-z]", "", fields["event"].lower())
        kind = CSV_EVENTS.get(word)
        if kind is None:
            step = logforms.nearest(word, CSV_EVENTS) or "one of parked, retrieved, expired, abandoned, refused"
            raise LogError(self.path, entry.line, f"{fields['event'][:40]!r} is no event of a call", step)
        call = fields["call"]
        if not call:
            raise LogError(self.path, entry.line, "the call has no name", "each event belongs to a call")
        self.calls_told |= kind == OFFERED
        lot = fields.get("lot", "")
        if kind in (PARKED, RETRIEVED, EXPIRED) or (kind == ABANDONED and self._state(call) in (life.IN_SLOT, 0)):
            who = fields.get("retriever" if kind == RETRIEVED else "parker", "")
            limit_us = self._limit_us(fields.get("limit"), entry) if kind == PARKED else None
            slot = self._slot(fields["slot"], entry)
            self._parking(entry, kind, call, lot=lot, slot=slot, extension=who, limit_us=limit_us)
        elif kind == REFUSED:
            self.requests_told = True
            self._reach_attendant(entry, call, fields.get("parker", ""))
            self._tell(entry, REFUSED, call, LOT_FULL, lot=lot, extension=fields.get("parker", ""))
        elif kind == ABANDONED:
            _ = self._tell(entry, ABANDONED, call, WAITING) or self._tell(entry, ABANDONED, call, RETURNING)
        elif kind == ENDED:
            _ = self._tell(entry, ENDED, call, TALKED) or self._tell(entry, ENDED, call, AFTER_RETRIEVAL)
        else:
            self._tell(entry, kind, call, extension=fields.get("parker", ""))


class _Request(NamedTuple):
    entry: Entry
    lot: str
    asked: int
    by: str
    limit_us: int | None


class _AmiStory(_Story):
    """Asterisk's events, and the commands and remarks of a recording."""

    def __init__(self, path: Path, entries: Iterable[Entry]) -> None:
        super().__init__(path)
        self._labels: set[str] = set()
        self._parked: set[str] = set()
        for entry in entries:
            if entry.fields.get("kind") == "cmd":
                self._labels.add(entry.fields.get("call", ""))
                self.requests_told |= "park" in entry.fields.get("do", "")
                self.calls_told |= entry.fields.get("do") == "call"
            elif entry.fields.get("Event") == "ParkedCall":
                self._parked.add(entry.fields.get("ParkeeChannel", entry.fields.get("call", "")))
        self._labels.discard("")
        self._requests: dict[str, _Request] = {}
        self._dialled: dict[str, Entry] = {}
        self._in_vain: dict[str, int] = {}
        self._expired_us: dict[str, int] = {}
        self._refused_alone: set[str] = set()

    def _call_of(self, fields: Mapping[str, str], key: str = "Channel") -> str | None:
        """Return the call of a channel: its label where the recording gave it one; None for what is no call."""
        channel = fields.get(key) or fields.get("call", "")
        named = re.match(r"Local/([^@]+)@", channel)
        if named and named[1] in self._labels:
            return named[1]
        return channel if channel in self._labels or channel in self._parked else None

    def take(self, entry: Entry) -> None:
        """Tell what an event, a command or a remark says."""
        fields = entry.fields
        if fields.get("kind") == "cmd":
            self._command(entry)
        elif fields.get("kind") == "derived":
            if fields.get("what") == "no ParkedCall event" and fields.get("call") in self._requests:
                self._refuse(fields["call"])
        elif (event := fields.get("Event", "")) in PARKING:
            self._parking_event(entry, PARKING[event])
        elif event in ("DialBegin", "DialEnd", "BridgeEnter", "Hangup"):
            call = self._call_of(fields)
            if call is not None:
                {"DialBegin": self._dial, "DialEnd": self._dialled_out, "BridgeEnter": self._bridged}.get(
                    event, self._hung_up
                )(entry, call)

    def close(self, last_us: int) -> None:
        """Tell the requests that nothing has answered."""
        for call, request in list(self._requests.items()):
            if last_us - request.entry.time_us >= ASKED_US:
                self._refuse(call)

    def _command(self, entry: Entry) -> None:
        fields = entry.fields
        call, do = fields.get("call", ""), fields.get("do", "")
        if do.startswith("call"):
            self._tell(entry, OFFERED, call)
        if "park" in do:
            if call in self._requests:
                self._refuse(call)
            asked = self._slot(fields["ParkingSpace"], entry) if "ParkingSpace" in fields else NOBODY
            limit_us = None
            if re.fullmatch(r"[0-9]{1,9}", fields.get("Timeout", "")):  # ms, cut to whole seconds, at least one
                asked_ms = int(fields["Timeout"])
                limit_us = max(asked_ms // 1000, 1) * 1_000_000 if asked_ms else NEVER
            self._requests[call] = _Request(entry, fields.get("lot", ""), asked, fields.get("by", ""), limit_us)

    def _refuse(self, call: str) -> None:
        """Tell that a request brought no ParkedCall, at the instant of the request."""
        request = self._requests.pop(call)
        self._reach_attendant(request.entry, call, request.by)
        more: dict[str, Any] = {"lot": request.lot, "asked": request.asked, "extension": request.by}
        self._tell(request.entry, REFUSED, call, LOT_FULL, limit_us=request.limit_us, **more)
        if "unbridged" in request.entry.fields.get("do", ""):
            self._refused_alone.add(call)

    def _parking_event(self, entry: Entry, kind: int) -> None:
        fields = entry.fields
        call = self._call_of(fields, "ParkeeChannel") or fields.get("ParkeeChannel") or fields.get("call", "")
        if not call:
            raise LogError(self.path, entry.line, "the parking event names no call", "it needs ParkeeChannel")
        slot = self._slot(fields.get("ParkingSpace", fields.get("slot", "")), entry)
        parker = _extension(fields.get("ParkerDialString", ""))
        more: dict[str, Any] = {"lot": fields.get("Parkinglot", fields.get("lot", "")), "slot": slot}
        if kind == PARKED:
            request = self._requests.pop(call, None)
            limit_us = self._limit_us(fields.get("ParkingTimeout", fields.get("limit_s")), entry)
            if request is not None:
                parker = parker or request.by
                more["asked"] = request.asked
                limit_us = request.limit_us if limit_us is None else limit_us
            more["limit_us"] = limit_us
        elif kind == RETRIEVED:
            parker = _extension(fields.get("RetrieverChannel", ""))
        self._parking(entry, kind, call, extension=parker, **more)
        if kind == EXPIRED:
            self._expired_us[call] = entry.time_us

    def _dial(self, entry: Entry, call: str) -> None:
        """A call that is new is offered; one that returns, or is about to, may be ringing."""
        self._tell(entry, OFFERED, call)
        if self._state(call) in (life.IN_SLOT, life.ON_RETURN):
            self._dialled[call] = entry

    def _dialled_out(self, entry: Entry, call: str) -> None:
        """The outcome of a return's ring."""
        status = entry.fields.get("DialStatus", "")
        begun = self._dialled.pop(call, entry)
        if self._state(call) != life.ON_RETURN:
            return
        if status in _VAIN:
            self._in_vain[call] = BUSY
            return
        expired_us = self._expired_us.get(call, begun.time_us)
        at_once = abs(begun.time_us - expired_us) <= AT_ONCE_US
        begun = begun._replace(time_us=expired_us if at_once else max(begun.time_us, expired_us))
        parker = _extension(entry.fields.get("DestChannel", ""))
        self._tell(begun, RECALL_RINGING, call, extension=parker)
        if status == "ANSWER":
            self._tell(entry, RECALL_ANSWERED, call, extension=parker)
        elif status == "CANCEL":
            self._tell(entry, ABANDONED, call, RINGING, extension=parker)
        else:
            self._tell(entry, RECALL_UNANSWERED, call, LAST, extension=parker)
            self._in_vain[call] = UNANSWERED

    def _bridged(self, entry: Entry, call: str) -> None:
        """A call that waits is answered; one that returns without a ring, too."""
        if entry.fields.get("BridgeType", "basic") == "basic":
            _ = self._tell(entry, ANSWERED, call) or self._tell(entry, RECALL_ANSWERED, call)

    def _hung_up(self, entry: Entry, call: str) -> None:
        """The end of a call, by where it was; a park of it that was under way has failed, or has come too late."""
        if call in self._requests:
            if self._requests[call].entry.fields["do"] == "park":
                del self._requests[call]  # parker and caller were connected: a refused one would have stayed so
            else:
                self._refuse(call)
        if call in self._refused_alone:
            self._tell(entry, LOST, call, LOT_FULL)
        elif self._state(call) == life.ON_RETURN and call in self._in_vain:
            self._tell(entry, LOST, call, self._in_vain[call])
        for kind, reason in (
            (ABANDONED, WAITING),
            (ENDED, TALKED),
            (ENDED, AFTER_RETRIEVAL),
            (ABANDONED, RETURNING),
            (ABANDONED, RINGING),
        ):
            if self._tell(entry, kind, call, reason):
                return


def _extension(channel: str) -> str:
    """Return the telephone of a channel, without the number of the call at it.

    >>> _extension("PJSIP/2000-0000017c"), _extension("Local/1001@phones-00000177;1")
    ('PJSIP/2000', 'Local/1001@phones')
    """
    return re.sub(r"-[0-9a-f]{8}(;[12])?$", "", channel)
