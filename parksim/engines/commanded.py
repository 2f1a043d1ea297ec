"""The SimPy model under command: calls placed, parked, fetched and hung up from outside, beside the simulated ones.

``CommandedExchange`` is the ``Exchange`` of ``processes`` with three things more. It knows where each call is
(``places``, kept from the facts by the table of ``rules/life.py``). It numbers calls as they are offered, since placed
ones come between simulated ones, and takes the simulated ones from a ``Traffic`` that may have no end. And it
obeys commands: ``do`` checks one and commits it, at once and whole.

A command comes at (instant, rank of its kind, ``LAST_NUMBER``): after everything of its rank that happens at its
instant; commands that are given together come one right after the other. So a list of commands, put through
``simulate`` again, gives the same rows, with any clock.

A call that a command has placed is on a second line of its extension: it takes no attendant from the simulated calls
and needs none. Parked, nobody comes for it and its caller does not hang up, unless by command; when its time is up it
rings its parker at once, until it is answered or hung up. A simulated call that a command parks, fetches or answers
continues afterwards as its workload says; but one that is parked by an extension that is no attendant is from then on
like a placed one, since the simulated switchboard could not take its return.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

import simpy
from simpy.events import Event

from parksim.engines.attendants import Alarm
from parksim.engines.processes import Exchange, Life
from parksim.engines.traffic import Drawn, Traffic, batch, columns_by_call, no_calls
from parksim.errors import CommandError
from parksim.journal.journal import Journal, JournalWriter, RowWriter
from parksim.rules import codes as c
from parksim.rules import life
from parksim.rules.lot import Fact, decide_expiry, decide_hangup, decide_park, decide_unpark
from parksim.scenario.model import Settings
from parksim.scenario.workload import Columns, Workload

LONGEST_STAY_US: Final = 2**62
"""Longer stays would not fit into the journal."""
LAST_NUMBER: Final = 2**31 - 1
"""The number of a command in the calendar's key: it comes after all calls."""

# Kinds of commands, as words: they stand in session files.
PLACE: Final = "place_call"
ANSWER: Final = "answer"
PARK: Final = "park"
UNPARK: Final = "unpark"
PICK_UP: Final = "pick_up"
HANG_UP: Final = "hang_up"
HOLD: Final = "hold"
UNHOLD: Final = "unhold"
DELAY: Final = "delay_traffic"
STOP: Final = "stop_traffic"
RANKS: Final = {
    PLACE: c.RANK_ARRIVAL,
    ANSWER: c.RANK_ANSWER,
    PARK: c.RANK_PARK_REQUEST,
    UNPARK: c.RANK_RETRIEVAL,
    PICK_UP: c.RANK_RETRIEVAL,
    HANG_UP: c.RANK_HANGUP,
    HOLD: c.RANK_PARK_REQUEST,
    UNHOLD: c.RANK_PARK_REQUEST,
    DELAY: c.RANK_HANGUP,
    STOP: c.RANK_HANGUP,
}
"""The rank that each kind of command takes among the events of its instant."""


class Command(NamedTuple):
    """Something done from outside at ``time_us``.

    Attributes:
        time_us: The instant.
        kind: One of ``RANKS``.
        call: The call it concerns; ``NOBODY`` for ``PLACE``, ``DELAY`` and ``STOP``.
        extension: PLACE: who is charged; ANSWER: who answers a call being set up; PARK: the parker; UNPARK, PICK_UP:
            who fetches; HANG_UP: who is freed of a placed call. ``NOBODY`` where it does not matter.
        limit_us: PARK: the longest stay, ``NEVER`` for none; DELAY: by how much simulated arrivals are put off.
        lot: PARK: in which lot.
        asked: PARK: the slot asked for, or ``NOBODY``.
        joined: Whether it was given together with the command before it, so that nothing comes between them.
    """

    time_us: int
    kind: str
    call: int = c.NOBODY
    extension: int = c.NOBODY
    limit_us: int = c.NEVER
    lot: int = 0
    asked: int = c.NOBODY
    joined: bool = False


