"""What a log shows of each clock of a call: durations, and which of them something else cut short.

The clocks of a stay (the retrieval, the caller's patience, the time-out) race, and a log shows only the winner: the
others would have rung later. Their independence is an assumption of parksim's model, which no log can prove or disprove
(Tsiatis 1975).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from parksim.journal.journal import is_parking
from parksim.pbx.calls import Row
from parksim.pbx.coverage import span_of
from parksim.pbx.log import FieldLog
from parksim.pbx.missing import Span
from parksim.rules import codes as c

Seconds = NDArray[np.float64]
ANSWERED: Final = (c.ANSWERED, c.RECALL_ANSWERED)
REQUESTED: Final = (c.PARKED, c.REFUSED)
_BEGIN: Final = (c.OFFERED, c.ANSWERED)
_LOST: Final = {c.BUSY: "busy", c.UNANSWERED: "unanswered"}


class Spell(NamedTuple):
    """A stretch of a call's life: the parks made so far, its instants, and the kind of the fact that ended it.

    ``kind`` is ``NOBODY`` where the log ended first.
    """

    parks: int
    from_us: int
    until_us: int
    kind: int = c.NOBODY

    @property
    def length_us(self) -> int:
        """How long it lasted."""
        return self.until_us - self.from_us


@dataclass
class Clock:
    """Spells, and the kinds of the facts that end one as seen; other facts cut it short."""

    kinds: tuple[int, ...]
    spells: list[Spell] = field(default_factory=list)

    @property
    def durations_s(self) -> list[float]:
        """Durations in seconds."""
        return [one.length_us / 1e6 for one in self.spells]

    @property
    def seen(self) -> list[bool]:
        """Whether each was seen to its end."""
        return [one.kind in self.kinds for one in self.spells]

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
    """Everything that a log shows of some calls: of those of one lot, or of one call."""

    lot: str = ""
    arrivals_us: list[int] = field(default_factory=list)
    queue: Clock = field(default_factory=partial(Clock, (c.ABANDONED,)))
    """From the offer until answered (cut short) or hung up (seen)."""
    handling: Clock = field(default_factory=partial(Clock, REQUESTED))
    """From the answer to the first request for a slot."""
    whole_talks: Clock = field(default_factory=partial(Clock, (c.ENDED,)))
    """From the answer to the end of calls that were not parked: handling and talk together."""
    refusal: Clock = field(default_factory=partial(Clock, (c.ENDED, c.LOST)))
    """From the last refusal to the end of calls that got no slot."""
    wishes: list[tuple[int, bool]] = field(default_factory=list)
    """Each handling: (parks made before, whether it ended in a request)."""
    wished_us: list[int] = field(default_factory=list)
    """When the call of each of these handlings was offered."""
    requests: int = 0
    refused: int = 0
    retries: list[int] = field(default_factory=list)
    """The retries of each refused handling."""
    retry_after_s: list[float] = field(default_factory=list)
    after_full: Counter[str] = field(default_factory=Counter)
    """keep, overflow, drop -> how many refused calls went that way."""
    retrieval: Clock = field(default_factory=partial(Clock, (c.RETRIEVED,)))
    patience: Clock = field(default_factory=partial(Clock, (c.ABANDONED,)))
    limits_us: list[int] = field(default_factory=list)
    """The longest stays that the log reports; ``NEVER`` for none."""
    staff_talk: Clock = field(default_factory=partial(Clock, (c.ENDED,)))
    answer: Clock = field(default_factory=partial(Clock, ANSWERED))
    """From a return's first ring to its answer."""
    return_patience: Clock = field(default_factory=partial(Clock, (c.ABANDONED,)))
    """From the time-out until the caller hangs up."""
    rings_s: list[float] = field(default_factory=list)
    """Ringing periods that ended in vain."""
    returns: Counter[str] = field(default_factory=Counter)
    """answered, unanswered, busy, gone -> how many returns ended that way."""
    most_parks: int = 0

    @property
    def calls(self) -> int:
        """How many calls were offered."""
        return len(self.arrivals_us)

    @property
    def requests_us(self) -> list[int]:
        """The instants of the requests with which a handling ended, in their order."""
        return sorted(one.until_us for one in self.handling.spells)

    @property
    def stays(self) -> list[Spell]:
        """The stays, each ended by one of its clocks, or by the end of the log."""
        return self.retrieval.spells

    @property
    def stays_s(self) -> list[float]:
        """Their lengths."""
        return self.retrieval.durations_s

    @property
    def timed_out(self) -> int:
        """How many of them timed out."""
        return sum(one.kind == c.EXPIRED for one in self.stays)

    @property
    def open_stays(self) -> int:
        """How many of them the log does not end."""
        return sum(one.kind == c.NOBODY for one in self.stays)

    def add(self, rows: Iterable[Row], last_us: int) -> None:
        """Add all rows of one call, in a log that ends at ``last_us``."""
        life = _Life(self)
        for row in rows:
            life.take(row)
        life.close(last_us)


