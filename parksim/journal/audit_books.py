"""The auditor's books: everything that is true after the rows so far.

``Books`` keep lots, calls, queues and extensions, and the clocks: what is to happen to whom, at a known instant or some
day, and since which turn that has been so. ``Books.write`` compares each fact that an event writes with the next row
and does what follows from it, whichever event wrote it: queues, clocks, who is busy.

Where the workload is not known, a park takes what it would have told (the call's lot, the longest stay, the slot of the
random choice) from the row that is to be explained.
"""

import dataclasses
from collections.abc import Iterable
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
    (c.REMINDED, c.NO_REASON): {c.RANK_HANGUP, c.RANK_RETRIEVAL},
    (c.REMINDED, c.AGAIN): {c.RANK_HANGUP, c.RANK_RETRIEVAL, c.RANK_ANSWER},
    (c.RECALL_RINGING, c.NO_REASON): {c.RANK_HANGUP, c.RANK_RETRIEVAL, c.RANK_ANSWER},
    (c.RECALL_UNANSWERED, c.AGAIN): {c.RANK_HANGUP, c.RANK_RETRIEVAL, c.RANK_ANSWER},
    (c.RECALL_UNANSWERED, c.LAST): {c.RANK_HANGUP},
}
"""The clocks of a call that keep running; all others stop with any fact of its own."""
_STARTS: Final = {
    c.OFFERED: {c.RANK_HANGUP: "queue_patience_us"},
    c.PARKED: {c.RANK_HANGUP: "patience_us", c.RANK_RETRIEVAL: "retrieval_us"},
    c.RETRIEVED: {c.RANK_TALK_END: "staff_talk_us"},
    c.EXPIRED: {c.RANK_HANGUP: "recall_patience_us"},
    c.RECALL_RINGING: {c.RANK_ANSWER: "answer_us"},
    c.REMINDED: {c.RANK_ANSWER: "answer_us"},
}
"""The clocks that a fact starts, unless they run, with the workload's column; the one of its deadline comes on top."""
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
        self.law = ""  # that is broken when another row stands where the event's should
        each_lot = enumerate(zip(settings.slots, settings.choices, strict=True))
        self.lots = [lot.empty_lot(slots, choice, number) for number, (slots, choice) in each_lot]
        self.calls: dict[int, Call] = {}
        self.queue: list[int] = []
        self.own_returns: list[int] = []
        self.group_returns: list[int] = []
        self.retrievals: list[int] = []  # that wait for the staff: known with the workload only
        self._lines = {
            life.IN_QUEUE: (self.queue,),
            life.IN_SLOT: (self.retrievals,),
            life.ON_RETURN: (self.own_returns, self.group_returns),
        }
        self.first_member = max(settings.attendants, 0)
        self.duty = routing.on_duty(settings.counts, settings.period_us, 0) if settings.counts else self.first_member
        idle_since_us = [routing.idle_when_freed(one, self.duty, 0) for one in range(self.first_member)]
        idle_since_us += [0] * max(settings.staff, 0)
        self.extensions = [Extension(since_us, c.NOBODY) for since_us in idle_since_us]
        self.counts = {c.OFFERED: 0, c.ENDED: 0, c.ABANDONED: 0, c.LOST: 0}
        self.clocks: dict[tuple[int, int], tuple[int | None, int]] = {}  # (rank, number): when (None: open), since
        self._calendar: list[Key] = []  # the known ones, and some that have stopped
        self.change_us = routing.next_change_us(settings.counts, settings.period_us, 0)  # of the number on duty
        self._told_us = 0  # instant of the last row
        self.dials = settings.fetching != c.FETCH_CALL
        self.told: list[Fact] = []  # the parks, where the number of the slot is told and dialled later: by number
        self._tellers: dict[object, list[int]] = {}  # call, (lot, slot) or (lot,) -> those of them

    # Clocks ------------------------------------------------------------------------------------------------------

    def put(self, rank: int, number: int, delay_us: int | None) -> None:
        """Start a clock: it rings after ``delay_us``, never (``NEVER``), or some day (None)."""
        if delay_us is None:
            self.clocks[rank, number] = (None, self.turn)
        elif delay_us != c.NEVER:
            due_us = self.now_us + delay_us
            self.clocks[rank, number] = (due_us, self.turn)
            heappush(self._calendar, (due_us, rank, number))

    def head(self, other: Key | None = None) -> Key | None:
        """Return the first known event: of the calendar, or a change of the number on duty before it and ``other``."""
        while self._calendar and self.clocks.get(self._calendar[0][1:], _STOPPED)[0] != self._calendar[0][0]:
            heappop(self._calendar)
        head = self._calendar[0] if self._calendar else None
        first = head if other is None else min(head or other, other)
        if self.change_us == c.NEVER or not self._change_matters(first):
            return head
        change = (self.change_us, c.RANK_SERVE, 0)
        if first is not None and first < change:
            return head
        self.clocks[c.RANK_SERVE, 0] = (self.change_us, 0)  # it has always stood there
        return change

    def of(self, column: str, number: int, parks: int) -> int | None:
        """Return a number of the workload, None without a workload."""
        drawn = None if self.drawn is None else getattr(self.drawn, column)
        return None if drawn is None else drawn[parks][number] if isinstance(drawn, list) else drawn[number]

    def tellers(self, fact: Fact) -> list[int]:
        """Return the parks after which somebody may still come who fetches the call of ``fact``, by number."""
        key: object = (fact.lot, fact.slot)
        if self.settings.fetching == c.FETCH_OLDEST:
            key = (fact.lot,)
        elif fact.reason == c.NO_REASON:
            key = fact.call
        numbers = self._tellers[key] = [
            one for one in self._tellers.get(key, ()) if (c.RANK_RETRIEVAL, one) in self.clocks
        ]
        if key == fact.call:
            return [one for one in numbers if self.told[one][3:5] == fact[3:5]]
        if key == (fact.lot,):
            return numbers
        return [one for one in numbers if self.told[one].call != fact.call]

    def offer(self, number: int) -> None:
        """Put the offer of a call into the calendar."""
        if self.drawn is None or number < len(self.drawn.arrival_us):
            arrival_us = self.of("arrival_us", number, 0)
            self.put(c.RANK_ARRIVAL, number, None if arrival_us is None else arrival_us - self.now_us)

    # Who is where ------------------------------------------------------------------------------------------------

    def state_of(self, call: int) -> int:
        """Return the state (``rules.life``) of any call, offered or not."""
        if call in self.calls:
            return self.calls[call].state
        return life.GONE if 0 <= call < self.counts[c.OFFERED] else life.BEFORE

    def idle(self, *, staff: bool = False) -> int | None:
        """Return the attendant (or member) idle longest, NOBODY when they are unlimited, None when all are busy."""
        first, extensions = (self.first_member, self.settings.staff) if staff else (0, self.settings.attendants)
        if extensions == c.UNLIMITED:
            return c.NOBODY
        number = routing.longest_idle([idle_since_us for idle_since_us, _ in self.extensions[first:]], extensions)
        return None if number == c.NOBODY else first + number

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

    def settle_duty(self) -> None:
        """Let others be on duty, if that changes now, and the group have the returns of parkers who are off duty."""
        counts, period_us, now_us = self.settings.counts, self.settings.period_us, self.now_us
        if now_us == self.change_us:
            self.duty = routing.on_duty(counts, period_us, now_us)
            for number, (since_us, call) in enumerate(self.extensions[: self.first_member]):
                idle_since_us = routing.idle_after_change(since_us, number, self.duty, now_us)
                self.extensions[number] = Extension(idle_since_us, call)
            self.change_us = routing.next_change_us(counts, period_us, now_us)
        for number in [call for call in self.own_returns if self.duty <= self.calls[call].parker < self.first_member]:
            self.join_group(number)

    def join_group(self, number: int) -> None:
        """Make a return of a parker's one of the group's."""
        self.own_returns.remove(number)
        self.group_returns.append(number)

    def _change_matters(self, first: Key | None) -> bool:
        """Tell whether the next change may do anything; ``first`` is what else comes first, if anything does.

        Once a whole round of changes has brought no row no further one does, as nothing else happens. So whole rounds
        are left out, but for the last before ``first``: it tells who is idle since when.
        """
        round_us = len(self.settings.counts) * self.settings.period_us
        quiet = self.change_us - self._told_us > round_us
        if quiet and first is not None:
            self.change_us += max((first[0] - self.change_us) // round_us - 1, 0) * round_us
        return not quiet or first is not None

    def pass_time(self, until_us: int) -> None:
        """Let the number on duty change until then, where no row tells of anything else."""
        while c.NEVER != self.change_us <= until_us:
            self._change_matters((until_us, c.RANK_SERVE, 0))
            self.now_us = self.change_us
            self.settle_duty()

    # What any fact does ------------------------------------------------------------------------------------------

    def write(self, fact: Fact) -> None:
        """Compare a fact with the next row, and do what follows from it."""
        if fact != self.row:
            breaks_off = f"the journal breaks off before {told(fact)}"
            differs = f"{_difference(fact, self.row)}: {self.law}"
            raise self.disagreement(breaks_off if self.row is NO_ROW else differs)
        self.row, self.number = next(self._rows, NO_ROW), self.number + 1
        self._told_us = self.now_us
        if fact.lot != c.NOBODY:
            self.lots[fact.lot] = lot.evolved(self.lots[fact.lot], fact)
        if fact.kind in self.counts:
            self.counts[fact.kind] += 1
        if fact.kind == c.RELEASED:
            self._free(fact.extension)
        elif fact.kind == c.REMINDED:
            self._set_clocks(fact, self.calls[fact.call])
        else:
            call = self.calls[fact.call]
            before, call.state = call.state, life.after(call.state, fact.kind, fact.reason)
            call.since_us = self.now_us
            self._move(fact, call, before)
            self._set_clocks(fact, call)
            self._occupy(fact, call, before)

    def note(self, kind: int, call: int, extension: int = c.NOBODY, reason: int = c.NO_REASON) -> None:
        """Write a fact of now that is about no slot."""
        self.write(Fact(self.now_us, c.NEVER, call, c.NOBODY, c.NOBODY, extension, kind, reason))

    def disagreement(self, why: str) -> DisagreementError:
        """Return the error that finds the next row wrong."""
        return DisagreementError(Finding(self.number, None if self.row is NO_ROW else self.row, why))

    def _move(self, fact: Fact, call: Call, before: int) -> None:
        """Take a call out of the line in which it stands, and let it join the next."""
        for line in self._lines.get(before, ()):
            if fact.call in line:
                line.remove(fact.call)
        if call.state == life.GONE:
            del self.calls[fact.call]
        elif call.state == life.IN_QUEUE:
            self.queue.append(fact.call)
        elif call.state == life.IN_SLOT:
            call.lot, call.slot, call.deadline_us, call.parker = fact.lot, fact.slot, fact.deadline_us, fact.extension
            call.parks += 1
        elif call.state == life.ON_RETURN and fact.reason not in {c.AGAIN, c.FETCHED}:
            comes_back = fact.kind == c.EXPIRED  # from the lot, not from a parker who did not answer
            call.rings = 0 if comes_back else call.rings
            own = comes_back and self.settings.recall_to == c.TO_PARKER
            (self.own_returns if own else self.group_returns).append(fact.call)
            self.put(c.RANK_SERVE, 0, 0)

    def _set_clocks(self, fact: Fact, call: Call) -> None:
        """Stop the clocks of a call that do not keep running, and start others."""
        number = fact.call
        kept = _KEEPS.get((fact.kind, fact.reason), set())
        if self.dials:
            kept = kept | {c.RANK_RETRIEVAL}  # which has the number of a park, not of a call
        if fact.kind == c.EXPIRED and self.settings.retrievable:
            kept = {c.RANK_RETRIEVAL}
        for rank in _CLOCKS_OF_A_CALL - kept:
            self.clocks.pop((rank, number), None)
        starts = {} if fact.reason == c.ON_REMINDER else _STARTS.get(fact.kind, {})  # that is handled, as an answer is
        for rank, column in starts.items():
            if rank == c.RANK_RETRIEVAL and self.dials:
                self.put(rank, len(self.told), self.of(column, number, call.parks - 1))
                for key in (number, (fact.lot, fact.slot), (fact.lot,)):
                    self._tellers.setdefault(key, []).append(len(self.told))
                self.told.append(fact)
            elif (rank, number) not in self.clocks and (fact.kind, fact.reason) != (c.REMINDED, c.AGAIN):
                self.put(rank, number, self.of(column, number, call.parks - 1))
        if fact.deadline_us != c.NEVER:
            rank = c.RANK_EXPIRY if fact.kind in {c.PARKED, c.REMINDED} else c.RANK_RING_OUT
            first_us = fact.deadline_us  # that of a park is the last, where reminders come before
            if fact.kind == c.PARKED and self.settings.recall_to == c.TO_REMINDER:
                first_us -= self.settings.forward_after_us
            self.put(rank, number, first_us - self.now_us)
        if fact.kind == c.OFFERED:
            self.offer(number + 1)
        elif (
            fact.kind in {c.ANSWERED, c.RECALL_ANSWERED} or fact.reason == c.ON_REMINDER
        ):  # a park request follows, or the end; who knows?
            call.refusals = 0
            handling_us, talk_us = self.of("handling_us", number, call.parks), self.of("talk_us", number, call.parks)
            wants_park = self.of("wants_park", number, call.parks) if call.parks < self.settings.max_parks else 0
            if wants_park != 0:
                self.put(c.RANK_PARK_REQUEST, number, handling_us)
            if wants_park != 1:
                end_us = None if handling_us is None or talk_us is None else handling_us + talk_us
                self.put(c.RANK_TALK_END, number, end_us)

    def _occupy(self, fact: Fact, call: Call, before: int) -> None:
        """Make an extension busy or free, or let it announce what it has parked."""
        extension = fact.extension
        if call.state in _WITH_SOMEBODY:
            call.extension = extension
            if extension != c.NOBODY:
                self.extensions[extension] = Extension(routing.BUSY_NOW, fact.call)
        elif fact.kind == c.PARKED and extension != c.NOBODY and self.settings.announcement_us > 0:
            self.put(c.RANK_ANNOUNCED, extension, self.settings.announcement_us)
        elif before in _WITH_SOMEBODY and fact.reason != c.AGAIN:
            self._free(extension)

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
