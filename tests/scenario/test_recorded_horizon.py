"""Recorded calls that all come after the horizon are refused: a run would drop them in silence."""

import pytest

import parksim
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
