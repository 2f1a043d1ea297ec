"""The desk: UAPI over a switchboard that runs, beside traffic; register and model never disagree."""

import asyncio
import json
from collections import Counter
from random import Random

import pytest
import simpy
from desk_load import ALL, agree, call_to, hospital, parked, put, random_request, request

from parksim import Scenario
from parksim.engines.clocks import VirtualClock
from parksim.engines.commanded import CommandedExchange
from parksim.engines.live import Switchboard
from parksim.engines.traffic import Traffic, endless_batches
from parksim.journal.journal import JournalWriter
from parksim.rules import codes as c
from parksim.rules import life, uapi
from parksim.rules.routing import OFF_DUTY
from parksim.rules.uapi.calls import State, state_of
from parksim.server.desk import Desk, directory
from parksim.server.given import Given, read_given

S = 1_000_000
HOUR_US = 3_600 * S
MORNING_US = 8 * 3600 * S


def quiet(**more) -> Desk:
    """Return a desk without traffic whose clock stands at 0."""
    more = {"clock": VirtualClock(0), "traffic": False} | more
    return Desk(more.pop("scenario", hospital()), **more)


def on_desk(work, **more) -> object:
    """Run ``work(desk)`` on a quiet desk."""

    async def session() -> object:
        async with quiet(**more) as desk:
            result = await work(desk)
            agree(desk)
            return result

    return asyncio.run(session())


def body(reply) -> object:
    """Return what a reply tells."""
    return json.loads(reply.body)


async def talking(desk: Desk, extension: str = "0003*201", peer: str = "3235742879") -> str:
    """Make a call that talks; return its id."""
    call = body(desk.respond(call_to(extension, peer)))[0]["id"]
    await desk.switchboard.run_to(desk.switchboard.now_us + 10)
    return call


def state(desk: Desk, call: str) -> State | None:
    """Return a call's state as UAPI has it."""
    return next((state_of(known, 0) for known in desk.register.calls if known.id == call), None)


# --------------------------------------------------------------------------------------------------- what it does


def test_a_call_is_made_parked_and_comes_back():
    """POST, Park, List, time-out: the call talks after the pick-up, is parked, and rings its parker at its deadline."""

    async def work(desk: Desk) -> None:
        call = await talking(desk)
        assert state(desk, call) == State.TALKING
        assert desk.respond(put("Park", call, "0003*201", maxInParking=30)).status == 200
        slot, deadline_us = parked(desk)[call]
        assert slot == 0
        shown = body(desk.respond(request("GET", f"{ALL}/{call}")))["entry"][0]["phoneCallView"][0]
        assert (shown["parkedPos"], shown["parkedBy"]) == ("701", "0003*201")
        await desk.switchboard.run_to(deadline_us)
        assert state(desk, call) == State.PARKED
        await desk.switchboard.run_to(deadline_us + 1)
        assert state(desk, call) == State.RETURNING
        assert [one["ringing"] for one in desk.snapshot()["returns"]] == [True]
        assert desk.respond(request("DELETE", f"{ALL}/{call}")).status == 200
        assert desk.register.calls == ()
        counters = {name: count for name, count in desk.snapshot()["counters"].items() if count}
        assert counters == {"offered": 1, "parked": 1, "abandoned": 1, "expired": 1}

    on_desk(work)


@pytest.mark.parametrize(("at_us", "comes_to"), [(-1, State.TALKING), (0, State.TALKING), (1, State.RETURNING)])
def test_an_unpark_answered_about_the_deadline(at_us, comes_to):
    """Picked up before the deadline or at it the call is retrieved; a microsecond later it has returned."""
    scenario = hospital(**{"uapi.pickup": "5s"})

    async def work(desk: Desk) -> None:
        call = await talking_after(desk, 6 * S)
        desk.respond(put("Park", call, "0003*201", maxInParking=30))
        _, deadline_us = parked(desk)[call]
        await desk.switchboard.run_to(deadline_us - 5 * S + at_us)
        assert desk.respond(put("UnPark", call, sendCallTo="0003*202")).status == 200
        assert state(desk, call) == State.FETCHED
        await desk.switchboard.run_to(deadline_us + 10 * S)
        assert state(desk, call) == comes_to

    on_desk(work, scenario=scenario)


