"""Every event of the auditor: it writes into the books the facts that the rules demand."""

from collections.abc import Callable
from typing import Final

from parksim.journal.audit_books import Books, Call
from parksim.rules import codes as c
from parksim.rules import life, lot, routing
from parksim.rules.lot import Fact, Lot

Happening = Callable[[Books, int], None]
EVENTS: Final[dict[int, tuple[Happening, str]]] = {}
"""rank -> what happens to a number (a call; the extension for ANNOUNCED; nobody in particular for the two SERVEs), and
the law that is broken when another row stands where the event's should."""
BEGUN_BY: Final[dict[int, int]] = {}
"""kind -> the event whose first fact it can be; a return that rings is answered by an event of its own."""


def _at(rank: int, law: str, *begins: int) -> Callable[[Happening], Happening]:
    """Enter a function into ``EVENTS``, and the kinds of facts that it can write first into ``BEGUN_BY``."""

    def enter(happening: Happening) -> Happening:
        EVENTS[rank] = happening, law
        BEGUN_BY.update(dict.fromkeys(begins, rank))
        return happening

    return enter


@_at(c.RANK_HANGUP, "a caller who hangs up is gone from where it was", c.ABANDONED)
def _hangup(books: Books, number: int) -> None:
    call = books.calls[number]
    if call.state == life.IN_SLOT:
        books.write(lot.decide_hangup(books.lots[call.lot], call.slot, books.now_us))
    elif call.state == life.AT_PARKER:
        books.note(c.ABANDONED, number, call.extension, c.RINGING)
    else:
        books.note(c.ABANDONED, number, reason=c.WAITING if call.state == life.IN_QUEUE else c.RETURNING)


@_at(c.RANK_TALK_END, "a talk ends the call and frees the person who talked", c.ENDED)
def _talk_end(books: Books, number: int) -> None:
    call = books.calls[number]
    books.note(c.ENDED, number, call.extension, c.AFTER_RETRIEVAL if call.state == life.WITH_STAFF else c.TALKED)


@_at(c.RANK_ANNOUNCED, "an announcement ends its time after the park", c.RELEASED)
def _announced(books: Books, extension: int) -> None:
    books.note(c.RELEASED, books.extensions[extension].call, extension)


@_at(c.RANK_STAFF_SERVE, "retrievals that wait go first come first served to the member idle longest")
def _staff_serve(books: Books, _: int) -> None:
    while books.retrievals and (member := books.idle(staff=True)) is not None:
        call = books.calls[books.retrievals[0]]
        books.write(lot.decide_unpark(books.lots[call.lot], call.slot, member, books.now_us))


@_at(c.RANK_RETRIEVAL, "a call is fetched from its slot by the member idle longest", c.RETRIEVED)
def _retrieval(books: Books, number: int) -> None:
    """From its slot, or from where its return rings; who comes while it waits for its parker finds nobody."""
    if books.dials:
        _dial(books, books.told[number])
        return
    call = books.calls[number]
    if call.state == life.AT_PARKER and (member := books.idle(staff=True)) is not None:
        books.note(c.RECALL_UNANSWERED, number, call.extension, c.FETCHED)
        books.note(c.RETRIEVED, number, member, c.RINGING)
    if call.state != life.IN_SLOT:
        return
    books.retrievals.append(number)
    _staff_serve(books, number)


def _dial(books: Books, told: Fact) -> None:
    """Fetch who is in the slot whose number was told, or who is parked longest in that lot."""
    slot, wanted, here = told.slot, told.call, books.lots[told.lot]
    if books.settings.fetching == c.FETCH_OLDEST:
        awaited = {c.NOBODY, *books.retrievals}
        since_us = [c.NEVER if call in awaited else books.calls[call].since_us for call in here.occupants]
        slot, wanted = lot.longest_parked(here, since_us), c.NOBODY
    found = c.NOBODY if slot == c.NOBODY else here.occupants[slot]
    member = None if found == c.NOBODY else books.idle(staff=True)
    if member is not None:
        books.write(lot.decide_unpark(here, slot, member, books.now_us, wanted))
    elif found != c.NOBODY and wanted in {c.NOBODY, found} and found not in books.retrievals:
        books.retrievals.append(found)


