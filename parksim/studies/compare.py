"""Two scenarios compared: paired differences where both are offered the same calls, Welch's where they are not."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any, Final, Unpack

import numpy as np

from parksim.catalogue import SCALARS, SHARES
from parksim.errors import PlanError
from parksim.results import Reported
from parksim.scenario import unknown as unknowns
from parksim.scenario.arguments import checked_scenario, whole
from parksim.scenario.comments import as_set
from parksim.scenario.model import Scenario
from parksim.scenario.workload import Workload, draw
from parksim.stats import estimate as est
from parksim.stats import events, nested
from parksim.stats.estimate import Estimate, Sample
from parksim.studies import draws as drawing
from parksim.studies import gather
from parksim.studies.draws import WithUnknown
from parksim.studies.store import Damage
from parksim.studies.study import Study, why_undefined


@dataclass(frozen=True)
class Comparison(Reported):
    """What changes from scenario ``a`` to scenario ``b``.

    Attributes:
        a: The study of the first.
        b: The study of the second.
        changed: By key, the values of a and of b (None where the key is missing).
        paired: Whether the same calls were offered to both, replication by replication.
        unlike: The columns of the workload that differ between them ("arrival_us", "retrieval_us", ...).
        differences: By measure, b less a: paired, or Welch's where the calls differ.
        ran: Replications that were run now.
        reused: Replications taken from the store.
        damaged: Records of the store that were not what was written; they were run again.
    """

    a: Study
    b: Study
    changed: Mapping[str, tuple[object, object]]
    paired: bool
    unlike: tuple[str, ...]
    differences: Mapping[str, Estimate]
    ran: int
    reused: int
    damaged: tuple[Damage, ...] = ()

    def __repr__(self) -> str:
        keys = ", ".join(f"{key}: {one!r:.20} -> {other!r:.20}" for key, (one, other) in self.changed.items())
        asked = [one.measure for one in self.a.scenario.objectives] or ["refused_share", "expired_share"]
        told = [
            f"{name} {one.mean:+.3g} ({one.low:+.3g} to {one.high:+.3g})"
            for name, one in ((name, self.differences[name]) for name in asked)
            if one.mean is not None and one.low is not None and one.high is not None
        ]
        return f"<Comparison, {keys or 'nothing changed'}; {'; '.join(told)}>"

    @property
    def scenario(self) -> Scenario:
        """The first scenario, which the second changes."""
        return self.a.scenario

    @property
    def how(self) -> str:
        """How the differences were made, in a sentence."""
        if self.paired:
            others = f"; columns that differ: {', '.join(self.unlike)}" if self.unlike else ""
            return f"paired: both are offered the same calls at the same instants{others}"
        what = "seeds" if "seed" in self.unlike else "arrivals"
        return f"Welch: the {what} differ, so each side has replications of its own ({', '.join(self.unlike)})"

    def flat(self) -> list[dict[str, Any]]:
        """Return a row of plain values for each measure: that of a, that of b, and the difference with its interval."""
        return [
            {"measure": name, "a": self.a.estimate(name).mean, "b": self.b.estimate(name).mean} | one.as_dict()
            for name, one in self.differences.items()
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as plain values, for JSON."""
        return {
            "a": self.a.to_dict(),
            "b": self.b.to_dict(),
            "changed": {key: list(values) for key, values in self.changed.items()},
            "paired": self.paired,
            "how": self.how,
            "differences": {name: self._as_json(name) for name in self.differences},
        }

    def _as_json(self, name: str) -> dict[str, Any]:
        wider, plain = self.with_unknown(name), self.differences[name].as_dict()
        return plain if wider is None else plain | {"with_unknown": wider.to_dict()}

    def with_unknown(self, name: str) -> WithUnknown | None:
        """Return the interval of a difference with what is not known; None where all is known in both.

        Differences are taken draw by draw: what both have not known is drawn alike in both.
        """
        estimate, (a, b) = self.differences[name], (self.a, self.b)
        if estimate.low is None or estimate.high is None or (a.draws is None and b.draws is None):
            return None
        if estimate.method == "certain":
            return WithUnknown(estimate.low, estimate.high, 0.0, {})
        return difference_with_unknown(b, a, name, estimate)


