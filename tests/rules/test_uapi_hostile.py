"""What must hold for any request in any state: nothing raises, nothing leaks, nothing is lost.

Hypothesis draws the cases; examples are as many as its profile says, and a failing one is printed to be replayed.
"""

import json

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from uapi_strategies import (
    CALL,
    S,
    assert_sound,
    content,
    look,
    park_body,
    parked,
    put,
    talking,
    unpark_body,
)

from parksim.rules import codes, uapi
from parksim.rules.uapi.calls import due_before, next_timer_us
from parksim.testing import uapi_histories, uapi_life

NOW = 60 * S
PATH = f"/uapi/phoneCalls/12/0003*210/{CALL}"
DOCUMENTED = {(refusal.status, refusal.code) for refusal in uapi.Refusal}
METHODS = st.sampled_from(["GET", "PUT", "POST", "DELETE", "PATCH", "", "get", "\x00"])


def assert_documented(outcome):
    """Check that a reply is one of those the service documents, and JSON that anybody can read."""
    status, body, _ = outcome.reply
    if status == 204:
        assert body == b""
    elif status < 300:
        assert status in {200, 202}
        assert body.isascii()
        assert isinstance(json.loads(body), dict | list)
    else:
        error = content(outcome)["error"]
        assert (status, error["code"]) in DOCUMENTED
        assert set(error) == {"code", "message"}
        assert len(body) < 400


@given(METHODS, st.text(max_size=80) | st.binary(max_size=80).map(lambda raw: raw.decode("latin-1")), st.binary())
def test_any_target_and_body(method, target, body):
    """Whatever the target and the body, respond answers something documented and nothing has changed."""
    for path in (target, f"/uapi/phoneCalls/{target}", f"/uapi/phoneCalls/@me/@self?{target}", f"{PATH}/{target}"):
        outcome = uapi.respond(parked(), uapi.Request(method, path, body, "12"), now_us=NOW)
        assert_documented(outcome)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    ["action", "phoneCallViewId", "maxInParking", "sendCallTo", "waitForPickup", "waitForPickUp", "extension", "nonce",
     "phoneCallView", "callerId"]
)  # fmt: skip
WORDS = st.sampled_from(["Park", "UnPark", "01", "30", "0003*024"])


@given(st.dictionaries(FIELDS, WORDS | JSON), st.sampled_from([PATH, "/uapi/phoneCalls/12/simple"]), st.booleans())
def test_any_fields(fields, target, creates):
    """Whatever stands in the fields of a body, respond answers something documented, and its answer can be listed."""
    request = uapi.Request("POST" if creates else "PUT", target, json.dumps(fields).encode(), "12")
    outcome = uapi.respond(talking(), request, now_us=NOW)
    assert_documented(outcome)
    assert_documented(
        uapi.respond(outcome.register, uapi.Request("GET", "/uapi/phoneCalls/@me/@self", user="12"), now_us=NOW)
    )


@pytest.mark.parametrize("cut", range(len(json.dumps(park_body()))))
def test_truncated_bodies(cut):
    """A body cut short at any byte is refused, whole it parks."""
    body = json.dumps(park_body()).encode()
    assert uapi.respond(talking(), uapi.Request("PUT", PATH, body[:cut], "12"), now_us=NOW).reply.status == 400
    assert uapi.respond(talking(), uapi.Request("PUT", PATH, body, "12"), now_us=NOW).reply.status == 200


@pytest.mark.parametrize(
    "query", ["\ud800", "filterBy=id&filterValue=\ud800", "filterBy=id&filterValue=%ff%fe", "%", "&=&", ";"]
)
def test_odd_queries(query):
    """Half surrogates, broken escapes and bytes that are no UTF-8 in path or query do not make List fail."""
    for target in (f"{PATH}?{query}", f"/uapi/phoneCalls/@me/@self/{query}?startIndex=1&{query}"):
        assert_documented(uapi.respond(parked(), uapi.Request("GET", target, user="12"), now_us=NOW))


@given(uapi_histories())
def test_any_life(steps):
    """Over any sequence of requests, answers and waits at, before and after deadlines the register stays sound.

    Every answer is documented, the same question gets the same answer, a refusal changes nothing but what the time
    did, and the facts tell the whole story of the lot: never two calls in a slot, a stay ends once, within its
    deadline, and by the timer exactly at it.
    """
    occupied, last_us = {}, 0
    for asked, now_us, before, outcome in uapi_life(steps):
        register = outcome.register
        assert_sound(register)
        if not isinstance(asked, str):
            assert outcome == uapi.respond(before, asked, now_us=now_us)
            assert_documented(outcome)
            if outcome.reply.status >= 400:
                ranks = (codes.RANK_HANGUP, codes.RANK_PARK_REQUEST)
                assert register in [due_before(before, now_us, rank).register for rank in ranks]
        for fact in outcome.facts:
            assert last_us <= fact.time_us <= now_us
            last_us = fact.time_us
            if fact.kind == codes.PARKED:
                assert (fact.lot, fact.slot) not in occupied
                occupied[fact.lot, fact.slot] = fact
            elif fact.slot != codes.NOBODY:
                stay = occupied.pop((fact.lot, fact.slot))
                assert stay.call == fact.call
                assert fact.time_us <= stay.deadline_us
                assert fact.kind != codes.EXPIRED or fact.time_us == stay.deadline_us
                assert fact.kind == codes.RETRIEVED or fact.extension == stay.extension
        held = {(lot.number, slot): call for lot in register.lots for slot, call in enumerate(lot.occupants)}
        assert {place: call for place, call in held.items() if call != codes.NOBODY} == {
            place: fact.call for place, fact in occupied.items()
        }
        timer_us = next_timer_us(register)
        assert timer_us == codes.NEVER or timer_us >= now_us


