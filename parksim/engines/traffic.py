"""The simulated calls of a switchboard under command: numbered as they come, and without end if need be.

``Exchange`` reads columns by call. Where commands place calls between the simulated ones, and stretches of traffic
follow each other, a call's number is not its index; ``columns_by_call`` goes between.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final, NamedTuple

import numpy as np

from parksim.rules.codes import NEVER
from parksim.scenario.model import Scenario
from parksim.scenario.quantities import DAY_US, HOUR_US, HOURS
from parksim.scenario.sections import Hourly, Poisson, Recorded, busy_cv
from parksim.scenario.workload import Columns, Workload, columns, day_factors, draw, streams

CALLS_AT_ONCE: Final = 2_000
"""Calls of endless traffic that are drawn at once: some milliseconds, in which the loop does nothing else."""


class Bookmark(NamedTuple):
    """Where a stretch of traffic begins: its replication, its first instant, and how many days were begun before."""

    replication: int
    start_us: int
    days: int


class Batch(NamedTuple):
    """A stretch of traffic: the columns of its calls by index, what is added to their instants, and its place."""

    calls: Columns
    shift_us: int
    bookmark: Bookmark


def batch(workload: Workload, bookmark: Bookmark | None = None) -> Batch:
    """Return a workload as the stretch of traffic at a bookmark, by default the first one."""
    place = bookmark or Bookmark(0, 0, 0)
    return Batch(columns(workload), place.start_us, place)


class Traffic:
    """The simulated calls to come: one workload, or one after the other without end.

    ``index`` is the first call of the first stretch that comes.
    """

    def __init__(self, batches: Iterable[Batch], index: int = 0) -> None:
        self._batches = iter(batches)
        self._batch: Batch | None = next(self._batches, None)
        self._index = index

    def next_call(self) -> tuple[Columns, int, int] | None:
        """Return the columns, the index in them and the instant of the next call; None after the last."""
        while self._batch is not None:
            calls, shift_us, _ = self._batch
            if self._index < len(calls.arrival_us):
                index = self._index
                self._index += 1
                return calls, index, calls.arrival_us[index] + shift_us
            self._batch = next(self._batches, None)
            self._index = 0
        return None

    def place_of_last(self) -> tuple[Bookmark, int] | None:
        """Return where the call stands that came last: its stretch, and its index there; None when no more come."""
        return None if self._batch is None else (self._batch.bookmark, self._index - 1)

    def stop(self) -> None:
        """Let no further call come."""
        self._batch = None


Drawn = dict[int, tuple[Columns, int]]
"""Of each simulated call that is not over: the columns in which it stands, and its index there."""


@dataclass(frozen=True, slots=True)
class _ByCall:
    """A column by call instead of by index: one with a number a call, or its row after some parks.

    A call that commands have parked oftener than the scenario ever does needs rows that were not drawn: nobody is on
    the way to it then, and for the rest the last row counts again.
    """

    drawn: Drawn
    name: str
    set_us: Mapping[int, int]  # what commands have set instead
    parks: int = 0

    def __getitem__(self, call: int) -> int:
        if call in self.set_us:
            return self.set_us[call]
        found, index = self.drawn[call]
        column: memoryview | list[memoryview] = getattr(found, self.name)
        if isinstance(column, memoryview):
            return column[index]
        if self.parks < len(column):
            return column[self.parks][index]
        return NEVER if self.name in _NOBODY_COMES else column[-1][index]


class _Rows(_ByCall):
    """The rows of a column by parks made so far."""

    def __getitem__(self, parks: int) -> _ByCall:  # type: ignore[override]  # a row, not a number
        return _ByCall(self.drawn, self.name, self.set_us, parks)


_NOBODY_COMES: Final = frozenset({"patience_us", "retrieval_us"})


def columns_by_call(drawn: Drawn, limits_us: Mapping[int, int]) -> Columns:
    """Return columns that ``Exchange`` reads like a workload's, for calls numbered as they come."""
    found = []
    for name, empty in columns(no_calls())._asdict().items():
        read = _ByCall if isinstance(empty, memoryview) else _Rows
        found.append(read(drawn, name, limits_us if name == "max_in_parking_us" else {}))
    return Columns(*found)  # type: ignore[arg-type]  # they read like the columns


