"""Workers in processes of their own: Ctrl-C ends them while they work, never while they hand over what they made."""

import os
import signal
import time
from concurrent.futures import BrokenExecutor

import pytest

from parksim.studies.gather import interruptible, started

pytestmark = pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="signals are held back by POSIX only")
LARGE = b"x" * 1_000_000
"""More than a pipe holds."""


class HitOnTheWay:
    """What a worker has made: Ctrl-C comes just as it is handed over."""

    def __reduce__(self):
        os.kill(os.getpid(), signal.SIGINT)
        return bytes, (LARGE,)


def hit_at_work():
    """Be hit by Ctrl-C in the midst of the work."""
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(60)


def test_a_worker_hands_over_what_it_made_before_it_ends():
    """Ctrl-C at the handing over takes nothing away, and ends the worker at its next piece of work."""
    with started(1) as pool:
        assert pool.submit(interruptible, HitOnTheWay).result(timeout=60) == LARGE
        with pytest.raises(BrokenExecutor):
            pool.submit(interruptible, os.getpid).result(timeout=60)


def test_a_worker_ends_in_the_midst_of_its_work(capfd):
    """Ctrl-C at work ends the worker at once, without a word."""
    with started(1) as pool, pytest.raises(BrokenExecutor):
        pool.submit(interruptible, hit_at_work).result(timeout=30)
    assert capfd.readouterr() == ("", "")


def test_the_parent_is_interrupted_as_before():
    """Ctrl-C is not held back in whoever started a pool."""
    with started(1):
        assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
