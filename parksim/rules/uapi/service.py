"""The service around the calls: a target finds its function, a request becomes a reply and facts."""

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from types import MappingProxyType
from typing import Final, Literal, NamedTuple, Protocol
from urllib.parse import parse_qsl, unquote

from pydantic import ValidationError

from parksim.errors import RefusedError
from parksim.rules import codes as c
from parksim.rules.lot import Fact
from parksim.rules.uapi import calls as lives
from parksim.rules.uapi import models as m
from parksim.rules.uapi import register as r
from parksim.rules.uapi import replies
from parksim.rules.uapi import subscriptions as events

Scope = Literal["user", "organization", "global"]


class Request(NamedTuple):
    """An HTTP request, as far as the service needs it.

    ``target`` is the request target as sent (path and query, not decoded; bytes beyond ASCII as Latin-1). ``user``
    and ``scope`` come from the token: whose it is (None: no valid token), and whether it reaches that user only,
    the organization or everybody. ``prefer`` is the value of the header field Prefer; ``answer`` says which answer
    the service gives to a PUT that prefers nothing.
    """

    method: str
    target: str
    body: bytes = b""
    user: str | None = None
    scope: Scope = "user"
    prefer: str = ""
    answer: Literal["collection", "accepted"] = "collection"


class Outcome(NamedTuple):
    """What ``respond`` answers; ``acted`` are the calls that a PUT was for. For the numbers see ``register``."""

    register: r.Register
    reply: replies.Reply
    facts: tuple[Fact, ...]
    acted: tuple[int, ...] = ()


class Ask(NamedTuple):
    """What a request asks about, its path already taken apart, nothing of it looked up yet.

    ``viewer`` is the token's user; ``user``, ``extension`` and ``call`` are the path's words, ``call`` None for all
    calls of the extension, ``event`` those behind ``phoneCallEvents``. ``fields`` is the body's object (PUT, POST; or
    the refusal that the body earned), or the query's (GET, DELETE).
    """

    viewer: str | None
    extension: str = "@self"
    call: str | None = None
    user: str = "@me"
    scope: Scope = "user"
    fields: Mapping[str, object] | m.Refusal = MappingProxyType({})
    event: tuple[str, ...] = ()


class Result(NamedTuple):
    """What a service function answers: a collection, or nothing to return (both None), or a refusal.

    ``wanted`` are the fields of a call that the reply shall have; empty: all. ``reply`` is one that shows no calls.
    ``acted`` are the numbers of the calls that an action was for.
    """

    register: r.Register
    facts: tuple[Fact, ...]
    collection: m.PhoneCallCollection | None = None
    refused: RefusedError | None = None
    wanted: tuple[str, ...] = ()
    reply: replies.Reply | None = None
    acted: tuple[int, ...] = ()


class Found(NamedTuple):
    """What the words of a path stand for: places of user and extension (``NOBODY``: all), numbers of calls."""

    user: int
    extension: int
    calls: tuple[int, ...]


# ------------------------------------------------------------------------------------------ who, which extension


def resolve(register: r.Register, ask: Ask) -> Found:
    """Look up user, extension and calls of a path, as far as the token reaches.

    What is there but out of reach answers like what is not there. A call is found under every extension that is a
    party to it or is charged for it. An unknown call is no error here: ``calls`` is empty.

    Raises:
        RefusedError: ACCESS_DENIED, USER_INVALID or EXTENSION_INVALID.
    """
    user, extension = _resolved(register, ask)
    if ask.call is None:
        return Found(user, extension, tuple(sorted(number for _, number in register.calls.numbers_of(user, extension))))
    call = r.call_with_id(register, ask.call)
    mine = register.places.of_user[user] if extension == c.NOBODY else {extension}
    reached = call is not None and not mine.isdisjoint((call.extension, *(view.extension for view in call.views)))
    return Found(user, extension, (call.number,) if call is not None and reached else ())


