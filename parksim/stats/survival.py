"""Durations of which some were cut short: how long until something happens, seen through what happened before.

A retrieval that a time-out or a hang-up forestalled is **censored**: it is known only that it would have come later.
``kaplan_meier`` estimates the share not yet happened without any law, ``fit`` by maximum likelihood with one of the
laws a scenario can have, and with a share to which it never happens (``never``).

With event indicators d_i (1 = seen, 0 = censored at t_i), density f and survival S of a law, a fit maximises

    sum_i  d_i log((1 - p) f(t_i)) + (1 - d_i) log(p + (1 - p) S(t_i))

where p is the never-share (Boag 1949; Berkson and Gage 1952), 0 for a law without one. Censoring is
assumed to be independent of what it cuts short. Intervals of a law's parameters come from the observed information on
a logarithmic scale (Cox and Hinkley 1974, 9.3), that of p from the likelihood ratio, which holds at its borders too.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from statistics import NormalDist
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from parksim.errors import ArgumentError
from parksim.stats.special import upper_gamma

Seconds = NDArray[np.float64]
LEVEL: Final = 0.95
"""The level of all intervals."""
_SCORE: Final = NormalDist().inv_cdf(0.5 + LEVEL / 2)
SHORTEST_S: Final = 1e-6
"""Shorter durations are taken as this: the clock has no finer tick."""
_TINY: Final = 1e-300


class Interval(NamedTuple):
    """A figure with its limits."""

    value: float
    low: float
    high: float

    def holds(self, true: float) -> bool:
        """Tell whether a value lies within the limits."""
        return self.low <= true <= self.high


class Survival(NamedTuple):
    """Kaplan and Meier's estimate: after ``times_s[i]`` the share ``share[i]`` has not happened yet.

    ``variance_sum`` is Greenwood's sum, ``at_risk`` how many were still under observation just before; shape (k,).
    """

    times_s: Seconds
    share: Seconds
    variance_sum: Seconds
    at_risk: NDArray[np.int64]

    def at(self, t_s: float) -> Interval:
        """Return the share beyond ``t_s`` with its interval.

        The limits are S**exp(+-z sqrt(V) / log S), V Greenwood's sum: those of log(-log S), which stay within 0 and 1
        (Kalbfleisch and Prentice 1980, 1.3).
        """
        at = int(np.searchsorted(self.times_s, t_s, side="right")) - 1
        if at < 0:
            return Interval(1.0, 1.0, 1.0)
        share = float(self.share[at])
        if share <= 0.0:
            return Interval(0.0, 0.0, 1.0 if at == 0 else self.at(float(self.times_s[at - 1])).high)
        reach = _SCORE * math.sqrt(float(self.variance_sum[at])) / math.log(share)
        return Interval(share, share ** math.exp(-reach), share ** math.exp(reach))

    def quantile_s(self, happened: float) -> tuple[float | None, float | None, float | None]:
        """Return when the share ``happened`` has happened, with limits; None where the log does not reach so far.

        The limits are the times at which the interval of the curve crosses it (Brookmeyer and Crowley 1982).
        """
        curve = [(t_s, self.at(t_s)) for t_s in self.times_s.tolist()]
        reached = [[t_s for t_s, limits in curve if limits[side] <= 1 - happened] for side in range(3)]
        point, low, high = (times_s[0] if times_s else None for times_s in reached)
        return point, low, high


def kaplan_meier(durations_s: Seconds, seen: NDArray[np.bool_]) -> Survival:
    """Return the product-limit estimate of the share not yet happened.

    S(t) = prod over event times t_j <= t of (1 - d_j / n_j), with d_j events among n_j under observation (Kaplan and
    Meier 1958, JASA 53, 457-481); V(t) = sum of d_j / (n_j (n_j - d_j)), so that S**2 V is the variance (Greenwood
    1926). Who is censored at an event's time was under observation then.

    >>> estimate = kaplan_meier(np.array([1.0, 2.0, 2.0, 3.0]), np.array([True, False, True, True]))
    >>> estimate.times_s.tolist(), estimate.share.round(4).tolist()
    ([1.0, 2.0, 3.0], [0.75, 0.5, 0.0])
    """
    times_s, inverse = np.unique(durations_s, return_inverse=True)
    events = np.bincount(inverse, np.asarray(seen, np.float64), len(times_s)).astype(np.int64)
    all_here = np.bincount(inverse, minlength=len(times_s))
    at_risk = len(durations_s) - np.concatenate(([0], np.cumsum(all_here)[:-1])).astype(np.int64)
    kept = events > 0
    events, at_risk = events[kept], at_risk[kept]
    share = np.cumprod(1.0 - events / at_risk, dtype=np.float64)
    left = at_risk - events
    terms = np.divide(events, at_risk * left, out=np.zeros(len(events)), where=left > 0)
    return Survival(times_s[kept], share, np.cumsum(terms), at_risk)


class _Family(NamedTuple):
    """A law on unconstrained parameters; ``mean`` and ``median`` are the logarithms of the law's."""

    names: tuple[str, ...]
    mean: Callable[[Seconds], float]
    median: Callable[[Seconds], float]
    log_density: Callable[[Seconds, Seconds], Seconds]
    survival: Callable[[Seconds, Seconds], Seconds]
    start: Callable[[Seconds, float], list[float]]


