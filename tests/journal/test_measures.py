"""Measures: by hand, against a naive implementation in exact fractions, and by what must hold of any journal.

Exact but for roundings: a measure is made by at most four operations on numbers that are exact, each rounded by at
most 2**-53, so two ways to compute it differ by less than 2**-50 of it.
"""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_measures import naive_measures

import parksim
from parksim.catalogue import SCALARS, SHARES, VECTORS
from parksim.engines import processes
from parksim.journal.journal import Journal
from parksim.journal.measures import measure, measure_rows
from parksim.journal.tally import Window
from parksim.rules import codes as c
from parksim.scenario.model import TEMPLATE, Scenario, Settings
from parksim.testing import scenarios, settings_and_workloads

SCENARIOS = Path(__file__).parents[2] / "scenarios"
ROUNDING = 2**-50
S = 1_000_000
HOUR_US = 3_600 * S
FAST = settings(max_examples=300, derandomize=True, database=None, deadline=None)

OFFICE = Settings(
    attendants=2, staff=1, queue_limit=1, max_parks=1, announcement_us=0, when_full=c.FULL_KEEP, retries=0,
    retry_after_us=S, recall_to=c.TO_PARKER, ring_us=10 * S, attempts=1, busy=c.BUSY_WAIT,
    unanswered=c.UNANSWERED_GROUP, slots=(2,), choices=(c.CHOOSE_LOWEST,),
)  # fmt: skip
"""Attendants 0 and 1, one member (2), two slots, one place in the queue."""


def fact(at_s, kind, call, by=c.NOBODY, *, slot=c.NOBODY, lot=c.NOBODY, until_s=None, reason=0):
    """Return a row; a slot is one of lot 0 unless another is named."""
    until_us = c.NEVER if until_s is None else until_s * S
    return (at_s * S, until_us, call, 0 if slot != c.NOBODY and lot == c.NOBODY else lot, slot, by, kind, reason)


MORNING = [
    # Call 0 comes before the window and is not counted; its stay is, from the window's start: 10 to 20 in slot 0.
    fact(5, c.OFFERED, 0),
    fact(5, c.ANSWERED, 0, 0),
    fact(8, c.PARKED, 0, 0, slot=0, until_s=38),
    # Call 1: attendant 1 from 12 to 15, slot 1 from 15 to 45, its parker free at once: rings and talks, 45 to 60.
    fact(12, c.OFFERED, 1),
    fact(12, c.ANSWERED, 1, 1),
    fact(15, c.PARKED, 1, 1, slot=1, until_s=45),
    # Call 2 finds both slots taken and talks on: attendant 0 from 16 to 24.
    fact(16, c.OFFERED, 2),
    fact(16, c.ANSWERED, 2, 0),
    fact(18, c.REFUSED, 2, 0, lot=0, reason=c.LOT_FULL),
    fact(20, c.RETRIEVED, 0, 2, slot=0),  # the member is busy from 20 to 30
    # Call 3: attendant 1 from 20 to 25, slot 0 from 25 until the caller gives up at 35.
    fact(20, c.OFFERED, 3),
    fact(20, c.ANSWERED, 3, 1),
    fact(24, c.ENDED, 2, 0, reason=c.TALKED),
    fact(25, c.PARKED, 3, 1, slot=0, until_s=55),
    fact(30, c.ENDED, 0, 2, reason=c.AFTER_RETRIEVAL),
    fact(35, c.ABANDONED, 3, 1, slot=0, reason=c.IN_LOT),
    fact(45, c.EXPIRED, 1, 1, slot=1),
    fact(45, c.RECALL_RINGING, 1, 1, until_s=55),
    # Call 4 is not to be parked: attendant 0 from 46 to 100.
    fact(46, c.OFFERED, 4),
    fact(46, c.ANSWERED, 4, 0),
    fact(49, c.RECALL_ANSWERED, 1, 1),
    # Call 5 waits 10, then attendant 1 from 60 to 62, slot 0 from 62 to 92; the parker is busy, it gives up at 97.
    fact(50, c.OFFERED, 5),
    fact(60, c.ENDED, 1, 1, reason=c.TALKED),
    fact(60, c.ANSWERED, 5, 1),
    fact(62, c.PARKED, 5, 1, slot=0, until_s=92),
    # Call 6: attendant 1 from 70 to 120, that is to 110, where the window ends.
    fact(70, c.OFFERED, 6),
    fact(70, c.ANSWERED, 6, 1),
    fact(92, c.EXPIRED, 5, 1, slot=0),
    # Call 7 gives up in the queue, call 8 finds it full.
    fact(95, c.OFFERED, 7),
    fact(96, c.OFFERED, 8),
    fact(96, c.LOST, 8, reason=c.QUEUE_FULL),
    fact(97, c.ABANDONED, 5, reason=c.RETURNING),
    fact(98, c.ABANDONED, 7, reason=c.WAITING),
    fact(100, c.ENDED, 4, 0, reason=c.TALKED),
    # Call 9: attendant 0 from 101 to 104, slot 0 from 104 to 114: to 110 within the window; fetched after it.
    fact(101, c.OFFERED, 9),
    fact(101, c.ANSWERED, 9, 0),
    fact(104, c.PARKED, 9, 0, slot=0, until_s=134),
    # Call 10 comes as the window ends and is not counted.
    fact(110, c.OFFERED, 10),
    fact(110, c.ANSWERED, 10, 0),
    fact(112, c.ENDED, 10, 0, reason=c.TALKED),
    fact(114, c.RETRIEVED, 9, 2, slot=0),
    fact(119, c.ENDED, 9, 2, reason=c.AFTER_RETRIEVAL),
    fact(120, c.ENDED, 6, 1, reason=c.TALKED),
]
"""Measured from 10 s to 110 s: calls 1 to 9, 100 s; the service level asks for 5 s."""


