"""Simulated attendants who never park against Erlang's formulas: B, C and A, whatever else of the model lies idle.

Each comparison has the level 1e-5 (``checks.LEVEL``); the some 640 of this file together are red though all is well
once in 160 trials. 24 replications of 46 h after 2 h of warm-up, seeds in the tests.
"""

import checks
import pytest

from parksim import theory

RATE, SERVICE = 1 / 30, 90.0
"""3 erlang: 120 calls an hour of 90 s."""
ALONE = {
    "run.horizon": "2d",
    "run.warm_up": "2h",
    "parking.probability": 0,
    "attendants.count": 4,
    "attendants.handling": {"kind": "exponential", "mean": SERVICE},
    "queue.target": 15,
}
UNEVEN = {"attendants.handling": {"kind": "lognormal", "mean": 60, "cv": 1.5}, "attendants.talk": 30}


def alone(**values):
    """Return attendants without a lot; keys are dotted with two underscores."""
    return checks.scenario("lot-only", ALONE | {key.replace("__", "."): value for key, value in values.items()})


def test_endless_patience_is_erlang_c():
    """Mean wait, service level and utilisation of M/M/c; and all else that is known of it (seed 111)."""
    scenario = alone()
    waits, a = theory.erlang_c(4, 3.0), 3.0
    truths = {
        "answer_wait_s_mean": theory.erlang_c_wait_s(4, a, SERVICE),
        "answered_within_share": theory.erlang_c_within(4, a, SERVICE, 15.0),
        "attendant_utilisation": 0.75,
        "queue_abandoned_share": 0.0,
        "lost_share": 0.0,
    }
    assert 0.5 < waits < 0.52
    results = checks.simulated(scenario, 24, 111)
    assert checks.faults(results, truths) == []
    assert {*truths, "answer_wait_s_p95"} <= set(checks.known(scenario))
    assert checks.faults(results, checks.known(scenario)) == []


def test_service_may_be_talk_alone():
    """With no handling and exponential talk it is the same queue (seed 112)."""
    scenario = alone(attendants__handling=0, attendants__talk={"kind": "exponential", "mean": SERVICE})
    truths = checks.known(scenario)
    assert truths["answer_wait_s_mean"] == theory.erlang_c_wait_s(4, 3.0, SERVICE)
    assert checks.faults(checks.simulated(scenario, 24, 112), truths) == []


def test_utilisation_does_not_ask_for_the_law_of_service():
    """Uneven service on patient callers: the offered load is carried; no wait is known (seed 113)."""
    scenario = alone(**{key.replace(".", "__"): value for key, value in UNEVEN.items()})
    truths = checks.known(scenario)
    assert truths["attendant_utilisation"] == 0.75
    assert "answer_wait_s_mean" not in truths
    assert checks.faults(checks.simulated(scenario, 24, 113), truths) == []


@pytest.mark.parametrize("servers", [2, 4])
def test_impatient_callers_are_erlang_a(servers):
    """Abandonment and utilisation of M/M/c+M, underloaded and at 3 erlang on two attendants (seed 114)."""
    scenario = alone(attendants__count=servers, caller__patience={"kind": "exponential", "mean": 60})
    queue = theory.erlang_a(servers, RATE, SERVICE, 60.0)
    truths = {"queue_abandoned_share": queue.abandoned_share, "attendant_utilisation": queue.busy_mean / servers}
    results = checks.simulated(scenario, 24, 114)
    assert checks.faults(results, truths) == []
    assert set(truths) <= set(checks.known(scenario))
    assert checks.faults(results, checks.known(scenario)) == []


@pytest.mark.parametrize("law", ["exponential", "uneven"])
@pytest.mark.parametrize("by", ["queue_full_share", "queue_abandoned_share"])
def test_nobody_waits_is_erlang_b(by, law):
    """Without queue or without patience a share B is turned away, for any law of service (seed 115)."""
    turned_away = {"queue__limit": 0} if by == "queue_full_share" else {"queue__limit": 5, "caller__patience": 0}
    service = {} if law == "exponential" else {key.replace(".", "__"): value for key, value in UNEVEN.items()}
    scenario = alone(**turned_away, **service)
    blocked = theory.erlang_b(4, 3.0)
    truths = {
        by: blocked,
        "lost_share": blocked if by == "queue_full_share" else 0.0,
        "attendant_utilisation": 3.0 * (1.0 - blocked) / 4,
        "answered_within_share": 1.0 - blocked,
        "answer_wait_s_mean": 0.0,
    }
    results = checks.simulated(scenario, 24, 115)
    assert checks.faults(results, truths) == []
    assert set(truths) <= set(checks.known(scenario))
    assert checks.faults(results, checks.known(scenario)) == []


def test_wrong_formulas_are_seen():
    """Negative control: one attendant more or less, C for B, and all waits for those of the answered are seen."""
    results = checks.simulated(alone(), 24, 111)
    for servers in (5, 6):
        wrong = {
            "answer_wait_s_mean": theory.erlang_c_wait_s(servers, 3.0, SERVICE),
            "answered_within_share": theory.erlang_c_within(servers, 3.0, SERVICE, 15.0),
        }
        assert len(checks.faults(results, wrong)) == 2
    assert checks.faults(results, {"queue_full_share": theory.erlang_b(4, 3.0)})
    impatient = alone(attendants__count=2, caller__patience={"kind": "exponential", "mean": 60})
    queue = theory.erlang_a(2, RATE, SERVICE, 60.0)
    assert checks.faults(checks.simulated(impatient, 24, 114), {"answer_wait_s_mean": queue.wait_s})
    assert checks.faults(checks.simulated(impatient, 24, 114), {"queue_abandoned_share": theory.erlang_b(2, 3.0)})


@pytest.mark.slow
@pytest.mark.parametrize("patience", [None, 20, 300])
@pytest.mark.parametrize(("servers", "service"), [(1, 20), (3, 70), (12, 300)])
def test_many_groups(servers, service, patience):
    """One to twelve attendants at 67 % to 83 % load, 40 replications of 8 days: all that theory says (seed 116)."""
    values = {"run__horizon": "8d", "run__warm_up": "6h", "attendants__count": servers}
    if patience is not None:
        values["caller__patience"] = {"kind": "exponential", "mean": patience}
    scenario = alone(**values, attendants__handling={"kind": "exponential", "mean": service})
    assert {"attendant_utilisation", "queue_abandoned_share"} <= set(checks.known(scenario))
    assert checks.faults(checks.simulated(scenario, 40, 116), checks.known(scenario)) == []
