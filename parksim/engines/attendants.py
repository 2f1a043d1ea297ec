"""The attendants of the SimPy engine: who of them is free, and the calls that wait for one.

Every wake-up is an event of our own, an ``Alarm``: ``processes`` says why.
"""

from collections import deque
from collections.abc import Callable
from functools import partial
from heapq import heapify, heappop, heappush
from typing import NamedTuple

import simpy
from simpy.events import Event

from parksim.journal.journal import RowWriter
from parksim.rules import codes as c
from parksim.rules import routing
from parksim.scenario.model import Settings


class Waiter(NamedTuple):
    """A call that waits for an attendant, and the event for which it waits unless its turn comes."""

    call: int
    wait: Event
    parker: int
    rings: bool  # a return to its parker, which rings first; anything else is answered as its turn comes
    since_us: int


class Turn(NamedTuple):
    """What a waiting call is told when its turn comes: what happens to it, and at which extension."""

    kind: int
    extension: int


class Alarm(Event):
    """An event of the calendar: it comes at (instant, rank, number) and its value is its rank."""

    def __init__(self, env: simpy.Environment, time_us: int, rank: int, number: int) -> None:
        self.env = env
        self.callbacks = []
        self._ok = True
        self._value = rank
        env.schedule(self, (rank + 1) << 32 | number, time_us - env.now)  # type: ignore[arg-type]  # any int orders


class Group:
    """The attendants or the staff, numbered from 0, and which of them takes the next call."""

    def __init__(self, idle_since_us: list[int]) -> None:
        self.idle_since_us = idle_since_us
        """For everybody to read; ``set_idle`` writes it."""
        self._idle = [(since_us, one) for one, since_us in enumerate(idle_since_us) if routing.is_free(since_us)]
        heapify(self._idle)

    def set_idle(self, extension: int, since_us: int) -> None:
        """Let an extension be idle since an instant, busy or off duty."""
        self.idle_since_us[extension] = since_us
        if routing.is_free(since_us):
            heappush(self._idle, (since_us, extension))

    def longest_idle(self) -> int:
        """Return the free extension that has been idle longest, ties by position, or ``NOBODY``."""
        idle = self._idle
        while idle:
            since_us, extension = idle[0]
            if self.idle_since_us[extension] == since_us:
                return extension
            heappop(idle)  # it has taken a call since
        return c.NOBODY


