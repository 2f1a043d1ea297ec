"""The command ``parksim serve``: a live switchboard on this machine, until it is stopped.

uvicorn and httptools (the extra ``server``) and the live engine are loaded when the command runs.
"""

import os
import re
import signal
import sys
from datetime import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal, NamedTuple

from cyclopts import Parameter

from parksim.cli.options import Answer, ScenarioFile, Seed, Set, check_not_read, check_seed, scenario_with
from parksim.errors import FailedError, InterruptedByUserError, TokenError, UsageError

if TYPE_CHECKING:
    import socket

    from parksim.scenario.model import Scenario
    from parksim.server.app import App
    from parksim.server.desk import Desk
    from parksim.server.tokens import Tokens

DEFAULT_PORT: Final = 8080
RATES: Final = (0.001, 100_000.0)
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_TIME_OF_DAY: Final = re.compile(r"[0-9]{2}:[0-9]{2}(?::[0-9]{2})?")
_ANSWERS: Final[dict[str, Literal["collection", "accepted"]]] = {"updated": "collection", "accepted": "accepted"}

FullReplay = Annotated[
    bool, Parameter(negative=(), help="Replay the session from its beginning, and compare its checkpoint with that.")
]
TimeOfDay = Annotated[str, Parameter(help="The time of day to begin at, such as 10:30; the day so far is simulated.")]


AllowedHosts = Annotated[
    tuple[str, ...], Parameter(negative=(), help="Another name of this server, as in a container network. Repeatable.")
]
ProxyHeaders = Annotated[
    bool, Parameter(negative=(), help="Behind a proxy: believe its X-Forwarded-Host, -Proto and -Port.")
]
EventHosts = Annotated[
    tuple[str, ...], Parameter(negative=(), help="A host that apps may have called (phoneCallEvents). Repeatable.")
]


class _Door(NamedTuple):
    """Where the service listens, and what its links begin with."""

    listener: "socket.socket"
    host: str
    port: int
    base_url: str

    @property
    def address(self) -> str:
        """Where this machine reaches it."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 - read, not bound
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"


def serve_command(
    scenario: ScenarioFile,
    *,
    rate: Annotated[float, Parameter(help="Simulated seconds per second: 60 is a minute per second.")] = 1.0,
    start: TimeOfDay = "",
    port: Annotated[int | None, Parameter(help="Default: the port of [uapi] base_url; 0: any free one.")] = None,
    host: Annotated[str, Parameter(help="The address to listen on; any but loopback needs tokens.")] = "127.0.0.1",
    token_file: Annotated[Path | None, Parameter(help="Tokens, one line each: TOKEN USER SCOPE.")] = None,
    register: Annotated[Path | None, Parameter(help="Start with the calls in this file (.json).")] = None,
    session: Annotated[
        Path | None,
        Parameter(name="--session", help="Keep the session in this file, and resume the session that it has."),
    ] = None,
    journal: Annotated[Path | None, Parameter(show=False, help="The old name of --session.")] = None,
    fsync: Annotated[bool, Parameter(negative=(), help="Wait for the disk before each answer.")] = False,
    full_replay: FullReplay = False,
    allow_host: AllowedHosts = (),
    proxy_headers: ProxyHeaders = False,
    events_to: EventHosts = (),
    answer: Annotated[str, Parameter(help="What a Park answers: updated (200) or accepted (202).")] = "updated",
    no_traffic: Annotated[bool, Parameter(negative=(), help="Without the scenario's simulated calls.")] = False,
    seed: Seed = 1,
    values: Set = (),
) -> Answer:
    """Serve a live switchboard over UAPI, with a board to watch."""
    session = _session(session, journal)
    _check(rate, port, answer, session, {"--fsync waits for": fsync, "--full-replay reads": full_replay})
    check_seed(seed)
    loaded = scenario_with(scenario, values)
    check_not_read("--session", session, loaded, scenario=scenario, token_file=token_file, register=register)
    _check_extra()
    from parksim.server import desk, serving

    tokens, made = _tokens(_users(loaded, scenario), token_file)
    door = _door(loaded, host, port, public=made == "")
    with door.listener:
        try:
            doors = serving.Doors.of(door.host, door.port, door.base_url, allow_host, proxied=proxy_headers)
            switchboard = desk.Desk(
                loaded,
                rate=rate,
                seed=seed,
                register_file=register,
                journal=session,
                fsync=fsync,
                full_replay=full_replay,
                traffic=not no_traffic,
                base_url=door.base_url,
                events_to=events_to,
                start_us=_start_us(loaded, start),
            )
        except ValueError as error:
            raise UsageError(str(error)) from None
        _tell(switchboard, session)
        app = serving.App(switchboard, tokens, doors, answer=_ANSWERS[answer], cookie=f"parksim_board_{door.port}")
        _serve(switchboard, app, door, _greeting(loaded.name, tokens, made, door), session)
    return Answer("")


def _users(loaded: "Scenario", name: str | Path) -> tuple[str, ...]:
    """Return the users of the scenario's directory."""
    from parksim.server.desk import directory

    try:
        return tuple(user.id for user in directory(loaded).users)
    except ValueError as error:
        raise UsageError(f"{name}: uapi: {error}") from None


