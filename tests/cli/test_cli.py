"""The command line: exit codes, one message for whatever is wrong, and answers that are equal for equal seeds."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from parksim.cli.main import main
from parksim.cli.options import BAD_INPUT, DONE, INTERRUPTED, MISSED, NOT_FINISHED, UNDECIDED
from parksim.journal.journal import Journal
from parksim.scenario.drafts import draft
from parksim.scenario.model import TEMPLATE
from parksim.studies import gather, replication

SHORT = ("--set", "run.horizon=30m", "--set", "run.warm_up=0s")
ESTIMATE_KEYS = {"mean", "low", "high", "level", "n", "method", "formula", "formula_reason"}
DOCUMENTED_MEASURES = {
    "calls_offered",
    "parks_requested",
    "parks_made",
    "offered_erlang",
    "refused_share",
    "time_full_share",
    "retrieved_share",
    "expired_share",
    "reused_share",
    "slot_taken_share",
    "reminded_share",
    "resumed_share",
    "stranger_share",
    "abandoned_share",
    "recalls_per_hour",
    "recall_busy_share",
    "recall_answered_share",
    "recall_retrieved_share",
    "recall_abandoned_share",
    "lost_share",
    "queue_abandoned_share",
    "queue_full_share",
    "forwarded_share",
    "occupancy_mean",
    "occupancy_p95",
    "occupancy_max",
    "occupancy_pmf",
    "slot_utilisation",
    "parked_s_mean",
    "parked_s_p50",
    "parked_s_p95",
    "parks_per_call",
    "attendant_utilisation",
    "staff_utilisation",
    "answer_wait_s_mean",
    "answer_wait_s_p95",
    "answered_within_share",
}


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


def process(*arguments, **environment):
    """Run the command line as a process of its own and return it with its output as bytes."""
    return subprocess.run(
        [sys.executable, "-m", "parksim", *map(str, arguments)],
        capture_output=True,
        env=os.environ | environment,
        timeout=60,
        check=False,
    )


def write(name, content):
    """Write bytes to a file and return its name."""
    Path(name).write_bytes(content)
    return name


WRONG = [
    ("no scenario", "run", "parksim: run needs SCENARIO\nType: parksim run hospital"),
    ("a value with a hyphen", "run s.toml --precision -5%", "one that begins with - is written --precision=VALUE"),
    ("a value after a hyphen", "run s.toml --precision=-5%", "--precision -5%: is not a share"),
    ("an unknown command", "runn s.toml", 'Did you mean "run"?'),
    ("an unknown option", "run s.toml --sed 3", "Did you mean --seed?"),
    ("a word too many", "run s.toml extra", "extra"),
    ("a missing file", "run missing.toml", "missing.toml: there is no such file"),
    ("a folder", "run .", "is a folder"),
    ("not a number", "run s.toml --seed abc", "--seed"),
    ("an unknown engine", "run s.toml --engine ciw", "--engine ciw: choose one of auto, simpy, kernel"),
    ("an unknown engine for a journal", "journal s.toml --engine ciw", "choose one of auto, simpy, kernel"),
    ("a negative seed", "run s.toml --seed -1", "--seed -1: a whole number from 0"),
    ("a negative seed for a journal", "journal s.toml --seed -1", "--seed -1: a whole number from 0"),
    ("a negative replication", "journal s.toml --replication -1", "--replication -1: replications are numbered from 0"),
    ("no replications", "run s.toml --replications 0", "--replications 0: at least 1"),
    ("two lengths", "run s.toml --replications 9 --precision 5%", "exclude each other"),
    ("a precision of nothing", "run s.toml --precision 0", "--precision 0: between 0 and 1"),
    ("a precision in words", "run s.toml --precision fine", "--precision fine: is not a share"),
    ("a precision that is no number", "run s.toml --precision nan", "--precision nan: "),
    ("no workers", "run s.toml --workers 0", "--workers 0: from 1 to 256"),
    ("a machine full of workers", "run s.toml --workers 100000", "--workers 100000: from 1 to 256"),
    ("--set without =", "run s.toml --set lot.slots", "--set lot.slots: write KEY=VALUE"),
    ("--set without key", "run s.toml --set =8", "--set =8: write KEY=VALUE"),
    ("--set with a near key", "run s.toml --set lot.slotz=8", 'did you mean "slots"?'),
    ("--set with a wrong value", "validate s.toml --set lot.slots=0", "lot.slots = 0"),
    ("a wrong ending", "run s.toml --out x.txt", "--out x.txt: the file's name ends in .json"),
    ("a wrong ending of a journal", "journal s.toml --out x.csv", "ends in .jsonl or .npz"),
    ("a missing folder", "run s.toml --out gone/x.json", "--out gone/x.json: there is no folder gone"),
    ("a missing folder of a journal", "journal s.toml --out gone/x.npz", "there is no folder gone"),
    ("a folder as the target", "run s.toml --out folder.json", "--out folder.json: is a folder"),
    ("a scenario over another", "init s.toml", "overwrites nothing"),
    ("a scenario in a missing folder", "init gone/x.toml", "gone/x.toml: there is no folder gone"),
    ("neither slots nor blocking", "erlang --offered 3", "give either --slots or --blocking"),
    ("slots and blocking", "erlang --offered 3 --slots 3 --blocking 1%", "give either --slots or --blocking"),
    ("no load", "erlang --slots 3", "erlang needs --offered, such as --offered 3.5"),
    ("a load that is no number", "erlang --offered nan --slots 3", "offered_erlang must be >= 0 and finite"),
    ("an infinite load", "erlang --offered inf --slots 3", "offered_erlang must be >= 0 and finite"),
    ("a negative load", "erlang --offered -3 --slots 3", "offered_erlang must be >= 0 and finite"),
    ("fewer than no slots", "erlang --offered 3 --slots -3", "at least 0"),
    ("slots without end", "erlang --offered 3 --slots 3000000000000", "at most 10,000,000"),
    ("a load without end", "erlang --offered 1e300 --blocking 1%", "1e+300 erlang need more than"),
    ("blocking of nothing", "erlang --offered 3 --blocking 0", "blocking must be in (0, 1]"),
    ("blocking beyond all", "erlang --offered 3 --blocking 700%", "--blocking 700%: "),
    ("blocking in words", "erlang --offered 3 --blocking low", "--blocking low: is not a share"),
    ("blocking that is no number", "erlang --offered 3 --blocking nan", "--blocking nan: "),
    ("no journal", "check missing.jsonl", "missing.jsonl: cannot be read"),
    ("a folder as a journal", "check .", "cannot be read"),
    ("a scenario as a journal", "check s.toml", "line 1: this is no journal of parksim"),
    ("an empty journal", "check empty.jsonl", "the file is empty"),
    ("random bytes", "check bytes.jsonl", "line 1: this is no journal of parksim"),
    ("a broken archive", "check broken.npz", "no journal of parksim, or it is damaged"),
    ("a journal of tomorrow", "check newer.jsonl", "newer"),
    ("a header alone without settings", "check bare.jsonl", "settings"),
]


@pytest.mark.parametrize(("arguments", "told"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_bad_input_is_one_message_and_code_2(command, arguments, told):
    """Whatever is wrong with what was given: exit code 2, stdout empty, one short message that names it."""
    Path("folder.json").mkdir()
    write("empty.jsonl", b"")
    write("bytes.jsonl", bytes(range(256)))
    write("broken.npz", b"PK\x03\x04 and then nothing")
    write("newer.jsonl", b'{"journal": "parksim", "schema": 99}\n')
    write("bare.jsonl", b'{"journal": "parksim", "schema": 1}\n')
    code, out, err = command(*arguments.split())
    assert (code, out) == (BAD_INPUT, "")
    assert told in err
    assert len(err.splitlines()) <= 2
    assert sum(line.startswith("parksim: ") for line in err.splitlines()) <= 1


def test_a_refused_target_is_refused_before_the_work(command, monkeypatch):
    """A target that cannot be is told before any replication runs."""
    monkeypatch.setattr("parksim.studies.study.study", lambda *_, **__: pytest.fail("the work was done"))
    assert command("run", "s.toml", "--out", "gone/x.json")[0] == BAD_INPUT


def test_the_json_has_the_documented_keys(command):
    """``run --json`` is one object with exactly the documented keys, measures and verdicts."""
    code, out, _ = command("run", "s.toml", *SHORT, "--replications", 3, "--json")
    answer = json.loads(out)
    assert code == DONE
    assert set(answer) == {
        *("scenario", "seed", "engine", "replications", "stopped", "warm_up_s", "horizon_s", "cool_down_s"),
        *("versions", "request", "estimates", "objectives"),
    }
    wanted = {"scenario", "objectives", "level", "controls", "replications", "precision", "sums"}
    assert set(answer["request"]) == wanted
    assert set(answer["scenario"]) == {"name", "digest"}
    assert (answer["replications"], answer["seed"], answer["horizon_s"]) == (3, 1, 1800.0)
    by_hour = {name for name in answer["estimates"] if name.endswith("_by_hour")}
    by_lot = {name for name in answer["estimates"] if name.endswith("_by_lot")}
    assert set(answer["estimates"]) - by_hour - by_lot == DOCUMENTED_MEASURES
    assert by_hour
    assert by_lot
    for name, estimate in answer["estimates"].items():
        vector = isinstance(estimate, list)
        assert vector == (name in {"occupancy_pmf", "slot_utilisation"} | by_hour | by_lot), name
        for one in estimate if vector else [estimate]:
            assert set(one) - {"reason"} == ESTIMATE_KEYS | ({"lot"} if name in by_lot else set()), name
            assert one["mean"] is not None or one["reason"], name
    assert [sorted(one) for one in answer["objectives"]] == [["measure", "target", "verdict"]] * 2
    assert {one["verdict"] for one in answer["objectives"]} <= {"met", "missed", "undecided"}


def test_an_infinity_never_stands_in_the_json(command):
    """With one replication there are no intervals: they are null, and the text is JSON by the letter."""
    _, out, _ = command("run", "s.toml", *SHORT, "--replications", 1, "--json")
    answer = json.loads(out, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    mean = answer["estimates"]["occupancy_mean"]
    assert (mean["low"], mean["high"], mean["n"]) == (None, None, 1)


def test_the_file_has_the_bytes_of_the_screen(command):
    """``--out`` writes the object that ``--json`` prints."""
    _, out, _ = command("run", "s.toml", *SHORT, "--replications", 2, "--json", "--out", "x.json")
    assert Path("x.json").read_bytes() == out.encode()


def test_equal_seeds_give_equal_bytes_whatever_the_process(command):
    """Workers, hash seed, locale and process do not show in the answer; another seed does."""
    arguments = ("run", "s.toml", *SHORT, "--replications", 4, "--json")
    expected = command(*arguments)[1].encode()
    assert command(*arguments, "--workers", 2)[1].encode() == expected
    assert command(*arguments, "--seed", 2)[1].encode() != expected
    for hash_seed in ("0", "1", "random"):
        assert process(*arguments, PYTHONHASHSEED=hash_seed).stdout == expected
    assert process(*arguments, "--workers", 2, PYTHONHASHSEED="random", LC_ALL="C").stdout == expected


def test_equal_seeds_give_equal_journals_whatever_the_process(command):
    """A journal's lines depend on scenario, seed and replication alone."""
    arguments = ("journal", "s.toml", *SHORT, "--replication", 3, "--seed", 5)
    expected = command(*arguments)[1].encode()
    assert len(expected.splitlines()) > 50
    for hash_seed in ("0", "1", "random"):
        assert process(*arguments, PYTHONHASHSEED=hash_seed).stdout == expected
    assert command(*arguments[:-1], 6)[1].encode() != expected


