"""The public strategies: what they draw is valid, ends, shrinks, and reaches what it is for."""

import json
import subprocess
import sys
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from parksim import testing
from parksim.engines import processes
from parksim.rules import codes, uapi
from parksim.rules.codes import NEVER
from parksim.scenario.laws import LAWS, parse_law
from parksim.scenario.model import Scenario
from parksim.scenario.sections import busy_cv
from parksim.scenario.workload import Workload, draw

FAST = settings(max_examples=200, derandomize=True, database=None, deadline=None)
SEARCH = settings(max_examples=5_000, derandomize=True, database=None, deadline=None)
GENERATE = settings(SEARCH, phases=[Phase.generate])


@FAST
@given(testing.settings_and_workloads(max_calls=7, max_lots=2))
def test_a_workload_has_the_form_of_one(drawn):
    """Columns, shapes and types are those of a drawn scenario's; times are whole, sorted where they must be."""
    exchange, workload = drawn
    calls, parks = len(workload.arrival_us), exchange.max_parks
    assert calls <= 7
    assert len(exchange.slots) == len(exchange.choices) <= 2
    for name, column in workload._asdict().items():
        once = name in {"arrival_us", "queue_patience_us", "lot"}
        rows = parks + (name in {"handling_us", "talk_us"})
        assert column.shape == ((calls,) if once else (rows, calls)), name
        assert column.dtype == (np.int8 if name == "wants_park" else np.int64), name
        assert (column >= NEVER).all()
    assert (np.diff(workload.arrival_us) >= 0).all()
    assert (workload.lot < len(exchange.slots)).all()
    assert (workload.max_in_parking_us != 0).all()


@pytest.mark.parametrize("grid_us", [1, 1_000_000, 7])
def test_times_lie_on_the_grid(grid_us):
    """Every time is a whole multiple of the grid, whichever is asked for."""

    @settings(FAST, max_examples=50)
    @given(testing.settings_and_workloads(grid_us=grid_us))
    def look(drawn):
        exchange, workload = drawn
        times = [exchange.announcement_us, exchange.retry_after_us, exchange.ring_us]
        times += [t for name in Workload._fields if name.endswith("_us") for t in getattr(workload, name).ravel()]
        assert all(time_us == NEVER or time_us % grid_us == 0 for time_us in times)

    look()


@FAST
@given(testing.settings_and_workloads())
def test_every_drawn_call_ends(drawn):
    """The engine's calendar runs dry with one end for each call: nothing drawn waits for ever."""
    journal = processes.simulate(*drawn)
    ends = np.isin(journal.kind, (codes.ENDED, codes.LOST, codes.ABANDONED))
    assert sorted(journal.call[ends].tolist()) == list(range(len(drawn[1].arrival_us)))


def test_drawn_workloads_are_full_of_ties():
    """In 200 drawn journals more rows share their instant with another call's than do not."""
    tied = Counter()

    @FAST
    @given(testing.settings_and_workloads())
    def look(drawn):
        calls_at = defaultdict(list)
        for fact in processes.simulate(*drawn).facts():
            calls_at[fact.time_us].append(fact.call)
        for calls in calls_at.values():
            tied[len(set(calls)) > 1] += len(calls)

    look()
    assert tied[True] > tied[False] > 0


@pytest.mark.slow
def test_a_failing_workload_shrinks():
    """The smallest workload in which a call expires is one call that is parked for the shortest time there is."""
    strategy = testing.settings_and_workloads(max_calls=1, max_lots=1, grid_us=1)
    _, workload = find(
        strategy,
        lambda drawn: (processes.simulate(*drawn).kind == codes.EXPIRED).any(),
        settings=SEARCH,
    )
    assert workload.arrival_us.tolist() == [0]
    assert workload.max_in_parking_us[0].tolist() == [1]


@FAST
@given(testing.laws(5, 90))
def test_a_drawn_law_is_one(law):
    """Every law can be parsed, and its mean lies about where it was asked for."""
    parsed = parse_law(law)
    assert 0 < parsed.mean_s < 90 * np.exp(2.0**2 / 2) + 1


@pytest.mark.slow
def test_every_law_is_drawn():
    """Each kind of law there is comes up, and a bare number as well."""
    for kind in LAWS:
        assert find(
            testing.laws(), lambda law, kind=kind: isinstance(law, dict) and law["kind"] == kind, settings=SEARCH
        )
    assert find(testing.laws(), lambda law: law == "3s", settings=SEARCH) == "3s"


@settings(FAST, max_examples=100)
@given(testing.scenarios(), st.integers(0, 3))
def test_a_drawn_scenario_runs(scenario, seed):
    """Every scenario is valid, is the one of its canonical text, and offers a few calls only.

    121 are expected at most; the busiest of days, whose factor is exponential, exceeds 8 times that once in 3,000.
    """
    assert Scenario.model_validate(json.loads(scenario.canonical)) == scenario
    workload = draw(scenario, seed)
    assert scenario.expected_calls <= 121
    assert len(workload.arrival_us) < (1_000 if busy_cv(scenario.arrivals) else 300)
    assert len(processes.simulate(scenario.settings, workload)) >= len(workload.arrival_us)


