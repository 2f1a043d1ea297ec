"""The tables of states and transitions: complete, unambiguous, and what the functions really do."""

import itertools

import pytest
from uapi_strategies import CALL, LOCAL, S, assert_sound, park_body, parked, put, talking, unpark_body

from parksim.rules import uapi
from parksim.rules.codes import NEVER, NOBODY
from parksim.rules.uapi import register as r
from parksim.rules.uapi.calls import TRANSITIONS, Effect, Event, State, due_before, effect_of, next_timer_us, state_of

# What there is to see of a view: is it in the lot (here, or by another view), does an UnPark or a PickUp ring for it,
# does it return, is it on call, on hold. None in a row: either.
STATES = {
    ("here", False, None, None, None): State.PARKED,
    ("here", True, None, None, None): State.FETCHED,
    ("other", None, None, None, None): State.ELSEWHERE,
    ("no", None, True, True, None): State.WAITING,
    ("no", False, True, False, None): State.RETURNING,
    ("no", True, True, False, None): State.CAUGHT,
    ("no", None, False, False, None): State.SETUP,
    ("no", None, False, True, False): State.TALKING,
    ("no", None, False, True, True): State.HELD,
}
NOW = 70 * S


def with_call(state, register=None):
    """Return a register in which view "01" of CALL is in that state, shortly before NOW, and that view's place."""
    register = register or talking()
    if state is State.SETUP:
        register = uapi.hang_up(register, CALL, now_us=60 * S).register
        return uapi.offer(register, "0003*210", peer="555", now_us=60 * S, call_id=CALL).register, 0
    if state is State.ELSEWHERE:
        register = uapi.hang_up(register, CALL, now_us=60 * S).register
        register = uapi.offer(register, "0003*210", peer="0003*024", now_us=60 * S, call_id=CALL).register
        register = uapi.answer(register, CALL, now_us=60 * S).register
        body = park_body(phoneCallViewId="00")
        return uapi.respond(register, put(f"/12/0003*210/{CALL}", body), now_us=60 * S).register, 1
    steps = {
        State.TALKING: (),
        State.HELD: ({"action": "OnHold", "phoneCallViewId": "01"},),
        State.PARKED: (park_body(),),
        State.FETCHED: (park_body(), unpark_body()),
        State.RETURNING: (park_body(maxInParking="10"),),
        State.WAITING: (park_body(maxInParking="10"),),
        State.CAUGHT: (park_body(maxInParking="10"),),
    }
    for body in steps[state]:
        register = uapi.respond(register, put(f"/12/0003*210/{CALL}", body), now_us=60 * S).register
    if state in {State.RETURNING, State.WAITING, State.CAUGHT}:
        register = uapi.expire(register, NOW).register
    if state is State.WAITING:  # as the mirror shows a call whose parker is busy
        register = r.with_call(register, r.with_view(register.calls[-1], 0, status=r.STATUS_ON_CALL))
    if state is State.CAUGHT:
        picked = {"action": "PickUp", "phoneCallViewId": "01", "sendCallTo": "0003*211"}
        register = uapi.respond(register, put(f"/12/0003*210/{CALL}", picked), now_us=NOW).register
    return register, 0


def seen_so(where, rung, returning, on_call, on_hold):
    """Return a call whose first view looks so."""
    (call,) = talking().calls
    view = {"here": 0, "other": 1}.get(where)
    stay = None if view is None else r.Stay(view, 0, 0, 0, 60 * S, 0 if rung else NOBODY, NOW)
    status = r.STATUS_ON_CALL if on_call else r.STATUS_OTHER_RINGING
    call = r.with_view(call, 0, status=status, on_hold_us=60 * S if on_hold else NEVER)
    return call._replace(stay=stay, returning=r.Return(0, 0, 0 if rung else NOBODY) if returning else None)


def test_whatever_is_seen_is_one_state():
    """Each of the 48 combinations of what there is to see fits exactly one row, and is that row's state."""
    used = set()
    for sight in itertools.product(("here", "other", "no"), *[(False, True)] * 4):
        matching = [
            row for row in STATES if all(wanted in {None, found} for wanted, found in zip(row, sight, strict=True))
        ]
        assert len(matching) == 1, sight
        assert state_of(seen_so(*sight), 0) is STATES[matching[0]]
        used.add(matching[0])
    assert used == set(STATES)
    assert set(STATES.values()) == set(State)


BACK = {State.WAITING, State.RETURNING, State.CAUGHT}
REFUSED = {
    Event.PARK: {State.SETUP, State.ELSEWHERE, *BACK},
    Event.UNPARK: {State.SETUP, State.TALKING, State.HELD, State.ELSEWHERE, *BACK},
    Event.HOLD: {State.SETUP, State.PARKED, State.FETCHED, State.ELSEWHERE, *BACK},
    Event.UNHOLD: {State.SETUP, State.PARKED, State.FETCHED, State.ELSEWHERE, *BACK},
    Event.PICKUP: set(State) - {State.RETURNING, State.CAUGHT},
    Event.TRANSFER: set(State) - {State.PARKED, State.FETCHED},
    Event.ANSWER: {State.PARKED, State.ELSEWHERE, State.WAITING},
    Event.RING_OUT: set(State) - {State.FETCHED, State.CAUGHT},
    Event.EXPIRY: set(State) - {State.PARKED, State.FETCHED},
}
"""What has no row in the table."""


