"""What parksim decided where UAPI is silent or contradicts itself, one decision a test."""

import json

import pytest
from uapi_strategies import (
    CALL,
    LOCAL,
    ORGANIZATIONS,
    USERS,
    S,
    assert_sound,
    code,
    content,
    entry,
    get,
    look,
    park_body,
    parked,
    put,
    talking,
    unpark_body,
    view,
)

from parksim.rules import codes, lot, uapi
from parksim.rules.uapi.calls import State, due_before, next_timer_us, state_of

NOW = 60 * S
PATH = f"/12/0003*210/{CALL}"


def kinds(facts):
    """Return the names of facts."""
    return [codes.KIND_NAMES[fact.kind] for fact in facts]


def several(calls=3, capacity=100):
    """Return a register with some calls on call at 0003*210, and one at 0003*211."""
    register = uapi.new_register(USERS, organizations=ORGANIZATIONS, capacity=capacity)
    for number in range(calls + 1):
        extension = "0003*210" if number < calls else "0003*211"
        register = uapi.offer(
            register, extension, peer=f"555{number}", now_us=number, call_id=f"{number:020x}"
        ).register
        register = uapi.answer(register, f"{number:020x}", now_us=S).register
    return register


def test_range_ends_to_the_microsecond():
    """10 and 3600 seconds are the closed ends; a microsecond beyond either is refused."""
    for value, accepted in (("9.999999", False), ("10.000000", True), ("3600.000000", True), ("3600.000001", False)):
        for sent in (f'"{value}"', value):
            body = f'{{"action":"Park","phoneCallViewId":"01","maxInParking":{sent}}}'.encode()
            status = uapi.respond(talking(), put(PATH, body), now_us=NOW).reply.status
            assert status == (200 if accepted else 400), sent


def test_two_renderings_of_one_result():
    """A 202 asked for by Prefer or by the server's setting differs from the 200 in form only."""
    plain = uapi.respond(talking(), put(PATH, park_body()), now_us=NOW)
    for request in (
        put(PATH, park_body(), prefer="respond-async, wait=10"),
        put(PATH, park_body(), answer="accepted"),
    ):
        outcome = uapi.respond(talking(), request, now_us=NOW)
        assert outcome.reply.status == 202
        assert (outcome.register, outcome.facts) == (plain.register, plain.facts)
        assert content(outcome)[0] == {name: entry(plain)[name] for name in ("id", "extension", "link")}


def test_bulk_park():
    """Without a call id all calls of the extension are parked in call order, and the whole of it is one reply."""
    outcome = uapi.respond(several(), put("/12/0003*210", park_body()), now_us=NOW)
    assert [call["phoneCallView"][0]["parkedPos"] for call in content(outcome)["entry"]] == ["1", "2", "3"]
    assert kinds(outcome.facts) == ["PARKED"] * 3
    assert (content(outcome)["totalResults"], content(outcome)["itemsPerPage"]) == (3, 20)
    everything = uapi.respond(several(), put("/@me/@self/", park_body()), now_us=NOW)
    assert [call["phoneCallView"][0]["parkedBy"] for call in content(everything)["entry"]] == [
        "0003*210", "0003*210", "0003*210", "0003*211",
    ]  # fmt: skip
    many = uapi.respond(several(25), put("/12/0003*210", park_body()), now_us=NOW)
    assert (content(many)["totalResults"], content(many)["itemsPerPage"], len(content(many)["entry"])) == (25, 25, 25)


