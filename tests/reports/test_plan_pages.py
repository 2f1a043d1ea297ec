"""Pages of solutions, comparisons and sensitivities: the recommendation first, the result's numbers, keys in words."""

import csv
import io
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

import parksim
from parksim.catalogue import BY_NAME, SCALARS, SHARES
from parksim.cli.main import main
from parksim.cli.options import BAD_INPUT, DONE
from parksim.errors import WrongTypeError
from parksim.reports import charts, figures
from parksim.reports import html as report_page
from parksim.reports.markdown import markdown
from parksim.reports.screen import shown
from parksim.reports.stories import STORIES, story_of
from parksim.reports.story import Mark
from parksim.reports.words import KEY_WORDS, key_words, label_of, value_words
from parksim.scenario import lots, sections
from parksim.scenario.model import TEMPLATE, Scenario
from parksim.studies.advise import advise
from parksim.studies.compare import compare
from parksim.studies.sensitivity import sensitivity
from parksim.studies.solve import solve
from tests.reports.test_report_page import HOSTILE, MARKDOWN_TAGS, Elements, content

GUESSED = (
    TEMPLATE.replace("slots = 6\n", "slots = 6  # guess\n")
    .replace("probability = 0.6", "probability = 0.6  # guess")
    .replace('announcement = "3s"   ', 'announcement = "3s"  # guess')
)
GOALS = {"refused_share": "< 5 %", "expired_share": "< 60 %"}
BASE = Scenario.loads(GUESSED).with_values({"run.horizon": "4h", "lot.slots": 2, "objectives": GOALS})
BASE = BASE.with_notes(Scenario.loads(GUESSED).notes)
HOW = {"engine": "simpy", "seed": 4}


@pytest.fixture(scope="module")
def solution():
    """The fewest slots."""
    return solve(BASE, "lot.slots", (2, 12), 10, **HOW)


@pytest.fixture(scope="module")
def frontier():
    """The fewest slots for two time-outs."""
    return solve(BASE, ("lot.slots", "lot.max_in_parking"), ((4, 12), (120, 180)), 6, step=(1, 60), **HOW)


@pytest.fixture(scope="module")
def comparison():
    """Three slots more, and an attendant less."""
    return compare(BASE, BASE.with_values({"lot.slots": 9, "attendants.count": 2}), 6, **HOW)


@pytest.fixture(scope="module")
def moved():
    """Three guesses, moved."""
    return sensitivity(BASE, 6, **HOW)


@pytest.fixture(scope="module")
def advice():
    """The fewest slots more that meet both objectives."""
    return advise(BASE, keys=["lot.slots"], replications=20, **HOW)


PLANS = pytest.mark.parametrize("plan", ["solution", "frontier", "comparison", "moved", "advice"])


@PLANS
def test_every_plan_has_a_page_with_the_recommendation_first(plan, request):
    """The recommendation begins the answer; no raw key stands above the commands; equal results, equal bytes."""
    result = request.getfixturevalue(plan)
    story = story_of(result, "x.db")
    page = report_page.page(story)
    said = Elements(page).text
    places = [said.index(words) for words in ("The answer", story.headline, "What was assumed", "How it was made")]
    assert places == sorted(places)
    above = said[: said.index("How it was made")]
    raw = [name for name in (*SCALARS, *KEY_WORDS) if ("." in name or "_" in name) and name in above]
    assert raw == []
    assert "parksim rerun x.db" in said
    for name in story.files:
        assert name in Elements(page).links
    rendered = Elements(MarkdownIt().enable("table").render(markdown(story)))
    assert story.headline in rendered.text
    assert set(rendered.tags) <= MARKDOWN_TAGS
    assert report_page.page(story_of(result, "x.db")) == page  # the same bytes


@PLANS
def test_hostile_words_are_words(plan, request):
    """A name and notes that are markup stand in the page as text: no element and no handler comes of them."""
    clean = set(Elements(report_page.page(story_of(request.getfixturevalue(plan)))).tags)
    notes = BASE.notes._replace(head=(HOSTILE, "The question: " + HOSTILE + " is it so?"))
    notes = notes._replace(of_keys={**notes.of_keys, "lot.slots": "guess: " + HOSTILE})
    planted = BASE.with_values({"name": HOSTILE, "run.horizon": "1h"}).with_notes(notes)
    make = {
        "solution": lambda: solve(planted, "lot.slots", (4, 8), 2, **HOW),
        "frontier": lambda: solve(planted, ("lot.slots", "attendants.count"), ((4, 5), (3, 4)), 2, **HOW),
        "comparison": lambda: compare(planted, planted.with_values({"name": "</h1>", "lot.slots": 7}), 2, **HOW),
        "moved": lambda: sensitivity(planted, 2, **HOW),
        "advice": lambda: advise(planted, keys=["lot.slots"], replications=10, **HOW),
    }
    story = story_of(make[plan](), HOSTILE + ".db")
    read = Elements(report_page.page(story))
    assert HOSTILE in read.text
    assert set(read.tags) <= clean | {"details", "summary", "h3"}  # what the notes say has a heading
    assert not [name for name, _ in read.attributes if name.startswith("on")]
    rendered = Elements(MarkdownIt().enable("table").render(markdown(story)))
    assert HOSTILE in rendered.text
    assert set(rendered.tags) <= MARKDOWN_TAGS


