"""Reports: the page and the Markdown say what the result says, whatever it is called, and open offline in a browser."""

import base64
import csv
import io
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from markdown_it import MarkdownIt  # rich comes with it

import parksim
from parksim.catalogue import SCALARS
from parksim.cli.main import main
from parksim.cli.options import BAD_INPUT, DONE, NOT_FINISHED
from parksim.reports import charts as plots
from parksim.reports import figures
from parksim.reports import html as report_page
from parksim.reports.markdown import markdown
from parksim.reports.screen import shown
from parksim.reports.stories import story_of
from parksim.reports.story import Mark, run_again
from parksim.reports.words import label_of, words_of

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "scenarios" / "hospital.toml").read_text().replace('horizon = "1d"', 'horizon = "12h"')
TEXT = TEXT.replace('"< 1 %"', '"< 2.5 %"').replace('"> 80 %"', '"> 50 %"').replace('"< 25 %"', '"< 28 %"')
HOSPITAL = parksim.Scenario.loads(TEXT)
"""Half a day, with targets that three replications of it decide."""
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&amp; | `x` =1+1"


def command(line):
    """Run the command line here and return its exit code."""
    return main(line.split())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with two stores: h.db of a study, and s.db of a sweep."""
    made = tmp_path_factory.mktemp("reports")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made)
        Path("hospital.toml").write_text(TEXT)
        assert command("run hospital.toml --replications 3 --engine simpy --out h.db") == DONE
        over = "--over lot.slots=3..6 --over lot.max_in_parking=120s,180s"
        assert command(f"sweep hospital.toml {over} --replications 3 --engine simpy --out s.db") == DONE
        for name in ("h", "s"):
            assert command(f"report {name}.db -o {name}.html") == DONE
    return made


@pytest.fixture(scope="module")
def study(folder):
    """The study in h.db."""
    return parksim.load(folder / "h.db")


@pytest.fixture(scope="module")
def swept(folder):
    """The sweep in s.db."""
    return parksim.load(folder / "s.db")


class Elements(HTMLParser):
    """Reads a page: its elements, its words, its links."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.links, self.words = [], [], {}, []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        """Note an element."""
        self.tags.append(tag)
        self.attributes += attributes
        if tag == "a" and "download" in dict(attributes):
            self.links[dict(attributes)["download"]] = dict(attributes)["href"]

    def handle_data(self, data):
        """Note words."""
        self.words.append(data)

    @property
    def text(self):
        """All words, spaces as spaces."""
        return " ".join("".join(self.words).replace("\xa0", " ").split())


def content(link):
    """Return what a data link holds."""
    head, coded = link.split(",", 1)
    return base64.b64decode(coded).decode() if head.endswith("base64") else unquote(coded)


# What it says ---------------------------------------------------------------------------------------------------------


def test_the_page_says_what_the_study_says(folder, study):
    """Each objective with its target, estimate, interval and verdict; each measure of the screen; the question."""
    said = Elements((folder / "h.html").read_text()).text
    assert "How many slots, and how many operators, until fewer than 1 % of parks find the lot full?" in said
    assert "Does a switchboard with 4 slots, a time-out of 3 min and 3 attendants meet all 3 objectives?" in said
    for one in study.objectives:
        name = one.objective.measure
        point, interval = shown(name, study.estimates[name])
        sign = {"met": "\N{CHECK MARK}", "missed": "\N{MULTIPLICATION X}", "undecided": "?"}[one.verdict]
        row = f"{label_of(name)}{one.objective.text}{point}{interval}{sign}{one.verdict}"[1:]  # a capital begins it
        assert row.replace(" ", "") in said.replace(" ", "")
    assert not [name for name in SCALARS if "_" in name and name in said[: said.index("How it was made")]]
    for name, unit in (("occupancy_mean", ""), ("answer_wait_s_mean", ", s"), ("parks_requested", "")):
        estimate = study.estimates[name]
        point, interval = shown(name, replace(estimate, low=max(0.0, estimate.low)))  # nothing is less than nothing
        assert label_of(name)[1:] + unit + point + interval in said
    assert study.scenario.digest in said
    assert "parksim rerun h.db" in said
    assert "parksim run scenario.toml --replications 3 --seed 1 --engine simpy" in said


def test_the_sweep_names_the_first_design_that_does(folder, swept):
    """The answer is the first row that meets all objectives; each choice has the first value of the first key."""
    met = [row for row in swept.rows if row.study.verdict == "met"]
    said = Elements((folder / "s.html").read_text()).text
    first = met[0].values
    assert f"{words_of(first)}: the first design" in said
    minutes = int(first["lot.max_in_parking"][:-1]) // 60
    assert words_of(first) == f"{first['lot.slots']} slots, a time-out of {minutes} min"
    assert f"Of 8 designs {len(met)} meet all objectives" in said
    choices = story_of(swept).choices
    for limit, least, *_ in choices.rows:
        slots = [row.values["lot.slots"] for row in met if row.values["lot.max_in_parking"] == limit]
        assert least == (str(min(slots)) if slots else "none")
    over = "--over lot.slots=3..6 --over lot.max_in_parking=120s,180s"
    assert f"parksim sweep scenario.toml {over} --replications 3 --seed 1 --engine simpy" in said


@pytest.mark.parametrize("name", ["h", "s"])
def test_the_charts_data_are_those_of_the_result(folder, name, study, swept):
    """The CSV beside each chart holds its rows to the last bit, and the tables all estimates."""
    links = Elements((folder / f"{name}.html").read_text()).links
    result = study if name == "h" else swept
    for number, chart in enumerate(story_of(result).charts):
        rows = list(csv.DictReader(io.StringIO(content(links[f"{chart.figure.name}-{number + 1}.csv"]))))
        assert len(rows) == len(chart.figure.rows) > 0
        for row, drawn in zip(rows, chart.figure.rows, strict=True):
            assert row == {key: "" if value is None else str(value) for key, value in drawn.items()}
    if name == "h":
        rows = {row["measure"]: row for row in csv.DictReader(io.StringIO(content(links["measures.csv"])))}
        assert tuple(rows) == SCALARS
        for measure, row in rows.items():
            estimate = study.estimates[measure]
            for key in ("mean", "low", "high"):
                one = getattr(estimate, key)
                assert (float(row[key]) if row[key] else None) == one
    else:
        assert len(list(csv.DictReader(io.StringIO(content(links["designs.csv"]))))) == len(swept.rows)


@pytest.mark.parametrize("name", ["h", "s"])
def test_the_scenario_in_the_page_is_that_of_the_result(folder, name):
    """The file that the page offers loads as the scenario that was run, targets and notes included."""
    links = Elements((folder / f"{name}.html").read_text()).links
    again = parksim.Scenario.loads(content(links["scenario.toml"]))
    assert again.digest == HOSPITAL.digest
    assert again.notes == HOSPITAL.notes


def test_guesses_are_marked_where_the_file_marks_them(study, swept):
    """Exactly the values that the file calls guesses bear the mark; swept keys are named as varied."""
    rows = {row[0]: row for row in story_of(study).assumptions.rows}
    marked = {key for key, row in rows.items() if row[3] == Mark("guess")}
    assert len(marked) == len(re.findall(r"# guess", TEXT)) == story_of(study).guesses
    walk = rows["Time until a parked call is fetched"]
    assert walk[1:3] == ("lognormal, median 60 s, sigma 0.9", "walk to a telephone, mean 90 s")
    assert rows["How long a caller waits"][2:] == ("bank, regular customers", "")
    of_sweep = {row[0]: row for row in story_of(swept).assumptions.rows}
    assert of_sweep["Slots of the lot"][1:] == ("3..6", "varied here", "")
    assert story_of(swept).guesses == story_of(study).guesses - 1


def test_what_was_not_measured_is_told_and_not_drawn(study):
    """A replication that this version simulates differently, or that is too long, has no picture but a reason."""
    assert run_again(study).measures["refused_share"] == study.results[0]["refused_share"]
    other = (study.results[0] | {"parks_made": 1.0}, *study.results[1:])
    changed = story_of(replace(study, results=other))
    assert [chart.finding for chart in changed.charts if chart.figure is None] == [
        "Not drawn: another version of parksim made this result, and this one simulates replication 0 differently."
    ]
    long = replace(study, scenario=HOSPITAL.with_values({"run.horizon": "200d"}))
    assert "more than 100,000 calls" in run_again(long)


def test_the_three_verdicts_are_worded(study):
    """Missed beats undecided beats met, with what was measured; without objectives nothing is judged."""

    def of(**targets):
        return story_of(replace(study, scenario=HOSPITAL.with_values({"objectives": targets})))

    assert of(refused_share="< 90 %").headline == "Yes: its objective is met."
    assert of(refused_share="< 90 %", expired_share="< 90 %").headline == "Yes: all 2 objectives are met."
    assert of(refused_share="< 0.0001 %", expired_share="< 90 %").headline == "No: 1 of 2 objectives is missed."
    mean = study.estimates["expired_share"].mean
    undecided = of(expired_share=f"< {mean!r}")
    assert undecided.verdict == "undecided"
    assert undecided.headline.startswith("Not decided")
    assert of().headline == "The scenario sets no objective."
    assert of().verdict == ""
    assert of().objectives is None


def test_rosters_and_laws_can_be_swept(tmp_path):
    """Values that are lists or laws have charts, rows and a command, which is Python; from a store, too."""
    roster = [3] * 12 + [2] * 12
    scenario = HOSPITAL.with_values({"run.horizon": "2h"})
    over = {"attendants.count": [3, roster], "retrieval.delay": ["60s", '{ kind = "exponential", mean = "60s" }']}
    parksim.sweep(scenario, over, 2, engine="simpy", store=tmp_path / "x.db")
    swept = parksim.load(tmp_path / "x.db")
    story = story_of(swept, "x.db")
    assert [row[0] for row in story.choices.rows] == over["retrieval.delay"]
    assert len(story.tables[0].rows) == 4
    call = story.commands[1].text
    again = eval(
        call.replace("parksim.Scenario.load('scenario.toml')", "scenario"), {"parksim": parksim, "scenario": scenario}
    )
    assert again.flat() == swept.flat()
    for chart in (swept.plot("heat_map"), swept.plot("shares"), swept.plot("shares", over="retrieval.delay")):
        assert "<svg" in plots.svg_of(chart)
    assert report_page.page(story)


# Hostile words, equal bytes -------------------------------------------------------------------------------------------


def test_hostile_words_are_words(folder):
    """Names, notes and swept values that are markup stand in the page as text: no element, no handler comes of them."""
    scenario = HOSPITAL.with_values({"run.horizon": "2h", "run.warm_up": "0s", "name": HOSTILE})
    notes = scenario.notes._replace(head=(HOSTILE, "The question: " + HOSTILE + " is it so?"))
    notes = notes._replace(of_keys={"lot.slots": "guess: " + HOSTILE})
    study = parksim.study(scenario.with_notes(notes), replications=2, engine="simpy")
    varied = parksim.sweep(scenario.with_notes(notes), {"name": [HOSTILE, "</style>"]}, 2, engine="simpy")
    clean = set(Elements((folder / "s.html").read_text() + (folder / "h.html").read_text()).tags)

    def short(story):
        return replace(story, charts=story.charts[:2])  # the others are drawn in the same way

    for result in (study, varied):
        read = Elements(report_page.page(short(story_of(result, HOSTILE + ".db"))))
        assert HOSTILE in read.text
        assert set(read.tags) <= clean
        assert not [name for name, _ in read.attributes if name.startswith("on")]
        for name, link in read.links.items():
            if name.endswith(".csv"):
                cells = [cell for row in csv.reader(io.StringIO(content(link))) for cell in row]
                assert not [cell for cell in cells if cell.startswith(("=", "+", "@"))]
        rendered = Elements(MarkdownIt().enable("table").render(markdown(story_of(result))))
        assert HOSTILE in rendered.text
        assert set(rendered.tags) <= MARKDOWN_TAGS


MARKDOWN_TAGS = {
    *("h1", "h2", "h3", "p", "strong", "code", "pre", "ul", "li", "blockquote"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}


def test_the_same_result_gives_the_same_bytes(folder, study):
    """The page that the command wrote is the page made again here, and by another process; Markdown likewise."""
    assert report_page.page(story_of(study, "h.db")) == (folder / "h.html").read_text()
    script = f"import parksim; s = parksim.load({str(folder / 'h.db')!r}); from parksim.reports import html as p\n"
    script += f"p.save(s, {str(folder / 'again.html')!r}, source='h.db'); s.report({str(folder / 'again.md')!r})"
    subprocess.run([sys.executable, "-c", script], check=True)
    assert (folder / "again.html").read_bytes() == (folder / "h.html").read_bytes()
    assert (folder / "again.md").read_text() == markdown(story_of(study))


def test_nothing_in_the_page_asks_for_anything(folder):
    """No address, no script, no style sheet, no font of elsewhere; the policy in its head forbids them as well."""
    for name in ("h", "s"):
        page = (folder / f"{name}.html").read_text()
        read = Elements(page)
        assert {"script", "link", "iframe", "object"}.isdisjoint(read.tags)
        targets = [value for key, value in read.attributes if key in {"src", "href", "xlink:href", "action"}]
        assert all(target.startswith(("data:", "#")) for target in targets)
        assert "default-src 'none'" in page
        assert "@import" not in page
        assert not re.search(r"url\((?!#)", page)


@pytest.mark.parametrize("name", ["study", "swept"])
def test_markdown_becomes_what_it_says(name, request):
    """Rendered, it has the headings, every table's rows as long as its heading, the verdicts, and the scenario."""
    result = request.getfixturevalue(name)
    story = story_of(result, "x.db")
    text = markdown(story)
    rendered = Elements(MarkdownIt().enable("table").render(text))
    assert rendered.tags.count("h1") == 1
    assert rendered.tags.count("h2") == 5
    assert rendered.tags.count("h3") == len(story.charts)
    assert set(rendered.tags) <= MARKDOWN_TAGS
    sheets = [sheet for sheet in (story.objectives, story.choices, *story.tables, story.assumptions) if sheet]
    for sheet in sheets:
        assert sheet.caption in rendered.text
        for row in sheet.rows:
            assert " ".join("".join(map(str, row)).split()).replace(" ", "") in rendered.text.replace(" ", "")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert rendered.tags.count("tr") == len(rows) - rendered.tags.count("table")  # a rule below each heading
    fenced = re.search(r"(?s)```toml\n(.*?)\n```", text).group(1)
    assert parksim.Scenario.loads(fenced).digest == HOSPITAL.digest
    assert "parksim rerun x.db" in rendered.text


