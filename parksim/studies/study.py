"""Replications of one scenario, and what they say together: the estimates, the verdicts, and when there are enough."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final, Literal, Unpack

from parksim.catalogue import BY_NAME, SCALARS, VECTORS
from parksim.errors import ArgumentError, UnknownNameError
from parksim.results import Reported, checksum, nulled, shower
from parksim.scenario.arguments import checked_scenario, proportion, whole
from parksim.scenario.messages import nearest
from parksim.scenario.model import Scenario
from parksim.scenario.objectives import Objective
from parksim.scenario.other_words import other_word
from parksim.stats import estimate as est
from parksim.stats.stopping import Stopping, StoppingRule, Target
from parksim.studies import controls
from parksim.studies import draws as drawing
from parksim.studies.draws import Draws, WithUnknown
from parksim.studies.estimates import Measured
from parksim.studies.formulas import Formula, formulas
from parksim.studies.gather import REPLICATIONS, Execution, ExecutionArguments, gathering, requested, shows_execution
from parksim.studies.replication import versions
from parksim.studies.store import Result, sum_of

MOST_REPLICATIONS: Final = 1000
"""The cap of a study that runs until it is precise."""
_STOPPED: Final = {
    "precise": "precise after {} replications",
    "cap": "not yet precise after {} replications, the most a study makes",
}


@dataclass(frozen=True)
class ObjectiveVerdict:
    """One objective of the scenario and what the study says of it.

    Attributes:
        objective: As the scenario has it.
        verdict: By the second interval where there is one.
        undecided_by: "inputs" where what is not known leaves it undecided, "replications" where chance does; else "".
        measure_first: With "inputs", the key that the measure's spread over the draws goes with most.
    """

    objective: Objective
    verdict: est.Verdict
    undecided_by: Literal["", "inputs", "replications"] = ""
    measure_first: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        plain = {"measure": self.objective.measure, "target": self.objective.text, "verdict": self.verdict}
        if self.undecided_by:
            plain["undecided_by"] = self.undecided_by
        return plain | ({"measure_first": self.measure_first} if self.measure_first else {})


def together(objectives: Iterable[ObjectiveVerdict]) -> est.Verdict:
    """Return the verdict on all objectives: one miss decides, without the others."""
    verdicts = {one.verdict for one in objectives}
    return "missed" if "missed" in verdicts else "undecided" if "undecided" in verdicts else "met"


class _ByName(Mapping[str, Any]):
    """Estimates by the names of their measures, each made when it is asked for; a wrong name gets the right one."""

    def __init__(self, make: Callable[[str], Any]) -> None:
        self._make = make
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            if name not in BY_NAME:
                raise _unknown(name)
            self._made[name] = self._make(name)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter((*SCALARS, *VECTORS))

    def __len__(self) -> int:
        return len(BY_NAME)

    def __repr__(self) -> str:
        return repr(dict(self))


def _unknown(name: object) -> UnknownNameError:
    meant = other_word(str(name), "objectives", SCALARS) or nearest(str(name), BY_NAME)
    step = f'did you mean "{meant}"?' if meant else f"there are {', '.join(SCALARS[:6])} ..."
    return UnknownNameError(f"{name!r:.80} is not a measure; {step}")


@dataclass(frozen=True)
class Study(Reported):
    """What the replications of one scenario say.

    ``results[i]`` are the measures of replication i. ``stopped`` says why there are not more of them, ``precision``
    is the requested one, ``made_with`` are the versions that made them (None: the installed ones). ``draws`` are the
    replications of what is not known; None where all is known.
    """

    scenario: Scenario
    seed: int
    engine: str
    level: float
    results: tuple[Result, ...] = field(repr=False)
    stopped: str
    precision: float | None = None
    made_with: Mapping[str, str] | None = None
    draws: Draws | None = field(default=None, repr=False)

    @cached_property
    def estimates(self) -> Mapping[str, Any]:
        """Each measure's ``Estimate`` by name; a list of them for a vector. Each is made when it is asked for."""
        return _ByName(self._estimates_of)

    def _estimates_of(self, name: str) -> est.Estimate | list[est.Estimate]:
        if name in SCALARS:
            return self.estimate(name)
        return [self.estimate(name, index) for index in range(len(self.results[0][name]) if self.results else 0)]

    @cached_property
    def formulas(self) -> Mapping[str, Formula]:
        """What theory says of each measure of this scenario, or why it says nothing."""
        return formulas(self.scenario)

    @property
    def has_controls(self) -> bool:
        """Whether estimates are corrected by controls, where these are known."""
        return any(controls.NAME in result for result in self.results)

    @property
    def how_controlled(self) -> str:
        """Whether the estimates are corrected by controls, in words."""
        why = controls.why_fewer(self.scenario)
        if self.has_controls:
            return "estimates corrected by controls" + (f" where their mean is known ({why})" if why else "")
        # Where some would be known, nobody wanted them.
        return "plain estimates, without controls" + ("" if controls.are_worth(self.scenario) else f" ({why})")

    @property
    def objectives(self) -> list[ObjectiveVerdict]:
        """The scenario's objectives with their verdicts."""
        return [self._judged(one) for one in self.scenario.objectives]

    def _judged(self, objective: Objective) -> ObjectiveVerdict:
        estimate, wider = self.estimate(objective.measure), self.with_unknown(objective.measure)
        verdict = est.verdict(estimate, objective.relation, objective.value)
        if wider is None:
            return ObjectiveVerdict(objective, verdict)
        wide = est.verdict(self.judged(objective.measure), objective.relation, objective.value)
        if wide != "undecided":
            return ObjectiveVerdict(objective, wide)
        if verdict == "undecided" and wider.input_share < 0.5:
            return ObjectiveVerdict(objective, wide, "replications")
        return ObjectiveVerdict(objective, wide, "inputs", next(iter(wider.keys), ""))

    def judged(self, name: str) -> est.Estimate:
        """Return a measure with the interval that verdicts use: with what is not known, where something is not."""
        estimate, wider = self.estimate(name), self.with_unknown(name)
        return estimate if wider is None else replace(estimate, low=wider.low, high=wider.high)

    def with_unknown(self, name: str) -> WithUnknown | None:
        """Return the interval of a measure with what is not known; None where all is known, or too little is defined.

        The study's ``level`` is its level. It holds the plain interval ("if the inputs are right"), which shrinks with
        more replications, as this one does not.
        """
        if name not in self._with_unknown:
            self._with_unknown[name] = self._widened(name)
        return self._with_unknown[name]

    @cached_property
    def _with_unknown(self) -> dict[str, WithUnknown | None]:
        return {}

    def _widened(self, name: str) -> WithUnknown | None:
        estimate = self.estimate(name)
        if self.draws is None or estimate.low is None or estimate.high is None:
            return None
        found = self.draws.spread(self.measured, name, self.level)
        if found is None:
            return None
        low, high = min(found.low, estimate.low), max(found.high, estimate.high)
        return WithUnknown(low, high, found.input_share, self.draws.keys(found.means))

    @property
    def verdict(self) -> est.Verdict:
        """All objectives together: "missed" when one is, else "undecided" when one is, else "met"."""
        return together(self.objectives)

    @cached_property
    def measured(self) -> Measured:
        """The replications, as what can be said of each measure."""
        return Measured(self.scenario, self.results, self.level, lambda name: self.formulas[name])

    def estimate(self, name: str, index: int | None = None) -> est.Estimate:
        """Return the estimate of one measure, or of one element of a vector.

        Raises:
            UnknownNameError: there is no such measure.
        """
        if name not in BY_NAME:
            raise _unknown(name)
        found = self.measured.estimate(name, index)
        return est.undefined(why_undefined(name, self.scenario), 0, self.level) if found is None else found

    def __repr__(self) -> str:
        of = f"{self.scenario.name!r}, {len(self.results):,} replications, seed {self.seed}"
        told = [f"{one.objective.measure} {one.objective.text}: {one.verdict}" for one in self.objectives]
        told = told or [f"{name} {_short(self.estimate(name))}" for name in ("refused_share", "expired_share")]
        return f"<Study of {of}; {'; '.join(told)}>"

    def to_dict(self) -> dict[str, Any]:
        """Return the study as ``parksim run --json`` prints it."""
        scenario = self.scenario
        return {
            "scenario": {"name": scenario.name, "digest": scenario.digest},
            "seed": self.seed,
            "engine": self.engine,
            "replications": len(self.results),
            "stopped": self.stopped,
            "warm_up_s": scenario.warm_up_us / 1e6,
            "horizon_s": scenario.horizon_us / 1e6,
            "cool_down_s": scenario.cool_down_us / 1e6,
            "versions": dict(self.made_with or versions(self.engine)),
            "request": self.request(),
            "estimates": {name: self._as_json(name) for name in (*SCALARS, *VECTORS)},
            "objectives": [one.to_dict() for one in self.objectives],
        } | ({} if self.draws is None else {"unknown": self.draws.to_dict()})

    def request(self) -> dict[str, Any]:
        """Return all it takes to make the study again, and what shows whether it is the same.

        The scenario's canonical text and its targets as they were written, the level, whether there are controls, the
        requested number of replications or precision, and the first 16 digits of the SHA-256 of each replication.
        """
        return {
            "scenario": self.scenario.canonical,
            "objectives": {one.measure: one.text for one in self.scenario.objectives},
            "level": self.level,
            "controls": self.has_controls,
            "replications": None if self.precision is not None else len(self.results),
            "precision": self.precision,
            "sums": [sum_of(result) for result in self.results],
        }

    def _as_json(self, name: str) -> Any:
        estimates = self.estimates[name]
        if isinstance(estimates, list):
            rows = [
                estimate.as_dict() | formula.at(index)
                for formula in [self.formulas[name]]
                for index, estimate in enumerate(estimates)
            ]
            if name.endswith("_by_lot"):
                return [{"lot": lot} | row for lot, row in zip(self.scenario.lot_names, rows, strict=True)]
            return rows
        return self.estimate_as_json(name, self.formulas[name].at(None))

    def estimate_as_json(self, name: str, beside: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Any]:
        """Return the estimate of a scalar measure as plain values, with what stands beside it, and both intervals."""
        wider, plain = self.with_unknown(name), self.estimate(name).as_dict() | dict(beside)
        return plain if wider is None else plain | {"with_unknown": wider.to_dict()}

    def summary(self) -> str:
        """Return the one-screen answer as plain text."""
        text: str = shower("summary")(self)
        return text

    def play(self) -> Any:
        """Return the page in which the switchboard runs with other values, to be shown in a notebook.

        Raises:
            MissingLibraryError: altair or vl-convert is not installed.
            UnfitError: a file of the scenario is not at hand.
        """
        return shower("play")(self)

    def advice(self, **how: Any) -> Any:
        """Return what would meet the scenario's objectives, an ``advise.Advice``; see ``parksim.advise``.

        Seed, level and controls are this study's unless ``how`` has others.
        """
        return shower("advice")(
            self.scenario, **{"seed": self.seed, "level": self.level, "controls": self.has_controls} | how
        )

    def to_json(self, *, sealed: bool = False) -> str:
        """Return the study as one JSON object: what is undefined is null, equal studies give equal text.

        Args:
            sealed: whether it has a checksum as well (``results.checksum``), as a file has.
        """
        content = nulled(self.to_dict())
        if sealed:
            content["checksum"] = checksum(content)
        return json.dumps(content, ensure_ascii=False, allow_nan=False, indent=2)


