"""The calls of a log, offered again: a workload made from the log, for any engine and any lot.

``reoffer`` turns a log into the columns of a ``Workload``. What the log shows is taken as it was: arrivals, handling,
the stay's winner (hang-up, retrieval or time-out), answers of returns, talks. A clock that lost a race was not seen and
is "never" (-1): with the log's own lot the same facts come out, in the same slots. For other lots ("what if there were
eight slots?") that would be wrong: a refused call would have no clocks, and a call that timed out would never be
fetched. So with a scenario (usually the calibrated one) each unseen duration is drawn from its law, given that it is
longer than the time that passed without it; this changes nothing with the log's own lot.

Left out are the slot that a park requested, refused requests before the granted one (a PBX does not report the
interval), and calls parked before the log begins. A call still parked at the end of the log hangs up there.
"""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from parksim.engines import processes
from parksim.journal.journal import Journal
from parksim.pbx.calls import is_parking
from parksim.pbx.conformance import Agreement
from parksim.pbx.log import FieldLog
from parksim.pbx.log_measures import measured_in
from parksim.rules import codes as c
from parksim.rules.lot import Fact
from parksim.scenario import workload as workloads
from parksim.scenario.model import Scenario, Settings
from parksim.scenario.workload import Workload

Column = NDArray[np.int64]
CLOCKS: Final = ("queue_patience_us", "patience_us", "retrieval_us", "recall_patience_us")
"""Clocks that are "never" if not seen; other unseen durations are 0."""
OF_THE_LOT: Final = frozenset(
    {
        *("parks_requested", "parks_made", "offered_erlang", "refused_share", "time_full_share", "retrieved_share"),
        *("expired_share", "abandoned_share", "recalls_per_hour", "occupancy_mean", "occupancy_p95", "occupancy_max"),
        *("parked_s_mean", "parked_s_p50", "parked_s_p95"),
    }
)
"""The measures of calls if the log has no attendants."""
DRAWS: Final = 30
"""How often the unseen values are drawn for one question; the result shows how much that moves a measure."""
MOST_DRAWS: Final = 200
"""How often a long enough duration is drawn; if none of these is, it is "never"."""


class Change(NamedTuple):
    """What is to change; None leaves it as it was.

    ``slots``: of each lot. ``limit_us``: longest stay of all parks, NEVER for none. ``choice``: ``codes.CHOOSE_*``.
    """

    slots: int | None = None
    limit_us: int | None = None
    choice: int | None = None


@dataclass(frozen=True)
class Reoffered:
    """Calls of a log as a workload.

    ``calls[i]`` is the log's name of call i. ``unseen`` counts, by column, the values that are not in the log.
    """

    workload: Workload
    settings: Settings
    calls: list[str]
    unseen: Mapping[str, int] = field(repr=False)

    def changed(self, change: Change) -> "Reoffered":
        """Return the same calls with another lot."""
        slots, limit_us, choice = change
        lots = len(self.settings.slots)
        settings = self.settings._replace(
            slots=self.settings.slots if slots is None else (slots,) * lots,
            choices=self.settings.choices if choice is None else (choice,) * lots,
        )
        offered = self.workload
        if limit_us is not None:
            offered = offered._replace(max_in_parking_us=np.full_like(offered.max_in_parking_us, limit_us))
        return replace(self, workload=offered, settings=settings)

    def simulate(self) -> Journal:
        """Return what happens to these calls, by the SimPy engine (the kernel takes the same two arguments)."""
        return processes.simulate(self.settings, self.workload)


class WhatIf(NamedTuple):
    """A measure of the same calls with another lot: over several draws of the unseen its mean, least and greatest."""

    mean: float
    least: float
    greatest: float


def what_if(log: FieldLog, agreement: Agreement, scenario: Scenario, change: Change) -> dict[str, WhatIf]:
    """Return the measures that the calls of a log would have had, over ``DRAWS`` draws of what it does not show.

    Calls that were still parked when the log ended are not measured, as in ``log_measures``.
    """
    values: dict[str, list[float]] = {}
    for seed in range(1, DRAWS + 1):
        calls = reoffer(log, agreement, scenario, seed).changed(change)
        measured = (number for number, name in enumerate(calls.calls) if name not in log.open_calls)
        numbers = {number: place for place, number in enumerate(measured)}  # measures count calls without gaps
        facts = calls.simulate().facts()
        whole = [fact._replace(call=numbers[fact.call]) for fact in facts if fact.call in numbers]
        for name, one in measured_in(log, Journal.of(whole, {}), calls.settings).items():
            if one.value is not None and (log.settings is not None or name in OF_THE_LOT):
                values.setdefault(name, []).append(one.value)
    return {name: WhatIf(fmean(some), min(some), max(some)) for name, some in values.items()}