# A solution -----------------------------------------------------------------------------------------------------------


def test_a_solution_says_what_to_take(solution):
    """The answer in words, the objectives at it, what its neighbour misses, and every step with its numbers."""
    story = story_of(solution)
    assert solution.outcome == "found"
    assert story.headline == f"Take {solution.value} slots: the least from 2 to 12 that meets all objectives."
    assert (story.verdict, story.objectives.caption) == ("met", f"The objectives with {solution.value} slots")
    steps = {step.value: step for step in solution.trail}
    for row in story.objectives.rows:
        one = next(o for o in steps[solution.value].objectives if label_of(o.objective.measure) in row[0].lower())
        study = steps[solution.value].study
        assert row[2:] == (*shown(one.objective.measure, study.estimate(one.objective.measure)), Mark("met"))
    assert f"With {solution.value - 1} slots, missed: parks refused" in story.details[0]
    (table,) = story.tables
    assert [row[0] for row in table.rows] == [str(value) for value in sorted(steps)]
    assert [row[-1] for row in table.rows] == [Mark(steps[value].verdict) for value in sorted(steps)]
    rows = list(csv.DictReader(io.StringIO(story.files["tried.csv"])))
    assert [int(row["lot.slots"]) for row in rows] == [step.value for step in solution.trail]
    assert [float(row["refused_share"]) for row in rows] == [
        step.study.estimate("refused_share").mean for step in solution.trail
    ]


def test_a_search_without_an_answer_says_so():
    """No value that meets the objectives, and one that cannot be decided: each in words, in the user's units."""
    strict = BASE.with_values({"objectives": {"expired_share": "< 0.01 %"}})
    none = story_of(solve(strict, "lot.max_in_parking", (60, 180), 3, step=60, **HOW))
    assert none.headline == "Time-out: no value from 1 min to 3 min meets its objective."
    assert none.verdict == "missed"
    assert none.details[0].startswith("With a time-out of 3 min, missed: calls that come back")
    share = parksim.study(BASE.with_values({"lot.slots": 5}), 6, **HOW).estimate("refused_share").mean
    close = BASE.with_values({"objectives": {"refused_share": f"< {share!r}"}})
    undecided = story_of(solve(close, "lot.slots", (4, 8), 6, **HOW))
    assert undecided.headline.startswith("Not decided: the answer lies between ")
    assert undecided.headline.endswith(" slots.")


def test_the_command_in_the_page_searches_again(solution, frontier):
    """The words that it prints make the same plan."""
    for plan in (solution, frontier):
        command = story_of(plan).commands[-1].text.split()
        assert command[:3] == ["parksim", "solve", "scenario.toml"]
        keys = [word for word in command if word.startswith(("lot.", "attendants."))]
        within = [command[n + 1] for n, word in enumerate(command) if word == "--within"]
        assert keys == ["lot.slots", "lot.max_in_parking"][: len(within)]
        assert within == ["2..12"] if plan is solution else within == ["4..12", "120..180:60"]
        assert command[command.index("--replications") + 1] == ("10" if plan is solution else "6")


def test_a_frontier_has_a_row_for_each_choice(frontier):
    """For each time-out the fewest slots, in the user's units."""
    rows = story_of(frontier).choices.rows
    assert [row[0] for row in rows] == ["2 min", "3 min"]
    answers = [row.solution for row in frontier.rows]
    assert [row[1] for row in rows] == [one.outcome if one.value is None else str(one.value) for one in answers]


# A comparison ---------------------------------------------------------------------------------------------------------


