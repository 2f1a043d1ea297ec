"""What a report says of a log: the verdict, what was read, what it tells and what not, measures, what to record.

A calibration's report adds the scenario that was found, its figures, and the log's measures beside those of simulated
logs.
"""

import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from parksim.catalogue import SCALARS, sections_with
from parksim.pbx.agreement import Agreement
from parksim.pbx.check_of_fit import LOGS, Checked
from parksim.pbx.formats.entry import TELLS, shown
from parksim.pbx.log import FieldLog
from parksim.pbx.log_measures import LogMeasure
from parksim.pbx.replay import Replay
from parksim.pbx.to_record import to_record
from parksim.reports.screen import number
from parksim.reports.story import SCENARIO_FILE, Cell, Command, Mark, Section, Sheet, Story, assumptions, capital, named
from parksim.reports.words import key_words
from parksim.results import rows_to_csv
from parksim.rules import codes as c
from parksim.scenario.comments import Notes
from parksim.scenario.quantities import HOUR_US
from parksim.stats.survival import Interval
from parksim.studies.replication import versions

MOST_ROWS: Final = 20
"""Rows of a table of what disagrees."""
_KINDS: Final = {
    "PARKED": "calls parked",
    "REFUSED": "parks refused",
    "RETRIEVED": "calls fetched",
    "ABANDONED": "callers who hung up in the lot",
    "EXPIRED": "time-outs",
}
_VERDICTS: Final = {True: "met", False: "missed", None: "undecided"}
TOO_MANY: Final = 3
"""Of ten independent measures with 5 % each, one or more lie outside with 40 %, and as many as these with 1.2 %."""
FIRST_DATE_S: Final = 86_400 * 366
"""Instants later than this are since 1970; earlier ones are since a recording began."""


def of_replay(met: Replay, source: str) -> Story:
    """Return the story of a log that was compared with the rules; ``source`` is not used, since a log has no store."""
    del source
    log, agreement = met.log, met.agreement
    return Story(
        title=_title(log),
        kind="the log of a PBX",
        asked="",
        question="Does this PBX follow the rules of call parking, and what does its log tell?",
        verdict=_VERDICTS[met.follows],
        headline=_headline(agreement),
        objectives=_agreement(agreement),
        details=tuple(_details(log, agreement)),
        choices=_wrong_rows(log, agreement),
        charts=(),
        sections=_what_was_read(log, agreement),
        tables=tuple(_measures(met.measures)),
        footnotes=(),
        assumptions=None,
        sources=(),
        made=_made(log, agreement),
        commands=(Command("Make it again", _typed("replay", log)),),
        files={"measures.csv": _measures_csv(met.measures)},
    )


def of_calibration(checked: Checked, source: str) -> Story:
    """Return the story of a scenario that was found in a log; ``source`` is the file that it was written to, or ""."""
    met, found, log = checked.met, checked.found, checked.met.log
    bands, outside = checked.bands, checked.outside
    scenario = found.scenario.with_notes(Notes((), found.notes))
    within = len(bands) - len(outside)
    fits = f"{within} of {len(bands)} measures of the log lie within those of {LOGS} simulated logs."
    if not bands:
        fits = "The log has several lots, so its measures are not compared with simulated ones."
    doubt = " Parts of the log do not follow the rules." if met.follows is False else ""
    toml = source or SCENARIO_FILE
    return Story(
        title=scenario.name,
        kind="a scenario from the log of a PBX",
        asked="",
        question="Which scenario describes this PBX, and does it write logs like this one?",
        verdict="" if not bands else "missed" if len(outside) >= TOO_MANY else "undecided" if outside else "met",
        headline=f"{fits}{doubt}",
        objectives=_bands(checked),
        details=tuple(_found(checked)),
        choices=None,
        charts=(),
        sections=(
            Section("What was found", (_figures(checked), *_unknown(checked))),
            *_what_was_read(log, met.agreement),
        ),
        tables=tuple(_measures(met.measures)),
        footnotes=(),
        assumptions=assumptions(scenario, {}),
        sources=tuple(found.head),
        made=_made(log, met.agreement),
        commands=(
            Command("Make it again", f"{_typed('calibrate', log)} -o {shlex.quote(toml)}"),
            Command("Run the scenario", f"parksim run {shlex.quote(toml)}"),
        ),
        files={SCENARIO_FILE: found.toml, "measures.csv": _measures_csv(met.measures)},
    )


