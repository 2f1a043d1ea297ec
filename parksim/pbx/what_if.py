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
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import Any, Final, NamedTuple

import numpy as np

from parksim.engines import processes
from parksim.journal.journal import Journal, is_parking
from parksim.pbx.agreement import Agreement
from parksim.pbx.durations import ANSWERED, REQUESTED, Observed, calls_of
from parksim.pbx.log import FieldLog, untangled
from parksim.pbx.log_measures import measured_in
from parksim.rules import codes as c
from parksim.rules.lot import Fact
from parksim.scenario import workload as workloads
from parksim.scenario.model import Scenario, Settings
from parksim.scenario.workload import Workload

ONE_A_CALL: Final = ("arrival_us", "lot", "queue_patience_us")
"""Columns with one value for each call; the others have one for each park as well."""
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
        measured = (number for number, name in enumerate(calls.calls) if name not in log.open_calls | log.cut_off)
        numbers = {number: place for place, number in enumerate(measured)}  # measures count calls without gaps
        facts = calls.simulate().facts()
        whole = [fact._replace(call=numbers[fact.call]) for fact in facts if fact.call in numbers]
        for name, one in measured_in(log, Journal.of(whole, {}), calls.settings, log.last_us).items():
            if one.value is not None and (log.settings is not None or name in OF_THE_LOT):
                values.setdefault(name, []).append(one.value)
    return {name: WhatIf(fmean(some), min(some), max(some)) for name, some in values.items()}


class _Columns:
    """The columns while they are filled: values, which of them were seen, and lower bounds of the others."""

    def __init__(self, calls: int, max_parks: int) -> None:
        rows = dict.fromkeys(ONE_A_CALL, 1)
        rows |= dict.fromkeys(("handling_us", "talk_us"), max_parks + 1)
        self.values = {
            name: np.full((rows.get(name, max_parks), calls), c.NEVER if name in CLOCKS else 0, np.int64)
            for name in Workload._fields
        }
        drawn = {name: one.shape for name, one in self.values.items() if name not in ("arrival_us", "lot", "slot_u")}
        self.seen = {name: np.zeros(shape, np.bool_) for name, shape in drawn.items()}
        self.beyond = {name: np.full(shape, -1, np.int64) for name, shape in drawn.items()}

    def see(self, name: str, park: int, call: int, value: int) -> None:
        """Set a value that the log shows."""
        if park < len(self.values[name]):
            self.values[name][park, call] = value
            self.seen[name][park, call] = True

    def tell(self, name: str, park: int, call: int, duration_us: int, *, seen: bool) -> None:
        """Set when something happened, or how long it did not."""
        if seen:
            self.see(name, park, call, duration_us)
        elif park < len(self.values[name]) and not self.seen[name][park, call]:
            self.values[name][park, call] = c.NEVER
            self.beyond[name][park, call] = duration_us


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
    names = [row.call for row in log.rows if row.kind == c.OFFERED]
    columns = _Columns(len(names), settings.max_parks)
    _take_slots(columns, log.journal.facts())
    numbers = {name: number for number, name in enumerate(names)}
    limits: Counter[int] = Counter()
    for name, rows in calls_of(untangled(log.rows)).items():
        if name in numbers:
            parks = [row for row in rows if row.kind == c.PARKED and row.lot in plans]
            of_lots = [plans[row.lot].limit_us if row.limit_us is None else row.limit_us for row in parks]
            limits_us = [c.NEVER if limit_us is None else limit_us for limit_us in of_lots]
            limits.update(limits_us)
            seen = Observed()
            seen.add(rows, log.known_until_us.get(name, log.last_us))
            _take_clocks(columns, numbers[name], seen, limits_us, log.settings)
    most_usual = max(limits, key=lambda one: (limits[one], one), default=c.NEVER)
    columns.values["max_in_parking_us"][~columns.seen["max_in_parking_us"]] = most_usual
    unseen = {name: int((~known).sum()) for name, known in columns.seen.items()}
    if scenario is not None:
        columns.seen["wants_park"][1:] |= not log.calls_recorded  # a call that returns is only known if parked again
        _draw_unseen(columns, scenario, seed)
    values: dict[str, Any] = columns.values | {name: columns.values[name][0] for name in ONE_A_CALL}
    values["wants_park"] = values["wants_park"].astype(np.int8)
    limit_us = values["max_in_parking_us"]
    values["max_in_parking_us"] = np.where(limit_us == c.NEVER, c.NEVER, np.maximum(limit_us, 1))
    return Reoffered(Workload(**values), settings, names, unseen)


