"""``python -m tests.statistics.coverage``: do 95 % intervals hold the truth in 95 % of studies, and miss both ways?

Each case is many studies of 30 replications, a seed each. Of a lot alone the truth is Erlang's formula and the race of
the clocks; the windows are 8 h, 1 h, 20 min and 10 min, and in some of them the whole study expects two to four
refusals. Where attendants make calls wait and returns are parked again no formula holds: there the truth is the ratio
of the sums over all studies of the case, whose own error is one over the square root of their number.
``--keep FOLDER`` resumes after an interruption.
"""

import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from parksim.scenario.model import TEMPLATE, Scenario
from parksim.studies import study as studies
from tests.statistics.macro_runs import Outcome, exact_interval, lot_only, options, outcomes

RUNS: Final = 400
REPLICATIONS: Final = 30
LEVEL: Final = 0.95
MEASURES: Final = ("refused_share", "expired_share", "parked_s_mean", "occupancy_mean")


class Case(NamedTuple):
    """Studies of one scenario.

    Attributes:
        name: In the table.
        scenario: What is simulated.
        least: The least share of intervals that must hold the truth.
        most: The greatest.
        side: The greatest share that may lie wholly above the truth, and wholly below it.
        precision: The studies stop at it; None for 30 replications.
        measures: Which are looked at.
    """

    name: str
    scenario: Scenario
    least: float = 0.93
    most: float = 0.975
    side: float = 0.04
    precision: float | None = None
    measures: tuple[str, ...] = MEASURES


def cases() -> Iterator[Case]:
    """Yield the cases: windows of a lot alone, few refusals, a stopping rule, and one that has no exact value."""
    exponential = {"retrieval.delay": '{ kind = "exponential", mean = "60s" }', "run.warm_up": "15m"}
    for window, minutes in (("8 h", 480), ("1 h", 60), ("20 min", 20), ("10 min", 10)):
        horizon = {"run.horizon": f"{15 + minutes}m"}
        yield Case(f"6 slots, {window}", lot_only(horizon | {"run.warm_up": "15m"}))
        yield Case(f"2 slots, {window}", lot_only(horizon | exponential | {"lot.slots": 2}))
    for slots, rate, minutes in ((4, 60, 10), (5, 60, 60), (9, 200, 10)):
        values = exponential | {"run.horizon": f"{15 + minutes}m", "lot.slots": slots, "arrivals.rate": f"{rate}/h"}
        few = f"{slots} slots, {rate}/h, {minutes} min, few refusals"
        yield Case(few, lot_only(values), most=1.0, measures=("refused_share",))
    values = exponential | {"run.horizon": "75m", "lot.slots": 3}
    precise = Case("3 slots, 1 h, precision 10 %", lot_only(values), 0.925, 0.98, 0.05, precision=0.1)
    yield precise._replace(measures=("refused_share", "occupancy_mean"))
    values = {"run.warm_up": "30m", "run.horizon": "90m", "arrivals.rate": "60/h", "attendants.count": 2}
    yield Case("waits and returns, 1 h", Scenario.loads(TEMPLATE).with_values(values | {"lot.slots": 3}))


def study_of(seed: int, case: Case, engine: str = "auto", replications: int = REPLICATIONS) -> Outcome:
    """Return what one study says of each measure: the ends of its interval, and the sums of its ratio."""
    how = {"replications": replications} if case.precision is None else {"precision": case.precision}
    study = studies.study(case.scenario, seed=seed, level=LEVEL, engine=engine, **how)
    found: Outcome = {"replications": len(study.results)}
    for name in case.measures:
        one, factors = study.estimate(name), study.measured.factors(name)
        found[name] = [one.low, one.mean, one.high, *(math.fsum(side) for side in factors[0])]
    return found


def truth_of(case: Case, name: str, runs: dict[int, Outcome]) -> tuple[float, str]:
    """Return what a measure is: by formula, or by the sums over all runs; and how it is known."""
    formula = studies.formulas(case.scenario)[name]
    if isinstance(formula.value, float):
        return formula.value, formula.reason
    part, whole = (math.fsum(run[name][place] for run in runs.values()) for place in (3, 4))
    return part / whole, "sum over all studies"


def misses(runs: dict[int, Outcome], name: str, truth: float) -> tuple[int, int]:
    """Return how many of the intervals lie wholly above the truth, and wholly below it."""
    ends = [(run[name][0], run[name][2]) for run in runs.values()]
    return sum(low > truth for low, _ in ends), sum(high < truth for _, high in ends)


def main() -> int:
    """Print the table; return 1 when a share of covering intervals is not where it must be, else 0."""
    parser = options(__doc__ or "", RUNS)
    parser.add_argument("--only", default="", help="only cases whose name has this text")
    asked = parser.parse_args()
    fits = True
    print(f"{asked.runs:,} studies a case; 95 % intervals that hold the truth, that lie above it, below it")
    for number, case in enumerate(cases()):
        if asked.only not in case.name:
            continue
        what = {"scenario": case.scenario.digest, "engine": asked.engine, "precision": case.precision, "level": LEVEL}
        keep = Path(asked.keep) / f"coverage-{number}.jsonl" if asked.keep else None
        run = partial(study_of, case=case, engine=asked.engine)
        runs = outcomes(run, range(1, asked.runs + 1), what, keep, asked.workers)
        print(f"{case.name} (at least {case.least:.1%}, at most {case.most:.1%}, on one side {case.side:.0%})")
        for name in case.measures:
            truth, known = truth_of(case, name, runs)
            above, below = misses(runs, name, truth)
            holding = len(runs) - above - below
            held = holding / len(runs)  # 372 of 400 are 0.93 to the last bit, which 1 - 28 / 400 is not
            met = case.least <= held <= case.most and max(above, below) <= case.side * len(runs)
            fits &= met
            low, high = exact_interval(holding, len(runs))
            print(
                f"  {name:<15} {truth:<10.6g} {held:6.2%} ({low:.1%} to {high:.1%})  {above / len(runs):5.2%} "
                f"{below / len(runs):5.2%}  {'met' if met else 'MISSED'}  {known}"
            )
    return 0 if fits else 1


if __name__ == "__main__":
    raise SystemExit(main())
