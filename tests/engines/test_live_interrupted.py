"""The live switchboard in trouble: a process that stood still, a driver that is cancelled, a machine too slow."""

import asyncio
import json
import signal
import subprocess
import sys
import time

import pytest
from fake_time import FakeTime

import parksim
from parksim.engines import clocks
from parksim.engines.clocks import RealClock, VirtualClock
from parksim.engines.live import Switchboard

S = 1_000_000
CALLS = 20
STOOD_S = 10
PROGRAM = f"""
import asyncio, json
import parksim
from parksim.engines.live import RealClock, Switchboard
from parksim.rules import codes as c

async def session():
    scenario = parksim.Scenario.loads(parksim.TEMPLATE).with_values({{"lot.slots": {CALLS}}})
    clock = RealClock()
    expired = []
    async with Switchboard(scenario, clock=clock, traffic=False) as switchboard:
        switchboard.listen(
            lambda fact: expired.append([fact.call, fact.time_us, clock.allowed_us()])
            if fact.kind == c.EXPIRED else None
        )
        deadlines = {{}}
        for number in range({CALLS}):
            call = await switchboard.place_call(0)
            await switchboard.answer(call)
            deadlines[call] = (await switchboard.park(call, 0, 9 - 0.3 * number)).deadline_us
        print(json.dumps([list(deadlines.items()), len(expired)]), flush=True)
        await switchboard.run_to(max(deadlines.values()) + 1)
        await asyncio.sleep(0.2)
    print(json.dumps(expired), flush=True)

asyncio.run(session())
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="this system cannot stop a process")
def test_a_process_that_stood_still_for_ten_seconds():
    """SIGSTOP for 10 s in which 20 stays end: then each has returned once, in order, at its own instant, all late."""
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        deadlines, early = json.loads(process.stdout.readline())
        assert early == 0
        process.send_signal(signal.SIGSTOP)
        time.sleep(STOOD_S)
        process.send_signal(signal.SIGCONT)
        expired = json.loads(process.communicate(timeout=20)[0])
    finally:
        process.kill()
        process.communicate()
    assert [[call, at_us] for call, at_us, _ in expired] == sorted(deadlines, key=lambda one: one[1])
    assert all(shown_us >= at_us for _, at_us, shown_us in expired)
    late_us = [shown_us - at_us for _, at_us, shown_us in expired]
    assert min(late_us) > 0.5 * S  # the last one was due 9 s after it was parked, and the process stood for 10 s
    assert max(shown_us for _, _, shown_us in expired) - min(shown_us for _, _, shown_us in expired) < S


@pytest.mark.parametrize("who", ["run_to", "reader", "ended", "command"])
def test_a_driver_that_is_cancelled_is_noticed(who):
    """Somebody cancels every task of the loop: whoever waits, or comes later, is told; nobody waits for ever."""

    async def session() -> None:
        scenario = parksim.Scenario.load("scenarios/small-office.toml")
        switchboard = Switchboard(scenario, clock=VirtualClock(0), traffic=False)
        await switchboard.__aenter__()
        reader = switchboard.facts()
        waiting = {
            "run_to": lambda: switchboard.run_to(3600 * S),
            "reader": lambda: anext(reader),
            "ended": switchboard.ended,
            "command": lambda: switchboard.place_call(0),
        }[who]
        driver = switchboard._task
        assert driver is not None
        await asyncio.sleep(0)
        if who == "command":
            driver.cancel()
            await asyncio.wait({driver})
        told = asyncio.ensure_future(waiting())
        await asyncio.sleep(0)
        driver.cancel()
        if who == "ended":
            await asyncio.wait_for(told, 20)
        else:
            with pytest.raises(RuntimeError, match="was cancelled"):
                await asyncio.wait_for(told, 20)
        assert "was cancelled" in str(switchboard.failure)
        with pytest.raises(RuntimeError, match="was cancelled"):
            await switchboard.aclose()

    asyncio.run(session())


def test_a_clock_is_put_back_when_the_model_cannot_follow():
    """Behind for more than a second it shows how far the model is; behind for less, or caught up, it is let be."""
    source = FakeTime()
    clock = RealClock(100.0, 0, source)

    def after(milliseconds: int, reached_us: int, next_us: int) -> int:
        source.ns += milliseconds * 1_000_000
        return clock.follow(reached_us, next_us)

    assert after(1_000, 40 * S, 50 * S) == 0  # at 100 s, with 60 s to catch up
    assert after(900, 180 * S, 190 * S) == 0
    assert after(50, 194 * S, 200 * S) == 0  # it has caught up
    assert after(900, 200 * S, 210 * S) == 0
    assert after(1_000, 240 * S, 250 * S) == 0
    assert after(10, 250 * S, 260 * S) == (386 - 250) * S
    assert clock.now_us(0) == 250 * S
    assert after(100, 250 * S, 270 * S) == 0
    assert clock.allowed_us() == 260 * S
    assert VirtualClock(5 * S).follow(0, 0) == 0


def test_a_rate_that_the_machine_cannot_follow(monkeypatch, caplog):
    """At a million times the reference model is always behind: commands are done all the same, in order, soon."""
    monkeypatch.setattr(clocks, "BEHIND_S", 0.2)

    async def session() -> list[parksim.Fact]:
        scenario = parksim.Scenario.load("scenarios/park1.toml")
        async with Switchboard(scenario, clock=RealClock(1_000_000), endless=True, record=False) as switchboard:
            facts = switchboard.facts(1_000_000)
            for _ in range(3):
                call = await asyncio.wait_for(switchboard.place_call(0), 20)
                await asyncio.wait_for(switchboard.hang_up(call), 20)
        return [fact async for fact in facts if isinstance(fact, parksim.Fact)]

    facts = asyncio.run(session())
    assert len(facts) > 1_000
    assert [fact.time_us for fact in facts] == sorted(fact.time_us for fact in facts)
    assert [record.getMessage() for record in caplog.records] == [
        "the machine cannot follow at that rate: simulated time runs more slowly"
    ]


def test_nothing_is_done_in_the_past():
    """Work for an instant that has happened is refused, and nothing has changed."""

    async def session() -> None:
        scenario = parksim.Scenario.load("scenarios/small-office.toml")
        async with Switchboard(scenario, clock=VirtualClock(5 * S), traffic=False) as switchboard:
            await switchboard.place_call(0)
            assert switchboard.reached_us == 5 * S
            for at_us in (5 * S, 0):
                with pytest.raises(ValueError, match="is past; the switchboard has come to 5000000 us"):
                    switchboard.at_instant(at_us, 0, lambda _now_us: None)
            assert len(switchboard.calls) == 1

    asyncio.run(session())
