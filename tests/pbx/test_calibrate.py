"""``calibrating``: known scenarios are found again in their logs, the soak's shares too; eight calls exactly."""

from pathlib import Path

import pytest
from log_forms import SHARED, TRACES, ami_text, write

import parksim
from parksim.pbx import calibrate as calibrating
from parksim.pbx import conformance as replaying
from parksim.pbx import durations as observed
from parksim.pbx import log as fieldlogs
from parksim.pbx import log_measures as recorded
from parksim.rules import codes
from parksim.studies import replication
from tests.statistics.calibration import KNOWN, TRUE, calibrated, found


def calibration_of(path, lot=None, **options):
    """Return the calibration of a log, whose scenario loads."""
    log = fieldlogs.read_log(path)
    result = calibrating.calibrate(log, replaying.compare(log, **options), lot)
    parksim.Scenario.loads(result.toml)
    return result


def csv_log(tmp_path, *rows, header="time,event,call,slot"):
    """Write a log as CSV and return its path."""
    path = tmp_path / "log.csv"
    path.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    return path


def test_a_known_scenario_is_found_again():
    """Of 45 intervals of level 95 % (15 parameters, seeds 1 to 3, a day each) at least 36 hold what wrote the log.

    Level 1 in 5,000, were they exactly 95 % and independent. ``python -m tests.statistics.calibration`` asks more.
    """
    drawn = [name for name in TRUE if name != "lot.max_in_parking"]
    held = 0
    for seed in (1, 2, 3):
        result = calibrated(seed, horizon="1d")
        assert result.figures["lot.max_in_parking"].value == 120.0
        held += sum(name in result.figures and result.figures[name].holds(TRUE[name]) for name in drawn)
    assert len(drawn) * 3 == 45
    assert held >= 36


def test_a_wrong_scenario_is_not_found():
    """The same log does not hold parameters that are a fifth off: the intervals are no wider than they need be."""
    result = calibrated(1, horizon="1d")
    off = [name for name in TRUE if name in result.figures and not result.figures[name].holds(TRUE[name] * 1.25)]
    assert len(off) >= 12


@pytest.mark.slow
def test_a_known_scenario_is_found_again_in_100_seeds():
    """Seeds 201 to 300, three days each: 87 of 100 intervals hold the truth, for each parameter; level 1 in 144."""
    runs = [found(seed)["holds"] for seed in range(201, 301)]
    assert {name: sum(run[name] for run in runs) for name in TRUE if sum(run[name] for run in runs) < 87} == {}


HOURS = (14, 10, 8, 8, 8, 10, 18, 32, 77, 88, 100, 90, 75, 84, 93, 92, 94, 69, 64, 54, 47, 50, 42, 32)


def test_24_rates_of_arrivals_are_found_again(tmp_path):
    """Of 48 intervals (a hospital's rates by the hour, seeds 1 and 2, two days each) at least 39 hold the rates.

    Level 1 in 1,800. The scenario offers as many calls a day as the rates say.
    """
    held = 0
    for seed in (1, 2):
        scenario = parksim.Scenario.loads(KNOWN).with_values(
            {"run.horizon": "2d", "arrivals": {"kind": "hourly", "calls_per_hour": list(HOURS)}}
        )
        replication.run(scenario, seed).journal.save(tmp_path / "known.jsonl")
        result = calibration_of(tmp_path / "known.jsonl")
        held += sum(result.figures[f"arrivals.calls_per_hour.{hour}"].holds(HOURS[hour]) for hour in range(24))
        again = parksim.Scenario.loads(result.toml)
        assert (again.arrivals.kind, again.horizon_us) == ("hourly", 86_400_000_000)
        assert result.figures["arrivals.rate"].holds(sum(HOURS) / 86_400)
        assert sum(again.arrivals.calls_per_hour) == pytest.approx(sum(HOURS), rel=0.1)
    assert held >= 39


