"""The kernel's attendants: who is free, who rings, and how free attendants and waiting calls come together.

PYTEST_DONT_REWRITE: Numba compiles these assertions as they are written.
"""

from parksim.engines import _state as s
from parksim.engines._lift import inlined, rules
from parksim.rules import codes as c
from parksim.rules import life
from parksim.rules.routing import BUSY_NOW, JOIN_GROUP


@inlined
def free_attendant(ex: s.Exchange, attendant: int) -> None:
    """Free an attendant; SERVE becomes due if anybody waits for one."""
    if attendant == c.NOBODY:
        return
    assert ex.idle_us[attendant] == BUSY_NOW
    s.set_idle(ex, attendant, rules.idle_when_freed(attendant, ex.state[s.ON_DUTY], ex.state[s.NOW]))
    own = ex.lists[s.OWN_RETURNS + attendant]["length"]
    if own > 0:
        s.look_at(ex, attendant)
    if ex.lists[s.QUEUE]["length"] > 0 or ex.lists[s.GROUP_RETURNS]["length"] > 0 or own > 0:
        ex.state[s.SERVE_DUE] = 1


@inlined
def release(ex: s.Exchange, call: int, attendant: int) -> None:
    """Free the attendant who has parked ``call``: now, or when the slot has been announced."""
    if attendant == c.NOBODY or ex.policies.announcement_us == 0:
        free_attendant(ex, attendant)
        return
    s.push(ex, ex.state[s.NOW] + ex.policies.announcement_us, s.key_of(c.RANK_ANNOUNCED, attendant))
    ex.lists[s.OWN_RETURNS + attendant]["announces"] = call


@inlined
def handle(ex: s.Exchange, call: int, attendant: int) -> None:
    """Begin to handle ``call``: it ends in a park request or in talk to the end."""
    record = s.record_of(ex, call)
    parks = record["parks"]
    decided_us = ex.state[s.NOW] + s.at(ex, s.HANDLING, parks, call)
    record["extension"] = attendant
    record["where"] = life.WITH_ATTENDANT
    record["asked"] = 0
    talked_us = decided_us + s.at(ex, s.TALK, parks, call)
    wants_park = parks != ex.policies.max_parks and s.at(ex, s.WANTS_PARK, parks, call) != 0
    wake_us, rank = (decided_us, c.RANK_PARK_REQUEST) if wants_park else (talked_us, c.RANK_TALK_END)
    s.wake(ex, call, wake_us, rank)


@inlined
def come_back(ex: s.Exchange, call: int, rings: int) -> None:
    """Put a return among its parker's own or the group's, until its turn comes or its patience ends."""
    record = s.record_of(ex, call)
    record["where"] = life.ON_RETURN
    record["rings"] = rings
    number = s.GROUP_RETURNS
    if rings and ex.policies.attendants != c.UNLIMITED:
        number = s.OWN_RETURNS + record["extension"]
        ex.state[s.OWN_WAITING] += 1
        s.look_at(ex, record["extension"])
        if ex.policies.busy != c.BUSY_WAIT:
            record["next_joined"] = c.NOBODY
            if ex.state[s.LAST_JOINED] == c.NOBODY:
                ex.state[s.FIRST_JOINED] = call
            else:
                s.record_of(ex, ex.state[s.LAST_JOINED])["next_joined"] = call
            ex.state[s.LAST_JOINED] = call
    s.join(ex, number, call)
    ex.state[s.SERVE_DUE] = 1
    s.wake(ex, call, record["patience_end_us"], c.RANK_HANGUP)


@inlined
def ring(ex: s.Exchange, call: int, attendant: int) -> None:
    """Begin a ringing period at ``attendant``."""
    record = s.record_of(ex, call)
    ring_end_us = s.later(ex.state[s.NOW], ex.policies.ring_us)
    s.write(ex, ring_end_us, call, c.NOBODY, c.NOBODY, attendant, c.RECALL_RINGING, c.NO_REASON)
    record["where"] = life.AT_PARKER
    record["extension"] = attendant
    retrieval_us = c.NEVER
    if ex.policies.retrievable and record["since_us"] != c.NEVER:
        parks = record["parks"] - 1
        parked_us = record["since_us"] - s.at(ex, s.MAX_IN_PARKING, parks, call)
        retrieval_us = rules.retrieval_of_ring(parked_us, s.at(ex, s.RETRIEVAL, parks, call), ex.state[s.NOW])
    first = rules.first_of_ring(record["patience_end_us"], retrieval_us, record["answer_us"], ring_end_us)
    if first.rank == c.RANK_RETRIEVAL:
        record["since_us"] = ring_end_us
    s.wake(ex, call, first.time_us, first.rank)


@inlined
def first_ring(ex: s.Exchange, call: int, attendant: int) -> None:
    """Ring for the first time: the parker's answer counts from now."""
    record = s.record_of(ex, call)
    record["answer_us"] = s.later(ex.state[s.NOW], s.at(ex, s.ANSWER, record["parks"] - 1, call))
    record["asked"] = 1
    ring(ex, call, attendant)


