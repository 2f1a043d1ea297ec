"""The hospital's switchboard (``scenarios/hospital.toml``) as a good user of SimPy writes it.

One process a call, the attendants in a ``FilterStore`` that serves claims by priority (a return waits for the one who
has parked it, anything else for anybody), the staff a ``Resource``, ``yield a | b | c`` for each race, hourly arrivals
by thinning, scalars drawn where they are needed from ``random.Random``. It counts and integrates, and keeps no
journal. It shares nothing with parksim: the numbers of the scenario stand here again, and a test reads them from both.
"""

import math
import random
from collections.abc import Callable, Generator
from typing import Any, Final, NamedTuple

import simpy
from simpy.core import BoundClass
from simpy.resources.resource import SortedQueue
from simpy.resources.store import FilterStoreGet

NIGHT: Final = (14, 10, 8, 8, 8, 10, 18)
DAY: Final = (32, 77, 88, 100, 90, 75, 84, 93, 92, 94, 69, 64, 54, 47, 50, 42, 32)
CALLS_PER_HOUR: Final = NIGHT + DAY
BUSIEST: Final = max(CALLS_PER_HOUR)
WARM_UP_S: Final = 1800.0
DAY_S: Final = 86_400.0
QUEUE_LIMIT: Final = 50
ATTENDANTS: Final = 3
HANDLING: Final = (math.log(37.0), 0.6)
TALK_S: Final = 45.0
PARK_PROBABILITY: Final = 0.6
MAX_PARKS: Final = 3
ANNOUNCEMENT_S: Final = 4.0
SLOTS: Final = 4
MAX_IN_PARKING_S: Final = 180.0
RETRIEVAL: Final = (math.log(60.0), 0.9)
NEVER_RETRIEVED: Final = 0.2
STAFF: Final = 40
STAFF_TALK_S: Final = 180.0
RING_S: Final = 30.0
ANSWER_S: Final = (3.0, 12.0)
NEVER_ANSWERED: Final = 0.15
PATIENCE_S: Final = 449.0
OWN_RETURN, GROUP_RETURN, NEW = 0, 1, 2  # priorities of claims

Steps = Generator[simpy.Event, Any, Any]


class Figures(NamedTuple):
    """What a day gives: shares of park requests and of parks, of the calls that count, and the mean occupied slots."""

    refused_share: float
    expired_share: float
    occupancy_mean: float


class Claim(FilterStoreGet):
    """A wait for an attendant: the lowest priority first, then the earliest."""

    def __init__(
        self, attendants: "Attendants", priority: int, fits: Callable[[int], bool] = lambda _one: True
    ) -> None:
        self.key = priority
        super().__init__(attendants, fits)


class Attendants(simpy.FilterStore):
    """The attendants who are free, the one that has been idle longest first."""

    GetQueue = SortedQueue
    get = BoundClass(Claim)


