"""Runs and studies: equal whoever does the work, honest about what was not seen, stopped when they say they stop."""

import concurrent.futures
import math
import multiprocessing
import os
import pickle
from array import array
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import parksim
from parksim.catalogue import SCALARS, VECTORS
from parksim.errors import StudyError
from parksim.scenario.model import TEMPLATE, Scenario
from parksim.scenario.workload import draw
from parksim.stats.estimate import mean_of, t_interval
from parksim.stats.special import clopper_pearson_limits
from parksim.studies import controls
from parksim.studies import study as studies
from parksim.studies.gather import tasks_of
from parksim.studies.replication import KERNEL_PAYS_CALLS, chosen_engine, replicate, versions
from parksim.studies.store import canonical
from parksim.studies.study import Study

SCENARIOS = Path(__file__).parents[2] / "scenarios"
SHORT = Scenario.loads(TEMPLATE).with_values({"run.horizon": "90m", "run.warm_up": "10m"})
NEVER_FULL = SHORT.with_values({"lot.slots": 200, "queue.limit": 0, "attendants.count": 1})


@pytest.fixture(scope="module")
def plain():
    """Five replications made here, one after the other."""
    return parksim.study(SHORT, 5, seed=7, engine="simpy")


def same(one, other):
    """Tell whether two studies say the same, nan for nan."""
    return str(one.results) == str(other.results) and str(one.to_dict()) == str(other.to_dict())


# One replication ------------------------------------------------------------------------------------------------------


def test_a_replication_of_a_study_can_be_run_again_alone(plain):
    """Replication 3 alone has the measures that it has within the study; its journal's header says how it was made."""
    run = parksim.run(SHORT, seed=7, replication=3)
    alone = {name: np.asarray(value).tolist() for name, value in run.measures.items()}
    assert canonical(alone) == canonical(controls.without(plain.results[3]))
    header = run.journal.header
    assert (header["seed"], header["replication"], header["engine"], header["digest"]) == (7, 3, "simpy", SHORT.digest)
    assert Scenario.model_validate_json(header["scenario"]) == SHORT
    assert [column.tolist() for column in run.workload()] == [column.tolist() for column in draw(SHORT, 7, 3)]


def test_a_kernels_run_says_so():
    """The same rows, another engine in the header, with the version of its compiler."""
    pytest.importorskip("numba")
    run = parksim.run(SHORT, seed=7, engine="kernel")
    assert run.journal == parksim.run(SHORT, seed=7).journal
    assert run.journal.header["engine"] == run.engine == "kernel"
    assert "numba" in run.journal.header["versions"]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"engine": "ciw"}, "there is no engine 'ciw'; choose one of: auto, simpy, kernel"),
        ({"seed": -1}, "a seed is a whole number from 0, not -1"),
        ({"seed": 1.0}, r"a seed is a whole number from 0, not 1\.0"),
        ({"replication": -1}, "a replication is a whole number from 0, not -1"),
        ({"replication": "2"}, "a replication is a whole number from 0, not '2'"),
    ],
)
def test_a_wrong_argument_of_run_is_told(wrong, told):
    """Run refuses what cannot be with a message that says what can."""
    with pytest.raises(ValueError, match=told):
        parksim.run(SHORT, **wrong)


# Many -----------------------------------------------------------------------------------------------------------------


def test_estimates_are_those_of_the_replications(plain):
    """Without controls a measure's estimate is made of its values alone: t for numbers, sums over sums for shares."""
    plain = replace(plain, results=tuple(map(controls.without, plain.results)))
    values = {name: [result[name] for result in plain.results] for name in SCALARS}
    assert plain.estimates["occupancy_mean"] == t_interval(mean_of(values["occupancy_mean"]), bounds=(0, 6))
    expired = sum(round(one * parks) for one, parks in zip(values["expired_share"], values["parks_made"], strict=True))
    assert plain.estimates["expired_share"].mean == expired / sum(values["parks_made"])
    assert plain.estimates["occupancy_mean"].mean == math.fsum(values["occupancy_mean"]) / 5
    assert set(plain.estimates) == {*SCALARS, *VECTORS}
    slots = [result["slot_utilisation"][2] for result in plain.results]
    assert plain.estimates["slot_utilisation"][2].mean == math.fsum(slots) / 5
    assert [len(plain.estimates[name]) for name in ("slot_utilisation", "occupancy_pmf")] == [6, 7]