SCENARIOS = {
    "unlimited attendants": lambda s: s.attendants.count == "unlimited",
    "shifts": lambda s: s.attendants.change and 0 in s.attendants.counts,
    "unlimited staff": lambda s: s.retrieval.staff == "unlimited",
    "unlimited stay": lambda s: s.lots[0].max_in_parking is None,
    "unlimited ring": lambda s: s.recall.ring == "unlimited",
    "retries": lambda s: s.retries > 0,
    "drop": lambda s: s.when_full == "drop",
    "overflow": lambda s: s.when_full == "overflow",
    "random": lambda s: s.lots[0].choice == "random",
    "next": lambda s: s.lots[0].choice == "next",
    "several lots": lambda s: len(s.lots) > 1,
    "overflow from one to the next": lambda s: len(s.lots) > 1 and s.when_full == "overflow",
    "lots of their own limits": lambda s: len({lot.max_in_parking for lot in s.lots}) > 1,
    "only what overflows": lambda s: len(s.lots) > 1 and s.lot[1].weight == 0,
    "group": lambda s: s.recall.to == "group",
    "busy": lambda s: s.recall.busy == "drop",
    "unanswered": lambda s: s.recall.unanswered == "drop",
    "hourly": lambda s: s.arrivals.kind == "hourly",
    "busy days": lambda s: s.arrivals.kind == "poisson" and s.arrivals.busy_days is not None,
    "busy days by the hour": lambda s: s.arrivals.kind == "hourly" and s.arrivals.busy_days is not None,
    "shares by the hour": lambda s: isinstance(s.parking.probability, tuple),
    "delays by the hour": lambda s: s.retrieval.delay_factor is not None,
    "several parks": lambda s: s.parking.max_parks > 1,
    "nobody comes": lambda s: s.retrieval.delay is None,
    "objectives": lambda s: len(s.objectives) > 1,
    "one patience": lambda s: s.caller.patience is not None,
    "no queue": lambda s: s.queue.limit == 0,
    "cool-down": lambda s: s.cool_down_us > 0,
}


@pytest.mark.slow
def test_every_feature_is_drawn():
    """Each feature of a scenario comes up among 300 drawn ones."""
    met = set()

    @settings(FAST, max_examples=300, phases=[Phase.generate])
    @given(testing.scenarios())
    def look(scenario):
        met.update(name for name, has in SCENARIOS.items() if has(scenario))

    look()
    assert set(SCENARIOS) - met == set()


def test_objectives_can_be_left_out():
    """Without objectives asked for there are none."""

    @settings(FAST, max_examples=30)
    @given(testing.scenarios(objectives=False))
    def look(scenario):
        assert scenario.objectives == ()

    look()


@pytest.mark.parametrize("name", ["park", "unpark", "hang_up", "expire", "advance", "advance_to_deadline"])
def test_every_operation_is_drawn(name):
    """Each kind of operation comes up, and the ids are few."""
    [operation] = find(
        testing.park_operations(calls=2),
        lambda drawn: len(drawn) == 1 and drawn[0][0] == name,
        settings=SEARCH,
    )
    assert operation[0] == name
    assert name != "park" or operation[1] in range(2)


@FAST
@given(testing.uapi_registers(), testing.uapi_requests())
def test_any_request_to_any_register_is_answered(drawn, request):
    """Drawn registers are the service's own, so any drawn request gets an answer with a status."""
    register, now_us = drawn
    outcome = uapi.respond(register, request, now_us=now_us)
    assert outcome.reply.status in {200, 202, 204, 400, 401, 403, 404, 405, 409, 413, 414, 415, 500, 501, 503}


def test_registers_reach_parked_calls_and_full_lots():
    """Among the registers are some with both slots taken, and some in which a call has come back."""
    full = find(testing.uapi_registers(), lambda drawn: NEVER not in drawn[0].lots[0].occupants, settings=GENERATE)
    assert len(full[0].lots[0].occupants) == 2
    assert find(
        testing.uapi_registers(max_steps=20),
        lambda drawn: any(call.returning is not None for call in drawn[0].calls),
        settings=GENERATE,
    )


def test_good_requests_do_something():
    """Most of the good requests to the opening register are granted, and of those with bad ones among them many not."""

    def granted(requests):
        """Count how many of up to 200 requests are granted and how many are not."""
        count = Counter()

        @FAST
        @given(requests)
        def look(request):
            count[uapi.respond(testing.uapi_opening(), request, now_us=0).reply.status < 300] += 1

        look()
        return count

    good = granted(testing.uapi_requests(bad=False))
    assert good[True] > good[False]
    assert granted(testing.uapi_requests())[False] > 50


def test_a_life_tells_each_step():
    """Living through a history yields each step with its register before it, and time never goes back."""

    @FAST
    @given(testing.uapi_histories())
    def look(steps):
        before, now_us = testing.uapi_opening(), 0
        for moment in testing.uapi_life(steps):
            assert moment.before == before
            assert moment.now_us >= now_us
            before, now_us = moment.outcome.register, moment.now_us

    look()


def test_everything_public_is_listed():
    """Each name of ``__all__`` is there, none twice."""
    assert all(hasattr(testing, name) for name in testing.__all__)
    assert len(set(testing.__all__)) == len(testing.__all__)


def test_no_other_module_needs_hypothesis():
    """Everything but the strategies can be imported where Hypothesis is not installed."""
    script = """if True:
        import pkgutil, sys
        sys.modules["hypothesis"] = None
        import parksim
        for module in pkgutil.walk_packages(parksim.__path__, "parksim."):
            if module.name not in ("parksim.testing.strategies", "parksim.testing.tables", "parksim.__main__"):
                __import__(module.name)
    """
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)
