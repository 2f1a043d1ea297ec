"""Sweeps: the same rows whoever runs them, however often they were killed, whatever the store held."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from parksim import planning
from parksim.scenario import Scenario
from parksim.store import Store, canonical
from parksim.studies import study

SCENARIOS = Path(__file__).parents[2] / "scenarios"
OVER = {"lot.slots": range(4, 7), "lot.max_in_parking": ("60s", "120s")}


def lot(**values):
    """Return the lot alone, for two hours."""
    return Scenario.load(SCENARIOS / "lot-only.toml").with_values({"run.horizon": "2h"} | values)


def swept(**options):
    """Sweep six designs, five replications each."""
    return planning.sweep(lot(), OVER, 5, engine="simpy", **options)


def rows_of(sweep):
    """Return a sweep as text in which nan equals nan."""
    return [canonical(row) for row in sweep.flat()]


@pytest.fixture(scope="module")
def plain():
    """Return the sweep as this process runs it."""
    return swept()


def test_rows_are_the_studies_of_the_designs(plain):
    """Rows stand in the order of the values, and each is the study of its design with the same seed."""
    assert [tuple(row.values.values()) for row in plain.rows] == [(s, m) for s in (4, 5, 6) for m in ("60s", "120s")]
    for row in plain.rows:
        assert row.study.to_dict() == study(lot().with_values(row.values), 5, engine="simpy").to_dict()
    assert (plain.ran, plain.reused) == (30, 0)


def test_all_designs_are_offered_the_same_calls(plain):
    """In each replication every design is offered as many calls, by hour of day, as every other."""
    offered = {tuple(tuple(result["calls_offered_by_hour"]) for result in row.study.results) for row in plain.rows}
    assert len(offered) == 1


@pytest.mark.parametrize("engine", ["simpy", "kernel"])
def test_workers_cannot_show(plain, tmp_path, engine, monkeypatch):
    """This process and a pool, with and without a store, either engine: the same rows."""
    monkeypatch.setitem(planning.engine_for.__globals__["_TASK_CALLS"], engine, 500)
    if engine == "kernel":
        pytest.importorskip("numba")
        monkeypatch.setenv("NUMBA_NUM_THREADS", "1")
    options = {"executor": "processes", "workers": 2, "store": tmp_path / "a.db"}
    assert rows_of(planning.sweep(lot(), OVER, 5, engine=engine, **options)) == rows_of(plain)


def test_only_what_is_missing_runs(plain, tmp_path):
    """What a store holds is not run again; more replications run only the further ones."""
    first = planning.sweep(lot(), OVER, 3, engine="simpy", store=tmp_path / "a.db")
    second = swept(store=tmp_path / "a.db")
    third = swept(store=tmp_path / "a.db")
    assert [(one.ran, one.reused) for one in (first, second, third)] == [(18, 0), (12, 18), (0, 30)]
    assert rows_of(second) == rows_of(third) == rows_of(plain)


def test_damaged_records_are_run_again(plain, tmp_path):
    """Three records whose measures were changed on the disk are reported, run again, and whole the next time."""
    swept(store=tmp_path / "a.db")
    connection = sqlite3.connect(tmp_path / "a.db")
    connection.execute(
        "UPDATE records SET measures = replace(measures, '0', '1') WHERE seed = 1 AND replication = 2 "
        "AND scenario IN (SELECT DISTINCT scenario FROM records ORDER BY 1 LIMIT 3)"
    )
    connection.commit()
    connection.close()
    mended = swept(store=tmp_path / "a.db")
    assert (mended.ran, len(mended.damaged), rows_of(mended) == rows_of(plain)) == (3, 3, True)
    assert swept(store=tmp_path / "a.db").damaged == ()


PROGRAM = """
import sys
from parksim.planning import sweep
from parksim.scenario import Scenario
scenario = Scenario.load(sys.argv[1]).with_values({"run.horizon": "2h"})
executor = "processes" if sys.argv[3] == "processes" else None
over = {"lot.slots": range(4, 7), "lot.max_in_parking": ("60s", "120s")}
sweep(scenario, over, 5, engine="simpy", store=sys.argv[2], executor=executor, workers=2)
"""


def stored(path):
    """Return how many records a store holds; 0 before it is one."""
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
            return connection.execute("SELECT count(*) FROM records").fetchone()[0]
    except sqlite3.Error:
        return 0


@pytest.mark.parametrize("executor", ["none", "processes"])
def test_a_killed_sweep_goes_on_where_it_was(plain, tmp_path, executor):
    """Killed (SIGKILL) after each of three random numbers of records (seed 3), the rest is run once and rows agree."""
    draw, path, at = random.Random(3), tmp_path / "a.db", 0
    for _ in range(3):
        at = draw.randrange(at + 1, at + 9)
        command = [sys.executable, "-c", PROGRAM, SCENARIOS / "lot-only.toml", path, executor]
        process = subprocess.Popen(command, stderr=subprocess.PIPE)
        while stored(path) < at and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stderr.close()
        held = stored(path)
        assert held >= at
    rest = swept(store=path)
    assert (rest.ran, rest.reused) == (30 - held, held)
    assert rest.damaged == ()
    assert rows_of(rest) == rows_of(plain)
    with Store.open(path, read_only=True) as store:
        assert len(dict(store.records())) == 30
        assert sorted(store.scenarios()) == sorted(row.study.scenario.digest for row in plain.rows)


def test_a_killed_worker_loses_nothing(plain, tmp_path):
    """One worker of two is killed after the first results; a new pool runs what was missing."""
    killed = []

    def kill(done, to_do):
        assert done <= to_do
        if not killed:
            children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
            killed.append(int(children[-1]))
            os.kill(killed[0], signal.SIGKILL)

    if not Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").exists():
        pytest.skip("children are found under /proc")
    survived = swept(executor="processes", workers=2, store=tmp_path / "a.db", progress=kill)
    assert killed
    assert rows_of(survived) == rows_of(plain)


def test_wrong_sweeps_are_refused_before_anything_runs(tmp_path):
    """No key, no value, an endless list, too many runs, an impossible value: an error, and no store is made."""
    for over, words in [
        ({}, "a sweep needs a key"),
        ({"lot.slots": ()}, r"lot\.slots needs 1 to"),
        ({"lot.slots": iter(int, 1)}, r"lot\.slots needs 1 to"),
        ({"lot.slots": range(1, 1001), "lot.first": range(1, 1001)}, "more than 1,000,000"),
        ({"lot.slots": (4, 0)}, "slots"),
    ]:
        with pytest.raises(ValueError, match=words):
            planning.sweep(lot(), over, 5, store=tmp_path / "a.db")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "4..", "..4", "9..4", "4..20:0", "4..20:-1", "1..99999999", "4,,5", "a..b"])
def test_wrong_lists_of_values_are_refused(text):
    """What lists no values, or too many, is refused with the text as it was written."""
    with pytest.raises(ValueError, match=r"write|take fewer"):
        planning.values_of(text)
