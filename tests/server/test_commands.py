"""The board's commands over HTTP and in the session file: who may, what they do, and what a restart keeps of them."""

import asyncio
import json

import pytest
from desk_load import call_to, hospital, parked, put
from desk_stand import NOW_US, WatchedDesk
from server_stand import CALL, S, running

from parksim import Scenario
from parksim.engines.clocks import RealClock, VirtualClock
from parksim.server.desk import Desk
from parksim.server.tokens import Token, Tokens

KEYS = {
    "firm-token-0123": Token("21", "organization"),
    "home-token-0123": Token("12", "organization"),
    "every-token-0123": Token("12", "global"),
    "users-token-0123": Token("12", "user"),
}
WHO = {"uapi.users": {"12": ["0003*201", "0003*202"], "21": ["0004*201"]}}


@pytest.fixture
def site(tmp_path):
    """A running server with one parked call, and another in hand at 0003*210, on a clock that stands."""
    with running(WatchedDesk(tmp_path / "calls.json", 1), tokens=Tokens(KEYS)) as site:
        yield site


def ask(site, content, key=None, method="POST"):
    """Send the board's command as the browser does that was opened by a key, by default the board's own."""
    tokens = site.app._tokens
    cookie = f"parksim_board={tokens.board_cookie(key or tokens.board_key)}"
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return site.ask(method, "/board/commands", body if method == "POST" else b"", Cookie=cookie, Authorization=None)


def test_the_commands_are_those_of_the_api(site):
    """Park, retrieve, hang up: UAPI's own requests, in the viewer's name, each with its effect."""
    assert ask(site, {"command": "park", "call": CALL}).status == 200
    assert CALL in parked(site.desk)
    assert ask(site, {"command": "retrieve", "call": CALL}).status == 200
    call = site.desk.register.calls.with_id(CALL)
    assert site.desk.register.extensions[call.stay.rung].number == "0003*210"
    one = next(iter(parked(site.desk)))
    assert ask(site, {"command": "hang_up", "call": one}).status == 200
    assert site.desk.register.calls.with_id(one) is None
    methods = [(request.method, request.user, request.scope) for request in site.desk.requests]
    assert methods == [("PUT", "12", "global"), ("PUT", "12", "global"), ("DELETE", "12", "global")]


@pytest.mark.parametrize("command", ["park", "retrieve", "hang_up"])
@pytest.mark.parametrize("call", ["0" * 20, "../../x", "@self", " ", "é"])
def test_a_call_that_is_not_there(site, command, call):
    """It is refused as UAPI refuses it, and nothing has happened."""
    answer = ask(site, {"command": command, "call": call})
    assert (answer.status, answer.code) == (400, "pc_phonecall_invalid")
    assert site.desk.facts == []


def test_a_command_that_does_not_fit_the_call(site):
    """Who is parked is not parked, who is in hand is not retrieved: UAPI's refusal, or its answer once more."""
    one = next(iter(parked(site.desk)))
    assert ask(site, {"command": "park", "call": one}).status == 200  # the same place again
    assert ask(site, {"command": "retrieve", "call": CALL}).status == 400
    assert site.desk.facts == []


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", {}, {"command": "run"}, {"command": "run", "rate": 0.9},
     {"command": "run", "rate": 601}, {"command": "run", "rate": "60"}, {"command": "run", "rate": True},
     b'{"command": "run", "rate": NaN}', {"command": "pause", "rate": 1}, {"command": "stop"}, {"command": "park"},
     {"command": "park", "call": ""}, {"command": "park", "call": 7}, {"command": "park", "call": "x" * 65},
     {"command": "park", "call": CALL, "x": 1}],
)  # fmt: skip
def test_what_is_no_command(site, content):
    """One message that says how commands are written; nothing has happened."""
    answer = ask(site, content)
    assert (answer.status, answer.code) == (400, "request_invalid")
    assert 'Send {"command": "pause"}' in answer.json["error"]["message"]
    assert (site.desk.requests, site.desk.paused, site.desk.rate) == ([], False, 1.0)