def test_both_engines_write_the_same_rows(command):
    """``--engine kernel`` changes the header of a journal and nothing else."""
    pytest.importorskip("numba")
    rows = {}
    for engine in ("simpy", "kernel"):
        header, *rows[engine] = command("journal", "s.toml", *SHORT, "--engine", engine)[1].splitlines()
        assert json.loads(header)["engine"] == engine
    assert rows["simpy"] == rows["kernel"] != []


@pytest.mark.parametrize("words", [("run", "s.toml", "--replications", "2"), ("journal", "s.toml")])
def test_a_slow_kernel_says_so(command, monkeypatch, words):
    """Without Numba ``--engine kernel`` runs, and one line says that it is slow and what helps."""
    monkeypatch.setattr("parksim.studies.replication.find_spec", lambda _: None)
    outs = {engine: command(*words, *SHORT, "--engine", engine) for engine in ("auto", "simpy", "kernel")}
    assert {code for code, _, _ in outs.values()} == {DONE}
    said = {engine: [line for line in err.splitlines() if "Numba" in line] for engine, (_, _, err) in outs.items()}
    assert said == {
        "auto": [],
        "simpy": [],
        "kernel": ["parksim: without Numba the kernel is slower than simpy; pip install 'parksim[fast]'"],
    }


STRICT = [
    (["refused_share=< 99 %", "expired_share=< 99 %"], DONE),
    (["refused_share=< 99 %", "expired_share=> 99 %"], MISSED),
    (["refused_share=< 99 %", "parks_made=< {mean}"], UNDECIDED),
    (["expired_share=> 99 %", "parks_made=< {mean}"], MISSED),
]