class _Columns:
    """The columns while they are filled: values, which of them were seen, and lower bounds of the others."""

    def __init__(self, calls: int, max_parks: int) -> None:
        shapes = {"queue_patience_us": (1, calls), "handling_us": (max_parks + 1, calls)}
        shapes["talk_us"] = shapes["handling_us"]
        names = [name for name in Workload._fields if name not in ("arrival_us", "lot", "slot_u")]
        self.values = {
            name: np.full(shapes.get(name, (max_parks, calls)), c.NEVER if name in CLOCKS else 0, np.int64)
            for name in names
        }
        self.seen = {name: np.zeros(values.shape, np.bool_) for name, values in self.values.items()}
        self.beyond = {name: np.full(values.shape, -1, np.int64) for name, values in self.values.items()}
        self.arrival_us = np.zeros(calls, np.int64)
        self.lot = np.zeros(calls, np.int64)
        self.slot_u = np.zeros((max_parks, calls), np.int64)

    def see(self, name: str, park: int, call: int, value: int) -> None:
        """Set a value that the log shows."""
        if park < len(self.values[name]):
            self.values[name][park, call] = value
            self.seen[name][park, call] = True

    def outlast(self, name: str, park: int, call: int, duration_us: int) -> None:
        """Set how long something did not happen."""
        if park < len(self.values[name]) and not self.seen[name][park, call]:
            self.values[name][park, call] = c.NEVER
            self.beyond[name][park, call] = duration_us


@dataclass
class _Course:
    """Where a call is: parks made so far, and the instants that its next fact is measured from (NEVER: none)."""

    parks: int = 0
    handled_from_us: int = c.NEVER
    requests_us: tuple[int, ...] = ()
    parked_us: int = c.NEVER
    fetched_us: int = c.NEVER
    expired_us: int = c.NEVER
    rung_us: int = c.NEVER


def reoffer(log: FieldLog, agreement: Agreement, scenario: Scenario | None = None, seed: int = 1) -> Reoffered:
    """Return the calls of a log as a workload.

    Args:
        log: a PBX's log, or a journal of parksim.
        agreement: what ``conformance.compare`` found; it knows slots, choices and time-outs.
        scenario: its laws supply what the log does not show; without one that never happens, or takes no time.
        seed: of those draws.
    """
    plans = agreement.lots
    settings = log.effective_settings._replace(
        slots=tuple(plan.slots for plan in plans.values()),
        choices=tuple(c.CHOOSE_LOWEST if plan.choice is None else plan.choice for plan in plans.values()),
    )
    journal = log.journal
    facts = list(journal.facts())
    names = [row.call for row in log.rows if row.kind == c.OFFERED]
    columns = _Columns(len(names), settings.max_parks)
    limits_us = _limits_us(log, agreement, names)
    columns.values["max_in_parking_us"][:] = _most_usual(limits_us)
    walk = _Walk(columns, settings, limits_us, unlimited=log.settings is None)
    for fact in facts:
        walk.fact(fact)
    walk.close(log.last_us)
    unseen = {name: int((~seen).sum()) for name, seen in columns.seen.items()}
    if scenario is not None:
        columns.seen["wants_park"][1:] |= not log.calls_recorded  # a call that returns is only known if parked again
        _draw_unseen(columns, scenario, seed)
    values: dict[str, Any] = columns.values | {
        "arrival_us": columns.arrival_us,
        "lot": columns.lot,
        "slot_u": columns.slot_u,
        "queue_patience_us": columns.values["queue_patience_us"][0],
        "wants_park": columns.values["wants_park"].astype(np.int8),
        "max_in_parking_us": _at_least_one(columns.values["max_in_parking_us"]),
    }
    return Reoffered(Workload(**values), settings, names, unseen)


def _at_least_one(limits_us: Column) -> Column:
    return np.where(limits_us == c.NEVER, c.NEVER, np.maximum(limits_us, 1))


def _most_usual(limits_us: Mapping[int, list[int]]) -> int:
    """Return the time-out of parks that the log does not show: the most frequent one."""
    counts = Counter(one for some in limits_us.values() for one in some)
    return max(counts, key=lambda one: (counts[one], one), default=c.NEVER)


