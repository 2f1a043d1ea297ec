"""For which hosts the service answers, and whose pages may call it.

A browser that was led to this machine under another name (DNS rebinding) names that other host, and is refused. A
proxy that was announced may name the host and the port that its client asked for; then only the names must be known,
since the port is the proxy's own. ``Host`` must name a known host all the same: a page can send the
proxy's fields, but not that one.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, Self
from urllib.parse import urlsplit

from parksim.errors import ArgumentError
from parksim.rules.uapi import Refusal

_LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")
_WILDCARDS: Final = ("0.0.0.0", "[::]")  # noqa: S104 - names, of which none is bound here
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_HOST: Final = re.compile(r"(?P<name>[a-z0-9_][a-z0-9_.-]*|\[[0-9a-f:.]+\])(?P<port>:[0-9]{1,5})?")


class Forwarded(NamedTuple):
    """What a proxy says of the request that it passes on: the hosts asked for, the first by the client; the scheme."""

    hosts: tuple[str, ...]
    scheme: str
    port: str

    @classmethod
    def of(cls, hosts: Sequence[str], schemes: Sequence[str], ports: Sequence[str]) -> Self | None:
        """Read the fields ``X-Forwarded-Host``, ``-Proto`` and ``-Port``; None when the request has no such field."""
        if not (hosts or schemes or ports):
            return None
        named, scheme, port = (
            [word.strip().lower() for word in ",".join(field).split(",")] for field in (hosts, schemes, ports)
        )
        return cls(tuple(filter(None, named)), scheme[0] or "http", port[0])


class Doors(NamedTuple):
    """The hosts for which the service answers, and the origins whose pages may call it; all in lower case.

    ``proxied`` says whether a proxy's fields are believed.
    """

    hosts: frozenset[str]
    origins: frozenset[str]
    proxied: bool = False

    @classmethod
    def of(cls, bound: str, port: int, base_url: str, allowed: Iterable[str] = (), *, proxied: bool = False) -> "Doors":
        """Return the doors of a service bound to an address, whose links begin with ``base_url``.

        Loopback by its three names, the address itself where it is one, the base URL's host, and the allowed ones: a
        name, by which the service is reached at its port or without one; or a name and another port.

        Raises:
            ArgumentError: what is allowed is no host.

        >>> doors = Doors.of("127.0.0.1", 8080, "https://pbx.example", ["parksim"])
        >>> sorted(doors.hosts)
        ['127.0.0.1:8080', '[::1]:8080', 'localhost:8080', 'parksim', 'parksim:8080', 'pbx.example', 'pbx.example:443']
        """
        base = urlsplit(base_url.lower())
        own = f"[{bound}]" if ":" in bound else bound
        names = {*_LOOPBACK, own} - set(_WILDCARDS)
        places = {("http", f"{name}:{port}") for name in names} | {(base.scheme, base.netloc)}
        places |= {place for host in allowed for place in _allowed(host.lower(), port)}
        places |= {(scheme, where.removesuffix(f":{_DEFAULT_PORTS[scheme]}")) for scheme, where in places}
        ported = {f"{base.netloc}:{_DEFAULT_PORTS[base.scheme]}"} if base.port is None else set()
        return cls(
            frozenset({where for _, where in places} | ported),
            frozenset(f"{scheme}://{where}" for scheme, where in places),
            proxied,
        )

    def refusal(self, host: str, origins: Iterable[str], forwarded: Forwarded | None) -> Refusal | None:
        """Return why a request for ``host`` from pages of ``origins`` is refused, if it is.

        >>> doors = Doors.of("127.0.0.1", 8080, "http://127.0.0.1:8080", proxied=True)
        >>> doors.refusal("127.0.0.1", [], None), doors.refusal("127.0.0.1", [], Forwarded((), "http", "80"))
        (<Refusal.HOST_REFUSED: (421, 'host_refused', 'This service does not answer for that host.')>, None)
        """
        asked, own = host.lower(), self.origins
        known = asked in self.hosts
        if self.proxied and forwarded is not None:
            names = {_name(one) for one in self.hosts}
            known = all(_name(one) in names for one in (asked, *forwarded.hosts))
            own = own | {_origin((*forwarded.hosts, asked)[0], forwarded)}
        if not known:
            return Refusal.HOST_REFUSED
        return None if all(origin.lower() in own for origin in origins) else Refusal.ORIGIN_REFUSED


def _allowed(host: str, port: int) -> set[tuple[str, str]]:
    found = _HOST.fullmatch(host)
    if found is None:
        raise ArgumentError(
            f"--allow-host {host[:64]!r} is no host; write a name such as parksim, or a name and a port: parksim:80"
        )
    wheres = {host} if found["port"] else {host, f"{host}:{port}"}
    return {(scheme, where) for scheme in _DEFAULT_PORTS for where in wheres}


def _name(host: str) -> str:
    """Return a host without its port; of what is no host an empty text."""
    found = _HOST.fullmatch(host)
    return "" if found is None else found["name"]


def _origin(host: str, forwarded: Forwarded) -> str:
    """Return the origin of pages that a proxy's client has got from there."""
    found = _HOST.fullmatch(host)
    port = forwarded.port if forwarded.port and found is not None and not found["port"] else ""
    shown = "" if not port or port == str(_DEFAULT_PORTS.get(forwarded.scheme)) else f":{port}"
    return f"{forwarded.scheme}://{host}{shown}"
