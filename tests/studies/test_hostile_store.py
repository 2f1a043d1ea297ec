"""Sweeps under hostile conditions: killed, interrupted, their store changed, cut, full or not to be written.

Whatever happens: one clear message, what was stored stays, and the same command gives the same rows in the end. The
short ones run in the suite; ``-m slow`` has 1,000 changed bytes, 20 kills and 20 interruptions.
"""

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from functools import cache
from pathlib import Path

import pytest

import parksim
from parksim.cli.main import main
from parksim.cli.options import DONE, INTERRUPTED, NOT_FINISHED
from parksim.results import rows_to_csv
from parksim.scenario.model import Scenario
from parksim.studies.store import Store

LOT = Path(__file__).parents[2] / "scenarios" / "lot-only.toml"
SMALL = ("sweep", str(LOT), "--set", "run.horizon=90m", "--over", "lot.slots=4..5", "--replications", "3")
LARGE = ("sweep", str(LOT), "--set", "run.horizon=3h", "--over", "lot.slots=4..9", "--engine", "simpy")
DESIGNS = 6


@cache
def rows_of_large(replications):
    """Return the CSV of the large sweep that nothing befell, as the library makes it."""
    scenario = Scenario.load(LOT).with_values({"run.horizon": "3h"})
    return rows_to_csv(
        parksim.sweep(scenario, {"lot.slots": range(4, 10)}, replications, engine="simpy").flat()
    ).encode()


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Work in a folder of one's own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def sweep(capsys):
    """Return a function that runs a sweep here and returns (exit code, stderr, the CSV's bytes); out is in .out."""

    def run(*arguments):
        Path("x.csv").unlink(missing_ok=True)
        code = main([*arguments, "--csv", "x.csv"])
        run.out, err = capsys.readouterr()
        assert "Traceback" not in err
        return code, err, Path("x.csv").read_bytes() if code == DONE else b""

    return run


def one_message(err, *words):
    """Say whether what was told is one line that names all words (lines of progress apart)."""
    lines = [line for line in err.splitlines() if not line.endswith(" to go")]
    return len(lines) == 1 and lines[0].startswith("parksim: ") and all(word in lines[0] for word in words)


# Changed bytes --------------------------------------------------------------------------------------------------------


def files_of_a_sweep(sweep):
    """Return the files of a finished store, and of one whose writer was killed: part of it in the write-ahead log."""
    expected = sweep(*SMALL, "--out", "a.db")[2]
    finished = {"a.db": Path("a.db").read_bytes()}
    with Store.open("b.db") as store, Store.open("a.db", read_only=True) as whole:
        store.put(dict(whole.records()))
        for digest, text in whole.scenarios().items():
            store.put_scenario(digest, text)
        killed = {f"a.db{ending}": Path(f"b.db{ending}").read_bytes() for ending in ("", "-wal")}
    assert len(killed["a.db-wal"]) > 4_000
    return expected, finished, killed


def lay_out(files):
    """Put files where the store is, and nothing else of it."""
    for old in Path().glob("a.db*"):
        old.unlink()
    for name, content in files.items():
        Path(name).write_bytes(content)


@pytest.mark.parametrize("changes", [50, pytest.param(1000, marks=pytest.mark.slow)])
def test_a_changed_byte_is_never_merged(sweep, changes):
    """After any single changed byte (seed 5), in file or log: the same rows, or one message and exit code 4.

    Where the rows are the same, so they are when the command is given once more, and then nothing is damaged.
    """
    expected, finished, killed = files_of_a_sweep(sweep)
    draw = random.Random(5)
    noticed = 0
    for _ in range(changes):
        files = dict(draw.choice((finished, killed)))
        name = draw.choices(list(files), [len(one) for one in files.values()])[0]
        place = draw.randrange(len(files[name]))
        changed = bytearray(files[name])
        changed[place] ^= draw.randrange(1, 256)
        lay_out(files | {name: bytes(changed)})
        code, err, rows = sweep(*SMALL, "--out", "a.db")
        where = f"{name}, byte {place}: {err}"
        if code == DONE:
            assert rows == expected, where
            noticed += " 0 replications run now" not in " " + " ".join(sweep.out.split())
            again, _, rows = sweep(*SMALL, "--out", "a.db")
            assert (again, rows) == (DONE, expected), where
        else:
            assert code == NOT_FINISHED, where
            assert one_message(err, "a.db"), where
            assert Path(name).read_bytes() == bytes(changed), where
            noticed += 1
    assert noticed > changes / 3  # the others hit what holds nothing: free space, padding, the log's dead frames


