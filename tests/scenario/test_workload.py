"""The offered calls: the same for whoever asks again and for every design, with the laws and rates asked for."""

import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import parksim
from parksim import live
from parksim.rules.codes import NEVER
from parksim.scenario.model import TEMPLATE, Scenario
from parksim.scenario.quantities import HOUR_US
from parksim.scenario.workload import COINS, Workload, arrivals, draw, streams

SCENARIOS = Path(__file__).parents[2] / "scenarios"
SHIPPED = sorted(path.name for path in SCENARIOS.glob("*.toml"))
S = 1_000_000
SEED = 20_260_105
LEVEL = 1e-5
"""Of each random test: how often it would fail though all is well."""

RICH = """
name = "Every column drawn"
[run]
horizon = "2h"
[arrivals]
kind = "poisson"
rate = "300/h"
[queue]
patience = { kind = "weibull", mean = "90s", shape = 0.8 }
[attendants]
count = 3
handling = { kind = "lognormal", median = "37s", sigma = 0.6 }
talk = { kind = "gamma", mean = "60s", shape = 0.7 }
[parking]
probability = 0.6
max_parks = 3
[lot]
slots = 4
choice = "random"
max_in_parking = { kind = "exponential", mean = "60s" }
limits = "pbx"
patience = { kind = "hyperexponential", weights = [0.13, 0.87], means = ["64s", "501s"] }
[retrieval]
delay = { kind = "erlang", mean = "75s", stages = 3 }
never = 0.2
talk = { kind = "uniform", low = "3s", high = "12s" }
[recall]
answer = { kind = "empirical", values = ["1s", "2s", "5s"] }
never = 0.15
patience = { kind = "exponential", mean = "3m" }
"""


def rich(**values):
    """Return the scenario in which every column but the lot is drawn."""
    return Scenario.loads(RICH).with_values({key.replace("__", "."): value for key, value in values.items()})


def differing(a, b, calls=None, parks=None):
    """Name the columns that differ, in their first calls and parks."""
    names = []
    for name in Workload._fields:
        ours, theirs = getattr(a, name), getattr(b, name)
        if ours.ndim == 2 and parks is not None:
            rows = parks + (name in ("handling_us", "talk_us"))
            ours, theirs = ours[:rows], theirs[:rows]
        if not np.array_equal(ours[..., :calls], theirs[..., :calls]):
            names.append(name)
    return names


def offered(scenario, seed=SEED, replication=0):
    """Return the instants at which calls are offered, without drawing the rest."""
    return arrivals(scenario, streams(seed, replication))


# The form -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHIPPED)
def test_columns_have_the_form_that_engines_read(name):
    """Shapes, types and bounds of every column of every shipped scenario are those that the workload promises."""
    scenario = Scenario.load(SCENARIOS / name)
    calls = draw(scenario, SEED)
    n, parks = len(calls.arrival_us), scenario.parking.max_parks
    for column, values in calls._asdict().items():
        rows = parks + (column in ("handling_us", "talk_us"))
        assert values.shape == ((n,) if column in ("arrival_us", "queue_patience_us", "lot") else (rows, n)), column
        assert values.dtype == (np.int8 if column == "wants_park" else np.int64), column
        assert values.min() >= NEVER, column
    assert calls.arrival_us[0] >= 0
    assert (np.diff(calls.arrival_us) >= 0).all()
    assert calls.arrival_us[-1] < scenario.horizon_us + scenario.cool_down_us
    assert min(calls.handling_us.min(), calls.talk_us.min(), calls.staff_talk_us.min(), calls.slot_u.min()) >= 0
    assert set(np.unique(calls.wants_park)) <= {0, 1}
    assert set(np.unique(calls.lot)) == set(range(len(scenario.lots)))
    limits = calls.max_in_parking_us
    assert ((limits >= 10 * S) & (limits <= 3600 * S)).all()  # all of them keep UAPI's range


def test_a_column_of_one_value_takes_no_memory():
    """Constants, nevers and certainties are views of a single number; only what is drawn is not."""
    calls = draw(Scenario.load(SCENARIOS / "lot-only.toml").with_values({"run.horizon": "2h"}), SEED)
    drawn = {name for name, values in calls._asdict().items() if any(values.strides)}
    assert drawn == {"arrival_us", "retrieval_us"}
    calls = draw(rich(), SEED)
    assert {name for name, values in calls._asdict().items() if not any(values.strides)} == {"lot"}


