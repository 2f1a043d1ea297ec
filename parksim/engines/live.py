"""The live switchboard: the SimPy model driven by asyncio, in real time, faster, or as fast as it goes.

``Switchboard`` owns a ``CommandedExchange`` and one task that waits for the earlier of the model's next event and the
next command. Between the check of a command and its effect nothing is awaited, so a caller who is cancelled, at any
point, leaves the model whole. A command is stamped with the clock's instant, or one microsecond after the last instant
that has happened, whichever is later; it is kept in ``commands``, and ``commanded.simulate`` gives the same rows from
them.

>>> import asyncio, parksim
>>> async def park_and_fetch():
...     scenario = parksim.Scenario.loads(parksim.TEMPLATE)
...     clock = VirtualClock(stop_before_us=0)
...     async with Switchboard(scenario, clock=clock, traffic=False) as switchboard:
...         call = await switchboard.place_call(extension=0)
...         await switchboard.answer(call)
...         parked = await switchboard.park(call, extension=0, limit_s=30)
...         await switchboard.run_to(parked.deadline_us)
...         return await switchboard.unpark(call, extension=1)  # at the deadline itself
>>> fact = asyncio.run(park_and_fetch())
>>> fact.slot, fact.extension
(0, 1)
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from functools import partial
from math import isfinite
from types import TracebackType
from typing import Final, NamedTuple, Self, TypeVar
from weakref import WeakSet

from parksim.engines import commanded as cmd
from parksim.engines.clocks import FOR_EVER, Clock, RealClock, VirtualClock
from parksim.engines.commanded import RANKS, Command, Place
from parksim.engines.snapshot import Calendar, KeptExchange, Snapshot
from parksim.engines.traffic import Bookmark, Traffic, endless_batches, one_batch
from parksim.errors import ArgumentError, CommandError, EndedError, StateError
from parksim.journal.journal import Journal, JournalWriter
from parksim.rules import life
from parksim.rules.codes import NEVER, NOBODY
from parksim.rules.lot import Fact
from parksim.scenario.arguments import checked_scenario, whole
from parksim.scenario.model import Scenario

_LOG: Final = logging.getLogger(__name__)
SLICE: Final = 200
"""Events after which other tasks of the loop get their turn: some milliseconds."""
KEPT_FOR_A_READER: Final = 10_000
"""Facts that wait for a slow reader before it misses some."""
MOST_EXTENSION: Final = 2**15 - 1
"""What the journal's column holds."""
T = TypeVar("T")


class Missed(NamedTuple):
    """What a slow reader of ``facts()`` is told instead of the facts that it has missed."""

    facts: int


class Facts(AsyncIterator["Fact | Missed"]):
    """The facts of a switchboard from one instant on, for one reader; see ``Switchboard.facts``."""

    def __init__(self, switchboard: "Switchboard", limit: int) -> None:
        if limit < 1:
            raise ArgumentError(f"a reader keeps at least one fact, not {limit}")
        self._switchboard = switchboard
        self._waiting: deque[Fact] = deque(maxlen=limit)
        self._missed = 0
        self._news = asyncio.Event()

    def tell(self, fact: Fact) -> None:
        """Keep a fact for the reader, in place of the oldest when there are too many."""
        if len(self._waiting) == self._waiting.maxlen:
            self._missed += 1
        self._waiting.append(fact)
        self._news.set()

    def wake(self) -> None:
        """Let the reader see that the switchboard has ended."""
        self._news.set()

    async def __anext__(self) -> "Fact | Missed":
        while not self._missed and not self._waiting:
            self._switchboard.raise_failure()
            if self._switchboard.closed:
                raise EndedError
            self._news.clear()
            await self._news.wait()
        if self._missed:
            missed, self._missed = self._missed, 0
            return Missed(missed)
        return self._waiting.popleft()


