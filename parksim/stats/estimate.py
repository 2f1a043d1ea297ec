"""From replications to an estimate: a point, an interval, how it was made and from how much.

Three laws of this file:

1. Intervals come from independent replications, never from pooled calls: neighbouring calls see the same full lot,
   and an interval over them that claims 95 % holds the truth far less often.
2. What was not seen is bounded, never "0 %": see ``zero_seen`` for which blocks make that bound true.
3. What is undefined stays undefined (``mean`` is None) and says why.

Sums are ``math.fsum``: exact up to one rounding, so the order in which workers deliver replications cannot change a
digit.

>>> print(student_t([0.012, 0.015, 0.011, 0.014], bounds=SHARE))
0.0130 [0.0101, 0.0159]
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Final, Literal

from parksim.errors import ArgumentError
from parksim.stats.special import clopper_pearson_limits, student_t_quantile

Method = Literal[
    "student-t",
    "zero-variance",
    "one-replication",
    "clopper-pearson",
    "clopper-pearson-blocks",
    "welch-t",
    "paired-t",
    "undefined",
]
Relation = Literal["<", "<=", ">", ">="]
Verdict = Literal["met", "missed", "undecided"]
Bounds = tuple[float, float]

SHARE: Final[Bounds] = (0.0, 1.0)
"""The bounds of a share, to which its interval is clipped."""
SHARE_DIFFERENCE: Final[Bounds] = (-1.0, 1.0)
"""The bounds of a difference of shares."""
UNBOUNDED: Final[Bounds] = (-math.inf, math.inf)
BLOCK_STAYS: Final = 10.0
"""Mean stays a block of ``zero_seen`` lasts: after this many the lot has forgotten how the previous block ended."""


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

    @property
    def relative_half_width(self) -> float | None:
        """``half_width`` over the size of the mean; None without an interval or when the mean is 0."""
        half_width = self.half_width
        return None if half_width is None or not self.mean else half_width / abs(self.mean)

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


def student_t(values: Iterable[float | None], level: float = 0.95, bounds: Bounds = UNBOUNDED) -> Estimate:
    """Return mean and t interval over independent replications: mean -+ t(n-1) s / sqrt(n).

    Source: Law, Simulation Modeling and Analysis, chapter on output analysis for a single system
    (replication/deletion approach).

    Args:
        values: One number a replication; None or nan where the measure was undefined. Those are left out: the
            estimate is then of the replications that have the measure, and ``reason`` says how many have not.
        level: Confidence level, in (0, 1).
        bounds: Clip the interval to these; for shares only (``SHARE``).

    Returns:
        ``one-replication`` without interval for n = 1, ``zero-variance`` with the point as interval when all are
        equal, ``undefined`` when none is left.

    Raises:
        ArgumentError: If a value is infinite or outside the bounds, or the level is outside (0, 1).

    >>> estimate = student_t([1.20, 1.50, 1.68, 1.89, 0.95, 1.49, 1.58, 1.55, 0.50, 1.09], level=0.90)
    >>> round(estimate.mean, 2), round(estimate.half_width, 2)  # the worked example of Law's book, n = 10
    (1.34, 0.24)
    """
    tail = _tail(level)
    given = list(values)
    defined = _defined(given, bounds)
    n, missing = len(defined), len(given) - len(defined)
    reason = f"undefined in {missing} of {len(given)} replications" if missing else ""
    if n == 0:
        return undefined(reason or "no replication", 0, level)
    if n == 1:
        return Estimate(defined[0], None, None, level, 1, "one-replication", reason or "an interval needs two")
    mean, variance = _moments(defined)
    if variance == 0.0:
        peculiar = "all replications are equal"
        return Estimate(mean, mean, mean, level, n, "zero-variance", f"{reason}; {peculiar}" if reason else peculiar)
    half = -student_t_quantile(tail, n - 1) * math.sqrt(variance / n)
    return _clipped(mean, half, bounds, level, n, "student-t", reason)


def clopper_pearson(events: int, trials: int, level: float = 0.95) -> Estimate:
    """Return a share with its exact binomial interval; only for trials that are independent (see law 1 above).

    Source: Clopper and Pearson (1934), Biometrika 26, 404-413.

    Raises:
        ArgumentError: If events are not within 0..trials, or the level is outside (0, 1).

    >>> print(clopper_pearson(10, 100))
    0.100 [0.049, 0.176]
    """
    _tail(level)
    if trials == 0 and events == 0:
        return undefined("no trial", 0, level)
    low, high = clopper_pearson_limits(events, trials, level)
    return Estimate(events / trials, low, high, level, trials, "clopper-pearson")


def blocks_of(trials: Sequence[int], window_s: float, mean_stay_s: float, stays: float = BLOCK_STAYS) -> int:
    """Return into how many blocks of ``zero_seen`` the replications' trials can be cut.

    A block is k consecutive trials of one replication, the same k everywhere: the least that on average spans
    ``stays`` mean stays, k = ceil(stays * mean_stay_s * trials a second), at least 1. What is left over at a
    replication's end is not used.

    Args:
        trials: Trials (park requests, say) in each replication's window.
        window_s: Length of each window, seconds, > 0.
        mean_stay_s: What a trial leaves behind, on average, seconds, >= 0; with returns the whole loop.
        stays: Mean stays a block spans at least, >= 10 unless you know better.

    Raises:
        ArgumentError: If a number is negative, not finite, or the window is empty.

    >>> blocks_of([1000, 1000, 1000], window_s=10_000.0, mean_stay_s=50.0)  # 0.1 trials a second: k = 50
    60
    """
    if not (0.0 < window_s < math.inf and 0.0 <= mean_stay_s < math.inf and 0.0 <= stays < math.inf):
        raise ArgumentError(f"window, stay and stays must be finite, got {window_s!r}, {mean_stay_s!r}, {stays!r}")
    if any(count < 0 for count in trials):
        raise ArgumentError(f"trials cannot be negative, got {min(trials)!r}")
    if not trials:
        return 0
    # Multiplied before divided: 0.1 a second times 500 s is 50 and not the next double above.
    size = max(1, math.ceil(stays * mean_stay_s * sum(trials) / (window_s * len(trials))))
    return sum(count // size for count in trials)


def time_blocks(replications: int, window_s: float, mean_stay_s: float, stays: float = BLOCK_STAYS) -> int:
    """Return into how many blocks of equal duration the windows can be cut: those for a share of time.

    Raises:
        ArgumentError: If a number is negative, not finite, or mean_stay_s or the window is 0.

    >>> time_blocks(30, window_s=9_999.0, mean_stay_s=50.0)
    570
    """
    if not (0.0 < window_s < math.inf and 0.0 < mean_stay_s < math.inf and 0.0 < stays < math.inf):
        raise ArgumentError(f"window, stay and stays must be positive, got {window_s!r}, {mean_stay_s!r}, {stays!r}")
    if replications < 0:
        raise ArgumentError(f"replications cannot be negative, got {replications!r}")
    return replications * math.floor(window_s / (stays * mean_stay_s))


def zero_seen(blocks: int, level: float = 0.95) -> Estimate:
    """Return the bound on a share of trials when not one trial in ``blocks`` blocks was an event.

    Let a block be k consecutive trials (``blocks_of``), R its events and q = P(R > 0). Since R <= k in every block,

        share = E[R] / k <= k P(R > 0) / k = q,

    and no event in m independent blocks bounds q by 1 - ((1 - level)/2)^(1/m) (Clopper and Pearson, two-sided as
    all intervals here). Three things matter:

    * The blocks must hold *equally many trials*. With blocks of equal duration the share is E[R]/E[N] with N
      random, and q is no bound: in a lot offered 0.01 erlang on one slot a duration of 10 mean stays sees 0.1
      parks; 1 % of parks are refused but only 0.1 % of those blocks hold a refusal. (For a share of *time*, blocks
      of equal duration are the right ones, by the same argument with time for trials: ``time_blocks``.)
    * The blocks must be nearly independent, hence their length. What dependence is left makes m a little smaller
      than it looks. Whole replications are independent, but m = 30 bounds by 11.6 % only.
    * They need not be alike (busy hours, quiet hours): the product of different 1 - q is at most the power of their
      mean, so the bound holds for the mean share.

    Args:
        blocks: How many blocks were seen, >= 0; with none the bound is 1.
        level: Confidence level, in (0, 1).

    Raises:
        ArgumentError: If blocks are negative or the level is outside (0, 1).

    >>> print(zero_seen(1200))
    0.0000 [0.0000, 0.0031]
    """
    _tail(level)
    if blocks < 0:
        raise ArgumentError(f"blocks cannot be negative, got {blocks!r}")
    high = clopper_pearson_limits(0, blocks, level)[1] if blocks else 1.0
    reason = f"none seen in {blocks} blocks" if blocks else "none seen, and the runs are shorter than one block"
    return Estimate(0.0, 0.0, high, level, blocks, "clopper-pearson-blocks", reason)


def all_seen(blocks: int, level: float = 0.95) -> Estimate:
    """Return the bound on a share when every trial in ``blocks`` blocks was an event: ``zero_seen`` mirrored.

    Raises:
        ArgumentError: As ``zero_seen``.

    >>> print(all_seen(1200))
    1.0000 [0.9969, 1.0000]
    """
    none = zero_seen(blocks, level)
    low = clopper_pearson_limits(blocks, blocks, level)[0] if blocks else 0.0
    return Estimate(1.0, low, 1.0, level, blocks, none.method, none.reason.replace("none seen", "nothing else seen"))


def share(values: Iterable[float | None], blocks: int, level: float = 0.95) -> Estimate:
    """Return a share's estimate: t over replications, or the bound over blocks when all say 0 (or all 1).

    Args:
        values: One share a replication, None or nan where undefined (no trial).
        blocks: From ``blocks_of`` or ``time_blocks``.
        level: Confidence level, in (0, 1).

    Raises:
        ArgumentError: If a value is outside [0, 1], blocks are negative, or the level is outside (0, 1).

    >>> share([0.0, 0.0, None], blocks=400).method
    'clopper-pearson-blocks'
    """
    given = list(values)
    defined = _defined(given, SHARE)
    if defined and not any(defined):
        return zero_seen(blocks, level)
    if defined and all(value == 1.0 for value in defined):
        return all_seen(blocks, level)
    return student_t(given, level, SHARE)


def welch(
    a: Iterable[float | None], b: Iterable[float | None], level: float = 0.95, bounds: Bounds = UNBOUNDED
) -> Estimate:
    """Return mean(a) - mean(b) of two independent sets of replications, variances not assumed equal.

    Degrees of freedom by Welch (1947), Biometrika 34, 28-35, and Satterthwaite (1946). For runs with common random
    numbers take ``paired``: it is far sharper.

    Args:
        a: One number a replication; None or nan are left out.
        b: Likewise; not necessarily as many.
        level: Confidence level, in (0, 1).
        bounds: Clip the interval to these (``SHARE_DIFFERENCE``).

    Returns:
        ``undefined`` when a side has fewer than two replications; ``n`` counts both sides.

    Raises:
        ArgumentError: If a value is infinite, the difference is outside the bounds, or the level is outside (0, 1).

    >>> print(welch([5.1, 4.9, 5.3, 5.0], [4.2, 4.8, 4.5, 4.4]))
    0.60 [0.22, 0.98]
    """
    tail = _tail(level)
    xs, ys = _defined(a, UNBOUNDED), _defined(b, UNBOUNDED)
    n = len(xs) + len(ys)
    if len(xs) < 2 or len(ys) < 2:
        return undefined(f"each side needs two replications, there are {len(xs)} and {len(ys)}", n, level)
    (mean_x, variance_x), (mean_y, variance_y) = _moments(xs), _moments(ys)
    difference = mean_x - mean_y
    share_x, share_y = variance_x / len(xs), variance_y / len(ys)
    if share_x + share_y == 0.0:
        reason = "on each side all replications are equal"
        return Estimate(difference, difference, difference, level, n, "zero-variance", reason)
    df = (share_x + share_y) ** 2 / (share_x**2 / (len(xs) - 1) + share_y**2 / (len(ys) - 1))
    half = -student_t_quantile(tail, df) * math.sqrt(share_x + share_y)
    return _clipped(difference, half, bounds, level, n, "welch-t", "")


def paired(
    a: Sequence[float | None], b: Sequence[float | None], level: float = 0.95, bounds: Bounds = UNBOUNDED
) -> Estimate:
    """Return the mean of a[i] - b[i] over replications that share their random numbers, with its t interval.

    Source: Law, Simulation Modeling and Analysis, chapter on comparing alternative systems (paired-t interval).

    Args:
        a: One number a replication, None or nan where undefined.
        b: The other design's, replication by replication.
        level: Confidence level, in (0, 1).
        bounds: Clip the interval to these (``SHARE_DIFFERENCE``).

    Raises:
        ArgumentError: If the lengths differ, a value is infinite, a difference is outside the bounds, or the level is
            outside (0, 1).

    >>> print(paired([5.1, 4.9, 5.3, 5.0], [5.0, 4.8, 5.1, 4.9]))
    0.125 [0.045, 0.205]
    """
    if len(a) != len(b):
        raise ArgumentError(f"pairs need equally many replications, got {len(a)} and {len(b)}")
    pairs = [None if x is None or y is None else x - y for x, y in zip(a, b, strict=True)]  # nan stays nan
    estimate = student_t(pairs, level, bounds)
    if estimate.method != "student-t":
        return estimate
    return Estimate(estimate.mean, estimate.low, estimate.high, level, estimate.n, "paired-t", estimate.reason)


def verdict(estimate: Estimate, relation: Relation, target: float) -> Verdict:
    """Say whether an objective is met: the whole interval on its side, missed: none of it, else undecided.

    Without an interval (undefined, one replication) nothing is decided.

    Raises:
        ArgumentError: If the relation is unknown or the target is nan.

    >>> verdict(zero_seen(1200), "<", 0.01), verdict(student_t([1.0, 3.0]), "<=", 2.5)
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


def _tail(level: float) -> float:
    """Return what a two-sided interval of this level leaves on either side."""
    if not 0.0 < level < 1.0:
        raise ArgumentError(f"a confidence level must be in (0, 1), got {level!r}")
    return 0.5 * (1.0 - level)


def _defined(values: Iterable[float | None], bounds: Bounds) -> list[float]:
    """Return the values that are numbers, checked against their bounds."""
    defined = [float(value) for value in values if value is not None and not math.isnan(value)]
    for value in defined:
        if math.isinf(value) or not bounds[0] <= value <= bounds[1]:
            raise ArgumentError(f"a replication's value must be finite and within {bounds}, got {value!r}")
    return defined


def _moments(values: Sequence[float]) -> tuple[float, float]:
    """Return mean and unbiased variance of at least two values; exactly 0 for equal ones."""
    if all(value == values[0] for value in values):
        return values[0], 0.0
    mean = math.fsum(values) / len(values)
    return mean, math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)


def _clipped(mean: float, half: float, bounds: Bounds, level: float, n: int, method: Method, reason: str) -> Estimate:
    low, high = max(bounds[0], mean - half), min(bounds[1], mean + half)
    return Estimate(mean, low, high, level, n, method, reason)
