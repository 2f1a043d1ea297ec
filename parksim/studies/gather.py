"""Replications of many designs, each made once: kept in memory, kept in a store, run where they are missing.

All designs get the same seed and the same replication numbers, so that they are offered the same calls (common random
numbers). Which worker runs what, and what was stored before, cannot show in the results.
"""

import math
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal, NamedTuple

from parksim.errors import ArgumentError, StudyError
from parksim.scenario.model import Scenario
from parksim.studies.pools import interruptible, started
from parksim.studies.store import Damage, Key, Store
from parksim.studies.study import (
    KERNEL_PAYS_CALLS,
    TASK_CALLS,
    Progress,
    Result,
    chosen_engine,
    expected_calls,
    made_by,
    replicate,
)

Workers = Executor | Literal["processes"] | None
"""None for this process, "processes" for a pool of our own, or any executor."""
MOST_RUNS: Final = 1_000_000
"""Replications of all designs together; more is a slip of the pen."""
MOST_VALUES: Final = 10_000
"""Values of one key; more is a slip of the pen."""
_AHEAD: Final = 3
"""Tasks a worker that are handed out before they are needed."""
_POOL_PAYS_CALLS: Final = {"simpy": 200_000, "kernel": 1_500_000}
"""From so many calls on a pool of processes pays for its start: some three seconds of one core's work."""


class Task(NamedTuple):
    """Some replications of one design."""

    scenario: Scenario
    replications: tuple[int, ...]


@dataclass
class Gatherer:
    """Gets the measures of replications: from memory, from the store, or by running them. Made by ``gathering``.

    Attributes:
        seed: Of all designs.
        engine: The one that runs them, not "auto".
        store: Where results go as they come; None for nowhere.
        progress: Told (replications run, replications to run).
        ran: How many replications were run.
        reused: How many were taken from the store, each counted once.
        pool: Where they are run; None for this process.
        new_pool: Makes another one when a worker has died; None when the pool is not ours.
        workers: How many the pool has.
    """

    seed: int
    engine: str
    store: Store | None = None
    progress: Progress | None = None
    ran: int = 0
    reused: int = 0
    pool: Executor | None = None
    new_pool: Callable[[], Executor] | None = None
    workers: int = 1
    _known: dict[str, dict[int, Result]] = field(default_factory=dict)
    _unused: dict[str, set[int]] = field(default_factory=dict)
    _texts: dict[str, str] | None = None
    _out: int = 0

    @property
    def damaged(self) -> tuple[Damage, ...]:
        """The damaged records that the store was found to hold; they were run again."""
        return () if self.store is None else tuple(self.store.damaged)

    def results(self, scenarios: Sequence[Scenario], replications: range) -> list[tuple[Result, ...]]:
        """Return the measures of ``replications`` of each scenario, in their order.

        Raises:
            StoreError: the store failed.
            StudyError: a worker died, and so did its successor.
        """
        designs = {one.digest: one for one in scenarios}
        absent = {digest: self._absent(digest, one, replications) for digest, one in designs.items()}
        share = math.ceil(sum(map(len, absent.values())) / (self.workers * _AHEAD))
        self._run(
            deque(
                Task(designs[digest], tuple(some))
                for digest, numbers in absent.items()
                for some in _chunks(numbers, self._chunk(designs[digest], share))
            )
        )
        return [tuple(self._known[one.digest][number] for number in replications) for one in scenarios]

    def _absent(self, digest: str, scenario: Scenario, replications: range) -> list[int]:
        """Return which replications neither memory nor the store holds."""
        if digest not in self._known:
            self._known[digest] = {}
            if self.store is not None:
                self._known[digest] = self.store.results(digest, self.seed, self.engine, made_by(self.engine))
                self._unused[digest] = set(self._known[digest])
                self.keep_scenario(scenario)
        used = self._unused.get(digest, set()).intersection(replications)
        self._unused.get(digest, set()).difference_update(used)
        self.reused += len(used)
        return [number for number in replications if number not in self._known[digest]]

    def keep_scenario(self, scenario: Scenario) -> None:
        """Store a scenario's text unless it is there, and whole."""
        assert self.store is not None
        if self._texts is None:
            self._texts = self.store.scenarios()
        if scenario.digest not in self._texts:
            self.store.put_scenario(scenario.digest, scenario.canonical)
            self._texts[scenario.digest] = scenario.canonical

    def _chunk(self, scenario: Scenario, share: int) -> int:
        """Return how many replications make a task: one in this process, where handing over costs nothing.

        At most ``share``, that every worker has some.
        """
        if self.pool is None:
            return 1
        return max(1, min(share, math.ceil(TASK_CALLS[self.engine] / max(1.0, expected_calls(scenario)))))

    def _run(self, tasks: deque[Task]) -> None:
        """Run the tasks; what was out when a worker died once more, one replication at a time in a fresh pool."""
        to_do = sum(len(task.replications) for task in tasks)
        done = suspects = 0
        while tasks:
            try:
                with closing(self._made(tasks, suspects)) as made:
                    for task, results in made:
                        self._keep(task, results)
                        suspects = max(0, suspects - 1)
                        done += len(results)
                        if self.progress is not None:
                            self.progress(done, to_do)
            except BrokenExecutor as error:
                if self.new_pool is None or suspects:
                    raise StudyError(self._told_dead(tasks[0], error)) from None
                out = [tasks.popleft() for _ in range(self._out)]
                singly = [Task(task.scenario, (number,)) for task in out for number in task.replications]
                tasks.extendleft(reversed(singly))
                suspects = max(1, len(singly))  # workers that die before they get any work are not replaced for ever
                self.pool = self.new_pool()

    def _told_dead(self, task: Task, error: BaseException) -> str:
        which = "replication" + "s" * (len(task.replications) > 1) + " " + ", ".join(map(str, task.replications))
        stays = "" if self.store is None else "; what was stored stays"
        return (
            f"a worker died while seed {self.seed}, {which} of scenario {task.scenario.short_digest} was run"
            f"{stays}: run the same command again, with fewer workers if memory is short ({error})"
        )

    def _keep(self, task: Task, results: Sequence[Result]) -> None:
        digest = task.scenario.digest
        made = dict(zip(task.replications, results, strict=True))
        if self.store is not None:
            version = made_by(self.engine)
            self.store.put({Key(digest, self.seed, number, self.engine, version): one for number, one in made.items()})
        self._known[digest] |= made
        self.ran += len(made)

    def _made(self, tasks: deque[Task], alone: int) -> Generator[tuple[Task, list[Result]], None, None]:
        """Yield the tasks with their results as they come; ``tasks`` keeps those that are not made when it breaks.

        The first ``alone`` of them are handed out one by one, so that whichever kills its worker stands first then.
        """
        if self.pool is None:
            while tasks:
                task = tasks[0]
                made = replicate(task.scenario, self.seed, task.replications, self.engine)
                tasks.popleft()
                yield task, made
            return
        work = replicate if self.new_pool is None else partial(interruptible, replicate)
        out: dict[Future[list[Result]], Task] = {}
        try:
            while tasks or out:
                while tasks and len(out) < (1 if alone > 0 else _AHEAD * self.workers):
                    task = tasks[0]
                    future = self.pool.submit(work, task.scenario, self.seed, task.replications, self.engine)
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


