"""What sweeps, searches and comparisons answer, laid out for people, and as CSV for other programs."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from parksim.catalogue import BY_NAME, SECTIONS, SHARES
from parksim.reports.screen import VERDICT_STYLES, empty_table, shown
from parksim.stats.estimate import Estimate
from parksim.studies.compare import Comparison
from parksim.studies.search import Step
from parksim.studies.sensitivity import Effect, Sensitivity
from parksim.studies.solve import Frontier, Solution
from parksim.studies.study import Study
from parksim.studies.sweep import Sweep

SHOWN_WITHOUT_OBJECTIVES: Final = ("refused_share", "expired_share", "occupancy_mean")
"""What a sweep's screen shows of a scenario that has no objectives."""
_LONGEST: Final = "(0.0000..0.0162)"


def sweep_screen(sweep: Sweep, store: object = None) -> RenderableType:
    """Return a table of the designs: their values, their objectives' measures with intervals, which meet all."""
    objectives = [(one.measure, one.text) for one in sweep.scenario.objectives]
    columns = objectives or [(name, "") for name in SHOWN_WITHOUT_OBJECTIVES]
    table = _grid(map(_short_key, sweep.over), columns, "All" if objectives else "")
    for row in sweep.rows:
        styles = [VERDICT_STYLES[one.verdict] for one in row.study.objectives] or [""] * len(columns)
        cells = [
            Text(_figure(name, row.study.estimate(name)), style)
            for (name, _), style in zip(columns, styles, strict=True)
        ]
        table.add_row(
            *(Text(str(value)) for value in row.values.values()), *cells, _verdict(row.study) if objectives else ""
        )
    return Group(
        Text(sweep.scenario.name, "bold"),
        Text(
            f"{len(sweep.rows):,} designs offered the same calls, {sweep.replications} replications of each; "
            f"estimate ({sweep.level * 100:g} % interval)"
        ),
        table,
        *([_which_meet(sweep)] if objectives else []),
        _made(sweep, store),
    )


def _grid(keys: Iterable[str], measures: Iterable[tuple[str, str]], last: str) -> Table:
    """Return an empty table whose cells break at spaces where the screen is narrow: no figure is ever cut."""
    table = empty_table()
    for key in keys:
        table.add_column(key, overflow="fold", min_width=max(map(len, key.split())))
    for name, target in measures:
        table.add_column(f"{_broken(name)}\n{target}", overflow="fold", min_width=len(_LONGEST))
    table.add_column(last, no_wrap=True)
    return table


def _short_key(key: str) -> str:
    return key.replace(".", ".\n")


def _broken(name: str) -> str:
    """Return the name of a measure, on two lines when it is a long one."""
    end = name.rfind("_", 0, 16) + 1
    return name if len(name) <= 16 or not end else f"{name[:end]}\n{name[end:]}"


def _figure(name: str, estimate: Estimate) -> str:
    """Return point and interval in one: 2.10 % (1.86..2.33)."""
    point, interval = shown(name, estimate)
    if interval.endswith(" %") and point.endswith(" %"):
        interval = interval.replace(" %", "")
    return f"{point} ({interval.replace(' to ', '..')})" if point != "-" else "undefined"


def _verdict(one: Study | Step) -> Text:
    return Text(one.verdict, VERDICT_STYLES[one.verdict])


def _which_meet(sweep: Sweep) -> Text:
    met = [row for row in sweep.rows if row.study.verdict == "met"]
    undecided = sum(row.study.verdict == "undecided" for row in sweep.rows)
    design = ", ".join(f"{key} = {value}" for key, value in met[0].values.items()) if met else ""
    first = f"; the first of them: {design}" if met else ""
    more = f"; {undecided} undecided (more --replications would tell)" if undecided else ""
    return Text(f"{len(met)} of {len(sweep.rows):,} designs meet all objectives{first}{more}", "bold")


