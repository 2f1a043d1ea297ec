"""From the entries of a log to facts of calls, each with the line on which it stands.

A ``CallTracker`` knows where each call is in its life (``rules.life``) and adds a row only if that fact can happen
there. Parking events are the exception: each becomes a row, possible or not, since a replay is to find the wrong ones.
"""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from parksim.errors import LogError
from parksim.pbx.formats.ami import BOOTED, SHUTDOWN, SWAP
from parksim.pbx.formats.content import did_you_mean
from parksim.pbx.formats.entry import Entry
from parksim.pbx.formats.files import Places
from parksim.rules import codes as c
from parksim.rules import life

REQUESTS: Final = frozenset({"park", "park_unbridged", "call_into_park_application"})
"""The commands of a recording that request a slot."""
REQUEST_LASTS_US: Final = 1_000_000
"""A park request without a ParkedCall within this time was refused."""
JUST_BOOTED_US: Final = 120_000_000
"""A PBX that says it has run for less was started just now; with more, FullyBooted answers a login."""
AT_ONCE_US: Final = 20_000
"""A return whose first ring begins within this time after the time-out rang at once."""

PARKING: Final = {
    "ParkedCall": c.PARKED,
    "UnParkedCall": c.RETRIEVED,
    "ParkedCallTimeOut": c.EXPIRED,
    "ParkedCallGiveUp": c.ABANDONED,
}
"""AMI's parking events and the facts they are."""
CALL_EVENTS: Final = frozenset({"DialBegin", "DialEnd", "BridgeEnter", "Hangup"})
"""AMI's events around them: how calls come, are answered, ring on their return, and end."""
CSV_EVENTS: Final = {
    word: kind
    for kind, words in {
        c.OFFERED: ("offered", "arrived"),
        c.ANSWERED: ("answered",),
        c.REFUSED: ("refused", "blocked"),
        c.PARKED: ("parked", "park", "parkedcall"),
        c.RETRIEVED: ("retrieved", "unpark", "unparked", "unparkedcall"),
        c.EXPIRED: ("expired", "timeout", "parkedcalltimeout"),
        c.ABANDONED: ("abandoned", "giveup", "parkedcallgiveup"),
        c.ENDED: ("ended", "hangup"),
    }.items()
    for word in words
}
"""The words of a CSV's event column, without capitals, blanks, '_' and '-'."""
_ENDS: Final = (
    (c.ABANDONED, c.WAITING),
    (c.ENDED, c.TALKED),
    (c.ENDED, c.AFTER_RETRIEVAL),
    (c.ABANDONED, c.RETURNING),
    (c.ABANDONED, c.RINGING),
)
"""What a hang-up is, by where the call was."""
_LATER: Final = frozenset({"answered", "unanswered", "ended"})
"""What a form without parks writes only of calls of which it wrote before."""
_UNIQUE_IDS: Final = ("ParkeeUniqueid", "Uniqueid", "UniqueID")
_VAIN: Final = frozenset({"BUSY", "CONGESTION", "CHANUNAVAIL"})


class Row(NamedTuple):
    """One fact with what the log says around it; ``slot`` is the number that people dial, NOBODY without a slot."""

    line: int
    time_us: int
    kind: int
    reason: int
    call: str
    lot: str = ""
    slot: int = c.NOBODY
    extension: str = ""
    limit_us: int | None = None
    """PARKED and REFUSED: the longest stay, NEVER for none, None where the log does not say."""
    requested_slot: int = c.NOBODY
    """PARKED and REFUSED: the requested slot, as far as the request was recorded."""


class Boot(NamedTuple):
    """FullyBooted, or Shutdown (``down``); ``uptime_us``: for how long the PBX says it has run."""

    line: int
    time_us: int
    down: bool
    uptime_us: int | None


