"""AMI text as Asterisk's manager interface sends it, of Asterisk 1.4 to the newest.

``Event: ParkedCall``, then one ``Key: value`` a line. A line ``Event:`` begins an event, with an empty line before it
or without, since ``grep`` and log shippers drop empty lines. The instant is the ``Timestamp`` header, which
``timestampevents = yes`` in manager.conf adds.

Of a busy PBX most events are foreign: their lines are passed over as bytes, and of those that matter only the headers
in ``_KEPT`` are kept. What a terminal shows before the first event, answers to commands, and the rows of a list answer
(they have no ``Timestamp``) are no events; such rows tell how the lots are configured.

Up to Asterisk 11 the parking events have other headers (``main/features.c``; ``res/res_features.c`` of 1.4): Exten is
the slot, Channel the call, From the parker or the retriever, Timeout the seconds left. They come out under the names
that Asterisk 12 gave them (``res/parking/parking_manager.c``).
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from parksim.errors import LogError
from parksim.pbx.formats.content import LONGEST_LINE, Source
from parksim.pbx.formats.entry import Entry, Findings, LotRow, Reader, instant_us, shown

FORM: Final = "AMI text"
SWAP: Final = "ParkedCallSwap"
BOOTED: Final = "FullyBooted"
SHUTDOWN: Final = "Shutdown"
_TIMESTAMPS: Final = "set timestampevents = yes in manager.conf and record again"
_BEGINS: Final = re.compile(r"(?:Event|Response|Privilege|ActionID|Message|Action)\s*:|Asterisk Call Manager")
_FRESH: Final = re.compile(r"(?:Event|Response)\s*:|Asterisk Call Manager")
"""What can follow an event, and not belong to it."""
_BLOCK: Final = re.compile(rb"(?:Event|Response|Action|ActionID|Privilege|Message)[ ]?:|Asterisk Call Manager|--$")
"""How a block begins: an event, an answer, a command that was typed, the banner, or what grep puts between matches."""
_PARKING: Final = frozenset({"ParkedCall", "UnParkedCall", "ParkedCallTimeOut", "ParkedCallGiveUp", SWAP})
_LOT_ROW: Final = "Parkinglot"
_MATTER: Final = frozenset(
    name.encode() for name in (*_PARKING, "DialBegin", "DialEnd", "BridgeEnter", "Hangup", BOOTED, SHUTDOWN, _LOT_ROW)
)
_KEPT: Final = {
    name.encode(): name
    for name in (
        *("Timestamp", "Parkinglot", "ParkingSpace", "ParkingTimeout", "ParkingDuration", "ParkeeChannel"),
        *("ParkerDialString", "RetrieverChannel", "Channel", "DestChannel", "DialStatus", "BridgeType", "Exten"),
        *("From", "Timeout", "Name", "StartSpace", "StopSpace", "Uptime", "ParkeeUniqueid", "Uniqueid", "UniqueID"),
    )
}
_EVENT: Final = b"\nEvent:"
_NEEDED: Final = frozenset({"ParkeeChannel", "ParkingSpace"})


def _recognises(head: Sequence[str]) -> bool:
    return any(_BEGINS.match(line.strip()) for line in head)


def rest_of_event(head: Sequence[tuple[int, str]]) -> bytes:
    r"""Return the first lines of a file (number, text) that belong to an event which began in the file before it.

    >>> rest_of_event([(1, "ace: 701"), (2, "ParkingTimeout: 30"), (4, "Event: Hangup")])
    b'ace: 701\nParkingTimeout: 30\n'
    """
    begin = head[0][0] if head[0][0] == 2 else 1  # an end of a line, cut in two, looks like an empty line
    lines = [""] * (begin - 1)
    for at, (number, line) in enumerate(head, begin):
        if number != at or _FRESH.match(line.strip()):
            return "".join(f"{one}\n" for one in lines).encode()
        lines.append(line)
    return b""


def _entries(source: Source, findings: Findings) -> Iterator[Entry]:
    whole = 0
    first_error: LogError | None = None
    for line, fields in _Events(source, findings):
        event = fields["Event"]
        _rename(fields)
        if event == _LOT_ROW:
            _tell_lot(fields, line, source, findings)
            continue
        try:
            time_us = instant_us(fields.get("Timestamp"), source.path, line, "the header Timestamp", _TIMESTAMPS)
            if event in _PARKING and not fields.keys() >= _NEEDED:
                raise _incomplete(fields, source, line)
        except LogError as error:
            if event in _PARKING:
                first_error = first_error or error
                _leave_out(fields, line, source, findings)
            continue
        whole += event in _PARKING
        yield Entry(line, time_us, fields)
    if not whole and first_error is not None:
        raise first_error


def _rename(fields: dict[str, str]) -> None:
    """Give the headers of a parking event of Asterisk 11 or older the names of Asterisk 12."""
    event = fields["Event"]
    if event not in _PARKING or "ParkeeChannel" in fields or "Channel" not in fields:
        return
    who = "RetrieverChannel" if event == "UnParkedCall" else "ParkerDialString"
    names = {"Channel": "ParkeeChannel", "Exten": "ParkingSpace", "From": who, "Timeout": "ParkingTimeout"}
    for old, new in names.items():
        if old in fields:
            fields.setdefault(new, fields.pop(old))


def _leave_out(fields: dict[str, str], line: int, source: Source, findings: Findings) -> None:
    """Remark a parking event that cannot be used; as a row of a list answer it tells the lot's longest stay."""
    if fields["Event"] == "ParkedCall" and "Timestamp" not in fields:
        what = "rows of ParkedCall without Timestamp, answers to a command, are no events"
        findings.add(source.path, line, what, "they tell how long a call may be parked, and nothing else is read")
        _tell_lot(fields, line, source, findings)
    else:
        what = f"{fields['Event']} is not whole"
        findings.add(source.path, line, what, "it is left out")


