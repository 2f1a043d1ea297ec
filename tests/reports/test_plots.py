"""Charts: they show the study's own numbers, nothing that cannot be, and the formula where it holds."""

import itertools
import json
import math
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import parksim
from parksim.catalogue import SCALARS, SHARES, VECTORS
from parksim.errors import PlanError
from parksim.reports import charts as plots
from parksim.reports import figures
from parksim.reports.words import bounds_of, label_of
from parksim.studies.study import Study

SCENARIO = parksim.Scenario.load("scenarios/lot-only.toml").with_values({"run.horizon": "3h", "run.warm_up": "10m"})
HOSPITAL = parksim.Scenario.load("scenarios/hospital.toml")
SLOTS = 6


@pytest.fixture(scope="module")
def study():
    """Four replications of three hours, of a lot that theory knows."""
    return parksim.study(SCENARIO, replications=4, engine="simpy")


@pytest.fixture(scope="module")
def day():
    """Three days of the hospital: hours that differ, calls that come back, parks that are refused."""
    return parksim.study(HOSPITAL, replications=3, engine="simpy")


@pytest.fixture(scope="module")
def swept():
    """Six designs."""
    over = {"lot.slots": [3, 5, 7], "lot.max_in_parking": ["60s", "2m"]}
    return parksim.sweep(SCENARIO.with_values({"objectives": {"refused_share": "< 5 %"}}), over, 4, engine="simpy")


@pytest.fixture(scope="module")
def run():
    """One day of the hospital."""
    return parksim.run(HOSPITAL, seed=3)


def data_of(chart):
    """Return all rows that a chart has, of whatever layer or panel."""
    found = []

    def look(part):
        if isinstance(part, dict):
            if isinstance(part.get("values"), list) and all(isinstance(row, dict) for row in part["values"]):
                found.extend(part["values"])
            for one in part.values():
                look(one)
        elif isinstance(part, list):
            for one in part:
                look(one)

    spec = chart.to_dict()
    look(spec)
    for rows in spec.get("datasets", {}).values():
        found.extend(rows)
    return found


def same(row, estimate):
    """Tell whether a row's point and interval are an estimate's, to the last bit."""
    return (row["mean"], row["low"], row["high"]) == (estimate.mean, estimate.low, estimate.high)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"name": "timeline"}, "no call is in the lot"),
        ({"name": "time_parked"}, "no stay in the lot has ended"),
        ({"name": "by_hour", "measure": "refused_share"}, "refused_share is undefined in every hour of the day"),
        ({"name": "by_hour", "measure": "expired_share"}, "expired_share is undefined in every hour of the day"),
    ],
)
def test_a_chart_of_nothing_says_of_what(options, why):
    """Where no call is ever parked, each chart that would be empty says so, and the others are drawn."""
    unused = parksim.study(SCENARIO.with_values({"parking.probability": 0}), 2, engine="simpy")
    with pytest.raises(PlanError, match=f"there is nothing to draw: The lot alone: {why}"):
        unused.plot(**options)
    several = parksim.sweep(SCENARIO, {"lot.slots": [3]}, 2, engine="simpy")
    with pytest.raises(PlanError, match="no measure is asked for"):
        several.plot("heat_map", measures=())
    assert data_of(unused.plot("busy_slots"))
    assert data_of(unused.plot("occupancy"))


def test_lists_of_numbers_are_drawn_as_words():
    """Staffings by the hour have a place each: on the axis of curves (after what is a number), as curves, in a map."""
    staffings = [[2] * 24, [3] * 23 + [0], 4]
    several = parksim.sweep(SCENARIO, {"attendants.count": staffings, "lot.slots": [3, 4]}, 2, engine="simpy")
    curves = [row for row in plots.figure(several, "shares").rows if row["measure"] == "refused_share"]
    assert [row["value"] for row in curves] == 2 * [4, *staffings[:2]]
    curves = plots.figure(several, "shares", over="lot.slots").rows
    assert list(dict.fromkeys(row["series"] for row in curves)) == [f"attendants: {one}" for one in staffings]
    cells = plots.figure(several, "heat_map").rows
    assert [(row["column"], row["x"]) for row in cells[::2]] == list(enumerate(staffings))
    for options in ({"name": "shares"}, {"name": "shares", "over": "lot.slots"}, {"name": "heat_map"}):
        assert "[2, 2" in plots.svg_of(several.plot(**options))


