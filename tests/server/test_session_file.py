"""A session file at rest: its check notices what is wrong with it, and a compacted one leads to the same."""

import fcntl
import json
from random import Random

import pytest
import test_checkpoint as sessions
from test_checkpoint import opened, session_of, start_of, wall  # noqa: F401 - a fixture

from parksim import Scenario
from parksim.cli.main import main
from parksim.errors import SessionError
from parksim.server import session_file
from parksim.server.checkpoint import files
from parksim.server.session import Mark
from parksim.server.session_file import check, compact, read_session


@pytest.fixture
def session(tmp_path, wall):  # noqa: F811 - the fixture
    """A session of 60 requests with two checkpoints, killed. Seed 51."""
    return session_of(tmp_path / "a.session", wall)


def test_a_whole_session_says_what_it_has(session):
    """Requests, resumptions, marks; every request can be done again; the checkpoint agrees; nothing is written."""
    before = {path: path.read_bytes() for path in (session, *files(session))}
    kinds = [json.loads(line) for line in session.read_text().splitlines()[1:]]
    requests = sum("method" in line for line in kinds)
    turns = sum("rate" in line for line in kinds)
    first, second, third = check(session).splitlines()
    told = f"{requests} requests, 0 resumptions, {turns} changes of the rate, {len(kinds) - requests - turns} marks"
    assert first == f"{session}: whole; {told}"
    assert second.startswith("every request can be done again; ")
    assert "agrees" in third
    assert {path: path.read_bytes() for path in before} == before


def test_every_kind_of_damage_is_named_by_its_line(session):
    """A flipped bit of 150 places is noticed, but for a torn end; so are lines that were exchanged. Seed 58."""
    whole = session.read_bytes()
    rng = Random(58)
    for _ in range(150):
        place = rng.randrange(len(whole) - 1)
        damaged = bytearray(whole)
        damaged[place] ^= 1 << rng.randrange(8)
        session.write_bytes(damaged)
        with pytest.raises(SessionError, match=r"line|is no session|schema"):
            read_session(session)
    lines = whole.splitlines(keepends=True)
    session.write_bytes(b"".join([*lines[:5], lines[20], *lines[6:20], lines[5], *lines[21:]]))
    with pytest.raises(SessionError, match="line 7: comes before the line above it"):
        check(session)


def test_a_session_cut_short_is_noticed(session):
    """Cut in a line, that is said; cut before the checkpoint's line, the checkpoint knows of more."""
    whole = session.read_bytes()
    session.write_bytes(whole[:-7])
    assert "its last line is torn" in check(session)
    session.write_bytes(b"".join(whole.splitlines(keepends=True)[:4]))
    with pytest.raises(SessionError, match="is of a longer session"):
        check(session)


def test_a_request_left_out_or_a_wrong_checkpoint_is_noticed(session):
    """The check does every request again and holds the checkpoint against that."""
    newest = files(session)[0]
    place, state = sessions.checkpoints.read(newest)
    other = state._replace(changes=state.changes + 1)
    sessions.checkpoints.store(
        session, list(sessions.checkpoints.pieces(sessions.checkpoints.Checkpoint(place, other)))
    )
    with pytest.raises(SessionError, match="leads to other changes than the whole session"):
        check(session)


def test_a_scenario_of_files_is_checked_without_them(tmp_path):
    """A session of recorded calls: its lines are read; the message names what does the rest; it is not compacted."""
    session = tmp_path / "recorded.session"
    desk = sessions.Desk(Scenario.load("scenarios/recorded.toml"), clock=sessions.VirtualClock(0), journal=session)
    desk._session.mark(5)
    desk.close_file()
    first, second = check(session).splitlines()
    assert "0 requests" in first
    assert "were not done again" in second
    assert "--full-replay" in second
    whole = session.read_bytes()
    with pytest.raises(SessionError, match=r"recorded\.session: "):
        compact(session)
    assert session.read_bytes() == whole


