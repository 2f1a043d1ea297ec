"""A log met in Python says what the commands say, and refuses what they refuse."""

import re
from pathlib import Path

import pytest

import parksim
from parksim.errors import LogError

TRACES = Path(__file__).parent / "traces"


def test_a_log_is_asked_measured_and_made_a_scenario():
    """The recorded soak follows the rules; its shares add up to one; its scenario has the lot that the log tells."""
    met = parksim.replay(TRACES / "soak_first.jsonl")
    assert met.follows
    shares = [met.measures[f"{end}_share"].value for end in ("retrieved", "expired", "abandoned")]
    assert sum(shares) == pytest.approx(1)
    assert "follows the rules" in met._repr_html_()
    calibration = met.calibrate()
    assert (calibration.scenario.lot.slots, calibration.scenario.lot.first) == (5, 771)
    assert parksim.calibrate(TRACES / "soak_first.jsonl").toml == calibration.toml


def test_a_wrong_number_of_slots_is_disagreed_with():
    """Asterisk parked into five slots: told that there are four, the rules name the first park into the fifth."""
    met = parksim.replay(TRACES / "slots_first.jsonl", slots=4)
    assert not met.follows
    lines = (TRACES / "slots_first.jsonl").read_text(encoding="utf-8").splitlines()
    [fifth, *_] = [number for number, line in enumerate(lines, 1) if "ParkedCall" in line and '"slot":705' in line]
    assert met.agreement.first.line == fifth
    assert f"line {fifth}" in met._repr_html_()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"slots": 0}, "slots = 0: a lot has at least one"),
        ({"choice": "first"}, "choice = 'first': choose one of lowest, next, random"),
        ({"tolerance": "5 parsecs"}, "tolerance = '5 parsecs': "),
        ({"max_in_parking": -1.0}, "max_in_parking = -1.0: "),
    ],
)
def test_arguments_out_of_range_are_named(arguments, words):
    """The message names the argument, what it was, and what it may be."""
    with pytest.raises(ValueError, match=f"^{re.escape(words)}"):
        parksim.replay(TRACES / "full.jsonl", **arguments)


def test_time_that_goes_back_makes_no_scenario(tmp_path):
    """A log out of order is replayed, which names the line, and not calibrated: its durations would be wrong."""
    lines = (TRACES / "giveup.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    log = tmp_path / "mixed.jsonl"
    log.write_text("".join([*lines[:4], lines[20], *lines[4:20], *lines[21:]]), encoding="utf-8")
    met = parksim.replay(log)
    assert not met.follows
    with pytest.raises(LogError, match="sort them by time"):
        met.calibrate()
