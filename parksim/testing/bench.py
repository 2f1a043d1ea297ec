"""A switchboard of a test's own: a server on a free port, whose time only the test moves.

The server runs in a thread, with the real desk, application and HTTP protocol of ``parksim serve``. Its clock is
virtual: ``advance`` lets everything of that stretch happen at once, and nothing happens by itself. A pure register
follows beside it (``_Watch``): each answer, fact and event must be what ``rules/uapi`` gives from the same history, or
the test fails.

>>> with switchboard({"lot.slots": 2}) as bench:
...     call = bench.call("0003*210", "3235742879")
...     status, _ = bench.ask("PUT", f"/uapi/phoneCalls/@me/@self/{call}", '{"action":"Park","phoneCallViewId":"01"}')
...     parked = bench.parked() == {1: call}
...     bench.advance("3m")
...     status, parked, bench.state(call), bench.returning() == {"0003*210": call}
(200, True, 'rings its parker after the time-out', True)
"""

import asyncio
import http.client
import json
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, Final, TypeVar

from uvicorn.server import ServerState

from parksim.engines.clocks import VirtualClock
from parksim.errors import ArgumentError
from parksim.rules import codes as c
from parksim.rules import uapi
from parksim.rules.lot import Fact
from parksim.rules.uapi import register as r
from parksim.rules.uapi.calls import due_before, state_of
from parksim.rules.uapi.register import Register
from parksim.rules.uapi.service import Scope
from parksim.scenario.model import TEMPLATE, Scenario
from parksim.scenario.quantities import duration_s
from parksim.server.app import App
from parksim.server.call_events import CallEvents
from parksim.server.desk import Desk
from parksim.server.doors import Doors
from parksim.server.given import Given
from parksim.server.serving import Server, bound, resolved
from parksim.server.tokens import SCOPES, Token, Tokens
from parksim.server.wire import Connection

T = TypeVar("T")

PATIENCE_S: Final = 60.0
"""This long a test waits for the server's thread; it is a fault of somebody when that passes."""
VALUES: Final[Mapping[str, object]] = {
    "lot.slots": 100,
    "lot.first": 1,
    "lot.max_in_parking": "180s",
    "uapi.organization": "0003",
    "uapi.users": {"12": ["0003*210", "0003*211"], "33": ["0003*024"]},
}
"""What a switchboard has where a test says nothing else: one lot, two users, three telephones."""
LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
"""Where phoneCallEvents may call."""
_BY_PEOPLE: Final[Mapping[int, Callable[..., uapi.Changed]]] = {
    **dict.fromkeys((c.ANSWERED, c.RETRIEVED, c.RECALL_ANSWERED), uapi.answer),
    **dict.fromkeys((c.ENDED, c.ABANDONED), uapi.hang_up),
}
"""What people do at their telephones, by the fact that it leaves."""


@contextmanager
def switchboard(values: Mapping[str, object] | None = None, *, scenario: Scenario | None = None) -> Iterator["Bench"]:
    """Run a switchboard for a test, with no calls but those that the test or its app makes.

    Args:
        values: scenario values by key, such as ``{"lot.slots": 2, "uapi.pickup": "5s"}``.
        scenario: another one than three telephones at a lot of 100 positions.

    Raises:
        ScenarioError: no scenario has those values.
        AssertionError: at the end, or at ``advance``: an answer was not the one that the pure rules give.
    """
    chosen = _small() if scenario is None else scenario
    bench = Bench(chosen.with_values(values) if values else chosen)
    bench.open()
    try:
        yield bench
    finally:
        bench.close()
    bench.check()


@cache
def _small() -> Scenario:
    return Scenario.loads(TEMPLATE).with_values(VALUES)


