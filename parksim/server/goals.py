"""How the day goes: shares since midnight beside the scenario's objectives, and one sentence that sums them up.

A share is of what is decided by now: of parks whose stay has ended, and of callers who were answered, have gone, or
have waited for longer than the target. So it looks neither better nor worse for calls that are still in the lot or the
queue, and at the end of a day it is the measure of that day (``journal.measures``).
"""

import operator
from collections.abc import Sequence
from typing import Any, Final

from parksim.catalogue import BY_NAME
from parksim.journal.measures import PARTS
from parksim.rules import codes as c
from parksim.scenario.model import Scenario
from parksim.scenario.objectives import Objective
from parksim.server.day import Counts, Day

ALWAYS: Final = (
    *("refused_share", "expired_share", "answered_within_share", "abandoned_share", "queue_abandoned_share"),
    "lost_share",
)
"""Shares that a board shows without an objective as well."""
COUNTED: Final = {
    "calls": c.OFFERED,
    "parked": c.PARKED,
    "refused": c.REFUSED,
    "fetched": c.RETRIEVED,
    "returned": c.EXPIRED,
    "lost": c.LOST,
    "ended": c.ENDED,
}
"""What is counted since midnight, under the board's words."""
GAVE_UP: Final = {"queue": (c.WAITING,), "lot": (c.IN_LOT,), "return": (c.RETURNING, c.RINGING)}
"""Where callers hang up before their call has come to its end."""
MEASURED: Final = frozenset(
    (*PARTS, "answered_within_share", "answer_wait_s_mean", "calls_offered", "parks_requested", "parks_made")
)
"""What the board measures."""
FEW: Final = 20
"""Of fewer calls one alone moves a share by more than five points: too early for a verdict."""
_RELATIONS: Final = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_DIGITS: Final = (3, 4, 5, 6, 9)


def told(day: Day, scenario: Scenario, now_us: int) -> dict[str, Any]:
    """Return what the board tells of the day beside the picture, ready for JSON."""
    counts = day.counts(now_us)
    rows = shares(day, scenario, now_us)
    return {
        "day": {name: counts.of(kind) for name, kind in COUNTED.items()}
        | {"gave_up": {name: counts.of(c.ABANDONED, *reasons) for name, reasons in GAVE_UP.items()}},
        "shares": rows,
        "headline": headline(rows, counts.of(c.OFFERED)),
        "trend": day.trend.columns(now_us),
        "refusals": [*day.refusals],
        "timeouts": [*day.returns],
    }


def shares(day: Day, scenario: Scenario, now_us: int) -> list[dict[str, Any]]:
    """Return the rows of the board, ready for JSON: those with an objective first.

    Each has ``measure``, ``measured`` (by the board), ``words``, ``shown`` (None where there is nothing to divide by,
    or it is not measured), ``part`` and ``whole`` of a share, ``wanted`` and ``met`` (None without an objective or a
    value).
    """
    aims = {objective.measure: objective for objective in scenario.objectives}
    return [
        _row(name, *_value(name, day.counts(now_us), day.undecided(now_us)), aims.get(name))
        for name in (*aims, *(name for name in ALWAYS if name not in aims))
    ]


def _value(name: str, counts: Counts, undecided: int) -> tuple[float | None, int | None, int | None]:
    """Return a measure since midnight, and of a share its part and its whole."""
    requests = counts.of(c.PARKED) + counts.of(c.REFUSED, c.LOT_FULL, c.SLOT_TAKEN)
    wholes = {
        "calls_offered": counts.of(c.OFFERED),
        "parks_requested": requests,
        "parks_made": counts.of(c.EXPIRED) + counts.of(c.ABANDONED, c.IN_LOT) + _fetched(counts),
        "returns": counts.of(c.EXPIRED),
    }
    if name in PARTS:
        of, *what = PARTS[name]
        return _share(counts.of(*what), wholes[of])
    if name == "answered_within_share":
        return _share(counts.in_time, counts.simulated - undecided)
    if name == "answer_wait_s_mean":
        return (counts.waits_us / counts.answered / 1e6 if counts.answered else None), None, None
    plain = {"calls_offered": wholes["calls_offered"], "parks_requested": requests, "parks_made": counts.of(c.PARKED)}
    return plain.get(name), None, None


