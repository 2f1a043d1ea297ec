"""phoneCallEvents: the resource as the vendor's pages print it, what is refused of it, and when it fires."""

import json
from itertools import pairwise

import pytest
from uapi_strategies import CALL, S, parked, talking

from parksim.rules import uapi
from parksim.rules.uapi.subscriptions import MOST, fired

NOW = 60 * S
PATH = "/uapi/extensions/12/0003*210/phoneCallEvents"
PAGE = {
    "type": "0",
    "method": "0",
    "note": "My phone call event is awesome",
    "url": "http://myevent.com/SaveMyPhoneCallDetails",
    "status": "1",
}
"""The body of the page's example."""


def ask(register, method, path="", body=None, user="12", now_us=NOW, base=PATH):
    """Answer a request at phoneCallEvents."""
    sent = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    return uapi.respond(register, uapi.Request(method, base + path, sent, user=user), now_us=now_us)


def content(outcome):
    """Return the JSON of a reply."""
    return json.loads(outcome.reply.body)


def refusal(outcome):
    """Return status and code of a refusal, which changes nothing."""
    return outcome.reply.status, content(outcome)["error"]["code"]


def made(register=None, **changes):
    """Return a register with one more subscription, and that one as it was answered."""
    outcome = ask(register or talking(), "POST", body={**PAGE, **changes})
    assert outcome.reply.status == 200
    return outcome.register, content(outcome)


def test_the_pages_example():
    """Created, listed, changed and deleted; every field of the page's example is there, of its type."""
    register, shown = made()
    assert {name: shown[name] for name in PAGE} == PAGE
    assert set(shown) == {*PAGE, "id", "modified", "links"}
    assert shown["id"].isalnum()
    assert len(shown["id"]) == 30
    assert shown["links"] == {"self": f"http://127.0.0.1:8080{PATH}/0/{shown['id']}"}
    for path in ("", "/", "/0", f"/0/{shown['id']}", f"/{shown['id']}"):
        listed = content(ask(register, "GET", path))
        assert (listed["entry"], listed["totalResults"]) == ([shown], 1)
    assert content(ask(register, "GET", "/1"))["entry"] == []
    changed = ask(register, "PUT", f"/0/{shown['id']}", {"status": 0, "note": "off"}, now_us=NOW + 9 * S)
    assert content(changed) == {**shown, "status": "0", "note": "off", "modified": content(changed)["modified"]}
    assert content(changed)["modified"] > shown["modified"]
    gone = ask(changed.register, "DELETE", f"/0/{shown['id']}")
    assert (gone.reply.status, gone.reply.body, gone.register.subscriptions) == (204, b"", ())
    assert ask(gone.register, "DELETE").register is gone.register


def test_the_type_may_stand_in_the_path():
    """As in the newer guide; a body's type does not count then."""
    outcome = ask(talking(), "POST", "/3", {"url": "https://app.example/", "type": 1})
    assert content(outcome)["type"] == "3"
    assert content(outcome)["method"] == "0"
    assert content(outcome)["status"] == "1"


def test_ids_differ():
    """Two that are made at one instant have two ids; each is found by its own."""
    register, first = made()
    register, second = made(register)
    assert first["id"] != second["id"]
    assert content(ask(register, "GET", f"/{second['id']}"))["entry"] == [second]
    assert len(ask(register, "DELETE", f"/{first['id']}").register.subscriptions) == 1
    assert ask(register, "DELETE", "/0").register.subscriptions == ()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        *(({"type": value}, "pcet_type_invalid") for value in (5, -1, "x", None, True, [0], 1.5)),
        *(({"method": value}, "pce_method_invalid") for value in (2, "GET", None, False)),
        *(({"status": value}, "request_invalid") for value in (2, "on", None)),
        *(({"note": value}, "request_invalid") for value in (1, None, "x" * 5_000, "\ud800")),
        *(({"url": value}, "request_invalid") for value in (None, 1, "", "x", "ftp://a/", "http://", "http:///x")),
        *(({"url": f"http://a{rest}"}, "request_invalid") for rest in (":x/", ":0/", "/ b", "/\r\nX: y", "/\u00e9")),
        ({"url": "http://a:99999/"}, "request_invalid"),
        ({"url": "http://user:word@app.example/"}, "request_invalid"),
        ({"url": "http://a/" + "x" * 5_000}, "request_invalid"),
        ({"type": 9, "method": 9}, "pcet_type_invalid"),
    ],
)  # fmt: skip
def test_what_is_refused_of_a_body(changes, code):
    """Each field by the code that the page has for it, else as a body that is not right."""
    refused = ask(talking(), "POST", body={**PAGE, **changes})
    assert refusal(refused) == (400, code)
    assert refused.register.subscriptions == ()
    register, shown = made()
    if "type" not in changes:
        assert refusal(ask(register, "PUT", f"/0/{shown['id']}", changes)) == (400, code)


