"""CPU seconds to ± 5 %: how many replications that takes, and that the rival of hospital is hospital."""

import math
from pathlib import Path

import numpy as np
import pytest

import parksim
from parksim.stats.estimate import controlled, mean_of
from tests.speed import idiomatic_hospital as hospital
from tests.speed import precision
from tests.speed.contest import DisagreementError
from tests.speed.precision import Program

HOSPITAL = Path(__file__).parents[2] / "scenarios" / "hospital.toml"


def alternating(n, spread):
    """Return a sample of n values around 1 whose standard deviation is ``spread``."""
    off = spread * math.sqrt((n - 1) / n)
    return mean_of([1.0 - off, 1.0 + off] * (n // 2))


def test_how_many_replications_it_takes_by_hand():
    """t(386) = 1.96614: (1.96614 x 0.5 / 0.05)^2 = 386.57, so 387; with 0.05 as the deviation t(6) / sqrt(7) <= 1."""
    assert precision.needed(alternating(400, 0.5), 0.05) == 387
    assert precision.needed(alternating(400, 0.05), 0.05) == 7  # 2.447 / 2.646; of 6 it is 2.571 / 2.449


def test_controls_cost_degrees_of_freedom():
    """One control that explains nothing: t(n - 2) sqrt((1 + 1 / (n - 3)) / n) x 0.1 <= 0.05, by hand 19 instead of 18.

    n = 19: t(17) = 2.1098, times sqrt((1 + 1/16) / 19) = 0.2365 is 0.4989; n = 18: 2.1199 x 0.2434 = 0.5161.
    """
    plain = alternating(400, 0.1)
    without_use = controlled(plain, [np.repeat([1.0, -1.0], 200)])
    assert without_use.controls == 1
    assert math.sqrt(without_use.variance * 400) == pytest.approx(0.1, rel=4e-3)
    assert (precision.needed(plain, 0.05), precision.needed(without_use, 0.05)) == (18, 19)


def test_a_program_twice_as_quick_with_a_quarter_of_the_variance_is_eight_times_cheaper():
    """Known costs: 2 s a replication and deviation 1, against 1 s and 0.5, once 0 s: 2 n to n / 4."""

    def program(name, spread, each_s):
        sample = alternating(400, spread)
        return Program(name, sample, lambda _rng: sample, lambda _turn: (each_s, 0.0))

    lines = precision.compared([program("slow", 1.0, 2.0), program("quick", 0.5, 1.0)], rounds=3)
    assert [one.replications for one in lines] == [1540, 387]
    assert lines[1].ratio == pytest.approx(8.0, rel=0.01)
    assert lines[1].low == lines[1].high == lines[1].ratio  # nothing varies


def test_the_rival_has_the_numbers_of_the_scenario():
    """Every number of ``scenarios/hospital.toml`` that the rival has of its own, read from the file."""
    s = parksim.Scenario.load(HOSPITAL)
    assert s.arrivals.calls_per_hour == hospital.CALLS_PER_HOUR
    assert (s.run.horizon, s.run.warm_up) == (hospital.DAY_S, hospital.WARM_UP_S)
    assert (s.queue.limit, s.attendants.count, s.retrieval.staff) == (
        hospital.QUEUE_LIMIT,
        hospital.ATTENDANTS,
        hospital.STAFF,
    )
    assert (math.log(s.attendants.handling.median), s.attendants.handling.sigma) == hospital.HANDLING
    assert (math.log(s.retrieval.delay.median), s.retrieval.delay.sigma) == hospital.RETRIEVAL
    assert (s.attendants.talk.mean, s.retrieval.talk.mean) == (hospital.TALK_S, hospital.STAFF_TALK_S)
    assert (s.parking.probability, s.parking.max_parks) == (hospital.PARK_PROBABILITY, hospital.MAX_PARKS)
    assert (s.parking.announcement, s.lot.slots) == (hospital.ANNOUNCEMENT_S, hospital.SLOTS)
    assert (s.lot.max_in_parking.value, s.retrieval.never) == (hospital.MAX_IN_PARKING_S, hospital.NEVER_RETRIEVED)
    assert (s.recall.ring, s.recall.never) == (hospital.RING_S, hospital.NEVER_ANSWERED)
    assert (s.recall.answer.low, s.recall.answer.high) == hospital.ANSWER_S
    assert s.caller.patience.mean == hospital.PATIENCE_S


@pytest.mark.slow
def test_the_rival_simulates_hospital_and_one_with_longer_stays_is_turned_away(monkeypatch):
    """40 days each, seeds from 1000 and 1: three figures within four standard errors; not with a stay of 150 s."""
    study = parksim.study(parksim.Scenario.load(HOSPITAL), replications=40, seed=1)
    days = [hospital.simulate(1000 + number) for number in range(40)]
    assert "refused_share" in precision.agreed(days, study, "hospital")
    monkeypatch.setattr(hospital, "MAX_IN_PARKING_S", 150.0)
    days = [hospital.simulate(1000 + number) for number in range(40)]
    with pytest.raises(DisagreementError, match="hospital: "):
        precision.agreed(days, study, "hospital")
    with pytest.raises(DisagreementError):
        precision.agreed(days[:1] * 40, study, "hospital")
