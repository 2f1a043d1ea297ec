"""A change of a scenario in the words of somebody who orders it: add one slot, shorten the time-out."""

from collections.abc import Mapping
from typing import Any, Final

from parksim.reports.words import span

_COUNTED: Final = {"slots": "slot", "count": "attendant", "staff": "staff member"}


def in_words(values: Mapping[str, tuple[Any, Any]]) -> str:
    """Return what to do, in the words of somebody who orders it; ``values`` are the present and the new one by key.

    >>> in_words({"lot.slots": (4, 5), "lot.max_in_parking": (120, 90)})
    'Add one slot: 5 instead of 4 and shorten the time-out: 1 min 30 s instead of 2 min'
    """
    text = " and ".join(_do(key, now, value) for key, (now, value) in values.items())
    return text[0].upper() + text[1:]


def _do(key: str, now: Any, value: Any) -> str:
    what = key.rpartition(".")[2]
    of = _in_lot(key)
    if what == "max_in_parking":
        verb = "lengthen" if now is not None and value > now else "shorten"
        return f"{verb} the time-out{of}: {written(key, value)} instead of {written(key, now)}"
    more = (sum(value) - sum(now)) if isinstance(value, tuple) else value - now
    verb = "add" if more > 0 else "drop"
    if isinstance(value, tuple):
        hours = [hour for hour in range(len(value)) if value[hour] != now[hour]]
        return f"{verb} {_some(abs(more), 'attendant-hour')} a day, from {_hours(hours)} h"
    return f"{verb} {_some(abs(more), _COUNTED[what])}{of}: {value} instead of {now}"


def _some(number: int, word: str) -> str:
    return f"{'one' if number == 1 else number} {word}{'s' * (number != 1)}"


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


def written(key: str, value: Any) -> str:
    """Return a value of a key with its unit: 5 slots, 1 min 30 s, 52 attendant-hours."""
    if isinstance(value, tuple):
        return f"{sum(value)} attendant-hours"
    if key.endswith("max_in_parking"):
        return "unlimited" if value is None else span(round(value * 1e6))
    word = _COUNTED[key.rpartition(".")[2]]
    return f"{value} {word}{'s' * (value != 1)}"


def named(key: str, value: Any) -> str:
    """Return what a value of a key is: 5 slots in lot firm, a time-out of 2 min.

    >>> named("lot.firm.max_in_parking", 120), named("attendants.count", 1)
    ('a time-out of 2 min in lot firm', '1 attendant')
    """
    of = "a time-out of " if key.endswith("max_in_parking") else ""
    return of + written(key, value) + _in_lot(key)


def _in_lot(key: str) -> str:
    return f" in lot {key.split('.')[1]}" if key.count(".") > 1 else ""
