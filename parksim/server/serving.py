"""The application at work: a socket to listen on, and uvicorn that serves on it until a signal comes."""

import asyncio
import gc
import logging
import resource
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

import uvicorn

from parksim.errors import BindError, FailedError
from parksim.server.app import App
from parksim.server.doors import Doors
from parksim.server.wire import CONNECTIONS_LIMIT, IDLE_TIME_S, LINGERING_LIMIT, Connection

if TYPE_CHECKING:
    from parksim.server.desk import Desk

BACKLOG: Final = 2_048
SHUTDOWN_TIME_S: Final = 3
FURTHER_FILES: Final = 64
"""Files that are open beside connections."""

Address = tuple[socket.AddressFamily, socket.SocketKind, int, str, Any]
"""As ``socket.getaddrinfo`` gives it."""

logger = logging.getLogger("parksim.server")


def resolved(host: str, port: int) -> Address:
    """Return the address that a host and a port stand for.

    Raises:
        BindError: there is no such host.
    """
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (OSError, UnicodeError) as error:
        raise BindError(f"--host {host}: is no address of this machine ({_reason(error)})") from None


def is_loopback(address: Address) -> bool:
    """Tell whether only programs of this machine reach an address."""
    return ip_address(address[4][0].partition("%")[0]).is_loopback


def bound(address: Address) -> socket.socket:
    """Return a socket that listens on an address; port 0: one that is free.

    Raises:
        BindError: the port is in use, or the address is not one of this machine.
    """
    family, kind, protocol, _, place = address
    made = socket.socket(family, kind, protocol)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(place)
        made.listen(BACKLOG)  # two sockets can be bound to one address, but only one can listen
    except OSError as error:
        made.close()
        raise BindError(
            f"cannot listen on {place[0]} port {place[1]} ({_reason(error)}); "
            "choose another by --port, or 0 for one that is free"
        ) from None
    made.setblocking(False)
    return made


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else "") or str(error)


def allow_open_files(needed: int) -> None:
    """Raise this process's own limit of open files, where it is below what is needed, as far as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


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


async def serve(desk: "Desk", app: App, listener: socket.socket, started: Callable[[], None]) -> int | None:
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


async def _end_with(desk: "Desk", server: Server) -> Exception | None:
    """End the server as soon as the desk has ended: nothing would ever happen on it again."""
    try:
        return await desk.ended()
    finally:
        server.should_exit = True


__all__ = ["App", "Doors", "FailedError", "Server", "serve"]
