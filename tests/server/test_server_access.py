"""Who gets in: hosts, origins, tokens and their reach, hostile ids; and that an outsider learns nothing."""

import json

import pytest
from desk_stand import WatchedDesk
from server_stand import BEARER, CALL, running

from parksim.errors import ArgumentError
from parksim.rules import uapi
from parksim.server.doors import Doors, Forwarded

PARK = {"action": "Park", "maxInParking": "30", "phoneCallViewId": "01"}
PATH = f"/12/0003*210/{CALL}"
OTHERS = "Bearer other-users-token"
GLOBAL = "Bearer everybodys-token"


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A server for the whole file, whose links bear a public name."""
    path = tmp_path_factory.mktemp("house") / "calls.json"
    with running(WatchedDesk(path), base_url="https://pbx.example") as site:
        yield site


@pytest.fixture
def begin(house, tmp_path):
    """Let the server begin anew: CALL on call at 0003*210, positions 1 and 2 taken by calls of another user."""

    def begin_anew(**more):
        house.begin_with(WatchedDesk(tmp_path / "calls.json", 2, **more))
        return house

    return begin_anew


@pytest.fixture
def site(begin):
    """The server in its starting state."""
    return begin()


def test_hosts_that_are_ours(site):
    """Loopback by each of its names with the port, and the configured name, in any case of letters."""
    for host in (
        "127.0.0.1:{}",
        "localhost:{}",
        "LocalHost:{}",
        "[::1]:{}",
        "pbx.example",
        "pbx.example:443",
        "PBX.Example",
    ):
        assert site.get(PATH, Host=host.format(site.port)).status == 200, host


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:{}", "127.0.0.1", "localhost", "127.0.0.1:1", "127.0.0.1:{}.evil.example", "",
     "0.0.0.0:{}", "127.0.0.1:{}@evil.example", "evil.example#@127.0.0.1:{}", "127.1:{}", "2130706433:{}",
     "pbx.example:80", "pbx.example.", "xn--bx-mia.example", "127.0.0.1:{},evil.example"],
)  # fmt: skip
def test_a_foreign_host(site, host):
    """Whatever else stands in Host is refused before anything is looked at, also for the board (DNS rebinding)."""
    for path in (f"/uapi/phoneCalls{PATH}", "/", "/board/events", "/openapi.json", "/nowhere"):
        answer = site.ask("GET", path, Host=host.format(site.port))
        assert (answer.status, answer.code) == (421, "host_refused")
    assert site.desk.requests == []


def test_no_host_or_two(site):
    """A request has exactly one Host."""
    assert site.get(PATH, Host=None).code == "request_invalid"
    assert site.get(PATH, X_Two=f"1\r\nHost: {site.host}").code == "request_invalid"
    assert site.desk.requests == []


@pytest.mark.parametrize(
    "origin", ["http://127.0.0.1:{}", "http://localhost:{}", "http://[::1]:{}", "https://pbx.example"]
)
def test_origins_that_are_ours(site, origin):
    """Pages that the service itself has served may call it."""
    assert site.put(PATH, PARK, Origin=origin.format(site.port)).status == 200


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "", "http://127.0.0.1", "http://127.0.0.1:1", "https://127.0.0.1:{}",
     "http://pbx.example", "http://127.0.0.1:{}.evil.example", "http://127.0.0.1:{}/", "file://", "http://localhost:{}, http://evil.example"],
)  # fmt: skip
def test_a_foreign_origin(site, origin):
    """Pages of any other origin are refused, even with a token, even when they only ask what they might (OPTIONS)."""
    for method, path in (("PUT", f"/uapi/phoneCalls{PATH}"), ("OPTIONS", f"/uapi/phoneCalls{PATH}"), ("GET", "/")):
        answer = site.ask(method, path, json.dumps(PARK).encode(), Origin=origin.format(site.port))
        assert (answer.status, answer.code) == (403, "origin_refused")
        assert "access-control-allow-origin" not in answer.headers
    assert site.desk.requests == []


def test_two_origins(site):
    """A second Origin does not hide behind the first."""
    both = f"http://{site.host}\r\nOrigin: http://evil.example"
    assert site.put(PATH, PARK, Origin=both).code == "origin_refused"


@pytest.mark.parametrize(
    "value",
    [None, "", "Bearer", "Bearer ", "Bearer testtoken012345678", "Bearer testtoken01234567890",
     "Bearer TESTTOKEN0123456789", "testtoken0123456789", "Basic dGVzdHRva2VuMDEyMzQ1Njc4OTo=",
     "Bearer testtoken0123456789 x", "Bearer\ttesttoken0123456789", "Bearer testtoken0123456789,other-users-token",
     "Digest testtoken0123456789", "Bearer \xe9" + "x" * 30, "Bearer " + "x" * 9_000,
     f"{BEARER['Authorization']}\r\nAuthorization: {OTHERS}"],
)  # fmt: skip
def test_no_valid_token(site, value):
    """Missing, wrong, odd, or given twice: 401, the same for each, and nothing has happened."""
    expected = site.put(PATH, PARK, Authorization=None)
    answer = site.put(PATH, PARK, Authorization=value)
    assert (answer.status, answer.code, answer.headers["www-authenticate"]) == (401, "access_denied", "Bearer")
    assert answer.body == expected.body
    assert site.desk.facts == []


def test_the_scheme_in_any_letters(site):
    """Bearer may be written in any case of letters, with several spaces (RFC 9110, section 11.1)."""
    assert site.get(PATH, Authorization="bEARER   testtoken0123456789").status == 200


def test_a_user_reaches_its_own(site):
    """The token of user 33 gets nothing of user 12's, by whatever path; a global token gets both."""
    for path in (
        PATH,
        f"/@owner/0003*210/{CALL}",
        f"/12/@self/{CALL}",
        f"/@me/0003*210/{CALL}",
        f"/33/0003*210/{CALL}",
    ):
        assert site.put(path, PARK, Authorization=OTHERS).status == 400
    assert site.get(f"/@me/@self/{CALL}", Authorization=OTHERS).json["totalResults"] == 0
    assert site.desk.facts == []
    for path in (PATH, "/33/0003*024"):
        assert site.get(path, Authorization=GLOBAL).status == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize(
    ("theirs", "nobodys"),
    [(f"/12/0003*210/{CALL}", f"/99/0003*210/{CALL}"), ("/12/0003*210", "/99/0003*210"), ("/12/@self", "/99/@self"),
     (f"/33/0003*210/{CALL}", f"/33/0003*999/{CALL}"), (f"/@owner/0003*210/{CALL}", f"/@owner/0003*999/{CALL}"),
     (f"/33/0003*024/{CALL}", "/33/0003*024/00000000000000000fff"),
     (f"/33/@self/{CALL}", "/33/@self/00000000000000000fff")],
)  # fmt: skip
def test_not_yours_is_not_there(begin, method, theirs, nobodys):
    """What is another user's answers like what there is not, but for the words that were asked for, field by field."""
    body = json.dumps(PARK).encode() if method == "PUT" else b""
    answers = []
    for path in (theirs, nobodys):
        site = begin()
        answer = site.ask(method, f"/uapi/phoneCalls{path}", body, Authorization=OTHERS)
        shown = answer.body.decode()
        for word in ("/12/", "/99/", "'12'", "'99'", "0003*210", "0003*999", CALL, "00000000000000000fff"):
            shown = shown.replace(word, "...")
        answers.append((answer.status, shown, sorted(set(answer.headers) - {"content-length", "date"})))
        assert site.desk.facts == []
    assert answers[0] == answers[1]


