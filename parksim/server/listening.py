"""The socket that the service listens on, and how many connections this process may have."""

import socket
from contextlib import suppress
from ipaddress import ip_address
from typing import Any, Final

from parksim.errors import BindError

try:
    import resource
except ImportError:  # pragma: no cover - there is no such limit on this system
    resource = None  # type: ignore[assignment]  # looked at before use

BACKLOG: Final = 2_048


Address = tuple[socket.AddressFamily, socket.SocketKind, int, str, Any]
"""As ``socket.getaddrinfo`` gives it."""


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
    if resource is None:  # pragma: no cover - there is no such limit on this system
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
