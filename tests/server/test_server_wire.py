"""What may come over a socket: malformed HTTP, limits, slowness, crowds; each answered as documented, then closed."""

import asyncio
import json
import queue
import socket
import threading
import time
from collections import Counter
from contextlib import suppress
from random import Random

import pytest
from server_stand import BEARER, CALL, RegisterDesk, answers, running, talking

from parksim.rules.uapi import Refusal
from parksim.rules.uapi.models import BODY_LIMIT_BYTES, TARGET_LIMIT_CHARACTERS
from parksim.server import wire
from parksim.server.wire import HEADERS_LIMIT_BYTES, Joined

PARK = json.dumps({"action": "Park", "maxInParking": "30", "phoneCallViewId": "01"}).encode()
PATH = f"/uapi/phoneCalls/12/0003*210/{CALL}"


@pytest.fixture(scope="module")
def house():
    """A server for the whole file."""
    with running(RegisterDesk(talking(taken=2))) as site:
        yield site


@pytest.fixture
def site(house):
    """The server in its starting state."""
    house.desk.__init__(talking(taken=2))
    return house


@pytest.fixture
def in_pieces(site, monkeypatch):
    """Send pieces so that the server takes each for itself, and return the answers."""
    taken = queue.SimpleQueue()
    take = wire.Connection.data_received

    def take_and_tell(connection, data):
        take(connection, data)
        taken.put((connection.client[1], bytes(data)))

    def send(*pieces):
        with site.open() as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for piece in pieces:
                sock.sendall(piece)
                while (seen := taken.get(timeout=5))[0] != sock.getsockname()[1]:
                    pass
                assert seen[1] == piece
            return answers(sock)

    monkeypatch.setattr(wire.Connection, "data_received", take_and_tell)
    return send


def request(site, line=f"PUT {PATH} HTTP/1.1\r\n", fields=None, body=PARK):
    """Return a PUT as bytes, its parts replaced."""
    known = f"Host: {site.host}\r\nAuthorization: {BEARER['Authorization']}\r\n"
    length = f"Content-Length: {len(body)}\r\n" if fields is None else fields
    return (line + known + length + "\r\n").encode("latin-1") + body


