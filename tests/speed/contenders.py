"""Who takes part. A new engine joins by a line in ``contenders()``; the first one is what all are compared with."""

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np

import parksim
from parksim.engines import processes
from parksim.journal.journal import Journal
from parksim.journal.measures import Measures, measure
from parksim.rules import codes
from parksim.studies.study import Study
from tests.speed import idiomatic_simpy, park1
from tests.speed.contest import Contender
from tests.speed.park1 import Figures

CALLS_A_REPLICATION = 10_000
SHORT = 1_000
"""The sizes at which a whole study is measured."""
FIGURED = (
    *("calls_offered", "parks_made", "parks_requested", "refused_share", "retrieved_share", "abandoned_share"),
    *("expired_share", "occupancy_mean"),
)
"""The measures that ``figures`` reads."""
HEAP = "the same, slots in a heap"
SIMPY = "parksim, SimPy: drawn, measured"


def contenders() -> list[Contender]:
    """Return the contenders there are, idiomatic SimPy first."""
    everybody = [
        Contender("idiomatic SimPy", idiomatic(slots_in_store=True), tuple, 40_000),
        Contender(HEAP, idiomatic(slots_in_store=False), tuple, 40_000),
        Contender("parksim, SimPy engine alone", engine_alone(processes.simulate), read_journals, 40_000),
        Contender(SIMPY, one_run("simpy"), read_run, 40_000, target=1.6),
        Contender("parksim, SimPy: a study", whole_study("simpy"), read_study, 40_000),
    ]
    if find_spec("numba") is not None:  # an extra: without it there is no kernel to measure
        from parksim.engines import kernel

        alone = engine_alone(kernel.simulate)
        everybody += [
            Contender("parksim, kernel alone", alone, read_journals, 400_000, target=80.0),
            Contender("parksim, kernel: one long run", one_run("kernel"), read_run, 400_000),
            Contender("parksim, kernel: a study", whole_study("kernel"), read_study, 400_000, target=60.0),
            Contender(
                "parksim, kernel: a study, short", whole_study("kernel", SHORT), read_study, 400_000, target=40.0
            ),
            Contender("parksim, kernel: with controls", whole_study("kernel", controls=True), read_study, 400_000),
        ]
    if find_spec("ciw") is not None:  # no dependency: compared where somebody has it
        from tests.speed import ciw_switchboard

        timed = ciw_switchboard.simulate
        everybody.append(Contender("Ciw", lambda seed, calls: partial(timed, seed, calls), tuple, 20_000))
    return everybody


def idiomatic(*, slots_in_store: bool) -> Callable[[int, int], Callable[[], Any]]:
    """Time the rival: it draws as it goes, so its drawing counts."""

    def prepare(seed: int, calls: int) -> Callable[[], Any]:
        return partial(idiomatic_simpy.simulate, seed, calls, slots_in_store=slots_in_store)

    return prepare


def engine_alone(simulate: Callable[..., Journal]) -> Callable[[int, int], Callable[[], Any]]:
    """Time the loop of an engine with its journal, the workloads drawn before and the measures taken after.

    Many calls are cut into replications of at most 40,000, one straight after the other, as a study runs them.
    """

    def prepare(seed: int, calls: int) -> Callable[[], Any]:
        replications = max(1, calls // 40_000)
        scenario = parksim.Scenario.model_validate(park1.scenario(calls // replications))
        workloads = [parksim.draw(scenario, seed, replication) for replication in range(replications)]
        return lambda: (scenario, [simulate(scenario.settings, workload) for workload in workloads])

    return prepare


def one_run(engine: str) -> Callable[[int, int], Callable[[], Any]]:
    """Time one replication: drawing, simulating, measuring."""

    def prepare(seed: int, calls: int) -> Callable[[], Any]:
        scenario = parksim.Scenario.model_validate(park1.scenario(calls))

        def simulate() -> tuple[Journal, Measures]:
            run = parksim.run(scenario, seed=seed, replication=0, engine=engine)
            return run.journal, run.measures

        return simulate

    return prepare


def whole_study(
    engine: str, calls_each: int = CALLS_A_REPLICATION, *, controls: bool = False
) -> Callable[[int, int], Callable[[], Any]]:
    """Time a study in this process, to the estimates of the six figures.

    It has replications of ``calls_each`` calls (fewer where ``calls`` is less). Estimates are plain, as the
    rivals' are, or corrected by controls.
    """

    def prepare(seed: int, calls: int) -> Callable[[], Any]:
        replications = max(2, calls // calls_each)
        scenario = parksim.Scenario.model_validate(park1.scenario(calls // replications))

        def simulate() -> Study:
            study = parksim.study(scenario, replications=replications, seed=seed, engine=engine, controls=controls)
            read_study(study)
            return study

        return simulate

    return prepare


def read_journals(result: Any) -> tuple[int, Figures]:
    """Return the calls in some journals, and the mean figures."""
    scenario, journals = result
    runs = [read_run((journal, measure(journal, scenario))) for journal in journals]
    means = (sum(column) / len(runs) for column in zip(*(one for _, one in runs), strict=True))
    return sum(calls for calls, _ in runs), Figures(*means)


def read_run(result: Any) -> tuple[int, Figures]:
    """Return the calls in a journal, warm-up included, and the figures of its measures."""
    journal, measures = result
    return int(np.count_nonzero(journal.columns["kind"] == codes.OFFERED)), figures(measures)


def read_study(result: Any) -> tuple[int, Figures]:
    """Return the calls of a study, warm-up included, and its figures."""
    means = {name: result.estimates[name].mean for name in FIGURED}
    warm_up = park1.WARM_UP_S * park1.ARRIVALS_PER_S
    return round((means["calls_offered"] + warm_up) * len(result.results)), figures(means)


def figures(measures: Any) -> Figures:
    """Return the figures, by call offered, of a set of measures."""
    calls, parks = measures["calls_offered"], measures["parks_made"]
    return Figures(
        parks / calls,
        measures["refused_share"] * measures["parks_requested"] / calls,
        measures["retrieved_share"] * parks / calls,
        measures["abandoned_share"] * parks / calls,
        measures["expired_share"] * parks / calls,
        measures["occupancy_mean"],
    )
