"""Laws of durations: mean, survival function and draws agree with SciPy and with each other."""

import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import special, stats

from parksim.scenario.laws import KINDS, LAWS, Constant, parse_law
from parksim.stats.special import upper_gamma

H2 = {"kind": "hyperexponential", "weights": [0.13, 0.87], "means": ["64s", "501s"]}


class Mixture:
    """SciPy's side of a hyperexponential, with the names that SciPy's laws have."""

    def __init__(self, weights, means):
        self.parts = list(zip(weights, [stats.expon(scale=mean) for mean in means], strict=True))

    def sf(self, t):
        """Return P(X > t)."""
        return sum(weight * part.sf(t) for weight, part in self.parts)

    def cdf(self, t):
        """Return P(X <= t)."""
        return 1 - self.sf(t)

    def mean(self):
        """Return the weighted mean."""
        return sum(weight * part.mean() for weight, part in self.parts)


CONTINUOUS = [
    ({"kind": "exponential", "mean": "2m"}, stats.expon(scale=120)),
    ({"kind": "lognormal", "median": "37s", "sigma": 0.6}, stats.lognorm(0.6, scale=37)),
    ({"kind": "lognormal", "mean": 75, "cv": 1.0}, stats.lognorm(math.sqrt(math.log(2)), scale=75 / math.sqrt(2))),
    (
        {"kind": "lognormal", "mean": 75, "cv": 0.2},
        stats.lognorm(math.sqrt(math.log(1.04)), scale=75 / math.sqrt(1.04)),
    ),
    (H2, Mixture([0.13, 0.87], [64, 501])),
    ({"kind": "erlang", "mean": "1m", "stages": 4}, stats.gamma(4, scale=15)),
    ({"kind": "erlang", "mean": "1m", "stages": 400}, stats.gamma(400, scale=0.15)),
    ({"kind": "gamma", "mean": "1m", "shape": 0.3}, stats.gamma(0.3, scale=200)),
    ({"kind": "gamma", "mean": "1m", "cv": 0.5}, stats.gamma(4, scale=15)),
    ({"kind": "weibull", "scale": "389s", "shape": 0.91}, stats.weibull_min(0.91, scale=389)),
    ({"kind": "weibull", "mean": "1m", "shape": 2}, stats.weibull_min(2, scale=60 / math.gamma(1.5))),
    ({"kind": "uniform", "low": "10s", "high": "1m"}, stats.uniform(10, 50)),
]
NAMES = [f"{table['kind']}-{number}" for number, (table, _) in enumerate(CONTINUOUS)]
ATOMS = [
    ("45s", (45.0,)),
    (0, (0.0,)),
    ({"kind": "constant", "value": 4.5}, (4.5,)),
    ({"kind": "exponential", "mean": 0}, (0.0,)),
    ({"kind": "lognormal", "median": 0, "sigma": 1.0}, (0.0,)),
    ({"kind": "lognormal", "mean": 0, "cv": 1.0}, (0.0,)),
    ({"kind": "erlang", "mean": 0, "stages": 3}, (0.0,)),
    ({"kind": "gamma", "mean": 0, "cv": 2.0}, (0.0,)),
    ({"kind": "weibull", "scale": 0, "shape": 2.0}, (0.0,)),
    ({"kind": "uniform", "low": 3, "high": 3}, (3.0,)),
    ({"kind": "empirical", "values": [7, "2s", 2, 1]}, (1.0, 2.0, 7.0)),
]
ALL = [*(table for table, _ in CONTINUOUS), *(table for table, _ in ATOMS)]


@pytest.mark.parametrize(("table", "oracle"), CONTINUOUS, ids=NAMES)
def test_mean_and_survival_are_scipys(table, oracle):
    """The mean and P(X > t) from 0 to far into the tail are those of SciPy's law, to twelve digits."""
    law = parse_law(table)
    assert law.mean_s == pytest.approx(oracle.mean(), rel=1e-12)
    t_s = np.concatenate([[-5.0, 0.0], np.geomspace(1e-3, 1e5, 400)])
    np.testing.assert_allclose(law.survival(t_s), oracle.sf(t_s), rtol=1e-11, atol=1e-14)
    assert law.atoms_s == ()


@pytest.mark.parametrize(("table", "oracle"), CONTINUOUS, ids=NAMES)
def test_draws_follow_the_law(table, oracle):
    """20,000 draws pass the Kolmogorov-Smirnov test at level 1e-4 against SciPy's distribution (seed 20260105)."""
    draws_s = parse_law(table).draw_s(np.random.default_rng(20260105), 20_000)
    assert stats.kstest(draws_s, oracle.cdf).pvalue > 1e-4


