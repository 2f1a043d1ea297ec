"""From counters of whole hours to a scenario, with what the counters leave open as joint draws.

Counters tell rates and shares: how many calls came, how many asked for a slot, and how their stays ended. They do not
tell how long a retrieval takes. Of each joint draw

* the rate of calls is gamma distributed, the share that asks for a slot beta, and the three ends of a stay (retrieved,
  abandoned, returned) Dirichlet, each after its counts with Jeffreys' 1/2;
* the retrieval is lognormal. Its sigma is drawn from 0.2 to 1.2, and its median from 5 s to the slowest that still lets
  that share be retrieved, both on a logarithmic scale; one draw in four has that slowest median itself, with which
  every call would be fetched in the end;
* the mean of the caller's patience (exponential) and the share never fetched follow: they are the two numbers with
  which the race of the clocks (``theory.race``) ends in the drawn shares.

So each draw agrees with the counters, and the draws differ in what the counters cannot tell. Calls that leave at a
constant rate 1 / theta while they are parked leave in the share (mean stay) / theta: the mean stay is theta times the
share abandoned. Two counters know more, and each draw counts by its likelihood under them (importance sampling, Rubin
1988): the seconds parked, which tell the mean stay, and refused parks, of which Erlang's formula tells how many that
stay makes. Refusals come in clumps, hence a quasi-likelihood (Wedderburn 1974, Biometrika 61, 439-447) with the
dispersion of a loss system.

Why lognormal: it is what measured telephone work follows (log-sd 0.87 to 1.05 by type of call in the data of Brown et
al. 2005, JASA 100, 36-50). A lot feels a law by its mean stay alone (Erlang's formula is insensitive), and the mean
stays of other laws with the same shares lie within those of the draws: ``tests/pbx/test_counts.py`` computes it.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from parksim import theory
from parksim.errors import LogError
from parksim.pbx.calibrate import put_calls_per_hour, rate_varies
from parksim.pbx.counts import ENDS, Counts
from parksim.pbx.fitting import DRAWN, LONGEST_MEAN_S, Calibration, number, percent, share_of, span
from parksim.scenario.lots import UAPI_LIMITS_S
from parksim.scenario.model import MOST_CALLS
from parksim.scenario.workload import COUNTED, streams
from parksim.stats.survival import Interval, poisson_limits

Floats = NDArray[np.float64]

SIGMA: Final = (0.2, 1.2)
ALL_FETCHED: Final = 0.25
"""The share of candidates in which no call is never fetched: else few would be near it, and some lots are."""
SHORTEST_MEDIAN_S: Final = 5.0
"""Nobody hears a page, walks to a telephone and dials a slot in less; or a tenth of a shorter time-out."""
TRIED: Final = (4_000, 20_000)
"""Candidates from which the draws are chosen: the second number where the counters leave too few of the first."""
ENOUGH: Final = 200.0
"""Candidates that must count, by their effective number (Kish 1965)."""
UNEXPLAINED: Final = 3.0
"""Standard deviations by which a counter may miss every candidate before it is left out and named."""
NEGLIGIBLE: Final = 1e-18
"""A share of refused parks beside which 1 is exact in double precision: more slots change nothing."""
_V, _W = np.polynomial.legendre.leggauss(64)
_NODES: Final = (0.5 * (_V + 1.0)) ** 3
"""Where the clocks of a stay are read, in time-outs: cubed, since a quick retrieval happens near 0."""
_WEIGHTS: Final = 0.5 * _W * 3.0 * (0.5 * (_V + 1.0)) ** 2
_MOST_LOAD: Final = 50.0
"""Requests for each call that was parked, where refused ones were not counted."""


class Stays(NamedTuple):
    """Laws of stays that end in given shares, arrays of shape (n,); ``never`` is nan where no such law exists."""

    sigma: Floats
    median_s: Floats
    never: Floats
    patience_s: Floats
    mean_s: Floats
    square_s2: Floats


class _Tried(NamedTuple):
    """Candidates, an array of n rows each.

    Attributes:
        stays: Their laws.
        returned: Share of stays.
        rates_per_s: Calls, shape (n, 1) or (n, 24) by hour of day.
        asking: Requests for a slot a call.
        refused: Share of the requests, by Erlang's formula.
    """

    stays: Stays
    returned: Floats
    rates_per_s: Floats
    asking: Floats
    refused: Floats


@dataclass(frozen=True)
class Counted:
    """A scenario from counters.

    Attributes:
        calibration: The scenario with the limits of its figures, and the joint draws.
        stay_s: Mean stay, with the limits of the draws.
        notes: What was noticed on the way: counters that contradict each other.
    """

    calibration: Calibration
    stay_s: Interval
    notes: list[str]

    @property
    def draws(self) -> dict[str, Floats]:
        """The joint draws by dotted key, shape (``DRAWN``,): as the key has it, seconds, calls, shares."""
        return self.calibration.draws


@lru_cache
def _normal() -> tuple[Floats, Floats]:
    """Return a table of the standard normal distribution: scores, and P(X <= score); between them to 1e-8."""
    scores = np.linspace(-9.0, 9.0, 36_001)
    return scores, np.array([NormalDist().cdf(score) for score in scores.tolist()])


def stays_with(sigma: Floats, score: Floats, abandoned: Floats, returned: Floats, limit_s: float) -> Stays:
    """Return the stays that end in these shares, each for a retrieval of given shape.

    Args:
        sigma: Of the lognormal delay.
        score: Of the calls that are ever fetched the share Phi(score) would be by the time-out: the median is
            limit exp(-sigma score). nan: every call is fetched in the end, and the score follows.
        abandoned: Share of stays, above 0.
        returned: Likewise; the others are retrieved.
        limit_s: Time-out.

    All arrays have shape (n,). Let H be the share that would be fetched by the limit if nobody hung up, and theta the
    mean of an exponential patience. Then returned = exp(-limit / theta) (1 - H), and the integral of
    exp(-t / theta) S(t) / theta up to the limit is the share abandoned, S(t) = P(not fetched by t). That integral falls
    as theta grows, from 1 - returned (where H = 0) to 0: theta is found by bisection.

    >>> one = np.ones(1)
    >>> found = stays_with(0.9 * one, 1.2 * one, 0.18 * one, 0.2 * one, 180.0)
    >>> from parksim.scenario.laws import parse_law
    >>> patience = parse_law({"kind": "exponential", "mean": float(found.patience_s[0])})
    >>> delay = parse_law({"kind": "lognormal", "median": float(found.median_s[0]), "sigma": 0.9})
    >>> ends = theory.race(patience, delay, float(found.never[0]), 180.0)
    >>> [round(share, 6) for share in (ends.retrieved_share, ends.abandoned_share, ends.expired_share)]
    [0.62, 0.18, 0.2]
    >>> round(ends.mean_s - float(found.mean_s[0]), 4)
    0.0
    """
    scores, shares = _normal()
    t, weights, steps = _NODES * limit_s, _WEIGHTS * limit_s, np.log(_NODES) / sigma[:, None]
    every = np.isnan(score)
    fetched = np.interp(steps + score[:, None], scores, shares)
    by_limit = np.interp(score, scores, shares)

    def alive(theta: Floats) -> tuple[Floats, Floats]:
        """Return H, and P(stay > t) at the nodes."""
        share = 1.0 - returned * np.exp(limit_s / theta)
        by_limit[every] = np.maximum(share[every], 1e-12)
        fetched[every] = np.interp(steps[every] + np.interp(by_limit[every], shares, scores)[:, None], scores, shares)
        return share, (1.0 - (share / by_limit)[:, None] * fetched) * np.exp(-t / theta[:, None])

    # The mean stay, theta times the share abandoned, is at least returned x limit and at most the limit.
    low = np.log(limit_s * np.maximum(returned / abandoned, -1.0 / np.log(returned)))
    high = np.log(limit_s / abandoned)
    for _ in range(30):
        middle = 0.5 * (low + high)
        theta = np.exp(middle)
        more = alive(theta)[1] @ weights > abandoned * theta
        low, high = np.where(more, middle, low), np.where(more, high, middle)
    theta = np.minimum(np.exp(0.5 * (low + high)), LONGEST_MEAN_S)
    share, left = alive(theta)
    never = np.where((share >= 0.0) & (share <= by_limit), 1.0 - share / by_limit, np.nan)
    median_s = limit_s * np.exp(-sigma * np.where(every, np.interp(by_limit, shares, scores), score))
    return Stays(sigma, median_s, never, theta, left @ weights, 2.0 * (left @ (weights * t)))


def counted(counts: Counts, slots: int, limit_s: float, choice: str) -> Counted:
    """Return the scenario of counters.

    Args:
        counts: Checked for this many slots.
        slots: Of the lot, >= 1.
        limit_s: Its time-out.
        choice: Its slot choice, in the scenario's words.

    Raises:
        LogError: the counters are those of more calls a day than a scenario can have, or of other slots.
    """
    generator = streams(int(counts.digest[:15], 16), 0)(COUNTED, 0)
    arrivals = _arrivals(counts)
    _check_volume(counts, arrivals, 1.0)
    for n in TRIED:
        notes: list[str] = []
        tried = _tried(generator, n, counts, arrivals, slots, limit_s)
        weight = _weights(tried, counts, slots, limit_s, notes)
        if weight.sum() ** 2 >= ENOUGH * (weight**2).sum():
            break
    if not weight.any():
        rule = f"{counts.total('parked'):,} parks in {len(counts.hours):,} hours do not fit into {slots} slots"
        raise LogError(counts.path, None, rule, "check --slots, and --max-in-parking, after which calls came back")
    # Systematic resampling: each candidate comes as often as its weight says, give or take one.
    edges = np.cumsum(weight / weight.sum())
    edges[-1] = 1.0
    chosen = np.searchsorted(edges, (np.arange(DRAWN) + generator.random()) / DRAWN)
    drawn = _Tried(Stays(*(column[chosen] for column in tried.stays)), *(column[chosen] for column in tried[1:]))
    return _written(counts, arrivals, drawn, slots, limit_s, choice, notes)


class _Arrivals(NamedTuple):
    """What comes: the calls offered, or where these do not say it the requests for a slot.

    Attributes:
        of_calls: Whether they are calls.
        counts: By hour of day, or one sum where the rate does not change: shape (m,).
        hours: How long each was counted, shape (m,).
        by_hour: 24 numbers, as ``exposure_s``.
        exposure_s: Seconds counted of each hour of day.
        why: Why the rate changes by the hour, or does not.
    """

    of_calls: bool
    counts: Floats
    hours: Floats
    by_hour: list[int]
    exposure_s: list[float]
    why: str


def _requests(counts: Counts) -> int:
    return counts.total("parked") + (counts.total("refused") if "refused" in counts.columns else 0)


def _arrivals(counts: Counts) -> _Arrivals:
    of_calls = "offered" in counts.columns and counts.total("offered") >= _requests(counts)
    columns = ("offered",) if of_calls else _asked(counts)
    by_hour = [sum(hour) for hour in zip(*(counts.by_hour(column) for column in columns), strict=True)]
    exposure_s = [3600.0 * hours for hours in counts.hours_by_hour]
    varies, why = rate_varies(by_hour, exposure_s)
    table = (by_hour, exposure_s) if varies else ([sum(by_hour)], [sum(exposure_s)])
    return _Arrivals(of_calls, np.array(table[0], float), np.array(table[1]) / 3600.0, by_hour, exposure_s, why)


def _check_volume(counts: Counts, arrivals: _Arrivals, factor: float) -> None:
    """Refuse more calls a day, ``factor`` times the arrivals, than the scenario may have."""
    a_day = factor * 24.0 * float(np.mean(arrivals.counts / np.maximum(arrivals.hours, 1.0)))
    if a_day > MOST_CALLS:
        rule = f"some {a_day:,.0f} calls a day are more than the {MOST_CALLS:,} that a scenario of one day can have"
        raise LogError(counts.path, None, rule, "give --counts the counters of one lot, or check their unit")


def _asked(counts: Counts) -> tuple[str, ...]:
    """Return the columns whose sum is the requests for a slot, as far as they were counted."""
    parked = ("parked",) if "parked" in counts.columns else ENDS
    return (*parked, "refused") if "refused" in counts.columns else parked


# Candidates and their weights.


def _tried(
    generator: np.random.Generator, n: int, counts: Counts, arrivals: _Arrivals, slots: int, limit_s: float
) -> _Tried:
    """Draw ``n`` candidates that agree with rates and shares as counted."""
    ends = [counts.total(end) + 0.5 for end in ENDS]
    retrieved, returned, abandoned = np.maximum(generator.dirichlet(ends, n), 1e-12).T
    sigma = np.exp(generator.uniform(math.log(SIGMA[0]), math.log(SIGMA[1]), n))
    scores, shares = _normal()
    slowest = np.interp(retrieved / (retrieved + returned), shares, scores) - 0.5  # a little more than can be
    quickest = np.log(limit_s / min(SHORTEST_MEDIAN_S, limit_s / 10)) / sigma
    score = slowest + generator.random(n) * np.maximum(quickest - slowest, 1.0)
    score[generator.random(n) < ALL_FETCHED] = np.nan
    stays = stays_with(sigma, score, abandoned, returned, limit_s)
    rates = generator.standard_gamma(arrivals.counts + 0.5, (n, len(arrivals.counts)))
    rates = np.where(arrivals.hours > 0, rates / np.maximum(arrivals.hours, 1e-9) / 3600.0, 0.0)
    asking = np.ones(n)
    if arrivals.of_calls:
        asked = _requests(counts)
        asking = generator.beta(asked + 0.5, arrivals.counts.sum() - asked + 0.5, n)
    if "refused" not in counts.columns:
        most = 1.0 if arrivals.of_calls else _MOST_LOAD
        asking = _asking(asking, rates, arrivals.hours, stays.mean_s, slots, most)
    refused = _refused(rates * asking[:, None], arrivals.hours, stays.mean_s, slots)
    return _Tried(stays, returned, rates, asking, refused)


def _refused(rates_per_s: Floats, hours: Floats, stay_s: Floats, slots: int) -> Floats:
    """Return the share of requests refused, shape (n,), by Erlang's formula hour by hour."""
    requests = rates_per_s * hours
    blocked = np.ones_like(rates_per_s)
    load = rates_per_s * stay_s[:, None]
    for servers in range(1, slots + 1):
        blocked = load * blocked / (servers + load * blocked)
        if blocked.max() < NEGLIGIBLE:
            break
    share: Floats = (requests * blocked).sum(axis=1) / requests.sum(axis=1)
    return share


