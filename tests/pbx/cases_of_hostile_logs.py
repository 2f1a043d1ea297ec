"""Files that are no log, or a damaged one: (what it is, its bytes, the line that is named, what the message says)."""

import json
from typing import Final, NamedTuple

from log_forms import TRACES

SOAK: Final = (TRACES / "soak_first.jsonl").read_bytes()
AMI: Final = (
    b"Asterisk Call Manager/11.0.0\r\n"
    b"Event: ParkedCall\r\nTimestamp: 1767600000.5\r\nParkeeChannel: PJSIP/a-00000001\r\nParkinglot: default\r\n"
    b"ParkingSpace: 701\r\nParkingTimeout: 30\r\n\r\n"
    b"Event: UnParkedCall\r\nTimestamp: 1767600002.5\r\nParkeeChannel: PJSIP/a-00000001\r\nParkinglot: default\r\n"
    b"ParkingSpace: 701\r\n\r\n"
)
CSV: Final = b"time,event,call,slot\n1,parked,a,701\n2,retrieved,a,701\n"


class Hostile(NamedTuple):
    """A file and its one message."""

    what: str
    content: bytes
    line: int | None
    said: str


def one_event(**fields: object) -> bytes:
    """Return a log of one event in JSON Lines."""
    event = {"t": 1, "kind": "event", "Event": "ParkedCall", "call": "a", "slot": 701}
    return json.dumps(event | fields).encode() + b"\n"


def in_csv(*rows: str, header: str = "time,event,call,slot") -> bytes:
    """Return a log as CSV."""
    return "\n".join([header, *rows, ""]).encode()


def reordered() -> bytes:
    """Return the soak with its second half before its first."""
    lines = SOAK.splitlines(keepends=True)
    return b"".join([lines[0], *lines[500:], *lines[1:500]])


