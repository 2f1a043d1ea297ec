"""The auditor: journals of engines pass, planted errors are named, and a replay finds everybody where they were."""

from itertools import zip_longest
from random import Random

import naive
import pytest
from audit_explained import can_be_explained, explained
from case_forms import (
    answered,
    ended,
    expired,
    gave_up_parked,
    gave_up_ringing,
    lost,
    offered,
    parked,
    parks,
    recalled,
    refused,
    released,
    retrieved,
    rings,
    settings,
    unanswered,
    workload,
)
from cases import CASES
from random_cases import random_case

from parksim.engines import kernel, processes
from parksim.journal import audit
from parksim.rules import codes as c
from parksim.rules import life
from parksim.rules.lot import Fact
from parksim.rules.routing import BUSY_NOW, OFF_DUTY

ENGINES = {
    "naive": naive.simulate,
    "simpy": lambda *offered: processes.simulate(*offered).facts(),
    "kernel": lambda *offered: kernel.simulate(*offered).facts(),
}


def scenario(seed):
    """Return the settings and workload of a seed; every third has several lots."""
    return random_case(Random(seed), several_lots=seed % 3 == 0)


def wrongly_accused(engine, seeds):
    """Return what the auditor says against an engine's journals, by seed and by whether it knew the calls."""
    accused = []
    for seed in seeds:
        rules, calls = scenario(seed)
        facts = [Fact._make(row) for row in ENGINES[engine](rules, calls)]
        findings = {"with": audit.check(facts, rules, calls), "without": audit.check(facts, rules)}
        accused += [f"seed {seed}, {known} the calls: {found}" for known, found in findings.items() if found]
    return accused


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_journals_computed_by_hand_pass(case):
    """With and without the calls nothing is found in what was worked out on paper."""
    facts = [Fact._make(row) for row in case.rows]
    assert audit.check(facts, case.settings, case.workload) is None
    assert audit.check(facts, case.settings) is None


@pytest.mark.parametrize("engine", ["naive", "simpy"])
def test_journals_of_engines_pass(engine):
    """With and without the calls nothing is found in the journals of seeds 0 to 499."""
    assert wrongly_accused(engine, range(500)) == []


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_many_journals_of_engines_pass(engine):
    """With and without the calls nothing is found in the journals of seeds 500 to 8,499."""
    assert wrongly_accused(engine, range(500, 8500)) == []


def test_what_passes_without_the_calls_is_what_some_calls_give():
    """Calls read out of a journal that passes give that very journal again: seeds 0 to 299."""
    for seed in range(300):
        rules, calls = scenario(seed)
        rows = naive.simulate(rules, calls)
        assert audit.check([Fact._make(row) for row in rows], rules) is None
        if can_be_explained(rules):
            assert naive.simulate(rules, explained(rules, rows)) == rows, f"seed {seed}: {rules}"


# One error of each sort, without the calls: what is found and what is said of it. The row found is the last one given;
# the journal before it is right.

NOT_NUMBERED = "calls are numbered as they are offered, and this is number"
ONE_SLOT = settings()
TWO_SLOTS = settings(slots=(2,))
TWO_PEOPLE = settings(attendants=2)
BEGUN = [offered(0, 0), answered(0, 0, 0)]
PARKED = [*BEGUN, parked(10, 0, 0, 0, 110)]
RETURNED = [*PARKED, expired(110, 0, 0, 0), rings(110, 0, 0, 140)]
FULL = [offered(0, 0), answered(0, 0, 0), offered(0, 1), answered(0, 1, 1), parked(10, 0, 0, 0, 110)]

