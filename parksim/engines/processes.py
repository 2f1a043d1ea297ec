"""The SimPy engine: extensions, calls and the lot, told as the life of a call.

``simulate`` puts a workload through an ordinary ``simpy.Environment`` and writes the journal. Read ``_life`` first: it
is one call from its offer to its end, and every sentence of it is a method below. The processes are trunks: each of
them carries one call after another.

Two things are particular to this model. Every wake-up is an event of our own, scheduled with priority
``(rank + 1) << 32 | number``, so that simultaneous events take the order that the rules own, and SimPy's own events
(priorities 0 and 1: a process that starts, ends or is interrupted) belong to the event that caused them. And there is
no ``Resource``, ``Store`` or ``a | b``: those grant at SimPy's priorities and would overtake the ranks. Instead
each race among a call's clocks is decided by a rule when it begins, and only the winner enters the calendar. Who
waits for somebody else (in the queue, after a return, for a retrieval) waits for the hang-up or the time-out, and
``_wake`` ends that wait when the turn comes.
"""

import gc
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, NamedTuple

import simpy
from simpy.events import Event

from parksim.engines.attendants import Alarm, AttendedExchange, Group, Turn, Waiter, later
from parksim.engines.trees import mark, tree_of_counts, tree_over, width_for
from parksim.journal.journal import Journal, JournalWriter, RowWriter
from parksim.rules import codes as c
from parksim.rules import routing
from parksim.rules.lot import (
    Fact,
    Lot,
    change,
    decide_expiry,
    decide_hangup,
    decide_meeting,
    decide_park,
    decide_resume,
    decide_unpark,
    longest_parked,
    slot_to_ask_for,
)
from parksim.scenario.model import Settings
from parksim.scenario.workload import Workload, columns

Life = Generator[Event, Any, None]


class Retrieval(NamedTuple):
    """A retrieval that waits for a member of the staff; the call keeps its slot."""

    call: int
    wait: Event
    lot: int
    slot: int


class Ring(NamedTuple):
    """A return that rings its parker: the clocks of the call, the end of the period that runs, and its number."""

    parked_us: int
    patience_end_us: int
    answer_us: int
    end_us: int
    attempt: int = 1


FEW_SLOTS: Final = 32
"""Up to this many slots a scan is as quick as keeping a tree of them."""


class SlotTable:
    """One lot as the engine keeps it: the rules decide on a view, the engine makes the assignments."""

    def __init__(self, slots: int, choice: int, number: int) -> None:
        self.occupants = [c.NOBODY] * slots
        self.parkers = [c.NOBODY] * slots
        self.deadlines_us = [c.NEVER] * slots
        self.since_us = [c.NEVER] * slots  # kept where others may end a stay; NEVER also if somebody waits to fetch it
        self.free = tree_of_counts(slots, width_for(slots)) if slots > FEW_SLOTS else []
        self.choice, self.number = choice, number
        self.view = self._seen(c.NOBODY)
        """The lot as the rules see it: not a copy, so it stays right until another slot is the last one."""

    def apply(self, fact: Fact) -> None:
        """Make the one change that ``fact`` means."""
        slot, occupant, parker, deadline_us, last_slot = change(fact, self.view.last_slot)
        if self.free:
            mark(self.free, slot, 1 if occupant == c.NOBODY else -1)
        self.occupants[slot] = occupant
        self.parkers[slot] = parker
        self.deadlines_us[slot] = deadline_us
        if last_slot != self.view.last_slot:
            self.view = self._seen(last_slot)

    def fill(
        self, occupants: list[int], parkers: list[int], deadlines_us: list[int], since_us: list[int], last_slot: int
    ) -> None:
        """Be as it was: four columns, a number a slot, and the slot assigned last."""
        columns = (self.occupants, occupants), (self.parkers, parkers), (self.deadlines_us, deadlines_us)
        for ours, theirs in (*columns, (self.since_us, since_us)):
            ours[:] = theirs
        if self.free:
            self.free[:] = tree_over([occupant == c.NOBODY for occupant in occupants])
        self.view = self._seen(last_slot)

    def _seen(self, last_slot: int) -> Lot:
        columns = self.occupants, self.parkers, self.deadlines_us
        return Lot(*columns, len(self.occupants), self.choice, last_slot, self.number, self.free)


