"""The board in a browser, before a stage of scripted pictures."""

from contextlib import ExitStack

import pytest
from board_stage import stage


@pytest.fixture
def served():
    """A stage of its own for each test."""
    with stage() as server:
        yield server


@pytest.fixture
def opened(browser, served):
    """Open the board under given circumstances; at the end there was no complaint and no request to elsewhere."""
    said, asked = [], []
    with ExitStack() as contexts:

        def open_board(shown=None, *, wait=True, clock=False, **circumstances):
            if shown is not None:
                served.newest = shown
            context = browser.new_context(**({"viewport": {"width": 1440, "height": 900}} | circumstances))
            contexts.callback(context.close)
            page = context.new_page()
            page.set_default_timeout(5_000)
            page.on("console", lambda message: said.append(message.text))
            page.on("pageerror", lambda error: said.append(str(error)))
            page.on("dialog", lambda dialog: said.append(dialog.message) or dialog.dismiss())
            page.on("request", lambda request: asked.append(request.url))
            if clock:  # the page's clocks can be put forward
                page.clock.install()
            page.goto(served.address)
            if wait:
                page.wait_for_selector("#connection[data-state=live]")
            return page

        yield open_board
    assert [text for text in said if "the server responded with a status of 409" not in text] == []  # Chromium's own
    assert {url for url in asked if not url.startswith(served.address)} == set()
    assert set(served.asked) <= {"/", "/board.css", "/board.js", "/board.svg", "/board/events", "/board/commands"}
