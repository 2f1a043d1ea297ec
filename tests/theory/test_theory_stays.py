"""The race of a stay's clocks against closed forms, SciPy's quadrature and counting by hand."""

import itertools
import math

import numpy as np
import pytest
from scipy import integrate, special

from parksim import theory
from parksim.scenario.laws import parse_law
from parksim.theory.race import At, Floats

LAWS = {
    "constant": {"kind": "constant", "value": 90},
    "exponential": {"kind": "exponential", "mean": 60},
    "lognormal": {"kind": "lognormal", "mean": 75, "cv": 1},
    "hyperexponential": {"kind": "hyperexponential", "weights": [0.13, 0.87], "means": [64, 501]},
    "erlang": {"kind": "erlang", "mean": 100, "stages": 3},
    "gamma": {"kind": "gamma", "mean": 80, "cv": 1.7},
    "weibull": {"kind": "weibull", "mean": 120, "shape": 0.6},
    "uniform": {"kind": "uniform", "low": 30, "high": 200},
    "empirical": {"kind": "empirical", "values": [5, 20, 20, 90, 180, 400]},
}
SMOOTH = [name for name in LAWS if name not in {"constant", "empirical"}]


def exponential(mean):
    """Return the exponential law of this mean, seconds."""
    return parse_law({"kind": "exponential", "mean": mean})


class Atomic:
    """A law on a few points, written without any of the project's laws."""

    def __init__(self, *chances):
        self.chances = chances

    @property
    def mean_s(self):
        """Mean."""
        return sum(point * chance for point, chance in self.chances)

    @property
    def atoms_s(self):
        """The points."""
        return tuple(point for point, _ in self.chances)

    def survival(self, t_s: Floats) -> Floats:
        """Return the chance of what lies beyond."""
        return sum((np.where(np.asarray(t_s) < point, chance, 0.0) for point, chance in self.chances), np.zeros(()))


def survival(law, t):
    """Return P(X > t) as a number; 1 for no law."""
    return 1.0 if law is None else float(law.survival(np.array([t]))[0])


def quad_mean(patience, retrieval, never, limit_s):
    """Return E[min] by SciPy's quadrature, cut where the laws have corners or atoms."""

    def alive(t):
        return survival(patience, t) * (never + (1 - never) * survival(retrieval, t))

    laws = [law for law in (patience, retrieval) if law is not None]
    cuts = {t for law in laws for t in (*law.atoms_s, *getattr(law, "support_s", ())) if 0 < t < limit_s}
    edges = [0.0, *sorted(cuts | {limit_s * 10.0**-k for k in range(1, 9)}), limit_s]
    return sum(
        integrate.quad(alive, a, np.nextafter(b, 0.0), epsabs=1e-13, epsrel=1e-13, limit=400)[0]
        for a, b in itertools.pairwise(edges)
    )


@pytest.mark.parametrize("never", [0.0, 0.2])
@pytest.mark.parametrize(("patience", "retrieval", "limit"), [(240, 60, 180), (30, 600, 10), (501, 75, 3600)])
def test_exponential_clocks_against_a_limit(patience, retrieval, never, limit):
    """Mean and shares are the closed forms of rates p = 1/patience, r = 1/retrieval and a constant limit."""
    p, r = 1 / patience, 1 / retrieval
    ends = theory.race(exponential(patience), exponential(retrieval), never, float(limit))

    def cut(rate):
        return (1 - math.exp(-rate * limit)) / rate

    assert ends.mean_s == pytest.approx((1 - never) * cut(p + r) + never * cut(p), rel=1e-11)
    assert ends.retrieved_share == pytest.approx((1 - never) * r * cut(p + r), rel=1e-11)
    assert ends.abandoned_share == pytest.approx((1 - never) * p * cut(p + r) + never * p * cut(p), rel=1e-11)
    gone = (1 - never) * math.exp(-(p + r) * limit) + never * math.exp(-p * limit)
    assert ends.expired_share == pytest.approx(gone, rel=1e-9, abs=1e-12)


def test_three_exponential_clocks():
    """With a drawn limit each clock wins in proportion to its rate and the stay's rate is their sum."""
    ends = theory.race(exponential(200), exponential(50), 0.0, exponential(100))
    rates = [1 / 200, 1 / 50, 1 / 100]
    assert ends.mean_s == pytest.approx(1 / sum(rates), rel=1e-12)
    shares = [ends.abandoned_share, ends.retrieved_share, ends.expired_share]
    assert shares == pytest.approx([rate / sum(rates) for rate in rates], rel=1e-11)


