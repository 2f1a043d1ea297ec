"""The keys that a planner can change, and the values somebody would configure, from the present one outwards."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from parksim.scenario.laws import Constant
from parksim.scenario.lots import UAPI_LIMITS_S, LotSection
from parksim.scenario.model import Scenario
from parksim.scenario.quantities import HOURS
from parksim.studies.study import Study

FIRST_KEY: Final = {
    "refused_share": "lot.slots",
    "time_full_share": "lot.slots",
    "expired_share": "lot.max_in_parking",
    "answered_within_share": "attendants.count",
    "queue_abandoned_share": "attendants.count",
    "queue_full_share": "attendants.count",
    "answer_wait_s_mean": "attendants.count",
    "answer_wait_s_p95": "attendants.count",
    "attendant_utilisation": "attendants.count",
    "lost_share": "attendants.count",
}
"""measure -> the key that a planner changes first to move it."""
MOST_OF_A_KEY: Final = (4, 8)
"""Up to 4 times the present number, and 8, are tried."""
SHORT_STEP_S: Final = 10
"""Step of a time-out up to 10 minutes; then it is a minute."""
_SHORT_S: Final = 600
TIME_STEPS_S: Final = (10, 20, 30, 40, 50, 60, 90, 120, 150, 180, 240, 300, 600, 900, 1800)
"""Steps of a time-out that somebody would configure, the finest first; values are multiples."""
ROSTER_STEPS: Final = (1, 2, 3, 4, 6, 8, 12, 24)
"""Steps of a roster, in attendant-hours a day."""
_MOST: Final = 10_000
"""Slots, attendants or staff that a scenario may have."""


@dataclass(frozen=True)
class Lever:
    """A key and the values that it could take, from the present one outwards.

    Attributes:
        key: Of the scenario.
        now: Its present value.
        values: From the nearest to the furthest; rosters are 24 numbers.
    """

    key: str
    now: Any
    values: tuple[Any, ...]

    @property
    def what(self) -> str:
        """The last word of the key: slots, count, staff, max_in_parking."""
        return self.key.rpartition(".")[2]

    @property
    def is_less(self) -> bool:
        """Whether its values are below the present one."""
        return amount(self.values[0]) < amount(self.now)

    @property
    def steps(self) -> tuple[int, ...]:
        """The steps in which its values may be looked at, the finest first; what is counted goes by one."""
        return TIME_STEPS_S if self.what == "max_in_parking" else ROSTER_STEPS if isinstance(self.now, tuple) else (1,)

    def grid(self, step: int) -> tuple[Any, ...]:
        """Return its values in steps: every ``step`` hours of a roster, the multiples of a time."""
        if self.what != "max_in_parking":
            return self.values[step - 1 :: step]
        least, most = UAPI_LIMITS_S
        times = range(step, most + 1, step)
        now = math.inf if self.now is None else self.now
        below = self.is_less or self.now is None
        return tuple(s for s in (reversed(times) if below else times) if least <= s and (s < now if below else s > now))

    def distance(self, value: Any) -> float:
        """Return how far a value is from the present one."""
        return abs(amount(value) - amount(self.now))

    def at(self, place: int) -> dict[str, Any]:
        """Return what is changed at a place: nothing at -1."""
        return {} if place < 0 else {self.key: self.values[place]}


def amount(value: Any) -> float:
    """Return a value as a number that adds up: attendants as hours of a day, of a time-out without end an hour."""
    return float(sum(value)) if isinstance(value, tuple | list) else float(UAPI_LIMITS_S[1] if value is None else value)


def levers_of(scenario: Scenario, ranked: Callable[[], Study]) -> Iterator[Lever]:
    """Yield each key a planner can change, twice: up and down.

    Args:
        scenario: what may be changed.
        ranked: returns some replications of it, by which the hours of a roster are ranked.
    """
    for lot, name in zip(scenario.lots, scenario.lot_names, strict=True):
        table = "lot" if isinstance(lot, LotSection) else f"lot.{name}"
        yield from _counted(f"{table}.slots", lot.slots)
        if lot.max_in_parking is None or isinstance(lot.max_in_parking, Constant):
            yield from _timed(f"{table}.max_in_parking", lot.max_in_parking)
    if isinstance(scenario.attendants.count, tuple):
        yield from _rostered(scenario.attendants.count, ranked())
    elif isinstance(scenario.attendants.count, int):
        yield from _counted("attendants.count", scenario.attendants.count)
    if isinstance(scenario.retrieval.staff, int):
        yield from _counted("retrieval.staff", scenario.retrieval.staff)


def _counted(key: str, now: int) -> Iterator[Lever]:
    times, more = MOST_OF_A_KEY
    yield Lever(key, now, tuple(range(now + 1, min(times * now + more, _MOST) + 1)))
    yield Lever(key, now, tuple(range(now - 1, 0, -1)))


def _timed(key: str, now: Constant | None) -> Iterator[Lever]:
    """Yield the time-outs above and below the present one, of those that somebody would configure."""
    least, most = UAPI_LIMITS_S
    values = [*range(least, _SHORT_S, SHORT_STEP_S), *range(_SHORT_S, most + 1, 60)]
    now_s = math.inf if now is None else now.value
    value = None if now is None else int(now_s) if now_s == int(now_s) else now_s
    yield Lever(key, value, tuple(one for one in values if one > now_s))
    yield Lever(key, value, tuple(one for one in reversed(values) if one < now_s))


def _rostered(now: tuple[int, ...], base: Study) -> Iterator[Lever]:
    """Yield rosters with one attendant more, or less, in the hours in which most, or fewest, callers wait too long."""
    late = [0.0] * HOURS
    for hour in range(HOURS):
        calls = base.estimate("calls_offered_by_hour", hour).mean or 0.0
        late[hour] = calls * (1.0 - (base.estimate("answered_within_share_by_hour", hour).mean or 0.0))
    worst = sorted((hour for hour in range(HOURS) if late[hour] > 0), key=lambda hour: (-late[hour], hour))
    more = _stepwise(now, worst * 3, 1)
    yield Lever("attendants.count", now, more)
    best = sorted((hour for hour in range(HOURS) if now[hour] > 1), key=lambda hour: (late[hour], hour))
    yield Lever("attendants.count", now, _stepwise(now, best, -1))


def _stepwise(now: tuple[int, ...], hours: list[int], by: int) -> tuple[tuple[int, ...], ...]:
    rosters, roster = [], list(now)
    for hour in hours:
        roster[hour] += by
        rosters.append(tuple(roster))
    return tuple(rosters)
