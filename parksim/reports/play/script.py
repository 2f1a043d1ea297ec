"""The script of the page's worker: the rules and the kernel as JavaScript, and what draws, measures and estimates."""

from functools import cache
from importlib.resources import files
from typing import Final

from parksim.engines import script

PARTS: Final = ("design", "draw", "measures", "special", "sums", "theory", "estimate", "run", "worker")
"""The further files, in their order; all see ``MODEL``, the model of the study."""


def text_of(name: str) -> str:
    """Return a file of this folder."""
    return files("parksim.reports.play").joinpath(name).read_text(encoding="utf-8")


@cache
def worker(*, but: tuple[str, ...] = ()) -> str:
    """Return the script; before it, ``MODEL`` and ``LAYERS`` have to be there. Some parts can be left out."""
    return script.source(*(text_of(f"{part}.js") for part in PARTS if part not in but))