def test_uniform_against_uniform():
    """Patience uniform on [0, 2], retrieval uniform on [0, 4]: P(patience first) = 3/4, E[min] = 5/6."""
    ends = theory.race(
        parse_law({"kind": "uniform", "low": 0, "high": 2}), parse_law({"kind": "uniform", "low": 0, "high": 4})
    )
    assert ends.abandoned_share == pytest.approx(0.75, abs=1e-12)
    assert ends.retrieved_share == pytest.approx(0.25, abs=1e-12)
    assert ends.mean_s == pytest.approx(5 / 6, rel=1e-12)


def test_two_weibulls_of_one_shape():
    """Weibull clocks of equal shape win in proportion to scale^-shape, and the least is Weibull again."""
    shape, means = 0.6, (120.0, 70.0)
    laws = [parse_law({"kind": "weibull", "mean": mean, "shape": shape}) for mean in means]
    ends = theory.race(*laws)
    rates = [(math.gamma(1 + 1 / shape) / mean) ** shape for mean in means]
    assert ends.abandoned_share == pytest.approx(rates[0] / sum(rates), rel=1e-11)
    assert ends.mean_s == pytest.approx(math.gamma(1 + 1 / shape) * sum(rates) ** (-1 / shape), rel=1e-11)


@pytest.mark.parametrize("retrieval", LAWS)
@pytest.mark.parametrize("patience", LAWS)
def test_every_pair_of_laws_has_the_mean_of_quadrature(patience, retrieval):
    """For every two shipped laws, a fifth never fetched and a limit of 180 s, E[min] is SciPy's to 1e-9."""
    law, other = parse_law(LAWS[patience]), parse_law(LAWS[retrieval])
    ends = theory.race(law, other, 0.2, 180.0)
    assert ends.mean_s == pytest.approx(quad_mean(law, other, 0.2, 180.0), rel=1e-9)
    assert ends.retrieved_share + ends.abandoned_share + ends.expired_share == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("name", SMOOTH)
def test_every_smooth_law_against_an_exponential_one(name):
    """P(X < Y) for Y exponential of rate r is the transform E[e^-rX] = 1 - r E[min(X, Y)], mean by quadrature."""
    law, rate = parse_law(LAWS[name]), 1 / 110
    ends = theory.race(exponential(110), law)
    mean = quad_mean(exponential(110), law, 0.0, 110.0 * 60)
    assert ends.mean_s == pytest.approx(mean, rel=1e-9)
    assert ends.retrieved_share == pytest.approx(1.0 - rate * mean, rel=1e-9)
    assert ends.expired_share == 0.0


@pytest.mark.parametrize("limit", ["exponential", "uniform", "erlang", "empirical", "lognormal"])
def test_a_drawn_limit(limit):
    """The limit's share against exponential clocks is E[e^-rL] = 1 - r E[min(exp, L)], L any law."""
    law, rate = parse_law(LAWS[limit]), 1 / 240 + 1 / 60
    ends = theory.race(exponential(240), exponential(60), 0.0, law)
    mean = quad_mean(exponential(1 / rate), law, 0.0, 48.0 * 60)
    assert ends.mean_s == pytest.approx(mean, rel=1e-9)
    assert ends.expired_share == pytest.approx(1.0 - rate * mean, rel=1e-9)
    assert ends.retrieved_share == pytest.approx(mean / 60, rel=1e-9)


def test_ties_go_to_patience_then_retrieval_then_the_limit():
    """At equal instants the hang-up wins over the retrieval and the retrieval over the time-out."""
    assert theory.race(At(180.0), At(180.0), 0.0, 180.0).abandoned_share == 1.0
    assert theory.race(None, At(180.0), 0.0, 180.0).retrieved_share == 1.0
    assert theory.race(At(180.0), None, 0.0, 180.0).abandoned_share == 1.0
    assert theory.race(None, At(np.nextafter(180.0, 181.0)), 0.0, 180.0).expired_share == 1.0


def test_atoms_are_counted_out():
    """Three laws on a few common points: shares and mean equal the sum over all combinations, written by hand."""
    patience = Atomic((10.0, 0.3), (20.0, 0.3), (50.0, 0.4))
    retrieval = Atomic((0.0, 0.1), (10.0, 0.4), (30.0, 0.5))
    limit = Atomic((10.0, 0.25), (30.0, 0.75))
    ends = theory.race(patience, retrieval, 0.25, limit)
    mean, shares = 0.0, [0.0, 0.0, 0.0]
    fetched = [(point, 0.75 * chance) for point, chance in retrieval.chances] + [(math.inf, 0.25)]
    for (p, a), (r, b), (t, c) in itertools.product(patience.chances, fetched, limit.chances):
        first = min(range(3), key=lambda clock, instants=(p, r, t): (instants[clock], clock))
        shares[first] += a * b * c
        mean += a * b * c * min(p, r, t)
    assert [ends.abandoned_share, ends.retrieved_share, ends.expired_share] == pytest.approx(shares, abs=1e-14)
    assert ends.mean_s == pytest.approx(mean, rel=1e-14)
    assert ends.atoms_s == (0.0, 10.0, 20.0, 30.0)


