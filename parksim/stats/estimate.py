"""From replications to an estimate: a point, an interval, how it was made and from how much.

Four laws of this file and of ``events``:

1. A share or a mean of calls is a ratio of sums over all replications. The mean of each replication's own ratio is
   biased by about one over its calls, and no number of replications mends that.
2. Intervals come from independent replications, never from pooled calls: neighbouring calls see the same full lot,
   and an interval over them that claims 95 % holds the truth far less often.
3. No interval is a point unless the value is certain: what was not seen is bounded, never "0 %".
4. What is undefined stays undefined (``mean`` is None) and says why.

Sums are ``math.fsum``: exact up to one rounding, so the order in which workers deliver replications cannot change a
digit.

>>> print(t_interval(mean_of([0.012, 0.015, 0.011, 0.014]), bounds=SHARE))
0.0130 [0.0101, 0.0159]
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from parksim.errors import ArgumentError
from parksim.stats.special import student_t_quantile

Method = Literal[
    "student-t",
    "control-t",
    "control-binomial",
    "control-poisson",
    "binomial",
    "poisson",
    "never-seen",
    "order-statistics",
    "share-of-time",
    "all-equal",
    "certain",
    "one-replication",
    "welch-t",
    "paired-t",
    "paired-control-t",
    "limits",
    "undefined",
]
"""How an interval was made. ``student-t``, ``welch-t``, ``paired-t``: from the spread of the replications.
``binomial``, ``poisson``: from effective numbers of events (``events.share``, ``events.rate``); ``never-seen``: the
bound of an event that never (or always) occurred. With ``control`` in its name: corrected by controls as well
(``controlled``). ``order-statistics``, ``share-of-time``: of quantiles. ``limits``: a difference, from the limits of
its sides. ``all-equal``: replications that do not differ. ``certain``: not by chance."""
Relation = Literal["<", "<=", ">", ">="]
Verdict = Literal["met", "missed", "undecided"]
Bounds = tuple[float, float]
Factor = tuple[Sequence[float], Sequence[float]]
"""Numerators and denominators, one of each per replication."""

SHARE: Final[Bounds] = (0.0, 1.0)
"""The bounds of a share, to which its interval is clipped."""
SHARE_DIFFERENCE: Final[Bounds] = (-1.0, 1.0)
"""The bounds of a difference of shares."""
UNBOUNDED: Final[Bounds] = (-math.inf, math.inf)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a study knows about one measure; all in the measure's own unit.

    Attributes:
        mean: The point, None when undefined.
        low: Lower end of the interval, None without an interval (one replication, say).
        high: Upper end.
        level: Confidence level of the interval, two-sided.
        n: What the interval rests on: defined replications, pairs, trials or blocks, as ``method`` says.
        method: How the interval was made.
        reason: Why something is missing or peculiar; empty when nothing is.
    """

    mean: float | None
    low: float | None
    high: float | None
    level: float
    n: int
    method: Method
    reason: str = ""

    @property
    def half_width(self) -> float | None:
        """The longer arm of the interval, None without one (clipping shortens only the other arm)."""
        if self.mean is None or self.low is None or self.high is None:
            return None
        return max(self.high - self.mean, self.mean - self.low)

    def as_dict(self) -> dict[str, float | int | str | None]:
        """Return the estimate as the JSON of ``parksim run`` spells it, ``reason`` last."""
        return asdict(self)

    def __str__(self) -> str:
        """Return "0.0131 [0.0120, 0.0142]": two significant digits of the half-width decide how many are shown."""
        if self.mean is None:
            return f"undefined ({self.reason})" if self.reason else "undefined"
        if self.low is None or self.high is None:
            return f"{self.mean:.4g} [no interval from {self.n}]"
        half_width = max(self.high - self.mean, self.mean - self.low)
        if half_width == 0.0:
            return f"{self.mean:.4g} [{self.low:.4g}, {self.high:.4g}]"
        decimals = min(15, max(0, 1 - math.floor(math.log10(half_width))))
        return f"{self.mean:.{decimals}f} [{self.low:.{decimals}f}, {self.high:.{decimals}f}]"


def undefined(reason: str, n: int = 0, level: float = 0.95) -> Estimate:
    """Return the estimate of what cannot be estimated, with the reason why.

    >>> print(undefined("no park was made"))
    undefined (no park was made)
    """
    return Estimate(None, None, None, level, n, "undefined", reason)


