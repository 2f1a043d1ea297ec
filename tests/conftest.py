"""The quick tier: ``pytest -m quick`` answers in a minute, on two cores.

A test is quick unless it is slow, or ``not_quick.txt`` has it: the functions that take over 0.3 s, all cases
together. ``pytest -n 2 --write-not-quick`` measures anew; with ``-m quick`` it adds the functions that take longer
there. The quick tier runs the kernel interpreted, which is slower but needs no compiler, and lets the coverage see it.
"""

import os
from collections import defaultdict
from pathlib import Path
from typing import Final

import pytest

from tests.chromium import CHROMIUM, chromium

LISTED: Final = Path(__file__).parent / "not_quick.txt"
LONGEST_S: Final = 0.3
QUICK: Final = "quick"
_took_s: dict[str, float] = defaultdict(float)


def pytest_addoption(parser):
    """Add the option that measures anew which functions are not quick."""
    parser.addoption("--write-not-quick", action="store_true", help="rewrite tests/not_quick.txt from this run")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    """Run the quick tier with two processes, where xdist is installed and nothing else is said."""
    measured = getattr(config.option, "cov_source", None)  # pytest-cov has begun in one process by now
    is_worker = "PYTEST_XDIST_WORKER" in os.environ  # which must not have workers of its own
    if (
        config.option.markexpr == QUICK
        and not (measured or is_worker)
        and getattr(config.option, "numprocesses", 0) is None
    ):
        config.option.numprocesses = min(2, os.cpu_count() or 1)


def pytest_configure(config):
    """Interpret the kernel in the quick tier."""
    if config.option.markexpr == QUICK:
        os.environ["NUMBA_DISABLE_JIT"] = "1"


def function_of(item_id: str) -> str:
    """Return the name of a test without its case."""
    return item_id.split("[", maxsplit=1)[0]


def _listed_s():
    """Return the functions that are not quick, and the seconds that each took when it was measured."""
    rows = map(str.split, LISTED.read_text(encoding="utf-8").splitlines())
    return {name: float(spent_s) for spent_s, name in rows}


def pytest_collection_modifyitems(items):
    """Mark what is quick."""
    listed = _listed_s()
    for item in items:
        if function_of(item.nodeid) not in listed and item.get_closest_marker("slow") is None:
            item.add_marker(QUICK)


def pytest_runtest_logreport(report):
    """Add up what each function took, with its fixtures."""
    _took_s[function_of(report.nodeid)] += report.duration


def pytest_sessionfinish(session):
    """Write the functions that took too long, the longest first in each file."""
    if not session.config.option.write_not_quick or hasattr(session.config, "workerinput"):
        return
    took_s = {name: spent_s for name, spent_s in _took_s.items() if spent_s > LONGEST_S}
    if session.config.option.markexpr == QUICK:
        took_s |= _listed_s()
    long = sorted((name.split("::")[0], -spent_s, name) for name, spent_s in took_s.items())
    LISTED.write_text("".join(f"{-spent_s:6.1f} {name}\n" for _, spent_s, name in long), encoding="utf-8")


@pytest.fixture(scope="module")
def browser():
    """One Chromium for all tests of a file; they skip where playwright or Chromium is not installed."""
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: pip install '.[browser]'"
    )
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    with sync_api.sync_playwright() as playwright, chromium(playwright) as started:
        yield started
