"""Rare refusals: means that levels do not change, Erlang's formula at one in a million, and what cannot be measured."""

import json
import math
import re

import numpy as np
import pytest

import parksim
from parksim.cli.main import main
from parksim.errors import ArgumentError, MissingLibraryError, UnfinishedError
from parksim.scenario import shipped
from parksim.scenario.model import Scenario
from parksim.stats import estimate as est
from parksim.studies import rare as rares
from parksim.studies.rare import levels_of, rare, replication
from parksim.theory.erlang import erlang_b

pytest.importorskip("numba")
OFFERED = 2.5430  # erlang of the lot alone, see scenarios/lot-only.toml


def scenario(name, **values):
    """Return a shipped scenario with some values replaced."""
    return Scenario.load(shipped.shipped()[name]).with_values(
        {key.replace("__", "."): value for key, value in values.items()}
    )


def estimate_with(one, levels, seed, number):
    """Return the refused share of some replications with levels that nobody chose, at 99.99 %."""
    made = [replication(one, seed, which, np.array(levels)) for which in range(number)]
    return est.t_interval(est.sample(([m.refused for m in made], [m.requested for m in made])), 0.9999)


@pytest.mark.parametrize("steps", [{}, {8: 1}, {12: 3, 20: 5}, {4: 1, 8: 2, 9: 0, 16: 6}])
def test_whatever_the_levels_are_the_mean_is_erlangs(steps):
    """Levels may be none, one, several at once and even fall again; the 99.99 % interval holds Erlang B (seed 4)."""
    lot, levels, level = scenario("lot-only", run__horizon="1d"), [[0] * 25], 0
    for height in range(25):
        level = steps.get(height, level)
        levels[0][height] = level
    found = estimate_with(lot, levels, 4, 40)
    assert found.low <= erlang_b(6, OFFERED) <= found.high
    assert found.half_width < 0.2 * found.mean


def test_what_takes_more_than_32_bits_is_erlangs_as_well():
    """Stays of two hours, fewer calls and slots at random: as many erlang, so the 99.99 % interval holds (seed 4)."""
    lot = scenario(
        "lot-only", run__horizon="40d", run__warm_up="40h", arrivals__rate="3/h", lot__max_in_parking="2h",
        lot__limits="pbx", lot__choice="random", retrieval__delay__median="40m",
    )  # fmt: skip
    found = estimate_with(lot, [[0] * 12 + [3] * 8 + [5] * 5], 4, 40)
    assert found.low <= erlang_b(6, OFFERED) <= found.high
    assert found.half_width < 0.2 * found.mean


@pytest.mark.parametrize("slots", [13, 17])
def test_one_in_a_million_and_one_in_a_billion_are_erlangs(slots):
    """Half-widths are under 20 %, and four of them hold Erlang B (seed 1)."""
    found = rare(scenario("lot-only", lot__slots=slots))
    truth = erlang_b(slots, OFFERED)
    assert found.reached
    assert found.seldom
    assert abs(found.refused_share.mean - truth) < 2 * found.refused_share.half_width
    assert abs(found.time_full_share.mean - truth) < 2 * found.time_full_share.half_width  # arrivals see time averages
    assert found.theory.value == pytest.approx(truth, rel=1e-3)
    assert found.plain_replications * found.refused_a_replication > 90  # 20 % at 95 % takes 96 refusals, one by one


@pytest.mark.slow
def test_calls_that_wait_return_and_change_with_the_hour_are_as_in_plain_replications():
    """Two attendants, a queue, returns and shares by the hour: means of 400 plain days, within 4 standard errors."""
    hours = "[" + ", ".join(str(0.2 + 0.6 * (hour % 3 == 0)) for hour in range(24)) + "]"
    factors = "[" + ", ".join("1.6" if hour % 2 else "0.7" for hour in range(24)) + "]"
    one = scenario(
        "hospital", run__horizon="14h", run__warm_up="8h", parking__probability=hours, retrieval__delay_factor=factors
    )
    as_in_plain_replications(one, [0] * 8 + [2, 2, 2, 2, 4, 4, 4, 4, 6], split=200, plain=400)


def test_recorded_calls_come_when_they_came():
    """In the two hours in which they become more: means of 400 plain replications, within 4 standard errors."""
    one = scenario("recorded", run__warm_up="9h", run__horizon="11h")
    as_in_plain_replications(one, [0, 0, 0, 1, 1, 1, 2, 3, 3], split=200, plain=400)


def as_in_plain_replications(one, levels, split, plain):
    """Compare the parks asked for and refused of replications with levels (seed 22) with plain ones (seed 21)."""
    made = [replication(one, 22, which, np.array([levels])) for which in range(split)]
    requested = est.t_interval(est.mean_of([m.requested for m in made]))
    refused = est.t_interval(est.sample(([m.refused for m in made], [m.requested for m in made])))
    study = parksim.study(one, plain, engine="kernel", seed=21, controls=False)
    for of_split, name in ((requested, "parks_requested"), (refused, "refused_share")):
        other = study.estimate(name)
        assert abs(of_split.mean - other.mean) < 2 * math.hypot(of_split.half_width, other.half_width)


