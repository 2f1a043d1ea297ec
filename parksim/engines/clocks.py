"""Clocks of the live switchboard: as fast as it goes, or real time at any rate.

A clock tells how far simulated time has come, and waits. Its answer to a wait is "in time" or "late by".
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

from parksim.errors import ArgumentError

FOR_EVER: Final = 2**63 - 1
"""An instant that never comes."""
BEHIND_S: Final = 1.0
"""A model that has been behind its clock for so long cannot follow it: the clock is put back to where the model is."""
LONGEST_SLEEP_S: Final = 1.0
"""The loop's own clock may stand still while the machine is suspended; so late is the first timer after that."""


def _real_ns() -> int:
    """Return real nanoseconds that keep counting while the machine is suspended, where the system has such a clock."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic_ns() if boot is None else time.clock_gettime_ns(boot)


class Clock(Protocol):
    """What tells the switchboard how far simulated time has come."""

    def now_us(self, reached_us: int) -> int:
        """Return the instant that a command gets now; events up to ``reached_us`` have happened."""

    def allowed_us(self) -> int:
        """Return the last instant whose events may happen now."""

    async def wait(self, time_us: int, woken: asyncio.Event) -> int:
        """Wait until events of ``time_us`` may happen, or ``woken`` is set.

        Returns:
            By how many microseconds of simulated time it is late, 0 for in time; negative: it was woken before.
        """

    def follow(self, reached_us: int, next_us: int) -> int:
        """Be told now and then how far the model has come, and of when its next event is.

        Returns:
            By how much the clock was put back since the model could not follow, mostly 0.
        """


class VirtualClock:
    """As fast as it goes, or until ``stop_before_us``: then it shows that instant, whose events are to come."""

    def __init__(self, stop_before_us: int | None = None) -> None:
        self.stop_before_us = stop_before_us

    def now_us(self, reached_us: int) -> int:
        """Return where it stopped, or the last instant that has happened."""
        return reached_us if self.stop_before_us is None else max(reached_us, self.stop_before_us)

    def allowed_us(self) -> int:
        """Return the last instant before the stop."""
        return FOR_EVER - 1 if self.stop_before_us is None else self.stop_before_us - 1

    async def wait(self, time_us: int, woken: asyncio.Event) -> int:
        """Be in time at once, or wait until somebody lets the clock run."""
        if time_us <= self.allowed_us():
            return 0
        await woken.wait()
        return -1

    def follow(self, reached_us: int, next_us: int) -> int:  # noqa: ARG002 - it waits for the model as it is
        """Return 0: nothing is ever late."""
        return 0


class RealClock:
    """Real time, or ``rate`` times as fast, from ``start_us`` on, by the monotonic clock.

    Where the model cannot follow, as the machine is too slow for that rate, simulated time runs as fast as it can.

    Args:
        rate: simulated seconds a second.
        start_us: the simulated instant at which it starts.
        monotonic_ns: where real nanoseconds come from.

    Raises:
        ArgumentError: the rate is not positive, or over 1,000,000.
    """

    def __init__(self, rate: float = 1.0, start_us: int = 0, monotonic_ns: Callable[[], int] = _real_ns) -> None:
        if not 0 < rate <= 1_000_000:
            raise ArgumentError(f"a rate lies above 0 and up to 1,000,000 (60: a minute a second), not {rate}")
        self.rate = rate
        self._start_us = start_us
        self._monotonic_ns = monotonic_ns
        self._started_ns = monotonic_ns()
        self._behind_ns: int | None = None

    def now_us(self, reached_us: int) -> int:
        """Return what the clock shows at any time."""
        return max(self.allowed_us(), reached_us)

    def allowed_us(self) -> int:
        """Return what the clock shows, rounded down: no timer is early."""
        return self._start_us + int((self._monotonic_ns() - self._started_ns) * self.rate / 1000)

    async def wait(self, time_us: int, woken: asyncio.Event) -> int:
        """Sleep until then, or until woken."""
        while (ahead_us := time_us - self.allowed_us()) > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(woken.wait(), min(ahead_us / self.rate / 1e6 + 1e-4, LONGEST_SLEEP_S))
                return -1
        return -ahead_us

    def follow(self, reached_us: int, next_us: int) -> int:
        """Put the clock back to ``reached_us`` when the model has been behind for ``BEHIND_S``."""
        shown_us, now_ns = self.allowed_us(), self._monotonic_ns()
        if next_us > shown_us:
            self._behind_ns = None
        elif self._behind_ns is None:
            self._behind_ns = now_ns
        elif now_ns - self._behind_ns > BEHIND_S * 1e9:
            self._behind_ns = None
            self._start_us -= shown_us - reached_us
            return shown_us - reached_us
        return 0