class AttendedExchange:
    """An exchange as far as its attendants go, in a SimPy environment: who is free, who waits, who rings.

    ``write`` gets each fact as eight integers in the order of the journal's columns.
    """

    def __init__(self, env: simpy.Environment, settings: Settings, write: RowWriter) -> None:
        self.env = env
        self.settings = settings
        self.write = write
        self.duty = routing.on_duty(settings.counts, settings.period_us, 0) if settings.counts else settings.attendants
        self.attendants = Group([routing.idle_when_freed(one, self.duty, 0) for one in range(settings.attendants)])
        self.queue: deque[Waiter] = deque()
        self.own_returns: list[deque[Waiter]] = [deque() for _ in self.attendants.idle_since_us]
        self.to_look_at: set[int] = set()  # attendants whose own returns may ring, or are to be handed over
        self.joined: list[Waiter] = []  # own returns that no SERVE has seen yet, in the order of joining
        self.group_returns: deque[Waiter] = deque()
        self.serve_is_due = False
        self.lonely_changes = 0  # of the number on duty, since anything else was to come or anybody was served
        self._await_change()

    @property
    def now_us(self) -> int:
        """The instant, integer microseconds: the clock starts at 0 and every delay is an integer."""
        return self.env.now  # type: ignore[return-value]  # SimPy allows floats, we schedule none

    # The attendants ----------------------------------------------------------------------------------------------

    def _serve(self, _event: Event) -> None:
        """Pair the attendants who are on duty and free with waiting calls: all pairs first, then their consequences."""
        self.serve_is_due = False
        if self.now_us == self.change_us:
            self._change_duty()
        if self.settings.attendants == c.UNLIMITED:
            while self.group_returns:
                waiter = self.group_returns.popleft()
                self._turn(waiter, c.RECALL_RINGING if waiter.rings else c.RECALL_ANSWERED, c.NOBODY)
            return
        if self.duty < self.settings.attendants:
            self._hand_over_returns()
        for attendant in sorted(self.to_look_at):
            if self.own_returns[attendant] and routing.is_free(self.attendants.idle_since_us[attendant]):
                self._turn(self.own_returns[attendant].popleft(), c.RECALL_RINGING, attendant)
        self.to_look_at.clear()
        self._settle_busy_parkers()
        for waiting, kind in ((self.group_returns, c.RECALL_ANSWERED), (self.queue, c.ANSWERED)):
            while waiting:
                attendant = self.attendants.longest_idle()
                if attendant == c.NOBODY:
                    return
                self._turn(waiting.popleft(), kind, attendant)

    def _change_duty(self) -> None:
        """Let another number of attendants be on duty, which is the first thing that SERVE does.

        So that the calendar empties, the next change is awaited while anything is to come; where nothing is, while
        somebody waits, for one round of changes: who has not been served then never will be.
        """
        self.duty = routing.on_duty(self.settings.counts, self.settings.period_us, self.now_us)
        for attendant, since_us in enumerate(self.attendants.idle_since_us):
            after_us = routing.idle_after_change(since_us, attendant, self.duty, self.now_us)
            if after_us != since_us:
                self.attendants.set_idle(attendant, after_us)
        self.to_look_at.update(attendant for attendant, returns in enumerate(self.own_returns) if returns)
        self.lonely_changes = 0 if self.env.peek() != float("inf") else self.lonely_changes + 1
        waits = self.queue or self.group_returns or any(self.own_returns)
        if not self.lonely_changes or (waits and self.lonely_changes <= len(self.settings.counts)):
            self._await_change()
        else:
            self.change_us = c.NEVER

    def _await_change(self) -> None:
        """Put SERVE into the calendar for the next change of the number on duty, if there is one."""
        self.change_us = routing.next_change_us(self.settings.counts, self.settings.period_us, self.now_us)
        if self.change_us != c.NEVER:
            self._call_back(Alarm(self.env, self.change_us, c.RANK_SERVE, 0), self._serve)

    def _hand_over_returns(self) -> None:
        """Let the returns whose parker is off duty join the group's, in the order in which they came back."""
        strays = [waiter for one in self.to_look_at if one >= self.duty for waiter in self.own_returns[one]]
        for waiter in sorted(strays, key=lambda waiter: (waiter.since_us, waiter.call)):
            self.own_returns[waiter.parker].remove(waiter)
            self.group_returns.append(waiter)

    def _settle_busy_parkers(self) -> None:
        """Do with the returns that found their parker busy what the scenario says, in the order they joined."""
        joined, self.joined = self.joined, []
        then = routing.after_busy(self.settings.busy)
        if then == routing.STAY:
            return
        for waiter in joined:
            if waiter not in self.own_returns[waiter.parker]:
                continue  # it rings already, has hung up, or is the group's
            self.own_returns[waiter.parker].remove(waiter)
            if then == routing.JOIN_GROUP:
                self.group_returns.append(waiter)
            else:
                self.write(self.now_us, c.NEVER, waiter.call, c.NOBODY, c.NOBODY, c.NOBODY, c.LOST, c.BUSY)
                self._wake(waiter.wait, Turn(c.LOST, c.NOBODY))

    def _turn(self, waiter: Waiter, kind: int, attendant: int) -> None:
        """Give ``waiter`` its attendant: write the fact and wake its process."""
        now = self.now_us
        self.lonely_changes = 0
        if attendant != c.NOBODY:
            self.attendants.set_idle(attendant, routing.BUSY_NOW)
        deadline_us = later(now, self.settings.ring_us) if kind == c.RECALL_RINGING else c.NEVER
        self.write(now, deadline_us, waiter.call, c.NOBODY, c.NOBODY, attendant, kind, c.NO_REASON)
        self._wake(waiter.wait, Turn(kind, attendant))

    def _release(self, call: int, attendant: int, now: int) -> None:
        """Free the attendant who has parked ``call``: now, or when the slot has been announced."""
        if attendant == c.NOBODY or self.settings.announcement_us == 0:
            self._free_attendant(attendant, now)
            return
        announced = Alarm(self.env, now + self.settings.announcement_us, c.RANK_ANNOUNCED, attendant)
        self._call_back(announced, partial(self._announced, call, attendant))

    def _announced(self, call: int, attendant: int, _event: Event) -> None:
        self.write(self.now_us, c.NEVER, call, c.NOBODY, c.NOBODY, attendant, c.RELEASED, c.NO_REASON)
        self._free_attendant(attendant, self.now_us)

    def _free_attendant(self, attendant: int, now: int) -> None:
        if attendant == c.NOBODY:
            return
        self.attendants.set_idle(attendant, routing.idle_when_freed(attendant, self.duty, now))
        own_returns = self.own_returns[attendant]
        if own_returns:
            self.to_look_at.add(attendant)
        if own_returns or self.queue or self.group_returns:
            self._raise_serve()

    def _raise_serve(self) -> None:
        """Put SERVE into the calendar, once however many ask for it."""
        now = self.now_us
        if not self.serve_is_due and now != self.change_us:
            self.serve_is_due = True
            self._call_back(Alarm(self.env, now, c.RANK_SERVE, 0), self._serve)

    # The calendar ------------------------------------------------------------------------------------------------

    def _at(self, time_us: int, rank: int, call: int) -> Event:
        """Return the event of ``call`` at that instant, or one that never comes."""
        return Event(self.env) if time_us == c.NEVER else Alarm(self.env, time_us, rank, call)

    def _wake(self, wait: Event, turn: Turn) -> None:
        """Let the call that waits for ``wait`` continue now, and tell it that its turn has come."""
        at_once = wait
        if wait.triggered:  # it stays in the calendar, but nobody waits for it there
            at_once = Event(self.env)
            at_once.callbacks, wait.callbacks = wait.callbacks, []
        at_once.succeed(turn)

    def _call_back(self, alarm: Alarm, callback: Callable[[Event], None]) -> None:
        """Have a method called at an alarm: itself, or a ``partial`` of it, so that it can be kept (``snapshot``)."""
        alarm.callbacks.append(callback)


def later(time_us: int, delay_us: int) -> int:
    """Return the instant ``delay_us`` after ``time_us``, or ``NEVER``."""
    return c.NEVER if delay_us == c.NEVER else time_us + delay_us
