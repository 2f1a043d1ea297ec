"""From replications to an estimate of each measure, on made-up replications: every sum and bound is counted by hand."""

import math
from pathlib import Path

import pytest

from parksim.scenario.model import TEMPLATE, Scenario
from parksim.stats import estimate as est
from parksim.stats import events
from parksim.studies.estimates import Measured
from parksim.studies.formulas import Formula

SCENARIOS = Path(__file__).parents[2] / "scenarios"
NAN = math.nan
OFFICE = Scenario.loads(TEMPLATE).with_values({"run.warm_up": "10m", "run.horizon": "90m"})
"""Six slots, three attendants, a window of 4,800 s."""
TWO_LOTS = Scenario.load(SCENARIOS / "two-organisations.toml").with_values({"run.warm_up": "10m", "run.horizon": "90m"})
HALF_FULL = {"parks_requested": [60, 60], "parks_made": [60, 60], "parked_s_mean": [240.0, 240.0]}
"""Requests and stays that load each of the six slots with 1/2: a full period brings two refusals."""


QUIET = dict.fromkeys(("calls_offered", "parks_requested", "parks_made"), 0)
QUIET |= dict.fromkeys(("parked_s_mean", "attendant_utilisation", "staff_utilisation"), NAN)
"""A replication in which nothing happened."""