HOSTILE: Final = (
    Hostile("an empty file", b"", None, "the file is empty"),
    Hostile("nothing but blank lines", b"\n \r\n\n", None, "the file is empty"),
    Hostile("NUL bytes", b"{}\n\0\0\0", 2, "has NUL bytes"),
    Hostile("a picture", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 3, "has NUL bytes"),
    Hostile("a compressed log", b"\x1f\x8b\x08\0abc", None, "unpack it"),
    Hostile("a zip that is no journal", b"PK\3\4junk", None, "no journal of parksim"),
    Hostile("a text", b"Dear Sir,\nwe have parked your call.\n", 1, "cannot read this as a log"),
    Hostile("a page", b"<html><body>404</body></html>", 1, "cannot read this as a log"),
    Hostile("Asterisk's own log", b"[2026-01-05 08:00:00] VERBOSE[1] app.c: Parked\n", 1, "cannot read this as a log"),
    Hostile("a very long line", b"time,event,call,slot\n1,parked," + b"a" * 2_000_000, 2, "more than an event has"),
    Hostile("a very long header", b"a," * 400_000, 1, "cannot read this as a log"),
    # JSON Lines
    Hostile("a log cut within a line", SOAK[:-20], 957, "the last line breaks off"),
    Hostile("a log cut early", SOAK[:5_000], 56, "the last line breaks off"),
    Hostile("lines in another order", reordered(), 2, "not in order of time"),
    Hostile("foreign JSON", b'{"user": 1}\n{"user": 2}\n', 1, "neither Event nor kind"),
    Hostile("a JSON array", b'[{"t": 1, "kind": "event"}]', 1, "one JSON array"),
    Hostile("an object over many lines", b'{\n "t": 1\n}\n', 1, "not a JSON object"),
    Hostile("a line that is a list", one_event() + b"[1, 2]\n", 2, "neither Event nor kind"),
    Hostile("brackets without end", b'{"kind":' + b"[" * 100_000 + b"\n", 1, "not a JSON object"),
    Hostile("no instant", one_event(t=None), 1, "and it has none"),
    Hostile("an instant in words", one_event(t="noon"), 1, "'noon'"),
    Hostile("an instant that is no number", one_event(t=float("nan")), 1, "'nan'"),
    Hostile("an instant before the beginning", one_event(t=-1), 1, "'-1'"),
    Hostile("an instant that is true", one_event(t=True), 1, "'True'"),
    Hostile("half a slot", one_event(slot=1.5), 1, "'1.5' is not a parking space"),
    Hostile("no slot", one_event(slot=""), 1, "'' is not a parking space"),
    Hostile("no call", one_event(call=""), 1, "names no call"),
    Hostile("a lot beyond measure", one_event() + one_event(t=2, slot=999_999_999), 2, "more than 10,000"),
    Hostile(
        "a slot far outside the lot that the recording names",
        b'{"t": 0, "kind": "meta", "lots": {"a": {"first": 701, "last": 708, "parkingtime": 45}}}\n'
        + one_event(lot="a", slot=99_701),
        2,
        "the slots of the lot go from 701 to 99701",
    ),
    Hostile("no parking", b'{"t": 1, "kind": "event", "Event": "FullyBooted"}\n', None, "without parking events"),
    # AMI text
    Hostile("AMI without instants", AMI.replace(b"Timestamp", b"Time"), 2, "timestampevents"),
    Hostile("AMI with a slot in words", AMI.replace(b": 701", b": front"), 2, "'front' is not a parking space"),
    Hostile("AMI that names no call", AMI.replace(b"ParkeeChannel", b"Parkee"), 2, "names no call"),
    Hostile("AMI without parking", b"Event: FullyBooted\nTimestamp: 1.0\n\n", None, "without parking events"),
    # CSV
    Hostile("foreign CSV", b"name,age\nbob,3\n", 1, "name the columns like this"),
    Hostile("a list of calls", b"offered_at,wait_s\n2026-01-05,3\n", 1, 'kind = "recorded"'),
    Hostile("a column missing", in_csv("1,parked,a", header="time,event,call"), 1, "name a column slot (space"),
    Hostile(
        "a column nearly right", in_csv("1,parked,a,7", header="time,event,cal,slot"), 1, "mean call where it says"
    ),
    Hostile("a column twice", in_csv("1,parked,a,7,8", header="time,event,call,slot,slot"), 1, "two columns slot"),
    Hostile("columns and no row", in_csv(), None, "without a single event"),
    Hostile("a row cut short", CSV[:-7], 3, "the last line breaks off"),
    Hostile("a row too short", in_csv("1,parked,a", "2,parked,b,7"), 2, "3 cells under 4"),
    Hostile("a quote without end", in_csv('1,parked,"a,701', "2,retrieved,a,701"), 3, "cells under 4"),
    Hostile("a cell beyond measure", in_csv(f"1,parked,{'a' * 200_000},7"), 2, "this is not CSV"),
    Hostile("an event nearly right", in_csv("1,parkd,a,701"), 2, "did you mean parked?"),
    Hostile("an event unknown", in_csv("1,transferred,a,701"), 2, "one of parked, retrieved"),
    Hostile("a slot in words", in_csv("1,parked,a,seven"), 2, "'seven' is not a parking space"),
    Hostile("a call without name", in_csv("1,parked,,701"), 2, "the call has no name"),
    Hostile("a time in words", in_csv("noon,parked,a,701"), 2, "'noon' is not an instant"),
    Hostile("a time without a date", in_csv("08:00:00,parked,a,701"), 2, "ISO 8601"),
    Hostile("milliseconds", in_csv("1767600000000,parked,a,701"), 2, "may be milliseconds"),
    Hostile("seconds and dates", in_csv("1,parked,a,701", "2026-01-05,retrieved,a,701"), 3, "among seconds"),
    Hostile(
        "dates with and without an offset",
        in_csv("2026-01-05 08:00:00,parked,a,701", "2026-01-05 08:00:09+02:00,retrieved,a,701"),
        3,
        "dates with an offset among dates without",
    ),
    Hostile(
        "a time-out in words", in_csv("1,parked,a,701,soon", header="time,event,call,slot,timeout"), 2, "not a time-out"
    ),
    # Journals
    Hostile("a journal of nobody", b'{"journal": 1}\n', 1, "no journal of parksim"),
    Hostile("a journal cut in its header", b'{"journal"', 1, "no journal of parksim"),
)
