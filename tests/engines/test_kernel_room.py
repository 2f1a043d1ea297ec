"""What the kernel keeps little of: records of calls that are there, numbers of 32 bits, rows that some call reaches."""

import ast
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from parksim.engines import _attendants, _lift, _state, kernel, processes, trees
from parksim.journal.measures import counted_in
from parksim.rules import codes as c
from parksim.scenario.model import Scenario
from parksim.scenario.workload import Offered, draw, offer

SCENARIOS = Path(__file__).parents[2] / "scenarios"
S = 1_000_000


def hospital(**values):
    """Return the hospital of one hour, with some values."""
    return Scenario.load(SCENARIOS / "hospital.toml").with_values({"run.horizon": "1h", "lot.limits": "pbx", **values})


def same_journals(settings, workload):
    """Return the journal that both engines write."""
    journal = kernel.simulate(settings, workload)
    assert journal.tobytes() == processes.simulate(settings, workload).tobytes()
    return journal


@pytest.mark.parametrize("more", [-1, 0, 1, _state.LIVE_CALLS])
def test_as_many_calls_are_there_as_come(more):
    """One more than there are records, one less, twice as many: all of them talk when the last one arrives."""
    calls = _state.LIVE_CALLS + more
    scenario = hospital(**{"attendants.count": "unlimited", "parking.probability": 0.0})
    workload = draw(scenario, 1)
    arrival_us = np.arange(calls) * S
    rows = {name: np.resize(column, (*column.shape[:-1], calls)) for name, column in workload._asdict().items()}
    long = rows | {"arrival_us": arrival_us, "talk_us": np.full_like(rows["talk_us"], 2 * calls * S)}
    journal = same_journals(scenario.settings, workload._replace(**long))
    assert journal.time_us[journal.kind == c.ENDED].min() > arrival_us[-1]


@pytest.mark.parametrize("column", ["handling_us", "retrieval_us", "staff_talk_us", "talk_us"])
def test_durations_of_more_than_32_bits_are_kept(column):
    """Drawn numbers next to 2**31 and far beyond it, alone and among small ones: the journals are SimPy's."""
    scenario = hospital(**{"run.horizon": "2h", "lot.max_in_parking": "unlimited"})
    workload = draw(scenario, 2)
    values = np.array([2**31 - 1, 2**31, 2**31 + 1, 2**40 + 7, 5 * S, 0])
    table = getattr(workload, column)
    for numbers in (np.resize(values, table.shape), np.full(table.shape, 2**31), np.full(table.shape, 2**31 - 1)):
        same_journals(scenario.settings, workload._replace(**{column: numbers}))


def test_rows_that_no_call_reaches_are_not_drawn():
    """A lot without returns draws the rows of the first park alone; one with returns draws on, as far as they go."""
    deepest = {}
    for limit in ("unlimited", "30s"):
        scenario = hospital(**{"lot.max_in_parking": limit, "parking.max_parks": 6})
        calls, drawn = offer(scenario, 1), []
        watched = {name: partial(noted, drawn, row) for name, row in calls.draws.items()}
        settings, window, target_us = counted_in(scenario)
        kernel.tally_of(settings, calls._replace(draws=watched), window, target_us)
        journal = kernel.simulate(settings, draw(scenario, 1))
        deepest[limit] = max(drawn)
        assert deepest[limit] == np.bincount(journal.call[journal.kind == c.EXPIRED]).max(initial=0)
    assert deepest["unlimited"] == 0 < deepest["30s"] <= 6


def noted(drawn, row, parks):
    """Return a row, and note of how many parks it is."""
    drawn.append(parks)
    return row(parks)


def test_drawn_rows_are_those_of_the_whole_workload():
    """Row by row ``offer`` gives what ``draw`` puts into tables; a workload read back gives its own rows."""
    scenario = Scenario.load(SCENARIOS / "contact-centre.toml").with_values({"run.horizon": "2h"})
    workload = draw(scenario, 4)
    for calls in (offer(scenario, 4), Offered.of(workload)):
        assert np.array_equal(calls.arrival_us, workload.arrival_us)
        for name, row in calls.draws.items():
            table = np.atleast_2d(getattr(workload, name))
            assert len(table) == calls.rows(name)
            assert all(np.array_equal(row(parks), table[parks]) for parks in range(len(table)))


@pytest.mark.parametrize("way", [{"retrieval.blind": True}, {"retrieval.order": "oldest"}])
def test_more_people_are_on_their_way_than_there_is_room_for_at_first(way):
    """900 calls an hour, each fetched after three hours if anybody is there still: twice the room, and twice again."""
    scenario = hospital(**{"retrieval.delay": "3h", "retrieval.never": 0.1, "attendants.count": "unlimited"}, **way)
    workload = draw(scenario.with_values({"arrivals": {"kind": "poisson", "rate": "900/h"}}), 3)
    assert (workload.retrieval_us[0] != c.NEVER).sum() > 2 * _state.LIVE_CALLS
    same_journals(scenario.settings, workload)


@pytest.mark.parametrize("module", [kernel, _attendants, _state, trees, *_lift.SOURCES])
def test_pytest_leaves_compiled_assertions_alone(module):
    """An installed parksim brings a plugin, so pytest writes its assertions anew; Numba could not compile those."""
    asserts = any(isinstance(node, ast.Assert) for node in ast.walk(ast.parse(Path(module.__file__).read_text())))
    assert not asserts or "PYTEST_DONT_REWRITE" in module.__doc__
