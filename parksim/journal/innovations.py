"""What happened while a lot was full beyond what was to be expected: controls whose mean is 0.

A refusal is a park request while the lot is full. Who asks then, and when somebody leaves, is chance; what was to be
expected of it, given all that happened before, is not. The difference of the two has the mean 0, for any calls,
limits and policies: it is a martingale. So it explains a part of the refusals, and of the time in which the
lot is full, that no model of the calls can explain.

For a clock with the survival function S that runs from a to b while the lot is full, log(S(a) / S(b)) ends of it are
to be expected.

Sources: Bremaud, Point Processes and Queues (1981), chapter II (compensators); Henderson and Glynn (2002),
Approximating martingales for variance reduction in Markov process simulation, Mathematics of Operations Research 27(2),
253-271.
"""

from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from parksim.journal.journal import Journal
from parksim.journal.measures import Mask, Stays, slot_changes, stays_of
from parksim.journal.tally import Ints
from parksim.rules import codes as c
from parksim.scenario.laws import Law
from parksim.scenario.model import Scenario
from parksim.scenario.quantities import HOUR_US, HOURS
from parksim.scenario.workload import Workload

Floats = NDArray[np.float64]
INNOVATIONS: Final = ("wishes_at_full", "decisions_at_full", "departures_at_full")
"""What ``innovations`` returns, in this order."""


class _Spans(NamedTuple):
    """The times in which a lot is full: ascending, none in another."""

    from_us: Ints
    until_us: Ints

    def clipped(self, low_us: int, high_us: int) -> "_Spans":
        """Return what of them is in an interval."""
        from_us, until_us = np.clip(self.from_us, low_us, high_us), np.clip(self.until_us, low_us, high_us)
        some = from_us < until_us
        return _Spans(from_us[some], until_us[some])


class _Clocks(NamedTuple):
    """Clocks that overlap with some spans; by pairs of a clock and a span where said so.

    Attributes:
        number: Their numbers, shape (clocks,).
        at_full: Whether each ends in a span: after its beginning, up to its end.
        pair: Of each pair the place of its clock, shape (pairs,).
        ages_us: Of each pair the age of the clock as the overlap begins, and as it ends, shape (2, pairs).
    """

    number: Ints
    at_full: Mask
    pair: Ints
    ages_us: Ints

    @classmethod
    def of(cls, from_us: Ints, until_us: Ints, spans: _Spans) -> "_Clocks":
        """Return those of the clocks from ``from_us`` to ``until_us`` that overlap with a span."""
        first = np.searchsorted(spans.until_us, from_us, side="right")
        beyond = np.searchsorted(spans.from_us, until_us)
        number = np.flatnonzero(beyond > first)
        first, beyond, from_us, until_us = first[number], beyond[number], from_us[number], until_us[number]
        count = beyond - first
        pair = np.repeat(np.arange(len(number)), count)
        span = np.arange(len(pair)) - np.repeat(np.cumsum(count) - count, count) + first[pair]
        begun_us = from_us[pair]
        begins_us = np.maximum(spans.from_us[span] - begun_us, 0)
        ends_us = np.minimum(spans.until_us[span], until_us[pair]) - begun_us
        return cls(number, until_us <= spans.until_us[beyond - 1], pair, np.stack((begins_us, ends_us)))

    def expected(self, law: Law, never: float, factor: Floats) -> Floats:
        """Return how many ends of each clock are to be expected in the spans, shape (clocks,).

        ``factor`` is what the law's durations are multiplied by, shape (clocks,) or ().
        """
        ages_s = (self.ages_us - [[0.0], [_ROUNDING_US]]) / 1e6
        if factor.ndim:
            ages_s /= factor[self.pair]
        most_s = 2.0 ** np.ceil(np.log2(max(1.0, float(ages_s.max(initial=0.0)))))
        table = _hazards(law, never, most_s)
        place = np.sqrt(np.maximum(ages_s, 0.0) / most_s) * (POINTS - 1)
        low = np.minimum(place.astype(np.int64), POINTS - 2)
        hazard = table[low] + (place - low) * (table[low + 1] - table[low])
        found: Floats = np.bincount(self.pair, hazard[1] - hazard[0], minlength=len(self.number)).astype(np.float64)
        return found


@lru_cache(maxsize=64)
def _hazards(law: Law, never: float, most_s: float) -> Floats:
    """Return -log P(X > age) at ages up to most_s, shape (POINTS,): the square roots of the ages are equally far apart.

    So they are dense where ages are small, and between two of them the table is nearly straight.
    """
    left = never + (1.0 - never) * np.asarray(law.survival(most_s * np.linspace(0.0, 1.0, POINTS) ** 2))
    return -np.log(np.maximum(left, _LEAST))


POINTS: Final = 8192
"""Of a table of a law; an error of 1e-6 in a sum of which the standard deviation is some tenths at least."""
_ROUNDING_US: Final = 0.5
"""By which a drawn duration may have been rounded up."""
_LEAST: Final = 1e-12


