"""What the board tells of a day: counts since midnight, the last two hours, the last refusals and returns.

Midnight is that of the board's clock. Everything here follows from the facts alone, in integers, so that a replayed
session has it again; ``state`` and ``become`` keep it without one.
"""

from collections import Counter, deque
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from parksim.rules import codes as c
from parksim.rules.lot import Fact
from parksim.scenario.quantities import DAY_US
from parksim.server.trend import REFUSED, RETURNED, Trend

LISTED: Final = 12
"""Refusals and returns that are kept with their callers."""


def first_instant(epoch: datetime, time_of_day_us: int) -> int:
    """Return the first simulated instant, in microseconds, at which the board's clock shows a time of day.

    >>> first_instant(datetime.fromisoformat("2026-01-05T08:00:00+00:00"), 10 * 3_600_000_000) // 3_600_000_000
    2
    """
    return (time_of_day_us - clock_us(epoch)) % DAY_US


def clock_us(epoch: datetime) -> int:
    """Return the time of day that the board's clock shows at instant 0, in microseconds after midnight."""
    return ((epoch.hour * 60 + epoch.minute) * 60 + epoch.second) * 1_000_000 + epoch.microsecond


class Counts:
    """What is counted since midnight.

    Attributes:
        facts: how many there were of each kind and reason.
        simulated: calls offered that no client placed; the others need no attendant.
        answered: how many of those were answered.
        in_time: and how many of these within the target.
        waits_us: the waits of those answered, together.
    """

    def __init__(self) -> None:
        self.facts: Counter[tuple[int, int]] = Counter()
        self.simulated = self.answered = self.in_time = self.waits_us = 0

    def of(self, kind: int, *reasons: int) -> int:
        """Return how many facts there were of a kind, and of these reasons where any are named."""
        return sum(n for (known, why), n in self.facts.items() if known == kind and (not reasons or why in reasons))


class Day:
    """What happened since midnight, and in the last two hours.

    Args:
        lots: how many lots there are.
        epoch: the date of instant 0.
        target_us: the wait within which an answer counts as in time.
    """

    def __init__(self, lots: int, epoch: datetime, target_us: int) -> None:
        self._clock_us = clock_us(epoch)
        self._target_us = target_us
        self._day = 0
        self._counts = Counts()
        self._waiting: dict[int, int] = {}  # since when, by call, in the order in which they came
        self.trend = Trend(lots)
        self.refusals: deque[dict[str, Any]] = deque(maxlen=LISTED)
        """The last parks that were refused, the newest first."""
        self.returns: deque[dict[str, Any]] = deque(maxlen=LISTED)
        """The last calls whose time was up, the newest first."""

    def observe(self, fact: Fact, *, placed: bool, name: Callable[[Fact], dict[str, Any]]) -> None:
        """Count the next fact in.

        Args:
            fact: what happened.
            placed: whether a client placed the call.
            name: says who the caller and the parker of a refusal or a return are.
        """
        if self._number(fact.time_us) != self._day:
            self._day, self._counts = self._number(fact.time_us), Counts()
        self._counts.facts[fact.kind, fact.reason] += 1
        self.trend.let_pass(fact.time_us)
        if fact.kind == c.OFFERED and not placed:
            self._counts.simulated += 1
            self._waiting[fact.call] = fact.time_us
        elif fact.call in self._waiting:
            self._leave_queue(fact)
        self.trend.levels[0] = len(self._waiting)
        if fact.kind == c.PARKED:
            self.trend.levels[1 + fact.lot] += 1
        elif _leaves_a_slot(fact):
            self.trend.levels[1 + fact.lot] -= 1
        if fact.kind == c.REFUSED:
            self.trend.count(REFUSED)
            self.refusals.appendleft({"at_us": fact.time_us, **name(fact)})
        elif fact.kind == c.EXPIRED:
            self.trend.count(RETURNED)
            self.returns.appendleft({"at_us": fact.time_us, **name(fact)})

    def _leave_queue(self, fact: Fact) -> None:
        wait_us = fact.time_us - self._waiting.pop(fact.call)
        if fact.kind == c.ANSWERED:
            self._counts.answered += 1
            self._counts.waits_us += wait_us
            self._counts.in_time += wait_us <= self._target_us

    def _number(self, time_us: int) -> int:
        return (time_us + self._clock_us) // DAY_US

    def counts(self, now_us: int) -> Counts:
        """Return what is counted since the midnight before an instant."""
        return self._counts if self._number(now_us) <= self._day else Counts()

    def undecided(self, now_us: int) -> int:
        """Return how many callers wait who may still be answered in time."""
        waiting = 0
        for since_us in reversed(self._waiting.values()):
            if now_us - since_us > self._target_us:
                break
            waiting += 1
        return waiting

    def state(self) -> dict[str, Any]:
        """Return all of it, ready for JSON."""
        counts = self._counts
        return {
            "day": self._day,
            "facts": [[*what, n] for what, n in counts.facts.items()],
            "counts": [counts.simulated, counts.answered, counts.in_time, counts.waits_us],
            "waiting": [[*one] for one in self._waiting.items()],
            "trend": self.trend.state(),
            "refusals": [*self.refusals],
            "returns": [*self.returns],
        }

    def become(self, state: dict[str, Any]) -> None:
        """Go back to a state."""
        self._day, self._counts = state["day"], Counts()
        counts = self._counts
        counts.facts.update({(kind, reason): n for kind, reason, n in state["facts"]})
        counts.simulated, counts.answered, counts.in_time, counts.waits_us = state["counts"]
        self._waiting = dict(state["waiting"])
        self.trend.become(state["trend"])
        self.refusals = deque(state["refusals"], maxlen=LISTED)
        self.returns = deque(state["returns"], maxlen=LISTED)


def _leaves_a_slot(fact: Fact) -> bool:
    """Tell whether a call leaves its slot by a fact; one that is fetched while it rings left it before."""
    return (
        fact.kind == c.EXPIRED
        or (fact.kind == c.RETRIEVED and fact.reason != c.RINGING)
        or (fact.kind == c.ABANDONED and fact.reason == c.IN_LOT)
    )