@pytest.mark.parametrize(("table", "oracle"), CONTINUOUS, ids=NAMES)
def test_the_test_of_draws_can_fail(table, oracle):
    """The same test at the same level refuses draws that are 10 % too long (seed 20260105)."""
    draws_s = parse_law(table).draw_s(np.random.default_rng(20260105), 20_000) * 1.1
    assert stats.kstest(draws_s, oracle.cdf).pvalue < 1e-4


@pytest.mark.parametrize(("table", "atoms_s"), ATOMS)
def test_atoms_are_where_the_survival_function_jumps(table, atoms_s):
    """The listed points carry all the mass: each is a jump, the jumps sum to 1, and only they are drawn."""
    law = parse_law(table)
    assert law.atoms_s == atoms_s
    points = np.array(atoms_s)
    jumps = law.survival(np.nextafter(points, -1)) - law.survival(points)
    assert (jumps > 0).all()
    assert jumps.sum() == pytest.approx(1)
    assert law.mean_s == pytest.approx((jumps * points).sum())
    draws_s = law.draw_s(np.random.default_rng(7), 1_000)
    assert set(draws_s.tolist()) == set(atoms_s)
    assert law.support_s == (atoms_s[0], atoms_s[-1])


def test_a_mixture_with_a_mean_of_zero_has_an_atom_there():
    """With weight 0.25 on mean 0 the law is 0 with that share, and exponential otherwise."""
    law = parse_law({"kind": "hyperexponential", "weights": [0.25, 0.75], "means": [0, 8]})
    assert law.atoms_s == (0.0,)
    assert law.survival(np.array([-1.0, 0.0])).tolist() == [1.0, 0.75]
    assert law.mean_s == 6
    zeros = np.count_nonzero(law.draw_s(np.random.default_rng(3), 40_000) == 0)
    assert stats.binomtest(zeros, 40_000, 0.25).pvalue > 1e-4  # level 1e-4, seed 3


def test_measured_durations_are_drawn_as_often_as_they_stand():
    """A value that stands twice in ten is drawn with share 0.2 (chi-square at level 1e-4, seed 5)."""
    law = parse_law({"kind": "empirical", "values": [1, 2, 2, 3, 4, 5, 6, 7, 8, 9]})
    counts = np.bincount(law.draw_s(np.random.default_rng(5), 50_000).astype(int))[1:]
    assert stats.chisquare(counts, np.array([1, 2, 1, 1, 1, 1, 1, 1, 1]) * 5_000).pvalue > 1e-4
    assert law.survival(np.array([0.5, 1, 2, 2.5, 9])).tolist() == pytest.approx([1, 0.9, 0.7, 0.7, 0])


@pytest.mark.parametrize("table", ALL, ids=str)
def test_draw_number_i_does_not_depend_on_how_many_are_drawn(table):
    """The first draws of a long column are the draws of a short one, so a longer horizon keeps its calls."""
    law = parse_law(table)
    short = law.draw_s(np.random.default_rng(11), 100)
    assert short.tolist() == law.draw_s(np.random.default_rng(11), 1_000)[:100].tolist()
    assert short.dtype == np.float64
    assert short.shape == (100,)
    assert law.draw_s(np.random.default_rng(11), 0).shape == (0,)
    assert (short >= law.support_s[0]).all()
    assert (short <= law.support_s[1]).all()


@pytest.mark.parametrize("table", ALL, ids=str)
def test_laws_are_values(table):
    """Equal tables give equal laws, through pickle and their own text as well, and a law cannot be changed."""
    law = parse_law(table)
    assert law == parse_law(table) == parse_law(law) == pickle.loads(pickle.dumps(law))
    assert parse_law({key: one for key, one in law.model_dump().items() if one is not None}) == law
    with pytest.raises(ValidationError, match="frozen"):
        law.kind = "other"


@pytest.mark.parametrize("table", ALL, ids=str)
def test_survival_keeps_shape_and_falls_from_one(table):
    """P(X > t) is 1 for negative t, never rises, stays within 0 and 1, and keeps the shape it is asked in."""
    law = parse_law(table)
    t_s = np.linspace(-1, 3_000, 600).reshape(20, 30)
    survival = law.survival(t_s)
    assert survival.shape == t_s.shape
    assert survival[0, 0] == 1
    flat = survival.ravel()
    assert (np.diff(flat) <= 1e-15).all()
    assert ((flat >= 0) & (flat <= 1)).all()
    assert law.survival(np.empty(0)).shape == (0,)


