"""Does the calibrated scenario write logs like the one it came from? Each measure of the log beside simulated ones.

``LOGS`` logs of the log's own length are simulated. A measure of a log that the scenario wrote is the smallest or the
greatest of them all once in twenty times: so it lies within the simulated ones with 95 % (Barnard 1963, Journal of the
Royal Statistical Society B 25, 294; Ripley 1977, ibid. 39, 172-212). What lies outside is named: there the log has
something that the model has not.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from parksim.engines import processes
from parksim.journal.measures import measure_rows
from parksim.journal.tally import Window
from parksim.pbx.fitting import Calibration, number
from parksim.pbx.log import FieldLog
from parksim.pbx.log_measures import SERVICE_TARGET_US, LogMeasure
from parksim.pbx.replay import Replay
from parksim.scenario.quantities import DAY_US
from parksim.scenario.workload import draw

LOGS: Final = 39
"""Simulated logs: with the log itself 40, of which it is the least or the greatest with 5 %."""
MOST_CALLS: Final = 400_000
"""Calls of all simulated logs; longer ones are cut to this, and the log's measures are of its whole length."""
LOOKED_AT: Final = (
    "refused_share",
    "time_full_share",
    "occupancy_mean",
    "retrieved_share",
    "expired_share",
    "abandoned_share",
    "parked_s_mean",
    "parked_s_p50",
    "queue_abandoned_share",
    "answer_wait_s_mean",
)
SEED: Final = 1


class Band(NamedTuple):
    """A measure of a log, with the least and the greatest of simulated logs."""

    value: float
    low: float
    high: float

    @property
    def holds(self) -> bool:
        """Whether the log's measure lies within."""
        return self.low <= self.value <= self.high


@dataclass(frozen=True)
class Checked:
    """A log, the scenario that was found in it, and the log's measures beside those of simulated logs."""

    met: Replay
    found: Calibration
    bands: Mapping[str, Band]

    @property
    def outside(self) -> list[str]:
        """The measures that the scenario does not write."""
        return [name for name, band in self.bands.items() if not band.holds]


def bands(made: Calibration, log: FieldLog, measures: Mapping[str, LogMeasure]) -> dict[str, Band]:
    """Return each measure that the log has, with the band of simulated logs; {} where the log has several lots.

    Args:
        made: the calibration of ``log``.
        log: whose length is simulated, from its own time of the day where the rate changes by the hour.
        measures: of the log.
    """
    if len(log.lots) > 1:
        return {}
    begin_us = log.first_us % DAY_US if "arrivals.rate" not in made.draws else 0
    length_us = min(log.last_us - log.first_us, int(_longest_us(made)))
    end_us = begin_us + max(length_us, 1)
    scenario = made.scenario.with_values({"run.horizon": end_us / 1e6})
    window = Window(begin_us, end_us)
    simulated = []
    for replication in range(LOGS):
        journal = processes.simulate(scenario.settings, draw(scenario, SEED, replication))
        simulated.append(measure_rows(journal, scenario.settings, window, SERVICE_TARGET_US))
    found = {}
    for name in LOOKED_AT:
        value = measures[name].value
        values = [float(one[name]) for one in simulated if not math.isnan(float(one[name]))]
        if value is not None and values:
            found[name] = Band(value, min(values), max(values))
    return found


def _longest_us(made: Calibration) -> float:
    scenario = made.scenario
    return MOST_CALLS / LOGS / max(scenario.expected_calls / scenario.horizon_us, 1e-15)


def in_words(found: Mapping[str, Band]) -> str:
    """Return what the check comes to, in a sentence or two."""
    outside = {name: band for name, band in found.items() if not band.holds}
    told = f"{len(found) - len(outside)} of {len(found)} measures of the log lie within those of {LOGS} simulated logs"
    if not outside:
        return f"{told}."
    each = "; ".join(
        f"{name} {number(band.value)}, simulated {number(band.low)} to {number(band.high)}"
        for name, band in outside.items()
    )
    return f"{told}. Outside: {each}. There the log has something that the model has not."