def _resolved(register: r.Register, ask: Ask) -> tuple[int, int]:
    """Return the places of user and extension, ``NOBODY`` for all of the user's."""
    viewer = _place_of_user(register, ask.viewer)
    if viewer == c.NOBODY:
        raise RefusedError(m.Refusal.ACCESS_DENIED)
    reach = _reach(register, viewer, ask.scope)
    user = _user(register, ask, viewer, reach)
    if user not in reach:
        raise RefusedError(m.Refusal.USER_INVALID, m.shown(ask.user))
    if ask.extension == "@self":
        return user, c.NOBODY
    extension = _extension(register, ask.extension, register.users[user].organization)
    if extension not in register.places.of_user[user]:
        raise RefusedError(m.Refusal.EXTENSION_INVALID, m.shown(ask.extension))
    return user, extension


def _place_of_user(register: r.Register, user: str | None) -> int:
    return c.NOBODY if user is None else register.places.users.get(user, c.NOBODY)


def _reach(register: r.Register, viewer: int, scope: str) -> set[int]:
    """Return the places of the users whom a token reaches."""
    if scope == "global":
        return set(range(len(register.users)))
    if scope == "organization":
        home = register.users[viewer].organization
        return {place for place, user in enumerate(register.users) if user.organization == home}
    return {viewer}


def _user(register: r.Register, ask: Ask, viewer: int, reach: set[int]) -> int:
    if ask.user in {"@me", "@viewer"}:
        return viewer
    if ask.user != "@owner":
        return _place_of_user(register, ask.user)
    # The owner follows from the extension, or with @self from the call; one out of reach is not to be told from one
    # that is not there.
    if ask.extension != "@self":
        extension = _extension(register, ask.extension, register.users[viewer].organization)
        owner = c.NOBODY if extension == c.NOBODY else register.extensions[extension].user
        if owner not in reach:
            raise RefusedError(m.Refusal.EXTENSION_INVALID, m.shown(ask.extension))
        return owner
    call = None if ask.call is None else r.call_with_id(register, ask.call)
    owner = viewer if call is None else register.extensions[call.extension].user
    return owner if owner in reach else viewer


def _extension(register: r.Register, text: str, organization: int) -> int:
    """Return the extension with that number, full (``0003*210``) or short (``210``) within its organization."""
    names = (text, f"{register.organizations[organization].number}*{text}")
    known = (r.place_of_extension(register, name) for name in names)
    return min((place for place in known if place != c.NOBODY), default=c.NOBODY)


def _acting(register: r.Register, found: Found, call: r.Call) -> int:
    """Return the extension that acts: the path's; for ``@self`` the user's that is a party, else the charged one."""
    if found.extension != c.NOBODY:
        return found.extension
    mine = (view.extension for view in call.views if register.extensions[view.extension].user == found.user)
    return next(mine, call.extension)


# ------------------------------------------------------------------------------------------------- the services


class Service(Protocol):
    """What a method of a path does."""

    def __call__(self, register: r.Register, ask: Ask, now_us: int) -> Result:
        """Answer at ``now_us``."""


def _after_timers(rank: Callable[[Ask], int]) -> Callable[[Service], Service]:
    """Let the timers before (``now_us``, ``rank``) happen, then the work; a refused work changes nothing."""

    def decorated(work: Service) -> Service:
        @wraps(work)
        def service(register: r.Register, ask: Ask, now_us: int) -> Result:
            register, facts = lives.due_before(register, now_us, rank(ask))
            try:
                result = work(register, ask, now_us)
            except RefusedError as refused:
                return Result(register, facts + refused.facts, refused=refused)
            return result._replace(facts=facts + result.facts)

        return service

    return decorated


def park(register: r.Register, ask: Ask, now_us: int) -> Result:
    """Park one call, or all of an extension or user that can be parked; ``ask.fields`` is the body without action.

    Parking what is parked already answers the same again: same position, same deadline, no new fact. Nothing to
    park: neither collection nor refusal. PARKED for each; REFUSED for each that found the lot full.
    """
    return change_calls(register, _with_action(ask, lives.Event.PARK), now_us)


def unpark(register: r.Register, ask: Ask, now_us: int) -> Result:
    """Ring ``sendCallTo`` for a parked call, or for all parked calls of an extension or user.

    The call keeps its slot and its timer until ``answer``; rung in vain for ``waitForPickup`` it stays parked.
    """
    return change_calls(register, _with_action(ask, lives.Event.UNPARK), now_us)


