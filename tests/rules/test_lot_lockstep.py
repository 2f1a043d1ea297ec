"""Whole histories of a lot: the rules beside a naive model of dictionaries, step by step.

Hypothesis makes the histories, two ways: a machine of rules, and one drawn list of operations (four times as fast). Few
calls and slots, so that collisions are common; limits of 10, 180, 3600 s or any; time moves freely or to one
microsecond before, at or after a pending deadline. Every timer that was ever armed may ring at any time, also
long after its stay: that a stale one never ends a later stay is what the two planted faults at the end prove we
would notice.

These tests are exact: they have no level. They are derandomized, so a run is reproducible without a seed; the slow
ones draw anew each time and print what to repeat.
"""

from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from parksim.rules import codes, lot
from parksim.rules.codes import CHOOSE_NEXT, CHOOSE_RANDOM, NEVER, NOBODY
from parksim.testing import park_operations

SECOND_US = 1_000_000
CALLS = range(5)
PARKERS = range(3)


class Stay(NamedTuple):
    """One stay, as the model keeps it: a timer belongs to a stay, not to a slot or a call."""

    call: int
    parker: int
    parked_us: int
    limit_us: int

    @property
    def deadline_us(self) -> int:
        """Return when the time is up, or never."""
        return NEVER if self.limit_us == NEVER else self.parked_us + self.limit_us


class Naive:
    """A lot as one would write it on a napkin: a dictionary from slot to stay."""

    def __init__(self, slots: int, choice: int) -> None:
        self.slots, self.choice, self.last = slots, choice, NOBODY
        self.stays: dict[int, Stay] = {}

    def free(self) -> list[int]:
        """Return the free slots."""
        return [slot for slot in range(self.slots) if slot not in self.stays]

    def park(self, stay: Stay, asked: int, slot_u: int) -> int:
        """Park and return the slot, or nobody's."""
        free = self.free()
        if not free:
            return NOBODY
        if asked in range(self.slots):
            start = asked
        elif self.choice == CHOOSE_RANDOM:
            start = free[slot_u % len(free)]
        else:
            start = self.last + 1 if self.choice == CHOOSE_NEXT else 0
        # Around the circle of slots from the start: the first free one met.
        slot = min(free, key=lambda slot: (slot - start) % self.slots)
        self.stays[slot] = stay
        self.last = slot
        return slot

    def is_due(self, slot: int, stay: Stay, now_us: int) -> bool:
        """Tell whether that stay is still there and its time is up."""
        there = self.stays.get(slot)
        same = there is not None and (there.call, there.deadline_us) == (stay.call, stay.deadline_us)
        return same and now_us >= stay.deadline_us


