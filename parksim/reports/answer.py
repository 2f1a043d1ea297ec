"""The planner's answer: a study on at most sixteen lines of eighty columns, the verdict first.

What is missed comes before what is met; shares are given as calls of a day; what is badly wrong is said whether or not
an objective asks about it. Every measure with its theory is on ``screen``.
"""

import re
import textwrap
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from parksim.catalogue import BY_NAME
from parksim.errors import UnfitError
from parksim.reports.screen import (
    VERDICT_STYLES,
    empty_table,
    intervals_in_words,
    shown,
    shown_unknown,
    slots_in_words,
    thin,
)
from parksim.reports.words import order_of, span
from parksim.scenario.sections import Hourly
from parksim.studies.advise import at_once
from parksim.studies.sensitivity import foremost
from parksim.studies.study import ObjectiveVerdict, Study

WIDTH: Final = 80
ROOM_BESIDE_TWO: Final = 24
"""Characters for an objective's words beside two intervals."""
MOST_OBJECTIVES: Final = 5
"""How many objectives the answer shows; the missed ones first."""
WORST_FIRST: Final = {"missed": 0, "undecided": 1, "met": 2}
MOST_ALIKE: Final = 6
"""Hours: where more of them may be the busiest, none is called so."""
_BAD: Final = (
    ("queue_abandoned_share", ">", 0.05, "of the callers hang up before an answer"),
    ("queue_full_share", ">", 0.05, "of the callers are turned away because the queue is full"),
    ("answered_within_share", "<", 0.5, "of the calls are answered in time, and no more"),
    ("refused_share", ">", 0.05, "of the parks are refused because the lot is full"),
    ("attendant_utilisation", ">", 0.95, "of their time the attendants are busy"),
    ("staff_utilisation", ">", 0.95, "of their time those who fetch calls are busy"),
)
"""What is badly wrong beyond this share, whether or not an objective asks about it; the worst for callers first."""
_MOST_BAD: Final = 3
RARE_TARGET: Final = 1e-3
"""A lower share takes splitting: plain replications decide it after many thousand requests only."""


def answer(study: Study, name: str) -> RenderableType:
    """Return the planner's answer to a study of the scenario that the command line calls ``name``."""
    scenario, number = study.scenario, len(study.results)
    design = f"{slots_in_words(scenario)}, {scenario.attendants.in_words}"
    made = f"{number} replications of {_window(study)}" if number != 1 else f"one replication of {_window(study)}"
    parts: list[RenderableType] = [Text.assemble((scenario.name, "bold"), f"\n{design}; {made}, seed {study.seed}")]
    objectives = sorted(study.objectives, key=lambda one: WORST_FIRST[one.verdict])
    if objectives:
        parts += [Text(headline_of(study), VERDICT_STYLES[study.verdict]), _objectives(study, objectives)]
    else:
        parts.append(Text("The scenario sets no objective, so nothing is judged: write [objectives]."))
    parts += [Text(textwrap.fill(line, WIDTH)) for line in found(study)]
    parts += [Text(line, overflow="fold") for line in _mended(study, name)]  # a command is never wrapped
    parts += [Text(line, overflow="fold") for line in _too_rare(study, name)]
    parts += [Text(line, overflow="fold") for line in _guesses(study, objectives, name)]
    parts.append(Text("More: --all prints every measure, parksim report makes a page of a result.", "dim"))
    return Group(*parts)


def _guesses(study: Study, objectives: list[ObjectiveVerdict], name: str) -> list[str]:
    """Return on how many guesses the answer rests, and which of them to measure first."""
    scenario = study.scenario
    guesses = len({*scenario.guesses, *scenario.not_known})
    if not guesses or any(one.measure_first for one in objectives):
        return []
    many, one = ("not known for sure", "not known for sure") if scenario.not_known else ("guesses", "a guess")
    told = f"{guesses} values are {many}" if guesses > 1 else f"One value is {one}"
    first = foremost(scenario, objectives[0].objective.measure) if objectives else ()
    asked = f"measure first {' and '.join(first)}" if first else "which of them matter? Try"
    return [*textwrap.wrap(f"{told}; {asked}:", WIDTH), f"  parksim sensitivity {name}"]


