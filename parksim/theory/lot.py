"""A lot of slots by formula: which share of parks it refuses, how many slots are in use, how often each is."""

import math
from dataclasses import dataclass
from typing import Final, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from parksim.errors import ArgumentError
from parksim.theory import erlang
from parksim.theory.race import Law, Race, mean_within, quantile_s

__all__ = ["Choice", "LossLot", "load_from_empty", "loss_lot", "refused_dispersion", "slot_loads"]

Floats = NDArray[np.float64]
Choice = str
"""Which free slot a park takes, in the words of ``rules.codes.CHOICE_NAMES``."""
_CHOICES: Final[tuple[Choice, ...]] = ("lowest", "next", "random")


def load_from_empty(offered_per_s: float, stay: Law, t_s: float) -> float:
    """Return the mean occupancy of an unlimited lot t seconds after it opened empty: lambda E[min(stay, t)].

    The occupancy is then Poisson with this mean (``unlimited_pmf``), for any law of stays; if no stay exceeds T, it
    is exactly stationary from T on.

    Source: Eick, Massey and Whitt (1993), Operations Research 41, 731-742 (the physics of the Mt/G/infinity queue).

    Args:
        offered_per_s: Poisson parks a second, >= 0.
        stay: The law of stays; a ``Race`` is one.
        t_s: Seconds since opening, >= 0.

    Raises:
        ArgumentError: If the rate or the instant is out of its range.

    >>> from math import exp
    >>> from parksim.scenario.laws import parse_law
    >>> minute = parse_law({"kind": "exponential", "mean": 60})
    >>> round(load_from_empty(0.1, minute, 60.0), 9), round(6.0 * (1 - exp(-1)), 9)
    (3.792723353, 3.792723353)
    """
    return erlang.checked_number("offered_per_s", offered_per_s) * mean_within(stay, t_s)


def slot_loads(slots: SupportsIndex, offered_erlang: float, choice: Choice = "lowest") -> Floats:
    """Return each slot's carried load (its utilisation) in a loss lot, shape (slots,), lowest slot first.

    With the lowest free slot chosen, slot i (from 1) carries A (B(i-1, A) - B(i, A)): the first i slots together
    serve a park that finds one of them free, as if the others did not exist, so they are a loss system of i servers.
    That argument needs Poisson parks and nothing of the law of stays: unlike the overflow's variance, each slot's
    *mean* load is as insensitive as Erlang's formula. With ``next`` or ``random`` all are alike: A (1 - B) / c.

    Source: Erlang (1917) for ordered hunting; Iversen, Teletraffic Engineering and Network Planning, chapter on
    Erlang's loss system (sequential hunting).

    Args:
        slots: c, >= 1.
        offered_erlang: A, >= 0.
        choice: Which free slot a park takes.

    Raises:
        ArgumentError: If an argument is out of its range or the choice is unknown.

    >>> slot_loads(3, 1.0).round(4).tolist()  # 1 - 1/2, 1/2 - 1/5, 1/5 - 1/16
    [0.5, 0.3, 0.1375]
    """
    c, a = erlang.checked_count("slots", slots, 1), erlang.checked_number("offered_erlang", offered_erlang)
    if choice not in _CHOICES:
        raise ArgumentError(f"a choice is one of {', '.join(_CHOICES)}, got {choice!r}")
    if choice != "lowest":
        return np.full(c, erlang.carried_erlang(c, a) / c)
    before, i = erlang.erlang_b_curve(c, a)[:-1], np.arange(1, c + 1)
    # A (B(i-1) - B(i)) with B(i) put in by its recursion: the difference of nearly equal shares is gone.
    loads: Floats = a * before * (i - a * (1.0 - before)) / (i + a * before)
    return loads