class Lockstep:
    """The rules and the model, given the same operations; every step compares all there is."""

    def __init__(self, slots: int, choice: int) -> None:
        self.lot = lot.empty_lot(slots, choice, number=1)
        self.naive = Naive(slots, choice)
        self.now_us = 0
        self.armed: list[tuple[int, Stay]] = []  # every timer that ever was, with its slot
        self.parks = self.ends = 0

    def _expect(self, fact: lot.Fact, *expected: int) -> None:
        """Check a fact against (deadline, call, slot, extension, kind, reason), and let it happen."""
        deadline_us, call, slot, extension, kind, reason = expected
        assert fact == lot.Fact(self.now_us, deadline_us, call, 1, slot, extension, kind, reason)
        before = self.lot
        self.lot = lot.evolved(self.lot, fact)
        assert kind != codes.REFUSED or self.lot is before

    def park(self, call: int, parker: int, limit_us: int, asked: int, slot_u: int) -> None:
        """Ask for a slot, unless that call is parked."""
        if any(stay.call == call for stay in self.naive.stays.values()):
            return  # whoever knows where the call is does not park it twice
        stay = Stay(call, parker, self.now_us, limit_us)
        slot = self.naive.park(stay, asked, slot_u)
        fact = lot.decide_park(self.lot, call, parker, limit_us, asked, slot_u, self.now_us)
        if slot == NOBODY:
            self._expect(fact, NEVER, call, NOBODY, parker, codes.REFUSED, codes.LOT_FULL)
            return
        self._expect(fact, stay.deadline_us, call, slot, parker, codes.PARKED, codes.NO_REASON)
        self.parks += 1
        if limit_us != NEVER:
            self.armed.append((slot, stay))

    def unpark(self, slot: int, retriever: int) -> None:
        """Fetch whoever is in a slot."""
        fact = lot.decide_unpark(self.lot, slot, retriever, self.now_us)
        stay = self.naive.stays.get(slot)
        if stay is None or (stay.limit_us != NEVER and self.now_us > stay.deadline_us):
            self._expect(fact, NEVER, NOBODY, slot, retriever, codes.REFUSED, codes.EMPTY_SLOT)
            return
        self._expect(fact, NEVER, stay.call, slot, retriever, codes.RETRIEVED, codes.NO_REASON)
        self._leaves(slot)

    def hang_up(self, slot: int) -> None:
        """Let whoever is in a slot hang up."""
        fact = lot.decide_hangup(self.lot, slot, self.now_us)
        stay = self.naive.stays.get(slot)
        if stay is None:
            self._expect(fact, NEVER, NOBODY, slot, NOBODY, codes.REFUSED, codes.EMPTY_SLOT)
            return
        self._expect(fact, NEVER, stay.call, slot, stay.parker, codes.ABANDONED, codes.IN_LOT)
        self._leaves(slot)

    def expire(self, timer: int) -> None:
        """Let one of the timers ever armed ring now, whether or not its stay is still there."""
        if not self.armed:
            return
        slot, stay = self.armed[timer % len(self.armed)]
        fact = lot.decide_expiry(self.lot, slot, stay.call, stay.deadline_us, self.now_us)
        if fact.kind == codes.EXPIRED:  # said without the model's notion of staleness: no stay is cut short
            there = self.naive.stays[slot]
            assert self.now_us - there.parked_us >= there.limit_us > 0
        if self.naive.is_due(slot, stay, self.now_us):
            # Of two stays of one call with one deadline in one slot the later counts: it returns to who parked it last.
            parker = self.naive.stays[slot].parker
            self._expect(fact, NEVER, stay.call, slot, parker, codes.EXPIRED, codes.NO_REASON)
            self._leaves(slot)
        else:
            self._expect(fact, NEVER, stay.call, slot, NOBODY, codes.REFUSED, codes.STALE_TIMER)

    def _leaves(self, slot: int) -> None:
        del self.naive.stays[slot]
        self.ends += 1

    def advance(self, by_us: int) -> None:
        """Let time pass."""
        self.now_us += by_us

    def advance_to_deadline(self, off_us: int) -> None:
        """Go to one microsecond before, at, or after the first pending deadline; never back."""
        deadline_us, _ = lot.next_deadline(self.lot)
        if deadline_us != NEVER:
            self.now_us = max(self.now_us, deadline_us + off_us)

    def check(self) -> None:
        """Compare the lot with the model, and both with what must always hold."""
        stays = self.naive.stays
        slots = range(self.lot.slots)
        assert list(self.lot.occupants) == [stays[slot].call if slot in stays else NOBODY for slot in slots]
        assert list(self.lot.parkers) == [stays[slot].parker if slot in stays else NOBODY for slot in slots]
        assert list(self.lot.deadlines_us) == [stays[slot].deadline_us if slot in stays else NEVER for slot in slots]
        assert self.lot.last_slot == self.naive.last
        assert lot.free_slots(self.lot) == len(self.naive.free()) == self.lot.slots - (self.parks - self.ends)
        running = [(stay.deadline_us, stay.call, slot) for slot, stay in stays.items() if stay.limit_us != NEVER]
        deadline_us, _, slot = min(running, default=(NEVER, NOBODY, NOBODY))
        assert lot.next_deadline(self.lot) == (deadline_us, slot)


