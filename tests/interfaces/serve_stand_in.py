"""``parksim`` with a desk that is a register, for tests of the command: ``python serve_stand_in.py serve ...``."""

import sys
from types import ModuleType

from server_stand import RegisterDesk

from parksim.cli import main
from parksim.rules import uapi


class StandIn(RegisterDesk):
    """A desk that can be opened and closed."""

    def __init__(self, scenario, options):
        users = scenario.uapi.users
        super().__init__(uapi.new_register(users, capacity=scenario.lot.slots, base_url=options["base_url"]))
        self.scenario = scenario
        sys.stderr.write(f"opened with {sorted(options.items())}\n")

    async def __aenter__(self):
        sys.stderr.write("entered\n")
        return self

    async def __aexit__(self, *_):
        sys.stderr.write("left\n")


desk = ModuleType("parksim.server.desk")
desk.open_desk = lambda scenario, **options: StandIn(scenario, options)
sys.modules["parksim.server.desk"] = desk
sys.exit(main())
