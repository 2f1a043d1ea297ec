"""The ladder of refusals: one fault repaired at a time, each repair reveals the next rung and nothing else."""

from typing import NamedTuple

import pytest
from uapi_strategies import CALL, S, code, content, park_body, parked, talking, unpark_body

from parksim.rules import uapi
from parksim.rules.uapi.models import BODY_LIMIT_BYTES, Refusal

NOW = 60 * S


class Faults(NamedTuple):
    """A request in pieces, so that each repair replaces one piece."""

    root: str = "/uapi/phoneCall"
    words: tuple[str, ...] = ("999", "0003*999", "zzz")
    query: str = "?" + "x" * 5_000
    method: str = "PATCH"
    user: str | None = None
    body: bytes = b"["
    register: uapi.Register = uapi.new_register({})

    def outcome(self):
        """Send it."""
        target = "/".join((self.root, *self.words)) + self.query
        return uapi.respond(self.register, uapi.Request(self.method, target, self.body, self.user), now_us=NOW)


def ringing_and_full():
    """Return a register whose call rings and whose lot is full."""
    full = talking(capacity=1, taken=1)
    after = uapi.hang_up(full, CALL, now_us=6 * S).register
    return uapi.offer(after, "0003*210", peer="3235742879", now_us=6 * S, call_id=CALL).register


def body(**changes):
    """Return a Park as bytes; None leaves a field out."""
    fields = {name: value for name, value in park_body(**changes).items() if value is not None}
    return str(fields).replace("'", '"').encode()


def unpark(**changes):
    """Return an UnPark as bytes; None leaves a field out."""
    fields = {name: value for name, value in unpark_body(**changes).items() if value is not None}
    return str(fields).replace("'", '"').encode()


# Each line: what is refused, then what is repaired.
PARK = (
    (Refusal.URI_TOO_LONG, {"query": ""}),
    (Refusal.NOT_FOUND, {"root": "/uapi/phoneCalls"}),
    (Refusal.METHOD_NOT_ALLOWED, {"method": "PUT"}),
    (Refusal.ACCESS_DENIED, {"user": "12", "register": ringing_and_full()}),
    (Refusal.USER_INVALID, {"words": ("12", "0003*999", "zzz")}),
    (Refusal.EXTENSION_INVALID, {"words": ("12", "0003*210", "zzz")}),
    (Refusal.PHONECALL_INVALID, {"words": ("12", "0003*210", CALL), "body": b"[" + b" " * BODY_LIMIT_BYTES}),
    (Refusal.BODY_TOO_LARGE, {"body": b"["}),
    (Refusal.BODY_INVALID, {"body": body(action="park", maxInParking="9", phoneCallViewId=None)}),
    (Refusal.ACTION_NOT_IMPLEMENTED, {"body": body(maxInParking="9", phoneCallViewId=None)}),
    (Refusal.PARKTIMEOUT_INVALID, {"body": body(phoneCallViewId=None)}),
    (Refusal.VIEW_INVALID, {"body": body(phoneCallViewId="02")}),
    (Refusal.VIEW_INVALID, {"body": body()}),
    (Refusal.VIEW_STATE, {"register": uapi.answer(ringing_and_full(), CALL, now_us=7 * S).register}),
    (Refusal.LOT_FULL, {"register": talking()}),
)
UNPARK = (
    (Refusal.BODY_INVALID, {"body": unpark(action="unpark", sendCallTo=None, waitForPickup="0", phoneCallViewId=None)}),
    (Refusal.ACTION_NOT_IMPLEMENTED, {"body": unpark(sendCallTo=None, waitForPickup="0", phoneCallViewId=None)}),
    (Refusal.SEND_CALL_TO_INVALID, {"body": unpark(sendCallTo="0004*500", waitForPickup="0", phoneCallViewId=None)}),
    (Refusal.SEND_CALL_TO_INVALID, {"body": unpark(waitForPickup="0", phoneCallViewId=None)}),
    (Refusal.WAIT_FOR_PICKUP_INVALID, {"body": unpark(phoneCallViewId=None)}),
    (Refusal.VIEW_INVALID, {"body": unpark()}),
    (Refusal.VIEW_STATE, {"register": parked()}),
)
LIST = (
    (Refusal.USER_INVALID, {"words": ("12", "0003*999", "zzz")}),
    (Refusal.EXTENSION_INVALID, {"words": ("12", "0003*210", "zzz")}),
    (Refusal.QUERY_INVALID, {"query": ""}),
)
SERVER = {
    Refusal.SERVICE_UNAVAILABLE: (503, "service_unavailable"),
    Refusal.REQUEST_TIMEOUT: (408, "request_timeout"),
    Refusal.REQUEST_MALFORMED: (400, "request_invalid"),
    Refusal.HEADERS_TOO_LARGE: (431, "headers_too_large"),
    Refusal.HOST_REFUSED: (421, "host_refused"),
    Refusal.ORIGIN_REFUSED: (403, "origin_refused"),
    Refusal.INTERNAL_ERROR: (500, "internal_server_error"),
}
"""Refusals that only a server can earn: the service renders them, and keeps the one table."""


@pytest.mark.parametrize(
    ("faults", "ladder"),
    [
        (Faults(), PARK),
        (Faults("/uapi/phoneCalls", ("12", "210", CALL), "", "PUT", "12", b"[", talking()), UNPARK),
        (Faults("/uapi/phoneCalls", query="?count=0", method="GET", user="12", register=talking()), LIST),
    ],
    ids=["park", "unpark", "list"],
)  # fmt: skip
def test_climbing(faults, ladder):
    """Each line's fault is what is refused, with its status and code; repaired, the next line's fault shows."""
    for refusal, repair in ladder:
        outcome = faults.outcome()
        assert code(outcome) == (refusal.status, refusal.code), refusal
        assert content(outcome)["error"]["message"].startswith(refusal.message[:24])
        assert outcome.register == faults.register
        faults = faults._replace(**repair)
    assert faults.outcome().reply.status == 200


