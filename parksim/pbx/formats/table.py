"""The table of all forms: which reader reads a file, and what each form can tell."""

from collections.abc import Sequence
from typing import Final

from parksim.errors import LogError
from parksim.pbx.formats import ami, columns, json_lines
from parksim.pbx.formats.content import Source
from parksim.pbx.formats.entry import Reader

READERS: Final[Sequence[Reader]] = (json_lines.READER, columns.READER, ami.READER)
"""The readers in the order in which they are asked; a new form is a file of this package and a line here."""
JOURNAL: Final = "a journal of parksim"


def reader_of(source: Source) -> Reader:
    """Return the reader that recognises a file by its first lines.

    Raises:
        LogError: none does.
    """
    head = [line for _, line in source.head]
    for reader in READERS:
        if reader.recognises(head):
            return reader
    forms = (
        f"{json_lines.FORM}, {ami.FORM} (Event: ParkedCall ...), {columns.FORM} with the columns "
        f"{', '.join(columns.NEEDED)}, or {JOURNAL}"
    )
    raise LogError(source.path, source.head[0][0], "parksim cannot read this as a log", f"supply {forms}")
