"""Words for people: what measures, keys and values are called in a chart or a report, and what is drawn how.

>>> label_of("refused_share"), unit_of("refused_share"), written("refused_share", 0.0123)
('parks refused because the lot is full', '% of park requests', '1.23 %')
"""

import math
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, NamedTuple

from parksim.catalogue import BY_NAME, SHARES
from parksim.errors import UnfitError
from parksim.scenario.quantities import duration_s


class Look(NamedTuple):
    """How something is drawn: a colour, and a shape that says the same without colour."""

    words: str
    colour: str
    shape: str


_CROSS: Final = "M0,-.3L.5,-.8L.8,-.5L.3,0L.8,.5L.5,.8L0,.3L-.5,.8L-.8,.5L-.3,0L-.8,-.5L-.5,-.8Z"
"""Two strokes crossed aslant, as an outline."""
OUTCOMES: Final = {
    "retrieved": Look("fetched", "#56B4E9", "circle"),
    "expired": Look("came back, time up", "#D55E00", "triangle-up"),
    "abandoned": Look("caller hung up", "#333333", "square"),
    "parked": Look("still parked", "#999999", "diamond"),
    "refused": Look("refused, no slot free", "#000000", _CROSS),
}
"""How a stay ends. Every eye tells the three colours apart, and print does by their lightness."""
VERDICTS: Final = {
    "met": Look("met", "#00734F", "\N{CHECK MARK}"),
    "missed": Look("missed", "#B23A00", "\N{MULTIPLICATION X}"),
    "undecided": Look("undecided", "#7A5200", "?"),
}
"""Verdicts: a colour dark enough to read on white, and a sign."""
SERIES_COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#333333", "#E69F00")
"""After Okabe and Ito, Color Universal Design (2008): told apart by every eye; the darker ones first."""
SERIES_SHAPES: Final = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
SERIES_DASHES: Final = ((1, 0), (6, 3), (2, 2), (8, 2, 2, 2), (4, 4), (1, 3))


def label_of(name: str) -> str:
    """Return what a measure is called, a scalar or one by hour or lot; the name itself of an unknown one."""
    return BY_NAME[name].words if name in BY_NAME else name


def unit_of(name: str) -> str:
    """Return the unit of a measure: "% of parks", "s", "erlang"; empty for a plain number."""
    return BY_NAME[name].unit if name in BY_NAME else ""


def bounds_of(name: str, slots: int) -> tuple[float, float]:
    """Return the least and the greatest value a measure can have; no interval is drawn beyond them."""
    return 0.0, BY_NAME[name].greatest(slots) if name in BY_NAME else math.inf


def clipped(value: float | None, bounds: tuple[float, float]) -> float | None:
    """Return a value moved to the nearest possible one; what is undefined stays so.

    >>> clipped(-0.1, (0.0, 1.0)), clipped(None, (0.0, 1.0)), clipped(float("nan"), (0.0, 1.0))
    (0.0, None, None)
    """
    return None if value is None or math.isnan(value) else min(max(value, bounds[0]), bounds[1])


def written(name: str, value: float) -> str:
    """Return a single value with its unit's sign, three digits of it: "1.23 %", "75.0 s", "12.3"."""
    percent = name in SHARES
    value = 100 * value if percent else value
    digits = 0 if value.is_integer() else max(0, min(6, 2 - math.floor(math.log10(abs(value)))))
    return f"{value:,.{digits}f}{' %' if percent else ' s' if unit_of(name) == 's' else ''}"


