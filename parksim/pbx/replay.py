"""A PBX's log in Python: does the PBX follow the rules, what are its measures, which scenario describes it?

>>> met = replay("tests/pbx/traces/giveup.jsonl")
>>> met.follows, met.agreement.parking_rows
(True, 15)
>>> calibrate("tests/pbx/traces/giveup.jsonl").scenario.lot.slots
5
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from parksim.errors import ArgumentError, JournalError, LogError, UnfitError
from parksim.pbx import calibrate as calibrating
from parksim.pbx import what_if as reoffered
from parksim.pbx.agreement import Agreement
from parksim.pbx.conformance import compare
from parksim.pbx.fitting import Calibration
from parksim.pbx.formats.cel import columns_of
from parksim.pbx.formats.content import did_you_mean
from parksim.pbx.formats.files import Progress
from parksim.pbx.log import MOST_SLOTS, TOLERANCE_US, FieldLog, Reading, read_log
from parksim.pbx.log_measures import LogMeasure, measured
from parksim.pbx.occupancy import compare_without_slots
from parksim.pbx.what_if import Change, WhatIf
from parksim.results import html_table, shower
from parksim.rules import codes as c
from parksim.scenario.quantities import UNLIMITED, duration_s, microseconds

Duration = str | float
"""Seconds, or a text as in a scenario: "5ms", "3m"."""


@dataclass(frozen=True)
class Replay:
    """A log, and what the rules say about each of its parking events."""

    log: FieldLog
    agreement: Agreement

    @property
    def follows(self) -> bool | None:
        """Whether every parking event is one that the rules would have written; None if the log cannot tell."""
        return self.agreement.follows

    @cached_property
    def measures(self) -> dict[str, LogMeasure]:
        """The measures of a simulation, computed from the log: value, limits, and the reason if undefined."""
        return measured(self.log)

    def calibrate(self, lot: str | None = None) -> Calibration:
        """Return the scenario of this log: of the busiest lot, or of ``lot``.

        Raises:
            LogError: time goes back within the log.
            ArgumentError: there is no such lot.
        """
        if self.log.misplaced:
            reason = "its instant does not fit the order of the lines"
            raise LogError(*self.log.place(self.log.misplaced[0]), reason, "sort them by time")
        return calibrating.calibrate(self.log, self.agreement, lot)

    def what_if(self, changes: Mapping[str, object]) -> dict[str, WhatIf]:
        """Return the measures that the calls of this log would have had with another lot.

        The log does not show everything, mainly not the clocks that lost a race. Those values are drawn
        ``what_if.DRAWS`` times from the laws that ``calibrate`` finds.

        Args:
            changes: ``CHANGES`` -> values as in a scenario: {"lot.slots": 8, "lot.max_in_parking": "60s"}.

        Raises:
            LogError: time goes back within the log, or calls are in one slot together.
            ArgumentError: an unknown key, or a wrong value.
        """
        change = _change(changes)
        try:
            _ = self.log.measured
        except LogError:
            raise
        except JournalError as error:
            raise LogError(self.log.path, None, f"these calls cannot be offered again: {error}", "replay it") from None
        return reoffered.what_if(self.log, self.agreement, self.calibrate().scenario, change)

    def report(self, path: str | Path) -> None:
        """Write a page (``.html``, opens offline) or Markdown (``.md``): what was read, the verdict, what to record.

        Raises:
            ArgumentError: the file's name ends otherwise.
            OutputError: the file cannot be written.
        """
        shower("report")(self, path)

    def _repr_html_(self) -> str:
        first = self.agreement.first
        told = "follows the rules" if self.follows else "cannot be told from this log"
        verdict = told if first is None else f"line {first.line}: {first.why}"
        rows = [(kind, rows, agreed) for kind, agreed, rows in self.agreement.by_kind()]
        return html_table(f"{self.log.path.name}: {verdict}", ["fact", "in the log", "as the rules say"], rows)


def replay(
    paths: str | Path | Sequence[str | Path],
    *,
    tolerance: Duration = TOLERANCE_US / 1e6,
    slots: int | None = None,
    choice: str | None = None,
    max_in_parking: Duration | None = None,
    zone: str | None = None,
    clock_set: bool = False,
    columns: str = "",
    progress: Progress | None = None,
) -> Replay:
    """Check each parking event of a log against the rules.

    Args:
        paths: of one log, or of several of the same PBX and time, in any order, each in a form of
            ``formats.table.READERS``; or of a journal of parksim.
        tolerance: how far an instant may be off.
        slots: of each lot; by default those that the log names.
        choice: "lowest", "next" or "random"; by default the one with which more parks agree.
        max_in_parking: time-out of each lot, or "unlimited"; by default the log's, or inferred.
        zone: the time zone of dates without an offset, such as "Europe/Berlin".
        clock_set: whether the clock is known to have been set where time goes back; else the verdict is None.
        columns: those of a CEL whose file does not name them, with commas between them.
        progress: called with the number of bytes read since the last call.

    What is stated is checked: a row that shows something else disagrees.

    Raises:
        LogError: the log cannot be read, or holds no parking event.
        ArgumentError: an argument is not one of these; the message says which.
    """
    if slots is not None and slots < 1:
        raise ArgumentError(f"slots = {slots}: a lot has at least one")
    if choice is not None and choice not in c.CHOICE_NAMES:
        raise ArgumentError(f"choice = {choice!r}: choose one of {', '.join(c.CHOICE_NAMES)}")
    limit_us = None
    if max_in_parking is not None:
        limit_us = c.NEVER if max_in_parking == UNLIMITED else _us("max_in_parking", max_in_parking)
    tolerance_us = _us("tolerance", tolerance)
    log = read_log(paths, Reading(tolerance_us, _zone(zone), clock_set, progress, columns_of(columns)))
    number = None if choice is None else c.CHOICE_NAMES.index(choice)
    if not log.has_slots:
        return Replay(log, compare_without_slots(log, tolerance_us, slots, limit_us))
    return Replay(log, compare(log, tolerance_us, slots, number, limit_us))


def _zone(name: str | None) -> ZoneInfo | None:
    try:
        return None if name is None else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        step = did_you_mean(name or "", available_timezones(), "name one as Europe/Berlin")
        raise ArgumentError(f"zone = {name!r}: this is not a time zone that is known here; {step}") from None


def calibrate(
    paths: str | Path | Sequence[str | Path],
    *,
    lot: str | None = None,
    tolerance: Duration = TOLERANCE_US / 1e6,
    slots: int | None = None,
    choice: str | None = None,
    max_in_parking: Duration | None = None,
    zone: str | None = None,
    clock_set: bool = False,
    columns: str = "",
) -> Calibration:
    """Turn a log into a scenario, each figure with its 95 % interval.

    ``lot`` names the lot if the log has several (by default the busiest); the other arguments are those of ``replay``.

    Raises:
        LogError: the log cannot be read, holds no parking event, or time goes back within it.
        ArgumentError: an argument is not one of these, or there is no such lot.
    """
    met = replay(
        paths,
        tolerance=tolerance,
        slots=slots,
        choice=choice,
        max_in_parking=max_in_parking,
        zone=zone,
        clock_set=clock_set,
        columns=columns,
    )
    return met.calibrate(lot)


CHANGES: Final = ("lot.slots", "lot.max_in_parking", "lot.choice")
"""What ``what_if`` can change for the calls of a log."""


def _change(changes: Mapping[str, object]) -> Change:
    change = Change()
    for key, value in changes.items():
        said = f"{key} = {value}"
        if key == "lot.slots":
            if not str(value).isdecimal() or not 1 <= int(str(value)) <= MOST_SLOTS:
                raise ArgumentError(f"{said}: a whole number from 1 to {MOST_SLOTS:,}")
            change = change._replace(slots=int(str(value)))
        elif key == "lot.max_in_parking":
            limit_us = c.NEVER if value == UNLIMITED else max(_us(key, value), 1)
            change = change._replace(limit_us=limit_us)
        elif key == "lot.choice":
            if value not in c.CHOICE_NAMES:
                raise ArgumentError(f"{said}: choose one of {', '.join(c.CHOICE_NAMES)}")
            change = change._replace(choice=c.CHOICE_NAMES.index(str(value)))
        else:
            step = did_you_mean(key, CHANGES, f"one of {', '.join(CHANGES)}")
            raise ArgumentError(f"{key}: recorded calls can only be offered to another lot; {step}")
    return change


def _us(name: str, value: object) -> int:
    try:
        return microseconds(duration_s(value))
    except UnfitError as error:
        raise ArgumentError(f"{name} = {value!r}: {error}") from None
