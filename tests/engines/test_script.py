"""The rules as JavaScript, written from the rules themselves, make the journals of the kernel, to the byte."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from random import Random

import numpy as np
import pytest
from random_cases import random_case

from parksim.engines import processes, script
from parksim.errors import FailedError
from parksim.journal.journal import COLUMNS
from parksim.scenario.model import Scenario
from parksim.scenario.workload import draw

SCENARIOS = sorted((Path(__file__).parents[2] / "scenarios").glob("*.toml"))
MOST_CALLS = 20_000
node = pytest.mark.skipif(shutil.which("node") is None, reason="there is no node here")
HASHES = """
const fs = require("fs"), crypto = require("crypto");
const { simulate } = new Function(fs.readFileSync(process.argv[2], "utf8") + "\\nreturn { simulate };")();
for (const { settings, calls } of JSON.parse(fs.readFileSync(process.argv[3], "utf8"))) {
  const rows = { ...calls, slot_u: calls.slot_u.map((row) => row.map(BigInt)) };
  const hash = crypto.createHash("sha256"), row = Buffer.alloc(28);
  simulate(settings, { arrival_us: calls.arrival_us[0], row: (name, parks) => rows[name][parks] }, (fact) => {
    row.writeBigInt64LE(BigInt(fact.time_us), 0);
    row.writeBigInt64LE(BigInt(fact.deadline_us), 8);
    row.writeInt32LE(fact.call, 16);
    row.writeInt16LE(fact.lot, 20);
    row.writeInt16LE(fact.slot, 22);
    row.writeInt16LE(fact.extension, 24);
    row.writeUInt8(fact.kind, 26);
    row.writeUInt8(fact.reason, 27);
    hash.update(row);
  });
  console.log(hash.digest("hex"));
}
"""


def hashes_by_node(tmp_path, cases):
    """Return the SHA-256 of the journal of each case, by the script in node."""
    given = []
    for settings, workload in cases:
        calls = script.offered(workload)
        calls["slot_u"] = [[str(number) for number in row] for row in calls["slot_u"]]
        given.append({"settings": settings._asdict(), "calls": calls})
    files = {"script.js": script.source(), "cases.json": json.dumps(given), "hashes.js": HASHES}
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    command = ["node", "hashes.js", "script.js", "cases.json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


def hash_by_python(settings, workload):
    """Return the SHA-256 of the journal of the SimPy engine, row by row."""
    journal = processes.simulate(settings, workload)
    table = np.empty(len(journal), np.dtype(list(COLUMNS)))
    for name, _ in COLUMNS:
        table[name] = journal.columns[name]
    return hashlib.sha256(table.tobytes()).hexdigest()


@node
@pytest.mark.parametrize("several_lots", [False, True])
def test_random_cases_give_equal_journals(tmp_path, several_lots):
    """Five hundred small cases of every feature, ties everywhere, seed 16."""
    rng = Random(16)
    cases = [random_case(rng, several_lots=several_lots) for _ in range(500)]
    assert hashes_by_node(tmp_path, cases) == [hash_by_python(*case) for case in cases]


@node
def test_shipped_scenarios_give_equal_journals(tmp_path):
    """A replication of each of those with few enough calls."""
    scenarios = [one for one in map(Scenario.load, SCENARIOS) if one.expected_calls <= MOST_CALLS]
    cases = [(one.settings, draw(one, 3)) for one in scenarios]
    assert len(cases) >= 8
    assert hashes_by_node(tmp_path, cases) == [hash_by_python(*case) for case in cases]


def test_the_script_says_from_which_rules_it_was_written():
    """It has the digest of the rules, a comment before each function, and no constant that JavaScript would round."""
    text = script.source()
    functions = [line for line in text.splitlines() if line.startswith("function ") and "$" in line]
    assert len(functions) > 60
    assert text.startswith("// Written by parksim from its rules, SHA-256 ")
    assert str(2**63 - 1) not in text


def of_a_set(lot):
    """Hold a construct that the writer does not know."""
    return {lot}


def test_what_cannot_be_written_is_named_with_file_and_line():
    """A set has no counterpart."""
    line = of_a_set.__code__.co_firstlineno + 2
    with pytest.raises(
        FailedError, match=rf"test_script\.py, line {line}: '\{{lot\}}' cannot be written as JavaScript"
    ):
        script.written(of_a_set)


@node
def test_instants_that_are_not_exact_are_an_error(tmp_path):
    """A call at 2**53 us ends the run with a sentence, one a second earlier does not."""
    scenario = Scenario.load(next(file for file in SCENARIOS if file.stem == "lot-only"))
    settings, arrival_us = scenario.settings, 2**53
    calls = {name: [row[:1] for row in rows] for name, rows in script.offered(draw(scenario, 1)).items()}
    for late_us, fails in ((0, True), (3_600_000_000, False)):
        given = f"{{ arrival_us: [{arrival_us - late_us}], row: (name, parks) => rows[name][parks] }}"
        text = f"{script.source()}\nconst rows = {json.dumps(calls)};\n"
        text += f"simulate({json.dumps(settings._asdict())}, {given}, () => 0);"
        (tmp_path / "late.js").write_text(text, encoding="utf-8")
        done = subprocess.run(["node", "late.js"], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert ("an instant passes 2**53 us" in done.stderr, done.returncode != 0) == (fails, fails)
