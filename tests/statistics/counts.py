"""``python -m tests.statistics.counts``: do intervals from counters of 20 hours hold the truth?

Each seed draws a switchboard: a law of retrieval of one of six families, a patience, a time-out, a share never fetched,
rate and slots. parksim simulates 21 hours of it, its journal is counted by the hour (the first is left out, since the
lot starts empty), ``calibrate --counts`` makes a scenario and joint draws of the counters, and the long-run measures
of the draws make an interval from 2.5 to 97.5 %. Truth and draws are computed by formula (Erlang B and the race of the
clocks), so that no simulation error is in either. What is counted changes with the seed: all columns, all but refused,
all and the seconds parked, or all but offered and abandoned.

Coverage is that over switchboards like these, since what counters do not tell is drawn from a prior. At least 90 % of
the intervals must hold the truth. The half-width beside it says how much the counters know.
"""

import hashlib
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np

from parksim import theory
from parksim.journal.journal import Journal
from parksim.pbx import counted as estimating
from parksim.pbx import counts as reading
from parksim.pbx.counted import counted
from parksim.pbx.counts import COUNTS, read_counts
from parksim.results import to_csv
from parksim.rules import codes as c
from parksim.scenario.model import Scenario
from parksim.scenario.quantities import HOUR_US
from parksim.studies.replication import run
from tests.statistics.macro_runs import Outcome, exact_interval, options, outcomes

RUNS: Final = 300
LEAST: Final = 0.90
HOURS: Final = 20
MEASURES: Final = ("refused_share", "expired_share", "occupancy_mean")
FAMILIES: Final = ("exponential", "lognormal", "weibull", "gamma", "hyperexponential", "uniform")
COUNTED: Final = {
    "all": COUNTS,
    "not refused": tuple(one for one in COUNTS if one != "refused"),
    "parked_seconds": (*COUNTS, "parked_seconds"),
    "not offered, abandoned": tuple(one for one in COUNTS if one not in {"offered", "abandoned"}),
}
_KINDS: Final = {
    "offered": (c.OFFERED, None),
    "parked": (c.PARKED, None),
    "retrieved": (c.RETRIEVED, None),
    "returned": (c.EXPIRED, None),
    "abandoned": (c.ABANDONED, c.IN_LOT),
    "refused": (c.REFUSED, c.LOT_FULL),
}


def counters(journal: Journal, columns: tuple[str, ...], hours: range) -> str:
    """Return what a switchboard would have counted in some hours of a journal, as CSV."""
    of = journal.time_us // HOUR_US
    rows: dict[str, list[Any]] = {"time": [hour % 24 for hour in hours]}
    for name in columns:
        if name == "parked_seconds":
            rows[name] = _parked_seconds(journal, hours)
            continue
        kind, reason = _KINDS[name]
        chosen = (journal.kind == kind) & ((journal.reason == reason) if reason is not None else True)
        rows[name] = [int((of[chosen] == hour).sum()) for hour in hours]
    return to_csv(rows, zip(*rows.values(), strict=True))


def _parked_seconds(journal: Journal, hours: range) -> list[float]:
    edges = [hour * HOUR_US for hour in (*hours, hours.stop)]
    steps = (journal.kind == c.PARKED).astype(np.int64)
    for kind, reason in (_KINDS[name] for name in ("retrieved", "returned", "abandoned")):
        steps -= (journal.kind == kind) & ((journal.reason == reason) if reason is not None else True)
    # Sum of (edge - instant) over parks less that over endings: the time parked up to each edge.
    up_to = [int((steps * np.maximum(edge - journal.time_us, 0)).sum()) for edge in edges]
    return [round((after - before) / 1e6, 3) for before, after in pairwise(up_to)]


def law_of(kind: str, mean_s: float, generator: np.random.Generator) -> str:
    """Return a law of a family with a mean, its shape drawn."""
    if kind == "exponential":
        return f'{{ kind = "exponential", mean = {mean_s} }}'
    if kind == "lognormal":
        sigma = generator.uniform(0.4, 1.1)
        return f'{{ kind = "lognormal", median = {mean_s * np.exp(-(sigma**2) / 2)}, sigma = {sigma} }}'
    if kind == "hyperexponential":  # the shape of measured patience: 13 % of 64 s, 87 % of 501 s
        return f'{{ kind = "hyperexponential", weights = [0.13, 0.87], means = [{0.144 * mean_s}, {1.128 * mean_s}] }}'
    if kind == "uniform":
        return f'{{ kind = "uniform", low = {0.3 * mean_s}, high = {1.7 * mean_s} }}'
    shape = generator.uniform(0.8, 2.5)
    return f'{{ kind = "{kind}", mean = {mean_s}, shape = {shape} }}'


