"""``python -m tests.statistics.advice``: do the changes that ``advise`` proposes hold with other seeds?

Each case is a shipped scenario that has objectives, and a seed of the advice. Every proposed change (single ones,
pairs, and what can be spared) is then run with 200 replications of a seed that the advice has not seen: it must meet
every objective, and with one step less of any of its keys the verdict must not be "met". The step is one of what is
counted; of time-outs and rosters it is what the advice says, and the table shows it. A case is right when all of its
changes are.
"""

from functools import partial
from typing import Any, Final

from parksim.scenario import shipped
from parksim.scenario.model import Scenario
from parksim.studies.advise import CONFIRMED, Change, advise
from parksim.studies.levers import amount
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
    """Return the verdicts on a change, and on the value of each key that is one step less."""
    values = dict(change.values)
    return {
        "values": values,
        "now": dict(change.now),
        "less": dict(change.less),
        "steps": dict(change.steps),
        "met": says(values),
        "less_said": {key: says(values | {key: one}) for key, one in change.less.items()},
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


def is_one_step(change: Outcome) -> bool:
    """Return whether each value named as less is one step away, or the present one, which may be nearer."""
    for key, less in change["less"].items():
        away = abs(amount(less) - amount(change["values"][key]))
        if away != change["steps"][key] and not (less == change["now"][key] and away < change["steps"][key]):
            return False
    return True


def is_right(change: Outcome) -> bool:
    """Return whether a change meets the objectives, and one step less of any key does not."""
    return change["met"] == "met" and "met" not in change["less_said"].values() and is_one_step(change)


def in_short(change: Outcome) -> str:
    """Return a change with its verdict, and one step less of each key with its own: rosters by their sum."""
    parts = [
        f"{key} {amount(value):g} ({amount(change['now'][key]):g} now; step {change['steps'][key]:g}"
        + (f"; {amount(change['less'][key]):g} {change['less_said'][key]})" if key in change["less"] else ")")
        for key, value in change["values"].items()
    ]
    return f"{' and '.join(parts)} {change['met']}"


def told(runs: dict[int, Outcome]) -> bool:
    """Print a line for each case and how many are right; return whether these are enough."""
    rows = {number: [is_right(one) for one in run["changes"]] for number, run in runs.items()}
    for number, run in runs.items():
        shown = "; ".join(map(in_short, run["changes"]))
        mark = "right" if all(rows[number]) else "WRONG"
        print(f"{mark}  {run['scenario']:<17} seed {run['seed']}  {run['replications']:>5} replications  {shown}")
    right = sum(map(all, rows.values()))
    changes = [one for row in rows.values() for one in row]
    low, high = exact_interval(right, len(rows))
    print(f"{right} of {len(rows)} cases right, {right / len(rows):.1%} (95 % interval {low:.1%} to {high:.1%})")
    print(f"{sum(changes)} of {len(changes)} changes right")
    met = right >= LEAST_RIGHT * len(rows)
    print(f"{right} of {len(rows)} cases right, {right / len(rows):.1%} (95 % interval {low:.1%} to {high:.1%})")
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