HOSTILE_IDS = [
    *(
        "..%2f..%2fetc",
        "..",
        "%2e%2e",
        "%00",
        "%0d%0aSet-Cookie:x",
        "%0d%0a%0d%0aHTTP%2f1.1%20200%20OK",
        "@me",
        "@self",
    ),
    *("%252A", "<img%20onerror=x>", "<script>", "';--", "${jndi:x}", "%c3%a9", "e%cc%81", "%e9", "%f0%9f%98%80"),
    *("%ed%a0%80", "%", "%2", "%zz", "*", "~", "\\", "x" * 3_500, "%41" * 1_200),
]


@pytest.mark.parametrize("word", HOSTILE_IDS)
def test_a_hostile_id(site, word):
    """An id is a key and nothing else: as call, extension or user it answers like any other that there is not."""
    for path, code in (
        (f"/12/0003*210/{word}", "pc_phonecall_invalid"),
        (f"/12/{word}/{CALL}", None if word == "@self" else "extension_invalid"),
        (f"/{word}/0003*210/{CALL}", None if word == "@me" else "user_invalid"),
    ):
        answer = site.put(path, PARK)
        assert (answer.status, answer.status == 200 or answer.code) == ((200, True) if code is None else (400, code))
        assert len(answer.body) < 700 + len(site.desk.register.base_url)
        assert "set-cookie" not in answer.headers


