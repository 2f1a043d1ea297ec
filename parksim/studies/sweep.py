"""Many designs offered the same calls: every combination of some values, and the texts that list values.

The designs of a sweep use common random numbers: the same seed and replication numbers, hence the same calls. With a
store, replications that were run before are not run again.
"""

import itertools
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Unpack

from parksim.catalogue import SCALARS
from parksim.errors import ArgumentError, PlanError, UnfitError
from parksim.results import Reported
from parksim.scenario.arguments import checked_scenario, plain, whole
from parksim.scenario.model import Scenario
from parksim.scenario.quantities import LONGEST_S, duration_s
from parksim.studies import draws as drawing
from parksim.studies import gather
from parksim.studies.replication import versions
from parksim.studies.store import Damage
from parksim.studies.study import Study


@dataclass(frozen=True)
class Row:
    """One design of a sweep: its values by key, and the study of it."""

    values: Mapping[str, object]
    study: Study = field(repr=False)

    def flat(self) -> dict[str, Any]:
        """Return the design as one row of plain values: its values, each scalar's estimate, each verdict.

        A measure M gives M, M_low, M_high (None where undefined) and M_n, where something is not known M_unknown_low
        and M_unknown_high; an objective of it M_verdict.
        """
        row: dict[str, Any] = dict(self.values)
        for name in SCALARS:
            estimate = self.study.estimate(name)
            row |= {name: estimate.mean, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
            row[f"{name}_n"] = estimate.n
            if self.study.draws is not None:
                wider = self.study.with_unknown(name)
                ends = (None, None) if wider is None else (wider.low, wider.high)
                row |= {f"{name}_unknown_low": ends[0], f"{name}_unknown_high": ends[1]}
        for objective in self.study.objectives:
            row[f"{objective.objective.measure}_verdict"] = objective.verdict
        return row


@dataclass(frozen=True)
class Sweep(Reported):
    """Many designs offered the same calls, in the order of their values (the first key changes slowest).

    Attributes:
        scenario: What was varied.
        over: The values of each key.
        rows: One a combination.
        ran: Replications that were run now.
        reused: Replications taken from the store.
        damaged: Records of the store that were not what was written; they were run again.
        made_with: The versions that made it; None for the installed ones.
    """

    scenario: Scenario
    over: Mapping[str, tuple[object, ...]]
    seed: int
    engine: str
    replications: int
    level: float
    rows: tuple[Row, ...] = field(repr=False)
    ran: int
    reused: int
    damaged: tuple[Damage, ...] = ()
    made_with: Mapping[str, str] | None = None

    @property
    def has_controls(self) -> bool:
        """Whether estimates are corrected by controls, where these are known."""
        return self.rows[0].study.has_controls

    def __repr__(self) -> str:
        met = sum(row.study.verdict == "met" for row in self.rows) if self.scenario.objectives else None
        told = "" if met is None else f"; {met:,} meet all objectives"
        return f"<Sweep of {self.scenario.name!r} over {' and '.join(self.over)}: {len(self.rows):,} designs{told}>"

    def flat(self) -> list[dict[str, Any]]:
        """Return the rows as plain values (see ``Row.flat``): the same with any workers, stored or not."""
        return [row.flat() for row in self.rows]

    def to_dict(self) -> dict[str, Any]:
        """Return the sweep as plain values, for JSON; it does not depend on what was stored."""
        return {
            "scenario": {"name": self.scenario.name, "digest": self.scenario.digest},
            "over": {key: list(values) for key, values in self.over.items()},
            "seed": self.seed,
            "engine": self.engine,
            "replications": self.replications,
            "level": self.level,
            "versions": dict(self.made_with or versions(self.engine)),
            "rows": self.flat(),
        }


@gather.shows_execution
def sweep(
    scenario: Scenario,
    over: Mapping[str, Iterable[object]],
    replications: int = gather.REPLICATIONS,
    **how: Unpack[gather.ExecutionArguments],
) -> Sweep:
    """Run every combination of some values, each offered the same calls.

    Args:
        scenario: what is varied.
        over: the values of each key, such as ``{"lot.slots": range(4, 21)}``; as ``Scenario.with_values`` takes them.
        replications: how many of each design (numbers 0 to n-1).
        how: seed, level, executor, workers, engine, store, progress, controls: see ``gather.ExecutionArguments``.

    Raises:
        PlanError: no values or too many, or the same design twice.
        ArgumentError: an invalid seed, level or number of replications.
        WrongTypeError: ``scenario`` is not a Scenario, or there is no such argument.
        ScenarioError: a combination is not a valid scenario; nothing was run then.
        StoreError: the store cannot be used; what was stored stays.
        StudyError: a worker died; what was stored stays.
    """
    execution, replications = gather.Execution.of(how), whole("replications are", replications, 1)
    checked_scenario(scenario)
    if not isinstance(over, Mapping):
        raise PlanError(_NO_KEY)
    values = {key: _listed(key, ones) for key, ones in over.items()}
    runs = math.prod(map(len, values.values())) * replications
    if not values:
        raise PlanError(_NO_KEY)
    if runs > gather.MOST_RUNS:
        raise PlanError(f"{runs:,} replications are more than {gather.MOST_RUNS:,}; take fewer values")
    combinations = [dict(zip(values, row, strict=True)) for row in itertools.product(*values.values())]
    designs = [scenario.with_values(one) for one in combinations]
    _check_each_once(combinations, designs)
    drawn = [drawing.designs_of(design, execution.seed) for design in designs]
    with gather.gathering(execution, designs, drawing.work(replications, drawn[0])) as gatherer:
        seed, engine, level = gatherer.seed, gatherer.engine, gatherer.level
        results = gatherer.results(designs, range(replications))
        gathered = drawing.gathered_all(gatherer, drawn, range(replications))
        rows = tuple(
            Row(one, Study(design, seed, engine, level, measured, gather.requested(replications), draws=its))
            for one, design, measured, its in zip(combinations, designs, results, gathered, strict=True)
        )
        gatherer.finish(
            scenario,
            kind="sweep",
            over={key: list(ones) for key, ones in values.items()},
            replications=replications,
            designs=[design.digest for design in designs],
            **({"draws_of": [one and one.plan() for one in gathered]} if any(gathered) else {}),
        )
    return Sweep(scenario=scenario, over=values, replications=replications, rows=rows, **gatherer.made_with())


def _listed(key: str, ones: object) -> tuple[object, ...]:
    """Return the values of a key.

    Raises:
        PlanError: they are not a list, or there are no values or too many.
    """
    if isinstance(ones, str | bytes | Mapping) or not isinstance(ones, Iterable):
        raise PlanError(f"{key} needs a list of values, such as range(4, 21) or [{ones!r:.40}], not {ones!r:.40}")
    values = tuple(map(plain, itertools.islice(ones, gather.MOST_VALUES + 1)))
    if not 1 <= len(values) <= gather.MOST_VALUES:
        raise PlanError(f"{key} needs 1 to {gather.MOST_VALUES:,} values; give it {'fewer' if values else 'some'}")
    return values


def _check_each_once(combinations: Sequence[Mapping[str, object]], designs: Sequence[Scenario]) -> None:
    """Refuse a design that is listed twice: it would count twice, and a chart has one place for both."""
    seen: dict[str, Mapping[str, object]] = {}
    for one, design in zip(combinations, designs, strict=True):
        first = seen.setdefault(design.digest, one)
        if first is not one:
            same, again = (", ".join(f"{key} = {value}" for key, value in each.items()) for each in (first, one))
            also = "twice" if same == again else f"twice, the second time as {again}"
            raise PlanError(f"a sweep has each design once, and {same} is there {also}; list each value once")


_ENDS: Final = re.compile(
    r" *(?P<low>[0-9]+ ?[a-z]*) *(?:-|\u2013|\u2014|\u2026|\.{2,}|:|to|until) *(?P<high>[0-9]+ ?[a-z]*) *"
)
"""How people write a range otherwise: 2-8, 2...8, 2 to 8."""
MOST_DIGITS: Final = 100
"""Longer numbers stay texts: no key takes them, and Python reads at most some thousand digits."""
_NO_KEY: Final = 'a sweep needs a key and its values, such as {"lot.slots": range(4, 21)}'


def values_of(text: str) -> tuple[object, ...]:
    """Return the values that a text lists: "4..20" (both ends), "4..20:4" (every fourth), "60s,120s", or "[1, 2],3".

    Parts of a list are whole numbers where they are spelt so, and otherwise texts, which a scenario reads as
    ``with_values`` does; so is text in brackets (24 attendants by the hour, a law), commas and all. The ends of
    a range may be durations, then it counts in seconds.

    Raises:
        PlanError: the text is empty, not a range, or longer than ``MOST_VALUES``.

    >>> values_of("4..8"), values_of("60s..180s:60"), values_of("60s,2m"), values_of("6, 8..9")
    ((4, 5, 6, 7, 8), (60, 120, 180), ('60s', '2m'), (6, 8, 9))
    >>> values_of('[1, 2], 3')
    ('[1, 2]', 3)
    """
    values: list[object] = []
    for part in _parts(text):
        if not part:
            raise PlanError(f"{text!r}: a value is missing; write 4..20 or 60s,120s,180s")
        if ".." not in part and (meant := _meant(part)):
            raise PlanError(f"{part!r} is not a value; for a range write {meant}")
        further = range_of(part) if ".." in part and part[0] not in "[{" else [_whole(part)]
        values.extend(further[: gather.MOST_VALUES + 1])
        if len(values) > gather.MOST_VALUES:
            raise PlanError(f"{text!r} lists more than {gather.MOST_VALUES:,} values; take fewer")
    return tuple(values)


def _parts(text: str) -> list[str]:
    """Split a text at the commas outside brackets."""
    parts, depth = [""], 0
    for sign in text:
        depth += (sign in "[{") - (sign in "]}")
        if sign == "," and depth <= 0:
            parts.append("")
        else:
            parts[-1] += sign
    return [part.strip() for part in parts]


def range_of(text: str) -> range:
    """Return the range that a text writes: "4..20" (both ends), "4..20:4", "60s..300s:30" (in seconds).

    Raises:
        PlanError: the text is not a range, or an empty one.

    >>> range_of("4..20:4"), range_of("1m..5m:30")
    (range(4, 21, 4), range(60, 301, 30))
    """
    ends, _, step = text.partition(":")
    low, _, high = ends.partition("..")
    try:
        numbers = range(_second(low), _second(high) + 1, int(step) if step else 1)
    except (ValueError, UnfitError):
        raise PlanError(f"{text!r} is not a range; write {_meant(text) or '4..20, 4..20:2 or 60s..300s:30'}") from None
    if max(abs(numbers.start), abs(numbers.stop)) > LONGEST_S:
        raise PlanError(f"{text!r} goes beyond {LONGEST_S:,.0f}; write smaller ends, as 4..20")
    if not numbers or numbers.step < 1:
        raise PlanError(f"{text!r} is an empty range; write the smaller end first, as 4..20")
    return numbers


def _meant(text: str) -> str:
    """Return the range that a text probably means, with two dots; "" where it means none."""
    ends = _ENDS.fullmatch(text) if len(text) < MOST_DIGITS else None
    return "" if ends is None else f"{ends['low'].strip()}..{ends['high'].strip()}"


def _second(text: str) -> int:
    text = text.strip()
    seconds = int(text) if text.lstrip("+-").isdecimal() else duration_s(text)
    if seconds != round(seconds):
        raise ArgumentError(text)
    return round(seconds)


def _whole(text: str) -> object:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < MOST_DIGITS else text
