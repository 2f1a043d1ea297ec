"""The search itself, over verdicts planted; the frontier of two keys; verdicts that would rest on few events."""

import itertools
import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parksim.scenario.model import Scenario
from parksim.studies import search as searching
from parksim.studies.formulas import formulas
from parksim.studies.solve import solve
from parksim.studies.study import Study

SCENARIOS = Path(__file__).parents[2] / "scenarios"
QUICK = "kernel" if find_spec("numba") else "simpy"
VALUES = range(10, 21)


def day(**values):
    """Return the lot alone, for a day after its warm-up."""
    return Scenario.load(SCENARIOS / "lot-only.toml").with_values({"run.horizon": "25h"} | values)


DAY = day()


class Planted(searching.Search):
    """A search whose verdicts are planted, in the order of the places."""

    def __init__(self, verdicts, values=VALUES):
        """Plant the verdicts of the first values; nothing is run."""
        super().__init__(DAY, "lot.slots", values[: len(verdicts)], (2,), 0.95, None, None)
        self.verdicts = verdicts

    def _try(self, value):
        study = Study(self.scenario, 1, "simpy", 0.95, ({}, {}), "")
        return searching.Step(value, self.verdicts[self.values.index(value)], (), study, None)


def one_way(length):
    """Yield all lists of so many verdicts in which misses come first, then the undecided, then what is met."""
    for missed, undecided in itertools.product(range(length + 1), repeat=2):
        if missed + undecided <= length:
            yield ["missed"] * missed + ["undecided"] * undecided + ["met"] * (length - missed - undecided)


@pytest.mark.parametrize("values", [VALUES, VALUES[::-1]], ids=["rising", "falling"])
def test_the_search_finds_what_looking_at_all_would_find(values):
    """All 2,093 lists of up to eleven verdicts that go one way, from no place and from each: the same answer."""
    seen = 0
    for length in range(1, len(VALUES) + 1):
        for verdicts, near in itertools.product(one_way(length), [None, *range(length)]):
            search = Planted(verdicts, values)
            found = search.answer(near)
            seen += 1
            met = verdicts.index("met") if "met" in verdicts else length
            first_open = verdicts.index("undecided") if "undecided" in verdicts else met
            ends = tuple(values[place] if place < length else None for place in (first_open, met))
            if first_open < met:
                assert (found.outcome, found.place, found.between) == ("undecided", None, ends)
            elif met == length:
                assert (found.outcome, found.place, found.between) == ("none", None, None)
            else:
                assert (found.outcome, found.place, found.between) == ("found", met, None)
                assert {met, met - 1} - {-1} <= set(search.tried)
            assert found.next_to == min(met, length - 1)
    assert seen > 2_000


def test_the_search_asks_few_values():
    """Of 60 values bisection asks six or seven; from the answer itself or the one below two, from above four."""
    values = range(1, 61)
    for met in range(1, 60):
        verdicts = ["missed"] * met + ["met"] * (60 - met)
        asked = {}
        for near in (None, met, met - 1, min(met + 1, 59)):
            search = Planted(verdicts, values)
            search.answer(near)
            asked[near] = len(search.tried)
        assert asked[None] <= 7
        assert asked[met] == 2
        assert asked[met - 1] == 2
        assert asked[min(met + 1, 59)] <= 4
    search = Planted(["missed"] * 60, values)
    assert (search.answer(59).outcome, len(search.tried)) == ("none", 1)


@given(st.lists(st.sampled_from(("missed", "undecided", "met")), min_size=1, max_size=11), st.data())
def test_nothing_is_found_that_what_was_tried_contradicts(verdicts, data):
    """Whatever the verdicts, an answer was met, its neighbour missed, and nothing tried lies on the wrong side."""
    near = data.draw(st.none() | st.integers(0, len(verdicts) - 1))
    search = Planted(verdicts)
    found = search.answer(near)
    if found.outcome == "found":
        assert search.tried[found.place].verdict == "met"
        assert found.place == 0 or search.tried[found.place - 1].verdict == "missed"
        for place, step in search.tried.items():
            assert step.verdict != ("met" if place < found.place else "missed")
    if found.outcome == "none":
        assert search.tried[len(verdicts) - 1].verdict == "missed"
        assert "met" not in {step.verdict for step in search.tried.values()}


