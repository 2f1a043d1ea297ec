"""List: pages, filters, order and fields; and the models read as a client reads them."""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from uapi_strategies import CALL, ORGANIZATIONS, USERS, S, code, content, get, park_body, parked, put, talking

from parksim.rules import codes, uapi
from parksim.rules.uapi.models import (
    PhoneCallAction,
    PhoneCallCollection,
    PhoneCallView,
    read_body,
    seconds_text,
    seconds_us,
    shown,
)
from parksim.rules.uapi.register import Calls

NOW = 60 * S


def many(calls=7):
    """Return a register of calls at 0003*210, one a second, with ids 00.. 01.. 02.. in that order."""
    register = uapi.new_register(USERS, organizations=ORGANIZATIONS)
    for number in range(calls):
        name = f"{number:02d}{'a' * 18}"
        register = uapi.offer(register, "0003*210", peer="555", now_us=number * S, call_id=name).register
    return register


def listed(query, register=None, path="/12/0003*210"):
    """Return (positions of the listed calls, the collection) of a query."""
    outcome = uapi.respond(register or many(), get(f"{path}?{query}"), now_us=NOW)
    assert outcome.reply.status == 200, outcome.reply
    return [int(call["id"][:2]) for call in content(outcome)["entry"]], content(outcome)


def test_pages_cover_everything_once():
    """Following paging.next from the start, as absolute addresses, gives every call once and in order."""
    for order in ("ascending", "descending"):
        target = f"/uapi/phoneCalls/@me/@self/?count=3&sortOrder={order}&filterBy=id&filterValue=a&foo=bar"
        found, pages = [], []
        while target is not None:
            request = uapi.Request("GET", target, user="12")
            answer = content(uapi.respond(many(), request, now_us=NOW))
            found += [int(call["id"][:2]) for call in answer["entry"]]
            pages.append(
                (answer["startIndex"], answer["itemsPerPage"], answer["totalResults"], sorted(answer["paging"]))
            )
            target = answer["paging"].get("next")
            if target is not None:
                assert target.startswith("http://127.0.0.1:8080/uapi/phoneCalls/12/@self?")
                target = target.removeprefix("http://127.0.0.1:8080")
        assert found == (list(range(7)) if order == "ascending" else list(range(6, -1, -1)))
        assert pages == [(0, 3, 7, ["next"]), (3, 3, 7, ["next", "prev"]), (6, 3, 7, ["prev"])]


def test_page_before():
    """paging.prev leads to the page before, never below the start; an empty list has no neighbours."""
    _, answer = listed("count=3&startIndex=2&fields=id")
    expected = "http://127.0.0.1:8080/uapi/phoneCalls/12/0003*210?count=3&startIndex=0&fields=id"
    assert answer["paging"]["prev"] == expected
    _, answer = listed("startIndex=3", path="/12/0003*210/zzz")
    assert (answer["totalResults"], answer["paging"], answer["entry"]) == (0, {}, [])


def test_no_page_beyond_the_last_index():
    """A page that would begin beyond the highest startIndex has no address."""
    register = many(0)
    one = uapi.offer(register, "0003*210", peer="5", now_us=0).register.calls[0]
    calls = tuple(one._replace(number=number, id=f"{number:020d}") for number in range(5_003))
    register = register._replace(calls=Calls(register.calls.owners, calls), next_call=5_003)
    outcome = uapi.respond(register, get("/12/0003*210?count=2&startIndex=4999"), now_us=NOW)
    assert list(content(outcome)["paging"]) == ["prev"]
    outcome = uapi.respond(register, get("/12/0003*210?count=2&startIndex=4998"), now_us=NOW)
    assert list(content(outcome)["paging"]) == ["next", "prev"]