def _too_rare(study: Study, name: str) -> list[str]:
    """Return what measures refusals where a target is so low that it takes very many replications to judge it."""
    asked = {"refused_share", "time_full_share"}
    open_ones = [one.objective for one in study.objectives if one.verdict == "undecided"]
    if not any(one.measure in asked and one.value < RARE_TARGET for one in open_ones):
        return []
    return ["Few refusals are seen at such a target. To measure how rare they are:", f"  parksim rare {name}"]


def headline_of(study: Study) -> str:
    """Return the verdict on all objectives in a sentence."""
    number, missed = len(study.objectives), sum(one.verdict == "missed" for one in study.objectives)
    if study.verdict == "met":
        return "Yes: its objective is met." if number == 1 else f"Yes: all {number} objectives are met."
    if study.verdict == "undecided":
        return "Not decided: an interval holds the target."
    if number == 1:
        return "No: its objective is missed."
    return f"No: {missed} of {number} objectives {'is' if missed == 1 else 'are'} missed."


def found(study: Study) -> list[str]:
    """Return what follows the objectives: a warning, a window in whole calls, the busiest hour, what is badly wrong."""
    return [
        line
        for line in (
            *_undecided(study.objectives),
            study.scenario.recorded_too_late,
            thin(study),
            _calls(study),
            _busiest(study),
            *unasked(study),
        )
        if line
    ]


def mended(study: Study, name: str) -> list[str]:
    """Return what would meet the objectives of a study of the scenario ``name``, as far as it is known, in a line.

    Nothing is tried where the scenario needs files that are not at hand.
    """
    try:
        told = " ".join(line.strip() for line in _mended(study, name))
    except UnfitError:
        return []
    return [told] if told else []


def some(count: float) -> str:
    """Return a mean count for people: two digits below ten, whole above.

    >>> some(0.031), some(3.14), some(825.3)
    ('0.03', '3.1', '825')
    """
    return f"{count:,.0f}" if count >= 10 else f"{count:.1f}" if count >= 1 else f"{count:.1g}"


def _objectives(study: Study, objectives: list[ObjectiveVerdict]) -> RenderableType:
    table = empty_table("", "Estimate", *intervals_in_words(study), "Wanted", "Objective")
    for one in objectives[:MOST_OBJECTIVES]:
        name = one.objective.measure
        estimate = (*shown(name, study.estimate(name)), *shown_unknown(study, name))
        words = BY_NAME[name].words
        if study.draws is not None:  # two intervals leave the words less room
            estimate = (estimate[0], *(re.sub(r"( %)? to ", "..", interval) for interval in estimate[1:]))
            words = _cut(words)
        table.add_row(Text(one.verdict, VERDICT_STYLES[one.verdict]), *estimate, one.objective.text, words)
    table.padding = (0, 1, 0, 0)
    table.width = WIDTH
    if len(objectives) > MOST_OBJECTIVES:
        table.add_row("...", *[""] * (len(table.columns) - 2), f"and {len(objectives) - MOST_OBJECTIVES} more: --all")
    return table


def _cut(words: str) -> str:
    """Return the first words, as far as there is room beside two intervals."""
    some = textwrap.shorten(words, ROOM_BESIDE_TWO, placeholder="")
    return re.sub(r"( (the|a|an|at|before|within|because))+$", "", some)


