"""How a desk resumes a session: it does again what follows the checkpoint, and puts the traffic off meanwhile."""

import time
from collections.abc import Iterable, Sequence
from typing import Protocol, Self

from parksim.engines.live import Switchboard
from parksim.errors import SessionError
from parksim.server.checkpoint import files
from parksim.server.desk_state import DeskState
from parksim.server.session import LAST_US, Record, Resumed, Session


class Resumable(Protocol):
    """A desk, as far as its resuming a session goes."""

    switchboard: Switchboard
    rate: float
    paused: bool
    begun_rate: float
    resumed_after_us: int
    cut_bytes: int
    notes: list[str]

    def become(self, state: DeskState) -> None:
        """Be as a state says."""

    def follow(self, records: Iterable[Record]) -> None:
        """Do again what followed."""

    def anew(self) -> Self:
        """Return a new one with the same arguments."""

    def unlike(self, other: Self) -> list[str]:
        """Return by name what another one knows otherwise."""


def resume(desk: Resumable, session: Session, rate: float, *, compare: bool) -> int:
    """Do again what the session has after the state that the desk is in; return the simulated instant of now.

    Args:
        desk: as its session's checkpoint says, or as it was when the session began.
        session: the session, which continues.
        rate: what the server begins with; one that differs from that of a change of the rate ends that change.
        compare: whether the checkpoint is held against what was done, which is the whole session.

    Raises:
        SessionError: a line cannot be done again, the file cannot be written, or the checkpoint leads elsewhere.
    """
    records, session.records = session.records, []  # of no further use, and many
    desk.cut_bytes, desk.notes = session.cut_bytes, [session.note] if session.note else []
    for number, record in zip(session.numbers, records, strict=True):
        try:
            desk.follow((record,))
        except Exception as error:
            raise SessionError(
                f"{session.path}, line {number}: cannot be done again ({error}); name another --session "
                "file, or cut the file before this line to lose what follows"
            ) from error
    if desk.begun_rate != rate:  # who names another rate than before wants that one
        desk.rate, desk.paused, desk.begun_rate = rate, False, rate
    now_us = max(desk.switchboard.reached_us, 0)
    if records:
        now_us = _put_off(desk, session, records[-1])
    if compare and session.checkpoint is not None:
        _compare(desk, session, records)
    session.checkpoint = None  # of no further use, and large
    return now_us


def _put_off(desk: Resumable, session: Session, last: Record) -> int:
    """Put the traffic off by the time that has passed; return the simulated instant of now."""
    at_us = max(last.at_us, desk.switchboard.reached_us) + 1
    passed_s = 0.0 if desk.paused else max(0.0, time.time() - last.wall_s)
    passed_us = round(passed_s * desk.rate * 1e6)
    gap_us = max(0, last.at_us + passed_us - at_us)
    if at_us + gap_us > LAST_US:
        raise SessionError(
            f"{session.path}: more simulated time has passed since its last line than a clock shows; "
            "give a lower --rate, or name another --session file"
        )
    desk.follow((Resumed(at_us, time.time(), gap_us),))
    try:
        session.resume(at_us, gap_us)
    except OSError as error:
        raise SessionError(f"{session.path}: cannot be written ({error.strerror})") from None
    desk.resumed_after_us = gap_us
    return at_us + gap_us


def _compare(desk: Resumable, session: Session, records: Sequence[Record]) -> None:
    """Let another desk resume from the checkpoint, at the same instant.

    Raises:
        SessionError: it does not know then what a full replay knows.
    """
    assert session.checkpoint is not None
    place, state = session.checkpoint
    twin = desk.anew()
    twin.become(state)
    twin.follow(record for number, record in zip(session.numbers, records, strict=True) if number > place.lines)
    twin.follow((Resumed(desk.switchboard.reached_us, 0.0, desk.resumed_after_us),))
    unlike = desk.unlike(twin)
    if unlike:
        newest, before = files(session.path)
        raise SessionError(
            f"{session.path}: a full replay leads to other {', '.join(unlike)} than its checkpoint, a fault of "
            f"parksim; remove {newest.name} and {before.name} to resume by replay"
        )
    desk.notes.append(f"a full replay of {len(records):,} records agrees with the checkpoint after line {place.lines}")
