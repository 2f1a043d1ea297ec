"""The tables of a scenario file, each a frozen model: [run], [arrivals], [queue], [attendants] and so on.

What one table alone can tell is checked here, what takes several in ``scenario``. Durations are seconds, rates are
events per second, shares numbers from 0 to 1; a patience or a limit that is None has no end.
"""

import ast
import inspect
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

import pydantic

from parksim.errors import UnfitError
from parksim.rules.codes import FETCH_CALL, FETCH_NUMBER, FETCH_OLDEST, SLOT_NAMES, TAKEN_NAMES
from parksim.scenario import quantities as q
from parksim.scenario import recordings
from parksim.scenario.laws import Constant, Law, by_kind
from parksim.scenario.recordings import Recording


def _described(schema: dict[str, Any], model: type[pydantic.BaseModel]) -> None:
    """Add the docstring below each attribute to the JSON Schema; read now, since reading them takes 60 ms."""
    body = ast.parse(inspect.getsource(model)).body[0].body  # type: ignore[attr-defined]  # a class
    for line, below in pairwise(body):
        if isinstance(line, ast.AnnAssign) and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
            schema["properties"][line.target.id]["description"] = inspect.cleandoc(below.value.value)  # type: ignore[union-attr, arg-type]  # a name, a text


class Section(pydantic.BaseModel):
    """A table of the file: unknown keys are errors, nothing changes after loading."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, json_schema_extra=_described)


def _none_if_unlimited(value: object) -> object:
    return None if value == q.UNLIMITED else value


LATER: Final = frozenset({"slot", "slot_taken", "order", "blind", "remind_every", "forward_after", "retrievable"})
"""Keys that came after scenarios had digests: at their defaults they are not part of what a digest is made from."""

LawOrUnlimited = Annotated[Law | None, pydantic.BeforeValidator(_none_if_unlimited)]
"""A law, or None where the file says "unlimited"."""


def _yes_or_no(value: object) -> object:
    if not isinstance(value, bool):
        raise UnfitError("must be true or false", "write true, without quotation marks")
    return value


YesOrNo = Annotated[bool, pydantic.BeforeValidator(_yes_or_no)]


def _counts(low: int, high: int) -> list[dict[str, Any]]:
    return [{"type": "integer", "minimum": low, "maximum": high}, {"const": q.UNLIMITED}]


def _count(low: int, high: int, what: str) -> tuple[pydantic.PlainValidator, pydantic.WithJsonSchema]:
    schema = {"anyOf": _counts(low, high)}
    return pydantic.PlainValidator(q.count(low, high, what)), pydantic.WithJsonSchema(schema)


def _longer(what: str, example: str) -> pydantic.AfterValidator:
    """Return what refuses a duration of 0."""

    def longer(value: object) -> object:
        if value == 0:
            raise UnfitError(f"{what} must be longer than 0", f'write for instance "{example}"')
        return value

    return pydantic.AfterValidator(longer)


def one_line(example: str) -> pydantic.AfterValidator:
    """Return what refuses a text that is more than one line of printable characters."""

    def printable(value: str) -> str:
        if not value.isprintable():
            raise UnfitError("must be one line of printable characters", f"write for instance {example}")
        return value

    return pydantic.AfterValidator(printable)


class Run(Section):
    """[run]: how long a replication lasts. Counts are of calls offered in [warm_up, horizon)."""

    horizon: Annotated[q.Duration, _longer("the horizon", "1d")] | None = None
    """Seconds; may be left out for recorded arrivals only."""
    warm_up: q.Duration = 0.0
    """Start that is not counted."""
    cool_down: q.Duration = 0.0
    """Time after the horizon in which calls are still offered, but not counted."""
    precision: q.Share | None = None
    """Relative half-width at which a study may stop."""

    @pydantic.field_validator("precision")
    @classmethod
    def _possible(cls, value: float | None) -> float | None:
        if value is not None and not 0 < value < 1:
            raise UnfitError("a precision must be above 0 and below 1", 'write for instance "5%"')
        return value

    @pydantic.model_validator(mode="after")
    def _counted(self) -> Self:
        if self.horizon is not None and self.horizon <= self.warm_up:
            raise UnfitError(
                f"the horizon ({self.horizon:g} s) must be later than the warm-up ({self.warm_up:g} s)",
                "lengthen horizon or shorten warm_up",
                ("horizon",),
            )
        return self


class BusyDays(Section):
    """arrivals.busy_days: the rate of each calendar day is multiplied by a gamma factor of mean 1.

    Days are independent; a day is from one midnight to the next, counted from instant 0.
    """

    cv: Annotated[
        float,
        pydantic.PlainValidator(q.variation),
        pydantic.WithJsonSchema({"type": "number", "minimum": 0, "maximum": q.MOST_CV}),
    ]
    """Coefficient of variation of the factor: its standard deviation, as a share of the mean."""


def _days(value: object) -> object:
    if not isinstance(value, Mapping | BusyDays | None):
        raise UnfitError("must be a table", "write busy_days = { cv = 0.15 }")
    return value


Days = Annotated[BusyDays | None, pydantic.BeforeValidator(_days)]


class Poisson(Section):
    """[arrivals] of kind poisson: a constant rate."""

    kind: Literal["poisson"]
    rate: q.Rate
    """Calls per second, written "120/h", "2/min" or "0.2/s"."""
    busy_days: Days = None
    """How much the rate differs from day to day; not given: all days are alike."""


class Hourly(Section):
    """[arrivals] of kind hourly: Poisson, with a rate for each hour of the day."""

    kind: Literal["hourly"]
    calls_per_hour: tuple[float, ...]
    """24 numbers; the hour of an instant is (instant // 1 h) % 24."""
    busy_days: Days = None
    """How much the rates differ from day to day; not given: all days are alike."""

    @pydantic.field_validator("calls_per_hour", mode="before")
    @classmethod
    def _a_day(cls, value: object) -> tuple[float, ...]:
        hours = q.a_day(value, "calls_per_hour", "from 0-1 h to 23-24 h")
        numbers = tuple(q.number(one, f"hour {hour}", "write calls an hour") for hour, one in enumerate(hours))
        for hour, one in enumerate(numbers):
            if not 0 <= one <= 1e9:
                raise UnfitError(f"hour {hour} must be from 0 to 1e9", "write calls an hour")
        if not any(numbers):
            raise UnfitError("at least one hour must have calls", "write calls an hour")
        return numbers


class Recorded(Section):
    """[arrivals] of kind recorded: the instants stand in a file."""

    kind: Literal["recorded"]
    file: str = pydantic.Field(min_length=1)
    """CSV; names are relative to the scenario's folder."""
    column: str | None = None
    """ISO 8601 dates, or seconds."""
    resample: Literal["days"] | None = None
    """"days": each replication is one recorded calendar day, drawn at random."""
    _recording: Recording | None = pydantic.PrivateAttr(default=None)

    @pydantic.model_validator(mode="before")
    @classmethod
    def _of_the_file(cls, value: object) -> object:
        if isinstance(value, Mapping) and "busy_days" in value:
            rule = "recorded calls come on the days of their file, which differ as they did"
            raise UnfitError(rule, 'remove it; resample = "days" draws one recorded day a replication', ("busy_days",))
        return value

    @pydantic.model_validator(mode="after")
    def _loaded(self, info: pydantic.ValidationInfo) -> Self:
        if not recordings.is_reference(self.file):
            path = recordings.located(self.file, info.context)
            try:
                self._recording = recordings.instants(recordings.read_column(path, self.column))
            except UnfitError as error:
                raise UnfitError(error.rule, error.step, error.at or ("file",)) from None
        return self

    @pydantic.model_serializer
    def _serialized(self) -> dict[str, Any]:
        file = self.file if self._recording is None else f"sha256:{self._recording.digest}"
        return {"kind": self.kind, "file": file, "column": self.column, "resample": self.resample}

    @property
    def at_hand(self) -> bool:
        """Whether the instants are known, not only the digest of their file."""
        return self._recording is not None

    @property
    def recording(self) -> Recording:
        """The instants.

        Raises:
            UnfitError: the scenario came from a result, which names the file by its digest only.
        """
        if self._recording is None:
            raise UnfitError("the recorded calls are in a file that is not at hand", "load the scenario file itself")
        return self._recording


def _no_table(value: object) -> object:  # noqa: ARG001 - any value is refused
    raise UnfitError("must be a table", '[arrivals] with kind = "poisson" and rate = "120/h", say')


ARRIVALS: Final[dict[str, type[Section]]] = {"poisson": Poisson, "hourly": Hourly, "recorded": Recorded}
"""The arrivals by kind."""
if TYPE_CHECKING:
    Arrivals = Poisson | Hourly | Recorded
else:
    Arrivals = by_kind(ARRIVALS, "needs its kind", "arrivals", _no_table)


def busy_cv(arrivals: Arrivals) -> float:
    """Return the coefficient of variation of a day's rate; 0 where all days are alike."""
    return 0.0 if isinstance(arrivals, Recorded) or arrivals.busy_days is None else arrivals.busy_days.cv


class Queue(Section):
    """[queue]: calls waiting for an attendant."""

    limit: Annotated[int | Literal["unlimited"], *_count(0, 1_000_000_000, "the queue's limit")] = q.UNLIMITED
    """How many may wait; 0: none."""
    patience: LawOrUnlimited = None
    """From the arrival; not given: that of [caller]."""
    target: q.Duration = 20.0
    """The wait within which a call counts as answered in time (the service level)."""


_MOST_ATTENDANTS: Final = 10_000
_constant_count = q.count(1, _MOST_ATTENDANTS, "the number of attendants")


def _attendants(value: object) -> int | str | tuple[int, ...]:
    """Return a number of attendants, "unlimited", or how many are on duty in each hour of the day."""
    if not isinstance(value, list | tuple):
        try:
            return _constant_count(value)  # type: ignore[no-any-return]  # a parser
        except UnfitError as error:
            if not error.step:
                raise
            step = (
                f'write a number from 1 to {_MOST_ATTENDANTS}, "{q.UNLIMITED}", or 24 numbers in brackets, one an hour'
            )
            raise UnfitError(error.rule, step) from None
    step = f"write how many are on duty, from 0 to {_MOST_ATTENDANTS}, for 0-1 h, 1-2 h and so on to 23-24 h"
    numbers = []
    for hour, one in enumerate(q.a_day(value, "count", step)):
        if isinstance(one, bool) or not isinstance(one, int):
            raise UnfitError(f"hour {hour} must be a whole number", step)
        if not 0 <= one <= _MOST_ATTENDANTS:
            raise UnfitError(f"hour {hour} must be from 0 to {_MOST_ATTENDANTS}", step)
        numbers.append(one)
    if not any(numbers):
        raise UnfitError("somebody must be on duty in at least one hour", step)
    return tuple(numbers)


_ATTENDANTS_SCHEMA: Final[dict[str, Any]] = {
    "anyOf": [
        *_counts(1, _MOST_ATTENDANTS),
        q.hours_schema(_counts(0, _MOST_ATTENDANTS)[0]),
    ]
}


class Attendants(Section):
    """[attendants]: the group of extensions that answers and parks."""

    count: Annotated[
        int | Literal["unlimited"] | tuple[int, ...],
        pydantic.PlainValidator(_attendants),
        pydantic.WithJsonSchema(_ATTENDANTS_SCHEMA),
    ]
    """Extensions, "unlimited", or 24 numbers: how many are on duty in each hour of the day, the first by position."""
    handling: Law
    """From the answer to the decision to park or not."""
    talk: Law = Constant(value=0.0)
    """Talk that ends a call that is not parked."""

    @property
    def counts(self) -> tuple[int, ...]:
        """How many are on duty in each hour of the day; () where the file has no list of the hours."""
        return self.count if isinstance(self.count, tuple) else ()

    @property
    def most(self) -> int | Literal["unlimited"]:
        """How many extensions there are."""
        return max(self.count) if isinstance(self.count, tuple) else self.count

    @property
    def change(self) -> bool:
        """Whether their number changes in the course of the day."""
        return len(set(self.counts)) > 1

    @property
    def in_words(self) -> str:
        """How many there are: "1 attendant", "1 to 4 attendants", "unlimited attendants"."""
        least = f"{min(self.counts)} to " if self.change else ""
        return f"{least}{self.most} attendant{'s' if least or self.most != 1 else ''}"


RetryAfter = Annotated[q.Duration, _longer("retry_after", "10s")]
"""The time between two requests of a kept call."""


def _probability(value: object) -> float | tuple[float, ...]:
    if not isinstance(value, list | tuple):
        return q.share(value)
    step = 'write 24 numbers from 0 to 1 or texts such as "5%", for 0-1 h, 1-2 h and so on to 23-24 h'
    return q.of_each_hour(value, "probability", step, q.share)


class Parking(Section):
    """[parking]: which calls are parked."""

    probability: Annotated[
        float | tuple[float, ...],
        pydantic.PlainValidator(_probability),
        pydantic.WithJsonSchema({"anyOf": [*q.SHARE_SCHEMA["anyOf"], q.hours_schema(q.SHARE_SCHEMA)]}),
    ]
    """Share of handlings that end in a park request; or 24 shares, by the hour in which the call is offered."""
    max_parks: int = pydantic.Field(default=1, ge=1, le=100, strict=True)
    """How often one call may be parked."""
    announcement: q.Duration = 0.0
    """Time of the attendant that a park costs (the page, the slot read out)."""
    slot: Literal[SLOT_NAMES] = "lot"  # type: ignore[valid-type]  # the rules' words
    """Which slot the parker asks for: "lot": none, the lot chooses; "own": one key an attendant; "chosen": one that is
    free, as the lamps show."""
    slot_taken: Literal[TAKEN_NAMES] = "next"  # type: ignore[valid-type]  # the rules' words
    """What follows if that slot is taken: the next free one, a refusal, or "retrieve": the two callers meet."""
    when_full: Literal["keep", "overflow", "drop"] | None = None
    """Of several lots; what follows a refused park; "overflow" asks the lots after it."""
    retries: int | None = pydantic.Field(default=None, ge=0, le=10_000, strict=True)
    """Of several lots: how often a kept call asks again."""
    retry_after: RetryAfter | None = None
    """Of several lots: time between two requests."""

    @property
    def shares(self) -> tuple[float, ...]:
        """The share of each hour of the day."""
        return self.probability if isinstance(self.probability, tuple) else (self.probability,) * q.HOURS


def _factors(value: object) -> tuple[float, ...] | None:
    step = "write 24 numbers such as 1 (as usual) or 1.5 (half as long again), for 0-1 h, 1-2 h and so on to 23-24 h"
    return None if value is None else q.of_each_hour(value, "delay_factor", step, q.factor)


class Retrieval(Section):
    """[retrieval]: how parked calls are fetched."""

    delay: Law | None = None
    """From the park until somebody comes for the call; may be left out when never = 1."""
    delay_factor: Annotated[
        tuple[float, ...] | None,
        pydantic.PlainValidator(_factors),
        pydantic.WithJsonSchema(q.hours_schema({"type": "number", "exclusiveMinimum": 0, "maximum": q.MOST_TIMES})),
    ] = None
    """24 numbers by which the delay is multiplied, by the hour in which the call is offered."""
    never: q.Share = 0.0
    """Share never fetched."""
    staff: Annotated[int | Literal["unlimited"], *_count(1, 10_000, "the number of staff")] = q.UNLIMITED
    """How many members fetch calls."""
    talk: Law = Constant(value=0.0)
    """Talk with the member, which ends the call."""
    order: Literal["own", "oldest"] = "own"
    """Whom somebody fetches who comes: the call it came for, or the one parked longest in that lot."""
    blind: YesOrNo = False
    """Whether the number of the slot is dialled as it was told, also if another call is in the slot by then."""

    @pydantic.model_validator(mode="after")
    def _fetched(self) -> Self:
        if self.delay is None and self.never < 1:
            raise UnfitError(
                "needs delay, the time until somebody fetches a parked call",
                'add delay = "60s" or a law, or never = 1',
                ("delay",),
            )
        if self.delay is None and self.delay_factor is not None:
            raise UnfitError("needs a delay to multiply", 'add delay = "60s" or a law, or remove it', ("delay_factor",))
        return self

    @pydantic.model_validator(mode="after")
    def _by_number(self) -> Self:
        if self.blind and self.order != "own":
            raise UnfitError(
                "who fetches the call that is parked longest dials no number that was told",
                'set order = "own", or remove blind',
                ("blind",),
            )
        return self

    @property
    def fetching(self) -> int:
        """Whom somebody fetches who comes, one of ``codes.FETCH_*``."""
        return FETCH_OLDEST if self.order == "oldest" else FETCH_NUMBER if self.blind else FETCH_CALL

    @property
    def factors(self) -> tuple[float, ...]:
        """What the delay is multiplied by in each hour of the day."""
        return self.delay_factor or (1.0,) * q.HOURS


MOST_REMINDERS: Final = 1_000


class Recall(Section):
    """[recall]: where a call goes when its time in the lot is up."""

    to: Literal["parker", "group", "elsewhere", "reminder"] = "parker"
    """The extension that parked it, any attendant ("group": without ringing, ahead of new calls), "elsewhere":
    voicemail or another number, where the call leaves the system; or "reminder": it stays in its slot, and its parker
    is reminded of it until it is forwarded."""
    ring: Annotated[q.DurationOrUnlimited, _longer("ring", "30s")] = 30.0
    """How long the parker is rung."""
    attempts: int = pydantic.Field(default=1, ge=1, le=1_000, strict=True)
    """How many times it rings."""
    answer: Law = Constant(value=0.0)
    """From the first ring until the parker answers."""
    never: q.Share = 0.0
    """Share of returns that the parker never answers."""
    busy: Literal["wait", "group", "drop"] = "wait"
    """What a return does that finds its parker busy."""
    unanswered: Literal["group", "drop"] = "group"
    """What a return does that nobody answered."""
    patience: LawOrUnlimited = None
    """From the time-out until the caller hangs up; not given: that of [caller]."""
    remind_every: Annotated[q.Duration, _longer("remind_every", "30s")] = 30.0
    """Of reminders: the time from one to the next; the first comes at max_in_parking."""
    forward_after: Annotated[q.Duration, _longer("forward_after", "300s")] = 300.0
    """Of reminders: the time from the first until the call leaves for elsewhere."""
    retrievable: YesOrNo = False
    """Whether a call can be fetched while its return rings."""

    @pydantic.model_validator(mode="after")
    def _rings(self) -> Self:
        if self.to == "reminder" and self.forward_after > MOST_REMINDERS * self.remind_every:
            raise UnfitError(
                f"that is more than {MOST_REMINDERS} reminders of one call", "lengthen it", ("remind_every",)
            )
        if self.retrievable and self.to != "parker":
            raise UnfitError(
                f'a return to "{self.to}" does not ring, so nobody fetches it then',
                'set to = "parker", or remove it',
                ("retrievable",),
            )
        return self


class Caller(Section):
    """[caller]: one patience for queue, lot and return, drawn anew for each, where they have none of their own."""

    patience: LawOrUnlimited = None


def _moment(value: object) -> object:
    if not isinstance(value, datetime | str) or (isinstance(value, datetime) and value.tzinfo is None):
        raise UnfitError("must be a date and time with its offset", "write epoch = 2026-01-05T08:00:00Z")
    return value


def _within_calendar(value: datetime) -> datetime:
    if not EARLIEST_YEAR <= value.year <= LATEST_YEAR:
        rule = f"must be in the years {EARLIEST_YEAR} to {LATEST_YEAR}: calls end long after it"
        raise UnfitError(rule, "write epoch = 2026-01-05T08:00:00Z")
    return value


EARLIEST_YEAR, LATEST_YEAR = 1900, 9000
_USER = re.compile(r"(?:[A-Za-z0-9_.-]{1,64}:)?[A-Za-z0-9_.-]{1,64}")
_EXTENSION = re.compile(r"[0-9*]{1,32}")
_URL = re.compile(r"https?://[^\s/?#]+(?:/[^\s?#]*)?")


class Uapi(Section):
    """[uapi]: the switchboard's directory and its names on the wire."""

    base_url: str = "http://127.0.0.1:8080"
    """From which links are built."""
    epoch: Annotated[
        pydantic.AwareDatetime, pydantic.BeforeValidator(_moment), pydantic.AfterValidator(_within_calendar)
    ] = datetime(2026, 1, 5, 8, tzinfo=UTC)
    """The date of instant 0; a midnight where [arrivals] go by the hour of the day."""
    organization: str = "0003"
    owner_id: str = "3"
    owner_name: str = "Default Organization"
    users: dict[str, tuple[str, ...]] = pydantic.Field(default_factory=dict)
    """Extensions by user, in file order: attendants first, then staff; further ones get no traffic."""
    pickup: q.DurationOrUnlimited | None = None
    """How long a simulated telephone rings that a client calls (default 0 s); "unlimited": nobody answers."""

    @pydantic.field_validator("base_url")
    @classmethod
    def _url(cls, value: str) -> str:
        if len(value) > 200 or _URL.fullmatch(value) is None:
            raise UnfitError("must be an http or https address", 'write for instance "http://127.0.0.1:8080"')
        return value.rstrip("/")

    @pydantic.field_validator("users")
    @classmethod
    def _directory(cls, value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        seen: dict[str, str] = {}
        for user, extensions in value.items():
            if _USER.fullmatch(user) is None:
                raise UnfitError("a user is letters, digits, '_', '.' and '-'", 'write for instance "12"', (user,))
            for extension in extensions:
                if _EXTENSION.fullmatch(extension) is None:
                    raise UnfitError(
                        f"{extension[:32]!r} is no extension: digits and '*'", 'write for instance "0003*210"', (user,)
                    )
                if extension in seen:
                    owner = seen[extension]
                    raise UnfitError(
                        f"extension {extension!r} is listed twice, with user {owner!r} too",
                        "an extension has one user",
                        (user,),
                    )
                seen[extension] = user
        return value
