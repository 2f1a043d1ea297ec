"""``parksim`` with a desk that is a register, for tests of the command: ``python serve_stand_in.py serve ...``."""

import asyncio
import sys
from types import ModuleType

from server_stand import CALL, RegisterDesk

from parksim.cli.main import main
from parksim.errors import SessionError
from parksim.rules import uapi


class StandIn(RegisterDesk):
    """A desk that can be opened and closed."""

    def __init__(self, scenario, options):
        register = desk.directory(scenario)._replace(base_url=options["base_url"])
        register = uapi.offer(register, "0003*210", peer="555", now_us=0, call_id=CALL).register
        super().__init__(uapi.answer(register, CALL, now_us=0).register)
        self.scenario = scenario
        self.cut_bytes = 17 if options["journal"] is not None and options["journal"].suffix == ".torn" else 0
        self.notes = ["planted: a checkpoint is damaged"] if self.cut_bytes else []
        sys.stderr.write(f"opened with {sorted(options.items())}\n")

    async def __aenter__(self):
        sys.stderr.write("entered\n")
        self.left = asyncio.Event()
        return self

    async def __aexit__(self, *_):
        sys.stderr.write("left\n")
        self.left.set()

    async def ended(self):
        """Wait until it is left; it never fails."""
        await self.left.wait()


def open_desk(scenario, **options):
    """Open the stand-in, or fail as the file's ending says."""
    ending = "" if options["journal"] is None else options["journal"].suffix
    if ending == ".locked":
        raise SessionError("planted: another server uses the file")
    if ending == ".other":
        raise ValueError("planted: the file is of another scenario")
    return StandIn(scenario, options)


session = ModuleType("parksim.server.session")
desk = ModuleType("parksim.server.desk")
desk.directory = lambda scenario: uapi.new_register(scenario.uapi.users)
desk.Desk = open_desk

if __name__ == "__main__":
    sys.modules |= {"parksim.server.desk": desk, "parksim.server.session": session}
    sys.exit(main())
