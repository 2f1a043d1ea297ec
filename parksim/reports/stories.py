"""Which result has which story. A plan of another type gets a report by one more line of ``STORIES``."""

from collections.abc import Callable
from typing import Any, Final

from parksim.pbx.check_of_fit import Checked
from parksim.pbx.replay import Replay
from parksim.reports.story import Story, of_study, of_sweep
from parksim.reports.story_advice import of_advice
from parksim.reports.story_logs import of_calibration, of_replay
from parksim.reports.story_plans import of_comparison, of_frontier, of_sensitivity, of_solution
from parksim.studies.advise import Advice
from parksim.studies.compare import Comparison
from parksim.studies.sensitivity import Sensitivity
from parksim.studies.solve import Frontier, Solution
from parksim.studies.study import Study
from parksim.studies.sweep import Sweep

STORIES: Final[dict[type, Callable[[Any, str], Story]]] = {
    Study: of_study,
    Sweep: of_sweep,
    Solution: of_solution,
    Frontier: of_frontier,
    Comparison: of_comparison,
    Sensitivity: of_sensitivity,
    Advice: of_advice,
    Replay: of_replay,
    Checked: of_calibration,
}
"""By the type of a result: its story, of the result and of the name of its store ("" when it has none)."""


def story_of(result: object, source: str = "") -> Story:
    """Return what a report of a result says.

    Args:
        result: of a type of ``STORIES``.
        source: the name of its store, for the command that makes it again; empty when it has none.
    """
    return STORIES[type(result)](result, source)
