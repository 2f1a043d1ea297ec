"""Controls in studies: their means against many draws, and what plans, stores and commands make of them."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import parksim
from parksim.engines.unlimited import TOTALS, totals
from parksim.journal import innovations as surprising
from parksim.scenario.model import TEMPLATE, Scenario
from parksim.scenario.workload import draw
from parksim.studies import controls
from parksim.studies.gather import Execution, gathering
from parksim.studies.ideal import expectations
from parksim.studies.replication import replicate
from parksim.studies.rerun import rerun
from parksim.studies.store import canonical

SCENARIOS = Path(__file__).parents[2] / "scenarios"
SHORT = Scenario.loads(TEMPLATE).with_values({"run.horizon": "130m", "run.warm_up": "10m"})
TIGHT = SHORT.with_values({"lot.slots": 2, "run.horizon": "3h", "attendants.count": 2})
HOURS = [0.3, 0.9] * 12


def shipped(name, values):
    """Return a shipped scenario with some values replaced."""
    return Scenario.load(SCENARIOS / f"{name}.toml").with_values(values)


CASES = {
    "hospital": shipped("hospital", {"run.horizon": "12h"}),
    "contact-centre": shipped("contact-centre", {}),
    "two lots": shipped("two-organisations", {"run.horizon": "4h"}),
    "hours": shipped("warehouse", {"parking.probability": HOURS, "retrieval.delay_factor": HOURS}),
    "elsewhere": shipped("hospital", {"run.horizon": "12h", "recall.to": "elsewhere"}),
    "busy days": shipped("warehouse", {"arrivals.busy_days": {"cv": 0.3}}),
}


@pytest.mark.parametrize("name", CASES)
def test_the_means_of_the_sums_are_those_of_many_draws(name):
    """400 draws, seed 9: each |z| <= 4; some 60 comparisons in all, so by chance once in 250 runs of the whole."""
    scenario, window = CASES[name], (CASES[name].warm_up_us, CASES[name].horizon_us)
    drawn = np.array([totals(scenario.settings, draw(scenario, 9, number), window) for number in range(400)])
    known = expectations(scenario)
    for place, sum_of in enumerate(TOTALS):
        if name == "busy days" and sum_of in ("requests_at_full", "full_s"):
            continue  # their mean is an approximation there, and no control
        column, mean = drawn[:, place], float(known.values[sum_of])
        error = column.std(ddof=1) / 20
        assert abs(column.mean() - mean) <= 4 * error + 1e-9, (name, sum_of, column.mean(), mean, error)


def innovations_of(scenario, number, seed):
    """Return the controls of mean 0 of one replication."""
    (result,) = replicate(scenario, seed, [number], "simpy", with_controls=True)
    return result[controls.NAME][len(TOTALS) :]


@pytest.mark.slow
@pytest.mark.parametrize(
    "values",
    [{}, {"parking.probability": HOURS, "retrieval.staff": 1, "recall.to": "group"}, {"recall.to": "elsewhere"}],
)
def test_what_is_beyond_expectation_is_nothing_on_average(values):
    """150 replications of a lot that is often full, seed 3: each |z| <= 4, also where people are few."""
    found = np.array([innovations_of(TIGHT.with_values(values), number, 3) for number in range(150)])
    z = found.mean(axis=0) / (found.std(axis=0, ddof=1) / math.sqrt(len(found)))
    assert np.all(np.abs(z) <= 4), z
    assert np.all(found.std(axis=0) > 0.5)


OVERFLOWING = shipped(
    "two-organisations",
    {
        "run.horizon": "2h",
        "arrivals.rate": "700/h",
        "attendants.count": 20,
        "recall.never": 0,
        "parking.probability": 0.9,
        "lot.firm.weight": 0,
        "lot.clinic.slots": 2,
        "lot.firm.slots": 2,
        "lot.clinic.max_in_parking": "30s",
        "lot.firm.max_in_parking": "30s",
        "lot.clinic.patience": {"kind": "exponential", "mean": "15s"},
        "lot.firm.patience": {"kind": "exponential", "mean": "600s"},
    },
)
"""Two full lots; all that is parked in the second one has overflowed, and is of callers who soon hang up."""


def test_an_overflowed_call_has_the_clocks_of_its_own_lot_and_of_all_its_stays():
    """40 replications, seed 3: each |z| <= 4; with the law of the lot in which it is parked one z is above 30."""
    found = np.array([innovations_of(OVERFLOWING, number, 3) for number in range(40)])
    z = found.mean(axis=0) / (found.std(axis=0, ddof=1) / math.sqrt(len(found)))
    assert np.all(np.abs(z) <= 4), z


@pytest.mark.slow
def test_a_wrong_expectation_is_seen(monkeypatch):
    """The same with hazards that are a quarter too great: |z| is far above 4, so the test above can fail."""
    right = surprising._hazards
    monkeypatch.setattr(surprising, "_hazards", lambda *how: 1.25 * right(*how))
    found = np.array([innovations_of(TIGHT, number, 3) for number in range(150)])
    z = found.mean(axis=0) / (found.std(axis=0, ddof=1) / math.sqrt(len(found)))
    assert min(abs(z[1]), abs(z[2])) > 4


def test_controls_narrow_the_interval_and_say_so():
    """Thirty replications of the hospital with a short day: occupancy by a factor 2 at least, each in its method."""
    scenario = CASES["hospital"]
    plain = parksim.study(scenario, 30, controls=False, engine="kernel")
    study = parksim.study(scenario, 30, engine="kernel", controls=True)
    for name in ("occupancy_mean", "expired_share", "attendant_utilisation", "parked_s_mean", "recalls_per_hour"):
        assert study.estimate(name).half_width < plain.estimate(name).half_width / 2, name
        assert "control" in study.estimate(name).method
        assert "control" not in plain.estimate(name).method
    assert study.estimate("calls_offered") == plain.estimate("calls_offered")
    assert study.has_controls
    assert not plain.has_controls


def test_without_controls_the_measures_and_the_estimates_are_the_plain_ones():
    """The measures are the same to the last bit, and the plain study is that of the measures alone."""
    plain, study = (parksim.study(SHORT, 10, seed=4, engine="simpy", controls=on) for on in (False, True))
    stripped = [controls.without(one) for one in study.results]
    assert list(map(str, plain.results)) == list(map(str, stripped))
    assert all(controls.NAME in one for one in study.results)
    assert plain.request()["controls"] is False


def test_a_share_of_few_events_is_not_corrected():
    """Refusals so rare that a regression would mislead have the interval of few events."""
    study = parksim.study(SHORT.with_values({"lot.slots": 5}), 20, seed=1, engine="simpy", controls=True)
    assert 0 < study.estimate("refused_share").mean < 0.01
    assert study.estimate("refused_share").method == "binomial"


def test_recorded_calls_have_the_controls_whose_mean_needs_no_calls():
    """What recorded calls do on average is not known; what is beyond expectation has the mean 0 all the same."""
    study = parksim.study(shipped("recorded", {}), 12, engine="simpy", controls=True)
    assert not study.measured.deviations.of("occupancy_mean")
    assert len(study.measured.deviations.of("refused_share")) == 3
    assert "control" not in study.estimate("occupancy_mean").method
    why = "what recorded calls would do without limits is not known on average"
    assert study.how_controlled == f"estimates corrected by controls where their mean is known ({why})"
    plain = replace(study, results=tuple(map(controls.without, study.results)))
    assert plain.how_controlled == "plain estimates, without controls"  # that was wanted, whatever is known


@pytest.mark.slow
def test_differences_are_corrected_on_both_sides():
    """Common random numbers and controls together: fewer calls that nobody fetches shorten the time parked."""
    base = CASES["hospital"]
    other = base.with_values({"retrieval.never": 0.1})
    plain, compared = (parksim.compare(base, other, 20, engine="kernel", controls=on) for on in (False, True))
    one, sharper = (each.differences["parked_s_mean"] for each in (plain, compared))
    assert (one.method, sharper.method) == ("paired-t", "paired-control-t")
    assert sharper.half_width < one.half_width / 1.5
    assert abs(sharper.mean - one.mean) < one.half_width + sharper.half_width


@pytest.mark.slow
def test_a_resumed_study_is_the_same_to_the_byte_and_old_records_are_run_again(tmp_path):
    """With controls a record without them does not count; without them one that has them does."""
    path = tmp_path / "runs.db"
    parksim.study(SHORT, 3, engine="simpy", store=path, controls=False)
    parksim.study(SHORT, 4, engine="simpy", store=path, controls=True)
    resumed = parksim.study(SHORT, 6, engine="simpy", store=path, controls=True)
    assert resumed.to_json() == parksim.study(SHORT, 6, engine="simpy", controls=True).to_json()
    assert parksim.load(path).to_json() == resumed.to_json()
    again = rerun(path)
    assert again.same, again.differences
    with gathering(Execution(engine="simpy", store=path, controls=False), [SHORT], 6) as gatherer:
        (stored,) = gatherer.results([SHORT], range(6))
    assert (gatherer.ran, gatherer.reused) == (0, 6)
    assert list(map(canonical, stored)) == [canonical(controls.without(one)) for one in resumed.results]


@pytest.mark.slow
def test_a_written_result_is_made_again_as_it_was(tmp_path):
    """A ``.json`` remembers whether it has controls; one of before them has none."""
    for on in (True, False):
        path = tmp_path / f"{on}.json"
        path.write_text(parksim.study(SHORT, 5, engine="simpy", controls=on).to_json() + "\n", encoding="utf-8")
        assert rerun(path).same
    content = json.loads(path.read_text(encoding="utf-8"))
    del content["request"]["controls"]
    path.write_text(json.dumps(content), encoding="utf-8")
    assert [one.split(":")[0] for one in rerun(path).differences] == ["request, controls"]
