"""The register: users, extensions, live calls and their lots at one instant, as an immutable value.

Nothing here changes a register; ``calls`` answers with the next one, which shares with it all that stays, so that a
change costs the same however many calls there are. Who is in a slot stands in the ``lot``; a stay repeats only its
deadline, by which timers are found in their order. Facts number calls by ``Call.number`` (0, 1, 2, ... in the order
offered), extensions by their place in ``Register.extensions`` and lots by their place in ``Register.organizations``.

>>> register = new_register({"12": ["0003*210"], "33": ["0003*024"]}, capacity=20)
>>> register.users[1], register.extensions[1], register.lots[0].slots
(User(id='33', organization=0), Extension(number='0003*024', user=1), 20)
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timezone
from itertools import islice
from typing import Final, NamedTuple, overload

from parksim.errors import ArgumentError
from parksim.rules import codes, lot
from parksim.rules.codes import NEVER, NOBODY
from parksim.rules.lot import Fact, Lot
from parksim.rules.uapi.models import EXTENSION_NUMBER, OBJECT_ID
from parksim.rules.uapi.table import Table

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
    """Where a parked call is, who parked it, and until when it may stay.

    ``rung`` is the extension that an UnPark rings until ``ring_end_us``, or ``NOBODY``.
    """

    view: int
    lot: int
    slot: int
    parker: int
    parked_us: int
    rung: int
    ring_end_us: int
    deadline_us: int = NEVER


class Return(NamedTuple):
    """A call whose time in the lot was up: it rings ``parker`` until somebody answers or it hangs up.

    ``rung`` is the extension that a PickUp rings for it until ``ring_end_us``, or ``NOBODY``.
    """

    view: int
    parker: int
    rung: int = NOBODY
    ring_end_us: int = NEVER


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


class Subscription(NamedTuple):
    """An address to be called when something of a ``type`` happens at an extension (see ``subscriptions``).

    ``method`` is 0 for GET and 1 for POST; ``status`` is 0 while it is disabled.
    """

    extension: int
    type: int
    id: str
    url: str
    method: int
    status: int
    note: str
    modified_us: int


class Timer(NamedTuple):
    """A timer that runs, in the order of the calendar: (instant, rank, call)."""

    time_us: int
    rank: int
    call: int


class Moment(NamedTuple):
    """By what calls are listed: the instant at which one entered the system, and its number."""

    published_us: int
    call: int


class Tables(NamedTuple):
    """The live calls, and where to find them: by id, by party (an extension's place, or ~ that of a user), by timer."""

    by_number: Table[int, Call] = Table()
    by_id: Table[str, int] = Table()
    by_party: Table[int, Table[Moment, int]] = Table()
    timers: Table[Timer, None] = Table()


_NO_CALLS: Final = Tables()


class Calls(Sequence[Call]):
    """The live calls in the order of their numbers, as a value: a change answers with the next one.

    ``owners`` tells of each extension the place of its user. A lookup and a change take a time that grows with the
    logarithm of the number of calls.
    """

    __slots__ = ("owners", "tables")

    def __init__(self, owners: tuple[int, ...], calls: Iterable[Call] = (), tables: Tables = _NO_CALLS) -> None:
        self.owners = owners
        self.tables = tables if tables is not _NO_CALLS else _tables_of(tuple(calls), owners)

    def __len__(self) -> int:
        return len(self.tables.by_number)

    def __iter__(self) -> Iterator[Call]:
        return (call for _, call in self.tables.by_number)

    @overload
    def __getitem__(self, place: int) -> Call: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Call, ...]: ...
    def __getitem__(self, place: int | slice) -> Call | tuple[Call, ...]:
        if isinstance(place, slice):
            return tuple(self)[place]
        from_start = place + len(self) if place < 0 else place
        if not 0 <= from_start < len(self):
            raise IndexError(place)
        return next(self.tables.by_number.items_from(from_start))[1]

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Calls | tuple) and tuple(self) == tuple(other))

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))

    def with_number(self, number: int) -> Call | None:
        """Return the call of that number, if there is one."""
        return self.tables.by_number.get(number)

    def with_id(self, call_id: str) -> Call | None:
        """Return the call with that id, if there is one."""
        number = self.tables.by_id.get(call_id)
        return None if number is None else self.tables.by_number.get(number)

    def numbers_of(self, user: int, extension: int) -> Table[Moment, int]:
        """Return the numbers of the calls of an extension, or of all extensions of the user (``NOBODY``)."""
        return self.tables.by_party.get(~user if extension == NOBODY else extension) or Table()

    def page(self, numbers: Table[Moment, int], start: int, count: int, *, descending: bool) -> list[Call]:
        """Return up to ``count`` calls from the place ``start`` on, in the order in which they entered the system."""
        if descending:
            end = max(len(numbers) - start, 0)
            start, count = max(end - count, 0), min(count, end)
        found = (self.tables.by_number.get(number) for _, number in islice(numbers.items_from(start), count))
        calls = [call for call in found if call is not None]
        return calls[::-1] if descending else calls

    def first_timer(self) -> Timer | None:
        """Return the timer that is due first, of all maxInParking and waitForPickup that run."""
        return next((timer for timer, _ in self.tables.timers), None)

    def put(self, call: Call) -> "Calls":
        """Return the calls with that one, in place of the one of its number if there is one."""
        before = self.with_number(call.number)
        return self if call == before else Calls(self.owners, (), _with(self.tables, before, call, self.owners))

    def without(self, number: int) -> "Calls":
        """Return the calls without the one of that number, which must exist."""
        before = self.with_number(number)
        return Calls(self.owners, (), _with(self.tables, before, None, self.owners))


