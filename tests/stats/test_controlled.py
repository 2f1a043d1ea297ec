"""Estimates corrected by controls: jointly normal replications, where theory is exact, and NumPy's least squares."""

import math

import numpy as np
import pytest

from parksim.stats import estimate as est
from parksim.stats.estimate import controlled, mean_of, t_interval, together

STUDIES = 4_000
LOADS = np.array([0.8, 0.5])
"""The replication's value is this times two independent standard normal controls, and noise of its own."""
NOISE = 0.4


def drawn(rng, n):
    """Return values of mean 3 and their two controls."""
    controls = rng.standard_normal((2, n))
    return 3.0 + LOADS @ controls + NOISE * rng.standard_normal(n), list(controls)


@pytest.mark.parametrize("n", [10, 30])
def test_normal_replications_are_covered_and_their_variance_falls_as_theory_says(n):
    """4,000 studies, seed n: 95 % intervals hold at least that, and at most 97 %; the variance falls as by theory.

    With q controls the variance is multiplied by (1 - R^2) (n - 2) / (n - q - 2) (Lavenberg and Welch; within 8 %). The
    jackknife's variance is on average too great, by the leverages: a deleted residual has the variance of the noise
    times 1 / (1 - h).
    """
    rng = np.random.default_rng(n)
    held, points, plain = 0, [], []
    for _ in range(STUDIES):
        values, columns = drawn(rng, n)
        of = controlled(mean_of(values.tolist()), columns)
        interval = t_interval(of)
        held += interval.low <= 3.0 <= interval.high
        points.append(of.point)
        plain.append(values.mean())
    assert (of.controls, of.df, interval.method) == (2, n - 3, "control-t")
    assert -4 * math.sqrt(0.95 * 0.05 / STUDIES) <= held / STUDIES - 0.95 <= 0.02
    unexplained = NOISE**2 / (LOADS @ LOADS + NOISE**2)
    expected = unexplained * (n - 2) / (n - 4)
    assert np.var(points) / np.var(plain) == pytest.approx(expected, rel=0.08)
    assert abs(np.mean(points) - 3.0) <= 4 * np.std(points) / math.sqrt(STUDIES)


def intercept(values, columns):
    """Return the intercept of a regression by NumPy's least squares."""
    design = np.column_stack([np.ones(len(values)), *columns])
    return float(np.linalg.lstsq(design, values)[0][0])


def test_it_is_the_intercept_of_least_squares_with_the_jackknife_of_it():
    """Seed 1: the regression's intercept, and its variance by leaving out each replication and regressing again."""
    values, columns = drawn(np.random.default_rng(1), 30)
    of = controlled(mean_of(values.tolist()), columns)
    whole = intercept(values, columns)
    without = [intercept(np.delete(values, i), [np.delete(one, i) for one in columns]) for i in range(30)]
    assert of.point == pytest.approx(whole, rel=1e-12)
    assert of.residuals == pytest.approx([29 * (whole - one) for one in without], rel=1e-8, abs=1e-12)
    assert of.variance == pytest.approx(29 / 30 * sum((whole - one) ** 2 for one in without), rel=1e-8)


def test_skewed_replications_are_covered_better_than_by_the_mean_square():
    """2,000 studies of 30, seed 6: exponential controls, and noise that grows with one of them.

    By the textbook's mean square some 90 % hold the mean, and by the jackknife some 93 % (4 standard errors are 2 %).
    """
    rng = np.random.default_rng(6)
    held, by_mean_square = 0, 0
    for _ in range(2_000):
        columns = rng.exponential(size=(5, 30)) - 1.0
        values = columns.sum(axis=0) / 2 + 0.4 * (rng.exponential(size=30) - 1.0) * (1.0 + columns[0] / 2)
        of = controlled(mean_of(values.tolist()), list(columns))
        interval = t_interval(of)
        held += interval.low <= 0.0 <= interval.high
        design = np.column_stack([np.ones(30), *columns])
        (squares,) = np.linalg.lstsq(design, values)[1]
        error = math.sqrt(squares / 24 * np.linalg.inv(design.T @ design)[0, 0])
        by_mean_square += abs(of.point) <= est.t_of(0.95, 24) * error
    assert held / 2_000 >= 0.91
    assert held - by_mean_square >= 40


def test_controls_that_say_nothing_more_are_left_out():
    """A constant one, a multiple, and a sum of those before it cost no degree of freedom and change nothing."""
    values, (one, other) = drawn(np.random.default_rng(2), 30)
    of = mean_of(values.tolist())
    alone = controlled(of, [one, other])
    with_idle = controlled(of, [np.full(30, 7.0), one, 3.0 * one, other, one + other])
    assert with_idle == alone
    assert controlled(of, [np.zeros(30)]) is of
    assert controlled(of, []) is of


def test_few_replications_use_the_first_controls_only():
    """One control for each five replications; none for four."""
    rng = np.random.default_rng(3)
    for n, used in ((4, 0), (5, 1), (9, 1), (10, 2), (30, 2)):
        values, columns = drawn(rng, n)
        assert controlled(mean_of(values.tolist()), columns).controls == used


def test_a_replication_that_is_undefined_leaves_the_sample_as_it_is():
    """Its residual is not known, so there is nothing to regress."""
    of = est.sample(([1.0, 2.0, 0.0, 3.0, 1.0, 2.0], [10.0, 10.0, 0.0, 10.0, 10.0, 10.0]))
    assert of.n == 5
    assert controlled(of, [np.arange(6.0)]) is of


def test_a_difference_is_corrected_as_one_sample():
    """What both sides have in common cancels; the controls explain what is left (seed 4)."""
    rng = np.random.default_rng(4)
    values, (one, other) = drawn(rng, 30)
    more = values + 0.5 + 0.3 * one + 0.01 * rng.standard_normal(30)
    a, b = (mean_of(side.tolist()) for side in (more, values))
    plain, sharper = together(a, b), together(a, b, columns=[one, other])
    assert (plain.method, sharper.method) == ("paired-t", "paired-control-t")
    assert sharper.half_width < plain.half_width / 10
    assert sharper.low <= 0.5 <= sharper.high


def test_a_sample_without_controls_is_as_it_was():
    """The variance is that of the mean, and no control costs a degree of freedom."""
    of = mean_of([0.1, 0.25, 0.7, 0.3])
    assert of.variance == math.fsum(x * x for x in of.residuals) / 12
    assert (of.controls, of.df) == (0, 3)


@pytest.mark.parametrize("rare", [0.01, 0.03, 0.1])
def test_a_control_that_is_nearly_the_value_itself_gives_no_point(rare):
    """A few replications lose a part of what their control promises: 2,000 studies of 30, seed 5, hold the mean.

    Without what is given back for rare events an interval would often be a point beside the truth.
    """
    rng = np.random.default_rng(5)
    held, widths = 0, []
    for _ in range(2_000):
        promised = rng.standard_normal(30)
        values = promised - (rng.random(30) < rare) * rng.exponential(1.0, 30)
        interval = t_interval(controlled(mean_of(values.tolist()), [promised]))
        held += interval.low <= -rare <= interval.high
        widths.append(interval.half_width)
    assert held / 2_000 >= 0.93
    assert 0.05 < np.mean(widths) < 0.32  # the plain one is 0.37
