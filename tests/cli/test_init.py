"""``parksim init`` asks the questions of a switchboard, marks what it invents, and its first screen hides nothing."""

import io
import json
from pathlib import Path

import pytest

from parksim.cli.main import main
from parksim.cli.options import BAD_INPUT, DONE
from parksim.scenario.drafts import QUESTIONS, draft
from parksim.scenario.model import TEMPLATE, Scenario

SITE = ("--calls", "85", "--attendants", "2", "--parked", "40%", "--stay", "2m", "--slots", "4")
GIVEN = {"attendants.count", "parking.probability", "retrieval.delay", "lot.slots", "lot.max_in_parking"}


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)


class Terminal(io.StringIO):
    """Text that says that it is a terminal."""

    def isatty(self):
        """Say so."""
        return True


def test_a_site_from_init_says_that_its_callers_hang_up(capsys):
    """85 calls an hour and two attendants: the first screen has what is missed among its first lines."""
    assert main(["init", "site.toml", *SITE]) == DONE
    assert main(["run", "site.toml", "--replications", "5"]) == DONE
    lines = capsys.readouterr().out.splitlines()
    missed = [line for line in lines if line.startswith("missed")]
    assert any("callers who hang up" in line for line in missed)
    assert any("calls answered" in line for line in missed)
    assert lines.index(missed[0]) <= 6


def test_what_init_invents_is_a_guess_and_what_was_given_is_not():
    """Each answer stands in the file as given; of the template's own numbers of people every one is marked."""
    assert main(["init", "site.toml", *SITE, "--time-out", "90s"]) == DONE
    scenario = Scenario.load("site.toml")
    assert (scenario.lots[0].slots, scenario.attendants.count, scenario.parking.probability) == (4, 2, 0.4)
    assert (scenario.arrivals.rate * 3600, scenario.retrieval.delay.mean_s, scenario.lots[0].max_in_parking.mean_s) == (
        85,
        120,
        90,
    )
    assert not GIVEN & set(scenario.guesses)
    own = {"attendants.handling", "attendants.talk", "retrieval.never", "recall.never", "caller.patience"}
    assert own <= set(scenario.guesses)
    assert {one.measure: one.text for one in scenario.objectives} == {
        "refused_share": "< 1 %",
        "expired_share": "< 25 %",
        "answered_within_share": "> 80 %",
        "queue_abandoned_share": "< 5 %",
    }


def test_a_days_profile_is_taken_as_such():
    """24 numbers are the calls of each hour."""
    calls = [*range(24)]
    assert main(["init", "site.toml", "--calls", ",".join(map(str, calls))]) == DONE
    assert Scenario.load("site.toml").arrivals.calls_per_hour == tuple(calls)


def test_a_terminal_is_asked_until_the_answer_can_be_used(monkeypatch):
    """Enter takes what stands in brackets, a slip gets its message and the question again, the rest is as given."""
    answers = ["85", "two", "2", "40", "40 %", "2m", "", "", "", "2 %", "", "", ""]
    screen = Terminal()
    monkeypatch.setattr("sys.stdin", Terminal("\n".join(answers) + "\n"))
    monkeypatch.setattr("sys.stderr", screen)
    assert main(["init", "site.toml"]) == DONE
    scenario, told = Scenario.load("site.toml"), screen.getvalue()
    assert all(one.words in told for one in QUESTIONS)
    assert told.count("Attendants who answer them") == told.count("Share of the calls that is parked") == 2
    assert 'write "40%"' in told
    assert (scenario.attendants.count, scenario.parking.probability, scenario.lots[0].slots) == (2, 0.4, 6)
    assert "lot.slots" in scenario.guesses
    assert scenario.objectives[0].text == "< 2 %"


def test_syntax_notes_are_not_quoted_as_sources():
    """A note behind a value of the template is about the value, not about the grammar; its head says nothing."""
    notes = Scenario.loads(draft({})).notes
    assert notes.head == ()
    assert set(notes.of_keys.values()) <= {"guess", "the default of the UAPI"}
    assert Scenario.loads(TEMPLATE).short_digest == "367314af8562"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--slots four", "--slots four: is not a whole number"),
        ("--slots 0", "--slots 0: must be at least 1"),
        ("--attendants 0", "--attendants 0: the number of attendants must be from 1 to 10000"),
        ("--stay 0", "--stay 0: must be above 0"),
        ("--stay 99999999", "--stay 99999999: more than 1e-09 of this law lies beyond 1e9 s"),
        ("--parked 40", '--parked 40: a share must be from 0 to 1; write "40%"'),
        ("--stay 2,5m", '--stay 2,5m: is not a duration; write "2.5m"'),
        ("--calls 1,2,3", "--calls 1,2,3: is not a number of calls"),
        ("--hang-ups 0%", "nothing meets it"),
        ("--from hospital --slots 3", "--from copies a scenario as it is"),
    ],
)
def test_a_wrong_answer_is_one_message_and_no_file(capsys, options, said):
    """One message with the option or the key, code 2, and nothing is written."""
    assert main(["init", "site.toml", *options.split()]) == BAD_INPUT
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert said in err
    assert not Path("site.toml").exists()


def test_the_answers_have_an_option_each():
    """Each question can be answered on the command line, with what stands in its brackets."""
    words = [word for one in QUESTIONS for word in (f"--{one.name.replace('_', '-')}", one.usual)]
    assert main(["init", "all.toml", *words]) == DONE
    assert main(["validate", "all.toml"]) == DONE
    assert json.loads(Scenario.load("all.toml").canonical)["queue"]["target"] == 20