class Sample(NamedTuple):
    """A ratio of sums and what each replication does to it.

    Attributes:
        point: The ratio of the sums.
        residuals: By replication, the jackknife's pseudo-value less the point; 0 where it has no denominator.
        n: Replications with a denominator.
        controls: By how many controls the point was corrected (``controlled``).
    """

    point: float
    residuals: tuple[float, ...]
    n: int
    controls: int = 0

    @property
    def df(self) -> int:
        """Degrees of freedom: one less than replications, and one less again for each control."""
        return self.n - 1 - self.controls

    @property
    def variance(self) -> float:
        """The variance of the point; exactly 0 for equal replications, and where there are fewer than two."""
        if self.n < 2:
            return 0.0
        return math.fsum(residual * residual for residual in self.residuals) / (self.n * (self.n - 1))

    def mirrored(self) -> "Sample":
        """Return the sample of the complement of a share."""
        return self._replace(point=1.0 - self.point, residuals=tuple(-residual for residual in self.residuals))


def sample(*factors: Factor) -> Sample | None:
    """Return the product of ratios of sums, with the jackknife's residuals; None where a denominator is 0.

    With R the ratio of all sums and R(i) that without replication i, the residual is (n - 1) (R - R(i)). For equal
    denominators this is the replication's value less the mean of all.

    Source: Miller (1974), The jackknife - a review, Biometrika 61, 1-15; for ratios Cochran, Sampling Techniques,
    section 6.17.

    >>> sample(([3.0, 0.0], [10.0, 5.0])).point
    0.2
    """
    point, n = 1.0, min(sum(whole > 0 for whole in wholes) for _, wholes in factors)
    without = [1.0] * len(factors[0][0])
    for parts, wholes in factors:
        part, whole = math.fsum(parts), math.fsum(wholes)
        if whole <= 0:
            return None
        ratio = part / whole
        point *= ratio
        without = [
            # A replication whose ratio is that of all changes nothing, exactly; nor does one without a denominator.
            value * (ratio if y == 0 or x / y == ratio or y == whole else (part - x) / (whole - y))
            for value, x, y in zip(without, parts, wholes, strict=True)
        ]
    if n < 2:
        return Sample(point, (0.0,) * len(without), n)
    return Sample(point, tuple((n - 1) * (point - value) for value in without), n)


def mean_of(values: Sequence[float]) -> Sample:
    """Return the sample of a mean; exactly the value, without residuals, for equal ones."""
    if all(value == values[0] for value in values):
        return Sample(values[0], (0.0,) * len(values), len(values))
    mean = math.fsum(values) / len(values)
    return Sample(mean, tuple(value - mean for value in values), len(values))


def controlled(of: Sample, columns: Sequence[NDArray[np.float64]]) -> Sample:
    """Return a sample corrected by controls: what else the replications have summed up, less its known mean.

    The residuals are regressed on the controls, with an intercept. The point loses what the controls' own deviation
    from their means explains. The new residuals are the jackknife's of that point: (n - 1) times what it loses with
    a replication, which is w e / (1 - h), for e the unexplained part, h the leverage and w the weight in the point. So
    replications that decide a coefficient count for what they are; where these are skewed, intervals from the mean
    square of e are too short. With q controls there are n - 1 - q degrees of freedom.

    Where most replications do what their controls say (nobody waited, no lot was full), the others are rare events, of
    which these may show too few. As in ``of_equal`` replications that do not are taken to come with the probability r,
    and the residuals get back the share r of the variance that was explained.

    A control that does not vary, or that is a combination of those before it, is left out; so are the last ones where
    there are fewer than ``REPLICATIONS_A_CONTROL`` replications for each, and all where a replication is undefined.

    Source: Lavenberg and Welch (1981), Management Science 27(3), 322-335; Nelson (1990), Operations Research 38(6),
    974-992; Hinkley (1977), Jackknifing in unbalanced situations, Technometrics 19(3), 285-292.

    Args:
        of: From ``sample`` or ``mean_of``.
        columns: Of each control its deviations from its known mean, shape (replications,), the best control first.

    >>> both = controlled(mean_of([1.0, 2.0, 3.0, 4.1, 4.9]), [np.array([-1.0, 0.0, 1.0, 2.0, 3.0])])
    >>> round(both.point, 2), both.df  # the mean is 3, but these replications had a control that is 1 too great
    (2.01, 3)
    """
    residuals = np.array(of.residuals)
    if of.n != len(residuals):
        return of
    point = of.point
    weight, leverage = np.full((2, of.n), 1.0 / of.n)
    used: list[tuple[NDArray[np.float64], float]] = []
    for column in columns:
        if len(used) >= of.n // REPLICATIONS_A_CONTROL:
            break
        deviation = float(column.mean())
        varying = column - deviation
        least = _COMBINED * float(np.sqrt((varying * varying).sum()))
        for direction, its_deviation in used:
            along = float((direction * varying).sum())
            varying, deviation = varying - along * direction, deviation - along * its_deviation
        length = float(np.sqrt((varying * varying).sum()))
        if length <= least:
            continue
        direction, deviation = varying / length, deviation / length
        used.append((direction, deviation))
        along = float((direction * residuals).sum())
        residuals, point = residuals - along * direction, point - along * deviation
        weight, leverage = weight - deviation * direction, leverage + direction * direction
    if not used:
        return of
    explained = np.array(of.residuals) - residuals
    alike = max(ALIKE * float(residuals.std()), _ROUNDING * math.sqrt(of.variance * of.n))
    if 2 * np.count_nonzero(np.abs(residuals - np.median(residuals)) <= alike) > of.n:
        residuals = residuals + math.sqrt(-math.expm1(math.log(_UNSEEN) / of.n)) * explained
    residuals = (of.n - 1) * weight * residuals / np.maximum(1.0 - leverage, _COMBINED)
    return Sample(point, tuple(residuals.tolist()), of.n, len(used))


