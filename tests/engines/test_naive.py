"""The naive model against journals computed by hand, and against what must hold whatever happens."""

from collections import Counter
from random import Random

import naive
import numpy as np
import pytest
from cases import CASES
from invariants import violations
from random_cases import random_case

from parksim.rules import codes as c

SEEDS = range(300)
"""Of the random scenarios; every fifth has several lots. Nothing here is a statistical test: what is said of them holds
for each, without exception."""

NOTICED = set(range(len(c.KIND_NAMES))) - {c.REFUSED, c.RECALL_RINGING, c.RECALL_UNANSWERED, c.REMINDED}
"""Kinds of rows that cannot be missing without a trace; in place of the others nothing may have happened as well."""


def scenario(seed):
    """Return the settings and workload of a seed."""
    return random_case(Random(seed), several_lots=seed % 5 == 0)


def journals():
    """Yield the settings, the workload and the journal of every seed."""
    for seed in SEEDS:
        settings, workload = scenario(seed)
        yield settings, workload, naive.simulate(settings, workload)


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


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_always_holds_holds_on_paper(case):
    """The journals computed by hand break no invariant either."""
    assert violations(case.settings, case.workload, case.rows) == []


def test_what_always_holds_holds_at_random():
    """One call a slot, one call an extension, nobody waits for what is free, one end for every call: seeds 0 to 299."""
    for seed, (settings, workload, rows) in enumerate(journals()):
        assert violations(settings, workload, rows) == [], f"seed {seed}: {settings}"


def test_the_invariants_see_a_missing_row():
    """Any single row taken out of a journal of seeds 0 to 24 breaks one, but for those of four kinds."""
    for seed in range(25):
        settings, workload = scenario(seed)
        rows = naive.simulate(settings, workload)
        for place, row in enumerate(rows):
            if row[6] in NOTICED:
                assert violations(settings, workload, rows[:place] + rows[place + 1 :]), f"seed {seed}: {row}"


def test_the_random_scenarios_reach_everything():
    """Seeds 0 to 299 show every fact with each of its reasons, and more rows share their instant than do not."""
    facts, tied, alone = Counter(), 0, 0
    for _, _, rows in journals():
        facts.update((row[6], row[7]) for row in rows)
        sizes = Counter(row[0] for row in rows).values()
        tied += sum(size for size in sizes if size > 1)
        alone += sum(size for size in sizes if size == 1)
    assert set(facts) == {(row[6], row[7]) for case in CASES for row in case.rows}
    assert min(facts.values()) >= 20
    assert tied > alone


def test_the_same_seed_gives_the_same_case():
    """A failing seed can be looked at again."""
    for seed in SEEDS[:20]:
        (settings, workload), (settings_again, workload_again) = scenario(seed), scenario(seed)
        assert settings == settings_again
        assert [column.tolist() for column in workload] == [column.tolist() for column in workload_again]


def test_the_order_of_creation_decides_nothing():
    """Simultaneous events shuffled as they enter the calendar: the same journal, seeds 0 to 299."""
    for seed, (settings, workload, rows) in enumerate(journals()):
        assert naive.simulate(settings, workload, Random(seed)) == rows, f"seed {seed}: {settings}"


def test_the_shuffle_would_show_an_order_that_is_not_total(monkeypatch):
    """Without the number in the calendar's key the shuffled journals differ: the test above can fail."""
    monkeypatch.setattr(naive, "in_order", lambda event: event[:2])
    assert any(
        naive.simulate(*scenario(seed), Random(1)) != naive.simulate(*scenario(seed), Random(2)) for seed in range(20)
    )


def test_no_unit_of_time_is_special():
    """All times eight times as long: the same journal, eight times as long; seeds 0 to 299."""

    def longer(time_us):
        return time_us * 8 if time_us != c.NEVER else c.NEVER

    for seed, (settings, workload, rows) in enumerate(journals()):
        slow_settings = settings._replace(
            announcement_us=longer(settings.announcement_us),
            retry_after_us=longer(settings.retry_after_us),
            ring_us=longer(settings.ring_us),
            period_us=longer(settings.period_us),
            remind_every_us=longer(settings.remind_every_us),
            forward_after_us=longer(settings.forward_after_us),
        )
        slow = workload._replace(
            **{
                name: np.where(column == c.NEVER, c.NEVER, column * 8)
                for name, column in workload._asdict().items()
                if name.endswith("_us")
            }
        )
        expected = [(longer(row[0]), longer(row[1]), *row[2:]) for row in rows]
        assert naive.simulate(slow_settings, slow) == expected, f"seed {seed}: {settings}"
