"""The ASGI application: who may ask, which path leads where, and every answer in one envelope.

Bare ASGI, without a framework: paths must be taken raw (``uapi.respond`` splits them before it decodes), bodies raw
(their errors are rungs of UAPI's ladder), and every answer, also to what leads nowhere, in UAPI's envelope; of a
framework nothing would be left but its import. ``Desk.respond`` checks and commits in one step, with nothing awaited
in it; before it the desk may catch up with what is due.

Order of the checks: Host, Origin, then for the board its routes, for everything else the ladder of ``rules/uapi``.
"""

import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple
from urllib.parse import parse_qs, urlsplit

from parksim.rules.uapi import Refusal, Reply, Request, refusal_reply
from parksim.server.commands import METHODS, answer
from parksim.server.events import Message, Viewers
from parksim.server.openapi import document
from parksim.server.tokens import Tokens
from parksim.server.wire import SAFETY_HEADERS, header_fields

if TYPE_CHECKING:
    from parksim.server.desk import Desk

Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_SCRIPTS: Final = ("parts", "lots", "tables", "today", "charts", "news", "controls", "board")
"""The board's scripts, in the order in which they stand in the one that is served."""
_STREAM: Final = b"/board/events"
_COMMANDS: Final = b"/board/commands"
_LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")
_WILDCARDS: Final = ("0.0.0.0", "[::]")  # noqa: S104 - names, of which none is bound here
_DEFAULT_PORTS: Final[Mapping[str, int]] = {"http": 80, "https": 443}

logger = logging.getLogger("parksim.server")


