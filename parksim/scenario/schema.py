"""The JSON Schema of a scenario file, for editors: what the file may say, not what it becomes when it is loaded."""

from typing import Any, Final

from parksim.scenario.model import Scenario

_LIMITS: Final = {"$ref": "#/$defs/Limits"}
_LAW: Final = {"$ref": "#/$defs/Law"}
_CONSTANT: Final = {"$ref": "#/$defs/Constant"}
_NUMBER: Final = {"type": ["number", "string"], "description": 'As it is, or with its unit: "30s", "120/h", "60 %".'}
_HAVE_NO_LIMITS: Final = frozenset({"Run", "Uapi", "Unknown"})


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12).

    A number may have limits, and a law may be a number alone. What one key says about another only the loader checks.
    """
    found = Scenario.model_json_schema()
    sections: dict[str, Any] = found["$defs"]
    laws: list[Any] = []
    for name in sections.keys() - _HAVE_NO_LIMITS:
        sections[name]["properties"] = {
            key: _as_written(one, laws) for key, one in sections[name]["properties"].items()
        }
    poisson = sections["Poisson"]["properties"]
    poisson["rate"] = {"anyOf": [poisson["rate"], _LIMITS]}  # the one number that is always a text
    sections["Law"] = {"anyOf": [*laws, _NUMBER, _LIMITS]}
    sections["Limits"] = {
        "description": "A number that is not known: its value, and the limits that hold the truth with 95 %.",
        "type": "object",
        "properties": dict.fromkeys(("value", "low", "high"), _NUMBER),
        "required": ["value", "low", "high"],
        "additionalProperties": False,
    }
    return found


def _as_written(held: Any, laws: list[Any]) -> Any:
    """Return a part of the schema in which numbers may have limits and laws are ``Law``; ``laws`` gets all laws."""
    if isinstance(held, list):
        return [_as_written(one, laws) for one in held]
    if not isinstance(held, dict):
        return held
    if _CONSTANT in held.get("oneOf", ()):
        laws[:] = held["oneOf"]
        return {key: one for key, one in held.items() if key != "oneOf"} | _LAW
    if held.get("type") in ("number", "integer"):
        return {"anyOf": [held, _LIMITS]}
    return {key: one if key == "default" else _as_written(one, laws) for key, one in held.items()}