@pytest.mark.parametrize(("objectives", "expected"), STRICT)
def test_strict_tells_the_verdict_by_the_exit_code(command, objectives, expected):
    """0 met, 1 missed, 3 undecided, missed before undecided; without ``--strict`` always 0."""
    arguments = ["run", "s.toml", *SHORT, "--replications", 4, "--json"]
    mean = json.loads(command(*arguments)[1])["estimates"]["parks_made"]["mean"]
    text = TEMPLATE[: TEMPLATE.index("[objectives]")] + "[objectives]\n"
    for one in objectives:
        key, _, value = one.format(mean=mean).partition("=")
        text += f'{key} = "{value}"\n'
    Path("s.toml").write_text(text, encoding="utf-8")
    assert command(*arguments)[0] == DONE
    assert command(*arguments, "--strict")[0] == expected


def test_init_validate_run(command):
    """The three first steps of a newcomer work one after the other, and each names the next."""
    assert command("init", "new.toml") == (DONE, "new.toml: written. Next: parksim run new.toml\n", "")
    assert Path("new.toml").read_text(encoding="utf-8") == command("init")[1] == draft({})
    code, out, _ = command("validate", "new.toml")
    assert code == DONE
    assert out.startswith("new.toml: valid. My switchboard (")
    code, out, err = command("run", "new.toml", *SHORT, "--replications", 2)
    assert (code, err) == (DONE, "")
    assert "parks refused" in out
    assert "refused_share" in command("run", "new.toml", *SHORT, "--replications", 2, "--all")[1]


