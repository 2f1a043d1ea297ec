"""A report as one self-contained HTML file: text, tables, charts as SVG, their data as CSV; nothing is loaded.

The page works without scripts, but where it plays (``play``). Each chart is there twice, for wide screens and paper,
where its marks show their numbers under the pointer, and for telephones. The same result gives the same bytes.
"""

import base64
import html
import re
from collections.abc import Iterator
from importlib.resources import files
from itertools import count
from pathlib import Path
from typing import Final

from parksim.errors import ArgumentError, WrongTypeError
from parksim.reports import charts as plots
from parksim.reports.markdown import markdown
from parksim.reports.play.page import Playing, playing
from parksim.reports.stories import STORIES, story_of
from parksim.reports.story import Cell, Chart, Mark, Sheet, Story
from parksim.reports.words import VERDICTS
from parksim.results import library, write
from parksim.studies.study import Study

WIDE: Final = 760
PHONE: Final = 340
"""Pixels of a chart on a wide screen or paper, and on a telephone."""
LONG_TABLE: Final = 24
"""Rows; a longer table is shut at first, and stays off paper."""
SHORT_TABLE: Final = 10
"""Rows; a table of no more is not broken across pages."""
_TYPES: Final = {".csv": "text/csv", ".toml": "application/toml"}


def page(story: Story, *, played: Playing | None = None) -> str:
    """Return a report as HTML; ``played`` is what makes it play.

    Raises:
        MissingLibraryError: altair or vl-convert is not installed.
    """
    parts = [
        *_head(story, played),
        *_answer(story),
        *([played.section] if played else ()),
        *_charts(story),
        *_sections(story),
        *_tables(story),
        *_assumptions(story),
        *_made(story),
        *([played.scripts] if played else ()),
        "</main></body></html>",
    ]
    return "\n".join(parts) + "\n"


def save(result: object, path: str | Path, *, source: str = "", play: bool = False) -> None:
    """Write the report of a result: a page (``.html``), or Markdown (``.md``).

    Args:
        result: what is reported.
        path: the file; one that is there is replaced.
        source: the name of the result's store, for the command that makes it again.
        play: whether the switchboard of a study runs in the page.

    Raises:
        WrongTypeError: there is no report of such a result, or no page that plays.
        ArgumentError: the file's name ends otherwise.
        MissingLibraryError: altair or vl-convert is not installed (a page needs them, Markdown does not).
        OutputError: the file cannot be written.
    """
    if type(result) not in STORIES:
        known = " or ".join(one.__name__ for one in STORIES)
        raise WrongTypeError(f"a report is written of a {known}, not of a {type(result).__name__}")
    path = Path(path)
    if path.suffix not in ENDINGS:
        raise ArgumentError(f"{path}: a report is written as {' or '.join(ENDINGS)}")
    if play and not isinstance(result, Study):
        raise WrongTypeError(f"a page plays one design, the result of run, not a {type(result).__name__}")
    if play and path.suffix != ".html":
        raise ArgumentError(f"{path}: a report that plays is a page, .html")
    story = story_of(result, source)
    played = playing(result) if play and isinstance(result, Study) else None
    written = markdown(story) if path.suffix == ".md" else page(story, played=played)
    write(path, written)


ENDINGS: Final = (".html", ".md")


def text(words: object) -> str:
    """Return a text as HTML that shows it and nothing else; a number and its % stay together.

    >>> text("<b> & 'c'"), text("5 %")
    ('&lt;b&gt; &amp; &#x27;c&#x27;', '5&nbsp;%')
    """
    return html.escape(str(words)).replace(" %", "&nbsp;%")


def _head(story: Story, played: Playing | None) -> Iterator[str]:
    scripts = f" {played.policy}" if played else ""
    yield "<!DOCTYPE html>"
    yield '<html lang="en"><head><meta charset="utf-8">'
    yield (
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        f"style-src 'unsafe-inline'; img-src data:;{scripts}\">"
    )
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield '<meta name="generator" content="parksim">'
    yield f"<title>{text(story.title)}</title>"
    yield f"<style>\n{STYLE}{played.style if played else ''}</style></head>"
    yield "<body><main>"
    asked = f'<p class="asked">{text(story.asked)}</p>' if story.asked else ""
    yield f'<header><p class="kind">Call parking: {text(story.kind)}</p><h1>{text(story.title)}</h1>'
    yield f'{asked}<p class="question">{text(story.question)}</p></header>'


