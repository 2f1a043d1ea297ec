"""The measures of a simulation, computed from a PBX's log; each that the log leaves undefined says why.

Counts are of all calls of the log; time integrals run from the first event of the lots to the last. An interval says
how far chance may have moved the figure: Clopper and Pearson's for shares, and for the mean occupancy that of a sum of
independent stays, mean +- z sqrt(sum of stay**2) / time (Campbell 1909), since one log is one replication.
"""

import math
from statistics import NormalDist
from typing import Final, NamedTuple

from parksim.catalogue import SCALARS
from parksim.errors import JournalError
from parksim.journal.journal import Journal, stays_of
from parksim.journal.measures import measure_rows
from parksim.journal.tally import Window
from parksim.pbx.log import FieldLog
from parksim.rules import codes as c
from parksim.scenario.model import Settings
from parksim.stats.special import clopper_pearson_limits

SERVICE_TARGET_US = 20_000_000
"""The wait within which a call counts as answered in time."""
_TIMED = ("time_full_share", "occupancy_mean", "occupancy_p95", "occupancy_max", "recalls_per_hour")


class LogMeasure(NamedTuple):
    """One measure of a log: None with the reason if undefined; limits if the effect of chance can be computed."""

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str = ""


def measured(log: FieldLog) -> dict[str, LogMeasure]:
    """Return all measures that are one number, in the order of ``measures.SCALARS``."""
    try:
        journal = log.measured
    except JournalError as error:
        reason = f"not measured: {error}"
        return {name: LogMeasure(None, reason=reason) for name in SCALARS}
    return measured_in(log, journal, log.effective_settings, log.first_us + log.covered_us)


def measured_in(log: FieldLog, journal: Journal, settings: Settings, last_us: int) -> dict[str, LogMeasure]:
    """Return the measures of a journal of the calls of ``log``: the log's own, or one simulated with its calls."""
    kinds = set(journal.kind.tolist())
    if not log.parking and log.calls_recorded:
        return _of_waits(log, journal, settings, kinds)
    if c.PARKED not in kinds:
        return {name: LogMeasure(None, reason="no stay of the log is whole") for name in SCALARS}
    whole = measure_rows(journal, settings, Window(log.first_us, last_us + 1), SERVICE_TARGET_US)
    begin_us, end_us = _lot_window(journal)
    timed = measure_rows(journal, settings, Window(begin_us, end_us), SERVICE_TARGET_US)
    values = {name: float(timed[name] if name in _TIMED else whole[name]) for name in SCALARS}
    values["offered_erlang"] = whole["parks_requested"] * whole["parked_s_mean"] / ((end_us - begin_us) / 1e6)
    reasons = _undefined(log, kinds)
    limits = _limits(journal, end_us - begin_us)
    return {
        name: LogMeasure(None, reason=reasons.get(name, "nothing of the kind in the log"))
        if name in reasons or math.isnan(value)
        else LogMeasure(value, *limits.get(name, ()))
        for name, value in values.items()
    }


_WAITS: Final = (
    *("calls_offered", "queue_abandoned_share", "answer_wait_s_mean", "answer_wait_s_p95", "answered_within_share"),
)


def _of_waits(log: FieldLog, journal: Journal, settings: Settings, kinds: set[int]) -> dict[str, LogMeasure]:
    """Return the measures of a log that tells when calls came and were answered, and nothing of parks."""
    whole = measure_rows(journal, settings, Window(log.first_us, log.last_us + 1), SERVICE_TARGET_US)
    silent = LogMeasure(None, reason="the log has no parking events")
    measures = dict.fromkeys(SCALARS, silent) | {name: LogMeasure(float(whole[name])) for name in _WAITS}
    offered, kind = int((journal.kind == c.OFFERED).sum()), journal.kind
    gone = int(((kind == c.ABANDONED) & (journal.reason == c.WAITING)).sum())
    limits = clopper_pearson_limits(gone, offered)
    measures["queue_abandoned_share"] = LogMeasure(gone / offered, *limits) if offered else silent
    if c.ANSWERED not in kinds:
        unanswered = LogMeasure(None, reason="no call of the log is answered")
        measures |= dict.fromkeys(("answer_wait_s_mean", "answer_wait_s_p95", "answered_within_share"), unanswered)
    return measures


def _lot_window(journal: Journal) -> tuple[int, int]:
    """Return the instants of the first and last event of the lots."""
    slot_rows = journal.time_us[(journal.slot >= 0) | (journal.kind == c.REFUSED)]
    begin_us = int(slot_rows[0])
    return begin_us, max(int(slot_rows[-1]), begin_us + 1)


def _undefined(log: FieldLog, kinds: set[int]) -> dict[str, str]:
    """Return the reason for each measure that this log leaves undefined."""
    reasons = {}
    if log.settings is None:
        for name in ("attendant_utilisation", "staff_utilisation"):
            reasons[name] = "the log does not say how many there are"
    if not log.has_slots and c.REFUSED not in kinds:
        reasons["time_full_share"] = "the log does not say how many slots there are"
    if not log.requests_recorded:
        for name in ("parks_requested", "offered_erlang", "refused_share"):
            reasons[name] = "such a log has no event for a refused park"
    if not log.calls_recorded:
        silent = "the log has no calls that were never parked"
        for name in ("calls_offered", "parks_per_call", "queue_abandoned_share", "queue_full_share", "lost_share"):
            reasons[name] = silent
        for name in ("answer_wait_s_mean", "answer_wait_s_p95", "answered_within_share"):
            reasons[name] = "the log does not say when calls came"
    if c.RECALL_RINGING not in kinds and (c.RECALL_ANSWERED not in kinds or log.settings is None):
        for name in ("recall_busy_share", "recall_answered_share", "recall_abandoned_share"):
            reasons[name] = "the log does not say what became of returns"
    if not kinds & {c.ENDED, c.LOST}:
        reasons["lost_share"] = "the log does not say how calls end"
    return reasons


def _limits(journal: Journal, time_us: int) -> dict[str, tuple[float, float]]:
    """Return the 95 % limits of shares, and of the mean occupancy."""
    kind = journal.kind
    parks = int((kind == c.PARKED).sum())
    refused = int((kind == c.REFUSED).sum())
    gone = (kind == c.ABANDONED) & (journal.reason == c.IN_LOT)
    ends = {"retrieved_share": kind == c.RETRIEVED, "expired_share": kind == c.EXPIRED, "abandoned_share": gone}
    limits = {name: clopper_pearson_limits(int(rows.sum()), parks) for name, rows in ends.items()}
    limits["refused_share"] = clopper_pearson_limits(refused, parks + refused)
    stays = sorted((ended.time_us, parked.time_us) for parked, ended in stays_of(journal.facts()) if ended)
    stays_s = [(until_us - from_us) / 1e6 for until_us, from_us in stays]
    mean = sum(stays_s) / (time_us / 1e6)
    half = NormalDist().inv_cdf(0.975) * math.sqrt(sum(one * one for one in stays_s)) / (time_us / 1e6)
    limits["occupancy_mean"] = max(mean - half, 0.0), mean + half
    return limits
