"""What happens, told for the auditor: each event yields the facts that the rules write, one after the other.

An event is a generator over ``Books``. Every fact it yields is compared with the row found and recorded before the
event continues, so each sees the effects of the one before. What else an event starts (clocks, queues) it does itself.

Where the workload is not known, a clock that it would set runs open, and a park takes what the workload would have
told (the call's lot, the longest stay, the number of the random choice) from the row that is to be explained: any row
that some workload would have given passes, any other does not.
"""

from collections.abc import Callable, Iterator
from typing import Final

from parksim.journal.audit_books import Books, Call
from parksim.rules import codes as c
from parksim.rules import life, routing
from parksim.rules.lot import (
    Fact,
    Lot,
    decide_expiry,
    decide_hangup,
    decide_park,
    decide_unpark,
    free_slots,
    nth_free,
)

Facts = Iterator[Fact]


def offer(books: Books, number: int) -> None:
    """Put the offer of a call into the calendar, where it has always stood."""
    if books.drawn is None:
        books.clocks[c.RANK_ARRIVAL, number] = (None, 0)
    elif number < len(books.drawn["arrival_us"]):
        books.put(c.RANK_ARRIVAL, number, books.drawn["arrival_us"][number] - books.now_us)


def _hangup(books: Books, number: int) -> Facts:
    call = books.calls[number]
    if call.state == life.IN_SLOT:
        yield decide_hangup(books.lots[call.lot], call.slot, books.now_us)
    elif call.state == life.AT_PARKER:
        yield _fact(books, c.ABANDONED, number, call.extension, c.RINGING)
    else:
        yield _fact(books, c.ABANDONED, number, c.NOBODY, c.WAITING if call.state == life.IN_QUEUE else c.RETURNING)


def _talk_end(books: Books, number: int) -> Facts:
    call = books.calls[number]
    yield _fact(
        books, c.ENDED, number, call.extension, c.AFTER_RETRIEVAL if call.state == life.WITH_STAFF else c.TALKED
    )


def _announced(books: Books, extension: int) -> Facts:
    yield _fact(books, c.RELEASED, books.announcing[extension], extension)


def _staff_serve(books: Books, _: int) -> Facts:
    while books.retrievals and (member := books.idle_member()) is not None:
        yield from _fetch(books, books.retrievals[0], member)


def _retrieval(books: Books, number: int) -> Facts:
    member = books.idle_member()
    if member is None:
        books.join(books.retrievals, number)
    else:
        yield from _fetch(books, number, member)


def _fetch(books: Books, number: int, member: int) -> Facts:
    call = books.calls[number]
    yield decide_unpark(books.lots[call.lot], call.slot, member, books.now_us)
    books.put(c.RANK_TALK_END, number, books.of("staff_talk_us", number, call.parks - 1))


def _answer(books: Books, number: int) -> Facts:
    yield _fact(books, c.RECALL_ANSWERED, number, books.calls[number].extension)
    _handle(books, number)


def _expiry(books: Books, number: int) -> Facts:
    call = books.calls[number]
    yield decide_expiry(books.lots[call.lot], call.slot, number, call.deadline_us, books.now_us)
    call.rings = 0
    books.put(c.RANK_HANGUP, number, books.of("recall_patience_us", number, call.parks - 1))
    books.join(books.own_returns if books.settings.recall_to == c.TO_PARKER else books.group_returns, number)
    books.put(c.RANK_SERVE, 0, 0)


def _ring_out(books: Books, number: int) -> Facts:
    call, settings = books.calls[number], books.settings
    then = routing.after_unanswered(settings.unanswered, call.rings, settings.attempts)
    yield _fact(books, c.RECALL_UNANSWERED, number, call.extension, c.AGAIN if then == routing.RING_AGAIN else c.LAST)
    if then == routing.RING_AGAIN:
        yield from _ring(books, number, call.extension)
    elif then == routing.LEAVE:
        yield _fact(books, c.LOST, number, call.extension, c.UNANSWERED)
    else:
        books.join(books.group_returns, number)
        books.put(c.RANK_SERVE, 0, 0)