def test_the_next_command_has_the_values_that_were_overridden(command):
    """What was asked with ``--set`` is asked again by the command that is named next."""
    values = ("--set", "lot.slots=1", "--set", "name=Our lot")
    out = command("run", "hospital", *values, "--replications", 4)[1]
    assert "  parksim advise hospital --set lot.slots=1 --set 'name=Our lot'" in out


def test_the_schema_is_json_and_describes_the_template(command):
    """``schema`` prints a JSON Schema with every section of a scenario."""
    code, out, _ = command("schema")
    assert code == DONE
    assert {"run", "arrivals", "attendants", "lot", "recall"} <= set(json.loads(out)["properties"])
    number, unlimited, roster = json.loads(out)["$defs"]["Attendants"]["properties"]["count"]["anyOf"]
    assert (number["anyOf"][0]["type"], unlimited["const"]) == ("integer", "unlimited")
    assert roster["items"]["anyOf"][0]["minimum"] == 0
    assert roster["minItems"] == roster["maxItems"] == 24


def test_a_roster_is_given_as_a_list(command):
    """``--set`` takes 24 numbers, the screen names the least and the most, the JSON has the hours."""
    roster = f"attendants.count={[1, *[2] * 22, 3]}"
    code, out, _ = command("run", "s.toml", *SHORT, "--replications", 2, "--set", roster)
    assert code == DONE
    assert out.splitlines()[1].startswith("6 slots, 1 to 3 attendants; ")
    code, out, _ = command("run", "s.toml", *SHORT, "--replications", 2, "--set", roster, "--json")
    estimates = json.loads(out)["estimates"]
    assert [hour["n"] > 0 for hour in estimates["attendant_utilisation_by_hour"]].count(True) >= 1
    assert estimates["attendant_utilisation"]["formula"] is None


@pytest.mark.parametrize("ending", [".jsonl", ".npz"])
def test_a_written_journal_passes_its_check(command, ending):
    """What ``journal`` writes ``check`` reads, and finds that rules and seed would have written it."""
    code, out, _ = command("journal", "s.toml", *SHORT, "--out", f"j{ending}")
    facts = len(Journal.load(f"j{ending}"))
    assert (code, out) == (DONE, f"j{ending}: {facts:,} facts\n")
    told = f"j{ending}: all {facts:,} facts follow the rules; its calls are those of its seed\n"
    assert command("check", f"j{ending}") == (DONE, told, "")


