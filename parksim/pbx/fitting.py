"""A scenario in the making: keys with the laws, intervals and comments that a log gives them.

A clock of which some durations were cut short gets the law that fits best (``survival.fits``). Laws that the log
cannot tell from it widen the limits of what both have: the mean, the median, the never-share. If no law fits, and
nothing was cut short within the durations seen, the scenario has the durations themselves.

What the log leaves open is kept as joint draws of the figures: a share's from the beta law of its counts, a rate's
from the gamma law of its calls (where these are counted over a time, with half an event added: Jeffreys 1961, Theory of
Probability, 3.10), a law's parameters and its never-share together (``survival.Fit.draws``). The choice of a law is
taken as right.
"""

import math
import textwrap
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from parksim.errors import ScenarioError
from parksim.pbx.durations import Clock
from parksim.pbx.formats.entry import shown
from parksim.results import to_csv, write
from parksim.rules.codes import NEVER
from parksim.scenario.laws import parse_law
from parksim.scenario.model import Scenario
from parksim.scenario.unknown import FEWEST_ROWS, generator
from parksim.stats import survival
from parksim.stats.special import clopper_pearson_limits
from parksim.stats.survival import FAMILIES, Fit, Interval, hull

FEWEST: Final = 5
"""With fewer events only an exponential is fitted, since they do not show the shape of a law."""
ENOUGH: Final = 20
"""With fewer durations no law is rejected."""
LONGEST_MEAN_S: Final = 1e7
"""Means and medians are cut to this, some four months, which a scenario's exponential may have."""
WIDTH: Final = 118
DRAWN: Final = 200
"""Joint draws of the figures."""
_OF_DRAWS: Final = "Joint draws of what is left open; parksim run prints a second interval from them."
_STEADY: Final = 0.01
"""Durations that spread by less than this share of their mean are a constant."""


