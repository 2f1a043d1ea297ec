"""What a program hands over: scenarios, numbers and values, taken as plain Python or refused in words.

Programs have their numbers from NumPy as often as not, so a NumPy integer is a whole number here; a float is none.
"""

from collections.abc import Mapping
from operator import index
from typing import overload

import numpy as np

from parksim.errors import ArgumentError, WrongTypeError
from parksim.scenario.model import Scenario


@overload
def asked(scenario: Scenario, seed: int, replications: int, *, least: int = 1) -> tuple[int, int]: ...


@overload
def asked(
    scenario: Scenario, seed: int, replications: int | None = None, *, least: int = 1
) -> tuple[int, int | None]: ...


def asked(scenario: Scenario, seed: int, replications: int | None = None, *, least: int = 1) -> tuple[int, int | None]:
    """Return a seed and a number of replications (or of one replication) as ints; None stays None.

    Raises:
        WrongTypeError: the scenario is none, but a file's name, say.
        ArgumentError: a number is no whole number, or too small.
    """
    if not isinstance(scenario, Scenario):
        raise WrongTypeError(
            f"a scenario is a parksim.Scenario, not {scenario!r:.80}; parksim.Scenario.load(FILE) reads one"
        )
    what = "replications are" if least else "a replication is"
    return whole("a seed is", seed), None if replications is None else whole(what, replications, least)


def whole(what: str, value: object, least: int = 0) -> int:
    """Return a whole number as an int.

    Raises:
        ArgumentError: it is none, or less than ``least``; the message begins with ``what``.

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
