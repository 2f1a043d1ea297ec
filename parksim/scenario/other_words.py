"""What others call the keys and measures of a scenario: the trade's and the makers' words, and where they lead."""

import re
from typing import Final

_OTHERS: Final = {
    "refused_share": "blocking, blocked, blocking probability, grade of service, GoS, refused",
    "time_full_share": "time congestion",
    "expired_share": "come-back, come-backs, reversion, ring-back, returned, returned share, expired",
    "queue_abandoned_share": "abandonment, abandon rate, abandonment rate, reneging, renege, hang-ups",
    "answered_within_share": "service level, SL, TSF, telephone service factor, answered, answered in time",
    "answer_wait_s_mean": "ASA, average speed of answer, waiting time, wait, answer wait",
    "attendant_utilisation": "agent occupancy, agent utilisation, agent utilization, attendant utilization",
    "offered_erlang": "offered load, load, traffic, erlang",
    "attendants": "agents, operators, receptionists, agent, operator",
    "attendants.handling": "AHT, average handling time, handling time, service time",
    "lot.slots": "positions, orbits, parking slots, spaces, position, orbit, number of slots",
    "lot.max_in_parking": "time-out, maxInParking, parking time, park time, park timeout, parkedcall timeout, max time",
    "recall": "return, come-back, reversion, ring-back",
    "retrieval": "un-park, unpark, pick-up",
    "retrieval.delay": "holding time, hold time, stay, parked time",
    "caller.patience": "renege, time to abandon",
    "queue.target": "service level target, threshold",
    "arrivals.rate": "calls per hour, calls",
}
"""Measure, table or key -> what others call it; of a word that stands twice the place decides."""


def _plain(word: str) -> str:
    return re.sub("[^a-z]", "", word.lower())


_TOLD: Final = [(_plain(other), name) for name, others in _OTHERS.items() for other in others.split(", ")]


def other_word(word: str, table: str, words: tuple[str, ...]) -> str:
    """Return the measure, table or dotted key that others call ``word``; "" when nobody does.

    Args:
        word: what was written.
        table: where it was written; "" at the top of the file.
        words: those that may stand there, which come first.

    >>> other_word("blocking", "objectives", ("refused_share",)), other_word("Agents", "", ("attendants", "lot"))
    ('refused_share', 'attendants')
    >>> other_word("time-out", "recall", ("ring",)), other_word("slosts", "lot", ("slots",))
    ('lot.max_in_parking', '')
    """
    found = [name for other, name in _TOLD if other == _plain(word)]
    here = [name for name in found if name in words or name.rpartition(".") == (table, ".", name.rpartition(".")[2])]
    there = [name for name in found if "." in name or not name.endswith(("_share", "_mean", "_erlang", "_utilisation"))]
    return next(iter(here or there), "")