def _ring(books: Books, number: int, parker: int) -> Facts:
    ring_us = books.settings.ring_us
    books.calls[number].rings += 1
    yield _fact(books, c.RECALL_RINGING, number, parker)._replace(
        deadline_us=c.NEVER if ring_us == c.NEVER else books.now_us + ring_us
    )
    books.put(c.RANK_RING_OUT, number, ring_us)


def _serve(books: Books, _: int) -> Facts:
    """Own returns ring at their parkers; then the group's returns are answered; then new calls.

    Before all that others are on duty, where a period ends; and the group gets the returns of who is off duty.
    """
    if books.now_us == books.change_us:
        books.change_duty()
    books.hand_over_returns()
    for attendant in range(books.first_member) or [c.NOBODY] * len(books.own_returns):
        if attendant == c.NOBODY or routing.is_free(books.idle_since_us[attendant]):
            own = (call for call in books.own_returns if books.calls[call].parker == attendant)
            if (number := next(own, c.NOBODY)) != c.NOBODY:
                yield from _ring(books, number, attendant)
                books.put(c.RANK_ANSWER, number, books.of("answer_us", number, books.calls[number].parks - 1))
    yield from _find_parkers_busy(books)
    for waiting, kind in ((books.group_returns, c.RECALL_ANSWERED), (books.queue, c.ANSWERED)):
        while waiting and (idle := books.idle_attendant()) is not None:
            number = waiting[0]
            yield _fact(books, kind, number, idle)
            _handle(books, number)


def _find_parkers_busy(books: Books) -> Facts:
    then = routing.after_busy(books.settings.busy)
    for number in [] if then == routing.STAY else list(books.own_returns):
        if then == routing.LEAVE:
            yield _fact(books, c.LOST, number, c.NOBODY, c.BUSY)
        else:
            books.own_returns.remove(number)
            books.join(books.group_returns, number)


def _arrival(books: Books, number: int) -> Facts:
    books.calls[number] = Call(life.BEFORE, books.now_us)
    yield _fact(books, c.OFFERED, number, c.NOBODY)
    offer(books, number + 1)
    attendant = books.idle_attendant()
    if attendant is not None:
        yield _fact(books, c.ANSWERED, number, attendant)
        _handle(books, number)
    elif routing.queue_is_full(len(books.queue), books.settings.queue_limit):
        yield _fact(books, c.LOST, number, c.NOBODY, c.QUEUE_FULL)
    else:
        books.join(books.queue, number)
        books.put(c.RANK_HANGUP, number, None if books.drawn is None else books.drawn["queue_patience_us"][number])


def _handle(books: Books, number: int) -> None:
    """An attendant has the call: a park request follows, or the end."""
    call, drawn = books.calls[number], books.drawn
    call.refusals = 0
    may_park = call.parks < books.settings.max_parks
    if drawn is None:
        books.put(c.RANK_TALK_END, number, None)
        if may_park:
            books.put(c.RANK_PARK_REQUEST, number, None)
    elif may_park and drawn["wants_park"][call.parks][number]:
        books.put(c.RANK_PARK_REQUEST, number, drawn["handling_us"][call.parks][number])
    else:
        books.put(
            c.RANK_TALK_END, number, drawn["handling_us"][call.parks][number] + drawn["talk_us"][call.parks][number]
        )


def _park_request(books: Books, number: int) -> Facts:
    """Ask the call's lot and, while the policy is overflow, each lot after it."""
    call, settings = books.calls[number], books.settings
    call.refusals += 1
    then = routing.after_lot_full(settings.when_full, call.refusals, settings.retries)
    lots = books.lots[_first_lot(books, number) :]
    for lot in lots if then == routing.OVERFLOW else lots[:1]:
        limit_us, slot_u = _limit(books, number), _slot_u(books, lot, number)
        fact = decide_park(lot, number, call.extension, limit_us, c.NOBODY, slot_u, books.now_us)
        yield fact
        if fact.kind == c.PARKED:
            _begin_stay(books, number, limit_us)
            return
    if then == routing.ASK_AGAIN:
        books.put(c.RANK_PARK_REQUEST, number, settings.retry_after_us)
    elif then == routing.TALK_ON:
        books.put(c.RANK_TALK_END, number, books.of("talk_us", number, call.parks))
    elif then == routing.LEAVE:
        yield _fact(books, c.LOST, number, call.extension, c.LOT_FULL)
    else:
        yield _fact(books, c.ENDED, number, call.extension, c.OVERFLOWED)


