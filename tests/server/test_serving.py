"""The server around a desk: how it begins and ends, whatever ends it."""

import asyncio
import gc

import pytest
from server_stand import TOKENS, RegisterDesk, talking

from parksim.server.app import App
from parksim.server.doors import Doors
from parksim.server.serving import FailedError, bound, resolved, serve
from parksim.server.tokens import Tokens


class Ending(RegisterDesk):
    """A desk that ends as it is told to."""

    def __init__(self, *, fails_with=None, at="run"):
        super().__init__(talking())
        self.fails_with = fails_with
        self.at = at
        self.told = asyncio.Event()

    async def __aenter__(self):
        """Run, or fail at once."""
        if self.at == "start":
            raise self.fails_with
        return self

    async def __aexit__(self, *_):
        """Be left; what ended it is told."""
        self.told.set()
        if self.fails_with is not None:
            raise self.fails_with

    async def ended(self):
        """Wait until it has ended."""
        await self.told.wait()
        return self.fails_with if self.at == "run" else None


def served(**more):
    """Serve an ending desk until it has ended; return how many objects were out of the collector's sight meanwhile."""
    frozen = []

    async def session():
        desk = Ending(**more)
        with bound(resolved("127.0.0.1", 0)) as listener:
            app = App(desk, Tokens(TOKENS), Doors.of("127.0.0.1", listener.getsockname()[1], "http://127.0.0.1"))

            def started():
                frozen.append(gc.get_freeze_count())
                desk.told.set()

            assert await asyncio.wait_for(serve(desk, app, listener, started), 20) is None

    asyncio.run(session())
    return frozen


def test_a_desk_that_ends_ends_the_server():
    """What is loaded is kept from the garbage collector while the server runs, and no longer."""
    before = gc.get_freeze_count()
    [meanwhile] = served()
    assert meanwhile > before + 10_000
    assert gc.get_freeze_count() == before == 0


def test_a_desk_that_fails_ends_the_server(caplog):
    """Its failure is told in one sentence, with its cause in the log."""
    with pytest.raises(FailedError, match=r"^the switchboard has failed \(ZeroDivisionError: planted\)$"):
        served(fails_with=ZeroDivisionError("planted"))
    assert "ZeroDivisionError: planted" in caplog.text
    assert gc.get_freeze_count() == 0


@pytest.mark.parametrize("at", ["start", "end"])
def test_what_is_no_failure_of_the_switchboard_is_passed_on(at):
    """An error as the desk is entered or left comes out as it is."""
    with pytest.raises(OSError, match="planted"):
        served(fails_with=OSError("planted"), at=at)
    assert gc.get_freeze_count() == 0
