"""Limits and files of draws: what they mean, what is refused, and that they leave everything else as it was."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from parksim.errors import ScenarioError, UnfitError
from parksim.scenario import unknown as unknowns
from parksim.scenario.comments import to_toml
from parksim.scenario.model import TEMPLATE, Scenario
from parksim.scenario.unknown import SCORE, Limits

ROOT = Path(__file__).parents[2]
SHIPPED = sorted(ROOT.glob("scenarios/*.toml"))
LIMITS = {
    "parking.probability": "{ value = 0.6, low = 0.45, high = 0.75 }",
    "arrivals.rate": '{ value = "90/h", low = "60/h", high = "100/h" }',
    "retrieval.delay": '{ kind = "lognormal", median = { value = "60s", low = "40s", high = "90s" }, sigma = 0.9 }',
    "lot.slots": "{ value = 6, low = 4, high = 8 }",
    "attendants.talk": '{ value = "60s", low = "30s", high = "2m" }',
}
BASE = Scenario.loads(TEMPLATE)
UNSURE = BASE.with_values(LIMITS)
KEYS = {
    "arrivals.rate": Limits(90 / 3600, 60 / 3600, 100 / 3600, "rate"),
    "attendants.talk": Limits(60.0, 30.0, 120.0, "positive"),
    "parking.probability": Limits(0.6, 0.45, 0.75, "share"),
    "lot.slots": Limits(6, 4, 8, "whole"),
    "retrieval.delay.median": Limits(60.0, 40.0, 90.0, "positive"),
}


def draws_file(folder, columns, name="site-draws.csv"):
    """Write a file of draws and return its path."""
    path = folder / name
    rows = zip(*columns.values(), strict=True)
    path.write_text("\n".join([",".join(columns), *(",".join(map(repr, row)) for row in rows)]) + "\n")
    return path


def test_limits_stand_beside_their_values():
    """The value is in its place, as if it stood alone; the limits are known by key, in SI numbers."""
    assert dict(UNSURE.limits) == KEYS
    values = {key: table.partition("value = ")[2].partition(",")[0] for key, table in LIMITS.items()}
    values["retrieval.delay"] = '{ kind = "lognormal", median = "60s", sigma = 0.9 }'
    assert UNSURE.with_values(values) == BASE.with_values(values)
    assert UNSURE.settings == BASE.with_values(values).settings


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_scenario_without_limits_has_the_same_canonical_text(path):
    """Limits put on a key and taken off again leave the canonical text of a shipped scenario, byte by byte."""
    plain = Scenario.load(path)
    limited = plain.with_values({"recall.never": "{ value = 0.2, low = 0.1, high = 0.3 }"})
    assert limited.has_unknown
    assert not plain.has_unknown
    own = plain.recall.never
    assert limited.with_values({"recall.never": own}).canonical == plain.with_values({"recall.never": own}).canonical
    assert "unknown" not in json.loads(plain.canonical)


def test_the_canonical_text_keeps_limits():
    """It is read back to the same limits and the same draws; a TOML file written of it is the same scenario."""
    again = Scenario.of_canonical(UNSURE.canonical)
    assert again.canonical == UNSURE.canonical
    assert again.limits == UNSURE.limits
    assert again.drawn(3, 5) == UNSURE.drawn(3, 5)
    assert Scenario.loads(to_toml(UNSURE.canonical, {}, UNSURE.notes)) == UNSURE
    assert BASE.with_values({"lot.slots": 6}) != UNSURE


def test_an_assumption_is_the_value_without_its_limits():
    """Reports list a number; a note marks it as a guess as before."""
    lines = TEMPLATE.splitlines()
    line = next(place for place, one in enumerate(lines) if one.startswith("probability"))
    lines[line] = f"probability = {LIMITS['parking.probability']}  # guess: from memory"
    scenario = Scenario.loads("\n".join(lines))
    assert scenario.assumptions["parking.probability"] == 0.6
    assert scenario.guesses["parking.probability"] == 0.6
    assert scenario.notes.note("parking.probability") == "from memory"


@pytest.mark.parametrize("limits", KEYS.values(), ids=KEYS)
def test_the_law_between_limits(limits):
    """Its median is the value; 2.5 % lie below low and above high; in between it is normal on its scale, by SciPy."""
    assert [limits.at(score) for score in (-SCORE, 0, SCORE)] == pytest.approx([limits.low, limits.value, limits.high])
    if limits.kind == "whole":
        return
    to = scipy.special.logit if limits.kind == "share" else np.log
    for share in (0.001, 0.1, 0.4, 0.7, 0.99):
        end = limits.low if share < 0.5 else limits.high
        spread = abs(to(end) - to(limits.value)) / scipy.stats.norm.ppf(0.975)
        expected = scipy.stats.norm.ppf(share, to(limits.value), spread)
        assert to(limits.at(scipy.stats.norm.ppf(share))) == pytest.approx(expected)


def test_draws_have_the_quantiles_that_the_limits_say():
    """Of 1,000 draws (Latin hypercube, seed 3) 25 lie below low and 25 above high, give or take one, and 500 below."""
    drawn = UNSURE.drawn(1000, 3)
    for key, limits in KEYS.items():
        values = np.array([one.numbers[key] for one in drawn])
        if limits.kind == "whole":
            assert values.min() < limits.low < limits.high < values.max()
            assert (values == values.round()).all()
            continue
        assert [(values < end).sum() for end in limits[:3]] == pytest.approx([500, 25, 975], abs=1)
    assert not any(one.has_unknown for one in drawn)
    correlations = np.corrcoef([[one.numbers[key] for one in drawn] for key in KEYS])
    assert np.abs(correlations - np.eye(len(KEYS))).max() < 0.13  # beyond four standard errors of no correlation


def test_draws_are_the_same_for_every_design_and_seed():
    """Another design, or one key less, leaves the draws of the others; another seed does not."""
    drawn = UNSURE.drawn(8, 1)
    others = UNSURE.with_values({"lot.slots": 5, "attendants.count": 2}).drawn(8, 1)
    for key in ("arrivals.rate", "parking.probability", "retrieval.delay.median"):
        assert [one.numbers[key] for one in drawn] == [one.numbers[key] for one in others]
    assert {one.lot.slots for one in others} == {5}
    assert drawn != UNSURE.drawn(8, 2)
    assert len({one.digest for one in drawn}) == 8


def test_a_draw_that_makes_no_scenario_is_drawn_again():
    """A stay of at most an hour, by UAPI, with limits that leave a tenth of the law beyond: every draw is within."""
    unsure = BASE.with_values({"lot.max_in_parking": '{ value = "50m", low = "40m", high = "1h" }'})
    values = [one.numbers["lot.max_in_parking"] for one in unsure.drawn(200, 1)]
    assert max(values) <= 3600
    assert len(set(values)) == 200


WRONG = {
    "low above value": ("parking.probability", "{ value = 0.6, low = 0.7, high = 0.8 }", "low = 0.7: is above value"),
    "high below value": ("lot.slots", "{ value = 6, low = 4, high = 5 }", "high = 5: is below value"),
    "a share of 0": ("retrieval.never", "{ value = 0.1, low = 0, high = 0.2 }", "must be above 0; write low = 0.001"),
    "a share of 1": ("retrieval.never", "{ value = 0.1, low = 0.05, high = 1 }", "must be below 1; write high = 0.999"),
    "no share": ("retrieval.never", "{ value = 0.1, low = 0.05, high = 1.5 }", "high = 1.5: a share must be from 0"),
    "no duration": ("attendants.talk", '{ value = "1m", low = "soon", high = "2m" }', "low = 'soon': is not a dur"),
    "no scenario": ("lot.max_in_parking", "{ value = 60, low = 5, high = 90 }", "low = 5: UAPI allows 10 s"),
    "half a table": ("lot.slots", "{ value = 6, low = 4 }", "limits are a table of value, low and high"),
    "a typo": ("lot.slots", "{ value = 6, low = 4, hgih = 8 }", "limits are a table of value, low and high"),
    "a word": ("lot.choice", '{ value = "next", low = 1, high = 2 }', "limits are of numbers"),
    "the horizon": ("run.horizon", '{ value = "1d", low = "12h", high = "2d" }', "is chosen, not unknown"),
    "weights": (
        "retrieval.delay",
        "{ kind = 'hyperexponential', means = [9, 90], weights = [{ value = 0.4, low = 0.3, high = 0.5 }, 0.6] }",
        "weights sum to 1, so they have limits only as joint draws; write the weights alone",
    ),
    "a misspelt value": ("lot.slots", "{ valeu = 6, low = 4, high = 8 }", "limits are a table of value, low and high"),
    "the value": ("lot.slots", "{ value = 0, low = 1, high = 2 }", "must be at least 1"),
}


@pytest.mark.parametrize(("key", "table", "message"), WRONG.values(), ids=WRONG)
def test_limits_that_are_wrong_are_refused(key, table, message):
    """One message says which limit, its value and the rule."""
    with pytest.raises(ScenarioError) as refused:
        BASE.with_values({key: table})
    assert message in str(refused.value)
    assert key in str(refused.value)


ZEROS = {
    "a share": ("retrieval.never", "0", "0.1", "write { value = 0.01, low = 0.001, high = 0.1 }, say, or 0 alone"),
    "a certainty": (
        "retrieval.never",
        "1",
        "1",
        "write { value = 0.9001, low = 0.001, high = 0.99001 }, say, or 1 alone",
    ),
    "a share up to 1": ("retrieval.never", "0", "1", "write { value = 0.0999, low = 0.00999, high = 0.999 }, say"),
    "a time": ("attendants.talk", "0", "'30s'", "write { value = 3, low = 0.3, high = 30 }, say, or 0 alone"),
    "a count": ("lot.retries", "0", "3", "write { value = 1, low = 1, high = 3 }, say, or 0 alone"),
    "a small share": ("retrieval.never", "0.0005", "0.1", "write low = 5e-05, say"),
    "a large share": ("retrieval.never", "0.9995", "1", "write low = 0.001, say"),
}


@pytest.mark.parametrize(("key", "value", "high", "step"), ZEROS.values(), ids=ZEROS)
def test_one_step_leads_out_of_limits_at_the_ends(key, value, high, step):
    """Where the value has to move too the message says so, and what it says to write is valid."""
    base = BASE.with_values({"lot.retry_after": "10s"}) if key == "lot.retries" else BASE
    with pytest.raises(ScenarioError) as refused:
        base.with_values({key: f"{{ value = {value}, low = 0, high = {high} }}"})
    assert step in str(refused.value)
    written = step.removeprefix("write ").partition(", say")[0]
    table = written if "{" in written else f"{{ value = {value}, {written}, high = {min(float(high), 0.9999)} }}"
    assert base.with_values({key: table}).has_unknown


FORGOTTEN = {
    "a share": ("parking.probability", "{ low = 0.1, high = 0.7 }", "{ value = 0.4, low = 0.1, high = 0.7 }"),
    "a rate": ("arrivals.rate", '{ low = "60/h", high = "2/min" }', '{ value = "90/h", low = "60/h", high = "2/min" }'),
    "a count": ("lot.slots", "{ low = 4, high = 8 }", "{ value = 6, low = 4, high = 8 }"),
    "a time": ("recall.ring", '{ low = "20s", high = "1m" }', '{ value = "40s", low = "20s", high = "1m" }'),
    "a law": ("retrieval.talk", '{ low = "40s", high = 90 }', '{ value = "65s", low = "40s", high = 90 }'),
}


@pytest.mark.parametrize(("key", "table", "line"), FORGOTTEN.values(), ids=FORGOTTEN)
def test_a_value_that_was_forgotten_is_missed(key, table, line):
    """The message says that value is missing, and the line to write, which is valid; of a law also the uniform one."""
    with pytest.raises(ScenarioError, match="value is missing") as refused:
        BASE.with_values({key: table})
    assert f"write {line}, say" in str(refused.value)
    assert BASE.with_values({key: line}).has_unknown
    assert ('kind = "uniform", low = "40s"' in str(refused.value)) == (key == "retrieval.talk")


@pytest.mark.parametrize(
    ("key", "own"), {"parking.probability": "0.6", "lot.slots": "6", "attendants.talk": "'1m'"}.items()
)
def test_limits_that_equal_the_value_are_the_value(key, own):
    """Nothing is unknown then: the canonical text is that of the value alone, even of a value that has no limits."""
    known = BASE.with_values({key: f"{{ value = {own}, low = {own}, high = {own} }}"})
    assert not known.has_unknown
    assert known.canonical == BASE.with_values({key: own}).canonical
    never = BASE.with_values({"retrieval.never": "{ value = 0, low = 0, high = 0 }"})
    assert never.canonical == BASE.with_values({"retrieval.never": 0}).canonical


def test_a_wrong_limit_is_named_with_file_line_and_key(tmp_path):
    """A low above its value: file, line and key stand in the message."""
    file = tmp_path / "site.toml"
    lines = TEMPLATE.splitlines()
    line = next(place for place, one in enumerate(lines, 1) if one.startswith("probability"))
    lines[line - 1] = "probability = { value = 0.6, low = 0.7, high = 0.8 }"
    file.write_text("\n".join(lines))
    with pytest.raises(ScenarioError) as refused:
        Scenario.load(file)
    assert str(refused.value).startswith(f"{file}, line {line}: parking.probability.low = 0.7: is above value")


def test_every_share_is_known_as_one():
    """The keys that refuse 1.5 because a share ends at 1 are those that limits take for shares; an hour's is one."""

    def is_share(key):
        try:
            BASE.with_numbers({key: 1.5})
        except ScenarioError as refused:
            return "share" in str(refused)
        return False

    assert {key for key in BASE.numbers if is_share(key)} == unknowns.SHARES
    hours = f"[{', '.join([LIMITS['parking.probability'], *['0.5'] * 23])}]"
    limits = BASE.with_values({"parking.probability": hours}).limits
    assert limits == {"parking.probability.0": KEYS["parking.probability"]}


