"""The register: users, extensions, live calls and their lots at one instant, as an immutable value.

Nothing here changes a register; ``calls`` answers with the next one. Who is in a slot and until when stands in the
``lot``, never twice. Facts number calls by ``Call.number`` (0, 1, 2, ... in the order offered), extensions by
their place in ``Register.extensions`` and lots by their place in ``Register.organizations``.

>>> register = new_register({"12": ["0003*210"], "33": ["0003*024"]}, capacity=20)
>>> register.users[1], register.extensions[1], register.lots[0].slots
(User(id='33', organization=0), Extension(number='0003*024', user=1), 20)
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timezone
from typing import Final, NamedTuple

from parksim.errors import ArgumentError
from parksim.rules import codes, lot
from parksim.rules.codes import NOBODY
from parksim.rules.lot import Fact, Lot
from parksim.rules.uapi.models import EXTENSION_NUMBER, OBJECT_ID

# A view's status, as UAPI numbers it.
STATUS_RINGING: Final = 3
STATUS_OTHER_RINGING: Final = 4
STATUS_ON_CALL: Final = 5
# A view's flow.
FLOW_LOCAL: Final = 2
FLOW_OUTGOING: Final = 4
FLOW_INCOMING: Final = 8


class Organization(NamedTuple):
    """``number`` is what its extensions begin with (``0003`` of ``0003*210``); the rest names it as call owner."""

    number: str
    owner_id: str
    owner_name: str


class User(NamedTuple):
    """A user's id, and the place of its organization."""

    id: str
    organization: int


class Extension(NamedTuple):
    """An extension's number, and the place of the user that owns it."""

    number: str
    user: int


class View(NamedTuple):
    """One perspective on a call. ``extension`` is a place in the register; instants are ``NEVER`` when not (yet)."""

    id: str
    extension: int
    source: tuple[str, ...]
    destination: tuple[str, ...]
    caller_id: str
    flow: int
    status: int
    ringing_us: int
    answered_us: int
    on_hold_us: int


class Stay(NamedTuple):
    """Where a parked call is, and who parked it; its deadline is the lot's.

    ``rung`` is the extension that an UnPark rings until ``ring_end_us``, or ``NOBODY``.
    """

    view: int
    lot: int
    slot: int
    parker: int
    parked_us: int
    rung: int
    ring_end_us: int


class Return(NamedTuple):
    """A call whose time in the lot was up: it rings ``parker`` until somebody answers or it hangs up."""

    view: int
    parker: int


class Call(NamedTuple):
    """A live call. ``extension`` is the one charged; ``ending`` is the reason that its regular end will have."""

    number: int
    id: str
    extension: int
    nonce: str
    views: tuple[View, ...]
    published_us: int
    answered_us: int
    stay: Stay | None
    returning: Return | None
    ending: int


class Register(NamedTuple):
    """Everything the service knows at one instant.

    ``lots[i]`` belongs to ``organizations[i]``, its positions are counted from ``firsts[i]``.
    """

    organizations: tuple[Organization, ...]
    users: tuple[User, ...]
    extensions: tuple[Extension, ...]
    lots: tuple[Lot, ...]
    calls: tuple[Call, ...]
    next_call: int
    firsts: tuple[int, ...]
    base_url: str
    epoch: datetime


class Changed(NamedTuple):
    """The register after something happened, and the facts of it."""

    register: Register
    facts: tuple[Fact, ...]


# --------------------------------------------------------------------------------------------------- the builder

DEFAULT_ORGANIZATION: Final = Organization("0003", "3", "Default Organization")


