"""The simulated lot against Erlang's formula, ordered hunting and the race of a stay's clocks.

Each comparison has the level 1e-5 (``checks.LEVEL``); the some 630 of this file together are red though all is well
once in 160 trials. 24 replications of 29 h after an hour of warm-up, seeds in the tests.
"""

import checks
import numpy as np
import pytest
import scipy.stats

from parksim import theory
from parksim.scenario.laws import parse_law
from parksim.studies.formulas import formulas

LENGTH = {"run.horizon": "30h"}
LAWS = {
    "exponential": {"kind": "exponential", "mean": 80},
    "lognormal": {"kind": "lognormal", "median": 60, "sigma": 0.9},
    "weibull": {"kind": "weibull", "mean": 90, "shape": 0.6},
}
PATIENCES = {"patient": None, "impatient": {"kind": "exponential", "mean": 240}}
OF_LOT = ("refused_share", "time_full_share", "occupancy_mean", "occupancy_pmf", "slot_utilisation", "offered_erlang")
OF_STAY = ("retrieved_share", "abandoned_share", "expired_share", "parked_s_mean", "parked_s_p50", "parked_s_p95")
EVERYTHING = {
    "next, calls handled, kept when full, returned to the parker": {
        "arrivals.rate": "200/h",
        "attendants.handling": {"kind": "lognormal", "median": 37, "sigma": 0.6},
        "attendants.talk": {"kind": "exponential", "mean": 60},
        "parking.probability": 0.6,
        "parking.announcement": 4,
        "lot.choice": "next",
        "lot.when_full": "keep",
        "lot.max_in_parking": {"kind": "uniform", "low": 60, "high": 150},
        "retrieval.never": 0.2,
        "recall.to": "parker",
        "recall.ring": 20,
        "recall.attempts": 2,
        "recall.answer": {"kind": "uniform", "low": 3, "high": 60},
        "recall.never": 0.15,
        "recall.unanswered": "drop",
        "recall.patience": {"kind": "exponential", "mean": 90},
    },
    "random, never timed out, though three parks would be allowed": {
        "lot.choice": "random",
        "lot.when_full": "overflow",
        "lot.limits": "pbx",
        "lot.max_in_parking": "unlimited",
        "parking.max_parks": 3,
        "retrieval.delay": {"kind": "hyperexponential", "weights": [0.8, 0.2], "means": [30, 400]},
        "retrieval.never": 0.1,
        "caller.patience": {"kind": "erlang", "mean": 120, "stages": 3},
    },
    "constant times, the group takes what nobody answered": {
        "lot.slots": 4,
        "lot.max_in_parking": 60,
        "retrieval.delay": {"kind": "empirical", "values": [20, 40, 60, 80]},
        "recall.to": "parker",
        "recall.ring": 10,
        "recall.answer": {"kind": "empirical", "values": [5, 10, 15]},
        "caller.patience": {"kind": "empirical", "values": [0, 10, 40, 600]},
    },
    "the parker chooses a slot that he sees free, in a lot that would take the lowest": {
        "parking.slot": "chosen",
        "lot.slots": 4,
        "recall.to": "group",
    },
    "the call leaves for elsewhere, though it might be parked again": {
        "lot.max_in_parking": 60,
        "parking.max_parks": 3,
        "recall.to": "elsewhere",
    },
    "staff who are limited but never talk": {"retrieval.staff": 1, "lot.slots": 3, "lot.when_full": "keep"},
}


def lot_of(law, patience):
    """Return a scenario of the lot alone, and what ``loss_lot`` says of it."""
    values = LENGTH | {"retrieval.delay": LAWS[law]}
    if PATIENCES[patience] is not None:
        values["lot.patience"] = PATIENCES[patience]
    stay = theory.race(
        None if PATIENCES[patience] is None else parse_law(PATIENCES[patience]), parse_law(LAWS[law]), 0.0, 180.0
    )
    return checks.scenario("lot-only", values), theory.loss_lot(120 / 3_600, stay, 6)


@pytest.mark.parametrize("patience", PATIENCES)
@pytest.mark.parametrize("law", LAWS)
def test_a_lot_is_a_loss_system(law, patience):
    """Refusals, occupancy (mean and law), each slot's load and the ends of stays are the formulas' (seed 101)."""
    scenario, lot = lot_of(law, patience)
    truths = {name: getattr(lot, name) for name in (*OF_LOT, *OF_STAY, "occupancy_p95")}
    assert checks.faults(checks.simulated(scenario, 24, 101), truths) == []


@pytest.mark.parametrize("values", EVERYTHING.values(), ids=EVERYTHING)
def test_whatever_theory_says_of_a_lot_is_simulated(values):
    """Every measure for which ``formulas`` has a value comes out as that value, whatever else goes on (seed 102)."""
    scenario = checks.scenario("lot-only", LENGTH | values)
    truths = checks.known(scenario)
    assert {*OF_LOT, *OF_STAY, "parks_made", "recalls_per_hour", "lost_share", "refused_share_by_hour"} <= set(truths)
    assert checks.faults(checks.simulated(scenario, 24, 102), truths) == []


def test_lots_that_do_not_overflow_are_loss_systems_of_their_own():
    """Two lots, calls split two to one: each is Erlang's, and both together have the law of the sum (seed 106)."""
    lots = [
        {"name": "clinic", "slots": 4, "weight": 2, "max_in_parking": 180},
        {"name": "firm", "slots": 2, "weight": 1, "max_in_parking": 180, "choice": "random"},
    ]
    scenario = checks.scenario("lot-only", LENGTH | {"lot": lots, "parking.when_full": "drop"})
    truths = checks.known(scenario)
    by_lot = {f"{name}_by_lot" for name in ("parks_requested", "refused_share", "expired_share", "occupancy_mean")}
    assert {*OF_LOT, *OF_STAY, *by_lot, "parks_made", "lost_share"} <= set(truths)
    offered = 120 / 3_600 * theory.race(None, scenario.retrieval.delay, 0.0, 180.0).mean_s
    alone = (theory.erlang_b(4, offered * 2 / 3), theory.erlang_b(2, offered / 3))
    assert truths["refused_share_by_lot"] == pytest.approx(alone, rel=1e-9)
    assert checks.faults(checks.simulated(scenario, 24, 106), truths) == []


