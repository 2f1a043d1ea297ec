"""Replications of one scenario, and what they say together.

``run`` makes one replication, ``study`` many: in this process, in a pool of processes, or in any executor. Which
worker runs which replication cannot show: each is a function of (scenario, seed, replication), results are put
in the order of the replications, and sums over them are exact.
"""

import json
import math
import platform
from array import array
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any, Final, Literal, NamedTuple

import numpy as np

from parksim.catalogue import BY_NAME, SCALARS, SHARES, VECTORS
from parksim.engines import commanded, processes
from parksim.engines.commanded import Command
from parksim.errors import ArgumentError, StudyError
from parksim.journal.journal import Journal
from parksim.journal.measures import Measures, Window, measure, open_by_hour_us
from parksim.results import Drawn, Reported, nulled, shower
from parksim.scenario.arguments import asked
from parksim.scenario.model import Scenario
from parksim.scenario.recordings import DAY_US
from parksim.scenario.sections import Hourly, Objective, Poisson
from parksim.scenario.workload import Workload, draw
from parksim.stats.estimate import (
    UNBOUNDED,
    Estimate,
    Verdict,
    blocks_of,
    share,
    student_t,
    time_blocks,
    undefined,
    verdict,
)
from parksim.stats.stopping import AHEAD, Stopping, StoppingRule, Target, tasks_of
from parksim.studies.formulas import Formula, formulas
from parksim.studies.pools import interruptible, started
from parksim.studies.store import Key, Shelf, Store, code_digest, sum_of

ENGINES: Final = ("auto", "simpy", "kernel")
KERNEL_PAYS_CALLS: Final = 300_000
"""From so many calls on "auto" takes the kernel: SimPy needs seconds for them, and so does loading the kernel."""
REPLICATIONS: Final = 30
MOST_REPLICATIONS: Final = 1000
"""The cap of a study that runs until it is precise."""
TASK_CALLS: Final = {"simpy": 20_000, "kernel": 400_000}
"""Calls a task of a pool has, some tenths of a second's work: handing it over is then nothing beside it."""
_FREED_BYTES: Final = 24 << 20
Progress = Callable[[int, int], None]
"""Told (replications done, replications to do) as a study goes on."""
Result = dict[str, Any]
"""The measures of one replication: floats, and ``array("d")`` for vectors (a third of a list's memory)."""


@dataclass(frozen=True)
class Run(Drawn):
    """One replication: its journal and its measures."""

    scenario: Scenario
    seed: int
    replication: int
    engine: str
    journal: Journal = field(repr=False)

    @cached_property
    def measures(self) -> Measures:
        """The measures of this replication, computed from the journal on first use."""
        return measure(self.journal, self.scenario)

    def workload(self) -> Workload:
        """Draw the offered calls of this replication again (they are not kept)."""
        return draw(self.scenario, self.seed, self.replication)


def run(
    scenario: Scenario, seed: int = 1, replication: int = 0, engine: str = "simpy", commands: Sequence[Command] = ()
) -> Run:
    """Run one replication of ``scenario``, or replay a session of the live switchboard.

    Args:
        scenario: what is simulated.
        seed: any whole number from 0; equal seeds offer equal calls to every design.
        replication: its number, from 0.
        engine: "simpy", "kernel" (the same journal, compiled; extra ``fast``), or "auto" for the quicker one.
        commands: of a session, ``live.Switchboard.commands``; the same scenario, seed and replication give its rows.

    Raises:
        ArgumentError: an unknown engine, no seed or replication, commands for the kernel or that cannot be done.
        WrongTypeError: the scenario is none.
    """
    seed, replication = asked(scenario, seed, replication, least=0)
    if commands and checked_engine(engine) == "kernel":
        raise ArgumentError('the kernel takes no commands; choose engine="simpy"')
    engine = "simpy" if commands else chosen_engine(engine, scenario, 1)
    journal = _simulated(scenario, seed, replication, engine, commands)
    journal.header.update(
        header(scenario, seed, replication, engine), **({"commands": len(commands)} if commands else {})
    )
    return Run(scenario, seed, replication, engine, journal)


def _simulated(scenario: Scenario, seed: int, replication: int, engine: str, given: Sequence[Command] = ()) -> Journal:
    """Return the journal of one replication, without header."""
    if given:
        return commanded.simulate(scenario.settings, draw(scenario, seed, replication), given)
    simulate = processes.simulate
    if engine == "kernel":
        from parksim.engines import kernel  # noqa: PLC0415 - loads Numba, which only this engine needs

        simulate = kernel.simulate
    return simulate(scenario.settings, draw(scenario, seed, replication))


