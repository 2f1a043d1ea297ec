"""``calibrate --counts``: the screen, the two files, and what is asked for by name."""

from pathlib import Path

import pytest

import parksim
from parksim.cli.main import main
from parksim.cli.options import BAD_INPUT, DONE
from parksim.reports.screen_logs import next_lines

COUNTERS = (
    "time,offered,parked,retrieved,returned,abandoned,refused,site\n"
    "8,60,30,25,3,2,1,a\n9,70,33,28,4,2,0,a\n10,80,37,28,5,2,2,a\n11,75,31,28,4,2,0,a\n"
)
GIVEN = "--slots 6 --max-in-parking 180s"


@pytest.fixture
def command(capsys, monkeypatch, tmp_path):
    """Run a command line in a folder with counters; return exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    Path("c.csv").write_text(COUNTERS, encoding="utf-8")

    def ran(line):
        code = main(line.split())
        return code, *capsys.readouterr()

    return ran


def test_the_screen_says_what_counters_tell_and_what_they_do_not(command):
    """Shares as counted, by hand (109, 16 and 8 of 131), limits, the column that is not used, and the next command."""
    code, out, err = command(f"calibrate --counts c.csv {GIVEN} -o site.toml")
    assert (code, err) == (DONE, "")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines[0] == "c.csv: 4 hours, 131 calls parked"
    assert any(line.startswith("71.2 calls an hour (63.2 to 80") for line in lines)
    assert any(line.startswith("83.2 % of the parked calls are fetched (75.7 to 89.2)") for line in lines)
    assert any(line.startswith("12.2 % of the parked calls come back at the time-out (") for line in lines)
    assert any(line.startswith("6.11 % of the parked callers hang up (") for line in lines)
    assert "Not used: the columns site." in lines
    assert "Written: site.toml, and site-draws.csv with 200 sets of values." in lines
    assert lines[-1] == "Next: parksim run site.toml"
    assert lines[-6:-1] == [
        "What the counters cannot tell; write it into site.toml:",
        '[objectives], such as refused_share = "< 1 %"',
        "[attendants] count and handling, the time an attendant needs for a call",
        "Or try a guess first:",
        "parksim run site.toml --set attendants.count=3 --set attendants.handling=40s",
    ]
    assert max(map(len, out.splitlines())) <= 100
    assert parksim.Scenario.load("site.toml").lot.slots == 6
    assert len(Path("site-draws.csv").read_text(encoding="utf-8").splitlines()) == 201
    before = Path("site.toml").read_bytes(), Path("site-draws.csv").read_bytes()
    command(f"calibrate --counts c.csv {GIVEN} -o site.toml")
    assert (Path("site.toml").read_bytes(), Path("site-draws.csv").read_bytes()) == before


def test_the_guess_that_is_offered_can_be_typed(command):
    """The offered line makes three attendants of 40 s a call, and only what is open is asked for: three cases."""
    _, out, _ = command(f"calibrate --counts c.csv {GIVEN} -o site.toml")
    site = parksim.Scenario.load("site.toml")
    guess = site.with_values(dict(word.split("=") for word in out.splitlines()[-2].split() if "=" in word))
    assert (guess.attendants.count, guess.attendants.handling.mean_s) == (3, 40.0)
    answered = site.with_values({"attendants.handling": "30s"})
    assert next_lines("log", answered, Path("a.toml"))[2:5:2] == [
        "  [attendants] count",
        "  parksim run a.toml --set attendants.count=3",
    ]
    staffed = next_lines("log", site.with_values({"attendants.count": 2}), Path("a.toml"))
    assert (len(staffed), staffed[-1]) == (3, "Next: parksim run a.toml")


def test_unlikely_counters_are_named_on_the_screen(command):
    """36 parked of 20 offered: possible, so exit code 0, and the screen says what would explain it."""
    Path("c.csv").write_text("time,offered,parked,retrieved,returned\n8,20,36,28,5\n", encoding="utf-8")
    code, out, _ = command(f"calibrate --counts c.csv {GIVEN} -o site.toml")
    assert code == DONE
    assert "Unlikely: in 1 of 1 hours more calls were parked than came in (line 2: 36 parked, 20 offered)" in out


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("calibrate", "parksim calibrate --counts FILE"),
        (f"calibrate log.csv --counts c.csv {GIVEN}", "LOG is for the log of single calls"),
        (f"calibrate --counts c.csv {GIVEN} --lot a", "--lot is for the log of single calls"),
        (f"calibrate --counts c.csv {GIVEN} --tolerance 1s", "--tolerance is for the log"),
        ("calibrate --counts c.csv --slots 6", "add --max-in-parking 180s"),
        ("calibrate --counts c.csv --max-in-parking 180s", "add --slots 10"),
        (
            "calibrate --counts c.csv",
            "add --slots 10 and --max-in-parking 180s, as the lot is configured: parksim calib",
        ),
        ("calibrate --counts c.csv", ": parksim calibrate --counts c.csv --slots 10 --max-in-parking 180s\n"),
        ("calibrate --counts c.csv --slots 6 -o s.toml", "c.csv --slots 6 --max-in-parking 180s -o s.toml\n"),
        ("calibrate --counts c.csv --max-in-parking 180s --slots 0", "--slots 0: from 1 to 10000"),
        ("calibrate --counts c.csv --slots 6 --max-in-parking unlimited", "only by the time-out"),
        ("calibrate --counts c.csv --slots 6 --max-in-parking 1d", "from 1s to 12h"),
        ("calibrate --counts c.csv --slots 6 --max-in-parking soon", "--max-in-parking soon"),
        (f"calibrate --counts c.csv {GIVEN} --choice best", "choose one of lowest"),
        (f"calibrate --counts d.csv {GIVEN}", "did you mean c.csv?"),
        (f"calibrate --counts . {GIVEN}", "is a folder"),
        (f"calibrate --counts c.csv {GIVEN} -o c.csv", "ends in .toml"),
        ("calibrate --counts c.csv --slots 1 --max-in-parking 180s", "check --slots"),
    ],
)
def test_what_is_missing_or_wrong_is_asked_for_by_name(command, line, said):
    """Eighteen wrong calls: exit code 2 and one line that says what to write; nothing is written."""
    before = sorted(Path().iterdir())
    code, out, err = command(line)
    assert (code, out) == (BAD_INPUT, "")
    assert said in err
    assert err.count("\n") == 1
    assert sorted(Path().iterdir()) == before


def test_counters_are_not_written_over(command):
    """A file of draws that would be the counters themselves is refused, and stays."""
    Path("c-draws.csv").write_text(COUNTERS, encoding="utf-8")
    code, _, err = command(f"calibrate --counts c-draws.csv {GIVEN} -o c.toml")
    assert (code, "is the counts itself; name another file" in err) == (BAD_INPUT, True)
    assert Path("c-draws.csv").read_text(encoding="utf-8") == COUNTERS
