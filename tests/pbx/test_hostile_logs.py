"""Files that are no log get one message with file and line and exit code 2; logs that are odd but whole are read."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cases_of_hostile_logs import AMI, CSV, HOSTILE, SOAK, in_csv, one_event
from hypothesis import given, settings
from hypothesis import strategies as st

import parksim
from parksim.cli.main import main
from parksim.cli.options import BAD_INPUT, DONE, MISSED
from parksim.pbx import calibrate as calibrating
from parksim.pbx import conformance as replaying
from parksim.pbx import log as fieldlogs
from parksim.pbx import log_measures as recorded
from parksim.pbx.formats.order import out_of_order

COMMANDS = ("replay", "calibrate")


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Return a function that writes a log, runs a command on it here, and returns (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def run(name, content=None, *options):
        if content is not None:
            Path("log").write_bytes(content)
        code = main([name, "log", *options])
        return code, *capsys.readouterr()

    return run


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("case", HOSTILE, ids=lambda case: case.what)
def test_one_message_says_what_is_wrong(command, name, case):
    """One line on stderr with the file, the line where there is one, the rule and the next step; exit code 2."""
    code, out, err = command(name, case.content)
    assert (code, out, err.count("\n")) == (BAD_INPUT, "", 1)
    assert err.startswith("parksim: log" + (f", line {case.line}: " if case.line else ": "))
    assert case.said in err
    assert len(err) < 400


@pytest.mark.parametrize("name", COMMANDS)
def test_what_is_no_file_is_told(command, name):
    """A missing file with the nearest name beside it, a folder, a device."""
    Path("lag").write_bytes(CSV)
    assert command(name) == (BAD_INPUT, "", "parksim: log: there is no such file; did you mean lag?\n")
    Path("lag").rename("log.csv.old")
    Path("log").mkdir()
    assert command(name) == (
        BAD_INPUT,
        "",
        "parksim: log: is a folder; name a file\n",
    )
    Path("log").rmdir()
    Path("log").symlink_to(os.devnull)
    assert command(name) == (BAD_INPUT, "", "parksim: log: is not a regular file; name a file\n")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_is_told(command):
    """A log of mode 000 is no traceback."""
    Path("log").write_bytes(CSV)
    Path("log").chmod(0)
    assert command("replay")[::2] == (
        BAD_INPUT,
        "parksim: log: cannot be read (Permission denied); name a readable file\n",
    )


def test_a_log_from_a_pipe_is_read_once(tmp_path):
    """The soak through /dev/stdin, as in ``zcat soak.gz | parksim replay /dev/stdin``: 404 events agree."""
    if not Path("/dev/stdin").exists():
        pytest.skip("this system has no /dev/stdin")
    done = subprocess.run(
        [sys.executable, "-m", "parksim", "replay", "/dev/stdin", "--json"],
        input=SOAK,
        capture_output=True,
        check=False,
        timeout=60,
        cwd=tmp_path,
    )
    assert (done.returncode, done.stderr) == (DONE, b"")
    assert json.loads(done.stdout)["agreement"]["parking_events_agreed"] == 404


ODD = {
    "CRLF": SOAK.replace(b"\n", b"\r\n"),
    "a byte order mark": b"\xef\xbb\xbf" + SOAK,
    "empty lines": SOAK.replace(b"\n", b"\n\n"),
    "no end of the last line": SOAK.rstrip(b"\n"),
    "UTF-16": SOAK.decode().encode("utf-16"),
    "UTF-16 without a mark": SOAK.decode().encode("utf-16-be"),
    "gzip": gzip.compress(SOAK),
    "gzip in two members": gzip.compress(SOAK[:9_999]) + gzip.compress(SOAK[9_999:]),
    "carriage returns alone": SOAK.replace(b"\n", b"\r"),
    "a name in Latin-1": SOAK.replace(b'"kind": "event"', b'"name": "Zo\xeb", "kind": "event"'),
}


@pytest.mark.parametrize("content", ODD.values(), ids=ODD)
def test_what_editors_do_to_a_file_does_not_matter(command, content):
    """Line ends, a byte order mark, empty lines: the soak's 404 events agree as ever."""
    code, out, err = command("replay", content, "--json")
    assert (code, err, json.loads(out)["agreement"]["parking_events_agreed"]) == (DONE, "", 404)


