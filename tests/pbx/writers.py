"""Facts of a journal, or rows of a log, written in the forms of real systems; only tests write them.

The layouts are those that the readers name as their sources. Instants count from ``EPOCH_S``.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from parksim.rules import codes as c

EPOCH_S: Final = 1_772_409_600
"""2026-03-02 00:00 UTC."""
FIRST: Final = 701
_REASONS: Final = {c.RETRIEVED: "ParkedCallUnparked", c.EXPIRED: "ParkedCallTimeOut", c.ABANDONED: "ParkedCallGiveUp"}
_OLD: Final = _REASONS | {c.RETRIEVED: "UnParkedCall"}


def _stamp(time_us: int) -> str:
    return f"{EPOCH_S + time_us // 1_000_000}.{time_us % 1_000_000:06d}"


def _unique(call: object) -> str:
    return f"{EPOCH_S}.{call}"


def is_stay(fact: Any) -> bool:
    """Tell whether a fact begins or ends a stay."""
    return fact.kind in (c.PARKED, c.RETRIEVED, c.EXPIRED) or (fact.kind == c.ABANDONED and fact.reason == c.IN_LOT)


def cel_rows(facts: Iterable[Any], *, old: bool = False, around: bool = True) -> Iterator[list[str]]:
    """Yield the cells of CEL's events: of Asterisk 12 and newer, or ``old``, of 1.8 to 11."""
    for fact in facts:
        kind, user, extra, peer = "", "", {}, ""
        if is_stay(fact):
            kind = "PARK_START" if fact.kind == c.PARKED else "PARK_END"
            if old:
                user = "default" if fact.kind == c.PARKED else _OLD[fact.kind]
                peer = f"PJSIP/{1000 + fact.extension}"
            elif fact.kind == c.PARKED:
                extra = {"parker_dial_string": f"PJSIP/{1000 + fact.extension}", "parking_lot": "default"}
            else:
                extra = {"reason": _REASONS[fact.kind]}
        elif fact.kind == c.REFUSED:
            kind, extra = "PARK_END", {"reason": "ParkedCallFailed"}
            user = "ParkedCallFailed" if old else ""
        elif around:
            kind = {c.OFFERED: "CHAN_START", c.ANSWERED: "BRIDGE_ENTER", c.RECALL_ANSWERED: "BRIDGE_ENTER"}.get(
                fact.kind, "HANGUP" if fact.kind in (c.ENDED, c.LOST, c.ABANDONED) else ""
            )
        if kind:
            call = _unique(fact.call)
            yield [
                *(kind, _stamp(fact.time_us), "Ann", "5550100", "5550100", "", "5550199", "700", "inbound"),
                *(f"PJSIP/trunk-{fact.call:08x}", "Park", "", "3", "", call, call, peer, "", user),
                "" if old or not extra else json.dumps(extra),
            ]


def cel_text(facts: Iterable[Any], *, old: bool = False, around: bool = True) -> str:
    """Return cel_custom's file: quoted, without a header."""
    rows = cel_rows(facts, old=old, around=around)
    return "".join(",".join(f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in row) + "\n" for row in rows)


def queue_log_text(facts: Iterable[Any]) -> str:
    """Return the queue's log; instants are whole seconds."""
    lines = [f"{EPOCH_S}|NONE|NONE|NONE|QUEUESTART|"]
    for fact in facts:
        event = {
            (c.OFFERED, c.NO_REASON): "NONE|ENTERQUEUE||5550100|1",
            (c.ANSWERED, c.NO_REASON): f"PJSIP/{1000 + fact.extension}|CONNECT|1|{EPOCH_S}.9|1",
            (c.ABANDONED, c.WAITING): "NONE|ABANDON|1|1|9",
            (c.ENDED, c.TALKED): f"PJSIP/{1000 + fact.extension}|COMPLETECALLER|1|1|1",
            (c.PARKED, c.NO_REASON): f"PJSIP/{1000 + fact.extension}|BLINDTRANSFER|700|inbound|1|1|1",
        }.get((fact.kind, fact.reason))
        if event:
            lines.append(f"{EPOCH_S + fact.time_us // 1_000_000}|{_unique(fact.call)}|desk|{event}")
    return "\n".join(lines) + "\n"


