"""The laws that durations follow: how long handling, patience or a retrieval takes.

A closed set, told apart by ``kind``; a bare duration is a constant. Each law knows its mean, its survival function
P(X > t), the points that carry a positive share (``atoms_s``), its support, and how to draw from a generator. Draw
number i depends on the generator and on i only, not on how many are drawn. Seconds everywhere.

>>> law = parse_law({"kind": "exponential", "mean": "2m"})
>>> law.mean_s, law.survival(np.array([0.0, 120.0])).round(4).tolist()
(120.0, [1.0, 0.3679])
>>> parse_law("45s").atoms_s
(45.0,)
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self, Union, get_args

import numpy as np
import pydantic
from numpy.typing import NDArray

from parksim.errors import UnfitError, UnknownWordError
from parksim.scenario import recordings
from parksim.scenario.quantities import LONGEST_S, Duration, duration_s
from parksim.stats.special import upper_gamma

Seconds = NDArray[np.float64]
"""Any shape, seconds."""

BEYOND: Final = 1e-9
"""At most this share of a law may lie beyond ``LONGEST_S``; what is drawn there becomes ``LONGEST_S``."""

Spread = Annotated[float, pydantic.Field(gt=0, le=1e6, strict=True)]
"""Of a lognormal; far from any real one, and its square is a number."""


@dataclass(frozen=True)
class Sample:
    """Measured durations, ascending, with the digest of the file they came from (empty: no file)."""

    digest: str = ""
    sorted_s: Seconds = field(default_factory=lambda: np.empty(0), compare=False)


class LawBase(pydantic.BaseModel, ABC):
    """What all laws share."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: str

    @property
    @abstractmethod
    def mean_s(self) -> float:
        """Mean, in seconds."""

    @property
    def atoms_s(self) -> tuple[float, ...]:
        """Points of positive mass, ascending: none, but 0 when the law is shrunk to it."""
        return (0.0,) if self.mean_s == 0 else ()

    @property
    def support_s(self) -> tuple[float, float]:
        """Smallest and largest possible value (the largest may be infinite)."""
        return (0.0, math.inf if self.mean_s > 0 else 0.0)

    def survival(self, t_s: Seconds) -> Seconds:
        """Return P(X > t) for an array of any shape; 1 for negative t."""
        t_s = np.asarray(t_s, dtype=np.float64)
        return np.where(t_s < 0, 1.0, 0.0) if self.support_s[1] == 0 else self._survival(t_s)

    @abstractmethod
    def _survival(self, t_s: Seconds) -> Seconds:
        """Return P(X > t) of a law that is not always 0."""

    @abstractmethod
    def draw_s(self, generator: np.random.Generator, n: int) -> Seconds:
        """Return ``n`` independent draws, shape (n,)."""

    def _check(self, context: Mapping[str, Any]) -> None:
        """Raise ``UnfitError`` when the parameters do not go together."""

    def _share_beyond(self) -> float:
        return float(self.survival(np.array([LONGEST_S]))[0]) if math.isfinite(self.mean_s) else 1.0

    @pydantic.model_validator(mode="after")
    def _fits(self, info: pydantic.ValidationInfo) -> Self:
        self._check(info.context or {})
        if self._share_beyond() > BEYOND:
            raise UnfitError(
                f"more than {BEYOND:g} of this law lies beyond 1e9 s (some 31 years)", "lower its mean or its spread"
            )
        return self


class Constant(LawBase):
    """Always ``value``."""

    kind: Literal["constant"] = "constant"
    value: Duration

    @property
    def mean_s(self) -> float:
        """The value."""
        return self.value

    @property
    def atoms_s(self) -> tuple[float, ...]:
        """The value."""
        return (self.value,)

    @property
    def support_s(self) -> tuple[float, float]:
        """The value, twice."""
        return (self.value, self.value)

    def _survival(self, t_s: Seconds) -> Seconds:
        """Return 1 before the value, 0 from it on."""
        return np.where(t_s < self.value, 1.0, 0.0)

    def draw_s(self, generator: np.random.Generator, n: int) -> Seconds:  # noqa: ARG002 - nothing to draw
        """Return the value ``n`` times."""
        return np.full(n, self.value)


class ByMean(LawBase):
    """A law whose mean is given."""

    mean: Duration

    @property
    def mean_s(self) -> float:
        """The mean."""
        return self.mean


class Exponential(ByMean):
    """Exponential: no memory."""

    kind: Literal["exponential"]

    def _survival(self, t_s: Seconds) -> Seconds:
        """Return exp(-t / mean)."""
        return _exponential_survival(t_s, self.mean)

    def draw_s(self, generator: np.random.Generator, n: int) -> Seconds:
        """Return ``n`` draws."""
        drawn_s = generator.standard_exponential(n)
        drawn_s *= self.mean
        return _capped(drawn_s)


