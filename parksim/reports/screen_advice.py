"""What to change, laid out for people: the recommendation first, on at most twenty lines of eighty columns."""

import textwrap
from typing import TYPE_CHECKING, Any, Final

from rich.console import Group, RenderableType
from rich.text import Text

from parksim.catalogue import BY_NAME, SHARES
from parksim.reports.screen import VERDICT_STYLES, empty_table, shown
from parksim.reports.words import span
from parksim.studies.advise import Advice, Change, Failed

if TYPE_CHECKING:
    from parksim.studies.study import Study

WIDTH: Final = 80
MOST_OTHERS: Final = 3
"""How many further changes, or keys that do not help, the screen tells; the rest is in the JSON."""
_COUNTED: Final = {"slots": "slot", "count": "attendant", "staff": "staff member"}
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
    """Return the first lines: what to do, and how sure the value below is."""
    best = advice.best
    if best is not None:
        alone = [] if len(best.values) == 1 else ["No single change meets all objectives; this pair does:"]
        return [*alone, *_filled(f"{_done(best)}. Then all objectives are met."), *_bounds(best)]
    if advice.spare:
        lines = ["Less would still meet them, one key at a time:"]
        for one in advice.spare:
            lines += _filled(f"  {_done(one)}. {' '.join(_bounds(one))}", "    ")
        return lines
    if advice.verdict == "met":
        return ["Nothing is more than needed: one step less of any key misses an objective, or may."]
    lines = ["No change of one key or two meets all objectives."]
    for name, why in advice.out_of_reach.items():
        lines += _filled(f"Out of reach: {_name(name)} {_target(advice, name)}: {why}.", "  ")
    return lines


def _done(change: Change) -> str:
    """Return what to do, in the words of somebody who orders it."""
    said = [_do(key, change.now[key], value) for key, value in change.values.items()]
    text = " and ".join(said)
    return text[0].upper() + text[1:]


def _do(key: str, now: Any, value: Any) -> str:
    what = key.rpartition(".")[2]
    of = f" in lot {key.split('.')[1]}" if key.count(".") > 1 else ""
    if what == "max_in_parking":
        verb = "lengthen" if now is not None and value > now else "shorten"
        return f"{verb} the time-out{of}: {_written(key, value)} instead of {_written(key, now)}"
    if isinstance(value, tuple):
        hours = [hour for hour in range(len(value)) if value[hour] != now[hour]]
        by = sum(value) - sum(now)
        verb = "add" if by > 0 else "drop"
        return f"{verb} {_some(abs(by), 'attendant-hour')} a day, in the hours from {_hours(hours)} h"
    more = value - now
    verb = "add" if more > 0 else "drop"
    return f"{verb} {_some(abs(more), _COUNTED[what])}{of}: {value} instead of {now}"


def _some(number: int, word: str) -> str:
    return f"{'one' if number == 1 else number} {word}{'s' * (number != 1)}"


def _hours(hours: list[int]) -> str:
    """Return hours of the day as spans: 8-11, 14-15.

    >>> _hours([8, 9, 10, 14])
    '8-11, 14-15'
    """
    spans: list[list[int]] = []
    for hour in hours:
        if spans and spans[-1][1] == hour:
            spans[-1][1] = hour + 1
        else:
            spans.append([hour, hour + 1])
    return ", ".join(f"{begin}-{end}" for begin, end in spans)


def _written(key: str, value: Any) -> str:
    if isinstance(value, tuple):
        return f"{sum(value)} attendant-hours"
    if key.endswith("max_in_parking"):
        return "unlimited" if value is None else span(round(value * 1e6))
    return str(value)


def _bounds(change: Change) -> list[str]:
    """Return what is known of the values between the answer and the one that does not meet the objectives."""
    told = []
    for key, less in change.less.items():
        close = change.close[key]
        unclear = ""
        if close:
            values = f"{_written(key, close[0])}" + (f" to {_written(key, close[-1])}" if len(close) > 1 else "")
            unclear = f"{values} {'is' if len(close) == 1 else 'are'} too close to call"
        clear = "" if less is None else f"{_written(key, less)} would not do"
        told.append(", ".join(part for part in (unclear, clear) if part))
    return _filled("; ".join(one for one in told if one) + ".") if any(told) else []


def _effects(advice: Advice, change: Change) -> RenderableType:
    """Return a table of what else a change does: better, worse, or no difference beyond noise."""
    table = empty_table("", "Measure", "Now", "Then", f"Change ({advice.level:.4g} interval)", right=("Now", "Then"))
    table.columns[-1].header = f"Change ({advice.level * 100:g} %)"
    styles = {"better": "bold green", "worse": "bold red"}
    for side in ("better", "worse"):
        for name in change.effects:
            if change.side(name) == side:
                now, then = (shown(name, study.estimate(name))[0] for study in (advice.base, change.study))
                table.add_row(Text(side, styles[side]), _SHORT[name], now, then, _difference(change, name))
    table.padding = (0, 1, 0, 0)
    alike = [_SHORT[name] for name in change.effects if not change.side(name)]
    told = textwrap.fill(f"No difference beyond noise: {', '.join(alike)}.", WIDTH) if alike else ""
    return Group(table, *([Text(told)] if told else []))


def _difference(change: Change, name: str) -> str:
    one = change.effects[name]
    scale, unit = (100.0, " points") if name in SHARES else (1.0, "")
    assert one.mean is not None and one.low is not None  # a change with a side has an interval
    assert one.high is not None
    return f"{one.mean * scale:+.2f}{unit} ({one.low * scale:+.2f} to {one.high * scale:+.2f})"


def _further(advice: Advice, best: Change) -> list[str]:
    """Return the other changes that would meet all objectives."""
    others = [one for one in (*advice.changes, *advice.pairs) if one is not best]
    lines = []
    for one in others[:MOST_OTHERS]:
        worse = [_SHORT[name] for name in one.effects if one.side(name) == "worse"]
        lines += _filled(f"Or: {_done(one)}" + (f"; worse: {', '.join(worse)}." if worse else "."), "  ")
    failed = list(dict.fromkeys(one.key for one in advice.failed))
    if failed and len(best.values) == 1:
        lines += _filled(f"Not enough alone: {', '.join(failed)}.", "  ")
    return lines


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
        table.add_row("as it is" if failed is None else _tried(failed), *cells)
    table.padding = (0, 1, 0, 0)
    return table


def _tried(failed: Failed) -> str:
    return f"{failed.key} {_written(failed.key, failed.value)}"


def _name(measure: str) -> str:
    return _SHORT.get(measure, BY_NAME[measure].words)


def _target(advice: Advice, measure: str) -> str:
    return next(one.objective.text for one in advice.objectives if one.objective.measure == measure)


def _filled(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
