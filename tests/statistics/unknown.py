"""``python -m tests.statistics.unknown``: does the second interval hold the truth that a short log cannot tell?

For each seed parksim writes the journal of some 200 calls of ``KNOWN``, ``parksim calibrate`` reads it as it would a
PBX's log, and the scenario that comes out is run. Its first interval ("if the inputs are right") is about the
calibrated scenario, and misses the true one's value most of the time. The second ("with what is not known") must hold
it in 92 to 98 % of the logs. The truth is the long-run value of ``KNOWN``: Erlang's formula and the race of the clocks.
``--keep FILE`` resumes after an interruption.
"""

import tempfile
from pathlib import Path
from typing import Final

import parksim
from parksim.scenario import unknown as unknowns
from parksim.stats import nested, survival
from parksim.studies import draws
from parksim.studies.formulas import formulas
from parksim.studies.replication import run
from tests.statistics.calibration import source_digest
from tests.statistics.macro_runs import Outcome, exact_interval, options, outcomes

RUNS: Final = 500
LEAST: Final = 0.92
MOST: Final = 0.98
MEASURES: Final = ("refused_share", "expired_share", "occupancy_mean")
KNOWN: Final = """
name = "Known"
[run]
horizon = "100m"
[arrivals]
kind = "poisson"
rate = "120/h"
[attendants]
count = "unlimited"
handling = { kind = "exponential", mean = "30s" }
talk = { kind = "exponential", mean = "40s" }
[parking]
probability = 0.7
[lot]
slots = 3
max_in_parking = "120s"
when_full = "drop"
[retrieval]
delay = { kind = "lognormal", median = "45s", sigma = 0.7 }
never = 0.1
[recall]
to = "group"
"""


def judged(seed: int) -> Outcome:
    """Return for each measure both intervals of the scenario that is calibrated on the log of a seed."""
    with tempfile.TemporaryDirectory() as folder:
        log, scenario = Path(folder) / "known.jsonl", Path(folder) / "site.toml"
        run(parksim.Scenario.loads(KNOWN), seed).journal.save(log)
        parksim.calibrate(log).save(scenario)
        study = parksim.study(parksim.Scenario.load(scenario), seed=seed, engine="kernel")
    found: Outcome = {}
    for name in MEASURES:
        first, second = study.estimate(name), study.with_unknown(name)
        ends = None if second is None else [second.low, second.high]
        found[name] = {"first": [first.low, first.high], "second": ends, "point": first.mean}
    return found


def truth() -> dict[str, float]:
    """Return the long-run value of each measure of the true scenario."""
    table = formulas(parksim.Scenario.loads(KNOWN).with_values({"run.warm_up": "30m"}))
    values = {name: table[name].value for name in MEASURES}
    return {name: value for name, value in values.items() if isinstance(value, float)}


def main() -> int:
    """Print how often each interval held the truth; return 1 where the second one did too seldom or too often."""
    asked = options(__doc__ or "", RUNS).parse_args()
    sources = source_digest(nested, survival, draws, unknowns)
    what = {"scenario": parksim.Scenario.loads(KNOWN).digest, "sources": sources}
    runs = outcomes(judged, range(1, asked.runs + 1), what, asked.keep, asked.workers)
    true, missed = truth(), False
    print(f"{len(runs):,} logs; 95 % intervals that hold the truth: if the inputs are right, with what is not known")
    for name in MEASURES:
        held = {which: _holding(runs, name, which, true[name]) for which in ("first", "second")}
        shares = {which: count / len(runs) for which, count in held.items()}
        met = LEAST <= shares["second"] <= MOST
        missed |= not met
        low, high = exact_interval(held["second"], len(runs))
        both = f"{shares['first']:6.1%}  {shares['second']:6.1%} ({low:.1%} to {high:.1%})"
        print(f"{name:<15} {true[name]:<10.6g} {both}  {'met' if met else 'MISSED'}")
    return 1 if missed else 0


def _holding(runs: dict[int, Outcome], name: str, which: str, true: float) -> int:
    ends = [one[name][which] for one in runs.values()]
    return sum(pair is not None and pair[0] <= true <= pair[1] for pair in ends)


if __name__ == "__main__":
    raise SystemExit(main())
