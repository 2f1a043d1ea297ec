"""What goes over UAPI's wire: numbers, bodies, resources, and the ladder of refusals.

Pure data and grammar; ``register`` holds the state and ``service`` the service. The vocabulary is VoipNow's
UnifiedAPI (wiki.4psa.com, pages "Park PhoneCalls", "PhoneCalls Resource", "HTTP Return Codes", "Data Types"), whose
camelCase appears in the files of this folder and nowhere else in the package.

Reading is tolerant where the vendor's own pages disagree (``link``/``links``, ``callerId``/``callerID``,
``waitForPickup``/``waitForPickUp``, numbers as numbers or as strings); writing has one form: numbers of a view as
strings, counters as numbers, nulls left out, dates as ISO 8601 with whole seconds and offset, as the pages print them.

>>> PhoneCallAction.model_validate({"action": "Park", "phoneCallViewId": "01", "maxInParking": "12.5"})
PhoneCallAction(action='Park', view_id='01', max_in_parking_us=12500000, send_call_to=None, caller_id=None, \
wait_for_pickup_us=25000000)
>>> Refusal.LOT_FULL.status, Refusal.LOT_FULL.code
(409, 'pc_parkinglot_full')
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from enum import Enum
from functools import lru_cache
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

import pydantic as p

from parksim.errors import ArgumentError, RefusedError

SECOND_US: Final = 1_000_000
MAX_IN_PARKING_S: Final = (10, 3600)
MAX_IN_PARKING_DEFAULT_US: Final = 180 * SECOND_US
WAIT_FOR_PICKUP_S: Final = (1, 3600)
"""UAPI names no range for waitForPickup; this one is parksim's own."""
WAIT_FOR_PICKUP_DEFAULT_US: Final = 25 * SECOND_US
BODY_LIMIT_BYTES: Final = 65_536
TARGET_LIMIT_CHARACTERS: Final = 4_096
SHOWN_CHARACTERS: Final = 64
COUNT_DEFAULT: Final = 20
COUNT_MAX: Final = 5_000
START_INDEX_MAX: Final = 5_000

OBJECT_ID: Final = re.compile(r"(?:[A-Za-z0-9_.-]+:)?[A-Za-z0-9_.-]+")
EXTENSION_NUMBER: Final = re.compile(r"[0-9*]+")
_SECONDS: Final = re.compile(r"[0-9]{1,4}(?:\.[0-9]{1,6})?")
_WHOLE: Final = re.compile(r"[0-9]{1,9}")
_MICROSECOND: Final = Decimal("0.000001")
_NOT_A_NUMBER: Final = Decimal("NaN")


