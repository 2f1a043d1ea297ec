"""Checkpoints: a start replays what follows the newest that can be relied on, and knows what a full replay knows."""

import asyncio
import errno
import json
import logging
from pathlib import Path
from random import Random

import pytest
from desk_load import call_to, hospital, parked, put, random_request

from parksim.engines.clocks import VirtualClock
from parksim.errors import SessionError
from parksim.server import checkpoint as checkpoints
from parksim.server import keeping, resuming
from parksim.server import session as session_module
from parksim.server.checkpoint import files
from parksim.server.desk import Desk
from parksim.server.given import Given
from parksim.server.keeping import Keeper

S = 1_000_000
MORNING_US = 8 * 3600 * S
GIVEN = (Given(extension="0003*201", peer="551234", parker="0003*201", limit_s=3_600),)


class Wall:
    """A time of day that moves when it is told to."""

    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0

    def time(self) -> float:
        """Return seconds since 1970."""
        return self.seconds


@pytest.fixture(autouse=True)
def wall(monkeypatch) -> Wall:
    """Replace the time of day of desk and session, so that both ways to resume write the same bytes."""
    wall = Wall()
    monkeypatch.setattr(resuming, "time", wall)
    monkeypatch.setattr(session_module, "time", wall)
    return wall


def opened(session: Path, seed: int = 1, **more) -> Desk:
    """Open a desk on a virtual clock, with a session and a given call."""
    scenario = hospital(**{"uapi.pickup": "5s"})
    return Desk(scenario, **({"clock": VirtualClock(0), "journal": session, "given": GIVEN, "seed": seed} | more))


async def busy(desk: Desk, rng: Random, requests: int, share: float, wall: Wall) -> None:
    """Give random requests beside traffic, and keep a checkpoint now and then; then leave it as a killed one."""
    keeper = Keeper(desk, desk._session)
    await desk.switchboard.__aenter__()
    at_us = max(desk.switchboard.reached_us + desk.resumed_after_us, MORNING_US)
    for _ in range(requests):
        at_us += rng.randrange(5 * S)
        wall.seconds += 1.5
        await desk.switchboard.run_to(at_us)
        desk.respond(random_request(rng, desk))
        if rng.random() < 0.04:
            assert desk.turn(rng.choice((1.0, 30.0)), paused=rng.random() < 0.3).status == 204
        if rng.random() < share:
            await keeper.keep()
    desk.close_file()


def session_of(path: Path, wall: Wall, seed: int = 51, requests: int = 60, share: float = 0.05) -> Path:
    """Write a session with two checkpoints at least; return its file."""
    asyncio.run(busy(opened(path), Random(seed), requests, share, wall))
    assert all(file.exists() for file in files(path))
    return path


def copied(session: Path, folder: Path) -> Path:
    """Copy a session and its checkpoints."""
    folder.mkdir()
    for file in (session, *files(session)):
        if file.exists():
            (folder / file.name).write_bytes(file.read_bytes())
    return folder / session.name


def start_of(session: Path, **more) -> tuple[Desk, int]:
    """Resume a session; return the desk, and how many lines were replayed."""
    read = []
    original = session_module.record_of

    def counted(path, line, number):
        read.append(number)
        return original(path, line, number)

    session_module.record_of = counted
    try:
        desk = opened(session, **more)
    finally:
        session_module.record_of = original
    return desk, len(read)


def no_checkpoints(session: Path) -> None:
    """Take the checkpoints of a session away."""
    for file in files(session):
        file.unlink(missing_ok=True)


# ------------------------------------------------------------------------------------------------- what is replayed


@pytest.mark.parametrize("seed", [51, 52, 53])
def test_killed_again_and_again_it_is_as_after_a_full_replay(tmp_path, wall, seed):
    """12 kills of a busy desk at drawn moments: state, rows and later session equal with and without checkpoints."""
    rng = Random(seed)
    session = tmp_path / "a.session"
    asyncio.run(busy(opened(session), rng, 40, 0.2, wall))
    facts = 0
    for kill in range(12):
        wall.seconds += rng.random() * 20
        other = copied(session, tmp_path / str(kill))
        no_checkpoints(other)
        whole, all_lines = start_of(other)
        quick, few_lines = start_of(session)
        assert quick.known() == whole.known(), f"kill {kill}"
        assert quick.resumed_after_us == whole.resumed_after_us
        assert few_lines < all_lines
        assert session.read_bytes() == other.read_bytes()
        moves = rng.getrandbits(32)
        rows: list[list] = [[], []]
        for desk, its in zip((whole, quick), rows, strict=True):
            before = wall.seconds
            desk.switchboard.listen(its.append)
            asyncio.run(busy(desk, Random(moves), 1 + kill % 15, 0.15, wall))
            wall.seconds = before
        assert rows[0] == rows[1]
        facts += len(rows[0])
        assert quick.known() == whole.known(), f"kill {kill}"
        assert session.read_bytes() == other.read_bytes()
    assert facts > 60
    proved, _ = start_of(session, full_replay=True)
    assert "agrees with the checkpoint" in proved.notes[-1]
    proved.close_file()


