"""Days that differ, and hours that differ: the drawn columns have the laws stated, and nothing else moves.

Random tests state their level and seed; everything else is exact.
"""

import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from parksim.rules.codes import NEVER
from parksim.scenario.comments import to_toml
from parksim.scenario.model import Scenario, ScenarioError
from parksim.scenario.quantities import HOUR_US
from parksim.scenario.workload import Workload, arrivals, day_factors, draw, streams

SCENARIOS = Path(__file__).parents[2] / "scenarios"
SEED = 20_260_401
LEVEL = 1e-5
"""Of each random test: how often it would fail though all is well."""
DAY_US = 24 * HOUR_US
PROFILE = [0, 0, 1, *[4] * 18, 2.5, 0.5, 0]
KINDS = {
    "poisson": {"kind": "poisson", "rate": f"{sum(PROFILE)}/d"},
    "hourly": {"kind": "hourly", "calls_per_hour": PROFILE},
}
SHARES = [round(0.1 + 0.035 * hour, 3) for hour in range(24)]
FACTORS = [0.5, 1, 1.75, *[1 + hour / 20 for hour in range(21)]]

kinds = pytest.mark.parametrize("kind", KINDS)


def lot_only(values=None):
    """Return the lot alone with some values replaced."""
    return Scenario.load(SCENARIOS / "lot-only.toml").with_values(values or {})


def days(kind, cv, horizon="1d", **more):
    """Return a scenario whose days differ; cv None: whose days are alike."""
    busy = {} if cv is None else {"busy_days": {"cv": cv}}
    return lot_only({"arrivals": KINDS[kind] | more | busy, "run.horizon": horizon, "run.warm_up": 0})


def offered(scenario, seed=SEED, replication=0):
    """Return the instants at which calls are offered."""
    return arrivals(scenario, streams(seed, replication))


def equal(one, other):
    """Say whether two workloads have equal columns, of equal types."""
    return all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in zip(one, other, strict=True))


# Days -----------------------------------------------------------------------------------------------------------------


def unlike_p(counts, law):
    """Return Pearson's p of counts against a law, in cells of at least 10 expected each, the last one open."""
    edges = [-1]
    while law.sf(edges[-1]) * len(counts) >= 20:
        edges.append(int(law.isf(max(law.sf(edges[-1]) - 15 / len(counts), 0.0))))
    edges = np.unique(edges)
    expected = np.append(-np.diff(law.sf(edges)), law.sf(edges[-1])) * len(counts)
    seen = np.bincount(np.searchsorted(edges, counts, side="left") - 1, minlength=len(expected))
    if expected[-1] < 10:
        expected, seen = ([*one[:-2], one[-2] + one[-1]] for one in (expected, seen))
    assert min(expected) >= 10
    return stats.chisquare(seen, np.array(expected) * (len(counts) / sum(expected))).pvalue


