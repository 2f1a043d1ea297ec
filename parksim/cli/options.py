"""What the commands share: options declared and checked once, what a command answers, and the exit codes.

Nothing here loads NumPy, pydantic or an engine before a command runs.
``--help`` and a wrong option are answered at once.
"""

import json
import shlex
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NamedTuple

from cyclopts import Parameter

from parksim.cli.misused import is_key, line
from parksim.cli.progress import Progress
from parksim.errors import UnfitError, UsageError

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from rich.console import RenderableType

    from parksim.scenario.model import Scenario

DONE: Final = 0
MISSED: Final = 1
BAD_INPUT: Final = 2
UNDECIDED: Final = 3
NOT_FINISHED: Final = 4
INTERRUPTED: Final = 130

ENGINES: Final = "auto, simpy, kernel"
MOST_WORKERS: Final = 256
"""All workers start at once: a larger number is almost certainly a typo, and would stop the machine."""

LARGEST_SEED: Final = 2**63 - 1
Texts = Iterable[str]


class Answer(NamedTuple):
    """What a command prints on stdout (text as it is, anything else by rich), and its exit code."""

    output: "str | Texts | RenderableType"
    code: int = DONE


ScenarioFile = Annotated[Path, Parameter(help="A scenario (TOML), or the name of a shipped one (`parksim scenarios`).")]
Seed = Annotated[int, Parameter(help="A whole number from 0; equal seeds give equal results.")]
Set = Annotated[
    tuple[str, ...],
    Parameter(name="--set", negative=(), help="Override a scenario value: `--set lot.slots=8`. Repeatable."),
]
Unchecked = Annotated[
    bool, Parameter(negative=(), help="Take a file as it is that was edited by hand: its checksum need not be right.")
]
EngineName = Annotated[str, Parameter(help=f"One of: {ENGINES}.")]
Json = Annotated[bool, Parameter(negative=(), help="Print one JSON object.")]
StoreFile = Annotated[
    Path | None,
    Parameter(help="Keep each replication in this store (.db); replications already in the store are reused."),
]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Hands:
    """Where replications are run: the options that every command has that runs many."""

    workers: Annotated[
        int | None, Parameter(help="Number of processes; by default one a core where the work is worth it.")
    ] = None
    cluster: Annotated[
        str | None, Parameter(help="Run on this Dask cluster, tcp://HOST:PORT, instead of here (extra `cluster`).")
    ] = None

    @contextmanager
    def ready(
        self, calls: float, engine: str, *, may_end_early: bool = False, store: Path | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield executor, workers and progress for some work of ``calls`` calls, as studies take them.

        They are a cluster, the requested number of processes, or as many as pay; an interruption says what
        ``store`` keeps.

        Raises:
            UsageError: both are requested, or too many workers.
            StudyError: the cluster cannot be reached.
        """
        check_count("--workers", self.workers, 1, MOST_WORKERS)
        if self.cluster is not None and self.workers is not None:
            raise UsageError("--workers and --cluster exclude each other; the cluster has workers of its own")
        with (
            _says_what_stays(store),
            self._executor(calls, engine) as (executor, number),
            Progress("replications", may_end_early=may_end_early) as progress,
        ):
            yield {"executor": executor, "workers": number, "progress": progress}

    @contextmanager
    def _executor(
        self, calls: float, engine: str
    ) -> Iterator[tuple["Executor | Literal['processes'] | None", int | None]]:
        from parksim.studies.clusters import cluster_at
        from parksim.studies.gather import workers_that_pay

        if self.cluster is not None:
            with cluster_at(self.cluster) as (executor, at_once):
                yield executor, at_once
            return
        number = self.workers or workers_that_pay(calls, engine)
        yield (None, None) if number == 1 else ("processes", number)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Execution(Hands):
    """How many replications are run and what is said of them: the options of run, sweep, solve and compare."""

    seed: Annotated[
        int | None, Parameter(help="A whole number from 0; equal seeds give equal results. Default: 1, or a result's.")
    ] = None
    level: Annotated[
        str | None, Parameter(help="Confidence level of all intervals. Default: 95%, or that of a result.")
    ] = None
    engine: Annotated[str | None, Parameter(help=f"One of: {ENGINES}. Default: auto, or that of a result.")] = None
    controls: Annotated[
        bool | None,
        Parameter(
            negative="--no-controls",
            help="Whether estimates are corrected by what theory knows of the calls, which makes intervals narrower. "
            "Default: they are, or as in that result.",
        ),
    ] = None

    def check(self) -> None:
        """Refuse wrong values before any work."""
        check_seed(0 if self.seed is None else self.seed)
        check_engine("auto" if self.engine is None else self.engine)
        fraction_of("--level", self.level, "95%")

    @contextmanager
    def running(
        self, calls: float, *, may_end_early: bool = False, store: Path | None = None, like: Any = None
    ) -> Iterator[dict[str, Any]]:
        """Yield the keyword arguments with which studies and plans run some work of ``calls`` calls.

        Args:
            calls: calls that the work simulates.
            may_end_early: whether the work may be enough before all of it is done.
            store: where replications are kept.
            like: a study whose seed, level, engine and controls are the defaults.
        """
        level = fraction_of("--level", self.level, "95%")
        chosen = {
            "seed": (1 if like is None else like.seed) if self.seed is None else self.seed,
            "level": (0.95 if like is None else like.level) if level is None else level,
            "store": store,
            "controls": (like is None or like.has_controls) if self.controls is None else self.controls,
        }
        engine = self.engine or ("auto" if like is None else like.engine)
        with self.ready(calls, engine, may_end_early=may_end_early, store=store) as hands:
            yield chosen | hands | {"engine": engine}


BY_DEFAULT: Final = Execution()
HERE: Final = Hands()


def pairs(option: str, texts: Iterable[str], example: str) -> list[tuple[str, str]]:
    """Split each KEY=VALUE of a repeatable option.

    Raises:
        UsageError: one has no key or no "=".
    """
    split = []
    for text in texts:
        straight = "".join(sign for sign in text if sign not in "\u201c\u201d\u201e\u00ab\u00bb")
        if straight != text:
            raise UsageError(f"{option} {text}: has typographic quotes; type {option} {shlex.quote(straight)}")
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"{option} {text}: write KEY=VALUE, as in {option} {example}")
        split.append((key.strip(), value))
    return split


def named(scenario: object, values: Iterable[str]) -> str:
    """Return a scenario as a command names it, with the values that were overridden."""
    return shlex.join([str(scenario), *(word for value in values for word in ("--set", value))])


def scenario_with(path: Path, values: Iterable[str]) -> "Scenario":
    """Load a scenario, a file or a shipped one, and override the values of ``--set``.

    Raises:
        ScenarioError: the file or a value is wrong.
        UsageError: a text is not KEY=VALUE.
    """
    from parksim.scenario import shipped

    replaced = dict(pairs("--set", values, "lot.slots=8"))
    check_is_scenario(path)
    loaded = shipped.load(path)
    return loaded.with_values(replaced, option="--set") if replaced else loaded


def check_is_scenario(path: Path) -> None:
    """Refuse a key, or a result, in the place of the scenario.

    Raises:
        UsageError: it is one.
    """
    text = str(path)
    if path.exists():
        if path.suffix in {".db", ".json"}:
            raise UsageError(
                f"{path}: is a result, not a scenario (.toml); type: {line('report', text, '-o', 'page.html')}"
            )
    elif "=" in text:
        raise UsageError(f"{path}: is a value, not a scenario; type: {line('run', 'hospital', '--set', text)}")
    elif is_key(text):
        raise UsageError(
            f"{path}: is a key, not a scenario; the scenario comes first: {line('solve', 'hospital', text)}"
        )


def check_seed(seed: int) -> None:
    """Refuse a negative seed, and one that no store can keep."""
    if not 0 <= seed <= LARGEST_SEED:
        raise UsageError(f"--seed {seed}: a whole number from 0" + (" to 2^63 - 1" if seed > 0 else ""))


def check_engine(engine: str) -> None:
    """Refuse an engine that does not exist, and say so where it will be slow."""
    if engine not in ENGINES.split(", "):
        raise UsageError(f"--engine {engine}: choose one of {ENGINES}")
    if engine == "kernel":
        from parksim.studies.replication import has_compiler

        if not has_compiler() and sys.stderr is not None:
            sys.stderr.write("parksim: without Numba the kernel is slower than simpy; pip install 'parksim[fast]'\n")


def check_count(option: str, number: int | None, least: int = 1, most: int | None = None) -> None:
    """Refuse a number that is out of range."""
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
    if out.exists() and not out.is_file():
        raise UsageError(f"{option} {out}: is {'a folder' if out.is_dir() else 'no regular file'}; name a file")


def check_not_read(option: str, out: Path | None, loaded: "Scenario | None" = None, **read: Path | None) -> None:
    """Refuse an output that is a file which the command reads, under any name, or which its scenario reads."""
    inputs = [(path, f"the {name.replace('_', ' ')} itself") for name, path in read.items() if path is not None]
    inputs += [(path, f"{path.name}, which the scenario reads") for path in (loaded.files if loaded else ())]
    for path, what in inputs:
        if out is not None and out.exists() and path.exists() and out.samefile(path):
            raise UsageError(f"{option} {out}: is {what}; name another file")


def check_result(result: Path, what: str, scenario: Path | None, values: tuple[str, ...]) -> None:
    """Refuse what is no result (``what`` says which files are), and ``--set`` without a scenario."""
    from parksim.scenario import shipped

    if result.suffix == ".toml" or (str(result) in shipped.shipped() and not result.exists()):
        store = f"{result.stem}.db"
        run, report = line("run", str(result), "--out", store), line("report", store, "-o", f"{result.stem}.html")
        raise UsageError(f"{result}: is a scenario, not yet a result; type {run}, then {report}")
    if result.suffix not in {".json", ".db"}:
        raise UsageError(f"{result}: a result is {what}")
    if not result.is_file():
        raise UsageError(f"{result}: there is no such file")
    if values and scenario is None:
        raise UsageError("--set goes with --scenario: together they give the result's scenario")


def as_json(value: Any, indent: int | None = 2) -> str:
    """Return plain values as JSON text; numbers that it cannot write are null."""
    from parksim.results import nulled

    return json.dumps(nulled(value), ensure_ascii=False, allow_nan=False, indent=indent) + "\n"


def number_or_text(text: str) -> float | str:
    """Return a text as the number it spells, or as it is."""
    try:
        return float(text)
    except ValueError:
        return text


def share_of(option: str, text: str) -> float:
    """Return the share that an option has, 5% or 0.05."""
    from parksim.scenario.quantities import share

    try:
        return share(number_or_text(text))
    except UnfitError as error:
        raise UsageError(f"{option} {text}: {error}") from None


def fraction_of(option: str, text: str | None, example: str) -> float | None:
    """Return the share that an option has, neither 0 nor 1; None where the option is left out."""
    if text is None:
        return None
    fraction = share_of(option, text)
    if not 0 < fraction < 1:
        raise UsageError(f"{option} {text}: between 0 and 1, as {example} or {float(example[:-1]) / 100:g}")
    return fraction


@contextmanager
def _says_what_stays(store: Path | None) -> Iterator[None]:
    """Let an interruption say that the store keeps what is finished."""
    try:
        yield
    except KeyboardInterrupt as interruption:
        if store is not None:
            interruption.args = (f"{store} keeps every finished replication; the same command resumes there",)
        raise
