"""``python -m tests.speed``: calls per CPU second of every contender on park-1, as ratios to idiomatic SimPy.

Then CPU seconds until a share is known to ± 5 %, and one and two workers beside two bare processes, which only the
clock on the wall can tell.
"""

import argparse
import statistics
from importlib.util import find_spec

from tests.speed import precision, workers
from tests.speed.contenders import HEAP, SIMPY, contenders
from tests.speed.contest import Standing, contest

LEAST_OF_HEAP = 1.6
"""What the SimPy engine, drawing and measuring included, reaches of the quicker of its two rivals."""


def line(standing: Standing) -> str:
    """Return one line of the table."""
    target = standing.contender.target
    verdict = "" if target is None else f"  target {target:g}x {met(standing.ratio >= target)}"
    return (
        f"{standing.contender.name:<32} {standing.calls_per_s:>12,.0f} {standing.ratio:>8.2f}x"
        f"  ({standing.lowest:.2f} to {standing.highest:.2f}){verdict}"
    )


def met(reached: bool) -> str:
    """Return the word for it."""
    return "met" if reached else "MISSED"


def by_cpu(only: str, rounds: int) -> bool:
    """Print the table of CPU seconds; tell whether every target was met."""
    everybody = contenders()
    taking_part = everybody[:1] + [one for one in everybody[1:] if only.lower() in one.name.lower()]
    table = contest(taking_part, rounds)
    print("all contenders give the six figures of park-1 within four standard errors\n")
    print(f"{'contender':<32} {'calls/CPU s':>12} {'ratio':>9}  (range over {rounds} rounds)")
    for standing in table:
        print(line(standing))
    reached = [one.contender.target is None or one.ratio >= one.contender.target for one in table]
    named = {standing.contender.name: standing for standing in table}
    if HEAP in named and SIMPY in named:
        ratio = named[SIMPY].against(named[HEAP])
        reached.append(ratio >= LEAST_OF_HEAP)
        print(f"the SimPy engine, drawn and measured, to the heap: {ratio:.2f}x", end="")
        print(f"  target {LEAST_OF_HEAP:g}x {met(reached[-1])}")
    return all(reached)


def by_clock(rounds: int, replications: int) -> bool:
    """Print how workers keep pace with bare processes; tell whether the target was met."""
    engine = "kernel" if find_spec("numba") is not None else "simpy"
    table = workers.paces(engine, rounds, replications if engine == "kernel" else max(4, replications // 40))
    print(f"\n{'by the clock, ' + engine:<32} {'calls/s':>12} {'ratio':>9}  (range over {rounds} rounds)")
    for pace in table:
        ratios = pace.ratios
        print(
            f"{pace.name:<32} {pace.calls_per_s:>12,.0f} {statistics.median(ratios):>8.2f}x"
            f"  ({min(ratios):.2f} to {max(ratios):.2f})"
            + (f"  by CPU {statistics.median(pace.by_cpu):.2f}x" if pace.by_cpu else "")
        )
    two = statistics.median(table[-1].ratios)
    print(f"two workers get {two:.2f} of two bare processes done", end="")
    print(f"  target {workers.LEAST_OF_BARE:g} {met(two >= workers.LEAST_OF_BARE)}")
    return two >= workers.LEAST_OF_BARE


def main() -> int:
    """Print the tables; return 1 when a target is missed, else 0."""
    parser = argparse.ArgumentParser(prog="python -m tests.speed", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="how often each contender runs (default 7)")
    only = 'only "precision", only "workers", or the first contender and those whose name has this'
    parser.add_argument("--only", default="", help=only)
    parser.add_argument("--replications", type=int, default=400, help="of a round of two workers (default 400)")
    asked = parser.parse_args()
    reached = []
    if asked.only not in {"precision", "workers"}:
        reached.append(by_cpu(asked.only, asked.rounds))
    if asked.only in {"", "precision"}:
        reached.append(precision.by_precision(asked.rounds))
    if asked.only in {"", "workers"}:
        reached.append(by_clock(asked.rounds, asked.replications))
    return 0 if all(reached) else 1


if __name__ == "__main__":
    raise SystemExit(main())