WRONG = {
    "time goes back": (ONE_SLOT, [*BEGUN, parked(10, 0, 0, 0, 110), retrieved(9, 0, 0, -1)], "time goes back from 10"),
    "before the beginning": (ONE_SLOT, [offered(-1, 0)], "time goes back from 0 us"),
    "a number left out": (ONE_SLOT, [*BEGUN, offered(3, 2)], f"{NOT_NUMBERED} 1"),
    "offered twice": (ONE_SLOT, [*BEGUN, offered(3, 0)], "cannot happen to a call that is with an attendant"),
    "never offered": (ONE_SLOT, [*BEGUN, ended(3, 7, 0)], "cannot happen to a call that is not yet offered"),
    "ended twice": (ONE_SLOT, [*BEGUN, ended(3, 0, 0), ended(3, 0, 0)], "cannot happen to a call that is gone"),
    "a kind that is none": (ONE_SLOT, [*BEGUN, (5, -1, 0, -1, -1, -1, 99, 77)], "kind 99 (reason 77) of call 0"),
    "left waiting": (
        ONE_SLOT,
        [*BEGUN, offered(0, 1), ended(3, 0, 0), offered(4, 2)],
        "expected ANSWERED of call 1 at 3 us, found OFFERED of call 2 at 4 us",
    ),
    "not the longest idle": (
        TWO_PEOPLE,
        [*BEGUN, offered(0, 1), answered(0, 1, 1), ended(3, 1, 1), ended(4, 0, 0), offered(5, 2), answered(5, 2, 0)],
        "expected extension 1, found 0",
    ),
    "a tie of the idle": (TWO_PEOPLE, [offered(0, 0), answered(0, 0, 1)], "expected extension 0, found 1"),
    "jumped the queue": (
        ONE_SLOT,
        [*BEGUN, offered(0, 1), offered(0, 2), ended(3, 0, 0), answered(3, 2, 0)],
        "expected ANSWERED of call 1 at 3 us, found ANSWERED of call 2 at 3 us",
    ),
    "too many in the queue": (
        settings(queue_limit=0),
        [*BEGUN, offered(1, 1), offered(2, 2)],
        "expected LOST (queue_full) of call 1 at 1 us",
    ),
    "turned away with room": (ONE_SLOT, [*BEGUN, offered(1, 1), lost(1, 1, c.QUEUE_FULL)], "nobody's turn has come"),
    "answered by nobody free": (ONE_SLOT, [*BEGUN, offered(1, 1), answered(1, 1, 0)], "nobody's turn has come"),
    "the wrong slot": (TWO_SLOTS, [*BEGUN, parked(10, 0, 1, 0, 110)], "expected slot 0, found 1"),
    "a slot taken": (
        TWO_PEOPLE._replace(slots=(2,), choices=(c.CHOOSE_RANDOM,)),
        [*FULL, parked(10, 1, 0, 1, 110)],
        "expected slot 1, found 0",
    ),
    "no such lot": (ONE_SLOT, [*BEGUN, parked(10, 0, 0, 0, 110, lot=1)], "expected lot 0, found 1"),
    "parked by another": (TWO_PEOPLE, [*BEGUN, parked(10, 0, 0, 1, 110)], "expected extension 0, found 1"),
    "a stay without length": (ONE_SLOT, [*BEGUN, parked(10, 0, 0, 0, 10)], "expected deadline_us 11, found 10"),
    "parked into a full lot": (
        TWO_PEOPLE,
        [*FULL, parked(12, 1, 0, 1, 110)],
        "expected REFUSED (lot_full) of call 1 at 12 us, found PARKED",
    ),
    "refused by a lot with room": (
        ONE_SLOT,
        [*BEGUN, refused(10, 0, 0)],
        "expected PARKED of call 0 at 10 us, found REFUSED (lot_full)",
    ),
    "parked too often": (
        ONE_SLOT,
        [*RETURNED, recalled(111, 0, 0), parked(112, 0, 0, 0, 200)],
        "PARKED of call 0 at 112 us: no PARK_REQUEST of 0 is to come",
    ),
    "released too late": (
        settings(announcement_us=5),
        [*PARKED, released(16, 0, 0)],
        "expected RELEASED of call 0 at 15 us, found RELEASED of call 0 at 16 us",
    ),
    "released too early": (
        settings(announcement_us=5),
        [*PARKED, released(14, 0, 0)],
        "RELEASED of call 0 at 14 us: ANNOUNCED of 0 is to come at 15 us",
    ),
    "busy while announcing": (
        settings(announcement_us=5),
        [*PARKED, offered(12, 1), answered(12, 1, 0)],
        "nobody's turn has come",
    ),
    "asks again too early": (
        TWO_PEOPLE._replace(retries=1),
        [*FULL, refused(10, 1, 1), refused(19, 1, 1)],
        "PARK_REQUEST of 1 is to come at 20 us",
    ),
    "asks too often": (
        TWO_PEOPLE._replace(retries=1),
        [*FULL, refused(10, 1, 1), refused(20, 1, 1), refused(30, 1, 1)],
        "no PARK_REQUEST of 1 is to come",
    ),
    "talks on although it asks again": (
        TWO_PEOPLE._replace(retries=1),
        [*FULL, refused(10, 1, 1), ended(15, 1, 1)],
        "no TALK_END of 1 is to come",
    ),
    "dropped although kept": (
        TWO_PEOPLE,
        [*FULL, refused(10, 1, 1), lost(10, 1, c.LOT_FULL, 1)],
        "nobody's turn has come",
    ),
    "kept although dropped": (
        TWO_PEOPLE._replace(when_full=c.FULL_DROP),
        [*FULL, refused(10, 1, 1), offered(11, 2)],
        "expected LOST (lot_full) of call 1 at 10 us",
    ),
    "not the next lot": (
        TWO_PEOPLE._replace(when_full=c.FULL_OVERFLOW, slots=(1, 1, 1), choices=(0, 0, 0)),
        [*FULL, refused(10, 1, 1), parked(10, 1, 0, 1, 110, lot=2)],
        "expected lot 1, found 2",
    ),
    "overstays": (ONE_SLOT, [*PARKED, retrieved(111, 0, 0, -1)], "expected EXPIRED of call 0 at 110 us"),
    "expires early": (ONE_SLOT, [*PARKED, expired(109, 0, 0, 0)], "EXPIRY of 0 is to come at 110 us"),
    "fetched by who is busy": (
        settings(attendants=2, staff=1, slots=(2,)),
        [*FULL, parked(10, 1, 1, 1, 110), retrieved(20, 0, 0, 2), retrieved(21, 1, 1, 2)],
        "no RETRIEVAL of 1 is to come",
    ),
    "fetched by the wrong one": (settings(staff=2), [*PARKED, retrieved(20, 0, 0, 2)], "expected extension 1, found 2"),
    "fetched from elsewhere": (TWO_SLOTS, [*PARKED, retrieved(20, 0, 1, -1)], "expected slot 0, found 1"),
    "hung up elsewhere": (
        ONE_SLOT,
        [*PARKED, (20, -1, 0, -1, -1, -1, c.ABANDONED, c.WAITING)],
        "expected ABANDONED (parked)",
    ),
    "hung up at another's": (TWO_PEOPLE, [*PARKED, gave_up_parked(20, 0, 0, 1)], "expected extension 0, found 1"),
    "does not ring": (
        ONE_SLOT,
        [*PARKED, expired(110, 0, 0, 0), recalled(110, 0, 0)],
        "expected RECALL_RINGING of call 0 at 110 us, found RECALL_ANSWERED",
    ),
    "rings too long": (ONE_SLOT, [*RETURNED[:-1], rings(110, 0, 0, 141)], "expected deadline_us 140, found 141"),
    "rings after its end": (ONE_SLOT, [*RETURNED, gave_up_ringing(141, 0, 0)], "expected RECALL_UNANSWERED (last)"),
    "rings once too often": (
        ONE_SLOT,
        [*RETURNED, unanswered(140, 0, 0, c.AGAIN)],
        "expected RECALL_UNANSWERED (last) of call 0 at 140 us, found RECALL_UNANSWERED (again)",
    ),
    "rings not often enough": (
        settings(attempts=2),
        [*RETURNED, unanswered(140, 0, 0)],
        "expected RECALL_UNANSWERED (again) of call 0 at 140 us, found RECALL_UNANSWERED (last)",
    ),
    "lost although the group takes it": (
        ONE_SLOT,
        [*RETURNED, unanswered(140, 0, 0), lost(140, 0, c.UNANSWERED, 0)],
        "expected RECALL_ANSWERED of call 0 at 140 us, found LOST (unanswered)",
    ),
    "a new call before a return": (
        ONE_SLOT,
        [*PARKED, offered(20, 1), answered(20, 1, 0), offered(30, 2), expired(110, 0, 0, 0), ended(120, 1, 0),
         answered(120, 2, 0)],
        "expected RECALL_RINGING of call 0 at 120 us, found ANSWERED of call 2 at 120 us",
    ),
    "waits although it is dropped": (
        settings(busy=c.BUSY_DROP),
        [*PARKED, offered(20, 1), answered(20, 1, 0), expired(110, 0, 0, 0), ended(120, 1, 0)],
        "expected LOST (busy) of call 0 at 110 us",
    ),
    "overtakes at its instant": (
        TWO_PEOPLE,
        [*FULL, refused(10, 1, 1), offered(10, 2)],
        "it was to come before PARK_REQUEST of 1, at the same instant",
    ),
    "overtakes by its number": (
        TWO_SLOTS._replace(attendants=2),
        [*BEGUN, offered(0, 1), answered(0, 1, 1), ended(10, 1, 1), ended(10, 0, 0)],
        "it was to come before TALK_END of 1, at the same instant",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("rules", "rows", "why"), WRONG.values(), ids=WRONG)
def test_each_error_is_named(rules, rows, why):
    """The last row is found wrong, without the calls, and the sentence says what the rules would have written."""
    found = audit.check([Fact._make(row) for row in rows], rules)
    assert found.row == len(rows) - 1
    assert found.fact == rows[-1]
    assert why in found.why
    assert str(found) == f"row {len(rows)}: {found.why}"
    assert found.line == len(rows) + 1


UNFINISHED = {
    "nobody yet": (settings(), [], None),
    "in the queue": (ONE_SLOT, [*BEGUN, offered(0, 1), ended(5, 0, 0)], "call 1 is still in the queue"),
    "with an attendant": (ONE_SLOT, BEGUN, "call 0 is still with an attendant"),
    "parked": (ONE_SLOT, PARKED, "call 0 is still parked"),
    "with the staff": (ONE_SLOT, [*PARKED, retrieved(20, 0, 0, -1)], "call 0 is still with the staff"),
    "returning": (ONE_SLOT, RETURNED[:-1], "call 0 is still returning"),
    "ringing": (ONE_SLOT, RETURNED, "call 0 is still ringing"),
    "announcing": (
        settings(announcement_us=50),
        [*PARKED, gave_up_parked(20, 0, 0, 0)],
        "before extension 0 is RELEASED",
    ),
    "announced at the last instant": (
        settings(announcement_us=10),
        [*PARKED, gave_up_parked(20, 0, 0, 0)],
        "before extension 0 is RELEASED",
    ),
}


@pytest.mark.parametrize(("rules", "rows", "why"), UNFINISHED.values(), ids=UNFINISHED)
def test_a_journal_that_ends_too_early_is_found(rules, rows, why):
    """The finding stands behind the last row and says who is still there."""
    found = audit.check([Fact._make(row) for row in rows], rules)
    if why is None:
        assert found is None
    else:
        assert found[:2] == (len(rows), None)
        assert why in found.why


def test_the_calls_tell_more():
    """Instants that the rules leave open are checked when the calls are known, and so is who never came."""
    calls = workload(parks(retrieval_us=7), parks(at=500, retrieval_us=7))
    facts = [Fact._make(row) for row in naive.simulate(ONE_SLOT, calls)]
    early = [fact._replace(time_us=16) if fact.kind == c.RETRIEVED else fact for fact in facts]
    assert audit.check([*early[:4], early[4]._replace(time_us=30)], ONE_SLOT) is None
    assert "expected RETRIEVED of call 0 at 17 us" in audit.check(early, ONE_SLOT, calls).why
    assert audit.check(facts[:5], ONE_SLOT, calls).why == "the journal ends before call 1 is OFFERED at 500 us"
    more = facts[-1]._replace(time_us=999)
    assert "everything has happened" in audit.check([*facts, more], ONE_SLOT, calls).why


def test_the_calls_must_suffice():
    """Calls drawn for fewer parks than the settings allow are refused before anything is compared."""
    with pytest.raises(ValueError, match="the workload has 1 parks a call, the settings 2"):
        audit.check([], settings(max_parks=2), workload(parks()))


def test_nothing_brings_the_auditor_down():
    """A row of any small or great numbers put in anywhere is found: seeds 0 to 299, five rows each."""
    for seed in range(300):
        rng = Random(seed)
        rules, calls = random_case(rng, several_lots=seed % 3 == 0)
        facts = [Fact._make(row) for row in naive.simulate(rules, calls)]
        for _ in range(5):
            wild = Fact._make(rng.choice((-(2**31), -2, -1, 0, 1, 2, 5, 12, 2**31)) for _ in Fact._fields)
            place = rng.randrange(len(facts) + 1)
            found = [audit.check([*facts[:place], wild, *facts[place:]], rules, known) for known in (calls, None)]
            assert [finding.row for finding in found] == [place, place], f"seed {seed}: {wild}"


def test_another_roster_is_found():
    """Rows made with one number on duty, checked as if the next period's were: found where the naive model's differ."""
    differ = 0
    for seed in range(400):
        rules, calls = scenario(seed)
        if len(set(rules.counts)) < 2:
            continue
        rotated = rules._replace(counts=(*rules.counts[1:], rules.counts[0]))
        made, other = (naive.simulate(each, calls) for each in (rules, rotated))
        first = next((row for row, both in enumerate(zip_longest(made, other)) if both[0] != both[1]), None)
        found = audit.check(map(Fact._make, made), rotated, calls)
        assert (None if found is None else found.row) == first, f"seed {seed}"
        differ += first is not None
    assert differ > 80


# Replay.


def naively(rules, calls, until_us):
    """Return what the naive model knows at the end of an instant, in the words of a replay."""
    model = naive.Model(rules, calls, None)
    while model.calendar and model.calendar[0][0] <= until_us:
        model.step()
    busy = {
        model.extension[call]: call for call, where in model.where.items() if where in {"attendant", "ringing", "staff"}
    }
    busy |= model.announcing
    free = model.attendants_free_since | model.members_free_since
    first_member, last = max(rules.attendants, 0), max(rules.attendants, 0) + max(rules.staff, 0)
    extensions = tuple((BUSY_NOW, busy[n]) if n in busy else (free.get(n, OFF_DUTY), c.NOBODY) for n in range(last))
    words = ("not yet offered", "queue", "attendant", "lot", "staff", "returning", "ringing", "gone")
    return {
        "calls": {call: words.index(where) for call, where in model.where.items() if where != "gone"},
        "lots": [
            [lot.get(slot, c.NOBODY) for slot in range(n)] for lot, n in zip(model.lots, rules.slots, strict=True)
        ],
        "queue": tuple(model.new_calls),
        "own_returns": tuple(model.own_returns),
        "group_returns": tuple(model.group_returns),
        "attendants": extensions[:first_member],
        "staff": extensions[first_member:],
        "inside": sum(where != "gone" for where in model.where.values()),
        "parks": {call: model.parks[call] for call, where in model.where.items() if where != "gone"},
    }


def replayed(state):
    """Return the same of a replay."""
    return {
        "calls": {number: call.state for number, call in state.calls.items()},
        "lots": [list(lot.occupants) for lot in state.lots],
        "queue": state.queue,
        "own_returns": state.own_returns,
        "group_returns": state.group_returns,
        "attendants": state.attendants,
        "staff": state.staff,
        "inside": state.inside,
        "parks": {number: call.parks for number, call in state.calls.items()},
    }


def test_a_replay_finds_everybody_where_they_were():
    """At the end of each instant of seeds 0 to 119 a replay knows what the naive model knew, and in between too."""
    for seed in range(120):
        rules, calls = scenario(seed)
        facts = [Fact._make(row) for row in naive.simulate(rules, calls)]
        instants = sorted({fact.time_us for fact in facts})
        for until_us in [*instants, instants[len(instants) // 2] + 1]:
            state = audit.replay(facts, rules, until_us)
            assert state.time_us == until_us
            assert replayed(state) == naively(rules, calls, until_us), f"seed {seed}, {until_us} us: {rules}"


def test_a_replay_tells_of_a_stay():
    """A parked call has its parker, lot, slot and deadline, and the lot is the one that the rules decide upon."""
    state = audit.replay([Fact._make(row) for row in PARKED], ONE_SLOT)
    assert state.time_us == 10
    assert state.calls == {
        0: audit.Call(
            life.IN_SLOT, 10, parks=1, extension=0, parker=0, lot=0, slot=0, deadline_us=110, refusals=1, first_lot=0
        )
    }
    assert state.lots[0][:3] == ((0,), (0,), (110,))
    assert state.attendants == (audit.Extension(10, c.NOBODY),)
    assert (state.offered, state.ended, state.abandoned, state.lost, state.inside) == (1, 0, 0, 0, 1)


def test_a_replay_before_everything_is_empty():
    """Before the first fact nobody is there and everybody is free."""
    state = audit.replay([Fact._make(row) for row in PARKED], ONE_SLOT, until_us=-1)
    assert (state.calls, state.inside, state.attendants) == ({}, 0, (audit.Extension(0, c.NOBODY),))


def test_a_replay_is_a_copy():
    """What is done to the calls of one state is not done to the next one."""
    facts = [Fact._make(row) for row in PARKED]
    audit.replay(facts, ONE_SLOT).calls[0].slot = 99
    assert audit.replay(facts, ONE_SLOT).calls[0].slot == 0


def test_a_replay_refuses_what_the_rules_would_not_have_written():
    """It goes as far as the journal is right, and names the row where it is not or what is missing at the end."""
    wrong = [Fact._make(row) for row in [*PARKED, expired(109, 0, 0, 0)]]
    assert audit.replay(wrong, ONE_SLOT, 108).calls[0].slot == 0
    with pytest.raises(audit.DisagreementError, match=r"^row 4: EXPIRED of call 0 at 109 us") as refusal:
        audit.replay(wrong, ONE_SLOT)
    assert refusal.value.finding.row == 3
    with pytest.raises(audit.DisagreementError, match=r"^row 2: the journal breaks off before ANSWERED of call 0"):
        audit.replay([Fact._make(BEGUN[0])], ONE_SLOT)
