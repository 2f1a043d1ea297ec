"""``python -m tests.statistics.advice``: do the changes that ``advise`` proposes hold with other seeds?

Each case is a shipped scenario that has objectives, and a seed of the advice. Every proposed change (single ones,
pairs, and what can be spared) is then run with 200 replications of a seed that the advice has not seen: it must meet
every objective, and with the value that the advice names as too little (of each key) the verdict must not be "met". A
case is right when all of its changes are. Printed beside it, and not judged: how many changes are right as well when
the very next value on the near side is taken, also where the advice calls this value too close to call.
"""

from functools import partial
from typing import Any, Final

from parksim.scenario import shipped
from parksim.scenario.model import Scenario
from parksim.studies.advise import CONFIRMED, Change, advise
from parksim.studies.study import study
from tests.statistics.macro_runs import Outcome, exact_interval, options, outcomes

RUNS: Final = 40
OTHER_SEEDS: Final = 1_000_000
"""What is added to the seed of an advice to judge it."""
LEAST_RIGHT: Final = 0.95


def scenarios() -> dict[str, Scenario]:
    """Return the shipped scenarios that have objectives, by name."""
    loaded = {name: Scenario.load(path) for name, path in shipped.shipped().items()}
    return {name: one for name, one in loaded.items() if one.objectives}


def case_of(number: int) -> tuple[str, int]:
    """Return the scenario and the seed of a case, from 1: all scenarios with a seed, then all with the next."""
    seed, place = divmod(number - 1, len(scenarios()))
    return list(scenarios())[place], seed + 1


def verdict(scenario: Scenario, values: dict[str, Any], seed: int, replications: int, engine: str) -> str:
    """Return what a run with other seeds says of a scenario with some values."""
    plain = {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}
    changed = scenario.with_values(plain) if plain else scenario
    return study(changed, replications, seed=seed + OTHER_SEEDS, engine=engine).verdict


def judged(change: Change, says: "partial[str]") -> Outcome:
    """Return the verdicts on a change, on the value of each key that is named as too little, and on the next value."""
    values = dict(change.values)
    less = {key: values | {key: value} for key, value in change.less.items() if value is not None}
    nearer = {key: values | {key: close[0]} for key, close in change.close.items() if close}
    said = {key: says(one) for key, one in less.items()}
    return {
        "values": values,
        "less": dict(change.less),
        "met": says(values),
        "less_said": said,
        "next_said": said | {key: says(one) for key, one in nearer.items()},
    }


def outcome(number: int, engine: str = "auto", replications: int = CONFIRMED) -> Outcome:
    """Return what the advice of a case proposes, and what other seeds say of it."""
    name, seed = case_of(number)
    scenario = scenarios()[name]
    advice = advise(scenario, seed=seed, engine=engine)
    says = partial(verdict, scenario, seed=seed, replications=replications, engine=engine)
    changes = (*advice.changes, *advice.pairs, *advice.spare)
    return {
        "scenario": name,
        "seed": seed,
        "verdict": advice.verdict,
        "replications": advice.ran,
        "changes": [judged(one, says) for one in changes],
    }


def is_right(change: Outcome, below: str = "less_said") -> bool:
    """Return whether a change meets the objectives, and what lies below does not."""
    return change["met"] == "met" and "met" not in change[below].values()


def told(runs: dict[int, Outcome]) -> bool:
    """Print a line for each case and how many are right; return whether these are enough."""
    rows = {number: [is_right(one) for one in run["changes"]] for number, run in runs.items()}
    for number, run in runs.items():
        changes = "; ".join(
            f"{one['values']} {one['met']}, {one['less']} {'/'.join(one['less_said'].values())}"
            for one in run["changes"]
        )
        mark = "right" if all(rows[number]) else "WRONG"
        print(f"{mark}  {run['scenario']:<18} seed {run['seed']}  {run['replications']:>5} replications  {changes}")
    right = sum(map(all, rows.values()))
    changes = [one for run in runs.values() for one in run["changes"]]
    kept = sum(map(is_right, changes))
    strict = sum(is_right(one, "next_said") for one in changes)
    low, high = exact_interval(right, len(rows))
    met = right >= LEAST_RIGHT * len(rows)
    print(f"{right} of {len(rows)} cases right, {right / len(rows):.1%} (95 % interval {low:.1%} to {high:.1%})")
    print(f"{kept} of {len(changes)} changes right; {strict} of them also with the very next value below")
    print(f"at least {LEAST_RIGHT:.0%} of the cases: {'met' if met else 'MISSED'}")
    return met


def main() -> int:
    """Print the table; return 1 when too few cases are right, else 0."""
    asked = options(__doc__ or "", RUNS).parse_args()
    what = {"scenarios": {name: one.digest for name, one in scenarios().items()}, "engine": asked.engine}
    runs = outcomes(partial(outcome, engine=asked.engine), range(1, asked.runs + 1), what, asked.keep, asked.workers)
    return 0 if told(runs) else 1


if __name__ == "__main__":
    raise SystemExit(main())
