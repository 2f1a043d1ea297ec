"""Solutions, comparisons and sensitivities in a store: loaded without running anything, made again, never half."""

import json
import sqlite3
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

import parksim
from parksim.errors import PlanError, StoreError, UnfitError
from parksim.results import canonical
from parksim.scenario.model import TEMPLATE, Scenario
from parksim.studies import gather
from parksim.studies.loaded import load
from parksim.studies.rerun import rerun

ROOT = Path(__file__).parents[2]
GUESSED = TEMPLATE.replace("slots = 6\n", "slots = 6  # guess\n")
GUESSED = GUESSED.replace("probability = 0.6", "probability = 0.6  # guess")
SMALL = Scenario.loads(GUESSED).with_values({"run.horizon": "2h", "run.warm_up": "0s", "lot.max_in_parking": "3m"})
FEWER = SMALL.with_values({"lot.slots": 3, "name": "b"})
SCANT = SMALL.with_values({"lot.slots": 1, "objectives": {"refused_share": "< 30 %"}})
RARER = SMALL.with_values({"arrivals.rate": "80/h"})
HOW = {"engine": "simpy", "seed": 4}
MAKERS = {
    "solve": lambda **how: parksim.solve(SMALL, "lot.slots", (2, 9), 3, **HOW, **how),
    "solve until decided": lambda **how: parksim.solve(SMALL, "lot.slots", (6, 9), precision=0.9, **HOW, **how),
    "solve for two": lambda **how: parksim.solve(
        SMALL, ("lot.slots", "lot.max_in_parking"), ((4, 8), (120, 180)), 3, step=(1, 60), **HOW, **how
    ),
    "compare": lambda **how: parksim.compare(SMALL, FEWER, 3, **HOW, **how),
    "compare apart": lambda **how: parksim.compare(SMALL, RARER, 3, **HOW, **how),
    "advise": lambda **how: parksim.advise(SCANT, keys=["lot.slots"], replications=10, **HOW, **how),
    "sensitivity": lambda **how: parksim.sensitivity(SMALL, 3, **HOW, **how),
}
KINDS = pytest.mark.parametrize("kind", MAKERS)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Return by kind the plan as it was made, and its store."""
    folder = tmp_path_factory.mktemp("plans")
    stores = {kind: folder / f"{kind}.db" for kind in MAKERS}
    return {kind: (make(store=stores[kind]), stores[kind]) for kind, make in MAKERS.items()}


def plain(plan):
    """Return all that a plan says."""
    return canonical([plan.to_dict(), plan.flat()])


@KINDS
def test_a_plan_is_loaded_as_it_was_made_without_a_run(kept, kind, monkeypatch):
    """It says the same to the last digit, and no replication is run for it."""
    made, path = kept[kind]

    def never(*_):
        raise AssertionError("a replication was run")

    monkeypatch.setattr(gather, "replicate", never)
    loaded = load(path)
    assert type(loaded) is type(made)
    assert plain(loaded) == plain(made)
    assert loaded.ran == 0
    assert loaded.scenario.notes == made.scenario.notes
    assert [one.text for one in loaded.scenario.objectives] == [one.text for one in made.scenario.objectives]


@KINDS
def test_a_plan_is_made_again(kept, kind):
    """Rerun says the same; one replication alone is no part of a plan, and is refused."""
    _, path = kept[kind]
    again = rerun(path)
    assert again.same
    assert again.made.startswith(kind.split()[0])
    with pytest.raises(PlanError, match="leave --replication out"):
        rerun(path, 1)


def edited(path, tmp_path, statement):
    """Return a copy of a store on which a statement was executed."""
    copy = tmp_path / "x.db"
    copy.write_bytes(path.read_bytes())
    with closing(sqlite3.connect(copy)) as connection:
        connection.execute(statement)
        connection.commit()
    return copy


@KINDS
@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM records WHERE replication = 0",
        "UPDATE records SET measures = replace(measures, '0', '1') WHERE replication = 0",
        "DELETE FROM scenarios",
        "UPDATE plans SET plan = replace(plan, 'engine', 'engint')",
    ],
)
def test_a_store_that_lacks_something_is_told(kept, tmp_path, kind, statement):
    """A record that is missing or was changed, no text of a scenario, a changed plan: one message with the file."""
    path = edited(kept[kind][1], tmp_path, statement)
    with pytest.raises(StoreError, match=r"x\.db: .*repeat the command that wrote it"):
        load(path)


def test_a_plan_of_another_version_is_loaded_with_its_records(tmp_path, monkeypatch):
    """The records are those of the version that made the plan, and the result says which that was."""
    with monkeypatch.context() as older:
        older.setattr(gather, "made_by", lambda _: "older")
        older.setattr(gather.engines, "versions", lambda _: {"parksim": "0.0.1"})
        made = MAKERS["compare"](store=tmp_path / "x.db")
        solved = MAKERS["solve"](store=tmp_path / "y.db")
    loaded = load(tmp_path / "x.db")
    assert loaded.differences == made.differences
    assert {loaded.a.made_with["parksim"], loaded.b.made_with["parksim"]} == {"0.0.1"}
    assert load(tmp_path / "y.db").to_dict()["versions"] == {"parksim": "0.0.1"}
    assert load(tmp_path / "y.db").value == solved.value
    assert not rerun(tmp_path / "x.db").same
    assert "parksim" in rerun(tmp_path / "x.db").versions


def test_what_was_finished_last_is_loaded(tmp_path):
    """One store may keep several plans; the last one is its result."""
    path = tmp_path / "x.db"
    MAKERS["compare"](store=path)
    assert type(load(path)).__name__ == "Comparison"
    parksim.study(SMALL, 2, store=path, **HOW)
    assert type(load(path)).__name__ == "Study"
    MAKERS["solve"](store=path)
    assert type(load(path)).__name__ == "Solution"


def test_a_scenario_that_reads_files_is_needed_with_them(tmp_path):
    """Calls of a recording cannot be drawn from a store: that is said, and with the scenario's file it loads."""
    recorded = Scenario.load(ROOT / "scenarios" / "recorded.toml")
    made = parksim.compare(recorded, recorded.with_values({"lot.slots": 3}), 2, store=tmp_path / "x.db", **HOW)
    with pytest.raises(UnfitError, match="not at hand"):
        load(tmp_path / "x.db")
    assert plain(load(tmp_path / "x.db", recorded)) == plain(made)
    with pytest.raises(PlanError, match="is of another scenario"):
        load(tmp_path / "x.db", SMALL)


def test_arguments_that_make_no_plan_are_told(kept, tmp_path):
    """What was asked, changed by somebody who knew the checksum: one message that names the file."""
    for change in ({"key": 3}, {"within": "x"}, {"nonsense": 1}, {"step": 0}, {"sense": None, "precision": 7}):
        copy = tmp_path / "x.db"
        copy.write_bytes(kept["solve"][1].read_bytes())
        with closing(sqlite3.connect(copy)) as connection:
            ((number, text),) = connection.execute("SELECT number, plan FROM plans")
            plan = json.loads(text)
            plan["asked"] |= change
            text = json.dumps(plan)
            told = sha256(json.dumps([number, text]).encode()).hexdigest()
            connection.execute("UPDATE plans SET plan = ?, checksum = ?", (text, told))
            connection.commit()
        with pytest.raises(StoreError, match=r"x\.db: its last plan is not one of parksim"):
            load(copy)