MALFORMED = {
    "bare LF after the request line": {"line": f"PUT {PATH} HTTP/1.1\n"},
    "bare LF after a field": {"fields": "Content-Length: 0\n"},
    "bare LF as the empty line": {"fields": "Content-Length: 0\r\n\n"},
    "bare CR in a field": {"fields": "X: a\rb\r\nContent-Length: 0\r\n"},
    "NUL in a field": {"fields": "X: a\0b\r\nContent-Length: 0\r\n"},
    "folded by a space": {"fields": "X: a\r\n b\r\nContent-Length: 0\r\n"},
    "folded by a tab": {"fields": "Content-Length: 0\r\nX: a\r\n\tb\r\n"},
    "two lengths, different": {"fields": "Content-Length: 58\r\nContent-Length: 5\r\n"},
    "two lengths, equal": {"fields": f"Content-Length: {len(PARK)}\r\n" * 2},
    "two lengths in one field": {"fields": f"Content-Length: {len(PARK)}, {len(PARK)}\r\n"},
    "length and chunked": {"fields": "Content-Length: 58\r\nTransfer-Encoding: chunked\r\n"},
    "chunked and length": {"fields": "Transfer-Encoding: chunked\r\nContent-Length: 58\r\n"},
    "length with a sign": {"fields": "Content-Length: +58\r\n"},
    "length below zero": {"fields": "Content-Length: -1\r\n"},
    "length in hex": {"fields": "Content-Length: 0x3a\r\n"},
    "length empty": {"fields": "Content-Length: \r\n"},
    "length beyond 64 bits": {"fields": "Content-Length: 99999999999999999999999\r\n"},
    "length in other digits": {"fields": "Content-Length: \xb2\r\n"},
    "space before the colon": {"fields": "Content-Length : 58\r\n"},
    "no colon": {"fields": "Content-Length\r\n"},
    "no name": {"fields": ": 58\r\n"},
    "space in a name": {"fields": "Content Length: 58\r\n"},
    "coding that is none": {"fields": "Transfer-Encoding: xchunked\r\n"},
    "coding before chunked": {"fields": "Transfer-Encoding: gzip, chunked\r\n"},
    "coding after chunked": {"fields": "Transfer-Encoding: chunked, identity\r\n"},
    "chunked twice": {"fields": "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"},
    "chunked in HTTP/1.0": {"line": "PUT / HTTP/1.0\r\n", "fields": "Transfer-Encoding: chunked\r\n", "body": b""},
    "two spaces": {"line": f"PUT  {PATH} HTTP/1.1\r\n"},
    "a tab": {"line": f"PUT\t{PATH} HTTP/1.1\r\n"},
    "space after the version": {"line": f"PUT {PATH} HTTP/1.1 \r\n"},
    "no version": {"line": f"PUT {PATH}\r\n"},
    "version 0.9": {"line": f"PUT {PATH} HTTP/0.9\r\n"},
    "version 2.0": {"line": f"PUT {PATH} HTTP/2.0\r\n"},
    "preface of HTTP/2": {"line": "PRI * HTTP/2.0\r\n"},
    "other protocol": {"line": f"PUT {PATH} RTSP/1.0\r\n"},
    "no target": {"line": "PUT HTTP/1.1\r\n"},
    "target without a slash": {"line": "PUT uapi HTTP/1.1\r\n"},
    "asterisk": {"line": "PUT * HTTP/1.1\r\n"},
    "fragment": {"line": f"PUT {PATH}#x HTTP/1.1\r\n"},
    "target beyond ASCII": {"line": f"PUT {PATH}\xff HTTP/1.1\r\n"},
    "space in the target": {"line": f"PUT {PATH} /x HTTP/1.1\r\n"},
    "control in the target": {"line": f"PUT {PATH}\x01 HTTP/1.1\r\n"},
    "host that is no address": {"line": "PUT http://[::1/ HTTP/1.1\r\n"},
    "method of bytes": {"line": "P\xdcT / HTTP/1.1\r\n"},
    "nothing HTTP knows": {"line": "\x16\x03\x01\x02\x00\x01\x00\x01\r\n"},
    "chunk size of letters": {"fields": "Transfer-Encoding: chunked\r\n", "body": b"xyz\r\n"},
    "chunk size in hex notation": {"fields": "Transfer-Encoding: chunked\r\n", "body": b"0x1\r\na\r\n0\r\n\r\n"},
    "chunk size with a sign": {"fields": "Transfer-Encoding: chunked\r\n", "body": b"+1\r\na\r\n0\r\n\r\n"},
    "chunk size and a space": {"fields": "Transfer-Encoding: chunked\r\n", "body": b"1 \r\na\r\n0\r\n\r\n"},
    "chunk size beyond 64 bits": {"fields": "Transfer-Encoding: chunked\r\n", "body": b"F" * 17 + b"\r\n"},
    "chunk longer than its size": {"fields": "Transfer-Encoding: chunked\r\n", "body": b"1\r\nab\r\n0\r\n\r\n"},
    "bare LF after a chunk size": {"fields": "Transfer-Encoding: chunked\r\n", "body": b"1\na\r\n0\r\n\r\n"},
    "bare LF after a chunk": {"fields": "Transfer-Encoding: chunked\r\n", "body": b"1\r\na\n0\r\n\r\n"},
    "bare LF in a chunk extension": {"fields": "Transfer-Encoding: chunked\r\n", "body": b"1;a\nb\r\na\r\n0\r\n\r\n"},
    "bare LF at the end": {"fields": "Transfer-Encoding: chunked\r\n", "body": b"1\r\na\r\n0\r\n\n"},
}  # fmt: skip


def assert_refused(site, found, closed):
    """Check that one refusal came, that the connection was closed, and that the desk was not asked."""
    assert [(answer.status, answer.code) for answer in found] == [(400, "request_invalid")]
    assert found[0].headers["connection"] == "close"
    assert closed
    assert site.desk.requests == []


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_http(site, case):
    """400 in the envelope and the end of the connection; a request smuggled in behind it is not answered."""
    behind = request(site)
    assert_refused(site, *site.raw(request(site, **MALFORMED[case]) + behind))