def _asking(parked: Floats, rates: Floats, hours: Floats, stay_s: Floats, slots: int, most: float) -> Floats:
    """Return the requests a call of which the share ``parked`` a call gets a slot; nan where ``most`` is too few."""
    low, high = np.zeros_like(parked), np.full_like(parked, most)
    for _ in range(50):
        middle = 0.5 * (low + high)
        fewer = middle * (1.0 - _refused(rates * middle[:, None], hours, stay_s, slots)) < parked
        low, high = np.where(fewer, middle, low), np.where(fewer, high, middle)
    return np.where(high < most, high, np.nan)


def _weights(tried: _Tried, counts: Counts, slots: int, limit_s: float, notes: list[str]) -> Floats:
    """Return the likelihood of each candidate under the counters that tell of the stay's length, at most 1."""
    log_weight = np.where(np.isnan(tried.stays.never) | np.isnan(tried.asking), -np.inf, 0.0)
    if "refused" in counts.columns:
        asked, refused = _requests(counts), counts.total("refused")
        loads = np.linspace(0.0, 3.0 * slots + 5.0, 200)[1:]
        load = np.interp(refused / asked, [theory.erlang_b(slots, one) for one in loads], loads)
        dispersion = theory.refused_dispersion(slots, load)
        expected = np.maximum(asked * tried.refused, 1e-300)
        likelihood = (refused * np.log(expected) - expected) / dispersion
        off = np.abs(refused - expected) / np.sqrt(dispersion * np.maximum(expected, 1.0))
        log_weight = _counting(log_weight, likelihood, off, _not_explained(tried, refused, asked), notes)
    if counts.parked_s is not None:
        stays, returned_s = counts.total("parked"), counts.total("returned") * limit_s
        others = max(stays - counts.total("returned"), 1)
        mean_s = (tried.stays.mean_s - tried.returned * limit_s) / (1.0 - tried.returned)
        square_s2 = (tried.stays.square_s2 - tried.returned * limit_s**2) / (1.0 - tried.returned)
        # Each end of a stretch of hours cuts the stays of the calls that are parked there, by up to the limit.
        cut = 2 * len(counts.stretches) * counts.parked_s / (3600.0 * len(counts.hours)) * limit_s**2 / 3.0
        variance = others * np.maximum(square_s2 - mean_s**2, 0.0) + cut + 1e-9
        off = np.abs(counts.parked_s - returned_s - others * mean_s) / np.sqrt(variance)
        said = (
            f"{counts.parked_s:,.0f} seconds parked are {counts.parked_s / stays:.1f} s for each of {stays:,} stays; a "
            f"time-out of {limit_s:g} s and these endings do not allow that"
        )
        log_weight = _counting(log_weight, -0.5 * off**2 - 0.5 * np.log(variance), off, said, notes)
    weight: Floats = np.exp(log_weight - max(log_weight.max(), -1e300))
    return weight