def measured(scenario=OFFICE, theory=None, **columns):
    """Return what is said of replications that have these values, one a column's element."""
    results = [QUIET | dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return Measured(scenario, results, 0.95, lambda _: Formula(theory, ""))


def never_seen(units):
    """Return the bound of what was not seen in so many trials."""
    return pytest.approx(1 - 0.025 ** (1 / units))


# The sums behind a measure ------------------------------------------------------------------------------------------


def by_hour(**hours):
    """Return 24 numbers, 0 but for some hours: ``h3=2.0``."""
    return [hours.get(f"h{hour}", 0.0) for hour in range(24)]


@pytest.mark.parametrize(
    ("name", "index", "columns", "factors"),
    [
        ("occupancy_mean", None, {"occupancy_mean": [2.5, 3.0]}, [([2.5, 3.0], [1, 1])]),
        ("attendant_utilisation", None, {"attendant_utilisation": [0.5, NAN]}, [([0.5, 0.0], [1, 0])]),
        ("parks_made", None, {"parks_made": [7, 0]}, [([7, 0], [1, 1])]),
        # 4,800 s of a window hold 4/3 hours; of hour 1 the window has half.
        ("recalls_per_hour", None, {"recalls_per_hour": [2.25, 0.0]}, [([3, 0], [4 / 3] * 2)]),
        ("recalls_per_hour_by_hour", 1, {"recalls_per_hour_by_hour": [by_hour(h1=4.0)]}, [([2], [0.5])]),
        ("recalls_per_hour_by_hour", 5, {"recalls_per_hour_by_hour": [by_hour(h5=NAN)]}, [([0], [1])]),
        (
            "offered_erlang",
            None,
            {"offered_erlang": [1.0], "parks_requested": [96], "parked_s_mean": [50.0], "parks_made": [90]},
            [([0.02], [1]), ([4500], [90])],
        ),
        ("expired_share", None, {"expired_share": [0.5, NAN, 0.25], "parks_made": [4, 0, 8]}, [([2, 0, 2], [4, 0, 8])]),
        ("parks_per_call", None, {"parks_per_call": [0.5, NAN], "calls_offered": [5, 0]}, [([2.5, 0], [5, 0])]),
        (
            "answer_wait_s_mean",
            None,
            {
                "answer_wait_s_mean": [4.0, NAN],
                "calls_offered": [10, 0],
                "queue_abandoned_share": [0.1, NAN],
                "queue_full_share": [0.2, NAN],
            },
            [([28, 0], [7, 0])],
        ),
        (
            "recall_answered_share",
            None,
            {"recall_answered_share": [1 / 3, NAN], "expired_share": [0.3, NAN], "parks_made": [10, 0]},
            [([1, 0], [3, 0])],
        ),
        (
            "answered_within_share_by_hour",
            1,
            {"answered_within_share_by_hour": [by_hour(h1=0.5)], "calls_offered_by_hour": [by_hour(h0=9, h1=4)]},
            [([2], [4])],
        ),
        (
            "refused_share_by_hour",
            1,
            {"refused_share_by_hour": [by_hour(h1=0.25)], "parks_requested_by_hour": [by_hour(h0=9, h1=4)]},
            [([1], [4])],
        ),
        *(
            (
                "expired_share_by_lot",
                lot,
                {
                    "expired_share_by_lot": [[0.5, 1.0], [0.5, NAN]],
                    "parks_requested_by_lot": [[10, 4], [10, 0]],
                    "refused_share_by_lot": [[0.2, 0.5], [0.0, NAN]],
                },
                [factor],
            )
            for lot, factor in enumerate([([4, 5], [8, 10]), ([2, 0], [2, 0])])
        ),
    ],
)
def test_each_measure_is_a_ratio_of_these_sums(name, index, columns, factors):
    """Numerators and denominators of each replication; one that has nothing to divide by has neither."""
    assert measured(**columns).factors(name, index) == factors


def test_a_quantile_is_no_ratio():
    """Quantiles have no sample, and nothing has one before the first replication."""
    one = measured(parked_s_p95=[1.0, 2.0], parks_made=[9, 9])
    assert one.sample("parked_s_p95") is None
    assert measured(parks_made=[]).sample("parks_made") is None
    assert measured(parks_made=[]).estimate("parks_made") is None


# What events in bursts are worth ------------------------------------------------------------------------------------


def test_refusals_that_were_not_seen_come_in_bursts():
    """120 requests of a lot that is half loaded are worth 60; of one overloaded no more than a burst a replication."""
    one = measured(refused_share=[0.0, 0.0], **HALF_FULL)
    assert one.estimate("refused_share").high == never_seen(60)
    flooded = HALF_FULL | {"parked_s_mean": [480.0, 600.0]}
    assert measured(refused_share=[0.0, 0.0], **flooded).estimate("refused_share").high == never_seen(2)
    alone = measured(refused_share=[0.0], **{name: values[:1] for name, values in HALF_FULL.items()})
    assert alone.estimate("refused_share").high == never_seen(30)
    few = {"parks_requested": [1, 0], "parks_made": [1, 0], "parked_s_mean": [9e9, NAN]}
    assert measured(refused_share=[0.0, NAN], **few).estimate("refused_share").high == never_seen(1)


@pytest.mark.parametrize(
    ("refused", "units"),
    [
        ([1, 0], 120 / (5 / 3)),  # one refusal and two bursts of two in theory: 5 in 3
        ([1, 1], 120 / (6 / 4)),
        ([6, 0], 120 / 2),  # 10 in 3 are more than theory says
    ],
)
def test_what_was_seen_shortens_the_bursts_of_theory(refused, units):
    """Theory counts as two replications beside those that saw events."""
    one = measured(refused_share=[n / 60 for n in refused], **HALF_FULL)
    assert one.estimate("refused_share") == events.share(one.sample("refused_share"), units)


def test_the_exceptions_to_a_frequent_event_come_in_bursts():
    """Of 59 and 60 calls of 60 that were answered in time the one that was not is what comes in bursts."""
    utilisation = {"attendant_utilisation": [0.5, 0.5], "calls_offered": [60, 60]}
    one = measured(answered_within_share=[59 / 60, 1.0], **utilisation)
    expected = events.share(one.sample("answered_within_share"), 120 / (5 / 3))
    assert one.estimate("answered_within_share") == expected
    even = {"attendant_utilisation": [0.99] * 10, "calls_offered": [9] + [21] * 9}
    one = measured(answered_within_share=[1.0] + [10 / 21] * 9, **even)  # at 1/2 it is the events, which all ten have
    worth = 198 / ((99 + 2 * 19.8) / (10 + 2))
    expected = events.share(one.sample("answered_within_share"), worth)
    assert one.estimate("answered_within_share").low == pytest.approx(expected.low, rel=1e-9)
    half = measured(answered_within_share=[0.5, 0.5], **utilisation)  # 60 seen of either kind: theory's bursts
    assert half.estimate("answered_within_share") == events.share(half.sample("answered_within_share"), 60)


@pytest.mark.parametrize(
    ("name", "wholes", "busy"),
    [
        ("queue_full_share", "calls_offered", "attendant_utilisation"),
        ("queue_abandoned_share", "calls_offered", "attendant_utilisation"),
        ("retrieved_share", "parks_made", "staff_utilisation"),
        ("expired_share", "parks_made", "staff_utilisation"),
    ],
)
def test_each_share_has_the_bursts_of_what_it_waits_for(name, wholes, busy):
    """Attendants or staff who are busy for 3/4 of the time bring four events at once: 120 are worth 30."""
    columns = {name: [0.0, 0.0], wholes: [60, 60], busy: [0.75, 0.75]}
    assert measured(**columns).estimate(name).high == never_seen(30)


def test_calls_are_lost_for_the_scarcer_of_both():
    """The lot is half loaded, the attendants for 3/4: the greater load makes the bursts; unlimited ones have none."""
    calls = HALF_FULL | {"lost_share": [0.0, 0.0], "calls_offered": [60, 60]}
    assert measured(attendant_utilisation=[0.75, 0.75], **calls).estimate("lost_share").high == never_seen(30)
    assert measured(attendant_utilisation=[NAN, NAN], **calls).estimate("lost_share").high == never_seen(60)


def test_what_has_no_bursts_counts_call_by_call():
    """Whether a call is to be parked depends on nobody else, whether a return is answered on the attendants."""
    parks = HALF_FULL | {"attendant_utilisation": [0.5, 0.5]}
    returns = {"expired_share": [0.5, 0.5], "recall_answered_share": [0.0, 0.0]}
    assert measured(**returns, **parks).estimate("recall_answered_share").high == never_seen(30)  # attendants bring two
    assert measured(parks_per_call=[0.0, 0.0], calls_offered=[60, 60], **parks).estimate("parks_per_call").high > 0
    once = OFFICE.with_values({"parking.max_parks": 1})
    none = measured(once, parks_per_call=[0.0, 0.0], calls_offered=[60, 60], **parks)
    assert none.estimate("parks_per_call").high == never_seen(120)


def test_shares_of_time_are_worth_as_many_bursts_as_fit():
    """A full period of the half loaded lot lasts 240 / 6 / (1 - 1/2) = 80 s: 60 fit into a window, 120 into two."""
    one = measured(time_full_share=[0.0, 0.0], **HALF_FULL)
    assert one.estimate("time_full_share").high == never_seen(120)
    flooded = HALF_FULL | {"parked_s_mean": [4800.0, 4800.0]}  # a burst longer than the window is one a replication
    assert measured(time_full_share=[0.0, 0.0], **flooded).estimate("time_full_share").high == never_seen(2)
    overloaded = HALF_FULL | {
        "parked_s_mean": [24.0, 24.0],
        "parks_requested": [12_000, 12_000],
    }  # as if by 0.99: 400 s
    assert measured(time_full_share=[0.0, 0.0], **overloaded).estimate("time_full_share").high == never_seen(24)
    nobody = {"parks_made": [0, 0], "parked_s_mean": [NAN, NAN], "parks_requested": [0, 0]}
    assert measured(time_full_share=[0.0, 0.0], **nobody).estimate("time_full_share").high == never_seen(2)


def test_an_hour_has_its_own_load():
    """Hour 1 has 1,800 s of the window: 45 requests of 120 s load six slots with 1/2, so 90 are worth 45."""
    hours = {"parks_requested_by_hour": [by_hour(h1=45)] * 2, "refused_share_by_hour": [by_hour()] * 2}
    stays = {"parks_made": [9, 9], "parked_s_mean": [120.0, 120.0], "parks_requested": [9, 9]}
    one = measured(**hours, **stays)
    assert one.estimate("refused_share_by_hour", 1).high == never_seen(45)
    late = {"parks_requested_by_hour": [by_hour(h7=45)] * 2, "refused_share_by_hour": [by_hour()] * 2}
    assert measured(**late, **stays).estimate("refused_share_by_hour", 7).high == never_seen(2)  # a burst each
    busy = {"attendant_utilisation_by_hour": [by_hour()] * 2}
    assert measured(**busy, **stays).estimate("attendant_utilisation_by_hour", 1).high == never_seen(
        2 * 1800 / (120 / 6 / (1 - 9 * 120 / 4800 / 6))
    )


def test_a_lot_has_its_own_load():
    """A lot with n slots of its own and 4,800 s: 20 n requests of 120 s load it with 1/2, whatever the other does."""
    slots = TWO_LOTS.settings.slots
    requests = [20 * slots[0], 3]
    columns = {
        "parks_requested_by_lot": [requests] * 2,
        "refused_share_by_lot": [[0.0, 0.0]] * 2,
        "parks_made": [9, 9],
        "parked_s_mean": [120.0, 120.0],
    }
    one = measured(TWO_LOTS, **columns)
    assert one.estimate("refused_share_by_lot", 0).high == never_seen(20 * slots[0])


# What kind of interval ----------------------------------------------------------------------------------------------


def test_counts_are_rates_of_events():
    """A count has the limits of a Poisson one over all replications; of none seen 3.69 over their number."""
    one = measured(parks_made=[3, 4, 2])
    assert one.estimate("parks_made") == events.rate(one.sample("parks_made"), 9)
    assert measured(parks_made=[0, 0]).estimate("parks_made").high == pytest.approx(-math.log(0.025) / 2)


def test_parks_per_call_is_a_share_where_a_call_is_parked_once():
    """With at most one park a call it is the share of calls that are parked, else a rate that may pass 1."""
    columns = {"parks_per_call": [0.5, 0.25], "calls_offered": [8, 8]}
    many, once = measured(**columns), measured(OFFICE.with_values({"parking.max_parks": 1}), **columns)
    assert many.estimate("parks_per_call") == events.rate(many.sample("parks_per_call"), 6)
    assert once.estimate("parks_per_call") == events.share(once.sample("parks_per_call"), 16)


def test_an_hour_that_the_window_has_not_is_certainly_without_calls():
    """Nothing can come in an hour that is not simulated; in one that is, nothing seen is bounded."""
    one = measured(calls_offered_by_hour=[by_hour(), by_hour()])
    never, hour = one.estimate("calls_offered_by_hour", 5), one.estimate("calls_offered_by_hour", 1)
    assert (never.low, never.high, never.method) == (0.0, 0.0, "certain")
    assert (hour.low, hour.method) == (0.0, "never-seen")
    assert hour.high > 0


@pytest.mark.parametrize(
    ("name", "values", "theory", "method"),
    [
        ("refused_share", [0.0, 0.0], 0.0, "certain"),
        ("refused_share", [0.0, 0.0], 1e-9, "never-seen"),
        ("refused_share", [0.0], 0.0, "never-seen"),  # one replication shows nothing of the spread
        ("refused_share", [0.5, 0.5], 0.5 * (1 + 1e-13), "certain"),
        ("refused_share", [0.5, 0.5], 0.5 * (1 + 1e-11), "binomial"),
        ("refused_share", [0.5, 0.25], 0.375, "binomial"),
        ("parks_requested", [60, 60], 60.0, "poisson"),  # a count that is as many as expected is no certainty
        ("parks_requested", [0, 0], 0.0, "certain"),
    ],
)
def test_certain_is_what_theory_and_every_replication_say(name, values, theory, method):
    """Equal replications of theory's own value are certain, but for counts that saw something."""
    columns = {one: row[: len(values)] for one, row in HALF_FULL.items()} | {name: values}
    assert measured(theory=theory, **columns).estimate(name).method == method


def test_a_vectors_formula_is_that_of_its_element():
    """Of theory's tuple the element that is asked for counts."""
    columns = {"slot_utilisation": [[0.5, 0.0], [0.5, 0.0]]} | HALF_FULL
    one = measured(theory=(0.25, 0.0), **columns)
    assert [one.estimate("slot_utilisation", slot).method for slot in (0, 1)] == ["binomial", "certain"]


def test_recorded_calls_are_as_many_as_were_recorded():
    """The same number in every replication is certain where the calls are a recording; of Poisson calls it is not."""
    recorded = Scenario.load(SCENARIOS / "recorded.toml")
    assert measured(recorded, calls_offered=[7, 7]).estimate("calls_offered").method == "certain"
    assert measured(recorded, parks_made=[7, 7]).estimate("parks_made").method == "poisson"
    assert measured(calls_offered=[7, 7]).estimate("calls_offered").method == "poisson"


def test_equal_means_are_bounded_by_what_is_possible():
    """Equal replications: occupancy reaches at most to all slots, of a lot to its own, a stay to the longest."""
    slots = TWO_LOTS.settings.slots
    cases = (
        (measured(occupancy_mean=[2.0, 2.0]), "occupancy_mean", None, 6),
        (measured(TWO_LOTS, occupancy_mean=[2.0, 2.0]), "occupancy_mean", None, sum(slots)),
        (measured(TWO_LOTS, occupancy_mean_by_lot=[[2.0, 1.0]] * 2), "occupancy_mean_by_lot", 1, slots[1]),
        (measured(occupancy_mean_by_hour=[by_hour(h1=2.0)] * 2), "occupancy_mean_by_hour", 1, 6),
        (measured(parked_s_mean=[9.0, 9.0], parks_made=[1, 1]), "parked_s_mean", None, 180),
    )
    for one, name, index, most in cases:
        of = one.sample(name, index)
        assert one.estimate(name, index) == est.of_equal(of.point, 2, 0.95, (0.0, float(most)))


# Quantiles ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "of", "enough"),
    [
        ("parked_s_p50", "parks_made", 40),
        ("parked_s_p95", "parks_made", 400),
        ("answer_wait_s_p95", "calls_offered", 400),
    ],
)
def test_a_quantile_needs_twenty_beyond_it(name, of, enough):
    """With 20 beyond it in a window it is the replications' median with its interval; with fewer there is none."""
    values = {name: [4.0, 1.0, NAN, 3.0, 2.0, 5.0, 6.0]}
    seen = measured(**values, **{of: [enough] * 7}).estimate(name)
    assert seen == events.median([4.0, 1.0, 3.0, 2.0, 5.0, 6.0])
    assert (seen.mean, seen.low, seen.high) == (3.5, 1, 6)
    few = measured(**values, **{of: [enough - 1] * 7}).estimate(name)
    assert (few.mean, few.low, few.high) == (3.5, None, None)
    assert f"about {enough - 1} of which" in few.reason
    assert measured(**{name: [NAN], of: [0]}).estimate(name) is None


