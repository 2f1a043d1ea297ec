"""The command line as a user meets it: what it prints, where, and with which exit code."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from parksim import cli
from parksim.measures import SCALARS, VECTORS
from parksim.studies import StudyError

ROOT = Path(__file__).parents[2]
SHORT = ["--set", "run.horizon=2h", "--set", "run.warm_up=10m"]
LOT = str(ROOT / "scenarios" / "lot-only.toml")
HOSPITAL = str(ROOT / "scenarios" / "hospital.toml")
RECORDED = str(ROOT / "scenarios" / "recorded.toml")


def command(capsys, *arguments):
    """Run the command line in this process: exit code, stdout, stderr."""
    code = cli.main(list(arguments))
    out, err = capsys.readouterr()
    return code, out, err


def process(*arguments, **environment):
    """Run the command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "parksim", *arguments],
        capture_output=True,
        check=False,
        env=os.environ | environment,
        timeout=60,
    )


def test_run_shows_one_screen(capsys):
    """A run prints verdicts, estimates with intervals, theory, seed and digest, on fewer lines than a screen has."""
    code, out, err = command(capsys, "run", LOT, "--replications", "3", *SHORT)
    assert (code, err) == (0, "")
    assert len(out.splitlines()) <= 45
    for word in ("refused_share", "Erlang B", "seed 1", "3 replications", "undecided"):
        assert word in out


def test_json_has_the_documented_keys(capsys):
    """The JSON object has the promised keys, every measure, and each estimate its seven fields."""
    code, out, _ = command(capsys, "run", LOT, "--json", "--replications", "3", *SHORT)
    answer = json.loads(out)
    assert code == 0
    assert set(answer) >= {
        "scenario", "seed", "engine", "replications", "warm_up_s", "horizon_s", "cool_down_s", "versions", "estimates",
        "objectives",
    }  # fmt: skip
    assert set(answer["scenario"]) == {"name", "digest"}
    assert set(answer["estimates"]) == {*SCALARS, *VECTORS}
    refused = answer["estimates"]["refused_share"]
    fields = {"mean", "low", "high", "level", "n", "method", "formula", "formula_reason"}
    assert set(refused) >= fields
    assert refused["formula"] == pytest.approx(0.03, abs=0.002)
    assert all(set(element) >= fields for element in answer["estimates"]["occupancy_pmf"])
    assert answer["objectives"][0].keys() == {"measure", "target", "verdict"}


def test_equal_seeds_give_equal_bytes():
    """Neither the number of workers nor the seed of hashes shows in the result, nor in a journal."""
    arguments = ["run", HOSPITAL, "--json", "--replications", "4", *SHORT]
    one = process(*arguments, PYTHONHASHSEED="0")
    two = process(*arguments, "--workers", "2", PYTHONHASHSEED="random")
    assert one.returncode == 0
    assert one.stdout == two.stdout
    journals = [process("journal", HOSPITAL, *SHORT, PYTHONHASHSEED=seed).stdout for seed in ("1", "random")]
    assert journals[0] == journals[1]
    assert process(*arguments, "--seed", "2").stdout != one.stdout


