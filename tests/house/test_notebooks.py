"""The notebooks run from their first cell to their last, in the folder they are in, and are kept without outputs."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(path.name for path in FOLDER.glob("*.ipynb"))
LONGEST_S = 300


def read(name):
    """Return a notebook, which nbformat finds valid."""
    notebook = nbformat.read(FOLDER / name, as_version=4)
    nbformat.validate(notebook)
    return notebook


def test_there_are_four():
    """One for each question that a reader brings."""
    assert NOTEBOOKS == [
        "first-answers.ipynb",
        "meeting-a-real-pbx.ipynb",
        "planning-a-lot.ipynb",
        "the-rules-of-parking.ipynb",
    ]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_it_runs_and_leaves_nothing(name, tmp_path, monkeypatch):
    """No cell raises or warns, each that shows something shows it, and the folder is as it was."""
    monkeypatch.setenv("HYPOTHESIS_STORAGE_DIRECTORY", str(tmp_path))  # its memory is no part of the notebook
    notebook = read(name)
    before = {path.name for path in FOLDER.iterdir()}
    NotebookClient(notebook, timeout=LONGEST_S, resources={"metadata": {"path": str(FOLDER)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert [output["text"] for output in outputs if output.get("name") == "stderr"] == []
    assert len(outputs) >= 5
    shown = [kind for output in outputs for kind in output.get("data", {})]
    assert not any("vegalite" in kind for kind in shown), "a chart that needs a network in an exported page"
    assert not any("<script" in output.get("data", {}).get("text/html", "") for output in outputs)
    drawn = sum("plot(" in cell.source for cell in notebook.cells if cell.cell_type == "code")
    assert shown.count("image/svg+xml") >= drawn
    assert {path.name for path in FOLDER.iterdir()} == before


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_it_is_kept_without_outputs(name):
    """Outputs would tell of somebody's machine, and make every run a change; metadata likewise."""
    notebook = read(name)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None and cell.metadata == {} for cell in code)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_it_tells_what_it_does(name):
    """It begins with a title, and words come between the cells of code: at most three follow each other."""
    notebook = read(name)
    kinds = [cell.cell_type for cell in notebook.cells]
    assert notebook.cells[0].source.startswith("# ")
    assert "code code code code" not in " ".join(kinds)
