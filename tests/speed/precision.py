"""``python -m tests.speed --only precision``: CPU seconds until the share of refused parks is known to ± 5 %.

A planner waits for an answer, not for calls. So each program is asked what an interval of 95 % costs that reaches 5 %
of the value to either side: CPU seconds of a replication times the replications that this takes, and what is done once
a study (the estimate, and the known means of the controls). The rival is idiomatic SimPy, which averages its
replications' shares.

How many it takes: the least n with t(n - 1 - q) s sqrt((1 + q / (n - q - 2)) / n) <= 5 % of the value, for q controls
and the standard deviation s of a replication, by the jackknife where a share is a ratio of sums. The term with q is
what estimating the controls' coefficients costs on average (Lavenberg and Welch 1981, Management Science 27(3),
322-335); the interval that a study prints is by the jackknife, and somewhat wider. The interval of a ratio is a
percentile bootstrap (Efron and Tibshirani 1993, chapter 13) of the replications of both programs and of the rounds in
which they were timed.
"""

import math
import statistics
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

import parksim
from parksim.stats.estimate import REPLICATIONS_A_CONTROL, Sample, mean_of, t_of
from parksim.studies import controls
from tests.speed import idiomatic_hospital, idiomatic_simpy, park1
from tests.speed.contest import STANDARD_ERRORS, DisagreementError
from tests.speed.idiomatic_hospital import Figures

MEASURE: Final = "refused_share"
PRECISION: Final = 0.05
FINER: Final = 0.01
LEVEL: Final = 0.95
REPLICATIONS: Final = 400
"""Of parksim, from which the variance of one is known; the rival gets half as many."""
CALLS: Final = 2_000
"""Of a replication of park-1, after the warm-up: of longer ones a single one would do for ± 5 %."""
TIMED: Final = 40
"""Replications of parksim in a round; the rival gets a quarter of that."""
RESAMPLES: Final = 300
LEAST_OF_HOSPITAL: Final = 150.0
"""How many times less CPU than idiomatic SimPy parksim takes for hospital, its controls included: the aim."""


class Case(NamedTuple):
    """A scenario, and the rival's program for it, which turns a seed into the figures of one replication."""

    name: str
    scenario: parksim.Scenario
    rival: Callable[[int], Figures]


class Program(NamedTuple):
    """What a program needs for its estimate: ``resampled`` makes another ``sample`` of redrawn replications."""

    name: str
    sample: Sample
    resampled: Callable[[np.random.Generator], Sample]
    timed: Callable[[int], tuple[float, float]]
    """Round -> CPU seconds of a replication, and those spent once a study."""


class Line(NamedTuple):
    """A program in the table: medians over the rounds, and how often the first one's CPU time contains its own."""

    program: Program
    each_s: float
    once_s: float
    replications: int
    total_s: float
    ratio: float
    low: float
    high: float
    ratio_finer: float


def cases() -> list[Case]:
    """Return hospital as it is shipped, and park-1 in short replications."""
    shipped = parksim.Scenario.load(Path(__file__).parents[2] / "scenarios" / "hospital.toml")
    park_1 = parksim.Scenario.model_validate(park1.scenario(CALLS))
    return [Case("hospital", shipped, idiomatic_hospital.simulate), Case("park-1", park_1, of_park_1)]


def of_park_1(seed: int) -> Figures:
    """Return the figures of the quicker of the two idiomatic programs of park-1."""
    per_call = idiomatic_simpy.simulate(seed, CALLS, slots_in_store=False)[1]
    requests = per_call.parks_made + per_call.refused
    return Figures(per_call.refused / requests, per_call.expired / per_call.parks_made, per_call.occupancy)


def needed(sample: Sample, precision: float) -> int:
    """Return how many replications a 95 % interval of this precision takes, a share of the value to either side."""
    q = sample.controls
    spread = math.sqrt(sample.variance * sample.n) * sample.df / (sample.n - 1)  # without the leverages of this sample

    def reaches(n: int) -> bool:
        factor = 1 + q / (n - q - 2) if q else 1.0
        return t_of(LEVEL, n - 1 - q) * spread * math.sqrt(factor / n) <= precision * sample.point

    candidates = range(max(2, REPLICATIONS_A_CONTROL * q), 10**7)
    return candidates[bisect_left(candidates, True, key=reaches)]


def agreed(rival: Sequence[Figures], study: parksim.Study, name: str) -> str:
    """Return how near the rival's figures are to parksim's, in words.

    Raises:
        DisagreementError: one of them is further off than four standard errors of the difference, or does not vary.
    """
    words = []
    for figure, column in zip(Figures._fields, zip(*rival, strict=True), strict=True):
        theirs, ours = mean_of(column), study.measured.sample(figure)
        error = math.sqrt(theirs.variance + ours.variance)
        off = (theirs.point - ours.point) / error if theirs.variance > 0.0 else math.inf
        words.append(f"{figure} {theirs.point:.4f} and {ours.point:.4f} ({off:+.1f} se)")
        if not abs(off) <= STANDARD_ERRORS:
            raise DisagreementError(f"{name}: idiomatic SimPy and parksim give {words[-1]}")
    return ", ".join(words)


