"""What one replication measured, computed from its journal and from nothing else.

Counts and shares are of the calls offered in [warm-up, horizon), each followed to its end; time integrals are clipped
to the window [warm-up, horizon] and are exact in integers until the last division. A measure that is not defined for a
replication (a share of nothing, the utilisation of an unlimited group) is ``nan``: the report shows it as null.
"""

from collections.abc import Mapping
from functools import lru_cache, reduce
from operator import or_
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from parksim.catalogue import OF_LOTS, SCALARS, VECTORS
from parksim.journal.journal import Journal
from parksim.rules import codes as c
from parksim.scenario.model import Scenario, Settings

HOUR_US: Final = 3_600_000_000
HOURS: Final = 24
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
_WHOLES: Final = {"calls_offered": c.OFFERED, "parks_made": c.PARKED, "returns": c.EXPIRED}
"""Of what there are shares: the facts of counted calls by kind."""
_SHARES: Final[Mapping[str, tuple[str, *tuple[int, ...]]]] = {
    "refused_share": ("parks_requested", c.REFUSED, c.LOT_FULL),
    "retrieved_share": ("parks_made", c.RETRIEVED),
    "expired_share": ("parks_made", c.EXPIRED),
    "abandoned_share": ("parks_made", c.ABANDONED, c.IN_LOT),
    "recall_answered_share": ("returns", c.RECALL_ANSWERED),
    "recall_abandoned_share": ("returns", c.ABANDONED, c.RETURNING, c.RINGING),
    "lost_share": ("calls_offered", c.LOST),
    "queue_abandoned_share": ("calls_offered", c.ABANDONED, c.WAITING),
    "queue_full_share": ("calls_offered", c.LOST, c.QUEUE_FULL),
}
"""Shares: of what, and which facts are the part: a kind, with its reasons where not all count."""


class Window(NamedTuple):
    """What is counted: calls offered in [warm_up_us, horizon_us), time in the same interval."""

    warm_up_us: int
    horizon_us: int

    @property
    def length_us(self) -> int:
        """Length of the window."""
        return self.horizon_us - self.warm_up_us


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
    window = Window(scenario.warm_up_us, scenario.horizon_us)
    target_us = round(scenario.queue.target * 1e6)
    return measure_rows(journal, scenario.settings, window, target_us)


def measure_rows(journal: Journal, settings: Settings, window: Window, target_us: int) -> Measures:
    """Return the measures of ``journal`` under ``settings`` in ``window``.

    ``target_us`` is the wait within which an answer counts as in time (the service level).
    """
    offered_us, counted = _offered(journal, window)
    kind = journal.kind
    frees = (kind == c.RETRIEVED) | (kind == c.EXPIRED) | ((kind == c.ABANDONED) & (journal.reason == c.IN_LOT))
    changes = np.flatnonzero((kind == c.PARKED) | frees)  # where a slot is taken or becomes free, in journal order
    changes_us = journal.time_us[changes]
    steps = 2 * (kind[changes] == c.PARKED).view(np.int8) - 1
    levels = np.zeros(len(steps) + 1, np.int64)
    np.cumsum(steps, out=levels[1:])
    stays = stays_of(journal, changes, settings)
    values: dict[str, Any] = {name: _count(journal, counted, what) for name, what in _WHOLES.items()}
    values["parks_requested"] = values["parks_made"] + _count(journal, counted, c.REFUSED, c.LOT_FULL)
    values |= {name: _ratio(_count(journal, counted, *what), values[of]) for name, (of, *what) in _SHARES.items()}
    returns = values["returns"]
    values["recall_busy_share"] = float("nan")
    if settings.recall_to != c.TO_GROUP:
        values["recall_busy_share"] = _ratio(returns - _rung_at_once(journal, counted), returns)
    first, end = np.searchsorted(journal.time_us, window)
    time_outs: Ints = first + np.flatnonzero(journal.kind[first:end] == c.EXPIRED)  # whenever their calls were offered
    values["recalls_per_hour"] = len(time_outs) / (window.length_us / HOUR_US)
    answers = _rows(journal, counted, c.ANSWERED)
    waits_us = journal.time_us[answers] - offered_us[journal.call[answers]]
    values |= _waits(waits_us, target_us, values["calls_offered"])
    values |= _occupancy(changes_us, levels, settings, window)
    by_slot_us = np.bincount(stays.place, stays.held_us(window), minlength=sum(settings.slots))
    values["slot_utilisation"] = by_slot_us / window.length_us
    values |= _stay_lengths(stays, counted)
    values["parks_per_call"] = _ratio(values["parks_made"], values["calls_offered"])
    values["offered_erlang"] = values["parks_requested"] * values["parked_s_mean"] / (window.length_us / 1e6)
    values |= _utilisations(journal, settings, window)
    values |= _by_hour(journal, counted, stays, answers[waits_us <= target_us], time_outs, window)
    values["occupancy_mean_by_hour"] = _occupancy_by_hour(changes_us, steps, window)
    values |= _by_lot(journal, counted, stays, values, settings, window)
    missing = float("nan")  # a measure that the catalogue has and nothing here computes: a test names it
    scalars = {name: values.get(name, missing) for name in SCALARS}
    return Measures(scalars | {name: values[name] for name in VECTORS})


