"""The live switchboard: the SimPy model driven by asyncio, in real time, faster, or as fast as it goes.

``Switchboard`` owns a ``CommandedExchange`` and one task that waits for the earlier of the model's next event and the
next command. Between the check of a command and its effect nothing is awaited, so whoever is cancelled, wherever,
leaves the model whole. A command is stamped with the clock's instant, or one microsecond after the last instant that
has happened, whichever is later; it is kept in ``commands``, and ``commanded.simulate`` gives the same rows from them.

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
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import Final, NamedTuple, Protocol, Self, TypeVar

import simpy

from parksim.engines.commanded import (
    ANSWER,
    DELAY,
    HANG_UP,
    PARK,
    PLACE,
    RANKS,
    STOP,
    UNPARK,
    Batch,
    Command,
    CommandedExchange,
    CommandError,
    Place,
    Traffic,
)
from parksim.journal import Journal, JournalWriter
from parksim.rules import life
from parksim.rules.codes import NEVER, NOBODY
from parksim.rules.lot import Fact
from parksim.scenario import Scenario
from parksim.workload import draw

SLICE: Final = 200
"""Events after which other tasks of the loop get their turn: some milliseconds."""
KEPT_FOR_A_READER: Final = 10_000
"""Facts that wait for a slow reader before it misses some."""
FOR_EVER: Final = 2**63 - 1


T = TypeVar("T")
LONGEST_SLEEP_S: Final = 1.0
"""The loop's own clock may stand still while the machine is suspended; so late is the first timer after that."""


