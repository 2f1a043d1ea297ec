"""The lot, exhaustively: every small lot against a naive oracle of sets, and the purity of the rules.

``test_lot_lockstep.py`` beside it lets whole histories of operations run against a naive model.
"""

from itertools import product

import numpy as np
import pytest

from parksim.rules import codes, lot
from parksim.rules.codes import CHOOSE_LOWEST, CHOOSE_NEXT, CHOOSE_RANDOM, NEVER, NOBODY
from parksim.rules.lot import Fact, Lot

CALL, PARKER, RETRIEVER, NUMBER = 7, 3, 5, 2
HIGHEST_DRAW = 2**62 - 1


def lot_of(occupants, choice=CHOOSE_LOWEST, last_slot=NOBODY, deadlines_us=None) -> Lot:
    """Return a lot with these occupants; the parker of call c is c + 100, the deadline 1000 + c unless given."""
    taken = [call != NOBODY for call in occupants]
    parkers = tuple(call + 100 if there else NOBODY for call, there in zip(occupants, taken, strict=True))
    if deadlines_us is None:
        deadlines_us = tuple(1000 + call if there else NEVER for call, there in zip(occupants, taken, strict=True))
    return Lot(tuple(occupants), parkers, tuple(deadlines_us), len(occupants), choice, last_slot, NUMBER)


def patterns(slots: int) -> list[tuple[int, ...]]:
    """Return all 2^n occupancies of a lot; the call in slot s is 10 + s."""
    return [tuple(10 + slot if bits >> slot & 1 else NOBODY for slot in range(slots)) for bits in range(1 << slots)]


def naive_choice(now: Lot, asked: int, slot_u: int) -> int:
    """Return the slot a park takes, with sets: the oracle."""
    free = {slot for slot, call in enumerate(now.occupants) if call == NOBODY}
    if not free:
        return NOBODY
    if asked in set(range(now.slots)):
        return min({slot for slot in free if slot >= asked} or free)
    if now.choice == CHOOSE_RANDOM:
        return sorted(free)[slot_u % len(free)]
    if now.choice == CHOOSE_NEXT:
        return min({slot for slot in free if slot > now.last_slot} or free)
    return min(free)


@pytest.mark.parametrize("slots", range(5))
@pytest.mark.parametrize("choice", [CHOOSE_LOWEST, CHOOSE_NEXT, CHOOSE_RANDOM])
def test_every_choice_in_every_small_lot(slots, choice):
    """Lots of 0 to 4 slots, all occupancies x last slots x wishes x draws: the oracle's slot, or refused when full."""
    draws = (*range(slots + 2), HIGHEST_DRAW) if choice == CHOOSE_RANDOM else (0, 1, HIGHEST_DRAW)
    for occupants, last_slot in product(patterns(slots), range(-1, slots)):
        now = lot_of(occupants, choice, last_slot)
        for asked, slot_u in product(range(-2, slots + 2), draws):
            expected = naive_choice(now, asked, slot_u)
            assert lot.choose_slot(now, asked, slot_u) == expected, (now, asked, slot_u)
            fact = lot.decide_park(now, CALL, PARKER, 50, asked, slot_u, now_us=9)
            if expected == NOBODY:
                assert fact == Fact(9, NEVER, CALL, NUMBER, NOBODY, PARKER, codes.REFUSED, codes.LOT_FULL)
                assert lot.evolved(now, fact) is now
            else:
                assert fact == Fact(9, 59, CALL, NUMBER, expected, PARKER, codes.PARKED, codes.NO_REASON)


@pytest.mark.parametrize("slots", range(5))
def test_free_slots_are_counted_and_numbered_from_the_lowest(slots):
    """All occupancies: how many are free, the n-th of them, and the lowest from any start; beyond them nobody."""
    for occupants in patterns(slots):
        now = lot_of(occupants)
        free = [slot for slot in range(slots) if occupants[slot] == NOBODY]
        assert lot.free_slots(now) == len(free)
        assert [lot.nth_free(now, nth) for nth in range(slots + 1)] == free + [NOBODY] * (slots + 1 - len(free))
        for start in range(slots + 2):
            assert lot.lowest_free(now, start) == min((slot for slot in free if slot >= start), default=NOBODY)


