"""The lot's formulas against chains over whole subsets of slots, and a bare loop over arrivals."""

import heapq
import itertools
import math

import numpy as np
import pytest

from parksim import theory
from parksim.scenario.laws import parse_law


def chain_of_slots(slots, offered):
    """Return each slot's utilisation under lowest-free choice: all 2^c occupancies, balance equations solved."""
    states = list(itertools.product([0, 1], repeat=slots))
    place = {state: index for index, state in enumerate(states)}
    generator = np.zeros((len(states), len(states)))
    for state in states:
        for slot in range(slots):
            if state[slot]:
                generator[place[state], place[(*state[:slot], 0, *state[slot + 1 :])]] += 1.0
        if 0 in state:
            free = state.index(0)
            generator[place[state], place[(*state[:free], 1, *state[free + 1 :])]] += offered
    generator -= np.diag(generator.sum(axis=1))
    system = np.vstack([generator.T, np.ones(len(states))])
    law = np.linalg.lstsq(system, np.eye(len(states) + 1)[-1], rcond=None)[0]
    return np.array(states).T @ law


def bare_lot(arrivals_s, stays_s, slots):
    """Return (busy seconds of each slot, refused) of a lot with lowest-free choice: a loop, no engine."""
    free, leaving, busy, refused = list(range(slots)), [], np.zeros(slots), 0
    for now, stay in zip(arrivals_s, stays_s, strict=True):
        while leaving and leaving[0][0] <= now:
            heapq.heappush(free, heapq.heappop(leaving)[1])
        if free:
            slot = heapq.heappop(free)
            busy[slot] += stay
            heapq.heappush(leaving, (now + stay, slot))
        else:
            refused += 1
    return busy, refused


@pytest.mark.parametrize(("slots", "offered"), [(1, 0.8), (3, 1.0), (5, 4.0), (7, 2.5)])
def test_slot_loads_solve_the_chain_over_all_occupancies(slots, offered):
    """Each slot's load is that of the chain over all 2^c sets of taken slots (linear algebra, exponential stays)."""
    assert theory.slot_loads(slots, offered) == pytest.approx(chain_of_slots(slots, offered), rel=1e-9)


@pytest.mark.parametrize(("slots", "offered"), [(1, 3.0), (10, 6.0), (400, 1000.0), (5000, 4000.5)])
def test_slot_loads_add_up_to_the_carried_load(slots, offered):
    """The slots together carry A (1 - B), whatever the choice, and the lowest one A / (1 + A)."""
    carried = theory.carried_erlang(slots, offered)
    assert math.fsum(theory.slot_loads(slots, offered)) == pytest.approx(carried, rel=1e-12)
    assert theory.slot_loads(slots, offered)[0] == pytest.approx(offered / (1 + offered), rel=1e-13)
    for choice in ("next", "random"):
        assert theory.slot_loads(slots, offered, choice) == pytest.approx(np.full(slots, carried / slots), rel=1e-12)


@pytest.mark.parametrize("law", ["60s", {"kind": "hyperexponential", "weights": [0.9, 0.1], "means": [20, 420]}])
def test_slot_loads_do_not_depend_on_the_law_of_stays(law):
    """Constant and very uneven stays of 60 s give every slot the load of the formula.

    A bare loop, 40 independent runs of 20,000 s after 3,000 s, seeds 0..39; each of 8 slots and the refused share
    must be within 5 standard errors (9 comparisons at 1.2e-5 of Student's t: wrongly red once in 9,000 trials).
    """
    stay, slots, rate, until = parse_law(law), 8, 0.1, 23_000.0
    loads, refusals = [], []
    for seed in range(40):
        generator = np.random.default_rng(seed)
        arrivals = np.cumsum(generator.exponential(1 / rate, 2800))
        arrivals = arrivals[arrivals < until]
        stays = stay.draw_s(generator, len(arrivals))
        busy, refused = bare_lot(arrivals, stays, slots)
        early, refused_early = bare_lot(arrivals[arrivals < 3000.0], stays[: int((arrivals < 3000.0).sum())], slots)
        loads.append((busy - early) / 20_000.0)  # stays begun in the window, over its length: the load in the mean
        refusals.append((refused - refused_early) / (arrivals >= 3000.0).sum())
    formula = np.array([*theory.slot_loads(slots, 6.0), theory.erlang_b(slots, 6.0)])
    seen = np.column_stack([np.array(loads), np.array(refusals)])
    error = seen.std(axis=0, ddof=1) / math.sqrt(len(seen))
    assert np.all(np.abs(seen.mean(axis=0) - formula) < 5.0 * error)
    assert np.all(error < 0.015)  # the comparison can tell one slot from the next


