"""What a report says of a study or a sweep: question, answer, verdicts, charts with their findings, tables.

A ``Story`` says it once, as plain texts and rows; ``html`` and ``markdown`` lay it out. ``stories`` has those of
the other plans, and the way in.
"""

import math
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from parksim.catalogue import OF_LOTS, SCALARS, SHARES, sections_with
from parksim.errors import PlanError, UnfitError
from parksim.reports import figures
from parksim.reports.answer import MOST_ALIKE, WORST_FIRST, busiest_hours, found, headline_of, mended
from parksim.reports.figures import Figure, answer_of, having
from parksim.reports.screen import intervals_in_words, shown, shown_unknown, slots_in_words, unknown_words
from parksim.reports.words import (
    OUTCOMES,
    clock,
    key_words,
    label_of,
    number_of,
    span,
    unit_of,
    value_words,
    words_of,
    written,
)
from parksim.results import rows_to_csv
from parksim.scenario.comments import needs_files, to_toml
from parksim.scenario.model import Scenario
from parksim.scenario.objectives import Objective
from parksim.stats.estimate import Estimate
from parksim.studies.compare import compare_results
from parksim.studies.gather import DEFAULT_LEVEL
from parksim.studies.replication import Run, run, versions
from parksim.studies.search import replications_needed
from parksim.studies.study import Study
from parksim.studies.sweep import Row, Sweep

SCENARIO_FILE: Final = "scenario.toml"
"""What the report's copy of the scenario is called, in its commands too."""
MOST_CALLS_AGAIN: Final = 100_000
"""A replication of more calls is not made again for its pictures: that would take seconds."""
MOST_DESIGNS: Final = 1_000
"""Rows of a table of designs; the file beside it has all of them."""


class Mark(NamedTuple):
    """A cell that stands out: a verdict ("met", "missed", "undecided") or a "guess"."""

    kind: str

    def __str__(self) -> str:
        return self.kind


Cell = str | Mark


class Sheet(NamedTuple):
    """A table of texts; ``numbers`` are the columns set to the right."""

    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numbers: tuple[int, ...] = ()


class Chart(NamedTuple):
    """A chart and what it shows; without ``figure`` there is no chart, and ``finding`` says why."""

    heading: str
    finding: str
    reading: str
    figure: Figure | None


class Section(NamedTuple):
    """A heading and the tables under it."""

    heading: str
    sheets: tuple[Sheet, ...]


class Command(NamedTuple):
    """What to type, and what that does."""

    what: str
    text: str


@dataclass(frozen=True)
class Story:
    """Everything a report says, as texts; nothing in it is markup.

    Attributes:
        title: The scenario's name.
        kind: What was done: "30 replications of one design", "68 designs, 30 replications of each".
        asked: The question in the scenario file's own words; empty when it has none.
        question: What the result answers, in one sentence.
        verdict: Of all objectives together; empty without objectives.
        headline: The answer in a sentence.
        objectives: Verdicts, a row each; None without objectives.
        details: What stands behind the answer, a sentence each.
        choices: Of a sweep, the first value that meets all objectives for each of the others; None where no value does.
        charts: In the order of the page.
        tables: Further ones.
        footnotes: What "[1]", "[2]", ... in the tables stand for.
        assumptions: Each value of the scenario, with its note and whether it is a guess; None without values.
        sources: What the scenario file says at its head.
        made: How it was made: what, and which.
        commands: To make it again.
        files: What can be taken out of the report: texts by file name.
        sections: Tables with headings of their own, between the charts and the further tables.
    """

    title: str
    kind: str
    asked: str
    question: str
    verdict: str
    headline: str
    objectives: Sheet | None
    details: tuple[str, ...]
    choices: Sheet | None
    charts: tuple[Chart, ...]
    tables: tuple[Sheet, ...]
    footnotes: tuple[str, ...]
    assumptions: Sheet | None
    sources: tuple[str, ...]
    made: tuple[tuple[str, str], ...]
    commands: tuple[Command, ...]
    files: Mapping[str, str]
    sections: tuple[Section, ...] = ()

    @property
    def guesses(self) -> int:
        """How many of the assumptions are guesses."""
        return sum(isinstance(row[-1], Mark) for row in self.assumptions.rows) if self.assumptions is not None else 0

    @property
    def warning(self) -> str:
        """What the guesses mean for the answer; empty without any."""
        number = f"{self.guesses} values" if self.guesses > 1 else "One value"
        told = f"{number} of the scenario are marked as guesses in its file: the answer is as good as they are."
        return told if self.guesses else ""


