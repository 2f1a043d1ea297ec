"""Attendants, their queue and the lots together, as a Markov chain over the day.

The state is how many attendants are in each phase of their work (handling in some phases, talk, waiting to ask a full
lot again), how many calls wait, and how many are parked in each lot. Durations are replaced by phases of the same mean
and about the same variance; rates may change from step to step. An attendant parks one call at a time, so few
attendants make the stream of park requests smoother than Poisson's, which a lot alone does not know.

The distribution is integrated by uniformisation, step by step; where it has settled, it is kept until a rate changes.

Sources: Jensen (1953), Markoff chains as an aid in the study of Markoff processes, Skandinavisk Aktuarietidskrift 36,
87-91 (uniformisation); Yom-Tov and Mandelbaum (2014), Erlang-R, Manufacturing &
Service Operations Management 16, 283-299 (calls that return to busy servers).
"""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from parksim.errors import ArgumentError

__all__ = ["Chain", "Exchange", "Seen", "Speeds"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_DENSE: Final = 100
"""States up to which a step is a matrix."""
SETTLED: Final = 1e-9
"""Where no probability changes by more in a step the distribution stays until a rate changes."""


FEW: Final = 1e-9
"""Attendants who are about to ask for a slot: below this nobody is."""
MOST_JUMPS: Final = 20_000
"""In a step; more of them need a shorter step."""
LOG_FACTORIALS: Final = np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, MOST_JUMPS)))))


@dataclass(frozen=True, slots=True)
class Exchange:
    """What the chain is made of.

    Attributes:
        attendants: The numbers on duty that occur, ascending; (): they are unlimited, and what comes are requests.
        room: How many calls may wait; those that find more are lost.
        phases: Of handling, >= 1; 0 where attendants are unlimited.
        talks: Whether a call that is not parked is talked to.
        slots: Of each lot; () leaves the lots out.
        shares: Which share of the requests asks each lot first.
        overflows: Whether a refused request asks the lots after it.
        kept: Whether a refused call is talked to; otherwise its attendant is free at once.
        asks_again: Share of refusals after which a kept call asks again.
        drops_busy: Whether a return is lost that finds its parker busy.
        stay_phases: Of a stay, >= 1.
    """

    attendants: tuple[int, ...]
    room: int
    phases: int
    talks: bool
    slots: tuple[int, ...] = ()
    shares: tuple[float, ...] = ()
    overflows: bool = False
    kept: bool = True
    asks_again: float = 0.0
    drops_busy: bool = False
    stay_phases: int = 1

    @property
    def size(self) -> int:
        """How many states the chain has."""
        if not self.attendants:
            return self._places()
        most, stages = self.attendants[-1], self.phases + self.talks + (self.asks_again > 0)
        busy = math.comb(most + stages, stages)
        waiting = busy - math.comb(self.attendants[0] - 1 + stages, stages)
        return (busy + waiting * self.room) * self._places()

    def _places(self) -> int:
        return math.prod(math.comb(slots + self.stay_phases, slots) for slots in self.slots)


class Speeds(NamedTuple):
    """The rates of one step, per second.

    Attributes:
        attendants: How many are on duty.
        calls: Calls that come.
        hang_up: Of each waiting call.
        phase: Of each phase of handling.
        wish: Share of handlings that end in a park request.
        talk: Of each talk.
        again: Of each call that waits to ask again.
        leave: Of each parked call, by lot.
        back: Share of the parked calls that end there and come back to an attendant, by lot.
    """

    attendants: int
    calls: float
    hang_up: float
    phase: float
    wish: float
    talk: float
    again: float
    leave: tuple[float, ...] = ()
    back: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """What the chain shows at each step, means over the step.

    Attributes:
        busy: Mean number of attendants at work, shape (steps,).
        waiting: P(all on duty are busy and q wait), what a new call finds, shape (steps, room + 1).
        refused: P(a request is refused), by the lot it asks first and the lot that refuses it, shape (steps, lots,
            lots); an element counts also the lots before it that have refused.
        parked: P(n parked in all lots together), shape (steps, slots + 1).
        full: P(the lot is full), shape (steps, lots).
        mean: Mean number parked in each lot, shape (steps, lots).
    """

    busy: Floats
    waiting: Floats
    refused: Floats
    parked: Floats
    full: Floats
    mean: Floats


class _Moves(NamedTuple):
    """All transitions with one number on duty, among the states that are possible then."""

    active: Ints  # their numbers among all states; nobody waits while an attendant on duty is free
    source: Ints
    target: Ints
    weight: Floats
    kind: Ints  # which of the multipliers applies


class _Move(Protocol):
    def __call__(
        self, kind: int, weight: Floats, change: Mapping[int, int], *, freed: bool = False, comes: bool = False
    ) -> None: ...