def _with_action(ask: Ask, event: lives.Event) -> Ask:
    if isinstance(ask.fields, m.Refusal):
        return ask
    return ask._replace(fields={**ask.fields, "action": event.value})


@_after_timers(lambda ask: _rank_of_change(ask.fields))
def change_calls(register: r.Register, ask: Ask, now_us: int) -> Result:
    """Do what the body's action says (a PUT): Park, UnPark, OnHold, OffHold, PickUp, Transfer; one call, or all."""
    found = _found_call(register, ask)
    if isinstance(ask.fields, m.Refusal):
        raise RefusedError(ask.fields)
    home = register.users[found.user].organization
    mates = register.places.of_organization[home]
    action = m.read_action(ask.fields, lambda number: _extension(register, number, home) in mates)
    facts: tuple[Fact, ...] = ()
    numbers = []
    full = False
    for number in found.calls:
        try:
            changed = _act(register, found, r.call_with_number(register, number), action, now_us)
        except RefusedError as refused:
            if ask.call is not None:
                raise
            full = full or refused.refusal is m.Refusal.LOT_FULL
            facts += refused.facts
        else:
            register, facts = changed.register, facts + changed.facts
            numbers.append(number)
    if full and not numbers:
        raise RefusedError(m.Refusal.LOT_FULL, facts=facts)
    return Result(register, facts, _collection(register, found, numbers), acted=tuple(numbers))


_HANDING: Final = (lives.Event.PICKUP, lives.Event.TRANSFER)
"""What a call is handed to somebody by, beside UnPark."""


_RANKS: Final = {event.value: c.RANK_PARK_REQUEST for event in lives.Event} | {
    event.value: c.RANK_RETRIEVAL for event in (lives.Event.UNPARK, *_HANDING)
}


def _rank_of_change(fields: Mapping[str, object] | m.Refusal) -> int:
    action = None if isinstance(fields, m.Refusal) else fields.get("action")
    return _RANKS.get(action, c.RANK_HANGUP) if isinstance(action, str) else c.RANK_HANGUP


@_after_timers(lambda _: c.RANK_PARK_REQUEST)
def list_calls(register: r.Register, ask: Ask, now_us: int) -> Result:  # noqa: ARG001 - as all services
    """List calls (a GET), a page at a time; ``ask.fields`` is the query. An unknown call id is an empty list.

    Without a filter only the calls of the page are looked at.
    """
    user, extension = _resolved(register, ask)
    try:
        query = m.ListQuery.model_validate(ask.fields)
        passes = replies.wanted(register, query)
    except (ValueError, OverflowError):  # a ValidationError is a ValueError
        raise RefusedError(m.Refusal.QUERY_INVALID) from None
    words = [known for known in (ask.extension, ask.call) if known is not None]
    if ask.call is None and (query.filter_by is None or query.filter_op == "present"):
        numbers = register.calls.numbers_of(user, extension)
        total, descending = len(numbers), query.sort_order == "descending"
        calls = register.calls.page(numbers, query.start_index, query.count, descending=descending)
    else:
        everything = (r.call_with_number(register, number) for number in resolve(register, ask).calls)
        listed = [call for call in everything if passes(call)]
        total, calls = len(listed), list(replies.page(listed, query))
    shown = entries(register, Found(user, extension, ()), calls)
    collection = replies.paged(shown, total, query, replies.address(register, user, *words))
    return Result(register, (), collection, wanted=query.fields)


@_after_timers(lambda _: c.RANK_HANGUP)
def hang_up_calls(register: r.Register, ask: Ask, now_us: int) -> Result:
    """End one call, or all of an extension or user (a DELETE); with ``phoneNumber`` only those it is a party of.

    The collection shows the calls as they last stood. ABANDONED or ENDED for each.
    """
    found = _found_call(register, ask)
    party = None if isinstance(ask.fields, m.Refusal) else ask.fields.get("phoneNumber")
    if isinstance(party, str):
        party = party.replace(" ", "+")  # a plus that was not encoded
    calls = [r.call_with_number(register, number) for number in found.calls]
    calls = [call for call in calls if party is None or any(party in (*v.source, *v.destination) for v in call.views)]
    collection = _collection(register, found, [call.number for call in calls])
    facts: tuple[Fact, ...] = ()
    for call in calls:
        register, happened = lives.hang_up(register, call.id, now_us=now_us)
        facts += happened
    return Result(register, facts, collection)


