"""Shares, rates and quantiles whose intervals hold however few events they rest on.

A t interval over replications supposes that their sum is nearly normal. Of few events it is not: the sum is skewed, and
where the sum is small its spread is small as well, so the upper limit is too low far too often (measured with 3 events
to be expected in a study: a nominal 95 % hold in 84 %). What is exact for independent trials, the binomial or Poisson
interval, is too narrow for events that come in bursts. So the spread of the replications says how many independent
events the observed ones are worth, and the exact interval is that of these.

>>> from parksim.stats.estimate import sample
>>> print(share(sample(([0] * 30, [200] * 30)), units=6_000.0))
0.00000 [0.00000, 0.00061]
"""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Final

from parksim.stats.estimate import SHARE, Bounds, Estimate, Method, Sample, t_interval, t_of, tail_of
from parksim.stats.special import beta_quantile

ENOUGH: Final = 500.0
"""From this many effective events on the t interval differs by less than a tenth from the exact one."""
FEW_UNITS: Final = 15.0
"""With fewer bursts to be expected their spread is too uncertain: then the units bound what the events are worth."""
_CONTINUOUS: Final = 1e9
"""A Poisson count is a binomial one of very many trials; of this many, up to 1e-9."""


def share(of: Sample, units: float, level: float = 0.95) -> Estimate:
    """Return a share with its interval.

    The effective number of trials is p (1 - p) / variance, the variance that of the ratio of sums, and is made smaller
    by (z/t)^2, so that many events give the t interval. The upper limit is Clopper and Pearson's, the lower one
    Jeffreys': in trials with lots, bursts and waits (``tests.statistics.coverage``) the two miss equally often.

    Source: Korn and Graubard (1998), Survey Methodology 24, 193-201 (effective trials); Clopper and Pearson (1934),
    Biometrika 26, 404-413; Brown, Cai and DasGupta (2001), Statistical Science 16, 101-133 (Jeffreys' limits).

    Args:
        of: From ``estimate.sample``.
        units: How many independent trials the trials are worth where events come in the bursts that theory expects.
            It bounds the effective number where the events are few or none.
        level: Confidence level, in (0, 1).
    """
    tail = tail_of(level)
    if of.point > 0.5:
        mirror = share(of.mirrored(), units, level)
        assert mirror.mean is not None
        low, high = (None if end is None else 1.0 - end for end in (mirror.high, mirror.low))
        return Estimate(of.point, low, high, level, of.n, mirror.method, mirror.reason.replace("none", "no exception"))
    if of.point == 0.0:
        high = -math.expm1(math.log(tail) / units) if units > 0.0 else 1.0
        return Estimate(0.0, 0.0, high, level, of.n, "never-seen", f"none seen, in what is worth {units:,.0f} trials")
    if of.n < 2:
        return t_interval(of, level, SHARE)
    spread = of.variance
    trials = of.point * (1.0 - of.point) / spread if spread > 0.0 else units
    if of.point * units < FEW_UNITS:
        trials = min(trials, units)
    trials *= (NormalDist().inv_cdf(1.0 - tail) / t_of(level, of.df)) ** 2
    events = of.point * trials
    if events >= ENOUGH and spread > 0.0:
        return t_interval(of, level, SHARE)
    low = min(of.point, beta_quantile(events + _half(events), trials - events + 1.0 - _half(events), tail))
    high = max(of.point, 1.0 - beta_quantile(trials - events, events + 1.0, tail))
    reason = f"worth {events:.3g} of {trials:,.0f} trials"
    return Estimate(of.point, low, high, level, of.n, "control-binomial" if of.controls else "binomial", reason)