def _sums(most: int, parts: int) -> list[tuple[int, ...]]:
    """Return all ways to write 0 to ``most`` as a sum of that many numbers."""
    if parts == 0:
        return [()]
    return [(first, *rest) for first in range(most + 1) for rest in _sums(most - first, parts - 1)]


class Chain:
    """The chain of an exchange, empty at first."""

    def __init__(self, exchange: Exchange) -> None:
        if bool(exchange.attendants) != bool(exchange.phases) or exchange.attendants[-1:] == (0,):
            raise ArgumentError("a chain of attendants needs one of them, and a phase of handling")
        self.exchange = exchange
        most, least = (exchange.attendants[-1], exchange.attendants[0]) if exchange.attendants else (0, 1)
        self.stages = exchange.phases + exchange.talks + (exchange.asks_again > 0) if exchange.attendants else 0
        work = _sums(most, self.stages)
        people = [(*one, q) for one in work for q in range(exchange.room + 1 if sum(one) >= least else 1)]
        each = [_sums(slots, exchange.stay_phases) for slots in exchange.slots]
        lots = [sum(one, ()) for one in itertools.product(*each)]
        both = np.repeat(np.array(people, np.int64), len(lots), axis=0)
        self.states: Ints = np.hstack(
            [both, np.tile(np.array(lots, np.int64).reshape(len(lots), -1), (len(people), 1))]
        )
        radix = np.array(
            [most + 1] * self.stages
            + [exchange.room + 1]
            + [slots + 1 for slots in exchange.slots for _ in range(exchange.stay_phases)]
        )
        self._places = np.append(np.cumprod(radix[:0:-1])[::-1], 1).astype(np.int64)
        keys = self.states @ self._places
        self._index = np.full(int(np.prod(radix)), -1, np.int64)
        self._index[keys] = np.arange(len(keys))
        self.busy: Ints = self.states[:, : self.stages].sum(axis=1)
        self.waits: Ints = self.states[:, self.stages]
        by_phase = self.states[:, self.stages + 1 :]
        self.parked: Ints = by_phase.reshape(len(by_phase), len(exchange.slots), exchange.stay_phases).sum(axis=2)
        self._full = self.parked == np.array(exchange.slots, np.int64)
        self._moves = {count: self._all_moves(count) for count in exchange.attendants or (0,)}

    # The transitions --------------------------------------------------------------------------------------------

    def _all_moves(self, duty: int) -> _Moves:
        exchange, lots = self.exchange, len(self.exchange.slots)
        found: list[tuple[Ints, Ints, Floats, Ints]] = []

        def move(
            kind: int, weight: Floats, change: Mapping[int, int], *, freed: bool = False, comes: bool = False
        ) -> None:
            source = np.flatnonzero(weight > 0)
            to = self.states[source].copy()
            for column, by in change.items():
                to[:, column] += by
            if freed:
                self._next(to, duty)
            if comes:
                self._join(to, duty)
            target = self._index[to @ self._places]
            keep = target != source
            found.append((source[keep], target[keep], weight[source][keep], np.full(int(keep.sum()), kind, np.int64)))

        if exchange.attendants:
            self._attend(move)
        else:
            for first, share in enumerate(exchange.shares):
                self._ask(move, 0, np.full(len(self.states), share), None, first)
        for lot in range(lots):
            place = self._place(lot)
            for _ in range(exchange.stay_phases - 1):
                here = self.states[:, place].astype(float)
                move(7 + 3 * lot, here, {place: -1, place + 1: 1})
                place += 1
            here = self.states[:, place].astype(float)
            lost = self.busy / max(duty, 1) if exchange.drops_busy else np.zeros(len(here))
            lost = np.minimum(lost, 1.0)
            move(8 + 3 * lot, here, {place: -1})
            move(9 + 3 * lot, here * (1.0 - lost), {place: -1}, comes=bool(exchange.attendants))
            move(9 + 3 * lot, here * lost, {place: -1})
        active = np.flatnonzero((self.waits == 0) | (self.busy >= duty))
        number = np.full(len(self.states), -1, np.int64)
        number[active] = np.arange(len(active))
        source, target, weight, kind = (np.concatenate(parts) for parts in zip(*found, strict=True))
        inside = number[source] >= 0
        return _Moves(active, number[source[inside]], number[target[inside]], weight[inside], kind[inside])

    def _attend(self, move: "_Move") -> None:
        """Add what attendants and waiting calls do."""
        exchange = self.exchange
        last, talk, again = exchange.phases - 1, exchange.phases, exchange.phases + exchange.talks
        wait = self.stages
        move(0, np.ones(len(self.states)), {}, comes=True)
        move(1, self.waits.astype(float), {wait: -1})
        for phase in range(last):
            move(2, self.states[:, phase].astype(float), {phase: -1, phase + 1: 1})
        done = self.states[:, last].astype(float)
        to_talk = {talk: 1} if exchange.talks else {}
        move(3, done, {last: -1, **to_talk}, freed=not exchange.talks)
        if exchange.talks:
            move(4, self.states[:, talk].astype(float), {talk: -1}, freed=True)
        asking = [(5, done, last)]
        if exchange.asks_again:
            asking.append((6, self.states[:, again].astype(float), again))
        for kind, count, column in asking:
            for first, share in enumerate(exchange.shares or (1.0,)):
                self._ask(move, kind, count * share, column, first)

    def _ask(self, move: "_Move", kind: int, count: Floats, column: int | None, first: int) -> None:
        """Add the moves of a request to the lot ``first``: granted there or later, or refused."""
        exchange, again = self.exchange, self.exchange.phases + self.exchange.talks
        done = {} if column is None else {column: -1}
        refused = count
        for lot in range(first, len(exchange.slots) if exchange.overflows else min(first + 1, len(exchange.slots))):
            move(kind, refused * ~self._full[:, lot], {**done, self._place(lot): 1}, freed=column is not None)
            refused = refused * self._full[:, lot]
        if column is None:
            return
        if not (exchange.kept and exchange.slots):
            move(kind, refused, done, freed=True)
            return
        once_more = exchange.asks_again
        if once_more and column != again:
            move(kind, refused * once_more, {**done, again: 1})
        to_talk = {exchange.phases: 1} if exchange.talks else {}
        move(kind, refused * (1.0 - once_more), {**done, **to_talk}, freed=not exchange.talks)

    def _place(self, lot: int) -> int:
        """Return the column of a lot's first phase."""
        return self.stages + 1 + lot * self.exchange.stay_phases

    def _next(self, to: Ints, duty: int) -> None:
        """Let the first waiting call be answered where an attendant on duty is free."""
        takes = (to[:, self.stages] > 0) & (to[:, : self.stages].sum(axis=1) < duty)
        to[takes, self.stages] -= 1
        to[takes, 0] += 1

    def _join(self, to: Ints, duty: int) -> None:
        """Let a call come: to a free attendant, into the queue, or away."""
        busy = to[:, : self.stages].sum(axis=1)
        free = busy < duty
        room = ~free & (to[:, self.stages] < self.exchange.room)
        to[free, 0] += 1
        to[room, self.stages] += 1

    def jumps(self, speed: Speeds, length_s: float) -> float:
        """Return how much work the integration of a length of time is: transitions times jumps."""
        moves = self._moves[speed.attendants]
        weight = moves.weight * self._multipliers(speed)[moves.kind]
        return float(np.bincount(moves.source, weight).max() * length_s * len(weight))

    # The integration --------------------------------------------------------------------------------------------

    def run(self, speeds: list[Speeds], step_s: float) -> Seen:
        """Integrate the distribution from the empty exchange, with the rates of each step of ``step_s`` seconds."""
        p = np.zeros(len(self.states))
        p[self._index[0]] = 1.0
        functionals = self._functionals()
        seen = np.zeros((len(speeds), functionals.shape[1]))
        asked = np.zeros((len(speeds), self._asked.shape[1]))
        waiting = np.zeros((len(speeds), self.exchange.room + 1))
        before: Speeds | None = None
        settled = False
        for number, speed in enumerate(speeds):
            if before is None or speed != before:
                settled = False
                if before is not None and before.attendants != speed.attendants:
                    p = self._on_duty(p, speed.attendants)
                moves = self._moves[speed.attendants]
                weight = moves.weight * self._multipliers(speed)[moves.kind]
                one_step = _Step(moves, weight, step_s)
                before = speed
            if settled:
                seen[number], asked[number], waiting[number] = seen[number - 1], asked[number - 1], waiting[number - 1]
                continue
            after, middle = np.zeros_like(p), np.zeros_like(p)
            after[moves.active], middle[moves.active] = one_step(p[moves.active])
            settled = bool(np.abs(after - p).max() <= SETTLED * step_s)
            seen[number] = middle @ functionals
            asked[number] = middle @ self._asked
            held = self.busy >= speed.attendants
            waiting[number] = np.bincount(self.waits[held], middle[held], minlength=self.exchange.room + 1)
            p = after
        return self._read(seen, asked, waiting)

    def _on_duty(self, p: Floats, duty: int) -> Floats:
        """Let attendants who come on duty take the calls that wait."""
        to = self.states.copy()
        take = np.clip(np.minimum(duty - self.busy, self.waits), 0, None)
        to[:, self.stages] -= take
        to[:, 0] += take
        return np.bincount(self._index[to @ self._places], p, minlength=len(p)).astype(np.float64)

    def _multipliers(self, speed: Speeds) -> Floats:
        lots = []
        for leave, back in zip(speed.leave, speed.back, strict=True):
            phase = leave * self.exchange.stay_phases
            lots += [phase, phase * (1.0 - back), phase * back]
        handled = speed.phase
        return np.array(
            [
                *(speed.calls, speed.hang_up, handled, handled * (1.0 - speed.wish), speed.talk),
                *(handled * speed.wish, speed.again, *lots),
            ]
        )

    def _functionals(self) -> Floats:
        """Return what is summed up over the states: busy, parked in all, full and mean by lot."""
        lots, slots = len(self.exchange.slots), sum(self.exchange.slots)
        together = np.eye(slots + 1)[self.parked.sum(axis=1)]
        last = np.ones(len(self.states))
        if self.exchange.attendants:
            last = self.states[:, self.exchange.phases - 1].astype(float)
        refused, always = [], []
        for first in range(lots):
            full = np.ones(len(self.states))
            for lot in range(lots):
                if lot >= first:
                    full = full * self._full[:, lot]
                refused.append(last * full if lot >= first else np.zeros(len(last)))
                always.append(full if lot >= first else np.zeros(len(last)))
        self._asked = np.stack([last, *refused, *always], axis=1)
        return np.hstack(
            [self.busy[:, None].astype(float), together, self._full.astype(float), self.parked.astype(float)]
        )

    def _read(self, seen: Floats, asked: Floats, waiting: Floats) -> Seen:
        lots, slots = len(self.exchange.slots), sum(self.exchange.slots)
        requests, ends = asked[:, :1], 1 + lots * lots
        of_requests = asked[:, 1:ends] / np.maximum(requests, FEW)
        # Where hardly anybody asks a request would find what an instant does.
        refused = np.where(requests > FEW, of_requests, asked[:, ends:]).reshape(len(seen), lots, lots)
        upto = 1 + slots + 1
        return Seen(seen[:, 0], waiting, refused, seen[:, 1:upto], seen[:, upto : upto + lots], seen[:, upto + lots :])


