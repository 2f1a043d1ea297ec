"""What an analyst sees of a result at a prompt: a short repr with the answer, and the right word for a wrong one."""

import pytest

import parksim
from parksim.catalogue import SCALARS

SHORT = parksim.Scenario.loads(parksim.TEMPLATE).with_values({"run.horizon": "90m", "run.warm_up": "10m"})


@pytest.fixture(scope="module")
def made():
    """A study of four replications."""
    return parksim.study(SHORT, 4)


def test_a_repr_shows_the_result_and_not_the_scenario(made):
    """Each is one line of at most 300 characters that has its verdicts, designs or differences."""
    sweep = parksim.sweep(SHORT, {"lot.slots": [1, 9]}, 2)
    comparison = parksim.compare(SHORT, SHORT.with_values({"lot.slots": 1}), 4)
    for one in (made, sweep, comparison, SHORT):
        assert len(repr(one)) <= 300
        assert "\n" not in repr(one)
    for one in made.objectives:
        assert f"{one.objective.measure} {one.objective.text}: {one.verdict}" in repr(made)
    met = sum(row.study.verdict == "met" for row in sweep.rows)
    assert f"over lot.slots: 2 designs; {met} meet all objectives" in repr(sweep)
    assert "lot.slots: 6 -> 1" in repr(comparison)
    assert f"refused_share {comparison.differences['refused_share'].mean:+.3g}" in repr(comparison)
    assert "6 slots" in repr(SHORT) == str(SHORT)


@pytest.mark.parametrize(
    ("wrong", "right"), [("refused", "refused_share"), ("blocking", "refused_share"), ("expired_shre", "expired_share")]
)
def test_a_misspelt_measure_is_answered_with_the_right_one(made, wrong, right):
    """The error is one of parksim's and a KeyError, and names the measure; so does ``estimate``."""
    for ask in (lambda: made.estimates[wrong], lambda: made.estimate(wrong)):
        with pytest.raises(KeyError, match=f'did you mean "{right}"') as caught:
            ask()
        assert isinstance(caught.value, parksim.ParksimError)
    assert set(SCALARS) <= set(made.estimates)
    assert made.estimates.get(wrong) is None


def test_an_error_of_with_values_does_not_speak_of_the_command_line():
    """In Python nobody has typed --set."""
    for values in ({"lot.slots": 0}, {"lot.slosts": 1}, {"lot slots": 1}, {"timeout": 5}):
        with pytest.raises(parksim.ScenarioError) as caught:
            SHORT.with_values(values)
        assert "--" not in str(caught.value)


def test_help_has_an_example():
    """help(parksim.study) shows a call and what it returns."""
    assert ">>> made = parksim.study(scenario, replications=5, seed=1)" in (parksim.study.__doc__ or "")