@pytest.mark.parametrize(
    ("table", "rule"),
    [
        ({"kind": "normal"}, "is not a kind of law"),
        ({"mean": 3}, "needs its kind"),
        ({"kind": ["exponential"]}, "is not a kind of law"),
        ({"kind": "exponential", "mean": -1}, "must not be negative"),
        ({"kind": "exponential", "mean": 1e8}, "lies beyond 1e9 s"),
        ({"kind": "exponential", "mean": 1, "cv": 1}, "extra_forbidden"),
        ({"kind": "lognormal", "median": 3}, "either median and sigma, or mean and cv"),
        ({"kind": "lognormal", "median": 3, "cv": 1}, "either median and sigma, or mean and cv"),
        ({"kind": "lognormal", "median": 3, "sigma": 0}, "greater than 0"),
        ({"kind": "lognormal", "median": 3, "sigma": 50}, "lies beyond 1e9 s"),
        ({"kind": "lognormal", "median": 3, "sigma": float("nan")}, "finite"),
        ({"kind": "lognormal", "median": 3, "sigma": True}, "valid number"),
        ({"kind": "hyperexponential", "weights": [0.5, 0.4], "means": [1, 2]}, "the weights sum to 0.9, not to 1"),
        ({"kind": "hyperexponential", "weights": [1.5, -0.5], "means": [1, 2]}, "greater than or equal to 0"),
        ({"kind": "hyperexponential", "weights": [1], "means": [1, 2]}, "1 weights for 2 means"),
        ({"kind": "hyperexponential", "weights": [], "means": []}, "at least 1 item"),
        ({"kind": "erlang", "mean": 1, "stages": 0}, "greater than or equal to 1"),
        ({"kind": "erlang", "mean": 1, "stages": 1.5}, "valid integer"),
        ({"kind": "gamma", "mean": 1}, "either shape or cv"),
        ({"kind": "gamma", "mean": 1, "shape": 1, "cv": 1}, "either shape or cv"),
        ({"kind": "weibull", "shape": 1}, "either scale or mean"),
        ({"kind": "weibull", "shape": 0.1, "scale": 1e6}, "lies beyond 1e9 s"),
        ({"kind": "uniform", "low": 3, "high": 2}, "is above high"),
        ({"kind": "empirical"}, "either values or a file"),
        ({"kind": "empirical", "values": []}, "at least 1 item"),
        ({"kind": "empirical", "values": [1], "file": "x"}, "either values or a file"),
        ({"kind": "empirical", "values": [1], "column": "x"}, "column names a column of a file"),
        ({"kind": "empirical", "file": "nowhere.txt"}, "there is no such file"),
        (None, "must be a number"),
        ([1], "must be a number"),
        (True, "must be a number"),
        (float("inf"), "must be finite"),
    ],
)
def test_what_is_no_law_is_refused(table, rule):
    """Each wrong table is refused with the rule it breaks."""
    with pytest.raises(ValidationError, match=rule):
        parse_law(table)


def test_durations_come_from_files(tmp_path):
    """A column of a table or a plain list of numbers or durations; the digest is that of the file."""
    (tmp_path / "waits.csv").write_text("call,wait\n1,10s\n2,1m\n3,50\n")
    (tmp_path / "waits.txt").write_text("10\n60\n50.0\n")
    table = parse_law({"kind": "empirical", "file": "waits.csv", "column": "wait"}, tmp_path)
    plain = parse_law({"kind": "empirical", "file": "waits.txt"}, tmp_path)
    assert table.sorted_s.tolist() == plain.sorted_s.tolist() == [10, 50, 60]
    assert table.mean_s == 40
    assert table.model_dump()["file"].startswith("sha256:")
    assert table != plain
    again = parse_law(plain.model_dump())
    assert again.at_hand is False
    with pytest.raises(ValueError, match="not at hand"):
        _ = again.mean_s


def test_the_kinds_are_those_of_the_file_format():
    """The closed set of laws, by name; a bare duration is a constant."""
    words = "constant exponential lognormal hyperexponential erlang gamma weibull uniform empirical"
    assert " ".join(KINDS) == words
    assert all(law.model_fields["kind"].annotation.__args__ == (kind,) for kind, law in LAWS.items())
    assert parse_law("45s") == parse_law(45) == parse_law(45.0) == Constant(value=45)


@pytest.mark.parametrize("shape", [0.01, 0.3, 1.0, 1.5, 7.0, 100.0, 1e4, 1e6])
def test_the_incomplete_gamma_function_is_scipys(shape):
    """Q(shape, x) agrees with SciPy to nine digits where it is not negligible, by either method."""
    spread = 40 * math.sqrt(shape) + 40
    x = np.concatenate(
        [[0.0, np.inf, shape, shape + 1, np.nextafter(shape + 1, 0)], np.linspace(0, shape + spread, 300)]
    )
    np.testing.assert_allclose(upper_gamma(shape, x), special.gammaincc(shape, x), rtol=1e-9, atol=1e-11)


@settings(max_examples=200, deadline=None)
@given(st.floats(0.01, 1e4), st.floats(0, 1e5))
def test_the_incomplete_gamma_function_anywhere(shape, x):
    """At any shape and point, the function agrees with SciPy to nine digits or 1e-11."""
    assert upper_gamma(shape, np.array([x]))[0] == pytest.approx(special.gammaincc(shape, x), rel=1e-9, abs=1e-11)
