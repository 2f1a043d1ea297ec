"""Asterisk's channel event log (CEL), which tells refused parks, and no slots.

Source: main/cel.c, cel/cel_custom.c and configs/samples/cel_custom.conf.sample of Asterisk 12 and newer,
main/features.c of 1.8 and 11. Without a header a row has the 20 columns of the sample mapping; a header, or
``--columns``, names others; the SQL table has a header when it is exported; Asterisk 22 also writes JSON. PARK_START
names the lot, in ``extra`` as JSON, or before Asterisk 12 in ``userdeftype``, and the parker. PARK_END has the
reason; a failed one without PARK_START is a refused park.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from parksim.errors import LogError
from parksim.pbx.formats.content import Source, did_you_mean
from parksim.pbx.formats.entry import Entry, Findings, Reader
from parksim.pbx.formats.facts import cells_of, csv_instant_us, fact, first_cells, is_instant

FORM: Final = "Asterisk's CEL"
COLUMNS: Final = (
    *("eventtype", "eventtime", "cid_name", "cid_num", "cid_ani", "cid_rdnis", "cid_dnid", "exten", "context"),
    *("channame", "appname", "appdata", "amaflags", "accountcode", "uniqueid", "linkedid", "peer", "userfield"),
    *("userdeftype", "eventextra"),
)
"""The columns of the sample mapping of cel_custom."""
NEEDED: Final = ("eventtype", "eventtime", "uniqueid")
_ALIASES: Final = {"extra": "eventextra", "eventname": "eventtype", "peername": "peer"}
_KNOWN: Final = frozenset({*COLUMNS, *_ALIASES, "id"})
_TYPES: Final = frozenset(
    [
        *("CHAN_START", "CHAN_END", "ANSWER", "HANGUP", "APP_START", "APP_END", "PARK_START", "PARK_END"),
        *("BRIDGE_START", "BRIDGE_END", "BRIDGE_ENTER", "BRIDGE_EXIT", "BRIDGE_UPDATE", "CONF_START", "CONF_END"),
        *("BLINDTRANSFER", "ATTENDEDTRANSFER", "TRANSFER", "PICKUP", "FORWARD", "3WAY_START", "HOOKFLASH"),
        *("LINKEDID_END", "USER_DEFINED", "LOCAL_OPTIMIZE", "LOCAL_OPTIMIZE_BEGIN", "HOLD", "UNHOLD", "DTMF"),
    ]
)
_ENDS: Final = {
    "parkedcallunparked": "retrieved",
    "unparkedcall": "retrieved",
    "parkedcalltimeout": "expired",
    "parkedcallgiveup": "abandoned",
    "parkedcallfailed": "refused",
}
"""What ends a stay, by the reason of PARK_END."""
TWICE_US: Final = 50_000
"""A refused park is written by the lot and by Park(), 0.1 to 0.2 ms apart (seen with Asterisk 22.10)."""
SWITCH_ON: Final = (
    "in cel.conf set enable = yes, apps = all and "
    "events = CHAN_START,CHAN_END,ANSWER,HANGUP,BRIDGE_ENTER,PARK_START,PARK_END, and record again"
)


def _recognises(head: Sequence[str]) -> bool:
    if head[0].startswith("{"):
        return '"eventtype"' in head[0][:4000].lower() and '"eventtime"' in head[0][:4000].lower()
    cells = first_cells(head)
    if _header(cells):
        return True
    return len(cells) > 14 and cells[0] in _TYPES and is_instant(cells[1])


def _header(cells: Sequence[str]) -> list[str]:
    """Return the names of the columns if a row names them; none otherwise."""
    words = [_word(cell) for cell in cells]
    return words if len({"eventtype", "eventtime"} & set(words)) == 2 else []


def _word(cell: str) -> str:
    word = re.sub(r"[^a-z_]", "", cell.lower())
    return _ALIASES.get(word, word)


def columns_of(text: str) -> tuple[str, ...]:
    """Return the names of the columns that an option gives."""
    return tuple(_word(cell) for cell in text.split(",")) if text else ()


def reader(columns: Sequence[str] = COLUMNS) -> Reader:
    """Return the reader of files without a header that have these columns."""

    def entries(source: Source, findings: Findings) -> Iterator[Entry]:
        return _entries(source, findings, columns)

    return Reader(FORM, _recognises, entries, frozenset({"refusals", "parkers", "retrievers", "waits"}), SWITCH_ON)


def _entries(source: Source, findings: Findings, columns: Sequence[str]) -> Iterator[Entry]:
    parked: set[str] = set()
    refused_us: dict[str, int] = {}
    whole, time_us = True, 0
    is_json = source.head[0][1].startswith("{")
    for number, row in _json_rows(source) if is_json else _rows(source, columns):
        if missing := [name for name in NEEDED if name not in row]:
            near = did_you_mean(missing[0], row, f"name it with --columns {','.join(NEEDED)},...")
            raise LogError(source.path, number, f"no column of this {FORM} is {missing[0]}", near)
        time_us, _ = csv_instant_us(row.get("eventtime", ""), source.path, number, findings.zone, time_us)
        whole = whole and time_us % 1_000_000 == 0
        entry = _fact(row, number, time_us, parked)
        if entry is None:
            continue
        if entry.fields["event"] == "refused":
            before_us = refused_us.get(entry.fields["call"])
            refused_us[entry.fields["call"]] = time_us
            within_us = 1_000_000 if time_us % 1_000_000 == 0 else TWICE_US
            if before_us is not None and time_us - before_us <= within_us:
                continue
        yield entry
    if whole:
        findings.exact_us = 1_000_000


def _rows(source: Source, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line, cells by column) of a file of cells."""
    names = list(columns)
    for number, cells in cells_of(source):
        if header := _header(cells):
            names = header
        else:
            yield number, dict(zip(names, cells, strict=False))


