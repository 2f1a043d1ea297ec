"""Commands about logs of a real PBX: ``replay`` (does it follow the rules?) and ``calibrate`` (a scenario from it)."""

import shlex
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from parksim.cli.options import (
    DONE,
    MISSED,
    UNDECIDED,
    Answer,
    Json,
    as_json,
    check_count,
    check_not_read,
    check_out,
    pairs,
)
from parksim.errors import ArgumentError, LogError, UnfitError, UsageError
from parksim.rules.codes import CHOICE_NAMES

if TYPE_CHECKING:
    from parksim.pbx.replay import Replay

LogFiles = Annotated[
    Path,
    Parameter(
        help="AMI, CEL, queue_log, valet events, CDR, CSV, or a journal of parksim; several of one PBX, and all files "
        "of a rotated log, gzipped or not, in any order.",
    ),
]
TOLERANCE: Final = "5ms"
LARGE: Final = 20_000_000
"""Files of more bytes together show how much of them has been read."""
LONGEST_COUNTED_S: Final = 12 * 3600.0
"""A time-out that whole hours can tell of, and whose lot is full again within the scenario's day."""
Tolerance = Annotated[str, Parameter(help="How far an instant may be off.")]
Slots = Annotated[int | None, Parameter(help="Slots of the lot; by default those that the log names.")]
Choice = Annotated[str | None, Parameter(help=f"Slot choice: {', '.join(CHOICE_NAMES)}; by default inferred.")]
MaxInParking = Annotated[
    str | None, Parameter(help="Time-out of the lot: 180s; or unlimited. By default the log's, or inferred.")
]
Zone = Annotated[str | None, Parameter(help="Time zone of dates without an offset: Europe/Berlin.")]
ClockSet = Annotated[
    bool, Parameter(negative=(), help="The clock was set where time goes back in the log; judge it nevertheless.")
]
Columns = Annotated[
    str, Parameter(help="Columns of a CEL whose file does not name them: eventtype,eventtime,uniqueid,...")
]
Report = Annotated[
    Path | None,
    Parameter(help="Write a page to read: .html (opens offline) or .md; what was read, what it tells, the measures."),
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
    *log: LogFiles,
    tolerance: Tolerance = TOLERANCE,
    slots: Slots = None,
    choice: Choice = None,
    max_in_parking: MaxInParking = None,
    zone: Zone = None,
    clock_set: ClockSet = False,
    columns: Columns = "",
    what_if: WhatIfOption = (),
    report: Report = None,
    json: Json = False,
) -> Answer:
    """Check every parking event of a PBX against the rules, and measure the log as a simulation is measured."""
    from parksim.pbx.what_if import DRAWS
    from parksim.reports.screen_logs import log_screen
    from parksim.scenario.quantities import HOUR_US

    changes = dict(pairs("--what-if", what_if, "lot.slots=8"))
    if not log:
        raise UsageError("replay needs a log: parksim replay LOG")
    _check_report(report, log)
    met = _met(log, tolerance, slots, choice, max_in_parking, zone, columns, clock_set=clock_set)
    _write_report(met, report)
    with _about("--what-if"):
        otherwise = met.what_if(changes) if changes else {}
    read, agreement, measures = met.log, met.agreement, met.measures
    code = {True: DONE, False: MISSED, None: UNDECIDED}[met.follows]
    if json:
        plain = {
            "log": read.path.name,
            "files": read.files,
            "form": read.form,
            "covered_hours": read.covered_us / HOUR_US,
            "remarks": [one.as_dict() for one in read.remarks.values()],
            "cut_off_calls": len(read.cut_off),
            "agreement": agreement.as_dict(),
            "measures": {name: one._asdict() for name, one in measures.items()},
        }
        if changes:
            measured = {name: one._asdict() for name, one in otherwise.items()}
            plain["what_if"] = {"changes": changes, "draws": DRAWS, "measures": measured}
        return Answer(as_json(plain), code)
    return Answer(log_screen(read, agreement, measures, changes, otherwise), code)