def _offered(journal: Journal, window: Window) -> tuple[Ints, Mask]:
    """Return the instant at which each call was offered, and which rows belong to a call that is counted.

    Calls are numbered as they are offered, so those counted are a range of numbers.
    """
    offered_us = journal.time_us[np.flatnonzero(journal.kind == c.OFFERED)]
    first, end = np.searchsorted(offered_us, window).tolist()
    counted: Mask = (journal.call >= first) & (journal.call < end)
    return offered_us, counted


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def _mask(journal: Journal, counted: Mask, kind: int, *reasons: int) -> Mask:
    """Mark the rows of ``kind`` (for one of ``reasons``, if any are given) that belong to counted calls."""
    mask: Mask = (journal.kind == kind) & counted
    if reasons:
        mask &= reduce(or_, (journal.reason == reason for reason in reasons))
    return mask


def _rows(journal: Journal, counted: Mask, kind: int) -> Ints:
    """Return the numbers of the rows of ``kind`` that belong to counted calls."""
    return np.flatnonzero(_mask(journal, counted, kind))


def _count(journal: Journal, counted: Mask, kind: int, *reasons: int) -> float:
    return float(np.count_nonzero(_mask(journal, counted, kind, *reasons)))


def _rung_at_once(journal: Journal, counted: Mask) -> int:
    """Count the time-outs whose parker rang at the same instant: the call's next row of the two kinds."""
    before, after = _neighbours(journal, (journal.kind == c.RECALL_RINGING) | (journal.kind == c.EXPIRED))
    at_once = (journal.kind[before] == c.EXPIRED) & (journal.kind[after] == c.RECALL_RINGING) & counted[before]
    return int(np.count_nonzero(at_once & (journal.time_us[before] == journal.time_us[after])))


def _neighbours(journal: Journal, rows: Mask) -> tuple[Ints, Ints]:
    """Return pairs of marked rows of one call that follow each other: the numbers of the first and of the second."""
    numbers = np.flatnonzero(rows)
    order = numbers[np.argsort(journal.call[numbers], kind="stable")]
    of_one_call = journal.call[order[:-1]] == journal.call[order[1:]]
    return order[:-1][of_one_call], order[1:][of_one_call]


def _waits(waits_us: Ints, target_us: int, calls: float) -> dict[str, float]:
    """Waits of the calls answered; the service level is of all calls offered (who gave up was not served in time)."""
    return {
        "answer_wait_s_mean": _ratio(int(waits_us.sum()) / 1e6, len(waits_us)),
        "answer_wait_s_p95": _quantile_s(waits_us, 95),
        "answered_within_share": _ratio(float(np.count_nonzero(waits_us <= target_us)), calls),
    }


