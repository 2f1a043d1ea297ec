"""The mirror: what a switchboard's own facts mean in UAPI's register, held against the model and a dictionary."""

import pytest
import simpy

import parksim
from parksim.engines.commanded import CommandedExchange
from parksim.engines.traffic import Traffic, batch
from parksim.rules import codes as c
from parksim.rules import life, uapi
from parksim.rules.lot import Fact
from parksim.rules.uapi import register as r
from parksim.rules.uapi.calls import State, next_timer_us, ring_for, state_of
from parksim.rules.uapi.mirror import caller_id, caller_number, mirrored
from parksim.rules.uapi.register import (
    Register,
    call_with_number,
    new_register,
    with_call,
    without_call,
)
from parksim.scenario.model import Scenario

ENDS = {c.ABANDONED, c.ENDED, c.LOST}


def register_with(extensions: int) -> Register:
    """Return a register of one user with so many extensions."""
    return new_register({"12": [f"0003*{201 + place}" for place in range(extensions)]})


def fact(kind: int, time_us: int = 0, extension: int = c.NOBODY, slot: int = c.NOBODY, reason: int = 0, **more) -> Fact:
    """Return a fact of call 0 in lot 0."""
    return Fact(time_us, more.get("deadline_us", c.NEVER), more.get("call", 0), 0, slot, extension, kind, reason)


def after(*facts: Fact, extensions: int = 3) -> Register:
    """Return the register after these facts."""
    register = register_with(extensions)
    for one in facts:
        register = mirrored(register, one)
    return register


ANSWERED = (fact(c.OFFERED), fact(c.ANSWERED, 5, 0))
PARKED = (*ANSWERED, fact(c.PARKED, 10, 0, 0, deadline_us=100))
EXPIRED = (*PARKED, fact(c.EXPIRED, 100, 0, 0))
RINGS = (*EXPIRED, fact(c.RECALL_RINGING, 130, 0, deadline_us=160))


def test_a_call_stands_there_from_the_answer_on():
    """Offered it has only a number; answered by extension 0 it is an incoming call of that extension."""
    assert after(fact(c.OFFERED)).calls == ()
    register = after(*ANSWERED)
    (call,) = register.calls
    assert (call.number, call.extension, call.answered_us) == (0, 0, 5)
    assert call.views[0].source == ("5550000000",)
    assert call.views[0].destination == ("0003*201",)
    assert state_of(call, 0) == State.TALKING


def test_the_way_through_the_lot():
    """Parked, returning, ringing, answered: each state as UAPI sees it, with slot and parker."""
    register = after(*PARKED)
    assert state_of(register.calls[0], 0) == State.PARKED
    stay = register.calls[0].stay
    assert (stay.lot, stay.slot, stay.parker, stay.parked_us) == (0, 0, 0, 10)
    for facts, state in (
        (EXPIRED, State.WAITING),
        (RINGS, State.RETURNING),
        ((*RINGS, fact(c.RECALL_UNANSWERED, 160, 0, reason=c.AGAIN)), State.RETURNING),
        ((*RINGS, fact(c.RECALL_UNANSWERED, 160, 0, reason=c.LAST)), State.WAITING),
    ):
        assert state_of(after(*facts).calls[0], 0) == state
    assert after(*RINGS).calls[0].views[0].ringing_us == 130
    register = after(*RINGS, fact(c.RECALL_ANSWERED, 140, 0))
    assert state_of(register.calls[0], 0) == State.TALKING
    assert register.calls[0].returning is None


def test_a_pick_up_while_it_rings():
    """The next period of ringing leaves it as it is; when ringing has ended for good there is nothing to pick up."""
    rings = after(*RINGS)
    picked = r.with_call(rings, ring_for(rings, rings.calls[0], 2, 500, 150).register.calls[0])
    assert picked.calls[0].returning == r.Return(0, 0, 2, 650)
    again = (fact(c.RECALL_UNANSWERED, 160, 0, reason=c.AGAIN), fact(c.RECALL_RINGING, 160, 0))
    for one in again:
        picked = mirrored(picked, one)
    assert picked.calls[0].returning == r.Return(0, 0, 2, 650)
    last = mirrored(picked, fact(c.RECALL_UNANSWERED, 190, 0, reason=c.LAST))
    assert last.calls[0].returning == r.Return(0, 0)
    assert next_timer_us(last) == c.NEVER