async def talking_after(desk: Desk, wait_us: int) -> str:
    """Make a call, and let some time pass; return its id."""
    call = body(desk.respond(call_to("0003*201")))[0]["id"]
    await desk.switchboard.run_to(desk.switchboard.now_us + wait_us)
    return call


def test_a_telephone_that_nobody_answers():
    """Without pick-up a call is set up for ever, an UnPark rings in vain and may ring again, the call stays parked."""
    given = [Given(extension="0003*201", peer="555", parker="0003*201", limit_s=3600)]

    async def work(desk: Desk) -> None:
        made = body(desk.respond(call_to("0003*201")))[0]["id"]
        (call,) = parked(desk)
        for _ in range(2):
            desk.respond(put("UnPark", call, sendCallTo="0003*202", waitForPickup=10))
            assert state(desk, call) == State.FETCHED
            await desk.switchboard.run_to(desk.switchboard.now_us + 11 * S)
            desk.respond(request("GET", ALL))
            assert state(desk, call) == State.PARKED
        assert state(desk, made) == State.SETUP

    on_desk(work, scenario=hospital(**{"uapi.pickup": "unlimited"}), given=given)


def test_rung_again_after_it_rang_out_it_is_answered():
    """A slow telephone rung in vain and rung once more, with nothing asked in between, answers the second time."""

    async def work(desk: Desk) -> None:
        call = await talking_after(desk, 41 * S)
        desk.respond(put("Park", call, "0003*201", maxInParking=3600))
        at_us = desk.switchboard.now_us
        desk.respond(put("UnPark", call, sendCallTo="0003*202", waitForPickup=10))
        await desk.switchboard.run_to(at_us + 30 * S)
        desk.respond(put("UnPark", call, sendCallTo="0003*202", waitForPickup=60))
        await desk.switchboard.run_to(at_us + 69 * S)
        assert state(desk, call) == State.FETCHED  # 40 s after the first UnPark nobody has answered the second
        await desk.switchboard.run_to(at_us + 71 * S)
        assert state(desk, call) == State.TALKING

    on_desk(work, scenario=hospital(**{"uapi.pickup": "40s"}))


def test_held_and_then_parked():
    """A call on hold is parked; answered again it is not on hold any more."""

    async def work(desk: Desk) -> None:
        call = await talking(desk)
        desk.respond(put("OnHold", call))
        assert state(desk, call) == State.HELD
        desk.respond(put("Park", call))
        desk.respond(put("UnPark", call, sendCallTo="0003*202"))
        await desk.switchboard.run_to(desk.switchboard.now_us + S)
        assert state(desk, call) == State.TALKING

    on_desk(work)


def test_all_calls_of_an_extension_are_parked_at_once():
    """Bulk park: five calls, three slots: three are parked at one instant, two refused, and a replay agrees."""

    async def work(desk: Desk) -> None:
        calls = [await talking(desk) for _ in range(5)]
        reply = desk.respond(put("Park", extension="0003*201"))
        assert reply.status == 200
        assert len(body(reply)["entry"]) == 3
        assert sorted(parked(desk)) == sorted(calls[:3])
        assert desk.snapshot()["counters"]["refused"] == 2
        assert desk.respond(put("Park", extension="0003*201")).status == 200  # what is parked already, again
        assert desk.respond(put("Park", calls[4], "0003*201")).status == 409

    on_desk(work, scenario=hospital(**{"lot.slots": 3}))