class CallTracker:
    """Follows each call through its life and collects the facts of all calls as rows."""

    requests_recorded = calls_recorded = False

    def __init__(self, places: Places) -> None:
        self.places = places
        self.unique_ids: dict[str, str] = {}
        """By channel, the unique id that other logs of the PBX have of it."""
        self.orphans: list[int] = []
        """Instants of facts that end what has not begun."""
        self.rows: list[Row] = []
        self.boots: list[Boot] = []
        self._states: dict[str, int] = {}

    def take(self, entry: Entry) -> None:
        """Add the rows of an entry."""

    def close(self, last_us: int) -> None:
        """Add the rows that only the end of the log decides."""

    def _state(self, call: str) -> int:
        return self._states.get(call, life.BEFORE)

    def _record(self, entry: Entry, kind: int, call: str, reason: int = c.NO_REASON, **more: Any) -> bool:
        """Add a row if this can happen to the call now; return whether it could."""
        then = life.after(self._state(call), kind, reason)
        if then == life.FORBIDDEN:
            return False
        self._add(entry, kind, call, reason, then, **more)
        return True

    def _add(self, entry: Entry, kind: int, call: str, reason: int, then: int, **more: Any) -> None:
        self.rows.append(Row(entry.line, entry.time_us, kind, reason, call, **more))
        self._states[call] = then

    def _reach_attendant(self, entry: Entry, call: str, extension: str) -> None:
        """Add what must have come before a park of which only the parking is recorded."""
        self._record(entry, c.OFFERED, call)
        self._record(entry, c.ANSWERED, call, extension=extension)
        self._record(entry, c.RECALL_ANSWERED, call, extension=extension)

    def _parking(self, entry: Entry, kind: int, call: str, **more: Any) -> None:
        """Add a parking event, possible or not: a replay finds out which."""
        if kind == c.PARKED:
            self._reach_attendant(entry, call, str(more.get("extension", "")))
        reason = c.IN_LOT if kind == c.ABANDONED else c.NO_REASON
        then = {c.PARKED: life.IN_SLOT, c.RETRIEVED: life.WITH_STAFF, c.EXPIRED: life.ON_RETURN}.get(kind, life.GONE)
        self._add(entry, kind, call, reason, then, **more)

    def _over(self, entry: Entry, call: str) -> None:
        """Add the end of a call, by where the call is; a parked call does not end like this."""
        for kind, reason in _ENDS:
            if self._record(entry, kind, call, reason):
                return

    def _slot(self, text: str, entry: Entry) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text):
            rule = f"{text[:40]!r} is not a parking space"
            raise LogError(*self.places.of(entry.line), rule, "a slot is a whole number such as 701")
        return int(text)

    def _limit_us(self, text: str | None, entry: Entry) -> int | None:
        """Return a limit in seconds as microseconds: NEVER for 0, None if the log does not say."""
        if not text:
            return None
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text):
            raise LogError(*self.places.of(entry.line), f"{text[:40]!r} is not a time-out", "write seconds")
        return round(float(text) * 1e6) or c.NEVER


class CsvTracker(CallTracker):
    """Takes the rows of a CSV, each of which is a fact already."""

    def take(self, entry: Entry) -> None:
        """Add a row."""
        fields = entry.fields
        word = re.sub(r"[^a-z]", "", fields["event"].lower())
        kind = CSV_EVENTS.get(word)
        if kind is None:
            step = did_you_mean(word, CSV_EVENTS, "one of parked, retrieved, expired, abandoned, refused")
            raise LogError(*self.places.of(entry.line), f"{fields['event'][:40]!r} is not an event of a call", step)
        call = fields["call"]
        if not call:
            raise LogError(*self.places.of(entry.line), "the call has no name", "each event belongs to a call")
        self.calls_recorded |= kind == c.OFFERED
        lot = fields.get("lot", "")
        hung_up_in_lot = kind == c.ABANDONED and self._state(call) in (life.IN_SLOT, life.BEFORE)
        who = fields.get("retriever" if kind == c.RETRIEVED else "parker", "")
        if hung_up_in_lot or kind in (c.PARKED, c.RETRIEVED, c.EXPIRED):
            limit_us = self._limit_us(fields.get("limit"), entry) if kind == c.PARKED else None
            slot = self._slot(fields.get("slot", ""), entry)
            self._parking(entry, kind, call, lot=lot, slot=slot, extension=who, limit_us=limit_us)
        elif kind == c.REFUSED:
            self.requests_recorded = True
            self._reach_attendant(entry, call, who)
            self._record(entry, c.REFUSED, call, c.LOT_FULL, lot=lot, extension=who)
        elif kind == c.ABANDONED:
            _ = self._record(entry, c.ABANDONED, call, c.WAITING) or self._record(entry, c.ABANDONED, call, c.RETURNING)
        elif kind == c.ENDED:
            self._over(entry, call)
        else:
            self._record(entry, kind, call, extension=who)


