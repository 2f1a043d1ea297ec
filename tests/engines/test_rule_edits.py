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


SLOTS_OF_THE_SCRIPT = """
import json, subprocess
import parksim
from parksim.engines import script
from parksim.rules import codes
scenario = parksim.Scenario.load("lot-only.toml").with_values({"run.horizon": "2h", "lot.slots": 9})
calls = json.dumps(script.offered(parksim.draw(scenario, 1)))
text = script.source() + f"const calls = {calls}, slots = [];"
text += "const given = { arrival_us: calls.arrival_us[0], row: (name, parks) => calls[name][parks] };"
text += f"simulate({json.dumps(scenario.settings._asdict())}, given, "
text += f"(fact) => {{ if (fact.kind === {codes.PARKED}) slots.push(fact.slot); }}); console.log(slots.join());"
open("slots.js", "w").write(text)
journal = parksim.run(scenario, 1).journal
slots = subprocess.run(["node", "slots.js"], capture_output=True, text=True).stdout.strip()
print(slots == ",".join(map(str, journal.slot[journal.kind == codes.PARKED])), slots)
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node here")
def test_a_rule_edited_in_place_changes_the_script(tmp_path):
    """The JavaScript is written from the rules at hand: free slots taken from the top are those that SimPy takes."""
    package = Path(parksim.__file__).parent
    shutil.copytree(package, tmp_path / "parksim", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(package.parent / "scenarios" / "lot-only.toml", tmp_path)
    rules, answers = tmp_path / "parksim" / "rules" / "lot.py", []
    as_it_was = rules.read_text(encoding="utf-8")
    for text in (as_it_was, as_it_was.replace(LOWEST_FIRST, HIGHEST_FIRST)):
        rules.write_text(text, encoding="utf-8")
        command = [sys.executable, "-c", SLOTS_OF_THE_SCRIPT]
        environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        answers.append(done.stdout.split())
    (agree, before), (agree_too, after) = answers
    assert (agree, agree_too) == ("True", "True")
    assert before.split(",")[0] == "0"
    assert after.split(",")[0] == "8"