class Exchange(AttendedExchange):
    """Attendants, staff, lots and the calls among them, in one SimPy environment."""

    def __init__(self, env: simpy.Environment, settings: Settings, workload: Workload, write: RowWriter) -> None:
        super().__init__(env, settings, write)
        self.lots = [
            SlotTable(slots, choice, number)
            for number, (slots, choice) in enumerate(zip(settings.slots, settings.choices, strict=True))
        ]
        self.staff = Group([0] * max(settings.staff, 0))
        self.first_member = max(settings.attendants, 0)
        self.retrievals: deque[Retrieval] = deque()
        self.staff_serve_is_due = False
        self.stays: dict[int, Event] = {}  # what a call in a slot waits for, where others may end its stay
        self.dials = settings.fetching != c.FETCH_CALL
        self.reminds = settings.recall_to == c.TO_REMINDER
        self.stays_end_by_others = self.dials or self.reminds or settings.slot_taken == c.TAKEN_RETRIEVE
        self.parked: dict[int, Fact] = {}  # beside ``stays``: the park
        self.told = 0  # numbers of slots that were told, where these are dialled: the number of the next one
        self.overflows = routing.after_lot_full(settings.when_full, 1, 0) == routing.OVERFLOW
        self.calls = columns(workload)
        self.offered = len(workload.arrival_us)
        self._arrived = 0  # calls that have arrived, which is the number of the next one
        self._idle_trunks: list[Event] = []  # what those wait for that carry no call

    def run(self) -> None:
        """Let every offered call live to its end."""
        if self.offered:
            self._expect_a_call()
        self.env.run()

    def _expect_a_call(self) -> None:
        """Let a trunk that carries no call await the next one; a new trunk where each carries a call."""
        arrival = Alarm(self.env, self.calls.arrival_us[self._arrived], c.RANK_ARRIVAL, self._arrived)
        if self._idle_trunks:
            arrival.callbacks = self._idle_trunks.pop().callbacks
        else:
            self.env.process(self._trunk(arrival))

    def _trunk(self, arrival: Event) -> Life:
        """Offer and carry one call after another: a process for each call would take two more events a call."""
        while True:
            yield arrival
            call = self._arrived
            self._arrived += 1
            if self._arrived < self.offered:
                self._expect_a_call()  # the next is on its way once this one is there
            arrival_us = self.calls.arrival_us[call]
            self.write(arrival_us, c.NEVER, call, c.NOBODY, c.NOBODY, c.NOBODY, c.OFFERED, c.NO_REASON)
            yield from self._life(call)
            arrival = Event(self.env)
            self._idle_trunks.append(arrival)

    # The life of a call ------------------------------------------------------------------------------------------

    def _life(self, call: int, attendant: int | None = None, parks: int = 0) -> Life:
        """Tell one call from its offer to its end; each way out of this function is one way to end.

        With an attendant it begins there, after ``parks`` parks.
        """
        calls = self.calls
        if attendant is None:
            attendant = self._answer_at_once(call)
        if attendant is None:
            attendant = yield from self._wait_in_queue(call)
        while attendant is not None:
            decided_us = self.now_us + calls.handling_us[parks][call]
            if parks == self.settings.max_parks or not calls.wants_park[parks][call]:
                yield from self._talk(call, attendant, decided_us + calls.talk_us[parks][call])
                return
            stay = yield from self._park(call, parks, attendant, decided_us)
            if stay is None:
                return
            attendant = yield from self._stay(call, parks, stay)
            parks += 1

    def _answer_at_once(self, call: int) -> int | None:
        """Be answered as the call is offered: the attendant (NOBODY when unlimited), None when all are busy."""
        attendant = self.attendants.longest_idle()
        if attendant == c.NOBODY and self.settings.attendants != c.UNLIMITED:
            return None
        if attendant != c.NOBODY:
            self.attendants.set_idle(attendant, routing.BUSY_NOW)
        self.write(self.now_us, c.NEVER, call, c.NOBODY, c.NOBODY, attendant, c.ANSWERED, c.NO_REASON)
        return attendant

    def _wait_in_queue(self, call: int) -> Generator[Event, Any, int | None]:
        """Wait for an attendant; None when the call is lost or gives up."""
        now = self.now_us
        if routing.queue_is_full(len(self.queue), self.settings.queue_limit):
            self.write(now, c.NEVER, call, c.NOBODY, c.NOBODY, c.NOBODY, c.LOST, c.QUEUE_FULL)
            return None
        wait = self._at(later(now, self.calls.queue_patience_us[call]), c.RANK_HANGUP, call)
        waiter = Waiter(call, wait, c.NOBODY, rings=False, since_us=now)
        self.queue.append(waiter)
        return (yield from self._queued(waiter))

    def _queued(self, waiter: Waiter) -> Generator[Event, Any, int | None]:
        turn = yield waiter.wait
        if isinstance(turn, Turn):
            return turn.extension
        self.queue.remove(waiter)
        self.write(self.now_us, c.NEVER, waiter.call, c.NOBODY, c.NOBODY, c.NOBODY, c.ABANDONED, c.WAITING)
        return None

    def _talk(self, call: int, extension: int, end_us: int, reason: int = c.TALKED) -> Life:
        """Talk to the end with the attendant, or with the person who retrieved the call."""
        yield Alarm(self.env, end_us, c.RANK_TALK_END, call)
        self.write(end_us, c.NEVER, call, c.NOBODY, c.NOBODY, extension, c.ENDED, reason)
        if reason == c.TALKED:
            self._free_attendant(extension, end_us)
        else:
            self._free_member(extension, end_us)

    def _park(
        self, call: int, parks: int, attendant: int, now: int, asked: int = 0
    ) -> Generator[Event, Any, Fact | None]:
        """Ask for a slot from ``now`` on until there is one (the fact PARKED), or the call does something else (None).

        ``asked`` is how often the lot was full before.
        """
        settings = self.settings
        while True:
            yield Alarm(self.env, now, c.RANK_PARK_REQUEST, call)
            fact = self._ask_for_slot(call, parks, attendant, now)
            if fact.kind == c.PARKED:
                self._release(call, attendant, now)
                return fact
            if self._meets(fact):
                self._meet(call, attendant, fact)
                return None
            asked += 1
            then = routing.after_lot_full(settings.when_full, asked, settings.retries)
            if then == routing.ASK_AGAIN:
                now += settings.retry_after_us
                continue
            if then == routing.TALK_ON:
                yield from self._talk(call, attendant, now + self.calls.talk_us[parks][call])
                return None
            kind, reason = (c.LOST, fact.reason) if then == routing.LEAVE else (c.ENDED, c.OVERFLOWED)
            self.write(now, c.NEVER, call, c.NOBODY, c.NOBODY, attendant, kind, reason)
            self._free_attendant(attendant, now)
            return None

    def _ask_for_slot(self, call: int, parks: int, attendant: int, now: int) -> Fact:
        """Ask the call's lot, and while the policy is overflow each lot after it; write every answer."""
        calls, settings = self.calls, self.settings
        number = calls.lot[call]
        while True:
            lot, asked = self.lots[number], c.NOBODY
            limit_us, slot_u = self._longest_stay(calls.max_in_parking_us[parks][call]), calls.slot_u[parks][call]
            if settings.slot_asked != c.SLOT_LOT:
                asked = slot_to_ask_for(lot.view, settings.slot_asked, attendant, slot_u)
            fact = decide_park(lot.view, call, attendant, limit_us, asked, slot_u, now, settings.slot_taken)
            self.write(*fact)
            if fact.kind == c.PARKED:
                lot.apply(fact)
                return fact
            number += 1
            if not self.overflows or number == len(self.lots) or self._meets(fact):
                return fact

    def _longest_stay(self, limit_us: int) -> int:
        return routing.longest_stay(limit_us, self.settings.recall_to, self.settings.forward_after_us)

    def _meets(self, refused: Fact) -> bool:
        """Tell whether a key whose slot was taken fetches the call there."""
        return refused.reason == c.SLOT_TAKEN and self.settings.slot_taken == c.TAKEN_RETRIEVE

    def _meet(self, call: int, attendant: int, refused: Fact) -> None:
        """Connect a call that was to be parked with the one that is in the slot: both are lost."""
        now = self.now_us
        fact = decide_meeting(self.lots[refused.lot].view, refused.slot, attendant, now)
        self._commit(fact)
        if fact.call in self.stays:
            self._wake(self.stays[fact.call], Turn(c.LOST, c.NOBODY))
        self.write(now, c.NEVER, fact.call, c.NOBODY, c.NOBODY, c.NOBODY, c.LOST, c.MET)
        self.write(now, c.NEVER, call, c.NOBODY, c.NOBODY, attendant, c.LOST, c.MET)
        self._free_attendant(attendant, now)

    def _commit(self, fact: Fact) -> None:
        """Make the change of a lot that ``fact`` means, and write it."""
        self.lots[fact.lot].apply(fact)
        self.write(*fact)

    def _stay(self, call: int, parks: int, stay: Fact) -> Generator[Event, Any, int | None]:
        """Stay in the lot until hang-up, retrieval or time-out; the attendant who answers the return, or None."""
        calls = self.calls
        lot = self.lots[stay.lot]
        patience_us = calls.patience_us[parks][call]
        limit_us = self._longest_stay(calls.max_in_parking_us[parks][call])
        retrieval_us = c.NEVER if self.dials else calls.retrieval_us[parks][call]
        if self.stays_end_by_others:
            lot.since_us[stay.slot], self.parked[call] = stay.time_us, stay
        if self.reminds and stay.deadline_us != c.NEVER:
            first_us = stay.deadline_us - self.settings.forward_after_us
            answer_us = later(first_us, calls.answer_us[parks][call])
            self._expect_reminder(stay, first_us, first_us, answer_us)
        if self.dials:
            self._expect_dial(stay, calls.retrieval_us[parks][call])
        wake = routing.first_of_stay(stay.time_us, patience_us, retrieval_us, limit_us)
        return (yield from self._staying(call, parks, stay, self._in_slot(call, wake)))

    def _staying(
        self, call: int, parks: int, stay: Fact, wait: Event, retrieval: Retrieval | None = None
    ) -> Generator[Event, Any, int | None]:
        """Wait in the lot for ``wait``; with a ``retrieval``, also until a member of the staff is free for it."""
        lot = self.lots[stay.lot]
        while (ends := (yield wait)) == c.RANK_RETRIEVAL:
            member = self._take_member()
            if member is not None:
                self._commit(decide_unpark(lot.view, stay.slot, member, self.now_us))
                ends = Turn(c.RETRIEVED, member)
                break
            limit_us = self._longest_stay(self.calls.max_in_parking_us[parks][call])
            wake = routing.first_of_stay(stay.time_us, self.calls.patience_us[parks][call], c.NEVER, limit_us)
            wait = self._in_slot(call, wake)
            retrieval = Retrieval(call, wait, stay.lot, stay.slot)
            self.retrievals.append(retrieval)
        if retrieval is not None and not isinstance(ends, Turn):
            self.retrievals.remove(retrieval)
        if self.stays_end_by_others:
            del self.stays[call], self.parked[call]
            lot.since_us[stay.slot] = c.NEVER
            if not isinstance(ends, Turn) or ends.kind != c.RETRIEVED:
                self.retrievals = deque(one for one in self.retrievals if one.call != call)
        now = self.now_us
        if isinstance(ends, Turn):
            if ends.kind == c.RETRIEVED:
                end_us = now + self.calls.staff_talk_us[parks][call]
                yield from self._talk(call, ends.extension, end_us, c.AFTER_RETRIEVAL)
            return ends.extension if ends.kind == c.RECALL_ANSWERED else None
        if ends == c.RANK_HANGUP:
            fact = decide_hangup(lot.view, stay.slot, now)
        else:
            fact = decide_expiry(lot.view, stay.slot, call, stay.deadline_us, now)
        self._commit(fact)
        if fact.kind != c.EXPIRED:
            return None
        return (yield from self._return(call, parks, stay))

    def _expect_reminder(self, stay: Fact, at_us: int, first_us: int, answer_us: int) -> None:
        reminder = Alarm(self.env, at_us, c.RANK_EXPIRY, stay.call)
        self._call_back(reminder, partial(self._remind, stay, first_us, answer_us))

    def _remind(self, stay: Fact, first_us: int, answer_us: int, _event: Event) -> None:
        """Remind the parker of a call, if it is still there; from ``answer_us`` on he takes it back when he is free."""
        if self.parked.get(stay.call) is not stay:
            return
        now = self.now_us
        next_us, again = now + self.settings.remind_every_us, now != first_us
        self.write(
            *(now, min(next_us, stay.deadline_us), stay.call, stay.lot, stay.slot, stay.extension, c.REMINDED),
            c.AGAIN if again else c.NO_REASON,
        )
        if not again and answer_us != c.NEVER:
            answer = Alarm(self.env, answer_us, c.RANK_ANSWER, stay.call)
            self._call_back(answer, partial(self._resume, stay))
        elif answer_us != c.NEVER and answer_us <= now:
            self._resume(stay, _event)
        if next_us < stay.deadline_us:
            self._expect_reminder(stay, next_us, first_us, answer_us)

    def _resume(self, stay: Fact, _event: Event) -> None:
        """Let the parker take a call back of which he was reminded, if it is still there and he is free."""
        parker = stay.extension
        is_free = parker == c.NOBODY or routing.is_free(self.attendants.idle_since_us[parker])
        if is_free and self.parked.get(stay.call) is stay:
            if parker != c.NOBODY:
                self.attendants.set_idle(parker, routing.BUSY_NOW)
            self._commit(decide_resume(self.lots[stay.lot].view, stay.slot, self.now_us))
            self._wake(self.stays[stay.call], Turn(c.RECALL_ANSWERED, parker))

    def _expect_dial(self, stay: Fact, retrieval_us: int) -> None:
        """Let somebody come to whom the number of a slot has been told; who was told first dials first."""
        if retrieval_us != c.NEVER:
            dial = Alarm(self.env, stay.time_us + retrieval_us, c.RANK_RETRIEVAL, self.told)
            self._call_back(dial, partial(self._dial, stay))
        self.told += 1

    def _dial(self, told: Fact, _event: Event) -> None:
        """Fetch who is in the slot whose number was told, or who is parked longest in that lot.

        Where no member of the staff is free, the retrieval of the wanted call, or of the one parked longest, waits for
        one; nobody waits to fetch a stranger.
        """
        lot, slot, wanted = self.lots[told.lot], told.slot, told.call
        if self.settings.fetching == c.FETCH_OLDEST:
            slot, wanted = longest_parked(lot.view, lot.since_us), c.NOBODY
        found = c.NOBODY if slot == c.NOBODY else lot.occupants[slot]
        if found not in self.stays:
            return
        member = self._take_member()
        if member is not None:
            self._commit(decide_unpark(lot.view, slot, member, self.now_us, wanted))
            self._wake(self.stays[found], Turn(c.RETRIEVED, member))
        elif wanted in (c.NOBODY, found) and lot.since_us[slot] != c.NEVER:
            self.retrievals.append(Retrieval(found, self.stays[found], told.lot, slot))
            lot.since_us[slot] = c.NEVER

    def _in_slot(self, call: int, wake: routing.Wake) -> Event:
        """Return what a call in a slot waits for; the event is noted where others may end its stay."""
        wait = self._at(wake.time_us, wake.rank, call)
        if self.stays_end_by_others:
            self.stays[call] = wait
        return wait

    def _return(self, call: int, parks: int, stay: Fact) -> Generator[Event, Any, int | None]:
        """Come back from the lot; the attendant who answers, or None when nobody does in time."""
        if routing.leaves_at_time_out(self.settings.recall_to):
            self.write(self.now_us, c.NEVER, call, c.NOBODY, c.NOBODY, c.NOBODY, c.ENDED, c.FORWARDED)
            return None
        patience_end_us = later(self.now_us, self.calls.recall_patience_us[parks][call])
        rings = self.settings.recall_to != c.TO_GROUP
        waiter = self._join(call, stay.extension, patience_end_us, rings=rings)
        return (yield from self._returning(call, parks, waiter, stay.time_us, patience_end_us))

    def _join(self, call: int, parker: int, patience_end_us: int, *, rings: bool) -> Waiter:
        """Join the parker's own returns, or the group's."""
        waiter = Waiter(call, self._at(patience_end_us, c.RANK_HANGUP, call), parker, rings, self.now_us)
        if rings and self.settings.attendants != c.UNLIMITED:
            self.own_returns[parker].append(waiter)
            self.joined.append(waiter)
            self.to_look_at.add(parker)
        else:
            self.group_returns.append(waiter)
        self._raise_serve()
        return waiter

    def _returning(
        self, call: int, parks: int, waiter: Waiter, parked_us: int, patience_end_us: int
    ) -> Generator[Event, Any, int | None]:
        """Wait for an attendant, and ring where the turn is to ring; the attendant who answers, or None."""
        turn = yield waiter.wait
        if not isinstance(turn, Turn):
            waits_for_any = waiter in self.group_returns
            (self.group_returns if waits_for_any else self.own_returns[waiter.parker]).remove(waiter)
            self.write(self.now_us, c.NEVER, call, c.NOBODY, c.NOBODY, c.NOBODY, c.ABANDONED, c.RETURNING)
            return None
        if turn.kind == c.RECALL_RINGING:
            answer_us = later(self.now_us, self.calls.answer_us[parks][call])
            ring = Ring(parked_us, patience_end_us, answer_us, later(self.now_us, self.settings.ring_us))
            return (yield from self._ringing(call, parks, turn.extension, ring, self._first_of_ring(call, parks, ring)))
        return turn.extension if turn.kind == c.RECALL_ANSWERED else None

    def _first_of_ring(self, call: int, parks: int, ring: Ring) -> Event:
        """Return what a call that rings waits for."""
        retrieval_us = c.NEVER
        if self.settings.retrievable:
            retrieval_us = self.calls.retrieval_us[parks][call]
            retrieval_us = routing.retrieval_of_ring(ring.parked_us, retrieval_us, self.now_us)
        wake = routing.first_of_ring(ring.patience_end_us, retrieval_us, ring.answer_us, ring.end_us)
        return self._at(wake.time_us, wake.rank, call)

    def _ringing(
        self, call: int, parks: int, parker: int, ring: Ring, wait: Event
    ) -> Generator[Event, Any, int | None]:
        """Ring the parker, period after period (the first RECALL_RINGING is written), then go where nobody answered.

        Returns who answers, or None.
        """
        settings = self.settings
        while True:
            rank = yield wait
            now = self.now_us
            if rank == c.RANK_RETRIEVAL:
                member = self._take_member()
                if member is not None:
                    yield from self._fetch_ringing(call, parks, parker, member)
                    return None
                wake = routing.first_of_ring(ring.patience_end_us, c.NEVER, ring.answer_us, ring.end_us)
                wait = self._at(wake.time_us, wake.rank, call)
                continue
            if rank == c.RANK_HANGUP:
                self.write(now, c.NEVER, call, c.NOBODY, c.NOBODY, parker, c.ABANDONED, c.RINGING)
                self._free_attendant(parker, now)
                return None
            if rank == c.RANK_ANSWER:
                self.write(now, c.NEVER, call, c.NOBODY, c.NOBODY, parker, c.RECALL_ANSWERED, c.NO_REASON)
                return parker
            then = routing.after_unanswered(settings.unanswered, ring.attempt, settings.attempts)
            if then != routing.RING_AGAIN:
                break
            self.write(now, c.NEVER, call, c.NOBODY, c.NOBODY, parker, c.RECALL_UNANSWERED, c.AGAIN)
            ring = ring._replace(end_us=later(now, settings.ring_us), attempt=ring.attempt + 1)
            self.write(now, ring.end_us, call, c.NOBODY, c.NOBODY, parker, c.RECALL_RINGING, c.NO_REASON)
            wait = self._first_of_ring(call, parks, ring)
        self.write(now, c.NEVER, call, c.NOBODY, c.NOBODY, parker, c.RECALL_UNANSWERED, c.LAST)
        self._free_attendant(parker, now)
        if then == routing.LEAVE:
            self.write(now, c.NEVER, call, c.NOBODY, c.NOBODY, parker, c.LOST, c.UNANSWERED)
            return None
        waiter = self._join(call, parker, ring.patience_end_us, rings=False)
        return (yield from self._returning(call, parks, waiter, ring.parked_us, ring.patience_end_us))

    def _fetch_ringing(self, call: int, parks: int, parker: int, member: int) -> Life:
        """Be fetched while the return rings, which frees the parker, and talk to the end."""
        now = self.now_us
        self.write(now, c.NEVER, call, c.NOBODY, c.NOBODY, parker, c.RECALL_UNANSWERED, c.FETCHED)
        self._free_attendant(parker, now)
        self.write(now, c.NEVER, call, c.NOBODY, c.NOBODY, member, c.RETRIEVED, c.RINGING)
        yield from self._talk(call, member, now + self.calls.staff_talk_us[parks][call], c.AFTER_RETRIEVAL)

    # The staff ---------------------------------------------------------------------------------------------------

    def _take_member(self) -> int | None:
        """Return the member of the staff who retrieves now (NOBODY when unlimited), None when all are busy."""
        if self.settings.staff == c.UNLIMITED:
            return c.NOBODY
        member = self.staff.longest_idle()
        if member == c.NOBODY:
            return None
        self.staff.set_idle(member, routing.BUSY_NOW)
        return self.first_member + member

    def _free_member(self, member: int, now: int) -> None:
        if member == c.NOBODY:
            return
        self.staff.set_idle(member - self.first_member, now)
        if self.retrievals and not self.staff_serve_is_due:
            self.staff_serve_is_due = True
            self._call_back(Alarm(self.env, now, c.RANK_STAFF_SERVE, 0), self._staff_serve)

    def _staff_serve(self, _event: Event) -> None:
        """Let free members fetch the calls whose retrieval waits, first come first served."""
        self.staff_serve_is_due = False
        while self.retrievals:
            member = self._take_member()
            if member is None:
                return
            retrieval = self.retrievals.popleft()
            self._commit(decide_unpark(self.lots[retrieval.lot].view, retrieval.slot, member, self.now_us))
            self._wake(retrieval.wait, Turn(c.RETRIEVED, member))


def simulate(settings: Settings, workload: Workload) -> Journal:
    """Put ``workload`` through the SimPy model and return its journal (without header).

    The run ends when the calendar is empty: every call has ended, exactly once.
    """
    rows = JournalWriter()
    exchange = Exchange(simpy.Environment(), settings, workload, rows.append)
    with without_collector():
        exchange.run()
    return rows.journal()


@contextmanager
def without_collector() -> Iterator[None]:
    """Let nobody look for cycles of objects: calls that have ended leave none, and the search is a tenth of a run."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
