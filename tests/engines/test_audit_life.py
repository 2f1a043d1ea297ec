"""The table of a call's life against the journals of engines: all that stands in it happens, and nothing else."""

from itertools import product
from random import Random

import naive
import pytest
from cases import CASES
from random_cases import random_case

from parksim.engines import processes
from parksim.rules import codes as c
from parksim.rules import life

SEEDS = range(400)
"""Of the random scenarios; every fourth has several lots."""


def steps(rows):
    """Yield (state, kind, reason) of each row, and where the call was before it by what had been written."""
    states = {}
    for row in rows:
        state = states.get(row[2], life.BEFORE)
        yield state, row[6], row[7]
        states[row[2]] = life.after(state, row[6], row[7])


@pytest.fixture(scope="module")
def happened():
    """Return every (state, kind, reason) in the journals of the cases and of the random scenarios."""
    found = {step for case in CASES for step in steps(case.rows)}
    for seed in SEEDS:
        settings, workload = random_case(Random(seed), several_lots=seed % 4 == 0)
        engine = (naive.simulate, lambda *offered: processes.simulate(*offered).facts())[seed % 2]
        found.update(steps(engine(settings, workload)))
    return found


EVERYTHING = list(product(range(len(life.STATE_NAMES)), range(len(c.KIND_NAMES)), range(len(c.REASON_NAMES))))
ALLOWED = {(step.state, step.kind, step.reason): step.label for step in life.LIFE}


def test_each_row_is_one_of_its_own():
    """No combination stands twice in the table, and no label either."""
    assert len(ALLOWED) == len(set(ALLOWED.values())) == len(life.LIFE)


def test_the_function_is_the_table():
    """Of all combinations of state, kind and reason those in the table lead somewhere, no others."""
    assert len(EVERYTHING) == len(life.STATE_NAMES) * len(c.KIND_NAMES) * len(c.REASON_NAMES)
    then = {(step.state, step.kind, step.reason): step.then for step in life.LIFE}
    for combination in EVERYTHING:
        assert life.after(*combination) == then.get(combination, life.FORBIDDEN)


@pytest.mark.parametrize("combination", ALLOWED, ids=ALLOWED.values())
def test_each_row_happens(combination, happened):
    """Some engine's journal has it: seeds 0 to 399 and the cases computed by hand."""
    assert combination in happened


def test_nothing_else_happens(happened):
    """No journal of seeds 0 to 399 and of the cases has a row that the table forbids."""
    assert {combination for combination in EVERYTHING if combination in happened} == happened
    assert happened <= set(ALLOWED)


def test_every_life_begins_and_ends():
    """From the first state every other can be reached, and from every state the last one."""
    for start in range(len(life.STATE_NAMES)):
        reached = {start}
        for _ in life.STATE_NAMES:
            reached |= {step.then for step in life.LIFE if step.state in reached}
        assert life.GONE in reached
        assert start != life.BEFORE or reached == set(range(len(life.STATE_NAMES)))


def test_who_is_gone_is_gone():
    """After its end nothing changes where a call is; only its attendant may still be announcing it."""
    assert {step[:4] for step in life.LIFE if step.state == life.GONE} == {
        (life.GONE, c.RELEASED, c.NO_REASON, life.GONE)
    }