def calls_of(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Return the rows of each call."""
    by_call: dict[str, list[Row]] = {}
    for row in rows:
        by_call.setdefault(row.call, []).append(row)
    return by_call


def observe(log: FieldLog, lot: str) -> Observed:
    """Return what ``log`` shows of the calls of one lot; calls never parked belong to it if it is the only lot."""
    observed = Observed(lot)
    alone = len(log.lots) == 1
    calls, stays = log.coverage.calls, log.coverage.stays
    for call, rows in calls_of(log.rows).items():
        lots = {row.lot for row in rows if is_parking(row) or row.kind == c.REFUSED}
        if lots <= {lot} and (lots or alone):
            told = _told(rows) if log.calls_recorded else rows
            kept, until_us = _known(told, calls, stays)
            observed.add(kept, log.known_until_us.get(call, min(until_us, log.last_us)))
            parks = (row for row in rows if row.kind == c.PARKED)
            observed.limits_us.extend(row.limit_us for row in parks if row.limit_us is not None)
    observed.arrivals_us.sort()
    return observed


def _told(rows: list[Row]) -> list[Row]:
    """Return rows without the answers that no form tells: those that a park makes sure came before it."""
    requests = {row.line for row in rows if row.kind in REQUESTED}
    return [row for row in rows if row.kind not in ANSWERED or row.line not in requests]


def _known(rows: list[Row], calls: Sequence[Span], stays: Sequence[Span]) -> tuple[list[Row], int]:
    """Return of one call's rows those of which all forms of the log would tell, and until when they do.

    A call that came during a hole of the form with calls does not count as one that came: others are missing. What
    became of a call after its answer is not known either where the form with stays has a hole, or ends, before the
    call does: that it was not parked then means nothing.

    Args:
        rows: in the order of time.
        calls: when calls that came are known.
        stays: when parks are known.
    """
    until_us = stays[-1][1]
    offered_us, answered_us = (next((row.time_us for row in rows if row.kind == one), None) for one in _BEGIN)
    if offered_us is None:
        return rows, until_us
    if span_of(calls, offered_us) is None:
        return [row for row in rows if row.kind not in _BEGIN], until_us
    if answered_us is None:
        return rows, until_us
    span = span_of(stays, answered_us)
    if span is None:
        return [row for row in rows if row.time_us <= answered_us and not is_parking(row)], answered_us
    return [row for row in rows if row.time_us <= span[1]], until_us


def busiest(log: FieldLog) -> str:
    """Return the lot with most parks."""
    parks = Counter(row.lot for row in log.rows if row.kind == c.PARKED)
    return max(log.lots, key=lambda name: parks[name])


class _Life:
    """Goes through the rows of one call."""

    def __init__(self, observed: Observed) -> None:
        self.to = observed
        self._since: dict[str, int] = {}  # what runs -> since when, in us
        self._parks = 0
        self._offered_us = 0
        self._refusals: list[int] = []

    def _ends(self, what: str, at_us: int, kind: int, *clocks: Clock) -> bool:
        """End what runs; return whether it did."""
        since_us = self._since.pop(what, None)
        if since_us is None:
            return False
        for clock in clocks:
            clock.spells.append(Spell(self._parks, since_us, at_us, kind))
        return True

    def take(self, row: Row) -> None:
        """Add what a row tells."""
        at_us, kind, to = row.time_us, row.kind, self.to
        if kind == c.OFFERED:
            to.arrivals_us.append(at_us)
            self._offered_us = at_us
            self._since["queue"] = at_us
        elif kind in ANSWERED:
            self._ends("queue", at_us, kind, to.queue)
            self._returned(at_us, kind, "answered")
            self._since["handling"] = at_us
        elif kind in REQUESTED:
            self._request(at_us, kind)
        elif is_parking(row):
            own = kind != c.RETRIEVED or row.reason == c.NO_REASON  # else nobody came for this very call
            if self._ends("stay", at_us, kind if own else c.NOBODY, to.retrieval, to.patience) and kind != c.ABANDONED:
                resumed = row.reason == c.ON_REMINDER
                self._since["handling" if resumed else "staff" if kind == c.RETRIEVED else "return"] = at_us
        elif kind == c.RETRIEVED:  # while its return rang
            self._returned(at_us, kind, "fetched")
            self._since["staff"] = at_us
        elif kind == c.RECALL_RINGING:
            self._since.setdefault("ring", at_us)
            self._since["period"] = at_us
        elif kind == c.RECALL_UNANSWERED:
            to.rings_s.append((at_us - self._since.pop("period", at_us)) / 1e6)
            if row.reason != c.AGAIN:
                self._ends("ring", at_us, kind, to.answer)
        elif kind in (c.ENDED, c.LOST, c.ABANDONED):
            self._over(at_us, kind, row.reason)

    def close(self, last_us: int) -> None:
        """Add what the end of the log tells."""
        self._ends("stay", last_us, c.NOBODY, self.to.retrieval, self.to.patience)
        self.to.most_parks = max(self.to.most_parks, self._parks)

    def _request(self, at_us: int, kind: int) -> None:
        to = self.to
        to.requests += 1
        if self._ends("handling", at_us, kind, to.handling):
            self._wished(parked=True)
            self._refusals = []
        elif self._refusals:
            to.retry_after_s.append((at_us - self._refusals[-1]) / 1e6)
        if kind == c.REFUSED:
            to.refused += 1
            self._refusals.append(at_us)
            self._since["refused"] = at_us
            return
        if self._refusals:
            to.retries.append(len(self._refusals))
            self._since.pop("refused", None)
        self._parks += 1
        self._since["stay"] = at_us

    def _wished(self, *, parked: bool) -> None:
        self.to.wishes.append((self._parks, parked))
        self.to.wished_us.append(self._offered_us)

    def _returned(self, at_us: int, kind: int, how: str) -> None:
        self._ends("ring", at_us, kind, self.to.answer)
        if self._ends("return", at_us, kind, self.to.return_patience):
            self.to.returns[how] += 1

    def _over(self, at_us: int, kind: int, reason: int) -> None:
        to = self.to
        ends = (kind, reason)
        if self._ends("refused", at_us, kind, to.refusal):
            to.retries.append(len(self._refusals) - 1)
            to.after_full[{(c.LOST, c.LOT_FULL): "drop", (c.ENDED, c.OVERFLOWED): "overflow"}.get(ends, "keep")] += 1
        if ends == (c.ENDED, c.TALKED):
            if self._ends("handling", at_us, kind, to.whole_talks):
                self._wished(parked=False)
        elif ends == (c.ENDED, c.AFTER_RETRIEVAL):
            self._ends("staff", at_us, kind, to.staff_talk)
        elif ends == (c.ABANDONED, c.WAITING):
            self._ends("queue", at_us, kind, to.queue)
        elif kind != c.ENDED:
            self._returned(at_us, kind, "gone" if kind == c.ABANDONED else _LOST.get(reason, "lost"))