def at(rows, later_s):
    """Return the rows as they were at another time of day."""
    return [(row[0] + later_s * S, row[1] if row[1] == c.NEVER else row[1] + later_s * S, *row[2:]) for row in rows]


def measured(rows, settings_=OFFICE, from_s=10, to_s=110, target_s=5):
    """Measure rows from one instant to another."""
    return measure_rows(Journal.of(rows), settings_, Window(from_s * S, to_s * S), target_s * S)


BY_HAND = {
    "calls_offered": 9,
    "parks_requested": 5,  # calls 1, 2, 3, 5, 9
    "parks_made": 4,  # all but call 2's
    "offered_erlang": 5 * 20 / 100,  # five requests of 20 s on average in 100 s
    "refused_share": 1 / 5,
    "time_full_share": 0.15,  # 15 to 20 and 25 to 35
    "retrieved_share": 1 / 4,  # call 9
    "slot_reused_share": 3 / 4,  # all but the first in slot 1: 5, 27 and 12 s after another call left slot 0
    "slot_taken_share": 0,
    "reminded_share": 0,
    "resumed_share": 0,
    "stranger_share": 0,
    "expired_share": 2 / 4,  # calls 1 and 5
    "abandoned_share": 1 / 4,  # call 3
    "recalls_per_hour": 72,  # two in 100 s
    "recall_busy_share": 1 / 2,  # call 5
    "recall_answered_share": 1 / 2,  # call 1
    "recall_retrieved_share": 0,
    "recall_abandoned_share": 1 / 2,  # call 5
    "lost_share": 1 / 9,  # call 8
    "queue_abandoned_share": 1 / 9,  # call 7
    "queue_full_share": 1 / 9,  # call 8
    "forwarded_share": 0,
    "occupancy_mean": 0.86,  # slot 0: 10 + 10 + 30 + 6, slot 1: 30
    "occupancy_p95": 2,  # at most 1 for 85 s
    "occupancy_max": 2,
    "parked_s_mean": 20,  # 30, 10, 30, 10
    "parked_s_p50": 10,
    "parked_s_p95": 30,
    "parks_per_call": 4 / 9,
    "attendant_utilisation": 0.65,  # 8 + 54 + 3 and 3 + 5 + 15 + 2 + 40 of 200 s
    "staff_utilisation": 0.1,  # 20 to 30, of call 0, which is not counted, but work
    "answer_wait_s_mean": 10 / 7,  # of calls 1, 2, 3, 4, 5, 6, 9
    "answer_wait_s_p95": 10,
    "answered_within_share": 6 / 9,  # neither call 5 nor the two that were never answered
    "occupancy_pmf": [0.29, 0.56, 0.15],  # empty from 45 to 62 and 92 to 104
    "slot_utilisation": [0.56, 0.30],
}


@pytest.mark.parametrize("name", BY_HAND)
def test_a_measure_as_counted_by_hand(name):
    """Each measure of the journal above is what its rows give on paper."""
    assert measured(MORNING)[name] == pytest.approx(BY_HAND[name], rel=ROUNDING)