@pytest.mark.parametrize("folder", [TRACES, SHARED])
def test_the_soak_gives_a_scenario_that_does_what_the_pbx_did(folder):
    """Shares and mean occupancy of 200 simulated soaks (seed 1) lie, with their own limits, within the recorded ones'.

    No level: the figures are those of one recording. The simulated limits are a tenth as wide as the recorded.
    """
    if not folder.is_dir():
        pytest.skip("the unshortened recordings do not lie beside the project")
    path = folder / "soak_first.jsonl"
    measured = recorded.measured(fieldlogs.read_log(path))
    scenario = parksim.Scenario.loads(calibration_of(path).toml)
    assert (scenario.lot.slots, scenario.lot.first, scenario.lot.limits) == (5, 771, "pbx")
    study = parksim.study(scenario, replications=200, seed=1)
    for name in ("refused_share", "expired_share", "abandoned_share", "retrieved_share", "occupancy_mean"):
        simulated = study.estimates[name]
        assert measured[name].low < simulated.low < simulated.high < measured[name].high, name


def test_another_time_out_or_patience_is_not_the_soak():
    """With 5 s instead of 4, or callers half as patient, a share leaves its interval: the test above can fail."""
    path = TRACES / "soak_first.jsonl"
    measured = recorded.measured(fieldlogs.read_log(path))
    scenario = parksim.Scenario.loads(calibration_of(path).toml)
    for change, name in (
        ({"lot.max_in_parking": "6s"}, "expired_share"),
        ({"lot.patience": {"kind": "exponential", "mean": "4s"}}, "abandoned_share"),
        ({"lot.slots": 3}, "refused_share"),
    ):
        mean = parksim.study(scenario.with_values(change), replications=50, seed=1).estimates[name].mean
        assert not measured[name].low < mean < measured[name].high


LIFE = (
    "0,offered,a,",
    "5,answered,a,",
    "35,parked,a,701",
    "40,offered,b,",
    "40,answered,b,",
    "60,parked,b,702",
    "75,retrieved,a,701",
    "80,offered,c,",
    "90,hangup,c,",
    "95,hangup,a,",
    "120,abandoned,b,702",
    "130,offered,d,",
    "130,answered,d,",
    "140,refused,d,",
    "150,refused,d,",
    "170,hangup,d,",
    "200,offered,e,",
    "200,answered,e,",
    "245,hangup,e,",
    "300,offered,f,",
    "300,answered,f,",
    "310,parked,f,701",
    "370,expired,f,701",
    "380,hangup,f,",
    "400,offered,g,",
    "400,answered,g,",
    "410,parked,g,701",
    "420,offered,h,",
    "430,abandoned,h,",
)
"""Eight calls: fetched, gone in the lot, gone before an answer (by hang-up), refused twice, never parked, returned and
gone, unfinished, gone before an answer (abandoned)."""


def test_what_eight_calls_tell_is_what_can_be_read_off_them(tmp_path):
    """Each clock of eight calls, durations and marks, as computed by hand from their rows."""
    log = fieldlogs.read_log(csv_log(tmp_path, *LIFE))
    seen = observed.observe(log, "")
    assert (seen.calls, seen.requests, seen.refused, seen.most_parks, seen.open_stays) == (8, 6, 2, 1, 1)
    assert seen.arrivals_us == [at * 1_000_000 for at in (0, 40, 80, 130, 200, 300, 400, 420)]
    assert seen.requests_us == [at * 1_000_000 for at in (35, 60, 140, 310, 410)]
    assert seen.handling.durations_s == [30, 20, 10, 10, 10]
    assert (seen.whole_talks.durations_s, seen.whole_talks.seen) == ([45], [True])
    waits = sorted(zip(seen.queue.durations_s, seen.queue.seen, strict=True))
    assert waits == [*[(0, False)] * 5, (5, False), (10, True), (10, True)]
    stays = list(zip(seen.stays_s, seen.retrieval.seen, seen.patience.seen, strict=True))
    assert stays == [(40, True, False), (60, False, True), (60, False, False), (20, False, False)]
    assert (seen.timed_out, seen.returns) == (1, {"gone": 1})
    assert (seen.return_patience.durations_s, seen.return_patience.seen) == ([10], [True])
    assert (seen.staff_talk.durations_s, seen.retries, seen.retry_after_s) == ([20], [1], [10])
    assert seen.after_full == {"keep": 1}
    assert seen.wishes == [(0, True), (0, True), (0, True), (0, False), (0, True), (0, True)]


