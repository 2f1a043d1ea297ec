"""Endless traffic: what differs by the day or the hour does so however the stretches are cut."""

from itertools import islice

import numpy as np
import pytest

from parksim.engines.traffic import Traffic, endless_batches
from parksim.scenario.model import Scenario
from parksim.scenario.workload import day_factors, streams


@pytest.mark.parametrize(("name", "rate"), [("lot-only", 30), ("lot-only", 1000), ("hospital", 0)])
def test_endless_traffic_has_the_days_and_hours(name, rate):
    """However the stretches are cut, each hour has its day's rate, its share of parks, and its factor of the delay.

    Quiet days are one stretch, busy ones many. Counts of each day, parks of each hour: |z| < 5, level 6e-7 each.
    """
    days, shares, factors = 12 if rate < 1000 else 3, [0.1, 0.5, 0.9] * 8, [1, 3] * 12
    values = {"arrivals.busy_days": {"cv": 0.5}, "parking.probability": shares, "retrieval.delay_factor": factors}
    values |= {"arrivals.rate": f"{rate}/h"} if rate else {}
    scenario = Scenario.load(f"scenarios/{name}.toml").with_values(values | {"retrieval.delay": 10})
    counts, parks = np.zeros((days, 24)), np.zeros((days, 24))
    traffic = Traffic(endless_batches(scenario, 4, 0))
    while (coming := traffic.next_call()) is not None and coming[2] < days * 86_400_000_000:
        columns, index, arrival_us = coming
        day, hour = divmod(arrival_us // 3_600_000_000, 24)
        assert len(columns.arrival_us) < 3_000
        assert columns.retrieval_us[0][index] in (-1, factors[hour] * 10_000_000)
        counts[day, hour] += 1
        parks[day, hour] += columns.wants_park[0][index]
    busy = np.fromiter(islice(day_factors(scenario.arrivals, streams(4, 0)), days), float)
    rates = np.array(scenario.arrivals.calls_per_hour if name == "hospital" else [rate] * 24)
    expected = busy * rates.sum()
    assert (np.abs(counts.sum(1) - expected) < 5 * np.sqrt(expected)).all()
    assert not (np.abs(counts.sum(1) - rates.sum()) < 5 * np.sqrt(rates.sum())).all()  # days of one rate would be seen
    calls, share = counts.sum(0), np.array(shares)
    assert (np.abs(parks.sum(0) - calls * share) < 5 * np.sqrt(calls * share * (1 - share)) + 1).all()
