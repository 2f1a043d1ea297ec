"""The ASGI application: who may ask, which path leads where, and every answer in one envelope.

Bare ASGI, without a framework: paths must be taken raw (``uapi.respond`` splits them before it decodes), bodies raw
(their errors are rungs of UAPI's ladder), and every answer, also to what leads nowhere, in UAPI's envelope; of a
framework nothing would be left but its import. ``Desk.respond`` checks and commits in one step, with nothing awaited
in it; before it the desk may catch up with what is due.

Order of the checks: Host, Origin, then for the board its routes, for everything else the ladder of ``rules/uapi``.
"""

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import parse_qs

from parksim.rules.uapi import STREAM, Refusal, Reply, Request, heard, options_reply, refusal_reply
from parksim.server.call_events import Readers
from parksim.server.commands import METHODS, answer
from parksim.server.doors import Doors, Forwarded
from parksim.server.events import Receive, Send, Viewers
from parksim.server.openapi import document
from parksim.server.tokens import Tokens
from parksim.server.wire import SAFETY_HEADERS, header_fields

if TYPE_CHECKING:
    from parksim.server.desk import Desk

_SCRIPTS: Final = ("parts", "lots", "tables", "today", "charts", "news", "alerts", "controls", "board")
"""The board's scripts, in the order in which they stand in the one that is served."""
_STREAM: Final = b"/board/events"
_COMMANDS: Final = b"/board/commands"
_FORWARDED: Final = (b"x-forwarded-host", b"x-forwarded-proto", b"x-forwarded-port")

logger = logging.getLogger("parksim.server")


def board_pages() -> Mapping[str, Reply]:
    """Return the files of the board by the paths under which they are served; the page itself at ``/``.

    The scripts are served as one, ``/board.js``.
    """
    folder = files("parksim.server").joinpath("board")
    if not folder.is_dir():
        return {}
    known = {file.name: file.read_bytes() for file in folder.iterdir()}
    known["board.js"] = b"\n".join(known[f"{name}.js"] for name in _SCRIPTS if f"{name}.js" in known)
    return {
        path: Reply(200, known[f"board.{kind}"], (("Content-Type", media),))
        for kind, path, media in (
            *(("html", "/", "text/html; charset=utf-8"), ("css", "/board.css", "text/css; charset=utf-8")),
            *(("js", "/board.js", "text/javascript; charset=utf-8"), ("svg", "/board.svg", "image/svg+xml")),
        )
    }