# A study --------------------------------------------------------------------------------------------------------------


def of_study(study: Study, source: str) -> Story:
    """Return what a report of a study says; ``source`` is the name of its store, empty when it has none."""
    scenario = study.scenario
    headline, details = _study_answer(study)
    tables, footnotes = _measures(study)
    design, number = design_of(scenario), len(study.results)
    how_many = ["--replications", str(number)]
    if study.precision is not None:
        how_many = ["--precision", f"{study.precision * 100:.12g}%"]
    measures = ({"measure": name} | study.estimate(name).as_dict() | study.formulas[name].at(None) for name in SCALARS)
    aims = "its objective" if len(study.objectives) == 1 else f"all {len(study.objectives)} objectives"
    return Story(
        title=scenario.name,
        kind=f"{number} replications of one design" if number != 1 else "one replication of one design",
        asked=scenario.notes.question,
        question=f"Does a switchboard with {design} meet {aims}?"
        if study.objectives
        else f"How does a switchboard with {design} do?",
        verdict=study.verdict if study.objectives else "",
        headline=headline,
        details=details,
        objectives=objectives_of(study),
        choices=None,
        charts=(_occupancy_chart(study), _busy_chart(study), *_replication_charts(study)),
        tables=(*tables, *_lots(study)),
        footnotes=footnotes,
        assumptions=assumptions(scenario, {}),
        sources=scenario.notes.head,
        made=made(study, f"{number:,}: {study.stopped}" if study.precision is not None else f"{number:,}"),
        commands=commands(study, source, ["run", SCENARIO_FILE, *how_many]),
        files=scenario_file(scenario) | {"measures.csv": rows_to_csv(measures)},
    )


