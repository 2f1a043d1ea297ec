"""A desk under random requests: a generator of them, and a process of its own that can be killed at any moment.

As a program, ``python desk_load.py JOURNAL SEED`` opens a desk and gives it random requests; each park that is
acknowledged is written to standard output, as a line, before the next request.
"""

import asyncio
import json
import sys
from pathlib import Path
from random import Random

from parksim import Scenario
from parksim.rules import codes as c
from parksim.rules import life, uapi
from parksim.server.desk import Desk

ROOT = Path(__file__).parents[2]
EXTENSIONS = ("0003*201", "0003*202", "0003*203")
ALL = "/uapi/phoneCalls/@me/@self"


def hospital(**values) -> Scenario:
    """Return the hospital with more slots, so that there is something to lose."""
    return Scenario.load(ROOT / "scenarios/hospital.toml").with_values({"lot.slots": 12} | values)


ROOMY = hospital(**{"lot.slots": 1_000})
"""So many slots that a load never fills them."""


def request(method: str, target: str, body: object = None, user: str = "12") -> uapi.Request:
    """Return a request of the user."""
    return uapi.Request(method, target, b"" if body is None else json.dumps(body).encode(), user, "user")


def call_to(extension: str, peer: str = "3235742879") -> uapi.Request:
    """Return a request for a new call."""
    party = {"source": [extension], "destination": [peer]}
    return request("POST", "/uapi/phoneCalls/12/simple", {"extension": extension, "phoneCallView": [party]})


def put(action: str, call: str | None = None, extension: str = "@self", **fields) -> uapi.Request:
    """Return a request that does something to one call, or to all of an extension."""
    target = f"/uapi/phoneCalls/@me/{extension}" + ("" if call is None else f"/{call}")
    return request("PUT", target, {"action": action, "phoneCallViewId": "01", **fields})


def random_request(rng: Random, desk: Desk) -> uapi.Request:
    """Return whatever a client may ask, mostly about calls that are there."""
    extension = rng.choice(EXTENSIONS)
    call = rng.choice([known.id for known in desk.register.calls] or ["0000000000000000000f"])
    match rng.randrange(14):
        case 0 | 1:
            return call_to(extension, rng.choice(["3235742879", "0003*202", "+40213322"]))
        case 2 | 3 | 4:
            return put("Park", call, maxInParking=rng.choice([10, 30, 180]))
        case 5 | 6:
            return put("UnPark", call, sendCallTo=extension, waitForPickup=rng.choice([10, 60]))
        case 7:
            return request("DELETE", f"{ALL}/{call}")
        case 8:
            return put("Park", extension=extension)  # all that can be
        case 9:
            return put(rng.choice(["OnHold", "OffHold"]), call)
        case 10:
            return put("PickUp", rng.choice([call, None]), sendCallTo=extension, waitForPickup=rng.choice([10, 60]))
        case 11:
            return request("PUT", f"{ALL}/{call}", {"action": "Transfer", "sendCallTo": extension})
        case 12:
            return put("UnPark", extension=extension, sendCallTo=extension)
        case _:
            return request("GET", ALL)


def parked(desk: Desk) -> dict[str, tuple[int, int]]:
    """Return slot and deadline of each parked call that the register shows."""
    return {
        call.id: (call.stay.slot, desk.register.lots[call.stay.lot].deadlines_us[call.stay.slot])
        for call in desk.register.calls
        if call.stay is not None
    }


def agree(desk: Desk) -> None:
    """Register and switchboard have the same lots, and the same calls in them, returning, and talking."""
    exchange = desk.switchboard.exchange
    for ours, theirs in zip(desk.register.lots, exchange.lots, strict=True):
        assert list(ours.occupants) == theirs.occupants
        assert list(ours.parkers) == theirs.parkers
        assert list(ours.deadlines_us) == theirs.deadlines_us
        assert ours.last_slot == theirs.view.last_slot
    assert desk.register.next_call == exchange.next_call
    for call in desk.register.calls:
        place = exchange.places[call.number]
        assert (call.stay is not None) == (place.state == life.IN_SLOT)
        if call.stay is not None:
            theirs = exchange.lots[call.stay.lot]
            assert theirs.occupants[call.stay.slot] == call.number
            assert theirs.parkers[call.stay.slot] == call.stay.parker
        assert (call.returning is not None) == (place.state in {life.ON_RETURN, life.AT_PARKER})
        assert (call.answered_us == c.NEVER) == (place.state == life.IN_QUEUE)


async def under_load(journal: Path, seed: int) -> None:
    """Give requests until somebody kills the process; tell of each call that is parked its slot and deadline."""
    rng = Random(seed)
    async with Desk(ROOMY, journal=journal) as desk:
        print("ready", flush=True)
        while True:
            calls = [call.id for call in desk.register.calls if call.stay is None]
            if not calls or rng.random() < 0.5:
                desk.respond(call_to(rng.choice(EXTENSIONS)))
            else:
                call = rng.choice(calls)
                if desk.respond(put("Park", call, maxInParking=3600)).status == 200:
                    print(json.dumps([call, parked(desk)[call]]), flush=True)
            await asyncio.sleep(0 if rng.random() < 0.7 else 0.002)


if __name__ == "__main__":
    asyncio.run(under_load(Path(sys.argv[1]), int(sys.argv[2])))