class App:
    """The service as an ASGI application.

    Args:
        desk: who answers UAPI and draws the board's picture.
        tokens: who may ask.
        doors: for which hosts and origins it answers.
        answer: what a PUT that prefers nothing is answered with.
        cookie: the name of the board's cookie; one for each port, since cookies do not know ports.
    """

    def __init__(
        self,
        desk: "Desk",
        tokens: Tokens,
        doors: Doors,
        *,
        answer: Literal["collection", "accepted"] = "collection",
        cookie: str = "parksim_board",
    ) -> None:
        self._desk = desk
        self._tokens = tokens
        self._doors = doors
        self._answer: Literal["collection", "accepted"] = answer
        self._cookie = cookie
        self._viewers = Viewers(desk)
        self._readers = Readers()
        pages = board_pages()
        media = {path: page.headers[0][1].partition(";")[0] for path, page in pages.items()}
        description = json.dumps(document(media)).encode("ascii")
        own = Reply(200, description, (("Content-Type", "application/json"),))
        self._pages: Mapping[str, Reply] = {**pages, "/openapi.json": own}

    def close(self) -> None:
        """End all streams, so that their connections can be closed."""
        self._viewers.close()
        self._readers.close()

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3); a client that leaves before its request is whole has asked nothing."""
        if scope["type"] != "http":
            return
        body = await _whole_body(receive)
        if body is None:
            return
        headers = _Headers(scope["headers"])
        request = self._request(scope, headers, body)
        try:
            reply = self._own_reply(scope, headers)
            if reply is None:
                await self._desk.catch_up()
                reply = self._desk_reply(scope, headers, request)
        except Exception:
            logger.exception("the request could not be answered")
            reply = refusal_reply(Refusal.INTERNAL_ERROR)
        if reply != STREAM or scope["method"] == "HEAD":
            await _send(reply, send)
        elif scope["raw_path"] == _STREAM:
            await self._viewers.stream(receive, send)
        else:
            register = self._desk.register
            whose = register, heard(register, request)
            await self._readers.stream(self._desk.events, whose, headers.only(b"last-event-id"), receive, send)

    def _desk_reply(self, scope: Mapping[str, Any], headers: "_Headers", request: Request) -> Reply:
        """Let the desk answer a request to UAPI, or a command of the board."""
        if scope["raw_path"] == _COMMANDS:
            viewer = self._tokens.viewer(headers.cookie(self._cookie))
            assert viewer is not None  # else it was refused before
            return answer(self._desk, viewer, request.method, request.body)
        reply = self._desk.respond(request)
        if reply == STREAM and self._readers.full:
            return refusal_reply(Refusal.SERVICE_UNAVAILABLE, "Too many read streams; try again later.")
        return reply

    def _own_reply(self, scope: Mapping[str, Any], headers: "_Headers") -> Reply | None:
        """Return what is answered without the desk; None: it is the desk's to answer."""
        method: str = scope["method"]
        refused = self._refused_at_the_door(headers)
        if refused is not None:
            return refused
        if scope["raw_path"] == _STREAM:
            return self._stream_reply(method, headers)
        if scope["raw_path"] == _COMMANDS:
            return self._board_reply(method, headers, METHODS)
        path = scope["raw_path"].decode("latin-1")
        if path == "*":  # OPTIONS, of the whole service; nothing else has such a target
            return options_reply(("GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS"))
        if path == "/" and method == "GET":
            asked = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
            if "token" in asked:
                return self._opened_reply(asked["token"][-1])
        if path not in self._pages:
            return None
        return self._pages[path] if method in {"GET", "HEAD"} else _of_no_use(method, ("GET", "HEAD"))

    def _request(self, scope: Mapping[str, Any], headers: "_Headers", body: bytes) -> Request:
        path, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
        token = self._tokens.find(headers.only(b"authorization") or b"")
        return Request(
            scope["method"],
            f"{path}?{query}" if query else path,
            body,
            user=None if token is None else token.user,
            scope="user" if token is None else token.scope,
            prefer=", ".join(headers.texts(b"prefer")),
            answer=self._answer,
        )

    def _refused_at_the_door(self, headers: "_Headers") -> Reply | None:
        host = headers.only(b"host")
        if host is None:
            return refusal_reply(Refusal.REQUEST_MALFORMED, "A request has one field Host.")
        hosts, schemes, ports = (headers.texts(name) for name in _FORWARDED)
        forwarded = Forwarded.of(hosts, schemes, ports)
        refused = self._doors.refusal(host.decode("latin-1"), headers.texts(b"origin"), forwarded)
        return None if refused is None else refusal_reply(refused)

    def _opened_reply(self, key: str) -> Reply:
        """Exchange the key in the board's link for the cookie, and lead away from the address that shows it."""
        value = self._tokens.board_cookie(key)
        if value is None:
            return refusal_reply(Refusal.ACCESS_DENIED)
        cookie = f"{self._cookie}={value}; Path=/board; HttpOnly; SameSite=Strict"
        return Reply(303, b"", (("Location", "/"), ("Set-Cookie", cookie)))

    def _stream_reply(self, method: str, headers: "_Headers") -> Reply:
        refused = self._board_reply(method, headers, ("GET", "HEAD"))
        if refused is not None:
            return refused
        if self._viewers.full:
            return refusal_reply(Refusal.SERVICE_UNAVAILABLE, "Too many viewers of the board; try again later.")
        return STREAM

    def _board_reply(self, method: str, headers: "_Headers", methods: Sequence[str]) -> Reply | None:
        """Answer OPTIONS, refuse another method, and who has not opened the board."""
        if method not in methods:
            return _of_no_use(method, methods)
        if self._tokens.viewer(headers.cookie(self._cookie)) is None:
            return refusal_reply(Refusal.ACCESS_DENIED, "Open the board by the link that the server printed.")
        return None


def _of_no_use(method: str, methods: Sequence[str]) -> Reply:
    """Answer OPTIONS, and refuse a method that a path does not have."""
    allowed = (*methods, "OPTIONS")
    if method == "OPTIONS":
        return options_reply(allowed)
    return refusal_reply(Refusal.METHOD_NOT_ALLOWED, allow=", ".join(allowed))


class _Headers:
    """The fields of a request."""

    def __init__(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        self._pairs = tuple(pairs)

    def all(self, name: bytes) -> list[bytes]:
        return [value for known, value in self._pairs if known == name]

    def texts(self, name: bytes) -> list[str]:
        return [value.decode("latin-1") for value in self.all(name)]

    def only(self, name: bytes) -> bytes | None:
        """Return the field's value; None when it is not there, or there twice."""
        values = self.all(name)
        return values[0] if len(values) == 1 else None

    def cookie(self, name: str) -> str:
        """Return a cookie's value; by hand, since one odd cookie of another service must not hide ours."""
        pairs = (pair.partition("=") for field in self.all(b"cookie") for pair in field.decode("latin-1").split(";"))
        return next((value.strip() for known, _, value in pairs if known.strip() == name), "")


async def _whole_body(receive: Receive) -> bytes | None:
    """Return the body of a request, or None when the client has left before its end."""
    parts = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


async def _send(reply: Reply, send: Send) -> None:
    fields = header_fields(*reply.headers, *SAFETY_HEADERS)
    if reply.status != 204 and reply != STREAM:
        fields = (*fields, (b"content-length", b"%d" % len(reply.body)))
    await send({"type": "http.response.start", "status": reply.status, "headers": fields})
    await send({"type": "http.response.body", "body": reply.body})
