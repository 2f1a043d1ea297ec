"""Theory alone: what is exact stays exact, approximations are near the simulation, and every row says which it is."""

import json
import math

import numpy as np
import pytest
import scipy.integrate
import scipy.stats

import parksim
from parksim.catalogue import SCALARS, SECTIONS, VECTORS
from parksim.errors import ArgumentError
from parksim.reports.screen_quick import quick_screen, screen_text
from parksim.scenario import shipped
from parksim.scenario.model import TEMPLATE, Scenario
from parksim.studies import replication
from parksim.studies.approximate import approximated
from parksim.studies.formulas import formulas
from parksim.studies.ideal import day_factors, expectations, typical
from parksim.studies.quick import quick

SCENARIOS = shipped.shipped()
ROWS = [name for names in SECTIONS.values() for name in names]
IDEAL = {"attendants.count": "unlimited", "retrieval.staff": "unlimited", "lot.slots": 60}


def scenario(name, **values):
    """Return a shipped scenario with some values replaced."""
    return Scenario.load(SCENARIOS[name]).with_values({key.replace("__", "."): value for key, value in values.items()})


def hospital():
    """Return three busy hours of the hospital."""
    return scenario("hospital", run__horizon="12h", run__warm_up="9h")


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_shipped_scenario_has_an_answer_in_at_least_20_rows(name):
    """Of the 24 rows of the screen at least 20 have a number; each other row has its reason."""
    found = quick(scenario(name), "load").formulas
    assert len(ROWS) == 24
    assert sum(found[row].value is not None for row in ROWS) >= 20
    assert set(found) == {*SCALARS, *VECTORS}
    assert all(found[row].reason for row in ROWS)


def test_what_is_exact_stays_as_it_is():
    """Of the lot alone each formula is taken as it is, and marked exact; only the greatest number is approximate."""
    lot = scenario("lot-only")
    found, exact = quick(lot, "load").formulas, formulas(lot)
    assert [name for name in SCALARS if found[name].within is not None] == ["occupancy_max"]
    assert all(found[name] == exact[name] for name in SCALARS if exact[name].value is not None)


def test_a_steady_state_is_not_claimed_of_a_short_window():
    """Ten minutes from an empty lot are not Erlang B's: the row is approximate, and refuses less than B says."""
    short = scenario("lot-only", run__horizon="10m", run__warm_up=0)
    found = quick(short, "load").formulas["refused_share"]
    assert found.within is not None
    assert found.value < 0.9 * formulas(short)["refused_share"].value


def test_the_chain_follows_a_lot_that_fills_up():
    """Twenty minutes from empty, 400 replications, seed 5: refusals and occupancy within 4 standard errors and 3 %."""
    short = scenario("lot-only", run__horizon="20m", run__warm_up=0)
    results = replication.replicate(short, 5, range(400), "simpy")
    values = approximated(short, "chain").values
    refused = np.array([one["refused_share"] * one["parks_requested"] for one in results])
    busy = np.array([one["occupancy_mean"] for one in results])
    for seen, truth in (
        (refused, values["refused_share"] * values["parks_requested"]),
        (busy, values["occupancy_mean"]),
    ):
        assert abs(seen.mean() - truth) <= 4 * seen.std(ddof=1) / math.sqrt(len(seen)) + 0.03 * truth


def test_numbers_add_up():
    """Parks made and refused are the requests, the ends of stays add up to 1, hours and lots to their totals."""
    values = approximated(hospital(), "chain").values
    assert values["parks_made"] == pytest.approx(values["parks_requested"] * (1 - values["refused_share"]), rel=1e-9)
    ends = values["retrieved_share"] + values["expired_share"] + values["abandoned_share"]
    assert ends == pytest.approx(1.0, abs=1e-6)
    assert values["parks_requested_by_hour"].sum() == pytest.approx(values["parks_requested"], rel=1e-9)
    assert values["parks_requested_by_lot"].sum() == pytest.approx(values["parks_requested"], rel=1e-9)
    assert values["occupancy_pmf"].sum() == pytest.approx(1.0, abs=1e-9)
    assert values["calls_offered"] == pytest.approx(formulas(hospital())["calls_offered"].value, rel=1e-9)