class Switchboard:
    """A switchboard that lives as long as ``async with`` does.

    Args:
        scenario: its attendants, staff and lots, and the traffic.
        clock: a ``RealClock`` (the default, rate 1), a ``VirtualClock``, or one of your own.
        seed: of the simulated calls.
        replication: of the simulated calls.
        traffic: whether there are simulated calls beside those that commands place.
        endless: whether the traffic continues beyond the scenario's horizon. It is drawn in short stretches then, so
            these are other calls than those of ``parksim.run``, of the same laws.
        record: whether ``journal()`` keeps all rows and ``commands`` all commands. Without it memory does not grow.

    Raises:
        ArgumentError: the seed or the replication is no whole number from 0.
        WrongTypeError: the scenario is not a Scenario.
    """

    def __init__(
        self,
        scenario: Scenario,
        *,
        clock: Clock | None = None,
        seed: int = 1,
        replication: int = 0,
        traffic: bool = True,
        endless: bool = False,
        record: bool = True,
    ) -> None:
        self.scenario = scenario
        checked_scenario(scenario)
        self.seed = seed = whole("a seed is", seed)
        self.replication = replication = whole("a replication is", replication)
        self.clock: Clock = RealClock() if clock is None else clock
        self.commands: list[Command] = []
        """Every command that was done, in order: ``parksim.run(..., commands=...)`` gives the same rows from them."""
        self._extensions = [number for numbers in scenario.uapi.users.values() for number in numbers]
        self._record = record
        self._rows = JournalWriter()
        self._readers: WeakSet[Facts] = WeakSet()
        self._listeners: list[Callable[[Fact], None]] = []
        self._written: list[Fact] = []
        self._failures: list[Exception] = []
        self.failure: Exception | None = None
        """What ended the switchboard, if it did not end by itself."""
        self._endless = traffic and endless
        self._batches = endless_batches if endless else one_batch
        self._env, self.exchange = self._model(
            0, Traffic(self._batches(scenario, seed, replication) if traffic else ())
        )
        self.calls = self.exchange.places
        """Where each call is that is not over, by number."""
        self.reached_us = -1
        """The last instant of which something has happened; -1 before the first."""
        self._woken = asyncio.Event()
        self._moved = asyncio.Event()
        self._ended = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.closed = False
        """Whether it has ended."""
        self._put_back = 0

    def _model(self, now_us: int, traffic: Traffic) -> tuple[Calendar, KeptExchange]:
        calendar = Calendar(now_us)
        return calendar, KeptExchange(calendar, self.scenario.settings, traffic, self._write)

    def snapshot(self) -> Snapshot:
        """Return the model as it is, with nothing at its instant left half done."""
        self._env.settle(self._step)
        return self.exchange.snapshot()

    def become(self, kept: Snapshot, reached_us: int) -> None:
        """Continue from a snapshot of a switchboard with the same arguments; this new one keeps its ``works``."""
        works, traffic = self.exchange.works, Traffic(())
        if kept.traffic is not None:
            bookmark, index = kept.traffic
            traffic = Traffic(self._batches(self.scenario, self.seed, self.replication, Bookmark(*bookmark)), index)
        self._env, self.exchange = self._model(kept.now_us, traffic)
        self.exchange.works = works
        self.exchange.become(kept)
        self.calls = self.exchange.places
        self.reached_us = reached_us

    async def __aenter__(self) -> Self:
        if self._task is not None or self.closed:
            raise StateError("a switchboard runs once; make another one")
        self._task = asyncio.get_running_loop().create_task(self._drive(), name="parksim switchboard")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End the traffic and hang up every call, so that each call offered has ended once; then let go.

        Raises:
            Exception: what ended the switchboard before, if it did not end by itself.
        """
        if not self.closed:
            self.closed = True  # before anything is awaited: nobody comes in between
            try:
                self._hang_up_all()
            finally:
                self._ended.set()
                self._woken.set()
                self._tell_all()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        self.raise_failure()

    def _hang_up_all(self) -> None:
        """End the traffic and every call, at the instants that have come."""
        if self.failure is not None:
            return  # the model has stopped in the middle of something
        self._at(self.reached_us + 1, RANKS[cmd.STOP], lambda now_us: self.commit(Command(now_us, cmd.STOP)))
        for call in sorted(self.calls):
            self._at(self.reached_us + 1, RANKS[cmd.HANG_UP], partial(self._hang_up, call))
        while self._peek_us() < FOR_EVER:  # what is left are announcements, and alarms of calls that are gone
            self._step()

    def _tell_all(self) -> None:
        self._moved.set()
        for reader in list(self._readers):
            reader.wake()

    async def ended(self) -> None:
        """Wait until it is closed, or has failed (see ``failure``)."""
        await self._ended.wait()

    def raise_failure(self) -> None:
        """Raise what ended the switchboard, if it did not end by itself."""
        if self.failure is not None:
            raise self.failure

    # Commands ----------------------------------------------------------------------------------------------------

    async def place_call(self, extension: int | str) -> int:
        """Place a call from an extension, on a second line of it, and return the call's number: OFFERED.

        Args:
            extension: its number as ``[uapi]`` has it, or its place there (attendants first, then staff).

        Raises:
            CommandError: there is no such extension.
        """
        return (await self._give(Command(0, cmd.PLACE, extension=self.extension(extension))))[0].call

    async def answer(self, call: int, extension: int | str | None = None) -> Fact:
        """Answer a placed call that is being set up (ANSWERED), or any return that rings (RECALL_ANSWERED).

        Raises:
            CommandError: it rings nowhere.
        """
        who = NOBODY if extension is None else self.extension(extension)
        return (await self._give(Command(0, cmd.ANSWER, call, who)))[0]

    async def park(
        self, call: int, extension: int | str, limit_s: float | None = 180, *, lot: int = 0, asked: int = NOBODY
    ) -> Fact:
        """Park a call that somebody talks to: PARKED with slot and deadline, or REFUSED when the lot is full.

        Args:
            call: its number.
            extension: who parks it, and gets it back when its time is up.
            limit_s: the longest stay, at least 1 us; None for no limit.
            lot: its number, from 0.
            asked: the slot asked for, from 0.

        Raises:
            CommandError: the call is in no state to be parked.
        """
        limit_us = NEVER
        if limit_s is not None:
            limit_us = round(limit_s * 1e6) if isfinite(limit_s) else 0
            if not 1 <= limit_us <= cmd.LONGEST_STAY_US:
                raise CommandError(f"a stay lasts at least a microsecond and is finite or None, not {limit_s} s")
        return (await self._give(Command(0, cmd.PARK, call, self.extension(extension), limit_us, lot, asked)))[0]

    async def unpark(self, call: int, extension: int | str) -> Fact:
        """Fetch a parked call: RETRIEVED. At its deadline itself that still succeeds.

        Raises:
            CommandError: the call is not parked.
        """
        return (await self._give(Command(0, cmd.UNPARK, call, self.extension(extension))))[0]

    async def hang_up(self, call: int) -> Fact:
        """Hang up a call wherever it is: ABANDONED or ENDED.

        Raises:
            CommandError: there is no such call.
        """
        return (await self._give(Command(0, cmd.HANG_UP, call)))[0]

    async def hold(self, call: int, *, on: bool = True) -> Place:
        """Put a call that somebody talks to on hold, or take it off; that is no fact, and parking it ends it.

        Raises:
            CommandError: nobody talks to it.
        """
        await self._give(Command(0, cmd.HOLD if on else cmd.UNHOLD, call))
        return self.calls[call]

    async def _give(self, command: Command) -> list[Fact]:
        """Let what is due happen in slices, so that the loop stays responsive; then do the command, at once."""
        await self.catch_up()
        return self.perform(command)

    def perform(self, command: Command) -> list[Fact]:
        """Stamp a command, do it, keep it, and return the facts that it wrote; nothing is awaited.

        Raises:
            CommandError: it cannot be done; nothing has changed.
        """
        return self.at_next(RANKS[command.kind], lambda now_us: self.commit(command._replace(time_us=now_us)))

    def _hang_up(self, call: int, now_us: int) -> list[Fact]:
        return self.commit(Command(now_us, cmd.HANG_UP, call))

    def commit(self, command: Command) -> list[Fact]:
        """Do a command that is stamped with the instant at hand, and keep it."""
        before = len(self._written)
        try:
            self.exchange.do(command)
        except CommandError:
            raise  # and nothing has changed
        except Exception as error:
            self._failures.append(error)
            raise
        if self._record:
            self.commands.append(command)
        return self._written[before:]

    def at_next(self, rank: int, work: Callable[[int], T]) -> T:
        """Let all happen that comes before (the next command's instant, ``rank``), then ``work`` with that instant.

        Raises:
            CommandError: the switchboard is closed.
        """
        stamp_us = max(self.clock.now_us(max(self.reached_us, 0)), self.reached_us + 1)
        return self.at_instant(stamp_us, rank, work)

    def at_instant(self, stamp_us: int, rank: int, work: Callable[[int], T]) -> T:
        """Let all happen that comes before (``stamp_us``, ``rank``), then ``work``; ``stamp_us`` is to come.

        Raises:
            CommandError: the switchboard is closed.
            ArgumentError: ``stamp_us`` is past.
        """
        self.raise_failure()
        if self.closed:
            raise CommandError("the switchboard is closed")
        if stamp_us <= self.reached_us:
            raise ArgumentError(f"{stamp_us} us is past; the switchboard has come to {self.reached_us} us")
        return self._at(stamp_us, rank, work)

    def _at(self, stamp_us: int, rank: int, work: Callable[[int], T]) -> T:
        results: list[T] = []
        errors: list[Exception] = []

        def work_now() -> None:
            try:
                results.append(work(stamp_us))
            except Exception as error:  # noqa: BLE001 - raised again for the giver of the work; the model has run on
                errors.append(error)

        self.exchange.at(stamp_us, rank, work_now)
        while not results and not errors:
            self._step()
        self._woken.set()  # what comes next may have changed
        if errors:
            raise errors[0]
        return results[0]

    def later(self, delay_us: int, rank: int, work: Callable[[int], object]) -> None:
        """Put ``work`` into the calendar ``delay_us`` from the instant at hand on; it may ``commit`` commands.

        So that a snapshot can hold it, it is a ``partial`` of one of ``exchange.works``, with plain arguments.

        Raises:
            ArgumentError: it is not.
        """
        if not isinstance(work, partial) or work.func not in self.exchange.works.values():
            raise ArgumentError(f"{work} has no name: give a partial of one of exchange.works")
        time_us = self.exchange.now_us + delay_us
        self.exchange.at(time_us, rank, partial(work, time_us))

    # What is there -----------------------------------------------------------------------------------------------

    @property
    def now_us(self) -> int:
        """The instant that the clock shows."""
        return self.clock.now_us(max(self.reached_us, 0))

    def parked(self) -> list[Place]:
        """Return the calls in the lots, lot by lot, slot by slot."""
        return sorted(
            (place for place in self.calls.values() if place.state == life.IN_SLOT),
            key=lambda place: (place.lot, place.slot),
        )

    def extension(self, name: int | str) -> int:
        """Return an extension's place, which is its number in the facts.

        Raises:
            CommandError: there is no such extension; says which there are.
        """
        if isinstance(name, int):
            if not 0 <= name <= MOST_EXTENSION:
                raise CommandError(f"extensions are numbered from 0 to {MOST_EXTENSION}, not {name}")
            return name
        if name not in self._extensions:
            known = ", ".join(self._extensions[:5]) or "none"
            raise CommandError(f"there is no extension {name[:40]!r} in [uapi]; there are: {known}")
        return self._extensions.index(name)

    def journal(self) -> Journal:
        """Return all rows so far; none unless ``record``."""
        journal = self._rows.so_far()
        scenario = self.scenario
        journal.header.update(
            name=scenario.name,
            digest=scenario.digest,
            scenario=scenario.canonical,
            settings=scenario.settings.stated(),
            seed=self.seed,
            replication=self.replication,
            engine="live",
            commands=len(self.commands),
        )
        return journal

    def facts(self, limit: int = KEPT_FOR_A_READER) -> Facts:
        """Return an iterator over each fact from now on as it happens, until the switchboard is closed.

        A reader that is slow does not hold up anybody: the oldest of more than ``limit`` facts are dropped, and it is
        told by ``Missed`` how many. One that is no longer used is forgotten.
        """
        reader = Facts(self, limit)
        self._readers.add(reader)
        return reader

    def listen(self, listener: Callable[[Fact], None]) -> None:
        """Have ``listener`` told of every fact at once, before anything else happens; it must not give commands.

        If it raises something, what is happening is brought to its end, and then the switchboard fails with that.
        """
        self._listeners.append(listener)

    # Time --------------------------------------------------------------------------------------------------------

    async def run_to(self, time_us: int) -> None:
        """Let everything before ``time_us`` happen; a virtual clock then stands there, or further on.

        Raises:
            Exception: what ended the switchboard.
        """
        if isinstance(self.clock, VirtualClock):
            self.clock.stop_before_us = max(time_us, self.clock.stop_before_us or 0)
            self._woken.set()
        while not self.closed and (self._peek_us() < time_us or self.now_us < time_us):
            if self._peek_us() >= time_us:
                await self.clock.wait(time_us, self._ended)
            else:
                await self._move()
            self.raise_failure()

    async def finish(self) -> Journal:
        """Let everything happen that is to happen (a virtual clock runs on), and return the journal.

        A call that is placed and not hung up does not end by itself, and is left as it is.

        Raises:
            StateError: the traffic is endless.
            Exception: what ended the switchboard.
        """
        if self._endless:
            raise StateError("endless traffic has no end; use run_to, or endless=False")
        if isinstance(self.clock, VirtualClock):
            self.clock.stop_before_us = None
            self._woken.set()
        while not self.closed and self._peek_us() < FOR_EVER:
            await self._move()
        return self.journal()

    async def _move(self) -> None:
        """Wait until something has happened; raises what ended the switchboard."""
        if self._task is None:
            raise StateError("a switchboard runs within async with")
        self._moved.clear()
        await self._moved.wait()
        self.raise_failure()

    async def _drive(self) -> None:
        """Let events happen when the clock allows, a slice at a time."""
        try:
            while not self.closed and self.failure is None:
                self._woken.clear()
                if await self.clock.wait(self._peek_us(), self._woken) < 0:
                    continue
                self._happen(SLICE, self.clock.allowed_us())
                self._moved.set()
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            if not self.closed:  # somebody cancels all tasks: nothing would happen any more, and nobody know
                self._fail(RuntimeError("the task that drives the switchboard was cancelled"))
            raise
        except Exception as error:  # noqa: BLE001 - raised at the next call
            self._fail(error)

    async def catch_up(self) -> None:
        """Let what is due by now happen, a slice at a time, so that other tasks of the loop have their turn.

        Where the machine cannot follow the clock, that ends when the clock has been put back.
        """
        put_back = self._put_back
        while not self.closed and self.failure is None and put_back == self._put_back:
            due_us = self.clock.allowed_us()
            if self._peek_us() > due_us:
                return
            self._happen(SLICE, due_us)
            await asyncio.sleep(0)

    def _happen(self, most: int, until_us: int) -> None:
        """Let up to ``most`` events happen, none after ``until_us``."""
        for _ in range(most):
            if self.closed or self._peek_us() > until_us:
                break
            self._step()
        if self.clock.follow(max(self.reached_us, 0), self._peek_us()):
            if not self._put_back:
                _LOG.warning("the machine cannot follow at that rate: simulated time runs more slowly")
            self._put_back += 1

    def _peek_us(self) -> int:
        peek = self._env.peek()
        return FOR_EVER if peek == float("inf") else int(peek)

    def _step(self) -> None:
        """Let the next event happen; if that fails the switchboard has ended."""
        self._written.clear()
        try:
            self._env.step()
        except Exception as error:
            self._fail(error)
            raise
        finally:
            self.reached_us = max(self.reached_us, self.exchange.now_us)
        if self._failures:
            self._fail(self._failures[0])
            raise self._failures[0]

    def _fail(self, error: Exception) -> None:
        """End because of an error: everybody who waits gets it, and nothing happens any more."""
        if self.failure is None:
            self.failure = error
        self._ended.set()
        self._tell_all()

    def _write(self, *row: int) -> None:
        """Pass a fact to the journal, to the listeners and to the readers."""
        fact = Fact(*row)
        self._written.append(fact)
        if self._record:
            self._rows.append(*fact)
        for listener in self._listeners:
            try:
                listener(fact)
            except Exception as error:  # noqa: BLE001 - raised again for the giver of the work; the model has run on
                self._failures.append(error)
        if self._readers:
            for reader in self._readers:
                reader.tell(fact)


__all__ = ["Clock", "Command", "CommandError", "Facts", "Missed", "Place", "RealClock", "Switchboard", "VirtualClock"]