def design_of(scenario: Scenario) -> str:
    """Return what is sized, in words: "4 slots, a time-out of 180 s and 3 attendants"."""
    words = [slots_in_words(scenario)]
    limits = {lot.max_in_parking for lot in scenario.lots}
    limit = limits.pop() if len(limits) == 1 else None
    if limit is not None and limit.kind == "constant":
        words.append(words_of({"lot.max_in_parking": limit.mean_s}))
    words.append(scenario.attendants.in_words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _study_answer(study: Study) -> tuple[str, tuple[str, ...]]:
    """Return the verdict, and what stands behind it, in the order of the screen."""
    details = found(study)
    if not study.objectives:
        shares = ("refused_share", "expired_share", "occupancy_mean")
        details += [f"{capital(label_of(name))}: {measured(study, name)}." for name in shares]
        return "The scenario sets no objective.", (*details, *_guesses(study))
    unclear = [one for one in study.objectives if one.verdict == "undecided"]
    if unclear:
        number_needed = replications_needed(study, unclear)
        would = "no number of replications" if number_needed is None else f"some {number_needed:,} replications"
        details.append(f"{capital(would)} would probably decide what is undecided.")
    return headline_of(study), (*details, *mended(study, SCENARIO_FILE), *_guesses(study))


def _guesses(study: Study) -> list[str]:
    many = len(study.scenario.guesses) > 1
    return [f"Which of the guesses matter? Try: parksim sensitivity {SCENARIO_FILE}"] if many else []


def objectives_of(study: Study) -> Sheet | None:
    """Return the verdicts on a study's objectives, the missed ones first; None without objectives."""
    if not study.objectives:
        return None
    rows: list[tuple[Cell, ...]] = []
    for one in sorted(study.objectives, key=lambda one: WORST_FIRST[one.verdict]):
        name = one.objective.measure
        intervals = (*shown(name, study.estimate(name)), *shown_unknown(study, name))
        rows.append((named(name), one.objective.text, *intervals, Mark(one.verdict)))
    intervals_of = [words.replace("\n", " ") for words in intervals_in_words(study)]
    return Sheet("The objectives", ("Objective", "Target", "Estimate", *intervals_of, "Verdict"), tuple(rows), (2,))


def named(name: str) -> str:
    """Return what a measure is called in a table, with its unit."""
    unit = unit_of(name)
    words = label_of(name) if not unit or name in SHARES or unit == "1/h" else f"{label_of(name)}, {unit}"
    return capital(words)


def _measures(study: Study) -> tuple[list[Sheet], tuple[str, ...]]:
    """Return the tables of all measures, and their footnotes: which formula a value is, why there is no estimate.

    A table in which no formula holds has no column for it.
    """
    notes: dict[str, int] = {}
    sheets = []

    def noted(text: str, why: str) -> str:
        return f"{text} [{notes.setdefault(why, len(notes) + 1)}]"

    for section, names in sections_with(study.scenario.measures_of_ways).items():
        rows: list[tuple[str, ...]] = []
        for name in names:
            estimate, formula = study.estimate(name), study.formulas[name]
            point, interval = shown(name, estimate)
            value = formula.at(None)["formula"]
            theory = ""
            if isinstance(value, int | float) and estimate.mean is not None:
                theory = noted(written(name, float(value)), formula.reason)
            interval = noted(interval, estimate.reason) if estimate.mean is None and estimate.reason else interval
            rows.append((named(name), point, interval, theory))
        headings = ("Measure", "Estimate", f"{study.level * 100:.4g} % interval", "By formula")
        columns = 4 if any(row[3] for row in rows) else 3
        sheets.append(Sheet(section, headings[:columns], tuple(row[:columns] for row in rows), (1,)))
    return sheets, tuple(notes)


def _lots(study: Study) -> Iterable[Sheet]:
    lots = study.scenario.lots
    if len(lots) == 1:
        return
    headings = ("Lot", "Slots", *(capital(label_of(name)) for name in OF_LOTS))
    by_lot = [f"{name}_by_lot" for name in OF_LOTS]
    rows = tuple(
        (name, f"{lot.slots}", *(with_interval(whole, study.estimate(whole, n)) for whole in by_lot))
        for n, (name, lot) in enumerate(zip(study.scenario.lot_names, lots, strict=True))
    )
    yield Sheet("Lot by lot", headings, rows, (1,))


# The charts of a study ------------------------------------------------------------------------------------------------


def _occupancy_chart(study: Study) -> Chart:
    figure = figures.by_hour(study)
    if not figure.rows:
        return Chart("How full the lot is over the day", "No hour of day was measured.", "", None)
    slots, hours = figure.facts["slots"], busiest_hours(study, "occupancy_mean")
    if len(hours) > MOST_ALIKE:
        point = with_interval("occupancy_mean", study.estimate("occupancy_mean"))
        finding = f"No hour is the busiest beyond noise: {point} of {slots} slots, on average."
    else:
        hour, others = hours[0], f" ({len(hours) - 1} more are not told apart from it)" if len(hours) > 1 else ""
        point = with_interval("occupancy_mean", study.estimate("occupancy_mean_by_hour", hour))
        finding = f"Busiest from {hour:02d} to {hour + 1:02d} h{others}: {point} of {slots} slots, on average."
    reading = f"Line: mean of the hour. Darker band: its {100 * study.level:g} % interval. "
    reading += "Paler band: the middle 90 % of replications."
    return Chart("How full the lot is over the day", finding, reading, figure)


def _busy_chart(study: Study) -> Chart:
    figure = figures.busy_slots(study)
    idle = with_interval("time_full_share", study.estimate("occupancy_pmf", 0))
    full = measured(study, "time_full_share")
    finding = f"Nobody is parked in {idle} of the time; every slot is busy in {full} of it."
    reading = f"Upright lines: {100 * study.level:g} % intervals."
    if any(row["formula"] is not None for row in figure.rows):
        reading += f" Diamonds: the formula ({figure.facts['law']})."
    return Chart("How often how many slots are busy", finding, reading, figure)


def _replication_charts(study: Study) -> list[Chart]:
    again = run_again(study)
    if isinstance(again, str):
        return [Chart("One day, call by call", f"Not drawn: {again}.", "", None)]
    return [_timeline_chart(figures.timeline(again)), _time_parked_chart(figures.time_parked(again))]


def run_again(study: Study) -> Run | str:
    """Return replication 0 of a study, simulated again for its pictures, or why it is not drawn."""
    try:
        if study.scenario.expected_calls > MOST_CALLS_AGAIN:
            return f"a replication has more than {MOST_CALLS_AGAIN:,} calls"
        again = run(study.scenario, study.seed, 0, "simpy")  # whose journal is the kernel's, byte for byte
    except UnfitError as error:
        return f"the calls cannot be drawn again, {error.rule}"
    then = study.results[0]
    if any(again.measures[name] != then[name] and not math.isnan(then[name]) for name in SCALARS):
        return "another version of parksim made this result, and this one simulates replication 0 differently"
    return again


def _timeline_chart(figure: Figure) -> Chart:
    refused = sum(row["outcome"] == "refused" for row in figure.rows)
    bars = len(figure.rows) - refused
    from_h, to_h = (clock(figure.facts[name]) for name in ("from_s", "to_s"))
    day = f"day {int(figure.facts['from_s'] // 86_400) + 1}, " if figure.facts["from_s"] >= 86_400 else ""
    calls = f"{bars} calls in the lot" if bars != 1 else "one call in the lot"
    none = "no park refused" if not refused else f"{refused} park{'s' * (refused > 1)} refused"
    finding = f"{capital(calls)}, {none}: the busiest hour of replication 0, {day}{from_h} to {to_h}."
    reading = "A row is a slot, a bar a call; colour and the sign at its end say how it ended. Crosses: refused."
    return Chart("The busiest hour, call by call", finding, reading, figure if figure.rows else None)


def _time_parked_chart(figure: Figure) -> Chart:
    totals, parks = figure.facts["totals"], figure.facts["parks"]
    words = [f"{OUTCOMES[name].words} {100 * totals[name] / parks:.0f} %" for name in OUTCOMES if name in totals]
    finding = f"Of {parks:,} calls parked in replication 0: {'; '.join(words)}." if parks else "No call was parked."
    reading = f"Bars of {figure.facts['width_s']:g} s; heights can be compared from row to row."
    return Chart("How long calls are parked, and how that ends", finding, reading, figure if parks else None)


# A sweep --------------------------------------------------------------------------------------------------------------


def of_sweep(sweep: Sweep, source: str) -> Story:
    """Return what a report of a sweep says; ``source`` is the name of its store, empty when it has none."""
    scenario = sweep.scenario
    answer, base = answer_of(sweep), _base_of(sweep)
    headline, details = _sweep_answer(sweep, answer, base)
    told = answer or base or sweep.rows[0]
    words = words_of(told.values)
    undecided = any(row.study.verdict == "undecided" for row in sweep.rows)
    verdict = "met" if answer else "undecided" if undecided else "missed"
    keys = " and ".join(map(key_words, sweep.over))
    charts = (
        chart._replace(heading=f"{chart.heading}: {words}")
        for chart in (_occupancy_chart(told.study), _busy_chart(told.study))
    )
    objectives = objectives_of(told.study)
    if objectives is not None:
        objectives = objectives._replace(caption=f"The objectives with {words}")
    return Story(
        title=scenario.name,
        kind=f"{len(sweep.rows):,} designs offered the same calls, {sweep.replications:,} replications of each",
        asked=scenario.notes.question,
        question=f"Which values meet the objectives: {keys}?" if scenario.objectives else f"What changes with {keys}?",
        verdict=verdict if scenario.objectives else "",
        headline=headline,
        details=details,
        objectives=objectives,
        choices=_choices(sweep),
        charts=(*_sweep_charts(sweep), *charts),
        tables=(_designs(sweep),),
        footnotes=(),
        assumptions=assumptions(scenario, {key: listed(values) for key, values in sweep.over.items()}),
        sources=scenario.notes.head,
        made=made(sweep, f"{sweep.replications:,} of each of {len(sweep.rows):,} designs"),
        commands=_sweep_commands(sweep, source),
        files=scenario_file(scenario) | {"designs.csv": sweep.table.to_csv()},
    )


def _sweep_commands(sweep: Sweep, source: str) -> tuple[Command, ...]:
    words = ["sweep", SCENARIO_FILE]
    words += [word for key, values in sweep.over.items() for word in ("--over", f"{key}={listed(values)}")]
    known = commands(sweep, source, [*words, "--replications", str(sweep.replications)])
    if all(type(value) in (int, str) and "," not in str(value) for values in sweep.over.values() for value in values):
        return known
    over = {key: list(values) for key, values in sweep.over.items()}
    loaded = f"parksim.Scenario.load({SCENARIO_FILE!r})"
    how = f"seed={sweep.seed}, engine={sweep.engine!r}, level={sweep.level!r}"
    how += "" if sweep.has_controls else ", controls=False"
    call = f"parksim.sweep({loaded}, {over}, {sweep.replications}, {how})"
    return (*known[:-1], Command(f"{known[-1].what}, in Python", call))


def _base_of(sweep: Sweep) -> Row | None:
    """Return the design that is the scenario as it stands; None when it was not among those tried."""
    return next((row for row in sweep.rows if row.study.scenario.digest == sweep.scenario.digest), None)


def listed(values: Sequence[object]) -> str:
    """Return swept values as ``--over`` takes them.

    >>> listed(range(4, 8)), listed(["60s", 120]), listed([4])
    ('4..7', '60s,120', '4')
    """
    whole = [value for value in values if type(value) is int]
    if len(values) > 2 and list(values) == whole == list(range(whole[0], whole[-1] + 1)):
        return f"{whole[0]}..{whole[-1]}"
    return ",".join(map(str, values))


def _sweep_answer(sweep: Sweep, answer: Row | None, base: Row | None) -> tuple[str, tuple[str, ...]]:
    number = len(sweep.rows)
    if not sweep.scenario.objectives:
        return f"{number:,} designs were compared; the scenario sets no objective.", ()
    verdicts = [row.study.verdict for row in sweep.rows]
    met, undecided = verdicts.count("met"), verdicts.count("undecided")
    counts = f"Of {number:,} designs {met:,} meet all objectives, {verdicts.count('missed'):,} miss one or more"
    counts += f", {undecided:,} {'is' if undecided == 1 else 'are'} undecided." if undecided else "."
    details = [counts]
    if answer is None:
        told = "No design meets all objectives." if not undecided else "No design is seen to meet all objectives."
    else:
        told = f"{capital(words_of(answer.values))}: the first design that meets all objectives."
    if base is not None and base is not answer:
        of_base = "; ".join(
            f"{label_of(one.objective.measure)}: {measured(base.study, one.objective.measure)}, target "
            f"{one.objective.text}"
            for one in base.study.objectives
            if one.verdict == base.study.verdict
        )
        does = {"met": "meets them as well", "missed": "misses them", "undecided": "is inconclusive"}
        details.append(f"The scenario as it stands ({words_of(base.values)}) {does[base.study.verdict]}: {of_base}.")
        details += _gain(base.study, answer.study) if answer is not None else []
    elif base is not None:
        details.append("It is the scenario as it stands.")
    return told, tuple(details)


def _gain(base: Study, answer: Study) -> list[str]:
    """Return what the answer changes against the scenario as it stands, where the calls are the same."""
    try:
        compared = compare_results(base, answer)
    except (PlanError, ValueError):  # too few replications, other times, or calls whose files are not at hand
        return []
    words = [moved(name, compared.differences[name]) for name in (one.objective.measure for one in answer.objectives)]
    told = "; ".join(filter(None, words))
    return [f"Against it, with the very same calls: {told}."] if told and compared.paired else []


def moved(name: str, difference: Estimate) -> str:
    """Return by how much a measure changes, in words; "" where the interval of the difference holds 0."""
    if difference.low is None or difference.high is None or difference.low <= 0 <= difference.high:
        return ""
    return f"{label_of(name)}: {change_of(name, difference)}"


def change_of(name: str, difference: Estimate, points: str = "percentage points") -> str:
    """Return a difference with its sign, unit and interval: "-1.38 percentage points (-2.01 to -0.98)"."""
    if difference.mean is None:
        return "undefined"
    point, interval = (text.replace(" %", "") for text in shown(name, difference))
    unit = points if name in SHARES else unit_of(name).replace("1/h", "")
    sign = "+" if difference.mean > 0 else ""
    beside = f" ({interval})" if difference.low is not None else ""
    return f"{sign}{point} {unit}".rstrip() + beside


def _sweep_charts(sweep: Sweep) -> Iterable[Chart]:
    heat = figures.heat_map(sweep)
    reading = "Numbers in the unit named above each map."
    if sweep.scenario.objectives:
        reading += " Blue meets the target, orange with a corner cut misses it, pale is near."
    if any(row["all"] == "met" for row in heat.rows):
        reading += " Inside the thick line all objectives are met."
    if any(row["verdict"] == "undecided" for row in heat.rows):
        reading += " With a question mark the interval holds the target."
    met = sum(row.study.verdict == "met" for row in sweep.rows)
    finding = f"{met:,} of {len(sweep.rows):,} designs meet all objectives." if sweep.scenario.objectives else ""
    fixed = heat.facts["fixed"]
    if fixed:
        finding += f" The map is of {words_of(fixed)}."
    yield Chart("Which designs meet the objectives", finding, reading, heat)
    for key in list(sweep.over)[:3]:
        if all(number_of(value) is not None for value in sweep.over[key]) and len(sweep.over[key]) > 1:
            yield _against(sweep, key)


def _against(sweep: Sweep, key: str) -> Chart:
    figure = figures.shares(sweep, over=key)
    known = [row for row in figure.rows if row["erlang"] is not None]
    unsure = unknown_words(row.study for row in sweep.rows)
    reading = f"Upright lines: {100 * sweep.level:g} % intervals{unsure}."
    if known and all(row["erlang_exact"] for row in known):
        reading += " Thin lines: Erlang B, which holds here."
    elif known:
        reading += " Thin lines: what Erlang B says of the load measured; here it is no more than a hint, since "
        reading += f"{sweep.rows[0].study.formulas['refused_share'].reason}."
    ends = [one for one in sweep.over[key] if number_of(one) is not None]
    least, most = (pick(ends, key=lambda one: number_of(one) or 0.0) for pick in (min, max))
    told = answer_of(sweep) or _base_of(sweep) or sweep.rows[0]
    others = {other: value for other, value in told.values.items() if other != key}
    rows = [row for row in sweep.rows if all(row.values[k] == v for k, v in others.items())]
    changes = "; ".join(
        f"{label_of(name)}: from {point_of(name, having(rows, key, least).study.estimate(name))} to "
        f"{point_of(name, having(rows, key, most).study.estimate(name))}"
        for name in figures.SHARES_SHOWN
    )
    of = f", with {words_of(others)}" if others else ""
    finding = f"From {words_of({key: least})} to {words_of({key: most})}{of}: {changes}."
    return Chart(f"What changes with the {key_words(key)}", finding, reading, figure)


def _choices(sweep: Sweep) -> Sheet | None:
    """Return the first value of the first key that meets all objectives, for each combination of the others."""
    (first, *others), objectives = sweep.over, sweep.scenario.objectives
    if not objectives or not others:
        return None
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in sweep.rows:
        groups.setdefault(tuple(str(row.values[key]) for key in others), []).append(row)
    rows = []
    for values, designs in groups.items():
        met = next((row for row in designs if row.study.verdict == "met"), None)
        ends = [measured(met.study, o.measure) if met else "-" for o in objectives]
        rows.append((*values, "none" if met is None else str(met.values[first]), *ends))
    headings = (*map(key_words, others), f"first {key_words(first)} that does", *map(aim, objectives))
    return Sheet("What each choice takes", headings, tuple(rows), (len(others),))


def _designs(sweep: Sweep) -> Sheet:
    objectives = sweep.scenario.objectives
    columns = [(one.measure, one.text) for one in objectives] or [(name, "") for name in figures.SHARES_SHOWN]
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (
            *map(str, row.values.values()),
            *(measured(row.study, name) for name, _ in columns),
            *([Mark(row.study.verdict)] if objectives else []),
        )
        for row in sweep.rows[:MOST_DESIGNS]
    )
    headings = (
        *(capital(key_words(key)) for key in sweep.over),
        *(f"{capital(label_of(name))} {text}".strip() for name, text in columns),
        *(["All"] if objectives else []),
    )
    more = f"The first {MOST_DESIGNS:,} of {len(sweep.rows):,} designs; designs.csv has all"
    unsure = unknown_words(row.study for row in sweep.rows).replace(",", ", intervals", 1)
    return Sheet(("All designs" if len(sweep.rows) <= MOST_DESIGNS else more) + unsure, headings, rows)


