"""What to change, laid out for people: the recommendation first, on at most twenty lines of eighty columns."""

import textwrap
from typing import TYPE_CHECKING, Final

from rich.console import Group, RenderableType
from rich.text import Text

from parksim.catalogue import BY_NAME, SHARES
from parksim.reports.answer import unasked
from parksim.reports.screen import VERDICT_STYLES, empty_table, shown
from parksim.reports.words import amount_words, key_words, label_of, order_of, words_of
from parksim.studies.advise import Advice, Change, OutOfReach

if TYPE_CHECKING:
    from parksim.studies.study import Study

WIDTH: Final = 80
MOST_OTHERS: Final = 3
"""How many further changes, or keys that do not help, the screen shows; the JSON has all."""
MOST_LINES: Final = 5
"""Of further changes."""
_SHORT: Final = {
    "refused_share": "parks refused",
    "expired_share": "parked calls that come back",
    "answered_within_share": "calls answered in time",
    "queue_abandoned_share": "callers who hang up waiting",
    "abandoned_share": "parked callers who hang up",
    "answer_wait_s_mean": "mean wait, seconds",
    "attendant_utilisation": "attendants busy",
}
"""What the watched measures are called where there is little room."""


def advice_screen(advice: Advice, store: object = None) -> RenderableType:
    """Return the recommendation, what else it changes, what could be done instead, and how it is known."""
    best = advice.best
    parts: list[RenderableType] = [Text(advice.scenario.name, "bold")]
    parts += [Text(line, "bold") for line in _recommended(advice)]
    parts += [Text(line, VERDICT_STYLES[advice.verdict]) for line in _verdict(advice)]
    if best is not None:
        parts.append(_effects(advice, best))
        parts += map(Text, _further(advice, best))
    elif advice.spare:
        parts.append(_effects(advice, advice.spare[0]))
    elif advice.verdict != "met":
        parts.append(_ends(advice))
    parts += [Text(line) for told in unasked(advice.base) for line in _filled(told)]
    parts += [Text(line) for line in _filled(if_right(advice))]
    gathered = f"{advice.ran:,} replications"
    if store is not None:
        damaged = f" ({len(advice.damaged):,} records were damaged: run again)" if advice.damaged else ""
        gathered = f"{gathered} run now, {advice.reused:,} from {store}{damaged}"
    last = (
        f"Confirmed by {len(advice.base.results)} replications the search had not seen; seed {advice.seed}, {gathered}"
    )
    return Group(*parts, *(Text(line, "dim") for line in textwrap.wrap(last, WIDTH)))


def _verdict(advice: Advice) -> list[str]:
    """Return how the scenario stands, and what it misses."""
    number = len(advice.objectives)
    lost = [one for one in advice.objectives if one.verdict != "met"]
    if not lost:
        return [f"Now {'its objective is' if number == 1 else f'all {number} objectives are'} met."]
    told = []
    for verdict, words in (("missed", "Missed now"), ("undecided", "Too close to call")):
        names = [one.objective.measure for one in lost if one.verdict == verdict]
        figures = [
            f"{_name(name)} {shown(name, advice.base.estimate(name))[0]} (wanted {_target(advice, name)})"
            for name in names
        ]
        told += _filled(f"{words}: {', '.join(figures)}.", "  ") if names else []
    return told


def _recommended(advice: Advice) -> list[str]:
    """Return the first lines: what to do, and what one step less comes to."""
    best = advice.best
    if best is not None:
        alone = [] if len(best.values) == 1 else ["No single change meets all objectives; this pair does:"]
        return [*alone, *_filled(f"{done(best)}. Then all objectives are met."), *_filled(one_step_less(best))]
    if advice.spare:
        lines = ["Less would still meet them, one key at a time:"]
        for one in advice.spare:
            lines += _filled(f"  {done(one)}. {one_step_less(one)}", "    ")
        return lines
    if advice.verdict == "met":
        return ["Nothing is more than needed: less of any key misses an objective, or may."]
    lines = ["No change of one key or two meets all objectives."]
    for name, why in advice.out_of_reach.items():
        lines += _filled(f"Out of reach: {_name(name)} {_target(advice, name)}: {why_not(advice, why)}.", "  ")
    return lines


def why_not(advice: Advice, one: OutOfReach) -> str:
    """Return why an objective is out of reach."""
    if one.key is not None:
        return f"{words_of({one.key: one.value})} would do, but not for: {', '.join(map(label_of, one.lost))}"
    if one.why == "undefined":
        return f"it has no value: {one.reason}"
    if one.load is not None:
        people = advice.scenario.attendants.in_words
        return f"{people} {one.busy:.0%} busy, and answering alone takes {one.load:.3g} hours of work an hour"
    return f"no tried value meets it, of: {', '.join(map(key_words, advice.keys))}"


