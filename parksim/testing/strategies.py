"""Hypothesis strategies for testers of a park engine, a PBX or a program that speaks UAPI.

``settings_and_workloads`` draws what an engine is run with, small and nasty: few slots, few people, times on a coarse
grid so that instants coincide all the time. ``park_operations`` draws what can befall one lot, ``uapi_requests`` and
``uapi_registers`` what goes over the wire and what it meets; ``tables`` draws scenario files. Everything drawn is valid
(requests excepted: bad ones are half the point), every call in it comes to an end, and a failing example shrinks to
the smallest one. Nothing else in parksim needs Hypothesis than these two modules.

>>> from hypothesis import given, settings
>>> from parksim.engines import processes
>>> @settings(max_examples=20, derandomize=True, database=None)
... @given(settings_and_workloads())
... def every_call_is_offered_once(drawn):
...     journal = processes.simulate(*drawn)
...     assert (journal.kind == codes.OFFERED).sum() == len(drawn[1].arrival_us)
>>> every_call_is_offered_once()
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from hypothesis import strategies as st

from parksim.rules import codes, uapi
from parksim.rules.codes import NEVER
from parksim.rules.uapi.calls import next_timer_us
from parksim.rules.uapi.register import Changed, Register
from parksim.scenario.model import Settings
from parksim.scenario.workload import Workload

SECOND_US: Final = 1_000_000
GRIDS_US: Final = (1, SECOND_US)
"""Instants on whole microseconds and on whole seconds: both make ties, the second tells the units apart."""


# What engines are run with -----------------------------------------------------------------------------------------


@st.composite
def settings_and_workloads(
    draw: st.DrawFn, *, max_calls: int = 12, max_lots: int = 3, grid_us: int | None = None
) -> tuple[Settings, Workload]:
    """Draw what an engine is run with: every feature, and ties everywhere.

    Args:
        draw: Hypothesis' own.
        max_calls: the greatest number of calls (0 is drawn as well).
        max_lots: the greatest number of lots.
        grid_us: all times are whole multiples of this; by default one microsecond or one second.
    """
    grid = draw(st.sampled_from(GRIDS_US)) if grid_us is None else grid_us
    settings = draw(settings_of_engines(max_lots=max_lots, grid_us=grid))
    return settings, draw(workloads(settings, max_calls=max_calls, grid_us=grid))


@st.composite
def settings_of_engines(draw: st.DrawFn, *, max_lots: int = 3, grid_us: int = 1) -> Settings:
    """Draw the settings of a small exchange: up to three attendants and members, lots of up to three slots.

    The number of attendants on duty may change every few units of the grid, down to none of them.
    """
    lots = draw(st.integers(1, max_lots))
    times = st.integers(1, 5)
    attendants = draw(st.sampled_from((1, 2, 3, NEVER)))
    plain = Settings(
        attendants=attendants,
        staff=draw(st.sampled_from((NEVER, 1, 2, 0))),
        queue_limit=draw(st.sampled_from((NEVER, 0, 1, 2))),
        max_parks=draw(st.integers(1, 3)),
        announcement_us=draw(st.integers(0, 3)) * grid_us,
        when_full=draw(st.sampled_from((codes.FULL_KEEP, codes.FULL_OVERFLOW, codes.FULL_DROP))),
        retries=draw(st.integers(0, 2)),
        retry_after_us=draw(times) * grid_us,
        recall_to=draw(st.sampled_from((codes.TO_PARKER, codes.TO_PARKER, codes.TO_GROUP))),
        ring_us=_on_grid(draw(times | st.just(NEVER)), grid_us),
        attempts=draw(st.integers(1, 3)),
        busy=draw(st.sampled_from((codes.BUSY_WAIT, codes.BUSY_GROUP, codes.BUSY_DROP))),
        unanswered=draw(st.sampled_from((codes.UNANSWERED_GROUP, codes.UNANSWERED_DROP))),
        slots=tuple(draw(st.lists(st.integers(1, 3), min_size=lots, max_size=lots))),
        choices=tuple(draw(st.lists(st.sampled_from(range(len(codes.CHOICE_NAMES))), min_size=lots, max_size=lots))),
        counts=() if attendants == NEVER else draw(st.just(()) | _counts(attendants)),
        period_us=draw(times) * grid_us,
    )
    return plain._replace(**draw(_ways(plain, grid_us)))


def _ways(plain: Settings, grid_us: int) -> st.SearchStrategy[dict[str, Any]]:
    """Draw what a way to park that only some systems have changes in settings; two in nine have none."""
    times_us = st.integers(1, 5).map(lambda time: time * grid_us)
    taken = st.sampled_from((codes.TAKEN_REFUSE, codes.TAKEN_RETRIEVE, codes.TAKEN_NEXT))
    own, refuse = st.just(codes.SLOT_OWN), st.just(codes.TAKEN_REFUSE)
    ring_us = st.sampled_from((plain.ring_us, NEVER))
    ways: list[dict[str, st.SearchStrategy[Any]]] = [
        {},
        {"recall_to": st.just(codes.TO_ELSEWHERE)},
        {
            "recall_to": st.just(codes.TO_REMINDER),
            "remind_every_us": times_us,
            "forward_after_us": times_us,
            "fetching": st.sampled_from((codes.FETCH_CALL, codes.FETCH_NUMBER, codes.FETCH_OLDEST)),
        },
        {"slot_asked": own, "slot_taken": taken},
        {"slot_asked": own, "slot_taken": refuse, "when_full": st.just(codes.FULL_DROP)},
        {"slot_asked": st.just(codes.SLOT_CHOSEN), "slot_taken": taken},
        {"fetching": st.sampled_from((codes.FETCH_NUMBER, codes.FETCH_OLDEST)), "slot_asked": st.integers(0, 2)},
        {"recall_to": st.just(codes.TO_PARKER), "retrievable": st.just(1), "ring_us": ring_us},
        {},
    ]
    return st.sampled_from(ways).flatmap(st.fixed_dictionaries)


def _counts(most: int) -> st.SearchStrategy[tuple[int, ...]]:
    """Draw how many are on duty, period by period, and in the first or the last of them all there are."""
    counts = st.lists(st.integers(0, most), max_size=5)
    return st.builds(lambda some, first: (most, *some) if first else (*some, most), counts, st.booleans())


@st.composite
def workloads(draw: st.DrawFn, settings: Settings, *, max_calls: int = 12, grid_us: int = 1) -> Workload:
    """Draw the calls offered to an exchange with these settings; every one of them comes to an end.

    Each column is either one constant, which makes ties, or drawn call by call; none of it is longer than eight times
    the grid.

    >>> from hypothesis import find
    >>> from parksim.scenario.model import TEMPLATE, Scenario
    >>> settings = Scenario.loads(TEMPLATE).settings
    >>> find(workloads(settings), lambda drawn: len(drawn.arrival_us) > 1).arrival_us.tolist()
    [0, 0]
    """
    calls, parks = draw(st.integers(0, max_calls)), settings.max_parks

    def row(longest: int, *, maybe_never: bool = False) -> list[int]:
        """Draw one number a call."""
        numbers = st.integers(NEVER if maybe_never else 0, longest)
        constants = numbers | st.just(NEVER) if maybe_never else numbers
        drawn = draw(constants.map(lambda number: [number] * calls) | st.lists(numbers, min_size=calls, max_size=calls))
        return [_on_grid(number, grid_us) for number in drawn]

    def table(rows: int, longest: int, *, maybe_never: bool = False) -> list[list[int]]:
        return [row(longest, maybe_never=maybe_never) for _ in range(rows)]

    wants = st.lists(st.sampled_from((1, 1, 1, 0)), min_size=calls, max_size=calls)
    numbers = st.lists(st.integers(0, 5) | st.integers(0, 2**62 - 1), min_size=calls, max_size=calls)
    lot = st.lists(st.integers(0, len(settings.slots) - 1), min_size=calls, max_size=calls)
    columns: dict[str, Any] = {
        "arrival_us": sorted(row(2 * calls)),
        "queue_patience_us": row(6, maybe_never=True),
        "lot": draw(lot),
        "handling_us": table(parks + 1, 4),
        "talk_us": table(parks + 1, 4),
        "wants_park": [draw(wants) for _ in range(parks)],
        "max_in_parking_us": [[limit or NEVER for limit in row(8)] for _ in range(parks)],
        "patience_us": table(parks, 8, maybe_never=True),
        "retrieval_us": table(parks, 8, maybe_never=True),
        "staff_talk_us": table(parks, 4),
        "slot_u": [draw(numbers) for _ in range(parks)],
        "answer_us": table(parks, 6, maybe_never=True),
        "recall_patience_us": table(parks, 8, maybe_never=True),
    }
    _end_all(settings, columns, grid_us)
    arrays: Any = {name: np.array(column, np.int64) for name, column in columns.items()}
    arrays["wants_park"] = arrays["wants_park"].astype(np.int8)
    return Workload(**arrays)


def _on_grid(number: int, grid_us: int) -> int:
    return NEVER if number == NEVER else number * grid_us


def _end_all(settings: Settings, columns: Mapping[str, list[list[int]]], grid_us: int) -> None:
    """End what would never end, as scenario files must: a stay with no clock at all, a ring likewise."""
    for k in range(settings.max_parks):
        for call, limit_us in enumerate(columns["max_in_parking_us"][k]):
            mine = settings.fetching != codes.FETCH_OLDEST  # else who comes for this call may fetch another
            fetched = mine and settings.staff != 0 and columns["retrieval_us"][k][call] != NEVER
            if limit_us == NEVER and columns["patience_us"][k][call] == NEVER and not fetched:
                columns["max_in_parking_us"][k][call] = grid_us
            answered = columns["answer_us"][k][call] != NEVER
            if settings.ring_us == NEVER and not answered and columns["recall_patience_us"][k][call] == NEVER:
                columns["answer_us"][k][call] = grid_us


# What can befall one lot -------------------------------------------------------------------------------------------


def park_operations(
    *, calls: int = 5, parkers: int = 3, slots: int = 4, max_size: int = 30
) -> st.SearchStrategy[list[tuple[Any, ...]]]:
    """Draw what happens to one lot, one operation after the other: few ids, so that collisions are common.

    Each operation is its name and its arguments:

    - ``("park", call, parker, limit_us, asked, slot_u)``: ``asked`` may be out of range; a call may be parked already,
      which the caller, who knows where it is, has to refuse.
    - ``("unpark", slot, retriever)`` and ``("hang_up", slot)``: also of empty slots and of slots there are not.
    - ``("expire", timer)``: of all timers ever armed number ``timer`` (modulo how many there are) rings, though its
      stay may be long over.
    - ``("advance", by_us)``, and ``("advance_to_deadline", off_us)``: to the first pending deadline, a microsecond
      before, at or after it.

    >>> from hypothesis import find
    >>> find(park_operations(), lambda drawn: len(drawn) > 0)
    [('park', 0, 0, 10000000, 0, 0)]
    """
    limits_us = st.one_of(
        st.sampled_from([10 * SECOND_US, 180 * SECOND_US, 3600 * SECOND_US, NEVER]), st.integers(1, 2 * 10**10)
    )
    call, parker = st.sampled_from(range(calls)), st.sampled_from(range(parkers))
    slot = st.integers(-1, slots)
    operation = st.one_of(
        st.tuples(st.just("park"), call, parker, limits_us, st.integers(-2, slots + 1), st.integers(0, 2**62 - 1)),
        st.tuples(st.just("unpark"), slot, parker),
        st.tuples(st.just("hang_up"), slot),
        st.tuples(st.just("expire"), st.integers(0, 30)),
        st.tuples(st.just("advance"), st.one_of(st.sampled_from([0, 1, 10 * SECOND_US]), st.integers(0, 10**10))),
        st.tuples(st.just("advance_to_deadline"), st.sampled_from([-1, 0, 1])),
    )
    return st.lists(operation, max_size=max_size)


# UAPI --------------------------------------------------------------------------------------------------------------

CALL_IDS: Final = ("b817d2618fe6f1804333", "00000000000000000001", "0" * 20)
"""The ids of the three calls of ``uapi_registers``, which drawn requests are about."""
USERS: Final[Mapping[str, list[str]]] = {"12": ["0003*210", "0003*211"], "33": ["0003*024"], "77": ["0004*500"]}
"""The directory of ``uapi_registers``: extensions by user."""
ORGANIZATIONS: Final = (
    uapi.Organization("0003", "3", "Default Organization"),
    uapi.Organization("0004", "4", "Elsewhere"),
)


def _put(path: str, body: Mapping[str, Any]) -> uapi.Request:
    sent = json.dumps(body).encode()
    return uapi.Request("PUT", f"/uapi/phoneCalls{path}", sent, user="12", scope="organization")


def uapi_requests(*, bad: bool = True) -> st.SearchStrategy[uapi.Request]:
    """Draw requests to a register of ``uapi_registers``.

    Args:
        bad: also draw some that nearly fit: users nobody knows, calls of others, methods, paths and bodies that belong
            to nothing. Without them most requests do something: park, un-park, hold.

    >>> from hypothesis import find
    >>> request = find(uapi_requests(bad=False), lambda drawn: b"UnPark" in drawn.body)
    >>> request.method, request.target
    ('PUT', '/uapi/phoneCalls/@owner/@self/b817d2618fe6f1804333')
    """
    return _fitting_requests() | _creating_requests() | _any_requests() if bad else _fitting_requests()


def _fitting_requests() -> st.SearchStrategy[uapi.Request]:
    park = {"action": "Park", "maxInParking": "30", "phoneCallViewId": "01"}
    unpark = {"action": "UnPark", "phoneCallViewId": "01", "sendCallTo": "0003*024"}
    bodies: list[Mapping[str, Any]] = [
        park,
        park,
        park | {"maxInParking": 10},
        unpark,
        park | {"phoneCallViewId": "00"},
        unpark,
        unpark | {"sendCallTo": "211", "waitForPickup": 3},
        {"action": "OnHold", "phoneCallViewId": "01"},
        {"action": "OffHold", "phoneCallViewId": "01"},
    ]
    paths = [*(f"/@owner/@self/{call}" for call in CALL_IDS), "/12/0003*210", "/33/@self"]
    return st.builds(_put, st.sampled_from(paths), st.sampled_from(bodies))


def _creating_requests() -> st.SearchStrategy[uapi.Request]:
    body = json.dumps({"extension": "210", "phoneCallView": [{"source": ["210"], "destination": ["555"]}]}).encode()
    return st.just(uapi.Request("POST", "/uapi/phoneCalls/12/simple", body, user="12"))


def _any_requests() -> st.SearchStrategy[uapi.Request]:
    paths = st.builds(
        "/{}/{}/{}{}".format,
        st.sampled_from(["12", "33", "77", "@me", "@owner", "@viewer", "999", ""]),
        st.sampled_from(["0003*210", "0003%2A211", "0003*024", "210", "@self", "0004*500", "abc", ""]),
        st.sampled_from([*CALL_IDS, "zzz"]),
        st.sampled_from(["", "/", "//"]),
    ) | st.sampled_from(["", "/", "/12", "/12/0003*210", "/@me/@self/", "/33/@self", "/12/simple", "/12/callback"])
    bodies = st.fixed_dictionaries(
        {"action": st.sampled_from(["Park", "Park", "UnPark", "OnHold", "OffHold", "Fly"])},
        optional={
            "phoneCallViewId": st.sampled_from(["01", "01", "01", "00", "02", 1, None]),
            "maxInParking": st.sampled_from([10, "10", 180, 3600, 9, None, "x"]),
            "sendCallTo": st.sampled_from(["0003*024", "211", "0004*500", "9", None]),
            "waitForPickup": st.sampled_from([1, "25", 0, [], 3600]),
            "extension": st.sampled_from(["210", "0003*024", 3]),
            "phoneCallView": st.sampled_from(
                [[], [{"source": ["210"], "destination": ["555"]}], [{"destination": "024"}], 1]
            ),
        },
    )
    return st.builds(
        uapi.Request,
        method=st.sampled_from(["PUT", "PUT", "PUT", "GET", "DELETE", "POST", "PATCH"]),
        target=paths.map("/uapi/phoneCalls{}".format),
        body=bodies.map(lambda body: json.dumps(body).encode()),
        user=st.sampled_from(["12", "12", "33", "77", None, "nobody"]),
        scope=st.sampled_from(["user", "organization", "global"]),
        prefer=st.sampled_from(["", "respond-async", "wait=3"]),
    )


Step = tuple[uapi.Request | str, str, int]


def uapi_histories(*, min_size: int = 8, max_size: int = 40) -> st.SearchStrategy[list[Step]]:
    """Draw what a service lives through: steps of (a request, or the id of a call that is answered; when; a wait).

    "When" is "now", "wait" (by the wait, microseconds), or "before", "deadline", "after": around the next timer. See
    ``uapi_life``, which lives it.
    """
    fitting, answers = _fitting_requests(), st.sampled_from(CALL_IDS)
    return st.lists(
        st.tuples(
            fitting | fitting | answers | answers | fitting | _any_requests() | _creating_requests(),
            st.sampled_from(["now", "now", "now", "now", "wait", "deadline", "before", "after"]),
            st.integers(0, 12 * SECOND_US),
        ),
        min_size=min_size,
        max_size=max_size,
    )


def uapi_opening() -> Register:
    """Return the register in which histories begin: two slots and three calls on call, one within the house."""
    register = uapi.new_register(USERS, organizations=ORGANIZATIONS, capacity=2)
    calls = (("0003*210", "555", CALL_IDS[0]), ("0003*210", "0003*024", CALL_IDS[1]), ("0003*024", "1", CALL_IDS[2]))
    for extension, peer, call_id in calls:
        register = uapi.offer(register, extension, peer=peer, now_us=0, call_id=call_id).register
        register = uapi.answer(register, call_id, now_us=0).register
    return register


class Moment(NamedTuple):
    """One step of a history as it was lived: what was asked, when, of which register, and what came of it."""

    asked: uapi.Request | str
    now_us: int
    before: Register
    outcome: uapi.Outcome | Changed
    """Of a request its ``Outcome``; of a telephone that is answered a ``Changed`` (which has no reply)."""


def uapi_life(steps: Iterable[Step]) -> Iterator[Moment]:
    """Live through a history, from ``uapi_opening`` on."""
    register, now_us = uapi_opening(), 0
    for asked, when, wait_us in steps:
        timer_us = next_timer_us(register)
        jumps = {"deadline": timer_us, "before": timer_us - 1, "after": timer_us + 1, "wait": now_us + wait_us}
        now_us = max(now_us, jumps.get(when, now_us))
        outcome: uapi.Outcome | Changed
        if isinstance(asked, str):
            outcome = uapi.answer(register, asked, now_us=now_us)
        else:
            outcome = uapi.respond(register, asked, now_us=now_us)
        yield Moment(asked, now_us, register, outcome)
        register = outcome.register


def _at_the_end(steps: Iterable[Step]) -> tuple[Register, int]:
    register, now_us = uapi_opening(), 0
    for moment in uapi_life(steps):
        register, now_us = moment.outcome.register, moment.now_us
    return register, now_us


def uapi_registers(*, max_steps: int = 12) -> st.SearchStrategy[tuple[Register, int]]:
    """Draw a register in any state that a service can get into, and the instant at which it is in it.

    >>> from hypothesis import given, settings
    >>> @settings(max_examples=20, derandomize=True, database=None)
    ... @given(uapi_registers(), uapi_requests())
    ... def any_question_has_an_answer(drawn, request):
    ...     register, now_us = drawn
    ...     assert 200 <= uapi.respond(register, request, now_us=now_us).reply.status < 600
    >>> any_question_has_an_answer()
    """
    return uapi_histories(min_size=0, max_size=max_steps).map(_at_the_end)
