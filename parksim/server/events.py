"""The board: its picture at one instant, ready for JSON, and the stream of it.

Times in a picture are simulated microseconds; ``deadline_us`` is None where a stay has no limit. A call is named by
its UAPI id, an extension by its number; one that the directory does not list by "#" and its place.

The stream is of server-sent events, each the whole picture, so that none ever needs its predecessors.

A viewer gets the picture at once, with any ``Last-Event-ID``, and after a change the next one, at most ten
a second; what is due to a slow viewer is never more than one picture, the newest. All viewers who are due at once get
the same one, drawn once. Between changes a comment every 15 seconds keeps the connection alive and finds out who has
left.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any, Final, Protocol

from parksim.engines.commanded import Place
from parksim.engines.live import Switchboard
from parksim.rules import life
from parksim.rules.codes import NEVER, NOBODY
from parksim.rules.lot import Fact, Lot
from parksim.rules.routing import BUSY_NOW
from parksim.rules.uapi.calls import id_of_number
from parksim.rules.uapi.mirror import caller_id
from parksim.rules.uapi.register import FLOW_INCOMING, Call, Register
from parksim.rules.uapi.replies import STREAM
from parksim.server.wire import SAFETY_HEADERS, header_fields

VIEWERS_LIMIT: Final = 100
HEARTBEAT_S: Final = 15.0
BETWEEN_PICTURES_S: Final = 0.1
SHARED_S: Final = 0.02
"""So old may a picture be that another viewer has got already: its clock is late by as much."""
RETRY_MS: Final = 1_000

BUSY_STATES: Final = {life.WITH_ATTENDANT: "talking", life.AT_PARKER: "ringing"}

logger = logging.getLogger("parksim.server")

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_FIELDS: Final = (*STREAM.headers, *SAFETY_HEADERS)


class Pictured(Protocol):
    """What the stream needs of a desk."""

    def snapshot(self) -> dict[str, Any]:
        """Return the picture."""

    def changes(self) -> AsyncIterator[int]:
        """Yield the number of the newest change."""


class Streams:
    """Server-sent events to many at once, as long as each of them stays."""

    def __init__(self) -> None:
        self._number = 0
        self._closed = asyncio.Event()

    @property
    def full(self) -> bool:
        """Whether nobody else is let in."""
        return self._number >= VIEWERS_LIMIT

    def close(self) -> None:
        """End all streams."""
        self._closed.set()

    async def run(self, receive: Receive, send: Send, show: Callable[[Send], Awaitable[None]]) -> None:
        """Let ``show`` write to one client until that leaves, or all streams are ended."""
        self._number += 1
        ends = [asyncio.create_task(_gone(receive)), asyncio.create_task(self._closed.wait())]
        showing = asyncio.create_task(_begin(send, show))
        try:
            await asyncio.wait([*ends, showing], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._number -= 1
            for task in (*ends, showing):
                task.cancel()
            *_, result = await asyncio.gather(*ends, showing, return_exceptions=True)
        if isinstance(result, Exception):
            logger.error("a stream has failed", exc_info=result)
        await send({"type": "http.response.body", "body": b""})


class Viewers(Streams):
    """All who watch the board."""

    def __init__(self, desk: Pictured) -> None:
        super().__init__()
        self._desk = desk
        self._drawn_s = -SHARED_S
        self._drawn = (0, "")

    async def stream(self, receive: Receive, send: Send) -> None:
        """Show the board to one viewer until it leaves, or all streams are ended."""
        await self.run(receive, send, self._show)

    async def _show(self, send: Send) -> None:
        changes = self._desk.changes()
        change = asyncio.create_task(_next(changes))
        await asyncio.sleep(0)  # now the task listens: no change can fall between it and the first picture
        shown = told = -1
        try:
            while True:
                number, text = self._picture(told)
                if number != shown:
                    shown = number
                    await write(send, text)
                    await asyncio.sleep(BETWEEN_PICTURES_S)
                done, _ = await asyncio.wait([change], timeout=HEARTBEAT_S)
                if not done:
                    await write(send, ": heartbeat\n\n")
                elif (newest := change.result()) is not None:
                    told = newest
                    change = asyncio.create_task(_next(changes))
                else:
                    return
        finally:
            change.cancel()
            await asyncio.gather(change, return_exceptions=True)

    def _picture(self, least: int) -> tuple[int, str]:
        """Return a picture's number, at least this one, and the picture as an event."""
        now_s = asyncio.get_running_loop().time()
        if self._drawn[0] < least or now_s - self._drawn_s >= SHARED_S:
            picture = self._desk.snapshot()
            self._drawn = picture["id"], event(picture)
            self._drawn_s = now_s
        return self._drawn


def event(picture: Mapping[str, Any]) -> str:
    """Return a picture as a server-sent event."""
    return f"id: {picture['id']}\nevent: picture\ndata: {json.dumps(picture, separators=(',', ':'))}\n\n"


async def _next(changes: AsyncIterator[int]) -> int | None:
    """Wait for the next change and return its number; None when there will be none."""
    return await anext(changes, None)


async def _begin(send: Send, show: Callable[[Send], Awaitable[None]]) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": header_fields(*_FIELDS)})
    await write(send, f"retry: {RETRY_MS}\n\n")
    await show(send)


