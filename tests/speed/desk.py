"""``python -m tests.speed.desk``: what a request costs with 10, 1,000 and 50,000 live calls, and what a call weighs.

The calls are held by desks in one process; one in eleven is parked, in five lots of 2,000 slots. Each round gives
every desk the same requests in turn, so that all sizes meet the same machine; the figure is the median CPU time over
the rounds. Memory is what the process grows by while 50,000 calls are placed and 4,546 of them parked, a call.

``--http`` gives Park over HTTP beside a bare echo instead: a raw ASGI application on uvicorn and httptools, in a
process of its own, asked by the same client in turns of 200 requests.
"""

import argparse
import asyncio
import gc
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from parksim import TEMPLATE, Scenario
from parksim.engines.clocks import VirtualClock
from parksim.rules import uapi
from parksim.server.desk import Desk

SIZES: Final = (10, 1_000, 50_000)
MOST_RATIO: Final = 1.3
MOST_BYTES_A_CALL: Final = 2_000
LEAST_OF_ECHO: Final = 0.5
MOST_P99: Final = 3.0
S: Final = 1_000_000
LOTS: Final = 5
EXTENSIONS: Final = tuple(f"000{lot + 3}*{210 + one}" for lot in range(LOTS) for one in range(4))


def scenario() -> Scenario:
    """Return a switchboard of five organizations, each with a lot of 2,000 slots: a scenario has 10,000 in all."""
    head, _, tail = TEMPLATE.partition("[lot]")
    after = tail.partition("\n[")[2]
    lots = "".join(f'[[lot]]\nname = "lot{lot}"\nslots = 2_000\norganization = "000{lot + 3}"\n' for lot in range(LOTS))
    users = "".join(
        f'"{lot + 12}" = {list(EXTENSIONS[4 * lot : 4 * lot + 4])}\n'.replace("'", '"') for lot in range(LOTS)
    )
    return Scenario.loads(f'{head}{lots}\n[{after}\n[uapi]\norganization = "0003"\n[uapi.users]\n{users}')


