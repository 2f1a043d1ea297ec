"""A report as one HTML file that asks for nothing from anywhere: text, tables, charts as SVG, their data as CSV.

The page works without scripts. Each chart is there twice, for wide screens and paper and for telephones; with
``interactive`` the page bears Vega (some 0.9 MB) and a button that lets the charts show their numbers under the
pointer. The same result gives the same bytes.
"""

import base64
import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from parksim.errors import ArgumentError, WrongTypeError
from parksim.reports import charts as plots
from parksim.reports.markdown import markdown
from parksim.reports.story import story_of
from parksim.reports.story_parts import Cell, Chart, Command, Mark, Measure, Sheet, Story
from parksim.reports.words import VERDICTS
from parksim.results import library
from parksim.studies.study import Study
from parksim.studies.sweep import Sweep

WIDE: Final = 760
PHONE: Final = 340
"""Pixels of a chart on a wide screen or paper, and on a telephone."""
LONG_TABLE: Final = 24
"""Rows; a longer table is shut at first, and stays off paper."""
SHORT_TABLE: Final = 10
"""Rows; a table of no more is not broken across pages."""
_TYPES: Final = {".csv": "text/csv", ".toml": "application/toml"}


def page(story: Story, *, interactive: bool = False) -> str:
    """Return a report as HTML.

    Raises:
        MissingLibraryError: altair or vl-convert is not installed.
    """
    parts = [
        *_head(story, interactive=interactive),
        *_answer(story),
        *_charts(story, interactive=interactive),
        *_tables(story),
        *_assumptions(story),
        *_made(story),
        *(_scripts() if interactive else ()),
        "</main></body></html>",
    ]
    return "\n".join(parts) + "\n"


def save(result: object, path: str | Path, *, source: str = "", interactive: bool = False) -> None:
    """Write the report of a study or a sweep: a page (``.html``), or Markdown (``.md``).

    Args:
        result: what is reported.
        path: the file; one that is there is replaced.
        source: the name of the result's store, for the command that makes it again.
        interactive: whether the page bears Vega, so that charts can show their numbers.

    Raises:
        WrongTypeError: no study or sweep.
        ArgumentError: the file's name ends otherwise.
        MissingLibraryError: altair or vl-convert is not installed (a page needs them, Markdown does not).
        OSError: the file cannot be written.
    """
    if not isinstance(result, Study | Sweep):
        raise WrongTypeError(f"a report is written of a Study or a Sweep, not of a {type(result).__name__}")
    path = Path(path)
    if path.suffix not in ENDINGS:
        raise ArgumentError(f"{path}: a report is written as {' or '.join(ENDINGS)}")
    if path.suffix == ".md":
        text = markdown(story_of(result, source))
    else:
        text = page(story_of(result, source), interactive=interactive)
    path.write_text(text, encoding="utf-8")


ENDINGS: Final = (".html", ".md")


def text(words: object) -> str:
    """Return a text as HTML that shows it and nothing else; a number and its % stay together.

    >>> text("<b> & 'c'"), text("5 %")
    ('&lt;b&gt; &amp; &#x27;c&#x27;', '5&nbsp;%')
    """
    return html.escape(str(words)).replace(" %", "&nbsp;%")


def _head(story: Story, *, interactive: bool) -> Iterator[str]:
    scripts = " script-src 'unsafe-inline' 'unsafe-eval';" if interactive else ""
    yield "<!DOCTYPE html>"
    yield '<html lang="en"><head><meta charset="utf-8">'
    yield (
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        f"style-src 'unsafe-inline'; img-src data:;{scripts}\">"
    )
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield '<meta name="generator" content="parksim">'
    yield f"<title>{text(story.title)}</title>"
    yield f"<style>{STYLE}</style></head>"
    yield "<body><main>"
    yield f'<header><p class="kind">Call parking: {text(story.kind)}</p><h1>{text(story.title)}</h1></header>'


