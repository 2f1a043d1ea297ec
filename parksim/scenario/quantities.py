"""How durations, rates and shares are written in a scenario, and what they mean: seconds, per second, 0 to 1.

A duration is a number of seconds, ``"45s"``, ``"2m30s"``, ``"2 minutes"``, ``"1d"``, ``"500ms"`` or ISO 8601
(``"PT45S"``); a rate is ``"120/h"``, ``"2/min"`` or ``"0.2/s"``; a share is ``0.05`` or ``"5%"``. Digits are ASCII.
What does not fit raises ``UnfitError``, which says the rule and the next step; where it stood is added by ``messages``.
"""

import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, PlainValidator, WithJsonSchema

from parksim.errors import UnfitError

UNLIMITED: Final = "unlimited"
"""The one literal for no limit."""
LONGEST_S: Final = 1e9
"""No duration is longer (some 31 years), so that sums of many fit into 64 bits of microseconds."""

_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
_UNITS_S: Final = {
    "d": Decimal(86_400),
    "h": Decimal(3_600),
    "m": Decimal(60),
    "s": Decimal(1),
    "ms": Decimal("0.001"),
}
_WORDS: Final = {
    "d": "d(?:ays?)?",
    "h": "h(?:(?:ou)?rs?)?",
    "m": "m(?:in(?:ute)?s?)?(?!s)",
    "s": "s(?:ec(?:ond)?s?)?",
    "ms": "(?:ms|milliseconds?)",
}
"""How each unit may be written."""
_PLAIN = re.compile(" ?".join(f"(?:(?P<{unit}>{_NUMBER}) ?{word})?" for unit, word in _WORDS.items()))
_ISO = re.compile(
    rf"P(?:(?P<d>{_NUMBER})D)?(?:T(?=[0-9])(?:(?P<h>{_NUMBER})H)?(?:(?P<m>{_NUMBER})M)?(?:(?P<s>{_NUMBER})S)?)?"
)
_RATE = re.compile(
    rf"(?P<number>{_NUMBER}(?:e[+-]?[0-9]{{1,2}})?) *(?:/|per) *(?:"
    + "|".join(f"(?P<{unit}>{_WORDS[unit]})" for unit in ("s", "m", "h", "d"))
    + ")"
)
_PERCENT = re.compile(rf"({_NUMBER}) *(?:%|per ?cent)")
QUOTES: Final = "\u201c\u201d\u201e\u201f\u2018\u2019\u201a\u00ab\u00bb"
"""Typographic quotes: word processors write them, and no program reads them as quotes."""
_DURATION_STEP = 'write seconds or a text such as "45s", "2m30s", "1h", "1d", "500ms" or "PT45S"'


