"""The compiled engine: the calendar of the rules as one loop over arrays.

It decides nothing itself: slots, races and routing are the functions of ``rules/lot.py`` and ``rules/routing.py``,
compiled by ``_lift``. It draws nothing: the workload's columns hold all chance. Its journal equals that of
``processes`` byte for byte; read that file first, this one tells the same story in the order of the calendar, and
``_state`` is what it works on.

``advance`` runs until the calendar is empty or a buffer could be too small for the next event; then the caller makes
it larger and calls again. Indices are asserted where a rule gives them, since compiled code checks no bounds.

PYTEST_DONT_REWRITE: Numba compiles these assertions as they are written.
"""

from typing import Any, Final

from parksim.engines import _state as s
from parksim.engines._attendants import come_back, free_attendant, handle, release, ring, serve
from parksim.engines._lift import compiled, counting, held, inlined, rules
from parksim.journal import tally
from parksim.journal.journal import COLUMNS, Journal
from parksim.rules import codes as c
from parksim.rules import life
from parksim.rules.routing import ASK_AGAIN, BUSY_NOW, LEAVE, RING_AGAIN, TALK_ON
from parksim.scenario.model import Settings
from parksim.scenario.workload import Offered, Workload

# Events, by rank -------------------------------------------------------------------------------------------------


@inlined
def on_hangup(ex: s.Exchange, call: int) -> None:
    """HANGUP: the caller gives up, wherever the call is."""
    record = s.record_of(ex, call)
    where = record["where"]
    number = record["list"]
    if number != c.NOBODY:
        s.leave(ex, call)
    record["where"] = life.GONE
    if where == life.IN_QUEUE:
        s.note(ex, call, c.NOBODY, c.ABANDONED, c.WAITING)
    elif where == life.ON_RETURN:
        if number >= s.OWN_RETURNS:
            ex.state[s.OWN_WAITING] -= 1
        s.note(ex, call, c.NOBODY, c.ABANDONED, c.RETURNING)
    elif where == life.AT_PARKER:
        s.note(ex, call, record["extension"], c.ABANDONED, c.RINGING)
        free_attendant(ex, record["extension"])
    else:
        lot = s.lot_view(ex, record["lot"])
        fact = rules.decide_hangup(lot, s.wide(record["slot"]), ex.state[s.NOW])
        s.apply(ex, fact)


@inlined
def on_talk_end(ex: s.Exchange, call: int) -> None:
    """TALK_END: the call ends; its attendant or member of the staff is free."""
    record = s.record_of(ex, call)
    extension = record["extension"]
    with_member = record["where"] == life.WITH_STAFF
    record["where"] = life.GONE
    s.note(ex, call, extension, c.ENDED, c.AFTER_RETRIEVAL if with_member else c.TALKED)
    if not with_member:
        free_attendant(ex, extension)
    elif extension != c.NOBODY:
        s.set_idle(ex, extension, ex.state[s.NOW])
        if ex.lists[s.RETRIEVALS]["length"] > 0:
            ex.state[s.STAFF_SERVE_DUE] = 1


@inlined
def talk_with_member(ex: s.Exchange, call: int, member: int) -> None:
    """Talk with the person who has fetched ``call``, to its end."""
    record = s.record_of(ex, call)
    record["where"] = life.WITH_STAFF
    record["extension"] = member
    end_us = ex.state[s.NOW] + s.at(ex, s.STAFF_TALK, record["parks"] - 1, call)
    s.wake(ex, call, end_us, c.RANK_TALK_END)


@inlined
def fetch(ex: s.Exchange, call: int, member: int, wanted: int) -> None:
    """Retrieve ``call`` from its slot and talk with it, also if another one was ``wanted`` there."""
    record = s.record_of(ex, call)
    lot = s.lot_view(ex, record["lot"])
    fact = rules.decide_unpark(lot, s.wide(record["slot"]), member, ex.state[s.NOW], wanted)
    assert fact.call == call
    s.apply(ex, fact)
    talk_with_member(ex, call, member)


