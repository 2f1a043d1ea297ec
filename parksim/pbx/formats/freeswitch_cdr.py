"""FreeSWITCH's call detail records, mod_cdr_csv with the template "example": no header, 12 to 17 columns."""

from collections.abc import Iterator, Sequence
from typing import Final
from zoneinfo import ZoneInfo

from parksim.pbx.formats import records
from parksim.pbx.formats.content import Source
from parksim.pbx.formats.facts import cells_of, csv_instant_us, first_cells, is_instant

FORM: Final = "FreeSWITCH's CDR (cdr_csv)"
_START, _ANSWER, _END, _CAUSE, _UUID = 4, 5, 6, 9, 10


def _recognises(head: Sequence[str]) -> bool:
    cells = first_cells(head)
    if not _UUID < len(cells) <= 20 or not (is_instant(cells[_START]) and is_instant(cells[_END])):
        return False
    return cells[_CAUSE].replace("_", "").isupper() and len(cells[_UUID]) == 36


def _records(source: Source, zone: ZoneInfo | None) -> Iterator[records.Record]:
    for line, cells in cells_of(source):
        begun_us, _ = csv_instant_us(cells[_START], source.path, line, zone)
        answered_us = csv_instant_us(cells[_ANSWER], source.path, line, zone)[0] if cells[_ANSWER] else None
        ended_us = csv_instant_us(cells[_END], source.path, line, zone)[0] if cells[_END] else begun_us
        yield records.Record(line, cells[_UUID], begun_us, answered_us, ended_us)


READER: Final = records.reader(FORM, _recognises, _records, "the template has no column for it", str(_START + 1))
