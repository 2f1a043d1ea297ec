"""The real desk behind a running server: begun with the calls of a register file, on a clock that the test puts on."""

import json

from desk_load import agree
from server_stand import CALL, USERS, S

from parksim import TEMPLATE, Scenario
from parksim.engines.clocks import VirtualClock
from parksim.server.desk import Desk
from parksim.server.given import read_given

NOW_US = 60 * S
"""Where the clock stands when a test begins; the given calls were parked at its start."""


def scenario(capacity=100, **values):
    """Return the switchboard of the vectors: two users, no traffic of its own, positions from 1."""
    told = {"lot.slots": capacity, "lot.first": 1, "uapi.organization": "0003", "uapi.users": USERS}
    return Scenario.loads(TEMPLATE).with_values(told | values)


def given_calls(taken=0, calls=1):
    """Return the calls of a register file: so many parked ones of 0003*024, then CALL and others at 0003*210."""
    parked = [
        {"id": f"{number:020x}", "extension": "0003*024", "peer": "3235742879", "parker": "0003*024", "limit_s": 3600}
        for number in range(1, taken + 1)
    ]
    talking = [
        {"id": call_id, "extension": "0003*210", "peer": "3235742879", "caller_id": "John Doe <3333>"}
        for call_id in [CALL, *(f"{number:020x}" for number in range(10_000, 9_999 + calls))]
    ]
    return parked + talking


def write_register(path, taken=0, calls=1):
    """Write the register file that ``--register`` reads; return its path."""
    path.write_text(json.dumps({"calls": given_calls(taken, calls)}), encoding="utf-8")
    return path


class WatchedDesk(Desk):
    """The desk, and what it was asked for and what happened since it was made."""

    def __init__(self, path, taken=0, capacity=100, calls=1, **more):
        given = read_given(write_register(path, taken, calls))
        told = {"clock": VirtualClock(NOW_US), "traffic": False, "base_url": "http://127.0.0.1:8080", "given": given}
        super().__init__(scenario(capacity), **(told | more))
        self.facts = []
        self.requests = []
        self.switchboard.listen(self.facts.append)

    def respond(self, request):
        """Answer as the desk does, and see that register and switchboard still agree."""
        self.requests.append(request)
        reply = super().respond(request)
        agree(self)
        return reply

    async def let_pass(self, seconds):
        """Let so much time pass, and everything in it happen; what is due at its very end is still to come."""
        await self.switchboard.run_to(self.switchboard.now_us + round(seconds * S))