@inlined
def stay_on(ex: s.Exchange, call: int, retrieval_us: int) -> None:
    """Wake a parked call at the first of its clocks."""
    record = s.record_of(ex, call)
    parks = record["parks"] - 1
    limit_us = s.at(ex, s.MAX_IN_PARKING, parks, call)
    reminds = ex.policies.recall_to == c.TO_REMINDER
    if reminds:
        limit_us = rules.longest_stay(limit_us, c.TO_REMINDER, ex.policies.forward_after_us)
    first = rules.first_of_stay(record["since_us"], s.at(ex, s.PATIENCE, parks, call), retrieval_us, limit_us)
    if reminds:
        first = rules.sooner(first, record["answer_us"], c.RANK_ANSWER)
        first = rules.sooner(first, record["patience_end_us"], c.RANK_EXPIRY)
    s.wake(ex, call, first.time_us, first.rank)


@inlined
def on_ring_out(ex: s.Exchange, call: int) -> None:
    """RING_OUT: nobody answered; ring again, go to the group, or be lost."""
    record = s.record_of(ex, call)
    parker = record["extension"]
    then = rules.after_unanswered(ex.policies.unanswered, record["asked"], ex.policies.attempts)
    if then == RING_AGAIN:
        s.note(ex, call, parker, c.RECALL_UNANSWERED, c.AGAIN)
        record["asked"] += 1
        ring(ex, call, parker)
        return
    s.note(ex, call, parker, c.RECALL_UNANSWERED, c.LAST)
    free_attendant(ex, parker)
    if then == LEAVE:
        record["where"] = life.GONE
        s.note(ex, call, parker, c.LOST, c.UNANSWERED)
    else:
        come_back(ex, call, 0)


@inlined
def on_arrival(ex: s.Exchange) -> None:
    """ARRIVAL: a call is offered; it is answered, turned away or waits."""
    call = ex.state[s.NEXT_CALL]
    ex.state[s.NEXT_CALL] += 1
    record = s.record_of(ex, call)
    record["call"] = call
    record["where"] = life.BEFORE
    record["list"] = c.NOBODY
    record["parks"] = 0
    record["wake_us"] = c.NEVER
    s.note(ex, call, c.NOBODY, c.OFFERED, c.NO_REASON)
    attendant = c.NOBODY
    if ex.policies.attendants != c.UNLIMITED:
        attendant = s.first_idle(ex, 0)
        if attendant == c.NOBODY:
            if rules.queue_is_full(ex.lists[s.QUEUE]["length"], ex.policies.queue_limit):
                record["where"] = life.GONE
                s.note(ex, call, c.NOBODY, c.LOST, c.QUEUE_FULL)
            else:
                record["where"] = life.IN_QUEUE
                s.join(ex, s.QUEUE, call)
                patience_end_us = s.later(ex.state[s.NOW], s.at(ex, s.QUEUE_PATIENCE, 0, call))
                s.wake(ex, call, patience_end_us, c.RANK_HANGUP)
            return
        s.set_idle(ex, attendant, BUSY_NOW)
    s.note(ex, call, attendant, c.ANSWERED, c.NO_REASON)
    handle(ex, call, attendant)


@inlined
def meet(ex: s.Exchange, call: int, number: int, slot: int) -> None:
    """Connect a call that was to be parked with the one that is in the slot: both are lost."""
    record = s.record_of(ex, call)
    attendant = record["extension"]
    fact = rules.decide_meeting(s.lot_view(ex, number), slot, s.wide(attendant), ex.state[s.NOW])
    s.apply(ex, fact)
    other = s.record_of(ex, fact.call)
    if other["list"] != c.NOBODY:
        s.leave(ex, fact.call)
    other["where"] = record["where"] = life.GONE
    other["wake_us"] = c.NEVER  # its clocks do not count any more
    s.note(ex, fact.call, c.NOBODY, c.LOST, c.MET)
    s.note(ex, call, attendant, c.LOST, c.MET)
    free_attendant(ex, attendant)