def number(value: object, what: str, step: str = "") -> float:
    """Return a finite number that is not a truth value, or raise ``UnfitError`` ("what must be a number")."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise UnfitError(f"{what} must be a number", step)
    try:
        result = float(value)
    except OverflowError:
        result = math.inf
    if not math.isfinite(result):
        raise UnfitError(f"{what} must be finite", step)
    return result


def plainer(text: str) -> str:
    r"""Return a text without the typographic quotes around it, and with a decimal point instead of a comma.

    >>> plainer("\u201c2,5 min\u201d"), plainer("1,200/h")
    ('2.5 min', '1200/h')
    """
    bare = text.strip(QUOTES + " ")
    grouped = re.sub(r"(?<![0-9])[1-9][0-9]{0,2}(?:,[0-9]{3})+(?![0-9])", lambda one: one[0].replace(",", ""), bare)
    return re.sub(r"([0-9]),([0-9])", r"\1.\2", grouped)


def mended(value: object, reads: Callable[[Any], object], step: str) -> str:
    """Return what to write instead of a value that ``reads`` refuses: it plainly where that is enough, or ``step``."""
    plain = plainer(value) if isinstance(value, str) and len(value) <= 64 else value
    if plain == value:
        return step
    is_number = re.fullmatch(_NUMBER, str(plain)) is not None
    try:
        reads(float(str(plain)) if is_number else plain)
    except UnfitError:
        return step
    return f"write {plain}" if is_number else f'write "{plain}"'


def duration_s(value: object) -> float:
    """Return a duration in seconds, to the microsecond.

    >>> duration_s("2m30s"), duration_s("2 minutes"), duration_s("PT45S"), duration_s(4.5), duration_s("500ms")
    (150.0, 120.0, 45.0, 4.5, 0.5)

    Raises:
        UnfitError: it is no duration, negative or longer than ``LONGEST_S``.
    """
    if isinstance(value, dict):
        raise UnfitError("must be one duration, not a distribution", _DURATION_STEP)
    seconds = _text_s(value) if isinstance(value, str) else number(value, "a duration", _DURATION_STEP)
    if seconds < 0:
        raise UnfitError("a duration must not be negative", _DURATION_STEP)
    if seconds > LONGEST_S:
        raise UnfitError(
            "a duration must be at most 1e9 s (some 31 years)", 'for no limit, where allowed, write "unlimited"'
        )
    return round(seconds, 6) + 0.0  # no minus zero


def _text_s(text: str) -> float:
    match = (_ISO if text.startswith("P") else _PLAIN).fullmatch(text) if 0 < len(text) <= 64 else None
    if match is None or not any(match.groups()):
        if text == UNLIMITED:
            raise UnfitError('"unlimited" is not allowed here', _DURATION_STEP)
        raise UnfitError("is not a duration", mended(text, duration_s, _DURATION_STEP))
    parts = match.groupdict()
    return float(sum(Decimal(parts[unit]) * _UNITS_S[unit] for unit in parts if parts[unit] is not None))


def rate_per_s(value: object) -> float:
    """Return a rate in events per second.

    >>> rate_per_s("120/h") * 30, rate_per_s("120 per hour") * 30, rate_per_s("0.2/s")
    (1.0, 1.0, 0.2)

    Raises:
        UnfitError: it is no rate, or not above 0.
    """
    step = 'write a text such as "120/h", "2/min" or "0.2/s"'
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise UnfitError("a rate needs its unit of time", step)
    match = _RATE.fullmatch(value.strip(" ")) if isinstance(value, str) and len(value) <= 64 else None
    if match is None:
        raise UnfitError("is not a rate", mended(value, rate_per_s, step))
    unit = next(one for one in ("s", "m", "h", "d") if match[one] is not None)
    rate = float(Decimal(match["number"]) / _UNITS_S[unit])
    if rate <= 0:
        raise UnfitError("a rate must be greater than 0", step)
    return rate


def share(value: object) -> float:
    """Return a share from 0 to 1, which may be written in per cent.

    >>> share("5%"), share("0.1 %"), share(0.6)
    (0.05, 0.001, 0.6)

    Raises:
        UnfitError: it is no number or lies outside.
    """
    step = 'write a number from 0 to 1 or a text such as "5%"'
    if isinstance(value, str):
        match = _PERCENT.fullmatch(value.strip(" ")) if len(value) <= 64 else None
        if match is None:
            raise UnfitError("is not a share", mended(value, share, step))
        result = float(Decimal(match[1]) / 100)
    else:
        result = number(value, "a share", step)
    if not 0 <= result <= 1:
        raise UnfitError(
            "a share must be from 0 to 1", f'write "{result:g}%"' if value == result and 2 <= result <= 100 else step
        )
    return result


def microseconds(seconds: float) -> int:
    """Return the nearest whole number of microseconds.

    >>> microseconds(0.1), microseconds(45.0)
    (100000, 45000000)
    """
    return round(seconds * 1e6)


def unlimited_or(parse: Any) -> Any:
    """Return a parser that lets the text "unlimited" pass and gives anything else to ``parse``."""

    def parsed(value: object) -> Any:
        return UNLIMITED if value == UNLIMITED else parse(value)

    return parsed


def count(low: int, high: int, what: str) -> Any:
    """Return a parser of whole numbers from ``low`` to ``high`` that lets the text "unlimited" pass."""

    def parsed(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise UnfitError(f'{what} must be a whole number or "unlimited"', f"write a number from {low} to {high}")
        if not low <= value <= high:
            raise UnfitError(f'{what} must be from {low} to {high}, or "unlimited"')
        return value

    return unlimited_or(parsed)


HOURS: Final = 24
"""Of a day."""
HOUR_US: Final = 3_600_000_000
DAY_US: Final = HOURS * HOUR_US


def a_day(value: object, what: str, step: str) -> list[object]:
    """Return what stands for each hour of the day, or raise UnfitError when it is no list of 24."""
    if not isinstance(value, list | tuple):
        raise UnfitError("must be a list of 24 numbers", f"{what} = [ ... ], from 0-1 h to 23-24 h")
    if len(value) != HOURS:
        raise UnfitError(f"must have 24 numbers, one an hour, and has {len(value)}", step)
    return list(value)


def of_each_hour(value: object, what: str, step: str, parse: Callable[[object], float]) -> tuple[float, ...]:
    """Return a number for each hour of the day, or raise UnfitError, which names the hour that does not fit."""
    numbers = []
    for hour, one in enumerate(a_day(value, what, step)):
        try:
            numbers.append(parse(one))
        except UnfitError as error:
            raise UnfitError(f"hour {hour}: {error.rule}", step) from None
    return tuple(numbers)


def hours_schema(one: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON Schema of a number for each hour of the day."""
    return {"type": "array", "items": one, "minItems": HOURS, "maxItems": HOURS}


LEAST_CV: Final = 0.001
MOST_CV: Final = 2.0


def variation(value: object) -> float:
    """Return how much days differ: a coefficient of variation."""
    step = "write cv = 0.15 where the calls of a day are typically 15 % more or fewer than on average"
    cv = number(value, "cv", step)
    if cv != 0 and not LEAST_CV <= cv <= MOST_CV:
        raise UnfitError(f"cv must be from {LEAST_CV:g} to {MOST_CV:g}, or 0 where all days are alike", step)
    return cv


MOST_TIMES: Final = 100.0


def factor(value: object) -> float:
    """Return by what a duration is multiplied."""
    result = number(value, "a factor")
    if not 0 < result <= MOST_TIMES:
        raise UnfitError(f"a factor must be above 0, and at most {MOST_TIMES:g}")
    return result


_DURATION_SCHEMA: Final[dict[str, Any]] = {
    "anyOf": [{"type": "number", "minimum": 0}, {"type": "string"}],
    "description": 'seconds, or a text such as "45s", "2m30s", "1h", "1d", "500ms", "PT45S"',
}
Duration = Annotated[float, BeforeValidator(duration_s), WithJsonSchema(_DURATION_SCHEMA)]
"""Seconds, to the microsecond; not negative."""
Rate = Annotated[
    float, BeforeValidator(rate_per_s), WithJsonSchema({"type": "string", "description": '"120/h", "2/min", "0.2/s"'})
]
"""Events per second."""
SHARE_SCHEMA: Final[dict[str, Any]] = {
    "anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"type": "string"}],
    "description": 'from 0 to 1, or a text such as "5%"',
}
Share = Annotated[float, BeforeValidator(share), WithJsonSchema(SHARE_SCHEMA)]
"""From 0 to 1."""
DurationOrUnlimited = Annotated[
    float | Literal["unlimited"], PlainValidator(unlimited_or(duration_s)), WithJsonSchema(_DURATION_SCHEMA)
]
"""Seconds, to the microsecond, or "unlimited"."""
