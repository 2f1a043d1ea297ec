"""What the charts show, as plain rows: pictures, CSV and Markdown are made from the same ones.

A ``Figure`` is a small table with a name and a title. Points and intervals are those of the study, moved into the range
of possible values (Student's interval of a mean may end below 0; a lot has no fewer than 0 busy slots). What is
undefined is not in the rows, or None where its place matters.
"""

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from parksim import theory
from parksim.catalogue import BY_NAME, SCALARS, SECTIONS, SHARES
from parksim.errors import PlanError
from parksim.journal.journal import stays_of
from parksim.reports.words import (
    bounds_of,
    clipped,
    is_seconds,
    key_words,
    number_of,
    unit_of,
    value_words,
    words_of,
)
from parksim.results import rows_to_csv
from parksim.rules import codes
from parksim.rules.lot import Fact
from parksim.scenario.messages import nearest
from parksim.scenario.quantities import HOURS
from parksim.stats.estimate import Estimate
from parksim.studies.advise import Advice
from parksim.studies.compare import Comparison
from parksim.studies.replication import Run
from parksim.studies.sensitivity import Effect, Sensitivity, Side
from parksim.studies.solve import Solution
from parksim.studies.study import Study
from parksim.studies.sweep import Row, Sweep

BY_HOUR: Final = (
    *("occupancy_mean", "refused_share", "expired_share", "recalls_per_hour", "parks_requested"),
    *("answered_within_share", "attendant_utilisation"),
)
"""Measures that there are by hour of day."""
SHOWN_SERIES: Final = 5
"""This many curves can be told apart at a glance."""
SHARES_SHOWN: Final = ("refused_share", "expired_share")
MOST_BARS: Final = 25
MOST_SLOTS_SHOWN: Final = 60
_NICE: Final = (1, 2, 5, 10, 15, 20, 30, 60)


@dataclass(frozen=True)
class Figure:
    """The rows of one chart.

    Attributes:
        name: Of the chart.
        title: What is shown, of what.
        rows: One a mark, each with the same keys.
        facts: What else the chart says: the number of slots, targets, axis titles.
    """

    name: str
    title: str
    rows: tuple[dict[str, Any], ...]
    facts: Mapping[str, Any] = field(default_factory=dict)

    def to_csv(self) -> str:
        """Return the rows as CSV (see ``results.rows_to_csv``)."""
        return rows_to_csv(self.rows)


def _interval(estimate: Estimate, bounds: tuple[float, float]) -> dict[str, float | None]:
    return {name: clipped(getattr(estimate, name), bounds) for name in ("mean", "low", "high")}


def by_hour(study: Study, measure: str = "occupancy_mean") -> Figure:
    """Return a measure over the hours of the day: its mean, the mean's interval, and what 90 % of replications had.

    Rows: hour (0 to 23), mean, low, high, p05, p95 (of the replications; None where fewer than two have the hour),
    formula (None where none holds). Hours without a value are left out.

    Raises:
        PlanError: no measure by hour of day; the message names those there are.
    """
    measure = one_of(measure, BY_HOUR, "measure by hour of day")
    slots = sum(study.scenario.settings.slots)
    name, bounds = f"{measure}_by_hour", bounds_of(measure, slots)
    formula = study.formulas[name].value
    rows = []
    for hour in range(HOURS):
        estimate = study.estimate(name, hour)
        if estimate.mean is None:
            continue
        p05, p95 = _middle([result[name][hour] for result in study.results])
        of_theory = formula[hour] if isinstance(formula, tuple) else None
        rows.append({"hour": hour} | _interval(estimate, bounds) | {"p05": p05, "p95": p95, "formula": of_theory})
    facts = {"measure": measure, "slots": slots, "level": study.level, "replications": len(study.results)}
    return Figure("occupancy" if measure == "occupancy_mean" else "by_hour", study.scenario.name, tuple(rows), facts)


def _middle(values: Iterable[float]) -> tuple[float | None, float | None]:
    """Return the least and the greatest of the middle 90 % of some values; None for fewer than two."""
    known = sorted(value for value in values if not math.isnan(value))
    if len(known) < 2:
        return None, None
    cut = len(known) // 20
    return known[cut], known[-1 - cut]


