"""What a log shows of each clock of a call: durations, and which of them something else cut short.

The clocks of a stay (the retrieval, the caller's patience, the time-out) race, and a log shows only the winner: the
others would have rung later. Their independence is an assumption of parksim's model, which no log can prove or disprove
(Tsiatis 1975).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from parksim.pbx.calls import Row, is_parking
from parksim.pbx.log import FieldLog
from parksim.rules import codes as c

Seconds = NDArray[np.float64]


@dataclass
class Clock:
    """Durations in seconds, and whether each was seen to its end or cut short."""

    durations_s: list[float] = field(default_factory=list)
    seen: list[bool] = field(default_factory=list)

    def add(self, from_us: int, until_us: int, *, seen: bool) -> None:
        """Add a duration."""
        self.durations_s.append((until_us - from_us) / 1e6)
        self.seen.append(seen)

    @property
    def arrays(self) -> tuple[Seconds, NDArray[np.bool_]]:
        """Durations and marks, shape (n,) each."""
        return np.array(self.durations_s, np.float64), np.array(self.seen, np.bool_)

    @property
    def events(self) -> int:
        """How many were seen to their end."""
        return sum(self.seen)


@dataclass
class Observed:
    """Everything that a log shows of the calls of one lot."""

    lot: str
    calls: int = 0
    arrivals_us: list[int] = field(default_factory=list)
    queue: Clock = field(default_factory=Clock)
    """From the offer until answered (cut short) or hung up (seen)."""
    handling: Clock = field(default_factory=Clock)
    """From the answer to the first request for a slot."""
    whole_talks: Clock = field(default_factory=Clock)
    """From the answer to the end of calls that were not parked: handling and talk together."""
    wishes: list[tuple[int, bool]] = field(default_factory=list)
    """Each handling: (parks made before, whether it ended in a request)."""
    requests_us: list[int] = field(default_factory=list)
    """The instants of the requests with which a handling ended."""
    requests: int = 0
    refused: int = 0
    retries: list[int] = field(default_factory=list)
    """The retries of each refused handling."""
    retry_after_s: list[float] = field(default_factory=list)
    after_full: dict[str, int] = field(default_factory=dict)
    """keep, overflow, drop -> how many refused calls went that way."""
    announcement_s: list[float] = field(default_factory=list)
    retrieval: Clock = field(default_factory=Clock)
    patience: Clock = field(default_factory=Clock)
    limits_us: list[int] = field(default_factory=list)
    stays_s: list[float] = field(default_factory=list)
    timed_out: int = 0
    staff_talk: Clock = field(default_factory=Clock)
    answer: Clock = field(default_factory=Clock)
    """From a return's first ring to its answer."""
    return_patience: Clock = field(default_factory=Clock)
    """From the time-out until the caller hangs up."""
    rings_s: list[float] = field(default_factory=list)
    """Ringing periods that ended in vain."""
    attempts: int = 1
    returns: dict[str, int] = field(default_factory=dict)
    """answered, unanswered, busy, gone -> how many returns ended that way."""
    most_parks: int = 0
    open_stays: int = 0


def observe(log: FieldLog, lot: str) -> Observed:
    """Return what ``log`` shows of the calls of one lot; calls never parked belong to it if it is the only lot."""
    by_call: dict[str, list[Row]] = {}
    for row in log.rows:
        by_call.setdefault(row.call, []).append(row)
    observed = Observed(lot)
    alone = len(log.lots) == 1
    for rows in by_call.values():
        lots = {row.lot for row in rows if is_parking(row) or row.kind == c.REFUSED}
        if lots <= {lot} and (lots or alone):
            _Life(observed, log.last_us).tell(rows)
    observed.arrivals_us.sort()
    observed.requests_us.sort()
    return observed


def busiest(log: FieldLog) -> str:
    """Return the lot with most parks."""
    parks = dict.fromkeys(log.lots, 0)
    for row in log.rows:
        if row.kind == c.PARKED and row.lot in parks:
            parks[row.lot] += 1
    return max(parks, key=lambda name: parks[name])