def _undecided(objectives: list[ObjectiveVerdict]) -> list[str]:
    """Return what would decide the objectives that are open, where something is not known."""
    unknown = [one for one in objectives if one.measure_first]
    chance = [BY_NAME[one.objective.measure].words for one in objectives if one.undecided_by and not one.measure_first]
    first = dict.fromkeys(f"{one.measure_first} ({_cut(BY_NAME[one.objective.measure].words)})" for one in unknown)
    return [
        *([f"What is not known leaves it open. Measure first: {', '.join(first)}."] if unknown else []),
        *([f"Chance leaves it open: {', '.join(chance)}. Simulate more: --replications."] if chance else []),
    ]


def _window(study: Study) -> str:
    return span(study.scenario.horizon_us - study.scenario.warm_up_us)


def _calls(study: Study) -> str:
    """Return a window in whole calls, which are easier to weigh than shares."""
    names = (
        "calls_offered",
        "parks_requested",
        "refused_share",
        "parks_made",
        "expired_share",
        "queue_abandoned_share",
    )
    calls, asked, refused, made, back, gone = (study.estimate(name).mean for name in names)
    if not calls or not asked or refused is None or made is None or back is None or gone is None:
        return ""
    return (
        f"In {_window(study)}: {some(calls)} calls, {some(asked)} parks asked for, {some(refused * asked)} refused, "
        f"{some(back * made)} come back, {some(gone * calls)} give up waiting."
    )


def _busiest(study: Study) -> str:
    """Return the hour with the most park requests; "" where hours do not differ beyond noise."""
    arrivals = study.scenario.arrivals
    if arrivals.kind == "poisson" or not study.results:
        return ""
    if isinstance(arrivals, Hourly):  # the file says which hours are the busiest
        most = max(arrivals.calls_per_hour)
        hours = [hour for hour, calls in enumerate(arrivals.calls_per_hour) if calls == most]
    else:
        hours = [*busiest_hours(study, "parks_requested")]
    if not 0 < len(hours) <= MOST_ALIKE:
        return ""
    asked, refused = (study.estimate(f"{name}_by_hour", hours[0]).mean for name in ("parks_requested", "refused_share"))
    others = f" (and {len(hours) - 1} more like it)" if len(hours) > 1 else ""
    return f"Busiest from {hours[0]} to {hours[0] + 1} h{others}: {some(asked or 0.0)} parks asked for" + (
        "." if refused is None else f", {refused * (asked or 0.0):.2g} of them refused."
    )


def busiest_hours(study: Study, measure: str) -> tuple[int, ...]:
    """Return the hours that may be the busiest, that of the highest estimate first: their intervals overlap its."""
    estimates = {hour: study.estimate(f"{measure}_by_hour", hour) for hour in range(24)}
    known = {hour: one for hour, one in estimates.items() if one.mean is not None}
    if not known:
        return ()
    first = max(known, key=lambda hour: known[hour].mean or 0.0)
    least = known[first].low
    alike = [
        hour
        for hour, one in known.items()
        if hour != first and (least is None or one.high is None or one.high >= least)
    ]
    return (first, *alike)


def unasked(study: Study) -> list[str]:
    """Return what is badly wrong although no objective asks about it."""
    asked = {one.objective.measure for one in study.objectives}
    told = []
    for name, sign, limit, words in _BAD:
        one = study.estimate(name)
        if name in asked or one.mean is None or one.low is None or one.high is None:
            continue
        if one.low > limit if sign == ">" else one.high < limit:
            told.append(f"{one.mean:.0%} {words}".replace("%", " %"))
    return [f"Not asked, but badly wrong: {'; '.join(told[:_MOST_BAD])}."] if told else []


def _mended(study: Study, name: str) -> list[str]:
    """Return what would meet the missed objectives, where it is found at once, and the command that finds all."""
    if study.verdict != "missed":
        return []
    found = at_once(study)
    told = f"{order_of(found)}, and all are met." if found else "What would meet them?"
    return [*textwrap.wrap(f"{told} {'To confirm it' if found else 'Try'}:", WIDTH), f"  parksim advise {name}"]
