"""The commanded model at an instant as plain data, so that it can be written down and made again.

``KeptExchange.snapshot`` takes it, ``KeptExchange.become`` puts it into an exchange that is new. What a call does next
is where its generator stands: the innermost of its functions, each of which waits at one place only, and that one's
arguments. What is called back at an alarm is a method of the exchange, or one of ``works``, with plain arguments.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from inspect import getgeneratorlocals
from types import GeneratorType
from typing import Any, Final, NamedTuple

import numpy as np
import simpy
from simpy.events import Event, Process

from parksim.engines.attendants import Alarm, Group, Waiter
from parksim.engines.commanded import CommandedExchange, Place
from parksim.engines.processes import Life, Retrieval, Ring
from parksim.engines.traffic import no_calls
from parksim.errors import StateError
from parksim.rules import codes as c
from parksim.rules.lot import Fact
from parksim.scenario.workload import Columns, Workload, columns

NUMBERS: Final = (
    "duty",
    "change_us",
    "lonely_changes",
    "serve_is_due",
    "staff_serve_is_due",
    "told",
    "next_call",
    "_delay_us",
)
"""The attributes of an exchange that are one number each."""
_WORK: Final = "_work"
_STALE: Final = ""
_NEVER: Final = (c.NEVER, 0)
Row = Sequence[Any]


class Snapshot(NamedTuple):
    """The model at ``now_us``; rows of numbers, texts and lists of these, so that JSON holds it.

    Attributes:
        now_us: The instant.
        numbers: Those of ``NUMBERS``.
        people: Since when each attendant is idle, and each member of the staff.
        lines: The calls in the queue, among the group's returns, and among those of each attendant.
        looks: Attendants to look at, calls that have joined since the last look.
        retrievals: Call, lot and slot of those that wait for a member of the staff.
        lots: Occupants, parkers, deadlines, instants and the last slot of each lot.
        places: A row of ``Place`` for each call that is not over.
        announcing: Attendants who announce, and since when.
        limits: Calls with a limit set by command, and the limit.
        drawn: Each simulated call that is not over, and its columns.
        lives: Where the life of each simulated call stands: call, place, instant and rank awaited, arguments.
        calendar: Instant, priority, order, name and arguments of what is to be done at each alarm but those of calls.
        traffic: Where the next simulated call stands (``Bookmark``, index), or None.
    """

    now_us: int
    numbers: Row
    people: Row
    lines: Row
    looks: Row
    retrievals: Row
    lots: Row
    places: Row
    announcing: Row
    limits: Row
    drawn: Row
    lives: Row
    calendar: Row
    traffic: Row | None

    def alike(self) -> "Snapshot":
        """Return it without what nobody will ever see: alarms for which nobody waits, and the order of equals.

        Two snapshots from which the same follows are equal then.
        """
        rows = sorted(row for row in plain(self.calendar) if row[3] != _STALE)
        return Snapshot(*plain(self._replace(calendar=[[*row[:2], *row[3:]] for row in rows])))


class Calendar(simpy.Environment):
    """SimPy's environment with a calendar that can be read, and emptied."""

    def entries(self) -> Iterator[tuple[int, int, int, Event]]:
        """Yield instant, priority, order and event, in no order."""
        return ((int(time_us), priority, order, event) for time_us, priority, order, event in self._queue)

    def settle(self, step: Callable[[], object]) -> None:
        """Let SimPy's own events happen, which belong to what happened last."""
        while self._queue and self._queue[0][1] <= 1:
            step()

    def empty(self) -> None:
        """Take everything out of it."""
        self._queue.clear()


