"""The auditor's books and what happens in them: everything that is true after the rows so far, and every event.

``Books`` keep lots, calls, queues and extensions, and the clocks: what is to happen to whom, at a known instant or some
day, and since which turn that has been so. An event writes the facts that the rules demand. ``Books.write`` compares
each with the next row and does all that a fact does by itself, whichever event wrote it; what else an event starts
(clocks, queues) it does itself.

Where the workload is not known, a clock that it would set runs open, and a park takes what the workload would have
told (the call's lot, the longest stay, the number of the random choice) from the row that is to be explained: any row
that some workload would have given passes, any other does not.
"""

import dataclasses
from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from typing import Final, NamedTuple

from parksim.errors import DisagreementError
from parksim.rules import codes as c
from parksim.rules import life, lot, routing
from parksim.rules.lot import Fact, Lot
from parksim.scenario.model import Settings
from parksim.scenario.workload import Workload, columns

Key = tuple[int, int, int]
"""Instant, rank and number (of the call, the extension for ANNOUNCED, 0 for the two SERVEs): the calendar's order."""


class Finding(NamedTuple):
    """The first row that the rules would not have written.

    ``row`` counts from 0 and equals the number of facts, with ``fact`` None, when the journal ends too early.
    """

    row: int
    fact: Fact | None
    why: str

    @property
    def line(self) -> int:
        """The line of a ``.jsonl`` file in which the row stands, from 1; the header is the first."""
        return self.row + 2

    def __str__(self) -> str:
        return f"row {self.row + 1}: {self.why}"


@dataclasses.dataclass(slots=True)
class Call:
    """Where a live call is."""

    state: int
    """A state of ``rules.life``."""
    since_us: int
    """Instant of its last fact."""
    parks: int = 0
    extension: int = c.NOBODY
    """Who has it, lets it ring or fetched it, or did so last."""
    parker: int = c.NOBODY
    lot: int = c.NOBODY
    """The lot it is in or was in last; ``slot`` and ``deadline_us`` likewise."""
    slot: int = c.NOBODY
    deadline_us: int = c.NEVER
    refusals: int = 0
    """Since it was answered."""
    rings: int = 0
    """Periods since its last stay."""
    first_lot: int = c.NOBODY
    """The lot that it asked first, once that is known."""


class Extension(NamedTuple):
    """An attendant or a member of the staff: free since an instant, ``BUSY_NOW`` with a call, or ``OFF_DUTY``."""

    idle_since_us: int
    call: int


class State(NamedTuple):
    """Everything that is true at the end of one instant."""

    time_us: int
    lots: tuple[Lot, ...]
    calls: dict[int, Call]
    """The live calls by number."""
    queue: tuple[int, ...]
    """Calls that wait for any attendant, in the order of joining; so the next two."""
    own_returns: tuple[int, ...]
    """Returns that wait for their parker."""
    group_returns: tuple[int, ...]
    attendants: tuple[Extension, ...]
    """By number; none when they are unlimited. So the staff."""
    staff: tuple[Extension, ...]
    offered: int
    ended: int
    abandoned: int
    lost: int

    @property
    def inside(self) -> int:
        """How many calls are there."""
        return self.offered - self.ended - self.abandoned - self.lost


_WITH_SOMEBODY: Final = frozenset({life.WITH_ATTENDANT, life.WITH_STAFF, life.AT_PARKER})
"""A call in these states makes its extension busy."""
_KEEPS: Final = {
    (c.RECALL_RINGING, c.NO_REASON): {c.RANK_HANGUP, c.RANK_ANSWER},
    (c.RECALL_UNANSWERED, c.AGAIN): {c.RANK_HANGUP, c.RANK_ANSWER},
    (c.RECALL_UNANSWERED, c.LAST): {c.RANK_HANGUP},
}
"""The clocks of a call that keep running; all others stop with any fact of its own."""
_CLOCKS_OF_A_CALL: Final = {*range(len(c.RANK_NAMES))} - {c.RANK_ANNOUNCED, c.RANK_STAFF_SERVE, c.RANK_SERVE}
_STOPPED: Final = (None, 0)

