"""The board's day: its shares against the measures of the same journal, its trend against sums in fractions."""

import asyncio
import json
from datetime import UTC, datetime
from fractions import Fraction
from itertools import pairwise

import pytest
from desk_load import call_to, hospital

from parksim import Scenario
from parksim.engines.clocks import VirtualClock
from parksim.engines.live import Switchboard
from parksim.journal.measures import PARTS, measure
from parksim.rules import codes as c
from parksim.rules.lot import Fact
from parksim.scenario.objectives import Objective
from parksim.server.day import Day, first_instant
from parksim.server.desk import Desk
from parksim.server.goals import MEASURED, headline, shares, told
from parksim.server.trend import BIN_US, BINS

HOUR_US = 3_600_000_000
MIDNIGHT = datetime(2026, 1, 5, tzinfo=UTC)
PLAIN = ("answered_within_share", "answer_wait_s_mean", "calls_offered", "parks_requested", "parks_made")


def nobody(_fact):
    """Name nobody."""
    return {}


def day_of(scenario):
    """Return what a day makes of a scenario's whole run, its facts, and its journal."""
    day = Day(len(scenario.lots), MIDNIGHT, round(scenario.queue.target * 1e6))
    facts = []

    async def finished():
        async with Switchboard(scenario, clock=VirtualClock(0), seed=1) as switchboard:
            switchboard.listen(facts.append)
            switchboard.listen(lambda fact: day.observe(fact, placed=False, name=nobody))
            return await switchboard.finish()

    return day, facts, asyncio.run(finished())


@pytest.mark.parametrize("name", ["hospital", "two-organisations", "overload", "warehouse"])
def test_the_shares_of_a_day_are_its_measures(name):
    """At the end of 23 hours, all calls over, every share on the board is the measure of that journal, exactly."""
    scenario = Scenario.load(f"scenarios/{name}.toml").with_values({"run.horizon": "23h", "run.warm_up": 0})
    aims = [Objective(measure=one, relation=">", value=0.25, text="> 25 %") for one in (*PARTS, *PLAIN)]
    scenario = scenario.model_copy(update={"objectives": tuple(aims)})
    day, facts, journal = day_of(scenario)
    now_us = facts[-1].time_us
    assert now_us < 24 * HOUR_US
    measured = measure(journal, scenario)
    rows = {row["measure"]: row for row in shares(day, scenario, now_us)}
    assert rows["refused_share"]["part"] > 0
    assert {one for one, row in rows.items() if row["measured"]} == MEASURED == {*PARTS, *PLAIN}
    for one in (*PARTS, "answered_within_share"):
        row = rows[one]
        assert (row["part"] / row["whole"] if row["whole"] else None) == pytest.approx(
            measured[one], abs=0, nan_ok=True
        )
        assert row["met"] is (measured[one] > 0.25 if row["whole"] else None)
    assert rows["answer_wait_s_mean"]["shown"] == f"{measured['answer_wait_s_mean']:.3g} s"
    for one in ("calls_offered", "parks_requested", "parks_made"):
        assert float(rows[one]["shown"]) == float(f"{measured[one]:.3g}")
    counts = told(day, scenario, now_us)["day"]
    assert sum(counts["gave_up"].values()) == sum(fact.kind == c.ABANDONED for fact in facts)
    assert counts["calls"] == counts["ended"] + counts["lost"] + sum(counts["gave_up"].values())