def rate(of: Sample, events: float, level: float = 0.95) -> Estimate:
    """Return a rate of events with its interval, never below 0.

    The effective number of events is that of ``share``; where fewer than ``FEW_UNITS`` were seen, or all replications
    had equally many, each counts as no more than one.

    Source: Garwood (1936), Biometrika 28, 437-442 (exact Poisson limits).

    Args:
        of: From ``estimate.sample``: events per unit of time, or per something that can bring several.
        events: How many were seen in all, or, if none, the sum of the denominators.
        level: Confidence level, in (0, 1).
    """
    tail = tail_of(level)
    if of.point == 0.0:
        high = -math.log(tail) / events if events > 0.0 else math.inf
        return Estimate(0.0, 0.0, high, level, of.n, "never-seen", "none seen: the bound of a Poisson count")
    if of.n < 2:
        return t_interval(of, level)
    spread = of.variance
    worth = of.point**2 / spread if spread > 0.0 else events
    if events < FEW_UNITS:
        worth = min(worth, events)
    worth *= (NormalDist().inv_cdf(1.0 - tail) / t_of(level, of.df)) ** 2
    if worth >= ENOUGH and spread > 0.0:
        return t_interval(of, level, (0.0, math.inf))
    low = beta_quantile(worth + _half(worth), _CONTINUOUS, tail) * _CONTINUOUS / worth * of.point
    high = (1.0 - beta_quantile(_CONTINUOUS, worth + 1.0, tail)) * _CONTINUOUS / worth * of.point
    reason = f"worth {worth:.3g} events"
    method: Method = "control-poisson" if of.controls else "poisson"
    return Estimate(of.point, min(low, of.point), max(high, of.point), level, of.n, method, reason)


def _half(events: float) -> float:
    """Return what Jeffreys' lower limit adds to the events, nothing for two or fewer."""
    return 0.5 * min(1.0, max(0.0, (events - 2.0) / 3.0))


def median(values: Sequence[float], level: float = 0.95) -> Estimate:
    """Return the median of the replications' values with the interval between two of them.

    The k-th smallest and the k-th largest hold the median unless fewer than k lie on one side of it, which for a
    continuous law has the probability of fewer than k heads in n throws; for any other it has less.

    Source: David and Nagaraja, Order Statistics, section 7.1.

    >>> median([3.0, 1.0, 2.0, 5.0, 4.0, 9.0]).low, median([3.0, 1.0]).low
    (1.0, None)
    """
    ordered, n, tail = sorted(values), len(values), tail_of(level)
    point = ordered[n // 2] if n % 2 else 0.5 * (ordered[n // 2 - 1] + ordered[n // 2])
    rank, below = 0, 0.5**n
    chance = below
    while n < 1000 and below <= tail:
        rank += 1
        chance *= (n - rank + 1) / rank
        below += chance
    if n >= 1000:  # the normal law is near enough, and 2**-1000 is no double
        rank = math.floor(0.5 * n - NormalDist().inv_cdf(1.0 - tail) * 0.5 * math.sqrt(n))
    if not rank:
        fewest = math.ceil(-math.log2(tail))
        why = f"an interval of a quantile needs {fewest} replications"
        return Estimate(point, None, None, level, n, "order-statistics", why)
    return Estimate(point, ordered[rank - 1], ordered[n - rank], level, n, "order-statistics")


def difference(one: Estimate, other: Estimate, correlation: float, bounds: Bounds) -> Estimate:
    """Return one less other, from the limits of both: of shares and rates that rest on few events.

    Source: Zou and Donner (2008), Statistics in Medicine 27, 1693-1702 (variance estimates recovered from limits).

    Args:
        one: With its interval, or without: then the difference has none.
        other: Likewise.
        correlation: Of their replications; 0 for independent ones.
        bounds: To which the interval is clipped.
    """
    assert one.mean is not None
    assert other.mean is not None
    point, n = one.mean - other.mean, min(one.n, other.n)
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return Estimate(point, None, None, one.level, n, "limits", "a side has no interval")

    def arm(mine: float, its: float) -> float:
        return math.sqrt(max(0.0, mine * mine + its * its - 2.0 * correlation * mine * its))

    low = point - arm(one.mean - one.low, other.high - other.mean)
    high = point + arm(one.high - one.mean, other.mean - other.low)
    reason = "none seen on either side" if one.method == other.method == "never-seen" else ""
    return Estimate(point, max(bounds[0], low), min(bounds[1], high), one.level, n, "limits", reason)
