"""What people read: the screen, its numbers, the JSON, and progress in a terminal and in a pipe."""

import io
import json
import math
import os
import select
import sys
from pathlib import Path

import pytest
from rich.console import Console

import parksim
from parksim.catalogue import SCALARS, SECTIONS, VECTORS
from parksim.cli import progress
from parksim.cli.progress import Progress
from parksim.reports.screen import WIDTH, screen, screen_text
from parksim.reports.story import measured
from parksim.scenario.model import TEMPLATE, Scenario
from parksim.stats.estimate import Estimate, mean_of, t_interval, undefined
from parksim.studies.study import Study

SCENARIO = Scenario.loads(TEMPLATE)
SCENARIOS = Path(__file__).parents[2] / "scenarios"


def result(**changes):
    """Return one replication's measures, all 0 but those given."""
    lengths = {"occupancy_pmf": 7, "slot_utilisation": 6} | {name: 1 for name in VECTORS if "by_lot" in name}
    vectors = {name: [0.0] * lengths.get(name, 24) for name in VECTORS}
    counts = {"parked_s_mean": 60.0, "parks_requested": 1000.0, "parks_made": 1000.0}
    return dict.fromkeys(SCALARS, 0.0) | vectors | counts | changes


def study(*results, scenario=SCENARIO, stopped="3 replications were asked for"):
    """Return a study with these results."""
    return Study(scenario, 1, "simpy", 0.95, results, stopped)


def line_of(text, name):
    """Return the words of the one line of a screen that begins with a measure's name."""
    [line] = [line for line in text.splitlines() if line.strip().startswith(f"{name} ")][-1:]
    return " ".join(line.split())


# The screen -----------------------------------------------------------------------------------------------------------


def test_the_screen_shows_to_two_digits_of_the_half_width():
    """1, 2, 3 erlang: 2.0 with half-width 2.5; 10.00 to 10.02: four decimals are shown; shares are in per cent.

    No measure is less than 0, and no interval goes there.
    """
    three = [
        result(occupancy_mean=value, parked_s_mean=10 + value / 100, expired_share=value / 10)
        for value in (1.0, 2.0, 3.0)
    ]
    text = screen_text(study(*three))
    estimate = t_interval(mean_of([1.0, 2.0, 3.0]))
    assert round(estimate.half_width, 4) == 2.4841
    assert line_of(text, "occupancy_mean").startswith("occupancy_mean 2.0 0.0 to 4.5 ")
    assert json.loads(study(*three).to_json())["estimates"]["occupancy_mean"]["low"] == 0.0 > estimate.low
    assert line_of(text, "parked_s_mean").startswith("parked_s_mean 10.020 9.995 to 10.045 ")
    assert line_of(text, "expired_share").startswith("expired_share 20 % 3 % to 56 % ")


def test_no_interval_goes_beyond_the_slots():
    """5, 5 and 6 of 6 slots: 5.33 with half-width 1.43 ends at 6, on the screen and in the report, of a lot too."""
    full = study(
        *(result(occupancy_mean=n, occupancy_mean_by_hour=[n] * 24, occupancy_mean_by_lot=[n]) for n in (5.0, 5.0, 6.0))
    )
    assert line_of(screen_text(full), "occupancy_mean").startswith("occupancy_mean 5.3 3.9 to 6.0 ")
    estimates = full.estimate("occupancy_mean_by_lot", 0), full.estimate("occupancy_mean_by_hour", 3)
    assert [one.high for one in estimates] == [6.0, 6.0]
    assert measured(full, "occupancy_mean") == "5.3 (3.9 to 6.0)"


def note_of(text, name):
    """Return a measure's row without the number of its note, and that note."""
    row, _, number = line_of(text, name).rpartition(" [")
    (note,) = [line for line in text.splitlines() if line.startswith(f"[{number}")]
    return row, note.partition("] ")[2]


