"""The page that plays in a real browser: Debian's Chromium, driven by playwright, from a file, with the network off.

Skipped where playwright (extra ``browser``) or Chromium is not installed. One browser serves all tests of the file.
"""

import csv
import hashlib
import io
import re
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from play_stage import place_of, script_of

import parksim
from parksim.cli.main import main
from parksim.cli.options import BAD_INPUT, DONE
from parksim.journal.journal import COLUMNS
from parksim.reports.play.controls import controls_of
from parksim.reports.screen import shown
from parksim.rules import codes
from parksim.scenario.model import Scenario
from tests.chromium import CHROMIUM

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install '.[browser]'")
expect = sync_api.expect

SHIPPED = sorted((Path(__file__).parents[2] / "scenarios").glob("*.toml"))
HOSPITAL = Scenario.load(next(file for file in SHIPPED if file.stem == "hospital")).with_values({"run.horizon": "12h"})
REPLICATIONS = 6
HOSTILE = "<img src=x onerror=alert(1)>"
VIEWS = [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: apt-get install chromium")


@pytest.fixture(scope="module")
def study():
    """Half a day of the hospital."""
    return parksim.study(HOSPITAL, REPLICATIONS, seed=1, engine="simpy")


@pytest.fixture(scope="module")
def file(study, tmp_path_factory):
    """Its page."""
    path = tmp_path_factory.mktemp("play") / "h.html"
    study.report(path, play=True)
    return path


@contextmanager
def opened(browser, path, *, fragment="", before="", **circumstances):
    """Open a page; at the end it has asked for nothing but itself and its own worker, and nothing has complained."""
    said, asked = [], []
    context = browser.new_context(**({"viewport": {"width": 1280, "height": 900}, "offline": True} | circumstances))
    page = context.new_page()
    page.set_default_timeout(30_000)
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(dialog.message) or dialog.dismiss())
    page.on("request", lambda request: asked.append(request.url))
    if before:
        page.add_init_script(before)
    page.goto(path.as_uri() + fragment)
    yield page
    context.close()
    assert said == []
    assert {url for url in asked if not url.startswith("blob:")} == {path.as_uri()}


def settled(page):
    """Wait until the numbers of all replications of the newest setting stand there."""
    expect(page.locator("#play-progress")).to_contain_text(re.compile(r"^(\d+) of \1 replications?\."), timeout=60_000)
    return page


def lines(page):
    """Return the table of the objectives, row by row, cell by cell."""
    rows = page.locator("#play-objectives tbody tr").all()
    return [[cell.strip() for cell in row.locator("td").all_text_contents()] for row in rows]


def says(page, study):
    """Check that the page shows a study's objectives: value, interval and verdict, to the last digit."""
    table = lines(page)
    assert len(table) == len(study.objectives)
    for one, cells in zip(study.objectives, table, strict=True):
        measure = one.objective.measure
        assert cells[1:5] == [
            one.objective.text,
            *shown(measure, study.estimate(measure)),
            f"{sign(one)} {one.verdict}",
        ]


def sign(one):
    """Return the sign of a verdict."""
    return {"met": "\N{CHECK MARK}", "missed": "\N{MULTIPLICATION X}", "undecided": "?"}[one.verdict]


def field(page, study, key):
    """Return the first input of a control."""
    return page.locator(f'#play-controls [data-place="{place_of(study, key)}"] :is(input, select)').first


def command(line):
    """Run the command line here and return its exit code."""
    return main(line.split())


# Numbers --------------------------------------------------------------------------------------------------------------


def test_the_page_begins_with_the_report_s_own_numbers(browser, file, study):
    """Every objective to the digit; nothing is moved, so there is nothing to go back to."""
    with opened(browser, file) as page:
        says(settled(page), study)
        expect(page.locator("#play-moved")).to_have_text("Nothing is moved: this is the report\u2019s design.")
        expect(page.get_by_role("button", name="Back to the report")).to_be_disabled()
        assert {row[5] for row in lines(page)} == {"the same"}