def freeswitch_events(facts: Iterable[Any]) -> Iterator[dict[str, str]]:
    """Yield the headers of the valet events; a retrieval is a bridge and then an exit."""
    limits_us: dict[int, int] = {}
    for fact in facts:
        if not is_stay(fact):
            continue
        if fact.kind == c.PARKED:
            limits_us[fact.call] = fact.deadline_us - fact.time_us if fact.deadline_us >= 0 else 0
        actions = {c.PARKED: ["hold"], c.RETRIEVED: ["bridge", "exit"]}.get(fact.kind, ["exit"])
        for place, action in enumerate(actions):
            event = {
                "Event-Subclass": "valet_parking::info",
                "Event-Name": "CUSTOM",
                "FreeSWITCH-Hostname": "pbx",
                "Event-Date-Timestamp": str(EPOCH_S * 1_000_000 + fact.time_us + place),
                "Valet-Lot-Name": "park@pbx.example",
                "Valet-Extension": str(FIRST + fact.slot),
                "Action": action,
                "Channel-Name": "sofia/internal/5550100@192.0.2.1",
                "Unique-ID": f"00000000-0000-4000-8000-{fact.call:012d}",
            }
            if action == "bridge":
                event["Bridge-To-UUID"] = f"00000000-0000-4000-9000-{fact.call:012d}"
            if limits_us.get(fact.call):
                event["variable_valet_parking_timeout"] = str(limits_us[fact.call] // 1_000_000)
            yield event


def freeswitch_text(facts: Iterable[Any], form: str) -> str:
    """Return the events as the socket sends them: plain, json, lines (a JSON object each) or xml."""
    blocks = []
    for event in freeswitch_events(facts):
        if form == "lines":
            blocks.append(json.dumps(event) + "\n")
            continue
        if form == "json":
            body = json.dumps(event, indent=1)
        elif form == "xml":
            inner = "".join(f"    <{key}>{quote(value, safe=' @/.-')}</{key}>\n" for key, value in event.items())
            body = f"<event>\n  <headers>\n{inner}  </headers>\n</event>"
        else:
            body = "\n".join(f"{key}: {quote(value, safe=' @/.-')}" for key, value in event.items())
        blocks.append(f"Content-Length: {len(body)}\nContent-Type: text/event-{form}\n\n{body}\n\n")
    return "".join(blocks)


SQL_HEADER: Final = (
    "id,eventtype,eventtime,cid_name,cid_num,cid_ani,cid_rdnis,cid_dnid,exten,context,channame,appname,appdata,"
    "amaflags,accountcode,uniqueid,linkedid,peer,userdeftype,extra"
)


def cel_sql_text(facts: Iterable[Any]) -> str:
    """Return an export of the SQL table: a header, and dates of whole seconds."""
    lines = [SQL_HEADER]
    for number, row in enumerate(cel_rows(facts), 1):
        seconds = int(row[1].partition(".")[0])
        row[1] = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
        cells = [str(number), *row[:17], *row[18:]]
        lines.append(",".join(f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in cells))
    return "\n".join(lines) + "\n"


def cdr_text(facts: Iterable[Any], form: str) -> str:
    """Return call detail records: "asterisk", "freeswitch", "cucm" or "3cx"; a line for each call, when it ends."""
    begun: dict[int, int] = {}
    answered: dict[int, int] = {}
    lines = []
    if form == "cucm":
        lines = [",".join(_CUCM), ",".join(["INTEGER"] * 6 + ["VARCHAR(50)"])]
    elif form == "3cx":
        lines = ["Call Time,Call ID,From,To,Direction,Status,Ringing,Talking"]
    for fact in facts:
        if fact.kind == c.OFFERED:
            begun[fact.call] = fact.time_us // 1_000_000
        elif fact.kind == c.ANSWERED:
            answered[fact.call] = fact.time_us // 1_000_000
        elif fact.kind in (c.ENDED, c.LOST) or (fact.kind == c.ABANDONED and fact.call in begun):
            spans = begun.pop(fact.call), answered.pop(fact.call, None), fact.time_us // 1_000_000
            lines.append(_cdr_line(form, fact.call, *spans))
    return "\n".join(lines) + "\n"


_CUCM: Final = (
    *("cdrRecordType", "globalCallID_callId", "origLegCallIdentifier", "dateTimeOrigination", "dateTimeConnect"),
    *("dateTimeDisconnect", "lastRedirectRedirectReason"),
)


def _cdr_line(form: str, call: int, begun_s: int, answered_s: int | None, ended_s: int) -> str:
    def date(seconds: int | None) -> str:
        return "" if seconds is None else f"{datetime.fromtimestamp(EPOCH_S + seconds, UTC):%Y-%m-%d %H:%M:%S}"

    def span(seconds: int) -> str:
        return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"

    stamps = date(begun_s), date(answered_s), date(ended_s)
    if form == "asterisk":
        way = "NO ANSWER" if answered_s is None else "ANSWERED"
        cells = ["", "5550100", "700", "inbound", '""Ann"" <5550100>', f"PJSIP/trunk-{call:08x}", "", "Dial", ""]
        return ",".join(f'"{cell}"' for cell in (*cells, *stamps, "9", "9", way, "DOCUMENTATION", _unique(call)))
    if form == "freeswitch":
        uuid = f"00000000-0000-4000-8000-{call:012d}"
        cells = ["Ann", "5550100", "700", "default", *stamps, "9", "9", "NORMAL_CLEARING", uuid, "", "", "PCMU", "PCMU"]
        return ",".join(f'"{cell}"' for cell in cells)
    if form == "cucm":
        instants = (EPOCH_S + begun_s, 0 if answered_s is None else EPOCH_S + answered_s, EPOCH_S + ended_s)
        return ",".join(map(str, (1, call, call, *instants, 0)))
    until_s = ended_s if answered_s is None else answered_s
    talking = "" if answered_s is None else span(ended_s - answered_s)
    return f"{stamps[0]},{call},5550100,700,Inbound,Answered,{span(until_s - begun_s)},{talking}"
