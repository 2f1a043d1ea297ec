"""The reference model *park-1*, and the six numbers that whoever claims to simulate it must give.

Calls arrive by Poisson at 0.2/s. Twelve attendants handle them for 20 s (exponential), then park with probability
0.6, at most three times, or talk on for 60 s (exponential) on the same attendant. Twelve slots, the lowest free one;
a full lot: the attendant keeps the call and talks on for 60 s (exponential). In the lot the first ends the stay of:
retrieval (lognormal, mean 75 s, coefficient of variation 1), the caller's patience (exponential, 240 s) and the limit
of 180 s. Retrieved: 120 s (exponential) elsewhere. Returned: to the group, answered without ringing, ahead of new
calls; handling begins again. Nobody gives up but in the lot.
"""

import math
from typing import Any, Final, NamedTuple

ARRIVALS_PER_S: Final = 0.2
ATTENDANTS: Final = 12
HANDLING_S: Final = 20.0
PARK_PROBABILITY: Final = 0.6
MAX_PARKS: Final = 3
TALK_S: Final = 60.0
SLOTS: Final = 12
RETRIEVAL_MEAN_S: Final = 75.0
RETRIEVAL_SIGMA: Final = math.sqrt(math.log(2.0))  # coefficient of variation 1
RETRIEVAL_MU: Final = math.log(RETRIEVAL_MEAN_S) - RETRIEVAL_SIGMA**2 / 2
PATIENCE_S: Final = 240.0
MAX_IN_PARKING_S: Final = 180.0
STAFF_TALK_S: Final = 120.0
WARM_UP_S: Final = 1800.0


class Figures(NamedTuple):
    """What a simulation of park-1 gives, each a mean over the calls offered, and the mean number of occupied slots."""

    parks_made: float
    refused: float
    retrieved: float
    abandoned: float
    expired: float
    occupancy: float


EXPECTED: Final = Figures(0.59687, 0.01515, 0.43825, 0.13854, 0.02002, 6.6521)
"""In the long run, as several independent programs gave it."""


def scenario(calls: int) -> dict[str, Any]:
    """Return park-1 as a scenario of parksim, with so many calls expected after the warm-up."""
    return {
        "name": "park-1",
        "run": {"horizon": WARM_UP_S + calls / ARRIVALS_PER_S, "warm_up": WARM_UP_S},
        "arrivals": {"kind": "poisson", "rate": f"{ARRIVALS_PER_S}/s"},
        "attendants": {"count": ATTENDANTS, "handling": exponential(HANDLING_S), "talk": exponential(TALK_S)},
        "parking": {"probability": PARK_PROBABILITY, "max_parks": MAX_PARKS},
        "lot": {"slots": SLOTS, "max_in_parking": MAX_IN_PARKING_S, "patience": exponential(PATIENCE_S)},
        "retrieval": {
            "delay": {"kind": "lognormal", "mean": RETRIEVAL_MEAN_S, "cv": 1.0},
            "talk": exponential(STAFF_TALK_S),
        },
        "recall": {"to": "group"},
    }


def exponential(mean_s: float) -> dict[str, Any]:
    """Return an exponential law of a scenario."""
    return {"kind": "exponential", "mean": mean_s}
