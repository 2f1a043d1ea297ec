"""Reads out of a journal the calls that would have given it: the converse of an engine.

Whatever the rows do not tell never happens in the calls that come out: nobody hangs up or is fetched or answers later.
Where numbers are dialled, the rows do not tell who came for whom, and where parkers are reminded, not when they would
have answered: such journals are not read (``can_be_explained``).
"""

from itertools import pairwise
from typing import Any

import numpy as np

from parksim.rules import codes as c
from parksim.scenario.workload import Workload

Row = tuple[int, ...]

ONCE = ("arrival_us", "queue_patience_us", "lot")
NOTHING = {"lot": 0, "handling_us": 0, "talk_us": 0, "wants_park": 0, "staff_talk_us": 0, "slot_u": 0}
"""What a call has that the rows say nothing of; every other column has ``NEVER``."""


def can_be_explained(settings: Any) -> bool:
    """Tell whether the rows of a scenario tell what must have been drawn."""
    return settings.fetching == c.FETCH_CALL and settings.recall_to != c.TO_REMINDER


def explained(settings: Any, rows: list[Row]) -> Workload:
    """Return calls that can have given these rows: from what is in them to what must have been drawn.

    Args:
        settings: of the scenario.
        rows: time_us, deadline_us, call, lot, slot, extension, kind, reason; such that a call's own facts have an
            order that can be.
    """
    calls = sum(row[6] == c.OFFERED for row in rows)
    columns = {}
    for name in Workload._fields:
        times = settings.max_parks + (name in {"handling_us", "talk_us"})
        shape = calls if name in ONCE else (times, calls)
        columns[name] = np.full(shape, NOTHING.get(name, c.NEVER), np.int8 if name == "wants_park" else np.int64)
    for call in range(calls):
        _explain_call([row for row in rows if row[2] == call and row[6] != c.RELEASED], call, columns)
    _explain_slots(settings, rows, columns["slot_u"])
    return Workload(**columns)


def _explain_call(own: list[Row], call: int, columns: dict[str, Any]) -> None:
    """Fill in what one call's own facts tell."""
    parks, since = 0, {}  # kind -> instant of the last such fact
    for before, row in pairwise([own[0], *own]):
        at_us, deadline_us, _, lot, _, _, kind, reason = row
        if kind == c.OFFERED:
            columns["arrival_us"][call] = at_us
        elif kind in {c.REFUSED, c.PARKED}:
            if c.PARKED not in since and c.REFUSED not in since:
                columns["lot"][call] = lot
            if before[6] in {c.ANSWERED, c.RECALL_ANSWERED}:
                columns["wants_park"][parks, call] = 1
                columns["handling_us"][parks, call] = at_us - before[0]
            if kind == c.PARKED:
                columns["max_in_parking_us"][parks, call] = c.NEVER if deadline_us == c.NEVER else deadline_us - at_us
                parks += 1
        elif kind == c.ENDED and reason == c.TALKED:
            columns["talk_us" if before[6] == c.REFUSED else "handling_us"][parks, call] = at_us - before[0]
        elif kind == c.ENDED and reason == c.AFTER_RETRIEVAL:
            columns["staff_talk_us"][parks - 1, call] = at_us - before[0]
        elif kind == c.RETRIEVED:
            if reason != c.STRANGER:  # else a key has fetched it
                columns["retrieval_us"][parks - 1, call] = at_us - since[c.PARKED]
        elif kind == c.RECALL_ANSWERED and before[6] == c.RECALL_RINGING:
            columns["answer_us"][parks - 1, call] = at_us - since[c.RECALL_RINGING]
        elif kind == c.ABANDONED:
            _explain_patience(row, since, parks, columns)
        if not (kind == c.RECALL_RINGING and before[6] == c.RECALL_UNANSWERED):
            since[kind] = at_us  # of several periods the first


def _explain_patience(row: Row, since: dict[int, int], parks: int, columns: dict[str, Any]) -> None:
    at_us, call, reason = row[0], row[2], row[7]
    if reason == c.WAITING:
        columns["queue_patience_us"][call] = at_us - since[c.OFFERED]
    elif reason == c.IN_LOT:
        columns["patience_us"][parks - 1, call] = at_us - since[c.PARKED]
    else:
        columns["recall_patience_us"][parks - 1, call] = at_us - since[c.EXPIRED]


def _explain_slots(settings: Any, rows: list[Row], slot_u: Any) -> None:
    """Fill in which of the free slots a park took: what the random choice must have drawn."""
    taken: list[set[int]] = [set() for _ in settings.slots]
    parks = dict.fromkeys((row[2] for row in rows), 0)
    for _, _, call, lot, slot, _, kind, reason in rows:
        if kind == c.PARKED:
            slot_u[parks[call], call] = sum(other not in taken[lot] for other in range(slot))
            taken[lot].add(slot)
            parks[call] += 1
        elif (slot != c.NOBODY and kind in {c.RETRIEVED, c.EXPIRED}) or (kind == c.ABANDONED and reason == c.IN_LOT):
            taken[lot].discard(slot)