@dataclass(slots=True)
class Place:
    """Where a call is: a state of ``rules/life.py`` and what belongs to it.

    ``told`` is True while only commands move the call; ``second_line`` while the person who talks to it is not taken
    from the simulated calls by that; ``held_us`` is since when it is on hold, ``NEVER`` when it is not. ``extension``
    is who has or had it last.
    """

    call: int
    told: bool
    state: int
    since_us: int
    second_line: bool
    extension: int = c.NOBODY
    lot: int = c.NOBODY
    slot: int = c.NOBODY
    deadline_us: int = c.NEVER
    parks: int = 0
    held_us: int = c.NEVER


class CommandedExchange(Exchange):
    """An exchange that obeys commands; ``write`` gets each fact as eight integers, in the journal's order."""

    def __init__(self, env: simpy.Environment, settings: Settings, traffic: Traffic, write: RowWriter) -> None:
        super().__init__(env, settings, no_calls(), self._note)
        self.places: dict[int, Place] = {}
        """Every call that has been offered and is not over, by number."""
        self.next_call = 0
        self.announcing_since_us: dict[int, int] = {}
        """Since when each attendant announces a parked call that does so."""
        self._write_on = write
        self._traffic = traffic
        self._delay_us = 0
        self._placing = False
        self._processes: dict[int, simpy.Process] = {}
        self._drawn: Drawn = {}
        self._limits_us: dict[int, int] = {}
        self.calls = columns_by_call(self._drawn, self._limits_us)
        self._arrivals = env.process(self._come())

    # What is known of the calls ----------------------------------------------------------------------------------

    def _note(self, *row: int) -> None:
        """Keep ``places`` true, and pass the fact on."""
        fact = Fact(*row)
        if fact.kind == c.OFFERED:
            self.places[fact.call] = Place(fact.call, self._placing, life.IN_QUEUE, fact.time_us, self._placing)
        elif fact.kind == c.RELEASED:
            self.announcing_since_us.pop(fact.extension, None)  # the attendant's; the call goes its way meanwhile
        elif fact.call in self.places:
            self._move(self.places[fact.call], fact)
        self._write_on(*row)

    def _move(self, place: Place, fact: Fact) -> None:
        state = life.after(place.state, fact.kind, fact.reason)
        if state == life.FORBIDDEN:
            state = _BY_COMMAND[place.state, fact.kind]
        if state != place.state:
            place.since_us = fact.time_us
        place.state = state
        if fact.kind in _TELLS_EXTENSION:
            place.extension = fact.extension
        if fact.kind == c.PARKED:
            place.held_us = c.NEVER
            place.lot, place.slot, place.deadline_us = fact.lot, fact.slot, fact.deadline_us
            place.parks += 1
        if state == life.GONE:
            for table in (self.places, self._processes, self._drawn, self._limits_us):
                table.pop(fact.call, None)

    # Simulated calls ---------------------------------------------------------------------------------------------

    def _come(self) -> Life:
        """Let the simulated calls come, one after the other."""
        while (coming := self._traffic.next_call()) is not None:
            columns, index, arrival_us = coming
            arrived = False
            while not arrived:
                try:
                    yield Alarm(self.env, arrival_us + self._delay_us, c.RANK_ARRIVAL, index)
                    arrived = True
                except simpy.Interrupt as turn:  # the traffic is delayed, or is over
                    if turn.cause == STOP:
                        return
            call = self._offer(told=False, drawn=(columns, index))
            self._processes[call] = self.env.process(self._simulated(self._life(call)))

    def _offer(self, *, told: bool, drawn: tuple[Columns, int] | None = None) -> int:
        call = self.next_call
        self.next_call += 1
        if drawn is not None:
            self._drawn[call] = drawn
        self._placing = told
        self.write(self.now_us, c.NEVER, call, c.NOBODY, c.NOBODY, c.NOBODY, c.OFFERED, c.NO_REASON)
        return call

    def _simulated(self, told: Life) -> Life:
        """Live as told until a command takes the call over."""
        with suppress(simpy.Interrupt):
            yield from told

    def _go_on(self, call: int, told: Life) -> None:
        """Let a simulated call, which a command has moved, continue."""
        self._processes[call] = self.env.process(self._simulated(told))

    def _take(self, place: Place) -> None:
        """Take a call out of the process that tells its life, and out of every line it stands in."""
        process = self._processes.pop(place.call, None)
        if process is None:
            return
        for line in (self.queue, self.group_returns, *self.own_returns):
            for waiter in [one for one in line if one.call == place.call]:
                line.remove(waiter)
        self.stays.pop(place.call, None)
        self.parked.pop(place.call, None)
        for retrieval in [one for one in self.retrievals if one.call == place.call]:
            self.retrievals.remove(retrieval)
        process.interrupt()

    def _release(self, call: int, attendant: int, now: int) -> None:
        if attendant != c.NOBODY and self.settings.announcement_us:
            self.announcing_since_us[attendant] = now
        super()._release(call, attendant, now)

    # Commands ----------------------------------------------------------------------------------------------------

    def at(self, time_us: int, rank: int, work: Callable[[], object]) -> None:
        """Put ``work`` into the calendar after all that happens at (``time_us``, ``rank``)."""
        if self.change_us == c.NEVER:  # changes of the number on duty stop when nothing else is to come
            self._await_change()
        self._call_back(Alarm(self.env, time_us, rank, LAST_NUMBER), partial(self._work, work))

    def _work(self, work: Callable[[], object], _event: Event) -> None:
        work()

    def schedule(self, commands: Sequence[Command]) -> None:
        """Put commands into the calendar, each at its instant and rank; joined ones right after one another."""
        together: list[Command] = []
        for command in commands:
            if together and command.joined:
                together.append(command)
                continue
            together = [command]
            self.at(command.time_us, RANKS[command.kind], partial(self._do_all, together))

    def _do_all(self, commands: list[Command]) -> None:
        for command in commands:
            self.do(command)

    def check(self, command: Command) -> None:
        """Tell whether a command could be done now.

        Raises:
            CommandError: it could not, with the reason.
        """
        if command.kind not in RANKS:
            raise CommandError(f"there is no command {command.kind!r}; there are {', '.join(RANKS)}")
        if command.kind not in _STATES_FOR:
            return
        place = self.places.get(command.call)
        if place is None:
            raise CommandError(f"there is no call {command.call} (any more)")
        fits = place.state in _STATES_FOR[command.kind]
        if command.kind == UNPARK and place.state == life.AT_PARKER:
            fits = bool(self.settings.retrievable)
        if command.kind == ANSWER and place.state == life.IN_QUEUE:
            fits = place.told  # the queue is served by the simulated attendants
        if not fits:
            raise CommandError(f"call {place.call} is {life.STATE_NAMES[place.state]}: no {command.kind} now")
        if command.kind == PARK and not 0 <= command.lot < len(self.lots):
            raise CommandError(f"there is no lot {command.lot}; lots are numbered from 0 to {len(self.lots) - 1}")
        if command.kind == PARK and not (1 <= command.limit_us <= LONGEST_STAY_US or command.limit_us == c.NEVER):
            raise CommandError(f"a stay lasts from 1 us to {LONGEST_STAY_US} us, or is unlimited")

    def do(self, command: Command) -> None:
        """Check and commit a command now; it writes its facts.

        Raises:
            CommandError: it cannot be done; nothing has changed.
        """
        self.check(command)
        if command.kind == PLACE:
            self._offer(told=True)
        elif command.kind not in {DELAY, STOP}:
            _WORK[command.kind](self, self.places[command.call], command)
        else:
            if command.kind == DELAY:
                self._delay_us += command.limit_us
            else:
                self._traffic.stop()
            if self._arrivals.is_alive:
                self._arrivals.interrupt(command.kind)

    def _hold(self, place: Place, command: Command) -> None:
        """Put a call on hold or take it off: its slot, its people and its time are not concerned."""
        if (place.held_us == c.NEVER) == (command.kind == HOLD):
            place.held_us = self.now_us if command.kind == HOLD else c.NEVER

    def _park_by_command(self, place: Place, command: Command) -> None:
        view = self.lots[command.lot].view
        told = place.told or command.extension not in range(self.settings.attendants)
        limit_us = command.limit_us if told else self._longest_stay(command.limit_us)
        fact = decide_park(view, place.call, command.extension, limit_us, command.asked, 0, self.now_us)
        if fact.kind != c.PARKED:
            self.write(*fact)
            return
        busy = c.NOBODY if place.second_line else place.extension
        was, parks = place.state, place.parks
        self._take(place)
        place.told = told
        self._commit(fact)
        place.second_line = place.told
        if was == life.WITH_STAFF:
            self._free_member(busy, fact.time_us)
        else:
            self._release(place.call, busy, fact.time_us)
        if place.told:
            self._watch(fact)
        else:
            self._limits_us[place.call] = command.limit_us
            self._go_on(place.call, self._parked_by_command(place.call, parks, fact))

    def _parked_by_command(self, call: int, parks: int, fact: Fact) -> Life:
        attendant = yield from self._stay(call, parks, fact)
        self._limits_us.pop(call, None)
        if attendant is not None:
            yield from self._life(call, attendant, min(parks + 1, self.settings.max_parks))

    def _watch(self, parked: Fact) -> None:
        """Let a placed call come back when its time is up, if this stay is still the one it was."""
        if parked.deadline_us != c.NEVER:
            expiry = Alarm(self.env, parked.deadline_us, c.RANK_EXPIRY, parked.call)
            self._call_back(expiry, partial(self._expire, parked))

    def _expire(self, parked: Fact, _event: Event) -> None:
        place = self.places.get(parked.call)
        if place is None or place.state != life.IN_SLOT or (place.lot, place.slot) != (parked.lot, parked.slot):
            return
        if place.deadline_us != parked.deadline_us:
            return
        now = self.now_us
        fact = decide_expiry(self.lots[parked.lot].view, parked.slot, place.call, parked.deadline_us, now)
        assert fact.kind == c.EXPIRED
        self._commit(fact)
        if self.settings.recall_to == c.TO_ELSEWHERE:
            self.write(now, c.NEVER, place.call, c.NOBODY, c.NOBODY, c.NOBODY, c.ENDED, c.FORWARDED)
            return
        self.write(now, c.NEVER, place.call, c.NOBODY, c.NOBODY, fact.extension, c.RECALL_RINGING, c.NO_REASON)

    def _fetch(self, place: Place, command: Command) -> None:
        parks, now = place.parks - 1, self.now_us
        if place.state == life.AT_PARKER:
            parker, busy = place.extension, c.NOBODY if place.second_line else place.extension
            self._take(place)
            self.write(now, c.NEVER, place.call, c.NOBODY, c.NOBODY, parker, c.RECALL_UNANSWERED, c.FETCHED)
            self._free_attendant(busy, now)
            self.write(now, c.NEVER, place.call, c.NOBODY, c.NOBODY, command.extension, c.RETRIEVED, c.RINGING)
        else:
            fact = decide_unpark(self.lots[place.lot].view, place.slot, command.extension, now)
            assert fact.kind == c.RETRIEVED
            self._take(place)
            self._commit(fact)
        place.second_line = True
        if not place.told:
            talk_us = self.calls.staff_talk_us[parks][place.call]
            self._go_on(place.call, self._talk_by_command(place.call, command.extension, self.now_us + talk_us))

    def _talk_by_command(self, call: int, extension: int, end_us: int) -> Life:
        """Talk with the person who fetched the call by command: on a second line, so its end frees nobody."""
        yield Alarm(self.env, end_us, c.RANK_TALK_END, call)
        self.write(end_us, c.NEVER, call, c.NOBODY, c.NOBODY, extension, c.ENDED, c.AFTER_RETRIEVAL)

    def _answer(self, place: Place, command: Command) -> None:
        kind, extension = c.ANSWERED, command.extension
        if place.state == life.AT_PARKER:
            kind, extension = c.RECALL_ANSWERED, place.extension
        self._take(place)
        self.write(self.now_us, c.NEVER, place.call, c.NOBODY, c.NOBODY, extension, kind, c.NO_REASON)
        if not place.told:
            parks = min(place.parks, self.settings.max_parks)
            self._go_on(place.call, self._life(place.call, extension, parks))

    def _hang_up(self, place: Place, command: Command) -> None:
        now, state, extension = self.now_us, place.state, place.extension
        busy = c.NOBODY if place.second_line else extension
        self._take(place)
        if state == life.IN_SLOT:
            self._commit(decide_hangup(self.lots[place.lot].view, place.slot, now))
            return
        if state == life.WITH_ATTENDANT and place.told and command.extension != c.NOBODY:
            extension = command.extension
        named = extension if state in {life.WITH_STAFF, life.WITH_ATTENDANT, life.AT_PARKER} else c.NOBODY
        self.write(now, c.NEVER, place.call, c.NOBODY, c.NOBODY, named, *_ENDS_BY_HANG_UP[state])
        if state == life.WITH_STAFF:
            self._free_member(busy, now)
        elif state in {life.WITH_ATTENDANT, life.AT_PARKER}:
            self._free_attendant(busy, now)


