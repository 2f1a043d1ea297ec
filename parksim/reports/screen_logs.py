"""The screens of a log (does it follow the rules, and its measures) and of counters (what they tell, and do not)."""

import math
from pathlib import Path
from statistics import fmean
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from parksim.catalogue import SHARES
from parksim.pbx.agreement import Agreement
from parksim.pbx.counted import Counted
from parksim.pbx.counts import Counts
from parksim.pbx.formats.entry import TELLS
from parksim.pbx.log import FieldLog
from parksim.pbx.log_measures import LogMeasure
from parksim.pbx.what_if import DRAWS, WhatIf
from parksim.reports.screen import empty_table
from parksim.rules import codes as c
from parksim.scenario.laws import Constant
from parksim.scenario.model import Scenario
from parksim.scenario.quantities import HOUR_US, UNLIMITED
from parksim.stats.survival import Interval


def log_screen(
    log: FieldLog,
    agreement: Agreement,
    measures: dict[str, LogMeasure],
    changes: dict[str, str],
    otherwise: dict[str, WhatIf],
) -> RenderableType:
    """Return the verdict on a log, its measures, and what they would be with some ``changes``."""
    more = log.files - 1
    files = log.path.name + (f" and {more} more file{'s' * (more > 1)}" if more else "")
    parts: list[RenderableType] = [Text(f"{files}: {log.form}, {len(log.rows):,} facts", "bold")]
    parts.extend(_verdict(log, agreement))
    if not agreement.rows:
        remarks = [Text(f"{one}.") for one in log.remarks.values()]
        return Group(*parts, _calls(log), *_tells(log), *remarks, _covered(log), _table(measures))
    counted = ", ".join(f"{agreed:,} of {rows:,} {kind}" for kind, agreed, rows in agreement.by_kind())
    parts.append(Text(f"Agree: {counted}."))
    if agreement.unjudged:
        unsaid = ", ".join(f"{rows:,} {kind}" for kind, rows in agreement.unjudged.items())
        parts.append(Text(f"Not judged, since they depend on what the log does not cover: {unsaid}."))
    parts.append(
        Text(
            f"Tolerance {agreement.tolerance_us / 1e3:g} ms; the farthest time-out was "
            f"{agreement.latest_us / 1e3:+.1f} ms off its deadline; {agreement.overlaps:,} parks agree because events "
            "within the tolerance may have been decided in another order."
        )
    )
    parts += _tells(log)
    parts.extend(Text(f"Inferred: {one}") for one in agreement.inferred)
    parts.extend(Text(f"{one}.") for one in log.remarks.values())
    parts.extend(Text(f"Not judged, line {log.place(line)[1]}: {why}.") for line, why in agreement.set_clocks.items())
    parts.append(_covered(log))
    if log.cut_off:
        parts.append(Text(f"Not measured: {len(log.cut_off):,} calls whose stays the log cuts off in its middle."))
    if log.open_calls:
        parts.append(Text(f"Not measured: {len(log.open_calls):,} calls that were still parked when the log ended."))
    parts.append(_table(measures))
    if changes:
        parts.append(_what_if_table(changes, measures, otherwise))
    return Group(*parts)


def _calls(log: FieldLog) -> Text:
    """Return in a sentence how many calls a log without parks has, and how long they waited and were talked to."""
    since: dict[str, int] = {}
    spans: dict[int, list[float]] = {c.ANSWERED: [], c.ENDED: []}
    calls = 0
    for row in log.rows:
        calls += row.kind == c.OFFERED
        if row.kind in spans and row.call in since:
            spans[row.kind].append((row.time_us - since[row.call]) / 1e6)
        since[row.call] = row.time_us
    said = f"{calls:,} calls came"
    for kind, words in ((c.ANSWERED, "answered after"), (c.ENDED, "talked to for")):
        if spans[kind]:
            said += f", {len(spans[kind]):,} were {words} {fmean(spans[kind]):,.1f} s on average"
    return Text(f"{said}.")


def _tells(log: FieldLog) -> list[RenderableType]:
    """Return what the forms of a log tell and do not tell, and about what each is believed."""
    told, not_told = (
        ", ".join(words for one, words in TELLS.items() if (one in log.tells) is is_told) for is_told in (True, False)
    )
    said = [f"Told: {told}.", f"Not told: {not_told}."] if not_told else []
    return [Text(one) for one in (*said, *log.coverage.in_words())]


def _verdict(log: FieldLog, agreement: Agreement) -> list[Text]:
    """Return whether the log follows the rules, and the first row that does not."""
    first, follows = agreement.first, agreement.follows
    if follows:
        judged = f"{agreement.parking_rows - agreement.parking_unjudged:,}"
        which = f"all {judged} parking events" + (" that can be judged" if agreement.unjudged else "")
        return [Text(f"It follows the rules: {which} agree.", "bold green")]
    parts: list[Text] = []
    if follows is None:
        parts.append(Text("Whether it follows the rules cannot be told from this log, because:", "bold yellow"))
        parts.extend(Text(why) for why in agreement.doubts)
        parts.extend(Text(f"{_at(log, line)}: {why}") for line, why in sorted(agreement.doubtful.items()))
    else:
        parts.append(Text("It does not follow the rules. The first row that they would not have written:", "bold red"))
    if first is not None:
        parts.append(Text(f"{_at(log, first.line)}: {first.why}"))
        more = len({one.line for one in agreement.disagreements}) - 1
        if more:
            parts.append(Text(f"{more:,} later rows disagree as well, some of them perhaps because of the first."))
    return parts


