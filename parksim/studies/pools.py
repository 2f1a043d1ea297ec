"""Workers in processes of their own, and how they end: at Ctrl-C without a word, and when their parent is killed.

Ctrl-C reaches every process of a terminal. A worker that ended while it hands over what it has made would leave the
other end of the pipe waiting for the rest of it, for ever, and the pool with it. So a worker ends only while it makes
something: at all other times the signal is held back, until the next piece of work or the end of the pool.
"""

import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any, Final, TypeVar

_ORPHANED_S: Final = 1.0
"""How often a worker looks whether whoever started it still lives."""

Made = TypeVar("Made")


def started(workers: int | None) -> ProcessPoolExecutor:
    """Return a pool of processes, running; its work is handed over as ``submit(interruptible, work, ...)``.

    They are started with Ctrl-C held back, so that none can be hit before it is set up to end without a word.
    """
    pool = ProcessPoolExecutor(workers, initializer=end_with, initargs=(os.getpid(),))
    if hasattr(signal, "pthread_sigmask"):
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            pool.submit(_nothing)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return pool


def _nothing() -> None:
    """Do nothing: a task that makes a pool start its workers."""


def end_with(parent: int) -> None:
    """End this worker when whoever started it is killed (it would wait for ever for its next task), and at Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _mask("SIG_BLOCK")

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(_ORPHANED_S)
        os._exit(1)

    threading.Thread(target=look, daemon=True).start()


def interruptible(work: Callable[..., Made], *args: Any) -> Made:
    """Do some work in a worker, which Ctrl-C may end only meanwhile."""
    _mask("SIG_UNBLOCK")
    try:
        return work(*args)
    finally:
        _mask("SIG_BLOCK")


def _mask(how: str) -> None:
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(getattr(signal, how), {signal.SIGINT})
