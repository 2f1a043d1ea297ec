"""The live switchboard on both event loops: several in one loop, slow readers, commands that are cancelled."""

import asyncio
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

import pytest

import parksim
from parksim.engines import commanded
from parksim.engines.clocks import VirtualClock
from parksim.engines.live import Missed, Switchboard
from parksim.errors import CommandError

S = 1_000_000
LOOPS = ("asyncio", "uvloop")
Run = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture(params=LOOPS)
def run(request) -> Run:
    """Run a coroutine on an event loop: that of asyncio, and uvloop's where it is installed."""
    if request.param == "asyncio":
        return asyncio.run
    factory = pytest.importorskip("uvloop").new_event_loop

    def run_on_uvloop(work):
        with asyncio.Runner(loop_factory=factory) as runner:
            assert type(runner.get_loop()).__module__.startswith("uvloop")
            return runner.run(work)

    return run_on_uvloop


def scenario(seed: int = 0) -> parksim.Scenario:
    """Return the hospital for an hour, with more slots the higher the seed."""
    hospital = parksim.Scenario.load("scenarios/hospital.toml")
    day = {"run.horizon": "10h", "run.warm_up": "0s", "run.cool_down": "0s", "lot.slots": 4 + seed}
    return hospital.with_values(day)


def test_many_switchboards_in_one_loop_are_each_as_if_alone(run):
    """12 at once, with other seeds and lots, and commands in between: each journal is that of its own replay."""

    async def one(seed: int) -> tuple[bytes, list[commanded.Command], parksim.Scenario]:
        rng = Random(seed)
        mine = scenario(seed)
        clock = VirtualClock(0)
        async with Switchboard(mine, clock=clock, seed=seed) as switchboard:
            for _ in range(10):
                await switchboard.run_to(switchboard.now_us + rng.randrange(1_800 * S))
                call = await switchboard.place_call(extension=rng.randrange(3))
                await asyncio.sleep(0)
                await switchboard.answer(call)
                await switchboard.park(call, 0, rng.randrange(1, 900))
            for call in [known for known, place in switchboard.calls.items() if place.told]:
                await switchboard.hang_up(call)
            await switchboard.finish()
            return switchboard.journal().tobytes(), switchboard.commands, mine

    async def all_of_them() -> list[Any]:
        return await asyncio.gather(*map(one, range(1, 13)))

    found = run(all_of_them())
    for seed, (rows, commands, mine) in enumerate(found, 1):
        again = commanded.simulate(mine.settings, parksim.draw(mine, seed, 0), commands)
        assert again.tobytes() == rows, f"switchboard {seed}"
    assert len({rows for rows, _, _ in found}) == 12


def test_readers_as_slow_as_they_like_hold_up_nobody(run):
    """Readers that keep 1, 10 and 10,000 facts and rest after each: facts and misses add up, in order, for each."""

    async def read() -> None:
        switchboard = Switchboard(scenario(), clock=VirtualClock(0), seed=3)
        told: dict[int, list[Any]] = {1: [], 10: [], 10_000: []}

        async def reader(limit: int, facts: Any) -> None:
            async for fact in facts:
                told[limit].append(fact)
                for _ in range(0 if limit == 10_000 else 30):
                    await asyncio.sleep(0)

        async with switchboard:
            readers = [asyncio.create_task(reader(limit, switchboard.facts(limit))) for limit in told]
            await asyncio.sleep(0)
            await switchboard.finish()
            total = len(switchboard.journal())
        await asyncio.gather(*readers)
        assert total > 500
        for limit, items in told.items():
            facts = [item for item in items if not isinstance(item, Missed)]
            assert len(facts) + sum(item.facts for item in items if isinstance(item, Missed)) >= total
            assert facts == sorted(facts, key=lambda fact: fact.time_us)
            assert (len(facts) < total / 2) == (limit < 10_000)

    run(read())


def test_commands_cancelled_at_drawn_moments_are_done_whole_or_not_at_all(run):
    """300 commands, a third of them cancelled after 0 to 3 turns of the loop: the rows are those of what was kept."""

    async def work() -> tuple[bytes, list[commanded.Command], int]:
        rng = Random(9)
        cancelled = 0
        async with Switchboard(scenario(), clock=VirtualClock(0), seed=5) as switchboard:
            for _ in range(300):
                await switchboard.run_to(switchboard.now_us + rng.randrange(100 * S))
                calls = [known for known, place in switchboard.calls.items() if place.told]
                kind = rng.randrange(4) if calls else 0
                call = rng.choice(calls) if calls else 0
                command = {
                    0: lambda: switchboard.place_call(0),
                    1: lambda call=call: switchboard.answer(call),
                    2: lambda call=call: switchboard.park(call, 0, 60),
                    3: lambda call=call: switchboard.hang_up(call),
                }[kind]()
                task = asyncio.create_task(command)
                if rng.random() < 0.33:
                    for _ in range(rng.randrange(4)):
                        await asyncio.sleep(0)
                    task.cancel()
                await asyncio.wait({task})
                cancelled += task.cancelled()
                if not task.cancelled() and task.exception() is not None:
                    assert isinstance(task.exception(), CommandError)
            for call in [known for known, place in switchboard.calls.items() if place.told]:
                await switchboard.hang_up(call)
            await switchboard.finish()
            return switchboard.journal().tobytes(), switchboard.commands, cancelled

    rows, commands, cancelled = run(work())
    mine = scenario()
    assert cancelled > 20
    assert len(commands) > 100
    assert commanded.simulate(mine.settings, parksim.draw(mine, 5, 0), commands).tobytes() == rows