def _answer(story: Story) -> Iterator[str]:
    asked = f'<p class="asked">{text(story.asked)}</p>' if story.asked else ""
    yield f'<section aria-labelledby="question"><h2 id="question">The question</h2>{asked}'
    yield f"<p>{text(story.question)}</p></section>"
    sign = _sign(story.verdict) if story.verdict else ""
    yield f'<section aria-labelledby="answer"><h2 id="answer">The answer</h2><div class="answer {story.verdict}">'
    yield f'<p class="headline">{sign}{text(story.headline)}</p><ul>'
    yield from (f"<li>{text(one)}</li>" for one in story.details)
    yield "</ul></div>"
    yield from (_table(sheet) for sheet in (story.objectives, story.choices) if sheet is not None)
    if story.guesses:
        number = f"{story.guesses} values" if story.guesses > 1 else "One value"
        yield (
            f'<p class="warning"><span class="guess">guess</span> {number} of the scenario are marked as guesses in '
            'its file: the answer is as good as they are. They stand under <a href="#assumptions">What was assumed</a>.'
            "</p>"
        )
    yield "</section>"


def _sign(verdict: str) -> str:
    return f'<span class="sign" aria-hidden="true">{VERDICTS[verdict].shape}</span> '


def _cell(cell: Cell, kind: str) -> str:
    if isinstance(cell, Mark):
        sign = _sign(cell.kind) if cell.kind in VERDICTS else ""
        return f'<td><span class="{cell.kind}">{sign}{text(cell)}</span></td>'
    if isinstance(cell, Measure):
        return f"<td{kind}>{text(cell.words)} <code>{text(cell.name)}</code></td>"
    return f"<td{kind}>{text(cell)}</td>"


def _table(sheet: Sheet) -> str:
    """Return a table; on a telephone each row becomes a card whose lines bear the headings."""
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


def _charts(story: Story, *, interactive: bool) -> Iterator[str]:
    yield '<section class="charts" aria-labelledby="seen"><h2 id="seen">What was seen</h2>'
    if interactive:
        yield '<p><button type="button" id="live">Show numbers under the pointer</button></p>'
    for number, chart in enumerate(story.charts):
        yield _figure(chart, number, interactive=interactive)
    yield "</section>"


def _figure(chart: Chart, number: int, *, interactive: bool) -> str:
    heading = f'<h3 id="chart-{number}">{text(chart.heading)}</h3><p class="finding">{text(chart.finding)}</p>'
    if chart.figure is None:
        return f'<figure class="missing">{heading}</figure>'
    pictures = []
    for kind, width in (("wide", WIDE), ("phone", PHONE)):
        drawn = plots.drawn(chart.figure, width)
        drawn.title = library("altair", "report").Undefined  # the page's heading says it
        svg = _inline(plots.svg_of(drawn), f"c{number}{kind[0]}", f"{chart.heading}. {chart.finding}")
        pictures.append(f'<div class="picture {kind}" data-chart="{number}">{svg}</div>')
        if interactive and kind == "wide":
            spec = drawn.configure(**plots.CONFIG).to_dict()
            pictures.append(f'<script type="application/json" id="spec-{number}">{_in_script(spec)}</script>')
    name = f"{chart.figure.name}-{number + 1}.csv"
    data = _download(name, chart.figure.to_csv(), "Its numbers as CSV")
    caption = f"<figcaption>{text(chart.reading)} {data}</figcaption>"
    return f'<figure aria-labelledby="chart-{number}">{heading}{"".join(pictures)}{caption}</figure>'


def _in_script(plain: Any) -> str:
    """Return JSON that cannot end the script it stands in, nor begin another."""
    return json.dumps(plain, ensure_ascii=True, allow_nan=False).replace("<", "\\u003c").replace(">", "\\u003e")


