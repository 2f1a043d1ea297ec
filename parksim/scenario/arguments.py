"""Arguments of public functions: scenarios, numbers and values, returned as plain Python or refused with a message.

Programs often have their numbers from NumPy, so a NumPy integer is a whole number here; a float is not.
"""

from collections.abc import Mapping
from operator import index
from typing import Any

import numpy as np
from pydantic import ValidationError

from parksim.errors import ArgumentError, WrongTypeError
from parksim.scenario.model import Scenario


def checked_scenario(scenario: object) -> Scenario:
    """Return the scenario.

    Raises:
        WrongTypeError: it is something else, such as a file's name.
    """
    if not isinstance(scenario, Scenario):
        raise WrongTypeError(
            f"a scenario is a parksim.Scenario, not {scenario!r:.80}; parksim.Scenario.load(FILE) reads one"
        )
    return scenario


def whole(what: str, value: object, least: int = 0) -> int:
    """Return a whole number as an int.

    Raises:
        ArgumentError: it is not a whole number, or less than ``least``; the message begins with ``what``.

    >>> whole("a seed is", np.uint32(7))
    7
    """
    try:
        number = index(value)  # type: ignore[arg-type]  # whether it has one is the question
    except TypeError:
        number = least - 1
    if number < least:
        raise ArgumentError(f"{what} a whole number from {least}, not {value!r}")
    return number


def proportion(what: str, example: str, value: Any) -> float:
    """Return a number between 0 and 1, such as a precision or a level, as a float.

    Raises:
        ArgumentError: it is another; the message names ``what`` and shows ``example``.

    >>> proportion("a level", "95 % is 0.95", np.float64(0.5))
    0.5
    """
    try:
        if 0 < value < 1:
            return float(value)
    except (TypeError, ValueError):
        pass
    raise ArgumentError(f"{what} lies between 0 and 1 ({example}), not {value!r}")


def fault_in(error: ValidationError) -> str:
    """Return what is first wrong with what a model refuses, and where: "calls.2.peer: Field required"."""
    first = error.errors(include_input=False, include_url=False)[0]
    place = ".".join(str(part + 1 if isinstance(part, int) else part) for part in first["loc"])
    return f"{place[:80] or 'the file'}: {first['msg']:.160}"


def plain(value: object) -> object:
    """Return a value of a scenario as a JSON file would give it back: no NumPy, no tuples.

    >>> plain(np.int64(3)), plain((1, np.arange(2))), plain({"mean": np.float64(0.5)})
    (3, [1, [0, 1]], {'mean': 0.5})
    """
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    return value
