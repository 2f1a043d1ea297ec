"""Two trees that answer a rule's question without a look at every slot or every extension.

A tree is a row of 2 * ``width`` numbers: its leaves are the last ``width`` of them, and node ``n`` stands above the
nodes 2 n and 2 n + 1. A tree of counts (``rules.lot.Lot.free``) holds how many of the leaves below a node are marked; a
tree of firsts holds which of the extensions below a node takes a call first. A change walks from one leaf to the root.
The kernel compiles these functions as it does the rules.
"""

from collections.abc import MutableSequence, Sequence

from parksim.rules import codes as c
from parksim.rules.routing import idle_longer, is_free


def width_for(leaves: int) -> int:
    """Return the least power of two that is at least ``leaves``, and 1 at least."""
    return 1 << max(leaves - 1, 0).bit_length()


def tree_of_counts(marked: int, width: int) -> list[int]:
    """Return a tree of counts, the first ``marked`` of its ``width`` leaves marked."""
    counts = [0] * width + [1] * marked + [0] * (width - marked)
    for node in range(width - 1, 0, -1):
        counts[node] = counts[2 * node] + counts[2 * node + 1]
    return counts


def tree_of_firsts(idle_since_us: Sequence[int], extensions: Sequence[int], width: int) -> list[int]:
    """Return a tree of firsts over some extensions, which stand at the first of its ``width`` leaves."""
    leaves = [one if is_free(idle_since_us[one]) else c.NOBODY for one in extensions]
    firsts = [c.NOBODY] * width + leaves + [c.NOBODY] * (width - len(leaves))
    for node in range(width - 1, 0, -1):
        firsts[node] = idle_longer(idle_since_us, firsts[2 * node], firsts[2 * node + 1])
    return firsts


def mark(counts: MutableSequence[int], leaf: int, more: int) -> None:
    """Mark a leaf of a tree of counts (``more`` = 1), or take its mark away (-1)."""
    node = leaf + len(counts) // 2
    while node > 0:
        counts[node] += more
        node >>= 1


def settle(firsts: MutableSequence[int], leaf: int, idle_since_us: Sequence[int], extension: int) -> None:
    """Put ``extension``, which has become idle or busy and stands at ``leaf``, into its place in a tree of firsts."""
    node = leaf + len(firsts) // 2
    firsts[node] = extension if is_free(idle_since_us[extension]) else c.NOBODY
    while node > 1:
        node >>= 1
        first = idle_longer(idle_since_us, firsts[2 * node], firsts[2 * node + 1])
        if first == firsts[node] and first != extension:
            return  # and so it stands above
        firsts[node] = first