def _json_rows(source: Source) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line, cells by column) of a file with a JSON object each line."""
    for number, line in source.texts():
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        if not isinstance(record, dict):
            rule = f"this is no JSON object, as each line of this {FORM} is"
            raise LogError(source.path, number, rule, "copy the file again, or remove that line")
        yield (
            number,
            {_word(key): value if isinstance(value, str) else json.dumps(value) for key, value in record.items()},
        )


def _fact(row: Mapping[str, str], line: int, time_us: int, parked: set[str]) -> Entry | None:
    """Return what an event of CEL says of a call; None for events that say nothing."""
    call, kind = row.get("uniqueid", ""), row.get("eventtype", "")
    if not call:
        return None
    if kind == "PARK_START":
        extra = _extra(row)
        parked.add(call)
        parker = str(extra.get("parker_dial_string") or row.get("peer", ""))
        lot = str(extra.get("parking_lot") or row.get("userdeftype", ""))
        return fact(line, time_us, "parked", call, lot=lot, parker=parker)
    if kind == "PARK_END":
        extra = _extra(row)
        reason = str(extra.get("reason") or row.get("userdeftype", ""))
        event = _ENDS.get(reason.lower(), "")
        if event == "refused" and call in parked:
            event = "abandoned"
        if event != "refused":
            parked.discard(call)
        retriever = str(extra.get("retriever") or row.get("peer", ""))
        return fact(line, time_us, event, call, retriever=retriever) if event else None
    if kind == "CHAN_START" and row.get("linkedid", call) == call:
        return fact(line, time_us, "offered", call)
    if kind in {"ANSWER", "BRIDGE_ENTER", "BRIDGE_START"}:
        if "holding_bridge" in row.get("eventextra", ""):  # the lot's own, or music on hold
            return None
        return fact(line, time_us, "answered", call)
    return fact(line, time_us, "ended", call) if kind == "HANGUP" else None


def _extra(row: Mapping[str, str]) -> dict[str, Any]:
    """Return the JSON of an event's extra; empty where it has no such field."""
    try:
        extra = json.loads(row.get("eventextra") or "{}")
    except (ValueError, RecursionError):
        return {}
    return extra if isinstance(extra, dict) else {}


READER: Final = reader()