_TAG: Final = re.compile(r"<[^<>]*>")
_IDS: Final = re.compile(r'(?<=\bid=")|(?<=url\(#)|(?<=href="#)')
_SIZE: Final = re.compile(r'\b(width|height)="([\d.]+)"')


def _inline(svg: str, prefix: str, words: str) -> str:
    """Return a chart's SVG for a page: names of its own (several are in one page), a label, a width that gives way."""
    svg = _TAG.sub(lambda tag: _IDS.sub(f"{prefix}-", tag[0]), svg.strip())
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


def _scripts() -> Iterator[str]:
    bundle: str = library("vl_convert", "report").javascript_bundle()
    yield f"<script>{bundle.replace('</script', '<' + chr(92) + '/script')}</script>"
    yield f"<script>{_LIVE}</script>"


_LIVE: Final = """\
document.getElementById("live").addEventListener("click", async (event) => {
  event.target.disabled = true;
  for (const place of document.querySelectorAll(".picture.wide")) {
    const spec = JSON.parse(document.getElementById("spec-" + place.dataset.chart).textContent);
    await vegaEmbed(place, spec, { actions: false, renderer: "svg" });
  }
  event.target.textContent = "Numbers show under the pointer";
});"""


# Tables, assumptions, how it was made ---------------------------------------------------------------------------------


def _tables(story: Story) -> Iterator[str]:
    yield '<section aria-labelledby="measures"><h2 id="measures">All that was measured</h2>'
    for sheet in story.tables:
        if len(sheet.rows) > LONG_TABLE:
            opening = f"<summary>{text(sheet.caption)} ({len(sheet.rows):,} rows)</summary>"
            yield f"<details>{opening}{_table(sheet)}</details>"
            yield f'<p class="paper">{text(sheet.caption)} ({len(sheet.rows):,} rows): on the screen, not on paper.</p>'
        else:
            yield _table(sheet)
    links = [_download(name, content, name) for name, content in story.files.items() if name.endswith(".csv")]
    yield f'<p class="files">With every measure and interval: {", ".join(links)}.</p></section>'


def _assumptions(story: Story) -> Iterator[str]:
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
    yield from map(_command, story.commands)
    for name, content in story.files.items():
        if name.endswith(".toml"):
            yield f"<details><summary>The scenario, {text(name)}</summary><pre>{text(content)}</pre></details>"
            yield f'<p class="files">{_download(name, content, "Save " + name)}</p>'
    yield "</section>"


def _command(command: Command) -> str:
    return f'<div class="command"><p>{text(command.what)}:</p><pre>{text(command.text)}</pre></div>'