@inlined
def ask_for_slot(ex: s.Exchange, call: int) -> int:
    """Ask the call's lot, and while the policy is overflow each lot after it.

    Returns why no slot was given, ``MET`` where the call has met another and is lost, ``NO_REASON`` if it was parked.
    """
    record = s.record_of(ex, call)
    parks, reason = record["parks"], c.LOT_FULL
    parker, slot_u, asked = s.wide(record["extension"]), s.at(ex, s.SLOT_U, parks, call), s.wide(c.NOBODY)
    for number in range(s.at(ex, s.LOT, 0, call), len(ex.lots)):
        lot = s.lot_view(ex, number)
        limit_us = s.at(ex, s.MAX_IN_PARKING, parks, call)
        limit_us = rules.longest_stay(limit_us, ex.policies.recall_to, ex.policies.forward_after_us)
        if ex.policies.slot_asked != c.SLOT_LOT:
            asked = rules.slot_to_ask_for(lot, ex.policies.slot_asked, parker, slot_u)
        fact = rules.decide_park(lot, call, parker, limit_us, asked, slot_u, ex.state[s.NOW], ex.policies.slot_taken)
        if fact.kind == c.PARKED:
            s.apply(ex, fact)
            record["where"] = life.IN_SLOT
            record["parks"] = parks + 1
            record["lot"] = number
            record["slot"] = fact.slot
            record["since_us"] = ex.state[s.NOW]
            return c.NO_REASON
        s.write(ex, c.NEVER, call, number, fact.slot, record["extension"], fact.kind, fact.reason)
        reason = fact.reason
        if reason == c.SLOT_TAKEN and ex.policies.slot_taken == c.TAKEN_RETRIEVE:
            meet(ex, call, number, fact.slot)
            return c.MET
        if ex.policies.when_full != c.FULL_OVERFLOW:
            break
    return reason


@inlined
def on_refused(ex: s.Exchange, call: int, reason: int) -> None:
    """Do what follows when no slot was free: ask again later, talk on, overflow, or be lost."""
    record = s.record_of(ex, call)
    attendant = record["extension"]
    record["asked"] += 1
    then = rules.after_lot_full(ex.policies.when_full, record["asked"], ex.policies.retries)
    if then == ASK_AGAIN:
        s.wake(ex, call, ex.state[s.NOW] + ex.policies.retry_after_us, c.RANK_PARK_REQUEST)
    elif then == TALK_ON:
        s.wake(ex, call, ex.state[s.NOW] + s.at(ex, s.TALK, record["parks"], call), c.RANK_TALK_END)
    else:
        record["where"] = life.GONE
        if then == LEAVE:
            s.note(ex, call, attendant, c.LOST, reason)
        else:
            s.note(ex, call, attendant, c.ENDED, c.OVERFLOWED)
        free_attendant(ex, attendant)


@inlined
def on_park_request(ex: s.Exchange, call: int) -> None:
    """PARK_REQUEST: the call gets a slot and its stay's race begins, or it is refused."""
    reason = ask_for_slot(ex, call)
    if reason == c.MET:
        return
    if reason != c.NO_REASON:
        on_refused(ex, call, reason)
        return
    record = s.record_of(ex, call)
    release(ex, call, record["extension"])
    parks = record["parks"] - 1
    retrieval_us = s.at(ex, s.RETRIEVAL, parks, call)
    if ex.policies.recall_to == c.TO_REMINDER:
        record["patience_end_us"] = s.later(ex.state[s.NOW], s.at(ex, s.MAX_IN_PARKING, parks, call))
        record["answer_us"] = c.NEVER
        record["asked"] = record["rings"] = 0
    if ex.policies.fetching != c.FETCH_CALL:
        tell(ex, call, retrieval_us)
        retrieval_us = c.NEVER
    stay_on(ex, call, retrieval_us)


@inlined
def on_announced(ex: s.Exchange, attendant: int) -> None:
    """ANNOUNCED: the attendant who has parked a call is free."""
    s.note(ex, ex.lists[s.OWN_RETURNS + attendant]["announces"], attendant, c.RELEASED, c.NO_REASON)
    free_attendant(ex, attendant)


@inlined
def fetch_ringing(ex: s.Exchange, call: int, member: int) -> None:
    """Fetch a call while its return rings, which frees the parker, and talk with it."""
    record = s.record_of(ex, call)
    parker = record["extension"]
    s.note(ex, call, parker, c.RECALL_UNANSWERED, c.FETCHED)
    free_attendant(ex, parker)
    s.note(ex, call, member, c.RETRIEVED, c.RINGING)
    talk_with_member(ex, call, member)