def test_a_key_on_a_slider_gives_the_numbers_of_that_study(browser, file, study):
    """One slot more by the keyboard: the numbers of ``run --set lot.slots=5``; and back again."""
    other = parksim.study(HOSPITAL.with_values({"lot.slots": 5}), REPLICATIONS, seed=1, engine="simpy")
    with opened(browser, file) as page:
        settled(page)
        field(page, study, "lot.slots").focus()
        page.keyboard.press("ArrowRight")
        expect(page.locator("#play-moved")).to_contain_text("Moved: slots of the lot: 5.")
        says(settled(page), other)
        assert lines(page)[0][5].startswith("\u2212")
        assert page.url.endswith("#lot.slots=5")
        page.get_by_role("button", name="Back to the report").click()
        says(settled(page), study)


@pytest.mark.slow
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_page_of_each_shipped_scenario_begins_with_the_report_s_numbers(browser, tmp_path, path):
    """At full length, ten replications (two of the two longest)."""
    scenario = Scenario.load(path)
    study = parksim.study(scenario, 10 if scenario.expected_calls < 5_000 else 2, seed=1)
    study.report(tmp_path / "page.html", play=True)
    with opened(browser, tmp_path / "page.html") as page:
        settled(page)
        if study.objectives:
            says(page, study)
        else:
            names = ("refused_share", "expired_share", "occupancy_mean")
            assert [row[1:3] for row in lines(page)] == [list(shown(name, study.estimate(name))) for name in names]


HASHES = """(replication) => {
  const design = designOf({}), rows = [], calls = new Calls(design, MODEL.seed, replication, new Map());
  simulate(design.settings, calls, (fact) => {
    const row = new DataView(new ArrayBuffer(28));
    row.setBigInt64(0, BigInt(fact.time_us), true);
    row.setBigInt64(8, BigInt(fact.deadline_us), true);
    row.setInt32(16, fact.call, true);
    ["lot", "slot", "extension"].forEach((name, place) => row.setInt16(20 + 2 * place, fact[name], true));
    row.setUint8(26, fact.kind);
    row.setUint8(27, fact.reason);
    rows.push(row.buffer);
  });
  return new Blob(rows).arrayBuffer().then((bytes) => crypto.subtle.digest("SHA-256", bytes))
    .then((hash) => Array.from(new Uint8Array(hash), (one) => one.toString(16).padStart(2, "0")).join(""));
}"""


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_journals_made_in_chromium_are_pythons_byte_for_byte(browser, tmp_path, path):
    """Three seeds of each shipped scenario, drawn there from the seed, of a day at most: SHA-256 of all rows."""
    scenario = Scenario.load(path)
    if scenario.horizon_us > 86_400e6:
        scenario = scenario.with_values({"run.horizon": "1d", "run.warm_up": "1h"})
    html = tmp_path / "empty.html"
    html.write_text("<!DOCTYPE html><title>A page</title>", encoding="utf-8")
    for seed in (1, 2, 3):
        study = parksim.study(scenario, 1, seed=seed, engine="simpy", controls=False)
        with opened(browser, html) as page:
            page.add_script_tag(content=script_of(study))
            found = page.evaluate(HASHES, 0)
        journal = parksim.run(scenario, seed=seed).journal
        table = np.empty(len(journal), np.dtype(list(COLUMNS)))
        for name, _ in COLUMNS:
            table[name] = journal.columns[name]
        assert found == hashlib.sha256(table.tobytes()).hexdigest()


# What one does --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "scheme"), VIEWS)
def test_every_control_moves_by_keyboard_and_by_pointer(browser, file, study, width, scheme):
    """On a wide screen and a telephone, light and dark; the link brings it back; nothing is wider than the page."""
    circumstances = {"viewport": {"width": width, "height": 844}, "color_scheme": scheme}
    movable = [one for one in controls_of(HOSPITAL) if not one.still]
    with opened(browser, file, **circumstances) as page:
        settled(page)
        for control in movable:
            one = field(page, study, control.key if control.unit != "times" else control.what)
            if control.choices:
                one.select_option("drop")
                continue
            one.focus()
            before = one.input_value()
            page.keyboard.press("ArrowRight")
            moved = one.input_value()
            assert moved != before, control
            box = one.bounding_box()
            one.click(position={"x": 0.9 * box["width"], "y": box["height"] / 2})
            assert one.input_value() not in (before, moved), control
        assert page.locator("#play-controls .moved").count() == len(movable)
        table, address = lines(settled(page)), page.url
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
        assert dark == (scheme == "dark")
    with opened(browser, file, fragment=address[address.index("#") :], **circumstances) as page:
        settled(page)
        assert lines(page) == table
        assert page.locator("#play-controls .moved").count() == len(movable)