def test_a_compacted_session_leads_to_the_same(tmp_path, session, wall):  # noqa: F811 - the fixture
    """Smaller; requests and resumptions byte for byte; resumed with and without its checkpoint; compacted twice."""
    for _ in range(3):  # with resumptions, and thousands of marks
        desk, _ = start_of(session)
        for _ in range(400):
            desk._session.mark(desk.switchboard.now_us)
        desk.close_file()
    expected, _ = start_of(sessions.copied(session, tmp_path / "as it was"))
    audited = [record for _, record in read_session(session).records if not isinstance(record, Mark)]
    size = session.stat().st_size
    compact(session)
    assert session.stat().st_size < size / 4
    records = [record for _, record in read_session(session).records]
    assert [record for record in records if not isinstance(record, Mark)] == audited
    assert len(records) == len(audited) + 1
    assert "agrees" in check(session)
    again, lines = start_of(sessions.copied(session, tmp_path / "with"))
    assert lines == 1
    assert again.notes == []
    assert again.known() == expected.known()
    without = sessions.copied(session, tmp_path / "without")
    sessions.no_checkpoints(without)
    by_replay, _ = start_of(without)
    assert by_replay.known() == expected.known()
    proved, _ = start_of(session, full_replay=True)
    assert "agrees" in proved.notes[-1]
    sessions.asyncio.run(sessions.busy(proved, Random(59), 30, 0.1, wall))
    compact(session)
    assert "agrees" in check(session)
    assert opened(session).known() == start_of_copy(session, tmp_path).known()


def start_of_copy(session, folder):
    """Resume a copy of a session by a full replay."""
    copy = sessions.copied(session, folder / "last")
    sessions.no_checkpoints(copy)
    lines = copy.read_bytes().splitlines(keepends=True)
    copy.write_bytes(b"".join(lines[:-1]) if b"gap_us" in lines[-1] else copy.read_bytes())  # that of the other start
    return start_of(copy)[0]


def test_a_packed_line_that_was_altered_is_noticed(session):
    """One bit of 60 places of the packed lines. Seed 60."""
    compact(session)
    head, line, *rest = session.read_bytes().splitlines(keepends=True)
    rng = Random(60)
    for _ in range(60):
        damaged = bytearray(line)
        damaged[rng.randrange(len(line) - 1)] ^= 1 << rng.randrange(8)
        session.write_bytes(head + bytes(damaged) + b"".join(rest))
        with pytest.raises(SessionError, match="line"):
            read_session(session)


def test_what_cannot_be_compacted_stays_as_it_was(session, monkeypatch):
    """A damaged session, one that a server writes, and one on a full disk are refused and not changed."""
    whole = session.read_bytes()
    with session.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(SessionError, match="a server writes it"):
            compact(session)

    def full(_path, _content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(session_file, "_replace", full)
    with pytest.raises(SessionError, match="No space left"):
        compact(session)
    assert session.read_bytes() == whole
    session.write_bytes(whole[:300] + b"x" + whole[300:])
    with pytest.raises(SessionError, match="line 1"):
        compact(session)
    assert session.read_bytes() == whole[:300] + b"x" + whole[300:]


def test_the_commands(session, capsys, tmp_path):
    """``parksim session check`` and ``compact``: one answer and code 0; one message and code 2 or 4."""
    assert main(["session", "check", str(session)]) == 0
    assert "every request can be done again" in capsys.readouterr().out
    assert main(["session", "compact", str(session)]) == 0
    assert "bytes before" in capsys.readouterr().out
    empty = tmp_path / "empty.session"
    desk = opened(empty)
    desk.close_file()
    assert main(["session", "compact", str(empty)]) == 0
    assert "nothing to compact" in capsys.readouterr().out
    assert main(["session", "chek", str(empty)]) == 2
    assert "did you mean check?" in capsys.readouterr().err
    assert main(["session", "check", "none.session"]) == 2
    assert capsys.readouterr().err.startswith("parksim: none.session: there is no such file; name one of ")
    assert main(["session", "check", __file__]) == 4
    assert capsys.readouterr().err.startswith("parksim: could not finish: ")