def _real_ns() -> int:
    """Return real nanoseconds that go on while the machine is suspended, where the system has such a clock."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic_ns() if boot is None else time.clock_gettime_ns(boot)


class Missed(NamedTuple):
    """What a slow reader of ``facts()`` is told instead of the facts that it has missed."""

    facts: int


class Clock(Protocol):
    """What tells the switchboard how far simulated time has come."""

    def now_us(self, reached_us: int) -> int:
        """Return the instant that a command gets now; events up to ``reached_us`` have happened."""

    def allowed_us(self) -> int:
        """Return the last instant whose events may happen now."""

    async def wait(self, time_us: int, woken: asyncio.Event) -> int:
        """Wait until events of ``time_us`` may happen, or ``woken`` is set.

        Returns:
            By how many microseconds of simulated time it is late, 0 for in time; negative: it was woken before.
        """


class VirtualClock:
    """As fast as it goes, or until it is told to stop: then it shows ``stop_before_us``, whose events are to come."""

    def __init__(self, stop_before_us: int | None = None) -> None:
        self.stop_before_us = stop_before_us

    def now_us(self, reached_us: int) -> int:
        """Return where it stopped, or the last instant that has happened."""
        return reached_us if self.stop_before_us is None else max(reached_us, self.stop_before_us)

    def allowed_us(self) -> int:
        """Return the last instant before the stop."""
        return FOR_EVER - 1 if self.stop_before_us is None else self.stop_before_us - 1

    async def wait(self, time_us: int, woken: asyncio.Event) -> int:
        """Be in time at once, or wait until somebody lets the clock go on."""
        if time_us <= self.allowed_us():
            return 0
        await woken.wait()
        return -1


class RealClock:
    """Real time, or ``rate`` times as fast, from ``start_us`` on, by the monotonic clock.

    Args:
        rate: simulated seconds a second.
        start_us: the simulated instant at which it starts.
        monotonic_ns: where real nanoseconds come from.

    Raises:
        ValueError: the rate is not positive, or over 1,000,000.
    """

    def __init__(self, rate: float = 1.0, start_us: int = 0, monotonic_ns: Callable[[], int] = _real_ns) -> None:
        if not 0 < rate <= 1_000_000:
            raise ValueError(f"a rate lies above 0 and up to 1,000,000 (60: a minute a second), not {rate}")
        self.rate = rate
        self._start_us = start_us
        self._monotonic_ns = monotonic_ns
        self._started_ns = monotonic_ns()

    def now_us(self, reached_us: int) -> int:
        """Return what the clock shows, whatever has happened."""
        return max(self.allowed_us(), reached_us)

    def allowed_us(self) -> int:
        """Return what the clock shows, rounded down: no timer is early."""
        return self._start_us + int((self._monotonic_ns() - self._started_ns) * self.rate / 1000)

    async def wait(self, time_us: int, woken: asyncio.Event) -> int:
        """Sleep until then, or until woken."""
        while (ahead_us := time_us - self.allowed_us()) > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(woken.wait(), min(ahead_us / self.rate / 1e6 + 1e-4, LONGEST_SLEEP_S))
                return -1
        return -ahead_us


class _Reader:
    """What one reader of facts has still to read."""

    def __init__(self, limit: int) -> None:
        self.waiting: deque[Fact] = deque(maxlen=limit)
        self.missed = 0
        self.news = asyncio.Event()

    def tell(self, fact: Fact) -> None:
        if len(self.waiting) == self.waiting.maxlen:
            self.missed += 1
        self.waiting.append(fact)
        self.news.set()


class Switchboard:
    """A switchboard that lives as long as ``async with`` does.

    Args:
        scenario: its attendants, staff and lots, and the traffic.
        clock: a ``RealClock`` (the default, rate 1), a ``VirtualClock``, or one of your own.
        seed: of the simulated calls.
        replication: of the simulated calls.
        traffic: whether there are simulated calls beside those that commands place.
        endless: whether further days of traffic follow the scenario's horizon.
        record: whether ``journal()`` keeps all rows.
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
        self.seed = seed
        self.replication = replication
        self.clock: Clock = RealClock() if clock is None else clock
        self.commands: list[Command] = []
        """Every command that was done, in order: ``commanded.simulate`` gives the same rows from them."""
        self._extensions = [number for numbers in scenario.uapi.users.values() for number in numbers]
        self._record = record
        self._rows = JournalWriter()
        self._readers: set[_Reader] = set()
        self._listeners: list[Callable[[Fact], None]] = []
        self._written: list[Fact] = []
        self._env = simpy.Environment()
        batches = _batches(scenario, seed, replication, endless=endless) if traffic else iter(())
        self.exchange = CommandedExchange(self._env, scenario.settings, Traffic(batches), self._write)
        self._reached_us = -1
        self._woken = asyncio.Event()
        self._moved = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    async def __aenter__(self) -> Self:
        self._task = asyncio.get_running_loop().create_task(self._drive(), name="parksim switchboard")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End the traffic and hang up every call, so that each call offered has ended once; then let go."""
        if self._closed:
            return
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        self.perform(Command(0, STOP))
        for call in sorted(self.exchange.places):
            self.perform(Command(0, HANG_UP, (call,)))
        self._env.run()  # what is left are announcements
        for reader in self._readers:
            reader.news.set()
        self._moved.set()

    # Commands ----------------------------------------------------------------------------------------------------

    async def place_call(self, extension: int | str) -> int:
        """Place a call from an extension, on a second line of it, and return the call's number: OFFERED.

        Args:
            extension: its number as ``[uapi]`` has it, or its place there (attendants first, then staff).

        Raises:
            CommandError: there is no such extension.
        """
        return self.perform(Command(0, PLACE, extension=self.extension(extension)))[0].call

    async def answer(self, call: int, extension: int | str | None = None) -> Fact:
        """Answer a placed call that is being set up (ANSWERED), or any return that rings (RECALL_ANSWERED).

        Raises:
            CommandError: it rings nowhere.
        """
        who = NOBODY if extension is None else self.extension(extension)
        return self.perform(Command(0, ANSWER, (call,), who))[0]

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
        limit_us = NEVER if limit_s is None else round(limit_s * 1e6)
        if limit_us < 1 and limit_us != NEVER:
            raise CommandError(f"a stay lasts at least a microsecond, not {limit_s} s")
        return self.perform(Command(0, PARK, (call,), self.extension(extension), limit_us, lot, asked))[0]

    async def unpark(self, call: int, extension: int | str) -> Fact:
        """Fetch a parked call: RETRIEVED. At its deadline itself that still succeeds.

        Raises:
            CommandError: the call is not parked.
        """
        return self.perform(Command(0, UNPARK, (call,), self.extension(extension)))[0]

    async def hang_up(self, call: int) -> Fact:
        """Hang up a call wherever it is: ABANDONED or ENDED.

        Raises:
            CommandError: there is no such call.
        """
        return self.perform(Command(0, HANG_UP, (call,)))[0]

    def perform(self, command: Command) -> list[Fact]:
        """Stamp a command, do it, keep it, and return the facts that it wrote; nothing is awaited.

        Raises:
            CommandError: it cannot be done; nothing has changed.
        """
        return self.at_next(RANKS[command.kind], lambda now_us: self.commit(command._replace(time_us=now_us)))

    def commit(self, command: Command) -> list[Fact]:
        """Do a command that is stamped with the instant at hand, and keep it."""
        before = len(self._written)
        self.exchange.do(command)
        self.commands.append(command)
        return self._written[before:]

    def at_next(self, rank: int, work: Callable[[int], T]) -> T:
        """Let all happen that comes before (the next command's instant, ``rank``), then ``work`` with that instant."""
        stamp_us = max(self.clock.now_us(max(self._reached_us, 0)), self._reached_us + 1)
        return self.at_instant(stamp_us, rank, work)

    def at_instant(self, stamp_us: int, rank: int, work: Callable[[int], T]) -> T:
        """Let all happen that comes before (``stamp_us``, ``rank``), then ``work``."""
        results: list[T] = []
        self.exchange.at(stamp_us, rank, lambda: results.append(work(stamp_us)))
        while not results:
            self._step()
        self._woken.set()  # what comes next may have changed
        return results[0]

    def later(self, delay_us: int, rank: int, work: Callable[[int], object]) -> None:
        """Put ``work`` into the calendar ``delay_us`` from the instant at hand on; it may ``commit`` commands."""
        time_us = self._env_us() + delay_us
        self.exchange.at(time_us, rank, lambda: work(time_us))

    # What is there -----------------------------------------------------------------------------------------------

    @property
    def now_us(self) -> int:
        """The instant that the clock shows."""
        return self.clock.now_us(max(self._reached_us, 0))

    @property
    def closed(self) -> bool:
        """Whether it has ended."""
        return self._closed

    @property
    def reached_us(self) -> int:
        """The last instant of which something has happened; -1 before the first."""
        return self._reached_us

    @property
    def calls(self) -> dict[int, Place]:
        """Where each call is that is not over, by number."""
        return self.exchange.places

    def parked(self) -> list[Place]:
        """Return the calls in the lots, lot by lot, slot by slot."""
        return sorted(
            (place for place in self.exchange.places.values() if place.state == life.IN_SLOT),
            key=lambda place: (place.lot, place.slot),
        )

    def extension(self, name: int | str) -> int:
        """Return an extension's place, which is its number in the facts.

        Raises:
            CommandError: there is no such extension; says which there are.
        """
        if isinstance(name, int):
            if name < 0:
                raise CommandError(f"extensions are numbered from 0, not {name}")
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
            settings=scenario.settings._asdict(),
            seed=self.seed,
            replication=self.replication,
            engine="live",
            commands=len(self.commands),
        )
        return journal

    async def facts(self, limit: int = KEPT_FOR_A_READER) -> AsyncIterator[Fact | Missed]:
        """Yield each fact from now on as it happens, until the switchboard is closed.

        A reader that is slow does not hold up anybody: the oldest of more than ``limit`` facts are dropped, and it is
        told by ``Missed`` how many.
        """
        reader = _Reader(limit)
        self._readers.add(reader)
        try:
            while True:
                await reader.news.wait()
                if reader.missed:
                    missed, reader.missed = reader.missed, 0
                    yield Missed(missed)
                elif reader.waiting:
                    yield reader.waiting.popleft()
                elif self._closed:
                    return
                else:
                    reader.news.clear()
        finally:
            self._readers.discard(reader)

    def listen(self, listener: Callable[[Fact], None]) -> None:
        """Have ``listener`` told of every fact at once, before anything else happens."""
        self._listeners.append(listener)

    # Time --------------------------------------------------------------------------------------------------------

    async def run_to(self, time_us: int) -> None:
        """Let everything before ``time_us`` happen; a virtual clock then stands there."""
        if isinstance(self.clock, VirtualClock):
            self.clock.stop_before_us = time_us
            self._woken.set()
        while (self._peek_us() < time_us or self.now_us < time_us) and not self._closed:
            if self._peek_us() >= time_us:
                await self.clock.wait(time_us, asyncio.Event())
            else:
                await self._move()

    async def finish(self) -> Journal:
        """Let everything happen that is to happen (a virtual clock runs on), and return the journal.

        A call that is placed and not hung up does not end by itself, and is left as it is.
        """
        if isinstance(self.clock, VirtualClock):
            self.clock.stop_before_us = None
            self._woken.set()
        while self._peek_us() < FOR_EVER and not self._closed:
            await self._move()
        return self.journal()

    async def _move(self) -> None:
        """Wait until the driver has let something happen; raises what ended it."""
        assert self._task is not None
        self._moved.clear()
        moved = asyncio.ensure_future(self._moved.wait())
        try:
            await asyncio.wait({moved, self._task}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            moved.cancel()
        if self._task.done() and not self._task.cancelled():
            self._task.result()

    async def _drive(self) -> None:
        """Let events happen when the clock allows, a slice at a time."""
        while True:
            self._woken.clear()
            late_us = await self.clock.wait(self._peek_us(), self._woken)
            if late_us < 0:
                continue
            self.catch_up(SLICE)
            self._moved.set()
            await asyncio.sleep(0)

    def catch_up(self, most: int) -> None:
        """Let up to ``most`` events happen that are due."""
        allowed_us = self.clock.allowed_us()
        for _ in range(most):
            if self._peek_us() > allowed_us:
                return
            self._step()

    def delay_traffic(self, delay_us: int) -> None:
        """Put off all simulated arrivals to come."""
        self.perform(Command(0, DELAY, limit_us=delay_us))

    def _peek_us(self) -> int:
        peek = self._env.peek()
        return FOR_EVER if peek == float("inf") else int(peek)

    def _env_us(self) -> int:
        return self.exchange.now_us

    def _step(self) -> None:
        self._written.clear()
        self._env.step()
        self._reached_us = self._env_us()

    def _write(self, *row: int) -> None:
        """Pass a fact on to the journal, to whoever listens, and to the readers."""
        fact = Fact(*row)
        self._written.append(fact)
        if self._record:
            self._rows.append(*fact)
        for listener in self._listeners:
            listener(fact)
        for reader in self._readers:
            reader.tell(fact)


def _batches(scenario: Scenario, seed: int, replication: int, *, endless: bool) -> Iterator[Batch]:
    """Yield the traffic of one replication; when endless, that of the next ones after it, a horizon later each."""
    yield Batch(draw(scenario, seed, replication), 0)
    shift_us = 0
    while endless:
        replication += 1
        shift_us += scenario.horizon_us + scenario.cool_down_us
        yield Batch(draw(scenario, seed, replication), shift_us)


__all__ = [
    "Clock",
    "Command",
    "CommandError",
    "Missed",
    "Place",
    "RealClock",
    "Switchboard",
    "VirtualClock",
]