def test_a_changed_row_is_found_and_named(command):
    """One slot changed in one row: exit code 1, and the row and line are named."""
    lines = command("journal", "s.toml", *SHORT)[1].splitlines(keepends=True)
    number = next(index for index, line in enumerate(lines) if '"kind": "PARKED"' in line)
    row = json.loads(lines[number])
    row["slot"] += 1
    lines[number] = json.dumps(row) + "\n"
    Path("j.jsonl").write_text("".join(lines), encoding="utf-8")
    code, out, err = command("check", "j.jsonl")
    assert (code, err) == (MISSED, "")
    assert f"j.jsonl, line {number + 1}: row {number}: expected slot " in out


HOSTILE_HEADERS = [
    {"scenario": "[" * 100_000},
    {"scenario": 7},
    {"seed": "one"},
    {"seed": -1},
    {"seed": 1e999},
    {"replication": None},
    {"replication": 2.5},
]


@pytest.mark.parametrize("change", HOSTILE_HEADERS, ids=str)
def test_a_header_that_does_not_lead_to_its_calls_is_left_aside(command, change):
    """When the calls cannot be drawn again the rows alone are checked, and the answer does not claim more."""
    header, *rows = command("journal", "s.toml", *SHORT)[1].splitlines(keepends=True)
    header = json.dumps(json.loads(header) | change) + "\n"
    Path("j.jsonl").write_text("".join([header, *rows]), encoding="utf-8")
    told = f"j.jsonl: all {len(rows):,} facts follow the rules\n"
    assert command("check", "j.jsonl") == (DONE, told, "")


