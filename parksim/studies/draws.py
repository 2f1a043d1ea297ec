"""A study of what is not known: replications of a scenario's draws, and the second interval that they give.

Every draw is an ordinary scenario with a digest of its own, so that it is run, stored and resumed as any design is. All
draws have the same replications, and these are the first of the scenario's own (common random numbers).

There are 100 draws of 2 replications each, or of 4 % of the scenario's own number where that is more. For a given
number of runs many draws and few replications say most: noise is taken out afterwards (``stats.nested``), while the
ends of few draws say little about 2.5 %.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any, Final, NamedTuple

import numpy as np

from parksim.catalogue import BY_NAME, SHARES
from parksim.scenario.model import Scenario
from parksim.stats import estimate as est
from parksim.stats import nested
from parksim.studies.estimates import Measured
from parksim.studies.gather import Gatherer
from parksim.studies.store import Result, sum_of

DRAWS: Final = 100
"""Draws of what is not known."""
_COST: Final = 4
"""Replications of draws for each of the scenario's own, where these are many."""


class WithUnknown(NamedTuple):
    """The interval of a measure with what is not known.

    Attributes:
        low: Lower end.
        high: Upper end.
        input_share: How much of its variance comes from what is not known; the rest more replications would lessen.
        keys: How much of the spread over the draws goes with each key, the largest first.
    """

    low: float
    high: float
    input_share: float
    keys: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        return {"low": self.low, "high": self.high, "input_share": self.input_share, "keys": dict(self.keys)}


@dataclass(frozen=True)
class Draws:
    """Scenarios drawn from what is not known, and the measures of their replications, of each the same numbers."""

    designs: tuple[Scenario, ...] = field(repr=False)
    results: tuple[tuple[Result, ...], ...] = field(repr=False)

    @cached_property
    def values(self) -> dict[str, tuple[float, ...]]:
        """The drawn values by key, one a draw."""
        of_designs = [one.numbers for one in self.designs]
        keys = {key: tuple(one[key] for one in of_designs) for key in of_designs[0]}
        return {key: values for key, values in keys.items() if len(set(values)) > 1}

    @cached_property
    def _measured(self) -> list[Measured]:
        pairs = zip(self.designs, self.results, strict=True)
        return [Measured(design, results, 0.95, _no_formula) for design, results in pairs]

    def samples(self, name: str) -> list[est.Sample | None]:
        """Return the measure of each draw; None where it is undefined."""
        return [sample_of(one, name) for one in self._measured]

    def spread(self, base: Measured, name: str, level: float) -> nested.Spread | None:
        """Return what the draws say of a measure of the scenario itself, ``base``; None where that is nothing."""
        point = sample_of(base, name)
        if point is None or len(base.results) < 2:
            return None
        scale = nested.OF_SHARES if name in SHARES else nested.OF_OTHERS
        found = nested.spread(point, self.samples(name), level, scale)
        if found is None:
            return None
        most = max(BY_NAME[name].greatest(sum(one.settings.slots)) for one in self.designs)
        return found._replace(low=min(found.low, most), high=min(found.high, most))

    def keys(self, means: nested.Numbers) -> dict[str, float]:
        """Return how much of the spread of the draws' means goes with each key, the largest first."""
        shares = {key: nested.explained(means, np.array(values)) for key, values in self.values.items()}
        return dict(sorted(shares.items(), key=lambda one: -one[1]))

    def plan(self) -> dict[str, Any]:
        """Return what a store keeps of them beside their replications."""
        return {"designs": [one.digest for one in self.designs], "replications": len(self.results[0])}

    def to_dict(self) -> dict[str, Any]:
        """Return how many there are, and sums that show whether others are the same, for JSON."""
        return {
            "draws": len(self.designs),
            "replications": len(self.results[0]),
            "sums": [[sum_of(one) for one in results] for results in self.results],
        }


def _no_formula(name: str) -> Any:
    raise AssertionError(name)


def sample_of(measured: Measured, name: str) -> est.Sample | None:
    """Return a measure as a ratio of sums, a quantile as the mean of its replications; None where it is undefined."""
    found = measured.sample(name)
    if found is not None:
        return found
    values = [result[name] for result in measured.results]
    return est.mean_of(values) if values and not any(map(math.isnan, values)) else None


def replications_of(replications: int) -> int:
    """Return how many replications a draw has where the scenario itself has this many.

    >>> replications_of(30), replications_of(1000)
    (2, 40)
    """
    return max(2, _COST * replications // DRAWS)


def designs_of(scenario: Scenario, seed: int) -> tuple[Scenario, ...]:
    """Return the draws of a scenario; none where all is known."""
    return scenario.drawn(DRAWS, seed) if scenario.has_unknown else ()


def work(replications: int, designs: Sequence[Scenario]) -> int:
    """Return how many replications a scenario and its draws have together."""
    return replications + len(designs) * replications_of(replications)


def gathered_all(
    gatherer: Gatherer, drawn: Sequence[Sequence[Scenario]], replications: range
) -> tuple[Draws | None, ...]:
    """Return the draws of each scenario with their replications, the first of ``replications``; None without draws.

    Raises:
        StoreError: the store failed.
        StudyError: a worker died, and so did its successor.
    """
    if len(replications) < 2 or not any(drawn):
        return (None,) * len(drawn)
    numbers = replications[: replications_of(len(replications))]
    results = iter(gatherer.results([design for designs in drawn for design in designs], numbers))
    return tuple(Draws(tuple(one), tuple(islice(results, len(one)))) if one else None for one in drawn)
