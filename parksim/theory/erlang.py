"""Erlang's formulas and their kin: loss, delay, impatience, finitely many sources, no limit at all.

Loads are in erlang (arrivals a second x mean seconds of holding), blocking and congestion are shares. Every formula
says what it assumes. Import them from ``parksim.theory``.

>>> round(erlang_b(10, 4.461), 4)  # the printed table: 10 trunks take 4.461 erlang at 1 %
0.01
"""

import itertools
import math
import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from parksim.errors import ArgumentError

__all__ = [
    "Engset",
    "ErlangA",
    "busy_pmf",
    "carried_erlang",
    "engset",
    "erlang_a",
    "erlang_b",
    "erlang_b_curve",
    "erlang_b_offered",
    "erlang_b_servers",
    "erlang_c",
    "erlang_c_longer",
    "erlang_c_wait_s",
    "erlang_c_within",
    "pmf_quantile",
    "unlimited_pmf",
    "unlimited_quantile",
]

Floats = NDArray[np.float64]

MOST_SERVERS: Final = 10_000_000
"""Beyond this a question for the number of servers is refused."""
_NEGLIGIBLE: Final = -50.0
"""A state whose weight is below e^-50 of the greatest is left out of a sum."""


def erlang_b(servers: SupportsIndex, offered_erlang: float) -> float:
    """Return Erlang's loss formula B(c, A): the share of time, and of calls, that find all c servers busy.

    B(0, A) = 1, B(n, A) = A B(n-1, A) / (n + A B(n-1, A)); all terms positive, so nothing cancels.

    Assumes Poisson arrivals (hence time congestion = call congestion), any law of holding times with the right
    mean, blocked calls cleared.

    Source: Erlang (1917), Solution of some problems in the theory of probabilities of significance in automatic
    telephone exchanges; the recursion is in Iversen, Teletraffic Engineering and Network Planning, chapter on
    Erlang's loss system.

    Args:
        servers: c, >= 0.
        offered_erlang: A, >= 0, not necessarily whole.

    Raises:
        ArgumentError: If an argument is negative or not finite.

    >>> round(erlang_b(20, 12.03), 4), erlang_b(0, 3.0)  # the printed table: 12.03 erlang at 1 %
    (0.01, 1.0)
    """
    c, a = checked_count("servers", servers, 0), checked_number("offered_erlang", offered_erlang)
    return next(itertools.islice(_blocking(a), c, None))


def _blocking(offered_erlang: float) -> Iterator[float]:
    """Yield B(0, A), B(1, A), and so on, as in ``erlang_b``."""
    blocked, a = 1.0, offered_erlang
    for n in itertools.count(1):
        yield blocked
        blocked = a * blocked / (n + a * blocked)


def erlang_b_curve(servers: SupportsIndex, offered_erlang: float) -> Floats:
    """Return B(0, A) .. B(c, A), shape (c + 1,); arguments and errors as ``erlang_b``.

    >>> erlang_b_curve(3, 1.0).round(4).tolist()  # 1, 1/2, 1/5, 1/16
    [1.0, 0.5, 0.2, 0.0625]
    """
    c, a = checked_count("servers", servers, 0), checked_number("offered_erlang", offered_erlang)
    return np.fromiter(itertools.islice(_blocking(a), c + 1), np.float64)


def erlang_b_servers(offered_erlang: float, blocking: float) -> int:
    """Return the least number of servers with B(c, A) <= blocking.

    Args:
        offered_erlang: A, >= 0.
        blocking: The share aimed at, in (0, 1].

    Raises:
        ArgumentError: If the load is negative or not finite, the blocking outside (0, 1], or more than ten million
            servers would be needed.

    >>> erlang_b_servers(12.03, 0.01), erlang_b_servers(4.461, 0.01)
    (20, 10)
    """
    a = checked_number("offered_erlang", offered_erlang)
    if not 0.0 < blocking <= 1.0:
        raise ArgumentError(f"blocking must be in (0, 1], got {blocking!r}")
    if a * (1.0 - blocking) > MOST_SERVERS:  # c >= carried load
        raise ArgumentError(f"{a:g} erlang need more than {MOST_SERVERS} servers")
    return next(n for n, blocked in enumerate(_blocking(a)) if blocked <= blocking)


