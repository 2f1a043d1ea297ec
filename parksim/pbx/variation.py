"""What differs beyond noise in a log: calls from day to day, and the share of parks from hour to hour.

What may be chance is left out: a test at 1 % comes first. Weekdays are not told apart.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import NormalDist
from typing import Final

import numpy as np

from parksim.pbx.fitting import share_of
from parksim.scenario.quantities import DAY_US, MOST_CV
from parksim.stats.survival import LEVEL, Interval

FEWEST_DAYS: Final = 10
"""Fewer whole days say too little of how much days differ."""
FEWEST_EXPECTED: Final = 5
"""Pearson's test counts hours of which as many parks are expected, and as many calls that are not parked."""


def chi_squared(probability: float, degrees: float) -> float:
    """Return a quantile of the chi-squared law: its cube root is nearly normal.

    Source: Wilson and Hilferty (1931), Proc. Nat. Acad. Sci. 17, 684-688.
    """
    part = 2 / (9 * degrees)
    return degrees * max(1 - part + NormalDist().inv_cdf(probability) * math.sqrt(part), 0.0) ** 3


def busy_days(
    at_us: list[int], ends_us: Sequence[int] = (), begins_us: Sequence[int] = ()
) -> tuple[Interval, int] | None:
    """Return the coefficient of variation of a day's rate, with its limits, and of how many whole days.

    None where there are too few days, or where the counts differ by no more than chance allows at 1 % (index of
    dispersion: Fisher 1925, Statistical Methods for Research Workers, section 16). By moments: cv^2 = (variance - mean)
    / mean^2. The limits are those of the variance, by chi-squared; for negative binomial counts and a cv up to 0.3 they
    hold it in 94 to 95 % (simulated).

    Args:
        at_us: instants of the calls from a midnight on, ascending; the first day and the last are not whole.
        ends_us: from when on no calls are known: days are not whole from then,
        begins_us: until they are known again.
    """
    first, end = -(-at_us[0] // DAY_US), at_us[-1] // DAY_US
    cut = {day for a, b in zip(ends_us, begins_us, strict=True) for day in range(a // DAY_US, b // DAY_US + 1)}
    whole = [day for day in range(first, end) if day not in cut]
    days = len(whole)
    if days < FEWEST_DAYS:
        return None
    counts = np.bincount(np.array(at_us) // DAY_US)[whole]
    mean, spread = float(counts.mean()), float(counts.var(ddof=1))
    if not mean or (days - 1) * spread / mean <= chi_squared(0.99, days - 1):
        return None

    def cv(variance: float) -> float:
        return min(math.sqrt(max(variance - mean, 0.0)) / mean, MOST_CV)

    low, high = (spread * (days - 1) / chi_squared(p, days - 1) for p in ((1 + LEVEL) / 2, (1 - LEVEL) / 2))
    return Interval(cv(spread), cv(low), cv(high)), days


def dispersion(cv: float, calls_a_day: float) -> float:
    """Return by what days that differ multiply the variance of Poisson counts."""
    return 1 + cv**2 * calls_a_day


def widened(rate: Interval, by: float) -> Interval:
    """Return the limits of a rate of Poisson calls made as wide as a ``dispersion`` makes them."""
    wider = math.sqrt(by)
    low, high = wider * (rate.value - rate.low), wider * (rate.high - rate.value)
    return Interval(rate.value, max(rate.value - low, 0.0), rate.value + high)


def shares_by_hour(wishes: Iterable[tuple[int, bool]]) -> dict[int, Interval]:
    """Return the share of parks of each hour of the day of which there is enough; nothing where all may be alike.

    Pearson's test at 1 % over at least three hours decides.

    Args:
        wishes: (hour of the day in which the call was offered, whether it was to be parked).
    """
    all_of, parked = Counter[int](), Counter[int]()
    for hour, wished in wishes:
        all_of[hour] += 1
        parked[hour] += wished
    share = parked.total() / max(all_of.total(), 1)
    tested = [hour for hour in sorted(all_of) if all_of[hour] * min(share, 1 - share) >= FEWEST_EXPECTED]
    if len(tested) < 3:
        return {}
    # Of the hours tested alone, so that their expected parks add up to those seen.
    share = sum(parked[hour] for hour in tested) / sum(all_of[hour] for hour in tested)
    if not 0 < share < 1:
        return {}
    chi = sum((parked[hour] - all_of[hour] * share) ** 2 / (all_of[hour] * share * (1 - share)) for hour in tested)
    if chi <= chi_squared(0.99, len(tested) - 1):
        return {}
    return {hour: share_of(parked[hour], all_of[hour]) for hour in tested}
