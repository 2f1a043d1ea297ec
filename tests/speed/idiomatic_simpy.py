"""Contender 1: park-1 as a good user of SimPy writes it.

One process a call, a ``PriorityResource`` for the attendants, a ``PriorityStore`` of slot numbers for the lot,
``yield a | b | c`` for the race in it, floating seconds, scalars drawn where they are needed from ``random.Random``
(the quickest way to single numbers). It counts and integrates, and keeps no journal. It shares nothing with parksim,
so it is a second opinion as well as a rival. Who knows that a free slot is never waited for keeps the slots in a
plain heap instead (``slots_in_store=False``): a fifth faster, and measured as a contender of its own.
"""

import heapq
import random
from collections.abc import Generator
from typing import Any

import simpy

from tests.speed import park1
from tests.speed.park1 import WARM_UP_S, Figures

RETURNING, NEW = 0, 1  # priorities: returns go ahead of new calls


class Switchboard:
    """The attendants, the lot and the counts of one run."""

    def __init__(self, seed: int, slots_in_store: bool) -> None:
        self.env = simpy.Environment()
        self.random = random.Random(seed)
        self.attendants = simpy.PriorityResource(self.env, capacity=park1.ATTENDANTS)
        self.store = simpy.PriorityStore(self.env) if slots_in_store else None
        self.free_slots = self.store.items if self.store is not None else []
        self.free_slots.extend(range(park1.SLOTS))  # a heap: the lowest first
        self.offered = self.counted = 0
        self.parked = self.refused = self.retrieved = self.abandoned = self.expired = 0
        self.occupied_slot_s = 0.0
        self.changed_at_s = 0.0

    def note_occupancy(self) -> None:
        """Add the slots occupied since the last change to the integral."""
        now_s = self.env.now
        self.occupied_slot_s += (park1.SLOTS - len(self.free_slots)) * (now_s - self.changed_at_s)
        self.changed_at_s = now_s

    def forget(self) -> Generator[simpy.Event, None, None]:
        """Begin to count when the warm-up is over."""
        yield self.env.timeout(WARM_UP_S)
        self.note_occupancy()
        self.occupied_slot_s = 0.0

    def arrivals(self, until_s: float) -> Generator[simpy.Event, None, None]:
        """Offer calls, numbered by whether they count."""
        while True:
            yield self.env.timeout(self.random.expovariate(park1.ARRIVALS_PER_S))
            if self.env.now >= until_s:
                self.note_occupancy()
                return
            counts = self.env.now >= WARM_UP_S
            self.offered += 1
            self.counted += counts
            self.env.process(self.call(counts))

    def call(self, counts: bool) -> Generator[simpy.Event, Any, None]:
        """Live the life of one call."""
        env, draw = self.env, self.random
        priority, parks = NEW, 0
        while True:
            with self.attendants.request(priority=priority) as attendant:
                yield attendant
                yield env.timeout(draw.expovariate(1 / park1.HANDLING_S))
                wants_park = parks < park1.MAX_PARKS and draw.random() < park1.PARK_PROBABILITY
                if not wants_park or not self.free_slots:
                    self.refused += wants_park and counts
                    yield env.timeout(draw.expovariate(1 / park1.TALK_S))
                    return
                self.note_occupancy()
                slot = heapq.heappop(self.free_slots) if self.store is None else (yield self.store.get())
            parks += 1
            self.parked += counts
            gives_up = env.timeout(draw.expovariate(1 / park1.PATIENCE_S))
            fetched = env.timeout(draw.lognormvariate(park1.RETRIEVAL_MU, park1.RETRIEVAL_SIGMA))
            time_up = env.timeout(park1.MAX_IN_PARKING_S)
            ended_by = yield gives_up | fetched | time_up
            self.note_occupancy()
            if self.store is None:
                heapq.heappush(self.free_slots, slot)
            else:
                yield self.store.put(slot)
            if gives_up in ended_by:
                self.abandoned += counts
                return
            if fetched in ended_by:
                self.retrieved += counts
                yield env.timeout(draw.expovariate(1 / park1.STAFF_TALK_S))
                return
            self.expired += counts
            priority = RETURNING


def simulate(seed: int, calls: int, *, slots_in_store: bool = True) -> tuple[int, Figures]:
    """Run park-1 for about ``calls`` calls after the warm-up; return how many it simulated in all, and the figures."""
    board = Switchboard(seed, slots_in_store)
    counted_s = calls / park1.ARRIVALS_PER_S
    board.env.process(board.forget())
    board.env.process(board.arrivals(WARM_UP_S + counted_s))
    board.env.run()
    counts = (board.parked, board.refused, board.retrieved, board.abandoned, board.expired)
    per_call = (count / board.counted for count in counts)
    return board.offered, Figures(*per_call, board.occupied_slot_s / counted_s)