@pytest.mark.parametrize(
    "content",
    [
        CSV,
        CSV.replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + CSV,
        CSV.replace(b",", b";"),
        CSV.replace(b",", b"\t"),
        CSV.rstrip(b"\n"),
        b"\n" + CSV,
        CSV.replace(b"time,event,call,slot", b'"Date Time","EVENT","Unique ID","Parking Space"').replace(
            b"Date Time", b"Event Time"
        ),
        in_csv("2026-01-05 08:00:01,Parked,a,701", "2026-01-05T08:00:02,Un-Parked,a,701"),
        in_csv("2026-01-05 08:00:01+01:00,parked,a,701", "2026-01-05 07:00:02Z,retrieved,a,701"),
        in_csv("x,1,parked,a,701", "y,2,retrieved,a,701", header="note,time,event,call,slot"),
        AMI,
        AMI.replace(b"\r\n", b"\n"),
        AMI[:-2],
        b"\r\n".join(AMI.split(b"\r\n")[1:]),
        AMI.replace(b"Asterisk Call Manager/11.0.0", b"Response: Success\r\nMessage: Authentication accepted\r\n"),
    ],
)
def test_the_same_two_events_in_many_spellings(tmp_path, content):
    """A park and its retrieval a second (or two) later, in 16 files: the same two facts."""
    path = tmp_path / "log"
    path.write_bytes(content)
    log = fieldlogs.read_log(path)
    assert [(row.kind, row.slot) for row in log.parking] == [(3, 701), (5, 701)]
    assert log.parking[1].time_us - log.parking[0].time_us in (1_000_000, 2_000_000)


def test_time_that_goes_back_is_a_disagreement_and_no_scenario(command):
    """A row two seconds early: replay names it (1), calibrate refuses (2); out of three rows order is asked for."""
    back = in_csv("5,parked,a,701", "3,retrieved,a,701")
    code, out, _ = command("replay", back)
    assert code == MISSED
    assert "log, line 3: its instant does not fit the order of the lines" in out
    assert command("calibrate", back)[::2] == (
        BAD_INPUT,
        "parksim: log, line 3: its instant does not fit the order of the lines; sort them by time\n",
    )


def test_a_disagreement_is_exit_code_1(command):
    """Whole agreement 0, one wrong slot 1, in text and as JSON."""
    assert command("replay", CSV)[0] == DONE
    wrong = CSV.replace(b"a,701\n2", b"a,702\n2").replace(b"retrieved,a,701", b"retrieved,a,702")
    assert command("replay", wrong, "--slots", "2")[0] == DONE  # 701 may be free or not: the log does not say
    full = in_csv("1,parked,a,701", "2,retrieved,a,701", "3,parked,b,702", "4,retrieved,b,702")
    code, out, _ = command("replay", full, "--choice", "lowest")
    assert code == MISSED
    assert "log, line 4: PARKED of call b in slot 702 at 3.0000 s: the rules would have given it slot 701" in out
    code, out, _ = command("replay", full, "--choice", "lowest", "--json")
    assert (code, json.loads(out)["agreement"]["first_disagreement"]["line"]) == (MISSED, 4)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--slots", "0"), "--slots 0: from 1 to 10000"),
        (("--choice", "lowst"), "--choice lowst: choose one of lowest, next, random"),
        (("--max-in-parking", "soon"), "--max-in-parking soon: "),
        (("--tolerance", "5"), None),
        (("--tolerance", "5 potatoes"), "--tolerance 5 potatoes: "),
        (("--tolerance=-1ms",), "--tolerance -1ms: "),
    ],
)
@pytest.mark.parametrize("name", COMMANDS)
def test_wrong_options_are_told(command, name, options, said):
    """Each option out of its range is named with its value; seconds without a unit are seconds."""
    code, _, err = command(name, CSV, *options)
    assert code == (DONE if said is None else BAD_INPUT)
    assert said is None or said in err


def test_a_scenario_of_a_lot_that_is_not_there_or_not_used(command):
    """``--lot`` names a lot of the log; one without a whole stay gives no scenario."""
    two = in_csv("1,parked,a,701,x", "2,retrieved,a,701,x", "3,retrieved,b,801,y", header="time,event,call,slot,lot")
    assert command("calibrate", two, "--lot", "z")[::2] == (
        BAD_INPUT,
        "parksim: --lot z: there is no lot z in the log; it has x, y\n",
    )
    code, _, err = command("calibrate", two, "--lot", "y")
    assert (code, err) == (
        BAD_INPUT,
        "parksim: log: no call is parked in lot y from its beginning to its end; record for longer\n",
    )
    code, out, _ = command("calibrate", two)
    assert code == DONE
    assert "# - the log has other lots (y), which are left out" in out