def _take_slots(columns: _Columns, facts: Iterable[Fact]) -> None:
    """Fill in the lot of each call's first request, and the number of its slots among the free ones."""
    slot_u = columns.values["slot_u"]
    requested: set[int] = set()
    parks: Counter[int] = Counter()
    inside: set[tuple[int, int]] = set()
    for fact in facts:
        call, lot, slot = fact.call, fact.lot, fact.slot
        if fact.kind in REQUESTED and call not in requested:
            requested.add(call)
            columns.values["lot"][0, call] = lot
        if fact.kind == c.PARKED:
            if parks[call] < len(slot_u):
                slot_u[parks[call], call] = (slot - sum((lot, taken) in inside for taken in range(slot))) % 2**62
            parks[call] += 1
            inside.add((lot, slot))
        elif is_parking(fact):
            inside.discard((lot, slot))


def _take_clocks(columns: _Columns, call: int, seen: Observed, limits_us: list[int], known: Settings | None) -> None:
    """Fill in what the log shows of one call."""
    unlimited = known is None  # the log has no attendants: a call is answered, and rings, at once
    retried = known is not None and known.retries > 0
    columns.values["arrival_us"][0, call] = arrival_us = seen.arrivals_us[0]
    stays, talks = seen.stays, [*seen.handling.spells, *seen.whole_talks.spells]
    if not stays or stays[-1].kind == c.EXPIRED:
        columns.see("wants_park", stays[-1].parks if stays else 0, call, 0)  # it was not parked again
    for one in seen.queue.spells:
        if unlimited and one.kind == c.ABANDONED:
            talks.append(one)
        else:
            columns.tell("queue_patience_us", 0, call, one.length_us, seen=one.kind == c.ABANDONED)
    requested_us = {one.parks: one.until_us for one in seen.handling.spells}
    parked_us = {} if retried else {one.parks - 1: one.from_us for one in stays}
    for one in talks:
        from_us = arrival_us if unlimited and one.parks == 0 else one.from_us
        wants = one.kind in REQUESTED
        until_us = parked_us.get(one.parks, one.until_us) if wants else one.until_us
        columns.see("handling_us", one.parks, call, until_us - from_us)
        columns.see("wants_park", one.parks, call, int(wants))
        if not wants:
            columns.see("talk_us", one.parks, call, 0)
    for one in seen.refusal.spells:
        from_us = one.from_us if retried else requested_us.get(one.parks, one.from_us)
        columns.see("talk_us", one.parks, call, one.until_us - from_us)
    expired_us = {}
    for one in stays:
        park = one.parks - 1
        limit_us = limits_us[park] if park < len(limits_us) else c.NEVER
        if one.kind == c.EXPIRED:
            expired_us[park], limit_us = one.until_us, one.length_us
        elif limit_us != c.NEVER and one.kind != c.NOBODY:  # fetched within the tolerance after the deadline
            limit_us = max(limit_us, one.length_us)
        columns.see("wants_park", park, call, 1)  # also where its answer was not recorded
        columns.see("max_in_parking_us", park, call, limit_us)
        columns.tell("retrieval_us", park, call, one.length_us, seen=one.kind == c.RETRIEVED)
        columns.tell("patience_us", park, call, one.length_us, seen=one.kind in (c.ABANDONED, c.NOBODY))
    for one in seen.staff_talk.spells:
        columns.see("staff_talk_us", one.parks - 1, call, one.length_us)
    for one in [*seen.answer.spells, *(seen.return_patience.spells if unlimited else ())]:
        if one.parks - 1 in expired_us:  # it was parked within the log
            from_us = expired_us[one.parks - 1] if unlimited else one.from_us
            columns.tell("answer_us", one.parks - 1, call, one.until_us - from_us, seen=one.kind in ANSWERED)
    for one in seen.return_patience.spells:
        gone = one.kind == c.ABANDONED or (unlimited and one.kind == c.LOST)  # if nobody rings, it leaves by itself
        columns.tell("recall_patience_us", one.parks - 1, call, one.length_us, seen=gone)


def _draw_unseen(columns: _Columns, scenario: Scenario, seed: int) -> None:
    """Draw what was not seen: for call i from its own place in the streams, the first draw that is long enough."""
    max_parks, calls = columns.values["slot_u"].shape
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
