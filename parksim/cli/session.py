"""The command ``parksim session``: a session file that no server writes, checked or compacted."""

import os
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from parksim.cli import options as opt
from parksim.errors import UsageError

_ACTIONS = ("check", "compact")


def session_command(
    action: Annotated[str, Parameter(help="check: read it, do every request again; compact: pack its lines.")],
    session: Annotated[Path, Parameter(help="A session file of parksim serve.")],
) -> opt.Answer:
    """Check the session file of a live switchboard, or compact it without losing a request."""
    from parksim.scenario.messages import nearest
    from parksim.server import session_file

    if action not in _ACTIONS:
        near = nearest(action, _ACTIONS)
        step = f"did you mean {near}?" if near else "choose check or compact"
        raise UsageError(f"session {action[:40]}: there is no such action; {step}")
    if not os.path.isfile(session):  # noqa: PTH113 - Path.is_file raises where a name is too long
        raise UsageError(f"{str(session)[:80]}: there is no such file; name one of parksim serve --session")
    return opt.Answer(session_file.check(session) if action == "check" else session_file.compact(session))