def no_calls() -> Workload:
    """Return a workload without calls."""
    flat = {"arrival_us", "queue_patience_us", "lot"}
    return Workload(*(np.zeros(0 if name in flat else (1, 0), np.int64) for name in Workload._fields))  # type: ignore[arg-type]  # empty, so of any type


def one_batch(scenario: Scenario, seed: int, replication: int, bookmark: Bookmark | None = None) -> Iterator[Batch]:
    """Yield the traffic of one replication, whose only bookmark is its beginning."""
    yield batch(draw(scenario, seed, replication), bookmark)


def endless_batches(
    scenario: Scenario, seed: int, replication: int, bookmark: Bookmark | None = None
) -> Iterator[Batch]:
    """Yield stretch after stretch of traffic, each with the streams of the next replication; from a bookmark on.

    How busy a day is, is drawn once, however many stretches it has.
    """
    days = day_factors(scenario.arrivals, streams(seed, replication))
    replication, start_us, day = bookmark or Bookmark(replication, 0, 0)
    busy = next(islice(days, day, None))
    while True:
        stretch, end_us = _stretch(scenario, start_us, busy)
        drawn = draw(stretch, seed, replication)
        if isinstance(scenario.arrivals, Recorded) and not len(drawn.arrival_us):
            return  # the horizon lies before the first recorded call: no stretch has one
        yield batch(drawn, Bookmark(replication, start_us, day))
        replication += 1
        if end_us // DAY_US > start_us // DAY_US:  # where days differ, the next; else all are alike
            busy, day = next(days), day + 1
        start_us = end_us


def _stretch(scenario: Scenario, start_us: int, busy: float) -> tuple[Scenario, int]:
    """Return a scenario whose traffic is that of ``scenario`` from ``start_us`` on for a while, and its end.

    A Poisson process may be cut anywhere. Where days differ, a stretch does not cross midnight, and has the rate of its
    day, ``busy`` times the mean. Where something changes by the hour, a stretch is whole days where these are quiet,
    else it does not cross the hour and has what is that hour's. A recording is repeated as a whole, with its own clock.
    """
    source, parking, retrieval = scenario.arrivals, scenario.parking, scenario.retrieval
    if isinstance(source, Recorded):
        return scenario, start_us + scenario.horizon_us + scenario.cool_down_us
    most_us = DAY_US - start_us % DAY_US if busy_cv(source) else 10_000 * DAY_US
    if isinstance(source, Poisson):
        source = source.model_copy(update={"rate": source.rate * busy, "busy_days": None})
        hours: tuple[float, ...] = (source.rate * 3600,) * HOURS
    else:
        hours = tuple(busy * one for one in source.calls_per_hour)
        source = source.model_copy(update={"calls_per_hour": hours, "busy_days": None})
    if isinstance(source, Poisson) and not isinstance(parking.probability, tuple) and retrieval.delay_factor is None:
        length_us = _length_us(hours[0], most_us)
    elif start_us % DAY_US == 0 and sum(hours) <= CALLS_AT_ONCE:
        length_us = _length_us(sum(hours) / HOURS, most_us) // DAY_US * DAY_US
    else:
        hour = start_us // HOUR_US % HOURS
        length_us = _length_us(hours[hour], HOUR_US - start_us % HOUR_US)
        if isinstance(source, Hourly):
            source = source.model_copy(update={"calls_per_hour": (hours[hour],) * HOURS})
        parking = parking.model_copy(update={"probability": parking.shares[hour]})
        factors = None if retrieval.delay_factor is None else (retrieval.delay_factor[hour],) * HOURS
        retrieval = retrieval.model_copy(update={"delay_factor": factors})
    run = scenario.run.model_copy(update={"horizon": length_us / 1e6, "warm_up": 0.0, "cool_down": 0.0})
    its = {"arrivals": source, "parking": parking, "retrieval": retrieval, "run": run}
    return scenario.model_copy(update=its), start_us + length_us


def _length_us(calls_per_hour: float, most_us: int) -> int:
    """Return in what time the calls come that are drawn at once."""
    if calls_per_hour <= CALLS_AT_ONCE / most_us * HOUR_US:
        return most_us
    return max(1, int(CALLS_AT_ONCE / calls_per_hour * HOUR_US))
