"""The session file: a server that was killed goes on with the same calls, slots and deadlines; nothing is lost."""

import asyncio
import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest
from desk_load import ALL, ROOMY, agree, call_to, hospital, parked, put, random_request, request

from parksim.engines.clocks import RealClock, VirtualClock
from parksim.rules import codes as c
from parksim.rules import uapi
from parksim.server import resuming
from parksim.server import session as session_module
from parksim.server.desk import Desk
from parksim.server.given import Given
from parksim.server.session import Session, SessionError

S = 1_000_000
MORNING_US = 8 * 3600 * S


class Wall:
    """A time of day that goes on when it is told to."""

    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0

    def time(self) -> float:
        """Return seconds since 1970."""
        return self.seconds


@pytest.fixture
def wall(monkeypatch) -> Wall:
    """Replace the time of day of desk and session."""
    wall = Wall()
    monkeypatch.setattr(resuming, "time", wall)
    monkeypatch.setattr(session_module, "time", wall)
    return wall


def open_at(journal: Path, start_us: int = 0, **more) -> Desk:
    """Open a desk on a virtual clock."""
    return Desk(hospital(), **({"clock": VirtualClock(start_us), "journal": journal} | more))


def kill(desk: Desk) -> None:
    """Leave a desk as a killed process leaves it: its file is there, nothing is said."""
    desk.close_file()


async def busy(desk: Desk, seed: int, requests: int, at_us: int = MORNING_US) -> int:
    """Give random requests beside traffic; return the last instant."""
    rng = Random(seed)
    await desk.switchboard.__aenter__()
    for _ in range(requests):
        at_us += rng.randrange(5 * S)
        await desk.switchboard.run_to(at_us)
        desk.respond(random_request(rng, desk))
    return at_us


def content_of(desk: Desk) -> tuple[object, ...]:
    """Return what must be the same after a restart: the register, and where the model has its calls."""
    exchange = desk.switchboard.exchange
    places = {call: (place.state, place.extension, place.told, place.parks) for call, place in exchange.places.items()}
    lots = [(lot.occupants, lot.parkers, lot.deadlines_us) for lot in exchange.lots]
    return desk.register, places, lots, desk._counters, desk._day.state()


# -------------------------------------------------------------------------------------------------- going on


@pytest.mark.usefixtures("wall")
@pytest.mark.parametrize("pickup", ["0s", "20s"])
def test_a_killed_desk_goes_on_where_it_was(tmp_path, pickup):
    """400 random requests beside traffic, killed, started again at once: register, model and counters are equal."""
    journal = tmp_path / "s.journal"
    scenario = hospital(**{"uapi.pickup": pickup})

    async def session() -> None:
        first = Desk(scenario, clock=VirtualClock(0), journal=journal)
        await busy(first, 21, 400)
        assert first.respond(put("Park", extension="@self", maxInParking=3600)).status in {200, 204, 409}
        assert first.respond(call_to("0003*201")).status == 200  # the last line tells how far it was
        kill(first)
        again = Desk(scenario, clock=VirtualClock(0), journal=journal)
        assert len(parked(again)) > 3
        assert content_of(again) == content_of(first)
        assert again.resumed_after_us <= 1
        kill(again)

    asyncio.run(session())


