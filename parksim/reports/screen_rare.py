"""The planner's screen of rare refusals: how rare, how sure that is, and what theory and plain simulation say."""

import math
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from parksim.catalogue import BY_NAME
from parksim.reports.screen import LIMITS_UNSEEN, VERDICT_STYLES, empty_table, plain_text, slots_in_words
from parksim.reports.words import span
from parksim.stats.estimate import Estimate
from parksim.studies.rare import Rare

_YEAR_H: Final = 8_766.0


def rare_screen(rare: Rare, name: str) -> RenderableType:
    """Return the answer for a scenario that the command line calls ``name``."""
    scenario = rare.scenario
    window = f"{span(scenario.warm_up_us)} to {span(scenario.horizon_us)}"
    title = f"{slots_in_words(scenario)}, {scenario.attendants.in_words}; each replication measured from {window}"
    parts: list[RenderableType] = [Text.assemble((scenario.name, "bold"), "\n", title), _estimates(rare)]
    parts += [Text(line) for line in (_often(rare), _theory(rare), _wide(rare)) if line]
    if scenario.not_known:
        parts.append(Text(LIMITS_UNSEEN))
    if not rare.seldom:
        parts.append(Text("Refusals are not rare here, and run answers the other questions as well:", "yellow"))
        parts.append(Text(f"  parksim run {name}", overflow="fold"))
    made = f"{rare.replications} replications with {rare.copies:,} copies, {rare.refusals:,} refusals seen in them"
    plain = f"plain simulation would need at least {rare.plain_replications:,.0f} replications"
    return Group(*parts, Text(f"{made}; seed {rare.seed}; {plain}", "dim"))


def screen_text(rare: Rare) -> str:
    """Return ``rare_screen`` as plain text."""
    return plain_text(rare_screen(rare, "SCENARIO"))


def _estimates(rare: Rare) -> RenderableType:
    table = empty_table("Measure", "Estimate", f"{rare.refused_share.level * 100:g} % interval", "Wanted", "")
    judged = {one.objective.measure: one for one in rare.objectives}
    for measure, one in rare.estimates.items():
        if one.mean is not None:
            verdict = judged.get(measure)
            wanted = verdict.objective.text if verdict else ""
            shown = Text(verdict.verdict, VERDICT_STYLES[verdict.verdict]) if verdict else Text("")
            table.add_row(BY_NAME[measure].words, f"{one.mean:.3g}", _interval(one), wanted, shown)
    return table


def _interval(one: Estimate) -> str:
    return "-" if one.low is None or one.high is None else f"{one.low:.2g} to {one.high:.2g}"


def _often(rare: Rare) -> str:
    """Return the refused share in words that can be weighed: one park of how many, and how often that is."""
    mean = rare.refused_share.mean
    assert mean
    scenario = rare.scenario
    hours = (scenario.horizon_us - scenario.warm_up_us) / 3.6e9 / rare.refused_a_replication
    units = (("minutes", 1 / 60, 2.0), ("hours", 1.0, 100.0), ("days", 24.0, 2 * _YEAR_H), ("years", _YEAR_H, math.inf))
    unit, unit_h = next((unit, unit_h) for unit, unit_h, below_h in units if hours < below_h)
    number = hours / unit_h
    often = f"{number:,.0f}" if number >= 100 else f"{number:.3g}"
    return f"One park of {1 / mean:,.3g} is refused: one every {often} {unit}."


def _theory(rare: Rare) -> str:
    value = rare.theory.value
    if not isinstance(value, float):
        return ""
    exact = "exact" if rare.theory.within is None else "approximate; so far out its error was not measured"
    return f"Theory says {value:.3g} ({rare.theory.reason}; {exact})."


def _wide(rare: Rare) -> str:
    if rare.reached:
        return ""
    half, mean = rare.refused_share.half_width, rare.refused_share.mean
    assert half is not None
    assert mean is not None
    return (
        f"The half-width is {half / mean:.0%} of the estimate, not {rare.within:.0%}: the work ended at its limit. "
        "Intervals as wide as that may be too low: one rare replication more can raise the estimate."
    )