class Lognormal(LawBase):
    """Lognormal, by median and log-sigma or by mean and coefficient of variation."""

    kind: Literal["lognormal"]
    median: Duration | None = None
    sigma: Spread | None = None
    mean: Duration | None = None
    cv: Spread | None = None

    def _check(self, context: Mapping[str, Any]) -> None:  # noqa: ARG002 - only files need it
        given = {key for key in ("median", "sigma", "mean", "cv") if getattr(self, key) is not None}
        if given not in ({"median", "sigma"}, {"mean", "cv"}):
            raise UnfitError("a lognormal needs either median and sigma, or mean and cv", _given(given))

    @property
    def log_sd(self) -> float:
        """Standard deviation of the logarithm."""
        if self.sigma is not None:
            return self.sigma
        assert self.cv is not None
        return math.sqrt(math.log1p(self.cv**2))

    @property
    def median_s(self) -> float:
        """The median."""
        if self.median is not None:
            return self.median
        assert self.mean is not None
        assert self.cv is not None
        return self.mean / math.hypot(1.0, self.cv)

    @property
    def mean_s(self) -> float:
        """Median times exp(sigma**2 / 2)."""
        if self.mean is not None:
            return self.mean
        return self.median_s * _exp(self.log_sd**2 / 2)

    def _survival(self, t_s: Seconds) -> Seconds:
        """Return the normal survival function of (ln t - ln median) / sigma."""
        positive = t_s > 0
        score = (np.log(np.where(positive, t_s, 1.0)) - math.log(self.median_s)) / (self.log_sd * math.sqrt(2.0))
        tail = np.array([0.5 * math.erfc(value) for value in score.ravel().tolist()]).reshape(score.shape)
        return np.where(positive, tail, 1.0)

    def draw_s(self, generator: np.random.Generator, n: int) -> Seconds:
        """Return ``n`` draws."""
        drawn_s = generator.standard_normal(n)
        drawn_s *= self.log_sd
        np.exp(drawn_s, out=drawn_s)
        drawn_s *= self.median_s
        return _capped(drawn_s)


class Hyperexponential(LawBase):
    """A mixture of exponentials: with share ``weights[i]`` the mean is ``means[i]``."""

    kind: Literal["hyperexponential"]
    weights: tuple[Annotated[float, pydantic.Field(ge=0, strict=True)], ...] = pydantic.Field(min_length=1)
    means: tuple[Duration, ...] = pydantic.Field(min_length=1)

    def _check(self, context: Mapping[str, Any]) -> None:  # noqa: ARG002 - only files need it
        if len(self.weights) != len(self.means):
            raise UnfitError(
                f"{len(self.weights)} weights for {len(self.means)} means", "give each mean exactly one weight"
            )
        total = math.fsum(self.weights)
        if abs(total - 1.0) > 1e-9:
            raise UnfitError(f"the weights sum to {total:.10g}, not to 1", "make the weights sum to 1")

    @property
    def mean_s(self) -> float:
        """The weighted mean."""
        return math.fsum(weight * mean for weight, mean in zip(self.weights, self.means, strict=True))

    @property
    def atoms_s(self) -> tuple[float, ...]:
        """None, but 0 when a mean that has weight is 0."""
        at_zero = any(weight > 0 and mean == 0 for weight, mean in zip(self.weights, self.means, strict=True))
        return (0.0,) if at_zero else ()

    def _survival(self, t_s: Seconds) -> Seconds:
        """Return the weighted sum of exponential survival functions."""
        total = np.zeros_like(t_s)
        for weight, mean in zip(self.weights, self.means, strict=True):
            total += weight * _exponential_survival(t_s, mean)
        return total

    def draw_s(self, generator: np.random.Generator, n: int) -> Seconds:
        """Return ``n`` draws; each uses two uniform numbers, one to choose the mean."""
        uniform = generator.random((n, 2))
        edges = np.cumsum(self.weights)[:-1]
        means = np.array(self.means)[np.searchsorted(edges, uniform[:, 0], side="right")]
        return _capped(-np.log1p(-uniform[:, 1]) * means)


class GammaShaped(ByMean):
    """A gamma law of that mean and of some shape."""

    @property
    @abstractmethod
    def shape_number(self) -> float:
        """The shape."""

    def _survival(self, t_s: Seconds) -> Seconds:
        """Return the regularized upper incomplete gamma function."""
        return upper_gamma(self.shape_number, t_s * (self.shape_number / self.mean))

    def draw_s(self, generator: np.random.Generator, n: int) -> Seconds:
        """Return ``n`` draws."""
        return _capped(generator.standard_gamma(self.shape_number, n) * (self.mean / self.shape_number))


