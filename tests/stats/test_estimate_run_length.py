"""Sequential stopping, against its definition and by seeded simulation."""

import numpy as np
import pytest

from parksim.stats.estimate import Estimate, mean_of, sample, t_interval, undefined
from parksim.stats.events import share
from parksim.stats.stopping import Stopping, StoppingRule, Target


def within(half_width, mean=1.0):
    """Return an estimate with this half-width."""
    return Estimate(mean, mean - half_width, mean + half_width, 0.95, 30, "student-t")


def told(rule, half_widths):
    """Return the state after each replication, the rule being told of these half-widths around 1."""
    states = [Stopping()]
    for half_width in half_widths:
        states.append(rule.after(states[-1], {"x": within(half_width)}))
        if states[-1].state != "continue":
            break
    return states[1:]


def test_a_rule_stops_after_minimum_and_look_ahead():
    """Narrow from the start: 20 replications and 5 more, never fewer."""
    states = told(StoppingRule({"x": Target(relative=0.05)}), [0.01] * 100)
    assert [state.replications for state in states] == list(range(1, 26))
    assert states[-1] == Stopping(25, 6, "precise")
    assert {state.state for state in states[:-1]} == {"continue"}


def test_a_relapse_within_the_look_ahead_begins_it_anew():
    """Narrow at 20, wide again at 23: six narrow ones in a row are needed after it, so it stops at 29."""
    widths = [0.04] * 22 + [0.06] + [0.04] * 50
    states = told(StoppingRule({"x": Target(relative=0.05)}), widths)
    assert states[-1] == Stopping(29, 6, "precise")
    assert states[22].in_a_row == 0


def test_without_look_ahead_the_first_narrow_interval_ends_it():
    """look_ahead = 0 stops at once when the minimum is done."""
    assert told(StoppingRule({"x": Target(absolute=0.1)}, minimum=3, look_ahead=0), [0.05] * 9)[-1].replications == 3


def test_the_cap_ends_it_and_says_so():
    """Never narrow: it ends at the cap with the state ``cap``; narrow just in time counts as precise."""
    rule = StoppingRule({"x": Target(relative=0.05)}, minimum=4, look_ahead=1, most=10)
    assert told(rule, [1.0] * 99)[-1] == Stopping(10, 0, "cap")
    assert told(rule, [1.0] * 9 + [0.01])[-1] == Stopping(10, 1, "cap")
    assert told(rule, [1.0] * 8 + [0.01] * 2)[-1] == Stopping(10, 2, "precise")


@pytest.mark.parametrize("target", [Target(relative=0.125), Target(absolute=0.125)])
def test_a_width_that_is_exactly_the_target_reaches_it(target):
    """At most the width: an eighth reaches an eighth, and what is a little wider does not."""
    assert target.reached(within(0.125))
    assert not target.reached(within(0.126))


def test_every_target_must_hold():
    """One wide measure keeps the study going; measures without a target do not matter."""
    rule = StoppingRule({"a": Target(relative=0.1), "b": Target(absolute=0.1)}, minimum=2, look_ahead=0, most=9)
    state = Stopping(5, 0)
    assert rule.after(state, {"a": within(0.05), "b": within(0.5), "c": within(9.0)}).state == "continue"
    assert rule.after(state, {"a": within(0.05), "b": within(0.05), "c": within(9.0)}).state == "precise"


def test_a_target_is_relative_or_absolute():
    """Either width suffices: 10 % of the mean, or 0.1 points; what has no interval reaches nothing."""
    target = Target(relative=0.10, absolute=0.001)
    assert target.reached(within(0.0009, mean=0.0001))
    assert target.reached(within(0.09, mean=-1.0))
    assert not target.reached(within(0.0011, mean=0.01))
    assert not target.reached(undefined("no park"))
    assert not target.reached(t_interval(mean_of([1.0])))
    never = sample(([0.0] * 5, [1.0] * 5))
    assert not Target(relative=0.1).reached(share(never, 10_000))
    assert target.reached(share(never, 10_000))
    assert not target.reached(share(never, 100))


def sequential(draws, rule):
    """Return the estimate at which the rule stops when told of these replications one at a time."""
    state = Stopping(rule.minimum - 1)  # before the minimum the rule only counts
    for n in range(rule.minimum, len(draws) + 1):
        seen = t_interval(mean_of(draws[:n]))
        state = rule.after(state, {"x": seen})
        if state.state != "continue":
            return seen, state
    raise AssertionError("more draws are needed")


@pytest.mark.slow
def test_sequential_intervals_keep_most_of_their_level():
    """Stopped at 10 % with minimum 20 and look-ahead 5, the 95 % interval still holds the truth in 92.5 to 95.5 %.

    3,000 studies of replications like a refused share's (gamma, mean 1, cv 0.33; about 45 needed), seed 21; the
    standard deviation of the estimate is 0.4 points.
    """
    rule = StoppingRule({"x": Target(relative=0.10)})
    draws = np.random.default_rng(21).gamma(9.0, 1 / 9.0, (3000, 200)).tolist()
    ends = [sequential(row, rule) for row in draws]
    held = sum(seen.low <= 1.0 <= seen.high for seen, _ in ends) / len(ends)
    assert all(state.state == "precise" for _, state in ends)
    assert all(seen.half_width <= 0.10 * seen.mean for seen, _ in ends)
    assert 0.925 <= held <= 0.955


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (Target, "positive width"),
        (lambda: Target(relative=0.0), "positive width"),
        (lambda: Target(relative=0.1, absolute=-1.0), "positive width"),
        (lambda: StoppingRule({}), "needs a target"),
        (lambda: StoppingRule({"x": Target(0.1)}, minimum=1), "minimum >= 2"),
        (lambda: StoppingRule({"x": Target(0.1)}, most=24), "most >= minimum"),
        (lambda: StoppingRule({"x": Target(0.1)}).after(Stopping(), {}), "no estimate of x"),
        (lambda: StoppingRule({"x": Target(0.1)}).after(Stopping(25, 6, "precise"), {}), "has stopped"),
    ],
)
def test_bad_arguments_are_named(call, words):
    """A number outside a function's domain is a ValueError that says which and what it was."""
    with pytest.raises(ValueError, match=words):
        call()
