"""parksim simulates call parking: how many slots, which maxInParking, how many attendants.

>>> import parksim
>>> scenario = parksim.Scenario.loads(parksim.TEMPLATE).with_values({"run.horizon": "2h"})
>>> run = parksim.run(scenario, seed=1)
>>> round(run.measures["refused_share"] + run.measures["parks_made"] / run.measures["parks_requested"], 12)
1.0
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from parksim import live
    from parksim.errors import JournalError, ParksimError, ScenarioError, StoreError, StudyError
    from parksim.journal.journal import Journal
    from parksim.journal.measures import Measures
    from parksim.pbx.replay import calibrate, replay
    from parksim.rules.lot import Fact, Lot
    from parksim.scenario.model import TEMPLATE, Scenario
    from parksim.scenario.workload import Workload, draw
    from parksim.stats.estimate import Estimate
    from parksim.studies.advise import Advice, advise
    from parksim.studies.compare import Comparison, compare
    from parksim.studies.loaded import load
    from parksim.studies.quick import Quick, quick
    from parksim.studies.rare import Rare, rare
    from parksim.studies.replication import Run, run
    from parksim.studies.rerun import Rerun, rerun
    from parksim.studies.sensitivity import Sensitivity, sensitivity
    from parksim.studies.solve import Frontier, Solution, solve
    from parksim.studies.store import Store
    from parksim.studies.study import Study, study
    from parksim.studies.sweep import Sweep, sweep

_NAMES: Final = {
    "parksim.errors": ("JournalError", "ParksimError", "ScenarioError", "StoreError", "StudyError"),
    "parksim.journal.journal": ("Journal",),
    "parksim.journal.measures": ("Measures",),
    "parksim.pbx.replay": ("calibrate", "replay"),
    "parksim.rules.lot": ("Fact", "Lot"),
    "parksim.scenario.model": ("TEMPLATE", "Scenario"),
    "parksim.scenario.workload": ("Workload", "draw"),
    "parksim.stats.estimate": ("Estimate",),
    "parksim.studies.advise": ("Advice", "advise"),
    "parksim.studies.compare": ("Comparison", "compare"),
    "parksim.studies.quick": ("Quick", "quick"),
    "parksim.studies.rare": ("Rare", "rare"),
    "parksim.studies.replication": ("Run", "run"),
    "parksim.studies.loaded": ("load",),
    "parksim.studies.rerun": ("Rerun", "rerun"),
    "parksim.studies.sensitivity": ("Sensitivity", "sensitivity"),
    "parksim.studies.solve": ("Frontier", "Solution", "solve"),
    "parksim.studies.store": ("Store",),
    "parksim.studies.study": ("Study", "study"),
    "parksim.studies.sweep": ("Sweep", "sweep"),
}
_HOMES: Final = {name: home for home, names in _NAMES.items() for name in names}

__all__ = [
    "TEMPLATE",
    "Advice",
    "Comparison",
    "Estimate",
    "Fact",
    "Frontier",
    "Journal",
    "JournalError",
    "Lot",
    "Measures",
    "ParksimError",
    "Quick",
    "Rare",
    "Rerun",
    "Run",
    "Scenario",
    "ScenarioError",
    "Sensitivity",
    "Solution",
    "Store",
    "StoreError",
    "Study",
    "StudyError",
    "Sweep",
    "Workload",
    "advise",
    "calibrate",
    "compare",
    "draw",
    "live",
    "load",
    "quick",
    "rare",
    "replay",
    "rerun",
    "run",
    "sensitivity",
    "solve",
    "study",
    "sweep",
]


def __getattr__(name: str) -> Any:
    """Load a public name, or a module, when it is first used: importing parksim stays quick."""
    home = _HOMES.get(name)
    value = getattr(import_module(home), name) if home else _module(name)
    globals()[name] = value
    return value


def _module(name: str) -> Any:
    qualified = f"{__name__}.{name}"
    try:
        if not name.startswith("_"):
            return import_module(qualified)
    except ModuleNotFoundError as error:
        if error.name != qualified:
            raise
    from parksim.errors import MissingNameError  # noqa: PLC0415 - only a wrong name needs it

    raise MissingNameError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
