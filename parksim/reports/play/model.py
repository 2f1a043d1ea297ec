"""What the page that plays carries of a study: the scenario in numbers, what can be moved, and what is shown.

No drawn call is carried, but those that were recorded: the page draws again from the seed (``draw.js``).
"""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np

from parksim.catalogue import BY_NAME, SCALARS
from parksim.journal.measures import PARTS
from parksim.reports.play import controls, ziggurat
from parksim.reports.words import label_of, unit_of
from parksim.rules import codes
from parksim.scenario import laws
from parksim.scenario.comments import needs_files, to_toml
from parksim.scenario.lots import NamedLot
from parksim.scenario.model import Scenario
from parksim.scenario.sections import Hourly, Poisson, Recorded, busy_cv
from parksim.scenario.workload import offer
from parksim.stats.estimate import tail_of
from parksim.studies import controls as sums
from parksim.studies.estimates import BURSTS, EVENTS_TO_CONTROL
from parksim.studies.ideal import LATE_S, day_factors
from parksim.studies.study import Study


def model_of(study: Study) -> dict[str, Any]:
    """Return the model of a study as plain values, for JSON.

    Raises:
        UnfitError: a file of the scenario is not at hand.
    """
    scenario = study.scenario
    end_us = scenario.horizon_us + scenario.cool_down_us
    tables: list[list[float]] = []
    movable, delay = controls.controls_of(scenario), scenario.retrieval.delay
    return {
        "name": scenario.name,
        "seed": _words(study.seed),
        "replications": len(study.results),
        "level": study.level,
        "warm_up_us": scenario.warm_up_us,
        "horizon_us": scenario.horizon_us,
        "end_us": end_us,
        "late_s": LATE_S,
        "target_us": round(scenario.queue.target * 1e6),
        "settings": {**scenario.settings._asdict(), "slots": list(scenario.settings.slots)},
        "lots": list(scenario.lot_names),
        "first_labels": [lot.first for lot in scenario.lots],
        "laws": _laws(scenario, tables),
        "arrivals": _arrivals(scenario),
        "lot_weights": [lot.weight if isinstance(lot, NamedLot) else 1.0 for lot in scenario.lots],
        "tables": tables,
        "recorded": _recorded(study),
        "layers": _layers(),
        "measures": {name: _measure(name) for name in SCALARS},
        "objectives": [
            {"measure": one.measure, "relation": one.relation, "value": one.value, "text": one.text}
            for one in scenario.objectives
        ],
        "with_controls": study.has_controls,
        "z": NormalDist().inv_cdf(1.0 - tail_of(study.level)),
        "bursts": BURSTS,
        "sums": list(sums.SUMS),
        "sums_of": {name: list(one) for name, one in sums.CONTROLS.items()},
        "negligible": sums.NEGLIGIBLE,
        "events_to_control": EVENTS_TO_CONTROL,
        "day_factors": [list(one) for one in day_factors(scenario)],
        "shares_of": PARTS,
        "kinds": len(codes.KIND_NAMES),
        "reasons": len(codes.REASON_NAMES),
        "certain": _certain(study),
        "unknown": scenario.has_unknown,
        "controls": [one._asdict() for one in movable],
        "delay": None if delay is None else delay.model_dump(mode="json", exclude_none=True),
        "toml": _toml(scenario, movable),
        "seed_text": str(study.seed),
    }


def _toml(scenario: Scenario, movable: Sequence[controls.Control]) -> dict[str, Any]:
    """Return the scenario's file, and of each control the line of its key, or after which line a key has to stand."""
    objectives = {one.measure: one.text for one in scenario.objectives}
    lines = to_toml(scenario.canonical, objectives, scenario.notes).split("\n")
    places = []
    for control in movable:
        section, *_, key = control.key.split(".")
        heads = [number for number, line in enumerate(lines) if line in (f"[{section}]", f"[[{section}]]")]
        head = heads[control.lot if section == "lot" else 0]
        end = next((number for number in range(head + 1, len(lines)) if lines[number].startswith("[")), len(lines))
        at = next((number for number in range(head + 1, end) if lines[number].startswith(f"{key} = ")), None)
        places.append({"at": at, "after": head})
    return {"lines": lines, "places": places, "needs_files": needs_files(scenario.canonical)}


def _words(seed: int) -> list[int]:
    """Return a whole number as words of 32 bits, the lowest first."""
    return [seed >> shift & 0xFFFFFFFF for shift in range(0, max(seed.bit_length(), 1), 32)]


def _measure(name: str) -> dict[str, Any]:
    one = BY_NAME[name]
    return {
        "words": label_of(name),
        "unit": unit_of(name),
        "of": one.of,
        "per": one.per,
        "quantity": one.quantity,
        "is_count": one.is_count,
        "better": one.better,
    }