def test_time_runs_on_meanwhile_and_traffic_does_not(tmp_path, wall):
    """Ten simulated minutes later long stays still run, short ones return at once, and no simulated call has come."""
    journal = tmp_path / "s.journal"
    given = [Given(extension="0003*201", peer="55" + str(n), parker="0003*201", limit_s=3600) for n in range(2)]

    async def session() -> None:
        first = open_at(journal, rate=60, given=given)
        at_us = await busy(first, 22, 30, 600 * S)
        assert any(first.respond(put("Park", call.id)).status == 200 for call in first.register.calls)
        stays = parked(first)
        offered = first.register.next_call
        kill(first)
        wall.seconds += 10  # ten minutes of simulated time
        again = open_at(journal, rate=60, given=given)
        assert 590 * S < again.resumed_after_us <= 600 * S
        assert again.register.next_call == offered
        clock = again.switchboard.clock
        assert isinstance(clock, VirtualClock)
        clock.stop_before_us = again.switchboard.reached_us + again.resumed_after_us
        facts = []
        again.switchboard.listen(facts.append)
        async with again:
            await again.switchboard.run_to(clock.stop_before_us)
            now_us = again.switchboard.now_us
            assert abs(now_us - at_us - 600 * S) < 2 * S
            for call, (slot, deadline_us) in stays.items():
                assert (parked(again).get(call) == (slot, deadline_us)) == (deadline_us >= now_us)
            expired = {fact.call: fact.time_us for fact in facts if fact.kind == c.EXPIRED}
            assert expired
            assert not [fact for fact in facts if fact.kind == c.OFFERED]
            assert all(time_us < now_us for time_us in expired.values())

    asyncio.run(session())


def test_a_real_clock_goes_on_from_where_time_has_come(tmp_path, wall):
    """Marks tell how far time had come, also where nothing happened: the clock starts there plus what has passed."""
    journal = tmp_path / "s.journal"
    source_ns = [0]
    clock = RealClock(10.0, 0, lambda: source_ns[0])

    async def session() -> None:
        first = open_at(journal, traffic=False, clock=clock, rate=10)
        async with first:
            first.respond(call_to("0003*201"))
            source_ns[0] = 500 * 10**9  # nothing happens for 5,000 simulated seconds
            wall.seconds += 500
        wall.seconds += 7
        again = Desk(hospital(), rate=10, journal=journal, traffic=False)
        assert abs(again.switchboard.now_us - 5_070 * S) < 5 * S
        kill(again)

    asyncio.run(session())


@pytest.mark.usefixtures("wall")
def test_sessions_of_sessions(tmp_path):
    """Killed and started three times, each time with requests between, the fourth has everything of the third."""
    journal = tmp_path / "s.journal"

    async def session() -> None:
        at_us, last = MORNING_US, None
        for number in range(4):
            desk = open_at(journal)
            if last is not None:
                assert content_of(desk) == content_of(last)
            at_us = max(at_us, desk.switchboard.reached_us + desk.resumed_after_us + 1)
            at_us = await busy(desk, 30 + number, 60, at_us)
            assert desk.respond(call_to("0003*202")).status == 200
            kill(desk)
            last = desk

    asyncio.run(session())


