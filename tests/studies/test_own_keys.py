"""A key for each attendant against slots that all share: an exact chain for two keys, and the hospital."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest

import parksim
from parksim.studies.replication import replicate

ARRIVALS_PER_S, HANDLING_S, STAY_S = 1 / 40, 30.0, 60.0
TWO_KEYS = f"""
name = "two keys"
[run]
horizon = "40h"
warm_up = "1h"
[arrivals]
kind = "poisson"
rate = "{ARRIVALS_PER_S * 3600}/h"
[queue]
limit = 0
[attendants]
count = 2
handling = {{ kind = "exponential", mean = "{HANDLING_S}s" }}
[parking]
probability = 1.0
slot = "own"
slot_taken = "refuse"
[lot]
slots = 2
max_in_parking = "unlimited"
limits = "pbx"
when_full = "drop"
[retrieval]
delay = {{ kind = "exponential", mean = "{STAY_S}s" }}
"""


def refused_share(*, own):
    """Return the share of refused parks by the balance of an exact chain.

    A state says of each attendant whether he talks, of each slot whether it is taken, and who has been idle longer. A
    call that finds nobody idle is lost. At the end of a talk the call takes the attendant's own slot, or of shared ones
    the lowest, or is lost.
    """
    states = list(product((0, 1), repeat=5))  # talks, talks, taken, taken, who is idle longer
    rates = np.zeros((len(states), len(states)))
    refused = np.zeros(len(states))
    for number, (*four, longer) in enumerate(states):
        talks, taken = four[:2], four[2:]

        def to(rate, talks, taken, longer, at=number):
            rates[at, states.index((*talks, *taken, longer))] += rate

        idle = [one for one in (longer, 1 - longer) if not talks[one]]
        if idle:
            now = [1 if one == idle[0] else busy for one, busy in enumerate(talks)]
            to(ARRIVALS_PER_S, now, taken, 1 - idle[0])  # the other one is the longer idle, as soon as both are
        for one in (0, 1):
            if talks[one]:
                free = one if own else next((slot for slot in (0, 1) if not taken[slot]), 0)
                refused[number] += taken[free] / HANDLING_S
                after = [1 if slot == free else full for slot, full in enumerate(taken)]
                now = [0 if other == one else busy for other, busy in enumerate(talks)]
                to(1 / HANDLING_S, now, after, 1 - one)  # who gets idle now is idle less long than the other
            if taken[one]:
                to(1 / STAY_S, talks, [0 if slot == one else full for slot, full in enumerate(taken)], longer)
    balance = rates.T - np.diag(rates.sum(axis=1))
    system = np.vstack((balance, np.ones(len(states))))
    share = np.linalg.lstsq(system, np.array([0.0] * len(states) + [1.0]), rcond=None)[0]
    requests = sum(probability * sum(state[:2]) for state, probability in zip(states, share, strict=True)) / HANDLING_S
    return float(share @ refused) / requests


@pytest.mark.parametrize("slot", ["own", "assigned"])
def test_two_keys_refuse_what_an_exact_chain_says(slot):
    """Own keys, and two shared slots: 20 replications of some 3,500 calls, within 4 standard errors (seed 14)."""
    scenario = parksim.Scenario.loads(TWO_KEYS)
    if slot != "own":
        scenario = parksim.Scenario.loads(TWO_KEYS.replace('slot = "own"\nslot_taken = "refuse"\n', ""))
    results = replicate(scenario, 14, range(20), "simpy")
    requests = np.array([one["parks_requested"] for one in results])
    refused = np.array([one["refused_share"] for one in results]) * requests
    truth = refused_share(own=slot == "own")
    off = refused - truth * requests
    error = off.std(ddof=1) / np.sqrt(len(off))
    assert abs(off.mean()) <= 4 * error
    other = refused_share(own=slot != "own")
    assert abs((refused - other * requests).mean()) > 4 * error  # and the two are told apart


def test_own_keys_cost_more_than_shared_slots():
    """One key for each of the hospital's three operators refuses more parks than three shared slots: both ends say so."""
    hospital = parksim.Scenario.load(Path(__file__).parents[2] / "scenarios" / "hospital.toml")
    shared = hospital.with_values({"lot.slots": 3})
    keys = shared.with_values({"parking.slot": "own", "parking.slot_taken": "refuse"})
    difference = parksim.compare(shared, keys, replications=6).differences["refused_share"]
    assert difference.low > 0.05
