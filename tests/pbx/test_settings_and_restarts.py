"""Settings that change in the middle of a log, restarts, answers to commands, and lots with the same slot numbers."""

import pytest
import test_faults_of_logs as faults
from log_writers import EPOCH_S, Block, blocks_of, text_of

import parksim

HALF_DAY_S = 12 * 3600


def day(seed, age="22", epoch_s=EPOCH_S, changes=(), **where):
    """Return the events of a simulated half day with some settings changed."""
    text = faults.DAY
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    return blocks_of(parksim.run(parksim.Scenario.loads(text), seed=seed).journal.facts(), age, epoch_s, **where)


def renamed(some, number):
    """Return events whose channels have other numbers."""
    names = ("Channel", "ParkeeChannel")
    return [
        Block(one.time_us, tuple((k, v.replace("trunk-0", f"trunk-{number}") if k in names else v) for k, v in one[1]))
        for one in some
    ]


def met(tmp_path, content, **options):
    """Return the replay of a log of these bytes."""
    path = tmp_path / "ami.txt"
    path.write_bytes(content)
    return parksim.replay(path, **options)


def remarks(found):
    """Return the remarks about a log as text."""
    return "\n".join(str(one) for one in found.log.remarks.values())


def boot(time_us, uptime_s=None, *, shutdown=False):
    """Return what a PBX writes when it starts, or stops."""
    headers = [("Event", "Shutdown" if shutdown else "FullyBooted")]
    headers += [] if uptime_s is None else [("Uptime", str(uptime_s))]
    return Block(time_us, tuple(headers)).text().encode()


@pytest.mark.parametrize("age", ["22", "11", "1.8"])
def test_a_longest_stay_that_changes_is_dated_and_each_park_judged_by_its_own(tmp_path, age):
    """45 s in the first half day and 60 s in the second (seeds 1 and 2)."""
    first = day(1, age)
    begin_us = first[-1].time_us
    later = renamed(day(2, age, EPOCH_S + HALF_DAY_S, [('"45s"', '"60s"')]), 1)
    later = [one for one in later if one.time_us > begin_us]
    found = met(tmp_path, text_of(first + later))
    assert found.follows is True
    line = 1 + text_of(first).count(b"\n")
    assert f"line {line}: lot default times out after 45 s before and 60 s from here on" in remarks(found)


def test_a_lot_that_shrinks_is_judged_before_and_after_apart(tmp_path):
    """Six slots in a busy half day, then three: the parks before used six, those after the three."""
    busy = [('rate = "60/h"', 'rate = "200/h"'), ("count = 3", "count = 9")]
    first = day(1, changes=[*busy, ("slots = 5", "slots = 6")])
    later = renamed(day(2, "22", EPOCH_S + HALF_DAY_S + 60, [*busy, ("slots = 5", "slots = 3")]), 1)
    later = [one for one in later if one.time_us > first[-1].time_us]
    found = met(tmp_path, text_of(first + later))
    assert found.follows is True
    assert "lot default has 6 slots before and 3 from here on" in remarks(found)
    change = found.log.changes[0]
    assert abs(change.at_us - found.log.first_us - HALF_DAY_S * 1e6) < 600e6