def _not_explained(tried: _Tried, refused: int, asked: int) -> str:
    least, most = (float(np.nanquantile(tried.refused, share)) for share in (0.025, 0.975))
    return (
        f"{refused / asked:.2%} of {asked:,} parks were refused, but with these slots and stays Erlang's formula "
        f"expects {least:.2%} to {most:.2%}"
    )


def _counting(log_weight: Floats, likelihood: Floats, off: Floats, said: str, notes: list[str]) -> Floats:
    """Add a counter's likelihood, unless no candidate comes near it: then say so."""
    possible = np.isfinite(log_weight)
    if np.min(off[possible], initial=math.inf) > UNEXPLAINED:
        notes.append(said)
        return log_weight
    return np.where(possible, log_weight + np.where(possible, likelihood, 0.0), -np.inf)


# The scenario.


def _limits(value: float, draws: Floats) -> Interval:
    low, high = np.quantile(draws, (0.025, 0.975)).tolist()
    return Interval(value, min(low, value), max(high, value))


def _point(counts: Counts, drawn: Stays, limit_s: float) -> Stays:
    """Return one stay (arrays of shape (1,)): shares as counted, sigma and mean stay in the middle of the draws."""
    ends = np.array([counts.total(end) + 0.5 for end in ENDS])
    _, returned, abandoned = (np.full(400, share) for share in (ends / ends.sum()).tolist())
    scores = np.log(limit_s / drawn.median_s) / drawn.sigma
    score = np.linspace(scores.min() - 1.0, scores.max() + 1.0, 400)
    grid = stays_with(np.full(400, np.median(drawn.sigma)), score, abandoned, returned, limit_s)
    off = np.abs(grid.mean_s - np.median(drawn.mean_s))
    nearest = int(np.nanargmin(np.where(np.isnan(grid.never), np.nan, off)))
    return Stays(*(column[nearest : nearest + 1] for column in grid))


