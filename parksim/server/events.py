"""The board's stream: server-sent events, each the whole picture, so that none ever needs its predecessors.

A viewer gets the picture at once, with any ``Last-Event-ID``, and after a change the next one, at most ten
a second; what is due to a slow viewer is never more than one picture, the newest. All viewers who are due at once get
the same one, drawn once. Between changes a comment every 15 seconds keeps the connection alive and finds out who has
left.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final, Protocol

from parksim.server.wire import SAFETY_HEADERS

VIEWERS_LIMIT: Final = 100
HEARTBEAT_S: Final = 15.0
BETWEEN_PICTURES_S: Final = 0.1
SHARED_S: Final = 0.02
"""So old may a picture be that another viewer has got already: its clock is late by as much."""
RETRY_MS: Final = 1_000

logger = logging.getLogger("parksim.server")

Message = MutableMapping[str, Any]

_HEADERS: Final = [
    (name.lower().encode(), value.encode())
    for name, value in (("Content-Type", "text/event-stream"), ("X-Accel-Buffering", "no"), *SAFETY_HEADERS)
]


class Pictured(Protocol):
    """What the stream needs of a desk."""

    def snapshot(self) -> dict[str, Any]:
        """Return the picture."""

    def changes(self) -> AsyncIterator[int]:
        """Yield the number of the newest change."""


class Viewers:
    """All who watch the board."""

    def __init__(self, desk: Pictured) -> None:
        self._desk = desk
        self._number = 0
        self._closed = asyncio.Event()
        self._drawn_s = -SHARED_S
        self._drawn = (0, "")

    @property
    def full(self) -> bool:
        """Whether no further viewer is let in."""
        return self._number >= VIEWERS_LIMIT

    def close(self) -> None:
        """End all streams."""
        self._closed.set()

    async def stream(
        self, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        """Show the board to one viewer until it leaves, or all streams are ended."""
        self._number += 1
        ends = [asyncio.create_task(_gone(receive)), asyncio.create_task(self._closed.wait())]
        showing = asyncio.create_task(self._show(send))
        try:
            await asyncio.wait([*ends, showing], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._number -= 1
            for task in (*ends, showing):
                task.cancel()
            *_, result = await asyncio.gather(*ends, showing, return_exceptions=True)
        if isinstance(result, Exception):
            logger.error("the board's stream has failed", exc_info=result)
        await send({"type": "http.response.body", "body": b""})

    async def _show(self, send: Callable[[Message], Awaitable[None]]) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        await _write(send, f"retry: {RETRY_MS}\n\n")
        changes = self._desk.changes()
        change = asyncio.create_task(_next(changes))
        await asyncio.sleep(0)  # now the task listens: no change can fall between it and the first picture
        shown = told = -1
        try:
            while True:
                number, text = self._picture(told)
                if number != shown:
                    shown = number
                    await _write(send, text)
                    await asyncio.sleep(BETWEEN_PICTURES_S)
                done, _ = await asyncio.wait([change], timeout=HEARTBEAT_S)
                if not done:
                    await _write(send, ": heartbeat\n\n")
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


async def _write(send: Callable[[Message], Awaitable[None]], text: str) -> None:
    await send({"type": "http.response.body", "body": text.encode(), "more_body": True})


async def _gone(receive: Callable[[], Awaitable[Message]]) -> None:
    """Wait until the viewer has left."""
    while (await receive())["type"] != "http.disconnect":
        pass
