"""The page that plays draws the calls that NumPy draws: word by word, law by law, column by column."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from play_stage import in_node

import parksim
from parksim.reports.play import ziggurat
from parksim.reports.play.model import law_of
from parksim.scenario.laws import parse_law
from parksim.scenario.model import TEMPLATE, Scenario
from parksim.scenario.workload import Workload, draw, streams

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="there is no node here")
SHORT = Scenario.loads(TEMPLATE).with_values({"run.horizon": "2h"})
SHIPPED = sorted((Path(__file__).parents[2] / "scenarios").glob("*.toml"))
DRAWS = 20_000


@pytest.fixture(scope="module")
def short():
    """A study of which only the model is needed."""
    return parksim.study(SHORT, 2, seed=1, engine="simpy")


def test_streams_give_the_words_of_numpy(tmp_path, short):
    """1,000 words each: small and very large seeds and replications, several purposes and numbers of parks."""
    of = [(0, 0, 0, 0), (1, 29, 7, 1), (2**32 - 1, 2**31, 15, 5), (2**70 + 12345, 1000, 16, 3), (2**200 + 7, 3, 2, 0)]
    asked = [
        [[*words(seed), *[0] * (4 - len(words(seed))), *words(number), purpose, parks]]
        for seed, number, purpose, parks in of
    ]
    taken = (
        "(entropy) => { const s = new Stream(entropy); return many(1000, () => { s.next(); return [s.hi, s.lo]; }); }"
    )
    found = in_node(tmp_path, short, f"{asked}.map(([entropy]) => ({taken})(entropy))")
    for (seed, number, purpose, parks), got in zip(of, found, strict=True):
        raw = streams(seed, number)(purpose, parks).bit_generator.random_raw(1000)
        assert [(high << 32) + low for high, low in got] == raw.tolist()


def words(number):
    """Return a number as words of 32 bits, the lowest first."""
    return [number >> shift & 0xFFFFFFFF for shift in range(0, max(number.bit_length(), 1), 32)]


def test_the_layers_are_those_of_numpy():
    """Of each layer the last place that is sure gives the width's multiple at once, and the next one does not."""
    exponential, normal = ziggurat.exponential(), ziggurat.normal()
    for layers, bits in ((exponential, 53), (normal, 52)):
        assert len(layers.width) == len(layers.sure) == len(layers.height) == ziggurat.LAYERS
        edges = [width * 2.0**bits for width in layers.width[1:]]
        assert edges == sorted(edges)
        # A layer's sure part ends where the layer above it does: within the rounding of NumPy's own tables.
        for upper, lower, sure in zip(edges, edges[1:], layers.sure[2:], strict=False):
            assert abs(sure - upper / lower * 2.0**bits) < 2.0**bits * 1e-12
    assert abs(exponential.width[-1] * 2.0**53 - 7.69711747013104972) < 1e-14
    assert abs(normal.width[-1] * 2.0**52 - 3.6541528853610088) < 1e-14


LAWS = {
    "exponential": {"kind": "exponential", "mean": "45s"},
    "lognormal": {"kind": "lognormal", "median": "60s", "sigma": 0.9},
    "lognormal by mean": {"kind": "lognormal", "mean": "75s", "cv": 1.3},
    "hyperexponential": {"kind": "hyperexponential", "weights": [0.13, 0.5, 0.37], "means": ["64s", "501s", "2s"]},
    "erlang": {"kind": "erlang", "mean": "50s", "stages": 1},
    "gamma": {"kind": "gamma", "mean": "50s", "shape": 2.5},
    "gamma below 1": {"kind": "gamma", "mean": "50s", "cv": 1.8},
    "weibull": {"kind": "weibull", "mean": "50s", "shape": 0.7},
    "uniform": {"kind": "uniform", "low": "3s", "high": "12s"},
    "empirical": {"kind": "empirical", "values": ["1s", "5s", "2s", "70s"]},
}
LINEAR = ("uniform", "empirical")
"""Laws without a logarithm: NumPy and JavaScript have to agree to the last bit."""


def test_each_law_draws_what_numpy_draws(tmp_path):
    """20,000 draws of each, seed 5, in microseconds.

    Logarithms and powers may differ in their last bit from one library to the next, which moves a microsecond in some
    10**8 draws; one in 20,000 is let pass.
    """
    study = parksim.study(SHORT, 2, seed=1, engine="simpy")
    written = {name: law_of(parse_law(one), []) for name, one in LAWS.items()}
    entropy = [[5, 0, 0, 0, 0, 2, parks] for parks in range(len(LAWS))]
    text = "((laws, entropies) => Object.values(laws).map((law, n) => {"
    text += " const s = new Stream(entropies[n]), d = DRAWS[law.kind](law);"
    found = in_node(
        tmp_path, study, f"{text} return many({DRAWS}, () => rint(d(s) * 1e6)); }}))({json.dumps(written)}, {entropy})"
    )
    for parks, (name, law) in enumerate(LAWS.items()):
        drawn = np.rint(parse_law(law).draw_s(streams(5, 0)(2, parks), DRAWS) * 1e6)
        off = np.abs(drawn - np.array(found[parks]))
        assert off.max() <= 1, name
        assert np.count_nonzero(off) <= (0 if name in LINEAR else 1), name


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_each_column_of_the_shipped_scenarios_is_drawn_again(tmp_path, file):
    """Replication 3, or 1 of the longest ones: every column, every row, no microsecond off."""
    scenario = Scenario.load(file)
    if scenario.horizon_us > 86_400e6:
        scenario = scenario.with_values({"run.horizon": "1d", "run.warm_up": "1h"})
    columns_are_equal(tmp_path, scenario, 3)


@pytest.mark.parametrize(
    "values",
    [
        {"lot.choice": "random"},
        {
            "arrivals.busy_days": {"cv": 0.3},
            "parking.probability": [0.3, 0.9] * 12,
            "retrieval.delay_factor": [0.5, 2] * 12,
        },
        {"lot.max_in_parking": {"kind": "uniform", "low": "30s", "high": "90s"}, "parking.max_parks": 4},
    ],
)
def test_columns_of_other_features_are_drawn_again(tmp_path, values):
    """Random slots, days that differ, shares and factors by the hour, a time-out that is drawn."""
    columns_are_equal(tmp_path, Scenario.load(SHIPPED[1]).with_values(values), 2)


def columns_are_equal(folder, scenario, replication):
    """Compare all that is drawn for a replication."""
    study = parksim.study(scenario, replication + 1, seed=7, engine="simpy", controls=False)
    names = Workload._fields[1:]
    rows = f"{json.dumps(names)}.map((name) => {{ const rows = []; for (let k = 0, row; (row = c.row(name, k)); k += 1)"
    code = f"((c) => [c.arrival_us, ...{rows} rows.push(many(c.length, (n) => String(at(row, n)))); return rows; }})])"
    arrivals, *found = in_node(
        folder, study, f"{code}(new Calls(designOf({{}}), MODEL.seed, {replication}, new Map()))"
    )
    workload = draw(scenario, 7, replication)
    assert arrivals == workload.arrival_us.tolist()
    assert len(arrivals) > 20
    for name, rows in zip(names, found, strict=True):
        expected = np.atleast_2d(getattr(workload, name))
        assert np.array_equal(np.array(rows, np.int64), expected), name
