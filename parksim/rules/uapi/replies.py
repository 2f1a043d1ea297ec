"""What the service answers: calls as UAPI shows them, pages of List, and the replies, all pure renderers.

One result has two renderings: ``collection_reply`` (200, the collection) and ``accepted_reply`` (an array of
``{id, extension, link}``; 202 for a PUT that prefers it, 200 for what creates or ends calls). A refusal has one,
``refusal_reply``. Addresses begin with the register's ``base_url``, never with what a request says of its host.

>>> reply = refusal_reply(m.Refusal.NOT_FOUND)
>>> reply.status, reply.body
(404, b'{"error":{"code":"not_found","message":"There is no such resource."}}')
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from operator import gt, lt
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlencode

from parksim.errors import ArgumentError
from parksim.rules.codes import NEVER
from parksim.rules.uapi import models as m
from parksim.rules.uapi.register import STATUS_ON_CALL, Call, Register, organization_of

_JSON: Final[tuple[tuple[str, str], ...]] = (("Content-Type", "application/json"),)
_ONE_US: Final = timedelta(microseconds=1)
_COMPARED: Final[Mapping[str, Callable[[Any, Any], bool]]] = {"greaterThan": gt, "lessThan": lt}


class Reply(NamedTuple):
    """An HTTP answer: ``body`` is JSON in ASCII, or empty; ``headers`` lacks Content-Length."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...]


# -------------------------------------------------------------------------------------------------------- calls


def address(register: Register, user: int, *words: str, of: str = "phoneCalls") -> str:
    """Return the absolute address of a user's extension (one further word) or of a call of it (two)."""
    path = "/".join(quote(word, safe="*@:", errors="replace") for word in (register.users[user].id, *words))
    return f"{register.base_url}/uapi/{of}/{path}"


def phone_call(register: Register, call: Call, user: int, extension: int) -> m.PhoneCall:
    """Return a call as UAPI shows it, with the link by which ``user`` reaches it under ``extension``."""
    owner = register.organizations[organization_of(register, call.extension)]
    return m.PhoneCall.model_validate(
        {
            "id": call.id,
            "extension": register.extensions[call.extension].number,
            "ownerId": owner.owner_id,
            "ownerName": owner.owner_name,
            "answered": _date(register, call.answered_us),
            "published": _date(register, call.published_us),
            "nonce": call.nonce or None,
            "phoneCallView": tuple(_view_fields(register, call, place) for place in range(len(call.views))),
            "link": {"self": address(register, user, register.extensions[extension].number, call.id)},
        }
    )


def _view_fields(register: Register, call: Call, place: int) -> dict[str, Any]:
    view = call.views[place]
    fields: dict[str, Any] = {
        "id": view.id,
        "extension": register.extensions[view.extension].number,
        "flow": view.flow,
        "status": view.status,
        "ringing": None if view.status == STATUS_ON_CALL else _date(register, view.ringing_us),
        "answered": _date(register, view.answered_us),
        "callerId": view.caller_id or None,
        "source": view.source,
        "destination": view.destination,
        "onHold": _date(register, view.on_hold_us),
        "holder": None if view.on_hold_us == NEVER else 1,
    }
    if call.stay is not None and call.stay.view == place:
        fields["parked"] = _date(register, call.stay.parked_us)
        fields["parkedPos"] = register.firsts[call.stay.lot] + call.stay.slot
        fields["parkedBy"] = register.extensions[call.stay.parker].number
    if call.returning is not None and call.returning.view == place:
        fields["parkedBy"] = register.extensions[call.returning.parker].number
    return fields


def _date(register: Register, time_us: int) -> datetime | None:
    return None if time_us == NEVER else instant(register, time_us)


def instant(register: Register, time_us: int) -> datetime:
    """Return an instant as the date that it is."""
    return register.epoch + time_us * _ONE_US


def whole(entries: Sequence[m.PhoneCall]) -> m.PhoneCallCollection:
    """Return a collection that holds all there is: what a PUT answers, however many."""
    return m.PhoneCallCollection.model_validate(
        {"entry": tuple(entries), "totalResults": len(entries), "itemsPerPage": max(m.COUNT_DEFAULT, len(entries))}
    )


# --------------------------------------------------------------------------------------------------------- List


def page(calls: Sequence[Call], query: m.ListQuery) -> Sequence[Call]:
    """Return the calls of the page asked for, ordered by the instant at which they entered the system."""
    descending = query.sort_order == "descending"
    ordered = sorted(calls, key=lambda call: (call.published_us, call.number), reverse=descending)
    return ordered[query.start_index : query.start_index + query.count]


