"""Screens and pages of plans where something is not known: they show the intervals that their verdicts use."""

import io
import re
from importlib.util import find_spec
from pathlib import Path

import pytest
from rich.console import Console

from parksim.reports.screen_plans import sweep_screen
from parksim.reports.story import of_sweep
from parksim.scenario.model import Scenario
from parksim.studies.sweep import sweep

LOT = Scenario.load(Path(__file__).parents[2] / "scenarios" / "lot-only.toml").with_values({"run.horizon": "3h"})
WIDE = LOT.with_values({"arrivals.rate": '{ value = "120/h", low = "60/h", high = "240/h" }'})
NARROW = LOT.with_values({"arrivals.rate": '{ value = "120/h", low = "119/h", high = "121/h" }'})
ENGINE = "kernel" if find_spec("numba") else "simpy"


def printed(made):
    """Return the screen of a sweep in one line, blanks as one."""
    console = Console(file=io.StringIO(), width=160)
    console.print(sweep_screen(made))
    return " ".join(console.file.getvalue().split())


def rounded_alike(printed_ends, shares):
    """Return shares in per cent with as many decimals as those that are printed."""
    return [f"{100 * one:.{len(end.partition('.')[2])}f}" for end, one in zip(printed_ends, shares, strict=True)]


@pytest.fixture(scope="module")
def wide():
    """A sweep of a rate that is hardly known; 6 slots are undecided by it."""
    return sweep(WIDE, {"lot.slots": (6, 20)}, 6, engine=ENGINE)


def test_a_sweep_prints_the_intervals_of_its_verdicts(wide):
    """Figures in brackets are those of the second interval, to the printed digits; the verdict follows from them."""
    screen = printed(wide)
    assert "estimate (95 % interval, with what is not known)" in screen
    for row in wide.rows:
        slots, wider = row.values["lot.slots"], row.study.with_unknown("refused_share")
        low, high = re.search(rf" {slots} [0-9.]+ % \(([0-9.]+)\.\.([0-9.]+)\)", screen).groups()
        assert [low, high] == rounded_alike([low, high], [wider.low, wider.high])
        verdict = "met" if float(high) < 4 else "missed" if float(low) > 4 else "undecided"
        assert row.study.verdict == verdict
    plain = wide.rows[0].study.estimate("refused_share")
    assert 100 * (wide.rows[0].study.with_unknown("refused_share").high - plain.high) > 1  # the two differ visibly


def test_more_replications_are_told_only_where_chance_leaves_it_open(wide):
    """A rate from half to twice leaves 6 slots undecided: measure it; one known to 1 % does not, chance does."""
    screen = printed(wide)
    assert "1 undecided by what is not known (measure arrivals.rate first)" in screen
    assert "more --replications" not in screen
    by_chance = printed(sweep(NARROW, {"lot.slots": (6, 20)}, 3, engine=ENGINE))
    assert "1 undecided (more --replications would tell)" in by_chance
    assert "by what is not known" not in by_chance


def test_a_page_of_a_sweep_has_the_same_intervals(wide):
    """The sheet of all designs says which intervals it has; where all is known it says nothing of it."""
    sheet = of_sweep(wide, "a.db").tables[0]
    assert sheet.caption == "All designs, intervals with what is not known"
    ends = wide.rows[0].study.with_unknown("refused_share")
    told = re.search(r"\(([0-9.]+) % to ([0-9.]+) %\)", sheet.rows[0][1]).groups()
    assert [*told] == rounded_alike(told, [ends.low, ends.high])
    known = sweep(LOT, {"lot.slots": (6, 20)}, 3, engine=ENGINE)
    assert of_sweep(known, "a.db").tables[0].caption == "All designs"
    assert "not known" not in printed(known)
