"""Commands about logs of a real PBX: ``replay`` (does it follow the rules?) and ``calibrate`` (a scenario from it)."""

import json as json_texts
import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

from cyclopts import Parameter
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from parksim.catalogue import SHARES
from parksim.cli.options import DONE, MISSED, Answer, Json, check_count, check_out, pairs
from parksim.errors import LogError, UnfitError, UsageError
from parksim.pbx.conformance import Agreement
from parksim.pbx.log import FieldLog
from parksim.pbx.log_measures import LogMeasure
from parksim.pbx.replay import Replay, replay
from parksim.pbx.what_if import DRAWS, WhatIf
from parksim.rules.codes import CHOICE_NAMES
from parksim.scenario.quantities import UNLIMITED, duration_s, microseconds

LogFile = Annotated[Path, Parameter(help="Asterisk events (JSON Lines or AMI text), CSV, or a journal of parksim.")]
Tolerance = Annotated[str, Parameter(help="How far an instant may be off.")]
Slots = Annotated[int | None, Parameter(help="Slots of the lot, where the log does not tell.")]
Choice = Annotated[str | None, Parameter(help=f"Slot choice: {', '.join(CHOICE_NAMES)}; by default inferred.")]
MaxInParking = Annotated[
    str | None, Parameter(help="Time-out of parks that tell none: 180s; or unlimited. By default inferred.")
]
WhatIfOption = Annotated[
    tuple[str, ...],
    Parameter(
        name="--what-if",
        negative=(),
        help="Offer the same calls to another lot: lot.slots=8, lot.max_in_parking=60s, lot.choice=next. Repeatable.",
    ),
]


def replay_command(
    log: LogFile,
    *,
    tolerance: Tolerance = "5ms",
    slots: Slots = None,
    choice: Choice = None,
    max_in_parking: MaxInParking = None,
    what_if: WhatIfOption = (),
    json: Json = False,
) -> Answer:
    """Say whether a PBX follows the rules: each parking event is asked of them; and measure it as a simulation is."""
    changes = dict(pairs("--what-if", what_if, "lot.slots=8"))
    met = _met(log, tolerance, slots, choice, max_in_parking)
    otherwise = _otherwise(met, changes) if changes else {}
    read, agreement, measures = met.log, met.agreement, met.measures
    code = DONE if agreement.first is None else MISSED
    if json:
        plain = {
            "log": read.path.name,
            "form": read.form,
            "agreement": agreement.as_dict(),
            "measures": {name: one._asdict() for name, one in measures.items()},
        }
        if changes:
            told_so = {name: one._asdict() for name, one in otherwise.items()}
            plain["what_if"] = {"changes": changes, "draws": DRAWS, "measures": told_so}
        return Answer(json_texts.dumps(plain, ensure_ascii=False, allow_nan=False, indent=2) + "\n", code)
    screen = _screen(read, agreement, measures)
    return Answer(Group(screen, _what_if_table(changes, measures, otherwise)) if changes else screen, code)


def calibrate_command(
    log: LogFile,
    *,
    out: Annotated[
        Path | None, Parameter(name=["--out", "-o"], help="Write the scenario to this file (.toml), not to stdout.")
    ] = None,
    lot: Annotated[str | None, Parameter(help="Whose scenario, of several lots; by default the busiest.")] = None,
    tolerance: Tolerance = "5ms",
    slots: Slots = None,
    choice: Choice = None,
    max_in_parking: MaxInParking = None,
) -> Answer:
    """Turn a log into a scenario: each figure with its 95 % interval, n and source; guesses are marked."""
    check_out(out, (".toml",))
    met = _met(log, tolerance, slots, choice, max_in_parking)
    try:
        result = met.calibrate(lot)
    except LogError:
        raise
    except ValueError as error:
        raise UsageError(f"--lot {lot}: {error}") from None
    _ = result.scenario  # what parksim itself could not load is not handed out
    if out is None:
        return Answer(result.toml)
    out.write_text(result.toml, encoding="utf-8")
    first = met.agreement.first
    doubt = "" if first is None else f"The log does not follow the rules everywhere: parksim replay {log}\n"
    return Answer(
        f"{out}: {len(result.figures)} figures with their intervals, "
        f"{len(result.unknown)} things that the log cannot tell\n"
        f"{doubt}Next: parksim run {out}\n"
    )


