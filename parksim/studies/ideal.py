"""What a scenario would do if nothing were limited: the bridge from a scenario to ``theory.ideal``.

``expectations`` has the sums of one replication, as the measures count them: of calls offered in the window, each
followed to its end, and of time in the window.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from parksim import theory
from parksim.scenario.laws import Constant
from parksim.scenario.lots import NamedLot
from parksim.scenario.model import Scenario
from parksim.scenario.quantities import HOUR_US, HOURS, UNLIMITED
from parksim.scenario.sections import Hourly, Poisson
from parksim.theory import Call, Life, LotLaws, Rates, poisson_at_least
from parksim.theory.race import Law

Floats = NDArray[np.float64]
HOUR_S: Final = HOUR_US / 1e6
MOST_INSTANTS: Final = 20_000
"""Of the grid of instants on which probabilities are integrated over time."""
SMALLEST_CUT_S: Final = 5.0
NODES: Final = 8
"""Of the factor of a busy day, where an average is cheap."""
LATE_S: Final = 86_400.0
"""Calls of the window may live beyond its end; ages up to this much more are looked at."""
RECORDED_BIN_S: Final = 60.0
"""Recorded calls are spread over the minute in which they came."""


class _Times(NamedTuple):
    """A law whose durations are all multiplied."""

    law: Law
    factor: float

    @property
    def mean_s(self) -> float:
        return self.law.mean_s * self.factor

    @property
    def atoms_s(self) -> tuple[float, ...]:
        return tuple(atom * self.factor for atom in self.law.atoms_s)

    def survival(self, t_s: Floats) -> Floats:
        return np.asarray(self.law.survival(t_s / self.factor))


def typical(scenario: Scenario) -> tuple[float, float]:
    """Return the share of handlings that end in a park request, and the factor of the delay, of the average call."""
    rates, hours = rates_of(scenario), np.zeros(HOURS)
    for start_s, per_s, length_s in zip(rates.starts_s, rates.per_s, np.diff(rates.starts_s, append=0.0), strict=True):
        if per_s > 0:
            hours += per_s * _open_s(float(start_s), float(start_s + length_s))
    weight = hours / max(hours.sum(), 1e-300)
    return float(weight @ scenario.parking.shares), float(weight @ scenario.retrieval.factors)


def _open_s(low_s: float, high_s: float) -> Floats:
    """Return how much of each hour of day lies between two instants, shape (24,)."""

    def until(time_s: float) -> Floats:
        days, of_today_s = divmod(time_s, HOURS * HOUR_S)
        return np.asarray(days * HOUR_S + np.clip(of_today_s - np.arange(HOURS) * HOUR_S, 0.0, HOUR_S))

    return until(high_s) - until(low_s)


def day_factors(scenario: Scenario, nodes: int = NODES) -> tuple[tuple[float, float], ...]:
    """Return nodes and weights of the factor by which the rate of a day is multiplied: Gauss's for the gamma law.

    Source: Golub and Welsch (1969), Mathematics of Computation 23, 221-230, for Laguerre's polynomials.
    """
    days = getattr(scenario.arrivals, "busy_days", None)
    if days is None or not days.cv:
        return ((1.0, 1.0),)
    shape = days.cv**-2.0
    order = np.arange(nodes)
    beside = np.sqrt(order[1:] * (order[1:] + shape - 1.0))
    factors, vectors = np.linalg.eigh(np.diag(2.0 * order + shape) + np.diag(beside, 1) + np.diag(beside, -1))
    return tuple(zip((factors / shape).tolist(), (vectors[0] ** 2).tolist(), strict=True))


def call_of(scenario: Scenario, wish: float, factor: float) -> Call:
    """Return what may happen to one call of ``scenario`` if nothing were limited.

    Args:
        scenario: The scenario.
        wish: Share of handlings that end in a park request.
        factor: By which the delay of a retrieval is multiplied.
    """
    recall, retrieval = scenario.recall, scenario.retrieval
    weights = [lot.weight if isinstance(lot, NamedLot) else 1.0 for lot in scenario.lots]
    return Call(
        handling=scenario.attendants.handling,
        talk=scenario.attendants.talk,
        wish=wish,
        most_parks=scenario.parking.max_parks,
        announcement_s=scenario.parking.announcement,
        lots=tuple(
            LotLaws(weight / sum(weights), scenario.stay_patience(lot), lot.max_in_parking)
            for weight, lot in zip(weights, scenario.lots, strict=True)
        ),
        retrieval=retrieval.delay if retrieval.delay is None or factor == 1.0 else _Times(retrieval.delay, factor),
        never=retrieval.never,
        staff_talk=retrieval.talk,
        rings=recall.to == "parker",
        ring_s=None if recall.ring == UNLIMITED else float(recall.ring) * recall.attempts,
        answer=recall.answer,
        never_answered=recall.never,
        recall_patience=Constant(value=0.0) if recall.to == "elsewhere" else scenario.recall_patience,
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


class Part(NamedTuple):
    """The calls of some hours of the day: their life, all of them, and those that are counted."""

    life: Life
    rates: Rates
    counted: Rates


@dataclass(frozen=True)
class Ideal:
    """A scenario without limits; see ``ideal``."""

    scenario: Scenario
    parts: tuple[Part, ...]

    @property
    def step_s(self) -> float:
        """The largest step of a grid of ages."""
        return max(part.life.step_s for part in self.parts)

    @property
    def window_s(self) -> tuple[float, float]:
        """The window, seconds."""
        return self.scenario.warm_up_us / 1e6, self.scenario.horizon_us / 1e6

    def cuts_s(self, low_s: float, high_s: float) -> Floats:
        """Return instants from low to high, between which probabilities are taken to be constant."""
        cuts = max(2, min(MOST_INSTANTS, int(np.ceil((high_s - low_s) / max(self.step_s, SMALLEST_CUT_S)))))
        return np.linspace(low_s, high_s, cuts + 1)

    def parked_mean(self, time_s: Floats) -> Floats:
        """Return the mean number parked in each lot at ascending instants, shape (lots, instants)."""
        each = [[part.rates.of(curve, part.life.step_s, time_s) for curve in part.life.parked_s] for part in self.parts]
        return np.asarray(np.sum(each, axis=0))

    def sums(self, name: str, cuts_s: Floats, *, counted: bool = False, lot: int | None = None) -> Floats:
        """Return events or seconds between each two instants, shape (cuts - 1,).

        Args:
            name: A field of ``theory.Life``.
            cuts_s: The instants, ascending.
            counted: Whether only of the counted calls.
            lot: Of one lot only; by default of all.
        """
        total = np.zeros(len(cuts_s) - 1)
        for part in self.parts:
            curve = getattr(part.life, name)
            curve = curve if curve.ndim == 1 else curve.sum(axis=0) if lot is None else curve[lot]
            rates = part.counted if counted else part.rates
            total += np.diff(rates.until(curve, part.life.step_s, cuts_s))
        return total

    def by_hour(self, name: str, low_s: float, high_s: float, *, counted: bool = False) -> Floats:
        """Return events or seconds from low to high by hour of day, shape (24,)."""
        inner = np.arange(np.floor(low_s / HOUR_S) + 1, np.ceil(high_s / HOUR_S)) * HOUR_S
        cuts_s = np.concatenate(([low_s], inner, [high_s]))
        hours = (cuts_s[:-1] // HOUR_S).astype(np.int64) % HOURS
        return np.bincount(hours, self.sums(name, cuts_s, counted=counted), minlength=HOURS).astype(np.float64)


def ideal(scenario: Scenario, step_s: float | None = None) -> Ideal:
    """Return the scenario as it would be without limits of attendants, slots and staff.

    Args:
        scenario: Its limits are left out, everything else counts.
        step_s: Step of the grid of ages; by default ``theory.life`` chooses it.
    """
    end_s = (scenario.horizon_us + scenario.cool_down_us) / 1e6
    window_s, rates = (scenario.warm_up_us / 1e6, scenario.horizon_us / 1e6), rates_of(scenario)
    kinds = list(zip(scenario.parking.shares, scenario.retrieval.factors, strict=True))
    parts = []
    for wish, factor in dict.fromkeys(kinds):
        life = theory.life(call_of(scenario, wish, factor), end_s + LATE_S, step_s)
        of_hours = _in_hours(rates, [one == (wish, factor) for one in kinds])
        parts.append(Part(life, of_hours, of_hours.between(*window_s)))
    return Ideal(scenario, tuple(parts))


def _in_hours(rates: Rates, chosen: Sequence[bool]) -> Rates:
    """Return the rate in some hours of the day, 0 in the others."""
    if all(chosen):
        return rates
    starts_s = np.union1d(rates.starts_s, np.arange(np.ceil(rates.starts_s[-1] / HOUR_S)) * HOUR_S)
    per_s = rates.per_s[np.searchsorted(rates.starts_s, starts_s, side="right") - 1]
    return Rates(starts_s, per_s * np.array(chosen, float)[(starts_s // HOUR_S).astype(np.int64) % HOURS])


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
    ``retrieved``, ``hung_up`` (in a lot), ``returns``, ``stay_s`` (seconds parked), ``requests_at_full`` (that find at
    least as many calls in their lot as it has slots). Of time in the window: ``busy_slot_s``, ``full_s`` (with at least
    as many calls as slots, summed over the lots), ``time_outs``, ``attended_s`` and ``staff_s`` (seconds of work).
    ``calls``, ``park_requests``, ``busy_slot_s`` and ``time_outs`` are there by hour of day as well, with ``_by_hour``.

    Recorded calls are spread over their minute, and the two that need a Poisson number of calls are nan.

    Raises:
        UnfitError: A file of the scenario is not at hand.
    """
    fine = ideal(scenario)
    values, rough = _sums(ideal(scenario, fine.step_s / 2)), _sums(fine)
    return Expectations(values, {name: np.abs(value - rough[name]) for name, value in values.items()})