@_at(c.RANK_ANSWER, "a return is answered where it rings")
def _answer(books: Books, number: int) -> None:
    """Or a parker who was reminded of a call takes it back, if he is free."""
    if books.calls[number].state == life.IN_SLOT:
        _resume(books, number)
        return
    books.note(c.RECALL_ANSWERED, number, books.calls[number].extension)


@_at(c.RANK_EXPIRY, "a stay ends at its deadline and the call returns to its parker", c.EXPIRED, c.REMINDED)
def _expiry(books: Books, number: int) -> None:
    call, settings = books.calls[number], books.settings
    if settings.recall_to == c.TO_REMINDER and books.now_us < call.deadline_us:
        _remind(books, number, call)
        return
    books.write(lot.decide_expiry(books.lots[call.lot], call.slot, number, call.deadline_us, books.now_us))
    if routing.leaves_at_time_out(settings.recall_to):
        books.note(c.ENDED, number, reason=c.FORWARDED)


def _remind(books: Books, number: int, call: Call) -> None:
    """Remind the parker; where he would have answered by now, he takes the call back if he is free."""
    settings, now_us = books.settings, books.now_us
    first_us = call.deadline_us - settings.forward_after_us
    until_us = min(now_us + settings.remind_every_us, call.deadline_us)
    reason = c.NO_REASON if now_us == first_us else c.AGAIN
    books.write(Fact(now_us, until_us, number, call.lot, call.slot, call.parker, c.REMINDED, reason))
    if reason == c.AGAIN:
        answer_us, row = books.of("answer_us", number, call.parks - 1), books.row
        would = answer_us is not None and answer_us != c.NEVER and first_us + answer_us <= now_us
        found = (row.time_us, row.call, row.kind, row.reason) == (now_us, number, c.RETRIEVED, c.ON_REMINDER)
        if would or (answer_us is None and found):
            _resume(books, number)


def _resume(books: Books, number: int) -> None:
    call = books.calls[number]
    if call.parker == c.NOBODY or routing.is_free(books.extensions[call.parker].idle_since_us):
        books.write(lot.decide_resume(books.lots[call.lot], call.slot, books.now_us))


@_at(c.RANK_RING_OUT, "a return rings period after period, then goes where nobody answered", c.RECALL_UNANSWERED)
def _ring_out(books: Books, number: int) -> None:
    call, settings = books.calls[number], books.settings
    then = routing.after_unanswered(settings.unanswered, call.rings, settings.attempts)
    again = then == routing.RING_AGAIN
    books.note(c.RECALL_UNANSWERED, number, call.extension, c.AGAIN if again else c.LAST)
    if again:
        _ring(books, number, call.extension)
    elif then == routing.LEAVE:
        books.note(c.LOST, number, call.extension, c.UNANSWERED)


def _ring(books: Books, number: int, parker: int) -> None:
    books.calls[number].rings += 1
    ring_us = books.settings.ring_us
    end_us = c.NEVER if ring_us == c.NEVER else books.now_us + ring_us
    books.write(Fact(books.now_us, end_us, number, c.NOBODY, c.NOBODY, parker, c.RECALL_RINGING, c.NO_REASON))


@_at(
    c.RANK_SERVE,
    "a free attendant on duty takes own returns, then the group's, then new calls, longest idle first",
    *(c.ANSWERED, c.RECALL_RINGING, c.RECALL_ANSWERED, c.LOST),
)
def _serve(books: Books, _: int) -> None:
    """Before all that others are on duty, where a period ends."""
    books.settle_duty()
    for attendant in range(books.first_member) or [c.NOBODY] * len(books.own_returns):
        if attendant == c.NOBODY or routing.is_free(books.extensions[attendant].idle_since_us):
            own = (call for call in books.own_returns if books.calls[call].parker == attendant)
            if (number := next(own, c.NOBODY)) != c.NOBODY:
                _ring(books, number, attendant)
    then = routing.after_busy(books.settings.busy)
    for number in [] if then == routing.STAY else list(books.own_returns):
        if then == routing.LEAVE:
            books.note(c.LOST, number, reason=c.BUSY)
        else:
            books.join_group(number)
    for waiting, kind in ((books.group_returns, c.RECALL_ANSWERED), (books.queue, c.ANSWERED)):
        while waiting and (idle := books.idle()) is not None:
            books.note(kind, waiting[0], idle)


