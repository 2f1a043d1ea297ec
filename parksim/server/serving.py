"""The application at work: served by uvicorn on a socket until a signal comes."""

import asyncio
import gc
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Final, Protocol

import uvicorn

from parksim.errors import FailedError
from parksim.server.app import App, Doors
from parksim.server.listening import BACKLOG, allow_open_files
from parksim.server.wire import CONNECTIONS_LIMIT, IDLE_TIME_S, LINGERING_LIMIT, Connection

SHUTDOWN_TIME_S: Final = 3
FURTHER_FILES: Final = 64
"""Files that are open beside connections."""

logger = logging.getLogger("parksim.server")


class Served(Protocol):
    """What the server needs of a desk, which runs as long as ``async with`` does."""

    async def __aenter__(self) -> object: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def ended(self) -> Exception | None:
        """Wait until it has ended; return what ended it if it did not end by itself."""


class Server(uvicorn.Server):
    """uvicorn's server, which remembers the signal that ended it, and ends the board's streams first."""

    def __init__(self, app: App, started: Callable[[], None] = lambda: None) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="asyncio",
                http=Connection,
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="critical",  # the application answers for its own errors, and nothing may log a target
                access_log=False,
                proxy_headers=False,
                server_header=False,
                backlog=BACKLOG,
                timeout_keep_alive=IDLE_TIME_S,
                timeout_graceful_shutdown=SHUTDOWN_TIME_S,
            )
        )
        self._app = app
        self._started = started
        self.ended_by: int | None = None

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End the server at SIGINT and SIGTERM, and leave it to the caller what that means."""
        try:
            before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        except ValueError:  # not the main thread: its owner ends the server by should_exit
            yield
            return
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept connections, and say so."""
        await super().startup(sockets)
        self._started()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end; a second SIGINT ends at once."""
        self.ended_by = self.ended_by or sig
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, then the connections."""
        self._app.close()
        await super().shutdown(sockets)


async def serve(desk: Served, app: App, listener: socket.socket, started: Callable[[], None]) -> int | None:
    """Let the desk run and serve it until a signal comes; return which.

    ``started`` is called as soon as requests are answered.

    Raises:
        FailedError: the desk has failed. Until the server has ended requests are answered with 503.
    """
    allow_open_files(CONNECTIONS_LIMIT + LINGERING_LIMIT + FURTHER_FILES)
    server = Server(app, started)
    watching: asyncio.Task[Exception | None] | None = None
    gc.collect()
    gc.freeze()  # modules and scenario stay: looking through them again and again held up the loop for 0.1 s each time
    try:
        async with desk:
            watching = asyncio.create_task(_end_with(desk, server), name="parksim watch")
            await server.serve(sockets=[listener])
        await watching
    except Exception as error:
        if watching is None or error is not await watching:
            raise
        logger.exception("the switchboard has failed")
        raise FailedError(f"the switchboard has failed ({type(error).__name__}: {error})") from error
    finally:
        gc.unfreeze()
    return server.ended_by


async def _end_with(desk: Served, server: Server) -> Exception | None:
    """End the server as soon as the desk has ended: nothing would ever happen on it again."""
    try:
        return await desk.ended()
    finally:
        server.should_exit = True


__all__ = ["App", "Doors", "FailedError", "Server", "serve"]