@inlined
def change_duty(ex: s.Exchange) -> None:
    """What SERVE does before all else at this instant: another number of attendants is on duty from now on."""
    counts, period_us, now_us = ex.state[s.COUNTS :], ex.policies.period_us, ex.state[s.NOW]
    duty = rules.on_duty(counts, period_us, now_us)
    for attendant in range(ex.policies.attendants):
        s.set_idle(ex, attendant, rules.idle_after_change(ex.idle_us[attendant], attendant, duty, now_us))
        if ex.lists[s.OWN_RETURNS + attendant]["length"] > 0:
            s.look_at(ex, attendant)
    ex.state[s.ON_DUTY] = duty
    ex.state[s.NEXT_CHANGE] = rules.next_change_us(counts, period_us, now_us)


@inlined
def hand_over_returns(ex: s.Exchange) -> None:
    """Let the returns whose parker is off duty join the group's, in the order in which they came back."""
    to_look_at = ex.counts[len(ex.lots)]
    on_duty = rules.counted_below(to_look_at, ex.state[s.ON_DUTY])
    while True:
        first = s.wide(c.NOBODY)
        first_us = s.LATEST
        for nth in range(on_duty, to_look_at[1]):
            call = s.wide(ex.lists[s.OWN_RETURNS + rules.nth_counted(to_look_at, nth)]["first"])
            if call != c.NOBODY:
                since_us = s.record_of(ex, call)["since_us"]
                if since_us < first_us or (since_us == first_us and call < first):
                    first, first_us = call, since_us
        if first == c.NOBODY:
            return
        s.leave(ex, first)
        ex.state[s.OWN_WAITING] -= 1
        s.join(ex, s.GROUP_RETURNS, first)


@inlined
def serve_own(ex: s.Exchange) -> None:
    """First part of SERVE: free attendants take their own returns; the rest found their parker busy."""
    to_look_at = ex.counts[len(ex.lots)]
    while to_look_at[1] > 0:
        attendant = rules.nth_counted(to_look_at, 0)
        rules.mark(to_look_at, attendant, -1)
        call = ex.lists[s.OWN_RETURNS + attendant]["first"]
        if call != c.NOBODY and rules.is_free(ex.idle_us[attendant]):
            s.leave(ex, call)
            ex.state[s.OWN_WAITING] -= 1
            s.set_idle(ex, attendant, BUSY_NOW)
            first_ring(ex, call, attendant)
    then = rules.after_busy(ex.policies.busy)
    call = ex.state[s.FIRST_JOINED]
    ex.state[s.FIRST_JOINED] = ex.state[s.LAST_JOINED] = c.NOBODY
    while call != c.NOBODY:
        if s.record_of(ex, call)["where"] == life.ON_RETURN and s.record_of(ex, call)["list"] >= s.OWN_RETURNS:
            s.leave(ex, call)
            ex.state[s.OWN_WAITING] -= 1
            if then == JOIN_GROUP:
                s.join(ex, s.GROUP_RETURNS, call)
            else:
                s.record_of(ex, call)["where"] = life.GONE
                s.record_of(ex, call)["wake_us"] = c.NEVER  # its patience does not count any more
                s.note(ex, call, c.NOBODY, c.LOST, c.BUSY)
        call = s.record_of(ex, call)["next_joined"]


@inlined
def serve(ex: s.Exchange) -> None:
    """Bring free attendants and waiting calls together, in the order that ``routing`` tells."""
    ex.state[s.SERVE_DUE] = 0
    if ex.policies.attendants == c.UNLIMITED:
        while ex.lists[s.GROUP_RETURNS]["length"] > 0:
            call = ex.lists[s.GROUP_RETURNS]["first"]
            s.leave(ex, call)
            if s.record_of(ex, call)["rings"]:
                first_ring(ex, call, c.NOBODY)
            else:
                s.note(ex, call, c.NOBODY, c.RECALL_ANSWERED, c.NO_REASON)
                handle(ex, call, c.NOBODY)
        return
    if ex.state[s.NOW] == ex.state[s.NEXT_CHANGE]:
        change_duty(ex)
    if ex.state[s.OWN_WAITING] > 0:
        if ex.state[s.ON_DUTY] < ex.policies.attendants:
            hand_over_returns(ex)
        serve_own(ex)  # even if all have been handed over: nobody has joined since, then
    for number in (s.GROUP_RETURNS, s.QUEUE):
        while ex.lists[number]["length"] > 0:
            attendant = s.first_idle(ex, 0)
            if attendant == c.NOBODY:
                return
            call = ex.lists[number]["first"]
            s.leave(ex, call)
            s.set_idle(ex, attendant, BUSY_NOW)
            s.note(ex, call, attendant, c.ANSWERED if number == s.QUEUE else c.RECALL_ANSWERED, c.NO_REASON)
            handle(ex, call, attendant)