@pytest.mark.parametrize(
    "case", ["bare LF after a field", "folded by a space", "bare CR in a field", "length and chunked",
             "two lengths, equal", "bare LF after a chunk", "bare LF at the end", "chunk size beyond 64 bits"],
)  # fmt: skip
def test_malformed_http_cut_anywhere(site, in_pieces, case):
    """Wherever the network cuts it in two, the answer is the same."""
    raw = request(site, **MALFORMED[case])
    for cut in range(1, len(raw)):
        assert_refused(site, *in_pieces(raw[:cut], raw[cut:]))


def chunked(body, size=5):
    """Return a body in chunks, with an extension and a field behind it."""
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x;a=b\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\nX-Behind: 1\r\n\r\n"


@pytest.mark.parametrize("form", ["length", "chunked"])
def test_well_formed_http_cut_anywhere(site, in_pieces, form):
    """Three requests at once, cut anywhere in two or into single bytes, get their three answers in order."""
    put = (
        request(site)
        if form == "length"
        else request(site, fields="Transfer-Encoding: chunked\r\n", body=chunked(PARK))
    )
    raw = put + site.head("GET", PATH) + site.head("GET", "/nowhere", Connection="close")
    whole, closed = site.raw(raw)
    assert [answer.status for answer in whole] == [200, 200, 404]
    assert whole[0].body == whole[1].body
    assert closed
    bodies = [answer.body for answer in whole]
    for cut in range(1, len(raw), 3):
        found, _ = in_pieces(raw[:cut], raw[cut:])
        assert [answer.body for answer in found] == bodies
    found, _ = in_pieces(*(raw[place : place + 1] for place in range(len(raw))))
    assert [answer.body for answer in found] == bodies


def test_empty_lines_before_a_request(site):
    """They are ignored, as old clients send one behind a body."""
    found, _ = site.raw(b"\r\n\r\n" + site.head("GET", PATH) + b"\r\n" + site.head("GET", PATH, Connection="close"))
    assert [answer.status for answer in found] == [200, 200]


def test_an_upgrade_is_ignored(site):
    """A client that offers HTTP/2 or a WebSocket is answered in HTTP/1.1, and its body stays a body."""
    for offer in ("h2c", "websocket"):
        fields = f"Connection: Upgrade\r\nUpgrade: {offer}\r\nContent-Length: {len(PARK)}\r\n"
        found, _ = site.raw(request(site, fields=fields) + site.head("GET", PATH, Connection="close"))
        assert [answer.status for answer in found] == [200, 200]
    assert [asked.method for asked in site.desk.requests] == ["PUT", "GET"] * 2


def test_a_method_that_http_has_not(site):
    """A word that is no method answers 501, one that the resource has not 405 with Allow."""
    assert (site.ask("FROBNICATE", PATH).status, site.ask("get", PATH).status) == (501, 501)
    assert site.ask("FROBNICATE", PATH).code == "request_not_implemented"
    assert site.ask("CONNECT", "127.0.0.1:1").code == "request_not_implemented"
    allowed = "GET, PUT, DELETE, HEAD, OPTIONS"
    for method in ("POST", "PATCH", "TRACE", "QUERY"):
        answer = site.ask(method, PATH)
        assert (answer.status, answer.code, answer.headers["allow"]) == (405, "method_not_allowed", allowed)
    answer = site.ask("OPTIONS", PATH)
    assert (answer.status, answer.headers["allow"], answer.body) == (204, allowed, b"")
    assert site.ask("OPTIONS", "*").headers["allow"] == "GET, PUT, POST, DELETE, HEAD, OPTIONS"


