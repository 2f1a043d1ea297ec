"""How a simulation is held against theory: replications, and for each measure a test at one level.

A mean is tested by Student's t over replications. A share is not averaged as it is (a mean of ratios has a bias of
one over the number of calls): with n trials in a replication, n x (share - truth) has the mean 0 exactly. A sample
quantile is tested by order: among 24 replications or more some lie on either side of the truth, or on it.

Student's t wants errors that are not too skew. A share of which a replication sees fewer than five events (or five
that were none) is therefore not compared: as an element of a vector it is passed over, alone it is an error.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
import scipy.stats

from parksim.catalogue import SHARES
from parksim.scenario.model import Scenario
from parksim.studies import replication
from parksim.studies.formulas import formulas

SCENARIOS = Path(__file__).parents[2] / "scenarios"
LEVEL = 1e-5
"""Of one comparison: how often it is red though all is well."""
LEAST = 24
"""Replications: with fewer, t at this level would forgive too much, and order statistics would accuse too often."""
FEWEST = 5
"""Events in a replication, below which t is not trusted: with one each, errors of 6 standard errors come by chance."""

QUANTILES = {"occupancy_p95", "parked_s_p50", "parked_s_p95", "answer_wait_s_p95"}
TRIALS = {
    "refused_share": "parks_requested",
    "retrieved_share": "parks_made",
    "expired_share": "parks_made",
    "abandoned_share": "parks_made",
    "stranger_share": "parks_made",
    "reminded_share": "parks_made",
    "resumed_share": "parks_made",
    "slot_taken_share": "parks_requested",
    "parked_s_mean": "parks_made",
    "forwarded_share": "calls_offered",
    "recall_busy_share": "returns",
    "recall_answered_share": "returns",
    "recall_retrieved_share": "returns",
    "recall_abandoned_share": "returns",
    "lost_share": "calls_offered",
    "queue_abandoned_share": "calls_offered",
    "queue_full_share": "calls_offered",
    "parks_per_call": "calls_offered",
    "answered_within_share": "calls_offered",
    "answer_wait_s_mean": "answers",
    "refused_share_by_hour": "parks_requested_by_hour",
    "answered_within_share_by_hour": "calls_offered_by_hour",
}
"""What each ratio is a ratio to; all other measures are means over time or counts."""


@cache
def _loaded(name: str) -> Scenario:
    return Scenario.load(SCENARIOS / f"{name}.toml")


def scenario(name: str, values: Mapping[str, object] | None = None) -> Scenario:
    """Return one of the project's scenarios with some values replaced."""
    return _loaded(name).with_values(values) if values else _loaded(name)


@cache
def simulated(of: Scenario, replications: int, seed: int) -> list[replication.Result]:
    """Return the measures of each replication, run once however many tests look at them."""
    return replication.replicate(of, seed, range(replications), "simpy")


def known(of: Scenario) -> dict[str, float | tuple[float, ...]]:
    """Return what theory knows of a scenario, by measure."""
    return {name: formula.value for name, formula in formulas(of).items() if formula.value is not None}


def column(results: list[replication.Result], name: str) -> np.ndarray:
    """Return a measure, or what it is a ratio to: shape (replications,) or (replications, length)."""
    if name == "returns":
        return column(results, "expired_share") * column(results, "parks_made")
    if name == "answers":
        unanswered = column(results, "queue_abandoned_share") + column(results, "queue_full_share")
        return (1.0 - unanswered) * column(results, "calls_offered")
    return np.array([result[name] for result in results])


def errors(results: list[replication.Result], name: str, truth: float | tuple[float, ...]) -> np.ndarray:
    """Return by how much each replication misses the truth, shape (replications, length), weighted by its trials."""
    values = column(results, name)
    missed = values - np.asarray(truth)
    if name in TRIALS:
        trials = column(results, TRIALS[name])
        missed = np.where(trials == 0, 0.0, trials * missed)
    return missed.reshape(len(results), -1)


def too_rare(results: list[replication.Result], name: str, truth: float | tuple[float, ...]) -> np.ndarray:
    """Return which shares have too few events, both by the truth and as seen; shape (length,)."""
    shares = np.atleast_1d(np.asarray(truth))
    if name not in TRIALS or name not in SHARES:
        return np.zeros(len(shares), bool)
    trials = column(results, TRIALS[name]).reshape(len(results), -1)
    events = np.where(trials == 0, 0.0, trials * column(results, name).reshape(len(results), -1)).mean(axis=0)
    trials = trials.mean(axis=0)
    by_truth, as_seen = trials * np.minimum(shares, 1 - shares), np.minimum(events, trials - events)
    return (shares > 0) & (shares < 1) & (trials > 0) & (np.maximum(by_truth, as_seen) < FEWEST)


def score(missed: np.ndarray) -> float:
    """Return the mean error in standard errors; where no replication differs from another: 0 when there is none."""
    mean, sd = missed.mean(), missed.std(ddof=1)
    if sd <= 1e-12 * np.abs(missed).max(initial=0.0):
        return 0.0 if abs(mean) <= 1e-9 else np.inf
    return float(mean / sd * np.sqrt(len(missed)))


def bound(replications: int, level: float = LEVEL) -> float:
    """Return how many standard errors a mean may be off."""
    return float(scipy.stats.t.isf(level / 2, replications - 1))


def faults(results: list[replication.Result], truths: Mapping[str, float | tuple[float, ...]]) -> list[str]:
    """Return where the replications disagree with the truth, one line each."""
    assert len(results) >= LEAST
    found = []
    for name, truth in truths.items():
        if name in QUANTILES:
            values = column(results, name)
            if not values.min() - 1e-6 <= truth <= values.max() + 1e-6:
                found.append(f"{name}: {truth} is outside [{values.min()}, {values.max()}]")
            continue
        rare = too_rare(results, name, truth)
        assert not (rare.any() and np.isscalar(truth)), f"{name} is too rare for runs of this length"
        for index, missed in enumerate(errors(results, name, truth).T):
            if np.isnan(missed).all() or rare[index]:
                continue  # the window has not this hour of day, or too little of it
            if not abs(off := score(missed)) <= bound(len(results)):
                found.append(f"{name}[{index}]: {off:+.1f} standard errors from {truth}")
    return found