def erlang_b_offered(servers: SupportsIndex, blocking: float) -> float:
    """Return the greatest load that c servers take with B(c, A) <= blocking, erlang, to about 1e-12 relative.

    Newton's method on ln B as a function of A, whose slope is c/A - 1 + B, inside a bracket; the bracket's upper
    end is c / (1 - blocking), since the carried load A (1 - B) is below c.

    Args:
        servers: c, >= 1.
        blocking: The share allowed, in (0, 1).

    Raises:
        ArgumentError: If there is no server or the blocking is outside (0, 1).

    >>> round(erlang_b_offered(10, 0.01), 3), round(erlang_b_offered(100, 0.01), 2)  # the printed table
    (4.461, 84.06)
    """
    c = checked_count("servers", servers, 1)
    if not 0.0 < blocking < 1.0:
        raise ArgumentError(f"blocking must be in (0, 1), got {blocking!r}")
    low, high = 0.0, c / (1.0 - blocking)
    a = 0.5 * high
    for _ in range(2000):
        b = erlang_b(c, a)
        low, high = (a, high) if b <= blocking else (low, a)
        slope = c / a - 1.0 + b
        step = a - math.log(b / blocking) / slope if b > 0.0 and slope > 0.0 else math.nan
        if not low < step < high:
            step = 0.5 * (low + high)
        if abs(step - a) <= 1e-15 * a or not low < step < high:
            break
        a = step
    return a


def carried_erlang(servers: SupportsIndex, offered_erlang: float) -> float:
    """Return the carried load A (1 - B(c, A)): the mean number of busy servers; as ``erlang_b``.

    >>> round(carried_erlang(3, 1.0), 4)
    0.9375
    """
    return offered_erlang * (1.0 - erlang_b(servers, offered_erlang))


def busy_pmf(servers: SupportsIndex, offered_erlang: float) -> Floats:
    """Return the probabilities of 0..c busy servers, shape (c + 1,): p(n) proportional to A^n / n!.

    Erlang's distribution (the truncated Poisson law), insensitive to the law of holding times; assumptions,
    arguments and errors as ``erlang_b``, which is its last entry.

    >>> busy_pmf(2, 1.0).tolist()
    [0.4, 0.4, 0.2]
    """
    c, a = checked_count("servers", servers, 0), checked_number("offered_erlang", offered_erlang)
    if a == 0.0:
        return np.eye(1, c + 1).ravel()  # nobody ever comes
    return _normalized(np.concatenate([np.zeros(1), np.cumsum(np.log(a / np.arange(1, c + 1)))]))


def erlang_c(servers: SupportsIndex, offered_erlang: float) -> float:
    """Return Erlang's delay formula C(c, A): the probability that a call has to wait.

    C = c B / (c - A (1 - B)) with B = B(c, A). Assumes M/M/c: Poisson arrivals, exponential service, endless
    patience, A < c.

    Source: Erlang (1917) as above; Kleinrock, Queueing Systems I, chapter on birth-death queues (M/M/m).

    Raises:
        ArgumentError: If an argument is bad, or A >= c (the queue would grow for ever).

    >>> round(erlang_c(55, 48.0), 3)  # 360 calls of 4 minutes in half an hour, 55 agents: a known worked example
    0.239
    """
    c, a = checked_count("servers", servers, 1), checked_number("offered_erlang", offered_erlang)
    if a >= c:
        raise ArgumentError(f"{a:g} erlang on {c} servers without abandonment: the queue has no steady state")
    blocked = erlang_b(c, a)
    return c * blocked / (c - a * (1.0 - blocked))


def erlang_c_wait_s(servers: SupportsIndex, offered_erlang: float, service_s: float) -> float:
    """Return the mean wait of all calls in M/M/c, seconds: C(c, A) s / (c - A); as ``erlang_c``.

    >>> round(erlang_c_wait_s(50, 48.0, 60.0), 1)  # Garnett, Mandelbaum and Reiman (2002), table 1: 20.8 s
    20.8
    """
    waits = erlang_c(servers, offered_erlang)
    return waits * checked_number("service_s", service_s) / (operator.index(servers) - offered_erlang)