def test_a_comparison_says_which_to_choose(comparison):
    """Which side meets the objectives, what differs in words, and each difference as it was measured."""
    story = story_of(comparison)
    verdicts = (comparison.a.verdict, comparison.b.verdict)
    assert verdicts == ("missed", "met")
    assert story.headline == ("Choose b: it meets all objectives; a misses parks refused because the lot is full.")
    assert story.details[:2] == ("Attendants: 3 becomes 2.", "Slots of the lot: 2 becomes 9.")
    assert story.details[2].startswith("Better: parks refused because the lot is full: -")
    rows = {row["measure"]: row for row in figures.differences(comparison).rows}
    for name, row in rows.items():
        one, scale = comparison.differences[name], 100 if name in SHARES else 1
        assert [row["mean"], row["low"], row["high"]] == [scale * end for end in (one.mean, one.low, one.high)]
        assert (row["change"] == "unclear") == (one.low <= 0 <= one.high)
    in_file = list(csv.DictReader(io.StringIO(story.files["differences.csv"])))
    assert [float(row["mean"]) for row in in_file if row["measure"] == "refused_share"] == [
        comparison.differences["refused_share"].mean
    ]
    again = Scenario.loads(story.files["scenario-b.toml"])
    assert again == comparison.b.scenario


def test_equal_scenarios_and_none_that_meets_are_told(comparison):
    """The same scenario twice, both that meet, neither that does: one sentence each."""
    same = compare(BASE, BASE, 2, **HOW)
    assert story_of(same).headline == "The two are the same scenario."
    strict = {"objectives": {"refused_share": "< 0.0001 %", "expired_share": "< 0.0001 %"}}
    neither = compare(BASE.with_values(strict), comparison.b.scenario.with_values(strict), 2, **HOW)
    assert story_of(neither).headline.startswith("Neither ")
    easy = {"objectives": {"refused_share": "< 99 %"}}
    both = compare(BASE.with_values(easy), comparison.b.scenario.with_values(easy), 2, **HOW)
    assert story_of(both).headline == "Both meet all objectives."


def test_better_is_what_the_objective_says():
    """Fewer refusals are better and more answers in time are; an objective says otherwise; the load is neither."""
    assert BY_NAME["refused_share"].change(0.1, 0.2) == "worse"
    assert BY_NAME["answered_within_share"].change(0.1, 0.2) == "better"
    assert BY_NAME["answer_wait_s_mean"].change(-2.0, -1.0) == "better"
    assert BY_NAME["offered_erlang"].change(0.1, 0.2) == "differs"
    assert BY_NAME["occupancy_mean"].change(0.1, 0.2, "> ") == "better"
    assert BY_NAME["refused_share"].change(-0.1, 0.2, "<") == "unclear"


# A sensitivity --------------------------------------------------------------------------------------------------------


def test_a_sensitivity_says_what_to_measure(moved):
    """The guesses that matter are named in words, and those that do not; each bar is a change that was measured."""
    story = story_of(moved)
    measured = [one.key for one in moved.effects if one.key != "lot.slots"]  # which a planner decides
    moving = [key_words(key) for key in measured if key not in moved.idle]
    assert moving
    assert story.headline == f"Measure first: {'; '.join(moving[:3])}."
    idle = [one for one in story.details if one.startswith("These do not move it beyond noise")]
    assert idle == [f"These do not move it beyond noise: {'; '.join(map(key_words, moved.idle))}."] * bool(moved.idle)
    effects = {one.key: one for one in moved.effects}
    figure = figures.tornado(moved)
    assert figure.rows
    for row in figure.rows:
        effect, scale = effects[row["key"]], 100 if row["measure"] in SHARES else 1
        side = effect.sides[["lower", "higher"].index(row["side"])]
        one = side.changes[row["measure"]]
        assert effect.moves(row["measure"])
        assert [row["mean"], row["low"], row["high"]] == [scale * end for end in (one.mean, one.low, one.high)]
        assert row["value"] == value_words(row["key"], side.value)
    for measure in moved.measures:
        keys = list(dict.fromkeys(row["key"] for row in figure.rows if row["measure"] == measure))
        sizes = [effects[key].size(measure) for key in keys]
        assert sizes == sorted(sizes, reverse=True)
        assert set(keys) | set(figure.facts["idle"][measure]) == set(effects)


def test_charts_of_plans_are_drawn_by_name(solution, comparison, moved, advice):
    """Each has its chart by name, on wide screens and narrow ones; a wrong name gets the right ones."""
    plans = ((solution, "tried"), (comparison, "differences"), (moved, "tornado"), (advice, "advised"))
    for plan, name in plans:
        assert charts.charts_of(type(plan).__name__.lower()) == (name,)
        for width in (340, 760):
            assert "<svg" in charts.svg_of(plan.plot(width=width))
    with pytest.raises(parksim.ParksimError, match="did you mean"):
        moved.plot("tornadoes")
    assert "<svg" in charts.svg_of(moved.plot("tornado", measures=[moved.asked[0]]))
    with pytest.raises(WrongTypeError, match="has no charts"):
        charts.plot(3)


