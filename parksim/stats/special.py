"""Special functions that the laws and the intervals need, so that nothing at run time loads SciPy.

Each is compared with SciPy in the tests.
"""

import math
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from parksim.errors import ArgumentError, NumericalError

_TINY = 1e-300
_CLOSE = 1e-16


def upper_gamma(shape: float, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the regularized upper incomplete gamma function Q(shape, x), elementwise.

    Q is the survival function of a gamma variable of this shape and scale 1. Below ``shape + 1`` it is one minus
    the power series (NIST Digital Library of Mathematical Functions, 8.11.4), above it the continued fraction
    (ibid., 8.9.2) by Lentz's method.

    Args:
        shape: greater than 0.
        x: any shape of array; negative entries count as 0.

    >>> upper_gamma(1.0, np.array([0.0, 1.0])).round(6).tolist()
    [1.0, 0.367879]
    """
    x = np.maximum(np.asarray(x, dtype=np.float64), 0.0)
    result = np.ones_like(x)
    small = (x > 0.0) & (x < shape + 1.0)
    large = (x >= shape + 1.0) & np.isfinite(x)
    result[np.isposinf(x)] = 0.0
    if small.any():
        result[small] = 1.0 - _lower_by_series(shape, x[small])
    if large.any():
        result[large] = _upper_by_fraction(shape, x[large])
    return np.clip(result, 0.0, 1.0)


def _front(shape: float, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return x**shape exp(-x) / Gamma(shape).

    Large terms cancel when the shape is large; there Stirling's series takes them out beforehand (NIST Digital
    Library of Mathematical Functions, 5.11.1).
    """
    if shape < 20.0:
        return np.exp(shape * np.log(x) - x - math.lgamma(shape))
    distance = (x - shape) / shape
    series = 1.0 / (12.0 * shape) - 1.0 / (360.0 * shape**3) + 1.0 / (1260.0 * shape**5)
    near = distance > -0.5
    logarithm = np.where(near, np.log1p(np.where(near, distance, 0.0)), np.log(x) - math.log(shape))
    return np.exp(-shape * (distance - logarithm) - series) * math.sqrt(shape / (2.0 * math.pi))


def _lower_by_series(shape: float, x: NDArray[np.float64]) -> NDArray[np.float64]:
    term = np.full_like(x, 1.0 / shape)
    total = term.copy()
    divisor = shape
    while bool(np.any(term > _CLOSE * total)):
        divisor += 1.0
        term *= x / divisor
        total += term
    return total * _front(shape, x)


def _upper_by_fraction(shape: float, x: NDArray[np.float64]) -> NDArray[np.float64]:
    b = x + 1.0 - shape
    c = np.full_like(x, 1.0 / _TINY)
    d = 1.0 / b
    fraction = d.copy()
    step = 0
    change = np.full_like(x, 2.0)
    while bool(np.any(np.abs(change - 1.0) > 4.0 * _CLOSE)) and step < 100_000:
        step += 1
        a = -step * (step - shape)
        b = b + 2.0
        d = a * d + b
        d = 1.0 / np.where(np.abs(d) < _TINY, _TINY, d)
        c = b + a / c
        c = np.where(np.abs(c) < _TINY, _TINY, c)
        change = c * d
        fraction = fraction * change
    return fraction * _front(shape, x)


def _stirling_excess(x: float) -> float:
    """Return ln Gamma(x) less Stirling's (x - 1/2) ln x - x + ln(2 pi)/2, for x >= 10 (DLMF 5.11.1)."""
    inverse = 1.0 / (x * x)
    series = 1.0 / 1188.0 - inverse * 691.0 / 360_360.0
    for coefficient in (-1.0 / 1680.0, 1.0 / 1260.0, -1.0 / 360.0, 1.0 / 12.0):
        series = coefficient + inverse * series
    return series / x


def _log_gamma_step(large: float, step: float) -> float:
    """Return ln Gamma(large + step) - ln Gamma(large) for large >= 10 without losing digits to cancellation."""
    total = large + step
    return (
        (large - 0.5) * math.log1p(step / large)
        + step * (math.log(total) - 1.0)
        + (_stirling_excess(total) - _stirling_excess(large))
    )


def _log_beta_density_part(a: float, b: float, x: float, y: float) -> float:
    """Return ln(x**a * y**b / B(a, b)) with y = 1 - x as a separate argument, to keep its digits."""
    if a >= 10.0 and b >= 10.0:  # DiDonato and Morris (1992): nothing here grows with a and b but the answer itself
        total = a + b
        off_x, off_y = (x * b - y * a) / a, (y * a - x * b) / b  # x and y relative to their means a/total, b/total
        return (
            0.5 * math.log(a * b / (2.0 * math.pi * total))
            + a * (math.log1p(off_x) if off_x > -0.5 else math.log(x * total / a))
            + b * (math.log1p(off_y) if off_y > -0.5 else math.log(y * total / b))
            + (_stirling_excess(total) - _stirling_excess(a) - _stirling_excess(b))
        )
    small, large = min(a, b), max(a, b)
    if large >= 10.0:
        log_beta = math.lgamma(small) - _log_gamma_step(large, small)
    else:
        log_beta = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    log_x, log_y = (math.log1p(-y), math.log(y)) if y < x else (math.log(x), math.log1p(-x))
    return a * log_x + b * log_y - log_beta


def _beta_fraction(a: float, b: float, x: float) -> float:
    """Return the continued fraction of DLMF 8.17.22 by Lentz's method; converges fast for x < (a+1)/(a+b+2)."""
    c, d = 1.0, 1.0 - (a + b) * x / (a + 1.0)
    d = 1.0 / (d if abs(d) > _TINY else _TINY)
    value = d
    for m in range(1, 100_000):
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0)),
        ):
            d = 1.0 + numerator * d
            d = 1.0 / (d if abs(d) > _TINY else _TINY)
            c = 1.0 + numerator / c
            c = c if abs(c) > _TINY else _TINY
            value *= c * d
        if abs(c * d - 1.0) < 1e-16:
            return value
    raise NumericalError(f"the incomplete beta fraction did not converge for a={a!r}, b={b!r}, x={x!r}")


