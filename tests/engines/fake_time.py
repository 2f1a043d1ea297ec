"""A real clock whose source of time is the test's."""

import asyncio

from parksim.engines.clocks import FOR_EVER, RealClock


class FakeTime:
    """A monotonic source that goes on when it is told to, and tells whoever sleeps."""

    def __init__(self) -> None:
        self.ns = 5_000_000_000

    def __call__(self) -> int:
        """Return the nanoseconds."""
        return self.ns


class FakeClock(RealClock):
    """A real clock over a fake source: a wait lets the source go on to where the wait ends, at once."""

    def __init__(self, source: FakeTime, rate: float = 1.0) -> None:
        super().__init__(rate, 0, source)
        self.source = source
        self.late_us: list[int] = []

    async def wait(self, time_us: int, woken: asyncio.Event) -> int:
        """Go on by some 0.7 s at a time, or wait for ever when nothing is to come."""
        while time_us > self.allowed_us():
            if time_us == FOR_EVER or woken.is_set():
                await woken.wait()
                return -1
            self.source.ns += min(700_000_000, -(-(time_us - self.allowed_us()) * 1000 // self.rate).__int__())
            await asyncio.sleep(0)
        self.late_us.append(self.allowed_us() - time_us)
        return self.late_us[-1]