ISO = "2026-01-05T08:00:{:02d}%2B00:00".format


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("filterBy=id&filterValue=03", [3]),
        ("filterBy=id&filterOp=equals&filterValue=03", []),
        ("filterBy=id&filterOp=equals&filterValue=03" + "a" * 18, [3]),
        ("filterBy=id&filterOp=startsWith&filterValue=0", [0, 1, 2, 3, 4, 5, 6]),
        ("filterBy=id&filterOp=startsWith&filterValue=a", []),
        ("filterBy=id&filterOp=greaterThan&filterValue=05", [5, 6]),
        ("filterBy=id&filterOp=lessThan&filterValue=02", [0, 1]),
        (f"filterBy=id&filterOp=inArray&filterValue=02{'a' * 18},x,00{'a' * 18}", [0, 2]),
        ("filterBy=id&filterOp=present", [0, 1, 2, 3, 4, 5, 6]),
        ("filterBy=published&filterOp=present", [0, 1, 2, 3, 4, 5, 6]),
        (f"filterBy=published&filterOp=greaterThan&filterValue={ISO(4)}", [5, 6]),
        ("filterBy=published&filterOp=greaterThan&filterValue=2026-01-05T08:00:04+00:00", [5, 6]),
        ("filterBy=published&filterOp=lessThan&filterValue=2026-01-05T08:00:02Z", [0, 1]),
        ("filterBy=published&filterOp=equals&filterValue=2026-01-05T10:00:03%2B02:00", [3]),
        (f"filterBy=published&filterOp=inArray&filterValue={ISO(1)},{ISO(6)}", [1, 6]),
        ("filterBy=published&filterValue=08:00:06", [6]),
        ("filterBy=published&filterOp=startsWith&filterValue=2026-01-05T08", [0, 1, 2, 3, 4, 5, 6]),
        ("filterOp=equals&filterValue=03", [0, 1, 2, 3, 4, 5, 6]),
        ("sortOrder=descending&count=2", [6, 5]),
        ("count=5000&startIndex=5000", []),
        ("count=1&count=2", [0, 1]),
    ],
)
def test_filters(query, found):
    """Each operator lists what it says; dates compare as instants; a filter without filterBy is none."""
    positions, answer = listed(query)
    assert positions == found
    assert answer["filtered"] == ("filterBy" in query)
    assert answer["sorted"] == ("sortOrder" in query)


@pytest.mark.parametrize(
    "query",
    ["count=0", "count=5001", "count=", "count=x", "count=-1", "count=1.5", "count=%D9%A3", "startIndex=5001",
     "startIndex=+1",
     "filterBy=published&filterOp=equals&filterValue=0001-01-01T00:00:00%2B25:00",
     "filterBy=nonce&filterValue=1", "filterBy=id", "filterBy=id&filterOp=like&filterValue=1",
     "filterBy=published&filterOp=equals&filterValue=yesterday", "fields=id,secret", "fields=", "sortOrder=up",
     "filterBy=published&filterOp=equals&filterValue=2026-01-05T08:00:00",
     "filterBy=published&filterOp=inArray&filterValue=2026-01-05T08:00:00Z,"],
)  # fmt: skip
def test_refused_queries(query):
    """A parameter out of its range or grammar is refused, with parksim's own code."""
    outcome = uapi.respond(many(), get(f"/12/0003*210?{query}"), now_us=NOW)
    assert code(outcome) == (400, "request_invalid")


def test_dates_are_shown_in_whole_seconds_and_ordered_by_microseconds():
    """Two calls of one second show one date, are listed by their microseconds, and are found by what is shown."""
    register = uapi.new_register(USERS, organizations=ORGANIZATIONS)
    for name, time_us in (("00", 2_500_000), ("01", 2_500_007), ("02", 3_000_000)):
        offered = uapi.offer(register, "0003*210", peer="555", now_us=time_us, call_id=name + "a" * 18)
        register = offered.register
    for order, expected in (("ascending", [0, 1, 2]), ("descending", [2, 1, 0])):
        found, answer = listed(f"sortOrder={order}", register)
        assert found == expected
    assert [call["published"] for call in answer["entry"][1:]] == ["2026-01-05T08:00:02+00:00"] * 2
    date = "filterBy=published&filterValue=2026-01-05T08:00:02"
    assert listed(f"{date}%2B00:00&filterOp=equals", register)[0] == [0, 1]
    assert listed(f"{date}.500007Z&filterOp=equals", register)[0] == [1]
    assert listed(f"{date}.500000Z,2026-01-05T08:00:03Z&filterOp=inArray", register)[0] == [0, 2]
    assert listed(f"{date}.500000Z&filterOp=greaterThan", register)[0] == [1, 2]
    assert listed("filterBy=published&filterValue=02.5", register)[0] == []