def test_who_does_the_work_does_not_show(plain):
    """Threads, processes and one's own executor give the same study, and an executor given stays open."""
    assert same(parksim.study(SHORT, 5, seed=7, executor="processes", workers=2), plain)
    with concurrent.futures.ThreadPoolExecutor(3) as threads:
        assert same(parksim.study(SHORT, 5, seed=7, executor=threads), plain)
        assert same(parksim.study(SHORT, 5, seed=7, executor=threads), plain)
    assert same(parksim.study(SHORT, 5, seed=7, engine="auto"), plain)


def test_a_recording_travels_to_the_workers():
    """A scenario with recorded arrivals gives the same study in two processes as here."""
    scenario = Scenario.load(SCENARIOS / "recorded.toml")
    assert scenario == pickle.loads(pickle.dumps(scenario))
    here = parksim.study(scenario, 2, engine="simpy")
    assert same(parksim.study(scenario, 2, engine="simpy", executor="processes", workers=2), here)


def test_common_random_numbers_across_designs():
    """More slots refuse fewer of the very same calls, replication by replication."""
    few, many = (parksim.study(SHORT.with_values({"lot.slots": slots}), 3, seed=2) for slots in (3, 9))
    assert [one["calls_offered"] for one in few.results] == [one["calls_offered"] for one in many.results]
    assert all(a["refused_share"] > b["refused_share"] for a, b in zip(few.results, many.results, strict=True))


def test_replications_do_not_share_their_calls(plain):
    """No two of the five replications offer the same number of calls in the same way."""
    assert len({str(result) for result in plain.results}) == 5


def test_progress_is_told_after_each_replication():
    """The callback hears 1 of 4 to 4 of 4, whoever works."""
    for more in ({}, {"executor": "processes", "workers": 2}):
        told = []
        parksim.study(SHORT, 4, progress=lambda done, to_do: told.append((done, to_do)), **more)  # noqa: B023 - called at once
        assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"replications": 5, "precision": 0.1}, "either replications or a precision"),
        ({"replications": 0}, "replications are a whole number from 1, not 0"),
        ({"replications": 2.5}, r"replications are a whole number from 1, not 2\.5"),
        ({"seed": None}, "a seed is a whole number from 0, not None"),
        ({"precision": 0.0}, "between 0 and 1"),
        ({"precision": 5}, "5 % is 0.05"),
        ({"level": 95}, "95 % is 0.95"),
        ({"seed": -3}, "a seed is a whole number from 0, not -3"),
        ({"engine": "ciw"}, "there is no engine"),
        ({"executor": "threads"}, 'None, "processes" or an Executor'),
        ({"workers": 4}, "executor="),
        ({"level": "95%"}, "not '95%'"),
    ],
)
def test_a_wrong_argument_of_study_is_told_before_the_work(monkeypatch, wrong, told):
    """Study refuses what cannot be, without a replication made."""
    monkeypatch.setattr("parksim.studies.gather.replicate", lambda *_: pytest.fail("the work was done"))
    with pytest.raises(ValueError, match=told):
        parksim.study(SHORT, **wrong)


def test_numbers_of_numpy_are_numbers():
    """A seed and a number of replications out of NumPy give what Python's give."""
    two = parksim.study(SHORT, np.int64(3), seed=np.uint32(5)), parksim.study(SHORT, 3, seed=5)
    assert two[0].to_dict() == two[1].to_dict()
    assert [type(study.seed) for study in two] == [int, int]
    one = parksim.run(SHORT, seed=np.int32(5), replication=np.int64(2))
    assert one.journal == parksim.run(SHORT, seed=5, replication=2).journal
    assert one.journal.header == parksim.run(SHORT, seed=5, replication=2).journal.header


