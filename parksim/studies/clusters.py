"""A Dask cluster as the executor of a plan (extra ``cluster``): reached quickly or not at all, of the same code."""

import logging
import socket
from collections.abc import Iterator
from concurrent.futures import CancelledError, Executor
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Final
from urllib.parse import urlsplit

from parksim.errors import PlanError, StudyError
from parksim.studies.replication import made_by

CONNECT_S: Final = 5.0
"""A scheduler that does not answer in this time counts as absent."""


@contextmanager
def cluster_at(address: str) -> Iterator[tuple[Executor, int]]:
    """Yield the executor of the cluster whose scheduler listens at ``address``, and how many tasks it runs at once.

    Raises:
        PlanError: the extra ``cluster`` is not installed, or the address is invalid.
        StudyError: nobody answers there, it has no workers, they run other code than this, or it was lost.
    """
    try:
        distributed: Any = import_module("distributed")  # takes a second, and only clusters need it
    except ImportError:
        raise PlanError("a cluster needs distributed; install parksim with its extra: parksim[cluster]") from None
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # the messages below say what matters, once
    try:
        _knock(address)
        client = distributed.Client(address, timeout=CONNECT_S, set_as_default=False)
    except OSError as error:
        raise StudyError(f"{address}: no Dask scheduler answers there; start one, or leave --cluster out") from error
    try:
        _check(client, address)
        yield client.get_executor(pure=False), sum(client.nthreads().values())
    except (distributed.KilledWorker, distributed.comm.CommClosedError, CancelledError) as error:
        raise StudyError(f"{address}: the cluster was lost, or its workers died; what was stored stays") from error
    finally:
        client.close(timeout=CONNECT_S)


def _knock(address: str) -> None:
    """Check that somebody listens: Dask itself would try again and again where the machine has refused."""
    parts = urlsplit(address)
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if parts.scheme not in {"tcp", "tls"} or not host or not port:
        raise PlanError(f"{address}: write a scheduler's address, such as tcp://127.0.0.1:8786")
    socket.create_connection((host, port), CONNECT_S).close()


def _check(client: Any, address: str) -> None:
    """Check that there are workers, and that they would give the very same results."""
    if not client.nthreads():
        raise StudyError(f"{address}: the cluster has no workers; start some, or leave --cluster out")
    here = made_by("kernel")
    try:
        there = client.run(made_by, "kernel")
    except ImportError as error:
        raise StudyError(f"{address}: its workers have no parksim ({error}); install this version there") from error
    for worker, code in there.items():
        if code != here:
            raise StudyError(
                f"{address}: worker {worker} runs other code, which may give other results: {code}, here {here}"
            )
