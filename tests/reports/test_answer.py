"""The planner's answer: short, in whole calls, the verdict first, and silent about nothing that is badly wrong."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from parksim.catalogue import BY_NAME, SCALARS
from parksim.reports import stories
from parksim.reports.answer import MOST_ALIKE, WIDTH, answer, busiest_hours
from parksim.reports.screen import screen_text
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
    results = [
        result(calls_offered=2000.0, queue_abandoned_share=0.2 + place / 100, answered_within_share=0.9)
        for place in range(3)
    ]
    for goals in ({}, {"refused_share": "< 1 %"}):
        scenario = Scenario.loads(TEMPLATE).with_values({"objectives": goals})
        lines = lines_of(of_results(*results, scenario=scenario))
        assert "Not asked, but badly wrong: 21 % of the callers hang up before an answer." in lines
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
    goals = {name: "< 1e6" if "share" not in name else "< 90 %" for name in SCALARS[:9]}
    scenario = Scenario.loads(TEMPLATE).with_values({"objectives": goals})
    lines = lines_of(of_results(*[result()] * 2, scenario=scenario))
    assert any("and 4 more: --all" in line for line in lines)
    assert len(lines) <= 16


@pytest.mark.parametrize(
    ("calls", "said"), [([90] * 24, ""), ([90] * 22 + [95] * 2, "Busiest from 22 to 23 h (and 1 more")]
)
def test_hours_that_do_not_differ_are_not_told_apart(calls, said):
    """A profile whose hours are equal has no busiest one; of two equal hours both are meant."""
    hourly = {"arrivals": {"kind": "hourly", "calls_per_hour": calls}, "run.horizon": "1d"}
    lines = lines_of(study(Scenario.loads(TEMPLATE).with_values(hourly), 2))
    found = [line for line in lines if "Busiest" in line]
    assert [line[: len(said)] for line in found] == ([said] if said else [])


def test_a_flat_rate_has_no_busiest_hour_and_a_day_has():
    """Of a flat rate most hours may be the busiest; of the hospital's day the forenoon's, and no hour of the night."""
    flat = study(Scenario.load(ROOT / "scenarios" / "lot-only.toml").with_values({"run.horizon": "2d"}), 10)
    assert len(busiest_hours(flat, "occupancy_mean")) > MOST_ALIKE
    assert "No hour is the busiest beyond noise" in stories.story_of(flat).charts[0].finding
    day = busiest_hours(study(Scenario.load(ROOT / "scenarios" / "hospital.toml"), 10), "parks_requested")
    assert 10 in day
    assert not set(range(7)) & set(day)


def test_no_word_lets_a_hang_up_pass_for_no_loss():
    """No hang-up is in the measure of dropped calls, and its words say so."""
    made = study(Scenario.load(ROOT / "scenarios" / "hospital.toml"), 2)
    assert "without hang-ups" in BY_NAME["lost_share"].words
    assert "lost" not in made.formulas["lost_share"].reason


def test_what_is_badly_wrong_is_said_though_no_objective_asks():
    """Two attendants for 85 calls an hour: what no objective asks about is told, what one asks is not repeated."""
    values = {"arrivals.rate": "85/h", "attendants.count": 2, "parking.probability": 0.4, "lot.slots": 4}
    site = Scenario.loads(TEMPLATE).with_values(values)
    told = " ".join(lines_of(study(site, 3)))
    assert "Not asked, but badly wrong:" in told
    assert "of the callers hang up before an answer" in told
    assert "of the calls are answered in time, and no more" in told
    asked = site.with_values({"objectives": {"queue_abandoned_share": "< 5 %"}})
    told = " ".join(lines_of(study(asked, 3)))
    assert "of the callers hang up before an answer;" not in told
    assert "of the calls are answered in time, and no more" in told


def test_every_reason_stands_once_below_all_measures():
    """``--all``: theory beside each measure, by number; each formula or reason is one line below."""
    text = screen_text(study(Scenario.load(ROOT / "scenarios" / "hospital.toml"), 2))
    notes = re.findall(r"^\[(\d+)\] (.+)$", text, re.MULTILINE)
    assert [int(number) for number, _ in notes] == [*range(1, len(notes) + 1)]
    assert len({reason for _, reason in notes}) == len(notes) > 1
    beside = re.findall(r"\[(\d+)\]$", text, re.MULTILINE)
    assert set(beside) == {number for number, _ in notes}
    assert len(beside) > len(notes)
