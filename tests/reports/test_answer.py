"""The planner's answer: short, in whole calls, the verdict first, and silent about nothing that is badly wrong."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from parksim.catalogue import SCALARS
from parksim.reports.answer import WIDTH, answer
from parksim.scenario.model import TEMPLATE, Scenario
from parksim.scenario.sections import Hourly
from parksim.studies.study import study
from tests.reports.test_report import result
from tests.reports.test_report import study as of_results

ROOT = Path(__file__).parents[2]


def lines_of(made, name="s.toml"):
    """Return the lines of an answer on a screen of 80 columns."""
    file = io.StringIO()
    Console(file=file, width=WIDTH, color_system=None, highlight=False).print(answer(made, name))
    return [line.rstrip() for line in file.getvalue().splitlines()]


@pytest.mark.parametrize("path", sorted(ROOT.glob("scenarios/*.toml")), ids=lambda path: path.stem)
def test_every_shipped_scenario_has_a_short_answer(path):
    """At most 16 lines of 80 columns for each shipped scenario; the second or third line is the verdict."""
    values = {} if path.stem in {"recorded", "hospital", "shifts"} else {"run.horizon": "3h", "run.warm_up": "1h"}
    lines = lines_of(study(Scenario.load(path).with_values(values), 2), path.stem)
    assert len(lines) <= 16
    assert max(map(len, lines)) <= WIDTH
    assert lines[2].startswith(("Yes:", "No:", "Not decided:", "The scenario sets no objective"))


def test_missed_objectives_come_first_and_name_the_command():
    """What is missed stands above what is met, and the command that finds what would meet it follows."""
    goals = {"expired_share": "< 90 %", "refused_share": "< 1 %"}
    scenario = Scenario.loads(TEMPLATE).with_values({"objectives": goals})
    results = [result(refused_share=0.3 + place / 100, calls_offered=2000.0) for place in range(3)]
    lines = lines_of(of_results(*results, scenario=scenario))
    assert [line.split()[0] for line in lines[4:6]] == ["missed", "met"]
    at = lines.index("What would meet them? Try:")
    assert lines[at + 1] == "  parksim advise s.toml"


def test_one_change_that_would_do_is_named_when_it_is_found_at_once():
    """Five slots refuse 7 %, six 3 % by Erlang's formula, and 4 % are wanted: one more would do."""
    scenario = Scenario.load(ROOT / "scenarios" / "lot-only.toml").with_values({"lot.slots": 5, "run.horizon": "13h"})
    lines = lines_of(study(scenario, 30))
    at = lines.index("Add one slot: 6 instead of 5, and all are met. To confirm it:")
    assert lines[at + 1] == "  parksim advise s.toml"


def test_a_window_is_told_in_whole_calls():
    """1,000 requests of which 2 % are refused are 20 refused; 980 parks of which 10 % come back are 98."""
    one = {"calls_offered": 2000.0, "parks_made": 980.0, "refused_share": 0.02, "expired_share": 0.1}
    told = " ".join(lines_of(of_results(*[result(**one, queue_abandoned_share=0.005)] * 3)))
    assert "2,000 calls, 1,000 parks asked for, 20 refused, 98 come back, 10 give up waiting." in told


def test_what_is_badly_wrong_is_said_unasked():
    """A fifth of the callers hang up before an answer: said where no objective asks, or one about something else."""
    results = [result(calls_offered=2000.0, queue_abandoned_share=0.2 + place / 100) for place in range(3)]
    for goals in ({}, {"refused_share": "< 1 %"}):
        scenario = Scenario.loads(TEMPLATE).with_values({"objectives": goals})
        lines = lines_of(of_results(*results, scenario=scenario))
        assert "Not asked, but badly wrong: 21% of the callers hang up before an answer." in lines
    asked = Scenario.loads(TEMPLATE).with_values({"objectives": {"queue_abandoned_share": "< 3 %"}})
    assert not any("Not asked" in line for line in lines_of(of_results(*results, scenario=asked)))


def test_only_a_profile_by_the_hour_has_a_busiest_hour():
    """A flat rate has no busiest hour: what is noise is not told as a fact."""
    flat, hourly = (Scenario.load(ROOT / "scenarios" / name) for name in ("lot-only.toml", "hospital.toml"))
    assert isinstance(hourly.arrivals, Hourly)
    assert not any("Busiest" in line for line in lines_of(study(flat.with_values({"run.horizon": "3h"}), 2)))
    assert any(line.startswith("Busiest from ") for line in lines_of(study(hourly, 2)))


def test_many_objectives_are_cut_with_a_word():
    """With more than five objectives the answer shows five, and says how many more there are."""
    goals = {name: "< 1" if "share" not in name else "< 90 %" for name in SCALARS[:9]}
    scenario = Scenario.loads(TEMPLATE).with_values({"objectives": goals})
    lines = lines_of(of_results(*[result()] * 2, scenario=scenario))
    assert any("and 4 more: --all" in line for line in lines)
    assert len(lines) <= 16
