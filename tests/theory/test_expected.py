"""Which formula is given when: one condition after another is broken, and the reason must be that condition."""

import itertools
import json
import math

import checks
import numpy as np
import pytest

from parksim import theory
from parksim.catalogue import SCALARS, VECTORS
from parksim.scenario.laws import parse_law
from parksim.scenario.model import Scenario
from parksim.studies.formulas import NAMES, Formula, formulas

LONGEST_REASON = 45
"""The reasons stand in a column of the screen."""
LOT = ("refused_share", "time_full_share", "occupancy_mean", "parks_made", "parks_per_call", "recalls_per_hour")
ALONE = {"parking.probability": 0, "attendants.count": 4, "attendants.handling": {"kind": "exponential", "mean": 90}}
VECTOR_LENGTHS = {"occupancy_pmf": 7, "slot_utilisation": 6} | {
    name: 24 if "by_hour" in name else 1 for name in VECTORS if "_by_" in name
}


def lot_only(values=None):
    """Return the formulas of the lot alone with some values replaced."""
    return formulas(checks.scenario("lot-only", values or {}))


def assert_complete(table):
    """Fail unless each measure has its formula: a value of the right shape and in range, and a short reason."""
    assert tuple(table) == NAMES == (*SCALARS, *VECTORS)
    for name, formula in table.items():
        assert 0 < len(formula.reason) <= LONGEST_REASON, name
        assert formula.reason.isprintable()
        values = np.atleast_1d(0.0 if formula.value is None else formula.value)
        assert np.isfinite(values).all(), name
        assert (values >= 0).all(), name
        if name in checks.SHARES:
            assert (values <= 1).all(), name
        if formula.value is not None:
            assert isinstance(formula.value, tuple if name in VECTORS else float), name


@pytest.mark.parametrize("name", sorted(path.stem for path in checks.SCENARIOS.glob("*.toml")))
def test_every_scenario_has_an_entry_for_every_measure(name):
    """Each of the project's scenarios gets a value or a short reason for each measure."""
    assert_complete(formulas(checks.scenario(name)))


def test_every_shape_has_an_entry_for_every_measure():
    """All 1,296 combinations of what decides between formulas get a value or a short reason for each measure."""
    choices = {
        "arrivals": [
            {"kind": "poisson", "rate": "120/h"},
            {"kind": "hourly", "calls_per_hour": [0.0, *range(1, 24)]},
        ],
        "attendants.count": ["unlimited", 4],
        "retrieval.staff": ["unlimited", 2],
        "parking": [{"probability": 0}, {"probability": 1}, {"probability": 1, "max_parks": 2}],
        "lot": [
            {"slots": 6},
            {"slots": 6, "retries": 2, "retry_after": 5, "max_in_parking": {"kind": "uniform", "low": 30, "high": 90}},
            {"slots": 6, "when_full": "drop", "limits": "pbx", "max_in_parking": "unlimited"},
        ],
        "queue": [{}, {"limit": 0}, {"limit": 3}],
        "caller": [{}, {"patience": {"kind": "exponential", "mean": 60}}, {"patience": 0}],
        "recall": [{"to": "group"}, {"to": "parker", "unanswered": "drop", "busy": "drop", "never": 0.5}],
    }
    handling = {"attendants.handling": {"kind": "exponential", "mean": 90}}
    shapes = list(itertools.product(*choices.values()))
    assert len(shapes) == 2 * 2 * 2 * 3 * 3 * 3 * 3 * 2
    for shape in shapes:
        assert_complete(lot_only(handling | dict(zip(choices, shape, strict=True))))


def test_vectors_have_an_element_for_each_of_the_study():
    """Vectors are as long as the measures: slots, slots + 1, 24 hours; and say the same as the scalars."""
    table = lot_only()
    for name, length in VECTOR_LENGTHS.items():
        assert table[name].value is None or len(table[name].value) == length
    assert math.fsum(table["occupancy_pmf"].value) == pytest.approx(1.0, abs=1e-12)
    assert table["occupancy_pmf"].value[-1] == pytest.approx(table["time_full_share"].value, rel=1e-12)
    assert math.fsum(table["slot_utilisation"].value) == pytest.approx(table["occupancy_mean"].value, rel=1e-12)
    assert math.fsum(table["calls_offered_by_hour"].value) == pytest.approx(table["calls_offered"].value, rel=1e-12)


def test_json_of_a_formula():
    """``at`` gives a scalar's value, a vector's element, or null, with the reason."""
    assert Formula(0.5, "Erlang B").at(None) == {"formula": 0.5, "formula_reason": "Erlang B"}
    assert Formula((0.5, 0.25), "Erlang B").at(1) == {"formula": 0.25, "formula_reason": "Erlang B"}
    assert Formula(None, "no").at(7) == {"formula": None, "formula_reason": "no"}


