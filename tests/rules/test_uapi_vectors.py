"""The vectors of UAPI's page "Park PhoneCalls", each as one request and its answer."""

import pytest
from uapi_strategies import CALL, S, code, content, entry, get, park_body, parked, put, talking, view

from parksim.rules import codes, uapi

NOW = 60 * S
MISSING = object()


def ask(path=f"/12/0003*210/{CALL}", *, user="12", register=None, prefer="", **changes):
    """Send the page's example, changed (MISSING: left out), to a lot with positions 1 and 2 taken."""
    body = {name: value for name, value in park_body(**changes).items() if value is not MISSING}
    return uapi.respond(register or talking(taken=2), put(path, body, user, prefer=prefer), now_us=NOW)


def test_example_of_the_page():
    """The page's request gives the page's collection, with the fields and spellings printed there."""
    outcome = ask()
    assert outcome.reply.status == 200
    assert outcome.reply.headers == (("Content-Type", "application/json"),)
    assert content(outcome) == {
        "entry": [
            {
                "id": CALL,
                "extension": "0003*210",
                "ownerId": "3",
                "ownerName": "Default Organization",
                "answered": "2026-01-05T08:00:05+00:00",
                "published": "2026-01-05T08:00:00+00:00",
                "phoneCallView": [
                    {
                        "id": "01",
                        "extension": "0003*210",
                        "flow": "4",
                        "answered": "2026-01-05T08:00:05+00:00",
                        "status": "5",
                        "callerId": "John Doe <3333>",
                        "source": ["0003*210"],
                        "destination": ["3235742879"],
                        "parked": "2026-01-05T08:01:00+00:00",
                        "parkedPos": "3",
                        "parkedBy": "0003*210",
                    }
                ],
                "link": {"self": f"http://127.0.0.1:8080/uapi/phoneCalls/12/0003*210/{CALL}"},
            }
        ],
        "startIndex": 0,
        "totalResults": 1,
        "itemsPerPage": 20,
        "filtered": False,
        "sorted": False,
        "paging": {},
    }


def test_accepted_form():
    """With Prefer: respond-async the answer is 202 with id, extension and link, and List then shows the same park."""
    outcome = ask(prefer="respond-async")
    assert outcome.reply.status == 202
    assert ("Preference-Applied", "respond-async") in outcome.reply.headers
    link = f"http://127.0.0.1:8080/uapi/phoneCalls/12/0003*210/{CALL}"
    assert content(outcome) == [{"id": CALL, "extension": "0003*210", "link": {"self": link}}]
    listed = uapi.respond(outcome.register, get(f"/12/0003*210/{CALL}"), now_us=NOW)
    assert entry(listed) == entry(ask())


@pytest.mark.parametrize(
    "path",
    [f"/12/0003*210/{CALL}/", f"/@me/@self/{CALL}", f"/@me/@self/{CALL}/", f"/@viewer/0003%2A210/{CALL}",
     f"/%40owner/0003*210/{CALL}", f"/@owner/@self/{CALL}", f"/12/210/{CALL}"],
)  # fmt: skip
def test_other_spellings_of_the_path(path):
    """A trailing slash, reserved words, encoded characters and the short extension lead to the same answer."""
    assert ask(path).reply == ask().reply


@pytest.mark.parametrize(
    ("value", "limit_us"),
    [(10, 10 * S), (3600, 3600 * S), ("10", 10 * S), ("3600", 3600 * S), ("030", 30 * S), (30.0, 30 * S), (30, 30 * S),
     (12.5, 12_500_000), ("12.5", 12_500_000), (MISSING, 180 * S)],
)  # fmt: skip
def test_max_in_parking_accepted(value, limit_us):
    """Numbers and strings from 10 to 3600 are the stay; left out it is 180 seconds."""
    outcome = ask(maxInParking=value)
    assert view(outcome)["parkedPos"] == "3"
    assert [fact.deadline_us for fact in outcome.facts] == [NOW + limit_us]


@pytest.mark.parametrize("value", [9, 3601, 0, -30, None, "9", "", " 30", "30s", "3e1", "+30", True, [30], "٣٠", {}])
def test_max_in_parking_refused(value):
    """Whatever is there and is not a number from 10 to 3600 is refused as the page says."""
    assert code(ask(maxInParking=value)) == (400, "pc_parktimeout_invalid")


@pytest.mark.parametrize("number", ["1e999", "NaN", "-Infinity", "1" * 5_000, "1e99999999999999999999", "3e1000"])
def test_max_in_parking_monsters(number):
    """Numbers that no float or int conversion survives are refused like any other, not with a failure."""
    body = f'{{"action":"Park","phoneCallViewId":"01","maxInParking":{number}}}'.encode()
    outcome = uapi.respond(talking(), put(f"/12/0003*210/{CALL}", body), now_us=NOW)
    assert code(outcome) == (400, "pc_parktimeout_invalid")
    assert len(outcome.reply.body) < 300


@pytest.mark.parametrize("value", [MISSING, "", 1, "02", None, ["01"], "01\n"])
def test_view_refused(value):
    """A view that is missing, no string or not of the call is refused as the page says."""
    assert code(ask(phoneCallViewId=value)) == (400, "pc_phonecallview_invalid")