def checked_engine(engine: str) -> str:
    """Return ``engine``, or raise ArgumentError that names those there are."""
    if engine not in ENGINES:
        raise ArgumentError(f"there is no engine {engine!r}; choose one of: {', '.join(ENGINES)}")
    return engine


def chosen_engine(engine: str, scenario: Scenario, replications: int) -> str:
    """Return the engine that "auto" stands for: the kernel where Numba is installed and the work is large enough.

    The choice depends on the scenario and on what is installed, not on the machine's state: equal commands give
    equal results, and which engine ran stands in them.

    Raises:
        ArgumentError: there is no such engine; the message names those there are.
    """
    if checked_engine(engine) != "auto":
        return engine
    large = expected_calls(scenario) * replications >= KERNEL_PAYS_CALLS
    return "kernel" if large and find_spec("numba") is not None else "simpy"


def expected_calls(scenario: Scenario) -> float:
    """Return how many calls one replication offers on average."""
    if scenario.recording is not None:
        days = scenario.recording.days if scenario.horizon_us <= DAY_US else 1
        return len(scenario.recording.instant_us) / days
    end_us = scenario.horizon_us + scenario.cool_down_us
    if isinstance(scenario.arrivals, Hourly):
        return sum(scenario.arrivals.calls_per_hour) * end_us / DAY_US
    assert isinstance(scenario.arrivals, Poisson)
    return scenario.arrivals.rate * end_us / 1e6


def versions(engine: str = "simpy") -> dict[str, str]:
    """Return the versions on which the bytes of a result depend."""
    packages = ("numpy", "simpy", "numba") if engine == "kernel" and find_spec("numba") else ("numpy", "simpy")
    return {"parksim": _version("parksim"), "python": platform.python_version()} | {p: _version(p) for p in packages}


@cache
def _version(package: str) -> str:
    """Return the version of an installed package, which is long to find out."""
    return version(package)


@cache
def made_by(engine: str) -> str:
    """Return what else a replication's measures depend on than its key: the code's digest, and versions."""
    return f"code {code_digest()[:16]}, " + ", ".join(f"{name} {one}" for name, one in versions(engine).items())


def header(scenario: Scenario, seed: int, replication: int, engine: str) -> dict[str, Any]:
    """Return the header of a journal: all it takes to make the same one again."""
    return {
        "name": scenario.name,
        "digest": scenario.digest,
        "scenario": scenario.canonical,
        "settings": scenario.settings._asdict(),
        "seed": seed,
        "replication": replication,
        "engine": engine,
        "versions": versions(engine),
    }


@dataclass(frozen=True)
class ObjectiveVerdict:
    """One objective of the scenario and what the study says of it."""

    objective: Objective
    verdict: Verdict


class Rarer(NamedTuple):
    """How often what a share counts was seen, or its contrary where that was seen less often, and in how many blocks.

    Blocks are those of ``estimate.zero_seen``.
    """

    events: int
    is_contrary: bool
    blocks: int