def test_a_store_cut_anywhere_is_mended_or_refused(sweep):
    """Cut at any of 16 places, the ends of pages among them: the same rows, or one message and exit code 4."""
    expected, finished, killed = files_of_a_sweep(sweep)
    for files, name in ((finished, "a.db"), (killed, "a.db"), (killed, "a.db-wal")):
        whole = files[name]
        for cut in (0, 1, 16, 99, 100, 4096, len(whole) // 2, len(whole) - 1):
            lay_out(files | {name: whole[:cut]})
            code, err, rows = sweep(*SMALL, "--out", "a.db")
            if code == DONE:
                assert rows == expected, (name, cut)
            else:
                assert code == NOT_FINISHED, (name, cut, err)
                assert one_message(err, "a.db"), (name, cut, err)


def test_a_newer_schema_is_refused(sweep):
    """The store of a newer parksim is not touched: exit code 4, and what to do."""
    sweep(*SMALL, "--out", "a.db")
    with closing(sqlite3.connect("a.db")) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = Path("a.db").read_bytes()
    code, err, _ = sweep(*SMALL, "--out", "a.db")
    assert code == NOT_FINISHED
    assert one_message(err, "a.db: is of schema 99", "update parksim")
    assert Path("a.db").read_bytes() == before


# No room, no leave ----------------------------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs a shell to limit what may be written")
def test_a_file_that_may_not_grow_keeps_what_it_has(sweep):
    """Of 120 replications those are stored that fit into a limited file; the command then runs the others alone."""
    limited = f'ulimit -f 400; exec "{sys.executable}" -m parksim "$@"'
    code, err = _as_process(
        ["sh", "-c", limited, "sh", *LARGE, "--replications", "20", "--workers", "1", "--out", "a.db"]
    )
    assert code == NOT_FINISHED
    assert one_message(err, "a.db: the disk")
    held = stored("a.db")
    assert 0 < held < 20 * DESIGNS
    _goes_on(sweep, "a.db", held)


@pytest.fixture
def small_disk(folder):
    """Mount a disk of 400 KiB and return its folder; skip where that is not allowed."""
    disk = folder / "disk"
    disk.mkdir()
    if os.name != "posix" or os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root mounts a disk")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", disk], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def test_a_full_disk_keeps_what_it_has(sweep, small_disk):
    """On a disk of 400 KiB: exit code 4, one message; on a larger one the same command runs the others alone."""
    store = small_disk / "a.db"
    code, err, _ = sweep(*LARGE, "--replications", "20", "--workers", "1", "--out", str(store))
    assert code == NOT_FINISHED
    assert one_message(err, "a.db: the disk", "what was stored stays")
    held = stored(store)
    assert 0 < held < 20 * DESIGNS
    subprocess.run(["mount", "-o", "remount,size=20m", small_disk], check=True)
    _goes_on(sweep, store, held)


def test_a_disk_that_takes_no_writes_is_told(sweep, small_disk):
    """In a folder mounted read-only a new store, and one that is there, are refused with exit code 4; reading works."""
    store = small_disk / "a.db"
    expected = sweep(*SMALL, "--out", str(store))[2]
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    for name in ("a.db", "new.db"):
        code, err, _ = sweep(*SMALL, "--out", str(small_disk / name))
        assert code == NOT_FINISHED
        assert one_message(err, name, "name a file elsewhere")
    assert main(["rerun", str(store)]) == DONE
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    assert sweep(*SMALL, "--out", str(store))[2] == expected


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write into any folder")
def test_a_folder_that_may_not_be_written_is_told(sweep, folder):
    """In a folder without leave to write a new store is refused with exit code 4."""
    (folder / "closed").mkdir(mode=0o555)
    code, err, _ = sweep(*SMALL, "--out", "closed/a.db")
    assert code == NOT_FINISHED
    assert one_message(err, "closed/a.db", "name a file elsewhere")