# The verdict ----------------------------------------------------------------------------------------------------------


def _title(log: FieldLog) -> str:
    names = [path.name for path, _ in log.places.files] if log.places is not None else [log.path.name]
    return ", ".join(names) if len(names) <= 3 else f"{names[0]} and {len(names) - 1} more files"


def _headline(agreement: Agreement) -> str:
    if agreement.follows:
        judged = agreement.parking_rows - agreement.parking_unjudged
        return f"It follows the rules: all {judged:,} parking events that can be judged agree."
    if agreement.follows is None:
        return "Whether it follows the rules cannot be told from this log."
    lines = len({one.line for one in agreement.disagreements})
    return f"It does not follow the rules: {lines:,} {'rows' if lines > 1 else 'row'} would not have been written."


def _agreement(agreement: Agreement) -> Sheet | None:
    """Return how many rows of each kind agree; None without parking events."""
    rows: list[tuple[Cell, ...]] = []
    for kind, agreed, count in agreement.by_kind():
        unjudged = agreement.unjudged[kind]
        verdict = Mark("met" if agreed + unjudged == count else "undecided" if agreement.follows is None else "missed")
        rows.append((capital(_KINDS[kind]), f"{count:,}", f"{agreed:,}", f"{unjudged:,}", verdict))
    headings = ("What", "In the log", "As the rules say", "Not judged", "Verdict")
    return Sheet("Agreement with the rules", headings, tuple(rows), (1, 2, 3)) if rows else None


def _details(log: FieldLog, agreement: Agreement) -> Iterator[str]:
    yield from (capital(f"{why}.") for why in agreement.doubts)
    if agreement.unjudged:
        yield "Not judged is what depends on what the log does not cover."
    if agreement.overlaps:
        ms = f"{agreement.tolerance_us / 1e3:g} ms"
        yield f"{agreement.overlaps:,} parks agree because events within {ms} may have been decided in another order."
    yield from (f"Inferred: {one}." for one in agreement.inferred)
    yield from (f"Line {log.place(line)[1]} is not judged: {why}." for line, why in agreement.set_clocks.items())
    hours, whole = log.covered_us / HOUR_US, (log.last_us - log.first_us) / HOUR_US
    gaps = f" of {whole:,.2f}" if log.covered_us < log.last_us - log.first_us else ""
    yield f"The log covers {hours:,.2f}{gaps} hours; measures are of that time."
    if log.cut_off:
        yield f"Not measured: {len(log.cut_off):,} calls whose stays the log cuts off in its middle."
    if log.open_calls:
        yield f"Not measured: {len(log.open_calls):,} calls that were still parked when the log ended."


def _wrong_rows(log: FieldLog, agreement: Agreement) -> Sheet | None:
    """Return the first rows that the rules would not have written; None without one."""
    found = sorted(agreement.disagreements)
    rows = []
    for one in found[:MOST_ROWS]:
        path, line = log.place(one.line)
        doubt = agreement.doubtful.get(one.line, "")
        rows.append((path.name, f"{line:,}", one.why, doubt))
    more = f", the first {MOST_ROWS} of {len(found):,}" if len(found) > MOST_ROWS else ""
    caption = f"Rows that the rules would not have written{more}"
    headings = ("File", "Line", "What is wrong", "It may be the log's fault")
    columns = 4 if any(row[3] for row in rows) else 3
    return Sheet(caption, headings[:columns], tuple(row[:columns] for row in rows), (1,)) if rows else None


def _lots(log: FieldLog, agreement: Agreement) -> Sheet:
    """Return the lots as the log was judged by them."""
    rows = []
    for name, plan in agreement.lots.items():
        limit_us = plan.limit_us
        limit = (
            "as each park reports" if limit_us is None else "none" if limit_us == c.NEVER else f"{limit_us / 1e6:g} s"
        )
        slots = f"{plan.slots:,}" + (f", from {plan.first}" if log.has_slots else "")
        choice = c.CHOICE_NAMES[plan.choice or 0] if log.has_slots else "not told"
        rows.append((shown(name) or "the only one", slots, limit, choice))
    return Sheet("Lots, as they were judged", ("Lot", "Slots", "Time-out", "Slot choice"), tuple(rows))


