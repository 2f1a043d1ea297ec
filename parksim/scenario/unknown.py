"""What a scenario does not know: limits beside a value, and a file of joint draws.

A number may be written ``{ value = 0.6, low = 0.45, high = 0.75 }``: the value as it would stand alone, and the limits
that hold the truth with 95 %. The law between them has the median ``value``, 2.5 % below ``low`` and 2.5 % above
``high``: logit-normal for a share, log-normal for any other number, each half with a spread of its own. Whole numbers
are rounded. Values that belong together (the fits of one log) stand in a file of joint draws, which ``[unknown]``
names: CSV, a column a key, a row a draw.

>>> share_limits = Limits(0.6, 0.45, 0.75, "share")
>>> [round(share_limits.at(score), 2) for score in (-SCORE, 0.0, SCORE)]
[0.45, 0.6, 0.75]
"""

import hashlib
import math
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from statistics import NormalDist
from typing import Any, Final, Literal, NamedTuple, Self, TypeVar

import numpy as np
import pydantic
from numpy.typing import NDArray

from parksim.errors import ScenarioError, UnfitError
from parksim.scenario import recordings
from parksim.scenario.comments import toml
from parksim.scenario.messages import nearest
from parksim.scenario.positions import KeyPath
from parksim.scenario.quantities import duration_s, number, rate_per_s
from parksim.scenario.sections import Section

SCORE: Final = NormalDist().inv_cdf(0.975)
"""How many standard deviations the limits lie from the value."""
FEWEST_ROWS: Final = 20
"""Of a file of draws: fewer say nothing about 2.5 %."""
MOST_ROWS: Final = 10_000
KEYS: Final = frozenset({"value", "low", "high"})
SHARES: Final = frozenset({"parking.probability", "retrieval.never", "recall.never"})
"""The keys whose values are shares, beside the weights of a law (which have no limits, only joint draws)."""
_ELSEWHERE: Final = ("name", "objectives", "uapi", "unknown")
_WRITE: Final = "write { value = 0.6, low = 0.45, high = 0.75 }, say"
LAWS: Final = frozenset({"handling", "talk", "delay", "answer", "patience", "max_in_parking"})
"""The keys of laws: limits without a value may be meant as a uniform one."""

Kind = Literal["share", "rate", "whole", "positive"]


class Limits(NamedTuple):
    """A number with the limits that hold the truth with 95 %: seconds, per second, a share from 0 to 1, or a count."""

    value: float
    low: float
    high: float
    kind: Kind

    def at(self, score: float) -> float:
        """Return the number that lies this many standard deviations from the value, on the scale of its law."""
        to, back = (_logit, _share) if self.kind == "share" else (math.log, math.exp)
        middle = to(self.value)
        reach = middle - to(self.low) if score < 0 else to(self.high) - middle
        there = back(middle + score / SCORE * reach) if reach else self.value
        return float(round(there)) if self.kind == "whole" else there

    def check(self, at: KeyPath) -> None:
        """Refuse limits that no law has.

        Raises:
            UnfitError: low is above the value, or high below it; one of the three is 0, or 1 of a share.
        """
        end = 1.0 if self.kind == "share" else math.inf
        if not 0 < self.value < end:
            rule = f"a value with limits must be above 0{' and below 1' if end == 1 else ''}"
            raise UnfitError(rule, f"write {self._possible()}, say, or {self.value:g} alone", at)
        if self.low > self.value:
            raise UnfitError("is above value", "low is the smaller limit: exchange them, or lower it", (*at, "low"))
        if self.high < self.value:
            raise UnfitError("is below value", "high is the larger limit: exchange them, or raise it", (*at, "high"))
        if self.low <= 0:
            usual = {"whole": 1.0, "share": 0.001, "rate": 0.1 / 3600}.get(self.kind, 0.1)
            low = usual if usual <= self.value else self.value / 10
            raise UnfitError("a low limit must be above 0", f"write low = {self._shown(low)}, say", (*at, "low"))
        if self.high >= end:
            high = max(0.999, 1 - (1 - self.value) / 10)
            raise UnfitError("a share's high limit must be below 1", f"write high = {high:.9g}, say", (*at, "high"))

    def _shown(self, value: float) -> str:
        return f'"{value * 3600:.4g}/h"' if self.kind == "rate" else f"{value:.9g}"

    def _possible(self) -> str:
        """Return limits that are possible, near to these whose value is 0, or 1 of a share."""
        value, low, high = self.high / 10, self.high / 100, self.high
        if self.kind == "whole":
            value = low = 1.0
        elif self.kind == "share":
            high = min(high, 0.999)
            value, low = high / 10, high / 100
            if self.value >= 1:
                low = max(self.low, 0.001)
                value, high = 1 - (1 - low) / 10, 1 - (1 - low) / 100
        return f"{{ value = {self._shown(value)}, low = {self._shown(low)}, high = {self._shown(high)} }}"


