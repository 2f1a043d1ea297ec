"""AMI text as Asterisk's manager interface sends it, of Asterisk 1.4 to the newest.

``Event: ParkedCall``, then one ``Key: value`` a line. A line ``Event:`` begins an event, with an empty line before it
or without, since ``grep`` and log shippers drop empty lines. The instant is the ``Timestamp`` header, which
``timestampevents = yes`` in manager.conf adds. Of a busy PBX most events are foreign: their lines are passed over as
bytes, and of those that matter only the headers in ``_KEPT`` are kept.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from parksim.errors import LogError
from parksim.pbx.formats.content import Source
from parksim.pbx.formats.entry import Entry, Findings, Reader, instant_us

FORM: Final = "AMI text"
_TIMESTAMPS: Final = "set timestampevents = yes in manager.conf and record again"
_BEGINS: Final = re.compile(r"(?:Event|Response|Privilege|ActionID|Message|Action)\s*:|Asterisk Call Manager")
_HEADER: Final = re.compile(rb"[ \t]*([A-Za-z][\w./() -]{0,99}?)[ \t]*:")
_PARKING: Final = frozenset({"ParkedCall", "UnParkedCall", "ParkedCallTimeOut", "ParkedCallGiveUp"})
_MATTER: Final = _PARKING | {"DialBegin", "DialEnd", "BridgeEnter", "Hangup"}
_KEPT: Final = {
    name.encode(): name
    for name in (
        *("Timestamp", "Parkinglot", "ParkingSpace", "ParkingTimeout", "ParkeeChannel", "ParkerDialString"),
        "ParkeeUniqueid",
        *("RetrieverChannel", "Channel", "DestChannel", "DialStatus", "BridgeType"),
    )
}


def _recognises(head: Sequence[str]) -> bool:
    return bool(_BEGINS.match(head[0].strip()))


def _entries(source: Source, findings: Findings) -> Iterator[Entry]:  # noqa: ARG001 - remarks come with the next forms
    for first, fields, closed in _events(source):
        if not closed and (not source.ended or _lacking(fields)):
            rule = "the last event breaks off: the file was cut"
            raise LogError(source.path, first, rule, "copy it again, or remove that event")
        time_us = instant_us(fields.get("Timestamp"), source.path, first, "the header Timestamp", _TIMESTAMPS)
        yield Entry(first, time_us, fields)


def _events(source: Source) -> Iterator[tuple[int, dict[str, str], bool]]:
    """Yield (line, headers, whether something closed it) of each event."""
    fields: dict[str, str] = {}
    first = 0
    for number, line in source:
        header = _HEADER.match(line)
        name = header[1] if header else b""
        if fields and (name == b"Event" or not line.strip()):
            yield first, fields, True
            fields = {}
        if not line.strip() or line.startswith(b"Asterisk Call Manager"):
            continue
        if header is None:
            rule = f"{source.text(number, line).strip()[:40]!r} is not an AMI header"
            raise LogError(source.path, number, rule, "write Key: value, with an empty line between events")
        if name == b"Event":
            fields, first = {"Event": source.text(number, line[header.end() :]).strip()}, number
        elif fields and name in _KEPT:
            fields.setdefault(_KEPT[name], source.text(number, line[header.end() :]).strip())
    if fields:
        yield first, fields, False


def _lacking(fields: Mapping[str, str]) -> bool:
    """Tell whether an event lacks a header; at the end of a file this means that the file was cut."""
    needed = {"Timestamp", "ParkeeChannel", "ParkingSpace"} if "ParkedCall" in fields["Event"] else {"Timestamp"}
    return not needed <= fields.keys()


READER: Final = Reader(
    FORM,
    _recognises,
    _entries,
    frozenset({"slots", "limits", "parkers", "retrievers", "offered", "waits", "returns"}),
)
