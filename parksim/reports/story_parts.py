"""What a report is made of: marks, tables, charts and commands as texts; assumptions; how a result was made.

``report_story`` puts them together; nothing here is markup.
"""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from parksim.catalogue import SCALARS, SHARES
from parksim.reports.figures import Figure
from parksim.reports.screen import possible, shown
from parksim.reports.words import span, unit_of, written
from parksim.results import to_csv
from parksim.scenario.comments import Notes, keyed, needs_files, to_toml
from parksim.scenario.model import Scenario
from parksim.stats.estimate import Estimate
from parksim.studies.gather import DEFAULT_LEVEL
from parksim.studies.replication import versions
from parksim.studies.study import Study
from parksim.studies.sweep import Sweep

SCENARIO_FILE: Final = "scenario.toml"
"""What the report's copy of the scenario is called, in its commands too."""


class Mark(NamedTuple):
    """A cell that stands out: a verdict ("met", "missed", "undecided") or a "guess"."""

    kind: str

    def __str__(self) -> str:
        return self.kind


class Measure(NamedTuple):
    """A cell that names a measure, in words and as ``estimates`` spells it."""

    words: str
    name: str

    def __str__(self) -> str:
        return f"{self.words} ({self.name})"


Cell = str | Mark | Measure


class Sheet(NamedTuple):
    """A table of texts; ``numbers`` are the columns set to the right."""

    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numbers: tuple[int, ...] = ()


class Chart(NamedTuple):
    """A chart and what it shows; without ``figure`` there is none, and ``finding`` says why."""

    heading: str
    finding: str
    reading: str
    figure: Figure | None


class Command(NamedTuple):
    """What to type, and what that does."""

    what: str
    text: str


@dataclass(frozen=True)
class Story:
    """Everything a report says, as texts; nothing in it is markup.

    Attributes:
        title: The scenario's name.
        kind: What was done: "30 replications of one design", "68 designs, 30 replications of each".
        asked: The question in the scenario file's own words; empty when it has none.
        question: The question that the objectives ask of the design.
        verdict: Of all objectives together; empty where there are none.
        headline: The answer in a sentence.
        details: What stands behind the answer, a sentence each.
        objectives: Verdicts, a row each; None without objectives.
        choices: Of a sweep, the first value that meets all objectives for each of the others; None where there is none.
        charts: In the order of the page.
        tables: Further ones.
        assumptions: Each value of the scenario, with its note and whether it is a guess.
        guesses: How many of them are guesses.
        sources: What the scenario file says at its head.
        made: How it was made: what, and which.
        commands: To make it again.
        files: What can be taken out of the report: texts by file name.
    """

    title: str
    kind: str
    asked: str
    question: str
    verdict: str
    headline: str
    details: tuple[str, ...]
    objectives: Sheet | None
    choices: Sheet | None
    charts: tuple[Chart, ...]
    tables: tuple[Sheet, ...]
    assumptions: Sheet
    guesses: int
    sources: tuple[str, ...]
    made: tuple[tuple[str, str], ...]
    commands: tuple[Command, ...]
    files: Mapping[str, str]


def measured(study: Study, name: str) -> str:
    """Return a measure with its interval, as "2.10 % (1.86 % to 2.33 %)"."""
    return with_interval(name, possible(study, name))


def with_interval(name: str, estimate: Estimate) -> str:
    """Return an estimate with its interval, or why it is undefined."""
    if estimate.mean is None:
        return f"undefined: {estimate.reason}"
    point, interval = shown(name, estimate)
    unit = "" if name in SHARES or not unit_of(name) else f" {unit_of(name)}"
    beside = f"{interval}{unit}" if estimate.low is not None else f"no interval from {estimate.n}"
    return f"{point}{unit} ({beside})"


def point_of(name: str, estimate: Estimate) -> str:
    """Return a point alone; of what was never seen its bound, since nothing seen is never nothing."""
    if estimate.mean == 0 and estimate.method == "clopper-pearson-blocks" and estimate.high is not None:
        return f"less than {written(name, estimate.high)}"
    return shown(name, estimate)[0]


def capital(text: str) -> str:
    """Return a text with a capital letter at its beginning."""
    return text[:1].upper() + text[1:]


def measures_csv(study: Study) -> str:
    """Return every scalar measure as CSV: a row each, with interval, method and formula."""
    columns = ("measure", "mean", "low", "high", "level", "n", "method", "reason", "formula", "formula_reason")
    rows = [{"measure": name} | study.estimate(name).as_dict() | study.formulas[name].at(None) for name in SCALARS]
    return to_csv(columns, ([row[name] for name in columns] for row in rows))


# Assumptions, and how it was made -------------------------------------------------------------------------------------