def done(change: Change) -> str:
    """Return what a change does, as one orders it."""
    return order_of({key: (change.now[key], value) for key, value in change.values.items()})


def if_right(advice: Advice) -> str:
    """Return what the advice takes for granted; "" for a scenario that is known."""
    number = len(advice.scenario.not_known)
    values = f"{number} values are" if number > 1 else "one value is"
    return f"This holds if the inputs are right: {values} not known for sure." if number else ""


def one_step_less(change: Change) -> str:
    """Return what one step less comes to, and how long a step is where it is not the finest; "" where none is left."""
    told = []
    for key, less in change.less.items():
        words, step = amount_words(key, less), change.steps[key]
        if key in change.unclear:
            told.append(f"{words}: too close to call")
        elif change.is_finest(key):
            told.append(f"{words} would not do")
        else:
            number = len(change.study.results)
            length = amount_words(key, (int(step),) if isinstance(less, tuple) else int(step))
            why = f"in steps of {length}: nearer values cannot be told apart in {number} replications"
            told.append(f"{words} would not do ({why})")
    return f"{'; '.join(told)}." if told else ""


def _effects(advice: Advice, change: Change) -> RenderableType:
    """Return a table of what else a change does: better, worse, or no difference beyond noise."""
    table = empty_table(
        "", "Measure", "Now", "Then", f"Change in points ({advice.level * 100:g} %)", right=("Now", "Then")
    )
    styles = {"better": "bold green", "worse": "bold red", "differs": "bold"}
    for side, style in styles.items():
        for name in change.effects:
            if change.side(name) == side:
                now, then = (shown(name, study.estimate(name))[0] for study in (advice.base, change.study))
                table.add_row(Text(side, style), _SHORT[name], now, then, _difference(change, name))
    table.padding = (0, 1, 0, 0)
    alike = [_SHORT[name] for name in change.effects if change.side(name) == "unclear"]
    told = textwrap.fill(f"No difference beyond noise: {', '.join(alike)}.", WIDTH) if alike else ""
    return Group(table, *([Text(told)] if told else []))


def _difference(change: Change, name: str) -> str:
    one = change.effects[name]
    scale, unit = (100.0, "") if name in SHARES else (1.0, " s")
    ends = [(end or 0.0) * scale for end in (one.mean, one.low, one.high)]  # a change with a side has them all
    return "{:+.2f}{unit} ({:+.2f} to {:+.2f})".format(*ends, unit=unit)


def _further(advice: Advice, best: Change) -> list[str]:
    """Return the other changes that would meet all objectives."""
    others = [one for one in (*advice.changes, *advice.pairs) if one is not best]
    lines = []
    for one in others[:MOST_OTHERS]:
        worse = [_SHORT[name] for name in one.effects if one.side(name) == "worse"]
        lines += _filled(f"Or: {done(one)}" + (f"; worse: {', '.join(worse)}." if worse else "."), "  ")
    for failed in advice.failed:
        unclear = [_name(one.objective.measure) for one in failed.objectives if one.verdict != "met"]
        if all(one.verdict != "missed" for one in failed.objectives):
            change = order_of({failed.key: (failed.now, failed.value)})
            lines += _filled(f"Too close to call ({', '.join(unclear)}): {change}.", "  ")
    return lines[:MOST_LINES]


def _ends(advice: Advice) -> RenderableType:
    """Return what each key comes to where it meets what is missed, or at the last value that was tried."""
    names = [one.objective.measure for one in advice.objectives]
    table = empty_table("Changed to", *(f"{_name(name)} {_target(advice, name)}" for name in names))
    for failed in (None, *advice.failed[: MOST_OTHERS + 1]):
        study: Study = advice.base if failed is None else failed.study
        objectives = advice.objectives if failed is None else failed.objectives
        cells = [
            Text(shown(one.objective.measure, study.estimate(one.objective.measure))[0], VERDICT_STYLES[one.verdict])
            for one in objectives
        ]
        table.add_row("as it is" if failed is None else words_of({failed.key: failed.value}), *cells)
    table.padding = (0, 1, 0, 0)
    return table


def _name(measure: str) -> str:
    return _SHORT.get(measure, BY_NAME[measure].words)


def _target(advice: Advice, measure: str) -> str:
    return next(one.objective.text for one in advice.objectives if one.objective.measure == measure)


def _filled(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