@inlined
def on_retrieval(ex: s.Exchange, call: int) -> None:
    """RETRIEVAL: a member of the staff takes the call, or the retrieval waits for one while the clocks run.

    While a return rings nobody waits: where no member is free it rings on.
    """
    record = s.record_of(ex, call)
    rings = record["where"] == life.AT_PARKER
    member = c.NOBODY
    if ex.policies.staff != c.UNLIMITED:
        member = s.first_idle(ex, 1)
        if member == c.NOBODY and rings:
            first = rules.first_of_ring(record["patience_end_us"], c.NEVER, record["answer_us"], record["since_us"])
            record["since_us"] = c.NEVER  # nobody comes in a later period
            s.wake(ex, call, first.time_us, first.rank)
            return
        if member == c.NOBODY:
            s.join(ex, s.RETRIEVALS, call)
            stay_on(ex, call, c.NEVER)
            return
        s.set_idle(ex, member, BUSY_NOW)
    if rings:
        fetch_ringing(ex, call, member)
    else:
        fetch(ex, call, member, c.NOBODY)


@inlined
def tell(ex: s.Exchange, call: int, retrieval_us: int) -> None:
    """Let somebody come to whom the number of a call's slot is told now; who was told first dials first."""
    record = s.record_of(ex, call)
    number, bits = ex.state[s.TOLD], ex.told.shape[1] - 1
    ex.state[s.TOLD] = number + 1
    if retrieval_us != c.NEVER:
        place = number & bits
        ex.told[0, place], ex.told[1, place] = record["lot"], record["slot"]
        ex.told[2, place], ex.told[3, place] = call, number
        s.push(ex, ex.state[s.NOW] + retrieval_us, s.key_of(c.RANK_RETRIEVAL, number))
    ex.state[s.TOLD_IS_FULL] = int(ex.told[0, (number + 1) & bits] != c.NOBODY)
    if ex.policies.fetching == c.FETCH_OLDEST:
        ex.places[3, record["lot"], record["slot"]] = ex.state[s.NOW]


@inlined
def on_dial(ex: s.Exchange, number: int) -> None:
    """RETRIEVAL where numbers are dialled: who is in that slot is fetched, or who is parked longest in that lot.

    Where no member of the staff is free, the retrieval of the wanted call, or of the one parked longest, waits for one;
    nobody waits to fetch a stranger.
    """
    place = number & (ex.told.shape[1] - 1)
    lot, slot, wanted = s.wide(ex.told[0, place]), s.wide(ex.told[1, place]), s.wide(ex.told[2, place])
    ex.told[0, place] = c.NOBODY
    if ex.policies.fetching == c.FETCH_OLDEST:
        slot, wanted = rules.longest_parked(s.lot_view(ex, lot), ex.places[3, lot]), s.wide(c.NOBODY)
        if slot == c.NOBODY:
            return
    found = ex.places[0, lot, slot]
    if found == c.NOBODY:
        return
    member = s.wide(c.NOBODY)
    if ex.policies.staff != c.UNLIMITED:
        member = s.first_idle(ex, 1)
        if member == c.NOBODY:
            if wanted in (c.NOBODY, found) and s.record_of(ex, found)["list"] == c.NOBODY:
                s.join(ex, s.RETRIEVALS, found)
                ex.places[3, lot, slot] = c.NEVER
            return
        s.set_idle(ex, member, BUSY_NOW)
    if s.record_of(ex, found)["list"] != c.NOBODY:
        s.leave(ex, found)
    fetch(ex, found, member, wanted)


@inlined
def on_staff_serve(ex: s.Exchange) -> None:
    """STAFF_SERVE: free members fetch the calls whose retrieval waits, first come first served."""
    ex.state[s.STAFF_SERVE_DUE] = 0
    while ex.lists[s.RETRIEVALS]["length"] > 0:
        member = s.first_idle(ex, 1)
        if member == c.NOBODY:
            return
        s.set_idle(ex, member, BUSY_NOW)
        call = ex.lists[s.RETRIEVALS]["first"]
        s.leave(ex, call)
        fetch(ex, call, member, c.NOBODY)


@inlined
def remain(ex: s.Exchange, call: int) -> None:
    """Let a call stay of which its parker has been reminded, until the next of its clocks."""
    record = s.record_of(ex, call)
    retrieval_us = s.at(ex, s.RETRIEVAL, record["parks"] - 1, call)
    if record["list"] != c.NOBODY or ex.policies.fetching != c.FETCH_CALL:
        retrieval_us = c.NEVER
    stay_on(ex, call, retrieval_us)


