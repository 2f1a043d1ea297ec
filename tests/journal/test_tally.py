"""Facts counted as they happen: by the fold as Python, by the fold in the kernel, and by array operations."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from parksim.engines import kernel, processes
from parksim.journal import measures, tally
from parksim.journal.measures import counted_in, measures_of, tally_of
from parksim.journal.tally import Window, count, finished, new_count
from parksim.rules import codes as c
from parksim.scenario.model import Scenario
from parksim.scenario.workload import Offered, draw, offer
from parksim.studies.replication import replicate
from parksim.testing import GRIDS_US, settings_and_workloads

SCENARIOS = sorted((Path(__file__).parents[2] / "scenarios").glob("*.toml"))
SHORT = {"run.horizon": "3h", "run.warm_up": "20m"}
EACH = hypothesis_settings(max_examples=150, derandomize=True, database=None, deadline=None)
S = 1_000_000


def folded(journal, settings, window, target_us):
    """Count a journal's facts, one after the other, by the fold as it is written."""
    offered_us = journal.time_us[journal.kind == c.OFFERED]
    its = new_count(settings, window, target_us, offered_us)
    for fact in journal.facts():
        count(its, fact.time_us, fact.call, fact.lot, fact.slot, fact.extension, fact.kind, fact.reason)
    return finished(its)


def assert_same(one, other):
    """Both are equal number by number; stays and waits are in any order."""
    for name, numbers, others in zip(one._fields, one, other, strict=True):
        ordered = [np.sort(values) if name in ("stays_us", "waits_us") else values for values in (numbers, others)]
        assert np.array_equal(*ordered), name


def a_part_of(scenario):
    """Return a scenario cut to some hours; recorded calls keep their day."""
    return scenario if scenario.recording is not None else scenario.with_values(SHORT)


@pytest.mark.parametrize("file", SCENARIOS, ids=lambda file: file.stem)
def test_three_ways_to_count_a_shipped_scenario_agree(file):
    """Seed 3: equal integers by all three, and so equal measures, to the last bit."""
    scenario = a_part_of(Scenario.load(file))
    settings, window, target_us = counted_in(scenario)
    journal = processes.simulate(settings, draw(scenario, 3))
    by_arrays = tally_of(journal, settings, window, target_us)
    by_kernel = kernel.tally_of(settings, offer(scenario, 3), window, target_us)
    assert_same(folded(journal, settings, window, target_us), by_arrays)
    assert_same(by_kernel, by_arrays)
    known = measures_of(by_arrays, settings, window)
    assert all(
        np.array_equal(value, known[name], equal_nan=True)
        for name, value in measures.measure(journal, scenario).items()
    )
    made = measures_of(by_kernel, settings, window)
    assert [np.asarray(made[name]).tobytes() for name in known] == [np.asarray(known[name]).tobytes() for name in known]


@pytest.mark.parametrize("grid_us", GRIDS_US)
def test_three_ways_to_count_random_workloads_agree(grid_us):
    """150 drawn workloads on each grid, with ties and every policy, in windows that begin and end anywhere."""
    met = set()

    @EACH
    @given(
        settings_and_workloads(max_calls=25, grid_us=grid_us), st.floats(0, 0.8), st.floats(0.05, 1.2), st.floats(0, 1)
    )
    def agree(case, warm_up, length, patient):
        settings, workload = case
        journal = processes.simulate(settings, workload)
        end_us = int(journal.time_us.max(initial=1))
        window = Window(int(warm_up * end_us), int((warm_up + length) * end_us) + 1)
        args = settings, window, int(patient * 60 * S)
        by_arrays = tally_of(journal, *args)
        assert_same(folded(journal, *args), by_arrays)
        assert_same(kernel.tally_of(settings, Offered.of(workload), *args[1:]), by_arrays)
        met.update(
            f"{table}[{row}]"
            for table in ("of_hour", "busy_us")
            for row in np.flatnonzero(getattr(by_arrays, table).any(axis=1))
        )
        met.update(name for name in ("of_lot", "stays_us", "waits_us") if np.any(getattr(by_arrays, name)))
        met.update(f"sums[{place}]" for place in np.flatnonzero(by_arrays.sums))

    agree()
    hourly = {f"of_hour[{row}]" for row in range(tally.IN_TIME + 1)} | {f"busy_us[{row}]" for row in range(3)}
    assert met >= hourly | {"of_lot", "stays_us", "waits_us", "sums[0]", "sums[1]"}


@pytest.mark.parametrize("broken", ["within", "take", "free", "spread", "change_level"])
def test_a_fold_that_forgets_something_would_be_seen(monkeypatch, broken):
    """Negative control: with one step of the fold left out the numbers differ."""
    scenario = Scenario.load(SCENARIOS[0].parent / "hospital.toml").with_values(SHORT)
    settings, window, target_us = counted_in(scenario)
    journal = processes.simulate(settings, draw(scenario, 3))
    monkeypatch.setattr(tally, broken, lambda *given: given[1] if broken == "within" else None)
    with pytest.raises((AssertionError, IndexError)):
        assert_same(folded(journal, settings, window, target_us), tally_of(journal, settings, window, target_us))


def test_a_replication_has_the_same_measures_by_either_engine():
    """A worker's results, to the last bit: the kernel counts its facts, SimPy's stand in a journal."""
    scenario = Scenario.load(SCENARIOS[0].parent / "hospital.toml").with_values(SHORT)
    by_kernel, by_simpy = (replicate(scenario, 5, range(3), engine) for engine in ("kernel", "simpy"))
    assert repr(by_kernel) == repr(by_simpy)
