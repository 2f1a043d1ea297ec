"""FreeSWITCH's valet parking: ``valet_parking::info`` as the event socket sends it, plain, JSON or XML.

Source: mod_valet_parking.c and switch_event.c. ``Action: hold`` parks, ``bridge`` then ``exit`` is a retrieval. An
``exit`` without a bridge is a time-out or a hang-up, and the event does not say which: it is taken as a time-out where
the call was held for ``valet_parking_timeout`` seconds (60 where only an orbit is set), and as a hang-up otherwise.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from urllib.parse import unquote
from xml.etree import ElementTree as ET

from parksim.errors import LogError
from parksim.pbx.formats.content import Source
from parksim.pbx.formats.entry import CUT, Entry, Findings, Reader, instant_us
from parksim.pbx.formats.facts import fact

FORM: Final = "FreeSWITCH's valet events"
ORBIT_LIMIT: Final = "60"
EARLY_US: Final = 5_000
"""A time-out may come this much before its second, as events may be off by so much."""
LONGEST_EVENT: Final = 1024 * 1024
_MARKS: Final = ("Event-Subclass", "Event-Name", "text/event-plain", "text/event-json", "text/event-xml", "<event>")
_INFERRED: Final = "what ends a stay without a bridge is not said"
_EFFECT: Final = "a call held for its valet_parking_timeout has timed out, any other has hung up"


def _recognises(head: Sequence[str]) -> bool:
    return any(mark in line for line in head[:30] for mark in _MARKS)


def _entries(source: Source, findings: Findings) -> Iterator[Entry]:
    held: dict[str, tuple[int, int]] = {}
    bridged: set[str] = set()
    for line, event in _events(source):
        if unquote(event.get("Event-Subclass", "")) != "valet_parking::info":
            continue
        call, action = event.get("Unique-ID", ""), event.get("Action", "")
        stamp = event.get("Event-Date-Timestamp")
        if not call or action not in {"hold", "bridge", "exit"}:
            rule = "a valet event needs Action (hold, bridge or exit) and Unique-ID"
            raise LogError(source.path, line, rule, "record whole events: event plain CUSTOM valet_parking::info")
        step = "record whole events: event plain CUSTOM valet_parking::info"
        micros = instant_us(stamp, source.path, line, "Event-Date-Timestamp", step) if stamp is None else stamp
        if not re.fullmatch(r"\d{10,17}", str(micros)):
            raise LogError(source.path, line, f"{stamp!r:.40} is no Event-Date-Timestamp in microseconds", step)
        time_us, limit = int(micros), _limit(event)
        more = {"lot": _lot(event), "slot": _slot(event.get("Valet-Extension", ""))}
        if action == "hold":
            held[call] = time_us, int(limit or 0) * 1_000_000
            bridged.discard(call)
            parker = event.get("variable_referred_by_user", "")
            yield fact(line, time_us, "parked", call, limit=limit or "0", parker=parker, **more)
        elif action == "bridge":
            bridged.add(call)
            yield fact(line, time_us, "retrieved", call, retriever=event.get("Bridge-To-UUID", ""), **more)
        elif call not in bridged:
            since_us, limit_us = held.pop(call, (0, 0))
            findings.add(source.path, line, _INFERRED, _EFFECT)
            is_over = 0 < limit_us <= time_us - since_us + EARLY_US
            yield fact(line, time_us, "expired" if is_over else "abandoned", call, **more)


def _limit(event: Mapping[str, str]) -> str:
    """Return the longest stay in seconds; nothing for none."""
    limit = event.get("variable_valet_parking_timeout", "")
    if re.fullmatch(r"[0-9]{1,7}", limit):
        return limit
    return ORBIT_LIMIT if event.get("variable_valet_parking_orbit_exten") else ""


def _lot(event: Mapping[str, str]) -> str:
    return event.get("Valet-Lot-Name", "").partition("@")[0]


def _slot(label: str) -> str:
    """Return the number of a slot, which FreeSWITCH takes as any text: the digits of it."""
    return re.sub(r"[^0-9]", "", label)[:9] or label


def _events(source: Source) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line, headers) of each event, in whichever of the three ways it is written."""
    block: list[str] = []
    size = first = number = 0
    for number, line in source.texts():
        text = line.strip()
        first = first if block else number
        if text:
            block.append(text)
            size += len(text)
        if size > LONGEST_EVENT:
            raise LogError(source.path, first, "an event that does not end", "record events as the socket sends them")
        if block and _closed(block, text):
            yield first, _headers(block, source, first)
            block, size = [], 0
    if block:
        if not source.ended:
            raise LogError(source.path, number, CUT, "copy it again, or remove that event")
        yield first, _headers(block, source, first)


def _closed(block: list[str], text: str) -> bool:
    """Tell whether an event is whole: at an empty line, or at its own closing brace or tag."""
    if block[0].startswith("{"):
        return text.endswith("}") and (len(block) > 1 or _is_json(text))
    if block[0].startswith("<"):
        return text.endswith("</event>")
    return not text


def _is_json(text: str) -> bool:
    return text.count("{") <= text.count("}")


def _headers(block: list[str], source: Source, line: int) -> dict[str, str]:
    """Return the headers of an event.

    Raises:
        LogError: its JSON or XML is broken.
    """
    text = "\n".join(block)
    try:
        if text.startswith("{"):
            record = json.loads(text)
            return {key: str(value) for key, value in record.items()} if isinstance(record, dict) else {}
        if text.startswith("<"):
            if "<!" in text:
                return {}
            found = ET.fromstring(text)  # noqa: S314 - without a DOCTYPE nothing expands
            return {one.tag: unquote((one.text or "").strip()) for one in found.iter()}
    except (ValueError, RecursionError, ET.ParseError):
        raise LogError(source.path, line, "this event is broken", "copy the file again, or remove it") from None
    pairs = (one.partition(":") for one in block)
    return {key.strip(): unquote(value.strip()) for key, colon, value in pairs if colon}


READER: Final = Reader(
    FORM,
    _recognises,
    _entries,
    frozenset({"slots", "limits", "parkers", "retrievers"}),
    "record the event socket's CUSTOM valet_parking::info",
)