@dataclass(frozen=True)
class Study(Reported):
    """What the replications of one scenario say.

    ``results[i]`` are the measures of replication i. ``stopped`` tells why there are not more of them, ``precision``
    which one was asked for, ``made_with`` the versions that made them (None: those at hand).
    """

    scenario: Scenario
    seed: int
    engine: str
    level: float
    results: tuple[Result, ...] = field(repr=False)
    stopped: str
    precision: float | None = None
    made_with: Mapping[str, str] | None = None

    @cached_property
    def estimates(self) -> dict[str, Any]:
        """Each measure's ``Estimate`` by name; a list of them for a vector."""
        return {name: self.estimate(name) for name in SCALARS} | {
            name: [self.estimate(name, index) for index in range(self._length(name))] for name in VECTORS
        }

    @cached_property
    def formulas(self) -> Mapping[str, Formula]:
        """What theory says of each measure of this scenario, or why it says nothing."""
        return formulas(self.scenario)

    @property
    def objectives(self) -> list[ObjectiveVerdict]:
        """The scenario's objectives with their verdicts."""
        return [
            ObjectiveVerdict(o, verdict(self.estimate(o.measure), o.relation, o.value))
            for o in self.scenario.objectives
        ]

    @property
    def verdict(self) -> Verdict:
        """All objectives together: "missed" when one is, else "undecided" when one is, else "met"."""
        verdicts = {one.verdict for one in self.objectives}
        return "missed" if "missed" in verdicts else "undecided" if "undecided" in verdicts else "met"

    def _length(self, name: str) -> int:
        return len(self.results[0][name]) if self.results else 0

    def estimate(self, name: str, index: int | None = None) -> Estimate:
        """Return the estimate of one measure, or of one element of a vector."""
        values = [result[name] if index is None else result[name][index] for result in self.results]
        if all(np.isnan(value) for value in values):
            return undefined(why_undefined(name, self.scenario), 0, self.level)
        if name in SHARES:
            return share(values, self._blocks(name, index), self.level)
        return student_t(values, self.level, UNBOUNDED)

    def rarer(self, name: str) -> Rarer | None:
        """Return how many events a share rests on; None for what is no share of trials, or had none."""
        trials_of = _TRIALS.get(BY_NAME[name].of)
        counts = [(trials_of(result), result[name]) for result in self.results] if trials_of is not None else []
        events = sum(round(value * trials) for trials, value in counts if trials)
        others = sum(trials for trials, _ in counts) - events
        if not events + others:
            return None
        return Rarer(min(events, others), others < events, self._blocks(name, None))

    def _blocks(self, name: str, index: int | None) -> int:
        """Return into how many blocks what a share is a share of can be cut (``estimate.zero_seen``)."""
        window = Window(self.scenario.warm_up_us, self.scenario.horizon_us)
        stays_s = [result["parked_s_mean"] for result in self.results if not np.isnan(result["parked_s_mean"])]
        stay_s = sum(stays_s) / len(stays_s) if stays_s else 0.0
        of, part = BY_NAME[name].of, name.partition("_by_")[2]
        by_hour = index is not None and part == "hour"
        open_us = int(open_by_hour_us(window)[index]) if by_hour else window.length_us
        if not open_us:  # calls of the window may be parked in an hour after it: too few to claim anything of
            return 0
        if part and index is not None and of in _TRIALS_IN:
            counts = [_TRIALS_IN[of](result, part, index) for result in self.results]
            return blocks_of(counts, open_us / 1e6, stay_s)
        trials = _TRIALS.get(of)
        if trials is None:
            return time_blocks(len(self.results), open_us / 1e6, stay_s) if stay_s > 0 else 0
        return blocks_of([trials(result) for result in self.results], window.length_us / 1e6, stay_s)

    def to_dict(self) -> dict[str, Any]:
        """Return the study as ``parksim run --json`` prints it."""
        scenario = self.scenario
        return {
            "scenario": {"name": scenario.name, "digest": scenario.digest},
            "seed": self.seed,
            "engine": self.engine,
            "replications": len(self.results),
            "stopped": self.stopped,
            "warm_up_s": scenario.warm_up_us / 1e6,
            "horizon_s": scenario.horizon_us / 1e6,
            "cool_down_s": scenario.cool_down_us / 1e6,
            "versions": dict(self.made_with or versions(self.engine)),
            "request": self.request(),
            "estimates": {name: self._as_json(name) for name in (*SCALARS, *VECTORS)},
            "objectives": [
                {"measure": o.objective.measure, "target": o.objective.text, "verdict": o.verdict}
                for o in self.objectives
            ],
        }

    def request(self) -> dict[str, Any]:
        """Return all it takes to make the study again, and what shows whether it is the same.

        The scenario's canonical text and its targets as they were written, the level, how many replications or which
        precision was asked for, and the first 16 digits of the SHA-256 of each replication's measures.
        """
        return {
            "scenario": self.scenario.canonical,
            "objectives": {one.measure: one.text for one in self.scenario.objectives},
            "level": self.level,
            "replications": None if self.precision is not None else len(self.results),
            "precision": self.precision,
            "sums": [sum_of(result) for result in self.results],
        }

    def _as_json(self, name: str) -> Any:
        estimates = self.estimates[name]
        if isinstance(estimates, list):
            rows = [
                estimate.as_dict() | formula.at(index)
                for formula in [self.formulas[name]]
                for index, estimate in enumerate(estimates)
            ]
            if name.endswith("_by_lot"):
                return [{"lot": lot} | row for lot, row in zip(self.scenario.lot_names, rows, strict=True)]
            return rows
        return estimates.as_dict() | self.formulas[name].at(None)

    def summary(self) -> str:
        """Return the one-screen answer as plain text."""
        text: str = shower("summary")(self)
        return text

    def to_json(self) -> str:
        """Return the study as one JSON object: what is undefined is null, equal studies give equal text."""
        return json.dumps(nulled(self.to_dict()), ensure_ascii=False, allow_nan=False, indent=2)


