"""Faults of a log are not blamed on the PBX, and a row that breaks the rules is still found: AMI of four ages."""

import random
from functools import cache

import pytest
from log_writers import AGES, Block, blocks_of, text_of

import parksim

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


def test_a_clock_that_goes_back_is_named_and_may_be_accepted(tmp_path):
    """The message has the amount and the line; with clock_set the verdict is that of the rules."""
    back = moved(blocks(), 517, -3600)
    found = met(tmp_path, back)
    line = 1 + text_of(back[:517]).count(b"\n")
    assert found.follows is None
    assert f"the clock goes back 3,600 s at line {line};" in found.agreement.doubts[0]
    assert met(tmp_path, back, clock_set=True).follows is True