def test_the_screen_says_what_there_is_no_interval_of():
    """One replication has points and no intervals; what is undefined has a dash and its reason."""
    text = screen_text(study(result(occupancy_mean=1.25, recall_busy_share=math.nan, calls_offered=2118.0)))
    assert line_of(text, "occupancy_mean").startswith("occupancy_mean 1.2500 none from 1 ")
    assert line_of(text, "calls_offered").startswith("calls_offered 2,118 none from 1 ")
    assert note_of(text, "recall_busy_share") == ("recall_busy_share - undefined none", "no call timed out")
    assert text.splitlines()[1] == "6 slots, 3 attendants; one replication, from 30 min to 1 d"


def test_the_screen_has_theory_or_the_reason_why_not():
    """Where a formula holds its value stands in the measure's unit, elsewhere the reason."""
    scenario = Scenario.load(Path(__file__).parents[2] / "scenarios" / "lot-only.toml")
    lines = study(result(), result(), scenario=scenario).summary()
    row, note = note_of(lines, "refused_share")
    assert row.endswith("3.0000 %")
    assert note.startswith("exact: Erlang B")
    row, note = note_of(lines, "occupancy_max")
    assert row.endswith(" ±10 %")
    assert note == "approximate, ± % of the value: offered load"
    assert note_of(lines, "staff_utilisation")[1] == "staff are unlimited"


def test_the_screen_is_one_screen():
    """All sections on fewer than 45 lines of at most 110 columns and the notes, with the longest numbers there are."""
    large = [result(**{name: 1e9 * (1 + place / 3) for name in SCALARS if "_share" not in name and "util" not in name})
             for place in range(3)]  # fmt: skip
    for results in (large, [result()] * 3, [result()]):
        lines = screen_text(study(*results)).splitlines()
        assert len([line for line in lines if not line.startswith("[")]) < 45
        assert max(map(len, lines)) <= WIDTH
        shown = [name for section in SECTIONS.values() for name in section]
        assert all(any(line.strip().startswith(f"{name} ") for line in lines) for name in shown)
    assert {name for section in SECTIONS.values() for name in section} <= set(SCALARS)


def test_the_screen_colours_verdicts_only_where_colour_is():
    """Met is green, missed red; NO_COLOR and files get none of it."""
    bad = study(*(result(refused_share=0.5 + place / 100, expired_share=place / 1000) for place in range(3)))
    coloured = Console(file=io.StringIO(), force_terminal=True, color_system="standard", width=WIDTH, no_color=False)
    coloured.print(screen(bad))
    text = coloured.file.getvalue()
    assert "\x1b[1;31mmissed" in text
    assert "\x1b[1;32mmet" in text
    assert "\x1b" not in screen_text(bad)


def test_a_name_is_text_and_not_markup():
    """Brackets in a scenario's name are shown, not obeyed."""
    scenario = SCENARIO.with_values({"name": '"[red]Ward [/] 7[/red]"'})
    assert screen_text(study(result(), scenario=scenario)).splitlines()[0] == "[red]Ward [/] 7[/red]"


def test_the_longest_name_does_not_widen_the_screen():
    """A name of 199 characters is wrapped within the columns of the screen."""
    scenario = SCENARIO.with_values({"name": "long " * 39 + "name"})
    lines = screen_text(study(result(), scenario=scenario)).splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert " ".join(lines).count("long") == 39


def test_a_screen_without_objectives_has_no_table_of_them():
    """A scenario that asks nothing gets estimates alone."""
    assert "Verdict" not in screen_text(study(result(), scenario=SCENARIO.with_values({"objectives": {}})))
    assert "Verdict" in screen_text(study(result()))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"run.warm_up": "0s", "run.horizon": "90s"}, "from 0 s to 1 min 30 s"),
        ({"run.warm_up": "500ms", "run.horizon": "25h"}, "from 0.5 s to 1 d 1 h"),
        ({"run.warm_up": "1h30m", "run.horizon": "2d3h4m5s"}, "from 1 h 30 min to 2 d 3 h 4 min 5 s"),
        ({"lot.slots": 1, "attendants.count": 1}, "1 slot, 1 attendant; "),
        ({"attendants.count": "unlimited"}, "6 slots, unlimited attendants; "),
        ({"attendants.count": [0, *[2] * 23]}, "6 slots, 0 to 2 attendants; "),
        ({"attendants.count": [2] * 24}, "6 slots, 2 attendants; "),
    ],
)
def test_the_title_tells_design_and_window(values, told):
    """The second line has slots, attendants and the window in days, hours, minutes and seconds."""
    assert told in screen_text(study(result(), scenario=SCENARIO.with_values(values))).splitlines()[1]