def _answer(story: Story) -> Iterator[str]:
    sign = _sign(story.verdict) if story.verdict else ""
    yield '<section aria-labelledby="answer"><h2 id="answer">The answer</h2>'
    yield f'<div class="answer {story.verdict}"><p class="headline">{sign}{text(story.headline)}</p></div>'
    if story.objectives is not None:
        yield _table(story.objectives)
    if story.details:
        yield f'<ul class="details">{"".join(f"<li>{text(one)}</li>" for one in story.details)}</ul>'
    if story.choices is not None:
        yield _table(story.choices)
    if story.warning:
        place = 'They stand under <a href="#assumptions">What was assumed</a>.'
        yield f'<p class="warning"><span class="guess">guess</span> {text(story.warning)} {place}</p>'
    yield "</section>"


def _sign(verdict: str) -> str:
    return f'<span class="sign" aria-hidden="true">{VERDICTS[verdict].shape}</span> '


def _cell(cell: Cell, kind: str) -> str:
    if isinstance(cell, Mark):
        sign = _sign(cell.kind) if cell.kind in VERDICTS else ""
        return f'<td><span class="{cell.kind}">{sign}{text(cell)}</span></td>'
    return f"<td{kind}>{text(cell)}</td>"


def _table(sheet: Sheet) -> str:
    """Return a table; on a telephone each row becomes a card whose lines repeat the headings."""
    head = "".join(f'<th scope="col"{_right(sheet, n)}>{text(one)}</th>' for n, one in enumerate(sheet.headings))
    rows = "".join(
        "<tr>"
        + "".join(_cell(cell, f' data-of="{text(sheet.headings[n])}"{_right(sheet, n)}') for n, cell in enumerate(row))
        + "</tr>"
        for row in sheet.rows
    )
    short = " short" if len(sheet.rows) <= SHORT_TABLE else ""
    return (
        f'<div class="sheet{short}"><table><caption>{text(sheet.caption)}</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _right(sheet: Sheet, column: int) -> str:
    return ' class="number"' if column in sheet.numbers else ""


# Charts ---------------------------------------------------------------------------------------------------------------


def _charts(story: Story) -> Iterator[str]:
    if not story.charts:
        return
    yield '<section class="charts" aria-labelledby="seen"><h2 id="seen">What was seen</h2>'
    yield from (_figure(chart, number) for number, chart in enumerate(story.charts))
    yield "</section>"


def _figure(chart: Chart, number: int) -> str:
    heading = f'<h3 id="chart-{number}">{text(chart.heading)}</h3><p class="finding">{text(chart.finding)}</p>'
    if chart.figure is None:
        return f'<figure class="missing">{heading}</figure>'
    pictures = []
    for kind, width in (("wide", WIDE), ("phone", PHONE)):
        drawn = plots.drawn(chart.figure, width)
        drawn.title = library("altair", "report").Undefined  # the page's heading says it
        svg = plots.svg_of(drawn, told=kind == "wide")
        svg = _inline(svg, f"c{number}{kind[0]}", f"{chart.heading}. {chart.finding}")
        pictures.append(f'<div class="picture {kind}">{svg}</div>')
    name = f"{chart.figure.name}-{number + 1}.csv"
    data = _download(name, chart.figure.to_csv(), "Its numbers as CSV")
    caption = f"<figcaption>{text(chart.reading)} {data}</figcaption>"
    return f'<figure aria-labelledby="chart-{number}">{heading}{"".join(pictures)}{caption}</figure>'


_TAG: Final = re.compile(r"<[^<>]*>")
_IDS: Final = re.compile(r'(?<=\bid=")|(?<=url\(#)|(?<=href="#)')
_SIZE: Final = re.compile(r'\b(width|height)="([\d.]+)"')
_FOR_READERS: Final = re.compile(r' (?:role|aria-[a-z]+)="[^"]*"')
_NEW_LINE: Final = "&#xA;"
_LABEL: Final = re.compile(rf' aria-label="{plots.TOLD}([^"]*)"')


def _titled(tag: str) -> str:
    """Return a mark's tag with its description as a title, which browsers show under the pointer.

    The chart has a label as a whole; the marks' own labels and roles go. Numbers written on marks let the pointer pass.
    """
    label, plain = _LABEL.search(tag), _FOR_READERS.sub("", tag)
    if label is None or not label[1] or plain.startswith("<text"):
        return plain
    title = f"<title>{label[1].removesuffix(_NEW_LINE)}</title>"
    name = plain[1:].split(maxsplit=1)[0]
    return f"{plain[:-2]}>{title}</{name}>" if plain.endswith("/>") else plain + title


def _inline(svg: str, prefix: str, words: str) -> str:
    """Return a chart's SVG for a page: names of its own (several are in one page), a label, a width that gives way."""
    svg = _TAG.sub(lambda tag: _titled(_IDS.sub(f"{prefix}-", tag[0])), svg.strip())
    opening = _TAG.search(svg)
    assert opening is not None
    size = dict(_SIZE.findall(opening[0]))
    label = (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{text(words)}" '
        f'viewBox="0 0 {size["width"]} {size["height"]}" style="max-width:{size["width"]}px">'
    )
    return label + svg[opening.end() :]


def _download(name: str, content: str, words: str) -> str:
    kind = _TYPES.get(Path(name).suffix, "text/plain")
    coded = base64.b64encode(content.encode()).decode()
    return f'<a download="{text(name)}" href="data:{kind};charset=utf-8;base64,{coded}">{text(words)}</a>'


# Tables, assumptions, how it was made ---------------------------------------------------------------------------------


def _sections(story: Story) -> Iterator[str]:
    for number, section in enumerate(story.sections):
        yield f'<section aria-labelledby="section-{number}"><h2 id="section-{number}">{text(section.heading)}</h2>'
        for sheet in section.sheets:
            yield from _long_or_short(sheet)
        yield "</section>"


def _long_or_short(sheet: Sheet) -> Iterator[str]:
    """Yield a table; a long one is shut at first, and stays off paper."""
    if len(sheet.rows) > LONG_TABLE:
        opening = f"<summary>{text(sheet.caption)} ({len(sheet.rows):,} rows)</summary>"
        yield f"<details>{opening}{_table(sheet)}</details>"
        yield f'<p class="paper">{text(sheet.caption)} ({len(sheet.rows):,} rows): on the screen, not on paper.</p>'
    else:
        yield _table(sheet)


def _tables(story: Story) -> Iterator[str]:
    yield '<section aria-labelledby="measures"><h2 id="measures">All that was measured</h2>'
    for sheet in story.tables:
        yield from _long_or_short(sheet)
    if story.footnotes:
        yield f'<div class="footnotes">{"".join(map(_footnote, story.footnotes, count(1)))}</div>'
    links = [_download(name, content, name) for name, content in story.files.items() if name.endswith(".csv")]
    yield f'<p class="files">With every measure and interval: {", ".join(links)}.</p></section>'


def _footnote(words: str, number: int) -> str:
    return f"<p>[{number}] {text(words)}</p>"


def _assumptions(story: Story) -> Iterator[str]:
    if story.assumptions is None:
        return
    yield '<section aria-labelledby="assumptions"><h2 id="assumptions">What was assumed</h2>'
    if story.sources:
        yield '<div class="sources"><h3>What the scenario file says of itself</h3>'
        yield from (f"<p>{text(paragraph)}</p>" for paragraph in story.sources)
        yield "</div>"
    if not story.guesses:
        yield "<p>No value is marked as a guess; of an unmarked one nobody has said where it comes from.</p>"
    yield _table(story.assumptions) + "</section>"


def _made(story: Story) -> Iterator[str]:
    yield '<section aria-labelledby="made"><h2 id="made">How it was made</h2><dl>'
    yield from (f"<div><dt>{text(what)}</dt><dd>{text(which)}</dd></div>" for what, which in story.made)
    yield "</dl>"
    for command in story.commands:
        yield f'<div class="command"><p>{text(command.what)}:</p><pre>{text(command.text)}</pre></div>'
    for name, content in story.files.items():
        if name.endswith(".toml"):
            yield f"<details><summary>The scenario, {text(name)}</summary><pre>{text(content)}</pre></details>"
            yield f'<p class="files">{_download(name, content, "Save " + name)}</p>'
    yield "</section>"


STYLE: Final = files("parksim.reports").joinpath("page.css").read_text(encoding="utf-8")