def test_without_limits_the_flows_are_the_ideal_switchboard():
    """With 60 slots and unlimited people nothing is refused, and counts are the ideal's (to 2e-3)."""
    free = hospital().with_values(IDEAL)
    values, truth = approximated(free, "load").values, expectations(free).values
    assert values["refused_share"] < 1e-12
    window_s = 3 * 3600.0
    assert values["parks_requested"] == pytest.approx(float(truth["park_requests"]), rel=2e-3)
    assert values["occupancy_mean"] == pytest.approx(float(truth["busy_slot_s"]) / window_s, rel=2e-3)
    assert values["recalls_per_hour"] * 3 == pytest.approx(float(truth["time_outs"]), rel=2e-3)
    hours = slice(9, 12)
    assert values["parks_requested_by_hour"][hours] == pytest.approx(truth["park_requests_by_hour"][hours], rel=5e-3)


def test_expectations_are_the_means_of_replications():
    """Sums without limits: 150 replications, seed 9, 11 sums within 4 standard errors (red once in 1,400 trials)."""
    free = hospital().with_values(IDEAL)
    results = replication.replicate(free, 9, range(150), "simpy")
    found = expectations(free)
    window_s = 3 * 3600.0

    def column(name, of=None):
        return np.array([one[name] * (one[of] if of else 1.0) for one in results])

    seen = {
        "calls": column("calls_offered"),
        "park_requests": column("parks_requested"),
        "retrieved": column("retrieved_share", "parks_made"),
        "hung_up": column("abandoned_share", "parks_made"),
        "returns": column("expired_share", "parks_made"),
        "busy_slot_s": column("occupancy_mean") * window_s,
        "time_outs": column("recalls_per_hour") * 3,
    } | {
        f"{name} {hour}": np.array([one[measure][hour] for one in results])
        for name, measure in (
            ("park_requests_by_hour", "parks_requested_by_hour"),
            ("calls_by_hour", "calls_offered_by_hour"),
        )
        for hour in (9, 11)
    }
    for name, values in seen.items():
        base, _, hour = name.partition(" ")
        truth = found.values[base][int(hour)] if hour else float(found.values[base])
        assert abs(values.mean() - truth) <= 4 * values.std(ddof=1) / math.sqrt(len(values)), name
        assert np.max(found.grid_error[base]) <= 2e-3 * np.max(found.values[base]), name


def test_requests_at_full_are_those_of_a_poisson_number():
    """Constant rate and stays: the share of time, and of requests, with at least C parked is Poisson's tail (1e-4)."""
    lot = scenario("lot-only", run__horizon="5h")
    found = expectations(lot).values
    tail = float(parksim.theory.poisson_at_least(6, np.array([formulas(lot)["offered_erlang"].value]))[0])
    assert float(found["full_s"]) == pytest.approx(tail * 4 * 3600, rel=1e-4)
    assert float(found["requests_at_full"]) == pytest.approx(tail * float(found["park_requests"]), rel=1e-4)


def test_busy_days_are_mixed_over_their_factor():
    """Gauss's nodes have a gamma law's moments; with cv 0.4 the time at full is SciPy's integral of Poisson's tail."""
    lot = scenario("lot-only", run__horizon="5h", arrivals__busy_days={"cv": 0.4})
    nodes, weights = np.array(day_factors(lot)).T
    assert [weights @ nodes**power for power in range(3)] == pytest.approx([1.0, 1.0, 1.16], rel=1e-12)
    offered = formulas(scenario("lot-only"))["offered_erlang"].value
    law = scipy.stats.gamma(1 / 0.16, scale=0.16)
    tail = scipy.integrate.quad(lambda x: law.pdf(x) * scipy.stats.poisson.sf(5, offered * x), 0, 10)[0]
    assert float(expectations(lot).values["full_s"]) == pytest.approx(tail * 4 * 3600, rel=1e-4)
    more = quick(lot, "load").formulas["refused_share"].value
    assert more > 1.2 * formulas(scenario("lot-only"))["refused_share"].value


