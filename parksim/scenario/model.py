"""Scenario files: what is simulated, validated once at the door.

A scenario is TOML (see ``scenarios/`` and ``TEMPLATE``). Durations become seconds, rates become events per second,
shares numbers from 0 to 1; each fault is reported in one message with file, line, key, value, rule and the next
step. Past this door nothing is checked twice: ``settings`` gives the engines integers.

>>> scenario = Scenario.loads(TEMPLATE)
>>> scenario.lots[0].slots, scenario.horizon_us, scenario.settings.when_full
(6, 86400000000, 0)
>>> scenario.with_values({"lot.slots": 8, "attendants.handling": "45s"}).settings.slots
(8,)
"""

import copy
import hashlib
import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple, Self

import numpy as np
import pydantic

from parksim.errors import ArgumentError, ScenarioError, UnfitError
from parksim.results import html_table
from parksim.rules import codes
from parksim.scenario import messages as scenario_errors
from parksim.scenario import recordings, sections
from parksim.scenario import unknown as unknowns
from parksim.scenario.comments import Notes, keyed, notes_of
from parksim.scenario.laws import LAWS, Empirical, Law
from parksim.scenario.lots import SEVERAL, Lots, LotSection, NamedLot, check_retries, check_together, resolved
from parksim.scenario.objectives import Objective, Objectives
from parksim.scenario.positions import KeyPath, scan
from parksim.scenario.quantities import DAY_US, LONGEST_S, UNLIMITED, microseconds
from parksim.scenario.recordings import Recording

__all__ = ["TEMPLATE", "Scenario", "ScenarioError", "Settings"]

DAY_S: Final = 86_400
MOST_CALLS: Final = 20_000_000
"""A replication of more calls would not fit into memory."""
MOST_SLOTS: Final = 10_000
"""Of all lots together; each slot has figures of its own."""
MOST_S: Final = 2**62 / 1e6
"""Instants and sums of times are whole microseconds in 64 bits; half of them is left to chance."""


class Settings(NamedTuple):
    """What the engines need of a scenario, as integers.

    Codes of rules/codes.py; -1 = unlimited or never; times in us.
    """

    attendants: int  # -1 = unlimited; where their number changes, the most there are
    staff: int  # -1 = unlimited
    queue_limit: int  # -1 = no limit
    max_parks: int
    announcement_us: int
    when_full: int  # codes.FULL_*
    retries: int
    retry_after_us: int
    recall_to: int  # codes.TO_PARKER | TO_GROUP
    ring_us: int  # -1 = unlimited
    attempts: int
    busy: int  # codes.BUSY_*
    unanswered: int  # codes.UNANSWERED_*
    slots: tuple[int, ...]  # one number a lot
    choices: tuple[int, ...]  # codes.CHOOSE_* one a lot
    counts: tuple[int, ...] = ()  # attendants on duty, one number a period, then from the first again; (): all, always
    period_us: int = 3_600_000_000
    slot_asked: int = 0  # codes.SLOT_*
    slot_taken: int = 0  # codes.TAKEN_*
    fetching: int = 0  # codes.FETCH_*
    remind_every_us: int = -1  # -1 where nobody is reminded
    forward_after_us: int = -1  # from the first reminder
    retrievable: int = 0  # 1: a return can be fetched while it rings

    def stated(self) -> dict[str, Any]:
        """Return the fields by name; one that came later and has its default is left out, as older headers have it."""
        later = Settings._fields[Settings._fields.index("period_us") + 1 :]
        defaults = self._field_defaults
        return {name: value for name, value in self._asdict().items() if name not in later or value != defaults[name]}