class Bench:
    """A running switchboard, from the test's side; ``switchboard`` makes one.

    Attributes:
        url: Where it is, such as ``http://127.0.0.1:40123``.
        token: The bearer token of the first user, with the scope ``user``; ``token_of`` has the others.
    """

    def __init__(self, scenario: Scenario) -> None:
        self._listener = bound(resolved("127.0.0.1", 0))
        self._port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self._desk = _WatchedDesk(scenario, clock=VirtualClock(0), traffic=False, base_url=self.url, events_to=LOOPBACK)
        self._users = tuple(user.id for user in self._desk.register.users)
        self.token = self.token_of(self._users[0])
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="parksim bench", daemon=True)
        self._closing: Callable[[], None] = self._listener.close

    def token_of(self, user: str, scope: Scope = "user") -> str:
        """Return the bearer token of a user, with a scope (``user``, ``organization`` or ``global``).

        Raises:
            ArgumentError: there is no such user or scope.
        """
        if user not in self._users or scope not in SCOPES:
            raise ArgumentError(f"users are {', '.join(self._users)}, scopes {', '.join(SCOPES)}; not {user}, {scope}")
        return f"token-of-{self._users.index(user)}-{scope}"

    def open(self) -> None:
        """Begin to serve."""
        self._thread.start()
        self._wait_for(self._serve())

    def close(self) -> None:
        """End the server and its thread."""
        self._wait_for(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)
        self._loop.close()

    def check(self) -> None:
        """Fail if an answer so far was not the one that the pure rules give.

        Raises:
            AssertionError: one was not.
        """
        if self._desk.watch.faults:
            raise AssertionError("the switchboard broke its rules: " + "; ".join(self._desk.watch.faults))

    # What happens in its world -----------------------------------------------------------------------------------

    def advance(self, duration: str | float) -> None:
        """Let time pass: ``"30s"``, ``"2m30s"``, or seconds. What is due at its very end has happened too.

        Raises:
            ArgumentError: that is no duration.
            AssertionError: an answer before was not the one that the pure rules give.
        """
        passing_us = round(duration_s(duration) * 1e6)
        self._wait_for(self._desk.let_pass(passing_us))
        self.check()

    def call(
        self, extension: str, peer: str, *, incoming: bool = False, answered: bool = True, caller_id: str = ""
    ) -> str:
        """Place a call between an extension and a number (or another extension), and return its id.

        Raises:
            ArgumentError: there is no such extension.
        """
        given = Given(extension=extension, peer=peer, incoming=incoming, answered=answered, caller_id=caller_id)
        return self._in_loop(lambda: self._desk.let_in(given))

    def answer(self, call: str) -> None:
        """Let the telephone that a call rings be answered: by the called, by an UnPark's, or by the parker's."""
        self._in_loop(lambda: self._desk.let_answer(call))

    def hang_up(self, call: str) -> None:
        """Let a call be hung up, wherever it is."""
        self._in_loop(lambda: self._desk.let_hang_up(call))

    # What there is to see ----------------------------------------------------------------------------------------

    def parked(self, lot: int = 0) -> dict[int, str]:
        """Return the parked calls of a lot: position and call id, by position."""
        register = self._in_loop(lambda: self._desk.register)
        stays = ((call.stay, call.id) for call in register.calls if call.stay is not None and call.stay.lot == lot)
        return dict(sorted((register.firsts[stay.lot] + stay.slot, name) for stay, name in stays))

    def returning(self) -> dict[str, str]:
        """Return the calls whose time was up, by the extension that they ring; of several the newest."""
        register = self._in_loop(lambda: self._desk.register)
        backs = ((call.returning, call.id) for call in register.calls if call.returning is not None)
        return {register.extensions[back.parker].number: name for back, name in backs}

    def state(self, call: str) -> str:
        """Return where a call is, in the words of ``rules/uapi``: ``"on call"``, ``"in the lot"``; ``"over"``."""
        register = self._in_loop(lambda: due_before(self._desk.register, self._desk.switchboard.now_us, 0).register)
        known = r.call_with_id(register, call)
        if known is None:
            return "over"
        view = known.stay.view if known.stay else known.returning.view if known.returning else 0
        return state_of(known, view).value

    def events(self, call: str) -> list[str]:
        """Return what apps have heard of a call, in order: ``["offered", "answered", "parked", "expired", ...]``."""
        heard = self._in_loop(lambda: self._desk.events.after(0))
        return [event.name for event in heard if event.call.id == call]

    def ask(self, method: str, path: str, body: str = "", token: str = "") -> tuple[int, Any]:
        """Send a request as an app does, over HTTP; return its status and its JSON (None without a body)."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE_S)
        try:
            connection.request(method, path, body.encode(), {"Authorization": f"Bearer {token or self.token}"})
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        return answer.status, json.loads(content) if content else None

    # How it runs -------------------------------------------------------------------------------------------------

    async def _serve(self) -> None:
        """Let the desk run, and connections in: uvicorn's protocol without its server, which polls."""
        tokens = {self.token_of(user, scope): Token(user, scope) for user in self._users for scope in SCOPES}
        app = App(self._desk, Tokens(tokens), Doors.of("127.0.0.1", self._port, self.url))
        config, state = Server(app).config, ServerState()
        await self._desk.__aenter__()
        server = await self._loop.create_server(lambda: Connection(config, state, {}), sock=self._listener)

        def close() -> None:
            server.close()
            app.close()
            for connection in list(state.connections):
                connection.shutdown()

        self._closing = close

    async def _end(self) -> None:
        self._closing()
        await self._desk.__aexit__(None, None, None)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:  # requests that are being answered, streams that end
            await asyncio.wait(others, timeout=1.0)
        await asyncio.sleep(0)  # transports tell their connections that they are closed

    def _in_loop(self, work: Callable[[], T]) -> T:
        async def worked() -> T:
            return work()

        return self._wait_for(worked())

    def _wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)


