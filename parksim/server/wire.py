"""What a request on a socket may look like: uvicorn's httptools protocol, made strict and bounded.

uvicorn reads and answers HTTP; this subclass adds what it leaves open. Bytes are handed to the parser one part of a
message at a time (the head as a whole, then the body), so that each limit is counted exactly, a pipelined request
waits in our buffer until its predecessor is answered, and nothing that the parser would forgive reaches it: bare LF
or CR, folded lines, two spaces in the request line, a fragment, HTTP/0.9 and 2.0, RTSP. Upgrades are ignored, as RFC
9110 (section 7.8) allows. A request that is refused here is refused in UAPI's envelope, and the connection is closed;
it lingers a moment, reading on, lest the answer be lost to a reset.
"""

import asyncio
import re
from asyncio import TimerHandle
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final, cast
from urllib.parse import urlsplit

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from parksim.errors import ParksimError
from parksim.rules.uapi import Refusal, refusal_reply
from parksim.rules.uapi.models import BODY_LIMIT_BYTES, TARGET_LIMIT_CHARACTERS

HEADERS_LIMIT_BYTES: Final = 16_384
CONNECTIONS_LIMIT: Final = 2_048
SKIPPED_LIMIT_BYTES: Final = 1_048_576
"""A body beyond its limit is read and forgotten up to here, so that the one ladder of refusals can answer."""
REQUEST_TIME_S: Final = 10.0
IDLE_TIME_S: Final = 30
WRITE_TIME_S: Final = 30.0
"""A client that takes nothing of its answer for so long is cut off."""
LINGER_TIME_S: Final = 1.0
LINGERING_LIMIT: Final = 256
"""This many connections beyond the limit get their 503; further ones are cut off."""

SAFETY_HEADERS: Final[tuple[tuple[str, str], ...]] = (
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
)
"""What every answer says to browsers."""

_UNRULY: Final = re.compile(rb"(?<!\r)\n|\r(?=[^\n])|\r\n(?=[ \t])|\0")
"""A bare LF, a bare CR, a folded line, a NUL."""
_LINE: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([\x21-\x7e]+) HTTP/1\.[01]\r\n")
_EMPTY_LINE: Final = b"\r\n\r\n"
_METHOD_BYTES: Final = 64
_UPGRADE: Final = re.compile(rb"(?i)\r\nupgrade:[^\r]*")
_OPENINGS: Final = ("/", "http://", "https://")

PARTS_AT_ONCE: Final = 64
"""This many parts of messages are read of one connection in one turn of the loop."""

HEAD, BODY, CHUNKS, ANSWER, CLOSED = range(5)
"""Where a connection is: reading a head, a body of known length, a chunked one; answering; reading no more."""


class _RefusedError(ParksimError):
    """Leaves the parser's callbacks."""

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal


def refused_head(head: bytes | bytearray) -> Refusal | None:
    """Return why a whole head (request line, fields, empty line) is refused, before any parser sees it."""
    if _UNRULY.search(head) is not None:
        return Refusal.REQUEST_MALFORMED
    line = _LINE.match(head)
    if line is None:
        return Refusal.REQUEST_MALFORMED
    target = line[2].decode("ascii")
    if len(target) > TARGET_LIMIT_CHARACTERS:
        return Refusal.URI_TOO_LONG
    if len(head) - line.end() > HEADERS_LIMIT_BYTES:
        return Refusal.HEADERS_TOO_LARGE
    if line[1] == b"CONNECT":
        return Refusal.ACTION_NOT_IMPLEMENTED
    if "#" in target or not (target.lower().startswith(_OPENINGS) or (line[1] == b"OPTIONS" and target == "*")):
        return Refusal.REQUEST_MALFORMED
    return None


def refused_beginning(text: bytes | bytearray, known: int = 0) -> Refusal | None:
    """Return why the beginning of a head is refused although its end has not arrived.

    The first ``known`` bytes have been looked at before.
    """
    if _UNRULY.search(text, max(0, known - 2)) is not None:
        return Refusal.REQUEST_MALFORMED
    end = text.find(b"\r\n")
    if end == -1:
        if len(text) <= _METHOD_BYTES + TARGET_LIMIT_CHARACTERS:
            return None
        return Refusal.URI_TOO_LONG if b" " in text[:_METHOD_BYTES] else Refusal.REQUEST_MALFORMED
    if _LINE.match(text) is None:
        return Refusal.REQUEST_MALFORMED
    return Refusal.HEADERS_TOO_LARGE if len(text) - end - 2 > HEADERS_LIMIT_BYTES else None


