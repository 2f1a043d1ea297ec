"""Words for people: what each measure is called on an axis and in a report, in which unit, and what is drawn how.

>>> label_of("refused_share"), unit_of("refused_share"), written("refused_share", 0.0123)
('parks refused because the lot is full', '% of park requests', '1.23 %')
"""

import math
from typing import Final, NamedTuple

from parksim.catalogue import BY_NAME, SHARES


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
