"""Which estimate each measure gets: the sums behind its values, and the interval that suits it.

Each replication has kept its shares and means, and the numbers of calls, requests and parks that they are of; so the
sums over all replications are here again. ``stats.estimate`` and ``stats.events`` make the intervals.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Final, Literal

from parksim.catalogue import BY_NAME, SHARES
from parksim.journal.measures import open_by_hour_us
from parksim.journal.tally import Window
from parksim.rules import codes as c
from parksim.scenario.lots import longest_s
from parksim.scenario.model import Scenario
from parksim.scenario.sections import Recorded
from parksim.stats import estimate as est
from parksim.stats import events
from parksim.studies.controls import Deviations
from parksim.studies.formulas import Formula
from parksim.studies.store import Result

Resource = Literal["lot", "attendants", "staff"]

_QUANTILES: Final = ("parked_s_p50", "parked_s_p95", "answer_wait_s_p95")
_BEYOND_A_QUANTILE: Final = 20
"""How many stays, or calls, of a window have to lie beyond a quantile for it to have an interval."""
BURSTS: Final[dict[str, tuple[Resource, ...]]] = {
    "refused_share": ("lot",),
    "lost_share": ("lot", "attendants"),
    "queue_abandoned_share": ("attendants",),
    "queue_full_share": ("attendants",),
    "answered_within_share": ("attendants",),
    "answer_wait_s_mean": ("attendants",),
    "recall_busy_share": ("attendants",),
    "recall_answered_share": ("attendants",),
    "recall_abandoned_share": ("attendants",),
    "retrieved_share": ("staff",),
    "expired_share": ("staff",),
    "abandoned_share": ("staff",),
}
"""Whose full periods bring the events of a share in bursts."""
EVENTS_TO_CONTROL: Final = 20.0
"""A share of fewer events is not corrected: their number is too skewed for a regression."""
_THEORY_WEIGHS: Final = 2
"""How many replications the size of a burst in theory is worth, beside what the replications show of it."""


class Measured:
    """The replications of one scenario, as what can be said of each measure.

    Attributes:
        scenario: What was simulated.
        results: Of each replication its measures.
        level: Of the intervals.
        formula_of: What theory says of a measure; asked only where all replications are equal.
    """

    def __init__(
        self, scenario: Scenario, results: Sequence[Result], level: float, formula_of: Callable[[str], Formula]
    ) -> None:
        self.scenario, self.results, self.level, self.formula_of = scenario, results, level, formula_of
        self._window = Window(scenario.warm_up_us, scenario.horizon_us)
        self.deviations = Deviations(scenario, results)
        self._means: dict[str, float] = {}

    def estimate(self, name: str, index: int | None = None) -> est.Estimate | None:
        """Return the estimate of one measure, or of one element of a vector; None where it is undefined."""
        base, _, part = name.partition("_by_")
        if base == "occupancy_p95":
            return self._occupancy_quantile(0.95)
        if base in _QUANTILES:
            return self._quantile(base)
        of = self.sample(name, index)
        if of is None:
            return None
        if part == "hour" and BY_NAME[base].is_count and not self._open_s(index):
            return est.certain(0.0, of.n, self.level, "the window has no such hour")
        if of.n >= 2 and of.variance == 0.0 and self._is_certain(name, index, of.point):
            return est.certain(of.point, of.n, self.level, "as theory says, and in every replication")
        measure, of = BY_NAME[name], self.controlled(name, of)
        if measure.of or (base == "parks_per_call" and self.scenario.settings.max_parks == 1):
            return events.share(of, self._units(name, index, of.point), self.level)
        if measure.is_count or base == "parks_per_call":
            parts, wholes = map(math.fsum, self.factors(name, index)[0])
            return events.rate(of, parts or wholes, self.level)
        if base == "answer_wait_s_mean" and of.point == 0.0:
            return self._wait_never_seen(of)
        return est.t_interval(of, self.level, (0.0, self._most(base, index if part == "lot" else None)))

    def controlled(self, name: str, of: est.Sample) -> est.Sample:
        """Return the sample of a measure corrected by its controls, where it has any and enough events."""
        share = name in SHARES
        if share and rarer_events(of) < EVENTS_TO_CONTROL:
            return of
        corrected = est.controlled(of, self.deviations.of(name))
        return corrected if corrected.point > 0.0 and not (share and corrected.point >= 1.0) else of

    def sample(self, name: str, index: int | None = None) -> est.Sample | None:
        """Return the ratio of sums that a measure is; None where it is undefined, or no such ratio."""
        if name.startswith(_QUANTILES) or not self.results:
            return None
        return est.sample(*self.factors(name, index))

    def factors(self, name: str, index: int | None = None) -> list[est.Factor]:
        """Return the numerators and denominators, by replication, whose ratios of sums make a measure."""
        measure = BY_NAME[name]
        values = [result[name] if index is None else result[name][index] for result in self.results]
        if name == "offered_erlang":
            requests = [result["parks_requested"] / (self._window.length_us / 1e6) for result in self.results]
            return [(requests, [1.0] * len(requests)), *self.factors("parked_s_mean", None)]
        if name.startswith("recalls_per_hour"):
            open_h = self._open_s(index) / 3600
            counts = [0.0 if math.isnan(value) else float(round(value * open_h)) for value in values]
            return [(counts, [open_h or 1.0] * len(counts))]
        wholes_of = measure.of or measure.per
        if wholes_of in {"", "the time"}:
            defined = [not math.isnan(value) for value in values]
            parts = [value if there else 0.0 for value, there in zip(values, defined, strict=True)]
            return [(parts, [float(there) for there in defined])]
        part = name.partition("_by_")[2]
        wholes = [
            0.0 if math.isnan(value) else _wholes(wholes_of, result, part, index)
            for value, result in zip(values, self.results, strict=True)
        ]
        products = [value * whole if whole else 0.0 for value, whole in zip(values, wholes, strict=True)]
        return [([float(round(one)) for one in products] if measure.of else products, wholes)]

    def _open_s(self, hour: int | None) -> float:
        """Return how much time the window has, or has of an hour of day."""
        return (self._window.length_us if hour is None else float(open_by_hour_us(self._window)[hour])) / 1e6

    def _is_certain(self, name: str, index: int | None, point: float) -> bool:
        if name.startswith("calls_offered") and isinstance(self.scenario.arrivals, Recorded):
            return True
        if BY_NAME[name].is_count and point:
            return False
        value = self.formula_of(name).value
        if isinstance(value, tuple):
            value = value[index or 0]
        return value is not None and math.isclose(value, point, rel_tol=1e-12)

    def _units(self, name: str, index: int | None, point: float) -> float:
        """Return how many independent trials a share's trials are worth (``events.share``).

        The events of a full period come together. A lot (or a group of people) offered the load rho a slot is full for
        a burst of on average 1 / (1 - rho) refusals, once there is one: each is followed by a further one, before
        the lot has room for good, with the probability rho (Aldous, Probability Approximations via the Poisson
        Clumping Heuristic, chapter on Markov chains). Replications are independent, so a burst ends with its own.
        For a share of the time a burst lasts as long as its refusals take.
        """
        base, _, part = name.partition("_by_")
        of = BY_NAME[name].of or BY_NAME[name].per
        replications = len(self.results)
        stay_s = self._mean("parked_s_mean")
        if of == "the time":
            if not stay_s:
                return float(replications)
            window_s = self._open_s(index if part == "hour" else None)
            burst_s = stay_s / sum(self.scenario.settings.slots) / (1.0 - min(self._load(("lot",), "", None), 0.99))
            return replications * max(1.0, window_s / burst_s)
        ((parts, wholes),) = self.factors(name, index)
        trials = math.fsum(wholes)
        load = self._load(BURSTS.get(base, ()), part, index)
        burst = 1.0 / (1.0 - min(load, 1.0 - 1.0 / max(1.0, trials / replications)))
        if point > 0.5:
            parts = [whole - x for x, whole in zip(parts, wholes, strict=True)]
        seen = math.fsum(parts)
        if seen:  # theory counts as two replications beside those that have events
            shown = (seen + _THEORY_WEIGHS * burst) / (sum(map(bool, parts)) + _THEORY_WEIGHS)
            burst = max(1.0, min(burst, shown))
        return trials / burst

    def _load(self, resources: Sequence[Resource], part: str, index: int | None) -> float:
        """Return the greatest load per slot or per person."""
        return max((self._load_of(one, part, index) for one in resources), default=0.0)

    def _load_of(self, resource: Resource, part: str, index: int | None) -> float:
        if resource != "lot":
            return self._mean("attendant_utilisation" if resource == "attendants" else "staff_utilisation")
        slots, hour = self.scenario.settings.slots, index if part == "hour" else None
        if index is None:
            requests, places = self._mean("parks_requested"), sum(slots)
        else:
            counted = [result[f"parks_requested_by_{part}"][index] for result in self.results]
            requests, places = math.fsum(counted) / len(counted), slots[index] if part == "lot" else sum(slots)
        open_s = self._open_s(hour)
        return requests * self._mean("parked_s_mean") / (open_s * places) if open_s else 1.0

    def _mean(self, name: str) -> float:
        """Return a measure's point, 0 where it is undefined; kept, since each element of a vector asks for the same."""
        if name not in self._means:
            of = self.sample(name)
            self._means[name] = of.point if of is not None else 0.0
        return self._means[name]

    def _most(self, base: str, lot: int | None) -> float:
        """Return the greatest possible value of a mean."""
        slots = self.scenario.settings.slots
        if base == "parked_s_mean":
            return max(longest_s(lot.max_in_parking) for lot in self.scenario.lots)
        return BY_NAME[base].greatest(sum(slots) if lot is None else slots[lot])

    def _quantile(self, name: str) -> est.Estimate | None:
        """Return the median of the replications' quantiles; without interval where a window holds too few stays.

        The quantile of few stays is too low: of k exponential ones the 95 % quantile lies on average about 0.05 k /
        (k + 1) further down the law. With 20 beyond it that is less than the interval is wide.
        """
        values = [result[name] for result in self.results if not math.isnan(result[name])]
        if not values:
            return None
        seen = events.median(values, self.level)
        stays = self._mean("parks_made" if name.startswith("parked") else "calls_offered")
        if stays * (1 - int(name[-2:]) / 100) >= _BEYOND_A_QUANTILE:
            return seen
        why = f"too few: a window holds about {stays:.3g} of which this is the quantile"
        return dataclasses.replace(seen, low=None, high=None, reason=why)

    def _occupancy_quantile(self, share: float) -> est.Estimate | None:
        """Return a quantile of the busy slots, from the share of all the time, with the interval of that share.

        Source: Woodruff (1952), Journal of the American Statistical Association 47, 635-646.
        """
        ends: list[int | None] = [None, None, None]  # of the upper limit, the point, and the lower limit
        slots = sum(self.scenario.settings.slots)
        if not self.results:
            return None
        # at_least[k] is the share of time with at least k busy slots, by replication; added up from the rarest.
        from_most = zip(*(accumulate(reversed(result["occupancy_pmf"])) for result in self.results), strict=True)
        at_least = list(from_most)[::-1]
        for busy in range(slots):
            beyond = at_least[busy + 1]
            of = est.sample((beyond, [1.0] * len(beyond)))
            assert of is not None
            one = events.share(of, self._units("occupancy_pmf", busy, of.point), self.level)
            for place, value in enumerate((one.low, one.mean, one.high)):
                if ends[place] is None and value is not None and value <= 1.0 - share + 1e-12:
                    ends[place] = busy
            if None not in ends:
                break
        low, point, high = (float(slots if end is None else end) for end in ends)
        if len(self.results) < 2:
            return est.Estimate(point, None, None, self.level, 1, "one-replication", "an interval needs two")
        return est.Estimate(point, low, high, self.level, len(self.results), "share-of-time")

    def _wait_never_seen(self, of: est.Sample) -> est.Estimate:
        """Return the bound of a mean wait where nobody waited: those who do are taken to wait for one call's work."""
        waiting = events.share(of, self._units("answer_wait_s_mean", None, 0.0), self.level).high
        settings = self.scenario.settings
        work_s = self._mean("attendant_utilisation") * settings.attendants * self._window.length_us / 1e6
        calls = self._mean("calls_offered")
        if settings.attendants == c.UNLIMITED or waiting is None or not calls:
            return est.t_interval(of, self.level)
        reason = "nobody waited; a wait is taken to last as long as one call's work"
        return est.Estimate(0.0, 0.0, waiting * work_s / calls, self.level, of.n, "never-seen", reason)


