"""Replications gathered: taken from memory or a store, run where they are missing, in this process or in workers.

There is one ``Gatherer``. A study takes its replications one by one and stops when it is precise. A sweep takes the
same replication numbers of many designs, which are then offered the same calls (common random numbers). Results do not
depend on which worker runs what, nor on what was stored before.

A worker is a process of its own. It ends at Ctrl-C without a word, and when its parent is killed. Ctrl-C reaches every
process of a terminal, and a worker that ended while it hands over results would leave the other end of the pipe waiting
for ever, and the pool with it. So a worker ends only while it runs replications: at all other times the signal is held
back, until the next task or the end of the pool.
"""

import inspect
import math
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, Self, TypedDict, TypeVar

from parksim.errors import ArgumentError, PlanError, StudyError, WrongTypeError
from parksim.scenario.arguments import proportion, whole
from parksim.scenario.messages import nearest
from parksim.scenario.model import Scenario
from parksim.studies import replication as engines
from parksim.studies.controls import are_worth
from parksim.studies.replication import as_asked, made_by, replicate
from parksim.studies.store import Damage, Key, Result, Store

DEFAULT_LEVEL: Final = 0.95
"""Confidence level of all intervals unless the caller says another."""
REPLICATIONS: Final = 30
"""Replications of a design unless the caller says how many."""
MOST_RUNS: Final = 1_000_000
"""Replications of all designs together; a larger number is almost certainly a typo."""
MOST_CALLS: Final = 10_000_000_000
"""Calls of all replications together: hours of all cores of a large machine with the compiled engine."""
MOST_FIGURES: Final = 500_000_000
"""Figures that all replications leave in memory, of eight bytes."""
FIGURES: Final = 450
"""Of a replication, beside two for each slot."""
MOST_VALUES: Final = 10_000
"""Values of one key; a larger number is almost certainly a typo."""
TASK_CALLS: Final = {"simpy": 20_000, "kernel": 400_000}
"""Calls of a task, some tenths of a second's work: handing it over is then nothing beside it."""
_AHEAD: Final = 3
"""Tasks per worker that are handed out before their results are needed."""
_POOL_PAYS_CALLS: Final = {"simpy": 200_000, "kernel": 1_500_000}
"""From this many calls on a pool of processes pays for its start: some three seconds of one core's work."""
Progress = Callable[[int, int], None]
"""Called with (replications done, replications to do) while they run."""
Workers = Executor | Literal["processes"] | None
"""None for this process, "processes" for a pool of our own, or any executor."""


# How replications are run ---------------------------------------------------------------------------------------------


class ExecutionArguments(TypedDict, total=False):
    """The keywords of ``study``, ``sweep``, ``solve`` and ``compare`` that say how replications are run.

    Args:
        seed: any whole number from 0; 1 by default. Equal seeds give equal results.
        level: confidence level of all intervals, between 0 and 1; 0.95 by default.
        executor: None for this process (the default), "processes" for a pool, or any ``concurrent.futures.Executor``.
        workers: size of the pool made for "processes", by default one per core; how much an executor runs at once.
        engine: "simpy", "kernel", or "auto" (the default): the kernel when it is installed and the work is large.
        store: where each replication is stored as it comes, and looked up first; an open ``Store`` or its file's name.
            What was finished (a study, sweep, solution, ...) is stored as well, so that ``load`` returns it.
        progress: called with how many replications are done and to do. A study counts all of them; the others count
            those that must be run.
        controls: whether estimates are corrected by what is known of the calls (``studies.controls``), as by default.
    """

    seed: int
    level: float
    executor: Workers
    workers: int | None
    engine: str
    store: Store | str | Path | None
    progress: Progress | None
    controls: bool


