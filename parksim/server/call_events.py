"""What happens to calls, told to apps as it happens: the stream ``phoneCallStream`` of server-sent events.

UAPI has no such stream, and no event of a park, a retrieval or a time-out; this one is parksim's own. An event has
the name of its fact, in lower case, and the call as UAPI shows it: as it is afterwards, or as it last stood when it
is over. Simulated calls are in it from the moment an extension of the directory talks to them.

Events are numbered from 1 in the order in which they happen in a session, with or without readers; a session that is
replayed gives them the same numbers. The newest ``KEPT`` are kept: a reader that comes back with ``Last-Event-ID`` gets
what it has missed. One that was away, or is slow, for longer gets one event ``missed`` in place of what is no longer
there: ``after`` is the last number it had, ``next`` the one with which the stream continues.
"""

import asyncio
import json
import re
from collections import deque
from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import Any, Final, NamedTuple

from parksim.rules import codes as c
from parksim.rules import uapi
from parksim.rules.lot import Fact
from parksim.rules.uapi.models import date_text
from parksim.rules.uapi.register import Call, Register
from parksim.rules.uapi.replies import instant
from parksim.server.events import HEARTBEAT_S, Receive, Send, Streams, write

KEPT: Final = 10_000
"""This many events are kept for readers that come back, or are slow."""
AT_ONCE: Final = 100
"""This many are looked at in one turn of the loop."""
_NUMBER: Final = re.compile(rb"[0-9]{1,18}")


class CallEvent(NamedTuple):
    """A fact of a call that the register shows, and the call before and after it (None: not there)."""

    number: int
    fact: Fact
    before: Call | None
    after: Call | None

    @property
    def name(self) -> str:
        """The word by which apps know what happened."""
        return c.KIND_NAMES[self.fact.kind].lower()

    @property
    def call(self) -> Call:
        """The call as it is shown: as it is, or as it last stood."""
        call = self.before if self.after is None else self.after
        assert call is not None
        return call

    def concerns(self, register: Register, found: uapi.Found) -> bool:
        """Tell whether an extension, or one of a user's, is or was a party, is charged for the call, or acts."""
        mine = register.places.of_user[found.user] if found.extension == c.NOBODY else {found.extension}
        parties = {self.fact.extension}
        for call in (self.before, self.after):
            if call is not None:
                parties |= {call.extension, *(view.extension for view in call.views)}
        return not parties.isdisjoint(mine)


class CallEvents:
    """The newest events, for readers that wait for the next.

    Args:
        newest: the number of the newest event; 0 before the first.
    """

    def __init__(self, newest: int = 0) -> None:
        self.newest = newest
        self._kept: deque[CallEvent] = deque(maxlen=KEPT)
        self._news = asyncio.Event()

    def happened(self, fact: Fact, before: Call | None, after: Call | None) -> None:
        """Keep an event, if the register shows its call."""
        if before is None and after is None:
            return
        self.newest += 1
        self._kept.append(CallEvent(self.newest, fact, before, after))
        self._news.set()

    def after(self, number: int) -> Iterator[CallEvent]:
        """Return the kept events with a higher number."""
        return islice(self._kept, max(0, len(self._kept) - (self.newest - number)), None)

    @property
    def oldest(self) -> int:
        """The number of the oldest event that is kept; that of the next one when none is."""
        return self.newest - len(self._kept) + 1

    async def wait(self, number: int) -> None:
        """Wait until there is an event after that number."""
        while self.newest <= number:
            self._news.clear()
            await self._news.wait()


class Readers(Streams):
    """All who read the stream."""

    async def stream(
        self,
        events: CallEvents,
        heard: tuple[Register, uapi.Found],
        last_id: bytes | None,
        receive: Receive,
        send: Send,
    ) -> None:
        """Tell one reader of the calls of an extension or user until it leaves, or all streams are ended.

        Args:
            events: where events come from.
            heard: the directory, and whose calls they are.
            last_id: the field ``Last-Event-ID``; without a number the stream begins with what is to come.
            receive: as ASGI has it.
            send: as ASGI has it.
        """
        last = int(last_id) if last_id is not None and _NUMBER.fullmatch(last_id) else events.newest
        await self.run(receive, send, partial(_tell, events, heard, last))


async def _tell(events: CallEvents, heard: tuple[Register, uapi.Found], last: int, send: Send) -> None:
    await write(send, f"id: {last}\n\n")
    while True:
        if not events.oldest - 1 <= last <= events.newest:  # what was kept is gone, or it is another session's number
            told = {"after": last, "next": events.oldest}
            last = events.oldest - 1
            await write(send, f"id: {last}\nevent: missed\ndata: {json.dumps(told, separators=(',', ':'))}\n\n")
        fresh = list(islice(events.after(last), AT_ONCE))
        if fresh:
            last = fresh[-1].number
            text = "".join(event_text(*heard, event) for event in fresh if event.concerns(*heard))
            if text:
                await write(send, text)
            await asyncio.sleep(0)
            continue
        try:
            await asyncio.wait_for(events.wait(last), HEARTBEAT_S)
        except TimeoutError:
            await write(send, ": heartbeat\n\n")


def event_text(register: Register, found: uapi.Found, event: CallEvent) -> str:
    """Return an event as a server-sent one, for whom ``found`` stands for."""
    fact = event.fact
    told: dict[str, Any] = {"time": date_text(instant(register, fact.time_us))}
    if 0 <= fact.extension < len(register.extensions):
        told["extension"] = register.extensions[fact.extension].number
    if fact.slot != c.NOBODY:
        told["parkedPos"] = str(register.firsts[fact.lot] + fact.slot)
    if fact.reason != c.NO_REASON:
        told["reason"] = c.REASON_NAMES[fact.reason]
    [shown] = uapi.entries(register, found, [event.call])
    told["phoneCall"] = shown.on_the_wire()
    data = json.dumps(told, separators=(",", ":"))
    return f"id: {event.number}\nevent: {event.name}\ndata: {data}\n\n"
