"""The command that writes a report of a result, or one chart of it."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import Parameter

from parksim.cli import options as opt
from parksim.cli.misused import line
from parksim.errors import MissingLibraryError, UnfitError, UsageError, WrongTypeError

if TYPE_CHECKING:
    from parksim.scenario.model import Scenario
    from parksim.studies.loaded import Plan
    from parksim.studies.study import Study
    from parksim.studies.sweep import Sweep


def report_command(
    result: Annotated[
        Path, Parameter(help="A store (.db) of run, sweep, solve, compare or sensitivity, or a result of run (.json).")
    ],
    *,
    out: Annotated[
        Path | None,
        Parameter(
            name=("--out", "-o"),
            help="The report, .html (opens offline) or .md; with --chart a picture, .svg, .png, .pdf or .json.",
        ),
    ] = None,
    chart: Annotated[str | None, Parameter(help="Only this chart, such as occupancy or heat_map.")] = None,
    options: Annotated[
        tuple[str, ...],
        Parameter("--option", negative=(), help="Of that chart: `--option over=lot.max_in_parking`. Repeatable."),
    ] = (),
    width: Annotated[int | None, Parameter(help="Width of that chart in pixels. Default: 720.")] = None,
    play: Annotated[
        bool,
        Parameter(negative=(), help="Let the switchboard of a run run in the page, with other values (0.3 MB more)."),
    ] = False,
    scenario: Annotated[
        Path | None, Parameter(help="The scenario's file: for its notes, or because it reads other files.")
    ] = None,
    values: opt.Set = (),
    unchecked: opt.Unchecked = False,
) -> opt.Answer:
    """Write a result as a page to read: verdicts, charts, assumptions, and how it was made."""
    from parksim.reports import charts, drawing
    from parksim.reports import html as page

    opt.check_out(out, charts.SAVED_AS if chart is not None else page.ENDINGS, "-o")
    opt.check_count("--width", width, charts.NARROWEST, charts.WIDEST)
    opt.check_result(result, "a .db file of a command with --out, or a .json file of run", scenario, values)
    if out is None:
        raise UsageError(f"report needs -o FILE, where to write; type: {_with_out(result, chart)}")
    if play and (chart is not None or out.suffix != ".html"):
        raise UsageError("--play goes with a page; write -o FILE.html, without --chart")
    if options and chart is None:
        raise UsageError("--option goes with a chart; name it, as in --chart shares --option over=lot.max_in_parking")
    chosen = _options(options)
    own = None if scenario is None else opt.scenario_with(scenario, values)
    opt.check_not_read("-o", out, own, result=result, scenario=scenario)
    try:
        loaded = loaded_result(result, own, unchecked=unchecked)
        if chart is not None:
            charts.save(charts.plot(loaded, chart, width=width or drawing.WIDTH, **chosen), out)
            return opt.Answer(f"{out}: {chart} of {loaded.scenario.name}\n")
        page.save(loaded, out, source=_store(result), play=play)
    except WrongTypeError as error:
        raise UsageError(f"{error} (--play goes with a store of run)") from None
    except MissingLibraryError as error:
        raise UsageError(f"{error}{'' if chart else ', or write Markdown: -o FILE.md'}") from None
    except UnfitError as error:
        raise UsageError(f"{error} (give the scenario's file: --scenario FILE)") from None
    return opt.Answer(f"{out}: {loaded.scenario.name}\n")


def _store(result: Path) -> str:
    """Return the name of a result's store; "" where it has none."""
    return result.name if result.suffix == ".db" else ""


def _with_out(result: Path, chart: str | None) -> str:
    """Return a command that says where to write."""
    page_of = f"{result.stem}.{'svg' if chart is not None else 'html'}"
    of_chart = () if chart is None else ("--chart", chart)
    return line("report", str(result), *of_chart, "-o", page_of)


_READ: Final[dict[str, Callable[[str], Any]]] = {
    "replication": int,
    "from_s": float,
    "to_s": float,
    "measures": lambda text: text.split(","),
    "series": lambda text: text.split(","),
}
"""How the value of an option is read; any other is a word."""


def _options(texts: tuple[str, ...]) -> dict[str, Any]:
    options = {}
    for name, text in opt.pairs("--option", texts, "over=lot.max_in_parking"):
        try:
            options[name] = _READ.get(name, str)(text)
        except ValueError:
            raise UsageError(f"--option {name}={text}: write a number, as {name}=0") from None
    return options


def loaded_result(path: Path, own: "Scenario | None" = None, *, unchecked: bool) -> "Study | Sweep | Plan":
    """Return the result in a file, with the notes and files of its own scenario where there is one."""
    from parksim.studies.loaded import load
    from parksim.studies.rerun import result_of, study_of

    if path.suffix == ".json":
        written = result_of(path, unchecked=unchecked)
        calls = (own or written.scenario).expected_calls * len(written.made.request.sums)
        with opt.HERE.ready(calls, written.made.engine) as how:
            return study_of(written, own, how)
    return load(path, own)