@pytest.mark.parametrize("of", [parksim.run, parksim.study, lambda one: parksim.sweep(one, {"lot.slots": [3]})])
def test_a_file_is_no_scenario(of):
    """Whoever hands over a file's name is told how to load it."""
    with pytest.raises(TypeError, match=r"not 'hospital.toml'; parksim.Scenario.load\(FILE\) reads one"):
        of("hospital.toml")


@pytest.mark.parametrize("workers", [1, 2, 7])
@pytest.mark.parametrize("stored", [(), (0,), (5, 6, 40), range(3, 90)])
def test_tasks_are_the_missing_replications_in_order(workers, stored):
    """Each of up to 400 missing replications is in one task, in order, single at first, at most 40 in one."""
    for replications in (1, 2, 7, 100, 400):
        absent = [number for number in range(replications) if number not in stored]
        tasks = list(tasks_of([(SHORT, absent)], workers, lambda _: 40))
        assert [number for task in tasks for number in task.replications] == absent
        sizes = [len(task.replications) for task in tasks]
        assert set(sizes[: 3 * workers]) <= {1}
        assert max(sizes, default=0) <= 40
    assert max(sizes) > 5  # of 400


def test_tasks_hold_replications_of_one_design():
    """Of three designs, one of them complete already, each missing replication is in one task, design by design."""
    designs = [SHORT, NEVER_FULL, SHORT.with_values({"lot.slots": 3})]
    absent = list(zip(designs, [range(50), (), (1, 4, *range(9, 60))], strict=True))
    tasks = list(tasks_of(absent, 2, lambda scenario: 3 if scenario is SHORT else 7))
    for design, numbers in absent:
        mine = [task for task in tasks if task.scenario is design]
        assert [number for task in mine for number in task.replications] == list(numbers)
        assert max((len(task.replications) for task in mine), default=0) <= (3 if design is SHORT else 7)


def test_several_replications_a_task_cannot_show():
    """30 replications, of which one worker gets up to 5 a task, give the results of 30 one by one."""
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        assert same(parksim.study(SHORT, 30, seed=7, executor=threads), parksim.study(SHORT, 30, seed=7))


def test_a_worker_that_dies_is_told():
    """A killed process ends the study with an error that names the seed, and leaves no task behind."""

    class Deadly(concurrent.futures.ProcessPoolExecutor):
        def submit(self, *_args, **_kwargs):
            return super().submit(os._exit, 9)

    told = r"a worker died while seed 6, replication 0 of scenario \w{12} was run: run the same"
    with Deadly(1) as pool, pytest.raises(StudyError, match=told):
        parksim.study(SHORT, 9, seed=6, executor=pool)


def interrupt(done, _to_do):
    """Be a user who presses Ctrl-C after the second replication."""
    if done == 2:
        raise KeyboardInterrupt


def test_an_interrupted_study_leaves_an_executor_to_its_owner(monkeypatch):
    """What was handed to a lent executor and has not begun is cancelled, and the executor works on."""
    made = []

    def quickly(_scenario, _seed, numbers, *_):
        made.append(numbers)
        return [{"x": 1.0} for _ in numbers]

    monkeypatch.setattr("parksim.studies.gather.replicate", quickly)
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        with pytest.raises(KeyboardInterrupt):
            parksim.study(SHORT, 100_000, executor=threads, progress=interrupt)
        assert threads.submit(int, "7").result() == 7
    assert 2 <= len(made) <= 5


def test_an_interrupted_study_closes_its_own_pool():
    """Of 100,000 replications in processes of its own none is made after the interruption but those handed out."""
    before = len(multiprocessing.active_children())
    with pytest.raises(KeyboardInterrupt):
        parksim.study(SHORT, 100_000, executor="processes", workers=2, progress=interrupt)
    assert len(multiprocessing.active_children()) == before