@dataclass(frozen=True)
class Execution:
    """How replications are run: ``ExecutionArguments`` with their defaults, checked.

    Raises:
        ArgumentError: an invalid seed, level, engine or executor.
    """

    seed: int = 1
    level: float = DEFAULT_LEVEL
    executor: Workers = None
    workers: int | None = None
    engine: str = "auto"
    store: Store | str | Path | None = None
    progress: Progress | None = None
    controls: bool = True

    def __post_init__(self) -> None:
        engines.checked_engine(self.engine)
        object.__setattr__(self, "seed", whole("a seed is", self.seed))
        object.__setattr__(self, "level", proportion("a level", "95 % is 0.95", self.level))
        if not (self.executor is None or self.executor == "processes" or isinstance(self.executor, Executor)):
            raise ArgumentError(f'executor is None, "processes" or an Executor, not {self.executor!r}')

    @classmethod
    def of(cls, how: Mapping[str, Any]) -> Self:
        """Return the execution that the keywords of a public function describe.

        Raises:
            WrongTypeError: there is no such keyword; the message names the nearest one.
            ArgumentError: a value is invalid.
        """
        names = [one.name for one in fields(cls)]
        for name in how:
            if name not in names:
                near = nearest(name, names)
                hint = f"did you mean {near}?" if near else f"choose from: {', '.join(names)}"
                raise WrongTypeError(f"there is no argument {name!r}; {hint}")
        return cls(**how)


Function = TypeVar("Function", bound=Callable[..., Any])