class Doors(NamedTuple):
    """The hosts for which the service answers, and the origins whose pages may call it; all in lower case."""

    hosts: frozenset[str]
    origins: frozenset[str]

    @classmethod
    def of(cls, bound: str, port: int, base_url: str) -> "Doors":
        """Return the doors of a service bound to an address, whose links begin with ``base_url``.

        Loopback by its three names, the address itself where it is one, and the base URL's host.

        >>> doors = Doors.of("127.0.0.1", 8080, "https://pbx.example")
        >>> sorted(doors.hosts)
        ['127.0.0.1:8080', '[::1]:8080', 'localhost:8080', 'pbx.example', 'pbx.example:443']
        """
        base = urlsplit(base_url.lower())
        own = f"[{bound}]" if ":" in bound else bound
        names = {*_LOOPBACK, own} - set(_WILDCARDS)
        places = {("http", f"{name}:{port}") for name in names} | {(base.scheme, base.netloc)}
        places |= {(scheme, where.removesuffix(f":{_DEFAULT_PORTS[scheme]}")) for scheme, where in places}
        ported = {f"{base.netloc}:{_DEFAULT_PORTS[base.scheme]}"} if base.port is None else set()
        return cls(
            frozenset({where for _, where in places} | ported),
            frozenset(f"{scheme}://{where}" for scheme, where in places),
        )


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
        pages = board_pages()
        media = {path: page.headers[0][1].partition(";")[0] for path, page in pages.items()}
        description = json.dumps(document(media)).encode("ascii")
        own = Reply(200, description, (("Content-Type", "application/json"),))
        self._pages: Mapping[str, Reply] = {**pages, "/openapi.json": own}

    def close(self) -> None:
        """End all streams, so that their connections can be closed."""
        self._viewers.close()

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3); a client that leaves before its request is whole has asked nothing."""
        if scope["type"] != "http":
            return
        body = await _whole_body(receive)
        if body is None:
            return
        headers = _Headers(scope["headers"])
        try:
            reply = self._own_reply(scope, headers)
            if reply is None and scope["raw_path"] != _STREAM:
                await self._desk.catch_up()
                if scope["raw_path"] != _COMMANDS:
                    reply = self._desk.respond(self._request(scope, headers, body))
                elif (viewer := self._tokens.viewer(headers.cookie(self._cookie))) is not None:
                    reply = answer(self._desk, viewer, scope["method"], body)
        except Exception:
            logger.exception("the request could not be answered")
            reply = refusal_reply(Refusal.INTERNAL_ERROR)
        if reply is not None:
            await _send(reply, send)
        else:
            await self._viewers.stream(receive, send)

    def _own_reply(self, scope: Mapping[str, Any], headers: "_Headers") -> Reply | None:
        """Return what is answered without the desk; None: it is the desk's to answer, or the board's stream."""
        method: str = scope["method"]
        refused = self._refused_at_the_door(headers)
        if refused is not None:
            return refused
        if scope["raw_path"] == _STREAM:
            return self._stream_refusal(method, headers)
        if scope["raw_path"] == _COMMANDS:
            return self._board_refusal(method, headers, METHODS)
        path = scope["raw_path"].decode("latin-1")
        if path == "/" and method == "GET":
            asked = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
            if "token" in asked:
                return self._opened_reply(asked["token"][-1])
        if path not in self._pages:
            return None
        if method in {"GET", "HEAD"}:
            return self._pages[path]
        return refusal_reply(Refusal.METHOD_NOT_ALLOWED, allow="GET, HEAD")

    def _request(self, scope: Mapping[str, Any], headers: "_Headers", body: bytes) -> Request:
        path, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
        token = self._tokens.find(headers.only(b"authorization") or b"")
        return Request(
            scope["method"],
            f"{path}?{query}" if query else path,
            body,
            user=None if token is None else token.user,
            scope="user" if token is None else token.scope,
            prefer=b", ".join(headers.all(b"prefer")).decode("latin-1"),
            answer=self._answer,
        )

    def _refused_at_the_door(self, headers: "_Headers") -> Reply | None:
        host = headers.only(b"host")
        if host is None:
            return refusal_reply(Refusal.REQUEST_MALFORMED, "A request has one field Host.")
        if host.decode("latin-1").lower() not in self._doors.hosts:
            return refusal_reply(Refusal.HOST_REFUSED)
        origins = headers.all(b"origin")
        if any(origin.decode("latin-1").lower() not in self._doors.origins for origin in origins):
            return refusal_reply(Refusal.ORIGIN_REFUSED)
        return None

    def _opened_reply(self, key: str) -> Reply:
        """Exchange the key in the board's link for the cookie, and lead away from the address that shows it."""
        value = self._tokens.board_cookie(key)
        if value is None:
            return refusal_reply(Refusal.ACCESS_DENIED)
        cookie = f"{self._cookie}={value}; Path=/board; HttpOnly; SameSite=Strict"
        return Reply(303, b"", (("Location", "/"), ("Set-Cookie", cookie)))

    def _stream_refusal(self, method: str, headers: "_Headers") -> Reply | None:
        refused = self._board_refusal(method, headers, ("GET",))
        if refused is None and self._viewers.full:
            return refusal_reply(Refusal.SERVICE_UNAVAILABLE, "Too many viewers of the board; try again later.")
        return refused

    def _board_refusal(self, method: str, headers: "_Headers", methods: Sequence[str]) -> Reply | None:
        """Refuse another method, and who has not opened the board."""
        if method not in methods:
            return refusal_reply(Refusal.METHOD_NOT_ALLOWED, allow=", ".join(methods))
        if self._tokens.viewer(headers.cookie(self._cookie)) is None:
            return refusal_reply(Refusal.ACCESS_DENIED, "Open the board by the link that the server printed.")
        return None


class _Headers:
    """The fields of a request."""

    def __init__(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        self._pairs = tuple(pairs)

    def all(self, name: bytes) -> list[bytes]:
        return [value for known, value in self._pairs if known == name]

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
    length = [] if reply.status == 204 else [("Content-Length", str(len(reply.body)))]
    fields = header_fields(*reply.headers, *SAFETY_HEADERS, *length)
    await send({"type": "http.response.start", "status": reply.status, "headers": fields})
    await send({"type": "http.response.body", "body": reply.body})
