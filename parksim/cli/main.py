"""The command ``parksim``: typed functions that return what to print and how to exit.

Results go to stdout, progress and complaints to stderr. Exit codes: 0 done; 1 an objective missed (``--strict``) or a
disagreement found; 2 bad input; 3 undecided (``--strict``); 4 could not finish; 130 interrupted.
"""

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from textwrap import TextWrapper
from typing import TYPE_CHECKING, Annotated, Any, Final

import cyclopts
from cyclopts import App, Parameter

from parksim.cli import configuration, init, logs, plans, report, serve, session
from parksim.cli import options as opt
from parksim.cli.misused import misused
from parksim.errors import JournalError, OutputError, ParksimError, ScenarioError, UsageError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from parksim.journal.journal import Journal

LONGEST_LINE: Final = 500
LONGEST_WORD: Final = 100
"""Characters of a message, where it would be too long otherwise: what was given may be a whole file."""
MOST_SLOTS: Final = 10_000_000
"""Erlang's recursion takes one step per slot; this many take about a second."""


app = App(
    name="parksim",
    help="Simulates call parking: how many slots, which time-out, how many attendants.",
    name_transform=lambda name: name.removesuffix("_command"),
    # Ctrl-C is main's to answer, with a word and a code.
    suppress_keyboard_interrupt=False,
)
for plan in (
    plans.sweep_command,
    plans.solve_command,
    plans.advise_command,
    plans.sensitivity_command,
    plans.compare_command,
    plans.rare_command,
    plans.rerun_command,
):
    app.command(plan)
for other in (
    init.init_command,
    report.report_command,
    logs.replay_command,
    logs.calibrate_command,
    configuration.import_command,
    configuration.export_command,
    serve.serve_command,
    session.session_command,
):
    app.command(other)


@app.command
def run_command(
    scenario: opt.ScenarioFile,
    *,
    replications: Annotated[int | None, Parameter(help="Default: 30, or as many as a precision needs.")] = None,
    precision: Annotated[str | None, Parameter(help="Run until half-widths are this share of the means: 5%.")] = None,
    how: opt.Execution = opt.BY_DEFAULT,
    values: opt.Set = (),
    every: Annotated[
        bool, Parameter(name="--all", negative=(), help="Print every measure, with theory beside it.")
    ] = False,
    json: opt.Json = False,
    out: Annotated[
        Path | None,
        Parameter(help="Write the JSON object to this file (.json), or keep the replications in it (.db)."),
    ] = None,
    strict: Annotated[
        bool, Parameter(negative=(), help="Exit 1 when an objective is missed, 3 when undecided.")
    ] = False,
) -> opt.Answer:
    """Simulate a scenario and answer its questions, each with its interval."""
    from parksim.reports.answer import answer
    from parksim.reports.screen import screen
    from parksim.results import write
    from parksim.studies.gather import REPLICATIONS
    from parksim.studies.study import study

    if replications is not None and precision is not None:
        raise UsageError("--replications and --precision exclude each other; give one of them")
    opt.check_count("--replications", replications)
    how.check()
    opt.check_out(out, (".json", ".db"))
    wanted = opt.fraction_of("--precision", precision, "5%")
    kept = out if out is not None and out.suffix == ".db" else None
    written = out if out is not None and out.suffix == ".json" else None
    loaded = opt.scenario_with(scenario, values)
    opt.check_not_read("--out", out, loaded, scenario=scenario)
    calls = loaded.expected_calls * (replications or REPLICATIONS)
    with how.running(calls, may_end_early=precision is not None, store=kept) as options:
        if options["workers"] is not None and replications is not None:
            options["workers"] = min(options["workers"], replications)
        result = study(loaded, replications, precision=wanted, **options)
    text = result.to_json(sealed=written is not None) + "\n" if json or written is not None else ""
    if written is not None:
        write(written, text)
    shown = text if json else screen(result) if every else answer(result, opt.named(scenario, values))
    return opt.Answer(shown, _VERDICT_CODES[result.verdict] if strict else opt.DONE)


_VERDICT_CODES: Final = {"met": opt.DONE, "missed": opt.MISSED, "undecided": opt.UNDECIDED}


@app.command
def quick_command(
    scenario: opt.ScenarioFile,
    *,
    method: Annotated[
        str, Parameter(help="chain: up to some seconds; load: at once, less exact where attendants are few.")
    ] = "chain",
    values: opt.Set = (),
    json: opt.Json = False,
) -> opt.Answer:
    """Answer a scenario's questions from theory alone, without a simulation; each row says how exact it is."""
    from parksim.reports.screen_quick import quick_screen
    from parksim.studies.quick import quick

    if method not in {"chain", "load"}:
        raise UsageError(f"--method {method}: choose one of chain, load")
    answer = quick(opt.scenario_with(scenario, values), "load" if method == "load" else "chain")
    return opt.Answer(answer.to_json() + "\n" if json else quick_screen(answer, opt.named(scenario, values)))


