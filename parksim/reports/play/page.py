"""What makes a report's page play: its section, its script, and what the browser is to be told of them."""

import base64
import gzip
import hashlib
import json
from typing import Final, NamedTuple

from parksim.reports.play.model import model_of
from parksim.reports.play.script import text_of, worker
from parksim.results import nulled
from parksim.studies.study import Study

_PARTS: Final = ("words", "figures", "page")
"""The page's own script, in its order."""


class Playing(NamedTuple):
    """What goes into a page.

    Attributes:
        section: What is seen, as HTML; hidden until its script runs.
        style: Its style sheet.
        scripts: The packed model and worker, and the script that starts them; they go to the end of the page.
        policy: Sources for the page's Content-Security-Policy.
    """

    section: str
    style: str
    scripts: str
    policy: str


def playing(study: Study) -> Playing:
    """Return what makes the page of a study play.

    Raises:
        UnfitError: a file of the scenario is not at hand.
    """
    model = json.dumps(nulled(model_of(study)), separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    script = "\n".join(text_of(f"{part}.js") for part in _PARTS)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    packed = "\n".join(
        f'<script type="text/plain" id="play-{name}">{_packed(text)}</script>'
        for name, text in (("model", model), ("script", worker()))
    )
    return Playing(
        section=text_of("play.html"),
        style=text_of("play.css"),
        scripts=f"{packed}\n<script>{script}</script>",
        policy=f"script-src 'sha256-{digest}'; worker-src blob:",
    )


def _packed(text: str) -> str:
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()