def test_busy_slots_are_a_quantile_of_all_the_time():
    """Exactly 5 % of the time lie beyond one slot; the interval is that of the shares beyond each number of slots."""
    pmf = [[0.5, 0.45, 0.05, 0, 0, 0, 0], [0.4, 0.55, 0.0, 0.05, 0, 0, 0]]
    one = measured(occupancy_pmf=pmf, **HALF_FULL)
    seen = one.estimate("occupancy_p95")
    beyond = [events.share(est.sample(([sum(row[busy + 1 :]) for row in pmf], [1.0, 1.0])), 120) for busy in range(7)]
    low, high = (
        next(busy for busy, share in enumerate(beyond) if getattr(share, end) <= 0.05) for end in ("low", "high")
    )
    assert (seen.mean, seen.low, seen.high, seen.n, seen.method) == (1, low, high, 2, "share-of-time")
    alone = measured(occupancy_pmf=pmf[:1], parks_requested=[60], parks_made=[60], parked_s_mean=[240.0])
    single = alone.estimate("occupancy_p95")
    assert (single.mean, single.low, single.high, single.n, single.method) == (1, None, None, 1, "one-replication")
    assert measured(occupancy_pmf=[]).estimate("occupancy_p95") is None


# Waits that nobody had ----------------------------------------------------------------------------------------------

