"""[lot], the only lot, and [[lot]], one of several: slots, the timer, and whose calls are parked there.

Several lots belong to organisations that share the attendants. Each call is one organisation's: its lot is asked first,
and where a full lot overflows the lots after it, in the order of the file, within the same event. How long a call may
stay, and how long its caller waits, go with the call: they are those of the lot it asked first, wherever it is parked.
What happens where no lot has a slot is the business of the attendants they share, and stands in [parking].
"""

import math
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, field_validator, model_validator

from parksim.errors import UnfitError
from parksim.rules.codes import CHOICE_NAMES
from parksim.scenario.laws import Constant, Empirical, Law
from parksim.scenario.messages import FORMS, nearest
from parksim.scenario.quantities import number
from parksim.scenario.sections import LawOrUnlimited, RetryAfter, Section, one_line

UAPI_LIMITS_S: Final = (10, 3_600)
"""UAPI's range of maxInParking, both ends included."""
MOST_LOTS: Final = 100

if TYPE_CHECKING:
    Choice = str
else:
    Choice = Literal[CHOICE_NAMES]  # the rules' words, so that a new one needs nothing here
Limits = Literal["uapi", "pbx"]


class LotSection(Section):
    """[lot]: the slots and the timer."""

    slots: int = Field(ge=1, le=10_000, strict=True)
    """How many calls can be parked at once."""
    first: int = Field(default=1, ge=0, le=1_000_000_000, strict=True)
    """Label of the first slot."""
    choice: Choice = "lowest"
    """Which free slot a park takes."""
    max_in_parking: LawOrUnlimited = Constant(value=180.0)
    """The longest stay; then the call returns."""
    when_full: Literal["keep", "overflow", "drop"] = "keep"
    """What follows a refused park."""
    retries: int = Field(default=0, ge=0, le=10_000, strict=True)
    """How often a kept call asks again."""
    retry_after: RetryAfter | None = None
    """Time between two requests."""
    patience: LawOrUnlimited = None
    """From the park until the caller hangs up; not given: that of [caller]."""
    limits: Limits = "uapi"
    """Range of max_in_parking: UAPI's 10 s to 3,600 s, or 1 s to "unlimited" as other PBXs allow."""

    @model_validator(mode="after")
    def _together(self) -> Self:
        check_retries(self.retries, self.retry_after, "retries")
        _check_limit(self.max_in_parking, self.limits, "[lot]")
        return self


class NamedLot(Section):
    """[[lot]]: one of several lots, and the organisation whose calls are parked there first."""

    name: str
    """Letters, digits, "-" and "_": its keys are lot.NAME.slots and so on."""
    organization: Annotated[str, one_line('"0003"')] = Field(default="", max_length=200)
    """Whose calls are parked here; not given: named as the lot."""
    weight: float = 1.0
    """Calls go to the lots in the ratio of their weights; 0: only what overflows from others."""
    slots: int = Field(ge=1, le=10_000, strict=True)
    """How many calls can be parked at once."""
    first: int = Field(default=1, ge=0, le=1_000_000_000, strict=True)
    """Label of the first slot."""
    choice: Choice = "lowest"
    """Which free slot a park takes."""
    max_in_parking: LawOrUnlimited = Constant(value=180.0)
    """The longest stay of the organisation's calls, in whichever lot they are; then the call returns."""
    patience: LawOrUnlimited = None
    """Of the organisation's calls, from the park until the caller hangs up; not given: that of [caller]."""
    limits: Limits = "uapi"
    """Range of max_in_parking: UAPI's 10 s to 3,600 s, or 1 s to "unlimited" as other PBXs allow."""

    @field_validator("name")
    @classmethod
    def _a_word(cls, value: str) -> str:
        if re.fullmatch(r"[A-Za-z0-9_-]{1,64}", value) is None:
            raise UnfitError("a lot's name is letters, digits, '-' and '_'", 'write for instance name = "ward"')
        return value

    @field_validator("weight", mode="before")
    @classmethod
    def _weighs(cls, value: object) -> float:
        weight = number(value, "the weight", "write for instance weight = 2")
        if not 0 <= weight <= 1e9:
            raise UnfitError("a weight must be from 0 to 1e9", "write for instance weight = 2")
        return weight

    @model_validator(mode="after")
    def _limited(self) -> Self:
        _check_limit(self.max_in_parking, self.limits, "this [[lot]]")
        return self


def check_retries(retries: int, retry_after_s: float | None, *at: str) -> None:
    """Raise UnfitError where a call is to ask again and nobody says after how long; the retries stand ``at``."""
    if retries > 0 and retry_after_s is None:
        raise UnfitError("retries need retry_after, the time between two requests", 'add retry_after = "10s", say', at)