def sensitivity_screen(made: Sensitivity) -> RenderableType:
    """Return what to measure first, what moves nothing, and a table of what each guess moves, the most first."""
    moving = [one.key for one in made.effects if one.key not in made.idle]
    about = " and ".join(BY_NAME[name].words for name in made.asked)
    table = empty_table("Guess", "Value", *(name for name in made.measures), right=made.measures)
    for one in made.effects:
        table.add_row(one.key, _short(one.value), *(_both(one, name) for name in made.measures))
    lines = [
        f"Each guess is moved {_how_far(made)}, down and up. What matters: {about}.",
        f"Measure first: {', '.join(moving[:3])}." if moving else "No guess moves it beyond noise.",
        f"These move nothing beyond noise: {', '.join(made.idle)}." if made.idle else "",
        f"A verdict would change with: {', '.join(made.deciding)}." if made.deciding else "No verdict would change.",
    ]
    number = len(made.base.results)
    last = (
        f"{number} replications of {len(made.effects)} guesses, down and up; ~ is within noise; seed {made.base.seed}"
    )
    text = Text("\n".join(line for line in lines if line))
    return Group(Text(made.base.scenario.name, "bold"), text, table, Text(last, "dim"))


def _how_far(made: Sensitivity) -> str:
    """Return how far guesses are moved: to their limits, by a fifth where they have none."""
    limited = {one.key for one in made.effects} & made.base.scenario.ranges.keys()
    if not limited:
        return "by a fifth"
    return "to its limits" if len(limited) == len(made.effects) else "to its limits, or by a fifth without any"


def _short(value: object) -> str:
    if isinstance(value, dict):
        return " ".join(f"{one:g}" if isinstance(one, float) else str(one) for one in value.values())
    if isinstance(value, list):
        return "by the hour"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _both(effect: Effect, name: str) -> Text:
    """Return what a guess changes of a measure, moved down and up, in points for shares."""
    scale = 100.0 if name in SHARES else 1.0
    if not effect.moves(name):
        return Text("~", "dim")
    return Text(" / ".join(f"{(side.changes[name].mean or 0.0) * scale:+.2f}" for side in effect.sides))


def _made(result: Sweep | Solution | Frontier | Comparison, store: object) -> Text:
    """Return how a result was made: how many replications were run, how many ``store`` had, how many were damaged."""
    one = result.a if isinstance(result, Comparison) else result
    of = (
        f"{len(one.results)} replications of each" if isinstance(one, Study) else f"scenario {one.scenario.digest[:12]}"
    )
    gathered = f"{result.ran:,} replications"
    if store is not None:
        damaged = len(result.damaged)
        mended = f" ({damaged:,} records were damaged: run again)" if damaged else ""
        gathered = f"{gathered} run now, {result.reused:,} from {store}{mended}"
    return Text(f"seed {one.seed}, engine {one.engine}, {of}; {gathered}", "dim")


def solution_screen(solution: Solution, store: object = None) -> RenderableType:
    """Return the answer with its reason, Erlang's beside it, what was tried, and the gain over the neighbour."""
    objectives = solution.scenario.objectives
    goal = " and ".join(f"{one.measure} {one.text}" for one in objectives)
    level = solution.trail[0].study.level * 100  # of one look, so that the answer's is solution.level
    answer, style = _answer(solution), _OUTCOME_STYLES[solution.outcome]
    told = "No formula beside it" if solution.erlang is None else f"A formula says {solution.erlang}"
    table = _grid([_short_key(solution.key), "replications"], [(o.measure, o.text) for o in objectives], "All")
    for step in solution.trail:
        table.add_row(str(step.value), f"{len(step.study.results):,}", *_objective_cells(step), _verdict(step))
    return Group(
        Text(solution.scenario.name, "bold"),
        Text.assemble(
            f"The {solution.sense} {solution.key} of {solution.within[0]}..{solution.within[1]} with {goal}: ",
            (answer, style),
            _between(solution),
        ),
        Text(solution.reason),
        Text(f"{told}: {solution.erlang_reason}\n\nWhat was tried, in this order; estimate ({level:.4g} % interval)"),
        table,
        *_gain(solution),
        _made(solution, store),
    )