@pytest.mark.parametrize("width", [1, 2, 4, 8])
def test_a_lot_with_a_tree_of_its_free_slots_gives_the_same_answers(width):
    """All occupancies of every lot that fits: slot by slot and by the tree, every choice is the same."""
    for slots in range(width + 1):
        for occupants, choice in product(patterns(slots), (CHOOSE_LOWEST, CHOOSE_NEXT, CHOOSE_RANDOM)):
            leaves = [int(call == NOBODY) for call in occupants] + [0] * (width - slots)
            tree = [sum(leaves[leaf] for leaf in range(width) if _is_above(n, width + leaf)) for n in range(2 * width)]
            now = lot_of(occupants, choice, last_slot=slots - 1)
            indexed = now._replace(free=tree)
            assert lot.free_slots(indexed) == lot.free_slots(now)
            for number in range(slots + 1):
                assert lot.free_below(indexed, number) == lot.free_below(now, number) == sum(leaves[:number])
                assert lot.nth_free(indexed, number) == lot.nth_free(now, number)
                assert lot.lowest_free(indexed, number) == lot.lowest_free(now, number)
                assert lot.choose_slot(indexed, number - 1, 5) == lot.choose_slot(now, number - 1, 5)
            parked = lot.decide_park(indexed, CALL, PARKER, 50, NOBODY, 0, now_us=9)
            assert lot.evolved(indexed, parked).free == (() if parked.kind == codes.PARKED else tree)


def _is_above(node, leaf):
    while leaf > node:
        leaf //= 2
    return leaf == node > 0


@pytest.mark.parametrize("slots", range(5))
def test_every_retrieval_and_hang_up_in_every_small_lot(slots):
    """All occupancies x slots (also out of range): who is there comes out, with the parker; nobody, nothing changes."""
    for occupants, slot in product(patterns(slots), range(-2, slots + 2)):
        now = lot_of(occupants)
        call = dict(enumerate(occupants)).get(slot, NOBODY)
        nobody = Fact(9, NEVER, NOBODY, NUMBER, slot, NOBODY, codes.REFUSED, codes.EMPTY_SLOT)
        fetched = lot.decide_unpark(now, slot, RETRIEVER, now_us=9)
        hung_up = lot.decide_hangup(now, slot, now_us=9)
        if call == NOBODY:
            assert fetched == nobody._replace(extension=RETRIEVER)
            assert hung_up == nobody
            assert lot.evolved(now, fetched) is now
        else:
            assert fetched == Fact(9, NEVER, call, NUMBER, slot, RETRIEVER, codes.RETRIEVED, codes.NO_REASON)
            assert hung_up == Fact(9, NEVER, call, NUMBER, slot, call + 100, codes.ABANDONED, codes.IN_LOT)
            left = [NOBODY if position == slot else there for position, there in enumerate(occupants)]
            assert lot.evolved(now, fetched) == lot.evolved(now, hung_up) == lot_of(left)


@pytest.mark.parametrize(("early_us", "kind"), [(1, codes.RETRIEVED), (0, codes.RETRIEVED), (-1, codes.REFUSED)])
def test_a_stay_is_a_closed_interval(early_us, kind):
    """A retrieval at the deadline succeeds; a microsecond later nobody is there."""
    now = lot_of((10,))
    fact = lot.decide_unpark(now, 0, RETRIEVER, now_us=now.deadlines_us[0] - early_us)
    assert fact.kind == kind


def test_a_caller_can_hang_up_after_the_deadline_when_nobody_rang_the_timer():
    """A hang-up asks no deadline: whoever is in the slot has left it."""
    now = lot_of((10,))
    assert lot.decide_hangup(now, 0, now_us=now.deadlines_us[0] + 1).kind == codes.ABANDONED


def test_every_timer_on_every_stay():
    """Slots, calls, deadlines and instants around a stay: only its own timer, in its time or later, ends it."""
    now = lot_of((10, NOBODY, 12))
    for slot, call, deadline_us, late_us in product(range(-1, 4), (10, 11, 12), (1009, 1010, 1012), (-1, 0, 1)):
        fact = lot.decide_expiry(now, slot, call, deadline_us, now_us=deadline_us + late_us)
        if (slot, call, deadline_us) in {(0, 10, 1010), (2, 12, 1012)} and late_us >= 0:
            assert fact[1:] == (NEVER, call, NUMBER, slot, call + 100, codes.EXPIRED, codes.NO_REASON)
            assert lot.evolved(now, fact).occupants[slot] == NOBODY
        else:
            assert fact[1:] == (NEVER, call, NUMBER, slot, NOBODY, codes.REFUSED, codes.STALE_TIMER)
            assert lot.evolved(now, fact) is now


