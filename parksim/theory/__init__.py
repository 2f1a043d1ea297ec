"""Theory: what a simulation must agree with where a formula holds.

Three parts, all to be had from here: Erlang's formulas and their kin (``erlang.py``), how a single stay lasts and
ends (``race.py``), and what both say together of a lot (``lot.py``).

>>> lot = loss_lot(0.1, race(limit=60.0), 10)  # every stay 60 s: 6 erlang on 10 slots
>>> round(lot.refused_share, 4), round(lot.occupancy_mean, 3)
(0.0431, 5.741)
"""

from parksim.theory.erlang import *  # noqa: F403 - the names that its __all__ lists
from parksim.theory.ideal import *  # noqa: F403 - likewise
from parksim.theory.lot import *  # noqa: F403 - likewise
from parksim.theory.race import *  # noqa: F403 - likewise
