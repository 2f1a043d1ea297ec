"""How long a parked call stays, and how the stay ends: the race of its clocks, exactly.

A stay ends when the first of three independent clocks rings: the caller's patience, the retrieval (which a share of
calls never gets) and maxInParking. Written with survival functions P(X > t) only, so every law will do:

    mean stay        = integral of S_patience S_retrieval S_limit dt
    abandoned share  = integral of P(retrieval >= t) P(limit >= t) dF_patience(t)     patience first at a tie
    retrieved share  = integral of P(patience > t)  P(limit >= t) dF_retrieval(t)     then the retrieval
    expired share    = integral of P(patience > t)  P(retrieval > t) dF_limit(t)      then the limit

(the identity E[min] = integral of P(min > t) is in every textbook of probability; the tie rule is the order of
simultaneous events in ``rules/codes.py``.)

How it works: the line is cut at the atoms (points of positive probability), whose part is summed by hand, and at
powers of two; on each piece the survival functions are read at sixteen Gauss-Lobatto nodes, multiplied, integrated,
and differentiated as the polynomials through them. A piece is halved until halving changes nothing, each share
relative to itself, so that a rare time-out keeps its digits; and the line continues until nothing is left that a double
can hold. The nodes include the ends, so that no fall of a survival function goes unseen however narrow it is, and so
that the three shares add up to 1 for any error of each.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from parksim.errors import ArgumentError, NumericalError

__all__ = ["Law", "Race", "mean_within", "quantile_s", "race"]

Floats = NDArray[np.float64]

NODES: Final = 16
TOLERANCE: Final = 1e-13
"""By how much halving a piece may still change a share or the mean, relative to itself."""
ROUNDING: Final = 1e-15
"""Of a piece's largest values: below this no halving can tell a change from the rounding of survival functions."""
LEAST: Final = 1e-305
"""What is rarer than this is nothing: doubles lose their digits there."""
CHUNK: Final = 4096
"""Pieces worked on at a time: bounds the memory for laws of very many atoms."""


class Law(Protocol):
    """A law of durations: what every class of ``distributions.py`` has."""

    @property
    def mean_s(self) -> float:
        """Mean, seconds."""

    @property
    def atoms_s(self) -> tuple[float, ...]:
        """Points of positive probability, seconds."""

    def survival(self, t_s: Floats) -> Floats:
        """Return P(X > t) for t >= 0, seconds, elementwise."""


@dataclass(frozen=True, slots=True)
class Race:
    """A stay and its three ends; itself a law (of the stay).

    Attributes:
        mean_s: Mean stay, seconds.
        retrieved_share: Share of stays that end by retrieval.
        abandoned_share: Share that end because the caller hangs up.
        expired_share: Share that end by time-out; the three add up to 1.
        atoms_s: Points where the stay ends with positive probability.
    """

    mean_s: float
    retrieved_share: float
    abandoned_share: float
    expired_share: float
    atoms_s: tuple[float, ...]
    _clocks: "_Clocks"

    def survival(self, t_s: Floats) -> Floats:
        """Return P(stay > t), elementwise; 1 for negative t."""
        t = np.asarray(t_s, dtype=np.float64)
        return np.where(t < 0.0, 1.0, np.prod(self._clocks.after(np.maximum(t, 0.0)), axis=0))


@dataclass(frozen=True, slots=True)
class _Clocks:
    """The three laws, None = never; ``never_share`` of the retrievals do not happen."""

    patience: Law | None
    retrieval: Law | None
    never_share: float
    limit: Law | None

    def laws(self) -> list[Law]:
        return [law for law in (self.patience, self.retrieval, self.limit) if law is not None]

    def after(self, t_s: Floats) -> Floats:
        """Return P(X > t) of patience, retrieval and limit: shape (3, *t.shape)."""
        rows = [
            np.ones_like(t_s) if law is None else np.asarray(law.survival(t_s), dtype=np.float64)
            for law in (self.patience, self.retrieval, self.limit)
        ]
        rows[1] = self.never_share + (1.0 - self.never_share) * rows[1]
        return np.stack(rows)

    def until(self, t_s: Floats) -> Floats:
        """Return P(X >= t) likewise: the left limit; 1 at t = 0."""
        return np.where(t_s > 0.0, self.after(np.nextafter(t_s, 0.0)), 1.0)