def test_a_stay_without_a_limit_has_no_deadline_and_can_always_be_fetched():
    """A limit of never gives a deadline of never, which no instant is after."""
    fact = lot.decide_park(lot.empty_lot(1), CALL, PARKER, NEVER, NOBODY, 0, now_us=9)
    assert fact.deadline_us == NEVER
    parked = lot.evolved(lot.empty_lot(1), fact)
    assert lot.next_deadline(parked) == (NEVER, NOBODY)
    assert lot.decide_unpark(parked, 0, RETRIEVER, now_us=2**62).kind == codes.RETRIEVED


def test_the_timer_of_an_earlier_stay_never_ends_a_later_one():
    """A call retrieved and parked again in the same slot is not ended by the first stay's timer."""
    first = lot.decide_park(lot.empty_lot(1), CALL, PARKER, 100, NOBODY, 0, now_us=0)
    there = lot.evolved(lot.empty_lot(1), first)
    gone = lot.evolved(there, lot.decide_unpark(there, 0, RETRIEVER, now_us=50))
    again = lot.evolved(gone, lot.decide_park(gone, CALL, PARKER, 100, NOBODY, 0, now_us=60))
    assert lot.decide_expiry(again, 0, CALL, first.deadline_us, now_us=100).reason == codes.STALE_TIMER
    assert lot.decide_expiry(again, 0, CALL, 160, now_us=160).kind == codes.EXPIRED


def test_the_pointer_of_the_next_choice_outlives_every_stay():
    """Five parks in a lot of three that is emptied after each: 0, 1, 2, 0, 1."""
    now, taken = lot.empty_lot(3, CHOOSE_NEXT), []
    for call in range(5):
        fact = lot.decide_park(now, call, PARKER, 100, NOBODY, 0, now_us=call)
        now = lot.evolved(now, fact)
        taken.append(fact.slot)
        now = lot.evolved(now, lot.decide_hangup(now, fact.slot, now_us=call))
    assert taken == [0, 1, 2, 0, 1]
    assert now.last_slot == 1


@pytest.mark.parametrize("slots", range(4))
def test_the_next_deadline_is_the_earliest_and_of_equals_the_lower_call(slots):
    """All lots of up to 3 slots, deadlines never, 1 or 2, calls in rising and falling order: as sorting says."""
    for taken, deadlines_us in product(product((False, True), repeat=slots), product((NEVER, 1, 2), repeat=slots)):
        for names in (range(20, 20 + slots), range(20 + slots, 20, -1)):
            occupants = tuple(name if there else NOBODY for name, there in zip(names, taken, strict=True))
            limits = tuple(us if there else NEVER for us, there in zip(deadlines_us, taken, strict=True))
            running = sorted(
                (us, call, slot) for slot, (us, call) in enumerate(zip(limits, occupants, strict=True)) if us != NEVER
            )
            expected = (running[0][0], running[0][2]) if running else (NEVER, NOBODY)
            assert lot.next_deadline(lot_of(occupants, deadlines_us=limits)) == expected


@pytest.mark.parametrize(
    ("kind", "reason", "frees"),
    [
        (codes.RETRIEVED, codes.NO_REASON, True),
        (codes.EXPIRED, codes.NO_REASON, True),
        (codes.ABANDONED, codes.IN_LOT, True),
        (codes.ABANDONED, codes.WAITING, False),
        (codes.ABANDONED, codes.RETURNING, False),
        (codes.ABANDONED, codes.RINGING, False),
        *((kind, codes.NO_REASON, False) for kind in (0, 1, 2, 4, 8, 9, 10, 11, 12)),
    ],
)
def test_what_a_fact_does_to_the_lot(kind, reason, frees):
    """Three facts free a slot, PARKED takes one, no other fact of the 13 kinds touches the lot."""
    fact = Fact(9, NEVER, 10, NUMBER, 0, PARKER, kind, reason)
    new = lot.change(fact, last_slot=1)
    assert new == lot.Change(0 if frees else NOBODY, NOBODY, NOBODY, NEVER, 1)


def test_a_park_writes_one_slot_and_moves_the_pointer():
    """PARKED sets occupant, parker, deadline of its slot and the last slot, and leaves the other slots alone."""
    now = lot_of((10, NOBODY, 12))
    fact = Fact(9, 99, CALL, NUMBER, 1, PARKER, codes.PARKED, codes.NO_REASON)
    after = lot.evolved(now, fact)
    assert after == Lot((10, CALL, 12), (110, PARKER, 112), (1010, 99, 1012), 3, CHOOSE_LOWEST, 1, NUMBER)
    assert now == lot_of((10, NOBODY, 12))


