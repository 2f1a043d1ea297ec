"""Faults of ``tests.mutants`` that change nothing that anybody could see, by name, each with the reason."""

from typing import Final

EQUIVALENT: Final[dict[str, str]] = {
    "parksim/studies/estimates.py Measured._occupancy_quantile: value <= 1.0 - share + 1e-12 -> "
    "value < 1.0 - share + 1e-12": "the 1e-12 is there for roundings; no share of time is exactly that much off",
    "parksim/studies/estimates.py Measured._occupancy_quantile: 1e-12 -> 2e-12": "likewise, twice as much",
    "parksim/journal/measures.py _by_lot: lots == 1 -> False": "of one lot the general way gives the same, later",
    "parksim/engines/attendants.py Alarm.__init__: 32 -> 33": "numbers of calls are below 2^32: the order is the same",
    "parksim/rules/lot.py next_deadline: lot.occupants[slot] < lot.occupants[first] -> "
    "lot.occupants[slot] <= lot.occupants[first]": "no call is in two slots",
    "parksim/rules/lot.py choose_slot: start > 0 -> start >= 0": "from slot 0 on nothing was free, and is not",
    "parksim/rules/routing.py -: 6 -> 7": "the number of OVERFLOW is compared by its name only",
    "parksim/rules/routing.py -: 2 -> 3": "any number below BUSY_NOW serves for OFF_DUTY",
    "parksim/engines/attendants.py AttendedExchange._serve: self.duty < self.settings.attendants -> "
    "self.duty <= self.settings.attendants": "with all on duty there is no return to hand over",
    "parksim/stats/events.py share: events >= ENOUGH -> events > ENOUGH": "a product of roundings is not exactly 500",
    "parksim/stats/events.py median: n < 1000 -> n <= 1000": "of 1,000 the normal law's rank replaces what was counted",
    "parksim/engines/_attendants.py free_attendant: ex.lists[s.QUEUE]['length'] > 0 -> "
    "ex.lists[s.QUEUE]['length'] >= 0": "a SERVE when nobody waits changes nothing and writes no row",
    "parksim/engines/_attendants.py free_attendant: ex.lists[s.GROUP_RETURNS]['length'] > 0 -> "
    "ex.lists[s.GROUP_RETURNS]['length'] >= 0": "likewise",
    "parksim/engines/_attendants.py hand_over_returns: call < first -> call <= first": "no call waits for two parkers",
    "parksim/engines/_state.py -: True -> False": "how records lie in memory shows nowhere",
    "parksim/engines/_state.py -#2: True -> False": "likewise",
    "parksim/engines/_state.py _longer: 2 -> 3": "a buffer grows faster",
    "parksim/engines/processes.py Exchange._free_member: True -> "
    "False": "a second STAFF_SERVE of one instant finds nothing to do",
    "parksim/engines/processes.py Exchange._free_member: 0 -> "
    "1": "an instant has one STAFF_SERVE: its number orders nothing",
    "parksim/engines/commanded.py -: 2 ** 31 - 1 -> 2 ** 31 + 1": "any number above those of all calls comes last",
    "parksim/engines/attendants.py AttendedExchange.__init__#3: 0 -> 1": "set anew at the first change",
    "parksim/engines/processes.py Exchange._wait_in_queue: False -> True": "of those in the queue nobody asks it",
    "parksim/rules/uapi/service.py _user: c.NOBODY if extension == c.NOBODY else "
    "register.extensions[extension].user -> "
    "register.extensions[extension].user": "an unknown one is refused later, in the same words",
    "parksim/journal/tally.py stretches: len(set(counts)) > 1 -> len(set(counts)) >= 1": "more cuts, equal sums",
    "parksim/journal/measures.py _hours.hours: begins[-1] < len(instants_us) -> "
    "begins[-1] <= len(instants_us)": "it adds no row",
    "parksim/journal/measures.py _hours.hours#3: -1 -> 1": "asked too often, it adds no row",
    "parksim/journal/measures.py open_by_hour_us: False -> True": "nobody writes into what is kept",
    "parksim/stats/events.py median: below <= tail -> below < tail": "no sum of powers of a half is a level's tail",
}