def test_a_scenario_of_eight_calls_says_what_it_guesses(tmp_path):
    """From so few calls: shares are counted exactly, laws are guesses and say so, what is unknown is listed."""
    result = calibration_of(csv_log(tmp_path, *LIFE))
    text = " ".join(result.toml.replace("\n# ", " ").split())
    assert result.figures["parking.probability"].value == pytest.approx(5 / 6)
    assert "1 of 1 refused calls; refused in the log: 33.33% (4.33% to 77.72%) of 6 requests" in text
    assert "retries = 1" in text
    assert "only 1 seen, so the law is a guess" in text
    assert "What this log cannot tell, each a guess below:" in text
    assert "how many attendants there are, and when" in text
    scenario = parksim.Scenario.loads(result.toml)
    assert scenario.attendants.count == "unlimited"
    assert parksim.run(scenario, seed=1).journal.check() is None


@pytest.mark.parametrize(
    ("limits", "said", "kept"),
    [
        (("60",) * 6, '"60s"', "uapi"),
        (("4",) * 6, '"4s"', "pbx"),
        (("7200",) * 6, '"7200s"', "pbx"),
        (("0",) * 6, '"unlimited"', "pbx"),
        (("60", "60", "60", "120", "0", ""), "empirical", "uapi"),
        (("61", "62", "63", "64", "65", "66", "67", "68", "69"), "empirical", "uapi"),
    ],
)
def test_time_outs_of_all_kinds(tmp_path, limits, said, kept):
    """One for all, outside UAPI's range on either side, none, some and none, many: as told, ``limits`` as needed."""
    rows = []
    for number, limit in enumerate(limits):
        rows += [
            f"{number * 10},parked,c{number},701,{limit}",
            f"{number * 10 + 3 + number % 3},retrieved,c{number},701,",
        ]
    path = csv_log(tmp_path, *rows, header="time,event,call,slot,limit")
    result = calibration_of(path)
    scenario = parksim.Scenario.loads(result.toml)
    assert f"max_in_parking = {said}" in result.toml or f'kind = "{said}"' in result.toml
    assert scenario.lot.limits == kept
    if "0" in limits and said == "empirical":
        assert "1 of 5 parks had no time-out" in " ".join(result.toml.replace("\n#", "").split())
        assert "60 s 75.00%" in result.toml
    if len(set(limits)) > 8:
        assert result.figures["lot.max_in_parking.mean"].value == 65.0


def test_stays_without_any_end_get_one(tmp_path):
    """Two parks, neither seen to end: the scenario's time-out is a marked guess, UAPI's default or the longest stay."""
    path = csv_log(tmp_path, "1,parked,a,701", "2,parked,b,702")
    assert 'max_in_parking = "180s"' in calibration_of(path).toml
    path = csv_log(tmp_path, "1,parked,a,701", "2,parked,b,702", "3,parked,c,703", "999.5,retrieved,c,703")
    assert 'max_in_parking = "999s"' in calibration_of(path).toml
    assert "what ends a stay that nobody fetches" in calibration_of(path).toml


def test_parking_events_alone_give_the_lots_own_traffic(tmp_path):
    """AMI text of a busy lot: arrivals are its parks, returned calls that are parked again among them."""
    scenario = parksim.Scenario.loads(KNOWN).with_values({"run.horizon": "6h"})
    journal = parksim.run(scenario, seed=3).journal
    path = tmp_path / "ami.txt"
    path.write_bytes(ami_text(list(journal.facts())).encode())
    result = calibration_of(path)
    parks = int((journal.kind == codes.PARKED).sum())
    again = parksim.Scenario.loads(result.toml)
    assert (again.parking.probability, again.parking.max_parks) == (1, 1)
    assert f"n = {parks:,} calls" in result.toml
    assert result.figures["lot.max_in_parking"].value == 120.0
    assert any("a refused park" in one or "refused parks" in one for one in result.unknown)
    assert "# - calls that were never parked" in result.toml