@dataclass(frozen=True, slots=True)
class At:
    """The law that is always ``mean_s``."""

    mean_s: float

    @property
    def atoms_s(self) -> tuple[float, ...]:
        """The one value."""
        return (self.mean_s,)

    def survival(self, t_s: Floats) -> Floats:
        """Return 1 before the value, 0 from it on."""
        return np.where(np.asarray(t_s) < self.mean_s, 1.0, 0.0)


def race(
    patience: Law | None = None,
    retrieval: Law | None = None,
    never_share: float = 0.0,
    limit: Law | float | None = None,
) -> Race:
    """Return how a stay ends and how long it lasts (see the head of this file for the formulas).

    Args:
        patience: Of the caller in the lot, counted from the park; None: waits for ever.
        retrieval: Delay until somebody fetches the call (staff unlimited); None: nobody ever does.
        never_share: Share of calls that are never fetched, in [0, 1].
        limit: maxInParking, a law or seconds; None: unlimited.

    Returns:
        Mean and shares to about 1e-12 of themselves, down to 1e-300, where the laws are smooth and their survival
        functions are as exact; atoms are included exactly.

    Raises:
        ArgumentError: If ``never_share`` is outside [0, 1], a limit is negative or nan, or a stay need not end.
        NumericalError: If a law is too rough or its tail too long for the integration.

    Patience of mean 240 s and retrieval of mean 60 s, both exponential, against a limit of 180 s: the total rate is
    r = 1/48, and the closed form is (1 - e^(-180 r)) / r with e^(-180 r) timed out.

    >>> from parksim.scenario.laws import parse_law
    >>> ends = race(parse_law({"kind": "exponential", "mean": 240}), parse_law({"kind": "exponential", "mean": 60}),
    ...             limit=180.0)
    >>> round(ends.mean_s, 9), round(48 * (1 - math.exp(-180 / 48)), 9)
    (46.871148199, 46.871148199)
    >>> round(ends.expired_share, 12) == round(math.exp(-180 / 48), 12)
    True
    >>> race(None, parse_law({"kind": "exponential", "mean": 60}), 0.0, 2400.0).expired_share / math.exp(-40)
    1.0
    """
    if not 0.0 <= never_share <= 1.0:
        raise ArgumentError(f"a share must be in [0, 1], got {never_share!r}")
    if isinstance(limit, (int, float)):
        if not limit >= 0.0:
            raise ArgumentError(f"a limit must be >= 0 seconds, got {limit!r}")
        limit = None if limit == math.inf else At(float(limit))
    if never_share == 1.0:
        retrieval = None
    if patience is None and limit is None and (retrieval is None or never_share > 0.0):
        raise ArgumentError("a stay without patience and limit never ends for a call that is never fetched")
    clocks = _Clocks(patience, retrieval, never_share, limit)
    end_s, points_s = _end(clocks)
    atoms = sorted({atom for law in clocks.laws() for atom in law.atoms_s if atom <= end_s})
    at_atoms = _at_atoms(clocks, np.array(atoms))
    edges = np.unique(np.array([0.0, *atoms, *points_s]))
    before_atoms = np.where(np.isin(edges, atoms), np.nextafter(edges, 0.0), edges)
    between = _between(clocks, np.stack([edges[:-1], edges[1:], before_atoms[1:]], axis=1), at_atoms)
    runs = np.array([law is not None for law in (patience, retrieval, limit)])  # a share of 1e-16 would surprise
    abandoned, retrieved, expired = (np.clip(between[1:] + at_atoms, 0.0, 1.0) * runs).tolist()
    falls = np.prod(clocks.until(np.array(atoms)), axis=0) > np.prod(clocks.after(np.array(atoms)), axis=0)
    heavy = tuple(atom for atom, falls_there in zip(atoms, falls.tolist(), strict=True) if falls_there)
    return Race(float(between[0]), retrieved, abandoned, expired, heavy, clocks)