def programs(case: Case) -> tuple[list[Program], str]:
    """Return the rival and parksim, without and with controls, and how near their figures are to each other."""
    engine = "kernel" if find_spec("numba") is not None else "simpy"
    figures = [case.rival(1000 + number) for number in range(REPLICATIONS // 2)]
    shares = np.array([one.refused_share for one in figures])

    def redrawn(rng: np.random.Generator) -> Sample:
        return mean_of(rng.choice(shares, len(shares)).tolist())

    def rival_timed(turn: int) -> tuple[float, float]:
        began_s = time.process_time()
        for number in range(TIMED // 4):
            case.rival(turn * TIMED + number)
        return (time.process_time() - began_s) / (TIMED // 4), 0.0

    everybody = [Program("idiomatic SimPy, plain averages", mean_of(shares.tolist()), redrawn, rival_timed)]
    for with_controls in (False, True):
        study = parksim.study(
            case.scenario, replications=REPLICATIONS, seed=1, engine=engine, controls=with_controls, level=LEVEL
        )
        words = f"parksim, {engine}, {'with' if with_controls else 'without'} controls"
        everybody.append(ours(words, study, engine))
    return everybody, agreed(figures, study, case.name)


def ours(name: str, study: parksim.Study, engine: str) -> Program:
    """Return parksim as a program, with a study that has been made."""

    def sample_of(some: parksim.Study) -> Sample:
        return some.measured.controlled(MEASURE, some.measured.sample(MEASURE))

    def redrawn(rng: np.random.Generator) -> Sample:
        chosen = rng.integers(len(study.results), size=len(study.results)).tolist()
        return sample_of(replace(study, results=tuple(study.results[one] for one in chosen)))

    def timed(turn: int) -> tuple[float, float]:
        controls._means.cache_clear()  # the first study of a scenario finds nothing there
        began_s = time.process_time()
        made = parksim.study(
            study.scenario, replications=TIMED, seed=turn, engine=engine, controls=study.has_controls, level=LEVEL
        )
        ran_s = time.process_time()
        made.estimate(MEASURE)
        return (ran_s - began_s) / TIMED, time.process_time() - ran_s

    return Program(name, sample_of(study), redrawn, timed)


def compared(everybody: Sequence[Program], rounds: int) -> list[Line]:
    """Time the programs in turns, and return the table: how many times less CPU than the first one each takes."""
    spent: list[list[tuple[float, float]]] = [[] for _ in everybody]
    for turn in range(rounds):
        for place in range(len(everybody)):
            number = (place + turn) % len(everybody)
            spent[number].append(everybody[number].timed(turn))
    rng = np.random.default_rng(1)

    def totals(number: int, sample: Sample, precision: float = PRECISION) -> list[float]:
        replications = needed(sample, precision)
        return [each_s * replications + once_s for each_s, once_s in spent[number]]

    def ratios(one: Sequence[float], other: Sequence[float]) -> list[float]:
        return [a / b for a, b in zip(one, other, strict=True)]

    lines = []
    for number, program in enumerate(everybody):
        resampled = []
        for _ in range(RESAMPLES if number else 1):
            turns = rng.integers(rounds, size=rounds).tolist()
            both = ratios(totals(0, everybody[0].resampled(rng)), totals(number, program.resampled(rng)))
            resampled.append(statistics.median(both[turn] for turn in turns))
        mine = totals(number, program.sample)
        finer = ratios(totals(0, everybody[0].sample, FINER), totals(number, program.sample, FINER))
        lines.append(
            Line(
                program,
                *(statistics.median(column) for column in zip(*spent[number], strict=True)),
                needed(program.sample, PRECISION),
                statistics.median(mine),
                statistics.median(ratios(totals(0, everybody[0].sample), mine)),
                *np.quantile(resampled, [0.025, 0.975]).tolist(),
                statistics.median(finer),
            )
        )
    return lines


def by_precision(rounds: int) -> bool:
    """Print the table of each scenario; tell whether the aim for hospital was met."""
    met = True
    print(f"\nCPU time until {MEASURE} is known to ± {PRECISION * 100:g} % of its value, at {LEVEL * 100:g} %")
    for case in cases():
        everybody, agreement = programs(case)
        lines = compared(everybody, rounds)
        print(f"\n{case.name}: {agreement}")
        print(f"{'':<36}{'ms each':>9}{'needed':>8}{'ms once':>9}{'CPU s':>8}{'ratio':>7}  {'(95 %)':<15}{'± 1 %':>6}")
        for line in lines:
            shown = f"({line.low:.3g} to {line.high:.3g})" if line is not lines[0] else ""
            print(
                f"{line.program.name:<36}{line.each_s * 1e3:>9.2f}{line.replications:>8,}{line.once_s * 1e3:>9.1f}"
                f"{line.total_s:>8.3f}{line.ratio:>6.3g}x  {shown:<15}{line.ratio_finer:>5.3g}x"
            )
        if case.name == "hospital":
            met = lines[-1].ratio >= LEAST_OF_HOSPITAL
            print(f"hospital with controls: {lines[-1].ratio:.3g}x", end="")
            print(f"  target {LEAST_OF_HOSPITAL:g}x {'met' if met else 'MISSED'}")
    return met