def _logit(share: float) -> float:
    return math.log(share / (1.0 - share))


def _share(logit: float) -> float:
    return 1.0 / (1.0 + math.exp(-logit))


class Number(NamedTuple):
    """A number of a scenario: where it stands in a file's tables, and in the canonical ones."""

    place: KeyPath
    canonical: KeyPath
    kind: Kind
    value: float


def numbers(plain: Mapping[str, Any]) -> dict[str, Number]:
    """Return every number of a canonical scenario by its dotted key; of lists with the entry's place behind the key.

    >>> found = numbers({"arrivals": {"rate": "0.5/s"}, "retrieval": {"delay": {"kind": "constant", "value": 60.0}}})
    >>> {key: one.value for key, one in found.items()}
    {'arrivals.rate': 0.5, 'retrieval.delay': 60.0}
    """
    return {
        key: Number(path, inner, kind, value)
        for section, table in plain.items()
        if section not in (*_ELSEWHERE, "run")
        for key, path, inner, kind, value in _numbers(table, section, (section,))
    }


def _numbers(held: Any, key: str, path: KeyPath) -> Iterator[tuple[str, KeyPath, KeyPath, Kind, float]]:
    if isinstance(held, Mapping):
        if held.get("kind") == "constant":
            yield key, path, (*path, "value"), "positive", held["value"]
            return
        for name, one in held.items():
            yield from _numbers(one, f"{key}.{name}", (*path, name))
    elif isinstance(held, list):
        for place, one in enumerate(held):
            name = one.get("name", place) if isinstance(one, Mapping) else place
            yield from _numbers(one, f"{key}.{name}", (*path, place))
    elif isinstance(held, str):
        if re.fullmatch(r"[0-9.e+-]+/s", held):
            yield key, path, path, "rate", float(held[:-2])
    elif isinstance(held, int | float) and not isinstance(held, bool):
        parts = key.split(".")
        share = ".".join(parts[:2]) in SHARES or (len(parts) > 2 and parts[-2] == "weights")
        yield key, path, path, "share" if share else "whole" if isinstance(held, int) else "positive", held


def written(value: float, kind: Kind) -> object:
    """Return a number as a scenario file has it."""
    return f"{value!r}/s" if kind == "rate" else round(value) if kind == "whole" else value


def with_number(raw: dict[str, Any], path: KeyPath, value: object) -> None:
    """Set what stands at a place of some tables, which are made where they are missing."""
    here: Any = raw
    for part in path[:-1]:
        here = here.setdefault(part, {}) if isinstance(here, dict) else here[part]
    here[path[-1]] = value


