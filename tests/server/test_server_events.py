"""The board's way in and its stream: the key, the cookie, pictures, heartbeats, viewers that are slow or leave."""

import http.client
import json
import time
from contextlib import ExitStack, contextmanager

import pytest
from server_stand import BEARER, RegisterDesk, running, talking

from parksim.server import events


@pytest.fixture(scope="module")
def house():
    """A server for the whole file."""
    with running(RegisterDesk(talking())) as site:
        yield site


@pytest.fixture
def site(house):
    """The server in its starting state, without viewers."""
    wait_until(lambda: house.app._viewers._number == 0)
    house.desk.__init__(talking())
    house.app._viewers.__init__(house.desk)
    return house


def cookie(site):
    """Return the field that the board's cookie comes in, got by the key as a browser gets it."""
    opened = site.ask("GET", f"/?token={site.app._tokens.board_key}", Authorization=None)
    assert (opened.status, opened.headers["location"], opened.body) == (303, "/", b"")
    pair, *attributes = opened.headers["set-cookie"].split("; ")
    assert attributes == ["Path=/board", "HttpOnly", "SameSite=Strict"]
    return {"Cookie": pair}


@contextmanager
def watching(site, **fields):
    """Open the stream and yield a reader of its blocks, each a dictionary (comments under "")."""
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=10)
    connection.request("GET", "/board/events", headers={**cookie(site), **fields})
    response = connection.getresponse()
    try:
        assert (response.status, response.headers["Content-Type"]) == (200, "text/event-stream")
        assert response.headers["Cache-Control"] == "no-store"

        def block():
            lines = {}
            while (line := response.readline().decode()) not in {"\n", ""}:
                name, _, value = line.rstrip("\n").partition(": ")
                lines[name] = value
            return lines

        assert block() == {"retry": "1000"}
        yield block
    finally:
        response.close()
        connection.close()


def wait_until(holds):
    """Wait up to five seconds until something holds."""
    until_s = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < until_s
        time.sleep(0.01)


def test_the_picture_comes_at_once_and_again_after_a_change(site):
    """The first event is the whole picture; after a change the next comes, with the next id."""
    with watching(site) as block:
        first = block()
        assert (first["id"], first["event"]) == ("0", "picture")
        assert json.loads(first["data"]) == site.desk.snapshot()
        for number in (1, 2, 3):
            site.in_loop(site.desk.change)
            following = block()
            assert following["id"] == str(number)
            assert json.loads(following["data"])["id"] == number


def test_a_viewer_that_comes_back(site):
    """Whatever it has seen, it gets the picture as it is."""
    site.in_loop(site.desk.change)
    for last in ("0", "1", "99", "x" * 1_000, "\xff"):
        with watching(site, **{"Last-Event-ID": last}) as block:
            assert block()["id"] == "1"


def test_many_changes_are_one_picture(site):
    """A hundred changes at once do not make a hundred pictures, and the last is never left out."""
    with watching(site) as block:
        block()
        site.in_loop(lambda: [site.desk.change() for _ in range(100)])
        seen = [int(block()["id"])]
        while seen[-1] < 100:
            seen.append(int(block()["id"]))
        assert len(seen) <= 2


def test_at_most_ten_pictures_a_second(site):
    """Changes at every turn of the loop are thinned out."""
    with watching(site) as block:
        block()
        began_s = time.monotonic()
        for _ in range(5):
            site.in_loop(site.desk.change)
            block()
        assert time.monotonic() - began_s >= 4 * events.BETWEEN_PICTURES_S


def test_viewers_share_a_picture(site, monkeypatch):
    """Thirty viewers of one change get one picture that was drawn for all, or nearly all, and none an old one."""
    drawn = []
    snapshot = site.desk.snapshot
    with ExitStack() as viewers:
        blocks = [viewers.enter_context(watching(site)) for _ in range(30)]
        for block in blocks:
            block()
        time.sleep(2 * events.BETWEEN_PICTURES_S)
        monkeypatch.setattr(site.desk, "snapshot", lambda: drawn.append(1) or snapshot())
        monkeypatch.setattr(events, "SHARED_S", 10.0)  # however slow the machine is
        for number in (1, 2, 3):
            site.in_loop(site.desk.change)
            assert {block()["id"] for block in blocks} == {str(number)}
    assert len(drawn) == 3