def test_an_empty_lot_has_never_been_used():
    """All slots free, no parker, no deadline, no last slot; a lot of no slots refuses."""
    assert lot.empty_lot(2, CHOOSE_NEXT, 4) == Lot((-1, -1), (-1, -1), (-1, -1), 2, CHOOSE_NEXT, NOBODY, 4)
    refused = lot.decide_park(lot.empty_lot(0), CALL, PARKER, 1, NOBODY, 0, now_us=0)
    assert refused.kind == codes.REFUSED


def decisions(now: Lot) -> list[object]:
    """Return what every rule of the lot answers, for a spread of arguments."""
    answers: list[object] = [lot.next_deadline(now), lot.free_slots(now), lot.nth_free(now, 0), lot.lowest_free(now, 1)]
    for asked in range(-1, now.slots + 1):
        answers.append(lot.decide_park(now, CALL, PARKER, 50, asked, 5, now_us=9))
        answers.append(lot.decide_unpark(now, asked, RETRIEVER, now_us=9))
        answers.append(lot.decide_hangup(now, asked, now_us=9))
        answers.append(lot.decide_expiry(now, asked, 10, 1010, now_us=1010))
    facts = [answer for answer in answers if isinstance(answer, Fact)]
    evolved = [lot.evolved(now, fact) for fact in facts]
    changed = [after for after in evolved if after is not now]
    return answers + [tuple(tuple(map(int, column)) for column in after[:3]) + after[3:] for after in changed]


def with_columns(now: Lot, made_of) -> Lot:
    """Return the same lot with its three columns made of something else."""
    return now._replace(
        occupants=made_of(now.occupants),
        parkers=made_of(now.parkers),
        deadlines_us=made_of(now.deadlines_us),
    )


def read_only(column):
    """Return a column as an array that nobody may write."""
    array = np.array(column, np.int64)
    array.flags.writeable = False
    return array


@pytest.mark.parametrize("made_of", [list, np.array, read_only, lambda column: memoryview(read_only(column))])
@pytest.mark.parametrize("choice", [CHOOSE_LOWEST, CHOOSE_NEXT, CHOOSE_RANDOM])
def test_columns_of_any_sequence_give_equal_facts_and_nothing_is_written(made_of, choice):
    """Tuples, lists, arrays, read-only arrays and views: equal facts in all 16 lots of 4; no rule writes."""
    for occupants in patterns(4):
        now = lot_of(occupants, choice, last_slot=1)
        other = with_columns(now, made_of)
        assert decisions(other) == decisions(now)
        assert tuple(map(tuple, other[:3])) == now[:3]


def test_columns_may_be_longer_than_the_lot():
    """The kernel's arrays have room for the largest lot; what lies beyond ``slots`` is never looked at."""
    for occupants in patterns(3):
        now = lot_of(occupants, CHOOSE_NEXT, last_slot=0)
        longer = with_columns(now, lambda column: [*column, NOBODY, 55])
        for answer, other in zip(decisions(now), decisions(longer), strict=True):
            if isinstance(answer, Fact | int) or answer == lot.next_deadline(now):
                assert other == answer


def test_a_rule_that_writes_is_noticed():
    """Negative control of the purity test: writing a read-only column raises."""
    now = with_columns(lot_of((NOBODY,)), read_only)
    with pytest.raises(ValueError, match="read-only"):
        now.occupants[0] = CALL


def test_a_call_parked_twice_in_one_instant_returns_to_who_parked_it_last():
    """Two stays of one call with one deadline in one slot: either timer ends the later one, for its own parker."""
    place = lot.empty_lot(1)
    for parker in (0, 1):
        parked = lot.decide_park(place, 7, parker, 10, NOBODY, 0, now_us=5)
        place = lot.evolved(place, parked)
        if parker == 0:
            place = lot.evolved(place, lot.decide_hangup(place, 0, now_us=5))
    expired = lot.decide_expiry(place, 0, 7, parked.deadline_us, now_us=15)
    assert (expired.kind, expired.extension) == (codes.EXPIRED, 1)
    place = lot.evolved(place, expired)
    assert lot.decide_expiry(place, 0, 7, parked.deadline_us, now_us=15).kind == codes.REFUSED