@_after_timers(lambda _: c.RANK_ARRIVAL)
def create_call(register: r.Register, ask: Ask, now_us: int) -> Result:
    """Create a simple call (a POST) from an extension of the user to the first destination. OFFERED."""
    found = resolve(register, ask)
    if isinstance(ask.fields, m.Refusal):
        raise RefusedError(ask.fields)
    try:
        asked = m.SimpleCall.model_validate(ask.fields)
    except ValidationError:
        raise RefusedError(m.Refusal.BODY_INVALID) from None
    home = register.users[found.user].organization
    extension = _extension(register, asked.extension, home)
    if extension == c.NOBODY or register.extensions[extension].user != found.user:
        raise RefusedError(m.Refusal.EXTENSION_INVALID, m.shown(asked.extension))
    party = asked.phone_call_view[0]
    number, peer, nonce = register.extensions[extension].number, party.destination[0], asked.nonce or ""
    new = register.next_call
    register, facts = lives.offer(register, number, peer=peer, now_us=now_us, caller_id=party.caller_id, nonce=nonce)
    return Result(register, facts, _collection(register, found, [new]))


@_after_timers(lambda _: c.RANK_PARK_REQUEST)
def hear_calls(register: r.Register, ask: Ask, now_us: int) -> Result:  # noqa: ARG001 - as all services
    """Begin a stream of what happens to the calls of an extension or user (a GET of ``phoneCallStream``)."""
    _resolved(register, ask)
    return Result(register, (), reply=replies.STREAM)


def _subscribing(work: Callable[[r.Register, Ask, Found, int], Result]) -> Service:
    """Let ``work`` see the one extension whose phoneCallEvents a path names."""

    @_after_timers(lambda _: c.RANK_HANGUP)
    def service(register: r.Register, ask: Ask, now_us: int) -> Result:
        user, extension = _resolved(register, ask)
        if extension == c.NOBODY:
            raise RefusedError(m.Refusal.EXTENSION_INVALID, m.shown(ask.extension))
        return work(register, ask, Found(user, extension, ()), now_us)

    return service


def _list_events(register: r.Register, ask: Ask, found: Found, now_us: int) -> Result:  # noqa: ARG001 - as all of them
    listed = [events.shown(register, found.user, one) for one in events.chosen(register, found.extension, ask.event)]
    return Result(register, (), reply=replies.json_reply(replies.listed(listed)))


def _create_event(register: r.Register, ask: Ask, found: Found, now_us: int) -> Result:
    new = events.created(register, found.extension, ask.event, _body(ask), now_us)
    return _with_event(register, found, (), new)


def _update_event(register: r.Register, ask: Ask, found: Found, now_us: int) -> Result:
    old = events.chosen(register, found.extension, ask.event)
    if len(old) != 1 or ask.event[-1:] != (old[0].id,):  # the path names none, or all of a type
        raise RefusedError(m.Refusal.EVENT_ID_INVALID)
    return _with_event(register, found, old, events.changed(old[0], _body(ask), now_us))


def _with_event(register: r.Register, found: Found, old: tuple[r.Subscription, ...], new: r.Subscription) -> Result:
    kept = tuple(one for one in register.subscriptions if one not in old)
    reply = replies.json_reply(events.shown(register, found.user, new))
    return Result(register._replace(subscriptions=(*kept, new)), (), reply=reply)


def _body(ask: Ask) -> Mapping[str, object]:
    if isinstance(ask.fields, m.Refusal):
        raise RefusedError(ask.fields)
    return ask.fields


def _delete_events(register: r.Register, ask: Ask, found: Found, now_us: int) -> Result:  # noqa: ARG001 - as all of them
    gone = events.chosen(register, found.extension, ask.event)
    if not gone:
        return Result(register, ())
    return Result(register._replace(subscriptions=tuple(o for o in register.subscriptions if o not in gone)), ())


@_after_timers(lambda _: c.RANK_HANGUP)
def _not_implemented(register: r.Register, ask: Ask, now_us: int) -> Result:  # noqa: ARG001 - as all services
    resolve(register, ask)
    raise RefusedError(m.Refusal.ACTION_NOT_IMPLEMENTED)