def test_a_full_replay_sees_a_checkpoint_that_is_wrong(tmp_path, wall):
    """A checkpoint with a wrong number, and a right checksum, is found by --full-replay, and named."""
    session = session_of(tmp_path / "a.session", wall)
    newest = files(session)[0]
    place, state = checkpoints.read(newest)
    wrong = state._replace(counters=[one + 1 for one in state.counters])
    checkpoints.store(session, list(checkpoints.pieces(checkpoints.Checkpoint(place, wrong))))
    with pytest.raises(SessionError, match="full replay leads to other counters than its checkpoint"):
        opened(session, full_replay=True)


def test_what_is_acknowledged_after_a_checkpoint_is_there(tmp_path, wall):
    """Calls parked after the newest checkpoint keep slot and deadline."""
    session = session_of(tmp_path / "a.session", wall)

    async def park_some() -> dict:
        desk = opened(session)
        await desk.switchboard.__aenter__()
        await Keeper(desk, desk._session).keep()
        for _ in range(3):
            assert desk.respond(call_to("0003*202")).status == 200
            await desk.switchboard.run_to(desk.switchboard.reached_us + 6 * S)
            assert desk.respond(put("Park", desk.register.calls[-1].id, maxInParking=3600)).status == 200
        stays = parked(desk)
        desk.close_file()
        return stays

    stays = asyncio.run(park_some())
    again, _ = start_of(session)
    assert parked(again) == stays
    again.close_file()


# ------------------------------------------------------------------------------------------- what cannot be relied on


def test_a_flipped_byte_is_noticed_and_worked_around(tmp_path, wall):
    """One bit of 60 places of the newest checkpoint: said in one line, and the one before is used. Seed 55."""
    session = session_of(tmp_path / "a.session", wall)
    newest = files(session)[0]
    whole = newest.read_bytes()
    expected, _ = start_of(copied(session, tmp_path / "whole"))
    rng = Random(55)
    for flip in range(60):
        mine = copied(session, tmp_path / f"flip {flip}")
        place = rng.randrange(len(whole))
        damaged = bytearray(whole)
        damaged[place] ^= 1 << rng.randrange(8)
        files(mine)[0].write_bytes(damaged)
        desk, _ = start_of(mine)
        assert desk.notes == [f"{files(mine)[0]} is damaged; the checkpoint before it is used"], f"byte {place}"
        assert desk.known() == expected.known()
        desk.close_file()


def test_a_damaged_checkpoint_does_not_take_the_place_of_a_whole_one(tmp_path, wall):
    """After a start from the one before, the next checkpoint replaces the damaged one; the one before stays."""
    session = session_of(tmp_path / "a.session", wall)
    newest, before = files(session)
    newest.write_bytes(newest.read_bytes()[:-9])
    whole = before.read_bytes()

    async def keep_two() -> None:
        desk = opened(session)
        async with desk.switchboard:
            keeper = Keeper(desk, desk._session)
            await keeper.keep()
            assert before.read_bytes() == whole
            first = newest.read_bytes()
            await keeper.keep()
            assert before.read_bytes() == first
            desk.close_file()

    asyncio.run(keep_two())
    again, _ = start_of(session)
    assert again.notes == []
    again.close_file()


def test_a_truncated_checkpoint_is_noticed_at_any_length(tmp_path, wall):
    """Cut after 60 drawn lengths, and by one byte: the one before is used; both cut: all is replayed. Seed 56."""
    session = session_of(tmp_path / "a.session", wall)
    size = files(session)[0].stat().st_size
    expected, few = start_of(copied(session, tmp_path / "whole"))
    rng = Random(56)
    for length in [0, 1, size - 1, *(rng.randrange(size) for _ in range(57))]:
        mine = copied(session, tmp_path / f"cut {length}")
        for file in files(mine)[: 2 if length % 3 == 0 else 1]:
            file.write_bytes(file.read_bytes()[:-1][:length])
        desk, lines = start_of(mine)
        assert lines > few
        newest, before = files(mine)
        both = f"{before} is damaged; the session is replayed from its beginning"
        told = both if length % 3 == 0 else "the checkpoint before it is used"
        assert desk.notes == [f"{newest} is damaged; {told}"]
        assert desk.known() == expected.known()
        desk.close_file()


