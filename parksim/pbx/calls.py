"""From the entries of a log to facts of calls, each with the line on which it stands.

A ``Story`` knows where each call is in its life (``rules.life``) and tells a fact only where it can happen there;
parking events alone are told whether they can be or not, since that is what replays find out.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from parksim.errors import LogError
from parksim.pbx import formats as logforms
from parksim.pbx.formats import Entry
from parksim.rules import life
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
_ENDS: Final = (
    (ABANDONED, WAITING),
    (ENDED, TALKED),
    (ENDED, AFTER_RETRIEVAL),
    (ABANDONED, RETURNING),
    (ABANDONED, RINGING),
)
"""What a hang-up is, by where the call was."""
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


def shown(name: str) -> str:
    r"""Return a name of a log as it may stand on a screen or in a file: in one line, without control characters.

    >>> shown("PJSIP/2000"), shown("\x1b[31mred")
    ('PJSIP/2000', '?[31mred')
    """
    return "".join(one if one.isprintable() else "?" for one in name[:80])


def is_parking(row: Row) -> bool:
    """Tell whether a slot is taken or becomes free."""
    return row.kind in (PARKED, RETRIEVED, EXPIRED) or (row.kind == ABANDONED and row.reason == IN_LOT)


class Story:
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
        told: dict[str, Any] = {"lot": "", "slot": NOBODY, "extension": "", "limit_us": None, "asked": NOBODY} | more
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

    def _over(self, entry: Entry, call: str) -> None:
        """Tell the end of a call, by where it is; one that is parked is not known to end so."""
        for kind, reason in _ENDS:
            if self._tell(entry, kind, call, reason):
                return

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


class CsvStory(Story):
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
            self._over(entry, call)
        else:
            self._tell(entry, kind, call, extension=fields.get("parker", ""))


class _Request(NamedTuple):
    entry: Entry
    lot: str
    asked: int
    by: str
    limit_us: int | None


class AmiStory(Story):
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
        self._over(entry, call)


def _extension(channel: str) -> str:
    """Return the telephone of a channel, without the number of the call at it.

    >>> _extension("PJSIP/2000-0000017c"), _extension("Local/1001@phones-00000177;1")
    ('PJSIP/2000', 'Local/1001@phones')
    """
    return re.sub(r"-[0-9a-f]{8}(;[12])?$", "", channel)
