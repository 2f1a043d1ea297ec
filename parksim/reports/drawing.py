"""How each figure becomes an Altair chart: marks, axes with units, colours that every eye tells apart.

A drawer gets the library, a figure and a width, and returns a chart of inline data without configuration, so that it
can be put beside others, and edited. ``plots`` is the way in.
"""

import itertools
import json
import math
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from parksim.catalogue import SHARES
from parksim.reports import figures
from parksim.reports import words as w
from parksim.reports.figures import Figure
from parksim.reports.words import OUTCOMES, label_of, unit_of

WIDTH: Final = 720
"""Pixels, of a whole chart."""
NARROW: Final = 480
"""Below it panels stand one below the other."""
INK: Final = "#1a1a1a"
MEAN, INTERVAL, SPREAD = "#0072B2", "#7FC0EA", "#DCEEFA"
GOOD, BAD = ("#7DB9E0", "#BCDDF1", "#F7F7F7"), ("#F7F7F7", "#F5C6A4", "#E58B57")


# Common parts ---------------------------------------------------------------------------------------------------------


def _data(alt: Any, rows: Iterable[Mapping[str, Any]]) -> Any:
    return alt.InlineData(values=[dict(row) for row in rows])


def _titled(alt: Any, chart: Any, figure: Figure, width: int, title: str, *beneath: str) -> Any:
    """Give a chart its title: what is shown, and beneath it of which scenario and how it is to be read."""
    lines = [line for text in (figure.title, *beneath) for line in textwrap.wrap(text, width // 6)]
    return chart.properties(title=alt.TitleParams(textwrap.wrap(title, width // 8), subtitle=lines, offset=10))


def _panel_title(alt: Any, words: str, width: int) -> Any:
    # 7 pixels a letter: the widest usual font (DejaVu) at this size.
    return alt.TitleParams(textwrap.wrap(words, width // 7), fontSize=12, fontWeight="normal", offset=4)


def _greatest(rows: Iterable[Mapping[str, Any]], *names: str) -> float:
    return max((row[name] for row in rows for name in names if row[name] is not None), default=0.0)


def _axis_end(greatest: float, bound: float = math.inf) -> float:
    """Return a round number not below a greatest value, nor above what is possible."""
    if greatest <= 0:
        return min(1.0, bound)
    step: float = 10.0 ** math.floor(math.log10(greatest))
    return float(
        min(bound, next(step * nice for nice in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if step * nice >= greatest))
    )


def _value_axis(alt: Any, field: str, measure: str, end: float, title: str = "", start: float = 0.0) -> Any:
    """Return the upright axis of a measure, from ``start`` to ``end``, with its unit; shares in per cent."""
    axis = alt.Axis(tickCount=6)
    if measure in SHARES:
        decimals = 0 if end - start >= 0.05 else 1 if end - start >= 0.005 else 2
        axis = alt.Axis(tickCount=6, labelExpr=f"format(100 * datum.value, '.{decimals}f') + ' %'")
    words = title or unit_of(measure).replace("% of", "share of")
    scale = alt.Scale(domain=[start, end], nice=False)
    return alt.Y(field, type="quantitative", title=words or label_of(measure), axis=axis, scale=scale)


def _tooltip(alt: Any, measure: str, *names: str) -> list[Any]:
    style = {"format": ".2%"} if measure in SHARES else {"format": ".3~f"}
    return [alt.Tooltip(name, type="quantitative", **style) for name in names]


def _key(alt: Any, words: Sequence[str], colours: Sequence[str], width: int) -> Any:
    """Return the colour of layers that say in ``what`` what they show: one legend above the chart names them."""
    legend = alt.Legend(title=None, orient="top", symbolType="square", columns=1 if width < NARROW else 0)
    return alt.Color("what:N", scale=alt.Scale(domain=list(words), range=list(colours)), legend=legend)


# A study --------------------------------------------------------------------------------------------------------------


def _by_hour(alt: Any, figure: Figure, width: int) -> Any:
    facts, rows, measure = figure.facts, figure.rows, figure.facts["measure"]
    greatest = _greatest(rows, "mean", "high", "p95", "formula")
    slots = facts["slots"] if measure == "occupancy_mean" and facts["slots"] <= 3 * greatest else None
    end = _axis_end(max(greatest, slots or 0), w.bounds_of(measure, facts["slots"])[1])
    words = ["mean", f"{facts['level'] * 100:g} % interval of it", "middle 90 % of the replications"]
    colour = _key(alt, words, (MEAN, INTERVAL, SPREAD), width)
    first, last = rows[0]["hour"], rows[-1]["hour"] + 1
    step = 1 if last - first <= 8 else 2 if width >= NARROW else 4
    axis = alt.Axis(values=list(range(first, last + 1, step)), grid=False, format="02d")
    x = alt.X("hour:Q", title="hour of day", axis=axis, scale=alt.Scale(domain=[first, last], nice=False))
    inner = width - 70
    base = alt.Chart(_data(alt, [row | {"end": row["hour"] + 1} for row in rows]), width=inner, height=220)
    title = "busy slots, mean of the hour" if measure == "occupancy_mean" else ""
    y = partial(_value_axis, alt, measure=measure, end=end, title=title)

    tips = [alt.Tooltip("hour:Q"), *_tooltip(alt, measure, "mean", "low", "high", "p05", "p95")]

    def band(low: str, high: str, word: str) -> Any:
        known = base.transform_filter(f"isValid(datum.{low}) && isValid(datum.{high})")
        known = known.transform_calculate(what=json.dumps(word))
        return known.mark_rect().encode(x=x, x2="end", y=y(field=low), y2=high, color=colour, tooltip=tips)

    told = base.transform_calculate(what=json.dumps(words[0])).mark_rule(strokeWidth=2.5)
    means = told.encode(x=x, x2="end", y=y(field="mean"), color=colour, tooltip=tips)
    layers = [band("p05", "p95", words[2]), band("low", "high", words[1]), means]
    if any(row["formula"] is not None for row in rows):
        known = base.transform_filter("isValid(datum.formula)").transform_calculate(middle="datum.hour + 0.5")
        layers.append(
            known.mark_point(shape="diamond", color=INK, size=45).encode(x=alt.X("middle:Q"), y=y(field="formula"))
        )
    if slots is not None:
        layers += _limit(alt, slots, f"{slots} slots", y)
    beside = "diamonds: the formula" if any(row["formula"] is not None for row in rows) else ""
    replications = f"{facts['replications']} replications"
    return _titled(alt, alt.layer(*layers), figure, width, f"Over the day: {label_of(measure)}", replications, beside)


def _limit(alt: Any, value: float, words: str, axis: Callable[..., Any], *, below: bool = False) -> list[Any]:
    """Return a dashed line across the chart, with its words at its right end, above or below it."""
    y = axis(field="limit")
    base = alt.Chart(_data(alt, [{"limit": value, "words": words}]))
    line = base.mark_rule(strokeDash=[5, 4], color=INK, strokeWidth=1.2).encode(y=y)
    places = {"x": alt.value("width"), "y": y, "text": "words:N"}
    place = {"baseline": "top", "dy": 4} if below else {"baseline": "bottom", "dy": -3}
    text = partial(base.mark_text, align="right", fontSize=12, **place)
    halo = text(stroke="white", strokeWidth=4, strokeOpacity=0.85)
    return [line, halo.encode(**places), text(color=INK).encode(**places)]


def _busy_slots(alt: Any, figure: Figure, width: int) -> Any:
    slots, level = figure.facts["slots"], f"{figure.facts['level'] * 100:g}"
    rows = [row | {"state": "all busy" if row["busy"] == slots else "some free"} for row in figure.rows]
    end = _axis_end(_greatest(rows, "mean", "high", "formula"), 1.0)
    base = alt.Chart(_data(alt, rows), width=width - 70, height=220)
    x = alt.X("busy:O", title="busy slots", sort=None, axis=alt.Axis(labelAngle=0, labelOverlap=True))
    legend = alt.Legend(title=None, orient="top")
    colour = alt.Color(
        "state:N", legend=legend, scale=alt.Scale(domain=["some free", "all busy"], range=[INTERVAL, "#D55E00"])
    )
    y = partial(_value_axis, alt, measure="occupancy_pmf", end=end, title="share of the time")
    tips = [alt.Tooltip("busy:O"), *_tooltip(alt, "occupancy_pmf", "mean", "low", "high", "formula")]
    bars = base.mark_bar().encode(x=x, y=y(field="mean"), color=colour, tooltip=tips)
    arms = base.transform_filter("isValid(datum.low) && isValid(datum.high)").mark_rule(color=INK, strokeWidth=1.4)
    layers = [bars, arms.encode(x=x, y=y(field="low"), y2="high", tooltip=tips)]
    told = f"bars: simulated, with {level} % intervals"
    if any(row["formula"] is not None for row in rows):
        known = base.transform_filter("isValid(datum.formula)")
        layers.append(known.mark_point(shape="diamond", color=INK, size=60).encode(x=x, y=y(field="formula")))
        told += f"; diamonds: {figure.facts['law']}"
    return _titled(alt, alt.layer(*layers), figure, width, "How often how many slots are busy", told)


# A sweep --------------------------------------------------------------------------------------------------------------


def _shares(alt: Any, figure: Figure, width: int) -> Any:
    facts = figure.facts
    together = width >= NARROW and len(facts["measures"]) > 1
    inner = (width - 176) // 2 if together else width - 88
    panels = [_share_panel(alt, figure, measure, inner, width) for measure in facts["measures"]]
    chart = alt.hconcat(*panels) if together else alt.vconcat(*panels)
    chart = chart.resolve_scale(color="shared", shape="shared", strokeDash="shared")
    known = [row for row in figure.rows if row["erlang"] is not None]
    beside = "thin lines: Erlang B" if known else ""
    if not all(row["erlang_exact"] for row in known):
        beside += " at the load measured; no exact formula here"
    title = f"Against the {w.key_words(facts['key'])}: parks refused, and calls that come back"
    if facts["measures"] != figures.SHARES_SHOWN:
        title = f"Against the {w.key_words(facts['key'])}"
    return _titled(alt, chart, figure, width, title, f"upright bars: {facts['level'] * 100:g} % intervals", beside)


def _share_panel(alt: Any, figure: Figure, measure: str, inner: int, width: int) -> Any:
    facts = figure.facts
    rows = [row for row in figure.rows if row["measure"] == measure]
    target = facts["targets"].get(measure)
    end = _axis_end(max(_greatest(rows, "mean", "high", "erlang"), 1.1 * (target or 0.0)), 1.0)
    numbers = all(row["x"] is not None for row in rows)
    base = alt.Chart(_data(alt, _apart(rows, facts["series"])), width=inner, height=240)
    if numbers:
        ticks = sorted({row["x"] for row in rows})
        values = ticks[:: 1 + len(ticks) * 26 // inner]
        axis = alt.Axis(grid=False, labelExpr="format(datum.value, '.9~r')", values=values)
        x = partial(alt.X, type="quantitative", title=facts["axis"], axis=axis, scale=alt.Scale(zero=False, padding=12))
    else:
        axis = alt.Axis(labelAngle=0, labelLimit=90)
        x = partial(alt.X, type="nominal", title=facts["axis"], sort=None, axis=axis)
    words = facts["series"]
    legend = _legend_of(alt, facts["others"], words, width)

    def by(channel: Any, values: Sequence[Any]) -> Any:
        scale = alt.Scale(domain=words, range=[values[n % len(values)] for n in range(len(words))])
        return channel("series:N", scale=scale, legend=legend)

    colour, shape = by(alt.Color, w.SERIES_COLOURS), by(alt.Shape, w.SERIES_SHAPES)
    dash = by(alt.StrokeDash, w.SERIES_DASHES)
    y = partial(_value_axis, alt, measure=measure, end=end)
    tips = [alt.Tooltip("value:N", title=facts["key"]), alt.Tooltip("series:N")]
    tips += _tooltip(alt, measure, "mean", "low", "high", "erlang")
    known = base.transform_filter("isValid(datum.mean)")
    arms = base.transform_filter("isValid(datum.low) && isValid(datum.high)").mark_rule(strokeWidth=1.4)
    at, means = x(shorthand="at"), y(field="mean")
    curve = known.mark_line(strokeWidth=1.6).encode(x=at, y=means, color=colour, strokeDash=dash, detail="segment:N")
    layers = [
        *([curve] if numbers else []),  # between words there is nothing
        arms.encode(x=at, y=y(field="low"), y2="high", color=colour, tooltip=tips),
        known.mark_point(filled=True, size=45, opacity=1).encode(
            x=at, y=means, color=colour, shape=shape, tooltip=tips
        ),
    ]
    if any(row["erlang"] is not None for row in rows):
        erlang = base.transform_filter("isValid(datum.erlang)")
        marks = erlang.mark_line(strokeWidth=0.8) if numbers else erlang.mark_tick(thickness=1)
        on = x(shorthand="x" if numbers else "at")
        layers.insert(0, marks.encode(x=on, y=y(field="erlang"), color=colour, detail="series:N"))
    if target is not None:
        layers += _limit(alt, target, f"target {w.written(measure, target)}", y)
    return alt.layer(*layers).properties(title=_panel_title(alt, label_of(measure), inner + 60))


def _legend_of(alt: Any, others: Sequence[str], words: Sequence[str], width: int) -> Any:
    """Return the legend of some curves, in as many columns as there is room for; of one key its name stands before."""
    if words == [""]:
        return None
    one = len(others) == 1
    before = f"{w.key_words(others[0])}: " if one else ""
    longest = max(len(word) - len(before) for word in words)
    columns = max(1, (width - 60 - 6 * len(before)) // (6 * longest + 36))
    shorter = {"labelExpr": f"replace(datum.label, {json.dumps(before)}, '')"} if one else {}
    named = {"titleOrient": "left" if width >= NARROW else "top", "titleFontWeight": "normal"}
    named["title"] = before.removesuffix(": ")
    return alt.Legend(
        orient="bottom", columns=columns, labelLimit=width, **(shorter | named if one else {"title": None})
    )


def _apart(rows: Sequence[Mapping[str, Any]], series: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows of curves with the place ``at`` which each is drawn: side by side, so that no interval hides."""
    places = sorted({row["x"] for row in rows if row["x"] is not None})
    gap = min((after - before for before, after in itertools.pairwise(places)), default=0.0)
    shift = {words: 0.04 * gap * (number - (len(series) - 1) / 2) for number, words in enumerate(series)}
    return [{**row, "at": str(row["value"]) if row["x"] is None else row["x"] + shift[row["series"]]} for row in rows]


def _heat_map(alt: Any, figure: Figure, width: int) -> Any:
    facts = figure.facts
    turned = width < NARROW and len(facts["columns"]) > max(6, len(facts["lines"]))
    panels = [_heat_panel(alt, figure, measure, width, turned=turned) for measure in facts["measures"]]
    chart = panels[0] if len(panels) == 1 else alt.vconcat(*panels).resolve_scale(color="independent")
    fixed = w.words_of(facts["fixed"])
    line = "" if not facts["targets"] else "corner cut: target missed; within the thick line: all objectives met"
    sign = "; ?: undecided" if any(row["verdict"] == "undecided" for row in figure.rows) else ""
    title = "Which designs meet the objectives" if facts["targets"] else "Over the designs"
    return _titled(alt, chart, figure, width, title, line + sign, f"with {fixed}" if fixed else "")


def _heat_panel(alt: Any, figure: Figure, measure: str, width: int, *, turned: bool) -> Any:
    facts = figure.facts
    across, up = ("line", "column") if turned else ("column", "line")
    columns, lines = (facts["lines"], facts["columns"]) if turned else (facts["columns"], facts["lines"])
    titles = [w.key_words(key) for key in ((facts["y"], facts["x"]) if turned else (facts["x"], facts["y"]))]
    rows = [row for row in figure.rows if row["measure"] == measure]
    cell = max(1, (width - 90) // len(columns))
    height = 30 if len(lines) <= 8 else 20 if len(lines) <= 40 else max(2, 800 // len(lines))
    cells = [_cell(row, across, up) | {"text": figures.cell_text(measure, row, short=cell < 34)} for row in rows]
    longest = min(13, max(len(str(value)) for value in columns))  # then Vega cuts it
    x = partial(_places, alt, alt.X, values=columns, title=titles[0], every=1 + 7 * longest // cell)
    y = partial(_places, alt, alt.Y, values=lines, title=titles[1], every=1 + 13 // height)
    base = alt.Chart(_data(alt, cells), width=cell * len(columns), height=height * len(lines))
    colour = _heat_colour(alt, facts["targets"].get(measure), rows)
    tips = [alt.Tooltip("x:N", title=facts["x"]), alt.Tooltip("y:N", title=facts["y"] or "-")]
    tips += [*_tooltip(alt, measure, "mean", "low", "high"), alt.Tooltip("verdict:N"), alt.Tooltip("all:N")]
    boxes = base.mark_rect(stroke="white", strokeWidth=1 if cell >= 12 else 0)
    ends_of = {"x": x(field="left"), "x2": "right", "y": y(field="bottom"), "y2": "top"}
    missed = base.transform_filter("datum.verdict == 'missed'").mark_rule(color=INK, strokeWidth=1.5)
    text = base.mark_text(fontSize=12 if cell >= 34 else 10, color=INK)
    layers = [
        boxes.encode(color=colour, tooltip=tips, **ends_of),
        missed.encode(x=x(field="left"), x2="notch", y=y(field="height"), y2="top"),
    ]
    if cell >= 26 and height >= 14:
        layers.append(text.encode(x=x(field="at"), y=y(field="height"), text="text:N", tooltip=tips))
    edges = figures.frontier(rows)
    if edges:
        turn = {"x": "y", "x2": "y2", "y": "x", "y2": "x2"}
        around = [{turn[name]: place for name, place in edge.items()} if turned else edge for edge in edges]
        line = alt.Chart(_data(alt, around)).mark_rule(color=INK, strokeWidth=3, strokeCap="square")
        layers.append(line.encode(x=x(field="x"), x2="x2", y=y(field="y"), y2="y2"))
    target = facts["targets"].get(measure)
    words = label_of(measure) + (f", in {unit_of(measure)}" if unit_of(measure) else "")
    words += f"; target {target[2]}" if target else ""
    return alt.layer(*layers).properties(title=_panel_title(alt, words, width))


def _cell(row: Mapping[str, Any], across: str, up: str) -> dict[str, Any]:
    """Return a cell of a heat map: what it shows, its sides in the places of the axes, and where its corner is cut."""
    shown = {name: row[name] for name in ("x", "y", "mean", "low", "high", "verdict", "all")}
    sides = {"left": row[across] - 0.5, "right": row[across] + 0.5, "bottom": row[up] - 0.5, "top": row[up] + 0.5}
    return shown | sides | {"at": row[across], "height": row[up], "notch": row[across] - 0.25}


def _places(alt: Any, channel: Any, field: str, values: Sequence[object], title: str, every: int) -> Any:
    """Return an axis of places 0, 1, 2, ... labelled with every n-th of the swept values."""
    words = json.dumps([str(value) for value in values])
    bare = dict.fromkeys(("grid", "ticks", "domain", "labelOverlap"), False)
    labels = {"labelExpr": f"({words})[datum.value]", "labelAngle": 0, "labelLimit": 90, "labels": values != ("",)}
    axis = alt.Axis(values=list(range(0, len(values), every)), **labels, **bare)
    scale = alt.Scale(domain=[-0.5, len(values) - 0.5], nice=False, zero=False)
    return channel(field, type="quantitative", title=title or None, axis=axis, scale=scale)


def _heat_colour(alt: Any, target: tuple[str, float, str] | None, rows: Sequence[Mapping[str, Any]]) -> Any:
    """Return the colours of a heat map: blue where the target is met, orange where not, pale near it; or blues."""
    known = [row["mean"] for row in rows if row["mean"] is not None]
    low, high = min(known, default=0.0), max(known, default=1.0)
    if target is None:
        return alt.Color("mean:Q", legend=None, scale=alt.Scale(domain=[low, max(high, low + 1e-12)], scheme="blues"))
    relation, goal, _ = target
    below, above = (GOOD, BAD) if relation.startswith("<") else (BAD[::-1], GOOD[::-1])
    low, high = min(low, goal - 1e-12), max(high, goal + 1e-12)
    domain = [low, (low + goal) / 2, goal, goal, (goal + high) / 2, high]
    scale = alt.Scale(domain=domain, range=[*below, *above], interpolate="rgb")
    return alt.Color("mean:Q", legend=None, scale=scale)


# Other plans ----------------------------------------------------------------------------------------------------------


def _tried(alt: Any, figure: Figure, width: int) -> Any:
    facts = figure.facts
    together = width >= NARROW and len(facts["targets"]) > 1
    inner = (width - 176) // 2 if together else width - 88
    panels = [_tried_panel(alt, figure, measure, inner, width) for measure in facts["targets"]]
    chart = alt.concat(*panels, columns=2 if together else 1).resolve_scale(color="shared", shape="shared")
    words = f"upright lines: {facts['level'] * 100:.4g} % intervals; dashed: the target"
    return _titled(alt, chart, figure, width, f"Against the {w.key_words(facts['key'])}", words)


def _tried_panel(alt: Any, figure: Figure, measure: str, inner: int, width: int) -> Any:
    key, (relation, target) = figure.facts["key"], figure.facts["targets"][measure]
    rows = [row | {"what": row["verdict"]} for row in figure.rows if row["measure"] == measure]
    rows = [row | {"words": w.value_words(key, row["value"])} for row in rows]
    seen = [target, *(row[name] for row in rows for name in ("mean", "low", "high") if row[name] is not None)]
    room = 0.15 * (max(seen) - min(seen)) or 0.1 * target
    start = 0.0 if min(seen) < 0.5 * max(seen) else min(seen) - room
    end = min(max(seen) + room, w.bounds_of(measure, 10**9)[1])
    base = alt.Chart(_data(alt, rows), width=inner, height=200)
    values = [row["value"] for row in rows][:: 1 + len(rows) * 26 // inner]
    unit = ", s" if w.is_seconds(key) else ""
    x = alt.X(
        "value:Q",
        title=w.key_words(key) + unit,
        axis=alt.Axis(grid=False, values=values),
        scale=alt.Scale(zero=False, padding=14, nice=False),
    )
    y = partial(_value_axis, alt, measure=measure, end=end, start=start)
    tips = [alt.Tooltip("words:N", title=w.key_words(key)), alt.Tooltip("verdict:N"), alt.Tooltip("replications:Q")]
    tips += _tooltip(alt, measure, "mean", "low", "high")
    colour, shape = _by_look(alt, {name: (look.words, look.colour) for name, look in w.VERDICTS.items()}, width)
    known = base.transform_filter("isValid(datum.low) && isValid(datum.high)")
    layers = [
        known.mark_rule(strokeWidth=1.4).encode(x=x, y=y(field="low"), y2="high", color=colour, tooltip=tips),
        base.transform_filter("isValid(datum.mean)")
        .mark_point(filled=True, size=60, opacity=1)
        .encode(x=x, y=y(field="mean"), color=colour, shape=shape, tooltip=tips),
        *_limit(alt, target, f"target {w.written(measure, target)}", y, below=relation.startswith(">")),
    ]
    return alt.layer(*layers).properties(title=_panel_title(alt, label_of(measure), inner + 60))


def _by_look(alt: Any, looks: Mapping[str, tuple[str, str]], width: int) -> tuple[Any, Any]:
    """Return colour and shape of marks that say in ``what`` what they are, with one legend for both."""
    legend = alt.Legend(title=None, orient="bottom", columns=1 if width < NARROW else 0)
    domain, colours = list(looks), [colour for _, colour in looks.values()]
    return (
        alt.Color("what:N", legend=legend, scale=alt.Scale(domain=domain, range=colours)),
        alt.Shape("what:N", legend=legend, scale=alt.Scale(domain=domain, range=list(w.SERIES_SHAPES[: len(domain)]))),
    )


CHANGES: Final = {
    "better": ("better", w.VERDICTS["met"].colour),
    "worse": ("worse", w.VERDICTS["missed"].colour),
    "differs": ("differs", MEAN),
    "unclear": ("not told apart", "#777777"),
}
"""What a change is, in words, and its colour."""
SIDES: Final = {"lower": ("lower", MEAN), "higher": ("higher", "#E58B57")}
"""Which way a guess is moved, and its colour."""


def _differences(alt: Any, figure: Figure, width: int) -> Any:
    rows = [row | {"what": CHANGES[row["change"]][0]} for row in figure.rows]
    looks = {words: (words, colour) for words, colour in CHANGES.values() if any(row["what"] == words for row in rows)}
    panels = []
    for unit in dict.fromkeys(row["unit"] for row in rows):
        of_unit = [row for row in rows if row["unit"] == unit]
        base, y, inner = _lines(alt, of_unit, [label_of(row["measure"]) for row in of_unit], width, 24)
        x = _change_axis(alt, unit, inner)
        colour, shape = _by_look(alt, looks, width)
        tips = [alt.Tooltip("what:N"), *(alt.Tooltip(f"{end}:Q", format="+.3~f") for end in ("mean", "low", "high"))]
        layers = [
            _zero(alt, x),
            base.mark_rule(strokeWidth=1.8).encode(x=x("low"), x2="high", y=y, color=colour, tooltip=tips),
            base.mark_point(filled=True, size=60, opacity=1).encode(
                x=x("mean"), y=y, color=colour, shape=shape, tooltip=tips
            ),
        ]
        panels.append(alt.layer(*layers).properties(width=inner))
    chart = alt.vconcat(*panels).resolve_scale(color="shared", shape="shared")
    told = f"lines: {figure.facts['level'] * 100:g} % intervals of the differences"
    return _titled(alt, chart, figure, width, "What changes", told)


def _tornado(alt: Any, figure: Figure, width: int) -> Any:
    panels = []
    for measure in figure.facts["measures"]:
        rows = [row | {"what": row["side"]} for row in figure.rows if row["measure"] == measure]
        if not rows:
            continue
        base, y, inner = _lines(alt, rows, [w.key_words(row["key"]) for row in rows], width, 40)
        x = _change_axis(alt, "percentage points" if measure in SHARES else unit_of(measure), inner)
        scale = alt.Scale(domain=list(SIDES), range=[colour for _, colour in SIDES.values()])
        colour = alt.Color("what:N", scale=scale, legend=alt.Legend(title="moved to a value that is", orient="top"))
        within = alt.YOffset("what:N", scale=alt.Scale(domain=list(SIDES), paddingInner=0.1))
        tips = [alt.Tooltip("value:N"), *(alt.Tooltip(f"{end}:Q", format="+.3~f") for end in ("mean", "low", "high"))]
        bars = base.mark_bar().encode(x=x("mean"), y=y, yOffset=within, color=colour, tooltip=tips)
        arms = base.transform_filter("isValid(datum.low) && isValid(datum.high)").mark_rule(color=INK, strokeWidth=1.2)
        arms = arms.encode(x=x("low"), x2="high", y=y, yOffset=within, tooltip=tips)
        heading = _panel_title(alt, label_of(measure), width)
        panels.append(alt.layer(bars, arms, _zero(alt, x)).properties(width=inner, title=heading))
    told = f"thin lines: {figure.facts['level'] * 100:g} % intervals of the changes"
    return _titled(alt, alt.vconcat(*panels), figure, width, "What each guess moves", told)


def _advised(alt: Any, figure: Figure, width: int) -> Any:
    panels = []
    for measure, (text, target) in figure.facts["targets"].items():
        rows = [row | {"what": row["verdict"]} for row in figure.rows if row["measure"] == measure]
        base, y, inner = _lines(alt, rows, [row["design"] for row in rows], width, 24)
        form = ".3~%" if measure in SHARES else ".3~f"
        axis = alt.Axis(
            format=form, tickCount=max(2, inner // 80), title=None if measure in SHARES else unit_of(measure)
        )
        x = partial(alt.X, type="quantitative", axis=axis, scale=alt.Scale(zero=False, padding=14))
        colour, shape = _by_look(alt, {name: (look.words, look.colour) for name, look in w.VERDICTS.items()}, width)
        tips = [alt.Tooltip("design:N"), alt.Tooltip("verdict:N"), *_tooltip(alt, measure, "mean", "low", "high")]
        known = base.transform_filter("isValid(datum.low) && isValid(datum.high)")
        aim = alt.Chart(_data(alt, [{"target": target}])).mark_rule(strokeDash=[5, 4], color=INK, strokeWidth=1.2)
        layers = [
            aim.encode(x=x("target")),
            known.mark_rule(strokeWidth=1.8).encode(x=x("low"), x2="high", y=y, color=colour, tooltip=tips),
            base.transform_filter("isValid(datum.mean)")
            .mark_point(filled=True, size=60, opacity=1)
            .encode(x=x("mean"), y=y, color=colour, shape=shape, tooltip=tips),
        ]
        heading = _panel_title(alt, f"{label_of(measure)}, wanted {text}", width)
        panels.append(alt.layer(*layers).properties(width=inner, title=heading))
    chart = alt.vconcat(*panels).resolve_scale(color="shared", shape="shared")
    words = f"lines: {figure.facts['level'] * 100:.4g} % intervals; dashed: the target"
    return _titled(alt, chart, figure, width, "As it is, and after each change", words)


def _lines(
    alt: Any, rows: Sequence[Mapping[str, Any]], words: Sequence[str], width: int, step: int
) -> tuple[Any, Any, int]:
    """Return a chart whose rows stand under each other, its upright axis of ``words``, and the width that is left.

    Long words are broken: a third of a wide chart is theirs, and two fifths of a narrow one.
    """
    room = width // 3 if width >= NARROW else 2 * width // 5
    broken = ["\n".join(textwrap.wrap(one, max(8, room // 8))) for one in words]  # 8 pixels a letter, of any font
    order = list(dict.fromkeys(broken))
    lines = max(one.count("\n") + 1 for one in order)
    fixed = {"minExtent": room, "maxExtent": room}
    axis = alt.Axis(labelExpr="split(datum.label, '\\n')", labelLimit=room, grid=False, ticks=False, **fixed)
    y = alt.Y("line:N", sort=order, scale=alt.Scale(domain=order), title=None, axis=axis)
    data = _data(alt, [{**row, "line": line} for row, line in zip(rows, broken, strict=True)])
    return alt.Chart(data, height=len(order) * max(step, 14 * lines + 8)), y, width - room - 40


def _change_axis(alt: Any, unit: str, inner: int) -> Callable[[str], Any]:
    axis = alt.Axis(format="+.3~f", tickCount=max(2, inner // 80))
    return lambda field: alt.X(field, type="quantitative", title=f"change, {unit}" if unit else "change", axis=axis)


def _zero(alt: Any, x: Callable[[str], Any]) -> Any:
    return alt.Chart(_data(alt, [{"zero": 0}])).mark_rule(color=INK, strokeWidth=1.2).encode(x=x("zero"))


# One replication ------------------------------------------------------------------------------------------------------


def _time_parked(alt: Any, figure: Figure, width: int) -> Any:
    facts, rows = figure.facts, figure.rows
    end = _axis_end(max(row["parks"] for row in rows))
    last_s = max(row["to_s"] for row in rows)
    panels = []
    outcomes = [name for name in ("retrieved", "expired", "abandoned") if name in facts["totals"]]
    for number, outcome in enumerate(outcomes):
        look, total = OUTCOMES[outcome], facts["totals"][outcome]
        axis = alt.Axis(grid=False, labels=number == len(outcomes) - 1, tickCount=10 if width >= NARROW else 5)
        title = "time parked, s" if number == len(outcomes) - 1 else None
        x = alt.X("from_s:Q", title=title, axis=axis, scale=alt.Scale(domain=[0, last_s], nice=False))
        y = alt.Y("parks:Q", title="calls", axis=alt.Axis(tickCount=3), scale=alt.Scale(domain=[0, end], nice=False))
        tips = [alt.Tooltip("from_s:Q"), alt.Tooltip("to_s:Q"), alt.Tooltip("parks:Q")]
        data = _data(alt, [row | {"none": 0} for row in rows if row["outcome"] == outcome])
        base = alt.Chart(data, width=width - 70, height=78)
        bars = base.mark_rect(color=look.colour, stroke="white", strokeWidth=0.5)
        words = f"{look.words}: {total:,} of {facts['parks']:,}, {100 * total / facts['parks']:.1f} %"
        heading = _panel_title(alt, words, width)
        panels.append(bars.encode(x=x, x2="to_s", y=y, y2="none", tooltip=tips).properties(title=heading))
    chart = alt.vconcat(*panels, spacing=8)
    told = f"replication {facts['replication']}, seed {facts['seed']}; bars of {facts['width_s']:g} s"
    return _titled(alt, chart, figure, width, "How long calls are parked, and how that ends", told)


def _timeline(alt: Any, figure: Figure, width: int) -> Any:
    facts = figure.facts
    several = len({lot for lot, _ in facts["slots"]}) > 1
    used = {(row["lot"], row["slot"]) for row in figure.rows if row["slot"] is not None}
    slots = facts["slots"]
    if len(slots) > figures.MOST_SLOTS_SHOWN:
        slots = [slot for slot in slots if slot in used][: figures.MOST_SLOTS_SHOWN]
    name_of = {slot: f"{slot[0]} {slot[1]}" if several else str(slot[1]) for slot in facts["slots"]}
    shown = {name_of[slot] for slot in slots}
    rows = [row | {"place": name_of.get((row["lot"], row["slot"]), "refused")} for row in figure.rows]
    rows = [row | {"how": OUTCOMES[row["outcome"]].words} for row in rows if row["place"] in shown | {"refused"}]
    order = [name_of[slot] for slot in slots] + ["refused"] * any(row["place"] == "refused" for row in rows)
    looks = [look for name, look in OUTCOMES.items() if any(row["outcome"] == name for row in rows)]
    domain = [look.words for look in looks]
    legend = alt.Legend(title=None, orient="top", columns=1 if width < NARROW else 0)
    colour = alt.Color("how:N", legend=legend, scale=alt.Scale(domain=domain, range=[look.colour for look in looks]))
    shape = alt.Shape("how:N", legend=legend, scale=alt.Scale(domain=domain, range=[look.shape for look in looks]))
    height = max(60, (24 if len(order) <= 20 else 14) * len(order))
    base = alt.Chart(_data(alt, rows), width=width - 90, height=height)
    axis = alt.Axis(grid=False, labelOverlap=False)
    y = alt.Y("place:N", sort=order, scale=alt.Scale(domain=order), title="slot", axis=axis)
    x = _clock(alt, facts["from_s"], facts["to_s"], width)
    tips = [alt.Tooltip("call:Q"), alt.Tooltip("place:N", title="slot"), alt.Tooltip("how:N")]
    tips += [alt.Tooltip("from_s:Q"), alt.Tooltip("until_s:Q")]
    bars = base.transform_filter("datum.outcome != 'refused'").mark_bar(stroke="white", strokeWidth=1)
    dots = {"filled": True, "size": 55, "opacity": 1, "stroke": "white", "strokeWidth": 1}
    ends = base.transform_filter("!datum.cut").mark_point(**dots)
    layers = [
        bars.encode(x=x("from_s"), x2="until_s", y=y, color=colour, tooltip=tips),
        ends.encode(x=x("until_s"), y=y, color=colour, shape=shape, tooltip=tips),
    ]
    many = f"; {len(slots)} of {len(facts['slots'])} slots" if len(slots) < len(facts["slots"]) else ""
    told = f"replication {facts['replication']}, seed {facts['seed']}{many}"
    return _titled(alt, alt.layer(*layers), figure, width, "The lot, call by call", told)


_STEPS_S: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 28_800, 86_400)


def _clock(alt: Any, from_s: float, to_s: float, width: int) -> Callable[[str], Any]:
    """Return the axis of a day's time: 09:30, with seconds where the window is short."""
    most = 8 if width >= NARROW else 4
    step_s = next((step for step in _STEPS_S if (to_s - from_s) / step <= most), _STEPS_S[-1])
    first = math.ceil(from_s / step_s) * step_s
    ticks = [first + n * step_s for n in range(int((to_s - first) // step_s) + 1)]
    parts = ["floor(datum.value / 3600) % 24", "floor(datum.value / 60) % 60", "datum.value % 60"]
    expression = " + ':' + ".join(f"format({part}, '02d')" for part in (parts if step_s < 60 else parts[:2]))
    title = "time of day, h:min:s" if step_s < 60 else "time of day, h:min"
    title += f" (day {int(from_s // 86_400) + 1})" if to_s > 86_400 else ""
    axis = alt.Axis(values=ticks, labelExpr=expression, labelFlush=False)
    scale = alt.Scale(domain=[from_s, to_s], nice=False, zero=False)
    return lambda field: alt.X(field, type="quantitative", title=title, axis=axis, scale=scale)


DRAWERS: Final[dict[str, Callable[[Any, Figure, int], Any]]] = {
    "occupancy": _by_hour,
    "by_hour": _by_hour,
    "busy_slots": _busy_slots,
    "shares": _shares,
    "heat_map": _heat_map,
    "time_parked": _time_parked,
    "timeline": _timeline,
    "tried": _tried,
    "differences": _differences,
    "tornado": _tornado,
    "advised": _advised,
}
"""By the name of a figure."""