def test_a_simulated_call_is_parked_fetched_and_hung_up_over_uapi():
    """Calls of the background traffic stand in List; a client parks one and it returns to its simulated attendant."""

    async def session() -> None:
        async with Desk(hospital(), clock=VirtualClock(0), seed=2) as desk:
            at_us = 9 * 3600 * S
            kinds = Counter()
            desk.switchboard.listen(lambda fact: kinds.update([fact.kind]))
            for _ in range(400):
                at_us += 7 * S
                await desk.switchboard.run_to(at_us)
                for call in desk.register.calls:
                    if state_of(call, 0) == State.TALKING and call.number % 3:
                        assert desk.respond(put("Park", call.id, maxInParking=10)).status in {200, 409}
                    elif state_of(call, 0) == State.PARKED and call.number % 5 == 0:
                        assert desk.respond(put("UnPark", call.id, sendCallTo="0003*203")).status == 200
                agree(desk)
            assert kinds[c.RECALL_ANSWERED] > 10
            assert kinds[c.RETRIEVED] > 10

    asyncio.run(session())


def stress(requests: int, seed: int, **values) -> None:
    """Give so many random requests beside traffic, a few seconds apart; after each one everything agrees."""

    async def session() -> Counter:
        rng = Random(seed)
        seen: Counter = Counter()
        desk = Desk(hospital(**values), clock=VirtualClock(0), seed=seed)
        async with desk:
            at_us = MORNING_US
            await desk.switchboard.run_to(at_us)
            for number in range(requests):
                at_us += rng.choice([0, 1, rng.randrange(20 * S)])
                await desk.switchboard.run_to(at_us)
                asked = random_request(rng, desk)
                reply = desk.respond(asked)
                seen[asked.method, reply.status] += 1
                agree(desk)
                if number % 50 == 0:
                    desk.snapshot()
        assert desk.register.calls == ()
        return seen

    seen = asyncio.run(session())
    assert {status for _, status in seen} <= {200, 204, 400, 404, 409}
    assert seen["PUT", 200] > requests / 20
    assert seen["PUT", 409] > 0


def test_register_and_model_agree_under_random_requests():
    """1,500 random requests beside the hospital's traffic, then 500 with slow telephones. Seeds 11 and 12."""
    stress(1_500, 11)
    stress(500, 12, **{"uapi.pickup": "12s", "lot.slots": 3})


@pytest.mark.slow
@pytest.mark.parametrize("seed", [13, 14, 15, 16])
def test_register_and_model_agree_for_long(seed):
    """4 times 10,000 random requests: four kinds of telephones, four lots that are full at times. Seeds 13 to 16."""
    pickup = ("0s", "1s", "12s", "40s")[seed - 13]
    stress(10_000, seed, **{"uapi.pickup": pickup, "lot.slots": (3, 12, 1, 4)[seed - 13]})


def test_the_desk_answers_as_the_pure_rules_do():
    """1,500 random requests to a desk, and to the rules alone: each answer is equal, byte for byte. Seed 19.

    Nobody picks up, and 400 calls talk from the beginning, since the rules alone have no telephones. Time-outs come by
    themselves at the desk, and with the next request in the rules.
    """
    given = [Given(extension=f"0003*20{1 + place % 3}", peer=str(550 + place)) for place in range(400)]
    seen: Counter = Counter()

    async def work(desk: Desk) -> None:
        rng = Random(19)
        alone = desk.register
        at_us = 60 * S
        for _ in range(1_500):
            at_us += rng.choice([1, S, rng.randrange(10 * S)])
            await desk.switchboard.run_to(at_us)
            asked = random_request(rng, desk)
            outcome = uapi.respond(alone, asked, now_us=at_us)
            alone = outcome.register
            reply = desk.respond(asked)
            assert reply == outcome.reply
            seen[asked.method, reply.status] += 1

    on_desk(work, scenario=hospital(**{"uapi.pickup": "unlimited", "lot.slots": 6}), given=given)
    assert {status for _, status in seen} == {200, 204, 400, 409}
    assert seen["PUT", 200] > 200
    assert seen["DELETE", 200] > 20