def taken_apart(raw: Mapping[str, Any]) -> tuple[dict[str, Any], dict[KeyPath, Mapping[str, Any]]]:
    """Return the tables of a file with only the values in place, and the tables of limits by where they stood.

    Raises:
        UnfitError: a table has some of the keys value, low and high, or stands where nothing can be unknown.
    """
    # A number stands in a section, or in a list or a law there; a key too many of a [[lot]] is no limit.
    found: dict[KeyPath, Mapping[str, Any]] = {}

    def apart(held: Any, path: KeyPath) -> Any:
        if isinstance(held, list):
            return [apart(one, (*path, place)) for place, one in enumerate(held)]
        if not isinstance(held, Mapping) or path[0] in _ELSEWHERE:
            return held
        is_number = len(path) > 1 and "kind" not in held and (path[0] != "lot" or isinstance(path[-1], str))
        if is_number and {"low", "high"} & held.keys() and (held.keys() <= KEYS or _like_value(held)):
            if path[0] == "run":
                raise UnfitError("is chosen, not unknown: it has no limits", "write the value alone", path)
            if held.keys() != KEYS:
                raise UnfitError(*_what_is_missing(held, path))
            found[path] = held
            return held["value"]
        return {key: apart(one, (*path, key)) for key, one in held.items()}

    return {key: apart(one, (key,)) for key, one in raw.items()}, found


def _like_value(held: Mapping[str, Any]) -> bool:
    return any(nearest(str(key), ("value",)) for key in held.keys() - {"low", "high"})


def _what_is_missing(held: Mapping[str, Any], path: KeyPath) -> tuple[str, str, KeyPath]:
    """Return what is wrong with a table that has some keys of limits: rule, step, place."""
    if held.keys() != {"low", "high"}:
        return "limits are a table of value, low and high", _WRITE, path
    between = _between(held["low"], held["high"])
    step = f"write {toml({'value': between, **held})}, say" if between is not None else _WRITE
    if path[-1] in LAWS:
        step += f"; where all between them are alike, {toml({'kind': 'uniform', **held})}"
    return "limits need the value between them, and value is missing", step, path


def _between(low: object, high: object) -> object:
    """Return a number between two as they are written; None where they are no two of a kind."""
    if isinstance(low, int) and isinstance(high, int):
        return (low + high) // 2
    if isinstance(low, int | float) and isinstance(high, int | float):
        return float(f"{(low + high) / 2:.4g}")
    for read, scale, unit in ((duration_s, 1, "s"), (rate_per_s, 3600, "/h")):
        try:
            return f"{(read(low) + read(high)) / 2 * scale:.4g}{unit}"
        except UnfitError:
            continue
    return None


def key_of(path: KeyPath, table: Mapping[str, Number]) -> str:
    """Return the dotted key of the number that stands at a place of the file.

    Raises:
        UnfitError: no number stands there.
    """
    for key, one in table.items():
        if path in (one.place, one.canonical):
            return key
    raise UnfitError("limits are of numbers, durations, rates and shares", "write the value alone", path)


class Unknown(Section):
    """[unknown]: a file of joint draws of what is not known."""

    draws: str = pydantic.Field(min_length=1)
    """CSV: a column a key, a row a joint draw, in seconds, per second, or from 0 to 1; at least 20 rows."""
    fixed: tuple[str, ...] = ()
    """Keys of the file whose value is known after all: the scenario's own value holds."""
    _table: "Draws | None" = pydantic.PrivateAttr(default=None)

    @pydantic.model_validator(mode="after")
    def _loaded(self, info: pydantic.ValidationInfo) -> Self:
        if not recordings.is_reference(self.draws):
            try:
                self._table = read_draws(recordings.located(self.draws, info.context))
            except UnfitError as error:
                raise UnfitError(error.rule, error.step, ("draws",)) from None
            unknown = [key for key in self.fixed if key not in self._table.keys]
            if unknown:
                near = nearest(unknown[0], self._table.keys)
                step = f'did you mean "{near}"?' if near else "remove it"
                raise UnfitError(f"the file of draws has no key {unknown[0][:64]!r}", step, ("fixed",))
        return self

    @pydantic.model_serializer
    def _serialized(self) -> dict[str, Any]:
        draws = self.draws if self._table is None else f"sha256:{self._table.digest}"
        return {"draws": draws} | ({"fixed": sorted(self.fixed)} if self.fixed else {})

    @property
    def at_hand(self) -> bool:
        """Whether the draws are known, not only the digest of their file."""
        return self._table is not None

    @property
    def table(self) -> "Draws":
        """The draws.

        Raises:
            UnfitError: the scenario came from a result, which names the file by its digest only.
        """
        if self._table is None:
            rule = "the draws of what is not known are in a file that is not at hand"
            raise UnfitError(rule, "load the scenario file itself")
        return self._table


