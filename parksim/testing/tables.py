"""Strategies for scenario files: laws of durations, tables, and whole scenarios with every feature."""

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from parksim.rules import codes
from parksim.scenario.model import Scenario

_Table = dict[str, Any]


def _durations_s(shortest_s: int = 0, longest_s: int = 120) -> st.SearchStrategy[int | str]:
    seconds = st.integers(shortest_s, longest_s)
    return seconds | seconds.map("{}s".format)


def laws(shortest_s: int = 0, longest_s: int = 120) -> st.SearchStrategy[Any]:
    """Draw a law of durations as a scenario file writes it, of every kind; its mean lies between these seconds.

    >>> from hypothesis import find
    >>> from parksim.scenario.laws import parse_law
    >>> find(laws(), lambda law: parse_law(law).mean_s >= 2)
    2
    """
    mean = _durations_s(max(shortest_s, 1), longest_s)
    spread = st.sampled_from((0.5, 1.0, 2.0))
    return st.one_of(
        _durations_s(shortest_s, longest_s),
        st.fixed_dictionaries({"kind": st.just("constant"), "value": _durations_s(shortest_s, longest_s)}),
        st.fixed_dictionaries({"kind": st.just("exponential"), "mean": mean}),
        st.fixed_dictionaries({"kind": st.just("lognormal"), "median": mean, "sigma": spread}),
        st.fixed_dictionaries({"kind": st.just("lognormal"), "mean": mean, "cv": spread}),
        st.fixed_dictionaries({"kind": st.just("erlang"), "mean": mean, "stages": st.integers(1, 4)}),
        st.fixed_dictionaries({"kind": st.just("gamma"), "mean": mean, "shape": spread}),
        st.fixed_dictionaries({"kind": st.just("gamma"), "mean": mean, "cv": spread}),
        st.fixed_dictionaries({"kind": st.just("weibull"), "scale": mean, "shape": spread}),
        st.fixed_dictionaries({"kind": st.just("weibull"), "mean": mean, "shape": spread}),
        st.builds(
            lambda share, means: {"kind": "hyperexponential", "weights": [share, 1 - share], "means": means},
            st.sampled_from((0.5, 0.25, 0.0)),
            st.lists(mean, min_size=2, max_size=2),
        ),
        bounded_laws(shortest_s, longest_s),
    )


def bounded_laws(shortest_s: int, longest_s: int) -> st.SearchStrategy[Any]:
    """Draw a law whose durations all lie between these seconds, ends included."""
    seconds = st.integers(shortest_s, longest_s)
    return st.one_of(
        seconds,
        st.lists(seconds, min_size=2, max_size=2).map(
            lambda ends: {"kind": "uniform", "low": min(ends), "high": max(ends)}
        ),
        st.lists(seconds, min_size=1, max_size=4).map(lambda values: {"kind": "empirical", "values": values}),
    )


@st.composite
def scenarios(draw: st.DrawFn, *, objectives: bool = True) -> Scenario:
    """Draw a valid scenario: every feature and every law, an hour or less, some tens of calls.

    Left out is what lies in files (recorded arrivals, empirical laws of a file). A replication takes milliseconds.

    Args:
        draw: Hypothesis' own.
        objectives: whether some scenarios have objectives.

    >>> import json
    >>> from hypothesis import given, settings
    >>> @settings(max_examples=20, derandomize=True, database=None)
    ... @given(scenarios())
    ... def what_is_written_is_what_is_read(scenario):
    ...     assert Scenario.model_validate(json.loads(scenario.canonical)) == scenario
    >>> what_is_written_is_what_is_read()
    """
    tables: dict[str, Any] = {
        "name": draw(st.sampled_from(("Drawn", "Été · 24 h"))),
        "run": _given(
            draw, {"horizon": _durations_s(1200, 3600)}, warm_up=_durations_s(0, 600), cool_down=_durations_s(0, 300)
        ),
        "arrivals": draw(_arrivals()),
        "queue": _given(
            draw, {}, limit=st.integers(0, 3) | st.just("unlimited"), patience=_patiences(), target=_durations_s()
        ),
        "attendants": _given(
            draw, {"count": st.integers(1, 4) | st.just("unlimited") | _rosters(), "handling": laws(0, 60)}, talk=laws()
        ),
        "parking": _given(
            draw,
            {"probability": st.sampled_from((1, 0.6, "80%", 0)) | _hours((0.5, 1, "70%", 0))},
            max_parks=st.integers(1, 3),
            announcement=_durations_s(0, 5),
            slot=st.sampled_from(codes.SLOT_NAMES),
            slot_taken=st.sampled_from(codes.TAKEN_NAMES),
        ),
        "lot": draw(_lots() | _several_lots()),
        "retrieval": draw(_retrievals()),
        "recall": draw(_recalls()),
        "caller": _given(draw, {}, patience=_patiences()),
    }
    if objectives:
        goals = {
            "refused_share": st.sampled_from(("< 1 %", "<= 0.5")),
            "occupancy_mean": st.sampled_from(("> 0.5", "< 2")),
            "answer_wait_s_mean": st.just("< 20s"),
        }
        tables["objectives"] = _given(draw, {}, **goals)
    if isinstance(tables["lot"], list):
        tables["parking"] |= draw(_policies())
    _end_every_stay(tables)
    _give_keys(tables)
    if tables["retrieval"].get("order") == "oldest" or tables["retrieval"].get("blind"):
        tables["recall"].pop("retrievable", None)
    return Scenario.model_validate(tables)


def _given(draw: st.DrawFn, always: _Table, **sometimes: st.SearchStrategy[Any]) -> _Table:
    """Draw a table: these keys always, those sometimes."""
    return draw(st.fixed_dictionaries(always, optional=sometimes))