@app.command
def journal_command(
    scenario: opt.ScenarioFile,
    *,
    replication: Annotated[int, Parameter(help="Its number, from 0.")] = 0,
    seed: opt.Seed = 1,
    engine: opt.EngineName = "simpy",
    values: opt.Set = (),
    out: Annotated[Path | None, Parameter(help="Write to this file, .jsonl or .npz, instead of stdout.")] = None,
) -> opt.Answer:
    """Write everything that happens in one replication, one fact a line."""
    from parksim.studies.replication import run

    loaded = opt.scenario_with(scenario, values)
    opt.check_seed(seed)
    opt.check_engine(engine)
    if replication < 0:
        raise UsageError(f"--replication {replication}: replications are numbered from 0")
    opt.check_out(out, (".jsonl", ".npz"))
    opt.check_not_read("--out", out, loaded, scenario=scenario)
    journal = run(loaded, seed, replication, engine).journal
    if out is None:
        return opt.Answer(journal.lines())
    journal.save(out)
    return opt.Answer(f"{out}: {len(journal):,} facts\n")


@app.command
def validate_command(scenario: opt.ScenarioFile, *, values: opt.Set = ()) -> opt.Answer:
    """Say whether a scenario is valid, or everything that is wrong with it."""
    loaded = opt.scenario_with(scenario, values)
    late = f"{loaded.recorded_too_late}\n" if loaded.recorded_too_late else ""
    return opt.Answer(f"{scenario}: valid. {loaded.name} ({loaded.short_digest})\n{late}")


@app.command
def check_command(
    journal: Annotated[Path, Parameter(help="A journal, .jsonl or .npz.")], *, unchecked: opt.Unchecked = False
) -> opt.Answer:
    """Check whether the rules would have written this journal, and name the first row that disagrees."""
    from parksim.journal.journal import Journal

    loaded = Journal.load(journal, unchecked=True)
    workload = _workload_of(loaded)
    finding = loaded.check(workload)
    if finding is None:
        if loaded.altered and not unchecked:
            raise JournalError(loaded.altered)
        calls = "; its calls are those of its seed" if workload is not None else ""
        return opt.Answer(f"{journal}: all {len(loaded):,} facts follow the rules{calls}\n")
    line = f", line {finding.line}" if journal.suffix == ".jsonl" else ""
    return opt.Answer(f"{journal}{line}: {finding}\n", opt.MISSED)


def _workload_of(journal: "Journal") -> Any:
    """Draw the calls of a simulated journal again; None when its header does not say how, or files are missing."""
    from parksim.scenario.model import Scenario
    from parksim.scenario.workload import draw

    header = journal.header
    try:
        scenario = Scenario.of_canonical(header["scenario"])
        seed, replication = header["seed"], header["replication"]
        if not all(isinstance(number, int) and number >= 0 for number in (seed, replication)):
            return None
        return draw(scenario, seed, replication)
    except (KeyError, TypeError, ValueError, ArithmeticError, RecursionError):
        return None


@app.command
def schema_command() -> opt.Answer:
    """Print the JSON Schema of a scenario, for editors."""
    from parksim.scenario.schema import schema

    return opt.Answer(opt.as_json(schema()))


@app.command
def scenarios_command() -> opt.Answer:
    """List the shipped scenarios; `parksim run NAME` runs one, `parksim init --from NAME` copies it."""
    from parksim.scenario import shipped
    from parksim.scenario.model import Scenario

    lines = []
    for name, path in shipped.shipped().items():
        loaded = Scenario.load(path)
        slots = " + ".join(str(lot.slots) for lot in loaded.lots)
        lines.append(f"{name:<18} {loaded.name:<44} {slots:>7} slots, {loaded.attendants.in_words}\n")
    return opt.Answer("".join(lines))


