"""Pages of a log: what was read, whether the PBX follows the rules, what to record; a calibration beside its check."""

import csv
import io
import re
from pathlib import Path

import pytest
import scipy.stats

import parksim
from parksim.cli.main import main
from parksim.cli.options import BAD_INPUT, DONE, MISSED, UNDECIDED
from parksim.pbx.check_of_fit import LOGS, Checked, bands
from parksim.pbx.fitting import percent
from parksim.pbx.formats.entry import TELLS
from parksim.pbx.formats.freeswitch import FORM as VALET
from parksim.pbx.to_record import to_record
from parksim.reports import html as report_page
from parksim.reports.markdown import markdown
from parksim.reports.stories import story_of
from parksim.reports.story_logs import TOO_MANY
from tests.reports.test_report_page import HOSTILE, VIEWS, Elements, content, opened

SOAK = Path(__file__).parents[1] / "pbx" / "traces" / "soak_first.jsonl"
ROWS = ["0,parked,a,701,front", "10,parked,b,702,front", "15,retrieved,a,701,front", "40,retrieved,b,702,front"]


@pytest.fixture(scope="module")
def soak():
    """The recording of 200 calls, replayed."""
    return parksim.replay(SOAK)


@pytest.fixture(scope="module")
def checked(soak):
    """Its scenario beside simulated logs."""
    found = soak.calibrate()
    return Checked(soak, found, bands(found, soak.log, soak.measures))


def csv_log(folder, rows, header="time,event,call,slot,lot"):
    """Write a log as CSV and return its path."""
    path = folder / "log.csv"
    path.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    return path


def read(result):
    """Return the page of a result, read."""
    return Elements(report_page.page(story_of(result)))


def test_the_page_says_what_the_replay_found(soak):
    """Verdict, counts by kind, span, what each form tells and does not, and each measure with its interval."""
    said = read(soak).text
    assert "It follows the rules: all 404 parking events that can be judged agree." in said
    for words, count in (("Calls parked", 202), ("Parks refused", 10), ("Calls fetched", 108), ("Time-outs", 47)):
        assert f"{words}{count}{count}0" in said
    for one, words in TELLS.items():
        told = "no file" if one not in soak.log.tells else soak.log.form
        assert f"{words[0].upper()}{words[1:]}{told}" in said
    assert f"The log covers {soak.log.covered_us / 3.6e9:,.2f} hours" in said
    links = read(soak).links
    rows = list(csv.DictReader(io.StringIO(content(links["measures.csv"]))))
    assert [row["measure"] for row in rows] == list(soak.measures)
    for row in rows:
        one = soak.measures[row["measure"]]
        assert row["value"] == ("" if one.value is None else repr(one.value))


def test_the_first_wrong_rows_are_named_with_their_lines(tmp_path):
    """A slot given twice: the page names file, line and rule; the command's exit code stays that of the verdict."""
    path = csv_log(tmp_path, [ROWS[0], "5,parked,b,701,front", "15,retrieved,a,701,front", "40,retrieved,b,701,front"])
    met = parksim.replay(path)
    assert met.follows is False
    said = read(met).text
    assert "It does not follow the rules" in said
    assert f"log.csv{met.agreement.first.line}{met.agreement.first.why}" in said
    assert main(["replay", str(path), "--report", str(tmp_path / "page.html")]) == MISSED
    assert said == Elements((tmp_path / "page.html").read_text()).text
    met.report(tmp_path / "again.html")
    assert (tmp_path / "again.html").read_bytes() == (tmp_path / "page.html").read_bytes()


def test_a_log_without_parks_says_why_and_what_to_record(tmp_path, capsys):
    """A queue's log: not told is a verdict of its own; the page says which files tell the rest, and how to get them."""
    path = tmp_path / "queue_log"
    lines = [f"{1772409600 + 60 * n}|17724.{n}|desk|NONE|ENTERQUEUE||55501|1" for n in range(5)]
    path.write_text("\n".join(lines) + "\n")
    assert main(["replay", str(path), "--report", str(tmp_path / "q.html")]) == UNDECIDED
    said = Elements((tmp_path / "q.html").read_text()).text
    assert "cannot be told from this log" in said
    for words in ("in cel.conf set enable = yes", "timestampevents = yes", "parksim import res_parking.conf"):
        assert words in said
    assert "2026-03-02 00:00:00 to 2026-03-02 00:04:00" in said
    assert "queue_log = yes" not in said  # it is there
    capsys.readouterr()


def test_what_to_record_is_of_the_system_that_wrote_the_log():
    """FreeSWITCH's log is not answered with Asterisk's files; a log that tells all gets no advice."""
    assert not any("manager.conf" in one.how or "cel.conf" in one.how for one in to_record([VALET], []))
    assert to_record(["queue_log"], TELLS) == []
    told = {words for one in to_record(["queue_log"], []) for words in one.lacking.split("; ")}
    assert told == set(TELLS.values())


def test_faults_stand_with_their_line_and_effect(tmp_path):
    """A log in which every event stands twice, and one that was cut: what, where, and what follows."""
    rows = ["1000000000,parked,a,701,front", "1000000000.001,parked,a,701,front", "1000000030,retrieved,a,701,front"]
    met = parksim.replay(csv_log(tmp_path, rows))
    (remark,) = met.log.remarks.values()
    assert f"log.csv{remark.line}{remark.what}{remark.effect}{remark.times}" in read(met).text