def _written(
    counts: Counts, arrivals: _Arrivals, drawn: _Tried, slots: int, limit_s: float, choice: str, notes: list[str]
) -> Counted:
    """Write the scenario, each figure with the limits that its draws have."""
    result = Calibration(f"Counted in {counts.path.name}", recorded="these counters")
    again = counts.parked_again
    result.unknown = [
        f"how long a retrieval takes, and who is never fetched: assumed lognormal, of sigma {SIGMA[0]} to {SIGMA[1]}",
        "how long callers wait before they hang up: an exponential law is assumed",
        "how many attendants there are and how long they handle a call: unlimited, so no call waits",
        "who answers a call that comes back, and after how long: at once is assumed",
        "what becomes of a refused call: it stays with its attendant",
        *([f"how many parks are of calls that had been parked before: {again}"] if again else []),
        *notes,
    ]
    result.put("run.horizon", '"1d"')
    if len(arrivals.counts) == 1:
        result.put("run.warm_up", f'"{number(max(limit_s, 3600.0))}s"', "until the lot is as full as it is later")
    _put_arrivals(result, counts, arrivals, drawn)
    result.put("lot.slots", str(slots), _OPTION)
    if choice:
        result.put("lot.choice", f'"{choice}"', _OPTION)
    if not UAPI_LIMITS_S[0] <= limit_s <= UAPI_LIMITS_S[1]:
        result.put("lot.limits", '"pbx"', "a time-out outside 10 s to 3600 s, which UAPI does not allow")
    result.put("lot.max_in_parking", f'"{number(limit_s)}s"', _OPTION)
    point = _point(counts, drawn.stays, limit_s)
    _put_stay(result, counts, point, drawn.stays)
    result.put("recall.answer", '"0s"', "guess")
    stay_s = _limits(float(point.mean_s[0]), drawn.stays.mean_s)
    hours = f"the counters of {len(counts.hours):,} hours in {counts.path.name}"
    result.head = [f"From {hours}: {counts.total('parked'):,} stays of {span(stay_s)} on average.", _WHAT]
    return Counted(result, stay_s, notes)