def test_the_chart_of_an_advice_has_each_design_with_its_intervals(advice):
    """As it is and after each change, each objective's measure is that of the confirming replications."""
    rows = figures.advised(advice).rows
    changes = (*advice.changes, *advice.pairs)
    assert changes
    studies = [advice.base, *(one.study for one in changes)]
    assert len(rows) == len(studies) * len(advice.scenario.objectives)
    assert rows[0]["design"] == "as it is"
    pairs = ((study, one) for study in studies for one in study.objectives)
    for row, (study, one) in zip(rows, pairs, strict=True):
        estimate = study.estimate(one.objective.measure)
        assert (row["measure"], row["verdict"]) == (one.objective.measure, one.verdict)
        assert (row["mean"], row["high"]) == (estimate.mean, min(1.0, estimate.high))


# Advice ---------------------------------------------------------------------------------------------------------------


def test_advice_begins_with_what_to_do(advice):
    """The order, both objectives now and then, and each effect as it was measured."""
    story, best = story_of(advice), advice.best
    assert best is not None
    slots = best.values["lot.slots"]
    assert story.headline == f"Add {slots - 2} slots: {slots} instead of 2. Then all objectives are met."
    rows = {row[0]: row for row in story.objectives.rows}
    for one in advice.objectives:
        name = one.objective.measure
        row = rows[label_of(name)[0].upper() + label_of(name)[1:]]
        assert row[2].startswith(shown(name, advice.base.estimate(name))[0])
        assert (row[3], row[5]) == (Mark(one.verdict), Mark("met"))
    in_file = list(csv.DictReader(io.StringIO(story.files["changes.csv"])))
    assert {row["measure"]: float(row["mean"]) for row in in_file if row["mean"]} == {
        name: one.mean for name, one in best.effects.items() if one.mean is not None
    }


# Words, and the command -----------------------------------------------------------------------------------------------


def test_every_key_of_a_scenario_has_words():
    """Each key of the file but those of the wire and the targets; a lot's own key names its lot."""
    models = {"lot": (lots.LotSection, lots.NamedLot)}
    for name, field in Scenario.model_fields.items():
        found = models.get(name, (field.annotation,))
        if name == "arrivals":
            found = tuple(sections.ARRIVALS.values())
        for model in found:
            for key in getattr(model, "model_fields", {}):
                assert name in {"uapi", "objectives"} or f"{name}.{key}" in KEY_WORDS, f"{name}.{key}"
    for key in BASE.assumptions:
        assert key_words(key) != key
    assert key_words("lot.north.max_in_parking") == "time-out of lot north"


def test_no_other_result_has_a_report(moved):
    """What has no story is refused by name, with those that have one."""
    with pytest.raises(WrongTypeError, match="Study or Sweep or Solution"):
        report_page.save(3, "x.html")
    assert type(moved) in STORIES


def test_the_commands_write_pages(tmp_path, monkeypatch, capsys):
    """solve, compare and sensitivity keep their result with --out; report makes a page, Markdown and a chart of it."""
    monkeypatch.chdir(tmp_path)
    Path("s.toml").write_text(GUESSED.replace("slots = 6 ", "slots = 2 "), encoding="utf-8")
    Path("b.toml").write_text(GUESSED.replace("slots = 6 ", "slots = 1 "), encoding="utf-8")
    short = "--set run.horizon=3h --set lot.first=1 --replications 5 --engine simpy"
    lines = {
        "solve": (f"solve s.toml lot.slots --within 4..9 {short}", "tried"),
        "compare": (f"compare s.toml b.toml {short}", "differences"),
        "sensitivity": (f"sensitivity s.toml {short}", "tornado"),
    }
    for name, (line, chart) in lines.items():
        main([*line.split(), "--out", f"{name}.db"])
        for ending in ("html", "md"):
            assert main(["report", f"{name}.db", "-o", f"{name}.{ending}"]) == DONE
        assert story_of(parksim.load(f"{name}.db")).headline in Elements(Path(f"{name}.html").read_text()).text
        assert main(["report", f"{name}.db", "--chart", chart, "-o", f"{name}.svg"]) == DONE
        assert main(["rerun", f"{name}.db"]) == DONE
    capsys.readouterr()
    assert main(["compare", "solve.db", "b.toml"]) == BAD_INPUT
    assert "solve.db: holds a solution; compare two scenarios" in " ".join(capsys.readouterr().err.split())
    assert content(Elements(Path("solve.html").read_text()).links["tried.csv"]).startswith("lot.slots,")
