"""The catalogue: every measure once, with its words, its unit, what it is a share of, and where it is shown.

Scenario files take an objective for each measure that is one number; ``journal.measures`` computes them all,
``studies.formulas`` says which formula holds for which, and everything that shows a measure reads its words here. Names
and order are those of the JSON and of the tables.

>>> refused = BY_NAME["refused_share"]
>>> refused.words, refused.unit, refused.greatest(slots=4)
('parks refused because the lot is full', '% of park requests', 1.0)
>>> SCALARS[:2], VECTORS[-1]
(('calls_offered', 'parks_requested'), 'occupancy_mean_by_lot')
"""

import math
from collections.abc import Collection
from typing import Final, Literal, NamedTuple

Of = Literal["", "calls", "answers", "park requests", "parks", "returns", "the time"]
"""What a share is a share of, and a mean a mean over; "" where a measure is neither."""
Section = Literal["", "The lot", "How a stay ends", "Calls that come back", "Calls and people"]
"""Where the screen shows a measure; "" where it does not."""
Direction = Literal["better", "worse", "differs", "unclear"]
"""What a change of a measure is: "differs" where nobody minds, "unclear" where chance could have made it."""
NOTHING_TO_DIVIDE: Final[dict[Of, str]] = {
    "calls": "no call was offered",
    "answers": "no call was answered",
    "park requests": "no park was requested",
    "parks": "no park was made",
    "returns": "no call timed out",
    "the time": "no time is measured",
}


class Measure(NamedTuple):
    """One measure.

    Attributes:
        name: As in JSON, tables and objectives; for a vector by hour or lot it ends in ``_by_hour`` or ``_by_lot``.
        words: What it is called on an axis and in a report.
        of: What it is a share of.
        section: Under which heading the screen shows it.
        way: Under which heading it shows it where the scenario has the way to park that it measures.
        quantity: Its unit where it is not a share: "s", "erlang", "1/h", "slots" (which is not written).
        also: Of which parts there is a vector as well: "hour" (of day, 24 numbers), "lot".
        per: What a mean is a mean over.
        undefined: Why no replication has a value; by default there was nothing to divide by.
        better: Whether callers want less or more of it; "" where they do not care.
    """

    name: str
    words: str
    of: Of = ""
    section: Section = ""
    quantity: Literal["", "s", "erlang", "1/h", "slots"] = ""
    also: tuple[Literal["hour", "lot"], ...] = ()
    per: Of = ""
    undefined: str = ""
    better: Literal["", "less", "more"] = ""
    way: Section = ""

    @property
    def unit(self) -> str:
        """The unit in words: "% of parks", "s", "erlang"; empty for a plain number."""
        return f"% of {self.of}" if self.of else self.quantity.removesuffix("slots")

    @property
    def why_undefined(self) -> str:
        """Why no replication has a value."""
        return self.undefined or NOTHING_TO_DIVIDE.get(self.of or self.per, "no park was made")

    @property
    def is_count(self) -> bool:
        """Whether it counts events, in the window or per hour."""
        return not self.of and not self.per and self.quantity in {"", "1/h"}

    def change(self, low: float | None, high: float | None, relation: str = "") -> Direction:
        """Return what a change comes to, by its interval; "unclear" where the interval holds 0, or is missing.

        Args:
            low: of the interval of the difference.
            high: likewise.
            relation: of an objective, such as "<"; it says which way is better, before what callers would say.

        >>> BY_NAME["refused_share"].change(-0.02, -0.01), BY_NAME["occupancy_mean"].change(0.1, 0.2)
        ('better', 'differs')
        """
        if low is None or high is None or low <= 0 <= high:
            return "unclear"
        wanted = ("less" if relation.startswith("<") else "more") if relation else self.better
        return "differs" if not wanted else "better" if (high < 0) == (wanted == "less") else "worse"

    def greatest(self, slots: int) -> float:
        """Return the greatest value that is possible in a lot of ``slots``; the least is 0 for every measure."""
        return 1.0 if self.of else float(slots) if self.quantity == "slots" else math.inf

    def by(self, part: Literal["hour", "lot"]) -> "Measure":
        """Return its vector by hour of day or by lot."""
        if part == "hour":
            why = "nothing to count in this hour of day"
        else:
            why = f"no park was {'requested of' if self.of == 'park requests' else 'made in'} this lot"
        return self._replace(name=f"{self.name}_by_{part}", words=f"{self.words}, by {part}", also=(), undefined=why)


