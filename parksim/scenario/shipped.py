"""The scenarios that are installed with parksim: `parksim run hospital` runs one where there is no such file.

In a wheel they lie in the package, in a source tree in the folder beside it.
"""

from pathlib import Path
from typing import Final

from parksim.errors import ScenarioError, UsageError
from parksim.scenario.messages import nearest
from parksim.scenario.model import Scenario

_PACKAGE: Final = Path(__file__).parents[1]
FOLDER: Final = next(
    (one for one in (_PACKAGE / "scenarios", _PACKAGE.parent / "scenarios") if one.is_dir()), _PACKAGE / "scenarios"
)


def shipped() -> dict[str, Path]:
    """Return the file of each shipped scenario by its name."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.toml"))}


def found(name: str) -> Path:
    """Return the file of a shipped scenario.

    Raises:
        UsageError: none has this name; the message has the nearest one.
    """
    if (path := shipped().get(name)) is None:
        raise UsageError(f"{name}: is not the name of a shipped scenario; {_hint(name)}")
    return path


def load(path: Path) -> Scenario:
    """Return the scenario in a file, or the shipped one of this name where there is no such file.

    Raises:
        ScenarioError: there is neither, or something in the file is wrong.
    """
    if path.exists():
        return Scenario.load(path)
    try:
        return Scenario.load(shipped().get(str(path), path))
    except ScenarioError as error:
        if str(path) in shipped():
            raise
        raise ScenarioError([f"{error}; {_hint(path.stem)}"]) from None


def _hint(name: str) -> str:
    near = nearest(name, shipped())
    return (f'did you mean the shipped scenario "{near}"? ' if near else "") + "parksim scenarios lists those there are"


def files_of(path: Path) -> list[Path]:
    """Return the files beside a scenario that it reads, such as recorded calls."""
    return sorted(set(Scenario.load(path).files) - {path})