def test_the_lot_alone_is_known():
    """The lot alone is ``loss_lot`` in every measure it names; of 900 s a quarter of an hour's calls are counted."""
    lot = theory.loss_lot(
        1 / 30, theory.race(None, parse_law({"kind": "lognormal", "median": 60, "sigma": 0.9}), limit=180.0), 6
    )
    table = lot_only({"run.warm_up": 0, "run.horizon": 900})
    for name in lot.__dataclass_fields__:
        assert table[name].value == pytest.approx(getattr(lot, name), rel=1e-13), name
    assert table["calls_offered"].value == pytest.approx(30.0, rel=1e-15)
    assert table["parks_made"].value == pytest.approx(30 * (1 - lot.refused_share), rel=1e-13)
    assert table["lost_share"].value == lot.refused_share
    assert table["recalls_per_hour"].value == pytest.approx(
        120 * (1 - lot.refused_share) * lot.expired_share, rel=1e-13
    )
    assert table["refused_share"].reason == "Erlang B, after warm-up"
    assert table["occupancy_max"].value is None


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"attendants.count": 50}, "limited attendants: parks are not Poisson"),
        ({"retrieval.staff": 50, "retrieval.talk": 60}, "limited staff: retrievals may wait"),
        ({"lot.when_full": "keep", "lot.retries": 1, "lot.retry_after": 5}, "refused calls ask again"),
        ({"parking.max_parks": 2}, "returned calls are parked again"),
        ({"arrivals": {"kind": "hourly", "calls_per_hour": [*range(24)]}}, "the rate of calls changes by the hour"),
        ({"arrivals": {"kind": "recorded", "file": "recorded-calls.csv", "column": "offered_at"}, "run.horizon": "1d"},
         "recorded calls are not Poisson"),
        ({"arrivals.busy_days": {"cv": 0.1}}, "the rate of calls differs from day to day"),
        ({"arrivals": {"kind": "hourly", "calls_per_hour": [9] * 24, "busy_days": {"cv": 0.1}}},
         "the rate of calls differs from day to day"),
        ({"parking.probability": [0.5] * 23 + [0.6]}, "the share of parks changes by the hour"),
        ({"retrieval.delay_factor": [1] * 23 + [1.5]}, "the delay has a factor by the hour"),
    ],
)  # fmt: skip
def test_one_broken_condition_takes_erlang_b_away(values, reason, monkeypatch):
    """Each condition of the loss formula, broken alone, leaves no value for the lot, and is the reason given."""
    monkeypatch.chdir(checks.SCENARIOS)
    table = lot_only(values)
    assert {(table[name].value, table[name].reason) for name in LOT} == {(None, reason)}
    knows_stays = not {"retrieval.staff", "retrieval.delay_factor"} & set(values)
    assert (table["parked_s_mean"].value is not None) is knows_stays


@pytest.mark.parametrize(
    "values",
    [
        {"parking.max_parks": 3, "lot.limits": "pbx", "lot.max_in_parking": "unlimited"},
        {"parking.max_parks": 3, "caller.patience": 180},
        {"parking.max_parks": 3, "retrieval.delay": {"kind": "uniform", "low": 0, "high": 180}},
        {"lot.when_full": "overflow", "lot.retries": 3, "lot.retry_after": 5},
        {"retrieval.staff": 1},
        {"arrivals": {"kind": "hourly", "calls_per_hour": [120.0] * 24}},
        {"arrivals.busy_days": {"cv": 0}, "parking.probability": ["60%"] * 24, "retrieval.delay_factor": [1] * 24},
        {"attendants.handling": {"kind": "exponential", "mean": 300}, "parking.announcement": 20},
    ],
)
def test_what_breaks_no_condition_leaves_erlang_b(values):
    """Returns that cannot happen, retries that are not made, staff who never talk, equal hours: the formula stays."""
    table = lot_only(values)
    assert all(table[name].value is not None for name in LOT)
    if values.get("parking.max_parks") == 3:
        assert (table["expired_share"].value, table["recalls_per_hour"].value) == (0.0, 0.0)
        assert table["recall_answered_share"] == Formula(None, "no call can time out")


def test_a_stay_one_microsecond_too_long_can_expire():
    """A retrieval at exactly maxInParking is none too late; a little later the call may return and park again."""
    law = {"kind": "uniform", "low": 0, "high": 180.000001}
    assert lot_only({"parking.max_parks": 3, "retrieval.delay": law})["refused_share"].value is None
    assert lot_only({"retrieval.delay": 180})["retrieved_share"].value == 1.0
    assert lot_only({"retrieval.delay": 180.000001})["expired_share"].value == 1.0
    once = {"retrieval.delay": {"kind": "uniform", "low": 0, "high": 90}}
    for factor, share in ((2.0, 0.0), (2.1, None)):  # the longest retrieval of the longest hour decides
        table = lot_only(once | {"retrieval.delay_factor": [1] * 23 + [factor]})
        assert table["expired_share"].value == share