def beta_tails(a: float, b: float, x: float, y: float) -> tuple[float, float]:
    """Return (I_x(a, b), 1 - I_x(a, b)) for positive shapes, y = 1 - x: the smaller one at full relative precision.

    I_x(a, b) is the regularized incomplete beta function, P(X <= x) for X beta distributed: DLMF 8.17.1-2
    (definition), 8.17.22 (continued fraction).

    >>> [round(tail, 12) for tail in beta_tails(2.0, 3.0, 0.5, 0.5)]  # 6x^2 - 8x^3 + 3x^4
    [0.6875, 0.3125]
    """
    if x <= 0.0:
        return 0.0, 1.0
    if y <= 0.0:
        return 1.0, 0.0
    front = math.exp(_log_beta_density_part(a, b, x, y))
    if x * (a + b + 2.0) < a + 1.0:
        lower = min(1.0, front * _beta_fraction(a, b, x) / a)
        return lower, 1.0 - lower
    upper = min(1.0, front * _beta_fraction(b, a, y) / b)
    return 1.0 - upper, upper


def _solve_beta(a: float, b: float, lower: float, upper: float) -> float:
    """Return x with I_x(a, b) = ``lower`` = 1 - ``upper``, for an x of at most about a half.

    Newton's steps on ln x and on the logarithm of the smaller tail, kept inside a bracket by bisection: so neither
    an x near 0 nor a tail near 0 loses its digits, and no starting guess is needed.
    """
    low, high = -745.0, 0.0  # exp(-745) is the least positive double
    from_below = lower <= upper
    target = math.log(lower if from_below else upper)
    u = math.log(a / (a + b))
    for _ in range(200):
        x, y = math.exp(u), -math.expm1(u)
        tails = beta_tails(a, b, x, y)
        tail = tails[0] if from_below else tails[1]
        logarithm = math.log(tail) if tail > 0.0 else -math.inf
        if (logarithm < target) == from_below:
            low = u
        else:
            high = u
        step = math.nan
        if 0.0 < tail < 1.0 and y > 0.0:
            slope = math.exp(_log_beta_density_part(a, b, x, y)) / y / tail
            if slope > 0.0:
                step = u - (logarithm - target) / (slope if from_below else -slope)
        if not low < step < high:
            step = 0.5 * (low + high)
        if abs(step - u) <= 2e-16 * max(1.0, abs(u)) or not low < step < high:
            return math.exp(step)
        u = step
    return math.exp(u)


def beta_quantile(a: float, b: float, probability: float) -> float:
    """Return the x with I_x(a, b) = probability, the inverse of ``beta_tails`` in x.

    Args:
        a: First shape, > 0.
        b: Second shape, > 0.
        probability: In [0, 1].

    Raises:
        ArgumentError: If a shape is not positive and finite, or the probability is outside [0, 1].

    >>> round(beta_quantile(2.0, 3.0, 0.6875), 12)
    0.5
    """
    if not (0.0 < a < math.inf and 0.0 < b < math.inf):
        raise ArgumentError(f"the beta law's shapes must be positive and finite, got {a!r} and {b!r}")
    if not 0.0 <= probability <= 1.0:
        raise ArgumentError(f"a probability must be in [0, 1], got {probability!r}")
    if probability in {0.0, 1.0}:
        return probability
    lower, upper = beta_tails(a, b, 0.5, 0.5)
    if probability <= lower or upper == 0.0:
        return _solve_beta(a, b, probability, 1.0 - probability)
    return 1.0 - _solve_beta(b, a, 1.0 - probability, probability)


