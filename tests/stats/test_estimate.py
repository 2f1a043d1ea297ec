"""Estimates against SciPy, textbook examples and, for coverage, seeded simulation with a stated level."""

import dataclasses
import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from parksim.stats import estimate
from parksim.stats.estimate import SHARE, SHARE_DIFFERENCE, Estimate

LAW_TABLE = [1.20, 1.50, 1.68, 1.89, 0.95, 1.49, 1.58, 1.55, 0.50, 1.09]
VALUES = [0.31, 0.28, 0.35, 0.30, 0.26, 0.33]
FINITE = st.floats(-1e6, 1e6)


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.999, 1 - 1e-9])
def test_student_t_agrees_with_scipy(level):
    """Mean and interval over replications are those of SciPy's t law."""
    seen = estimate.student_t(VALUES, level)
    half = stats.t.isf((1 - level) / 2, len(VALUES) - 1) * stats.sem(VALUES)
    assert (seen.low, seen.high) == pytest.approx((np.mean(VALUES) - half, np.mean(VALUES) + half), rel=1e-10)
    assert seen.mean == pytest.approx(np.mean(VALUES), rel=1e-15)
    assert (seen.n, seen.level, seen.method, seen.reason) == (6, level, "student-t", "")


def test_student_t_of_the_textbook():
    """Law's example of ten replications: 1.34 with a half-width of 0.24 at 90 %."""
    seen = estimate.student_t(LAW_TABLE, 0.90)
    assert (round(seen.mean, 2), round(seen.half_width, 2)) == (1.34, 0.24)


def test_undefined_replications_are_left_out_and_counted():
    """None and nan do not enter, n says how many did and the reason how many did not."""
    seen = estimate.student_t([*VALUES, None, math.nan])
    whole = estimate.student_t(VALUES)
    assert (seen.mean, seen.low, seen.high, seen.n) == (whole.mean, whole.low, whole.high, 6)
    assert seen.reason == "undefined in 2 of 8 replications"


def test_no_replication_and_one():
    """Without a value the estimate is undefined with its reason; with one there is a point and no interval."""
    nothing, never, one = estimate.student_t([]), estimate.student_t([None, math.nan]), estimate.student_t([3.0, None])
    assert (nothing.mean, nothing.n, nothing.method, nothing.reason) == (None, 0, "undefined", "no replication")
    assert (never.mean, never.reason) == (None, "undefined in 2 of 2 replications")
    assert (one.mean, one.low, one.high, one.n, one.method) == (3.0, None, None, 1, "one-replication")
    assert one.half_width is None
    assert one.relative_half_width is None


@pytest.mark.parametrize("value", [0.1, 0.0, -3.7, 1e300])
@pytest.mark.parametrize("n", [2, 3, 7])
def test_equal_replications_are_a_point(value, n):
    """Equal replications give exactly their value as interval, by a method that says so (no rounding of the sum)."""
    seen = estimate.student_t([value] * n)
    assert (seen.mean, seen.low, seen.high, seen.n, seen.method) == (value, value, value, n, "zero-variance")
    assert seen.half_width == 0.0
    assert seen.reason == "all replications are equal"


def test_shares_are_clipped_and_nothing_else_is():
    """Near 0 a share's interval ends at 0 while the same numbers without bounds go below it."""
    values = [0.0, 0.0, 0.02, 0.001]
    assert estimate.student_t(values).low < 0.0
    clipped = estimate.student_t(values, bounds=SHARE)
    assert clipped.low == 0.0
    assert clipped.high == estimate.student_t(values).high
    assert estimate.student_t([1.0 - value for value in values], bounds=SHARE).high == 1.0
    assert clipped.half_width == clipped.high - clipped.mean


@given(st.lists(FINITE, min_size=2, max_size=30), st.randoms(use_true_random=False))
def test_the_order_of_replications_changes_no_bit(values, random):
    """However the workers deliver them, the same replications give the same bytes."""
    shuffled = list(values)
    random.shuffle(shuffled)
    assert estimate.student_t(shuffled) == estimate.student_t(values)


