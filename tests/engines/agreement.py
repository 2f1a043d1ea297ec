"""``python tests/engines/agreement.py``: do SimPy and the kernel write the same journals, to the byte?

Compared are all scenarios of ``scenarios/`` with 20 seeds each, workloads and scenario files as drawn by
``parksim.testing`` (instants on whole microseconds and on whole seconds, so that ties are everywhere) and
``random_cases``.
All of it three times, in processes of their own: the kernel as it is compiled, compiled with checked bounds, and
interpreted. In each process faults are planted, too (a slot chosen otherwise, two neighbours in the calendar's order
swapped), and each must be seen. It ends with 1 where journals differ, a fault is not seen, or a feature is not met.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import zip_longest
from pathlib import Path
from random import Random
from typing import Any, Final

import hypothesis
import numpy as np
import simpy
from cases import CASES
from hypothesis import strategies as st
from random_cases import random_case

from parksim import testing
from parksim.engines import _lift, _state, kernel, processes
from parksim.journal.journal import Journal, JournalWriter
from parksim.rules import codes as c
from parksim.scenario.model import Scenario, Settings
from parksim.scenario.workload import Offered, Workload, draw

SCENARIOS: Final = sorted((Path(__file__).parents[2] / "scenarios").glob("*.toml"))
WAYS: Final = {"compiled": {}, "checked": {"NUMBA_BOUNDSCHECK": "1"}, "interpreted": {"NUMBA_DISABLE_JIT": "1"}}
"""How the kernel runs, by what the process finds in its environment."""
SEEDS: Final = 20
DRAWN: Final = 2_000
DEEP: Final = 20_000
SOUGHT: Final = 4_000
"""Random cases in which a planted fault must be seen."""
Engine = Callable[[Settings, Workload], Journal]
Case = tuple[str, Settings, Workload]


class DifferenceError(Exception):
    """Two journals that should be equal are not."""


@dataclass
class Tally:
    """What was compared: journals, rows, rows at the instant of the one before, facts, and what the cases had."""

    journals: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    ties: int = 0
    facts: set[tuple[int, int]] = field(default_factory=set)
    features: Counter[str] = field(default_factory=Counter)

    def add(self, kind: str, settings: Settings, workload: Workload, journal: Journal) -> None:
        """Count one case in."""
        self.journals[kind] += 1
        self.rows += len(journal)
        self.ties += int((np.diff(journal.time_us) == 0).sum())
        self.facts.update(zip(journal.kind.tolist(), journal.reason.tolist(), strict=True))
        expired = np.bincount(journal.call[journal.kind == c.EXPIRED])
        self.features.update({name: int(has) for name, has in features(settings, workload).items()})
        self.features["a call that times out twice"] += int((expired > 1).any())


def features(settings: Settings, workload: Workload) -> dict[str, bool]:
    """Return of some features whether a case has them."""
    times = np.concatenate([workload.arrival_us, *workload.handling_us, *workload.patience_us])
    return {
        "one slot": settings.slots == (1,),
        "several lots": len(settings.slots) > 1,
        "one attendant": settings.attendants == 1,
        "staffing by the hour": len(set(settings.counts)) > 1,
        "hours with nobody on duty": 0 in settings.counts,
        "unlimited attendants": settings.attendants == c.NEVER,
        "unlimited staff": settings.staff == c.NEVER,
        "no staff": settings.staff == 0,
        "one member of staff": settings.staff == 1,
        "whole seconds": bool((times > 0).any()) and not (times[times > 0] % 1_000_000).any(),
        "whole microseconds": bool((times % 1_000_000 > 0).any()),
        "no handling time": not workload.handling_us.any(),
        "a patience of nothing": bool((workload.patience_us == 0).any()),
        "all at one instant": len(workload.arrival_us) > 1 and not workload.arrival_us.any(),
        **{f"full: {name}": settings.when_full == code for code, name in enumerate(c.FULL_NAMES)},
        **{f"busy: {name}": settings.busy == code for code, name in enumerate(c.BUSY_NAMES)},
        **{f"recall to {name}": settings.recall_to == code for code, name in enumerate(c.RECALL_TO_NAMES)},
        **{f"unanswered: {name}": settings.unanswered == code for code, name in enumerate(c.UNANSWERED_NAMES)},
        **{f"choice: {name}": code in settings.choices for code, name in enumerate(c.CHOICE_NAMES)},
    }


def first_difference(one: Journal, other: Journal) -> str:
    """Return the first row in which two journals differ, or "" when their bytes are equal."""
    if one.tobytes() == other.tobytes():
        return ""
    for row, (fact, twin) in enumerate(zip_longest(one.facts(), other.facts())):
        if fact != twin:
            return f"row {row}: SimPy {fact}, kernel {twin}"
    return "equal rows in columns of different types"


def compare(tally: Tally, kind: str, case: Case, other: Engine = kernel.simulate) -> None:
    """Run one case by SimPy and by the other engine.

    Raises:
        DifferenceError: a byte differs.
    """
    name, settings, workload = case
    journal = processes.simulate(settings, workload)
    difference = first_difference(journal, other(settings, workload))
    if difference:
        raise DifferenceError(f"{name}: {difference}")
    tally.add(kind, settings, workload, journal)


# What is compared ---------------------------------------------------------------------------------------------------


def shipped(seeds: int) -> Iterator[Case]:
    """Yield every scenario of the project with the seeds 1 to ``seeds``."""
    for file in SCENARIOS:
        scenario = Scenario.load(file)
        for seed in range(1, seeds + 1):
            yield f"{file.name}, seed {seed}", scenario.settings, draw(scenario, seed)


def random_cases(cases: int, seed: int = 1) -> Iterator[Case]:
    """Yield so many random cases; every third has several lots."""
    for number in range(cases):
        name = f"random case {seed}/{number}"
        yield name, *random_case(Random(f"{seed}/{number}"), several_lots=number % 3 == 0)


def compare_drawn(
    tally: Tally, examples: int, seed: int, phases: Iterable[hypothesis.Phase] = hypothesis.Phase
) -> None:
    """Compare so many drawn workloads, half of them on each grid, and a tenth as many scenario files.

    Raises:
        DifferenceError: a byte differs; its notes are the smallest example that Hypothesis found.
    """
    drawn: dict[str, tuple[int, st.SearchStrategy[tuple[Settings, Workload]]]] = {
        f"drawn, grid {grid_us:,} us": (examples // 2, testing.settings_and_workloads(max_calls=25, grid_us=grid_us))
        for grid_us in testing.GRIDS_US
    }
    drawn["drawn scenario files"] = (examples // 10, FILES)
    for kind, (many, strategy) in drawn.items():

        def agree(case: tuple[Settings, Workload], kind: str) -> None:
            compare(tally, kind, (kind, *case))

        options = hypothesis.settings(
            max_examples=max(1, many),
            phases=phases,
            deadline=None,
            database=None,
            report_multiple_bugs=False,
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        hypothesis.seed(seed)(options(hypothesis.given(case=strategy, kind=st.just(kind))(agree)))()


FILES: Final = st.builds(
    lambda scenario, number: (scenario.settings, draw(scenario, number)), testing.scenarios(), st.integers(0, 2**32)
)


# What is planted ----------------------------------------------------------------------------------------------------


def chosen_otherwise(settings: Settings, workload: Workload) -> Journal:
    """Run the kernel with the next slot chosen where the lowest should be."""
    choices = tuple(c.CHOOSE_NEXT if choice == c.CHOOSE_LOWEST else choice for choice in settings.choices)
    return kernel.simulate(settings._replace(choices=choices), workload)


def swapped(rank: int, settings: Settings, workload: Workload) -> Journal:
    """Run the SimPy model with one rank of the calendar and the next in each other's place."""

    class Swapped(simpy.Environment):
        def schedule(self, event: Any, priority: Any = 1, delay: Any = 0) -> None:
            its = (priority >> 32) - 1
            other = {rank: rank + 1, rank + 1: rank}.get(its, its)
            super().schedule(event, priority + (other - its << 32), delay)

    rows = JournalWriter()
    processes.Exchange(Swapped(), settings, workload, rows.append).run()
    return rows.journal()