def switchboard(seed: int) -> tuple[str, Scenario]:
    """Return a drawn switchboard and the family of its retrieval."""
    generator = np.random.default_rng(seed)
    family = FAMILIES[seed % len(FAMILIES)]
    limit_s = float(generator.choice([45.0, 60.0, 90.0, 120.0, 180.0, 300.0]))
    delay = law_of(family, limit_s * np.exp(generator.uniform(np.log(0.15), np.log(0.8))), generator)
    patience = law_of(("exponential", "hyperexponential")[seed % 2], generator.uniform(200.0, 900.0), generator)
    rate, probability = generator.uniform(40.0, 120.0), generator.uniform(0.3, 0.9)
    text = f"""
name = "Drawn"
[run]
horizon = "{HOURS + 1}h"
[arrivals]
kind = "poisson"
rate = "{rate}/h"
[attendants]
count = "unlimited"
handling = "0s"
[parking]
probability = {probability}
[lot]
slots = 10_000
max_in_parking = {limit_s}
patience = {patience}
[retrieval]
delay = {delay}
never = {generator.uniform(0.0, 0.3)}
"""
    free = Scenario.loads(text)
    load = values_of(free)[2]
    slots = theory.erlang_b_servers(load, float(np.exp(generator.uniform(np.log(0.002), np.log(0.1)))))
    return family, free.with_values({"lot.slots": slots})


def values_of(scenario: Scenario) -> list[float]:
    """Return the long-run measures of a scenario: Erlang's formula and the race of the clocks.

    Where chance made the rate seem to change by the hour, Erlang's formula is that of each hour (stays are short), and
    the hours in which nothing was counted are left out.
    """
    lot, retrieval, arrivals = scenario.lot, scenario.retrieval, scenario.arrivals
    stay = theory.race(lot.patience, retrieval.delay, retrieval.never, lot.max_in_parking)
    per_s = [arrivals.rate] if arrivals.kind == "poisson" else [one / 3600 for one in arrivals.calls_per_hour if one]
    loads = np.array(per_s) * scenario.parking.probability * stay.mean_s
    refused = np.array([theory.erlang_b(lot.slots, load) for load in loads.tolist()])
    return [float(loads @ refused / loads.sum()), stay.expired_share, float(np.mean(loads * (1.0 - refused)))]


def drawn_values(scenario: Scenario, draws: dict[str, Any]) -> np.ndarray[Any, Any]:
    """Return the long-run measures of each joint draw, shape (draws, measures)."""
    rows = zip(*(column.tolist() for column in draws.values()), strict=True)
    return np.array([values_of(with_draw(scenario, dict(zip(draws, row, strict=True)))) for row in rows])


def with_draw(scenario: Scenario, row: dict[str, float]) -> Scenario:
    """Return a scenario with one joint draw put in."""
    hours = {key: value for key, value in row.items() if key.startswith("arrivals.calls_per_hour.")}
    if hours:
        row = {key: value for key, value in row.items() if key not in hours}
        scenario = scenario.with_values({"arrivals.calls_per_hour": [float(one) for one in hours.values()]})
    return scenario.with_values(
        {key: f"{value!r}/s" if key == "arrivals.rate" else value for key, value in row.items()}
    )


def found(seed: int) -> Outcome:
    """Return what was drawn and counted, the truth, and the interval of each measure."""
    family, scenario = switchboard(seed)
    columns = list(COUNTED)[seed // len(FAMILIES) % len(COUNTED)]
    slots, limit_s = scenario.lot.slots, scenario.lot.max_in_parking.mean_s
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "counts.csv"
        path.write_text(counters(run(scenario, seed).journal, COUNTED[columns], range(1, HOURS + 1)), encoding="utf-8")
        result = counted(read_counts(path, slots), slots, limit_s, "")
    values = drawn_values(result.calibration.scenario, result.draws)
    low, high = np.quantile(values, (0.025, 0.975), axis=0).tolist()
    return {
        "family": family,
        "columns": columns,
        "truth": values_of(scenario),
        "low": low,
        "high": high,
        "point": values_of(result.calibration.scenario),
        "notes": len(result.notes),
    }


def main() -> int:
    """Print how often the intervals held the truth; return 1 when too seldom, else 0."""
    asked = options(__doc__ or "", RUNS).parse_args()
    code = hashlib.sha256(b"".join(Path(str(one.__file__)).read_bytes() for one in (reading, estimating))).hexdigest()[
        :16
    ]
    runs = list(outcomes(found, range(1, asked.runs + 1), {"counts": code}, asked.keep, asked.workers).values())
    groups = {"all": runs}
    for what in ("columns", "family"):
        for word in COUNTED if what == "columns" else FAMILIES:
            groups[f"{what}: {word}"] = [one for one in runs if one[what] == word]
    missed = False
    for group, some in groups.items():
        print(f"{group} ({len(some)} sets of counters, {sum(one['notes'] for one in some)} with a contradiction)")
        for place, name in enumerate(MEASURES):
            above = sum(one["low"][place] > one["truth"][place] for one in some)
            below = sum(one["high"][place] < one["truth"][place] for one in some)
            held = len(some) - above - below
            wide = np.median([(one["high"][place] - one["low"][place]) / 2 / one["truth"][place] for one in some])
            low, high = exact_interval(held, len(some))
            print(
                f"  {name:<15} {held / len(some):6.1%} ({low:.1%} to {high:.1%}); above {above}, below {below}; "
                f"half-width {wide:.0%} of the truth"
            )
            missed |= group == "all" and held < LEAST * len(some)
    print(f"at least {LEAST:.0%} of all: {'MISSED' if missed else 'met'}")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