def frontier_screen(frontier: Frontier, store: object = None) -> RenderableType:
    """Return for each value of the second key the answer, Erlang's beside it, and the measures at the answer."""
    objectives = frontier.scenario.objectives
    goal = " and ".join(f"{one.measure} {one.text}" for one in objectives)
    (first, second), (ends, others) = frontier.keys, frontier.within
    table = _grid(
        [_short_key(second), _short_key(first), "by\nformula", "values\ntried"],
        [(one.measure, one.text) for one in objectives],
        "",
    )
    for row in frontier.rows:
        solution = row.solution
        at_answer = [step for step in solution.trail if step.value == solution.value]
        table.add_row(
            str(row.fixed),
            Text(_answer(solution) + _between(solution), _OUTCOME_STYLES[solution.outcome]),
            "-" if solution.erlang is None else str(solution.erlang),
            str(len(solution.trail)),
            *(_objective_cells(at_answer[0]) if at_answer else ["-"] * len(objectives)),
        )
    why = [f"{second} = {row.fixed}: {row.solution.reason}" for row in frontier.rows if row.solution.value is None]
    return Group(
        Text(frontier.scenario.name, "bold"),
        Text(
            f"The {frontier.sense} {first} of {ends[0]}..{ends[1]} for each {second} of {others[0]}..{others[1]} "
            f"with {goal}; measures at the answer"
        ),
        table,
        *map(Text, why),
        _made(frontier, store),
    )


_OUTCOME_STYLES: Final = {"found": "bold green", "undecided": "bold yellow", "none": "bold red"}


def _answer(solution: Solution) -> str:
    return str(solution.value) if solution.outcome == "found" else solution.outcome


def _objective_cells(step: Step) -> list[Text]:
    """Return the objectives' measures at a value, each in the colour of its verdict."""
    return [
        Text(_figure(one.objective.measure, step.study.estimate(one.objective.measure)), VERDICT_STYLES[one.verdict])
        for one in step.objectives
    ]


def _between(solution: Solution) -> str:
    if solution.between is None:
        return ""
    low, high = solution.between
    if low is None or high is None:
        return f", {low if high is None else high} or beyond the range"
    return f", between {min(low, high)} and {max(low, high)}"


def _gain(solution: Solution) -> list[Text]:
    """Return what the answer changes against its neighbour that misses, each measure with its paired interval."""
    if not solution.gain:
        return []
    words = "; ".join(f"{name} {_figure(name, one)}" for name, one in solution.gain.items())
    return [Text(f"\nAgainst the neighbour that does not meet them, call by call: {words}")]


def comparison_screen(comparison: Comparison, store: object = None) -> RenderableType:
    """Return what changes from a to b: the keys, then each measure on both sides and its difference."""
    a, b = comparison.a, comparison.b
    level = f"b less a ({a.level * 100:g} % interval)"
    unsure = a.draws is not None or b.draws is not None
    table = empty_table("Measure", "a", "b", level, *["With what is not known"] * unsure, "", right=("a", "b"))
    for section, names in SECTIONS.items():
        table.add_row(Text(section, "bold"))
        for name in names:
            one = comparison.differences[name]
            wider = comparison.with_unknown(name)
            ends = one if wider is None else replace(one, low=wider.low, high=wider.high)
            clear = ends.low is not None and ends.high is not None and (ends.low > 0 or ends.high < 0)
            sides = [shown(name, study.estimate(name))[0] for study in (a, b)]
            second = [shown(name, ends)[1] if wider else "-"] * unsure
            table.add_row(f"  {name}", *sides, _figure(name, one), *second, Text("differs" if clear else "", "bold"))
    return Group(
        Text(f"a: {a.scenario.name}\nb: {b.scenario.name}", "bold"),
        Text("\n".join(f"{key}: {one} -> {other}" for key, (one, other) in comparison.changed.items()) or "no change"),
        Text(comparison.how),
        table,
        _made(comparison, store),
    )
