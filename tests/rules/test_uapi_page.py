"""The page "Park PhoneCalls" itself: its two answers, field by field and type by type, against ours.

The page's text is CC BY 4.0 (wiki.4psa.com). Three slips of the second answer are mended before it is read: a comma
that is missing, ``{...}`` for an object that is not shown, and two offsets in one object (``published`` would be an
hour after ``answered``; see ``DATES``).
"""

import json
from datetime import datetime

from parksim.rules import uapi

ACCEPTED = """[
 {
  "id":"b817d2618fe6f1804333",
  "extension":"0003*210",
  "link":{"self":"https://x.x.x.x/uapi/phoneCalls/12/0003*210/b817d2618fe6f1804333"}
 }
]"""
OK = """{
"entry":[
  {
  "id":"b817d2618fe6f1804333",
  "extension":"0003*210",
  "ownerId":"3",
  "ownerName":"Default Organization",
  "answered":"2012-06-27T16:08:55+03:00",
  "published":"2012-06-27T16:08:50+02:00",
  "phoneCallView":
  [
    {
       "id":"01",
       "extension":"0003*210",
       "answered":"2012-06-27T16:08:55+03:00",
       "status":"5",
       "callerId":"John Doe <3333>",
       "source":["0003*210"],
       "destination":["3235742879"]
       "parked":"2012-06-27T16:18:55+03:00",
       "parkedPos":"3",
          "parkedBy":"0003*210"
    }
  ],
  "link":{"self":"https://x.x.x.x/uapi/phoneCalls/12/0003*210/b817d2618fe6f1804333"}
 }
],
"startIndex":0,
"totalResults":1,
"itemsPerPage":20,
"filtered":false,
"sorted":false,
"paging":{...}
}"""
BODY = b"""{
  "action":"Park",
  "maxInParking":"30",
  "phoneCallViewId":"01"
}"""
CALL = "b817d2618fe6f1804333"
DATES = {"entry.0.published": "2012-06-27T16:08:50+03:00"}
"""The one date whose offset the page has wrong."""
OURS = {"entry.0.phoneCallView.0.flow"}
"""The field of the table PhoneCallView ("no" under "nullable") that the page's example leaves out."""


def leaves(value, path=""):
    """Yield (path, value) of everything in a JSON value that is no further object or list; empty ones are leaves."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if not inner:
        yield path.removeprefix("."), value
    for key, part in inner:
        yield from leaves(part, f"{path}.{key}")


def parked_as_on_the_page(prefer=""):
    """Park the page's call at the page's instants; return the reply and the register."""
    register = uapi.new_register(
        {"12": ["0003*210"]}, base_url="https://x.x.x.x", epoch=datetime.fromisoformat("2012-06-27T16:08:50+03:00")
    )
    for number, call in enumerate(("a" * 20, "b" * 20, CALL)):
        offered = uapi.offer(
            register, "0003*210", peer="3235742879", now_us=number, call_id=call, caller_id="John Doe <3333>"
        )
        register = uapi.answer(offered.register, call, now_us=5_000_000 + number).register
        if call != CALL:
            asked = uapi.Ask("12", "0003*210", call, fields={"phoneCallViewId": "01", "maxInParking": 3600})
            register = uapi.park(register, asked, 6_000_000).register
    request = uapi.Request("PUT", f"/uapi/phoneCalls/12/0003*210/{CALL}", BODY, user="12", prefer=prefer)
    return uapi.respond(register, request, now_us=605_000_007)


def test_the_first_answer():
    """202 is the page's array, whole: the same fields in the same order, with the same values."""
    reply = parked_as_on_the_page("respond-async").reply
    assert reply.status == 202
    assert list(leaves(json.loads(reply.body))) == list(leaves(json.loads(ACCEPTED)))


def test_the_second_answer():
    """200 has every field of the page, of its type, with its value; one more is documented elsewhere."""
    page = json.loads(OK.replace('["3235742879"]\n', '["3235742879"],\n').replace("{...}", "{}"))
    expected = dict(leaves(page)) | DATES
    reply = parked_as_on_the_page().reply
    assert reply.status == 200
    found = dict(leaves(json.loads(reply.body)))
    assert found.keys() - expected.keys() == OURS
    assert {path: value for path, value in found.items() if path not in OURS} == expected
    assert {path: type(value) for path, value in found.items() if path in expected} == {
        path: type(value) for path, value in expected.items()
    }


def test_a_fixed_format_reads_every_date():
    """A client's strptime with whole seconds and an offset reads all dates, although instants have microseconds."""
    found = dict(leaves(json.loads(parked_as_on_the_page().reply.body)))
    dates = {path: value for path, value in found.items() if path.split(".")[-1] in {"answered", "published", "parked"}}
    assert len(dates) == 4
    for value in dates.values():
        instant = datetime.strptime(value, "%Y-%m-%dT%H:%M:%S%z")
        assert instant.isoformat() == value
