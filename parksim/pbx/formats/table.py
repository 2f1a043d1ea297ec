"""The table of all forms: which reader reads a file, and what each form can tell."""

from collections.abc import Sequence
from typing import Final

from parksim.errors import LogError
from parksim.pbx.formats import (
    ami,
    asterisk_cdr,
    cel,
    columns,
    cucm_cdr,
    freeswitch,
    freeswitch_cdr,
    json_lines,
    queue_log,
    threecx,
)
from parksim.pbx.formats.content import Source
from parksim.pbx.formats.entry import Reader
from parksim.pbx.formats.facts import first_cells, is_instant, offered_to_a_scenario

READERS: Final[Sequence[Reader]] = (
    freeswitch.READER,
    cel.READER,
    json_lines.READER,
    queue_log.READER,
    asterisk_cdr.READER,
    freeswitch_cdr.READER,
    cucm_cdr.READER,
    threecx.READER,
    columns.READER,
    ami.READER,
)
"""The readers in the order in which they are asked; a new form is a file of this package and a line here."""
JOURNAL: Final = "a journal of parksim"


def reader_of(source: Source, cel_columns: Sequence[str] = ()) -> Reader:
    """Return the reader that recognises a file by its first lines.

    Args:
        source: the file, opened.
        cel_columns: the columns of a CEL without a header; a file that no other reader recognises has them.

    Raises:
        LogError: none does.
    """
    head = [line for _, line in source.head]
    for reader in READERS:
        if reader.recognises(head):
            return cel.reader(cel_columns) if cel_columns and reader.form == cel.FORM else reader
    if cel_columns:
        return cel.reader(cel_columns)
    forms = (
        f"{json_lines.FORM}, {ami.FORM} (Event: ParkedCall ...), {columns.FORM} with the columns "
        f"{', '.join(columns.NEEDED)}, or {JOURNAL}"
    )
    cells = first_cells(head)
    dates = [place for place, cell in enumerate(cells, 1) if len(cells) > 1 and is_instant(cell)]
    calls = f"; or, if these are calls, {offered_to_a_scenario(source.path.name, str(dates[0]))}" if dates else ""
    raise LogError(source.path, source.head[0][0], "parksim cannot read this as a log", f"supply {forms}{calls}")