class _WatchedDesk(Desk):
    """The desk, with its rules watched and its world in the hands of a test."""

    def __init__(self, scenario: Scenario, **options: Any) -> None:
        super().__init__(scenario, **options)
        self.watch = _Watch(self.register, self.events)
        self.switchboard.listen(self.watch.happened.append)

    def _take(self, request: uapi.Request, now_us: int, *, again: bool) -> uapi.Reply:
        self.watch.follow()
        reply = super()._take(request, now_us, again=again)
        self.watch.compare(request, now_us, reply)
        return reply

    async def let_pass(self, passing_us: int) -> None:
        """Let everything up to an instant happen, that instant included."""
        switchboard = self.switchboard
        until_us = max(switchboard.now_us, 0) + passing_us
        await switchboard.run_to(until_us + 1)
        self.watch.follow()
        self.watch.pass_to(until_us)

    def let_in(self, given: Given) -> str:
        """Let a call be offered, and answered; return its id."""
        self.watch.follow()
        self.watch.coming = given
        self._admit(given)
        self.watch.follow()
        return self.register.calls[-1].id

    def let_answer(self, call: str) -> None:
        """Let a telephone that rings be answered."""
        self._let(c.RANK_RETRIEVAL, lambda now_us: uapi.answer(self.register, call, now_us=now_us))

    def let_hang_up(self, call: str) -> None:
        """Let a call be hung up."""
        self._let(c.RANK_HANGUP, lambda now_us: uapi.hang_up(self.register, call, now_us=now_us))

    def _let(self, rank: int, work: Callable[[int], uapi.Changed]) -> None:
        self.switchboard.at_next(rank, lambda now_us: self._commit(*work(now_us), now_us))


class _Watch:
    """A register that only the pure rules move, beside the desk; what differs is kept as ``faults``.

    People at their telephones are followed by their facts; requests and timers are decided here once more.
    """

    def __init__(self, register: Register, events: CallEvents) -> None:
        self.happened: list[Fact] = []
        """What the switchboard has written since it was last followed."""
        self.faults: list[str] = []
        self.coming: Given | None = None
        """The call that is about to be offered by the test."""
        self._register = register
        self._events = events
        self._heard = events.newest
        self._decided: list[Fact] = []
        self._written: list[Fact] = []

    def follow(self) -> None:
        """Let the same people do the same at the same instants."""
        happened = self.happened[:]
        self.happened.clear()
        for fact in happened:
            self._written.append(fact)
            if fact.kind == c.OFFERED and self.coming is not None:
                coming, self.coming = self.coming, None
                offer = coming.model_dump(include={"peer", "incoming", "caller_id"})
                self._keep(
                    uapi.offer(self._register, coming.extension, now_us=fact.time_us, call_id=coming.id, **offer)
                )
            elif fact.kind in _BY_PEOPLE:
                call = next((known.id for known in self._register.calls if known.number == fact.call), "")
                self._keep(_BY_PEOPLE[fact.kind](self._register, call, now_us=fact.time_us))

    def compare(self, request: uapi.Request, now_us: int, reply: uapi.Reply) -> None:
        """Decide a request once more, and compare."""
        self._written += self.happened
        self.happened.clear()
        outcome = uapi.respond(self._register, request, now_us=now_us)
        self._keep(uapi.Changed(outcome.register, outcome.facts))
        if reply != outcome.reply:
            told = f"{reply.status} {reply.body[:400]!r}, the rules {outcome.reply.status} {outcome.reply.body[:400]!r}"
            self.faults.append(f"{request.method} {request.target} was answered {told}")
        self._agree()

    def pass_to(self, now_us: int) -> None:
        """Let the timers up to an instant happen, and compare."""
        self._keep(due_before(self._register, now_us + 1, c.RANK_HANGUP))
        self._agree()

    def _keep(self, changed: uapi.Changed) -> None:
        self._register = changed.register
        self._decided += changed.facts

    def _agree(self) -> None:
        written, decided = ([_what(fact) for fact in facts] for facts in (self._written, self._decided))
        if written != decided:
            self.faults.append(f"the switchboard wrote {self._written}, the rules {self._decided}")
        heard = [(event.number, _what(event.fact)) for event in self._events.after(self._heard)]
        if heard != list(enumerate(decided, self._heard + 1)):
            self.faults.append(f"apps heard {heard} after {self._heard}, the rules decided {decided}")
        self._heard = self._events.newest
        self._written.clear()
        self._decided.clear()


def _what(fact: Fact) -> tuple[int, ...]:
    """Return what must be equal of a fact; the reasons and extensions of an end may differ."""
    return fact.time_us, fact.call, fact.kind, fact.slot, fact.deadline_us