# Words for measures ---------------------------------------------------------------------------------------------------


def aim(objective: Objective) -> str:
    """Return an objective as a heading: "Parks refused because the lot is full < 1 %"."""
    return f"{capital(label_of(objective.measure))} {objective.text}"


def measured(study: Study, name: str) -> str:
    """Return a measure with the interval that verdicts use, as "2.10 % (1.86 % to 2.33 %)"."""
    return with_interval(name, study.judged(name))


def with_interval(name: str, estimate: Estimate) -> str:
    """Return an estimate with its interval, or why it is undefined."""
    if estimate.mean is None:
        return f"undefined: {estimate.reason}"
    point, interval = shown(name, estimate)
    unit = "" if name in SHARES or not unit_of(name) else f" {unit_of(name)}"
    beside = f"{interval}{unit}" if estimate.low is not None else f"no interval from {estimate.n}"
    return f"{point}{unit} ({beside})"


def point_of(name: str, estimate: Estimate) -> str:
    """Return a point alone; of what was never seen its bound, since nothing seen is never nothing."""
    if estimate.mean == 0 and estimate.method == "never-seen" and estimate.high is not None:
        return f"less than {written(name, estimate.high)}"
    return shown(name, estimate)[0]


def capital(text: str) -> str:
    """Return a text with a capital letter at its beginning."""
    return text[:1].upper() + text[1:]