class KeptExchange(CommandedExchange):
    """An exchange under command that can be written down and made again.

    Attributes:
        works: What may be done later, by name, beside its own methods.
    """

    env: Calendar
    works: dict[str, Callable[..., object]]

    def __init__(self, env: Calendar, *arguments: Any) -> None:
        super().__init__(env, *arguments)
        self.works = {}

    # Taken -------------------------------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """Return the model as it is; SimPy's own events must have happened (``Calendar.settle``).

        Raises:
            StateError: something is to be done that has no name here, which is a fault of parksim.
        """
        calendar: list[Row] = []
        awaited: dict[Process, tuple[int, int]] = {}
        named = {method: name for name, method in self.works.items()}
        for time_us, priority, order, event in self.env.entries():
            callback = event.callbacks[0] if event.callbacks else None
            process = getattr(callback, "__self__", None)
            if isinstance(process, Process):
                awaited[process] = time_us, (priority >> 32) - 1
            else:
                calendar.append((time_us, priority, order, *_called(callback, named)))
        awaited.pop(self._arrivals, None)
        lives = [self._life_of(call, one, *awaited.pop(one, _NEVER)) for call, one in self._processes.items()]
        if awaited:
            raise StateError(f"{len(awaited)} processes are nobody's life")
        place = self._traffic.place_of_last()
        return Snapshot(
            now_us=int(self.now_us),
            numbers=[getattr(self, name) for name in NUMBERS],
            people=[self.attendants.idle_since_us[:], self.staff.idle_since_us[:]],
            lines=[_calls(self.queue), _calls(self.group_returns), [_calls(line) for line in self.own_returns]],
            looks=[sorted(self.to_look_at), _calls(one for one in self.joined if one in self.own_returns[one.parker])],
            retrievals=[(one.call, one.lot, one.slot) for one in self.retrievals],
            lots=[
                (lot.occupants[:], lot.parkers[:], lot.deadlines_us[:], lot.since_us[:], lot.view.last_slot)
                for lot in self.lots
            ],
            places=[_row_of(place) for place in self.places.values()],
            announcing=list(self.announcing_since_us.items()),
            limits=list(self._limits_us.items()),
            drawn=[(call, _row_of_columns(*where)) for call, where in self._drawn.items()],
            lives=lives,
            calendar=calendar,
            traffic=place,
        )

    def _life_of(self, call: int, process: Process, time_us: int, rank: int) -> Row:
        """Return where a call's generator stands, and what it needs to continue from there."""
        generator: Any = process._generator  # noqa: SLF001 - SimPy shows it to nobody
        while isinstance(generator.gi_yieldfrom, GeneratorType):
            generator = generator.gi_yieldfrom
        name = generator.__name__
        if name not in _ARGUMENTS:
            raise StateError(f"call {call} waits in {name}, of which nothing is known")
        has = getgeneratorlocals(generator)
        return call, name, time_us, rank, [_plain(has[argument]) for argument in _ARGUMENTS[name]]

    # Made again --------------------------------------------------------------------------------------------------

    def become(self, kept: Snapshot) -> None:
        """Be as the snapshot says; the exchange is new, its environment is at the instant, its traffic at the place."""
        self.env.empty()
        for name, value in zip(NUMBERS, kept.numbers, strict=True):
            setattr(self, name, value)
        self.attendants, self.staff = (Group(list(since_us)) for since_us in kept.people)
        for lot, (occupants, parkers, deadlines_us, since_us, last_slot) in zip(self.lots, kept.lots, strict=True):
            lot.fill(occupants, parkers, deadlines_us, since_us, last_slot)
        self.places.update((row[0], Place(*row)) for row in kept.places)
        self.announcing_since_us.update(kept.announcing)
        self._limits_us.update(kept.limits)
        columns = _columns_of([row for _, row in kept.drawn])
        self._drawn.update((call, (columns, index)) for index, (call, _) in enumerate(kept.drawn))
        facts: dict[Fact, Fact] = {}
        for time_us, priority, _, name, arguments in sorted(kept.calendar, key=lambda row: row[:3]):
            alarm = Alarm(self.env, time_us, (priority >> 32) - 1, priority & 0xFFFFFFFF)
            if name != _STALE:
                self._call_back(alarm, self._callback(name, arguments, facts))
        self._continue(kept, facts)
        self._arrivals = self.env.process(self._come())
        self.env.settle(self.env.step)

    def _callback(self, name: str, arguments: Row, facts: dict[Fact, Fact]) -> Callable[[Event], None]:
        if name == _WORK:
            work, *its = arguments
            return partial(self._work, partial(self.works[work], *map(_tuples, its)))
        if name not in _CALLED_BACK:
            raise StateError(f"nothing is known of {name}")
        method: Callable[..., None] = getattr(self, name)
        return partial(method, *(_fact(one, facts) for one in arguments)) if arguments else method

    def _continue(self, kept: Snapshot, facts: dict[Fact, Fact]) -> None:
        """Let each simulated call continue where it was."""
        waits: dict[int, Event] = {}
        waiters: dict[int, Waiter] = {}
        for call, name, time_us, rank, arguments in kept.lives:
            if name in {"_queued", "_returning", "_staying", "_ringing"}:
                waits[call] = self._at(time_us, rank, call)
            if name in {"_queued", "_returning"}:
                _, parker, rings, since_us = arguments[0 if name == "_queued" else 2]
                waiters[call] = Waiter(call, waits[call], parker, rings, since_us)
        queue, group, own = kept.lines
        self.queue, self.group_returns = (deque(waiters[call] for call in line) for line in (queue, group))
        self.own_returns = [deque(waiters[call] for call in line) for line in own]
        to_look_at, joined = kept.looks
        self.to_look_at = set(to_look_at)
        self.joined = [waiters[call] for call in joined]
        self.retrievals = deque(Retrieval(call, waits[call], lot, slot) for call, lot, slot in kept.retrievals)
        for call, name, _, _, arguments in kept.lives:
            if name == "_staying" and self.stays_end_by_others:
                self.stays[call], self.parked[call] = waits[call], _fact(arguments[2], facts)
            life = self._goes_on(name, arguments, waits.get(call), waiters.get(call), facts)
            self._processes[call] = self.env.process(self._simulated(life))

    def _goes_on(
        self, name: str, arguments: Row, wait: Event | None, waiter: Waiter | None, facts: dict[Fact, Fact]
    ) -> Life:
        """Tell what is left of a life of which one function was waiting."""
        attendant, parks = None, 0
        if name in {"_talk", "_talk_by_command"}:
            yield from getattr(self, name)(*arguments)
            return
        if name == "_queued":
            assert waiter is not None
            call = waiter.call
            attendant = yield from self._queued(waiter)
        elif name == "_park":
            call, parks, *_ = arguments
            stay = yield from self._park(*arguments)
            attendant = None if stay is None else (yield from self._stay(call, parks, stay))
        else:
            call, parks, *its = arguments
            assert wait is not None
            if name == "_staying":
                waits_for_staff = None
                if its[1]:
                    waits_for_staff = next(one for one in self.retrievals if one.call == call)
                attendant = yield from self._staying(call, parks, _fact(its[0], facts), wait, waits_for_staff)
            elif name == "_returning":
                assert waiter is not None
                attendant = yield from self._returning(call, parks, waiter, *its[1:])
            else:
                attendant = yield from self._ringing(call, parks, its[0], Ring(*its[1]), wait)
        if attendant is not None:
            self._limits_us.pop(call, None)
            parks = parks if name == "_queued" else min(parks + 1, self.settings.max_parks)
            yield from self._life(call, attendant, parks)