_DURATIONS: Final = ("horizon", "warm_up", "cool_down", "target", "announcement", "retry_after", "ring")
_LAW_SECONDS: Final = ("mean", "median", "value", "low", "high", "means", "values", "scale")
_LEFT_OUT: Final = ("objectives", "uapi")
"""Sections that are no assumption: what is asked, and how clients are answered."""


def assumptions(scenario: Scenario, notes: Notes, varied: Mapping[str, str]) -> tuple[Sheet, int]:
    """Return the values of a scenario with their notes, and how many are guesses; ``varied`` has swept ones."""
    rows: list[tuple[Cell, ...]] = []
    guesses = 0
    for key, value in keyed(json.loads(scenario.canonical)).items():
        section, _, last = key.partition(".")
        if section in _LEFT_OUT or key == "name" or last.endswith("limits"):
            continue
        if key in varied:
            rows.append((key, varied[key], "varied here", ""))
            continue
        guess = notes.is_guess(key)
        guesses += guess
        note = notes.note(key)
        if key in notes.given:
            note = "given beside the file"
        rows.append((key, value_words(last.rpartition(".")[2], value), note, Mark("guess") if guess else ""))
    return Sheet(
        "The scenario, value by value", ("Key", "Value", "Note in the scenario file", ""), tuple(rows)
    ), guesses


def value_words(name: str, value: Any) -> str:
    """Return a value of a scenario for people: durations with their units, laws by name and parameters.

    >>> value_words("warm_up", 1800.0), value_words("talk", {"kind": "exponential", "mean": 45.0})
    ('30 min', 'exponential, mean 45 s')
    """
    if isinstance(value, dict):
        if value.get("kind") == "constant" and isinstance(value.get("value"), int | float):
            return span(round(value["value"] * 1e6))
        inner = [f"{key} {_parameter(key, one)}" for key, one in value.items() if key != "kind"]
        return ", ".join([str(value.get("kind", "")), *inner]).lstrip(", ")
    if isinstance(value, list):
        return ", ".join(value_words(name, one) for one in value)
    if name in _DURATIONS and isinstance(value, int | float):
        return span(round(value * 1e6))
    if isinstance(value, str) and name == "rate" and value.endswith("/s"):
        return f"{float(value[:-2]) * 3600:.6g}/h"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _parameter(name: str, value: Any) -> str:
    if isinstance(value, list):
        return " and ".join(_parameter(name, one) for one in value)
    if isinstance(value, int | float):
        return f"{value:g} s" if name in _LAW_SECONDS else f"{value:g}"
    return str(value)


def made(result: Study | Sweep, replications: str) -> tuple[tuple[str, str], ...]:
    """Return how a result was made: what, and which; ``replications`` says how many in words."""
    scenario = result.scenario
    made_with = result.made_with or versions(result.engine)
    return (
        ("Scenario", scenario.name),
        ("Digest (SHA-256)", scenario.digest),
        ("Seed", str(result.seed)),
        ("Replications", replications),
        ("Measured", f"from {span(scenario.warm_up_us)} to {span(scenario.horizon_us)} of each"),
        ("Engine", result.engine),
        ("Intervals", f"{result.level * 100:g} %, by Student's t over replications; what was never seen is bounded"),
        ("Versions", ", ".join(f"{name} {version}" for name, version in made_with.items())),
    )


def how_many(study: Study) -> list[str]:
    """Return the options that ask for as many replications as a study was asked for."""
    if study.precision is not None:
        return ["--precision", f"{study.precision * 100:.12g}%"]
    return ["--replications", str(len(study.results))]


def commands(result: Study | Sweep, source: str, words: list[str]) -> tuple[Command, ...]:
    """Return the commands that make a result again: from its store ``source``, and by ``words``, what was asked for."""
    words = ["parksim", *words, "--seed", str(result.seed), "--engine", result.engine, *_level(result.level)]
    commands = []
    if source:
        commands.append(Command("Make it again and compare, byte by byte", shlex.join(["parksim", "rerun", source])))
    if needs_files(result.scenario.canonical):
        what = "Run it again (the scenario reads files of its own: keep its own file beside them)"
    else:
        what = f"Run it again, with this report's {SCENARIO_FILE}"
    return (*commands, Command(what, shlex.join(words)))


def _level(level: float) -> list[str]:
    """Return the option that makes intervals of this level; nothing where it is the default."""
    if level == DEFAULT_LEVEL:
        return []
    percent = f"{level * 100:.12g}"
    return ["--level", f"{percent}%" if float(percent) / 100 == level else repr(level)]


def scenario_file(scenario: Scenario) -> dict[str, str]:
    """Return the scenario as a TOML text by its file name; nothing where it reads files that the text cannot hold."""
    if needs_files(scenario.canonical):
        return {}
    objectives = {one.measure: one.text for one in scenario.objectives}
    return {SCENARIO_FILE: to_toml(scenario.canonical, objectives, scenario.notes)}
