"""A lot's number of slots is said to have changed only where it did: simulated days with known settings."""

import random

import pytest

import parksim
from parksim.journal.journal import is_parking
from parksim.pbx.calls import Row
from parksim.pbx.sizes import LEVEL, Size, changed
from parksim.rules import codes as c

DAY = """
name = "a day with a rush"
[run]
horizon = "{hours}h"
[arrivals]
kind = "hourly"
calls_per_hour = [{rates}]
[attendants]
count = 4
handling = {{ kind = "exponential", mean = "20s" }}
[parking]
probability = 0.8
[lot]
slots = {slots}
choice = "{choice}"
max_in_parking = "{limit}s"
[retrieval]
delay = {{ kind = "lognormal", median = "40s", sigma = 0.9 }}
never = 0.2
"""
WAYS = ("lowest", "next", "random")


def rows_of(seed, *, refusals=False, later_us=0, **day):
    """Return the parking events of a simulated day as rows of a log; AMI has no refusals."""
    rates = ", ".join(str(day["rate"] // slower) for slower in (4, 1, 1, 4, 2, 1) * 4)
    facts = parksim.run(parksim.Scenario.loads(DAY.format(rates=rates, **day)), seed=seed).journal.facts()
    return [
        Row(0, fact.time_us + later_us, fact.kind, fact.reason, f"{later_us} {fact.call}", "lot", 701 + fact.slot)
        for fact in facts
        if is_parking(fact) or (refusals and fact.kind == c.REFUSED)
    ]


def claims(seeds):
    """Return which of some logs with constant settings are said to have changed."""
    found = []
    for seed in seeds:
        draw = random.Random(seed)
        hours, slots, choice = draw.choice([6, 12, 24]), draw.choice([3, 4, 5, 6, 8, 12]), draw.choice(WAYS)
        day = {"hours": hours, "slots": slots, "choice": choice}
        rows = rows_of(seed, rate=draw.choice([30, 60, 90, 150]), limit=draw.choice([45, 90, 300]), **day)
        if rows and changed(rows) is not None:
            found.append((seed, day, changed(rows)))
    return found


def test_no_change_is_claimed_of_a_lot_that_kept_its_slots():
    """40 logs of 6 to 24 hours, of lots of 3 to 12 slots, in each way of choosing (seeds 0 to 39)."""
    assert claims(range(40)) == []


@pytest.mark.slow
def test_claims_are_as_rare_as_their_level():
    """1,000 such logs: at LEVEL one is expected, and more than five have a probability below 0.1 %."""
    assert round(LEVEL * 1000) == 1
    assert len(claims(range(1000))) <= 5


@pytest.mark.parametrize("choice", WAYS)
@pytest.mark.parametrize(("before", "after"), [(3, 6), (6, 3)])
def test_a_change_is_found_and_dated(choice, before, after):
    """Ten logs each (seeds 0 to 9): most are found, and dated where a higher slot was first, or last, used."""
    found = 0
    for seed in range(10):
        day = {"hours": 12, "rate": 90, "choice": choice, "limit": 90}
        rows = rows_of(seed, slots=before, **day)
        rows += rows_of(seed + 100, slots=after, later_us=12 * 3_600_000_000 + 600_000_000, **day)
        used = [i for i, row in enumerate(rows) if row.slot >= 704]
        most = max(row.slot for row in rows) - 700  # six, unless the sixth was never needed
        size = changed(rows)
        assert size in (None, Size(used[0], 3, most) if after == 6 else Size(used[-1] + 1, most, 3)), seed
        found += size is not None
    assert found >= 8


def test_two_refusals_with_the_lower_slots_taken_are_enough():
    """A lot of two refuses twice and then gives a third slot; one refusal may be a fault of the PBX."""

    def row(at, kind, call, slot=c.NOBODY):
        return Row(0, at, kind, c.NO_REASON, call, "lot", slot)

    parks = [row(1, c.PARKED, "a", 1), row(2, c.PARKED, "b", 2)]
    third = row(9, c.PARKED, "e", 3)
    assert changed([*parks, row(3, c.REFUSED, "c"), row(4, c.REFUSED, "d"), third]) == Size(4, 2, 3)
    assert changed([*parks, row(3, c.REFUSED, "c"), third]) is None


def test_a_lot_that_is_not_filled_again_has_not_shrunk():
    """Six calls at once in the morning, two at a time for the rest of the day: nothing shows that slots have gone."""
    rows = [Row(0, i, c.PARKED, c.NO_REASON, str(i), "lot", 701 + i) for i in range(6)]
    rows += [Row(0, 9 + i, c.RETRIEVED, c.NO_REASON, str(i), "lot", 701 + i) for i in range(6)]
    for hour in range(1, 12):
        for i in range(4):
            at = hour * 3_600_000_000 + i * 600_000_000
            rows.append(Row(0, at, c.PARKED, c.NO_REASON, f"{at}", "lot", 701 + i % 2))
            rows.append(Row(0, at + 1_000_000_000, c.RETRIEVED, c.NO_REASON, f"{at}", "lot", 701 + i % 2))
    assert changed(sorted(rows, key=lambda row: row.time_us)) is None