# Two keys -----------------------------------------------------------------------------------------------------------


def test_the_frontier_is_erlangs_staircase():
    """For time-outs of 30 to 180 s Erlang says 4, 5, 6 and 6 slots, for 4 % refused; so says the frontier, seed 1.

    Each target is over a tenth from what Erlang says of the answer and of one slot fewer (looked up here).
    """
    keys, within, step = ("lot.slots", "lot.max_in_parking"), ((1, 60), (30, 180)), (1, 50)
    frontier = solve(day(), keys, within, step=step, seed=1, engine=QUICK)
    assert [row.fixed for row in frontier.rows] == [30, 80, 130, 180]
    assert [row.solution.erlang for row in frontier.rows] == [4, 5, 6, 6]
    for row in frontier.rows:
        answer = row.solution
        near = [
            formulas(day(**{"lot.max_in_parking": row.fixed, "lot.slots": slots}))["refused_share"].value
            for slots in (answer.erlang, answer.erlang - 1)
        ]
        assert near[0] < 0.04 / 1.1
        assert near[1] > 0.04 / 0.9
        assert (answer.outcome, answer.value) == ("found", answer.erlang)
        assert answer.scenario.settings == day(**{"lot.max_in_parking": row.fixed}).settings
        assert answer.gain["refused_share"].high < 0
    assert len(frontier.trail) <= 7 + 3 * 4
    assert [fixed for fixed, _ in frontier.trail] == sorted(fixed for fixed, _ in frontier.trail)
    assert frontier.outcome == "found"


def test_a_frontier_has_rows_without_an_answer(tmp_path):
    """With one attendant no lot answers 80 % of the calls in time, with three it takes a few slots; stored, it resumes.

    Measures of both keys are objectives: neither key does without the other.
    """
    goals = {"objectives.answered_within_share": "> 80 %", "objectives.refused_share": "< 5 %"}
    office = Scenario.load(SCENARIOS / "hospital.toml").with_values({"run.horizon": "12h", **goals})
    keys, within = ("lot.slots", "attendants.count"), ((1, 12), (1, 3))
    first, second = (solve(office, keys, within, 10, engine=QUICK, store=tmp_path / "a.db") for _ in range(2))
    assert first.to_dict() == second.to_dict()
    assert (first.ran, second.ran, second.reused) == (second.reused, 0, first.ran)
    assert first.ran == sum(row.solution.ran for row in first.rows) == 10 * len(first.trail)
    table = first.to_dict()["rows"]
    assert [row["attendants.count"] for row in table] == [1, 2, 3]
    assert (table[0]["outcome"], table[0]["reason"]) == (
        "none",
        "lot.slots = 12 still misses answered_within_share > 80 %",
    )
    assert len(table[0]["trail"]) <= 4
    for row in first.rows:
        tried = {step.value: step.verdict for step in row.solution.trail}
        if row.solution.outcome == "found":
            assert tried[row.solution.value] == "met"
            assert tried.get(row.solution.value - 1, "missed") == "missed"


@pytest.mark.slow
def test_a_frontier_tells_what_it_leaves_open():
    """With the target at Erlang's value for one of two time-outs that row stays open, and so does the whole."""
    near = day(**{"objectives.refused_share": "< 3 %"})
    keys, within = ("lot.slots", "lot.max_in_parking"), ((4, 8), (20, 180))
    frontier = solve(near, keys, within, 4, step=(1, 160), engine=QUICK)
    low, high = (row.solution for row in frontier.rows)
    assert (low.outcome, high.outcome, high.between) == ("found", "undecided", (6, 7))
    assert frontier.outcome == "undecided"
    assert "replications would decide it" in high.reason


