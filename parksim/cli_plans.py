"""The commands that plan: many designs, the least value that does, two scenarios compared, a result made again."""

import json as json_text
import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

from cyclopts import Parameter

from parksim.options import (
    DONE,
    MISSED,
    UNDECIDED,
    Answer,
    EngineName,
    Json,
    ScenarioFile,
    Seed,
    Set,
    StoreFile,
    UsageError,
    WorkersOption,
    check_count,
    check_engine,
    check_out,
    check_seed,
    hands,
    pairs,
    precision_of,
    scenario_with,
    stays_told,
)
from parksim.planning import compare, range_of, solve, sweep, values_of
from parksim.progress import Progress
from parksim.report import nulled
from parksim.report_plans import comparison_screen, solution_screen, sweep_screen, to_csv
from parksim.solving import FIRST_LOOK
from parksim.studies import REPLICATIONS, expected_calls

Cluster = Annotated[
    str | None, Parameter(help="Run on this Dask cluster, tcp://HOST:PORT, instead of here (extra `cluster`).")
]


def sweep_command(
    scenario: ScenarioFile,
    *,
    over: Annotated[
        tuple[str, ...],
        Parameter(
            negative=(), help="A key and its values: `--over lot.slots=4..20`, `=4..20:4`, `=60s,2m`. Repeatable."
        ),
    ],
    replications: Annotated[int, Parameter(help="How many of each design.")] = REPLICATIONS,
    seed: Seed = 1,
    engine: EngineName = "auto",
    workers: WorkersOption = None,
    cluster: Cluster = None,
    values: Set = (),
    out: StoreFile = None,
    csv: Annotated[Path | None, Parameter(help="Write the designs to this file, too, a row each (.csv).")] = None,
    json: Json = False,
) -> Answer:
    """Offer the same calls to every combination of some values, and say which designs meet the objectives."""
    check_count("--replications", replications)
    check_seed(seed)
    check_engine(engine)
    check_out(out, (".db",))
    check_out(csv, (".csv",), "--csv")
    loaded = scenario_with(scenario, values)
    grid = _grid(over)
    calls = expected_calls(loaded) * replications * math.prod(map(len, grid.values()))
    with (
        stays_told(out),
        hands(workers, cluster, calls, engine) as (executor, number),
        Progress("replications") as told,
    ):
        swept = sweep(
            loaded,
            grid,
            replications,
            seed=seed,
            executor=executor,
            workers=number,
            engine=engine,
            store=out,
            progress=told,
        )
    if csv is not None:
        csv.write_text(to_csv(swept.flat()), encoding="utf-8", newline="")
    return Answer(_json(swept.to_dict()) if json else sweep_screen(swept, out))


def solve_command(
    scenario: ScenarioFile,
    *keys: Annotated[str, Parameter(help="The key that is searched, such as lot.slots.")],
    within: Annotated[
        tuple[str, ...], Parameter(negative=(), help="Its lowest and highest value: 1..60, or 60s..300s:30 in steps.")
    ],
    largest: Annotated[
        bool, Parameter(negative=(), help="The largest value that does, where small values meet the objectives.")
    ] = False,
    replications: Annotated[
        int | None, Parameter(help="How many of each value; by default 10, and up to 320 until it is decided.")
    ] = None,
    precision: Annotated[
        str | None, Parameter(help="Nearer to a target than this share of it, 5%, a value may stay undecided.")
    ] = None,
    seed: Seed = 1,
    engine: EngineName = "auto",
    workers: WorkersOption = None,
    cluster: Cluster = None,
    values: Set = (),
    out: StoreFile = None,
    json: Json = False,
) -> Answer:
    """Find the smallest value of a key that meets all objectives; exit 1 when none does, 3 when it is undecided."""
    check_count("--replications", replications, 2)
    check_seed(seed)
    check_engine(engine)
    check_out(out, (".db",))
    loaded = scenario_with(scenario, values)
    key, tried = _search_of(keys, within)
    calls = expected_calls(loaded) * (replications or 2 * FIRST_LOOK) * len(tried).bit_length()
    with (
        stays_told(out),
        hands(workers, cluster, calls, engine) as (executor, number),
        Progress("replications", may_end_early=True) as told,
    ):
        solution = solve(
            loaded,
            key,
            (tried[0], tried[-1]),
            replications,
            sense="largest" if largest else "smallest",
            step=tried.step,
            precision=precision_of(precision),
            seed=seed,
            executor=executor,
            workers=number,
            engine=engine,
            store=out,
            progress=told,
        )
    code = {"found": DONE, "none": MISSED, "undecided": UNDECIDED}[solution.outcome]
    return Answer(_json(solution.to_dict()) if json else solution_screen(solution, out), code)


def _search_of(keys: tuple[str, ...], within: tuple[str, ...]) -> tuple[str, range]:
    if len(keys) != 1 or len(within) != 1:
        raise UsageError("solve searches one key within one range, as in: solve SCENARIO lot.slots --within 1..60")
    return keys[0], range_of(within[0])


def compare_command(
    a: Annotated[Path, Parameter(help="A scenario.")],
    b: Annotated[Path, Parameter(help="Another one.")],
    *,
    replications: Annotated[int, Parameter(help="How many of each.")] = REPLICATIONS,
    seed: Seed = 1,
    engine: EngineName = "auto",
    workers: WorkersOption = None,
    cluster: Cluster = None,
    values: Annotated[
        tuple[str, ...], Parameter(name="--set", negative=(), help="Replace a value in both: `--set run.horizon=1d`.")
    ] = (),
    out: StoreFile = None,
    json: Json = False,
) -> Answer:
    """Say what changes from one scenario to another, each measure with the interval of its difference."""
    check_count("--replications", replications, 2)
    check_seed(seed)
    check_engine(engine)
    check_out(out, (".db",))
    one, other = scenario_with(a, values), scenario_with(b, values)
    calls = (expected_calls(one) + expected_calls(other)) * replications
    with (
        stays_told(out),
        hands(workers, cluster, calls, engine) as (executor, number),
        Progress("replications") as told,
    ):
        compared = compare(
            one,
            other,
            replications,
            seed=seed,
            executor=executor,
            workers=number,
            engine=engine,
            store=out,
            progress=told,
        )
    return Answer(_json(compared.to_dict()) if json else comparison_screen(compared, out))


def _grid(over: tuple[str, ...]) -> dict[str, tuple[object, ...]]:
    grid: dict[str, tuple[object, ...]] = {}
    for key, text in pairs("--over", over, "lot.slots=4..20"):
        if key in grid:
            raise UsageError(f"--over {key}: is given twice; list all its values in one, as in --over {key}=4..6,9")
        grid[key] = values_of(text)
    return grid


def _json(value: Any) -> str:
    return json_text.dumps(nulled(value), ensure_ascii=False, allow_nan=False, indent=2) + "\n"


COMMANDS: Final[dict[str, Callable[..., Answer]]] = {
    "sweep": sweep_command,
    "solve": solve_command,
    "compare": compare_command,
}
