"""Logs in other forms, and logs with a planted fault: what the tests of replays and calibrations share."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from parksim.rules import codes
from parksim.rules.lot import Fact

TRACES: Final = Path(__file__).parent / "traces"
SHARED: Final = Path(__file__).parents[3] / "shared" / "traces"
"""The unshortened recordings, where they lie beside the project."""
PARKING: Final = ("ParkedCall", "UnParkedCall", "ParkedCallTimeOut", "ParkedCallGiveUp")
EVENTS: Final = dict(zip((codes.PARKED, codes.RETRIEVED, codes.EXPIRED, codes.ABANDONED), PARKING, strict=True))
Line = dict[str, Any]


def lines_of(path: Path) -> list[Line]:
    """Return the lines of a recording."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write(path: Path, lines: list[Line]) -> Path:
    """Write lines as JSON Lines."""
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def parking(lines: list[Line]) -> list[int]:
    """Return the numbers of the lines that are parking events."""
    return [number for number, line in enumerate(lines) if line.get("Event") in PARKING]


def slot_key(lines: list[Line]) -> str:
    """Return under which key a recording has the slot."""
    return "slot" if any("slot" in lines[number] for number in parking(lines)) else "ParkingSpace"


def slot_of(line: Line) -> tuple[str, str]:
    """Return lot and slot of a parking event."""
    return str(line.get("lot", line.get("Parkinglot"))), str(line.get("slot", line.get("ParkingSpace")))


def pairs_of_one_slot(lines: list[Line], apart_s: float = 0.005) -> Iterator[tuple[int, int]]:
    """Yield the neighbouring events of each slot that are more than ``apart_s`` apart."""
    latest: dict[tuple[str, str], int] = {}
    for number in parking(lines):
        before = latest.get(slot_of(lines[number]))
        if before is not None and lines[number]["t"] - lines[before]["t"] > apart_s:
            yield before, number
        latest[slot_of(lines[number])] = number


def exchanged(lines: list[Line], one: int, other: int) -> list[Line]:
    """Return the lines with two events told at each other's instant."""
    changed = list(lines)
    changed[one] = lines[other] | {"t": lines[one]["t"]}
    changed[other] = lines[one] | {"t": lines[other]["t"]}
    return changed


def swapped(lines: list[Line], one: int, other: int) -> list[Line]:
    """Return the lines with two of them, instants and all, in each other's place."""
    changed = list(lines)
    changed[one], changed[other] = lines[other], lines[one]
    return changed


def changed_line(lines: list[Line], number: int, **fields: Any) -> list[Line]:
    """Return the lines with some fields of one line replaced."""
    return [line | fields if at == number else line for at, line in enumerate(lines)]


def ami_text(facts: list[Fact], epoch_s: int = 1_767_600_000, first: int = 701) -> str:
    """Return the parking events of a journal as AMI's text, with CRLF and the PBX's own instants."""
    blocks = ["Asterisk Call Manager/11.0.0", f"Event: FullyBooted\r\nTimestamp: {epoch_s:d}.000000\r\n"]
    for fact in facts:
        if fact.kind in EVENTS and not (fact.kind == codes.ABANDONED and fact.reason != codes.IN_LOT):
            left_s = 0 if fact.deadline_us < 0 else (fact.deadline_us - fact.time_us) // 1_000_000
            blocks.append(
                f"Event: {EVENTS[fact.kind]}\r\nPrivilege: call,all\r\n"
                f"Timestamp: {epoch_s + fact.time_us // 1_000_000}.{fact.time_us % 1_000_000:06d}\r\n"
                f"ParkeeChannel: PJSIP/trunk-{fact.call:08x}\r\nParkeeUniqueid: {epoch_s}.{fact.call}\r\n"
                f"ParkerDialString: PJSIP/{1000 + fact.extension}\r\nParkinglot: default\r\n"
                f"ParkingSpace: {first + fact.slot}\r\nParkingTimeout: {left_s}\r\nParkingDuration: 0\r\n"
            )
    return blocks[0] + "\r\n" + "\r\n".join(blocks[1:]) + "\r\n"


def csv_text(lines: list[Line]) -> str:
    """Return the parking events of a shortened recording as a CSV with other headings than its own."""
    rows = ["Time Stamp;Event;Call-ID;Parking Space;Lot;Timeout".replace("Time Stamp", "timestamp")]
    for number in parking(lines):
        line = lines[number]
        rows.append(
            f"{line['t']};{line['Event']};{line['call']};{line['slot']};{line['lot']};{line.get('limit_s', '')}"
        )
    return "\n".join(rows) + "\n"
