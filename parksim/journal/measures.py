"""What one replication measured, computed from its journal and from nothing else.

Counts and shares are of the calls offered in [warm-up, horizon), each followed to its end; time integrals are clipped
to the window [warm-up, horizon] and are exact in integers until the last division. A measure that is not defined for a
replication (a share of nothing, the utilisation of an unlimited group) is ``nan``: the report shows it as null.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from parksim.catalogue import OF_LOTS, SCALARS, VECTORS
from parksim.journal import tally as t
from parksim.journal.journal import Journal
from parksim.journal.tally import Ints, Tally, Window
from parksim.rules import codes as c
from parksim.scenario.model import Scenario, Settings
from parksim.scenario.quantities import HOUR_US, HOURS

Mask = NDArray[np.bool_]
_WHOLES: Final = {"calls_offered": c.OFFERED, "parks_made": c.PARKED, "returns": c.EXPIRED}
"""Of what there are shares: the facts of counted calls by kind."""
PARTS: Final[Mapping[str, tuple[str, *tuple[int, ...]]]] = {
    "refused_share": ("parks_requested", c.REFUSED, c.LOT_FULL, c.SLOT_TAKEN),
    "retrieved_share": ("parks_made", c.RETRIEVED, c.NO_REASON),
    "slot_taken_share": ("parks_requested", c.REFUSED, c.SLOT_TAKEN),
    "stranger_share": ("parks_made", c.RETRIEVED, c.STRANGER),
    "expired_share": ("parks_made", c.EXPIRED),
    "reminded_share": ("parks_made", c.REMINDED, c.NO_REASON),
    "resumed_share": ("parks_made", c.RETRIEVED, c.ON_REMINDER),
    "abandoned_share": ("parks_made", c.ABANDONED, c.IN_LOT),
    "recall_answered_share": ("returns", c.RECALL_ANSWERED),
    "recall_retrieved_share": ("returns", c.RETRIEVED, c.RINGING),
    "recall_abandoned_share": ("returns", c.ABANDONED, c.RETURNING, c.RINGING),
    "lost_share": ("calls_offered", c.LOST),
    "queue_abandoned_share": ("calls_offered", c.ABANDONED, c.WAITING),
    "queue_full_share": ("calls_offered", c.LOST, c.QUEUE_FULL),
    "forwarded_share": ("calls_offered", c.ENDED, c.FORWARDED),
}
"""Shares: of what, and which facts are the part: a kind, with its reasons where not all count."""


class Measures(Mapping[str, Any]):
    """The measures of one replication by name: a float each, or an array for those in ``VECTORS``."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Any:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        lines = [f"{name:>24} {self._values[name]:.6g}" for name in SCALARS]
        return "\n".join(["<Measures of one replication", *lines, ">"])


def measure(journal: Journal, scenario: Scenario) -> Measures:
    """Return the measures of ``journal``, a run of ``scenario``."""
    return measure_rows(journal, *counted_in(scenario))


def counted_in(scenario: Scenario) -> tuple[Settings, Window, int]:
    """Return the settings of a scenario, its window, and the wait within which an answer counts as in time."""
    window = Window(scenario.warm_up_us, scenario.horizon_us)
    return scenario.settings, window, round(scenario.queue.target * 1e6)


def measure_rows(journal: Journal, settings: Settings, window: Window, target_us: int) -> Measures:
    """Return the measures of ``journal`` under ``settings`` in ``window``.

    ``target_us`` is the wait within which an answer counts as in time (the service level).
    """
    return measures_of(tally_of(journal, settings, window, target_us), settings, window)


# From a tally to measures ----------------------------------------------------------------------------------------


