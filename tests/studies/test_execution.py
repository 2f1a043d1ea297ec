"""How replications are run, by the same keywords everywhere: stores, levels, seeds, and messages for wrong ones."""

import inspect
import os
import signal
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import parksim
from parksim.errors import ArgumentError, WrongTypeError
from parksim.scenario.model import TEMPLATE, Scenario
from parksim.studies.gather import Execution, ExecutionArguments
from parksim.studies.store import Store

SHORT = Scenario.loads(TEMPLATE).with_values({"run.horizon": "90m", "run.warm_up": "10m"})
RUNS = {
    "study": lambda **how: parksim.study(SHORT, 2, **how),
    "sweep": lambda **how: parksim.sweep(SHORT, {"lot.slots": [3, 4]}, 2, **how),
    "solve": lambda **how: parksim.solve(SHORT, "lot.slots", (3, 4), 2, **how),
    "compare": lambda **how: parksim.compare(SHORT, SHORT.with_values({"lot.slots": 3}), 2, **how),
}
"""Each public function that runs replications, of which the store then has 2 or 4."""


@pytest.mark.parametrize("as_what", [str, Path, Store.open])
def test_a_finished_study_is_loaded_from_its_store(tmp_path, as_what):
    """A study whose store is a path or an open store is loaded by its path, equal to the last digit."""
    path = tmp_path / "a.db"
    store = as_what(path)
    done = parksim.study(SHORT, 3, seed=4, level=0.9, store=store)
    if isinstance(store, Store):
        assert len(dict(store.records())) == 3  # it is still open
        store.close()
    assert parksim.load(path).to_json() == done.to_json()
    assert parksim.study(SHORT, 3, seed=4, level=0.9, store=str(path)).to_json() == done.to_json()


@pytest.mark.parametrize("name", RUNS)
def test_a_store_is_a_path_or_an_open_one_everywhere(tmp_path, name):
    """Each function keeps its replications in a store named as text, as a path, or open, and closes what it opened."""
    counts = []
    for number, as_what in enumerate([str, Path, Store.open]):
        path = tmp_path / f"{number}.db"
        store = as_what(path)
        RUNS[name](store=store)
        if isinstance(store, Store):
            store.close()
        with Store.open(path) as again:
            counts.append(len(dict(again.records())))
    assert counts in ([2] * 3, [4] * 3)


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"seed": -1}, "a seed is a whole number from 0, not -1"),
        ({"seed": "1"}, "a seed is a whole number from 0, not '1'"),
        ({"level": 1.0}, r"a level lies between 0 and 1 \(95 % is 0.95\), not 1.0"),
        ({"level": 95}, r"a level lies between 0 and 1 \(95 % is 0.95\), not 95"),
        ({"engine": "ciw"}, "there is no engine 'ciw'; choose one of: auto, simpy, kernel"),
        ({"executor": "threads"}, 'executor is None, "processes" or an Executor'),
    ],
)
def test_a_wrong_keyword_value_is_refused_everywhere_before_the_work(monkeypatch, tmp_path, name, wrong, message):
    """Each function refuses the same values with the same message; nothing is run and no store is made."""
    monkeypatch.setattr("parksim.studies.gather.replicate", lambda *_: pytest.fail("the work was done"))
    with pytest.raises(ArgumentError, match=message):
        RUNS[name](store=tmp_path / "a.db", **wrong)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", RUNS)
def test_an_unknown_keyword_names_the_nearest(name):
    """A misspelt keyword is a TypeError with the right word; an unlike one lists them all."""
    with pytest.raises(TypeError, match=r"there is no argument 'sed'; did you mean seed\?"):
        RUNS[name](sed=1)
    with pytest.raises(WrongTypeError, match="no argument 'xyz'; choose from: seed, level, executor, workers, engine"):
        RUNS[name](xyz=1)


@pytest.mark.parametrize("name", RUNS)
def test_signatures_show_the_keywords(name):
    """``inspect`` (hence ``help``) shows each keyword with its default in place of ``**how``."""
    parameters = inspect.signature(getattr(parksim, name)).parameters
    shown = {key: one.default for key, one in parameters.items() if key in ExecutionArguments.__annotations__}
    assert shown == vars(Execution())
    assert "how" not in parameters


def test_numbers_of_numpy_are_kept_as_numbers():
    """A seed and a level out of NumPy become Python's own."""
    how = Execution(seed=np.int64(3), level=np.float64(0.9))
    assert (type(how.seed), type(how.level), how.seed, how.level) == (int, float, 3, 0.9)


@pytest.mark.parametrize(("level", "words"), [(0.95, ""), (0.99, " --level 99%"), (0.9990000001, " --level 99.90")])
def test_a_report_prints_the_command_that_makes_its_intervals(tmp_path, level, words):
    """The level is part of the printed command unless it is that of the command line itself."""
    results = {
        "run": parksim.study(SHORT, 2, level=level, engine="simpy"),
        "sweep": parksim.sweep(SHORT, {"lot.slots": [3, 4]}, 2, level=level, engine="simpy"),
    }
    for name, result in results.items():
        result.report(tmp_path / f"{name}.md")
        text = (tmp_path / f"{name}.md").read_text()
        assert f"--seed 1 --engine simpy{words}" in text
        assert ("--level" in text) == bool(words)


@pytest.mark.skipif(not Path("/proc").exists(), reason="children are found under /proc")
def test_a_killed_worker_of_a_study_loses_nothing(tmp_path):
    """One worker of two is killed after the first result; a new pool runs what was missing, and it cannot show."""
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    killed = []

    def kill(_done, _to_do):
        if not killed:
            killed.append(int(children.read_text().split()[-1]))
            os.kill(killed[0], signal.SIGKILL)

    if not children.exists():
        pytest.skip("this kernel does not list children")
    how = {"engine": "simpy", "executor": "processes", "workers": 2}
    survived = parksim.study(SHORT, 20, store=tmp_path / "a.db", progress=kill, **how)
    assert killed
    assert survived.to_json() == parksim.study(SHORT, 20, engine="simpy").to_json()
    with Store.open(tmp_path / "a.db") as store:
        assert len(dict(store.records())) == 20


def test_a_precise_study_may_begin_in_the_middle_of_a_store(tmp_path):
    """Where a store has some replications, before and after a gap, a study stops where it stops without a store."""
    scenario = SHORT.with_values({"objectives": {}, "lot.slots": 3})
    engine = "kernel" if find_spec("numba") else "simpy"
    plain = parksim.study(scenario, precision=0.9, engine=engine)
    with Store.open(tmp_path / "a.db") as store:
        parksim.study(scenario, 12, engine=engine, store=store)
        gap = [key for key in dict(store.records()) if key.replication in (4, 5, 9)]
        store._connection.executemany("DELETE FROM records WHERE replication = ?", [(key.replication,) for key in gap])
        how = {"engine": engine, "store": store, "executor": "processes", "workers": 2}
        assert parksim.study(scenario, precision=0.9, **how).to_json() == plain.to_json()
