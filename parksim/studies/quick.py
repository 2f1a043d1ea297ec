"""An answer without a simulation: every measure from theory, each marked as exact or with the error it may have.

``quick`` takes the exact formula where one holds (``formulas``), else the approximation (``approximate``). By how much
an approximation may be off was measured: 95 % of drawn scenarios were nearer to their simulation (``python -m
tests.statistics.quick --set``), and other scenarios are held against it (without ``--set``).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, NamedTuple

import numpy as np

from parksim.catalogue import BY_NAME
from parksim.errors import ArgumentError, UnfitError
from parksim.results import Answered
from parksim.scenario.arguments import checked_scenario
from parksim.scenario.model import Scenario
from parksim.scenario.objectives import Objective
from parksim.stats import estimate as est
from parksim.studies.approximate import Answers, approximated
from parksim.studies.balance import Method
from parksim.studies.formulas import NAMES, Formula, formulas
from parksim.studies.study import ObjectiveVerdict, together, why_undefined

NAMED: Final[dict[Method, str]] = {"load": "offered load", "chain": "joint chain"}
STEADY: Final = ("after warm-up",)
"""The end of the name of a formula that holds once the empty start is forgotten."""


class Error(NamedTuple):
    """By how much an approximation may be off: the greater of a share of the value, and a number."""

    share: float
    least: float

    def of(self, value: float) -> float:
        """Return the error of one value."""
        return max(self.share * abs(value), self.least)


@dataclass(frozen=True)
class Quick(Answered):
    """What theory says of a scenario.

    Attributes:
        scenario: The scenario.
        method: Where refusals and waits come from: "chain", or "load" where that was requested or the chain too large.
        formulas: By measure; ``Formula.within`` is None where a formula is exact.
    """

    scenario: Scenario
    method: Method
    formulas: Mapping[str, Formula]
    _shower: ClassVar[str] = "quick"

    def bounds(self, name: str) -> tuple[float, float] | None:
        """Return between which values a measure lies, of 95 % of scenarios; None where theory has no value."""
        value, _, within = self.formulas[name]
        if not isinstance(value, float):
            return None
        most = BY_NAME[name].greatest(sum(self.scenario.settings.slots))
        return min(max(0.0, value - (within or 0.0)), most), min(value + (within or 0.0), most)

    @property
    def objectives(self) -> list[ObjectiveVerdict]:
        """The scenario's objectives: met or missed where the error leaves no doubt."""
        return [ObjectiveVerdict(one, _verdict(self.bounds(one.measure), one)) for one in self.scenario.objectives]

    @property
    def verdict(self) -> est.Verdict:
        """All objectives together."""
        return together(self.objectives)

    def to_dict(self) -> dict[str, Any]:
        """Return what ``parksim quick --json`` prints."""
        return {
            "scenario": {"name": self.scenario.name, "digest": self.scenario.digest},
            "method": self.method,
            "theory": {
                name: {"value": one.value, "within": one.within, "exact": one.value is not None and one.within is None}
                | {"reason": one.reason}
                for name, one in self.formulas.items()
            },
            "objectives": [one.to_dict() for one in self.objectives],
        }


def _verdict(bounds: tuple[float, float] | None, objective: Objective) -> est.Verdict:
    if bounds is None:
        return "undecided"
    sides = {est.verdict(est.certain(end, 0, 1.0, ""), objective.relation, objective.value) for end in bounds}
    return sides.pop() if len(sides) == 1 else "undecided"