@inlined
def resume(ex: s.Exchange, call: int) -> bool:
    """Let the parker take a call back of which he was reminded, if he is free; tell whether he is."""
    record = s.record_of(ex, call)
    parker = record["extension"]
    if parker != c.NOBODY:
        if not rules.is_free(ex.idle_us[parker]):
            return False
        s.set_idle(ex, parker, BUSY_NOW)
    if record["list"] != c.NOBODY:
        s.leave(ex, call)
    s.apply(ex, rules.decide_resume(s.lot_view(ex, record["lot"]), s.wide(record["slot"]), ex.state[s.NOW]))
    handle(ex, call, parker)
    return True


@inlined
def remind(ex: s.Exchange, call: int) -> None:
    """Remind the parker of a call; once he would have answered, he takes it back when he is free at a reminder."""
    record = s.record_of(ex, call)
    now_us, again = ex.state[s.NOW], record["asked"] > 0
    deadline_us = ex.places[2, record["lot"], record["slot"]]
    next_us = now_us + ex.policies.remind_every_us
    reason = c.AGAIN if again else c.NO_REASON
    until_us = min(next_us, deadline_us)
    s.write(ex, until_us, call, record["lot"], record["slot"], record["extension"], c.REMINDED, reason)
    record["patience_end_us"] = next_us if next_us < deadline_us else c.NEVER
    if again:
        if record["rings"] and resume(ex, call):
            return
    else:
        record["asked"] = 1
        record["answer_us"] = s.later(now_us, s.at(ex, s.ANSWER, record["parks"] - 1, call))
        ex.state[s.RETURNS] = max(ex.state[s.RETURNS], s.wide(record["parks"]))
    remain(ex, call)


@inlined
def on_answer(ex: s.Exchange, call: int) -> None:
    """ANSWER: the parker answers the return and handles it again, or takes back a call of which he was reminded."""
    record = s.record_of(ex, call)
    if record["where"] == life.IN_SLOT:
        record["answer_us"] = c.NEVER
        record["rings"] = 1
        if not resume(ex, call):
            remain(ex, call)
        return
    attendant = s.record_of(ex, call)["extension"]
    s.note(ex, call, attendant, c.RECALL_ANSWERED, c.NO_REASON)
    handle(ex, call, attendant)


@inlined
def on_expiry(ex: s.Exchange, call: int) -> None:
    """EXPIRY: the time in the lot is up; the call comes back to its parker or to the group, or leaves for elsewhere."""
    record = s.record_of(ex, call)
    now_us = ex.state[s.NOW]
    if ex.policies.recall_to == c.TO_REMINDER and record["patience_end_us"] == now_us:
        remind(ex, call)
        return
    if record["list"] != c.NOBODY:
        s.leave(ex, call)
    fact = rules.decide_expiry(s.lot_view(ex, record["lot"]), s.wide(record["slot"]), call, now_us, now_us)
    s.apply(ex, fact)
    if rules.leaves_at_time_out(ex.policies.recall_to):
        record["where"] = life.GONE
        s.note(ex, call, c.NOBODY, c.ENDED, c.FORWARDED)
        return
    record["patience_end_us"] = s.later(now_us, s.at(ex, s.RECALL_PATIENCE, record["parks"] - 1, call))
    record["extension"] = fact.extension
    record["since_us"] = now_us
    ex.state[s.RETURNS] = max(ex.state[s.RETURNS], s.wide(record["parks"]))
    come_back(ex, call, 0 if ex.policies.recall_to == c.TO_GROUP else 1)