def test_head_is_get_without_its_body(site):
    """The same status and fields, the length of GET's body, and no body; the connection stays in order."""
    got = site.ask("GET", PATH)
    for path, status in ((PATH, b"200"), (PATH.replace("0003*210", "0003*999"), b"400")):
        with site.open() as sock:
            sock.sendall(site.head("HEAD", path) + site.head("GET", PATH, Connection="close"))
            head, _, rest = b"".join(iter(lambda: sock.recv(65_536), b"")).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 " + status)
        assert f"content-length: {len(site.ask('GET', path).body)}".encode() in head
        assert rest.startswith(b"HTTP/1.1 200 ")
        assert rest.endswith(got.body)


def test_an_absolute_target(site):
    """It is taken as its path, and its host counts instead of the field's."""
    assert site.ask("GET", f"{site.url}{PATH}?count=1").status == 200
    assert site.ask("GET", f"{site.url}{PATH}", Host="evil.example").status == 200
    assert site.ask("GET", f"http://evil.example{PATH}").code == "host_refused"
    assert site.ask("GET", f"http://x@{site.host}{PATH}").code == "host_refused"


def test_the_limit_of_a_body(site):
    """64 KiB are read, with one byte more the ladder answers: 413 to who may park, 401 to who may not."""
    fits = PARK + b" " * (BODY_LIMIT_BYTES - len(PARK))
    assert site.ask("PUT", PATH, fits).status == 200
    for over in (fits + b" ", PARK + b" " * 1_000_000):
        for asked in (request(site, body=over), request(site, fields="Transfer-Encoding: chunked\r\n",
                                                        body=chunked(over, 60_000))):  # fmt: skip
            found, closed = site.raw(asked)
            assert [(answer.status, answer.code) for answer in found] == [(413, "request_invalid")]
            assert not closed
    assert site.ask("PUT", PATH, fits + b" ", Authorization=None).code == "access_denied"
    assert max(len(asked.body) for asked in site.desk.requests) == BODY_LIMIT_BYTES + 1


@pytest.mark.parametrize("fields", ["Content-Length: 1048577\r\n", f"Content-Length: {10**18}\r\n"])
def test_a_body_without_measure(site, fields):
    """Beyond 1 MiB nothing is read: 413 at once, though no byte of it has come."""
    found, closed = site.raw(request(site, fields=fields, body=b""))
    assert [(answer.status, answer.code, closed) for answer in found] == [(413, "request_invalid", True)]


