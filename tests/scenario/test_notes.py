"""A scenario's comments: whose they are, which mark guesses, and that a result and a written file keep them."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import parksim
from parksim.scenario.comments import Notes, needs_files, notes_of, to_toml

SCENARIOS = sorted((Path(__file__).parents[2] / "scenarios").glob("*.toml"))
TEXT = """\
# First paragraph,
# two lines. The question: is "this # no comment" enough?
#
# Second paragraph.

name = "a # b"            # the name
[run]                     # a table's own comment
horizon = "1h"
[arrivals]
kind = "hourly"
calls_per_hour = [
    1, 2, 3, 4, 5, 6, 7, 8,                  # guess: the night
    9, 9, 9, 9, 9, 9, 9, 9,
    9, 9, 9, 9, 9, 9, 9, 9,                  # counted in May
]
[attendants]
count = 1                 # Guess
handling = { kind = "lognormal", median = "37s", sigma = 0.6 }   # guess, a # and more
[parking]
probability = 0.5         # guesswork it is not
[[lot]]
name = "ward"
slots = 2                 # guess: of the ward
[[lot]]
name = "firm"
slots = 3                 # of the firm
[retrieval]
delay = "30s"
"""


def test_a_note_belongs_to_its_value():
    """Comments behind values are theirs, whatever stands within quotes; the head stands before the first key."""
    notes = parksim.Scenario.loads(TEXT).notes
    assert notes.head == (
        'First paragraph, two lines. The question: is "this # no comment" enough?',
        "Second paragraph.",
    )
    assert notes.question == 'Is "this # no comment" enough?'
    assert notes.of_keys == {
        "name": "the name",
        "arrivals.calls_per_hour": "guess: the night; counted in May",
        "attendants.count": "Guess",
        "attendants.handling": "guess, a # and more",
        "parking.probability": "guesswork it is not",
        "lot.ward.slots": "guess: of the ward",
        "lot.firm.slots": "of the firm",
    }
    guesses = {key: notes.note(key) for key in notes.of_keys if notes.is_guess(key)}
    assert guesses == {
        "arrivals.calls_per_hour": "the night; counted in May",
        "attendants.count": "",
        "attendants.handling": "a # and more",
        "lot.ward.slots": "of the ward",
    }


def test_a_value_that_is_replaced_loses_its_note():
    """What the file says of its own value is not said of another's."""
    notes = parksim.Scenario.loads(TEXT).with_values({"lot.ward.slots": 4, "attendants.count": 2}).notes
    assert notes.given == ("lot.ward.slots", "attendants.count")
    assert "lot.ward.slots" not in notes.of_keys
    assert "attendants.count" not in notes.of_keys
    assert notes.of_keys["lot.firm.slots"] == "of the firm"


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_a_written_scenario_is_the_same_with_the_same_notes(path):
    """The TOML of a canonical scenario loads as the same scenario, targets and notes as they were."""
    scenario = parksim.Scenario.load(path)
    if needs_files(scenario.canonical):
        assert path.stem == "recorded"
        return
    again = parksim.Scenario.loads(
        to_toml(scenario.canonical, {one.measure: one.text for one in scenario.objectives}, scenario.notes)
    )
    assert again == scenario
    assert again.notes == scenario.notes
    assert {one.text for one in again.objectives} == {one.text for one in scenario.objectives}


PRINTABLE = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=40)


@given(PRINTABLE.filter(str.isprintable), st.text(max_size=60))
@settings(max_examples=60, derandomize=True, deadline=None)
def test_no_name_or_note_breaks_the_written_file(name, note):
    """Whatever a name and a note hold, quotes, signs, line ends, the file loads and has the name."""
    scenario = parksim.Scenario.loads(TEXT).with_values({"run.warm_up": "1m"})
    canonical = json.loads(scenario.canonical) | {"name": name}
    notes = Notes(("Head.",), {"run.warm_up": note}, ())
    again = parksim.Scenario.loads(to_toml(json.dumps(canonical), {}, notes))
    assert again.name == name


def test_a_store_keeps_the_notes(tmp_path):
    """A study or sweep that is read back from its store has its scenario's notes, and its targets as written."""
    scenario = parksim.Scenario.load(SCENARIOS[0].parent / "hospital.toml").with_values({"run.horizon": "1h"})
    parksim.sweep(scenario, {"lot.slots": [4, 5]}, 2, engine="simpy", store=tmp_path / "s.db")
    swept = parksim.load(tmp_path / "s.db")
    assert swept.scenario.notes == scenario.notes
    for row in swept.rows:
        assert {one.text for one in row.study.scenario.objectives} == {"< 1 %", "< 25 %", "> 80 %"}


def test_a_scenario_made_in_python_has_no_notes():
    """Where there is no file there is nothing that it says."""
    scenario = parksim.Scenario.model_validate(json.loads(parksim.Scenario.loads(TEXT).canonical))
    assert scenario.notes == Notes((), {}, ())
    assert notes_of("", {}) == Notes((), {}, ())