def measures_of(tally: Tally, settings: Settings, window: Window) -> Measures:
    """Return the measures of a replication from what it comes to."""
    facts = tally.facts.tolist()
    kinds = [*map(sum, facts)]

    def many(kind: int, *reasons: int) -> float:
        return float(sum(facts[kind][reason] for reason in reasons) if reasons else kinds[kind])

    values: dict[str, Any] = {name: many(what) for name, what in _WHOLES.items()}
    values["parks_requested"] = values["parks_made"] + many(c.REFUSED, c.LOT_FULL, c.SLOT_TAKEN)
    values |= {name: _ratio(many(*what), values[of]) for name, (of, *what) in PARTS.items()}
    returns = values["returns"]
    values["recall_busy_share"] = float("nan")
    if settings.recall_to == c.TO_PARKER:
        values["recall_busy_share"] = _ratio(returns - int(tally.sums[t.RUNG_AT_ONCE]), returns)
    values["slot_reused_share"] = _ratio(float(tally.sums[t.REUSED]), values["parks_made"])
    hourly = tally.of_hour.sum(axis=1).tolist()
    values["recalls_per_hour"] = hourly[t.TIME_OUTS] / (window.length_us / HOUR_US)
    values |= _waits(tally.waits_us, kinds[c.ANSWERED])
    values["answered_within_share"] = _ratio(float(hourly[t.IN_TIME]), values["calls_offered"])
    values |= _occupancy(tally.level_us, settings, window)
    values["slot_utilisation"] = tally.slot_us / window.length_us
    values |= _stay_lengths(tally.stays_us)
    values["parks_per_call"] = _ratio(values["parks_made"], values["calls_offered"])
    values["offered_erlang"] = values["parks_requested"] * values["parked_s_mean"] / (window.length_us / 1e6)
    values |= _utilisations(tally, settings, window)
    values |= _by_hour(tally, settings, window)
    values |= _by_lot(tally, values, settings, window)
    missing = float("nan")  # a measure that the catalogue has and nothing here computes: a test names it
    scalars = {name: values.get(name, missing) for name in SCALARS}
    return Measures(scalars | {name: values[name] for name in VECTORS})


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def _waits(waits_us: Ints, answers: int) -> dict[str, float]:
    """Waits of the calls answered, most of which did not wait."""
    return {
        "answer_wait_s_mean": _ratio(int(waits_us.sum()) / 1e6, answers),
        "answer_wait_s_p95": _quantiles_s(waits_us, answers, 95)[0],
    }


def _stay_lengths(stays_us: Ints) -> dict[str, float]:
    """Lengths of the stays that counted calls made."""
    p50, p95 = _quantiles_s(stays_us, len(stays_us), 50, 95)
    return {
        "parked_s_mean": _ratio(int(stays_us.sum()) / 1e6, len(stays_us)),
        "parked_s_p50": p50,
        "parked_s_p95": p95,
    }


