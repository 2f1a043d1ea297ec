"""Sockets that the service listens on, and the pages that lie beside it."""

import asyncio
import resource

import pytest
from server_stand import RegisterDesk, running, talking

from parksim.server import app, serving
from parksim.server.serving import BindError, bound, is_loopback, resolved


def test_what_is_loopback():
    """Addresses that only this machine reaches, by number or name."""
    assert all(is_loopback(resolved(host, 0)) for host in ("127.0.0.1", "127.9.9.9", "localhost", "::1"))
    assert not any(is_loopback(resolved(host, 0)) for host in ("0.0.0.0", "::", "192.0.2.1", "2001:db8::1"))


def test_a_port_is_taken_once():
    """A second socket on the same port is refused with what to do."""
    with bound(resolved("127.0.0.1", 0)) as first:
        port = first.getsockname()[1]
        with pytest.raises(BindError, match=f"cannot listen on 127.0.0.1 port {port} .*; choose another by --port"):
            bound(resolved("127.0.0.1", port))


@pytest.mark.parametrize("host", ["no.such.host.invalid", "x" * 300, "a..b"])
def test_a_host_that_is_none(host):
    """One message, whether the name is unknown or no name at all."""
    with pytest.raises(BindError, match="is no address of this machine"):
        resolved(host, 0)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [((256, 4_096), (2_368, 4_096)), ((256, 1_024), (1_024, 1_024)), ((2_368, 4_096), None),
     ((256, resource.RLIM_INFINITY), (2_368, resource.RLIM_INFINITY)), ((resource.RLIM_INFINITY,) * 2, None)],
)  # fmt: skip
def test_enough_open_files(monkeypatch, limits, expected):
    """The soft limit is raised to what is needed, as far as it may be, and never lowered."""
    given = []
    monkeypatch.setattr(serving.resource, "getrlimit", lambda _: limits)
    monkeypatch.setattr(serving.resource, "setrlimit", lambda _, new: given.append(new))
    serving.allow_open_files(2_368)
    assert given == ([] if expected is None else [expected])


def test_the_board_s_files_are_served(tmp_path, monkeypatch):
    """Each file of a known kind in the board's folder, the page at /; nothing else in it."""
    folder = tmp_path / "board"
    folder.mkdir()
    for name in ("board.html", "board.js", "board.css", "board.svg", "notes.txt", "board.py", "other"):
        (folder / name).write_text(f"this is {name}", encoding="utf-8")
    monkeypatch.setattr(app, "files", lambda _: tmp_path)
    with running(RegisterDesk(talking())) as site:
        for path, name, media in (
            ("/", "board.html", "text/html; charset=utf-8"),
            ("/board.js", "board.js", "text/javascript; charset=utf-8"),
            ("/board.css", "board.css", "text/css; charset=utf-8"),
            ("/board.svg", "board.svg", "image/svg+xml"),
            ("/?x=1", "board.html", "text/html; charset=utf-8"),
        ):
            answer = site.ask("GET", path, Authorization=None)
            assert (answer.status, answer.body) == (200, f"this is {name}".encode())
            assert answer.headers["content-type"] == media
            assert site.ask("POST", path).headers["allow"] == "GET, HEAD, OPTIONS"
        for path in (
            "/notes.txt",
            "/board.py",
            "/other",
            "/board.html",
            "/board/board.js",
            "/board%2ejs",
            "//board.js",
        ):
            assert site.ask("GET", path).code == "not_found"


def test_other_kinds_of_connections_are_none_of_ours():
    """The application answers HTTP and nothing else."""
    with running(RegisterDesk(talking())) as site:

        async def call():
            await site.app({"type": "lifespan"}, None, None)

        asyncio.run(call())
        assert site.desk.requests == []
