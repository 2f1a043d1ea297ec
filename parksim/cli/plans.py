"""The commands that plan: many designs, the least value that does, two scenarios compared, a result made again."""

import json as json_text
import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

from cyclopts import Parameter

from parksim.cli.options import (
    DONE,
    MISSED,
    UNDECIDED,
    Answer,
    Cluster,
    EngineName,
    Json,
    ScenarioFile,
    Seed,
    Set,
    StoreFile,
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
from parksim.cli.progress import Progress
from parksim.errors import UnfitError, UsageError
from parksim.reports.screen_plans import comparison_screen, frontier_screen, solution_screen, sweep_screen, to_csv
from parksim.results import nulled
from parksim.studies.compare import compare, compare_results
from parksim.studies.gather import REPLICATIONS
from parksim.studies.replication import ENGINES, expected_calls
from parksim.studies.rerun import load, rerun, result_of, study_of
from parksim.studies.search import FIRST_LOOK
from parksim.studies.solve import Solution, solve
from parksim.studies.study import Study
from parksim.studies.sweep import range_of, sweep, values_of

Made = TypeVar("Made")


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
    *keys: Annotated[
        str, Parameter(help="The key that is searched, such as lot.slots; a second one: for each of its values.")
    ],
    within: Annotated[
        tuple[str, ...],
        Parameter(negative=(), help="Lowest and highest value: 1..60, or 60s..300s:30 in steps. Once for each key."),
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
    """Find the smallest value of a key that meets all objectives; exit 1 when none does, 3 when it is undecided.

    With two keys: the smallest value of the first for each value of the second (3 when one of them is undecided).
    """
    check_count("--replications", replications, 2)
    check_seed(seed)
    check_engine(engine)
    check_out(out, (".db",))
    loaded = scenario_with(scenario, values)
    ranges = _ranges_of(keys, within)
    tried = len(ranges[0]).bit_length() + sum(2 * len(more) for more in ranges[1:])
    calls = expected_calls(loaded) * (replications or 2 * FIRST_LOOK) * tried
    with (
        stays_told(out),
        hands(workers, cluster, calls, engine) as (executor, number),
        Progress("replications", may_end_early=True) as told,
    ):
        options: dict[str, Any] = {
            "sense": "largest" if largest else "smallest",
            "precision": precision_of(precision),
            "seed": seed,
            "executor": executor,
            "workers": number,
            "engine": engine,
            "store": out,
            "progress": told,
        }
        ends, steps = [(one[0], one[-1]) for one in ranges], [one.step for one in ranges]
        solved = (
            solve(loaded, keys[0], ends[0], replications, step=steps[0], **options)
            if len(keys) == 1
            else solve(
                loaded, (keys[0], keys[1]), (ends[0], ends[1]), replications, step=(steps[0], steps[1]), **options
            )
        )
    screen = solution_screen(solved, out) if isinstance(solved, Solution) else frontier_screen(solved, out)
    code = {"found": DONE, "none": MISSED, "undecided": UNDECIDED}[solved.outcome]
    return Answer(_json(solved.to_dict()) if json else screen, code)


def _ranges_of(keys: tuple[str, ...], within: tuple[str, ...]) -> list[range]:
    if not 1 <= len(keys) == len(within) <= 2:
        raise UsageError(
            "solve searches one key within one range, or two within two, as in: solve SCENARIO lot.slots --within 1..60"
        )
    return [range_of(one) for one in within]


Side = Annotated[Path, Parameter(help="A scenario (.toml), or a result of run (.json, or a store .db).")]


def compare_command(
    a: Side,
    b: Side,
    *,
    replications: Annotated[int | None, Parameter(help="How many of each; 30, or as many as a result has.")] = None,
    seed: Annotated[int | None, Parameter(help="A whole number from 0; 1, or that of a result.")] = None,
    engine: Annotated[str | None, Parameter(help=f"One of: {', '.join(ENGINES)}; auto, or that of a result.")] = None,
    workers: WorkersOption = None,
    cluster: Cluster = None,
    values: Annotated[
        tuple[str, ...], Parameter(name="--set", negative=(), help="Replace a value in both: `--set run.horizon=1d`.")
    ] = (),
    out: StoreFile = None,
    json: Json = False,
) -> Answer:
    """Say what changes from one scenario or result to another, each measure with the interval of its difference."""
    check_count("--replications", replications, 2)
    check_seed(seed or 0)
    check_engine(engine or "auto")
    check_out(out, (".db",))
    paths = (a, b)
    results = {path: path.suffix in {".json", ".db"} for path in paths}
    if values and any(results.values()):
        raise UsageError("--set changes a scenario, and a result is what it is; give two scenarios")
    one, other = (_result_at(path) if results[path] else scenario_with(path, values) for path in paths)
    if isinstance(one, Study) and isinstance(other, Study):
        given = {"--replications": replications, "--seed": seed, "--engine": engine, "--out": out}
        for option, value in given.items():
            if value is not None:
                raise UsageError(f"{option}: two results are compared as they are; leave it out, or give two scenarios")
        compared = _with_files_told(lambda: compare_results(one, other))
    else:
        made = one if isinstance(one, Study) else other if isinstance(other, Study) else None
        if made is not None:
            replications = replications or len(made.results)
            seed = made.seed if seed is None else seed
            engine = engine or made.engine
        first, second = (side.scenario if isinstance(side, Study) else side for side in (one, other))
        replications = replications or REPLICATIONS
        calls = (expected_calls(first) + expected_calls(second)) * replications
        chosen = engine or "auto"
        with (
            stays_told(out),
            hands(workers, cluster, calls, chosen) as (executor, number),
            Progress("replications") as told,
        ):
            compared = _with_files_told(
                lambda: compare(
                    first,
                    second,
                    replications,
                    seed=1 if seed is None else seed,
                    executor=executor,
                    workers=number,
                    engine=chosen,
                    store=out,
                    progress=told,
                )
            )
    return Answer(_json(compared.to_dict()) if json else comparison_screen(compared, out))


def _result_at(path: Path) -> Study:
    """Return the study in a store, or that of a written result made again."""
    if not path.is_file():
        raise UsageError(f"{path}: there is no such file")
    if path.suffix == ".json":
        result = result_of(path)
        return _with_files_told(lambda: study_of(path, result, None, {}))
    loaded = load(path)
    if isinstance(loaded, Study):
        return loaded
    raise UsageError(
        f"{path}: holds a sweep of {len(loaded.rows):,} designs; compare two scenarios, with --out {path}: "
        "what it holds of them is not run again"
    )


def _with_files_told(make: Callable[[], Made]) -> Made:
    """Let the complaint of a scenario whose files are not at hand be one about what was given."""
    try:
        return make()
    except UnfitError as error:
        raise UsageError(f"{error} (rerun takes it as --scenario FILE, compare instead of a result)") from None


def rerun_command(
    result: Annotated[Path, Parameter(help="A result of run (.json), or a store of run or sweep (.db).")],
    *,
    replication: Annotated[int | None, Parameter(help="Only this one, from 0; with --json its measures.")] = None,
    scenario: Annotated[
        Path | None, Parameter(help="The scenario's file, where it needs others, as recorded calls are.")
    ] = None,
    values: Set = (),
    workers: WorkersOption = None,
    cluster: Cluster = None,
    json: Json = False,
) -> Answer:
    """Make a result again and say whether every byte is the same; exit 1 with what differs, and which versions do."""
    check_count("--replication", replication, 0)
    if result.suffix not in {".json", ".db"}:
        raise UsageError(f"{result}: a result is a .json file of run, or a .db file of run or sweep")
    if not result.is_file():
        raise UsageError(f"{result}: there is no such file")
    if values and scenario is None:
        raise UsageError("--set goes with --scenario: together they give the result's scenario")
    own = None if scenario is None else scenario_with(scenario, values)
    with hands(workers, cluster, 0, "simpy") as (executor, number), Progress("replications") as told:
        again = _with_files_told(
            lambda: rerun(result, replication, scenario=own, executor=executor, workers=number, progress=told)
        )
    if json:
        return Answer(_json(again.to_dict()), DONE if again.same else MISSED)
    if again.same:
        return Answer(f"{result}: {again.made}, the same again to the last byte\n")
    lines = [f"{result}: {again.made}, not the same again"]
    lines += [
        f"version of {name}: was {was or 'none'}, is {now or 'none'}" for name, (was, now) in again.versions.items()
    ]
    lines += again.differences or ["all else is the same"]
    return Answer("\n  ".join(lines) + "\n", MISSED)


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
    "rerun": rerun_command,
}