def test_written_but_not_committed(tmp_path, monkeypatch):
    """Killed between the line and the effect: started again the request is in effect, once."""
    journal = tmp_path / "s.journal"
    desk = open_at(journal, traffic=False)
    monkeypatch.setattr(desk, "_commit", lambda *_arguments: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        desk.respond(call_to("0003*201"))
    kill(desk)
    again = open_at(journal, traffic=False)
    assert len(again.register.calls) == 1
    kill(again)


# --------------------------------------------------------------------------------------------------- the file


def filled(journal: Path) -> bytes:
    """Make a short session file; return its bytes."""
    desk = open_at(journal, traffic=False)
    for extension in ("0003*201", "0003*202"):
        assert desk.respond(call_to(extension)).status == 200
    kill(desk)
    return journal.read_bytes()


def test_a_torn_last_line_is_cut_at_every_byte(tmp_path):
    """Whatever part of the last line is there, it is cut, told of, and the lines before are in effect."""
    whole = filled(tmp_path / "whole.journal")
    head = whole[: whole.rstrip(b"\n").rfind(b"\n") + 1]
    journal = tmp_path / "s.journal"
    for length in range(len(head), len(whole)):
        journal.write_bytes(whole[:length])
        desk = open_at(journal, traffic=False)
        assert desk.cut_bytes == length - len(head)
        assert len(desk.register.calls) == 1
        kill(desk)
        assert journal.read_bytes().startswith(head)
        assert journal.read_bytes().endswith(b"}\n")


def test_a_torn_first_line_begins_anew(tmp_path):
    """Killed while the header was written there is nothing to lose: the session begins anew."""
    whole = filled(tmp_path / "whole.journal")
    journal = tmp_path / "s.journal"
    for length in (0, 1, 10, 25, whole.find(b"\n")):
        journal.write_bytes(whole[:length])
        desk = open_at(journal, traffic=False)
        assert desk.cut_bytes == length
        assert desk.register.calls == ()
        kill(desk)


@pytest.mark.parametrize("content", [b"dear diary", b"a\nb", b'{"a": 1}\n', b"\n", b"\x00" * 100, b"[]\n"])
def test_another_file_is_refused_and_stays_as_it_is(tmp_path, content):
    """What is no session file is neither cut nor written to, with or without an end of line."""
    journal = tmp_path / "diary.txt"
    journal.write_bytes(content)
    journal.chmod(0o644)
    with pytest.raises(SessionError, match=r"diary\.txt.*name another --session file"):
        open_at(journal)
    assert journal.read_bytes() == content
    assert stat.S_IMODE(journal.stat().st_mode) == 0o644


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"nonsense\n", "line 2: this is no line of a session file"),
        (b'{"at_us": 5}\n', "line 2: is damaged"),
        (b'{"at_us": "x", "wall_s": 1}\n', "line 2: is damaged"),
        (b'{"at_us": 5, "wall_s": 1.0, "method": "PUT"}\n', "line 2: is damaged"),
    ],
)
def test_a_damaged_line_in_the_middle_is_named(tmp_path, line, message):
    """File, line and what to do; the file stays as it is."""
    journal = tmp_path / "s.journal"
    lines = filled(journal).splitlines(keepends=True)
    journal.write_bytes(lines[0] + line + b"".join(lines[1:]))
    before = journal.read_bytes()
    with pytest.raises(SessionError, match=message):
        open_at(journal, traffic=False)
    assert journal.read_bytes() == before


def test_a_line_that_cannot_be_done_again_is_named(tmp_path):
    """A request at an instant that is past by then, or one that breaks the model: file, line, why and what to do."""
    journal = tmp_path / "s.journal"
    lines = [json.loads(line) for line in filled(journal).splitlines()]
    assert [line.pop("checksum")[:7] for line in lines] == ["sha256:"] * len(lines)
    lines[2]["at_us"] = lines[1]["at_us"]
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    before = journal.read_bytes()
    with pytest.raises(SessionError, match=r"s\.journal, line 3: cannot be done again \(.* us is past.*name another"):
        open_at(journal, traffic=False)
    assert journal.read_bytes() == before
    lines[2]["at_us"] += 1
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    kill(open_at(journal, traffic=False))  # the file was let go


def test_a_flipped_byte_never_changes_a_session_unnoticed(tmp_path):
    """Of 600 sessions with one byte flipped (seed 6) each is refused with its name, or has the same records."""
    journal, draw = tmp_path / "s.journal", Random(6)
    whole, opening = filled(journal), {}
    header = json.loads(whole.splitlines()[0])
    opening = {key: header[key] for key in ("scenario", "seed", "traffic", "given")}
    first = Session(journal, opening)
    first.close()
    refusals = []
    for _ in range(600):
        content = bytearray(whole)
        content[draw.randrange(len(content))] ^= draw.randrange(1, 256)
        journal.write_bytes(content)
        try:
            session = Session(journal, opening)
        except SessionError as error:
            refusals.append((str(error), journal.read_bytes() == content))
            continue
        session.close()
        assert (session.records, session.cut_bytes) == (first.records, 0)
    assert len(refusals) > 590
    assert all(told.startswith(str(journal)) and len(told) <= 500 and same for told, same in refusals)