def refused_dispersion(slots: SupportsIndex, offered_erlang: float) -> float:
    """Return variance / mean of the number of parks that a lot refuses in a long time: above 1, since they clump.

    Refused parks are Poisson while the lot is full, so that variance / mean is 1 + 2 lambda D, D the integral of
    P(full at t | full at 0) - P(full). Solving the balance of a birth-death process for it (Poisson's equation) gives

        1 + 2 pi_c sum over i < c of F_i**2 / pi_i,     pi Erlang's distribution, F_i = pi_0 + .. + pi_i.

    For exponential stays; other laws change it little, though not the mean.

    Source: the asymptotic variance of a function of a Markov chain as in Asmussen, Applied Probability and Queues.

    Args:
        slots: c, >= 1.
        offered_erlang: A, > 0.

    Raises:
        ArgumentError: If an argument is out of its range.

    >>> round(refused_dispersion(1, 3.0), 6)  # one slot: 1 + 2 A / (1 + A)**2
    1.375
    """
    c, a = erlang.checked_count("slots", slots, 1), erlang.checked_positive("offered_erlang", offered_erlang)
    pmf = erlang.busy_pmf(c, a)
    below = np.cumsum(pmf[:-1])
    # pi_c / pi_i = A**(c - i) i! / c!, in logarithms, since pi_i may be less than a double holds.
    ratio = np.cumsum((math.log(a) - np.log(np.arange(1, c + 1)))[::-1])[::-1]
    return 1.0 + 2.0 * float(np.sum(np.exp(2.0 * np.log(np.maximum(below, 1e-300)) + ratio)))


@dataclass(frozen=True, slots=True)
class LossLot:
    """What formulas say of a lot; the names are those of the measures.

    Attributes:
        offered_erlang: Park requests a second x mean stay.
        refused_share: Of park requests.
        time_full_share: Of time.
        retrieved_share: Of parks made; so the next two.
        abandoned_share: See there.
        expired_share: See there.
        occupancy_mean: Parked calls on average.
        occupancy_p95: Least number not exceeded 95 % of the time.
        occupancy_pmf: Probabilities of 0..slots parked calls.
        slot_utilisation: By slot, lowest first.
        parked_s_mean: Mean stay, seconds.
        parked_s_p50: Median stay, seconds.
        parked_s_p95: 95th percentile, seconds.
    """

    offered_erlang: float
    refused_share: float
    time_full_share: float
    retrieved_share: float
    abandoned_share: float
    expired_share: float
    occupancy_mean: float
    occupancy_p95: int
    occupancy_pmf: tuple[float, ...]
    slot_utilisation: tuple[float, ...]
    parked_s_mean: float
    parked_s_p50: float
    parked_s_p95: float


def loss_lot(parks_per_s: float, stay: Race, slots: SupportsIndex, choice: Choice = "lowest") -> LossLot:
    """Return the lot as M/G/c/c: refused share = B(slots, requests a second x mean stay).

    Exact in steady state when the *requests* are Poisson, a refused one does not ask again, and stays do not depend
    on the lot: constant arrival rate, attendants without limit (or that never make a call wait), staff without
    limit, ``max_parks`` = 1 (or no return), ``retries`` = 0. Whether a refused call then talks on, overflows or is
    dropped is all the same to the lot. Any law of handling, patience, retrieval and limit.

    Args:
        parks_per_s: Park requests a second (calls a second x share that wants to be parked), >= 0.
        stay: From ``race``.
        slots: c, >= 1.
        choice: Which free slot a park takes.

    Raises:
        ArgumentError: If an argument is out of its range.

    >>> from parksim.theory.race import race
    >>> lot = loss_lot(0.1, race(limit=60.0), 10)  # every stay 60 s: 6 erlang on 10 slots
    >>> round(lot.refused_share, 5), lot.expired_share
    (0.04314, 1.0)
    """
    c, rate = erlang.checked_count("slots", slots, 1), erlang.checked_number("parks_per_s", parks_per_s)
    offered = rate * stay.mean_s
    blocked, pmf = erlang.erlang_b(c, offered), erlang.busy_pmf(c, offered)
    return LossLot(
        offered_erlang=offered,
        refused_share=blocked,
        time_full_share=blocked,
        retrieved_share=stay.retrieved_share,
        abandoned_share=stay.abandoned_share,
        expired_share=stay.expired_share,
        occupancy_mean=offered * (1.0 - blocked),
        occupancy_p95=erlang.pmf_quantile(pmf, 0.95),
        occupancy_pmf=tuple(pmf.tolist()),
        slot_utilisation=tuple(slot_loads(c, offered, choice).tolist()),
        parked_s_mean=stay.mean_s,
        parked_s_p50=quantile_s(stay, 0.5),
        parked_s_p95=quantile_s(stay, 0.95),
    )