def test_fields():
    """The entries show the fields asked for, in the order of the resource, and links is another word for link."""
    _, answer = listed("fields=extension%2Cid,links&count=1")
    assert list(answer["entry"][0]) == ["id", "extension", "link"]


def test_order_is_by_instant():
    """Calls are listed by the instant they entered the system, whatever their ids."""
    register = many(2)
    late = uapi.offer(register, "0003*210", peer="5", now_us=9 * S, call_id="0" * 20).register
    assert listed("", late)[0] == [0, 1, 0]


def test_a_client_reads_its_answers():
    """The models read what the service writes, numbers as strings or as numbers, and write it again the same."""
    text = uapi.respond(parked(), get(f"/12/0003*210/{CALL}"), now_us=NOW).reply.body
    collection = PhoneCallCollection.model_validate_json(text)
    assert collection.entry[0].phone_call_view[0].parked_pos == 1
    assert collection.on_the_wire() == json.loads(text)


def test_other_spellings_are_read():
    """links, callerID, bare strings, numbers as numbers and counters as strings are read; one form is written."""
    call = {
        "id": CALL, "extension": "0003*210", "ownerId": "3", "ownerName": "A", "published": "2012-06-27T16:08:50+02:00",
        "links": {"self": "u"}, "phoneCallView": [{"id": "01", "extension": "0003*210", "status": 5, "flow": "4",
        "callerID": "John Doe <3333>", "source": "0003*210", "destination": ["1"], "recording": None}],
    }  # fmt: skip
    read = PhoneCallCollection.model_validate({"entry": [call], "totalResults": "1", "itemsPerPage": "20"})
    written = read.on_the_wire()
    assert (written["totalResults"], written["entry"][0]["link"]) == (1, {"self": "u"})
    assert written["entry"][0]["phoneCallView"][0] == {
        "id": "01", "extension": "0003*210", "flow": "4", "status": "5", "callerId": "John Doe <3333>",
        "source": ["0003*210"], "destination": ["1"],
    }  # fmt: skip
    for wrong in (True, "x", 1.5, "", "٣", None):
        with pytest.raises(ValidationError):
            PhoneCallView.model_validate({**call["phoneCallView"][0], "status": wrong})


def test_a_client_writes_its_actions():
    """An action written by the model is understood by the service as the same action."""
    action = PhoneCallAction.model_validate({"action": "Park", "phoneCallViewId": "01", "maxInParking": 12.5})
    assert action.on_the_wire()["maxInParking"] == "12.5"
    assert PhoneCallAction.model_validate(action.on_the_wire()) == action
    for number in ("0003*024", "024"):
        asked = PhoneCallAction.model_validate({"action": "UnPark", "phoneCallViewId": "01", "sendCallTo": number})
        assert asked.send_call_to == number
    with pytest.raises(ValidationError):
        PhoneCallAction.model_validate({"action": "UnPark", "phoneCallViewId": "01", "sendCallTo": "x"})


@given(st.integers(10 * S, 3600 * S))
def test_seconds_and_back(limit_us):
    """Every number of microseconds of the range survives the way over the wire, as text and as a number."""
    text = seconds_text(limit_us)
    assert seconds_us(text, 10, 3600) == limit_us
    assert seconds_us(Decimal(text), 10, 3600) == limit_us


@given(st.text(max_size=12) | st.floats() | st.booleans() | st.none() | st.decimals() | st.binary(max_size=3))
def test_seconds_are_in_range_or_refused(value):
    """Whatever is read is a whole number of microseconds within the range; all else is a ValueError."""
    try:
        limit_us = seconds_us(value, 10, 3600)
    except ValueError:
        return
    assert 10 * S <= limit_us <= 3600 * S


