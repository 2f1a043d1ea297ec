"""The auditor: whether the rules would have written a journal, and everything that is true at one of its instants.

``check`` walks through the facts and names the first that the rules would not have written; ``replay`` walks to an
instant and says where everybody is. Both use one walk: at every step it knows what may come next and lets this event
happen (``audit_events``), which writes the facts that the rules demand and compares them with the rows it finds.

What can be known: deadlines, ends of rings and announcements, further requests and everything that somebody free does
at once follow from the settings. When a caller hangs up, when a talk is over and when somebody comes for a call is
known from the workload only; without it such a clock runs open, and the row tells when it rang. So with the workload
a journal is right in every row, or found wrong at the first that differs; without it, it is found to be possible.

The auditor asks no engine, so that it can be right where the engines are wrong.
"""

from collections.abc import Iterable
from itertools import takewhile

from parksim.errors import ArgumentError, DisagreementError
from parksim.journal.audit_books import NO_ROW, Books, Call, Extension, Finding, Key, State, told
from parksim.journal.audit_events import BEGUN_BY, EVENTS
from parksim.rules import codes as c
from parksim.rules import life
from parksim.rules.lot import Fact
from parksim.scenario.model import Settings
from parksim.scenario.workload import Workload

__all__ = ["Call", "DisagreementError", "Extension", "Finding", "State", "check", "replay"]


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
    walk = _Walk(facts, settings, workload)
    try:
        walk.go()
    except DisagreementError as error:
        if walk.row is not NO_ROW:
            return error.finding  # type: ignore[no-any-return]  # a Finding
    why = walk.left_over()
    return Finding(walk.number, None, why) if why else None


def replay(facts: Iterable[Fact], settings: Settings, until_us: int | None = None) -> State:
    """Return everything that is true at the end of instant ``until_us`` (the journal's last one by default).

    The journal may break off at the end of any instant.

    Raises:
        DisagreementError: the rules would not have written what stands in it until then.
    """
    until = takewhile(lambda fact: until_us is None or fact[0] <= until_us, facts)
    walk = _Walk(until, settings, None)
    walk.go()
    if until_us is None:
        return walk.state(walk.now_us)
    walk.pass_time(until_us)
    return walk.state(until_us)


class _Walk(Books):
    """Goes through a journal row by row."""

    def __init__(self, facts: Iterable[Fact], settings: Settings, workload: Workload | None) -> None:
        super().__init__(facts, settings, workload)
        self._passed: list[tuple[int, Key]] = []  # (turn, event) of this instant, without those a later one exceeds
        self._staff_served_us = c.NEVER  # the instant of a STAFF_SERVE that only retrievals have followed
        self.offer(0)

    def go(self) -> None:
        """Explain every row, then let everything happen that has to at the last instant.

        Raises:
            DisagreementError: the rules would not have written a row, or would have written one more.
        """
        while (key := self._next()) is not None:
            self.now_us, rank, number = key
            self.turn += 1
            del self.clocks[rank, number]
            happening, self.law = EVENTS[rank]
            happening(self, number)

    def left_over(self) -> str | None:
        """Say what is left when the journal is over, if anything."""
        if self.calls:
            call = min(self.calls)
            return f"the journal ends but call {call} is still {life.STATE_NAMES[self.calls[call].state]}"
        if announcing := [number for number, (_, call) in enumerate(self.extensions) if call != c.NOBODY]:
            return f"the journal ends before extension {announcing[0]} is RELEASED"
        offered = self.counts[c.OFFERED]
        if self.drawn is not None and offered < len(self.drawn.arrival_us):
            return f"the journal ends before call {offered} is OFFERED at {self.drawn.arrival_us[offered]} us"
        return None

    def _next(self) -> Key | None:
        """Return the event that comes next: the calendar's first, unless an open clock may have rung before it.

        Behind the last row that is what still has to happen at its instant, if anything.
        """
        if self.row is NO_ROW:
            key = self.head((self.now_us, c.RANK_SERVE, 0))
            return key if key is not None and key[0] <= self.now_us else None
        begun = self._begun_by(self.row)
        key = self.head(begun if self.drawn is None else None)
        if self.drawn is None:
            if key is None or begun <= key:
                if why_not := self._why_not(begun):
                    raise self._impossible(why_not)
                key = begun
            self._passes(key)
        elif key is None:
            raise self._impossible("everything has happened that was to happen")
        return key

    def _begun_by(self, fact: Fact) -> Key:
        """Return the event that writes ``fact`` first."""
        rank = BEGUN_BY.get(fact.kind, c.RANK_ARRIVAL)
        if fact.kind == c.RECALL_ANSWERED and self.state_of(fact.call) == life.AT_PARKER:
            rank = c.RANK_ANSWER
        elif (fact.kind, fact.reason) == (c.RETRIEVED, c.ON_REMINDER):
            return fact.time_us, c.RANK_ANSWER, fact.call
        elif (fact.kind, fact.reason) == (c.RECALL_UNANSWERED, c.FETCHED):
            rank = c.RANK_RETRIEVAL
        if rank == c.RANK_RETRIEVAL and self.dials:
            return fact.time_us, rank, self._dialled(fact)
        number = 0 if rank == c.RANK_SERVE else fact.extension if rank == c.RANK_ANNOUNCED else fact.call
        return fact.time_us, rank, number

    def _dialled(self, fact: Fact) -> int:
        """Return the number of a park after which somebody may have come who fetches this call.

        Of several the first that comes behind those that have come at this instant, so that no order is denied that was
        possible; the number of parks where nobody has.
        """
        passed = max((key[2] for _, key in self._passed if key[:2] == (fact.time_us, c.RANK_RETRIEVAL)), default=-1)
        others = None
        for number in self.tellers(fact):
            if self._why_not((fact.time_us, c.RANK_RETRIEVAL, number)) is None:
                if number > passed:
                    return number
                others = number if others is None else others
        return len(self.told) if others is None else others

    def _why_not(self, key: Key) -> str | None:
        """Say why the event ``key`` cannot come now, when nothing known comes before it; None if it can."""
        time_us, rank, number = key
        event = f"{c.RANK_NAMES[rank]} of {number}"
        if time_us < self.now_us:
            return f"time goes back from {self.now_us} us"
        if (rank, number) not in self.clocks:
            return "nobody's turn has come" if rank == c.RANK_SERVE else f"no {event} is to come"
        due_us, since = self.clocks[rank, number]
        if due_us is not None and due_us != time_us:
            return f"{event} is to come at {due_us} us"
        if time_us == self.now_us and (rank != c.RANK_RETRIEVAL or self._staff_served_us != time_us):
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
        if time_us != self.now_us:
            self._passed.clear()
        while self._passed and self._passed[-1][1] <= key:
            self._passed.pop()
        self._passed.append((self.turn + 1, key))

    def _impossible(self, why_not: str) -> DisagreementError:
        """Return the error that no event can begin with the next row."""
        fact, state = self.row, self.state_of(self.row.call)
        if self.drawn is None and life.after(state, fact.kind, fact.reason) == life.FORBIDDEN:
            why_not = f"this cannot happen to a call that is {life.STATE_NAMES[state]}"
        elif self.drawn is None and fact.kind == c.OFFERED and fact.call != self.counts[c.OFFERED]:
            why_not = f"calls are numbered as they are offered, and this is number {self.counts[c.OFFERED]}"
        return self.disagreement(f"{told(fact)}: {why_not}")
