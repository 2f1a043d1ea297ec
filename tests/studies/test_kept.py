"""Results and stores as input: damaged, edited by hand, or crafted; each is right, or one error that names it."""

import json
import math
import re
import shutil
import sqlite3
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest

import parksim
from parksim.catalogue import BY_NAME
from parksim.errors import ArgumentError, ParksimError, PlanError, StoreError
from parksim.results import canonical
from parksim.scenario.model import Scenario
from parksim.studies import controls
from parksim.studies.loaded import load
from parksim.studies.replication import fits
from parksim.studies.rerun import rerun, result_of
from parksim.studies.store import Key, Store, checksum
from parksim.studies.study import Study

LOT = Path(__file__).parents[2] / "scenarios" / "lot-only.toml"
SMALL = Scenario.load(LOT).with_values({"run.horizon": "90m"})


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Return a folder with a study and a sweep in stores, and a study in a .json."""
    folder = tmp_path_factory.mktemp("kept")
    done = parksim.study(SMALL, 3, seed=4, engine="simpy", store=folder / "study.db")
    (folder / "study.json").write_text(done.to_json(sealed=True) + "\n", encoding="utf-8")
    parksim.sweep(SMALL, {"lot.slots": [3, 4]}, 2, seed=4, engine="simpy", store=folder / "sweep.db")
    return folder


def flips(whole, times):
    """Yield contents with one byte flipped (seed 6)."""
    draw = Random(6)
    for _ in range(times):
        content = bytearray(whole)
        content[draw.randrange(len(content))] ^= draw.randrange(1, 256)
        yield bytes(content)


def answer(path):
    """Return what a report or a comparison is made of."""
    loaded = load(path)
    studies = [loaded] if isinstance(loaded, Study) else [row.study for row in loaded.rows]
    how = (loaded.seed, loaded.engine, loaded.level, loaded.made_with, getattr(loaded, "over", None))
    return how, [
        (one.scenario.canonical, one.scenario.notes, one.stopped, one.precision, [canonical(x) for x in one.results])
        for one in studies
    ]


def test_a_flipped_byte_never_changes_a_result_unnoticed(kept, tmp_path):
    """Of 600 .json with one byte flipped each is refused with its name, or says the same."""
    whole, path = (kept / "study.json").read_bytes(), tmp_path / "x.json"
    content = result_of(kept / "study.json").content
    refusals = []
    for changed in flips(whole, 600):
        path.write_bytes(changed)
        try:
            assert result_of(path).content == content
        except PlanError as error:
            refusals.append(str(error))
    assert len(refusals) > 300  # most of the others changed a space
    assert all(told.startswith(f"{path}: ") for told in refusals)


@pytest.mark.parametrize("name", ["study.db", "sweep.db"])
def test_a_flipped_byte_never_changes_a_store_unnoticed(kept, tmp_path, name):
    """Of 600 stores with one byte flipped each is refused with its name, or says the same."""
    whole, path = (kept / name).read_bytes(), tmp_path / "x.db"
    expected, refusals = answer(kept / name), []
    for changed in flips(whole, 600):
        path.write_bytes(changed)
        try:
            assert answer(path) == expected
        except StoreError as error:
            refusals.append(str(error))
    assert len(refusals) > 100
    assert all(told.startswith(f"{path}: ") for told in refusals)


def changed(kept, tmp_path, change):
    """Return a result whose object was changed by hand."""
    result = json.loads((kept / "study.json").read_text(encoding="utf-8"))
    change(result)
    path = tmp_path / "x.json"
    path.write_text(json.dumps(result, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return path


def test_a_result_edited_by_hand_is_told_and_read_unchecked(kept, tmp_path):
    """Refused with what to do; unchecked it is read; without its checksum it is one of an older parksim."""
    path = changed(kept, tmp_path, lambda one: one["estimates"]["occupancy_mean"].update(mean=0.5))
    with pytest.raises(PlanError, match=r"x\.json: it was edited by hand or is damaged.*--unchecked"):
        result_of(path)
    read = result_of(path, unchecked=True)
    assert (read.altered, read.content["estimates"]["occupancy_mean"]["mean"]) == (True, 0.5)
    path = changed(kept, tmp_path, lambda one: one.pop("checksum"))
    assert (result_of(path).altered, result_of(path).has_checksum) == (False, False)
    assert rerun(path).same


def test_another_scenario_under_the_old_digest_is_told(kept, tmp_path):
    """One slot more in the text of an older result, which has no checksum."""

    def change(one):
        del one["checksum"]
        one["request"]["scenario"] = re.sub(r'"slots":\d+', '"slots":77', one["request"]["scenario"])

    with pytest.raises(PlanError, match="edited by hand or is damaged"):
        result_of(changed(kept, tmp_path, change))


def crafted(path, **changes):
    """Change the last plan of a store, its checksum too; a value of None takes the key out."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        number, text = connection.execute("SELECT number, plan FROM plans ORDER BY number DESC").fetchone()
        plan = {key: value for key, value in (json.loads(text) | changes).items() if value is not None}
        text = json.dumps(plan)
        total = sha256(json.dumps([number, text]).encode()).hexdigest()
        connection.execute("UPDATE plans SET plan = ?, checksum = ? WHERE number = ?", (text, total, number))
    return path


