"""What theory says of a scenario: a formula's value for each measure, or the reason why none holds.

A formula stands here only where it is exact: for shares and means of all calls, or once the empty start is forgotten
("after warm-up"). Each function below is one section of the table; what they have in common (``_Known``) is either
known or a text that says why not, which then stands in the place of every value that would need it.
"""

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from parksim import theory
from parksim.catalogue import SCALARS, VECTORS
from parksim.errors import UnfitError
from parksim.scenario.laws import Law
from parksim.scenario.lots import NamedLot
from parksim.scenario.model import Scenario
from parksim.scenario.quantities import DAY_US, HOUR_US, HOURS, UNLIMITED
from parksim.scenario.sections import Hourly, Poisson, Recorded, busy_cv
from parksim.theory import LossLot, Race

NAMES: Final = (*SCALARS, *VECTORS)

NO_PARKS: Final = "no call is parked"
NO_EXPIRY: Final = "no call can time out"
RACE: Final = "race of the clocks"
LOSS: Final = "Erlang B, after warm-up"
DELAY: Final = "Erlang C, after warm-up"
IMPATIENT: Final = "Erlang A, after warm-up"
AT_ONCE: Final = "answered at once"
ELSEWHERE: Final = "calls leave for elsewhere"

# What the sections below give values to.
_OF_LOT: Final = (
    *("refused_share", "time_full_share", "slot_utilisation"),
    *("occupancy_mean", "occupancy_p95", "occupancy_pmf"),
)
_BY_LOT: Final = ("refused_share", "occupancy_mean")
_OF_STAY: Final = (
    *("retrieved_share", "expired_share", "abandoned_share", "expired_share_by_lot"),
    *("parked_s_mean", "parked_s_p50", "parked_s_p95"),
)
_OF_RETURN: Final = ("recall_busy_share", "recall_answered_share", "recall_abandoned_share")
_OF_QUEUE: Final = (
    *("attendant_utilisation", "answer_wait_s_mean", "answer_wait_s_p95"),
    *("answered_within_share", "queue_abandoned_share", "queue_full_share"),
)


class Formula(NamedTuple):
    """What theory says of one measure.

    Attributes:
        value: The value, a tuple for a vector; None where theory has none.
        reason: The name of the formula or of the approximation, or why there is no value.
        within: Of an approximation, by how much it may be off (in the measure's unit; of a vector each element, as a
            share of itself); None: the formula is exact.
    """

    value: float | tuple[float, ...] | None
    reason: str
    within: float | None = None

    def at(self, index: int | None) -> dict[str, float | str | None]:
        """Return the JSON of the formula, of one element if it is a vector's."""
        value = self.value[index] if isinstance(self.value, tuple) and index is not None else self.value
        assert not isinstance(value, tuple)
        return {"formula": value, "formula_reason": self.reason}


UNKNOWN: Final = Formula(None, "no formula is known")
Table = dict[str, Formula]
Hours = NDArray[np.float64]
"""Shape (24,): one number for each hour of the day."""


class _Known(NamedTuple):
    """What several measures depend on; a text says why it is not known."""

    calls: Hours  # expected in the window, by hour of day
    rate_per_s: float | str  # of a Poisson process
    stay: Race | str
    asking: Hours | str  # park requests a call, by the hour in which it is offered
    of_lots: NDArray[np.float64]  # what share of the calls asks each lot
    lots: tuple[LossLot, ...] | str
    lot: LossLot | str  # all of them together


def formulas(scenario: Scenario) -> Mapping[str, Formula]:
    """Return what theory says of every measure of ``scenario``.

    A steady state is compared with what is measured after the warm-up; whether that is long enough is not checked
    here. Values of vectors by hour are given for all 24, also for hours outside the window.

    >>> from parksim.scenario.model import TEMPLATE
    >>> table = formulas(Scenario.loads(TEMPLATE))
    >>> table["calls_offered"][:2], table["refused_share"].reason
    ((2115.0, 'rate x time'), 'limited attendants: parks are not Poisson')
    """
    try:
        table = _table(scenario)
    except UnfitError:  # a scenario read back from a result names its files by digest only
        table = _none("a file of the scenario is not at hand", NAMES)
    return {name: table.get(name, UNKNOWN) for name in NAMES}


