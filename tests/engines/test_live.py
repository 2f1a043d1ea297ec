"""The live switchboard: the model's rows whatever the clock, whole whoever is cancelled, nobody waiting for ever."""

import asyncio
from pathlib import Path
from random import Random

import pytest
from fake_time import FakeClock, FakeTime

import parksim
from parksim.engines import live
from parksim.engines.clocks import RealClock, VirtualClock
from parksim.engines.live import CommandError, Missed, Switchboard
from parksim.rules import codes as c
from parksim.rules import life
from parksim.scenario.model import Scenario

SCENARIOS = sorted(path.stem for path in Path("scenarios").glob("*.toml"))
S = 1_000_000
ENDS = {c.ABANDONED, c.ENDED, c.LOST}


def shipped(name: str, horizon: str | None = "1h") -> Scenario:
    """Return a shipped scenario, by default with a short horizon."""
    scenario = Scenario.load(f"scenarios/{name}.toml")
    if horizon is None:
        return scenario
    return scenario.with_values({"run.horizon": horizon, "run.warm_up": "0s", "run.cool_down": "0s"})


OFFICE = shipped("small-office", "8h")
HOSPITAL = shipped("hospital", "1d")


def quiet(**more) -> Switchboard:
    """Return a switchboard without traffic whose clock stands at 0."""
    return Switchboard(OFFICE, clock=VirtualClock(0), traffic=False, **more)


# ------------------------------------------------------------------------------------------------- the same rows


async def rows_of(scenario: Scenario, **more) -> bytes:
    """Run a switchboard without commands to its end."""
    async with Switchboard(scenario, clock=VirtualClock(), **more) as switchboard:
        return (await switchboard.finish()).tobytes()


@pytest.mark.parametrize("name", SCENARIOS)
def test_without_commands_it_is_the_run(name):
    """The rows of a shipped scenario (1 h; the recording 12 h), virtual clock, equal those of parksim.run by bytes."""
    scenario = shipped(name, "12h" if name == "recorded" else "1h")
    run = parksim.run(scenario, seed=3, replication=2)
    assert len(run.journal) > 10
    assert asyncio.run(rows_of(scenario, seed=3, replication=2)) == run.journal.tobytes()


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_without_commands_it_is_the_whole_run(name):
    """The same with the shipped horizons."""
    scenario = shipped(name, None)
    assert asyncio.run(rows_of(scenario)) == parksim.run(scenario).journal.tobytes()


def test_a_real_clock_changes_no_row():
    """Real clocks at a rate of a million: the same rows, however late each event is."""
    scenario = shipped("small-office", "2h")

    async def session() -> bytes:
        async with Switchboard(scenario, clock=RealClock(1_000_000)) as switchboard:
            return (await switchboard.finish()).tobytes()

    assert asyncio.run(session()) == parksim.run(scenario).journal.tobytes()


async def random_session(scenario: Scenario, commands: int, seed: int) -> Switchboard:
    """Give random commands beside traffic on a virtual clock; close the switchboard."""
    rng = Random(seed)
    at_us = 8 * 3600 * S
    async with Switchboard(scenario, clock=VirtualClock(0)) as switchboard:
        await switchboard.run_to(at_us)
        for _ in range(commands):
            at_us += rng.randrange(20 * S)
            await switchboard.run_to(at_us)
            call = rng.choice([*switchboard.calls, -1])
            try:
                match rng.randrange(6):
                    case 0:
                        call = await switchboard.place_call(rng.randrange(5))
                        await switchboard.answer(call)
                    case 1:
                        await switchboard.answer(call, rng.randrange(5))
                    case 2 | 3:
                        await switchboard.park(call, rng.randrange(5), rng.choice([10, 30, None]))
                    case 4:
                        await switchboard.unpark(call, rng.randrange(60))
                    case 5:
                        await switchboard.hang_up(call)
            except CommandError:
                continue
    return switchboard


