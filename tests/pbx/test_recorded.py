"""``recorded``: a log's measures are those of the simulation that wrote it, and their limits those of SciPy."""

import math
from pathlib import Path

import pytest
import scipy.stats
from log_forms import TRACES, ami_text

import parksim
from parksim.catalogue import SCALARS
from parksim.pbx import log as fieldlogs
from parksim.pbx import log_measures as recorded
from parksim.rules import codes

SCENARIOS = Path(__file__).parents[2] / "scenarios"
COUNTED = (
    *("calls_offered", "parks_requested", "parks_made", "refused_share", "retrieved_share", "expired_share"),
    *("abandoned_share", "recall_busy_share", "recall_answered_share", "recall_abandoned_share", "lost_share"),
    *("queue_abandoned_share", "queue_full_share", "parked_s_mean", "parked_s_p50", "parked_s_p95", "parks_per_call"),
    *("answer_wait_s_mean", "answer_wait_s_p95", "answered_within_share"),
)
"""Measures of calls, which do not depend on where the observation begins and ends."""


@pytest.mark.parametrize("file", ["hospital", "overload", "contact-centre"])
def test_a_journals_measures_are_those_of_its_run(tmp_path, file):
    """Twenty measures of calls, three scenarios, half a day each: read from the file they are what the run says."""
    scenario = parksim.Scenario.load(SCENARIOS / f"{file}.toml")
    run = parksim.run(scenario.with_values({"run.horizon": "12h", "run.warm_up": "0s"}), seed=3)
    run.journal.save(tmp_path / "j.jsonl")
    measured = recorded.measured(fieldlogs.read_log(tmp_path / "j.jsonl"))
    assert list(measured) == list(SCALARS)
    for name in COUNTED:
        value = run.measures[name]
        assert measured[name].value == (None if math.isnan(value) else pytest.approx(value, rel=1e-12)), name


def test_limits_of_shares_and_of_the_mean_occupancy():
    """Of the soak: Clopper and Pearson's limits are SciPy's, those of the occupancy Campbell's, over its 202 stays."""
    log = fieldlogs.read_log(TRACES / "soak_first.jsonl")
    measured = recorded.measured(log)
    for name, events, trials in (("refused_share", 10, 212), ("expired_share", 47, 202), ("abandoned_share", 47, 202)):
        limits = scipy.stats.binomtest(events, trials).proportion_ci(0.95, "exact")
        assert measured[name].value == events / trials
        assert (measured[name].low, measured[name].high) == pytest.approx((limits.low, limits.high), rel=1e-9)
    parked, stays_us = {}, []
    for row in log.parking:
        if row.kind == codes.PARKED:
            parked[row.call] = row.time_us
        else:
            stays_us.append(row.time_us - parked.pop(row.call))
    time_us = log.parking[-1].time_us - log.parking[0].time_us
    mean = sum(stays_us) / time_us
    half = scipy.stats.norm.ppf(0.975) * math.sqrt(sum(stay**2 for stay in stays_us)) / time_us
    one = measured["occupancy_mean"]
    assert len(stays_us) == 202
    assert (one.value, one.low, one.high) == pytest.approx((mean, mean - half, mean + half), rel=1e-9)


def test_what_a_log_does_not_tell_is_undefined_with_its_reason(tmp_path):
    """AMI text alone: no requests, no calls that were not parked, no attendants, no returns; stays are measured."""
    scenario = parksim.Scenario.load(SCENARIOS / "small-office.toml").with_values({"run.horizon": "12h"})
    journal = parksim.run(scenario, seed=2).journal
    (tmp_path / "ami.txt").write_bytes(ami_text(list(journal.facts())).encode())
    measured = recorded.measured(fieldlogs.read_log(tmp_path / "ami.txt"))
    for name, reason in (
        ("refused_share", "such a log has no event for a refused park"),
        ("attendant_utilisation", "the log does not say how many there are"),
        ("calls_offered", "the log has no calls that were never parked"),
        ("answer_wait_s_mean", "the log does not say when calls came"),
        ("recall_answered_share", "the log does not say what became of returns"),
    ):
        assert measured[name] == recorded.LogMeasure(None, reason=reason)
    assert measured["parks_made"].value == (journal.kind == codes.PARKED).sum()
    fetched = (journal.kind == codes.RETRIEVED).sum() / (journal.kind == codes.PARKED).sum()
    assert measured["retrieved_share"].value == pytest.approx(fetched)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (("1,parked,a,701", "2,parked,b,701", "3,retrieved,b,701", "4,retrieved,a,701"), "in some slot stays overlap"),
        (("1,parked,a,701", "2,retrieved,b,702"), "no stay of the log is whole"),
    ],
)
def test_what_cannot_be_measured_says_why(tmp_path, rows, reason):
    """Two calls in a slot, or no whole stay: no measure, each with the reason."""
    path = tmp_path / "log.csv"
    path.write_text("\n".join(["time,event,call,slot", *rows, ""]), encoding="utf-8")
    measured = recorded.measured(fieldlogs.read_log(path))
    assert {one.value for one in measured.values()} == {None}
    assert all(reason in one.reason for one in measured.values())