def mean_within(stay: Law, t_s: float) -> float:
    """Return E[min(X, t)] = integral of P(X > u) over [0, t], seconds.

    Raises:
        ArgumentError: If t is negative or nan.

    >>> round(mean_within(At(30.0), 20.0), 12), mean_within(At(30.0), math.inf)
    (20.0, 30.0)
    """
    return stay.mean_s if t_s == math.inf else race(patience=stay, limit=t_s).mean_s


def quantile_s(stay: Law, probability: float) -> float:
    """Return the least t with P(X <= t) >= probability, seconds, to the last digit of a double.

    Raises:
        ArgumentError: If the probability is outside (0, 1).

    >>> from parksim.scenario.laws import parse_law
    >>> round(quantile_s(parse_law({"kind": "exponential", "mean": 60}), 0.5), 9)  # 60 ln 2
    41.588830834
    """
    if not 0.0 < probability < 1.0:
        raise ArgumentError(f"a probability must be in (0, 1), got {probability!r}")

    def enough(t: float) -> bool:
        return float(stay.survival(np.array([t]))[0]) <= 1.0 - probability

    if enough(0.0):
        return 0.0
    low, high = 0.0, 1.0
    while not enough(high):
        low, high = high, 2.0 * high
    while low < (middle := 0.5 * (low + high)) < high:
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _end(clocks: _Clocks) -> tuple[float, list[float]]:
    """Return an instant beyond which nothing counts, and the powers of two times a scale that lead to it."""
    scales = [law.mean_s for law in clocks.laws() if 0.0 < law.mean_s < math.inf]
    t = min(scales, default=1.0)
    before, least_mean, points = 0.0, 0.0, []
    while t < 1e300:
        alive = float(np.prod(clocks.after(np.array([t])), axis=0)[0])
        least_mean += alive * (t - before)
        points.append(t)
        if alive <= LEAST and t * alive <= 1e-16 * least_mean:
            return t, points
        before, t = t, 2.0 * t
    raise NumericalError("the stay has no finite mean: its survival function falls too slowly")


def _at_atoms(clocks: _Clocks, atoms_s: Floats) -> Floats:
    """Return what the atoms add to (abandoned, retrieved, expired), by the order of simultaneous events."""
    if atoms_s.size == 0:
        return np.zeros(3)
    until, after = clocks.until(atoms_s), clocks.after(atoms_s)
    jumps = until - after
    return np.array(
        [
            np.sum(jumps[0] * until[1] * until[2]),
            np.sum(after[0] * jumps[1] * until[2]),
            np.sum(after[0] * after[1] * jumps[2]),
        ]
    )


def _lobatto(nodes: int) -> tuple[Floats, Floats, Floats]:
    """Return Gauss-Lobatto nodes and weights on [-1, 1] and the matrix Q = diag(weights) @ differentiation.

    Sources: Abramowitz and Stegun 25.4.32 (nodes, weights); Berrut and Trefethen (2004), SIAM Review 46, 501-517
    (differentiation by barycentric weights). f @ Q @ g is the integral of f dg.
    """
    legendre = np.polynomial.Legendre.basis(nodes - 1)
    inner = np.sort(np.real(legendre.deriv().roots()))
    for _ in range(2):  # Newton: the companion matrix leaves the roots good to 13 digits only
        inner -= legendre.deriv()(inner) / legendre.deriv(2)(inner)
    x = np.concatenate([[-1.0], 0.5 * (inner - inner[::-1]), [1.0]])
    weights = 2.0 / (nodes * (nodes - 1) * legendre(x) ** 2)
    gaps = x[:, None] - x[None, :] + np.eye(nodes)
    barycentric = 1.0 / np.prod(gaps, axis=1)
    derivative = barycentric[None, :] / barycentric[:, None] / gaps
    np.fill_diagonal(derivative, 0.0)
    np.fill_diagonal(derivative, -derivative.sum(axis=1))
    return x, weights, weights[:, None] * derivative