def test_of_two_lots_the_fullest_counts():
    """Two lots that keep to themselves: each is Erlang's, so the share of both is the mean by weight (seed 1)."""
    alone = scenario("lot-only")
    parts = [f'[[lot]]\nname = "{name}"\nweight = {weight}\nslots = {slots}' for name, weight, slots in LOTS]
    text = shipped.shipped()["lot-only"].read_text(encoding="utf-8")
    before, _, after = text.partition("[lot]")
    after = after[after.index("[retrieval]") :]
    lots = '\nmax_in_parking = "180s"\n\n'.join(parts) + '\nmax_in_parking = "180s"\n\n'
    before = before.replace("announcement = 0", 'announcement = 0\nwhen_full = "drop"')
    found = rare(Scenario.loads(before + lots + after))
    truth = sum(weight / 3 * erlang_b(slots, OFFERED * weight / 3) for _, weight, slots in LOTS)
    assert alone.lots[0].max_in_parking.value == 180
    assert found.time_full_share is None
    assert [len(one) for one in found.levels] == [slots + 1 for *_, slots in LOTS]
    assert abs(found.refused_share.mean - truth) < 2 * found.refused_share.half_width


LOTS = (("small", 1, 7), ("large", 2, 11))


def test_the_answer_is_the_same_with_workers():
    """Two processes and none give the same JSON; another seed gives another."""
    one = scenario("lot-only", lot__slots=9, run__horizon="6h")
    alone = rare(one, 0.5, seed=3)
    assert rare(one, 0.5, seed=3, executor="processes", workers=2).to_json() == alone.to_json()
    assert rare(one, 0.5, seed=4).to_json() != alone.to_json()


def test_levels_are_logarithms_of_how_rare_a_height_is():
    """By hand: 110 of 1,110 times is 2^-3.3, 10 of them 2^-6.8; what is rarer than 10 / 16 times counts as much."""
    met = np.array([[0, 1_000, 100, 10], [0, 1_000, 2, 0.001]])
    assert levels_of(met, np.array([3, 3])).tolist() == [[0, 0, 3, 6], [0, 0, 8, 10]]
    assert levels_of(np.zeros((1, 3)), np.array([2])).tolist() == [[0, 0, 0]]


def test_a_lot_that_is_never_full_is_said_to_be_so():
    """One attendant who talks for a minute cannot fill forty slots in ten-second stays."""
    lot = scenario(
        "lot-only", attendants__count=1, attendants__handling="60s", lot__slots=40, lot__max_in_parking="10s",
        run__horizon="6h",
    )  # fmt: skip
    with pytest.raises(UnfinishedError, match="no refusal was reached"):
        rare(lot)


def test_what_cannot_be_asked_is_refused(monkeypatch):
    """No parks, a wrong width, no compiler: one message each."""
    with pytest.raises(ArgumentError, match=r"parking\.probability is 0"):
        rare(scenario("lot-only", parking__probability=0))
    with pytest.raises(ArgumentError, match="within"):
        rare(scenario("lot-only"), within=20)
    with pytest.raises(ArgumentError, match="executor is None"):
        rare(scenario("lot-only"), executor="threads")
    monkeypatch.setattr(rares, "has_compiler", lambda: False)
    with pytest.raises(MissingLibraryError, match=r"parksim\[fast\]"):
        rare(scenario("lot-only"))


def test_the_command_answers_and_says_where_run_is_the_better_tool(capsys):
    """Six slots refuse three of a hundred: the screen has the estimate, theory, the verdict, and names run."""
    assert main(["rare", "lot-only", "--set", "run.horizon=1d", "--within", "30%"]) == 0
    screen = capsys.readouterr().out
    shown = float(re.search("parks refused because the lot is full +([0-9.]+) ", screen)[1])
    parks, minutes = re.search(r"One park of ([0-9.]+) is refused: one every ([0-9.]+) minutes\.", screen).groups()
    assert float(parks) == pytest.approx(1 / shown, rel=0.005)  # both are rounded to three digits
    assert float(minutes) == pytest.approx(60 / (120 * shown), rel=0.05)  # of 120 parks an hour, more or less
    assert "Theory says 0.03 (Erlang B, after warm-up; exact)." in screen
    assert "parksim run lot-only --set run.horizon=1d" in screen
    assert main(["rare", "lot-only", "--set", "run.horizon=1d", "--within", "30%", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["method"] == "splitting"
    assert answer["seldom"] is False
    assert answer["objectives"][0]["verdict"] in {"met", "undecided"}
    assert answer["estimates"]["refused_share"]["low"] < 0.03 < answer["estimates"]["refused_share"]["high"]


def test_work_that_ends_too_early_is_code_4(capsys, monkeypatch):
    """Where the limit of the work comes first the interval is printed with a warning, and the exit code is 4."""
    monkeypatch.setattr(rares, "MOST_EVENTS", 1_000)
    assert main(["rare", "lot-only", "--set", "run.horizon=3h", "--within", "1%"]) == 4
    assert "the work ended at its limit" in capsys.readouterr().out
