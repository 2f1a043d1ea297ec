"""``python -m tests.stats.coverage``: do 95 % intervals cover what the formulas say, in 95 % of studies?

Each macro-run is a study of 30 replications of ``scenarios/lot-only.toml``, some 22,900 parks each after the warm-up,
with a seed of its own; asked is whether its intervals of refused share and mean occupancy hold Erlang's exact values.
2,000 runs make 60,000 replications and some 1.4e9 parks: twenty minutes of one core with the kernel. ``--keep FILE``
goes on where it was stopped.
"""

from functools import partial
from typing import Final

from parksim.studies import study as studies
from tests.stats.macro_runs import Outcome, exact_interval, lot_only, options, outcomes

RUNS: Final = 2_000
REPLICATIONS: Final = 30
LEVEL: Final = 0.95
MEASURES: Final = ("refused_share", "occupancy_mean")
ALLOWED: Final = (0.93, 0.97)
"""Where the share of intervals that cover must lie; 95 % +- four standard errors of 2,000 runs."""
FEWEST_PARKS: Final = 20_000
LEAST_SHARE: Final = 0.01


def study_of(seed: int, engine: str = "auto", values: Outcome | None = None) -> Outcome:
    """Return the intervals of one study: of each measure its ends and its mean, and the parks of a replication."""
    study = studies.study(lot_only(values), REPLICATIONS, seed=seed, level=LEVEL, engine=engine)
    found: Outcome = {}
    for name in MEASURES:
        one = study.estimate(name)
        found[name] = [one.low, one.mean, one.high]
    found["parks"] = min(result["parks_requested"] for result in study.results)
    return found


def covering(runs: dict[int, Outcome], name: str, truth: float) -> int:
    """Return how many of the intervals hold the truth."""
    return sum(low <= truth <= high for low, _, high in (run[name] for run in runs.values()))


def main() -> int:
    """Print the table; return 1 when a share of covering intervals is not where it must be, else 0."""
    asked = options(__doc__ or "", RUNS).parse_args()
    scenario = lot_only()
    formulas = studies.formulas(scenario)
    what = {"scenario": scenario.digest, "engine": asked.engine, "replications": REPLICATIONS, "level": LEVEL}
    runs = outcomes(partial(study_of, engine=asked.engine), range(1, asked.runs + 1), what, asked.keep, asked.workers)
    parks = min(run["parks"] for run in runs.values())
    print(f"{len(runs):,} studies of {REPLICATIONS} replications, each of at least {parks:,.0f} parks")
    fits = parks >= FEWEST_PARKS
    if not fits:
        print(f"  a replication has fewer than {FEWEST_PARKS:,} parks: MISSED")
    for name in MEASURES:
        truth = formulas[name].value
        assert isinstance(truth, float)
        covers = covering(runs, name, truth)
        low, high = exact_interval(covers, len(runs))
        share = covers / len(runs)
        met = ALLOWED[0] <= share <= ALLOWED[1]
        fits &= met and (name != "refused_share" or truth > LEAST_SHARE)
        print(
            f"{name:<16} exact {truth:.6f} ({formulas[name].reason}): {covers:,} of {len(runs):,} intervals hold it, "
            f"{share:.2%} (95 % interval {low:.2%} to {high:.2%}); "
            f"between {ALLOWED[0]:.0%} and {ALLOWED[1]:.0%}: {'met' if met else 'MISSED'}"
        )
        mean = sum(run[name][1] for run in runs.values()) / len(runs)
        print(f"{'':<16} mean of all studies {mean:.6f}, {mean / truth - 1:+.4%} of the exact value")
    return 0 if fits else 1


if __name__ == "__main__":
    raise SystemExit(main())
