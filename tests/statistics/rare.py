"""``python -m tests.statistics.rare``: do the intervals of ``parksim.rare`` hold the truth, and how long does it take?

Each case is run with forty seeds. Of a lot alone the truth is Erlang's formula; its rate is set so that one
park of a hundred thousand, a million and ten million is refused. Where attendants make calls wait and returns are
parked again, the truth is that of plain replications, many times as long, whose own interval is allowed for. At least
37 of 40 intervals of 95 % must hold the truth (fewer come by chance once in 20 cases), and every half-width must be at
most 20 %.
"""

import argparse
import sys
import time
from typing import Any, Final, NamedTuple

import numpy as np

from parksim.scenario.model import Scenario
from parksim.scenario.shipped import shipped
from parksim.studies.rare import Rare, rare
from parksim.studies.study import study
from parksim.theory.erlang import erlang_b

SEEDS: Final = 40
LEAST: Final = 37
WITHIN: Final = 0.2


class Case(NamedTuple):
    """Forty answers to one scenario.

    Attributes:
        name: In the table.
        scenario: What is simulated.
        truth: The refused share; None where plain replications tell it.
        plain: How many of them.
    """

    name: str
    scenario: Scenario
    truth: float | None = None
    plain: int = 0


def lot_alone(refused: float, **values: Any) -> Scenario:
    """Return the lot alone with fourteen slots, with the rate at which Erlang B refuses this share."""
    lot = Scenario.load(shipped()["lot-only"]).with_values({"lot.slots": 14} | values)
    mean_s = lot_mean_s(lot)
    low, high = 0.1, 14.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if erlang_b(14, middle) < refused else (low, middle)
    return lot.with_values({"arrivals.rate": f"{low / mean_s * 3600:.12g}/h"})


def lot_mean_s(lot: Scenario) -> float:
    """Return the mean stay: that of the delay, cut at the longest stay, integrated over its survival function."""
    delay, longest_s = lot.retrieval.delay, lot.lots[0].max_in_parking.value
    ages_s = (np.arange(200_000) + 0.5) * (longest_s / 200_000)
    return float(delay.survival(ages_s).mean() * longest_s)


def cases() -> list[Case]:
    """Return the cases."""
    alone = [Case(f"lot alone, {one:g}", lot_alone(one), one) for one in (1e-5, 1e-6, 1e-7)]
    hospital = Scenario.load(shipped()["hospital"]).with_values({"lot.slots": 8})
    centre = Scenario.load(shipped()["contact-centre"]).with_values({"lot.slots": 5})
    return [*alone, Case("contact centre", centre, plain=20_000), Case("hospital, by the hour", hospital, plain=40_000)]


def holds(found: Rare, truth: float, error: float) -> bool:
    """Tell whether an interval holds a truth that is known up to ``error``, half the width of its own interval."""
    one = found.refused_share
    half = np.hypot(one.half_width, error)
    return bool(abs(one.mean - truth) <= half)


def main(arguments: list[str]) -> int:
    """Print each case and its seeds; return 1 if one of them fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="only cases whose names begin with this text")
    parser.add_argument("--seeds", default="1..40", help="from which seed to which, as 1..40")
    options = parser.parse_args(arguments)
    first, last = map(int, options.seeds.split(".."))
    failed = False
    for case in cases():
        if not case.name.startswith(options.only):
            continue
        truth, error = case.truth, 0.0
        if truth is None:
            known = study(case.scenario, case.plain, engine="kernel", seed=1_000).estimate("refused_share")
            truth, error = known.mean, known.half_width
        print(f"{case.name}: {truth:.4g}" + (f" -+ {error:.2g}, {case.plain:,} plain replications" if error else ""))
        held, widest, ratios = 0, 0.0, []
        for seed in range(first, last + 1):
            began_s = time.process_time()
            found = rare(case.scenario, WITHIN, seed=seed)
            took_s = time.process_time() - began_s
            one = found.refused_share
            held += holds(found, truth, error)
            widest = max(widest, one.half_width / one.mean)
            ratios.append(one.mean / truth)
            mark = "" if holds(found, truth, error) else "  misses"
            print(
                f"  seed {seed:>2}: {one.mean:.3e} [{one.low:.3e}, {one.high:.3e}], half-width "
                f"{one.half_width / one.mean:.1%}, {found.replications} replications, {took_s:.1f} s of one core{mark}",
                flush=True,
            )
        number = len(ratios)
        spread = float(np.std(ratios, ddof=1) / np.sqrt(number)) if number > 1 else float("nan")
        fails = held < LEAST * number / SEEDS or widest > WITHIN
        failed |= fails
        print(
            f"  {held} of {number} hold it, widest half-width {widest:.1%}, mean of estimate over truth "
            f"{np.mean(ratios):.4f} -+ {spread:.4f}: {'FAILS' if fails else 'holds'}"
        )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
