"""The naive model against journals computed by hand, and against what must hold whatever happens."""

from collections import Counter
from random import Random

import naive
import pytest
from cases import CASES
from random_cases import random_case

from parksim.rules import codes as c

ENDS = {c.ABANDONED, c.ENDED, c.LOST}
SEEDS = range(400)
"""Of the random scenarios; every fifth has several lots. None of the checks below is a statistical one: level 0."""


def scenario(seed):
    """Return the settings and workload of a seed."""
    return random_case(Random(seed), several_lots=seed % 5 == 0)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_journals_computed_by_hand(case):
    """The naive model writes, row by row, what was worked out on paper."""
    assert naive.simulate(case.settings, case.workload) == case.rows


def events(case, monkeypatch):
    """Return every event that ever stood in the calendar of a case, also those taken out of it again."""
    seen = []
    put = naive.Model.put

    def noted(model, instant_us, rank, number):
        seen.append((instant_us, rank, number))
        put(model, instant_us, rank, number)

    with monkeypatch.context() as patch:
        patch.setattr(naive.Model, "put", noted)
        naive.simulate(case.settings, case.workload)
    return seen


def in_another_order(first, second):
    """Return a calendar's order in which ``first`` comes just after ``second``; the same rank: numbers reversed."""
    if first == second:
        return lambda event: (event[0], event[1], -event[2] if event[1] == first else event[2])
    place = {rank: 2 * rank for rank in range(len(c.RANK_NAMES))} | {first: 2 * second + 1}
    return lambda event: (event[0], place[event[1]], event[2])


MEETINGS = [pytest.param(case, pair, id=f"{case.name}-{pair}") for case in CASES for pair in case.meets]


@pytest.mark.parametrize(("case", "pair"), MEETINGS)
def test_a_case_shows_the_order_it_claims_to_show(case, pair, monkeypatch):
    """Both ranks stand in the calendar for one instant; the first one after the second gives another journal."""
    first, second = pair
    at = Counter((instant_us, rank) for instant_us, rank, _ in events(case, monkeypatch))
    instants = {instant_us for instant_us, _ in at}
    if first == second:
        assert any(at[instant_us, first] >= 2 for instant_us in instants)
    else:
        assert any(at[instant_us, first] and at[instant_us, second] for instant_us in instants)
    monkeypatch.setattr(naive, "in_order", in_another_order(first, second))
    assert naive.simulate(case.settings, case.workload) != case.rows


def test_every_pair_of_ranks_has_its_case():
    """Each two of the eleven ranks, and each rank with itself but for the two SERVEs, meet in some case."""
    ranks = range(len(c.RANK_NAMES))
    pairs = {(first, second) for first in ranks for second in ranks[first:]}
    alone = {(c.RANK_SERVE, c.RANK_SERVE), (c.RANK_STAFF_SERVE, c.RANK_STAFF_SERVE)}
    assert {pair for case in CASES for pair in case.meets} == pairs - alone
