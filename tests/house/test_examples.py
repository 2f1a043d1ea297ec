"""The examples in Markdown and in docstrings run as they are printed."""

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


MARKDOWN = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("", ".github", "notebooks", "scenarios", "tests/**", "parksim/**")
    for path in ROOT.glob(f"{folder}/*.md" if folder else "*.md")
)


def blocks_of(text: str) -> list[tuple[str, str]]:
    """Return the fenced blocks of a Markdown text: language and content."""
    return re.findall(r"^```(\w*)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("name", MARKDOWN)
def test_markdown_tells_the_truth(name, monkeypatch):
    """Every Python example in a Markdown file gives what is printed below it."""
    monkeypatch.chdir(ROOT)
    text = (ROOT / name).read_text(encoding="utf-8")
    result = doctest.testfile(str(ROOT / name), module_relative=False)
    assert result.failed == 0
    assert result.attempted >= sum(block.count(">>> ") for _, block in blocks_of(text))


def test_the_markdown_that_a_reader_looks_for_is_there():
    """The front page is short, and each package and folder has its own page."""
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 250
    pages = {*("scenarios", "notebooks", "tests", "tests/speed", "parksim")}
    pages |= {f"parksim/{path.parent.name}" for path in (ROOT / "parksim").glob("*/__init__.py")}
    assert {f"{page}/README.md" for page in pages} <= set(MARKDOWN)
    assert {f".github/{page}.md" for page in ("CONTRIBUTING", "CHANGELOG", "SECURITY")} <= set(MARKDOWN)


def test_links_lead_somewhere():
    """Each relative link of a Markdown file is a file."""
    links = [
        (name, target)
        for name in MARKDOWN
        for target in re.findall(r"\]\(([^)#:\s]+)\)", (ROOT / name).read_text(encoding="utf-8"))
    ]
    assert len(links) > 15
    assert [link for link in links if not (ROOT / link[0]).parent.joinpath(link[1]).exists()] == []


@pytest.fixture
def patience():
    """Let examples with strategies draw slowly: how busy the machine is says nothing of their truth."""
    before = settings.get_current_profile_name()
    settings.register_profile("patient", suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("patient")
    yield
    settings.load_profile(before)


def test_the_scenarios_of_the_format_are_scenarios():
    """The least scenario is one, and so it is with its tables replaced by those of the other examples."""
    least, *changes = re.findall(
        r"```toml\n(.*?)```", (ROOT / "scenarios/README.md").read_text(encoding="utf-8"), re.DOTALL
    )
    assert parksim.Scenario.loads(least).lot.slots == 5
    assert len(changes) == 5
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
