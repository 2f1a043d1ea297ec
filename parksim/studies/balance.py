"""Flows, staff, attendants and lots of a scenario in balance: the bridge to ``theory.flows`` and ``theory.chain``.

Calls are followed in the mean (``flows``); what a full lot refuses comes from Erlang's formula on the load of that
instant, or from the chain of attendants, queue and lots; what the queue does from the chain of attendants; staff who
are all busy delay a retrieval. Each of them changes what the others see, so they are worked out in turn.
"""

import dataclasses
import math
from typing import Any, Final, Literal, NamedTuple

import numpy as np

from parksim.errors import UnfitError
from parksim.scenario.model import Scenario
from parksim.scenario.quantities import UNLIMITED
from parksim.studies.ideal import Floats, call_of, rates_of, typical
from parksim.theory.chain import MOST_DENSE, Chain, Exchange, Seen, Speeds
from parksim.theory.flows import Delay, Delayed, Flow, Kernels, Limits, blocked, flows, spread

Method = Literal["load", "chain"]
DAY_S: Final = 86_400.0
HOUR_S: Final = 3_600.0
RUN_IN_H: Final = 4
"""A warm-up that is longer is followed for its last hours only."""
LATE_S: Final = 7_200.0
"""Calls of the window are followed this much longer."""
MOST_CELLS: Final = 12_000
MOST_STEPS: Final = 400
"""Of the chain."""
STAYS_OF_A_LONG_WINDOW: Final = 30.0
"""In a shorter one the rates at which stays end follow the flows, instead of a law with phases."""
MOST_STATES: Final = 20_000
MOST_WORK: Final = 4e8
"""Of the chain: its transitions times the jumps of the integration; some seconds."""
ROUNDS: Final = 2
FASTEST: Final = 50.0
"""How many times in a typical wait a caller without patience hangs up."""
SHORTEST_S: Final = 0.25
"""Work that is shorter is taken to last this long."""
CROWDED: Final = 0.01
"""Where more calls than this share find the longest queue of the chain, theory does not follow the queue."""
RARE: Final = 1e-5
"""Queues that are longer with at most this probability are left out of the chain."""
RESTS_S: Final = 10_800.0
"""After this long a chain of constant rates has settled."""


class Grid(NamedTuple):
    """Instants on which flows are followed: cells of ``step_s``, the window and how often each cell counts.

    A window of many like days is followed for two of them, and the second counts for the others as well.
    """

    step_s: float
    start_s: float  # the instant of the scenario at which the grid begins, empty
    window_s: tuple[float, float]  # of the scenario
    weight: Floats  # shape (cells,): how much of the window each cell stands for, in seconds
    cells: int
    days: int  # that are left out

    @property
    def middle_s(self) -> Floats:
        """The middles of the cells, instants of the scenario (the first days)."""
        return np.asarray(self.start_s + (np.arange(self.cells) + 0.5) * self.step_s)


def grid_of(scenario: Scenario) -> Grid:
    """Return the grid of a scenario."""
    low_s, high_s = scenario.warm_up_us / 1e6, scenario.horizon_us / 1e6
    end_s = high_s + scenario.cool_down_us / 1e6
    start_s, days = 0.0, 0
    if scenario.recording is None:
        start_s = max(0.0, math.floor(low_s / HOUR_S) - RUN_IN_H) * HOUR_S
        days = max(0, math.floor((high_s - low_s) / DAY_S) - 1)
    length_s = end_s - start_s - days * DAY_S + LATE_S
    steps = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
    step_s = next((step for step in steps if length_s / step <= MOST_CELLS), length_s / MOST_CELLS)
    cells = math.ceil(length_s / step_s)
    edges_s = start_s + np.arange(cells + 1) * step_s
    weight = np.diff(np.clip(edges_s, low_s, high_s - days * DAY_S))
    if days:
        last = (edges_s[1:] > high_s - (days + 1) * DAY_S) & (edges_s[1:] <= high_s - days * DAY_S)
        weight[last] *= days + 1
    return Grid(step_s, start_s, (low_s, high_s), weight, cells, days)


