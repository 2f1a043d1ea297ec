"""Words of the trade and of makers in the place of parksim's own: the message names parksim's."""

import re
from pathlib import Path

import pytest
from cases_of_wrong_scenarios import RIGHT

import parksim
from parksim.scenario.model import Scenario, ScenarioError
from parksim.scenario.other_words import other_word

LEFT, RIGHT_QUOTE = "\N{LEFT DOUBLE QUOTATION MARK}", "\N{RIGHT DOUBLE QUOTATION MARK}"
WRONG = [
    ('refused_share = "< 1 %"', 'blocking = "< 1 %"', 'here it is called refused_share; write refused_share = "< 1 %"'),
    ('refused_share = "< 1 %"', '"Service Level" = "> 80 %"', 'write answered_within_share = "> 80 %"'),
    ('refused_share = "< 1 %"', 'ASA = "< 20s"', 'write answer_wait_s_mean = "< 20s"'),
    ("slots = 6", "slots = 6\nAHT = 30", "here it is called handling; write handling = 30 in [attendants]"),
    ('max_in_parking = "180s"', 'maxInParking = "180s"', 'write max_in_parking = "180s"'),
    ('max_in_parking = "180s"', 'timeout = "180s"', 'write max_in_parking = "180s"'),
    ("slots = 6", "positions = 6", "here it is called slots; write slots = 6"),
    ("[attendants]", "[agents]", "here it is called attendants; write [attendants]"),
]
LINES = [
    (f"horizon = {LEFT}1d{RIGHT_QUOTE}", 'has typographic quotes; write horizon = "1d"'),
    ("horizon = 1d", 'has a text without quotes; write horizon = "1d"'),
    ("horizon = 1 day   # a day", 'has a text without quotes; write horizon = "1 day"'),
    ("horizon: 1d", 'has a colon; write horizon = "1d"'),
    ("horizon: 3600", "has a colon; write horizon = 3600"),
    ("horizon = 3600,5", "has a decimal comma; write horizon = 3600.5"),
    ("horizon = { kind = 1,5 }", "has a decimal comma; write 1.5"),
]


@pytest.mark.parametrize(("old", "new", "said"), WRONG)
def test_another_word_is_answered_with_parksims(old, new, said):
    """The one message names the key, and says how to write it here."""
    with pytest.raises(ScenarioError) as caught:
        Scenario.loads(RIGHT.replace(old, new))
    assert len(caught.value.messages) == 1
    assert caught.value.messages[0].endswith(said)


@pytest.mark.parametrize(("line", "said"), LINES)
def test_a_line_as_people_write_it_is_answered_with_the_line_to_write(line, said):
    """A line that is no TOML but clear to everybody: its number, what is wrong, and the line to write."""
    with pytest.raises(ScenarioError) as caught:
        Scenario.loads(RIGHT.replace('horizon = "1d"', line), name="f.toml")
    assert str(caught.value) == f"f.toml, line 3: {line}: {said}"
    if said.endswith(('1d"', 'day"', "3600", "3600.5")):
        assert Scenario.loads(RIGHT.replace('horizon = "1d"', said.partition("write ")[2])).horizon_us > 0


def test_a_number_with_a_decimal_comma_is_shown_with_a_point():
    """A parameter of a law in quotes and with a comma: the message has the number to write."""
    with pytest.raises(ScenarioError, match=r"sigma = '0,6': must be a number; write 0\.6$"):
        Scenario.loads(RIGHT.replace("sigma = 0.6", 'sigma = "0,6"'))


def test_the_glossarys_other_words_lead_somewhere():
    """What the glossary says that others call a key or a measure is answered with parksim's word."""
    page = (Path(parksim.__file__).parent / "glossary.md").read_text(encoding="utf-8")
    rows = [re.split(r" *\| *", line.strip("| ")) for line in page.splitlines() if ";" in line]
    told = {word: [one.strip() for one in meaning.rpartition(";")[2].split(",")] for word, meaning in rows}
    for word in ("attendant", "recall, return", "refused", "slot"):
        for other in told[word]:
            assert other_word(other, "", ()) or other_word(other, "objectives", ("refused_share",)), (word, other)


GOALS = [
    ("refused_share", "< 1", 'everything meets it; 1 is 100 %; did you mean "< 1 %"?'),
    ("refused_share", "<= 1.0", 'everything meets it; 1 is 100 %; did you mean "<= 1.0 %"?'),
    ("answered_within_share", "> 1", 'nothing meets it; 1 is 100 %; did you mean "> 1 %"?'),
    ("attendant_utilisation", "< 100 %", "everything meets it; a share lies from 0 to 1"),
    ("refused_share", "> 0", "everything meets it; a share lies from 0 to 1"),
    ("refused_share", ">= 0 %", "everything meets it; a share lies from 0 to 1"),
    ("refused_share", "< 0", "nothing meets it; a share lies from 0 to 1"),
    ("parks_requested", "> 0", "everything meets it; a measure is never below 0"),
    ("answer_wait_s_mean", "< 0s", "nothing meets it; a measure is never below 0"),
    ("refused_share", "1 %", 'is not an objective; write "< 1 %" for less, "> 1 %" for more'),
    ("refused_share", "less than 1 %", 'is not an objective; write "< 1 %"'),
    ("refused_share", "max. 1 %", 'is not an objective; write "<= 1 %"'),
    ("refused_share", "\N{LESS-THAN OR EQUAL TO} 1 %", 'is not an objective; write "<= 1 %"'),
    ("refused_share", "< 1,5 %", 'is not an objective; write "< 1.5 %"'),
    ("refused_share", "< 5", 'is a share from 0 to 1; for per cent write "< 5 %"'),
]


@pytest.mark.parametrize(("measure", "goal", "said"), GOALS)
def test_a_goal_that_decides_nothing_is_refused(measure, goal, said):
    """What everything meets or nothing can, and what is written otherwise: the message has the goal to write."""
    with pytest.raises(ScenarioError) as caught:
        Scenario.loads(RIGHT.replace('refused_share = "< 1 %"', f'{measure} = "{goal}"'))
    assert len(caught.value.messages) == 1
    assert caught.value.messages[0].endswith(said)


@pytest.mark.parametrize(("goal", "value"), [("<= 0", 0.0), (">= 100 %", 1.0), ("< 99.9 %", 0.999), ("> 0.1 %", 0.001)])
def test_a_strict_goal_that_can_fail_is_taken(goal, value):
    """None at all, and all of them, are goals: both can be missed."""
    scenario = Scenario.loads(RIGHT.replace("< 1 %", goal))
    assert scenario.objectives[0].value == value
    assert Scenario.of_canonical(scenario.canonical) == scenario