def test_what_holds_without_any_steady_state():
    """Hourly calls on limited attendants: calls by hour, requests and the ends of stays are still known (seed 103)."""
    scenario = checks.scenario(
        "hospital",
        {"parking.max_parks": 1, "retrieval.staff": "unlimited", "queue.limit": "unlimited"}
        | {"queue.patience": "unlimited"},
    )
    truths = checks.known(scenario)
    assert {"calls_offered_by_hour", "parks_requested", "offered_erlang", *OF_STAY} <= set(truths)
    assert "refused_share" not in truths
    assert checks.faults(checks.simulated(scenario, 24, 103), truths) == []


def test_recorded_days_drawn_at_random():
    """Calls offered are the mean over the recorded days, by hour too, and stays end as ever (seed 104)."""
    scenario = checks.scenario("recorded", {"arrivals.resample": "days", "run.warm_up": "7h30m"})
    truths = checks.known(scenario)
    assert {"calls_offered", "calls_offered_by_hour", *OF_STAY} <= set(truths)
    assert checks.faults(checks.simulated(scenario, 60, 104), truths) == []


def test_wrong_formulas_are_seen():
    """Negative control: a lot of one slot more, a load of 3 % more, other slot orders and other clocks are seen."""
    scenario, _ = lot_of("lognormal", "impatient")
    results = checks.simulated(scenario, 24, 101)

    def rejected(wrong, *names):
        return [
            line.split("[")[0].split(":")[0] for line in checks.faults(results, {n: getattr(wrong, n) for n in names})
        ]

    stay = theory.race(parse_law({"kind": "exponential", "mean": 240}), parse_law(LAWS["lognormal"]), 0.0, 180.0)
    assert set(rejected(theory.loss_lot(1 / 30, stay, 7), "refused_share", "time_full_share")) == {
        "refused_share",
        "time_full_share",
    }
    assert rejected(theory.loss_lot(1.03 / 30, stay, 6), "occupancy_mean", "offered_erlang")
    assert len(rejected(theory.loss_lot(1 / 30, stay, 6, "next"), "slot_utilisation")) >= 5
    patient = theory.race(None, parse_law(LAWS["lognormal"]), 0.0, 180.0)
    assert set(rejected(theory.loss_lot(1 / 30, patient, 6), *OF_STAY)) >= {"abandoned_share", "parked_s_mean"}
    longer = theory.race(parse_law({"kind": "exponential", "mean": 240}), parse_law(LAWS["lognormal"]), 0.0, 200.0)
    assert "parked_s_p95" in rejected(theory.loss_lot(1 / 30, longer, 6), *OF_STAY)


@pytest.mark.slow
@pytest.mark.parametrize("choice", ["lowest", "next", "random"])
@pytest.mark.parametrize("slots", [1, 3, 10])
def test_lots_of_many_sizes(slots, choice):
    """1 to 10 slots under about as many erlang, 40 replications of 4 days: all that theory says (seed 105)."""
    values = {"run.horizon": "4d", "lot.slots": slots, "lot.choice": choice, "arrivals.rate": f"{slots * 45}/h"}
    scenario = checks.scenario("lot-only", values | {"lot.patience": {"kind": "exponential", "mean": 300}})
    assert formulas(scenario)["refused_share"].value > 0.05
    assert checks.faults(checks.simulated(scenario, 40, 105), checks.known(scenario)) == []


def test_an_hour_of_day_that_the_window_has_not_is_no_fault():
    """Hours outside the window are passed over and hours inside are compared: five of a short day (seed 106)."""
    scenario = checks.scenario("lot-only", {"run.horizon": "6h"})
    results = checks.simulated(scenario, 24, 106)
    assert len(checks.faults(results, {"occupancy_mean_by_hour": (99.0,) * 24})) == 5


def test_rare_events_are_left_to_longer_runs():
    """Some 4 refusals an hour are too few for t and 36 enough; a scalar of too few events is an error (seed 106)."""
    few = checks.simulated(checks.scenario("lot-only", {"run.horizon": "6h"}), 24, 106)
    many = checks.simulated(checks.scenario("lot-only", {"run.horizon": "6h", "lot.slots": 2}), 24, 106)
    assert checks.faults(few, {"refused_share_by_hour": (0.04,) * 24}) == []
    assert len(checks.faults(many, {"refused_share_by_hour": (0.04,) * 24})) == 5
    roomy = checks.scenario("lot-only", {"run.horizon": "6h", "lot.slots": 12})
    with pytest.raises(AssertionError, match="too rare"):
        checks.faults(checks.simulated(roomy, 24, 106), {"refused_share": checks.known(roomy)["refused_share"]})


def test_the_check_keeps_its_level():
    """Errors of known law are as far off as Student's t says: 4,000 sets of 24, level 1e-5, seed 1."""
    generator = np.random.default_rng(1)
    scores = [checks.score(missed) for missed in generator.exponential(1.0, (4000, 24, 50)).mean(axis=2) - 1.0]
    inside = int((np.abs(scores) <= checks.bound(24, 0.3)).sum())
    low, high = scipy.stats.binom.ppf([5e-6, 1 - 5e-6], 4000, 0.7)
    assert low <= inside <= high