def test_the_last_line_says_how_to_get_it_again():
    """Seed, engine, digest, why the study stopped, and whether the estimates are corrected."""
    last = screen_text(study(result())).splitlines()[-1]
    made = f"seed 1, engine simpy, scenario {SCENARIO.short_digest}; 3 replications were asked for"
    assert last == f"{made}; plain estimates, without controls"


# JSON -----------------------------------------------------------------------------------------------------------------


def test_the_json_has_null_for_what_is_not():
    """Neither NaN nor an infinity stands in it, and what is not finite is null."""
    one = study(result(recall_busy_share=math.nan, occupancy_mean=1.5))
    answer = json.loads(one.to_json(), parse_constant=pytest.fail)
    assert answer["estimates"]["recall_busy_share"]["mean"] is None
    assert answer["estimates"]["occupancy_mean"]["low"] is None
    assert answer["estimates"]["occupancy_mean"]["mean"] == 1.5
    assert study(result(occupancy_mean=1.5, recall_busy_share=math.nan)).to_json() == one.to_json()


def test_the_json_gives_back_the_very_numbers():
    """Every number of the JSON, read again, is the number of the estimate."""
    made = parksim.study(SCENARIO.with_values({"run.horizon": "2h"}), 3)
    read = json.loads(made.to_json())["estimates"]
    for name in SCALARS:
        estimate = made.estimates[name]
        assert (read[name]["mean"], read[name]["low"], read[name]["high"]) == (
            estimate.mean,
            estimate.low,
            estimate.high,
        )
    assert [one["mean"] for one in read["occupancy_pmf"]] == [one.mean for one in made.estimates["occupancy_pmf"]]


def test_a_formula_that_is_no_number_is_null():
    """A formula's infinity, if there is one, is null as well."""
    from parksim.results import nulled

    assert nulled({"a": [math.inf, -math.inf, math.nan, 1.0, "x", None, True], "b": (1,)}) == {
        "a": [None, None, None, 1.0, "x", None, True],
        "b": [1],
    }
    assert Estimate(1.0, None, None, 0.95, 1, "one-replication").as_dict()["low"] is None
    assert undefined("why").as_dict()["reason"] == "why"


# Progress -------------------------------------------------------------------------------------------------------------


class Clock:
    """A clock that is set by hand."""

    def __init__(self, monkeypatch):
        self.now_s = 1_000.0
        monkeypatch.setattr(progress.time, "monotonic", lambda: self.now_s)


def test_in_a_pipe_a_line_now_and_then(monkeypatch, capsys):
    """Every ten seconds one line with what is done and the time left at this pace; the end says nothing."""
    clock = Clock(monkeypatch)
    for may_end_early, words in ((False, "some"), (True, "at most")):
        with Progress("replications", may_end_early=may_end_early) as tell:
            for done in range(1, 26):
                clock.now_s += 1
                tell(done, 25)
        out, err = capsys.readouterr()
        assert out == ""
        assert err.splitlines() == [
            f"10 of 25 replications, {words} 15 s to go",
            f"20 of 25 replications, {words} 5 s to go",
        ]


