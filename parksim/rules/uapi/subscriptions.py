"""The resource phoneCallEvents: addresses that the service calls when an extension is called, calls, talks or hangs up.

A subscription is of one extension and one type of event ("PhoneCallEvents Resource", "VoipNow Call Events"). They stand
in the register; ``fired`` says what a fact means for them. Who serves them calls the addresses.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any, Final, NamedTuple

from parksim.errors import RefusedError
from parksim.rules import codes as c
from parksim.rules.lot import Fact
from parksim.rules.uapi import models as m
from parksim.rules.uapi import register as r
from parksim.rules.uapi import replies

DIAL_IN, DIAL_OUT, HANG_UP, ANSWER_IN, ANSWER_OUT = m.EVENT_TYPES
MOST: Final = 1_000
"""A service has at most this many subscriptions."""
_ID: Final = re.compile(r"[A-Za-z0-9]{1,255}")
_TYPE: Final = re.compile(r"[0-4]")
_CALLER: Final = re.compile(r"([^<>]*?) ?<([^<>]*)>")


class Fired(NamedTuple):
    """A subscription whose event has happened, and what its address is told."""

    subscription: r.Subscription
    told: Mapping[str, str]


def created(
    register: r.Register, extension: int, words: Sequence[str], fields: Mapping[str, object], now_us: int
) -> r.Subscription:
    """Read a new subscription; the type stands in the path or in the body.

    Raises:
        RefusedError: EVENT_TYPE_INVALID, EVENT_METHOD_INVALID, BODY_INVALID, or EVENTS_FULL.
    """
    if len(register.subscriptions) >= MOST:
        raise RefusedError(m.Refusal.EVENTS_FULL)
    if len(words) > 1:
        raise RefusedError(m.Refusal.EVENT_ID_INVALID)  # ids are the service's
    asked = m.read_event({**fields, **({"type": _type(words[0])} if words else {})})
    known = {one.id for one in register.subscriptions}
    names = (hashlib.blake2b(f"{now_us}.{n}".encode(), digest_size=15).hexdigest() for n in count())
    name = next(one for one in names if one not in known)
    return r.Subscription(extension, asked.type, name, asked.url, asked.method, asked.status, asked.note, now_us)


def changed(old: r.Subscription, fields: Mapping[str, object], now_us: int) -> r.Subscription:
    """Read what is new of a subscription; a field that is left out stays.

    Raises:
        RefusedError: as ``created``.
    """
    kept = {"url": old.url, "method": old.method, "status": old.status, "note": old.note, **fields, "type": old.type}
    asked = m.read_event(kept)
    return old._replace(url=asked.url, method=asked.method, status=asked.status, note=asked.note, modified_us=now_us)


def _type(word: str) -> int:
    if not _TYPE.fullmatch(word):
        raise RefusedError(m.Refusal.EVENT_TYPE_INVALID, m.shown(word))
    return int(word)


def chosen(register: r.Register, extension: int, words: Sequence[str]) -> tuple[r.Subscription, ...]:
    """Return an extension's subscriptions: all, those of a type, or the one with an id (behind its type or alone).

    Raises:
        RefusedError: EVENT_TYPE_INVALID, or EVENT_ID_INVALID when no subscription has that id.
    """
    mine = tuple(one for one in register.subscriptions if one.extension == extension)
    *types, last = words or [""]
    if words and (types or not _TYPE.fullmatch(last)):
        found = tuple(one for one in mine if one.id == last and all(one.type == _type(word) for word in types))
        if not found or not _ID.fullmatch(last):
            raise RefusedError(m.Refusal.EVENT_ID_INVALID, m.shown(last))
        return found
    return tuple(one for one in mine if not words or one.type == int(last))


def shown(register: r.Register, user: int, one: r.Subscription) -> dict[str, Any]:
    """Return a subscription as the page prints it."""
    extension = register.extensions[one.extension].number
    where = replies.address(register, user, extension, "phoneCallEvents", str(one.type), one.id, of="extensions")
    return {
        "type": str(one.type),
        "id": one.id,
        "method": str(one.method),
        "note": one.note,
        "url": one.url,
        "status": str(one.status),
        "modified": m.date_text(replies.instant(register, one.modified_us)),
        "links": {"self": where},
    }


# ---------------------------------------------------------------------------------------------------- what happens


def fired(register: r.Register, fact: Fact, before: r.Call | None, after: r.Call | None) -> Iterator[Fired]:
    """Yield the enabled subscriptions whose event a fact is; the call is as it is before and after it."""
    call = before if after is None else after
    if call is None:
        return
    for extension, of_type in _events(fact, before, call):
        for one in register.subscriptions:
            if one.status and (one.extension, one.type) == (extension, of_type):
                yield Fired(one, _told(register, fact, call, extension))


def _events(fact: Fact, before: r.Call | None, call: r.Call) -> Iterator[tuple[int, int]]:
    """Yield extension and type of each event that a fact is; a simulated call is seen only when it is answered."""
    for view in call.views:
        called = _is_called(call, view)
        if fact.kind == c.OFFERED or (before is None and fact.kind == c.ANSWERED):
            yield view.extension, DIAL_IN if called else DIAL_OUT
        if fact.kind == c.ANSWERED:
            yield view.extension, ANSWER_IN if called else ANSWER_OUT
        if fact.kind in {c.ENDED, c.ABANDONED, c.LOST}:
            yield view.extension, HANG_UP


def _is_called(call: r.Call, view: r.View) -> bool:
    """Tell whether the extension of a view was called: from outside, or by the other side of a local call."""
    return view.flow == r.FLOW_INCOMING or (view.flow == r.FLOW_LOCAL and view is not call.views[0])


def _told(register: r.Register, fact: Fact, call: r.Call, extension: int) -> dict[str, str]:
    view = next(one for one in call.views if one.extension == extension)
    called, number = _is_called(call, view), register.extensions[extension].number
    caller, destination = view.source[0], view.destination[0]
    named = _CALLER.fullmatch(view.caller_id)
    ended = fact.kind in {c.ENDED, c.ABANDONED, c.LOST}
    return {
        "CallID": call.id,
        "CallerIDNum": caller if named is None else named[2],
        "CallerIDName": "" if named is None else named[1],
        "CalledDID": destination,
        "CalledExtension": number if called else "",
        "CallStatus": ("UNKNOWN" if call.answered_us == c.NEVER else "ANSWER") if ended else "CALLING",
        "CallFlow": "IN" if called else "OUT",
        "CallerExtension": "" if called and view.flow == r.FLOW_INCOMING else caller,
        "CalledNumber": destination,
    }
