"""Thousands of damaged inputs, each given to the command that reads its kind: ``python -m tests.hostile``.

Small inputs of every kind are made, and those of a folder (``--more``, by default the shared cases where they are) are
added. Each is given as it is, and then with a random fault: bytes, lines and numbers changed, taken away, doubled or
made monstrous. The command is called in a worker process. It must end within 20 s and 500 MB, with an answer or with
one message of lines of at most 500 characters, and never with a traceback. Exit code 1 when a command did otherwise;
its input is kept then (``--keep FOLDER``).
"""

import argparse
import io
import os
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Final, NamedTuple

from parksim.cli.main import main as parksim
from parksim.errors import ParksimError
from parksim.scenario.model import TEMPLATE, Scenario

MOST_S: Final = 20
MOST_MB: Final = 500
LONGEST_LINE: Final = 500
FEW_CALLS: Final = 5_000
"""A mutated scenario of more calls is right, and only validated: to run it takes its time."""
SHARED: Final = Path(__file__).parents[2] / "shared" / "cases" / "believable"
SHORT: Final = TEMPLATE.replace('horizon = "1d"', 'horizon = "10m"').replace('warm_up = "30m"', 'warm_up = "0s"')
RECORDED: Final = re.sub(
    r"(?ms)^\[arrivals\].*?(?=^\[)", '[arrivals]\nkind = "recorded"\nfile = "calls.csv"\ncolumn = "at"\n', SHORT
)
LOTS: Final = re.sub(
    r"(?ms)^\[lot\].*?(?=^\[)", '[[lot]]\nname = "a"\nslots = 2\n[[lot]]\nname = "b"\nslots = 1\nweight = 0.5\n', SHORT
)
CALLS: Final = "at,what\n" + "".join(f"2026-01-05T08:{minute:02}:00Z,x\n" for minute in range(9))
CSV_LOG: Final = "time,event,call,slot\n1,parked,a,1\n5,parked,b,2\n9,retrieved,a,1\n185,timeout,b,2\n190,parked,c,1\n"
_EVENTS: Final = (
    ("ParkedCall", 100, "a", 701),
    ("ParkedCall", 103, "b", 702),
    ("UnParkedCall", 107, "a", 701),
    ("ParkedCallTimeOut", 148, "b", 702),
)
AMI_LOG: Final = "".join(
    f"Event: {event}\nTimestamp: {at}.5\nParkeeChannel: SIP/{call}\nParkeeUniqueid: {call}\nParkinglot: default\n"
    f"ParkingSpace: {slot}\nParkingTimeout: 45\nParkingDuration: 4\n\n"
    for event, at, call, slot in _EVENTS
)
JSON_LOG: Final = "".join(
    f'{{"Event": "{event}", "t": {at}, "ParkeeChannel": "{call}", "ParkeeUniqueid": "{call}", "Parkinglot": "default", '
    f'"ParkingSpace": "{slot}", "ParkingTimeout": "45"}}\n'
    for event, at, call, slot in _EVENTS
)
MONSTERS: Final = (
    *("0", "-1", "1e308", "1e-300", "-0.0", "nan", "inf", "9223372036854775807", "9223372036854775808", "1e999999"),
    *("9" * 5000, "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "true", '"x"', "[]", "{}", '"unlimited"'),
    *("null", "1e9", '"1e9d"', "[" * 2000, "\x00", "\ud7ff", "sha256:" + "0" * 64, "../../../dev/zero", "/dev/zero"),
)


class Outcome(NamedTuple):
    """What a command did with an input."""

    words: tuple[str, ...]
    code: int | None
    faults: tuple[str, ...]
    megabytes: float


class TooSlowError(BaseException):
    """The time is up; no handler in between may take it for an error."""


def inputs(folder: Path) -> Iterator[Path]:
    """Make one small input of each kind and yield them."""
    texts = {"short.toml": SHORT, "recorded.toml": RECORDED, "lots.toml": LOTS, "calls.csv": CALLS}
    texts |= {"log.csv": CSV_LOG, "log.ami": AMI_LOG, "log.jsonl": JSON_LOG}
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
        yield folder / name
    scenario = str(folder / "short.toml")
    two = ("--replications", "2", "--workers", "1")
    for name, *words in (
        ("journal.jsonl", "journal", scenario),
        ("journal.npz", "journal", scenario),
        ("result.json", "run", scenario, *two),
        ("store.db", "run", scenario, *two),
        ("sweep.db", "sweep", scenario, "--over", "lot.slots=4..5", *two),
    ):
        with redirect_stdout(io.StringIO()):
            assert parksim([*words, "--out", str(folder / name)]) == 0
        yield folder / name


def commands(path: Path, recorded: Path, target: Path) -> list[tuple[str, ...]]:
    """Return the commands that read a file, by its name and its content."""
    name, few = str(path), ("--replications", "2", "--workers", "1")
    if path.suffix == ".toml":
        return [("run", name, *few) if _is_small(path) else ("validate", name)]
    if path.suffix == ".csv" and not path.stem.endswith("log"):
        return [("run", str(recorded), "--set", f"arrivals.file={name}", "--set", "arrivals.column=at", *few)]
    if path.suffix in {".json", ".db"}:
        return [("report", name, "--out", str(target)), ("rerun", name)]
    if path.suffix in {".jsonl", ".npz"} and "log" not in path.stem:
        return [("check", name), ("replay", name)]
    return [("replay", name), ("calibrate", name)]


def _is_small(path: Path) -> bool:
    """Say whether a scenario is right and soon simulated."""
    try:
        return Scenario.load(path).expected_calls <= FEW_CALLS
    except ParksimError:
        return False


def mutated(content: bytes, dice: random.Random) -> bytes:
    """Return the content with one to three faults."""
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        content = _FAULTS[dice.randrange(len(_FAULTS))](content, dice)
    return content


def _flipped(content: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(content) or 1)
    return content[:at] + bytes([content[at] ^ 1 << dice.randrange(8)]) + content[at + 1 :] if content else content


def _cut(content: bytes, dice: random.Random) -> bytes:
    return content[: dice.randrange(len(content) + 1)]


def _span(content: bytes, dice: random.Random) -> bytes:
    """Take a span away, or repeat it a few or many times."""
    first, last = sorted(dice.randrange(len(content) + 1) for _ in range(2))
    last = min(last, first + 200)
    return content[:first] + content[first:last] * dice.choice((0, 0, 2, 3, 500)) + content[last:]


def _lines(content: bytes, dice: random.Random) -> bytes:
    """Take a line away, double it, or put it elsewhere."""
    lines = content.splitlines(keepends=True) or [b""]
    one = lines.pop(dice.randrange(len(lines)))
    for _ in range(dice.choice((0, 1, 2))):
        lines.insert(dice.randrange(len(lines) + 1), one)
    return b"".join(lines)


def _value(content: bytes, dice: random.Random) -> bytes:
    """Put something monstrous where a number, a word or a text in quotes is."""
    found = list(re.finditer(rb'[-+0-9.:eTZ]{1,40}|"[^"\n]{0,80}"|[A-Za-z_]{2,40}', content))
    if not found:
        return content
    one = dice.choice(found)
    return content[: one.start()] + dice.choice(MONSTERS).encode() + content[one.end() :]


_FAULTS: Final = (_flipped, _cut, _span, _lines, _value, _value, _value)


def outcome_of(words: tuple[str, ...]) -> Outcome:
    """Call a command and say what is wrong with how it ended."""
    said, complained, code, faults = io.StringIO(), io.StringIO(), None, []
    _forget_peak()
    signal.setitimer(signal.ITIMER_REAL, MOST_S)
    try:
        with redirect_stdout(said), redirect_stderr(complained):
            code = parksim(list(words))
    except TooSlowError:
        faults.append(f"longer than {MOST_S} s")
    except BaseException as error:  # noqa: BLE001 - whatever comes out of a command is its fault
        faults.append(f"traceback: {type(error).__name__}: {str(error)[:200]}")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    lines = complained.getvalue().splitlines()
    if code in {2, 4} and not lines:
        faults.append(f"code {code} without a message")
    if code not in {None, 0, 1, 2, 4}:
        faults.append(f"exit code {code}")
    faults += [f"a line of {len(line)} characters" for line in lines if len(line) > LONGEST_LINE]
    peak = _peak_mb()
    return Outcome(words, code, (*faults, *([f"{peak:.0f} MB"] if peak > MOST_MB else [])), peak)


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _peak_mb() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024  # type: ignore[index]  # Linux always has it


def _too_slow(*_: object) -> None:
    raise TooSlowError


def _guarded() -> None:
    """Prepare a worker: an alarm, and no more memory than the machine can spare."""
    signal.signal(signal.SIGALRM, _too_slow)
    resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))