@dataclass
class Calibration:
    """A scenario with the intervals of its figures.

    ``toml`` loads with ``Scenario.loads``. ``figures`` maps a dotted name ("retrieval.delay.median", "retrieval.never")
    to its interval, seconds and shares; laws that the log cannot tell from the chosen one have theirs under their names
    ("retrieval.delay.gamma.shape"); ``laws`` names the law that was chosen for each key; ``unknown`` says what
    ``recorded`` cannot tell. ``draws`` are joint draws of what it leaves open, by the scenario's key, shape
    (``DRAWN``,); ``draws_file`` names the file that holds ``draws_csv``, and stands in the scenario where it is set.
    ``notes`` maps keys to what their first comment says.
    """

    name: str
    recorded: str = "this log"
    figures: dict[str, Interval] = field(default_factory=dict)
    laws: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    head: list[str] = field(default_factory=list)
    draws: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    draws_file: str = ""
    notes: dict[str, str] = field(default_factory=dict)
    _nevers: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    _lines: dict[str, list[str]] = field(default_factory=dict)

    def generator(self, name: str) -> np.random.Generator:
        """Return the generator of a figure's draws: equal logs give equal draws."""
        return generator(DRAWN, name)

    def put(self, name: str, value: str, *comments: str) -> None:
        """Set the key of a dotted name ("lot.slots"), with comments above it."""
        if comments:
            self.notes[name] = comments[0]
        section, key = name.split(".")
        lines = self._lines.setdefault(section, [])
        for comment in comments:
            lines.extend(_comment(comment))
        lines.append(f"{key} = {value}")

    def put_share(self, name: str, share: Interval, note: str, counted: tuple[int, int] | None = None) -> None:
        """Set a key to a share, with its limits and a note above it, and keep it as a figure.

        ``counted`` is the number of events and of trials that it is the ratio of.
        """
        self.figures[name] = share
        if counted is not None:
            self.draw_share(name, *counted)
        self.put(name, f"{share.value:.6f}", f"{percent(share)}{note}")

    def draw_share(self, name: str, events: int, trials: int) -> None:
        """Draw what a share may be after these events in these trials (Jeffreys)."""
        self.draws[name] = self.generator(name).beta(events + 0.5, trials - events + 0.5, DRAWN)

    def put_patience(self, name: str, clock: Clock, ways: tuple[str, str], nobody: str) -> None:
        """Put how long callers wait; ``ways``: to hang up, or not to; ``nobody``: of whom, if no caller hung up."""
        if self.put_law(name, clock, *ways) is None and name not in self.laws:
            self.put(name, '"unlimited"', f"nobody hung up in {nobody}")

    def put_law(self, name: str, clock: Clock, what: str, cut: str = "", *, with_never: bool = False) -> Fit | None:
        """Fit a law to a clock and put it under ``name``; None if nothing was seen, or all durations are the same."""
        durations_s, seen = clock.arrays
        events = int(seen.sum())
        if not events:
            return None
        censored = f", {len(durations_s) - events:,} {cut}" if cut else ""
        source = f"n = {len(durations_s):,} ({events:,} {what}{censored})"
        whole = durations_s[seen]
        if _is_constant(durations_s, seen, with_never=with_never):
            self.laws[name] = "constant"
            one = Interval(float(np.median(whole)), float(whole.min()), float(whole.max()))
            self.figures[f"{name}.value"] = one
            self.put(name, f'"{number(one.value)}s"', f"constant: {span(one)}, shortest and longest seen; {source}")
            return None
        kinds = tuple(FAMILIES) if events >= FEWEST else ("exponential",)
        tried = survival.fits(durations_s, seen, with_never=with_never and events >= FEWEST, kinds=kinds)
        tried = sorted(tried, key=lambda one: not _is_taken(one))  # the order is kept where all are
        best, rivals = tried[0], survival.rivals(tried)
        if best.never is not None:
            best = replace(best, never=hull([one.never for one in (best, *rivals) if one.never is not None]))
        parameters = _with_rivals(best, rivals)
        law, kind, remark = _law(best), best.kind, ""
        if events < FEWEST:
            remark = f"; only {events} seen, so the law is a guess"
        elif _fits_badly(best, durations_s, seen):
            law, kind = empirical(np.sort(whole).tolist()), "empirical"
            remark = "; no law fits, so these are the durations themselves"
            best = replace(best, never=None)
        elif rivals:
            remark = f"; the log cannot tell it from {' and '.join(map(_rival, rivals))}, which the limits allow for"
        self.laws[name] = kind
        if kind != "empirical":
            self._draw(name, best)
        self.figures.update({f"{name}.{parameter}": one for parameter, one in parameters.items()})
        for rival in rivals:
            self.figures.update({f"{name}.{rival.kind}.{one}": value for one, value in rival.parameters.items()})
        others = "; ".join(f"{one.kind} ({one.log_likelihood:.1f}, {one.aic:.1f}, {one.bic:.1f})" for one in tried)
        beside = _beside(tried[0], durations_s, seen)
        self.put(name, law, f"{tried[0].kind}: {_parameters(parameters)}; {source}{remark}", f"{others}; {beside}")
        return best

    def _draw(self, name: str, best: Fit) -> None:
        """Draw the parameters of a law, and the never-share that goes with them."""
        drawn = best.draws(DRAWN, self.generator(name))
        if "never" in drawn:
            self._nevers[name.partition(".")[0]] = drawn.pop("never")
        for parameter, values in drawn.items():
            ends = (0.05, 1000.0) if parameter == "shape" else (1e-6, LONGEST_MEAN_S)
            self.draws[f"{name}.{parameter}"] = np.clip(values, *ends)

    def put_never(self, name: str, best: Fit | None, clock: Clock, what: str) -> None:
        """Put the never-share beside its law: fitted, or counted where the law is constant."""
        if best is not None and best.never is not None:
            one, counted = best.never, None
            self.draws[name] = self._nevers[name.partition(".")[0]]
            curve = survival.kaplan_meier(*clock.arrays)
            last_s = float(curve.times_s[curve.at_risk >= min(10, int(curve.at_risk.max()))][-1])
            note = (
                f"by the law's fit (likelihood ratio). For any law, {what} by {last_s:.4g} s: "
                f"{percent(curve.at(last_s))} (KM). Never and much later look alike in a log: the law decides"
            )
        elif clock.spells:
            counted = len(clock.spells) - clock.events, len(clock.spells)
            one = share_of(*counted)
            note = f"all that were cut short count as never: guess; n = {len(clock.spells):,}"
        else:
            return
        self.put_share(name, one, f", {note}", counted)

    @property
    def toml(self) -> str:
        """The scenario file."""
        text = [line for one in self.head for line in _comment(one)]
        if self.unknown:
            text.append(f"#\n# What {self.recorded} cannot tell, each a guess below:")
            for one in self.unknown:
                text.extend(_comment("- " + one, "  "))
        text.append(f"name = {_quoted(self.name)}")
        for section, lines in self._lines.items():
            text.extend(["", f"[{section}]", *lines])
        if self.draws_file:
            text.extend(["", "[unknown]", *_comment(_OF_DRAWS), f"draws = {_quoted(self.draws_file)}"])
        return "\n".join(text) + "\n"

    def save(self, path: Path) -> Path | None:
        """Write the scenario, and its draws to a file beside it; return the name of this file, or None without draws.

        Raises:
            OutputError: a file cannot be written.
        """
        beside = draws_beside(path)
        drawn = self.draws_csv if self.draws else ""
        if drawn:
            self.draws_file = beside.name
            write(beside, drawn)
        write(path, self.toml)
        return beside if drawn else None

    @property
    def draws_csv(self) -> str:
        """The draws as a scenario reads them: a column a key, a row a joint draw; "" where too few are valid."""
        scenario = replace(self, draws_file="").scenario
        drawn = [dict(zip(self.draws, row, strict=True)) for row in np.array(list(self.draws.values())).T.tolist()]
        rows = []
        for row in drawn:
            with suppress(ScenarioError):
                scenario.with_numbers(row)
                rows.append(row)
        return to_csv(self.draws, (row.values() for row in rows)) if len(rows) >= FEWEST_ROWS else ""

    @property
    def scenario(self) -> Scenario:
        """The scenario itself."""
        return Scenario.loads(self.toml, name="the calibrated scenario")


