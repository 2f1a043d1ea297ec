"""The command ``parksim``: typed functions that return what to print and how to exit.

Results go to stdout, progress and complaints to stderr. Exit codes: 0 done; 1 an objective missed (``--strict``) or a
disagreement found; 2 bad input; 3 undecided (``--strict``); 4 could not finish; 130 interrupted.
"""

import io
import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any, Final

import cyclopts
from cyclopts import App, Parameter
from rich.console import Console, RenderableType

from parksim import theory
from parksim.cli import logs as cli_logs
from parksim.cli import plans as cli_plans
from parksim.cli import report as cli_report
from parksim.cli import serve as cli_serve
from parksim.cli.options import (
    BAD_INPUT,
    DONE,
    INTERRUPTED,
    MISSED,
    NOT_FINISHED,
    UNDECIDED,
    Answer,
    Cluster,
    EngineName,
    Json,
    ScenarioFile,
    Seed,
    Set,
    Texts,
    WorkersOption,
    check_count,
    check_engine,
    check_out,
    check_seed,
    hands,
    precision_of,
    scenario_with,
    share_of,
    stays_told,
)
from parksim.cli.progress import Progress
from parksim.errors import OutputError, ParksimError, ScenarioError, UsageError
from parksim.journal.journal import Journal
from parksim.reports.screen import WIDTH, screen
from parksim.scenario.model import TEMPLATE, Scenario
from parksim.scenario.workload import draw
from parksim.studies.gather import REPLICATIONS
from parksim.studies.replication import expected_calls, run, versions
from parksim.studies.study import study

MOST_SLOTS: Final = 10_000_000
"""Erlang's recursion takes a step a slot; so many take about a second."""


def _version() -> str:
    return versions()["parksim"]


app = App(
    name="parksim",
    help="Simulates call parking: how many slots, which time-out, how many attendants.",
    version=_version,
    version_flags=["--version"],
    # Ctrl-C is main's to answer, with a word and a code.
    suppress_keyboard_interrupt=False,
)
for name, command in {**cli_plans.COMMANDS, **cli_report.COMMANDS, **cli_logs.COMMANDS}.items():
    app.command(command, name=name)
app.command(cli_serve.serve_command, name="serve")


@app.command(name="run")
def run_command(
    scenario: ScenarioFile,
    *,
    replications: Annotated[int | None, Parameter(help="How many; 30 unless a precision is given.")] = None,
    precision: Annotated[str | None, Parameter(help="Run until half-widths are this share of the means: 5%.")] = None,
    seed: Seed = 1,
    engine: EngineName = "auto",
    workers: WorkersOption = None,
    cluster: Cluster = None,
    values: Set = (),
    json: Json = False,
    out: Annotated[
        Path | None, Parameter(help="Write the JSON object to this file (.json), or keep each replication in it (.db).")
    ] = None,
    strict: Annotated[
        bool, Parameter(negative=(), help="Exit 1 when an objective is missed, 3 when undecided.")
    ] = False,
) -> Answer:
    """Simulate a scenario and answer its questions, each with its interval."""
    if replications is not None and precision is not None:
        raise UsageError("--replications and --precision exclude each other; give one of them")
    check_count("--replications", replications)
    loaded = scenario_with(scenario, values)
    check_seed(seed)
    check_engine(engine)
    check_out(out, (".json", ".db"))
    kept = out if out is not None and out.suffix == ".db" else None
    wanted = precision_of(precision)
    calls = expected_calls(loaded) * (replications or REPLICATIONS)
    with (
        stays_told(kept),
        hands(workers, cluster, calls, engine) as (executor, number),
        Progress("replications", may_end_early=precision is not None) as progress,
    ):
        result = study(
            loaded,
            replications,
            precision=wanted,
            seed=seed,
            executor=executor,
            workers=None if number is None else min(number, replications or number),
            engine=engine,
            store=kept,
            progress=progress,
        )
    text = result.to_json() + "\n"
    if out is not None and kept is None:
        out.write_text(text, encoding="utf-8")
    return Answer(text if json else screen(result), _VERDICT_CODES[result.verdict] if strict else DONE)