def span(time_us: int) -> str:
    """Return a duration in days, hours, minutes and seconds: 1 d, 1 h 30 min, 1 min 30 s, 0 s.

    >>> span(5_400_000_000), span(0)
    ('1 h 30 min', '0 s')
    """
    seconds = time_us / 1e6
    parts = []
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        count = int(seconds // length)
        seconds -= count * length
        if count:
            parts.append(f"{count} {unit}")
    if seconds or not parts:
        parts.append(f"{seconds:g} s")
    return " ".join(parts)


def clock(time_s: float) -> str:
    """Return the time of day of an instant, on any day: 09:30; the end of a day is 24:00.

    >>> clock(34_200), clock(86_400), clock(90_000)
    ('09:30', '24:00', '01:00')
    """
    of_day_s = time_s % 86_400 or (86_400 if time_s else 0)
    return f"{int(of_day_s // 3600):02d}:{int(of_day_s // 60) % 60:02d}"


# Keys and values ------------------------------------------------------------------------------------------------------

KEY_WORDS: Final = {
    "name": "name of the scenario",
    "run.horizon": "end of a replication",
    "run.warm_up": "warm-up (not counted)",
    "run.cool_down": "cool-down (not counted)",
    "run.precision": "wanted precision",
    "arrivals.kind": "how calls arrive",
    "arrivals.rate": "calls that arrive",
    "arrivals.calls_per_hour": "calls per hour of the day",
    "arrivals.busy_days": "how much days differ",
    "arrivals.file": "file of recorded calls",
    "arrivals.column": "column of the recorded instants",
    "arrivals.resample": "how recorded days are drawn",
    "queue.limit": "places in the queue",
    "queue.patience": "how long a caller waits for an answer",
    "queue.target": "target time for an answer",
    "attendants.count": "attendants",
    "attendants.handling": "time to handle a call",
    "attendants.talk": "talk of a call that is not parked",
    "parking.probability": "share of calls that are parked",
    "parking.max_parks": "how often a call may be parked",
    "parking.announcement": "time to announce a parked call",
    "parking.slot": "which slot a parker asks for",
    "parking.slot_taken": "what happens when that slot is taken",
    "parking.when_full": "what happens when all lots are full",
    "parking.retries": "further tries when all lots are full",
    "parking.retry_after": "time until the next try",
    "lot": "order of the lots",
    "lot.name": "name of the lot",
    "lot.organization": "organisation of the lot",
    "lot.weight": "share of the calls for the lot",
    "lot.slots": "slots of the lot",
    "lot.first": "label of the first slot",
    "lot.choice": "which free slot is taken",
    "lot.max_in_parking": "time-out",
    "lot.when_full": "what happens when the lot is full",
    "lot.retries": "further tries when the lot is full",
    "lot.retry_after": "time until the next try",
    "lot.patience": "how long a parked caller waits",
    "lot.limits": "allowed time-outs",
    "retrieval.delay": "time until a parked call is fetched",
    "retrieval.delay_factor": "factor of that time by hour of the day",
    "retrieval.never": "share of parked calls that nobody fetches",
    "retrieval.order": "which call is fetched",
    "retrieval.blind": "whether numbers are dialled as they were told",
    "retrieval.staff": "people who fetch parked calls",
    "retrieval.talk": "talk after a call is fetched",
    "unknown.draws": "file of joint draws of what is not known",
    "recall.to": "who gets a call that comes back",
    "recall.ring": "how long a returning call rings",
    "recall.attempts": "how often a returning call is offered",
    "recall.answer": "time until a returning call is answered",
    "recall.never": "share of returning calls that are not answered",
    "recall.busy": "what a returning call does when its parker is busy",
    "recall.unanswered": "what becomes of a returning call that is not answered",
    "recall.remind_every": "time from one reminder to the next",
    "recall.forward_after": "time from the first reminder until the call is forwarded",
    "recall.retrievable": "whether a returning call can be fetched while it rings",
    "recall.patience": "how long a returning caller waits",
    "caller.patience": "how long a caller waits",
}
"""What each key of a scenario file is called. A lot's own key is ``lot.NAME.slots``: "slots of lot NAME"."""
_COUNTED: Final = {
    "lot.slots": ("slot", "slots"),
    "attendants.count": ("attendant", "attendants"),
    "retrieval.staff": ("person who fetches calls", "people who fetch calls"),
}
"""What a key counts: one of it, and several."""
_SECONDS: Final = frozenset(
    (
        "horizon",
        "warm_up",
        "cool_down",
        "target",
        "announcement",
        "retry_after",
        "ring",
        "remind_every",
        "forward_after",
        "max_in_parking",
        "patience",
    )
)
_PERCENT: Final = frozenset(("probability", "never", "precision"))
_LAW_SECONDS: Final = ("mean", "median", "value", "low", "high", "means", "values", "scale")


def _general(key: str) -> tuple[str, str]:
    """Return a key without the name of its lot, and that name: ("lot.slots", "north") of lot.north.slots."""
    section, *names = key.split(".")
    return (f"{section}.{names[-1]}", ".".join(names[:-1])) if len(names) > 1 else (key, "")


def key_words(key: str) -> str:
    """Return what a key of a scenario is called; itself where it has no words.

    >>> key_words("lot.max_in_parking"), key_words("lot.north.slots"), key_words("no.such")
    ('time-out', 'slots of lot north', 'no.such')
    """
    general, lot = _general(key)
    words = KEY_WORDS.get(general)
    if words is None or not lot:
        return words or key
    return f"{words.removesuffix(' of the lot')} of lot {lot}"


def is_seconds(key: str) -> bool:
    """Say whether a plain number of a key is a time in seconds."""
    return key.rpartition(".")[2] in _SECONDS


def number_of(value: object) -> float | None:
    """Return what a value of a key measures: a number as it is, a duration in seconds; None for a word.

    >>> number_of("3m"), number_of(4), number_of("lowest"), number_of(True)
    (180.0, 4.0, None, None)
    """
    if isinstance(value, bool):
        return None
    for read in (float, duration_s):
        with suppress(UnfitError, ValueError):
            return read(str(value))
    return None


def value_words(key: str, value: Any) -> str:
    """Return a value of a key for people: durations with their units, shares in per cent, laws by name and parameters.

    >>> value_words("lot.max_in_parking", 120), value_words("retrieval.never", 0.15), value_words("lot.slots", "4")
    ('2 min', '15 %', '4')
    >>> value_words("attendants.talk", {"kind": "exponential", "mean": 45.0})
    'exponential, mean 45 s'
    """
    if isinstance(value, Mapping):
        if value.keys() == {"value", "low", "high"}:
            point, low, high = (value_words(key, value[name]) for name in ("value", "low", "high"))
            return f"{point} ({low} to {high})"
        if value.get("kind") == "constant" and isinstance(value.get("value"), int | float):
            return span(round(value["value"] * 1e6))
        inner = [f"{name} {_parameter(name, one)}" for name, one in value.items() if name != "kind"]
        return ", ".join([str(value.get("kind", "")), *inner]).lstrip(", ")
    if isinstance(value, list | tuple):
        return ", ".join(value_words(key, one) for one in value)
    if is_seconds(key) and (seconds := number_of(value)) is not None:
        return span(round(seconds * 1e6))
    if key.rpartition(".")[2] in _PERCENT and isinstance(value, int | float):
        return f"{100 * value:.12g} %"
    if isinstance(value, str) and key.endswith("rate") and value.endswith("/s"):
        return f"{float(value[:-2]) * 3600:.6g}/h"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _parameter(name: str, value: Any) -> str:
    if isinstance(value, list):
        return " and ".join(_parameter(name, one) for one in value)
    if isinstance(value, int | float):
        return f"{value:g} s" if name in _LAW_SECONDS else f"{value:g}"
    return str(value)


def amount_words(key: str, value: Any) -> str:
    """Return a value of a key with what it counts; a roster is the sum of its hours.

    >>> amount_words("lot.firm.slots", 5), amount_words("lot.max_in_parking", 90)
    ('5 slots', '1 min 30 s')
    """
    counted = _COUNTED.get(_general(key)[0])
    if counted and isinstance(value, tuple):
        return _some(sum(value), ("attendant-hour", "attendant-hours"))
    if counted and number_of(value) is not None:
        return f"{value_words(key, value)} {counted[number_of(value) != 1]}"
    return "unlimited" if value is None else value_words(key, value)


def words_of(values: Mapping[str, object]) -> str:
    """Return a design in words.

    >>> words_of({"lot.slots": 5, "lot.max_in_parking": "3m", "lot.choice": "lowest"})
    '5 slots, a time-out of 3 min, which free slot is taken: lowest'
    """
    words = []
    for key, value in values.items():
        (general, lot), shown = _general(key), amount_words(key, value)
        if general == "lot.max_in_parking":
            shown = "no time-out" if value is None else f"a time-out of {shown}"
        elif general not in _COUNTED or shown == value_words(key, value):
            words.append(f"{key_words(key)}: {shown}")
            continue
        words.append(shown + _in_lot(lot))
    return ", ".join(words)


def order_of(values: Mapping[str, tuple[Any, Any]]) -> str:
    """Return a change as one orders it; ``values`` are the present and the new one by key.

    >>> order_of({"lot.slots": (4, 5), "lot.max_in_parking": (120, 90)})
    'Add one slot: 5 instead of 4 and shorten the time-out: 1 min 30 s instead of 2 min'
    """
    text = " and ".join(_do(key, now, value) for key, (now, value) in values.items())
    return text[0].upper() + text[1:]


def _do(key: str, now: Any, value: Any) -> str:
    general, lot = _general(key)
    if general == "lot.max_in_parking":
        verb = "lengthen" if now is not None and value > now else "shorten"
        return f"{verb} the time-out{_in_lot(lot)}: {amount_words(key, value)} instead of {amount_words(key, now)}"
    more = (sum(value) - sum(now)) if isinstance(value, tuple) else value - now
    verb = "add" if more > 0 else "drop"
    if isinstance(value, tuple):
        hours = [hour for hour in range(len(value)) if value[hour] != now[hour]]
        return f"{verb} {_some(abs(more), ('attendant-hour', 'attendant-hours'))} a day, from {_hours(hours)} h"
    return f"{verb} {_some(abs(more), _COUNTED[general])}{_in_lot(lot)}: {value} instead of {now}"


def _some(number: int, words: tuple[str, str]) -> str:
    return f"{'one' if number == 1 else number} {words[number != 1]}"


def _in_lot(lot: str) -> str:
    return f" in lot {lot}" if lot else ""


def _hours(hours: list[int]) -> str:
    """Return hours of the day as spans: 8-11, 14-15.

    >>> _hours([8, 9, 10, 14])
    '8-11, 14-15'
    """
    spans: list[list[int]] = []
    for hour in hours:
        if spans and spans[-1][1] == hour:
            spans[-1][1] = hour + 1
        else:
            spans.append([hour, hour + 1])
    return ", ".join(f"{begin}-{end}" for begin, end in spans)
