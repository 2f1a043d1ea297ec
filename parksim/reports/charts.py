"""Charts of a study, a sweep or one replication, as Altair charts (extra ``report``).

``result.plot("occupancy")`` returns an ``altair.Chart`` of inline data, to be shown, edited or saved. Of a study there
are

    occupancy    busy slots over the hours of the day, with intervals
    by_hour      another measure over the hours: measure="refused_share"
    busy_slots   share of time by number of busy slots, Erlang's beside it where it holds
    timeline     one replication's lot: slots as rows, calls as bars: replication=0, from_s=36000, to_s=39600
    time_parked  how long the calls of one replication were parked, by how the stay ended

of a sweep

    heat_map     measures over two keys, and the line around the designs that meet all objectives: x=, y=, measures=
    shares       refused and returned share against a key, Erlang B beside it: over="lot.max_in_parking", series=[4, 5]

of a solution ``tried`` (the objectives' measures at each value that was tried, and the targets), of a comparison
``differences``, of a sensitivity ``tornado`` (what each guess moves: measures=["refused_share"]), of an advice
``advised`` (the objectives as they are and after each change), and of a ``Run`` timeline and time_parked. Each takes
``width`` (pixels; below 480 panels stand one below the other).
Nothing is drawn that cannot be: bands end at the bounds of the possible, and no line crosses what is undefined. Every
eye tells the colours apart, and a second sign (shape, dash, place, number) says the same.

>>> charts_of("study")
('occupancy', 'by_hour', 'busy_slots', 'timeline', 'time_parked')
"""

import io
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any, Final

from parksim.errors import ArgumentError, PlanError, WrongTypeError
from parksim.reports import figures
from parksim.reports.drawing import DRAWERS, INK, WIDTH
from parksim.reports.figures import Figure, one_of
from parksim.results import library, replacing, write
from parksim.studies.advise import Advice
from parksim.studies.compare import Comparison
from parksim.studies.replication import Run, run
from parksim.studies.sensitivity import Sensitivity
from parksim.studies.solve import Solution
from parksim.studies.study import Study
from parksim.studies.sweep import Sweep

NARROWEST, WIDEST = 200, 4_000
"""Pixels, the least and the most of a chart."""
CONFIG: Final = {
    "aria": False,
    "font": "Helvetica, Arial, sans-serif",
    "background": "white",
    "view": {"stroke": None},
    "axis": {
        "labelColor": INK,
        "titleColor": INK,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "titlePadding": 12,
    }
    | {"gridColor": "#ececec", "domainColor": "#888888", "tickColor": "#888888"},
    "legend": {"labelColor": INK, "titleColor": INK, "labelFontSize": 12, "titleFontSize": 12, "labelLimit": 300}
    | {"columnPadding": 36},
    "title": {"anchor": "start", "color": INK, "fontSize": 14, "subtitleColor": "#444444", "subtitleFontSize": 12},
    "concat": {"spacing": 18},
}
"""How charts look when they are saved here; a chart that is shown or edited has Vega-Lite's own fonts. A picture has
one description, in the page around it, and not one a mark. Paddings leave room for a reader's font: texts are placed by
the letters of Helvetica, and those of DejaVu, say, are a fifth wider."""
SAVED_AS: Final = (".svg", ".png", ".pdf", ".json")


def plot(result: object, name: str | None = None, *, width: int = WIDTH, **options: Any) -> Any:
    """Return a chart of a result (see the head of this file for the names and their options).

    Raises:
        PlanError: there is no such chart of such a result, or what an option names is not in it.
        MissingLibraryError: altair is not installed.
        WrongTypeError: no study, sweep or run; or an option that the chart does not have.
    """
    kind = _kind(result)
    known = charts_of(kind)
    name = known[0] if name is None else one_of(name, known, f"chart of a {kind}")
    if not NARROWEST <= width <= WIDEST:
        raise PlanError(f"a chart is {NARROWEST} to {WIDEST:,} pixels wide, not {width}")
    return drawn(figure(result, name, **options), width)


def charts_of(kind: object) -> tuple[str, ...]:
    """Return the names of the charts of a result, or of a kind: "study", "sweep" or "run"."""
    return tuple(_FIGURES[kind if isinstance(kind, str) else _kind(kind)])


def figure(result: object, name: str, **options: Any) -> Figure:
    """Return what a chart shows, as plain rows; needs no library.

    Raises:
        PlanError: as ``plot``.
    """
    known = options_of(result, name)
    for option in options:
        one_of(option, known, f"option of {name}")
    return _FIGURES[_kind(result)][name](result, **options)


def options_of(result: object, name: str) -> tuple[str, ...]:
    """Return the options of a chart of a result, beside ``width``.

    Raises:
        PlanError: there is no such chart.
    """
    kind = _kind(result)
    of = _FIGURES[kind][one_of(name, charts_of(kind), f"chart of a {kind}")]
    parts = (of.func, *of.args) if isinstance(of, partial) else (of,)
    names = (name for part in parts for name in list(signature(part).parameters)[1:])
    return tuple(dict.fromkeys(name for name in names if name not in ("study", "options")))