_VERDICT_CODES: Final = {"met": DONE, "missed": MISSED, "undecided": UNDECIDED}


@app.command(name="journal")
def journal_command(
    scenario: ScenarioFile,
    *,
    replication: Annotated[int, Parameter(help="Its number, from 0.")] = 0,
    seed: Seed = 1,
    engine: EngineName = "simpy",
    values: Set = (),
    out: Annotated[Path | None, Parameter(help="Write to this file, .jsonl or .npz, instead of stdout.")] = None,
) -> Answer:
    """Write everything that happens in one replication, a fact a line."""
    loaded = scenario_with(scenario, values)
    check_seed(seed)
    check_engine(engine)
    if replication < 0:
        raise UsageError(f"--replication {replication}: replications are numbered from 0")
    check_out(out, (".jsonl", ".npz"))
    journal = run(loaded, seed, replication, engine).journal
    if out is None:
        return Answer(journal.lines())
    journal.save(out)
    return Answer(f"{out}: {len(journal):,} facts\n")


@app.command(name="validate")
def validate_command(scenario: ScenarioFile, *, values: Set = ()) -> Answer:
    """Say whether a scenario is valid, or everything that is wrong with it."""
    loaded = scenario_with(scenario, values)
    return Answer(f"{scenario}: valid. {loaded.name} ({loaded.short_digest})\n")


@app.command(name="check")
def check_command(journal: Annotated[Path, Parameter(help="A journal, .jsonl or .npz.")]) -> Answer:
    """Say whether the rules would have written this journal, or name the first row that they would not have."""
    loaded = Journal.load(journal)
    workload = _workload_of(loaded)
    finding = loaded.check(workload)
    if finding is None:
        calls = "; its calls are those of its seed" if workload is not None else ""
        return Answer(f"{journal}: all {len(loaded):,} facts follow the rules{calls}\n")
    line = f", line {finding.line}" if journal.suffix == ".jsonl" else ""
    return Answer(f"{journal}{line}: {finding}\n", MISSED)


def _workload_of(journal: Journal) -> Any:
    """Draw the calls of a simulated journal again; None when its header does not say how, or files are missing."""
    header = journal.header
    try:
        scenario = Scenario.model_validate(json.loads(header["scenario"]))
        seed, replication = header["seed"], header["replication"]
        if not all(isinstance(number, int) and number >= 0 for number in (seed, replication)):
            return None
        return draw(scenario, seed, replication)
    except (KeyError, TypeError, ValueError, ArithmeticError, RecursionError):
        return None


@app.command(name="schema")
def schema_command() -> Answer:
    """Print the JSON Schema of a scenario, for editors."""
    return Answer(json.dumps(Scenario.model_json_schema(), indent=2, ensure_ascii=False) + "\n")


@app.command(name="init")
def init_command(
    path: Annotated[Path | None, Parameter(help="Where to write it; stdout if left out.")] = None,
) -> Answer:
    """Write a commented scenario to start from."""
    if path is None:
        return Answer(TEMPLATE)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(TEMPLATE)
    except FileExistsError:
        raise UsageError(f"{path} exists already; parksim init overwrites nothing, name another file") from None
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(f"{path}: there is no folder {path.parent}") from None
    return Answer(f"{path}: written. Next: parksim run {path}\n")