REPLICATIONS_A_CONTROL: Final = 5
"""With fewer replications for each control its coefficient costs too many degrees of freedom."""
ALIKE: Final = 0.25
"""Replications do what their controls say if their residuals are this near to the median, in standard deviations of
residuals: a fifth of normal ones are, and more than half where the others are rare."""
_ROUNDING: Final = 1e-6
_UNSEEN: Final = 0.025
"""With this probability none of the replications shows what comes with the probability r."""
_COMBINED: Final = 1e-6
"""A control of which no more than this is left by those before it is a combination of them."""


def t_interval(of: Sample, level: float = 0.95, bounds: Bounds = UNBOUNDED, reason: str = "") -> Estimate:
    """Return point and t interval over independent replications: point -+ t(n-1) times its standard error.

    Source: Law, Simulation Modeling and Analysis, chapter on output analysis for a single system
    (replication/deletion approach).

    Args:
        of: A ratio of sums (``sample``), or a mean (``mean_of``).
        level: Confidence level, in (0, 1).
        bounds: Between which every replication's value lies; the interval is clipped to these.
        reason: What is peculiar already.

    Returns:
        ``one-replication`` without interval for n = 1, ``all-equal`` (see ``of_equal``) when all are equal.

    Raises:
        ArgumentError: If the level is outside (0, 1).

    >>> values = mean_of([1.20, 1.50, 1.68, 1.89, 0.95, 1.49, 1.58, 1.55, 0.50, 1.09])
    >>> estimate = t_interval(values, level=0.90)
    >>> round(estimate.mean, 2), round(estimate.half_width, 2)  # the worked example of Law's book, n = 10
    (1.34, 0.24)
    """
    if of.n < 2:
        return Estimate(of.point, None, None, level, of.n, "one-replication", reason or "an interval needs two")
    if of.variance == 0.0:
        return of_equal(of.point, of.n, level, bounds, reason)
    half = t_of(level, of.df) * math.sqrt(of.variance)
    return _clipped(of.point, half, bounds, level, of.n, "control-t" if of.controls else "student-t", reason)


def of_equal(point: float, n: int, level: float, bounds: Bounds, reason: str = "") -> Estimate:
    """Return what n equal replications say of a mean whose replications lie within ``bounds``.

    Replications of another value come with a probability of at most r = 1 - ((1 - level)/2)^(1/n), and are no
    further off than a bound: the mean is within r times the distance to it. Without a bound there is no interval.

    >>> print(of_equal(4.0, 30, 0.95, (0.0, 4.0)))
    4.00 [3.54, 4.00]
    """
    peculiar = f"{reason}; all replications are equal" if reason else "all replications are equal"
    if not all(map(math.isfinite, bounds)):
        return Estimate(point, None, None, level, n, "all-equal", peculiar)
    other = -math.expm1(math.log(tail_of(level)) / n)
    low, high = point - other * (point - bounds[0]), point + other * (bounds[1] - point)
    return Estimate(point, low, high, level, n, "all-equal", peculiar)


def certain(value: float, n: int, level: float, reason: str) -> Estimate:
    """Return a value in which there is no chance, with the reason why."""
    return Estimate(value, value, value, level, n, "certain", reason)


