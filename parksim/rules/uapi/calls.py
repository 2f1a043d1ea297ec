"""The life of calls: what can happen to them in which state, and the timers that make it happen.

Three laws of this file:

1. A register is a value: every function answers with the next register and the facts.
2. A view is in the one state that ``state_of`` tells; what may happen in it stands in the table ``TRANSITIONS``.
3. Slots and deadlines belong to ``lot``: every park, retrieval, hang-up and time-out is decided there.

Timers are not objects: they are the deadlines and the ends of ringing of the stays; ``next_timer_us`` tells the first.
Every function that has a ``now_us`` first lets those timers happen that come before it in the calendar (instant, rank,
call), each stamped with its own instant however late one asks.

>>> from parksim.rules.uapi.register import new_register
>>> empty = new_register({"12": ["0003*210"]})
>>> offered = offer(empty, "0003*210", peer="3235742879", now_us=0, call_id="b817d2618fe6f1804333")
>>> talking = answer(offered.register, "b817d2618fe6f1804333", now_us=5_000_000)
>>> state_of(talking.register.calls[0], view=0), len(empty.calls)
(<State.TALKING: 'on call'>, 0)
"""

import hashlib
import itertools
from enum import Enum
from typing import Final, NamedTuple

from parksim.errors import ArgumentError
from parksim.rules import codes as c
from parksim.rules import lot
from parksim.rules.lot import Fact
from parksim.rules.uapi import models as m
from parksim.rules.uapi import register as r

# ----------------------------------------------------------------------------------------------------- the table


class State(Enum):
    """Where one view of a call stands."""

    SETUP = "being set up"
    TALKING = "on call"
    HELD = "on hold"
    PARKED = "in the lot"
    FETCHED = "in the lot, and an UnPark rings"
    ELSEWHERE = "another view of the call is in the lot"
    WAITING = "waits for its parker after the time-out"
    RETURNING = "rings its parker after the time-out"
    CAUGHT = "rings its parker, and a PickUp rings"


class Event(Enum):
    """What can happen to a view. The first six are asked for by a PUT; RING_OUT and EXPIRY are timers."""

    PARK = "Park"
    UNPARK = "UnPark"
    HOLD = "OnHold"
    UNHOLD = "OffHold"
    PICKUP = "PickUp"
    TRANSFER = "Transfer"
    ANSWER = "answer"
    RING_OUT = "waitForPickup runs out"
    EXPIRY = "maxInParking runs out"


class Effect(Enum):
    """What an event does: its work; nothing, because the wish is fulfilled already; or it may not."""

    WORK = "works"
    SAME = "is so already"
    REFUSED = "is refused"


class Transition(NamedTuple):
    """A row of the table: in each of ``states`` the event has this effect and leads to ``after`` (None: stays)."""

    event: Event
    states: tuple[State, ...]
    effect: Effect
    after: State | None


_SETUP, _TALKING, _HELD, _PARKED, _FETCHED, _ELSEWHERE, _WAITING, _RETURNING, _CAUGHT = State
TRANSITIONS: Final[tuple[Transition, ...]] = (
    Transition(Event.PARK, (_TALKING, _HELD), Effect.WORK, _PARKED),
    Transition(Event.PARK, (_PARKED, _FETCHED), Effect.SAME, None),
    Transition(Event.UNPARK, (_PARKED, _FETCHED), Effect.WORK, _FETCHED),
    Transition(Event.HOLD, (_TALKING,), Effect.WORK, _HELD),
    Transition(Event.HOLD, (_HELD,), Effect.SAME, None),
    Transition(Event.UNHOLD, (_HELD,), Effect.WORK, _TALKING),
    Transition(Event.UNHOLD, (_TALKING,), Effect.SAME, None),
    Transition(Event.PICKUP, (_RETURNING, _CAUGHT), Effect.WORK, _CAUGHT),
    Transition(Event.TRANSFER, (_PARKED, _FETCHED), Effect.WORK, _TALKING),
    Transition(Event.ANSWER, (_SETUP, _FETCHED, _RETURNING, _CAUGHT), Effect.WORK, _TALKING),
    Transition(Event.ANSWER, (_TALKING, _HELD), Effect.SAME, None),
    Transition(Event.RING_OUT, (_FETCHED,), Effect.WORK, _PARKED),
    Transition(Event.RING_OUT, (_CAUGHT,), Effect.WORK, _RETURNING),
    Transition(Event.EXPIRY, (_PARKED, _FETCHED), Effect.WORK, _RETURNING),
)
"""At most one row for each event and state; what has none is refused. A hang-up ends a call in any state."""