# What was read --------------------------------------------------------------------------------------------------------


def _what_was_read(log: FieldLog, agreement: Agreement) -> tuple[Section, ...]:
    read = [_files(log), _forms(log), _lots(log, agreement), *_faults(log)]
    told = []
    for one, words in TELLS.items():
        forms = [part.form for part in log.coverage.parts if one in part.tells] or [log.form] * (one in log.tells)
        told.append((capital(words), ", ".join(forms) or "no file"))
    tells = Sheet("What the log tells, and what not", ("What", "Told by"), tuple(told))
    more = to_record([part.form for part in log.coverage.parts] or [log.form], log.tells)
    rows = tuple((capital(one.lacking), one.record, one.how) for one in more)
    advice = Sheet(
        "Record more, and know more", ("What is not told", "Which file tells it", "How it is switched on"), rows
    )
    sections = [Section("What was read", tuple(one for one in read if one.rows)), Section("What it tells", (tells,))]
    return (*sections, *[Section("What to record to know more", (advice,))] * bool(rows))


def _files(log: FieldLog) -> Sheet:
    files = [(log.path, 0)] if log.places is None else log.places.files
    rows = tuple((path.name, f"{lines:,}" if lines else "") for path, lines in files)
    return Sheet("Files, in the order of time", ("File", "Lines"), rows, (1,))


def _forms(log: FieldLog) -> Sheet:
    """Return what each form covers."""
    rows = []
    for part in log.coverage.parts:
        (begin_us, _), (_, end_us) = part.spans[0], part.spans[-1]
        hours = sum(until_us - from_us for from_us, until_us in part.spans) / HOUR_US
        holes = "; ".join(
            f"{_instant(log, one[1])} to {_instant(log, other[0])}"
            for one, other in zip(part.spans, part.spans[1:], strict=False)
        )
        about = ["calls"] * part.tells_calls + ["stays"] * part.tells_stays
        span = f"{_instant(log, begin_us)} to {_instant(log, end_us)}"
        counts = f"{part.calls:,}", f"{part.stays:,}"
        rows.append((part.form, span, f"{hours:,.2f}", holes or "none", *counts, " and ".join(about) or "the rest"))
    headings = ("Form", "From, to", "Hours", "Holes", "Calls", "Stays", "Believed about")
    return Sheet("Forms, and what each covers", headings, tuple(rows), (2, 4, 5))


def _faults(log: FieldLog) -> Iterator[Sheet]:
    rows = tuple(
        (one.path.name, "" if one.line is None else f"{one.line:,}", one.what, one.effect, f"{one.times:,}")
        for one in log.remarks.values()
    )
    headings = ("File", "Line", "What", "What follows from it", "Times")
    yield Sheet("Faults of the log" if rows else "", headings, rows, (1, 4))


def _instant(log: FieldLog, time_us: int) -> str:
    """Return an instant of the log: a date by its own clock, or hours since the recording began."""
    seconds = (log.midnight_us + time_us) / 1e6
    if seconds < FIRST_DATE_S:
        return f"{time_us / HOUR_US:,.2f} h"
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}"


# Measures -------------------------------------------------------------------------------------------------------------


def _value(name: str, one: LogMeasure) -> tuple[str, str]:
    """Return value and interval of a measure, or a dash and the reason why it is undefined."""
    if one.value is None:
        return "-", capital(one.reason)
    if one.low is None or one.high is None:
        return number(name, one.value), ""
    width = max(one.high - one.value, one.value - one.low)
    return number(name, one.value, width), f"{number(name, one.low, width)} to {number(name, one.high, width)}"


