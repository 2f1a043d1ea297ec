"""The rules against a real PBX: what Asterisk did with recorded commands, ``rules.lot`` would have decided too.

``replay`` feeds the ``cmd`` lines of a trace to the rules, first come first served, and lets the timers ring in
between. Nothing in it decides: who gets which slot, who is there and whose time is up is all asked of the rules.
A command is taken to act when it was sent, so instants may differ by what the PBX needs to act: that is the measured
``SENDING_US``. Which call, which slot and which fact must be equal.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from parksim.rules import codes, lot
from parksim.rules.codes import NEVER, NOBODY

TRACES: Final = Path(__file__).parent / "traces"
EVENT_OF: Final = {
    codes.PARKED: "ParkedCall",
    codes.RETRIEVED: "UnParkedCall",
    codes.EXPIRED: "ParkedCallTimeOut",
    codes.ABANDONED: "ParkedCallGiveUp",
}
SENDING_US: Final = 9_000
"""The longest way from a command to its event in these traces; a park or hang-up needs 0.5 to 2 ms as a rule."""
TIMER_US: Final = (-800, 4_000)
"""How early and how late the PBX's own timers rang, over the 20 of ``timeout``."""
TIES: Final = {"hangup": codes.RANK_HANGUP, "retrieve": codes.RANK_RETRIEVAL}

Line = dict[str, Any]


class Seen(NamedTuple):
    """One parking event, told by the rules or heard from the PBX; ``slot`` is the label that people dial."""

    call: str
    event: str
    slot: int
    time_us: int


class Replay(NamedTuple):
    """What the rules made of a trace's commands."""

    events: list[Seen]
    refused: list[str]  # parks that found the lot full, by call
    fetched: list[tuple[str, str]]  # retrievals: the call meant, and the call found ("" = nobody)
    lots: dict[str, lot.Lot]  # at the end
    calls: list[str]  # names by number