_EFFECTS: Final = {(row.event, state): row.effect for row in TRANSITIONS for state in row.states}


def state_of(call: r.Call, view: int) -> State:
    """Return the state of the view at place ``view`` of the call."""
    if call.stay is not None:
        if call.stay.view != view:
            return State.ELSEWHERE
        return State.PARKED if call.stay.rung == c.NOBODY else State.FETCHED
    if call.returning is not None:
        if call.views[call.returning.view].status != r.STATUS_OTHER_RINGING:
            return State.WAITING
        return State.RETURNING if call.returning.rung == c.NOBODY else State.CAUGHT
    if call.views[view].status != r.STATUS_ON_CALL:
        return State.SETUP
    return State.TALKING if call.views[view].on_hold_us == c.NEVER else State.HELD


def effect_of(event: Event, state: State) -> Effect:
    """Look up what an event does in a state."""
    return _EFFECTS.get((event, state), Effect.REFUSED)


# ------------------------------------------------------------------------------------------------------ the life


def offer(
    register: r.Register,
    extension: str,
    *,
    peer: str,
    now_us: int,
    call_id: str | None = None,
    incoming: bool = False,
    caller_id: str = "",
    nonce: str = "",
) -> r.Changed:
    """Offer a new call between ``extension`` (which is charged) and ``peer``.

    A peer that is an extension itself makes the call local, with a view for each side, "00" and "01"; any other
    number makes it a public one with the one view "01" of the extension. ``incoming`` turns its direction. Without
    ``call_id`` it gets one of 20 hex digits made from its number. OFFERED.

    Raises:
        ArgumentError: an unknown extension, or an id that is in use or not UAPI's grammar.
    """
    register, facts = due_before(register, now_us, c.RANK_ARRIVAL)
    charged = r.place_of_extension(register, extension)
    if charged == c.NOBODY:
        raise ArgumentError(f"unknown extension {extension!r}")
    fresh = (id_of_number(register.next_call, attempt) for attempt in itertools.count())
    name = next(one for one in fresh if r.call_with_id(register, one) is None) if call_id is None else call_id
    if not m.OBJECT_ID.fullmatch(name) or r.call_with_id(register, name) is not None:
        raise ArgumentError(f"call id {name!r} is in use or malformed")
    other = r.place_of_extension(register, peer)
    source, destination = ((peer,), (extension,)) if incoming else ((extension,), (peer,))
    flow = r.FLOW_LOCAL if other != c.NOBODY else r.FLOW_INCOMING if incoming else r.FLOW_OUTGOING

    def view(name: str, viewer: int, rings: bool) -> r.View:
        status = r.STATUS_RINGING if rings else r.STATUS_OTHER_RINGING
        ringing_us = now_us if rings else c.NEVER
        return r.View(name, viewer, source, destination, caller_id, flow, status, ringing_us, c.NEVER, c.NEVER)

    views: tuple[r.View, ...] = (view("01", charged, incoming),)
    if other != c.NOBODY:
        views = (view("00", charged, incoming), view("01", other, not incoming))
    call = r.Call(register.next_call, name, charged, nonce, views, now_us, c.NEVER, None, None, c.TALKED)
    home = r.organization_of(register, charged)
    offered = Fact(now_us, c.NEVER, call.number, home, c.NOBODY, c.NOBODY, c.OFFERED, c.NO_REASON)
    after = r.with_call(register, call)._replace(next_call=register.next_call + 1)
    return r.Changed(after, (*facts, offered))


def id_of_number(number: int, attempt: int = 0) -> str:
    """Return the id that a call of that number gets when it is given none; ``attempt`` for one that is not in use."""
    return hashlib.blake2b(f"{number}.{attempt}".encode(), digest_size=10).hexdigest()