def _limits_us(log: FieldLog, agreement: Agreement, names: list[str]) -> dict[int, list[int]]:
    """Return the longest stay of each park of each call: its own, or the lot's."""
    numbers = {name: number for number, name in enumerate(names)}
    limits: dict[int, list[int]] = {}
    for row in log.rows:
        if row.kind == c.PARKED and row.lot in agreement.lots and row.call in numbers:
            limit_us = agreement.lots[row.lot].limit_us if row.limit_us is None else row.limit_us
            limits.setdefault(numbers[row.call], []).append(c.NEVER if limit_us is None else limit_us)
    return limits


class _Walk:
    """Goes through the facts of a log and fills the columns."""

    def __init__(
        self, columns: _Columns, settings: Settings, limits_us: Mapping[int, list[int]], *, unlimited: bool
    ) -> None:
        self.to = columns
        self._settings = settings
        self._unlimited = unlimited  # the log has no attendants: a call is answered, and rings, at once
        self._limits_us = limits_us
        self._at: dict[int, _Course] = {}
        self._inside: set[tuple[int, int]] = set()

    def fact(self, fact: Fact) -> None:
        """Fill in what a fact shows."""
        at = self._at.setdefault(fact.call, _Course())
        now_us, call = fact.time_us, fact.call
        if fact.kind == c.OFFERED:
            self.to.arrival_us[call] = at.handled_from_us = now_us
        elif fact.kind == c.ANSWERED:
            self.to.outlast("queue_patience_us", 0, call, now_us - int(self.to.arrival_us[call]))
            at.handled_from_us = at.handled_from_us if self._unlimited else now_us
        elif fact.kind in (c.PARKED, c.REFUSED):
            self._request(at, fact)
        elif is_parking(fact):
            self._stay(at, fact)
        elif fact.kind == c.RECALL_RINGING:
            at.rung_us = now_us if at.rung_us == c.NEVER else at.rung_us
        elif fact.kind == c.RECALL_UNANSWERED and fact.reason == c.LAST:
            self._unanswered(at, call, now_us)
        elif fact.kind == c.RECALL_ANSWERED:
            self._answered(at, call, now_us)
        elif fact.kind in (c.ENDED, c.LOST, c.ABANDONED):
            self._over(at, fact)

    def close(self, last_us: int) -> None:
        """Fill in what the end of the log shows of the calls still open."""
        for call, at in self._at.items():
            if at.parked_us != c.NEVER:
                self.to.see("patience_us", at.parks, call, max(last_us - at.parked_us, 0))
                self.to.outlast("retrieval_us", at.parks, call, last_us - at.parked_us)
            elif at.requests_us:
                self._handled(at, call, at.requests_us[0])
            elif at.expired_us != c.NEVER or at.handled_from_us != c.NEVER:
                self.to.see("wants_park", at.parks, call, 0)  # it was not parked again

    def _request(self, at: _Course, fact: Fact) -> None:
        if at.parks == 0 and not at.requests_us:
            self.to.lot[fact.call] = fact.lot
        at.requests_us = (*at.requests_us, fact.time_us)
        if fact.kind == c.REFUSED:
            return
        self._handled(at, fact.call, at.requests_us[0] if self._settings.retries else fact.time_us)
        limits_us = self._limits_us.get(fact.call, [])
        limit_us = limits_us[at.parks] if at.parks < len(limits_us) else c.NEVER
        self.to.see("max_in_parking_us", at.parks, fact.call, limit_us)
        if at.parks < len(self.to.slot_u):
            below = (fact.slot - sum((fact.lot, slot) in self._inside for slot in range(fact.slot))) % 2**62
            self.to.slot_u[at.parks, fact.call] = below
        self._inside.add((fact.lot, fact.slot))
        at.parked_us, at.requests_us = fact.time_us, ()

    def _handled(self, at: _Course, call: int, requested_us: int) -> None:
        """End a handling with a request."""
        if at.handled_from_us != c.NEVER:
            self.to.see("handling_us", at.parks, call, requested_us - at.handled_from_us)
            self.to.see("wants_park", at.parks, call, 1)
            at.handled_from_us = c.NEVER

    def _stay(self, at: _Course, fact: Fact) -> None:
        """End a stay: the winner of its race is seen, the others are outlasted."""
        if at.parked_us == c.NEVER:
            return
        self._inside.discard((fact.lot, fact.slot))
        stay_us, park, to = fact.time_us - at.parked_us, at.parks, self.to
        winner = {c.RETRIEVED: "retrieval_us", c.EXPIRED: "max_in_parking_us", c.ABANDONED: "patience_us"}[fact.kind]
        to.see(winner, park, fact.call, stay_us)
        for name in ("retrieval_us", "patience_us"):
            to.outlast(name, park, fact.call, stay_us)
        limit_us = int(to.values["max_in_parking_us"][park, fact.call])
        if limit_us != c.NEVER:  # fetched within the tolerance after the deadline: it was not over yet
            to.see("max_in_parking_us", park, fact.call, max(limit_us, stay_us))
        at.parks, at.parked_us = park + 1, c.NEVER
        at.fetched_us = fact.time_us if fact.kind == c.RETRIEVED else c.NEVER
        at.expired_us = fact.time_us if fact.kind == c.EXPIRED else c.NEVER
        at.rung_us = fact.time_us if self._unlimited and fact.kind == c.EXPIRED else c.NEVER

    def _unanswered(self, at: _Course, call: int, now_us: int) -> None:
        if at.rung_us != c.NEVER:
            self.to.outlast("answer_us", at.parks - 1, call, now_us - at.rung_us)
        at.rung_us = at.expired_us if self._unlimited else c.NEVER

    def _answered(self, at: _Course, call: int, now_us: int) -> None:
        if at.expired_us == c.NEVER:
            return
        if at.rung_us != c.NEVER:
            self.to.see("answer_us", at.parks - 1, call, now_us - at.rung_us)
        self.to.outlast("recall_patience_us", at.parks - 1, call, now_us - at.expired_us)
        at.handled_from_us, at.expired_us, at.rung_us = now_us, c.NEVER, c.NEVER

    def _over(self, at: _Course, fact: Fact) -> None:
        """End a call outside the lot."""
        now_us, call = fact.time_us, fact.call
        if at.expired_us != c.NEVER:
            back_us = now_us - at.expired_us
            if at.rung_us != c.NEVER:
                self.to.outlast("answer_us", at.parks - 1, call, now_us - at.rung_us)
            if fact.kind == c.ABANDONED or self._unlimited:  # if nobody rings, a lost call leaves by itself
                self.to.see("recall_patience_us", at.parks - 1, call, back_us)
            else:
                self.to.outlast("recall_patience_us", at.parks - 1, call, back_us)
        elif at.fetched_us != c.NEVER:
            self.to.see("staff_talk_us", at.parks - 1, call, now_us - at.fetched_us)
        elif (fact.kind, fact.reason) == (c.ABANDONED, c.WAITING) and not self._unlimited:
            self.to.see("queue_patience_us", 0, call, now_us - int(self.to.arrival_us[call]))
        elif at.requests_us and at.handled_from_us != c.NEVER:
            retried = self._settings.retries > 0
            self.to.see("talk_us", at.parks, call, now_us - at.requests_us[-1 if retried else 0])
            self._handled(at, call, at.requests_us[0])
        elif at.handled_from_us != c.NEVER and fact.reason != c.QUEUE_FULL:
            self.to.see("handling_us", at.parks, call, now_us - at.handled_from_us)
            self.to.see("wants_park", at.parks, call, 0)
            self.to.see("talk_us", at.parks, call, 0)


def _draw_unseen(columns: _Columns, scenario: Scenario, seed: int) -> None:
    """Draw what was not seen: for call i from its own place in the streams, the first draw that is long enough."""
    calls, max_parks = len(columns.arrival_us), len(columns.slot_u)
    most = calls + 6 * math.isqrt(calls) + 100
    enough = scenario.with_values(
        {
            "arrivals": {"kind": "poisson", "rate": f"{most}/h"},
            "run": {"horizon": "1h", "warm_up": 0, "cool_down": 0},
            "parking.max_parks": max_parks,
        }
    )
    open_ = {name: ~seen for name, seen in columns.seen.items()}
    for replication in range(MOST_DRAWS):
        drawn = workloads.draw(enough, seed, replication)
        if len(drawn.arrival_us) < calls:  # by less than six standard deviations in all but one of 10**9
            continue
        for name, places in open_.items():
            values = np.atleast_2d(getattr(drawn, name))[:, :calls]
            longer = places & ((values == c.NEVER) | (values > columns.beyond[name]))
            columns.values[name][longer] = values[longer]
            places[longer] = False
        if not any(places.any() for places in open_.values()):
            return
    for name, places in open_.items():
        columns.values[name][places] = c.NEVER
