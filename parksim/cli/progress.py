"""Progress on stderr: a bar in a terminal, one line that is written over in a notebook, a line now and then in a pipe.

What remains is estimated from the pace since the first result, which includes what is paid once: starting workers. The
time for which this process compiles the kernel is left out, and a terminal or notebook says "compiling once" meanwhile.
"""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from parksim.engines import compiling

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

LINE_EVERY_S: Final = 10.0
"""In a pipe."""
NOTE_EVERY_S: Final = 1.0
"""In a notebook, where a line takes the place of the one before."""


COMPILING: Final = "compiling once"


class Progress:
    """Tells how much of some work is done; call it with (done, to do). Where done falls, other work has begun.

    Attributes:
        unit: What is counted.
        may_end_early: Whether the work may be enough before all is done: then what remains is "at most" so long.
    """

    def __init__(self, unit: str, *, may_end_early: bool = False) -> None:
        self.unit = unit
        self.may_end_early = may_end_early
        from rich.console import Console

        self._console = Console(stderr=True, force_jupyter=False)
        self._notebook = type(sys.stderr).__module__.startswith("ipykernel")
        self._bar: Bar | None = None
        self._done = 0
        self._noted = False
        self._first = 0
        self._compiling_s = self._begun_s = self._first_s = self._last_s = self._told_s = time.monotonic()

    def __enter__(self) -> Self:
        compiling.listeners.append(self._compiling)
        console = self._console
        if console.is_terminal and not self._notebook:
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

            columns = (TextColumn(self.unit), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[left]}"))
            self._bar = Progress(*columns, console=console, transient=True)
            self._bar.start()
            self._bar.add_task(self.unit, total=None, left="")
        return self

    def __call__(self, done: int, to_do: int) -> None:
        """Tell that ``done`` of ``to_do`` are done."""
        now_s = time.monotonic()
        if self._done == 0:
            self._first, self._first_s = done, now_s
        elif done <= self._done:  # other work, which began where the work before it was told last
            self._begun_s, self._first, self._first_s = self._last_s, done, now_s
        self._done, self._last_s = done, now_s
        left = self._left(now_s, done, to_do)
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=done, total=to_do, left=left)
        elif done < to_do and now_s - self._told_s >= (NOTE_EVERY_S if self._notebook else LINE_EVERY_S):
            self._told_s = now_s
            self._write(f"{done:,} of {to_do:,} {self.unit}, {left}")

    def _compiling(self, begins: bool) -> None:
        """Say that the kernel is being compiled; when that is over, begin to count from then on."""
        if not begins:
            self._begun_s += time.monotonic() - self._compiling_s
            return
        self._compiling_s = time.monotonic()
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], left=COMPILING)
        elif self._notebook:
            self._write(COMPILING)

    def _left(self, now_s: float, done: int, to_do: int) -> str:
        """Return what remains in words: from the pace since the first result, "at most" while there is only that."""
        only_that = done <= self._first
        since_s, count = (self._begun_s, max(done, 1)) if only_that else (self._first_s, done - self._first)
        words = "at most" if only_that or self.may_end_early else "some"
        return f"{words} {_span((now_s - since_s) / count * (to_do - done))} to go"

    def _write(self, line: str) -> None:
        if self._notebook:
            sys.stderr.write(f"\r{line:<70}")
            sys.stderr.flush()
            self._noted = True
        else:
            self._console.print(line, highlight=False, soft_wrap=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        compiling.listeners.remove(self._compiling)
        if self._bar is not None:
            self._bar.stop()
        if self._noted:
            self._write("")


def _span(left_s: float) -> str:
    """Return some time to come: 40 s, 12 min, 3.5 h.

    >>> _span(39.7), _span(700), _span(12_600)
    ('40 s', '12 min', '3.5 h')
    """
    if left_s < 120:
        return f"{left_s:.0f} s"
    return f"{left_s / 60:.0f} min" if left_s < 7_200 else f"{left_s / 3_600:.1f} h"
