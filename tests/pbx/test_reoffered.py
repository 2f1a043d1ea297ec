"""``reoffered``: the calls of a log, run again, do what they did; with another lot they do what its laws say."""

import json
import math
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from log_forms import SHARED, TRACES

import parksim
from parksim.cli.main import main
from parksim.cli.options import BAD_INPUT, DONE, MISSED
from parksim.engines import processes
from parksim.pbx import calibrate as calibrating
from parksim.pbx import conformance as replaying
from parksim.pbx import log as fieldlogs
from parksim.pbx import what_if as reoffered
from parksim.pbx.what_if import Change
from parksim.rules import codes

SCENARIOS = Path(__file__).parents[2] / "scenarios"
RECORDINGS = ["full", "giveup", "slots_first", "slots_next", "soak_first", "timeout"]
LOT_ALONE = """
name = "Lot alone"
[run]
horizon = "2d"
[arrivals]
kind = "poisson"
rate = "120/h"
[attendants]
count = "unlimited"
handling = "10s"
[parking]
probability = 1
[lot]
slots = 3
max_in_parking = "60s"
when_full = "drop"
patience = { kind = "exponential", mean = "200s" }
[retrieval]
delay = { kind = "exponential", mean = "50s" }
never = 0.2
[recall]
never = 1
unanswered = "drop"
"""


def read(path):
    """Return a log and its agreement with the rules."""
    log = fieldlogs.read_log(path)
    return log, replaying.compare(log)


def scenario_of(log, agreement):
    """Return the scenario that the log gives."""
    return parksim.Scenario.loads(calibrating.calibrate(log, agreement).toml)


def parking_facts(journal):
    """Return what happened in the lots: (instant, call, kind, lot, slot)."""
    facts = [fact for fact in journal.facts() if fact.slot != codes.NOBODY]
    return [(fact.time_us, fact.call, fact.kind, fact.lot, fact.slot) for fact in facts]


@pytest.mark.parametrize("folder", [TRACES, SHARED])
@pytest.mark.parametrize("drawn", [False, True])
@pytest.mark.parametrize("name", RECORDINGS)
def test_the_recorded_calls_do_again_what_they_did(folder, name, drawn):
    """513 parking events of six recordings come out again at their instants, in their slots, the unseen drawn or not.

    Stays that the recording leaves open end when it does, all at its last instant.
    """
    if not folder.is_dir():
        pytest.skip("the unshortened recordings do not lie beside the project")
    log, agreement = read(folder / f"{name}.jsonl")
    calls = reoffered.reoffer(log, agreement, scenario_of(log, agreement) if drawn else None)
    journal = calls.simulate()
    again, recorded = parking_facts(journal), parking_facts(log.journal)
    assert again[: len(recorded)] == recorded
    assert len(recorded) == len(log.parking)
    assert {(at, calls.calls[call]) for at, call, *_ in again[len(recorded) :]} == {
        (log.last_us, call) for call in log.open_calls
    }
    if find_spec("numba"):
        from parksim.engines import kernel

        assert kernel.simulate(calls.settings, calls.workload).tobytes() == journal.tobytes()


def test_refusals_come_out_again():
    """The ten refusals of the soak, at their instants, of the same calls; with two slots less there are more."""
    log, agreement = read(TRACES / "soak_first.jsonl")
    calls = reoffered.reoffer(log, agreement)

    def refused(journal):
        return [(fact.time_us, fact.call) for fact in journal.facts() if fact.kind == codes.REFUSED]

    assert refused(calls.simulate()) == refused(log.journal)
    assert len(refused(log.journal)) == 10
    assert len(refused(calls.changed(Change(slots=3)).simulate())) > 40
    assert refused(calls.changed(Change(slots=9)).simulate()) == []


@pytest.mark.slow
@pytest.mark.parametrize("drawn", [False, True])
@pytest.mark.parametrize("file", sorted(path.stem for path in SCENARIOS.glob("*.toml") if path.stem != "park1"))
def test_a_journal_of_parksim_comes_out_again_to_the_byte(tmp_path, file, drawn):
    """Eight scenarios, all policies, queues and staffs, half a day each: what the journal tells makes it again."""
    scenario = parksim.Scenario.load(SCENARIOS / f"{file}.toml").with_values(
        {"run.horizon": "12h", "run.warm_up": "0s"}
    )
    journal = parksim.run(scenario, seed=4).journal
    journal.save(tmp_path / "j.npz")
    log, agreement = read(tmp_path / "j.npz")
    if drawn and len(scenario.lots) > 1:
        pytest.skip("several lots give several scenarios")
    calls = reoffered.reoffer(log, agreement, scenario_of(log, agreement) if drawn else None)
    assert calls.simulate().tobytes() == journal.tobytes()