def test_bulk_park_skips_and_keeps():
    """A bulk park shows what is parked already, skips calls that have no such view or are not on call, or says 204."""
    register = several()
    first = uapi.respond(register, put(f"/12/0003*210/{1:020x}", park_body()), now_us=NOW).register
    first = uapi.offer(first, "0003*210", peer="5559", now_us=NOW).register
    outcome = uapi.respond(first, put("/12/0003*210", park_body()), now_us=NOW)
    assert [(call["id"], call["phoneCallView"][0]["parkedPos"]) for call in content(outcome)["entry"]] == [
        (f"{0:020x}", "2"), (f"{1:020x}", "1"), (f"{2:020x}", "3"),
    ]  # fmt: skip
    again = uapi.respond(outcome.register, put("/12/0003*210", park_body()), now_us=NOW + S)
    assert (again.reply, again.facts) == (outcome.reply, ())
    skipped = uapi.respond(register, put("/12/0003*210", park_body(phoneCallViewId="02")), now_us=NOW)
    assert (skipped.reply.status, skipped.facts, skipped.register) == (204, (), register)


def test_bulk_park_into_a_filling_lot():
    """Those that found a slot are parked and returned; only when none did the answer is 409."""
    outcome = uapi.respond(several(3, capacity=2), put("/12/0003*210", park_body()), now_us=NOW)
    assert [call["id"] for call in content(outcome)["entry"]] == [f"{0:020x}", f"{1:020x}"]
    assert kinds(outcome.facts) == ["PARKED", "PARKED", "REFUSED"]
    full = uapi.respond(outcome.register, put("/12/0003*211", park_body()), now_us=NOW)
    assert code(full) == (409, "pc_parkinglot_full")
    assert (full.register, kinds(full.facts)) == (outcome.register, ["REFUSED"])


@pytest.mark.parametrize(
    ("path", "expected"),
    [("", "user_invalid"), ("/", "user_invalid"), ("/12", "extension_invalid"), ("//0003*210", "user_invalid")],
)
def test_a_path_without_anything_parks_nothing(path, expected):
    """The published client's path for an empty call id parks no call of anybody."""
    outcome = uapi.respond(several(), put(path, park_body()), now_us=NOW)
    assert code(outcome) == (400, expected)
    assert outcome.register == several()


def test_the_stay_is_closed():
    """A retrieval at the deadline itself succeeds; a microsecond later the call rings its parker, its slot free."""
    rung = uapi.respond(parked("10"), put(PATH, unpark_body()), now_us=NOW).register
    in_time = uapi.answer(rung, CALL, now_us=NOW + 10 * S)
    assert kinds(in_time.facts) == ["RETRIEVED"]
    late = uapi.answer(rung, CALL, now_us=NOW + 10 * S + 1)
    assert kinds(late.facts) == ["EXPIRED", "RECALL_RINGING", "RECALL_ANSWERED"]
    assert [fact.time_us for fact in late.facts] == [NOW + 10 * S, NOW + 10 * S, NOW + 10 * S + 1]
    assert uapi.expire(rung, NOW + 10 * S).register.lots[0].occupants[0] == codes.NOBODY


@pytest.mark.parametrize(
    ("request_", "waits"),
    [
        (put(PATH, unpark_body()), True),
        (uapi.Request("DELETE", f"/uapi/phoneCalls{PATH}", user="12"), True),
        (put(PATH, park_body()), False),
        (get(PATH), False),
        (uapi.Request("POST", "/uapi/phoneCalls/12/simple", b"{}", "12"), False),
    ],
    ids=["UnPark", "DELETE", "Park", "List", "create"],
)
def test_requests_at_the_deadline(request_, waits):
    """UnPark and hang-up come before the time-out of their instant; Park, List and new calls after it."""
    deadline_us = NOW + 30 * S
    assert ("EXPIRED" in kinds(uapi.respond(parked(), request_, now_us=deadline_us).facts)) != waits
    assert "EXPIRED" in kinds(uapi.respond(parked(), request_, now_us=deadline_us + 1).facts)
    assert "EXPIRED" not in kinds(uapi.respond(parked(), request_, now_us=deadline_us - 1).facts)