class FactTracker(CsvTracker):
    """Takes facts of forms that name no slot, or of which a call's lot is known only where it is parked."""

    def __init__(self, places: Places) -> None:
        super().__init__(places)
        self._lot_of: dict[str, str] = {}

    def take(self, entry: Entry) -> None:
        """Add a row."""
        fields = entry.fields
        call, event = fields["call"], fields["event"]
        if event == "parked":
            self._lot_of[call] = fields.get("lot", "")
        elif "lot" not in fields and call in self._lot_of:
            entry = entry._replace(fields={**fields, "lot": self._lot_of[call]})
        if event in _LATER and self._state(call) == life.BEFORE:
            self.orphans.append(entry.time_us)
        if event == "answered":
            who = fields.get("parker", "")
            _ = self._record(entry, c.ANSWERED, call, extension=who) or self._record(
                entry, c.RECALL_ANSWERED, call, extension=who
            )
        elif event == "unanswered":
            self._record(entry, c.ABANDONED, call, c.WAITING)
        else:
            super().take(entry)

    def _slot(self, text: str, entry: Entry) -> int:
        return super()._slot(text, entry) if text else c.NOBODY


class QueueTracker(FactTracker):
    """Takes the facts of a queue's log, in which a call that comes back to the queue is another offer.

    Another log beside it may tell that it returned from a lot; ``unique_ids`` says which calls are the same.
    """

    def __init__(self, places: Places) -> None:
        super().__init__(places)
        self._times: Counter[str] = Counter()

    def take(self, entry: Entry) -> None:
        """Add a row."""
        call, event = entry.fields["call"], entry.fields["event"]
        self._times[call] += event == "offered"
        if self._times[call] > 1:
            again = f"{call} ({self._times[call]})"
            self.unique_ids[again] = call
            entry = entry._replace(fields={**entry.fields, "call": again})
        super().take(entry)


class CelTracker(FactTracker):
    """Takes the facts of CEL, which has all channels of a PBX: only those of calls that ask for a slot matter.

    What happens to a call before its first park waits until then, and is forgotten when it hangs up before that.
    """

    requests_recorded = True

    def __init__(self, places: Places) -> None:
        super().__init__(places)
        self._asked: set[str] = set()
        self._waiting: dict[str, dict[str, Entry]] = {}

    def take(self, entry: Entry) -> None:
        """Add a row, or keep it until its call asks for a slot."""
        call, event = entry.fields["call"], entry.fields["event"]
        if call in self._asked:
            super().take(entry)
        elif event in ("offered", "answered"):
            self._waiting.setdefault(call, {})[event] = entry
        elif event == "ended":
            self._waiting.pop(call, None)
        else:
            self._asked.add(call)
            for before in self._waiting.pop(call, {}).values():
                super().take(before)
            super().take(entry)
        self.calls_recorded = False


class _Request(NamedTuple):
    entry: Entry
    lot: str
    slot: int
    by: str
    limit_us: int | None


