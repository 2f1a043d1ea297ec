"""For testers: a switchboard of a test's own, and Hypothesis strategies.

``switchboard`` needs the extra ``server``, the strategies need Hypothesis; each is loaded on first use, so that neither
asks for the other. ``plugin`` gives pytest the fixture ``switchboard``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from parksim.testing.bench import Bench, switchboard
    from parksim.testing.strategies import (
        CALL_IDS,
        GRIDS_US,
        ORGANIZATIONS,
        USERS,
        Moment,
        park_operations,
        settings_and_workloads,
        settings_of_engines,
        uapi_histories,
        uapi_life,
        uapi_opening,
        uapi_registers,
        uapi_requests,
        workloads,
    )
    from parksim.testing.tables import laws, scenarios

_ROOMS: Final = {"Bench": "bench", "switchboard": "bench", "laws": "tables", "scenarios": "tables"}
"""Where a public name is, unless in ``strategies``."""

__all__ = [
    "CALL_IDS",
    "GRIDS_US",
    "ORGANIZATIONS",
    "USERS",
    "Bench",
    "Moment",
    "laws",
    "park_operations",
    "scenarios",
    "settings_and_workloads",
    "settings_of_engines",
    "switchboard",
    "uapi_histories",
    "uapi_life",
    "uapi_opening",
    "uapi_registers",
    "uapi_requests",
    "workloads",
]


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used."""
    if name not in __all__:
        from parksim.errors import MissingNameError  # noqa: PLC0415 - only a wrong name needs it

        raise MissingNameError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_ROOMS.get(name, 'strategies')}"), name)
    globals()[name] = value
    return value