class Refusal(Enum):
    """Why a request is refused: a ladder, the first rung that applies is the one answer.

    The order of the members is the order of the checks: what HTTP needs, then the token, the user, the extension,
    the call, the body with its action, the action's own fields, the view, the view's state, the lot. Each member
    has its HTTP ``status``, its UAPI ``code`` and a ``message`` for people. Codes that UAPI does not document are
    parksim's own and marked so.
    """

    SERVICE_UNAVAILABLE = (503, "service_unavailable", "Too many connections; try again later.")  # own
    REQUEST_TIMEOUT = (408, "request_timeout", "The request did not arrive in time.")  # own
    REQUEST_MALFORMED = (400, "request_invalid", "The request is not well-formed HTTP/1.1.")  # own
    HEADERS_TOO_LARGE = (431, "headers_too_large", "The request's header fields are too large.")  # own
    URI_TOO_LONG = (414, "uri_too_long", f"The target is longer than {TARGET_LIMIT_CHARACTERS} characters.")  # own
    HOST_REFUSED = (421, "host_refused", "This service does not answer for that host.")  # own
    ORIGIN_REFUSED = (403, "origin_refused", "Pages of that origin may not call this service.")  # own
    NOT_FOUND = (404, "not_found", "There is no such resource.")  # own
    METHOD_NOT_ALLOWED = (405, "method_not_allowed", "The resource does not have this method; see Allow.")  # own
    ACCESS_DENIED = (401, "access_denied", "A valid bearer token is required.")
    USER_INVALID = (400, "user_invalid", "The user in the path is unknown.")
    EXTENSION_INVALID = (400, "extension_invalid", "The extension is unknown, or not the user's.")
    PHONECALL_INVALID = (400, "pc_phonecall_invalid", "The phoneCallId names no call of this extension.")
    QUERY_INVALID = (400, "request_invalid", "A query parameter is not valid.")  # own
    BODY_TOO_LARGE = (413, "request_invalid", f"The body is longer than {BODY_LIMIT_BYTES} bytes.")  # own
    BODY_INVALID = (400, "request_invalid", "The body must be one JSON object in UTF-8, as documented.")  # own
    ACTION_NOT_IMPLEMENTED = (501, "request_not_implemented", "This operation is not implemented.")
    PARKTIMEOUT_INVALID = (400, "pc_parktimeout_invalid", "maxInParking must be a number from 10 to 3600 seconds.")
    SEND_CALL_TO_INVALID = (400, "request_invalid", "sendCallTo must be an extension of the organization.")  # own
    WAIT_FOR_PICKUP_INVALID = (400, "request_invalid", "waitForPickup must be a number from 1 to 3600.")  # own
    VIEW_INVALID = (400, "pc_phonecallview_invalid", "phoneCallViewId must name a view of the call.")
    VIEW_STATE = (400, "pc_phonecallview_invalid", "The view is not in a state that allows this action.")
    EVENT_ID_INVALID = (400, "pce_id_invalid", "There is no phone call event with that id.")
    EVENT_TYPE_INVALID = (400, "pcet_type_invalid", "The type of a phone call event is a number from 0 to 4.")
    EVENT_METHOD_INVALID = (400, "pce_method_invalid", "The method must be 0 (GET) or 1 (POST).")
    EVENT_URL_INVALID = (400, "request_invalid", "The url must be an http or https address that may be called.")  # own
    EVENTS_FULL = (409, "pce_full", "There are as many phone call events as the service keeps.")  # own
    LOT_FULL = (409, "pc_parkinglot_full", "Every position of the parking lot is taken; nothing was changed.")  # own
    INTERNAL_ERROR = (500, "internal_server_error", "The service failed; nothing was changed.")

    def __init__(self, status: int, code: str, message: str) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.rung = len(type(self).__members__)


def shown(value: object) -> str:
    """Return at most 64 printable ASCII characters that tell what ``value`` was, for a message.

    >>> shown("ten seconds"), shown(["secret"])
    ("'ten seconds'", 'a list')
    """
    if isinstance(value, str):
        text = ascii(value[:SHOWN_CHARACTERS])
    elif value is None or isinstance(value, bool):
        text = json.dumps(value)
    elif isinstance(value, int | float | Decimal):
        text = str(Decimal(value))  # as an int it could have too many digits for Python to print
    else:
        text = f"a {type(value).__name__}"
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 3] + "..."


def seconds_us(value: object, least_s: int, most_s: int) -> int:
    """Read a duration of the wire, in seconds, as integer microseconds.

    A finite number (never a truth value), or a string of one to four ASCII digits, perhaps with a point and one to
    six more (so ``"30"``, ``"030"``, ``"12.5"``, but no sign, space, exponent or digit of another script), from
    ``least_s`` to ``most_s``, both included. The range is tested before rounding to the nearest microsecond.

    Raises:
        ArgumentError: anything else.

    >>> seconds_us("030", 10, 3600), seconds_us(Decimal("12.5"), 10, 3600)
    (30000000, 12500000)
    """
    is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    is_text = isinstance(value, str) and _SECONDS.fullmatch(value) is not None
    seconds = Decimal(value) if is_number or is_text else _NOT_A_NUMBER  # type: ignore[arg-type]  # just tested
    if not seconds.is_finite() or not least_s <= seconds <= most_s:
        raise ArgumentError(f"not a number from {least_s} to {most_s}")
    # A context of our own: the caller's may have few digits, or traps.
    exact = Context(prec=28, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation])
    return int(seconds.quantize(_MICROSECOND, context=exact).scaleb(6, exact))


def seconds_text(time_us: int) -> str:
    """Return microseconds as seconds in the grammar that ``seconds_us`` reads."""
    whole_s, rest_us = divmod(time_us, SECOND_US)
    return f"{whole_s}.{rest_us:06d}".rstrip("0").rstrip(".") if rest_us else str(whole_s)


def date_text(instant: datetime) -> str:
    """Return an instant as the wire shows it: ISO 8601 with whole seconds, rounded down, and its offset.

    >>> date_text(datetime.fromisoformat("2012-06-27T16:08:50.999999+03:00"))
    '2012-06-27T16:08:50+03:00'
    """
    return instant.isoformat(timespec="seconds")


def _whole(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value)
    raise ArgumentError("not a whole number")