def _sums(one: Ideal) -> dict[str, Floats]:
    low_s, high_s = one.window_s
    end_s = high_s + LATE_S
    found = {
        "calls_by_hour": one.by_hour("calls", low_s, end_s, counted=True),
        "park_requests_by_hour": one.by_hour("requests", low_s, end_s, counted=True),
        "busy_slot_s_by_hour": one.by_hour("parked_s", low_s, high_s),
        "time_outs_by_hour": one.by_hour("expired", low_s, high_s),
    }
    found |= {name.removesuffix("_by_hour"): np.asarray(value.sum()) for name, value in found.items()}
    for name, field in (("retrieved", "retrieved"), ("hung_up", "hung_up"), ("returns", "expired")):
        found[name] = np.asarray(one.by_hour(field, low_s, end_s, counted=True).sum())
    found["stay_s"] = np.asarray(one.by_hour("parked_s", low_s, end_s, counted=True).sum())
    for name in ("attended_s", "staff_s"):
        found[name] = np.asarray(one.by_hour(name, low_s, high_s).sum())
    return found | _at_full(one, low_s, high_s)


def _at_full(one: Ideal, low_s: float, high_s: float) -> dict[str, Floats]:
    """Return how long lots would have no free slot, and how many requests would find that (Mecke's formula).

    On busy days both are averaged over the factor of the day, that of the day before taken to be the same.
    """
    if one.scenario.recording is not None:
        return {"full_s": np.asarray(np.nan), "requests_at_full": np.asarray(np.nan)}
    slots = [lot.slots for lot in one.scenario.lots]
    full_s = requests = 0.0
    for first_s, last_s in ((low_s, high_s), (high_s, high_s + LATE_S)):
        cuts = one.cuts_s(first_s, last_s)
        for lot, mean in enumerate(one.parked_mean(0.5 * (cuts[1:] + cuts[:-1]))):
            asks = one.sums("requests", cuts, counted=True, lot=lot)
            for factor, weight in day_factors(one.scenario):
                full = weight * poisson_at_least(slots[lot], factor * mean)
                # Sums instead of products of vectors: for those NumPy's library wakes threads, which cost more.
                requests += factor * float((asks * full).sum())
                full_s += float((full * np.diff(cuts)).sum()) if first_s == low_s else 0.0
    return {"full_s": np.asarray(full_s), "requests_at_full": np.asarray(requests)}