def _tables_of(calls: Sequence[Call], owners: tuple[int, ...]) -> Tables:
    """Return the tables of calls that are in the order of their numbers."""
    by_party: dict[int, list[tuple[Moment, int]]] = {}
    for call in calls:
        for party in _parties(call, owners):
            by_party.setdefault(party, []).append((Moment(call.published_us, call.number), call.number))
    return Tables(
        Table.of((call.number, call) for call in calls),
        Table.of(sorted((call.id, call.number) for call in calls)),
        Table.of((party, Table.of(sorted(theirs))) for party, theirs in sorted(by_party.items())),
        Table.of((timer, None) for timer in sorted(timer for call in calls for timer in timers_of(call))),
    )


def _with(tables: Tables, before: Call | None, after: Call | None, owners: tuple[int, ...]) -> Tables:
    """Return the tables after a change of one call; None: it was not there before, or is not there any more."""
    by_number, by_id, by_party, timers = tables
    call = before or after
    assert call is not None
    number = call.number
    moment = Moment(call.published_us, number)  # neither it nor the id ever changes
    if before is None:
        by_id = by_id.put(call.id, number)
    if after is None:
        by_number, by_id = by_number.without(number), by_id.without(call.id)
    else:
        by_number = by_number.put(number, after)
    old, new = _parties(before, owners), _parties(after, owners)
    for party in old - new:
        by_party = by_party.put(party, (by_party.get(party) or Table()).without(moment))
    for party in new - old:
        by_party = by_party.put(party, (by_party.get(party) or Table()).put(moment, number))
    for timer in timers_of(before):
        timers = timers.without(timer)
    for timer in timers_of(after):
        timers = timers.put(timer, None)
    return Tables(by_number, by_id, by_party, timers)


def _parties(call: Call | None, owners: tuple[int, ...]) -> set[int]:
    """Return the extensions that are a party to a call or are charged for it, and ~ each user of these."""
    if call is None:
        return set()
    extensions = {call.extension, *(view.extension for view in call.views)}
    return extensions | {~owners[extension] for extension in extensions}


