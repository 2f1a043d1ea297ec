"""Controls: what the calls of a replication would have done without limits, of which the mean is known.

A replication that was offered more calls than usual has more of its slots busy as well. The switchboard without limits
(``engines.unlimited``) says by how much, on the same drawn calls, and theory says what it does on average
(``studies.ideal.expectations``). The difference corrects the estimate (``stats.estimate.controlled``).

Which controls a measure has is chosen beforehand, in ``CONTROLS``, and never by looking at the replications.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from parksim.engines.unlimited import TOTALS, totals
from parksim.errors import UnfitError
from parksim.scenario.model import Scenario
from parksim.scenario.sections import busy_cv
from parksim.scenario.workload import Workload
from parksim.studies.ideal import expectations
from parksim.studies.store import Result

Floats = NDArray[np.float64]
NAME: Final = "controls"
"""Under which a replication keeps its ``totals``, beside its measures."""
CONTROLS: Final[Mapping[str, tuple[str, ...]]] = {
    "parks_requested": ("park_requests",),
    "parks_made": ("park_requests",),
    "offered_erlang": ("stay_s", "park_requests"),
    "refused_share": ("requests_at_full", "full_s"),
    "time_full_share": ("full_s", "requests_at_full"),
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


def why_none(scenario: Scenario) -> str:
    """Return why no mean of a control is known; "" where some are."""
    return "its calls are recorded, so what they do on average is not known" if scenario.recording is not None else ""


def of_replication(scenario: Scenario, workload: Workload) -> Floats:
    """Return the controls of a replication, in the order of ``TOTALS``."""
    return totals(scenario.settings, workload, (scenario.warm_up_us, scenario.horizon_us))


def without(result: Result) -> Result:
    """Return the measures of a replication without its controls."""
    return {name: value for name, value in result.items() if name != NAME}


@lru_cache(maxsize=256)
def _means(scenario: Scenario) -> tuple[Floats, Floats] | None:
    """Return the means of the controls and the errors of these, nan where not known; None without the files."""
    try:
        known = expectations(scenario)
    except UnfitError:
        return None
    values, errors = (np.array([float(part[name]) for name in TOTALS]) for part in (known.values, known.grid_error))
    if busy_cv(scenario.arrivals):
        values[[TOTALS.index(name) for name in _POISSON]] = np.nan
    return values, errors


class Deviations:
    """By how much the controls of some replications are off their means."""

    def __init__(self, scenario: Scenario, results: Sequence[Result]) -> None:
        self._scenario, self._results = scenario, results
        self._found: dict[str, Floats] | None = None

    @property
    def _by_name(self) -> dict[str, Floats]:
        """The deviations of each control whose mean is known, shape (replications,)."""
        if self._found is None:
            self._found = {}
            drawn = [result.get(NAME) for result in self._results]
            means = _means(self._scenario) if drawn and None not in drawn else None
            if means is not None:
                columns = np.array(drawn, np.float64).T
                for name, column, mean, error in zip(TOTALS, columns, *means, strict=True):
                    if error <= NEGLIGIBLE * column.std():
                        self._found[name] = column - mean
        return self._found

    def of(self, measure: str) -> list[Floats]:
        """Return the deviations of a measure's controls, the one that says most first; none where it has none."""
        return [self._by_name[name] for name in CONTROLS.get(measure, ()) if name in self._by_name]
