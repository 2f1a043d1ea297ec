"""``python -m tests.speed``: calls per CPU second of every contender on park-1, as ratios to idiomatic SimPy."""

import argparse

from tests.speed.contenders import contenders
from tests.speed.contest import Standing, contest


def line(standing: Standing) -> str:
    """Return one line of the table."""
    target = standing.contender.target
    verdict = "" if target is None else f"  target {target:g}x {'met' if standing.ratio >= target else 'MISSED'}"
    return (
        f"{standing.contender.name:<32} {standing.calls_per_s:>12,.0f} {standing.ratio:>8.2f}x"
        f"  ({standing.lowest:.2f} to {standing.highest:.2f}){verdict}"
    )


def main() -> int:
    """Print the table; return 1 when a target is missed, else 0."""
    parser = argparse.ArgumentParser(prog="python -m tests.speed", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="how often each contender runs (default 7)")
    parser.add_argument("--only", default="", help="take only contenders whose name contains this, and the first")
    asked = parser.parse_args()
    everybody = contenders()
    taking_part = everybody[:1] + [one for one in everybody[1:] if asked.only.lower() in one.name.lower()]
    table = contest(taking_part, asked.rounds)
    print("all contenders give the six figures of park-1 within four standard errors\n")
    print(f"{'contender':<32} {'calls/CPU s':>12} {'ratio':>9}  (range over {asked.rounds} rounds)")
    for standing in table:
        print(line(standing))
    missed = [one for one in table if one.contender.target is not None and one.ratio < one.contender.target]
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
