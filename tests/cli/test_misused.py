"""Slips of the hand at the command line: one message in the user's words, and a line to type that works."""

import shlex
from pathlib import Path

import pytest

from parksim.cli import misused
from parksim.cli.main import app, main
from parksim.cli.options import BAD_INPUT, DONE
from parksim.scenario.model import TEMPLATE

TYPED = [
    ("run", "parksim run hospital"),
    ("run s.toml --seed", "parksim run s.toml --seed 7"),
    ("run s.toml --precision -5%", "parksim run s.toml --precision=-5%"),
    ("run s.toml --set lot.slots 5", "parksim run s.toml --set lot.slots=5"),
    ("run s.toml --set lot.slots = 5", "parksim run s.toml --set lot.slots=5"),
    ("run s.toml --set lot.slots= 5 --seed 3", "parksim run s.toml --set lot.slots=5 --seed 3"),
    ("run s.toml --set recall.ring=20 seconds", "parksim run s.toml --set 'recall.ring=20 seconds'"),
    ("run s.toml lot.slots=5", "parksim run s.toml --set lot.slots=5"),
    ("run lot.slots=5 s.toml", "parksim run s.toml --set lot.slots=5"),
    ("run s.toml --lot.slots 5", "parksim run s.toml --set lot.slots=5"),
    ("run s.toml --lot.slots=5 --seed 2", "parksim run s.toml --set lot.slots=5 --seed 2"),
    ("run s.toml \N{EM DASH}set lot.slots=5", "parksim run s.toml --set lot.slots=5"),
    ("run s.toml --replications many", "parksim run s.toml --replications 100"),
    ("run s.toml --replications=1,000", "parksim run s.toml --replications=1000"),
    ("run s.toml 100", "parksim run s.toml --replications 100"),
    ("run s.toml now", "parksim run s.toml"),
    ("s.toml", "parksim run s.toml"),
    ("run s.toml ''", "parksim run s.toml"),
    ("sweep s.toml", "parksim sweep s.toml --over lot.slots=4..12"),
    ("sweep s.toml lot.slots=4..5", "parksim sweep s.toml --over lot.slots=4..5"),
    ("sweep s.toml --over lot.slots 4..5", "parksim sweep s.toml --over lot.slots=4..5"),
    ("erlang --slots 4", "parksim erlang --slots 4 --offered 3.5"),
    ("erlang --offered 3,5 --slots 4", "parksim erlang --offered 3.5 --slots 4"),
    ("report", "parksim report result.db"),
]
"""A wrong line, and the one that is shown instead."""
TOLD = [
    ("compare s.toml", "needs B, a second scenario or result, or --set; type parksim compare s.toml --set lot.slots=8"),
    ("run s.toml --set 'lot.slots = 5 x'", "lot.slots = ' 5 x': must be a whole number"),
    ("run lot.slots=5", "is a value, not a scenario; type: parksim run hospital --set lot.slots=5"),
    ("serve lot.slots", "lot.slots: is a key, not a scenario; the scenario comes first"),
    ("solve lot.slots s.toml --within 4..5", "the scenario comes first: parksim solve s.toml lot.slots"),
    ("solve s.toml lot.slots=4..5 --within 4..5", "type: parksim solve s.toml lot.slots --within 4..5"),
    ("solve s.toml lot.slots --within 4-8", "'4-8' is not a range; write 4..8"),
    ("solve s.toml lot.slots --within 4...8", "'4...8' is not a range; write 4..8"),
    ("solve s.toml lot.max_in_parking --within '1m to 3m'", "write 1m..3m"),
    ("solve s.toml lot.slots --within 4 8", "as in --within 4..16"),
    ("sweep s.toml --over lot.slots=2-8", "'2-8' is not a value; for a range write 2..8"),
    ("sweep s.toml --over 'lot.slots=2 \N{EN DASH} 8'", "for a range write 2..8"),
    ("sweep s.toml --over lot.slots=x", "s.toml: lot.slots = 'x': must be a whole number"),
    ("run s.toml --set parking.probability=0,4", "is not a share; write 0.4"),
    ("run s.toml --set 'recall.ring=2,5 min'", 'is not a duration; write "2.5 min"'),
    ("run s.toml --set arrivals.rate=1,200/h", 'is not a rate; write "1200/h"'),
    ("run s.toml --precision 0,05", "--precision 0,05: is not a share; write 0.05"),
    (
        "run s.toml --set \N{LEFT DOUBLE QUOTATION MARK}lot.slots=5\N{RIGHT DOUBLE QUOTATION MARK}",
        "type --set lot.slots=5",
    ),
    ("run s.toml --set 'objectives.blocking=< 1 %'", 'called refused_share; write refused_share = "< 1 %"'),
    ("run s.toml --set lot.timeout=60", "here it is called max_in_parking; write max_in_parking = 60"),
    ("report s.toml", "is a scenario, not yet a result; type parksim run s.toml --out s.db, then parksim report s.db"),
    ("report hospital -o x.html", "hospital: is a scenario, not yet a result"),
    ("rerun s.toml", "is a scenario, not yet a result"),
    ("report r.json", "report needs -o FILE, where to write; type: parksim report r.json -o r.html"),
    ("report r.json --chart shares", "type: parksim report r.json --chart shares -o r.svg"),
    ("run r.json", "is a result, not a scenario (.toml); type: parksim report r.json -o page.html"),
]
"""A wrong line, and what its message says."""


