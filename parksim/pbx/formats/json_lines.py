"""Asterisk's events as JSON Lines, as a recorder writes them.

One object a line with ``Event`` (or ``kind``) and ``t``, seconds since the start of the recording, or AMI's own
``Timestamp``. A line of kind ``meta`` may name the lots; lines of kind ``cmd`` are requests that were sent to the PBX.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from parksim.errors import LogError
from parksim.pbx.formats.content import Source
from parksim.pbx.formats.entry import CUT, Entry, Findings, Reader, instant_us

FORM = "Asterisk events as JSON Lines"
_TIMESTAMPS = "set timestampevents = yes in manager.conf and record again"


def _recognises(head: Sequence[str]) -> bool:
    return head[0].lstrip().startswith("{") or bool(re.match(r"\s*\[\s*(\{|$)", head[0]))


def _entries(source: Source, findings: Findings) -> Iterator[Entry]:
    if source.head[0][1].lstrip().startswith("["):
        rule, step = "this looks like one JSON array", "write one object per line (jq -c '.[]')"
        raise LogError(source.path, source.head[0][0], rule, step)
    lines = source.texts()
    for number, line in lines:
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            if next(lines, None) is None and not source.ended:
                raise LogError(source.path, number, CUT, "copy it again, or remove that line") from None
            rule = "this is not a JSON object"
            raise LogError(source.path, number, rule, "write one whole object per line") from None
        if not isinstance(record, dict) or not ({"kind", "Event"} & record.keys()):
            rule = "this is not an event of a PBX: it has neither Event nor kind"
            raise LogError(source.path, number, rule, f"supply {FORM}")
        if record.get("kind") == "meta":
            findings.meta.update(record)
        if record.get("kind") == "snapshot":
            findings.listed.update(re.findall(r': *"([^"]+)"', _plain(record.get("slots", ""))))
        instant = record.get("Timestamp", record.get("t"))
        time_us = instant_us(instant, source.path, number, "t (seconds) or Timestamp", _TIMESTAMPS)
        yield Entry(number, time_us, {key: _plain(value) for key, value in record.items()})


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


READER = Reader(
    FORM,
    _recognises,
    _entries,
    frozenset({"slots", "limits", "refusals", "parkers", "retrievers", "offered", "waits", "returns", "settings"}),
)
