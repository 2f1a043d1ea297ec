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
    from parksim.estimate import Estimate
    from parksim.fieldwork import calibrate, replay
    from parksim.journal import Journal, JournalError
    from parksim.measures import Measures
    from parksim.planning import Comparison, Frontier, Solution, Sweep, compare, load, solve, sweep
    from parksim.rerunning import Rerun, rerun
    from parksim.rules.lot import Fact, Lot
    from parksim.scenario import TEMPLATE, Scenario
    from parksim.scenario_errors import ScenarioError
    from parksim.store import Store, StoreError
    from parksim.studies import Run, Study, StudyError, run, study
    from parksim.workload import Workload, draw

_HOMES: Final = {
    # What is simulated.
    "Scenario": "parksim.scenario",
    "ScenarioError": "parksim.scenario_errors",
    "TEMPLATE": "parksim.scenario",
    "Workload": "parksim.workload",
    "draw": "parksim.workload",
    # One replication, and many.
    "Run": "parksim.studies",
    "run": "parksim.studies",
    "Study": "parksim.studies",
    "StudyError": "parksim.studies",
    "study": "parksim.studies",
    # Plans.
    "Sweep": "parksim.planning",
    "sweep": "parksim.planning",
    "Solution": "parksim.planning",
    "Frontier": "parksim.planning",
    "solve": "parksim.planning",
    "Comparison": "parksim.planning",
    "compare": "parksim.planning",
    # What is kept, and made again.
    "Store": "parksim.store",
    "StoreError": "parksim.store",
    "load": "parksim.planning",
    "Rerun": "parksim.rerunning",
    "rerun": "parksim.rerunning",
    # What comes out.
    "Journal": "parksim.journal",
    "JournalError": "parksim.journal",
    "Measures": "parksim.measures",
    "Estimate": "parksim.estimate",
    # A log of a real PBX.
    "replay": "parksim.fieldwork",
    "calibrate": "parksim.fieldwork",
    # A switchboard that runs.
    "live": "parksim.live",
    # The rules alone.
    "Fact": "parksim.rules.lot",
    "Lot": "parksim.rules.lot",
}

__all__ = [
    "TEMPLATE",
    "Comparison",
    "Estimate",
    "Fact",
    "Frontier",
    "Journal",
    "JournalError",
    "Lot",
    "Measures",
    "Rerun",
    "Run",
    "Scenario",
    "ScenarioError",
    "Solution",
    "Store",
    "StoreError",
    "Study",
    "StudyError",
    "Sweep",
    "Workload",
    "calibrate",
    "compare",
    "draw",
    "live",
    "load",
    "replay",
    "rerun",
    "run",
    "solve",
    "study",
    "sweep",
]


def __getattr__(name: str) -> Any:
    """Load a public name, or a module, when it is first used: importing parksim stays quick."""
    home = _HOMES.get(name)
    if home and home.endswith(f".{name}"):
        value = import_module(home)
    else:
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
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