def calibrate_command(
    *log: LogFiles,
    counts: Annotated[
        Path | None,
        Parameter(
            help="Instead of a log: counters, a CSV with a row for each hour and the columns time, offered, parked, "
            "retrieved, returned, abandoned, refused. Needs --slots and --max-in-parking."
        ),
    ] = None,
    out: Annotated[
        Path | None, Parameter(name=["--out", "-o"], help="Write the scenario to this file (.toml), not to stdout.")
    ] = None,
    lot: Annotated[str | None, Parameter(help="Of several lots, this one; by default the busiest.")] = None,
    tolerance: Tolerance = TOLERANCE,
    slots: Slots = None,
    choice: Choice = None,
    max_in_parking: MaxInParking = None,
    zone: Zone = None,
    clock_set: ClockSet = False,
    columns: Columns = "",
    report: Report = None,
) -> Answer:
    """Turn a log, or counters, into a scenario: each figure with its 95 % interval and source; guesses are marked."""
    from parksim.pbx.check_of_fit import Checked, bands, in_words
    from parksim.pbx.fitting import draws_beside
    from parksim.reports.screen_logs import next_lines

    check_out(out, (".toml",))
    if counts is not None:
        others = {"LOG": bool(log), "--lot": lot is not None, "--tolerance": tolerance != TOLERANCE}
        others |= {"--zone": zone is not None, "--clock-set": clock_set, "--report": report is not None}
        if given := next((name for name, is_given in others.items() if is_given), None):
            raise UsageError(f"--counts {counts}: {given} is for the log of single calls; leave it out")
        return _from_counts(counts, out, slots, choice, max_in_parking)
    if not log:
        raise UsageError(
            "calibrate needs a log, or counters: parksim calibrate LOG, or parksim calibrate --counts FILE"
        )
    draws_file = None if out is None else draws_beside(out)
    check_out(draws_file, (".csv",))
    for file, written in product(log, (out, draws_file)):
        check_not_read("-o", written, log=file)
    _check_report(report, log)
    met = _met(log, tolerance, slots, choice, max_in_parking, zone, columns, clock_set=clock_set)
    with _about(f"--lot {lot}:"):
        result = met.calibrate(lot)
    scenario = result.scenario  # raises where parksim could not load it
    checked = bands(result, met.log, met.measures)
    fit = f"Check of fit: {in_words(checked)}" if checked else ""
    result.head += [fit] if fit else []
    _write_report(Checked(met, result, checked), report, "" if out is None else out.name)
    if out is None:
        return Answer(result.toml)
    draws = result.save(out)
    return Answer(
        f"{out}: {len(result.figures)} figures with their intervals; not in the log: {len(result.unknown)}\n"
        + ("" if draws is None else f"{draws}: joint draws of {len(result.draws)} of them, for a second interval\n")
        + (f"{textwrap.fill(fit, 80)}\n" if fit else "")
        + _doubt(met.follows, log)
        + "".join(f"{line}\n" for line in next_lines("log", scenario, out))
    )


def _doubt(follows: bool | None, log: tuple[Path, ...]) -> str:
    doubts = {False: "does not follow the rules everywhere", None: "does not tell whether it follows the rules"}
    doubt = doubts.get(follows, "")
    return doubt and f"The log {doubt}: parksim replay {shlex.join(map(str, log))}\n"