def _tell_lot(fields: dict[str, str], line: int, source: Source, findings: Findings) -> None:
    """Keep what a row of a list answer tells of a lot: its slots, or its longest stay (time left and time used)."""
    numbers = {key: int(value) for key, value in fields.items() if re.fullmatch("[0-9]{1,9}", value)}
    first, last = numbers.get("StartSpace"), numbers.get("StopSpace")
    limit_s = numbers.get("Timeout")
    if fields["Event"] != _LOT_ROW:
        limit_s = (
            numbers["ParkingTimeout"] + numbers["ParkingDuration"]
            if {
                "ParkingTimeout",
                "ParkingDuration",
            }
            <= numbers.keys()
            else None
        )
    name = fields.get("Name", fields.get("Parkinglot", ""))
    if first is not None and last is not None and first <= last:
        findings.lots[name] = LotRow(source.path, line, first, last, limit_s)
    elif limit_s is not None and name not in findings.lots:
        findings.lots[name] = LotRow(source.path, line, None, None, limit_s)


def _incomplete(fields: dict[str, str], source: Source, line: int) -> LogError:
    if "ParkeeChannel" not in fields:
        return LogError(source.path, line, "the parking event names no call", "it needs ParkeeChannel, or Channel")
    rule = "the parking event names no parking space"
    return LogError(source.path, line, rule, "it needs ParkingSpace, or Exten")


class _Events:
    """Yields (line, headers) of each event that matters, and remarks what is passed over.

    A chunk of lines is split where events begin. What follows an event after an empty line is no event.
    """

    def __init__(self, source: Source, findings: Findings) -> None:
        self._source = source
        self._findings = findings
        self._follows = False

    def __iter__(self) -> Iterator[tuple[int, dict[str, str]]]:
        number, rest, first = 0, b"\n", True  # as if an empty line were before the first one
        for _, chunk in self._source.chunks():
            pieces = _even(rest + chunk).split(_EVENT)
            rest = pieces.pop()
            for piece in pieces:
                if first:
                    self._between(number, piece)
                    first = False
                else:
                    yield from self._event(number, piece)
                number += piece.count(b"\n") + 1
            if len(rest) > LONGEST_LINE:  # so long is no event, and it need not wait for its end
                yield from self._last(number, rest, first=first)
                number, rest, first = number + rest.count(b"\n") - 1, b"\n", True
        yield from self._last(number, rest, first=first)

    def _last(self, number: int, piece: bytes, *, first: bool) -> Iterator[tuple[int, dict[str, str]]]:
        """Yield the event at the end of the file, unless it is cut."""
        if first:
            self._between(number, piece)
            return
        for line, fields in self._event(number, piece):
            if b"\n\n" in piece or (self._source.ended and "Timestamp" in fields):
                yield line, fields
            else:
                what = "the last event breaks off: the file was cut"
                self._findings.add(self._source.path, line, what, "it is left out")

    def _event(self, number: int, piece: bytes) -> Iterator[tuple[int, dict[str, str]]]:
        """Yield what follows ``Event:`` if it matters; its first line is ``number``."""
        end = piece.find(b"\n")
        name = piece[:end].strip()
        blank = piece.find(b"\n\n", end)
        if name in _MATTER:
            fields = {"Event": name.decode()}
            for at, line in enumerate(piece[end + 1 : None if blank < 0 else blank].split(b"\n"), number + 1):
                self._header(at, line, fields)
            yield number, fields
        elif (stamp := piece.find(b"\nTimestamp:", end)) > 0:
            self._findings.seen(piece[stamp + 11 : piece.find(b"\n", stamp + 11)])
        if blank >= 0 and len(piece) > blank + 2:
            self._between(number + piece.count(b"\n", 0, blank), piece[blank:])

    def _header(self, number: int, line: bytes, fields: dict[str, str]) -> None:
        """Take a line of an event that matters."""
        key, colon, value = line.partition(b":")
        name = _KEPT.get(key) or _KEPT.get(key.strip())
        if name is None:
            if not colon and line.strip(b" \t-"):
                self._pass_over(number, line)
        elif name in fields:
            what = f"a second {name} in one event: a line Event: is missing before it"
            self._findings.add(self._source.path, number, what, "the event that begins there is left out")
        else:
            fields[name] = self._source.text(value.strip())
            if name == "Timestamp":
                self._findings.seen(fields[name])

    def _between(self, number: int, text: bytes) -> None:
        """Remark what is neither an event nor an answer to a command; ``number`` is the line before."""
        fresh = True
        for at, line in enumerate(text.split(b"\n"), number):
            if line.startswith(b"Response: Follows"):
                self._follows = True
            if not line.strip():
                fresh = not self._follows
            elif fresh:
                if _BLOCK.match(line):
                    fresh = False
                elif line.strip():
                    self._pass_over(at, line)
            if line.endswith(b"--END COMMAND--"):
                self._follows = False

    def _pass_over(self, number: int, line: bytes) -> None:
        text = shown(self._source.text(line).strip()[:40])
        self._findings.add(self._source.path, number, "lines that are not AMI", f"{text!r} ... is passed over")


def _even(text: bytes) -> bytes:
    """Return text in which ``Event:`` has no blanks around it, as it is sent."""
    for odd in (b"\nEvent :", b"\n Event:", b"\n\tEvent:"):
        if odd in text:
            text = text.replace(odd, _EVENT)
    return text


READER: Final = Reader(
    FORM,
    _recognises,
    _entries,
    frozenset({"slots", "limits", "parkers", "retrievers", "offered", "waits", "returns"}),
)
