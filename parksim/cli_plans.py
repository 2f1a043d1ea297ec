"""The commands that plan: many designs, the least value that does, two scenarios compared, a result made again."""

import json as json_text
import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

from cyclopts import Parameter

from parksim.options import (
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
    scenario_with,
    stays_told,
)
from parksim.planning import sweep, values_of
from parksim.progress import Progress
from parksim.report import nulled
from parksim.report_plans import sweep_screen, to_csv
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


def _grid(over: tuple[str, ...]) -> dict[str, tuple[object, ...]]:
    grid: dict[str, tuple[object, ...]] = {}
    for key, text in pairs("--over", over, "lot.slots=4..20"):
        if key in grid:
            raise UsageError(f"--over {key}: is given twice; list all its values in one, as in --over {key}=4..6,9")
        grid[key] = values_of(text)
    return grid


def _json(value: Any) -> str:
    return json_text.dumps(nulled(value), ensure_ascii=False, allow_nan=False, indent=2) + "\n"


COMMANDS: Final[dict[str, Callable[..., Answer]]] = {"sweep": sweep_command}