def _log_gamma_density(t: Seconds, theta: Seconds) -> Seconds:
    mean, shape = math.exp(theta[0]), math.exp(theta[1])
    rate = shape / mean
    return np.asarray(shape * math.log(rate) - math.lgamma(shape) + (shape - 1) * np.log(t) - rate * t)


def _weibull_parts(t: Seconds, theta: Seconds) -> tuple[Seconds, float]:
    """Return (t / scale)**shape and the logarithm of the scale; theta is (log mean, log shape)."""
    shape = math.exp(theta[1])
    log_scale = theta[0] - math.lgamma(1.0 + 1.0 / shape)
    return np.exp(np.minimum(shape * (np.log(t) - log_scale), 700.0)), log_scale


def _log_weibull_density(t: Seconds, theta: Seconds) -> Seconds:
    power, log_scale = _weibull_parts(t, theta)
    shape = math.exp(theta[1])
    return np.asarray(theta[1] - log_scale + (shape - 1) * (np.log(t) - log_scale) - power)


def _score(t: Seconds, theta: Seconds) -> Seconds:
    return np.asarray((np.log(t) - theta[0]) / math.exp(theta[1]))


def _log_lognormal_density(t: Seconds, theta: Seconds) -> Seconds:
    z = _score(t, theta)
    return np.asarray(-0.5 * z * z - theta[1] - np.log(t) - 0.5 * math.log(2 * math.pi))


def _log_gamma_median(theta: Seconds) -> float:
    shape = math.exp(theta[1])
    return float(theta[0]) + math.log(_gamma_point(shape, 0.5) / shape)


def _log_weibull_median(theta: Seconds) -> float:
    shape = math.exp(theta[1])
    return float(theta[0]) - math.lgamma(1.0 + 1.0 / shape) + math.log(math.log(2.0)) / shape


