"""Several lots in a scenario: how they are written, whose calls ask which, and what the screen and the JSON say."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from parksim.reports.screen import screen_text
from parksim.rules.codes import ENDED, OVERFLOWED, PARKED, REFUSED
from parksim.scenario.model import Scenario, ScenarioError
from parksim.scenario.workload import draw
from parksim.studies.compare import changes
from parksim.studies.replication import run
from parksim.studies.study import study

FILE = Path(__file__).parents[2] / "scenarios" / "two-organisations.toml"
TWO = Scenario.load(FILE)
SEED = 20_261
LEVEL = 1e-5
"""Of each statistical test here."""
HEAD = """\
name = "x"
run.horizon = "1h"
arrivals = { kind = "poisson", rate = "60/h" }
attendants = { count = 1, handling = 10 }
parking.probability = 1
retrieval = { delay = 20 }
"""


def message(text):
    """Return what is said of a scenario that is none."""
    with pytest.raises(ScenarioError) as caught:
        Scenario.loads(text, name="f.toml")
    return str(caught.value)


# How they are written -------------------------------------------------------------------------------------------------


def test_one_named_lot_is_as_the_only_lot():
    """A single [[lot]] gives the settings and the calls of a [lot] with the same keys."""
    one = Scenario.loads(HEAD + "lot = { slots = 3, when_full = 'drop' }")
    named = Scenario.loads(HEAD + "parking.when_full = 'drop'\n[[lot]]\nname = 'a'\nslots = 3")
    assert named.settings == one.settings
    assert all(np.array_equal(a, b) for a, b in zip(draw(named, SEED), draw(one, SEED), strict=True))


def test_settings_have_one_entry_a_lot():
    """Slots and choices stand in the order of the file; what follows a refusal is one for all."""
    assert TWO.settings.slots == (3, 4)
    assert TWO.with_values({"lot.firm.choice": "random"}).settings.choices == (0, 2)
    assert (TWO.when_full, TWO.retries, TWO.retry_after_s) == ("overflow", 0, None)
    kept = TWO.with_values({"parking.when_full": "keep", "parking.retries": 2, "parking.retry_after": "5s"})
    assert (kept.settings.when_full, kept.settings.retries, kept.settings.retry_after_us) == (0, 2, 5_000_000)
    assert TWO.lot_names == ("clinic", "firm")


def test_a_lot_is_changed_by_its_name():
    """``lot.NAME.slots`` changes that lot, also within a law, and gives another digest; so does its order."""
    changed = TWO.with_values(
        {"lot.firm.slots": 9, "lot.clinic.max_in_parking": {"kind": "uniform", "low": 60, "high": 90}}
    )
    assert changed.settings.slots == (3, 9)
    assert changed.with_values({"lot.clinic.max_in_parking.low": 70}).lots[0].max_in_parking.support_s == (70, 90)
    assert len({TWO.digest, changed.digest}) == 2
    assert Scenario.model_validate(json.loads(TWO.canonical)) == TWO


WRONG_KEYS = {
    "lot.slots": "there are several lots; write lot.NAME.slots; the lots are clinic, firm",
    "lot.frm.slots": "there is no lot 'frm'; the lots are clinic, firm; did you mean \"firm\"?",
    "lot.xyz.slots": "there is no lot 'xyz'; the lots are clinic, firm",
    "lot.firm": "names a whole lot; set one of its keys, such as lot.firm.slots",
    "lot.when_full": "of several lots it is one for all; write parking.when_full",
}


@pytest.mark.parametrize("key", WRONG_KEYS)
def test_a_key_that_names_no_lot_is_told_which_there_are(key):
    """One message, with the key, what is wrong with it, and the names of the lots."""
    with pytest.raises(ScenarioError) as caught:
        TWO.with_values({key: 1})
    assert str(caught.value) == f"{key}: {WRONG_KEYS[key]}"


WRONG_FILES = {
    "no lot": ("lot = []", "line 7: lot = []: needs at least one lot"),
    "no name": ("[[lot]]\nslots = 1", "line 7: lot[0].name: is missing; add name = ..."),
    "no word": ("[[lot]]\nname = 'a b'\nslots = 1", "line 8: lot[0].name = 'a b': a lot's name is letters, digits"),
    "twice": (
        "[[lot]]\nname = 'a'\nslots = 1\n[[lot]]\nname = 'a'\nslots = 1",
        "line 11: lot[1].name = 'a': a lot's name is its own, and lot number 1 has it as well; give each",
    ),
    "no calls": ("[[lot]]\nname = 'a'\nslots = 1\nweight = 0", "line 10: lot[0].weight = 0: at least one lot"),
    "too heavy": ("[[lot]]\nname = 'a'\nslots = 1\nweight = 2e9", "line 10: lot[0].weight = 2000000000.0: a weight"),
    "no slots": ("[[lot]]\nname = 'a'\nslots = 0", "line 9: lot[0].slots = 0: must be at least 1"),
    "no printable": ("[[lot]]\nname = 'a'\nslots = 1\norganization = \"\\n\"", "line 10: lot[0].organization = "),
    "a policy of its own": (
        "[[lot]]\nname = 'a'\nslots = 1\nwhen_full = 'drop'",
        "line 10: lot[0].when_full = 'drop': unknown key; when_full belongs in [parking]",
    ),
    "a policy of one lot": (
        "lot.slots = 1\nparking.when_full = 'drop'",
        "line 8: parking.when_full = 'drop': of the only lot it stands in [lot]; move when_full to [lot]",
    ),
    "retries": (
        "parking.retries = 1\n[[lot]]\nname = 'a'\nslots = 1",
        "line 7: parking.retries = 1: retries need retry_after, the time between two requests",
    ),
    "too short": (
        "[[lot]]\nname = 'a'\nslots = 1\nmax_in_parking = 5",
        "line 10: lot[0].max_in_parking = 5: UAPI allows 10 s to 3600 s, and this is 5 s; stay inside, or set limits",
    ),
    "no end": (
        "[[lot]]\nname = 'a'\nslots = 1\nlimits = 'pbx'\nmax_in_parking = 'unlimited'",
        "line 11: lot[0].max_in_parking = 'unlimited': an unlimited stay needs another end",
    ),
    "a number": ("lot = 3", "line 7: lot = 3: must be a table"),
    "numbers": ("lot = [1]", "line 7: lot[0] = 1: must be a table"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_FILES)
def test_a_wrong_lot_gets_one_clear_message(name):
    """One line with file, line, key, value, the rule and the next step."""
    text, told = WRONG_FILES[name]
    said = message((HEAD if name != "no end" else HEAD.replace("delay = 20", "delay = 20, never = 0.5")) + text)
    assert said.startswith(f"f.toml, {told}"), said
    assert len(said.splitlines()) == 1


# Whose calls ask which lot --------------------------------------------------------------------------------------------


def test_calls_ask_lots_in_the_ratio_of_their_weights():
    """30,000 calls, weights 2, 0 and 3: none asks the second lot first, the rest is binomial. Level 1e-5."""
    lots = [{"name": name, "slots": 1, "weight": weight} for name, weight in (("a", 2), ("b", 0), ("c", 3))]
    lot = draw(TWO.with_values({"lot": lots, "run.horizon": "200h"}), SEED).lot
    counts = np.bincount(lot, minlength=3)
    assert counts[1] == 0
    assert len(lot) > 25_000
    assert stats.binomtest(int(counts[0]), len(lot), 0.4).pvalue > LEVEL


def test_how_long_a_call_may_stay_is_of_the_lot_it_asks_first():
    """180 s and 90 s by lot; the number of slots and the other laws change no call."""
    calls = draw(TWO, SEED)
    assert (calls.max_in_parking_us == np.where(calls.lot == 0, 180_000_000, 90_000_000)).all()
    patient = TWO.with_values({"lot.firm.patience": "unlimited", "lot.firm.slots": 9, "lot.clinic.choice": "random"})
    other = draw(patient, SEED)
    assert ((other.patience_us == -1) == (calls.lot == 1)).all()
    unlike = {name for name in calls._fields if not np.array_equal(getattr(calls, name), getattr(other, name))}
    assert unlike == {"patience_us", "slot_u"}


@pytest.mark.parametrize("engine", ["simpy", "kernel"])
def test_a_full_lot_overflows_into_the_next_within_the_event(engine):
    """Each refusal of the clinic's lot is followed, in the next row, by the firm's answer; of the firm's by the end."""
    journal = run(TWO.with_values({"lot.clinic.slots": 1, "lot.firm.slots": 2}), engine=engine).journal
    rows = list(journal.facts())
    refused = [place for place, row in enumerate(rows) if row.kind == REFUSED]
    assert {rows[place].lot for place in refused} == {0, 1}
    for place in refused:
        row, then = rows[place], rows[place + 1]
        assert (then.time_us, then.call) == (row.time_us, row.call)
        assert (then.kind, then.lot) in ({(PARKED, 1), (REFUSED, 1)} if row.lot == 0 else {(ENDED, -1)})
        assert row.lot == 0 or then.reason == OVERFLOWED
    assert journal.check(draw(TWO.with_values({"lot.clinic.slots": 1, "lot.firm.slots": 2}), 1)) is None


