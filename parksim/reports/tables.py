"""What stands in a result's table: the facts of a run, the replications of a study, the designs of a sweep.

Tidy and long: a row is one observation, a column one variable. ``html_of`` is what a notebook shows.
"""

from typing import Any

import numpy as np

from parksim.catalogue import SCALARS, SECTIONS
from parksim.errors import WrongTypeError
from parksim.journal.journal import Journal
from parksim.reports.screen import cells
from parksim.results import Names, Table, html_table, names_of
from parksim.rules.codes import KIND_NAMES, REASON_NAMES
from parksim.studies.advise import Advice
from parksim.studies.compare import Comparison
from parksim.studies.replication import Run
from parksim.studies.sensitivity import Sensitivity
from parksim.studies.solve import Frontier, Solution
from parksim.studies.study import Study
from parksim.studies.sweep import Sweep


def table_of(result: object) -> Table:
    """Return the table of a result.

    A run and a journal: one row a fact, the journal's own columns. A study: one row a replication, one column a scalar
    measure. Any other plan: the rows of its ``flat()``; of a sweep one row a design, its values, each measure with its
    interval, each verdict.

    Raises:
        WrongTypeError: no result of parksim.
    """
    if isinstance(result, Run | Journal):
        columns: dict[str, Any] = (result.journal if isinstance(result, Run) else result).columns
        words = {"kind": Names(columns["kind"], KIND_NAMES), "reason": Names(columns["reason"], REASON_NAMES)}
        return Table(columns | words)
    if isinstance(result, Study):
        numbers = {"replication": np.arange(len(result.results), dtype=np.int64)}
        return Table(numbers | {name: np.array([one[name] for one in result.results], np.float64) for name in SCALARS})
    if isinstance(result, Sweep | Solution | Frontier | Comparison | Sensitivity | Advice):
        rows = result.flat()
        names = list(dict.fromkeys(name for row in rows for name in row))
        return Table({name: _column([row.get(name) for row in rows]) for name in names})
    raise WrongTypeError(f"a {type(result).__name__} has no table")


def _column(values: list[Any]) -> Any:
    """Return numbers as an array (None is nan), anything else as words."""
    if all(type(value) is int for value in values):
        return np.array(values, np.int64)
    if all(value is None or isinstance(value, int | float) for value in values):
        return np.array([np.nan if value is None else value for value in values], np.float64)
    return names_of(values)


def html_of(result: object) -> str:
    """Return what a notebook shows of a result; every text is escaped."""
    if isinstance(result, Run):
        title = f"{result.scenario.name}: replication {result.replication}, seed {result.seed}"
        return html_table(title, ["measure", "value"], [(name, result.measures[name]) for name in SCALARS])
    if isinstance(result, Study):
        title = f"{result.scenario.name}: {len(result.results)} replications, {result.stopped}"
        headings = ["measure", "estimate", f"{result.level * 100:g} % interval", "theory, or why none"]
        return html_table(
            title, headings, [(name, *cells(result, name)) for names in SECTIONS.values() for name in names]
        )
    return table_of(result)._repr_html_()