@compiled
def advance(exchange: s.Exchange) -> int:
    """Run until the calendar is empty (``DONE``) or what there is may not do for the next event (``MORE_ROOM``)."""
    ex = held(exchange)
    while True:
        room = s.room_needed(ex)
        ex.state[s.ROOM] = room
        if (
            ex.state[s.ROWS] + room > len(ex.rows)
            or ex.state[s.HEAP] + room > ex.heap.shape[1]
            or ex.state[s.RETURNS] >= ex.state[s.DRAWN_PARKS]
            or ex.state[s.TOLD_IS_FULL]
        ):
            return s.MORE_ROOM
        time_us, key = s.next_event(ex)
        if time_us == s.LATEST:
            return s.DONE
        rank, number = key >> 32, key & 0xFFFFFFFF
        if rank == c.RANK_ARRIVAL and s.record_of(ex, number)["where"] != life.GONE:
            return s.MORE_ROOM  # the record that this call would get still serves another one
        assert time_us >= ex.state[s.NOW]
        ex.state[s.NOW] = time_us
        if rank == c.RANK_ARRIVAL:
            on_arrival(ex)
        elif rank == c.RANK_SERVE:
            serve(ex)
        elif rank == c.RANK_STAFF_SERVE:
            on_staff_serve(ex)
        elif rank == c.RANK_ANNOUNCED:
            on_announced(ex, number)
        elif rank == c.RANK_RETRIEVAL and ex.policies.fetching != c.FETCH_CALL:
            on_dial(ex, number)
        else:
            s.record_of(ex, number)["wake_us"] = c.NEVER  # this wake-up has come; another entry like it would be stale
            if rank == c.RANK_PARK_REQUEST:
                on_park_request(ex, number)
            elif rank == c.RANK_TALK_END:
                on_talk_end(ex, number)
            elif rank == c.RANK_RETRIEVAL:
                on_retrieval(ex, number)
            elif rank == c.RANK_HANGUP:
                on_hangup(ex, number)
            elif rank == c.RANK_EXPIRY:
                on_expiry(ex, number)
            elif rank == c.RANK_ANSWER:
                on_answer(ex, number)
            else:
                assert rank == c.RANK_RING_OUT
                on_ring_out(ex, number)


@compiled
def count_rows(its: tally.Count, rows: Any, many: int) -> None:
    """Count the first ``many`` rows in."""
    for number in range(many):
        row = rows[number]
        counting.count(
            its, row["time_us"], row["call"], row["lot"], row["slot"], row["extension"], row["kind"], row["reason"]
        )


# From outside ----------------------------------------------------------------------------------------------------


def simulate(settings: Settings, workload: Workload) -> Journal:
    """Put ``workload`` through the kernel and return its journal (without header): the rows of ``processes``."""
    rows = _rows(settings, Offered.of(workload))
    del workload  # unless the caller keeps it, it is gone before the journal takes its memory
    return _journal(rows)


def simulate_and_count(
    settings: Settings, workload: Workload, window: tally.Window, target_us: int
) -> tuple[Journal, tally.Tally]:
    """Return the journal of ``workload`` and what it comes to; arguments as those of ``tally_of``."""
    rows = _rows(settings, Offered.of(workload))
    its = tally.new_count(settings, window, target_us, workload.arrival_us)
    count_rows(its, rows, len(rows))
    return _journal(rows), tally.finished(its)


def _rows(settings: Settings, offered: Offered) -> Any:
    """Return the facts, one after the other."""
    ex = s.new_exchange(settings, offered, rows=5 * len(offered.arrival_us) + 256)
    while advance(ex) != s.DONE:
        ex = s.with_room(ex, offered)
    return ex.rows[: ex.state[s.ROWS]]


def _journal(rows: Any) -> Journal:
    return Journal({name: rows[name] for name, _ in COLUMNS})


def tally_of(settings: Settings, offered: Offered, window: tally.Window, target_us: int) -> tally.Tally:
    """Put calls through the kernel and return what they come to; no row is kept longer than it takes to count it.

    Args:
        settings: of the scenario.
        offered: the calls; rows that no call needs are not drawn.
        window: what is counted.
        target_us: the wait within which an answer counts as in time.
    """
    ex = s.new_exchange(settings, offered, rows=ROWS_AT_ONCE)
    its = tally.new_count(settings, window, target_us, ex.arrival_us)
    while advance(ex) != s.DONE:
        if ex.state[s.ROWS] + ex.state[s.ROOM] > ROWS_AT_ONCE:
            count_rows(its, ex.rows, ex.state[s.ROWS])
            ex.state[s.ROWS] = 0
        ex = s.with_room(ex, offered)
    count_rows(its, ex.rows, ex.state[s.ROWS])
    return tally.finished(its)


ROWS_AT_ONCE: Final = 8192
"""A quarter of a megabyte, which a processor keeps at hand."""
