"""An interval that knows what is not known: the spread of a measure over draws of its inputs, without simulation noise.

Outside, draws of the inputs; inside, the same replications for every draw (common random numbers). The value of draw j
in replication i is y_ij = m + a_j + b_i + e_ij: what the inputs do, what the offered calls do to every draw alike, and
the rest. With J draws, r replications, MS_draw and MS_rest the mean squares of the two-way analysis of variance,

    input variance  = max(0, (MS_draw - MS_rest) / r)

(Scheffe, The Analysis of Variance, 1959, chapter 8; for nested simulation Sun, Apley and Staum 2011, Operations
Research 59, 998-1007). The means of the draws spread by more than that, since each rests on r replications only. So
their distances from their centre are shrunk until the variance is the input variance plus that of the centre, and the
interval lies between quantiles of what results (shrinkage: Barton, Lam and Song 2018, Proc. Winter Simulation
Conference; the nested design and its aim: Barton, Nelson and Xie 2014, INFORMS Journal on Computing 26, 74-87).

The interval's centre is the scenario's own point, over all its n replications, and the offset of the draws from it,
which is not 0 where a measure bends over its inputs. The offset rests on the r common replications; its noise variance
v is known, and it counts with the weight (input variance) / (input variance + v), so that inputs that are nearly known
give nearly the plain interval.

Everything happens on a scale on which noise is alike everywhere: the arc sine of the root for shares, the root for
other measures, which also keeps the limits possible.
"""

import math
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from parksim.stats.estimate import Sample, tail_of

FEWEST: Final = 20
"""Draws of which a measure is defined; with fewer there is no interval."""
Numbers = NDArray[np.float64]


class Scale(NamedTuple):
    """A scale: to it, its slope there, and back."""

    to: Callable[[float], float]
    slope: Callable[[float], float]
    back: Callable[[float], float]


AS_IT_IS: Final = Scale(lambda x: x, lambda x: 1.0, lambda x: x)  # noqa: ARG005 - the slope is 1 everywhere
"""For differences."""
OF_SHARES: Final = Scale(
    lambda x: math.asin(math.sqrt(min(max(x, 0.0), 1.0))),
    lambda x: 0.5 / math.sqrt(x * (1.0 - x)) if 0.0 < x < 1.0 else 0.0,
    lambda x: math.sin(min(max(x, 0.0), math.pi / 2)) ** 2,
)
OF_OTHERS: Final = Scale(
    lambda x: math.sqrt(max(x, 0.0)),
    lambda x: 0.5 / math.sqrt(x) if x > 0.0 else 0.0,
    lambda x: max(x, 0.0) ** 2,
)


class Spread(NamedTuple):
    """What draws of the inputs say of a measure.

    Attributes:
        low: Lower end of the interval, in the measure's unit.
        high: Upper end.
        input_variance: Of the measure over the draws, on the scale, noise taken out.
        noise_variance: Of the centre: what more replications would lessen.
        means: Of each draw, on the scale; nan where the measure is undefined.
    """

    low: float
    high: float
    input_variance: float
    noise_variance: float
    means: Numbers

    @property
    def input_share(self) -> float:
        """Which part of the interval's variance comes from the inputs: 0 to 1; 0 where the interval has no width."""
        total = self.input_variance + self.noise_variance
        return self.input_variance / total if total > 0 else 0.0


def spread(base: Sample, draws: Sequence[Sample | None], level: float, scale: Scale) -> Spread | None:
    """Return the interval of a measure over draws of the inputs; None where too few draws have a value.

    Args:
        base: the measure of the scenario as it stands, over n replications.
        draws: the measure of each draw, over the first r of these replications, 2 <= r <= n; None where undefined.
        level: two-sided, in (0, 1).
        scale: of the measure.

    Raises:
        ArgumentError: the level is outside (0, 1).

    >>> base = Sample(5.0, (-1.0, 1.0, 0.0, 0.0), 4)
    >>> found = spread(base, [Sample(4.0 + j / 10, (-1.0, 1.0), 2) for j in range(21)], 0.9, AS_IT_IS)
    >>> round(found.low, 1), round(found.high, 1), round(found.input_share, 1)
    (3.8, 6.2, 0.7)
    """
    tail = tail_of(level)
    there = np.array([one is not None for one in draws])
    defined = [one for one in draws if one is not None]
    if len(defined) < FEWEST:
        return None
    number, replications = len(defined), len(defined[0].residuals)
    points = np.array([scale.to(one.point) for one in defined])
    cells = np.array([[scale.slope(one.point) * residual for residual in one.residuals] for one in defined])
    rest = cells - cells.mean(axis=0) - cells.mean(axis=1, keepdims=True) + cells.mean()
    rest_ms = float((rest**2).sum()) / ((number - 1) * (replications - 1))
    variance = float(points.var(ddof=1))
    input_variance = max(0.0, variance - rest_ms / replications)
    of_base = scale.slope(base.point) * np.array(base.residuals)
    # By how much the draws lie elsewhere than the point, both over the same replications, as far as that is no noise.
    offset_variance = rest_ms / replications * (1 + 1 / number)
    believed = input_variance / (input_variance + offset_variance) if offset_variance > 0 else 1.0
    first = scale.to(base.point) + float(of_base[:replications].mean())
    offset = believed * (float(points.mean()) - first)
    n = len(of_base)
    noise_variance = float((of_base**2).sum()) / (n * (n - 1))
    noise_variance = max(0.0, noise_variance + rest_ms * (believed**2 / replications - 2 * believed / n))
    centre = float(points.mean())
    factor = math.sqrt((input_variance + noise_variance) / variance) if variance > 0 else 0.0
    shrunk = scale.to(base.point) + offset + factor * (points - centre)
    # Of J draws the k-th lies above a further one with the probability k / (J + 1).
    low, high = np.quantile(shrunk, [tail, 1.0 - tail], method="weibull").tolist()
    means = np.full(len(draws), math.nan)
    means[there] = points
    return Spread(scale.back(low), scale.back(high), input_variance, noise_variance, means)


def explained(means: Numbers, values: Numbers) -> float:
    """Return the share of the spread of ``means`` that goes with ``values``: r squared of ranks, nan left out.

    Both have the shape (draws,). Source: Spearman (1904), American Journal of Psychology 15, 72-101.

    >>> explained(np.array([1.0, 2.0, 3.0, np.nan]), np.array([10.0, 20.0, 90.0, 5.0]))
    1.0
    """
    there = ~np.isnan(means)
    if there.sum() < 2 or np.ptp(means[there]) == 0 or np.ptp(values[there]) == 0:
        return 0.0
    one, other = (of[there].argsort(kind="stable").argsort(kind="stable").astype(np.float64) for of in (means, values))
    return float(round(np.corrcoef(one, other)[0, 1] ** 2, 12))