@pytest.mark.parametrize(
    "change",
    [
        {"at_us": float("inf")},
        {"at_us": 2**63},
        {"at_us": -1},
        {"wall_s": float("nan")},
        {"wall_s": "1.0"},
        {"gap_us": 5},
        {"scope": "the world"},
        {"body": "\u2603"},
    ],
    ids=str,
)
def test_a_crafted_line_is_refused(tmp_path, change):
    """Numbers without end, of another kind or beyond a clock, and keys that a request does not have."""
    journal = tmp_path / "s.journal"
    lines = [json.loads(line) for line in filled(journal).splitlines()]
    lines[2] = {key: value for key, value in (lines[2] | change).items() if key != "checksum"}
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(SessionError, match=r"s\.journal, line 3: is damaged"):
        open_at(journal, traffic=False)


def test_a_session_without_checksums_is_read(tmp_path):
    """A file of an older parksim goes on, and what is appended to it has checksums."""
    journal = tmp_path / "s.journal"
    lines = [json.loads(line) for line in filled(journal).splitlines()]
    for line in lines:
        del line["checksum"]
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    kill(open_at(journal, traffic=False))
    kill(open_at(journal, traffic=False))
    assert ["checksum" in json.loads(line) for line in journal.read_bytes().splitlines()[-2:]] == [True, True]


def test_a_pipe_is_no_session(tmp_path):
    """A pipe and a device are refused at once; nothing waits for them."""
    os.mkfifo(tmp_path / "s.journal")
    for path in (tmp_path / "s.journal", Path("/dev/zero")):
        with pytest.raises(SessionError, match="is no session file"):
            open_at(path)


def test_a_request_that_changes_nothing_is_no_part_of_a_session(tmp_path):
    """A damaged method in a file without checksums: the line is named, and the file stays as it is."""
    journal = tmp_path / "s.journal"
    lines = [json.loads(line) for line in filled(journal).splitlines()]
    for line in lines:
        del line["checksum"]
    number = next(index for index, line in enumerate(lines) if line.get("method") in {"PUT", "POST"})
    lines[number]["method"] = "P_ST"
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(SessionError, match=rf"line {number + 1}: cannot be done again \(it changes nothing"):
        open_at(journal, traffic=False)


def test_a_gap_beyond_the_clock_is_refused(tmp_path, wall):
    """A session of long ago at a great rate: the message says which option."""
    journal = tmp_path / "s.journal"
    filled(journal)
    wall.seconds += 4e9
    with pytest.raises(SessionError, match="give a lower --rate"):
        open_at(journal, traffic=False, rate=100_000.0)


def test_a_session_of_something_else_is_refused(tmp_path):
    """Another scenario, seed, traffic, start or given calls, and a schema of the future, are named."""
    journal = tmp_path / "s.journal"
    whole = filled(journal)
    for more, key in (
        ({"seed": 2}, "seed"),
        ({"traffic": True}, "traffic"),
        ({"given": [Given(extension="0003*201", peer="1")]}, "given"),
    ):
        with pytest.raises(SessionError, match=f"was begun with another {key}; start with what it was begun with"):
            open_at(journal, **({"traffic": False} | more))
    with pytest.raises(SessionError, match="was begun with another start; start with what it was begun with"):
        Desk(hospital(), traffic=False, journal=journal, start_us=1)
    with pytest.raises(SessionError, match="another scenario"):
        Desk(hospital(**{"lot.slots": 3}), traffic=False, journal=journal)
    journal.write_bytes(whole.replace(b'"schema": 1', b'"schema": 2', 1))
    with pytest.raises(SessionError, match="is of schema 2 and this parksim writes 1; update parksim"):
        open_at(journal, traffic=False)


def test_two_servers_do_not_share_a_file(tmp_path):
    """The second is told; when the first is gone it may."""
    journal = tmp_path / "s.journal"
    first = open_at(journal, traffic=False)
    with pytest.raises(SessionError, match="another server writes it; stop that one"):
        open_at(journal, traffic=False)
    kill(first)
    kill(open_at(journal, traffic=False))


