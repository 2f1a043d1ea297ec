"""The measuring itself: who takes turns, what a ratio is, and that a wrong simulator is not measured."""

from functools import partial

import pytest

from tests.speed import contest, idiomatic_simpy, park1
from tests.speed.contest import Contender, DisagreementError


def pretender(name, seconds_a_run, watch, ran):
    """Return a contender that takes a known time on a watch of its own and notes that it ran."""

    def prepare(_seed, calls):
        def timed():
            ran.append(name)
            watch[0] += seconds_a_run
            return calls, park1.EXPECTED

        return timed

    return Contender(name, prepare, tuple, 100)


@pytest.mark.slow
def test_all_run_once_a_round_in_rotating_order_and_ratios_are_within_a_round():
    """Three contenders of 2, 1 and 4 s a run, four rounds: each starts in turn; 1x, 2x and 0.5x to the first."""
    watch, ran = [0.0], []
    three = [pretender(name, seconds, watch, ran) for name, seconds in (("a", 2.0), ("b", 1.0), ("c", 4.0))]
    rates = contest.measured(three, rounds=4, clock=lambda: watch[0])
    assert "".join(ran) == "abc" + "bca" + "cab" + "abc"
    standings = list(contest.standings(three, rates))
    assert [(one.calls_per_s, one.ratio, one.lowest, one.highest) for one in standings] == [
        (50.0, 1.0, 1.0, 1.0),
        (100.0, 2.0, 2.0, 2.0),
        (25.0, 0.5, 0.5, 0.5),
    ]


@pytest.mark.slow
def test_the_rival_simulates_park_1():
    """Idiomatic SimPy gives the six figures within four standard errors (60 runs, seeds from 1000, level 0.1 %)."""
    rival = Contender("rival", lambda seed, calls: partial(idiomatic_simpy.simulate, seed, calls), tuple, 1)
    contest.checked(rival, calls=2000)


@pytest.mark.slow
def test_a_simulator_of_something_else_is_turned_away(monkeypatch):
    """Negative control: with patience 20 % shorter the rival is noticed, and so is one whose figures never vary."""
    monkeypatch.setattr(park1, "PATIENCE_S", 0.8 * park1.PATIENCE_S)
    rival = Contender("rival", lambda seed, calls: partial(idiomatic_simpy.simulate, seed, calls), tuple, 1)
    with pytest.raises(DisagreementError, match="rival: "):
        contest.checked(rival, calls=1000)
    with pytest.raises(DisagreementError):
        contest.checked(pretender("constant", 1.0, [0.0], []))