class Erlang(GammaShaped):
    """The sum of ``stages`` equal exponentials; ``mean`` is that of the sum."""

    kind: Literal["erlang"]
    stages: Annotated[int, pydantic.Field(ge=1, le=10_000, strict=True)]

    @property
    def shape_number(self) -> float:
        """The number of stages."""
        return float(self.stages)


class Gamma(GammaShaped):
    """Gamma, by mean and shape or by mean and coefficient of variation (cv = 1 / sqrt(shape))."""

    kind: Literal["gamma"]
    shape: Annotated[float, pydantic.Field(ge=0.01, le=1e6, strict=True)] | None = None
    cv: Annotated[float, pydantic.Field(ge=0.001, le=10, strict=True)] | None = None

    def _check(self, context: Mapping[str, Any]) -> None:  # noqa: ARG002 - only files need it
        if (self.shape is None) == (self.cv is None):
            raise UnfitError("a gamma needs mean and either shape or cv", "give exactly one of shape and cv")

    @property
    def shape_number(self) -> float:
        """The shape, given or from cv."""
        if self.shape is not None:
            return self.shape
        return 1.0 if self.cv is None else self.cv**-2


class Weibull(LawBase):
    """Weibull, by scale and shape or by mean and shape; below shape 1 the hazard falls."""

    kind: Literal["weibull"]
    shape: Annotated[float, pydantic.Field(ge=0.05, le=1000, strict=True)]
    scale: Duration | None = None
    mean: Duration | None = None

    def _check(self, context: Mapping[str, Any]) -> None:  # noqa: ARG002 - only files need it
        if (self.scale is None) == (self.mean is None):
            raise UnfitError("a weibull needs shape and either scale or mean", "give exactly one of scale and mean")

    @property
    def scale_s(self) -> float:
        """The scale, given or from the mean."""
        if self.scale is not None:
            return self.scale
        return 0.0 if self.mean is None else self.mean / math.gamma(1.0 + 1.0 / self.shape)

    @property
    def mean_s(self) -> float:
        """Scale times Gamma(1 + 1 / shape)."""
        return self.mean if self.mean is not None else self.scale_s * math.gamma(1.0 + 1.0 / self.shape)

    def _survival(self, t_s: Seconds) -> Seconds:
        """Return exp(-(t / scale) ** shape)."""
        with np.errstate(over="ignore"):
            return np.exp(-((np.maximum(t_s, 0.0) / self.scale_s) ** self.shape))

    def draw_s(self, generator: np.random.Generator, n: int) -> Seconds:
        """Return ``n`` draws."""
        with np.errstate(over="ignore"):
            return _capped(generator.standard_exponential(n) ** (1.0 / self.shape) * self.scale_s)


class Uniform(LawBase):
    """Uniform from ``low`` to ``high``."""

    kind: Literal["uniform"]
    low: Duration
    high: Duration

    def _check(self, context: Mapping[str, Any]) -> None:  # noqa: ARG002 - only files need it
        if self.low > self.high:
            raise UnfitError(f"low ({self.low:g} s) is above high ({self.high:g} s)", "exchange low and high")

    @property
    def mean_s(self) -> float:
        """The middle."""
        return (self.low + self.high) / 2

    @property
    def atoms_s(self) -> tuple[float, ...]:
        """None, but the value when low equals high."""
        return (self.low,) if self.low == self.high else ()

    @property
    def support_s(self) -> tuple[float, float]:
        """From low to high."""
        return (self.low, self.high)

    def _survival(self, t_s: Seconds) -> Seconds:
        """Return the straight line from 1 at low to 0 at high."""
        if self.low == self.high:
            return np.where(t_s < self.low, 1.0, 0.0)
        return np.clip((self.high - t_s) / (self.high - self.low), 0.0, 1.0)

    def draw_s(self, generator: np.random.Generator, n: int) -> Seconds:
        """Return ``n`` draws."""
        return self.low + generator.random(n) * (self.high - self.low)


