"""Differences between two scenarios: what is paired, and whether the intervals cover what Erlang's formula says."""

import dataclasses
import math
from importlib.util import find_spec

import numpy as np
import pytest
from scipy import stats

from parksim.stats import estimate as est
from parksim.studies import compare as comparing
from parksim.studies.formulas import formulas
from parksim.studies.study import study
from tests.statistics.macro_runs import lot_only

QUICK = "kernel" if find_spec("numba") else "simpy"
DAY = {"run.horizon": "25h"}
SHORT = {"run.horizon": "3h"}


def test_a_longer_cool_down_is_offered_the_same_calls():
    """What comes after the horizon is not counted: calls that both are offered are alike, and are paired."""
    compared = comparing.compare(lot_only(SHORT), lot_only(SHORT | {"run.cool_down": "2h", "lot.slots": 7}), 3)
    assert (compared.paired, compared.unlike) == (True, ())
    assert compared.differences["calls_offered"].mean == compared.differences["calls_offered"].half_width == 0


def test_the_other_way_round_is_the_negative():
    """For 6 and 7 slots all measures of b less a are those of a less b with the other sign, intervals included."""
    few, more = lot_only(SHORT), lot_only(SHORT | {"lot.slots": 7})
    there, back = comparing.compare(few, more, 5), comparing.compare(more, few, 5)
    for name, one in there.differences.items():
        other = back.differences[name]
        if one.mean is not None:
            assert (one.mean, one.low, one.high) == pytest.approx((-other.mean, -other.high, -other.low), abs=1e-12)


def test_separate_replications_are_strangers_and_equal_numbers_are_not():
    """At two rates the occupancies of one replication number go together (r over 0.5), those compared by Welch do not.

    60 of each, seed 1; of strangers |r| > 0.5 has the level 1e-4.
    """
    a, b = lot_only(DAY), lot_only(DAY | {"arrivals.rate": "125/h"})
    compared = comparing.compare(a, b, 60, engine=QUICK)
    same_numbers = study(b, 60, engine=QUICK).results
    shares = [[one["occupancy_mean"] for one in results] for results in (compared.a.results, compared.b.results)]
    assert not compared.paired
    assert abs(np.corrcoef(*shares)[0, 1]) < 0.5
    assert np.corrcoef(shares[0], [one["occupancy_mean"] for one in same_numbers])[0, 1] > 0.5
    assert compared.differences["occupancy_mean"].method == "welch-t"


def with_medians(one, *medians):
    """Return a study whose replications have these medians of the time parked."""
    results = [result | {"parked_s_p50": median} for result, median in zip(one.results, medians, strict=True)]
    return dataclasses.replace(one, results=tuple(results))


def test_quantiles_are_compared_over_the_replications_that_have_them():
    """A median is no ratio of sums: pairs with an undefined half are left out and counted, of strangers each value."""
    done = study(lot_only(SHORT), 4, engine="simpy")
    a, b = with_medians(done, 50.0, math.nan, 52.0, 57.0), with_medians(done, 51.0, 44.0, 56.0, 55.0)
    paired = comparing.difference(a, b, "parked_s_p50", 4)
    reference = stats.ttest_rel([50, 52, 57], [51, 56, 55]).confidence_interval(0.95)
    assert (paired.low, paired.high) == pytest.approx((reference.low, reference.high))
    assert (paired.n, paired.method, paired.reason) == (3, "paired-t", "undefined in 1 of 4 replications")
    strangers = comparing.difference(a, b, "parked_s_p50", 4, est.apart)
    reference = stats.ttest_ind([50, 52, 57], [51, 44, 56, 55], equal_var=False).confidence_interval(0.95)
    assert (strangers.low, strangers.high) == pytest.approx((reference.low, reference.high))
    assert (strangers.n, strangers.method) == (7, "welch-t")
    never = with_medians(done, math.nan, 50.0, math.nan, math.nan)
    nothing = comparing.difference(a, never, "parked_s_p50", 4)
    assert (nothing.mean, nothing.reason) == (None, "undefined in 4 of 4 replications")


@pytest.mark.slow
@pytest.mark.parametrize("change", [{"lot.slots": 7}, {"arrivals.rate": "130/h"}], ids=["paired", "welch"])
def test_intervals_of_differences_cover_erlangs(change):
    """Of 200 comparisons of 10 replications (seeds 1 to 200) 180 to 199 hold Erlang's difference, paired and Welch's.

    P(Bin(200, 0.95) < 180 or > 199) = 0.12 %, for each of two measures and two ways.
    """
    a, b = lot_only(DAY), lot_only(DAY | change)
    compared = [comparing.compare(a, b, 10, seed=seed, engine=QUICK).differences for seed in range(1, 201)]
    for name in ("refused_share", "occupancy_mean"):
        truth = formulas(b)[name].value - formulas(a)[name].value
        found = [differences[name] for differences in compared]
        assert {one.method for one in found} <= {"limits", "paired-t" if "lot.slots" in change else "welch-t"}
        assert 180 <= sum(one.low <= truth <= one.high for one in found) <= 199, name