class Joined:
    """A transport that writes once a turn of the loop: the head of an answer and its body leave together.

    uvicorn writes them one after the other, which is two system calls, and wakes the client twice.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._parts: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, part: bytes) -> None:
        """Write a part before the next turn."""
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(part)

    def _flush(self) -> None:
        if self._parts:
            self._transport.write(b"".join(self._parts))
            self._parts.clear()

    def write_eof(self) -> None:
        """Write what is left, and that nothing follows."""
        self._flush()
        self._transport.write_eof()

    def close(self) -> None:
        """Write what is left, then close."""
        self._flush()
        self._transport.close()


class Connection(HttpToolsProtocol):
    """One connection of a client: uvicorn's protocol with the limits of this module."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._stage = HEAD
        self._unread = bytearray()
        self._known = self._left = self._kept = self._skipped = 0
        self._deadline: TimerHandle | None = None
        self._write_deadline: TimerHandle | None = None
        self._seen = False

    # ------------------------------------------------------------------------------------------- the connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Begin to wait for the first request; refuse it when there are too many connections."""
        super().connection_made(cast("asyncio.Transport", Joined(transport, self.loop)))
        if len(self.connections) > CONNECTIONS_LIMIT + LINGERING_LIMIT:
            transport.abort()
        elif len(self.connections) > CONNECTIONS_LIMIT:
            self._refuse(Refusal.SERVICE_UNAVAILABLE)
        else:
            self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection and its timers."""
        self._stage = CLOSED
        self._unread.clear()
        for timer in (self._deadline, self._write_deadline):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)
        self._unset_keepalive_if_required()

    def shutdown(self) -> None:
        """End the connection: at once unless it is answering."""
        if self._stage == ANSWER:
            super().shutdown()
        else:
            self._tell_app()
            self.transport.close()

    def pause_writing(self) -> None:
        """Give the client a time to take what was written."""
        super().pause_writing()
        self._write_deadline = self.loop.call_later(WRITE_TIME_S, self.transport.abort)

    def resume_writing(self) -> None:
        """Continue to write."""
        super().resume_writing()
        if self._write_deadline is not None:
            self._write_deadline.cancel()

    def _await_request(self) -> None:
        self._deadline = self.loop.call_later(REQUEST_TIME_S, self._late)

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _late(self) -> None:
        """Refuse a request that takes too long; a connection on which nothing was asked is closed in silence.

        Browsers open connections in advance, and would show an answer that nobody asked for.
        """
        if self._seen:
            self._refuse(Refusal.REQUEST_TIMEOUT)
        else:
            self.transport.close()

    # ---------------------------------------------------------------------------------------------- what arrives

    def data_received(self, data: bytes) -> None:
        """Take what arrived, as far as the stage allows; what belongs to a later request waits."""
        if self._stage == CLOSED:
            self._skipped += len(data)
            if self._skipped > SKIPPED_LIMIT_BYTES:
                self.transport.abort()
            return
        self._unread += data
        if self._stage == ANSWER:
            self.flow.pause_reading()
            return
        self._unset_keepalive_if_required()
        if self._deadline is None:
            self._await_request()
        self._seen = True
        self._read()

    def _read(self) -> None:
        """Hand the parser one part of a message after the other, until one is incomplete or to be answered.

        After some parts others get their turn, so that no body, however it is cut into chunks, holds up the loop.
        """
        for _ in range(PARTS_AT_ONCE):
            if self._stage not in {HEAD, BODY, CHUNKS}:
                return
            part = self._next_part()
            if not part:
                self.flow.resume_reading()
                return
            del self._unread[: len(part)]
            self._feed(part)
        self.flow.pause_reading()
        self.loop.call_soon(self._read)

    def _next_part(self) -> bytes:
        if self._stage == HEAD:
            return self._next_head()
        if self._stage == BODY:
            part = bytes(self._unread[: self._left])
            self._left -= len(part)
            return part
        # A chunked message ends with an empty line, so no part may go beyond one, or end within one.
        end = self._unread.find(_EMPTY_LINE) + len(_EMPTY_LINE)
        if end < len(_EMPTY_LINE):
            begun = next((size for size in (3, 2, 1) if self._unread.endswith(_EMPTY_LINE[:size])), 0)
            end = len(self._unread) - begun
        return bytes(self._unread[:end])

    def _next_head(self) -> bytes:
        """Return the next request's head when all of it is there."""
        while self._unread.startswith(b"\r\n"):  # RFC 9112, section 2.2: empty lines before a request are ignored
            del self._unread[:2]
        end = self._unread.find(_EMPTY_LINE, max(0, self._known - 3)) + len(_EMPTY_LINE)
        whole = end >= len(_EMPTY_LINE)
        if not whole:
            refusal = refused_beginning(self._unread, self._known)
            self._known = len(self._unread)
        else:
            refusal = refused_head(self._unread[:end])
            self._known = 0
        if refusal is not None:
            self._refuse(refusal)
            return b""
        return bytes(self._unread[:end]) if whole else b""

    def _feed(self, part: bytes) -> None:
        if self._stage == HEAD:
            part = _UPGRADE.sub(b"", part)
        elif self._stage == CHUNKS:
            self._skipped += len(part)
            if self._skipped > SKIPPED_LIMIT_BYTES:
                self._refuse(Refusal.BODY_TOO_LARGE)
                return
        try:
            self.parser.feed_data(part)
        except httptools.HttpParserInvalidMethodError:  # a word, but none that HTTP has
            self._refuse(Refusal.ACTION_NOT_IMPLEMENTED)
        except httptools.HttpParserCallbackError as error:
            cause = error.__context__
            self._refuse(cause.refusal if isinstance(cause, _RefusedError) else Refusal.REQUEST_MALFORMED)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._refuse(Refusal.REQUEST_MALFORMED)

    # ------------------------------------------------------------------------------------- what the parser found

    def on_message_begin(self) -> None:
        """Begin to count a body."""
        super().on_message_begin()
        self._kept = self._skipped = self._left = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header field; those after a chunked body are ignored (RFC 9110, section 6.5.1)."""
        if self._stage == HEAD:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """See how long the body is, bring the target into origin form, and start to answer."""
        fields = dict(self.headers)
        length = int(fields.get(b"content-length", b"0"))
        coding = fields.get(b"transfer-encoding")
        if coding is not None and (coding.lower() != b"chunked" or self.parser.get_http_version() == "1.0"):
            raise _RefusedError(Refusal.REQUEST_MALFORMED)
        if length > SKIPPED_LIMIT_BYTES:
            raise _RefusedError(Refusal.BODY_TOO_LARGE)
        if not self.url.startswith((b"/", b"*")):  # RFC 9112, section 3.2.2: its host stands in for the field's
            parts = urlsplit(self.url.decode("ascii"))
            self.url = (parts.path or "/").encode() + (b"?" + parts.query.encode() if parts.query else b"")
            others = [(name, value) for name, value in self.headers if name != b"host"]
            self.headers[:] = [*others, (b"host", parts.netloc.encode())]
        self._left = length
        self._stage = BODY if coding is None else CHUNKS
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Keep the body up to one byte beyond its limit, which tells the ladder that it is too large."""
        kept = body[: max(0, BODY_LIMIT_BYTES + 1 - self._kept)]
        self._kept += len(kept)
        if kept:
            super().on_body(kept)

    def on_message_complete(self) -> None:
        """Let the application see the whole request; until it has answered nothing more is read."""
        self._stop_deadline()
        self._stage = HEAD if self.cycle.response_complete else ANSWER
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Turn to the next request, which may be here already."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._stage = CLOSED
        if self._stage != ANSWER:
            return
        self._stage = HEAD
        self._seen = bool(self._unread)
        if self._unread:
            self._unset_keepalive_if_required()
            self._await_request()
            self.loop.call_soon(self._read)

    # -------------------------------------------------------------------------------------------------- refusing

    def _refuse(self, refusal: Refusal) -> None:
        """Answer with a refusal, and close as soon as the client has had time to read it."""
        self._stop_deadline()
        self._unset_keepalive_if_required()
        self._stage = CLOSED
        self._unread.clear()
        self._skipped = 0
        begun = self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete
        self._tell_app()
        if self.transport.is_closing():
            return
        if begun:  # half an answer is out, behind which no other can follow
            self.transport.abort()
            return
        self.flow.resume_reading()
        self.transport.write(refusal_bytes(refusal, self.server_state.default_headers))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._deadline = self.loop.call_later(LINGER_TIME_S, self.transport.abort)

    def _tell_app(self) -> None:
        """Let an application that waits for the rest of a request know that it will not come."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()


@lru_cache(256)  # most answers have the same few
def header_fields(*fields: tuple[str, str]) -> tuple[tuple[bytes, bytes], ...]:
    """Return header fields as ASGI and the wire have them."""
    return tuple((name.lower().encode(), value.encode("latin-1")) for name, value in fields)


def refusal_bytes(refusal: Refusal, first: list[tuple[bytes, bytes]]) -> bytes:
    """Return a refusal as it goes over the wire, the last answer of its connection."""
    reply = refusal_reply(refusal)
    length = ("Content-Length", str(len(reply.body)))
    fields = header_fields(*reply.headers, *SAFETY_HEADERS, length, ("Connection", "close"))
    lines = [f"HTTP/1.1 {refusal.status} {HTTPStatus(refusal.status).phrase}".encode()]
    lines += [name + b": " + value for name, value in (*first, *fields)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + reply.body