def test_a_file_of_draws(tmp_path):
    """Rows are joint: each draw has the values of one row, each row once; its digest stands in the canonical text."""
    rng = np.random.default_rng(1)
    shares, medians_s = rng.beta(6, 4, 25).tolist(), rng.gamma(9, 5, 25).tolist()
    columns = {"parking.probability": shares, "retrieval.delay.median": medians_s}
    path = draws_file(tmp_path, columns)
    text = TEMPLATE + '\n[unknown]\ndraws = "site-draws.csv"\n'
    (tmp_path / "site.toml").write_text(text)
    scenario = Scenario.load(tmp_path / "site.toml")
    assert scenario.not_known == tuple(columns)
    assert path in scenario.files
    assert json.loads(scenario.canonical)["unknown"]["draws"].startswith("sha256:")
    drawn = [tuple(one.numbers[key] for key in columns) for one in scenario.drawn(25, 1)]
    assert sorted(drawn) == [
        (pytest.approx(share), pytest.approx(median, abs=1e-6))
        for share, median in sorted(zip(shares, medians_s, strict=True))
    ]
    known = scenario.with_values({"parking.probability": 0.5})
    assert known.not_known == ("retrieval.delay.median",)
    assert {one.numbers["parking.probability"] for one in known.drawn(5, 1)} == {0.5}
    replaced = scenario.with_values({"retrieval.delay": "60s"})
    assert replaced.not_known == ("parking.probability",)
    again = Scenario.of_canonical(scenario.canonical)
    assert again.has_unknown
    with pytest.raises(UnfitError, match="not at hand"):
        again.drawn(5, 1)
    with pytest.raises(ScenarioError, match="has limits as well"):
        scenario.with_values({"parking.probability": LIMITS["parking.probability"]}).with_values({"unknown.fixed": []})