@pytest.mark.parametrize("call", ["zzz", "0" * 20, "", "..%2f..%2fetc", "%00", "%0d%0aSet-Cookie:x", "x" * 2000])
def test_call_refused(call):
    """An id that names no call of the extension, of whatever form, answers the same."""
    assert code(ask(f"/12/0003*210/{call}/")) == (400, "pc_phonecall_invalid")


@pytest.mark.parametrize("extension", ["0003*999", "abc", "0003*024", "@nobody", "%252A", "0003*21%30%00"])
def test_extension_refused(extension):
    """An extension that is unknown, another user's, or wrongly encoded answers the same."""
    assert code(ask(f"/12/{extension}/{CALL}")) == (400, "extension_invalid")


@pytest.mark.parametrize("user", ["999", "@you", "33", "77", ""])
def test_user_refused(user):
    """A user that is unknown, no reserved word, or out of the token's reach answers the same."""
    assert code(ask(f"/{user}/0003*210/{CALL}")) == (400, "user_invalid")


@pytest.mark.parametrize("user", [None, "999", ""])
def test_token_refused(user):
    """Without a token of a known user nothing is done, and the answer says how to authenticate."""
    outcome = ask(user=user)
    assert code(outcome) == (401, "access_denied")
    assert ("WWW-Authenticate", "Bearer") in outcome.reply.headers


@pytest.mark.parametrize("action", ["park", "Fly", MISSING, None, 1, ["Park"], "StartRecording", "transfer"])
def test_action_refused(action):
    """Only the exact words of implemented actions are done."""
    assert code(ask(action=action)) == (501, "request_not_implemented")


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b"", b"null", b"{} {}", b"\xff\xfe{}", b"\xef\xbb\xbf{}", b'"\xc3"', b"[" * 60_000, b'{"a":' * 9_000,
     "{}".encode("utf-16")],
)  # fmt: skip
def test_body_refused(body):
    """A body that is no JSON object in UTF-8 is refused, however it is broken."""
    outcome = uapi.respond(talking(), put(f"/12/0003*210/{CALL}", body), now_us=NOW)
    assert code(outcome) == (400, "request_invalid")


def test_equal_names_in_a_body():
    """Of equal names in one object the last wins."""
    body = b'{"action":"Fly","action":"Park","phoneCallViewId":"01","maxInParking":9,"maxInParking":10}'
    outcome = uapi.respond(talking(), put(f"/12/0003*210/{CALL}", body), now_us=NOW)
    assert [fact.deadline_us for fact in outcome.facts] == [NOW + 10 * S]


def test_repeated():
    """The first request again, later, gives the same answer, and leaves position and deadline as they were."""
    first = ask()
    again = ask(register=first.register, maxInParking=3600)
    assert again.reply == first.reply
    assert (again.register, again.facts) == (first.register, ())


def test_nothing_to_park():
    """Without a call id and without a call that can be parked the answer is 204 with an empty body."""
    outcome = ask("/12/0003*211")
    assert outcome.reply == uapi.Reply(204, b"", ())


def test_lot_of_a_hundred():
    """The 101st call is refused with 409, the journal knows, and nothing else has changed."""
    before = talking(taken=100)
    outcome = ask(register=before)
    assert code(outcome) == (409, "pc_parkinglot_full")
    assert outcome.register == before
    assert [(fact.kind, fact.reason) for fact in outcome.facts] == [(codes.REFUSED, codes.LOT_FULL)]


def test_time_out():
    """At parked + 30 s the view rings its parker and its position is free."""
    outcome = uapi.expire(ask().register, NOW + 30 * S)
    assert outcome.register.lots[0].occupants[2] == codes.NOBODY
    shown = view(uapi.respond(outcome.register, get(f"/12/0003*210/{CALL}"), now_us=NOW + 30 * S))
    assert (shown["status"], shown["parkedBy"]) == ("4", "0003*210")
    assert "parked" not in shown
    assert "parkedPos" not in shown
    assert shown["ringing"] == "2026-01-05T08:01:30+00:00"


def test_requests_of_the_published_client():
    """What the vendor's own client sends is understood byte by byte."""
    body = b'{"action":"Park","phoneCallViewId":"01","maxInParking":30}'
    outcome = uapi.respond(talking(), put(f"/12/0003*210/{CALL}/", body), now_us=NOW)
    assert view(outcome)["parkedPos"] == "1"
    query = f"?count=5&filterBy=id&filterOp=equals&filterValue={CALL}&fields=id%2Cextension&startIndex=0"
    listed = uapi.respond(parked(), get(f"/@me/0003*210/{query}&sortOrder=descending"), now_us=NOW)
    assert content(listed) == {
        "entry": [{"id": CALL, "extension": "0003*210"}],
        "startIndex": 0,
        "totalResults": 1,
        "itemsPerPage": 5,
        "filtered": True,
        "sorted": True,
        "paging": {},
    }
    body = (
        b'{"action":"UnPark","phoneCallViewId":"01","sendCallTo":"0003*024",'
        b'"callerId":"John Doe <42420042>","waitForPickup":"25"}'
    )
    assert uapi.respond(parked(), put(f"/12/0003*210/{CALL}/", body), now_us=NOW).reply.status == 200
    target = f"/uapi/phoneCalls/@me/0003*210/{CALL}/?phoneNumber=3235742879"
    assert uapi.respond(parked(), uapi.Request("DELETE", target, user="12"), now_us=NOW).reply.status == 200
