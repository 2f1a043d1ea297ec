"""A tree and a line that answer a rule's question without a look at every slot or every extension.

A tree of counts (``rules.lot.Lot.free``) is a row of 2 * ``width`` numbers: its leaves are the last ``width`` of them,
and node ``n``, above the nodes 2 n and 2 n + 1, holds how many of the leaves below it are marked. A change walks from
one leaf to the root. The line holds idle extensions in the order in which they take calls: who becomes idle now
comes last, behind all but those of the same instant. The kernel compiles these functions as it does the rules.
"""

from collections.abc import MutableSequence, Sequence

from parksim.rules.routing import idle_longer, is_free


def width_for(leaves: int) -> int:
    """Return the least power of two that is at least ``leaves``, and 1 at least."""
    return 1 << max(leaves - 1, 0).bit_length()


def tree_of_counts(marked: int, width: int) -> list[int]:
    """Return a tree of counts, the first ``marked`` of its ``width`` leaves marked."""
    return tree_over([1] * marked + [0] * (width - marked))


def tree_over(leaves: Sequence[int]) -> list[int]:
    """Return a tree of counts over leaves that are marked (1) or not (0); what is missing to a full width is not."""
    width = width_for(len(leaves))
    counts = [0] * width + [int(leaf) for leaf in leaves] + [0] * (width - len(leaves))
    for node in range(width - 1, 0, -1):
        counts[node] = counts[2 * node] + counts[2 * node + 1]
    return counts


def mark(counts: MutableSequence[int], leaf: int, more: int) -> None:
    """Mark a leaf of a tree of counts (``more`` = 1), or take its mark away (-1)."""
    node = leaf + len(counts) // 2
    while node > 0:
        counts[node] += more
        node >>= 1


def line_of(
    idle_since_us: Sequence[int],
    extensions: Sequence[int],
    after: MutableSequence[int],
    before: MutableSequence[int],
    end: int,
) -> None:
    """Put the free ones of some extensions into a line that begins and ends at the place ``end``."""
    after[end] = before[end] = end
    for extension in extensions:
        if is_free(idle_since_us[extension]):
            enter(after, before, idle_since_us, extension, end)


def enter(
    after: MutableSequence[int], before: MutableSequence[int], idle_since_us: Sequence[int], extension: int, end: int
) -> None:
    """Put an extension that has become free into its place in the line."""
    last = before[end]
    while last != end and idle_longer(idle_since_us, min(last, extension), max(last, extension)) == extension:
        last = before[last]
    following = after[last]
    after[last], after[extension] = extension, following
    before[following], before[extension] = extension, last


def depart(after: MutableSequence[int], before: MutableSequence[int], extension: int) -> None:
    """Take an extension out of the line."""
    after[before[extension]] = after[extension]
    before[after[extension]] = before[extension]
