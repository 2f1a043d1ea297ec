"""What a report says of a solution, a comparison and a sensitivity: each begins with a recommendation.

``plan_story`` takes what is a plan's own and adds what every plan has.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from parksim.catalogue import BY_NAME, SECTIONS
from parksim.reports import figures
from parksim.reports.figures import Figure
from parksim.reports.screen import shown, unknown_words
from parksim.reports.story import (
    SCENARIO_FILE,
    Cell,
    Chart,
    Mark,
    Sheet,
    Story,
    aim,
    assumptions,
    capital,
    change_of,
    commands,
    design_of,
    made,
    measured,
    moved,
    named,
    objectives_of,
    scenario_file,
)
from parksim.reports.words import key_words, label_of, value_words, words_of
from parksim.results import rows_to_csv
from parksim.studies.advise import Advice
from parksim.studies.compare import Comparison
from parksim.studies.search import Step
from parksim.studies.sensitivity import Sensitivity
from parksim.studies.solve import Frontier, Solution
from parksim.studies.study import Study


def plan_story(
    of: Study | Solution | Frontier | Advice,
    source: str,
    words: Sequence[str],
    csv: Mapping[str, list[dict[str, Any]]],
    replications: str,
    own: Mapping[str, Any],
    varied: Mapping[str, str] | None = None,
) -> Story:
    """Return the story of a plan: its ``own`` parts, and what every plan has.

    Args:
        of: the plan, or its study of the scenario as it stands: has scenario, seed, engine, level and made_with.
        source: the name of its store; empty when it has none.
        words: the command that makes it again, as ``["solve", SCENARIO_FILE, "lot.slots", ...]``.
        csv: the rows of the files in the page, by name.
        replications: how many, in words.
        own: by name, the parts of ``Story`` that are the plan's: kind, question, verdict, headline, ...
        varied: by key, the values that the plan tried.
    """
    scenario = of.scenario
    parts: dict[str, Any] = {"objectives": None, "choices": None, "charts": (), "tables": (), "footnotes": ()}
    parts |= {"title": scenario.name, "asked": scenario.notes.question, "sources": scenario.notes.head}
    parts |= {
        "assumptions": assumptions(scenario, varied or {}),
        "made": made(of, replications),
        "commands": commands(of, source, list(words)),
        "files": scenario_file(scenario) | {name: rows_to_csv(rows) for name, rows in csv.items()},
    }
    return Story(**{**parts, **own})


# A solution -----------------------------------------------------------------------------------------------------------


def of_solution(solution: Solution, source: str) -> Story:
    """Return the story of a solution: what to take, the objectives there, and what its neighbour misses."""
    key, ends = solution.key, solution.within
    chosen = _step_at(solution, solution.value) or _nearest(solution)
    table = objectives_of(chosen.study)
    caption = f"The objectives with {words_of({key: chosen.value})}{' [1]' if _looks(solution) else ''}"
    own = {
        "kind": f"a search for the {solution.sense} value that meets the objectives",
        "question": f"Which is the {solution.sense} value that meets the objectives: {key_words(key)}, "
        f"{value_words(key, ends[0])} to {value_words(key, ends[1])}?",
        "verdict": {"found": "met", "undecided": "undecided", "none": "missed"}[solution.outcome],
        "headline": _advice(solution),
        "objectives": None if table is None else table._replace(caption=caption),
        "details": tuple(_why(solution)),
        "charts": (_tried_chart(solution),),
        "tables": (_trail(solution),),
        "footnotes": _looks(solution),
    }
    tried = f"{sum(len(step.study.results) for step in solution.trail):,}, of {len(solution.trail)} values"
    return plan_story(
        solution,
        source,
        _solve_words(solution.asked),
        {"tried.csv": solution.flat()},
        tried,
        own,
        {key: f"{value_words(key, ends[0])} to {value_words(key, ends[1])}"},
    )


def _step_at(solution: Solution, value: int | None) -> Step | None:
    return next((step for step in solution.trail if step.value == value), None)


def _nearest(solution: Solution) -> Step:
    """Return the step that is nearest to the objectives where none meets them: the furthest one tried."""
    pick = max if solution.sense == "smallest" else min
    return pick(solution.trail, key=lambda step: step.value)


def _as_it_stands(solution: Solution) -> Step | None:
    """Return the step that is the scenario itself; None where it was not tried."""
    return next((one for one in solution.trail if one.study.scenario.digest == solution.scenario.digest), None)


def _advice(solution: Solution) -> str:
    key, (low, high) = solution.key, solution.within
    span = f"from {value_words(key, low)} to {value_words(key, high)}"
    number = "its objective" if len(solution.scenario.objectives) == 1 else "all objectives"
    if solution.outcome == "none":
        return f"{capital(key_words(key))}: no value {span} meets {number}."
    if solution.between is not None:
        ends = [words_of({key: one}) if one is not None else "a value beyond the range" for one in solution.between]
        return f"Not decided: the answer lies between {' and '.join(ends)}."
    step = _as_it_stands(solution)
    verb = "Keep" if step is not None and step.value == solution.value else "Take"
    least = "least" if solution.sense == "smallest" else "most"
    return f"{verb} {words_of({key: solution.value})}: the {least} {span} that meets {number}."


def _why(solution: Solution) -> list[str]:
    key, told = solution.key, []
    misses = [step for step in solution.trail if step.verdict == "missed"]
    base = _as_it_stands(solution)
    if solution.value is not None and misses:
        nearest = min(misses, key=lambda step: abs(step.value - (solution.value or 0)))
        told.append(_missed(key, nearest))
        gains = "; ".join(filter(None, (moved(name, one) for name, one in solution.gain.items())))
        told += [f"What the step changes, with the very same calls: {gains}."] if gains else []
    elif solution.outcome == "none":
        told.append(_missed(key, _nearest(solution)))
    elif solution.outcome == "undecided":
        told.append(f"{capital(solution.reason.replace(f'{key} = ', key_words(key) + ' '))}.")
    if base is not None and base.value != solution.value:
        told.append(f"The scenario as it stands has {words_of({key: base.value})}: {base.verdict}.")
    if solution.erlang is not None:
        told.append(f"Formulas say {words_of({key: solution.erlang})} ({solution.erlang_reason}).")
    return told


def _missed(key: str, step: Step) -> str:
    """Return which objectives a step misses, with what was measured."""
    words = [
        f"{label_of(one.objective.measure)} {measured(step.study, one.objective.measure)}, target {one.objective.text}"
        for one in step.objectives
        if one.verdict == "missed"
    ]
    return f"With {words_of({key: step.value})}, missed: {'; '.join(words)}."


def _tried_chart(solution: Solution) -> Chart:
    figure = figures.tried(solution)
    met = [step.value for step in solution.trail if step.verdict == "met"]
    values = ", ".join(value_words(solution.key, one) for one in sorted(met))
    finding = f"Of {len(solution.trail)} values tried these meet all objectives: {values or 'none'}."
    reading = f"Upright lines: {100 * figure.facts['level']:.4g} % intervals. Dashed: the target."
    return Chart(f"The objectives against the {key_words(solution.key)}", finding, reading, figure)


def _trail(solution: Solution) -> Sheet:
    rows: list[tuple[Cell, ...]] = [
        (
            value_words(solution.key, step.value),
            f"{len(step.study.results):,}",
            *(measured(step.study, one.objective.measure) for one in step.objectives),
            Mark(step.verdict),
        )
        for step in sorted(solution.trail, key=lambda step: step.value)
    ]
    headings = (capital(key_words(solution.key)), "Replications", *map(aim, solution.scenario.objectives), "All")
    mark = " [1]" if _looks(solution) else ""
    unsure = unknown_words(step.study for step in solution.trail)
    return Sheet(f"What was tried, with intervals{unsure}{mark}", headings, tuple(rows), (1,))


def _looks(solution: Solution | Frontier) -> tuple[str, ...]:
    """Return why intervals are wider than the level, where they are: a value is looked at more than once."""
    steps = solution.trail if isinstance(solution, Solution) else [step for _, step in solution.trail]
    level = steps[0].study.level
    if level == solution.level:
        return ()
    words = f"Intervals of {100 * level:.4g} %: a value gets more replications until it is decided, and is looked at "
    return (f"{words}after each step; all these looks together keep {100 * solution.level:g} %.",)


def _solve_words(asked: Mapping[str, Any]) -> list[str]:
    """Return the command that searches again."""
    keys, within, steps = (one if isinstance(one, list | tuple) else [one] for one in _axes(asked))
    words = ["solve", SCENARIO_FILE, *keys]
    for (low, high), step in zip(within, steps, strict=True):
        words += ["--within", f"{low}..{high}" + (f":{step}" if step != 1 else "")]
    words += ["--largest"] * (asked["sense"] == "largest")
    for name in ("replications", "precision"):
        words += [f"--{name}", f"{asked[name]}"] if asked[name] is not None else []
    return words


def _axes(asked: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    several = not isinstance(asked["key"], str)
    return asked["key"], asked["within"] if several else [asked["within"]], asked["step"]


def of_frontier(frontier: Frontier, source: str) -> Story:
    """Return the story of a frontier: the answer for each value of the second key."""
    (first, second), (ends, others) = frontier.keys, frontier.within
    found = [row for row in frontier.rows if row.solution.value is not None]
    answers = [f"{words_of({first: row.solution.value})} with {words_of({second: row.fixed})}" for row in found]
    objectives = frontier.scenario.objectives
    rows: list[tuple[Cell, ...]] = []
    for row in frontier.rows:
        step = _step_at(row.solution, row.solution.value)
        answer = value_words(first, row.solution.value) if step is not None else row.solution.outcome
        cells = ["-"] * len(objectives) if step is None else [measured(step.study, o.measure) for o in objectives]
        rows.append((value_words(second, row.fixed), answer, *cells))
    headings = (capital(key_words(second)), f"{capital(frontier.sense)}: {key_words(first)}", *map(aim, objectives))
    mark = " [1]" if _looks(frontier) else ""
    own = {
        "kind": f"a search for the {frontier.sense} values that meet the objectives",
        "question": f"Which is the {frontier.sense} value that meets the objectives ({key_words(first)}), for each "
        f"value of another ({key_words(second)})?",
        "verdict": {"found": "met", "undecided": "undecided", "none": "missed"}[frontier.outcome],
        "headline": _pairs_advice(frontier, answers),
        "details": (),
        "choices": Sheet(f"What each choice takes{mark}", headings, tuple(rows), (1,)),
        "footnotes": _looks(frontier),
    }
    words = {
        key: f"{value_words(key, low)} to {value_words(key, high)}"
        for key, (low, high) in ((first, ends), (second, others))
    }
    tried = f"{sum(len(step.study.results) for _, step in frontier.trail):,}, of {len(frontier.trail)} designs"
    return plan_story(frontier, source, _solve_words(frontier.asked), {"tried.csv": frontier.flat()}, tried, own, words)


def _pairs_advice(frontier: Frontier, answers: Sequence[str]) -> str:
    if answers:
        return f"Take {' or '.join(answers)}."
    undecided = frontier.outcome == "undecided"
    return "Not decided: no pair of values is seen to meet all objectives." if undecided else _NO_PAIR


_NO_PAIR: Final = "No pair of values meets all objectives."


# A comparison ---------------------------------------------------------------------------------------------------------


def of_comparison(comparison: Comparison, source: str) -> Story:
    """Return the story of a comparison: which of the two to choose, and what gets better and worse."""
    a, b = comparison.a, comparison.b
    changed = [
        f"{capital(key_words(key))}: {_value_or_none(key, one)} becomes {_value_or_none(key, other)}"
        for key, (one, other) in comparison.changed.items()
    ]
    kinds = _changes(comparison)
    details = [f"{one}." for one in changed]
    for kind in ("better", "worse"):
        names = [name for name, what in kinds.items() if what == kind]
        told = "; ".join(f"{label_of(name)}: {change_of(name, comparison.differences[name])}" for name in names)
        details.append(f"{capital(kind)}: {told or 'nothing that could be told from chance'}.")
    other = "scenario-b.toml"
    files = dict.fromkeys([other] * bool(scenario_file(b.scenario)), "".join(scenario_file(b.scenario).values()))
    own = {
        "title": a.scenario.name if a.scenario.name == b.scenario.name else f"{a.scenario.name} and {b.scenario.name}",
        "kind": f"two scenarios compared, {len(a.results)} replications of each",
        "question": f"What changes from {design_of(a.scenario)} (a) to {design_of(b.scenario)} (b)?",
        "verdict": "",
        "headline": _advice_of_two(comparison),
        "objectives": _objectives(comparison),
        "details": tuple(details),
        "charts": (_difference_chart(comparison),),
        "tables": tuple(_difference_sheets(comparison, kinds)),
        "footnotes": (f"The differences are {comparison.how}.",),
    }
    words = ["compare", SCENARIO_FILE, other, "--replications", str(len(a.results))]
    csv = {"differences.csv": comparison.flat()}
    story = plan_story(a, source, words, csv, f"{len(a.results)} of each", own)
    return _with_files(story, files)


def _with_files(story: Story, files: Mapping[str, str]) -> Story:
    return Story(**{**story.__dict__, "files": {**story.files, **files}})


def _value_or_none(key: str, value: object) -> str:
    return "not set" if value is None else value_words(key, value)


def _changes(comparison: Comparison) -> dict[str, str]:
    """Return what each measure of the screen does: "better", "worse", "differs", "unclear"; undefined ones not."""
    relations = {one.measure: one.relation for side in (comparison.a, comparison.b) for one in side.scenario.objectives}
    known: dict[str, str] = {}
    for name in (name for names in SECTIONS.values() for name in names):
        one = comparison.differences[name]
        if one.low is not None and one.high is not None:
            known[name] = BY_NAME[name].change(one.low, one.high, relations.get(name, ""))
    return known


def _advice_of_two(comparison: Comparison) -> str:
    """Return which of the two to choose, by their objectives; without any, how many measures get better and worse."""
    a, b = comparison.a, comparison.b
    if not comparison.changed:
        return "The two are the same scenario."
    if not a.objectives or not b.objectives:
        return "No objective is set: b is neither better nor worse as a whole."
    sides = {"a": a.verdict, "b": b.verdict}
    met = [name for name, verdict in sides.items() if verdict == "met"]
    if len(met) == 2:
        return "Both meet all objectives."
    others = "; ".join(f"{name} {_falls_short(side)}" for name, side in (("a", a), ("b", b)) if name not in met)
    if met:
        return f"{'Keep a' if met == ['a'] else 'Choose b'}: it meets all objectives; {others}."
    seen = "meets" if a.verdict == b.verdict == "missed" else "is seen to meet"
    return f"Neither {seen} all objectives: {others}."


def _falls_short(study: Study) -> str:
    """Return which objectives a study misses; where it misses none, which are undecided."""
    names = [label_of(one.objective.measure) for one in study.objectives if one.verdict == study.verdict]
    return f"{'misses' if study.verdict == 'missed' else 'is undecided on'} {', '.join(names)}"


def _objectives(comparison: Comparison) -> Sheet | None:
    a, b = comparison.a, comparison.b
    of_b = {one.objective.measure: one for one in b.objectives}
    both = [(one, of_b[one.objective.measure]) for one in a.objectives if one.objective.measure in of_b]
    rows: list[tuple[Cell, ...]] = [
        (
            named(one.objective.measure),
            one.objective.text
            if one.objective.text == other.objective.text
            else f"{one.objective.text}, {other.objective.text}",
            shown(one.objective.measure, a.estimate(one.objective.measure))[0],
            Mark(one.verdict),
            shown(one.objective.measure, b.estimate(one.objective.measure))[0],
            Mark(other.verdict),
            change_of(one.objective.measure, comparison.differences[one.objective.measure], "points"),
        )
        for one, other in both
    ]
    headings = (
        "Objective",
        "Target",
        "a",
        "Verdict on a",
        "b",
        "Verdict on b",
        f"b less a ({a.level * 100:g} % interval)",
    )
    return Sheet("The objectives", headings, tuple(rows), (2, 4)) if rows else None


def _difference_chart(comparison: Comparison) -> Chart:
    figure = figures.differences(comparison)
    counts = [(words, sum(row["change"] == kind for row in figure.rows)) for kind, words in _COUNTED.items()]
    finding = "; ".join(f"{count} {words}" for words, count in counts if count)
    reading = f"Points: b less a. Lines: {100 * comparison.a.level:g} % intervals; one that crosses 0 may be chance."
    return Chart(
        "What changes from a to b", f"{capital(finding)}." if finding else "", reading, figure if figure.rows else None
    )


_COUNTED: Final = {"better": "better", "worse": "worse", "differs": "differ", "unclear": "that chance may explain"}


def _difference_sheets(comparison: Comparison, kinds: Mapping[str, str]) -> list[Sheet]:
    a, b = comparison.a, comparison.b
    headings = ("Measure", "a", "b", f"b less a ({a.level * 100:g} % interval)", "")
    sheets = []
    for section, names in SECTIONS.items():
        rows: list[tuple[Cell, ...]] = []
        for name in names:
            points = [shown(name, side.estimate(name))[0] for side in (a, b)]
            kind = kinds.get(name, "")
            rows.append(
                (named(name), *points, change_of(name, comparison.differences[name]), kind if kind != "unclear" else "")
            )
        sheets.append(Sheet(f"{section} [1]", headings, tuple(rows), (1, 2)))
    return sheets


# A sensitivity --------------------------------------------------------------------------------------------------------


def of_sensitivity(sensitivity: Sensitivity, source: str) -> Story:
    """Return the story of a sensitivity: what to measure first."""
    base = sensitivity.base
    figure = figures.tornado(sensitivity)
    own = {
        "kind": f"{len(sensitivity.effects)} guesses, each moved down and up",
        "question": "Which of the guesses matter, and what should be measured first?",
        "verdict": "",
        "headline": _first_to_measure(sensitivity),
        "objectives": objectives_of(base),
        "details": tuple(_what_matters(sensitivity)),
        "charts": (_tornado_chart(sensitivity, figure),),
        "tables": (_effects(sensitivity),),
    }
    number = len(base.results)
    return plan_story(
        base,
        source,
        ["sensitivity", SCENARIO_FILE, "--replications", str(number)],
        {"effects.csv": sensitivity.flat()},
        f"{number} of each of {1 + sum(len(one.sides) for one in sensitivity.effects)} designs",
        own,
    )


def _first_to_measure(sensitivity: Sensitivity) -> str:
    if not sensitivity.first:
        return "No guess moves the answer beyond noise: nothing has to be measured first."
    return f"Measure first: {_listed(sensitivity.first)}."


def _listed(keys: Sequence[str]) -> str:
    return "; ".join(map(key_words, keys))


def _what_matters(sensitivity: Sensitivity) -> list[str]:
    about = " and ".join(map(label_of, sensitivity.asked))
    deciding = sensitivity.deciding
    told = [
        f"What matters here: {about}.",
        f"A verdict would change with: {_listed(deciding)}."
        if deciding
        else "No guess, moved so far, changes a verdict.",
    ]
    idle = sensitivity.idle
    return told + ([f"These do not move it beyond noise: {_listed(idle)}."] if idle else [])


def _tornado_chart(sensitivity: Sensitivity, figure: Figure) -> Chart:
    heading = "What each guess moves"
    if not figure.rows:
        return Chart(heading, "No guess moves a measure beyond noise.", "", None)
    first = figure.rows[0]
    effect = next(one for one in sensitivity.effects if one.key == first["key"])
    changes = "; ".join(
        f"{_brief(effect.key, side.value)}: {change_of(first['measure'], side.changes[first['measure']])}"
        for side in effect.sides
    )
    finding = f"{capital(label_of(first['measure']))}: moved most by {key_words(effect.key)} ({changes})."
    reading = (
        f"Bars: the change when the guess alone is moved. Thin lines: {100 * figure.facts['level']:g} % intervals. "
    )
    reading += "A guess that is not drawn does not move that measure beyond noise."
    return Chart(heading, finding, reading, figure)


def _effects(sensitivity: Sensitivity) -> Sheet:
    names = tuple(dict.fromkeys((*sensitivity.asked, *sensitivity.measures)))
    verdicts = {one.objective.measure: one.verdict for one in sensitivity.base.objectives}
    rows: list[tuple[Cell, ...]] = []
    for effect in sensitivity.effects:
        for n, side in enumerate(effect.sides):
            turned = [f"{label_of(name)}: {one}" for name, one in side.verdicts.items() if one != verdicts[name]]
            first = (capital(key_words(effect.key)), _brief(effect.key, effect.value)) if n == 0 else ("", "")
            changes = (
                change_of(name, side.changes[name], "points") if effect.moves(name) else "within noise"
                for name in names
            )
            rows.append((*first, _brief(effect.key, side.value), *changes, "; ".join(turned)))
    headings = ("Guess", "Value", "Moved to", *(capital(label_of(name)) for name in names), "Verdicts then")
    return Sheet("Guess by guess", headings, tuple(rows))


def _brief(key: str, value: object) -> str:
    """Return a value in words; of the hours of a day how many calls or people they come to."""
    if isinstance(value, list | tuple) and all(isinstance(one, int | float) for one in value):
        return f"{sum(value):,.6g} in all"
    return value_words(key, value)
