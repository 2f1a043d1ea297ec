"""Faults of ``tests.mutants`` that change nothing that anybody could see, by name, each with the reason."""

from typing import Final

EQUIVALENT: Final[dict[str, str]] = {
    "parksim/studies/estimates.py Measured._occupancy_quantile: value <= 1.0 - share + 1e-12 -> "
    "value < 1.0 - share + 1e-12": "the 1e-12 is there for roundings; no share of time is exactly that much off",
    "parksim/studies/estimates.py Measured._occupancy_quantile: 1e-12 -> 2e-12": "likewise, twice as much",
    "parksim/journal/measures.py _by_lot: lots == 1 -> False": "of one lot the general way gives the same, later",
    "parksim/engines/processes.py Alarm.__init__: 32 -> 33": "numbers of calls are below 2^32: the order is the same",
    "parksim/journal/measures.py _by_hour.hours#4: 1 -> 2": "asked too often whether rows are late, it adds no row",
    "parksim/rules/lot.py next_deadline: lot.occupants[slot] < lot.occupants[first] -> "
    "lot.occupants[slot] <= lot.occupants[first]": "no call is in two slots",
    "parksim/rules/lot.py choose_slot: start > 0 -> start >= 0": "from slot 0 on nothing was free, and is not",
    "parksim/rules/routing.py -: 6 -> 7": "the number of OVERFLOW is compared by its name only",
    "parksim/rules/routing.py -: 2 -> 3": "any number below BUSY_NOW serves for OFF_DUTY",
    "parksim/engines/processes.py Exchange._serve: self.duty < self.settings.attendants -> "
    "self.duty <= self.settings.attendants": "with all on duty there is no return to hand over",
    "parksim/stats/events.py share: events >= ENOUGH -> events > ENOUGH": "a product of roundings is not exactly 500",
    "parksim/stats/events.py median: n < 1000 -> n <= 1000": "of 1,000 the normal law's rank replaces what was counted",
}