_ARGUMENTS: Final[dict[str, tuple[str, ...]]] = {
    "_queued": ("waiter",),
    "_talk": ("call", "extension", "end_us", "reason"),
    "_talk_by_command": ("call", "extension", "end_us"),
    "_park": ("call", "parks", "attendant", "now", "asked"),
    "_staying": ("call", "parks", "stay", "retrieval"),
    "_returning": ("call", "parks", "waiter", "parked_us", "patience_end_us"),
    "_ringing": ("call", "parks", "parker", "ring"),
}
"""The functions in which a call waits, each at one place, and what each needs."""
_CALLED_BACK: Final = frozenset({"_serve", "_staff_serve", "_announced", "_expire", "_remind", "_resume", "_dial"})
"""The methods of an exchange that alarms call."""


def _called(callback: Any, named: dict[Any, str]) -> tuple[str, Row]:
    """Return name and arguments of what an alarm calls."""
    if callback is None:
        return _STALE, ()
    method, arguments = (callback.func, callback.args) if isinstance(callback, partial) else (callback, ())
    name = getattr(method, "__name__", "")
    if name == _WORK:
        (work,) = arguments
        if isinstance(work, partial) and work.func in named:
            return name, (named[work.func], *work.args)
        raise StateError(f"{work} is to be done later and has no name in works")
    if name not in _CALLED_BACK:
        raise StateError(f"{callback} is called by an alarm and has no name")
    return name, arguments


def _calls(waiters: Iterable[Waiter]) -> list[int]:
    return [waiter.call for waiter in waiters]


def _row_of(place: Place) -> Row:
    return (
        *(place.call, place.told, place.state, place.since_us, place.second_line, place.extension),
        *(place.lot, place.slot, place.deadline_us, place.parks, place.held_us),
    )


def _row_of_columns(columns: Columns, index: int) -> Row:
    """Return the numbers of one call: of a column with parks a list."""
    return [
        int(column[index]) if isinstance(column, memoryview) else [int(row[index]) for row in column]
        for column in columns
    ]


def _columns_of(rows: Sequence[Row]) -> Columns:
    """Return columns that hold the numbers of those calls, each at its place in ``rows``."""
    if not rows:
        return columns(no_calls())
    return columns(Workload(*(np.array(column, np.int64).T for column in zip(*rows, strict=True))))  # type: ignore[arg-type]  # wider


def _plain(argument: Any) -> Any:
    """Return an argument without its events."""
    if isinstance(argument, Waiter):
        return argument.call, argument.parker, argument.rings, argument.since_us
    return True if isinstance(argument, Retrieval) else argument


def _fact(argument: Any, facts: dict[Fact, Fact]) -> Any:
    """Return an argument, a fact as the same object wherever it stands: the model asks for that very one."""
    if not isinstance(argument, list | tuple):
        return argument
    fact = Fact(*argument)
    return facts.setdefault(fact, fact)


def _tuples(argument: Any) -> Any:
    """Return what JSON has made lists of as tuples again, which the rules compare."""
    return tuple(map(_tuples, argument)) if isinstance(argument, list | tuple) else argument


def plain(rows: Any) -> Any:
    """Return rows as JSON gives them back: lists."""
    return [plain(one) for one in rows] if isinstance(rows, list | tuple) else rows