def test_a_place_that_cannot_be_written(tmp_path):
    """A folder, a missing folder: the file cannot be opened, says why."""
    for journal in (tmp_path, tmp_path / "missing" / "s.journal"):
        with pytest.raises(SessionError, match="cannot be opened"):
            open_at(journal)


def test_the_file_is_its_owners_alone(tmp_path):
    """Mode 0600 whatever the umask, also where it was wider before; nothing of a token stands in it."""
    before = os.umask(0)
    try:
        journal = tmp_path / "s.journal"
        filled(journal)
    finally:
        os.umask(before)
    assert stat.S_IMODE(journal.stat().st_mode) == 0o600
    journal.chmod(0o644)
    kill(open_at(journal, traffic=False))
    assert stat.S_IMODE(journal.stat().st_mode) == 0o600
    fields = set(json.loads(journal.read_bytes().splitlines()[1]))
    assert fields == {"at_us", "wall_s", "method", "target", "body", "user", "scope", "checksum"}


def test_fsync_is_done_before_the_answer(tmp_path, monkeypatch):
    """With fsync each line is forced to the disk once; without it none is."""
    forced = []
    monkeypatch.setattr(os, "fsync", forced.append)
    for fsync, expected in ((True, 3), (False, 0)):
        forced.clear()
        desk = open_at(tmp_path / f"{fsync}.journal", traffic=False, fsync=fsync)
        desk.respond(call_to("0003*201"))
        desk.respond(call_to("0003*201"))
        desk.respond(request("GET", ALL))
        assert len(forced) == expected
        kill(desk)


def test_what_changes_nothing_is_not_written(tmp_path):
    """GET, refusals and repetitions leave no line."""
    journal = tmp_path / "s.journal"
    filled(journal)
    desk = open_at(journal, traffic=False)
    size = journal.stat().st_size
    for asked in (
        request("GET", ALL),
        request("DELETE", f"{ALL}/0000000000000000000f"),
        put("Park", "0000000000000000000f"),
        request("PATCH", ALL),
        request("GET", "/elsewhere"),
    ):
        assert desk.respond(asked).status in {200, 400, 404, 405}
    assert journal.stat().st_size == size
    kill(desk)


def test_bodies_of_all_bytes_are_kept(tmp_path):
    """A request goes into the file and comes out of it as it was."""
    asked = uapi.Request("PUT", "/uapi/\xff%00?a=\ud800", bytes(range(256)), "12", "organization")
    journal = tmp_path / "s.journal"
    with_file = Session(journal, {})
    with_file.take(5, asked)
    with_file.mark(6)
    with_file.resume(7, 8)
    with_file.close()
    again = Session(journal, {})
    taken, mark, resumed = again.records
    again.close()
    assert (taken.at_us, taken.request) == (5, asked)
    assert (mark.at_us, resumed.at_us, resumed.gap_us) == (6, 7, 8)


# ------------------------------------------------------------------------------------------------ a full disk


