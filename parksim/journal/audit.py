"""The auditor: whether the rules would have written a journal, and everything that is true at one of its instants.

``check`` walks through the facts and names the first that the rules would not have written; ``replay`` walks to an
instant and says where everybody is. Both use one walk: at every step it knows what may come next, asks the rules for
the fact that this event writes (``audit_events``), compares it with the row it finds and records it (``audit_books``).

What can be known: deadlines, ends of rings and announcements, further requests and everything that somebody free does
at once follow from the settings. When a caller hangs up, when a talk is over and when somebody comes for a call is
known from the workload only; without it such a clock runs open, and the row tells when it rang. So with the workload
a journal is right in every row, or found wrong at the first that differs; without it, it is found to be possible.
"""

from collections.abc import Iterable
from itertools import takewhile
from typing import Final, NamedTuple

from parksim.errors import ArgumentError, DisagreementError
from parksim.journal.audit_books import NO_ROW, Books, Call, Extension, Key, State
from parksim.journal.audit_events import EVENTS, LAWS, Facts, offer
from parksim.rules import codes as c
from parksim.rules import life
from parksim.rules.lot import Fact
from parksim.scenario.model import Settings
from parksim.scenario.workload import Workload

__all__ = ["Call", "DisagreementError", "Extension", "Finding", "State", "check", "replay"]


class Finding(NamedTuple):
    """The first row that the rules would not have written.

    ``row`` counts from 0 and equals the number of facts, with ``fact`` None, when the journal ends too early.
    """

    row: int
    fact: Fact | None
    why: str

    @property
    def line(self) -> int:
        """The line of a ``.jsonl`` file in which the row stands, from 1; the header is the first."""
        return self.row + 2

    def __str__(self) -> str:
        return f"row {self.row + 1}: {self.why}"


def check(facts: Iterable[Fact], settings: Settings, workload: Workload | None = None) -> Finding | None:
    """Return the first row that the rules would not have written, None when there is no such row.

    Args:
        facts: a whole journal, in order, until every call has ended.
        settings: of the scenario.
        workload: the offered calls. Without it, a journal passes that some workload would have given.

    Raises:
        ArgumentError: the workload is drawn for fewer parks than the settings allow.

    >>> from parksim.rules import codes
    >>> settings = Settings(-1, -1, -1, 1, 0, 0, 0, -1, 0, -1, 1, 0, 0, slots=(2,), choices=(codes.CHOOSE_LOWEST,))
    >>> offered = Fact(5, -1, 0, -1, -1, -1, codes.OFFERED, 0)
    >>> answered = offered._replace(kind=codes.ANSWERED)
    >>> parked = Fact(6, 16, 0, 0, 1, -1, codes.PARKED, 0)
    >>> check([offered, answered, parked], settings).why.partition(":")[0]
    'expected slot 0, found 1, in PARKED of call 0 at 6 us'
    >>> print(check([offered, answered, parked._replace(slot=0)], settings))
    row 4: the journal ends but call 0 is still parked
    """
    if workload is not None and len(workload.wants_park) < settings.max_parks:
        raise ArgumentError(
            f"the workload has {len(workload.wants_park)} parks a call, the settings {settings.max_parks}"
        )
    walk = _Walk(settings, workload)
    row = 0
    for row, fact in enumerate(map(Fact._make, facts), 1):
        if why := walk.take(fact):
            return Finding(row - 1, fact, why)
    why = walk.end()
    return Finding(row, None, why) if why else None


def replay(facts: Iterable[Fact], settings: Settings, until_us: int | None = None) -> State:
    """Return everything that is true at the end of instant ``until_us`` (the journal's last one by default).

    The journal may break off at the end of any instant.

    Raises:
        DisagreementError: the rules would not have written what stands in it until then.
    """
    walk = _Walk(settings, None)
    row = 0
    until = takewhile(lambda fact: until_us is None or fact.time_us <= until_us, map(Fact._make, facts))
    for row, fact in enumerate(until, 1):
        if why := walk.take(fact):
            raise DisagreementError(Finding(row - 1, fact, why))
    if why := walk.settle():
        raise DisagreementError(Finding(row, None, why))
    if until_us is None:
        return walk.books.state(walk.books.now_us)
    walk.books.pass_time(until_us)
    return walk.books.state(until_us)