def test_a_journal_cut_anywhere_is_a_message(command):
    """Cut at any of 60 places: an answer of 0, 1 or 2, with something said, and never a traceback."""
    whole = command("journal", "s.toml", *SHORT)[1].encode()
    codes = set()
    for cut in range(1, len(whole), len(whole) // 60):
        write("j.jsonl", whole[:cut])
        code, out, err = command("check", "j.jsonl")
        codes.add(code)
        assert out or err
    assert codes <= {DONE, MISSED, BAD_INPUT}
    assert BAD_INPUT in codes


def test_erlang_answers_both_questions(command):
    """Erlang's table: 10 erlang at 1 % take 18 slots, and 18 slots refuse 0.714 % of 10 erlang."""
    code, out, _ = command("erlang", "--offered", 10, "--blocking", "1%", "--json")
    answer = json.loads(out)
    assert (code, answer["slots"]) == (DONE, 18)
    assert answer == json.loads(command("erlang", "--offered", 10, "--slots", 18, "--json")[1])
    assert command("erlang", "--offered", 10, "--slots", 18)[1].startswith("10 erlang offered to 18 slots: 0.714")
    assert answer["carried_erlang"] == 10 * (1 - answer["refused_share"])


class DeadWorkers(gather.ProcessPoolExecutor):
    """A pool whose workers end as a killed process does."""

    def submit(self, *_args, **_kwargs):
        """Submit a task that kills its worker."""
        return super().submit(os._exit, 9)


def test_a_worker_that_dies_is_code_4(command, monkeypatch):
    """A killed worker ends the study with one message and exit code 4."""
    monkeypatch.setattr(gather, "ProcessPoolExecutor", DeadWorkers)
    code, out, err = command("run", "s.toml", *SHORT, "--replications", 4, "--workers", 2)
    assert (code, out) == (NOT_FINISHED, "")
    assert err.startswith("parksim: could not finish: a worker died while seed 1, replication")
    assert len(err.splitlines()) == 1


def test_what_cannot_be_written_is_code_4(command, monkeypatch):
    """A full disk under ``--out`` is exit code 4 and one message."""

    def refuse(self, *_args, **_kwargs):
        raise OSError(28, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_text", refuse)
    code, _, err = command("run", "s.toml", *SHORT, "--replications", 2, "--out", "x.json")
    assert (code, err.splitlines()) == (
        NOT_FINISHED,
        ["parksim: could not finish: [Errno 28] No space left on device: 'x.json'"],
    )


def test_a_memory_that_is_full_is_code_4(command, monkeypatch):
    """A MemoryError, which has no text of its own, is exit code 4 and a message with its name."""

    def refuse(*_args, **_kwargs):
        raise MemoryError

    monkeypatch.setattr("parksim.studies.study.study", refuse)
    assert command("run", "s.toml") == (NOT_FINISHED, "", "parksim: could not finish: MemoryError\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("arguments", [["journal", "s.toml", *SHORT], ["erlang", "--offered", "3", "--slots", "2"]])
def test_a_full_standard_output_is_code_4(arguments):
    """Output that cannot be written is exit code 4 and one line, also when it fails only at the last flush."""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "parksim", *arguments], stdout=full, stderr=subprocess.PIPE, timeout=60, check=False
        )
    assert done.returncode == NOT_FINISHED
    assert done.stderr.decode().splitlines() == ["parksim: could not finish: [Errno 28] No space left on device"]


@pytest.mark.parametrize(
    "arguments",
    [["journal", "s.toml"], ["run", "s.toml", *SHORT, "--replications", "2"], ["run", "--help"]],
    ids=["lines", "screen", "help"],
)
def test_a_reader_that_has_seen_enough_is_no_fault(arguments):
    """A pipe closed before its end: exit code 0 and not a word, for text, tables and help."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "parksim", *arguments], stdout=writer, stderr=subprocess.PIPE, timeout=60, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (DONE, b"")


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs a shell")
def test_a_closed_standard_output_is_a_message():
    """Started without any standard output: exit code 4 and one line."""
    line = f'"{sys.executable}" -m parksim erlang --offered 3 --slots 2 >&-'
    done = subprocess.run(["sh", "-c", line], stderr=subprocess.PIPE, timeout=60, check=False)
    assert done.returncode == NOT_FINISHED
    assert done.stderr == b"parksim: could not finish: there is no standard output\n"


def test_a_name_beyond_the_locale_is_written_as_utf8():
    """With an ASCII locale a pipe gets UTF-8: the JSON is JSON, the screen has the name."""
    arguments = ("run", "s.toml", *SHORT, "--replications", 2, "--set", 'name="Zürich"')
    done = process(*arguments, "--json", PYTHONIOENCODING="ascii")
    assert json.loads(done.stdout)["scenario"]["name"] == "Zürich"
    assert process(*arguments, PYTHONIOENCODING="ascii").stdout.decode().startswith("Zürich\n")


def test_no_escape_sequences_reach_a_pipe():
    """In a pipe, and with NO_COLOR, no result and no complaint has a colour."""
    arguments = ("run", "s.toml", *SHORT, "--replications", 2)
    plain = process(*arguments)
    assert b"\x1b" not in plain.stdout + plain.stderr
    assert b"\x1b" not in process("run", "--sed", NO_COLOR="1").stderr
    forced = process(*arguments, FORCE_COLOR="1").stdout
    without = process(*arguments, FORCE_COLOR="1", NO_COLOR="1").stdout
    assert b"\x1b[1;3" in forced  # bold and a colour: the verdicts
    assert b"\x1b[1;3" not in without


AT_WORK = """
import sys
from parksim.cli import main as cli
from parksim.cli import options, progress

class Telling(progress.Progress):
    def __call__(self, done, to_do):
        if done == 1:
            print("at work", flush=True)
        super().__call__(done, to_do)

options.Progress = Telling
sys.exit(cli.main())
"""


@pytest.mark.skipif(os.name != "posix", reason="signals to process groups")
@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_is_code_130_and_one_word(workers):
    """Ctrl-C, as a terminal sends it to the whole group: exit code 130, no traceback, no process left."""
    arguments = ["run", "s.toml", *SHORT, "--replications", "100000", "--workers", str(workers)]
    running = subprocess.Popen(
        [sys.executable, "-c", AT_WORK, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert running.stdout.readline() == b"at work\n"
    os.killpg(running.pid, signal.SIGINT)
    out, err = running.communicate(timeout=30)
    assert (running.returncode, out, err) == (INTERRUPTED, b"", b"parksim: interrupted\n")
    with pytest.raises(ProcessLookupError):
        os.killpg(running.pid, 0)


def test_help_and_version(command):
    """``--help`` names every command, ``--version`` says the version, both with exit code 0."""
    code, out, _ = command("--help")
    assert code == DONE
    assert all(
        name in out
        for name in (
            "run",
            "sweep",
            "solve",
            "compare",
            "rerun",
            "journal",
            "validate",
            "check",
            "schema",
            "init",
            "erlang",
        )
    )
    assert command("--version") == (DONE, replication.versions()["parksim"] + "\n", "")