MEASURES: Final = (
    Measure("calls_offered", "calls offered", section="Calls and people", also=("hour",)),
    Measure("parks_requested", "park requests", section="The lot", also=("hour", "lot")),
    Measure("parks_made", "calls parked"),
    Measure("offered_erlang", "load offered to the lot", section="The lot", quantity="erlang"),
    Measure(
        "refused_share",
        "parks refused because the lot is full",
        "park requests",
        "The lot",
        also=("hour", "lot"),
        better="less",
    ),
    Measure(
        "slot_taken_share",
        "parks refused because the slot asked for is taken",
        "park requests",
        better="less",
        way="The lot",
    ),
    Measure("time_full_share", "time in which the lot is full", "the time", "The lot", better="less"),
    Measure("retrieved_share", "parked calls fetched in time", "parks", "How a stay ends", better="more"),
    Measure(
        "expired_share",
        "calls that come back at the time-out",
        "parks",
        "How a stay ends",
        "",
        ("hour", "lot"),
        better="less",
    ),
    Measure(
        "stranger_share",
        "parked calls fetched by somebody who did not come for them",
        "parks",
        better="less",
        way="How a stay ends",
    ),
    Measure(
        "reminded_share",
        "parked calls of which the parker is reminded",
        "parks",
        better="less",
        way="How a stay ends",
    ),
    Measure("resumed_share", "parked calls taken back by their parker", "parks", way="How a stay ends"),
    Measure("abandoned_share", "parked callers who hang up", "parks", "How a stay ends", better="less"),
    Measure(
        "recalls_per_hour", "calls that come back per hour", "", "Calls that come back", "1/h", ("hour",), better="less"
    ),
    Measure(
        "recall_busy_share", "returns that find their parker busy", "returns", "Calls that come back", better="less"
    ),
    Measure("recall_answered_share", "returns that are answered", "returns", "Calls that come back", better="more"),
    Measure(
        "recall_retrieved_share",
        "returns fetched while they ring",
        "returns",
        better="more",
        way="Calls that come back",
    ),
    Measure(
        "recall_abandoned_share", "returns whose caller hangs up", "returns", "Calls that come back", better="less"
    ),
    Measure(
        "lost_share", "calls dropped by the switchboard, without hang-ups", "calls", "Calls and people", better="less"
    ),
    Measure(
        "queue_abandoned_share", "callers who hang up before an answer", "calls", "Calls and people", better="less"
    ),
    Measure("queue_full_share", "calls turned away because the queue is full", "calls", better="less"),
    Measure(
        "forwarded_share",
        "calls that leave for elsewhere at the time-out",
        "calls",
        better="less",
        way="Calls that come back",
    ),
    Measure(
        "reused_share",
        "parks in a slot that another call left in the last 60 s",
        "parks",
        better="less",
        way="The lot",
    ),
    Measure("occupancy_mean", "busy slots, on average", "", "The lot", "slots", ("hour", "lot")),
    Measure("occupancy_p95", "busy slots, not exceeded in 95 % of the time", "", "The lot", "slots"),
    Measure("occupancy_max", "busy slots, at most", "", "The lot", "slots"),
    Measure("parked_s_mean", "time parked, on average", "", "How a stay ends", "s", per="parks"),
    Measure("parked_s_p50", "time parked, median", quantity="s"),
    Measure("parked_s_p95", "time parked, not exceeded by 95 %", "", "How a stay ends", "s"),
    Measure("parks_per_call", "parks per call", section="Calls and people", per="calls"),
    Measure(
        "attendant_utilisation",
        "attendants busy",
        "the time",
        "Calls and people",
        also=("hour",),
        undefined="nobody is on duty in the time that is measured",
    ),
    Measure("staff_utilisation", "staff busy", "the time", "Calls and people"),
    Measure(
        "answer_wait_s_mean",
        "wait for an answer, on average",
        section="Calls and people",
        quantity="s",
        per="answers",
        better="less",
    ),
    Measure(
        "answer_wait_s_p95",
        "wait for an answer, not exceeded by 95 %",
        quantity="s",
        undefined="no call was answered",
        better="less",
    ),
    Measure(
        "answered_within_share",
        "calls answered within the target",
        "calls",
        "Calls and people",
        "",
        ("hour",),
        better="more",
    ),
)
"""The measures that are one number; an objective can be set for each."""
DISTRIBUTIONS: Final = (
    Measure("occupancy_pmf", "time with this many busy slots, from 0 on", "the time"),
    Measure("slot_utilisation", "time in which a slot is busy, for each slot", "the time"),
)
"""The vectors that are not by hour or lot: one number for each count of busy slots, and for each slot."""

SCALARS: Final = tuple(one.name for one in MEASURES)
"""Their names, in the order of the JSON."""
BY_NAME: Final = {
    one.name: one
    for one in (
        *MEASURES,
        *DISTRIBUTIONS,
        *(one.by("hour") for one in MEASURES if "hour" in one.also),
        *(one.by("lot") for one in MEASURES if "lot" in one.also),
    )
}
"""Every measure and vector by its name."""
VECTORS: Final = tuple(name for name in BY_NAME if name not in SCALARS)
OF_LOTS: Final = tuple(one.name for one in MEASURES if "lot" in one.also)
SHARES: Final = frozenset(name for name, one in BY_NAME.items() if one.of)
"""Measures that lie in [0, 1]."""
SECTIONS: Final = {
    heading: tuple(one.name for one in MEASURES if one.section == heading)
    for heading in ("The lot", "How a stay ends", "Calls that come back", "Calls and people")
}
"""What the screen shows, heading by heading."""


def sections_with(of_ways: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Return ``SECTIONS`` with some measures more, each under the heading of its ``way``.

    >>> sections_with({"forwarded_share"})["Calls that come back"][-1]
    'forwarded_share'
    """
    return {
        heading: (*names, *(one.name for one in MEASURES if one.way == heading and one.name in of_ways))
        for heading, names in SECTIONS.items()
    }