def test_requests_are_known_without_a_steady_state():
    """On patient calls that ask once, requests are calls x probability whoever answers; not so once some leave."""
    values = {"attendants.count": 2, "attendants.handling": 600, "parking.probability": 0.25}
    table = lot_only(values)
    assert table["parks_requested"].value == table["calls_offered"].value * 0.25
    assert table["offered_erlang"].value == pytest.approx(0.25 / 30 * table["parked_s_mean"].value, rel=1e-12)
    by_hour = [0.0] * 12 + [0.5] * 12  # as many calls in either half of the day
    days = {"parking.probability": by_hour, "arrivals.busy_days": {"cv": 0.3}, "run.warm_up": 0, "run.horizon": "8d"}
    table = lot_only(values | days)
    assert table["parks_requested"].value == pytest.approx(120 * 24 * 8 * 0.25, rel=1e-12)
    for limited in ({"queue.limit": 9}, {"caller.patience": 900}):
        formula = lot_only(values | limited)["parks_requested"]
        assert formula == Formula(None, "calls may be lost before they are parked")


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("0s", "1d", [60.0 + hour for hour in range(24)]),
        ("30m", "2h15m", [30.0, 61.0, 62.0 / 4, *[0.0] * 21]),
        ("23h", "49h", [2 * 60.0, *[61.0 + hour for hour in range(22)], 2 * 83.0]),
    ],
)
def test_hourly_calls_are_added_up_over_the_window(start, end, expected):
    """Calls by hour are rates x open time, hours cut by the window and hours that come twice included."""
    arrivals = {"kind": "hourly", "calls_per_hour": [60.0 + hour for hour in range(24)]}
    table = lot_only({"arrivals": arrivals, "run.warm_up": start, "run.horizon": end})
    assert table["calls_offered_by_hour"].value == pytest.approx(tuple(expected), rel=1e-12)
    assert table["calls_offered"].value == pytest.approx(sum(expected), rel=1e-12)


def test_recorded_calls_are_counted():
    """Of a recording the count in the window is known; of its days drawn at random their mean."""
    whole, days = checks.scenario("recorded"), checks.scenario("recorded", {"arrivals.resample": "days"})
    calls = len(whole.recording.instant_us)
    assert formulas(whole)["calls_offered"] == Formula(float(calls), "count of the recording")
    assert formulas(days)["calls_offered"].value == pytest.approx(calls / 3, rel=1e-12)
    first = checks.scenario("recorded", {"run.horizon": "1d"})
    assert formulas(first)["calls_offered"].value == float((whole.recording.instant_us < 86_400_000_000).sum())


def test_files_that_are_not_at_hand_are_no_error():
    """A scenario read back from a result has digests for files: what needs them has no formula, and says why."""
    recorded = Scenario.model_validate(json.loads(checks.scenario("recorded").canonical))
    table = formulas(recorded)
    assert_complete(table)
    assert {formula.value for formula in table.values()} == {None}
    assert table["calls_offered"].reason == "a file of the scenario is not at hand"


def test_attendants_alone():
    """Without parking: C for patient callers, A for exponential patience, B when nobody waits."""
    delay = lot_only(ALONE)
    assert delay["answer_wait_s_mean"] == Formula(theory.erlang_c_wait_s(4, 3.0, 90.0), "Erlang C, after warm-up")
    p95_s = delay["answer_wait_s_p95"].value
    assert theory.erlang_c_within(4, 3.0, 90.0, p95_s) == pytest.approx(0.95, rel=1e-12)
    impatient = lot_only(ALONE | {"caller.patience": {"kind": "exponential", "mean": 60}})
    queue = theory.erlang_a(4, 1 / 30, 90.0, 60.0)
    assert impatient["queue_abandoned_share"] == Formula(queue.abandoned_share, "Erlang A, after warm-up")
    assert impatient["answer_wait_s_mean"].value is None
    blocked = theory.erlang_b(4, 3.0)
    refused = lot_only(ALONE | {"queue.limit": 0})
    assert (refused["queue_full_share"].value, refused["lost_share"].value) == (blocked, blocked)
    hung_up = lot_only(ALONE | {"caller.patience": 0})
    assert (hung_up["queue_abandoned_share"].value, hung_up["lost_share"].value) == (blocked, 0.0)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"attendants.count": 3}, "more work than the attendants can do"),
        ({"queue.limit": 5}, "the queue is limited"),
        ({"attendants.handling": 90}, "service is not exponential"),
        ({"attendants.talk": {"kind": "exponential", "mean": 10}}, "service is not exponential"),
        ({"caller.patience": 60}, "patience is not exponential"),
        ({"parking.probability": 0.1}, "attendants park calls as well"),
        ({"arrivals": {"kind": "hourly", "calls_per_hour": [*range(24)]}}, "the rate of calls changes by the hour"),
    ],
)
def test_one_broken_condition_takes_the_wait_away(values, reason):
    """Each condition of Erlang C and A, broken alone, leaves no value for the wait, and is the reason given."""
    assert lot_only(ALONE | values)["answer_wait_s_mean"] == Formula(None, reason)


