"""Theory: what a simulation must agree with where a formula holds.

Three parts, all to be had from here: Erlang's formulas and their kin (``erlang.py``), how a single stay lasts and
ends (``race.py``), and what both say together of a lot (``lot.py``).

>>> lot = loss_lot(0.1, race(limit=60.0), 10)  # every stay 60 s: 6 erlang on 10 slots
>>> round(lot.refused_share, 4), round(lot.occupancy_mean, 3)
(0.0431, 5.741)
"""

from parksim.theory.erlang import (
    Engset,
    ErlangA,
    busy_pmf,
    carried_erlang,
    engset,
    erlang_a,
    erlang_b,
    erlang_b_curve,
    erlang_b_offered,
    erlang_b_servers,
    erlang_c,
    erlang_c_longer,
    erlang_c_wait_s,
    erlang_c_within,
    pmf_quantile,
    unlimited_pmf,
    unlimited_quantile,
)
from parksim.theory.lot import Choice, LossLot, load_from_empty, loss_lot, slot_loads
from parksim.theory.race import Law, Race, mean_within, quantile_s, race

__all__ = [
    "Choice",
    "Engset",
    "ErlangA",
    "Law",
    "LossLot",
    "Race",
    "busy_pmf",
    "carried_erlang",
    "engset",
    "erlang_a",
    "erlang_b",
    "erlang_b_curve",
    "erlang_b_offered",
    "erlang_b_servers",
    "erlang_c",
    "erlang_c_longer",
    "erlang_c_wait_s",
    "erlang_c_within",
    "load_from_empty",
    "loss_lot",
    "mean_within",
    "pmf_quantile",
    "quantile_s",
    "race",
    "slot_loads",
    "unlimited_pmf",
    "unlimited_quantile",
]