def busy_slots(study: Study) -> Figure:
    """Return the share of time by number of busy slots.

    Rows: busy (0 to the slots), mean, low, high, formula. In a large lot those that no replication came near are left
    out, but for the last one.
    """
    slots, formula = sum(study.scenario.settings.slots), study.formulas["occupancy_pmf"].value
    seen = max((n for result in study.results for n, share in enumerate(result["occupancy_pmf"]) if share), default=0)
    shown = [n for n in range(slots + 1) if slots <= MOST_BARS or n <= seen + 1 or n == slots]
    rows = tuple(
        {"busy": n}
        | _interval(study.estimate("occupancy_pmf", n), (0.0, 1.0))
        | {"formula": formula[n] if isinstance(formula, tuple) else None}
        for n in shown
    )
    facts = {"slots": slots, "level": study.level, "law": study.formulas["occupancy_pmf"].reason}
    return Figure("busy_slots", study.scenario.name, rows, facts)


# Sweeps ---------------------------------------------------------------------------------------------------------------


def axis_of(sweep: Sweep, key: str) -> str:
    """Return the title of a key's axis, with its unit where its values are durations: written so, or known to be."""
    values = sweep.over[key]
    if not all(number_of(value) is not None for value in values):
        return key_words(key)
    written_so = any(isinstance(value, str) and not _plain_number(value) for value in values)
    return f"{key_words(key)}, s" if written_so or is_seconds(key) else key_words(key)


def _plain_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def answer_of(sweep: Sweep) -> Row | None:
    """Return the first design that meets all objectives; None when none does, or there are no objectives."""
    if not sweep.scenario.objectives:
        return None
    return next((row for row in sweep.rows if row.study.verdict == "met"), None)


def shares(
    sweep: Sweep,
    over: str | None = None,
    measures: Sequence[str] = SHARES_SHOWN,
    series: Sequence[object] | None = None,
) -> Figure:
    """Return measures against one swept key, a curve for each combination of the other keys' values.

    Args:
        sweep: the designs.
        over: the key on the axis; by default the first.
        measures: which, all of them shares.
        series: values of the other key that get a curve; by default all, or the five about the answer.

    Rows: measure, value (of the key as it was given), x (as a number, None for words), series, segment (a curve's
    unbroken part), mean, low, high, erlang (Erlang B for the refused share, None elsewhere), erlang_exact.

    Raises:
        PlanError: a key, measure or value that the sweep does not have.
    """
    key = one_of(over, tuple(sweep.over), "key of this sweep") if over is not None else next(iter(sweep.over))
    others = [other for other in sweep.over if other != key]
    groups = _groups(sweep, others, series)
    ordered = sorted(sweep.over[key], key=lambda value: (number_of(value) is None, number_of(value) or 0.0))
    rows = []
    for measure in measures:
        one_of(measure, tuple(name for name in SCALARS if name in SHARES), "share")
        for words, chosen in groups.items():
            of_curve = [row for row in sweep.rows if _matches(row, chosen)]
            rows += _curve(measure, words, [(value, having(of_curve, key, value)) for value in ordered])
    targets = {o.measure: o.value for o in sweep.scenario.objectives if o.measure in measures}
    facts: dict[str, Any] = {"key": key, "axis": axis_of(sweep, key), "others": others, "measures": tuple(measures)}
    facts |= {"targets": targets, "level": sweep.level, "series": list(groups)}
    return Figure("shares", sweep.scenario.name, tuple(rows), facts)


def _curve(measure: str, series: str, designs: Sequence[tuple[object, Row]]) -> list[dict[str, Any]]:
    rows, segment = [], 0
    for value, row in designs:
        estimate = row.study.judged(measure)
        erlang, exact = _erlang(row.study) if measure == "refused_share" else (None, False)
        rows.append(
            {"measure": measure, "value": value, "x": number_of(value), "series": series, "segment": segment}
            | _interval(estimate, (0.0, 1.0))
            | {"erlang": erlang, "erlang_exact": exact}
        )
        segment += estimate.mean is None
    return rows


def _erlang(study: Study) -> tuple[float | None, bool]:
    """Return Erlang B of a design, and whether it is exact: else it is that of the load which was measured."""
    formula = study.formulas["refused_share"].value
    if isinstance(formula, float):
        return formula, True
    load = study.estimate("offered_erlang").mean
    if load is None or len(study.scenario.lots) > 1:
        return None, False
    return theory.erlang_b(study.scenario.lots[0].slots, load), False


