"""Nasty little scenarios: small numbers, few slots, few people and ties everywhere, over every feature of the model.

``random_case(rng)`` draws one; the same state of ``rng`` gives the same case, on any machine. Every case ends: no
stay and no ring is without end, as ``parksim.scenario.model`` demands of a scenario too.
"""

from random import Random
from typing import Any

import numpy as np

from parksim.rules import codes as c
from parksim.scenario.model import Settings
from parksim.scenario.workload import Workload

GRIDS_US = (1, 1_000_000)
"""Instants on whole microseconds and on whole seconds; both make ties, the second sees a confusion of the units."""


def random_case(rng: Random, *, several_lots: bool = False, calls: int | None = None) -> tuple[Settings, Workload]:
    """Draws a scenario.

    Args:
        rng: the only source of chance.
        several_lots: two or three lots instead of one.
        calls: how many; drawn from 1 to 40 by default.

    Returns:
        The settings and the workload.
    """
    grid_us = rng.choice(GRIDS_US)
    settings = _settings(rng, grid_us, 3 if several_lots and rng.random() < 0.5 else 2 if several_lots else 1)
    workload = _workload(rng, grid_us, settings, rng.randint(1, 40) if calls is None else calls)
    settings = with_ways(rng, settings, grid_us)
    if settings.fetching == c.FETCH_OLDEST:  # who comes for a call may fetch another: its stay needs an end of its own
        limit_us = np.where(workload.max_in_parking_us == c.NEVER, 7 * grid_us, workload.max_in_parking_us)
        workload = workload._replace(max_in_parking_us=limit_us)
    if settings.retrievable:  # most retrievals fall behind the time-out
        later_us = np.maximum(workload.max_in_parking_us, 0) + workload.retrieval_us % (3 * grid_us) + grid_us
        retrieval_us = np.where(workload.retrieval_us == c.NEVER, c.NEVER, later_us)
        answer_us = np.where(workload.answer_us == c.NEVER, c.NEVER, workload.answer_us + 2 * grid_us)
        workload = workload._replace(retrieval_us=retrieval_us, answer_us=answer_us)
    return settings, workload


def with_ways(rng: Random, settings: Settings, grid_us: int) -> Settings:
    """Draws which of the ways to park a case has that only some systems have; one in four has none."""
    if rng.random() < 0.25:
        return settings
    asked = rng.choice((c.SLOT_LOT, c.SLOT_OWN, c.SLOT_OWN, c.SLOT_CHOSEN))
    taken = c.TAKEN_NEXT if asked == c.SLOT_LOT else rng.randrange(len(c.TAKEN_NAMES))
    fetching = rng.choice((c.FETCH_CALL, c.FETCH_CALL, c.FETCH_NUMBER, c.FETCH_OLDEST))
    drops = taken == c.TAKEN_REFUSE and rng.random() < 0.5
    rings = fetching == c.FETCH_CALL and rng.random() < 0.6
    reminds = not rings and rng.random() < 0.5
    return settings._replace(
        recall_to=c.TO_PARKER if rings else c.TO_REMINDER if reminds else settings.recall_to,
        remind_every_us=rng.choice((1, 2, 3)) * grid_us if reminds else c.NEVER,
        forward_after_us=rng.choice((1, 4, 9)) * grid_us if reminds else c.NEVER,
        when_full=c.FULL_DROP if drops else settings.when_full,
        slot_asked=asked,
        slot_taken=taken,
        fetching=fetching,
        retrievable=int(rings),
    )