FAMILIES: Final[Mapping[str, _Family]] = {
    "exponential": _Family(
        ("mean",),
        lambda theta: float(theta[0]),
        lambda theta: float(theta[0]) + math.log(math.log(2.0)),
        lambda t, theta: np.asarray(-theta[0] - t * math.exp(-theta[0])),
        lambda t, theta: np.exp(-t * math.exp(-theta[0])),
        lambda t, mean: [math.log(mean)],  # noqa: ARG005 - all starts have one signature
    ),
    "lognormal": _Family(
        ("median", "sigma"),
        lambda theta: float(theta[0] + 0.5 * math.exp(2 * theta[1])),
        lambda theta: float(theta[0]),
        _log_lognormal_density,
        lambda t, theta: np.array([0.5 * math.erfc(z / math.sqrt(2.0)) for z in _score(t, theta).tolist()]),
        lambda t, mean: [float(np.log(t).mean()), math.log(max(float(np.log(t).std()), 0.05))],  # noqa: ARG005 - as above
    ),
    "weibull": _Family(
        ("mean", "shape"),
        lambda theta: float(theta[0]),
        _log_weibull_median,
        _log_weibull_density,
        lambda t, theta: np.exp(-_weibull_parts(t, theta)[0]),
        lambda t, mean: [math.log(mean), 0.0],  # noqa: ARG005 - all starts have one signature
    ),
    "gamma": _Family(
        ("mean", "shape"),
        lambda theta: float(theta[0]),
        _log_gamma_median,
        _log_gamma_density,
        lambda t, theta: upper_gamma(math.exp(theta[1]), t * math.exp(theta[1] - theta[0])),
        lambda t, mean: [math.log(mean), 0.0],  # noqa: ARG005 - all starts have one signature
    ),
}
"""The laws of a scenario that are fitted, with the parameters they are shown by (seconds, and shapes without unit)."""


@dataclass(frozen=True)
class Fit:
    """A law fitted to censored durations; ``never`` is None where none was fitted."""

    kind: str
    parameters: Mapping[str, Interval]
    never: Interval | None
    log_likelihood: float
    aic: float
    bic: float
    n: int
    events: int
    covariance: Seconds
    """Of the parameters' logarithms, and of the never-share's logit where it was fitted within 0 and 1; shape (k, k)
    or (k + 1, k + 1)."""

    def draws(self, number: int, generator: np.random.Generator) -> dict[str, Seconds]:
        """Return parameters, and the never-share under "never" where one was fitted, that may be the true ones.

        A normal law of the logarithms with the covariance that the observed information gives (Cox and Hinkley 1974,
        9.3); an exponential without never-share has the exact law of its mean, that of a sum of exponentials over a
        gamma number (Epstein and Sobel 1953, JASA 48, 486-502). The never-share has the limits of its likelihood
        ratio, on a logit scale; at its border it is 0 in half of the draws (Self and Liang 1987, JASA 82, 605-610).

        Args:
            number: of draws; each value has the shape (number,).
            generator: of the draws.
        """
        names, size = tuple(self.parameters), len(self.parameters)
        if self.kind == "exponential" and self.never is None:
            mean = self.parameters["mean"].value
            return {"mean": mean * self.events / generator.standard_gamma(self.events, number)}
        spread = np.where(np.isfinite(self.covariance), self.covariance, 0.0)
        drawn = generator.multivariate_normal(np.zeros(len(spread)), spread, number, method="eigh")
        found = {name: np.exp(self.theta[place] + drawn[:, place]) for place, name in enumerate(names)}
        if self.never is None:
            return found
        if len(spread) == size:
            scores = np.maximum(generator.standard_normal(number), 0.0)
            return found | {"never": np.minimum(self.never.value + scores / _SCORE * self.never.high, 1.0 - 1e-9)}
        scores = drawn[:, size] / math.sqrt(max(float(spread[size, size]), 1e-12))
        middle, low, high = (_logit(one) for one in self.never)
        reach = np.where(scores < 0, middle - low, high - middle) * scores / _SCORE
        return found | {"never": 1.0 / (1.0 + np.exp(-(middle + reach)))}

    @property
    def theta(self) -> Seconds:
        """The parameters' logarithms, shape (k,)."""
        return np.log([one.value for one in self.parameters.values()])

    def interval(self, what: str) -> Interval:
        """Return the law's ``"mean"`` or ``"median"`` with its limits, by the delta method on a logarithmic scale."""
        log_of = getattr(FAMILIES[self.kind], what)
        theta, step = self.theta, 1e-4
        unit = np.eye(len(theta)) * step
        slope = np.array([(log_of(theta + one) - log_of(theta - one)) / (2 * step) for one in unit])
        size = len(theta)
        return _around(log_of(theta), float(slope @ self.covariance[:size, :size] @ slope))

    def survival(self, t_s: Seconds) -> Seconds:
        """Return the share not yet happened at ``t_s``, those to whom it never happens included."""
        never = 0.0 if self.never is None else self.never.value
        return never + (1.0 - never) * FAMILIES[self.kind].survival(np.maximum(t_s, SHORTEST_S), self.theta)