def test_no_wait_is_certain_without_a_formula():
    """Where nobody can wait, leave or be lost, the measures say so whatever else is unknown."""
    assert lot_only()["answered_within_share"] == Formula(1.0, "answered at once")
    assert lot_only(ALONE | {"attendants.handling": 0})["answer_wait_s_mean"] == Formula(0.0, "service takes no time")
    parking = lot_only({"attendants.count": 4, "lot.when_full": "keep"})
    assert parking["queue_abandoned_share"] == Formula(0.0, "callers wait without end")
    assert parking["queue_full_share"] == Formula(0.0, "the queue has no limit")
    assert parking["lost_share"] == Formula(0.0, "no call is dropped; hang-ups are not in it")
    for way in ({"lot.when_full": "drop"}, {"queue.limit": 9}, {"recall": {"to": "parker", "busy": "drop"}},
                {"recall": {"to": "parker", "unanswered": "drop"}}):  # fmt: skip
        assert lot_only({"attendants.count": 4, "lot.when_full": "keep"} | way)["lost_share"].value is None


def test_nobody_parks():
    """Without parking the lot is empty for certain and shares of parks are undefined."""
    table = lot_only({"parking.probability": 0, "retrieval.staff": 3})
    for name in ("parks_made", "occupancy_mean", "occupancy_max", "time_full_share", "staff_utilisation"):
        assert table[name] == Formula(0.0, "no call is parked")
    for name in ("refused_share", "expired_share", "parked_s_mean", "offered_erlang", "recall_answered_share"):
        assert table[name] == Formula(None, "no call is parked")
    assert table["occupancy_pmf"].value == (1.0, *[0.0] * 6)


def test_returns_to_unlimited_attendants():
    """Of a race of ring, answer and patience the shares follow; who never answers passes the call on, or loses it."""
    values = {"recall": {"to": "parker", "ring": 20, "attempts": 2, "answer": 30, "never": 0.25}}
    answered = lot_only(values)
    assert (answered["recall_answered_share"].value, answered["recall_busy_share"].value) == (1.0, 0.0)
    values["recall"]["unanswered"] = "drop"
    dropped = lot_only(values | {"lot.when_full": "keep"})
    assert dropped["recall_answered_share"].value == pytest.approx(0.75, abs=1e-12)
    expired = dropped["parks_per_call"].value * dropped["expired_share"].value
    assert dropped["lost_share"].value == pytest.approx(expired * 0.25, rel=1e-10)
    values["recall"]["ring"] = 14.999999
    assert lot_only(values)["recall_answered_share"].value == pytest.approx(0.0, abs=1e-12)  # the race's own accuracy
    values["recall"]["patience"] = 0
    gone = lot_only(values)
    assert [gone[f"recall_{name}_share"].value for name in ("abandoned", "busy", "answered")] == [1.0, 1.0, 0.0]
    assert lot_only(values | {"attendants.count": 9})["recall_answered_share"].value is None


SEVERAL_LOTS = {
    "lot": [{"name": "a", "slots": 2}, {"name": "b", "slots": 3}],
    "parking.when_full": "keep",
}


@pytest.mark.parametrize(
    ("values", "name", "reason"),
    [
        ({"parking.when_full": "overflow"}, "refused_share", "refused calls ask the next lot"),
        ({"parking.when_full": "overflow"}, "parks_requested_by_lot", "refused calls ask the next lot"),
        ({"lot.b.max_in_parking": 60}, "refused_share_by_lot", "stays differ from lot to lot"),
        ({"lot.b.patience": 60}, "expired_share_by_lot", "stays differ from lot to lot"),
    ],
)
def test_of_several_lots_theory_says_why_it_is_silent(values, name, reason):
    """Where one lot's calls come to another, or stays are unlike, no formula holds, and which it is is said."""
    scenario = checks.scenario("lot-only", SEVERAL_LOTS)
    assert formulas(scenario)[name].value is not None
    formula = formulas(scenario.with_values(values))[name]
    assert (formula.value, formula.reason) == (None, reason)