def innovations(journal: Journal, scenario: Scenario, workload: Workload) -> NDArray[np.float64]:
    """Return how much more than expected happened while the call's lot was full, in the order of ``INNOVATIONS``.

    ``wishes_at_full``: counted calls that wish to be parked, of those whose attendant decides it; the share of them is
    expected. ``decisions_at_full``: these decisions, times that share; handling ends at random. ``departures_at_full``:
    clocks of parked calls that ring in the window, patience and retrieval. A clock whose law has atoms is left out.

    Args:
        journal: Of a replication.
        scenario: What was simulated.
        workload: What was drawn for it.
    """
    settings, kind = scenario.settings, journal.kind
    window = (scenario.warm_up_us, scenario.horizon_us)
    first, end = np.searchsorted(workload.arrival_us, window).tolist()
    changes, steps = slot_changes(journal)
    recalls = np.flatnonzero(kind == c.RECALL_ANSWERED)
    rows = np.concatenate((np.flatnonzero(kind == c.ANSWERED), recalls))
    parks = np.zeros(len(rows), np.int64)
    parks[len(rows) - len(recalls) :] = 1 + _earlier(journal.call[recalls])
    decides = (parks < settings.max_parks) & (journal.call[rows] >= first) & (journal.call[rows] < end)
    parks, call, from_us = parks[decides], journal.call[rows][decides], journal.time_us[rows][decides]
    wishes = workload.wants_park[parks, call] != 0
    weights = np.array(scenario.parking.shares)[workload.arrival_us[call] // HOUR_US % HOURS]
    until_us = from_us + workload.handling_us[parks, call]
    stays = stays_of(journal, changes, settings)
    found = np.zeros(len(INNOVATIONS))
    for lot, slots in enumerate(settings.slots):
        here = journal.lot[changes] == lot
        full = _full(journal.time_us[changes[here]], np.cumsum(steps[here], dtype=np.int64), slots)
        asks = np.flatnonzero(workload.lot[call] == lot)
        clocks = _Clocks.of(from_us[asks], until_us[asks], full)
        number = asks[clocks.number]
        found[0] += np.sum((wishes[number] - weights[number])[clocks.at_full])
        law = scenario.attendants.handling
        if not law.atoms_s:
            ends = clocks.at_full - clocks.expected(law, 0.0, np.ones(()))
            found[1] += np.sum(weights[number] * ends)
        found[2] += _departures(
            journal, scenario, workload, stays, journal.lot[stays.parked] == lot, full.clipped(*window)
        )
    return found


def _full(change_us: Ints, levels: Ints, slots: int) -> _Spans:
    """Return when at least ``slots`` are taken; ``levels`` are taken from ``change_us`` on."""
    full = np.flatnonzero(levels >= slots)
    return _Spans(change_us[full], change_us[full + 1])


def _earlier(calls: NDArray[np.int32]) -> Ints:
    """Return how many earlier elements are of the same call, elementwise."""
    order = np.argsort(calls, kind="stable")
    begins = np.flatnonzero(np.diff(calls[order], prepend=-1))
    earlier = np.empty(len(calls), np.int64)
    earlier[order] = np.arange(len(calls)) - np.repeat(begins, np.diff(begins, append=len(calls)))
    return earlier


def _departures(
    journal: Journal, scenario: Scenario, workload: Workload, stays: Stays, here: Mask, full: _Spans
) -> float:
    """Return how many more clocks of the stays ``here``, in one lot, rang while it was full than were to be expected.

    A call has the clocks of the lot that it asked first, wherever it is parked, and of its earlier stays in any lot.
    """
    met = _Clocks.of(stays.from_us, stays.until_us, full).number
    met = met[here[met]]
    call, parks = journal.call[stays.parked[met]], _earlier_parks(journal, stays.parked)[met]
    from_us, until_us = stays.from_us[met], stays.until_us[met]
    factors = np.array(scenario.retrieval.factors)[workload.arrival_us[call] // HOUR_US % HOURS]
    found = 0.0

    def add(which: Mask, column: Ints, law: Law | None, never: float, factor: Floats) -> None:
        nonlocal found
        if law is None or law.atoms_s or never == 1.0:
            return
        begun_us, ended_us, clock_us = from_us[which], until_us[which], column[parks[which], call[which]]
        rings_us = np.where(clock_us == c.NEVER, ended_us + 1, begun_us + clock_us)
        clocks = _Clocks.of(begun_us, np.minimum(rings_us, ended_us), full)
        rang = clocks.at_full & (rings_us <= ended_us)[clocks.number]
        found += float(np.sum(rang - clocks.expected(law, never, factor[which][clocks.number])))

    for own, lot in enumerate(scenario.lots):
        add(workload.lot[call] == own, workload.patience_us, scenario.stay_patience(lot), 0.0, np.ones(len(call)))
    retrieval = scenario.retrieval
    add(np.ones(len(call), np.bool_), workload.retrieval_us, retrieval.delay, retrieval.never, factors)
    return found


def _earlier_parks(journal: Journal, parked: Ints) -> Ints:
    """Return how often the call of each PARKED row was parked before."""
    again = np.zeros(int(journal.call.max(initial=0)) + 1, np.bool_)
    again[journal.call[journal.kind == c.RECALL_ANSWERED]] = True
    several = np.flatnonzero(again[journal.call[parked]])
    several = several[np.argsort(parked[several])]
    earlier = np.zeros(len(parked), np.int64)
    earlier[several] = _earlier(journal.call[parked[several]])
    return earlier
