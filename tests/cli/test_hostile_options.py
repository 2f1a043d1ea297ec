"""Every option of every command with hostile values: one message and exit code 2, never a traceback, never code 1."""

from pathlib import Path

import pytest

from parksim.cli import serve
from parksim.cli.main import app, main
from parksim.cli.options import BAD_INPUT, DONE
from parksim.engines.clocks import VirtualClock
from parksim.scenario.model import TEMPLATE, Scenario
from parksim.server.desk import Desk

HOSTILE = ("x", "", "-1", "1e999", "100%", "nan", "9" * 5000)
WORDS = {
    "run": ("s.toml", "--replications", "2"),
    "quick": ("s.toml",),
    "rare": ("s.toml",),
    "sweep": ("s.toml", "--over", "lot.slots=4..5", "--replications", "2"),
    "solve": ("s.toml", "lot.slots", "--within", "4..5", "--replications", "2"),
    "advise": ("s.toml", "--key", "lot.slots", "--replications", "10"),
    "sensitivity": ("s.toml", "--replications", "2"),
    "compare": ("s.toml", "s.toml", "--replications", "2"),
    "journal": ("s.toml",),
    "validate": ("s.toml",),
    "serve": ("s.toml", "--port", "0"),
    "session": ("--action", "check", "--session", "a.session"),
    "rerun": ("r.json",),
    "report": ("r.json", "--out", "r.md"),
    "replay": ("j.jsonl",),
    "calibrate": ("j.jsonl",),
    "import": ("res_parking.conf",),
    "export": ("s.toml", "--for", "asterisk"),
    "check": ("j.jsonl",),
    "erlang": ("--offered", "3", "--slots", "4"),
    "init": (),
    "schema": (),
    "scenarios": (),
    "glossary": (),
}
"""A valid call of each command, in a folder with a scenario, a result of it, a journal and a session."""
UNFINISHED = {("serve", "--host")}
"""Where a wrong word is not known as one before the work: an address that this machine does not have is code 4."""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a scenario of ten minutes, its result, a journal and a session."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        short = TEMPLATE.replace('horizon = "1d"', 'horizon = "10m"').replace('warm_up = "30m"', 'warm_up = "0s"')
        Path("s.toml").write_text(short, encoding="utf-8")
        assert main(["run", "s.toml", "--replications", "2", "--out", "r.json"]) == DONE
        assert main(["journal", "s.toml", "--out", "j.jsonl"]) == DONE
        Desk(Scenario.load("s.toml"), clock=VirtualClock(0), journal=Path("a.session")).close_file()
        assert main(["session", "check", "a.session"]) == DONE
    return folder


def options_of(command):
    """Return (option, whether it takes a value) for each option of a command, hidden ones as well."""
    return [
        (name, argument.hint is not bool)
        for argument in app[command].assemble_argument_collection()
        for name in argument.names
        if name.startswith("--")
    ]


CASES = [(command, option) for command in WORDS for option, takes_value in options_of(command) if takes_value]


def without(words, option):
    """Return the words of a call without an option and its value."""
    place = words.index(option) if option in words else len(words)
    return words[:place] + words[place + 2 :]


def test_every_command_is_tried():
    """No command is left out, and there are dozens of options."""
    assert set(WORDS) == {name for name in app if not name.startswith("-")}
    assert len(CASES) > 60


@pytest.mark.parametrize(("command", "option"), CASES, ids=[f"{command} {option}" for command, option in CASES])
def test_a_hostile_value_is_code_2_or_fine(command, option, made, monkeypatch, capsys):
    """Each hostile value is refused with one message and code 2, or is a value like others (code 0)."""
    monkeypatch.chdir(made)
    monkeypatch.setattr(serve, "_serve", lambda *_: None)
    monkeypatch.delenv("PARKSIM_TOKENS", raising=False)
    for value in HOSTILE:
        before = set(made.iterdir())
        code = main([command, *without(WORDS[command], option), f"{option}={value}"])
        for new in set(made.iterdir()) - before:
            new.unlink()
        err = capsys.readouterr().err
        assert "Traceback" not in err
        wanted = {DONE, BAD_INPUT} | ({4} if (command, option) in UNFINISHED else set())
        assert code in wanted, f"{option}={value}: {code}, {err}"
        assert code == DONE or err.startswith(
            ("parksim: ", "s.toml", f"{value}: there is no such file", ".: is a folder")
        ), err


@pytest.mark.parametrize("command", ["run", "sweep", "solve", "compare"])
@pytest.mark.parametrize("level", ["100%", "0", "x", "nan", "1e999", "-5%"])
def test_a_wrong_level_is_code_2(command, level, made, monkeypatch, capsys):
    """A level is a share between 0 and 1: anything else is one message that names the option."""
    monkeypatch.chdir(made)
    assert main([command, *WORDS[command], f"--level={level}"]) == BAD_INPUT
    assert capsys.readouterr().err.startswith(f"parksim: --level {level}: ")


def test_a_level_sets_the_intervals(made, monkeypatch, capsys):
    """The intervals of run have the requested level."""
    monkeypatch.chdir(made)
    assert main(["run", "s.toml", "--replications", "2", "--level", "80%", "--json"]) == DONE
    assert '"level": 0.8' in capsys.readouterr().out