def test_the_trend_is_the_sum_of_what_happened():
    """Up to 24 columns and a piece at nine instants: taken slots, waiting callers, refusals and returns."""
    scenario = Scenario.load("scenarios/two-organisations.toml").with_values({"run.horizon": "5h", "run.warm_up": 0})
    lots = len(scenario.lots)
    _, facts, journal = day_of(scenario)
    assert len(journal) == len(facts) > 3_000
    day, at = Day(lots, MIDNIGHT, 20_000_000), 0
    for now_us in range(HOUR_US // 2, 5 * HOUR_US, HOUR_US // 2 + 77_777_777):
        while facts[at].time_us <= now_us:
            day.observe(facts[at], placed=False, name=nobody)
            at += 1
        kept = json.dumps(day.state())
        trend = day.trend.columns(now_us)
        assert json.dumps(day.state()) == kept
        assert len(trend["refused"]) == min(BINS + (now_us % BIN_US > 0), -(-now_us // BIN_US))
        naive = _naive(facts[:at], lots, trend["begin_us"], now_us)
        for name in ("refused", "returned"):
            assert trend[name] == naive[name]
        for name, seen in (("waiting", trend["waiting"]), *((f"lot {n}", one) for n, one in enumerate(trend["taken"]))):
            assert seen == [round(float(one), 3) for one in naive[name]]
        assert sum(trend["returned"]) > 0
        assert max(trend["taken"][0]) > 1


def _naive(facts, lots, begin_us, now_us):
    """Return the columns from the intervals in which each call waits, or is in a slot, cut at the columns' ends."""
    cuts = [*range(begin_us, now_us, BIN_US), now_us]
    intervals, since = [], {}
    found = {name: [Fraction(0)] * (len(cuts) - 1) for name in ("waiting", *(f"lot {n}" for n in range(lots)))}
    found |= {name: [0] * (len(cuts) - 1) for name in ("refused", "returned")}
    for fact in facts:
        if fact.call in since and fact.kind not in (c.RELEASED, c.REMINDED):
            intervals.append((*since.pop(fact.call), fact.time_us))
        if fact.kind in (c.OFFERED, c.PARKED):
            since[fact.call] = ("waiting" if fact.kind == c.OFFERED else f"lot {fact.lot}", fact.time_us)
        if fact.time_us >= begin_us and fact.kind in (c.REFUSED, c.EXPIRED):
            place = min((fact.time_us - begin_us) // BIN_US, len(cuts) - 2)
            found["refused" if fact.kind == c.REFUSED else "returned"][place] += 1
    for name, from_us, until_us in (*intervals, *((*one, now_us) for one in since.values())):
        for place, (start_us, end_us) in enumerate(pairwise(cuts)):
            overlap_us = max(0, min(until_us, end_us) - max(from_us, start_us))
            found[name][place] += Fraction(overlap_us, end_us - start_us)
    return found


def test_a_day_that_was_kept_goes_on_as_if_it_had_not_been():
    """After any of 40 facts the state, through JSON, makes a day that is the same now and after all facts."""
    scenario = Scenario.load("scenarios/hospital.toml").with_values({"run.horizon": "10h", "run.warm_up": 0})
    day, facts, _ = day_of(scenario)
    for cut in range(0, len(facts), len(facts) // 40):
        first = Day(1, MIDNIGHT, 20_000_000)
        for fact in facts[:cut]:
            first.observe(fact, placed=False, name=nobody)
        kept = Day(1, MIDNIGHT, 20_000_000)
        kept.become(json.loads(json.dumps(first.state())))
        assert kept.state() == first.state()
        for fact in facts[cut:]:
            kept.observe(fact, placed=False, name=nobody)
        assert kept.state() == day.state()


def test_midnight_is_that_of_the_clock():
    """Counts begin anew when the clock shows midnight, also before a fact of the new day; who waits still waits."""
    epoch = datetime(2026, 1, 5, 22, tzinfo=UTC)
    day = Day(1, epoch, 20_000_000)
    offered = Fact(HOUR_US, c.NEVER, 0, c.NOBODY, c.NOBODY, c.NOBODY, c.OFFERED, c.NO_REASON)
    day.observe(offered, placed=False, name=nobody)
    last_us = 2 * HOUR_US - 1
    assert day.counts(last_us).of(c.OFFERED) == 1
    assert day.counts(last_us + 1).of(c.OFFERED) == 0
    day.observe(offered._replace(time_us=last_us + 1, call=1), placed=False, name=nobody)
    assert day.counts(last_us + 1).of(c.OFFERED) == 1
    assert day.trend.columns(last_us + 2)["waiting"][-1] == 2
    assert first_instant(epoch, 21 * HOUR_US) == 23 * HOUR_US
    assert first_instant(epoch, 22 * HOUR_US) == 0


def test_who_may_still_be_answered_in_time_is_not_counted():
    """The share of answers in time is of callers whose answer is decided: who calls just now does not lower it."""
    scenario = Scenario.load("scenarios/hospital.toml")
    day = Day(1, MIDNIGHT, 20_000_000)
    fact = Fact(0, c.NEVER, 0, c.NOBODY, c.NOBODY, c.NOBODY, c.OFFERED, c.NO_REASON)
    for call, time_us in enumerate((0, 1_000_000, 30_000_000)):
        day.observe(fact._replace(call=call, time_us=time_us), placed=False, name=nobody)
    day.observe(fact._replace(call=9, time_us=30_000_000), placed=True, name=nobody)  # a client's: it needs nobody
    day.observe(fact._replace(call=1, time_us=30_500_000, kind=c.ANSWERED), placed=False, name=nobody)

    def share(now_us):
        row = next(one for one in shares(day, scenario, now_us) if one["measure"] == "answered_within_share")
        return row["part"], row["whole"]

    assert share(30_500_000) == (0, 2)
    assert share(50_000_000) == (0, 2)
    assert share(50_000_001) == (0, 3)


MISSED = {"words": "refused", "shown": "2 %", "whole": 20, "wanted": "< 1 %", "met": False, "measured": True}
MET, FEW = MISSED | {"met": True}, MISSED | {"whole": 19}
NO_AIM, NO_VALUE = MISSED | {"wanted": None, "met": None}, MISSED | {"met": None, "whole": 0}
UNMEASURED = NO_VALUE | {"measured": False, "whole": None}
WAIT = MISSED | {"whole": None}


@pytest.mark.parametrize(
    ("rows", "calls", "state", "text"),
    [
        ([MISSED], 0, "open", "The day has not begun: there was no call since midnight."),
        ([NO_AIM], 9, "open", "The scenario has no objectives to tell a good day from a bad one."),
        ([NO_VALUE], 9, "open", "Too early to tell: the objective has fewer than 20 calls to count."),
        ([FEW], 9, "open", "Too early to tell: the objective has fewer than 20 calls to count."),
        ([FEW, FEW, MET, NO_AIM], 9, "open", "Too early to tell: 2 of 3 objectives have fewer than 20 calls to count."),
        ([UNMEASURED] * 2, 9, "open", "The board measures none of the 2 objectives."),
        ([MISSED], 9, "bad", "The day goes badly: the objective is missed (refused: 2 %, wanted < 1 %)."),
        ([WAIT], 9, "bad", "The day goes badly: the objective is missed (refused: 2 %, wanted < 1 %)."),
        ([MET, FEW, MISSED], 9, "bad",
         "The day goes badly: 1 of 3 objectives is missed (refused: 2 %, wanted < 1 %)."),
        ([MISSED] * 2, 9, "bad", "The day goes badly: 2 of 2 objectives are missed (refused: 2 %, wanted < 1 %)."),
        ([MET, NO_AIM], 9, "good", "The day goes well: the objective is met so far."),
        ([MET] * 2, 9, "good", "The day goes well: both objectives are met so far."),
        ([MET] * 3, 9, "good", "The day goes well: all 3 objectives are met so far."),
        ([MET, UNMEASURED], 9, "good", "The day goes well: 1 of 2 objectives is met so far."),
        ([MET, MET, UNMEASURED], 9, "good", "The day goes well: 2 of 3 objectives are met so far."),
    ],
)  # fmt: skip
def test_the_sentence(rows, calls, state, text):
    """The sentence for no call, no objective, no value, one and several, met and missed."""
    assert headline(rows, calls) == {"state": state, "text": text}


@pytest.mark.parametrize(
    ("aim", "parks", "shown", "met"),
    [("<= 1 %", 9_861, "1.004 %", False), ("< 1 %", 9_904, "0.9996 %", True), ("< 1 %", 9_861, "1 %", False),
     ("< 1 %", 9_900, "1 %", False), ("<= 1 %", 9_900, "1 %", True), ("<= 25 %", 9_900, "1 %", True)],
)  # fmt: skip
def test_a_share_never_seems_to_lie_on_the_other_side_of_its_limit(aim, parks, shown, met):
    """Of 100 refused parks beside so many made, as many digits are shown as tell whether the objective is met."""
    scenario = Scenario.load("scenarios/hospital.toml").with_values({"objectives.refused_share": aim})
    day = Day(1, MIDNIGHT, 20_000_000)
    facts = day.counts(0).facts
    facts[c.PARKED, c.NO_REASON], facts[c.REFUSED, c.LOT_FULL] = parks, 100
    row = shares(day, scenario, 0)[0]
    assert (row["shown"], row["wanted"], row["met"], row["whole"]) == (shown, aim, met, parks + 100)


def test_a_session_that_begins_in_mid_day(tmp_path):
    """At 10:30 the lot has lived: it is as after ten hours and a half from midnight, and again after a kill."""
    journal = tmp_path / "s.journal"
    start_us = 10 * HOUR_US + HOUR_US // 2

    async def session() -> None:
        from_midnight = Desk(hospital(), clock=VirtualClock(0))
        await from_midnight.switchboard.__aenter__()
        await from_midnight.switchboard.run_to(start_us)
        first = Desk(hospital(), clock=VirtualClock(0), journal=journal, start_us=start_us)
        assert first.switchboard.now_us == start_us
        assert _lived(first) == _lived(from_midnight)
        assert first.snapshot()["day"]["calls"] > 200
        assert first.respond(call_to("0003*201")).status == 200
        first.close_file()  # as a killed process leaves it
        again = Desk(hospital(), clock=VirtualClock(0), journal=journal, start_us=start_us)
        assert _lived(again) == _lived(first)
        again.close_file()

    asyncio.run(session())


def _lived(desk):
    """Return what a desk has of its past: register, calls, counts, the day."""
    places = {call: (place.state, place.since_us, place.slot) for call, place in desk.switchboard.calls.items()}
    return desk.register, places, desk._counters, desk._day.state()
