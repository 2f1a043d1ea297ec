"""Calls to the addresses that apps have named by phoneCallEvents: one request for each event, in order.

Only hosts that the server's owner has named (``--events-to``) are called, since any bearer of a token names addresses.
An address that does not answer is not called again for the same event; the log says so. Each host has a line of its
own, so that a slow one holds up no other.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlencode, urlsplit

from parksim.rules.lot import Fact
from parksim.rules.uapi.register import Call, Register, Subscription
from parksim.rules.uapi.subscriptions import Fired, fired

CALL_TIME_S: Final = 5.0
WAITING_LIMIT: Final = 1_000
"""Where more calls wait for a slow host, the oldest is left out."""

logger = logging.getLogger("parksim.server")


class Notices:
    """The calls of one desk.

    Args:
        hosts: those that may be called, by name or address.
    """

    def __init__(self, hosts: Iterable[str]) -> None:
        self._hosts = frozenset(host.lower().strip("[]") for host in hosts)
        self._lines: dict[str, deque[Fired]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.active = False
        """Whether events are real; a session that is replayed calls nobody."""

    def refuses(self, subscriptions: Iterable[Subscription]) -> bool:
        """Tell whether one of them names a host that may not be called."""
        return any(urlsplit(one.url).hostname not in self._hosts for one in subscriptions)

    def happened(self, register: Register, fact: Fact, before: Call | None, after: Call | None) -> None:
        """Call whom a fact concerns; the call is as it is before and after it."""
        if not self.active or not register.subscriptions:
            return
        for one in fired(register, fact, before, after):
            if not self.refuses([one.subscription]):  # the option may have changed since it was made
                self._give(urlsplit(one.subscription.url).netloc, one)

    def _give(self, host: str, one: Fired) -> None:
        line = self._lines.setdefault(host, deque())
        if len(line) == WAITING_LIMIT:
            line.popleft()
            logger.warning("%s is too slow: a phone call event was left out", host)
        line.append(one)
        if host not in self._tasks:
            self._tasks[host] = asyncio.get_running_loop().create_task(self._work(host, line))

    async def _work(self, host: str, line: deque[Fired]) -> None:
        try:
            while line:
                one = line.popleft()
                try:
                    async with asyncio.timeout(CALL_TIME_S):
                        status = await _called(one)
                except (OSError, ValueError) as error:  # a time-out is an OSError
                    reason = str(error) or type(error).__name__
                    logger.warning("phone call event %s: %s was not reached (%s)", one.subscription.id, host, reason)
                else:
                    if not 200 <= status < 300:
                        logger.warning("phone call event %s: %s answered %d", one.subscription.id, host, status)
        finally:
            del self._tasks[host]

    async def close(self) -> None:
        """Call nobody any more."""
        self.active = False
        tasks = set(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


async def _called(one: Fired) -> int:
    """Send the request, and return the status of its answer."""
    parts, told = urlsplit(one.subscription.url), urlencode(one.told)
    query, body = parts.query, b""
    if one.subscription.method:
        body = told.encode()
    else:
        query = f"{query}&{told}" if query else told
    target = (parts.path or "/") + (f"?{query}" if query else "")
    secure = parts.scheme == "https"
    lines = [f"{'POST' if body else 'GET'} {target} HTTP/1.1", f"Host: {parts.netloc}", "Connection: close"]
    if body:
        lines += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}"]
    port = parts.port or (443 if secure else 80)
    reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=secure or None)
    try:
        writer.write("\r\n".join((*lines, "", "")).encode("ascii") + body)
        await writer.drain()
        _, status, *_ = (await reader.readline()).split()
        return int(status)
    finally:
        writer.close()