def new_register(
    users: Mapping[str, Iterable[str]],
    *,
    organizations: Iterable[Organization] = (DEFAULT_ORGANIZATION,),
    capacity: int = 100,
    first: int = 1,
    choice: int = codes.CHOOSE_LOWEST,
    base_url: str = "http://127.0.0.1:8080",
    epoch: datetime = datetime(2026, 1, 5, 8, tzinfo=UTC),
) -> Register:
    """Return a register without calls.

    ``users`` maps each user's id to its extensions' numbers, which begin with the number of the user's
    organization and a ``*``; a user without extensions belongs to the first organization. Each organization has a
    lot of ``capacity`` positions counted from ``first``. Instant 0 is ``epoch``; all dates have its offset.

    Raises:
        ArgumentError: an id or number that UAPI's grammar does not have, one used twice, a user of no or of two
            organizations, no organization, no position, a random ``choice`` (nobody draws here), an ``epoch``
            without offset, or a ``base_url`` that is not http or https.
    """
    owners = tuple(organizations)
    offset = epoch.utcoffset()
    if not owners or capacity < 1 or choice == codes.CHOOSE_RANDOM or offset is None:
        raise ArgumentError("needs an organization, a position, a choice that draws nothing, an epoch with its offset")
    if not base_url.startswith(("http://", "https://")):
        raise ArgumentError(f"base_url must begin with http:// or https://: {base_url!r}")
    known: list[User] = []
    extensions: list[Extension] = []
    for user, numbers in users.items():
        mine = [Extension(number, len(known)) for number in numbers]
        at = {_organization_of(number, owners) for number, _ in mine} or {0}
        if not OBJECT_ID.fullmatch(user) or len(at) != 1:
            raise ArgumentError(f"user {user!r}: not a user id, or extensions of several organizations")
        known.append(User(user, at.pop()))
        extensions += mine
    if len({extension.number for extension in extensions}) < len(extensions):
        raise ArgumentError("an extension is listed twice")
    return Register(
        organizations=owners,
        users=tuple(known),
        extensions=tuple(extensions),
        lots=tuple(lot.empty_lot(capacity, choice, number) for number in range(len(owners))),
        calls=(),
        next_call=0,
        firsts=(first,) * len(owners),
        base_url=base_url.rstrip("/"),
        epoch=epoch.astimezone(timezone(offset)),
    )


def _organization_of(number: str, organizations: tuple[Organization, ...]) -> int:
    for place, organization in enumerate(organizations):
        if number.startswith(f"{organization.number}*") and EXTENSION_NUMBER.fullmatch(number):
            return place
    raise ArgumentError(f"extension {number!r} is of no organization")


# ------------------------------------------------------------------------------------------------------- finding


def place_of_extension(register: Register, number: str) -> int:
    """Return the place of the extension with that full number, or ``NOBODY``."""
    return next((place for place, known in enumerate(register.extensions) if known.number == number), NOBODY)


def call_with_id(register: Register, call_id: str) -> Call | None:
    """Return the live call with that id."""
    return next((call for call in register.calls if call.id == call_id), None)


def call_with_number(register: Register, number: int) -> Call:
    """Return the live call with that number, which must exist."""
    return register.calls[_place_of_call(register, number)]


def organization_of(register: Register, extension: int) -> int:
    """Return the place of the organization that an extension belongs to."""
    return register.users[register.extensions[extension].user].organization


def _place_of_call(register: Register, number: int) -> int:
    return bisect_left(register.calls, number, key=lambda call: call.number)


def with_call(register: Register, call: Call) -> Register:
    """Return the register with that call in place of the one of its number."""
    place = _place_of_call(register, call.number)
    return register._replace(calls=(*register.calls[:place], call, *register.calls[place + 1 :]))


def with_new_call(register: Register, call: Call) -> Register:
    """Return the register with a further call, in the order of the numbers."""
    place = _place_of_call(register, call.number)
    return register._replace(calls=(*register.calls[:place], call, *register.calls[place:]))


def without_call(register: Register, number: int) -> Register:
    """Return the register without the call of that number, which must exist."""
    place = _place_of_call(register, number)
    return register._replace(calls=(*register.calls[:place], *register.calls[place + 1 :]))


def with_view(call: Call, view: int, **changes: int) -> Call:
    """Return the call with changes to the view at that place."""
    changed = call.views[view]._replace(**changes)  # type: ignore[arg-type]  # only the integer fields are passed
    return call._replace(views=(*call.views[:view], changed, *call.views[view + 1 :]))


def with_fact(register: Register, fact: Fact) -> Register:
    """Return the register after the fact has taken effect in its lot."""
    after = lot.evolved(register.lots[fact.lot], fact)
    return register._replace(lots=(*register.lots[: fact.lot], after, *register.lots[fact.lot + 1 :]))