def shows_execution(function: Function) -> Function:
    """Let ``inspect`` and ``help`` show the keywords of ``Execution`` where the function has ``**how``."""
    signature = inspect.signature(function)
    own = [one for one in signature.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
    keywords = [
        inspect.Parameter(one.name, inspect.Parameter.KEYWORD_ONLY, default=one.default, annotation=one.type)
        for one in fields(Execution)
    ]
    function.__dict__["__signature__"] = signature.replace(parameters=[*own, *keywords])
    return function


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def workers_that_pay(calls: float, engine: str) -> int:
    """Return how many workers are worth their start for this many calls by an engine or "auto": 1, or one per core."""
    return cores() if calls >= _POOL_PAYS_CALLS[engines.engine_for_calls(calls) if engine == "auto" else engine] else 1


# Tasks ----------------------------------------------------------------------------------------------------------------


class Task(NamedTuple):
    """Some replications of one design."""

    scenario: Scenario
    replications: tuple[int, ...]


def tasks_of(
    absent: Sequence[tuple[Scenario, Sequence[int]]], workers: int, largest: Callable[[Scenario], int]
) -> Iterator[Task]:
    """Yield the replications of some designs task by task, in order, at most ``largest`` of a design in one.

    The first tasks are single replications, since a study may stop soon, and the last ones small again, so that all
    workers have something to do until the end; in between they grow.

    >>> [len(task.replications) for task in tasks_of([(..., range(60))], 2, lambda _: 5)]
    [1, 1, 1, 1, 1, 1, 2, 2, 2, 3, 3, 4, 4, 5, 5, 5, 5, 4, 3, 2, 2, 1, 1, 1]
    """
    begun, left = 0, sum(len(numbers) for _, numbers in absent)
    for scenario, numbers in absent:
        most = largest(scenario) if numbers else 0
        first = 0
        while first < len(numbers):
            size = min(most, 1 + begun // (_AHEAD * workers), math.ceil(left / (2 * workers)))
            task = Task(scenario, tuple(numbers[first : first + size]))
            yield task
            first += size
            begun += len(task.replications)
            left -= len(task.replications)


# The gatherer ---------------------------------------------------------------------------------------------------------


@dataclass
class Gatherer:
    """Gets the measures of replications: from memory, from the store, or by running them. Made by ``gathering``.

    Attributes:
        seed: Of all designs.
        engine: The one that runs them, not "auto".
        level: Confidence level of the intervals.
        store: Where results are stored as they come; None for nowhere.
        progress: Called with (replications run, replications to run) by ``results``.
        ran: How many replications were run.
        reused: How many were taken from the store, each counted once.
        pool: Where they are run; None for this process.
        new_pool: Makes another one when a worker has died; None when the pool is not ours.
        workers: How many the pool has.
        controls: Whether replications have their controls as well.
    """

    seed: int
    engine: str
    level: float
    store: Store | None = None
    progress: Progress | None = None
    ran: int = 0
    reused: int = 0
    pool: Executor | None = None
    new_pool: Callable[[], Executor] | None = None
    workers: int = 1
    controls: bool = False
    _held: dict[str, dict[int, Result]] = field(default_factory=dict)
    _unused: dict[str, set[int]] = field(default_factory=dict)
    _texts: dict[str, str] | None = None
    _kept_last: tuple[Scenario | None, str] = (None, "")
    _out: int = 0

    @property
    def damaged(self) -> tuple[Damage, ...]:
        """The damaged records found in the store; they were run again."""
        return () if self.store is None else tuple(self.store.damaged)

    def made_with(self) -> dict[str, Any]:
        """Return what a plan says of how it was made: seed, engine, level, and where its replications came from."""
        return {name: getattr(self, name) for name in ("seed", "engine", "level", "ran", "reused", "damaged")}

    def results(self, scenarios: Sequence[Scenario], replications: range) -> list[tuple[Result, ...]]:
        """Return the measures of ``replications`` of each scenario, in their order.

        Raises:
            StoreError: the store failed.
            StudyError: a worker died, and so did its successor.
        """
        tasks = deque(self._tasks(scenarios, replications))
        to_do, done = sum(len(task.replications) for task in tasks), 0
        with closing(self._run(tasks)) as running:
            for made in running:
                done += made
                if self.progress is not None:
                    self.progress(done, to_do)
        return [tuple(self._held[one.digest][number] for number in replications) for one in scenarios]

    def in_order(self, scenario: Scenario, most: int) -> Generator[Result, None, None]:
        """Yield the measures of replications 0, 1, 2, ... of one scenario as they come; closed, it drops the rest.

        Only some tasks per worker are begun before their results are taken.

        Raises:
            StoreError: the store failed.
            StudyError: a worker died, and so did its successor.
        """
        coming = self._tasks([scenario], range(most))
        tasks: deque[Task] = deque()
        begun: deque[Task] = deque()
        held = self._held[scenario.digest]
        with closing(self._run(tasks)) as running:
            for number in range(most):
                while begun and begun[0].replications[-1] < number:
                    begun.popleft()
                while number not in held:
                    while len(begun) < _AHEAD * self.workers and (task := next(coming, None)) is not None:
                        begun.append(task)
                        tasks.append(task)
                    next(running)
                yield held[number]

    def _tasks(self, scenarios: Sequence[Scenario], replications: range) -> Iterator[Task]:
        """Return the tasks of what neither memory nor the store holds: single replications in this process."""
        designs = {one.digest: one for one in scenarios}
        absent = [(one, self._absent(digest, one, replications)) for digest, one in designs.items()]

        def largest(scenario: Scenario) -> int:
            return 1 if self.pool is None else math.ceil(TASK_CALLS[self.engine] / max(1.0, scenario.expected_calls))

        return tasks_of(absent, self.workers, largest)

    def _absent(self, digest: str, scenario: Scenario, replications: range) -> list[int]:
        """Return which replications neither memory nor the store holds."""
        if digest not in self._held:
            self._held[digest] = {}
            if self.store is not None:
                stored = self.store.results(digest, self.seed, self.engine, made_by(self.engine))
                fitting = ((number, as_asked(one, scenario, self.controls)) for number, one in stored.items())
                self._held[digest] = {number: one for number, one in fitting if one is not None}
                self._unused[digest] = set(self._held[digest])
                self._keep_scenario(scenario)
        used = self._unused.get(digest, set()).intersection(replications)
        self._unused.get(digest, set()).difference_update(used)
        self.reused += len(used)
        return [number for number in replications if number not in self._held[digest]]

    def _keep_scenario(self, scenario: Scenario) -> None:
        """Store a scenario's text unless the store has it, undamaged."""
        if self.store is None:
            return
        if self._texts is None:
            self._texts = self.store.scenarios()
        if scenario.digest not in self._texts:
            self.store.put_scenario(scenario.digest, scenario.canonical)
            self._texts[scenario.digest] = scenario.canonical

    def finish(self, scenario: Scenario, **plan: object) -> None:
        """Store that a study or plan is finished, if there is a store: all of it but its replications."""
        if self.store is None:
            return
        self.store.put_plan(
            {
                "seed": self.seed,
                "engine": self.engine,
                "level": self.level,
                "controls": self.controls,
                "made_by": made_by(self.engine),
                "versions": engines.versions(self.engine),
                **self.kept(scenario),
                **plan,
            }
        )

    def kept(self, scenario: Scenario) -> dict[str, Any]:
        """Store a scenario's text, and return what a plan says of it: its digest, targets as written, and notes."""
        self._keep_scenario(scenario)
        return {
            "scenario": scenario.digest,
            "objectives": {one.measure: one.text for one in scenario.objectives},
            "notes": scenario.notes.to_dict(),
        }

    def _run(self, tasks: deque[Task]) -> Generator[int, None, None]:
        """Run the tasks and keep their results; yield after each how many replications it had.

        The tasks that were out when a worker died are run once more, one replication at a time in a fresh pool.
        """
        suspects = 0
        while tasks:
            try:
                with closing(self._made(tasks, suspects)) as made:
                    for task, results in made:
                        self._keep(task, results)
                        suspects = max(0, suspects - 1)
                        yield len(results)
            except BrokenExecutor as error:
                if self.new_pool is None or suspects:
                    raise StudyError(self._death_of_a_worker(tasks[0], error)) from None
                out = [tasks.popleft() for _ in range(self._out)]
                singly = [Task(task.scenario, (number,)) for task in out for number in task.replications]
                tasks.extendleft(reversed(singly))
                suspects = max(1, len(singly))  # workers that die before they get any work are not replaced for ever
                self.pool = self.new_pool()

    def _death_of_a_worker(self, task: Task, error: BaseException) -> str:
        which = "replication" + "s" * (len(task.replications) > 1) + " " + ", ".join(map(str, task.replications))
        stored = "" if self.store is None else "; what was stored stays"
        return (
            f"a worker died while seed {self.seed}, {which} of scenario {task.scenario.short_digest} was run"
            f"{stored}: run the same command again, with fewer workers if memory is short ({error})"
        )

    def _keep(self, task: Task, results: Sequence[Result]) -> None:
        if self._kept_last[0] is not task.scenario:  # finding a digest takes a good part of a short replication
            self._kept_last = task.scenario, task.scenario.digest
        digest = self._kept_last[1]
        made = dict(zip(task.replications, results, strict=True))
        if self.store is not None:
            version = made_by(self.engine)
            self.store.put({Key(digest, self.seed, number, self.engine, version): one for number, one in made.items()})
        self._held[digest] |= made
        self.ran += len(made)

    def _work(self, task: Task) -> Callable[[], list[Result]]:
        """Return what runs a task, here or in a worker."""
        return partial(replicate, task.scenario, self.seed, task.replications, self.engine, self.controls)

    def _made(self, tasks: deque[Task], alone: int) -> Generator[tuple[Task, list[Result]], None, None]:
        """Yield the tasks with their results as they come; ``tasks`` keeps those that are not made when it breaks.

        The first ``alone`` of them are handed out one by one, so that the one that kills its worker is then the first.
        """
        if self.pool is None:
            while tasks:
                task = tasks[0]
                made = self._work(task)()
                tasks.popleft()
                yield task, made
            return
        out: dict[Future[list[Result]], Task] = {}
        try:
            while tasks or out:
                while tasks and len(out) < (1 if alone > 0 else _AHEAD * self.workers):
                    task = tasks[0]
                    work = self._work(task)
                    future = self.pool.submit(work) if self.new_pool is None else self.pool.submit(interruptible, work)
                    out[future] = tasks.popleft()
                for future in wait(out, return_when=FIRST_COMPLETED).done:
                    results = future.result()
                    yield out.pop(future), results
                    alone -= 1
        finally:
            # A pool of our own drops its tasks itself: cancelled here, they trip up its thread that buries the dead.
            if self.new_pool is None:
                for future in out:
                    future.cancel()
            self._out = len(out)
            tasks.extendleft(reversed(out.values()))


def requested(replications: int) -> str:
    """Return why a study of a fixed number of replications stopped (results that were written have these words)."""
    return f"{replications} replications were asked for" if replications > 1 else "one replication was asked for"


def check_work(scenarios: Sequence[Scenario], replications: int) -> None:
    """Refuse more replications, calls or figures than a machine can do, before anything is run.

    Raises:
        PlanError: what is too much, the bound, and what would be less.
    """
    calls = sum(one.expected_calls for one in scenarios) * replications
    figures = sum(2 * sum(one.settings.slots) + FIGURES for one in scenarios) * replications
    for what, need, bound, step in (
        ("replications", len(scenarios) * replications, MOST_RUNS, "fewer replications or values"),
        ("calls", calls, MOST_CALLS, "fewer replications, or a shorter run.horizon"),
        ("figures", figures, MOST_FIGURES, "fewer replications, or fewer lot.slots"),
    ):
        if need > bound:
            many = f"{need:,}" if what == "replications" and need < 1e15 else f"some {need:.3g}"
            raise PlanError(f"{many} {what} are more than {bound:,}; take {step}")


@contextmanager
def gathering(how: Execution, scenarios: Sequence[Scenario], replications: int) -> Iterator[Gatherer]:
    """Open what it takes to gather replications, and close what was opened here.

    A store is closed at the end only if it was opened here. The engine that "auto" stands for is the one for
    ``replications`` of each scenario together.

    Raises:
        PlanError: it is more than a machine can do: nothing has been run then.
        StoreError: the store cannot be opened.
    """
    check_work(scenarios, replications)
    engine = engines.chosen_engine(how.engine, scenarios, replications)
    opened = Store.open(how.store) if isinstance(how.store, str | Path) else None
    pools: list[Executor] = []

    def new_pool() -> Executor:
        pools.append(started(how.workers))
        return pools[-1]

    try:
        own = how.executor == "processes"
        pool = new_pool() if own else how.executor
        assert not isinstance(pool, str)
        yield Gatherer(
            how.seed,
            engine,
            how.level,
            opened or (how.store if isinstance(how.store, Store) else None),
            how.progress,
            pool=pool,
            new_pool=new_pool if own else None,
            workers=getattr(pool, "_max_workers", None) or how.workers or cores(),
            controls=how.controls and all(map(are_worth, scenarios)),
        )
    finally:
        for one in pools:
            one.shutdown(cancel_futures=True)
        if opened is not None:
            opened.close()


# Workers in processes of their own ------------------------------------------------------------------------------------

_ORPHANED_S: Final = 1.0
"""How often a worker looks whether its parent still lives."""

Made = TypeVar("Made")


def started(workers: int | None) -> ProcessPoolExecutor:
    """Return a pool of running processes; its work is handed over as ``submit(interruptible, work, ...)``.

    They are started with Ctrl-C held back, so that none gets it before it is set up to end without a word.
    """
    pool = ProcessPoolExecutor(workers, initializer=end_with, initargs=(os.getpid(),))
    if hasattr(signal, "pthread_sigmask"):
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            pool.submit(_nothing)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return pool


def _nothing() -> None:
    """Do nothing: a task that makes a pool start its workers."""


def end_with(parent: int) -> None:
    """End this worker when its parent is killed (it would wait for ever for its next task), and at Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _mask("SIG_BLOCK")

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(_ORPHANED_S)
        os._exit(1)

    threading.Thread(target=look, daemon=True).start()


def interruptible(work: Callable[..., Made], *args: Any) -> Made:
    """Do some work in a worker, which Ctrl-C may end only during that work."""
    _mask("SIG_UNBLOCK")
    try:
        return work(*args)
    finally:
        _mask("SIG_BLOCK")


def _mask(how: str) -> None:
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(getattr(signal, how), {signal.SIGINT})