@pytest.mark.parametrize(
    ("before", "handing", "ending"),
    [
        (PARKED, fact(c.RETRIEVED, 20, 2, 0), c.AFTER_RETRIEVAL),
        (RINGS, fact(c.RECALL_ANSWERED, 140, 2), c.TALKED),
        (EXPIRED, fact(c.RECALL_ANSWERED, 140, 2), c.TALKED),
    ],
)
def test_a_hand_over(before, handing, ending):
    """Whoever takes the call stands where the parker stood, in the view and among its parties."""
    call = after(*before, handing).calls[0]
    assert (call.views[0].extension, call.views[0].destination) == (2, ("0003*203",))
    assert (call.stay, call.returning, call.ending) == (None, None, ending)


@pytest.mark.parametrize("handing", [fact(c.RETRIEVED, 20, 7, 0), fact(c.RETRIEVED, 20, c.NOBODY, 0)])
def test_handed_to_whoever_is_not_listed_it_is_gone(handing):
    """A call that goes to an extension outside the directory stands there no longer."""
    assert after(*PARKED, handing).calls == ()
    assert after(*RINGS, fact(c.RECALL_ANSWERED, 140, 7)).calls == ()


def test_calls_of_whoever_is_not_listed_do_not_stand_there():
    """Outside the directory a call is in no list, until somebody listed has it: then it is that one's new call."""
    facts = (fact(c.OFFERED), fact(c.ANSWERED, 5, 7), fact(c.PARKED, 10, 7, 1, deadline_us=100))
    assert after(*facts).calls == ()
    fetched = after(*facts, fact(c.RETRIEVED, 50, 1, 1))
    assert (fetched.calls[0].extension, fetched.calls[0].ending) == (1, c.AFTER_RETRIEVAL)
    expired = (*facts, fact(c.EXPIRED, 100, 7, 1), fact(c.RECALL_RINGING, 100, 7))
    assert after(*expired).calls == ()
    assert after(*expired, fact(c.RECALL_ANSWERED, 110, 2)).calls[0].extension == 2
    assert after(*expired, fact(c.RECALL_ANSWERED, 110, 7)).calls == ()
    assert after(*facts, fact(c.ABANDONED, 60, 7, 1, c.IN_LOT)).calls == ()
    assert after(*facts, fact(c.RELEASED, 60, 7)).calls == ()


@pytest.mark.parametrize(
    ("before", "end"),
    [
        (ANSWERED, fact(c.ENDED, 30, 0, reason=c.TALKED)),
        (ANSWERED, fact(c.LOST, 30, 0, reason=c.LOT_FULL)),
        (PARKED, fact(c.ABANDONED, 30, 0, 0, c.IN_LOT)),
        (RINGS, fact(c.ABANDONED, 135, 0, reason=c.RINGING)),
    ],
)
def test_an_end_takes_it_away(before, end):
    """Ended, lost or hung up, the call is gone."""
    assert after(*before, end).calls == ()


def test_what_changes_nothing():
    """A refused park and the end of an announcement leave the call as it is."""
    register = after(*ANSWERED)
    assert mirrored(register, fact(c.REFUSED, 9, 0, reason=c.LOT_FULL)) == register
    assert mirrored(register, fact(c.RELEASED, 9, 0)) == register


def test_parked_by_the_switchboard_a_call_is_no_longer_on_hold():
    """A client's OnHold ends when the simulated attendant parks the call, as it ends at a client's Park."""
    register = after(*ANSWERED)
    path = f"/uapi/phoneCalls/12/0003*201/{register.calls[0].id}"
    hold = uapi.Request("PUT", path, b'{"action": "OnHold", "phoneCallViewId": "01"}', "12")
    held = uapi.respond(register, hold, now_us=7).register
    assert state_of(held.calls[0], 0) == State.HELD
    parked = mirrored(held, PARKED[-1])
    fetched = mirrored(parked, fact(c.RETRIEVED, 20, 1, 0))
    assert state_of(fetched.calls[0], 0) == State.TALKING


def test_callers_are_told_apart():
    """Numbers of simulated callers are digits and differ, beyond ten million calls too."""
    calls = [0, 1, 9_999_999, 10_000_000, 2**31 - 1]
    numbers = [caller_number(call) for call in calls]
    assert len(set(numbers)) == len(calls)
    assert all(number.isdigit() and len(number) >= 10 for number in numbers)
    assert caller_id(10_000_000) == "Caller <55510000000>"