async def write(send: Send, text: str) -> None:
    """Send a part of a stream; it waits while the client takes nothing."""
    await send({"type": "http.response.body", "body": text.encode(), "more_body": True})


async def _gone(receive: Receive) -> None:
    """Wait until the viewer has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


def picture(switchboard: Switchboard, register: Register) -> dict[str, Any]:
    """Return what there is to see."""
    seen = _Seen(switchboard, register)
    places = sorted(switchboard.calls.values(), key=lambda place: (place.since_us, place.call))
    return {
        "name": switchboard.scenario.name,
        "now_us": switchboard.now_us,
        "running": not switchboard.closed and switchboard.failure is None,
        "epoch": register.epoch.isoformat(),
        "lots": [seen.lot(known) for known in register.lots],
        "queue": [seen.told(place) for place in places if place.state == life.IN_QUEUE and not place.told],
        "attendants": seen.attendants(places),
        "returns": [
            seen.told(place) | {"parker": seen.number(place.extension), "ringing": place.state == life.AT_PARKER}
            for place in places
            if place.state in {life.ON_RETURN, life.AT_PARKER}
        ],
        "placed": [
            seen.told(place) | {"extension": seen.number(place.extension)}
            for place in places
            if place.told and place.state in {life.WITH_ATTENDANT, life.WITH_STAFF}
        ],
    }


class _Seen:
    """Names for what the switchboard numbers."""

    def __init__(self, switchboard: Switchboard, register: Register) -> None:
        self._switchboard = switchboard
        self._register = register
        self._calls = {call.number: call for call in register.calls}

    def lot(self, known: Lot) -> dict[str, Any]:
        """Return a lot, slot by slot."""
        slots: list[dict[str, Any] | None] = [None] * known.slots
        for slot, call in enumerate(known.occupants):
            if call != NOBODY:
                deadline_us = known.deadlines_us[slot]
                slots[slot] = {
                    "call": self.id(call),
                    "caller": self.caller(call),
                    "parker": self.number(known.parkers[slot]),
                    "parked_us": self._switchboard.calls[call].since_us,
                    "deadline_us": None if deadline_us == NEVER else deadline_us,
                }
        name = self._register.organizations[known.number].number
        return {"name": name, "first": self._register.firsts[known.number], "slots": slots}

    def told(self, place: Place) -> dict[str, Any]:
        """Return a call that waits somewhere."""
        return {"call": self.id(place.call), "caller": self.caller(place.call), "since_us": place.since_us}

    def attendants(self, places: Sequence[Place]) -> list[dict[str, Any]]:
        """Return what each attendant does."""
        busy = {place.extension: place for place in places if place.state in BUSY_STATES and not place.second_line}
        exchange, board = self._switchboard.exchange, []
        for attendant, idle_us in enumerate(exchange.attendants.idle_since_us):
            on_duty, roster_us = self._duty(attendant)
            state, call, since_us = ("free" if on_duty else "off"), None, max(idle_us, roster_us)
            if attendant in busy:
                place = busy[attendant]
                state, call, since_us = BUSY_STATES[place.state], self.id(place.call), place.since_us
            elif idle_us == BUSY_NOW:
                state, since_us = "announcing", exchange.announcing_since_us.get(attendant, 0)
            board.append({"extension": self.number(attendant), "state": state, "call": call, "since_us": since_us})
        return board

    def _duty(self, attendant: int) -> tuple[bool, int]:
        """Return whether an attendant is on duty and since when, 0 if it is always so; overtime is not looked at."""
        settings = self._switchboard.exchange.settings
        counts, period_us = settings.counts, settings.period_us
        if not counts:
            return True, 0
        now = since = self._switchboard.now_us // period_us
        duty = attendant < counts[now % len(counts)]
        while since > max(0, now - len(counts)) and (attendant < counts[(since - 1) % len(counts)]) == duty:
            since -= 1
        return duty, since * period_us if now - since < len(counts) else 0

    def number(self, extension: int) -> str:
        """Return an extension's number."""
        return number_of(self._register, extension)

    def id(self, number: int) -> str:
        """Return a call's id; one that the register does not show has the one that it would have."""
        call = self._calls.get(number)
        return id_of_number(number) if call is None else call.id

    def caller(self, number: int) -> str:
        """Return the other side of a call as people read it."""
        return caller_of(self._calls.get(number), number)


def number_of(register: Register, extension: int) -> str:
    """Return an extension's number; "#" and its place where the directory does not list it."""
    listed = 0 <= extension < len(register.extensions)
    return register.extensions[extension].number if listed else f"#{extension}"


def caller_of(call: Call | None, number: int) -> str:
    """Return the other side of a call, by its number where the register does not show it."""
    if call is None:
        return caller_id(number)
    view = call.views[-1]
    return view.caller_id or (view.source if view.flow == FLOW_INCOMING else view.destination)[0]


def named(register: Register, fact: Fact) -> dict[str, Any]:
    """Return what a refusal or a time-out concerns: the caller, the extension that parked or wanted to, and the lot."""
    caller = caller_of(register.calls.with_number(fact.call), fact.call)
    lot = register.organizations[register.lots[fact.lot].number].number
    return {"caller": caller, "parker": number_of(register, fact.extension), "lot": lot}
