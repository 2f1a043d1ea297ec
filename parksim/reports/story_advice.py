"""What a report says of an advice: what to do, the objectives now and then, and what else that changes."""

from parksim.reports import figures
from parksim.reports.screen import shown
from parksim.reports.screen_advice import done, if_right, one_step_less, why_not
from parksim.reports.story import SCENARIO_FILE, Cell, Chart, Mark, Sheet, Story, capital, change_of, measured, named
from parksim.reports.story_plans import plan_story
from parksim.reports.words import label_of
from parksim.studies.advise import Advice, Change


def of_advice(advice: Advice, source: str) -> Story:
    """Return the story of an advice: what to change."""
    best, keys = advice.best, advice.keys
    shown_change = best or next(iter(advice.spare), None)
    own = {
        "kind": f"{len(keys)} keys tried, one by one and in pairs",
        "question": "What should be changed, so that all objectives are met?",
        "verdict": advice.verdict if best is None else "",
        "headline": _order(advice),
        "objectives": _now_and_then(advice),
        "details": tuple(_because(advice)),
        "choices": _alternatives(advice),
        "charts": () if shown_change is None else (_chart(advice),),
        "tables": () if shown_change is None else (_effects_of(advice, shown_change),),
    }
    number = len(advice.base.results)
    words = ["advise", SCENARIO_FILE, *(word for key in keys for word in ("--key", key)), "--replications", str(number)]
    return plan_story(
        advice, source, words, {"changes.csv": advice.flat()}, f"{number} of each change, to confirm it", own
    )


def _order(advice: Advice) -> str:
    if advice.best is not None:
        return f"{done(advice.best)}. Then all objectives are met."
    if advice.verdict != "met":
        return "No change of one key or two meets all objectives."
    if advice.spare:
        return f"All objectives are met, and less would do: {done(advice.spare[0])}."
    return "All objectives are met, and nothing is more than needed."


def _chart(advice: Advice) -> Chart:
    changes = (*advice.changes, *advice.pairs, *advice.spare)
    number = len(changes)
    finding = f"After {'this change' if number == 1 else f'each of these {number} changes'} all objectives are met."
    reading = f"Lines: {100 * advice.level:.4g} % intervals. Dashed: the target."
    return Chart("The objectives as they are and after each change", finding, reading, figures.advised(advice))


def _because(advice: Advice) -> list[str]:
    told = []
    change = advice.best or next(iter(advice.spare), None)
    if change is not None:
        told += [f"One step less: {less}"] if (less := one_step_less(change)) else []
        for side in ("better", "worse"):
            names = [name for name in change.effects if change.side(name) == side]
            words = "; ".join(f"{label_of(name)}: {change_of(name, change.effects[name])}" for name in names)
            told.append(f"{capital(side)}: {words or 'nothing that could be told from chance'}.")
    told += [if_right(advice)] if advice.scenario.not_known else []
    for name, why in advice.out_of_reach.items():
        told.append(f"Out of reach: {label_of(name)}: {why_not(advice, why)}.")
    return told


def _now_and_then(advice: Advice) -> Sheet:
    best = advice.best
    then = {} if best is None else {one.objective.measure: one.verdict for one in best.study.objectives}
    rows: list[tuple[Cell, ...]] = []
    for one in advice.objectives:
        name = one.objective.measure
        row: tuple[Cell, ...] = (named(name), one.objective.text, measured(advice.base, name), Mark(one.verdict))
        rows.append(row if best is None else (*row, measured(best.study, name), Mark(then[name])))
    headings = ("Objective", "Target", "Now", "Verdict now", "Then", "Verdict then")
    return Sheet("The objectives", headings[: len(rows[0])], tuple(rows))


def _alternatives(advice: Advice) -> Sheet | None:
    """Return every change that was found, with what gets better and worse; None where there is no choice."""
    rows = tuple(
        (
            done(one),
            *(
                ", ".join(label_of(name) for name in one.effects if one.side(name) == side)
                for side in ("better", "worse")
            ),
        )
        for one in (*advice.changes, *advice.pairs, *advice.spare)
    )
    return Sheet("What would do, one or the other", ("Change", "Better", "Worse"), rows) if len(rows) > 1 else None


def _effects_of(advice: Advice, change: Change) -> Sheet:
    rows = tuple(
        (
            named(name),
            *(shown(name, study.estimate(name))[0] for study in (advice.base, change.study)),
            change_of(name, one, "points"),
            side if (side := change.side(name)) != "unclear" else "",
        )
        for name, one in change.effects.items()
    )
    headings = ("Measure", "Now", "Then", f"Change ({advice.level * 100:g} % interval)", "")
    return Sheet(f"What it changes: {done(change)}", headings, rows, (1, 2))
