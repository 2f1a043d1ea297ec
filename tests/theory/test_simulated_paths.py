"""What holds path by path: the same calls in another unit of time, in a larger lot, or in two streams merged.

Exact but for the two tests that name their level and seed.
"""

import checks
import numpy as np
import pytest

from parksim.engines import processes
from parksim.journal.measures import measure
from parksim.rules.codes import CHOICE_NAMES, NEVER, REFUSED
from parksim.scenario.workload import Workload, draw
from parksim.studies.replication import replicate

NO_TIMES = {"lot", "wants_park", "slot_u"}
"""The workload's columns that are no times."""
LOT = checks.scenario("lot-only")


def scaled(column, factor):
    """Return times in another unit; never stays never."""
    return np.where(column == NEVER, NEVER, column * factor)


def refused(workload, slots, settings=LOT.settings):
    """Count the refusals of a lot of ``slots`` slots."""
    journal = processes.simulate(settings._replace(slots=(slots,)), workload)
    return int((journal.kind == REFUSED).sum())


@pytest.mark.parametrize("factor", [2, 2**10, 7])
@pytest.mark.parametrize("name", ["contact-centre", "hospital", "overload", "shifts", "small-office", "warehouse"])
def test_another_unit_of_time_gives_the_same_journal(name, factor):
    """All times of a workload and of its settings taken 2, 1,024 or 7 times: the same rows at so many times."""
    scenario = checks.scenario(name, {"run.horizon": "9h", "run.warm_up": 0})
    workload, settings = draw(scenario, seed=121), scenario.settings
    journal = processes.simulate(settings, workload)
    times = {key: scaled(value, factor) for key, value in workload._asdict().items() if key not in NO_TIMES}
    delays = {key: int(scaled(np.array(value), factor)) for key, value in settings._asdict().items() if "_us" in key}
    assert set(delays) == {
        *("announcement_us", "forward_after_us", "period_us", "remind_every_us", "retry_after_us", "ring_us")
    }
    slower = processes.simulate(settings._replace(**delays), workload._replace(**times))
    assert len(slower) == len(journal) > 300
    for column in ("call", "lot", "slot", "extension", "kind", "reason"):
        assert np.array_equal(getattr(slower, column), getattr(journal, column)), column
    assert np.array_equal(slower.time_us, journal.time_us * factor)
    assert np.array_equal(slower.deadline_us, scaled(journal.deadline_us, factor))


def test_another_unit_for_the_workload_alone_is_seen():
    """Negative control: with the settings' own times left as they are, rows change."""
    scenario = checks.scenario("hospital", {"run.horizon": "3h"})
    workload = draw(scenario, seed=121)
    times = {key: scaled(value, 2) for key, value in workload._asdict().items() if key not in NO_TIMES}
    slower = processes.simulate(scenario.settings, workload._replace(**times))
    journal = processes.simulate(scenario.settings, workload)
    assert not np.array_equal(slower.time_us, journal.time_us * 2)


def small_calls(generator, calls=30):
    """Return calls that park once, with times of a few seconds, so that many fall on the same instant."""
    once = np.zeros((1, calls), np.int64)
    twice = np.zeros((2, calls), np.int64)

    def seconds(high, *shape):
        return generator.integers(0, high, (*shape, calls)) * 1_000_000

    def or_never(column):
        return np.where(generator.random(column.shape) < 0.3, NEVER, column)

    return Workload(
        arrival_us=np.sort(seconds(40)),
        queue_patience_us=np.full(calls, NEVER),
        lot=np.zeros(calls, np.int64),
        handling_us=seconds(4, 2),
        talk_us=twice,
        wants_park=(generator.random((1, calls)) < 0.9).astype(np.int8),
        max_in_parking_us=seconds(12, 1) + 1_000_000,
        patience_us=or_never(seconds(12, 1)),
        retrieval_us=or_never(seconds(12, 1)),
        staff_talk_us=once,
        slot_u=generator.integers(0, 2**62, (1, calls)),
        answer_us=once,
        recall_patience_us=np.full((1, calls), NEVER),
    )


def test_one_more_slot_never_raises_refusals():
    """Unlimited attendants and staff, one park a call: 200 paths of 30 calls full of ties, 1 to 7 slots, each choice.

    The first c slots of a larger lot are a lot of c slots if the lowest free one is taken, and how many are taken
    does not depend on which.
    """
    generator = np.random.default_rng(122)
    lowered = 0
    for path in range(200):
        workload = small_calls(generator)
        settings = LOT.settings._replace(choices=(path % len(CHOICE_NAMES),))
        counts = [refused(workload, slots, settings) for slots in range(1, 8)]
        assert counts == sorted(counts, reverse=True)
        lowered += counts[0] > counts[-1]
    assert lowered > 190