def test_the_day_is_that_of_the_estimates(day):
    """Each hour's point and interval are the study's; the band of replications holds their values."""
    rows = [row for row in data_of(day.plot("occupancy")) if "hour" in row]
    assert {row["hour"] for row in rows} == set(range(24))
    for row in rows:
        estimate = day.estimates["occupancy_mean_by_hour"][row["hour"]]
        assert (row["mean"], row["low"], row["high"]) == (estimate.mean, max(0, estimate.low), min(4, estimate.high))
        of_hour = [result["occupancy_mean_by_hour"][row["hour"]] for result in day.results]
        assert (row["p05"], row["p95"]) == (min(of_hour), max(of_hour))  # of three all are in the middle 90 %


@pytest.mark.parametrize("measure", figures.BY_HOUR)
def test_every_measure_by_hour_has_its_chart(day, measure):
    """The hours drawn are those that have a value; a measure's estimates are drawn as they are."""
    rows = [row for row in data_of(day.plot("by_hour", measure=measure)) if "hour" in row]
    estimates = day.estimates[f"{measure}_by_hour"]
    assert {row["hour"] for row in rows} == {hour for hour, one in enumerate(estimates) if one.mean is not None}
    for row in rows:
        bounds = bounds_of(measure, 4)
        assert row["mean"] == estimates[row["hour"]].mean
        for end in ("low", "high"):
            one = getattr(estimates[row["hour"]], end)
            assert row[end] == (one if one is None else min(max(one, bounds[0]), bounds[1]))


def test_hours_outside_the_window_are_not_drawn(study):
    """Three hours are simulated and three are drawn, none between or beyond."""
    rows = [row for row in data_of(study.plot("occupancy")) if "hour" in row]
    assert {(row["hour"], row["end"]) for row in rows} == {(0, 1), (1, 2), (2, 3)}


def test_busy_slots_are_those_of_the_estimates_and_of_erlang(study):
    """The bars are the study's distribution; the diamonds are a^n / n! over its sum, for the load of the formula."""
    rows = [row for row in data_of(study.plot("busy_slots")) if "busy" in row]
    assert {row["busy"] for row in rows} == set(range(SLOTS + 1))
    load = study.formulas["offered_erlang"].value
    weights = [load**n / math.factorial(n) for n in range(SLOTS + 1)]
    for row in rows:
        assert same(row, study.estimates["occupancy_pmf"][row["busy"]])
        assert row["formula"] == pytest.approx(weights[row["busy"]] / sum(weights), rel=1e-9)


def test_the_curves_are_the_estimates_and_erlang(swept):
    """Each point is its design's estimate; the thin curve is Erlang B, a^n / n! over its sum, of the design's load."""
    rows = [row for row in data_of(swept.plot("shares")) if "series" in row]
    assert len({(row["measure"], row["series"], row["value"]) for row in rows}) == 2 * 2 * 3
    designs = {(row.values["lot.slots"], f"time-out: {row.values['lot.max_in_parking']}"): row.study
               for row in swept.rows}  # fmt: skip
    for row in rows:
        design = designs[row["value"], row["series"]]
        assert same(row, design.estimates[row["measure"]])
        if row["measure"] == "refused_share":
            load = design.formulas["offered_erlang"].value
            weights = [load**n / math.factorial(n) for n in range(row["value"] + 1)]
            assert row["erlang"] == pytest.approx(weights[-1] / sum(weights), rel=1e-9)
            assert row["erlang_exact"] is True
        else:
            assert row["erlang"] is None


