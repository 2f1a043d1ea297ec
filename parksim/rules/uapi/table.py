"""An immutable map in the order of its keys: a change answers with the next map, and shares with it all but one path.

The register is a value and changes with each request. With plain tuples each change copies every live call; here it
copies a path from the root to a leaf, 32 entries a level: three levels for 30,000 calls.

How it works: a leaf holds keys and values, a branch the first key of each child. Too long a node is cut in two, an
empty one goes. Nodes that have become short are not joined, so the depth is that of the largest size so far.

>>> table = Table[int, str]().put(7, "seven").put(3, "three")
>>> list(table), table.get(7), len(table.without(3)), table.get(3)
([(3, 'three'), (7, 'seven')], 'seven', 1, 'three')
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import Any, Final, Generic, NamedTuple, TypeVar

K = TypeVar("K")
V = TypeVar("V")
WIDTH: Final = 32
"""Entries of a node; of 16 to 64 it makes no difference that can be measured."""


class _Leaf(NamedTuple):
    keys: tuple[Any, ...]
    values: tuple[Any, ...]

    @property
    def first(self) -> Any:
        return self.keys[0]

    @property
    def size(self) -> int:
        return len(self.keys)


class _Branch(NamedTuple):
    firsts: tuple[Any, ...]
    children: tuple["_Leaf | _Branch", ...]
    size: int

    @property
    def first(self) -> Any:
        return self.firsts[0]


_Node = _Leaf | _Branch
_EMPTY: Final = _Leaf((), ())


class Table(Generic[K, V]):
    """An immutable map whose keys have an order; iterating gives (key, value) in it."""

    __slots__ = ("root",)

    def __init__(self, root: _Node = _EMPTY) -> None:
        self.root = root

    @classmethod
    def of(cls, items: Iterable[tuple[K, V]]) -> "Table[K, V]":
        """Return the map with those items, which come in the order of their keys."""
        entries = list(items)
        nodes: list[_Node] = [
            _Leaf(*zip(*entries[start : start + WIDTH], strict=True)) for start in range(0, len(entries), WIDTH)
        ]
        while len(nodes) > 1:
            nodes = [_branch(tuple(nodes[start : start + WIDTH])) for start in range(0, len(nodes), WIDTH)]
        return cls(nodes[0] if nodes else _EMPTY)

    def __len__(self) -> int:
        return self.root.size

    def __iter__(self) -> Iterator[tuple[K, V]]:
        return self.items_from(0)

    def get(self, key: K) -> V | None:
        """Return the value of a key, or None."""
        node = self.root
        while isinstance(node, _Branch):
            node = node.children[_child(node, key)]
        place = bisect_left(node.keys, key)
        if place < len(node.keys) and node.keys[place] == key:
            value: V = node.values[place]
            return value
        return None

    def put(self, key: K, value: V) -> "Table[K, V]":
        """Return the map in which a key has that value."""
        parts = _put(self.root, key, value)
        return Table(parts[0] if len(parts) == 1 else _branch(parts))

    def without(self, key: K) -> "Table[K, V]":
        """Return the map without a key, which must be there."""
        root = _without(self.root, key)
        while isinstance(root, _Branch) and len(root.children) == 1:
            root = root.children[0]
        return Table(root or _EMPTY)

    def items_from(self, place: int) -> Iterator[tuple[K, V]]:
        """Yield (key, value) from a place on, counted from 0."""
        return _items(self.root, place)


def _child(branch: _Branch, key: Any) -> int:
    return max(bisect_right(branch.firsts, key) - 1, 0)


def _branch(children: tuple[_Node, ...]) -> _Branch:
    return _Branch(tuple(child.first for child in children), children, sum(child.size for child in children))


def _put(node: _Node, key: Any, value: Any) -> tuple[_Node, ...]:
    """Return the node with that entry, or the two into which it was cut."""
    if isinstance(node, _Leaf):
        keys, values = node
        place = bisect_left(keys, key)
        there = int(place < len(keys) and keys[place] == key)
        if there:
            return (_Leaf(keys, (*values[:place], value, *values[place + 1 :])),)
        keys, values = (*keys[:place], key, *keys[place:]), (*values[:place], value, *values[place:])
        if len(keys) <= WIDTH:
            return (_Leaf(keys, values),)
        cut = _cut(place)
        return _Leaf(keys[:cut], values[:cut]), _Leaf(keys[cut:], values[cut:])
    child = _child(node, key)
    grown = _in_place_of(node, child, _put(node.children[child], key, value))
    if len(grown.children) <= WIDTH:
        return (grown,)
    cut = _cut(child + 1)
    return _branch(grown.children[:cut]), _branch(grown.children[cut:])


def _in_place_of(branch: _Branch, child: int, parts: tuple[_Node, ...]) -> _Branch:
    """Return the branch with those nodes in place of one child; the others are not looked at, which is the point."""
    firsts, children, size = branch
    return _Branch(
        (*firsts[:child], *(part.first for part in parts), *firsts[child + 1 :]),
        (*children[:child], *parts, *children[child + 1 :]),
        size - children[child].size + sum(part.size for part in parts),
    )


def _cut(place: int) -> int:
    """Return where a node is cut: in the middle; keys that only grow leave full nodes behind them."""
    return WIDTH if place == WIDTH else WIDTH // 2


def _without(node: _Node, key: Any) -> _Node | None:
    """Return the node without that entry; None when it was the only one."""
    if isinstance(node, _Leaf):
        place = bisect_left(node.keys, key)
        keys = (*node.keys[:place], *node.keys[place + 1 :])
        return _Leaf(keys, (*node.values[:place], *node.values[place + 1 :])) if keys else None
    child = _child(node, key)
    left = _without(node.children[child], key)
    shrunk = _in_place_of(node, child, () if left is None else (left,))
    return shrunk if shrunk.children else None


def _items(node: _Node, place: int) -> Iterator[tuple[Any, Any]]:
    if isinstance(node, _Leaf):
        yield from zip(node.keys[place:], node.values[place:], strict=True)
        return
    for child in node.children:
        if place < child.size:
            yield from _items(child, place)
        place = max(place - child.size, 0)