BY_HAND_BY_HOUR = {
    "calls_offered_by_hour": (5, 4),  # 1 to 5, 6 to 9
    "parks_requested_by_hour": (3, 2),  # at 15, 18, 25; at 62, 104
    "refused_share_by_hour": (1 / 3, 0),
    "expired_share_by_hour": (1 / 2, 1 / 2),  # of calls 1 and 3, and of 5 and 9: in the hour of the park
    "recalls_per_hour_by_hour": (72, 72),  # one in 50 s each
    "occupancy_mean_by_hour": (50 / 50, 36 / 50),
    "attendant_utilisation_by_hour": (0.45, 0.85),  # 8 + 14 and 3 + 5 + 15; 40 + 3 and 2 + 40, of 100 s each
    "answered_within_share_by_hour": (4 / 5, 2 / 4),  # neither 5 nor 7 nor 8
}


@pytest.mark.parametrize("name", BY_HAND_BY_HOUR)
def test_a_measure_by_hour_as_counted_by_hand(name):
    """With midnight at second 60 of it the journal lies in the hours 23 and 0; no other hour has anything."""
    start_s = 24 * 3600 - 60
    values = measured(at(MORNING, start_s), from_s=start_s + 10, to_s=start_s + 110)[name]
    assert values.shape == (24,)
    assert (values[23], values[0]) == pytest.approx(BY_HAND_BY_HOUR[name], rel=ROUNDING)
    empty = 0 if name in ("calls_offered_by_hour", "parks_requested_by_hour") else math.nan
    assert np.array_equal(values[1:23], [empty] * 22, equal_nan=True)


def test_what_follows_after_the_window_counts_once_in_its_hour():
    """Two calls of the first hour, one parked in it and one in the second, after the window: one request an hour."""
    rows = [
        *(fact(10, c.OFFERED, call) for call in (0, 1)),
        fact(20, c.PARKED, 0, 0, slot=0, until_s=99),
        fact(30, c.RETRIEVED, 0, 2, slot=0),
        fact(3700, c.PARKED, 1, 1, slot=0, until_s=3999),
        fact(3710, c.RETRIEVED, 1, 2, slot=0),
    ]
    values = measured(rows, OFFICE._replace(attendants=c.UNLIMITED, staff=c.UNLIMITED), from_s=0, to_s=3600)
    assert values["parks_requested_by_hour"][:3].tolist() == [1, 1, 0]


BY_HAND_BY_LOT = {
    "parks_requested_by_lot": [3, 3],  # calls 0, 1, 3 and calls 1, 2, 4
    "refused_share_by_lot": [1 / 3, 1 / 3],  # call 1, which the second lot takes, and call 2
    "expired_share_by_lot": [1 / 2, 0],  # of calls 0 and 3, and of calls 1 and 4
    "occupancy_mean_by_lot": [0.5 + 0.1, 0.55 + 0.2],  # 0 to 50 and 60 to 70; 5 to 60 and 80 to 100
}
TWO_LOTS = [
    *(fact(0, c.OFFERED, call) for call in range(5)),
    fact(0, c.PARKED, 0, c.NOBODY, lot=0, slot=0, until_s=50),
    fact(5, c.REFUSED, 1, c.NOBODY, lot=0, reason=c.LOT_FULL),
    fact(5, c.PARKED, 1, c.NOBODY, lot=1, slot=0, until_s=99),
    fact(50, c.EXPIRED, 0, c.NOBODY, lot=0, slot=0),
    fact(55, c.REFUSED, 2, c.NOBODY, lot=1, reason=c.LOT_FULL),
    fact(60, c.PARKED, 3, c.NOBODY, lot=0, slot=0, until_s=99),
    fact(60, c.RETRIEVED, 1, c.NOBODY, lot=1, slot=0),
    fact(70, c.ABANDONED, 3, c.NOBODY, lot=0, slot=0, reason=c.IN_LOT),
    fact(80, c.PARKED, 4, c.NOBODY, lot=1, slot=0, until_s=999),
    fact(200, c.RETRIEVED, 4, c.NOBODY, lot=1, slot=0),
]


@pytest.mark.parametrize("name", BY_HAND_BY_LOT)
def test_a_measure_by_lot_as_counted_by_hand(name):
    """Two lots of one slot, from 0 to 100 s: the second takes what the first refuses, and is still in use then."""
    values = measured(
        TWO_LOTS, OFFICE._replace(slots=(1, 1), choices=(0, 0), attendants=-1, staff=-1), from_s=0, to_s=100
    )
    assert values[name] == pytest.approx(BY_HAND_BY_LOT[name], rel=ROUNDING)