def test_an_overtaken_computation_is_dropped(browser, file, study):
    """Twenty movements without a pause: all but few are dropped, and the numbers are those of the last one."""
    other = parksim.study(HOSPITAL.with_values({"lot.slots": 3}), REPLICATIONS, seed=1, engine="simpy")
    with opened(browser, file) as page:
        settled(page)
        page.evaluate("performance.clearMeasures()")
        slots = place_of(study, "lot.slots")
        page.evaluate(
            """(place) => {
              const slider = document.querySelector(`#play-controls [data-place="${place}"] input`);
              for (let turn = 0; turn < 20; turn += 1) {
                slider.value = turn === 19 ? 3 : 1 + turn % 10;
                slider.dispatchEvent(new Event("input", { bubbles: true }));
              }
            }""",
            slots,
        )
        says(settled(page), other)
        shown_times = page.evaluate("performance.getEntriesByName('first numbers').length")
        assert 1 <= shown_times <= 3


def test_one_replication_has_no_intervals_and_decides_nothing(browser, tmp_path):
    """The page of one replication works as well; what has no interval says so."""
    study = parksim.study(HOSPITAL, 1, seed=1, engine="simpy")
    study.report(tmp_path / "one.html", play=True)
    with opened(browser, tmp_path / "one.html") as page:
        says(settled(page), study)
        field(page, study, "lot.slots").press("ArrowRight")
        expect(page.locator("#play-moved")).to_contain_text("Moved: slots of the lot: 5.")
        settled(page)
        assert {row[3] for row in lines(page)} == {"none from 1"}


def test_a_number_field_takes_what_it_can(browser, file, study):
    """Too great becomes the greatest, nothing and letters become the report's value; a wrong address is left out."""
    with opened(browser, file, fragment="#lot.slots=many&no.such=3&%zz&lot.max_in_parking=1e9") as page:
        settled(page)
        assert page.locator("#play-controls .moved").count() == 1
        number = page.locator(f'#play-controls [data-place="{place_of(study, "lot.max_in_parking")}"] input').nth(1)
        assert number.input_value() == "3600"
        number.fill("")
        number.press("Enter")
        assert number.input_value() == "180"
        expect(page.locator("#play-moved")).to_contain_text("Nothing is moved")


def test_what_is_saved_is_a_scenario_that_agrees(browser, file, tmp_path, monkeypatch, capsys):
    """Everything is moved, saved, and run on the command line: the same numbers to the digit."""
    moved = "#lot.slots=5&lot.max_in_parking=95&attendants.count=4&retrieval.staff=9&lot.when_full=drop"
    moved += "&parking.probability=0.7&volume=1.25&speed=0.8&parking.announcement=6.5"
    monkeypatch.chdir(tmp_path)
    with opened(browser, file, fragment=moved) as page:
        settled(page)
        assert page.locator("#play-controls .moved").count() == 9
        with page.expect_download() as download:
            page.get_by_role("button", name="Save as scenario").click()
        download.value.save_as("scenario.toml")
        told = page.locator("#play-note").inner_text().partition("Type: parksim ")[2]
        assert main([*told.split(), "--engine", "simpy", "--out", "s.db"]) == DONE
        says(page, parksim.load("s.db"))
    capsys.readouterr()


def test_what_was_tried_is_a_table_and_a_file(browser, file, study):
    """Each setting once, newest first, with its answers; a link goes back to it; the CSV has all digits."""
    with opened(browser, file) as page:
        settled(page)
        for key in ("ArrowRight", "ArrowRight", "ArrowLeft"):
            field(page, study, "lot.slots").press(key)
            settled(page)
        page.locator("#play-tried-box summary").click()
        first = page.locator("#play-tried tbody td:first-child").all_text_contents()
        assert first == ["Slots of the lot: 5", "Slots of the lot: 6", "The report\u2019s design"]
        href = page.locator("#play-csv").get_attribute("href")
        text = page.evaluate("(href) => decodeURIComponent(href.slice(href.indexOf(',') + 1))", href)
        rows = list(csv.DictReader(io.StringIO(text)))
        assert [row["lot.slots"] for row in rows] == ["5", "6", "4"]
        measure = study.objectives[0].objective.measure
        assert abs(float(rows[2][measure]) - study.estimate(measure).mean) < 1e-12
        page.get_by_role("link", name="Slots of the lot: 6").click()
        expect(page.locator("#play-moved")).to_contain_text("Moved: slots of the lot: 6.")


