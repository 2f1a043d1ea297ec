"""The story of a report: what it says of designs, lots and answers, before anyone lays it out."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

import parksim
from parksim.reports.screen import shown
from parksim.reports.stories import story_of

ROOT = Path(__file__).parents[2]
HOSPITAL = parksim.Scenario.load(ROOT / "scenarios" / "hospital.toml").with_values({"run.horizon": "12h"})


def test_what_the_answer_changes_is_paired():
    """Against the scenario as it stands each change is the paired difference, where it is one."""
    scenario = HOSPITAL.with_values({"run.horizon": "11h", "objectives": {"refused_share": "< 2.2 %"}})
    swept = parksim.sweep(scenario, {"lot.slots": [4, 6]}, 4, engine="simpy")
    base, answer = (row.study for row in swept.rows)
    assert (base.verdict, answer.verdict) == ("undecided", "met")
    difference = parksim.studies.compare.compare_results(base, answer).differences["refused_share"]
    told = story_of(swept).details[-1]
    assert told.startswith("Against it, with the very same calls: parks refused because the lot is full: -")
    by, low, high = map(float, re.search(r"(-[\d.]+) percentage points \((-[\d.]+) to (-[\d.]+)\)", told).groups())
    exact = [100 * one for one in (difference.mean, difference.low, difference.high)]
    assert (by, low, high) == pytest.approx(exact, abs=0.05)  # two digits of the interval are shown


def test_a_sweep_without_an_answer_says_so():
    """No design that meets all objectives, and none asked for: each is said; one key gives a map of one row."""
    strict = HOSPITAL.with_values({"objectives": {"expired_share": "< 0.01 %"}})
    swept = parksim.sweep(strict, {"lot.slots": [3, 4]}, 2, engine="simpy")
    story = story_of(swept)
    assert story.headline == "No design meets all objectives."
    assert story.verdict == "missed"
    assert story.choices is None
    assert "(4 slots) misses" in story.details[1]
    assert [chart.heading for chart in story.charts][:2] == [
        "Which designs meet the objectives",
        "What changes with the slots of the lot",
    ]
    free = replace(swept, scenario=strict.with_values({"objectives": {}}))
    assert story_of(free).verdict == ""
    assert "no objective" in story_of(free).headline


def test_several_lots_are_told_apart():
    """Each lot has its row, with the estimates of its own."""
    scenario = parksim.Scenario.load(ROOT / "scenarios" / "two-organisations.toml").with_values({"run.horizon": "2h"})
    study = parksim.study(scenario, replications=2, engine="simpy")
    (lots,) = [sheet for sheet in story_of(study).tables if sheet.caption == "Lot by lot"]
    assert [row[:2] for row in lots.rows] == [("clinic", "3"), ("firm", "4")]
    for number, row in enumerate(lots.rows):
        assert row[2].startswith(shown("parks_requested_by_lot", study.estimates["parks_requested_by_lot"][number])[0])