class AmiTracker(CallTracker):
    """Takes Asterisk's events.

    Most calls of a PBX are never parked. What happens to a call before its first park waits until it is parked, and is
    forgotten when it hangs up before that.
    """

    def __init__(self, places: Places) -> None:
        super().__init__(places)
        self._labels: set[str] = set()
        self._parked: set[str] = set()
        self._waiting: dict[str, list[Entry]] = {}
        self._parking_us = 1 << 62
        self._requests: dict[str, _Request] = {}
        self._dialled: dict[str, Entry] = {}
        self._in_vain: dict[str, int] = {}
        self._expired_us: dict[str, int] = {}
        self._refused_alone: set[str] = set()
        self._inside: dict[tuple[str, int], str] = {}
        self._names: dict[str, str] = {}
        self._before_boot: set[str] = set()
        self._again: dict[str, int] = {}

    def _call_of(self, fields: Mapping[str, str], key: str = "Channel") -> str | None:
        """Return the call of a channel: its label if the recording has one; None for a channel that is not a call."""
        channel = fields.get(key) or fields.get("call", "")
        if channel in self._names:
            return self._names[channel]
        named = re.match(r"Local/([^@]+)@", channel)
        if named and named[1] in self._labels:
            return named[1]
        return channel if channel in self._labels or channel in self._parked else None

    def take(self, entry: Entry) -> None:
        """Add the rows of an event."""
        event = entry.fields.get("Event", "")
        if event in (BOOTED, SHUTDOWN):
            uptime = entry.fields.get("Uptime", "")
            uptime_us = int(uptime) * 1_000_000 if re.fullmatch("[0-9]{1,9}", uptime) else None
            self.boots.append(Boot(entry.line, entry.time_us, event == SHUTDOWN, uptime_us))
            if uptime_us is None or uptime_us < JUST_BOOTED_US:
                self._before_boot.update(self._parked)
        elif event == SWAP:
            self._swap(entry)
        elif event in PARKING:
            if event == "ParkedCall":
                self._now_parked(entry.fields.get("ParkeeChannel", entry.fields.get("call", "")))
            self._parking_event(entry, PARKING[event])
        elif event in CALL_EVENTS:
            call = self._call_of(entry.fields)
            if call is not None:
                self._call_event(entry, call)
            else:
                self._wait(entry)

    def _swap(self, entry: Entry) -> None:
        """Give a call in a slot its new channel; its stay continues.

        An attended transfer puts another channel in the place of the parked one.
        """
        fields = entry.fields
        place = fields.get("Parkinglot", ""), self._slot(fields["ParkingSpace"], entry)
        channel, call = fields["ParkeeChannel"], self._inside.get(place)
        if call is not None:
            self._names[channel] = call
            self._parked.add(channel)

    def _now_parked(self, channel: str) -> None:
        """Take what happened to a channel before it was parked for the first time.

        After a restart the PBX counts its channels anew, so a name that comes again is another call.
        """
        if channel in self._before_boot:
            self._before_boot.discard(channel)
            self._again[channel] = self._again.get(channel, 1) + 1
            self._names[channel] = f"{channel} #{self._again[channel]}"
        if channel not in self._parked:
            self._parked.add(channel)
            for entry in self._waiting.pop(channel, ()):
                self._call_event(entry, self._names.get(channel, channel))

    def _wait(self, entry: Entry) -> None:
        channel = entry.fields.get("Channel", "")
        if entry.fields["Event"] == "Hangup":
            self._waiting.pop(channel, None)
        elif channel:
            self._waiting.setdefault(channel, []).append(entry)

    def _call_event(self, entry: Entry, call: str) -> None:
        take = {"DialBegin": self._dial, "DialEnd": self._dialled_out, "BridgeEnter": self._bridged}
        take.get(entry.fields["Event"], self._hung_up)(entry, call)

    def close(self, last_us: int) -> None:
        """Add the requests that nothing has answered, as refused."""
        for call, request in list(self._requests.items()):
            if last_us - request.entry.time_us >= REQUEST_LASTS_US:
                self._refuse(call)

    def _refuse(self, call: str, *, told: bool = False) -> None:
        """Add that a request brought no ParkedCall, at the instant of the request; ``told``: by the recorder."""
        request = self._requests.pop(call)
        if not told and request.entry.time_us < self._parking_us:
            return  # the log may begin with a later event
        self._reach_attendant(request.entry, call, request.by)
        more: dict[str, Any] = {"lot": request.lot, "requested_slot": request.slot, "extension": request.by}
        self._record(request.entry, c.REFUSED, call, c.LOT_FULL, limit_us=request.limit_us, **more)
        if "unbridged" in request.entry.fields.get("do", ""):
            self._refused_alone.add(call)

    def _parking_event(self, entry: Entry, kind: int) -> None:
        fields = entry.fields
        call = self._call_of(fields, "ParkeeChannel") or fields.get("ParkeeChannel") or fields.get("call", "")
        if not call:
            raise LogError(*self.places.of(entry.line), "the parking event names no call", "it needs ParkeeChannel")
        if unique_id := next((fields[key] for key in _UNIQUE_IDS if fields.get(key)), ""):
            self.unique_ids[call] = unique_id
        slot = self._slot(fields.get("ParkingSpace", fields.get("slot", "")), entry)
        parker = _extension(fields.get("ParkerDialString", ""))
        more: dict[str, Any] = {"lot": fields.get("Parkinglot", fields.get("lot", "")), "slot": slot}
        if kind == c.PARKED:
            request = self._requests.pop(call, None)
            limit_us = self._limit_us(fields.get("ParkingTimeout", fields.get("limit_s")), entry)
            if request is not None:
                parker = parker or request.by
                more["requested_slot"] = request.slot
                limit_us = request.limit_us if limit_us is None else limit_us
            more["limit_us"] = limit_us
        elif kind == c.RETRIEVED:
            parker = _extension(fields.get("RetrieverChannel", ""))
        self._parking(entry, kind, call, extension=parker, **more)
        if kind == c.PARKED:
            self._inside[more["lot"], slot] = call
        if kind == c.EXPIRED:
            self._expired_us[call] = entry.time_us

    def _dial(self, entry: Entry, call: str) -> None:
        """Take DialBegin: a new call is offered; one that returns, or is about to, may be ringing."""
        self._record(entry, c.OFFERED, call)
        if self._state(call) in (life.IN_SLOT, life.ON_RETURN):
            self._dialled[call] = entry

    def _dialled_out(self, entry: Entry, call: str) -> None:
        """Take DialEnd: the outcome of a return's ring."""
        status = entry.fields.get("DialStatus", "")
        begun = self._dialled.pop(call, entry)
        if self._state(call) != life.ON_RETURN:
            return
        if status in _VAIN:
            self._in_vain[call] = c.BUSY
            return
        expired_us = self._expired_us.get(call, begun.time_us)
        at_once = abs(begun.time_us - expired_us) <= AT_ONCE_US
        begun = begun._replace(time_us=expired_us if at_once else max(begun.time_us, expired_us))
        parker = _extension(entry.fields.get("DestChannel", ""))
        self._record(begun, c.RECALL_RINGING, call, extension=parker)
        if status == "ANSWER":
            self._record(entry, c.RECALL_ANSWERED, call, extension=parker)
        elif status == "CANCEL":
            self._record(entry, c.ABANDONED, call, c.RINGING, extension=parker)
        else:
            self._record(entry, c.RECALL_UNANSWERED, call, c.LAST, extension=parker)
            self._in_vain[call] = c.UNANSWERED

    def _bridged(self, entry: Entry, call: str) -> None:
        """Take BridgeEnter: a waiting call is answered, and so is one that returns without a ring."""
        if entry.fields.get("BridgeType", "basic") == "basic":
            _ = self._record(entry, c.ANSWERED, call) or self._record(entry, c.RECALL_ANSWERED, call)

    def _hung_up(self, entry: Entry, call: str) -> None:
        """Take Hangup: the end of a call, by where it was; a park still under way has failed, or came too late."""
        if call in self._requests:
            if self._requests[call].entry.fields["do"] == "park":
                del self._requests[call]  # parker and caller were connected: a refusal would have left them so
            else:
                self._refuse(call)
        if call in self._refused_alone:
            self._record(entry, c.LOST, call, c.LOT_FULL)
        elif self._state(call) == life.ON_RETURN and call in self._in_vain:
            self._record(entry, c.LOST, call, self._in_vain[call])
        self._over(entry, call)