Row = Mapping[str, float]
"""Numbers by key."""


class Draws(NamedTuple):
    """A file of joint draws: ``rows`` of shape (draws, keys), and the line of each."""

    name: str
    digest: str
    keys: tuple[str, ...]
    rows: NDArray[np.float64]
    lines: tuple[int, ...]


_NUMBER: Final = re.compile(r"[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?")


def read_draws(path: Path) -> Draws:
    """Return the draws of a CSV file.

    Raises:
        UnfitError: the file cannot be read, a key stands twice, a value is no number, or there are too few rows.
    """
    digest, rows = recordings.read_rows(path)
    (_, header), *body = (*rows,) or ((0, []),)
    keys = tuple(cell.strip() for cell in header)
    twice = next((key for place, key in enumerate(keys) if key in keys[:place]), None)
    if twice is not None:
        raise UnfitError(f"{path.name} has the key {twice[:64]!r} twice", "a column a key")
    if not FEWEST_ROWS <= len(body) <= MOST_ROWS:
        rule = f"{path.name} has {len(body):,} draws, and needs {FEWEST_ROWS} to {MOST_ROWS:,}"
        raise UnfitError(rule, "the first line is the header; write a draw a line below it")
    values = np.empty((len(body), len(keys)))
    for place, (line, cells) in enumerate(body):
        if len(cells) != len(keys):
            rule = f"{path.name}, line {line}: has {len(cells)} values for {len(keys)} keys"
            raise UnfitError(rule, "write a value for each")
        for column, cell in enumerate(cells):
            try:
                values[place, column] = number(float(cell if _NUMBER.fullmatch(cell.strip()) else "nan"), "a value")
            except ValueError:
                rule = f"{path.name}, line {line}: {keys[column]} = {cell[:64]!r} is no number"
                raise UnfitError(rule, "write seconds, a rate per second, or a share from 0 to 1") from None
    return Draws(path.name, digest, keys, values, tuple(line for line, _ in body))


def check_columns(
    unknown: Unknown, table: Mapping[str, Number], limited: Mapping[str, Limits], check: Callable[[Row, str], None]
) -> None:
    """Refuse a column that is no number of the scenario, that has limits as well, or whose values it cannot have.

    Of each column the rows of its least and greatest value are tried, each as a whole: what is joint may only be valid
    together. ``check`` raises where numbers by key make no scenario; it also gets the place of the row.

    Raises:
        UnfitError: which one, at ``unknown.draws``.
    """
    draws, at = unknown.table, ("unknown", "draws")
    columns = {key: column for column, key in enumerate(draws.keys) if key not in unknown.fixed}
    for key, column in columns.items():
        if key not in table:
            near = nearest(key, table)
            step = f'did you mean "{near}"?' if near else "name its columns by the keys that --set takes"
            raise UnfitError(f"{draws.name}: {key[:64]!r} is no number of the scenario", step, at)
        if key in limited:
            step = "write its value alone, or remove the column"
            raise UnfitError(f"{draws.name} has draws of {key}, which has limits as well", step, at)
        values = draws.rows[:, column]
        broken = np.flatnonzero(values != values.round())
        if table[key].kind == "whole" and broken.size:
            rule = f"{draws.name}, line {draws.lines[broken[0]]}: {key} = {values[broken[0]]:g}: must be a whole number"
            raise UnfitError(rule, "write it without a point", at)
    tried = draws.rows[:, [*columns.values()]]
    for place in np.unique([*tried.argmin(axis=0), *tried.argmax(axis=0)]).tolist():
        row = {key: float(draws.rows[place, column]) for key, column in columns.items()}
        try:
            check(row, f"{draws.name}, line {draws.lines[place]}")
        except ScenarioError as error:
            raise UnfitError(error.messages[0], at=at) from None