def _quantile_s(durations_us: Ints, percent: int) -> float:
    """Return the smallest duration that at least ``percent`` % do not exceed, in seconds."""
    if not len(durations_us):
        return float("nan")
    rank = -(-len(durations_us) * percent // 100) - 1
    # Asked for two places NumPy selects in another way, which is thrice as fast on durations (and they are one).
    return float(np.partition(durations_us, (rank, rank))[rank]) / 1e6


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


def _occupancy(changes_us: Ints, levels: Ints, settings: Settings, window: Window) -> dict[str, Any]:
    """Time-weighted occupancy: ``levels[i]`` slots are taken until ``changes_us[i]``, the last ones for ever."""
    slots = sum(settings.slots)
    edges_us = np.concatenate(([0], changes_us, [window.horizon_us]))
    lengths_us = np.diff(np.clip(edges_us, window.warm_up_us, window.horizon_us))
    # Weights are whole numbers whose sum is the window's length, far below 2**53: bincount adds them exactly.
    time_us = np.bincount(levels, lengths_us, minlength=slots + 1).astype(np.int64)
    busy_us = int((time_us * np.arange(len(time_us))).sum())
    return {
        "occupancy_mean": busy_us / window.length_us,
        "occupancy_p95": float(np.searchsorted(np.cumsum(time_us) * 100, 95 * window.length_us)),
        "occupancy_max": float(np.flatnonzero(time_us)[-1]),
        "time_full_share": int(time_us[slots]) / window.length_us,
        "occupancy_pmf": time_us[: slots + 1] / window.length_us,
    }


def _stay_lengths(stays: Stays, counted: Mask) -> dict[str, float]:
    """Lengths of the stays that counted calls made."""
    stays_us = (stays.until_us - stays.from_us)[counted[stays.parked]]
    return {
        "parked_s_mean": _ratio(int(stays_us.sum()) / 1e6, len(stays_us)),
        "parked_s_p50": _quantile_s(stays_us, 50),
        "parked_s_p95": _quantile_s(stays_us, 95),
    }


def _utilisations(journal: Journal, settings: Settings, window: Window) -> dict[str, Any]:
    """Busy time of attendants and staff, of the time that they are there: on duty, or finishing a call after it."""
    kind, reason = journal.kind, journal.reason
    clipped_us = np.clip(journal.time_us, *window)
    somebody = journal.extension != c.NOBODY
    attendants: dict[str, Any] = {
        "attendant_utilisation": float("nan"),
        "attendant_utilisation_by_hour": np.full(HOURS, np.nan),
    }
    staff_us = 0
    if settings.attendants != c.UNLIMITED:
        taken = (kind == c.ANSWERED) | (kind == c.RECALL_RINGING) | _answered_by_group(journal)
        freed = (kind == c.RELEASED) | ((kind == c.ENDED) & ((reason == c.TALKED) | (reason == c.OVERFLOWED)))
        freed |= ((kind == c.LOST) & (reason == c.LOT_FULL)) | ((kind == c.ABANDONED) & (reason == c.RINGING))
        # A parker who rings again was not free between, so "again" frees what the next RECALL_RINGING takes.
        freed |= (kind == c.RECALL_UNANSWERED) & ((reason == c.LAST) | (reason == c.AGAIN))
        if settings.announcement_us == 0:
            freed |= kind == c.PARKED
        steps = (taken.view(np.int8) - freed.view(np.int8)) * somebody
        attendants = _attendants(journal, steps, clipped_us, settings, window)
    if settings.staff != c.UNLIMITED:
        ended = (kind == c.ENDED) & (reason == c.AFTER_RETRIEVAL)
        steps = (ended.view(np.int8) - (kind == c.RETRIEVED).view(np.int8)) * somebody
        staff_us = int((clipped_us * steps).sum())
    staff = staff_us / (settings.staff * window.length_us) if settings.staff > 0 else float("nan")
    return attendants | {"staff_utilisation": staff}


def _attendants(
    journal: Journal, steps: NDArray[np.int8], clipped_us: Ints, settings: Settings, window: Window
) -> dict[str, Any]:
    """Return what share of their time attendants are busy: it is the time on duty and any overtime.

    ``steps`` is 1 where an attendant is taken and -1 where one gets free.
    """
    counts = settings.counts or (settings.attendants,)
    bounds_us, hours, duty = _stretches(counts, settings.period_us, window)
    rows = np.searchsorted(journal.time_us, bounds_us)
    busy_us = _busy_us(steps, clipped_us, rows, bounds_us)
    there_us = duty * np.diff(bounds_us)
    for count in set(counts) - {settings.attendants}:
        late = steps * (journal.extension >= count)
        there_us[duty == count] += _busy_us(late, clipped_us, rows, bounds_us)[duty == count]
    busy, there = (np.bincount(hours, one_us, minlength=HOURS).astype(np.int64) for one_us in (busy_us, there_us))
    shares = [_ratio(*both) for both in zip(busy.tolist(), there.tolist(), strict=True)]
    return {
        "attendant_utilisation": _ratio(int(busy.sum()), int(there.sum())),
        "attendant_utilisation_by_hour": np.array(shares),
    }


@lru_cache(maxsize=16)
def _stretches(counts: tuple[int, ...], period_us: int, window: Window) -> tuple[Ints, Ints, Ints]:
    """Cut the window at every full hour and wherever the number on duty may change.

    Returns the cuts (the window's ends among them) and, of each stretch between two, its hour of day and how many
    attendants are on duty.
    """
    cuts = [
        np.arange(window.warm_up_us // length_us + 1, -(-window.horizon_us // length_us)) * length_us
        for length_us in ((HOUR_US, period_us) if len(set(counts)) > 1 else (HOUR_US,))
    ]
    bounds_us = np.unique(np.concatenate((window, *cuts)))
    starts_us = bounds_us[:-1]
    return bounds_us, starts_us // HOUR_US % HOURS, np.array(counts)[starts_us // period_us % len(counts)]


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


def _by_hour(
    journal: Journal, counted: Mask, stays: Stays, in_time: Ints, time_outs: Ints, window: Window
) -> dict[str, Any]:
    """Counts by the hour of day in which they happened (time 0 is midnight).

    A share is nan where there is nothing to share, a rate or a mean where the window has no such hour. What is a share
    of something counts in the hour of that: a time-out in the hour of its park, an answer in that of its call's offer.
    ``in_time`` are the rows of the answers that came in time, ``time_outs`` those of all time-outs in the window.
    """
    first_rows = np.searchsorted(journal.time_us, np.arange(-(-window.horizon_us // HOUR_US) + 1) * HOUR_US)
    each = np.zeros(-(-len(first_rows) // HOURS) * HOURS)

    def hours(rows: Ints) -> NDArray[np.float64]:
        """Count ascending rows: up to the horizon's hour by where each hour begins, then one by one."""
        begins = np.searchsorted(rows, first_rows)
        each[: len(begins) - 1] = begins[1:] - begins[:-1]
        counts: NDArray[np.float64] = each.reshape(-1, HOURS).sum(axis=0)
        if begins[-1] < len(rows):
            late = journal.time_us[rows[begins[-1] :]] // HOUR_US
            counts += np.bincount(late % HOURS, minlength=HOURS)
        return counts

    def of(kind: int) -> NDArray[np.float64]:
        return hours(_rows(journal, counted, kind))

    open_us = open_by_hour_us(window)
    parks, refusals = of(c.PARKED), of(c.REFUSED)
    offers = _rows(journal, counted, c.OFFERED)
    answered = np.zeros(len(offers), np.bool_)
    answered[journal.call[in_time] - journal.call[offers[:1]]] = True
    calls = hours(offers)
    expired = hours(np.sort(stays.parked[(stays.ended_by == c.EXPIRED) & counted[stays.parked]]))
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "calls_offered_by_hour": calls,
            "parks_requested_by_hour": parks + refusals,
            "refused_share_by_hour": refusals / (parks + refusals),
            "expired_share_by_hour": expired / parks,
            "recalls_per_hour_by_hour": hours(time_outs) / (open_us / HOUR_US),
            "answered_within_share_by_hour": hours(offers[answered]) / calls,
        }


def _occupancy_by_hour(changes_us: Ints, steps: NDArray[np.int8], window: Window) -> NDArray[np.float64]:
    """Return the mean number of slots taken in each hour of day, nan where the window has no such hour."""
    bounds_us, hours, _ = _stretches((0,), HOUR_US, window)
    taken_us = _busy_us(steps, np.clip(changes_us, *window), np.searchsorted(changes_us, bounds_us), bounds_us)
    with np.errstate(invalid="ignore"):
        return np.bincount(hours, taken_us, minlength=HOURS) / open_by_hour_us(window)


def _by_lot(
    journal: Journal, counted: Mask, stays: Stays, totals: dict[str, Any], settings: Settings, window: Window
) -> dict[str, Any]:
    """Of each lot what was asked of it, and what came of it; every total is the sum over the lots.

    A call that overflows asks each lot in turn: one request to each, refused by all but perhaps the last.
    """
    lots = len(settings.slots)
    if lots == 1:
        return {f"{name}_by_lot": np.array([totals[name]]) for name in OF_LOTS}

    def of(kind: int) -> NDArray[np.float64]:
        return np.bincount(journal.lot[_rows(journal, counted, kind)], minlength=lots).astype(np.float64)

    held_us = stays.held_us(window)
    busy_us = np.array([int(held_us[journal.lot[stays.parked] == lot].sum()) for lot in range(lots)])
    made, refused = of(c.PARKED), of(c.REFUSED)
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "parks_requested_by_lot": made + refused,
            "refused_share_by_lot": refused / (made + refused),
            "expired_share_by_lot": of(c.EXPIRED) / made,
            "occupancy_mean_by_lot": busy_us / window.length_us,
        }


@lru_cache(maxsize=16)
def open_by_hour_us(window: Window) -> NDArray[np.float64]:
    """Return how much time of each hour of day the window holds: shape (24,), whole microseconds, read-only.

    >>> open_by_hour_us(Window(HOUR_US // 2, 2 * HOUR_US))[:3].tolist()
    [1800000000.0, 3600000000.0, 0.0]
    """
    bounds_us, hours, _ = _stretches((0,), HOUR_US, window)
    open_us = np.bincount(hours, np.diff(bounds_us), minlength=HOURS).astype(np.float64)
    open_us.flags.writeable = False
    return open_us