PLANTED: Final[dict[str, Engine]] = {"the slot chosen otherwise": chosen_otherwise} | {
    f"{c.RANK_NAMES[rank]} after {c.RANK_NAMES[rank + 1]}": partial(swapped, rank)
    for rank in range(len(c.RANK_NAMES) - 1)
}


def seen_after(fault: Engine, cases: Iterator[Case]) -> int | None:
    """Return how many cases it took until a planted fault was seen; None when they did not show it."""
    for number, (_, settings, workload) in enumerate(cases, 1):
        try:
            altered = fault(settings, workload)
        except Exception:  # noqa: BLE001 - an engine out of order may break in any way, and that is seen, too
            return number
        if first_difference(altered, kernel.simulate(settings, workload)):
            return number
    return None


# In a process of its own --------------------------------------------------------------------------------------------


def runs_as(way: str) -> bool:
    """Return whether the kernel of this process is what ``way`` says: compiled or not, its bounds checked or not."""
    if (way == "interpreted") == _lift.is_compiled:
        return False
    if way == "compiled":
        return not _lift.numba.config.BOUNDSCHECK
    _, settings, workload = next(random_cases(1))
    short = _state.new_exchange(settings, Offered.of(workload), rows=1_000)
    short = short._replace(drawn=short.drawn[:1])
    try:
        kernel.advance(short)
    except IndexError:
        return True
    return False