# Assumptions, and how it was made -------------------------------------------------------------------------------------


def assumptions(scenario: Scenario, varied: Mapping[str, str]) -> Sheet:
    """Return the values of a scenario with their notes; the last cell marks a guess, ``varied`` has swept values."""
    notes, rows = scenario.notes, []
    for key, value in scenario.assumptions.items():
        row: tuple[Cell, ...] = (
            (capital(key_words(key)), varied[key], "varied here", "")
            if key in varied
            else (
                capital(key_words(key)),
                value_words(key, value),
                "given beside the file" if key in notes.given else notes.note(key),
                Mark("guess") if notes.is_guess(key) else "",
            )
        )
        rows.append(row)
    return Sheet("The scenario, value by value", ("What", "Value", "Note in the scenario file", ""), tuple(rows))


def made(result: Any, replications: str) -> tuple[tuple[str, str], ...]:
    """Return how a result was made: what, and which; ``replications`` says how many in words."""
    scenario = result.scenario
    made_with = result.made_with or versions(result.engine)
    return (
        ("Scenario", scenario.name),
        ("Digest (SHA-256)", scenario.digest),
        ("Seed", str(result.seed)),
        ("Replications", replications),
        ("Measured", f"from {span(scenario.warm_up_us)} to {span(scenario.horizon_us)} of each"),
        ("Engine", result.engine),
        ("Intervals", f"{result.level * 100:g} %, by Student's t over replications; what was never seen is bounded"),
        *([("Controls", result.how_controlled)] if isinstance(result, Study) else []),
        ("Versions", ", ".join(f"{name} {version}" for name, version in made_with.items())),
    )