def having(rows: Iterable[Row], key: str, value: object) -> Row:
    """Return the first of some designs whose key has a value (which may be a list, as a roster is)."""
    return next(row for row in rows if row.values[key] == value)


def _matches(row: Row, chosen: Mapping[str, object]) -> bool:
    return all(row.values[key] == value for key, value in chosen.items())


def _groups(sweep: Sweep, others: Sequence[str], series: Sequence[object] | None) -> dict[str, dict[str, object]]:
    """Return the combinations of the other keys' values that get a curve, by their words."""
    every = [tuple(row.values[key] for key in others) for row in sweep.rows]
    combinations = list({str(one): one for one in every}.values())
    if series is not None:
        wanted = [str(value) for value in series]
        combinations = [one for one in combinations if any(str(value) in wanted for value in one)]
        if not combinations:
            raise PlanError(f"no {' or '.join(others) or 'other key'} of this sweep has a value of {', '.join(wanted)}")
    elif len(combinations) > SHOWN_SERIES:
        answer = answer_of(sweep)
        at = 0 if answer is None else combinations.index(tuple(answer.values[key] for key in others))
        first = max(0, min(at - 1, len(combinations) - SHOWN_SERIES))
        combinations = combinations[first : first + SHOWN_SERIES]
    chosen = [dict(zip(others, one, strict=True)) for one in combinations]
    return {", ".join(f"{key_words(key)}: {value}" for key, value in one.items()): one for one in chosen}


def heat_map(sweep: Sweep, measures: Sequence[str] | None = None, x: str | None = None, y: str | None = None) -> Figure:
    """Return measures over two swept keys, and which designs meet the objectives.

    Args:
        sweep: the designs.
        measures: by default those of the objectives, and without objectives the refused share.
        x: the key to the right; by default the first.
        y: the key upwards; by default the next. Keys beyond two stay at the answer's value, or at their first.

    Rows: measure, column and line (places on the axes, from 0), x and y (values as given; y is empty for one key),
    mean, low, high, verdict (of the measure's objective; empty without one), all (of all objectives together).

    Raises:
        PlanError: a measure or a key that there is not, or one key for both axes.
    """
    keys, answer = tuple(sweep.over), answer_of(sweep)
    x = one_of(x, keys, "key of this sweep") if x is not None else next((key for key in keys if key != y), keys[0])
    y = one_of(y, keys, "key of this sweep") if y is not None else next((key for key in keys if key != x), None)
    if x == y:
        raise PlanError(f"a heat map has two axes, and both are {x}; name another key")
    fixed = {key: answer.values[key] if answer else sweep.over[key][0] for key in keys if key not in (x, y)}
    objectives = {o.measure: o for o in sweep.scenario.objectives}
    chosen = tuple(measures) if measures is not None else tuple(objectives) or ("refused_share",)
    columns, lines = sweep.over[x], sweep.over[y] if y else ("",)
    rows = []
    for measure in (one_of(name, SCALARS, "measure") for name in chosen):
        bounds = bounds_of(measure, 10**9)
        for row in (row for row in sweep.rows if _matches(row, fixed)):
            verdicts = {one.objective.measure: one.verdict for one in row.study.objectives}
            x_value, y_value = row.values[x], row.values[y] if y else ""
            place = {"column": columns.index(x_value), "line": lines.index(y_value), "x": x_value, "y": y_value}
            all_of = row.study.verdict if objectives else ""
            of_row = {"verdict": verdicts.get(measure, ""), "all": all_of}
            rows.append({"measure": measure} | place | _interval(row.study.judged(measure), bounds) | of_row)
    facts: dict[str, Any] = {"x": x, "y": y or "", "fixed": fixed}
    facts |= {"columns": columns, "lines": lines, "measures": chosen, "level": sweep.level}
    facts |= {"targets": {name: (o.relation, o.value, o.text) for name, o in objectives.items()}}
    return Figure("heat_map", sweep.scenario.name, tuple(rows), facts)


