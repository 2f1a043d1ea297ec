"""The special functions behind the laws and the intervals, against SciPy and closed forms."""

import math

import numpy as np
import pytest
from scipy import special as oracle
from scipy import stats

from parksim.stats.special import (
    beta_quantile,
    beta_tails,
    clopper_pearson_limits,
    student_t_quantile,
)

SHAPES = (0.05, 0.5, 1.0, 2.5, 9.9, 10.0, 37.0, 400.0, 25_000.0)


@pytest.mark.parametrize("a", SHAPES)
@pytest.mark.parametrize("b", SHAPES)
def test_incomplete_beta_agrees_with_scipy(a, b):
    """I_x(a, b) is SciPy's to 2e-12 relative, over nine decades of shape and from one tail to the other."""
    spread = math.sqrt(a * b / (a + b + 1.0)) / (a + b)
    centre = a / (a + b)
    points = [
        p for p in np.concatenate([np.linspace(0.001, 0.999, 23), centre + spread * np.arange(-8, 9)]) if 0 < p < 1
    ]
    for x in points:
        expected = float(oracle.betainc(a, b, x))
        if expected > 1e-290:
            assert beta_tails(a, b, float(x), 1.0 - float(x))[0] == pytest.approx(expected, rel=2e-12)


def test_incomplete_beta_at_its_ends():
    """All of the law lies between 0 and 1."""
    assert beta_tails(3.0, 0.2, 0.0, 1.0) == (0.0, 1.0)
    assert beta_tails(3.0, 0.2, 1.0, 0.0) == (1.0, 0.0)


@pytest.mark.parametrize(("x", "n"), [(0.3, 7), (0.99, 40)])
def test_incomplete_beta_of_a_power_law(x, n):
    """I_x(n, 1) = x^n and I_x(1, n) = 1 - (1-x)^n."""
    assert beta_tails(n, 1.0, x, 1.0 - x)[0] == pytest.approx(x**n, rel=1e-14)
    assert beta_tails(1.0, n, x, 1.0 - x)[0] == pytest.approx(1.0 - (1.0 - x) ** n, rel=1e-14)


@pytest.mark.parametrize("a", SHAPES)
@pytest.mark.parametrize("b", SHAPES)
def test_beta_quantile_inverts(a, b):
    """The quantile put back into I gives the probability, as closely as one rounding of x can change it."""
    for probability in (1e-12, 1e-4, 0.025, 0.3, 0.5, 0.9, 0.975, 1 - 1e-6):
        x = beta_quantile(a, b, probability)
        around = [float(oracle.betainc(a, b, edge)) for edge in (x * (1 - 1e-13), min(1.0, x * (1 + 1e-13)))]
        assert around[0] * (1 - 1e-11) <= probability <= around[1] * (1 + 1e-11) or x < 1e-300


@pytest.mark.parametrize("df", [*range(1, 201), 0.3, 1.5, 28.76, 1e3, 1e6, 9e6, 2e7, 1e9])
def test_student_t_quantile_agrees_with_scipy(df):
    """Student's t quantile is SciPy's to 1e-10 relative, from half way to tails of 1e-15, on both sides."""
    for tail in (0.4999, 0.4, 0.25, 0.1, 0.05, 0.025, 0.005, 1e-3, 0.5e-6, 1e-9, 1e-15):
        expected = float(stats.t.isf(tail, df))
        assert -student_t_quantile(tail, df) == pytest.approx(expected, rel=1e-10)
        if tail > 1e-4:  # 1 - tail itself is rounded: beyond, the comparison would be with another number
            assert student_t_quantile(1.0 - tail, df) == pytest.approx(expected, rel=1e-10)


def test_student_t_quantile_of_the_cauchy_law():
    """With one degree of freedom the quantile is tan(pi (p - 1/2)), down to a tail of 1e-150."""
    for tail in (0.3, 0.01, 1e-8, 1e-100, 1e-150):
        assert -student_t_quantile(tail, 1) == pytest.approx(1.0 / math.tan(math.pi * tail), rel=1e-12)


def test_student_t_quantile_of_two_degrees():
    """With two degrees of freedom the quantile is (2p - 1) / sqrt(2 p (1 - p))."""
    for p in (0.5, 0.6, 0.9, 0.999):
        assert student_t_quantile(p, 2) == pytest.approx((2 * p - 1) / math.sqrt(2 * p * (1 - p)), rel=1e-13)


def test_student_t_quantile_of_a_table():
    """The printed table of two-sided 95 % points: 12.706, 2.776, 2.262, 2.093, 2.045 at 1, 4, 9, 19, 29."""
    table = {1: 12.706, 4: 2.776, 9: 2.262, 19: 2.093, 29: 2.045}
    assert {df: round(student_t_quantile(0.975, df), 3) for df in table} == table


@pytest.mark.parametrize("trials", [1, 2, 30, 365, 20_000, 3_000_000])
@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.999, 1 - 1e-9])
def test_clopper_pearson_limits_agree_with_scipy(trials, level):
    """The exact limits are SciPy's beta quantiles to 1e-9 relative, for none, few, half and all of the trials."""
    for events in {0, min(1, trials), min(7, trials), trials // 2, max(0, trials - 1), trials}:
        low, high = clopper_pearson_limits(events, trials, level)
        reference = stats.binomtest(events, trials).proportion_ci(level, "exact")
        assert low == pytest.approx(reference.low, rel=1e-9)
        assert high == pytest.approx(reference.high, rel=1e-9)


def test_none_of_thirty_says_little():
    """0 of 30 bounds a probability by 11.6 % at 95 %: why whole replications are too few to bound a rare event."""
    assert clopper_pearson_limits(0, 30)[1] == pytest.approx(0.1157, abs=5e-5)


@pytest.mark.parametrize("trials", [3, 20, 150])
def test_clopper_pearson_covers_at_least_its_level(trials):
    """Summed over the binomial law (SciPy), the limits hold the true probability in at least 95 % of all cases."""
    limits = [clopper_pearson_limits(k, trials) for k in range(trials + 1)]
    for truth in np.linspace(0.001, 0.999, 41):
        inside = [low <= truth <= high for low, high in limits]
        assert stats.binom.pmf(np.arange(trials + 1), trials, truth)[inside].sum() >= 0.95 - 1e-12


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: beta_quantile(1.0, 1.0, -0.1), "probability must be in"),
        (lambda: beta_quantile(-1.0, 1.0, 0.1), "shapes must be positive"),
        (lambda: student_t_quantile(1e-200, 3), "probability must be in"),
        (lambda: student_t_quantile(1.0, 3), "probability must be in"),
        (lambda: student_t_quantile(0.9, 0), "degrees of freedom"),
        (lambda: student_t_quantile(0.9, math.nan), "degrees of freedom"),
        (lambda: clopper_pearson_limits(4, 3), "events must be within"),
        (lambda: clopper_pearson_limits(0, 0), "trials at least 1"),
        (lambda: clopper_pearson_limits(0, 3, 1.0), "confidence level"),
    ],
)
def test_bad_arguments_are_named(call, words):
    """A number outside a function's domain is a ValueError that says which and what it was."""
    with pytest.raises(ValueError, match=words):
        call()
