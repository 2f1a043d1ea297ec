"""``python -m tests.speed.memory``: bytes a further call, and whether a study's memory grows with its replications.

Each figure is the peak of a process of its own, which does nothing else: park-1 of N and of 4 N calls in one
replication (what differs is what the calls cost, whatever Python and NumPy weigh), then studies of 10 and of 1,000
short replications. This module loads nothing heavy itself, since a child's peak may count its parent's.
"""

import argparse
import resource
import subprocess
import sys
from pathlib import Path
from typing import Final

CALLS: Final = 50_000
MOST_BYTES_A_CALL: Final = {"simpy": 400, "kernel": 150}
"""By engine: the kernel keeps no journal for a study."""
STUDY_CALLS: Final = 1_000
FEW, MANY = 10, 1_000
MOST_GROWTH: Final = 0.20
"""A thousand replications may need so much more than ten: their results are kept, some kilobytes each."""


def peak_bytes() -> int:
    """Return the most memory that this process ever had resident."""
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = [line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def child(calls: int, replications: int, engine: str) -> None:
    """Simulate and measure park-1 in this process, and print its peak."""
    import parksim
    from parksim.studies.replication import replicate
    from tests.speed import park1

    scenario = parksim.Scenario.model_validate(park1.scenario(calls))
    if replications == 1:
        (only,) = replicate(scenario, 1, [0], engine)
        measured = only["occupancy_mean"]
    else:
        measured = (
            parksim.study(scenario, replications=replications, seed=1, engine=engine).estimates["occupancy_mean"].mean
        )
    assert 5.0 < measured < 8.0, "this is not park-1"
    print(peak_bytes())


def peak_of(calls: int, replications: int, engine: str) -> int:
    """Return the peak of a new process that simulates so much."""
    command = [sys.executable, "-m", "tests.speed.memory", "--child", str(calls), str(replications), engine]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> int:
    """Print both figures; return 1 when one misses its target, else 0."""
    parser = argparse.ArgumentParser(prog="python -m tests.speed.memory", description=__doc__)
    parser.add_argument("--engine", default="simpy", choices=MOST_BYTES_A_CALL)
    parser.add_argument("--child", nargs=3, metavar=("CALLS", "REPLICATIONS", "ENGINE"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        child(int(asked.child[0]), int(asked.child[1]), asked.child[2])
        return 0
    small, large = (peak_of(calls, 1, asked.engine) for calls in (CALLS, 4 * CALLS))
    each, most = (large - small) / (3 * CALLS), MOST_BYTES_A_CALL[asked.engine]
    few, many = (peak_of(STUDY_CALLS, replications, asked.engine) for replications in (FEW, MANY))
    growth = many / few - 1
    print(f"one replication of {CALLS:>9,} calls: {small / 1e6:7.1f} MB at the peak")
    print(f"one replication of {4 * CALLS:>9,} calls: {large / 1e6:7.1f} MB at the peak")
    print(f"a further call: {each:.0f} bytes  target {most} {verdict(each <= most)}")
    print(f"a study of {FEW} and of {MANY:,} replications: {few / 1e6:.1f} and {many / 1e6:.1f} MB", end="")
    print(f"  {growth:+.1%}, target {MOST_GROWTH:.0%} {verdict(growth <= MOST_GROWTH)}")
    return 0 if each <= most and growth <= MOST_GROWTH else 1


def verdict(met: bool) -> str:
    """Return the word for it."""
    return "met" if met else "MISSED"


if __name__ == "__main__":
    raise SystemExit(main())