def test_an_error_in_a_worker_is_the_users_to_see(monkeypatch):
    """What is wrong within a replication comes out as it is, not as a dead worker."""

    def broken(*_):
        raise ZeroDivisionError("within")

    monkeypatch.setattr("parksim.studies.gather.replicate", broken)
    with (
        concurrent.futures.ThreadPoolExecutor(2) as threads,
        pytest.raises(ZeroDivisionError, match="within"),
    ):
        parksim.study(SHORT, 9, executor=threads)


# When it stops --------------------------------------------------------------------------------------------------------


def test_a_study_stops_when_it_is_precise():
    """Asked for little it makes the 20 replications and 5 more of the rule, and says so, whoever does the work."""
    scenario = SHORT.with_values({"objectives": {}, "lot.slots": 3})
    study = parksim.study(scenario, precision=0.9)
    assert (len(study.results), study.stopped) == (25, "precise after 25 replications")
    assert same(parksim.study(scenario, precision=0.9, executor="processes", workers=2), study)
    assert str(study.results) == str(parksim.study(scenario, 25).results)


def test_a_study_that_never_gets_precise_stops_at_the_most(monkeypatch):
    """Asked for the impossible it stops at the cap and says that it is not precise; the least cap is 25."""
    monkeypatch.setattr(studies, "MOST_REPLICATIONS", 26)
    study = parksim.study(SHORT, precision=0.0001)
    assert len(study.results) == 26
    assert study.stopped == "not yet precise after 26 replications, the most a study makes"


def test_precision_is_of_the_objectives():
    """The rule looks at the objectives' measures, each to a share of its mean or of its target, else at two others."""
    rule = studies._stopping_rule(SHORT, 0.05)
    assert {name: (t.relative, t.absolute) for name, t in rule.targets.items()} == {
        "refused_share": (0.05, 0.05 * 0.01),
        "expired_share": (0.05, 0.05 * 0.25),
    }
    rule = studies._stopping_rule(SHORT.with_values({"objectives": {}}), 0.05)
    assert {name: (t.relative, t.absolute) for name, t in rule.targets.items()} == {
        "occupancy_mean": (0.05, None),
        "refused_share": (0.1, 0.001),
    }


def test_the_scenarios_precision_is_the_default():
    """``run.precision`` binds a study of which neither number nor precision is asked."""
    scenario = SHORT.with_values({"run.precision": "60%", "objectives": {}})
    assert parksim.study(scenario).stopped.startswith("precise after ")
    assert parksim.study(scenario, 2).stopped == "2 replications were asked for"


# What was not seen ----------------------------------------------------------------------------------------------------


def test_what_was_never_seen_is_bounded_not_denied():
    """No refusal in 200 slots: mean 0, an upper end above that of as many independent parks, and never 0 %."""
    study = parksim.study(NEVER_FULL, 4)
    refused = study.estimates["refused_share"]
    requests = sum(result["parks_requested"] for result in study.results)
    assert (refused.mean, refused.low, refused.method) == (0.0, 0.0, "never-seen")
    assert refused.high > clopper_pearson_limits(0, int(requests))[1] > 0
    assert 0 < study.estimates["time_full_share"].high < 1


@pytest.mark.parametrize("name", ["refused_share_by_hour", "expired_share_by_hour"])
def test_what_was_never_seen_in_an_hour_is_bounded_by_that_hour(name):
    """The bound of an hour's share rests on that hour's parks, not on the time of the whole day."""
    values = {"run.horizon": "3h", "run.warm_up": "30m", "recall.never": 0, "lot.max_in_parking": "3600s"}
    values |= {"retrieval.never": 0, "retrieval.delay": "60s"}
    study = parksim.study(NEVER_FULL.with_values(values), 4)
    for hour in range(3):
        one = study.estimates[name][hour]
        trials = sum(result["parks_requested_by_hour"][hour] for result in study.results)
        assert (one.mean, one.low, one.method) == (0.0, 0.0, "never-seen")
        assert one.high >= clopper_pearson_limits(0, int(trials))[1]
    beyond = study.estimates[name][5]
    assert (beyond.mean, beyond.method) == (None, "undefined")


