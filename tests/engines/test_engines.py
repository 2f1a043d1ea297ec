"""Every engine writes one journal: as worked out by hand, as the naive model writes it, and byte by byte as the others.

Nothing here is statistical: what is said holds for each scenario without exception. Random cases name their seeds;
the fast Hypothesis tests are derandomized, the slow ones draw anew and print what to repeat.
"""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from random import Random

import naive
import numpy as np
import pytest
import simpy
from cases import CASES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from invariants import violations
from random_cases import random_case

from parksim.engines import kernel, processes
from parksim.engines.clocks import VirtualClock
from parksim.engines.live import Switchboard
from parksim.journal.journal import COLUMNS, JournalWriter
from parksim.rules import codes as c
from parksim.scenario.model import Scenario, Settings
from parksim.scenario.workload import Workload, draw
from parksim.testing import scenarios, settings_and_workloads

ENGINES = {"simpy": processes.simulate, "kernel": kernel.simulate}
SEEDS = range(600)
"""Of the random cases; every third has several lots."""
FAST = settings(max_examples=300, derandomize=True, database=None, deadline=None)
DEEP = settings(max_examples=20_000, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck))

engines = pytest.mark.parametrize("simulate", ENGINES.values(), ids=ENGINES)


def rows_of(journal):
    """Return a journal as the naive model writes it."""
    return [tuple(fact) for fact in journal.facts()]


def scenario(seed):
    """Return the settings and workload of a seed."""
    return random_case(Random(seed), several_lots=seed % 3 == 0)


def plain(number=1, **changes):
    """One extension, one slot, no frills; and one call for each arrival, parked after 10 for at most 100."""
    arrivals = [100 * place for place in range(number)]
    columns = {
        "arrival_us": arrivals,
        "queue_patience_us": [c.NEVER] * number,
        "lot": [0] * number,
        "handling_us": [[10] * number] * 2,
        "talk_us": [[5] * number] * 2,
        "wants_park": [[1] * number],
        "max_in_parking_us": [[100] * number],
        "patience_us": [[c.NEVER] * number],
        "retrieval_us": [[c.NEVER] * number],
        "staff_talk_us": [[7] * number],
        "slot_u": [[0] * number],
        "answer_us": [[4] * number],
        "recall_patience_us": [[c.NEVER] * number],
    } | changes
    return Workload(**{name: np.array(column, np.int64) for name, column in columns.items()})


ONE = Settings(
    attendants=1, staff=-1, queue_limit=-1, max_parks=1, announcement_us=0, when_full=c.FULL_KEEP, retries=0,
    retry_after_us=10, recall_to=c.TO_PARKER, ring_us=30, attempts=1, busy=c.BUSY_WAIT,
    unanswered=c.UNANSWERED_GROUP, slots=(1,), choices=(c.CHOOSE_LOWEST,),
)  # fmt: skip


# By hand, by the naive model, by each other -------------------------------------------------------------------------


@engines
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_engine_writes_what_was_worked_out_by_hand(simulate, case):
    """Row by row the journal of the case, in which every two ranks of the calendar meet."""
    assert rows_of(simulate(case.settings, case.workload)) == case.rows


@engines
def test_an_engine_agrees_with_the_naive_model_at_random(simulate):
    """Seeds 0 to 599, of which every third has several lots: the rows of the naive model."""
    for seed in SEEDS:
        drawn = scenario(seed)
        assert rows_of(simulate(*drawn)) == naive.simulate(*drawn), f"seed {seed}"


@engines
@FAST
@given(drawn=settings_and_workloads())
def test_an_engine_agrees_with_the_naive_model_as_drawn(simulate, drawn):
    """300 drawn scenarios of up to 12 calls and 3 lots: the rows of the naive model, and no invariant broken."""
    rows = rows_of(simulate(*drawn))
    assert rows == naive.simulate(*drawn)
    assert violations(*drawn, rows) == []


@settings(FAST, max_examples=100)
@given(scenarios(), st.integers(0, 2**64))
def test_engines_agree_on_scenario_files(scenario, seed):
    """100 drawn scenarios with every law, any seed: equal bytes of both engines, the rows of the naive model."""
    workload = draw(scenario, seed)
    journal = processes.simulate(scenario.settings, workload)
    assert kernel.simulate(scenario.settings, workload).tobytes() == journal.tobytes()
    assert rows_of(journal) == naive.simulate(scenario.settings, workload)


