"""``python -m tests.statistics.quick``: is theory as near to the simulation as it says, on scenarios nobody chose?

Scenarios are drawn by ``parksim.testing``, from seeds that the printed errors were not set by (those were set with
``--set`` on the seeds in ``SET_ON``), and simulated by the compiled kernel. A row that is marked exact must be within 4
standard errors of the replications; one that is marked approximate within the error that is printed beside it, give or
take 2 standard errors of the replications, in at least 95 % of the rows. ``--keep FILE`` resumes after an interruption.
"""

import argparse
import json
import math
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import HypothesisWarning

from parksim.catalogue import SCALARS
from parksim.scenario.model import Scenario
from parksim.studies.quick import Quick, quick
from parksim.studies.study import study
from parksim.testing import scenarios

SET_ON: Final = (101,)
"""Seed of the scenarios by which the errors in ``studies.quick`` were set, beside the shipped scenarios."""
JUDGED: Final = (201,)
"""Seed of those that judge them."""
SCENARIOS: Final = 40
REPLICATIONS: Final = 500
MOST_Z: Final = 4.0
SLACK: Final = 2.0
"""Standard errors of the simulation by which an approximate row may be off beyond its printed error."""
LEAST: Final = 0.95


class Row(NamedTuple):
    """One measure of one scenario: what theory says, and what the replications do."""

    scenario: int
    name: str
    theory: float
    within: float | None  # None: exact
    simulated: float
    error: float  # standard error of the simulation
    busy: float  # attendants, by theory; 0 where they are unlimited

    @property
    def off(self) -> float:
        """By how much theory is off, beyond what the simulation may be."""
        return max(0.0, abs(self.theory - self.simulated) - SLACK * self.error)

    @property
    def fits(self) -> bool:
        """Whether theory is as near as it says."""
        if self.within is None:
            return abs(self.theory - self.simulated) <= MOST_Z * self.error + 1e-9 * abs(self.theory)
        return self.off <= self.within + 1e-12


def drawn(number: int, count: int) -> list[Scenario]:
    """Return ``count`` different scenarios of a seed."""
    found: dict[str, Scenario] = {}

    @seed(number)
    @settings(
        max_examples=3 * count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(scenarios(objectives=False))
    def gather(scenario: Scenario) -> None:
        found.setdefault(scenario.digest, scenario)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HypothesisWarning)
        gather()
    return list(found.values())[:count]


def simulated(scenario: Scenario, replications: int, kept: dict[str, Any]) -> dict[str, list[float | None]]:
    """Return point and standard error of each measure, from what is kept where it is there.

    Where no replication differs (an event that never occurred, a quantile) the error is a quarter of the interval. A
    quantile of too few stays has none, and is not compared.
    """
    key = f"{scenario.digest}-{replications}"
    if key not in kept:
        done = study(scenario, replications, seed=1, engine="kernel")
        kept[key] = {}
        for name in SCALARS:
            sample, one = done.measured.sample(name), done.estimate(name)
            error = None if one.low is None or one.high is None else (one.high - one.low) / 3.92
            if sample is not None and sample.variance > 0.0:
                error = math.sqrt(sample.variance)
            kept[key][name] = [one.mean, error]
    found: dict[str, list[float | None]] = kept[key]
    return found


def rows_of(number: int, theory: Quick, seen: dict[str, list[float | None]]) -> Iterator[Row]:
    """Yield the rows for which both theory and replications have a value."""
    busy = theory.formulas["attendant_utilisation"].value
    busy = busy if isinstance(busy, float) else 0.0
    for name in SCALARS:
        formula = theory.formulas[name]
        point, error = seen[name]
        if point is None or error is None or not isinstance(formula.value, float):
            continue
        yield Row(number, name, formula.value, formula.within, point, error, busy)


def main() -> int:
    """Print the errors by row; return 1 where theory is further off than it says, else 0."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--scenarios", type=int, default=SCENARIOS)
    parser.add_argument("--replications", type=int, default=REPLICATIONS)
    parser.add_argument("--method", choices=("load", "chain"), default="chain")
    parser.add_argument("--set", action="store_true", help="look at the scenarios by which the errors were set")
    parser.add_argument("--keep", type=Path, help="a file (.json) of what was simulated")
    asked = parser.parse_args()
    kept = json.loads(asked.keep.read_text()) if asked.keep and asked.keep.exists() else {}
    rows: list[Row] = []
    spent_s = []
    for number, scenario in enumerate(
        one for one_seed in (SET_ON if asked.set else JUDGED) for one in drawn(one_seed, asked.scenarios)
    ):
        seen = simulated(scenario, asked.replications, kept)
        if asked.keep:
            asked.keep.write_text(json.dumps(kept))
        began_s = time.process_time()
        theory = quick(scenario, asked.method)
        spent_s.append(time.process_time() - began_s)
        rows += rows_of(number, theory, seen)
    print(f"{len(spent_s)} scenarios, {asked.replications} replications; theory took {max(spent_s):.2f} s CPU at most")
    return report(rows)


def report(rows: list[Row]) -> int:
    """Print the table of errors by row and the verdict; return the exit code."""
    print(f"{'row':<24} exact  off  |  approximate  fits  median error  95 % of errors  worst scenario")
    for name in SCALARS:
        exact = [row for row in rows if row.name == name and row.within is None]
        near = [row for row in rows if row.name == name and row.within is not None]
        off = [row.off / max(abs(row.simulated), abs(row.theory), 1e-9) for row in near]
        line = f"{name:<24} {len(exact):5} {sum(not row.fits for row in exact):4}  |"
        if near:
            worst = max(near, key=lambda row: row.off - row.within)  # type: ignore[operator]  # not None here
            fits = sum(row.fits for row in near)
            line += f" {len(near):11} {fits:5} {np.median(off):13.1%} {np.quantile(off, 0.95):14.1%}   "
            line += f"#{worst.scenario}: {worst.theory:.4g} +- {worst.within:.2g}, "
            line += f"{worst.simulated:.4g} +- {worst.error:.2g}"
        print(line)
    exact = [row for row in rows if row.within is None]
    near = [row for row in rows if row.within is not None]
    share = sum(row.fits for row in near) / max(len(near), 1)
    print(f"exact: {sum(row.fits for row in exact)} of {len(exact)} within {MOST_Z:g} standard errors")
    print(f"approximate: {share:.2%} of {len(near)} within their printed error (at least {LEAST:.0%})")
    return 0 if share >= LEAST and all(row.fits for row in exact) else 1


if __name__ == "__main__":
    sys.exit(main())
