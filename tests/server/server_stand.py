"""A running server on loopback for the tests: a desk that is a register and a clock, and raw requests to it."""

import asyncio
import json
import socket
import threading
import time
from contextlib import contextmanager
from typing import NamedTuple

from parksim.rules import uapi
from parksim.server.app import App
from parksim.server.doors import Doors
from parksim.server.events import Viewers
from parksim.server.serving import Server, bound, resolved
from parksim.server.tokens import Token, Tokens

CALL = "b817d2618fe6f1804333"
USERS = {"12": ["0003*210", "0003*211"], "33": ["0003*024"]}
S = 1_000_000
TOKENS = {
    "testtoken0123456789": Token("12", "user"),
    "other-users-token": Token("33", "user"),
    "everybodys-token": Token("12", "global"),
}
BEARER = {"Authorization": "Bearer testtoken0123456789"}


class RegisterDesk:
    """A desk that is a register: it answers at an instant that the test sets."""

    def __init__(self, register, now_us=60 * S):
        self.register = register
        self.now_us = now_us
        self.facts = []
        self.requests = []
        self.number = 0
        self.over = False
        self._waiting = []

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        pass

    async def catch_up(self):
        """Nothing is ever due."""

    def respond(self, request):
        """Answer as the rules do, and keep what happened."""
        self.requests.append(request)
        outcome = uapi.respond(self.register, request, now_us=self.now_us)
        self.register = outcome.register
        self.facts += outcome.facts
        if outcome.facts:
            self.change()
        return outcome.reply

    def change(self):
        """Let the viewers know of a change."""
        self.number += 1
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)
        self._waiting.clear()

    def snapshot(self):
        """Return what the stream needs of a picture."""
        return {"id": self.number, "name": "<img onerror=x>", "now_us": self.now_us, "lots": []}

    async def changes(self):
        """Yield the number of the newest change."""
        while not self.over:
            waiting = asyncio.get_running_loop().create_future()
            self._waiting.append(waiting)
            await waiting
            yield self.number


class Answer(NamedTuple):
    """An answer as it came over the wire."""

    status: int
    headers: dict
    body: bytes

    @property
    def json(self):
        """The body's JSON."""
        return json.loads(self.body)

    @property
    def code(self):
        """UAPI's code of a refusal; the envelope must be exact."""
        assert self.headers["content-type"] == "application/json"
        error = self.json
        assert list(error) == ["error"]
        assert sorted(error["error"]) == ["code", "message"]
        return error["error"]["code"]