def test_slashes_in_an_id_make_a_longer_path(site):
    """A path with more words than there are is not found."""
    for path in ("/12/0003*210/../../etc", f"/12/0003*210/{CALL}//", "/12//0003*210/x"):
        assert (site.get(path).status, site.get(path).code) == (404, "not_found")
    assert site.ask("GET", "/../../etc/passwd").code == "not_found"
    assert site.ask("GET", "/board/../board.js").code == "not_found"
    assert site.ask("GET", "/%2e%2e/app.py").code == "not_found"


def test_an_id_of_ten_thousand_characters(site):
    """It is longer than any target may be."""
    assert (site.get(f"/12/0003*210/{'x' * 10_000}").status, site.get(f"/12/{'x' * 10_000}").code) == (
        414,
        "uri_too_long",
    )


def test_links_do_not_repeat_the_host(begin):
    """Links begin with the configured address whatever Host was sent."""
    site = begin(base_url="https://pbx.example")
    entry = site.get(PATH, Host=f"localhost:{site.port}").json["entry"][0]
    assert entry["link"]["self"] == f"https://pbx.example/uapi/phoneCalls{PATH}"


def test_every_answer_is_safe_to_show(site):
    """Answers forbid sniffing, framing, caching and scripts from elsewhere, whatever they are."""
    asked = [site.ask("GET", path) for path in ("/", "/openapi.json", "/board/events", "/nowhere")]
    asked += [site.get(PATH), site.get("/nobody/x"), site.get(PATH, Host="evil.example"), site.raw(b"x\r\n")[0][0]]
    for answer in asked:
        assert answer.headers["content-security-policy"].startswith("default-src 'self';")
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "server" not in answer.headers


def test_a_desk_that_fails(site, monkeypatch, caplog):
    """It answers 500 in the envelope; the log has the fault, but neither the token nor the body."""

    def respond(_):
        raise RuntimeError("planted")

    monkeypatch.setattr(site.desk, "respond", respond)
    answer = site.put(PATH, {**PARK, "secret": "s3cr3t-0f-the-b0dy"})
    assert (answer.status, answer.code) == (500, "internal_server_error")
    assert "planted" in caplog.text
    assert "testtoken" not in caplog.text
    assert "s3cr3t" not in caplog.text
    monkeypatch.undo()
    assert site.put(PATH, PARK).status == 200


def test_a_switchboard_that_has_failed(begin, monkeypatch):
    """A fault of the model itself: 500 for who met it, then 503 for everybody, at once, and the board stands still."""
    site = begin()

    def broken(*_):
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(site.desk.switchboard.exchange, "do", broken)
    assert site.put(PATH, PARK).code == "internal_server_error"
    monkeypatch.undo()
    for answer in (site.put(PATH, PARK), site.get(PATH), site.get("/@me/@self")):
        assert (answer.status, answer.code) == (503, "service_unavailable")
    assert site.in_loop(site.desk.snapshot)["running"] is False
    assert site.desk.facts == []
    with pytest.raises(ZeroDivisionError):  # as it is left
        begin()


def test_a_failed_write_is_passed_on(site, monkeypatch):
    """What the desk answers when it could not write reaches the client as it is."""
    refused = uapi.refusal_reply(uapi.Refusal.SERVICE_UNAVAILABLE, "The session could not be written.")
    monkeypatch.setattr(site.desk, "respond", lambda _: refused)
    answer = site.put(PATH, PARK)
    assert (answer.status, answer.code) == (503, "service_unavailable")


def test_what_the_desk_is_asked(site):
    """Method, target and body as they were sent, the token's user and scope, Prefer in one piece, no token."""
    body = json.dumps(PARK).encode()
    site.put("/12/0003%2a210/x%2Fy/?a=%20&a", PARK, Authorization=GLOBAL, Prefer="wait=1\r\nPrefer: respond-async")
    site.get("/12/x?")
    assert site.desk.requests == [
        uapi.Request(
            "PUT", "/uapi/phoneCalls/12/0003%2a210/x%2Fy/?a=%20&a", body, "12", "global", "wait=1, respond-async"
        ),
        uapi.Request("GET", "/uapi/phoneCalls/12/x", b"", "12", "user"),
    ]
    assert site.desk.facts == []


def test_doors_of_other_addresses():
    """An address of this machine is a host, an address that stands for all of them is none; port 80 may be left out."""
    doors = Doors.of("192.0.2.1", 80, "http://192.0.2.1")
    assert {"192.0.2.1", "192.0.2.1:80", "localhost"} <= doors.hosts
    assert "http://192.0.2.1" in doors.origins
    assert not any("0.0.0.0" in host for host in Doors.of("0.0.0.0", 8080, "http://127.0.0.1:8080").hosts)
    assert "[2001:db8::1]:81" in Doors.of("2001:db8::1", 81, "https://pbx.example:8443").hosts
    assert "https://pbx.example:8443" in Doors.of("::", 81, "https://pbx.example:8443").origins