@pytest.mark.parametrize("start", ["uptime", "shutdown", "neither"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_after_a_restart_the_lots_are_empty_and_names_begin_anew(tmp_path, start, seed):
    """The log breaks off with calls parked; a minute later other calls come under their names (seeds 1 to 3)."""
    whole = day(seed)
    inside = [*faults.parked_after(whole)]
    cut = next(at for at in range(len(whole) // 2, len(whole)) if inside[at] >= 2)
    first = whole[: cut + 1]
    down_us = first[-1].time_us + 1
    up_us = down_us + 60_000_000
    shift_us = up_us + 1_000_000 - EPOCH_S * 1_000_000
    later = [one._replace(time_us=one.time_us + shift_us) for one in day(seed + 50)]  # the same unique ids
    content = text_of(first)
    content += boot(down_us, shutdown=True) if start == "shutdown" else b""
    content += boot(up_us, 2 if start == "uptime" else None)
    found = met(tmp_path, content + text_of(later).partition(b"\n")[2])
    assert found.follows is True
    assert found.agreement.parking_rows == len(first) + len(later)
    assert f"the PBX was started again: {inside[cut]} calls in its lots were cut off" in remarks(found)
    assert len(found.log.cut_off) == inside[cut]
    gone_us = later[0].time_us - down_us
    assert found.log.covered_us <= later[-1].time_us - first[0].time_us - min(gone_us, 60_000_000) + 2


@pytest.mark.parametrize("uptime_s", [86_400, None])
def test_a_login_is_no_restart(tmp_path, uptime_s):
    """FullyBooted answers a login as well: calls that were parked before are fetched after it."""
    whole = day(3)
    inside = [*faults.parked_after(whole)]
    cut = next(at for at in range(300, len(whole)) if inside[at] >= 2)
    content = text_of(whole[: cut + 1]) + boot(whole[cut].time_us + 1, uptime_s)
    found = met(tmp_path, content + text_of(whole[cut + 1 :]).partition(b"\n")[2])
    assert (found.follows, found.agreement.parking_agreed) == (True, len(whole))
    assert remarks(found) == ""


def test_answers_to_commands_are_no_events_and_tell_the_lots(tmp_path):
    """A panel asks for ParkedCalls every hundred events: rows without Timestamp, then ParkedCallsComplete."""
    whole = day(4)
    lot = b"Event: Parkinglot\r\nName: default\r\nStartSpace: 701\r\nStopSpace: 708\r\nTimeout: 45\r\n\r\n"
    row = (
        b"Event: ParkedCall\r\nActionID: 7\r\nParkeeChannel: PJSIP/x-00000001\r\nParkinglot: default\r\n"
        b"ParkingSpace: 704\r\nParkingTimeout: 30\r\nParkingDuration: 15\r\n\r\n"
    )
    answer = b"Response: Success\r\nActionID: 7\r\nMessage: Parked calls will follow\r\n\r\n" + row * 2
    answer += b"Event: ParkedCallsComplete\r\nActionID: 7\r\nTotal: 2\r\n\r\n"
    parts = [text_of(whole[at : at + 100]).partition(b"\n")[2] for at in range(0, len(whole), 100)]
    found = met(tmp_path, (lot + answer).join([b"", *parts]))
    assert (found.follows, found.agreement.parking_agreed) == (True, len(whole))
    assert found.measures == met(tmp_path, text_of(whole)).measures
    assert f"answers to a command, are no events ({2 * len(parts)} times" in remarks(found)


def test_lots_whose_slot_numbers_overlap_are_named_and_kept_apart(tmp_path):
    """Lot front from 701, lot back from 703 (seeds 5 and 6): all agree, and the numbers that both have are told."""
    front, back = day(5, lot="front"), renamed(day(6, first=703, lot="back"), 1)
    both = sorted([*front, *back], key=lambda one: one.time_us)
    found = met(tmp_path, text_of(both))
    assert (found.follows, found.agreement.parking_agreed) == (True, len(both))
    last = found.log.lots["front"].first + found.log.lots["front"].slots - 1
    assert f"both have slots from 703 to {last}; an event belongs to the lot that it names" in remarks(found)
    assert "both have" not in remarks(met(tmp_path, text_of(front)))


def test_an_event_that_the_rotation_cut_in_two_is_read(tmp_path):
    """The first file ends in the middle of an event, at each of its bytes in steps of seven, and the second goes on."""
    whole = day(7)[:120]
    content = text_of(whole)
    begin = content.index(b"Event", len(content) // 2)
    for cut in range(begin, begin + 330, 7):
        paths = [tmp_path / "full.log.1", tmp_path / "full.log"]
        paths[0].write_bytes(content[:cut])
        paths[1].write_bytes(content[cut:])
        found = parksim.replay(paths)
        assert (found.follows, found.agreement.parking_agreed) == (True, len(whole)), cut
