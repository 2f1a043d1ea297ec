"""The switchboard without limits against closed forms: transients, races, convolutions, mass, and the halved grid."""

import math

import numpy as np
import pytest
import scipy.stats

from parksim import theory
from parksim.errors import ArgumentError
from parksim.scenario.laws import parse_law
from parksim.theory import Call, LotLaws, Rates

NOTHING = parse_law(0)


def call(**values):
    """Return a call that is parked at once, for an exponential stay of 60 s, and does nothing else."""
    plain = {
        "handling": NOTHING,
        "talk": NOTHING,
        "wish": 1.0,
        "most_parks": 1,
        "announcement_s": 0.0,
        "lots": (LotLaws(1.0, None, None),),
        "retrieval": parse_law({"kind": "exponential", "mean": 60}),
        "never": 0.0,
        "staff_talk": NOTHING,
        "rings": False,
        "ring_s": None,
        "answer": NOTHING,
        "never_answered": 0.0,
        "recall_patience": None,
        "unanswered_lost": False,
    }
    return Call(**(plain | values))


def steps(hours_per_s):
    """Return rates that change each hour."""
    return Rates(np.arange(len(hours_per_s)) * 3600.0, np.array(hours_per_s))


def parked(of, rates, time_s, step_s=None):
    """Return the mean number parked at some instants."""
    life = theory.life(of, 86_400.0, step_s)
    return rates.of(life.parked_s.sum(axis=0), life.step_s, np.array(time_s))


def test_an_exponential_lot_follows_its_differential_equation():
    """The mean obeys m' = lambda(t) - m / 60 from empty: closed form over three hours of other rates, to 1e-5."""
    rates, time_s = [0.1, 0.02, 0.3], np.arange(0.0, 10_800.0, 37.0)
    truth, at_start = [], 0.0
    for hour, rate in enumerate(rates):
        inside = time_s[(time_s >= 3600 * hour) & (time_s < 3600 * (hour + 1))] - 3600 * hour
        truth.append(60 * rate + (at_start - 60 * rate) * np.exp(-inside / 60))
        at_start = 60 * rate + (at_start - 60 * rate) * math.exp(-60)
    assert parked(call(), steps([*rates, 0.0]), time_s) == pytest.approx(np.concatenate(truth), rel=1e-5, abs=1e-7)


def test_a_constant_stay_is_counted_exactly():
    """A stay of 90.5 s, off the grid: m = lambda min(t, 90.5), but in the two cells beside the end of the stay."""
    lots = (LotLaws(1.0, None, parse_law(90.5)),)
    found = parked(call(retrieval=None, lots=lots), Rates(np.zeros(1), np.array([0.2])), [30.0, 89.0, 92.0, 500.0])
    assert found == pytest.approx([6.0, 17.8, 18.1, 18.1], rel=1e-12)


def test_handling_delays_the_requests():
    """Requests after an exponential handling of 20 s: their rate is lambda (1 - exp(-t / 20)), to 5e-4."""
    life = theory.life(call(handling=parse_law({"kind": "exponential", "mean": 20})), 86_400.0)
    time_s = np.array([5.0, 20.0, 60.0, 400.0])
    found = Rates(np.zeros(1), np.array([0.5])).of(life.requests[0], life.step_s, time_s)
    assert found == pytest.approx(0.5 * (1 - np.exp(-time_s / 20)), abs=5e-4)
    counted = Rates(np.zeros(1), np.array([0.5])).until(life.requests[0], life.step_s, time_s)
    assert counted == pytest.approx(0.5 * (time_s - 20 * (1 - np.exp(-time_s / 20))), abs=5e-3)


def test_ends_of_stays_are_those_of_the_race():
    """Of every stay the three ends have the shares of ``race``, and its mean, whatever the laws; to 2e-4."""
    laws = (
        parse_law({"kind": "weibull", "shape": 2.0, "mean": 200}),
        parse_law({"kind": "lognormal", "median": 60, "sigma": 0.9}),
        parse_law({"kind": "uniform", "low": 100, "high": 190.3}),
    )
    race = theory.race(laws[0], laws[1], 0.2, laws[2])
    life = theory.life(call(lots=(LotLaws(1.0, laws[0], laws[2]),), retrieval=laws[1], never=0.2), 86_400.0)
    ends = [one[0, -1] for one in (life.hung_up, life.retrieved, life.expired)]
    assert ends == pytest.approx([race.abandoned_share, race.retrieved_share, race.expired_share], abs=2e-4)
    assert life.parked_s[0, -1] == pytest.approx(race.mean_s, rel=1e-5)


def test_several_parks_are_a_geometric_sum():
    """With returns taken at once, parks a call are w (1 + w e + w^2 e^2): closed form, and all stays end (1e-9)."""
    wish, limit_s = 0.7, 45.0
    of = call(wish=wish, most_parks=3, lots=(LotLaws(1.0, None, parse_law(limit_s)),))
    back = wish * math.exp(-limit_s / 60)
    life = theory.life(of, 86_400.0)
    assert life.requests[0, -1] == pytest.approx(wish * (1 + back + back**2), rel=1e-9)
    ends = life.retrieved[0, -1] + life.hung_up[0, -1] + life.expired[0, -1]
    assert ends == pytest.approx(life.requests[0, -1], rel=1e-9)
    assert life.answers[-1] == pytest.approx(1 + life.expired[0, -1], rel=1e-9)


