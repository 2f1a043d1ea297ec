"""What a comparison of a log with the rules found."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from parksim.pbx.log import LotPlan
from parksim.rules import codes as c


class Disagreement(NamedTuple):
    """A row that the rules would not have written."""

    line: int
    why: str


class Off(NamedTuple):
    """A stay that ended off its time-out, perhaps since a clock was set meanwhile.

    ``exact``: it timed out, so that it is off by the step itself; else it ended otherwise, some time after it was due.
    """

    line: int
    off_us: int
    parked_line: int
    ended_line: int
    kind: str
    exact: bool


@dataclass
class Agreement:
    """What the comparison found; ``agreed`` and ``rows`` count by kind of fact."""

    tolerance_us: int
    lots: dict[str, LotPlan]
    inferred: list[str] = field(default_factory=list)
    disagreements: list[Disagreement] = field(default_factory=list)
    agreed: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    unjudged: Counter[str] = field(default_factory=Counter)
    """Rows of which the log does not say enough: they neither agree nor disagree."""
    doubts: list[str] = field(default_factory=list)
    """Why this log cannot tell whether the rules are followed."""
    doubtful: dict[int, str] = field(default_factory=dict)
    """Lines that disagree, where the fault may as well be the log's: why."""
    set_clocks: dict[int, str] = field(default_factory=dict)
    """Lines that are not judged since a clock was set before them: why."""
    off: list[Off] = field(default_factory=list)
    in_time: list[tuple[int, int]] = field(default_factory=list)
    """From which line to which calls were parked that timed out in time."""
    overlaps: int = 0
    """Parks that agree only because events within the tolerance may have been decided in another order."""
    found_there: int = 0
    """Calls released more often than parked, with nothing before it in their slots: they were parked before the log."""
    latest_us: int = 0
    """The time-out farthest from its deadline that still agreed, early ones negative."""

    @property
    def first(self) -> Disagreement | None:
        """The first row, in the order of the file, that the rules would not have written."""
        return min(self.disagreements, default=None)

    def by_kind(self) -> Iterator[tuple[str, int, int]]:
        """Yield (kind, rows that agree, rows) in the order of a stay."""
        for kind in ("PARKED", "REFUSED", "RETRIEVED", "ABANDONED", "EXPIRED"):
            if self.rows[kind]:
                yield kind, self.agreed[kind], self.rows[kind]

    def add(self, part: "Agreement") -> None:
        """Add what the comparison of a section found."""
        self.disagreements += part.disagreements
        for mine, others in ((self.agreed, part.agreed), (self.rows, part.rows), (self.unjudged, part.unjudged)):
            mine.update(others)
        self.off += part.off
        self.in_time += part.in_time
        self.overlaps += part.overlaps
        self.found_there += part.found_there
        self.latest_us = max(self.latest_us, part.latest_us, key=abs)

    @property
    def follows(self) -> bool | None:
        """Whether every row is one that the rules would have written; None if the log does not let one tell."""
        if any(one.line not in self.doubtful for one in self.disagreements):
            return False
        return None if self.disagreements or self.doubts else True

    def as_dict(self) -> dict[str, Any]:
        """Return the agreement as plain values."""
        first = self.first
        return {
            "agrees": first is None,
            "follows": self.follows,
            "cannot_be_told": [*self.doubts, *dict.fromkeys(self.doubtful.values())],
            "parking_events": self.parking_rows,
            "parking_events_agreed": self.parking_agreed,
            "parking_events_not_judged": self.parking_unjudged,
            "by_kind": {kind: {"agreed": agreed, "rows": rows} for kind, agreed, rows in self.by_kind()},
            "not_judged": dict(self.unjudged),
            "first_disagreement": None if first is None else first._asdict(),
            "overlaps": self.overlaps,
            "farthest_time_out_ms": self.latest_us / 1e3,
            "tolerance_ms": self.tolerance_us / 1e3,
            "inferred": self.inferred,
        }

    @property
    def parking_rows(self) -> int:
        """Parking events compared, refusals apart."""
        return _parking(self.rows)

    @property
    def parking_agreed(self) -> int:
        """Parking events that agree, refusals apart."""
        return _parking(self.agreed)

    @property
    def parking_unjudged(self) -> int:
        """Parking events that cannot be judged, refusals apart."""
        return _parking(self.unjudged)


def _parking(rows: Counter[str]) -> int:
    return rows.total() - rows[c.KIND_NAMES[c.REFUSED]]