def _begin_stay(books: Books, number: int, limit_us: int) -> None:
    call = books.calls[number]
    books.put(c.RANK_HANGUP, number, books.of("patience_us", number, call.parks))
    books.put(c.RANK_RETRIEVAL, number, books.of("retrieval_us", number, call.parks))
    books.put(c.RANK_EXPIRY, number, limit_us)
    call.parks += 1


EVENTS: Final[dict[int, Callable[[Books, int], Facts]]] = {
    c.RANK_HANGUP: _hangup,
    c.RANK_TALK_END: _talk_end,
    c.RANK_ANNOUNCED: _announced,
    c.RANK_STAFF_SERVE: _staff_serve,
    c.RANK_RETRIEVAL: _retrieval,
    c.RANK_ANSWER: _answer,
    c.RANK_EXPIRY: _expiry,
    c.RANK_RING_OUT: _ring_out,
    c.RANK_SERVE: _serve,
    c.RANK_ARRIVAL: _arrival,
    c.RANK_PARK_REQUEST: _park_request,
}
"""rank -> what happens to a number (a call; the extension for ANNOUNCED; nobody in particular for the two SERVEs)."""

LAWS: Final = {
    c.RANK_HANGUP: "a caller who hangs up is gone from where it was",
    c.RANK_TALK_END: "a talk ends the call and frees the person who talked",
    c.RANK_ANNOUNCED: "an announcement ends its time after the park",
    c.RANK_STAFF_SERVE: "retrievals that wait go first come first served to the member idle longest",
    c.RANK_RETRIEVAL: "a call is fetched from its slot by the member idle longest",
    c.RANK_ANSWER: "a return is answered where it rings",
    c.RANK_EXPIRY: "a stay ends at its deadline and the call returns to its parker",
    c.RANK_RING_OUT: "a return rings period after period, then goes where nobody answered",
    c.RANK_SERVE: "a free attendant on duty takes own returns, then the group's, then new calls, longest idle first",
    c.RANK_ARRIVAL: "a new call is answered by who is idle longest, waits, or is lost where there is no room",
    c.RANK_PARK_REQUEST: "a park takes the slot that the lot's choice gives, and a full lot its policy",
}
"""rank -> the law that is broken when another row stands where the event's should."""


def _fact(books: Books, kind: int, call: int, extension: int, reason: int = c.NO_REASON) -> Fact:
    """Return a fact of now that is about no slot."""
    return Fact(books.now_us, c.NEVER, call, c.NOBODY, c.NOBODY, extension, kind, reason)


# What a park takes from the workload, or else from the row that is to be explained.


def _first_lot(books: Books, number: int) -> int:
    call = books.calls[number]
    if call.first_lot == c.NOBODY:
        if books.drawn is not None:
            call.first_lot = books.drawn["lot"][number]
        else:
            call.first_lot = books.row.lot if 0 <= books.row.lot < len(books.lots) else 0
    return call.first_lot


def _limit(books: Books, number: int) -> int:
    drawn_us = books.of("max_in_parking_us", number, books.calls[number].parks)
    if drawn_us is not None:
        return drawn_us
    if books.row.deadline_us == c.NEVER:
        return c.NEVER
    return max(1, books.row.deadline_us - books.now_us)  # a stay without any length is nobody's


def _slot_u(books: Books, lot: Lot, number: int) -> int:
    drawn = books.of("slot_u", number, books.calls[number].parks)
    if drawn is not None:
        return drawn
    if lot.choice != c.CHOOSE_RANDOM:
        return 0
    free = [nth_free(lot, nth) for nth in range(free_slots(lot))]
    return free.index(books.row.slot) if books.row.slot in free else 0
