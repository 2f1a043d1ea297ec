"""``python -m tests.speed.startup``: CPU seconds of the first answers, as ratios to ``python -c "import numpy"``.

Each figure is the least of several processes, and the commands take turns, so that other work on the machine hits all
of them alike. A wrong option must exit with 2 and name the nearest right one: a quick wrong answer is no answer.
"""

import argparse
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
NUMPY: Final = ("-c", "import numpy")
COMMANDS: Final = {
    "python -c 'import numpy'": (NUMPY, 0, ""),
    "parksim --help": (("-m", "parksim", "--help"), 0, ""),
    "parksim run FILE --levl 99%": (("-m", "parksim", "run", "FILE", "--levl", "99%"), 2, "Did you mean --level?"),
    "parksim run scenarios/hospital.toml": (("-m", "parksim", "run", str(ROOT / "scenarios/hospital.toml")), 0, ""),
}
"""What is measured: the command, its exit code, and what it must say on stderr."""


def cpu_s(arguments: tuple[str, ...], code: int, message: str) -> float:
    """Return the user and system seconds of one process, which must exit as it should."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == code, done.stderr
    assert message in done.stderr, done.stderr
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measured(rounds: int) -> dict[str, float]:
    """Return the least CPU seconds of each command over some interleaved rounds."""
    least = dict.fromkeys(COMMANDS, float("inf"))
    for _ in range(rounds):
        for name, command in COMMANDS.items():
            least[name] = min(least[name], cpu_s(*command))
    return least


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.speed.startup", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    least = measured(parser.parse_args().rounds)
    unit_s = least["python -c 'import numpy'"]
    print(f"{'command':<40}{'CPU s':>8}{'ratio':>8}")
    for name, seconds in least.items():
        print(f"{name:<40}{seconds:>8.3f}{seconds / unit_s:>8.2f}")


if __name__ == "__main__":
    main()
