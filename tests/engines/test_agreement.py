"""The command that compares engines by bytes sees what is planted, tells it, and knows how the kernel runs."""

import os
import subprocess
import sys
from functools import partial

import agreement
import pytest
from hypothesis import Phase

from parksim.engines import processes


@pytest.mark.parametrize("fault", agreement.PLANTED)
def test_planted_faults_are_seen(fault):
    """A slot chosen otherwise, and each two neighbours in the calendar's order swapped, show within 4,000 cases."""
    assert agreement.seen_after(agreement.PLANTED[fault], agreement.random_cases(agreement.SOUGHT)) is not None


def test_nothing_planted_is_not_seen():
    """The SimPy model as it is shows no fault in 300 cases."""
    assert agreement.seen_after(processes.simulate, agreement.random_cases(300)) is None


def test_a_difference_is_told(capsys, monkeypatch):
    """With SERVE and ARRIVAL swapped in SimPy, random cases and drawn ones differ; told is the first row that does."""
    wrong = partial(agreement.swapped, 8)
    monkeypatch.setattr(agreement.processes, "simulate", wrong)
    (way,) = [way for way in agreement.WAYS if agreement.runs_as(way)]
    assert not agreement.told(agreement.report(way, 0, 50, 1))
    assert "journals differ:\nrandom case 1/" in capsys.readouterr().out
    with pytest.raises(agreement.DifferenceError, match=r"row \d+: SimPy Fact\(.*kernel Fact\("):
        agreement.compare_drawn(agreement.Tally(), 300, 1, [Phase.generate])


def test_one_row_more_and_another_type_are_differences():
    """A journal that stops early, or has a column of another type, differs from the whole one."""
    _, settings, workload = next(agreement.random_cases(1))
    whole, cut, other = (processes.simulate(settings, workload) for _ in range(3))
    cut.columns.update({name: column[:-1] for name, column in cut.columns.items()})
    assert "kernel None" in agreement.first_difference(whole, cut)
    other.columns["lot"] = other.columns["lot"].astype("int64")
    assert agreement.first_difference(whole, other) == "equal rows in columns of different types"
    assert agreement.first_difference(whole, processes.simulate(settings, workload)) == ""


def test_the_command_says_what_it_has_not_met():
    """Interpreted, with four drawn cases and no shipped one, it compares, misses some features, and exits with 1."""
    done = subprocess.run(
        [sys.executable, agreement.__file__, "--ways", "interpreted", "--drawn", "4", "--seeds", "0"],
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert "the kernel interpreted:\n  equal bytes: 4 random cases" in done.stdout
    assert "facts that were not met: none" not in done.stdout
    assert " None" not in done.stdout.partition("planted and seen")[2]
