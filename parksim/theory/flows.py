"""How many calls do what and when, if something is refused and somebody waits: means, with every law as it is.

``flows`` takes the calls that attendants answer, by instant, and the share of requests that a full lot refuses, by
instant; it follows the mean numbers through handling, stays, time-outs, returns and further parks, on the grid and by
the convolutions of ``ideal``. Where nothing is refused and nobody waits it *is* the ideal switchboard. What it
neglects is that refusals and stays of the same minute depend on each other: refused shares come from outside, from
Erlang's formula on the load at that instant (Jagerman 1975; Massey and Whitt 1994) or from ``chain``.

Sources: Jagerman (1975), Nonstationary blocking in telephone traffic, Bell System Technical Journal 54, 625-661; Massey
and Whitt (1994), An analysis of the modified offered-load approximation, Annals of Applied Probability 4, 1145-1160.
"""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np

from parksim.theory.ideal import Call, Floats, Spectrum, _race
from parksim.theory.race import At, Law

__all__ = ["Delay", "Delayed", "Flow", "Kernels", "Limits", "blocked", "flows", "spread"]

NOTHING: Final = 1e-9
"""A generation of parks with fewer than this share of the calls is the last."""


class Delay(NamedTuple):
    """A wait: with that share exponential of that mean, else none."""

    share: float = 0.0
    mean_s: float = 1.0

    def survivors(self, patience: Law | None) -> float:
        """Return P(the wait is over before a patience is), by the law's values on a grid of the wait's quantiles."""
        if patience is None or not self.share:
            return 1.0
        at = -np.log1p(-(np.arange(200) + 0.5) / 200) * self.mean_s
        return float(1.0 - self.share + self.share * np.mean(patience.survival(at)))


NO_DELAY: Final = Delay()


@dataclass(frozen=True)
class Delayed:
    """A law with a further wait; itself a law."""

    law: Law
    delay: Delay
    _grid: tuple[Floats, Floats] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        end_s = max(self.law.mean_s, self.delay.mean_s) * 40.0
        at = np.linspace(0.0, end_s, 8001)
        step = at[1]
        masses = _race([self.law], [0.0], step, len(at)).masses[0]
        decay = np.exp(-step / self.delay.mean_s)
        # Who has come and still waits: each by itself, for a wait without memory.
        waits = np.convolve(masses, decay ** np.arange(len(at)))[: len(at)]
        object.__setattr__(self, "_grid", (at, np.clip(1.0 - np.cumsum(masses) + waits, 0.0, 1.0)))

    @property
    def mean_s(self) -> float:
        """The sum of both means."""
        return self.law.mean_s + self.delay.share * self.delay.mean_s

    @property
    def atoms_s(self) -> tuple[float, ...]:
        """The law's: who does not wait keeps them."""
        return self.law.atoms_s

    def survival(self, t_s: Floats) -> Floats:
        """Return P(X + wait > t)."""
        at, late = self._grid
        share = self.delay.share
        result: Floats = (1.0 - share) * np.asarray(self.law.survival(t_s)) + share * np.interp(
            t_s, at, late, right=0.0
        )
        return result


@dataclass(frozen=True, slots=True)
class Limits:
    """What the limits of the switchboard do to calls, by instant on the grid.

    Attributes:
        refused: P(the lot asked first and all after it up to this one are full), shape (lots, lots, points).
        again: P(full once more) of a kept call that asks again, shape (lots, points).
        retries: How often it does.
        retry_s: After how long.
        when_full: What a refused call does: "keep" is talked to, "drop" is lost, "overflow" asks the next lot or leaves
            after the last.
        back: The wait of a return.
        to_group: Share of returns that anybody takes after the wait, without ringing; the others wait, then ring.
        back_lost: Share of returns that are lost at once.
        back_left: Share of returns whose caller hangs up while it waits.
    """

    refused: Floats
    again: Floats
    retries: int = 0
    retry_s: float = 0.0
    when_full: str = "keep"
    back: Delay = NO_DELAY
    to_group: float = 0.0
    back_lost: float = 0.0
    back_left: float = 0.0


@dataclass(slots=True)
class Flow:
    """Expected numbers at each point of the grid (masses), and seconds up to it.

    The first axis is that of the answered calls given to ``flows``; those by lot have a second, the lot's.

    Attributes:
        requests: Requests by the lot that is asked first, each once.
        asked: Requests to each lot, each repetition and each further lot counted.
        refused: Of those, refused.
        wanted_s: Seconds that all first requests to each lot would stay there.
        parked: Parks in each lot.
        parked_s: Seconds in each lot.
        retrieved: Retrievals.
        hung_up: Callers who hang up in a lot.
        expired: Time-outs by lot.
        lost: Calls lost: refused and dropped, or returns that nobody took.
        rung: Returns that rang or were taken without ringing.
        back_hung_up: Returning callers who hung up.
        back_taken: Returns that were taken.
        answers: Answers, the first ones included.
        talks: Calls that are talked to by an attendant.
        attended_s: Seconds of attendants.
        staff_s: Seconds of the staff.
    """

    requests: Floats
    asked: Floats
    refused: Floats
    wanted_s: Floats
    parked: Floats
    parked_s: Floats
    retrieved: Floats
    hung_up: Floats
    expired: Floats
    lost: Floats
    rung: Floats
    back_hung_up: Floats
    back_taken: Floats
    answers: Floats
    talks: Floats
    attended_s: Floats
    staff_s: Floats


