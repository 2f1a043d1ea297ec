"""The examples in the README and in docstrings run as they are printed."""

import doctest
import pkgutil
import re
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import parksim

ROOT = Path(__file__).parents[2]
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(parksim.__path__, "parksim.")
    if not module.name.endswith("__main__")
)


# How long an example takes to draw says how busy the machine is, not whether the example tells the truth.
settings.register_profile("examples", deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(autouse=True)
def _patient():
    before = settings.get_current_profile_name()
    settings.load_profile("examples")
    yield
    settings.load_profile(before)


def test_the_readme_tells_the_truth(monkeypatch):
    """Every example in README.md gives what is printed below it."""
    monkeypatch.chdir(ROOT)
    result = doctest.testfile(str(ROOT / "README.md"), module_relative=False)
    assert result.attempted > 10
    assert result.failed == 0


@pytest.fixture
def patience():
    """Let examples with strategies draw slowly: how busy the machine is says nothing of their truth."""
    before = settings.get_current_profile_name()
    settings.register_profile("patient", suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("patient")
    yield
    settings.load_profile(before)


def test_the_readmes_scenarios_are_scenarios():
    """The least scenario is one, and so it is with its tables replaced by those of the other examples."""
    least, *changes = re.findall(r"```toml\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert parksim.Scenario.loads(least).lot.slots == 5
    assert len(changes) == 2
    for change in map(tomllib.loads, changes):
        replaced = tomllib.loads(least)
        for name, table in change.items():
            replaced[name] = replaced[name] | table if isinstance(table, dict) else table
        parksim.Scenario.model_validate(replaced)


@pytest.mark.usefixtures("patience")
@pytest.mark.parametrize("name", ["parksim", *MODULES])
def test_docstrings_tell_the_truth(name):
    """Every example in a docstring gives what is printed below it."""
    assert doctest.testmod(import_module(name)).failed == 0