def test_no_stay_is_limited_to_nothing():
    """A limit drawn below half a microsecond is lifted to one; the other columns may be 0, and the law's draws are."""
    tiny = {"kind": "exponential", "mean": 1e-6}
    calls = draw(rich(lot__max_in_parking=tiny, lot__patience=tiny), SEED)
    assert calls.max_in_parking_us.min() == 1
    assert calls.patience_us.min() == 0
    # Lifted to 1, not moved by 1, and nothing else touched: P(X < 1.5 us) is 1 - exp(-1.5).
    ones = int((calls.max_in_parking_us == 1).sum())
    assert stats.binomtest(ones, calls.max_in_parking_us.size, -math.expm1(-1.5)).pvalue > LEVEL
    assert draw(rich(lot__max_in_parking="unlimited"), SEED).max_in_parking_us.max() == NEVER


@pytest.mark.parametrize("choice", ["lowest", "next"])
def test_slot_numbers_are_drawn_for_random_choice_only(choice):
    """Without random choice nobody reads them; with it they lie in [0, 2**62) and use all of it."""
    assert (draw(rich(lot__choice=choice), SEED).slot_u == 0).all()
    numbers = draw(rich(), SEED).slot_u
    assert 0 <= numbers.min() < 2**56
    assert 2**62 - 2**56 < numbers.max() < 2**62


@pytest.mark.parametrize("seed", [0, 7, 2**32 - 1, 2**32, 2**64, 2**128 - 1, 2**128, 2**200 + 17])
def test_streams_are_those_of_numpy(seed):
    """A stream's seed is put together by hand; what NumPy makes of the same numbers gives the same draws."""
    for key in ((0, 0, 0), (3, 5, 1), (2**32 - 1, 14, 2), (2**40 + 9, 1, 0), (2**32, COINS, 1)):
        numpys = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))
        assert streams(seed, key[0])(*key[1:]).random(3).tolist() == numpys.random(3).tolist(), key


# Again, and across designs --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*SHIPPED, None])
def test_equal_seeds_give_equal_calls(name):
    """Seed and replication determine every column."""
    scenario = rich() if name is None else Scenario.load(SCENARIOS / name)
    assert differing(draw(scenario, SEED, 3), draw(scenario, SEED, 3)) == []


@pytest.mark.parametrize(("seed", "replication"), [(SEED, 1), (SEED + 1, 0), (0, SEED), (1, 0), (0, 1)])
def test_another_seed_or_replication_gives_other_calls(seed, replication):
    """Every column that is drawn differs, also where seed and replication have only changed places."""
    other = draw(rich(), seed, replication)
    for first in (draw(rich(), SEED, 0), draw(rich(), replication, seed)):
        n = min(len(first.arrival_us), len(other.arrival_us))
        cut = [Workload(*(values[..., :n] for values in calls)) for calls in (first, other)]
        assert set(differing(*cut)) == set(Workload._fields) - {"lot"}


@pytest.mark.parametrize(
    "design",
    [
        {"lot.slots": 40},
        {"lot.first": 900},
        {"attendants.count": 9},
        {"attendants.count": "unlimited"},
        {"retrieval.staff": 2},
        {"queue.limit": 0},
        {"queue.target": "5s"},
        {"parking.announcement": "4s"},
        {"lot.when_full": "drop"},
        {"lot.when_full": "overflow"},
        {"lot.retries": 2, "lot.retry_after": "5s"},
        {"recall.to": "group"},
        {"recall.busy": "drop"},
        {"recall.ring": "7s", "recall.attempts": 3},
        {"recall.unanswered": "drop"},
        {"run.warm_up": "30m"},
        {"run.precision": "9%"},
    ],
    ids=str,
)
def test_every_design_meets_the_same_calls(design):
    """Slots, people and policies change no column: what is compared across designs is the designs."""
    assert differing(draw(rich(), SEED, 2), draw(rich().with_values(design), SEED, 2)) == []


