"""A switchboard that runs, under its public name: what ``parksim.engines.live`` offers, and no more."""

from parksim.engines.live import *  # noqa: F403 - the names that its __all__ lists
from parksim.engines.live import __all__  # noqa: F401 - so that they are here as well