class Scenario(sections.Section):
    """Everything that is simulated; immutable. Two are equal when their effective configuration is."""

    name: Annotated[str, sections.one_line('"Main switchboard"')] = pydantic.Field(min_length=1, max_length=200)
    run: sections.Run = sections.Run()
    arrivals: sections.Arrivals
    queue: sections.Queue = sections.Queue()
    attendants: sections.Attendants
    parking: sections.Parking
    lot: Lots
    retrieval: sections.Retrieval
    recall: sections.Recall = sections.Recall()
    caller: sections.Caller = sections.Caller()
    objectives: Objectives = ()
    uapi: sections.Uapi = sections.Uapi()
    unknown: unknowns.Unknown | None = None
    _limits: dict[str, unknowns.Limits] = pydantic.PrivateAttr(default_factory=dict)
    _raw: dict[str, Any] = pydantic.PrivateAttr(default_factory=dict)
    _origin: scenario_errors.Origin = pydantic.PrivateAttr(default_factory=scenario_errors.Origin)
    _notes: Notes | None = pydantic.PrivateAttr(default=None)

    @pydantic.model_validator(mode="wrap")
    @classmethod
    def _kept(cls, data: Any, handler: pydantic.ModelWrapValidatorHandler[Self], info: pydantic.ValidationInfo) -> Self:
        if not isinstance(data, Mapping):
            return handler(data)
        values, limits = unknowns.taken_apart(data)
        scenario = handler(values)
        context = info.context or {}
        scenario._raw = context.get("raw") or copy.deepcopy(dict(data))  # noqa: SLF001 - its own
        scenario._origin = scenario_errors.Origin(folder=str(context.get("folder", ".")))  # noqa: SLF001 - its own
        if limits:
            scenario._limits = scenario._limits_of(limits, values, handler)  # noqa: SLF001 - its own
        if scenario.unknown is not None and scenario.unknown.at_hand:
            here = unknowns.numbers(scenario._plain())  # noqa: SLF001 - its own
            check = partial(scenario._check_row, values, here, handler)  # noqa: SLF001 - its own
            unknowns.check_columns(scenario.unknown, here, scenario._limits, check)  # noqa: SLF001 - its own
        return scenario

    def _limits_of(
        self,
        found: Mapping[KeyPath, Mapping[str, Any]],
        values: Mapping[str, Any],
        handler: pydantic.ModelWrapValidatorHandler[Self],
    ) -> dict[str, unknowns.Limits]:
        """Return the limits by dotted key, each checked to make a valid scenario in place of its value."""
        here, limits = unknowns.numbers(self._plain()), {}
        for path, table in found.items():
            key, section = unknowns.key_of(path, here), str(path[0])
            if path[-2] == "weights" and not table["low"] == table["value"] == table["high"]:
                step = "write the weights alone; name a file of them in [unknown] draws"
                raise UnfitError("weights sum to 1, so they have limits only as joint draws", step, path)
            ends = {}
            for end in ("low", "high"):
                moved = {section: copy.deepcopy(values[section])}
                unknowns.with_number(moved, path, table[end])
                try:
                    design = handler(self._fields() | moved)
                except pydantic.ValidationError as error:
                    rule, step = scenario_errors.rule_of(error)
                    raise UnfitError(rule, step, (*path, end)) from None
                ends[end] = unknowns.numbers(design._plain())[key].value  # noqa: SLF001 - its own
            one = unknowns.Limits(here[key].value, ends["low"], ends["high"], here[key].kind)
            if not one.low == one.value == one.high:  # else it is known
                one.check(path)
                limits[key] = one
        return limits

    def _fields(self) -> dict[str, Any]:
        """Return what was given, but [unknown], whose file need not be read again."""
        return {name: getattr(self, name) for name in self.model_fields_set if name != "unknown"}

    def _check_row(
        self,
        values: Mapping[str, Any],
        here: Mapping[str, unknowns.Number],
        handler: pydantic.ModelWrapValidatorHandler[Self],
        row: unknowns.Row,
        where: str,
    ) -> None:
        """Refuse numbers that make no valid scenario in place of its own; the message begins with ``where``."""
        moved = {
            name: copy.deepcopy(values[name]) for name in {str(here[key].place[0]) for key in row} if name in values
        }
        for key, value in row.items():
            unknowns.with_number(moved, here[key].place, unknowns.written(value, here[key].kind))
        try:
            handler(self._fields() | moved)
        except pydantic.ValidationError as error:
            raise scenario_errors.explained(error, moved, scenario_errors.Origin(where), _keys) from None

    @pydantic.model_validator(mode="after")
    def _ends(self) -> Self:
        """Refuse what would leave a call in the system for ever, or more calls than fit."""
        if self.run.horizon is None and not isinstance(self.arrivals, sections.Recorded):
            raise UnfitError(
                "needs horizon, the length of a replication", 'add horizon = "1d", say', ("run", "horizon")
            )
        for place, lot in zip(self._lot_places, self.lots, strict=True):
            may_stay = self.retrieval.never > 0 or self.retrieval.order == "oldest"
            if lot.max_in_parking is None and self.stay_patience(lot) is None and may_stay:
                raise UnfitError(
                    "an unlimited stay needs another end: a call never fetched whose caller never hangs up stays for "
                    "ever",
                    "set a patience in [lot] or [caller], or never = 0 in [retrieval], or a max_in_parking"
                    if self.retrieval.order == "own"
                    else "set a patience in [lot] or [caller], or a max_in_parking",
                    (*place, "max_in_parking"),
                )
        self._check_lots()
        self._check_keys()
        if self.recall.retrievable and self.retrieval.fetching != codes.FETCH_CALL:
            key = "blind" if self.retrieval.blind else "order"
            raise UnfitError(
                "who comes then finds the calls that are in slots, and a return that rings is in none",
                f"remove retrieval.{key}, or this",
                ("recall", "retrievable"),
            )
        if self.recall.ring == UNLIMITED and self.recall.to == "parker":
            if self.recall.attempts > 1:
                raise UnfitError(
                    "an unlimited ring has only one attempt", "set attempts = 1, or a ring", ("recall", "attempts")
                )
            if self.recall.never > 0 and self.recall_patience is None:
                raise UnfitError(
                    "an unlimited ring needs another end: a return never answered whose caller never hangs up rings "
                    "for ever",
                    "set a patience in [recall] or [caller], or never = 0 in [recall], or a ring",
                    ("recall", "ring"),
                )
        self._check_run()
        return self

    def _check_lots(self) -> None:
        """See to it that what follows a refused park stands in one place only."""
        if isinstance(self.lot, LotSection):
            for key in ("when_full", "retries", "retry_after"):
                if getattr(self.parking, key) is not None:
                    raise UnfitError("of the only lot it stands in [lot]", f"move {key} to [lot]", ("parking", key))
            return
        check_together(self.lot)
        check_retries(self.retries, self.retry_after_s, "parking", "retries")

    def _check_keys(self) -> None:
        """See to it that each attendant has a slot of his own, where that is what he asks for."""
        if self.parking.slot != "own":
            return
        most, least = self.attendants.most, min(lot.slots for lot in self.lots)
        if most == UNLIMITED:
            rule, step = "unlimited attendants have no slots of their own", "give attendants.count a number"
        elif most > least:
            rule = f"each attendant has a slot of his own, and {most} attendants have {least} slots"
            step = f"set slots = {most}, or fewer attendants"
        else:
            return
        raise UnfitError(rule, step, ("parking", "slot"))

    def _check_run(self) -> None:
        if isinstance(self.arrivals, sections.Recorded) and not self.arrivals.at_hand:
            return
        end_s = (self.horizon_us + self.cool_down_us) / 1e6
        if self.horizon_us <= self.warm_up_us:
            raise UnfitError(
                f"the warm-up must end before the horizon, here {self.horizon_us / 1e6:g} s",
                "shorten warm_up or give a longer horizon",
                ("run", "warm_up"),
            )
        if isinstance(self.arrivals, sections.Recorded):
            if self.arrivals.resample == "days" and end_s > DAY_S:
                raise UnfitError(
                    'with resample = "days" a replication is one day, and horizon plus cool_down is longer',
                    "shorten them to 1d, or leave horizon out",
                    ("run", "horizon" if self.run.horizon is not None else "cool_down"),
                )
            recording = self.arrivals.recording
            first_us = int((recording.time_of_day_us if self.arrivals.resample else recording.instant_us).min())
            if first_us >= self.horizon_us:
                ends, comes = (timedelta(seconds=us // 1_000_000) for us in (self.horizon_us, first_us))
                raise UnfitError(
                    f"the replication ends {ends} h after midnight, and the first recorded call comes at {comes} h",
                    'give a longer horizon such as "1d", or leave it out',
                    ("run", "horizon"),
                )
        if self.expected_calls > MOST_CALLS:
            raise UnfitError(
                f"some {self.expected_calls:.3g} calls a replication are more than {MOST_CALLS:,} and would not fit "
                "into memory",
                "shorten horizon and run more replications",
                ("run", "horizon"),
            )
        self._check_whole_numbers(end_s)

    def _check_whole_numbers(self, end_s: float) -> None:
        """Refuse what may pass the largest whole number: an instant, or a sum of times, in microseconds.

        Sums are those of expected values; half the range of 64 bits is left for what is drawn beside them.
        """
        spread = math.hypot(self.expected_calls**0.5, sections.busy_cv(self.arrivals) * self.expected_calls)
        calls = self.expected_calls + 6 * spread + 10
        parks, slots = self.parking.max_parks, sum(lot.slots for lot in self.lots)
        if slots > MOST_SLOTS:
            rule = f"all lots together have {slots:,} slots, more than {MOST_SLOTS:,}"
            raise UnfitError(rule, "take fewer lots, or smaller ones", (*self._lot_places[0], "slots"))
        held, staff = self.attendants.most, self.retrieval.staff
        # What an attendant does after another: with one of them, all calls wait for all others.
        times = 1.0 if held == UNLIMITED else calls
        ring_s = LONGEST_S if self.recall.ring == UNLIMITED else self.recall.ring
        ends: dict[KeyPath, float] = {
            ("run", "horizon"): end_s,
            ("attendants", "handling"): times * (parks + 1) * _mean_s(self.attendants.handling),
            ("attendants", "talk"): times * _mean_s(self.attendants.talk),
            ("parking", "announcement"): times * parks * self.parking.announcement,
            ("recall", "forward_after"): parks * self.recall.forward_after,
            ("recall", "ring"): times * parks * self.recall.attempts * ring_s,
            (*self._lot_places[0], "retry_after"): times * parks * self.retries * (self.retry_after_s or 0.0),
            ("retrieval", "talk"): (1.0 if staff == UNLIMITED else calls) * parks * _mean_s(self.retrieval.talk),
        }
        _check_sum(ends, "until the last call has ended")
        waiting_s = 0.0
        if held != UNLIMITED and self.queue_patience is None:
            waiting_s = calls * max(calls * _mean_s(self.attendants.handling) / held - end_s, 0.0)
        stays = [lot.max_in_parking for lot in self.lots] if self.retrieval.delay is None else [self.retrieval.delay]
        sums: dict[KeyPath, float] = {
            (*self._lot_places[0], "slots"): slots * end_s,
            ("attendants", "count"): 0.0 if held == UNLIMITED else held * end_s,
            ("retrieval", "staff"): 0.0 if staff == UNLIMITED else staff * end_s,
            ("attendants", "handling"): waiting_s,
            ("retrieval", "delay"): calls * parks * max(map(_mean_s, stays)) * max(self.retrieval.factors),
        }
        for key, seconds in sums.items():
            _check_sum({key: seconds}, "when all of them are added up")

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Return the scenario in a TOML file.

        Raises:
            ScenarioError: the file cannot be read or something in it is wrong.
        """
        path = Path(path)
        return cls.loads(scenario_errors.read_text(path), name=str(path), folder=path.parent)

    @classmethod
    def loads(cls, text: str, name: str = "scenario", folder: str | Path = ".") -> Self:
        """Return the scenario in a TOML text; ``name`` stands in messages, file names start at ``folder``.

        Raises:
            ScenarioError: something in it is wrong.
        """
        origin = scenario_errors.Origin(name=name, text=text, folder=str(folder))
        return cls._built(scenario_errors.parse(origin), origin)

    @classmethod
    def _built(cls, raw: dict[str, Any], origin: scenario_errors.Origin) -> Self:
        try:
            scenario = cls.model_validate(raw, context={"folder": origin.folder})
        except pydantic.ValidationError as error:
            raise scenario_errors.explained(error, raw, origin, _keys) from None
        scenario._origin = origin  # noqa: SLF001 - its own
        return scenario

    @classmethod
    def of_canonical(cls, text: str, objectives: Mapping[str, str] | None = None) -> Self:
        """Return the scenario of a ``canonical`` text; no file that the text names is opened.

        Args:
            text: kept in a result, a store or a journal.
            objectives: the targets as they were written, by measure; by default those of the text.

        Raises:
            ArgumentError: it is no such text.
        """
        try:
            raw = json.loads(text)
            named = [*scenario_errors.named_files(raw)]
            if not isinstance(raw, dict) or named:
                raise ArgumentError(f"names {scenario_errors.shown_value(named[0])}" if named else "no object")
            scenario = cls.model_validate(raw if objectives is None else raw | {"objectives": objectives})
            _ = scenario.canonical  # raises where a value cannot be written again
        except (ValueError, TypeError, ArithmeticError, RecursionError) as error:
            raise ArgumentError("is not one that can be read back") from error
        return scenario

    def with_values(self, values: Mapping[str, object], *, option: str = "") -> Self:
        """Return the scenario with some values replaced; on the command line ``--set`` does it.

        Keys are dotted (``"lot.slots"``, and of several lots ``"lot.NAME.slots"``). A text is read as TOML and, where
        that fails, taken as it is; any other value is taken as it is. Names of files given here are relative to the
        working folder. Messages name the ``option`` of a command line that gave the values.

        Raises:
            ScenarioError: the result is no valid scenario.
        """
        raw, paths = scenario_errors.overridden(self._raw, values, resolved, option)
        self._fix(raw, paths)
        return self._built(raw, self._origin._replace(given=(*self._origin.given, *paths), option=option))

    def _fix(self, raw: dict[str, Any], paths: tuple[KeyPath, ...]) -> None:
        """Let the draws of a file give way to values that were set."""
        if self.unknown is None or not self.unknown.at_hand or ("unknown", "draws") in paths:
            return
        here = unknowns.numbers(self._plain())
        places = [(key, here[key].place) for key in self.not_known if key not in self._limits]
        fixed = [key for key, place in places for path in paths if place[: len(path)] == path]
        if fixed:
            raw["unknown"]["fixed"] = sorted({*self.unknown.fixed, *fixed})

    def origin(self, *path: str | int) -> str:
        """Return where the value at a place comes from: "hospital.toml, line 38: guess", "--set", "default"."""
        if any(path[: len(one)] == one for one in self._origin.given):
            return self._origin.option or "given"
        line = scan(self._origin.text).lines.get(path)
        if line is None:
            return "default"
        key = f"lot.{self.lot_names[path[1]]}.{path[2]}" if isinstance(path[1], int) else ".".join(map(str, path))
        return f"{Path(self._origin.name).name}, line {line}{': guess' if self.notes.is_guess(key) else ''}"

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that were read for it: its own, and those that it names."""
        named = scenario_errors.named_files(self._raw)
        return (Path(self._origin.name), *(recordings.located(one, self._origin._asdict()) for one in named))

    @property
    def queue_patience(self) -> Law | None:
        """How long a caller waits in the queue; None: for ever."""
        return self._patience(self.queue)

    def stay_patience(self, lot: LotSection | NamedLot) -> Law | None:
        """Return how long a parked caller waits whose call asked ``lot`` first; None: for ever."""
        return self._patience(lot)

    @property
    def recall_patience(self) -> Law | None:
        """How long a returning caller waits, from the time-out; None: for ever."""
        return self._patience(self.recall)

    def _patience(self, section: sections.Queue | LotSection | NamedLot | sections.Recall) -> Law | None:
        return section.patience if "patience" in section.model_fields_set else self.caller.patience

    @property
    def lots(self) -> tuple[LotSection | NamedLot, ...]:
        """The lots, in the order in which they overflow; one where the file has [lot]."""
        return (self.lot,) if isinstance(self.lot, LotSection) else self.lot

    @property
    def _lot_places(self) -> list[KeyPath]:
        """Where each of ``lots`` stands in the file."""
        return [("lot",)] if isinstance(self.lot, LotSection) else [("lot", place) for place in range(len(self.lot))]

    @property
    def lot_names(self) -> tuple[str, ...]:
        """A name for each lot; "lot" where it is the only one and has none."""
        return tuple(lot.name if isinstance(lot, NamedLot) else "lot" for lot in self.lots)

    @property
    def when_full(self) -> Literal["keep", "overflow", "drop"]:
        """What follows a park that no lot took."""
        return self.lot.when_full if isinstance(self.lot, LotSection) else self.parking.when_full or "keep"

    @property
    def retries(self) -> int:
        """How often a kept call asks again."""
        return self.lot.retries if isinstance(self.lot, LotSection) else self.parking.retries or 0

    @property
    def retry_after_s(self) -> float | None:
        """Time between two requests of a kept call."""
        return self.lot.retry_after if isinstance(self.lot, LotSection) else self.parking.retry_after

    @property
    def recording(self) -> Recording | None:
        """The recorded calls; None for other arrivals."""
        return self.arrivals.recording if isinstance(self.arrivals, sections.Recorded) else None

    @property
    def recorded_too_late(self) -> str:
        """A sentence about the recorded calls that come after the replication has ended; empty where none does."""
        source = self.arrivals
        if not isinstance(source, sections.Recorded) or not source.at_hand:
            return ""
        instant_us = source.recording.time_of_day_us if source.resample else source.recording.instant_us
        late = int((instant_us >= self.horizon_us + self.cool_down_us).sum())
        end = timedelta(seconds=(self.horizon_us + self.cool_down_us) // 1_000_000)
        last = timedelta(seconds=int(instant_us.max()) // 1_000_000)
        told = f"{late:,} of {len(instant_us):,} recorded calls come after the end at {end} h, the last at {last} h"
        return f"{told}; they are not offered." if late else ""

    @property
    def horizon_us(self) -> int:
        """End of the replication; for recorded arrivals by default the midnight after the last call."""
        if self.run.horizon is not None:
            return microseconds(self.run.horizon)
        assert isinstance(self.arrivals, sections.Recorded)
        if self.arrivals.resample == "days":
            return DAY_US
        last_us = int(self.arrivals.recording.instant_us[-1])
        return (last_us // DAY_US + 1) * DAY_US

    @property
    def expected_calls(self) -> float:
        """How many calls one replication offers on average."""
        end_us = self.horizon_us + self.cool_down_us
        if isinstance(self.arrivals, sections.Poisson):
            return self.arrivals.rate * end_us / 1e6
        if isinstance(self.arrivals, sections.Hourly):
            return sum(self.arrivals.calls_per_hour) * end_us / DAY_US
        assert isinstance(self.arrivals, sections.Recorded)
        days = self.arrivals.recording.days if self.horizon_us <= DAY_US else 1
        return len(self.arrivals.recording.instant_us) / days

    @property
    def warm_up_us(self) -> int:
        """Start that is not counted."""
        return microseconds(self.run.warm_up)

    @property
    def cool_down_us(self) -> int:
        """Time after the horizon in which calls are still offered."""
        return microseconds(self.run.cool_down)

    @property
    def settings(self) -> Settings:
        """What the engines need, as integers."""
        return Settings(
            attendants=_limit(self.attendants.most),
            staff=_limit(self.retrieval.staff),
            queue_limit=_limit(self.queue.limit),
            max_parks=self.parking.max_parks,
            announcement_us=microseconds(self.parking.announcement),
            when_full=codes.FULL_NAMES.index(self.when_full),
            retries=self.retries,
            retry_after_us=codes.NEVER if self.retry_after_s is None else microseconds(self.retry_after_s),
            recall_to=codes.RECALL_TO_NAMES.index(self.recall.to),
            ring_us=codes.NEVER if self.recall.ring == UNLIMITED else microseconds(self.recall.ring),
            attempts=self.recall.attempts,
            busy=codes.BUSY_NAMES.index(self.recall.busy),
            unanswered=codes.UNANSWERED_NAMES.index(self.recall.unanswered),
            slots=tuple(lot.slots for lot in self.lots),
            choices=tuple(codes.CHOICE_NAMES.index(lot.choice) for lot in self.lots),
            counts=self.attendants.counts,
            slot_asked=codes.SLOT_NAMES.index(self.parking.slot),
            slot_taken=codes.TAKEN_NAMES.index(self.parking.slot_taken),
            fetching=self.retrieval.fetching,
            remind_every_us=microseconds(self.recall.remind_every) if self.recall.to == "reminder" else codes.NEVER,
            forward_after_us=microseconds(self.recall.forward_after) if self.recall.to == "reminder" else codes.NEVER,
            retrievable=int(self.recall.retrievable),
        )

    @property
    def beyond_theory(self) -> str:
        """The first key with a way to park that formulas, controls and copies do not know; "" if they know all."""
        own, next_one = self.parking.slot == "own", self.parking.slot_taken == "next"
        ways = {
            "parking.slot_taken": own and not next_one,
            "retrieval.order": self.retrieval.order != "own",
            "retrieval.blind": self.retrieval.blind,
            "recall.to": self.recall.to == "reminder",
            "recall.retrievable": self.recall.retrievable,
        }
        return next((key for key, has in ways.items() if has), "")

    @property
    def measures_of_ways(self) -> frozenset[str]:
        """The measures of the ways to park that this scenario has and most do not."""
        own = self.parking.slot == "own"
        has = {
            "slot_taken_share": own and self.parking.slot_taken != "next",
            "stranger_share": self.retrieval.blind or (own and self.parking.slot_taken == "retrieve"),
            "slot_reused_share": self.retrieval.blind,
            "forwarded_share": self.recall.to in ("elsewhere", "reminder"),
            "reminded_share": self.recall.to == "reminder",
            "resumed_share": self.recall.to == "reminder",
            "recall_retrieved_share": self.recall.retrievable,
        }
        return frozenset(name for name, is_so in has.items() if is_so)

    @property
    def canonical(self) -> str:
        """The effective configuration as JSON text that is the same however the file was written.

        Files enter by the digest of their contents. ``of_canonical`` gives an equal scenario (which cannot draw from
        files that are not at hand).
        """
        plain = self._plain()
        here = unknowns.numbers(plain) if self._limits else {}
        for key, one in self._limits.items():
            table = {end: unknowns.written(getattr(one, end), one.kind) for end in ("value", "low", "high")}
            unknowns.with_number(plain, here[key].canonical, table)
        return json.dumps(plain, separators=(",", ":"), ensure_ascii=False, allow_nan=False)

    def _plain(self) -> dict[str, Any]:
        """Return the values as JSON knows them, without limits."""
        plain: dict[str, Any] = _plain(self)
        if self.run.horizon is None:
            plain["run"] = {"horizon": self.horizon_us / 1e6, **plain["run"]}
        return plain

    @property
    def limits(self) -> Mapping[str, unknowns.Limits]:
        """The numbers that the scenario has with limits, by dotted key (``"retrieval.delay.median"``)."""
        return self._limits

    @property
    def not_known(self) -> tuple[str, ...]:
        """The keys whose values are not known: those with limits, and those of a file of draws that is at hand."""
        if self.unknown is None or not self.unknown.at_hand:
            return tuple(self._limits)
        return (*self._limits, *(key for key in self.unknown.table.keys if key not in self.unknown.fixed))

    @property
    def has_unknown(self) -> bool:
        """Whether something is not known: a number has limits, or a file of draws has keys that are not fixed."""
        return bool(self.not_known) or (self.unknown is not None and not self.unknown.at_hand)

    @property
    def numbers(self) -> dict[str, float]:
        """Every number by its dotted key, but those of [run], [uapi] and the objectives: seconds, per second, shares.

        Entries of lists have their place behind the key: ``"arrivals.calls_per_hour.7"``.
        """
        return {key: one.value for key, one in unknowns.numbers(self._plain()).items()}

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """By key the limits, of 95 %, of what is not known: as the scenario has them, or those of its draws."""
        found = {key: (one.low, one.high) for key, one in self._limits.items()}
        if self.unknown is not None and self.unknown.at_hand:
            table = self.unknown.table
            ends = np.quantile(table.rows, (0.025, 0.975), axis=0).T.tolist()
            columns = dict(zip(table.keys, ends, strict=True))
            found |= {key: (columns[key][0], columns[key][1]) for key in self.not_known if key in columns}
        return found

    def with_numbers(self, values: Mapping[str, float]) -> Self:
        """Return the scenario with some of its ``numbers`` replaced; these are known then.

        Raises:
            ScenarioError: the result is no valid scenario.
        """
        here, raw = unknowns.numbers(self._plain()), copy.deepcopy(self._raw)
        for key, value in values.items():
            unknowns.with_number(raw, here[key].place, unknowns.written(value, here[key].kind))
        paths = tuple(here[key].place for key in values)
        self._fix(raw, paths)
        return self._built(raw, self._origin._replace(given=(*self._origin.given, *paths)))

    def drawn(self, draws: int, seed: int = 1) -> tuple[Self, ...]:
        """Return the scenario with values drawn for what is not known, once a draw: ordinary scenarios without limits.

        Equal seeds and numbers of draws give the values of one key in any scenario that has its limits: designs are
        compared over the same draws.

        Args:
            draws: how many.
            seed: any whole number from 0.

        Raises:
            UnfitError: hardly any draw makes a valid scenario, or the file of draws is not at hand.
        """
        base, _ = unknowns.taken_apart(self._raw)
        base.pop("unknown", None)
        build = partial(self._with_numbers, base, unknowns.numbers(self._plain()))
        return tuple(unknowns.drawn(self._limits, self.unknown, draws, seed, build))

    def _with_numbers(
        self, base: dict[str, Any], here: Mapping[str, unknowns.Number], values: Mapping[str, float]
    ) -> Self:
        """Return the scenario of some tables with other numbers; tables without one are not read again."""
        raw = copy.deepcopy(base)
        for key, value in values.items():
            unknowns.with_number(raw, here[key].place, unknowns.written(value, here[key].kind))
        touched = {str(here[key].place[0]) for key in values}
        kept = {name: getattr(self, name) for name in self.model_fields_set if name in base and name not in touched}
        context = {"folder": self._origin.folder, "raw": raw}
        try:
            made = type(self).model_validate(kept | {name: raw[name] for name in touched}, context=context)
        except pydantic.ValidationError as error:
            raise scenario_errors.explained(error, raw, self._origin, _keys) from None
        made._origin = self._origin  # noqa: SLF001 - its own
        return made

    @property
    def digest(self) -> str:
        """SHA-256 of ``canonical``, 64 hexadecimal digits."""
        return hashlib.sha256(self.canonical.encode()).hexdigest()

    @property
    def notes(self) -> Notes:
        """What the file says beside the values; of a scenario read back from a result, what that has kept of it."""
        if self._notes is not None:
            return self._notes
        return notes_of(self._origin.text, self._raw, self._origin.given)

    @property
    def assumptions(self) -> dict[str, Any]:
        """Each value of the scenario by its key, but the name, what is asked, and how clients are answered."""
        values = keyed(self._plain()).items()
        return {
            key: value
            for key, value in values
            if key != "name" and not key.startswith(("objectives.", "uapi.", "unknown.")) and not key.endswith("limits")
        }

    @property
    def guesses(self) -> dict[str, Any]:
        """Those of the assumptions that the file marks as guesses."""
        notes = self.notes
        return {key: value for key, value in self.assumptions.items() if notes.is_guess(key)}

    def with_notes(self, notes: Notes) -> Self:
        """Return the same scenario with other notes."""
        noted = self.model_copy()
        noted._notes = notes  # noqa: SLF001 - its own
        return noted

    @property
    def short_digest(self) -> str:
        """The first 12 digits of ``digest``."""
        return self.digest[:12]

    def __repr__(self) -> str:
        slots = sum(lot.slots for lot in self.lots)
        goals = ", ".join(f"{one.measure} {one.text}" for one in self.objectives)
        return f"<Scenario {self.name!r}: {slots} slots, {self.attendants.in_words}; {goals or 'no objectives'}>"

    __str__ = __repr__

    def _repr_html_(self) -> str:
        return html_table(
            f"{self.name}, {self.short_digest}", ["key", "value"], keyed(json.loads(self.canonical)).items()
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Scenario) and self.canonical == other.canonical

    def __hash__(self) -> int:
        return hash(self.canonical)


def _mean_s(law: Law | None) -> float:
    """Return a law's mean; the longest duration for no limit, 0 for durations in a file that is not at hand."""
    if law is None:
        return LONGEST_S
    return 0.0 if isinstance(law, Empirical) and not law.at_hand else law.mean_s


def _check_sum(terms: Mapping[KeyPath, float], when: str) -> None:
    """Refuse times that together pass half of 64 bits of microseconds, at the key of the longest."""
    seconds = sum(terms.values())
    if seconds > MOST_S:
        key = max(terms, key=lambda one: terms[one])
        raise UnfitError(f"some {seconds:.3g} s may pass {when}, more than {MOST_S:.3g} s (2^62 us)", "lower it", key)


def _limit(count: int | Literal["unlimited"]) -> int:
    return codes.UNLIMITED if count == UNLIMITED else count


def _plain(value: object) -> Any:
    """Return a value as JSON knows it, without what was not given, in the order in which the models are written."""
    if isinstance(value, Empirical | sections.Recorded | unknowns.Unknown):
        return {key: one for key, one in value.model_dump(mode="json").items() if one is not None}
    if isinstance(value, sections.Poisson):
        days = {} if value.busy_days is None else {"busy_days": _plain(value.busy_days)}
        return {"kind": value.kind, "rate": f"{value.rate!r}/s", **days}
    if isinstance(value, pydantic.BaseModel):
        plain = {}
        for name, field in type(value).model_fields.items():
            one = getattr(value, name)
            if name in sections.LATER and one == field.default:
                continue
            if one is not None:
                plain[name] = _plain(one)
            elif name == "max_in_parking" or (name == "patience" and name in value.model_fields_set):
                plain[name] = UNLIMITED
        return plain
    if isinstance(value, tuple) and all(isinstance(one, Objective) for one in value):
        return {one.measure: f"{one.relation} {one.value!r}" for one in sorted(value, key=lambda one: one.measure)}
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return value


_KINDS: Final[dict[str, type[pydantic.BaseModel]]] = {"lot": LotSection, SEVERAL: NamedLot, **sections.ARRIVALS, **LAWS}
_KINDS["busy_days"] = sections.BusyDays


def _keys(place: KeyPath) -> tuple[str, ...]:
    """Return the keys that the table at ``place`` may have."""
    model: type[pydantic.BaseModel] = Scenario
    for part in place:
        field = Scenario.model_fields.get(str(part)) if model is Scenario else None
        if field is not None and field.annotation in sections.Section.__subclasses__():
            model = field.annotation
        elif part in _KINDS:
            model = _KINDS[str(part)]
    return tuple(model.model_fields) if model is not Scenario or not place else ()


TEMPLATE: Final = (Path(__file__).parent / "template.toml").read_text(encoding="utf-8")
"""A commented scenario to start from."""