class Empirical(LawBase):
    """Measured durations, each as likely as the next: the inverse of the step function they make.

    Either ``values``, or a ``file`` with its ``column`` (one column needs no name).
    """

    kind: Literal["empirical"]
    values: tuple[Duration, ...] | None = pydantic.Field(default=None, min_length=1)
    file: str | None = pydantic.Field(default=None, min_length=1)
    column: str | None = None
    _sample: Sample = pydantic.PrivateAttr(default_factory=Sample)

    def _check(self, context: Mapping[str, Any]) -> None:
        if (self.values is None) == (self.file is None):
            raise UnfitError("an empirical law needs either values or a file", "give exactly one of values and file")
        if self.values is not None:
            if self.column is not None:
                raise UnfitError("column names a column of a file", "remove column, or give a file")
            self._sample = Sample("", np.sort(np.array(self.values)))
        elif self.file is not None and not recordings.is_reference(self.file):
            path = recordings.located(self.file, context)
            table = recordings.read_column(path, self.column)
            self._sample = Sample(table.digest, recordings.durations_s(table))
        elif self.file is not None:
            self._sample = Sample(self.file.removeprefix("sha256:"))

    def _share_beyond(self) -> float:
        return 0.0  # each value was checked

    @pydantic.model_serializer
    def _serialized(self) -> dict[str, Any]:
        if self.values is not None:
            return {"kind": self.kind, "values": self.values}
        column = {} if self.column is None else {"column": self.column}
        return {"kind": self.kind, "file": f"sha256:{self._sample.digest}", **column}

    @property
    def sorted_s(self) -> Seconds:
        """The durations, ascending, shape (n,).

        Raises:
            UnfitError: the law came from a result that names its file by digest only.
        """
        if not self.at_hand:
            raise UnfitError(
                "the durations of this law are in a file that is not at hand", "load the scenario file itself"
            )
        return self._sample.sorted_s

    @property
    def at_hand(self) -> bool:
        """Whether the durations are known, not only the digest of their file."""
        return self._sample.sorted_s.size > 0

    @property
    def mean_s(self) -> float:
        """The mean of the durations."""
        return math.fsum(self.sorted_s.tolist()) / self.sorted_s.size

    @property
    def atoms_s(self) -> tuple[float, ...]:
        """The distinct durations."""
        return tuple(np.unique(self.sorted_s).tolist())

    @property
    def support_s(self) -> tuple[float, float]:
        """The shortest and the longest."""
        return (float(self.sorted_s[0]), float(self.sorted_s[-1]))

    def _survival(self, t_s: Seconds) -> Seconds:
        """Return the share of the durations that are longer."""
        return 1.0 - np.searchsorted(self.sorted_s, t_s, side="right") / self.sorted_s.size

    def draw_s(self, generator: np.random.Generator, n: int) -> Seconds:
        """Return ``n`` draws."""
        size = self.sorted_s.size
        return self.sorted_s[np.minimum((generator.random(n) * size).astype(np.int64), size - 1)]


def by_kind(
    kinds: Mapping[str, type[pydantic.BaseModel]], needs: str, what: str, bare: Callable[[object], object]
) -> Any:
    """Return the type of a table that its key ``kind`` tells apart; an unknown kind is refused here.

    Args:
        kinds: the models by kind.
        needs: the rule where the key is missing.
        what: of what it is the kind.
        bare: makes a table of a value that is not one, or refuses it.
    """

    def table(value: object) -> object:
        if isinstance(value, tuple(kinds.values())):
            return value
        found = value if isinstance(value, Mapping) else bare(value)
        assert isinstance(found, Mapping)
        if "kind" not in found:
            raise UnfitError(needs, f"one of {', '.join(kinds)}", ("kind",))
        if found["kind"] not in tuple(kinds):
            raise UnknownWordError(f"is not a kind of {what}", "kind", tuple(kinds))
        return found

    def kind(value: object) -> str:
        return str(value["kind"]) if isinstance(value, Mapping) else str(getattr(value, "kind", ""))

    models = tuple(Annotated[model, pydantic.Tag(kind)] for kind, model in kinds.items())
    return Annotated[Union[models], pydantic.Discriminator(kind), pydantic.BeforeValidator(table)]  # noqa: UP007 - of a tuple


_MODELS = (Constant, Exponential, Lognormal, Hyperexponential, Erlang, Gamma, Weibull, Uniform, Empirical)
LAWS: Final[dict[str, type[LawBase]]] = {get_args(law.model_fields["kind"].annotation)[0]: law for law in _MODELS}
"""The laws by kind."""
KINDS: Final = tuple(LAWS)

if TYPE_CHECKING:
    Law = LawBase
else:
    Law = by_kind(LAWS, "a law needs its kind", "law", lambda bare: {"kind": "constant", "value": duration_s(bare)})
"""Any of the laws; a bare duration is a constant."""

_LAW: Final[pydantic.TypeAdapter[Law]] = pydantic.TypeAdapter(Law)


def parse_law(value: object, folder: Path | str = ".") -> Law:
    """Return the law that a duration or a table describes; names of files start at ``folder``.

    Raises:
        pydantic.ValidationError: it describes none.
    """
    return _LAW.validate_python(value, context={"folder": folder})


def _given(keys: set[str]) -> str:
    return f"given: {', '.join(sorted(keys)) or 'neither'}"


def _exp(x: float) -> float:
    return math.exp(x) if x < 700 else math.inf


def _capped(draws_s: Seconds) -> Seconds:
    return np.minimum(draws_s, LONGEST_S, out=draws_s)


def _exponential_survival(t_s: Seconds, mean_s: float) -> Seconds:
    return np.where(t_s < 0, 1.0, 0.0) if mean_s == 0 else np.exp(-np.maximum(t_s, 0.0) / mean_s)
