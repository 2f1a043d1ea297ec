"""Whole models: the reference model's known numbers, and a month of a real call centre's calls."""

from pathlib import Path

import checks
import numpy as np
import pytest

from parksim.studies import replication
from parksim.studies.formulas import formulas

PARK1 = {
    "parks_per_call": 0.59687,
    "refused": 0.01515,
    "retrieved": 0.43825,
    "abandoned": 0.13854,
    "expired": 0.02002,
    "occupancy_mean": 6.6521,
}
"""Per offered call, and the mean number of parked calls: long runs of other programs of this model agree."""
SHORT = {"run.horizon": 21_000, "run.warm_up": 1_000}
RECORDING = Path(__file__).parents[3] / "shared" / "data" / "bank-1999-02.csv"
"""A log that may lie beside the project, not in it: one row a call, with its instant in ``offered_at``."""


def per_call(results):
    """Return the six numbers of each replication, shape (replications, 6)."""
    calls = checks.column(results, "calls_offered")
    made = checks.column(results, "parks_made") / calls
    columns = [
        made,
        checks.column(results, "refused_share") * checks.column(results, "parks_requested") / calls,
        *(checks.column(results, f"{end}_share") * made for end in ("retrieved", "abandoned", "expired")),
        checks.column(results, "occupancy_mean"),
    ]
    return np.stack(columns, axis=1)


@pytest.mark.slow
def test_the_reference_model_gives_its_six_numbers():
    """Park-1, 25 replications of 200,000 s, seed 131: six numbers within 4 standard errors (red once in 300 trials)."""
    numbers = per_call(checks.simulated(checks.scenario("park1"), 25, 131))
    for (name, truth), column in zip(PARK1.items(), numbers.T, strict=True):
        assert abs(checks.score(column - truth)) <= 4, name


@pytest.mark.parametrize("neighbour", [{"lot.slots": 13}, {"lot.max_in_parking": 190}])
def test_the_reference_model_is_told_from_its_neighbours(neighbour):
    """Negative control: with 13 slots or 190 s, 25 replications of a tenth of that length miss some (seed 132)."""
    numbers = per_call(replication.replicate(checks.scenario("park1", neighbour | SHORT), 132, range(25), "simpy"))
    assert max(abs(checks.score(column - truth)) for truth, column in zip(PARK1.values(), numbers.T, strict=True)) > 4


@pytest.mark.skipif(not RECORDING.exists(), reason="the recorded month is not beside the project")
def test_a_real_month_is_replayed():
    """33,066 recorded calls: all are offered, in their hours; stays end as theory says; one run, 5 sigma, seed 133."""
    values = {"attendants.count": 8, "lot.slots": 8, "lot.first": 71}
    scenario = checks.scenario("recorded", values | {"arrivals.file": str(RECORDING)})
    table, measures = formulas(scenario), replication.run(scenario, seed=133).measures
    assert measures["calls_offered"] == table["calls_offered"].value == 33_066
    assert tuple(measures["calls_offered_by_hour"]) == table["calls_offered_by_hour"].value
    assert scenario.horizon_us == 28 * 86_400_000_000
    for name in ("retrieved_share", "expired_share", "abandoned_share"):
        share = table[name].value
        sigma = (share * (1 - share) / measures["parks_made"]) ** 0.5
        assert abs(measures[name] - share) < 5 * sigma, name
    window_s = scenario.horizon_us / 1e6
    little = measures["parks_made"] * measures["parked_s_mean"] / window_s
    assert measures["occupancy_mean"] == pytest.approx(little, rel=1e-3)  # some stays reach past the last midnight
    assert measures["slot_utilisation"].sum() == pytest.approx(measures["occupancy_mean"], rel=1e-12)
    assert 0 < measures["refused_share"] < 0.1
    assert 0.7 < measures["answered_within_share"] < 1
    assert 0.1 < measures["attendant_utilisation"] < 0.5
    assert measures["queue_abandoned_share"] < 0.1
    assert 7 <= np.argmax(measures["occupancy_mean_by_hour"]) < 19


@pytest.mark.skipif(not RECORDING.exists(), reason="the recorded month is not beside the project")
def test_a_day_of_a_real_month_drawn_at_random():
    """Replications that are days of the month offer the month's mean, by hour too (40 days, level 1e-5, seed 134)."""
    values = {"attendants.count": 8, "arrivals.file": str(RECORDING), "arrivals.resample": "days"}
    scenario = checks.scenario("recorded", values)
    truths = checks.known(scenario)
    assert truths["calls_offered"] == pytest.approx(33_066 / 28, rel=1e-12)
    assert checks.faults(checks.simulated(scenario, 40, 134), truths) == []