def test_a_session_replays():
    """500 random commands beside the hospital's day: parksim.run with them gives the same bytes. Seed 7."""
    switchboard = asyncio.run(random_session(HOSPITAL, 500, 7))
    assert len(switchboard.commands) > 200
    assert len({command.time_us for command in switchboard.commands}) == len(switchboard.commands)
    again = parksim.run(HOSPITAL, commands=switchboard.commands).journal
    assert again.tobytes() == switchboard.journal().tobytes()
    assert switchboard.journal().header["commands"] == len(switchboard.commands)
    offered = int((again.kind == c.OFFERED).sum())
    assert sum(int((again.kind == kind).sum()) for kind in ENDS) == offered


# -------------------------------------------------------------------------------------------------------- clocks


def test_a_virtual_clock_stops_just_before_an_instant():
    """At its deadline itself a call is still fetched; one microsecond later it has returned."""

    async def session(at_us: int) -> str:
        async with quiet() as switchboard:
            call = await switchboard.place_call(0)
            await switchboard.answer(call)
            parked = await switchboard.park(call, 0, 30)
            await switchboard.run_to(parked.deadline_us + at_us)
            assert switchboard.now_us == parked.deadline_us + at_us
            try:
                fact = await switchboard.unpark(call, 1)
            except CommandError as error:
                return str(error)
            assert fact.time_us == parked.deadline_us + at_us
            return "retrieved"

    assert asyncio.run(session(0)) == "retrieved"
    assert "is ringing: no unpark now" in asyncio.run(session(1))


def test_a_virtual_clock_never_goes_back():
    """Running to an instant that is past leaves the clock where it is; nobody who waits further on is left waiting."""

    async def session() -> tuple[int, int]:
        async with Switchboard(OFFICE, clock=VirtualClock(0)) as switchboard:
            far = asyncio.create_task(switchboard.run_to(3600 * S))
            await asyncio.sleep(0)
            await switchboard.run_to(10 * S)
            await asyncio.wait_for(far, 20)
            await switchboard.run_to(5 * S)
            return switchboard.now_us, switchboard.reached_us

    now_us, reached_us = asyncio.run(session())
    assert now_us == 3600 * S > reached_us


def test_the_loop_stays_responsive_while_a_virtual_run_goes_on():
    """Another task of the loop has its turn all along a run of thousands of events, between slices of bounded size."""

    async def session() -> tuple[int, int]:
        turns = 0
        async with Switchboard(shipped("park1", "2h"), clock=VirtualClock()) as switchboard:
            ended = asyncio.create_task(switchboard.finish())
            while not ended.done():
                turns += 1
                await asyncio.sleep(0)
            return turns, len(switchboard.journal())

    turns, facts = asyncio.run(session())
    assert facts > 5_000
    assert turns > facts / live.SLICE / 2  # a slice of events has about as many facts


def test_commands_that_come_late_wait_in_slices():
    """A command given while much is due lets other tasks have their turn until it is done, at the instant it is due."""

    async def session() -> tuple[int, int]:
        source = FakeTime()
        switchboard = Switchboard(shipped("park1", "2h"), clock=RealClock(1.0, 0, source))
        source.ns += 3600 * 10**9
        turns = 0
        giving = asyncio.create_task(switchboard.place_call(0))
        while not giving.done():
            turns += 1
            await asyncio.sleep(0)
        since_us = switchboard.calls[giving.result()].since_us
        await switchboard.aclose()
        return turns, since_us

    turns, since_us = asyncio.run(session())
    assert turns > 20
    assert since_us == 3600 * S