@pytest.mark.parametrize("pickup", ["0s", "12s"])
def test_a_session_of_requests_replays_through_the_batch_engine(pickup):
    """600 random requests beside traffic: their commands put through the model again give the same bytes. Seed 18."""

    async def session() -> Switchboard:
        rng = Random(18)
        desk = Desk(hospital(**{"uapi.pickup": pickup}), clock=VirtualClock(0), seed=18)
        desk.switchboard._record = True
        async with desk:
            at_us = MORNING_US
            for _ in range(600):
                at_us += rng.choice([0, 1, rng.randrange(10 * S)])
                await desk.switchboard.run_to(at_us)
                desk.respond(random_request(rng, desk))
        return desk.switchboard

    live = asyncio.run(session())
    assert len(live.commands) > 200
    assert any(command.joined for command in live.commands)
    rows = JournalWriter()
    traffic = Traffic(endless_batches(live.scenario, 18, 0))
    exchange = CommandedExchange(simpy.Environment(), live.scenario.settings, traffic, rows.append)
    exchange.schedule(live.commands)
    exchange.run()
    again = rows.journal()
    assert len(again) > 1_000
    assert again.tobytes() == live.journal().tobytes()


def test_a_disagreement_is_answered_with_500_and_changes_nothing(caplog):
    """Were register and model to disagree, the request fails before anything is written, and the log says why."""

    async def session() -> None:
        async with quiet() as desk:
            call = await talking(desk)
            (place,) = desk.switchboard.calls.values()
            state, place.state = place.state, life.IN_SLOT
            before = desk.register
            assert desk.respond(put("Park", call)).status == 500
            assert desk.register == before
            assert "register and switchboard disagree: call 0 is " in caplog.text
            place.state = state
            assert desk.respond(put("Park", call)).status == 200

    asyncio.run(session())


def test_closing_nothing_is_accepted_any_more():
    """After the desk has begun to close a request is answered with 503."""

    async def session() -> None:
        async with quiet() as desk:
            pass
        assert desk.respond(call_to("0003*201")).status == 503

    asyncio.run(session())


# ------------------------------------------------------------------------------------------- pictures and changes


def test_changes_are_told_coalesced_and_end():
    """A viewer hears of the newest change, not of each, and its iteration ends when the desk does."""

    async def session() -> list[int]:
        desk = quiet()
        told: list[int] = []

        async def view() -> None:
            told.extend([number async for number in desk.changes()])

        async with desk:
            viewers = [asyncio.create_task(view()) for _ in range(2)]
            await asyncio.sleep(0)
            for _ in range(50):
                desk.respond(call_to("0003*201"))
            await asyncio.sleep(0.25)
        await asyncio.wait_for(asyncio.gather(*viewers), 20)
        return told

    told = asyncio.run(session())
    assert len(told) < 12
    assert told[-1] >= 100  # 50 offered, 50 hung up


def test_the_picture_is_json_and_true():
    """Slots, queue, attendants, returns and counters of a busy morning, each from the model itself."""

    async def session() -> None:
        async with Desk(hospital(), clock=VirtualClock(0), seed=4) as desk:
            states = set()
            announcement_us = desk.scenario.settings.announcement_us
            for minute in range(300):
                await desk.switchboard.run_to(MORNING_US + minute * 60 * S)
                picture = json.loads(json.dumps(desk.snapshot()))
                exchange = desk.switchboard.exchange
                slots = [slot and slot["deadline_us"] for slot in picture["lots"][0]["slots"]]
                assert slots == [None if us == c.NEVER else us for us in exchange.lots[0].deadlines_us]
                assert len(picture["queue"]) == len(exchange.queue)
                free = [one["state"] == "free" for one in picture["attendants"]]
                assert free == [idle_us >= 0 for idle_us in exchange.attendants.idle_since_us]
                states |= {one["state"] for one in picture["attendants"]}
                for one in picture["attendants"]:
                    assert 0 <= one["since_us"] <= picture["now_us"]
                    assert one["state"] != "announcing" or picture["now_us"] - one["since_us"] <= announcement_us
            assert states >= {"free", "talking", "ringing"}

    asyncio.run(session())