def timers_of(call: Call | None) -> tuple[Timer, ...]:
    """Return the timers that run for a call: the end of its stay, and of the ringing of an UnPark or a PickUp."""
    ringing = None if call is None else call.stay or call.returning
    if call is None or ringing is None:
        return ()
    ends = Timer(NEVER if call.stay is None else call.stay.deadline_us, codes.RANK_EXPIRY, call.number)
    rings = Timer(ringing.ring_end_us, codes.RANK_RING_OUT, call.number)
    return tuple(timer for timer in (ends, rings) if timer.time_us != NEVER)


@dataclass(frozen=True, slots=True)
class Places:
    """The directory by name: places of users and extensions, and the extensions of each user and organization."""

    users: Mapping[str, int]
    extensions: Mapping[str, int]
    of_user: tuple[frozenset[int], ...]
    of_organization: tuple[frozenset[int], ...]

    def __hash__(self) -> int:
        return hash(tuple(self.extensions))


class Register(NamedTuple):
    """Everything the service knows at one instant.

    ``lots[i]`` belongs to ``organizations[i]``, its positions are counted from ``firsts[i]``.
    """

    organizations: tuple[Organization, ...]
    users: tuple[User, ...]
    extensions: tuple[Extension, ...]
    lots: tuple[Lot, ...]
    calls: Calls
    next_call: int
    firsts: tuple[int, ...]
    base_url: str
    epoch: datetime
    places: Places
    subscriptions: tuple[Subscription, ...] = ()


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
        calls=Calls(tuple(extension.user for extension in extensions)),
        next_call=0,
        firsts=(first,) * len(owners),
        base_url=base_url.rstrip("/"),
        epoch=epoch.astimezone(timezone(offset)),
        places=_places(known, extensions, len(owners)),
    )


def _places(users: Sequence[User], extensions: Sequence[Extension], organizations: int) -> Places:
    of_user: list[set[int]] = [set() for _ in users]
    of_organization: list[set[int]] = [set() for _ in range(organizations)]
    for place, extension in enumerate(extensions):
        of_user[extension.user].add(place)
        of_organization[users[extension.user].organization].add(place)
    return Places(
        {user.id: place for place, user in enumerate(users)},
        {extension.number: place for place, extension in enumerate(extensions)},
        tuple(map(frozenset, of_user)),
        tuple(map(frozenset, of_organization)),
    )


def _organization_of(number: str, organizations: tuple[Organization, ...]) -> int:
    for place, organization in enumerate(organizations):
        if number.startswith(f"{organization.number}*") and EXTENSION_NUMBER.fullmatch(number):
            return place
    raise ArgumentError(f"extension {number!r} is of no organization")


# ------------------------------------------------------------------------------------------------------- finding


def place_of_extension(register: Register, number: str) -> int:
    """Return the place of the extension with that full number, or ``NOBODY``."""
    return register.places.extensions.get(number, NOBODY)


def call_with_id(register: Register, call_id: str) -> Call | None:
    """Return the live call with that id."""
    return register.calls.with_id(call_id)


def call_with_number(register: Register, number: int) -> Call:
    """Return the live call with that number, which must exist."""
    call = register.calls.with_number(number)
    assert call is not None
    return call


def organization_of(register: Register, extension: int) -> int:
    """Return the place of the organization that an extension belongs to."""
    return register.users[register.extensions[extension].user].organization


def with_call(register: Register, call: Call) -> Register:
    """Return the register with that call, in place of the one of its number if there is one."""
    return register._replace(calls=register.calls.put(call))


def without_call(register: Register, number: int) -> Register:
    """Return the register without the call of that number, which must exist."""
    return register._replace(calls=register.calls.without(number))


def with_view(call: Call, view: int, **changes: int) -> Call:
    """Return the call with changes to the view at that place."""
    changed = call.views[view]._replace(**changes)  # type: ignore[arg-type]  # only the integer fields are passed
    return call._replace(views=(*call.views[:view], changed, *call.views[view + 1 :]))


def with_fact(register: Register, fact: Fact) -> Register:
    """Return the register after the fact has taken effect in its lot."""
    after = lot.evolved(register.lots[fact.lot], fact)
    return register._replace(lots=(*register.lots[: fact.lot], after, *register.lots[fact.lot + 1 :]))