@pytest.mark.parametrize("rate", [1.0, 7.0, 60.0])
def test_no_timer_is_early_and_each_comes_once(rate):
    """200 parked calls on a real clock over a fake source: each time-out at its instant, never before its time."""

    async def session() -> None:
        source = FakeTime()
        clock = FakeClock(source, rate)
        scenario = OFFICE.with_values({"lot.slots": 200})
        rng = Random(5)
        async with Switchboard(scenario, clock=clock, traffic=False) as switchboard:
            deadlines_us = {}
            seen = []
            switchboard.listen(lambda fact: seen.append((fact, clock.allowed_us())) if fact.kind == c.EXPIRED else None)
            for _ in range(200):
                call = switchboard.perform(live.Command(0, "place_call", extension=0))[0].call
                switchboard.perform(live.Command(0, "answer", call, 0))
                limit_us = rng.randrange(1, 60 * S)
                parked = switchboard.perform(live.Command(0, "park", call, 0, limit_us))[0]
                deadlines_us[call] = parked.deadline_us
            await switchboard.run_to(max(deadlines_us.values()) + 1)
            assert {fact.call: fact.time_us for fact, _ in seen} == deadlines_us
            assert len(seen) == 200
            assert all(shown_us >= fact.time_us for fact, shown_us in seen)
            assert min(clock.late_us) >= 0

    asyncio.run(session())


def test_suspended_for_ten_seconds_it_fires_once_in_order():
    """While the machine sleeps 20 stays end: awake, each returns once, stamped with its own instant, in their order."""

    async def session() -> list[tuple[int, int, int]]:
        source = FakeTime()
        clock = RealClock(1.0, 0, source)
        async with Switchboard(OFFICE.with_values({"lot.slots": 20}), clock=clock, traffic=False) as switchboard:
            for number in range(20):
                call = await switchboard.place_call(0)
                await switchboard.answer(call)
                await switchboard.park(call, 0, 9 - 0.37 * number)
            await asyncio.sleep(0.01)
            assert len(switchboard.parked()) == 20
            facts = switchboard.facts()
            source.ns += 10 * 10**9
            await switchboard.run_to(10 * S)
            expired = []
            while len(expired) < 20:
                fact = await asyncio.wait_for(anext(facts), 20)
                if fact.kind == c.EXPIRED:
                    expired.append((fact.time_us, fact.call, switchboard.now_us))
            assert switchboard.parked() == []
            return expired

    expired = asyncio.run(session())
    assert [call for _, call, _ in expired] == list(range(19, -1, -1))
    assert [at_us for at_us, _, _ in expired] == sorted(at_us for at_us, _, _ in expired)
    assert all(now_us >= 10 * S for _, _, now_us in expired)


def test_a_real_clock_waits_for_what_is_to_come():
    """A stay of 50 ms of real time ends by itself; before that nothing happens, and a command wakes the driver."""

    async def session() -> list[int]:
        async with Switchboard(OFFICE, traffic=False) as switchboard:
            facts = switchboard.facts()
            call = await switchboard.place_call(0)
            await switchboard.answer(call)
            await switchboard.park(call, 0, 0.05)
            return [(await asyncio.wait_for(anext(facts), 20)).kind for _ in range(5)]

    assert asyncio.run(session()) == [c.OFFERED, c.ANSWERED, c.PARKED, c.EXPIRED, c.RECALL_RINGING]


def test_a_clock_says_early_late_or_woken():
    """A real clock's answer to a wait: by how much it is late, or that somebody woke it before."""

    async def session() -> tuple[int, int, int]:
        source = FakeTime()
        clock = RealClock(2.0, 100, source)
        source.ns += 3_000
        woken = asyncio.Event()
        woken.set()
        return await clock.wait(100, asyncio.Event()), await clock.wait(106, woken), await clock.wait(10**9, woken)

    assert asyncio.run(session()) == (6, 0, -1)
    for rate in (0, -1, 1_000_001, float("nan")):
        with pytest.raises(ValueError, match="a rate lies above 0"):
            RealClock(rate)


# ------------------------------------------------------------------------------------------------------- readers


def test_facts_come_to_every_reader_until_the_end():
    """Two readers from one instant on get the same facts, all of them, also if they begin late; then they end."""

    async def session() -> None:
        switchboard = Switchboard(shipped("small-office", "2h"), clock=VirtualClock(0))
        readers = [switchboard.facts(100_000), switchboard.facts(100_000)]
        async with switchboard:
            await switchboard.run_to(7200 * S)
        one, other = [[fact async for fact in reader] for reader in readers]
        assert one == other == list(switchboard.journal().facts())
        assert [fact async for fact in switchboard.facts()] == []

    asyncio.run(session())