_OPTION: Final = "an option"
_WHAT: Final = (
    "Limits are 95 %. Counters tell rates and shares; how long a retrieval takes they do not tell. What they leave "
    f"open is drawn {DRAWN} times: each draw has a retrieval and a patience of its own, and its stays end as counted."
)


def _put_stay(result: Calibration, counts: Counts, point: Stays, stays: Stays) -> None:
    """Put patience and retrieval, and their draws."""
    parks = counts.total("parked")
    shares = {end: share_of(min(counts.total(end), parks), parks) for end in ENDS}
    result.figures |= {f"{end}_share": one for end, one in shares.items()}
    laws = {
        "lot.patience.mean": (point.patience_s, stays.patience_s),
        "retrieval.delay.median": (point.median_s, stays.median_s),
        "retrieval.delay.sigma": (point.sigma, stays.sigma),
        "retrieval.never": (point.never, stays.never),
    }
    at = {key: _limits(float(one[0]), of) for key, (one, of) in laws.items()}
    result.figures |= at
    patience, median, sigma, never = at.values()
    result.put(
        "lot.patience",
        f'{{ kind = "exponential", mean = "{number(patience.value)}s" }}',
        f"mean {span(patience)}; {percent(shares['abandoned'])} of {parks:,} parked callers hung up",
    )
    result.put(
        "retrieval.delay",
        f'{{ kind = "lognormal", median = "{number(median.value)}s", sigma = {sigma.value:.6f} }}',
        f"median {span(median)}, sigma {span(sigma, '')}: guess, as wide as these counters leave it; "
        f"{percent(shares['retrieved'])} of {parks:,} were fetched, {percent(shares['returned'])} came back",
    )
    result.put("retrieval.never", f"{never.value:.6f}", f"{percent(never)}: guess, like the delay")
    result.draws |= {key: of for key, (_, of) in laws.items()}


