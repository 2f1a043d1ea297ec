"""Studies of what is not known: against Erlang's formula, over the same draws, stored, killed and made again."""

import json
import signal
import sqlite3
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from statistics import NormalDist

import pytest

from parksim.scenario.model import Scenario
from parksim.scenario.unknown import SCORE
from parksim.studies.compare import compare, compare_results
from parksim.studies.draws import DRAWS
from parksim.studies.loaded import load
from parksim.studies.rerun import rerun
from parksim.studies.sensitivity import sensitivity
from parksim.studies.solve import solve
from parksim.studies.study import study
from parksim.studies.sweep import sweep
from parksim.theory.erlang import erlang_b

SCENARIOS = Path(__file__).parents[2] / "scenarios"
ENGINE = "kernel" if find_spec("numba") else "simpy"
RATE = '{ value = "120/h", low = "90/h", high = "160/h" }'
LOT = Scenario.load(SCENARIOS / "lot-only.toml")
UNSURE = LOT.with_values({"arrivals.rate": RATE, "run.horizon": "4d"})
SHORT = UNSURE.with_values({"run.horizon": "90m", "run.warm_up": "30m"})
STAY_S = 2.543 / (120 / 3600)
"""As the scenario's file says."""


def refused(score, slots=6):
    """Return Erlang's refused share at the rate that lies this many standard deviations from the value."""
    rate = UNSURE.limits["arrivals.rate"].at(score)
    return erlang_b(slots, rate * STAY_S)


@pytest.fixture(scope="module")
def unsure():
    """A study of a rate that is not known."""
    return study(UNSURE, engine=ENGINE)


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """A study of short windows, in a store."""
    path = tmp_path_factory.mktemp("store") / "a.db"
    return path, study(SHORT, 8, engine="simpy", store=path)


def test_the_second_interval_is_erlangs_formula_over_the_limits(unsure):
    """Each end lies between the formula at 1 and 5 %, and at 95 and 99 % of the rate's law (seed 1).

    The first interval holds the formula at the value, and is a small part of the second.
    """
    first, second = unsure.estimate("refused_share"), unsure.with_unknown("refused_share")
    assert refused(-2.326) < second.low < refused(-1.645)
    assert refused(1.645) < second.high < refused(2.326)
    assert first.low < refused(0) < first.high
    assert second.high - second.low > 4 * (first.high - first.low)
    assert second.input_share > 0.9
    assert next(iter(second.keys)) == "arrivals.rate"


def test_calls_offered_have_the_limits_of_the_rate(unsure):
    """The rate times 95 hours: two of the hundred draws lie beyond each end, which is a little outside the limits.

    The place 0.025 * 101 of a hundred slices of equal probability is the quantile of 2.025 %; chance adds 1 %.
    """
    second = unsure.with_unknown("calls_offered")
    score = NormalDist().inv_cdf(0.02025)
    ends = [UNSURE.limits["arrivals.rate"].at(one) * 95 * 3600 for one in (score, -score)]
    assert [second.low, second.high] == pytest.approx(ends, rel=0.01)
    assert second.low < 90 * 95 < 160 * 95 < second.high


def test_verdicts_use_the_second_interval_and_say_what_leaves_them_open(unsure):
    """A target within the limits is left open by the rate; one beyond is decided; without spread chance does it."""
    (one,) = unsure.objectives
    assert (one.verdict, one.undecided_by, one.measure_first) == ("undecided", "inputs", "arrivals.rate")
    assert unsure.estimate("refused_share").high < 0.04  # the first interval alone would call it met
    wide = study(UNSURE.with_values({"objectives.refused_share": "< 15 %"}), 4, engine=ENGINE).objectives
    assert [(one.verdict, one.undecided_by) for one in wide] == [("met", "")]
    narrow = {"arrivals.rate": '{ value = "120/h", low = "119.9/h", high = "120.1/h" }', "run.horizon": "3h"}
    point = study(UNSURE.with_values(narrow), 4, engine=ENGINE)
    goal = {"objectives.refused_share": f"< {point.estimate('refused_share').mean:.6f}"}
    (near,) = study(UNSURE.with_values(narrow | goal), 4, engine=ENGINE).objectives
    assert (near.verdict, near.undecided_by, near.measure_first) == ("undecided", "replications", "")


def test_a_scenario_in_which_all_is_known_has_no_second_interval():
    """Nothing more is run, and the JSON has no word of it."""
    counted = []
    known = study(LOT.with_values({"run.horizon": "2h"}), 3, engine="simpy", progress=lambda *one: counted.append(one))
    assert known.draws is None
    assert known.with_unknown("refused_share") is None
    assert len(counted) == 3
    assert "unknown" not in known.to_json()


def test_the_json_has_both_intervals(unsure):
    """Each scalar estimate has the second, within it the first; draws have sums that show whether they are the same."""
    made = json.loads(unsure.to_json())
    one = made["estimates"]["refused_share"]
    assert one["with_unknown"]["low"] <= one["low"] < one["high"] <= one["with_unknown"]["high"]
    assert made["objectives"][0]["measure_first"] == "arrivals.rate"
    assert (made["unknown"]["draws"], made["unknown"]["replications"]) == (DRAWS, 2)
    assert len(set(map(tuple, made["unknown"]["sums"]))) == DRAWS