def apart(a: Sample, b: Sample, level: float = 0.95, bounds: Bounds = UNBOUNDED) -> Estimate:
    """Return a less b of two independent samples, variances not assumed equal.

    Degrees of freedom by Welch (1947), Biometrika 34, 28-35, and Satterthwaite (1946). For runs with common random
    numbers take ``together``: it is far sharper. ``n`` counts both sides, each of which needs two replications.

    >>> print(apart(mean_of([5.1, 4.9, 5.3, 5.0]), mean_of([4.2, 4.8, 4.5, 4.4])))
    0.60 [0.22, 0.98]
    """
    difference, n = a.point - b.point, a.n + b.n
    if a.n < 2 or b.n < 2:
        return undefined(f"each side needs two replications, there are {a.n} and {b.n}", n, level)
    variance = a.variance + b.variance
    if variance == 0.0:
        reason = "on each side all replications are equal"
        return Estimate(difference, None, None, level, n, "all-equal", reason)
    df = variance**2 / (a.variance**2 / a.df + b.variance**2 / b.df)
    return _clipped(difference, t_of(level, df) * math.sqrt(variance), bounds, level, n, "welch-t", "")


def together(
    a: Sample,
    b: Sample,
    level: float = 0.95,
    bounds: Bounds = UNBOUNDED,
    reason: str = "",
    columns: Sequence[NDArray[np.float64]] = (),
) -> Estimate:
    """Return a less b of samples that share their random numbers, replication by replication.

    Source: Law, Simulation Modeling and Analysis, chapter on comparing alternative systems (paired-t interval).
    Where no pair differs, a pair that does comes with a probability of at most r (see ``of_equal``), and is taken to
    differ by no more than the replications of one side do among themselves. ``columns`` are controls of the difference
    (``controlled``).

    >>> print(together(mean_of([5.1, 4.9, 5.3, 5.0]), mean_of([5.0, 4.8, 5.1, 4.9])))
    0.125 [0.045, 0.205]
    """
    residuals = tuple(x - y for x, y in zip(a.residuals, b.residuals, strict=True))
    of = Sample(a.point - b.point, residuals, min(a.n, b.n))
    if of.n >= 2 and of.variance == 0.0:
        spread = max(max(one.residuals) - min(one.residuals) for one in (a, b))
        equal = of_equal(of.point, of.n, level, (of.point - spread, of.point + spread))
        return replace(equal, reason="no pair differs")
    estimate = t_interval(controlled(of, columns), level, bounds, reason)
    paired: dict[Method, Method] = {"student-t": "paired-t", "control-t": "paired-control-t"}
    return replace(estimate, method=paired.get(estimate.method, estimate.method))


def correlation(a: Sample, b: Sample) -> float:
    """Return the correlation of two samples that share their random numbers; 0 where one does not vary."""
    scale = math.sqrt(math.fsum(x * x for x in a.residuals) * math.fsum(y * y for y in b.residuals))
    if scale == 0.0:
        return 0.0
    return max(-1.0, min(1.0, math.fsum(map(math.prod, zip(a.residuals, b.residuals, strict=True))) / scale))


def verdict(estimate: Estimate, relation: Relation, target: float) -> Verdict:
    """Say whether an objective is met: the whole interval on its side, missed: none of it, else undecided.

    Without an interval (undefined, one replication) nothing is decided.

    Raises:
        ArgumentError: If the relation is unknown or the target is nan.

    >>> verdict(certain(0.1, 2, 0.95, ""), "<", 0.2), verdict(t_interval(mean_of([1.0, 3.0])), "<=", 2.5)
    ('met', 'undecided')
    """
    if math.isnan(target):
        raise ArgumentError("a target must be a number")
    low, high = estimate.low, estimate.high
    if relation not in {"<", "<=", ">", ">="}:
        raise ArgumentError(f"a relation is one of < <= > >=, got {relation!r}")
    if low is None or high is None:
        return "undecided"
    met, missed = {
        "<": (high < target, low >= target),
        "<=": (high <= target, low > target),
        ">": (low > target, high <= target),
        ">=": (low >= target, high < target),
    }[relation]
    return "met" if met else "missed" if missed else "undecided"


def tail_of(level: float) -> float:
    """Return what a two-sided interval of this level leaves on either side.

    Raises:
        ArgumentError: If the level is outside (0, 1).
    """
    if not 0.0 < level < 1.0:
        raise ArgumentError(f"a confidence level must be in (0, 1), got {level!r}")
    return 0.5 * (1.0 - level)


def t_of(level: float, df: float) -> float:
    """Return how many standard errors a two-sided t interval of this level reaches."""
    return -student_t_quantile(tail_of(level), df)


def _clipped(mean: float, half: float, bounds: Bounds, level: float, n: int, method: Method, reason: str) -> Estimate:
    low, high = max(bounds[0], mean - half), min(bounds[1], mean + half)
    return Estimate(mean, low, high, level, n, method, reason)
