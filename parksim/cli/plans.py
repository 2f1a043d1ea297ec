"""The commands that plan: many designs, the least value that will do, a comparison, a result made again."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

from cyclopts import Parameter

from parksim.cli import misused
from parksim.cli import options as opt
from parksim.cli.report import loaded_result
from parksim.errors import UnfitError, UsageError

if TYPE_CHECKING:
    from parksim.scenario.model import Scenario
    from parksim.studies.study import Study

Made = TypeVar("Made")


def sweep_command(
    scenario: opt.ScenarioFile,
    *,
    over: Annotated[
        tuple[str, ...],
        Parameter(
            negative=(), help="A key and its values: `--over lot.slots=4..20`, `=4..20:4`, `=60s,2m`. Repeatable."
        ),
    ],
    replications: Annotated[int | None, Parameter(help="How many of each design. Default: 30.")] = None,
    how: opt.Execution = opt.BY_DEFAULT,
    values: opt.Set = (),
    out: opt.StoreFile = None,
    csv: Annotated[Path | None, Parameter(help="Write the designs to this file as well, a row each (.csv).")] = None,
    json: opt.Json = False,
) -> opt.Answer:
    """Offer the same calls to every combination of some values, and say which designs meet the objectives."""
    from parksim.reports.screen_plans import sweep_screen
    from parksim.results import rows_to_csv, write
    from parksim.studies.gather import REPLICATIONS
    from parksim.studies.sweep import sweep

    opt.check_count("--replications", replications)
    how.check()
    opt.check_out(out, (".db",))
    opt.check_out(csv, (".csv",), "--csv")
    replications = replications or REPLICATIONS
    loaded = opt.scenario_with(scenario, values)
    grid = _grid(over)
    opt.check_not_read("--out", out, loaded, scenario=scenario)
    opt.check_not_read("--csv", csv, loaded, scenario=scenario)
    calls = loaded.expected_calls * replications * math.prod(map(len, grid.values()))
    with how.running(calls, store=out) as options:
        swept = sweep(loaded, grid, replications, **options)
    if csv is not None:
        write(csv, rows_to_csv(swept.flat()))
    return opt.Answer(opt.as_json(swept.to_dict()) if json else sweep_screen(swept, out))


def solve_command(
    scenario: opt.ScenarioFile,
    *keys: Annotated[
        str, Parameter(help="The key to search, such as lot.slots; a second key: search for each of its values.")
    ],
    within: Annotated[
        tuple[str, ...],
        Parameter(
            negative=(),
            help="Lowest and highest value: 1..60, or 60s..300s:30 in steps (of 10 s by default). Once for each key; "
            "without it, up to four times what the scenario has.",
        ),
    ] = (),
    largest: Annotated[
        bool, Parameter(negative=(), help="The largest value that meets the objectives, where small ones do.")
    ] = False,
    replications: Annotated[
        int | None, Parameter(help="How many of each value; by default from 10 to 320, until it is decided.")
    ] = None,
    precision: Annotated[
        str | None,
        Parameter(help="A value nearer to a target than this share of it may remain undecided: 5%."),
    ] = None,
    how: opt.Execution = opt.BY_DEFAULT,
    values: opt.Set = (),
    out: opt.StoreFile = None,
    json: opt.Json = False,
) -> opt.Answer:
    """Find the smallest value of a key that meets all objectives; exit 1 when none does, 3 when it is undecided.

    With two keys: the smallest value of the first for each value of the second (3 when one of them is undecided).
    """
    from parksim.reports.screen_plans import frontier_screen, solution_screen
    from parksim.studies.search import FIRST_LOOK
    from parksim.studies.solve import Solution, solve

    opt.check_count("--replications", replications, 2)
    how.check()
    opt.check_out(out, (".db",))
    _check_order(scenario, keys)
    nearer = opt.fraction_of("--precision", precision, "5%")
    loaded = opt.scenario_with(scenario, values)
    opt.check_not_read("--out", out, loaded, scenario=scenario)
    ranges = _ranges_of(loaded, keys, within)
    tried = len(ranges[0]).bit_length() + sum(2 * len(more) for more in ranges[1:])
    calls = loaded.expected_calls * (replications or 2 * FIRST_LOOK) * tried
    with how.running(calls, may_end_early=True, store=out) as options:
        options |= {"sense": "largest" if largest else "smallest", "precision": nearer}
        ends, steps = [(one[0], one[-1]) for one in ranges], [one.step for one in ranges]
        solved = (
            solve(loaded, keys[0], ends[0], replications, step=steps[0], **options)
            if len(keys) == 1
            else solve(
                loaded, (keys[0], keys[1]), (ends[0], ends[1]), replications, step=(steps[0], steps[1]), **options
            )
        )
    screen = (
        solution_screen(solved, out, str(scenario)) if isinstance(solved, Solution) else frontier_screen(solved, out)
    )
    code = {"found": opt.DONE, "none": opt.MISSED, "undecided": opt.UNDECIDED}[solved.outcome]
    return opt.Answer(opt.as_json(solved.to_dict()) if json else screen, code)


def _check_order(scenario: Path, keys: tuple[str, ...]) -> None:
    """Refuse a scenario behind the key, and a key with its values in one word."""
    for key in keys:
        if misused.is_key(str(scenario)) and not scenario.exists() and not misused.is_key(key):
            right = misused.line("solve", key, str(scenario))
            raise UsageError(f"{scenario}: is a key, not a scenario; the scenario comes first: {right}")
        name, equals, values = key.partition("=")
        if equals:
            right = misused.line("solve", str(scenario), name, "--within", values)
            raise UsageError(f"{key}: a key has its range behind --within; type: {right}")
        if not misused.is_key(key) and key[:1].isdecimal():
            raise UsageError(f"{key}: is not a key; a range is one word with two dots, as in --within 4..16")


def _ranges_of(loaded: "Scenario", keys: tuple[str, ...], within: tuple[str, ...]) -> list[range]:
    if not 1 <= len(keys) <= 2 or len(within) not in {0, len(keys)}:
        raise UsageError(
            "solve searches one key within one range, or two within two, as in: solve SCENARIO lot.slots --within 1..60"
        )
    from parksim.studies.solve import CONFIGURED_STEP_S, is_time, usual_range
    from parksim.studies.sweep import range_of

    if not within:
        return [usual_range(loaded, key) for key in keys]
    ranges = []
    for key, text in zip(keys, within, strict=True):
        values = range_of(text)
        coarse = ":" not in text and len(values) > CONFIGURED_STEP_S and is_time(loaded, key)
        ranges.append(values[::CONFIGURED_STEP_S] if coarse else values)
    return ranges


def sensitivity_command(
    scenario: opt.ScenarioFile,
    *,
    replications: Annotated[int | None, Parameter(help="How many of each design. Default: 30.")] = None,
    how: opt.Execution = opt.BY_DEFAULT,
    values: opt.Set = (),
    out: opt.StoreFile = None,
    json: opt.Json = False,
) -> opt.Answer:
    """Say which guesses of a scenario matter: each is moved by a fifth, down and up, and what that changes is shown."""
    from parksim.reports.screen_plans import sensitivity_screen
    from parksim.studies.gather import REPLICATIONS
    from parksim.studies.sensitivity import sensitivity

    opt.check_count("--replications", replications, 2)
    how.check()
    opt.check_out(out, (".db",))
    loaded, number = opt.scenario_with(scenario, values), replications or REPLICATIONS
    opt.check_not_read("--out", out, loaded, scenario=scenario)
    with how.running(loaded.expected_calls * number * _GUESSES, store=out) as options:
        made = sensitivity(loaded, number, **options)
    return opt.Answer(opt.as_json(made.to_dict()) if json else sensitivity_screen(made))


def advise_command(
    scenario: opt.ScenarioFile,
    *,
    key: Annotated[
        tuple[str, ...],
        Parameter(negative=(), help="Change only this key: `--key lot.slots`. Repeatable. Default: all it can change."),
    ] = (),
    replications: Annotated[
        int | None, Parameter(help="How many confirm each change, 10 or more. Default: 200.")
    ] = None,
    how: opt.Execution = opt.BY_DEFAULT,
    values: opt.Set = (),
    out: opt.StoreFile = None,
    json: opt.Json = False,
) -> opt.Answer:
    """Say what to change so that all objectives are met, or what can be spared; exit 1 when no change meets them.

    Slots and time-out of each lot, attendants or their roster, staff: of each the smallest change that meets all
    objectives, confirmed by further replications, and what else it changes; of two keys where one is not enough.
    """
    from parksim.reports.screen_advice import advice_screen
    from parksim.studies.advise import CONFIRMED, EXPECTED, advise

    opt.check_count("--replications", replications, 10)
    how.check()
    opt.check_out(out, (".db",))
    loaded = opt.scenario_with(scenario, values)
    opt.check_not_read("--out", out, loaded, scenario=scenario)
    with how.running(loaded.expected_calls * EXPECTED, may_end_early=True, store=out) as options:
        advice = advise(loaded, keys=key or None, replications=replications or CONFIRMED, **options)
    code = opt.DONE if advice.verdict == "met" or advice.best else opt.MISSED
    return opt.Answer(opt.as_json(advice.to_dict()) if json else advice_screen(advice, out), code)


_GUESSES: Final = 20
"""About how many designs a sensitivity has; whether a pool of workers pays depends on it."""

Side = Annotated[Path, Parameter(help="A scenario (.toml), or a result of run (.json, or a store .db).")]


def compare_command(
    a: Side,
    b: Side | None = None,
    *,
    replications: Annotated[int | None, Parameter(help="How many of each; 30, or as many as a result has.")] = None,
    how: opt.Execution = opt.BY_DEFAULT,
    values: Annotated[
        tuple[str, ...],
        Parameter(name="--set", negative=(), help="Without B: what changes, `--set lot.slots=5`; with B: in both."),
    ] = (),
    out: opt.StoreFile = None,
    unchecked: opt.Unchecked = False,
    json: opt.Json = False,
) -> opt.Answer:
    """Say what changes from one scenario or result to another, or with other values: better, worse, verdicts.

    `parksim compare A --set attendants.count=3` compares a scenario with its changed self.
    """
    from parksim.reports.screen_plans import comparison_screen
    from parksim.studies.compare import changes, compare, compare_results
    from parksim.studies.gather import REPLICATIONS
    from parksim.studies.study import Study

    opt.check_count("--replications", replications, 2)
    how.check()
    opt.check_out(out, (".db",))
    if b is None and not values:
        right = (
            misused.line("compare", str(a), "--set", "lot.slots=8"),
            misused.line("compare", str(a), "tomorrow.toml"),
        )
        raise UsageError(f"compare needs B, a second scenario or result, or --set; type {right[0]}, or {right[1]}")
    paths = (a, a if b is None else b)
    results = {path: path.suffix in {".json", ".db"} for path in paths}
    if values and any(results.values()):
        raise UsageError("--set changes a scenario, not a result; compare two scenarios")
    both = all(results.values())
    one, other = (
        _result_at(path, unchecked, runs=both)
        if results[path]
        else opt.scenario_with(path, () if b is None and place == 0 else values)
        for place, path in enumerate(paths)
    )
    for path, side in zip(paths, (one, other), strict=True):
        if isinstance(side, Study):
            opt.check_not_read("--out", out, result=path)
        else:
            opt.check_not_read("--out", out, side, scenario=path)
    if isinstance(one, Study) and isinstance(other, Study):
        _check_as_they_are({"--replications": replications, "--out": out}, how)
        compared = _files_named(lambda: compare_results(one, other))
    else:
        made = one if isinstance(one, Study) else other if isinstance(other, Study) else None
        first, second = (side.scenario if isinstance(side, Study) else side for side in (one, other))
        if b is None and not json and not changes(first, second):
            return opt.Answer(f"{a} has {' and '.join(values)} already: the two are the same, so nothing was run.\n")
        number = replications or (REPLICATIONS if made is None else _count_of(made, paths[one is not made]))
        calls = (first.expected_calls + second.expected_calls) * number
        with how.running(calls, store=out, like=made) as options:
            compared = _files_named(lambda: compare(first, second, number, **options))
    names = (str(a), f"{a} with {' and '.join(values)}" if b is None else str(b))
    return opt.Answer(opt.as_json(compared.to_dict()) if json else comparison_screen(compared, out, names))


def _check_as_they_are(given: dict[str, object], how: opt.Execution) -> None:
    """Raise `UsageError` where an option asks for runs, which two results no longer need."""
    controls = {"--controls" if how.controls else "--no-controls": how.controls}
    of_runs = given | {"--seed": how.seed, "--level": how.level, "--engine": how.engine} | controls
    for option, value in of_runs.items():
        if value is not None:
            raise UsageError(f"{option}: two results are compared as they are; leave it out, or give two scenarios")


def _count_of(made: "Study", path: Path) -> int:
    """Return how many replications a result has, which may be a written one that was not made again."""
    from parksim.studies.rerun import result_of

    return len(made.results) or len(result_of(path, unchecked=True).made.request.sums)


def _result_at(path: Path, unchecked: bool, *, runs: bool) -> "Study":
    """Return the study in a store, or that of a written result: made again, or where it ``runs`` later without it."""
    from parksim.studies.rerun import result_of
    from parksim.studies.study import Study
    from parksim.studies.sweep import Sweep

    if not path.is_file():
        raise UsageError(f"{path}: there is no such file")
    if path.suffix == ".json" and not runs:
        written = result_of(path, unchecked=unchecked)
        made = written.made
        return Study(written.scenario, made.seed, made.engine, made.request.level, (), "")
    loaded = _files_named(lambda: loaded_result(path, unchecked=unchecked))
    if isinstance(loaded, Study):
        return loaded
    what = f"a sweep of {len(loaded.rows):,} designs" if isinstance(loaded, Sweep) else f"a {type(loaded).__name__}"
    raise UsageError(
        f"{path}: holds {what.lower()}; compare two scenarios, with --out {path}: its replications are reused"
    )


def _files_named(make: Callable[[], Made]) -> Made:
    """Turn the error of a scenario whose files are not at hand into one about the arguments."""
    try:
        return make()
    except UnfitError as error:
        raise UsageError(f"{error} (rerun takes it as --scenario FILE, compare instead of a result)") from None


def rare_command(
    scenario: opt.ScenarioFile,
    *,
    within: Annotated[
        str, Parameter(help="Half-width of the interval that is wanted, as a share of the estimate.")
    ] = "20%",
    seed: opt.Seed = 1,
    level: Annotated[str, Parameter(help="Confidence level of the intervals.")] = "95%",
    values: opt.Set = (),
    hands: opt.Hands = opt.HERE,
    json: opt.Json = False,
) -> opt.Answer:
    """Measure refusals that run hardly ever sees, one in a million say: copies of what leads to a full lot.

    Needs the extra `fast`. Exit 4 when no full lot is reached, or the work ends before the interval is narrow enough.
    """
    from parksim.reports.screen_rare import rare_screen
    from parksim.studies.rare import COPIES_COST, FIRST, rare

    opt.check_seed(seed)
    near, sure = opt.fraction_of("--within", within, "20%"), opt.fraction_of("--level", level, "95%")
    assert near is not None
    assert sure is not None
    loaded = opt.scenario_with(scenario, values)
    with hands.ready(loaded.expected_calls * FIRST * COPIES_COST, "kernel", may_end_early=True) as options:
        found = rare(loaded, near, seed=seed, level=sure, **options)
    code = opt.DONE if found.reached else opt.NOT_FINISHED
    return opt.Answer(found.to_json() + "\n" if json else rare_screen(found, opt.named(scenario, values)), code)


def rerun_command(
    result: Annotated[Path, Parameter(help="A result of run (.json), or a store of any command with --out (.db).")],
    *,
    replication: Annotated[int | None, Parameter(help="Only this one, from 0; with --json its measures.")] = None,
    scenario: Annotated[
        Path | None, Parameter(help="The scenario's file, where it needs others, as recorded calls are.")
    ] = None,
    values: opt.Set = (),
    how: opt.Hands = opt.HERE,
    json: opt.Json = False,
) -> opt.Answer:
    """Make a result again and say whether every byte is the same; exit 1 with the differences, also of versions."""
    from parksim.studies.rerun import rerun

    opt.check_count("--replication", replication, 0)
    opt.check_result(result, "a .json file of run, or a .db file of a command with --out", scenario, values)
    own = None if scenario is None else opt.scenario_with(scenario, values)
    with how.ready(0, "simpy") as options:
        again = _files_named(lambda: rerun(result, replication, scenario=own, **options))
    if json:
        return opt.Answer(opt.as_json(again.to_dict()), opt.DONE if again.same else opt.MISSED)
    if again.same:
        return opt.Answer(f"{result}: {again.made}, the same again to the last byte\n")
    lines = [f"{result}: {again.made}, not the same again"]
    lines += [
        f"version of {name}: was {was or 'none'}, is {now or 'none'}" for name, (was, now) in again.versions.items()
    ]
    lines += again.differences or ["all else is the same"]
    return opt.Answer("\n  ".join(lines) + "\n", opt.MISSED)


def _grid(over: tuple[str, ...]) -> dict[str, tuple[object, ...]]:
    from parksim.studies.sweep import values_of

    grid: dict[str, tuple[object, ...]] = {}
    for key, text in opt.pairs("--over", over, "lot.slots=4..20"):
        if key in grid:
            raise UsageError(f"--over {key}: appears twice; list all its values in one, as in --over {key}=4..6,9")
        grid[key] = values_of(text)
    return grid
