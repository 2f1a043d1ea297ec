"""``python -m tests.statistics.calibration``: does a calibration find the scenario that wrote the log?

For each seed parksim writes three days' journal of ``KNOWN`` to a file, ``parksim calibrate`` reads that file as it
would a PBX's log, and each parameter of the scenario is looked for in its stated 95 % interval. A law of another kind
than the true one counts as missed in all its parameters. Of 100 intervals of level 95 % at least 87 hold the truth in
all but one case of 2,159 (binomial); of 15 such parameters (the sixteenth, the time-out, is told by every park) all
do in all but one run of the command in 144, by the union bound.
"""

import hashlib
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Final

import scipy.stats

import parksim
from parksim.pbx import calibrate as calibrating
from parksim.pbx import calls as stories
from parksim.pbx import conformance as replaying
from parksim.pbx import durations as observed
from parksim.pbx import fitting as drafting
from parksim.pbx import log as fieldlogs
from parksim.pbx.formats import order as logforms
from parksim.stats import survival
from parksim.studies.replication import run
from tests.statistics.macro_runs import Outcome, options, outcomes

RUNS: Final = 100
LEAST: Final = 87
"""Of 100 runs so many intervals hold the truth, for every parameter."""
KNOWN: Final = """
name = "Known"
[run]
horizon = "3d"
[arrivals]
kind = "poisson"
rate = "150/h"
[queue]
patience = { kind = "exponential", mean = "60s" }
[attendants]
count = 3
handling = { kind = "lognormal", median = "30s", sigma = 0.5 }
talk = { kind = "exponential", mean = "40s" }
[parking]
probability = 0.7
max_parks = 2
[lot]
slots = 6
max_in_parking = "120s"
patience = { kind = "exponential", mean = "240s" }
[retrieval]
delay = { kind = "lognormal", median = "45s", sigma = 0.7 }
never = 0.15
talk = { kind = "weibull", mean = "90s", shape = 1.7 }
[recall]
ring = "30s"
answer = { kind = "exponential", mean = "8s" }
never = 0.2
patience = { kind = "exponential", mean = "45s" }
"""
TRUE: Final = {
    "arrivals.rate": 150 / 3600,
    "queue.patience.mean": 60.0,
    "attendants.handling.median": 30.0,
    "attendants.handling.sigma": 0.5,
    "attendants.talk.mean": 40.0,
    "parking.probability": 0.7,
    "lot.max_in_parking": 120.0,
    "lot.patience.mean": 240.0,
    "retrieval.delay.median": 45.0,
    "retrieval.delay.sigma": 0.7,
    "retrieval.never": 0.15,
    "retrieval.talk.mean": 90.0,
    "retrieval.talk.shape": 1.7,
    "recall.answer.mean": 8.0,
    "recall.never": 0.2,
    "recall.patience.mean": 45.0,
}
"""The parameters of ``KNOWN`` that a log tells of: seconds, per second, shares."""
LAWS: Final = {
    "queue.patience": "exponential",
    "attendants.handling": "lognormal",
    "lot.patience": "exponential",
    "retrieval.delay": "lognormal",
    "retrieval.talk": "weibull",
    "recall.answer": "exponential",
    "recall.patience": "exponential",
}
_SOURCES: Final = (calibrating, drafting, fieldlogs, logforms, observed, replaying, stories, survival)


def calibrated(seed: int, text: str = KNOWN, horizon: str = "3d") -> calibrating.Calibration:
    """Return the calibration of the journal that a scenario wrote, read from a file as any log is."""
    scenario = parksim.Scenario.loads(text).with_values({"run.horizon": horizon})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "known.jsonl"
        run(scenario, seed).journal.save(path)
        log = fieldlogs.read_log(path)
        return calibrating.calibrate(log, replaying.compare(log))


def source_digest(*more: ModuleType) -> str:
    """Return a digest of the code that calibrates, and of further modules."""
    sources = (Path(str(module.__file__)).read_bytes() for module in (*_SOURCES, *more))
    return hashlib.sha256(b"".join(sources)).hexdigest()[:16]


def found(seed: int) -> Outcome:
    """Return for each parameter whether its interval holds the truth, and the law chosen for each clock."""
    result = calibrated(seed)
    parksim.Scenario.loads(result.toml)
    holds = {}
    for name, true in TRUE.items():
        law = LAWS.get(name.rpartition(".")[0])
        right = law is None or result.laws.get(name.rpartition(".")[0]) == law
        holds[name] = bool(right and name in result.figures and result.figures[name].holds(true))
    return {"holds": holds, "laws": result.laws}


def main() -> int:
    """Print how often each interval held the truth; return 1 when one did so too seldom, else 0."""
    asked = options(__doc__ or "", RUNS).parse_args()
    what = {"scenario": parksim.Scenario.loads(KNOWN).digest, "calibration": source_digest()}
    runs = list(outcomes(found, range(1, asked.runs + 1), what, asked.keep, asked.workers).values())
    least = LEAST if len(runs) == RUNS else int(scipy.stats.binom(len(runs), 0.95).ppf(0.0006))
    missed = 0
    for name in TRUE:
        held = sum(one["holds"][name] for one in runs)
        missed += held < least
        print(f"{name:<28} {held:>4} of {len(runs)} intervals hold {TRUE[name]:g}")
    for name, law in LAWS.items():
        chosen = sum(one["laws"].get(name) == law for one in runs)
        print(f"{name:<28} {chosen:>4} of {len(runs)} times {law}, as it is")
    print(f"at least {least} of {len(runs)} for every parameter: {'MISSED' if missed else 'met'}")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
