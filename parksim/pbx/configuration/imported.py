"""Reads the configuration of a PBX: which system it is of is detected from the content.

>>> found = read_configuration("tests/pbx/configurations/res_parking.conf")
>>> [lot.name for lot in found.lots], found.tables["lot"][0]["slots"]
(['default', 'sales', 'ward'], 20)
"""

from collections.abc import Iterator
from pathlib import Path

from parksim.errors import ConfigurationError, ScenarioError
from parksim.pbx.configuration import asterisk, freeswitch
from parksim.pbx.configuration.lots import Imported, LeftOut, Setting, content_of
from parksim.scenario.model import Scenario

_REST = """name = "imported"
run = { horizon = "1h" }
arrivals = { kind = "poisson", rate = "1/h" }
attendants = { count = 1, handling = 0 }
retrieval = { never = 1 }
caller = { patience = "1h" }
"""
"""A scenario around imported tables, so that they are checked as any file is."""


def read_configuration(path: str | Path) -> Imported:
    """Return the lots of ``res_parking.conf``, ``features.conf``, or a dial plan of FreeSWITCH.

    Raises:
        ConfigurationError: it cannot be read, has no lot, or one that no scenario can have.
    """
    path = Path(path)
    text = content_of(path)
    if not text.strip():
        raise ConfigurationError(path, None, "the file is empty", "name the PBX's own file")
    reader = freeswitch.lots_of if text.lstrip().startswith("<") else asterisk.lots_of
    found = reader(path, text)
    found.left_out += _otherwise_returned(found)
    found.left_out.sort(key=lambda one: (one.setting.path != path, str(one.setting.path), one.setting.line))
    _check(found)
    return found


def _otherwise_returned(found: Imported) -> Iterator[LeftOut]:
    """Yield how calls of other lots than the first return, where that differs."""
    first = found.lots[0]
    for lot in found.lots[1:]:
        for key, value in lot.recall.items():
            if value != first.recall.get(key):
                one = Setting(found.source, lot.line, f"[{lot.name}] recall.{key}", str(value))
                yield LeftOut(one, f"all lots have one [recall], here that of {first.name}")


def _check(found: Imported) -> None:
    """Refuse lots that a scenario refuses: of one name, together too large, or with a limit out of range."""
    parking = "" if "[parking]" in found.toml else "parking = { probability = 1 }\n"
    tables = found.toml.replace("[parking]\n", "[parking]\nprobability = 1\n")
    try:
        Scenario.loads(_REST + parking + tables, name=str(found.source))
    except ScenarioError as error:
        rule = error.messages[0].partition(": ")[2]
        rule = f"no scenario can have these lots: {rule}"
        raise ConfigurationError(found.source, None, rule, "change it there") from None
