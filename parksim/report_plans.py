"""What sweeps, searches and comparisons answer, laid out for people, and as CSV for whatever reads it."""

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from parksim.planning import Row, Sweep
from parksim.report import VERDICT_STYLES, shown

SHOWN_WITHOUT_OBJECTIVES: Final = ("refused_share", "expired_share", "occupancy_mean")
"""What a sweep's screen shows of a scenario that has no objectives."""
_LONGEST: Final = "(0.0000..0.0162)"
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")


def sweep_screen(sweep: Sweep, store: object = None) -> RenderableType:
    """Return a table of the designs: their values, their objectives' measures with intervals, which meet all."""
    objectives = [(one.measure, one.text) for one in sweep.scenario.objectives]
    columns = objectives or [(name, "") for name in SHOWN_WITHOUT_OBJECTIVES]
    headings = [f"{_broken(name)}\n{target}" for name, target in columns]
    table = _grid([key.replace(".", ".\n") for key in sweep.over], headings, "All" if objectives else "")
    for row in sweep.rows:
        cells = [_measure_cell(row, place if objectives else None, name) for place, (name, _) in enumerate(columns)]
        table.add_row(*(Text(str(value)) for value in row.values.values()), *cells, _verdict(row) if objectives else "")
    return Group(
        Text(sweep.scenario.name, "bold"),
        Text(
            f"{len(sweep.rows):,} designs offered the same calls, {sweep.replications} replications of each; "
            f"estimate ({sweep.level * 100:g} % interval)"
        ),
        table,
        *([_which_meet(sweep)] if objectives else []),
        Text(
            f"seed {sweep.seed}, engine {sweep.engine}, scenario {sweep.scenario.digest[:12]}; "
            + gathered(sweep.ran, sweep.reused, len(sweep.damaged), store),
            "dim",
        ),
    )


def _grid(keys: Iterable[str], measures: Iterable[str], last: str) -> Table:
    """Return an empty table whose cells break at spaces where the screen is narrow: no figure is ever cut."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", expand=False)
    for key in keys:
        table.add_column(key, overflow="fold", min_width=max(map(len, key.split())))
    for measure in measures:
        table.add_column(measure, overflow="fold", min_width=len(_LONGEST))
    table.add_column(last, no_wrap=True)
    return table


def _broken(name: str) -> str:
    """Return the name of a measure, on two lines when it is a long one."""
    end = name.rfind("_", 0, 16) + 1
    return name if len(name) <= 16 or not end else f"{name[:end]}\n{name[end:]}"


def _measure_cell(row: Row, objective: int | None, name: str) -> Text:
    point, interval = shown(name, row.study.estimate(name))
    if interval.endswith(" %") and point.endswith(" %"):
        interval = interval.replace(" %", "")
    interval = interval.replace(" to ", "..")
    style = "" if objective is None else VERDICT_STYLES[row.study.objectives[objective].verdict]
    return Text(f"{point} ({interval})" if point != "-" else "undefined", style)


def _verdict(row: Row) -> Text:
    return Text(row.study.verdict, VERDICT_STYLES[row.study.verdict])


def _which_meet(sweep: Sweep) -> Text:
    met = [row for row in sweep.rows if row.study.verdict == "met"]
    undecided = sum(row.study.verdict == "undecided" for row in sweep.rows)
    first = f"; the first of them: {_design(met[0].values)}" if met else ""
    more = f"; {undecided} undecided (more --replications would tell)" if undecided else ""
    return Text(f"{len(met)} of {len(sweep.rows):,} designs meet all objectives{first}{more}", "bold")


def _design(values: Mapping[str, object]) -> str:
    return ", ".join(f"{key} = {value}" for key, value in values.items())


def gathered(ran: int, reused: int, damaged: int, store: object) -> str:
    """Return how many replications were run, how many the store had, and how many of those were damaged."""
    if store is None:
        return f"{ran:,} replications"
    mended = f" ({damaged:,} records were damaged: run again)" if damaged else ""
    return f"{ran:,} replications run now, {reused:,} from {store}{mended}"


def to_csv(rows: Iterable[Mapping[str, Any]]) -> str:
    r"""Return rows of plain values as CSV: a line of names, the undefined left empty, numbers to the last bit.

    A text that a spreadsheet would take for a formula gets an apostrophe before it.

    >>> to_csv([{"lot.slots": 4, "lot.choice": "=cmd()", "refused_share": 0.1, "low": None}])
    "lot.slots,lot.choice,refused_share,low\r\n4,'=cmd(),0.1,\r\n"
    """
    rows = list(rows)
    file = io.StringIO(newline="")
    writer = csv.writer(file)  # lines end as RFC 4180 has it, so that a lone \r or \n within a text is quoted
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer.writerow([_harmless(name) for name in names])
    writer.writerows([_harmless(row.get(name)) for name in names] for row in rows)
    return file.getvalue()


def _harmless(value: object) -> object:
    if isinstance(value, float) and value != value:  # noqa: PLR0124 - only nan differs from itself
        return None
    if not isinstance(value, str | int | float | None):
        value = str(value)
    return "'" + value if isinstance(value, str) and value.startswith(_FORMULA_STARTS) else value