def test_the_picture_knows_who_is_off_duty():
    """Five hours and a night of shifts, a minute at a time: off as the model has it, since the full hour."""

    async def session() -> None:
        scenario = Scenario.load("scenarios/shifts.toml")
        counts = scenario.attendants.counts
        async with Desk(scenario, clock=VirtualClock(0), seed=4) as desk:
            off = 0
            for minute in [*range(15 * 60, 20 * 60), *range(23 * 60, 25 * 60)]:
                now_us = (minute * 60 + 30) * S
                await desk.switchboard.run_to(now_us)
                duty = counts[minute // 60 % 24]
                for place, one in enumerate(desk.snapshot()["attendants"]):
                    assert place >= duty or one["state"] != "off"
                    assert place < duty or one["state"] != "free"
                    assert (one["state"] == "off") == (
                        desk.switchboard.exchange.attendants.idle_since_us[place] == OFF_DUTY
                    )
                    if one["state"] == "off":
                        off += 1
                        assert one["since_us"] % HOUR_US == 0
                        assert counts[one["since_us"] // HOUR_US % 24] <= place
                        assert counts[one["since_us"] // HOUR_US % 24 - 1] > place
            assert off > 300

    asyncio.run(session())


# ---------------------------------------------------------------------------------------------- given calls


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"extension": "0003*999", "peer": "1"}, r"given call 2: extension: there is no extension '0003\*999' in"),
        ({"extension": "0003*201", "peer": "1", "parker": "0003*9"}, "given call 2: parker: there is no extension"),
        ({"extension": "0003*201", "peer": "1", "id": "b817d2618fe6f1804333"}, "given call 2: call id .* in use"),
        ({"extension": "0003*201", "peer": "1", "id": "no id!"}, "given call 2: call id .* malformed"),
        ({"extension": "0003*201", "peer": "1", "parker": "0003*201"}, r"given call 2: the lot of 0003\*201 is full"),
    ],
)
def test_given_calls_that_do_not_fit_are_named(given, message, tmp_path):
    """Which call, which key and why; and no session file is begun."""
    first = {"id": "b817d2618fe6f1804333", "extension": "0003*201", "peer": "323", "parker": "0003*202"}
    file = tmp_path / "register.json"
    file.write_text(json.dumps({"calls": [first, given]}))
    journal = tmp_path / "s.journal"
    with pytest.raises(ValueError, match=message):
        quiet(scenario=hospital(**{"lot.slots": 1}), given=read_given(file), journal=journal)
    assert not journal.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is no JSON"),
        ("[]", "the file: "),
        ('{"calls": [{"extension": "1"}]}', r"calls\.1\.peer: .*a call may have id, extension"),
        ('{"calls": [{"extension": "1", "peer": "2", "x": 3}]}', r"calls\.1\.x: "),
        ('{"calls": [{"extension": "1", "peer": "2", "parker": "1", "answered": false}]}', "has been answered"),
        ('{"calls": [{"extension": "1", "peer": "2", "parker": "1", "limit_s": 5}]}', r"calls\.1\.limit_s: "),
    ],
)
def test_a_wrong_register_file_is_explained(content, message, tmp_path):
    """File, place, rule and what a call may have."""
    file = tmp_path / "register.json"
    file.write_text(content)
    with pytest.raises(ValueError, match=message):
        read_given(file)
    with pytest.raises(ValueError, match=r"missing\.json: cannot be read"):
        read_given(tmp_path / "missing.json")