def _found_call(register: r.Register, ask: Ask) -> Found:
    found = resolve(register, ask)
    if ask.call is not None and not found.calls:
        raise RefusedError(m.Refusal.PHONECALL_INVALID, m.shown(ask.call))
    return found


def _act(register: r.Register, found: Found, call: r.Call, action: m.PhoneCallAction, now_us: int) -> r.Changed:
    view = next((place for place, known in enumerate(call.views) if known.id == action.view_id), c.NOBODY)
    if action.view_id == m.ANY_VIEW:
        view = 0 if call.stay is None else call.stay.view
    if view == c.NOBODY:
        raise RefusedError(m.Refusal.VIEW_INVALID, m.shown(action.view_id))
    event = lives.Event(action.action)
    state = lives.state_of(call, view)
    effect = lives.effect_of(event, state)
    if effect == lives.Effect.REFUSED:
        raise RefusedError(m.Refusal.VIEW_STATE, state.value)
    if effect == lives.Effect.SAME:
        return r.Changed(register, ())
    if event in {lives.Event.UNPARK, *_HANDING}:
        retriever = _extension(register, action.send_call_to or "", register.users[found.user].organization)
        if event == lives.Event.TRANSFER:
            return lives.hand_to(register, call, retriever, now_us)
        return lives.ring_for(register, call, retriever, action.wait_for_pickup_us, now_us)
    if event != lives.Event.PARK:
        return lives.hold_view(register, call, view, now_us if event == lives.Event.HOLD else c.NEVER)
    changed = lives.park_view(register, call, view, _acting(register, found, call), action.max_in_parking_us, now_us)
    if changed.facts[0].kind != c.PARKED:
        raise RefusedError(m.Refusal.LOT_FULL, facts=changed.facts)
    return changed


def entries(register: r.Register, found: Found, calls: Iterable[r.Call]) -> list[m.PhoneCall]:
    """Return calls as they are shown to whom ``found`` stands for."""
    return [replies.phone_call(register, call, found.user, _acting(register, found, call)) for call in calls]


def _collection(register: r.Register, found: Found, numbers: Iterable[int]) -> m.PhoneCallCollection | None:
    calls = [r.call_with_number(register, number) for number in numbers]
    return replies.whole(entries(register, found, calls)) if calls else None


# -------------------------------------------------------------------------------------------------- the one door

_CALLS: Final[Mapping[str, Service]] = {"GET": list_calls, "PUT": change_calls, "DELETE": hang_up_calls}
_CREATIONS: Final[Mapping[str, Mapping[str, Service]]] = {
    "simple": {**_CALLS, "POST": create_call},
    "callback": {**_CALLS, "POST": _not_implemented},
    "conferenceInvite": {**_CALLS, "POST": _not_implemented},
}
_STREAM: Final[Mapping[str, Service]] = {"GET": hear_calls}
_EVENTS: Final[Mapping[str, Service]] = {
    "GET": _subscribing(_list_events),
    "POST": _subscribing(_create_event),
    "PUT": _subscribing(_update_event),
    "DELETE": _subscribing(_delete_events),
}


class Route(NamedTuple):
    """Where a target leads: the words of its path, the query, and for each method that there is the service.

    ``event`` are the words behind ``phoneCallEvents``: a type, an id, or both.
    """

    user: str
    extension: str
    call: str | None
    query: Mapping[str, str]
    services: Mapping[str, Service]
    event: tuple[str, ...] = ()

    @property
    def methods(self) -> list[str]:
        """The methods of the resource."""
        return [*self.services, *(["HEAD"] if "GET" in self.services else []), "OPTIONS"]


def route(target: str) -> Route | None:
    """Take a target apart, or return None when it leads nowhere.

    The path is split at ``/`` before each segment is decoded, once; one slash at its end makes no difference.
    """
    path, _, query = target.partition("?")
    words = [unquote(word) for word in path.split("/")]
    if words[-1] == "":
        words.pop()
    root, words = words[:3], words[3:]
    if root == ["", "uapi", "extensions"] and 3 <= len(words) <= 5 and words[2] == "phoneCallEvents":
        return Route(words[0], words[1], None, {}, _EVENTS, tuple(words[3:]))
    if root == ["", "uapi", "extensions"] and words[2:] == ["phoneCallStream"]:
        return Route(words[0], words[1], None, {}, _STREAM)
    if root != ["", "uapi", "phoneCalls"] or len(words) > 3:
        return None
    user, extension = [*words, "", ""][:2]
    given = dict(parse_qsl(query, keep_blank_values=True))
    if len(words) == 3:
        return Route(user, extension, words[2], given, _CALLS)
    return Route(user, extension, None, given, _CREATIONS.get(extension, _CALLS))


