"""A rule that was edited is the rule that runs, whatever was compiled before."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import parksim

LOWEST_FIRST = "    return nth_free(lot, free_below(lot, start))\n"
HIGHEST_FIRST = "    return nth_free(lot, free_slots(lot) - 1)\n"
FIRST_SLOTS = """
import parksim
from parksim.engines import _lift, kernel, processes
from parksim.rules import codes
scenario = parksim.Scenario.load("lot-only.toml").with_values({"run.horizon": "2h", "lot.slots": 9})
calls = parksim.draw(scenario, 1)
journal = kernel.simulate(scenario.settings, calls)
assert journal == processes.simulate(scenario.settings, calls)
print(_lift.is_compiled, *journal.slot[journal.kind == codes.PARKED][:1])
"""


@pytest.mark.slow
def test_a_rule_edited_in_place_changes_the_kernels_next_answer(tmp_path):
    """Slots taken from the top instead of from the bottom, in a copy of the package: seen at once, and back again.

    No cache is cleared: the four runs share one, and the third finds the second's code, the fourth the first's.
    """
    pytest.importorskip("numba")
    package = Path(parksim.__file__).parent
    shutil.copytree(package, tmp_path / "parksim", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(package.parent / "scenarios" / "lot-only.toml", tmp_path)
    rules = tmp_path / "parksim" / "rules" / "lot.py"
    as_it_was = rules.read_text(encoding="utf-8")
    assert as_it_was.count(LOWEST_FIRST) == 1
    edited = as_it_was.replace(LOWEST_FIRST, HIGHEST_FIRST)
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    seen = []
    for text in (as_it_was, edited, edited, as_it_was):
        rules.write_text(text, encoding="utf-8")
        told = subprocess.run(
            [sys.executable, "-c", FIRST_SLOTS],
            cwd=tmp_path,
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        )
        seen.append(told.stdout.split())
    assert seen == [["True", "0"], ["True", "8"], ["True", "8"], ["True", "0"]]
