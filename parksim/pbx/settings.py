"""Settings that change in the middle of a log: the longest stay, and how many slots a lot has.

A longest stay is what parks report, or what the stays that time out show; slots are the matter of ``sizes``.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from parksim.journal.journal import is_parking, stays_of
from parksim.pbx.calls import Row
from parksim.pbx.sizes import changed
from parksim.rules import codes as c

RUN: Final = 5
"""A longest stay has changed where this many parks in a row report the one, and as many after them the other."""
SLOTS: Final = "slots"
LIMIT: Final = "limit"


class Plan(Protocol):
    """What is known of a lot."""

    @property
    def first(self) -> int:
        """The number of its first slot."""

    @property
    def slots(self) -> int:
        """How many there are."""

    @property
    def reported(self) -> bool:
        """Whether the log says it."""


class Change(NamedTuple):
    """A setting of a lot that changed: ``before`` until ``line``, then ``after``; limits in microseconds."""

    at_us: int
    line: int
    lot: str
    what: str
    before: int
    after: int
    told: bool
    """Whether each park says it, so that nothing depends on when it changed."""

    def __str__(self) -> str:
        """Return the change in words."""
        lot = f"lot {self.lot}" if self.lot else "the lot"
        if self.what == SLOTS:
            return f"{lot} has {self.before} slots before and {self.after} from here on"
        return f"{lot} times out after {self.before / 1e6:g} s before and {self.after / 1e6:g} s from here on"


def changes(rows: Sequence[Row], lots: Mapping[str, Plan]) -> Iterator[Change]:
    """Yield the settings that changed within a section; rows are in the order of time."""
    by_lot: dict[str, list[Row]] = {name: [] for name in lots}
    for row in rows:
        if row.lot in by_lot and (is_parking(row) or row.kind == c.REFUSED):
            by_lot[row.lot].append(row)
    for name, some in by_lot.items():
        yield from _limits(name, some)
        if not lots[name].reported and (size := changed(some)) is not None:
            row = some[size.at]
            yield Change(row.time_us, row.line, name, SLOTS, size.before, size.after, False)


def _limits(name: str, rows: Sequence[Row]) -> Iterator[Change]:
    """Yield where the longest stay changed: as parks report it, or as the stays that timed out show it."""
    told = [(row, row.limit_us) for row in rows if row.kind == c.PARKED and row.limit_us is not None]
    if told:
        values = told
    else:
        ended = [(parked, end) for parked, end in stays_of(rows) if end is not None and end.kind == c.EXPIRED]
        values = [(parked, round((end.time_us - parked.time_us) / 1e6) * 1_000_000) for parked, end in ended]
    start = 0
    for i in range(RUN, len(values) - RUN + 1):
        before, after = values[i - 1][1], values[i][1]
        if before == after or i - start < RUN:
            continue
        if {value for _, value in values[i - RUN : i]} == {before} and {value for _, value in values[i : i + RUN]} == {
            after
        }:
            row = values[i][0]
            yield Change(row.time_us, row.line, name, LIMIT, before, after, bool(told))
            start = i


def whole_limits(rows: list[Row], tolerance_us: int) -> list[Row]:
    """Return rows whose longest stays are not a second too short.

    Asterisk reports the whole seconds that are left when it writes the event (``main/features.c``), which may be one
    less than there were. So a park that reports a second less than more parks of its lot do, or whose stay timed out a
    second later, had that second; unless a stay with that report timed out at it.
    """
    usual: dict[str, Counter[int]] = {}
    late: set[tuple[str, int]] = set()
    exact: set[tuple[str, int]] = set()
    parked: dict[str, Row] = {}
    for row in rows:
        if row.kind == c.PARKED:
            parked[row.call] = row
            if row.limit_us not in (None, c.NEVER):
                usual.setdefault(row.lot, Counter())[row.limit_us or 0] += 1
        elif is_parking(row) and (there := parked.pop(row.call, None)) is not None:
            late_us = row.time_us - there.time_us - (there.limit_us or 0)
            if row.kind == c.EXPIRED and abs(late_us - 1_000_000) <= tolerance_us:
                late.add((there.call, there.line))
            elif row.kind == c.EXPIRED and abs(late_us) <= tolerance_us:
                exact.add((there.lot, there.limit_us or 0))
    short = {
        (lot, limit_us)
        for lot, counts in usual.items()
        for limit_us, n in counts.items()
        if counts[limit_us + 1_000_000] > n and (lot, limit_us) not in exact
    }
    if not short and not late:
        return rows
    return [
        row._replace(limit_us=row.limit_us + 1_000_000)
        if row.kind == c.PARKED
        and row.limit_us not in (None, c.NEVER)
        and ((row.lot, row.limit_us) in short or (row.call, row.line) in late)
        else row
        for row in rows
    ]