def _arrivals() -> st.SearchStrategy[_Table]:
    rates = st.integers(1, 120).map("{}/h".format) | st.sampled_from(("1/min", "0.02/s"))
    hours = st.lists(st.sampled_from((30, 0, 60.5)), min_size=23, max_size=23).map(lambda rest: [40, *rest])
    days = {"busy_days": st.fixed_dictionaries({"cv": st.sampled_from((0.2, 0, 1))})}
    return st.fixed_dictionaries({"kind": st.just("poisson"), "rate": rates}, optional=days) | st.fixed_dictionaries(
        {"kind": st.just("hourly"), "calls_per_hour": hours}, optional=days
    )


def _hours(numbers: Sequence[float | str]) -> st.SearchStrategy[list[float | str]]:
    """Draw one of the numbers for each hour of the day."""
    return st.lists(st.sampled_from(numbers), min_size=24, max_size=24)


def _rosters() -> st.SearchStrategy[list[int]]:
    """Draw how many are on duty in each hour; two of them when the calls have come, so that nobody waits for a day."""
    return st.lists(st.integers(0, 4), min_size=23, max_size=23).map(lambda rest: [rest[0], 2, *rest[1:]])


def _patiences() -> st.SearchStrategy[Any]:
    return st.just("unlimited") | laws(0, 600)


@st.composite
def _policies(draw: st.DrawFn) -> _Table:
    """Draw what follows a refused park."""
    table = _given(draw, {}, when_full=st.sampled_from(codes.FULL_NAMES), retry_after=_durations_s(1, 30))
    if "retry_after" in table:
        table["retries"] = draw(st.integers(0, 2))
    return table


def _lots() -> st.SearchStrategy[_Table]:
    return st.builds(lambda lot, policies: lot | policies, _slots(), _policies())


def _several_lots() -> st.SearchStrategy[list[_Table]]:
    """Draw one to three lots by name, at least the first with calls of its own."""
    rest = {"weight": st.sampled_from((0, 1, 2.5)), "organization": st.sampled_from(("0003", "0004"))}
    further = st.builds(lambda lot, more: lot | more, _slots(), st.fixed_dictionaries({}, optional=rest))
    return st.lists(further, min_size=1, max_size=3).map(
        lambda lots: [
            lot | {"name": name} | ({"weight": 1} if name == "a" else {})
            for name, lot in zip("abc", lots, strict=False)
        ]
    )


@st.composite
def _slots(draw: st.DrawFn) -> _Table:
    table = _given(
        draw,
        {"slots": st.integers(1, 4)},
        first=st.sampled_from((0, 701)),
        choice=st.sampled_from(codes.CHOICE_NAMES),
        patience=_patiences(),
        limits=st.sampled_from(("uapi", "pbx")),
    )
    if table.get("limits") == "pbx":
        table["max_in_parking"] = "unlimited" if draw(st.booleans()) else draw(bounded_laws(1, 7200))
    elif draw(st.booleans()):
        table["max_in_parking"] = draw(bounded_laws(10, 3600))
    return table


@st.composite
def _retrievals(draw: st.DrawFn) -> _Table:
    table = _given(
        draw,
        {"delay": laws(0, 300)},
        never=st.sampled_from((0, 1, 0.3, "20%", 1)),
        staff=st.integers(1, 3) | st.just("unlimited"),
        talk=laws(),
        delay_factor=_hours((1, 0.5, 2.25)),
        order=st.sampled_from(("own", "oldest")),
        blind=st.booleans(),
    )
    if table.get("order") == "oldest":
        table.pop("blind", None)
    if table.get("never") == 1 and draw(st.booleans()):
        del table["delay"]
        table.pop("delay_factor", None)
    return table


def _recalls() -> st.SearchStrategy[_Table]:
    rings = st.fixed_dictionaries(
        {}, optional={"ring": _durations_s(1, 60), "attempts": st.integers(1, 3), "never": st.sampled_from((0, 0.4, 1))}
    )
    endless = st.just({"ring": "unlimited", "attempts": 1, "never": 0})
    rest = st.fixed_dictionaries(
        {},
        optional={
            "to": st.sampled_from(codes.RECALL_TO_NAMES),
            "answer": laws(0, 60),
            "busy": st.sampled_from(codes.BUSY_NAMES),
            "unanswered": st.sampled_from(codes.UNANSWERED_NAMES),
            "patience": _patiences(),
            "retrievable": st.booleans(),
            "remind_every": _durations_s(1, 60),
            "forward_after": _durations_s(1, 300),
        },
    )
    return st.builds(lambda ring, others: ring | others, rings | endless, rest).map(
        lambda table: table | {"retrievable": False} if table.get("to", "parker") != "parker" else table
    )


def _end_every_stay(tables: _Table) -> None:
    """Give an unlimited stay the other end that a scenario must have."""
    lot, retrieval = tables["lot"], tables["retrieval"]
    for one in lot if isinstance(lot, list) else [lot]:
        if one.get("max_in_parking") == "unlimited":
            patience = one.get("patience", tables["caller"].get("patience", "unlimited"))
            if patience == "unlimited" and (retrieval.get("never", 0) != 0 or retrieval.get("order") == "oldest"):
                one["patience"] = "10m"


def _give_keys(tables: _Table) -> None:
    """Give each attendant a slot of his own where that is what he asks for; unlimited ones let the lot choose."""
    if tables["parking"].get("slot") != "own":
        return
    lot, count = tables["lot"], tables["attendants"]["count"]
    if count == "unlimited":
        tables["parking"]["slot"] = "lot"
        return
    for one in lot if isinstance(lot, list) else [lot]:
        one["slots"] = max(one["slots"], max(count) if isinstance(count, list) else count)