def _check_limit(law: Law | None, limits: Limits, table: str) -> None:
    at = ("max_in_parking",)
    pbx = f'set limits = "pbx" in {table}'
    if law is None:
        if limits == "uapi":
            raise UnfitError('UAPI allows 10 s to 3600 s, not "unlimited"', pbx, at)
        return
    if isinstance(law, Empirical) and not law.at_hand:
        return
    shortest_s, longest_s = law.support_s
    if limits == "uapi" and not (UAPI_LIMITS_S[0] <= shortest_s and longest_s <= UAPI_LIMITS_S[1]):
        if math.isinf(longest_s):
            raise UnfitError(
                f"UAPI allows 10 s to 3600 s, and a law of kind {law.kind} has no end",
                f"{pbx}, or use a constant, uniform or empirical law",
                at,
            )
        raise UnfitError(
            f"UAPI allows 10 s to 3600 s, and this is {_range(shortest_s, longest_s)}", f"stay inside, or {pbx}", at
        )
    if shortest_s < 1 and not math.isinf(longest_s):
        raise UnfitError(
            f"max_in_parking must be at least 1 s, and this is {_range(shortest_s, longest_s)}",
            'for no limit write "unlimited"',
            at,
        )


def _range(shortest_s: float, longest_s: float) -> str:
    if shortest_s == longest_s:
        return f"{shortest_s:.10g} s"
    return f"from {shortest_s:.10g} s to {longest_s:.10g} s"


def _several(value: object) -> object:
    """Refuse what is no list of lots at all; each lot is looked at by itself afterwards."""
    if isinstance(value, list | tuple) and not 1 <= len(value) <= MOST_LOTS:
        rule = f"needs at least one lot, and at most {MOST_LOTS}, and has {len(value)}"
        raise UnfitError(rule, 'write [[lot]], name = "ward" and slots = 6, say')
    return value


def check_together(lots: Iterable[NamedLot]) -> None:
    """Raise UnfitError for what no lot alone can tell: a name given twice, or calls for none of them."""
    seen: dict[str, int] = {}
    heaviest = 0.0
    for place, lot in enumerate(lots):
        if lot.name in seen:
            rule = f"a lot's name is its own, and lot number {seen[lot.name] + 1} has it as well"
            raise UnfitError(rule, "give each [[lot]] another name", ("lot", place, "name"))
        seen[lot.name] = place
        heaviest = max(heaviest, lot.weight)
    if heaviest == 0:
        raise UnfitError("at least one lot must have calls of its own", "set weight = 1 in it", ("lot", 0, "weight"))


def _form(value: object) -> str:
    return SEVERAL if isinstance(value, list | tuple) else ONE


ONE, SEVERAL = FORMS

Lots = Annotated[
    Annotated[LotSection, Tag(ONE)] | Annotated[tuple[NamedLot, ...], BeforeValidator(_several), Tag(SEVERAL)],
    Discriminator(_form),
]
"""[lot] as one table, or [[lot]] as a list of them."""


def resolved(raw: Mapping[str, Any], path: tuple[str, ...]) -> tuple[str | int, ...]:
    """Return where a dotted key leads to in a file's tables: lot.NAME.slots to that key of the lot of that name.

    Raises:
        UnfitError: there are several lots, and the key names none of them; the message names those there are.
    """
    lots = raw.get("lot")
    if path[0] != "lot" or len(path) == 1 or not isinstance(lots, list):
        return path
    names = [str(lot.get("name", "")) if isinstance(lot, dict) else "" for lot in lots]
    word, rest = path[1], path[2:]
    if word in names and rest:
        return ("lot", names.index(word), *rest)
    those = ", ".join(filter(None, names)) or "without names"
    if word in names:
        raise UnfitError(f"names a whole lot; set one of its keys, such as lot.{word}.slots")
    if word in ("when_full", "retries", "retry_after"):
        raise UnfitError(f"of several lots it is one for all; write parking.{word}")
    near = nearest(word, names)
    if word in NamedLot.model_fields and not near:
        raise UnfitError(f"there are several lots; write lot.NAME.{'.'.join(path[1:])}", f"the lots are {those}")
    raise UnfitError(f"there is no lot {word[:64]!r}; the lots are {those}", f'did you mean "{near}"?' if near else "")


def longest_s(limit: Law | None) -> float:
    """Return the longest stay that a max_in_parking allows, in seconds; inf where there is no limit."""
    if limit is None or (isinstance(limit, Empirical) and not limit.at_hand):
        return math.inf
    return limit.support_s[1]
