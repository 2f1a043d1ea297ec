"""The auditor's books: everything that is true after the rows so far, and what any fact does to it.

``Books`` keep lots, calls, queues and extensions, and the clocks: what is to happen to whom, at a known instant or some
day, and since which turn that has been so. ``record`` is all that a fact does by itself, whichever event wrote it;
what an event does besides stands in ``audit_events``.
"""

import dataclasses
from heapq import heappop, heappush
from typing import Final, NamedTuple

from parksim.rules import codes as c
from parksim.rules import life, routing
from parksim.rules.lot import Fact, Lot, empty_lot, evolved
from parksim.scenario.model import Settings
from parksim.scenario.workload import Workload

Key = tuple[int, int, int]
"""Instant, rank and number (of the call, the extension for ANNOUNCED, 0 for the two SERVEs): the calendar's order."""


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


_SEIZES: Final = frozenset({c.ANSWERED, c.RETRIEVED, c.RECALL_RINGING, c.RECALL_ANSWERED})
"""What makes the extension of the row busy."""
_FREES: Final = frozenset(
    {
        (c.PARKED, c.NO_REASON),
        (c.RELEASED, c.NO_REASON),
        (c.RECALL_UNANSWERED, c.LAST),
        (c.ABANDONED, c.RINGING),
        (c.ENDED, c.TALKED),
        (c.ENDED, c.AFTER_RETRIEVAL),
        (c.ENDED, c.OVERFLOWED),
        (c.LOST, c.LOT_FULL),
    }
)
"""What makes it free; PARKED only where nothing is announced."""

_KEEPS: Final = {
    (c.RECALL_RINGING, c.NO_REASON): frozenset({c.RANK_HANGUP, c.RANK_ANSWER}),
    (c.RECALL_UNANSWERED, c.AGAIN): frozenset({c.RANK_HANGUP, c.RANK_ANSWER}),
    (c.RECALL_UNANSWERED, c.LAST): frozenset({c.RANK_HANGUP}),
}
"""The clocks of a call that keep running; all others stop with any fact of its own."""
_CLOCKS_OF_A_CALL: Final = (
    c.RANK_HANGUP,
    c.RANK_TALK_END,
    c.RANK_RETRIEVAL,
    c.RANK_ANSWER,
    c.RANK_EXPIRY,
    c.RANK_RING_OUT,
    c.RANK_PARK_REQUEST,
)
_STOPPED: Final = (None, 0)

NO_ROW: Final = Fact(c.NEVER, c.NEVER, c.NOBODY, c.NOBODY, c.NOBODY, c.NOBODY, c.OFFERED, c.NO_REASON)
"""Stands where there is no further row."""