def _none(reason: str, names: Iterable[str]) -> Table:
    return dict.fromkeys(names, Formula(None, reason))


def _table(scenario: Scenario) -> Table:
    known = _known(scenario)
    if key := scenario.beyond_theory:
        return _none(f"no formula knows {key}", NAMES) | _arrivals(scenario, known)
    queue = _queue(scenario, known)
    queue |= _by_hour(queue, "attendant_utilisation", "answered_within_share")
    table = _arrivals(scenario, known) | queue
    if not any(scenario.parking.shares):
        return table | _no_parks(scenario) | {"lost_share": table["queue_full_share"]}
    lot = _lot(known)
    return (
        table
        | _requests(scenario, known)
        | lot
        | _by_hour(lot, "refused_share", "recalls_per_hour", "occupancy_mean")
        | _none("time-outs fall into later hours", ["expired_share_by_hour"])  # than that of the park
        | _stays(scenario, known)
        | _returns(scenario)
        | _no_returns(scenario)
        | _losses(scenario, known)
        | _ways(scenario, known)
        | _staff(scenario)
    )


# What is known --------------------------------------------------------------------------------------------------------


def _known(scenario: Scenario) -> _Known:
    calls, rate = _calls_by_hour(scenario), _poisson_rate(scenario)
    stay, asking = _stay(scenario), _asking(scenario)
    weights = np.array([lot.weight if isinstance(lot, NamedLot) else 1.0 for lot in scenario.lots])
    of_lots = weights / weights.sum()
    limited = "limited attendants: parks are not Poisson" if scenario.attendants.count != UNLIMITED else None
    uneven = "the share of parks changes by the hour" if len(set(scenario.parking.shares)) > 1 else None
    whys = (rate, limited, stay, asking, uneven)
    lots: tuple[LossLot, ...] | str = next((why for why in whys if isinstance(why, str)), "")
    if not (isinstance(rate, str) or limited or isinstance(stay, str) or isinstance(asking, str) or uneven):
        lots = tuple(
            theory.loss_lot(
                rate * float(asking[0]) * share,
                stay,
                lot.slots,
                "random" if scenario.parking.slot == "chosen" else lot.choice,
            )
            for lot, share in zip(scenario.lots, of_lots.tolist(), strict=True)
        )
    lot = lots if isinstance(lots, str) else _together(lots, of_lots)
    return _Known(calls, rate, stay, asking, of_lots, lots, lot)


def _together(lots: tuple[LossLot, ...], of_lots: NDArray[np.float64]) -> LossLot:
    """Return several lots as one: independent of each other, since the parts of a split Poisson process are."""
    if len(lots) == 1:
        return lots[0]
    pmf = np.ones(1)
    for lot in lots:
        pmf = np.convolve(pmf, lot.occupancy_pmf)
    return dataclasses.replace(
        lots[0],
        offered_erlang=math.fsum(lot.offered_erlang for lot in lots),
        refused_share=math.fsum(of_lots * [lot.refused_share for lot in lots]),
        time_full_share=math.prod(lot.time_full_share for lot in lots),
        occupancy_mean=math.fsum(lot.occupancy_mean for lot in lots),
        occupancy_p95=theory.pmf_quantile(pmf, 0.95),
        occupancy_pmf=tuple(pmf.tolist()),
        slot_utilisation=tuple(load for lot in lots for load in lot.slot_utilisation),
    )