def test_a_lot_of_the_planner():
    """Every number of the lot's record, put together by hand from exponential clocks and Erlang's formula."""
    ends = theory.race(
        parse_law({"kind": "exponential", "mean": 240}), parse_law({"kind": "exponential", "mean": 60}), limit=180.0
    )
    lot = theory.loss_lot(0.1, ends, 10)
    gone = math.exp(-180 / 48)
    offered = 4.8 * (1 - gone)
    assert lot.offered_erlang == pytest.approx(offered, rel=1e-12)
    assert lot.refused_share == lot.time_full_share == pytest.approx(theory.erlang_b(10, offered), rel=1e-12)
    assert lot.retrieved_share == pytest.approx(0.8 * (1 - gone), rel=1e-11)
    assert lot.abandoned_share == pytest.approx(0.2 * (1 - gone), rel=1e-11)
    assert lot.expired_share == pytest.approx(gone, rel=1e-10)
    assert lot.occupancy_mean == pytest.approx(np.arange(11) @ np.array(lot.occupancy_pmf), rel=1e-12)
    assert lot.occupancy_mean == pytest.approx(sum(lot.slot_utilisation), rel=1e-12)
    assert sum(lot.occupancy_pmf[: lot.occupancy_p95 + 1]) >= 0.95 > sum(lot.occupancy_pmf[: lot.occupancy_p95])
    assert lot.parked_s_mean == pytest.approx(48 * (1 - gone), rel=1e-12)
    assert lot.parked_s_p50 == pytest.approx(48 * math.log(2), rel=1e-12)
    assert lot.parked_s_p95 == pytest.approx(48 * math.log(20), rel=1e-12)


def test_the_lot_of_a_constant_timer_is_the_printed_table():
    """Every stay at its limit of 60 s: 4.461 erlang on 10 slots refuse 1 %, and all time out."""
    lot = theory.loss_lot(4.461 / 60, theory.race(limit=60.0), 10, "random")
    assert round(lot.refused_share, 4) == 0.01
    assert (lot.expired_share, lot.retrieved_share, lot.abandoned_share) == (1.0, 0.0, 0.0)
    assert len(set(lot.slot_utilisation)) == 1


def test_an_empty_lot_that_nobody_uses():
    """No park: nothing refused, nobody there."""
    lot = theory.loss_lot(0.0, theory.race(limit=60.0), 2)
    assert (lot.refused_share, lot.occupancy_mean, lot.occupancy_p95) == (0.0, 0.0, 0)
    assert lot.occupancy_pmf == (1.0, 0.0, 0.0)


@pytest.mark.parametrize("t", [0.0, 1.0, 30.0, 179.0, 180.0, 5000.0])
def test_the_load_grows_from_empty_to_stationary(t):
    """Exponential stays cut at 180 s: lambda m (1 - e^(-t/m)) until the limit, then exactly stationary."""
    stay = theory.race(parse_law({"kind": "exponential", "mean": 60}), limit=180.0)
    expected = 0.1 * 60 * -math.expm1(-min(t, 180.0) / 60)
    assert theory.load_from_empty(0.1, stay, t) == pytest.approx(expected, rel=1e-12)
    assert theory.load_from_empty(0.1, stay, math.inf) == pytest.approx(0.1 * stay.mean_s, rel=1e-14)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: theory.slot_loads(0, 1.0), "slots must be at least 1"),
        (lambda: theory.slot_loads(2, -1.0), "offered_erlang must be >= 0"),
        (lambda: theory.slot_loads(2, 1.0, "highest"), "a choice is one of"),
        (lambda: theory.loss_lot(-0.1, theory.race(limit=1.0), 2), "parks_per_s must be >= 0"),
        (lambda: theory.loss_lot(0.1, theory.race(limit=1.0), 0), "slots must be at least 1"),
        (lambda: theory.load_from_empty(-1.0, theory.race(limit=1.0), 2.0), "offered_per_s must be >= 0"),
        (lambda: theory.load_from_empty(1.0, theory.race(limit=1.0), -2.0), "limit must be >= 0"),
    ],
)
def test_bad_arguments_are_named(call, words):
    """A number outside a formula's domain is a ValueError that says which and what it was."""
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize(("slots", "offered"), [(1, 3.0), (2, 0.5), (5, 3.0), (8, 12.0), (20, 12.0)])
def test_refused_parks_clump_as_the_chain_says(slots, offered):
    """Variance over mean of refusals, by the deviation matrix of the chain, inverted by NumPy, to 1e-9."""
    births = np.diag(np.full(slots, offered), 1)
    deaths = np.diag(np.arange(1.0, slots + 1), -1)
    chain = births + deaths
    chain -= np.diag(chain.sum(axis=1))
    pmf = theory.busy_pmf(slots, offered)
    always = np.outer(np.ones(slots + 1), pmf)
    deviation = np.linalg.inv(always - chain) - always
    assert theory.refused_dispersion(slots, offered) == pytest.approx(1 + 2 * offered * deviation[-1, -1], rel=1e-9)
