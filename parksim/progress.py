"""Progress on stderr: a bar in a terminal, a line now and then in a pipe, nothing when there is nothing to tell."""

import time
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

LINE_EVERY_S: Final = 10.0


class Progress:
    """Tells how much of some work is done; call it with (done, to do)."""

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._console = Console(stderr=True)
        self._bar: Bar | None = None
        self._started_s = self._told_s = time.monotonic()

    def __enter__(self) -> Self:
        console = self._console
        if console.is_terminal:
            columns = (TextColumn(self._unit), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._bar = Bar(*columns, console=console, transient=True)
            self._bar.start()
            self._bar.add_task(self._unit, total=None)
        return self

    def __call__(self, done: int, to_do: int) -> None:
        """Tell that ``done`` of ``to_do`` are done."""
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=done, total=to_do)
            return
        now_s = time.monotonic()
        if now_s - self._told_s >= LINE_EVERY_S and done < to_do:
            left_s = (now_s - self._started_s) / done * (to_do - done)
            self._told_s = now_s
            line = f"{done} of {to_do} {self._unit}, at most {left_s:.0f} s to go"
            self._console.print(line, highlight=False, soft_wrap=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