class RecordingTracker(AmiTracker):
    """Takes Asterisk's events with the commands and remarks of the recorder.

    The commands name the calls, some of them after their first events, so all entries are kept until the last.
    """

    def __init__(self, places: Places) -> None:
        super().__init__(places)
        self._entries: list[Entry] = []

    def take(self, entry: Entry) -> None:
        """Keep an event, a command or a remark, and note which call it names."""
        self._entries.append(entry)
        fields = entry.fields
        if fields.get("kind") == "cmd":
            self._labels.add(fields.get("call", ""))
            self.requests_recorded |= fields.get("do") in REQUESTS
            self.calls_recorded |= fields.get("do") == "call"
        elif fields.get("Event") in PARKING:
            self._parking_us = min(self._parking_us, entry.time_us)
        if fields.get("Event") == "ParkedCall":
            self._parked.add(fields.get("ParkeeChannel", fields.get("call", "")))

    def close(self, last_us: int) -> None:
        """Add the rows of all entries, and of the requests that nothing has answered."""
        self._labels.discard("")
        for entry in self._entries:
            fields = entry.fields
            if fields.get("kind") == "cmd":
                self._command(entry)
            elif fields.get("kind") == "derived":
                if fields.get("what") == "no ParkedCall event" and fields.get("call") in self._requests:
                    self._refuse(fields["call"], told=True)
            else:
                super().take(entry)
        super().close(last_us)

    def _wait(self, entry: Entry) -> None:
        """Pass over a channel that is not a call."""

    def _command(self, entry: Entry) -> None:
        fields = entry.fields
        call, do = fields.get("call", ""), fields.get("do", "")
        if do.startswith("call"):
            self._record(entry, c.OFFERED, call)
        if do in REQUESTS:
            if call in self._requests:
                self._refuse(call)
            requested_slot = self._slot(fields["ParkingSpace"], entry) if "ParkingSpace" in fields else c.NOBODY
            limit_us = None
            if re.fullmatch(r"[0-9]{1,9}", fields.get("Timeout", "")):  # ms, cut to whole seconds, at least one
                requested_ms = int(fields["Timeout"])
                limit_us = max(requested_ms // 1000, 1) * 1_000_000 if requested_ms else c.NEVER
            self._requests[call] = _Request(
                entry, fields.get("lot", ""), requested_slot, fields.get("by", ""), limit_us
            )


def _extension(channel: str) -> str:
    """Return the telephone of a channel, without the number of the call at it.

    >>> _extension("PJSIP/2000-0000017c"), _extension("Local/1001@phones-00000177;1")
    ('PJSIP/2000', 'Local/1001@phones')
    """
    return re.sub(r"-[0-9a-f]{8}(;[12])?$", "", channel)