def _short(estimate: est.Estimate) -> str:
    return "undefined" if estimate.mean is None else f"{estimate.mean:.3g}"


def why_undefined(name: str, scenario: Scenario) -> str:
    """Return why no replication has a value of ``name``."""
    if name.startswith("attendant_utilisation") and scenario.attendants.count == "unlimited":
        return "attendants are unlimited"
    if name == "staff_utilisation" and scenario.retrieval.staff == "unlimited":
        return "staff are unlimited"
    if name == "recall_busy_share" and scenario.recall.to == "group":
        return "calls return to the group, not to their parker"
    if name == "recall_busy_share" and scenario.recall.to in ("elsewhere", "reminder"):
        return "calls leave for elsewhere, not for their parker"
    return BY_NAME[name].why_undefined


@shows_execution
def study(
    scenario: Scenario,
    replications: int | None = None,
    *,
    precision: float | None = None,
    **how: Unpack[ExecutionArguments],
) -> Study:
    """Run many replications of ``scenario`` and estimate every measure.

    >>> import parksim
    >>> scenario = parksim.Scenario.loads(parksim.TEMPLATE).with_values({"run.horizon": "2h", "lot.slots": 4})
    >>> made = parksim.study(scenario, replications=5, seed=1)
    >>> refused = made.estimates["refused_share"]           # .mean, .low, .high (shares from 0 to 1), .n, .method
    >>> refused.low <= refused.mean <= refused.high
    True
    >>> made
    <Study of 'My switchboard', 5 replications, seed 1; refused_share < 1 %: undecided; expired_share < 25 %: undecided>

    Args:
        scenario: what is simulated.
        replications: how many (numbers 0 to n-1); by default 30, unless there is a precision.
        precision: run until the half-widths of the objectives' measures are this share of their means (or of their
            targets); without objectives those of occupancy, and twice it of the refused share or 0.1 points. At least
            20 replications and 5 to confirm, at most 1,000. By default the scenario's ``run.precision``.
        how: seed, level, executor, workers, engine, store, progress, controls: see ``gather.ExecutionArguments``.

    Raises:
        ArgumentError: arguments that do not go together, or an invalid number.
        WrongTypeError: ``scenario`` is not a Scenario, or there is no such argument.
        StoreError: the store failed; what was stored stays.
        StudyError: a worker died; what was stored stays.
    """
    execution = Execution.of(how)
    checked_scenario(scenario)
    if replications is not None and precision is not None:
        raise ArgumentError("give either replications or a precision, not both")
    if replications is None:
        precision = scenario.run.precision if precision is None else precision
    else:
        replications = whole("replications are", replications, 1)
    if execution.executor is None and execution.workers is not None and execution.workers > 1:
        raise ArgumentError('workers are processes: say executor="processes" as well')
    if precision is not None:
        precision = proportion("a precision", "5 % is 0.05", precision)
    rule = None if precision is None else _stopping_rule(scenario, precision)
    most = (replications or REPLICATIONS) if rule is None else rule.most
    results: list[Result] = []
    stopping = Stopping()
    designs = drawing.designs_of(scenario, execution.seed)
    with gathering(execution, [scenario], drawing.work(replications or REPLICATIONS, designs)) as gatherer:

        def so_far(stopped: str) -> Study:
            return Study(scenario, gatherer.seed, gatherer.engine, gatherer.level, tuple(results), stopped, precision)

        with closing(gatherer.in_order(scenario, most)) as coming:
            for result in coming:
                results.append(result)
                if gatherer.progress is not None:
                    gatherer.progress(len(results), most)
                if rule is not None:
                    stopping = rule.after(stopping, {name: so_far("").estimate(name) for name in rule.targets})
                    if stopping.state != "continue":
                        break
        why = requested(len(results)) if rule is None else _STOPPED[stopping.state].format(stopping.replications)
        done = replace(so_far(why), draws=drawing.gathered_all(gatherer, [designs], range(len(results)))[0])
        plan = {} if done.draws is None else {"draws": done.draws.plan()}
        gatherer.finish(
            scenario, stopped=done.stopped, precision=precision, kind="study", replications=len(results), **plan
        )
    return done


def _stopping_rule(scenario: Scenario, precision: float) -> StoppingRule:
    targets = {
        o.measure: Target(relative=precision, absolute=precision * abs(o.value) or None) for o in scenario.objectives
    }
    if not targets:
        targets = {
            "occupancy_mean": Target(relative=precision),
            "refused_share": Target(relative=2 * precision, absolute=0.001),
        }
    return StoppingRule(targets, most=MOST_REPLICATIONS)
