"""The command ``advise``: the recommendation first, twenty lines of eighty columns, exit codes, store and JSON."""

import json
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from parksim.cli.main import main
from parksim.cli.options import BAD_INPUT, DONE, MISSED
from parksim.scenario.model import TEMPLATE
from tests.studies.test_planning import stored

ENGINE = ("--engine", "kernel" if find_spec("numba") else "simpy")
SHORT = ("--set", "run.horizon=25h", "--replications", "40", *ENGINE)
SLOTS = ("--key", "lot.slots")


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Return a function that runs the command line in a folder of its own: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        code = main(list(arguments))
        return code, *capsys.readouterr()

    return run


def fits(screen):
    """Return whether a screen has at most twenty lines of eighty columns."""
    lines = [line.rstrip() for line in screen.splitlines()]
    return len(lines) <= 20 and max(map(len, lines)) <= 80


def test_the_recommendation_comes_first(command):
    """Four slots refuse too many: two more, what they change, and how it is known; the second time from the store."""
    call = ("advise", "lot-only", "--set", "lot.slots=4", *SHORT, *SLOTS, "--out", "a.db")
    code, out, _ = command(*call)
    lines = out.splitlines()
    assert (code, fits(out)) == (DONE, True)
    assert lines[:3] == [
        "The lot alone",
        "Add 2 slots: 6 instead of 4. Then all objectives are met.",
        "5 slots would not do.",
    ]
    assert lines[3].startswith("Missed now: parks refused 1")
    assert lines[3].endswith("(wanted < 4 %).")
    assert "better parks refused" in out
    again = " ".join(command(*call)[1].split())
    assert " 0 replications run now, " in again
    assert " from a.db" in again


@pytest.mark.slow
def test_what_is_more_than_needed_is_told_one_key_at_a_time(command):
    """Eight slots are two too many."""
    code, out, _ = command("advise", "lot-only", "--set", "lot.slots=8", *SHORT, *SLOTS)
    assert (code, fits(out)) == (DONE, True)
    assert (
        "Less would still meet them, one key at a time:\n  Drop 2 slots: 6 instead of 8. 5 slots would not do." in out
    )
    code, out, _ = command("advise", "lot-only", *SHORT, *SLOTS)
    assert out.splitlines()[1] == "Nothing is more than needed: less of any key misses an objective, or may."


@pytest.mark.slow
def test_what_is_out_of_reach_is_code_1(command):
    """No time-out meets both targets: which, why, and the two ends of the trade."""
    more = ("--set", "lot.slots=5", "--set", 'objectives.expired_share="< 14 %"', "--key", "lot.max_in_parking")
    code, out, _ = command("advise", "lot-only", *SHORT, *more)
    told = " ".join(out.split())
    assert (code, fits(out)) == (MISSED, True)
    assert out.splitlines()[1] == "No change of one key or two meets all objectives."
    assert "Out of reach: parks refused < 4 %: a time-out of " in told
    assert "would do, but not for: parked calls that come back." in told
    assert "as it is" in out
    assert "a time-out of 1 h" in out


def test_the_json_has_all_of_it(command):
    """Each change has its values, its bound, its objectives and its effects."""
    code, out, _ = command("advise", "lot-only", "--set", "lot.slots=5", *SHORT, *SLOTS, "--json")
    made = json.loads(out)
    (change,) = made["changes"]
    assert (code, made["verdict"], made["keys"]) == (DONE, "missed", ["lot.slots"])
    assert (change["values"], change["now"], change["less"]) == ({"lot.slots": 6}, {"lot.slots": 5}, {"lot.slots": 5})
    assert change["objectives"][0]["verdict"] == "met"
    assert change["effects"]["refused_share"]["side"] == "better"


def test_a_scenario_without_objectives_is_told_what_to_write(command):
    """One message and exit code 2; an unknown key names the right one."""
    Path("s.toml").write_text(TEMPLATE[: TEMPLATE.index("[objectives]")], encoding="utf-8")
    code, out, err = command("advise", "s.toml")
    assert (code, out, len(err.splitlines())) == (BAD_INPUT, "", 1)
    assert 'add [objectives] with lines such as refused_share = "< 1 %"' in err
    code, _, err = command("advise", "lot-only", "--key", "lots.slots")
    assert (code, "did you mean lot.slots?" in err) == (BAD_INPUT, True)


def test_what_is_not_known_is_told(command):
    """The advice takes the values of a scenario for right, and says so where one has limits."""
    text = (Path(__file__).parents[2] / "scenarios" / "lot-only.toml").read_text(encoding="utf-8")
    assert 'rate = "120/h"' in text
    limits = '{ value = "120/h", low = "115/h", high = "125/h" }'
    Path("s.toml").write_text(text.replace('"120/h"', limits), encoding="utf-8")
    short = ("--set", "run.horizon=2h", "--replications", "10", *ENGINE, *SLOTS)
    told = "This holds if the inputs are right: one value is not known for sure."
    assert told in command("advise", "s.toml", *short)[1]
    assert "if the inputs are right" not in command("advise", "lot-only", *short)[1]


@pytest.mark.slow
def test_a_killed_advice_resumes(command):
    """Killed (SIGKILL) while it searches, the same command runs the rest only and gives the same bytes."""
    small = ("lot-only", "--set", "lot.slots=5", "--set", "run.horizon=2h", "--replications", "10", *SLOTS)
    call = ("advise", *small, "--engine", "simpy", "--json", "--out")
    whole = command(*call, "whole.db")
    process = subprocess.Popen([sys.executable, "-m", "parksim", *call, "a.db"], stdout=subprocess.DEVNULL)
    while stored("a.db") < 15 and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    held = stored("a.db")
    assert 15 <= held < stored("whole.db")
    assert command(*call, "a.db")[:2] == whole[:2]
    assert stored("a.db") == stored("whole.db")
    assert " 0 replications run now, " in " ".join(
        command(*[one for one in call if one != "--json"], "a.db")[1].split()
    )
