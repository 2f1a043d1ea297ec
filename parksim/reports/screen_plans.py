"""What sweeps, searches and comparisons answer, laid out for people, and as CSV for other programs."""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from parksim.catalogue import BY_NAME, SCALARS, SECTIONS, SHARES
from parksim.errors import UnfitError
from parksim.reports.screen import VERDICT_STYLES, empty_table, shown, unknown_words
from parksim.reports.words import words_of
from parksim.scenario.comments import as_set
from parksim.scenario.quantities import duration_s
from parksim.stats.estimate import Estimate
from parksim.studies.compare import Comparison, difference
from parksim.studies.levers import FIRST_KEY
from parksim.studies.search import Step
from parksim.studies.sensitivity import Effect, Sensitivity
from parksim.studies.solve import Frontier, Solution, is_time
from parksim.studies.study import Study
from parksim.studies.sweep import Row, Sweep

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
            Text(_figure(name, row.study.judged(name)), style) for (name, _), style in zip(columns, styles, strict=True)
        ]
        table.add_row(
            *(Text(str(value)) for value in row.values.values()), *cells, _verdict(row.study) if objectives else ""
        )
    return Group(
        Text(sweep.scenario.name, "bold"),
        Text(
            f"{len(sweep.rows):,} designs offered the same calls, {sweep.replications} replications of each; "
            f"estimate ({sweep.level * 100:g} % interval{unknown_words(row.study for row in sweep.rows)})"
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
    met = sorted((row for row in sweep.rows if row.study.verdict == "met"), key=_cost)
    undecided = [row.study.objectives for row in sweep.rows if row.study.verdict == "undecided"]
    # Where what is not known leaves one objective of a design undecided, more replications do not decide the design.
    inputs = [next((one for one in ones if one.undecided_by == "inputs"), None) for ones in undecided]
    first_keys = dict.fromkeys(one.measure_first for one in inputs if one is not None and one.measure_first)
    by_chance = inputs.count(None)
    design = ", ".join(f"{key} = {value}" for key, value in met[0].values.items()) if met else ""
    first = f"; the cheapest of them (smallest {', then '.join(map(str, sweep.over))}): {design}" if met else ""
    more = f"; {by_chance} undecided (more --replications would tell)" if by_chance else ""
    if len(inputs) > by_chance:
        more += f"; {len(inputs) - by_chance} undecided by what is not known"
        more += f" (measure {' and '.join(first_keys)} first)" if first_keys else ""
    return Text(f"{len(met)} of {len(sweep.rows):,} designs meet all objectives{first}{more}", "bold")


def _cost(row: Row) -> tuple[tuple[bool, float, str], ...]:
    """Return what orders designs from the cheapest: fewer of the first key, then of the next; words come last."""
    ordered = []
    for value in row.values.values():
        number = _seconds(value)
        ordered.append((number is None, number or 0.0, str(value)))
    return tuple(ordered)


def _seconds(value: object) -> float | None:
    """Return a value as a number, a duration in seconds; None for any other."""
    try:
        return float(value) if isinstance(value, int | float) else duration_s(value)
    except UnfitError:
        return None


def sensitivity_screen(made: Sensitivity) -> RenderableType:
    """Return what to measure first, what moves nothing, and a table of what each guess moves, the most first."""
    about = " and ".join(BY_NAME[name].words for name in made.asked)
    table = empty_table("Guess", "Value", *(name for name in made.measures), right=made.measures)
    for one in made.effects:
        table.add_row(one.key, _short(one.value), *(_both(one, name) for name in made.measures))
    lines = [
        f"Each guess is moved {_how_far(made)}, down and up. What matters: {about}.",
        f"Measure first: {', '.join(made.first)}." if made.first else "No guess to measure moves it beyond noise.",
        f"These do not move what matters beyond noise: {', '.join(made.idle)}." if made.idle else "",
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


def _written(key: str, value: int, *, is_time: bool) -> str:
    """Return a value of a key as one says it: 5 slots, 2m10s."""
    if is_time:
        minutes, seconds = divmod(value, 60)
        return f"{minutes}m" * bool(minutes) + f"{seconds}s" * bool(seconds or not minutes)
    return words_of({key: value})


def _short_answer(solution: Solution, *, is_time: bool) -> str:
    """Return the answer in a line of its own."""
    if solution.value is not None:
        return f"Answer: {_written(solution.key, solution.value, is_time=is_time)}"
    return "Answer: not decided" if solution.outcome == "undecided" else "Answer: none of these values"


def _unmoved(solution: Solution, name: str) -> list[Text]:
    """Return what the key does not move although it is missed, and the command for the key that does."""
    tried = sorted(solution.trail, key=lambda step: step.value)
    if solution.outcome != "none" or len(tried) < 2:
        return []
    low, high = tried[0], tried[-1]
    pairs = min(len(low.study.results), len(high.study.results))
    unmoved: dict[str, list[str]] = {}
    for one in (high if solution.sense == "smallest" else low).objectives:
        measure = one.objective.measure
        key = FIRST_KEY.get(measure, "")
        moved = _is_clear(difference(high.study, low.study, measure, pairs))
        if one.verdict == "missed" and not moved and key and key != solution.key:
            unmoved.setdefault(key, []).append(BY_NAME[measure].words)
    return [
        Text(f"{solution.key} does not move: {', '.join(words)}. {key} does:\n  parksim solve {name} {key}", "bold")
        for key, words in unmoved.items()
    ]


def solution_screen(solution: Solution, store: object = None, name: str = "SCENARIO") -> RenderableType:
    """Return the answer with its reason, Erlang's beside it, what was tried, and the gain over the neighbour."""
    timed = is_time(solution.scenario, solution.key)

    def said(value: int) -> str:
        return _written(solution.key, value, is_time=True) if timed else str(value)

    def in_units(text: str) -> str:
        return re.sub(r"(?<== )[0-9]+|(?<=objectives, )[0-9]+|(?<=but )[0-9]+", lambda one: said(int(one[0])), text)

    objectives = solution.scenario.objectives
    goal = " and ".join(f"{one.measure} {one.text}" for one in objectives)
    answer, style = _answer(solution), _OUTCOME_STYLES[solution.outcome]
    answer = answer if solution.value is None else said(solution.value)
    ends = "..".join(map(said, solution.within))
    told = "No formula beside it" if solution.erlang is None else f"A formula says {said(solution.erlang)}"
    table = _grid([_short_key(solution.key), "replications"], [(o.measure, o.text) for o in objectives], "All")
    for step in sorted(solution.trail, key=lambda step: step.value):
        table.add_row(said(step.value), f"{len(step.study.results):,}", *_objective_cells(step), _verdict(step))
    return Group(
        Text.assemble((_short_answer(solution, is_time=timed), style), f"  ({solution.scenario.name})"),
        Text.assemble(
            f"The {solution.sense} {solution.key} of {ends} with {goal}: ",
            (answer, style),
            _between(solution, said),
        ),
        Text(in_units(solution.reason)),
        *_unmoved(solution, name),
        Text(
            f"{told}: {solution.erlang_reason}\n\nWhat was tried; each verdict holds at "
            f"{solution.level * 100:g} %{unknown_words(step.study for step in solution.trail)}"
        ),
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
        Text(_figure(one.objective.measure, step.study.judged(one.objective.measure)), VERDICT_STYLES[one.verdict])
        for one in step.objectives
    ]


def _between(solution: Solution, said: Callable[[int], str] = str) -> str:
    if solution.between is None:
        return ""
    low, high = solution.between
    if low is None or high is None:
        end = low if high is None else high
        return f", {end if end is None else said(end)} or beyond the range"
    return f", between {said(min(low, high))} and {said(max(low, high))}"


def _gain(solution: Solution) -> list[Text]:
    """Return what the answer changes against its neighbour that misses, each measure with its paired interval."""
    if not solution.gain:
        return []
    words = "; ".join(f"{name} {_figure(name, one)}" for name, one in solution.gain.items())
    return [Text(f"\nAgainst the neighbour that does not meet them, call by call: {words}")]


def _better_and_worse(comparison: Comparison) -> list[str]:
    """Return which verdicts change, what gets better and what worse beyond noise: what objectives ask about first."""
    a, b = comparison.a, comparison.b
    was, now = ({one.objective.measure: one for one in study.objectives} for study in (a, b))
    changed = [
        f"{BY_NAME[name].words} ({now[name].objective.text}): {was[name].verdict} -> {now[name].verdict}"
        for name in was
        if name in now and was[name].verdict != now[name].verdict
    ]
    told: dict[str, list[str]] = {"better": [], "worse": []}
    for name in sorted(SCALARS, key=lambda name: name not in was):
        one = comparison.differences[name]
        direction = BY_NAME[name].change(one.low, one.high)
        if direction not in told:
            continue
        ends = " -> ".join(shown(name, study.estimate(name))[0] for study in (a, b))
        unit = "" if name in SHARES or BY_NAME[name].is_count else f" {BY_NAME[name].unit}"
        told[direction].append(f"{BY_NAME[name].words} {ends}{unit}")
    lines = [f"{heading.capitalize()}: {'; '.join(ones)}." for heading, ones in told.items() if ones]
    if was and now:
        lines.insert(0, f"Verdicts that change: {'; '.join(changed)}." if changed else "No verdict changes.")
    return lines if any(told.values()) else [*lines, "Nothing gets better or worse beyond noise."]


def _named(name: str, study: Study) -> str:
    return study.scenario.name if name in {"a", "b"} else f"{name} ({study.scenario.name})"


def _is_clear(one: Estimate) -> bool:
    return one.low is not None and one.high is not None and (one.low > 0 or one.high < 0)


def comparison_screen(
    comparison: Comparison, store: object = None, names: tuple[str, str] = ("a", "b")
) -> RenderableType:
    """Return what changes from a to b, which ``names`` call: what is better and worse, then each measure."""
    a, b = comparison.a, comparison.b
    level = f"b less a ({a.level * 100:g} % interval)"
    unsure = a.draws is not None or b.draws is not None
    table = empty_table("Measure", "a", "b", level, *["With what is not known"] * unsure, "", right=("a", "b"))
    for section, measures in SECTIONS.items():
        table.add_row(Text(section, "bold"))
        for name in measures:
            one = comparison.differences[name]
            wider = comparison.with_unknown(name)
            ends = one if wider is None else replace(one, low=wider.low, high=wider.high)
            sides = [shown(name, study.estimate(name))[0] for study in (a, b)]
            second = [shown(name, ends)[1] if wider else "-"] * unsure
            marked = Text("differs" if _is_clear(ends) else "", "bold")
            table.add_row(f"  {name}", *sides, _figure(name, one), *second, marked)
    changed = (f"{key}: {as_set(one)} -> {as_set(other)}" for key, (one, other) in comparison.changed.items())
    return Group(
        Text(f"a: {_named(names[0], a)}\nb: {_named(names[1], b)}", "bold"),
        Text("\n".join(changed) or "no change"),
        Text("\n".join(_better_and_worse(comparison))),
        Text(comparison.how),
        table,
        _made(comparison, store),
    )