def rarer_events(of: est.Sample) -> float:
    """Return how many independent events a share rests on, or exceptions where these are rarer."""
    rare = min(of.point, 1.0 - of.point)
    return rare * rare * (1.0 - rare) / of.variance if of.variance > 0.0 else 0.0


def _wholes(of: str, result: Result, part: str, index: int | None) -> float:
    """Return how many calls, park requests, parks, returns or answers a replication had, or had in one hour or lot."""
    if index is None:
        return _WHOLES[of](result)
    if of == "calls":
        return float(result[f"calls_offered_by_{part}"][index])
    requests = float(result[f"parks_requested_by_{part}"][index])
    refused = result[f"refused_share_by_{part}"][index] * requests if of == "parks" and requests else 0.0
    return requests - round(refused)


def _returns(result: Result) -> float:
    return float(round(result["expired_share"] * result["parks_made"])) if result["parks_made"] else 0.0


def _answers(result: Result) -> float:
    calls = float(result["calls_offered"])
    return calls and float(round(calls * (1.0 - result["queue_abandoned_share"] - result["queue_full_share"])))


_WHOLES: Final[dict[str, Callable[[Result], float]]] = {
    "calls": lambda result: float(result["calls_offered"]),
    "answers": _answers,
    "park requests": lambda result: float(result["parks_requested"]),
    "parks": lambda result: float(result["parks_made"]),
    "returns": _returns,
}