def paged(entries: Sequence[m.PhoneCall], total: int, query: m.ListQuery, where: str) -> m.PhoneCallCollection:
    """Return a page of ``total`` calls as a collection, with the addresses of its neighbours at ``where``.

    A next page that begins beyond the highest startIndex has no address, nor has any page of an empty list.
    """
    start, end = query.start_index, query.start_index + query.count
    starts = {}
    if end < total and end <= m.START_INDEX_MAX:
        starts["next"] = end
    if start > 0 and total > 0:
        starts["prev"] = max(0, start - query.count)
    return m.PhoneCallCollection.model_validate(
        {
            "entry": tuple(entries),
            "startIndex": start,
            "totalResults": total,
            "itemsPerPage": query.count,
            "filtered": query.filter_by is not None,
            "sorted": "sort_order" in query.model_fields_set,
            "paging": {name: f"{where}?{_query_text(query, index)}" for name, index in starts.items()},
        }
    )


def _query_text(query: m.ListQuery, start_index: int) -> str:
    given = query.model_dump(exclude_unset=True)
    if "fields" in given:
        given["fields"] = ",".join(query.fields)
    return urlencode({**given, "count": query.count, "startIndex": start_index})


def wanted(register: Register, query: m.ListQuery) -> Callable[[Call], bool]:
    """Return the test that a call must pass to be listed.

    ``contains`` and ``startsWith`` look at the text as it is shown; the comparing operators at ids as text and at
    dates as instants to the microsecond, with any offset. To ``equals`` and ``inArray`` a date in whole seconds, as
    answers show them, stands for all of its second.

    Raises:
        ValueError, OverflowError: the filter has no value, or one that is no date with an offset.
    """
    operator, value = query.filter_op, query.filter_value
    if query.filter_by is None or operator == "present":
        return lambda _: True
    if value is None:
        raise ArgumentError("a filter needs its value")
    by_id = query.filter_by == "id"
    value = value if by_id else value.replace(" ", "+")  # a plus that was not encoded

    def text(call: Call) -> str:
        return call.id if by_id else m.date_text(instant(register, call.published_us))

    def key(call: Call) -> str | int:
        return call.id if by_id else call.published_us

    if operator == "contains":
        return lambda call: value in text(call)
    if operator == "startsWith":
        return lambda call: text(call).startswith(value)
    parts = value.split(",") if operator == "inArray" else [value]
    keys = [part if by_id else _instant_us(register, part) for part in parts]
    if operator in _COMPARED:
        return lambda call: _COMPARED[operator](key(call), keys[0])
    if by_id:
        return lambda call: call.id in keys
    return lambda call: call.published_us in keys or _second_of(register, call.published_us) in keys


def _second_of(register: Register, time_us: int) -> int:
    """Return the instant at which the second began that an instant is shown as."""
    shown = instant(register, time_us).replace(microsecond=0)
    return (shown - register.epoch) // _ONE_US


def _instant_us(register: Register, text: str) -> int:
    instant = datetime.fromisoformat(text)
    if instant.utcoffset() is None:
        raise ArgumentError("a date needs its offset")
    return (instant - register.epoch) // _ONE_US


# ------------------------------------------------------------------------------------------------------ replies

STREAM: Final = Reply(200, b"", (("Content-Type", "text/event-stream"), ("X-Accel-Buffering", "no")))
"""How an answer begins that has no end: events follow as they happen. Who serves it sends them."""


def options_reply(methods: Sequence[str]) -> Reply:
    """Say which methods a resource has (204, Allow)."""
    return Reply(204, b"", (("Allow", ", ".join(methods)),))


def collection_reply(collection: m.PhoneCallCollection, fields: Sequence[str] = ()) -> Reply:
    """Render a collection as 200; with ``fields`` the entries show only those."""
    body = collection.on_the_wire()
    if fields:
        body["entry"] = [{name: entry[name] for name in entry if name in fields} for entry in body["entry"]]
    return Reply(200, _json(body), _JSON)


def accepted_reply(collection: m.PhoneCallCollection, status: int = 202) -> Reply:
    """Render a collection as the array of its calls' id, extension and link."""
    kept = {"id", "extension", "link"}
    entries = [entry.on_the_wire(kept) for entry in collection.entry]
    return Reply(status, _json(entries), _JSON)


def listed(entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what is not calls as a collection that holds all there is."""
    size = {"startIndex": 0, "totalResults": len(entries), "itemsPerPage": max(m.COUNT_DEFAULT, len(entries))}
    return {"entry": list(entries), **size, "filtered": False, "sorted": False, "paging": {}}


def json_reply(value: object) -> Reply:
    """Render what is not a call as 200."""
    return Reply(200, _json(value), _JSON)


def refusal_reply(refusal: m.Refusal, message: str = "", allow: str = "") -> Reply:
    """Render a refusal with its status, in UAPI's envelope; ``message`` replaces the refusal's own.

    401 has WWW-Authenticate, and 405 ``allow`` as Allow.
    """
    body = {"error": {"code": refusal.code, "message": message or refusal.message}}
    headers = _JSON
    if refusal is m.Refusal.ACCESS_DENIED:
        headers = (*headers, ("WWW-Authenticate", "Bearer"))
    if allow:
        headers = (*headers, ("Allow", allow))
    return Reply(refusal.status, _json(body), headers)


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode("ascii")