PLANS = [
    {"seed": None},
    {"seed": -1},
    {"seed": True},
    {"engine": "ciw"},
    {"level": "x"},
    {"level": 1.0},
    {"scenario": 7},
    {"replications": -1},
    {"replications": 10**15},
    {"precision": "x"},
    {"notes": {}},
    {"notes": {"head": 1, "of_keys": {}, "given": []}},
    {"versions": {"numpy": 2}},
    {"objectives": {"refused_share": 3}},
    {"kind": "solve"},
    {"kind": "sweep", "over": [1], "designs": []},
    {"kind": "sweep", "over": {"lot.slots": [3, 4]}, "designs": ["a" * 64]},
    {"kind": "sweep", "over": {}, "designs": []},
]


@pytest.mark.parametrize("changes", PLANS, ids=str)
def test_a_crafted_plan_is_refused(kept, tmp_path, changes):
    """A key missing, of another kind or out of bounds: one message with the file, the key and what to do."""
    path = crafted(shutil.copy(kept / "study.db", tmp_path / "x.db"), **changes)
    with pytest.raises(StoreError, match=r"x\.db: its last plan is not one of parksim \(.*move the file away") as told:
        load(path)
    assert len(str(told.value)) < 500


def test_a_target_that_is_none_is_refused(kept, tmp_path):
    """Targets are read as a scenario reads them."""
    path = crafted(shutil.copy(kept / "study.db", tmp_path / "x.db"), objectives={"refused_share": "?"})
    with pytest.raises(StoreError, match=r"x\.db: its scenario is not"):
        load(path)


MEASURES = [
    {"calls_offered": math.nan},
    {"calls_offered": 1e300},
    {"refused_share": 1.5},
    {"expired_share": math.nan},
    {"occupancy_mean": -3.0},
    {"occupancy_pmf": [1.0]},
    {"refused_share_by_hour": 0.5},
    {"parks_requested_by_hour": [1.0]},
    {"parks_made": [1.0]},
    {"unheard_of": 1.0},
]


@pytest.mark.parametrize("change", MEASURES, ids=str)
def test_crafted_measures_are_run_again(kept, tmp_path, change):
    """Measures that no replication has count as missing: not loaded, and made again by the same command."""
    path = shutil.copy(kept / "study.db", tmp_path / "x.db")
    with Store.open(path) as store:
        key, result = next(iter(store.records()))
        assert fits(result, SMALL)
        store.put({key: result | change})
    with pytest.raises(StoreError, match="1 of its replications are damaged or missing"):
        load(path)
    again = parksim.study(SMALL, 3, seed=4, engine="simpy", store=path)
    assert again.to_json() == load(kept / "study.db").to_json() == load(path).to_json()


@pytest.mark.parametrize("text", ["[]", '{"a":"x"}', '{"a":[[1]]}', '{"a":1e999}', '{"a":true}', '{"a":' + "[" * 9000])
def test_measures_that_are_no_numbers_are_damage(tmp_path, text):
    """A crafted record with the right checksum is reported, not returned."""
    key = Key("d" * 64, 1, 0, "simpy", "0.1.0")
    with Store.open(tmp_path / "a.db") as store:
        row = (*key, text, checksum(key, text))
        store._connection.execute("INSERT INTO records VALUES (?,?,?,?,?,?,?)", row)
        assert dict(store.records()) == {}
        assert [one.why for one in store.damaged] == ["its measures are not a JSON object"]


def test_every_measure_may_be_what_a_replication_gives():
    """Windows without calls, without parks and with both, one lot and several: all fit."""
    for name in ("lot-only", "hospital", "two-lots"):
        for path in LOT.parent.glob(f"{name}.toml"):
            for values in ({"run.horizon": "10m", "run.warm_up": "9m"}, {"run.horizon": "3h", "run.warm_up": "0s"}):
                scenario = Scenario.load(path).with_values(values)
                results = parksim.study(scenario, 3).results
                assert all(fits(one, scenario) for one in results)
                assert all(controls.without(one).keys() == BY_NAME.keys() for one in results)


@pytest.mark.parametrize("file", ["/etc/hostname", "x.csv", "/dev/zero", "sha256:" + "0" * 63])
def test_a_file_that_a_stored_scenario_names_is_not_opened(file):
    """A result names a file by its digest; a name in its place is refused unread."""
    plain = json.loads(Scenario.load(LOT.parent / "recorded.toml").canonical)
    assert not Scenario.of_canonical(json.dumps(plain)).arrivals.at_hand
    plain["arrivals"]["file"] = file
    with pytest.raises(ArgumentError):
        Scenario.of_canonical(json.dumps(plain))
    law = json.loads(SMALL.canonical)
    law["lot"]["max_in_parking"] = {"kind": "empirical", "file": file}
    with pytest.raises(ArgumentError):
        Scenario.of_canonical(json.dumps(law))


@pytest.mark.parametrize("text", ["", "[]", "7", "[" * 100_000, "{}", '{"file":"x"}', None])
def test_a_text_that_is_no_scenario_is_refused(text):
    """Whatever a file has kept as a scenario: a scenario, or one error of parksim."""
    with pytest.raises(ParksimError):
        Scenario.of_canonical(text)


def test_canonical_is_the_same_however_it_was_ordered():
    """Keys are sorted, nan is null."""
    assert (
        canonical({"b": math.nan, "a": [1, 2.5]}) == canonical({"a": [1, 2.5], "b": None}) == '{"a":[1,2.5],"b":null}'
    )
