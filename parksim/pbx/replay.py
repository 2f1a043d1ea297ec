"""A PBX's log met in Python: does it follow the rules, what does it measure, and which scenario is it?

>>> met = replay("tests/pbx/traces/giveup.jsonl")
>>> met.follows, met.agreement.parking_rows
(True, 15)
>>> calibrate("tests/pbx/traces/giveup.jsonl").scenario.lot.slots
5
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from parksim.errors import ArgumentError, JournalError, LogError, UnfitError
from parksim.pbx import calibrate as calibrating
from parksim.pbx import what_if as reoffered
from parksim.pbx.conformance import Agreement, compare, events_told
from parksim.pbx.fitting import Calibration
from parksim.pbx.formats import nearest
from parksim.pbx.log import MOST_SLOTS, TOLERANCE_US, FieldLog, read_log
from parksim.pbx.log_measures import Recorded, measured
from parksim.pbx.what_if import Change, WhatIf
from parksim.results import html_table
from parksim.rules.codes import CHOICE_NAMES, NEVER
from parksim.scenario.quantities import UNLIMITED, duration_s, microseconds

Duration = str | float
"""Seconds, or a text as in a scenario: "5ms", "3m"."""


@dataclass(frozen=True)
class Replay:
    """A log and what the rules say to each of its parking events."""

    log: FieldLog
    agreement: Agreement

    @property
    def follows(self) -> bool:
        """Whether every parking event is one that the rules would have written."""
        return self.agreement.first is None

    @cached_property
    def measures(self) -> dict[str, Recorded]:
        """The measures of a simulation, of the log: value, limits and, where there is none, the reason."""
        return measured(self.log)

    def calibrate(self, lot: str | None = None) -> Calibration:
        """Return the scenario of this log: of the busiest lot, or of ``lot``.

        Raises:
            LogError: time goes back within the log.
            ArgumentError: there is no such lot.
        """
        if self.log.misplaced:
            reason = "its instant does not fit the order of the lines"
            raise LogError(self.log.path, self.log.misplaced[0], reason, "sort them by time")
        return calibrating.calibrate(self.log, self.agreement, lot)

    def what_if(self, changes: Mapping[str, object]) -> dict[str, WhatIf]:
        """Return the measures that the calls of this log would have had with another lot.

        What the log does not show, the clocks that lost a race above all, is drawn ``reoffered.DRAWS`` times from the
        laws that calibrating finds.

        Args:
            changes: ``CHANGES`` -> values as in a scenario: {"lot.slots": 8, "lot.max_in_parking": "60s"}.

        Raises:
            LogError: time goes back within the log, or calls are in one slot together.
            ArgumentError: a key or a value that there is not.
        """
        change = _change(changes)
        try:
            _ = self.log.measured
        except LogError:
            raise
        except JournalError as error:
            raise LogError(self.log.path, None, f"these calls cannot be offered again: {error}", "replay it") from None
        return reoffered.what_if(self.log, self.agreement, self.calibrate().scenario, change)

    def _repr_html_(self) -> str:
        first = self.agreement.first
        verdict = "follows the rules" if first is None else f"line {first.line}: {first.why}"
        rows = [(kind, rows, agreed) for kind, agreed, rows in events_told(self.agreement)]
        return html_table(f"{self.log.path.name}: {verdict}", ["fact", "in the log", "as the rules say"], rows)


def replay(
    path: str | Path,
    *,
    tolerance: Duration = TOLERANCE_US / 1e6,
    slots: int | None = None,
    choice: str | None = None,
    max_in_parking: Duration | None = None,
) -> Replay:
    """Ask the rules of each parking event in a log.

    Args:
        path: Asterisk events (JSON Lines or AMI text), CSV, or a journal of parksim.
        tolerance: how far an instant may be off.
        slots: of each lot, where the log does not tell.
        choice: "lowest", "next" or "random"; by default the one that more parks agree with.
        max_in_parking: time-out of parks that tell none, or "unlimited"; by default inferred.

    Raises:
        LogError: the log cannot be read, or holds no parking event.
        ArgumentError: an argument is not one of these; the message says which.
    """
    if slots is not None and slots < 1:
        raise ArgumentError(f"slots = {slots}: a lot has at least one")
    if choice is not None and choice not in CHOICE_NAMES:
        raise ArgumentError(f"choice = {choice!r}: choose one of {', '.join(CHOICE_NAMES)}")
    limit_us = None
    if max_in_parking is not None:
        limit_us = NEVER if max_in_parking == UNLIMITED else _us("max_in_parking", max_in_parking)
    tolerance_us = _us("tolerance", tolerance)
    log = read_log(path)
    number = None if choice is None else CHOICE_NAMES.index(choice)
    return Replay(log, compare(log, tolerance_us, slots, number, limit_us))


def calibrate(
    path: str | Path,
    *,
    lot: str | None = None,
    tolerance: Duration = TOLERANCE_US / 1e6,
    slots: int | None = None,
    choice: str | None = None,
    max_in_parking: Duration | None = None,
) -> Calibration:
    """Turn a log into a scenario, each figure with its 95 % interval.

    ``lot`` says whose, of several (by default the busiest); the other arguments are those of ``replay``.

    Raises:
        LogError: the log cannot be read, holds no parking event, or time goes back within it.
        ArgumentError: an argument is not one of these, or there is no such lot.
    """
    met = replay(path, tolerance=tolerance, slots=slots, choice=choice, max_in_parking=max_in_parking)
    return met.calibrate(lot)


CHANGES: Final = ("lot.slots", "lot.max_in_parking", "lot.choice")
"""What can be another for the calls of a log."""


def _change(changes: Mapping[str, object]) -> Change:
    change = Change()
    for key, value in changes.items():
        said = f"{key} = {value}"
        if key == "lot.slots":
            if not str(value).isdecimal() or not 1 <= int(str(value)) <= MOST_SLOTS:
                raise ArgumentError(f"{said}: a whole number from 1 to {MOST_SLOTS:,}")
            change = change._replace(slots=int(str(value)))
        elif key == "lot.max_in_parking":
            limit_us = NEVER if value == UNLIMITED else max(_us(key, value), 1)
            change = change._replace(limit_us=limit_us)
        elif key == "lot.choice":
            if value not in CHOICE_NAMES:
                raise ArgumentError(f"{said}: choose one of {', '.join(CHOICE_NAMES)}")
            change = change._replace(choice=CHOICE_NAMES.index(str(value)))
        else:
            near = nearest(key, CHANGES) or f"one of {', '.join(CHANGES)}"
            raise ArgumentError(f"{key}: only the lot can be another for recorded calls; {near}")
    return change


def _us(name: str, value: object) -> int:
    try:
        return microseconds(duration_s(value))
    except UnfitError as error:
        raise ArgumentError(f"{name} = {value!r}: {error}") from None
