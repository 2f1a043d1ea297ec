"""Who is told that the kernel is being compiled, which happens once for each version of the rules.

It stands apart from the compiler so that listening loads nothing.
"""

from collections.abc import Callable
from typing import Final

listeners: Final[list[Callable[[bool], None]]] = []
"""Each is called with True as compiling begins and with False as it ends, in the process that compiles."""


def tell(begins: bool) -> None:
    """Tell every listener."""
    for listener in listeners:
        listener(begins)
