"""What a study answers, laid out for people: one screen, or one JSON object."""

import io
import math
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import Final, Literal

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from parksim.catalogue import OF_LOTS, SHARES, sections_with
from parksim.reports.words import span
from parksim.scenario.model import Scenario
from parksim.stats.estimate import Estimate
from parksim.studies.formulas import Formula
from parksim.studies.quick import quick
from parksim.studies.study import Study

VERDICT_STYLES: Final = {"met": "bold green", "missed": "bold red", "undecided": "bold yellow"}
WIDTH: Final = 110
MOST_SHOWN: Final = 1.0
"""Errors that are a greater share of the value are not printed as a share."""
FEWEST_PARKS: Final = 100
"""With fewer the screen warns: 95 % intervals of shares are then some 20 points wide."""
LIMITS_UNSEEN: Final = "This holds if the inputs are right: their limits are not looked at here."
"""What commands say that simulate or compute one value of what is not known."""


def screen(study: Study) -> RenderableType:
    """Return the answer on one screen: objectives with verdicts, estimates with intervals, theory beside them."""
    parts: list[RenderableType] = [_title(study)]
    parts += [Text(warning, "yellow") for warning in (study.scenario.recorded_too_late, thin(study)) if warning]
    if study.objectives:
        parts.append(_objectives(study))
    made = f"seed {study.seed}, engine {study.engine}, scenario {study.scenario.digest[:12]}; {study.stopped}"
    made += f"; {study.how_controlled}"
    notes: dict[str, int] = {}
    table = _estimates(study, notes)
    told = [Text(f"[{number}] {reason}", "dim") for reason, number in notes.items()]
    return Group(*parts, table, *told, Text(made, "dim"))


def thin(study: Study) -> str:
    """Return a warning where all windows together hold so few parks that no interval says much; "" where not."""
    parks = round(sum(result["parks_made"] for result in study.results))
    if parks >= FEWEST_PARKS or not sum(result["parks_requested"] for result in study.results):
        return ""
    return f"All windows together hold {parks} parks: too few to say much. Set a longer run.horizon."


def screen_text(study: Study) -> str:
    """Return ``screen`` as plain text."""
    return plain_text(screen(study))


def plain_text(printed: RenderableType) -> str:
    """Return what a screen shows as plain text, ``WIDTH`` columns wide."""
    file = io.StringIO()
    Console(file=file, width=WIDTH, color_system=None, highlight=False).print(printed)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


def _title(study: Study) -> Text:
    scenario = study.scenario
    window = f"{span(scenario.warm_up_us)} to {span(scenario.horizon_us)}"
    number = len(study.results)
    counted = (
        f"{number} replications, each measured from {window}" if number != 1 else f"one replication, from {window}"
    )
    question = f"{slots_in_words(scenario)}, {scenario.attendants.in_words}"
    return Text.assemble((scenario.name, "bold"), "\n", f"{question}; {counted}")


def slots_in_words(scenario: Scenario) -> str:
    """Return how many slots there are: 6 slots, 12 slots in 2 lots."""
    slots, lots = sum(scenario.settings.slots), len(scenario.lots)
    return f"{slots} slot{'s' * (slots != 1)}" + (f" in {lots} lots" if lots > 1 else "")


def _objectives(study: Study) -> Table:
    table = empty_table("Objective", "", "Estimate", *intervals_in_words(study), "Verdict")
    for objective in study.objectives:
        name = objective.objective.measure
        verdict = Text(objective.verdict, VERDICT_STYLES[objective.verdict])
        intervals = (*shown(name, study.estimate(name)), *shown_unknown(study, name))
        table.add_row(name, objective.objective.text, *intervals, verdict)
    return table


def intervals_in_words(study: Study) -> list[str]:
    """Return the headings of the intervals: one, or two where something is not known."""
    level = f"{study.level * 100:g} %"
    return (
        [f"{level} interval"] if study.draws is None else [f"{level} if inputs\nare right", "With what is\nnot known"]
    )


def unknown_words(studies: Iterable[Study]) -> str:
    """Return what to say of the intervals of some studies: nothing where all is known."""
    return ", with what is not known" if any(one.draws is not None for one in studies) else ""


def shown_unknown(study: Study, name: str) -> list[str]:
    """Return the interval with what is not known, in a list; an empty one where all is known."""
    if study.draws is None:
        return []
    return [shown(name, study.judged(name))[1] if study.with_unknown(name) else "-"]