def test_what_is_paid_once_is_not_taken_for_the_pace(monkeypatch, capsys):
    """A first result after a minute, then one a second: 80 more take 80 s. Other work begins with its own pace."""
    clock = Clock(monkeypatch)
    with Progress("replications") as tell:
        clock.now_s += 60
        tell(1, 100)
        for done in range(2, 21):
            clock.now_s += 1
            tell(done, 100)
        clock.now_s += 30
        tell(1, 10)
        clock.now_s += 20
        tell(2, 10)
    assert capsys.readouterr().err.splitlines() == [
        "1 of 100 replications, at most 99 min to go",
        "11 of 100 replications, some 89 s to go",
        "1 of 10 replications, at most 4 min to go",
        "2 of 10 replications, some 3 min to go",
    ]


def test_in_a_notebook_a_line_takes_the_place_of_the_one_before(monkeypatch):
    """On the stream of a notebook's kernel one line is written over each second, and empty at the end."""
    stream = type("OutStream", (io.StringIO,), {"__module__": "ipykernel.iostream"})()
    monkeypatch.setattr(sys, "stderr", stream)
    clock = Clock(monkeypatch)
    with Progress("replications") as tell:
        for done in range(1, 4):
            clock.now_s += 1
            tell(done, 3)
    first, second, last = stream.getvalue().split("\r")[1:]
    assert first.rstrip() == "1 of 3 replications, at most 2 s to go"
    assert second.rstrip() == "2 of 3 replications, some 1 s to go"
    assert (last.strip(), len(last)) == ("", len(first))


def test_quick_work_says_nothing(monkeypatch, capsys):
    """What is done before ten seconds are over leaves no line."""
    clock = Clock(monkeypatch)
    with Progress("replications") as tell:
        clock.now_s += 9.9
        tell(1, 2)
        clock.now_s += 60
        tell(2, 2)
    assert capsys.readouterr() == ("", "")


def test_a_line_in_a_pipe_is_whole(monkeypatch, capsys):
    """A line of progress is neither broken at the width of some window nor coloured."""
    clock = Clock(monkeypatch)
    monkeypatch.setenv("COLUMNS", "10")
    with Progress("replications") as tell:
        clock.now_s += 20
        tell(1, 2)
    assert capsys.readouterr().err == "1 of 2 replications, at most 20 s to go\n"


def test_progress_without_a_standard_error_is_silence(monkeypatch, capsys):
    """Started without stderr, the work goes on and nothing of its progress strays to stdout."""
    clock = Clock(monkeypatch)
    monkeypatch.setattr(sys, "stderr", None)
    with Progress("replications") as tell:
        clock.now_s += 20
        tell(1, 2)
    assert capsys.readouterr().out == ""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo terminal")
def test_in_a_terminal_a_bar_that_goes_away(monkeypatch, capfd):
    """On a terminal there is a bar with the counts, drawn on stderr, taken away at the end, also after an error."""
    import pty

    reader, writer = pty.openpty()
    monkeypatch.setenv("TERM", "xterm")
    for name in ("NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    with os.fdopen(writer, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)

        def fail():
            with Progress("replications") as tell:
                tell(1, 3)
                tell(2, 3)
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            fail()
        terminal.flush()
        pieces = []
        while select.select([reader], [], [], 0.5)[0]:  # a terminal hands over what it has piece by piece
            pieces.append(os.read(reader, 1_000_000))
    os.close(reader)
    shown = b"".join(pieces).decode()
    assert "2/3" in shown
    assert "replications" in shown
    assert shown.endswith("\x1b[?25h\r\x1b[1A\x1b[2K")  # the cursor is back, the line is empty
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("name", ["lot-only", "hospital", "park1"])
def test_no_figure_is_cut(name):
    """On a screen as narrow as 80 columns only theory's words give way, never a figure or its interval."""
    scenario = Scenario.load(SCENARIOS / f"{name}.toml").with_values({"run.horizon": "3h", "run.warm_up": "30m"})
    console = Console(file=io.StringIO(), width=80, color_system=None)
    console.print(screen(parksim.study(scenario, 3)))
    lines = console.file.getvalue().splitlines()
    assert len(lines) <= 45
    for line in lines:
        assert "…" not in line[:55], line
