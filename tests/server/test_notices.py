"""phoneCallEvents at work: an address is called as events happen, in order; restarts keep them; hosts are named."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from desk_stand import WatchedDesk
from server_stand import CALL

from parksim.engines.clocks import VirtualClock
from parksim.rules import uapi
from parksim.server import notices
from parksim.server.desk import Desk

S = 1_000_000
EVENTS = "/uapi/extensions/12/0003*210/phoneCallEvents"


class App:
    """An app that is called: it keeps the requests, and answers with a status; None: never."""

    def __init__(self, status=200):
        self.asked = []
        self.status = status
        self.news = asyncio.Event()

    async def answer(self, reader, writer):
        """Answer one request."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lengths = [line for line in head.split("\r\n") if line.lower().startswith("content-length: ")]
        body = await reader.readexactly(int(lengths[0].split(": ")[1])) if lengths else b""
        self.asked.append((head.split("\r\n")[0], body.decode()))
        self.news.set()
        if self.status is None:
            await reader.read()
        else:
            writer.write(b"HTTP/1.1 %d X\r\n\r\n" % self.status)
            await writer.drain()
        writer.close()

    async def wait_for(self, number):
        """Wait until there were so many requests."""
        while len(self.asked) < number:
            self.news.clear()
            await asyncio.wait_for(self.news.wait(), 20)