def _certain(study: Study) -> dict[str, float]:
    """Return the measures in which there is no chance, as theory says of the report's design."""
    found = {}
    for name in SCALARS:
        values = {result[name] for result in study.results}
        if len(values) != 1:
            continue
        if study.estimate(name).method == "certain":
            found[name] = float(values.pop())
    return found


def _layers() -> dict[str, Any]:
    return {
        name: {"width": of.width, "sure": of.sure, "height": of.height, "r": r}
        for name, of, r in (
            ("exponential", ziggurat.exponential(), 7.69711747013104972),
            ("normal", ziggurat.normal(), 3.6541528853610088),
        )
    }


def _arrivals(scenario: Scenario) -> dict[str, Any]:
    source = scenario.arrivals
    if isinstance(source, Recorded):
        return {"recorded": True}
    rates: dict[str, Any] = {"busy_cv": busy_cv(source)}
    if isinstance(source, Hourly):
        return rates | {"calls_per_hour": list(source.calls_per_hour)}
    assert isinstance(source, Poisson)
    return rates | {"rate": source.rate}


def _recorded(study: Study) -> list[list[int]]:
    """Return the recorded calls of each replication; none of other arrivals."""
    if not isinstance(study.scenario.arrivals, Recorded):
        return []
    numbers = range(len(study.results))
    drawn = [offer(study.scenario, study.seed, number).arrival_us.tolist() for number in numbers]
    if all(one == drawn[0] for one in drawn):
        return drawn[:1]
    return drawn


def _laws(scenario: Scenario, tables: list[list[float]]) -> dict[str, Any]:
    """Return every law and share of a call's life; of some there is one for each lot."""
    attendants, parking, retrieval, recall = (
        scenario.attendants,
        scenario.parking,
        scenario.retrieval,
        scenario.recall,
    )

    def law(one: Any) -> Any:
        return law_of(one, tables)

    chosen = parking.slot == "chosen" or any(lot.choice == "random" for lot in scenario.lots)
    return {
        "queue_patience": law(scenario.queue_patience),
        "handling": law(attendants.handling),
        "talk": law(attendants.talk),
        "wish": parking.probability if isinstance(parking.probability, float) else list(parking.probability),
        "max_in_parking": [law(lot.max_in_parking) for lot in scenario.lots],
        "patience": [law(scenario.stay_patience(lot)) for lot in scenario.lots],
        "retrieval": law(retrieval.delay),
        "retrieval_factors": None if retrieval.delay_factor is None else list(retrieval.delay_factor),
        "never_retrieved": retrieval.never,
        "staff_talk": law(retrieval.talk),
        "answer": law(recall.answer),
        "never_answered": recall.never,
        "recall_patience": law(scenario.recall_patience),
        "slot_u": chosen,
    }


def law_of(law: laws.LawBase | None, tables: list[list[float]]) -> dict[str, Any] | None:
    """Return a law as ``draw.js`` reads it; times are seconds, and only they change where a law is made slower."""
    if law is None:
        return None
    if isinstance(law, laws.Constant):
        return {"kind": "constant", "value": law.value}
    if isinstance(law, laws.Lognormal):
        if law.median is not None:
            return {"kind": "lognormal", "median": law.median, "sd": law.log_sd}
        assert law.cv is not None
        return {"kind": "lognormal", "mean": law.mean_s, "root": math.hypot(1.0, law.cv), "sd": law.log_sd}
    if isinstance(law, laws.Hyperexponential):
        edges = np.cumsum(law.weights)[:-1].tolist()
        return {"kind": law.kind, "weights": list(law.weights), "edges": edges, "means": list(law.means)}
    if isinstance(law, laws.GammaShaped):
        return {"kind": "gamma", "mean": law.mean, "shape": law.shape_number}
    if isinstance(law, laws.Weibull):
        if law.scale is not None:
            return {"kind": law.kind, "shape": law.shape, "scale": law.scale}
        return {"kind": law.kind, "shape": law.shape, "mean": law.mean_s, "gamma": math.gamma(1.0 + 1.0 / law.shape)}
    if isinstance(law, laws.Uniform):
        return {"kind": law.kind, "low": law.low, "high": law.high}
    if isinstance(law, laws.Empirical):
        values = law.sorted_s.tolist()
        if law.values is not None:
            return {"kind": law.kind, "values": values}
        if values not in tables:
            tables.append(values)
        return {"kind": law.kind, "table": tables.index(values)}
    assert isinstance(law, laws.Exponential)
    return {"kind": law.kind, "mean": law.mean}