def test_where_no_formula_holds_erlang_is_that_of_the_measured_load():
    """Of limited attendants the curve is Erlang B at the load that the design measured, and says so."""
    swept = parksim.sweep(HOSPITAL, {"lot.slots": [3, 4]}, 2, engine="simpy")
    chart = swept.plot("shares")
    rows = [row for row in data_of(chart) if row.get("measure") == "refused_share"]
    for row, design in zip(rows, swept.rows, strict=False):
        load = design.study.estimates["offered_erlang"].mean
        weights = [load**n / math.factorial(n) for n in range(row["value"] + 1)]
        assert row["erlang"] == pytest.approx(weights[-1] / sum(weights), rel=1e-9)
        assert row["erlang_exact"] is False
    assert "no exact formula" in json.dumps(chart.to_dict())


def test_the_heat_map_is_that_of_the_designs(swept):
    """Each cell is its design's estimate and verdicts; the axes bear the values as they were given."""
    chart = swept.plot("heat_map", measures=["refused_share", "expired_share"])
    cells = [row for row in data_of(chart) if "left" in row]
    assert len(cells) == 2 * 6
    for cell in cells[:6]:
        (design,) = [row for row in swept.rows if [*row.values.values()] == [cell["x"], cell["y"]]]
        assert same(cell, design.study.estimates["refused_share"])
        assert (cell["verdict"], cell["all"]) == (design.study.objectives[0].verdict, design.study.verdict)
        assert cell["left"] + 0.5 == [3, 5, 7].index(cell["x"])
        assert cell["bottom"] + 0.5 == ["60s", "2m"].index(cell["y"])
    assert '["60s", "2m"]' in json.dumps(chart.to_dict()).replace("\\", "")


@given(st.sets(st.tuples(st.integers(0, 5), st.integers(0, 4))))
@settings(max_examples=50, deadline=None, derandomize=True)
def test_the_frontier_parts_what_meets_from_what_does_not(met):
    """Walking from any design to its neighbour crosses an edge exactly when one of them meets all and one does not."""
    places = [(column, line) for column in range(6) for line in range(5)]
    rows = [{"column": c, "line": n, "all": "met" if (c, n) in met else "missed"} for c, n in places]
    edges = {((e["x"] + e["x2"]) / 2, (e["y"] + e["y2"]) / 2) for e in figures.frontier(rows)}
    assert len(edges) == len(figures.frontier(rows))
    for column in range(-1, 6):
        for line in range(-1, 5):
            assert ((column + 0.5, line) in edges) == (((column, line) in met) != ((column + 1, line) in met))
            assert ((column, line + 0.5) in edges) == (((column, line) in met) != ((column, line + 1) in met))


def naive_stays(run):
    """Return (slot, call, from, until, outcome) of each stay by a dictionary of who is where."""
    inside, stays, ends = {}, [], {"RETRIEVED": "retrieved", "EXPIRED": "expired", "ABANDONED": "abandoned"}
    for line in list(run.journal.lines())[1:]:
        fact = json.loads(line)
        if fact["kind"] == "PARKED":
            inside[fact["call"]] = (fact["slot"], fact["time_us"])
        elif fact["kind"] in ends and fact["call"] in inside:
            slot, from_us = inside.pop(fact["call"])
            stays.append((slot, fact["call"], from_us, fact["time_us"], ends[fact["kind"]]))
    assert not inside
    return sorted(stays)


def test_the_timeline_has_every_stay_and_refusal(run):
    """Over the whole run the bars are the journal's stays, the crosses its refusals, and no two bars overlap."""
    shown = figures.timeline(run, 0, 10**6)
    bars = [row for row in shown.rows if row["outcome"] != "refused"]
    drawn = sorted(
        (row["slot"] - 701, row["call"], round(row["from_s"] * 1e6), round(row["until_s"] * 1e6), row["outcome"])
        for row in bars
    )
    assert drawn == naive_stays(run)
    refused = [json.loads(line)["kind"] == "REFUSED" for line in list(run.journal.lines())[1:]]
    assert len(shown.rows) - len(bars) == sum(refused) > 0
    by_slot = sorted((row["slot"], row["from_s"], row["until_s"]) for row in bars)
    assert all(a[2] <= b[1] for a, b in itertools.pairwise(by_slot) if a[0] == b[0])


