"""Cisco Unified CM's call detail records: a header, a line of SQL types, then a row for each part of a call.

Instants are seconds since 1970. A part that ended on behalf of Call Park (``...TerminationOnBehalfOf`` 3) was parked,
and one with ``lastRedirectRedirectReason`` 7, 8 or 11 is a park, its pick-up, or its return.
"""

from collections.abc import Iterator, Sequence
from typing import Final
from zoneinfo import ZoneInfo

from parksim.errors import LogError
from parksim.pbx.formats import records
from parksim.pbx.formats.content import Source
from parksim.pbx.formats.entry import instant_us
from parksim.pbx.formats.facts import cells_of, first_cells

FORM: Final = "Cisco Unified CM's CDR"
_BEGUN, _ANSWERED, _ENDED = "dateTimeOrigination", "dateTimeConnect", "dateTimeDisconnect"
_NEEDED: Final = ("globalCallID_callId", "origLegCallIdentifier", _BEGUN, _ANSWERED, _ENDED)
_PARKED: Final = ("origCallTerminationOnBehalfOf", "destCallTerminationOnBehalfOf")
_REASONS: Final = frozenset({"7", "8", "11"})


def _recognises(head: Sequence[str]) -> bool:
    return {"cdrRecordType", "globalCallID_callId"} <= {*first_cells(head)}


def _records(source: Source, zone: ZoneInfo | None) -> Iterator[records.Record]:  # noqa: ARG001 - its instants are UTC
    names: list[str] = []
    for line, cells in cells_of(source):
        if not names:
            names = cells
            if missing := [name for name in _NEEDED if name not in names]:
                rule = f"the columns of this {FORM} lack {' and '.join(missing)}"
                raise LogError(source.path, line, rule, "export all columns")
            continue
        row = dict(zip(names, cells, strict=False))
        if row[_BEGUN].upper() == "INTEGER":  # the line of SQL types
            continue
        begun_us, answered_us, ended_us = (_us(row[name], source, line, name) for name in (_BEGUN, _ANSWERED, _ENDED))
        call = (
            f"{row.get('globalCallID_callManagerId', '')}.{row['globalCallID_callId']}.{row['origLegCallIdentifier']}"
        )
        is_park = "3" in [row.get(name) for name in _PARKED] or row.get("lastRedirectRedirectReason") in _REASONS
        extension = row.get("finalCalledPartyNumber", "")
        yield records.Record(line, call, begun_us, answered_us or None, ended_us or begun_us, extension, is_park)


def _us(text: str, source: Source, line: int, name: str) -> int:
    return instant_us(text or "0", source.path, line, name, "export the file again")


READER: Final = records.reader(FORM, _recognises, _records, "on behalf of Call Park, or redirected by it", _BEGUN)
