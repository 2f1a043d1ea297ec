"""One thing changed in a right journal: the auditor finds it.

Where the calls are known, at the very row; where they are not, no sooner than there, and what is not found is a
journal that other calls would have given.
"""

from collections import Counter
from random import Random

import naive
import pytest
from audit_explained import can_be_explained, explained
from random_cases import random_case

from parksim.journal import audit
from parksim.rules import codes as c
from parksim.rules.lot import Fact

TENTH_US = 100_000


def changed(column, *steps):
    """Return a mutation that adds one of ``steps`` to a column of a row."""

    def mutation(rng, rows, place):
        value = getattr(rows[place], column) + rng.choice(steps)
        return [*rows[:place], rows[place]._replace(**{column: value}), *rows[place + 1 :]]

    return mutation


def exchanged(column, names):
    """Return a mutation that puts another code into a column of a row."""

    def mutation(rng, rows, place):
        other = rng.choice([code for code in range(len(names)) if code != getattr(rows[place], column)])
        return [*rows[:place], rows[place]._replace(**{column: other}), *rows[place + 1 :]]

    return mutation


def swapped(*, within_an_instant):
    """Return a mutation that exchanges two neighbours, of one instant or of two; the place decides where to look."""

    def mutation(_, rows, place):
        for first in [*range(place, len(rows) - 1), *range(min(place, len(rows) - 1))]:
            one, other = rows[first : first + 2]
            if (one.time_us == other.time_us) == within_an_instant and one != other:
                return [*rows[:first], other, one, *rows[first + 2 :]]
        return rows

    return mutation


MUTATIONS = {
    "slot": changed("slot", -1, 1),
    "lot": changed("lot", -1, 1),
    "extension": changed("extension", -1, 1),
    "call": changed("call", -1, 1),
    "kind": exchanged("kind", c.KIND_NAMES),
    "reason": exchanged("reason", c.REASON_NAMES),
    "deadline": changed("deadline_us", -1, 1, -TENTH_US, TENTH_US),
    "microsecond": changed("time_us", -1, 1),
    "tenth of a second": changed("time_us", -TENTH_US, TENTH_US),
    "twice": lambda _, rows, place: [*rows[:place], rows[place], *rows[place:]],
    "left out": lambda _, rows, place: [*rows[:place], *rows[place + 1 :]],
    "cut off": lambda _, rows, place: rows[:place],
    "neighbours": swapped(within_an_instant=False),
    "simultaneous": swapped(within_an_instant=True),
}
ALWAYS_FOUND = {"slot", "extension", "call", "kind", "reason", "twice", "neighbours"}
"""What no other calls could explain. Without the calls nobody knows when somebody hung up, came or had talked enough,
how long a stay may last, which lot was meant, or whether a call came at all that left no other trace."""


def mutated(seeds, name):
    """Yield settings, calls, the journal with one mutation and the row that is the first to differ."""
    for seed in seeds:
        rng = Random(seed)
        settings, workload = random_case(rng, several_lots=seed % 3 == 0)
        rows = [Fact._make(row) for row in naive.simulate(settings, workload)]
        for _ in range(3):
            wrong = MUTATIONS[name](rng, rows, rng.randrange(len(rows)))
            if wrong != rows:
                both = enumerate(zip(rows, wrong, strict=False))
                yield settings, workload, wrong, next((n for n, (a, b) in both if a != b), min(len(rows), len(wrong)))


def trial(seeds, name):
    """Count what became of a mutation, and complain of what may not become of it."""
    seen, complaints = Counter(), []
    for settings, workload, wrong, differs in mutated(seeds, name):
        found = audit.check(wrong, settings, workload)
        if found is None or found.row != differs:
            complaints.append(f"with the calls {found}, but row {differs + 1} differs: {settings}")
        found = audit.check(wrong, settings)
        seen["tried"] += 1
        seen["found"] += found is not None
        seen["exactly"] += found is not None and found.row == differs
        if found is not None and found.row < differs:
            complaints.append(f"without the calls {found}, but only row {differs + 1} differs: {settings}")
        if found is None and name in ALWAYS_FOUND:
            complaints.append(f"without the calls nothing is found, but row {differs + 1} differs: {settings}")
        if (
            found is None
            and can_be_explained(settings)
            and naive.simulate(settings, explained(settings, wrong)) != wrong
        ):
            complaints.append(f"without the calls nothing is found, but no calls give this journal: {wrong} {settings}")
    return seen, complaints


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mutation_is_found(name):
    """Seeds 0 to 59, three mutations each: with the calls at the first row that differs; without them, or explained."""
    seen, complaints = trial(range(60), name)
    assert complaints == []
    assert seen["tried"] > 100


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTATIONS)
def test_many_mutations_are_found(name):
    """The same of seeds 60 to 2,059; prints the shares found without the calls."""
    seen, complaints = trial(range(60, 2060), name)
    assert complaints == []
    print(f"{name}: {seen['found'] / seen['tried']:.2%} found, {seen['exactly'] / seen['tried']:.2%} at the very row")