def erlang_c_longer(servers: SupportsIndex, offered_erlang: float, service_s: float, t_s: float) -> float:
    """Return P(wait > t) = C(c, A) exp(-(c - A) t / s) in M/M/c served first come first; as ``erlang_c``.

    Args:
        servers: c, >= 1.
        offered_erlang: A < c.
        service_s: Mean service, seconds, > 0.
        t_s: Seconds, >= 0.

    >>> round(erlang_c_longer(50, 48.0, 60.0, 58.1), 2)  # the same table: the 90th percentile is 58.1 s
    0.1
    """
    waits, s = erlang_c(servers, offered_erlang), checked_positive("service_s", service_s)
    return waits * math.exp(-(operator.index(servers) - offered_erlang) * checked_number("t_s", t_s) / s)


def erlang_c_within(servers: SupportsIndex, offered_erlang: float, service_s: float, t_s: float) -> float:
    """Return the service level P(wait <= t) in M/M/c: 1 - ``erlang_c_longer``.

    >>> round(erlang_c_within(55, 48.0, 240.0, 15.0), 3)  # the worked example above
    0.846
    """
    return 1.0 - erlang_c_longer(servers, offered_erlang, service_s, t_s)


@dataclass(frozen=True, slots=True)
class ErlangA:
    """M/M/c+M in steady state.

    Attributes:
        wait_share: Share of calls that find all servers busy.
        abandoned_share: Share of calls that hang up in the queue.
        wait_s: Mean wait of all calls, served or not, seconds.
        queue_mean: Mean number waiting.
        busy_mean: Mean number of busy servers.
    """

    wait_share: float
    abandoned_share: float
    wait_s: float
    queue_mean: float
    busy_mean: float


def erlang_a(servers: SupportsIndex, offered_per_s: float, service_s: float, patience_s: float) -> ErlangA:
    """Return the queue with impatient callers, M/M/c+M, by exact sums over its birth-death chain.

    In state n calls come at the rate lambda and leave at min(n, c)/s + max(0, n - c)/patience. Weights are summed as
    logarithms around the greatest one, so neither thousands of servers nor overload overflow. Abandoned share =
    E[queue] / (lambda patience), mean wait = E[queue] / lambda (Little).

    Assumes Poisson arrivals, exponential service and patience, first come first served. Endless patience gives
    Erlang C, none at all Erlang B.

    Source: Palm (1957), Research on telephone traffic carried by full availability groups; Garnett, Mandelbaum and
    Reiman (2002), Manufacturing and Service Operations Management 4, 208-227.

    Args:
        servers: c, >= 1.
        offered_per_s: lambda, calls a second, > 0.
        service_s: Mean service, seconds, > 0.
        patience_s: Mean patience, seconds, >= 0, may be infinite.

    Raises:
        ArgumentError: If an argument is out of its range, patience is endless and the load reaches c, or the chain
            would need more than ten million states.

    Table 1 of the 2002 paper: 50 agents, 48 calls a minute, 1 minute of service, 2 minutes of patience: 3.1 %
    abandon, 3.7 s of wait, 3 in the queue, agents busy 93 % of the time.

    >>> queue = erlang_a(50, 48 / 60, 60.0, 120.0)
    >>> round(queue.abandoned_share, 3), round(queue.wait_s, 1), round(queue.queue_mean), round(queue.busy_mean / 50, 2)
    (0.031, 3.7, 3, 0.93)
    """
    c, rate = checked_count("servers", servers, 1), checked_positive("offered_per_s", offered_per_s)
    service = checked_positive("service_s", service_s)
    if not patience_s >= 0.0:
        raise ArgumentError(f"patience_s must be >= 0, got {patience_s!r}")
    if patience_s == math.inf:
        waits = erlang_c(c, rate * service)
        wait_s = erlang_c_wait_s(c, rate * service, service)
        return ErlangA(waits, 0.0, wait_s, wait_s * rate, rate * service)
    if patience_s == 0.0:
        blocked = erlang_b(c, rate * service)
        return ErlangA(blocked, blocked, 0.0, 0.0, rate * service * (1.0 - blocked))

    def log_ratio(n: Floats) -> Floats:
        leaving: Floats = np.minimum(n, c) / service + np.maximum(n - c, 0.0) / patience_s
        return np.log(rate / leaving)

    p = _birth_death(log_ratio, at_least=c)
    n = np.arange(len(p))
    queue = float(np.sum(np.maximum(n - c, 0.0) * p))
    return ErlangA(
        wait_share=min(1.0, float(np.sum(p[n >= c]))),
        abandoned_share=queue / (rate * patience_s),
        wait_s=queue / rate,
        queue_mean=queue,
        busy_mean=float(np.sum(np.minimum(n, c) * p)),
    )