class _Data(NamedTuple):
    """Durations seen, and the censored ones each with how often it was met."""

    seen_s: Seconds
    cut_s: Seconds
    cut_times: Seconds


def fit(
    kind: str, durations_s: Seconds, seen: NDArray[np.bool_], *, with_never: bool = False, limits_of_never: bool = True
) -> Fit:
    """Return the law of ``kind`` that makes the durations likeliest.

    Args:
        kind: one of ``FAMILIES``.
        durations_s: shape (n,), seconds.
        seen: shape (n,), False where the duration was cut short.
        with_never: whether some may never happen.
        limits_of_never: whether to look for the never-share's limits, which takes longest; without, they are 0 and 1.

    Raises:
        ArgumentError: nothing was seen.
    """
    durations_s = np.maximum(np.asarray(durations_s, np.float64), SHORTEST_S)
    cut_s, times = np.unique(durations_s[~seen], return_counts=True)
    data = _Data(durations_s[seen], cut_s, times.astype(np.float64))
    events = len(data.seen_s)
    if events == 0:
        raise ArgumentError("nothing was seen to happen, so there is nothing to fit")
    family = FAMILIES[kind]
    start = family.start(data.seen_s, float(data.seen_s.mean() if with_never else durations_s.sum() / events))
    negative = partial(_negative, family, data)
    theta, value = minimise(lambda x: negative(x, 0.0), start)
    never, share = None, 0.0
    if with_never:
        ratio = (len(durations_s) - events) / len(durations_s) * 0.5
        best, least = minimise(lambda x: negative(x[:-1], _share(x[-1])), [*start, _logit(max(ratio, 1e-3))])
        if least < value - 1e-9:
            theta, share, value = best[:-1], _share(best[-1]), least
        never = _never_limits(negative, theta, share, value) if limits_of_never else Interval(share, 0.0, 1.0)
    if with_never and 1e-6 < share < 1 - 1e-6:
        best = np.append(theta, _logit(share))
        information = hessian(lambda x: negative(x[:-1], _share(x[-1])), best)
    else:  # without a never-share, and at its border, that of the law's parameters alone
        beyond = _share(_logit(share)) if with_never else 0.0
        information = hessian(lambda x: negative(x, beyond), theta)
    covariance = _inverse(information)
    limits = {name: _around(float(theta[i]), float(covariance[i, i])) for i, name in enumerate(family.names)}
    count = len(family.names) + with_never
    n = len(durations_s)
    return Fit(
        kind,
        limits,
        never,
        log_likelihood=-value,
        aic=2 * count + 2 * value,
        bic=count * math.log(n) + 2 * value,
        n=n,
        events=events,
        covariance=covariance,
    )


def fits(
    durations_s: Seconds, seen: NDArray[np.bool_], *, with_never: bool = False, kinds: tuple[str, ...] = tuple(FAMILIES)
) -> list[Fit]:
    """Return a fit of each kind, the chosen one first, the others by Schwarz's criterion (BIC).

    The least BIC is chosen, which keeps to the plainer law; but the plainest, the exponential, is only left where the
    likelihood ratio is beyond chance at 1 %: with few durations BIC alone would leave it once in thirty times.
    Only the chosen law and its ``rivals`` have limits of their never-share.
    """
    tried = [fit(kind, durations_s, seen, with_never=with_never, limits_of_never=False) for kind in kinds]
    tried.sort(key=lambda one: one.bic)
    plainest = min(tried, key=lambda one: len(one.parameters))
    if 2 * (tried[0].log_likelihood - plainest.log_likelihood) <= _BEYOND_CHANCE:
        tried.remove(plainest)
        tried.insert(0, plainest)
    if not with_never:
        return tried
    limited = {one.kind for one in (tried[0], *rivals(tried))}
    return [fit(one.kind, durations_s, seen, with_never=True) if one.kind in limited else one for one in tried]