def _session(session: Path | None, journal: Path | None) -> Path | None:
    if session is not None and journal is not None:
        raise UsageError("--journal is the old name of --session; give --session alone")
    return session or journal


def _tell(switchboard: "Desk", session: Path | None) -> None:
    """Say what was wrong with a session's files, and what a full replay found."""
    if switchboard.cut_bytes:
        cut = f"its last line was torn; {switchboard.cut_bytes} bytes of it were cut off"
        sys.stderr.write(f"parksim: {session}: {cut}\n")
    for note in switchboard.notes:
        sys.stderr.write(f"parksim: {note}\n")


def _check_extra() -> None:
    """Say what to install where the server's libraries are missing."""
    try:
        from parksim.server import serving  # noqa: F401 - only to see whether it can be loaded
    except ModuleNotFoundError as error:
        if error.name not in {"uvicorn", "httptools"}:
            raise
        raise UsageError(f"serve needs {error.name}; install it by: pip install 'parksim[server]'") from None


def _serve(switchboard: "Desk", app: "App", door: _Door, greeting: str, session: Path | None) -> None:
    """Serve until a signal comes; an interrupt, and a failure, say how to resume."""
    import asyncio

    from parksim.server import serving

    resume = "" if session is None else f"; the same command resumes with the calls in {session}"
    try:
        ended_by = asyncio.run(serving.serve(switchboard, app, door.listener, lambda: _say(greeting)))
    except serving.FailedError as error:
        raise FailedError(f"{error}, which is a fault of parksim{resume}") from None
    if ended_by == signal.SIGINT:
        raise InterruptedByUserError(f"the switchboard has ended{resume}")


def _check(rate: float, port: int | None, answer: str, session: Path | None, of_it: dict[str, bool]) -> None:
    """Refuse options that are out of range, a session that is not a file, and what would be of it where none is."""
    if not RATES[0] <= rate <= RATES[1]:
        raise UsageError(f"--rate {rate:g}: from {RATES[0]:g} to {RATES[1]:,.0f} simulated seconds a second")
    if answer not in _ANSWERS:
        raise UsageError(f"--answer {answer}: choose one of {', '.join(_ANSWERS)}")
    if port is not None and not 0 <= port <= 65_535:
        raise UsageError(f"--port {port}: from 0 to 65535")
    if session is not None and session.is_dir():
        raise UsageError(f"--session {session}: is a folder; name a file")
    for what, is_asked in of_it.items():
        if is_asked and session is None:
            raise UsageError(f"{what} a session file; give --session FILE as well")


def _start_us(scenario: "Scenario", text: str) -> int:
    """Return the simulated instant of a time of day; the first instant where none is given."""
    from parksim.server.day import first_instant

    if not text:
        return 0
    try:
        told = time.fromisoformat(text) if _TIME_OF_DAY.fullmatch(text) else None
    except ValueError:
        told = None
    if told is None:
        raise UsageError(f"--start {text[:40]}: write a time of day from 00:00 to 23:59, such as 10:30")
    return first_instant(scenario.uapi.epoch, ((told.hour * 60 + told.minute) * 60 + told.second) * 1_000_000)


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _greeting(name: str, tokens: "Tokens", made: str, door: _Door) -> str:
    lines = [
        f"{name}: a live switchboard at {door.base_url}/uapi/phoneCalls/",
        f"Board: {door.address}/?token={tokens.board_key}",
    ]
    if made:
        lines.append(f"Token: {made} (it is shown this once)")
    return "\n".join((*lines, "Ctrl-C ends it.", ""))


def _tokens(users: tuple[str, ...], file: Path | None) -> tuple["Tokens", str]:
    """Return the tokens, and the text of the one that was made because there were none, else an empty text."""
    from parksim.server.tokens import ENVIRONMENT, Tokens, readable_by_others

    try:
        if file is not None:
            tokens = Tokens.load(file, users)
            if readable_by_others(file):
                sys.stderr.write(f"parksim: {file}: others can read it; chmod 600 {file} keeps its tokens secret\n")
            return tokens, ""
        given = os.environ.get(ENVIRONMENT, "")
        if given.strip():
            return Tokens.read(given, ENVIRONMENT, users, separator=";"), ""
        return Tokens.made(users)
    except TokenError as error:
        raise UsageError(str(error)) from None


def _door(scenario: "Scenario", host: str, port: int | None, *, public: bool) -> _Door:
    """Bind the address, and say what links begin with: the scenario's base URL, unless that is this machine's own."""
    from urllib.parse import urlsplit

    from parksim.server.serving import bound, is_loopback, resolved

    base = urlsplit(scenario.uapi.base_url)
    own = base.hostname in _LOOPBACK
    default = base.port if own and base.port else DEFAULT_PORT
    address = resolved(host, default if port is None else port)
    if not is_loopback(address) and not public:
        raise UsageError(
            f"--host {host}: others can reach that address, so who may use it must be said; "
            "give --token-file FILE (one TOKEN USER SCOPE a line)"
        )
    listener = bound(address)
    door = _Door(listener, host, listener.getsockname()[1], scenario.uapi.base_url)
    return door._replace(base_url=door.address) if own else door