def respond(register: r.Register, request: Request, *, now_us: int) -> Outcome:
    """Answer a request at ``now_us``: the next register, the reply, the facts. No request makes it raise.

    HEAD is answered as GET is; who serves it leaves the body out.
    """
    if request.method == "HEAD":
        request = request._replace(method="GET")
    leads = route(request.target) if len(request.target) <= m.TARGET_LIMIT_CHARACTERS else None
    if leads is None or request.method not in leads.services:
        register, facts = lives.due_before(register, now_us, c.RANK_HANGUP)
        if leads is not None and request.method == "OPTIONS":
            reply = replies.options_reply(leads.methods)
        elif leads is not None:
            reply = replies.refusal_reply(m.Refusal.METHOD_NOT_ALLOWED, allow=", ".join(leads.methods))
        else:
            too_long = len(request.target) > m.TARGET_LIMIT_CHARACTERS
            reply = replies.refusal_reply(m.Refusal.URI_TOO_LONG if too_long else m.Refusal.NOT_FOUND)
        return Outcome(register, reply, facts)
    creates = request.method == "POST" and leads.extension in _CREATIONS
    ask = Ask(
        viewer=request.user,
        extension="@self" if creates else leads.extension,
        call=leads.call,
        user=leads.user,
        scope=request.scope,
        event=leads.event,
        fields=m.read_body(request.body) if request.method in {"PUT", "POST"} else leads.query,
    )
    result = leads.services[request.method](register, ask, now_us)
    return Outcome(result.register, _rendered(request, result), result.facts, result.acted)


def rank_of(request: Request) -> int:
    """Return the rank that a request takes among the events of its instant (see ``codes.RANK_NAMES``)."""
    if request.method == "PUT":
        return _rank_of_change(m.read_body(request.body))
    ranks = {"GET": c.RANK_PARK_REQUEST, "HEAD": c.RANK_PARK_REQUEST, "POST": c.RANK_ARRIVAL}
    return ranks.get(request.method, c.RANK_HANGUP)


def heard(register: r.Register, request: Request) -> Found:
    """Return whose calls a stream tells of, that ``respond`` has begun; the numbers of calls are left out.

    Raises:
        RefusedError: ``respond`` also refuses it.
    """
    leads = route(request.target)
    assert leads is not None
    ask = Ask(viewer=request.user, extension=leads.extension, user=leads.user, scope=request.scope)
    return Found(*_resolved(register, ask), ())


def _rendered(request: Request, result: Result) -> replies.Reply:
    """Render a result: the one place where it is decided which form and status a reply has."""
    if result.refused is not None:
        return replies.refusal_reply(result.refused.refusal, result.refused.message)
    if result.reply is not None:
        return result.reply
    if result.collection is None:
        return replies.Reply(204, b"", ())
    if request.method == "GET":
        return replies.collection_reply(result.collection, result.wanted)
    if prefers_async(request.prefer):
        reply = replies.accepted_reply(result.collection)
        return reply._replace(headers=(*reply.headers, ("Preference-Applied", "respond-async")))
    if request.method in {"DELETE", "POST"}:
        return replies.accepted_reply(result.collection, status=200)
    return (
        replies.accepted_reply(result.collection)
        if request.answer == "accepted"
        else replies.collection_reply(result.collection)
    )


def prefers_async(prefer: str) -> bool:
    """Tell whether a field Prefer (RFC 7240, section 2) asks for ``respond-async``.

    >>> prefers_async("wait=10, Respond-Async"), prefers_async("return=minimal")
    (True, False)
    """
    preferences = (part.split(";")[0].split("=")[0] for part in prefer.split(","))
    return any(name.strip().lower() == "respond-async" for name in preferences)
