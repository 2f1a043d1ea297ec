"""A switchboard that runs, under its public name: what ``parksim.engines.live`` offers, and no more."""

from parksim.engines.live import Clock, Command, Facts, Missed, Place, RealClock, Switchboard, VirtualClock
from parksim.errors import CommandError

__all__ = [
    "Clock",
    "Command",
    "CommandError",
    "Facts",
    "Missed",
    "Place",
    "RealClock",
    "Switchboard",
    "VirtualClock",
]