class Switchboard:
    """The attendants, the lot, the staff and the counts of one day."""

    def __init__(self, seed: int) -> None:
        self.env = simpy.Environment()
        self.random = random.Random(seed)
        self.attendants = Attendants(self.env)
        self.attendants.items.extend(range(ATTENDANTS))
        self.staff = simpy.Resource(self.env, STAFF)
        self.waiting = 0  # new calls
        self.requested = self.refused = self.parked = self.expired = 0
        self.occupied = 0
        self.occupied_slot_s = 0.0
        self.changed_at_s = 0.0

    def occupy(self, more: int) -> None:
        """Take a slot (1) or free one (-1), and add to the integral over the window what was occupied until now."""
        now_s = min(self.env.now, DAY_S)
        self.occupied_slot_s += self.occupied * (now_s - max(self.changed_at_s, WARM_UP_S)) * (now_s > WARM_UP_S)
        self.changed_at_s = now_s
        self.occupied += more

    def arrivals(self) -> Steps:
        """Offer the calls of the day."""
        draw, time_s = self.random, 0.0
        while True:
            time_s += draw.expovariate(BUSIEST / 3600)
            if time_s >= DAY_S:
                return
            if draw.random() * BUSIEST < CALLS_PER_HOUR[int(time_s // 3600)]:
                yield self.env.timeout(time_s - self.env.now)
                self.env.process(self.call(time_s >= WARM_UP_S))

    def hangs_up(self) -> simpy.Event:
        """Return when the caller's patience ends, from now."""
        return self.env.timeout(self.random.expovariate(1 / PATIENCE_S))

    def served(self, claim: Claim, hangs_up: simpy.Event) -> Steps:
        """Wait for an attendant; None when the caller hangs up before."""
        if not claim.triggered:
            yield claim | hangs_up
            if not claim.triggered:
                claim.cancel()
                return None
        return claim.value

    def call(self, counts: bool) -> Steps:
        """Live the life of one call."""
        env, draw = self.env, self.random
        if self.waiting >= QUEUE_LIMIT:
            return
        self.waiting += 1
        claim = self.attendants.get(NEW)
        attendant = claim.value if claim.triggered else (yield from self.served(claim, self.hangs_up()))
        self.waiting -= 1
        parks = 0
        while attendant is not None:
            yield env.timeout(draw.lognormvariate(*HANDLING))
            wants_park = parks < MAX_PARKS and draw.random() < PARK_PROBABILITY
            self.requested += wants_park and counts
            if not wants_park or self.occupied == SLOTS:
                self.refused += wants_park and counts
                yield env.timeout(draw.expovariate(1 / TALK_S))
                self.attendants.put(attendant)
                return
            parks += 1
            self.parked += counts
            env.process(self.announce(attendant))
            self.occupy(1)
            if not (yield from self.stay()):
                return
            self.expired += counts
            attendant = yield from self.come_back(attendant)

    def announce(self, attendant: int) -> Steps:
        """Page the ward, and be free for the next call."""
        yield self.env.timeout(ANNOUNCEMENT_S)
        self.attendants.put(attendant)

    def stay(self) -> Steps:
        """Stay in the slot; tell whether the time was up."""
        env, draw = self.env, self.random
        hangs_up, time_up = self.hangs_up(), env.timeout(MAX_IN_PARKING_S)
        first = hangs_up | time_up
        if draw.random() >= NEVER_RETRIEVED:
            first |= env.timeout(draw.lognormvariate(*RETRIEVAL))
        ended_by = yield first
        if hangs_up not in ended_by and time_up not in ended_by:  # somebody dials the slot
            with self.staff.request() as member:
                if not member.triggered:
                    ended_by = yield member | hangs_up | time_up
                if member.triggered:
                    self.occupy(-1)
                    yield env.timeout(draw.expovariate(1 / STAFF_TALK_S))
                    return False
        self.occupy(-1)
        return time_up in ended_by

    def come_back(self, parker: int) -> Steps:
        """Return to the parker, then to anybody; the attendant who answers, or None when the caller hangs up."""
        env, draw = self.env, self.random
        hangs_up = self.hangs_up()
        own = self.attendants.get(OWN_RETURN, lambda one: one == parker)
        if (yield from self.served(own, hangs_up)) is None:
            return None
        answers = draw.random() >= NEVER_ANSWERED
        rung = env.timeout(draw.uniform(*ANSWER_S) if answers else RING_S)
        ended_by = yield rung | hangs_up
        if answers and rung in ended_by:
            return parker
        self.attendants.put(parker)
        if rung not in ended_by:
            return None
        return (yield from self.served(self.attendants.get(GROUP_RETURN), hangs_up))


def simulate(seed: int) -> Figures:
    """Run one day, each call to its end, and return its figures."""
    board = Switchboard(seed)
    board.env.process(board.arrivals())
    board.env.run()
    board.occupy(0)
    window_s = DAY_S - WARM_UP_S
    refused, expired = board.refused / board.requested, board.expired / board.parked
    return Figures(refused, expired, board.occupied_slot_s / window_s)