def generator(seed: int, key: str = "") -> np.random.Generator:
    """Return the generator of the draws of one value that is not known: another one for each seed and key."""
    words = np.frombuffer(hashlib.sha256(key.encode()).digest(), np.uint32).tolist()
    return np.random.default_rng([seed, *words])


def _scores(key: str, number_of_draws: int, seed: int) -> Iterator[float]:
    """Yield the standard normal scores of a key, one a draw and then further ones.

    The draws are a Latin hypercube: one in each of as many slices of equal probability (McKay, Beckman and Conover
    1979, Technometrics 21, 239-245), in an order of the key's own. They depend on seed and key alone, so that designs
    which share an unknown value share its draws.
    """
    drawing = generator(seed, key)
    places = drawing.permutation(number_of_draws)
    for u in ((places + drawing.random(number_of_draws)) / number_of_draws).tolist():
        yield NormalDist().inv_cdf(min(max(u, 1e-12), 1 - 1e-12))
    while True:
        yield float(drawing.standard_normal())


_MOST_TRIED: Final = 100
Scenario = TypeVar("Scenario")
Build = Callable[[Mapping[str, float]], Scenario]
"""From numbers by key to the scenario that has them."""


def drawn(
    limits: Mapping[str, Limits], unknown: Unknown | None, number_of_draws: int, seed: int, build: Build[Scenario]
) -> list[Scenario]:
    """Return one scenario a draw.

    A draw that makes no valid scenario (a longer stay than UAPI allows, say) is drawn again: the laws end where
    the scenario does. Rows of a file are taken in an order of chance, each once before one is taken again.

    Raises:
        UnfitError: a row makes no valid scenario, or hardly any draw does.
    """
    scores = {key: _scores(key, number_of_draws, seed) for key in limits}
    rows = _rows_of(unknown, number_of_draws, seed)
    first = [{key: next(scores[key]) for key in limits} for _ in rows]

    def valid(row: Mapping[str, float], where: str, at: Mapping[str, float]) -> Scenario:
        for _ in range(_MOST_TRIED if limits else 1):
            try:
                return build({key: one.at(at[key]) for key, one in limits.items()} | dict(row))
            except ScenarioError:
                at = {key: next(scores[key]) for key in limits}
        try:  # the limits' own values are valid: where they are not with this row, it is the row
            build({key: one.value for key, one in limits.items()} | dict(row))
        except ScenarioError as error:
            raise UnfitError(f"{where}: this draw makes no valid scenario", str(error)[:300]) from None
        raise UnfitError("hardly any draw within the limits makes a valid scenario", "narrow the limits")

    return [valid(row, where, at) for (row, where), at in zip(rows, first, strict=True)]


def _rows_of(unknown: Unknown | None, number_of_draws: int, seed: int) -> list[tuple[dict[str, float], str]]:
    """Return for each draw the values that a row of the file gives, and where that row stands."""
    if unknown is None:
        return [({}, "")] * number_of_draws
    table = unknown.table
    order = generator(seed).permutation(len(table.rows)).tolist()
    found = []
    for place in (order[draw % len(order)] for draw in range(number_of_draws)):
        values = zip(table.keys, table.rows[place].tolist(), strict=True)
        row = {key: value for key, value in values if key not in unknown.fixed}
        found.append((row, f"{table.name}, line {table.lines[place]}"))
    return found
