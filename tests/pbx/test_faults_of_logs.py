"""Faults of a log are not blamed on the PBX, and a row that breaks the rules is still found: AMI of four ages."""

import random
from functools import cache
from itertools import accumulate

import pytest
from log_writers import AGES, Block, blocks_of, text_of

import parksim
from parksim.pbx.sections import silent

DAY = """
name = "half a day"
[run]
horizon = "12h"
[arrivals]
kind = "poisson"
rate = "60/h"
[attendants]
count = 3
handling = { kind = "exponential", mean = "20s" }
[parking]
probability = 0.8
[lot]
slots = 5
first = 701
max_in_parking = "45s"
[retrieval]
delay = { kind = "lognormal", median = "25s", sigma = 0.8 }
never = 0.2
"""
CUTS = (150, 517, 803)


@cache
def blocks(age: str = "22") -> list[Block]:
    """Return the events of a simulated half day (seed 3)."""
    return blocks_of(parksim.run(parksim.Scenario.loads(DAY), seed=3).journal.facts(), age)


def met(tmp_path, some, **options):
    """Return the replay of these events."""
    path = tmp_path / "ami.txt"
    path.write_bytes(text_of(some))
    return parksim.replay(path, **options)


def moved(some, at, seconds):
    """Return events of which those from one on are written by a clock that was set."""
    return some[:at] + [one._replace(time_us=one.time_us + round(seconds * 1e6)) for one in some[at:]]


@pytest.mark.parametrize("age", AGES)
def test_every_age_of_asterisk_tells_the_same(tmp_path, age):
    """All events agree, and the measures are those of the newest."""
    new, old = met(tmp_path, blocks()), met(tmp_path, blocks(age))
    assert (old.follows, old.agreement.parking_agreed) == (True, len(blocks()))
    assert old.measures == new.measures


@pytest.mark.parametrize("cut", CUTS)
def test_no_fault_of_the_log_is_blamed_on_the_pbx(tmp_path, cut):
    """Cut, shuffled within 5 ms, a hole of ten minutes, doubled lines, clocks set by 0.3 s to an hour."""
    whole, draw = blocks(), random.Random(cut)
    begin_us = whole[cut].time_us
    gap = [one for one in whole if not begin_us <= one.time_us < begin_us + 600_000_000]
    logs = {
        "begun late": whole[cut:],
        "ended early": whole[:cut],
        "shuffled": sorted(whole, key=lambda one: one.time_us + draw.randrange(-2500, 2501)),
        "a hole": gap,
        "doubled": [one for one in whole for _ in range(2)],
        **{f"{seconds} s": moved(whole, cut, seconds) for seconds in (-3600, -2, -0.3, 0.3, 3600)},
    }
    for name, log in logs.items():
        assert met(tmp_path, log).follows is not False, name
    assert met(tmp_path, logs["doubled"]).agreement.parking_rows == len(whole)


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("seconds", [0, -3600, -0.3])
def test_a_row_that_breaks_the_rules_is_found_beside_a_fault(tmp_path, cut, seconds):
    """A park in a wrong slot, and a time-out three seconds late, with the clock as it was, or set back before."""
    whole = blocks()
    at = next(i for i in range(cut + 40, len(whole)) if whole[i].headers[0][1] == "ParkedCall")
    slot = "705" if dict(whole[at].headers)["ParkingSpace"] != "705" else "704"
    wrong = [*whole[:at], whole[at].changed(ParkingSpace=slot), *whole[at + 1 :]]
    assert met(tmp_path, moved(wrong, cut, seconds)).follows is False
    late = next(i for i in range(cut + 40, len(whole)) if whole[i].headers[0][1] == "ParkedCallTimeOut")
    three = [*whole[:late], whole[late]._replace(time_us=whole[late].time_us + 3_000_000), *whole[late + 1 :]]
    three.sort(key=lambda one: one.time_us)
    assert met(tmp_path, moved(three, cut, seconds)).follows is False


@pytest.mark.parametrize("seed", range(3))
def test_a_clock_may_be_set_by_any_amount_at_any_line(tmp_path, seed):
    """From two hours back to two hours forward at a random event (seeds 0 to 2): never the PBX's fault.

    Left out is what one stay that is off by more than 2.5 s shows: that is a fault, since nothing says that it is none.
    """
    draw = random.Random(seed)
    for seconds in (-7200, -1800, -600, -300, -120, -2, -1, 1, 2, 1800, 7200):
        log = moved(blocks(), draw.randrange(60, len(blocks()) - 60), seconds)
        assert met(tmp_path, log).follows is not False, seconds