def tried(task: tuple[int, Path | None], seed: int, sources: list[Path], folder: Path) -> list[tuple[Path, Outcome]]:
    """Make a mutation, or take a source as it is, and give it to its commands; what was done well leaves nothing."""
    number, as_it_is = task
    dice = random.Random(f"{seed}, {number}")
    source = as_it_is or sources[number % len(sources)]
    place = folder / str(number)
    place.mkdir()
    for name in ("calls.csv", "ok.csv"):
        (place / name).write_text(CALLS, encoding="utf-8")
    path = place / source.name
    path.write_bytes(source.read_bytes() if as_it_is else mutated(source.read_bytes(), dice))
    outcomes = [(path, outcome_of(words)) for words in commands(path, folder / "recorded.toml", place / "report.md")]
    if not any(outcome.faults for _, outcome in outcomes):
        shutil.rmtree(place)
    return outcomes


def main() -> int:
    """Give thousands of mutations to their commands and count how they ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutations", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--more", type=Path, default=SHARED, help="a folder of further inputs")
    parser.add_argument("--kinds", default="", help="only inputs with these endings: .toml,.csv")
    parser.add_argument("--keep", type=Path, help="where inputs that went wrong are kept")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        sources = list(inputs(folder))
        further = sorted(given.more.iterdir()) if given.more.is_dir() else []
        sources += [path for path in further if path.suffix in {".toml", ".csv", ".json", ".db"}]
        sources = [path for path in sources if path.suffix in given.kinds.split(",") or not given.kinds]
        tasks: list[tuple[int, Path | None]] = [(-1 - place, source) for place, source in enumerate(sources)]
        tasks += [(number, None) for number in range(given.mutations)]
        ends: Counter[str] = Counter()
        wrong: list[str] = []
        work = partial(tried, seed=given.seed, sources=sources, folder=folder)
        with ProcessPoolExecutor(os.cpu_count(), get_context("fork"), _guarded) as pool:
            try:
                for found in pool.map(work, tasks, chunksize=4):
                    for path, outcome in found:
                        ends[f"{outcome.words[0]}: code {outcome.code}"] += 1
                        if outcome.faults:
                            wrong.append(
                                f"{path.parent.name}/{path.name}: {outcome.words[0]}: {'; '.join(outcome.faults)}"
                            )
                            print(wrong[-1], flush=True)
                            if given.keep is not None:
                                shutil.copytree(path.parent, given.keep / path.parent.name, dirs_exist_ok=True)
            except BrokenProcessPool:
                wrong.append("a worker died")
        print(*(f"{end}: {count:,}" for end, count in sorted(ends.items())), sep="\n")
        print(f"{sum(ends.values()):,} commands over {len(sources)} inputs and {given.mutations:,} mutations")
        print(f"{len(wrong)} wrong")
    return 1 if wrong or not ends else 0


if __name__ == "__main__":
    sys.exit(main())