@dataclass(frozen=True, slots=True)
class Engset:
    """A loss system with finitely many sources.

    Attributes:
        time_congestion: Share of time all servers are busy.
        call_congestion: Share of attempts that find all servers busy; smaller, since a busy source does not call.
        traffic_congestion: Share of the traffic that would flow without any limit and does not.
        carried_erlang: Mean number of busy servers.
    """

    time_congestion: float
    call_congestion: float
    traffic_congestion: float
    carried_erlang: float


def engset(servers: SupportsIndex, sources: SupportsIndex, idle_erlang: float) -> Engset:
    """Return Engset's loss system: S sources, each calling at the rate b / s while idle, c servers.

    Time congestion E(c, S) by E(0) = 1, E(n) = (S-n+1) b E(n-1) / (n + (S-n+1) b E(n-1)); call congestion is
    E(c, S - 1) (an arriving source sees the system of the others); carried Y = S b (1 - B) / (1 + b (1 - B)).

    Insensitive to the laws of idle and holding times.

    Source: Engset (1918); Iversen, Teletraffic Engineering and Network Planning, chapter on loss systems with
    limited accessibility of sources (Engset's).

    Args:
        servers: c, >= 0.
        sources: S, >= 1.
        idle_erlang: b, load offered by one idle source: its calls a second while idle x mean holding, >= 0.

    Raises:
        ArgumentError: If an argument is out of its range.

    Four sources of b = 1/3 on three servers: weights 1, 4/3, 6/9, 4/27, so E = 4/85, B = 1/64 and, of an offered
    S b / (1 + b) = 1 erlang, C = 1/85.

    >>> system = engset(3, 4, 1 / 3)
    >>> [round(1 / share, 9) for share in (system.time_congestion, system.call_congestion, system.traffic_congestion)]
    [21.25, 64.0, 85.0]
    """
    c, s = checked_count("servers", servers, 0), checked_count("sources", sources, 1)
    b = checked_number("idle_erlang", idle_erlang)
    blocked = _engset_time(c, s - 1, b)
    accepted = b * (1.0 - blocked)
    carried, intended = s * accepted / (1.0 + accepted), s * b / (1.0 + b)
    return Engset(
        time_congestion=_engset_time(c, s, b),
        call_congestion=blocked,
        # (intended - carried) / intended, written so that nothing cancels.
        traffic_congestion=blocked / (1.0 + accepted) if intended > 0.0 else 0.0,
        carried_erlang=carried,
    )


def _engset_time(servers: int, sources: int, idle_erlang: float) -> float:
    if servers > sources:
        return 0.0
    full = 1.0
    for n in range(1, servers + 1):
        pressure = (sources - n + 1) * idle_erlang * full
        full = pressure / (n + pressure)
    return full


