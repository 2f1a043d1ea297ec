"""A stage for the board: its files and a stream of scripted pictures on loopback, by the standard library alone.

The stage says what the real server says (the same headers and paths), and what it is asked for is kept, so that a test
sees whatever the page wanted besides; it keeps commands and does nothing of them.
"""

import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any

POLICY = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
MEDIA = {"html": "text/html; charset=utf-8", "js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
SCRIPTS = ("parts", "lots", "tables", "today", "charts", "news", "alerts", "controls", "board")
"""The files of the board's script in their order, without the end of their names."""
COUNTED = ("calls", "parked", "refused", "fetched", "returned", "lost", "ended")
S = 1_000_000

SHARES = [
    {
        "measured": name != "answer_wait_s_p95",
        "measure": name,
        "words": words,
        "shown": shown,
        "part": part,
        "whole": whole,
        "wanted": wanted,
        "met": met,
    }
    for name, words, shown, part, whole, wanted, met in (
        ("refused_share", "parks refused because the lot is full", "2.2 %", 4, 182, "< 1 %", False),
        ("answered_within_share", "calls answered within the target", "90.8 %", 1_258, 1_384, "> 80 %", True),
        ("answer_wait_s_p95", "wait for an answer, not exceeded by 95 %", None, None, None, "< 30 s", None),
        ("lost_share", "calls dropped by the switchboard, without hang-ups", "0 %", 0, 284, None, None),
        ("abandoned_share", "parked callers who hang up", None, 0, 0, None, None),
    )
]
BAD = {"state": "bad", "text": "The day goes badly: 1 of 3 objectives is missed (refused: 2.2 %, wanted < 1 %)."}

CONTRASTS = """() => {
  const channel = c => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const ground = e => {
    for (; e; e = e.parentElement) {
      const [r, g, b, alpha = 1] = parse(getComputedStyle(e).backgroundColor);
      if (alpha === 1) return [r, g, b];
    }
    return [255, 255, 255];
  };
  return [...document.querySelectorAll('body *')].filter(e => e.checkVisibility() && !e.closest('.unseen, .skip') &&
      [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())).map(e => {
    const [a, b] = [light(parse(getComputedStyle(e).color)), light(ground(e))].sort((x, y) => y - x);
    return [(a + 0.05) / (b + 0.05), e.className || e.id || e.tagName];
  });
}"""
"""Of each text that is to be seen, its contrast to its ground by WCAG, and whose it is."""


def stay(call: str, left_s: float | None, *, now_us: int, caller: str = "", parked_s: float = 60) -> dict[str, Any]:
    """Return an occupied slot whose time is up ``left_s`` seconds after ``now_us``."""
    return {
        "call": call,
        "caller": caller or f"Caller {call} <0201{call}>",
        "parker": "0003*210",
        "parked_us": now_us - round(parked_s * S),
        "deadline_us": None if left_s is None else now_us + round(left_s * S),
    }


def picture(number: int = 1, slots: Any = (), **changes: Any) -> dict[str, Any]:
    """Return a picture at 18:00:00, simulated time standing as nearly still as it can unless a rate is given."""
    return {
        "id": number,
        "name": "Hospital switchboard, weekday",
        "now_us": 36_000 * S,
        "rate": 1.0,
        "paused": False,
        "begun_s": 1.0,
        "resumed_after_us": 0,
        "running": True,
        "epoch": "2026-01-05T08:00:00+00:00",
        "lots": [{"name": "0003", "first": 701, "slots": list(slots)}],
        "queue": [],
        "attendants": [],
        "returns": [],
        "placed": [],
        "counters": dict.fromkeys(
            ("offered", "parked", "refused", "retrieved", "abandoned", "expired", "ended", "lost"), 0
        ),
        "day": day(),
        "shares": [],
        "headline": {"state": "open", "text": "The day has not begun: there was no call since midnight."},
        "trend": {
            "column_us": 300 * S,
            "begin_us": 28_800 * S,
            "refused": [0] * 24,
            "returned": [0] * 24,
            "waiting": [0.0] * 24,
            "taken": [[0.0] * 24],
        },
        "refusals": [],
        "timeouts": [],
    } | changes


def day(**counts: int) -> dict[str, Any]:
    """Return what is counted since midnight; where callers gave up under ``queue``, ``lot`` and ``return``."""
    places = {name: counts.pop(name) for name in ("queue", "lot", "return") if name in counts}
    return dict.fromkeys(COUNTED, 0) | counts | {"gave_up": dict.fromkeys(("queue", "lot", "return"), 0) | places}


class Stage(ThreadingHTTPServer):
    """The server; ``show`` sends a picture to all who look on, ``cut`` ends their streams."""

    daemon_threads = False
    block_on_close = True

    def __init__(self) -> None:
        folder = files("parksim").joinpath("server", "board")
        self.pages = {f"/{file.name}": file.read_bytes() for file in folder.iterdir() if file.name[:5] == "board"}
        self.pages["/"] = self.pages["/board.html"]
        self.pages["/board.js"] = b"\n".join(folder.joinpath(f"{name}.js").read_bytes() for name in SCRIPTS)
        self.asked: list[str] = []
        self.viewers: set[queue.Queue[bytes | None]] = set()
        self.newest = picture()
        self.lets_in = True
        self.may = {"time": False, "calls": False}
        self.commanded: list[Any] = []
        self.refuses = ""
        self.lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def address(self) -> str:
        """Where the board is."""
        return f"http://127.0.0.1:{self.server_port}/"

    def show(self, shown: dict[str, Any]) -> None:
        """Send a picture now, and to all who come later."""
        with self.lock:
            self.newest = shown
            for viewer in self.viewers:
                viewer.put(event(shown))

    def cut(self) -> None:
        """End all streams."""
        with self.lock:
            for viewer in self.viewers:
                viewer.put(None)


def event(shown: dict[str, Any]) -> bytes:
    """Return a picture as the stream carries it."""
    return f"id: {shown['id']}\nevent: picture\ndata: {json.dumps(shown)}\n\n".encode()


class _Handler(BaseHTTPRequestHandler):
    server: Stage

    def do_GET(self) -> None:
        """Answer with a file of the board or its stream."""
        self.server.asked.append(self.path)
        if self.path == "/board/events":
            self.stream()
            return
        if self.path == "/board/commands":
            self.head(200, "application/json")
            self.wfile.write(json.dumps(self.server.may).encode())
            return
        body = self.server.pages.get(self.path)
        self.head(404 if body is None else 200, MEDIA.get(self.path.rpartition(".")[2], MEDIA["html"]))
        self.wfile.write(body or b"")

    def do_POST(self) -> None:
        """Keep a command, and refuse it where that is asked for."""
        self.server.asked.append(self.path)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.commanded.append(json.loads(body))
        self.head(409 if self.server.refuses else 204, "application/json")
        if self.server.refuses:
            self.wfile.write(json.dumps({"error": {"code": "x", "message": self.server.refuses}}).encode())

    def head(self, status: int, media: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media)
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("Cache-Control", "no-store")
        self.end_headers()

    def stream(self) -> None:
        if not self.server.lets_in:
            self.head(401, "application/json")
            return
        self.head(200, "text/event-stream")
        mine: queue.Queue[bytes | None] = queue.Queue()
        with self.server.lock:
            self.server.viewers.add(mine)
            mine.put(b"retry: 300\n\n" + event(self.server.newest))
        try:
            while (sent := mine.get()) is not None:
                self.wfile.write(sent)
        except OSError:
            pass  # the viewer has left
        finally:
            with self.server.lock:
                self.server.viewers.discard(mine)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def stage() -> Iterator[Stage]:
    """Serve until the end of the block."""
    with Stage() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.cut()
            server.shutdown()
            thread.join()