def test_a_slow_reader_is_told_what_it_missed_and_blocks_nobody():
    """With room for 10 facts a reader that sleeps loses the oldest, exactly counted; others lose none."""

    async def session() -> None:
        switchboard = Switchboard(shipped("small-office", "2h"), clock=VirtualClock(0))
        slow = switchboard.facts(10)
        async with switchboard:
            await switchboard.run_to(7200 * S)
        read = [fact async for fact in slow]
        rows = list(switchboard.journal().facts())
        assert read == [Missed(len(rows) - 10), *rows[-10:]]
        with pytest.raises(ValueError, match="at least one fact"):
            switchboard.facts(0)

    asyncio.run(session())


def test_a_reader_that_is_gone_is_forgotten():
    """Who stops reading costs nothing any more."""

    async def session() -> None:
        async with quiet() as switchboard:
            for _ in range(5):
                reader = switchboard.facts()
                await switchboard.place_call(0)
                async for _ in reader:
                    break
            del reader
            assert len(switchboard._readers) == 0

    asyncio.run(session())


def test_a_waiting_reader_ends_at_close():
    """A task that waits for the next fact is released when the switchboard is closed."""

    async def session() -> list[int]:
        async with quiet() as switchboard:

            async def read() -> list[int]:
                return [fact.kind async for fact in switchboard.facts()]

            task = asyncio.create_task(read())
            await asyncio.sleep(0)
            await switchboard.place_call(0)
        return await asyncio.wait_for(task, 20)

    assert asyncio.run(session()) == [c.OFFERED, c.ABANDONED]


# ----------------------------------------------------------------------------------- whole, whatever happens to it


async def cancelled_at(await_number: int) -> tuple[Switchboard, int]:
    """Cancel a busy client at its so-manieth await; return the closed switchboard and how many awaits there were."""
    switchboard = Switchboard(shipped("park1", "4m"), clock=VirtualClock(0))
    passed = 0

    async def client() -> None:
        await switchboard.run_to(100 * S)
        call = await switchboard.place_call(0)
        await switchboard.answer(call)
        await switchboard.park(call, 0, 30)
        await switchboard.run_to(131 * S)
        await switchboard.answer(call)
        await switchboard.hang_up(call)
        await switchboard.run_to(180 * S)

    async with switchboard:
        task = asyncio.create_task(client())
        while not task.done():
            await asyncio.sleep(0)
            if passed == await_number:
                task.cancel()
            passed += 1
        await switchboard.run_to(200 * S)
    assert task.cancelled() == (await_number < passed - 1) or await_number == passed - 1
    return switchboard, passed


def test_cancelled_at_any_await_the_model_stays_whole(monkeypatch):
    """A client cancelled at each turn of the loop in turn: the session still ends, accounts for all, and replays."""
    monkeypatch.setattr(live, "SLICE", 5)
    whole, passed = asyncio.run(cancelled_at(10**9))
    assert passed > 15
    assert len(whole.commands) > 5
    for number in range(passed):
        switchboard, _ = asyncio.run(cancelled_at(number))
        journal = switchboard.journal()
        again = parksim.run(switchboard.scenario, commands=switchboard.commands).journal
        assert again.tobytes() == journal.tobytes(), f"cancelled at turn {number}"
        offered = int((journal.kind == c.OFFERED).sum())
        assert sum(int((journal.kind == kind).sum()) for kind in ENDS) == offered > 0