def frontier(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, float]]:
    """Return the edges around the designs that meet all objectives, in the places of a heat map's axes.

    Rows: x, x2, y, y2. An edge lies between a design that meets them and one that does not, or the end of the map.
    """
    met = {(row["column"], row["line"]) for row in rows if row["all"] == "met"}
    edges = []
    for column, line in sorted(met):
        for dx, dy in ((-1, 0), (1, 0), (0, -1), (0, 1)):
            if (column + dx, line + dy) not in met:
                x, y, half_x, half_y = column + dx / 2, line + dy / 2, abs(dy) / 2, abs(dx) / 2
                edges.append({"x": x - half_x, "x2": x + half_x, "y": y - half_y, "y2": y + half_y})
    return edges


def cell_text(measure: str, row: Mapping[str, Any], *, short: bool = False) -> str:
    """Return what a cell of a heat map says: the value without its unit.

    A question mark says that the objective is undecided. What rounds to nothing (or to all) is told by a bound: nothing
    seen is never nothing. ``short`` leaves out the decimal of larger values.
    """
    if row["mean"] is None:
        return "-"
    factor = 100 if measure in SHARES else 1
    value, high = factor * row["mean"], factor * (row["mean"] if row["high"] is None else row["high"])
    decimals = 0 if value >= 99.95 or (short and value >= 9.95) else 1
    text = f"{value:.{decimals}f}"
    if float(text) == 0:
        text = f"<{max(0.1, math.ceil(10 * high) / 10):.1f}"
    elif measure in SHARES and float(text) == 100:
        low = 100 * (row["mean"] if row["low"] is None else row["low"])
        text = f">{min(99.9, math.floor(10 * low) / 10):.1f}"
    return f"{text}?" if row["verdict"] == "undecided" else text


# Other plans ----------------------------------------------------------------------------------------------------------


def tried(solution: Solution) -> Figure:
    """Return the objectives' measures at each value that a search tried.

    Rows: measure, value (a number; durations in seconds), mean, low, high, verdict (of the objective), replications.
    """
    rows = [
        {"measure": one.objective.measure, "value": step.value}
        | _interval(step.study.judged(one.objective.measure), bounds_of(one.objective.measure, 10**9))
        | {"verdict": one.verdict, "replications": len(step.study.results)}
        for step in sorted(solution.trail, key=lambda step: step.value)
        for one in step.objectives
    ]
    facts = {
        "key": solution.key,
        "targets": {one.measure: (one.relation, one.value) for one in solution.scenario.objectives},
        "level": solution.trail[0].study.level,
    }
    return Figure("tried", solution.scenario.name, tuple(rows), facts)


def differences(comparison: Comparison) -> Figure:
    """Return what changes from a to b: the shares and times whose difference has an interval.

    Rows: measure, unit ("percentage points" or "s"), mean, low, high (in that unit), change ("better", "worse",
    "differs", or "unclear" where the interval holds 0).
    """
    relations = {one.measure: one.relation for side in (comparison.a, comparison.b) for one in side.scenario.objectives}
    rows = []
    for name in (name for names in SECTIONS.values() for name in names):
        one, unit = comparison.differences[name], "percentage points" if name in SHARES else unit_of(name)
        if one.low is not None and one.high is not None and unit in ("percentage points", "s"):
            scale = 100.0 if name in SHARES else 1.0
            ends = {end: _scaled(getattr(one, end), scale) for end in ("mean", "low", "high")}
            change = BY_NAME[name].change(one.low, one.high, relations.get(name, ""))
            rows.append({"measure": name, "unit": unit} | ends | {"change": change})
    facts = {"level": comparison.a.level, "paired": comparison.paired}
    return Figure("differences", comparison.scenario.name, tuple(rows), facts)


def advised(advice: Advice) -> Figure:
    """Return the objectives' measures as they are and after each change that was found, from the confirming runs.

    Rows: measure, design (in words; "as it is" comes first), mean, low, high, verdict (of the objective).
    """
    designs = {"as it is": advice.base}
    designs |= {words_of(one.values): one.study for one in (*advice.changes, *advice.pairs, *advice.spare)}
    rows = [
        {"measure": one.objective.measure, "design": words}
        | _interval(study.judged(one.objective.measure), bounds_of(one.objective.measure, 10**9))
        | {"verdict": one.verdict}
        for words, study in designs.items()
        for one in study.objectives
    ]
    targets = {one.measure: (one.text, one.value) for one in advice.scenario.objectives}
    return Figure("advised", advice.scenario.name, tuple(rows), {"targets": targets, "level": advice.level})