def report(way: str, seeds: int, drawn: int, seed: int) -> dict[str, Any]:
    """Compare all there is to compare in this process, and return what came of it as plain values."""
    begun = time.process_time()
    if not runs_as(way):
        return {"way": way, "failed": f"this process does not run the kernel {way}"}
    tally = Tally()
    try:
        for case in shipped(seeds):
            compare(tally, "shipped scenarios", case)
        for case in random_cases(drawn, seed):
            compare(tally, "random cases", case)
        compare_drawn(tally, drawn, seed)
    except DifferenceError as error:
        return {"way": way, "failed": "\n".join(["journals differ:", str(error), *getattr(error, "__notes__", [])])}
    planted = {name: seen_after(fault, random_cases(SOUGHT)) for name, fault in PLANTED.items()}
    return {
        "way": way,
        "failed": "",
        "journals": tally.journals,
        "rows": tally.rows,
        "ties": tally.ties,
        "unmet": sorted(
            f"{c.KIND_NAMES[kind]} {c.REASON_NAMES[reason]}".strip() for kind, reason in FACTS - tally.facts
        ),
        "features": tally.features,
        "planted": planted,
        "cpu_s": time.process_time() - begun,
    }


FACTS: Final = {(row[6], row[7]) for case in CASES for row in case.rows}
"""Every fact with each of its reasons, as the cases worked out by hand have them."""


# All three ----------------------------------------------------------------------------------------------------------


def told(found: dict[str, Any]) -> bool:
    """Print what a process found, and return whether all is well."""
    print(f"the kernel {found['way']}:")
    if found["failed"]:
        print(f"  {found['failed']}")
        return False
    unseen = [name for name, cases in found["planted"].items() if cases is None]
    never = [name for name, cases in found["features"].items() if cases == 0]
    print("  equal bytes: " + ", ".join(f"{many:,} {kind}" for kind, many in found["journals"].items()))
    print(
        f"  {found['rows']:,} rows, {found['ties']:,} of them at the instant of the row before; {found['cpu_s']:.0f} s"
    )
    print(f"  facts that were not met: {', '.join(found['unmet']) or 'none'}")
    print("  features: " + ", ".join(f"{name} {many:,}" for name, many in found["features"].items()))
    print("  planted and seen, after how many random cases: ", end="")
    print(", ".join(f"{name} {cases}" for name, cases in found["planted"].items()))
    return not (unseen or never or found["unmet"])


def main() -> int:
    """Compare in three processes at a time; return 1 when anything is not as it must be, else 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deep", action="store_true", help=f"{DEEP:,} drawn and random cases instead of {DRAWN:,}")
    parser.add_argument("--drawn", type=int, help="so many instead")
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"of each shipped scenario (default {SEEDS})")
    parser.add_argument("--seed", type=int, default=1, help="of what is drawn (default 1)")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=[*WAYS])
    parser.add_argument("--child", choices=WAYS, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    drawn = asked.drawn or (DEEP if asked.deep else DRAWN)
    if asked.child:
        print(json.dumps(report(asked.child, asked.seeds, drawn, asked.seed)))
        return 0
    command = [sys.executable, __file__, "--drawn", str(drawn), "--seeds", str(asked.seeds), "--seed", str(asked.seed)]
    children = [
        subprocess.Popen(
            [*command, "--child", way], env=os.environ | WAYS[way], stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )
        for way in asked.ways
    ]
    well = True
    for way, child in zip(asked.ways, children, strict=True):
        printed, _ = child.communicate()
        lines = printed.splitlines()
        if child.returncode == 0 and lines:
            print("\n".join(lines[:-1]), end="\n" * (len(lines) > 1))
            well &= told(json.loads(lines[-1]))
        else:
            print(f"the kernel {way}: the process ended with {child.returncode}\n{printed}")
            well = False
    return 0 if well else 1


if __name__ == "__main__":
    raise SystemExit(main())