def _from_counts(
    counts: Path, out: Path | None, slots: int | None, choice: str | None, max_in_parking: str | None
) -> Answer:
    """Return the scenario of counters, or write it and the draws of what it leaves open beside it."""
    from parksim.pbx.counted import counted
    from parksim.pbx.counts import read_counts
    from parksim.pbx.fitting import draws_beside
    from parksim.reports.screen_logs import counts_screen
    from parksim.scenario.quantities import UNLIMITED

    draws = None if out is None else draws_beside(out)
    for option, file in (("-o", out), ("the file of draws", draws)):
        check_not_read(option, file, counts=counts)
    check_out(draws, (".csv",), "the file of draws")
    if slots is None or max_in_parking is None:
        given = {"--slots": slots, "--max-in-parking": max_in_parking, "--choice": choice, "-o": out}
        lacking = {
            name: one for name, one in {"--slots": 10, "--max-in-parking": "180s"}.items() if given[name] is None
        }
        line = {"--counts": counts, **given, **lacking}
        typed = " ".join(f"{name} {shlex.quote(str(one))}" for name, one in line.items() if one is not None)
        add = " and ".join(f"{name} {one}" for name, one in lacking.items())
        raise UsageError(
            f"--counts {counts}: counters do not say it; add {add}, as the lot is configured: parksim calibrate {typed}"
        )
    check_count("--slots", slots, 1, 10_000)
    _check_choice(choice)
    if max_in_parking == UNLIMITED:
        raise UsageError("--max-in-parking unlimited: counters tell how long a stay is only by the time-out; name one")
    limit_s = _seconds("--max-in-parking", max_in_parking)
    if not 1.0 <= limit_s <= LONGEST_COUNTED_S:
        raise UsageError(f"--max-in-parking {max_in_parking}: with --counts from 1s to 12h")
    read = read_counts(counts, slots)
    result = counted(read, slots, limit_s, choice or "")
    scenario = result.calibration.scenario  # raises where parksim could not load it
    if out is None or draws is None:
        return Answer(result.calibration.toml)
    result.calibration.save(out)
    return Answer(counts_screen(read, result, scenario, out, draws))


def _check_report(report: Path | None, log: tuple[Path, ...]) -> None:
    if report is None:
        return
    from parksim.reports.html import ENDINGS

    check_out(report, ENDINGS, "--report")
    for file in log:
        check_not_read("--report", report, log=file)


def _write_report(of: object, report: Path | None, source: str = "") -> None:
    if report is not None:
        from parksim.reports.html import save

        save(of, report, source=source)


@contextmanager
def _about(option: str) -> Iterator[None]:
    """Say of which option an error is that is not the log's."""
    try:
        yield
    except LogError:
        raise
    except ValueError as error:
        raise UsageError(f"{option} {error}") from None


def _met(
    paths: tuple[Path, ...],
    tolerance: str,
    slots: int | None,
    choice: str | None,
    max_in_parking: str | None,
    zone: str | None,
    columns: str,
    *,
    clock_set: bool,
) -> "Replay":
    from parksim.pbx.replay import replay
    from parksim.scenario.quantities import UNLIMITED

    check_count("--slots", slots, 1, 10_000)
    _check_choice(choice)
    limit = max_in_parking if max_in_parking in {None, UNLIMITED} else _seconds("--max-in-parking", max_in_parking)
    seconds = _seconds("--tolerance", tolerance)
    try:
        with _reading(paths) as progress:
            return replay(
                paths,
                tolerance=seconds,
                slots=slots,
                choice=choice,
                max_in_parking=limit,
                zone=zone,
                clock_set=clock_set,
                columns=columns,
                progress=progress,
            )
    except ArgumentError as error:
        raise UsageError(f"--{error}") from None


@contextmanager
def _reading(paths: tuple[Path, ...]) -> Iterator[Callable[[int], None] | None]:
    """Tell on stderr how much of large files has been read, unless they are small."""
    from parksim.cli.progress import Progress
    from parksim.scenario.reading import MIB

    sizes = [path.stat().st_size for path in paths if path.is_file()]
    if sum(sizes) < LARGE:
        yield None
        return
    done = 0

    def read(more: int) -> None:
        nonlocal done
        done += more
        progress(done // MIB, sum(sizes) // MIB)

    with Progress("MiB") as progress:
        yield read


def _check_choice(choice: str | None) -> None:
    if choice is not None and choice not in CHOICE_NAMES:
        raise UsageError(f"--choice {choice}: choose one of {', '.join(CHOICE_NAMES)}")


def _seconds(option: str, text: str) -> float:
    from parksim.scenario.quantities import duration_s, microseconds

    try:
        value: object = float(text) if text.replace(".", "", 1).isdecimal() else text
        return microseconds(duration_s(value)) / 1e6
    except UnfitError as error:
        raise UsageError(f"{option} {text}: {error}") from None
