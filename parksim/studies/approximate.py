"""Every measure of a scenario from theory alone, read from the flows that are in balance (``balance``)."""

import math
from typing import Any, Final, NamedTuple

import numpy as np

from parksim.catalogue import BY_NAME
from parksim.scenario.model import Scenario
from parksim.scenario.quantities import UNLIMITED
from parksim.studies.balance import HOUR_S, Balance, Method
from parksim.studies.ideal import Floats, day_factors
from parksim.theory.flows import Flow
from parksim.theory.race import quantile_s

DAYS: Final = 3
"""Days of other factors that busy days are averaged over."""
BUSY: Final = 0.8
"""From this share of attendants at work on, errors are larger."""
FORGOTTEN: Final = 2e-3
"""The empty start is forgotten when lot and attendants are as far from their average as this share of it."""


class Answers(NamedTuple):
    """What theory expects.

    Attributes:
        values: By measure, nan where it is undefined; arrays for vectors.
        chained: Whether the chain of attendants and lots was small enough.
        settled: Whether the empty start is forgotten when the window begins.
        strained: Whether attendants are very busy or missing for an hour, shares or delays change by the hour (the
            average stands for them), or the calls are recorded ones.
    """

    values: dict[str, Any]
    chained: bool
    settled: bool
    strained: bool


