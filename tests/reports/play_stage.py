"""The script of the page that plays, run in node: what the tests of its numbers share."""

import json
import subprocess

from parksim.reports.play.model import model_of
from parksim.reports.play.script import worker
from parksim.results import nulled

PLAIN = """
const plain = (key, value) => (typeof value === "number" && !Number.isFinite(value) ? null
  : ArrayBuffer.isView(value) ? Array.from(value, (one) => (typeof one === "bigint" ? String(one) : one)) : value);
"""


def script_of(study):
    """Return the worker's script with the model of a study, without what listens to messages."""
    model = json.dumps(nulled(model_of(study)))
    return f"const MODEL = {model};\nconst LAYERS = MODEL.layers;\n{worker(but=('worker',))}\n{PLAIN}"


def in_node(folder, study, expression):
    """Return the value of a JavaScript expression that may use all of the worker's script."""
    file = folder / "played.js"
    file.write_text(f"{script_of(study)}\nconsole.log(JSON.stringify({expression}, plain));", encoding="utf-8")
    done = subprocess.run(["node", str(file)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr[:2000]
    return json.loads(done.stdout)


def place_of(study, key):
    """Return the place of a control by its key, or by what it moves."""
    return next(n for n, one in enumerate(model_of(study)["controls"]) if key in (one["key"], one["what"]))
