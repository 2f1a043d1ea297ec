"""The last two hours of the board's charts, in columns of five minutes: integers, from facts alone."""

from collections import deque
from collections.abc import Sequence
from typing import Any, Final

BIN_US: Final = 300_000_000
"""How long a column is."""
BINS: Final = 24
"""How many are kept beside the one that is not over yet."""
REFUSED, RETURNED, WAITING, LOTS = range(4)
"""Of a column: how many refusals and returns; time times waiting callers; then of each lot time times taken slots."""


class Trend:
    """Columns up to now, the newest last; ``levels`` are how many wait, and how many slots of each lot are taken."""

    def __init__(self, lots: int) -> None:
        self.levels = [0] * (1 + lots)
        self._until_us = 0
        self._columns = deque([[0] * (LOTS + lots)], maxlen=BINS + 1)

    def let_pass(self, now_us: int) -> None:
        """Add the levels up to an instant; one that is past adds nothing."""
        if now_us // BIN_US - self._until_us // BIN_US > BINS:  # what is older than the charts is not kept
            self._until_us = (now_us // BIN_US - BINS) * BIN_US
        while self._until_us < now_us:
            end_us = (self._until_us // BIN_US + 1) * BIN_US
            column, passed_us = self._columns[-1], min(end_us, now_us) - self._until_us
            for place, level in enumerate(self.levels, WAITING):
                column[place] += level * passed_us
            self._until_us += passed_us
            if self._until_us == end_us:
                self._columns.append([0] * len(column))

    def count(self, what: int) -> None:
        """Count a refusal or a return at this instant."""
        self._columns[-1][what] += 1

    def columns(self, now_us: int) -> dict[str, Any]:
        """Return the columns up to an instant, ready for JSON; what is kept stays as it is.

        ``waiting`` and ``taken`` (by lot) are means over each column's time, over the last one's so far.
        """
        then = Trend(len(self.levels) - 1)
        then.become(self.state())
        then.let_pass(now_us)
        rows = [*then._columns]
        lengths_us = [BIN_US] * (len(rows) - 1) + [then._until_us % BIN_US]
        if len(rows) > 1 and not any(rows[-1]) and not lengths_us[-1]:  # a column that begins at this very instant
            del rows[-1], lengths_us[-1]

        def means(place: int) -> list[float]:
            return [round(row[place] / (us or 1), 3) for row, us in zip(rows, lengths_us, strict=True)]

        return {
            "column_us": BIN_US,
            "begin_us": then._until_us - sum(lengths_us),
            "refused": [row[REFUSED] for row in rows],
            "returned": [row[RETURNED] for row in rows],
            "waiting": means(WAITING),
            "taken": [means(LOTS + lot) for lot in range(len(self.levels) - 1)],
        }

    def state(self) -> list[Sequence[int]]:
        """Return all of it, ready for JSON."""
        return [[self._until_us], [*self.levels], *([*column] for column in self._columns)]

    def become(self, state: Sequence[Sequence[int]]) -> None:
        """Go back to a state."""
        (self._until_us,), levels, *columns = state
        self.levels = [*levels]
        self._columns = deque(([*column] for column in columns), maxlen=BINS + 1)