def quick(scenario: Scenario, method: Method = "chain") -> Quick:
    """Return every measure of ``scenario`` from theory alone.

    Args:
        scenario: Any; a file that it names must be at hand.
        method: "chain" (up to some seconds) or "load" (a fraction of a second, less exact where attendants are few).

    Raises:
        ArgumentError: There is no such method.
        WrongTypeError: ``scenario`` is not a Scenario.
    """
    checked_scenario(scenario)
    if method not in NAMED:
        raise ArgumentError(f"{method!r} is not a method; one of {', '.join(NAMED)}")
    exact = formulas(scenario)
    if scenario.beyond_theory:
        return Quick(scenario, method, exact)
    try:
        near = approximated(scenario, method)
    except UnfitError as error:  # a file is not at hand, or the queue grows without end
        reasons = {name: one if one.value is not None else Formula(None, error.rule) for name, one in exact.items()}
        return Quick(scenario, method, reasons)
    except ArgumentError:  # nobody is on duty
        return Quick(scenario, method, exact)
    used: Method = "chain" if near.chained else "load"
    return Quick(scenario, used, {name: _best(name, exact[name], near, used, scenario) for name in NAMES})


def _best(name: str, exact: Formula, near: Answers, method: Method, scenario: Scenario) -> Formula:
    """Return the exact formula where it holds, else the approximation, else the reason why it is missing."""
    if exact.value is not None and (near.settled or not exact.reason.endswith(STEADY)):
        return exact
    value = near.values.get(name)
    if value is None:
        return exact if exact.value is None else Formula(None, "the empty start is not forgotten")
    if isinstance(value, np.ndarray):
        error = errors_of(name, near, method).share
        return Formula(tuple(value.tolist()), NAMED[method], error)
    if math.isnan(value):
        return Formula(None, exact.reason if exact.value is None else why_undefined(name, scenario))
    value = min(float(value), BY_NAME[name].greatest(sum(scenario.settings.slots)))
    return Formula(value, NAMED[method], errors_of(name, near, method).of(value))


def errors_of(name: str, near: Answers, method: Method) -> Error:
    """Return the measured error of a measure (see the head of this file)."""
    chain, load, least = ERRORS[name.partition("_by_")[0]]
    factor = STRAINED if near.strained else 1.0
    return Error(factor * (chain if method == "chain" else load), factor * least)


STRAINED: Final = 3.0
"""Errors are this much larger where attendants are busy for 80 % of their time, an hour has none of them, or calls are
recorded and so not Poisson."""
ERRORS: Final = {
    "calls_offered": (0.001, 0.001, 0.01),
    "parks_requested": (0.03, 0.03, 0.05),
    "parks_made": (0.03, 0.04, 0.05),
    "offered_erlang": (0.04, 0.04, 0.002),
    "refused_share": (0.12, 0.35, 0.004),
    "time_full_share": (0.12, 0.35, 0.003),
    "retrieved_share": (0.02, 0.02, 0.005),
    "expired_share": (0.02, 0.02, 0.005),
    "abandoned_share": (0.02, 0.02, 0.005),
    "recalls_per_hour": (0.04, 0.04, 0.05),
    "recall_busy_share": (0.2, 0.2, 0.05),
    "recall_answered_share": (0.03, 0.04, 0.01),
    "recall_abandoned_share": (0.2, 0.3, 0.02),
    "lost_share": (0.2, 0.4, 0.005),
    "queue_abandoned_share": (0.25, 0.4, 0.02),
    "queue_full_share": (0.3, 0.4, 0.005),
    "forwarded_share": (0.04, 0.04, 0.005),
    "occupancy_mean": (0.025, 0.03, 0.002),
    "occupancy_p95": (0.0, 0.0, 1.0),
    "occupancy_max": (0.1, 0.1, 0.5),
    "occupancy_pmf": (0.25, 0.5, 0.0),
    "parked_s_mean": (0.01, 0.01, 0.1),
    "parked_s_p50": (0.05, 0.05, 1.0),
    "parked_s_p95": (0.05, 0.05, 2.0),
    "parks_per_call": (0.03, 0.04, 0.005),
    "attendant_utilisation": (0.01, 0.02, 0.002),
    "staff_utilisation": (0.03, 0.03, 0.003),
    "answer_wait_s_mean": (0.25, 0.4, 0.5),
    "answer_wait_s_p95": (0.4, 0.6, 3.0),
    "answered_within_share": (0.025, 0.1, 0.005),
}
"""By measure: the greatest share of itself by which the chain is off, and the offered load, and the least number."""
