"""The commands that plan: what they print and write, whoever runs them, and one message for whatever is wrong."""

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import parksim
from parksim import Scenario
from parksim.cli.main import main
from parksim.cli.options import BAD_INPUT, DONE, INTERRUPTED, MISSED, NOT_FINISHED, UNDECIDED
from parksim.results import rows_to_csv
from parksim.scenario.model import TEMPLATE
from parksim.studies.loaded import load
from parksim.studies.store import Store
from parksim.studies.sweep import sweep

SCENARIOS = Path(__file__).parents[2] / "scenarios"
SHORT = ("--set", "run.horizon=30m", "--set", "run.warm_up=0s")
OVER = ("--over", "lot.slots=1..3", "--over", "lot.max_in_parking=60s,2m")
SWEEP = ("sweep", "s.toml", *SHORT, *OVER, "--replications", "3")


@pytest.fixture(autouse=True)
def scenario(tmp_path, monkeypatch):
    """Work in a folder of one's own that holds the template scenario; return its name."""
    monkeypatch.chdir(tmp_path)
    Path("s.toml").write_text(TEMPLATE, encoding="utf-8")
    return "s.toml"


@pytest.fixture
def command(capsys):
    """Return a function that runs the command line here and returns (exit code, stdout, stderr)."""

    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    return run


WRONG = [
    ("no key", "sweep s.toml", "--over"),
    ("a key without values", "sweep s.toml --over lot.slots", "--over lot.slots: write KEY=VALUE"),
    ("an empty list", "sweep s.toml --over lot.slots=", "a value is missing"),
    ("a range upside down", "sweep s.toml --over lot.slots=9..4", "write the smaller end first"),
    ("a key twice", "sweep s.toml --over lot.slots=4 --over lot.slots=5", "--over lot.slots: appears twice"),
    ("a near key", "sweep s.toml --over lot.slotz=4..5", 'did you mean "slots"?'),
    ("a wrong value", "sweep s.toml --over lot.slots=0..3", "lot.slots = 0"),
    ("too many runs", "sweep s.toml --over lot.slots=1..9000 --replications 900", "more than 1,000,000"),
    ("no replications", "sweep s.toml --over lot.slots=4 --replications 0", "--replications 0: at least 1"),
    ("no store", "sweep s.toml --over lot.slots=4 --out x.csv", "--out x.csv: the file's name ends in .db"),
    ("no CSV", "sweep s.toml --over lot.slots=4 --csv x.db", "--csv x.db: the file's name ends in .csv"),
    ("no workers", "sweep s.toml --over lot.slots=4 --workers 0", "--workers 0: from 1 to 256"),
    ("nothing to search", "solve s.toml --within 1..9", "solve searches one key within one range"),
    ("one range for two", "solve s.toml lot.slots lot.first --within 1..9", "or two within two"),
    ("one key twice", "solve s.toml lot.slots lot.slots --within 1..9 --within 1..9", "two different keys"),
    ("three keys", "solve s.toml a b c --within 1..9 --within 1..9 --within 1..9", "or two within two"),
    ("nowhere to search", "solve s.toml arrivals.kind", "say where: --within"),
    ("a value as the range", "solve s.toml lot.slots --within 9", "'9' is not a range"),
    ("one replication", "solve s.toml lot.slots --within 1..9 --replications 1", "--replications 1: at least 2"),
    ("two ways to stop", "solve s.toml lot.slots --within 1..9 --replications 5 --precision 5%", "or a precision"),
    ("a law as a number", "solve s.toml retrieval.delay --within a..b", "'a..b' is not a range"),
    (
        "no second scenario",
        "compare s.toml",
        "parksim: compare needs B, a second scenario or result, or --set; type parksim compare s.toml --set",
    ),
    ("one replication of each", "compare s.toml s.toml --replications 1", "--replications 1: at least 2"),
    ("a missing result", "rerun x.json", "x.json: there is no such file"),
    ("a scenario as a result", "rerun s.toml", "s.toml: is a scenario, not yet a result"),
    ("--set without scenario", "rerun x.db --set lot.slots=3", "x.db: there is no such file"),
    ("a result that is not there", "compare x.json s.toml", "x.json: there is no such file"),
    ("--set on a result", "compare x.json s.toml --set lot.slots=3", "--set changes a scenario"),
    ("another engine", "sweep s.toml --over lot.slots=4 --engine ciw", "choose one of auto, simpy, kernel"),
]