def _encodable(value: str) -> str:
    value.encode()  # JSON can spell half a surrogate pair, which no answer could carry
    return value


def _split(value: object) -> object:
    return tuple(value.split(",")) if isinstance(value, str) else value


def _known_fields(names: tuple[str, ...]) -> tuple[str, ...]:
    names = tuple("link" if name == "links" else name for name in names)
    if not set(names) <= set(CALL_FIELDS):
        raise ArgumentError("not a field of a call")
    return names


Text = Annotated[str, p.StringConstraints(strict=True), p.AfterValidator(_encodable)]
ViewId = Annotated[str, p.StringConstraints(strict=True, pattern=r"\A[A-Za-z0-9]+\z")]
ExtensionNumber = Annotated[str, p.StringConstraints(strict=True, pattern=r"\A[0-9*]+\z")]
Count = Annotated[int, p.BeforeValidator(_whole)]
"""A counter: read as a number or a string of digits, written as a number."""
WireNumber = Annotated[int, p.BeforeValidator(_whole), p.PlainSerializer(str, return_type=str)]
"""A number of a view: read as a number or a string of digits, written as a string."""
WireDate = Annotated[p.AwareDatetime, p.PlainSerializer(date_text, return_type=str)]
"""An instant, to the microsecond inside; written in whole seconds, rounded down, as the vendor's pages print it."""
Numbers = Annotated[tuple[Text, ...], p.BeforeValidator(lambda value: (value,) if isinstance(value, str) else value)]
"""Extensions or telephone numbers; the vendor's samples also send one bare string."""
WireSeconds = p.PlainSerializer(seconds_text, return_type=str)
MaxInParking = Annotated[int, p.BeforeValidator(lambda value: seconds_us(value, *MAX_IN_PARKING_S)), WireSeconds]
WaitForPickup = Annotated[int, p.BeforeValidator(lambda value: seconds_us(value, *WAIT_FOR_PICKUP_S)), WireSeconds]
CALLER_ID: Final = p.Field(validation_alias=p.AliasChoices("callerId", "callerID"), serialization_alias="callerId")


class Wire(p.BaseModel):
    """What goes over the wire: unknown fields are ignored; ``on_the_wire`` writes it, nulls left out."""

    model_config = p.ConfigDict(frozen=True, extra="ignore", serialize_by_alias=True, hide_input_in_errors=True)

    def on_the_wire(self, fields: set[str] | None = None) -> dict[str, Any]:
        """Return what JSON shows of it, or of some of its fields."""
        return self.model_dump(mode="json", exclude_none=True, include=fields)


class PhoneCallLink(Wire):
    """Where a call is found: ``{"self": url}``."""

    url: str = p.Field(alias="self")


class PhoneCallView(Wire):
    """One perspective on a call ("PhoneCalls Resource", table PhoneCallView).

    ``status``: 0 unknown, 1 off hook, 2 trying, 3 ringing, 4 the other side rings, 5 on call. A view is parked
    when ``parked`` is there; then ``parked_pos`` (counted from the lot's first position) and ``parked_by`` are too.
    While a call whose time is up rings its parker, ``parked_by`` alone is left.
    """

    id: ViewId
    extension: str
    flow: WireNumber | None = None
    ringing: WireDate | None = None
    answered: WireDate | None = None
    status: WireNumber
    caller_id: Annotated[str | None, CALLER_ID] = None
    source: Numbers
    destination: Numbers
    recording: WireDate | None = None
    on_hold: WireDate | None = p.Field(default=None, alias="onHold")
    holder: WireNumber | None = None
    parked: WireDate | None = None
    parked_pos: WireNumber | None = p.Field(default=None, alias="parkedPos")
    parked_by: str | None = p.Field(default=None, alias="parkedBy")
    disposition: WireNumber | None = None


class PhoneCall(Wire):
    """A telephone call ("PhoneCalls Resource"). ``owner_id`` is the organization; ``extension`` is charged."""

    id: str
    extension: str
    owner_id: str = p.Field(alias="ownerId")
    owner_name: str = p.Field(alias="ownerName")
    answered: WireDate | None = None
    published: WireDate
    nonce: str | None = None
    phone_call_view: tuple[PhoneCallView, ...] = p.Field(alias="phoneCallView")
    link: PhoneCallLink = p.Field(validation_alias=p.AliasChoices("link", "links"))


CALL_FIELDS: Final = tuple(field.alias or name for name, field in PhoneCall.model_fields.items())
"""What List's parameter ``fields`` may name."""


