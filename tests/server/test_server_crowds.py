"""Many clients at once, and clients that leave: the lot stays whole, and one call has one position."""

import asyncio
import json
import socket
import struct
import time
from collections import Counter

import pytest
from desk_stand import WatchedDesk
from server_stand import BEARER, CALL, answers, running

from parksim.rules import codes

CLIENTS = 1_000
PARK = json.dumps({"action": "Park", "phoneCallViewId": "01"}).encode()


def put(site, call):
    """Return the Park of a call as bytes."""
    path = f"/uapi/phoneCalls/12/0003*210/{call}"
    return site.head("PUT", path, Content_Length=str(len(PARK)), Connection="close") + PARK


def all_at_once(site, requests):
    """Open a connection for each request, send all requests, then read all answers; return them as bytes."""

    async def ask():
        streams = [await asyncio.open_connection("127.0.0.1", site.port) for _ in requests]
        for (_, writer), request in zip(streams, requests, strict=True):
            writer.write(request)
        found = await asyncio.gather(*(reader.read() for reader, _ in streams))
        for _, writer in streams:
            writer.close()
            await writer.wait_closed()
        return found

    found = asyncio.run(ask())
    heads = [answer.partition(b"\r\n\r\n") for answer in found]
    return [(int(head[9:12]), body) for head, _, body in heads]


def test_a_thousand_clients_park_one_call(tmp_path):
    """1,000 PUTs of one call at once: one park, 1,000 equal answers."""
    with running(WatchedDesk(tmp_path / "calls.json", 2)) as site:
        found = Counter(all_at_once(site, [put(site, CALL)] * CLIENTS))
        [((status, body), number)] = found.items()
        assert (status, number) == (200, CLIENTS)
        assert json.loads(body)["entry"][0]["phoneCallView"][0]["parkedPos"] == "3"
        assert [fact.kind for fact in site.desk.facts] == [codes.PARKED]
        assert len(site.desk.requests) == CLIENTS


def test_a_thousand_calls_for_the_last_slot(tmp_path):
    """1,000 calls for one position: one gets it, 999 get 409, and nothing else has changed."""
    with running(WatchedDesk(tmp_path / "calls.json", 9, capacity=10, calls=CLIENTS)) as site:
        before = site.desk.register
        mine = [call.id for call in before.calls if call.stay is None]
        assert len(mine) == CLIENTS
        found = all_at_once(site, [put(site, call) for call in mine])
        after = site.desk.register
        facts = Counter(fact.kind for fact in site.desk.facts)
    assert Counter(status for status, _ in found) == {200: 1, 409: CLIENTS - 1}
    assert {json.loads(body)["error"]["code"] for status, body in found if status == 409} == {"pc_parkinglot_full"}
    assert facts == {codes.PARKED: 1, codes.REFUSED: CLIENTS - 1}
    [winner] = [json.loads(body)["entry"][0]["id"] for status, body in found if status == 200]
    assert [call.id for call, was in zip(after.calls, before.calls, strict=True) if call != was] == [winner]
    assert after.lots[0].occupants[:9] == before.lots[0].occupants[:9]
    assert after._replace(calls=(), lots=()) == before._replace(calls=(), lots=())


@pytest.mark.parametrize("reset", [False, True])
def test_clients_cut_off_at_every_stage(tmp_path, reset):
    """A client that leaves after any number of bytes has asked nothing, or has parked once and for all.

    The end of the connection is announced (FIN), or not (RST). Whoever comes next gets its answer.
    """
    with running(WatchedDesk(tmp_path / "calls.json", 2)) as site:
        whole = put(site, CALL)
        before = site.desk.register
        for sent in range(len(whole) + 1):
            with site.open() as sock:
                if reset:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                sock.sendall(whole[:sent])
            settle(site)
            if sent < len(whole):
                assert (site.desk.requests, site.desk.facts) == ([], [])
                assert site.desk.register == before
        assert len(site.desk.facts) <= 1
        answer = site.put(f"/12/0003*210/{CALL}", PARK)
        assert answer.json["entry"][0]["phoneCallView"][0]["parkedPos"] == "3"
        assert [fact.kind for fact in site.desk.facts] == [codes.PARKED]


def settle(site):
    """Wait until the server has taken everything that was sent, and noticed that everybody has left."""
    assert site.ask("GET", "/openapi.json").status == 200  # connections are accepted in their order
    for _ in range(500):
        if site.in_loop(lambda: not site.server.server_state.connections and not site.server.server_state.tasks):
            return
    raise AssertionError("the server still has connections")


def test_a_client_that_leaves_before_its_answer(tmp_path, monkeypatch):
    """What it asked for was done: the call is parked, and asking again gets the same answer."""
    with running(WatchedDesk(tmp_path / "calls.json", 2)) as site:
        respond = site.desk.respond
        sock = site.open()

        def respond_to_nobody(request):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()
            return respond(request)

        monkeypatch.setattr(site.desk, "respond", respond_to_nobody)
        sock.sendall(put(site, CALL))
        for _ in range(500):
            if site.desk.facts:
                break
            time.sleep(0.01)
        settle(site)
        monkeypatch.undo()
        assert [fact.kind for fact in site.desk.facts] == [codes.PARKED]
        again = site.put(f"/12/0003*210/{CALL}", PARK)
        assert again.json["entry"][0]["phoneCallView"][0]["parkedPos"] == "3"
        assert len(site.desk.facts) == 1


def test_a_server_that_ends_among_requests(tmp_path):
    """A request that has arrived is answered; one that has not, and idle connections, do not hold up the end."""
    with running(WatchedDesk(tmp_path / "calls.json", 2)) as site:
        cookie = site.app._tokens.board_cookie(site.app._tokens.board_key)
        with site.open() as idle, site.open() as half, site.open() as stream, site.open() as asked:
            half.sendall(put(site, CALL)[:-1])
            stream.sendall(site.head("GET", "/board/events", Cookie=f"parksim_board={cookie}"))
            seen = b""
            while b"event: picture" not in seen:
                seen += stream.recv(65_536)
            asked.sendall(site.head("GET", "/uapi/phoneCalls/12/0003*210", **BEARER))
            assert answers(asked, silence_s=0.1)[0][0].status == 200
            site.server.should_exit = True
            for sock in (asked, idle, half, stream):
                sock.settimeout(2)
                while sock.recv(65_536):
                    pass
        assert [asked.method for asked in site.desk.requests] == ["GET"]
