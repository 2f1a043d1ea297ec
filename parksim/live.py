"""A switchboard that runs, under its public name: what ``parksim.engines.live`` offers, and no more."""

from parksim.engines.live import (
    Clock,
    Command,
    CommandError,
    Facts,
    Missed,
    Place,
    RealClock,
    Switchboard,
    VirtualClock,
)

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
