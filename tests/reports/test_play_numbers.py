"""The page that plays measures and estimates what a study does: for the shipped scenarios, and for what is moved."""

import json
import math
import shutil
from pathlib import Path

import pytest
from play_stage import in_node, place_of

import parksim
from parksim.catalogue import SCALARS
from parksim.scenario.model import Scenario
from parksim.studies import compare, controls

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="there is no node here")
SHIPPED = sorted((Path(__file__).parents[2] / "scenarios").glob("*.toml"))
REPLICATIONS = 10
ALL = """((moved) => {
  const runner = new Runner(), base = designOf({}), design = designOf(moved), names = Object.keys(MODEL.measures);
  const made = (of) => many(MODEL.replications, (n) => runner.replicate(of, n));
  const of_base = made(base), of = made(design);
  const one = runner.measured(design, of), other = runner.measured(base, of_base);
  return {
    measures: of.map(({ measures }) => measures), sums: of.map(({ sums }) => sums), means: one.means,
    estimates: Object.fromEntries(names.map((name) => [name, one.estimate(name)])),
    differences: Object.fromEntries(names.map((name) => [name, differenceOf(one, other, name)])),
  };
})"""


def short(file):
    """Return a shipped scenario of at most a day."""
    scenario = Scenario.load(file)
    return (
        scenario.with_values({"run.horizon": "6h", "run.warm_up": "1h"})
        if scenario.expected_calls > 3_000
        else scenario
    )


def played(folder, study, moved):
    """Return what the page computes of a setting, by the keys of the controls."""
    places = {str(place_of(study, key)): value for key, value in moved.items()}
    return in_node(folder, study, f"{ALL}({json.dumps(places)})")


def are_equal(found, study):
    """Compare measures to the last bit but one, all else as far as sums of thousands of terms agree."""
    for here, there in zip(found["measures"], study.results, strict=True):
        for name in SCALARS:
            assert near(here[name], there[name], 1e-13), name
    if study.has_controls:
        means, errors = controls._means(study.scenario)
        for place, name in enumerate(controls.SUMS):
            for here, there in zip(found["sums"], study.results, strict=True):
                assert near(here[name], there[controls.NAME][place], 1e-9, least=100.0), name
            mean = found["means"].get(name, {"mean": None})["mean"]
            assert near(mean, means[place], 1e-9), name
            if mean is not None:
                assert near(found["means"][name]["error"], errors[place], 1e-3, least=1.0), name
    for name in SCALARS:
        estimate = study.estimate(name)
        if estimate.method != "certain":  # what theory is sure of it says of the report's design only
            assert same_estimate(found["estimates"][name], estimate), (name, found["estimates"][name], estimate)


def same_estimate(found, estimate):
    """Say whether two estimates have the same method, point and ends."""
    ends = all(near(found[end], getattr(estimate, end), 1e-9) for end in ("mean", "low", "high"))
    return ends and found["method"] == estimate.method


def near(found, expected, share, least=1e-3):
    """Say whether a number is another one, up to a share of it; null stands for nan and for none."""
    if found is None or expected is None or math.isnan(expected):
        return found is None and (expected is None or not math.isfinite(expected))
    return abs(found - expected) <= share * max(least, abs(expected))


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_the_report_s_own_numbers(tmp_path, file):
    """Ten replications, seed 1: every measure, control, mean of a control and estimate; no difference to itself."""
    study = parksim.study(short(file), REPLICATIONS, seed=1, engine="simpy")
    found = played(tmp_path, study, {})
    are_equal(found, study)
    for name, estimate in found["estimates"].items():
        if study.estimate(name).method == "certain":
            assert estimate["method"] == "certain"
        assert found["differences"][name]["mean"] in (0, None)


MOVED = [
    ("hospital", {"lot.slots": 5}),
    ("hospital", {"lot.max_in_parking": 120, "attendants.count": 4, "retrieval.staff": 3, "lot.when_full": "drop"}),
    ("hospital", {"parking.probability": 0.75, "parking.announcement": 7.5}),
    ("warehouse", {"volume": 1.4, "lot.slots": 5}),
    ("hospital", {"volume": 0.75}),
    ("contact-centre", {"speed": 0.5}),
    ("hospital", {"speed": 1.3, "lot.when_full": "overflow"}),
    ("two-organisations", {"lot.clinic.slots": 2, "lot.firm.max_in_parking": 45, "parking.when_full": "keep"}),
    ("shifts", {"attendants.count": [1] * 7 + [2, 3, 3, 4, 5, 3, 4, 4, 4, 4, 3, 3, 2, 2, 2, 2, 1]}),
    ("recorded", {"lot.slots": 3, "lot.max_in_parking": 60}),
]


@pytest.mark.parametrize(("name", "moved"), MOVED)
def test_what_is_moved_gives_the_numbers_of_a_study_of_it(tmp_path, name, moved):
    """Each control of the page is moved once at least; the same calls, so differences are those of a comparison."""
    file = next(file for file in SHIPPED if file.stem == name)
    scenario = short(file)
    base = parksim.study(scenario, REPLICATIONS, seed=1, engine="simpy")
    other = parksim.study(with_moved(scenario, moved), REPLICATIONS, seed=1, engine="simpy")
    found = played(tmp_path, base, moved)
    are_equal(found, other)
    for measure in SCALARS:
        if measure == "calls_offered" or "certain" in {one.estimate(measure).method for one in (base, other)}:
            continue
        difference = compare.difference(other, base, measure, REPLICATIONS)
        here = found["differences"][measure]
        assert all(near(here[end], getattr(difference, end), 1e-7, least=1.0) for end in ("mean", "low", "high")), (
            measure
        )


def with_moved(scenario, moved):
    """Return a scenario with the values of controls."""
    values = {key: value for key, value in moved.items() if "." in key}
    if "volume" in moved:
        source = scenario.arrivals
        hourly = source.kind == "hourly"
        key, now = ("arrivals.calls_per_hour", source.calls_per_hour) if hourly else ("arrivals.rate", source.rate)
        values[key] = [one * moved["volume"] for one in now] if hourly else f"{now * moved['volume']!r}/s"
    if "speed" in moved:
        delay = scenario.retrieval.delay
        values["retrieval.delay"] = {"kind": "lognormal", "median": delay.median * moved["speed"], "sigma": delay.sigma}
    return scenario.with_values(values)


def test_every_control_is_moved_here():
    """The list above has each kind of control."""
    everything = {what for _, moved in MOVED for what in moved}
    kinds = {"slots", "max_in_parking", "count", "staff", "when_full", "probability", "announcement", "volume", "speed"}
    assert {key.rpartition(".")[2] for key in everything} == kinds
