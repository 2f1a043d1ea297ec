"""Controls: sums of a replication of which the mean is known. By how much they are off it corrects the estimate.

A replication that was offered more calls than usual has more of its slots busy as well. The switchboard without limits
(``engines.unlimited``) says by how much, on the same drawn calls, and theory says what it does on average
(``studies.ideal.expectations``). What happened while a lot was full beyond what was to be expected
(``journal.innovations``) has the mean 0. ``stats.estimate.controlled`` makes the correction.

Which controls a measure has is chosen beforehand, in ``CONTROLS``, and never by looking at the replications.
"""

import math
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from parksim.engines.unlimited import TOTALS, totals
from parksim.errors import UnfitError
from parksim.journal.innovations import INNOVATIONS, innovations
from parksim.journal.journal import Journal
from parksim.scenario.model import Scenario
from parksim.scenario.sections import Recorded, busy_cv
from parksim.scenario.workload import Workload
from parksim.studies.ideal import expectations
from parksim.studies.store import Result

Floats = NDArray[np.float64]
NAME: Final = "controls"
"""Under which a replication keeps its ``SUMS``, beside its measures."""
SUMS: Final = (*TOTALS, *INNOVATIONS)
CONTROLS: Final[Mapping[str, tuple[str, ...]]] = {
    "parks_requested": ("park_requests",),
    "parks_made": ("park_requests",),
    "offered_erlang": ("stay_s", "park_requests"),
    "refused_share": ("requests_at_full", "wishes_at_full", "decisions_at_full", "departures_at_full", "full_s"),
    "time_full_share": ("full_s", "departures_at_full", "decisions_at_full", "requests_at_full"),
    "retrieved_share": ("retrieved", "park_requests"),
    "expired_share": ("returns", "park_requests"),
    "abandoned_share": ("hung_up", "park_requests"),
    "recalls_per_hour": ("time_outs",),
    "occupancy_mean": ("busy_slot_s", "full_s"),
    "parked_s_mean": ("stay_s", "park_requests"),
    "parks_per_call": ("park_requests", "calls"),
    "attendant_utilisation": ("attended_s", "calls"),
    "staff_utilisation": ("staff_s",),
    "answer_wait_s_mean": ("attended_s", "calls"),
    "answered_within_share": ("attended_s", "calls"),
    "queue_abandoned_share": ("attended_s", "calls"),
}
"""The controls of each measure, the one that says most first; a measure that is not here has none."""
_POISSON: Final = ("requests_at_full", "full_s")
"""Their mean supposes that the number of parked calls is Poisson, which it is not where days differ by chance."""
NEGLIGIBLE: Final = 1e-3
"""A mean whose error is no more than this share of the control's standard deviation counts as known."""
FEWEST_CALLS: Final = 150
"""In a window of fewer calls the measures are too skewed for a regression: their estimates are the plain ones."""


def are_worth(scenario: Scenario) -> bool:
    """Say whether replications have controls where these are asked for: their windows are long enough.

    Recorded calls are not counted here: of the controls they have only those whose mean is 0 (``_means``).
    """
    if scenario.beyond_theory:
        return False
    if isinstance(scenario.arrivals, Recorded):
        return True
    counted_us = scenario.horizon_us - scenario.warm_up_us
    return scenario.expected_calls * counted_us >= FEWEST_CALLS * (scenario.horizon_us + scenario.cool_down_us)


def of_replication(journal: Journal, scenario: Scenario, workload: Workload) -> Floats:
    """Return the sums of a replication, in the order of ``SUMS``."""
    window = (scenario.warm_up_us, scenario.horizon_us)
    found = (totals(scenario.settings, workload, window), innovations(journal, scenario, workload))
    return np.concatenate(found)


def without(result: Result) -> Result:
    """Return the measures of a replication without its controls."""
    return {name: value for name, value in result.items() if name != NAME}


def why_fewer(scenario: Scenario) -> str:
    """Return why a scenario has no controls, or not all; "" where it has all."""
    if key := scenario.beyond_theory:
        return f"no control knows {key}"
    if not are_worth(scenario):
        return f"a window of fewer than {FEWEST_CALLS} calls is too short for controls"
    if isinstance(scenario.arrivals, Recorded):
        return "what recorded calls would do without limits is not known on average"
    if busy_cv(scenario.arrivals):
        return "how often a lot would be full without limits is not known where days differ by chance"
    return ""


@lru_cache(maxsize=256)
def _means(scenario: Scenario) -> tuple[Floats, Floats]:
    """Return the means of the sums and the errors of these, nan where a mean is not known."""
    means, errors = np.zeros((2, len(SUMS)))
    means[: len(TOTALS)] = np.nan
    if isinstance(scenario.arrivals, Recorded):  # what recorded calls do on average is not known
        return means, errors
    try:
        known = expectations(scenario)
    except UnfitError:  # a file of the scenario is not at hand
        return means, errors
    for place, name in enumerate(TOTALS):
        if name not in _POISSON or not busy_cv(scenario.arrivals):
            means[place], errors[place] = float(known.values[name]), float(known.grid_error[name])
    return means, errors


class Deviations:
    """By how much the controls of some replications are off their means."""

    def __init__(self, scenario: Scenario, results: Sequence[Result]) -> None:
        self._scenario, self._results = scenario, results

    @cached_property
    def _by_name(self) -> dict[str, Floats]:
        """The deviations of each control whose mean is known, shape (replications,)."""
        drawn = [result.get(NAME) for result in self._results]
        if not drawn or None in drawn:
            return {}
        columns = np.array(drawn, np.float64).T
        return {
            name: column - mean
            for name, column, mean, error in zip(SUMS, columns, *_means(self._scenario), strict=True)
            if math.isfinite(mean) and error <= NEGLIGIBLE * column.std()
        }

    def of(self, measure: str) -> list[Floats]:
        """Return the deviations of a measure's controls, the one that says most first; none where it has none."""
        return [self._by_name[name] for name in CONTROLS.get(measure, ()) if name in self._by_name]
