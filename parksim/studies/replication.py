"""One replication: simulated, measured, and named so that it can be made again.

A replication is a function of (scenario, seed, replication number, engine). ``run`` returns one with its journal;
``replicate`` is the work of a worker: it returns measures, and controls where they are wanted, but no journal.
"""

import math
import platform
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any, Final

import numpy as np

from parksim.catalogue import BY_NAME, VECTORS
from parksim.engines import commanded, processes
from parksim.engines.commanded import Command
from parksim.errors import ArgumentError
from parksim.journal.journal import Journal
from parksim.journal.measures import Measures, counted_in, measure, measure_rows, measures_of
from parksim.journal.tally import Window
from parksim.results import Drawn
from parksim.scenario.arguments import checked_scenario, whole
from parksim.scenario.model import Scenario, Settings
from parksim.scenario.workload import Offered, Workload, draw, offer
from parksim.studies import controls
from parksim.studies.store import Result, code_digest

ENGINES: Final = ("auto", "simpy", "kernel")
KERNEL_PAYS_CALLS: Final = 300_000
"""From this many calls on "auto" takes the kernel: SimPy needs seconds for them, and so does loading the kernel."""
_FREED_BYTES: Final = 24 << 20


@dataclass(frozen=True)
class Run(Drawn):
    """One replication: its journal and its measures."""

    scenario: Scenario
    seed: int
    replication: int
    engine: str
    journal: Journal = field(repr=False)

    @cached_property
    def measures(self) -> Measures:
        """The measures of this replication, computed from the journal on first use."""
        return measure(self.journal, self.scenario)

    def workload(self) -> Workload:
        """Draw the offered calls of this replication again (they are not kept)."""
        return draw(self.scenario, self.seed, self.replication)


def run(
    scenario: Scenario, seed: int = 1, replication: int = 0, engine: str = "simpy", commands: Sequence[Command] = ()
) -> Run:
    """Run one replication of ``scenario``, or replay a session of the live switchboard.

    Args:
        scenario: what is simulated.
        seed: any whole number from 0; equal seeds offer equal calls to every design.
        replication: its number, from 0.
        engine: "simpy", "kernel" (the same journal, compiled; extra ``fast``), or "auto" for the quicker one.
        commands: of a session, ``live.Switchboard.commands``; the same scenario, seed and replication give its rows.

    Raises:
        ArgumentError: an unknown engine, an invalid seed or replication, commands for the kernel or that cannot be
            done.
        WrongTypeError: ``scenario`` is not a Scenario.
    """
    checked_scenario(scenario)
    seed, replication = whole("a seed is", seed), whole("a replication is", replication)
    if commands and checked_engine(engine) == "kernel":
        raise ArgumentError('the kernel takes no commands; choose engine="simpy"')
    engine = "simpy" if commands else chosen_engine(engine, [scenario], 1)
    journal = _simulated(scenario, draw(scenario, seed, replication), engine, commands)
    journal.header.update(
        header(scenario, seed, replication, engine), **({"commands": len(commands)} if commands else {})
    )
    return Run(scenario, seed, replication, engine, journal)


def _simulated(scenario: Scenario, workload: Workload, engine: str, commands: Sequence[Command] = ()) -> Journal:
    """Return the journal of one replication, without header."""
    if commands:
        return commanded.simulate(scenario.settings, workload, commands)
    simulate = processes.simulate
    if engine == "kernel":
        from parksim.engines import kernel  # noqa: PLC0415 - loads Numba, which only this engine needs

        simulate = kernel.simulate
    return simulate(scenario.settings, workload)


def checked_engine(engine: str) -> str:
    """Return ``engine``.

    Raises:
        ArgumentError: there is no such engine; the message names those that exist.
    """
    if engine not in ENGINES:
        raise ArgumentError(f"there is no engine {engine!r}; choose one of: {', '.join(ENGINES)}")
    return engine


def chosen_engine(engine: str, scenarios: Iterable[Scenario], replications: int) -> str:
    """Return the engine that "auto" stands for: the kernel where Numba is installed and the work is large enough.

    The work is that of ``replications`` of each scenario. The choice depends on the scenarios and on what is
    installed, not on the machine's state: equal commands give equal results, which name the engine that ran.

    Raises:
        ArgumentError: there is no such engine; the message names those that exist.
    """
    if checked_engine(engine) != "auto":
        return engine
    return engine_for_calls(sum(one.expected_calls for one in scenarios) * replications)


def engine_for_calls(calls: float) -> str:
    """Return the quicker engine for this many calls."""
    return "kernel" if calls >= KERNEL_PAYS_CALLS and has_compiler() else "simpy"


def has_compiler() -> bool:
    """Return whether Numba is installed: without it the kernel is slower than SimPy."""
    return find_spec("numba") is not None


def versions(engine: str = "simpy") -> dict[str, str]:
    """Return the versions on which the bytes of a result depend."""
    packages = ("numpy", "simpy", "numba") if engine == "kernel" and has_compiler() else ("numpy", "simpy")
    return {"parksim": _version("parksim"), "python": platform.python_version()} | {p: _version(p) for p in packages}


@cache
def _version(package: str) -> str:
    """Return the version of an installed package; finding it takes a while."""
    return version(package)


@cache
def made_by(engine: str) -> str:
    """Return what a replication's measures depend on beside its key: the code's digest, and versions."""
    return f"code {code_digest()[:16]}, " + ", ".join(f"{name} {one}" for name, one in versions(engine).items())