def _returns(result: Result) -> int:
    return round(result["expired_share"] * result["parks_made"]) if result["parks_made"] else 0


_TRIALS: Final[dict[str, Callable[[Result], int]]] = {
    "calls": lambda result: int(result["calls_offered"]),
    "park requests": lambda result: int(result["parks_requested"]),
    "parks": lambda result: int(result["parks_made"]),
    "returns": _returns,
}
"""How many there were of what a share is a share of; shares of the time have no trials."""


def _requests_in(result: Result, part: str, index: int) -> int:
    return int(result[f"parks_requested_by_{part}"][index])


def _parks_in(result: Result, part: str, index: int) -> int:
    requests = _requests_in(result, part, index)
    return requests - round(result[f"refused_share_by_{part}"][index] * requests) if requests else 0


_TRIALS_IN: Final[dict[str, Callable[[Result, str, int], int]]] = {
    "calls": lambda result, part, index: int(result[f"calls_offered_by_{part}"][index]),
    "park requests": _requests_in,
    "parks": _parks_in,
}
"""The same for shares by hour and by lot."""


def why_undefined(name: str, scenario: Scenario) -> str:
    """Return why no replication has a value of ``name``."""
    if name.startswith("attendant_utilisation") and scenario.attendants.count == "unlimited":
        return "attendants are unlimited"
    if name == "staff_utilisation" and scenario.retrieval.staff == "unlimited":
        return "staff are unlimited"
    if name == "recall_busy_share" and scenario.recall.to == "group":
        return "calls return to the group, not to their parker"
    return BY_NAME[name].why_undefined


def replicate(scenario: Scenario, seed: int, replications: Iterable[int], engine: str) -> list[Result]:
    """Run some replications and return their measures as plain values: what a worker does."""
    engine = chosen_engine(engine, scenario, 1)
    _keep_memory_at_hand()
    results = []
    for replication in replications:
        measures = measure(_simulated(scenario, seed, replication, engine), scenario)
        results.append({name: _plain(value) for name, value in measures.items()})
    return results


def _keep_memory_at_hand() -> None:
    """Let the next replication find the memory of the last one, instead of page after page anew from the system.

    The GNU C library keeps what is freed as long as it is no more than twice the largest block that was ever freed
    (and mapped by itself, up to 32 MB); so one such block, of which no page is touched, is taken and given back.
    Where memory is managed otherwise this does nothing.
    """
    np.empty(_FREED_BYTES, np.uint8)


def _plain(value: Any) -> Any:
    return array("d", value.tolist()) if isinstance(value, np.ndarray) else float(value)


def study(
    scenario: Scenario,
    replications: int | None = None,
    *,
    precision: float | None = None,
    seed: int = 1,
    level: float = 0.95,
    executor: Executor | Literal["processes"] | None = None,
    workers: int | None = None,
    engine: str = "auto",
    store: Store | None = None,
    progress: Progress | None = None,
) -> Study:
    """Run many replications of ``scenario`` and estimate every measure.

    Args:
        scenario: what is simulated.
        replications: how many (numbers 0 to n-1); by default 30, unless a precision is asked for.
        precision: run until the half-widths of the objectives' measures are this share of their means (or of their
            targets); without objectives those of occupancy, and twice it of the refused share or 0.1 points. At least
            20 replications and 5 to confirm, at most 1,000. By default the scenario's ``run.precision``.
        seed: any whole number from 0.
        level: confidence level of all intervals.
        executor: None for this process, "processes" for a pool, or any ``concurrent.futures.Executor``.
        workers: size of the pool made for "processes", by default one a core; how much an executor runs at once.
        engine: "simpy", "kernel", or "auto" for the quicker one.
        store: an open one, where each replication is put as it comes, and looked up first.
        progress: told how many replications are done and to do.

    Raises:
        ArgumentError: arguments that do not go together, or a number that is none.
        WrongTypeError: the scenario is none.
        StoreError: the store failed; what was stored stays.
        StudyError: a worker died.
    """
    checked_engine(engine)
    seed, replications = asked(scenario, seed, replications)
    if replications is not None and precision is not None:
        raise ArgumentError("give either replications or a precision, not both")
    if replications is None and precision is None:
        precision = scenario.run.precision
    if precision is not None and not 0 < precision < 1:
        raise ArgumentError(f"a precision lies between 0 and 1 (5 % is 0.05), not {precision}")
    if not 0 < level < 1:
        raise ArgumentError(f"a level lies between 0 and 1 (95 % is 0.95), not {level}")
    if executor is None and workers is not None and workers > 1:
        raise ArgumentError('workers are processes: say executor="processes", too')
    rule = None if precision is None else _stopping_rule(scenario, precision)
    most = (replications or REPLICATIONS) if rule is None else rule.most
    engine = chosen_engine(engine, scenario, replications or REPLICATIONS)
    results: list[Result] = []
    stopping = Stopping()
    lent = executor != "processes"
    shelf = Shelf(store, Key(scenario.digest, seed, 0, engine, made_by(engine)), scenario.canonical)
    with (
        _pool(executor, workers) as pool,
        closing(_in_order(scenario, shelf, most, pool, workers, executor_is_lent=lent)) as coming,
    ):
        for result in coming:
            results.append(result)
            if progress is not None:
                progress(len(results), most)
            if rule is not None:
                so_far = Study(scenario, seed, engine, level, tuple(results), "")
                stopping = rule.after(stopping, {name: so_far.estimate(name) for name in rule.targets})
                if stopping.state != "go on":
                    break
    why = _why_stopped(rule, stopping, len(results))
    return Study(scenario, seed, engine, level, tuple(results), why, precision)