def test_calls_stand_in_the_order_of_their_numbers():
    """A call that comes late into the register is put before those of higher numbers; one is taken out from between."""
    register = after(*(fact(c.OFFERED, call=call) for call in range(3)))
    for call, extension in ((2, 0), (0, 1), (1, 2)):
        register = mirrored(register, fact(c.ANSWERED, 5, extension, call=call))
    assert [call.number for call in register.calls] == [0, 1, 2]
    kept = call_with_number(register, 1)
    assert [call.number for call in without_call(register, 1).calls] == [0, 2]
    assert with_call(without_call(register, 1), kept) == register


# ------------------------------------------------------------------------------------- whole simulated journals


def listed_by_dictionary(rows: list[Fact], extensions: int) -> dict[int, int]:
    """Return who of the directory has or had last each call that stands there, by a dictionary alone."""
    has: dict[int, int] = {}
    for row in rows:
        if row.kind in {c.ANSWERED, c.RETRIEVED, c.RECALL_ANSWERED}:
            has.pop(row.call, None)
            if 0 <= row.extension < extensions:
                has[row.call] = row.extension
        elif row.kind in ENDS:
            has.pop(row.call, None)
    return has


@pytest.mark.parametrize("name", ["hospital", "overload", "lot-only", "contact-centre", "small-office"])
@pytest.mark.parametrize("listed", ["all", "some"])
def test_the_calls_are_the_models_after_each_fact(name, listed):
    """Fact by fact of a simulated day (at most 4,000 facts): calls, stays and who has them as the model has them.

    Once with all attendants and staff in the directory, once with two extensions only. Seed 2.
    """
    scenario = Scenario.load(f"scenarios/{name}.toml")
    settings = scenario.settings
    extensions = max(settings.attendants, 1) + max(settings.staff, 0) if listed == "all" else 2
    register = register_with(extensions)
    rows: list[Fact] = []

    def write(*row: int) -> None:
        nonlocal register
        rows.append(Fact(*row))
        register = mirrored(register, rows[-1])

    traffic = Traffic([batch(parksim.draw(scenario, 2, 0))])
    exchange = CommandedExchange(simpy.Environment(), settings, traffic, write)
    parked = calls = 0
    while exchange.env.peek() < float("inf") and len(rows) < 4_000:
        exchange.env.step()
        stand = {call.number: call for call in register.calls}
        for call in stand.values():
            place = exchange.places[call.number]
            assert (call.stay is not None) == (place.state == life.IN_SLOT)
            assert (call.returning is not None) == (place.state in {life.ON_RETURN, life.AT_PARKER})
            if call.stay is not None:
                theirs = exchange.lots[call.stay.lot]
                assert theirs.occupants[call.stay.slot] == call.number
                assert theirs.parkers[call.stay.slot] == call.stay.parker
        parked += sum(call.stay is not None for call in stand.values())
        calls += len(stand)
    has = listed_by_dictionary(rows, extensions)
    assert {call.number: call.views[0].extension for call in register.calls} == has
    assert len(rows) > 500
    assert settings.attendants < 0 or (parked > 20 and calls > parked)


@pytest.mark.parametrize(
    ("method", "body", "rank"),
    [
        ("GET", b"", c.RANK_PARK_REQUEST),
        ("POST", b"{}", c.RANK_ARRIVAL),
        ("DELETE", b"", c.RANK_HANGUP),
        ("PATCH", b"", c.RANK_HANGUP),
        ("PUT", b'{"action": "Park"}', c.RANK_PARK_REQUEST),
        ("PUT", b'{"action": "UnPark"}', c.RANK_RETRIEVAL),
        ("PUT", b'{"action": "OnHold"}', c.RANK_PARK_REQUEST),
        ("PUT", b'{"action": "PickUp"}', c.RANK_RETRIEVAL),
        ("PUT", b'{"action": "Transfer"}', c.RANK_RETRIEVAL),
        ("PUT", b'{"action": "BargeIn"}', c.RANK_HANGUP),
        ("PUT", b'{"action": []}', c.RANK_HANGUP),
        ("PUT", b"{", c.RANK_HANGUP),
    ],
)
def test_a_request_has_the_rank_of_what_it_asks(method, body, rank):
    """A park comes last at its instant, a retrieval before the time-outs, a hang-up and nonsense first."""
    assert uapi.rank_of(uapi.Request(method, "/", body)) == rank