def test_engines_agree_where_days_and_hours_differ():
    """26 hours with busy days, shares and delays by the hour: equal bytes, live as well, and the naive model's rows."""
    hours = {"parking.probability": [0.2, 1, 0.6] * 8, "retrieval.delay_factor": [0.5, 1, 2, 1] * 6}
    small = Scenario.load("scenarios/hospital.toml").with_values({"run.horizon": "26h", **hours})
    differing = small.with_values({"arrivals.busy_days": {"cv": 0.4}})
    workload = draw(differing, 5)
    assert len(workload.arrival_us) != len(draw(small, 5).arrival_us)
    journal = processes.simulate(differing.settings, workload)
    assert kernel.simulate(differing.settings, workload).tobytes() == journal.tobytes()
    assert rows_of(journal) == naive.simulate(differing.settings, workload)

    async def live():
        async with Switchboard(differing, clock=VirtualClock(), seed=5) as switchboard:
            return await switchboard.finish()

    assert asyncio.run(live()).tobytes() == journal.tobytes()


def test_engines_agree_by_bytes():
    """Seeds 0 to 599 and the cases worked out by hand: all columns have equal types and equal bytes."""
    for drawn in [*map(scenario, SEEDS), *((case.settings, case.workload) for case in CASES)]:
        one, other = (simulate(*drawn) for simulate in ENGINES.values())
        for name, dtype in COLUMNS:
            assert one.columns[name].dtype == other.columns[name].dtype == np.dtype(dtype)
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("seed", range(6))
def test_engines_agree_at_length(seed):
    """3,000 calls, parked up to four times, so that every buffer has to grow: equal bytes; seeds 0 to 5."""
    drawn = random_case(Random(seed), several_lots=seed % 2 == 1, calls=3_000)
    assert kernel.simulate(*drawn).tobytes() == processes.simulate(*drawn).tobytes()


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_engines_agree_with_the_naive_model_in_depth(part):
    """20,000 random cases, seeds 1,000 to 20,999 in four parts: three times the same rows."""
    for seed in range(1_000 + 5_000 * part, 6_000 + 5_000 * part):
        drawn = scenario(seed)
        journal = processes.simulate(*drawn)
        assert kernel.simulate(*drawn).tobytes() == journal.tobytes(), f"seed {seed}"
        assert rows_of(journal) == naive.simulate(*drawn), f"seed {seed}"


@pytest.mark.slow
@DEEP
@given(settings_and_workloads(max_calls=25))
def test_engines_agree_as_drawn_in_depth(drawn):
    """20,000 scenarios of up to 25 calls, drawn anew: three times the same rows, and no invariant broken."""
    journal = processes.simulate(*drawn)
    assert kernel.simulate(*drawn).tobytes() == journal.tobytes()
    assert rows_of(journal) == naive.simulate(*drawn)
    assert violations(*drawn, rows_of(journal)) == []


def test_the_drawn_scenarios_reach_everything():
    """600 scenarios drawn as above meet every fact with each of its reasons, so that the agreement says something."""
    met = set()

    @settings(FAST, max_examples=600)
    @given(settings_and_workloads())
    def look(drawn):
        met.update((row[6], row[7]) for row in naive.simulate(*drawn))

    look()
    assert met == {(row[6], row[7]) for case in CASES for row in case.rows}


# What always holds --------------------------------------------------------------------------------------------------


@engines
def test_what_always_holds_holds_for_an_engine(simulate):
    """Seeds 0 to 599: one call a slot, one call an extension, nobody waits for what is free."""
    for seed in SEEDS:
        drawn = scenario(seed)
        assert violations(*drawn, rows_of(simulate(*drawn))) == [], f"seed {seed}"


@engines
def test_every_call_ends_exactly_once(simulate):
    """Seeds 0 to 599: each call has one row ENDED, LOST or ABANDONED, and only its announcement may outlive it."""
    ends = {c.ENDED, c.LOST, c.ABANDONED}
    for seed in SEEDS:
        drawn = scenario(seed)
        ended = set()
        for row in rows_of(simulate(*drawn)):
            call, kind = row[2], row[6]
            assert call not in ended or kind == c.RELEASED, f"seed {seed}: {row}"
            if kind in ends:
                ended.add(call)
        assert ended == set(range(len(drawn[1].arrival_us))), f"seed {seed}"