def test_ladders_ascend_and_leave_nothing_out():
    """The lines stand in the order of the rungs, and every refusal of the enumeration is explained in this file."""
    for ladder in (PARK, UNPARK, LIST):
        rungs = [refusal.rung for refusal, _ in ladder]
        assert rungs == sorted(rungs)
    explained = {refusal for ladder in (PARK, UNPARK, LIST) for refusal, _ in ladder} | set(SERVER)
    events = {refusal for refusal in Refusal if refusal.name.startswith("EVENT")}  # test_uapi_phone_call_events.py
    assert explained | events == set(Refusal)
    assert [refusal.rung for refusal in Refusal] == list(range(len(Refusal)))


@pytest.mark.parametrize(("refusal", "expected"), SERVER.items(), ids=lambda value: getattr(value, "name", None))
def test_what_only_a_server_refuses(refusal, expected):
    """The server has no table of errors of its own: the refusals that HTTP needs are rendered here too."""
    reply = uapi.refusal_reply(refusal)
    assert (reply.status, content(uapi.Outcome(None, reply, ()))["error"]["code"]) == expected


def test_no_message_repeats_much():
    """However long the input, a message shows at most 64 characters of it, in printable ASCII."""
    for long in ("\x00" * 60_000, "é" * 30_000, "x" * 60_000, "\U0001f600" * 9_000):
        for changes in ({"maxInParking": long}, {"phoneCallViewId": long}, {"action": long}):
            result = uapi.change_calls(talking(), uapi.Ask("12", call=CALL, fields=park_body(**changes)), NOW)
            assert result.refused.message.isprintable()
            assert result.refused.message.isascii()
            assert len(result.refused.message) <= len(result.refused.refusal.message) + len(" Got .") + 64


def test_wrong_method_names_the_right_ones():
    """405 bears Allow with the methods of that resource; OPTIONS answers with them, whoever asks."""
    for target, allow in (
        ("/uapi/phoneCalls/12/0003*210", "GET, PUT, DELETE, HEAD, OPTIONS"),
        ("/uapi/phoneCalls/12/simple/", "GET, PUT, DELETE, POST, HEAD, OPTIONS"),
        ("/uapi/extensions/12/0003*210/phoneCallEvents", "GET, POST, PUT, DELETE, HEAD, OPTIONS"),
        ("/uapi/extensions/12/0003*210/phoneCallStream", "GET, HEAD, OPTIONS"),
    ):
        outcome = uapi.respond(talking(), uapi.Request("PATCH", target, user="12"), now_us=NOW)
        assert code(outcome) == (405, "method_not_allowed")
        assert ("Allow", allow) in outcome.reply.headers
        told = uapi.respond(talking(), uapi.Request("OPTIONS", target), now_us=NOW)
        assert told.reply == uapi.Reply(204, b"", (("Allow", allow),))
    assert code(uapi.respond(talking(), uapi.Request("OPTIONS", "/uapi/nowhere"), now_us=NOW)) == (404, "not_found")


def test_head_is_answered_as_get_is():
    """For each path, and each refusal; the server leaves the body out."""
    for target in (
        *(f"/uapi/phoneCalls/12/0003*210{rest}" for rest in ("", f"/{CALL}", "?count=0", "/x/y")),
        *(f"/uapi/extensions/{words}/phoneCallStream" for words in ("12/@self", "12/0003*999", "99/@self")),
    ):
        for user in ("12", None):
            got, head = (
                uapi.respond(talking(), uapi.Request(m, target, user=user), now_us=NOW) for m in ("GET", "HEAD")
            )
            assert got == head
    assert uapi.rank_of(uapi.Request("GET", "/")) == uapi.rank_of(uapi.Request("HEAD", "/"))


@pytest.mark.parametrize(
    "target",
    ["", "/", "*", "/uapi", "/uapi/phoneCall/12/0003*210", "/uapi/phonecalls/", "/phoneCalls", "//uapi/phoneCalls/12",
     f"/uapi/phoneCalls/12/0003*210/{CALL}/x", "/uapi/phoneCalls/12/0003*210///", "/uapi/extensions/12/0003*210/x",
     f"/uapi/phoneCalls/12/0003*210/{CALL}/../..", "/uapi/extensions/12/0003*210/phoneCallEvents/1/2/3",
     "http://127.0.0.1/uapi/phoneCalls/12"],
)  # fmt: skip
def test_unknown_routes(target):
    """What is no route of the service is 404, with or without a token."""
    for user in ("12", None):
        assert code(uapi.respond(talking(), uapi.Request("GET", target, user=user), now_us=NOW)) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "target"),
    [("POST", "/uapi/phoneCalls/@me/callback"), ("POST", "/uapi/phoneCalls/@me/conferenceInvite/")],
)  # fmt: skip
def test_documented_but_not_implemented(method, target):
    """What UAPI documents and the service does not do is 501, and only after token and path were checked."""
    request = uapi.Request(method, target, user="12")
    assert code(uapi.respond(talking(), request, now_us=NOW)) == (501, "request_not_implemented")
    assert code(uapi.respond(talking(), request._replace(user=None), now_us=NOW)) == (401, "access_denied")
