"""The ideal switchboard: attendants, slots and staff without limit, exact up to the error of a grid.

Calls come as a Poisson process whose rate is constant between given instants. Nobody ever waits for an attendant, a
slot or a member of the staff, so each call goes its way independently of all others, and the number of parked calls at
an instant t is Poisson (Eick, Massey and Whitt 1993; networks: Massey and Whitt 1993). Its mean is the integral of
rate(t - s) P(parked at age s) ds, and a request at t finds a Poisson number of calls of that same mean (Mecke).

How it works: durations become masses on the grid 0, h, 2h, ... Each small cell between two points of the grid, or
between a point and an atom, gives its mass to the two neighbours of its middle so that the middle is kept; an atom does
the same. A life is then a sum of convolutions, done by FFT; masses are damped by exp(-a i) on the way, so that what
leaves the grid at its end does not come back at its beginning. The rate enters by its jumps: at each of them a curve,
integrated over the age of a call, begins. So everything has an error of order h^2, which halving h shows.

Sources: Eick, Massey and Whitt (1993), The physics of the Mt/G/infinity queue, Operations Research 41, 731-742; Massey
and Whitt (1993), Networks of infinite-server queues with nonstationary Poisson input, Queueing Systems 13, 183-250.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from parksim.errors import ArgumentError
from parksim.theory.race import At, Law

__all__ = ["Call", "Life", "LotLaws", "Rates", "life", "poisson_at_least"]

Floats = NDArray[np.float64]
Spectrum = NDArray[np.complex128]

MOST_POINTS: Final = 2**17
"""Of a grid of ages."""
ALIVE: Final = 1e-9
"""Where at most this share of a law is left it ends."""
LEFT: Final = 1e-6
"""How many seconds parked, or answers, may come after the end of the grid."""
STEPS: Final = 20
"""How many steps there are to the shortest mean."""
DAMPED: Final = 1e-9
"""What is left of a mass that would come back at the beginning of the grid."""


class LotLaws(NamedTuple):
    """The calls that ask one lot: their share, and the two clocks of a stay that may differ from lot to lot."""

    share: float
    patience: Law | None
    limit: Law | None


@dataclass(frozen=True, slots=True)
class Call:
    """What happens to one call where nothing is limited; laws are durations in seconds, None is never.

    Attributes:
        handling: From each answer to the decision to park or not.
        talk: With the attendant, of a call that is not parked (again).
        wish: Share of handlings that end in a park request.
        most_parks: How often a call may be parked, >= 1.
        announcement_s: Time of the attendant after a park.
        lots: The lots, whose shares add up to 1.
        retrieval: From the park until somebody fetches the call.
        never: Share of parks never fetched.
        staff_talk: With the person who fetched it.
        rings: Whether a return rings at its parker's; otherwise anybody takes it at once.
        ring_s: How long it rings in all; None: without end.
        answer: From the first ring.
        never_answered: Share of returns that the parker does not answer.
        recall_patience: Of a returning caller, from the time-out.
        unanswered_lost: Whether a return that nobody answered is lost; otherwise anybody takes it.
    """

    handling: Law
    talk: Law
    wish: float
    most_parks: int
    announcement_s: float
    lots: tuple[LotLaws, ...]
    retrieval: Law | None
    never: float
    staff_talk: Law
    rings: bool
    ring_s: float | None
    answer: Law
    never_answered: float
    recall_patience: Law | None
    unanswered_lost: bool


class Rates(NamedTuple):
    """A rate that is constant between instants: ``per_s[i]`` from ``starts_s[i]`` on, 0 before the first.

    Shapes (n,) both; the instants ascend.
    """

    starts_s: Floats
    per_s: Floats

    def between(self, low_s: float, high_s: float) -> "Rates":
        """Return the rate of the calls of an interval: the same within, 0 outside."""
        inside = (self.starts_s > low_s) & (self.starts_s < high_s)
        first = (
            self.per_s[np.searchsorted(self.starts_s, low_s, side="right") - 1] if low_s >= self.starts_s[0] else 0.0
        )
        return Rates(
            np.concatenate(([low_s], self.starts_s[inside], [high_s])),
            np.concatenate(([first], self.per_s[inside], [0.0])),
        )

    def of(self, curve: Floats, step_s: float, time_s: Floats) -> Floats:
        """Return the integral of rate(t - s) dC(s) for a curve C of the age: a mean number, or a rate of events.

        For C the expected seconds in a state up to an age this is the mean number in it; for C the expected number of
        events up to an age it is their rate.

        Args:
            curve: C at the ages 0, step, 2 step, ...; beyond its end it stays what it is there.
            step_s: The step of the grid of ages.
            time_s: The instants t, ascending, shape (m,).
        """
        return self._sum(curve, 0.0, step_s, time_s)

    def until(self, curve: Floats, step_s: float, time_s: Floats) -> Floats:
        """Return what ``of`` gives, integrated from the beginning to each instant."""
        whole = np.concatenate(([0.0], np.cumsum(0.5 * (curve[1:] + curve[:-1]) * step_s)))
        return self._sum(whole, float(curve[-1]), step_s, time_s)

    def _sum(self, curve: Floats, slope: float, step_s: float, time_s: Floats) -> Floats:
        """Add up the curve from each jump of the rate on; beyond its end it is a straight line of that slope."""
        ages_s = np.arange(len(curve)) * step_s
        end_s, last = float(ages_s[-1]), float(curve[-1])
        result, late, slopes = (np.zeros(len(time_s) + 1) for _ in range(3))
        for start_s, jump in zip(self.starts_s.tolist(), np.diff(self.per_s, prepend=0.0).tolist(), strict=True):
            if jump:
                begun, over = np.searchsorted(time_s, (start_s, start_s + end_s)).tolist()
                result[begun:over] += jump * np.interp(time_s[begun:over] - start_s, ages_s, curve)
                late[over] += jump * (last - slope * (start_s + end_s))
                slopes[over] += jump * slope
        total: Floats = result[:-1] + np.cumsum(late)[:-1] + np.cumsum(slopes)[:-1] * time_s
        return total


class _Ends(NamedTuple):
    """A race of clocks on the grid."""

    masses: tuple[Floats, ...]  # by clock: which share of races it ends at each point
    lasting: Floats  # the integral of P(race > s) up to each point


def _race(laws: Sequence[Law | None], never: Sequence[float], step_s: float, points: int) -> _Ends:
    """Return how a race ends, by clock in the order in which they win at a tie, on ``points`` points of the grid."""

    def after(t_s: Floats) -> Floats:
        rows = [
            np.ones_like(t_s) if law is None else share + (1.0 - share) * np.asarray(law.survival(t_s))
            for law, share in zip(laws, never, strict=True)
        ]
        return np.stack(rows)

    points_used = min(points, 64)
    while points_used < points and np.prod(after(np.array([(points_used - 1) * step_s])), axis=0)[0] > ALIVE:
        points_used = min(points, 2 * points_used)
    end_s = (points_used - 1) * step_s
    atoms_s = np.unique([atom for law in laws if law is not None for atom in law.atoms_s if atom <= end_s])
    nodes_s = np.arange(points_used) * step_s
    edges_s = np.union1d(nodes_s, atoms_s)
    on_edges = after(edges_s)
    before = on_edges.copy()
    is_atom = np.isin(edges_s, atoms_s)
    before[:, is_atom] = np.where(edges_s[is_atom] > 0, after(np.nextafter(edges_s[is_atom], 0.0)), 1.0)
    left, right = on_edges[:, :-1], before[:, 1:]
    widths_s = np.diff(edges_s)
    middle = after(edges_s[:-1] + 0.5 * widths_s)
    alive = np.prod(np.stack([left, middle, right]), axis=1)
    falls = (left - right) * np.stack(
        [_others(left, i) + 4 * _others(middle, i) + _others(right, i) for i in range(len(laws))]
    )
    total = falls.sum(axis=0)
    falls *= np.divide(alive[0] - alive[2], total, out=np.zeros_like(total), where=total > 0)  # no call is lost
    jumps = before - on_edges
    masses = []
    for i in range(len(laws)):
        at_atom = np.prod(on_edges[:i], axis=0) * jumps[i] * np.prod(before[i + 1 :], axis=0)
        spread = np.concatenate((at_atom[is_atom], falls[i]))
        where_s = np.concatenate((edges_s[is_atom], edges_s[:-1] + 0.5 * widths_s))
        masses.append(_on_grid(spread, where_s, step_s, points))
    lasting = np.concatenate(([0.0], np.cumsum(widths_s * (alive[0] + 4 * alive[1] + alive[2]) / 6)))
    at_nodes = lasting[np.searchsorted(edges_s, nodes_s)]
    return _Ends(tuple(masses), np.concatenate((at_nodes, np.full(points - points_used, at_nodes[-1]))))


def _others(survivals: Floats, but: int) -> Floats:
    """Return the product of the rows but one."""
    product: Floats = np.prod(np.delete(survivals, but, axis=0), axis=0)
    return product


def _on_grid(masses: Floats, where_s: Floats, step_s: float, points: int) -> Floats:
    """Give each mass to the two points beside it, so that its place is kept on average; what is beyond the end goes."""
    place = where_s / step_s
    low = np.floor(place).astype(np.int64)
    upper = masses * (place - low)
    inside = low < points
    low, masses, upper = low[inside], masses[inside], upper[inside]
    found = np.bincount(low, masses - upper, minlength=points + 1) + np.bincount(low + 1, upper, minlength=points + 1)
    return np.asarray(found[:points], np.float64)


@dataclass(frozen=True, slots=True)
class Life:
    """What is to be expected of one call, by its age on a grid; of each lot where the first axis is the lots'.

    All are cumulative: up to each age the expected number of events, or seconds. Shape (lots, points) or (points,).

    Attributes:
        step_s: Step of the grid of ages 0, step, 2 step, ...
        requests: Park requests, which all are granted.
        retrieved: Stays that ended by retrieval.
        hung_up: Stays whose caller hung up.
        expired: Stays that ended by time-out, which are returns.
        parked_s: Seconds in a slot.
        first_requests: Requests of calls that have not been parked before.
        answers: Times an attendant took the call, the first included; all lots together.
        attended_s: Seconds of attendants: handling, talk, announcement, ringing.
        staff_s: Seconds of the staff.
    """

    step_s: float
    requests: Floats
    retrieved: Floats
    hung_up: Floats
    expired: Floats
    parked_s: Floats
    first_requests: Floats
    answers: Floats
    attended_s: Floats
    staff_s: Floats

    @property
    def calls(self) -> Floats:
        """The call itself: 1 from age 0 on, shape (points,)."""
        return np.ones(len(self.answers))

    @property
    def ages_s(self) -> Floats:
        """The grid, shape (points,)."""
        return np.arange(len(self.answers), dtype=np.float64) * self.step_s


def life(call: Call, longest_s: float, step_s: float | None = None) -> Life:
    """Return what is to be expected of one call, up to the age at which it is over.

    Args:
        call: What may happen to it.
        longest_s: Ages beyond this do not matter; 0 < longest_s.
        step_s: Step of the grid; by default one that is small beside the stays, at most 1 s.

    Raises:
        ArgumentError: If the step or the age is not positive, or shares do not add up to 1.
    """
    if not (longest_s > 0 and (step_s is None or step_s > 0)):
        raise ArgumentError("the step and the longest age must be positive")
    if abs(sum(lot.share for lot in call.lots) - 1.0) > 1e-9:
        raise ArgumentError("the shares of the lots must add up to 1")
    step_s = _step_s(call) if step_s is None else step_s
    points = 2048
    while True:
        most = int(np.ceil(longest_s / step_s)) + 2
        found = _life(call, step_s, min(points, most))
        late = (3 * min(points, most)) // 4
        left = found.answers[-1] - found.answers[late] + np.sum(found.parked_s[:, -1] - found.parked_s[:, late])
        if points >= most or left <= LEFT:
            return found
        if points < MOST_POINTS:
            points *= 2
        else:
            step_s *= 2


def _step_s(call: Call) -> float:
    """Return a step that divides the hour and is small beside the shortest mean of handling and of a stay's clocks."""
    laws = [law for lot in call.lots for law in (lot.patience, lot.limit)] + [call.retrieval, call.handling]
    shortest_s = min((law.mean_s for law in laws if law is not None and law.mean_s > 0), default=60.0)
    return max((step for step in (1.0, 0.5) if step <= shortest_s / STEPS), default=0.25)


