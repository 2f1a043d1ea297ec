"""How fast a log is read, and with how much memory: ``python -m tests.speed.logs [--megabytes 200] [--parking 0.05]``.

Writes a synthetic day of AMI text of the given size, most of it events that have nothing to do with parking, and
replays it in a process of its own. Prints megabytes a CPU second and the most memory of that process, for reading
(to rows) and for the whole of ``parksim replay``. The targets are 30 MB/s and 500 MB at 1,000 MB.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

FOREIGN: Final = (
    "Event: {name}\r\nPrivilege: call,all\r\nTimestamp: {stamp}\r\nChannel: PJSIP/{peer}-{number:08x}\r\n"
    "ChannelState: 6\r\nChannelStateDesc: Up\r\nCallerIDNum: {peer}\r\nCallerIDName: <unknown>\r\n"
    "ConnectedLineNum: <unknown>\r\nConnectedLineName: <unknown>\r\nLanguage: en\r\nAccountCode: \r\n"
    "Context: from-internal\r\nExten: {peer}\r\nPriority: 4\r\nUniqueid: {epoch}.{number}\r\n"
    "Linkedid: {epoch}.{number}\r\nVariable: DIALSTATUS\r\nValue: ANSWER\r\n\r\n"
)
PARKING: Final = (
    "Event: {name}\r\nPrivilege: call,all\r\nTimestamp: {stamp}\r\nParkeeChannel: PJSIP/trunk-{number:08x}\r\n"
    "ParkeeChannelState: 6\r\nParkeeChannelStateDesc: Up\r\nParkeeCallerIDNum: 555-0100\r\n"
    "ParkeeCallerIDName: <unknown>\r\nParkeeConnectedLineNum: 201\r\nParkeeConnectedLineName: Front Desk\r\n"
    "ParkeeLanguage: en\r\nParkeeAccountCode: \r\nParkeeContext: from-internal\r\nParkeeExten: \r\n"
    "ParkeePriority: 1\r\nParkeeUniqueid: {epoch}.{number}\r\nParkeeLinkedid: {epoch}.{number}\r\n"
    "ParkerDialString: PJSIP/201\r\nParkinglot: default\r\nParkingSpace: {slot}\r\nParkingTimeout: 45\r\n"
    "ParkingDuration: 0\r\n\r\n"
)
NAMES: Final = ("VarSet", "Newexten", "VarSet", "NewConnectedLine", "DeviceStateChange", "VarSet", "Hangup", "Newstate")
EPOCH: Final = 1_772_438_400
SLOTS: Final = 12
AHEAD: Final = SLOTS // 2
"""Each call leaves after so many others have come."""


def events(share: float) -> Iterator[str]:
    """Yield events without end: each slot is taken and freed in turn, the lowest free one first."""
    number = foreign = 0
    due = 0.0
    now_us = EPOCH * 1_000_000
    inside: list[tuple[int, int]] = []
    free = list(range(701, 701 + SLOTS))
    while True:
        now_us += 40_000
        stamp = f"{now_us // 1_000_000}.{now_us % 1_000_000:06d}"
        due += share
        if due < 1.0:
            foreign += 1
            name = NAMES[foreign % len(NAMES)]
            yield FOREIGN.format(name=name, stamp=stamp, peer=200 + foreign % 90, number=foreign, epoch=EPOCH)
            continue
        due -= 1.0
        if len(inside) < AHEAD:
            slot = min(free)
            free.remove(slot)
            inside.append((number, slot))
            yield PARKING.format(name="ParkedCall", stamp=stamp, number=number, slot=slot, epoch=EPOCH)
            number += 1
        else:
            call, slot = inside.pop(0)
            free.append(slot)
            yield PARKING.format(name="UnParkedCall", stamp=stamp, number=call, slot=slot, epoch=EPOCH)


def write(path: Path, megabytes: float, share: float) -> None:
    """Write a log of this size."""
    left = megabytes * 1e6
    with path.open("w", encoding="ascii", newline="") as file:
        for event in events(share):
            file.write(event)
            left -= len(event)
            if left <= 0:
                return


def work(path: Path, what: str) -> None:
    """Read or replay a log, and print CPU seconds, the most memory in megabytes, and rows."""
    from parksim.pbx.log import read_log
    from parksim.pbx.replay import replay

    begun_s = time.process_time()
    if what == "read":
        rows = len(read_log(path).rows)
    else:
        met = replay(path)
        rows = len(met.log.rows)
        _ = met.measures
    print(time.process_time() - begun_s, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, rows)


def main() -> int:
    """Print the table; return 1 where a target is missed, else 0."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--megabytes", type=float, default=200.0)
    asked.add_argument("--parking", type=float, default=0.05, help="share of events that are about parking")
    asked.add_argument("--work", nargs=2, help=argparse.SUPPRESS)
    said = asked.parse_args()
    if said.work:
        work(Path(said.work[0]), said.work[1])
        return 0
    missed = False
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ami.txt"
        write(path, said.megabytes, said.parking)
        for what in ("read", "replay"):
            line = [sys.executable, "-m", "tests.speed.logs", "--work", str(path), what]
            done = subprocess.run(line, capture_output=True, text=True, check=True)
            cpu_s, memory_mb, rows = map(float, done.stdout.split())
            rate = said.megabytes / cpu_s
            missed |= rate < 30 or memory_mb > 500
            print(
                f"{what:<8} {said.megabytes:,.0f} MB  {rate:6.1f} MB/s  {memory_mb:6.0f} MB of memory  {rows:,.0f} rows"
            )
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