@_at(
    c.RANK_ARRIVAL, "a new call is answered by who is idle longest, waits, or is lost where there is no room", c.OFFERED
)
def _arrival(books: Books, number: int) -> None:
    books.calls[number] = Call(life.BEFORE, books.now_us)
    books.note(c.OFFERED, number)
    attendant = books.idle()
    if attendant is not None:
        books.note(c.ANSWERED, number, attendant)
    elif routing.queue_is_full(len(books.queue) - 1, books.settings.queue_limit):
        books.note(c.LOST, number, reason=c.QUEUE_FULL)


@_at(
    c.RANK_PARK_REQUEST,
    "a park takes the slot that the lot's choice gives, and a full lot its policy",
    *(c.REFUSED, c.PARKED),
)
def _park_request(books: Books, number: int) -> None:
    """Ask the call's lot and, while the policy is overflow, each lot after it."""
    call, settings = books.calls[number], books.settings
    if call.first_lot == c.NOBODY:
        drawn = books.of("lot", number, 0)
        found = books.row.lot if 0 <= books.row.lot < len(books.lots) else 0
        call.first_lot = found if drawn is None else drawn
    call.refusals += 1
    then = routing.after_lot_full(settings.when_full, call.refusals, settings.retries)
    for asked in books.lots[call.first_lot :] if then == routing.OVERFLOW else [books.lots[call.first_lot]]:
        fact = _answer_of(asked, books, number)
        books.write(fact)
        if fact.kind == c.PARKED:
            return
        if fact.reason == c.SLOT_TAKEN and settings.slot_taken == c.TAKEN_RETRIEVE:
            met = lot.decide_meeting(books.lots[fact.lot], fact.slot, call.extension, books.now_us)
            books.write(met)
            books.note(c.LOST, met.call, reason=c.MET)
            books.note(c.LOST, number, call.extension, c.MET)
            return
    if then == routing.ASK_AGAIN:
        books.put(c.RANK_PARK_REQUEST, number, settings.retry_after_us)
    elif then == routing.TALK_ON:
        books.put(c.RANK_TALK_END, number, books.of("talk_us", number, call.parks))
    elif then == routing.LEAVE:
        books.note(c.LOST, number, call.extension, fact.reason)
    else:
        books.note(c.ENDED, number, call.extension, c.OVERFLOWED)


def _answer_of(asked: Lot, books: Books, number: int) -> Fact:
    """Return what a lot answers; what the workload would have told is taken from the row that is to be explained."""
    call, row, slot, settings = books.calls[number], books.row, c.NOBODY, books.settings
    limit_us, slot_u = (books.of(column, number, call.parks) for column in ("max_in_parking_us", "slot_u"))
    if limit_us is None:
        limit_us = c.NEVER if row.deadline_us == c.NEVER else max(1, row.deadline_us - books.now_us)  # at least 1 us
        at_random = settings.slot_asked == c.SLOT_CHOSEN or asked.choice == c.CHOOSE_RANDOM
        slot = row.slot if at_random else c.NOBODY
    else:
        limit_us = routing.longest_stay(limit_us, settings.recall_to, settings.forward_after_us)
    has_own = settings.slot_asked == c.SLOT_OWN and 0 <= call.extension < asked.slots
    if has_own or slot_u is not None:
        slot = lot.slot_to_ask_for(asked, settings.slot_asked, call.extension, slot_u or 0)
    taken = settings.slot_taken if has_own else c.TAKEN_NEXT
    return lot.decide_park(asked, number, call.extension, limit_us, slot, slot_u or 0, books.now_us, taken)