def test_a_checkpoint_of_something_else_is_not_used(tmp_path, wall, monkeypatch):
    """One of another session, of a longer one, and of other code are passed over."""
    both = session_of(tmp_path / "a.session", wall), session_of(tmp_path / "b.session", wall, seed=57)
    other, session = sorted(both, key=lambda one: one.stat().st_size)
    expected, _ = start_of(copied(session, tmp_path / "whole"))
    lines = session.read_bytes().splitlines(keepends=True)

    def found(name: str, change) -> list[str]:
        mine = copied(session, tmp_path / name)
        change(mine)
        desk, _ = start_of(mine)
        desk.close_file()
        return desk.notes[0].replace(str(mine), "").split("; ")

    def exchanged(mine: Path) -> None:
        for ours, theirs in zip(files(mine), files(other), strict=True):
            ours.write_bytes(theirs.read_bytes())

    by_replay = "the session is replayed from its beginning"
    newest, before, last = found("exchanged", exchanged)
    assert newest.removeprefix(".checkpoint is of ") in {"another session", "a longer session"}
    assert before.removeprefix(".checkpoint-before is of ") in {"another session", "a longer session"}
    assert last == by_replay
    assert found("shorter", lambda mine: mine.write_bytes(b"".join(lines[:3]))) == [
        ".checkpoint is of a longer session",
        ".checkpoint-before is of a longer session",
        by_replay,
    ]
    monkeypatch.setattr(checkpoints, "code_digest", lambda: "0" * 64)
    assert found("other code", lambda _: None) == [
        *(f".checkpoint{end} was written by another version of parksim" for end in ("", "-before")),
        by_replay,
    ]
    monkeypatch.undo()
    assert expected.notes == []


def test_a_session_begun_anew_at_the_same_name_takes_no_checkpoint_of_the_old_one(tmp_path, wall):
    """The file is removed, its checkpoints are left: the new session, with the same first line, is its own."""
    session = session_of(tmp_path / "a.session", wall)
    session.unlink()
    new = opened(session)
    assert new.register.next_call == 1
    new.close_file()
    again, _ = start_of(session)
    assert len(again.notes) == 1
    assert again.register.next_call == 1
    again.close_file()


# --------------------------------------------------------------------------------------------- while it is serving


def test_a_full_disk_stops_nothing_and_is_said_once(tmp_path, wall, monkeypatch, caplog):
    """Checkpoints that cannot be written: requests are answered, one line says so, and later ones are written."""
    session = tmp_path / "a.session"
    full = [True]
    store = checkpoints.store

    def stored(path, lines, **how):
        if full[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        store(path, lines, **how)

    monkeypatch.setattr(keeping, "store", stored)
    monkeypatch.setattr(keeping, "LOOK_EVERY_S", 0.005)
    monkeypatch.setattr(keeping, "FACTS", 1)

    async def serve() -> None:
        async with opened(session) as desk:
            for _ in range(5):
                assert desk.respond(call_to("0003*202")).status == 200
                await asyncio.sleep(0.05)
            assert not any(file.exists() for file in files(session))
            full[0] = False
            assert desk.respond(call_to("0003*202")).status == 200
            await asyncio.sleep(0.5)
            assert files(session)[0].exists()

    with caplog.at_level(logging.WARNING):
        asyncio.run(serve())
    told = [record.getMessage() for record in caplog.records if "checkpoint" in record.getMessage()]
    assert told == [f"{session}: a checkpoint cannot be written (No space left on device); the next start takes longer"]
    assert wall.seconds
    again, _ = start_of(session)
    assert again.register.next_call == 7
    again.close_file()


def test_checkpoints_are_kept_while_serving_and_are_their_owners_alone(tmp_path, monkeypatch):
    """A desk that serves keeps two checkpoints, mode 0600, and nothing else beside its session."""
    monkeypatch.setattr(keeping, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(keeping, "FACTS", 10)
    session = tmp_path / "a.session"

    async def serve() -> None:
        async with opened(session) as desk:
            while not all(file.exists() for file in files(session)):
                desk.respond(call_to("0003*202"))
                await asyncio.sleep(0.005)

    asyncio.run(serve())
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a.session",
        "a.session.checkpoint",
        "a.session.checkpoint-before",
    ]
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    assert json.loads(files(session)[0].read_text().splitlines()[0])["parksim"] == "checkpoint"
    proved, lines = start_of(session, full_replay=True)
    assert lines > 10
    assert "agrees" in proved.notes[-1]
    proved.close_file()
