"""PickUp of a call that rings its parker, and Transfer of a parked call: who has it then, and what is refused."""

import pytest
from uapi_strategies import CALL, S, assert_sound, content, park_body, parked, put, talking

from parksim.rules import codes, uapi
from parksim.rules.uapi.calls import next_timer_us

NOW = 60 * S
BACK = NOW + 10 * S
PATH = f"/12/0003*210/{CALL}"


def back():
    """Return a register in which CALL rings its parker 0003*210 since BACK."""
    return uapi.expire(parked("10"), BACK).register


def body(action, **changes):
    """Return a body that hands a call to 0003*024."""
    return {"action": action, "phoneCallViewId": "01", "sendCallTo": "0003*024", **changes}


def do(register, asked, now_us=BACK + S, path=PATH):
    """Let a PUT happen."""
    return uapi.respond(register, put(path, asked), now_us=now_us)


def kinds(facts):
    """Return the names of facts with their reasons."""
    return [(codes.KIND_NAMES[fact.kind], codes.REASON_NAMES[fact.reason]) for fact in facts]


def test_a_pick_up_is_answered():
    """It rings the other telephone beside the parker's; answered there, the call is that extension's."""
    rung = do(back(), body("PickUp"))
    assert (rung.reply.status, rung.facts) == (200, ())
    [shown] = content(rung)["entry"]
    assert (shown["phoneCallView"][0]["status"], shown["phoneCallView"][0]["parkedBy"]) == ("4", "0003*210")
    done = uapi.answer(rung.register, CALL, now_us=BACK + 5 * S)
    assert kinds(done.facts) == [("RECALL_UNANSWERED", "fetched"), ("RETRIEVED", "ringing")]
    assert [done.register.extensions[fact.extension].number for fact in done.facts] == ["0003*210", "0003*024"]
    [call] = done.register.calls
    assert (call.returning, call.stay, call.views[0].source) == (None, None, ("0003*024",))
    assert call.views[0].status == 5
    assert_sound(done.register)
    ended = uapi.hang_up(done.register, CALL, now_us=BACK + 9 * S)
    assert kinds(ended.facts) == [("ENDED", "retrieved")]


def test_a_pick_up_in_vain():
    """After waitForPickup (25 s unless given) the attempt is over, the parker's telephone still rings."""
    for asked, wait_s in ((body("PickUp"), 25), (body("PickUp", waitForPickup="5"), 5)):
        rung = do(back(), asked).register
        assert next_timer_us(rung) == BACK + (1 + wait_s) * S
        calm = uapi.expire(rung, BACK + (1 + wait_s) * S).register
        assert calm == back()
        assert kinds(uapi.answer(calm, CALL, now_us=BACK + 60 * S).facts) == [("RECALL_ANSWERED", "")]


def test_a_pick_up_again():
    """The same one changes nothing; another extension is rung in its place, from then on."""
    rung = do(back(), body("PickUp"))
    assert do(rung.register, body("PickUp"), BACK + 5 * S).register == rung.register
    other = do(rung.register, body("PickUp", sendCallTo="211"), BACK + 5 * S).register
    assert next_timer_us(other) == BACK + 30 * S
    assert other.extensions[uapi.answer(other, CALL, now_us=BACK + 6 * S).facts[1].extension].number == "0003*211"


def test_a_transfer():
    """The call is the other extension's at once, its slot is free; also at the deadline itself."""
    for now_us in (NOW + S, BACK):
        done = do(parked("10"), {"action": "Transfer", "sendCallTo": "0003*024"}, now_us)
        assert done.reply.status == 200
        assert kinds(done.facts) == [("RETRIEVED", "")]
        assert (done.facts[0].slot, done.register.lots[0].occupants[0]) == (0, codes.NOBODY)
        [call] = done.register.calls
        assert (call.stay, call.views[0].source) == (None, ("0003*024",))
        [shown] = content(done)["entry"]
        assert "parked" not in shown["phoneCallView"][0]
        assert next_timer_us(done.register) == codes.NEVER
        assert_sound(done.register)


def test_fields_that_a_transfer_does_not_read():
    """The vendor's example names the parties, its samples send a view: the former are ignored, a view must be right."""
    parties = {"transferFromNumber": "0003*210", "transferNumber": "3235742879", "waitForPickup": "no number"}
    assert do(parked("60"), body("Transfer", **parties), NOW + S).reply.status == 200
    for view, code in (("02", b"pc_phonecallview_invalid"), (1, b"pc_phonecallview_invalid"), (None, b"view_invalid")):
        refused = do(parked("60"), body("Transfer", phoneCallViewId=view), NOW + S)
        assert (refused.reply.status, code in refused.reply.body) == (400, True)


@pytest.mark.parametrize("action", ["PickUp", "Transfer"])
@pytest.mark.parametrize("target", [None, 1, "", "3334444", "0003*999", "0004*300", "@self"])
def test_to_whom_a_call_can_be_handed(action, target):
    """To an extension of the same organization; a number outside is refused before anything happens."""
    register = back() if action == "PickUp" else parked("60")
    refused = do(register, body(action, sendCallTo=target))
    assert (refused.reply.status, refused.facts) == (400, ())
    assert b'"code":"request_invalid"' in refused.reply.body


def test_all_calls_of_an_extension():
    """Without an id the action applies to all calls that are so; 204 when none is."""
    for register, action in ((back(), "PickUp"), (parked("60"), "Transfer")):
        done = do(register, body(action), path="/12/0003*210")
        assert (done.reply.status, content(done)["totalResults"]) == (200, 1)
        assert do(talking(), body(action), path="/12/0003*210").reply.status == 204
        assert do(talking(), body(action)).reply.status == 400


def test_a_missing_view_is_blamed_only_where_nothing_else_is_before_it():
    """The lowest rung of the ladder is the answer, as for each other action."""
    asked = park_body(maxInParking=1)
    del asked["phoneCallViewId"]
    assert b"pc_parktimeout_invalid" in do(talking(), asked).reply.body
    asked["maxInParking"] = 30
    assert b"pc_phonecallview_invalid" in do(talking(), asked).reply.body
    pick = body("PickUp")
    del pick["phoneCallViewId"]
    assert b"pc_phonecallview_invalid" in do(back(), pick).reply.body
