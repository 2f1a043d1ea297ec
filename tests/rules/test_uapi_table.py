"""The register's table, its calls and its long lots, each beside the plain thing that it stands for."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from uapi_strategies import ORGANIZATIONS, USERS, S, call_as

from parksim.rules import codes as c
from parksim.rules import lot, uapi
from parksim.rules.uapi.register import Calls, Moment, Timer, timers_of
from parksim.rules.uapi.table import WIDTH, Table

KEYS = st.integers(0, 3_000)


@given(st.lists(st.tuples(KEYS, st.booleans()), max_size=300), st.integers(0, 20), st.booleans())
def test_a_table_is_a_sorted_dict(steps, stretch, descending):
    """Whatever is put and taken away, a table has what a dict has, in order, and older tables stay as they were."""
    table, plain = Table[int, int](), {}
    for start in range(0, stretch * WIDTH, WIDTH // 2):  # some depth at once, by rising or by falling keys
        keys = range(start, start + WIDTH // 2)
        for key in sorted((3_000 - key for key in keys) if descending else keys, reverse=descending):
            table, plain[key] = table.put(key, key), key
    for value, (key, goes) in enumerate(steps):
        before, was = table, dict(plain)
        if goes and plain:
            gone = min(plain, key=lambda known: (abs(known - key), known))
            table = table.without(gone)
            del plain[gone]
        else:
            table, plain[key] = table.put(key, value), value
        assert len(before) == len(was)
        assert before.get(key) == was.get(key)
        assert dict(before) == was
    in_order = sorted(plain.items())
    assert list(table) == in_order
    for place in (0, 1, len(plain) // 2, len(plain)):
        assert list(table.items_from(place)) == in_order[place:]
    for key in plain:
        table = table.without(key)
    assert list(table) == []


@given(st.data())
def test_calls_are_found_as_a_scan_finds_them(data):
    """Calls come, change and go: by number, id, party and timer they are found as in a plain list of them."""
    owners = (0, 0, 1)
    calls, plain = Calls(owners), {}
    for number in data.draw(st.lists(st.integers(0, 9), max_size=30)):
        if number in plain and data.draw(st.booleans()):
            calls = calls.without(number)
            del plain[number]
        else:
            parties = data.draw(st.lists(st.integers(0, 2), min_size=1, max_size=2))
            ends = data.draw(st.tuples(st.sampled_from([5, 9, c.NEVER]), st.sampled_from([4, 7, c.NEVER])))
            plain[number] = call_as(number, parties, *ends, published_us=10 * (number % 3))
            calls = calls.put(plain[number])
    listed = [plain[number] for number in sorted(plain)]
    assert calls == tuple(listed)
    assert calls[:] == tuple(listed)
    assert repr(calls) == repr(tuple(listed))
    assert hash(calls) == hash(tuple(listed))
    with pytest.raises(IndexError):
        calls[len(calls)]
    assert calls == Calls(owners, listed)
    assert [calls[place] for place in range(-len(calls), len(calls))] == listed + listed
    for number in range(10):
        assert calls.with_number(number) == plain.get(number)
        assert calls.with_id(f"{number:020x}") == plain.get(number)
    for user, extension in ((0, c.NOBODY), (1, c.NOBODY), (0, 0), (0, 1), (1, 2)):
        mine = {place for place in range(3) if place == extension or (extension == c.NOBODY and owners[place] == user)}
        moments = sorted(
            Moment(call.published_us, call.number)
            for call in listed
            if mine & {call.extension, *(view.extension for view in call.views)}
        )
        numbers = calls.numbers_of(user, extension)
        assert [moment for moment, _ in numbers] == moments
        for descending in (False, True):
            order = [plain[moment.call] for moment in (moments[::-1] if descending else moments)]
            for start, count in ((0, 2), (1, 3), (4, 5)):
                assert calls.page(numbers, start, count, descending=descending) == order[start : start + count]
    timers: list[Timer] = [timer for call in listed for timer in timers_of(call)]
    assert calls.first_timer() == min(timers, default=None)


@settings(deadline=None)  # columns are compared whole
@given(st.lists(st.tuples(st.integers(0, 1_099), st.booleans()), max_size=12), st.booleans())
def test_a_long_lot_is_a_short_one(steps, with_tree):
    """A lot too long to be copied decides as a plain one, with a tree of its free slots and without."""
    slots, width = 1_100, 2_048
    counts = [0] * width + [1] * slots + [0] * (width - slots)
    for node in range(width - 1, 0, -1):
        counts[node] = counts[2 * node] + counts[2 * node + 1]
    long = lot.empty_lot(slots)._replace(free=tuple(counts) if with_tree else ())
    plain = [c.NOBODY] * slots
    for call, (asked, goes) in enumerate(steps):
        taken = [slot for slot, occupant in enumerate(plain) if occupant != c.NOBODY]
        before = long
        if goes and taken:
            slot = taken[asked % len(taken)]
            long, plain[slot] = lot.evolved(long, lot.decide_hangup(long, slot, 5)), c.NOBODY
        else:
            fact = lot.decide_park(long, call, 0, 30, asked, 0, 5)
            assert plain[fact.slot] == c.NOBODY
            long, plain[fact.slot] = lot.evolved(long, fact), call
        assert long != before
        assert list(long.occupants) == plain
        assert long.occupants[:] == tuple(plain)
        assert lot.free_slots(long) == plain.count(c.NOBODY)
        assert hash(long.occupants) == hash(tuple(plain))


def test_a_patched_column_is_copied_when_much_differs():
    """After a thousand changes nothing is kept beside the column."""
    long = lot.empty_lot(1_100)
    for call in range(1_001):
        long = lot.evolved(long, lot.decide_park(long, call, 0, 30, c.NOBODY, 0, 5))
    assert isinstance(long.occupants, tuple)
    assert long.occupants[:1_001] == tuple(range(1_001))


def test_a_request_looks_at_no_other_calls():
    """A register of a thousand calls, of which only the addressed one can be looked at: Park, List and DELETE work."""
    register = uapi.new_register(USERS, organizations=ORGANIZATIONS)
    for number in range(1_000):
        register = uapi.offer(register, "0003*210", peer="555", now_us=number, call_id=f"{number:020x}").register
        register = uapi.answer(register, f"{number:020x}", now_us=number).register
    looked = []

    class Watched(Calls):
        __slots__ = ()

        def __iter__(self):
            looked.append(1)
            return super().__iter__()

    register = register._replace(calls=Watched(register.calls.owners, (), register.calls.tables))
    body = b'{"action": "Park", "phoneCallViewId": "01"}'
    target = f"/uapi/phoneCalls/12/0003*210/{500:020x}"
    for method, where, status in (("PUT", target, 200), ("GET", target, 200), ("DELETE", target, 200)):
        outcome = uapi.respond(register, uapi.Request(method, where, body, "12"), now_us=5 * S)
        assert outcome.reply.status == status
    listed = uapi.respond(register, uapi.Request("GET", "/uapi/phoneCalls/12/0003*210", user="12"), now_us=5 * S)
    assert listed.reply.status == 200
    assert looked == []