def draws_beside(path: Path) -> Path:
    """Return the name of the file of draws that belongs to a scenario's."""
    return path.with_name(f"{path.stem}-draws.csv")


def _comment(text: str, indent: str = "") -> list[str]:
    """Return a comment's lines; characters in the log's names that TOML forbids in comments become question marks."""
    plain = "".join(one if one.isprintable() else "?" for one in text)
    return [f"# {line}" for line in textwrap.wrap(plain, WIDTH - 2, subsequent_indent=indent)]


def _quoted(text: str) -> str:
    return '"' + shown(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def share_of(events: int, trials: int) -> Interval:
    """Return a share with Clopper and Pearson's limits."""
    return Interval(events / trials, *clopper_pearson_limits(events, trials))


def percent(one: Interval) -> str:
    """Return a share with its limits as text."""
    return f"{one.value:.2%} ({one.low:.2%} to {one.high:.2%})"


def span(one: Interval, unit: str = " s") -> str:
    """Return a figure with its limits as text."""
    return f"{one.value:.5g}{unit} ({one.low:.5g} to {one.high:.5g})"


def number(value: float) -> str:
    """Return a number in six digits, as TOML and durations take it."""
    text = f"{value:.6g}"
    return f"{float(text):.6f}".rstrip("0").rstrip(".") if "e" in text else text


def seconds(duration_us: int) -> str:
    """Return a duration as TOML has it."""
    return '"unlimited"' if duration_us == NEVER else f'"{number(duration_us / 1e6)}s"'


def _is_constant(durations_s: survival.Seconds, seen: NDArray[np.bool_], *, with_never: bool) -> bool:
    """Tell whether all durations seen are the same, and none was cut short later, unless it may never end."""
    whole, cut_s = durations_s[seen], durations_s[~seen]
    if float(durations_s.max()) < survival.SHORTEST_S * 10:
        return True
    outlasted = len(cut_s) > 0 and float(cut_s.max()) > float(whole.max()) and not with_never
    return len(whole) >= FEWEST and not outlasted and float(whole.std()) <= _STEADY * float(whole.mean())


def _fits_badly(best: Fit, durations_s: survival.Seconds, seen: NDArray[np.bool_]) -> bool:
    """Tell by Kolmogorov's test at 1 % that a law is not that of durations none of which was cut short.

    Durations cut short only after the longest seen say nothing about the others, except that they come later or never.
    """
    whole, cut_s = np.sort(durations_s[seen]), durations_s[~seen]
    if len(whole) < ENOUGH or (len(cut_s) and float(cut_s.min()) < float(whole[-1])):
        return False
    law = replace(best, never=None)
    upto = 1.0 - law.survival(cut_s.min(keepdims=True)) if len(cut_s) else 1.0
    fitted = (1.0 - law.survival(whole)) / upto
    steps = np.arange(len(whole) + 1) / len(whole)
    distance = float(np.maximum(np.abs(fitted - steps[1:]), np.abs(fitted - steps[:-1])).max())
    return distance > 1.63 / math.sqrt(len(whole))


def _with_rivals(best: Fit, rivals: list[Fit]) -> dict[str, Interval]:
    """Return the parameters of a law; the limits of mean or median include those of the laws that may be true."""
    return {
        parameter: hull([one, *(rival.interval(parameter) for rival in rivals)])
        if parameter in ("mean", "median")
        else one
        for parameter, one in best.parameters.items()
    }


def _rival(one: Fit) -> str:
    return f"{one.kind} ({_parameters(one.parameters)})"


def _parameters(parameters: Mapping[str, Interval]) -> str:
    units = {name: "" if name in ("shape", "sigma") else " s" for name in parameters}
    return ", ".join(f"{name} {span(value, units[name])}" for name, value in parameters.items())


def empirical(values: list[float]) -> str:
    """Return the text of an empirical law of sorted values, or of a hundred of their quantiles."""
    if len(values) > 100:
        values = [values[int((i + 0.5) * len(values) / 100)] for i in range(100)]
    rows = textwrap.wrap(", ".join(number(one) for one in values), WIDTH - 4)
    return '{ kind = "empirical", values = [ # no more than 100 quantiles\n    ' + "\n    ".join(rows) + "\n] }"


def _law(best: Fit) -> str:
    """Return a law as a scenario has it."""
    values = ", ".join(f"{name} = {_bounded(one.value, name)}" for name, one in best.parameters.items())
    return f'{{ kind = "{best.kind}", {values} }}'


def _is_taken(one: Fit) -> bool:
    """Tell whether a scenario accepts a law; it rejects a tail of centuries guessed from few durations."""
    try:
        parse_law(tomllib.loads(f"law = {_law(one)}")["law"])
    except ValidationError:
        return False
    return True


def _bounded(value: float, parameter: str) -> str:
    """Return a parameter as a scenario takes it."""
    if parameter == "shape":
        value = min(max(value, 0.05), 1000.0)
    if parameter in ("shape", "sigma"):
        return f"{max(value, 1e-6):.6f}"
    return f'"{number(min(max(value, 1e-6), LONGEST_MEAN_S))}s"'


def _beside(best: Fit, durations_s: survival.Seconds, seen: NDArray[np.bool_]) -> str:
    """Return Kaplan and Meier's quartiles, and how far a fit is from their curve.

    The distance counts only while enough are under observation for the curve to mean something.
    """
    curve = survival.kaplan_meier(durations_s, seen)
    enough = curve.at_risk >= min(10, len(durations_s))
    fitted = best.survival(curve.times_s)
    before = np.concatenate(([1.0], curve.share[:-1]))
    distance = float((np.maximum(np.abs(curve.share - fitted), np.abs(before - fitted)) * enough).max())
    quartiles = []
    for share in (0.25, 0.5, 0.75):
        point, low, high = curve.quantile_s(share)
        if point is not None:
            upper = "beyond the log" if high is None else f"{high:.4g}"
            quartiles.append(f"{share:.0%} by {point:.4g} s ({low or 0.0:.4g} to {upper})")
    return f"KM: {', '.join(quartiles) or 'under 25 % in the log'}; the law is within {distance:.3f} of it"