def commands(result: Any, source: str, words: list[str]) -> tuple[Command, ...]:
    """Return the commands that make a result again: from its store ``source``, and by ``words``, what was asked for."""
    words = ["parksim", *words, "--seed", str(result.seed), "--engine", result.engine, *_level(result.level)]
    words += [] if result.has_controls else ["--no-controls"]
    again = Command("Make it again and compare, byte by byte", shlex.join(["parksim", "rerun", source]))
    if needs_files(result.scenario.canonical):
        what = "Run it again (the scenario reads files of its own: keep its own file beside them)"
    else:
        what = f"Run it again, with this report's {SCENARIO_FILE}"
    return (*[again] * bool(source), Command(what, shlex.join(words)))


def _level(level: float) -> list[str]:
    """Return the option that makes intervals of this level; nothing where it is the default."""
    if level == DEFAULT_LEVEL:
        return []
    percent = f"{level * 100:.12g}"
    return ["--level", f"{percent}%" if float(percent) / 100 == level else repr(level)]


def scenario_file(scenario: Scenario) -> dict[str, str]:
    """Return the scenario as a TOML text by its file name; nothing where it reads files that the text cannot hold."""
    if needs_files(scenario.canonical):
        return {}
    objectives = {one.measure: one.text for one in scenario.objectives}
    return {SCENARIO_FILE: to_toml(scenario.canonical, objectives, scenario.notes)}
