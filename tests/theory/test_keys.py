"""One key an attendant, against an exact chain for two of them, and against as many slots that are shared."""

import itertools

import numpy as np
import pytest

import parksim

RATE, HANDLED, STAYS = 1 / 60, 1 / 30, 1 / 100
"""A second: calls, decisions of a busy attendant, ends of a stay."""
TWO = {
    "run": {"horizon": "20h", "warm_up": "30m"},
    "arrivals": {"kind": "poisson", "rate": "60/h"},
    "queue.limit": 0,
    "attendants": {"count": 2, "handling": {"kind": "exponential", "mean": 30}},
    "parking": {"probability": 1, "slot": "own", "slot_taken": "refuse"},
    "lot": {"slots": 2, "when_full": "drop", "limits": "pbx", "max_in_parking": "unlimited"},
    "retrieval": {"delay": {"kind": "exponential", "mean": 100}},
    "recall": {},
    "caller": {},
    "objectives": {},
}


def refused_by_chain(shared):
    """Return the share of park requests that two attendants see refused, by the chain of their states.

    A state: who is busy, which slots are taken, and who has been idle longer, which counts while both are idle. A slot
    that is shared is the lowest free one.
    """
    states = list(itertools.product((0, 1), repeat=5))  # busy 0, busy 1, taken 0, taken 1, idle longer
    place = {state: number for number, state in enumerate(states)}
    rates, refused, requested = np.zeros((32, 32)), np.zeros(32), np.zeros(32)
    for state in states:
        busy, taken, longer = list(state[:2]), list(state[2:4]), state[4]
        here = place[state]

        def go(rate, busy, taken, longer, here=here):
            rates[here, place[*busy, *taken, longer]] += rate

        idle = [one for one in ((longer, 1 - longer) if sum(busy) == 0 else (0, 1)) if not busy[one]]
        if idle:
            go(RATE, [1 if one == idle[0] else busy[one] for one in (0, 1)], taken, longer)
        for one in (0, 1):
            if busy[one]:
                free = [slot for slot in ((0, 1) if shared else (one,)) if not taken[slot]]
                after = [1 if free and slot == free[0] else taken[slot] for slot in (0, 1)]
                requested[here] += HANDLED
                refused[here] += 0 if free else HANDLED
                go(HANDLED, [0 if other == one else busy[other] for other in (0, 1)], after, 1 - one)
            if taken[one]:
                go(STAYS, busy, [0 if slot == one else taken[slot] for slot in (0, 1)], longer)
    np.fill_diagonal(rates, rates.diagonal() - rates.sum(axis=1))
    equations = np.vstack((rates.T, np.ones(32)))
    steady = np.linalg.lstsq(equations, np.append(np.zeros(32), 1.0), rcond=None)[0]
    return float(steady @ refused / (steady @ requested))


def study(base, slot, replications, seed):
    """Return a study in which the lot chooses, or each attendant has a key."""
    scenario = base.with_values({"parking.slot": slot, "parking.slot_taken": "refuse"})
    return parksim.study(scenario, replications, seed=seed, level=0.99999)


@pytest.mark.parametrize(("slot", "shared"), [("own", False), ("lot", True), ("chosen", True)])
def test_two_keys_refuse_as_an_exact_chain_says(slot, shared):
    """60 replications of 19.5 h, seed 3, at the level 1e-5: the chain's share lies in the interval."""
    base = parksim.Scenario.loads(parksim.TEMPLATE).with_values(TWO)
    estimate = study(base, slot, 60, seed=3).estimate("refused_share")
    assert estimate.low <= refused_by_chain(shared) <= estimate.high
    assert estimate.half_width < 0.03


def test_two_keys_refuse_more_than_two_slots():
    """The chain itself: two keys refuse a fifth more than two slots that both may use."""
    assert refused_by_chain(shared=False) / refused_by_chain(shared=True) == pytest.approx(1.2, abs=1e-3)


def test_three_keys_of_the_hospital_refuse_more_than_three_slots():
    """The hospital with a slot for each of its three attendants, 20 days, seed 1: the intervals are far apart."""
    base = parksim.Scenario.load("scenarios/hospital.toml").with_values({"lot.slots": 3})
    shared, own = (study(base, slot, 20, seed=1).estimate("refused_share") for slot in ("lot", "own"))
    assert own.low > 2 * shared.high