def test_a_law_with_atoms_against_a_smooth_one():
    """A retrieval at 20 or 100 s against exponential patience of 60 s and a limit of 100 s, in closed form."""
    ends = theory.race(exponential(60), Atomic((20.0, 0.5), (100.0, 0.5)), 0.1, 100.0)
    after_20, after_100 = math.exp(-20 / 60), math.exp(-100 / 60)
    assert ends.retrieved_share == pytest.approx(0.45 * after_20 + 0.45 * after_100, rel=1e-12)
    assert ends.expired_share == pytest.approx(0.1 * after_100, rel=1e-12)
    assert ends.mean_s == pytest.approx(60 * (0.45 * (1 - after_20) + 0.55 * (1 - after_100)), rel=1e-12)


def test_the_reference_lot_of_the_speed_trials():
    """Lognormal retrieval of mean 75 s and cv 1, patience 240 s, limit 180 s: quadrature with the density itself."""
    sigma = math.sqrt(math.log(2.0))
    mu = math.log(75.0) - sigma * sigma / 2

    def density(t):
        return math.exp(-0.5 * ((math.log(t) - mu) / sigma) ** 2) / (t * sigma * math.sqrt(2 * math.pi))

    ends = theory.race(exponential(240), parse_law(LAWS["lognormal"]), 0.0, 180.0)
    retrieved = integrate.quad(lambda t: density(t) * math.exp(-t / 240), 0, 180, epsabs=1e-13, epsrel=1e-12)[0]
    assert ends.retrieved_share == pytest.approx(retrieved, rel=1e-10)


@pytest.mark.parametrize(("low", "high"), [(100.0, 100.001), (0.0, 1e-6), (179.9999, 180.0001)])
def test_a_narrow_law_is_not_overlooked(low, high):
    """A fall of the survival function between two nodes is found: the narrow uniform law acts like its middle."""
    narrow = parse_law({"kind": "uniform", "low": low, "high": high})
    middle = 0.5 * (low + high)
    ends = theory.race(exponential(60), None, 0.0, narrow)
    assert ends.mean_s == pytest.approx(60 * -math.expm1(-middle / 60), rel=1e-10)
    assert ends.expired_share == pytest.approx(math.exp(-middle / 60), rel=1e-10)


@pytest.mark.parametrize(
    ("patience", "retrieval"),
    [
        ({"kind": "gamma", "mean": 240, "cv": 6}, {"kind": "gamma", "mean": 75, "cv": 6}),
        ({"kind": "weibull", "mean": 240, "shape": 0.4}, {"kind": "lognormal", "mean": 75, "cv": 10}),
        ({"kind": "gamma", "mean": 80, "cv": 0.01}, {"kind": "gamma", "mean": 81, "cv": 0.02}),
    ],
)
def test_exchanged_clocks_exchange_their_shares(patience, retrieval):
    """Among rough and among very steep laws: exchanging two clocks without atoms exchanges the shares to 1e-11."""
    one = theory.race(parse_law(patience), parse_law(retrieval))
    other = theory.race(parse_law(retrieval), parse_law(patience))
    assert one.mean_s == pytest.approx(other.mean_s, rel=1e-12)
    assert one.abandoned_share == pytest.approx(other.retrieved_share, abs=1e-11)


def test_many_recorded_durations():
    """An empirical law of 20,000 durations against a constant limit: its own average, in good time."""
    values = np.round(np.random.default_rng(7).exponential(100.0, 20_000), 6)  # seed 7; any durations would do
    law = parse_law({"kind": "empirical", "values": values.tolist()})
    ends = theory.race(None, law, 0.0, 180.0)
    assert ends.mean_s == pytest.approx(float(np.minimum(values, 180.0).mean()), rel=1e-11)
    assert ends.retrieved_share == pytest.approx(float((values <= 180.0).mean()), abs=1e-11)


def test_a_stay_is_itself_a_law():
    """The race's survival is the product of the clocks', and racing it again against nothing changes nothing."""
    ends = theory.race(exponential(240), exponential(60), 0.2, 180.0)
    t = np.array([-1.0, 0.0, 20.0, 179.999, 180.0, 500.0])
    alive = np.exp(-np.maximum(t, 0) / 240) * (0.2 + 0.8 * np.exp(-np.maximum(t, 0) / 60)) * (t < 180.0)
    assert ends.survival(t) == pytest.approx(alive, rel=1e-14)
    assert ends.atoms_s == (180.0,)
    assert theory.race(ends).mean_s == pytest.approx(ends.mean_s, rel=1e-12)