def _estimates(study: Study, notes: dict[str, int]) -> Table:
    """Return every measure with theory beside it; ``notes`` gets the number of each formula or reason, each once."""

    def row(name: str, index: int | None = None) -> tuple[str | Text, ...]:
        estimate, value, reason = _theory(study, name, index)
        note = f"[{notes.setdefault(reason, len(notes) + 1)}]"
        wider = shown_unknown(study, name) if index is None else [""] * (study.draws is not None)
        beside = Text(f"none {note}", "dim") if value is None else Text(f"{value} {note}")
        return *shown(name, estimate), *wider, beside

    table = empty_table("Measure", "Estimate", *intervals_in_words(study), "Theory")
    for section, names in sections_with(study.scenario.measures_of_ways).items():
        table.add_row(Text(section, "bold"))
        for name in names:
            table.add_row(f"  {name}", *row(name))
    for number, (name, lot) in enumerate(zip(study.scenario.lot_names, study.scenario.lots, strict=True)):
        if len(study.scenario.lots) > 1:
            table.add_row(Text(f"Lot {name}, {lot.slots} slot{'s' * (lot.slots != 1)}", "bold"))
            for measure in OF_LOTS:
                table.add_row(f"  {measure}", *row(f"{measure}_by_lot", number))
    return table


def empty_table(*headings: str, right: Collection[str] = ("Estimate",)) -> Table:
    """Return an empty table whose last column gives way where the screen is narrow: no figure is ever cut."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", expand=False)
    for number, heading in enumerate(headings, start=1):
        justify: Literal["left", "right"] = "right" if heading in right else "left"
        table.add_column(heading, justify=justify, no_wrap=number < len(headings))
    return table


def cells(study: Study, name: str, index: int | None = None) -> tuple[str, str, Text]:
    """Return point, interval, and what theory says, dim where it says nothing or there is nothing to estimate."""
    estimate, value, reason = _theory(study, name, index)
    beside = Text(reason, "dim") if value is None else Text(f"{value}  {reason}")
    beside.no_wrap, beside.overflow = True, "ellipsis"
    return *shown(name, estimate), beside


def _theory(study: Study, name: str, index: int | None) -> tuple[Estimate, str | None, str]:
    """Return a measure's estimate, what theory says and how exactly (None if nothing), and its name or why none."""
    estimate, formula = study.estimate(name, index), theory_of(study.scenario)[name]
    value = formula.at(index)["formula"] if estimate.mean is not None else None
    if isinstance(value, int | float) and not math.isnan(value):
        shown, mark = marked(name, formula, value)
        if formula.within is None:
            return estimate, shown, f"exact: {formula.reason}"
        short = mark.replace("within ", "\N{PLUS-MINUS SIGN}").replace("at most ", "<")
        return estimate, f"{shown} {short}", f"approximate, \N{PLUS-MINUS SIGN} % of the value: {formula.reason}"
    return estimate, None, estimate.reason if estimate.mean is None else formula.reason


@lru_cache(maxsize=4)
def theory_of(scenario: Scenario) -> Mapping[str, Formula]:
    """Return what theory says of a scenario in a moment: formulas, and approximations by the offered load."""
    return quick(scenario, "load").formulas


def marked(name: str, formula: Formula, value: float) -> tuple[str, str]:
    """Return a value of theory, to two digits of the error it may have, and how exact it is."""
    if formula.within is None:
        return number(name, value), "exact"
    within = formula.within * abs(value) if isinstance(formula.value, tuple) else formula.within
    if within <= MOST_SHOWN * abs(value):
        return number(name, value, within), f"within {max(100 * within / abs(value), 0.1):.2g} %"
    return number(name, value, within), f"at most {number(name, value + within, within)}"


def shown(name: str, estimate: Estimate) -> tuple[str, str]:
    """Return point and interval, to two digits of the half-width."""
    if estimate.mean is None:
        return "-", "undefined"
    if estimate.low is None or estimate.high is None:
        too_few = estimate.reason.startswith("too few")
        return number(name, estimate.mean), "too few stays" if too_few else f"none from {estimate.n}"
    width = max(estimate.high - estimate.mean, estimate.mean - estimate.low)
    low, high = (number(name, end, width) for end in (estimate.low, estimate.high))
    return number(name, estimate.mean, width), f"{low} to {high}"


def number(name: str, value: float, width: float | None = None) -> str:
    """Return ``value`` with the decimals that an uncertainty of ``width`` leaves, shares in per cent.

    Without one a whole number is shown as one, any other to one part in a thousand.
    """
    percent = name in SHARES
    value = 100 * value if percent else value
    if not width and value.is_integer():
        decimals = 0
    else:
        width = abs(value) / 1000 if not width else 100 * width if percent else width
        decimals = min(6, max(0, 1 - math.floor(math.log10(width))))
    rounded = round(value, decimals) + 0.0  # the sum makes 0 of -0
    return f"{rounded:,.{decimals}f}{' %' if percent else ''}"
