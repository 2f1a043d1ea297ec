"""The objectives of a scenario: ``measure = "< 1 %"``, how people write it, and what no value or every value meets."""

import math
import re
from collections.abc import Mapping
from typing import Annotated, Final, Literal

import pydantic

from parksim.catalogue import SCALARS, SHARES
from parksim.errors import UnfitError, UnknownWordError
from parksim.scenario import quantities as q
from parksim.scenario.sections import Section

_OBJECTIVE = re.compile(r"\s*(<=|>=|<|>)\s*(\S.*?)\s*")
_PLAIN_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]{1,2})?")


class Objective(Section):
    """One line of [objectives]: ``measure = "< 1 %"``."""

    measure: str
    """One of ``catalogue.SCALARS``."""
    relation: Literal["<", "<=", ">", ">="]
    value: float
    """Shares from 0 to 1, times in seconds, recalls_per_hour an hour."""
    text: str
    """As written."""

    @pydantic.model_validator(mode="before")
    @classmethod
    def _parsed(cls, value: object) -> object:
        if not isinstance(value, Mapping) or set(value) != {"measure", "text"}:
            return value
        measure, text = value["measure"], value["text"]
        if measure not in SCALARS:
            raise UnknownWordError("is not a measure", "", SCALARS)
        match = _OBJECTIVE.fullmatch(text) if isinstance(text, str) and len(text) <= 64 else None
        if match is None:
            raise UnfitError("is not an objective", _goal_step(text))
        if (plain := q.plainer(match[2])) != match[2]:
            raise UnfitError("is not an objective", f'write "{match[1]} {plain}"')
        goal = _goal(measure, match[1], match[2])
        _check_possible(measure, match[1], goal, match[2])
        return {"measure": measure, "relation": match[1], "value": goal, "text": text}


def _goal_step(text: object) -> str:
    """Return how to write a goal that lacks its sign, or has it in words."""
    plain = str(text).strip().lower()
    for sign, words in _SIGNS.items():
        for word in words:
            if plain.startswith(word) and (rest := plain.removeprefix(word).lstrip(". ")):
                return f'write "{sign} {rest[:32]}"'
    if not isinstance(text, bool) and plain[:1].isdecimal():
        return f'write "< {plain[:32]}" for less, "> {plain[:32]}" for more'
    return 'write a text such as "< 1 %", "<= 0.01" or "> 80 %"'


_SIGNS: Final = {
    "<=": ("\N{LESS-THAN OR EQUAL TO}", "=<", "at most", "max", "up to"),
    ">=": ("\N{GREATER-THAN OR EQUAL TO}", "=>", "at least", "min"),
    "<": ("less than", "below", "under", "fewer than"),
    ">": ("more than", "above", "over"),
}
"""How people write the sign of a goal otherwise."""


def _goal(measure: str, relation: str, text: str) -> float:
    """Return the number an objective compares with, in the measure's unit."""
    plain = float(text) if _PLAIN_NUMBER.fullmatch(text) else None
    if measure.endswith(("_share", "_utilisation")):
        if plain is not None and plain > 1:
            raise UnfitError(f"{measure} is a share from 0 to 1", f'for per cent write "{relation} {text} %"')
        return q.share(text if plain is None else plain)
    if "_s_" in measure:
        return q.duration_s(text if plain is None else plain)
    if measure == "recalls_per_hour" and "/" in text:
        return q.rate_per_s(text) * 3_600
    if plain is None:
        raise UnfitError(f"{measure} is compared with a plain number", 'write a text such as "< 12"')
    return plain


def _check_possible(measure: str, relation: str, goal: float, text: str) -> None:
    """Refuse what everything meets, or nothing does: below 100 %, above 0."""
    greatest = 1.0 if measure in SHARES else math.inf
    fails = (relation == "<" and goal <= 0) or (relation == ">" and goal >= greatest)
    if not fails and not (goal >= greatest if relation in {"<", "<="} else goal <= 0):
        return
    rule = "nothing meets it" if fails else "everything meets it"
    if goal == greatest and "%" not in text:
        raise UnfitError(rule, f'1 is 100 %; did you mean "{relation} {text} %"?')
    raise UnfitError(rule, "a share lies from 0 to 1" if measure in SHARES else "a measure is never below 0")


def _objective_rows(value: object) -> object:
    if isinstance(value, Mapping):
        if len(value) > 2 * len(SCALARS):
            raise UnfitError(
                f"has {len(value):,} lines, and there are {len(SCALARS)} measures", "keep those that count"
            )
        return [{"measure": measure, "text": text} for measure, text in value.items()]
    if isinstance(value, list | tuple) and all(isinstance(one, Objective) for one in value):
        return value
    raise UnfitError("must be a table", '[objectives] with lines such as refused_share = "< 1 %"')


Objectives = Annotated[
    tuple[Objective, ...],
    pydantic.BeforeValidator(_objective_rows),
    pydantic.WithJsonSchema(
        {
            "type": "object",
            "properties": {measure: {"type": "string"} for measure in SCALARS},
            "additionalProperties": False,
            "description": 'measure = "< 1 %"',
        }
    ),
]