def test_aclose_accounts_for_every_call():
    """Closed in the middle of everything each call has ended once, slots are empty, attendants free; twice is fine."""

    async def session() -> None:
        async with Switchboard(HOSPITAL, clock=VirtualClock(0)) as switchboard:
            await switchboard.run_to(11 * 3600 * S)
            placed = await switchboard.place_call(0)
            assert {place.state for place in switchboard.calls.values()} > {life.IN_QUEUE}
            assert placed in switchboard.calls
        await switchboard.aclose()
        rows = list(switchboard.journal().facts())
        ended = [fact.call for fact in rows if fact.kind in ENDS]
        assert sorted(ended) == sorted(fact.call for fact in rows if fact.kind == c.OFFERED)
        assert switchboard.calls == {}
        assert all(set(lot.occupants) == {c.NOBODY} for lot in switchboard.exchange.lots)
        assert min(switchboard.exchange.attendants.idle_since_us) >= 0
        with pytest.raises(CommandError, match="the switchboard is closed"):
            await switchboard.place_call(0)
        with pytest.raises(RuntimeError, match="runs once"):
            await switchboard.__aenter__()

    asyncio.run(session())


def test_aclose_of_one_that_never_ran():
    """A switchboard that was never entered is closed like any other, and cannot be run any more."""

    async def session() -> None:
        switchboard = quiet()
        call = await switchboard.place_call(0)
        await switchboard.aclose()
        assert [fact.kind for fact in switchboard.journal().facts()] == [c.OFFERED, c.ABANDONED]
        assert call not in switchboard.calls
        with pytest.raises(RuntimeError, match="runs within async with"):
            await Switchboard(OFFICE, clock=VirtualClock(0)).finish()

    asyncio.run(session())


def test_whoever_waits_is_released_at_close():
    """run_to on a real clock, an hour ahead, ends when the switchboard is closed."""

    async def session() -> None:
        async with Switchboard(OFFICE, traffic=False) as switchboard:
            waiting = asyncio.create_task(switchboard.run_to(3600 * S))
            await asyncio.sleep(0.01)
            assert not waiting.done()
        await asyncio.wait_for(waiting, 20)

    asyncio.run(session())


@pytest.mark.parametrize("who", ["clock", "listener"])
def test_an_error_in_the_driver_surfaces(who):
    """What a clock or a listener raises comes out of whatever is asked next, and nobody is left waiting."""

    class Broken(VirtualClock):
        async def wait(self, time_us: int, woken: asyncio.Event) -> int:
            if time_us > 600 * S:
                raise ZeroDivisionError("broken")
            return await super().wait(time_us, woken)

    def listener(fact: parksim.Fact) -> None:
        if fact.time_us > 600 * S:
            raise ZeroDivisionError("broken")

    async def session() -> None:
        clock = Broken(0) if who == "clock" else VirtualClock(0)
        switchboard = Switchboard(shipped("park1", "1h"), clock=clock)
        if who == "listener":
            switchboard.listen(listener)
        await switchboard.__aenter__()
        reader = switchboard.facts(100_000)
        with pytest.raises(ZeroDivisionError, match="broken"):
            await asyncio.wait_for(switchboard.run_to(1800 * S), 20)
        with pytest.raises(ZeroDivisionError, match="broken"):
            await switchboard.place_call(0)
        with pytest.raises(ZeroDivisionError, match="broken"):
            async for _ in reader:
                pass
        with pytest.raises(ZeroDivisionError, match="broken"):
            await switchboard.aclose()

    asyncio.run(session())