def test_a_call_never_fetched_waits_for_the_limit_or_hangs_up():
    """With nobody to fetch it a stay is min(patience, limit); with neither it is the limit itself."""
    alone = theory.race(exponential(240), exponential(60), 1.0, 180.0)
    assert alone.retrieved_share == 0.0
    assert alone.mean_s == pytest.approx(240 * (1 - math.exp(-0.75)), rel=1e-12)
    assert theory.race(limit=180.0).mean_s == pytest.approx(180.0, rel=1e-14)
    assert theory.race(limit=0.0).mean_s == 0.0
    assert theory.race(exponential(60), limit=math.inf).mean_s == pytest.approx(60.0, rel=1e-12)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "never ends"),
        ({"retrieval": At(3.0), "never_share": 0.1}, "never ends"),
        ({"retrieval": At(3.0), "never_share": 1.0}, "never ends"),
        ({"limit": math.inf}, "never ends"),
        ({"limit": -1.0}, "limit must be"),
        ({"limit": math.nan}, "limit must be"),
        ({"patience": At(1.0), "never_share": 1.5}, "share must be"),
        ({"patience": At(1.0), "never_share": math.nan}, "share must be"),
    ],
)
def test_a_stay_that_need_not_end_is_refused(arguments, words):
    """A stay without an end, and shares and limits out of range, are a ValueError that says so."""
    with pytest.raises(ValueError, match=words):
        theory.race(**arguments)


def test_a_law_without_mean_is_refused():
    """A survival function that falls like 1/t has no mean: an ArithmeticError, not an endless loop."""

    class Heavy:
        mean_s = math.inf
        atoms_s = ()

        def survival(self, t_s):
            return 1.0 / (1.0 + np.maximum(t_s, 0.0))

    with pytest.raises(ArithmeticError, match="no finite mean"):
        theory.race(Heavy())


@pytest.mark.parametrize("name", LAWS)
def test_quantiles_of_every_law(name):
    """At the quantile at least the probability is reached, and just below it is not."""
    law = parse_law(LAWS[name])
    for probability in (0.05, 0.5, 0.95):
        t = theory.quantile_s(law, probability)
        assert survival(law, t) <= 1 - probability
        assert survival(law, np.nextafter(t, 0.0)) > 1 - probability


def test_quantile_of_an_atom_at_zero_and_bad_probabilities():
    """Half of the stays end at once: the median is 0; probabilities of 0 and 1 are refused."""
    law = Atomic((0.0, 0.5), (10.0, 0.5))
    assert theory.quantile_s(law, 0.5) == 0.0
    assert theory.quantile_s(law, 0.51) == 10.0
    for probability in (0.0, 1.0, math.nan):
        with pytest.raises(ValueError, match="probability must be"):
            theory.quantile_s(law, probability)


RARE = [
    ({"kind": "exponential", "mean": 60}, lambda t: math.exp(-t / 60)),
    ({"kind": "erlang", "stages": 3, "mean": 60}, lambda t: special.gammaincc(3, t / 20)),
    ({"kind": "gamma", "shape": 0.7, "mean": 60}, lambda t: special.gammaincc(0.7, 0.7 * t / 60)),
    ({"kind": "weibull", "shape": 1.5, "mean": 60}, lambda t: math.exp(-((t * math.gamma(5 / 3) / 60) ** 1.5))),
    ({"kind": "lognormal", "median": 60, "sigma": 0.5}, lambda t: special.erfc(math.log(t / 60) / 0.5 / 2**0.5) / 2),
]


@pytest.mark.parametrize(("law", "survival"), RARE, ids=lambda one: one["kind"] if isinstance(one, dict) else "")
@pytest.mark.parametrize("limit_s", [180.0, 600.0, 1800.0, 2400.0, 3600.0])
def test_a_rare_time_out_keeps_its_digits(law, survival, limit_s):
    """A call times out with the probability that both clocks exceed the limit, to 1e-9 of itself, down to 1e-180."""
    ends = theory.race(parse_law({"kind": "exponential", "mean": 240}), parse_law(law), 0.0, limit_s)
    assert ends.expired_share == pytest.approx(survival(limit_s) * math.exp(-limit_s / 240), rel=1e-9)


@pytest.mark.parametrize("limit_s", [1800.0, 2400.0, 20_000.0, 41_000.0])
def test_the_rarest_time_out_is_not_nothing(limit_s):
    """Down to 1e-297 the share is the law's survival; a limit that is spread keeps its digits as well."""
    quick = parse_law({"kind": "exponential", "mean": 60})
    assert theory.race(None, quick, 0.0, limit_s).expired_share == pytest.approx(math.exp(-limit_s / 60), rel=1e-9)
    spread = parse_law({"kind": "uniform", "low": limit_s, "high": limit_s + 100})
    exact = 0.6 * (math.exp(-limit_s / 60) - math.exp(-(limit_s + 100) / 60))
    assert theory.race(None, quick, 0.0, spread).expired_share == pytest.approx(exact, rel=1e-9)
