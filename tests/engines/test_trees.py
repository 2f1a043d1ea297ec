"""The tree of free slots and the line of idle extensions, against a look at each of them."""

from random import Random

import pytest

from parksim.engines import attendants, compiling, trees
from parksim.rules import lot, routing
from parksim.rules.routing import BUSY_NOW, OFF_DUTY


@pytest.mark.parametrize("size", [1, 2, 3, 12, 100])
def test_a_tree_of_counts_follows_every_change(size):
    """After each of 300 changes (seed 1) the tree is the one that is built anew, and tells every marked leaf."""
    rng = Random(1)
    counts = trees.tree_of_counts(size, trees.width_for(size))
    marked = set(range(size))
    for _ in range(300):
        leaf = rng.randrange(size)
        trees.mark(counts, leaf, -1 if leaf in marked else 1)
        marked ^= {leaf}
        assert [lot.nth_counted(counts, nth) for nth in range(size + 1)] == [*sorted(marked), *[-1] * (size + 1)][
            : size + 1
        ]
        assert [lot.counted_below(counts, end) for end in range(size + 1)] == [
            sum(one < end for one in marked) for end in range(size + 1)
        ]


@pytest.mark.parametrize("size", [1, 2, 3, 12, 100])
def test_the_line_has_all_that_are_idle_in_their_order_after_every_change(size):
    """500 changes among few instants (seed 2, so ties abound): the first is whom the rule and SimPy's group name."""
    rng = Random(2)
    idle_us = [0] * size
    after, before = [0] * (size + 1), [0] * (size + 1)
    trees.line_of(idle_us, range(size), after, before, end=size)
    group = attendants.Group([0] * size)
    for change in range(500):
        extension = rng.randrange(size)
        since_us = rng.choice((BUSY_NOW, BUSY_NOW, OFF_DUTY, change // 9))
        group.set_idle(extension, since_us)
        if routing.is_free(idle_us[extension]):
            trees.depart(after, before, extension)
        idle_us[extension] = since_us
        if routing.is_free(since_us):
            trees.enter(after, before, idle_us, extension, end=size)
        line = walk(after, size)
        idle = sorted((idle_us[one], one) for one in range(size) if routing.is_free(idle_us[one]))
        assert line == walk(before, size)[::-1] == [one for _, one in idle]
        assert (line or [-1])[0] == routing.longest_idle(idle_us, size) == group.longest_idle()


def walk(links, end):
    """Return the places that links lead to, from the end of a line to its end."""
    places = [links[end]]
    while places[-1] != end:
        places.append(links[places[-1]])
    return places[:-1]


def test_inlined_code_is_not_called_from_python():
    """A function that has no way in from Python says so; called it would jump to nowhere."""
    pytest.importorskip("numba")
    from parksim.engines import _lift

    if _lift.is_compiled:
        with pytest.raises(TypeError, match="called by compiled code only"):
            _lift.rules.is_free(3)


def test_compiling_is_told_to_who_listens(monkeypatch):
    """A listener hears that compiling begins and ends."""
    heard = []
    monkeypatch.setattr(compiling, "listeners", [heard.append])
    compiling.tell(begins=True)
    compiling.tell(begins=False)
    assert heard == [True, False]