def test_refused_requests_wait_for_earlier_timers_only():
    """A request that is refused before its action is known lets the timers of earlier instants happen, no others."""
    for request in (
        get("/x/y/z/a"),
        put(PATH, b"{"),
        put(PATH, park_body(action=3)),
    ):
        assert uapi.respond(parked(), request, now_us=NOW + 30 * S).facts == ()
        assert kinds(uapi.respond(parked(), request, now_us=NOW + 30 * S + 1).facts) == ["EXPIRED", "RECALL_RINGING"]


def test_order_of_timers():
    """Timers that are overdue happen in the order of (instant, rank, call), each stamped with its own instant."""
    register = several()
    for number, seconds in ((0, "20"), (1, "10"), (2, "20")):
        body = park_body(maxInParking=seconds)
        register = uapi.respond(register, put(f"/12/0003*210/{number:020x}", body), now_us=NOW).register
    facts = uapi.expire(register, NOW + 3600 * S).facts
    assert [(fact.call, fact.time_us - NOW) for fact in facts[::2]] == [(1, 10 * S), (0, 20 * S), (2, 20 * S)]


def test_no_oracle():
    """What belongs to others answers byte for byte like what does not exist."""
    register = uapi.offer(talking(), "0003*024", peer="555", now_us=0, call_id=LOCAL).register
    unknown = "f" * 20
    for theirs, nowhere in (
        (f"/12/0003*210/{LOCAL}", f"/12/0003*210/{unknown}"),
        (f"/12/0003*024/{CALL}", f"/12/0003*999/{CALL}"),
        (f"/33/0003*024/{LOCAL}", f"/99/0003*024/{LOCAL}"),
        (f"/@owner/0003*024/{LOCAL}", f"/@owner/0003*999/{LOCAL}"),
        (f"/@owner/@self/{LOCAL}", f"/@owner/@self/{unknown}"),
    ):
        answers = [uapi.respond(register, put(path, park_body()), now_us=NOW).reply for path in (theirs, nowhere)]
        bodies = [json.loads(reply.body)["error"] for reply in answers]
        assert answers[0].status == answers[1].status == 400
        assert bodies[0]["code"] == bodies[1]["code"]
        assert bodies[0]["message"].split(" Got ")[0] == bodies[1]["message"].split(" Got ")[0]


@pytest.mark.parametrize(
    ("scope", "reached"),
    [("user", {"12"}), ("organization", {"12", "33"}), ("global", {"12", "33", "77"})],
)
def test_scopes(scope, reached):
    """A token reaches its user, its organization or everybody, also by @owner."""
    for user, extension in (("12", "0003*210"), ("33", "0003*024"), ("77", "0004*500")):
        for path in (f"/{user}/{extension}", f"/@owner/{extension}"):
            status = uapi.respond(talking(), get(path, scope=scope), now_us=NOW).reply.status
            assert status == (200 if user in reached else 400)


def test_owner_of_a_call():
    """@owner with @self and a call is the owner of the call's extension, and the link leads there."""
    register = uapi.offer(talking(), "0003*024", peer="555", now_us=0, call_id=LOCAL).register
    outcome = uapi.respond(register, get(f"/@owner/@self/{LOCAL}", scope="organization"), now_us=NOW)
    assert entry(outcome)["link"]["self"].endswith(f"/33/0003*024/{LOCAL}")
    assert content(uapi.respond(register, get("/@owner/@self"), now_us=NOW))["totalResults"] == 1


def test_numbers_of_a_view_are_strings():
    """Numbers of a view go out as strings, counters as numbers, and what is null is left out."""
    for state_body in (park_body(), {"action": "OnHold", "phoneCallViewId": "01"}):
        outcome = uapi.respond(talking(), put(PATH, state_body), now_us=NOW)
        shown = view(outcome)
        assert all(isinstance(value, str | list) for value in shown.values())
        assert None not in shown.values()
        assert {type(content(outcome)[name]) for name in ("startIndex", "totalResults", "itemsPerPage")} == {int}
    assert (shown["holder"], shown["onHold"]) == ("1", "2026-01-05T08:01:00+00:00")