_WORK: Final[dict[str, Callable[[CommandedExchange, Place, Command], None]]] = {
    ANSWER: CommandedExchange._answer,  # noqa: SLF001 - its own
    PARK: CommandedExchange._park_by_command,  # noqa: SLF001 - its own
    UNPARK: CommandedExchange._fetch,  # noqa: SLF001 - its own
    PICK_UP: CommandedExchange._fetch,  # noqa: SLF001 - its own
    HANG_UP: CommandedExchange._hang_up,  # noqa: SLF001 - its own
    HOLD: CommandedExchange._hold,  # noqa: SLF001 - its own
    UNHOLD: CommandedExchange._hold,  # noqa: SLF001 - its own
}
_TELLS_EXTENSION: Final = frozenset({c.ANSWERED, c.PARKED, c.RETRIEVED, c.EXPIRED, c.RECALL_RINGING, c.RECALL_ANSWERED})
_STATES_FOR: Final = {
    ANSWER: frozenset({life.IN_QUEUE, life.AT_PARKER}),
    PARK: frozenset({life.WITH_ATTENDANT, life.WITH_STAFF}),
    UNPARK: frozenset({life.IN_SLOT}),
    PICK_UP: frozenset({life.AT_PARKER}),
    HOLD: frozenset({life.WITH_ATTENDANT, life.WITH_STAFF}),
    UNHOLD: frozenset({life.WITH_ATTENDANT, life.WITH_STAFF}),
    HANG_UP: frozenset(range(len(life.STATE_NAMES))),
}
_BY_COMMAND: Final = {(life.WITH_STAFF, c.PARKED): life.IN_SLOT, (life.WITH_STAFF, c.REFUSED): life.WITH_STAFF}
"""What a call may do at a command only: the person who fetched it parks it again."""
_ENDS_BY_HANG_UP: Final = {
    life.IN_QUEUE: (c.ABANDONED, c.WAITING),
    life.WITH_ATTENDANT: (c.ENDED, c.TALKED),
    life.WITH_STAFF: (c.ENDED, c.AFTER_RETRIEVAL),
    life.ON_RETURN: (c.ABANDONED, c.RETURNING),
    life.AT_PARKER: (c.ABANDONED, c.RINGING),
}


def simulate(settings: Settings, workload: Workload, commands: Sequence[Command]) -> Journal:
    """Put a workload and a list of commands through the model and return the journal (without header).

    Raises:
        CommandError: one of the commands cannot be done at its instant.
    """
    rows = JournalWriter()
    exchange = CommandedExchange(simpy.Environment(), settings, Traffic([batch(workload)]), rows.append)
    exchange.schedule(commands)
    exchange.run()
    return rows.journal()