@pytest.mark.parametrize(
    ("key", "within", "step", "words"),
    [
        (("lot.slots", "lot.slots"), ((1, 9), (1, 9)), 1, "two different keys"),
        (("lot.slots", "lot.first", "lot.choice"), ((1, 9), (1, 9), (1, 9)), 1, "two different keys"),
        (("lot.slots", "attendants.count"), ((1, 9),), 1, "a range"),
        (("lot.slots", "attendants.count"), ((1, 9), (1, 9)), (1, 1, 1), "a step"),
        (("lot.slots", "attendants.count"), ((1, 9), (9, 1)), 1, "attendants.count within 9..1 by 1 are 0 values"),
        (("lot.slots", "attendants.count"), ((1, 9), (0, 1)), 1, "attendants"),
    ],
)
def test_wrong_frontiers_are_refused(key, within, step, words):
    """One key twice, three keys, a range or a step too few or too many, no values, an impossible one are refused."""
    with pytest.raises(ValueError, match=words):
        solve(day(), key, within, step=step)


# Few events ---------------------------------------------------------------------------------------------------------


def bursts(rng, replications, events, trials=800):
    """Return replications that refuse on average ``events`` of so many parks, in bursts of 2.6."""
    counts = rng.poisson(events / 2.6, replications)
    refused = counts + np.where(counts > 0, rng.negative_binomial(np.maximum(counts, 1), 1 / 2.6), 0)
    return tuple({"refused_share": one / trials, **LOT_OF_800} for one in refused.tolist())


LOT_OF_800 = {"parks_requested": 800, "parks_made": 780, "parked_s_mean": 76.0}
"""What a replication of 800 requests says besides."""


def verdict(results, text, measure="refused_share"):
    """Return the verdict on an objective, of replications made up."""
    design = Scenario.model_validate(json.loads(DAY.canonical) | {"objectives": {measure: text}})
    (one,) = Study(design, 1, "simpy", 1 - 0.05 / 6, results, "").objectives
    return one.verdict


def first_clear(results, text):
    """Return the first verdict of six looks that says anything."""
    said = [verdict(results[:replications], text) for replications in searching.looks(None)]
    return next((one for one in said if one != "undecided"), "undecided")


@pytest.mark.parametrize("events", [0.3, 1])
def test_few_events_decide_nothing(events):
    """Of 100 values with few refusals, in bursts, and a share at the target, 9 at the most are "met" in six looks.

    A value at the target is so in 2.5 %: P(Bin(100, 0.025) > 9) = 0.02 % (seed 1). Of Student's interval of the shares
    it would be over 12.
    """
    rng = np.random.default_rng(1)
    said = [first_clear(bursts(rng, searching.MOST_LOOKED_AT, events), f"< {events / 800:.9f}") for _ in range(100)]
    assert said.count("met") <= 9


def test_few_events_decide_what_is_clear():
    """Three refusals of 8,000 are under 4 % for sure, and 4 % refused over 0.1 %; the verdicts say so."""
    rare = tuple({"refused_share": n / 800, **LOT_OF_800} for n in [0] * 8 + [1, 2])
    assert verdict(rare, "< 4 %") == "met"
    assert verdict(rare, "< 0.1 %") == "undecided"
    often = bursts(np.random.default_rng(1), 10, 32)
    assert verdict(often, "< 0.1 %") == "missed"


def test_few_contraries_decide_nothing_either():
    """A share near 1 is held against what is missing: two calls in 8,000 not answered do not show 99.9 % for sure."""
    results = tuple(
        {"answered_within_share": 1 - n / 800, "calls_offered": 800, "attendant_utilisation": 0.4, **LOT_OF_800}
        for n in [0] * 8 + [1, 1]
    )
    assert verdict(results, "> 99.9 %", "answered_within_share") == "undecided"
    assert verdict(results, "> 90 %", "answered_within_share") == "met"
    assert verdict(results, "< 99.9 %", "answered_within_share") == "undecided"