@pytest.mark.parametrize(
    ("law", "columns"),
    [
        ({"queue.patience": "9s"}, {"queue_patience_us"}),
        ({"attendants.handling": "9s"}, {"handling_us"}),
        ({"attendants.talk": "9s"}, {"talk_us"}),
        ({"parking.probability": 0.7}, {"wants_park"}),
        ({"lot.max_in_parking": "9s"}, {"max_in_parking_us"}),
        ({"lot.patience": "9s"}, {"patience_us"}),
        ({"retrieval.delay": "9s"}, {"retrieval_us"}),
        ({"retrieval.never": 0.3}, {"retrieval_us"}),
        ({"retrieval.talk": "9s"}, {"staff_talk_us"}),
        ({"lot.choice": "next"}, {"slot_u"}),
        ({"recall.answer": "9s"}, {"answer_us"}),
        ({"recall.never": 0.3}, {"answer_us"}),
        ({"recall.patience": "9s"}, {"recall_patience_us"}),
    ],
    ids=str,
)
def test_each_purpose_has_a_stream_of_its_own(law, columns):
    """Another law changes the column that follows it, and no other."""
    assert set(differing(draw(rich(), SEED), draw(rich().with_values(law), SEED))) == columns


def test_more_parks_begin_with_the_same_ones():
    """With more parks allowed the first ones are as they were, and no row repeats another."""
    few, many = draw(rich(parking__max_parks=2), SEED), draw(rich(parking__max_parks=5), SEED)
    assert differing(few, many, parks=2) == []
    for name, values in many._asdict().items():
        if values.ndim == 2:
            assert len(np.unique(values, axis=0)) == len(values), name


@pytest.mark.parametrize("name", ["poisson", "hourly"])
def test_a_longer_horizon_begins_with_the_same_calls(name):
    """Whatever the horizon or the cool-down, all columns of the calls before it are the same to the microsecond."""
    scenario = rich()
    if name == "hourly":
        scenario = rich(arrivals={"kind": "hourly", "calls_per_hour": [0, 7, *([333] * 20), 0, 12.5]})
    whole = draw(scenario.with_values({"run.horizon": "3d"}), SEED)
    for horizon in ("20m", "1h", "89m", "7h", "23h", "1d", "100001s"):
        some = draw(scenario.with_values({"run.horizon": horizon, "run.cool_down": "10m"}), SEED)
        end_us = scenario.with_values({"run.horizon": horizon}).horizon_us + 600 * S
        assert len(some.arrival_us) == np.searchsorted(whole.arrival_us, end_us)
        assert differing(some, whole, calls=len(some.arrival_us)) == []


def test_the_end_of_a_long_run_does_not_show_in_its_calls():
    """In 11,000 days, where a last bit is 0.1 us, calls keep their instants wherever the run ends.

    Instants interpolated between 0 and the end had differed here, by a microsecond, for some calls in a hundred.
    """
    scenario = rich(arrivals__rate="0.7/h")
    whole = offered(scenario.with_values({"run.horizon": "11000d"}))
    for days in (1003, 2999, 9973):
        some = offered(scenario.with_values({"run.horizon": f"{days}d"}))
        assert np.array_equal(some, whole[whole < days * 24 * HOUR_US])


class _Sparse:
    """A stream that gives only a few gaps at a time, as if every batch fell short."""

    def __init__(self, seed):
        self.stream = np.random.default_rng(seed)

    def standard_exponential(self, size):
        """Give the next seven gaps, whatever was asked for."""
        assert size > 7
        return self.stream.standard_exponential(7)


@pytest.mark.parametrize("rate", ["400/h", "0.37/s", "127/h"])
def test_batches_of_gaps_do_not_show(rate):
    """Arrivals drawn in hundreds of small batches are those of one large one, to the microsecond."""
    scenario = rich(arrivals__rate=rate, run__horizon="8h")
    small = arrivals(scenario, lambda *_: _Sparse(SEED))
    assert len(small) > 500
    assert np.array_equal(small, arrivals(scenario, lambda *_: np.random.default_rng(SEED)))


# The laws -------------------------------------------------------------------------------------------------------------


