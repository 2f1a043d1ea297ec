"""Files that commands write: never one that they read, whole or not at all, and nothing else is left behind."""

import errno
import json
import os
import resource
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from parksim import results
from parksim.cli.main import main
from parksim.cli.options import BAD_INPUT, DONE, NOT_FINISHED
from parksim.errors import OutputError
from parksim.results import Table, replacing, write
from parksim.studies.store import Store, StoreError

SCENARIOS = Path(__file__).parents[2] / "scenarios"
SHORT = ("--set", "run.horizon=90m", "--replications", "2", "--engine", "simpy")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Work in a folder with a scenario, one of recorded calls, a result, a store, a journal and a log."""
    shutil.copy(SCENARIOS / "lot-only.toml", tmp_path / "s.toml")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def command(capsys):
    """Return a function that runs a command line and returns (exit code, stderr)."""

    def run(line):
        code = main(line.split())
        err = capsys.readouterr().err
        assert "Traceback" not in err
        return code, "\n".join(row for row in err.splitlines() if not row.endswith(" to go"))

    return run


def recorded():
    """Lay out a scenario of recorded calls whose file has the name of a table or of a report."""
    text = (SCENARIOS / "recorded.toml").read_text(encoding="utf-8")
    calls = next(SCENARIOS.glob("recorded-calls.csv"))
    shutil.copy(calls, "calls.csv")
    Path("r.toml").write_text(text.replace(calls.name, "calls.csv"), encoding="utf-8")


LINKS = {
    "itself": lambda _link, _file: None,
    "a link": lambda link, file: link.symlink_to(file),
    "another name": lambda link, file: link.hardlink_to(file),
}
CASES = [
    ("journal s.jsonl", "s.jsonl", "--out", ".jsonl", "the scenario itself"),
    ("calibrate log.toml", "log.toml", "-o", ".toml", "the log itself"),
    ("sweep r.toml --over lot.slots=2..3", "calls.csv", "--csv", ".csv", "calls.csv, which the scenario reads"),
    ("sweep s.csv --over lot.slots=2..3", "s.csv", "--csv", ".csv", "the scenario itself"),
    ("run r.toml --set arrivals.file=calls.json", "calls.json", "--out", ".json", "calls.json, which the scenario"),
    ("compare s.toml k.db", "k.db", "--out", ".db", "the result itself"),
    ("report r.json --chart occupancy", "r.json", "-o", ".json", "the result itself"),
    ("report r.json --scenario s.md", "s.md", "-o", ".md", "the scenario itself"),
]


@pytest.mark.parametrize("how", LINKS)
@pytest.mark.parametrize(("line", "file", "option", "ending", "what"), CASES, ids=[case[0] for case in CASES])
def test_an_output_that_is_an_input_is_refused(command, how, line, file, option, ending, what):
    """Under its own name, through a link and under a second name: exit code 2, the option, the file; it stays."""
    recorded()
    command(f"run s.toml --out r.json {' '.join(SHORT)}")
    command("journal s.toml --set run.horizon=90m --out j.jsonl")
    command(f"run s.toml --out k.db {' '.join(SHORT)}")
    copies = {"log.toml": "j.jsonl", "calls.json": "calls.csv"}
    if not Path(file).exists():
        shutil.copy(copies.get(file, "s.toml"), file)
    before = Path(file).read_bytes()
    out = Path(file) if how == "itself" else Path(f"other{ending}")
    LINKS[how](out, Path(file))
    code, err = command(f"{line} {option} {out}")
    assert (code, err.splitlines()) == (BAD_INPUT, [f"parksim: {option} {out}: is {err.partition(': is ')[2]}"])
    assert what in err
    assert err.endswith("; name another file")
    assert Path(file).read_bytes() == before


@pytest.mark.parametrize("how", LINKS)
@pytest.mark.parametrize(
    "line", ["run s.json", "sweep s.db --over lot.slots=2..3", "solve s.db lot.slots --within 2..3"]
)
def test_a_scenario_with_the_name_of_a_result_is_not_written_over(command, how, line):
    """What stands in the place of the scenario has a result's name: code 2, the line to type instead; it stays."""
    file = Path(line.split()[1])
    shutil.copy("s.toml", file)
    before = file.read_bytes()
    out = file if how == "itself" else Path(f"other{file.suffix}")
    LINKS[how](out, file)
    code, err = command(f"{line} --out {out}")
    said = f"parksim: {file}: is a result, not a scenario (.toml); type: parksim report {file} -o page.html"
    assert (code, err) == (BAD_INPUT, said)
    assert file.read_bytes() == before