def test_a_stored_study_is_loaded_and_made_again(short):
    """From the store come the same bytes without a run; rerun makes all draws again and finds them the same."""
    path, made = short
    assert load(path).to_json() == made.to_json()
    again = rerun(path)
    assert again.same
    assert len(again.results) == 8 + 2 * DRAWS


def test_a_written_result_is_made_again(short, tmp_path):
    """A ``.json`` result is the same to the byte when it is rerun."""
    file = tmp_path / "a.json"
    file.write_text(short[1].to_json(sealed=True) + "\n")
    assert rerun(file).same


PROGRAM = """
import sys
from parksim.scenario.model import Scenario
from parksim.studies.study import study
study(Scenario.of_canonical(sys.argv[1]), 8, engine="simpy", store=sys.argv[2])
"""


def test_a_killed_study_goes_on_where_it_was(short, tmp_path):
    """Killed (SIGKILL) within its draws, the same command runs the rest only, and gives the same bytes."""
    path, held = tmp_path / "a.db", 0
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, SHORT.canonical, path], stderr=subprocess.PIPE)
    while held < 40 and process.poll() is None:
        time.sleep(0.005)
        try:
            with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
                held = connection.execute("SELECT count(*) FROM records").fetchone()[0]
        except sqlite3.Error:
            held = 0
    process.send_signal(signal.SIGKILL)
    process.communicate()
    counted = []
    again = study(SHORT, 8, engine="simpy", store=path, progress=lambda *one: counted.append(one[1]))
    assert 40 <= held < 208
    assert again.to_json() == short[1].to_json()
    assert counted[-1] <= 208 - held


@pytest.mark.slow
def test_a_comparison_is_paired_over_the_same_draws():
    """One more slot: each end of the second interval is Erlang's difference at an end of the rate's law.

    Between 1 and 5 %, and 95 and 99 %, as for one study; the sides' own limits would give three times as much.
    """
    made = compare(UNSURE, UNSURE.with_values({"lot.slots": 7}), engine=ENGINE)
    second = made.with_unknown("refused_share")
    low, high = sorted((second.low, second.high), reverse=True)
    fewer = [refused(score) - refused(score, 7) for score in (-2.326, -1.645, 1.645, 2.326)]
    assert fewer[0] < -low < fewer[1]
    assert fewer[2] < -high < fewer[3]
    a, b = made.a.with_unknown("refused_share"), made.b.with_unknown("refused_share")
    assert (b.high - a.low) - (b.low - a.high) > 3 * (second.high - second.low)
    assert made.to_dict()["differences"]["refused_share"]["with_unknown"]["low"] == second.low
    assert made.a.draws.values == made.b.draws.values


def test_results_of_unlike_seeds_have_unlike_draws():
    """So their comparison has no second interval; that of results of one seed has the one of a new comparison."""
    wide = SHORT.with_values({"lot.slots": 7})
    one, other, alike = (study(design, 4, seed=seed) for design, seed in ((SHORT, 1), (wide, 2), (wide, 1)))
    assert compare_results(one, other).with_unknown("refused_share") is None
    again = compare(SHORT, wide, 4).with_unknown("refused_share")
    assert compare_results(one, alike).with_unknown("refused_share") == again


def test_a_sweep_and_a_search_carry_the_second_interval(tmp_path):
    """Rows have its ends, loaded or not; the search is left open by the rate, and says so after one look."""
    made = sweep(SHORT, {"lot.slots": (5, 9)}, 4, engine="simpy", store=tmp_path / "a.db")
    five, nine = made.flat()
    assert five["refused_share_unknown_low"] < five["refused_share"] < five["refused_share_unknown_high"]
    assert nine["refused_share_unknown_high"] < five["refused_share_unknown_high"]
    assert load(tmp_path / "a.db").flat() == made.flat()
    found = solve(SHORT, "lot.slots", (6, 7), engine="simpy")
    assert found.outcome == "undecided"
    assert "measure arrivals.rate first" in found.reason
    assert max(len(step.study.results) for step in found.trail) < 320


def test_sensitivity_moves_a_value_to_its_limits():
    """A rate that is marked as nothing is moved to 90 and 160 calls an hour; the changes are those of ``compare``."""
    made = sensitivity(SHORT, 6, engine="simpy")
    (rate,) = made.effects
    assert [side.value for side in rate.sides] == pytest.approx([90 / 3600, 160 / 3600])
    high = compare(SHORT, SHORT.with_values({"arrivals.rate": "160/h"}), 6, engine="simpy")
    assert rate.sides[1].changes["refused_share"] == high.differences["refused_share"]


def test_draws_depend_on_the_seed_alone(unsure):
    """The rates of the study are those that the scenario draws with its seed, and lie as its law has them."""
    rates = [one.numbers["arrivals.rate"] for one in UNSURE.drawn(DRAWS, 1)]
    assert list(unsure.draws.values["arrivals.rate"]) == rates
    assert sum(rate < UNSURE.limits["arrivals.rate"].at(-SCORE) for rate in rates) in {2, 3}
