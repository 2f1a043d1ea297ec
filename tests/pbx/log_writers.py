"""Writers of logs: the parking events of a journal as Asterisk's manager interface of four ages writes them.

Layouts: ``res/res_features.c`` of 1.4, ``main/features.c`` of 1.8 and 11, ``res/parking/parking_manager.c`` of 12 and
newer. Each event is a block of its own, so that tests can leave some out, double them or move them.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from parksim.rules import codes as c
from parksim.rules.lot import Fact

AGES: Final = ("1.4", "1.8", "11", "22")
EVENTS: Final = {
    c.PARKED: "ParkedCall",
    c.RETRIEVED: "UnParkedCall",
    c.EXPIRED: "ParkedCallTimeOut",
    c.ABANDONED: "ParkedCallGiveUp",
}
EPOCH_S: Final = 1_772_438_400
"""Monday, 2 March 2026, 08:00 UTC."""


class Block(NamedTuple):
    """One event: its instant in microseconds since 1970, and its headers without the instant."""

    time_us: int
    headers: tuple[tuple[str, str], ...]

    def text(self, end: str = "\r\n") -> str:
        """Return the event as it is sent."""
        (event, name), *rest = self.headers
        stamp = f"{self.time_us // 1_000_000}.{self.time_us % 1_000_000:06d}"
        lines = [(event, name), ("Privilege", "call,all"), ("Timestamp", stamp), *rest]
        return "".join(f"{key}: {value}{end}" for key, value in lines) + end

    def changed(self, **headers: str) -> "Block":
        """Return the event with other values of some headers."""
        return self._replace(headers=tuple((key, headers.get(key, value)) for key, value in self.headers))


def text_of(blocks: Iterable[Block], end: str = "\r\n") -> bytes:
    """Return a log of these events."""
    return (f"Asterisk Call Manager/11.0.0{end}" + "".join(block.text(end) for block in blocks)).encode()


def blocks_of(
    facts: Iterable[Fact], age: str, epoch_s: int = EPOCH_S, first: int = 701, lot: str = "default"
) -> list[Block]:
    """Return the parking events among facts, in their order.

    Args:
        facts: of a journal with one lot.
        age: one of ``AGES``.
        epoch_s: the instant of the journal's beginning.
        first: the number of the first slot.
        lot: its name, which 1.4 does not write.
    """
    blocks = []
    for fact in facts:
        if fact.kind in EVENTS and not (fact.kind == c.ABANDONED and fact.reason != c.IN_LOT):
            write = _new if age == "22" else _old
            headers = [("Event", EVENTS[fact.kind]), *write(fact, age, first + fact.slot, lot, epoch_s)]
            blocks.append(Block(epoch_s * 1_000_000 + fact.time_us, tuple(headers)))
    return blocks


def _seconds_left(fact: Fact) -> str:
    return str(0 if fact.deadline_us < 0 else (fact.deadline_us - fact.time_us) // 1_000_000)


def _new(fact: Fact, _: str, slot: int, lot: str, epoch_s: int) -> Sequence[tuple[str, str]]:
    name, unique = f"PJSIP/trunk-{fact.call:08x}", f"{epoch_s}.{fact.call}"
    headers = [
        ("ParkeeChannel", name),
        ("ParkeeChannelStateDesc", "Up"),
        ("ParkeeCallerIDNum", f"555-01{fact.call % 100:02d}"),
        ("ParkeeCallerIDName", "<unknown>"),
        ("ParkeeUniqueid", unique),
        ("ParkerDialString", f"PJSIP/{200 + max(fact.extension, 0)}"),
        ("Parkinglot", lot),
        ("ParkingSpace", str(slot)),
        ("ParkingTimeout", _seconds_left(fact) if fact.kind == c.PARKED else "0"),
        ("ParkingDuration", "0"),
    ]
    if fact.kind == c.RETRIEVED:
        headers.append(("RetrieverChannel", f"PJSIP/{300 + max(fact.extension, 0)}-{fact.call:08x}"))
    return headers


def _old(fact: Fact, age: str, slot: int, lot: str, epoch_s: int) -> Sequence[tuple[str, str]]:
    named = [] if age == "1.4" else [("Parkinglot", lot)]
    caller = [
        ("CallerID" if age == "1.4" else "CallerIDNum", f"55501{fact.call % 100:02d}"),
        ("CallerIDName", "<unknown>"),
    ]
    headers = [("Exten", str(slot)), ("Channel", f"SIP/trunk-{fact.call:08x}"), *named]
    if fact.kind == c.PARKED:
        headers += [("From", f"SIP/{200 + max(fact.extension, 0)}-{fact.call:08x}"), ("Timeout", _seconds_left(fact))]
    elif fact.kind == c.RETRIEVED:
        headers.append(("From", f"SIP/{300 + max(fact.extension, 0)}-{fact.call:08x}"))
    unique = {
        "1.4": [],
        "1.8": [("Uniqueid", f"{epoch_s}.{fact.call}")],
        "11": [("UniqueID", f"{epoch_s}.{fact.call}")],
    }
    return [*headers, *caller, *unique[age]]