@pytest.mark.parametrize("cut_fails", [False, True])
def test_a_failed_write_changes_nothing_and_later_ones_work(tmp_path, monkeypatch, cut_fails):
    """A disk that takes half a line: 503, nothing has changed, no piece is left before the next line; then it works."""
    journal = tmp_path / "s.journal"
    desk = open_at(journal, traffic=False)
    assert desk.respond(call_to("0003*201")).status == 200
    desk.respond(request("GET", ALL))  # the other side has picked up
    before, size = desk.register, journal.stat().st_size
    write, truncate = os.write, os.ftruncate
    wrote = []

    def half(file: int, content: bytes) -> int:
        if wrote:
            raise OSError(28, "No space left on device")
        wrote.append(write(file, content[: len(content) // 2]))
        return wrote[0]

    def fails(_file: int, _length: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "write", half)
    if cut_fails:
        monkeypatch.setattr(os, "ftruncate", fails)
    reply = desk.respond(call_to("0003*202"))
    assert reply.status == 503
    assert b"The session file cannot be written." in reply.body
    assert desk.register == before
    assert desk.switchboard.calls.keys() == {0}
    assert (journal.stat().st_size == size) != cut_fails
    monkeypatch.setattr(os, "write", write)
    monkeypatch.setattr(os, "ftruncate", truncate)
    assert desk.respond(call_to("0003*203")).status == 200
    kill(desk)
    again = open_at(journal, traffic=False)
    assert [again.register.extensions[call.extension].number for call in again.register.calls] == [
        "0003*201",
        "0003*203",
    ]
    assert again.cut_bytes == 0
    kill(again)


def test_a_disk_that_is_full_from_the_start(tmp_path, monkeypatch):
    """A new file, or a session that goes on, that cannot be written is a SessionError."""
    journal = tmp_path / "s.journal"
    filled(journal)

    def fails(*_arguments) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", fails)
    for name in ("s.journal", "new.journal"):
        with pytest.raises(SessionError, match=rf"{name}: cannot be written \(No space left on device\)"):
            open_at(tmp_path / name, traffic=False)


# ------------------------------------------------------------------------------------------------ killed for good


def killed_and_started_again(tmp_path: Path, times: int, seed: int) -> None:
    """Kill a process with a desk under load so many times; each acknowledged park is there, with slot and deadline.

    A moment is a number of parks further on and up to 20 ms more, whatever the machine's speed.
    """
    rng = Random(seed)
    journal = tmp_path / "s.journal"
    program = Path(__file__).with_name("desk_load.py")
    acknowledged: dict[str, tuple[int, int]] = {}
    told_before = 0
    for number in range(times):
        process = subprocess.Popen(
            [sys.executable, str(program), str(journal), str(seed + number)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        lines = [process.stdout.readline() for _ in range(rng.randrange(1, 40))]
        time.sleep(rng.random() * 0.02)
        process.kill()
        lines += process.communicate()[0].splitlines(keepends=True)
        for line in lines:
            if line.endswith("\n"):
                call, (slot, deadline_us) = json.loads(line)
                assert call not in acknowledged
                acknowledged[call] = slot, deadline_us
        desk = Desk(ROOMY, rate=1, journal=journal)
        now = parked(desk)
        assert {call: stay for call, stay in now.items() if call in acknowledged} == acknowledged
        assert len({slot for slot, _ in now.values()}) == len(now)
        assert len({call.id for call in desk.register.calls}) == len(desk.register.calls)
        agree(desk)
        kill(desk)
        assert len(acknowledged) > told_before
        told_before = len(acknowledged)


def test_killed_under_load_nothing_acknowledged_is_lost(tmp_path):
    """SIGKILL at 3 random moments of one session: each acknowledged park is there, none twice. Seed 41."""
    killed_and_started_again(tmp_path, 3, 41)


@pytest.mark.slow
def test_killed_often_under_load_nothing_acknowledged_is_lost(tmp_path):
    """The same at 50 moments, of five sessions. Seeds 42, 52, 62, 72 and 82."""
    for seed in range(42, 92, 10):
        folder = tmp_path / str(seed)
        folder.mkdir()
        killed_and_started_again(folder, 10, seed)


def test_a_session_is_read_whole_however_long(tmp_path, monkeypatch):
    """What is read of another's file is bounded; of a session all requests are there again beyond that bound."""
    journal = tmp_path / "s.journal"
    before = filled(journal)
    monkeypatch.setattr(session_module, "_OF_ANOTHERS", 64)
    desk = open_at(journal, traffic=False)
    assert len(desk.register.calls) == 2
    kill(desk)
    assert journal.read_bytes().startswith(before)
    assert len(before) > 64