def read(name: str) -> list[Line]:
    """Return the lines of a trace."""
    return [json.loads(line) for line in (TRACES / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def micro(line: Line) -> int:
    """Return the instant of a line in microseconds."""
    return round(line["t"] * 1_000_000)


def limit_us(command: Line, parkingtime_s: int) -> int:
    """Return the longest stay that a park command asks for: ms cut to whole seconds, at least one; 0 = never."""
    if "options" in command:  # the application's t(seconds)
        return int(command["options"].split("t(")[1].split(")")[0]) * 1_000_000
    asked_ms = int(command.get("Timeout", parkingtime_s * 1000))
    return NEVER if asked_ms == 0 else max(asked_ms // 1000, 1) * 1_000_000


def replay(trace: list[Line], choice: int = codes.CHOOSE_LOWEST, until_us: int | None = None) -> Replay:
    """Ask the rules what becomes of a trace's commands."""
    labels = trace[0]["lots"]
    lots = {name: lot.empty_lot(new["last"] - new["first"] + 1, choice) for name, new in labels.items()}
    done = Replay([], [], [], lots, [])

    def took_place(name: str, fact: lot.Fact) -> None:
        lots[name] = lot.evolved(lots[name], fact)
        if fact.kind in EVENT_OF:
            slot = labels[name]["first"] + fact.slot
            done.events.append(Seen(done.calls[fact.call], EVENT_OF[fact.kind], slot, fact.time_us))

    def ring(now_us: int, rank: int) -> None:
        """Let every timer ring that comes before (instant, rank), the earliest first."""
        while True:
            due = [(*lot.next_deadline(now), name) for name, now in lots.items()]
            due = [timer for timer in due if timer[0] != NEVER and (timer[0], codes.RANK_EXPIRY) < (now_us, rank)]
            if not due:
                return
            deadline_us, slot, name = min(due)
            call = lots[name].occupants[slot]
            took_place(name, lot.decide_expiry(lots[name], slot, call, deadline_us, now_us=deadline_us))

    for line in trace:
        if line["kind"] != "cmd" or line["do"] == "call_waiting_alone":
            continue
        now_us, do = micro(line), line["do"]
        ring(now_us, TIES.get(do, codes.RANK_PARK_REQUEST))
        if do == "retrieve":
            name = line["lot"]
            fact = lot.decide_unpark(lots[name], line["slot"] - labels[name]["first"], int(line["by"]), now_us)
            done.fetched.append((line["meant"], done.calls[fact.call] if fact.call != NOBODY else ""))
            took_place(name, fact)
        elif do == "hangup":
            number = done.calls.index(line["call"]) if line["call"] in done.calls else NOBODY
            for name, now in lots.items():
                if number != NOBODY and number in now.occupants:
                    took_place(name, lot.decide_hangup(now, now.occupants.index(number), now_us))
        else:  # a park, whatever way it was asked
            name = line["lot"]
            done.calls.extend([line["call"]] if line["call"] not in done.calls else [])
            number = done.calls.index(line["call"])
            asked = int(line["ParkingSpace"]) - labels[name]["first"] if "ParkingSpace" in line else NOBODY
            stay_us = limit_us(line, labels[name]["parkingtime"])
            parker = int(line.get("by", NOBODY))
            fact = lot.decide_park(lots[name], number, parker, stay_us, asked, slot_u=0, now_us=now_us)
            done.refused.extend([line["call"]] if fact.kind == codes.REFUSED else [])
            took_place(name, fact)
    ring(micro(trace[-1]) if until_us is None else until_us, codes.RANK_PARK_REQUEST)
    return done


def heard(trace: list[Line]) -> list[Seen]:
    """Return the parking events of a trace."""
    parking = set(EVENT_OF.values())
    return [
        Seen(line["call"], line["Event"], line["slot"], micro(line)) for line in trace if line.get("Event") in parking
    ]


def instants_agree(told: list[Seen], expected: list[Seen]) -> bool:
    """Tell whether no event of the PBX is earlier than its timers ring or later than it needs to act."""
    late_us = [theirs.time_us - ours.time_us for ours, theirs in zip(told, expected, strict=True)]
    return all(TIMER_US[0] <= late <= SENDING_US for late in late_us)


def stays_us(events: list[Seen]) -> dict[str, int]:
    """Return how long each call was parked whose time ran out."""
    parked_us = {seen.call: seen.time_us for seen in events if seen.event == "ParkedCall"}
    return {seen.call: seen.time_us - parked_us[seen.call] for seen in events if seen.event == "ParkedCallTimeOut"}


def story(events: list[Seen]) -> list[tuple[str, str, int]]:
    """Return the events without their instants."""
    return [(seen.call, seen.event, seen.slot) for seen in events]


@pytest.mark.parametrize(
    ("name", "choice", "events", "parks"),
    [
        ("soak_first", codes.CHOOSE_LOWEST, 404, 202),
        ("slots_first", codes.CHOOSE_LOWEST, 24, 14),
        ("slots_next", codes.CHOOSE_NEXT, 24, 14),
        ("giveup", codes.CHOOSE_LOWEST, 15, 8),
        ("full", codes.CHOOSE_LOWEST, 4, 3),
    ],
)
def test_the_rules_tell_every_parking_event(name, choice, events, parks):
    """All events of a trace, call by call, slot by slot, in the PBX's order: 404 of the soak, 67 of the others."""
    trace = read(name)
    told, expected = replay(trace, choice).events, heard(trace)
    assert len(expected) == events
    assert sum(seen.event == "ParkedCall" for seen in expected) == parks
    assert story(told) == story(expected)
    assert instants_agree(told, expected)


def test_the_soak_in_figures():
    """202 parks end in 108 retrievals, 47 give-ups and 47 time-outs; 10 were refused; the lot ends empty."""
    done = replay(read("soak_first"))
    counts = Counter(seen.event for seen in done.events)
    assert counts == {"ParkedCall": 202, "UnParkedCall": 108, "ParkedCallGiveUp": 47, "ParkedCallTimeOut": 47}
    assert lot.free_slots(done.lots["soak_first"]) == 5


def test_dialling_the_slot_that_was_told_fetches_the_wrong_call_as_often_as_it_did():
    """Of 145 retrievals in the soak 76 found the call they meant, 32 another, 37 nobody; the rules say the same."""
    fetched = replay(read("soak_first")).fetched
    right = sum(meant == found for meant, found in fetched)
    nobody = sum(found == "" for _, found in fetched)
    assert (right, len(fetched) - right - nobody, nobody) == (76, 32, 37)


@pytest.mark.parametrize(("name", "refusals"), [("soak_first", 10), ("full", 1)])
def test_the_rules_refuse_the_parks_that_brought_no_event(name, refusals):
    """10 parks of the soak and the bridged one of ``full`` found the lot full: the same calls, in the same order."""
    trace = read(name)
    unheard = [line["call"] for line in trace if line["kind"] == "derived"]
    assert len(unheard) == refusals
    assert replay(trace).refused[:refusals] == unheard


def test_a_full_lot_refuses_whatever_way_it_is_asked_and_takes_the_call_when_a_slot_is_free():
    """``full``: 3 parks (bridged, application, unbridged) are refused; c03, asking after a retrieval, gets 721."""
    trace = read("full")
    done = replay(trace)
    assert done.refused == ["c03", "c04", "c05"]
    assert done.events[-1][:3] == ("c03", "ParkedCall", 721)
    # What the PBX does with a refused call depends on the way it asked: kept, sent on, lost.
    after = {line["call"]: line["Event"] for line in trace if line.get("Event") in {"BridgeEnter", "UserEvent"}}
    assert after == {"c03": "BridgeEnter", "c04": "UserEvent"}
    assert [line["call"] for line in trace if line.get("Event") == "Hangup"] == ["c04", "c05"]


@pytest.mark.parametrize(
    ("name", "choice", "asked_and_given"),
    [
        ("slots_first", codes.CHOOSE_LOWEST, [(705, 701), (705, 704), (741, 701)]),  # taken, taken, out of range
        ("slots_next", codes.CHOOSE_NEXT, [(715, 715), (715, 711), (751, 715)]),  # free, taken, out of range
    ],
)
def test_a_slot_asked_for_is_given_when_free_and_only_then(name, choice, asked_and_given):
    """6 parks ask for a slot: free (given), taken (next above, then from the lowest), out of range (ignored)."""
    trace = read(name)
    wishes = {line["call"]: int(line["ParkingSpace"]) for line in trace if "ParkingSpace" in line}
    for events in (replay(trace, choice).events, heard(trace)):
        given = {seen.call: seen.slot for seen in events if seen.event == "ParkedCall"}
        assert [(slot, given[call]) for call, slot in wishes.items()] == asked_and_given


@pytest.mark.parametrize(
    ("name", "choice", "snapshots"),
    [("slots_first", 0, 7), ("slots_next", 1, 7), ("full", 0, 3), ("giveup", 0, 3)],
)
def test_the_lot_is_as_the_pbx_lists_it(name, choice, snapshots):
    """At each of 20 snapshots the rules' lot holds the same calls in the same slots as the PBX lists."""
    trace = read(name)
    listed = [(number, line) for number, line in enumerate(trace) if line["kind"] == "snapshot"]
    assert len(listed) == snapshots
    for number, line in listed:
        done = replay(trace[: number + 1], choice)
        first = trace[0]["lots"][line["lot"]]["first"]
        occupants = done.lots[line["lot"]].occupants
        ours = {str(first + slot): done.calls[call] for slot, call in enumerate(occupants) if call != NOBODY}
        assert ours == line["slots"]


def test_twenty_time_outs_at_their_instants():
    """The 20 time-outs of ``timeout``, in three lots: same calls, slots, order; stays -0.8 to +4 ms of ours."""
    trace = read("timeout")
    # The last hang-up, of the call whose timer is off, was not sent as a command: its give-up has no cause here.
    expected = [seen for seen in heard(trace) if seen.event != "ParkedCallGiveUp"]
    told = replay(trace).events
    assert story(told) == story(expected)
    assert instants_agree(told, expected)
    # The PBX's timer starts when it has parked the call, ours when it was told to: so the stays are compared.
    theirs_us, ours_us = stays_us(expected), stays_us(told)
    assert len(ours_us) == 20
    assert {round(stay_us / 1_000_000) for stay_us in ours_us.values()} == {1, 2, 3}
    assert all(TIMER_US[0] <= theirs_us[call] - ours_us[call] <= TIMER_US[1] for call in ours_us)


def test_a_time_out_of_ones_own_is_cut_to_whole_seconds():
    """Of 21 parks 4 ask for 2000, 2700, 500, 0 ms: 2 s, 2 s, 1 s, never; the PBX confirms all 21."""
    trace = read("timeout")
    confirmed_s = {line["call"]: line["limit_s"] for line in trace if line.get("Event") == "ParkedCall"}
    asked = {line["call"]: line for line in trace if line["kind"] == "cmd"}
    ours_us = {call: limit_us(line, trace[0]["lots"][line["lot"]]["parkingtime"]) for call, line in asked.items()}
    assert len(ours_us) == 21
    assert [ours_us[call] for call in ("e01", "e02", "e03", "e04")] == [2_000_000, 2_000_000, 1_000_000, NEVER]
    assert {call: 0 if us == NEVER else us // 1_000_000 for call, us in ours_us.items()} == confirmed_s


def test_the_slot_is_free_at_the_instant_of_the_time_out():
    """At each of the 20 deadlines the slot serves a park of that instant, and a microsecond before it does not."""
    trace = read("timeout")
    time_outs = [seen for seen in replay(trace).events if seen.event == "ParkedCallTimeOut"]
    assert len(time_outs) == 20
    for seen in time_outs:
        prefix = [line for line in trace if micro(line) <= seen.time_us]
        (name,) = [name for name, new in trace[0]["lots"].items() if new["first"] <= seen.slot <= new["last"]]
        slot = seen.slot - trace[0]["lots"][name]["first"]
        at, before = (replay(prefix, until_us=seen.time_us - early_us).lots[name] for early_us in (0, 1))
        wanted = [
            lot.decide_park(now, call=99, parker=1, limit_us=1, asked=slot, slot_u=0, now_us=seen.time_us)
            for now in (at, before)
        ]
        assert wanted[0].slot == slot
        assert wanted[1].slot != slot


def test_a_slot_that_timed_out_is_used_again_while_the_come_back_rings():
    """Recorded: 731 timed out at 3.6521 s and was given to a03 at 4.0701 s; the rules give it, too."""
    trace = read("timeout")
    events = [seen[:3] for seen in replay(trace).events if seen.slot == 731]
    assert events[:3] == [
        ("a00", "ParkedCall", 731),
        ("a00", "ParkedCallTimeOut", 731),
        ("a03", "ParkedCall", 731),
    ]


def test_giving_up_frees_the_slot_at_once_and_counts_only_in_the_lot():
    """6 of 7 hang-ups are give-ups, the one while the come-back rang is none; 731 is used again 26 ms later."""
    trace = read("giveup")
    hung_up = [line["call"] for line in trace if line.get("do") == "hangup"]
    gave_up = [seen.call for seen in replay(trace).events if seen.event == "ParkedCallGiveUp"]
    assert len(hung_up) == 7
    assert [call for call in hung_up if call not in gave_up] == ["c10"]
    assert [line["call"] for line in trace if line.get("DialStatus") == "CANCEL"] == ["c10"]
    assert [seen[:3] for seen in replay(trace).events][-3:] == [
        ("c11", "ParkedCall", 731),
        ("c11", "ParkedCallGiveUp", 731),
        ("c12", "ParkedCall", 731),
    ]


def _highest(now: lot.Lot, *_asked_and_drawn: int) -> int:
    free = [slot for slot in range(now.slots) if now.occupants[slot] == NOBODY]
    return free[-1] if free else NOBODY


def _refuse_taken(now: lot.Lot, asked: int, _drawn: int) -> int:
    return NOBODY if 0 <= asked < now.slots and now.occupants[asked] != NOBODY else lot.lowest_free(now, 0)


def _never_full(now: lot.Lot, *_asked_and_drawn: int) -> int:
    return max(lot.lowest_free(now, 0), 0)


def _nobody_there(now: lot.Lot, slot: int, retriever: int, now_us: int) -> lot.Fact:
    return lot.Fact(now_us, NEVER, NOBODY, now.number, slot, retriever, codes.REFUSED, codes.EMPTY_SLOT)


def _keeps_the_slot(now: lot.Lot, slot: int, now_us: int) -> lot.Fact:
    return lot.Fact(now_us, NEVER, NOBODY, now.number, slot, NOBODY, codes.REFUSED, codes.EMPTY_SLOT)


@pytest.mark.parametrize(
    ("name", "rule", "changed"),
    [
        ("soak_first", "choose_slot", _highest),
        ("soak_first", "choose_slot", _never_full),
        ("soak_first", "decide_unpark", _nobody_there),
        ("soak_first", "decide_hangup", _keeps_the_slot),
        ("slots_first", "choose_slot", _refuse_taken),
    ],
)
def test_a_changed_rule_is_noticed(monkeypatch, name, rule, changed):
    """Negative control: with one rule exchanged for a plausible other, the replay and the PBX disagree."""
    trace = read(name)
    monkeypatch.setattr(lot, rule, changed)
    assert story(replay(trace).events) != story(heard(trace))


@pytest.mark.parametrize(("name", "wrong"), [("slots_first", codes.CHOOSE_NEXT), ("slots_next", codes.CHOOSE_LOWEST)])
def test_the_other_slot_choice_is_noticed(name, wrong):
    """Negative control: the traces tell the two slot choices apart."""
    trace = read(name)
    assert story(replay(trace, wrong).events) != story(heard(trace))


def test_a_timer_that_is_a_second_off_is_noticed(monkeypatch):
    """Negative control: a timer a second late gives other events in the soak, and stays outside the tolerance."""
    decide = lot.decide_park

    def later(now, call, parker, limit_us, asked, slot_u, now_us):
        return decide(now, call, parker, limit_us + 1_000_000, asked, slot_u, now_us)

    monkeypatch.setattr(lot, "decide_park", later)
    soak, time_outs = read("soak_first"), read("timeout")
    assert story(replay(soak).events) != story(heard(soak))
    theirs_us, ours_us = stays_us(heard(time_outs)), stays_us(replay(time_outs, until_us=60_000_000).events)
    assert not any(TIMER_US[0] <= theirs_us[call] - ours_us[call] <= TIMER_US[1] for call in theirs_us)