@pytest.mark.parametrize(
    "chunk", [b"1\r\na\r\n", b"1;" + b"x" * 50_000 + b"\r\na\r\n", b"fff0\r\n" + b"a" * 0xFFF0 + b"\r\n"]
)
def test_chunks_without_end(site, chunk):
    """Neither many small chunks, long extensions nor much data are read without end."""
    found, closed = site.raw(
        request(site, fields="Transfer-Encoding: chunked\r\n", body=chunk * (2_000_000 // len(chunk)))
    )
    assert [(answer.status, answer.code, closed) for answer in found] == [(413, "request_invalid", True)]
    assert site.desk.requests == []


def test_empty_lines_in_chunks(site):
    """Empty lines within a chunk, and chunks of one byte by the thousand, are a body like any other."""
    for body in (PARK + b"\r\n\r\n" * 3_000, PARK.replace(b",", b",\r\n\r\n\r\n\n\r"), b"\n" * 9_999 + PARK):
        for size in (1, 2, 3, 5_000):
            asked = request(site, fields="Transfer-Encoding: chunked\r\n", body=chunked(body, size))
            found, closed = site.raw(asked + site.head("GET", "/nowhere", Connection="close"))
            assert [answer.status for answer in found] == [200, 404]
            assert closed
    assert {len(asked.body) for asked in site.desk.requests if asked.body} > {len(PARK) + 12_000}


def test_a_long_body_in_small_pieces_does_not_hold_up_others(site, monkeypatch):
    """Of a body that is cut very small only so many parts are read in one turn of the loop."""
    turn = [0]
    parts = Counter()
    feed = wire.Connection._feed

    def tick():
        turn[0] += 1
        if turn[0] >= 0:
            site.loop.call_soon(tick)

    def count_and_feed(connection, part):
        parts[turn[0]] += 1
        feed(connection, part)

    monkeypatch.setattr(wire.Connection, "_feed", count_and_feed)
    site.in_loop(tick)
    found, _ = site.raw(request(site, fields="Transfer-Encoding: chunked\r\n", body=chunked(b"\r\n\r\n" * 12_000, 4)))
    turn[0] = -(10**9)
    assert [answer.code for answer in found] == ["request_invalid"]
    assert max(parts.values()) <= wire.PARTS_AT_ONCE < sum(parts.values()) // 10


def test_a_client_that_waits_for_continue(site):
    """It is told to go on, unless its body would be refused anyway."""
    with site.open() as sock:
        sock.sendall(request(site, fields=f"Expect: 100-continue\r\nContent-Length: {len(PARK)}\r\n", body=b""))
        assert sock.recv(100).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
        sock.sendall(PARK)
        assert answers(sock)[0][0].status == 200
    with site.open() as sock:
        sock.sendall(request(site, fields="Expect: 100-continue\r\nContent-Length: 9999999\r\n", body=b""))
        assert sock.recv(100).startswith(b"HTTP/1.1 413 ")


def test_the_limit_of_a_target(site):
    """4 KiB are read; with one character more 414, also when the line never ends."""
    path = f"{PATH}?x="
    fits = path + "x" * (TARGET_LIMIT_CHARACTERS - len(path))
    assert site.ask("GET", fits).status == 200
    assert (site.ask("GET", fits + "x").status, site.ask("GET", fits + "x").code) == (414, "uri_too_long")
    found, closed = site.raw(b"GET /" + b"x" * 10_000)
    assert [(answer.status, answer.code, closed) for answer in found] == [(414, "uri_too_long", True)]
    assert site.raw(b"x" * 10_000)[0][0].code == "request_invalid"


def test_the_limit_of_the_header_block(site):
    """16 KiB of fields are read; with one byte more 431, also when they never end."""
    bare = site.head("GET", PATH, Connection="close", X_Filler="")
    room = HEADERS_LIMIT_BYTES - (len(bare) - bare.find(b"\r\n") - 2)
    assert site.ask("GET", PATH, X_Filler="x" * room).status == 200
    answer = site.ask("GET", PATH, X_Filler="x" * (room + 1))
    assert (answer.status, answer.code) == (431, "headers_too_large")
    for fields in (b"X: y\r\n" * 10_000, b"X: " + b"y" * 60_000):
        found, closed = site.raw(b"GET / HTTP/1.1\r\n" + fields)
        assert [(answer.status, answer.code, closed) for answer in found] == [(431, "headers_too_large", True)]


def test_what_follows_a_body_in_chunks_is_no_field(site):
    """Fields behind a chunked body change nothing, not even whose request it is."""
    body = chunked(PARK).replace(b"X-Behind: 1", b"Authorization: Bearer everybodys-token")
    head = request(site, fields="Transfer-Encoding: chunked\r\n", body=b"").replace(b"Authorization", b"X-Other")
    assert [answer.code for answer in site.raw(head + body)[0]] == ["access_denied"]


@pytest.fixture
def hurried(site, monkeypatch):
    """The server with a quarter of a second for a request."""
    monkeypatch.setattr(wire, "REQUEST_TIME_S", 0.25)
    return site


@pytest.mark.parametrize("keep", [1, 40, -1, -len(PARK) - 2])
def test_a_request_that_does_not_arrive(hurried, keep):
    """After its time, wherever it stopped, 408 and the end; the desk was not asked."""
    found, closed = hurried.raw(request(hurried)[:keep])
    assert [(answer.status, answer.code, closed) for answer in found] == [(408, "request_timeout", True)]
    assert hurried.desk.requests == []


def test_a_request_that_trickles(hurried):
    """A byte now and then buys no time."""
    began_s = time.monotonic()
    found, closed = hurried.raw(b"", pieces=[bytes([byte]) for byte in request(hurried)[:30]], pause_s=0.02)
    assert [(answer.code, closed) for answer in found] == [("request_timeout", True)]
    assert time.monotonic() - began_s < 5


def test_a_second_request_that_does_not_arrive(hurried):
    """Its time begins with its first byte, not with the connection."""
    with hurried.open() as sock:
        for _ in range(3):
            sock.sendall(hurried.head("GET", PATH))
            assert answers(sock, silence_s=0.15)[0][0].status == 200
        sock.sendall(b"GET")
        assert [answer.code for answer in answers(sock)[0]] == ["request_timeout"]


def test_a_connection_that_asks_nothing(hurried):
    """It is closed in silence: browsers open some in advance, and would show an answer."""
    with hurried.open() as sock:
        assert sock.recv(1) == b""


def test_an_idle_connection_is_closed(site):
    """A connection is kept for the next request, and closed when none comes for a while."""
    with site.open() as sock:
        sock.sendall(site.head("GET", PATH))
        assert not answers(sock)[1]
    site.server.config.timeout_keep_alive = 0.1
    try:
        with site.open() as sock:
            sock.sendall(site.head("GET", PATH))
            assert answers(sock, silence_s=5)[1]
    finally:
        site.server.config.timeout_keep_alive = wire.IDLE_TIME_S


def test_too_many_connections(site, monkeypatch):
    """Beyond the limit 503 and the end; when others leave there is room again."""
    monkeypatch.setattr(wire, "CONNECTIONS_LIMIT", 20)
    monkeypatch.setattr(wire, "LINGERING_LIMIT", 10)
    held = [site.open() for _ in range(20)]
    try:
        wait_until(lambda: len(site.server.server_state.connections) == 20)
        found, closed = site.raw(site.head("GET", PATH))
        assert [(answer.status, answer.code, closed) for answer in found] == [(503, "service_unavailable", True)]
        held[0].close()
        wait_until(lambda: len(site.server.server_state.connections) < 20)
        assert site.raw(site.head("GET", PATH))[0][0].status == 200
    finally:
        for sock in held:
            sock.close()


def test_a_client_that_takes_no_answer(site, monkeypatch):
    """Who asks on and on and reads nothing is cut off, and what it asked for is not kept."""
    monkeypatch.setattr(wire, "WRITE_TIME_S", 0.3)
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        sock.connect(("127.0.0.1", site.port))
        sock.settimeout(10)
        asked = site.head("GET", "/openapi.json") * 100
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            all(sock.sendall(asked) is None for _ in range(100_000))
    wait_until(lambda: len(site.server.server_state.connections) == 0)


def test_a_client_that_takes_its_answers_slowly(site):
    """Who reads, however slowly, gets all answers, in order; the server waits with writing."""
    asked = b"".join(site.head("GET", path) for path in ["/openapi.json", PATH] * 100)
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        sock.connect(("127.0.0.1", site.port))
        sending = threading.Thread(target=sock.sendall, args=[asked + site.head("GET", "/nowhere", Connection="close")])
        sending.start()
        time.sleep(0.2)
        found, closed = answers(sock, silence_s=10)
        sending.join()
    assert [answer.status for answer in found] == [200] * 200 + [404]
    assert len({answer.body for answer in found}) == 3
    assert closed


def test_what_follows_a_refusal_is_not_read_for_ever(site):
    """The connection lingers that the answer may be read, but not for a client that goes on and on."""
    with site.open() as sock:
        sock.sendall(b"x\r\n")
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            all(sock.sendall(b"x" * 65_536) is None for _ in range(1_000))
    wait_until(lambda: not site.server.server_state.connections)


def test_a_client_that_stays_after_a_refusal(site, monkeypatch):
    """It is cut off after a moment."""
    monkeypatch.setattr(wire, "LINGER_TIME_S", 0.1)
    with site.open() as sock:
        sock.sendall(b"x\r\n")
        assert answers(sock)[0][0].code == "request_invalid"
        wait_until(lambda: not site.server.server_state.connections)


def test_far_too_many_connections(site, monkeypatch):
    """Beyond those that get their 503 further ones are cut off without a word."""
    monkeypatch.setattr(wire, "CONNECTIONS_LIMIT", 2)
    monkeypatch.setattr(wire, "LINGERING_LIMIT", 1)
    with site.open(), site.open():
        wait_until(lambda: len(site.server.server_state.connections) == 2)
        with site.open() as refused, site.open() as cut_off:
            assert refused.recv(65_536).startswith(b"HTTP/1.1 503 ")
            with suppress(ConnectionResetError):
                assert cut_off.recv(1) == b""
    wait_until(lambda: not site.server.server_state.connections)


PIECES = [
    *(b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b"%", b"/", b"?", b"#", b"\xff", b"\x80" * 50, b"a" * 5_000),
    *(b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Upgrade: x\r\n", b"Connection: close\r\n"),
    *(b"Host: x\r\n", b"Expect: 100-continue\r\n", b"HTTP/1.1", b"0\r\n\r\n", b"FFFFFFFF\r\n", b"GET "),
]


def spoilt(random, raw):
    """Return a request with up to four bytes changed, pieces put in, left out or doubled."""
    data = bytearray(raw)
    for _ in range(random.randint(0, 4)):
        place = random.randrange(len(data))
        change = random.choice(["byte", "piece", "gap", "double"])
        if change == "byte":
            data[place] = random.randrange(256)
        elif change == "piece":
            data[place:place] = random.choice(PIECES)
        elif change == "gap" and len(data) > 50:
            del data[place : place + random.randint(1, 20)]
        else:
            data[place:place] = data[place:][: random.randint(1, 50)]
    return bytes(data)


@pytest.mark.slow
def test_rubbish(site, caplog):
    """3,000 connections with spoilt requests (seed 5): documented answers only, nothing in the log, the lot whole."""
    random = Random(5)
    documented = {(refusal.status, refusal.code) for refusal in Refusal} - {(500, "internal_server_error")}
    good = [
        request(site),
        request(site, fields="Transfer-Encoding: chunked\r\n", body=chunked(PARK)),
        site.head("GET", PATH),
        site.head("GET", "/?token=x", Connection="Upgrade", Upgrade="websocket"),
        site.head("GET", f"{site.url}/board/events", Cookie="parksim_board=x"),
        site.head("OPTIONS", "*", Expect="100-continue"),
    ]
    statuses = Counter()
    for _ in range(3_000):
        data = spoilt(random, b"".join(random.choices(good, k=random.randint(1, 3))))
        with site.open() as sock, suppress(ConnectionResetError, BrokenPipeError):
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            for answer in answers(sock)[0]:
                statuses[answer.status] += 1
                assert answer.status in {200, 204} or (answer.status, answer.code) in documented
    assert {200, 400, 401, 404, 421} <= set(statuses)
    assert not caplog.records
    kept = site.desk.register
    assert [call.id for call in kept.calls] == [call.id for call in talking(taken=2).calls]
    assert site.ask("GET", PATH).status == 200


def wait_until(holds):
    """Wait up to five seconds until something holds."""
    until_s = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < until_s
        time.sleep(0.01)


def test_an_answer_leaves_in_one_piece():
    """What is written in one turn of the loop goes to the socket at once, also before a close."""

    class Socket:
        """A transport that keeps what is written."""

        def __init__(self):
            self.seen = []

        def write(self, part):
            """Keep a part."""
            self.seen.append(part)

        def close(self):
            """Keep that it was closed."""
            self.seen.append("closed")

        def write_eof(self):
            """Keep that nothing follows."""
            self.seen.append("eof")

    async def written():
        socket = Socket()
        joined = Joined(socket, asyncio.get_running_loop())
        assert joined.seen is socket.seen  # the rest is the transport's own
        joined.write(b"head ")
        joined.write(b"body")
        assert socket.seen == []
        await asyncio.sleep(0)
        joined.write(b"next ")
        joined.write(b"one")
        joined.write_eof()
        joined.write(b"late")
        joined.close()
        await asyncio.sleep(0)
        return socket.seen

    assert asyncio.run(written()) == [b"head body", b"next one", "eof", b"late", "closed"]
