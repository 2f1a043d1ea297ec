"""Asterisk's call detail records, Master.csv (source: cdr/cdr_csv.c): no header, 16 to 21 columns."""

from collections.abc import Iterator, Sequence
from typing import Final
from zoneinfo import ZoneInfo

from parksim.pbx.formats import records
from parksim.pbx.formats.content import Source
from parksim.pbx.formats.facts import cells_of, csv_instant_us, first_cells, is_instant

FORM: Final = "Asterisk's CDR (Master.csv)"
_CHANNEL, _DEVICE, _APPLICATION, _START, _ANSWER, _END, _DISPOSITION, _UNIQUEID = 5, 6, 7, 9, 10, 11, 14, 16
_WAYS: Final = frozenset({"ANSWERED", "NO ANSWER", "BUSY", "FAILED", "CONGESTION"})


def _recognises(head: Sequence[str]) -> bool:
    cells = first_cells(head)
    return len(cells) > _DISPOSITION and is_instant(cells[_START]) and cells[_DISPOSITION] in _WAYS


def _records(source: Source, zone: ZoneInfo | None) -> Iterator[records.Record]:
    for line, cells in cells_of(source):
        begun_us, _ = csv_instant_us(cells[_START], source.path, line, zone)
        answered = cells[_DISPOSITION] == "ANSWERED" and cells[_ANSWER]
        answered_us = csv_instant_us(cells[_ANSWER], source.path, line, zone)[0] if answered else None
        ended_us = csv_instant_us(cells[_END], source.path, line, zone)[0] if cells[_END] else begun_us
        call = (cells[_UNIQUEID] if len(cells) > _UNIQUEID else "") or f"{cells[_CHANNEL]} {line}"
        is_park = cells[_APPLICATION] in {"Park", "ParkedCall"}
        yield records.Record(line, call, begun_us, answered_us, ended_us, cells[_DEVICE], is_park)


READER: Final = records.reader(FORM, _recognises, _records, "lastapp is Park or ParkedCall", str(_START + 1))
