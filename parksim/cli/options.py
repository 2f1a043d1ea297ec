"""What the commands share: their options, what is checked of them, what they answer, and their exit codes."""

from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final, Literal, NamedTuple

from cyclopts import Parameter
from rich.console import RenderableType

from parksim.errors import UnfitError, UsageError
from parksim.scenario.model import Scenario
from parksim.scenario.quantities import share
from parksim.studies.clusters import cluster_at
from parksim.studies.gather import workers_that_pay
from parksim.studies.replication import ENGINES

DONE: Final = 0
MISSED: Final = 1
BAD_INPUT: Final = 2
UNDECIDED: Final = 3
NOT_FINISHED: Final = 4
INTERRUPTED: Final = 130

MOST_WORKERS: Final = 256
"""They all start at once; more of them is a slip of the hand that would take the machine down."""

Texts = Iterable[str]


class Answer(NamedTuple):
    """What a command prints on stdout (text as it is, anything else by rich), and its exit code."""

    output: str | Texts | RenderableType
    code: int = DONE


ScenarioFile = Annotated[Path, Parameter(help="The scenario, a TOML file (`parksim init` writes one).")]
Seed = Annotated[int, Parameter(help="A whole number from 0; equal seeds give equal answers.")]
Set = Annotated[
    tuple[str, ...],
    Parameter(name="--set", negative=(), help="Replace a value of the scenario: `--set lot.slots=8`. Repeatable."),
]
EngineName = Annotated[str, Parameter(help=f"One of: {', '.join(ENGINES)}.")]
Json = Annotated[bool, Parameter(negative=(), help="Print one JSON object.")]
WorkersOption = Annotated[
    int | None, Parameter(name="--workers", help="Processes; by default one a core where the work is worth it.")
]
Cluster = Annotated[
    str | None, Parameter(help="Run on this Dask cluster, tcp://HOST:PORT, instead of here (extra `cluster`).")
]
StoreFile = Annotated[
    Path | None,
    Parameter(help="Keep each replication in this store (.db) as it comes; what it holds is not run again."),
]


def pairs(option: str, texts: Iterable[str], example: str) -> list[tuple[str, str]]:
    """Split each KEY=VALUE of a repeatable option.

    Raises:
        UsageError: one has no key or no "=".
    """
    split = []
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"{option} {text}: write KEY=VALUE, as in {option} {example}")
        split.append((key.strip(), value))
    return split


def scenario_with(path: Path, values: Iterable[str]) -> Scenario:
    """Load a scenario and replace the values given by ``--set``.

    Raises:
        ScenarioError: the file or a value is wrong.
        UsageError: a text is no KEY=VALUE.
    """
    loaded = Scenario.load(path)
    replaced = dict(pairs("--set", values, "lot.slots=8"))
    return loaded.with_values(replaced) if replaced else loaded


def check_seed(seed: int) -> None:
    """Refuse a seed that is none."""
    if seed < 0:
        raise UsageError(f"--seed {seed}: a whole number from 0")


def check_engine(engine: str) -> None:
    """Refuse an engine that there is not."""
    if engine not in ENGINES:
        raise UsageError(f"--engine {engine}: choose one of {', '.join(ENGINES)}")


def check_count(option: str, number: int | None, least: int = 1, most: int | None = None) -> None:
    """Refuse a number out of its range."""
    if number is not None and not (least <= number and (most is None or number <= most)):
        raise UsageError(f"{option} {number}: " + (f"at least {least}" if most is None else f"from {least} to {most}"))


def check_out(out: Path | None, endings: tuple[str, ...], option: str = "--out") -> None:
    """Refuse an output file before the work that would be lost."""
    if out is None:
        return
    if out.suffix not in endings:
        raise UsageError(f"{option} {out}: the file's name ends in {' or '.join(endings)}")
    if not out.absolute().parent.is_dir():
        raise UsageError(f"{option} {out}: there is no folder {out.parent}")
    if out.is_dir():
        raise UsageError(f"{option} {out}: is a folder; name a file")


def number_or_text(text: str) -> float | str:
    """Return a text as the number it spells, or as it is."""
    try:
        return float(text)
    except ValueError:
        return text


def share_of(option: str, text: str) -> float:
    """Return the share that an option gives, 5% or 0.05."""
    try:
        return share(number_or_text(text))
    except UnfitError as error:
        raise UsageError(f"{option} {text}: {error}") from None


def precision_of(text: str | None) -> float | None:
    """Return ``--precision`` as a number between 0 and 1; None where it is not given."""
    if text is None:
        return None
    precision = share_of("--precision", text)
    if not 0 < precision < 1:
        raise UsageError(f"--precision {text}: between 0 and 1, as 5% or 0.05")
    return precision


class Hands(NamedTuple):
    """Who runs replications: what ``sweep``, ``solve`` and ``compare`` take as executor and workers."""

    executor: Executor | Literal["processes"] | None
    workers: int | None


@contextmanager
def hands(workers: int | None, cluster: str | None, calls: float, engine: str) -> Iterator[Hands]:
    """Yield who runs the work: a cluster, as many processes as are asked for, or as many as pay for ``calls``.

    Raises:
        UsageError: both are asked for, or too many workers.
        StudyError: the cluster cannot be reached.
    """
    check_count("--workers", workers, 1, MOST_WORKERS)
    if cluster is not None and workers is not None:
        raise UsageError("--workers and --cluster exclude each other; the cluster has workers of its own")
    if cluster is not None:
        with cluster_at(cluster) as (executor, at_once):
            yield Hands(executor, at_once)
        return
    number = workers or workers_that_pay(calls, engine)
    yield Hands(None, None) if number == 1 else Hands("processes", number)


@contextmanager
def stays_told(store: Path | None) -> Iterator[None]:
    """Let an interruption say that what was stored stays."""
    try:
        yield
    except KeyboardInterrupt as interruption:
        if store is not None:
            interruption.args = (f"{store} keeps every finished replication; the same command resumes there",)
        raise
