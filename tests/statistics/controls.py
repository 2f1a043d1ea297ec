"""``python -m tests.statistics.controls``: what controls save, and whether controlled intervals hold the truth.

Of each scenario many replications are drawn once and put into studies of 30, and of 10, by seeded shuffles. The first
table says how many times more replications the plain estimate needs for the same half-width: the ratio of the squared
half-widths, on average over the studies of 30, and of all replications as one study. The second says how many
controlled 95 % intervals hold the truth, which is the controlled estimate of all replications together.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np

from parksim.catalogue import SCALARS
from parksim.scenario.model import Scenario
from parksim.stats.estimate import Estimate
from parksim.studies import controls
from parksim.studies.estimates import Measured
from parksim.studies.formulas import formulas
from parksim.studies.replication import chosen_engine, replicate
from tests.statistics.macro_runs import SCENARIOS, Outcome, options, outcomes

TOGETHER: Final = 100
"""Replications of one run."""
RUNS: Final = 60
STUDIES: Final = 1_000
LEVEL: Final = 0.95
NAMES: Final = ("hospital", "shifts", "small-office", "contact-centre", "warehouse")
LEAST: Final = {"occupancy_mean": 10.0, "expired_share": 10.0, "time_full_share": 4.0, "refused_share": 3.0}
"""What the median over the scenarios must be, of the ratio of all replications as one study."""
COVERAGE: Final = {30: (0.93, 0.97), 10: (0.92, 1.0)}
"""By replications of a study, between which shares of its intervals hold the truth."""


def replications(run: int, scenario: Scenario, engine: str) -> Outcome:
    """Return the scalar measures and the controls of some replications."""
    numbers = range(TOGETHER * (run - 1), TOGETHER * run)
    return {
        "results": [
            {name: one[name] for name in SCALARS} | {controls.NAME: list(one[controls.NAME])}
            for one in replicate(scenario, 1, numbers, engine, with_controls=True)
        ]
    }


def estimates(scenario: Scenario, results: Sequence[dict[str, Any]], *, plain: bool = False) -> list[Estimate]:
    """Return the estimates of the measures of ``LEAST``, controlled or plain."""
    theory = formulas(scenario)
    kept = [controls.without(one) for one in results] if plain else results
    measured = Measured(scenario, kept, LEVEL, lambda name: theory[name])
    found = [measured.estimate(name) for name in LEAST]
    assert None not in found
    return [one for one in found if one is not None]


def studies_of(size: int, results: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Yield ``STUDIES`` studies: disjoint ones as long as there are replications, then of another shuffle."""
    rng = np.random.default_rng(size)
    made = 0
    while True:
        order = rng.permutation(len(results))
        for first in range(0, len(results) - size + 1, size):
            yield [results[number] for number in order[first : first + size]]
            made += 1
            if made == STUDIES:
                return


def squares(found: Sequence[Estimate]) -> np.ndarray:
    """Return the squared lengths of intervals."""
    return np.array([(one.high - one.low) ** 2 for one in found if one.low is not None and one.high is not None])


def main() -> int:
    """Print both tables; return 1 when something is not as it must be, else 0."""
    parser = options(__doc__ or "", RUNS)
    parser.add_argument("--only", default="", help="only scenarios whose name has this text")
    asked = parser.parse_args()
    names = [name for name in NAMES if asked.only in name]
    ratios: dict[str, list[np.ndarray]] = {}
    held: dict[str, dict[int, np.ndarray]] = {}
    for name in names:
        scenario = Scenario.load(SCENARIOS / f"{name}.toml")
        engine = chosen_engine(asked.engine, [scenario], TOGETHER * asked.runs)
        what = {"scenario": scenario.digest, "engine": engine, "together": TOGETHER}
        keep = Path(asked.keep) / f"controls-{name}.jsonl" if asked.keep else None
        run = partial(replications, scenario=scenario, engine=engine)
        runs = outcomes(run, range(1, asked.runs + 1), what, keep, asked.workers)
        results = [one for outcome in runs.values() for one in outcome["results"]]
        truth = [one.mean for one in estimates(scenario, results)]
        whole = squares(estimates(scenario, results, plain=True)) / squares(estimates(scenario, results))
        held[name], lengths = {}, np.zeros((2, len(LEAST)))
        for size in COVERAGE:
            above, below = np.zeros(len(LEAST)), np.zeros(len(LEAST))
            for study in studies_of(size, results):
                found = estimates(scenario, study)
                for place, (one, mean) in enumerate(zip(found, truth, strict=True)):
                    assert mean is not None
                    above[place] += one.low is None or one.low > mean
                    below[place] += one.high is None or one.high < mean
                if size == 30:
                    lengths += squares(estimates(scenario, study, plain=True)), squares(found)
            held[name][size] = np.stack((STUDIES - above - below, above, below)) / STUDIES
        ratios[name] = [lengths[0] / lengths[1], whole]
    print(f"Replications to a given half-width, plain / controlled: in studies of 30; of {len(results):,} together")
    print(f"{'':<16}" + "".join(f"{measure:>20}" for measure in LEAST))
    fits = True
    for name, (of_30, of_all) in ratios.items():
        print(f"{name:<16}" + "".join(f"{one:>13.1f};{all_:>6.1f}" for one, all_ in zip(of_30, of_all, strict=True)))
    middles = [median(ratios[name][1][place] for name in names) for place in range(len(LEAST))]
    met = [middle >= least for middle, least in zip(middles, LEAST.values(), strict=True)]
    fits &= all(met)
    print(f"{'median':<16}" + "".join(f"{middle:>20.1f}" for middle in middles))
    print(
        f"{'at least':<16}"
        + "".join(f"{least:>15.1f} {'met ' if one else 'MISS'}" for least, one in zip(LEAST.values(), met, strict=True))
    )
    for size, (least, most) in COVERAGE.items():
        print(
            f"{STUDIES:,} studies of {size}: intervals that hold the truth ({least:.0%} to {most:.0%}); above, below it"
        )
        for name in names:
            cells = []
            for holding, above, below in held[name][size].T:
                fits &= least <= holding <= most
                cells.append(f"{holding:>7.1%};{above:>5.1%};{below:>5.1%}{' ' if least <= holding <= most else '!'}")
            print(f"{name:<16}" + "".join(cells))
    return 0 if fits else 1


if __name__ == "__main__":
    raise SystemExit(main())