@engines
def test_a_time_out_belongs_to_the_stay_it_ends(simulate):
    """Seeds 0 to 599: each EXPIRED stands at the deadline of the call's own latest park, in that slot; some 4,000."""
    seen = 0
    for seed in SEEDS:
        parked = {}
        for row in rows_of(simulate(*scenario(seed))):
            time_us, call, place, kind = row[0], row[2], row[3:5], row[6]
            if kind == c.PARKED:
                parked[call] = (row[1], place)
            elif kind == c.EXPIRED:
                seen += 1
                assert (time_us, place) == parked.pop(call), f"seed {seed}: {row}"
    assert seen > 2_000


@engines
def test_a_stale_timer_does_not_fire_on_the_next_call_in_the_slot(simulate):
    """Slot 0 is left at 25 by a retrieval and taken again at 60; the first timer, set to 110, does nothing there."""
    workload = plain(2, arrival_us=[0, 50], retrieval_us=[[15, c.NEVER]])
    rows = rows_of(simulate(ONE, workload))
    parks = [(row[0], row[1], row[2], row[4]) for row in rows if row[6] == c.PARKED]
    assert parks == [(10, 110, 0, 0), (60, 160, 1, 0)]
    assert [(row[0], row[2]) for row in rows if row[6] == c.EXPIRED] == [(160, 1)]


@engines
def test_a_stale_timer_does_not_fire_on_the_same_call_parked_again(simulate):
    """Call 0 times out at 110, is parked again at 124 with a timer of its own, and times out at 224, not before."""
    workload = plain(
        handling_us=[[10], [10], [10]], talk_us=[[5]] * 3, wants_park=[[1], [1]], max_in_parking_us=[[100], [100]],
        patience_us=[[c.NEVER]] * 2, retrieval_us=[[c.NEVER]] * 2, staff_talk_us=[[7]] * 2, slot_u=[[0]] * 2,
        answer_us=[[4]] * 2, recall_patience_us=[[c.NEVER]] * 2,
    )  # fmt: skip
    rows = rows_of(simulate(ONE._replace(max_parks=2), workload))
    stays = [(row[0], row[6]) for row in rows if row[6] in {c.PARKED, c.EXPIRED}]
    assert stays == [(10, c.PARKED), (110, c.EXPIRED), (124, c.PARKED), (224, c.EXPIRED)]


@engines
@pytest.mark.parametrize("after_us", [98, 99, 100])
def test_a_retrieval_up_to_the_deadline_succeeds(simulate, after_us):
    """Parked at 10 for at most 100: whoever comes at 108, 109 or exactly 110 has the call, and no timer rings."""
    rows = rows_of(simulate(ONE, plain(retrieval_us=[[after_us]])))
    assert [row[6] for row in rows] == [c.OFFERED, c.ANSWERED, c.PARKED, c.RETRIEVED, c.ENDED]
    assert rows[3] == (10 + after_us, -1, 0, 0, 0, -1, c.RETRIEVED, 0)


@engines
def test_a_retrieval_after_the_deadline_finds_the_call_returning(simulate):
    """One microsecond later, at 111, the call rings at its parker since 110 and is answered there at 114."""
    rows = rows_of(simulate(ONE, plain(retrieval_us=[[101]])))
    assert rows[2:] == [
        (10, 110, 0, 0, 0, 0, c.PARKED, 0),
        (110, -1, 0, 0, 0, 0, c.EXPIRED, 0),
        (110, 140, 0, -1, -1, 0, c.RECALL_RINGING, 0),
        (114, -1, 0, -1, -1, 0, c.RECALL_ANSWERED, 0),
        (129, -1, 0, -1, -1, 0, c.ENDED, c.TALKED),
    ]


# The order of simultaneous events --------------------------------------------------------------------------------


def shuffled(settings_, workload, chance, *, without_number=False):
    """Run the SimPy model where simultaneous events of equal priority come in any order, not in that of creation."""

    class Shuffled(simpy.Environment):
        def schedule(self, event, priority=1, delay=0):
            self._eid = iter([chance.random()])
            super().schedule(event, priority >> 32 << 32 if without_number and priority > 1 else priority, delay)

    rows = JournalWriter()
    processes.Exchange(Shuffled(), settings_, workload, rows.append).run()
    return rows.journal()


def test_the_order_of_creation_decides_nothing():
    """What SimPy would order by creation is shuffled, seeds 0 to 599: not a byte changes."""
    for seed in SEEDS:
        drawn = scenario(seed)
        assert shuffled(*drawn, Random(seed)) == processes.simulate(*drawn), f"seed {seed}"


def test_the_shuffle_would_show_an_order_that_is_not_total():
    """Without the number in the calendar's key shuffled journals differ: the test above can fail."""
    assert any(
        shuffled(*scenario(seed), Random(1), without_number=True) != processes.simulate(*scenario(seed))
        for seed in range(20)
    )


