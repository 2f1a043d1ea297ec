"""The planner's screen from theory alone: objectives, then every measure with its mark."""

import math

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from parksim.catalogue import BY_NAME, OF_LOTS, sections_with
from parksim.reports.screen import LIMITS_UNSEEN, VERDICT_STYLES, empty_table, marked, plain_text, slots_in_words
from parksim.reports.words import span
from parksim.studies.quick import Quick

METHODS = {
    "chain": "a chain of attendants, queue and lots",
    "load": "the load of each instant (the chain is too large, or was not requested)",
}
VERDICTS = {"met": "met", "missed": "missed", "undecided": "too near to say"}


def quick_screen(quick: Quick, name: str) -> RenderableType:
    """Return the answer of theory to a scenario that the command line calls ``name``."""
    scenario = quick.scenario
    window = f"{span(scenario.warm_up_us)} to {span(scenario.horizon_us)}"
    title = f"{slots_in_words(scenario)}, {scenario.attendants.in_words}; from theory alone, from {window}"
    parts: list[RenderableType] = [Text.assemble((scenario.name, "bold"), "\n", title)]
    if quick.objectives:
        parts.append(_objectives(quick))
    made = f"Approximate rows: {METHODS[quick.method]}. At least 95 % of the measured errors were smaller."
    if scenario.not_known:
        parts.append(Text(LIMITS_UNSEEN))
    return Group(*parts, _rows(quick), Text(made, "dim"), Text(f"To be sure: parksim run {name}", "dim"))


def screen_text(quick: Quick) -> str:
    """Return ``quick_screen`` as plain text."""
    return plain_text(quick_screen(quick, "SCENARIO"))


def _objectives(quick: Quick) -> RenderableType:
    table = empty_table("", "Theory", "Wanted", "Objective", right=("Theory",))
    for one in quick.objectives:
        measure = one.objective.measure
        formula = quick.formulas[measure]
        shown = marked(measure, formula, formula.value)[0] if isinstance(formula.value, float) else "-"
        verdict = Text(VERDICTS[one.verdict], VERDICT_STYLES[one.verdict])
        table.add_row(verdict, shown, one.objective.text, BY_NAME[measure].words)
    return table


def _rows(quick: Quick) -> RenderableType:
    table = empty_table("Measure", "Theory", "How exact", right=("Theory",))
    for section, names in sections_with(quick.scenario.measures_of_ways).items():
        table.add_row(Text(section, "bold"))
        for name in names:
            _add(table, quick, name, None)
    lots = zip(quick.scenario.lot_names, quick.scenario.lots, strict=True)
    for place, (name, lot) in enumerate(lots):
        if len(quick.scenario.lots) > 1:
            table.add_row(Text(f"Lot {name}, {lot.slots} slot{'s' * (lot.slots != 1)}", "bold"))
            for measure in OF_LOTS:
                _add(table, quick, f"{measure}_by_lot", place)
    return table


def _add(table: Table, quick: Quick, name: str, index: int | None) -> None:
    formula = quick.formulas[name]
    value = formula.at(index)["formula"]
    label = f"  {name.removesuffix('_by_lot')}"
    if isinstance(value, float) and not math.isnan(value):
        shown, mark = marked(name, formula, value)
        table.add_row(label, shown, f"{mark if formula.within is None else f'approximate ({mark})'}: {formula.reason}")
    else:
        table.add_row(label, "-", Text(formula.reason, "dim"))