def request(method: str, place: int, words: str, body: object = None) -> uapi.Request:
    """Return a request about a call of the extension at that place."""
    content = b"" if body is None else json.dumps(body).encode()
    return uapi.Request(method, f"/uapi/phoneCalls/@me/{words}", content, str(12 + place // 4))


class Held:
    """A desk with so many live calls, one in eleven parked."""

    def __init__(self, calls: int) -> None:
        self.clock = VirtualClock(0)
        self.desk = Desk(scenario(), clock=self.clock, traffic=False)
        self.made = 0
        self.talking: list[tuple[int, str]] = []
        for _ in range(calls):
            self.place()
        self.let_pass()
        for one in self.talking[::11]:  # all extensions in turn
            self.give("PUT", one, {"action": "Park", "phoneCallViewId": "01", "maxInParking": 3600})
        self.talking = [one for number, one in enumerate(self.talking) if number % 11]

    def let_pass(self) -> None:
        """Let a second pass, so that who is called answers."""
        self.clock.stop_before_us = self.desk.switchboard.reached_us + S
        self.desk.respond(request("GET", 0, "@self?count=1"))

    def place(self) -> tuple[int, str]:
        """Place a call from the next extension."""
        place = self.made % len(EXTENSIONS)
        self.made += 1
        party = {"source": [EXTENSIONS[place]], "destination": ["3235742879"]}
        asked = request("POST", place, "simple", {"extension": EXTENSIONS[place], "phoneCallView": [party]})
        self.talking.append((place, json.loads(self.desk.respond(asked).body)[0]["id"]))
        return self.talking[-1]

    def give(self, method: str, one: tuple[int, str], body: object = None) -> None:
        """Give a request about a call."""
        place, call = one
        reply = self.desk.respond(request(method, place, f"{EXTENSIONS[place]}/{call}", body))
        assert reply.status == 200, reply

    def round(self, calls: int) -> dict[str, float]:
        """Put so many new calls through their life; return microseconds of CPU time a request, by kind."""
        new = [self.place() for _ in range(calls)]
        self.let_pass()
        park = {"action": "Park", "phoneCallViewId": "01", "maxInParking": 3600}
        kinds: dict[str, Callable[[tuple[int, str]], object]] = {
            "Park": lambda one: self.give("PUT", one, park),
            "Get": lambda one: self.give("GET", one),
            "List, a page of 3": lambda one: self.desk.respond(request("GET", one[0], "@self?count=3")),
            "UnPark": lambda one: self.give(
                "PUT", one, {"action": "UnPark", "phoneCallViewId": "01", "sendCallTo": EXTENSIONS[one[0]]}
            ),
            "hang-up": lambda one: self.give("DELETE", one),
        }
        times = {}
        for kind, ask in kinds.items():
            begun_s = time.process_time()
            for one in new:
                ask(one)
            times[kind] = (time.process_time() - begun_s) / calls * 1e6
        del self.talking[-calls:]
        return times


def resident_bytes() -> int:
    """Return what the process holds now."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def by_size(rounds: int) -> bool:
    """Print the table of live calls; tell whether every target was met."""
    before = resident_bytes()
    largest = Held(SIZES[-1])
    each = (resident_bytes() - before) / SIZES[-1]
    held = [*(Held(size) for size in SIZES[:-1]), largest]
    gc.freeze()  # as the server does
    table = [[one.round(20) for one in held] for _ in range(rounds)]
    print(f"{'us of CPU a request, by live calls':<36}" + "".join(f"{size:>9,}" for size in SIZES) + f"{'ratio':>9}")
    reached = []
    for kind in table[0][0]:
        costs = [statistics.median(row[size][kind] for row in table) for size in range(len(SIZES))]
        ratio = statistics.median(row[-1][kind] / row[0][kind] for row in table)
        reached.append(ratio <= MOST_RATIO)
        print(f"{kind:<36}" + "".join(f"{cost:>9,.0f}" for cost in costs) + f"{ratio:>8.2f}x  {met(reached[-1])}")
    reached.append(each <= MOST_BYTES_A_CALL)
    print(f"a live call, one in eleven parked: {each:,.0f} bytes, target {MOST_BYTES_A_CALL:,} {met(reached[-1])}")
    return all(reached)


def met(is_met: bool) -> str:
    """Return the word for it."""
    return "met" if is_met else "MISSED"


# --------------------------------------------------------------------------------------------------- over HTTP


async def echo(scope: dict, receive: Callable, send: Callable) -> None:
    """Answer with the body that came: the least that an ASGI application does."""
    if scope["type"] == "http":
        body = (await receive()).get("body", b"")
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})


def serve_echo() -> None:
    """Serve the echo on a free port, and print it."""
    import uvicorn

    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # asyncio: no delay only with it
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(
        echo, http="httptools", loop="asyncio", lifespan="off", log_level="critical", access_log=False
    )
    asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))


class Client:
    """One connection that stays open; requests are written by hand, so that the client costs little."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port = port

    def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """Return status and body of the answer."""
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nAuthorization: Bearer speed-of-a-test\r\n"
        self.socket.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        content = b""
        while b"\r\n\r\n" not in content:
            content += self.socket.recv(65_536)
        fields, _, rest = content.partition(b"\r\n\r\n")
        length = int(fields.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        while len(rest) < length:
            rest += self.socket.recv(65_536)
        return int(fields[9:12]), rest


def over_http(rounds: int) -> bool:
    """Print Park over HTTP beside the echo; tell whether the targets were met."""
    root = Path(__file__).parents[2]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "s.toml"
        file.write_text(TEMPLATE.replace("slots = 6 ", "slots = 900 "), encoding="utf-8")
        command = [sys.executable, "-m", "parksim", "serve", str(file), "--port", "0", "--no-traffic"]
        more = {"PARKSIM_TOKENS": "speed-of-a-test 12", "PYTHONPATH": str(root)}
        echoes = subprocess.Popen(
            [sys.executable, "-m", "tests.speed.desk", "--echo"], stdout=subprocess.PIPE, text=True, cwd=root
        )
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | more, cwd=root)
        assert echoes.stdout is not None
        assert server.stdout is not None
        try:
            bare = Client(int(echoes.stdout.readline()))
            base = server.stdout.readline().split()[-1]
            ours = Client(int(base.split(":")[2].split("/")[0]))
            return compare(bare, ours, rounds)
        finally:
            echoes.kill()
            server.kill()
            echoes.communicate()
            server.communicate()


def compare(bare: Client, ours: Client, rounds: int) -> bool:
    """Ask both in turns; print requests a second and the slowest of a hundred."""
    park = b'{"action": "Park", "phoneCallViewId": "01", "maxInParking": 3600}'
    party = {"source": ["0003*201"], "destination": ["3235742879"]}
    new = json.dumps({"extension": "0003*201", "phoneCallView": [party]}).encode()
    taken_s: dict[str, list[float]] = {"echo": [], "Park": []}
    for _ in range(rounds):
        calls = [json.loads(ours.ask("POST", "/uapi/phoneCalls/12/simple", new)[1])[0]["id"] for _ in range(200)]
        paths = [f"/uapi/phoneCalls/12/0003*201/{call}" for call in calls]
        for name, client in (("echo", bare), ("Park", ours)):
            for path in paths:
                begun_s = time.perf_counter()
                status, answer = client.ask("PUT", path, park)
                taken_s[name].append(time.perf_counter() - begun_s)
                assert status == 200, answer
        for path in paths:
            ours.ask("DELETE", path)
    rates = {name: len(times) / sum(times) for name, times in taken_s.items()}
    slow = {name: statistics.quantiles(times, n=100)[98] for name, times in taken_s.items()}
    for name in taken_s:
        print(f"{name:<6} {rates[name]:>8,.0f} requests a second, p99 {slow[name] * 1e3:.2f} ms")
    share, times = rates["Park"] / rates["echo"], slow["Park"] / slow["echo"]
    print(f"Park does {share:.2f} of the echo, target {LEAST_OF_ECHO} {met(share >= LEAST_OF_ECHO)}")
    print(f"its p99 is {times:.2f}x, target {MOST_P99:g}x {met(times <= MOST_P99)}")
    return share >= LEAST_OF_ECHO and times <= MOST_P99


def main() -> int:
    """Print the table that was asked for; return 1 when a target is missed, else 0."""
    parser = argparse.ArgumentParser(prog="python -m tests.speed.desk", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--http", action="store_true", help="Park over HTTP beside a bare echo")
    parser.add_argument("--echo", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.echo:
        serve_echo()
        return 0
    return 0 if (over_http if asked.http else by_size)(asked.rounds) else 1


if __name__ == "__main__":
    raise SystemExit(main())
