"""The pytest plugin (entry point ``pytest11``): the fixture ``switchboard``, and nothing until a test asks for it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from parksim.testing.bench import Bench


@pytest.fixture
def switchboard() -> Iterator["Bench"]:
    """Return a running switchboard of the test's own; see ``parksim.testing.switchboard``."""
    from parksim.testing.bench import switchboard as running  # noqa: PLC0415 - who does not use it does not load it

    with running() as bench:
        yield bench
