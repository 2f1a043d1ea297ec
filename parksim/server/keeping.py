"""The keeper of a session: while the desk serves, it writes a checkpoint whenever enough has happened since the last.

What the desk knows is taken in one moment; it becomes JSON in slices, between which the loop has its turn, and goes to
the disk in a thread.
"""

import asyncio
import logging
from typing import Final, Protocol

from parksim.engines.live import Switchboard
from parksim.engines.processes import without_collector
from parksim.server.checkpoint import Checkpoint, pieces, store
from parksim.server.desk_state import DeskState
from parksim.server.session import Session

_LOG: Final = logging.getLogger(__name__)
LOOK_EVERY_S: Final = 0.5
FACTS: Final = 2_000
"""Facts that are replayed in some tenths of a second."""
LINES: Final = 2_000
"""Lines, mostly marks of a quiet time, that are read in less."""
SHARE_OF_CALLS: Final = 0.1
"""With very many live calls, a checkpoint costs more than their facts: then it waits for this many facts a call."""


class Known(Protocol):
    """A desk, as far as its keeper goes."""

    switchboard: Switchboard

    @property
    def state(self) -> DeskState:
        """Everything that it knows."""

    @property
    def happened(self) -> int:
        """How many facts there were."""

    @property
    def live(self) -> int:
        """How many calls are live."""


class Keeper:
    """Keeps checkpoints of a desk beside its session file.

    Args:
        desk: whose state is kept.
        session: the session file, which is open.
    """

    def __init__(self, desk: Known, session: Session) -> None:
        self._desk = desk
        self._session = session
        self._facts, self._lines = session.in_checkpoint
        self._told = False

    async def run(self) -> None:
        """Keep checkpoints until it is cancelled, or the session is closed."""
        while not self._session.closed:
            await asyncio.sleep(LOOK_EVERY_S)
            if self._is_due() and not self._session.closed:
                await self._keep()

    def _is_due(self) -> bool:
        facts = max(FACTS, SHARE_OF_CALLS * self._desk.live)
        return self._desk.happened - self._facts >= facts or self._session.lines - self._lines >= LINES

    async def _keep(self) -> None:
        try:
            await self.keep()
            self._told = False
        except OSError as error:
            self._tell(f"cannot be written ({error.strerror})")
        except Exception as error:  # noqa: BLE001 - the desk serves on; a start replays more
            self._tell(f"cannot be made ({error}), which is a fault of parksim")

    async def keep(self) -> None:
        """Write a checkpoint of now.

        Raises:
            OSError: it cannot be written.
            StateError: what the desk knows cannot be written down.
        """
        self._session.mark(self._desk.switchboard.now_us)  # a full replay resumes from the same instant
        with without_collector():  # thousands of new rows: the search among them took four fifths of the time
            checkpoint = Checkpoint(self._session.place, self._desk.state)
        lines = []
        for line in pieces(checkpoint):
            lines.append(line)
            await asyncio.sleep(0)
        await asyncio.to_thread(store, self._session.path, lines, keep_newest=not self._session.note)
        self._session.note = ""
        self._facts, self._lines = checkpoint.state.changes, checkpoint.place.lines

    def _tell(self, what: str) -> None:
        if not self._told:
            _LOG.warning("%s: a checkpoint %s; the next start takes longer", self._session.path, what)
        self._told = True