def poisson_p(count, mean):
    """Return the two-sided p-value of a count, by doubling the smaller tail."""
    return min(1.0, 2 * min(stats.poisson.cdf(count, mean), stats.poisson.sf(count - 1, mean)))


def test_poisson_calls_have_their_rate():
    """40 replications of 2 h at 300/h: the count is Poisson in mean and variance, the gaps exponential. Level 3e-5."""
    runs = [offered(rich(), replication=replication) for replication in range(40)]
    counts = np.array([len(run) for run in runs])
    assert poisson_p(counts.sum(), 40 * 600) > LEVEL
    dispersion = ((counts - counts.mean()) ** 2).sum() / counts.mean()  # chi-squared with 39 degrees of freedom
    assert LEVEL / 2 < stats.chi2.cdf(dispersion, 39) < 1 - LEVEL / 2
    # Given their number, the instants of a Poisson process are uniform.
    assert stats.kstest(np.concatenate(runs), stats.uniform(0, 2 * HOUR_US).cdf).pvalue > LEVEL


def test_hourly_calls_follow_their_profile():
    """Four days of a profile with empty hours: each hour has its rate, and in it calls come evenly. Level 2e-5."""
    profile = [0, 0, 3, 0, *(40 + 11 * hour for hour in range(18)), 500, 0.5]
    scenario = rich(arrivals={"kind": "hourly", "calls_per_hour": profile}, run__horizon="4d")
    instants_us = offered(scenario)
    counts = np.bincount(instants_us // HOUR_US % 24, minlength=24)
    p_values = [poisson_p(count, 4 * rate) for count, rate in zip(counts, profile, strict=True) if rate]
    assert len(p_values) == 21
    assert min(p_values) > LEVEL / 21  # Bonferroni: all hours together have the level
    assert not counts[[0, 1, 3]].any()
    of_hour = instants_us[instants_us // HOUR_US % 24 == 22] % HOUR_US
    assert stats.kstest(of_hour, stats.uniform(0, HOUR_US).cdf).pvalue > LEVEL


@pytest.mark.parametrize("wrong", [-1, 1.0, None, "1"])
def test_what_is_no_seed_draws_nothing(wrong):
    """Only whole numbers from 0 are seeds and replications: -1 would draw the calls of 4294967295."""
    for named, told in (({"seed": wrong}, "a seed is"), ({"seed": 1, "replication": wrong}, "a replication is")):
        with pytest.raises(ValueError, match=rf"{told} a whole number from 0, not {wrong!r}"):
            draw(Scenario.loads(TEMPLATE), **named)
        with pytest.raises(ValueError, match=told):
            live.Switchboard(Scenario.loads(TEMPLATE), **named)


def test_a_seed_of_numpy_is_a_seed():
    """A seed out of NumPy draws the calls of the same whole number."""
    given, plain = (draw(Scenario.loads(TEMPLATE), seed, 2) for seed in (np.uint32(7), 7))
    assert all(np.array_equal(one, other) for one, other in zip(given, plain, strict=True))


def test_a_wrong_rate_would_be_seen():
    """Negative control: 4 % more calls than stated would fail the test of the constant rate."""
    runs = [offered(rich(arrivals__rate="312/h"), replication=replication) for replication in range(40)]
    assert poisson_p(sum(map(len, runs)), 40 * 600) < LEVEL


def test_a_rate_of_next_to_nothing_offers_nothing():
    """Calls that would come after the end of all numbers are no calls, and no warning."""
    calls = draw(rich(arrivals__rate="0.0000000001/d"), SEED)
    assert all(values.shape[-1] == 0 for values in calls)


def test_durations_have_their_means():
    """Each column drawn has the mean of its law, within what 30,000 independent draws allow. Level 1e-5 together."""
    scenario = rich(run__horizon="100h")
    calls = draw(scenario, SEED)
    laws = {
        "queue_patience_us": scenario.queue_patience,
        "handling_us": scenario.attendants.handling,
        "talk_us": scenario.attendants.talk,
        "max_in_parking_us": scenario.lot.max_in_parking,
        "patience_us": scenario.stay_patience(scenario.lot),
        "retrieval_us": scenario.retrieval.delay,
        "staff_talk_us": scenario.retrieval.talk,
        "answer_us": scenario.recall.answer,
        "recall_patience_us": scenario.recall_patience,
    }
    tail = stats.norm.isf(LEVEL / len(laws) / 2)
    for name, law in laws.items():
        values = getattr(calls, name)
        drawn_s = values[values != NEVER] / 1e6
        assert abs(drawn_s.mean() - law.mean_s) < tail * drawn_s.std() / math.sqrt(drawn_s.size), name


def test_shares_are_those_asked_for():
    """Calls to be parked, calls never fetched and returns never answered are binomial. Level 1e-5 each."""
    calls = draw(rich(run__horizon="20h"), SEED)
    for hits, share in (
        (calls.wants_park == 1, 0.6),
        (calls.retrieval_us == NEVER, 0.2),
        (calls.answer_us == NEVER, 0.15),
    ):
        assert stats.binomtest(int(hits.sum()), hits.size, share).pvalue > LEVEL


def test_columns_know_nothing_of_each_other():
    """No two of the drawn rows are correlated in rank: 378 pairs or more, level 1e-5 together by Bonferroni."""
    calls = draw(rich(run__horizon="20h"), SEED)
    gaps = np.diff(calls.arrival_us, prepend=0)
    rows = [gaps, calls.queue_patience_us]
    names = [name for name in Workload._fields if getattr(calls, name).ndim == 2]
    rows += [row for name in names for row in getattr(calls, name)]
    correlations = stats.spearmanr(np.array(rows), axis=1).statistic[np.triu_indices(len(rows), 1)]
    assert len(correlations) >= 378
    limit = stats.norm.isf(LEVEL / len(correlations) / 2) / math.sqrt(len(gaps) - 1)
    assert np.abs(correlations).max() < limit


# Recorded calls -------------------------------------------------------------------------------------------------------


def test_recorded_calls_come_as_recorded():
    """Every call of the file at its instant, in order, in every replication; those after the end are left out."""
    text = (SCENARIOS / "recorded-calls.csv").read_text(encoding="utf-8").splitlines()[1:]
    stamps = np.array(sorted(line.split(",")[0] for line in text), "datetime64[us]")
    expected_us = (stamps - np.datetime64("2026-01-05")).astype(np.int64)
    scenario = Scenario.load(SCENARIOS / "recorded.toml")
    for seed, replication in ((SEED, 0), (1, 7)):
        assert np.array_equal(draw(scenario, seed, replication).arrival_us, expected_us)
    cut = draw(scenario.with_values({"run.horizon": "30h", "run.cool_down": "1h"}), SEED).arrival_us
    assert np.array_equal(cut, expected_us[expected_us < 31 * HOUR_US])


def test_resampled_days_are_days_of_the_recording(tmp_path):
    """Each replication is one whole day, each day as likely as the next; a day without calls is a day, too."""
    days = {0: [9 * 3600, 3600], 1: [], 2: [7.25], 3: [86399.5, 0.5, 0.5]}
    rows = [day * 86400 + second for day, seconds in days.items() for second in seconds]
    (tmp_path / "calls.csv").write_text("at\n" + "\n".join(map(str, rows)), encoding="utf-8")
    table = RICH.replace('kind = "poisson"\nrate = "300/h"', 'kind = "recorded"\nfile = "calls.csv"\nresample = "days"')
    scenario = Scenario.loads(table.replace('horizon = "2h"', ""), folder=tmp_path)
    by_instants = {tuple(sorted(round(second * S) for second in seconds)): day for day, seconds in days.items()}
    seen = [by_instants[tuple(offered(scenario, replication=r).tolist())] for r in range(400)]
    assert stats.chisquare(np.bincount(seen, minlength=4)).pvalue > LEVEL
    assert offered(scenario, replication=5).tolist() == draw(scenario, SEED, 5).arrival_us.tolist()


def test_a_run_draws_its_workload_again():
    """The workload that a run gives is that which its journal comes from."""
    run = parksim.run(rich(), seed=SEED, replication=4)
    assert differing(run.workload(), draw(rich(), SEED, 4)) == []
    assert run.journal.check(run.workload()) is None