class _Class(NamedTuple):
    """The stays of the calls that ask one lot first."""

    hung_up: Spectrum
    retrieved: Spectrum
    expired: Spectrum
    lasting: Spectrum


class Kernels:
    """The laws of a call on the grid, transformed."""

    def __init__(self, call: Call, step_s: float, points: int) -> None:
        self.call, self.step_s, self.points = call, step_s, points
        self.size = _smooth(5 * points // 2)  # a stay and its talk may reach beyond twice the grid
        handling = _race([call.handling], [0.0], step_s, points)
        self.handling, self.handled_s = self.transform(handling.masses[0]), self.transform(handling.lasting)
        self.talk_s = self._lasting(call.talk)
        self.staff_s = self._lasting(call.staff_talk)
        self.classes = []
        for lot in call.lots:
            retrieval = call.retrieval if call.never < 1 else None
            stay = _race([lot.patience, retrieval, lot.limit], [0.0, call.never, 0.0], step_s, points)
            self.classes.append(_Class(*map(self.transform, (*stay.masses, stay.lasting))))
        limit = None if call.ring_s is None else At(call.ring_s)
        if call.rings:
            ring = _race([call.recall_patience, call.answer, limit], [0.0, call.never_answered, 0.0], step_s, points)
            hung_up, answered, out = ring.masses
            self.ring_s: Spectrum | None = self.transform(ring.lasting)
        else:
            share = 1.0 if call.recall_patience is None else float(call.recall_patience.survival(np.zeros(1))[0])
            at_once = np.zeros(points)
            at_once[0] = 1.0
            hung_up, answered, out = (1.0 - share) * at_once, share * at_once, 0.0 * at_once
            self.ring_s = None
        self.ring_hung_up = float(hung_up.sum())
        self.ring_lost = float(out.sum()) if call.unanswered_lost else 0.0
        self.taken = self.transform(answered if call.unanswered_lost else answered + out)

    def _lasting(self, law: Law) -> Spectrum | None:
        return self.transform(_race([law], [0.0], self.step_s, self.points).lasting) if law.mean_s else None

    def transform(self, masses: Floats) -> Spectrum:
        """Return the transform along the last axis, with room for a convolution."""
        return np.asarray(np.fft.rfft(masses, self.size, axis=-1))

    def back(self, transformed: Spectrum) -> Floats:
        """Return what was transformed."""
        return np.asarray(np.fft.irfft(transformed, self.size, axis=-1)[..., : self.points])

    def delay(self, delay: Delay) -> Spectrum | float:
        """Return a wait's masses, transformed."""
        if not delay.share or delay.mean_s < 1e-3 * self.step_s:
            return 1.0
        return self.transform(_race([_Waits(delay)], [0.0], self.step_s, self.points).masses[0])


class _Waits(NamedTuple):
    """A wait as a law."""

    delay: Delay

    @property
    def mean_s(self) -> float:
        return self.delay.share * self.delay.mean_s

    @property
    def atoms_s(self) -> tuple[float, ...]:
        return (0.0,)

    def survival(self, t_s: Floats) -> Floats:
        return np.where(t_s < 0, 1.0, self.delay.share * np.exp(-np.maximum(t_s, 0.0) / self.delay.mean_s))


def _smooth(least: int) -> int:
    """Return a length not below ``least`` that is quick to transform: 2^n, 3 x 2^n or 5 x 2^n."""
    return min(factor << max(0, (-(-least // factor) - 1).bit_length()) for factor in (1, 3, 5))


def spread(counts: Floats) -> Floats:
    """Return the calls of each cell of the grid, shape (..., cells), as masses at its ends, shape (..., cells + 1)."""
    half = 0.5 * counts
    zero = np.zeros((*counts.shape[:-1], 1))
    return np.asarray(np.concatenate((half, zero), axis=-1) + np.concatenate((zero, half), axis=-1))


def flows(kernels: Kernels, answered: Floats, limits: Limits) -> Flow:
    """Follow the calls that attendants answer.

    Args:
        kernels: The laws, on the grid.
        answered: First answers as masses on the grid, shape (groups, points).
        limits: What is refused and who waits.
    """
    call, groups, points, lots = kernels.call, len(answered), kernels.points, len(kernels.call.lots)
    by_lot = {
        name: np.zeros((groups, lots, points))
        for name in ("requests", "asked", "refused", "wanted_s", "parked", "parked_s", "expired")
    }
    names = (
        "retrieved",
        "hung_up",
        "lost",
        "rung",
        "back_hung_up",
        "back_taken",
        "answers",
        "talks",
        "attended_s",
        "staff_s",
    )
    flow = Flow(**by_lot, **{name: np.zeros((groups, points)) for name in names})
    work = np.zeros_like(kernels.transform(answered))
    for number, lot in enumerate(call.lots):
        if lot.share:
            work += _follow(flow, kernels, number, lot.share * answered, limits)
    flow.attended_s += kernels.back(work)
    return flow


def _follow(flow: Flow, kernels: Kernels, number: int, masses: Floats, limits: Limits) -> Spectrum:
    """Add to the flow what the calls do that ask one lot first; return the seconds of attendants, transformed."""
    call, one = kernels.call, kernels.classes[number]
    waits, few = kernels.delay(limits.back), NOTHING * max(float(masses.sum()), 1e-300)
    stays = 1.0 - limits.back_lost - limits.back_left
    rings, waited = 1.0 - limits.to_group, 1.0 if limits.to_group else waits
    attended = np.zeros_like(kernels.transform(masses))
    talks = np.zeros_like(masses)
    for parks in range(call.most_parks + 1):
        flow.answers += masses
        answers = kernels.transform(masses)
        attended += answers * kernels.handled_s
        handled = kernels.back(answers * kernels.handling)
        wish = call.wish if parks < call.most_parks else 0.0
        asks = wish * handled
        talks += handled - asks
        if not wish or masses.sum() < few:
            talks += asks
            break
        flow.requests[:, number] += asks
        made, gone, repeats = _asked(flow, kernels, number, asks, limits)
        if limits.when_full == "keep":
            talks += gone
        elif limits.when_full == "drop":
            flow.lost += gone
        if limits.retries:
            attended += kernels.transform(repeats) * (limits.retry_s * _ramp(kernels))
        if call.announcement_s:
            attended += kernels.transform(made) * (call.announcement_s * _ramp(kernels))
        parked = kernels.transform(made)
        retrieved = parked * one.retrieved
        expired = parked * one.expired
        flow.retrieved += kernels.back(retrieved)
        flow.hung_up += kernels.back(parked * one.hung_up)
        if kernels.staff_s is not None:
            flow.staff_s += kernels.back(retrieved * kernels.staff_s)
        out = kernels.back(expired)
        rung = stays * out
        taken = stays * kernels.back(expired * (rings * waited * kernels.taken + limits.to_group * waits))
        flow.rung += rung
        flow.back_hung_up += limits.back_left * out + rings * rung * kernels.ring_hung_up
        flow.lost += limits.back_lost * out + rings * rung * kernels.ring_lost
        flow.back_taken += taken
        if kernels.ring_s is not None:
            attended += stays * rings * expired * waited * kernels.ring_s
        masses = taken
    flow.talks += talks
    if kernels.talk_s is not None:
        attended += kernels.transform(talks) * kernels.talk_s
    return attended


def _ramp(kernels: Kernels) -> Spectrum:
    """Return the transform of a step: what is begun is done at once, as far as sums of seconds go."""
    return kernels.transform(np.ones(kernels.points))


def _asked(flow: Flow, kernels: Kernels, first: int, asks: Floats, limits: Limits) -> tuple[Floats, Floats, Floats]:
    """Let requests ask the lot ``first`` and those after it; return those parked, those refused, and repetitions."""
    one = kernels.classes[first]
    made = np.zeros_like(asks)
    before = np.ones(asks.shape[-1])
    repeats = np.zeros_like(asks)
    for lot in range(first, len(kernels.classes) if limits.when_full == "overflow" else first + 1):
        full = limits.refused[first, lot]
        reach = asks * before
        refused = asks * full
        flow.wanted_s[:, lot] += kernels.back(kernels.transform(reach) * one.lasting)
        times = np.ones_like(full)
        share = full
        if limits.retries:  # a kept call asks only its own lot
            again = limits.again[first]
            times = sum((again**k for k in range(1, limits.retries + 1)), np.ones_like(full))
            share = full * again**limits.retries
            repeats = asks * full * sum((again**k for k in range(limits.retries)), np.zeros_like(full))
        parked = reach - asks * share
        flow.asked[:, lot] += reach + (repeats if limits.retries else 0.0)
        flow.refused[:, lot] += refused * times
        flow.parked[:, lot] += parked
        transformed = kernels.transform(parked)
        flow.parked_s[:, lot] += kernels.back(transformed * one.lasting)
        flow.expired[:, lot] += kernels.back(transformed * one.expired)
        made = made + parked
        before = share
    return made, asks - made, repeats


def blocked(slots: int, offered: Floats) -> Floats:
    """Return Erlang's B(slots, offered) of each load, shape as ``offered``.

    >>> from parksim.theory.erlang import erlang_b
    >>> bool(abs(blocked(4, np.array([0.0, 2.0]))[1] - erlang_b(4, 2.0)) < 1e-15)
    True
    """
    share = np.ones_like(offered)
    for number in range(1, slots + 1):
        share = offered * share / (number + offered * share)
    return share