def test_the_timeline_is_cut_at_its_window(run):
    """In a window every bar lies inside, and those that go on beyond it are marked as cut."""
    whole = {(row["call"], row["slot"]): row for row in figures.timeline(run, 0, 10**6).rows}
    shown = figures.timeline(run, 36_000, 37_000)
    assert len(shown.rows) > 5
    for row in shown.rows:
        assert 36_000 <= row["from_s"] <= row["until_s"] <= 37_000
        assert row["outcome"] == "refused" or row["cut"] == (whole[row["call"], row["slot"]]["until_s"] > 37_000)


def test_time_parked_counts_every_counted_stay(run):
    """The bars of each outcome add up to its share of the parks, and each bin holds the stays of its length."""
    shown, measures = figures.time_parked(run), run.measures
    for outcome, measure in (("retrieved", "retrieved_share"), ("expired", "expired_share")):
        total = sum(row["parks"] for row in shown.rows if row["outcome"] == outcome)
        assert total == round(measures[measure] * measures["parks_made"]) == shown.facts["totals"][outcome]
    expired = [row for row in shown.rows if row["outcome"] == "expired"]
    assert [(row["from_s"], row["to_s"]) for row in expired] == [(170, 180)]  # max_in_parking is 180 s


# Nothing impossible ---------------------------------------------------------------------------------------------------


@st.composite
def studies(draw):
    """Studies of invented replications: any possible values, at the bounds and undefined ones among them."""
    shares = draw(st.lists(st.floats(0, 1) | st.sampled_from([0.0, 1.0, math.nan]), min_size=1, max_size=7))
    results = []
    for shift in range(draw(st.integers(1, 4))):
        pick = itertools.cycle(shares[shift % len(shares) :] + shares)
        result = {name: next(pick) * (1 if name in SHARES else SLOTS) for name in SCALARS}
        result |= {"parks_made": 10.0, "parks_requested": 12.0, "calls_offered": 20.0}
        for name in VECTORS:
            length = 24 if name.endswith("hour") else 1 if name.endswith("lot") else SLOTS + (name == "occupancy_pmf")
            result[name] = [next(pick) * (1 if name in SHARES else SLOTS) for _ in range(length)]
        result["occupancy_pmf"] = [0.0 if math.isnan(value) else value for value in result["occupancy_pmf"]]
        # Shares of some trials: undefined exactly where there are none.
        for part, length in (("hour", 24), ("lot", 1)):
            refused = result[f"refused_share_by_{part}"]
            result[f"parks_requested_by_{part}"] = [0.0 if math.isnan(share) else 12.0 for share in refused]
            assert len(refused) == length
        results.append(result)
    return Study(SCENARIO, 1, "simpy", 0.95, tuple(results), "invented")


CHARTS = [("busy_slots", {}), ("occupancy", {}), *(("by_hour", {"measure": name}) for name in figures.BY_HOUR[1:])]


@given(studies(), st.sampled_from(CHARTS))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_no_impossible_value_is_drawn(study, chart):
    """No share outside 0 to 1, no occupancy beyond the slots, nothing where nothing is defined, all within the axis."""
    name, options = chart
    measure = {"busy_slots": "occupancy_pmf", "occupancy": "occupancy_mean"}.get(name) or options["measure"]
    shown = plots.figure(study, name, **options)
    if not shown.rows:
        return
    low, high = bounds_of(measure, SLOTS)
    spec = json.loads(json.dumps(plots.drawn(shown).to_dict(), allow_nan=False))  # nan would be no JSON
    rows = [row for rows in spec["datasets"].values() for row in rows if "mean" in row]
    assert len(rows) == len(shown.rows)
    values = [row[key] for row in rows for key in ("mean", "low", "high", "p05", "p95") if row.get(key) is not None]
    assert all(low <= value <= high for value in values)
    tops = [scale["domain"][1] for scale in scales(spec)]
    assert high >= min(tops) == max(tops) >= max(values)