@pytest.mark.parametrize(("arguments", "told"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_bad_input_is_one_message_and_code_2(command, arguments, told):
    """Whatever is wrong with what was given: exit code 2, stdout empty, one short message, and no file is made."""
    code, out, err = command(*arguments.split())
    assert (code, out) == (BAD_INPUT, "")
    assert told in err
    assert len(err.splitlines()) <= 2
    assert [path.name for path in Path().iterdir()] == ["s.toml"]


def test_the_screen_shows_each_design_and_which_meet_all(command):
    """A line a design with its values, its measures and its verdict; then how many meet all, and the first of them."""
    code, out, err = command(*SWEEP, "--out", "a.db")
    lines = out.splitlines()
    assert (code, err) == (DONE, "")
    swept = sweep(
        Scenario.load("s.toml").with_values({"run.horizon": "30m", "run.warm_up": "0s"}),
        {"lot.slots": range(1, 4), "lot.max_in_parking": ("60s", "2m")},
        3,
    )
    for row in swept.rows:
        slots, stay = row.values.values()
        (line,) = [line for line in lines if line.split()[:2] == [str(slots), stay]]
        assert line.split()[-1] == row.study.verdict
    met = sum(row.study.verdict == "met" for row in swept.rows)
    assert f"{met} of 6 designs meet all objectives" in out
    assert "18 replications run now, 0 from a.db" in " ".join(out.split())
    assert "0 replications run now, 18 from a.db" in " ".join(command(*SWEEP, "--out", "a.db")[1].split())


def test_a_sweep_without_objectives_shows_what_matters_most(command):
    """Without objectives there is no verdict, and refused, returned and occupancy are shown."""
    Path("s.toml").write_text(TEMPLATE[: TEMPLATE.index("[objectives]")], encoding="utf-8")
    code, out, _ = command(*SWEEP)
    assert code == DONE
    assert "refused_share" in out
    assert "occupancy_mean" in out
    assert "meet all" not in out
    assert "met" not in out.split()


def test_exports_are_the_same_whoever_ran_them(command):
    """CSV and JSON have the same bytes run here, in two processes, from a store half full, or wholly from it."""
    files = []
    for number, options in enumerate([(), ("--workers", 2), ("--out", "a.db"), ("--out", "a.db")]):
        if number == 2:
            command(*SWEEP[:-1], 2, "--out", "a.db")
        code, out, _ = command(*SWEEP, "--json", "--csv", "x.csv", *options)
        assert code == DONE
        files.append((out, Path("x.csv").read_bytes()))
    assert len(set(files)) == 1
    answer = json.loads(files[0][0])
    assert [row["lot.slots"] for row in answer["rows"]] == [1, 1, 2, 2, 3, 3]
    read = list(csv.DictReader(io.StringIO(files[0][1].decode())))
    assert [float(row["refused_share"]) for row in read] == [row["refused_share"] for row in answer["rows"]]


def test_run_keeps_a_study_in_a_store(command):
    """``run --out x.db`` prints what it prints without, also the second time, and the study is loaded from there."""
    run = ("run", "s.toml", *SHORT, "--replications", 3, "--json")
    expected = command(*run)
    assert command(*run, "--out", "a.db") == command(*run, "--out", "a.db") == expected
    assert load("a.db").to_json() + "\n" == expected[1]
    code, out, _ = command(*run[:-2], 9, "--precision", "5%", "--out", "a.db")
    assert (code, out) == (BAD_INPUT, "")
    assert len(load("a.db").results) == 3


def test_a_cell_is_no_formula():
    """A text that a spreadsheet would run gets an apostrophe; a negative number stays a number."""
    text = rows_to_csv(
        [{"a": start + "cmd|' /C calc'!A0", "b": -1.5, "c": -2} for start in "=+-@\t\r"] + [{"a": "plain"}]
    )
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert [row[0][:2] for row in rows[1:-1]] == ["'" + start for start in "=+-@\t\r"]
    assert [row[1:] for row in rows[1:-1]] == [["-1.5", "-2"]] * 6
    assert rows[-1] == ["plain", "", ""]


def test_a_store_in_use_is_code_4(command):
    """A second sweep into the same store is told who writes it."""
    with Store.open("a.db"):
        code, out, err = command(*SWEEP, "--out", "a.db")
    assert (code, out) == (NOT_FINISHED, "")
    assert err.startswith("parksim: could not finish: a.db: process ")
    assert len(err.splitlines()) == 1


LOT = SCENARIOS / "lot-only.toml"
DAY = ("--set", "run.horizon=25h")
QUICK = ("--engine", "kernel" if find_spec("numba") else "simpy")


def test_solve_prints_the_answer_and_erlangs(command):
    """The lot alone needs six slots for 4 %, so says Erlang; trail, gain and JSON agree; exit code 0."""
    code, out, _ = command("solve", LOT, "lot.slots", "--within", "1..60", *DAY, "--out", "a.db")
    assert code == DONE
    assert "The smallest lot.slots of 1..60 with refused_share < 4 %: 6\n" in out
    assert "A formula says 6: Erlang B, after warm-up" in out
    code, out, _ = command("solve", LOT, "lot.slots", "--within", "1..60", *DAY, "--out", "a.db", "--json")
    answer = json.loads(out)
    assert (code, answer["value"], answer["erlang"]) == (DONE, 6, 6)
    assert {step["value"] for step in answer["trail"]} >= {5, 6}
    assert answer["gain"]["refused_share"]["high"] < 0


def test_solve_tells_by_its_exit_code_that_there_is_no_answer(command):
    """1 when no value meets the objectives, 3 when it is undecided, with what would decide it."""
    code, out, _ = command("solve", LOT, "lot.slots", "--within", "1..3", *DAY)
    assert (code, "lot.slots = 3 still misses refused_share < 4 %" in out) == (MISSED, True)
    near = ("--set", "objectives.refused_share=< 3 %", "--replications", 4)
    code, out, _ = command("solve", LOT, "lot.slots", "--within", "1..60", *DAY, *near)
    assert code == UNDECIDED
    assert "undecided, between 6 and 7" in out
    assert "too near to a target after 4 replications" in out


def test_solve_with_two_keys_prints_a_frontier(command):
    """For two time-outs the least slots with Erlang's beside them; JSON agrees; exit codes 0, 1 and 3."""
    keys = ("lot.slots", "lot.max_in_parking", "--within", "3..7", "--within", "30s..3m:150", *QUICK)
    code, out, _ = command("solve", LOT, *keys, *DAY, "--out", "a.db")
    assert code == DONE
    assert "The smallest lot.slots of 3..7 for each lot.max_in_parking of 30..180 with refused_share < 4 %" in out
    rows = [line.split()[:3] for line in out.splitlines() if line.startswith(("30 ", "180 "))]
    assert rows == [["30", "4", "4"], ["180", "6", "6"]]
    code, out, _ = command("solve", LOT, *keys, *DAY, "--out", "a.db", "--json")
    answer = json.loads(out)
    assert (code, answer["outcome"], answer["keys"]) == (DONE, "found", ["lot.slots", "lot.max_in_parking"])
    assert [(row["lot.max_in_parking"], row["value"], row["erlang"]) for row in answer["rows"]] == [
        (30, 4, 4),
        (180, 6, 6),
    ]
    few = ("lot.slots", "lot.max_in_parking", "--within", "1..3", "--within", "2m..3m:60", *QUICK)
    code, out, _ = command("solve", LOT, *few, *DAY, "--replications", 3)
    assert (code, "lot.max_in_parking = 120: lot.slots = 3 still misses refused_share < 4 %" in out) == (MISSED, True)
    near = ("--set", "objectives.refused_share=< 3 %", "--replications", 4)
    code, out, _ = command("solve", LOT, *keys, *DAY, *near)
    assert (code, "lot.max_in_parking = 180: too near to a target" in out) == (UNDECIDED, True)


def test_solve_finds_the_largest(command):
    """Where small values meet the objectives ``--largest`` finds the last of them, in steps of seconds."""
    options = (*DAY, "--set", "lot.slots=5", "--set", "objectives.refused_share=< 3.4 %", "--largest")
    code, out, _ = command("solve", LOT, "lot.max_in_parking", "--within", "20s..3m:20", *options)
    assert (code, "The largest lot.max_in_parking of 20s..3m with refused_share < 3.4 %: 1m20s\n" in out) == (
        DONE,
        True,
    )


def test_compare_says_how_it_compared(command):
    """One slot more is paired and named; another rate is Welch's; the JSON has the differences."""
    Path("b.toml").write_text(TEMPLATE.replace("\nslots = 6", "\nslots = 7"), encoding="utf-8")
    code, out, err = command("compare", "s.toml", "b.toml", *SHORT, "--replications", 3)
    assert (code, err) == (DONE, "")
    assert "lot.slots: 6 -> 7" in out
    assert "paired: both are offered the same calls" in out
    Path("c.toml").write_text(TEMPLATE.replace('rate = "90/h"', 'rate = "99/h"'), encoding="utf-8")
    code, out, _ = command("compare", "s.toml", "c.toml", *SHORT, "--replications", 3, "--json")
    answer = json.loads(out)
    assert (code, answer["paired"], answer["differences"]["occupancy_mean"]["method"]) == (DONE, False, "welch-t")


def test_unlike_scenarios_are_refused_with_what_differs(command):
    """Two horizons are not compared: exit code 2, and both are named."""
    Path("b.toml").write_text(TEMPLATE.replace('horizon = "', 'horizon = "1'), encoding="utf-8")
    code, out, err = command("compare", "s.toml", "b.toml")
    assert (code, out) == (BAD_INPUT, "")
    assert "do not count over equal times" in err


@pytest.fixture
def results(command):
    """Write two results of run, of six slots and of seven, with seed 1, one of seed 2, and a store of a sweep."""
    for name, options in {"6": (), "7": ("--set", "lot.slots=7"), "2": ("--seed", 2)}.items():
        command("run", "s.toml", *SHORT, "--replications", 6, "--out", f"{name}.json", *options)
    command("run", "s.toml", *SHORT, "--replications", 6, "--out", "6.db")
    command(*SWEEP, "--out", "sweep.db")


@pytest.mark.usefixtures("results")
def test_results_are_made_again(command):
    """A written study, a stored one and a sweep come out the same, wholly and one replication of them; exit code 0."""
    for name, made in [("6.json", "6 replications"), ("6.db", "6 replications"), ("sweep.db", "3 replications of 6")]:
        code, out, err = command("rerun", name)
        assert (code, err) == (DONE, "")
        assert out.startswith(f"{name}: {made}")
        code, out, _ = command("rerun", name, "--replication", 1, "--json")
        answer = json.loads(out)
        assert (code, answer["same"]) == (DONE, True)
        assert {one["replication"] for one in answer["replications"]} == {1}
    expected = parksim.run(Scenario.load("s.toml").with_values({"run.horizon": "30m", "run.warm_up": "0s"}), 1, 1)
    command("rerun", "6.db", "--replication", 1)
    code, out, _ = command("rerun", "6.json", "--replication", 1, "--json")
    assert json.loads(out)["replications"][0]["measures"]["occupancy_mean"] == expected.measures["occupancy_mean"]
    code, out, err = command("rerun", "6.json", "--replication", 6)
    assert (code, out, err) == (BAD_INPUT, "", "parksim: 6.json: has no replication 6; they are numbered from 0 to 5\n")


def test_a_precise_study_is_made_again(command):
    """A study that ran until it was precise is asked for as precisely again."""
    command("run", "s.toml", *SHORT, "--precision", "90%", "--out", "p.json")
    code, out, _ = command("rerun", "p.json")
    assert (code, out.split(" ", 2)[2]) == (DONE, "replications, the same again to the last byte\n")
    assert int(out.split()[1]) >= 25


def changed(name, change):
    """Change a result's object and write it to x.json as it was laid out."""
    result = json.loads(Path(name).read_text(encoding="utf-8"))
    change(result)
    Path("x.json").write_text(json.dumps(result, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return "x.json"


@pytest.mark.usefixtures("results")
def test_what_is_not_the_same_is_named(command):
    """A number, a version, a sum or the layout that differs is named; exit code 1."""
    name = changed("6.json", lambda one: one["estimates"]["occupancy_mean"].update(mean=0.5))
    code, out, _ = command("rerun", name)
    assert (code, len(out.splitlines())) == (MISSED, 2)
    assert "estimates, occupancy_mean, mean: was 0.5, is " in out
    code, out, _ = command("rerun", changed("6.json", lambda one: one["versions"].update(numpy="1.0")))
    assert code == MISSED
    assert out.splitlines()[1].startswith("  version of numpy: was 1.0, is ")
    assert out.splitlines()[2] == "  all else is the same"
    name = changed("6.json", lambda one: one["request"]["sums"].__setitem__(3, "0" * 16))
    assert command("rerun", name, "--replication", 2)[0] == DONE
    code, out, _ = command("rerun", name, "--replication", 3)
    assert (code, "their sum was 0000000000000000, is " in out) == (MISSED, True)
    Path("x.json").write_text(json.dumps(json.loads(Path("6.json").read_text())), encoding="utf-8")
    assert "the layout of the file; its values are the same" in command("rerun", "x.json")[1]
    with Store.open("6.db") as store:
        key, result = next(iter(store.records()))
        store.put({key: result | {"parks_made": 7.0}})
    code, out, _ = command("rerun", "6.db", "--json")
    assert code == MISSED
    assert json.loads(out)["differences"][0].endswith(
        f"replication {key.replication}, parks_made: was 7.0, is {result['parks_made']}"
    )


HOSTILE = [
    lambda one: one.pop("request"),
    lambda one: one["request"].pop("sums"),
    lambda one: one["request"].update(scenario="{}"),
    lambda one: one["request"].update(scenario="[" * 100_000),
    lambda one: one["request"].update(scenario=7),
    lambda one: one["request"].update(replications=10**12),
    lambda one: one["request"].update(replications=None),
    lambda one: one["request"].update(replications=True, precision=None),
    lambda one: one["request"].update(level="high"),
    lambda one: one["request"].update(objectives={"refused_share": "?"}),
    lambda one: one.update(seed=-1),
    lambda one: one.update(engine="ciw"),
    lambda one: one.update(versions=[]),
]


def test_a_file_that_is_no_result_is_bad_input(command):
    """Whatever of a result's request is missing or impossible: exit code 2 and one line."""
    command("run", "s.toml", *SHORT, "--replications", 1, "--out", "6.json")
    for number, change in enumerate(HOSTILE):
        code, out, err = command("rerun", changed("6.json", change))
        assert (code, out) == (BAD_INPUT, ""), number
        assert err == "parksim: x.json: is not a result of parksim run (run --out FILE.json writes one)\n", number


def test_recorded_calls_are_asked_for(command):
    """A result does not hold recorded calls: it says so, and takes the scenario's file; another one is refused."""
    recorded = SCENARIOS / "recorded.toml"
    command("run", recorded, "--replications", 2, "--out", "r.json")
    command("sweep", recorded, "--over", "lot.slots=2..3", "--replications", 2, "--out", "r.db")
    for name in ("r.json", "r.db"):
        code, out, err = command("rerun", name)
        assert (code, out) == (BAD_INPUT, "")
        assert "a file that is not at hand" in err
        assert "--scenario FILE" in err
        assert command("rerun", name, "--scenario", recorded)[0] == DONE
        code, _, err = command("rerun", name, "--scenario", recorded, "--set", "lot.slots=9")
        assert (code, "is of another scenario" in err) == (BAD_INPUT, True)


@pytest.mark.usefixtures("results")
def test_results_are_compared_as_they_are(command):
    """Two results of one seed are paired, of two seeds are Welch's; nothing is run, and the numbers are theirs."""
    code, out, _ = command("compare", "6.db", "7.json", "--json")
    paired = json.loads(out)
    assert (code, paired["paired"], paired["changed"]) == (DONE, True, {"lot.slots": [6, 7]})
    fresh = command("compare", "s.toml", "7.json", *SHORT[:0], "--json")
    assert fresh[0] == BAD_INPUT  # a day against half an hour
    a, b = (json.loads(Path(f"{name}.json").read_text())["estimates"]["occupancy_mean"]["mean"] for name in "67")
    assert paired["differences"]["occupancy_mean"]["mean"] == pytest.approx(b - a, abs=1e-12)
    code, out, _ = command("compare", "6.json", "2.json", "--json")
    welch = json.loads(out)
    assert (code, welch["paired"]) == (DONE, False)
    assert welch["how"] == "Welch: the seeds differ, so each side has replications of its own (seed)"
    command("run", "s.toml", *SHORT, "--set", "arrivals.rate=99/h", "--replications", 6, "--out", "99.json")
    other = json.loads(command("compare", "6.json", "99.json", "--json")[1])
    assert (other["paired"], other["a"]["replications"], other["b"]["replications"]) == (False, 3, 3)
    for arguments, told in [
        (("6.json", "7.json", "--seed", 3), "--seed: two results are compared as they are"),
        (("6.json", "7.json", "--no-controls"), "--no-controls: two results are compared as they are"),
        (("6.json", "7.json", "--controls"), "--controls: two results are compared as they are"),
        (("6.json", "sweep.db"), "holds a sweep of 6 designs"),
    ]:
        code, out, err = command("compare", *arguments)
        assert (code, out) == (BAD_INPUT, "")
        assert told in err


@pytest.mark.usefixtures("results")
def test_a_scenario_is_compared_with_a_result(command):
    """The scenario gets the seed, engine and number of replications of the result, so that they are paired."""
    text = TEMPLATE.replace('horizon = "1d"', 'horizon = "30m"').replace('warm_up = "30m"', 'warm_up = "0s"')
    Path("t.toml").write_text(text.replace("\nslots = 6", "\nslots = 7"), encoding="utf-8")
    mixed = json.loads(command("compare", "2.json", "t.toml", "--json")[1])
    assert (mixed["paired"], mixed["a"]["seed"], mixed["b"]["replications"]) == (True, 2, 6)


AT_WORK = """
import sys
from parksim.cli import main as cli
from parksim.cli import options
from parksim.cli import progress

class Telling(progress.Progress):
    def __call__(self, done, to_do):
        if done >= 1:
            print("at work", flush=True)
        super().__call__(done, to_do)

options.Progress = Telling
sys.exit(cli.main())
"""


@pytest.mark.skipif(os.name != "posix", reason="signals to process groups")
@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_keeps_what_was_stored(workers):
    """Ctrl-C in a sweep: exit code 130, one line that names the store, no process left; the store goes on."""
    arguments = [*SWEEP[:-1], "3000", "--engine", "simpy", "--workers", workers, "--out", "a.db"]
    running = subprocess.Popen(
        [sys.executable, "-c", AT_WORK, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert running.stdout.readline() == b"at work\n"
    os.killpg(running.pid, signal.SIGINT)
    _, err = running.communicate(timeout=30)
    told = b"parksim: interrupted; a.db keeps every finished replication; the same command resumes there\n"
    words = [line for line in err.splitlines(keepends=True) if b" to go\n" not in line]  # a slow machine's progress
    assert (running.returncode, words) == (INTERRUPTED, [told])
    with pytest.raises(ProcessLookupError):
        os.killpg(running.pid, 0)
    with Store.open("a.db") as store:
        assert len(dict(store.records())) > 0
        assert store.verify() == []


@pytest.mark.skipif(find_spec("numba") is None, reason="needs the extra fast")
def test_the_engine_does_not_show_in_the_rows(command):
    """Both engines give the same CSV."""
    files = []
    for engine in ("simpy", "kernel"):
        assert command(*SWEEP, "--engine", engine, "--csv", "x.csv")[0] == DONE
        files.append(Path("x.csv").read_bytes())
    assert files[0] == files[1]


def test_a_scenario_is_compared_with_its_changed_self(command):
    """``--set`` without a second file: the figures of two files; files are named, better and worse come first."""
    text = Path("s.toml").read_text(encoding="utf-8")
    Path("few.toml").write_text(text.replace("slots = 6", "slots = 1"), encoding="utf-8")
    fixed = ("--replications", 3, "--json")
    alone = json.loads(command("compare", "few.toml", "--set", "lot.slots=6", *fixed)[1])
    two = json.loads(command("compare", "few.toml", "s.toml", *fixed)[1])
    assert alone["differences"] == two["differences"]
    code, out, _ = command("compare", "few.toml", "--set", "lot.slots=6", "--replications", 3)
    lines = out.splitlines()
    assert code == DONE
    assert lines[0].startswith("a: few.toml (")
    assert lines[1].startswith("b: few.toml with lot.slots=6 (")
    assert lines[2] == "lot.slots: 1 -> 6"
    better = next(line for line in lines if line.startswith("Better: "))
    assert "parks refused because the lot is full" in better
    assert lines.index(better) < next(place for place, line in enumerate(lines) if line.startswith("Measure"))
    assert any(line.startswith(("Verdicts that change:", "No verdict changes.")) for line in lines)


def test_a_written_result_is_simulated_once_in_a_comparison(command, monkeypatch):
    """A result is not made again before it is compared with a scenario: each side has its replications run once."""
    from parksim.studies import gather

    command("run", "s.toml", "--replications", 3, "--out", "r.json")
    ran = []
    plain = gather.Gatherer.results
    monkeypatch.setattr(
        gather.Gatherer,
        "results",
        lambda self, designs, numbers: ran.append(len(numbers)) or plain(self, designs, numbers),
    )
    monkeypatch.setattr("parksim.studies.rerun.study", lambda *_, **__: pytest.fail("made again"))
    assert command("compare", "r.json", "s.toml")[0] == DONE
    assert ran == [3, 3]


def test_the_cheapest_design_is_named_in_a_stated_order(command):
    """Whatever order the values have, the design that meets all with the smallest first key is named, and the order."""
    command_line = ("sweep", "s.toml", "--over", "lot.slots=40,12,30", "--set", "objectives.expired_share=< 90 %")
    code, out, _ = command(*command_line, "--replications", 3)
    assert code == DONE
    assert "the cheapest of them (smallest lot.slots): lot.slots = 12" in " ".join(out.split())


def test_solve_answers_first_and_needs_no_range(command):
    """The first line is the answer with its unit; the range comes from the scenario; the trail is sorted."""
    code, out, _ = command("solve", LOT, "lot.slots", *DAY)
    lines = out.splitlines()
    assert code == DONE
    assert lines[0].startswith("Answer: 6 slots  (")
    assert "The smallest lot.slots of 1..24 with" in out
    rows = [int(line.split()[0]) for line in lines if line[:1].isdigit()]
    assert rows == sorted(rows)
    assert len(rows) > 2


def test_a_time_out_is_searched_in_steps_that_people_set(command):
    """Durations are tried ten seconds apart unless a step is given, and are written as people write them."""
    line = ("solve", LOT, "lot.max_in_parking", *DAY, "--set", "lot.slots=5", "--largest", "--replications", 2)
    tried = json.loads(command(*line, "--within", "1m..3m", "--json")[1])["trail"]
    assert {step["value"] % 10 for step in tried} == {0}
    fine = json.loads(command(*line, "--within", "60s..90s:1", "--json")[1])["trail"]
    assert any(step["value"] % 10 for step in fine)
    out = command(*line, "--within", "1m..3m")[1]
    assert "of 1m..3m with" in out
    assert "99." not in out


def test_a_key_that_does_not_move_what_is_missed_names_the_one_that_does(command):
    """More slots answer no call sooner: the attendants' key is named, with the command, where no slots will do."""
    goals = ("--set", "objectives.answered_within_share=> 99 %", "--set", "attendants.count=2", "--replications", 3)
    code, out, _ = command("solve", "s.toml", "lot.slots", "--within", "2..6", *SHORT, *goals)
    assert code == MISSED
    assert out.startswith("Answer: none of these values")
    told = " ".join(out.split())
    assert "lot.slots does not move: calls answered within the target. attendants.count does:" in told
    assert "parksim solve s.toml attendants.count" in told


SPANS = {"horizon": "90m", "warm_up": "30m"}
LIMITED = "parking.probability={value=0.6,low=0.45,high=0.75}"


def test_compare_says_limits_as_they_are_written(command):
    """They stand as TOML, which ``--set`` takes again; so they do in the message about unlike times."""
    short = re.sub("(horizon|warm_up) = .*", lambda one: f'{one[1]} = "{SPANS[one[1]]}"', TEMPLATE)
    Path("short.toml").write_text(short, encoding="utf-8")
    code, out, _ = command("compare", "short.toml", "--set", LIMITED, "--replications", 2)
    before = Scenario.loads(TEMPLATE).parking.probability
    changed = f"parking.probability: {before} -> {{ value = 0.6, low = 0.45, high = 0.75 }}"
    assert code == DONE
    assert changed in out.splitlines()
    code, _, err = command("compare", "s.toml", "--set", LIMITED, *SHORT)
    assert code == BAD_INPUT
    assert f"parking.probability: {before} and {{ value = 0.6, low = 0.45, high = 0.75 }}" in err


def test_compare_with_the_value_that_is_there_says_so_and_stops(command):
    """One sentence, exit code 0, and no replication; ``--json`` answers as ever, and another value is compared."""
    code, out, _ = command("compare", "s.toml", "--set", "lot.slots=6", "--out", "same.db")
    assert (code, out) == (DONE, "s.toml has lot.slots=6 already: the two are the same, so nothing was run.\n")
    assert not Path("same.db").exists()
    code, out, _ = command("compare", "s.toml", "--set", "lot.slots=6", "--replications", 2, "--json")
    assert (code, json.loads(out)["changed"]) == (DONE, {})