def test_of_one_lot_every_measure_by_lot_is_the_total():
    """With one lot each vector has one number, that of all lots together."""
    values = measured(MORNING)
    for name in BY_HAND_BY_LOT:
        assert values[name].tolist() == [values[name.removesuffix("_by_lot")]]


def test_every_measure_is_counted_by_hand():
    """The tables above hold every measure there is, and the objectives' names are those of the scalars."""
    by_hand = {*BY_HAND, *BY_HAND_BY_HOUR, *BY_HAND_BY_LOT}
    assert {*SCALARS, *VECTORS} - by_hand == set(), "in the catalogue, but not counted by hand here"
    assert by_hand - {*SCALARS, *VECTORS} == set(), "counted by hand here, but not in the catalogue"
    assert list(measured(MORNING)) == [*SCALARS, *VECTORS]
    assert {"refused_share", "slot_utilisation", "occupancy_pmf", "expired_share_by_hour"} <= SHARES
    assert not SHARES & {"occupancy_mean", "recalls_per_hour", "parks_per_call", "answer_wait_s_mean"}


RINGS = [
    fact(0, c.OFFERED, 0),
    fact(0, c.ANSWERED, 0, 0),
    fact(10, c.PARKED, 0, 0, slot=0, until_s=20),
    fact(15, c.RELEASED, 0, 0),  # announced: attendant 0 busy for 15
    fact(20, c.EXPIRED, 0, 0, slot=0),
    fact(20, c.RECALL_RINGING, 0, 0, until_s=30),
    fact(30, c.RECALL_UNANSWERED, 0, 0, reason=c.AGAIN),
    fact(30, c.RECALL_RINGING, 0, 0, until_s=40),
    fact(40, c.RECALL_UNANSWERED, 0, 0, reason=c.LAST),  # two periods in one: busy for 20 more
    fact(41, c.RECALL_ANSWERED, 0, 1),  # by the group, without ringing
    fact(51, c.ENDED, 0, 1, reason=c.OVERFLOWED),  # attendant 1 busy for 10
    fact(60, c.OFFERED, 1),
    fact(60, c.ANSWERED, 1, 1),
    fact(62, c.LOST, 1, 1, reason=c.LOT_FULL),  # 2
    fact(70, c.OFFERED, 2),
    fact(70, c.ANSWERED, 2, 0),
    fact(75, c.PARKED, 2, 0, slot=1, until_s=80),
    fact(78, c.RELEASED, 2, 0),  # 8
    fact(80, c.EXPIRED, 2, 0, slot=1),
    fact(80, c.RECALL_RINGING, 2, 0, until_s=90),
    fact(84, c.ABANDONED, 2, 0, reason=c.RINGING),  # 4
]


def test_an_attendant_is_busy_while_it_announces_and_rings():
    """Announcing, ringing in several periods, being hung up on and a group's answer: 47 + 12 of twice 100 s."""
    values = measured(RINGS, OFFICE._replace(announcement_us=5 * S, attempts=2), 0, 100)
    assert values["attendant_utilisation"] == (15 + 20 + 8 + 4 + 10 + 2) / 200
    assert values["recall_abandoned_share"] == 1 / 2
    assert values["recall_busy_share"] == 0
    assert values["lost_share"] == 1 / 3
    assert values["queue_full_share"] == 0


def test_what_is_undefined_is_nan():
    """Of no call there is no share; of unlimited people no utilisation; of returns to the group no busy parker."""
    nothing = measured([])
    defined = {name for name in SCALARS if not np.isnan(nothing[name])}
    assert defined == {
        *("calls_offered", "parks_requested", "parks_made", "recalls_per_hour", "time_full_share"),
        *("occupancy_mean", "occupancy_p95", "occupancy_max", "attendant_utilisation", "staff_utilisation"),
    }
    assert all(nothing[name] == 0 for name in defined)
    unlimited = measured(MORNING, OFFICE._replace(attendants=-1, staff=-1, recall_to=c.TO_GROUP))
    assert all(
        np.isnan(unlimited[name]) for name in ("attendant_utilisation", "staff_utilisation", "recall_busy_share")
    )
    assert np.isnan(measured([], OFFICE._replace(staff=0))["staff_utilisation"])