_BEYOND_CHANCE: Final = 6.635
"""Chi-squared with one degree of freedom is beyond it once in a hundred times."""
_WITHIN_CHANCE: Final = 2 * math.log(20)
"""A wrong law is more than twenty times as likely as the true one at most once in twenty times (Ville; Royall 1997)."""


def rivals(tried: list[Fit]) -> list[Fit]:
    """Return the laws that the data cannot tell from the first: as many parameters, and nearly as likely."""
    first, *others = tried
    return [
        one
        for one in others
        if len(one.parameters) == len(first.parameters)
        and 2 * (first.log_likelihood - one.log_likelihood) <= _WITHIN_CHANCE
    ]


def hull(intervals: list[Interval]) -> Interval:
    """Return the first one's value with limits that hold all of them."""
    return Interval(intervals[0].value, min(one.low for one in intervals), max(one.high for one in intervals))


def _negative(family: _Family, data: _Data, theta: Seconds, never: float) -> float:
    """Return minus the logarithm of the likelihood."""
    if np.any(np.abs(theta) > 30.0):
        return 1e12 * (1.0 + float(np.abs(theta).max()))
    total = float(family.log_density(data.seen_s, theta).sum())
    if never > 0.0:
        total += len(data.seen_s) * math.log1p(-never) if never < 1.0 else -1e12
    if len(data.cut_s):
        beyond = never + (1.0 - never) * family.survival(data.cut_s, theta)
        total += float((data.cut_times * np.log(np.maximum(beyond, _TINY))).sum())
    return -total if math.isfinite(total) else 1e12


def _share(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-min(max(x, -40.0), 40.0)))


def _logit(share: float) -> float:
    share = min(max(share, 1e-9), 1.0 - 1e-9)
    return math.log(share / (1.0 - share))


def _around(logarithm: float, variance: float) -> Interval:
    """Return the figure of this logarithm with the limits that the variance of the logarithm gives."""
    spread = _SCORE * math.sqrt(max(variance, 0.0))
    ends = (logarithm, logarithm - spread, logarithm + spread)
    return Interval(*(math.exp(x) if x < 700 else math.inf for x in ends))


def _inverse(information: Seconds) -> Seconds:
    """Return the inverse; infinite variances where the data do not determine the parameters."""
    try:
        inverse = np.linalg.inv(information)
    except np.linalg.LinAlgError:
        return np.full(information.shape, math.inf)
    return np.where(np.diag(inverse) > 0, inverse, math.inf)


def _never_limits(negative: Callable[[Seconds, float], float], theta: Seconds, share: float, value: float) -> Interval:
    """Return the never-share with its limits by the likelihood ratio: 2 (l_max - l(p)) is chi-squared with 1 degree.

    For each p the law's parameters are fitted anew (profile likelihood), from where the last one ended.
    """

    def excess(never: float, start: Seconds) -> tuple[float, Seconds]:
        best, least = _simplex(lambda x: negative(x, never), start, 0.05, 1e-6)
        return least - value - _SCORE**2 / 2, best

    limits = []
    for border in (0.0, 1.0 - 1e-9):
        beyond, _ = excess(border, theta)
        inside, outside, start = share, border, theta
        if beyond <= 0.0:
            limits.append(border)
            continue
        while abs(outside - inside) > 2e-3 * max(share, 0.01):
            middle = 0.5 * (inside + outside)
            over, best = excess(middle, start)
            if over > 0.0:
                outside = middle
            else:
                inside, start = middle, best
        limits.append(outside)
    return Interval(share, limits[0], limits[1])


