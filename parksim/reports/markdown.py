"""A report as Markdown: the same words and tables as the page, and the charts' numbers where they are few."""

import re
from collections.abc import Callable, Iterator
from typing import Final

from parksim.reports.figures import Figure, cell_text
from parksim.reports.story import Cell, Chart, Mark, Sheet, Story
from parksim.reports.words import key_words, label_of, unit_of

MOST_ROWS: Final = 30
"""A chart of more rows is told by its finding alone; the page draws it."""
_MARKUP: Final = re.compile(r"[\\`*\[\]<>|~&]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_LEADING: Final = re.compile(r"^(\d*)([.)#=+\-])")


def markdown(story: Story) -> str:
    """Return a report as Markdown, which needs no library."""
    return "\n".join(_lines(story)) + "\n"


def escaped(words: object) -> str:
    r"""Return a text as Markdown that shows it and nothing else, on one line.

    >>> escaped("<b>a|b</b>"), escaped("1. x"), escaped("lot.max_in_parking < 1.5 s")
    ('\\<b\\>a\\|b\\</b\\>', '1\\. x', 'lot.max_in_parking \\< 1.5 s')
    """
    return _LEADING.sub(r"\1\\\2", _cell_of(words))


def _cell_of(words: object) -> str:
    """Return a text within a line, as in a table, where no list and no heading begins."""
    return _MARKUP.sub(r"\\\g<0>", " ".join(str(words).split()))


def _lines(story: Story) -> Iterator[str]:
    yield f"# {escaped(story.title)}"
    yield from ("", f"Call parking: {escaped(story.kind)}.", "")
    if story.asked:
        yield from (escaped(story.asked), "")
    yield from (escaped(story.question), "", "## The answer", "", f"**{escaped(story.headline)}**", "")
    if story.objectives is not None:
        yield from _table(story.objectives)
    yield from (f"- {escaped(one)}" for one in story.details)
    if story.choices is not None:
        yield from _table(story.choices)
    if story.warning:
        yield from ("", story.warning)
    if story.charts:
        yield from ("", "## What was seen")
    for chart in story.charts:
        yield from _chart(chart)
    for section in story.sections:
        yield from ("", f"## {escaped(section.heading)}")
        yield from (line for sheet in section.sheets for line in _table(sheet))
    if story.tables:
        yield from ("", "## All that was measured")
    for sheet in story.tables:
        yield from _table(sheet)
    yield from (line for n, words in enumerate(story.footnotes, 1) for line in ("", f"\\[{n}\\] {escaped(words)}"))
    if story.assumptions is not None:
        yield from ("", "## What was assumed", "")
        for paragraph in story.sources:
            yield from (f"> {escaped(paragraph)}", ">")
        yield from _table(story.assumptions)
    yield from ("", "## How it was made", "")
    yield from (f"- {escaped(what)}: {escaped(which)}" for what, which in story.made)
    for command in story.commands:
        yield from ("", f"{escaped(command.what)}:", "", *_code(command.text))
    for name, content in story.files.items():
        if name.endswith(".toml"):
            yield from ("", f"The scenario, `{name}`:", "", *_code(content, "toml"))


def _chart(chart: Chart) -> Iterator[str]:
    yield from ("", f"### {escaped(chart.heading)}", "", escaped(chart.finding))
    if chart.figure is None:
        return
    rows = chart.figure.rows
    if chart.figure.name == "heat_map":
        yield from _maps(chart.figure)
    elif rows and len(rows) <= MOST_ROWS:
        names = [name for name in rows[0] if any(row[name] is not None for row in rows)]
        cells = tuple(tuple(_shown(_WORDS.get(name, str), row[name]) for name in names) for row in rows)
        yield from _table(Sheet("", tuple(names), cells, tuple(range(len(names)))))


def _maps(figure: Figure) -> Iterator[str]:
    """Yield a heat map as a table for each measure; a design that meets all objectives is marked."""
    facts = figure.facts
    for measure in facts["measures"]:
        cells = {
            (row["column"], row["line"]): cell_text(measure, row) + (" *" if row["all"] == "met" else "")
            for row in figure.rows
            if row["measure"] == measure
        }
        rows = [
            (str(word), *(cells[column, line] for column in range(len(facts["columns"]))))
            for line, word in reversed(list(enumerate(facts["lines"])))
        ]
        target = facts["targets"].get(measure)
        unit = f", in {unit_of(measure)}" if unit_of(measure) else ""
        caption = f"{label_of(measure)}{unit}" + (f"; target {target[2]}; * meets all objectives" if target else "")
        corner = " / ".join(key_words(key) for key in (facts["y"], facts["x"]) if key)
        yield from _table(Sheet(caption, (corner, *map(str, facts["columns"])), tuple(rows)))


_WORDS: Final = {"measure": label_of, "key": key_words}
"""What is said in words of a column of a chart's numbers."""


def _shown(words: Callable[[str], str], value: object) -> str:
    return "-" if value is None else f"{value:.4g}" if isinstance(value, float) else words(str(value))


def _table(sheet: Sheet) -> Iterator[str]:
    yield ""
    if sheet.caption:
        yield from (f"**{escaped(sheet.caption)}**", "")
    yield _row(sheet.headings)
    yield "|" + "|".join("---:" if n in sheet.numbers else "---" for n in range(len(sheet.headings))) + "|"
    yield from map(_row, sheet.rows)
    yield ""


def _row(cells: tuple[Cell, ...]) -> str:
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(cell: Cell) -> str:
    return f"**{cell}**" if isinstance(cell, Mark) else _cell_of(cell)


def _code(content: str, kind: str = "sh") -> list[str]:
    """Return a fenced block whose fence is longer than any run of its sign within."""
    longest = max((len(run) for run in re.findall(r"`+", content)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}{kind}", content.rstrip("\n"), fence]