@app.command(name="erlang")
def erlang_command(
    *,
    offered: Annotated[float, Parameter(help="Offered load in erlang: parks an hour times mean stay in hours.")],
    slots: Annotated[int | None, Parameter(help="Slots: answers how many parks are refused.")] = None,
    blocking: Annotated[str | None, Parameter(help="Refused share, as 1%: answers how many slots it takes.")] = None,
    json: Json = False,
) -> Answer:
    """Give Erlang's answer for a lot without time-outs that keep returning: refused share, or slots."""
    if (slots is None) == (blocking is None):
        raise UsageError("give either --slots or --blocking")
    if slots is not None and slots > MOST_SLOTS:
        raise UsageError(f"--slots {slots}: at most {MOST_SLOTS:,}")
    try:
        if slots is None:
            assert blocking is not None
            slots = theory.erlang_b_servers(offered, share_of("--blocking", blocking))
        refused = theory.erlang_b(slots, offered)
    except ValueError as error:
        raise UsageError(str(error)) from None
    answer = {
        "offered_erlang": offered,
        "slots": slots,
        "refused_share": refused,
        "carried_erlang": offered * (1 - refused),
    }
    if json:
        return Answer(_json_line(answer))
    return Answer(
        f"{offered:g} erlang offered to {slots} slots: {refused:.4%} refused, "
        f"{answer['carried_erlang']:.4f} slots busy on average (Erlang B)\n"
    )


def _json_line(value: Any) -> str:
    return json.dumps(value, allow_nan=False) + "\n"


class _Screen(Console):
    """A console that leaves a broken pipe to ``main``; rich's own would exit with code 1."""

    def on_broken_pipe(self) -> None:
        raise  # noqa: PLE0704 - rich calls this where it has just caught a broken pipe


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit code; the one place where errors become messages."""
    _speak_utf8()
    complaints = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)
    try:
        answer = app(
            arguments,
            exit_on_error=False,
            print_error=False,
            result_action="return_value",
            console=_Screen(),
            error_console=complaints,
        )
        if isinstance(answer, Answer):
            _print(answer.output)
            sys.stdout.flush()
            return answer.code
    except cyclopts.CycloptsError as error:
        complaints.print(
            f"parksim: {_misused(error)}\nTry: {' '.join(('parksim', *(error.command_chain or ())))} --help"
        )
        return BAD_INPUT
    except ParksimError as error:
        complaints.print(_complaint(error))
        return error.exit_code
    except BrokenPipeError:
        # Whoever read our output has seen enough; what is left in the buffer must not complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except KeyboardInterrupt as error:
        complaints.print("parksim: interrupted" + (f"; {error}" if str(error) else ""))
        return INTERRUPTED
    except (OSError, MemoryError) as error:
        complaints.print(f"parksim: could not finish: {str(error) or type(error).__name__}")
        return NOT_FINISHED
    return DONE


def _complaint(error: ParksimError) -> str:
    if isinstance(error, ScenarioError):  # its lines begin with the file
        return str(error)
    return f"parksim: {'' if error.exit_code == BAD_INPUT else 'could not finish: '}{error}"


def _misused(error: cyclopts.CycloptsError) -> str:
    """Return what is wrong with a command's words, what is missing as the help names it."""
    missing = error.argument if isinstance(error, cyclopts.MissingArgumentError) else None
    if missing is None:
        return str(error)
    if missing.index is not None:
        return f"{missing.name.lstrip('-').upper()} is missing"
    return f"{missing.name} needs a value; one that begins with - is written {missing.name}=VALUE"


def _speak_utf8() -> None:
    """Write UTF-8 into pipes and files whatever the locale (JSON is UTF-8); a terminal gets what it can show."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding=None if stream.isatty() else "utf-8", errors="backslashreplace")


def _print(output: str | Texts | RenderableType) -> None:
    if sys.stdout is None:
        raise OutputError("there is no standard output")
    if isinstance(output, str):
        sys.stdout.write(output)
    elif hasattr(output, "__next__"):
        sys.stdout.writelines(output)  # type: ignore[arg-type]  # an iterator of lines
    else:
        _Screen(highlight=False, width=None if sys.stdout.isatty() else WIDTH).print(output)