class Books:
    """Everything that is true after the rows so far.

    ``drawn`` are the workload's columns as lists, None when it is not known. ``row`` is the row that is to be
    explained next (``NO_ROW`` at the end): without the workload an event takes from it what nobody else can know.
    """

    def __init__(self, settings: Settings, workload: Workload | None) -> None:
        self.settings = settings
        self.drawn = (
            None if workload is None else {name: column.tolist() for name, column in workload._asdict().items()}
        )
        self.row = NO_ROW
        self.now_us = 0
        self.turn = 0  # of the event that happens, counted from 1
        self.lots = [
            empty_lot(slots, choice, number)
            for number, (slots, choice) in enumerate(zip(settings.slots, settings.choices, strict=True))
        ]
        self.calls: dict[int, Call] = {}
        self.queue: list[int] = []
        self.own_returns: list[int] = []
        self.group_returns: list[int] = []
        self.retrievals: list[int] = []  # that wait for the staff: known with the workload only
        self.line: dict[int, list[int]] = {}  # in which of the four a call stands
        self.first_member = max(settings.attendants, 0)
        self.duty = routing.on_duty(settings.counts, settings.period_us, 0) if settings.counts else self.first_member
        self.idle_since_us = [routing.idle_when_freed(one, self.duty, 0) for one in range(self.first_member)]
        self.idle_since_us += [0] * max(settings.staff, 0)
        self.busy_with = [c.NOBODY] * len(self.idle_since_us)
        self.announcing: dict[int, int] = {}  # extension -> call
        self.counts = {c.OFFERED: 0, c.ENDED: 0, c.ABANDONED: 0, c.LOST: 0}
        self.clocks: dict[tuple[int, int], tuple[int | None, int]] = {}  # (rank, number): when (None: open), since
        self._calendar: list[Key] = []  # the known ones, and some that have stopped
        self.change_us = self._next_change_us()  # of the number on duty; not in the calendar before its turn
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

    def of(self, column: str, call: int, parks: int) -> int | None:
        """Return a number of the workload, None without a workload."""
        return None if self.drawn is None else self.drawn[column][parks][call]

    # Who is where ------------------------------------------------------------------------------------------------

    def state_of(self, call: int) -> int:
        """Return the state (``rules.life``) of any call, offered or not."""
        if call in self.calls:
            return self.calls[call].state
        return life.GONE if 0 <= call < self.counts[c.OFFERED] else life.BEFORE

    def join(self, line: list[int], call: int) -> None:
        """Let a call wait at the end of a queue; any fact of its own takes it out again."""
        line.append(call)
        self.line[call] = line

    def idle_attendant(self) -> int | None:
        """Return the attendant idle longest, NOBODY when they are unlimited, None when all are busy."""
        if self.settings.attendants == c.UNLIMITED:
            return c.NOBODY
        attendant = routing.longest_idle(self.idle_since_us, self.settings.attendants)
        return None if attendant == c.NOBODY else attendant

    def idle_member(self) -> int | None:
        """Return the member of the staff idle longest, NOBODY when they are unlimited, None when all are busy."""
        if self.settings.staff == c.UNLIMITED:
            return c.NOBODY
        member = routing.longest_idle(self.idle_since_us[self.first_member :], self.settings.staff)
        return None if member == c.NOBODY else self.first_member + member

    # Who is on duty ----------------------------------------------------------------------------------------------

    def _next_change_us(self) -> int:
        return routing.next_change_us(self.settings.counts, self.settings.period_us, self.now_us)

    def change_duty(self) -> None:
        """Let another number of attendants be on duty from now on."""
        self.duty = routing.on_duty(self.settings.counts, self.settings.period_us, self.now_us)
        for attendant in range(self.first_member):
            since_us = self.idle_since_us[attendant]
            self.idle_since_us[attendant] = routing.idle_after_change(since_us, attendant, self.duty, self.now_us)
        self.change_us = self._next_change_us()

    def hand_over_returns(self) -> None:
        """Let the returns whose parker is off duty join the group's."""
        for number in [call for call in self.own_returns if self.duty <= self.calls[call].parker < self.first_member]:
            self.own_returns.remove(number)
            self.join(self.group_returns, number)

    def put_change(self, first: Key | None) -> None:
        """Put the SERVE of the next change into the calendar, unless ``first`` comes before (None: nothing does)."""
        if self.change_us == c.NEVER:
            return
        if first is not None:
            self._skip_rounds(first[0])
        elif self._quiet:
            return
        change = (self.change_us, c.RANK_SERVE, 0)
        if first is None or change <= first:
            self.clocks[c.RANK_SERVE, 0] = (self.change_us, 0)  # it has always stood there
            heappush(self._calendar, change)

    @property
    def _quiet(self) -> bool:
        """Whether a whole round of changes has brought no row: then no further one does, as nothing else happens."""
        return self.change_us - self._told_us > len(self.settings.counts) * self.settings.period_us

    def _skip_rounds(self, until_us: int) -> None:
        """Leave out whole rounds of changes, but for the last: it tells who is idle since when."""
        round_us = len(self.settings.counts) * self.settings.period_us
        if self._quiet:
            self.change_us += max((until_us - self.change_us) // round_us - 1, 0) * round_us

    def pass_time(self, until_us: int) -> None:
        """Let the number on duty change until then, where no row tells of anything else."""
        while c.NEVER != self.change_us <= until_us:
            self._skip_rounds(until_us)
            self.now_us = self.change_us
            self.change_duty()
            self.hand_over_returns()

    # What any fact does ------------------------------------------------------------------------------------------

    def record(self, fact: Fact) -> None:
        """Do what a fact does, whichever event wrote it: to its call, its lot and its extension."""
        self._told_us = self.now_us
        if fact.kind == c.RELEASED:
            del self.announcing[fact.extension]
        else:
            self._move(fact, life.after(self.calls[fact.call].state, fact.kind, fact.reason))
        if fact.lot != c.NOBODY:
            self.lots[fact.lot] = evolved(self.lots[fact.lot], fact)
        if fact.kind in self.counts:
            self.counts[fact.kind] += 1
        if fact.extension != c.NOBODY:
            self._occupy(fact, fact.extension)

    def _move(self, fact: Fact, state: int) -> None:
        """Take a call to its next state: out of its queue, and all clocks stop that do not keep running."""
        number = fact.call
        kept = _KEEPS.get((fact.kind, fact.reason), frozenset())
        for rank in _CLOCKS_OF_A_CALL:
            if rank not in kept:
                self.clocks.pop((rank, number), None)
        if number in self.line:
            self.line.pop(number).remove(number)
        if state == life.GONE:
            del self.calls[number]
            return
        call = self.calls[number]
        call.state, call.since_us = state, self.now_us
        if fact.kind in _SEIZES:
            call.extension = fact.extension
        elif fact.kind == c.PARKED:
            call.lot, call.slot, call.deadline_us, call.parker = fact.lot, fact.slot, fact.deadline_us, fact.extension

    def _occupy(self, fact: Fact, extension: int) -> None:
        """Make an extension busy or free, or let it announce what it has parked."""
        if fact.kind in _SEIZES:
            self.idle_since_us[extension] = routing.BUSY_NOW
            self.busy_with[extension] = fact.call
        elif fact.kind == c.PARKED and self.settings.announcement_us > 0:
            self.announcing[extension] = fact.call
            self.put(c.RANK_ANNOUNCED, extension, self.settings.announcement_us)
        elif (fact.kind, fact.reason) in _FREES:
            attends = extension < self.first_member
            self.idle_since_us[extension] = (
                routing.idle_when_freed(extension, self.duty, self.now_us) if attends else self.now_us
            )
            self.busy_with[extension] = c.NOBODY
            self.put(c.RANK_SERVE if attends else c.RANK_STAFF_SERVE, 0, 0)

    def state(self, time_us: int) -> State:
        """Return everything that is true now, as a copy."""
        extensions = [Extension(*both) for both in zip(self.idle_since_us, self.busy_with, strict=True)]
        return State(
            time_us,
            tuple(self.lots),
            {number: dataclasses.replace(call) for number, call in self.calls.items()},
            tuple(self.queue),
            tuple(self.own_returns),
            tuple(self.group_returns),
            tuple(extensions[: self.first_member]),
            tuple(extensions[self.first_member :]),
            *self.counts.values(),
        )