def header(scenario: Scenario, seed: int, replication: int, engine: str) -> dict[str, Any]:
    """Return the header of a journal: all it takes to make the same one again."""
    return {
        "name": scenario.name,
        "digest": scenario.digest,
        "scenario": scenario.canonical,
        "settings": scenario.settings.stated(),
        "seed": seed,
        "replication": replication,
        "engine": engine,
        "versions": versions(engine),
    }


def replicate(
    scenario: Scenario, seed: int, replications: Iterable[int], engine: str, with_controls: bool = False
) -> list[Result]:
    """Run some replications and return what is kept of each as plain values: the work of a worker.

    Args:
        scenario: what is simulated.
        seed: of all replications.
        replications: their numbers.
        engine: one of ``ENGINES``.
        with_controls: whether each has its controls beside its measures, under ``controls.NAME``.
    """
    engine = chosen_engine(engine, [scenario], 1)
    _keep_memory_at_hand()
    counted = counted_in(scenario)
    results = []
    for replication in replications:
        if engine == "kernel" and not with_controls:
            measures = dict(_counted(offer(scenario, seed, replication), *counted))
        else:
            workload = draw(scenario, seed, replication)
            journal, found = _measured(scenario, workload, engine, *counted)
            measures = dict(found)
            if with_controls:
                measures[controls.NAME] = controls.of_replication(journal, scenario, workload)
        results.append({name: _plain(value) for name, value in measures.items()})
    return results


def _counted(offered: Offered, settings: Settings, window: Window, target_us: int) -> Measures:
    """Return the measures of a replication by the kernel, which counts facts as they happen and keeps no journal."""
    from parksim.engines import kernel  # noqa: PLC0415 - loads Numba, which only this engine needs

    return measures_of(kernel.tally_of(settings, offered, window, target_us), settings, window)


def _measured(
    scenario: Scenario, workload: Workload, engine: str, settings: Settings, window: Window, target_us: int
) -> tuple[Journal, Measures]:
    """Return the journal of a replication and its measures."""
    if engine != "kernel":
        journal = _simulated(scenario, workload, engine)
        return journal, measure_rows(journal, settings, window, target_us)
    from parksim.engines import kernel  # noqa: PLC0415 - loads Numba, which only this engine needs

    journal, tally = kernel.simulate_and_count(settings, workload, window, target_us)
    return journal, measures_of(tally, settings, window)


def as_asked(stored: Result, scenario: Scenario, with_controls: bool) -> Result | None:
    """Return a stored replication with its controls, or without; None where it must be run again."""
    if not fits(stored, scenario):
        return None
    if not with_controls:
        return controls.without(stored)
    return stored if controls.NAME in stored else None


def fits(result: Result, scenario: Scenario) -> bool:
    """Say whether stored measures can be those of a replication of ``scenario``: all of them, each within its bounds.

    A number is undefined (nan) only where there may be nothing to divide by. Controls may be there, all of them.
    """
    sums = result.get(controls.NAME)
    if sums is not None:
        if (
            not isinstance(sums, array)
            or len(sums) != len(controls.SUMS)
            or not all(abs(one) <= _GREATEST for one in sums)
        ):
            return False
        result = controls.without(result)
    slots = scenario.settings.slots
    lengths = {"hour": 24, "lot": len(slots), "occupancy_pmf": sum(slots) + 1, "slot_utilisation": sum(slots)}
    if result.keys() != BY_NAME.keys():
        return False
    for name, value in result.items():
        if isinstance(value, float) == (name in VECTORS):
            return False
        values = (value,) if isinstance(value, float) else value
        if len(values) != lengths.get(name.partition("_by_")[2] or name, 1):
            return False
        most = min(BY_NAME[name].greatest(sum(slots)) + _ROUNDING, _GREATEST)
        wholes = result.get(_NEEDS.get(name, name), math.nan)
        for number, of in zip(values, (wholes,) if isinstance(wholes, float) else wholes, strict=False):
            if not -_ROUNDING <= number <= most and not (math.isnan(number) and name not in _DEFINED and not of > 0):
                return False
    return True


_ROUNDING: Final = 1e-6
_GREATEST: Final = 1e15
_NEEDS: Final = {
    "queue_abandoned_share": "calls_offered",
    "queue_full_share": "calls_offered",
    "expired_share": "parks_made",
    "refused_share": "parks_requested",
    "refused_share_by_hour": "parks_requested_by_hour",
    "refused_share_by_lot": "parks_requested_by_lot",
}
"""Shares that are undefined only where the number that they are of is 0."""
_DEFINED: Final = frozenset(
    ["calls_offered", "calls_offered_by_hour", "parks_made", "recalls_per_hour", "slot_utilisation", "time_full_share"]
    + [f"parks_requested{part}" for part in ("", "_by_hour", "_by_lot")]
    + [f"occupancy_{part}" for part in ("max", "mean", "mean_by_lot", "p95", "pmf")]
)
"""Measures that every replication has."""


def _keep_memory_at_hand() -> None:
    """Let the next replication find the memory of the last one, instead of page after page anew from the system.

    The GNU C library keeps what is freed as long as it is no more than twice the largest block that was ever freed
    (and mapped by itself, up to 32 MB); so one such block, of which no page is touched, is taken and given back.
    Where memory is managed otherwise this does nothing.
    """
    np.empty(_FREED_BYTES, np.uint8)


def _plain(value: Any) -> Any:
    return array("d", value.tolist()) if isinstance(value, np.ndarray) else float(value)
