"""What a scenario would do if nothing were limited: the bridge from a scenario to ``theory.ideal``.

``expectations`` has the sums of one replication, as the measures count them: of calls offered in the window, each
followed to its end, and of time in the window.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from parksim import theory
from parksim.journal.measures import HOUR_US, HOURS
from parksim.scenario.lots import NamedLot
from parksim.scenario.model import Scenario
from parksim.scenario.quantities import UNLIMITED
from parksim.scenario.sections import Hourly, Poisson
from parksim.theory import Call, Life, LotLaws, Rates, poisson_at_least

Floats = NDArray[np.float64]
HOUR_S: Final = HOUR_US / 1e6
MOST_INSTANTS: Final = 20_000
"""Of the grid of instants on which probabilities are integrated over time."""
SMALLEST_CUT_S: Final = 5.0
LATE_S: Final = 86_400.0
"""Calls of the window may live beyond its end; ages up to this much more are looked at."""
RECORDED_BIN_S: Final = 60.0
"""Recorded calls are spread over the minute in which they came."""


def call_of(scenario: Scenario) -> Call:
    """Return what may happen to one call of ``scenario`` if nothing were limited."""
    recall, retrieval = scenario.recall, scenario.retrieval
    weights = [lot.weight if isinstance(lot, NamedLot) else 1.0 for lot in scenario.lots]
    return Call(
        handling=scenario.attendants.handling,
        talk=scenario.attendants.talk,
        wish=scenario.parking.probability,
        most_parks=scenario.parking.max_parks,
        announcement_s=scenario.parking.announcement,
        lots=tuple(
            LotLaws(weight / sum(weights), scenario.stay_patience(lot), lot.max_in_parking)
            for weight, lot in zip(weights, scenario.lots, strict=True)
        ),
        retrieval=retrieval.delay,
        never=retrieval.never,
        staff_talk=retrieval.talk,
        rings=recall.to == "parker",
        ring_s=None if recall.ring == UNLIMITED else float(recall.ring) * recall.attempts,
        answer=recall.answer,
        never_answered=recall.never,
        recall_patience=scenario.recall_patience,
        unanswered_lost=recall.unanswered == "drop",
    )


def rates_of(scenario: Scenario) -> Rates:
    """Return the rate of calls from 0 to the end of the cool-down, 0 from then on; of recorded calls by the minute."""
    arrivals, end_s = scenario.arrivals, (scenario.horizon_us + scenario.cool_down_us) / 1e6
    if isinstance(arrivals, Poisson):
        return Rates(np.array([0.0, end_s]), np.array([arrivals.rate, 0.0]))
    if isinstance(arrivals, Hourly):
        starts_s = np.arange(np.ceil(end_s / HOUR_S)) * HOUR_S
        per_s = np.resize(np.array(arrivals.calls_per_hour), len(starts_s)) / HOUR_S
    else:
        recording = arrivals.recording
        instants_us = recording.instant_us if arrivals.resample is None else recording.time_of_day_us
        starts_s = np.arange(np.ceil(end_s / RECORDED_BIN_S)) * RECORDED_BIN_S
        counted_s = instants_us[instants_us < end_s * 1e6] / 1e6
        days = 1 if arrivals.resample is None else recording.days
        per_s = np.histogram(counted_s, [*starts_s, starts_s[-1] + RECORDED_BIN_S])[0] / (RECORDED_BIN_S * days)
    return Rates(np.append(starts_s, end_s), np.append(per_s, 0.0))


@dataclass(frozen=True)
class Ideal:
    """A scenario without limits; see ``ideal``."""

    scenario: Scenario
    life: Life

    @cached_property
    def rates(self) -> Rates:
        """The calls."""
        return rates_of(self.scenario)

    @cached_property
    def counted(self) -> Rates:
        """The calls that are counted: those offered in the window."""
        return self.rates.between(*self.window_s)

    @property
    def window_s(self) -> tuple[float, float]:
        """The window, seconds."""
        return self.scenario.warm_up_us / 1e6, self.scenario.horizon_us / 1e6

    def cuts_s(self, low_s: float, high_s: float) -> Floats:
        """Return instants from low to high, between which probabilities are taken to be constant."""
        cuts = max(2, min(MOST_INSTANTS, int(np.ceil((high_s - low_s) / max(self.life.step_s, SMALLEST_CUT_S)))))
        return np.linspace(low_s, high_s, cuts + 1)

    def parked_mean(self, time_s: Floats) -> Floats:
        """Return the mean number parked in each lot at ascending instants, shape (lots, instants)."""
        return np.stack([self.rates.of(curve, self.life.step_s, time_s) for curve in self.life.parked_s])

    def sums(self, curve: Floats, rates: Rates, cuts_s: Floats) -> Floats:
        """Return the events (or seconds) of these calls between each two instants, shape (cuts - 1,)."""
        total: Floats = np.diff(rates.until(curve, self.life.step_s, cuts_s))
        return total

    def by_hour(self, curve: Floats, rates: Rates, low_s: float, high_s: float) -> Floats:
        """Return the events (or seconds) of these calls from low to high by hour of day, shape (24,)."""
        inner = np.arange(np.floor(low_s / HOUR_S) + 1, np.ceil(high_s / HOUR_S)) * HOUR_S
        cuts_s = np.concatenate(([low_s], inner, [high_s]))
        hours = (cuts_s[:-1] // HOUR_S).astype(np.int64) % HOURS
        return np.bincount(hours, self.sums(curve, rates, cuts_s), minlength=HOURS).astype(np.float64)


def ideal(scenario: Scenario, step_s: float | None = None) -> Ideal:
    """Return the scenario as it would be without limits of attendants, slots and staff.

    Args:
        scenario: Its limits are left out, everything else counts.
        step_s: Step of the grid of ages; by default ``theory.life`` chooses it.
    """
    end_s = (scenario.horizon_us + scenario.cool_down_us) / 1e6
    return Ideal(scenario, theory.life(call_of(scenario), end_s + LATE_S, step_s))


@dataclass(frozen=True)
class Expectations:
    """Expected sums of one replication without limits, as a control needs them.

    Attributes:
        values: By name, see ``expectations``; float64, of shape () or, by hour of day, (24,).
        grid_error: By the same names: by how much halving the grid has changed each, which is about thrice the error.
    """

    values: Mapping[str, Floats]
    grid_error: Mapping[str, Floats]


def expectations(scenario: Scenario) -> Expectations:
    """Return what one replication of ``scenario`` sums up to on average if nothing were limited.

    Of calls offered in the window, each followed to its end: ``calls``, ``park_requests`` (all of which are granted),
    ``retrieved``, ``hung_up`` (in a lot), ``returns``, ``requests_at_full`` (that find at least as many calls in their
    lot as it has slots). Of time in the window: ``busy_slot_s``, ``full_s`` (with at least as many calls as slots,
    summed over the lots), ``time_outs``, ``attended_s`` and ``staff_s`` (seconds of work). ``calls``,
    ``park_requests``, ``busy_slot_s`` and ``time_outs`` are there by hour of day as well, with ``_by_hour``.

    Recorded calls are spread over their minute, and the two that need a Poisson number of calls are nan.

    Raises:
        UnfitError: A file of the scenario is not at hand.
    """
    fine = ideal(scenario)
    finer = ideal(scenario, fine.life.step_s / 2)
    values, rough = _sums(finer), _sums(fine)
    return Expectations(values, {name: np.abs(value - rough[name]) for name, value in values.items()})


def _sums(one: Ideal) -> dict[str, Floats]:
    life, (low_s, high_s) = one.life, one.window_s
    end_s = high_s + LATE_S

    def counted(curve: Floats) -> Floats:
        return one.by_hour(curve, one.counted, low_s, end_s)

    def in_window(curve: Floats) -> Floats:
        return one.by_hour(curve, one.rates, low_s, high_s)

    calls = np.ones(len(life.answers))
    found = {
        "calls_by_hour": counted(calls),
        "park_requests_by_hour": counted(life.requests.sum(axis=0)),
        "busy_slot_s_by_hour": in_window(life.parked_s.sum(axis=0)),
        "time_outs_by_hour": in_window(life.expired.sum(axis=0)),
    }
    found |= {name.removesuffix("_by_hour"): np.asarray(value.sum()) for name, value in found.items()}
    for name, curve in (("retrieved", life.retrieved), ("hung_up", life.hung_up), ("returns", life.expired)):
        found[name] = np.asarray(counted(curve.sum(axis=0)).sum())
    for name, curve in (("attended_s", life.attended_s), ("staff_s", life.staff_s)):
        found[name] = np.asarray(in_window(curve).sum())
    return found | _at_full(one, low_s, high_s)


def _at_full(one: Ideal, low_s: float, high_s: float) -> dict[str, Floats]:
    """Return how long lots would have no free slot, and how many requests would find that (Mecke's formula)."""
    if one.scenario.recording is not None:
        return {"full_s": np.asarray(np.nan), "requests_at_full": np.asarray(np.nan)}
    slots = [lot.slots for lot in one.scenario.lots]
    cuts_s = one.cuts_s(low_s, high_s)
    full_s = requests = 0.0
    for first_s, cuts in ((low_s, cuts_s), (high_s, one.cuts_s(high_s, high_s + LATE_S))):
        middles_s = 0.5 * (cuts[1:] + cuts[:-1])
        for lot, mean in enumerate(one.parked_mean(middles_s)):
            full = poisson_at_least(slots[lot], mean)
            requests += float(one.sums(one.life.requests[lot], one.counted, cuts) @ full)
            full_s += float(full @ np.diff(cuts)) if first_s == low_s else 0.0
    return {"full_s": np.asarray(full_s), "requests_at_full": np.asarray(requests)}
