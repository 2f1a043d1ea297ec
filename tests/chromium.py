"""Debian's Chromium, driven by playwright (extra ``browser``): for tests that look at a page, and for its speed."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

CHROMIUM: Final = shutil.which("chromium")
FLAGS: Final = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
"""It asks nobody for anything, and runs as root as well."""


@contextmanager
def chromium(playwright: Any) -> Iterator[Any]:
    """Start a browser, and close it at the end."""
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
    try:
        yield browser
    finally:
        browser.close()