def test_random_slots_come_out_again(tmp_path):
    """Of a lot that chooses at random the recorded slots are taken again: 100 parks or more."""
    scenario = parksim.Scenario.load(SCENARIOS / "small-office.toml").with_values(
        {"lot.choice": "random", "run.horizon": "8h", "arrivals.rate": "60/h", "lot.slots": 4}
    )
    journal = parksim.run(scenario, seed=5).journal
    journal.save(tmp_path / "j.npz")
    calls = reoffered.reoffer(*read(tmp_path / "j.npz"))
    assert (journal.kind == codes.PARKED).sum() > 100
    assert calls.simulate().tobytes() == journal.tobytes()


def test_what_is_not_seen_is_never_or_nothing_and_counted():
    """Of ``giveup``: hang-ups are seen, retrievals are not; the counts say how many values are not."""
    log, agreement = read(TRACES / "giveup.jsonl")
    calls = reoffered.reoffer(log, agreement)
    gone = sum(row.kind == codes.ABANDONED and row.reason == codes.IN_LOT for row in log.rows)
    assert (calls.workload.patience_us[0] > 0).sum() == gone + len(log.open_calls)
    assert calls.unseen["patience_us"] == calls.workload.patience_us.size - gone - len(log.open_calls)
    assert (calls.workload.staff_talk_us == 0).all()
    assert calls.calls == [row.call for row in log.rows if row.kind == codes.OFFERED]


def lot_alone(tmp_path, seed, **values):
    """Return the log that a lot wrote whose shares can be computed, and its agreement."""
    scenario = parksim.Scenario.loads(LOT_ALONE).with_values(values)
    parksim.run(scenario, seed=seed).journal.save(tmp_path / "lot.npz")
    return scenario, *read(tmp_path / "lot.npz")


def shares(journal):
    """Return (parks, how many were fetched, gave up, timed out)."""
    kinds = journal.kind
    gone = (kinds == codes.ABANDONED) & (journal.reason == codes.IN_LOT)
    counts = [(kinds == codes.RETRIEVED).sum(), gone.sum(), (kinds == codes.EXPIRED).sum()]
    return int((kinds == codes.PARKED).sum()), [int(one) for one in counts]


def race(limit_s, patience_s=200.0, delay_s=50.0, never=0.2):
    """Return the shares fetched, given up and timed out of a race of exponential clocks with a never-share."""
    both = 1 / patience_s + 1 / delay_s
    fetched = (1 - never) * (1 / delay_s) / both * (1 - math.exp(-both * limit_s))
    out = math.exp(-limit_s / patience_s) * ((1 - never) * math.exp(-limit_s / delay_s) + never)
    return [fetched, 1 - fetched - out, out]


@pytest.mark.parametrize(("slots", "limit_s"), [(60, 60), (60, 180), (60, 20), (3, 60)])
def test_another_lot_gets_what_the_laws_of_its_clocks_say(tmp_path, slots, limit_s):
    """Two days of calls at a lot of 3 with 60 s: for 60 slots, 180 s or 20 s the shares of the race's formula come out.

    A third of the calls was refused, a fourth timed out: their clocks are all drawn. Chi-squared, seed 7; level 0.1 %
    each, four cases.
    """
    scenario, log, agreement = lot_alone(tmp_path, 7)
    calls = reoffered.reoffer(log, agreement, scenario).changed(Change(slots=slots, limit_us=limit_s * 1_000_000))
    parks, counted = shares(calls.simulate())
    assert parks == sum(counted)
    assert parks == len(calls.calls) or slots == 3
    assert scipy.stats.chisquare(counted, [parks * one for one in race(limit_s)]).pvalue > 0.001


def test_without_laws_another_lot_gets_nonsense(tmp_path):
    """The same question without drawing the unseen: refused calls are all fetched never, and the test above sees it."""
    _, log, agreement = lot_alone(tmp_path, 7)
    calls = reoffered.reoffer(log, agreement).changed(Change(slots=60))
    parks, counted = shares(calls.simulate())
    assert parks == sum(counted)
    assert scipy.stats.chisquare(counted, [parks * one for one in race(60)]).pvalue < 1e-6