STYLE: Final = """
:root { color-scheme: light; --ink: #1a1a1a; --soft: #555; --line: #d8d8d8; --met: #00734f; --missed: #b23a00;
  --undecided: #7a5200; }
* { box-sizing: border-box; }
body { margin: 0; background: #fff; color: var(--ink); font: 16px/1.5 Helvetica, Arial, sans-serif; }
main { max-width: 860px; margin: 0 auto; padding: 32px 24px 64px; }
header { border-bottom: 3px solid var(--ink); margin-bottom: 24px; }
.kind { color: var(--soft); margin: 0; }
h1 { font-size: 30px; line-height: 1.2; margin: 4px 0 16px; overflow-wrap: anywhere; }
h2 { font-size: 20px; line-height: 1.3; margin: 40px 0 8px; }
h3 { font-size: 16px; line-height: 1.35; margin: 0; overflow-wrap: anywhere; }
p { margin: 8px 0; overflow-wrap: anywhere; }
.asked { font-size: 18px; }
.answer { border-left: 6px solid var(--soft); padding: 4px 0 4px 16px; margin: 12px 0 20px; }
.answer.met { border-color: var(--met); } .answer.missed { border-color: var(--missed); border-left-style: double; }
.answer.undecided { border-color: var(--undecided); border-left-style: dashed; }
.headline { font-size: 22px; line-height: 1.3; font-weight: bold; margin: 4px 0 8px; }
.answer.met .sign, .met { color: var(--met); } .answer.missed .sign, .missed { color: var(--missed); }
.answer.undecided .sign, .undecided { color: var(--undecided); }
td .met, td .missed, td .undecided { font-weight: bold; white-space: nowrap; }
.answer { color: var(--ink); }
.answer ul { margin: 0; padding-left: 20px; }
.guess { border: 1px dashed var(--undecided); border-radius: 3px; color: var(--undecided); font-size: 13px;
  padding: 0 5px; white-space: nowrap; }
.warning { color: var(--soft); font-size: 15px; }
.sheet { overflow-x: auto; margin: 16px 0 24px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; line-height: 1.4; }
caption { text-align: left; font-weight: bold; padding-bottom: 4px; }
th { text-align: left; font-weight: normal; color: var(--soft); border-bottom: 1px solid var(--ink);
  vertical-align: bottom; padding: 4px 12px 4px 0; }
td { border-bottom: 1px solid var(--line); vertical-align: top; padding: 5px 12px 5px 0; overflow-wrap: anywhere;
  font-variant-numeric: tabular-nums; }
td code { color: var(--soft); font-size: 12px; white-space: nowrap; }
.number { text-align: right; white-space: nowrap; }
[data-of$="interval"], [data-of="Key"], [data-of="Target"] { white-space: nowrap; }
figure { margin: 24px 0 36px; break-inside: avoid; }
.finding { margin: 2px 0 8px; }
.picture svg { display: block; width: 100%; height: auto; }
.picture.phone { display: none; }
figcaption { color: var(--soft); font-size: 14px; margin-top: 6px; }
figure.missing { color: var(--soft); }
.paper { display: none; }
details { margin: 12px 0; } summary { cursor: pointer; }
.sources { border: 1px solid var(--line); padding: 12px 16px; margin: 12px 0 20px; font-size: 15px; }
dl { margin: 8px 0 16px; font-size: 15px; }
dl div { display: grid; grid-template-columns: 160px 1fr; border-bottom: 1px solid var(--line); padding: 4px 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
pre { background: #f5f5f5; border: 1px solid var(--line); padding: 10px 12px; margin: 4px 0 14px; font-size: 13px;
  white-space: pre-wrap; overflow-wrap: anywhere; }
.command p { margin: 0; }
a { color: #00527f; }
button { font: inherit; padding: 6px 12px; }
@media screen and (max-width: 600px) {
  main { padding: 20px 16px 48px; } #live { display: none; }
  h1 { font-size: 25px; } .headline { font-size: 20px; }
  .picture.wide { display: none; } .picture.phone { display: block; }
  dl div { grid-template-columns: 1fr; }
  table, tbody, tr, td { display: block; } thead { display: none; }
  tr { border-bottom: 1px solid var(--ink); padding: 6px 0; }
  td { border: 0; padding: 1px 0; } td.number { text-align: left; }
  td[data-of]:not([data-of=""])::before { content: attr(data-of) ": "; color: var(--soft); }
  caption { display: block; } td:empty { display: none; }
  td:first-child { font-weight: bold; } td[data-of]:first-child::before { content: ""; }
  td code { font-weight: normal; }
}
@page { margin: 16mm 16mm 18mm; }
@media print {
  body { font-size: 10.5pt; } main { max-width: none; padding: 0; }
  h2 { margin-top: 22pt; break-after: avoid; } h3, .finding, caption, thead { break-after: avoid; }
  tr, .answer, .command, .sources, .sheet.short, dl div { break-inside: avoid; }
  .sheet { overflow: visible; } .paper { display: block; }
  figure { margin: 12pt 0 16pt; }
  table { font-size: 9pt; } figcaption a, button, details, .files { display: none; }
  a { color: inherit; text-decoration: none; }
}
"""