def _fetched(counts: Counts) -> int:
    """Return how many calls were fetched out of a slot; one that is fetched while it rings has left its slot."""
    return counts.of(c.RETRIEVED) - counts.of(c.RETRIEVED, c.RINGING)


def _share(part: int, whole: int) -> tuple[float | None, int, int]:
    return (part / whole if whole else None), part, whole


def _row(name: str, value: float | None, part: int | None, whole: int | None, aim: Objective | None) -> dict[str, Any]:
    met = None if aim is None or value is None else _RELATIONS[aim.relation](value, aim.value)
    return {
        "measure": name,
        "words": BY_NAME[name].words,
        "shown": None if value is None else _shown(name, value, aim, met),
        "part": part,
        "whole": whole,
        "measured": name in MEASURED,
        "wanted": None if aim is None else aim.text,
        "met": met,
    }


def _shown(name: str, value: float, aim: Objective | None, met: bool | None) -> str:
    """Return a value as people read it, with as many digits as show on which side of its objective it lies."""
    scale, unit = (100.0, " %") if BY_NAME[name].of else (1.0, " s" if BY_NAME[name].quantity == "s" else "")
    texts = [f"{value * scale:.{digits}g}" for digits in _DIGITS]
    if aim is None:
        return texts[0] + unit
    tells = (text for text in texts if _RELATIONS[aim.relation](float(text), round(aim.value * scale, 9)) == met)
    return next(tells, texts[-1]) + unit


def headline(rows: Sequence[dict[str, Any]], calls: int) -> dict[str, Any]:
    """Return in one sentence whether the day goes well, and which of "good", "bad" and "open" it is.

    An objective counts for it once its share is of ``FEW`` or more. One that the board does not measure never does.

    Args:
        rows: as ``shares`` gives them.
        calls: how many calls were offered since midnight.

    >>> row = {"words": "refused parks", "shown": "2 %", "whole": 50, "wanted": "< 1 %", "met": False, "measured": True}
    >>> headline([row], 80)["text"]
    'The day goes badly: the objective is missed (refused parks: 2 %, wanted < 1 %).'
    """
    aims = [row for row in rows if row["wanted"] is not None]
    measured = [row for row in aims if row["measured"]]
    known = [row for row in measured if row["met"] is not None and (row["whole"] is None or row["whole"] >= FEW)]
    missed = [row for row in known if not row["met"]]
    which = "the objective" if len(aims) == 1 else f"{len(missed)} of {len(aims)} objectives"
    if not calls:
        return {"state": "open", "text": "The day has not begun: there was no call since midnight."}
    if not aims:
        return {"state": "open", "text": "The scenario has no objectives to tell a good day from a bad one."}
    if missed:
        first = missed[0]
        text = f"{first['words']}: {first['shown']}, wanted {first['wanted']}"
        verb = "are" if len(missed) > 1 else "is"
        return {"state": "bad", "text": f"The day goes badly: {which} {verb} missed ({text})."}
    if not measured:
        return {"state": "open", "text": f"The board measures none of the {len(aims)} objectives."}
    if len(known) < len(measured):
        few = f"{len(measured) - len(known)} of {len(aims)} objectives" if len(aims) > 1 else "the objective"
        verb = "have" if len(measured) - len(known) > 1 else "has"
        return {"state": "open", "text": f"Too early to tell: {few} {verb} fewer than {FEW} calls to count."}
    return {"state": "good", "text": f"The day goes well: {_met(len(known), len(aims))} met so far."}


def _met(known: int, aims: int) -> str:
    if aims == 1:
        return "the objective is"
    if known == aims:
        return "both objectives are" if aims == 2 else f"all {aims} objectives are"
    return f"{known} of {aims} objectives {'are' if known > 1 else 'is'}"