NOBODY_WAITED = {
    "answer_wait_s_mean": [0.0, 0.0],
    "calls_offered": [20, 20],
    "queue_abandoned_share": [0.0, 0.0],
    "queue_full_share": [0.5, 0.5],
    "attendant_utilisation": [0.5, 0.5],
}


def test_a_wait_that_nobody_had_is_bounded():
    """20 answers in bursts of 2 are worth 10; three attendants, busy half the time, work 7,200 s on 20 calls."""
    seen = measured(**NOBODY_WAITED).estimate("answer_wait_s_mean")
    assert (seen.mean, seen.low, seen.method, seen.n) == (0.0, 0.0, "never-seen", 2)
    assert seen.high == pytest.approx((1 - 0.025 ** (1 / 10)) * 7200 / 20)


def test_without_attendants_to_wait_for_there_is_no_such_bound():
    """Unlimited attendants: equal waits of 0 have no interval but by theory, which makes them certain."""
    unlimited = OFFICE.with_values({"attendants.count": "unlimited"})
    columns = NOBODY_WAITED | {"attendant_utilisation": [NAN, NAN]}
    assert measured(unlimited, **columns).estimate("answer_wait_s_mean").method == "all-equal"
    assert measured(unlimited, 0.0, **columns).estimate("answer_wait_s_mean").method == "certain"
    waited = NOBODY_WAITED | {"answer_wait_s_mean": [1.0, 2.0]}
    assert measured(**waited).estimate("answer_wait_s_mean").method == "student-t"