def _life(call: Call, step_s: float, points: int) -> Life:
    size = 1 << (2 * points - 1).bit_length()
    damping = np.exp(np.log(DAMPED) / size * np.arange(points))

    def spectrum(masses: Floats) -> Spectrum:
        return np.fft.rfft(masses * damping, size)

    def back(transformed: Spectrum) -> Floats:
        return np.asarray(np.fft.irfft(transformed, size)[:points] / damping)

    def single(law: Law) -> tuple[Spectrum, Spectrum]:
        ends = _race([law], [0.0], step_s, points)
        return spectrum(ends.masses[0]), spectrum(ends.lasting)

    handling, handled_s = single(call.handling)
    talked_s = single(call.talk)[1] if call.talk.mean_s else None
    staff_talked_s = single(call.staff_talk)[1] if call.staff_talk.mean_s else None
    announced_s = single(At(call.announcement_s))[1] if call.announcement_s else None
    taken, rung_s = _taken(call, step_s, points, spectrum)
    by_lot = []
    sums: dict[str, Floats] = {name: np.zeros(points) for name in ("answers", "attended_s", "staff_s")}
    for lot in call.lots:
        if not lot.share:
            by_lot.append(np.zeros((6, points)))
            continue
        laws = [lot.patience, call.retrieval if call.never < 1 else None, lot.limit]
        stay = _race(laws, [0.0, call.never, 0.0], step_s, points)
        hung_up, retrieved, expired = map(spectrum, stay.masses)
        again = call.wish * handling * expired * taken
        rounds = np.ones_like(again)
        for _ in range(call.most_parks - 1):
            rounds = 1.0 + again * rounds
        requests = lot.share * call.wish * handling * rounds
        answers = lot.share + requests * expired * taken
        events = (requests, requests * retrieved, requests * hung_up, requests * expired)
        counts = [_counted(back(one)) for one in (*events, lot.share * call.wish * handling)]
        by_lot.append(np.stack([*counts, back(requests * spectrum(stay.lasting))]))
        attended = answers * handled_s
        if talked_s is not None:
            attended = attended + (answers * handling - requests) * talked_s
        if announced_s is not None:
            attended = attended + requests * announced_s
        if rung_s is not None:
            attended = attended + requests * expired * rung_s
        sums["attended_s"] += back(attended)
        sums["answers"] += _counted(back(answers))
        if staff_talked_s is not None:
            sums["staff_s"] += back(requests * retrieved * staff_talked_s)
    names = ("requests", "retrieved", "hung_up", "expired", "first_requests", "parked_s")
    return Life(step_s, **dict(zip(names, np.stack(by_lot, axis=1), strict=True)), **sums)