@app.command
def glossary_command(
    word: Annotated[str | None, Parameter(help="Only the entries with this word.")] = None,
) -> opt.Answer:
    """Explain the words of call parking that parksim uses."""
    page = (Path(__file__).parents[1] / "glossary.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.strip("| \n").split(" | ", 1)] for line in page.splitlines() if "|" in line]
    entries = dict(rows[2:])  # below the heading and its rule
    if word is not None:
        found = {term: meaning for term, meaning in entries.items() if word.lower() in term.lower()}
        found = found or {term: meaning for term, meaning in entries.items() if word.lower() in meaning.lower()}
        if not found:
            raise UsageError(f"{word}: is not in the glossary; parksim glossary prints all of it")
        entries = found
    wide = max(map(len, entries)) + 2
    fold = TextWrapper(100, subsequent_indent=" " * wide).fill
    return opt.Answer("".join(fold(f"{term:<{wide}}{meaning}") + "\n" for term, meaning in entries.items()))


@app.command
def erlang_command(
    *,
    offered: Annotated[float, Parameter(help="Offered load in erlang: parks an hour times mean stay in hours.")],
    slots: Annotated[int | None, Parameter(help="Slots: answers how many parks are refused.")] = None,
    blocking: Annotated[str | None, Parameter(help="Refused share, as 1%: answers how many slots it takes.")] = None,
    json: opt.Json = False,
) -> opt.Answer:
    """Compute Erlang's answer for a lot without repeated returns: the refused share, or the slots."""
    from parksim.theory.erlang import erlang_b, erlang_b_servers

    if (slots is None) == (blocking is None):
        raise UsageError("give either --slots or --blocking")
    if slots is not None and slots > MOST_SLOTS:
        raise UsageError(f"--slots {slots}: at most {MOST_SLOTS:,}")
    try:
        if slots is None:
            assert blocking is not None
            slots = erlang_b_servers(offered, opt.share_of("--blocking", blocking))
        refused = erlang_b(slots, offered)
    except ValueError as error:
        raise UsageError(str(error)) from None
    answer = {
        "offered_erlang": offered,
        "slots": slots,
        "refused_share": refused,
        "carried_erlang": offered * (1 - refused),
    }
    if json:
        return opt.Answer(opt.as_json(answer, indent=None))
    return opt.Answer(
        f"{offered:g} erlang offered to {slots} slots: {refused:.4%} refused, "
        f"{answer['carried_erlang']:.4f} slots busy on average (Erlang B)\n"
    )


def _screen(**options: Any) -> "Console":
    """Return a console that leaves a broken pipe to ``main``; rich's own would exit with code 1."""
    from rich.console import Console

    class Screen(Console):
        def on_broken_pipe(self) -> None:
            raise  # noqa: PLE0704 - rich calls this where it has just caught a broken pipe

    return Screen(**options)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit code; the one place where errors become messages."""
    _speak_utf8()
    try:
        answer = app(
            arguments,
            exit_on_error=False,
            print_error=False,
            result_action="return_value",
            console=_screen(),
        )
        if isinstance(answer, opt.Answer):
            _print(answer.output)
            sys.stdout.flush()
            return answer.code
    except cyclopts.CycloptsError as error:
        _complain(f"parksim: {misused(error)}")
        return opt.BAD_INPUT
    except KeyboardInterrupt as error:
        _complain("parksim: interrupted" + (f"; {error}" if str(error) else ""))
        return opt.INTERRUPTED
    except ParksimError as error:
        _complain(_complaint(error))
        return error.exit_code
    except BrokenPipeError:
        # The reader of our output has seen enough; the rest of the buffer must not raise again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return opt.DONE
    except (OSError, MemoryError) as error:
        _complain(f"parksim: could not finish: {str(error) or type(error).__name__}")
        return opt.BAD_INPUT if getattr(error, "errno", None) == errno.ENAMETOOLONG else opt.NOT_FINISHED
    return opt.DONE


def _complain(text: str) -> None:
    """Write a message to stderr, where there is one that takes it; no line of it is long."""
    text = "\n".join(map(_shortened, text.split("\n")))
    if sys.stderr is not None:
        with suppress(OSError):
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()


def _shortened(line: str) -> str:
    """Return a line of at most ``LONGEST_LINE`` characters: long words lose their middle, then the line does."""
    if len(line) > LONGEST_LINE:
        line = " ".join(_cut(word, LONGEST_WORD) for word in line.split(" "))
    return _cut(line, LONGEST_LINE)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most // 2 - 2]}...{text[2 - most // 2 :]}"


def _complaint(error: ParksimError) -> str:
    if isinstance(error, ScenarioError):  # its lines begin with the file
        return str(error)
    return f"parksim: {'' if error.exit_code == opt.BAD_INPUT else 'could not finish: '}{error}"


def _speak_utf8() -> None:
    """Write UTF-8 into pipes and files in any locale (JSON is UTF-8); a terminal gets what it can show."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding=None if stream.isatty() else "utf-8", errors="backslashreplace")


def _print(output: "str | opt.Texts | RenderableType") -> None:
    if sys.stdout is None:
        raise OutputError("there is no standard output")
    if isinstance(output, str):
        sys.stdout.write(output)
    elif isinstance(output, Iterator):
        sys.stdout.writelines(output)
    else:
        from parksim.reports.screen import WIDTH

        _screen(highlight=False, width=None if sys.stdout.isatty() else WIDTH).print(output)
