"""Registers to begin with, requests to them, and what must hold of a register at any time."""

import json
from collections.abc import Mapping

from parksim.rules import uapi
from parksim.rules.codes import NEVER, NOBODY
from parksim.rules.uapi import register as r
from parksim.testing import CALL_IDS, ORGANIZATIONS, USERS

CALL, LOCAL, _ = CALL_IDS
S = 1_000_000


def talking(capacity=100, taken=0, **options):
    """Return a register with CALL on call at 0003*210 since instant 5 s, and ``taken`` slots taken."""
    register = uapi.new_register(USERS, organizations=ORGANIZATIONS, capacity=capacity, **options)
    for number in range(taken):
        other = f"{number:020x}"
        register = uapi.offer(register, "0003*024", peer="555", now_us=0, call_id=other).register
        register = uapi.answer(register, other, now_us=0).register
        asked = uapi.Ask("33", "0003*024", other, fields={"phoneCallViewId": "01", "maxInParking": 3600})
        register = uapi.park(register, asked, 0).register
    register = uapi.offer(
        register, "0003*210", peer="3235742879", now_us=0, call_id=CALL, caller_id="John Doe <3333>"
    ).register
    return uapi.answer(register, CALL, now_us=5 * S).register


def put(path, body, user="12", **options):
    """Return the PUT of a body (an object, or bytes) to a path under /uapi/phoneCalls."""
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    return uapi.Request("PUT", f"/uapi/phoneCalls{path}", sent, user=user, **options)


def get(path, user="12", **options):
    """Return the GET of a path under /uapi/phoneCalls."""
    return uapi.Request("GET", f"/uapi/phoneCalls{path}", user=user, **options)


def park_body(**changes) -> Mapping[str, object]:
    """Return the page's example body, changed."""
    return {"action": "Park", "maxInParking": "30", "phoneCallViewId": "01", **changes}


def unpark_body(**changes) -> Mapping[str, object]:
    """Return an UnPark that rings 0003*024, changed."""
    return {"action": "UnPark", "phoneCallViewId": "01", "sendCallTo": "0003*024", **changes}


def parked(seconds="30", now_us=60 * S, **options):
    """Return a register in which CALL is parked at 60 s."""
    body = park_body(maxInParking=seconds)
    return uapi.respond(talking(**options), put(f"/12/0003*210/{CALL}", body), now_us=now_us).register


def content(outcome):
    """Return the JSON of a reply."""
    return json.loads(outcome.reply.body)


def code(outcome):
    """Return (status, UAPI's code) of a refusal."""
    return outcome.reply.status, content(outcome)["error"]["code"]


def entry(outcome, place=0):
    """Return one call of a collection."""
    return content(outcome)["entry"][place]


def view(outcome, place=0):
    """Return the first view of one call of a collection."""
    return entry(outcome, place)["phoneCallView"][0]


def look(register, now_us, call=CALL):
    """Return the first view of a call as List shows it to everybody's administrator."""
    return view(uapi.respond(register, get(f"/@owner/@self/{call}", scope="global"), now_us=now_us))


def call_as(number, parties, deadline_us, ring_end_us, published_us):
    """Return a parked call between extensions, with its timers."""
    view = r.View("01", 0, ("1",), ("2",), "", r.FLOW_OUTGOING, r.STATUS_ON_CALL, NEVER, 0, NEVER)
    views = tuple(view._replace(extension=party) for party in parties)
    stay = r.Stay(0, 0, number, parties[0], 0, NOBODY if ring_end_us == NEVER else 0, ring_end_us, deadline_us)
    return r.Call(number, f"{number:020x}", parties[0], "", views, published_us, 0, stay, None, 0)


def assert_sound(register):
    """Check that lots and calls agree: one slot a call, one call a slot, no timer without a stay."""
    stays = {(call.stay.lot, call.stay.slot): call.number for call in register.calls if call.stay}
    assert len(stays) == sum(call.stay is not None for call in register.calls)
    for number, lot in enumerate(register.lots):
        assert lot.number == number
        assert len(lot.occupants) == len(lot.parkers) == len(lot.deadlines_us) == lot.slots
        for slot, occupant in enumerate(lot.occupants):
            assert stays.get((number, slot), NOBODY) == occupant
            assert (lot.deadlines_us[slot] == NEVER) == (occupant == NOBODY) == (lot.parkers[slot] == NOBODY)
    assert [call.number for call in register.calls] == sorted({call.number for call in register.calls})
    assert len({call.id for call in register.calls}) == len(register.calls)
    for call in register.calls:
        assert call.stay is None or call.returning is None
        assert call.published_us <= call.answered_us or call.answered_us == NEVER