def test_with_second_parks_one_more_slot_may_raise_refusals():
    """Six calls made by hand: one slot refuses two of them, two slots refuse three.

    One call is in the lot from 0 to 50 s. Two callers ask at 10 and at 25 s. One slot: both are refused and gone; later
    three calls of 5 s each find it empty. Two slots: each of the two stays 10 s beside the first call, returns, is
    handled until 100 s, and both park again for 100 s: the three later calls find two slots taken.
    """
    first = {"arrival": 0, "limit": 100, "fetched": 50}
    returning = [
        {"arrival": 10, "limit": 10, "handled": 80, "fetched_again": 100},
        {"arrival": 25, "limit": 10, "handled": 65, "fetched_again": 100},
    ]
    later = [{"arrival": at, "limit": 100, "fetched": 5} for at in (110, 120, 130)]
    calls = [first, *returning, *later]

    def column(key, default=0):
        return np.array([call[key] * 1_000_000 if key in call else default for call in calls])

    never, zero = np.full(6, NEVER), np.zeros(6, np.int64)
    workload = Workload(
        arrival_us=column("arrival"),
        queue_patience_us=never,
        lot=zero,
        handling_us=np.stack([zero, column("handled"), zero]),
        talk_us=np.zeros((3, 6), np.int64),
        wants_park=np.ones((2, 6), np.int8),
        max_in_parking_us=np.stack([column("limit"), np.full(6, 1_000_000_000)]),
        patience_us=np.stack([never, never]),
        retrieval_us=np.stack([column("fetched", NEVER), column("fetched_again", NEVER)]),
        staff_talk_us=np.zeros((2, 6), np.int64),
        slot_u=np.zeros((2, 6), np.int64),
        answer_us=np.zeros((2, 6), np.int64),
        recall_patience_us=np.stack([never, never]),
    )
    twice = LOT.settings._replace(max_parks=2)
    assert [refused(workload, slots, twice) for slots in (1, 2, 3)] == [2, 3, 0]
    once = Workload(*(rows[:-1] if rows.ndim == 2 else rows for rows in workload))
    assert [refused(once, slots) for slots in (1, 2, 3)] == [2, 0, 0]


def merged(one, other):
    """Return two streams of calls as one, in order of arrival."""
    order = np.argsort(np.concatenate([one.arrival_us, other.arrival_us]), kind="stable")
    return Workload(*(np.concatenate(both, axis=-1)[..., order] for both in zip(one, other, strict=True)))


def test_two_poisson_streams_are_one():
    """Two streams of 60 calls an hour on one lot are one of 120: all that theory says (level 1e-5 each, seed 123)."""
    whole = checks.scenario("lot-only", {"run.horizon": "30h"})
    half = whole.with_values({"arrivals.rate": "60/h"})
    results = []
    for replication in range(24):
        workload = merged(draw(half, 123, 2 * replication), draw(half, 123, 2 * replication + 1))
        results.append(measure(processes.simulate(whole.settings, workload), whole))
    assert checks.faults(results, checks.known(whole)) == []
    assert checks.faults(results, {"refused_share": checks.known(half)["refused_share"]})


@pytest.mark.slow
def test_refusals_do_not_ask_for_the_law_of_the_stay():
    """The same calls with stays of 80 s by three other laws are refused alike in the mean; by one of 84 s they are not.

    Paired by replication, 24 of 30 h each, seed 124; three comparisons of level 1e-5.
    """
    laws = [
        80,
        {"kind": "hyperexponential", "weights": [0.9, 0.1], "means": [20, 620]},
        {"kind": "weibull", "mean": 80, "shape": 0.5},
        {"kind": "exponential", "mean": 84},
    ]
    free = {"run.horizon": "30h", "lot.limits": "pbx", "lot.max_in_parking": "unlimited", "lot.slots": 4}

    def refusals(law):
        results = replicate(checks.scenario("lot-only", free | {"retrieval.delay": law}), 124, range(24), "simpy")
        return checks.column(results, "refused_share") * checks.column(results, "parks_requested")

    exponential = refusals({"kind": "exponential", "mean": 80})
    scores = [checks.score(refusals(law) - exponential) for law in laws]
    assert max(abs(score) for score in scores[:-1]) <= checks.bound(24)
    assert scores[-1] > checks.bound(24)