class _Life:
    """Goes through the rows of one call."""

    def __init__(self, observed: Observed, last_us: int) -> None:
        self.to = observed
        self._last_us = last_us
        self._since: dict[str, int] = {}  # what runs -> since when, in us
        self._parks = 0
        self._refusals: list[int] = []

    def tell(self, rows: Iterable[Row]) -> None:
        """Add what the rows tell."""
        for row in rows:
            self._row(row)
        if "stay" in self._since:
            self.to.open_stays += 1
            self._stay(self._last_us, None)
        self.to.most_parks = max(self.to.most_parks, self._parks)

    def _ends(self, what: str, at_us: int, clock: Clock, *, seen: bool) -> None:
        since_us = self._since.pop(what, None)
        if since_us is not None:
            clock.add(since_us, at_us, seen=seen)

    def _row(self, row: Row) -> None:
        at_us, kind, to = row.time_us, row.kind, self.to
        if kind == c.OFFERED:
            to.calls += 1
            to.arrivals_us.append(at_us)
            self._since["queue"] = at_us
        elif kind in (c.ANSWERED, c.RECALL_ANSWERED):
            self._ends("queue", at_us, to.queue, seen=False)
            self._ends("ring", at_us, to.answer, seen=True)
            self._return(at_us, "answered")
            self._since["handling"] = at_us
        elif kind in (c.PARKED, c.REFUSED):
            self._request(row)
        elif kind == c.RELEASED:
            if "park" in self._since:
                to.announcement_s.append((at_us - self._since["park"]) / 1e6)
        elif is_parking(row):
            self._stay(at_us, kind)
        elif kind == c.RECALL_RINGING:
            self._since.setdefault("ring", at_us)
            self._since["period"] = at_us
        elif kind == c.RECALL_UNANSWERED:
            to.rings_s.append((at_us - self._since.pop("period", at_us)) / 1e6)
            if row.reason != c.AGAIN:
                self._ends("ring", at_us, to.answer, seen=False)
        elif kind in (c.ENDED, c.LOST, c.ABANDONED):
            self._over(row)

    def _request(self, row: Row) -> None:
        to = self.to
        to.requests += 1
        if "handling" in self._since:
            self._ends("handling", row.time_us, to.handling, seen=True)
            to.wishes.append((self._parks, True))
            to.requests_us.append(row.time_us)
            self._refusals = []
        elif self._refusals:
            to.retry_after_s.append((row.time_us - self._refusals[-1]) / 1e6)
        if row.kind == c.REFUSED:
            to.refused += 1
            self._refusals.append(row.time_us)
            self._since["refused"] = row.time_us
            return
        if self._refusals:
            to.retries.append(len(self._refusals))
            self._since.pop("refused", None)
        self._parks += 1
        self._since["stay"] = self._since["park"] = row.time_us
        to.limits_us.append(c.NOBODY - 1 if row.limit_us is None else row.limit_us)

    def _stay(self, at_us: int, how: int | None) -> None:
        since_us = self._since.pop("stay", None)
        if since_us is None:
            return
        to = self.to
        to.retrieval.add(since_us, at_us, seen=how == c.RETRIEVED)
        to.patience.add(since_us, at_us, seen=how == c.ABANDONED)
        to.stays_s.append((at_us - since_us) / 1e6)
        if how == c.RETRIEVED:
            self._since["staff"] = at_us
        elif how == c.EXPIRED:
            to.timed_out += 1
            self._since["return"] = at_us

    def _return(self, at_us: int, how: str) -> None:
        if "return" in self._since:
            self.to.returns[how] = self.to.returns.get(how, 0) + 1
            self._ends("return", at_us, self.to.return_patience, seen=how == "gone")

    def _over(self, row: Row) -> None:
        at_us, to = row.time_us, self.to
        ends = (row.kind, row.reason)
        if "refused" in self._since:
            self._since.pop("refused")
            to.retries.append(len(self._refusals) - 1)
            way = {(c.LOST, c.LOT_FULL): "drop", (c.ENDED, c.OVERFLOWED): "overflow"}.get(ends, "keep")
            to.after_full[way] = to.after_full.get(way, 0) + 1
        if ends == (c.ENDED, c.TALKED) and "handling" in self._since:
            to.wishes.append((self._parks, False))
            self._ends("handling", at_us, to.whole_talks, seen=True)
        elif ends == (c.ENDED, c.AFTER_RETRIEVAL):
            self._ends("staff", at_us, to.staff_talk, seen=True)
        elif ends == (c.ABANDONED, c.WAITING):
            self._ends("queue", at_us, to.queue, seen=True)
        elif row.kind == c.ABANDONED:
            self._ends("ring", at_us, to.answer, seen=False)
            self._return(at_us, "gone")
        elif row.kind == c.LOST:
            self._ends("ring", at_us, to.answer, seen=False)
            self._return(at_us, {c.BUSY: "busy", c.UNANSWERED: "unanswered"}.get(row.reason, "lost"))


def known_limits_us(observed: Observed) -> list[int]:
    """Return the longest stays that the log reports; ``NEVER`` for none."""
    return [limit_us for limit_us in observed.limits_us if limit_us >= c.NEVER]
