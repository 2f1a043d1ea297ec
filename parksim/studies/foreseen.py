"""What a run with other seeds would say of a scenario's objectives, foreseen from some replications.

The source is the prediction interval for the mean of further replications (Hahn and Meeker, Statistical Intervals,
1991, section 4.7). With e the distance of the estimate from the target, w its half-width and v that of the further
ones, their run meets the target where e > v + hypot(w, v), and does not where e < v - hypot(w, v).
"""

import math

from parksim.stats.estimate import Verdict
from parksim.studies.study import ObjectiveVerdict, Study


def foreseen(study: Study, replications: int) -> tuple[ObjectiveVerdict, ...]:
    """Return what a run of this many other replications would say of each objective: met, not met, or hard to say."""
    return tuple(ObjectiveVerdict(one.objective, _foreseen(study, one, replications)) for one in study.objectives)


def _foreseen(study: Study, one: ObjectiveVerdict, replications: int) -> Verdict:
    estimate = study.estimate(one.objective.measure)
    if estimate.mean is None or estimate.half_width is None:
        return "undecided"
    here = estimate.half_width
    there = here * math.sqrt(len(study.results) / replications)
    apart = (one.objective.value - estimate.mean) * (1.0 if one.objective.relation in {"<", "<="} else -1.0)
    if apart - there > math.hypot(here, there):
        return "met"
    return "missed" if apart - there < -math.hypot(here, there) else "undecided"