def _stopping_rule(scenario: Scenario, precision: float) -> StoppingRule:
    targets = {
        o.measure: Target(relative=precision, absolute=precision * abs(o.value) or None) for o in scenario.objectives
    }
    if not targets:
        targets = {
            "occupancy_mean": Target(relative=precision),
            "refused_share": Target(relative=2 * precision, absolute=0.001),
        }
    return StoppingRule(targets, most=MOST_REPLICATIONS)


def _why_stopped(rule: StoppingRule | None, stopping: Stopping, replications: int) -> str:
    if rule is None:
        return f"{replications} replications were asked for" if replications > 1 else "one replication was asked for"
    if stopping.state == "precise":
        return f"precise after {replications} replications"
    return f"not yet precise after {replications} replications, the most a study makes"


@contextmanager
def _pool(executor: Executor | str | None, workers: int | None) -> Iterator[Executor | None]:
    """Yield the executor to use; one of our own is closed at the end, and what it has not begun is dropped."""
    if executor == "processes":
        pool = started(workers)
        try:
            yield pool
        finally:
            pool.shutdown(cancel_futures=True)
    elif executor is None or isinstance(executor, Executor):
        yield executor
    else:
        raise ArgumentError(f'executor is None, "processes" or an Executor, not {executor!r}')


def _in_order(
    scenario: Scenario,
    shelf: Shelf,
    replications: int,
    pool: Executor | None,
    workers: int | None,
    *,
    executor_is_lent: bool,
) -> Generator[Result]:
    """Yield the results of replications 0, 1, 2, ... whoever makes them."""
    seed, engine = shelf.key.seed, shelf.key.engine
    if pool is None:
        for number in range(replications):
            known = shelf.known.get(number)
            yield from shelf.put([number], [known] if known else replicate(scenario, seed, [number], engine))
        return
    work = replicate if executor_is_lent else partial(interruptible, replicate)
    at_once = getattr(pool, "_max_workers", None) or workers or 2
    tasks: deque[tuple[Sequence[int], Future[list[Result]]]] = deque()
    try:
        largest = math.ceil(TASK_CALLS[engine] / max(1.0, expected_calls(scenario)))
        for numbers in tasks_of(replications, at_once, largest, shelf.known):
            known = shelf.known.get(numbers[0])
            task = _done([known]) if known else pool.submit(work, scenario, seed, numbers, engine)
            tasks.append((numbers, task))
            if len(tasks) == AHEAD * at_once:
                first, task = tasks.popleft()
                yield from shelf.put(first, task.result())
        while tasks:
            first, task = tasks.popleft()
            yield from shelf.put(first, task.result())
    except BrokenExecutor as error:
        raise StudyError(f"a worker died while seed {seed} was run; {shelf.fate} ({error})") from None
    finally:
        # A pool of our own drops its tasks itself: cancelled here, they trip up its thread that buries dead workers.
        if executor_is_lent:
            for _, task in tasks:
                task.cancel()


def _done(results: list[Result]) -> "Future[list[Result]]":
    future: Future[list[Result]] = Future()
    future.set_result(results)
    return future
