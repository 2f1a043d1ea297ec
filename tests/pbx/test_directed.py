"""Parks into each parker's own slot are recognised, and other ways of choosing are not taken for it."""

import pytest
from log_writers import blocks_of, text_of

import parksim

DAY = """
name = "a day"
[run]
horizon = "8h"
[arrivals]
kind = "poisson"
rate = "60/h"
[attendants]
count = 3
handling = "20s"
[parking]
probability = 0.8
slot = "{slot}"
[lot]
slots = 5
first = 701
choice = "{choice}"
max_in_parking = "60s"
[retrieval]
delay = {{ kind = "lognormal", median = "25s", sigma = 0.8 }}
never = 0.1
"""


def met(tmp_path, seed, slot, choice):
    """Return the replay of a simulated day as AMI."""
    facts = parksim.run(parksim.Scenario.loads(DAY.format(slot=slot, choice=choice)), seed=seed).journal.facts()
    path = tmp_path / "ami.txt"
    path.write_bytes(text_of(blocks_of(facts, "22")))
    return parksim.replay(path)


@pytest.mark.parametrize("seed", range(10))
def test_each_way_of_parking_is_recognised(tmp_path, seed):
    """Ten days each (seeds 0 to 9), some 400 parks a day: none is taken for another, and all rows fit."""
    for slot, choice in (
        ("own", "lowest"),
        ("lot", "lowest"),
        ("lot", "next"),
        ("lot", "random"),
        ("chosen", "lowest"),
    ):
        found = met(tmp_path, seed, slot, choice)
        assert found.follows is True, (slot, choice)
        assert bool(found.log.own_slots) == (slot == "own"), (slot, choice)
        said = "\n".join(found.agreement.inferred)
        assert ('parking.slot = "own"' in said) == (slot == "own")
        if slot != "own":
            assert f"slot choice {'random' if slot == 'chosen' else choice} (0 rows do not fit" in said, said


def test_a_calibration_says_how_directed_parking_is_simulated(tmp_path):
    """The scenario does not know how many attendants there are, so it is said and not written."""
    toml = met(tmp_path, 1, "own", "lowest").calibrate().toml
    assert 'set parking.slot = "own" and attendants.count = 3 to simulate that' in " ".join(toml.split("#")).replace(
        "  ", " "
    )