SLOTS = st.integers(0, 4)
CHOICES = st.sampled_from(range(3))
LIMITS_US = st.one_of(
    st.sampled_from([10 * SECOND_US, 180 * SECOND_US, 3600 * SECOND_US, NEVER]), st.integers(1, 2 * 10**10)
)
PARK = (st.sampled_from(CALLS), st.sampled_from(PARKERS), LIMITS_US, st.integers(-2, 5), st.integers(0, 2**62 - 1))
HISTORIES = park_operations(calls=len(CALLS), parkers=len(PARKERS))

FAST: dict[str, Any] = {"derandomize": True, "database": None, "deadline": None}
# A search ends where it finds the fault; one of 2,000 examples misses either in one of twelve seeds.
FAULTY = settings(max_examples=10_000, phases=[Phase.generate], report_multiple_bugs=False, **FAST)


def live_through(slots: int, choice: int, history: list[tuple[Any, ...]]) -> None:
    """Let one history happen to the rules and to the model."""
    both = Lockstep(slots, choice)
    for operation, *arguments in history:
        getattr(both, operation)(*arguments)
        both.check()


@settings(max_examples=1000, **FAST)
@given(SLOTS, CHOICES, HISTORIES)
def test_any_history_agrees_with_the_naive_model(slots, choice, history):
    """1,000 drawn histories of up to 30 operations: equal facts and equal lots after every step."""
    live_through(slots, choice, history)


@pytest.mark.slow
@settings(max_examples=20_000, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck))
@given(SLOTS, CHOICES, HISTORIES)
def test_any_history_agrees_with_the_naive_model_in_depth(slots, choice, history):
    """The same 20,000 times, drawn anew."""
    live_through(slots, choice, history)


class LotMachine(RuleBasedStateMachine):
    """The same operations as rules of a machine, which Hypothesis steers by what happened so far."""

    @initialize(slots=SLOTS, choice=CHOICES)
    def open_lot(self, slots, choice):
        """Begin with an empty lot."""
        self.both = Lockstep(slots, choice)

    @rule(call=PARK[0], parker=PARK[1], limit_us=PARK[2], asked=PARK[3], slot_u=PARK[4])
    def park(self, call, parker, limit_us, asked, slot_u):
        """Ask for a slot."""
        self.both.park(call, parker, limit_us, asked, slot_u)

    @precondition(lambda self: self.both.naive.stays)
    @rule(data=st.data(), retriever=st.sampled_from(PARKERS))
    def unpark_somebody(self, data, retriever):
        """Fetch a call from a slot that is taken."""
        self.both.unpark(data.draw(st.sampled_from(sorted(self.both.naive.stays))), retriever)

    @rule(slot=st.integers(-1, 4), retriever=st.sampled_from(PARKERS))
    def unpark(self, slot, retriever):
        """Fetch from any slot, also out of range."""
        self.both.unpark(slot, retriever)

    @rule(slot=st.integers(-1, 4))
    def hang_up(self, slot):
        """Hang up in any slot."""
        self.both.hang_up(slot)

    @precondition(lambda self: self.both.armed)
    @rule(timer=st.integers(0, 30))
    def expire(self, timer):
        """Let any timer ring that was ever armed."""
        self.both.expire(timer)

    @rule(by_us=st.one_of(st.just(0), st.integers(0, 10**10)))
    def advance(self, by_us):
        """Let time pass."""
        self.both.advance(by_us)

    @precondition(lambda self: lot.next_deadline(self.both.lot)[0] != NEVER)
    @rule(off_us=st.sampled_from([-1, 0, 1]))
    def advance_to_deadline(self, off_us):
        """Go to a deadline, or a microsecond beside it."""
        self.both.advance_to_deadline(off_us)

    @invariant()
    def the_model_agrees(self):
        """Compare all there is."""
        self.both.check()


def test_a_machine_of_operations_agrees_with_the_naive_model():
    """100 runs of up to 30 steps, chosen by what is possible: equal facts and equal lots after every step."""
    run_state_machine_as_test(LotMachine, settings=settings(max_examples=100, stateful_step_count=30, **FAST))


