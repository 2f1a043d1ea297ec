"""``python -m tests.speed.sizes``: what a call costs the kernel in lots of 12 to 6,000 slots, as ratios to 12.

park-1 with as many attendants as slots and calls in proportion, each lot with equally many calls in one replication,
drawn before; the least CPU time of rounds in which the lots take turns.
"""

import argparse
import time
from typing import Any, Final

import parksim
from parksim.engines import kernel
from tests.speed import park1

SLOTS: Final = (12, 120, 1_200, 6_000)
CALLS: Final = 120_000
MOST_RATIO: Final = 1.5


def of_size(slots: int) -> dict[str, Any]:
    """Return park-1 with so many slots and attendants, at the same load a slot."""
    rate = park1.ARRIVALS_PER_S * slots / park1.SLOTS
    scenario = park1.scenario(CALLS)
    scenario["arrivals"]["rate"] = f"{rate}/s"
    scenario["attendants"]["count"] = scenario["lot"]["slots"] = slots
    scenario["run"]["horizon"] = park1.WARM_UP_S + CALLS / rate
    return scenario


def costs_ns(rounds: int) -> dict[int, float]:
    """Return nanoseconds a call, by slots."""
    drawn = {}
    for slots in SLOTS:
        scenario = parksim.Scenario.model_validate(of_size(slots))
        drawn[slots] = scenario.settings, parksim.draw(scenario, 1)
        kernel.simulate(*drawn[slots])  # which compiles the kernel
    least = dict.fromkeys(SLOTS, float("inf"))
    for _ in range(rounds):
        for slots, (settings, workload) in drawn.items():
            begun_s = time.process_time()
            kernel.simulate(settings, workload)
            least[slots] = min(least[slots], (time.process_time() - begun_s) / len(workload.arrival_us) * 1e9)
    return least


def main() -> int:
    """Print the table; return 1 when a ratio misses the target, else 0."""
    parser = argparse.ArgumentParser(prog="python -m tests.speed.sizes", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    least = costs_ns(parser.parse_args().rounds)
    print(f"{'slots':>6}{'ns a call':>11}{'ratio':>8}")
    for slots, cost_ns in least.items():
        print(f"{slots:>6,}{cost_ns:>11,.0f}{cost_ns / least[SLOTS[0]]:>8.2f}")
    worst = max(least.values()) / least[SLOTS[0]]
    print(f"the dearest: {worst:.2f}  target {MOST_RATIO:g} {'met' if worst <= MOST_RATIO else 'MISSED'}")
    return 0 if worst <= MOST_RATIO else 1


if __name__ == "__main__":
    raise SystemExit(main())