def test_the_service_level_includes_its_target():
    """A wait of exactly the target is in time, one of a microsecond more is not."""
    rows = Journal.of(MORNING)
    for target_us, share in ((10 * S, 7 / 9), (10 * S - 1, 6 / 9), (0, 6 / 9)):
        values = measure_rows(rows, OFFICE, Window(10 * S, 110 * S), target_us)
        assert values["answered_within_share"] == share


@pytest.mark.parametrize(("from_s", "to_s", "calls"), [(12, 13, 1), (11, 12, 0), (13, 14, 0), (5, 111, 11), (0, 5, 0)])
def test_a_call_is_counted_from_the_warm_up_up_to_the_horizon(from_s, to_s, calls):
    """A call offered as the window begins is counted, one offered as it ends is not."""
    assert measured(MORNING, from_s=from_s, to_s=to_s)["calls_offered"] == calls


@pytest.mark.parametrize(
    ("from_s", "to_s", "mean"), [(16, 18, 2), (20, 25, 1), (46, 62, 0), (10, 20, 1.5), (200, 300, 0)]
)
def test_time_is_cut_at_both_ends(from_s, to_s, mean):
    """Stays that begin before the window or end after it count with what lies within."""
    assert measured(MORNING, from_s=from_s, to_s=to_s)["occupancy_mean"] == mean


def test_measures_show_themselves():
    """The representation names every scalar; the mapping has a length and refuses unknown names."""
    values = measured(MORNING)
    assert all(name in repr(values) for name in SCALARS)
    assert len(values) == len(SCALARS) + len(VECTORS)
    with pytest.raises(KeyError):
        values["refused"]


# Against the naive ones, and what always holds ------------------------------------------------------------------------


def assert_equal(values, expected):
    """Compare measures with fractions, None for nan."""
    for name, fractions in expected.items():
        for value, exact in zip(
            np.atleast_1d(values[name]).tolist(),
            fractions if isinstance(fractions, list) else [fractions],
            strict=True,
        ):
            if exact is None:
                assert math.isnan(value), name
            else:
                assert math.isclose(value, exact, rel_tol=ROUNDING, abs_tol=0), (name, value, exact)


def test_the_naive_ones_are_all():
    """The naive implementation has every measure of the catalogue, and no other."""
    naive = set(naive_measures(Journal.of(MORNING).facts(), OFFICE, 10 * S, 110 * S, 5 * S))
    assert {*SCALARS, *VECTORS} - naive == set(), "in the catalogue, but not in naive_measures.py"
    assert naive - {*SCALARS, *VECTORS} == set(), "in naive_measures.py, but not in the catalogue"


WINDOWS = st.tuples(st.integers(0, 20), st.integers(1, 40), st.booleans())