def _calls_by_hour(scenario: Scenario) -> Hours:
    """Return how many calls are expected in the window, by hour of day."""
    arrivals, start_us, end_us = scenario.arrivals, scenario.warm_up_us, scenario.horizon_us
    if isinstance(arrivals, Poisson):
        return arrivals.rate * 3_600 * _open_hours(start_us, end_us)
    if isinstance(arrivals, Hourly):
        return np.array(arrivals.calls_per_hour) * _open_hours(start_us, end_us)
    recording = arrivals.recording
    instant_us = recording.instant_us if arrivals.resample is None else recording.time_of_day_us
    counted_us = instant_us[(instant_us >= start_us) & (instant_us < end_us)]
    counts = np.bincount(counted_us // HOUR_US % HOURS, minlength=HOURS).astype(np.float64)
    return counts if arrivals.resample is None else counts / recording.days


def _open_hours(start_us: int, end_us: int) -> Hours:
    """Return how many hours of the window fall into each hour of day."""

    def until(time_us: int) -> NDArray[np.int64]:
        of_today_us = np.clip(time_us % DAY_US - np.arange(HOURS) * HOUR_US, 0, HOUR_US)
        return time_us // DAY_US * HOUR_US + of_today_us

    return (until(end_us) - until(start_us)) / HOUR_US


def _poisson_rate(scenario: Scenario) -> float | str:
    """Return the calls a second of a Poisson process of constant rate, or why it is not one."""
    arrivals = scenario.arrivals
    if isinstance(arrivals, Recorded):
        return "recorded calls are not Poisson"
    if busy_cv(arrivals):
        return "the rate of calls differs from day to day"
    if isinstance(arrivals, Poisson):
        return arrivals.rate
    rates = set(arrivals.calls_per_hour)
    return rates.pop() / 3_600 if len(rates) == 1 else "the rate of calls changes by the hour"


def _stay(scenario: Scenario) -> Race | str:
    if _staff_may_be_busy(scenario):
        return "limited staff: retrievals may wait"
    retrieval = scenario.retrieval
    if set(retrieval.factors) != {1.0}:
        return "the delay has a factor by the hour"
    lot, *others = scenario.lots
    if any(
        (one.max_in_parking, scenario.stay_patience(one)) != (lot.max_in_parking, scenario.stay_patience(lot))
        for one in others
    ):
        return "stays differ from lot to lot"
    return _race(scenario.stay_patience(lot), retrieval.delay, retrieval.never, lot.max_in_parking)


def _race(patience: Law | None, event: Law | None, never: float, limit: Law | float | None) -> Race | str:
    try:
        return theory.race(patience, event, never, limit)
    except ArithmeticError:
        return "a law is too rough to integrate"


def _staff_may_be_busy(scenario: Scenario) -> bool:
    """Tell whether a retrieval may wait for a member; members who never talk are free again at once."""
    return scenario.retrieval.staff != UNLIMITED and scenario.retrieval.talk.mean_s > 0


def _can_expire(scenario: Scenario) -> bool:
    """Tell whether a stay may reach maxInParking; at a tie hang-up and retrieval come first."""
    fetched = scenario.retrieval.never == 0 and not _staff_may_be_busy(scenario)
    for lot in scenario.lots:
        if lot.max_in_parking is not None:
            patience, delay = scenario.stay_patience(lot), scenario.retrieval.delay if fetched else None
            latest_s = math.inf if patience is None else patience.support_s[1]
            if delay is not None:
                latest_s = min(latest_s, delay.support_s[1] * max(scenario.retrieval.factors))
            if latest_s > lot.max_in_parking.support_s[0]:
                return True
    return False


def _asking(scenario: Scenario) -> Hours | str:
    """Return the park requests a call makes on average, by the hour in which it is offered: at most one each.

    A text says why they are more or fewer.
    """
    queue = scenario.queue
    if scenario.when_full == "keep" and scenario.retries > 0:
        return "refused calls ask again"
    if scenario.when_full == "overflow" and len(scenario.lots) > 1:
        return "refused calls ask the next lot"
    if scenario.parking.max_parks > 1 and _can_expire(scenario) and scenario.recall.to != "elsewhere":
        return "returned calls are parked again"
    if scenario.attendants.count != UNLIMITED and (queue.limit != UNLIMITED or scenario.queue_patience is not None):
        return "calls may be lost before they are parked"
    return np.array(scenario.parking.shares)


# Arrivals and requests: the same in every steady or unsteady state ----------------------------------------------------


def _arrivals(scenario: Scenario, known: _Known) -> Table:
    arrivals = scenario.arrivals
    if isinstance(arrivals, Recorded):
        reason = "count of the recording" if arrivals.resample is None else "mean of the recorded days"
    else:
        reason = "rate x time" if isinstance(arrivals, Poisson) else "sum of the hourly rates"
    return {
        "calls_offered": Formula(math.fsum(known.calls.tolist()), reason),
        "calls_offered_by_hour": Formula(tuple(known.calls.tolist()), reason),
    }


def _requests(scenario: Scenario, known: _Known) -> Table:
    asking, stay = known.asking, known.stay
    if isinstance(asking, str):
        return _none(asking, ("parks_requested", "offered_erlang", "parks_requested_by_hour", "parks_requested_by_lot"))
    requests = asking * known.calls
    total, window_s = math.fsum(requests.tolist()), (scenario.horizon_us - scenario.warm_up_us) / 1e6
    erlang = (
        Formula(None, stay) if isinstance(stay, str) else Formula(total * stay.mean_s / window_s, "requests x stay")
    )
    if scenario.attendants.count == UNLIMITED and scenario.attendants.handling.mean_s == 0:
        by_hour = Formula(tuple(requests.tolist()), "calls x probability")
    else:
        by_hour = Formula(None, "handling lasts into the next hour")
    return {
        "parks_requested": Formula(total, "calls x probability"),
        "offered_erlang": erlang,
        "parks_requested_by_hour": by_hour,
        "parks_requested_by_lot": Formula(tuple((total * known.of_lots).tolist()), "calls x probability x weight"),
    }


# The lot --------------------------------------------------------------------------------------------------------------


def _no_parks(scenario: Scenario) -> Table:
    """Return the measures of a lot that nobody uses."""
    requests = ("parks_requested", "parks_made", "parks_per_call", "recalls_per_hour", "forwarded_share")
    occupancy = ("time_full_share", "occupancy_mean", "occupancy_p95", "occupancy_max")
    by_hour = ("parks_requested_by_hour", "recalls_per_hour_by_hour", "occupancy_mean_by_hour")
    undefined = ("offered_erlang", "refused_share", "refused_share_by_hour", "refused_share_by_lot")
    no_slots = (0.0,) * sum(lot.slots for lot in scenario.lots)
    no_lots = Formula((0.0,) * len(scenario.lots), NO_PARKS)
    staff = Formula(None, "staff are unlimited") if scenario.retrieval.staff == UNLIMITED else Formula(0.0, NO_PARKS)
    return (
        _none(
            NO_PARKS,
            (
                *undefined,
                "expired_share_by_hour",
                *_OF_STAY,
                *_OF_RETURN,
                "recall_retrieved_share",
                "stranger_share",
                "slot_taken_share",
                "reminded_share",
                "resumed_share",
            ),
        )
        | dict.fromkeys((*requests, *occupancy), Formula(0.0, NO_PARKS))
        | dict.fromkeys(by_hour, Formula((0.0,) * HOURS, NO_PARKS))
        | {"occupancy_pmf": Formula((1.0, *no_slots), NO_PARKS), "slot_utilisation": Formula(no_slots, NO_PARKS)}
        | {"staff_utilisation": staff, "parks_requested_by_lot": no_lots, "occupancy_mean_by_lot": no_lots}
    )


def _lot(known: _Known) -> Table:
    """Return the lot as a loss system, M/G/c/c."""
    lot = known.lot
    longest = {"occupancy_max": Formula(None, "grows with the length of the run")}
    if isinstance(lot, str):
        by_lot = (f"{name}_by_lot" for name in _BY_LOT)
        return _none(lot, (*_OF_LOT, *by_lot, "parks_made", "parks_per_call", "recalls_per_hour")) | longest
    assert not isinstance(known.asking, str)
    assert not isinstance(known.rate_per_s, str)
    assert not isinstance(known.lots, str)
    asking = float(known.asking[0])  # in every hour, since the lots are known
    parked = asking * (1.0 - lot.refused_share)
    values: dict[str, float | tuple[float, ...]] = {
        **{name: getattr(lot, name) for name in _OF_LOT},
        **{f"{name}_by_lot": tuple(getattr(one, name) for one in known.lots) for name in _BY_LOT},
        "occupancy_p95": float(lot.occupancy_p95),
        "parks_made": parked * math.fsum(known.calls.tolist()),
        "parks_per_call": parked,
        "recalls_per_hour": 3_600 * known.rate_per_s * asking * (1.0 - lot.refused_share) * lot.expired_share,
    }
    return {name: Formula(value, LOSS) for name, value in values.items()} | longest


def _by_hour(table: Table, *names: str) -> Table:
    """Return some measures of a table by hour of day: in a steady state all hours are alike."""
    known = {name: table[name] for name in names}
    return {
        f"{name}_by_hour": Formula((one.value,) * HOURS if isinstance(one.value, float) else None, one.reason)
        for name, one in known.items()
    }


def _stays(scenario: Scenario, known: _Known) -> Table:
    """Return how a stay ends and how long it is: the same for every parker, and however full the lot is."""
    stay = known.stay
    if not isinstance(stay, str):
        values: dict[str, float | tuple[float, ...]] = {
            **{name: getattr(stay, name) for name in ("retrieved_share", "expired_share", "abandoned_share")},
            "parked_s_mean": stay.mean_s,
            "parked_s_p50": theory.quantile_s(stay, 0.5),
            "parked_s_p95": theory.quantile_s(stay, 0.95),
            "expired_share_by_lot": (stay.expired_share,) * len(scenario.lots),
        }
        return {name: Formula(value, RACE) for name, value in values.items()}
    table = _none(stay, _OF_STAY)
    if all(scenario.stay_patience(lot) is None for lot in scenario.lots):
        table["abandoned_share"] = Formula(0.0, "parked callers wait without end")
    if scenario.retrieval.never == 1:
        table["retrieved_share"] = Formula(0.0, "nobody fetches a call")
    return table


# Calls that come back, and calls that are lost ------------------------------------------------------------------------


class _Return(NamedTuple):
    """How a return to unlimited attendants ends; shares of time-outs."""

    answered: float
    abandoned: float
    lost: float
    gone_at_once: float  # callers without any patience hang up before it rings


def _return(scenario: Scenario) -> _Return | str:
    if not _can_expire(scenario):
        return NO_EXPIRY
    recall, patience = scenario.recall, scenario.recall_patience
    if recall.to == "elsewhere":
        return _Return(0.0, 0.0, 0.0, 0.0)
    if scenario.attendants.count != UNLIMITED:
        return "limited attendants: returns may wait"
    gone = 0.0 if patience is None else 1.0 - float(patience.survival(np.zeros(1))[0])
    if recall.to == "group":
        return _Return(1.0 - gone, gone, 0.0, gone)
    limit_s = None if recall.ring == UNLIMITED else float(recall.ring) * recall.attempts
    ring = _race(patience, recall.answer, recall.never, limit_s)
    if isinstance(ring, str):
        return ring
    if recall.unanswered == "group":
        return _Return(1.0 - ring.abandoned_share, ring.abandoned_share, 0.0, gone)
    return _Return(ring.retrieved_share, ring.abandoned_share, ring.expired_share, gone)


def _returns(scenario: Scenario) -> Table:
    back, ways = _return(scenario), scenario.recall.to != "elsewhere"
    table = (
        _none(back, _OF_RETURN)
        if isinstance(back, str)
        else {
            "recall_busy_share": Formula(back.gone_at_once, "attendants are unlimited"),
            "recall_answered_share": Formula(back.answered, RACE if ways else ELSEWHERE),
            "recall_abandoned_share": Formula(back.abandoned, RACE if ways else ELSEWHERE),
        }
    )
    if scenario.recall.to == "group":
        table["recall_busy_share"] = Formula(None, "calls return to the group")
    elif not ways:
        table["recall_busy_share"] = Formula(None, ELSEWHERE)
    return table


def _no_returns(scenario: Scenario) -> Table:
    """Return what is certain when no stay reaches maxInParking, even if nothing else is known."""
    if _can_expire(scenario):
        return {}
    return {
        "expired_share": Formula(0.0, NO_EXPIRY),
        "expired_share_by_lot": Formula((0.0,) * len(scenario.lots), NO_EXPIRY),
        "recalls_per_hour": Formula(0.0, NO_EXPIRY),
        "recalls_per_hour_by_hour": Formula((0.0,) * HOURS, NO_EXPIRY),
    }


def _ways(scenario: Scenario, known: _Known) -> Table:
    """Return the measures of ways to park that most scenarios do not have, and the share of calls that leave."""
    table = {
        "slot_taken_share": Formula(0.0, "no slot that is asked for refuses"),
        "stranger_share": Formula(0.0, "no number is dialled for another call"),
        "reminded_share": Formula(0.0, "nobody is reminded"),
        "resumed_share": Formula(0.0, "nobody is reminded"),
        "recall_retrieved_share": Formula(0.0, "no ringing return can be fetched"),
    }
    if scenario.recall.to != "elsewhere" or not _can_expire(scenario):
        return table | {"forwarded_share": Formula(0.0, "no call is forwarded")}
    lot = known.lot
    if isinstance(lot, str):
        return table | _none(lot, ("forwarded_share",))
    assert not isinstance(known.asking, str)
    share = float(known.asking[0]) * (1.0 - lot.refused_share) * lot.expired_share
    return table | {"forwarded_share": Formula(share, LOSS)}


def _losses(scenario: Scenario, known: _Known) -> Table:
    """Return the share of calls that are lost, of those that may be parked."""
    limited, recall = scenario.attendants.count != UNLIMITED, scenario.recall
    to_parker = recall.to == "parker" and _can_expire(scenario)
    in_queue = limited and (scenario.queue.limit != UNLIMITED or (to_parker and recall.busy == "drop"))
    if not (scenario.when_full == "drop" or in_queue or (to_parker and recall.unanswered == "drop")):
        return {"lost_share": Formula(0.0, "no call is dropped; hang-ups are not in it")}
    lot, back = known.lot, _return(scenario)
    if isinstance(lot, str):
        return _none(lot, ("lost_share",))
    if back == NO_EXPIRY:
        back = _Return(0.0, 0.0, 0.0, 0.0)
    if isinstance(back, str):
        return _none(back, ("lost_share",))
    assert not isinstance(known.asking, str)
    refused = lot.refused_share if scenario.when_full == "drop" else 0.0
    unanswered = (1.0 - lot.refused_share) * lot.expired_share * back.lost
    return {"lost_share": Formula(float(known.asking[0]) * (refused + unanswered), LOSS)}


# People ---------------------------------------------------------------------------------------------------------------


def _staff(scenario: Scenario) -> Table:
    retrieval = scenario.retrieval
    if retrieval.staff == UNLIMITED:
        formula = Formula(None, "staff are unlimited")
    elif retrieval.talk.mean_s == 0:
        formula = Formula(0.0, "staff never talk")
    elif retrieval.never == 1:
        formula = Formula(0.0, "nobody fetches a call")
    else:
        formula = Formula(None, "limited staff: retrievals may wait")
    return {"staff_utilisation": formula}


def _queue(scenario: Scenario, known: _Known) -> Table:
    """Return the queue and its attendants; what is certain in any case replaces what has no formula."""
    if scenario.attendants.count == UNLIMITED:
        return _zeros(AT_ONCE) | {"attendant_utilisation": Formula(None, "attendants are unlimited")}
    table = _attendants(scenario, known)
    if scenario.queue_patience is None:
        table["queue_abandoned_share"] = Formula(0.0, "callers wait without end")
    if scenario.queue.limit == UNLIMITED:
        table["queue_full_share"] = Formula(0.0, "the queue has no limit")
    return table


def _zeros(reason: str) -> Table:
    """Return the measures of a queue in which nobody ever waits."""
    return dict.fromkeys(_OF_QUEUE, Formula(0.0, reason)) | {"answered_within_share": Formula(1.0, reason)}


def _attendants(scenario: Scenario, known: _Known) -> Table:
    """Return what limited attendants do when they are alone: every call is one stretch of service, then ends."""
    if any(scenario.parking.shares):
        return _none("attendants park calls as well", _OF_QUEUE)
    rate, queue, patience = known.rate_per_s, scenario.queue, scenario.queue_patience
    if isinstance(rate, str):
        return _none(rate, _OF_QUEUE)
    handling, talk = scenario.attendants.handling, scenario.attendants.talk
    servers, service_s = int(scenario.attendants.most), handling.mean_s + talk.mean_s
    if scenario.attendants.change:
        return _none("the number of attendants changes by the hour", _OF_QUEUE)
    if service_s == 0:
        return _zeros("service takes no time")
    if queue.limit == 0 or (patience is not None and patience.mean_s == 0):
        return _loss(servers, rate * service_s, to_queue_limit=queue.limit == 0)
    if queue.limit != UNLIMITED:
        return _none("the queue is limited", _OF_QUEUE)
    if patience is None and rate * service_s >= servers:
        return _none("more work than the attendants can do", _OF_QUEUE)
    if [law.kind for law in (handling, talk) if law.mean_s > 0] != ["exponential"]:
        table = _none("service is not exponential", _OF_QUEUE)
        if patience is None:  # under any law nobody leaves unserved
            table["attendant_utilisation"] = Formula(rate * service_s / servers, "offered load, after warm-up")
        return table
    if patience is None:
        return _delay(servers, rate, service_s, queue.target)
    if patience.kind != "exponential":
        return _none("patience is not exponential", _OF_QUEUE)
    return _impatient(servers, rate, service_s, patience.mean_s)


def _loss(servers: int, offered_erlang: float, *, to_queue_limit: bool) -> Table:
    """Return M/G/c/c: no call waits; refused at the door, or hung up at the instant of the offer."""
    blocked = theory.erlang_b(servers, offered_erlang)
    return _zeros("no call waits") | {
        "attendant_utilisation": Formula(offered_erlang * (1.0 - blocked) / servers, LOSS),
        "answered_within_share": Formula(1.0 - blocked, LOSS),
        ("queue_full_share" if to_queue_limit else "queue_abandoned_share"): Formula(blocked, LOSS),
    }


def _delay(servers: int, rate_per_s: float, service_s: float, target_s: float) -> Table:
    """Return M/M/c. P(wait > t) = C exp(-(c - A) t / s), which gives the quantile as well."""
    offered = rate_per_s * service_s
    waits = theory.erlang_c(servers, offered)
    values = {
        "attendant_utilisation": offered / servers,
        "answer_wait_s_mean": theory.erlang_c_wait_s(servers, offered, service_s),
        "answer_wait_s_p95": max(0.0, math.log(waits / 0.05)) * service_s / (servers - offered) if waits > 0 else 0.0,
        "answered_within_share": theory.erlang_c_within(servers, offered, service_s, target_s),
    }
    return _zeros(DELAY) | {name: Formula(value, DELAY) for name, value in values.items()}


def _impatient(servers: int, rate_per_s: float, service_s: float, patience_s: float) -> Table:
    """Return M/M/c+M. Its mean wait is of all callers, the measure of the answered: that one stays open."""
    try:
        queue = theory.erlang_a(servers, rate_per_s, service_s, patience_s)
    except ValueError:
        return _none("the queue is too long to sum up", _OF_QUEUE)
    return _none("Erlang A knows no wait of the answered", _OF_QUEUE) | {
        "attendant_utilisation": Formula(queue.busy_mean / servers, IMPATIENT),
        "queue_abandoned_share": Formula(queue.abandoned_share, IMPATIENT),
    }