_BEGUN_BY: Final = {
    c.OFFERED: c.RANK_ARRIVAL,
    c.ANSWERED: c.RANK_SERVE,
    c.REFUSED: c.RANK_PARK_REQUEST,
    c.PARKED: c.RANK_PARK_REQUEST,
    c.RELEASED: c.RANK_ANNOUNCED,
    c.RETRIEVED: c.RANK_RETRIEVAL,
    c.ABANDONED: c.RANK_HANGUP,
    c.EXPIRED: c.RANK_EXPIRY,
    c.RECALL_RINGING: c.RANK_SERVE,
    c.RECALL_ANSWERED: c.RANK_SERVE,
    c.RECALL_UNANSWERED: c.RANK_RING_OUT,
    c.ENDED: c.RANK_TALK_END,
    c.LOST: c.RANK_SERVE,
}
"""kind -> the event whose first fact it can be; a return that rings is answered by an event of its own."""


class _Walk:
    """Goes through a journal row by row."""

    def __init__(self, settings: Settings, workload: Workload | None) -> None:
        self.books = Books(settings, workload)
        self._event: Facts = iter(())
        self._rank = c.RANK_ARRIVAL
        self._passed: list[tuple[int, Key]] = []  # (turn, event) of this instant, without those a later one exceeds
        self._staff_served_us = c.NEVER  # the instant of a STAFF_SERVE that only retrievals have followed
        offer(self.books, 0)

    def take(self, fact: Fact) -> str | None:
        """Record the next row, or say why the rules would not have written it."""
        expected = self._expected(fact)
        if expected is None:
            return self._impossible(fact)
        if expected != fact:
            return _difference(expected, fact, LAWS[self._rank])
        self.books.record(fact)
        return None

    def settle(self) -> str | None:
        """Let everything happen that has to at this instant; say what should have been written."""
        expected = self._expected(None)
        return None if expected is None else f"the journal breaks off before {_told(expected)}"

    def end(self) -> str | None:
        """Say what is left when the journal is over, if anything."""
        self.settle()
        books = self.books
        if books.calls:
            call = min(books.calls)
            return f"the journal ends but call {call} is still {life.STATE_NAMES[books.calls[call].state]}"
        if books.announcing:
            return f"the journal ends before extension {min(books.announcing)} is RELEASED"
        if key := books.head():
            return f"the journal ends before call {key[2]} is OFFERED at {key[0]} us"
        return None

    def _expected(self, fact: Fact | None) -> Fact | None:
        """Return the fact that has to come next; None when nothing can that begins with ``fact``.

        Without ``fact``: that has to come at this instant.
        """
        books = self.books
        books.row = NO_ROW if fact is None else fact
        while (expected := next(self._event, None)) is None:
            key = self._next(fact)
            if key is None:
                return None
            books.now_us, self._rank, number = key
            books.turn += 1
            del books.clocks[self._rank, number]
            self._event = EVENTS[self._rank](books, number)
        return expected

    def _next(self, fact: Fact | None) -> Key | None:
        """Return the event that comes next: the calendar's first, unless an open clock may have rung before it."""
        books = self.books
        key = books.head()
        if fact is None:
            books.put_change((books.now_us, c.RANK_SERVE, 0))
            key = books.head()
            return key if key is not None and key[0] <= books.now_us else None
        begun = self._begun_by(fact)
        books.put_change(min(begun, key or begun) if books.drawn is None else key)
        key = books.head()
        if books.drawn is None:
            if key is None or begun <= key:
                if self._why_not(begun):
                    return None
                key = begun
            self._passes(key)
        return key

    def _begun_by(self, fact: Fact) -> Key:
        """Return the event that writes ``fact`` first."""
        rank = _BEGUN_BY.get(fact.kind, c.RANK_ARRIVAL)
        if fact.kind == c.RECALL_ANSWERED and self.books.state_of(fact.call) == life.AT_PARKER:
            rank = c.RANK_ANSWER
        number = 0 if rank == c.RANK_SERVE else fact.extension if rank == c.RANK_ANNOUNCED else fact.call
        return fact.time_us, rank, number

    def _why_not(self, key: Key) -> str | None:
        """Say why the event ``key`` cannot come now, when nothing known comes before it; None if it can."""
        time_us, rank, number = key
        books = self.books
        if time_us < books.now_us:
            return f"time goes back from {books.now_us} us"
        if (rank, number) not in books.clocks:
            return (
                "nobody's turn has come" if rank == c.RANK_SERVE else f"no {c.RANK_NAMES[rank]} of {number} is to come"
            )
        due_us, since = books.clocks[rank, number]
        if due_us is not None and due_us != time_us:
            return f"{c.RANK_NAMES[rank]} of {number} is to come at {due_us} us"
        if time_us == books.now_us and (rank != c.RANK_RETRIEVAL or self._staff_served_us != time_us):
            for turn, passed in self._passed:
                if turn > since and passed > key:
                    return f"it was to come before {c.RANK_NAMES[passed[1]]} of {passed[2]}, at the same instant"
        return None

    def _passes(self, key: Key) -> None:
        """Note that an event comes: none may follow a greater one that has stood beside it in the calendar."""
        time_us, rank, _ = key
        if rank == c.RANK_STAFF_SERVE:
            self._staff_served_us = time_us
        elif rank != c.RANK_RETRIEVAL:
            self._staff_served_us = c.NEVER
        elif self._staff_served_us == time_us:
            return  # perhaps one more pair of that STAFF_SERVE: only the workload knows
        if time_us != self.books.now_us:
            self._passed.clear()
        while self._passed and self._passed[-1][1] <= key:
            self._passed.pop()
        self._passed.append((self.books.turn + 1, key))

    def _impossible(self, fact: Fact) -> str:
        """Say why no event can begin with ``fact``."""
        state = self.books.state_of(fact.call)
        if self.books.drawn is not None:
            why = "everything has happened that was to happen"
        elif life.after(state, fact.kind, fact.reason) == life.FORBIDDEN:
            why = f"this cannot happen to a call that is {life.STATE_NAMES[state]}"
        elif fact.kind == c.OFFERED and fact.call != self.books.counts[c.OFFERED]:
            why = f"calls are numbered as they are offered, and this is number {self.books.counts[c.OFFERED]}"
        else:
            why = str(self._why_not(self._begun_by(fact)))
        return f"{_told(fact)}: {why}"


def _difference(expected: Fact, found: Fact, law: str) -> str:
    """Say what differs, and the law."""
    if (expected.time_us, expected.call, *expected[6:]) != (found.time_us, found.call, *found[6:]):
        return f"expected {_told(expected)}, found {_told(found)}: {law}"
    columns = zip(Fact._fields, expected, found, strict=True)
    wrong = ", ".join(f"expected {name} {one}, found {other}" for name, one, other in columns if one != other)
    return f"{wrong}, in {_told(expected)}: {law}"


def _told(fact: Fact) -> str:
    """Return a fact in words."""
    kind = c.KIND_NAMES[fact.kind] if 0 <= fact.kind < len(c.KIND_NAMES) else f"kind {fact.kind}"
    reason = c.REASON_NAMES[fact.reason] if 0 <= fact.reason < len(c.REASON_NAMES) else f"reason {fact.reason}"
    return f"{kind}{f' ({reason})' if reason else ''} of call {fact.call} at {fact.time_us} us"