def scales(part):
    """Yield every scale of the upright axes of a chart."""
    if isinstance(part, dict):
        if isinstance(part.get("y"), dict) and "scale" in part["y"]:
            yield part["y"]["scale"]
        for one in part.values():
            yield from scales(one)
    elif isinstance(part, list):
        for one in part:
            yield from scales(one)


def test_no_line_crosses_what_is_undefined(swept):
    """A curve falls into parts where a design has no value: no segment has points on both sides of it."""
    rows = list(swept.rows[:])
    gone = rows[2].study.results[0] | {"refused_share": math.nan}
    rows[2] = parksim.studies.sweep.Row(rows[2].values, Study(SCENARIO, 1, "simpy", 0.95, (gone,), "invented"))
    broken = parksim.Sweep(swept.scenario, swept.over, 1, "simpy", 4, 0.95, tuple(rows), 0, 0)
    shown = [r for r in figures.shares(broken).rows if r["measure"] == "refused_share" and r["series"].endswith("60s")]
    assert [(row["value"], row["mean"] is None) for row in shown] == [(3, False), (5, True), (7, False)]
    assert shown[0]["segment"] != shown[2]["segment"]
    cell = [row for row in data_of(broken.plot("heat_map")) if row.get("mean", 0) is None]
    assert [one["text"] for one in cell] == ["-"]


# Names, files, libraries ----------------------------------------------------------------------------------------------


def test_every_chart_is_drawn_and_has_marks(study, swept):
    """Each chart becomes SVG with marks, wide and narrow; the same chart gives the same bytes."""
    for result in (study, swept):  # a run's charts are among those of a study
        for name in plots.charts_of(result):
            for width in (720, 340):
                text = plots.svg_of(result.plot(name, width=width))
                tree = ET.fromstring(text)
                assert sum(len(list(tree.iter(f"{{http://www.w3.org/2000/svg}}{tag}"))) for tag in ("path", "line")) > 5
                assert float(tree.attrib["width"]) <= width + 12, (name, width)
            assert plots.svg_of(result.plot(name, width=340)) == text


def test_axes_bear_the_values_that_were_swept(swept):
    """Each swept number stands on the axis as it is: 120 is not rounded to 100."""
    text = plots.svg_of(swept.plot("shares", over="lot.max_in_parking"))
    assert {"60", "120"} <= set(re.findall(r"<text[^>]*>(\d+)</text>", text))
    assert "100" not in re.findall(r"<text[^>]*>(\d+)</text>", text)
    assert {"3", "5", "7"} <= set(re.findall(r"<text[^>]*>(\d+)</text>", plots.svg_of(swept.plot("shares"))))


def test_between_words_no_line_is_drawn():
    """Against a key of words there are points, and nothing between them."""
    swept = parksim.sweep(SCENARIO, {"lot.choice": ["lowest", "random"]}, 2, engine="simpy")
    assert '"line"' not in json.dumps(swept.plot("shares").to_dict())


def test_charts_can_be_put_together_and_edited(study, day):
    """Every chart is an ordinary Altair chart: beside another, with another title, with a configuration."""
    import altair as alt

    both = study.plot("occupancy", width=300) | day.plot("busy_slots", width=300).properties(title="Mine")
    assert isinstance(both, alt.HConcatChart)
    spec = both.configure_axis(grid=False).to_dict()
    assert spec["hconcat"][1]["title"] == "Mine"