# What is said of them -------------------------------------------------------------------------------------------------


def test_the_screen_and_the_json_tell_each_lot_by_name():
    """The first line counts slots and lots, each lot has its lines, each entry of a vector by lot its lot's name."""
    made = study(TWO.with_values({"run.horizon": "2h"}), 2)
    text = screen_text(made)
    assert text.splitlines()[1].startswith("7 slots in 2 lots, 5 attendants;")
    assert [line for line in text.splitlines() if line.startswith("Lot ")] == [
        "Lot clinic, 3 slots",
        "Lot firm, 4 slots",
    ]
    estimates = json.loads(made.to_json())["estimates"]
    for name in ("parks_requested", "refused_share", "expired_share", "occupancy_mean"):
        assert [one["lot"] for one in estimates[f"{name}_by_lot"]] == ["clinic", "firm"]
    total = estimates["parks_requested"]["mean"]
    assert sum(one["mean"] for one in estimates["parks_requested_by_lot"]) == pytest.approx(total, rel=1e-12)


def test_a_lot_that_nobody_asks_has_no_shares():
    """Without calls of its own and without overflow a lot's shares are undefined, with the reason."""
    values = {"lot.firm.weight": 0, "parking.when_full": "keep", "run.horizon": "2h"}
    made = study(TWO.with_values(values), 2).estimates
    assert made["refused_share_by_lot"][1].reason == "no park was requested of this lot"
    assert made["expired_share_by_lot"][1].reason == "no park was made in this lot"


def test_a_comparison_names_the_lot_that_changes():
    """Several lots are compared key by key, by their names; which of them comes first is a change, too."""
    before = TWO
    after = before.with_values({"lot.clinic.slots": 5, "lot.firm.max_in_parking": "2m"})
    assert changes(before, after) == {"lot.clinic.slots": (3, 5), "lot.firm.max_in_parking.value": (90.0, 120.0)}
    lots = ['[[lot]]\nname = "clinic"\nslots = 3\n', '[[lot]]\nname = "firm"\nslots = 4\n']
    one, other = (Scenario.loads(HEAD + "".join(both)) for both in (lots, lots[::-1]))
    assert changes(one, other) == {"lot": (["clinic", "firm"], ["firm", "clinic"])}
    assert changes(before, before) == {}