BAD_FILES = {
    "few": ({"parking.probability": [0.5] * 19}, "has 19 draws, and needs 20"),
    "unknown key": ({"parking.probabilty": [0.5] * 20}, 'did you mean "parking.probability"?'),
    "no number": ({"parking.probability": ["half"] * 20}, "line 2: parking.probability = \"'half'\" is no number"),
    "nan": ({"parking.probability": [math.nan] * 20}, "is no number"),
}


@pytest.mark.parametrize(("columns", "message"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_file_of_draws_that_is_wrong(tmp_path, columns, message):
    """The message names the file, and the line where there is one."""
    draws_file(tmp_path, columns)
    with pytest.raises(ScenarioError) as refused:
        Scenario.loads(TEMPLATE + '\n[unknown]\ndraws = "site-draws.csv"\n', folder=tmp_path)
    assert message in str(refused.value)
    assert "unknown.draws" in str(refused.value)


WITH_DRAWS = TEMPLATE + '\n[unknown]\ndraws = "site-draws.csv"\n'
BAD_CELLS = {
    "a share above 1": ("parking.probability", 1.5, "parking.probability = 1.5: a share must be from 0 to 1"),
    "a share below 0": ("parking.probability", -1, "parking.probability = -1.0: a share must be from 0 to 1"),
    "an underscore": ("lot.slots", "1_0", "lot.slots = '1_0' is no number"),
    "half a slot": ("lot.slots", 3.7, "lot.slots = 3.7: must be a whole number"),
    "a part of a slot": ("lot.slots", 0.2, "lot.slots = 0.2: must be a whole number"),
    "no slots": ("lot.slots", 0, "lot.slots = 0: must be at least 1"),
    "a negative rate": ("arrivals.rate", -0.1, "arrivals.rate = '-0.1/s': is not a rate"),
}


@pytest.mark.parametrize(("key", "cell", "message"), BAD_CELLS.values(), ids=BAD_CELLS)
def test_a_value_that_a_key_cannot_have_is_refused_when_the_file_is_read(tmp_path, key, cell, message):
    """One bad cell in the last of 30 rows: file, line, key, value and rule stand in the message."""
    fine = {"parking.probability": 0.5, "lot.slots": 6, "arrivals.rate": 0.025}[key]
    file = draws_file(tmp_path, {key: [fine] * 29 + [cell]})
    file.write_text(file.read_text().replace("'", ""))
    with pytest.raises(ScenarioError) as refused:
        Scenario.loads(WITH_DRAWS, folder=tmp_path)
    assert f"unknown.draws = 'site-draws.csv': site-draws.csv, line 31: {message}" in str(refused.value)


UNIFORM = BASE.with_values({"caller.patience": "{ kind = 'uniform', low = 10, high = 2000 }"})
LAW = {"caller.patience.low": [100.0] * 10 + [9.0, 3000.0] + [100.0] * 10}
LAW["caller.patience.high"] = [200.0] * 10 + [20.0, 3100.0] + [200.0] * 10


def test_joint_values_are_valid_together(tmp_path):
    """A least stay above the scenario's own greatest is fine in a row whose greatest is larger still."""
    draws_file(tmp_path, LAW)
    assert len(UNIFORM.with_values({"unknown.draws": str(tmp_path / "site-draws.csv")}).drawn(22, 1)) == 22


@pytest.mark.parametrize("probability", ["0.6", LIMITS["parking.probability"]], ids=["alone", "beside limits"])
def test_a_row_that_makes_no_scenario_is_named(tmp_path, probability):
    """A least stay above the greatest in the row of line 7, none of them an end of its column."""
    columns = {key: list(values) for key, values in LAW.items()}
    columns["caller.patience.low"][5], columns["caller.patience.high"][5] = 400.0, 300.0
    draws_file(tmp_path, columns)
    scenario = UNIFORM.with_values({"unknown.draws": str(tmp_path / "site-draws.csv")}).with_values(
        {"parking.probability": probability}
    )
    with pytest.raises(UnfitError, match=r"site-draws.csv, line 7: this draw makes no valid scenario") as refused:
        scenario.drawn(22, 1)
    assert "caller.patience" in str(refused.value)


def test_limits_that_leave_no_scenario_are_still_blamed(tmp_path):
    """Every row is valid with the limit's value, but with hardly any of its draws: the limits are named."""
    draws_file(tmp_path, {"parking.probability": [0.5] * 20})
    scenario = Scenario.loads(WITH_DRAWS, folder=tmp_path)
    limits = {"lot.max_in_parking": Above(3600.0, 3000.0, 4000.0, "positive")}
    with pytest.raises(UnfitError, match="hardly any draw within the limits"):
        unknowns.drawn(limits, scenario.unknown, 20, 1, scenario.with_numbers)


class Above(Limits):
    """Limits whose draws all lie above the value."""

    def at(self, score):
        """Return a number above the value."""
        return super().at(abs(score) + 1)