class _Step:
    """One step of the distribution, whose rates stay the same: from its beginning to its end and its mean."""

    def __init__(self, moves: _Moves, weight: Floats, step_s: float) -> None:
        self.size = len(moves.active)
        out = np.bincount(moves.source, weight, minlength=self.size)
        if self.size <= MOST_DENSE:
            rates = np.bincount(moves.target * self.size + moves.source, weight, minlength=self.size**2)
            self.jumps: Floats | None = None
            self.matrix, self.mean = _doubled(
                step_s * np.asarray(rates.reshape(self.size, self.size) - np.diag(out), np.float64)
            )
            return
        fastest = max(float(out.max()), 1e-12)
        mean = fastest * step_s
        most = int(mean + 6.0 * math.sqrt(mean)) + 8  # what is beyond has a probability of some 1e-9
        if most >= MOST_JUMPS:
            raise ArgumentError("a step of the chain is too long for its rates")
        self.jumps = np.exp(np.arange(most) * math.log(mean) - mean - LOG_FACTORIALS[:most])
        self.source, self.target = moves.source, moves.target
        self.weight, self.stays = weight / fastest, 1.0 - out / fastest

    def __call__(self, p: Floats) -> tuple[Floats, Floats]:
        """Return the distribution after the step, and its mean over the step."""
        if self.jumps is None:
            return self.matrix @ p, self.mean @ p
        jumps = self.jumps.tolist()
        later = (np.cumsum(self.jumps[::-1])[::-1] - self.jumps).tolist()  # P(more jumps)
        after, mean = jumps[0] * p, later[0] * p
        for now, more in zip(jumps[1:], later[1:], strict=True):
            p = self.stays * p + np.bincount(self.target, self.weight * p[self.source], minlength=self.size)
            after += now * p
            mean += more * p
        return after / after.sum(), mean / mean.sum()


def _doubled(q: Floats) -> tuple[Floats, Floats]:
    """Return exp(q) and its mean over the step, by doubling a step so short that its series is soon over."""
    doublings = max(0, math.ceil(math.log2(max(float(np.abs(q).max()), 1e-12) * 4.0)))
    q, one = q / 2.0**doublings, np.eye(len(q))
    matrix = one + q @ (one + q @ (one + q / 3.0) / 2.0)
    mean = one + q @ (one + q / 3.0) / 2.0
    for _ in range(doublings):
        matrix, mean = matrix @ matrix, 0.5 * (mean + mean @ matrix)
    return matrix, mean