def test_a_session_that_is_an_input_is_refused(command):
    """``serve`` appends to no scenario, no file of tokens and no file of calls."""
    for option in ("", "--token-file t.txt", "--register c.json"):
        Path("t.txt").write_text("")
        Path("c.json").write_text("")
        file = option.split()[-1] if option else "s.toml"
        code, err = command(f"serve s.toml --port 0 {option} --session {file}")
        assert (code, f"--session {file}: is the " in err) == (BAD_INPUT, True)
    assert Path("t.txt").read_text() == ""


WRITERS = [
    f"run s.toml {' '.join(SHORT)} --out x.json",
    "journal s.toml --set run.horizon=90m --out x.jsonl",
    "journal s.toml --set run.horizon=90m --out x.npz",
    f"sweep s.toml --over lot.slots=2..3 {' '.join(SHORT)} --csv x.csv",
    "calibrate j.jsonl -o x.toml",
    "report r.json -o x.md",
    "init x.toml",
]


@pytest.mark.parametrize("line", WRITERS)
@pytest.mark.parametrize("fails", ["write", "sync", "rename"])
def test_a_full_disk_leaves_the_old_file(command, monkeypatch, line, fails):
    """Nothing of the new file, all of the old one, and a message that names the file; then it works."""
    command(f"run s.toml --out r.json {' '.join(SHORT)}")
    command("journal s.toml --set run.horizon=3h --out j.jsonl")
    out = Path(line.split()[-1])
    is_new = line.startswith("init")
    if not is_new:
        out.write_text("old")
        out.chmod(0o640)
    before = sorted(Path().iterdir())

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full if fails == "sync" else os.fsync)
        if fails == "rename":
            patch.setattr(results.Path, "replace", full)
        if fails == "write":
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
        try:
            code, err = command(line)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert code == NOT_FINISHED
    assert err.startswith("parksim: could not finish: [Errno ")
    beside = "x-draws.csv" if line.startswith("calibrate") else str(out)  # which is written first
    assert err.endswith(f": '{beside}'")
    assert sorted(Path().iterdir()) == before
    assert is_new or out.read_text() == "old"
    assert command(line)[0] == DONE
    assert is_new or stat.S_IMODE(out.stat().st_mode) == 0o640


def test_a_link_stays_a_link_and_a_pipe_a_pipe(tmp_path):
    """What a link leads to is replaced; a pipe gets the content; a new file has the permissions of the umask."""
    write(tmp_path / "a.csv", "one")
    (tmp_path / "b.csv").symlink_to("a.csv")
    write(tmp_path / "b.csv", "two\n")
    assert ((tmp_path / "b.csv").is_symlink(), (tmp_path / "a.csv").read_bytes()) == (True, b"two\n")
    os.umask(before := os.umask(0))
    assert stat.S_IMODE((tmp_path / "a.csv").stat().st_mode) == 0o666 & ~before
    os.mkfifo(tmp_path / "p.csv")
    with subprocess.Popen(["cat", tmp_path / "p.csv"], stdout=subprocess.PIPE) as reader:
        write(tmp_path / "p.csv", "three")
        assert reader.communicate()[0] == b"three"
    assert (tmp_path / "p.csv").is_fifo()
    (tmp_path / "p.csv").unlink()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a.csv", "b.csv", "s.toml"]


def test_what_fails_half_way_leaves_nothing(tmp_path):
    """An error of the writer's own, an interruption and a folder that is not there."""

    def half(error):
        with replacing(tmp_path / "x.csv") as beside:
            beside.write_bytes(b"half")
            raise error

    for error in (ZeroDivisionError, KeyboardInterrupt):
        with pytest.raises(error):
            half(error)
    with pytest.raises(OutputError, match=r"No such file or directory: .*gone/x\.csv"):
        write(tmp_path / "gone" / "x.csv", "")
    assert [one.name for one in tmp_path.iterdir()] == ["s.toml"]


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_a_table_is_written_whole(tmp_path, ending):
    """Both forms go through a file beside it."""
    pytest.importorskip("pyarrow")
    Table({"x": np.arange(3)}).save(tmp_path / f"t{ending}")
    assert sorted(one.suffix for one in tmp_path.iterdir()) == sorted([ending, ".toml"])


LEFT = [
    f"run s.toml {' '.join(SHORT)} --out a.db",
    f"sweep s.toml --over lot.slots=2..3 {' '.join(SHORT)} --out a.db",
    "report a.db -o x.md",
    "rerun a.db",
    "compare a.db b.json",
    "report broken.db -o x.md",
    f"run s.toml {' '.join(SHORT)} --out broken.db",
]