@pytest.fixture
def told(tmp_path, monkeypatch, capsys):
    """Run a line that is wrong and return its message."""
    monkeypatch.chdir(tmp_path)
    short = TEMPLATE.replace('horizon = "1d"', 'horizon = "10m"').replace('warm_up = "30m"', 'warm_up = "0s"')
    Path("s.toml").write_text(short, encoding="utf-8")
    Path("r.json").write_text("{}", encoding="utf-8")

    def run(line):
        code = main(shlex.split(line))
        out, err = capsys.readouterr()
        assert (code, out) == (BAD_INPUT, ""), line
        assert len(err.splitlines()) <= 2, err
        return err

    return run


@pytest.mark.parametrize(("wrong", "right"), TYPED, ids=[one[0] for one in TYPED])
def test_the_line_to_type_is_shown(told, wrong, right):
    """The message's last line is the user's own, with the slip mended."""
    assert told(wrong).splitlines()[-1] == f"Type: {right}"


@pytest.mark.parametrize(
    "right",
    [
        *sorted(
            {
                right
                for wrong, right in TYPED
                if "=-5%" not in right and "tomorrow" not in right and "100" not in right and "result.db" not in right
            }
        ),
    ],
)
def test_the_line_to_type_is_read(tmp_path, monkeypatch, right):
    """What the message shows is a line that works: it runs as it stands."""
    monkeypatch.chdir(tmp_path)
    short = TEMPLATE.replace('horizon = "1d"', 'horizon = "10m"').replace('warm_up = "30m"', 'warm_up = "0s"')
    Path("s.toml").write_text(short, encoding="utf-8")
    words = shlex.split(right)[1:]
    few = [] if words[0] == "erlang" or "--replications" in right else ["--replications", "2"]
    assert main([*words, *few]) == DONE


@pytest.mark.parametrize(("wrong", "said"), TOLD, ids=[one[0] for one in TOLD])
def test_the_message_has_the_users_words(told, wrong, said):
    """One message says what is wrong with the line, and what to write instead."""
    assert said in told(wrong)


def test_every_word_that_may_be_missing_has_an_example():
    """No message shows VALUE: each place and option that commands ask for by name has a value to show."""
    for command in ("run", "sweep", "solve", "sensitivity", "compare", "journal", "check", "report", "rerun", "replay"):
        for argument in app[command].assemble_argument_collection():
            if argument.index is not None or argument.parameter.required:
                name = argument.name.lstrip("-").upper() if argument.index is not None else argument.name
                assert misused.example(command, name) != "VALUE", (command, name)