def asked_for(replications: int) -> str:
    """Return why a study of so many replications, neither more nor less, stopped."""
    return f"{replications} replications were asked for" if replications > 1 else "one replication was asked for"


def _chunks(numbers: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(numbers), size):
        yield numbers[start : start + size]


def engine_for(engine: str, scenarios: Iterable[Scenario], replications: int) -> str:
    """Return the engine for all of some designs: what ``studies.chosen_engine`` takes for so many calls together.

    Raises:
        ArgumentError: there is no such engine.
    """
    designs = list(scenarios)
    calls = [expected_calls(one) for one in designs]
    busiest = max(range(len(designs)), key=calls.__getitem__)
    like_it = sum(calls) / calls[busiest] if calls[busiest] > 0 else len(designs)
    return chosen_engine(engine, designs[busiest], math.ceil(like_it * replications))


def workers_that_pay(calls: float, engine: str) -> int:
    """Return how many workers are worth their start for so many calls by an engine ("auto" too): 1, or one a core."""
    if engine == "auto":
        engine = "kernel" if calls >= KERNEL_PAYS_CALLS and find_spec("numba") is not None else "simpy"
    return cores() if calls >= _POOL_PAYS_CALLS[engine] else 1


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def gathering(
    seed: int,
    engine: str,
    *,
    executor: Workers = None,
    workers: int | None = None,
    store: Store | str | Path | None = None,
    progress: Progress | None = None,
) -> Iterator[Gatherer]:
    """Open what it takes to gather replications, and close what was opened here.

    Args:
        seed: any whole number from 0.
        engine: "simpy" or "kernel".
        executor: see ``Workers``.
        workers: size of a pool of our own; by default one a core.
        store: a store, or its file; it is closed at the end only if it was opened here.
        progress: told (replications run, replications to run).

    Raises:
        ArgumentError: a seed or an executor that is none.
        StoreError: the store cannot be opened.
    """
    if seed < 0:
        raise ArgumentError(f"a seed is a whole number from 0, not {seed}")
    if not (executor is None or executor == "processes" or isinstance(executor, Executor)):
        raise ArgumentError(f'executor is None, "processes" or an Executor, not {executor!r}')
    opened = Store.open(store) if isinstance(store, str | Path) else None
    pools: list[Executor] = []

    def new_pool() -> Executor:
        pools.append(started(workers))
        return pools[-1]

    try:
        own = executor == "processes"
        pool = new_pool() if own else executor
        assert not isinstance(pool, str)
        yield Gatherer(
            seed,
            engine,
            opened or (store if isinstance(store, Store) else None),
            progress,
            pool=pool,
            new_pool=new_pool if own else None,
            workers=getattr(pool, "_max_workers", None) or workers or cores(),
        )
    finally:
        for one in pools:
            one.shutdown(cancel_futures=True)
        if opened is not None:
            opened.close()