@gather.shows_execution
def compare(
    a: Scenario, b: Scenario, replications: int = gather.REPLICATIONS, **how: Unpack[gather.ExecutionArguments]
) -> Comparison:
    """Say what changes from ``a`` to ``b``, each measure with the interval of its difference.

    Where both are offered the same arrivals, differences are paired, replication by replication. Where not, b gets
    the replications n to 2n-1, whose streams are independent of a's, as Welch's interval supposes.

    Args:
        a: the first scenario.
        b: the second.
        replications: how many of each, at least 2.
        how: seed, level, executor, workers, engine, store, progress, controls: see ``gather.ExecutionArguments``.

    Raises:
        PlanError: too few replications, or scenarios that do not count over equal times.
        ArgumentError: an invalid seed, level or number of replications.
        WrongTypeError: ``a`` or ``b`` is not a Scenario, or there is no such argument.
        StoreError: the store cannot be used; what was stored stays.
        StudyError: a worker died; what was stored stays.
    """
    execution, replications = gather.Execution.of(how), whole("replications are", replications, 1)
    for one in (a, b):
        checked_scenario(one)
    if replications < 2:
        raise PlanError(f"a comparison has at least 2 replications (an interval needs two), not {replications}")
    changed = _changes_alike(a, b)
    unlike = unlike_columns(a, b, execution.seed, min(replications, STREAMS_COMPARED))
    first = 0 if "arrival_us" not in unlike else replications
    drawn = [drawing.designs_of(one, execution.seed) for one in (a, b)]
    with gather.gathering(execution, [a, b], drawing.work(replications, max(drawn, key=len))) as gatherer:
        made = gatherer.seed, gatherer.engine, gatherer.level
        of_a, of_b = (
            Study(
                one,
                *made,
                results,
                gather.requested(replications),
                draws=drawing.gathered_all(gatherer, [designs], numbers)[0],
            )
            for one, designs, numbers in zip(
                (a, b), drawn, (range(replications), range(first, first + replications)), strict=True
            )
            for results in gatherer.results([one], numbers)
        )
        gatherer.finish(a, kind="compare", asked={"replications": replications}, other=gatherer.kept(b))
    return _compared(of_a, of_b, changed, unlike, gatherer)


