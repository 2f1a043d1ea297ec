"""The commands ``parksim session check`` and ``parksim session compact``: a session file that no server writes."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from parksim.cli import options as opt

SessionFile = Annotated[Path, Parameter(help="A session file of parksim serve.")]
app = App(name="session", help="Check or compact the session file of a live switchboard.")


@app.command(name="check")
def check_command(session: SessionFile) -> opt.Answer:
    """Check every line, do every request again, and compare the checkpoint."""
    from parksim.server.session_file import check

    return opt.Answer(check(session))


@app.command(name="compact")
def compact_command(session: SessionFile) -> opt.Answer:
    """Pack the lines of a session; every request stays, the marks of its time go."""
    from parksim.server.session_file import compact

    return opt.Answer(compact(session))
