"""What a study answers, laid out for people: one screen, or one JSON object."""

import io
import math
from dataclasses import replace
from typing import Final, Literal

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from parksim.catalogue import OF_LOTS, SECTIONS, SHARES
from parksim.reports.words import bounds_of, span
from parksim.stats.estimate import Estimate
from parksim.studies.formulas import Formula
from parksim.studies.study import Study

VERDICT_STYLES: Final = {"met": "bold green", "missed": "bold red", "undecided": "bold yellow"}
WIDTH: Final = 110


def screen(study: Study) -> RenderableType:
    """Return the answer on one screen: objectives with verdicts, estimates with intervals, theory beside them."""
    parts: list[RenderableType] = [_title(study)]
    if study.objectives:
        parts.append(_objectives(study))
    parts.extend([_estimates(study), _provenance(study)])
    return Group(*parts)


def screen_text(study: Study) -> str:
    """Return ``screen`` as plain text, ``WIDTH`` columns wide."""
    console = Console(file=io.StringIO(), width=WIDTH, color_system=None, highlight=False)
    console.print(screen(study))
    file = console.file
    assert isinstance(file, io.StringIO)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


def _title(study: Study) -> Text:
    scenario = study.scenario
    window = f"{span(scenario.warm_up_us)} to {span(scenario.horizon_us)}"
    number = len(study.results)
    counted = (
        f"{number} replications, each measured from {window}" if number != 1 else f"one replication, from {window}"
    )
    return Text.assemble((scenario.name, "bold"), "\n", f"{_question(study)}; {counted}")


def _question(study: Study) -> str:
    lots, attendants = study.scenario.lots, study.scenario.attendants
    slots = _counted(sum(lot.slots for lot in lots), "slot") + (f" in {len(lots)} lots" if len(lots) > 1 else "")
    return f"{slots}, {attendants.in_words}"


def _counted(number: int | str, what: str) -> str:
    """Return a number with its noun: 1 slot, 6 slots, unlimited attendants."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _objectives(study: Study) -> Table:
    table = _table("Objective", "", "Estimate", f"{study.level * 100:g} % interval", "Verdict")
    for objective in study.objectives:
        name = objective.objective.measure
        verdict = Text(objective.verdict, VERDICT_STYLES[objective.verdict])
        table.add_row(name, objective.objective.text, *shown(name, possible(study, name)), verdict)
    return table


def screen_rows(study: Study) -> list[tuple[str, str, str, str]]:
    """Return the estimates of the screen as texts: measure, estimate, interval, theory or why there is no formula."""
    rows = []
    for name in (name for names in SECTIONS.values() for name in names):
        estimate = study.estimate(name)
        beside = _theory(name, study.formulas[name]) if estimate.mean is not None else _one_line(estimate.reason)
        rows.append((name, *shown(name, possible(study, name)), beside.plain))
    return rows


def _estimates(study: Study) -> Table:
    table = _table("Measure", "Estimate", f"{study.level * 100:g} % interval", "Theory, or why none")
    for section, names in SECTIONS.items():
        table.add_row(Text(section, "bold"))
        for name in names:
            estimate = study.estimate(name)
            beside = _theory(name, study.formulas[name]) if estimate.mean is not None else _one_line(estimate.reason)
            table.add_row(f"  {name}", *shown(name, possible(study, name)), beside)
    if len(study.scenario.lots) > 1:
        _add_lots(table, study)
    return table


def _add_lots(table: Table, study: Study) -> None:
    for number, (name, lot) in enumerate(zip(study.scenario.lot_names, study.scenario.lots, strict=True)):
        table.add_row(Text(f"Lot {name}, {_counted(lot.slots, 'slot')}", "bold"))
        for measure in OF_LOTS:
            whole = f"{measure}_by_lot"
            estimate, formula = study.estimate(whole, number), study.formulas[whole]
            if isinstance(formula.value, tuple):
                formula = formula._replace(value=formula.value[number])
            beside = _theory(whole, formula) if estimate.mean is not None else _one_line(estimate.reason)
            table.add_row(f"  {measure}", *shown(whole, possible(study, whole, number)), beside)


def _table(*headings: str) -> Table:
    """Return an empty table whose last column gives way where the screen is narrow: no figure is ever cut."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", expand=False)
    for number, heading in enumerate(headings, start=1):
        justify: Literal["left", "right"] = "right" if heading == "Estimate" else "left"
        table.add_column(heading, justify=justify, no_wrap=number < len(headings))
    return table


def _theory(name: str, formula: Formula) -> Text:
    if formula.value is None:
        return _one_line(formula.reason)
    return Text(theory_beside(name, formula), no_wrap=True, overflow="ellipsis")


def theory_beside(name: str, formula: Formula) -> str:
    """Return a scalar's formula as text: its value and its name, or why there is no formula."""
    if formula.value is None:
        return formula.reason
    assert not isinstance(formula.value, tuple)
    return f"{_number(name, formula.value)}  {formula.reason}"


def _one_line(reason: str) -> Text:
    return Text(reason, "dim", no_wrap=True, overflow="ellipsis")


def possible(study: Study, name: str, index: int | None = None) -> Estimate:
    """Return an estimate whose interval ends at what is possible: Student's may go below 0, or beyond the slots."""
    estimate, lots = study.estimate(name, index), study.scenario.lots
    if estimate.low is None or estimate.high is None:
        return estimate
    of_lot = index is not None and name.endswith("_by_lot")
    least, most = bounds_of(name, lots[index].slots if of_lot and index is not None else sum(lot.slots for lot in lots))
    return replace(estimate, low=max(least, estimate.low), high=min(most, estimate.high))


def shown(name: str, estimate: Estimate) -> tuple[str, str]:
    """Return point and interval, to two digits of the half-width."""
    if estimate.mean is None:
        return "-", "undefined"
    if estimate.low is None or estimate.high is None:
        return _number(name, estimate.mean), f"none from {estimate.n}"
    width = max(estimate.high - estimate.mean, estimate.mean - estimate.low)
    low, high = (_number(name, end, width) for end in (estimate.low, estimate.high))
    return _number(name, estimate.mean, width), f"{low} to {high}"


def _number(name: str, value: float, width: float | None = None) -> str:
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


def _provenance(study: Study) -> Text:
    digest = study.scenario.digest[:12]
    return Text(f"seed {study.seed}, engine {study.engine}, scenario {digest}; {study.stopped}", "dim")
