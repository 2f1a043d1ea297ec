"""What can be moved on the page, from which value, how far; or why it stands still."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from parksim.reports.words import key_words
from parksim.scenario import laws
from parksim.scenario.lots import UAPI_LIMITS_S, LotSection, NamedLot
from parksim.scenario.model import Scenario
from parksim.scenario.quantities import UNLIMITED
from parksim.scenario.sections import Recorded

TIMES: Final = (0.5, 2.0, 0.05)
"""Least, greatest and step of what is multiplied."""
_FULL: Final = ("keep", "overflow", "drop")


class Control(NamedTuple):
    """One control.

    Attributes:
        key: Of the scenario file.
        what: Which part of a design it moves; see ``designOf`` in design.js.
        lot: Of which lot, by place.
        words: What it is called.
        unit: Of its number; "hours" where there is one number for each hour of the day.
        value: The report's.
        least: The least value.
        most: The greatest value of the slider; a number field takes ``limit``.
        step: Of the slider.
        limit: The greatest value that is taken.
        choices: The words to choose from, of a control that has no numbers.
        still: Why it cannot be moved; "" where it can.
    """

    key: str
    what: str
    words: str
    value: Any
    lot: int = 0
    unit: str = ""
    least: float = 0.0
    most: float = 0.0
    step: float = 1.0
    limit: float = 0.0
    choices: tuple[str, ...] = ()
    still: str = ""


def controls_of(scenario: Scenario) -> tuple[Control, ...]:
    """Return the controls of a scenario, in the order of the page."""
    return tuple(_controls(scenario))


def _controls(scenario: Scenario) -> Iterator[Control]:
    for number, lot in enumerate(scenario.lots):
        yield from _of_lot(lot, number)
    yield _attendants(scenario)
    yield _staff(scenario)
    full = "lot.when_full" if isinstance(scenario.lot, LotSection) else "parking.when_full"
    yield Control(full, "when_full", key_words(full), scenario.when_full, choices=_FULL)
    yield _wish(scenario)
    yield _volume(scenario)
    yield _speed(scenario)
    announcement = scenario.parking.announcement
    yield Control(
        *("parking.announcement", "announcement", key_words("parking.announcement"), announcement),
        unit="s",
        most=max(30.0, 2 * announcement),
        limit=3_600.0,
    )


def _of_lot(lot: LotSection | NamedLot, number: int) -> Iterator[Control]:
    before = f"lot.{lot.name}." if isinstance(lot, NamedLot) else "lot."
    most = max(10, 2 * lot.slots)
    words = key_words(f"{before}slots")
    yield Control(f"{before}slots", "slots", words, lot.slots, number, least=1, most=most, limit=max(1_000, most))
    key, law = f"{before}max_in_parking", lot.max_in_parking
    if not isinstance(law, laws.Constant):
        why = "calls stay without a time-out" if law is None else "it is drawn from a law, which has no single value"
        yield Control(key, "max_in_parking", key_words(key), None, number, still=f"{why}.")
        return
    least, limit = UAPI_LIMITS_S if lot.limits == "uapi" else (1, 86_400)
    yield Control(
        *(key, "max_in_parking", key_words(key), law.value, number),
        unit="s",
        least=least,
        most=min(limit, max(300.0, 2 * law.value)),
        step=5.0,
        limit=limit,
    )


def _attendants(scenario: Scenario) -> Control:
    key, count = "attendants.count", scenario.attendants.count
    if count == UNLIMITED:
        return Control(key, "attendants", key_words(key), None, still="the scenario sets no limit.")
    if isinstance(count, tuple):
        most = 2 * max(count)
        return Control(key, "attendants", key_words(key), list(count), unit="hours", most=most, limit=100)
    assert isinstance(count, int)
    return Control(key, "attendants", key_words(key), count, least=1, most=max(8, 2 * count), limit=1_000)


def _staff(scenario: Scenario) -> Control:
    key, staff = "retrieval.staff", scenario.retrieval.staff
    if staff == UNLIMITED:
        return Control(key, "staff", key_words(key), None, still="the scenario sets no limit.")
    assert isinstance(staff, int)
    return Control(key, "staff", key_words(key), staff, least=1, most=max(10, 2 * staff), limit=1_000)


def _wish(scenario: Scenario) -> Control:
    key, share = "parking.probability", scenario.parking.probability
    if isinstance(share, tuple):
        return Control(key, "wish", key_words(key), None, still="the scenario has a share for each hour of the day.")
    return Control(key, "wish", key_words(key), share, unit="%", most=1.0, step=0.01, limit=1.0)


def _volume(scenario: Scenario) -> Control:
    words = "number of calls, times that of the scenario"
    if isinstance(scenario.arrivals, Recorded):
        return Control("arrivals.file", "volume", words, None, still="the calls are recorded ones.")
    key = "arrivals.rate" if scenario.arrivals.kind == "poisson" else "arrivals.calls_per_hour"
    least, most, step = TIMES
    return Control(key, "volume", words, 1.0, unit="times", least=least, most=most, step=step, limit=most)


def _speed(scenario: Scenario) -> Control:
    key, delay = "retrieval.delay", scenario.retrieval.delay
    words = "time until somebody fetches a call, times that of the scenario"
    if delay is None:
        return Control(key, "speed", words, None, still="nobody fetches a call.")
    if isinstance(delay, laws.Empirical) and delay.file is not None:
        return Control(key, "speed", words, None, still="the times stand in a file.")
    least, most, step = TIMES
    return Control(key, "speed", words, 1.0, unit="times", least=least, most=most, step=step, limit=most)
