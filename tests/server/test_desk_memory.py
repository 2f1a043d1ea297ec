"""A desk that runs for long does not grow: neither in days of simulated traffic, nor under requests without end."""

import asyncio
import gc
import resource
import sys
from random import Random

import pytest
from desk_load import hospital, random_request

from parksim.engines.clocks import RealClock, VirtualClock
from parksim.server.desk import Desk

S = 1_000_000
MOST_BYTES = 50_000_000


def resident_bytes() -> int:
    """Return what the process holds at its most; on Linux in KiB, elsewhere in bytes."""
    gc.collect()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


async def days(desk: Desk, number: int, requests_a_day: int) -> None:
    """Let days of traffic pass, with requests between."""
    rng = Random(6)
    at_us = desk.switchboard.now_us
    for _ in range(number * requests_a_day):
        at_us += 86_400 * S // requests_a_day
        await desk.switchboard.run_to(at_us)
        desk.respond(random_request(rng, desk))


def grown(number: int, requests_a_day: int) -> int:
    """Return by how many bytes the process has grown over so many simulated days, after two to warm up."""

    async def session() -> int:
        async with Desk(hospital(), clock=VirtualClock(0)) as desk:
            await days(desk, 2, requests_a_day)
            before = resident_bytes()
            await days(desk, number, requests_a_day)
            assert desk.switchboard.commands == []
            return resident_bytes() - before

    return asyncio.run(session())


def test_a_few_days_do_not_grow():
    """3 simulated days of the hospital with 200 requests each: under 20 MB more than after two days."""
    assert grown(3, 200) < 20_000_000


@pytest.mark.slow
def test_fifty_days_do_not_grow():
    """50 simulated days of the hospital with 400 requests each: growth under 50 MB."""
    assert grown(50, 400) < MOST_BYTES


@pytest.mark.slow
def test_two_hours_at_rate_600_do_not_grow(tmp_path):
    """Two simulated hours on a real clock at rate 600, a session file written, requests all along: under 50 MB."""

    async def session() -> int:
        rng = Random(8)
        desk = Desk(hospital(), rate=600, clock=RealClock(600, 9 * 3600 * S), journal=tmp_path / "s.journal")
        async with desk:
            await desk.catch_up()
            before = resident_bytes()
            while desk.switchboard.now_us < 11 * 3600 * S:
                desk.respond(random_request(rng, desk))
                await asyncio.sleep(0.001)
            return resident_bytes() - before

    assert asyncio.run(session()) < MOST_BYTES