@pytest.mark.slow
def test_a_machine_of_operations_agrees_with_the_naive_model_in_depth():
    """2,000 runs of up to 50 steps, drawn anew."""
    deep = settings(max_examples=2000, stateful_step_count=50, deadline=None, print_blob=True)
    run_state_machine_as_test(LotMachine, settings=deep)


def test_histories_reach_what_they_are_for():
    """The fast histories are no idle talk: together they meet each fact, refusal and a timer of an earlier stay."""
    met = set()

    @settings(max_examples=300, **FAST)
    @given(SLOTS, CHOICES, HISTORIES)
    def look(slots, choice, history):
        both = Lockstep(slots, choice)
        expected = both._expect

        def noting(fact, *rest):
            met.add((fact.kind, fact.reason))
            if fact.reason == codes.STALE_TIMER and both.now_us >= 0 and fact.call in both.lot.occupants:
                met.add("a timer rang for a call that is parked, but in another stay or not yet")
            expected(fact, *rest)

        both._expect = noting
        for operation, *arguments in history:
            getattr(both, operation)(*arguments)

    look()
    assert met == {
        (codes.PARKED, codes.NO_REASON),
        (codes.REFUSED, codes.LOT_FULL),
        (codes.REFUSED, codes.EMPTY_SLOT),
        (codes.REFUSED, codes.STALE_TIMER),
        (codes.RETRIEVED, codes.NO_REASON),
        (codes.ABANDONED, codes.IN_LOT),
        (codes.EXPIRED, codes.NO_REASON),
        "a timer rang for a call that is parked, but in another stay or not yet",
    }


def _ends_any_stay_of_the_call(now: lot.Lot, slot: int, call: int, deadline_us: int, now_us: int) -> lot.Fact:
    """The classic fault: a timer recognised by its call, so that one of an earlier stay ends a later one."""
    if not 0 <= slot < now.slots or now.occupants[slot] != call or now_us < deadline_us:
        return lot.Fact(now_us, NEVER, call, now.number, slot, NOBODY, codes.REFUSED, codes.STALE_TIMER)
    return lot.Fact(now_us, NEVER, call, now.number, slot, now.parkers[slot], codes.EXPIRED, codes.NO_REASON)


def _retrieves_only_before_the_deadline(now: lot.Lot, slot: int, retriever: int, now_us: int) -> lot.Fact:
    """A stay as a half-open interval: wrong by one microsecond."""
    there = 0 <= slot < now.slots and now.occupants[slot] != NOBODY
    if there and (now.deadlines_us[slot] == NEVER or now_us < now.deadlines_us[slot]):
        return lot.Fact(
            now_us, NEVER, now.occupants[slot], now.number, slot, retriever, codes.RETRIEVED, codes.NO_REASON
        )
    return lot.Fact(now_us, NEVER, NOBODY, now.number, slot, retriever, codes.REFUSED, codes.EMPTY_SLOT)


FAULTS = [("decide_expiry", _ends_any_stay_of_the_call), ("decide_unpark", _retrieves_only_before_the_deadline)]


@pytest.mark.parametrize(("name", "fault"), FAULTS)
def test_a_planted_fault_is_caught_by_the_histories(monkeypatch, name, fault):
    """Negative control: a stale timer that fires on a later stay, and a deadline off by 1 us, are found."""
    monkeypatch.setattr(lot, name, fault)
    search = FAULTY(given(SLOTS, CHOICES, HISTORIES)(live_through))
    with pytest.raises(AssertionError):
        search()


@pytest.mark.parametrize(("name", "fault"), FAULTS)
def test_a_planted_fault_is_caught_by_the_machine(monkeypatch, name, fault):
    """Negative control: the machine finds the same two faults."""
    monkeypatch.setattr(lot, name, fault)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(LotMachine, settings=settings(FAULTY, stateful_step_count=30))