def _quantiles_s(durations_us: Ints, many: int, *percents: int) -> list[float]:
    """Return the smallest durations that at least these shares, in %, do not exceed, in seconds.

    There are ``many`` durations; those of 0 may be left out of ``durations_us``.
    """
    if not many:
        return [float("nan")] * len(percents)
    ranks = [-(-many * percent // 100) - 1 - (many - len(durations_us)) for percent in percents]
    places = [rank for rank in ranks if rank >= 0]
    # Asked for two places, the same one twice if need be, NumPy selects durations three times as fast.
    ordered = np.partition(durations_us, (*places, places[-1])) if places else durations_us
    return [float(ordered[rank]) / 1e6 if rank >= 0 else 0.0 for rank in ranks]


def _occupancy(level_us: Ints, settings: Settings, window: Window) -> dict[str, Any]:
    """Time-weighted occupancy."""
    slots = sum(settings.slots)
    busy_us = int((level_us * np.arange(len(level_us))).sum())
    return {
        "occupancy_mean": busy_us / window.length_us,
        "occupancy_p95": float(np.searchsorted(np.cumsum(level_us) * 100, 95 * window.length_us)),
        "occupancy_max": float(np.flatnonzero(level_us)[-1]),
        "time_full_share": int(level_us[slots]) / window.length_us,
        "occupancy_pmf": level_us[: slots + 1] / window.length_us,
    }


def _utilisations(tally: Tally, settings: Settings, window: Window) -> dict[str, Any]:
    """Busy time of attendants and staff, of the time that they are there: on duty, or finishing a call after it."""
    attendants: dict[str, Any] = {
        "attendant_utilisation": float("nan"),
        "attendant_utilisation_by_hour": np.full(HOURS, np.nan),
    }
    if settings.attendants != c.UNLIMITED:
        hours, on_duty_us = _on_duty(settings, window)
        # Weights are whole numbers far below 2**53: bincount adds them exactly.
        both = tally.busy_us[t.ATTENDANTS], on_duty_us + tally.busy_us[t.OVERTIME]
        busy, there = (np.bincount(hours, one_us, minlength=HOURS).astype(np.int64).tolist() for one_us in both)
        attendants["attendant_utilisation"] = _ratio(sum(busy), sum(there))
        attendants["attendant_utilisation_by_hour"] = np.array([*map(_ratio, busy, there)])
    staff_us, staff = int(tally.sums[t.STAFF_US]), float("nan")
    if settings.staff > 0:
        staff = staff_us / (settings.staff * window.length_us)
    return attendants | {"staff_utilisation": staff}


@lru_cache(maxsize=16)
def _on_duty(settings: Settings, window: Window) -> tuple[Ints, Ints]:
    """Return of each stretch of the window its hour of day, and how long attendants are on duty, all together."""
    bounds_us, hours, duty = t.stretches_of(settings, window)
    return hours, duty * np.diff(bounds_us)


def _by_hour(tally: Tally, settings: Settings, window: Window) -> dict[str, Any]:
    """Counts by the hour of day in which they happened (time 0 is midnight).

    A share is nan where there is nothing to share, a rate or a mean where the window has no such hour. What is a share
    of something counts in the hour of that: a time-out in the hour of its park, an answer in that of its call's offer.
    """
    parks, refusals, expiries, offers, time_outs, in_time = tally.of_hour.astype(np.float64)
    open_us, hours = open_by_hour_us(window), t.stretches_of(settings, window)[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "calls_offered_by_hour": offers,
            "parks_requested_by_hour": parks + refusals,
            "refused_share_by_hour": refusals / (parks + refusals),
            "expired_share_by_hour": expiries / parks,
            "recalls_per_hour_by_hour": time_outs / (open_us / HOUR_US),
            "answered_within_share_by_hour": in_time / offers,
            "occupancy_mean_by_hour": np.bincount(hours, tally.busy_us[t.SLOTS], minlength=HOURS) / open_us,
        }


def _by_lot(tally: Tally, totals: dict[str, Any], settings: Settings, window: Window) -> dict[str, Any]:
    """Of each lot what was asked of it, and what came of it; every total is the sum over the lots.

    A call that overflows asks each lot in turn: one request to each, refused by all but perhaps the last.
    """
    if len(settings.slots) == 1:
        return {f"{name}_by_lot": np.array([totals[name]]) for name in OF_LOTS}
    made, refused, expired = tally.of_lot.astype(np.float64)
    first_slots = np.cumsum((0, *settings.slots))[:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "parks_requested_by_lot": made + refused,
            "refused_share_by_lot": refused / (made + refused),
            "expired_share_by_lot": expired / made,
            "occupancy_mean_by_lot": np.add.reduceat(tally.slot_us, first_slots) / window.length_us,
        }


@lru_cache(maxsize=16)
def open_by_hour_us(window: Window) -> NDArray[np.float64]:
    """Return how much time of each hour of day the window holds: shape (24,), whole microseconds, read-only.

    >>> open_by_hour_us(Window(HOUR_US // 2, 2 * HOUR_US))[:3].tolist()
    [1800000000.0, 3600000000.0, 0.0]
    """
    bounds_us, hours, _ = t.stretches((0,), HOUR_US, window)
    open_us = np.bincount(hours, np.diff(bounds_us), minlength=HOURS).astype(np.float64)
    open_us.flags.writeable = False
    return open_us


# From a journal to a tally ---------------------------------------------------------------------------------------


def tally_of(journal: Journal, settings: Settings, window: Window, target_us: int) -> Tally:
    """Return what a journal comes to, by array operations: the numbers of ``tally.count``, fact after fact.

    The journal may also be one that no engine wrote, in which somebody is freed who was not taken.
    """
    offered_us, counted = _offered(journal, window)
    changes, steps = slot_changes(journal)
    changes_us = journal.time_us[changes]
    stays = stays_of(journal, changes, settings)
    ours = counted[stays.parked]
    answers = _rows(journal, counted, c.ANSWERED)
    waits_us = journal.time_us[answers] - offered_us[journal.call[answers]]
    clipped_us = np.clip(journal.time_us, *window)
    bounds_us, _, duty = t.stretches_of(settings, window)
    busy_us = np.zeros((t.OVERTIME + 1, len(duty)), np.int64)
    rows = np.searchsorted(changes_us, bounds_us)
    busy_us[t.SLOTS] = _busy_us(steps, clipped_us[changes], rows, bounds_us)
    if settings.attendants != c.UNLIMITED:
        busy_us[t.ATTENDANTS :] = _attendants(journal, clipped_us, settings, window)
    codes = journal.kind * np.uint16(len(c.REASON_NAMES)) + journal.reason
    facts = np.bincount(codes[counted], minlength=len(c.KIND_NAMES) * len(c.REASON_NAMES))
    in_time = np.sort(offered_us[journal.call[answers[waits_us <= target_us]]])
    expired = stays.parked[(stays.ended_by == c.EXPIRED) & ours]
    return Tally(
        facts=facts.reshape(len(c.KIND_NAMES), len(c.REASON_NAMES)),
        of_hour=_hours(journal, counted, expired, in_time, window),
        of_lot=_lots(journal, counted, len(settings.slots)),
        level_us=_level_us(changes_us, steps, settings, window),
        slot_us=np.bincount(stays.place, stays.held_us(window), minlength=sum(settings.slots)).astype(np.int64),
        busy_us=busy_us,
        sums=np.array(
            [_staff_us(journal, clipped_us, settings), _rung_at_once(journal, counted), _reused(stays, ours)]
        ),
        stays_us=(stays.until_us - stays.from_us)[ours],
        waits_us=waits_us[waits_us > 0],
    )


def _offered(journal: Journal, window: Window) -> tuple[Ints, Mask]:
    """Return the instant at which each call was offered, and which rows belong to a call that is counted.

    Calls are numbered as they are offered, so those counted are a range of numbers.
    """
    offered_us = journal.time_us[np.flatnonzero(journal.kind == c.OFFERED)]
    first, end = np.searchsorted(offered_us, window).tolist()
    counted: Mask = (journal.call >= first) & (journal.call < end)
    return offered_us, counted


def _rows(journal: Journal, counted: Mask, kind: int) -> Ints:
    """Return the numbers of the rows of ``kind`` that belong to counted calls."""
    return np.flatnonzero((journal.kind == kind) & counted)


def _rung_at_once(journal: Journal, counted: Mask) -> int:
    """Count the time-outs whose parker rang at the same instant: the call's next row of the two kinds."""
    before, after = _neighbours(journal, (journal.kind == c.RECALL_RINGING) | (journal.kind == c.EXPIRED))
    at_once = (journal.kind[before] == c.EXPIRED) & (journal.kind[after] == c.RECALL_RINGING) & counted[before]
    return int(np.count_nonzero(at_once & (journal.time_us[before] == journal.time_us[after])))


def _reused(stays: "Stays", ours: Mask) -> int:
    """Count the stays in a slot that another one left ``REUSED_US`` before or less; stays are by slot, then by time."""
    again = (stays.place[1:] == stays.place[:-1]) & (stays.from_us[1:] - stays.until_us[:-1] <= t.REUSED_US)
    return int(np.count_nonzero(again & ours[1:]))


def _neighbours(journal: Journal, rows: Mask) -> tuple[Ints, Ints]:
    """Return pairs of marked rows of one call that follow each other: the numbers of the first and of the second."""
    numbers = np.flatnonzero(rows)
    order = numbers[np.argsort(journal.call[numbers], kind="stable")]
    of_one_call = journal.call[order[:-1]] == journal.call[order[1:]]
    return order[:-1][of_one_call], order[1:][of_one_call]


def slot_changes(journal: Journal) -> tuple[Ints, NDArray[np.int8]]:
    """Return the rows at which a slot is taken or becomes free, in journal order, and of each 1 or -1."""
    kind = journal.kind
    frees = ((kind == c.RETRIEVED) & (journal.reason != c.RINGING)) | (kind == c.EXPIRED)
    frees |= (kind == c.ABANDONED) & (journal.reason == c.IN_LOT)
    changes = np.flatnonzero((kind == c.PARKED) | frees)
    return changes, 2 * (kind[changes] == c.PARKED).view(np.int8) - 1


class Stays(NamedTuple):
    """The stays in the lots, one an element, by slot and then by time."""

    place: NDArray[Any]
    """The slot, counted through all lots."""
    parked: Ints
    """The row at which it was taken."""
    ended_by: NDArray[np.uint8]
    """The kind of the row at which it became free."""
    from_us: Ints
    until_us: Ints

    def held_us(self, window: Window) -> Ints:
        """Return how much of each stay lies in the window."""
        return np.clip(self.until_us, *window) - np.clip(self.from_us, *window)


def stays_of(journal: Journal, changes: Ints, settings: Settings) -> Stays:
    """Return the stays: a slot's rows are PARKED, free, PARKED, free in turn."""
    firsts = np.concatenate(([0], np.cumsum(settings.slots)))
    # As small as can be: NumPy sorts small numbers by counting them, several times faster than large ones.
    firsts = firsts.astype(np.min_scalar_type(firsts[-1]))
    place = firsts[journal.lot[changes]] + journal.slot[changes].astype(firsts.dtype)
    order = np.argsort(place, kind="stable")
    parked, freed = changes[order[::2]], changes[order[1::2]]
    return Stays(
        place[order[::2]], parked, journal.kind[freed], from_us=journal.time_us[parked], until_us=journal.time_us[freed]
    )


def _busy_us(steps: NDArray[np.int8], clipped_us: Ints, rows: Ints, bounds_us: Ints) -> Ints:
    """Return for how long those were busy whom ``steps`` takes and frees, all together, between each two bounds.

    Until a bound each has been busy since it was taken, less from when it was freed on. On the way the sums may pass
    2**63; they wrap there and back, and what it comes to is right again.
    """
    starts = np.concatenate(([0], rows))
    some = starts < np.concatenate((rows, [len(steps)]))  # what reduceat cannot do is sum nothing
    sums = np.zeros((2, len(starts)), np.int64)
    sums[0, some] = np.add.reduceat(steps, starts[some], dtype=np.int64)
    sums[1, some] = np.add.reduceat(clipped_us * steps, starts[some])
    busy, at_us = np.cumsum(sums, axis=1)[:, :-1]
    busy_us: Ints = np.diff(busy * bounds_us - at_us)
    return busy_us


def _answered_by_group(journal: Journal) -> Mask:
    """Mark the RECALL_ANSWERED rows that did not ring before: the attendant is taken at the answer."""
    answered: Mask = journal.kind == c.RECALL_ANSWERED
    rings: Mask = journal.kind == c.RECALL_RINGING
    if rings.any():
        before, after = _neighbours(journal, answered | rings | (journal.kind == c.RECALL_UNANSWERED))
        answered[after[rings[before]]] = False
    return answered


def _level_us(changes_us: Ints, steps: NDArray[np.int8], settings: Settings, window: Window) -> Ints:
    """Return for how long each number of slots is taken; the last one is for ever."""
    levels = np.zeros(len(steps) + 1, np.int64)
    np.cumsum(steps, out=levels[1:])
    edges_us = np.concatenate(([0], changes_us, [window.horizon_us]))
    lengths_us = np.diff(np.clip(edges_us, window.warm_up_us, window.horizon_us))
    # Weights are whole numbers whose sum is the window's length, far below 2**53: bincount adds them exactly.
    return np.bincount(levels, lengths_us, minlength=sum(settings.slots) + 1).astype(np.int64)


def _attendants(journal: Journal, clipped_us: Ints, settings: Settings, window: Window) -> Ints:
    """Return for how long attendants are busy in each stretch, and for how long after duty: shape (2, stretches)."""
    kind, reason = journal.kind, journal.reason
    taken = (kind == c.ANSWERED) | (kind == c.RECALL_RINGING) | _answered_by_group(journal)
    taken |= (kind == c.RETRIEVED) & (reason == c.ON_REMINDER)
    freed = (kind == c.RELEASED) | ((kind == c.ENDED) & ((reason == c.TALKED) | (reason == c.OVERFLOWED)))
    freed |= ((kind == c.LOST) & np.isin(reason, (c.LOT_FULL, c.SLOT_TAKEN, c.MET))) | (
        (kind == c.ABANDONED) & (reason == c.RINGING)
    )
    # A parker who rings again was not free between, so "again" frees what the next RECALL_RINGING takes.
    freed |= kind == c.RECALL_UNANSWERED  # the last time, or because somebody fetched the call
    if settings.announcement_us == 0:
        freed |= kind == c.PARKED
    steps = (taken.view(np.int8) - freed.view(np.int8)) * (journal.extension != c.NOBODY)
    bounds_us, _, duty = t.stretches_of(settings, window)
    rows = np.searchsorted(journal.time_us, bounds_us)
    busy_us = np.zeros((2, len(duty)), np.int64)
    busy_us[0] = _busy_us(steps, clipped_us, rows, bounds_us)
    for count in set(settings.counts) - {settings.attendants}:
        late = steps * (journal.extension >= count)
        busy_us[1, duty == count] = _busy_us(late, clipped_us, rows, bounds_us)[duty == count]
    return busy_us


def _staff_us(journal: Journal, clipped_us: Ints, settings: Settings) -> int:
    """Return for how long the staff are busy; it is not told of an unlimited staff."""
    if settings.staff == c.UNLIMITED:
        return 0
    ended = (journal.kind == c.ENDED) & (journal.reason == c.AFTER_RETRIEVAL)
    members = journal.extension >= max(settings.attendants, 0)  # a key may fetch a call for an attendant
    steps = (ended.view(np.int8) - (journal.kind == c.RETRIEVED).view(np.int8)) * members
    return int((clipped_us * steps).sum())


def _hours(journal: Journal, counted: Mask, expired: Ints, in_time_us: Ints, window: Window) -> Ints:
    """Count by the hour of the day. ``expired`` are the rows of the parks that timed out."""
    ends_us = np.arange(-(-window.horizon_us // HOUR_US) + 1) * HOUR_US
    each = np.zeros(-(-len(ends_us) // HOURS) * HOURS, np.int64)

    def hours(instants_us: Ints) -> Ints:
        """Count ascending instants: up to the horizon's hour by where each hour begins, then one by one."""
        begins = np.searchsorted(instants_us, ends_us)
        each[: len(begins) - 1] = begins[1:] - begins[:-1]
        counts: Ints = each.reshape(-1, HOURS).sum(axis=0)
        if begins[-1] < len(instants_us):
            counts += np.bincount(instants_us[begins[-1] :] // HOUR_US % HOURS, minlength=HOURS)
        return counts

    first, end = np.searchsorted(journal.time_us, window)
    time_outs: Ints = first + np.flatnonzero(journal.kind[first:end] == c.EXPIRED)  # whenever their calls were offered
    parks, refusals, offers = (_rows(journal, counted, kind) for kind in (c.PARKED, c.REFUSED, c.OFFERED))
    instants = (journal.time_us[rows] for rows in (parks, refusals, np.sort(expired), offers, time_outs))
    return np.array([*map(hours, instants), hours(in_time_us)])


def _lots(journal: Journal, counted: Mask, lots: int) -> Ints:
    """Count the parks, refusals and time-outs of each lot."""
    rows = [_rows(journal, counted, kind) for kind in (c.PARKED, c.REFUSED, c.EXPIRED)]
    if lots == 1:
        return np.array([[len(one)] for one in rows])
    return np.array([np.bincount(journal.lot[one], minlength=lots) for one in rows])
