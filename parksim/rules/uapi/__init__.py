"""The UAPI service as one pure function: Park, UnPark, List and their neighbours, from request to reply.

``respond`` takes the register, a request and the instant, and answers with the next register, the reply and the
facts; nothing else in the world has changed, and no bytes in target or body make it raise. Its parts are public
too: ``list_calls``, ``park``, ``unpark``, ``change_calls``, ``hang_up_calls``, ``create_call`` and ``hear_calls``
answer with a ``Result``, which ``collection_reply`` (200), ``accepted_reply`` (202) or ``refusal_reply`` render.

How it works: a target is split at ``/`` and each segment decoded once; the ladder (``Refusal``) is climbed rung by
rung; timers that come before the request in the calendar happen first. A hang-up and an UnPark come before the
time-out of their own instant, a Park and a List after it; a request whose action is unknown changes nothing and
waits for nothing but timers of earlier instants.

>>> register = new_register({"12": ["0003*210"]})
>>> register = offer(register, "0003*210", peer="3235742879", now_us=0, call_id="b817d2618fe6f1804333").register
>>> register = answer(register, "b817d2618fe6f1804333", now_us=5_000_000).register
>>> body = b'{"action": "Park", "maxInParking": "30", "phoneCallViewId": "01"}'
>>> request = Request("PUT", "/uapi/phoneCalls/12/0003*210/b817d2618fe6f1804333", body, user="12")
>>> outcome = respond(register, request, now_us=60_000_000)
>>> outcome.reply.status, outcome.facts[0].slot, next_timer_us(outcome.register)
(200, 0, 90000000)
"""

from parksim.rules.uapi.calls import Effect, Event, State, answer, expire, hang_up, next_timer_us, offer
from parksim.rules.uapi.models import PhoneCall, PhoneCallAction, PhoneCallCollection, PhoneCallView, Refusal
from parksim.rules.uapi.register import DEFAULT_ORGANIZATION, Call, Changed, Organization, Register, new_register
from parksim.rules.uapi.replies import STREAM, Reply, accepted_reply, collection_reply, options_reply, refusal_reply
from parksim.rules.uapi.service import (
    Ask,
    Found,
    Outcome,
    Request,
    Result,
    change_calls,
    create_call,
    entries,
    hang_up_calls,
    hear_calls,
    heard,
    list_calls,
    park,
    prefers_async,
    rank_of,
    resolve,
    respond,
    route,
    unpark,
)

__all__ = ["Effect", "Event", "State", "answer", "expire", "hang_up", "next_timer_us", "offer"]
__all__ += ["PhoneCall", "PhoneCallAction", "PhoneCallCollection", "PhoneCallView", "Refusal"]
__all__ += ["DEFAULT_ORGANIZATION", "Call", "Changed", "Organization", "Register", "new_register"]
__all__ += ["STREAM", "Reply", "accepted_reply", "collection_reply", "options_reply", "refusal_reply"]
__all__ += [
    "Ask",
    "Found",
    "Outcome",
    "Request",
    "Result",
    "change_calls",
    "create_call",
    "entries",
    "hang_up_calls",
    "hear_calls",
    "heard",
    "list_calls",
]
__all__ += ["park", "prefers_async", "rank_of", "resolve", "respond", "route", "unpark"]