def unlimited_pmf(offered_erlang: float, up_to: SupportsIndex | None = None) -> Floats:
    """Return P(N = 0..up_to) of a lot without limit (M/G/infinity): the Poisson law of mean A.

    Assumes Poisson arrivals; any law of stays.

    Source: Kleinrock, Queueing Systems I (M/M/infinity); insensitivity: Takacs (1962), Introduction to the Theory
    of Queues.

    Args:
        offered_erlang: A, >= 0.
        up_to: Last state; by default where what is left is below e^-50 of the greatest probability.

    Raises:
        ArgumentError: If the load is negative or not finite, or ``up_to`` negative.

    >>> unlimited_pmf(1.0, up_to=2).round(6).tolist()  # e^-1, e^-1, e^-1 / 2
    [0.367879, 0.367879, 0.18394]
    """
    a = checked_number("offered_erlang", offered_erlang)
    last = None if up_to is None else checked_count("up_to", up_to, 0)
    if a == 0.0:
        return np.eye(1, (last or 0) + 1).ravel()
    pmf = _birth_death(lambda n: np.log(a / n), at_least=last or 0)
    return pmf if last is None else pmf[: last + 1]


def pmf_quantile(pmf: Sequence[float] | Floats, probability: float) -> int:
    """Return the least n with P(N <= n) >= probability, for the probabilities of 0, 1, 2, ...

    Raises:
        ArgumentError: If the probability is outside (0, 1).

    >>> pmf_quantile([0.4, 0.4, 0.2], 0.8)
    1
    """
    if not 0.0 < probability < 1.0:
        raise ArgumentError(f"a probability must be in (0, 1), got {probability!r}")
    p = np.asarray(pmf, dtype=np.float64)
    beyond = np.concatenate([np.cumsum(p[::-1])[::-1][1:], [0.0]])  # from the far end: small tails keep their digits
    return int(np.argmax(beyond <= (1.0 - probability) * (1.0 + 1e-12)))


def unlimited_quantile(offered_erlang: float, probability: float) -> int:
    """Return how many slots a lot without limit needs for a share ``probability`` of the time (M/G/infinity).

    Raises:
        ArgumentError: If the load is negative or not finite, or the probability outside (0, 1).

    >>> unlimited_quantile(10.0, 0.95)  # tables of the Poisson law: P(N <= 15) = 0.9513, P(N <= 14) = 0.9165
    15
    """
    return pmf_quantile(unlimited_pmf(offered_erlang), probability)


def _birth_death(log_ratio: Callable[[Floats], Floats], at_least: int) -> Floats:
    """Return the probabilities of the states 0, 1, ... of a birth-death chain.

    ``log_ratio(n)`` is ln(weight of n / weight of n - 1) and falls with n. The last state is beyond ``at_least``, and
    what lies beyond it is negligible beside it and beside the greatest weight.
    """
    weights, top, size = np.zeros(1), 0.0, max(64, 2 * at_least)
    while True:
        n = np.arange(len(weights), len(weights) + size, dtype=np.float64)
        more = weights[-1] + np.cumsum(log_ratio(n))
        weights = np.concatenate([weights, more])
        top = float(weights[at_least:].max())
        if weights[-1] < top + _NEGLIGIBLE and more[-1] < more[-2]:
            break
        if len(weights) > MOST_SERVERS:
            raise ArgumentError(f"the chain needs more than {MOST_SERVERS} states: load and patience are too great")
        size = len(weights)
    return _normalized(weights)


def _normalized(log_weights: Floats) -> Floats:
    weights = np.exp(log_weights - log_weights.max())
    shares: Floats = weights / math.fsum(weights.tolist())
    return shares


def checked_count(name: str, value: SupportsIndex, least: int) -> int:
    """Return ``value`` as an int; raise ArgumentError when it is below ``least``, TypeError when it is not whole."""
    count = operator.index(value)
    if count < least:
        raise ArgumentError(f"{name} must be at least {least}, got {value!r}")
    return count


def checked_number(name: str, value: float) -> float:
    """Return ``value``; raise ArgumentError when it is negative, nan or infinite."""
    if not 0.0 <= value < math.inf:
        raise ArgumentError(f"{name} must be >= 0 and finite, got {value!r}")
    return float(value)


def checked_positive(name: str, value: float) -> float:
    """Return ``value``; raise ArgumentError when it is 0, negative, nan or infinite."""
    if not 0.0 < value < math.inf:
        raise ArgumentError(f"{name} must be > 0 and finite, got {value!r}")
    return float(value)