class Site:
    """Where the server runs, and how to ask it."""

    def __init__(self, desk, port, app, server, loop):
        self.desk = desk
        self.port = port
        self.app = app
        self.server = server
        self.loop = loop
        self.host = f"127.0.0.1:{port}"
        self.url = f"http://{self.host}"

    def open(self):
        """Return a connected socket."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def raw(self, data, pieces=None, pause_s=0.0):
        """Send bytes (or pieces of them), and return all answers until the server closes or is silent for 0.3 s."""
        with self.open() as sock:
            try:
                for piece in [data] if pieces is None else pieces:
                    sock.sendall(piece)
                    if pause_s:
                        time.sleep(pause_s)
            except (BrokenPipeError, ConnectionResetError):
                pass
            return answers(sock)

    def head(self, method, path, **headers):
        """Return a request's head as bytes, to be sent raw."""
        fields = {"Host": self.host, **BEARER, **{name.replace("_", "-"): value for name, value in headers.items()}}
        lines = [
            f"{method} {path} HTTP/1.1",
            *(f"{name}: {value}" for name, value in fields.items() if value is not None),
        ]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"

    def ask(self, method, path, body=b"", **headers):
        """Send one request and return its answer; a header that is None is left out."""
        if body:
            headers = {"Content_Length": str(len(body)), **headers}
        found, _ = self.raw(self.head(method, path, Connection="close", **headers) + body)
        assert len(found) == 1, found
        return found[0]

    def put(self, path, body, **headers):
        """PUT a body (an object, or bytes) to a path under /uapi/phoneCalls."""
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.ask("PUT", f"/uapi/phoneCalls{path}", sent, **headers)

    def get(self, path, **headers):
        """GET a path under /uapi/phoneCalls."""
        return self.ask("GET", f"/uapi/phoneCalls{path}", **headers)

    def in_loop(self, function):
        """Call a function in the server's loop, and return what it returns."""

        async def call():
            return function()

        return self.wait_for(call())

    def wait_for(self, work):
        """Let the server's loop do something that is awaited, and return what it returns."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def begin_with(self, desk):
        """Put another desk in the place of the one that answers."""

        async def replace():
            before = self.desk
            await desk.__aenter__()
            self.desk = self.app._desk = desk
            self.app._viewers = Viewers(desk)
            await before.__aexit__(None, None, None)

        self.wait_for(replace())


def answers(sock, silence_s=0.3):
    """Return the answers that come, and whether the server closed the connection."""
    data = b""
    found = []
    closed = False
    sock.settimeout(20)
    while not closed:
        try:
            more = sock.recv(65_536)
        except TimeoutError:
            break
        except ConnectionResetError:
            more = b""
        closed = not more
        data += more
        while (taken := _one(data)) is not None:
            answer, data = taken
            if answer.status != 100:
                found.append(answer)
        if found:
            sock.settimeout(silence_s)
    assert not data, data
    return found, closed


def _one(data):
    head, gap, rest = data.partition(b"\r\n\r\n")
    if not gap:
        return None
    line, *fields = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (field.partition(": ") for field in fields)}
    length = int(headers.get("content-length", "0"))
    if len(rest) < length:
        return None
    return Answer(int(line.split(" ")[1]), headers, rest[:length]), rest[length:]


def talking(taken=0, capacity=100, calls=1):
    """Return a register with CALL (and further calls) on call at 0003*210, and ``taken`` slots taken."""
    register = uapi.new_register(USERS, capacity=capacity)
    others = [f"{number:020x}" for number in range(1, taken + 1)]
    for call_id in others:
        register = _on_call(register, "0003*024", call_id)
        asked = uapi.Ask("33", "0003*024", call_id, fields={"phoneCallViewId": "01", "maxInParking": 3600})
        register = uapi.park(register, asked, 0).register
    for call_id in [CALL, *(f"{number:020x}" for number in range(10_000, 9_999 + calls))]:
        register = _on_call(register, "0003*210", call_id)
    return register


def _on_call(register, extension, call_id):
    register = uapi.offer(
        register, extension, peer="3235742879", now_us=0, call_id=call_id, caller_id="John Doe <3333>"
    ).register
    return uapi.answer(register, call_id, now_us=5 * S).register


@contextmanager
def running(desk, *, tokens=None, answer="collection", base_url="http://127.0.0.1:8080"):
    """Run a server around a desk on a free port of loopback."""
    listener = bound(resolved("127.0.0.1", 0))
    port = listener.getsockname()[1]
    known = Tokens(TOKENS) if tokens is None else tokens
    made = {}
    ready = threading.Event()

    async def main():
        app = App(desk, known, Doors.of("127.0.0.1", port, base_url), answer=answer)
        made["server"] = Server(app)
        made["app"] = app
        made["loop"] = asyncio.get_running_loop()
        await desk.__aenter__()
        ready.set()
        await made["server"].serve(sockets=[listener])
        await made["site"].desk.__aexit__(None, None, None)

    thread = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
    thread.start()
    assert ready.wait(10)
    made["site"] = Site(desk, port, made["app"], made["server"], made["loop"])
    try:
        yield made["site"]
    finally:
        made["server"].should_exit = True
        thread.join(20)
        assert not thread.is_alive()