def test_engines_write_one_journal(capsys):
    """The kernel's journal has the rows of SimPy's."""
    rows = [command(capsys, "journal", HOSPITAL, "--engine", engine, *SHORT)[1] for engine in ("simpy", "kernel")]
    assert rows[0].splitlines()[1:] == rows[1].splitlines()[1:]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "nowhere.toml"], "nowhere.toml: there is no such file"),
        (["run", str(ROOT)], "folder"),
        (["run", HOSPITAL, "--sed", "3"], "--seed"),
        (["rum", HOSPITAL], "run"),
        (["run", HOSPITAL, "--seed", "-1"], "whole number from 0"),
        (["run", HOSPITAL, "--seed", "x"], "seed"),
        (["run", HOSPITAL, "--engine", "warp"], "simpy"),
        (["run", HOSPITAL, "--replications", "0"], "replications 0"),
        (["run", HOSPITAL, "--workers", "0"], "workers 0"),
        (["run", HOSPITAL, "--replications", "3", "--precision", "5%"], "exclude"),
        (["run", HOSPITAL, "--precision", "105%"], "from 0 to 1"),
        (["run", HOSPITAL, "--precision", "narrow"], "narrow"),
        (["run", HOSPITAL, "--set", "lot.slots"], "KEY=VALUE"),
        (["run", HOSPITAL, "--set", "lot.slot=3"], "slots"),
        (["run", HOSPITAL, "--out", "result.txt"], ".json"),
        (["run", HOSPITAL, "--out", "nowhere/result.json"], "no folder"),
        (["journal", HOSPITAL, "--replication", "-1"], "from 0"),
        (["journal", HOSPITAL, "--out", "rows.csv"], ".npz"),
        (["check", "nowhere.npz"], "cannot be read"),
        (["validate", HOSPITAL, "--set", "lot.max_in_parking=5"], "10 s to 3600 s"),
        (["erlang", "--offered", "5"], "--slots or --blocking"),
        (["erlang", "--offered", "nan", "--slots", "3"], "finite"),
        (["erlang", "--offered", "5", "--blocking", "often"], "often"),
    ],
)
def test_bad_input_gets_one_message(capsys, arguments, said):
    """Bad input of any kind: exit code 2, one message on stderr that helps, nothing on stdout, no traceback."""
    code, out, err = command(capsys, *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err
    assert len(err.splitlines()) <= 3


def test_strict_turns_verdicts_into_codes(capsys):
    """With --strict a missed objective exits 1 and an undecided one 3; without, both exit 0."""
    run = ["run", LOT, "--replications", "5", *SHORT, "--set"]
    missed = [*run, "objectives.refused_share='< 0.1 %'"]
    undecided = [*run, "objectives.refused_share='< 3 %'"]
    met = [*run, "objectives.refused_share='< 50 %'"]
    assert [command(capsys, *line, "--strict")[0] for line in (missed, undecided, met)] == [1, 3, 0]
    assert command(capsys, *missed)[0] == 0


def test_a_scenario_from_nothing(capsys, tmp_path):
    """What init writes is valid and runs; init overwrites nothing; the schema is JSON."""
    path = tmp_path / "mine.toml"
    assert command(capsys, "init", str(path))[0] == 0
    assert command(capsys, "init")[1] == path.read_text()
    assert command(capsys, "validate", str(path))[0] == 0
    code, _, err = command(capsys, "init", str(path))
    assert code == 2
    assert "exists already" in err
    out = tmp_path / "answer.json"
    assert command(capsys, "run", str(path), "--replications", "2", *SHORT, "--out", str(out))[0] == 0
    assert json.loads(out.read_text())["replications"] == 2
    assert json.loads(command(capsys, "schema")[1])["properties"]["lot"]


@pytest.mark.parametrize("ending", ["jsonl", "npz"])
def test_a_journal_is_checked(capsys, tmp_path, ending):
    """A journal written is one the rules would have written; a changed row is named and exits 1."""
    path = tmp_path / f"rows.{ending}"
    assert command(capsys, "journal", HOSPITAL, *SHORT, "--out", str(path))[0] == 0
    assert command(capsys, "check", str(path))[0] == 0
    if ending == "jsonl":
        lines = path.read_text().splitlines(keepends=True)
        row = next(number for number, line in enumerate(lines) if '"PARKED"' in line)
        lines[row] = lines[row].replace('"slot": 0', '"slot": 1')
        path.write_text("".join(lines))
        code, out, _ = command(capsys, "check", str(path))
        assert code == 1
        assert f"line {row + 1}" in out


def test_erlang(capsys):
    """Ten erlang on fifteen servers lose 3.65 % (printed tables), and 1 % takes eighteen."""
    assert "3.6497% refused" in command(capsys, "erlang", "--offered", "10", "--slots", "15")[1]
    answer = json.loads(command(capsys, "erlang", "--offered", "10", "--blocking", "1%", "--json")[1])
    assert answer["slots"] == 18


def test_what_cannot_be_finished_exits_4(capsys, monkeypatch, tmp_path):
    """A worker that dies, or a disk that refuses, is told in one line and exits 4."""

    def dies(*_, **__):
        raise StudyError("a worker died")

    monkeypatch.setattr(cli, "study", dies)
    code, out, err = command(capsys, "run", HOSPITAL)
    assert (code, out) == (4, "")
    assert "a worker died" in err
    (tmp_path / "full.jsonl").symlink_to("/dev/full")
    code, _, err = command(capsys, "journal", HOSPITAL, *SHORT, "--out", str(tmp_path / "full.jsonl"))
    assert code == 4
    assert "No space left" in err


def test_interrupting_exits_130():
    """Ctrl-C in a long run ends it in one line."""
    arguments = [sys.executable, "-m", "parksim", "run", HOSPITAL, "--replications", "20000", "--engine", "simpy"]
    running = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(3)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=30)
    assert (running.returncode, out) == (130, "")
    assert err.splitlines()[-1] == "parksim: interrupted"
    assert "Traceback" not in err


def test_head_may_leave_early():
    """A reader that has seen enough is no error."""
    line = f"{sys.executable} -m parksim journal {LOT} | head -n 1"
    done = subprocess.run(["bash", "-c", line], capture_output=True, check=False, text=True, timeout=60)
    assert done.stderr == ""
    assert json.loads(done.stdout)["journal"] == "parksim"


def test_help_and_version(capsys):
    """Help names every command; the version is the package's."""
    code, out, _ = command(capsys, "--help")
    assert code == 0
    for name in ("run", "journal", "check", "validate", "schema", "init", "erlang"):
        assert name in out
    assert command(capsys, "--version")[1].strip() == cli.versions()["parksim"]
