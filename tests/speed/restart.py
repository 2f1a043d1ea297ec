"""``python -m tests.speed.restart``: how long a killed server takes to be back, and whether it is what it was.

A hospital runs for 24 simulated hours at rate 600 with a client at work over HTTP, and is killed (SIGKILL) at 20 drawn
moments. Each start is timed from its command to its first answer, beside the same command with a session that has not
begun; CPU time is what other work on the machine does not make longer. At the end every acknowledged
request must be in the session, and a full replay must know what the checkpoint leads to.

``--calls 50000`` instead: the start of a desk with so many live calls, in this process.
"""

import argparse
import http.client
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Final

from parksim.engines.clocks import VirtualClock
from parksim.engines.processes import without_collector
from parksim.server.checkpoint import Checkpoint, pieces, store
from parksim.server.desk import Desk
from parksim.server.session import Session, opening_of
from parksim.server.session_file import check
from tests.speed import desk as load

MOST_S: Final = 2.0
TOKEN: Final = "secret-of-mine"
TICKS: Final = os.sysconf("SC_CLK_TCK")
SCENARIO: Final = "scenarios/hospital.toml"


class Start:
    """A server that has been started; ``wall_s`` and ``cpu_s`` are what that took until it says that it serves."""

    def __init__(self, session: Path, rate: float) -> None:
        command = [sys.executable, "-m", "parksim", "serve", SCENARIO, "--port", "0", "--session", str(session)]
        begun_s = time.monotonic()
        self.process = subprocess.Popen(
            [*command, "--rate", f"{rate:g}", "--set", "lot.slots=40"],
            env={**os.environ, "PARKSIM_TOKENS": f"{TOKEN} 12 global"},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self.wall_s = time.monotonic() - begun_s
        told = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        self.cpu_s = (int(told[11]) + int(told[12])) / TICKS
        self.port = int(line.split(":")[-1].split("/")[0])

    def kill(self) -> None:
        """End it as a power cut does."""
        self.process.kill()
        self.process.communicate()


class Client(threading.Thread):
    """Makes calls and parks them, as fast as it is answered, and keeps the targets that were acknowledged."""

    def __init__(self, port: int, rng: random.Random, acknowledged: list[str]) -> None:
        super().__init__(daemon=True)
        self.port, self.rng, self.acknowledged = port, rng, acknowledged
        self.over = threading.Event()

    def run(self) -> None:
        """Ask until the server is gone."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            while not self.over.is_set():
                self._work(connection)
        except (OSError, http.client.HTTPException, ValueError):
            pass  # it was killed

    def _work(self, connection: http.client.HTTPConnection) -> None:
        extension = f"0003*{self.rng.choice((201, 202))}"
        party = {"source": [extension], "destination": ["3235742879"]}
        made = self._ask(connection, "POST", "12/simple", {"extension": extension, "phoneCallView": [party]})
        target = f"12/{extension}/{made[0]['id']}"
        park = {"action": "Park", "phoneCallViewId": "01", "maxInParking": self.rng.choice((30, 180, 3600))}
        self._ask(connection, "PUT", target, park)
        if self.rng.random() < 0.9:
            self._ask(connection, "DELETE", target)

    def _ask(self, connection: http.client.HTTPConnection, method: str, words: str, body: object = None) -> Any:
        target = f"/uapi/phoneCalls/{words}"
        content = None if body is None else json.dumps(body)
        connection.request(method, target, content, {"Authorization": f"Bearer {TOKEN}"})
        answer = connection.getresponse()
        said = answer.read()
        if answer.status in {200, 202} and method != "POST":
            self.acknowledged.append(f"{method} {target}")
        return json.loads(said) if said else None


def killed(hours: float, rate: float, kills: int, seed: int) -> bool:
    """Let a server work and kill it, again and again; print what was measured, and tell whether all is well."""
    rng = random.Random(seed)
    acknowledged: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        session = Path(folder) / "day.session"
        fresh = Start(session, rate)
        fresh.kill()
        session.unlink()
        print(f"a session that has not begun: {fresh.cpu_s:.2f} s of CPU time, {fresh.wall_s:.2f} s")
        real_s = hours * 3600 / rate
        moments = [*sorted(rng.uniform(0, real_s) for _ in range(kills - 1)), real_s]
        longest = 0.0
        start, at_s = Start(session, rate), 0.0
        for number, moment_s in enumerate(moments, 1):
            client = Client(start.port, rng, acknowledged)
            client.start()
            time.sleep(moment_s - at_s)
            at_s = moment_s
            start.kill()
            client.over.set()
            client.join()
            start = Start(session, rate)
            further_s = start.cpu_s - fresh.cpu_s
            longest = max(longest, further_s)
            lines = session.read_bytes().count(b"\n")
            print(f"kill {number}: {lines:,} lines; back in {start.cpu_s:.2f} s of CPU time", end="")
            print(f" ({further_s:+.2f}), {start.wall_s:.2f} s", flush=True)
        start.kill()
        told = session.read_text(encoding="utf-8")
        lost = [one for one in acknowledged if f'"target": "{one.split(" ")[1]}"' not in told]
        print(f"{len(acknowledged):,} acknowledged requests, {len(lost)} of them not in the session")
        print(check(session), end="")
    print(f"the longest start: {longest:.2f} s beyond that of a new session (at most {MOST_S:g})")
    return not lost and longest < MOST_S


def with_calls(calls: int) -> bool:
    """Print what the checkpoint of many live calls costs, and the start from it."""
    held = load.Held(calls)
    with tempfile.TemporaryDirectory() as folder:
        session = Path(folder) / "many.session"
        kept = Desk(load.scenario(), clock=VirtualClock(0), traffic=False, journal=session)
        kept.close_file()
        opened = Session(session, opening_of(load.scenario(), 1, traffic=False, given=()))
        opened.mark(held.desk.switchboard.now_us)
        begun_s = time.process_time()
        with without_collector():  # as the keeper takes it
            state = held.desk.state
        taken_s = time.process_time()
        lines = list(pieces(Checkpoint(opened.place, state)))
        made_s = time.process_time()
        store(session, lines)
        opened.close()
        size = sum(map(len, lines))
        print(f"{calls:,} live calls: taken in {taken_s - begun_s:.2f} s, made into", end=" ")
        print(f"{size / 1e6:.1f} MB in {made_s - taken_s:.2f} s of slices")
        begun_s = time.process_time()
        again = Desk(load.scenario(), clock=VirtualClock(0), traffic=False, journal=session)
        back_s = time.process_time() - begun_s
        again.close_file()
        alike = again.live == held.desk.live
        print(f"back in {back_s:.2f} s of CPU time (at most {MOST_S:g}), with {again.live:,} calls")
    return alike and back_s < MOST_S


def main() -> int:
    """Measure; 1 where something is not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=24)
    parser.add_argument("--rate", type=float, default=600)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=61)
    parser.add_argument("--calls", type=int)
    given = parser.parse_args()
    if given.calls is not None:
        return 0 if with_calls(given.calls) else 1
    return 0 if killed(given.hours, given.rate, given.kills, given.seed) else 1


if __name__ == "__main__":
    sys.exit(main())
