"""The board's picture: slots, queue, attendants and returns at one instant, ready for JSON.

Times are simulated microseconds; ``deadline_us`` is None where a stay has no limit. A call is named by its UAPI id,
an extension by its number; one that the directory does not list by "#" and its place.
"""

from collections.abc import Sequence
from typing import Any, Final

from parksim.engines.commanded import Place
from parksim.engines.live import Switchboard
from parksim.rules import life
from parksim.rules.codes import NEVER, NOBODY
from parksim.rules.lot import Lot
from parksim.rules.routing import BUSY_NOW
from parksim.rules.uapi.calls import id_of_number
from parksim.rules.uapi.mirror import caller_id
from parksim.rules.uapi.register import FLOW_INCOMING, Register

BUSY_STATES: Final = {life.WITH_ATTENDANT: "talking", life.AT_PARKER: "ringing"}


def picture(switchboard: Switchboard, register: Register) -> dict[str, Any]:
    """Return what there is to see."""
    seen = _Seen(switchboard, register)
    places = sorted(switchboard.calls.values(), key=lambda place: (place.since_us, place.call))
    return {
        "name": switchboard.scenario.name,
        "now_us": switchboard.now_us,
        "running": not switchboard.closed and switchboard.failure is None,
        "epoch": register.epoch.isoformat(),
        "lots": [seen.lot(known) for known in register.lots],
        "queue": [seen.told(place) for place in places if place.state == life.IN_QUEUE and not place.told],
        "attendants": seen.attendants(places),
        "returns": [
            seen.told(place) | {"parker": seen.number(place.extension), "ringing": place.state == life.AT_PARKER}
            for place in places
            if place.state in {life.ON_RETURN, life.AT_PARKER}
        ],
    }


class _Seen:
    """Names for what the switchboard numbers."""

    def __init__(self, switchboard: Switchboard, register: Register) -> None:
        self._switchboard = switchboard
        self._register = register
        self._calls = {call.number: call for call in register.calls}

    def lot(self, known: Lot) -> dict[str, Any]:
        """Return a lot, slot by slot."""
        slots: list[dict[str, Any] | None] = [None] * known.slots
        for slot, call in enumerate(known.occupants):
            if call != NOBODY:
                deadline_us = known.deadlines_us[slot]
                slots[slot] = {
                    "call": self.id(call),
                    "caller": self.caller(call),
                    "parker": self.number(known.parkers[slot]),
                    "parked_us": self._switchboard.calls[call].since_us,
                    "deadline_us": None if deadline_us == NEVER else deadline_us,
                }
        name = self._register.organizations[known.number].number
        return {"name": name, "first": self._register.firsts[known.number], "slots": slots}

    def told(self, place: Place) -> dict[str, Any]:
        """Return a call that waits somewhere."""
        return {"call": self.id(place.call), "caller": self.caller(place.call), "since_us": place.since_us}

    def attendants(self, places: Sequence[Place]) -> list[dict[str, Any]]:
        """Return what each attendant does."""
        busy = {place.extension: place for place in places if place.state in BUSY_STATES and not place.second_line}
        exchange, board = self._switchboard.exchange, []
        for attendant, idle_us in enumerate(exchange.idle_since_us):
            on_duty, roster_us = self._duty(attendant)
            state, call, since_us = ("free" if on_duty else "off"), None, max(idle_us, roster_us)
            if attendant in busy:
                place = busy[attendant]
                state, call, since_us = BUSY_STATES[place.state], self.id(place.call), place.since_us
            elif idle_us == BUSY_NOW:
                state, since_us = "announcing", exchange.announcing_since_us.get(attendant, 0)
            board.append({"extension": self.number(attendant), "state": state, "call": call, "since_us": since_us})
        return board

    def _duty(self, attendant: int) -> tuple[bool, int]:
        """Return whether an attendant is on duty and since when, 0 if it is always so; overtime is not looked at."""
        settings = self._switchboard.exchange.settings
        counts, period_us = settings.counts, settings.period_us
        if not counts:
            return True, 0
        now = since = self._switchboard.now_us // period_us
        duty = attendant < counts[now % len(counts)]
        while since > max(0, now - len(counts)) and (attendant < counts[(since - 1) % len(counts)]) == duty:
            since -= 1
        return duty, since * period_us if now - since < len(counts) else 0

    def number(self, extension: int) -> str:
        """Return an extension's number."""
        listed = 0 <= extension < len(self._register.extensions)
        return self._register.extensions[extension].number if listed else f"#{extension}"

    def id(self, number: int) -> str:
        """Return a call's id; one that the register does not show has the one that it would have."""
        call = self._calls.get(number)
        return id_of_number(number) if call is None else call.id

    def caller(self, number: int) -> str:
        """Return the other side of a call as people read it."""
        call = self._calls.get(number)
        if call is None:
            return caller_id(number)
        view = call.views[-1]
        return view.caller_id or (view.source if view.flow == FLOW_INCOMING else view.destination)[0]