def test_who_may_do_what():
    """Time is moved by scope global only; a token reaches the calls of its organization; nobody comes in by a token."""
    scenario = Scenario.load("scenarios/two-organisations.toml").with_values(WHO)
    desk = Desk(scenario, clock=VirtualClock(NOW_US), traffic=False)
    with running(desk, tokens=Tokens(KEYS)) as site:
        assert site.in_loop(lambda: desk.respond(call_to("0003*201"))).status == 200
        site.wait_for(desk.switchboard.run_to(NOW_US + S))
        (call,) = desk.register.calls
        park = {"command": "park", "call": call.id}
        assert ask(site, park, "firm-token-0123").code == "pc_phonecall_invalid"
        assert ask(site, park, "home-token-0123").status == 200
        for key, time in ((None, True), ("every-token-0123", True), ("home-token-0123", False)):
            assert ask(site, None, key, "GET").json == {"time": time, "calls": True}
            answer = ask(site, {"command": "pause"}, key)
            assert answer.status == (204 if time else 401)
            assert time or "scope global" in answer.json["error"]["message"]
        for fields in ({}, {"Cookie": "parksim_board=x"}, {"Authorization": "Bearer every-token-0123"}):
            for method in ("GET", "POST"):
                body = b"{}" if method == "POST" else b""
                answer = site.ask(method, "/board/commands", body, **{"Authorization": None, **fields})
                assert (answer.status, answer.code) == (401, "access_denied")
        assert site.app._tokens.board_cookie("users-token-0123") is None
        assert ask(site, None, None, "PUT").headers["allow"] == "GET, POST, OPTIONS"
        cookie = {"Cookie": f"parksim_board={site.app._tokens.board_cookie(site.app._tokens.board_key)}"}
        answer = site.ask("POST", "/board/commands", b"{}", Origin="http://elsewhere.example", **cookie)
        assert (answer.status, answer.code) == (403, "origin_refused")


def test_time_runs_stands_still_and_runs_faster():
    """On a real clock: paused it stands, requests are answered still; at rate 600 it runs 600 times as fast."""

    async def session() -> None:
        async with Desk(hospital(), traffic=False) as desk:
            before = desk.snapshot()["id"]
            assert desk.turn(1.0, paused=True).status == 204
            assert desk.snapshot()["id"] > before
            stands_us = desk.switchboard.now_us
            await asyncio.sleep(0.05)
            assert desk.switchboard.now_us == stands_us
            assert desk.respond(call_to("0003*201")).status == 200
            assert stands_us < desk.switchboard.now_us < stands_us + 10
            assert desk.register.calls[0].answered_us == -1  # who is called answers when time goes on
            assert desk.turn(600.0, paused=False).status == 204
            from_us, from_s = desk.switchboard.now_us, asyncio.get_running_loop().time()
            await asyncio.sleep(0.1)
            passed_s = asyncio.get_running_loop().time() - from_s
            assert 50 * S <= desk.switchboard.now_us - from_us <= 600 * S * (passed_s + 0.05)
            assert desk.register.calls[0].answered_us != -1
            assert (desk.snapshot()["rate"], desk.snapshot()["paused"]) == (600.0, False)

    asyncio.run(session())


@pytest.mark.parametrize("paused", [True, False])
def test_a_restart_keeps_the_rate_unless_another_is_named(tmp_path, paused):
    """Killed after a change of the rate, the same command goes on with it; another --rate is obeyed."""
    journal = tmp_path / "s.journal"

    async def session() -> None:
        first = Desk(hospital(), traffic=False, journal=journal, rate=10.0)
        await first.switchboard.__aenter__()
        assert first.respond(call_to("0003*201")).status == 200
        assert first.turn(300.0, paused=False).status == 204
        assert first.turn(120.0, paused=paused).status == 204
        stood_us = first.switchboard.now_us
        assert first.respond(put("Park", maxInParking=3600)).status == 200
        first.close_file()
        again = Desk(hospital(), traffic=False, journal=journal, rate=10.0)
        assert (again.rate, again.paused) == (120.0, paused)
        assert isinstance(again.switchboard.clock, VirtualClock if paused else RealClock)
        if paused:
            assert 0 <= again.switchboard.now_us - stood_us < 10
            assert again.resumed_after_us == 0
        assert again.turn(60.0, paused=False).status == 204
        again.close_file()
        other = Desk(hospital(), traffic=False, journal=journal, rate=5.0)
        assert (other.rate, other.paused) == (5.0, False)
        assert other.turn(7.0, paused=paused).status == 204
        other.close_file()
        last = Desk(hospital(), traffic=False, journal=journal, rate=5.0)
        assert (last.rate, last.paused) == (7.0, paused)
        last.close_file()
        assert len(parked(last)) == 1
        await first.switchboard.aclose()

    asyncio.run(session())


def test_a_full_disk_leaves_the_rate(tmp_path, monkeypatch):
    """What cannot be written down is not in effect."""

    async def session() -> None:
        async with Desk(hospital(), traffic=False, journal=tmp_path / "s.journal") as desk:

            def full(*_args, **_more):
                raise OSError(28, "No space left on device")

            monkeypatch.setattr(desk._session, "_append", full)
            assert desk.turn(60.0, paused=True).status == 503
            assert (desk.rate, desk.paused) == (1.0, False)
            monkeypatch.undo()

    asyncio.run(session())
