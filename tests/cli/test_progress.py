"""What progress says remains."""

import time

from parksim.cli.progress import Progress
from parksim.engines import compiling


def test_the_time_for_compiling_is_left_out_of_what_remains(capsys, monkeypatch):
    """The first of 11 came after 23 s, 20 of them compiling: at most 30 s to go, and nobody listens afterwards."""
    clock_s = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock_s[0])
    with Progress("replications") as progress:
        clock_s[0] = 1.0
        compiling.tell(begins=True)
        clock_s[0] = 21.0
        compiling.tell(begins=False)
        clock_s[0] = 23.0
        progress(1, 11)
    assert capsys.readouterr().err == "1 of 11 replications, at most 30 s to go\n"
    assert compiling.listeners == []