def test_several_lots_are_calibrated_one_by_one(tmp_path):
    """Two lots in a log: the busier one by default, the other when asked; each says that there is another."""
    rows = [f"{10 * i},parked,a{i},701,front" for i in range(6)]
    rows += [f"{10 * i + 4 + i % 2},retrieved,a{i},701,front" for i in range(6)]
    rows += ["7,parked,b,801,back", "9,retrieved,b,801,back"]
    path = csv_log(tmp_path, *sorted(rows, key=lambda row: float(row.split(",")[0])), header="time,event,call,slot,lot")
    assert replaying.compare(fieldlogs.read_log(path)).parking_agreed == 14
    busier, other = calibration_of(path), calibration_of(path, "back")
    assert "6 calls" in busier.toml
    assert "first = 701" in busier.toml
    assert "the log has other lots (back)" in busier.toml
    assert "1 calls" in other.toml
    assert "first = 801" in other.toml
    assert "the log has other lots (front)" in other.toml


def test_the_way_of_refused_calls_is_read_off_a_recording(tmp_path):
    """Requests of a full lot that end in a hang-up at once: drop; asked for again and talked on: keep, with retries."""
    lot = {"kind": "meta", "t": 0, "lots": {"here": {"first": 701, "last": 701, "parkingtime": 300}}}
    park = {"kind": "cmd", "lot": "here", "by": "1"}
    lines = [lot, {"t": 1, "do": "park", "call": "x"} | park]
    lines.append({"t": 1.001, "kind": "event", "Event": "ParkedCall", "call": "x", "lot": "here", "slot": 701})
    for number in range(4):
        lines.append({"t": 10 + number * 10, "do": "park_unbridged", "call": f"y{number}"} | park)
        hung = {"kind": "event", "Event": "Hangup", "call": f"y{number}", "Channel": f"Local/y{number}@here-1;1"}
        lines.append({"t": 10.1 + number * 10, **hung})
    result = calibration_of(write(tmp_path / "log.jsonl", lines))
    assert 'when_full = "drop"' in result.toml
    assert "4 of 4 refused calls" in result.toml


def test_the_timeout_traces_lots_have_their_own_scenarios():
    """The three lots of ``timeout``, in which every stay timed out: nobody is fetched, so never = 1, and it runs."""
    path = TRACES / "timeout.jsonl"
    lots = fieldlogs.read_log(path).lots
    assert len(lots) == 3
    for name in lots:
        result = calibration_of(path, name)
        assert "never = 1" in result.toml
        run = parksim.run(parksim.Scenario.loads(result.toml), seed=1)
        assert run.journal.check() is None


@pytest.mark.parametrize("name", [path.stem for path in sorted(TRACES.glob("*.jsonl"))])
def test_every_recording_gives_a_scenario_that_runs(name):
    """Six recordings: the scenario loads, runs, and its journal obeys the rules."""
    scenario = parksim.Scenario.loads(calibration_of(TRACES / f"{name}.jsonl").toml)
    assert parksim.run(scenario, seed=1).journal.check() is None


@pytest.mark.slow
@pytest.mark.parametrize("file", ["hospital", "contact-centre", "overload", "shifts", "small-office", "warehouse"])
def test_every_shipped_scenario_can_be_calibrated_from_its_own_journal(tmp_path, file):
    """Six scenarios, half a day each: all policies of the header come back, and the scenario found runs."""
    folder = Path(__file__).parents[2] / "scenarios"
    scenario = parksim.Scenario.load(folder / f"{file}.toml")
    scenario = scenario.with_values({"run.horizon": "12h", "run.warm_up": "0s"})
    parksim.run(scenario, seed=2).journal.save(tmp_path / "j.npz")
    result = calibration_of(tmp_path / "j.npz")
    again = parksim.Scenario.loads(result.toml)
    kept = scenario.settings._replace(ring_us=0, retry_after_us=0)
    assert again.settings._replace(ring_us=0, retry_after_us=0) == kept
    assert parksim.run(again, seed=1).journal.check() is None
