"""``python -m tests.statistics.solve``: does ``solve`` find the number of slots that Erlang's formula gives?

Seed by seed it searches 1..60 slots of ``scenarios/lot-only.toml``: first for the scenario's own target, then for a
target of the seed's own, drawn between the refused shares of C and of C - 1 slots (C from 3 to 8) and never within a
tenth of either; every other target lies at the very edge of what that leaves, where deciding is hardest.
"""

import math
import random
from functools import cache, partial
from typing import Final

from parksim.scenario.model import Scenario
from parksim.studies.formulas import formulas
from parksim.studies.solve import solve
from tests.statistics.macro_runs import Outcome, exact_interval, lot_only, options, outcomes

RUNS: Final = 200
WITHIN: Final = (1, 60)
SLOTS: Final = range(3, 9)
"""Answers that drawn targets have."""
APART: Final = 0.101
"""How far a target lies from Erlang's values at the answer and at one slot fewer, as a share of these: over a tenth."""
LEAST_RIGHT: Final = 0.92
MOST_UNDECIDED: Final = 0.10


@cache
def refused(scenario: Scenario, slots: int) -> float:
    """Return Erlang's refused share with so many slots."""
    value = formulas(scenario.with_values({"lot.slots": slots}))["refused_share"].value
    assert isinstance(value, float)
    return value


def is_apart(scenario: Scenario, target: float, slots: int) -> bool:
    """Return whether a target is over a tenth away from Erlang's values at the answer and at one slot fewer."""
    near = [refused(scenario, count) for count in (slots, slots - 1)]
    return near[0] < target < near[1] and all(abs(target - value) > 0.1 * value for value in near)


def drawn_target(scenario: Scenario, seed: int) -> float:
    """Return the target of a seed: every even seed's at an edge, the others between the edges (uniform logarithm)."""
    rng = random.Random(seed)
    slots = rng.choice(SLOTS)
    low, high = refused(scenario, slots) * (1 + APART), refused(scenario, slots - 1) * (1 - APART)
    if seed % 2 == 0:
        return rng.choice((low, high))
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def search(seed: int, drawn: bool, engine: str = "auto", values: Outcome | None = None) -> Outcome:
    """Return what ``solve`` finds for a seed, and what the formula says."""
    scenario = lot_only(values)
    if drawn:
        scenario = scenario.with_values({"objectives.refused_share": f"< {drawn_target(scenario, seed):.9f}"})
    target = scenario.objectives[0].value
    answer = solve(scenario, "lot.slots", WITHIN, seed=seed, engine=engine)
    exact = next(slots for slots in range(WITHIN[0], WITHIN[1] + 1) if refused(scenario, slots) < target)
    return {
        "target": target,
        "outcome": answer.outcome,
        "value": answer.value,
        "between": answer.between,
        "erlang": answer.erlang,
        "exact": exact,
        "apart": is_apart(scenario, target, exact),
        "replications": sum(len(step.study.results) for step in answer.trail),
        "reason": answer.reason,
    }


def judged(title: str, runs: dict[int, Outcome]) -> bool:
    """Print what came of some searches, and return whether it is what is asked of them."""
    decided = {seed: one for seed, one in runs.items() if one["outcome"] != "undecided"}
    right = sum(one["value"] == one["exact"] for one in decided.values())
    undecided = len(runs) - len(decided)
    all_apart = all(one["apart"] and one["erlang"] == one["exact"] for one in runs.values())
    share = right / len(decided) if decided else 0.0
    met = all_apart and share >= LEAST_RIGHT and undecided <= MOST_UNDECIDED * len(runs)
    low, high = exact_interval(right, max(1, len(decided)))
    replications = sorted(one["replications"] for one in runs.values())
    print(f"{title}: {len(runs)} searches of {WITHIN[0]}..{WITHIN[1]} slots")
    print(
        f"  {right} of {len(decided)} decided are Erlang's answer, {share:.1%} (95 % interval {low:.1%} to {high:.1%})"
    )
    print(f"  {undecided} undecided, {undecided / len(runs):.1%}; replications of all values together:", end=" ")
    print(f"{replications[len(replications) // 2]} (median), {replications[-1]} (most)")
    print(f"  every target over 10 % from Erlang's values at the answer and one slot fewer: {all_apart}")
    print(f"  at least {LEAST_RIGHT:.0%} right, at most {MOST_UNDECIDED:.0%} undecided: {'met' if met else 'MISSED'}")
    for seed, one in runs.items():
        if one["value"] != one["exact"]:
            print(f"  seed {seed}, target {one['target']:.6f}, Erlang {one['exact']}: {one['reason']}")
    return met


def main() -> int:
    """Print both tables; return 1 when one is not what is asked, else 0."""
    parser = options(__doc__ or "", RUNS)
    parser.add_argument("--targets", choices=("own", "drawn", "both"), default="both")
    asked = parser.parse_args()
    met = True
    for drawn, title in ((False, "the scenario's own target"), (True, "targets drawn")):
        if asked.targets in {"both", "drawn" if drawn else "own"}:
            what = {"scenario": lot_only().digest, "engine": asked.engine, "within": WITHIN, "drawn": drawn}
            keep = asked.keep and asked.keep.with_suffix(f".{'drawn' if drawn else 'own'}{asked.keep.suffix}")
            run = partial(search, drawn=drawn, engine=asked.engine)
            runs = outcomes(run, range(1, asked.runs + 1), what, keep, asked.workers)
            met &= judged(title, runs)
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