def test_parks_of_an_hour_after_the_window_claim_little():
    """Calls of the window that are parked after it count in their hour; each replication is one burst at the most."""
    values = {"run.horizon": "1h", "run.warm_up": "0s", "attendants.handling": "5m", "attendants.count": "unlimited"}
    study = parksim.study(NEVER_FULL.with_values(values), 2)
    after = study.estimates["refused_share_by_hour"][1]
    assert sum(result["parks_requested_by_hour"][1] for result in study.results) > 0
    assert (after.mean, after.high) == (0.0, pytest.approx(clopper_pearson_limits(0, 2)[1]))


UNDEFINED = [
    ("attendant_utilisation", {"attendants.count": "unlimited"}, "attendants are unlimited"),
    (
        "attendant_utilisation",
        {"attendants.count": [0] * 23 + [1], "run.horizon": "2h"},
        "nobody is on duty in the time that is measured",
    ),
    ("staff_utilisation", {}, "staff are unlimited"),
    ("recall_busy_share", {"recall.to": "group"}, "calls return to the group, not to their parker"),
    ("recall_busy_share", {"recall.to": "elsewhere"}, "calls leave for elsewhere, not for their parker"),
    ("recall_answered_share", {"parking.probability": 0}, "no call timed out"),
    ("refused_share", {"parking.probability": 0}, "no park was requested"),
    ("expired_share", {"parking.probability": 0}, "no park was made"),
    ("parked_s_mean", {"parking.probability": 0}, "no park was made"),
    ("lost_share", {"arrivals.rate": "0.0001/h"}, "no call was offered"),
    ("answered_within_share", {"arrivals.rate": "0.0001/h"}, "no call was offered"),
    ("answer_wait_s_mean", {"arrivals.rate": "0.0001/h"}, "no call was answered"),
]


@pytest.mark.parametrize(("name", "values", "reason"), UNDEFINED)
def test_what_is_undefined_says_why(name, values, reason):
    """A measure that no replication has is null with the reason, in the estimates and in the JSON."""
    study = parksim.study(SHORT.with_values(values), 2)
    estimate = study.estimates[name]
    assert (estimate.mean, estimate.low, estimate.n, estimate.method) == (None, None, 0, "undefined")
    assert estimate.reason == study.to_dict()["estimates"][name]["reason"] == reason


def test_an_hour_that_never_comes_says_so():
    """In a window of 90 minutes nothing is known of the fifth hour of day."""
    study = parksim.study(SHORT, 2)
    assert study.estimates["occupancy_mean_by_hour"][4].reason == "nothing to count in this hour of day"


def test_a_replication_without_a_call_says_nothing_of_shares():
    """Shares and means are ratios of sums: a replication without parks adds nothing to either, and is not counted."""
    study = parksim.study(SHORT.with_values({"arrivals.rate": "2/h"}), 6)
    parks = [result["parks_made"] for result in study.results]
    expired, stay_s = study.estimate("expired_share"), study.estimate("parked_s_mean")
    assert 0 < parks.count(0) < 6
    assert expired.n == stay_s.n == 6 - parks.count(0)
    having = [result for result in study.results if result["parks_made"]]
    for name, one in (("expired_share", expired), ("parked_s_mean", stay_s)):
        assert one.mean == pytest.approx(sum(each[name] * each["parks_made"] for each in having) / sum(parks))


# What it answers ------------------------------------------------------------------------------------------------------


def test_objectives_have_verdicts():
    """An objective far off is missed, one well within met, one at the mean itself undecided."""
    mean = parksim.study(SHORT, 4).estimates["parks_made"].mean
    goals = {"expired_share": "> 99 %", "occupancy_mean": "< 6", "parks_made": f"< {mean}"}
    study = parksim.study(SHORT.with_values({"objectives": goals}), 4)
    assert {o.objective.measure: o.verdict for o in study.objectives} == {
        "expired_share": "missed",
        "occupancy_mean": "met",
        "parks_made": "undecided",
    }


