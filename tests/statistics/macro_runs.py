"""Many runs of one experiment, a seed each, in worker processes; what is done is kept and not done again.

A file of kept runs begins with a line that says what they are runs of; each further line is one seed and its outcome.
A line cut short by a kill is done again; another experiment's file is refused.
"""

import argparse
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final, TextIO

import scipy.stats

from parksim.engines import _lift, processes
from parksim.journal import measures
from parksim.scenario import workload
from parksim.scenario.model import Scenario
from parksim.stats import estimate, events, special
from parksim.studies import advise, bench, estimates, foreseen, levers, replication
from parksim.studies import formulas as expected
from parksim.studies import search as searching
from parksim.studies import solve as solving
from parksim.studies import study as studies
from parksim.studies.gather import interruptible, started
from parksim.theory import erlang

SCENARIOS: Final = Path(__file__).parents[2] / "scenarios"
Outcome = dict[str, Any]
_SOURCES: Final = (
    *(
        advise,
        bench,
        foreseen,
        levers,
        erlang,
        estimate,
        events,
        estimates,
        expected,
        measures,
        replication,
        searching,
        solving,
        special,
        studies,
        workload,
        processes,
    ),
)


def lot_only(values: dict[str, object] | None = None) -> Scenario:
    """Return the scenario for which Erlang's formula is exact, with some values replaced."""
    return Scenario.load(SCENARIOS / "lot-only.toml").with_values(values or {})


def code_digest() -> str:
    """Return a digest of the code that makes and judges a replication: kept runs of other code are not mixed in."""
    digest = hashlib.sha256(_lift.rules_digest().encode())
    for module in _SOURCES:
        digest.update(Path(str(module.__file__)).read_bytes())
    return digest.hexdigest()[:16]


def exact_interval(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Return Clopper and Pearson's interval of a share, by SciPy."""
    interval = scipy.stats.binomtest(successes, trials).proportion_ci(level, "exact")
    return float(interval.low), float(interval.high)


def options(description: str, runs: int) -> argparse.ArgumentParser:
    """Return a parser of what all these commands can be told."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--runs", type=int, default=runs, help=f"macro-runs, seeds 1 to this (default {runs:,})")
    parser.add_argument("--engine", default="auto", choices=replication.ENGINES)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--keep", type=Path, help="a file in which finished runs are kept; resume from it")
    return parser


def outcomes(
    run: Callable[[int], Outcome], seeds: Iterable[int], what: Outcome, keep: Path | None = None, workers: int = 1
) -> dict[int, Outcome]:
    """Return the outcome of ``run(seed)`` of every seed, run now or kept from before.

    Args:
        run: the experiment; can be pickled when there are several workers.
        seeds: which.
        what: what it is an experiment on, in plain values; kept with the outcomes.
        keep: a file of outcomes to resume from; None keeps nothing.
        workers: processes; 1 runs here.
    """
    wanted = list(seeds)
    what = what | {"code": code_digest()}
    known: dict[int, Outcome] = {} if keep is None else _kept(keep, what)
    missing = [seed for seed in wanted if seed not in known]
    file = None if keep is None else keep.open("a", encoding="utf-8")
    begun = time.monotonic()
    try:
        for done, (seed, outcome) in enumerate(_made(run, missing, workers), 1):
            known[seed] = outcome
            if file is not None:
                file.write(json.dumps([seed, outcome]) + "\n")
                file.flush()
            _tell(done, len(missing), time.monotonic() - begun)
    finally:
        if file is not None:
            file.close()
    return {seed: known[seed] for seed in wanted}


def _made(run: Callable[[int], Outcome], seeds: list[int], workers: int) -> Iterator[tuple[int, Outcome]]:
    if workers == 1:
        yield from ((seed, run(seed)) for seed in seeds)
        return
    with started(workers) as pool:
        try:
            yield from zip(seeds, pool.map(partial(interruptible, run), seeds), strict=True)
        finally:
            pool.shutdown(cancel_futures=True)


def _kept(file: Path, what: Outcome) -> dict[int, Outcome]:
    """Return what a file holds of this experiment, and make it one that further lines can be added to."""
    header = json.dumps(what)
    if not file.exists():
        file.write_text(header + "\n", encoding="utf-8")
        return {}
    first, *lines = file.read_text(encoding="utf-8").split("\n")
    if first != header:
        raise SystemExit(f"{file} keeps runs of something else, or of other code; name another file or delete it")
    whole = lines[:-1]  # what follows the last end of a line was cut short, or is nothing
    file.write_text("\n".join([first, *whole, ""]), encoding="utf-8")
    return dict(json.loads(line) for line in whole)


def _tell(done: int, to_do: int, seconds: float, stream: TextIO = sys.stderr) -> None:
    if stream.isatty() or done % max(1, to_do // 50) == 0 or done == to_do:
        left = seconds / done * (to_do - done)
        print(f"{done} of {to_do} runs, {left:.0f} s to go", end="\r" if stream.isatty() else "\n", file=stream)