def test_links_come_from_the_configuration():
    """Links begin with the configured base URL; the service is not even told the request's Host."""
    register = talking(base_url="https://pbx.example:8443/")
    shown = entry(uapi.respond(register, get(PATH), now_us=NOW))
    assert shown["link"] == {"self": f"https://pbx.example:8443/uapi/phoneCalls{PATH}"}
    assert "host" not in uapi.Request._fields


def test_unpark_rings_and_is_answered():
    """UnPark leaves slot and timer as they are until the answer: then the park fields go and the slot is free."""
    before = parked("60")
    rung = uapi.respond(before, put(PATH, unpark_body()), now_us=NOW + S)
    assert (rung.facts, rung.register.lots) == ((), before.lots)
    assert view(rung) == look(before, NOW + S)
    done = uapi.answer(rung.register, CALL, now_us=NOW + 5 * S)
    fact = done.facts[0]
    assert kinds(done.facts) == ["RETRIEVED"]
    assert (fact.slot, done.register.extensions[fact.extension].number) == (0, "0003*024")
    shown = look(done.register, NOW + 5 * S)
    assert not {"parked", "parkedPos", "parkedBy"} & set(shown)
    assert (shown["status"], shown["extension"], shown["source"]) == ("5", "0003*024", ["0003*024"])
    assert done.register.lots[0].occupants[0] == codes.NOBODY
    ended = uapi.hang_up(done.register, CALL, now_us=NOW + 9 * S)
    assert [(f.kind, f.reason) for f in ended.facts] == [(codes.ENDED, codes.AFTER_RETRIEVAL)]


def test_unpark_in_vain():
    """Rung in vain for waitForPickup (25 s unless given) the call stays parked at its place, its deadline as it was."""
    before = parked("60")
    for body, end_us in ((unpark_body(), NOW + 25 * S), (unpark_body(waitForPickUp="5"), NOW + 5 * S)):
        rung = uapi.respond(before, put(PATH, body), now_us=NOW).register
        assert next_timer_us(rung) == end_us
        assert kinds(uapi.answer(rung, CALL, now_us=end_us).facts) == ["RETRIEVED"]
        assert uapi.answer(rung, CALL, now_us=end_us + 1).facts == ()
        assert uapi.expire(rung, end_us).register == before


def test_unpark_again():
    """The same UnPark again changes nothing; another extension is rung instead of the former, from then on."""
    rung = uapi.respond(parked("60"), put(PATH, unpark_body()), now_us=NOW)
    again = uapi.respond(rung.register, put(PATH, unpark_body()), now_us=NOW + 5 * S)
    assert (again.register, again.reply) == (rung.register, rung.reply)
    other = uapi.respond(rung.register, put(PATH, unpark_body(sendCallTo="211")), now_us=NOW + 5 * S)
    assert next_timer_us(other.register) == NOW + 30 * S
    done = uapi.answer(other.register, CALL, now_us=NOW + 30 * S)
    assert done.register.extensions[done.facts[0].extension].number == "0003*211"


def test_bulk_unpark():
    """Without a call id UnPark rings for all parked calls of the extension, and 204 says that none was."""
    register = uapi.respond(several(), put("/12/0003*210", park_body()), now_us=NOW).register
    outcome = uapi.respond(register, put("/12/0003*210", unpark_body()), now_us=NOW)
    assert content(outcome)["totalResults"] == 3
    for call in range(3):
        register = uapi.answer(outcome.register, f"{call:020x}", now_us=NOW).register
        assert_sound(register)
    assert uapi.respond(several(), put("/12/0003*210", unpark_body()), now_us=NOW).reply.status == 204


def test_the_attempt_is_cancelled_by_the_time_out():
    """When maxInParking runs out while an UnPark rings, the call rings its parker and nobody else."""
    rung = uapi.respond(parked("10"), put(PATH, unpark_body(waitForPickup=10)), now_us=NOW).register
    after = uapi.expire(rung, NOW + 10 * S)
    assert kinds(after.facts) == ["EXPIRED", "RECALL_RINGING"]
    assert next_timer_us(after.register) == codes.NEVER
    assert kinds(uapi.answer(after.register, CALL, now_us=NOW + 11 * S).facts) == ["RECALL_ANSWERED"]