def _settings(rng: Random, grid_us: int, lots: int) -> Settings:
    attendants = rng.choice((-1, 1, 1, 2, 2, 3, 5))
    counts = _counts(rng, attendants) if attendants > 0 and rng.random() < 0.4 else ()
    return Settings(
        attendants=attendants,
        staff=rng.choice((-1, 0, 1, 1, 2, 3)),
        queue_limit=rng.choice((-1, -1, 0, 1, 3)),
        max_parks=rng.choice((1, 1, 2, 3, 4)),
        announcement_us=rng.choice((0, 0, 1, 2, 5)) * grid_us,
        when_full=rng.choice((c.FULL_KEEP, c.FULL_KEEP, c.FULL_OVERFLOW, c.FULL_DROP)),
        retries=rng.choice((0, 1, 2, 3)),
        retry_after_us=rng.choice((1, 2, 5)) * grid_us,
        recall_to=rng.choice((c.TO_PARKER, c.TO_PARKER, c.TO_PARKER, c.TO_GROUP, c.TO_GROUP, c.TO_ELSEWHERE)),
        ring_us=rng.choice((1, 1, 2, 3, 5)) * grid_us if rng.random() < 0.9 else c.NEVER,
        attempts=rng.choice((1, 2, 3)),
        busy=rng.choice((c.BUSY_WAIT, c.BUSY_WAIT, c.BUSY_GROUP, c.BUSY_DROP)),
        unanswered=rng.choice((c.UNANSWERED_GROUP, c.UNANSWERED_DROP)),
        slots=tuple(rng.choice((1, 1, 2, 3, 6)) for _ in range(lots)),
        choices=tuple(rng.choice((c.CHOOSE_LOWEST, c.CHOOSE_NEXT, c.CHOOSE_RANDOM)) for _ in range(lots)),
        counts=counts,
        period_us=rng.choice((1, 2, 3, 5)) * grid_us,
    )


def _counts(rng: Random, attendants: int) -> tuple[int, ...]:
    """Draws how many are on duty, for some periods, of which all of them are there in one at least."""
    counts = [rng.randint(0, attendants) for _ in range(rng.choice((1, 2, 3, 5, 24)))]
    counts[rng.randrange(len(counts))] = attendants
    return tuple(counts)


def _workload(rng: Random, grid_us: int, settings: Settings, calls: int) -> Workload:
    def law(low: int, high: int, never: float = 0.0) -> list[int]:
        """A column; about one in three of them is constant, for the ties; the share ``never`` has no end."""
        constant = rng.randint(low, high) if rng.random() < 0.35 else None
        drawn = [rng.randint(low, high) if constant is None else constant for _ in range(calls)]
        return [c.NEVER if rng.random() < never else number * grid_us for number in drawn]

    def table(rows: int, low: int, high: int, never: float = 0.0) -> list[list[int]]:
        return [law(low, high, never) for _ in range(rows)]

    n = settings.max_parks
    longest = rng.choice((0, 1, 3, 8))  # of what attendants and staff do: 0 is all at once
    probability = rng.choice((0.5, 0.8, 1.0))
    wants_park = [[int(rng.random() < probability) for _ in range(calls)] for _ in range(n)]
    max_in_parking = table(n, 1, rng.choice((1, 3, 8)), rng.choice((0, 0, 0.2)))
    patience = table(n, 0, rng.choice((0, 8, 12)), rng.choice((0, 0.6, 0.6, 1)))
    retrieval = table(n, 0, rng.choice((0, 8, 12)), rng.choice((0, 0.4, 1)))
    answer = table(n, 0, rng.choice((0, 3, 9)), rng.choice((0, 0.3, 1)))
    recall_patience = table(n, 0, rng.choice((0, 4, 12)), rng.choice((0, 0.5, 1)))
    for k in range(n):
        for call in range(calls):
            fetched = settings.staff != 0 and retrieval[k][call] != c.NEVER
            if max_in_parking[k][call] == c.NEVER and patience[k][call] == c.NEVER and not fetched:
                max_in_parking[k][call] = rng.randint(1, 8) * grid_us
            if settings.ring_us == c.NEVER and answer[k][call] == c.NEVER and recall_patience[k][call] == c.NEVER:
                answer[k][call] = rng.randint(0, 4) * grid_us

    last_arrival = calls * rng.choice((0, 1, 2))
    return Workload(
        arrival_us=_column(sorted(rng.randint(0, last_arrival) * grid_us for _ in range(calls))),
        queue_patience_us=_column(law(0, rng.choice((0, 3, 10)), rng.choice((0, 0.5, 1)))),
        lot=_column([rng.randrange(len(settings.slots)) for _ in range(calls)]),
        handling_us=_column(table(n + 1, 0, longest)),
        talk_us=_column(table(n + 1, 0, longest)),
        wants_park=np.array(wants_park, dtype=np.int8),
        max_in_parking_us=_column(max_in_parking),
        patience_us=_column(patience),
        retrieval_us=_column(retrieval),
        staff_talk_us=_column(table(n, 0, longest)),
        slot_u=_column([[rng.randrange(2**62) for _ in range(calls)] for _ in range(n)]),
        answer_us=_column(answer),
        recall_patience_us=_column(recall_patience),
    )


def _column(numbers: Any) -> Any:
    return np.array(numbers, dtype=np.int64)