@pytest.mark.parametrize(
    ("value", "limit_us"),
    [(Decimal("10.0000004"), 10 * S), (Decimal("9.9999999999"), None), (Decimal("3600.0000000001"), None),
     (Decimal("11.0000005"), 11 * S), (Decimal("1" + "0" * 9_000), None), (Decimal("1e-999999"), None),
     (Decimal("12." + "3" * 9_000), 12_333_333), (Decimal(10) ** 5000, None), (float("inf"), None), (30.1, 30_100_000)],
)  # fmt: skip
def test_seconds_beyond_the_microsecond(value, limit_us):
    """The range is tested exactly, then the number is rounded to the microsecond, whatever the caller's context."""
    with localcontext() as context:
        context.prec = 2
        if limit_us is None:
            with pytest.raises(ValueError, match="10 to 3600"):
                seconds_us(value, 10, 3600)
        else:
            assert seconds_us(value, 10, 3600) == limit_us


def test_shown():
    """What a message shows is at most 64 printable ASCII characters of anything."""
    for value in ("x" * 99, "\x00" * 99, 10**60, 10**5_000, Decimal("1e5"), None, True, 1.5, [1], {"a": 1}, "é"):
        assert len(shown(value)) <= 64
        assert shown(value).isprintable()
        assert shown(value).isascii()
    assert (shown(None), shown({}), shown(Decimal("1e5"))) == ("null", "a dict", "1E+5")


def test_bodies_never_raise_in_a_foreign_context():
    """A body is read whatever the caller's decimal context traps."""
    with localcontext() as context:
        for flag in context.traps:
            context.traps[flag] = True
        assert str(read_body(b'{"a":1e99999999999999999999,"b":1.50}')) == "{'a': Decimal('NaN'), 'b': Decimal('1.50')}"


def test_dates_have_one_offset():
    """All dates bear the offset that the epoch has, also where its zone changes over the year."""
    epoch = datetime(2026, 6, 1, 12, 30, tzinfo=timezone(timedelta(hours=3)))
    outcome = uapi.respond(talking(epoch=epoch), put(f"/12/0003*210/{CALL}", park_body()), now_us=NOW + 1)
    call = content(outcome)["entry"][0]
    dates = [call["published"], call["answered"], call["phoneCallView"][0]["parked"]]
    assert dates == ["2026-06-01T12:30:00+03:00", "2026-06-01T12:30:05+03:00", "2026-06-01T12:31:00+03:00"]


@pytest.mark.parametrize(
    ("users", "options"),
    [
        ({"12": ["0005*210"]}, {}),
        ({"12": ["0003*abc"]}, {}),
        ({"1 2": ["0003*210"]}, {}),
        ({"@me": ["0003*210"]}, {}),
        ({"12": ["0003*210"], "33": ["0003*210"]}, {}),
        ({"12": ["0003*210", "0004*210"]}, {"organizations": ORGANIZATIONS}),
        ({}, {"organizations": ()}),
        ({}, {"capacity": 0}),
        ({}, {"choice": codes.CHOOSE_RANDOM}),
        ({}, {"epoch": datetime(2026, 1, 1)}),  # noqa: DTZ001 - refused for just that
        ({}, {"base_url": "ftp://example"}),
    ],
)
def test_registers_that_cannot_be(users, options):
    """A register is refused with ValueError when it would break UAPI's grammar or the rules."""
    with pytest.raises(ValueError):
        uapi.new_register(users, **options)


def test_registers_and_calls():
    """A user may have no extension; a call needs a known extension and a free id of UAPI's grammar."""
    register = uapi.new_register({"12": []}, epoch=datetime(2026, 1, 1, tzinfo=UTC))
    assert register.users == (("12", 0),)
    for extension, name in (("0003*999", "a"), ("0003*210", CALL), ("0003*210", "a/b")):
        with pytest.raises(ValueError):
            uapi.offer(talking(), extension, peer="5", now_us=0, call_id=name)