def test_returned_calls_can_be_parked_again():
    """An answered return is on call, parks anew with a new timer, and a timer of the earlier stay does nothing."""
    register = uapi.expire(parked("10"), NOW + 10 * S).register
    register = uapi.answer(register, CALL, now_us=NOW + 12 * S).register
    assert not {"parkedBy", "ringing"} & set(look(register, NOW + 12 * S))
    again = uapi.respond(register, put(PATH, park_body(maxInParking="3600")), now_us=NOW + 13 * S)
    assert [fact.deadline_us for fact in again.facts] == [NOW + 3613 * S]
    stale = lot.decide_expiry(again.register.lots[0], 0, 0, NOW + 10 * S, NOW + 14 * S)
    assert stale.kind == codes.REFUSED
    assert uapi.expire(again.register, NOW + 3613 * S - 1).facts == ()


def test_a_stale_timer_after_a_hang_up_and_a_retrieval():
    """A stay that ended early leaves no timer: what is parked later in its slot keeps its own deadline."""
    rung = uapi.respond(parked("10"), put(PATH, unpark_body()), now_us=NOW).register
    talks = uapi.answer(rung, CALL, now_us=NOW + S).register
    again = uapi.respond(talks, put(PATH, park_body(maxInParking="20")), now_us=NOW + 2 * S).register
    assert uapi.expire(again, NOW + 10 * S).facts == ()
    assert kinds(uapi.expire(again, NOW + 22 * S).facts) == ["EXPIRED", "RECALL_RINGING"]


def test_hold():
    """A call on hold may be parked, which ends the hold; OnHold and OffHold may be repeated."""
    hold, off = ({"action": action, "phoneCallViewId": "01"} for action in ("OnHold", "OffHold"))
    held = uapi.respond(talking(), put(PATH, hold), now_us=NOW)
    assert uapi.respond(held.register, put(PATH, hold), now_us=NOW + S).reply == held.reply
    assert "onHold" not in view(uapi.respond(held.register, put(PATH, off), now_us=NOW + S))
    shown = view(uapi.respond(held.register, put(PATH, park_body()), now_us=NOW + S))
    assert "parked" in shown
    assert "onHold" not in shown


def test_local_calls():
    """Of a local call only the named view is marked, by whichever side asks; the other view cannot be parked too."""
    register = uapi.offer(talking(), "0003*210", peer="0003*024", now_us=0, call_id=LOCAL).register
    assert [v.status for v in register.calls[1].views] == [4, 3]
    register = uapi.answer(register, LOCAL, now_us=S)
    assert register.register.extensions[register.facts[0].extension].number == "0003*024"
    outcome = uapi.respond(register.register, put(f"/33/0003*024/{LOCAL}", park_body(), "33"), now_us=NOW)
    views = entry(outcome)["phoneCallView"]
    assert [(v["id"], v.get("parkedBy")) for v in views] == [("00", None), ("01", "0003*024")]
    assert entry(outcome)["link"]["self"].endswith(f"/33/0003*024/{LOCAL}")
    second = uapi.respond(outcome.register, put(f"/12/0003*210/{LOCAL}", park_body(phoneCallViewId="00")), now_us=NOW)
    assert code(second) == (400, "pc_phonecallview_invalid")