class People(NamedTuple):
    """What calls find at the attendants, by step of the chain, and on average of the counted calls."""

    answered: Floats  # share of the calls that come in a step that are answered in the end
    hung_up: Floats  # and that hang up
    wait: Delay  # of those that are answered
    wait_s: float  # its mean
    in_time: float  # share of the counted calls answered within the target
    in_time_by_step: Floats
    p95_s: float
    busy: Floats  # share of attendants at work


class Balance:
    """A scenario whose flows, staff, attendants and lots are brought into balance, round by round."""

    def __init__(self, scenario: Scenario, method: Method, day_factor: float = 1.0) -> None:
        self.scenario, self.method, self.day_factor = scenario, method, day_factor
        self.grid = grid_of(scenario)
        self.call = call_of(scenario, *typical(scenario))
        self.plain = Kernels(self.call, self.grid.step_s, self.grid.cells + 1)
        self.kernels = self.plain
        self.offered = self._offered()
        self.at_points = _at_points(self.grid.weight / self.grid.step_s)
        self.slots = tuple(lot.slots for lot in scenario.lots)
        self.duty = self._duty()
        self.every = self._every()
        lots, points = len(self.slots), self.grid.cells + 1
        self.limits = Limits(
            np.zeros((lots, lots, points)),
            np.zeros((lots, points)),
            scenario.retries if scenario.when_full == "keep" else 0,
            scenario.retry_after_s or 0.0,
            scenario.when_full,
        )
        self.people: People | None = None
        self.staffed = Delay()
        self.busy_share = 0.0
        """Of the returns, those that find their parker busy."""
        self.load = np.zeros((lots, self.grid.cells))
        """What the lots would hold if nothing were refused."""
        self.queued: Seen | None = None
        self.chain: Seen | None = None

    def _offered(self) -> Floats:
        """Return the calls of each cell: all of them, and those that are counted; shape (2, cells)."""
        grid, scenario = self.grid, self.scenario
        rates = rates_of(scenario)
        end_s = rates.starts_s[-1] - grid.days * DAY_S
        edges_s = np.minimum(grid.start_s + np.arange(grid.cells + 1) * grid.step_s, end_s)
        upto = np.concatenate(([0.0], np.cumsum(rates.per_s[:-1] * np.diff(rates.starts_s))))
        calls = self.day_factor * np.diff(np.interp(edges_s, rates.starts_s, upto))
        return np.stack([calls, calls * grid.weight / grid.step_s])

    def _every(self) -> int:
        """Return how many cells a step of the chain has: it divides the hour and is long enough."""
        cells, step_s = self.grid.cells, self.grid.step_s
        for seconds in (30, 60, 120, 300, 600, 900, 1800, 3600):
            if seconds % step_s == 0 and cells * step_s / seconds <= MOST_STEPS:
                return int(seconds / step_s)
        return max(1, int(3600 / step_s))

    def _duty(self) -> Floats | None:
        """Return how many attendants are on duty in each cell; None where they are unlimited."""
        attendants = self.scenario.attendants
        if attendants.count == UNLIMITED:
            return None
        counts = np.array(attendants.counts or (attendants.count,), float)
        return np.asarray(counts[(self.grid.middle_s // HOUR_S).astype(int) % len(counts)])

    # The rounds -------------------------------------------------------------------------------------------------

    def answered(self, groups: int = 1) -> Floats:
        """Return the first answers as masses, of all calls and, as a second group, of those counted."""
        offered = self.offered[:groups]
        masses = spread(offered if self.people is None else offered * self.cells_of(self.people.answered))
        if self.people is None or not self.people.wait.share:
            return masses
        return self.kernels.back(self.kernels.transform(masses) * self.kernels.delay(self.people.wait))

    def run(self) -> Flow:
        """Return the flows once everything has seen everything else."""
        flow = flows(self.kernels, self.answered(), self.limits)
        for _ in range(ROUNDS - 1):
            self._round(flow)
            flow = flows(self.kernels, self.answered(), self.limits)
        self._round(flow)
        if self.method == "chain":
            self._together(flow)
        return flows(self.kernels, self.answered(2), self.limits)

    def _round(self, flow: Flow) -> None:
        """Let staff, attendants and lots see the flows."""
        self._staff(flow)
        if self.duty is not None:
            alone = self._alone(flow)
            if alone is not None:
                self.queued = alone[0]
                self._attend(flow, alone)
        self._refuse(flow)

    def _refuse(self, flow: Flow) -> None:
        """Let a full lot refuse: Erlang's B on the load of each instant."""
        lots = len(self.slots)
        load = self.means(flow.wanted_s[0])
        full = np.stack([_at_points(blocked(slots, one)) for slots, one in zip(self.slots, load, strict=True)])
        refused = np.zeros_like(self.limits.refused)
        for first in range(lots):
            refused[first, first:] = np.cumprod(full[first:], axis=0)
        self.load = load
        self._limit(flow, refused)

    def _limit(self, flow: Flow, refused: Floats) -> None:
        again = self.limits.again
        if self.limits.retries:
            # A full lot has a free slot again after about stay / slots: refused then as now, else as ever.
            own = np.stack([refused[lot, lot] for lot in range(len(self.slots))])
            requests, stays = (
                flow.asked[0].sum(axis=1),
                flow.parked_s[0, :, -1] / np.maximum(flow.parked[0].sum(axis=1), 1e-12),
            )
            rate = np.array(self.slots) / np.maximum(stays, 1e-9) + requests / (self.grid.cells * self.grid.step_s)
            again = own + (1.0 - own) * np.exp(-rate * self.limits.retry_s)[:, None]
        self.limits = dataclasses.replace(self.limits, refused=refused, again=again)

    def means(self, seconds: Floats) -> Floats:
        """Return mean numbers in each cell of what is given as seconds up to each point."""
        return np.maximum(np.diff(seconds, axis=-1), 0.0) / self.grid.step_s

    # Staff ------------------------------------------------------------------------------------------------------

    def _staff(self, flow: Flow) -> None:
        """Let a retrieval wait for a member of the staff."""
        retrieval = self.scenario.retrieval
        if retrieval.staff == UNLIMITED or not retrieval.talk.mean_s or retrieval.delay is None or retrieval.never == 1:
            return
        parked = flow.parked[0].sum()
        if not parked:
            return
        members = min(int(retrieval.staff), sum(self.slots) + 40)
        share = float(
            np.real(
                sum(lot.share * one.retrieved[0] for lot, one in zip(self.call.lots, self.plain.classes, strict=True))
            )
        )
        attempts = self._per_step(
            self.plain.back(self.plain.transform(flow.parked[0].sum(axis=0)) * self.plain.classes[0].retrieved)
        )
        scale = share * parked / max(attempts.sum(), 1e-12)
        seconds = self.every * self.grid.step_s
        leave = (flow.hung_up[0].sum() + flow.expired[0].sum()) / max(flow.parked_s[0, :, -1].sum(), 1e-9)
        chain = Chain(Exchange((members,), sum(self.slots), 1, talks=False))
        speeds = [
            Speeds(members, _rounded(rate), _rounded(leave), 1.0 / retrieval.talk.mean_s, 0.0, 0.0, 0.0)
            for rate in (attempts * scale / seconds).tolist()
        ]
        seen = chain.run(speeds, seconds)
        weight = attempts / max(attempts.sum(), 1e-12)
        waiting = weight @ seen.waiting
        spread_of = 0.5 * (1.0 + _cv2(retrieval.talk))
        waits = waiting.sum()
        mean_s = (
            retrieval.talk.mean_s / members * spread_of * (waiting @ np.arange(1, len(waiting) + 1)) / max(waits, 1e-12)
        )
        self.staffed = Delay(float(min(waits, 1.0)), max(float(mean_s), 1e-3))
        if waits > 1e-4:
            delayed = Delayed(retrieval.delay, self.staffed)
            self.kernels = Kernels(
                dataclasses.replace(self.call, retrieval=delayed), self.grid.step_s, self.grid.cells + 1
            )

    # Attendants -------------------------------------------------------------------------------------------------

    def _per_step(self, masses: Floats) -> Floats:
        """Return sums over the steps of the chain, of masses at the points."""
        cells = masses[..., :-1].copy()
        cells[..., -1] += masses[..., -1]
        return np.add.reduceat(cells, np.arange(0, self.grid.cells, self.every), axis=-1)

    def cells_of(self, by_step: Floats) -> Floats:
        """Return the value of each cell."""
        return np.repeat(by_step, self.every, axis=-1)[..., : self.grid.cells]

    def _work_s(self, flow: Flow) -> float:
        """Return the mean work of an attendant for each answer."""
        return max(float(flow.attended_s[0, -1] / max(flow.answers[0].sum(), 1e-12)), SHORTEST_S)

    def _steps(self) -> tuple[list[int], float]:
        assert self.duty is not None
        return [int(one) for one in self.duty[:: self.every]], self.every * self.grid.step_s

    def _hang_up(self, flow: Flow) -> float:
        """Return the rate at which a waiting caller hangs up, so that as many do as of the law in a typical wait.

        Of waits that are exponential of mean w the share P loses patience, so the rate is P / (w (1 - P)); for an
        exponential patience that is its rate.
        """
        patience = self.scenario.queue_patience
        if patience is None or self.duty is None:
            return 0.0
        if self.people is not None:
            wait_s = self.people.wait.mean_s
        else:
            there_s = max(float(self.duty @ self.grid.weight), 1e-9)
            load = float(self.means(flow.attended_s[0]) @ self.grid.weight) / there_s
            wait_s = self._work_s(flow) / max(float(np.mean(self.duty)), 0.5) / (1.0 - min(load, 0.85))
        wait_s = max(wait_s, 1e-3)
        lost = min(1.0 - Delay(1.0, wait_s).survivors(patience), 1.0 - 1e-6)
        return min(lost / (1.0 - lost), FASTEST) / wait_s

    def _longest_queue(self) -> int:
        """Return how many calls hardly ever wait, from the attendants alone."""
        assert self.queued is not None
        beyond = np.cumsum(self.queued.waiting.max(axis=0)[::-1])[::-1]
        return max(3, int(np.searchsorted(-beyond, -RARE)) + 1)

    def _check_room(self, full: float, room: int) -> None:
        """Refuse a queue that outgrows the chain: its waits would be cut short, and more calls answered than can be.

        Raises:
            UnfitError: Too many calls find the last place of the chain taken, and the scenario's queue is longer.
        """
        limit = self.scenario.queue.limit
        if full > CROWDED and (limit == UNLIMITED or int(limit) > room):
            rule = f"the attendants have more work than time: the queue outgrows the {room} calls that theory follows"
            raise UnfitError(rule, "simulate it")

    def _room(self, states: int) -> int:
        limit = self.scenario.queue.limit
        wanted = 40 if limit == UNLIMITED else int(limit)
        return min(wanted, states)

    def _alone(self, flow: Flow) -> tuple[Seen, float] | None:
        """Return the attendants without the lot: one phase of work a call; None where they are too many.

        Nobody is taken to wait for hundreds of attendants.
        """
        duty, seconds = self._steps()
        work_s = self._work_s(flow)
        chain = Chain(Exchange(tuple(sorted(set(duty))), self._room(60), 1, talks=False))
        calls = self._per_step(spread(self.offered[0])) / seconds + self._per_step(flow.rung[0]) / seconds
        leave = self._hang_up(flow)
        speeds = [
            Speeds(count, _rounded(rate), leave, 1.0 / work_s, 0.0, 0.0, 0.0)
            for count, rate in zip(duty, calls.tolist(), strict=True)
        ]
        lasts_s = seconds * len(duty)
        if (
            chain.exchange.size > MOST_DENSE
            and chain.jumps(max(speeds, key=lambda one: one.calls), lasts_s) > MOST_WORK
        ):
            return None
        return chain.run(speeds, seconds), leave

    def _attend(self, flow: Flow, found: tuple[Seen, float]) -> None:
        """Read what calls and returns find at the attendants."""
        seen, leave = found
        duty, _ = self._steps()
        counts = np.array(duty, float)
        work_s = self._work_s(flow)
        counted = self._per_step(spread(self.offered[1]))
        weight = counted / max(counted.sum(), 1e-300)
        self._check_room(float(weight @ seen.waiting[:, -1]), seen.waiting.shape[1] - 1)
        comes = (self._per_step(spread(self.offered[0])) + self._per_step(flow.rung[0])) / (
            self.every * self.grid.step_s
        )
        rate = np.maximum(counts / work_s, 1.0 / (_until(counts, self.every * self.grid.step_s) + work_s))
        self.people = self._waits(seen, rate / _longer(seen, rate, leave, comes), leave, weight)
        returns = self._per_step(flow.rung[0] * self.at_points)
        share = returns / max(returns.sum(), 1e-300)
        recall = self.scenario.recall
        held = seen.waiting.sum(axis=1)
        busy = np.minimum(np.divide(seen.busy, counts, out=np.ones_like(held), where=counts > 0), 1.0)
        self.busy_share = float(share @ busy) if returns.sum() else 0.0
        all_busy = float(share @ held) if returns.sum() else 0.0
        residual_s = work_s * 0.5 * (1.0 + self._work_cv2(flow, work_s))
        next_s = residual_s / max(float(share @ counts), 1.0)
        lost, to_group, back = 0.0, 0.0, Delay(all_busy, next_s)
        if recall.to == "parker" and recall.busy == "wait":
            back = Delay(self.busy_share, residual_s)
        elif recall.to == "parker" and recall.busy == "group":
            to_group = self.busy_share
            back = Delay(min(all_busy / max(to_group, 1e-12), 1.0), next_s)
        elif recall.to == "parker":
            lost, back = self.busy_share, Delay()
        left = (1.0 - back.survivors(self.scenario.recall_patience)) * (to_group or 1.0)
        self.limits = dataclasses.replace(self.limits, back=back, back_lost=lost, back_left=left, to_group=to_group)

    def _work_cv2(self, flow: Flow, work_s: float) -> float:
        """Return the squared coefficient of variation of an attendant's work for one answer."""
        attendants = self.scenario.attendants
        talks = float(flow.talks[0].sum() / max(flow.answers[0].sum(), 1e-12))
        handling_s, talk_s = attendants.handling.mean_s, attendants.talk.mean_s
        variance = handling_s**2 * _cv2(attendants.handling)
        variance += talk_s**2 * (talks * (1.0 + _cv2(attendants.talk)) - talks**2)
        return variance / work_s**2

    def _waits(self, seen: Seen, rate: Floats, leave: float, weight: Floats) -> People:
        """Return how long new calls wait that find others waiting: each of those is one departure at ``rate`` ahead."""
        queue = np.arange(seen.waiting.shape[1])
        waiting = seen.waiting.copy()
        turned_away = np.zeros(len(waiting))
        if self.scenario.queue.limit == len(queue) - 1:
            turned_away, waiting[:, -1] = waiting[:, -1].copy(), 0.0
        stays = (rate / (rate + leave))[:, None] ** (queue + 1)
        answered = 1.0 - turned_away - (waiting * (1.0 - stays)).sum(axis=1)
        hung_up = (waiting * (1.0 - stays)).sum(axis=1)
        served = waiting * stays  # who waits and is answered
        wait_s = (served * (queue + 1) / (rate + leave)[:, None]).sum(axis=1)
        at_once = 1.0 - seen.waiting.sum(axis=1)

        def within(t_s: float) -> Floats:
            steps = ((rate + leave) * t_s)[:, None]
            tail = np.empty_like(waiting)
            term = np.exp(-steps[:, 0])
            total = term.copy()
            for number in queue.tolist():
                tail[:, number] = 1.0 - total
                term = term * steps[:, 0] / (number + 1)
                total = total + term
            return np.asarray(at_once + (served * tail).sum(axis=1))

        all_answered = float(weight @ answered)
        waits = float(weight @ served.sum(axis=1)) / max(all_answered, 1e-12)
        mean_s = float(weight @ wait_s) / max(all_answered, 1e-12)
        low, high = 0.0, 40.0 * max(mean_s / max(waits, 1e-12), 1e-3)
        for _ in range(30):
            middle = 0.5 * (low + high)
            low, high = (low, middle) if float(weight @ within(middle)) >= 0.95 * all_answered else (middle, high)
        p95_s = 0.0 if float(weight @ at_once) >= 0.95 * all_answered else high
        in_time = within(self.scenario.queue.target)
        wait = Delay(min(waits, 1.0), max(mean_s / max(waits, 1e-12), 1e-3))
        return People(answered, hung_up, wait, mean_s, float(weight @ in_time), in_time, p95_s, seen.busy)

    # The chain of everything ------------------------------------------------------------------------------------

    def _together(self, flow: Flow) -> None:
        """Let the chain of attendants, queue and lots say what is refused, unless it is too large."""
        if self.queued is None and (self.duty is not None or not flow.parked[0].sum()):
            return
        chain, speeds, leave = self._smallest(flow)
        if chain is None:
            return
        seen = chain.run(speeds, self.every * self.grid.step_s)
        self.chain = seen
        if self.duty is not None:
            self._attend(flow, (seen, leave))
        if chain.exchange.slots:
            self._limit(flow, _at_points(self.cells_of(np.moveaxis(seen.refused, 0, -1))))

    def _smallest(self, flow: Flow) -> tuple[Chain | None, list[Speeds], float]:
        """Return the chain with as many phases as there is time for; None where even the smallest takes too long."""
        seconds, attendants = self.every * self.grid.step_s, self.scenario.attendants
        leave = 0.0 if self.duty is None else self._hang_up(flow)
        constant = self.scenario.arrivals.kind == "poisson" and not attendants.change
        most = self._exchange()
        stay_s = flow.parked_s[0, :, -1].sum() / max(flow.parked[0].sum(), 1e-12)
        stays = (2, 1) if self.grid.weight.sum() > STAYS_OF_A_LONG_WINDOW * stay_s else (1,)
        for phases, stay_phases in (*((most.phases, stay) for stay in stays), (min(most.phases, 1), 1)):
            exchange = dataclasses.replace(most, phases=phases, stay_phases=stay_phases)
            if exchange.size > MOST_STATES:
                continue
            chain = Chain(exchange)
            speeds = self._speeds(flow, exchange, leave)
            some = speeds[:: max(1, len(speeds) // 24)]
            lasts_s = min(seconds * len(speeds), RESTS_S if constant else math.inf) / len(some)
            if sum(chain.jumps(one, lasts_s) for one in some) <= MOST_WORK:
                return chain, speeds, leave
        return None, [], leave

    def _exchange(self) -> Exchange:
        scenario = self.scenario
        kept = scenario.when_full == "keep"
        shares, overflows = tuple(lot.share for lot in self.call.lots), scenario.when_full == "overflow"
        if self.duty is None:
            return Exchange((), 0, 0, False, self.slots, shares, overflows)
        duty, _ = self._steps()
        cv2 = _cv2(scenario.attendants.handling)
        return Exchange(
            tuple(sorted(set(duty))),
            self._room(self._longest_queue()),
            max(1, min(3 if max(duty) <= 4 else 2, round(1.0 / max(cv2, 0.01)))),
            scenario.attendants.talk.mean_s > 0,
            self.slots if self.call.wish else (),
            shares,
            overflows,
            kept,
            self.limits.retries / (self.limits.retries + 1.0) if kept else 0.0,
            scenario.recall.to == "parker" and scenario.recall.busy == "drop",
        )

    def _speeds(self, flow: Flow, exchange: Exchange, leave: float) -> list[Speeds]:
        """Return the rates of each step: of stays those that the flows have, so that the mean lot is the flows'."""
        seconds, attendants = self.every * self.grid.step_s, self.scenario.attendants
        answers = max(float(flow.answers[0].sum()), 1e-12)
        wish = min(float(flow.requests[0].sum()) / answers, 1.0)
        talks, repeats = float(flow.talks[0].sum()), float((flow.asked[0].sum(axis=0)).sum() - flow.requests[0].sum())
        other_s = attendants.talk.mean_s * talks + self.limits.retry_s * repeats * (self.limits.retries > 0)
        handled_s = max(self._work_s(flow) - other_s / answers, SHORTEST_S)
        per_s = (
            self._per_step(spread(self.offered[0]))
            if exchange.attendants
            else self._per_step(flow.requests[0].sum(axis=0))
        )
        starts = np.arange(0, self.grid.cells, self.every)
        parked_s = np.add.reduceat(np.maximum(np.diff(flow.parked_s[0], axis=-1), 0.0), starts, axis=-1)
        at_start = self.means(flow.parked_s[0])[:, starts]
        ended = np.maximum(self._per_step(flow.parked[0]) - np.diff(at_start, axis=-1, append=at_start[:, -1:]), 0.0)
        stay_s = np.maximum(flow.parked_s[0, :, -1] / np.maximum(flow.parked[0].sum(axis=-1), 1e-12), 1e-2)[:, None]
        rate = np.broadcast_to(1.0 / stay_s, ended.shape)
        if exchange.stay_phases == 1:
            seen = np.divide(ended, parked_s, out=rate.copy(), where=parked_s > 1e-9)
            rate = np.clip(seen, 0.0, 20.0 / stay_s)
        taken = float(flow.back_taken[0].sum() / max(flow.expired[0].sum(), 1e-12))
        expired = self._per_step(flow.expired[0])
        back = np.clip(np.divide(expired, ended, out=np.zeros_like(ended), where=ended > 1e-9) * taken, 0.0, 1.0)
        if not exchange.attendants:
            back = np.zeros_like(back)
        talk_s, retry_s = attendants.talk.mean_s, self.limits.retry_s
        duty = self._steps()[0] if exchange.attendants else [0] * len(starts)
        return [
            Speeds(
                count,
                _rounded(per_s[i] / seconds),
                leave,
                exchange.phases / handled_s,
                wish,
                1.0 / talk_s if talk_s else 0.0,
                1.0 / retry_s if retry_s else 0.0,
                tuple(map(_rounded, rate[:, i].tolist())) if exchange.slots else (),
                tuple(map(_rounded, back[:, i].tolist())) if exchange.slots else (),
            )
            for i, count in enumerate(duty)
        ]


def _longer(seen: Seen, rate: Floats, leave: float, comes: Floats) -> float:
    """Return by what departures are slower than ``rate`` says, as the number that waits shows (Little's law)."""
    queue = np.arange(seen.waiting.shape[1])
    waiting = seen.waiting.copy()
    waiting[:, -1] = 0.0
    waits = float((seen.waiting @ queue).sum())
    low, high = 0.05, 20.0
    for _ in range(30):
        middle = math.sqrt(low * high)
        slower = (rate / middle)[:, None]
        each = (1.0 - (slower / (slower + leave)) ** (queue + 1)) / leave if leave else (queue + 1) / slower
        low, high = (middle, high) if float(comes @ (waiting * each).sum(axis=1)) < waits else (low, middle)
    return high if waits > 1e-9 else 1.0


def _until(duty: Floats, step_s: float) -> Floats:
    """Return how long it takes in each step until somebody is on duty."""
    result = np.zeros(len(duty))
    for number in range(len(duty) - 2, -1, -1):
        result[number] = 0.0 if duty[number] else result[number + 1] + step_s
    return result


def _rounded(rate: float) -> float:
    """Return a rate to four digits: steps that differ by less are alike, and the chain may rest."""
    return float(f"{rate:.4g}") if rate > 1e-12 else 0.0


def _at_points(cells: Floats) -> Floats:
    """Return values of cells at their ends, the mean of both neighbours."""
    padded = np.concatenate((cells[..., :1], cells, cells[..., -1:]), axis=-1)
    return 0.5 * (padded[..., 1:] + padded[..., :-1])


def _cv2(law: Any) -> float:
    """Return the squared coefficient of variation of a law."""
    if not law.mean_s:
        return 0.0
    at = np.geomspace(1e-4, 1e4, 4001) * law.mean_s
    at = np.concatenate(([0.0], at))
    survival = np.asarray(law.survival(at))
    second = np.sum(np.diff(at**2) * 0.5 * (survival[1:] + survival[:-1]))
    return max(float(second / law.mean_s**2 - 1.0), 0.0)