def test_a_higher_level_gives_wider_intervals():
    """The level asked for is that of every interval."""
    narrow, wide = (parksim.study(SHORT, 4, level=level) for level in (0.8, 0.99))
    for name in ("occupancy_mean", "expired_share"):
        inner, outer = narrow.estimates[name], wide.estimates[name]
        assert (inner.level, outer.level) == (0.8, 0.99)
        assert outer.low < inner.low < inner.mean == outer.mean < inner.high < outer.high


def test_theory_stands_beside_the_estimates():
    """A lot alone has Erlang's formula in the JSON, measure by measure, or the reason why not, element by element."""
    scenario = Scenario.load(SCENARIOS / "lot-only.toml").with_values({"run.horizon": "3h", "run.warm_up": "30m"})
    estimates = parksim.study(scenario, 2).to_dict()["estimates"]
    assert "Erlang B" in estimates["refused_share"]["formula_reason"]
    assert 0 < estimates["refused_share"]["formula"] < 1
    pmf = [one["formula"] for one in estimates["occupancy_pmf"]]
    assert math.isclose(math.fsum(pmf), 1, rel_tol=2**-40)
    assert all(one["formula"] is not None or one["formula_reason"] for one in estimates["slot_utilisation"])


def test_replicate_gives_plain_values():
    """What a worker sends back are floats and the library's arrays of doubles, which any protocol can carry."""
    [result] = replicate(SHORT, 1, [2], "simpy")
    assert {type(result[name]) for name in SCALARS} == {float}
    assert {type(result[name]) for name in VECTORS} == {array}
    assert {result[name].typecode for name in VECTORS} == {"d"}


def test_a_study_without_replications_has_no_estimates():
    """A study of nothing (as before the first result) is undefined throughout, and does not fail."""
    empty = Study(SHORT, 1, "simpy", 0.95, (), "")
    assert empty.estimates["refused_share"].mean is None
    assert empty.estimates["slot_utilisation"] == []


# Which engine ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        {"arrivals.rate": "240/h", "run.horizon": "1d", "run.cool_down": "1h"},
        {"arrivals": {"kind": "hourly", "calls_per_hour": [0] * 12 + [300] * 12}, "run.horizon": "2d"},
    ],
)
def test_the_expected_number_of_calls(values):
    """What "auto" decides by is the mean of what is offered: seed 1 within 4 sd of a Poisson count (level 6e-5)."""
    scenario = SHORT.with_values(values)
    expected = scenario.expected_calls
    assert abs(len(draw(scenario, 1).arrival_us) - expected) < 4 * math.sqrt(expected)


def test_the_expected_number_of_recorded_calls():
    """Of a recording all calls come; resampled by days, one day's share of them on average."""
    scenario = Scenario.load(SCENARIOS / "recorded.toml").with_values({"arrivals.resample": "days"})
    recording = scenario.recording
    arrivals = {"kind": "recorded", "file": str(SCENARIOS / "recorded-calls.csv"), "column": "offered_at"}
    whole = scenario.with_values({"arrivals": arrivals})
    assert scenario.expected_calls * recording.days == len(recording.instant_us)
    assert whole.expected_calls == len(draw(whole, 1).arrival_us)


def test_auto_takes_the_kernel_for_large_work_only():
    """The limit is on calls times replications; without the compiler, or when asked, it is SimPy."""
    pytest.importorskip("numba")
    calls = SHORT.expected_calls
    enough = math.ceil(KERNEL_PAYS_CALLS / calls)

    assert (chosen_engine("auto", [SHORT], enough), chosen_engine("auto", [SHORT], enough - 1)) == ("kernel", "simpy")
    assert chosen_engine("simpy", [SHORT], enough) == "simpy"
    assert chosen_engine("kernel", [SHORT], 1) == "kernel"


def test_auto_does_without_the_compiler(monkeypatch):
    """Where Numba is not installed "auto" is SimPy whatever the size."""
    monkeypatch.setattr("parksim.studies.replication.find_spec", lambda _: None)
    assert chosen_engine("auto", [SHORT], 10**9) == "simpy"
    assert "numba" not in versions("kernel")