def test_the_timeline_steps_from_refusal_to_refusal(browser, file):
    """Each step says where it is; the bars are the journal's stays of that hour."""
    with opened(browser, file) as page:
        settled(page)
        said = page.locator("#play-day-says")
        expect(said).to_contain_text("calls in the lot")
        seen = []
        for _ in range(3):
            page.get_by_role("button", name="Next refused park").click()
            seen.append(said.inner_text().partition(".")[0])
        journal = parksim.run(HOSPITAL, seed=1).journal
        refused = journal.time_us[journal.kind == codes.REFUSED].tolist()
        expected = [f"Refused at {clock(time_us)}" for time_us in refused[1:4]]
        assert seen == expected
        page.get_by_role("button", name="Next return").click()
        expect(said).to_contain_text("Came back at")
        page.get_by_role("spinbutton", name="Replication").fill("3")
        page.get_by_role("spinbutton", name="Replication").press("Enter")
        expect(said).to_contain_text("calls in the lot")


def clock(time_us):
    """Return a time of day with seconds."""
    seconds = int(time_us // 1_000_000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


# For everybody --------------------------------------------------------------------------------------------------------


def test_the_controls_and_the_answer_have_names_and_roles(browser, file):
    """A screen reader finds sliders, fields and charts by name, and is told the verdict politely."""
    with opened(browser, file) as page:
        settled(page)
        for name in ("Slots of the lot", "Time-out, seconds", "Attendants", "Share of calls that are parked, per cent"):
            expect(page.get_by_role("slider", name=name, exact=True)).to_be_visible()
            expect(page.get_by_role("spinbutton", name=f"{name}, as a number")).to_be_visible()
        expect(page.get_by_role("combobox", name="What happens when the lot is full")).to_be_visible()
        assert page.get_by_role("slider", name="Time-out").first.get_attribute("aria-valuetext") == "3 min"
        assert page.locator("#play-verdict").get_attribute("aria-live") == "polite"
        assert page.get_by_role("img", name=re.compile("^Busy slots by hour of the day")).count() == 1
        assert page.get_by_role("img", name=re.compile("^Refused parks per hour")).count() == 1
        tree = page.locator("#play").aria_snapshot()
        assert 'heading "Try other values" [level=2]' in tree
        assert 'group "Slots of the lot"' in tree


def test_hours_show_their_numbers_under_the_pointer(browser, file):
    """Over an hour of the chart its numbers stand below it, and the usual words when the pointer has left."""
    with opened(browser, file) as page:
        settled(page)
        usual = page.locator("#play-busy-read").inner_text()
        page.locator("#play-busy .hit").nth(10).hover()
        expect(page.locator("#play-busy-read")).to_contain_text(re.compile(r"^10 to 11 h: \d\.\d\d of 4 slots busy"))
        page.locator("#play-verdict").hover()
        expect(page.locator("#play-busy-read")).to_have_text(usual)


def test_paper_has_the_setting_and_no_controls(browser, file):
    """What is printed is the picture of the current setting."""
    with opened(browser, file, fragment="#lot.slots=6") as page:
        settled(page)
        page.emulate_media(media="print")
        assert page.locator("#play :is(button, input, select, form, details):visible").count() == 0
        expect(page.locator("#play-moved")).to_contain_text("Moved: slots of the lot: 6.")
        assert page.locator("#play-busy svg:visible").count() == 1
        assert page.pdf().startswith(b"%PDF")


@pytest.mark.parametrize("missing", ["DecompressionStream", "Worker"])
def test_an_old_browser_gets_the_report_and_a_sentence(browser, file, missing):
    """Without what it takes the section is away, the report is there, and a sentence says why."""
    with opened(browser, file, before=f"delete window.{missing};") as page:
        expect(page.locator("#play-cannot")).to_have_text(
            "This browser is too old, so this page cannot try other values; the report is complete without it."
        )
        expect(page.locator("#play")).to_be_hidden()
        expect(page.get_by_role("heading", name="What was seen")).to_be_visible()


def test_without_scripts_the_report_is_there(browser, file):
    """No JavaScript: the report and a sentence."""
    with opened(browser, file, java_script_enabled=False) as page:
        assert "With JavaScript this page also runs the switchboard" in page.content()
        expect(page.locator("#play")).to_be_hidden()
        expect(page.get_by_role("heading", name="What was seen")).to_be_visible()


@pytest.mark.parametrize("name", [HOSTILE, "</script><script>alert(2)</script>"])
def test_the_text_of_a_scenario_is_inert(browser, tmp_path, study, name):
    """Whatever a scenario is called, the page shows it as text, and does what it does."""
    hostile = replace(study, scenario=HOSPITAL.with_values({"name": name}))
    hostile.report(tmp_path / "x.html", play=True)
    with opened(browser, tmp_path / "x.html") as page:
        says(settled(page), study)
        assert page.get_by_role("heading", level=1).inner_text() == name
        assert page.locator("img").count() == 0


def test_two_hundred_slots_in_two_lots(browser, tmp_path):
    """Both lots can be moved, the timeline has a row for each slot, and the numbers are the study's."""
    values = {"run.horizon": "3h", "lot.clinic.slots": 150, "lot.firm.slots": 50, "arrivals.rate": "600/h"}
    scenario = Scenario.load(next(file for file in SHIPPED if file.stem == "two-organisations"))
    scenario = scenario.with_values(values | {"attendants.count": 20, "retrieval.never": 1})
    study = parksim.study(scenario, 3, seed=1, engine="simpy")
    study.report(tmp_path / "x.html", play=True)
    with opened(browser, tmp_path / "x.html") as page:
        says(settled(page), study)
        expect(page.get_by_role("slider", name="Slots of lot clinic", exact=True)).to_have_value("150")
        expect(page.get_by_role("slider", name="Slots of lot firm", exact=True)).to_have_value("50")
        assert page.locator("#play-timeline svg").bounding_box()["height"] > 400
        expect(page.get_by_text("Stands still: the scenario sets no limit.")).to_be_visible()
        field(page, study, "lot.clinic.slots").press("ArrowLeft")
        other = parksim.study(scenario.with_values({"lot.clinic.slots": 149}), 3, seed=1, engine="simpy")
        expect(page.locator("#play-moved")).to_contain_text("Moved: slots of lot clinic: 149.")
        says(settled(page), other)


def test_a_notebook_shows_the_same_page_in_a_frame(browser, tmp_path, study):
    """The frame is sandboxed, without an address of its own; its numbers are the study's."""
    html = study.play()._repr_html_()
    assert 'sandbox="allow-scripts allow-downloads"' in html
    path = tmp_path / "notebook.html"
    path.write_text(f"<!DOCTYPE html><title>A notebook</title>{html}", encoding="utf-8")
    with opened(browser, path) as page:
        frame = page.frame_locator("iframe")
        expect(frame.locator("#play-progress")).to_have_text("6 of 6 replications.", timeout=60_000)
        first = frame.locator("#play-objectives tbody tr").first.locator("td").all_text_contents()
        assert tuple(first[2:4]) == shown("refused_share", study.estimate("refused_share"))
        frame.get_by_role("slider", name="Slots of the lot", exact=True).press("ArrowRight")
        expect(frame.locator("#play-moved")).to_contain_text("Moved: slots of the lot: 5.")


# The command ----------------------------------------------------------------------------------------------------------


def test_the_command_writes_a_page_that_plays(tmp_path, monkeypatch, capsys):
    """``report --play`` writes one file of less than 1.5 MB; what cannot play is a message and code 2."""
    monkeypatch.chdir(tmp_path)
    assert command("run small-office --replications 2 --engine simpy --out r.db") == DONE
    assert command("report r.db -o r.html --play") == DONE
    text = Path("r.html").read_text(encoding="utf-8")
    assert "script-src 'sha256-" in text
    assert len(text) < 1_500_000
    assert command("report r.db -o r.md --play") == BAD_INPUT
    assert "--play goes with a page" in capsys.readouterr().err
    assert command("sweep small-office --over lot.slots=2..3 --replications 2 --engine simpy --out s.db") == DONE
    assert command("report s.db -o s.html --play") == BAD_INPUT
    assert "a page plays one design, the result of run, not a Sweep" in capsys.readouterr().err
