"""``python -m tests.statistics.common_numbers``: what common random numbers save when a lot gets one slot more.

Each run is one replication number n of ``scenarios/lot-only.toml``: with C slots and with C + 1 slots, offered the
same calls, and with C + 1 slots once more, offered the calls of another replication (number RUNS + n), as separate
simulations would be. Compared are the variances of the two differences in the refused share.
"""

from functools import partial
from typing import Final

import numpy as np

from parksim.studies.replication import chosen_engine, replicate
from tests.statistics.macro_runs import Outcome, lot_only, options, outcomes

RUNS: Final = 2_000
MOST: Final = 0.25
"""What the variance with common numbers may be of that with independent ones."""
RESAMPLES: Final = 4_000
MEASURE: Final = "refused_share"


def shares(number: int, apart: int, engine: str = "auto", values: Outcome | None = None) -> Outcome:
    """Return the refused shares of one replication: of C slots, of one more, and of one more with other calls."""
    few = lot_only(values)
    more = few.with_values({"lot.slots": few.settings.slots[0] + 1})
    ((first,), (common,), (separate,)) = (
        replicate(scenario, 1, [replication], engine)
        for scenario, replication in ((few, number), (more, number), (more, apart + number))
    )
    return {"few": first[MEASURE], "common": common[MEASURE], "separate": separate[MEASURE]}


def ratio_of_variances(common: np.ndarray, separate: np.ndarray) -> tuple[float, float, float]:
    """Return the ratio of the variances of two series of differences and its 95 % interval.

    The interval is that of the bootstrap (percentiles, pairs resampled together, seed 1): shares are not normal, and
    the two series have a side in common.
    """
    picks = np.random.default_rng(1).integers(len(common), size=(RESAMPLES, len(common)))
    ratios = common[picks].var(axis=1, ddof=1) / separate[picks].var(axis=1, ddof=1)
    low, high = np.quantile(ratios, (0.025, 0.975))
    return float(common.var(ddof=1) / separate.var(ddof=1)), float(low), float(high)


def main() -> int:
    """Print the ratio; return 1 when its interval is not within what it may be, else 0."""
    asked = options(__doc__ or "", RUNS).parse_args()
    scenario = lot_only()
    what = {"scenario": scenario.digest, "engine": asked.engine, "apart": asked.runs}
    run = partial(shares, apart=asked.runs, engine=chosen_engine(asked.engine, [scenario], 3 * asked.runs))
    runs = outcomes(run, range(1, asked.runs + 1), what, asked.keep, asked.workers).values()
    few, common, separate = (np.array([one[side] for one in runs]) for side in ("few", "common", "separate"))
    ratio, low, high = ratio_of_variances(common - few, separate - few)
    slots = scenario.settings.slots[0]
    print(f"{MEASURE} of {slots} and of {slots + 1} slots, {len(few):,} pairs of replications")
    for name, other in (("common numbers", common), ("independent numbers", separate)):
        error = (other - few).std(ddof=1) / len(few) ** 0.5
        print(f"{name:<20} difference {np.mean(other - few):.5f}, standard error {error:.6f}")
    met = high <= MOST
    print(
        f"variance with common numbers {ratio:.3f} of that with independent ones "
        f"(95 % interval {low:.3f} to {high:.3f}); at most {MOST:g}: {'met' if met else 'MISSED'}"
    )
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
