"""The JSON Schema says what a file may say: an editor finds no fault where the loader finds none."""

import datetime as dt
import json
import tomllib
from pathlib import Path

import jsonschema
import pytest

from parksim.scenario.schema import schema

SCENARIOS = sorted((Path(__file__).parents[2] / "scenarios").glob("*.toml"))
SITE = """
name = "Site"
run = {{ horizon = "8h" }}
arrivals = {{ kind = "poisson", rate = {rate} }}
attendants = {{ count = 3, handling = {handling}, talk = "1 min" }}
parking = {{ probability = {probability} }}
lot = {{ slots = {slots}, max_in_parking = "2 min" }}
retrieval = {{ delay = "45s" }}
"""
PLAIN = {"rate": '"60/h"', "handling": "40", "probability": "0.4", "slots": "4"}


@pytest.fixture(scope="module")
def validator():
    """What an editor makes of the schema."""
    jsonschema.Draft202012Validator.check_schema(schema())
    return jsonschema.Draft202012Validator(schema())


def faults(validator, text):
    """Return where a scenario does not follow the schema; an editor sees TOML's dates as texts."""
    tables = json.loads(json.dumps(tomllib.loads(text), default=dt.datetime.isoformat))
    return [".".join(map(str, one.absolute_path)) for one in validator.iter_errors(tables)]


@pytest.mark.parametrize("file", SCENARIOS, ids=lambda file: file.stem)
def test_a_shipped_scenario_follows_the_schema(validator, file):
    """Durations with units, laws that are a number alone, several lots, dates: all of them are fine."""
    assert faults(validator, file.read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("rate", '{ value = "60/h", low = "50/h", high = "70/h" }'),
        ("handling", '{ value = "40s", low = "30s", high = "1 min" }'),
        ("handling", '{ kind = "exponential", mean = { value = 40, low = 30, high = 50 } }'),
        ("probability", "{ value = 0.4, low = 0.3, high = 0.5 }"),
        ("slots", "{ value = 4, low = 3, high = 6 }"),
    ],
)
def test_every_kind_of_number_may_have_limits(validator, key, value):
    """A rate, a law that is a number, a law's parameter, a share and a whole number."""
    assert faults(validator, SITE.format(**PLAIN | {key: value})) == []


@pytest.mark.parametrize(
    ("key", "value", "at"),
    [
        ("rate", '{ value = "60/h", low = "50/h" }', "arrivals"),
        ("handling", '{ kind = "exponential", maen = 40 }', "attendants.handling"),
        ("probability", "{ value = 0.4, low = 0.3, high = 0.5, level = 0.9 }", "parking.probability"),
        ("slots", "0", "lot"),
    ],
)
def test_what_the_loader_refuses_is_a_fault(validator, key, value, at):
    """Limits that are not whole, a word that no law has, a limit too many, no slot."""
    assert faults(validator, SITE.format(**PLAIN | {key: value})) == [at]