def _otherwise(met: Replay, changes: dict[str, str]) -> dict[str, WhatIf]:
    try:
        return met.what_if(changes)
    except LogError:
        raise
    except ValueError as error:
        raise UsageError(f"--what-if {error}") from None


def _met(path: Path, tolerance: str, slots: int | None, choice: str | None, max_in_parking: str | None) -> Replay:
    check_count("--slots", slots, 1, 10_000)
    if choice is not None and choice not in CHOICE_NAMES:
        raise UsageError(f"--choice {choice}: choose one of {', '.join(CHOICE_NAMES)}")
    limit = max_in_parking if max_in_parking in {None, UNLIMITED} else _seconds("--max-in-parking", max_in_parking)
    seconds = _seconds("--tolerance", tolerance)
    return replay(path, tolerance=seconds, slots=slots, choice=choice, max_in_parking=limit)


def _seconds(option: str, text: str) -> float:
    try:
        value: object = float(text) if text.replace(".", "", 1).isdecimal() else text
        return microseconds(duration_s(value)) / 1e6
    except UnfitError as error:
        raise UsageError(f"{option} {text}: {error}") from None


def _screen(log: FieldLog, agreement: Agreement, measures: dict[str, LogMeasure]) -> RenderableType:
    parts: list[RenderableType] = [Text(f"{log.path.name}: {log.form}, {len(log.rows):,} facts", "bold")]
    first = agreement.first
    counted = ", ".join(f"{agreed:,} of {rows:,} {kind}" for kind, agreed, rows in agreement.by_kind())
    if first is None:
        parts.append(Text(f"It follows the rules: all {agreement.parking_rows:,} parking events agree.", "bold green"))
    else:
        parts.append(Text("It does not follow the rules. The first row that they would not have written:", "bold red"))
        parts.append(Text(f"{log.path}, line {first.line}: {first.why}"))
        more = len({one.line for one in agreement.disagreements}) - 1
        if more:
            parts.append(Text(f"{more:,} later rows disagree, too, some of them perhaps because of the first."))
    parts.append(Text(f"Agree: {counted}."))
    parts.append(
        Text(
            f"Tolerance {agreement.tolerance_us / 1e3:g} ms; the farthest time-out was "
            f"{agreement.latest_us / 1e3:+.1f} ms off its deadline; {agreement.overlaps:,} parks agree because events "
            "within the tolerance may have been decided in another order."
        )
    )
    parts.extend(Text(f"Inferred: {one}") for one in agreement.inferred)
    if log.open_calls:
        parts.append(Text(f"Not measured: {len(log.open_calls):,} calls that were still parked when the log ended."))
    parts.append(_table(measures))
    return Group(*parts)


def _what_if_table(
    changes: dict[str, str], measures: dict[str, LogMeasure], otherwise: dict[str, WhatIf]
) -> RenderableType:
    said = ", ".join(f"{key} = {value}" for key, value in changes.items())
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("Measure", no_wrap=True)
    table.add_column("Recorded", justify="right", no_wrap=True)
    table.add_column("What if", justify="right", no_wrap=True)
    table.add_column("Least to greatest")
    for name, one in otherwise.items():
        recorded = measures[name].value
        table.add_row(
            name,
            "-" if recorded is None else _figure(name, recorded),
            _figure(name, one.mean),
            f"{_figure(name, one.least)} to {_figure(name, one.greatest)}",
        )
    note = f"The same calls, {DRAWS} times: what the log does not show is drawn from the laws that calibrate finds."
    return Group(Text(f"What if {said}?", "bold"), Text(note), table)


def _table(measures: dict[str, LogMeasure]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("Measure", no_wrap=True)
    table.add_column("Recorded", justify="right", no_wrap=True)
    table.add_column("95 % interval, or why undefined")
    for name, one in measures.items():
        if one.value is None:
            table.add_row(name, "-", Text(one.reason, "dim"))
        else:
            limits = (
                "" if one.low is None or one.high is None else f"{_figure(name, one.low)} to {_figure(name, one.high)}"
            )
            table.add_row(name, _figure(name, one.value), limits)
    return table


def _figure(name: str, value: float) -> str:
    if name in SHARES:
        return f"{value:.2%}"
    if value == math.floor(value) and abs(value) < 1e9:
        return f"{value:,.0f}"
    return f"{value:,.3f}"


COMMANDS: Final[dict[str, Callable[..., Any]]] = {"replay": replay_command, "calibrate": calibrate_command}
