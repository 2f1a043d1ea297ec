"""A desk written down at any moment and made again answers, and goes on, as the one that was never left."""

import asyncio
import json
from random import Random

import pytest
from desk_load import agree, hospital, random_request

from parksim.engines.clocks import VirtualClock
from parksim.engines.snapshot import Snapshot
from parksim.errors import ArgumentError
from parksim.rules.uapi.register import Call, Calls, Return, Stay, View
from parksim.server.desk import Desk
from parksim.server.desk_state import DeskState, call_of

S = 1_000_000
WHY_IN_NO_STATE = {
    "scenario": "an argument",
    "_clock": "an argument",
    "_traffic": "an argument",
    "_pickup_us": "of the scenario",
    "_begun_s": "said at the start",
    "resumed_after_us": "said at the start",
    "cut_bytes": "said at the start",
    "_committing": "only while a command is done",
    "_changed": "wakes who watches",
    "_notices": "of the loop; what waits to be sent is lost with the process",
    "_session": "the file itself",
    "notes": "said at the start",
    "_tasks": "of the loop",
    "_closing": "at the end only",
}
"""The attributes of a desk that a state need not hold."""
HELD = {
    "_followed": "calls",
    "rate": "speed",
    "paused": "speed",
    "begun_rate": "speed",
    "told_speed": "speed",
    "_changes": "changes",
    "_counters": "counters",
    "_day": "day",
    "events": "newest_event",
    "switchboard": "model",
}
"""The attributes of a desk, and in which field of a state each is."""
WHY_NOT_OF_THE_SWITCHBOARD = {
    "scenario": "an argument",
    "seed": "an argument",
    "replication": "an argument",
    "clock": "put on at the start",
    "_endless": "an argument",
    "_record": "an argument",
    "_batches": "an argument",
    "_extensions": "of the scenario",
    "commands": "a desk keeps none",
    "_rows": "a desk keeps none",
    "_readers": "of who reads",
    "_listeners": "of who listens",
    "_written": "of the step at hand",
    "_failures": "of the step at hand",
    "failure": "it has ended then",
    "closed": "it has ended then",
    "_woken": "wakes its task",
    "_moved": "wakes who waits",
    "_ended": "wakes who waits",
    "_task": "of the loop",
    "_put_back": "counts for one wait, and for one line of the log",
    "_env": "made anew at the instant",
    "calls": "those of the exchange",
}
"""The attributes of a switchboard that a state need not hold, beside ``exchange`` and ``reached_us``."""


def read(written: str) -> DeskState:
    """Return a state from its JSON."""
    state = DeskState(*json.loads(written))
    return state._replace(calls=[call_of(row) for row in state.calls], model=Snapshot(*state.model))


def made_again(scenario, desk: Desk) -> Desk:
    """Return a new desk that has become the other, by way of JSON."""
    state = desk.state
    clock = desk.switchboard.clock
    again = Desk(scenario, clock=VirtualClock(clock.stop_before_us))
    again.become(read(json.dumps(state)))
    assert again.state.alike() == state.alike()
    assert again.register == desk.register
    return again


@pytest.mark.parametrize("pickup", ["0s", "7s", "unlimited"])
def test_a_desk_made_again_answers_the_same(pickup):
    """250 random requests beside traffic, made again before one in eight: equal replies and states. Seeds 42, 43."""
    scenario = hospital(**{"uapi.pickup": pickup})

    async def both() -> None:
        rng, when = Random(42), Random(43)
        first = Desk(scenario, clock=VirtualClock(0))
        second = Desk(scenario, clock=VirtualClock(0))
        running = [first.switchboard, second.switchboard]
        for switchboard in running:
            await switchboard.__aenter__()
        at_us, made = 9 * 3600 * S, 0
        for _ in range(250):
            at_us += rng.randrange(9 * S)
            for desk in (first, second):
                await desk.switchboard.run_to(at_us)
            if when.random() < 0.125:
                second = made_again(scenario, second)
                await second.switchboard.__aenter__()
                running.append(second.switchboard)
                made += 1
            asked = random_request(rng, first)
            assert second.respond(asked) == first.respond(asked)
            assert second.state.alike() == first.state.alike()
            agree(second)
        assert made > 20
        assert len(first.register.calls) > 3
        for switchboard in running:
            await switchboard.aclose()

    asyncio.run(both())


def test_every_attribute_of_desk_and_switchboard_is_in_the_state_or_has_a_reason():
    """A new attribute must be kept in a state, or be named here with the reason why it need not be."""
    desk = Desk(hospital())
    assert set(vars(desk)) == {*HELD, *WHY_IN_NO_STATE}
    assert set(vars(desk.switchboard)) == {"exchange", "reached_us", *WHY_NOT_OF_THE_SWITCHBOARD}
    assert set(HELD.values()) | {"reached_us", "subscriptions"} == set(DeskState._fields)


def test_what_is_put_off_for_later_has_a_name():
    """Work without a name could not be done after a restart, so it is refused when it is put off."""
    desk = Desk(hospital())
    with pytest.raises(ArgumentError, match="has no name"):
        desk.switchboard.later(5, 0, lambda _now_us: None)


def test_tables_of_many_calls_are_those_of_one_after_the_other():
    """300 calls at once and one by one: the same lists, ids, timers, pages; and they change alike. Seed 44."""
    rng = Random(44)
    calls = []
    for number in sorted(rng.sample(range(5_000), 300)):
        extension = rng.randrange(5)
        view = View("01", rng.randrange(5), ("1",), ("2",), "", 2, 5, -1, 3, -1)
        stay = Stay(0, 0, number, 1, 2, -1, -1, rng.choice((-1, 9_000 + number))) if rng.random() < 0.5 else None
        back = Return(0, 2) if stay is None and rng.random() < 0.3 else None
        calls.append(Call(number, f"{number:020x}", extension, "", (view,), rng.randrange(40), 3, stay, back, 0))
    owners = (0, 0, 1, 1, 2)
    at_once, one_by_one = Calls(owners, calls), Calls(owners)
    for call in calls:
        one_by_one = one_by_one.put(call)
    for call in rng.sample(calls, 100):
        assert list(at_once) == list(one_by_one)
        assert at_once.with_id(call.id) == call
        assert at_once.first_timer() == one_by_one.first_timer()
        for user, extension in ((0, -1), (2, -1), (0, 1), (1, 3)):
            pages = [
                known.page(known.numbers_of(user, extension), 3, 20, descending=True) for known in (at_once, one_by_one)
            ]
            assert pages[0] == pages[1]
        at_once, one_by_one = at_once.without(call.number), one_by_one.without(call.number)
    assert [call_of(json.loads(json.dumps(call))) for call in at_once] == list(at_once)