@asynccontextmanager
async def listening(app):
    """Run an app on a free port; give its address."""
    server = await asyncio.start_server(app.answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def desk_at(path, **more):
    """Return a desk with CALL on call at 0003*210, which may call loopback."""
    return WatchedDesk(path / "calls.json", **({"events_to": ["127.0.0.1"]} | more))


def ask(desk, method, target, body=None):
    """Send a request; return its status."""
    sent = b"" if body is None else json.dumps(body).encode()
    return desk.respond(uapi.Request(method, target, sent, user="12")).status


def call_out(desk):
    """Let 0003*210 call somebody."""
    party = {"source": ["0003*210"], "destination": ["555"]}
    return ask(desk, "POST", "/uapi/phoneCalls/12/simple", {"extension": "0003*210", "phoneCallView": [party]})


def test_an_app_is_called(tmp_path):
    """By GET with the query's own words kept, by POST as a form; in the order in which things happen."""

    async def session():
        app = App()
        async with listening(app) as url, desk_at(tmp_path) as desk:
            assert ask(desk, "POST", f"{EVENTS}/1", {"url": f"{url}/out?a=1"}) == 200
            assert ask(desk, "POST", f"{EVENTS}/4", {"url": f"{url}/answer", "method": 1}) == 200
            assert ask(desk, "POST", f"{EVENTS}/2", {"url": url}) == 200
            assert call_out(desk) == 200
            await desk.let_pass(1)
            assert ask(desk, "DELETE", "/uapi/phoneCalls/12/0003*210") == 200
            await app.wait_for(4)
        return app.asked

    out, answered, *ended = asyncio.run(session())
    assert out[0].startswith("GET /out?a=1&CallID=")
    assert out[0].endswith("&CallFlow=OUT&CallerExtension=0003%2A210&CalledNumber=555 HTTP/1.1")
    assert answered[0] == "POST /answer HTTP/1.1"
    assert answered[1].startswith("CallID=")
    assert f"/?CallID={CALL}&CallerIDNum=3333&CallerIDName=John+Doe&" in ended[0][0]
    assert all("&CallStatus=ANSWER&" in line for line, _ in ended)


def test_only_named_hosts_are_called(tmp_path):
    """Without --events-to, or for another host, a subscription is refused; one of before is kept and not called."""

    async def session():
        app = App()
        async with listening(app) as url:
            async with desk_at(tmp_path, journal=tmp_path / "session") as desk:
                for other in ("http://localhost/", "http://127.0.0.1.example/", "http://10.0.0.1/"):
                    assert ask(desk, "POST", f"{EVENTS}/1", {"url": other}) == 400
                assert desk.register.subscriptions == ()
                assert ask(desk, "POST", f"{EVENTS}/1", {"url": url}) == 200
                [kept] = desk.register.subscriptions
                assert ask(desk, "POST", f"{EVENTS}/2", {"url": url}) == 200
                assert ask(desk, "DELETE", f"{EVENTS}/2") == 204
                assert ask(desk, "PUT", f"{EVENTS}/1/{kept.id}", {"url": "http://10.0.0.1/"}) == 400
                assert desk.register.subscriptions == (kept,)
            async with desk_at(tmp_path, journal=tmp_path / "session", events_to=()) as desk:
                assert desk.register.subscriptions == (kept,)
                assert call_out(desk) == 200
                assert ask(desk, "DELETE", f"{EVENTS}/{kept.id}") == 204
                assert ask(desk, "DELETE", f"{EVENTS}") == 204
                await asyncio.sleep(0.05)
            assert app.asked == []

    asyncio.run(session())


def test_a_restart_keeps_subscriptions_and_calls_nobody_again(tmp_path):
    """A session that is replayed, and a state that is taken over, have the same subscriptions; only news are told."""

    async def session():
        app = App()
        async with listening(app) as url:
            async with desk_at(tmp_path, journal=tmp_path / "session") as desk:
                assert ask(desk, "POST", f"{EVENTS}/1", {"url": url}) == 200
                assert call_out(desk) == 200
                await app.wait_for(1)
                kept, state = desk.register.subscriptions, desk.state
                desk.close_file()
            async with desk_at(tmp_path, journal=tmp_path / "session") as again:
                assert again.register.subscriptions == kept
                assert call_out(again) == 200
                await app.wait_for(2)
            rows = json.loads(json.dumps(state.subscriptions))
            other = Desk(desk.scenario, clock=VirtualClock(0), traffic=False)
            other.become(state._replace(subscriptions=rows))
            assert other.register.subscriptions == kept
            assert len(app.asked) == 2

    asyncio.run(session())


@pytest.mark.parametrize("kind", ["refuses", "is slow", "is not there"])
def test_an_app_that_does_not_answer_well(tmp_path, caplog, monkeypatch, kind):
    """The log says which host and why, without the address's query; the desk answers meanwhile; the next is called."""
    monkeypatch.setattr(notices, "CALL_TIME_S", 0.2)

    async def session():
        app = App({"refuses": 500, "is slow": None}.get(kind, 200))
        async with listening(app) as url, desk_at(tmp_path) as desk:
            address = "http://127.0.0.1:1" if kind == "is not there" else url
            assert ask(desk, "POST", f"{EVENTS}/1", {"url": f"{address}/?key=s3cr3t"}) == 200
            assert [call_out(desk), call_out(desk)] == [200, 200]
            if kind != "is not there":
                await app.wait_for(2)
            await asyncio.gather(*desk._notices._tasks.values())

    asyncio.run(session())
    said = [record.getMessage() for record in caplog.records if "phone call event" in record.getMessage()]
    assert len(said) == 2
    word = {"refuses": "answered 500", "is slow": "was not reached (TimeoutError)", "is not there": "was not reached"}
    assert all(word[kind] in line for line in said)
    assert "s3cr3t" not in caplog.text


def test_a_slow_host_is_not_waited_for_without_end(tmp_path, caplog, monkeypatch):
    """Of too many calls that wait the oldest are left out; closing the desk ends them."""
    monkeypatch.setattr(notices, "WAITING_LIMIT", 3)

    async def session():
        app = App(None)
        async with listening(app) as url, desk_at(tmp_path) as desk:
            assert ask(desk, "POST", f"{EVENTS}/1", {"url": url}) == 200
            assert call_out(desk) == 200
            await app.wait_for(1)
            for _ in range(5):
                assert call_out(desk) == 200
        assert desk._notices._tasks == {}

    asyncio.run(session())
    assert caplog.text.count("too slow: a phone call event was left out") == 2