def answer(register: r.Register, call_id: str, *, now_us: int) -> r.Changed:
    """Let whichever telephone the call rings answer it at ``now_us``.

    A call being set up: ANSWERED. One that an UnPark rings for: RETRIEVED, also at the deadline itself; the park
    fields go, and the extension that answers takes the parker's place in the views. One that rings its parker
    after the time-out: RECALL_ANSWERED; or where a PickUp rings, RECALL_UNANSWERED and RETRIEVED, as an UnPark's. If
    it rings nowhere (any more), or is no call, nothing changes.
    """
    register, facts = due_before(register, now_us, c.RANK_RETRIEVAL)
    call = r.call_with_id(register, call_id)
    if call is None:
        return r.Changed(register, facts)
    view = call.stay.view if call.stay else call.returning.view if call.returning else 0
    if effect_of(Event.ANSWER, state_of(call, view)) != Effect.WORK:
        return r.Changed(register, facts)
    if call.stay is not None:
        register, happened = hand_to(register, call, call.stay.rung, now_us)
        return r.Changed(register, facts + happened)
    lot_number = r.organization_of(register, call.extension)
    if call.returning is not None and call.returning.rung != c.NOBODY:
        _, parker, rung, _ = call.returning
        call = r.with_view(handed_over(register, call, parker, rung), view, status=r.STATUS_ON_CALL)
        call = call._replace(returning=None, ending=c.AFTER_RETRIEVAL)
        missed = Fact(now_us, c.NEVER, call.number, c.NOBODY, c.NOBODY, parker, c.RECALL_UNANSWERED, c.FETCHED)
        fetched = missed._replace(extension=rung, kind=c.RETRIEVED, reason=c.RINGING)
        return r.Changed(r.with_call(register, call), (*facts, missed, fetched))
    if call.returning is not None:
        parker = call.returning.parker
        call = r.with_view(call, view, status=r.STATUS_ON_CALL)._replace(returning=None)
        fact = Fact(now_us, c.NEVER, call.number, lot_number, c.NOBODY, parker, c.RECALL_ANSWERED, c.NO_REASON)
    else:
        ringing = (view.extension for view in call.views if view.status == r.STATUS_RINGING)
        extension = next(ringing, call.extension)  # of a public call outward the caller's own
        views = tuple(known._replace(status=r.STATUS_ON_CALL, answered_us=now_us) for known in call.views)
        call = call._replace(views=views, answered_us=now_us)
        fact = Fact(now_us, c.NEVER, call.number, lot_number, c.NOBODY, extension, c.ANSWERED, c.NO_REASON)
    return r.Changed(r.with_call(register, call), (*facts, fact))


def handed_over(register: r.Register, call: r.Call, parker: int, retriever: int) -> r.Call:
    """Put the retriever where the parker was: in the view of the parker, and among source and destination."""
    old, new = register.extensions[parker].number, register.extensions[retriever].number
    views = tuple(
        view._replace(
            extension=retriever if view.extension == parker else view.extension,
            source=tuple(new if number == old else number for number in view.source),
            destination=tuple(new if number == old else number for number in view.destination),
        )
        for view in call.views
    )
    return call._replace(views=views)


def hang_up(register: r.Register, call_id: str, *, now_us: int) -> r.Changed:
    """End a call in any state; a hang-up at the deadline itself comes before the time-out.

    In the lot: ABANDONED, the slot is free. Ringing its parker, or not yet answered: ABANDONED. Else ENDED. If
    there is no such call (any more), nothing changes.
    """
    register, facts = due_before(register, now_us, c.RANK_HANGUP)
    call = r.call_with_id(register, call_id)
    if call is None:
        return r.Changed(register, facts)
    home = r.organization_of(register, call.extension)
    if call.stay is not None:
        fact = lot.decide_hangup(register.lots[call.stay.lot], call.stay.slot, now_us)
    elif call.returning is not None:
        fact = Fact(now_us, c.NEVER, call.number, home, c.NOBODY, call.returning.parker, c.ABANDONED, c.RINGING)
    elif call.answered_us == c.NEVER:
        fact = Fact(now_us, c.NEVER, call.number, home, c.NOBODY, c.NOBODY, c.ABANDONED, c.WAITING)
    else:
        fact = Fact(now_us, c.NEVER, call.number, home, c.NOBODY, call.views[0].extension, c.ENDED, call.ending)
    return r.Changed(r.without_call(r.with_fact(register, fact), call.number), (*facts, fact))