def _scaled(value: float | None, scale: float) -> float | None:
    return None if value is None else scale * value


def tornado(sensitivity: Sensitivity, measures: Sequence[str] | None = None) -> Figure:
    """Return what each guess moves of the objectives' measures: down and up, the most first.

    Args:
        sensitivity: the guesses, moved.
        measures: some of those it looked at; by default all, those that matter first.

    Rows: measure, key, side ("lower" or "higher" than the value), value (as moved, in words), mean, low, high (of the
    change: percentage points for shares). A guess that moves a measure no more than noise has no row of it, and stands
    under ``idle`` in the facts.

    Raises:
        PlanError: a measure that was not looked at.
    """
    known = tuple(dict.fromkeys((*sensitivity.asked, *sensitivity.measures)))
    chosen = known if measures is None else tuple(one_of(name, known, "measure of this result") for name in measures)
    rows, idle = [], {}
    for name in chosen:
        scale = 100.0 if name in SHARES else 1.0
        moving = [one for one in sensitivity.effects if one.moves(name)]
        idle[name] = tuple(one.key for one in sensitivity.effects if not one.moves(name))
        for effect in sorted(moving, key=lambda one: -one.size(name)):
            for side in effect.sides:
                ends = {end: _scaled(getattr(side.changes[name], end), scale) for end in ("mean", "low", "high")}
                place = {"measure": name, "key": effect.key, "side": _side(effect, side)}
                rows.append(place | {"value": value_words(effect.key, side.value)} | ends)
    facts = {"measures": chosen, "idle": idle, "level": sensitivity.base.level}
    facts |= {"replications": len(sensitivity.base.results)}
    return Figure("tornado", sensitivity.scenario.name, tuple(rows), facts)


def _side(effect: Effect, side: Side) -> str:
    return "lower" if _total(side.value) < _total(effect.value) else "higher"


def _total(value: object) -> float:
    """Return the sum of the numbers in a value, which is less where all of them are scaled down."""
    if isinstance(value, Mapping):
        return sum(map(_total, value.values()))
    if isinstance(value, list | tuple):
        return sum(map(_total, value))
    return number_of(str(value).partition("/")[0]) or 0.0


# One replication ------------------------------------------------------------------------------------------------------


_Stays = Sequence[tuple[Fact, Fact | None]]
_OUTCOMES: Final = {codes.RETRIEVED: "retrieved", codes.EXPIRED: "expired", codes.ABANDONED: "abandoned"}


def time_parked(run: Run) -> Figure:
    """Return how long the counted calls of a run were parked, by how the stay ended.

    Rows: outcome, from_s (exclusive, but for 0), to_s, parks. A bin ends with its last instant, so that stays of
    exactly maxInParking stand before it.
    """
    offered = (fact for fact in run.journal.facts() if fact.kind == codes.OFFERED)
    first_us, end_us = run.scenario.warm_up_us, run.scenario.horizon_us
    calls = {fact.call for fact in offered if first_us <= fact.time_us < end_us}
    stays = [(parked, ended) for parked, ended in stays_of(run.journal.facts()) if ended and parked.call in calls]
    lengths_s = [(ended.time_us - parked.time_us) / 1e6 for parked, ended in stays]
    outcomes = [_OUTCOMES[ended.kind] for _, ended in stays]
    width_s = _nice_width(max(lengths_s, default=0.0))
    bins = (max(0, math.ceil(length_s / width_s) - 1) for length_s in lengths_s)
    counts = Counter(zip(outcomes, bins, strict=True))
    rows: tuple[dict[str, Any], ...] = tuple(
        {"outcome": outcome, "from_s": n * width_s, "to_s": (n + 1) * width_s, "parks": counts[outcome, n]}
        for outcome in _OUTCOMES.values()
        for n in sorted(place for of, place in counts if of == outcome)
    )
    totals = {outcome: outcomes.count(outcome) for outcome in sorted(set(outcomes))}
    facts: dict[str, Any] = {"width_s": width_s, "parks": len(stays), "totals": totals}
    facts |= {"replication": run.replication, "seed": run.seed}
    return Figure("time_parked", run.scenario.name, rows, facts)