def test_shares_and_delays_by_the_hour_are_those_of_the_offer():
    """Without handling the requests of an hour are its calls times its share; longer delays fill that hour's slots."""
    shares, factors = [0.5] * 24, [1.0] * 24
    shares[2], factors[3] = 1.0, 2.0
    lot = scenario("lot-only", run__horizon="6h", run__warm_up=0)
    hours = {"parking.probability": shares, "retrieval.delay_factor": factors, "lot.max_in_parking": 3600}
    found = expectations(lot.with_values(hours)).values
    assert found["park_requests_by_hour"][:6] == pytest.approx([60, 60, 120, 60, 60, 60], rel=1e-3)
    usual = expectations(lot.with_values(hours | {"retrieval.delay_factor": [1.0] * 24})).values
    ratio = found["busy_slot_s_by_hour"][:6] / usual["busy_slot_s_by_hour"][:6]
    assert ratio[[0, 1, 2]] == pytest.approx([1.0, 1.0, 1.0], rel=1e-9)
    assert 1.5 < ratio[3] < 2.0 < 1 + ratio[4] < 2.3
    assert typical(lot.with_values(hours)) == pytest.approx((3.5 / 6, 7 / 6), rel=1e-12)


def test_json_says_of_each_measure_how_exact_it_is():
    """The JSON has value, error, whether it is exact, and a verdict; what is undefined is null."""
    answer = json.loads(parksim.quick(scenario("lot-only"), "load").to_json())
    refused = answer["theory"]["refused_share"]
    assert (refused["exact"], refused["within"]) == (True, None)
    assert refused["value"] == pytest.approx(0.03, abs=1e-4)
    assert answer["theory"]["staff_utilisation"]["value"] is None
    assert answer["objectives"] == [{"measure": "refused_share", "target": "< 4 %", "verdict": "met"}]


def test_a_verdict_needs_an_error_that_leaves_no_doubt():
    """The hospital refuses twice what it may and is missed; a target inside the error is undecided."""
    found = quick(hospital(), "chain")
    value, _, within = found.formulas["refused_share"]
    assert within > 0
    for target, verdict in ((value / 10, "missed"), (value + within / 2, "undecided"), (value + 2 * within, "met")):
        asked = hospital().with_values({"objectives": {"refused_share": f"< {target:.6f}"}})
        assert parksim.Quick(asked, found.method, found.formulas).verdict == verdict


def test_the_screen_marks_every_row():
    """Each row of the screen says exact, approximate with its error, or why there is no number."""
    text = screen_text(quick(scenario("lot-only"), "load"))
    lines = [line for line in text.splitlines() if line.startswith("  ")]
    assert sum("exact: " in line or "approximate (" in line for line in lines) == 21
    assert quick_screen(quick(scenario("lot-only"), "load"), "lot-only") is not None
    assert "parksim run SCENARIO" in text


def test_a_method_that_does_not_exist_is_refused():
    """The message names the two there are."""
    with pytest.raises(ArgumentError, match="one of load, chain"):
        quick(Scenario.loads(TEMPLATE), "guess")


def test_files_that_are_not_at_hand_leave_the_reason():
    """A scenario read back from a result has no recorded calls: each row says so."""
    recorded = Scenario.model_validate(json.loads(scenario("recorded").canonical))
    assert {one.value for one in quick(recorded).formulas.values()} == {None}


def test_nobody_on_duty_leaves_the_reasons():
    """Where no attendant works in the window there is no balance to compute, and each row says why it has no value."""
    asleep = scenario("lot-only").with_values({"attendants.count": [0] * 23 + [3], "run.horizon": "2h"})
    found = quick(asleep)
    assert all(one.value is not None or one.reason for one in found.formulas.values())
    assert found.formulas["refused_share"].value is None


def test_no_bound_passes_the_slots():
    """Ten calls a second for the overload's attendants: no more slots are busy than there are."""
    crowded = scenario("overload").with_values({"arrivals.rate": "10/s", "run.horizon": "1h", "run.warm_up": 0})
    found = quick(crowded, "load")
    low, high = found.bounds("occupancy_mean")
    assert low <= high <= crowded.lots[0].slots


def test_a_queue_that_outgrows_the_chain_has_no_made_up_wait():
    """Twice the calls that the attendants can answer and nobody hangs up: no number stands for a wait that grows."""
    lasting = {"queue.patience": "unlimited", "queue.limit": "unlimited", "run.horizon": "2h", "run.warm_up": 0}
    full = scenario("overload").with_values(lasting | {"arrivals.rate": "1000/h"})
    found = quick(full, "load")
    assert found.formulas["answer_wait_s_mean"].value is None
    assert "more work than time" in found.formulas["answer_wait_s_mean"].reason
    assert found.formulas["calls_offered"].value == pytest.approx(2000)
    assert quick(full.with_values({"queue.limit": 5}), "load").formulas["answer_wait_s_mean"].value is not None