def run_of(drawn, window):
    """Return the journal of a drawn scenario and a window around some of it, at times within a step of the grid."""
    settings_, workload, grid_us = drawn
    start, length, between = window
    start_us = start * grid_us + (grid_us // 2 if between else 0)
    return processes.simulate(settings_, workload), Window(start_us, start_us + length * grid_us)


@st.composite
def runs(draw):
    """Draw a scenario on a grid of 1 us, 1 s, 20 min or 5 h, its journal and a window."""
    grid_us = draw(st.sampled_from((S, 1, HOUR_US // 3, 5 * HOUR_US)))
    settings_, workload = draw(settings_and_workloads(grid_us=grid_us))
    journal, window = run_of((settings_, workload, grid_us), draw(WINDOWS))
    return settings_, journal, window, draw(st.integers(0, 3)) * grid_us


@FAST
@given(runs())
def test_measures_agree_with_the_naive_ones(drawn):
    """300 drawn journals, cut anywhere, over minutes or days: every measure is that of the naive implementation."""
    settings_, journal, window, target_us = drawn
    values = measure_rows(journal, settings_, window, target_us)
    assert_equal(values, naive_measures(journal.facts(), settings_, *window, target_us))


@settings(FAST, max_examples=60)
@given(scenarios(), st.integers(0, 100))
def test_measures_of_scenarios_agree_with_the_naive_ones(scenario, seed):
    """60 drawn scenarios as a user runs them: window and target come from the scenario."""
    journal = parksim.run(scenario, seed, engine="simpy").journal
    window = (scenario.warm_up_us, scenario.horizon_us, round(scenario.queue.target * 1e6))
    assert_equal(measure(journal, scenario), naive_measures(journal.facts(), scenario.settings, *window))


STAY_ENDS = {
    *((c.RETRIEVED, reason) for reason in (c.NO_REASON, c.STRANGER, c.ON_REMINDER)),
    *((c.EXPIRED, c.NO_REASON), (c.ABANDONED, c.IN_LOT)),
}


@FAST
@given(runs())
def test_what_always_holds_of_measures(drawn):
    """Little's law in whole microseconds, shares that sum to 1 and lie in [0, 1], hours that sum to the whole."""
    settings_, journal, window, target_us = drawn
    values = measure_rows(journal, settings_, window, target_us)
    taken = {}
    stays_us = 0
    for row in journal.facts():
        if row.kind == c.PARKED:
            taken[row.lot, row.slot] = row.time_us
        elif (row.kind, row.reason) in STAY_ENDS:
            ends = np.clip([taken.pop((row.lot, row.slot)), row.time_us], *window)
            stays_us += int(ends[1] - ends[0])
    assert round(values["occupancy_mean"] * window.length_us) == stays_us
    assert math.isclose(values["slot_utilisation"].sum(), values["occupancy_mean"], rel_tol=ROUNDING * 8)
    assert math.isclose(values["occupancy_pmf"].sum(), 1, rel_tol=ROUNDING * 8)
    assert values["occupancy_pmf"][-1] == values["time_full_share"]
    if values["parks_made"]:
        ways = ("retrieved_share", "stranger_share", "resumed_share", "expired_share", "abandoned_share")
        assert math.isclose(sum(values[name] for name in ways), 1, rel_tol=ROUNDING)
    for name in SHARES:
        shares = np.atleast_1d(values[name])
        assert ((shares >= 0) & (shares <= 1))[~np.isnan(shares)].all(), name
    assert values["calls_offered_by_hour"].sum() == values["calls_offered"]
    assert values["parks_requested_by_hour"].sum() == values["parks_requested"]
    assert values["parks_requested_by_lot"].sum() == values["parks_requested"]
    assert math.isclose(values["occupancy_mean_by_lot"].sum(), values["occupancy_mean"], rel_tol=ROUNDING * 8)


@pytest.mark.parametrize("name", sorted(path.name for path in SCENARIOS.glob("*.toml")))
def test_measures_of_shipped_scenarios_keep_their_bounds(name):
    """A whole replication of each scenario: no infinity, nothing below 0, and parts within their wholes."""
    scenario = Scenario.load(SCENARIOS / name)
    values = parksim.run(scenario, seed=1).measures
    for measure_name, value in values.items():
        numbers = np.atleast_1d(value)
        numbers = numbers[~np.isnan(numbers)]
        assert ((numbers >= 0) & (numbers <= (1 if measure_name in SHARES else 1e9))).all(), measure_name
    assert 0 < values["parks_made"] <= values["parks_requested"]
    assert values["parks_per_call"] <= scenario.parking.max_parks
    assert values["occupancy_p95"] <= values["occupancy_max"] <= sum(scenario.settings.slots)
    assert values["occupancy_mean"] <= values["occupancy_max"]
    longest_s = max(lot.max_in_parking.support_s[1] for lot in scenario.lots)
    assert values["parked_s_p50"] <= values["parked_s_p95"] <= longest_s
    assert values["parked_s_mean"] <= longest_s
    # A sum of shares may pass 1 by a rounding of each.
    for parts in (("recall_answered_share", "recall_abandoned_share"), ("lost_share", "queue_abandoned_share")):
        assert sum(values[part] for part in parts) <= 1 + 2 * ROUNDING
    assert values["queue_full_share"] <= values["lost_share"]
    hours = {us // HOUR_US % 24 for us in range(scenario.warm_up_us, scenario.horizon_us, HOUR_US // 60)}
    assert set(np.flatnonzero(~np.isnan(values["occupancy_mean_by_hour"])).tolist()) == hours


def test_a_wrong_measure_would_be_seen(monkeypatch):
    """Negative control: with waits cut short by a microsecond the comparison with the naive ones fails."""
    from parksim.journal import measures

    scenario = Scenario.loads(TEMPLATE).with_values({"run.horizon": "2h"})
    journal = parksim.run(scenario).journal
    window = (scenario.warm_up_us, scenario.horizon_us, 20 * S)
    expected = naive_measures(journal.facts(), scenario.settings, *window)
    assert_equal(measure(journal, scenario), expected)
    real = measures._quantiles_s
    monkeypatch.setattr(measures, "_quantiles_s", lambda durations_us, *of: real(durations_us - 1, *of))
    with pytest.raises(AssertionError):
        assert_equal(measure(journal, scenario), expected)