class Paging(Wire):
    """Addresses of the neighbouring pages; one that does not exist is left out."""

    next: str | None = None
    prev: str | None = None


class PhoneCallCollection(Wire):
    """A page of calls: ``total_results`` counts the whole (filtered) set, ``items_per_page`` is the size asked for."""

    entry: tuple[PhoneCall, ...] = ()
    start_index: Count = p.Field(default=0, alias="startIndex")
    total_results: Count = p.Field(alias="totalResults")
    items_per_page: Count = p.Field(default=COUNT_DEFAULT, alias="itemsPerPage")
    filtered: bool = False
    sorted: bool = False
    paging: Paging = Paging()


ANY_VIEW: Final = ""
"""Where no view is named."""


class PhoneCallAction(Wire):
    """The body of a PUT: what to do with a call ("PhoneCalls Resource", table PhoneCallAction).

    ``max_in_parking_us`` belongs to Park (10 to 3600 s, default 180 s), ``send_call_to`` and ``wait_for_pickup_us``
    (default 25 s) to UnPark and PickUp, the former to Transfer too, which alone needs no view. ``caller_id`` is for the
    retriever's display and has no effect here.
    """

    action: Text
    view_id: ViewId = p.Field(default=ANY_VIEW, alias="phoneCallViewId")
    max_in_parking_us: MaxInParking = p.Field(default=MAX_IN_PARKING_DEFAULT_US, alias="maxInParking")
    send_call_to: ExtensionNumber | None = p.Field(default=None, alias="sendCallTo")
    caller_id: Annotated[str | None, CALLER_ID] = None
    wait_for_pickup_us: WaitForPickup = p.Field(
        default=WAIT_FOR_PICKUP_DEFAULT_US,
        validation_alias=p.AliasChoices("waitForPickup", "waitForPickUp"),
        serialization_alias="waitForPickup",
    )


class SimpleCallParty(Wire):
    """From whom and to whom a created call goes; one number each is used."""

    source: Numbers = ()
    destination: Annotated[Numbers, p.Field(min_length=1)]
    caller_id: Annotated[Text, CALLER_ID] = ""


class SimpleCall(Wire):
    """The body of ``POST .../simple``: a call from ``extension`` to the first destination."""

    extension: Text
    phone_call_view: Annotated[tuple[SimpleCallParty, ...], p.Field(min_length=1)] = p.Field(alias="phoneCallView")
    nonce: Text | None = None


class ListQuery(Wire):
    """The query of List: page, filter, order and the fields wanted ("List PhoneCalls"; OpenSocial 1.1).

    ``fields`` are names of ``CALL_FIELDS``; empty: all of them. Parameters that are not listed are ignored.
    """

    count: Annotated[Count, p.Field(ge=1, le=COUNT_MAX)] = COUNT_DEFAULT
    start_index: Annotated[Count, p.Field(ge=0, le=START_INDEX_MAX)] = p.Field(default=0, alias="startIndex")
    filter_by: Literal["id", "published"] | None = p.Field(default=None, alias="filterBy")
    filter_op: Literal["contains", "equals", "greaterThan", "inArray", "lessThan", "present", "startsWith"] = p.Field(
        default="contains", alias="filterOp"
    )
    filter_value: str | None = p.Field(default=None, alias="filterValue")
    fields: Annotated[tuple[Text, ...], p.BeforeValidator(_split), p.AfterValidator(_known_fields)] = ()
    sort_order: Literal["ascending", "descending"] = p.Field(default="ascending", alias="sortOrder")


def _digit(value: object) -> int:
    for number in range(10):
        if not isinstance(value, bool) and value in (number, str(number)):
            return number
    raise ArgumentError("not a digit")


Digit = Annotated[int, p.BeforeValidator(_digit)]
EVENT_TYPES: Final = range(5)
"""Dial-In, Dial-Out, Hangup, answer of an incoming call, answer of an outgoing call."""


class PhoneCallEvent(Wire):
    """A phone call event as it is read, each number as one or as a text; ``id`` is the service's."""

    type: Annotated[Digit, p.Field(ge=EVENT_TYPES[0], le=EVENT_TYPES[-1])]
    url: Text
    method: Annotated[Digit, p.Field(le=1)] = 0
    status: Annotated[Digit, p.Field(le=1)] = 1
    note: Annotated[Text, p.Field(max_length=TARGET_LIMIT_CHARACTERS)] = ""