def test_allowed_hosts():
    """A further name is a host at our port and without one, in any case; with a port only there."""
    doors = Doors.of("127.0.0.1", 8080, "http://127.0.0.1:8080", ["ParkSim", "localhost:9090", "[2001:db8::1]"])
    assert {"parksim", "parksim:8080", "localhost:9090", "[2001:db8::1]", "[2001:db8::1]:8080"} <= doors.hosts
    assert not {"parksim:80", "parksim:9090", "localhost", "127.0.0.1"} & doors.hosts
    assert {"http://parksim:8080", "https://parksim", "http://localhost:9090"} <= doors.origins
    assert "http://parksim:9090" not in doors.origins
    for wrong in ("", "*", "http://parksim", "a b", "parksim:x", "parksim/", "-x", "2001:db8::1", "x" * 300 + "/"):
        with pytest.raises(ArgumentError, match=r"is no host; write a name such as parksim"):
            Doors.of("127.0.0.1", 8080, "http://127.0.0.1:8080", [wrong])


def test_a_proxy_names_host_and_port():
    """Switched on, a request that a proxy passes on may name any port, or none, at a host that is ours; not another."""
    there = ("127.0.0.1", 8080, "https://pbx.example")
    on, off = Doors.of(*there, proxied=True), Doors.of(*there)
    said = Forwarded.of(["127.0.0.1, 10.0.0.1"], [], [])
    assert said == Forwarded(("127.0.0.1", "10.0.0.1"), "http", "")
    plain = Forwarded.of([], ["http"], [])
    for host, forwarded, refused in (
        ("127.0.0.1", plain, None),
        ("127.0.0.1", None, uapi.Refusal.HOST_REFUSED),
        ("localhost:1", Forwarded.of([], [], ["1"]), None),
        ("127.0.0.1:8080", Forwarded.of(["pbx.example"], ["https"], []), None),
        ("127.0.0.1:8080", Forwarded.of(["evil.example"], ["https"], []), uapi.Refusal.HOST_REFUSED),
        ("127.0.0.1:8080", said, uapi.Refusal.HOST_REFUSED),
        ("evil.example", Forwarded.of(["127.0.0.1:8080"], [], []), uapi.Refusal.HOST_REFUSED),
        ("evil.example:8080", plain, uapi.Refusal.HOST_REFUSED),
        ("", plain, uapi.Refusal.HOST_REFUSED),
    ):
        assert on.refusal(host, [], forwarded) == refused, (host, forwarded)
        if host != "127.0.0.1:8080":
            assert off.refusal(host, [], forwarded) == uapi.Refusal.HOST_REFUSED
    assert off.refusal("127.0.0.1:8080", [], Forwarded.of(["evil.example"], [], [])) is None  # not looked at


def test_origins_behind_a_proxy():
    """Pages that were got through the proxy may call: its scheme, the client's host, its port unless that is usual."""
    doors = Doors.of("127.0.0.1", 8080, "https://pbx.example", proxied=True)
    for host, forwarded, own in (
        ("127.0.0.1", Forwarded.of([], ["http"], []), "http://127.0.0.1"),
        ("127.0.0.1", Forwarded.of([], ["https"], ["443"]), "https://127.0.0.1"),
        ("127.0.0.1", Forwarded.of([], ["http"], ["81"]), "http://127.0.0.1:81"),
        ("127.0.0.1:8080", Forwarded.of(["localhost:90"], ["http"], ["91"]), "http://localhost:90"),
    ):
        assert doors.refusal(host, [own.upper()], forwarded) is None
        for foreign in ("http://evil.example", "null", own + "0", f"{own}.evil.example", "http://localhost:3000"):
            assert doors.refusal(host, [own, foreign], forwarded) == uapi.Refusal.ORIGIN_REFUSED


def test_a_proxys_fields_over_http(site):
    """Without --proxy-headers they change nothing; with it they are read from the request."""
    fields = {"Host": "127.0.0.1", "X_Forwarded_Proto": "http"}
    assert site.get(PATH, **fields).code == "host_refused"
    doors = site.app._doors
    site.app._doors = doors._replace(proxied=True)
    try:
        assert site.get(PATH, **fields).status == 200
        assert site.get(PATH, **fields, Origin="http://127.0.0.1").status == 200
        assert site.get(PATH, **fields, X_Forwarded_Host="evil.example").code == "host_refused"
        assert site.get(PATH, Host="127.0.0.1").code == "host_refused"
    finally:
        site.app._doors = doors