def drawn(shown: Figure, width: int = WIDTH) -> Any:
    """Return the chart of a figure.

    Raises:
        MissingLibraryError: altair is not installed.
        PlanError: there is nothing to draw.
    """
    alt: Any = library("altair", "report")
    if not shown.rows:
        why = _NO_ROWS.get(shown.name, "no measure is asked for").format(**shown.facts)
        raise PlanError(f"there is nothing to draw: {shown.title}: {why}")
    return DRAWERS[shown.name](alt, shown, width)


_OF_NO_HOUR: Final = "{measure} is undefined in every hour of the day"
_NO_ROWS: Final = {
    "timeline": "no call is in the lot in the time that is shown",
    "time_parked": "no stay in the lot has ended",
    "tornado": "no guess moves a measure beyond noise",
    "differences": "no difference has an interval",
    "occupancy": _OF_NO_HOUR,
    "by_hour": _OF_NO_HOUR,
}
"""Why a figure has no rows, by its name."""


def save(chart: Any, path: str | Path) -> None:
    """Write a chart to a file: ``.svg``, ``.png`` (twice the pixels), ``.pdf``, or ``.json`` for Vega-Lite's editor.

    Raises:
        ArgumentError: another ending.
        MissingLibraryError: vl-convert is not installed.
        OutputError: the file cannot be written.
    """
    path = Path(path)
    if path.suffix not in SAVED_AS:
        raise ArgumentError(f"{path}: a chart is written as {', '.join(SAVED_AS)}")
    styled = chart.configure(**CONFIG)
    if path.suffix == ".json":
        write(path, json.dumps(styled.to_dict(), indent=1, ensure_ascii=False) + "\n")
    elif path.suffix == ".svg":
        write(path, svg_of(chart))
    else:
        library("vl_convert", "report")
        with replacing(path) as beside:
            styled.save(str(beside), path.suffix[1:], scale_factor=2 if path.suffix == ".png" else 1)


def svg_of(chart: Any, *, told: bool = False) -> str:
    """Return a chart as SVG text: the same chart, the same bytes.

    Args:
        chart: what is drawn.
        told: whether each mark has the numbers of its tooltip as its ``aria-label``, after ``TOLD``.

    Raises:
        MissingLibraryError: vl-convert is not installed.
    """
    library("vl_convert", "report")
    text = io.StringIO()
    shown = _with_descriptions(chart) if told else chart
    shown.configure(**CONFIG | {"aria": told}).save(text, "svg")
    return text.getvalue()


TOLD: Final = "told: "
"""What the description of a mark with a tooltip begins with."""


def _with_descriptions(chart: Any) -> Any:
    """Return a chart whose marks are described in the words of their tooltips."""
    spec = chart.to_dict()
    waiting: list[Any] = [spec]
    while waiting:
        one = waiting.pop()
        tips = one.get("encoding", {}).get("tooltip")
        if isinstance(tips, list):
            one["transform"] = [*one.get("transform", ()), {"calculate": _in_words(tips), "as": "told"}]
            one["encoding"]["description"] = {"field": "told", "type": "nominal"}
        for kind in ("layer", "hconcat", "vconcat", "concat"):
            waiting += one.get(kind, ())
    return library("altair", "report").Chart.from_dict(spec)


def _in_words(tips: Sequence[Mapping[str, Any]]) -> str:
    """Return Vega's expression of the words of a tooltip; what is undefined is left out."""
    parts = []
    for tip in tips:
        value, name = f"datum[{json.dumps(tip['field'])}]", json.dumps(f"{tip.get('title') or tip['field']}: ")
        shown = f"format({value}, {json.dumps(tip['format'])})" if "format" in tip else value
        parts.append(f"(isValid({value}) ? {name} + {shown} + '\\n' : '')")
    return f"{json.dumps(TOLD)} + {' + '.join(parts)}"


def _kind(result: object) -> str:
    kind = type(result).__name__.lower()
    if isinstance(result, _CHARTED):
        return kind
    known = ", ".join(one.__name__ for one in _CHARTED)
    raise WrongTypeError(f"a {type(result).__name__} has no charts; these have: {known}")


def _of_replication(of: Callable[..., Figure], study: Study, replication: int = 0, **options: Any) -> Figure:
    if not 0 <= replication < len(study.results):
        raise PlanError(f"there is no replication {replication}; they are numbered from 0 to {len(study.results) - 1}")
    # SimPy's journal is the kernel's, byte for byte, and SimPy need not be compiled first.
    return of(run(study.scenario, study.seed, replication, "simpy"), **options)


_FIGURES: Final[dict[str, dict[str, Callable[..., Figure]]]] = {
    "study": {
        "occupancy": partial(figures.by_hour, measure="occupancy_mean"),
        "by_hour": figures.by_hour,
        "busy_slots": figures.busy_slots,
        "timeline": partial(_of_replication, figures.timeline),
        "time_parked": partial(_of_replication, figures.time_parked),
    },
    "sweep": {"heat_map": figures.heat_map, "shares": figures.shares},
    "run": {"timeline": figures.timeline, "time_parked": figures.time_parked},
    "solution": {"tried": figures.tried},
    "comparison": {"differences": figures.differences},
    "sensitivity": {"tornado": figures.tornado},
    "advice": {"advised": figures.advised},
}
"""By the type of a result, in small letters."""
_CHARTED: Final = (Run, Study, Sweep, Solution, Comparison, Sensitivity, Advice)