@engines
@FAST
@given(drawn=settings_and_workloads(grid_us=10**13))
def test_no_size_of_time_is_special(simulate, drawn):
    """Times of years in microseconds, 300 drawn scenarios: the naive model's rows (whole numbers know no rounding)."""
    assert rows_of(simulate(*drawn)) == naive.simulate(*drawn)


# The edges ----------------------------------------------------------------------------------------------------------


@engines
def test_no_call_makes_no_fact(simulate):
    """A workload without calls gives an empty journal with all its columns."""
    journal = simulate(ONE, plain(0))
    assert len(journal) == 0
    assert [journal.columns[name].dtype for name, _ in COLUMNS] == [np.dtype(dtype) for _, dtype in COLUMNS]


@pytest.mark.slow
@engines
def test_the_largest_exchange_has_room(simulate):
    """10,000 attendants, staff and slots: the last extension and the last slot fit into their columns."""
    count = 10_000
    workload = plain(
        count,
        arrival_us=[0] * count,
        retrieval_us=[[50] * count],
    )
    journal = simulate(ONE._replace(attendants=count, staff=count, slots=(count,)), workload)
    assert journal.slot.max() == count - 1
    assert journal.extension.max() == 2 * count - 1
    assert np.array_equal(np.unique(journal.extension[journal.kind == c.RETRIEVED]), np.arange(count, 2 * count))


@engines
def test_an_engine_changes_nothing_it_is_given(simulate):
    """The workload's columns are read only; a second run gives the same bytes."""
    settings_, workload = scenario(3)
    before = [column.copy() for column in workload]
    for column in workload:
        column.flags.writeable = False
    first = simulate(settings_, workload)
    assert simulate(settings_, workload).tobytes() == first.tobytes()
    assert all(np.array_equal(column, copy) for column, copy in zip(workload, before, strict=True))


def test_the_kernel_is_the_same_without_its_compiler(tmp_path):
    """Interpreted, as where Numba is not installed, the kernel writes the same bytes: all cases, seeds 0 to 59."""
    script = """if True:
        import sys
        from hashlib import sha256
        from random import Random
        from cases import CASES
        from random_cases import random_case
        from parksim.engines import kernel
        total = sha256()
        for case in CASES:
            total.update(kernel.simulate(case.settings, case.workload).tobytes())
        for seed in range(60):
            total.update(kernel.simulate(*random_case(Random(seed), several_lots=seed % 3 == 0)).tobytes())
        print(total.hexdigest())
    """
    paths = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    done = [
        subprocess.run(
            [sys.executable, "-W", "error", "-c", script],
            env=os.environ | {"PYTHONPATH": paths, "XDG_CACHE_HOME": str(tmp_path)} | more,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for more in ({}, {"NUMBA_DISABLE_JIT": "1"})
    ]
    assert done[0] == done[1]


def test_rows_of_one_value_each_are_not_one_column():
    """A column whose rows repeat different values, views without memory, limits each stay by its own row."""
    calls, parks, limits_us = 4, 2, (10_000_000, 20_000_000)
    never, nothing = np.full((parks, calls), c.NEVER), np.zeros((parks, calls), np.int64)
    workload = Workload(
        arrival_us=np.arange(calls) * 100_000_000,
        queue_patience_us=never[0],
        lot=nothing[0],
        handling_us=np.zeros((parks + 1, calls), np.int64),
        talk_us=np.zeros((parks + 1, calls), np.int64),
        wants_park=np.ones((parks, calls), np.int8),
        max_in_parking_us=np.broadcast_to(np.array(limits_us)[:, None], (parks, calls)),
        patience_us=never,
        retrieval_us=never,
        staff_talk_us=nothing,
        slot_u=nothing,
        answer_us=nothing,
        recall_patience_us=never,
    )
    rules = Settings(
        attendants=1, staff=-1, queue_limit=-1, max_parks=parks, announcement_us=0, when_full=c.FULL_KEEP, retries=0,
        retry_after_us=-1, recall_to=c.TO_PARKER, ring_us=30_000_000, attempts=1, busy=c.BUSY_WAIT,
        unanswered=c.UNANSWERED_GROUP, slots=(2,), choices=(c.CHOOSE_LOWEST,),
    )  # fmt: skip
    for simulate in ENGINES.values():
        stays_us = [
            fact.deadline_us - fact.time_us for fact in simulate(rules, workload).facts() if fact.kind == c.PARKED
        ]
        assert stays_us == [*limits_us] * calls
