"""The desk: UAPI's pure rules over a switchboard that runs.

``uapi.respond`` decides a request on the register; the desk appends it to the session file, commits what it decided to
the switchboard as commands, and lets the register's calls follow the switchboard's own facts (``mirror``). The
lots are the switchboard's alone: the register shows them. All of that is one piece of work in the calendar, at the
request's rank, with nothing awaited in it.

The telephones are simulated as well: a person who is called, or rung by an UnPark or a PickUp, answers after ``[uapi]
pickup``. A call whose time was up rings its parker until somebody answers or hangs up; nobody does so by itself.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from parksim.engines.commanded import DELAY, Command
from parksim.engines.live import Clock, RealClock, Switchboard, VirtualClock
from parksim.engines.processes import without_collector
from parksim.errors import ArgumentError, CommandError, FailedError
from parksim.rules import codes as c
from parksim.rules import uapi
from parksim.rules.lot import Fact
from parksim.rules.uapi import register as r
from parksim.rules.uapi.calls import answer, due_before, park_view
from parksim.rules.uapi.mirror import mirrored
from parksim.rules.uapi.models import Refusal
from parksim.scenario.model import Scenario
from parksim.scenario.quantities import UNLIMITED
from parksim.server.call_events import CallEvents
from parksim.server.day import Day
from parksim.server.desk_state import DeskState
from parksim.server.directory import directory
from parksim.server.events import BETWEEN_PICTURES_S, named, picture
from parksim.server.fact_commands import agreed, commands_of
from parksim.server.given import Given, read_given
from parksim.server.goals import told
from parksim.server.keeping import Keeper
from parksim.server.notices import Notices
from parksim.server.resuming import resume
from parksim.server.session import Record, Resumed, Session, Speed, Taken, opening_of

_LOG: Final = logging.getLogger(__name__)
MARK_EVERY_S: Final = 5.0
COUNTED: Final = (c.OFFERED, c.PARKED, c.REFUSED, c.RETRIEVED, c.ABANDONED, c.EXPIRED, c.ENDED, c.LOST)
"""The facts that the board counts."""


class Desk:
    """UAPI over a switchboard; an asynchronous context manager.

    Args:
        scenario: what runs.
        rate: simulated seconds a second; ignored when a ``clock`` is given.
        clock: another clock than a real one.
        seed: of the simulated calls.
        traffic: whether there are any.
        base_url: with which links begin; by default the scenario's.
        given: calls to begin with.
        register_file: a file of further ones (see ``read_given``).
        journal: the session file; None for none.
        fsync: whether each line of it is forced to the disk.
        full_replay: whether the session is replayed from its beginning, and its checkpoint held against that.
        start_us: the simulated instant at which it begins to serve; what happens before is simulated at once.
        events_to: the hosts that phoneCallEvents may call.

    Raises:
        SessionError: the session file cannot be used.
        ArgumentError: the scenario's directory and the given calls do not go together.
    """

    def __init__(
        self,
        scenario: Scenario,
        *,
        rate: float = 1.0,
        clock: Clock | None = None,
        seed: int = 1,
        traffic: bool = True,
        base_url: str | None = None,
        given: Sequence[Given] = (),
        register_file: Path | None = None,
        journal: Path | None = None,
        fsync: bool = False,
        full_replay: bool = False,
        start_us: int = 0,
        events_to: Iterable[str] = (),
    ) -> None:
        self.scenario = scenario
        self.rate = rate
        """Simulated seconds a second, unless time stands still."""
        self.paused = False
        self.told_speed: Sequence[Any] = ()
        """The last change of the rate: the rate, whether time stands still, and the rate that the server began with."""
        self.begun_rate = rate
        self._followed = directory(scenario, base_url)
        self._begun_s, self.resumed_after_us = time.time(), 0
        """How much simulated time passed while no server ran."""
        self.cut_bytes = 0
        """How much of a torn last line was cut off the session file."""
        self.notes: list[str] = []
        """What the screen should say at the start: of checkpoints, and of a full replay."""
        self._pickup_us = _pickup_us(scenario)
        self._clock = clock
        self._traffic = traffic
        self._committing: list[Fact] | None = None
        self._changes = 0
        self._changed = asyncio.Event()
        self._counters = dict.fromkeys(COUNTED, 0)
        self._day = Day(len(scenario.lots), scenario.uapi.epoch, round(scenario.queue.target * 1e6))
        self.events = CallEvents()
        self._notices = Notices(events_to)
        self._session: Session | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False
        begun = VirtualClock(0)
        self.switchboard = Switchboard(scenario, clock=begun, seed=seed, traffic=traffic, endless=True, record=False)
        self.switchboard.listen(self._observe)
        self.switchboard.exchange.works["pick_up"] = self._pick_up
        given = (*given, *(() if register_file is None else read_given(register_file)))
        try:
            self._start(journal, given, start_us, fsync=fsync, full_replay=full_replay)
        except BaseException:
            self.close_file()
            raise

    @property
    def register(self) -> r.Register:
        """Directory and calls at this instant, with the switchboard's own lots and its next call's number."""
        seen = self._seen()
        lots = tuple(
            known._replace(
                occupants=tuple(known.occupants),
                parkers=tuple(known.parkers),
                deadlines_us=tuple(known.deadlines_us),
                free=(),
            )
            for known in seen.lots
        )
        return seen._replace(lots=lots)

    def _seen(self) -> r.Register:
        """Return the register for work at this instant: its lots are the switchboard's own, no copies."""
        exchange = self.switchboard.exchange
        return self._followed._replace(lots=tuple(known.view for known in exchange.lots), next_call=exchange.next_call)

    @property
    def state(self) -> DeskState:
        """Everything that the desk knows at this instant and its arguments do not say."""
        model = self.switchboard.snapshot()
        return DeskState(
            reached_us=self.switchboard.reached_us,
            speed=list(self.told_speed),
            changes=self._changes,
            newest_event=self.events.newest,
            counters=[self._counters[kind] for kind in COUNTED],
            day=self._day.state(),
            calls=list(self._followed.calls),
            subscriptions=list(self._followed.subscriptions),
            model=model,
        )

    @property
    def happened(self) -> int:
        """How many facts there were."""
        return self._changes

    @property
    def live(self) -> int:
        """How many calls the register shows."""
        return len(self._followed.calls)

    def become(self, state: DeskState) -> None:
        """Be as a desk with the same arguments was; this one is new."""
        self.switchboard.become(state.model, state.reached_us)
        if state.speed:
            self.told_speed, (self.rate, self.paused, self.begun_rate) = state.speed, state.speed
        self._changes = state.changes
        self.events = CallEvents(state.newest_event)
        self._counters = dict(zip(COUNTED, state.counters, strict=True))
        self._day.become(state.day)
        calls = r.Calls(self._followed.calls.owners, state.calls)
        subscriptions = tuple(r.Subscription(*row) for row in state.subscriptions)
        self._followed = self._followed._replace(calls=calls, subscriptions=subscriptions)

    # How it starts, and goes on ----------------------------------------------------------------------------------

    def follow(self, records: Iterable[Record]) -> None:
        """Do again what followed; nothing of it is written down."""
        for record in records:
            self._replay(record)

    def anew(self) -> "Desk":
        """Return a new desk with the same arguments, without a session and without given calls."""
        seed, base_url = self.switchboard.seed, self._followed.base_url
        return Desk(self.scenario, clock=VirtualClock(0), seed=seed, traffic=self._traffic, base_url=base_url)

    def unlike(self, other: "Desk") -> list[str]:
        """Return by name what another desk, which has come to the same instant, knows otherwise."""
        theirs = other.known()
        return [name for name, ours in self.known().items() if theirs[name] != ours]

    def known(self) -> dict[str, Any]:
        """Return what the desk knows, by name; a telephone has stopped ringing also where nobody has asked since.

        The rate is not in it: until a line says otherwise it is that of the server.
        """
        state = self.state._replace(speed=())
        rung_out = due_before(self._seen(), self.switchboard.reached_us + 1, c.RANK_HANGUP).register.calls
        return {**state._asdict(), **state.model.alike()._asdict(), "model": None, "calls": rung_out}

    def _set_clock(self, now_us: int) -> None:
        """Let time run from an instant on, or stand still there."""
        if self._clock is not None:
            self.switchboard.clock = self._clock
        else:
            self.switchboard.clock = VirtualClock(now_us) if self.paused else RealClock(self.rate, now_us)

    def _replay(self, record: Record) -> None:
        """Do again what a session file tells."""
        if isinstance(record, Speed):
            self.told_speed = [record.rate, record.paused, record.begun_rate]
            self.rate, self.paused, self.begun_rate = self.told_speed
            self._has_changed()
        elif isinstance(record, Resumed):
            self._put_off(record)
        elif isinstance(record, Taken):
            request = record.request
            self.switchboard.at_instant(
                record.at_us, uapi.rank_of(request), lambda now_us: self._take(request, now_us, again=True)
            )

    def _put_off(self, resumed: Resumed) -> None:
        command = Command(resumed.at_us, DELAY, limit_us=resumed.gap_us)
        self.switchboard.at_instant(resumed.at_us, c.RANK_HANGUP, lambda _now_us: self.switchboard.commit(command))

    def _start(
        self, journal: Path | None, given: Sequence[Given], start_us: int, *, fsync: bool, full_replay: bool
    ) -> None:
        """Come to know what the session tells, or begin one; then let time run from where it has come to."""
        rate = self.rate
        if journal is not None and journal.is_file() and journal.stat().st_size:
            self._session = self._opened(journal, given, start_us, fsync=fsync, full=full_replay)
        if self._session is None or self._session.checkpoint is None or full_replay:
            self._begin(start_us, given)
        else:
            with without_collector():
                self.become(self._session.checkpoint.state)
        if journal is not None and self._session is None:  # only now: the given calls are in order
            self._session = self._opened(journal, given, start_us, fsync=fsync)
        now_us = max(self.switchboard.reached_us, 0)
        self._set_clock(now_us if self._session is None else resume(self, self._session, rate, compare=full_replay))

    def _opened(
        self, journal: Path, given: Sequence[Given], start_us: int, *, fsync: bool, full: bool = False
    ) -> Session:
        opening = opening_of(
            self.scenario, self.switchboard.seed, traffic=self._traffic, given=given, start_us=start_us
        )
        with without_collector():  # which would look through thousands of new calls again and again
            return Session(journal, opening, fsync=fsync, full=full)

    def _begin(self, start_us: int, given: Sequence[Given]) -> None:
        """Let happen what comes before it serves, and let the given calls in."""
        if start_us:
            self.switchboard.at_instant(start_us, c.RANK_HANGUP, lambda _now_us: None)
        for number, one in enumerate(given, 1):
            try:
                self._admit(one)
            except ValueError as error:
                raise ArgumentError(f"given call {number}: {error}") from None

    def _admit(self, given: Given) -> None:
        """Let a given call in: offered, answered, parked, a microsecond each.

        Raises:
            ArgumentError: it does not go with the directory or with another call.
        """
        switchboard = self.switchboard
        for key, number in (("extension", given.extension), ("parker", given.parker)):
            if number is not None and r.place_of_extension(self._followed, number) == c.NOBODY:
                known = ", ".join(extension.number for extension in self._followed.extensions[:5]) or "none"
                raise ArgumentError(f"{key}: there is no extension {number[:40]!r} in [uapi]; there are: {known}")

        def offered(now_us: int) -> None:
            offer = partial(uapi.offer, self._seen(), given.extension, peer=given.peer, call_id=given.id)
            self._commit(*offer(now_us=now_us, incoming=given.incoming, caller_id=given.caller_id), now_us)

        switchboard.at_next(c.RANK_ARRIVAL, offered)
        call = switchboard.exchange.next_call - 1
        if given.answered:
            switchboard.at_next(c.RANK_ANSWER, partial(self._pick_up, call, None))
        if given.parker:
            parker = r.place_of_extension(self._followed, given.parker)
            limit_us = round(given.limit_s * 1e6)

            def parked(now_us: int) -> None:
                seen = self._seen()
                known = r.call_with_number(seen, call)
                self._commit(*park_view(seen, known, len(known.views) - 1, parker, limit_us, now_us), now_us)

            switchboard.at_next(c.RANK_PARK_REQUEST, parked)
            if r.call_with_number(self._followed, call).stay is None:
                raise ArgumentError(f"the lot of {given.parker} is full")

    async def __aenter__(self) -> Self:
        await self.switchboard.__aenter__()
        self._notices.active = True
        self._tasks.add(asyncio.create_task(self._mark(), name="parksim session marks"))
        if self._session is not None:
            keeper = Keeper(self, self._session)
            self._tasks.add(asyncio.create_task(keeper.run(), name="parksim checkpoints"))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True  # from here on nothing is accepted, since nothing would be written down
        if self._session is not None:
            with suppress(OSError):
                self._session.mark(self.switchboard.now_us)
        self.close_file()
        await self._notices.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        try:
            await self.switchboard.aclose()  # hangs up for the facts' sake; a session goes on from before that
        finally:
            self._changed.set()

    def close_file(self) -> None:
        """Let go of the session file."""
        if self._session is not None:
            self._session.close()
            self._session = None

    async def _mark(self) -> None:
        """Note now and then how far simulated time has come."""
        while self._session is not None:
            await asyncio.sleep(MARK_EVERY_S)
            with suppress(OSError):  # the next request that changes something reports the full disk
                self._session.mark(self.switchboard.now_us)

    # Requests ----------------------------------------------------------------------------------------------------

    async def ended(self) -> Exception | None:
        """Wait until the switchboard has ended; return what ended it if it did not end by itself."""
        await self.switchboard.ended()
        return self.switchboard.failure

    async def catch_up(self) -> None:
        """Let what is due happen in slices; a task that awaits this before ``respond`` never holds up the loop."""
        try:
            await self.switchboard.catch_up()
        except Exception:
            if self.switchboard.failure is None:  # else respond answers accordingly
                raise

    def respond(self, request: uapi.Request) -> uapi.Reply:
        """Answer a request; what it changes is in the session file and in effect before this returns.

        It raises nothing: what fails is answered with 500, and nothing of it is in effect.
        """
        return self._at_next(uapi.rank_of(request), lambda now_us: self._take(request, now_us, again=False))

    def _at_next(self, rank: int, work: Callable[[int], uapi.Reply]) -> uapi.Reply:
        if self._closing:
            return uapi.refusal_reply(Refusal.SERVICE_UNAVAILABLE, "The server is shutting down.")
        if self.switchboard.failure is not None:
            return uapi.refusal_reply(Refusal.SERVICE_UNAVAILABLE, "The switchboard has failed.")
        try:
            return self.switchboard.at_next(rank, work)
        except Exception:  # noqa: BLE001 - the client gets an answer to any error, and the log has it
            _LOG.exception("a request failed")
            return uapi.refusal_reply(Refusal.INTERNAL_ERROR)

    def turn(self, rate: float, *, paused: bool) -> uapi.Reply:
        """Let time run at a rate from now on, or stand still; that is in the session file before it is in effect.

        While it stands still requests are answered, each a microsecond after the one before.
        """

        def turned(now_us: int) -> uapi.Reply:
            if self._session is not None:
                try:
                    self._session.turn(now_us, rate, paused=paused, begun_rate=self.begun_rate)
                except OSError:
                    return uapi.refusal_reply(Refusal.SERVICE_UNAVAILABLE, "The session file cannot be written.")
            self.rate, self.paused, self.told_speed = rate, paused, [float(rate), paused, float(self.begun_rate)]
            self._set_clock(now_us)
            self._has_changed()
            return uapi.Reply(204, b"", ())

        return self._at_next(c.RANK_HANGUP, turned)

    def _take(self, request: uapi.Request, now_us: int, *, again: bool) -> uapi.Reply:
        """Decide, check, write down, commit; ``again`` when it stands in the session file already."""
        before = self._seen()
        outcome = uapi.respond(before, request, now_us=now_us)
        subscribed = outcome.register.subscriptions is not before.subscriptions
        if request.method == "GET" or not (subscribed or outcome.facts or outcome.register.calls is not before.calls):
            if again:
                raise ArgumentError("it changes nothing, and a session has only what changed something")
            self._followed = outcome.register  # at most a telephone has stopped ringing
            return outcome.reply
        named = outcome.register.subscriptions[-1:] if subscribed and request.method != "DELETE" else ()
        if not again and self._notices.refuses(named):
            told_why = "The url names a host that this server does not call; it is started with --events-to HOST."
            return uapi.refusal_reply(Refusal.EVENT_URL_INVALID, told_why)
        self._check(outcome.facts, now_us)
        if self._session is not None and not again:
            try:
                self._session.take(now_us, request)
            except OSError:
                return uapi.refusal_reply(Refusal.SERVICE_UNAVAILABLE, "The session file cannot be written.")
        self._commit(outcome.register, outcome.facts, now_us)
        self._let_telephones_ring(before, outcome)
        return outcome.reply

    def _check(self, facts: Sequence[Fact], now_us: int) -> None:
        """Make sure that the switchboard will write those facts, before anything is in effect.

        Raises:
            FailedError: register and switchboard disagree about a call, which is a fault of parksim.
        """
        for command in commands_of(facts, now_us):
            try:
                self.switchboard.exchange.check(command)
            except CommandError as error:
                raise FailedError(f"register and switchboard disagree: {error}") from error

    def _commit(self, register: r.Register, facts: Sequence[Fact], now_us: int) -> None:
        """Do to the switchboard what the rules decided; it must write the very facts."""
        self._committing = []
        try:
            for command in commands_of(facts, now_us):
                self.switchboard.commit(command)
            written = self._committing
        finally:
            self._committing = None
        if [agreed(fact) for fact in written] != [agreed(fact) for fact in facts]:
            raise FailedError(f"the rules decided {facts}, the switchboard wrote {written}")
        self._follow(register, facts)

    def _follow(self, register: r.Register, facts: Sequence[Fact]) -> None:
        """Let the register become this one, and tell of the facts that led there."""
        before, self._followed = self._followed, register
        for fact in facts:
            calls = before.calls.with_number(fact.call), register.calls.with_number(fact.call)
            self.events.happened(fact, *calls)
            self._notices.happened(register, fact, *calls)

    def _let_telephones_ring(self, before: r.Register, outcome: uapi.Outcome) -> None:
        """Let a person who is called, or rung by an UnPark or a PickUp, answer after a while."""
        if self._pickup_us == c.NEVER:
            return
        later = partial(self.switchboard.later, self._pickup_us)
        for fact in outcome.facts:
            if fact.kind == c.OFFERED:
                later(c.RANK_ANSWER, partial(self._pick_up, fact.call, None))
        for number in outcome.acted:
            call, was = (calls.with_number(number) for calls in (outcome.register.calls, before.calls))
            ringing = None if call is None else call.stay or call.returning
            if ringing is None or ringing.rung == c.NOBODY:
                continue
            if was is None or (was.stay or was.returning) != ringing:
                later(c.RANK_RETRIEVAL, partial(self._pick_up, number, ringing))

    def _pick_up(self, number: int, ringing: r.Stay | r.Return | None, now_us: int) -> None:
        """Answer a call that rings; one that an UnPark or a PickUp rings for only while it is still that ringing."""
        call = self._followed.calls.with_number(number)
        if call is None or (call.stay or call.returning) != ringing:
            return
        self._commit(*answer(self._seen(), call.id, now_us=now_us), now_us)

    def _has_changed(self) -> None:
        """Let the board know that there is something new to see."""
        self._changes += 1
        self._changed.set()

    # What the switchboard does by itself -------------------------------------------------------------------------

    def _observe(self, fact: Fact) -> None:
        """Keep the register and the counters true to a fact."""
        self._has_changed()
        if fact.kind in self._counters:
            self._counters[fact.kind] += 1
        place = self.switchboard.calls.get(fact.call)
        self._day.observe(fact, placed=place is not None and place.told, name=self._named)
        if self._committing is not None:
            self._committing.append(fact)
        else:
            self._follow(mirrored(self._followed, fact), (fact,))

    def _named(self, fact: Fact) -> dict[str, Any]:
        """Return who the caller and the parker of a refusal or a return are, for the board's lists."""
        return named(self._followed, fact)

    # The board ---------------------------------------------------------------------------------------------------

    async def changes(self) -> AsyncIterator[int]:
        """Yield the number of the newest change whenever there is one, so often and no oftener than a board needs."""
        told = -1
        while not (self.switchboard.closed and self._changes == told):
            if self._changes == told:
                self._changed.clear()
                await self._changed.wait()
                continue
            told = self._changes
            yield told
            await asyncio.sleep(BETWEEN_PICTURES_S)

    def snapshot(self) -> dict[str, Any]:
        """Return the whole picture, ready for JSON (see ``picture``)."""
        counters = {c.KIND_NAMES[kind].lower(): count for kind, count in self._counters.items()}
        head = {"id": self._changes, "rate": self.rate, "paused": self.paused, "counters": counters}
        head |= {"begun_s": self._begun_s, "resumed_after_us": self.resumed_after_us}
        return head | picture(self.switchboard, self.register) | told(self._day, self.scenario, self.switchboard.now_us)


def _pickup_us(scenario: Scenario) -> int:
    """Return how long a person's telephone rings before it is answered, ``NEVER`` for ever."""
    pickup = scenario.uapi.pickup
    return c.NEVER if pickup == UNLIMITED else max(1, round((pickup or 0.0) * 1e6))


__all__ = ["COUNTED", "MARK_EVERY_S", "Desk", "directory"]