PARAMETERS: Final[Mapping[str, tuple[str, ...]]] = {
    "Park": ("maxInParking",),
    "UnPark": ("sendCallTo", "waitForPickup", "waitForPickUp"),
    "OnHold": (),
    "OffHold": (),
    "PickUp": ("sendCallTo", "waitForPickup", "waitForPickUp"),
    "Transfer": ("sendCallTo",),
}
"""The actions that are implemented, each with the body's fields that it reads beside action and phoneCallViewId."""

_BLAMED: Final[Mapping[str, Refusal]] = {
    "maxInParking": Refusal.PARKTIMEOUT_INVALID,
    "waitForPickup": Refusal.WAIT_FOR_PICKUP_INVALID,
    "waitForPickUp": Refusal.WAIT_FOR_PICKUP_INVALID,
    "phoneCallViewId": Refusal.VIEW_INVALID,
}


def _number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:  # an exponent beyond everything; only its field can say whether that matters
        return _NOT_A_NUMBER


@lru_cache(1)  # a request is read for its rank, and again when its turn has come
def read_body(body: bytes) -> Mapping[str, object] | Refusal:
    """Read a request's body: the JSON object in it, or the refusal that it earns. Never raises.

    UTF-8 without a byte-order mark; numbers become ``Decimal``, so that none is lost or refused before its field
    is known; of equal names the last wins.
    """
    if len(body) > BODY_LIMIT_BYTES:
        return Refusal.BODY_TOO_LARGE
    try:
        value = json.loads(body.decode(), parse_int=_number, parse_float=_number, parse_constant=_number)
    except (ValueError, RecursionError, OverflowError):
        return Refusal.BODY_INVALID
    return MappingProxyType(value) if isinstance(value, dict) else Refusal.BODY_INVALID


def read_action(fields: Mapping[str, object], can_ring: Callable[[str], bool]) -> PhoneCallAction:
    """Validate a body's object as an action; fields that the action does not read are ignored.

    ``can_ring`` tells whether a ``sendCallTo`` names an extension that may be rung.

    Raises:
        RefusedError: the lowest rung among all that is wrong with it.
    """
    action = fields.get("action")
    if not isinstance(action, str) or action not in PARAMETERS:
        raise RefusedError(Refusal.ACTION_NOT_IMPLEMENTED, shown(action))
    if "sendCallTo" in PARAMETERS[action]:
        target = fields.get("sendCallTo")
        if not isinstance(target, str) or not can_ring(target):
            raise RefusedError(Refusal.SEND_CALL_TO_INVALID, shown(target))
    read = ("action", "phoneCallViewId", *PARAMETERS[action])
    wrong: list[tuple[Refusal, str]] = []
    if action != "Transfer" and "phoneCallViewId" not in fields:
        wrong.append((Refusal.VIEW_INVALID, ""))
    try:
        valid = PhoneCallAction.model_validate({name: fields[name] for name in read if name in fields})
    except p.ValidationError as error:
        wrong += [(_BLAMED[str(fault["loc"][0])], shown(fault["input"])) for fault in error.errors()]
    if wrong:
        raise RefusedError(*min(wrong, key=lambda fault: fault[0].rung))
    return valid


_BLAMED_OF_EVENTS: Final[Mapping[str, Refusal]] = {
    "type": Refusal.EVENT_TYPE_INVALID,
    "method": Refusal.EVENT_METHOD_INVALID,
}


def read_event(fields: Mapping[str, object]) -> PhoneCallEvent:
    """Validate a body's object as a phone call event.

    Raises:
        RefusedError: the lowest rung among all that is wrong with it.
    """
    try:
        event = PhoneCallEvent.model_validate(fields)
    except p.ValidationError as error:
        wrong = [_BLAMED_OF_EVENTS.get(str(fault["loc"][0]), Refusal.BODY_INVALID) for fault in error.errors()]
        raise RefusedError(min(wrong, key=lambda refusal: refusal.rung)) from None
    if not _is_address(event.url):
        raise RefusedError(Refusal.EVENT_URL_INVALID, shown(event.url))
    return event


def _is_address(url: str) -> bool:
    """Tell whether a text is an address as RFC 3986 has it, of http or https, without user and password."""
    if not url.isascii() or not url.isprintable() or " " in url or len(url) > TARGET_LIMIT_CHARACTERS:
        return False
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname) and "@" not in parts.netloc and parts.port != 0
    except ValueError:  # a port that cannot be one
        return False
    return named and parts.scheme in {"http", "https"}