def park_view(register: r.Register, call: r.Call, view: int, parker: int, limit_us: int, now_us: int) -> r.Changed:
    """Put a view that is on call into the lot of its parker's organization: PARKED, or REFUSED when it is full."""
    home = r.organization_of(register, parker)
    fact = lot.decide_park(register.lots[home], call.number, parker, limit_us, c.NOBODY, 0, now_us)
    if fact.kind != c.PARKED:
        return r.Changed(register, (fact,))
    stay = r.Stay(view, home, fact.slot, parker, now_us, c.NOBODY, c.NEVER, fact.deadline_us)
    parked = r.with_view(call, view, on_hold_us=c.NEVER)._replace(stay=stay)
    return r.Changed(r.with_fact(r.with_call(register, parked), fact), (fact,))


def ring_for(register: r.Register, call: r.Call, retriever: int, wait_us: int, now_us: int) -> r.Changed:
    """Ring an extension for a parked call, or for one that rings its parker, until ``now_us + wait_us``.

    Slot and timer stay as they are. The same extension again changes nothing; another one is rung instead of it.
    """
    ringing = call.stay or call.returning
    if ringing is None or ringing.rung == retriever:
        return r.Changed(register, ())
    return r.Changed(r.with_call(register, _rung(call, retriever, now_us + wait_us)), ())


def _rung(call: r.Call, extension: int, until_us: int) -> r.Call:
    """Let an UnPark or a PickUp ring an extension for a call, or ``NOBODY`` any more."""
    if call.stay is not None:
        return call._replace(stay=call.stay._replace(rung=extension, ring_end_us=until_us))
    assert call.returning is not None
    return call._replace(returning=call.returning._replace(rung=extension, ring_end_us=until_us))


def hand_to(register: r.Register, call: r.Call, extension: int, now_us: int) -> r.Changed:
    """Give a parked call to an extension: RETRIEVED; the slot is free."""
    assert call.stay is not None
    fact = lot.decide_unpark(register.lots[call.stay.lot], call.stay.slot, extension, now_us)
    taken = handed_over(register, call, call.stay.parker, extension)
    taken = taken._replace(stay=None, ending=c.AFTER_RETRIEVAL)
    return r.Changed(r.with_fact(r.with_call(register, taken), fact), (fact,))


def hold_view(register: r.Register, call: r.Call, view: int, on_hold_us: int) -> r.Changed:
    """Put a view on hold since ``on_hold_us``, or take it off (``NEVER``)."""
    return r.Changed(r.with_call(register, r.with_view(call, view, on_hold_us=on_hold_us)), ())


# -------------------------------------------------------------------------------------------------------- timers


def next_timer_us(register: r.Register) -> int:
    """Return the instant at which the next timer is due, or ``NEVER``."""
    timer = register.calls.first_timer()
    return c.NEVER if timer is None else timer.time_us


def due_before(register: r.Register, now_us: int, rank: int) -> r.Changed:
    """Let all timers happen that come before an event of that rank at ``now_us``, in the order of the calendar."""
    facts: tuple[Fact, ...] = ()
    while (timer := register.calls.first_timer()) is not None and timer[:2] < (now_us, rank):
        register, happened = _timed_out(register, timer)
        facts += happened
    return r.Changed(register, facts)


def expire(register: r.Register, now_us: int) -> r.Changed:
    """Let all timers happen that are due at ``now_us`` or before."""
    return due_before(register, now_us, c.RANK_RING_OUT + 1)


def _timed_out(register: r.Register, timer: r.Timer) -> r.Changed:
    call = r.call_with_number(register, timer.call)
    if timer.rank == c.RANK_RING_OUT:
        return r.Changed(r.with_call(register, _rung(call, c.NOBODY, c.NEVER)), ())
    stay = call.stay
    assert stay is not None
    expired = lot.decide_expiry(register.lots[stay.lot], stay.slot, call.number, timer.time_us, timer.time_us)
    parker = expired.extension
    ringing = r.with_view(call, stay.view, status=r.STATUS_OTHER_RINGING, ringing_us=timer.time_us)
    ringing = ringing._replace(stay=None, returning=r.Return(stay.view, parker))
    rings = Fact(timer.time_us, c.NEVER, call.number, stay.lot, c.NOBODY, parker, c.RECALL_RINGING, c.NO_REASON)
    return r.Changed(r.with_fact(r.with_call(register, ringing), expired), (expired, rings))