def test_every_event_in_every_state_is_one_row():
    """Each of the 81 pairs of event and state stands in exactly one row, or is refused; only work changes the state."""
    pairs = [(row.event, state) for row in TRANSITIONS for state in row.states]
    refused = [(event, state) for event, states in REFUSED.items() for state in states]
    assert sorted([*pairs, *refused], key=str) == sorted(itertools.product(Event, State), key=str)
    assert all(effect_of(*pair) is Effect.REFUSED for pair in refused)
    for row in TRANSITIONS:
        assert row.effect is not Effect.REFUSED
        assert (row.after is not None) == (row.effect is Effect.WORK)
        for state in row.states:
            assert effect_of(row.event, state) is row.effect


@pytest.mark.parametrize("state", State)
def test_states_can_be_reached(state):
    """Every state of the table is one that a call can be brought into."""
    register, view = with_call(state)
    assert state_of(register.calls[-1], view) is state
    assert_sound(register)


def happen(register, event, view):
    """Let an event happen to a view of CALL at NOW."""
    body = {"action": event.value, "phoneCallViewId": register.calls[-1].views[view].id, "sendCallTo": "0003*211"}
    if event is Event.PICKUP:
        body["sendCallTo"] = "0003*024"  # another one than rings in CAUGHT
    if event is Event.ANSWER:
        changed = uapi.answer(register, CALL, now_us=NOW)
        return changed.register, None, changed.facts
    if event in {Event.RING_OUT, Event.EXPIRY}:
        changed = due_before(register, next_timer_us(register) + 1, 0)
        return changed.register, None, changed.facts
    outcome = uapi.respond(register, put(f"/12/0003*210/{CALL}", body), now_us=NOW - 1)
    return outcome.register, outcome.reply.status, outcome.facts


ASKED = (Event.PARK, Event.UNPARK, Event.HOLD, Event.UNHOLD, Event.PICKUP, Event.TRANSFER, Event.ANSWER)


ROWS = {(row.event, state): (row.effect, row.after) for row in TRANSITIONS for state in row.states}


@pytest.mark.parametrize("event", ASKED)
@pytest.mark.parametrize("state", State)
def test_the_functions_obey_the_table(event, state):
    """What an event asked for does to a call in each state is what its row says, and refusals change nothing."""
    effect, led_to = ROWS.get((event, state), (Effect.REFUSED, None))
    before, view = with_call(state)
    after, status, facts = happen(before, event, view)
    if effect is Effect.WORK:
        assert after != before
        assert state_of(after.calls[-1], view) is led_to
        assert status in {None, 200}
    else:
        assert (after, facts) == (before, ())
        assert status in {None, 200 if effect is Effect.SAME else 400}
    assert_sound(after)


def test_the_timers_obey_the_table():
    """A parked call's timers lead where their rows say, in the order of their instants."""
    rung = uapi.respond(parked("60"), put(f"/12/0003*210/{CALL}", unpark_body()), now_us=NOW).register
    assert state_of(rung.calls[0], 0) is State.FETCHED
    assert next_timer_us(rung) == NOW + 25 * S
    calm, _, facts = happen(rung, Event.RING_OUT, 0)
    assert (state_of(calm.calls[0], 0), facts) == (State.PARKED, ())
    assert calm.lots == rung.lots
    back, _, facts = happen(calm, Event.EXPIRY, 0)
    assert state_of(back.calls[0], 0) is State.RETURNING
    assert [fact.time_us for fact in facts] == [120 * S, 120 * S]
    caught, _ = with_call(State.CAUGHT)
    assert next_timer_us(caught) == NOW + 25 * S
    calm, _, facts = happen(caught, Event.RING_OUT, 0)
    assert (state_of(calm.calls[0], 0), facts, next_timer_us(calm)) == (State.RETURNING, (), NEVER)
    rung = uapi.respond(parked("30"), put(f"/12/0003*210/{CALL}", unpark_body()), now_us=NOW).register
    back, _, _ = happen(rung, Event.EXPIRY, 0)
    assert state_of(back.calls[0], 0) is State.RETURNING
    assert next_timer_us(back) == NEVER


@pytest.mark.parametrize("state", State)
def test_a_hang_up_ends_any_state(state):
    """A hang-up ends the call in whatever state, frees its slot, and leaves one fact."""
    before, _ = with_call(state)
    changed = uapi.hang_up(before, CALL, now_us=NOW)
    assert all(call.id != CALL for call in changed.register.calls)
    assert all(occupant == -1 for occupant in changed.register.lots[0].occupants)
    assert len(changed.facts) == 1
    assert_sound(changed.register)


def test_a_call_that_is_not_there():
    """A telephone that rings no more, and a call that has ended, are answered and hung up without effect."""
    register = talking()
    assert uapi.answer(register, LOCAL, now_us=NOW) == (register, ())
    assert uapi.hang_up(register, LOCAL, now_us=NOW) == (register, ())