def test_a_duration_drawn_is_longer_than_what_was_seen(tmp_path):
    """Each clock that lost its race is drawn beyond the stay that it lost, or is never; what was seen is untouched."""
    scenario, log, agreement = lot_alone(tmp_path, 8, **{"run.horizon": "12h"})
    seen, drawn = (reoffered.reoffer(log, agreement, one).workload for one in (None, scenario))
    parked = {fact.call: fact.time_us for fact in log.journal.facts() if fact.kind == codes.PARKED}
    stays = np.full(len(drawn.arrival_us), -1)
    for fact in log.journal.facts():
        if fact.slot != codes.NOBODY and fact.kind != codes.PARKED:
            stays[fact.call] = fact.time_us - parked[fact.call]
    for name in ("patience_us", "retrieval_us"):
        before, after = getattr(seen, name)[0], getattr(drawn, name)[0]
        assert (after[before != codes.NEVER] == before[before != codes.NEVER]).all()
        lost = (before == codes.NEVER) & (stays >= 0)
        assert lost.sum() > 100
        assert ((after[lost] == codes.NEVER) | (after[lost] > stays[lost])).all()


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Return a function that runs ``replay`` here and returns (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def run(*options):
        code = main(["replay", str(TRACES / "soak_first.jsonl"), *options])
        return code, *capsys.readouterr()

    return run


def test_the_command_asks_what_if(command):
    """``--what-if`` shows recorded and changed figures side by side, as text and as JSON; the same each time."""
    code, out, _ = command("--what-if", "lot.slots=8")
    assert code == DONE
    assert "What if lot.slots = 8?" in out
    assert out == command("--what-if", "lot.slots=8")[1]
    asked = ("--what-if", "lot.slots=8", "--what-if", "lot.max_in_parking=10s", "--what-if", "lot.choice=next")
    code, out, _ = command(*asked, "--json")
    told = json.loads(out)["what_if"]
    assert code == DONE
    assert told["changes"] == {"lot.slots": "8", "lot.max_in_parking": "10s", "lot.choice": "next"}
    assert told["measures"]["refused_share"]["mean"] < 0.02
    assert told["measures"]["expired_share"]["greatest"] < 0.2  # 23 % with 4 s
    assert "what_if" not in json.loads(command("--json")[1])


@pytest.mark.parametrize("name", ["slots_first.jsonl", "slots_next.jsonl"])
def test_what_if_leaves_out_calls_still_parked_at_the_end(name):
    """Four calls have no end in the log: requests, parks and refusals are those of the others."""
    met = parksim.replay(TRACES / name)
    assert len(met.log.open_calls) == 4
    changed = met.what_if({"lot.slots": 3})
    made, refused = changed["parks_made"].mean, changed["refused_share"].mean
    assert changed["parks_requested"].mean == made + refused * changed["parks_requested"].mean
    assert met.what_if({"lot.slots": 10_000})["refused_share"].greatest == 0.0


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("lot.slots", "write KEY=VALUE"),
        ("lot.slots=0", "--what-if lot.slots = 0: a whole number from 1 to 10,000"),
        ("lot.slots=many", "a whole number"),
        ("lot.slotz=8", "did you mean lot.slots?"),
        ("attendants.count=3", "one of lot.slots, lot.max_in_parking, lot.choice"),
        ("lot.choice=any", "choose one of lowest, next, random"),
        ("lot.max_in_parking=soon", "--what-if lot.max_in_parking = 'soon'"),
    ],
)
def test_questions_that_cannot_be_asked_are_told(command, asked, said):
    """Seven wrong questions: one message, exit code 2."""
    code, out, err = command("--what-if", asked)
    assert (code, out, err.count("\n")) == (BAD_INPUT, "", 1)
    assert said in err


def test_a_log_out_of_order_is_not_offered_again(tmp_path, monkeypatch, capsys):
    """One row out of time or two calls in one slot: replay alone tells the row, what-if refuses with the reason."""
    monkeypatch.chdir(tmp_path)
    for rows, said in (
        ("5,parked,a,701\n3,retrieved,a,701", "line 3: its instant does not fit"),
        ("1,parked,a,701\n2,parked,b,701\n3,retrieved,b,701\n4,retrieved,a,701", "cannot be offered again"),
    ):
        Path("log.csv").write_text(f"time,event,call,slot\n{rows}\n", encoding="utf-8")
        assert main(["replay", "log.csv"]) == MISSED
        assert main(["replay", "log.csv", "--what-if", "lot.slots=8"]) == BAD_INPUT
        assert said in capsys.readouterr().err


def test_both_engines_take_the_two_arguments():
    """SimPy's journal of the soak's calls is that of ``processes.simulate(settings, workload)``."""
    calls = reoffered.reoffer(*read(TRACES / "soak_first.jsonl"))
    assert processes.simulate(calls.settings, calls.workload).tobytes() == calls.simulate().tobytes()