def _put_arrivals(result: Calibration, counts: Counts, arrivals: _Arrivals, drawn: _Tried) -> None:
    """Put arrivals, attendants and parking, and their draws."""
    hourly = len(arrivals.counts) == 24
    total = int(arrivals.counts.sum())
    what = "calls offered" if arrivals.of_calls else "requests for a slot"
    factor = 1.0 if arrivals.of_calls else float(np.median(drawn.asking))
    _check_volume(counts, arrivals, factor)
    rates = drawn.rates_per_s if arrivals.of_calls else drawn.rates_per_s * drawn.asking[:, None]
    if not arrivals.of_calls:
        why = "offered is not counted" if "offered" not in counts.columns else "more parks than calls were counted"
        result.unknown.append(f"calls that ask for no slot ({why}): the arrivals are the requests for a slot")
    if "refused" not in counts.columns:
        result.unknown.append("how many parks were refused: that is computed from parks, stays and slots")
    hours = math.fsum(arrivals.hours)
    low, high = poisson_limits(total)
    mean = Interval(*(factor * one / hours for one in (total, low, high)))
    result.figures["arrivals.rate"] = Interval(*(one / 3600 for one in mean))
    text = f"{span(mean, '/h')}; n = {total:,} {what}"
    result.put("arrivals.kind", '"hourly"' if hourly else '"poisson"', arrivals.why)
    if hourly:
        put_calls_per_hour(result, arrivals.by_hour, [one / factor for one in arrivals.exposure_s], 0.0, text)
        result.draws |= {f"arrivals.calls_per_hour.{hour}": 3600.0 * rates[:, hour] for hour in range(24)}
    else:
        result.put("arrivals.rate", f'"{mean.value:.6f}/h"', text)
        result.draws["arrivals.rate"] = rates[:, 0]
    result.put("attendants.count", '"unlimited"', "guess: counters do not say")
    result.put("attendants.handling", '"0s"', "guess: counters do not say")
    if not arrivals.of_calls:
        result.put("parking.probability", "1", "all arrivals ask for a slot")
        return
    asked = _requests(counts)
    share = asked / total if "refused" in counts.columns else float(np.median(drawn.asking))
    asking = _limits(share, drawn.asking)
    result.put_share("parking.probability", asking, f"; {asked:,} of {total:,} calls")
    result.draws["parking.probability"] = drawn.asking