def _nice_width(longest_s: float) -> float:
    """Return the width of a bin: a round number of seconds that makes at most ``MOST_BARS`` of them.

    >>> _nice_width(180.0), _nice_width(45.0), _nice_width(0.0)
    (10, 2, 1)
    """
    scales: Iterator[int] = (60**power for power in itertools.count())
    return next(nice * scale for scale in scales for nice in _NICE if longest_s <= nice * scale * MOST_BARS)


def timeline(run: Run, from_s: float | None = None, to_s: float | None = None) -> Figure:
    """Return the stays in the lot between two instants, and the parks that were refused.

    Args:
        run: one replication.
        from_s: seconds from its start; by default those of its busiest hour.
        to_s: likewise; by default an hour later.

    Rows: lot, slot (its label), call, from_s, until_s, cut (whether the stay lasts beyond the window), outcome
    ("refused" for a park that found no slot: its slot is empty and both instants are equal).

    Raises:
        PlanError: the window is empty or lies outside the run.
    """
    stays = stays_of(run.journal.facts())
    first_s, last_s = _window_of(run, stays, from_s, to_s)
    lots, rows = run.scenario.lots, []
    names = run.scenario.lot_names
    for parked, ended in stays:
        begun_s, until_s = parked.time_us / 1e6, ended.time_us / 1e6 if ended else last_s
        if begun_s < last_s and until_s > first_s:
            inside = {"from_s": max(first_s, begun_s), "until_s": min(last_s, until_s)}
            slot = lots[parked.lot].first + parked.slot
            ends = {"cut": until_s > last_s or not ended, "outcome": _OUTCOMES[ended.kind] if ended else "parked"}
            rows.append({"lot": names[parked.lot], "slot": slot, "call": parked.call} | inside | ends)
    journal = run.journal
    refused = (journal.kind == codes.REFUSED) & (journal.reason == codes.LOT_FULL)
    for row in np.flatnonzero(refused).tolist():
        at_s = int(journal.time_us[row]) / 1e6
        if first_s <= at_s <= last_s:
            place = {"lot": names[int(journal.lot[row])], "slot": None, "call": int(journal.call[row])}
            rows.append(place | {"from_s": at_s, "until_s": at_s, "cut": False, "outcome": "refused"})
    slots = [(name, lot.first + n) for name, lot in zip(names, lots, strict=True) for n in range(lot.slots)]
    facts = {"from_s": first_s, "to_s": last_s, "slots": slots, "replication": run.replication, "seed": run.seed}
    return Figure("timeline", run.scenario.name, tuple(rows), facts)


def _window_of(run: Run, stays: _Stays, from_s: float | None, to_s: float | None) -> tuple[float, float]:
    end_s = max(run.scenario.horizon_us, *(ended.time_us for _, ended in stays if ended), 0) / 1e6
    if from_s is None:
        begins_s = [parked.time_us / 1e6 for parked, _ in stays if parked.time_us < run.scenario.horizon_us]
        by_hour_of_run = np.bincount(np.array(begins_s, np.int64) // 3_600) if begins_s else np.zeros(1)
        from_s = 3_600.0 * int(np.argmax(by_hour_of_run)) if to_s is None else max(0.0, to_s - 3_600)
    to_s = min(end_s, from_s + 3_600) if to_s is None else to_s
    if not 0 <= from_s < to_s or from_s >= end_s:
        raise PlanError(f"the run lasts from 0 to {end_s:g} s; from {from_s:g} to {to_s:g} s is no part of it")
    return from_s, to_s


# What is asked for ----------------------------------------------------------------------------------------------------


def one_of(word: str, words: Sequence[str], what: str) -> str:
    """Return a word that is among some, or say which one may have been meant.

    Raises:
        PlanError: it is not among them; the message has the nearest one and the others.

    >>> one_of("ocupancy", ("occupancy", "busy_slots"), "chart of a study")
    Traceback (most recent call last):
    parksim.errors.PlanError: there is no chart of a study 'ocupancy': did you mean "occupancy"? There are: occupancy, \
busy_slots
    """
    if word in words:
        return word
    near = nearest(str(word), words)
    hint = f': did you mean "{near}"?' if near else "."
    raise PlanError(
        f"there is no {what} {str(word)[:64]!r}{hint} There are{': ' if words else ' none'}{', '.join(words)}"
    )
