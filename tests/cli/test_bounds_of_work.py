"""What a command may be asked for: more work than a machine can do is refused before it begins, in a short message."""

from pathlib import Path

import pytest

from parksim.cli.main import LONGEST_LINE, main
from parksim.cli.options import BAD_INPUT
from parksim.errors import PlanError
from parksim.scenario.model import TEMPLATE, Scenario
from parksim.studies.gather import check_work

FAR = "9" * 5000


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("run s.toml --replications 1000000000", "1,000,000,000 replications are more than 1,000,000; take fewer"),
        ("run s.toml --replications 900000", "calls are more than 10,000,000,000"),
        ("solve s.toml lot.slots --within 1..99999999999999999999", "goes beyond 1,000,000,000"),
        (f"sweep s.toml --over lot.slots={FAR}", "must be a whole number"),
        (f"run s.toml --seed {FAR}", "has too many digits"),
        (f"run s.toml --seed {FAR[:4000]}", "a whole number from 0 to 2^63 - 1"),
        (f"run s.toml --engine {FAR}", "choose one of auto, simpy, kernel"),
        (f"run {FAR}", "File name too long"),
        (f"replay {FAR}", "File name too long"),
    ],
    ids=lambda words: words[:40],
)
def test_refused_in_a_short_message(words, said, tmp_path, monkeypatch, capsys):
    """Code 2 before any work, and no line of the message is longer than 500 characters, its end included."""
    monkeypatch.chdir(tmp_path)
    Path("s.toml").write_text(TEMPLATE.replace('rate = "90/h"', 'rate = "1000/h"'), encoding="utf-8")
    assert main(words.split()) == BAD_INPUT
    complaint = capsys.readouterr().err
    assert said in complaint
    assert max(map(len, complaint.splitlines())) <= LONGEST_LINE


def test_what_a_machine_can_do():
    """Real studies are far below the bounds; each bound says what is too much and what would be less."""
    scenario = Scenario.loads(TEMPLATE)
    check_work([scenario] * 100, 1_000)
    with pytest.raises(PlanError, match=r"replications are more than 1,000,000; take fewer replications"):
        check_work([scenario] * 2, 500_001)
    with pytest.raises(PlanError, match=r"figures are more than 500,000,000; .* fewer lot.slots"):
        check_work([scenario.with_values({"lot.slots": 10_000, "run.horizon": "1h"})], 30_000)