def compare_results(a: Study, b: Study) -> Comparison:
    """Say what changes from ``a`` to ``b``, two finished studies, without running anything.

    Where both have the same seed and are offered the same arrivals, differences are paired over the replications that
    both have. Where the seeds differ, Welch's interval takes all of both. Where only the arrivals differ, it takes
    the first half of a's replications and the second half of b's, since those of one number are not independent.

    Raises:
        PlanError: too few replications, levels that differ, or scenarios that do not count over equal times.
        ArgumentError: the calls of a scenario cannot be drawn, because its files are not at hand.
    """
    changed = _changes_alike(a.scenario, b.scenario)
    if a.level != b.level:
        raise PlanError(f"the two have intervals of unlike levels, {a.level:g} and {b.level:g}; run one of them again")
    most = min(len(a.results), len(b.results))
    if most < 4:
        raise PlanError(f"results are compared from 4 replications on each side, not {most}; run more")
    if a.seed != b.seed:
        return _compared(replace(a, draws=None), replace(b, draws=None), changed, ("seed",))
    unlike = unlike_columns(a.scenario, b.scenario, a.seed, min(most, STREAMS_COMPARED))
    if "arrival_us" not in unlike:
        first, second = a.results[:most], b.results[:most]
    else:  # draws have the first replications, which are not independent between the sides
        first, second = a.results[: most // 2], b.results[most - most // 2 : most]
        a, b = replace(a, draws=None), replace(b, draws=None)
    return _compared(replace(a, results=first), replace(b, results=second), changed, unlike)


def _changes_alike(a: Scenario, b: Scenario) -> dict[str, tuple[object, object]]:
    """Return the ``changes`` of two scenarios that count over equal times."""
    changed = changes(a, b)
    if (a.warm_up_us, a.horizon_us) == (b.warm_up_us, b.horizon_us):
        return changed
    spans = [f"{one.warm_up_us / 1e6:g} to {one.horizon_us / 1e6:g} s" for one in (a, b)]
    differing = "; ".join(f"{key}: {as_set(one)} and {as_set(other)}" for key, (one, other) in changed.items())
    raise PlanError(
        f"the two do not count over equal times, {spans[0]} and {spans[1]}; set run.warm_up and run.horizon "
        f"(they differ in {differing})"
    )


def _compared(
    a: Study,
    b: Study,
    changed: Mapping[str, tuple[object, object]],
    unlike: tuple[str, ...],
    gatherer: gather.Gatherer | None = None,
) -> Comparison:
    same_calls = not {"arrival_us", "seed"} & set(unlike)
    by, most = est.together if same_calls else est.apart, max(len(a.results), len(b.results))
    differences = {name: difference(b, a, name, most, by) for name in SCALARS}
    if same_calls and not changed:
        differences = {
            name: one if one.mean is None else est.certain(0.0, one.n, a.level, "nothing differs")
            for name, one in differences.items()
        }
    counts = (gatherer.ran, gatherer.reused, gatherer.damaged) if gatherer is not None else (0, 0, ())
    return Comparison(a, b, changed, same_calls, unlike, differences, *counts)


STREAMS_COMPARED: Final = 3
"""Replications whose calls are drawn to see whether two scenarios get the same: by chance they are not equal thrice."""


def unlike_columns(a: Scenario, b: Scenario, seed: int, replications: int) -> tuple[str, ...]:
    """Return the columns that differ in one of the first replications.

    Compared are calls that both could be offered: a longer cool-down only adds calls after those that are counted.
    """
    end_us = min(one.horizon_us + one.cool_down_us for one in (a, b))
    unlike = dict.fromkeys(Workload._fields, False)
    for replication in range(replications):
        drawn = [draw(scenario, seed, replication) for scenario in (a, b)]
        calls = [int(np.searchsorted(one.arrival_us, end_us)) for one in drawn]
        for name in unlike:
            one, other = (getattr(of, name)[..., :count] for of, count in zip(drawn, calls, strict=True))
            unlike[name] |= not np.array_equal(one, other)
    return tuple(name for name, differs in unlike.items() if differs)


def changes(a: Scenario, b: Scenario) -> dict[str, tuple[object, object]]:
    """Return the keys in which two scenarios differ, with both values; None where one has none. The name is left out.

    >>> from parksim.scenario.model import TEMPLATE
    >>> scenario = Scenario.loads(TEMPLATE)
    >>> changes(scenario, scenario.with_values({"lot.slots": 8}))
    {'lot.slots': (6, 8)}
    """
    left, right = (_flat(json.loads(one.canonical)) for one in (a, b))
    keys = [key for key in left | right if key != "name"]
    return {key: (left.get(key), right.get(key)) for key in keys if left.get(key) != right.get(key)}


def _flat(table: Mapping[str, Any], before: str = "") -> dict[str, object]:
    """Return the keys of nested tables as they are set: several lots by their names, whose order is a value as well."""
    flat: dict[str, object] = {}
    for key, value in table.items():
        path = before + key
        if isinstance(value, dict) and value.keys() != unknowns.KEYS:
            flat |= _flat(value, f"{path}.")
        elif isinstance(value, list) and value and all(isinstance(one, dict) and "name" in one for one in value):
            flat[path] = [one["name"] for one in value]
            for one in value:
                flat |= _flat({name: held for name, held in one.items() if name != "name"}, f"{path}.{one['name']}.")
        else:
            flat[path] = value
    return flat


def difference(
    one: Study, other: Study, name: str, replications: int, by: Callable[..., Estimate] = est.together
) -> Estimate:
    """Return a measure of ``one`` less that of ``other`` over the first replications, ``together`` or ``apart``.

    It rests on the spread of the replications; of few events, on the limits of both sides.
    """
    alike = by is est.together
    if alike and name == "calls_offered":
        return est.certain(0.0, replications, one.level, "both are offered the same calls")
    one, other = (replace(study, results=study.results[:replications]) for study in (one, other))
    estimates = one.estimate(name), other.estimate(name)
    for study, side in zip((one, other), estimates, strict=True):
        if side.mean is None:
            return est.undefined(why_undefined(name, study.scenario), 0, one.level)
    bounds = est.SHARE_DIFFERENCE if name in SHARES else est.UNBOUNDED
    first, second = one.measured.sample(name), other.measured.sample(name)
    if first is None or second is None:  # a quantile, which is no ratio of sums
        values = [[result[name] for result in study.results] for study in (one, other)]
        if not alike:
            a, b = (est.mean_of([value for value in side if not math.isnan(value)]) for side in values)
            return est.apart(a, b, one.level, bounds)
        pairs = [pair for pair in zip(*values, strict=True) if not any(map(math.isnan, pair))]
        count = len(values[0])
        reason = f"undefined in {count - len(pairs)} of {count} replications" if len(pairs) < count else ""
        if not pairs:
            return est.undefined(reason, 0, one.level)
        a, b = map(est.mean_of, zip(*pairs, strict=True))
        return est.together(a, b, one.level, bounds, reason)
    no_pair_differs = alike and any(first.residuals) and first.residuals == second.residuals
    by_spread = no_pair_differs or {side.method for side in estimates} <= _BY_SPREAD
    if by_spread and alike:
        pairs_of_controls = zip_longest(one.measured.deviations.of(name), other.measured.deviations.of(name))
        columns = [column for pair in pairs_of_controls for column in pair if column is not None]
        return est.together(first, second, one.level, bounds, columns=columns)
    first, second = one.measured.controlled(name, first), other.measured.controlled(name, second)
    if by_spread:
        return est.apart(first, second, one.level, bounds)
    return events.difference(*estimates, est.correlation(first, second) if alike else 0.0, bounds)


def difference_with_unknown(one: Study, other: Study, name: str, plain: Estimate) -> WithUnknown | None:
    """Return the interval of a measure of ``one`` less that of ``other`` with what is not known, draw by draw.

    A side of which all is known has the same value in every draw.
    """
    studies = (one, other)
    bases = [drawing.sample_of(study.measured, name) for study in studies]
    draws = next(study.draws for study in studies if study.draws is not None)
    number, replications = len(draws.designs), len(draws.results[0])
    columns = []
    for study, base in zip(studies, bases, strict=True):
        if base is None:
            return None
        own = Sample(base.point, base.residuals[:replications], replications)
        columns.append([own] * number if study.draws is None else study.draws.samples(name))
    base, *samples = (
        None
        if a is None or b is None
        else Sample(a.point - b.point, tuple(x - y for x, y in zip(a.residuals, b.residuals, strict=False)), a.n)
        for a, b in zip((bases[0], *columns[0]), (bases[1], *columns[1]), strict=True)
    )
    assert base is not None
    found = nested.spread(base, samples, one.level, nested.AS_IT_IS)
    if found is None or plain.low is None or plain.high is None:
        return None
    most = 1.0 if name in SHARES else math.inf
    low, high = max(-most, min(found.low, plain.low)), min(most, max(found.high, plain.high))
    return WithUnknown(low, high, found.input_share, draws.keys(found.means))


_BY_SPREAD: Final = frozenset({"student-t", "control-t", "all-equal", "certain", "one-replication"})
"""Methods of estimates whose differences rest on the spread of the replications."""
