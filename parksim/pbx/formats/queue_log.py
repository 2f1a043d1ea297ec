"""Asterisk's queue_log: who called, who waited, who gave up, who answered; what parking events do not tell.

Source: main/logger.c and apps/app_queue.c. ``epoch|callid|queue|agent|event|data1|...``; the call's id is the channel's
unique id. A blind transfer to the parking extension is a park, of which other logs tell the rest.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from parksim.errors import LogError
from parksim.pbx.formats.content import Source
from parksim.pbx.formats.entry import CUT, Entry, Findings, Reader, instant_us
from parksim.pbx.formats.facts import fact

FORM: Final = "queue_log"
_LINE: Final = re.compile(r"\d{9,10}(\.\d+)?\|[^|]*\|[^|]*\|[^|]*\|[A-Z]{3,30}(\||$)")
_FACTS: Final = {
    "ENTERQUEUE": "offered",
    "CONNECT": "answered",
    "ABANDON": "unanswered",
    "COMPLETEAGENT": "ended",
    "COMPLETECALLER": "ended",
}
_NO_CALL: Final = frozenset({"NONE", "MANAGER", "REALTIME", ""})


def _recognises(head: Sequence[str]) -> bool:
    return bool(_LINE.match(head[0]))


def _entries(source: Source, findings: Findings) -> Iterator[Entry]:
    lines = source.texts()
    for number, line in lines:
        if not line.strip():
            continue
        cells = line.split("|")
        if len(cells) < 5:
            cut = next(lines, None) is None and not source.ended
            rule = CUT if cut else f"{line[:40]!r} is no line of a {FORM}"
            raise LogError(source.path, number, rule, "copy the file again, or remove that line")
        event, agent = cells[4].strip(), cells[3].strip()
        if event not in _FACTS or cells[1] in _NO_CALL:
            continue
        time_us = instant_us(cells[0], source.path, number, "its first field", "copy the file again")
        if event == "CONNECT":
            findings.agents.add(agent)
        yield fact(number, time_us, _FACTS[event], cells[1], parker=agent if event == "CONNECT" else "")


READER: Final = Reader(
    FORM,
    _recognises,
    _entries,
    frozenset({"offered", "waits", "attendants"}),
    "supply it together with the PBX's CEL or AMI events, which tell of parks",
)
