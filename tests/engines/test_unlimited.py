"""The switchboard without limits by array operations: against the engine where nothing is limited, and by counting."""

from collections import Counter
from itertools import pairwise
from random import Random

import numpy as np
import pytest

from parksim.engines import kernel, processes
from parksim.engines.unlimited import TOTALS, lives, totals
from parksim.rules import codes as c
from tests.engines.random_cases import random_case

ENDS = (c.RETRIEVED, c.EXPIRED, c.ABANDONED)
FREES = ((c.ENDED, c.TALKED), (c.ABANDONED, c.RINGING))


def unlimited_case(seed):
    """Return a random case without limits of attendants, staff, queue and slots."""
    settings, workload = random_case(Random(seed), several_lots=seed % 2 == 1)
    lots = tuple(len(workload.arrival_us) * settings.max_parks for _ in settings.slots)
    to = c.TO_PARKER if settings.recall_to == c.TO_REMINDER else settings.recall_to
    known = {"recall_to": to, "retrievable": 0, "slot_asked": c.SLOT_LOT, "fetching": c.FETCH_CALL}
    settings = settings._replace(attendants=-1, staff=-1, queue_limit=-1, counts=(), slots=lots)
    return settings._replace(**known), workload


def stays_in(journal):
    """Return each stay as (call, lot, from, until, how it ended), by pairing the rows of a slot."""
    open_stays, found = {}, []
    for fact in journal.facts():
        if fact.kind == c.PARKED:
            open_stays[fact.lot, fact.slot] = fact
        elif fact.kind in ENDS and (fact.kind != c.ABANDONED or fact.reason == c.IN_LOT):
            began = open_stays.pop((fact.lot, fact.slot))
            found.append((began.call, began.lot, began.time_us, fact.time_us, fact.kind))
    return sorted(found)


def attended_in(journal):
    """Return how long attendants have each call, row by row; PARKED frees them, since there is no announcement."""
    since, total = {}, Counter()
    for fact in journal.facts():
        if fact.kind in (c.ANSWERED, c.RECALL_RINGING):
            since[fact.call] = fact.time_us
        elif fact.kind == c.RECALL_ANSWERED:
            since.setdefault(fact.call, fact.time_us)
        elif fact.kind in (c.PARKED, c.RECALL_UNANSWERED) or (fact.kind, fact.reason) in FREES:
            total[fact.call] += fact.time_us - since.pop(fact.call)
    return +total


@pytest.mark.parametrize("simulate", [processes.simulate, kernel.simulate])
def test_it_makes_the_facts_of_an_engine_whose_limits_are_never_reached(simulate):
    """100 random cases, seeds 0 to 99, with ties everywhere: every stay to the microsecond."""
    kinds = Counter()
    for seed in range(100):
        settings, workload = unlimited_case(seed)
        journal, life = simulate(settings, workload), lives(settings, workload)
        stays = np.stack((life.call, life.lot, life.parked_us, life.left_us, life.ended_by), axis=1)
        assert sorted(map(tuple, stays.tolist())) == stays_in(journal), seed
        answers = np.count_nonzero((journal.kind == c.ANSWERED) | (journal.kind == c.RECALL_ANSWERED))
        rings = settings.recall_to == c.TO_PARKER
        assert len(life.taken_us) == answers + rings * np.count_nonzero(life.ended_by == c.EXPIRED), seed
        kinds.update(life.ended_by.tolist())
    assert min(kinds[kind] for kind in ENDS) > 100


def test_attendants_are_busy_as_long_as_in_the_engine():
    """100 random cases, seeds 0 to 99, without announcement: a call then has one attendant at a time."""
    for seed in range(100):
        settings, workload = unlimited_case(seed)
        settings = settings._replace(announcement_us=0)
        life, expected = lives(settings, workload), Counter()
        for call, taken_us, free_us in zip(life.attended_call, life.taken_us, life.free_us, strict=True):
            expected[int(call)] += int(free_us - taken_us)
        assert attended_in(processes.simulate(settings, workload)) == +expected, seed


def test_the_sums_are_those_of_counting_instant_by_instant():
    """60 random cases, seeds 0 to 59, on whole microseconds or seconds; the lots have one or two slots."""
    at_full = 0
    for seed in range(60):
        settings, workload = unlimited_case(seed)
        settings = settings._replace(slots=tuple(1 + (seed + lot) % 2 for lot in range(len(settings.slots))))
        life = lives(settings, workload)
        window = (int(workload.arrival_us[0]) + seed % 3, int(life.left_us.max(initial=0)) - seed % 2 + 1)
        found = dict(zip(TOTALS, totals(settings, workload, window).tolist(), strict=True))
        counted = [window[0] <= workload.arrival_us[call] < window[1] for call in life.call]
        stays = list(zip(life.lot, life.parked_us, life.left_us, life.ended_by, counted, strict=True))
        requests = full_us = 0
        for lot, slots in enumerate(settings.slots):
            here = [(begin, end) for number, begin, end, _, _ in stays if number == lot]
            for number, at, _, _, is_counted in stays:
                lasting = sum(begin < at < end for begin, end in here)
                requests += bool(number == lot and is_counted and lasting >= slots)
            edges = sorted({*window, *(edge for pair in here for edge in pair if window[0] < edge < window[1])})
            for low, high in pairwise(edges):
                full_us += (high - low) * (sum(begin <= low and high <= end for begin, end in here) >= slots)
        assert found["requests_at_full"] == requests, seed
        assert found["full_s"] == full_us / 1e6, seed
        assert found["calls"] == sum(window[0] <= one < window[1] for one in workload.arrival_us.tolist())
        assert found["park_requests"] == sum(counted)
        assert found["returns"] == sum(how == c.EXPIRED and one for *_, how, one in stays)
        assert found["time_outs"] == sum(how == c.EXPIRED and window[0] <= end < window[1] for *_, end, how, _ in stays)
        assert found["retrieved"] == sum(how == c.RETRIEVED and one for *_, how, one in stays)
        assert found["hung_up"] == sum(how == c.ABANDONED and one for *_, how, one in stays)
        assert found["stay_s"] == sum(end - begin for _, begin, end, _, one in stays if one) / 1e6
        spans = {
            "busy_slot_s": [(begin, end) for _, begin, end, _, _ in stays],
            "attended_s": zip(life.taken_us, life.free_us, strict=True),
            "staff_s": zip(life.left_us, life.left_us + life.staff_us, strict=True),
        }
        for name, pairs in spans.items():
            inside_us = sum(max(0, min(end, window[1]) - max(begin, window[0])) for begin, end in pairs)
            assert found[name] == inside_us / 1e6, (seed, name)
        at_full += requests
    assert at_full > 100