def test_a_refusal_in_a_lot_that_no_call_is_ever_in_is_not_counted(command):
    """A lot that does not exist, perhaps: the measures are those of the lot that does."""
    rows = ("1,parked,a,701,x", "2,refused,b,,y", "3,retrieved,a,701,x")
    code, out, _ = command("replay", in_csv(*rows, header="time,event,call,slot,lot"), "--json")
    assert (code, json.loads(out)["agreement"]["parking_events_agreed"]) == (DONE, 2)


@pytest.mark.parametrize("option", ["--out", "-o"])
def test_a_scenario_is_written_where_it_is_wanted(command, option):
    """``-o`` writes a file that loads and runs, and says what is in it; another ending or folder is refused."""
    code, out, _ = command("calibrate", SOAK, option, "here.toml")
    assert code == DONE
    assert out.startswith("here.toml: ")
    assert "Next: parksim run here.toml" in out
    assert (
        'What the log cannot tell; write it into here.toml:\n  [objectives], such as refused_share = "< 1 %"\n' in out
    )
    assert "\n  parksim run here.toml --set attendants.count=3" in out
    assert parksim.Scenario.load("here.toml").lot.slots == 5
    assert command("calibrate", None, option, "here.txt")[0] == BAD_INPUT
    assert command("calibrate", None, option, "gone/here.toml")[0] == BAD_INPUT


@pytest.mark.parametrize("name", COMMANDS)
def test_names_cannot_write_on_the_screen_or_into_the_file(command, name):
    """Names with an escape, a line end, half a surrogate, quotes and markup come out as plain text, or as "?"."""
    for evil in ("\x1b[31m", "a\nlot.slots = 9", "\ud800", 'x"\\', "[red]x[/red]"):
        log = one_event(call=evil, lot=evil) + one_event(t=2, Event="UnParkedCall", call="b", lot=evil)
        log += one_event(t=3, lot="other") + one_event(t=4, lot=evil, call="c", slot=702)
        code, out, err = command(name, log)
        assert code in (DONE, MISSED), err
        assert all(line.isprintable() for line in out.split("\n"))
        if name == "calibrate":
            assert parksim.Scenario.loads(out).lot.slots == 2


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.data())
def test_no_damage_is_a_traceback(tmp_path_factory, data):
    """200 logs with bytes put in, left out, doubled or cut: each is read, or refused with file and line."""
    content = data.draw(st.sampled_from([SOAK[:6_000], AMI * 3, CSV * 3, (SOAK[:3_000] + b"\n" + CSV)]))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content)))
        until = data.draw(st.integers(at, min(at + 40, len(content))))
        put = data.draw(st.one_of(st.binary(max_size=8), st.sampled_from([b"\n", b",", b"\r", b'"', b"9" * 12])))
        content = content[:at] + put + content[until:]
    path = tmp_path_factory.mktemp("damaged") / "log"
    path.write_bytes(content)
    _, refusal = attempt(fieldlogs.read_log, path)
    assert refusal is None or str(refusal).startswith(str(path))
    if refusal is None:
        log = fieldlogs.read_log(path)
        agreement = replaying.compare(log)
        recorded.measured(log)
        result, refusal = attempt(calibrating.calibrate, log, agreement)
        if refusal is None:
            parksim.Scenario.loads(result.toml)
        else:
            assert "no call is parked" in str(refusal)


def attempt(function, *arguments):
    """Return (what a function gives, None), or (None, the error that tells of a wrong file)."""
    try:
        return function(*arguments), None
    except parksim.JournalError as error:
        return None, error


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 30), max_size=30), st.integers(0, 5))
def test_what_stands_out_of_order_is_the_least_that_restores_it(instants, tolerance):
    """Without those elements the rest is in order; none is named where time never goes back beyond the tolerance."""
    out = out_of_order(instants, tolerance)
    back = any(now < max(instants[:i]) - tolerance for i, now in enumerate(instants) if i)
    assert bool(out) == back
    rest = [one for i, one in enumerate(instants) if i not in out]
    if out and not (len(out) == 2 and sorted(instants)[out[0]] == instants[out[1]]):
        assert rest == sorted(rest)