def test_parked_by_when_everything_is_self():
    """With @self the parker is the user's extension that is a party; a user that is none parks for the charged one."""
    register = uapi.offer(talking(), "0003*210", peer="0003*024", now_us=0, call_id=LOCAL).register
    register = uapi.answer(register, LOCAL, now_us=S).register
    outcome = uapi.respond(register, put(f"/@me/@self/{LOCAL}", park_body(), "33"), now_us=NOW)
    assert entry(outcome)["phoneCallView"][1]["parkedBy"] == "0003*024"
    rung = uapi.respond(parked("60"), put(PATH, unpark_body()), now_us=NOW).register
    taken = uapi.answer(rung, CALL, now_us=NOW).register
    again = uapi.respond(taken, put(f"/@me/@self/{CALL}", park_body()), now_us=NOW)
    assert view(again)["parkedBy"] == "0003*210"
    back = uapi.expire(again.register, NOW + 30 * S).register
    assert state_of(back.calls[0], 0) is State.RETURNING


def test_lots_of_organizations():
    """Each organization has a lot of its own, with its own positions; facts tell them apart."""
    register = uapi.offer(parked(), "0004*500", peer="555", now_us=NOW, call_id=LOCAL).register
    register = uapi.answer(register, LOCAL, now_us=NOW).register
    outcome = uapi.respond(register, put(f"/77/0004*500/{LOCAL}", park_body(), "77"), now_us=NOW)
    assert view(outcome)["parkedPos"] == "1"
    assert (outcome.facts[0].lot, outcome.facts[0].slot) == (1, 0)
    assert entry(outcome)["ownerName"] == "Elsewhere"


def test_first_position():
    """Positions are counted from the register's first."""
    outcome = uapi.respond(talking(first=701), put(PATH, park_body()), now_us=NOW)
    assert view(outcome)["parkedPos"] == "701"


def test_hang_up():
    """DELETE ends one call, or all of an extension, or those with that number; the answer is their ids."""
    delete = uapi.Request("DELETE", f"/uapi/phoneCalls{PATH}", user="12")
    outcome = uapi.respond(parked(), delete, now_us=NOW)
    assert (outcome.reply.status, [call["id"] for call in content(outcome)]) == (200, [CALL])
    assert [(f.kind, f.reason) for f in outcome.facts] == [(codes.ABANDONED, codes.IN_LOT)]
    assert code(uapi.respond(outcome.register, delete, now_us=NOW)) == (400, "pc_phonecall_invalid")
    everything = delete._replace(target="/uapi/phoneCalls/12/@self/")
    assert uapi.respond(several(), everything, now_us=NOW).register.calls == ()
    assert (
        uapi.respond(talking(), everything._replace(target="/uapi/phoneCalls/12/211"), now_us=NOW).reply.status == 204
    )
    for number, status in (("3235742879", 200), ("0003*210", 200), ("999", 204), ("", 204)):
        asked = delete._replace(target=f"{delete.target}?phoneNumber={number}")
        after = uapi.respond(talking(), asked, now_us=NOW)
        assert (after.reply.status, len(after.register.calls)) == (status, int(status == 204))
    abroad = uapi.offer(talking(), "0003*210", peer="+49123", now_us=0, incoming=True, call_id=LOCAL).register
    for plus in ("+", "%2B"):
        asked = delete._replace(target=f"/uapi/phoneCalls/12/210?phoneNumber={plus}49123")
        ended = uapi.respond(abroad, asked, now_us=NOW)
        assert [call["id"] for call in content(ended)] == [LOCAL]
        assert [(f.kind, f.reason) for f in ended.facts] == [(codes.ABANDONED, codes.WAITING)]
    back = uapi.expire(parked(), NOW + 30 * S).register
    gone = uapi.respond(back, delete, now_us=NOW + 31 * S)
    assert [(f.kind, f.reason) for f in gone.facts] == [(codes.ABANDONED, codes.RINGING)]


