"""What a scenario would do if nothing were limited: the bridge from a scenario to ``theory.ideal``.

``expectations`` has the sums of one replication, as the measures count them: of calls offered in the window, each
followed to its end, and of time in the window.
"""

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
from parksim.theory import Call, Life, LotLaws, Rates

Floats = NDArray[np.float64]
HOUR_S: Final = HOUR_US / 1e6
MOST_INSTANTS: Final = 20_000
"""Of the grid of instants on which probabilities are integrated over time."""
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

    @cached_property
    def instants_s(self) -> Floats:
        """Instants from the beginning of the window to its end, on which probabilities are integrated."""
        low_s, high_s = self.window_s
        cuts = max(2, min(MOST_INSTANTS, int(np.ceil((high_s - low_s) / max(self.life.step_s, 5.0)))))
        return np.linspace(low_s, high_s, cuts + 1)

    @cached_property
    def parked_mean(self) -> Floats:
        """The mean number parked at ``instants_s`` in each lot, shape (lots, instants)."""
        return np.stack([self.rates.of(curve, self.life.step_s, self.instants_s) for curve in self.life.parked_s])

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