def _counted(masses: Floats) -> Floats:
    """Return the number of events up to each point: half of those at it, but all of those at age 0."""
    counts: Floats = np.cumsum(masses) - 0.5 * masses
    counts[0] = masses[0]
    return counts


def _taken(
    call: Call, step_s: float, points: int, spectrum: Callable[[Floats], Spectrum]
) -> tuple[Spectrum, Spectrum | None]:
    """Return how long after a time-out a return is taken, as masses, and how long it rings."""
    if not call.rings:
        patience = call.recall_patience
        share = 1.0 if patience is None else float(patience.survival(np.zeros(1))[0])
        return spectrum(np.concatenate(([share], np.zeros(points - 1)))), None
    limit = None if call.ring_s is None else At(call.ring_s)
    ring = _race([call.recall_patience, call.answer, limit], [0.0, call.never_answered, 0.0], step_s, points)
    taken = ring.masses[1] if call.unanswered_lost else ring.masses[1] + ring.masses[2]
    return spectrum(taken), spectrum(ring.lasting)


def poisson_at_least(count: int, means: Floats) -> Floats:
    """Return P(N >= count) of Poisson numbers N, elementwise; 1 for a count of 0.

    >>> poisson_at_least(1, np.array([0.0, 1.0])).round(6).tolist()
    [0.0, 0.632121]
    """
    if count <= 0:
        return np.ones_like(means)
    found, rare = np.empty_like(means), means < count  # each tail is summed up where it is the smaller one
    at_count = np.exp(count * np.log(np.maximum(means, 1e-300)) - means - math.lgamma(count + 1))
    few = means[rare]
    found[rare] = at_count[rare] + _rest(at_count[rare], (few / number for number in itertools.count(count + 1)))
    many = means[~rare]
    found[~rare] = 1.0 - _rest(at_count[~rare], (number / many for number in range(count, 0, -1)))
    return found


def _rest(term: Floats, ratios: Iterable[Floats]) -> Floats:
    """Return the sum of the terms after one, each being that before it times a ratio; ratios only fall."""
    total = np.zeros_like(term)
    for ratio in ratios:
        term = term * ratio
        total += term
        if not np.any(term > _NEGLIGIBLE * total):
            break
    return total


_NEGLIGIBLE: Final = 1e-17