def test_a_map_in_markdown_marks_the_designs_that_do(swept):
    """The table of a heat map has a cell for each design, marked exactly where all objectives are met."""
    lines = markdown(story_of(swept)).splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("| time-out / slots of the lot"))
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in (lines[first], *lines[first + 2 : first + 4])
    ]
    for words in cells[1:]:
        for slots, cell in zip(cells[0][1:], words[1:], strict=True):
            (row,) = [r for r in swept.rows if [*map(str, r.values.values())] == [slots, words[0]]]
            assert cell.endswith("\\*") == (row.study.verdict == "met")


# The command ----------------------------------------------------------------------------------------------------------


def test_run_and_report_in_one_line(tmp_path):
    """A scenario becomes a page by one line of shell; what they say goes to stdout, and nothing is left to write."""
    parksim_here = f"{sys.executable} -m parksim"
    scenario = ROOT / "scenarios" / "hospital.toml"
    line = (
        f"{parksim_here} run {scenario} --replications 2 --out h.db > /dev/null && {parksim_here} report h.db -o h.html"
    )
    done = subprocess.run(line, shell=True, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "h.html: Hospital switchboard, weekday\n"
    assert done.stderr == ""
    assert "Hospital switchboard" in (tmp_path / "h.html").read_text()


WRONG = [
    ("report h.db", BAD_INPUT, "report needs -o FILE, where to write; type: parksim report h.db -o h.html"),
    ("report no.db -o x.html", BAD_INPUT, "no.db: there is no such file"),
    (
        "report hospital.toml -o x.html",
        BAD_INPUT,
        "is a scenario, not yet a result; type parksim run hospital.toml --out",
    ),
    ("report h.db -o x.pdf", BAD_INPUT, "-o x.pdf: the file's name ends in .html or .md"),
    ("report h.db -o no/x.html", BAD_INPUT, "-o no/x.html: there is no folder no"),
    ("report h.db -o folder.html", BAD_INPUT, "-o folder.html: is a folder; name a file"),
    ("report h.db --chart occupancy -o x.html", BAD_INPUT, "the file's name ends in .svg or .png or .pdf or .json"),
    ("report h.db --chart ocupancy -o x.svg", BAD_INPUT, 'did you mean "occupancy"?'),
    ("report h.db --chart occupancy --width 3 -o x.svg", BAD_INPUT, "--width 3: from 200 to 4000"),
    ("report h.db --option over=x -o x.html", BAD_INPUT, "--option goes with a chart"),
    ("report s.db --chart shares --option over -o x.svg", BAD_INPUT, "--option over: write KEY=VALUE"),
    ("report s.db --chart shares --option over=x -o x.svg", BAD_INPUT, "no key of this sweep 'x'"),
    ("report s.db --chart shares --option of=x -o x.svg", BAD_INPUT, "no option of shares 'of'"),
    ("report h.db --chart timeline --option from_s=noon -o x.svg", BAD_INPUT, "--option from_s=noon: write a number"),
    ("report r.json --chart occupancy -o r.json", BAD_INPUT, "is the result itself; name another file"),
    ("report h.db --interactive -o x.html", BAD_INPUT, "--interactive"),
    ("report h.db --set lot.slots=5 -o x.md", BAD_INPUT, "--set goes with --scenario"),
    ("report h.db --scenario other.toml -o x.md", BAD_INPUT, "h.db: is of another scenario"),
    ("report broken.json -o x.md", BAD_INPUT, "broken.json: is not a result of parksim run"),
    ("report empty.db -o x.html", NOT_FINISHED, "holds no finished study or sweep"),
    ("report noise.db -o x.html", NOT_FINISHED, "noise.db: is not a store of parksim"),
    ("report h.db -o /dev/full/x.html", BAD_INPUT, "there is no folder /dev/full"),
]


@pytest.mark.parametrize(("line", "code", "told"), WRONG, ids=[case[0] for case in WRONG])
def test_what_is_wrong_is_told(line, code, told, folder, monkeypatch, capsys):
    """One line on stderr says what is wrong, with the documented exit code; nothing is written."""
    monkeypatch.chdir(folder)
    Path("folder.html").mkdir(exist_ok=True)
    Path("noise.db").write_bytes(b"noise" * 100)
    Path("broken.json").write_text("{}")
    if not Path("r.json").exists():
        assert command("run hospital.toml --replications 2 --set run.horizon=1h --out r.json") == DONE
        shutil.copy(ROOT / "scenarios" / "warehouse.toml", "other.toml")
        parksim.Store.open("empty.db").close()
    capsys.readouterr()
    assert command(line) == code
    out, err = capsys.readouterr()
    assert told in err
    assert (out, err.count("Traceback")) == ("", 0)
    assert not Path("x.html").exists()


def test_one_chart_is_drawn_by_the_command(folder, swept, monkeypatch, capsys):
    """A chart with its options becomes the very picture that Python draws."""
    monkeypatch.chdir(folder)
    options = "--option over=lot.max_in_parking --option series=3,4 --option measures=refused_share,lost_share"
    assert command(f"report s.db --chart shares {options} --width 500 -o one.svg") == DONE
    capsys.readouterr()
    chosen = {"over": "lot.max_in_parking", "series": [3, 4], "measures": ["refused_share", "lost_share"]}
    assert Path("one.svg").read_text() == plots.svg_of(swept.plot("shares", width=500, **chosen))
    for name in ("timeline", "occupancy"):
        more = "--option replication=1 --option from_s=3600 --option to_s=7200" if name == "timeline" else ""
        assert command(f"report h.db --chart {name} {more} -o {name}.png") == DONE
        assert Path(f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_a_disk_that_is_full_is_told(folder, monkeypatch, capsys):
    """When the page cannot be written the command says so, and exits with 4."""

    def full(*_arguments, **_options):
        raise OSError(28, "No space left on device", "x.html")

    monkeypatch.chdir(folder)
    monkeypatch.setattr(Path, "write_text", full)
    assert command("report h.db -o x.html") == NOT_FINISHED
    assert "could not finish" in capsys.readouterr().err


def test_without_altair_the_message_names_the_extra_and_markdown_works(folder, monkeypatch, capsys):
    """A page needs the extra `report`, which is said; Markdown needs nothing."""
    monkeypatch.chdir(folder)
    monkeypatch.setitem(sys.modules, "altair", None)
    assert command("report h.db -o none.html") == BAD_INPUT
    told = "altair is not installed; install it with: pip install 'parksim[report]', or write Markdown: -o FILE.md"
    assert told in " ".join(capsys.readouterr().err.split())
    assert command("report h.db -o some.md") == DONE
    assert Path("some.md").read_text().startswith("# Hospital")


def test_a_written_result_is_made_again_and_reported(folder, monkeypatch, capsys):
    """A .json of run becomes a report, too; with the scenario's file its notes are there."""
    monkeypatch.chdir(folder)
    options = "--replications 2 --set run.horizon=2h"
    assert command(f"run hospital.toml {options} --out j.json") == DONE
    assert command("report j.json -o j.md") == DONE
    assert "**guess**" not in Path("j.md").read_text()
    assert command("report j.json -o j.md --scenario hospital.toml --set run.horizon=2h") == DONE
    assert "**guess**" in Path("j.md").read_text()
    capsys.readouterr()


def test_recorded_calls_are_reported_with_and_without_their_file(folder, monkeypatch, capsys):
    """A store has no recording: the page says what it cannot draw; with the scenario's file it draws it."""
    monkeypatch.chdir(folder)
    scenario = ROOT / "scenarios" / "recorded.toml"
    assert command(f"run {scenario} --replications 2 --out rec.db") == DONE
    assert command("report rec.db -o rec.html") == DONE
    assert "Not drawn: the calls cannot be drawn again" in Path("rec.html").read_text()
    assert "scenario.toml" not in Elements(Path("rec.html").read_text()).links
    assert command(f"report rec.db -o rec.html --scenario {scenario}") == DONE
    assert "Not drawn" not in Path("rec.html").read_text()
    capsys.readouterr()


# In a browser ---------------------------------------------------------------------------------------------------------

VIEWS = {"desktop": (1280, 900), "phone": (390, 844)}
LABELS = """const shown = [...document.querySelectorAll("svg")].filter((svg) => svg.getClientRects().length);
const labels = (svg) => [...svg.querySelectorAll("text")].map((one) => [one.textContent, one.getBoundingClientRect()])
  .filter(([words, box]) => words && box.width);
"""
OVERLAPS = """() => { LABELS return shown.flatMap((svg) => labels(svg).flatMap(([a, p], i) => labels(svg).slice(i + 1)
  .filter(([b, q]) => a !== b && Math.min(p.right, q.right) - Math.max(p.left, q.left) > 1
    && Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top) > 3).map(([b]) => [a, b]))); }"""
BESIDE = """() => { LABELS return shown.flatMap((svg) => labels(svg).filter(([, box]) =>
  box.left < svg.getBoundingClientRect().left - 1 || box.right > svg.getBoundingClientRect().right + 1)
  .map(([words]) => words)); }"""
SMALLEST = """() => { LABELS return Math.min(...shown.flatMap((svg) => labels(svg)
  .map(([, box]) => Math.max(box.height, box.width)))); }"""


@contextmanager
def opened(browser, path, view):
    """Open a page with the network off; at the end nothing was asked for but the page, and nothing complained."""
    said, asked = [], []
    context = browser.new_context(viewport={"width": view[0], "height": view[1]}, offline=True)
    page = context.new_page()
    page.set_default_timeout(20_000)
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    yield page
    context.close()
    assert said == []
    assert asked == [path.as_uri()]


@pytest.mark.parametrize("name", ["h", "s"])
@pytest.mark.parametrize("view", VIEWS)
def test_every_chart_is_drawn_offline(browser, folder, name, view):
    """On a wide screen and on a telephone each chart shows once, with marks, within the page, no label on another."""
    with opened(browser, folder / f"{name}.html", VIEWS[view]) as page:
        figures_there = page.locator("figure")
        assert figures_there.count() >= 4
        for number in range(figures_there.count()):
            visible = figures_there.nth(number).locator("svg:visible")
            assert visible.count() == 1
            assert visible.locator("path, line").count() > 5
            assert visible.bounding_box()["height"] > 60
        assert page.evaluate("document.documentElement.scrollWidth") <= VIEWS[view][0]
        assert page.evaluate(OVERLAPS.replace("LABELS", LABELS)) == []
        assert page.evaluate(BESIDE.replace("LABELS", LABELS)) == []
        assert (
            page.evaluate(SMALLEST.replace("LABELS", LABELS)) >= 10
        )  # pixels: nothing is shrunk until it is unreadable


def test_the_page_prints(browser, folder):
    """On paper the wide charts stand, and nothing to click does; the pages are as many as the text needs."""
    with opened(browser, folder / "h.html", VIEWS["desktop"]) as page:
        printed = page.pdf(prefer_css_page_size=True)
        page.emulate_media(media="print")
        shown_kinds = [one.get_attribute("class") for one in page.locator(".picture:visible").all()]
        assert shown_kinds
        assert set(shown_kinds) == {"picture wide"}
        assert page.locator("button:visible, details:visible, a[download]:visible").count() == 0
    assert printed.startswith(b"%PDF")
    assert 3 <= printed.count(b"/Type /Page\n") + printed.count(b"/Type/Page/") <= 12


TIP = """([x, y]) => document.elementFromPoint(x, y)?.querySelector(":scope > title")?.textContent ?? "" """
"""The numbers that a browser shows under the pointer."""


def under_the_pointer(page, mark):
    """Return the numbers that show over the middle of a mark."""
    mark.scroll_into_view_if_needed()
    box = mark.bounding_box()
    return page.evaluate(TIP, [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2])


def test_no_number_of_a_map_hides_its_tip(browser, folder, swept):
    """Over a number of the heat map, too, its design's values show under the pointer."""
    with opened(browser, folder / "s.html", VIEWS["desktop"]) as page:
        cell = figures.heat_map(swept).rows[0]
        words = figures.cell_text("refused_share", cell)
        number = page.locator(".picture.wide").first.get_by_text(words, exact=True).first
        tip = under_the_pointer(page, number)
        assert f"{100 * cell['mean']:.2f}%" in tip
        assert cell["all"] in tip


def test_marks_show_their_numbers_without_a_script(browser, folder):
    """Offline, whatever the scenario is called: a mark has a title of its numbers, and no label of its own."""
    study = parksim.study(HOSPITAL.with_values({"name": HOSTILE}), replications=2, engine="simpy")
    study.report(folder / "x.html")
    with opened(browser, folder / "x.html", VIEWS["desktop"]) as page:
        assert page.get_by_role("heading", level=1).inner_text() == HOSTILE
        bar = page.locator(".picture.wide").nth(1).locator("path:has(> title)").first
        mean = figures.busy_slots(study).rows[0]["mean"]
        assert f"mean: {100 * mean:.2f}%" in under_the_pointer(page, bar)
        assert page.locator(".picture svg [aria-label], .picture.phone title").count() == 0
        assert page.locator("script").count() == 0
    assert (folder / "x.html").stat().st_size < 300_000
