"""Guesses moved down and up: what each changes is what ``compare`` says of edited files, and noise is called noise."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from parksim.errors import PlanError
from parksim.scenario.model import TEMPLATE, Scenario
from parksim.studies.compare import compare
from parksim.studies.sensitivity import foremost, sensitivity

ENGINE = "kernel" if find_spec("numba") else "simpy"
HOSPITAL = Scenario.load(Path(__file__).parents[2] / "scenarios" / "hospital.toml")
SHORT = {"run.horizon": "12h"}


@pytest.fixture(scope="module")
def hospital():
    """The guesses of the hospital's morning, ten replications of each."""
    return sensitivity(HOSPITAL.with_values(SHORT), 10, engine=ENGINE)


def test_each_guess_is_moved_down_and_up(hospital):
    """All values that the file marks as guesses are there, each with both sides, and nothing else is."""
    keys = {one.key for one in hospital.effects}
    assert {"parking.probability", "arrivals.calls_per_hour", "retrieval.delay", "queue.limit"} <= keys
    assert all(HOSPITAL.notes.is_guess(key) for key in keys)
    assert {len(one.sides) for one in hospital.effects} == {2}
    (share,) = (one for one in hospital.effects if one.key == "parking.probability")
    assert (share.value, [side.value for side in share.sides]) == (0.6, [0.48, 0.72])


@pytest.mark.parametrize("key", ["parking.probability", "arrivals.calls_per_hour"])
def test_a_change_is_that_of_edited_files(hospital, key):
    """To the digit it is what ``compare`` says of the scenario and of one with the moved value, paired or Welch's."""
    (effect,) = (one for one in hospital.effects if one.key == key)
    base = HOSPITAL.with_values(SHORT)
    for side in effect.sides:
        compared = compare(base, base.with_values({key: side.value}), 10, engine=ENGINE)
        for name in hospital.measures:
            assert side.changes[name] == compared.differences[name]


def test_what_moves_nothing_is_named(hospital):
    """The limit of a queue that is never full changes no refusal; the share of callers who are parked does."""
    assert "queue.limit" in hospital.idle
    assert "parking.probability" not in hospital.idle
    sizes = [one.size(hospital.asked[0]) for one in hospital.effects]
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.slow
def test_lists_of_the_hours_and_busy_days_are_moved_as_a_whole():
    """Every hour of a list, and a cv, by a fifth; the change is that of ``compare``, paired where it can be."""
    text = TEMPLATE.replace('rate = "90/h"', 'rate = "90/h"\nbusy_days = { cv = 0.5 }   # guess')
    text = text.replace("probability = 0.6", f"probability = {[0.5, 0.75] * 12}   # guess")
    text = text.replace("never = 0.2 ", f"delay_factor = {[1, 1.5] * 12}   # guess\nnever = 0.2 ")
    scenario = Scenario.loads(text).with_values({"run.horizon": "3h"})
    found = {one.key: one for one in sensitivity(scenario, 4, engine=ENGINE).effects}
    moved = {key: [side.value for side in one.sides] for key, one in found.items()}
    assert moved == {
        "arrivals.busy_days": [{"cv": 0.4}, {"cv": 0.6}],
        "parking.probability": [[0.4, 0.6] * 12, [0.6, 0.9] * 12],
        "retrieval.delay_factor": [[0.8, 1.2] * 12, [1.2, 1.8] * 12],
    }
    for key, effect in found.items():
        side = effect.sides[1]
        compared = compare(scenario, scenario.with_values({key: side.value}), 4, engine=ENGINE)
        assert side.changes["refused_share"] == compared.differences["refused_share"]


def test_the_json_says_what_matters(hospital):
    """Each effect has its values, changes and verdicts; what moves nothing and what changes a verdict are lists."""
    made = hospital.to_dict()
    assert made["move_nothing"] == list(hospital.idle)
    assert made["change_a_verdict"] == list(hospital.deciding)
    assert {"value", "changes", "verdicts"} == set(made["effects"][0]["moved"][0])


def test_a_scenario_without_guesses_says_so():
    """Nothing marked, or one replication: refused with what to write."""
    plain = Scenario.loads("\n".join(line.partition("#")[0] for line in TEMPLATE.splitlines()))
    with pytest.raises(PlanError, match="no value is marked as a guess"):
        sensitivity(plain)
    with pytest.raises(PlanError, match="at least 2 replications"):
        sensitivity(HOSPITAL, 1)


def test_what_cannot_be_moved_is_no_effect():
    """A guess that is a word, and one of the window that is counted, are left out: neither has two sides to compare."""
    text = TEMPLATE.replace('# choice = "lowest"                  #', 'choice = "lowest"  # guess').replace(
        'horizon = "1d"', 'horizon = "2h"  # guess'
    )
    scenario = Scenario.loads(text)
    assert {"lot.choice", "run.horizon"} <= set(scenario.guesses)
    assert not {"lot.choice", "run.horizon"} & {one.key for one in sensitivity(scenario, 2).effects}


def test_what_to_measure_first_is_what_moves_erlangs_formula_most():
    """Rate and share both multiply the load of the hospital's busiest hour; slots and staff are decided, not measured.

    By the formula for 4 slots a fifth more load gives the same refusals, whichever of the two it comes from, and no
    other guess that is measured gives more; of late answers the lot's formula says nothing.
    """
    hospital = Scenario.load(Path(__file__).parents[2] / "scenarios" / "hospital.toml")
    assert {"lot.slots", "retrieval.staff"} < set(hospital.guesses)
    assert set(foremost(hospital, "refused_share")) == {"arrivals.calls_per_hour", "parking.probability"}
    assert foremost(hospital, "answered_within_share") == ()
    assert (
        foremost(hospital.with_values({"lot.slots": 1}), "expired_share") == foremost(hospital, "expired_share") != ()
    )


def test_what_is_decided_is_not_measured_first():
    """Slots move refusals most and stand first in the table; what to measure first leaves them out."""
    made = sensitivity(Scenario.load(Path(__file__).parents[2] / "scenarios" / "hospital.toml"), 4)
    assert made.effects[0].key == "lot.slots"
    assert "lot.slots" not in made.first
    assert set(made.first) < {one.key for one in made.effects} - set(made.idle)
