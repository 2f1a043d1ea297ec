"""The stream of call events: what is told to whom, in which order, again after a break, to slow readers."""

import asyncio
import http.client
import json
import socket
import time
from contextlib import contextmanager

import pytest
from desk_stand import WatchedDesk
from server_stand import CALL, running

from parksim.engines.clocks import VirtualClock
from parksim.rules import codes as c
from parksim.rules import uapi
from parksim.rules.lot import Fact
from parksim.rules.uapi import register as r
from parksim.server import call_events, events
from parksim.server.call_events import CallEvents

S = 1_000_000
STREAM = "/uapi/extensions/12/{}/phoneCallStream"
PARK = {"action": "Park", "maxInParking": 30, "phoneCallViewId": "01"}
OTHERS = "Bearer other-users-token"


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A server for the whole file."""
    with running(WatchedDesk(tmp_path_factory.mktemp("house") / "calls.json")) as site:
        yield site


@pytest.fixture
def site(house, tmp_path):
    """The server in its starting state: CALL on call at 0003*210, nobody reads."""
    wait_until(lambda: house.app._readers._number == 0)
    house.begin_with(WatchedDesk(tmp_path / "calls.json"))
    return house


def wait_until(holds):
    """Wait up to twenty seconds until something holds."""
    until_s = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < until_s
        time.sleep(0.01)


@contextmanager
def reading(site, extension="@self", **fields):
    """Open the stream and yield a reader of its blocks (id, event, data) once the server has begun it."""
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=60)
    headers = {"Authorization": "Bearer testtoken0123456789", **fields}
    connection.request("GET", STREAM.format(extension), headers=headers)
    response = connection.getresponse()
    try:
        assert (response.status, response.headers["Content-Type"]) == (200, "text/event-stream")

        def block():
            lines = {}
            while (line := response.readline().decode()) not in {"\n", ""}:
                name, _, value = line.rstrip("\n").partition(": ")
                lines[name] = value
            if "data" in lines:
                lines["data"] = json.loads(lines["data"])
            return lines

        assert block() == {"retry": "1000"}
        yield block
    finally:
        response.close()
        connection.close()


def pass_s(site, seconds):
    """Let simulated time pass."""
    site.wait_for(site.desk.let_pass(seconds))


def told(block):
    """Return what an event says beside its call."""
    return block["event"], {name: value for name, value in block["data"].items() if name != "phoneCall"}


def test_the_life_of_a_call(site):
    """Parked, its time up, ringing, answered by its parker, hung up: each with the call as List shows it then."""
    with reading(site) as block:
        begun = block()
        assert list(begun) == ["id"]
        number = int(begun["id"])
        site.put(f"/12/0003*210/{CALL}", PARK)
        parked = block()
        [shown] = site.get(f"/12/0003*210/{CALL}").json["entry"]
        assert parked["data"]["phoneCall"] == shown
        view = shown["phoneCallView"][0]
        assert told(parked) == (
            "parked",
            {"time": view["parked"], "extension": "0003*210", "parkedPos": "1"},
        )
        pass_s(site, 31)
        assert [block()["event"], block()["event"]] == ["expired", "recall_ringing"]
        site.ask("DELETE", f"/uapi/phoneCalls/12/0003*210/{CALL}")
        ended = block()
        assert told(ended)[0] == "abandoned"
        assert told(ended)[1]["reason"] == "ringing"
        assert ended["data"]["phoneCall"]["phoneCallView"][0]["status"] == "4"  # as it last stood
        assert int(ended["id"]) == number + 4


def test_a_retrieval_is_told_to_both(site):
    """Who parked and who fetched the call hear of it; a third extension hears nothing."""
    with reading(site, "0003*210") as parker, reading(site, "0003*211") as fetcher:
        number = int(parker()["id"])
        assert fetcher()["id"] == str(number)
        site.put(f"/12/0003*210/{CALL}", PARK)
        site.put(f"/12/0003*210/{CALL}", {"action": "UnPark", "phoneCallViewId": "01", "sendCallTo": "0003*211"})
        pass_s(site, 1)
        assert [parker()["event"], parker()["event"]] == ["parked", "retrieved"]
        fetched = fetcher()
        assert (fetched["event"], fetched["id"]) == ("retrieved", str(number + 2))
        assert fetched["data"]["extension"] == "0003*211"
        assert fetched["data"]["phoneCall"]["phoneCallView"][0]["source"] == ["0003*211"]


def test_another_users_calls_are_not_told(site):
    """The token of user 33 reads its own calls, and may not ask for those of user 12; without a token nobody may."""
    path = STREAM.format("@self")
    assert site.ask("GET", path, Authorization=OTHERS).code == "user_invalid"
    assert site.ask("GET", path, Authorization=None).code == "access_denied"
    assert site.ask("GET", STREAM.format("0003*024")).code == "extension_invalid"
    assert site.ask("GET", STREAM.format("0003*210/x")).code == "not_found"
    with reading(site, Authorization="Bearer everybodys-token") as block:
        number = int(block()["id"])
        theirs = {"extension": "0003*024", "phoneCallView": [{"source": ["0003*024"], "destination": ["555"]}]}
        made = site.ask("POST", "/uapi/phoneCalls/33/simple", json.dumps(theirs).encode(), Authorization=OTHERS)
        assert made.status == 200
        site.put(f"/12/0003*210/{CALL}", PARK)
        assert block()["id"] == str(number + 3)  # theirs was offered and answered


def test_a_reader_that_comes_back_gets_what_it_missed(site):
    """With Last-Event-ID it gets each event after that once, in order."""
    number = site.desk.events.newest
    site.put(f"/12/0003*210/{CALL}", PARK)
    pass_s(site, 31)
    with reading(site, **{"Last-Event-ID": str(number)}) as block:
        assert block() == {"id": str(number)}
        seen = [block() for _ in range(3)]
    assert [one["event"] for one in seen] == ["parked", "expired", "recall_ringing"]
    assert [int(one["id"]) for one in seen] == [number + 1, number + 2, number + 3]
    with reading(site, **{"Last-Event-ID": str(number + 2)}) as block:
        block()
        assert block() == seen[2]
    for odd in ("", "x", "-1", "\xb2", "9" * 19):
        with reading(site, **{"Last-Event-ID": odd}) as block:
            assert block() == {"id": str(number + 3)}


def test_what_is_no_longer_kept_is_said(site):
    """Too long away: one event says which numbers are missing, then come the kept ones. So for a number to come."""
    events_of = CallEvents()
    events_of._kept = type(events_of._kept)(maxlen=2)
    site.desk.events = events_of
    site.put(f"/12/0003*210/{CALL}", PARK)
    pass_s(site, 31)
    for last in ("0", "99"):
        with reading(site, **{"Last-Event-ID": last}) as block:
            block()
            assert block() == {"id": "1", "event": "missed", "data": {"after": int(last), "next": 2}}
            assert [block()["event"], block()["event"]] == ["expired", "recall_ringing"]
    with reading(site, **{"Last-Event-ID": "1"}) as block:
        block()
        assert block()["event"] == "expired"


def test_a_slow_reader_holds_up_nobody(site):
    """It gets what is kept when it reads again, and one event that says what it has missed in between."""
    site.in_loop(lambda: setattr(site.desk.events, "_kept", type(site.desk.events._kept)(maxlen=50)))
    with socket.create_connection(("127.0.0.1", site.port), timeout=60) as slow, slow.makefile("rb") as lines:
        slow.sendall(site.head("GET", STREAM.format("@self")))
        assert lines.readline().startswith(b"HTTP/1.1 200 ")
        wait_until(lambda: site.app._readers._number == 1)
        call = next(call for call in site.desk.register.calls if call.id == CALL)
        call = r.with_view(call, 0, caller_id="x" * 5_000)
        fact = Fact(60 * S, c.NEVER, call.number, 0, c.NOBODY, 0, c.ANSWERED, c.NO_REASON)
        last = b"id: %d\n" % (site.desk.events.newest + 3_000)  # 15 MB: more than the sockets' buffers hold

        async def flood():
            for _ in range(100):
                for _ in range(30):
                    site.desk.events.happened(fact, call, call)
                await asyncio.sleep(0)

        site.wait_for(flood())
        assert site.get(f"/12/0003*210/{CALL}").status == 200
        seen = []
        while not seen or seen[-1] != last:
            line = lines.readline()
            assert line
            if line.startswith((b"id: ", b"event: ")):
                seen.append(line)
    assert b"event: missed\n" in seen
    assert 50 <= seen.count(b"event: answered\n") < 3_000


def test_a_heartbeat(site, monkeypatch):
    """When nothing happens a comment comes now and then, and events come all the same."""
    monkeypatch.setattr(call_events, "HEARTBEAT_S", 0.05)
    with reading(site) as block:
        block()
        assert block() == {"": "heartbeat"}
        site.put(f"/12/0003*210/{CALL}", PARK)
        while (seen := block()) == {"": "heartbeat"}:
            pass
        assert seen["event"] == "parked"


def test_readers_that_leave_are_forgotten_and_too_many_refused(site, monkeypatch):
    """One more than the limit gets 503; a reader that has left makes room."""
    monkeypatch.setattr(events, "VIEWERS_LIMIT", 1)
    with reading(site):
        answer = site.ask("GET", STREAM.format("@self"))
        assert (answer.status, answer.code) == (503, "service_unavailable")
    wait_until(lambda: site.app._readers._number == 0)
    with reading(site):
        pass


def test_head_of_the_stream(site):
    """HEAD answers at once with the fields and nothing else."""
    with site.open() as sock:
        sock.sendall(site.head("HEAD", STREAM.format("@self"), Connection="close"))
        head, _, rest = b"".join(iter(lambda: sock.recv(65_536), b"")).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"content-type: text/event-stream" in head
    assert rest == b""


def test_a_replayed_session_gives_the_same_ids(tmp_path):
    """A desk that is killed and begun again has the same events under the same numbers."""

    def opened():
        """Open a desk on the session."""
        return WatchedDesk(tmp_path / "calls.json", journal=tmp_path / "session", clock=VirtualClock(60 * S))

    def kept(desk):
        """Return the events that a desk has kept."""
        return [(event.number, event.fact, event.call.id) for event in desk.events.after(0)]

    async def lived():
        async with opened() as desk:
            target = f"/uapi/phoneCalls/12/0003*210/{CALL}"
            assert desk.respond(uapi.Request("PUT", target, json.dumps(PARK).encode(), user="12")).status == 200
            await desk.let_pass(40)
            assert desk.respond(uapi.Request("DELETE", target, user="12")).status == 200
            before = kept(desk)
            desk.close_file()  # as a killed process leaves it
        return before

    before = asyncio.run(lived())
    again = opened()
    assert kept(again) == before
    assert [c.KIND_NAMES[fact.kind] for _, fact, _ in before][-4:] == [
        "PARKED", "EXPIRED", "RECALL_RINGING", "ABANDONED",
    ]  # fmt: skip
    again.close_file()