# Killed and interrupted -----------------------------------------------------------------------------------------------

AT_THE_START = "import sys; from parksim.__main__ import main; print('begun', flush=True); sys.exit(main())"


def _as_process(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


def stored(path):
    """Return how many records a store holds; 0 before it is one."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            return connection.execute("SELECT count(*) FROM records").fetchone()[0]
    except sqlite3.Error:
        return 0


def count_writes(path):
    """Make a store count each time that a record is written."""
    Store.open(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE writes (scenario TEXT, replication INTEGER)")
        connection.execute(
            "CREATE TRIGGER written AFTER INSERT ON records "
            "BEGIN INSERT INTO writes VALUES (new.scenario, new.replication); END"
        )
        connection.commit()


def _goes_on(sweep, path, held):
    """See that the command runs only what the store lacks, and gives the rows of a sweep that nothing befell."""
    count_writes(path)
    code, _, rows = sweep(*LARGE, "--replications", "20", "--out", str(path))
    assert (code, rows) == (DONE, rows_of_large(20))
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM writes").fetchone() == (20 * DESIGNS - held,)


def _struck(number, arguments, strike, draw):
    """Start the large sweep and strike it at a random moment of its first second of work, or of its start."""
    process = subprocess.Popen(
        [sys.executable, "-c", AT_THE_START, *LARGE, *arguments, "--out", "a.db"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout.readline() == b"begun\n"
    if number % 2:  # every other one in the midst of its work, however slow the machine
        held = stored("a.db")
        while process.poll() is None and stored("a.db") == held:
            time.sleep(0.005)
        time.sleep(draw.uniform(0, 0.1))
    else:
        time.sleep(draw.uniform(0, 1))
    strike(process)
    _, err = process.communicate(timeout=60)
    return process.returncode, err.decode()


@pytest.mark.skipif(os.name != "posix", reason="signals to process groups")
@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("times", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_at_random_moments_it_goes_on(sweep, times, workers):
    """SIGKILL at random moments (seed 7), then the same command: the same rows, and no record was written twice."""
    draw = random.Random(7)
    replications = 100 if times > 2 else 20
    count_writes("a.db")
    for number in range(times):
        arguments = ("--workers", workers, "--replications", str(replications))
        code, _ = _struck(number, arguments, lambda process: process.kill(), draw)
        assert code in {-signal.SIGKILL, DONE}
    held = stored("a.db")
    assert held > 0
    code, _, rows = sweep(*LARGE, "--replications", str(replications), "--out", "a.db")
    assert (code, rows) == (DONE, rows_of_large(replications))
    with closing(sqlite3.connect("a.db")) as connection:
        writes = connection.execute("SELECT count(*), count(DISTINCT scenario || replication) FROM writes").fetchone()
    assert writes == (replications * DESIGNS,) * 2
    with Store.open("a.db") as store:
        assert store.verify() == []


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals to process groups")
@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_at_random_moments_is_one_word(sweep, workers):
    """Ctrl-C, as a terminal sends it, at 20 random moments (seed 11) from its first line on: 130 and one line."""
    draw = random.Random(11)
    codes = []
    for number in range(20):
        arguments = ("--workers", workers, "--replications", "100")
        code, err = _struck(number, arguments, lambda process: os.killpg(process.pid, signal.SIGINT), draw)
        codes.append(code)
        assert code == DONE or (code == INTERRUPTED and one_message(err, "parksim: interrupted")), (number, code, err)
    assert codes.count(INTERRUPTED) > 5
    assert sweep(*LARGE, "--replications", "100", "--out", "a.db")[2] == rows_of_large(100)
    with Store.open("a.db") as store:
        assert len(dict(store.records())) == 100 * DESIGNS
        assert store.verify() == []
