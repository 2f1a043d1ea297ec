"""The calls that a server begins with: ``parksim serve --register FILE.json``."""

import json
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from parksim.errors import ArgumentError
from parksim.results import read
from parksim.rules.uapi.models import MAX_IN_PARKING_S
from parksim.scenario.arguments import fault_in


class Given(BaseModel):
    """A call that a server begins with.

    Attributes:
        id: In UAPI's grammar; left out, one is made from its number.
        extension: Who is charged.
        peer: The other side: a number, or an extension (then the call is local).
        caller_id: As UAPI shows it.
        incoming: Whether the peer called.
        answered: Whether they talk already; else the telephone rings until the call is hung up.
        parker: The extension that has parked it; left out, it is not parked.
        limit_s: maxInParking of that.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    id: str | None = None
    extension: str
    peer: str
    caller_id: str = ""
    incoming: bool = False
    answered: bool = True
    parker: str | None = None
    limit_s: Annotated[float, Field(ge=MAX_IN_PARKING_S[0], le=MAX_IN_PARKING_S[1])] = 180.0

    @model_validator(mode="after")
    def _talks_before_it_is_parked(self) -> Self:
        if self.parker is not None and not self.answered:
            raise ArgumentError("a call that is parked has been answered: leave out parker, or answered")
        return self


class GivenCalls(BaseModel):
    """The file: an object with a list of calls."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    calls: list[Given]


def read_given(path: Path) -> tuple[Given, ...]:
    """Read the calls in a JSON file: ``{"calls": [{"extension": "0003*210", "peer": "3235742879"}]}``.

    Raises:
        ArgumentError: with file, place, value and rule.
    """
    try:
        content = json.loads(read(path, 16, ArgumentError))
    except UnicodeDecodeError as error:
        raise ArgumentError(f"{path}: is no JSON ({error.reason})") from None
    except ArgumentError:
        raise
    except (ValueError, RecursionError) as error:
        raise ArgumentError(f"{path}: is no JSON ({error})") from None
    try:
        return tuple(GivenCalls.model_validate(content).calls)
    except ValidationError as error:
        known = ", ".join(Given.model_fields)
        raise ArgumentError(f"{path}: {fault_in(error)}; a call may have {known}") from None