def test_what_is_refused_of_a_path():
    """Token, user, extension, @self, type and id, in this order."""
    register, shown = made()
    for method in ("GET", "POST", "PUT", "DELETE"):
        body = PAGE if method in {"POST", "PUT"} else None
        assert refusal(ask(register, method, body=body, user=None)) == (401, "access_denied")
        for base, code in (
            ("/uapi/extensions/33/0003*024/phoneCallEvents", "user_invalid"),
            ("/uapi/extensions/12/0003*024/phoneCallEvents", "extension_invalid"),
            ("/uapi/extensions/12/@self/phoneCallEvents", "extension_invalid"),
        ):
            assert refusal(ask(register, method, body=body, base=base)) == (400, code)
        if method != "POST":
            for path in ("/0/nobody", f"/1/{shown['id']}", "/nobody", "/%20", f"/0/{shown['id']}x"):
                assert refusal(ask(register, method, path, body)) == (400, "pce_id_invalid")
            assert refusal(ask(register, method, f"/9/{shown['id']}", body)) == (400, "pcet_type_invalid")
    assert refusal(ask(register, "POST", "/9", PAGE)) == (400, "pcet_type_invalid")
    assert refusal(ask(register, "POST", f"/0/{shown['id']}", PAGE)) == (400, "pce_id_invalid")
    assert refusal(ask(register, "PUT", "", PAGE)) == (400, "pce_id_invalid")
    for broken in (b"", b"[]", b"{"):
        assert refusal(ask(register, "POST", body=broken)) == (400, "request_invalid")
    assert refusal(ask(register, "GET", base="/uapi/extensions/12/0003*210/phoneCallEvents/0/a/b")) == (
        404,
        "not_found",
    )


def test_there_are_only_so_many():
    """One more than the limit is refused."""
    register, _ = made()
    [one] = register.subscriptions
    full = register._replace(subscriptions=(one,) * MOST)
    assert refusal(ask(full, "POST", body=PAGE)) == (409, "pce_full")


def history(*, incoming=False, peer="3235742879"):
    """Yield the registers and facts of a call that is offered, answered, parked and hung up."""
    register = uapi.new_register({"12": ["0003*210", "0003*211"], "33": ["0003*024"]})
    for extension in ("0003*210", "0003*211"):
        for kind in range(5):
            base = f"/uapi/extensions/12/{extension}/phoneCallEvents"
            register = ask(register, "POST", f"/{kind}", {"url": f"http://a/{extension}/{kind}"}, base=base).register
    steps = [register]
    facts = []
    for work in (
        lambda r: uapi.offer(
            r, "0003*210", peer=peer, now_us=NOW, call_id=CALL, incoming=incoming, caller_id="John Doe <3333>"
        ),
        lambda r: uapi.answer(r, CALL, now_us=NOW),
        lambda r: uapi.hang_up(r, CALL, now_us=NOW),
    ):
        changed = work(steps[-1])
        steps.append(changed.register)
        facts.append(changed.facts)
    for (before, after), happened in zip(pairwise(steps), facts, strict=True):
        for fact in happened:
            calls = (uapi_call(one) for one in (before, after))
            yield [(one.subscription.url[9:], dict(one.told)) for one in fired(after, fact, *calls)]


def uapi_call(register):
    """Return the only call, if there is one."""
    return next(iter(register.calls), None)


def test_what_fires_for_a_call_outward():
    """Dial-Out, answer of an outgoing call, Hangup; each says who calls whom, and how it ended."""
    dialled, answered, ended = history()
    assert [name for [(name, _)] in (dialled, answered, ended)] == ["0003*210/1", "0003*210/4", "0003*210/2"]
    told = dialled[0][1]
    assert told == {
        "CallID": CALL,
        "CallerIDNum": "3333",
        "CallerIDName": "John Doe",
        "CalledDID": "3235742879",
        "CalledExtension": "",
        "CallStatus": "CALLING",
        "CallFlow": "OUT",
        "CallerExtension": "0003*210",
        "CalledNumber": "3235742879",
    }
    assert ended[0][1] == {**told, "CallStatus": "ANSWER"}


def test_what_fires_for_a_call_inward_and_a_local_one():
    """Dial-In and answer of an incoming call; a local call is outward for one side and inward for the other."""
    dialled, answered, _ = history(incoming=True)
    assert [name for name, _ in dialled + answered] == ["0003*210/0", "0003*210/3"]
    told = dialled[0][1]
    assert (told["CallFlow"], told["CalledExtension"], told["CallerExtension"]) == ("IN", "0003*210", "")
    dialled, answered, ended = history(peer="0003*211")
    assert [name for name, _ in dialled] == ["0003*210/1", "0003*211/0"]
    assert [name for name, _ in answered] == ["0003*210/4", "0003*211/3"]
    assert [name for name, _ in ended] == ["0003*210/2", "0003*211/2"]
    assert [told["CallFlow"] for _, told in ended] == ["OUT", "IN"]


def test_what_does_not_fire():
    """A park is no event of UAPI's; nor is anything of a subscription that is disabled, or another extension's."""
    register, _ = made(parked("60"), status=0)
    [call] = register.calls
    changed = uapi.hang_up(register, CALL, now_us=NOW + S)
    assert list(fired(changed.register, changed.facts[0], call, None)) == []
    register, _ = made(talking(), type=2)
    [call] = register.calls
    changed = uapi.hang_up(register, CALL, now_us=NOW)
    assert [one.told["CallStatus"] for one in fired(changed.register, changed.facts[0], call, None)] == ["ANSWER"]
    asked = uapi.Ask("12", "0003*210", CALL, fields={"phoneCallViewId": "01"})
    facts = uapi.park(register, asked, NOW).facts
    assert list(fired(register, facts[0], call, call)) == []
    assert list(fired(register, facts[0], None, None)) == []