def test_a_heartbeat(site, monkeypatch):
    """When nothing changes a comment comes now and then."""
    monkeypatch.setattr(events, "HEARTBEAT_S", 0.05)
    with watching(site) as block:
        assert block()["id"] == "0"
        assert [block(), block()] == [{"": "heartbeat"}] * 2
        site.in_loop(site.desk.change)
        while (seen := block()) == {"": "heartbeat"}:
            pass
        assert seen["id"] == "1"


def test_viewers_that_leave_are_forgotten(site):
    """Neither tasks nor connections of theirs are left."""
    for _ in range(5):
        with watching(site) as block:
            block()
    wait_until(lambda: not site.server.server_state.tasks)
    assert site.app._viewers._number == 0


def test_too_many_viewers(site, monkeypatch):
    """Beyond the limit 503; when one leaves there is room again."""
    monkeypatch.setattr(events, "VIEWERS_LIMIT", 1)
    with watching(site) as block:
        block()
        refused = site.ask("GET", "/board/events", **cookie(site))
        assert (refused.status, refused.code) == (503, "service_unavailable")
    wait_until(lambda: not site.app._viewers.full)
    with watching(site) as block:
        block()


def test_the_stream_ends_with_the_desk(site):
    """When there will be no further change the stream ends properly."""
    with watching(site) as block:
        block()
        site.desk.over = True
        site.in_loop(site.desk.change)
        seen = [block(), block()]
        assert seen[-1] == {}


def test_a_picture_that_fails(site, monkeypatch, caplog):
    """The stream ends, the log says why, and the next viewer is served."""
    with watching(site) as block:
        block()
        monkeypatch.setattr(site.desk, "snapshot", lambda: 1 / 0)
        site.in_loop(site.desk.change)
        assert block() == {}
    assert "ZeroDivisionError" in caplog.text
    monkeypatch.undo()
    with watching(site) as block:
        assert block()["id"] == "1"


@pytest.mark.parametrize(
    "fields",
    [{}, {"Cookie": "parksim_board="}, {"Cookie": "parksim_board=x"}, {"Cookie": "other=x"}, {"Cookie": ";;=;"},
     {"Cookie": "parksim_board=testtoken0123456789"}, BEARER, {"Authorization": "Bearer everybodys-token"}],
)  # fmt: skip
def test_no_stream_without_the_cookie(site, fields):
    """Neither without it nor with another, nor with a token instead: a page of another origin could not send it."""
    answer = site.ask("GET", "/board/events", **{"Authorization": None, **fields})
    assert (answer.status, answer.code) == (401, "access_denied")


def test_the_cookie_among_others(site):
    """Cookies of other services on this machine do not hide it, however odd they are."""
    pair = cookie(site)["Cookie"]
    for field in (f'a="b; {pair}', f"x; {pair}; y=z", f"\xe4={{}}; {pair}"):
        connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=10)
        connection.request("GET", "/board/events", headers={"Cookie": field})
        response = connection.getresponse()
        assert response.status == 200
        response.close()
        connection.close()


def test_the_key_opens_nothing_else(site):
    """Neither the key nor the cookie is a token, and a wrong key, or a user's token, is refused without a cookie."""
    key = site.app._tokens.board_key
    assert site.get("/12/0003*210", Authorization=f"Bearer {key}").status == 401
    assert site.get("/12/0003*210", Authorization=None, **cookie(site)).status == 401
    assert site.ask("GET", "/?token=everybodys-token").status == 303
    for wrong in ("", "x", key[:-1], key + "x", "testtoken0123456789", "%ff", key + "%00"):
        answer = site.ask("GET", f"/?token={wrong}")
        assert (answer.status, answer.code) == (401, "access_denied")
        assert "set-cookie" not in answer.headers


def test_methods_of_the_board(site):
    """The stream and the pages are got, not written; HEAD tells what GET would, without its body."""
    for path in ("/board/events", "/openapi.json", "/"):
        for method in ("POST", "PUT", "DELETE"):
            answer = site.ask(method, path)
            assert (answer.status, answer.code) == (405, "method_not_allowed")
            assert answer.headers["allow"] == "GET, HEAD, OPTIONS"
        answer = site.ask("OPTIONS", path)
        assert (answer.status, answer.headers["allow"], answer.body) == (204, "GET, HEAD, OPTIONS", b"")
    with site.open() as sock:
        sock.sendall(site.head("HEAD", "/openapi.json", Connection="close"))
        head, _, body = b"".join(iter(lambda: sock.recv(65_536), b"")).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert f"content-length: {len(site.ask('GET', '/openapi.json').body)}".encode() in head
    assert body == b""