def minimise(
    function: Callable[[Seconds], float], start: list[float], step: float = 0.3, precision: float = 1e-9
) -> tuple[Seconds, float]:
    """Return where ``function`` is least, and its value there (Nelder and Mead 1965, begun twice).

    >>> best, value = minimise(lambda x: (x[0] - 1) ** 2 + 10 * (x[1] + x[0]) ** 2, [0.0, 0.0])
    >>> best.round(3).tolist(), round(value, 6)
    ([1.0, -1.0], 0.0)
    """
    best = np.array(start, np.float64)
    value = float(function(best))
    for length in (step, step / 10):
        best, value = _simplex(function, best, length, precision)
    return best, float(value)


def _simplex(
    function: Callable[[Seconds], float], start: Seconds, step: float, precision: float
) -> tuple[Seconds, float]:
    size = len(start)
    points = [start, *(start + step * np.eye(size)[i] for i in range(size))]
    corners = sorted(((function(point), i, point) for i, point in enumerate(points)), key=lambda corner: corner[:2])
    made = size
    for _ in range(400 * size):
        if corners[-1][0] - corners[0][0] <= precision * (1.0 + 1e-3 * abs(corners[0][0])) and (
            max(float(np.abs(corner[2] - corners[0][2]).max()) for corner in corners) < 1e-4
        ):
            break
        middle = sum((corner[2] for corner in corners[:-1]), np.zeros(size)) / size
        worst = corners[-1]
        made += 1

        def tried(reach: float, middle: Seconds = middle, worst: Any = worst, made: int = made) -> Any:
            point = middle + reach * (worst[2] - middle)
            return function(point), made, point

        new = tried(-1.0)
        if new[0] < corners[0][0]:
            farther = tried(-2.0)
            new = farther if farther[0] < new[0] else new
        elif new[0] >= corners[-2][0]:
            new = tried(-0.5 if new[0] < worst[0] else 0.5)
            if new[0] >= worst[0]:
                best = corners[0][2]
                shrunk = [best + 0.5 * (corner[2] - best) for corner in corners[1:]]
                corners[1:] = [(function(point), made + i, point) for i, point in enumerate(shrunk)]
                made += size
                corners.sort(key=lambda corner: corner[:2])
                continue
        corners[-1] = new
        corners.sort(key=lambda corner: corner[:2])
    return corners[0][2], corners[0][0]


def hessian(function: Callable[[Seconds], float], at: Seconds, step: float = 1e-3) -> Seconds:
    """Return the matrix of second derivatives by central differences, shape (k, k)."""
    size = len(at)
    matrix = np.empty((size, size))
    unit = np.eye(size) * step
    centre = function(at)
    for i in range(size):
        matrix[i, i] = (function(at + unit[i]) - 2 * centre + function(at - unit[i])) / step**2
        for j in range(i):
            corners = (
                function(at + unit[i] + unit[j])
                - function(at + unit[i] - unit[j])
                - function(at - unit[i] + unit[j])
                + function(at - unit[i] - unit[j])
            )
            matrix[i, j] = matrix[j, i] = corners / (4 * step**2)
    return matrix


def poisson_limits(events: int) -> tuple[float, float]:
    """Return the exact limits of a Poisson mean after ``events`` (Garwood 1936, Biometrika 28, 437-442).

    The lower one solves P(N >= events) = (1 - LEVEL) / 2, the upper one P(N <= events) = (1 - LEVEL) / 2; both are
    quantiles of gamma laws.

    >>> [round(limit, 4) for limit in poisson_limits(10)]
    [4.7954, 18.3904]
    """
    tail = (1.0 - LEVEL) / 2
    low = 0.0 if events == 0 else _gamma_point(float(events), 1.0 - tail)
    return low, _gamma_point(events + 1.0, tail)


def _gamma_point(shape: float, beyond: float) -> float:
    """Return x with Q(shape, x) = ``beyond``."""
    low, high = 0.0, shape + 20.0 * math.sqrt(shape) + 20.0
    for _ in range(200):
        middle = 0.5 * (low + high)
        if float(upper_gamma(shape, np.array([middle]))[0]) > beyond:
            low = middle
        else:
            high = middle
        if high - low <= 1e-12 * high:
            break
    return 0.5 * (low + high)