def test_given_calls_are_there_from_the_start():
    """One rings, one talks, one is local, one is parked; each in its state, and the model has the same."""
    given = [
        Given(extension="0003*201", peer="555", answered=False),
        Given(extension="0003*201", peer="556", caller_id="John Doe <556>", incoming=True),
        Given(extension="0003*202", peer="0003*203"),
        Given(extension="0003*202", peer="557", parker="0003*202", limit_s=30),
    ]

    async def work(desk: Desk) -> None:
        states = [state_of(call, 0) for call in desk.register.calls]
        assert states == [State.SETUP, State.TALKING, State.TALKING, State.PARKED]
        assert desk.register.calls[1].views[0].caller_id == "John Doe <556>"

    on_desk(work, given=given)


def test_the_directory_is_the_scenarios():
    """Without users there is one with all attendants and members; a number of another organization is refused."""
    register = directory(hospital())
    assert [known.number for known in register.extensions][:3] == ["0003*201", "0003*202", "0003*203"]
    assert register.lots[0].slots == 12
    assert directory(hospital(), "http://10.0.0.1").base_url == "http://10.0.0.1"


def two_organisations(**values) -> Scenario:
    """Return the clinic and the firm, with a user each."""
    users = {"uapi.users": {"12": ["0003*201", "0003*202"], "33": ["0004*201"]}}
    return Scenario.load("scenarios/two-organisations.toml").with_values(users | values)


def test_each_of_several_lots_is_its_organizations():
    """A client of the clinic parks in the clinic's lot, one of the firm in the firm's, each with its own positions."""

    async def work(desk: Desk) -> None:
        owners = [("3", "Default Organization"), ("0004", "firm")]
        asks = (("12", "0003*201", "701"), ("33", "0004*201", "801"))
        for (user, extension, place), owner in zip(asks, owners, strict=True):
            party = {"source": [extension], "destination": ["555"]}
            asked = {"extension": extension, "phoneCallView": [party]}
            made = desk.respond(request("POST", f"/uapi/phoneCalls/{user}/simple", asked, user))
            call = body(made)[0]["id"]
            await desk.switchboard.run_to(desk.switchboard.now_us + 10)
            path = f"/uapi/phoneCalls/{user}/{extension}/{call}"
            park = {"action": "Park", "phoneCallViewId": "01"}
            reply = desk.respond(request("PUT", path, park, user))
            [call] = body(reply)["entry"]
            assert call["phoneCallView"][0]["parkedPos"] == place
            assert (call["ownerId"], call["ownerName"]) == owner
        lots = desk.snapshot()["lots"]
        assert [(one["name"], one["first"], sum(slot is not None for slot in one["slots"])) for one in lots] == [
            ("0003", 701, 1),
            ("0004", 801, 1),
        ]

    on_desk(work, scenario=two_organisations())


def test_several_lots_agree_under_random_requests():
    """300 random requests beside the traffic of two organisations, whose lots overflow. Seed 17."""

    async def session() -> None:
        rng = Random(17)
        async with Desk(two_organisations(), clock=VirtualClock(0), seed=17) as desk:
            at_us = 3600 * S
            for _ in range(300):
                at_us += rng.randrange(20 * S)
                await desk.switchboard.run_to(at_us)
                assert desk.respond(random_request(rng, desk)).status < 500
                agree(desk)
                desk.snapshot()

    asyncio.run(session())


def test_several_lots_that_uapi_cannot_tell_apart_are_refused():
    """Two lots of one organization, or none of [uapi]'s, are refused with what to do."""
    with pytest.raises(ValueError, match="the lots clinic and firm are both of organization 0003; UAPI knows one lot"):
        directory(two_organisations(**{"lot.firm.organization": "0003"}))
    with pytest.raises(ValueError, match="organization 0009 has none of the lots; there are lots of 0003, 0004: set"):
        directory(two_organisations(**{"uapi.organization": "0009"}))