@lru_cache(maxsize=1024)
def student_t_quantile(probability: float, df: float) -> float:
    """Return the quantile of Student's t law with ``df`` degrees of freedom (not necessarily whole).

    From P(|T| > t) = I_x(df/2, 1/2), x = df / (df + t^2) (DLMF 8.17.1; Abramowitz and Stegun 26.7.1). For a tail
    finer than 1e-15 ask for the lower one and change the sign: ``probability`` itself is kept there, 1 less it is
    not.

    Args:
        probability: In (0, 1), at least 1e-150.
        df: Degrees of freedom, > 0.

    Raises:
        ArgumentError: If the probability is outside [1e-150, 1) or df is not positive and finite.

    Answers are kept, since a study asks the same of each of its measures.

    >>> round(student_t_quantile(0.975, 29), 4)  # the table's 2.045 of a 95 % interval over 30 replications
    2.0452
    >>> round(student_t_quantile(0.975, 1), 3)
    12.706
    """
    if not 1e-150 <= probability < 1.0:  # below, the square of t need not be a double
        raise ArgumentError(f"a probability must be in [1e-150, 1), got {probability!r}")
    if not 0.0 < df < math.inf:
        raise ArgumentError(f"degrees of freedom must be positive and finite, got {df!r}")
    if probability == 0.5:
        return 0.0
    if df > 1e7:  # A&S 26.7.5; there the fraction's argument is too near 1 to keep its digits
        z = NormalDist().inv_cdf(probability)
        return z + (z**3 + z) / (4.0 * df) + (5.0 * z**5 + 16.0 * z**3 + 3.0 * z) / (96.0 * df * df)
    tail = min(probability, 1.0 - probability)
    # t^2/df = y/x with x + y = 1: whichever of x and y is the smaller is found directly, at full relative precision.
    lower = beta_tails(0.5 * df, 0.5, 0.5, 0.5)[0]
    if 2.0 * tail <= lower:
        x = _solve_beta(0.5 * df, 0.5, 2.0 * tail, 2.0 * (0.5 - tail))
        ratio = (1.0 - x) / x
    else:
        y = _solve_beta(0.5, 0.5 * df, 2.0 * (0.5 - tail), 2.0 * tail)
        ratio = y / (1.0 - y)
    size = math.sqrt(df * ratio)
    return size if probability > 0.5 else -size


def clopper_pearson_limits(events: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Return the exact two-sided limits of a probability after ``events`` in ``trials`` independent trials.

    Clopper and Pearson (1934), Biometrika 26, 404-413: the beta quantiles at (1 - level)/2 on either side, so that
    each side errs with at most half of 1 - level. The lower limit is 0 when nothing was seen, the upper one 1 when
    everything was.

    Args:
        events: How many of the trials showed the event, 0 <= events <= trials.
        trials: How many trials there were, >= 1.
        level: Confidence level, in (0, 1).

    Raises:
        ArgumentError: If events are not within 0..trials, trials < 1, or the level is outside (0, 1).

    >>> low, high = clopper_pearson_limits(0, 30)
    >>> low, round(high, 4)
    (0.0, 0.1157)
    >>> [round(limit, 4) for limit in clopper_pearson_limits(10, 100)]
    [0.049, 0.1762]
    """
    if trials < 1 or not 0 <= events <= trials:
        raise ArgumentError(f"events must be within 0..trials and trials at least 1, got {events!r} of {trials!r}")
    if not 0.0 < level < 1.0:
        raise ArgumentError(f"a confidence level must be in (0, 1), got {level!r}")
    tail = 0.5 * (1.0 - level)
    # With 0 events x solves (1-x)**trials = tail, in closed form; mirrored when everything was an event.
    if events == 0:
        return 0.0, -math.expm1(math.log(tail) / trials)
    if events == trials:
        return math.exp(math.log(tail) / trials), 1.0
    low = beta_quantile(events, trials - events + 1.0, tail)
    # The mirror image, since 1 - tail would have lost the digits of a fine tail.
    return low, 1.0 - beta_quantile(trials - events, events + 1.0, tail)
