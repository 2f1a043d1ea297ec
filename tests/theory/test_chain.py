"""The chain of attendants, queue and lots against Erlang A and B, Pollaczek and Khinchine, and SciPy's expm."""

import dataclasses

import numpy as np
import pytest
import scipy.linalg

from parksim import theory
from parksim.errors import ArgumentError
from parksim.theory.chain import Chain, Exchange, Speeds
from parksim.theory.flows import blocked


def last_queue(seen):
    """Return the mean number waiting in the last step."""
    return float(seen.waiting[-1] @ np.arange(seen.waiting.shape[1]))


def test_erlang_a():
    """Attendants alone with exponential patience come to rest at Erlang A's numbers (to 1e-6)."""
    chain = Chain(Exchange((4,), 40, 1, talks=False))
    seen = chain.run([Speeds(4, 1 / 30, 1 / 60, 1 / 90, 0.0, 0.0, 0.0)] * 200, 60.0)
    truth = theory.erlang_a(4, 1 / 30, 90.0, 60.0)
    assert seen.busy[-1] == pytest.approx(truth.busy_mean, rel=1e-6)
    assert last_queue(seen) == pytest.approx(truth.queue_mean, rel=1e-6)


@pytest.mark.parametrize("phases", [1, 2, 3])
def test_phases_have_the_variance_that_they_should(phases):
    """One attendant, handling in phases and a talk: the wait is Pollaczek and Khinchine's (to 1e-3)."""
    rate, handling_s, talk_s, wish = 1 / 60, 40.0, 15.0, 0.6
    exchange = Exchange((1,), 60, phases, talks=True, slots=(2,), shares=(1.0,), kept=False)
    speeds = Speeds(1, rate, 0.0, phases / handling_s, wish, 1 / talk_s, 0.0, (1 / 400,), (0.0,))
    seen = Chain(exchange).run([speeds] * 400, 60.0)
    mean = handling_s + (1 - wish) * talk_s
    variance = handling_s**2 / phases + (1 - wish) * 2 * talk_s**2 - ((1 - wish) * talk_s) ** 2
    wait_s = rate * (variance + mean**2) / 2 / (1 - rate * mean)
    assert last_queue(seen) / rate == pytest.approx(wait_s, rel=1e-3)


@pytest.mark.parametrize("stay_phases", [1, 2])
def test_erlang_b_of_requests_that_come_by_themselves(stay_phases):
    """Without attendants the lot refuses Erlang's B, whatever the phases of a stay (to 1e-6)."""
    chain = Chain(Exchange((), 0, 0, talks=False, slots=(3,), shares=(1.0,), stay_phases=stay_phases))
    seen = chain.run([Speeds(0, 0.02, 0.0, 0.0, 0.0, 0.0, 0.0, (1 / 60,), (0.0,))] * 100, 60.0)
    blocking = theory.erlang_b(3, 1.2)
    assert seen.refused[-1, 0, 0] == pytest.approx(blocking, rel=1e-6)
    assert seen.full[-1, 0] == pytest.approx(blocking, rel=1e-6)
    assert seen.mean[-1, 0] == pytest.approx(1.2 * (1 - blocking), rel=1e-6)
    assert seen.parked[-1] == pytest.approx(theory.busy_pmf(3, 1.2), rel=1e-6)


def test_few_attendants_refuse_less_than_erlang_says():
    """Three attendants park one call each at a time: fewer requests find the lot full than Poisson's of that load."""
    exchange = Exchange((3,), 20, 2, talks=True, slots=(4,), shares=(1.0,))
    speeds = Speeds(3, 100 / 3600, 1 / 449, 2 / 44, 0.6, 1 / 45, 0.0, (1 / 100,), (0.3,))
    seen = Chain(exchange).run([speeds] * 60, 60.0)
    offered = float(seen.mean[-1, 0] / (1 - seen.refused[-1, 0, 0]))
    assert 0.05 < seen.refused[-1, 0, 0] < 0.95 * theory.erlang_b(4, offered)
    assert seen.refused[-1, 0, 0] < seen.full[-1, 0]


def test_a_small_chain_is_its_matrix_exponential():
    """Two lots that overflow, retries, returns, a roster: steps are SciPy's expm of the moves, and add up to 1."""
    exchange = Exchange(
        (1, 2), 2, 2, talks=True, slots=(1, 1), shares=(0.5, 0.5), overflows=True, kept=True, asks_again=0.5
    )
    assert len(Chain(exchange).states) == exchange.size
    chain = Chain(exchange)
    speeds = Speeds(2, 0.05, 0.01, 0.1, 0.6, 0.05, 0.2, (0.02, 0.01), (0.3, 0.2))
    later = speeds._replace(attendants=1, calls=0.01)
    seen = chain.run([speeds, speeds, later], 20.0)
    assert seen.parked.sum(axis=1) == pytest.approx(np.ones(3), abs=1e-12)
    p = np.zeros(len(chain.states))
    p[0] = 1.0
    for one in (speeds, speeds, later):
        moves = chain._moves[one.attendants]
        rates = np.zeros((len(p), len(p)))
        weight = moves.weight * chain._multipliers(one)[moves.kind]
        np.add.at(rates, (moves.active[moves.target], moves.active[moves.source]), weight)
        rates -= np.diag(rates.sum(axis=0))
        many = [scipy.linalg.expm(rates * 20.0 * share) @ p for share in (np.arange(40) + 0.5) / 40]
        p = scipy.linalg.expm(rates * 20.0) @ p
    assert seen.busy[-1] == pytest.approx(float(np.mean([one @ chain.busy for one in many])), rel=2e-4)
    assert seen.mean[-1] == pytest.approx(np.mean([one @ chain.parked for one in many], axis=0), rel=2e-4)


def test_attendants_who_come_on_duty_take_those_who_wait():
    """Nobody on duty, then two: the two calls that wait are answered at once, a third stays."""
    exchange = Exchange((0, 2), 3, 1, talks=False)
    quiet = Speeds(0, 0.0, 0.0, 1e-9, 0.0, 0.0, 0.0)
    seen = Chain(exchange).run([quiet._replace(calls=10.0), quiet._replace(attendants=2)], 10.0)
    assert seen.busy[0] == 0.0
    assert seen.busy[1] == pytest.approx(2.0, rel=1e-6)
    assert last_queue(seen) == pytest.approx(1.0, rel=1e-6)


def test_a_chain_needs_its_parts():
    """Attendants without a phase of handling, and phases without attendants, are refused."""
    good = Exchange((1,), 1, 1, talks=False)
    for wrong in ({"phases": 0}, {"attendants": ()}, {"attendants": (0,)}):
        with pytest.raises(ArgumentError):
            Chain(dataclasses.replace(good, **wrong))


def test_blocking_of_many_loads():
    """``blocked`` is Erlang's B of each load."""
    loads = np.array([0.0, 0.5, 4.0, 40.0])
    for slots in (0, 1, 6):
        assert blocked(slots, loads) == pytest.approx([theory.erlang_b(slots, load) for load in loads], rel=1e-13)
