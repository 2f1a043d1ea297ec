"""Commands about logs of a real PBX: ``replay`` (does it follow the rules?) and ``calibrate`` (a scenario from it)."""

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from parksim.cli.options import DONE, MISSED, Answer, Json, as_json, check_count, check_not_read, check_out, pairs
from parksim.errors import LogError, UnfitError, UsageError
from parksim.rules.codes import CHOICE_NAMES

if TYPE_CHECKING:
    from parksim.pbx.replay import Replay

LogFile = Annotated[Path, Parameter(help="Asterisk events (JSON Lines or AMI text), CSV, or a journal of parksim.")]
Tolerance = Annotated[str, Parameter(help="How far an instant may be off.")]
Slots = Annotated[int | None, Parameter(help="Slots of the lot; by default those that the log names.")]
Choice = Annotated[str | None, Parameter(help=f"Slot choice: {', '.join(CHOICE_NAMES)}; by default inferred.")]
MaxInParking = Annotated[
    str | None, Parameter(help="Time-out of the lot: 180s; or unlimited. By default the log's, or inferred.")
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
    """Check every parking event of a PBX against the rules, and measure the log as a simulation is measured."""
    from parksim.pbx.what_if import DRAWS
    from parksim.reports.screen_logs import log_screen

    changes = dict(pairs("--what-if", what_if, "lot.slots=8"))
    met = _met(log, tolerance, slots, choice, max_in_parking)
    with _about("--what-if"):
        otherwise = met.what_if(changes) if changes else {}
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
            measured = {name: one._asdict() for name, one in otherwise.items()}
            plain["what_if"] = {"changes": changes, "draws": DRAWS, "measures": measured}
        return Answer(as_json(plain), code)
    return Answer(log_screen(read, agreement, measures, changes, otherwise), code)


def calibrate_command(
    log: LogFile,
    *,
    out: Annotated[
        Path | None, Parameter(name=["--out", "-o"], help="Write the scenario to this file (.toml), not to stdout.")
    ] = None,
    lot: Annotated[str | None, Parameter(help="Of several lots, this one; by default the busiest.")] = None,
    tolerance: Tolerance = "5ms",
    slots: Slots = None,
    choice: Choice = None,
    max_in_parking: MaxInParking = None,
) -> Answer:
    """Turn a log into a scenario: each figure with its 95 % interval, n and source; guesses are marked."""
    from parksim.pbx.check_of_fit import bands, in_words
    from parksim.pbx.fitting import draws_beside

    check_out(out, (".toml",))
    check_not_read("-o", out, log=log)
    if out is not None:
        check_out(draws_beside(out), (".csv",))
        check_not_read("-o", draws_beside(out), log=log)
    met = _met(log, tolerance, slots, choice, max_in_parking)
    with _about(f"--lot {lot}:"):
        result = met.calibrate(lot)
    _ = result.scenario  # raises where parksim could not load it
    checked = bands(result, met.log, met.measures)
    fit = f"Check of fit: {in_words(checked)}" if checked else ""
    result.head += [fit] if fit else []
    if out is None:
        return Answer(result.toml)
    draws = result.save(out)
    first = met.agreement.first
    doubt = "" if first is None else f"The log does not follow the rules everywhere: parksim replay {log}\n"
    return Answer(
        f"{out}: {len(result.figures)} figures with their intervals; not in the log: {len(result.unknown)}\n"
        + ("" if draws is None else f"{draws}: joint draws of {len(result.draws)} of them, for a second interval\n")
        + (f"{textwrap.fill(fit, 80)}\n" if fit else "")
        + f"{doubt}Next: parksim run {out}\n"
    )


@contextmanager
def _about(option: str) -> Iterator[None]:
    """Say of which option an error is that is not the log's."""
    try:
        yield
    except LogError:
        raise
    except ValueError as error:
        raise UsageError(f"{option} {error}") from None


def _met(path: Path, tolerance: str, slots: int | None, choice: str | None, max_in_parking: str | None) -> "Replay":
    from parksim.pbx.replay import replay
    from parksim.scenario.quantities import UNLIMITED

    check_count("--slots", slots, 1, 10_000)
    if choice is not None and choice not in CHOICE_NAMES:
        raise UsageError(f"--choice {choice}: choose one of {', '.join(CHOICE_NAMES)}")
    limit = max_in_parking if max_in_parking in {None, UNLIMITED} else _seconds("--max-in-parking", max_in_parking)
    seconds = _seconds("--tolerance", tolerance)
    return replay(path, tolerance=seconds, slots=slots, choice=choice, max_in_parking=limit)


def _seconds(option: str, text: str) -> float:
    from parksim.scenario.quantities import duration_s, microseconds

    try:
        value: object = float(text) if text.replace(".", "", 1).isdecimal() else text
        return microseconds(duration_s(value)) / 1e6
    except UnfitError as error:
        raise UsageError(f"{option} {text}: {error}") from None