def test_charts_are_saved_in_four_forms(study, tmp_path):
    """SVG, PNG, PDF and JSON begin as such files do; another ending is told."""
    for ending, begins in ((".svg", b"<svg"), (".png", b"\x89PNG"), (".pdf", b"%PDF"), (".json", b"{\n")):
        plots.save(study.plot("busy_slots"), tmp_path / f"x{ending}")
        assert (tmp_path / f"x{ending}").read_bytes().startswith(begins)
    with pytest.raises(ValueError, match=r"a chart is written as \.svg, \.png, \.pdf, \.json"):
        plots.save(study.plot("busy_slots"), tmp_path / "x.gif")


def test_hostile_names_are_text():
    """What a scenario's name holds is text in the picture, not markup."""
    hostile = SCENARIO.with_values({"name": "<script>alert(1)</script> & <img onerror=x>", "run.horizon": "1h"})
    text = plots.svg_of(parksim.study(hostile, replications=2, engine="simpy").plot())
    assert "<script" not in text
    assert "<img" not in text
    assert "&lt;script&gt;" in text


@pytest.mark.parametrize(
    ("which", "words", "told"),
    [
        ("study", {"name": "ocupancy"}, 'did you mean "occupancy"? There are: occupancy, by_hour'),
        ("study", {"name": "heat_map"}, "there is no chart of a study 'heat_map'"),
        ("study", {"name": "by_hour", "measure": "refusedshare"}, 'did you mean "refused_share"?'),
        ("study", {"name": "timeline", "replication": 9}, "numbered from 0 to 3"),
        ("study", {"name": "timeline", "from_s": 9e9}, "no part of it"),
        ("study", {"name": "timeline", "from": 9e9}, 'did you mean "from_s"? There are: replication, from_s, to_s'),
        ("study", {"name": "busy_slots", "measure": "x"}, "there is no option of busy_slots 'measure'. There are none"),
        ("study", {"width": 10}, "200 to 4,000 pixels"),
        ("swept", {"name": "heat_map", "x": "lot.slot"}, 'did you mean "lot.slots"?'),
        ("swept", {"name": "heat_map", "x": "lot.slots", "y": "lot.slots"}, "two axes, and both are lot.slots"),
        ("swept", {"name": "heat_map", "measures": ["x"]}, "there is no measure 'x'"),
        ("swept", {"name": "shares", "over": "slots"}, "there is no key of this sweep 'slots'"),
        ("swept", {"name": "shares", "series": [99]}, "has a value of 99"),
        ("swept", {"name": "shares", "measures": ["calls_offered"]}, "there is no share 'calls_offered'"),
    ],
)
def test_wrong_words_are_told(which, words, told, request):
    """A chart, measure, key or value that there is not is told with what there is."""
    with pytest.raises(PlanError) as error:
        request.getfixturevalue(which).plot(**words)
    assert told in str(error.value)


def test_every_measure_has_its_words():
    """Each scalar measure has words of its own, which are not its name."""
    assert len({label_of(name) for name in SCALARS} - set(SCALARS)) == len(SCALARS)


def test_importing_parksim_loads_no_charts_and_without_altair_the_command_is_named():
    """Nothing loads Altair before a chart is asked for; without it, and without vl-convert, the message helps."""
    script = (
        "import sys, parksim, parksim.reports.charts\n"
        "assert 'altair' not in sys.modules and 'vl_convert' not in sys.modules\n"
        "sys.modules['altair'] = sys.modules['vl_convert'] = None\n"
        "scenario = parksim.Scenario.load('scenarios/lot-only.toml').with_values({'run.horizon': '2h'})\n"
        "study = parksim.study(scenario, replications=2)\n"
        "from parksim.results import MissingLibraryError\n"
        "for work in (study.plot, lambda: parksim.reports.charts.svg_of(None)):\n"
        "    try: work()\n"
        "    except MissingLibraryError as error: print(error)\n"
        "print(len(parksim.reports.charts.figure(study, 'busy_slots').to_csv().splitlines()))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "altair is not installed; install it with: pip install 'parksim[report]'",
        "vl-convert is not installed; install it with: pip install 'parksim[report]'",
        str(SLOTS + 2),
    ]