NO_ROW: Final = Fact(c.NEVER, c.NEVER, c.NOBODY, c.NOBODY, c.NOBODY, c.NOBODY, c.OFFERED, c.NO_REASON)
"""Stands where there is no further row."""


class Books:
    """Everything that is true after the rows so far.

    ``drawn`` are the workload's columns, None when it is not known. ``row`` is the row that is to be explained next
    (``NO_ROW`` at the end), with its ``number``.
    """

    def __init__(self, facts: Iterable[Fact], settings: Settings, workload: Workload | None) -> None:
        self._rows = map(Fact._make, facts)
        self.row, self.number = next(self._rows, NO_ROW), 0
        self.settings = settings
        self.drawn = None if workload is None else columns(workload)
        self.now_us = 0
        self.turn = 0  # of the event that happens, counted from 1
        self.rank = c.RANK_ARRIVAL  # of that event
        each_lot = enumerate(zip(settings.slots, settings.choices, strict=True))
        self.lots = [lot.empty_lot(slots, choice, number) for number, (slots, choice) in each_lot]
        self.calls: dict[int, Call] = {}
        self.queue: list[int] = []
        self.own_returns: list[int] = []
        self.group_returns: list[int] = []
        self.retrievals: list[int] = []  # that wait for the staff: known with the workload only
        self.first_member = max(settings.attendants, 0)
        self.duty = routing.on_duty(settings.counts, settings.period_us, 0) if settings.counts else self.first_member
        idle_since_us = [routing.idle_when_freed(one, self.duty, 0) for one in range(self.first_member)]
        idle_since_us += [0] * max(settings.staff, 0)
        self.extensions = [Extension(since_us, c.NOBODY) for since_us in idle_since_us]
        self.counts = {c.OFFERED: 0, c.ENDED: 0, c.ABANDONED: 0, c.LOST: 0}
        self.clocks: dict[tuple[int, int], tuple[int | None, int]] = {}  # (rank, number): when (None: open), since
        self._calendar: list[Key] = []  # the known ones, and some that have stopped
        # When the number on duty changes; not in the calendar before its turn.
        self.change_us = routing.next_change_us(settings.counts, settings.period_us, 0)
        self._told_us = 0  # instant of the last row

    # Clocks ------------------------------------------------------------------------------------------------------

    def put(self, rank: int, number: int, delay_us: int | None) -> None:
        """Start a clock: it rings after ``delay_us``, never (``NEVER``), or some day (None)."""
        if delay_us is None:
            self.clocks[rank, number] = (None, self.turn)
        elif delay_us != c.NEVER:
            due_us = self.now_us + delay_us
            self.clocks[rank, number] = (due_us, self.turn)
            heappush(self._calendar, (due_us, rank, number))

    def head(self) -> Key | None:
        """Return the first known event, after those that have stopped are taken away."""
        while self._calendar:
            time_us, rank, number = self._calendar[0]
            if self.clocks.get((rank, number), _STOPPED)[0] == time_us:
                return self._calendar[0]
            heappop(self._calendar)
        return None

    def of(self, column: str, parks: int, call: int) -> int | None:
        """Return a number of the workload, None without a workload."""
        return None if self.drawn is None else getattr(self.drawn, column)[parks][call]

    # Who is where ------------------------------------------------------------------------------------------------

    def state_of(self, call: int) -> int:
        """Return the state (``rules.life``) of any call, offered or not."""
        if call in self.calls:
            return self.calls[call].state
        return life.GONE if 0 <= call < self.counts[c.OFFERED] else life.BEFORE

    def longest_idle(self, first: int, extensions: int) -> int | None:
        """Return who from ``first`` on is idle longest, NOBODY when they are unlimited, None when all are busy."""
        if extensions == c.UNLIMITED:
            return c.NOBODY
        number = routing.longest_idle([idle_since_us for idle_since_us, _ in self.extensions[first:]], extensions)
        return None if number == c.NOBODY else first + number

    def attendant(self) -> int | None:
        """Return the attendant idle longest."""
        return self.longest_idle(0, self.settings.attendants)

    def member(self) -> int | None:
        """Return the member of the staff idle longest."""
        return self.longest_idle(self.first_member, self.settings.staff)

    def state(self, time_us: int) -> State:
        """Return everything that is true now, as a copy."""
        return State(
            time_us,
            tuple(self.lots),
            {number: dataclasses.replace(call) for number, call in self.calls.items()},
            tuple(self.queue),
            tuple(self.own_returns),
            tuple(self.group_returns),
            tuple(self.extensions[: self.first_member]),
            tuple(self.extensions[self.first_member :]),
            *self.counts.values(),
        )

    # Who is on duty ----------------------------------------------------------------------------------------------

    def change_duty(self) -> None:
        """Let another number of attendants be on duty from now on."""
        counts, period_us, now_us = self.settings.counts, self.settings.period_us, self.now_us
        self.duty = routing.on_duty(counts, period_us, now_us)
        for number, (since_us, call) in enumerate(self.extensions[: self.first_member]):
            self.extensions[number] = Extension(routing.idle_after_change(since_us, number, self.duty, now_us), call)
        self.change_us = routing.next_change_us(counts, period_us, now_us)

    def hand_over_returns(self) -> None:
        """Let the returns whose parker is off duty join the group's."""
        for number in [call for call in self.own_returns if self.duty <= self.calls[call].parker < self.first_member]:
            self.own_returns.remove(number)
            self.group_returns.append(number)

    def put_change(self, first: Key | None) -> None:
        """Put the SERVE of the next change into the calendar, unless ``first`` comes before (None: nothing does)."""
        if self.change_us == c.NEVER or not self._is_awaited(None if first is None else first[0]):
            return
        change = (self.change_us, c.RANK_SERVE, 0)
        if first is None or change <= first:
            self.clocks[c.RANK_SERVE, 0] = (self.change_us, 0)  # it has always stood there
            heappush(self._calendar, change)

    def _is_awaited(self, until_us: int | None) -> bool:
        """Tell whether anything is to come after the next change: by ``until_us`` something is, if that is known.

        Once a whole round of changes has brought no row no further one does, as nothing else happens. So whole rounds
        are left out, but for the last before ``until_us``: it tells who is idle since when.
        """
        round_us = len(self.settings.counts) * self.settings.period_us
        if self.change_us - self._told_us <= round_us:
            return True
        if until_us is not None:
            self.change_us += max((until_us - self.change_us) // round_us - 1, 0) * round_us
        return until_us is not None

    def pass_time(self, until_us: int) -> None:
        """Let the number on duty change until then, where no row tells of anything else."""
        while c.NEVER != self.change_us <= until_us:
            self._is_awaited(until_us)
            self.now_us = self.change_us
            self.change_duty()
            self.hand_over_returns()

    # What any fact does ------------------------------------------------------------------------------------------

    def write(self, fact: Fact) -> None:
        """Compare a fact with the next row, and do what it does, whichever event wrote it."""
        if fact != self.row:
            raise self.disagreement(
                f"the journal breaks off before {told(fact)}"
                if self.row is NO_ROW
                else f"{_difference(fact, self.row)}: {EVENTS[self.rank].law}"
            )
        self.row, self.number = next(self._rows, NO_ROW), self.number + 1
        self._told_us = self.now_us
        if fact.kind == c.RELEASED:
            self._free(fact.extension)
        else:
            self._move(fact, self.calls[fact.call])
        if fact.lot != c.NOBODY:
            self.lots[fact.lot] = lot.evolved(self.lots[fact.lot], fact)
        if fact.kind in self.counts:
            self.counts[fact.kind] += 1

    def note(self, kind: int, call: int, extension: int = c.NOBODY, reason: int = c.NO_REASON) -> None:
        """Write a fact of now that is about no slot."""
        self.write(Fact(self.now_us, c.NEVER, call, c.NOBODY, c.NOBODY, extension, kind, reason))

    def disagreement(self, why: str) -> DisagreementError:
        """Return the error that finds the next row wrong."""
        return DisagreementError(Finding(self.number, None if self.row is NO_ROW else self.row, why))

    def _move(self, fact: Fact, call: Call) -> None:
        """Take a call to its next state: out of its queue, and all clocks stop that do not keep running."""
        before, call.state = call.state, life.after(call.state, fact.kind, fact.reason)
        call.since_us = self.now_us
        for rank in _CLOCKS_OF_A_CALL - _KEEPS.get((fact.kind, fact.reason), set()):
            self.clocks.pop((rank, fact.call), None)
        for line in (self.queue, self.own_returns, self.group_returns, self.retrievals):
            if fact.call in line:
                line.remove(fact.call)
        if call.state == life.GONE:
            del self.calls[fact.call]
        if fact.kind == c.PARKED:
            call.lot, call.slot, call.deadline_us, call.parker = fact.lot, fact.slot, fact.deadline_us, fact.extension
        if call.state in _WITH_SOMEBODY:
            call.extension = fact.extension
            if fact.extension != c.NOBODY:
                self.extensions[fact.extension] = Extension(routing.BUSY_NOW, fact.call)
        elif fact.kind == c.PARKED and fact.extension != c.NOBODY and self.settings.announcement_us > 0:
            self.put(c.RANK_ANNOUNCED, fact.extension, self.settings.announcement_us)
        elif before in _WITH_SOMEBODY and fact.reason != c.AGAIN:
            self._free(fact.extension)

    def _free(self, extension: int) -> None:
        """Let an extension be free, and serve who waits for it."""
        if extension != c.NOBODY:
            attends = extension < self.first_member
            since_us = routing.idle_when_freed(extension, self.duty, self.now_us) if attends else self.now_us
            self.extensions[extension] = Extension(since_us, c.NOBODY)
            self.put(c.RANK_SERVE if attends else c.RANK_STAFF_SERVE, 0, 0)


def _difference(expected: Fact, found: Fact) -> str:
    """Say what differs."""
    if (expected.time_us, expected.call, *expected[6:]) != (found.time_us, found.call, *found[6:]):
        return f"expected {told(expected)}, found {told(found)}"
    each = zip(Fact._fields, expected, found, strict=True)
    wrong = ", ".join(f"expected {name} {one}, found {other}" for name, one, other in each if one != other)
    return f"{wrong}, in {told(expected)}"


def told(fact: Fact) -> str:
    """Return a fact in words."""
    kind = c.KIND_NAMES[fact.kind] if 0 <= fact.kind < len(c.KIND_NAMES) else f"kind {fact.kind}"
    reason = c.REASON_NAMES[fact.reason] if 0 <= fact.reason < len(c.REASON_NAMES) else f"reason {fact.reason}"
    return f"{kind}{f' ({reason})' if reason else ''} of call {fact.call} at {fact.time_us} us"


# What happens to a number: a call, the extension for ANNOUNCED, nobody in particular for the two SERVEs ----------


def offer(books: Books, number: int) -> None:
    """Put the offer of a call into the calendar."""
    if books.drawn is None:
        books.put(c.RANK_ARRIVAL, number, None)
    elif number < len(books.drawn.arrival_us):
        books.put(c.RANK_ARRIVAL, number, books.drawn.arrival_us[number] - books.now_us)


def _hangup(books: Books, number: int) -> None:
    call = books.calls[number]
    if call.state == life.IN_SLOT:
        books.write(lot.decide_hangup(books.lots[call.lot], call.slot, books.now_us))
    elif call.state == life.AT_PARKER:
        books.note(c.ABANDONED, number, call.extension, c.RINGING)
    else:
        books.note(c.ABANDONED, number, reason=c.WAITING if call.state == life.IN_QUEUE else c.RETURNING)


def _talk_end(books: Books, number: int) -> None:
    call = books.calls[number]
    books.note(c.ENDED, number, call.extension, c.AFTER_RETRIEVAL if call.state == life.WITH_STAFF else c.TALKED)


def _announced(books: Books, extension: int) -> None:
    books.note(c.RELEASED, books.extensions[extension].call, extension)


def _staff_serve(books: Books, _: int) -> None:
    while books.retrievals and (member := books.member()) is not None:
        _fetch(books, books.retrievals[0], member)


def _retrieval(books: Books, number: int) -> None:
    member = books.member()
    if member is None:
        books.retrievals.append(number)
    else:
        _fetch(books, number, member)


def _fetch(books: Books, number: int, member: int) -> None:
    call = books.calls[number]
    books.write(lot.decide_unpark(books.lots[call.lot], call.slot, member, books.now_us))
    books.put(c.RANK_TALK_END, number, books.of("staff_talk_us", call.parks - 1, number))


def _answer(books: Books, number: int) -> None:
    _take(books, number, c.RECALL_ANSWERED, books.calls[number].extension)


def _expiry(books: Books, number: int) -> None:
    call = books.calls[number]
    books.write(lot.decide_expiry(books.lots[call.lot], call.slot, number, call.deadline_us, books.now_us))
    call.rings = 0
    books.put(c.RANK_HANGUP, number, books.of("recall_patience_us", call.parks - 1, number))
    (books.own_returns if books.settings.recall_to == c.TO_PARKER else books.group_returns).append(number)
    books.put(c.RANK_SERVE, 0, 0)


def _ring_out(books: Books, number: int) -> None:
    call, settings = books.calls[number], books.settings
    then = routing.after_unanswered(settings.unanswered, call.rings, settings.attempts)
    again = then == routing.RING_AGAIN
    books.note(c.RECALL_UNANSWERED, number, call.extension, c.AGAIN if again else c.LAST)
    if again:
        _ring(books, number, call.extension)
    elif then == routing.LEAVE:
        books.note(c.LOST, number, call.extension, c.UNANSWERED)
    else:
        books.group_returns.append(number)
        books.put(c.RANK_SERVE, 0, 0)


def _ring(books: Books, number: int, parker: int) -> None:
    books.calls[number].rings += 1
    ring_us = books.settings.ring_us
    end_us = c.NEVER if ring_us == c.NEVER else books.now_us + ring_us
    books.write(Fact(books.now_us, end_us, number, c.NOBODY, c.NOBODY, parker, c.RECALL_RINGING, c.NO_REASON))
    books.put(c.RANK_RING_OUT, number, ring_us)


def _serve(books: Books, _: int) -> None:
    """Own returns ring at their parkers; then the group's returns are answered; then new calls.

    Before all that others are on duty, where a period ends; and the group gets the returns of who is off duty.
    """
    if books.now_us == books.change_us:
        books.change_duty()
    books.hand_over_returns()
    for attendant in range(books.first_member) or [c.NOBODY] * len(books.own_returns):
        if attendant == c.NOBODY or routing.is_free(books.extensions[attendant].idle_since_us):
            own = (call for call in books.own_returns if books.calls[call].parker == attendant)
            if (number := next(own, c.NOBODY)) != c.NOBODY:
                _ring(books, number, attendant)
                books.put(c.RANK_ANSWER, number, books.of("answer_us", books.calls[number].parks - 1, number))
    _find_parkers_busy(books)
    for waiting, kind in ((books.group_returns, c.RECALL_ANSWERED), (books.queue, c.ANSWERED)):
        while waiting and (idle := books.attendant()) is not None:
            _take(books, waiting[0], kind, idle)


def _find_parkers_busy(books: Books) -> None:
    then = routing.after_busy(books.settings.busy)
    for number in [] if then == routing.STAY else list(books.own_returns):
        if then == routing.LEAVE:
            books.note(c.LOST, number, reason=c.BUSY)
        else:
            books.own_returns.remove(number)
            books.group_returns.append(number)


def _arrival(books: Books, number: int) -> None:
    books.calls[number] = Call(life.BEFORE, books.now_us)
    books.note(c.OFFERED, number)
    offer(books, number + 1)
    attendant = books.attendant()
    if attendant is not None:
        _take(books, number, c.ANSWERED, attendant)
    elif routing.queue_is_full(len(books.queue), books.settings.queue_limit):
        books.note(c.LOST, number, reason=c.QUEUE_FULL)
    else:
        books.queue.append(number)
        books.put(c.RANK_HANGUP, number, None if books.drawn is None else books.drawn.queue_patience_us[number])


def _take(books: Books, number: int, kind: int, attendant: int) -> None:
    """Let an attendant have the call: a park request follows, or the end; either, where nobody knows."""
    books.note(kind, number, attendant)
    call, drawn = books.calls[number], books.drawn
    call.refusals = 0
    parks, handling_us = call.parks, books.of("handling_us", call.parks, number)
    wants_park = books.of("wants_park", parks, number) if parks < books.settings.max_parks else 0
    if wants_park != 0:
        books.put(c.RANK_PARK_REQUEST, number, handling_us)
    if wants_park != 1:
        end_us = None if drawn is None else drawn.handling_us[parks][number] + drawn.talk_us[parks][number]
        books.put(c.RANK_TALK_END, number, end_us)


def _park_request(books: Books, number: int) -> None:
    """Ask the call's lot and, while the policy is overflow, each lot after it."""
    call, settings = books.calls[number], books.settings
    if call.first_lot == c.NOBODY:
        told_lot = books.row.lot if 0 <= books.row.lot < len(books.lots) else 0
        call.first_lot = told_lot if books.drawn is None else books.drawn.lot[number]
    call.refusals += 1
    then = routing.after_lot_full(settings.when_full, call.refusals, settings.retries)
    for asked in books.lots[call.first_lot :] if then == routing.OVERFLOW else [books.lots[call.first_lot]]:
        fact = _answer_of(asked, books, number)
        books.write(fact)
        if fact.kind == c.PARKED:
            books.put(c.RANK_HANGUP, number, books.of("patience_us", call.parks, number))
            books.put(c.RANK_RETRIEVAL, number, books.of("retrieval_us", call.parks, number))
            books.put(
                c.RANK_EXPIRY, number, c.NEVER if fact.deadline_us == c.NEVER else fact.deadline_us - fact.time_us
            )
            call.parks += 1
            return
    if then == routing.ASK_AGAIN:
        books.put(c.RANK_PARK_REQUEST, number, settings.retry_after_us)
    elif then == routing.TALK_ON:
        books.put(c.RANK_TALK_END, number, books.of("talk_us", call.parks, number))
    elif then == routing.LEAVE:
        books.note(c.LOST, number, call.extension, c.LOT_FULL)
    else:
        books.note(c.ENDED, number, call.extension, c.OVERFLOWED)


def _answer_of(asked: Lot, books: Books, number: int) -> Fact:
    """Return what a lot answers; what the workload would have told is taken from the row that is to be explained."""
    call, drawn, row, slot = books.calls[number], books.drawn, books.row, c.NOBODY
    if drawn is not None:
        limit_us, slot_u = drawn.max_in_parking_us[call.parks][number], drawn.slot_u[call.parks][number]
    else:
        # A stay without any length is nobody's.
        limit_us, slot_u = c.NEVER if row.deadline_us == c.NEVER else max(1, row.deadline_us - books.now_us), 0
        slot = row.slot if asked.choice == c.CHOOSE_RANDOM else c.NOBODY
    return lot.decide_park(asked, number, call.extension, limit_us, slot, slot_u, books.now_us)


class Event(NamedTuple):
    """What happens at one rank."""

    happen: Callable[[Books, int], None]
    begins: tuple[int, ...]
    """The kinds of facts that it can write first; a return that rings is answered by an event of its own."""
    law: str
    """What is broken when another row stands where the event's should."""


EVENTS: Final = (
    Event(_hangup, (c.ABANDONED,), "a caller who hangs up is gone from where it was"),
    Event(_talk_end, (c.ENDED,), "a talk ends the call and frees the person who talked"),
    Event(_announced, (c.RELEASED,), "an announcement ends its time after the park"),
    Event(_staff_serve, (), "retrievals that wait go first come first served to the member idle longest"),
    Event(_retrieval, (c.RETRIEVED,), "a call is fetched from its slot by the member idle longest"),
    Event(_answer, (), "a return is answered where it rings"),
    Event(_expiry, (c.EXPIRED,), "a stay ends at its deadline and the call returns to its parker"),
    Event(_ring_out, (c.RECALL_UNANSWERED,), "a return rings period after period, then goes where nobody answered"),
    Event(
        _serve,
        (c.ANSWERED, c.RECALL_RINGING, c.RECALL_ANSWERED, c.LOST),
        "a free attendant on duty takes own returns, then the group's, then new calls, longest idle first",
    ),
    Event(
        _arrival,
        (c.OFFERED,),
        "a new call is answered by who is idle longest, waits, or is lost where there is no room",
    ),
    Event(
        _park_request,
        (c.REFUSED, c.PARKED),
        "a park takes the slot that the lot's choice gives, and a full lot its policy",
    ),
)
"""By rank."""