@given(st.lists(FINITE, min_size=2, max_size=12), st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_a_higher_level_is_a_wider_interval(values, one, other):
    """Intervals are nested in their level and hold their point."""
    narrow, wide = estimate.student_t(values, min(one, other)), estimate.student_t(values, max(one, other))
    assert wide.low <= narrow.low <= narrow.mean <= narrow.high <= wide.high


def coverage(replications, samples, seed):
    """Return in how many of ``samples`` studies the 95 % interval holds the mean of an exponential-like share."""
    draws = np.random.default_rng(seed).gamma(4.0, 0.25, (samples, replications))  # skewed (1.0), mean 1
    return sum((seen := estimate.student_t(row)).low <= 1.0 <= seen.high for row in draws.tolist())


def test_t_intervals_hold_the_truth_as_often_as_they_say():
    """Of 2,000 studies of 10 normal replications (seed 11) 95 % intervals hold the truth 1,900 +- 49 times.

    49 is 5 standard deviations of the binomial law: wrongly red once in 1.7 million seeds.
    """
    draws = np.random.default_rng(11).normal(5.0, 2.0, (2000, 10)).tolist()
    held = sum((seen := estimate.student_t(row)).low <= 5.0 <= seen.high for row in draws)
    assert abs(held - 1900) <= 49


@pytest.mark.slow
@pytest.mark.parametrize("replications", [10, 30])
def test_t_intervals_over_skewed_replications(replications):
    """Replications of skewness 1: of 40,000 studies (seed 12) the 95 % intervals hold the truth in 93 to 95.5 %.

    The t interval is exact for normal replications only; the loss at 10 replications is 1 to 1.5 points, and the
    standard deviation of the estimate is 0.11 points.
    """
    assert 0.93 <= coverage(replications, 40_000, seed=12) / 40_000 <= 0.955


@pytest.mark.parametrize(("events", "trials"), [(0, 10), (3, 10), (10, 10), (17, 1000)])
def test_clopper_pearson_agrees_with_scipy(events, trials):
    """Point and exact interval are SciPy's."""
    seen = estimate.clopper_pearson(events, trials, 0.9)
    reference = stats.binomtest(events, trials).proportion_ci(0.9, "exact")
    assert (seen.low, seen.high) == pytest.approx((reference.low, reference.high), rel=1e-10)
    assert (seen.mean, seen.n, seen.method) == (events / trials, trials, "clopper-pearson")


def test_no_trial_has_no_share():
    """Without a trial a share is undefined, not 0."""
    assert estimate.clopper_pearson(0, 0).mean is None
    with pytest.raises(ValueError, match="events must be within"):
        estimate.clopper_pearson(1, 0)


def test_blocks_hold_equally_many_trials_and_span_ten_stays():
    """0.1 parks a second of 50 s: 50 parks a block, counted in each replication apart."""
    assert estimate.blocks_of([1000, 999, 1001], 10_000.0, 50.0) == 20 + 19 + 20
    assert estimate.blocks_of([40, 40], 400.0, 50.0) == 0  # 50 parks a block: none has so many
    assert estimate.blocks_of([3, 5], 1e6, 50.0) == 8  # light traffic: every park is a block of its own
    assert estimate.blocks_of([0, 0], 100.0, 50.0) == 0
    assert estimate.blocks_of([], 100.0, 50.0) == 0


def test_time_is_cut_into_whole_blocks():
    """A window of 19.99 blocks holds 19."""
    assert estimate.time_blocks(30, 9_999.0, 50.0) == 30 * 19
    assert estimate.time_blocks(0, 9_999.0, 50.0) == 0
    assert estimate.time_blocks(3, 100.0, 50.0) == 0


def test_nothing_seen_is_a_bound_and_never_zero_percent():
    """None of 1,200 blocks bounds the share at 0.31 % (95 %), none of 30 at 11.6 %, no block at all at 1."""
    assert [round(estimate.zero_seen(blocks).high, 4) for blocks in (1200, 30, 0)] == [0.0031, 0.1157, 1.0]
    seen = estimate.zero_seen(1200)
    assert (seen.mean, seen.low, seen.n, seen.method) == (0.0, 0.0, 1200, "clopper-pearson-blocks")
    assert str(seen) == "0.0000 [0.0000, 0.0031]"


def test_everything_seen_is_the_mirror_image():
    """All of 1,200 blocks: at least 99.69 %."""
    none, everything = estimate.zero_seen(1200), estimate.all_seen(1200)
    assert everything.low == pytest.approx(1.0 - none.high, rel=1e-15)
    assert (everything.mean, everything.high, everything.n) == (1.0, 1.0, 1200)
    assert estimate.all_seen(0).low == 0.0


def one_slot_lot(rate, stays, seed, parks):
    """Return which of ``parks`` Poisson requests a lot of one slot refuses, exponential stays of mean 1."""
    generator = np.random.default_rng(seed)
    arrivals = np.cumsum(generator.exponential(1.0 / rate, parks))
    stay = generator.exponential(stays, parks)
    free_at, refused = 0.0, np.zeros(parks, dtype=bool)
    for i in range(parks):
        if arrivals[i] < free_at:
            refused[i] = True
        else:
            free_at = arrivals[i] + stay[i]
    return arrivals, refused


def test_blocks_of_equal_time_would_not_bound_a_share():
    """In light traffic the share of equal-time blocks with a refusal lies far below the share refused.

    One slot at 0.01 erlang (seed 5, 200,000 parks): the share is Erlang's 0.0099; blocks of 10 mean stays hold a
    refusal about a tenth as often, blocks of equally many parks never more rarely than the share.
    """
    arrivals, refused = one_slot_lot(0.01, 1.0, seed=5, parks=200_000)
    share = refused.mean()
    assert share == pytest.approx(0.01 / 1.01, rel=0.1)
    blocks = int(arrivals[-1] // 10.0)
    with_event = len(set((arrivals[refused] // 10.0).astype(int))) / blocks
    assert with_event < 0.15 * share
    for size in (1, 7, 50):
        equal = refused[: len(refused) // size * size].reshape(-1, size)
        assert equal.any(axis=1).mean() >= equal.mean()


@pytest.mark.parametrize(("rate", "parks"), [(0.01, 400), (0.05, 80)])
def test_the_bound_on_what_was_not_seen_holds(rate, parks):
    """Whenever a short run sees no refusal, the truth lies below the bound in all but 2.5 % of all runs.

    2,000 runs a case (seeds 0..1999), of a length at which the bound from nothing seen is just below the truth: how
    many see nothing is counted; 50 expected at most, 50 + 5 standard deviations allowed.
    """
    truth = rate / (1.0 + rate)
    wrong = 0
    for seed in range(2000):
        arrivals, refused = one_slot_lot(rate, 1.0, seed, parks)
        if not refused.any():
            blocks = estimate.blocks_of([parks], float(arrivals[-1]), 1.0)
            wrong += estimate.zero_seen(blocks).high < truth
    assert 0 < wrong <= 50 + 5 * math.sqrt(50)


def test_a_share_chooses_its_method():
    """All 0 or all 1: the bound over blocks; else t, clipped; without a defined value: undefined."""
    assert estimate.share([0.0, 0.0, None], 400) == estimate.zero_seen(400)
    assert estimate.share([1.0, 1.0], 400) == estimate.all_seen(400)
    assert estimate.share([0.0, 0.1], 400) == estimate.student_t([0.0, 0.1], bounds=SHARE)
    assert estimate.share([0.3, 0.3], 400).method == "zero-variance"
    assert estimate.share([None, math.nan], 400).mean is None


def test_welch_agrees_with_scipy():
    """Difference, interval and the fractional degrees of freedom are SciPy's Welch test."""
    other = [0.41, 0.10, 0.55, 0.28, 0.72, 0.05, 0.33, 0.90]
    seen = estimate.welch(VALUES, other, 0.95)
    reference = stats.ttest_ind(VALUES, other, equal_var=False).confidence_interval(0.95)
    assert (seen.low, seen.high) == pytest.approx((reference.low, reference.high), rel=1e-8)
    assert (seen.n, seen.method) == (14, "welch-t")
    assert estimate.welch(VALUES, other, bounds=(-0.1, 0.1)).low == -0.1


def test_welch_without_spread_or_without_enough():
    """Two points differ by a point; a side of one replication leaves the difference undefined, with its reason."""
    seen = estimate.welch([1.0, 1.0], [0.25, 0.25, 0.25])
    assert (seen.mean, seen.low, seen.high, seen.method) == (0.75, 0.75, 0.75, "zero-variance")
    lonely = estimate.welch([1.0, None], [0.25, 0.5])
    assert (lonely.mean, lonely.n) == (None, 3)
    assert "there are 1 and 2" in lonely.reason


def test_paired_agrees_with_scipy():
    """The paired interval is SciPy's of the differences; a pair with an undefined half is left out."""
    other = [0.30, 0.25, 0.36, 0.27, 0.25, 0.30]
    seen = estimate.paired([*VALUES, None, 0.2, math.nan], [*other, 0.2, None, 0.2], bounds=SHARE_DIFFERENCE)
    reference = stats.ttest_rel(VALUES, other).confidence_interval(0.95)
    assert (seen.low, seen.high) == pytest.approx((reference.low, reference.high), rel=1e-8)
    assert (seen.n, seen.method, seen.reason) == (6, "paired-t", "undefined in 3 of 9 replications")


def test_pairs_that_never_differ():
    """Equal designs differ by exactly 0, and say that all pairs agreed."""
    seen = estimate.paired(VALUES, VALUES)
    assert (seen.mean, seen.low, seen.high, seen.method) == (0.0, 0.0, 0.0, "zero-variance")
    with pytest.raises(ValueError, match="equally many"):
        estimate.paired([1.0], [1.0, 2.0])


@pytest.mark.parametrize(
    ("low", "high", "relation", "expected"),
    [
        (1.0, 2.0, "<", {3.0: "met", 2.0: "undecided", 1.5: "undecided", 1.0: "missed", 0.5: "missed"}),
        (1.0, 2.0, "<=", {3.0: "met", 2.0: "met", 1.5: "undecided", 1.0: "undecided", 0.5: "missed"}),
        (1.0, 2.0, ">", {3.0: "missed", 2.0: "missed", 1.5: "undecided", 1.0: "undecided", 0.5: "met"}),
        (1.0, 2.0, ">=", {3.0: "missed", 2.0: "undecided", 1.5: "undecided", 1.0: "met", 0.5: "met"}),
    ],
)
def test_verdicts(low, high, relation, expected):
    """Met when the whole interval is on the right side, missed when none of it is, else undecided."""
    seen = Estimate(1.5, low, high, 0.95, 30, "student-t")
    assert {target: estimate.verdict(seen, relation, target) for target in expected} == expected


def test_a_point_decides_its_own_target():
    """A zero-variance estimate of exactly the target meets <= and misses <."""
    seen = estimate.student_t([0.1, 0.1])
    verdicts = [estimate.verdict(seen, relation, 0.1) for relation in ("<", "<=", ">", ">=")]
    assert verdicts == ["missed", "met", "missed", "met"]


def test_without_an_interval_nothing_is_decided():
    """Undefined, and one replication: undecided whatever the target."""
    for seen, relation in itertools.product(
        (estimate.undefined("no park"), estimate.student_t([0.5])), ("<", "<=", ">", ">=")
    ):
        assert estimate.verdict(seen, relation, 0.4) == "undecided"


@pytest.mark.parametrize(
    ("seen", "text"),
    [
        (Estimate(0.0131, 0.0120, 0.0142, 0.95, 30, "student-t"), "0.0131 [0.0120, 0.0142]"),
        (Estimate(6.6521, 6.61, 6.70, 0.95, 30, "student-t"), "6.652 [6.610, 6.700]"),
        (Estimate(1234.5, 1200.0, 1269.0, 0.95, 30, "student-t"), "1234 [1200, 1269]"),
        (Estimate(2.0, 2.0, 2.0, 0.95, 30, "zero-variance"), "2 [2, 2]"),
        (Estimate(0.25, None, None, 0.95, 1, "one-replication"), "0.25 [no interval from 1]"),
        (estimate.undefined("no park was made"), "undefined (no park was made)"),
        (Estimate(None, None, None, 0.95, 0, "undefined"), "undefined"),
    ],
)
def test_text(seen, text):
    """Two significant digits of the half-width are shown, and no more."""
    assert str(seen) == text


def test_json_has_the_fields_of_a_result():
    """The dictionary holds the record's fields by name, goes through JSON, and null is undefined."""
    seen = estimate.undefined("no park", n=3)
    assert list(seen.as_dict()) == [field.name for field in dataclasses.fields(Estimate)]
    assert json.loads(json.dumps(seen.as_dict()))["mean"] is None
    assert Estimate(**estimate.student_t(VALUES).as_dict()) == estimate.student_t(VALUES)


def test_widths():
    """The half-width is the longer arm; relative to a mean of 0 there is none."""
    seen = Estimate(0.2, 0.0, 0.5, 0.95, 3, "student-t")
    assert seen.half_width == pytest.approx(0.3)
    assert seen.relative_half_width == pytest.approx(1.5)
    assert estimate.zero_seen(100).relative_half_width is None


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: estimate.student_t([1.0, math.inf]), "must be finite"),
        (lambda: estimate.student_t([0.5, 1.5], bounds=SHARE), "within"),
        (lambda: estimate.student_t([0.5], level=1.0), "confidence level"),
        (lambda: estimate.student_t([0.5], level=math.nan), "confidence level"),
        (lambda: estimate.share([1.2], 3), "within"),
        (lambda: estimate.zero_seen(-1), "blocks cannot be negative"),
        (lambda: estimate.all_seen(-1), "blocks cannot be negative"),
        (lambda: estimate.blocks_of([1], 0.0, 1.0), "must be finite"),
        (lambda: estimate.blocks_of([-1], 1.0, 1.0), "cannot be negative"),
        (lambda: estimate.time_blocks(-1, 1.0, 1.0), "cannot be negative"),
        (lambda: estimate.time_blocks(1, 1.0, 0.0), "must be positive"),
        (lambda: estimate.verdict(estimate.zero_seen(3), "=", 1.0), "relation is one of"),
        (lambda: estimate.verdict(estimate.zero_seen(3), "<", math.nan), "target must be"),
    ],
)
def test_bad_arguments_are_named(call, words):
    """A number outside a function's domain is a ValueError that says which and what it was."""
    with pytest.raises(ValueError, match=words):
        call()