def test_a_finished_command_leaves_only_what_was_asked_for(command):
    """No log, index or lock of a store, also after commands that only read and after those that fail."""
    Path("broken.db").write_text("no database")
    command(f"run s.toml {' '.join(SHORT)} --out b.json")
    for line in LEFT:
        command(line)
        assert {one.name for one in Path().iterdir()} <= {"s.toml", "a.db", "b.json", "x.md", "broken.db"}, line


def test_what_a_killed_writer_left_is_taken_away():
    """The log and the lock of a killed process go with the next command that reads; nothing stored is lost."""
    program = (
        "import os, sys; from parksim.studies.store import *; store = Store.open('a.db');"
        "store.put({Key('d' * 64, 1, 0, 'simpy', 'v'): {'x': 1.0}}); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", program], check=False, env=os.environ | {"PYTHONPATH": ":".join(sys.path)})
    assert Path("a.db-wal").stat().st_size > 0
    with Store.open("a.db", read_only=True) as store:
        assert len(dict(store.records())) == 1
    assert sorted(one.name for one in Path().iterdir()) == ["a.db", "a.db.lock", "s.toml"]
    Store.open("a.db").close()
    assert sorted(one.name for one in Path().iterdir()) == ["a.db", "s.toml"]


def test_a_lock_is_held_by_one_however_often_its_file_comes_and_goes():
    """Four processes open and close one store 100 times each: never two at once, and no lock stays."""
    program = (
        "import os, time; from parksim.studies.store import Store; from parksim.errors import StoreError\n"
        "held = 0\n"
        "while held < 25:\n"
        "    try:\n"
        "        with Store.open('a.db'):\n"
        "            os.close(os.open('held', os.O_CREAT | os.O_EXCL)); time.sleep(0.001)\n"
        "            os.unlink('held'); held += 1\n"
        "    except StoreError: time.sleep(0.001)\n"
    )
    environment = os.environ | {"PYTHONPATH": ":".join(sys.path)}
    running = [subprocess.Popen([sys.executable, "-c", program], env=environment) for _ in range(3)]
    assert [one.wait(120) for one in running] == [0, 0, 0]
    assert sorted(one.name for one in Path().iterdir()) == ["a.db", "s.toml"]


def test_check_reads_what_was_edited_by_hand_unchecked(command, capsys):
    """A header with another name: exit code 2 and what to do; --unchecked checks it; so does report with a result."""
    command("journal s.toml --set run.horizon=90m --out j.jsonl")
    header, _, rows = Path("j.jsonl").read_text(encoding="utf-8").partition("\n")
    Path("j.jsonl").write_text(json.dumps(json.loads(header) | {"name": "mine"}) + "\n" + rows, encoding="utf-8")
    code, err = command("check j.jsonl")
    assert (code, "edited by hand or is damaged" in err, "--unchecked" in err) == (BAD_INPUT, True, True)
    assert command("check j.jsonl --unchecked") == (DONE, "")
    command("run s.toml --set run.horizon=90m --replications 4 --out r.json")
    shutil.copy("r.json", "q.json")
    Path("r.json").write_text(Path("r.json").read_text().replace('"stopped": "4', '"stopped": "5'), encoding="utf-8")
    assert command("report r.json -o x.md")[0] == BAD_INPUT
    assert command("report r.json -o x.md --unchecked")[0] == DONE
    assert command("compare q.json r.json")[0] == BAD_INPUT
    assert command("compare q.json r.json --unchecked")[0] == DONE
    code = main(["rerun", "r.json"])
    assert (code, "stopped: was" in capsys.readouterr().out) == (1, True)


def test_a_store_that_cannot_be_locked_is_told():
    """A folder in which no lock can be made: the message names the lock."""
    Path("a.db.lock").mkdir()
    with pytest.raises(StoreError, match=r"a\.db\.lock"):
        Store.open("a.db")
    assert StoreError.exit_code == NOT_FINISHED


def test_a_link_to_itself_is_replaced(tmp_path):
    """A loop of links leads to no file: the content takes its place."""
    (tmp_path / "loop.json").symlink_to("loop.json")
    write(tmp_path / "loop.json", "x")
    assert (tmp_path / "loop.json").read_text() == "x"


def test_where_nothing_can_stand_beside_the_file_itself_is_written(tmp_path, monkeypatch):
    """In a folder that is not writable a writable file gets the content, and stays the same file."""
    path = tmp_path / "x.csv"
    path.write_text("old")
    inode = path.stat().st_ino
    monkeypatch.setattr(os, "access", lambda where, _: Path(where) != tmp_path)
    write(path, "new")
    assert (path.read_text(), path.stat().st_ino) == ("new", inode)