def _at(log: FieldLog, line: int) -> str:
    path, number = log.place(line)
    return f"{path}, line {number}"


def _covered(log: FieldLog) -> Text:
    """Return for how long the log covers what happened."""
    hours, whole = log.covered_us / HOUR_US, (log.last_us - log.first_us) / HOUR_US
    gaps = "" if log.covered_us == log.last_us - log.first_us else f" of {whole:,.2f} hours"
    return Text(f"The log covers {hours:,.2f}{gaps or ' hours'}; measures are of that time.")


def _what_if_table(
    changes: dict[str, str], measures: dict[str, LogMeasure], otherwise: dict[str, WhatIf]
) -> RenderableType:
    said = ", ".join(f"{key} = {value}" for key, value in changes.items())
    table = empty_table("Measure", "Recorded", "What if", "Least to greatest", right=("Recorded", "What if"))
    for name, one in otherwise.items():
        recorded = measures[name].value
        table.add_row(
            name,
            "-" if recorded is None else _figure(name, recorded),
            _figure(name, one.mean),
            f"{_figure(name, one.least)} to {_figure(name, one.greatest)}",
        )
    note = f"The same calls, {DRAWS} times: what the log does not show is drawn from the laws that calibrate finds."
    return Group(Text(f"What if {said}?", "bold"), Text(note), table)


def _table(measures: dict[str, LogMeasure]) -> Table:
    table = empty_table("Measure", "Recorded", "95 % interval, or why undefined", right=("Recorded",))
    for name, one in measures.items():
        if one.value is None:
            table.add_row(name, "-", Text(one.reason, "dim"))
        else:
            limits = (
                "" if one.low is None or one.high is None else f"{_figure(name, one.low)} to {_figure(name, one.high)}"
            )
            table.add_row(name, _figure(name, one.value), limits)
    return table


def _figure(name: str, value: float) -> str:
    if name in SHARES:
        return f"{value:.2%}"
    if value == math.floor(value) and abs(value) < 1e9:
        return f"{value:,.0f}"
    return f"{value:,.3f}"


_OPEN: Final = {
    "retrieval.delay.median": ("half of the fetched calls are fetched within", 1.0, " s"),
    "retrieval.never": ("of the parked calls are never fetched", 100.0, " %"),
    "lot.patience.mean": ("a caller waits in the lot, on average, before hanging up", 1.0, " s"),
}
"""What counters leave open, in words, with its factor and unit."""


def counts_screen(counts: Counts, result: Counted, scenario: Scenario, out: Path, draws: Path) -> RenderableType:
    """Return what counters tell, what they do not tell, and what to do next."""
    figures = result.calibration.figures
    told = [
        (
            "calls an hour" if "parking.probability" in figures else "parks asked for, an hour",
            "arrivals.rate",
            3600.0,
            "",
        ),
        ("of the calls are to be parked", "parking.probability", 100.0, " %"),
        ("of the parked calls are fetched", "retrieved_share", 100.0, " %"),
        ("of the parked calls come back at the time-out", "returned_share", 100.0, " %"),
        ("of the parked callers hang up", "abandoned_share", 100.0, " %"),
    ]
    parts: list[RenderableType] = [
        Text(f"{counts.path.name}: {len(counts.hours):,} hours, {counts.total('parked'):,} calls parked", "bold"),
        Text("What the counters tell (with 95 % limits):"),
    ]
    parts += [_line(words, figures[key], factor, unit) for words, key, factor, unit in told if key in figures]
    parts.append(Text("What they leave open; every value between these limits fits them:"))
    parts.append(_line("is the mean stay in a slot", result.stay_s, 1.0, " s"))
    parts += [_line(words, figures[key], factor, unit) for key, (words, factor, unit) in _OPEN.items()]
    parts += [Text(f"These counters contradict each other: {note}.", "bold red") for note in result.notes]
    if counts.parked_again:
        parts.append(Text(f"Unlikely: {counts.parked_again}; else the two columns count different calls.", "bold"))
    if counts.ignored:
        parts.append(Text(f"Not used: the columns {', '.join(counts.ignored)}."))
    parts.append(Text(f"Written: {out}, and {draws} with {len(next(iter(result.draws.values())))} sets of values."))
    if counts.parked_s is None:
        parts.append(
            Text("To narrow the limits: count the seconds parked in each hour as well (column parked_seconds).")
        )
    parts += [Text(line, no_wrap=True, overflow="ignore") for line in next_lines("counters", scenario, out)]
    return Group(*parts)


def next_lines(source: str, scenario: Scenario, out: Path) -> list[str]:
    """Return what the source of a scenario does not tell and its user must write, and the next commands."""
    written = scenario.attendants
    changes, lacking = [], ['  [objectives], such as refused_share = "< 1 %"']
    if written.count == UNLIMITED:
        changes, lacking = ["attendants.count=3"], [*lacking, "  [attendants] count"]
        if written.handling == Constant(value=0.0):
            changes.append("attendants.handling=40s")
            lacking[-1] += " and handling, the time an attendant needs for a call"
    lines = [f"What the {source} cannot tell; write it into {out}:", *lacking]
    if changes:
        lines += ["Or try a guess first:", f"  parksim run {out} {' '.join(f'--set {one}' for one in changes)}"]
    return [*lines, f"Next: parksim run {out}"]


def _line(words: str, one: Interval, factor: float, unit: str) -> Text:
    value, low, high = (f"{factor * limit:,.0f}" if factor * limit >= 100 else f"{factor * limit:.3g}" for limit in one)
    return Text(f"  {value + unit:>9}  {words} ({low} to {high})")