_X, _WEIGHTS, _Q = _lobatto(NODES)


def _pieces(clocks: _Clocks, edges_s: Floats) -> Floats:
    """Return (integral of the product, abandoned, retrieved, expired) of each piece: shape (pieces, 4).

    A row of ``edges_s`` is a piece's left end, its right end, and where the survival functions are read for the
    right end: just before it if it is an atom, which does not belong to the piece.
    """
    left, right = edges_s[:, :1], edges_s[:, 1:2]
    t = left + 0.5 * (right - left) * (_X + 1.0)
    t[:, 0], t[:, -1] = edges_s[:, 0], edges_s[:, 2]
    patience, retrieval, limit = clocks.after(t)
    return np.stack(
        [
            0.5 * (right - left)[:, 0] * ((patience * retrieval * limit) @ _WEIGHTS),
            _fall(patience, retrieval * limit),
            _fall(retrieval, patience * limit),
            _fall(limit, patience * retrieval),
        ],
        axis=1,
    )


def _fall(survival: Floats, others: Floats) -> Floats:
    """Return the integral of ``others`` over the fall of one survival function; exactly 0 where it does not fall."""
    fall: Floats = -np.sum(others * ((survival - survival[:, -1:]) @ _Q.T), axis=1)
    return fall


def _between(clocks: _Clocks, edges_s: Floats, at_atoms: Floats) -> Floats:
    """Return the four integrals over all pieces, halving each until halving changes nothing."""
    chunks = [edges_s[i : i + CHUNK] for i in range(0, len(edges_s), CHUNK)]
    scale = sum(_pieces(clocks, chunk).sum(axis=0) for chunk in chunks) + np.array([0.0, *at_atoms])
    allowed = TOLERANCE * np.maximum(scale, LEAST)
    return _exact_sum(_settled(clocks, chunk, allowed) for chunk in chunks)


def _settled(clocks: _Clocks, edges_s: Floats, allowed: Floats) -> Floats:
    whole, parts = _pieces(clocks, edges_s), []
    while len(edges_s):
        if len(edges_s) > 64 * CHUNK:
            raise NumericalError("a law is too rough to integrate: its survival function is noise")
        middle = edges_s[:, 0] + 0.5 * (edges_s[:, 1] - edges_s[:, 0])
        lefts = np.stack([edges_s[:, 0], middle, middle], axis=1)
        rights = np.stack([middle, edges_s[:, 1], edges_s[:, 2]], axis=1)
        of_lefts, of_rights = _pieces(clocks, lefts), _pieces(clocks, rights)
        both = of_lefts + of_rights
        indivisible = (middle <= edges_s[:, 0]) | (middle >= edges_s[:, 1])
        rounding = ROUNDING * np.prod(clocks.after(edges_s[:, 0]), axis=0)
        lost = np.stack([rounding * (edges_s[:, 1] - edges_s[:, 0]), rounding, rounding, rounding], axis=1)
        done = np.all(np.abs(both - whole) <= np.maximum(allowed, lost), axis=1) | indivisible
        parts.append(np.where(indivisible[:, None], whole, both)[done])
        edges_s = np.concatenate([lefts[~done], rights[~done]])
        whole = np.concatenate([of_lefts[~done], of_rights[~done]])
    return _exact_sum(parts)


def _exact_sum(parts: Iterable[Floats]) -> Floats:
    rows = np.concatenate([np.atleast_2d(part) for part in parts] or [np.zeros((1, 4))])
    return np.array([math.fsum(column) for column in rows.T.tolist()])