def approximated(scenario: Scenario, method: Method = "chain") -> Answers:
    """Return what theory expects of each measure.

    Args:
        scenario: Any.
        method: "load" takes the refused share from Erlang's formula on the load of each instant, "chain" from the chain
            of attendants, queue and lots where that is small enough, else as "load".

    Raises:
        UnfitError: A file of the scenario is not at hand.
    """
    found = [(weight, _on_a_day(scenario, method, factor)) for factor, weight in day_factors(scenario, DAYS)]
    usual = found[len(found) // 2][1]
    if len(found) == 1:
        return usual
    values = {name: _mixed(name, found) for name in usual.values}
    return Answers(values, all(one.chained for _, one in found), settled=False, strained=usual.strained)


def _mixed(name: str, found: list[tuple[float, Answers]]) -> Any:
    """Return the mean of a measure over days: of a share or a mean, by what it is a share of, or a mean over."""
    measure = BY_NAME[name]
    counted = _COUNTED.get(measure.of or measure.per, lambda _: 1.0)
    weights = [weight * counted(one.values) for weight, one in found]
    if not sum(weights) > 0.0:
        return found[0][1].values[name]
    return sum(weight * one.values[name] for weight, (_, one) in zip(weights, found, strict=True)) / sum(weights)


_COUNTED: Final[dict[str, Any]] = {
    "calls": lambda values: values["calls_offered"],
    "answers": lambda values: values["calls_offered"] * (1.0 - values["queue_abandoned_share"]),
    "park requests": lambda values: values["parks_requested"],
    "parks": lambda values: values["parks_made"],
    "returns": lambda values: values["parks_made"] * np.nan_to_num(values["expired_share"]),
}


def _on_a_day(scenario: Scenario, method: Method, factor: float) -> Answers:
    """Return what theory expects of days whose rates are multiplied by a factor."""
    work = Balance(scenario, method, factor)
    flow = work.run()
    pmf = _pmf(work)
    values = _counts(work, flow) | _of_lot(work, flow, pmf) | _of_people(work, flow) | _of_stays(work, flow)
    missing = work.duty is not None and bool((work.duty[work.grid.weight > 0] == 0).any())
    by_hour = len(set(scenario.parking.shares)) > 1 or len(set(scenario.retrieval.factors)) > 1
    busy = values["attendant_utilisation"] >= BUSY
    strained = busy or missing or by_hour or scenario.recording is not None
    values |= _by_hour(work, flow) | _by_lot(work, flow)
    return Answers(values, work.chain is not None, _settled(work, flow), strained)


def _share(part: float, whole: float) -> float:
    return part / whole if whole > 1e-12 else math.nan


def _settled(work: Balance, flow: Flow) -> bool:
    """Tell whether the lot, and who is at work, are at the beginning of the window as on its average."""
    weight = work.grid.weight / work.grid.weight.sum()
    first = int(np.flatnonzero(weight)[0])
    means = [work.means(flow.parked_s[0]).sum(axis=0), work.means(flow.attended_s[0])]
    return all(abs(one[first] - one @ weight) <= FORGOTTEN * max(one @ weight, 1e-9) for one in means)


def _counts(work: Balance, flow: Flow) -> dict[str, Any]:
    """Return what counts calls, and shares of counts."""

    def count(name: str) -> float:
        return float(getattr(flow, name)[1].sum())

    calls = float(work.offered[1].sum())
    turned = hung = 0.0
    if work.people is not None:
        hung = float((work.offered[1] * work.cells_of(work.people.hung_up)).sum())
        turned = max(float((work.offered[1] * (1.0 - work.cells_of(work.people.answered))).sum()) - hung, 0.0)
    asked, parked, expired = count("asked"), count("parked"), count("expired")
    recalls = float(flow.expired[0].sum(axis=0) @ work.at_points)
    busy = work.busy_share if work.scenario.recall.to == "parker" else math.nan
    return {
        "calls_offered": calls,
        "parks_requested": asked,
        "parks_made": parked,
        "refused_share": _share(count("refused"), asked),
        "retrieved_share": _share(count("retrieved"), parked),
        "expired_share": _share(expired, parked),
        "abandoned_share": _share(count("hung_up"), parked),
        "recalls_per_hour": recalls / (float(work.grid.weight.sum()) / HOUR_S),
        "recall_busy_share": busy if expired > 1e-12 else math.nan,
        "forwarded_share": _share(expired if work.scenario.recall.to == "elsewhere" else 0.0, calls),
        "recall_answered_share": _share(count("back_taken"), expired),
        "recall_abandoned_share": _share(count("back_hung_up"), expired),
        "lost_share": _share(count("lost") + turned, calls),
        "queue_abandoned_share": _share(hung, calls),
        "queue_full_share": _share(turned, calls),
        "parks_per_call": _share(parked, calls),
    }


def _of_lot(work: Balance, flow: Flow, pmf: Floats) -> dict[str, Any]:
    """Return how full the lots are."""
    weight = work.grid.weight / work.grid.weight.sum()
    level = work.means(flow.parked_s[0])
    return {
        "occupancy_mean": float((level @ weight).sum()),
        "occupancy_p95": float(np.searchsorted(np.cumsum(pmf), 0.95 - 1e-12)),
        "occupancy_max": _most(work, flow, pmf),
        "occupancy_pmf": pmf,
        "time_full_share": float(pmf[-1]),
    }


def _most(work: Balance, flow: Flow, pmf: Floats) -> float:
    """Return the mean of the greatest number parked in the window.

    The lots reach a number for the first time at the rate of requests times the share of time at one less, of the time
    with less than it; so the greatest is below it with probability exp(-that). (Aldous, Probability Approximations via
    the Poisson Clumping Heuristic, chapter on Markov chains.)
    """
    # A stay of no length is never counted.
    last = max(
        float(lot.share * np.real(one.lasting[0])) > 0.0
        for lot, one in zip(work.call.lots, work.kernels.classes, strict=True)
    )
    requests = float(flow.requests[0].sum(axis=0) @ work.at_points) * last
    below = np.cumsum(pmf)[:-1]
    begins = np.clip(below, 0.0, 1.0)
    return float(np.sum(1.0 - begins * np.exp(-requests * pmf[:-1] / np.maximum(below, 1e-300))))


def _of_people(work: Balance, flow: Flow) -> dict[str, Any]:
    """Return waits, and how busy attendants and staff are."""
    weight, scenario, people = work.grid.weight, work.scenario, work.people
    staff, attended = scenario.retrieval.staff, work.means(flow.attended_s[0])
    staffed = float(work.means(flow.staff_s[0]) @ weight)
    found: dict[str, Any] = {
        "attendant_utilisation": math.nan,
        "staff_utilisation": math.nan if staff == UNLIMITED else min(staffed / weight.sum() / int(staff), 1.0),
    }
    if work.duty is not None:
        found["attendant_utilisation"] = min(_share(float(attended @ weight), float(work.duty @ weight)), 1.0)
    if people is None:
        return found | {"answer_wait_s_mean": 0.0, "answer_wait_s_p95": 0.0, "answered_within_share": 1.0}
    return found | {
        "answer_wait_s_mean": people.wait_s,
        "answer_wait_s_p95": people.p95_s,
        "answered_within_share": people.in_time,
    }


class _Stays(NamedTuple):
    """The stays of all lots as one law."""

    shares: tuple[float, ...]
    clocks: tuple[tuple[Any, ...], ...]
    never: float

    def survival(self, t_s: Floats) -> Floats:
        """Return P(stay > t)."""
        total = np.zeros_like(t_s)
        for share, (patience, retrieval, limit) in zip(self.shares, self.clocks, strict=True):
            alive = np.full_like(t_s, share)
            for law, never in ((patience, 0.0), (retrieval, self.never), (limit, 0.0)):
                if law is not None:
                    alive *= never + (1.0 - never) * np.asarray(law.survival(t_s))
            total += alive
        return total


def _of_stays(work: Balance, flow: Flow) -> dict[str, Any]:
    """Return how long stays last."""
    parked = flow.parked[1].sum(axis=-1)
    if parked.sum() <= 1e-12:
        return dict.fromkeys(("parked_s_mean", "parked_s_p50", "parked_s_p95", "offered_erlang"), math.nan)
    mean_s = float(flow.parked_s[1, :, -1].sum() / parked.sum())
    call = work.kernels.call
    retrieval = call.retrieval if call.never < 1 else None
    # The clocks are those of the lot a call asks first, which is nearly always the one it is parked in.
    law: Any = _Stays(
        tuple((parked / parked.sum()).tolist()),
        tuple((lot.patience, retrieval, lot.limit) for lot in call.lots),
        call.never,
    )
    return {
        "parked_s_mean": mean_s,
        "parked_s_p50": quantile_s(law, 0.5),
        "parked_s_p95": quantile_s(law, 0.95),
        "offered_erlang": float(flow.asked[1].sum()) * mean_s / float(work.grid.weight.sum()),
    }


def _by_hour(work: Balance, flow: Flow) -> dict[str, Any]:
    """Return vectors by hour of day; nan where there is nothing to divide by."""
    grid = work.grid
    edges_s = np.append(grid.middle_s - 0.5 * grid.step_s, grid.start_s + grid.cells * grid.step_s)
    at_points = (edges_s // HOUR_S).astype(np.int64) % 24
    of_cells = at_points[:-1]

    def hours(values: Floats, where: Any = at_points) -> Floats:
        return np.bincount(where, values, minlength=24).astype(np.float64)

    open_s = hours(grid.weight, of_cells)
    calls = hours(work.offered[1], of_cells)
    asked = hours(flow.asked[1].sum(axis=0))
    level = work.means(flow.parked_s[0]).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = {
            "calls_offered_by_hour": calls,
            "parks_requested_by_hour": asked,
            "refused_share_by_hour": hours(flow.refused[1].sum(axis=0)) / asked,
            "expired_share_by_hour": hours(flow.expired[1].sum(axis=0)) / hours(flow.parked[1].sum(axis=0)),
            "recalls_per_hour_by_hour": hours(flow.expired[0].sum(axis=0) * work.at_points) / (open_s / HOUR_S),
            "occupancy_mean_by_hour": hours(level * grid.weight, of_cells) / open_s,
        }
        if work.people is not None and work.duty is not None:
            in_time = work.cells_of(work.people.in_time_by_step) * work.offered[1]
            attended = work.means(flow.attended_s[0]) * grid.weight
            found["answered_within_share_by_hour"] = hours(in_time, of_cells) / calls
            found["attendant_utilisation_by_hour"] = hours(attended, of_cells) / hours(
                work.duty * grid.weight, of_cells
            )
    return found


def _by_lot(work: Balance, flow: Flow) -> dict[str, Any]:
    """Return vectors by lot."""
    asked, parked = flow.asked[1].sum(axis=-1), flow.parked[1].sum(axis=-1)
    weight = work.grid.weight / work.grid.weight.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "parks_requested_by_lot": asked,
            "refused_share_by_lot": flow.refused[1].sum(axis=-1) / asked,
            "expired_share_by_lot": flow.expired[1].sum(axis=-1) / parked,
            "occupancy_mean_by_lot": work.means(flow.parked_s[0]) @ weight,
        }


def _pmf(work: Balance) -> Floats:
    """Return the share of time with each number parked in all lots together."""
    weight = work.grid.weight / work.grid.weight.sum()
    if work.chain is not None and work.call.wish:
        steps = np.add.reduceat(weight, np.arange(0, work.grid.cells, work.every))
        return steps @ work.chain.parked
    every = max(1, work.grid.cells // 2000)
    load = work.load[:, ::every]
    chosen = np.add.reduceat(weight, np.arange(0, work.grid.cells, every))
    pmf = np.ones((load.shape[1], 1))
    for slots, one in zip(work.slots, load, strict=True):
        terms = [np.ones_like(one)]
        for number in range(1, slots + 1):
            terms.append(terms[-1] * one / number)
        own = np.stack(terms, axis=1)
        own /= own.sum(axis=1, keepdims=True)
        joint = np.zeros((len(one), pmf.shape[1] + slots))
        for number in range(slots + 1):
            joint[:, number : number + pmf.shape[1]] += pmf * own[:, number : number + 1]
        pmf = joint
    return chosen @ pmf