REACHED = ("OFFERED", "REFUSED", "PARKED", "RETRIEVED", "ABANDONED", "EXPIRED", "RECALL_ANSWERED", "ENDED")


@pytest.mark.parametrize("kind", [codes.KIND_NAMES.index(name) for name in REACHED], ids=REACHED)
def test_lives_are_eventful(kind):
    """The lives drawn above do reach every kind of fact: the test of them is not an empty one."""

    def reaches(steps):
        return any(fact.kind == kind for *_, outcome in uapi_life(steps) for fact in outcome.facts)

    assert find(
        uapi_histories(), reaches, settings=settings(max_examples=5_000, derandomize=True, phases=[Phase.generate])
    )


@given(st.integers(10 * S, 3600 * S), st.integers(0, 3600 * S))
def test_parking_again_changes_nothing(limit_us, later_us):
    """However long after, but before its end, parking what is parked gives the same answer and no new fact."""
    body = park_body(maxInParking=f"{limit_us // S}.{limit_us % S:06d}")
    request = uapi.Request("PUT", PATH, json.dumps(body).encode(), "12")
    first = uapi.respond(talking(), request, now_us=NOW)
    again = uapi.respond(first.register, request, now_us=NOW + later_us % limit_us)
    assert (again.register, again.reply, again.facts) == (first.register, first.reply, ())


@given(st.integers(10, 3600), st.integers(-2, 2))
def test_around_the_deadline(seconds, offset_us):
    """Up to the deadline an UnPark finds the call and its answer retrieves it; after it the parker is rung."""
    now_us = NOW + seconds * S + offset_us
    outcome = uapi.respond(parked(seconds), put(f"/12/0003*210/{CALL}", unpark_body()), now_us=now_us)
    done = uapi.answer(outcome.register, CALL, now_us=now_us)
    if offset_us <= 0:
        assert (outcome.reply.status, [fact.kind for fact in done.facts]) == (200, [codes.RETRIEVED])
    else:
        assert outcome.reply.status == 400
        assert look(outcome.register, now_us)["status"] == "4"
        assert [fact.kind for fact in outcome.facts] == [codes.EXPIRED, codes.RECALL_RINGING]
        assert [fact.time_us for fact in outcome.facts] == [NOW + seconds * S] * 2


def test_ids_are_never_header_text():
    """Line breaks in a path end up neither in a header nor unescaped in a body."""
    outcome = uapi.respond(talking(), put("/12/0003*210/%0d%0aSet-Cookie:x", park_body()), now_us=NOW)
    assert outcome.reply.headers == (("Content-Type", "application/json"),)
    assert b"\r" not in outcome.reply.body
    assert b"\n" not in outcome.reply.body


def test_a_body_of_any_depth_and_size():
    """Nesting and length of what no action reads do no harm, up to the limit of 64 KiB."""
    for extra in (b"[" * 900 + b"]" * 900, b"1" * 5_000, b'"' + b"x" * 60_000 + b'"', b"NaN", b'"\\ud800"'):
        body = b'{"action":"Park","phoneCallViewId":"01","extra":' + extra + b"}"
        assert uapi.respond(talking(), uapi.Request("PUT", PATH, body, "12"), now_us=NOW).reply.status == 200
    body = b'{"action":"Park","phoneCallViewId":"01"}'
    for size, status in ((65_536, 200), (65_537, 413)):
        asked = uapi.Request("PUT", PATH, body + b" " * (size - len(body)), "12")
        assert uapi.respond(talking(), asked, now_us=NOW).reply.status == status
    for size, status in ((4_096, 200), (4_097, 414)):
        asked = uapi.Request("PUT", PATH + "?" + "x" * (size - len(PATH) - 1), body, "12")
        assert uapi.respond(talking(), asked, now_us=NOW).reply.status == status


def test_a_register_is_a_value():
    """A register is hashable and equal by content, so nothing in it can change."""
    assert hash(parked()) == hash(parked())
    assert parked() == parked()
    assert parked() != talking()