def test_work_of_attendants_and_staff_adds_up():
    """Seconds at work are means times numbers: handling, talk, announcement, ring; and the staff's talk (1e-6)."""
    of = call(
        handling=parse_law({"kind": "gamma", "mean": 30, "shape": 2.0}),
        talk=parse_law({"kind": "exponential", "mean": 50}),
        wish=0.6,
        announcement_s=4.0,
        lots=(LotLaws(1.0, None, parse_law(60)),),
        staff_talk=parse_law(100),
        rings=True,
        ring_s=30.0,
        answer=parse_law({"kind": "uniform", "low": 3, "high": 12}),
    )
    life = theory.life(of, 86_400.0)
    expired = 0.6 * math.exp(-1)
    assert life.expired[0, -1] == pytest.approx(expired, rel=1e-9)
    work_s = 30 * (1 + expired) + 50 * (0.4 + expired) + 4 * 0.6 + 7.5 * expired
    assert life.attended_s[-1] == pytest.approx(work_s, rel=1e-6)
    assert life.staff_s[-1] == pytest.approx(100 * (0.6 - expired), rel=1e-6)


def test_unanswered_returns_are_lost_or_taken():
    """Of returns that ring 20 s a fifth is never answered: they are taken after the ring, or lost."""
    of = call(
        rings=True, ring_s=20.0, never_answered=0.2, answer=parse_law(5), lots=(LotLaws(1.0, None, parse_law(60)),)
    )
    taken, lost = (
        theory.life(of.__class__(**{**fields(of), "unanswered_lost": one}), 86_400.0) for one in (False, True)
    )
    assert taken.answers[-1] - 1 == pytest.approx(taken.expired[0, -1], rel=1e-9)
    assert lost.answers[-1] - 1 == pytest.approx(0.8 * lost.expired[0, -1], rel=1e-9)


def fields(of):
    """Return the fields of a call."""
    return {name: getattr(of, name) for name in of.__dataclass_fields__}


def test_lots_share_the_calls():
    """Two lots of weights 2 to 1 and other limits: each has its share of the requests, and its own stays."""
    lots = (LotLaws(2 / 3, None, parse_law(60)), LotLaws(1 / 3, None, parse_law(30)))
    life = theory.life(call(lots=lots), 86_400.0)
    assert life.requests[:, -1] == pytest.approx([2 / 3, 1 / 3], rel=1e-9)
    means = [60 * (1 - math.exp(-limit / 60)) for limit in (60, 30)]
    assert life.parked_s[:, -1] == pytest.approx([2 / 3 * means[0], means[1] / 3], rel=1e-4)


def test_halving_the_grid_divides_the_error_by_four():
    """The error is of second order: with half the step it is 3.5 to 4.5 times smaller, beside the closed form."""
    of, rates = call(handling=parse_law({"kind": "exponential", "mean": 20})), Rates(np.zeros(1), np.array([1.0]))
    # m(t) of a tandem of exponentials of 20 s and 60 s from empty.
    truth = 60 * (1 - (60 * math.exp(-100 / 60) - 20 * math.exp(-100 / 20)) / 40)
    errors = [abs(parked(of, rates, [100.0], step)[0] - truth) for step in (4.0, 2.0)]
    assert 3.5 < errors[0] / errors[1] < 4.5


def test_calls_of_a_window_are_those_between():
    """The rate of the calls of a window is the same inside and 0 outside, wherever it is cut."""
    cut = steps([1.0, 2.0, 3.0, 0.0]).between(1800.0, 9000.0)
    assert cut.starts_s.tolist() == [1800.0, 3600.0, 7200.0, 9000.0]
    assert cut.per_s.tolist() == [1.0, 2.0, 3.0, 0.0]
    one = np.array([0.0, 1.0])
    assert cut.until(np.ones(2), 1.0, np.array([0.0, 3600.0, 9000.0])) == pytest.approx([0, 1800, 1800 + 7200 + 5400])
    assert cut.of(one, 1e9, np.array([1000.0]))[0] == 0.0


@pytest.mark.parametrize("count", [0, 1, 2, 7, 60, 900])
def test_poisson_tails(count):
    """P(N >= count) is SciPy's, in the tails as well (to 1e-10 of itself)."""
    means = np.array([0.0, 1e-4, 0.3, 5.0, 40.0, 800.0, 1000.0])
    truth = scipy.stats.poisson.sf(count - 1, means)
    large = truth > 1e-250
    assert theory.poisson_at_least(count, means)[large] == pytest.approx(truth[large], rel=1e-10)


def test_wrong_arguments_are_refused():
    """Steps and ages are positive, shares add up to 1."""
    with pytest.raises(ArgumentError, match="positive"):
        theory.life(call(), 0.0)
    with pytest.raises(ArgumentError, match="add up"):
        theory.life(call(lots=(LotLaws(0.5, None, None),)), 100.0)