@kinds
def test_calls_of_a_day_are_negative_binomial(kind):
    """4,000 days of one run, cv 0.2: the whole distribution is scipy's, n = cv^-2, mean m. Pearson, level 1e-5.

    Its variance is m + (cv m)^2. Negative control: Poisson counts, and those of cv 0.25, are refused by the same test.
    """
    cv, mean = 0.2, sum(PROFILE)
    instants_us = offered(days(kind, cv, "4000d"))
    counts = np.bincount(instants_us // DAY_US, minlength=4000)
    law = stats.nbinom(cv**-2, cv**-2 / (cv**-2 + mean))
    assert law.mean() == pytest.approx(mean)
    assert law.var() == pytest.approx(mean + (cv * mean) ** 2)
    assert unlike_p(counts, law) > LEVEL
    # The sample variance itself: normal in so many days, with the spread of the squares.
    squares = (counts - mean) ** 2
    assert abs(squares.mean() - law.var()) < stats.norm.isf(LEVEL / 2) * squares.std() / np.sqrt(len(counts))
    # Neighbours know nothing of each other.
    assert abs(np.corrcoef(counts[:-1], counts[1:])[0, 1]) < stats.norm.isf(LEVEL / 2) / np.sqrt(len(counts) - 1)
    assert unlike_p(counts, stats.poisson(mean)) < LEVEL
    assert unlike_p(counts, stats.nbinom(16, 16 / (16 + mean))) < LEVEL


def test_first_days_of_replications_are_independent_of_each_other():
    """First days of 3,000 replications, cv 1: gamma of mean 1, here exponential. Kolmogorov and Smirnov, level 1e-5."""
    source = days("poisson", 1).arrivals
    factors = [next(day_factors(source, streams(SEED, replication))) for replication in range(3000)]
    assert stats.kstest(factors, stats.expon.cdf).pvalue > LEVEL


def until(instants_us, rates, factors):
    """Return the expected calls until some instants: hour by hour, with each day's factor."""
    hours = int(instants_us[-1] // HOUR_US) + 1
    steps = np.resize(rates, hours) * np.repeat(factors, 24)[:hours]
    expected = np.concatenate([[0.0], np.cumsum(steps)])
    hour = instants_us // HOUR_US
    return expected[hour] + steps[hour] * (instants_us - hour * HOUR_US) / HOUR_US


@kinds
def test_arrivals_keep_the_meaning_of_their_stream(kind):
    """Call i comes when as many calls are expected as where days are alike: its instant moves with the days only."""
    rates = PROFILE if kind == "hourly" else [sum(PROFILE) / 24] * 24
    alike, busy = offered(days(kind, None, "40d")), offered(days(kind, 0.3, "40d"))
    calls = min(len(alike), len(busy))
    assert calls > 1000
    factors = [*islice(day_factors(days(kind, 0.3).arrivals, streams(SEED, 0)), 40)]
    assert np.std(factors) > 0.1
    assert until(busy[:calls], rates, factors) == pytest.approx(until(alike[:calls], rates, np.ones(40)), abs=1e-6)


@kinds
def test_a_longer_run_begins_with_the_same_calls(kind):
    """Whatever the horizon, all columns of the calls before it are the same to the microsecond, over midnights."""
    more = {"parking.probability": SHARES, "retrieval.delay_factor": FACTORS}
    whole = draw(days(kind, 0.3, "9d").with_values(more), SEED)
    for hours in (7, 24, 25, 71, 120):
        some = draw(days(kind, 0.3, f"{hours}h").with_values(more), SEED)
        calls = int(np.searchsorted(whole.arrival_us, hours * HOUR_US))
        assert equal(some, Workload(*(column[..., :calls] for column in whole)))


@kinds
def test_designs_meet_the_same_days_and_nothing_else_moves(kind):
    """Slots and laws move no call; busy days move the arrivals alone; of cv 0 they move nothing at all."""
    busy, alike = draw(days(kind, 0.3, "5d"), SEED, 2), draw(days(kind, None, "5d"), SEED, 2)
    assert np.array_equal(
        draw(days(kind, 0.3, "5d").with_values({"lot.slots": 2}), SEED, 2).arrival_us, busy.arrival_us
    )
    calls = min(len(busy.arrival_us), len(alike.arrival_us))
    cut = [Workload(*(column[..., :calls] for column in one)) for one in (busy, alike)]
    assert not np.array_equal(cut[0].arrival_us, cut[1].arrival_us)
    assert equal(*(one._replace(arrival_us=one.arrival_us * 0) for one in cut))
    assert equal(draw(days(kind, 0, "5d"), SEED, 2), alike)


# Hours ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(path.name for path in SCENARIOS.glob("*.toml")))
def test_equal_hours_are_as_one_number(name):
    """24 equal shares draw what the share draws, and 24 ones what no factor draws: every column, type and byte."""
    scenario = Scenario.load(SCENARIOS / name)
    share = scenario.parking.probability
    listed = scenario.with_values({"parking.probability": [share] * 24, "retrieval.delay_factor": [1] * 24})
    assert equal(draw(listed, SEED, 1), draw(scenario, SEED, 1))


def test_each_hour_has_its_share_of_parks():
    """24 shares, 300 days of 100 calls an hour: each hour's parks are binomial of its share. Level 1e-5 together."""
    scenario = lot_only({"arrivals.rate": "100/h", "run.horizon": "300d", "parking.probability": SHARES})
    drawn = draw(scenario, SEED)
    hours = drawn.arrival_us // HOUR_US % 24
    p_values = [
        stats.binomtest(int(drawn.wants_park[0][hours == hour].sum()), int((hours == hour).sum()), share).pvalue
        for hour, share in enumerate(SHARES)
    ]
    assert min(p_values) > LEVEL / 24
    # Negative control: the shares of the neighbouring hours would be seen.
    wrong = stats.binomtest(int(drawn.wants_park[0][hours == 3].sum()), int((hours == 3).sum()), SHARES[4])
    assert wrong.pvalue < LEVEL / 24


@pytest.mark.parametrize("delay", ["75s", {"kind": "exponential", "mean": 60}])
def test_a_factor_multiplies_the_drawn_delay(delay):
    """To the microsecond, by the hour of the offer; who is never fetched stays so, and no other column moves."""
    values = {"retrieval.delay": delay, "retrieval.never": 0.2, "parking.max_parks": 3, "run.horizon": "50h"}
    plain = draw(lot_only(values), SEED)
    scaled = draw(lot_only(values | {"retrieval.delay_factor": FACTORS}), SEED)
    times = np.array(FACTORS)[plain.arrival_us // HOUR_US % 24]
    expected_us = np.where(plain.retrieval_us == NEVER, NEVER, np.rint(plain.retrieval_us * times))
    assert np.array_equal(scaled.retrieval_us, expected_us)
    assert scaled.retrieval_us.dtype == np.int64
    assert (plain.retrieval_us == NEVER).any()
    assert equal(
        plain._replace(retrieval_us=plain.retrieval_us * 0), scaled._replace(retrieval_us=scaled.retrieval_us * 0)
    )


# As they are written --------------------------------------------------------------------------------------------------


def test_the_keys_are_written_and_read_again():
    """Canonical text, TOML, dotted keys, notes and guesses know the new keys; each changes the digest."""
    text = to_toml(lot_only().canonical, {}, lot_only().notes)
    text = text.replace('rate = "', 'busy_days = { cv = 0.15 }  # guess: no count of days\nrate = "')
    text = text.replace("[retrieval]", f"[retrieval]\ndelay_factor = {FACTORS}  # guess")
    scenario = Scenario.loads(text).with_values({"parking.probability": ["50%", *SHARES[1:]]})
    assert scenario.guesses == {"arrivals.busy_days": {"cv": 0.15}, "retrieval.delay_factor": FACTORS}
    assert scenario.assumptions["parking.probability"] == [0.5, *SHARES[1:]]
    assert Scenario.loads(to_toml(scenario.canonical, {}, scenario.notes)) == scenario
    assert Scenario.of_canonical(scenario.canonical) == scenario
    for key, value in {
        "arrivals.busy_days.cv": "0.2",
        "parking.probability": 0.5,
        "retrieval.delay_factor": [2] * 24,
    }.items():
        assert scenario.with_values({key: value}).digest != scenario.digest
    assert lot_only({"arrivals.busy_days.cv": 0.2}) == lot_only({"arrivals.busy_days": {"cv": 0.2}})


def test_what_is_expected_does_not_move_with_the_days():
    """The mean factor is 1; bounds of whole numbers look at the longest hour and at busy days."""
    assert days("hourly", 0.3).expected_calls == days("hourly", None).expected_calls
    long = {"retrieval.delay": 8e8, "arrivals.rate": "0.06/s", "run.horizon": "1d"}
    lot_only(long)
    with pytest.raises(ScenarioError, match=r"retrieval.delay = .*may pass when all of them"):
        lot_only(long | {"retrieval.delay_factor": [*[1] * 23, 5]})
    with pytest.raises(ScenarioError, match=r"retrieval.delay = .*may pass when all of them"):
        lot_only(long | {"arrivals.busy_days": {"cv": 1}})


def test_the_schema_has_the_keys():
    """Editors are told the cv's range, and that a list has 24 entries."""
    schema = Scenario.model_json_schema()["$defs"]
    assert schema["BusyDays"]["properties"]["cv"]["maximum"] == 2
    assert "busy_days" in schema["Poisson"]["properties"]
    assert "busy_days" in schema["Hourly"]["properties"]
    assert "busy_days" not in schema["Recorded"]["properties"]
    assert schema["Parking"]["properties"]["probability"]["anyOf"][-1]["minItems"] == 24
    assert schema["Retrieval"]["properties"]["delay_factor"]["maxItems"] == 24
    assert json.dumps(schema)