def test_an_error_of_the_model_in_a_command_ends_it(monkeypatch):
    """If the model itself breaks in the middle of a command the switchboard fails, rather than going on half done."""

    async def session() -> None:
        switchboard = quiet()
        monkeypatch.setattr(switchboard.exchange, "do", lambda _command: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await switchboard.place_call(0)
        with pytest.raises(ZeroDivisionError):
            await switchboard.hang_up(0)

    asyncio.run(session())


def test_two_switchboards_share_a_loop():
    """Two of them, run by turns in one loop, write what each writes alone."""

    async def both() -> list[bytes]:
        scenarios = [shipped("park1"), shipped("warehouse", "4h")]
        return await asyncio.gather(*(rows_of(scenario) for scenario in scenarios))

    assert asyncio.run(both()) == [
        parksim.run(shipped("park1")).journal.tobytes(),
        parksim.run(shipped("warehouse", "4h")).journal.tobytes(),
    ]


# ------------------------------------------------------------------------------------------------------ commands


def test_commands_answer_with_their_facts():
    """The life of one placed call by awaits; hold is no fact; what cannot be says why and is not kept."""

    async def session() -> None:
        async with quiet() as switchboard:
            call = await switchboard.place_call(0)
            with pytest.raises(CommandError, match="is in the queue: no park"):
                await switchboard.park(call, 0)
            assert (await switchboard.answer(call, 1)).kind == c.ANSWERED
            assert (await switchboard.hold(call)).held_us == switchboard.reached_us
            assert (await switchboard.hold(call, on=False)).held_us == c.NEVER
            fact = await switchboard.park(call, 0, None, asked=1)
            assert (fact.kind, fact.slot, fact.deadline_us) == (c.PARKED, 1, c.NEVER)
            assert [place.call for place in switchboard.parked()] == [call]
            assert (await switchboard.unpark(call, 1)).kind == c.RETRIEVED
            assert (await switchboard.hang_up(call)).kind == c.ENDED
            assert [command.kind for command in switchboard.commands] == [
                *["place_call", "answer", "hold", "unhold", "park", "unpark", "hang_up"]
            ]

    asyncio.run(session())


@pytest.mark.parametrize(
    ("give", "message"),
    [
        (lambda board: board.place_call("0003*999"), r"there is no extension '0003\*999' in \[uapi\]; there are: "),
        (lambda board: board.place_call(-1), "extensions are numbered from 0 to 32767, not -1"),
        (lambda board: board.park(0, 40_000), "not 40000"),
        (lambda board: board.park(0, 0, 0), "a stay lasts at least a microsecond"),
        (lambda board: board.park(0, 0, float("nan")), "a stay lasts at least a microsecond"),
        (lambda board: board.park(0, 0, float("inf")), "a stay lasts at least a microsecond"),
        (lambda board: board.park(0, 0, 1e300), "a stay lasts at least a microsecond"),
        (lambda board: board.park(0, 0, lot=3), "there is no call 0"),
        (lambda board: board.hang_up(0), "there is no call 0"),
    ],
)
def test_wrong_arguments_are_refused(give, message):
    """What no switchboard has is a CommandError that names it, and changes nothing."""

    async def session() -> None:
        async with quiet() as switchboard:
            with pytest.raises(CommandError, match=message):
                await give(switchboard)
            assert switchboard.commands == []
            assert len(switchboard.journal()) == 0

    asyncio.run(session())


def test_extensions_are_known_by_number():
    """A number of [uapi] stands for its place there: attendants first, then staff, then whoever else."""
    scenario = OFFICE.with_values({"uapi.users": {"12": ["0003*210", "0003*211"], "13": ["0003*024"]}})

    async def session() -> list[int]:
        async with Switchboard(scenario, clock=VirtualClock(0), traffic=False) as switchboard:
            return [switchboard.extension(name) for name in ("0003*210", "0003*211", "0003*024", 9)]

    assert asyncio.run(session()) == [0, 1, 2, 9]


def test_endless_traffic_goes_on_and_keeps_nothing():
    """Beyond the horizon calls still come; without record neither rows nor commands are kept; it has no finish."""
    scenario = shipped("small-office", "1h")

    async def session() -> int:
        offered = []
        async with Switchboard(scenario, clock=VirtualClock(0), endless=True, record=False) as switchboard:
            switchboard.listen(lambda fact: offered.append(fact.time_us) if fact.kind == c.OFFERED else None)
            await switchboard.run_to(3 * 86_400 * S)
            await switchboard.place_call(0)
            with pytest.raises(RuntimeError, match="endless traffic has no end"):
                await switchboard.finish()
            assert switchboard.commands == []
            assert len(switchboard.journal()) == 0
        return max(offered)

    assert asyncio.run(session()) > 2 * 86_400 * S