@pytest.mark.parametrize("seconds", [-30, -10, 10, 60])
def test_two_stays_off_by_the_same_amount_show_that_the_clock_was_set(tmp_path, seconds):
    """At an event with two calls parked that both time out after it, the clock is set: they are not judged."""
    whole = blocks()
    fate = {dict(one.headers)["ParkeeUniqueid"]: is_time_out(one) for one in whole}
    inside: set[str] = set()
    at = 0
    while len(inside) < 2 or not all(fate[call] for call in inside):
        one, at = whole[at], at + 1
        (inside.add if one.headers[0][1] == "ParkedCall" else inside.discard)(dict(one.headers)["ParkeeUniqueid"])
    found = met(tmp_path, moved(whole, at, seconds))
    assert found.follows is not False
    assert any(f"the clock was set by {seconds:+,.3f} s" in one for one in found.agreement.set_clocks.values())


def test_the_same_delay_again_and_again_is_no_clock(tmp_path):
    """Every time-out 400 ms late, or each of the evening's: the PBX is wrong, however many agree with each other."""
    whole = blocks()
    for begin in (0, len(whole) // 2):
        late = [
            one._replace(time_us=one.time_us + 400_000) if at > begin and is_time_out(one) else one
            for at, one in enumerate(whole)
        ]
        assert met(tmp_path, sorted(late, key=lambda one: one.time_us)).follows is False


def is_time_out(block):
    """Tell whether an event is a time-out."""
    return block.headers[0][1] == "ParkedCallTimeOut"


@pytest.mark.parametrize("seed", range(4))
def test_a_line_out_of_place_leaves_the_verdict_open(tmp_path, seed):
    """An event moved by 1 to 12 places (seeds 0 to 3), with its instant: all fit in the order of the instants."""
    draw = random.Random(seed)
    log = [*blocks()]
    at = draw.randrange(50, len(log) - 50)
    log.insert(at + draw.choice([-12, -3, -1, 1, 3, 12]), log.pop(at))
    found = met(tmp_path, log)
    assert found.follows is None
    assert (
        "is out of place, and in the order of the instants all rows fit"
        in found.agreement.as_dict()["cannot_be_told"][0]
    )


def test_files_that_overlap_come_in_any_order_and_a_log_that_stands_twice_is_read_once(tmp_path):
    """Three rotated files of which each begins with the end of the one before; and a file written after itself."""
    whole = blocks()
    third = len(whole) // 3
    parts = [whole[: third + 30], whole[third : 2 * third + 30], whole[2 * third :]]
    paths = [tmp_path / f"full.log.{number}" for number in range(3)]
    for path, part in zip(paths, parts, strict=True):
        path.write_bytes(text_of(part))
    for order in ((0, 1, 2), (2, 0, 1), (1, 2, 0)):
        found = parksim.replay([paths[number] for number in order])
        assert (found.follows, found.agreement.parking_agreed) == (True, len(whole))
        assert found.measures == met(tmp_path, whole).measures
        assert sum(one.times for one in found.log.remarks.values()) == 60
    twice = met(tmp_path, whole + whole)
    assert (twice.follows, twice.agreement.parking_agreed) == (True, len(whole))
    assert twice.log.covered_us == met(tmp_path, whole).log.covered_us


def test_an_hour_without_a_line_is_left_out_even_if_the_lot_was_empty_at_both_ends(tmp_path):
    """An hour is cut out between two instants at which nobody is parked; the rate is that of the rest."""
    whole = blocks()
    empty = [at for at, n in enumerate(parked_after(whole)) if n == 0]
    begin = next(at for at in empty if at > len(whole) // 3)
    end = next(at for at in empty if whole[at].time_us > whole[begin].time_us + 3_000_000_000)
    gap_us = whole[end + 1].time_us - whole[begin].time_us
    found = met(tmp_path, whole[: begin + 1] + whole[end + 1 :])
    assert found.follows is True
    assert found.log.covered_us == whole[-1].time_us - whole[0].time_us - gap_us
    assert any("the next longest silence is" in str(one) for one in found.log.remarks.values())


def parked_after(some):
    """Return how many calls are parked after each event."""
    return accumulate(1 if one.headers[0][1] == "ParkedCall" else -1 for one in some)


def test_a_silence_is_called_a_hole_as_rarely_as_its_level_says():
    """4,000 Poisson logs without a hole, of 60 to 2,000 events (seed 1): more than 4 have a chance below 0.1 %."""
    draw = random.Random(1)
    claimed = 0
    for _ in range(4_000):
        gaps = (draw.expovariate(1 / 120e6) for _ in range(draw.choice([60, 200, 600, 2_000])))
        claimed += bool(silent([*accumulate(map(round, gaps))]))
    assert claimed <= 4


def test_a_clock_that_goes_back_is_named_and_may_be_accepted(tmp_path):
    """The message has the amount and the line; with clock_set the verdict is that of the rules."""
    back = moved(blocks(), 517, -3600)
    found = met(tmp_path, back)
    line = 1 + text_of(back[:517]).count(b"\n")
    assert found.follows is None
    assert f"the clock goes back 3,600 s at line {line};" in found.agreement.doubts[0]
    assert met(tmp_path, back, clock_set=True).follows is True