def test_create():
    """POST simple offers a call from the user's extension, with an id of 20 hex digits that its answer tells."""
    body = {"extension": "210", "nonce": "n", "phoneCallView": [{"source": ["210"], "destination": ["555"]}]}
    request = uapi.Request("POST", "/uapi/phoneCalls/@me/simple/", json.dumps(body).encode(), "12")
    outcome = uapi.respond(talking(), request, now_us=NOW)
    assert outcome.reply.status == 200
    name = content(outcome)[0]["id"]
    assert len(name) == 20
    assert set(name) <= set("0123456789abcdef")
    shown = entry(uapi.respond(outcome.register, get(f"/12/210/{name}"), now_us=NOW))
    assert (shown["nonce"], shown["phoneCallView"][0]["destination"]) == ("n", ["555"])
    assert kinds(outcome.facts) == ["OFFERED"]
    two = uapi.offer(talking(), "0003*024", peer="1", now_us=0, call_id=LOCAL).register
    name = content(uapi.respond(two, request, now_us=NOW))[0]["id"]
    taken = uapi.offer(talking(), "0003*024", peer="1", now_us=0, call_id=name).register
    assert content(uapi.respond(taken, request, now_us=NOW))[0]["id"] != name
    for changes, expected in (
        ({"extension": "024"}, "extension_invalid"),
        ({"extension": "9"}, "extension_invalid"),
        ({"extension": 210}, "request_invalid"),
        ({"phoneCallView": []}, "request_invalid"),
        ({"phoneCallView": [{"source": ["210"]}]}, "request_invalid"),
        ({"nonce": "\ud800"}, "request_invalid"),
        ({"phoneCallView": [{"destination": ["\ud800"]}]}, "request_invalid"),
        ({"phoneCallView": [{"destination": ["1"], "callerId": "\ud800"}]}, "request_invalid"),
    ):
        asked = request._replace(body=json.dumps({**body, **changes}).encode())
        assert code(uapi.respond(talking(), asked, now_us=NOW)) == (400, expected)
    assert code(uapi.respond(talking(), request._replace(body=b"["), now_us=NOW)) == (400, "request_invalid")


def test_parts_without_http():
    """park, unpark and list_calls do on plain arguments what respond does on a request."""
    asked = uapi.Ask("12", "0003*210", CALL, fields={"maxInParking": 30, "phoneCallViewId": "01"})
    result = uapi.park(talking(), asked, NOW)
    assert result.register == parked()
    assert result.collection.entry[0].phone_call_view[0].parked_pos == 1
    rung = uapi.unpark(result.register, asked._replace(fields=unpark_body()), NOW)
    assert rung.register == uapi.respond(parked(), put(PATH, unpark_body()), now_us=NOW).register
    assert uapi.list_calls(result.register, uapi.Ask("12"), NOW).collection.total_results == 1
    assert uapi.park(talking(), asked._replace(fields=uapi.Refusal.BODY_INVALID), NOW).refused.refusal.status == 400
    refused = uapi.list_calls(talking(), uapi.Ask("12", fields=uapi.Refusal.BODY_INVALID), NOW).refused
    assert refused.refusal is uapi.Refusal.QUERY_INVALID
    ended = uapi.hang_up_calls(talking(), uapi.Ask("12", fields=uapi.Refusal.BODY_INVALID), NOW)
    assert ended.register.calls == ()


def test_timers_come_first_in_every_life():
    """Offers, answers and hang-ups too let the timers happen that come before them."""
    deadline_us = NOW + 30 * S
    offered = uapi.offer(parked(), "0003*024", peer="5", now_us=deadline_us)
    assert kinds(offered.facts) == ["EXPIRED", "RECALL_RINGING", "OFFERED"]
    assert kinds(uapi.hang_up(parked(), CALL, now_us=deadline_us).facts) == ["ABANDONED"]
    assert kinds(uapi.hang_up(parked(), CALL, now_us=deadline_us + 1).facts) == [
        "EXPIRED", "RECALL_RINGING", "ABANDONED",
    ]  # fmt: skip
    assert due_before(parked(), deadline_us, codes.RANK_EXPIRY).facts == ()
    assert kinds(due_before(parked(), deadline_us, codes.RANK_EXPIRY + 1).facts) == ["EXPIRED", "RECALL_RINGING"]