def test_a_calibration_stands_beside_simulated_logs(checked):
    """Each band, each figure with its interval, each guess; how many outside are chance."""
    page = report_page.page(story_of(checked, "mine.toml"))
    said = Elements(page).text
    inside = len(checked.bands) - len(checked.outside)
    assert f"{inside} of {len(checked.bands)} measures of the log lie within those of {LOGS} simulated logs" in said
    never = percent(checked.found.figures["retrieval.never"])
    assert never.split(" ")[0].replace("%", " %") in said
    for one in checked.found.unknown:
        assert one[1:] in said
    assert "parksim run mine.toml" in said
    assert content(Elements(page).links["scenario.toml"]) == checked.found.toml
    assert story_of(checked).guesses == sum(bool(re.match("guess", note)) for note in checked.found.notes.values())
    assert scipy.stats.binom(10, 0.05).sf(TOO_MANY - 1) == pytest.approx(0.012, abs=5e-4)
    assert scipy.stats.binom(10, 0.05).sf(0) == pytest.approx(0.40, abs=5e-3)


def test_hostile_names_are_words(tmp_path):
    """A lot and a call that are markup stand in the page as text: no element and no handler comes of them."""
    quoted = '"' + HOSTILE.replace('"', '""') + '"'
    rows = [row.replace("front", quoted).replace(",a,", f",{quoted},") for row in ROWS]
    met = parksim.replay(csv_log(tmp_path, [*rows, f"90,retrieved,{quoted},705,{quoted}"]))
    story = story_of(met)
    elements = Elements(report_page.page(story))
    assert "<script>alert(1)</script>" in elements.text
    assert {"script", "img"}.isdisjoint(elements.tags)
    assert not [name for name, _ in elements.attributes if name.startswith("on")]
    assert "<script" not in markdown(story).replace("\\<script", "")


def test_nothing_in_the_page_asks_for_anything(soak, checked):
    """No address, no script, no style sheet or font of elsewhere."""
    for result in (soak, checked):
        page = report_page.page(story_of(result))
        assert {"script", "link", "iframe", "object", "img"}.isdisjoint(Elements(page).tags)
        targets = [value for key, value in Elements(page).attributes if key in {"src", "href", "action"}]
        assert all(target.startswith(("data:", "#")) for target in targets)
        assert "default-src 'none'" in page
        assert page == report_page.page(story_of(result))


WRONG = [
    ("replay LOG --report page.txt", "--report page.txt: the file's name ends in .html or .md"),
    ("replay LOG --report none/page.html", "there is no folder none"),
    ("calibrate LOG --report page.pdf", "the file's name ends in .html or .md"),
    ("calibrate --counts LOG --report page.html", "--report is for the log of single calls"),
]


@pytest.mark.parametrize(("line", "told"), WRONG)
def test_what_is_wrong_is_told(line, told, tmp_path, monkeypatch, capsys):
    """The file's name, its folder, and counters: one message before anything is read."""
    monkeypatch.chdir(tmp_path)
    path = csv_log(tmp_path, ROWS)
    assert main([str(path) if word == "LOG" else word for word in line.split()]) == BAD_INPUT
    assert told in capsys.readouterr().err
    assert list(tmp_path.glob("page*")) == []


def test_both_commands_write_their_page(tmp_path, monkeypatch, capsys):
    """A page and Markdown, beside what the screen says."""
    monkeypatch.chdir(tmp_path)
    assert main(["calibrate", str(SOAK), "-o", "mine.toml", "--report", "c.html"]) == DONE
    assert "mine.toml" in capsys.readouterr().out
    assert "parksim run mine.toml" in Elements(Path("c.html").read_text()).text
    assert main(["replay", str(SOAK), "--report", "r.md"]) == DONE
    assert Path("r.md").read_text().startswith("# soak_first.jsonl\n")


# Colours, telephones, paper -------------------------------------------------------------------------------------------


def luminance(colour):
    """Return the relative luminance of "#rgb" or "#rrggbb" (WCAG 2.2)."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * one for one in colour[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_words_are_readable_in_both_schemes():
    """Every colour of words against both grounds of its scheme: at least 4.5 to 1 (WCAG 2.2, 1.4.3)."""
    schemes = [
        dict(re.findall(r"--(\w+): (#[0-9a-f]{3,6})", one)) for one in re.findall(r":root \{[^}]*\}", report_page.STYLE)
    ]
    assert len(schemes) == 2
    for scheme in schemes:
        for name in ("ink", "soft", "met", "missed", "undecided", "link"):
            for ground in ("paper", "code"):
                light, dark = sorted((luminance(scheme[name]), luminance(scheme[ground])), reverse=True)
                assert (light + 0.05) / (dark + 0.05) >= 4.5, (name, ground)


@pytest.mark.parametrize("view", VIEWS)
def test_the_pages_fit_their_screens(browser, soak, checked, view, tmp_path):
    """On a wide screen and on a telephone nothing lies beside the page; nothing is asked for."""
    for number, result in enumerate((soak, checked)):
        path = tmp_path / f"{number}.html"
        path.write_text(report_page.page(story_of(result)), encoding="utf-8")
        with opened(browser, path, VIEWS[view]) as page:
            assert page.evaluate("document.documentElement.scrollWidth") <= VIEWS[view][0]


def test_the_page_is_dark_where_the_reader_wants_it_and_white_on_paper(browser, soak, tmp_path):
    """The ground follows the scheme on a screen; on paper it is white in both, and nothing to click shows."""
    path = tmp_path / "page.html"
    path.write_text(report_page.page(story_of(soak)), encoding="utf-8")
    ground = "getComputedStyle(document.body).backgroundColor"
    with opened(browser, path, VIEWS["desktop"]) as page:
        assert page.evaluate(ground) == "rgb(255, 255, 255)"
        page.emulate_media(color_scheme="dark")
        assert page.evaluate(ground) == "rgb(22, 24, 28)"
        page.emulate_media(color_scheme="dark", media="print")
        assert page.evaluate(ground) == "rgb(255, 255, 255)"
        assert page.locator("button:visible, details:visible, a[download]:visible").count() == 0
