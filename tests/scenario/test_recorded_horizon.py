"""Recorded calls that all come after the horizon are refused: a run would drop them in silence."""

import pytest

import parksim
from parksim.cli import main
from parksim.errors import ScenarioError

TEXT = """
[arrivals]
kind = "recorded"
file = "calls.csv"
[attendants]
count = 2
handling = "30s"
[parking]
probability = 0.5
[lot]
slots = 5
max_in_parking = "45s"
[retrieval]
delay = "40s"
"""


@pytest.mark.parametrize("resample", ["", 'resample = "days"\n'])
def test_recorded_calls_that_all_come_after_the_horizon_are_refused(tmp_path, resample):
    """Calls from 08:00:24 on: a horizon of 2 h is refused with both instants, one second after the first is not."""
    (tmp_path / "calls.csv").write_text("at\n2026-03-03 08:00:30\n2026-03-02 08:00:24\n", encoding="utf-8")
    path = tmp_path / "recorded.toml"
    text = TEXT.replace('"calls.csv"\n', f'"calls.csv"\n{resample}')
    path.write_text('name = "x"\n[run]\nhorizon = "2h"\n' + text, encoding="utf-8")
    with pytest.raises(ScenarioError, match=r"line 3: run.horizon = '2h': .* ends 2:00:00 h .* comes at 8:00:24 h"):
        parksim.Scenario.load(path)
    path.write_text('name = "x"\n[run]\nhorizon = "28825s"\n' + text, encoding="utf-8")
    scenario = parksim.Scenario.load(path)
    with pytest.raises(ScenarioError, match="first recorded call"):
        scenario.with_values({"run.horizon": "28824s"})


def test_calls_that_come_after_the_end_are_counted(tmp_path):
    """Two calls of three before 9 h: the third is named, by the scenario and by validate."""
    (tmp_path / "calls.csv").write_text("at\n2026-03-02 08:00:24\n2026-03-02 08:30:00\n2026-03-02 09:59:00\n")
    path = tmp_path / "recorded.toml"
    path.write_text('name = "x"\n[run]\nhorizon = "9h"\n' + TEXT, encoding="utf-8")
    scenario = parksim.Scenario.load(path)
    told = "1 of 3 recorded calls come after the end at 9:00:00 h, the last at 9:59:00 h; they are not offered."
    assert scenario.recorded_too_late == told
    assert scenario.with_values({"run.horizon": "10h"}).recorded_too_late == ""
    assert told in str(main.validate_command(path).output)


def test_the_columns_of_a_file_without_a_header_have_numbers(tmp_path):
    """And a line of SQL types below a header is no call."""
    (tmp_path / "calls.csv").write_text('"a","2026-03-02 08:00:24"\n"b","2026-03-02 08:30:00"\n')
    path = tmp_path / "recorded.toml"
    path.write_text('name = "x"\n' + TEXT.replace('"calls.csv"\n', '"calls.csv"\ncolumn = "2"\n'), encoding="utf-8")
    assert len(parksim.Scenario.load(path).recording.instant_us) == 2
    (tmp_path / "calls.csv").write_text("who,began\nVARCHAR(50),INTEGER\na,1772438424\nb,1772438425\n")
    path.write_text('name = "x"\n' + TEXT.replace('"calls.csv"\n', '"calls.csv"\ncolumn = "began"\n'), encoding="utf-8")
    assert len(parksim.Scenario.load(path).recording.instant_us) == 2