def _measures(measures: dict[str, LogMeasure]) -> Iterator[Sheet]:
    """Yield the measures that the log has, by section, and at last why it does not have the others."""
    lacking: dict[str, list[str]] = {}
    for section, names in sections_with(()).items():
        rows = [(named(name), *_value(name, measures[name])) for name in names if measures[name].value is not None]
        for name in names:
            if measures[name].value is None:
                lacking.setdefault(measures[name].reason, []).append(named(name))
        if rows:
            yield Sheet(section, ("Measure", "In the log", "95 % interval"), tuple(rows), (1,))
    reasons = tuple((capital(reason), "; ".join(names)) for reason, names in lacking.items())
    if reasons:
        yield Sheet("Measures that the log does not have", ("Why not", "Measures"), reasons)


def _measures_csv(measures: dict[str, LogMeasure]) -> str:
    return rows_to_csv({"measure": name} | measures[name]._asdict() for name in SCALARS)


# A calibration --------------------------------------------------------------------------------------------------------


def _bands(checked: Checked) -> Sheet | None:
    """Return the log's measures beside those of simulated logs; None where they are not compared."""
    rows: list[tuple[Cell, ...]] = []
    for name, band in checked.bands.items():
        width = max(band.high - band.low, 1e-9) / 2
        low, high = (number(name, end, width) for end in (band.low, band.high))
        verdict = Mark("met" if band.holds else "missed")
        rows.append((named(name), number(name, band.value, width), f"{low} to {high}", verdict))
    headings = ("Measure", "In the log", f"Least to greatest of {LOGS} simulated logs", "Within")
    return Sheet("The log beside simulated logs", headings, tuple(rows), (1,)) if rows else None


def _found(checked: Checked) -> Iterator[str]:
    if checked.bands:
        yield (
            "A measure of a log that the scenario itself wrote lies outside once in twenty times; of ten independent "
            "ones at least one does in 40 of 100 logs, at least three in one of 100."
        )
        if checked.outside:
            yield "What lies outside by more than chance is something that the log has and the model has not."
    figures, unknown = len(checked.found.figures), len(checked.found.unknown)
    yield f"{figures} figures have an interval; {unknown} things are not in the log."
    if checked.met.follows is not True:
        yield _headline(checked.met.agreement)


def _figures(checked: Checked) -> Sheet:
    rows = tuple((_named(name), *_limits(name, one)) for name, one in checked.found.figures.items())
    return Sheet("Figures, with 95 % intervals", ("What", "Value", "Interval"), rows, (1,))


def _named(name: str) -> str:
    """Return what a figure is called: the words of its key, and what of it."""
    section, key, *rest = name.split(".")
    return capital(
        ", ".join([key_words(f"{section}.{key}"), *(f"{one} h" if one.isdecimal() else one for one in rest)])
    )


def _limits(name: str, one: Interval) -> tuple[str, str]:
    if name.endswith(".never") or name.startswith("parking.probability"):
        return f"{one.value:.2%}".replace("%", " %"), f"{one.low * 100:.2f} to {one.high * 100:.2f} %"
    factor, unit = (3600.0, "/h") if name == "arrivals.rate" else (1.0, "")
    if name.startswith("arrivals.calls_per_hour"):
        unit = "/h"
    if name.rsplit(".", 1)[-1] in {"mean", "median", "value", "max_in_parking"}:
        unit = " s"
    value, low, high = (f"{factor * end:,.5g}" for end in one)
    return f"{value}{unit}", f"{low} to {high}{unit}"


def _unknown(checked: Checked) -> Iterator[Sheet]:
    rows = tuple((capital(one),) for one in checked.found.unknown)
    if rows:
        yield Sheet("What the log cannot tell, each a guess in the scenario", ("What",), rows)


# How it was made ------------------------------------------------------------------------------------------------------


def _typed(command: str, log: FieldLog) -> str:
    files = [log.path] if log.places is None else [path for path, _ in log.places.files]
    return shlex.join(["parksim", command, *(path.name for path in files)])


def _made(log: FieldLog, agreement: Agreement) -> tuple[tuple[str, str], ...]:
    made_with = ", ".join(f"{name} {version}" for name, version in versions().items())
    return (
        ("Log", _title(log)),
        ("Form", log.form),
        *([("Digest (SHA-256)", log.digest)] if log.digest else []),
        ("Tolerance", f"{agreement.tolerance_us / 1e3:g} ms"),
        ("Versions", made_with),
    )
