"""The second opinion: the life of a call once more, naively, with dicts, lists and a sorted calendar.

Written from the description of the model alone, without a look at the rules or the engines, so that an error of
thought made there is not made here as well. Obviously right comes before fast. Three things are done differently on
purpose:

* All clocks of a call run in the calendar, and the first one that rings stops the others. (The engines decide a
  race when it begins and let only the winner in.)
* A return of the parker's own stands in one list for all, in the order of joining. (Not one list an attendant.)
* Every full period is an event, whether another number of attendants is on duty then or not; who is off duty is in no
  list of free ones. (The engines wake only for a change, and mark who is off.)

The state of a call is the word in ``where``:

    (not yet offered) -> queue -> attendant -> lot -> staff -> gone
                           |       |   ^        |
                           |       |   |        +-> returning -> ringing -> attendant | returning | gone
                           |       |   +--- (returning: the group answers without ringing)
                           +-------+-> gone
"""

from bisect import insort_left, insort_right
from random import Random
from typing import Any

from parksim.rules import codes as c

Event = tuple[int, int, int]
"""Instant, rank, number: the call, or for ANNOUNCED the extension, or 0 for the two SERVEs."""

Row = tuple[int, ...]
"""time_us, deadline_us, call, lot, slot, extension, kind, reason."""


def simulate(settings: Any, workload: Any, shuffle: Random | None = None) -> list[Row]:
    """The journal of one replication, row by row.

    Args:
        settings: anything with the attributes of ``parksim.scenario.model.Settings``.
        workload: anything with the columns of ``parksim.scenario.workload.Workload``.
        shuffle: puts each event before or after the events that compare equal to it by its whims instead of in
            the order of creation; as no two events compare equal, the journal must not change.

    Returns:
        Rows in the order in which the calendar popped them.
    """
    model = Model(settings, workload, shuffle)
    while model.calendar:
        model.step()
    return model.rows


def in_order(event: Event) -> tuple[int, ...]:
    """What the calendar sorts by. Tests replace it, to see that nothing less would do."""
    return event


class Model:
    """Everything that is true at one instant, and what happens next."""

    def __init__(self, settings: Any, workload: Any, shuffle: Random | None) -> None:
        self.settings = settings
        self.workload = workload
        self.shuffle = shuffle
        self.now = 0
        self.calendar: list[Event] = []
        self.rows: list[Row] = []

        attendants = max(settings.attendants, 0)  # unlimited ones have no number
        self.on_duty = settings.counts[0] if settings.counts else attendants  # these, by position
        self.attendants_free_since = dict.fromkeys(range(self.on_duty), 0)
        self.members_free_since = {attendants + member: 0 for member in range(max(settings.staff, 0))}

        # Four queues of calls, each in the order of joining.
        self.new_calls: list[int] = []
        self.own_returns: list[int] = []
        self.group_returns: list[int] = []
        self.retrievals: list[int] = []

        self.lots: list[dict[int, int]] = [{} for _ in settings.slots]  # slot -> the call in it
        self.last_assigned = [-1 for _ in settings.slots]
        self.dials = settings.fetching != c.FETCH_CALL
        self.told: list[tuple[int, int, int]] = []  # where numbers are dialled: (lot, slot, call) of every park
        self.parked_at: dict[int, int] = {}
        self.last: dict[int, int] = {}  # where parkers are reminded: when a parked call is forwarded
        self.willing: set[int] = set()  # calls whose parker would have answered

        # One entry a call.
        self.where: dict[int, str] = {}
        self.parks: dict[int, int] = {}
        self.refusals: dict[int, int] = {}  # since it was last answered
        self.extension: dict[int, int] = {}  # of whoever has the call, or lets it ring
        self.parker: dict[int, int] = {}
        self.place: dict[int, tuple[int, int]] = {}
        self.rings: dict[int, int] = {}  # of this return

        self.busy: set[int] = set()  # attendants, on duty or finishing what they have in hand
        self.announcing: dict[int, int] = {}  # attendant -> the call that it announces

        if settings.counts:
            self.put(settings.period_us, c.RANK_SERVE, 0)
        for call, arrival_us in enumerate(workload.arrival_us):
            self.put(int(arrival_us), c.RANK_ARRIVAL, call)

    # The calendar.

    def put(self, instant_us: int, rank: int, number: int) -> None:
        """Writes an event into the calendar."""
        event = (instant_us, rank, number)
        assert instant_us >= self.now
        assert event not in self.calendar
        insort = self.shuffle.choice([insort_left, insort_right]) if self.shuffle else insort_right
        insort(self.calendar, event, key=in_order)

    def put_clock(self, wait_us: int, rank: int, call: int) -> None:
        """Starts a clock, unless it never rings."""
        if wait_us != c.NEVER:
            self.put(self.now + wait_us, rank, call)

    def stop_clocks(self, call: int, *ranks: int) -> None:
        """Stops those of a call's clocks that run."""
        if self.dials:
            ranks = tuple(rank for rank in ranks if rank != c.RANK_RETRIEVAL)  # that is of a park, not of a call
        self.calendar = [event for event in self.calendar if event[2] != call or event[1] not in ranks]

    def step(self) -> None:
        """Takes the first event off the calendar and lets it take effect."""
        event = self.calendar.pop(0)
        instant_us, rank, number = event
        assert instant_us >= self.now
        self.now = instant_us
        {
            c.RANK_HANGUP: self.hangup,
            c.RANK_TALK_END: self.talk_end,
            c.RANK_ANNOUNCED: self.announced,
            c.RANK_STAFF_SERVE: self.staff_serve,
            c.RANK_RETRIEVAL: self.retrieval,
            c.RANK_ANSWER: self.answer,
            c.RANK_EXPIRY: self.expiry,
            c.RANK_RING_OUT: self.ring_out,
            c.RANK_SERVE: self.serve,
            c.RANK_ARRIVAL: self.arrival,
            c.RANK_PARK_REQUEST: self.park_request,
        }[rank](number)

    # What handlers share.

    def write(
        self, kind: int, call: int, *, reason: int = 0, extension: int = -1, lot: int = -1, slot: int = -1,
        deadline_us: int = -1,
    ) -> None:  # fmt: skip
        """Appends a row of now."""
        self.rows.append((self.now, deadline_us, call, lot, slot, extension, kind, reason))

    def drawn(self, column: str, k: int, call: int) -> int:
        """A number of the workload, with k parks made."""
        return int(getattr(self.workload, column)[k][call])

    def longest_idle(self, free_since: dict[int, int]) -> int:
        """The extension free since the earliest instant; of several, the first by position."""
        return min(free_since, key=lambda extension: (free_since[extension], extension))

    def free_attendant(self, extension: int) -> None:
        """An attendant has become free: SERVE will see. One that is off duty goes home."""
        if extension != c.NOBODY:
            assert extension not in self.attendants_free_since
            self.busy.remove(extension)
            if extension < self.on_duty:
                self.attendants_free_since[extension] = self.now
                self.raise_serve()

    def raise_serve(self) -> None:
        """Puts SERVE at this instant, once."""
        if (self.now, c.RANK_SERVE, 0) not in self.calendar:
            self.put(self.now, c.RANK_SERVE, 0)

    def raise_staff_serve(self) -> None:
        """Puts STAFF_SERVE at this instant, once."""
        if (self.now, c.RANK_STAFF_SERVE, 0) not in self.calendar:
            self.put(self.now, c.RANK_STAFF_SERVE, 0)

    def begin_handling(self, call: int, extension: int) -> None:
        """An attendant has the call: it ends in a park request or, after the talk, for good."""
        self.where[call] = "attendant"
        self.extension[call] = extension
        self.refusals[call] = 0
        k = self.parks[call]
        handling_us = self.drawn("handling_us", k, call)
        if k < self.settings.max_parks and self.drawn("wants_park", k, call):
            self.put(self.now + handling_us, c.RANK_PARK_REQUEST, call)
        else:
            self.put(self.now + handling_us + self.drawn("talk_us", k, call), c.RANK_TALK_END, call)

    def leave_lot(self, call: int) -> tuple[int, int]:
        """The stay is over: the slot is free, nobody is on the way and no clock of the stay runs."""
        lot, slot = self.place.pop(call)
        assert self.lots[lot].pop(slot) == call
        if call in self.retrievals:
            self.retrievals.remove(call)
        self.stop_clocks(call, c.RANK_HANGUP, c.RANK_ANSWER, c.RANK_EXPIRY)
        if not self.settings.retrievable:
            self.stop_clocks(call, c.RANK_RETRIEVAL)
        return lot, slot

    # Events, in the order of their ranks.

    def hangup(self, call: int) -> None:
        """Rank 0: the caller has no more patience, wherever it is."""
        where = self.where[call]
        self.where[call] = "gone"
        self.stop_clocks(call, c.RANK_RETRIEVAL)
        if where == "queue":
            self.new_calls.remove(call)
            self.write(c.ABANDONED, call, reason=c.WAITING)
        elif where == "lot":
            lot, slot = self.leave_lot(call)
            self.write(c.ABANDONED, call, reason=c.IN_LOT, extension=self.parker[call], lot=lot, slot=slot)
        elif where == "returning":
            (self.own_returns if call in self.own_returns else self.group_returns).remove(call)
            self.write(c.ABANDONED, call, reason=c.RETURNING)
        else:
            assert where == "ringing"
            self.stop_clocks(call, c.RANK_ANSWER, c.RANK_RING_OUT)
            self.write(c.ABANDONED, call, reason=c.RINGING, extension=self.extension[call])
            self.free_attendant(self.extension[call])

    def talk_end(self, call: int) -> None:
        """Rank 1: the talk that ends a call is over."""
        where = self.where[call]
        self.where[call] = "gone"
        extension = self.extension[call]
        if where == "attendant":
            self.write(c.ENDED, call, reason=c.TALKED, extension=extension)
            self.free_attendant(extension)
        else:
            assert where == "staff"
            self.write(c.ENDED, call, reason=c.AFTER_RETRIEVAL, extension=extension)
            if extension != c.NOBODY:
                self.members_free_since[extension] = self.now
                self.raise_staff_serve()

    def announced(self, extension: int) -> None:
        """Rank 2: an attendant has announced the call that it parked."""
        call = self.announcing.pop(extension)
        self.write(c.RELEASED, call, extension=extension)
        self.free_attendant(extension)

    def staff_serve(self, _: int) -> None:
        """Rank 3: waiting retrievals find the members who became free."""
        while self.retrievals and self.members_free_since:
            self.retrieve(self.retrievals[0])

    def retrieval(self, call: int) -> None:
        """Rank 4: somebody comes for a parked call; if every member is busy, the call waits for one."""
        if self.dials:
            self.dial(*self.told[call])
            return
        somebody_is_free = self.settings.staff < 0 or self.members_free_since
        if self.where[call] == "ringing" and somebody_is_free:
            parker = self.extension[call]
            self.stop_clocks(call, c.RANK_HANGUP, c.RANK_ANSWER, c.RANK_RING_OUT)
            self.write(c.RECALL_UNANSWERED, call, reason=c.FETCHED, extension=parker)
            self.free_attendant(parker)
            member = self.next_member()
            self.write(c.RETRIEVED, call, reason=c.RINGING, extension=member)
            self.talk_with_member(call, member)
        elif self.where[call] != "lot":
            assert self.settings.retrievable
        elif somebody_is_free:
            self.retrieve(call)
        else:
            self.retrievals.append(call)

    def dial(self, lot: int, slot: int, wanted: int) -> None:
        """Somebody dials the number that was told, or asks the lot for the call that is there longest."""
        here = self.lots[lot]
        if self.settings.fetching == c.FETCH_OLDEST:
            calls = [call for call in here.values() if call not in self.retrievals]
            if not calls:
                return
            wanted = min(calls, key=lambda call: (self.parked_at[call], call))
            slot = self.place[wanted][1]
        if slot not in here:
            return
        if self.settings.staff < 0 or self.members_free_since:
            self.retrieve(here[slot], c.NO_REASON if here[slot] == wanted else c.STRANGER)
        elif here[slot] == wanted and wanted not in self.retrievals:
            self.retrievals.append(wanted)

    def retrieve(self, call: int, reason: int = c.NO_REASON) -> None:
        """A member, the longest idle, takes the call out of the lot and talks."""
        member = self.next_member()
        lot, slot = self.leave_lot(call)
        self.stop_clocks(call, c.RANK_RETRIEVAL)
        self.write(c.RETRIEVED, call, reason=reason, extension=member, lot=lot, slot=slot)
        self.talk_with_member(call, member)

    def next_member(self) -> int:
        """The longest idle member, no longer free; nobody in particular where they are unlimited."""
        if self.settings.staff < 0:
            return c.NOBODY
        member = self.longest_idle(self.members_free_since)
        del self.members_free_since[member]
        return member

    def talk_with_member(self, call: int, member: int) -> None:
        """A member has the call, to its end."""
        self.where[call] = "staff"
        self.extension[call] = member
        self.put(self.now + self.drawn("staff_talk_us", self.parks[call] - 1, call), c.RANK_TALK_END, call)

    def answer(self, call: int) -> None:
        """Rank 5: the parker takes the return that rings."""
        if self.where[call] == "lot":
            self.willing.add(call)
            self.resume(call)
            return
        assert self.where[call] == "ringing"
        self.answer_return(call, self.extension[call])

    def resume(self, call: int) -> None:
        """The parker takes a call back of which he was reminded, if he is free."""
        parker = self.parker[call]
        if parker != c.NOBODY:
            if parker not in self.attendants_free_since:
                return
            del self.attendants_free_since[parker]
            self.busy.add(parker)
        lot, slot = self.leave_lot(call)
        self.write(c.RETRIEVED, call, reason=c.ON_REMINDER, extension=parker, lot=lot, slot=slot)
        self.begin_handling(call, parker)

    def remind(self, call: int) -> None:
        """The parker is reminded, and once he would have answered he takes the call back when he is free."""
        settings, (lot, slot) = self.settings, self.place[call]
        first = self.now + settings.forward_after_us == self.last[call]
        following = min(self.now + settings.remind_every_us, self.last[call])
        reason = c.NO_REASON if first else c.AGAIN
        self.write(
            c.REMINDED, call, reason=reason, extension=self.parker[call], lot=lot, slot=slot, deadline_us=following
        )
        self.put(following, c.RANK_EXPIRY, call)
        if first:
            self.willing.discard(call)
            self.put_clock(self.drawn("answer_us", self.parks[call] - 1, call), c.RANK_ANSWER, call)
        elif call in self.willing:
            self.resume(call)

    def answer_return(self, call: int, extension: int) -> None:
        """An attendant has a return: handling begins again."""
        self.stop_clocks(call, c.RANK_HANGUP, c.RANK_RETRIEVAL, c.RANK_ANSWER, c.RANK_RING_OUT)
        self.write(c.RECALL_ANSWERED, call, extension=extension)
        self.begin_handling(call, extension)

    def expiry(self, call: int) -> None:
        """Rank 6: maxInParking is over; the slot is free and the call returns."""
        assert self.where[call] == "lot"
        if self.settings.recall_to == c.TO_REMINDER and self.now < self.last[call]:
            self.remind(call)
            return
        lot, slot = self.leave_lot(call)
        self.write(c.EXPIRED, call, extension=self.parker[call], lot=lot, slot=slot)
        if self.settings.recall_to in {c.TO_ELSEWHERE, c.TO_REMINDER}:
            self.where[call] = "gone"
            self.write(c.ENDED, call, reason=c.FORWARDED)
            return
        self.where[call] = "returning"
        self.rings[call] = 0
        self.put_clock(self.drawn("recall_patience_us", self.parks[call] - 1, call), c.RANK_HANGUP, call)
        to_parker = self.settings.recall_to == c.TO_PARKER
        (self.own_returns if to_parker else self.group_returns).append(call)
        self.raise_serve()

    def ring(self, call: int) -> None:
        """One period of ringing begins."""
        self.rings[call] += 1
        ring_us = self.settings.ring_us
        deadline_us = c.NEVER if ring_us == c.NEVER else self.now + ring_us
        self.write(c.RECALL_RINGING, call, extension=self.extension[call], deadline_us=deadline_us)
        self.put_clock(ring_us, c.RANK_RING_OUT, call)

    def ring_out(self, call: int) -> None:
        """Rank 7: nobody answered in this period."""
        assert self.where[call] == "ringing"
        parker = self.extension[call]
        if self.rings[call] < self.settings.attempts:
            self.write(c.RECALL_UNANSWERED, call, reason=c.AGAIN, extension=parker)
            self.ring(call)
            return
        self.write(c.RECALL_UNANSWERED, call, reason=c.LAST, extension=parker)
        self.stop_clocks(call, c.RANK_ANSWER)
        if self.settings.unanswered == c.UNANSWERED_GROUP:
            self.where[call] = "returning"
            self.group_returns.append(call)
            self.raise_serve()
        else:
            self.lose(call, c.UNANSWERED, parker)
        self.free_attendant(parker)

    def lose(self, call: int, reason: int, extension: int = c.NOBODY) -> None:
        """The system gives a call up."""
        self.stop_clocks(call, c.RANK_HANGUP, c.RANK_RETRIEVAL)
        self.where[call] = "gone"
        self.write(c.LOST, call, reason=reason, extension=extension)

    def serve(self, _: int) -> None:
        """Rank 8: free attendants take returns of their own, then those of the group, then new calls."""
        if self.settings.counts and self.now % self.settings.period_us == 0:
            self.full_period()
        free = self.attendants_free_since
        unlimited = self.settings.attendants < 0

        if not unlimited:
            for call in [call for call in self.own_returns if self.parker[call] >= self.on_duty]:
                self.own_returns.remove(call)
                self.group_returns.append(call)

        for attendant in [c.NOBODY] * len(self.own_returns) if unlimited else sorted(free):
            own = [call for call in self.own_returns if self.parker[call] == attendant]
            if own:
                self.own_returns.remove(own[0])
                if not unlimited:
                    del free[attendant]
                    self.busy.add(attendant)
                self.where[own[0]] = "ringing"
                self.extension[own[0]] = attendant
                self.put_clock(self.drawn("answer_us", self.parks[own[0]] - 1, own[0]), c.RANK_ANSWER, own[0])
                self.ring(own[0])

        if self.settings.busy != c.BUSY_WAIT:
            for call in self.own_returns:
                if self.settings.busy == c.BUSY_GROUP:
                    self.group_returns.append(call)
                else:
                    self.lose(call, c.BUSY)
            self.own_returns = []

        while self.group_returns and (free or unlimited):
            self.answer_return(self.group_returns.pop(0), self.next_attendant())

        while self.new_calls and free:
            call = self.new_calls.pop(0)
            self.stop_clocks(call, c.RANK_HANGUP)
            self.answer_new(call)

    def full_period(self) -> None:
        """Others are on duty from now on; told again at the same instant, it changes nothing."""
        hour = self.now // self.settings.period_us % len(self.settings.counts)
        before, self.on_duty = self.on_duty, self.settings.counts[hour]
        for attendant in range(before, self.on_duty):
            if attendant not in self.busy:
                self.attendants_free_since[attendant] = self.now
        for attendant in range(self.on_duty, before):
            self.attendants_free_since.pop(attendant, None)
        somebody_waits = self.new_calls or self.own_returns or self.group_returns
        following = (self.now + self.settings.period_us, c.RANK_SERVE, 0)
        if (self.calendar or somebody_waits) and following not in self.calendar:
            self.put(*following)

    def next_attendant(self) -> int:
        """The longest idle attendant, no longer free; nobody in particular where they are unlimited."""
        if self.settings.attendants < 0:
            return c.NOBODY
        attendant = self.longest_idle(self.attendants_free_since)
        del self.attendants_free_since[attendant]
        self.busy.add(attendant)
        return attendant

    def answer_new(self, call: int) -> None:
        """An attendant, the longest idle, has a new call."""
        attendant = self.next_attendant()
        self.write(c.ANSWERED, call, extension=attendant)
        self.begin_handling(call, attendant)

    def arrival(self, call: int) -> None:
        """Rank 9: a new call."""
        self.parks[call] = 0
        self.write(c.OFFERED, call)
        limit = self.settings.queue_limit
        if self.settings.attendants < 0 or self.attendants_free_since:
            self.answer_new(call)
        elif limit >= 0 and len(self.new_calls) >= limit:
            self.lose(call, c.QUEUE_FULL)
        else:
            self.where[call] = "queue"
            self.new_calls.append(call)
            self.put_clock(int(self.workload.queue_patience_us[call]), c.RANK_HANGUP, call)

    def park_request(self, call: int) -> None:
        """Rank 10: an attendant asks for a slot, in further lots too where a full lot overflows."""
        assert self.where[call] == "attendant"
        attendant = self.extension[call]
        first = int(self.workload.lot[call])
        overflow = self.settings.when_full == c.FULL_OVERFLOW
        for lot in range(first, len(self.lots) if overflow else first + 1):
            slot = self.choose_slot(lot, self.drawn("slot_u", self.parks[call], call))
            reason = c.LOT_FULL
            if self.settings.slot_asked == c.SLOT_OWN and 0 <= attendant < self.settings.slots[lot]:
                other = self.lots[lot].get(attendant)
                if other is None:
                    slot = attendant
                elif self.settings.slot_taken == c.TAKEN_NEXT:
                    free = [one for one in range(self.settings.slots[lot]) if one not in self.lots[lot]]
                    slot = next((one for one in free if one > attendant), free[0] if free else -1)
                else:
                    slot, reason = -1, c.SLOT_TAKEN
            if slot != -1:
                self.park(call, lot, slot)
                return
            asked = attendant if reason == c.SLOT_TAKEN else -1
            self.write(c.REFUSED, call, reason=reason, extension=attendant, lot=lot, slot=asked)
            if reason == c.SLOT_TAKEN and self.settings.slot_taken == c.TAKEN_RETRIEVE:
                self.leave_lot(other)
                self.write(c.RETRIEVED, other, reason=c.STRANGER, extension=attendant, lot=lot, slot=asked)
                self.lose(other, c.MET)
                self.lose(call, c.MET, attendant)
                self.free_attendant(attendant)
                return

        self.refusals[call] += 1
        if overflow:
            self.where[call] = "gone"
            self.write(c.ENDED, call, reason=c.OVERFLOWED, extension=attendant)
            self.free_attendant(attendant)
        elif self.settings.when_full == c.FULL_DROP:
            self.lose(call, reason, attendant)
            self.free_attendant(attendant)
        elif self.refusals[call] <= self.settings.retries:
            self.put(self.now + self.settings.retry_after_us, c.RANK_PARK_REQUEST, call)
        else:
            self.put(self.now + self.drawn("talk_us", self.parks[call], call), c.RANK_TALK_END, call)

    def choose_slot(self, lot: int, slot_u: int) -> int:
        """The free slot that this lot's choice takes, -1 if it is full."""
        free = [slot for slot in range(self.settings.slots[lot]) if slot not in self.lots[lot]]
        if not free:
            return -1
        if self.settings.slot_asked == c.SLOT_CHOSEN:
            return free[slot_u % len(free)]
        if self.settings.choices[lot] == c.CHOOSE_NEXT:
            return next((slot for slot in free if slot > self.last_assigned[lot]), free[0])
        if self.settings.choices[lot] == c.CHOOSE_RANDOM:
            return free[slot_u % len(free)]
        return free[0]

    def park(self, call: int, lot: int, slot: int) -> None:
        """The call is in the lot, its three clocks run, the attendant is free or announces."""
        attendant = self.extension[call]
        k = self.parks[call]
        max_in_parking_us = self.drawn("max_in_parking_us", k, call)
        deadline_us = c.NEVER if max_in_parking_us == c.NEVER else self.now + max_in_parking_us
        if self.settings.recall_to == c.TO_REMINDER and deadline_us != c.NEVER:
            deadline_us += self.settings.forward_after_us
            self.last[call] = deadline_us
        self.write(c.PARKED, call, extension=attendant, lot=lot, slot=slot, deadline_us=deadline_us)
        self.where[call] = "lot"
        self.parks[call] = k + 1
        self.parker[call] = attendant
        self.place[call] = (lot, slot)
        self.lots[lot][slot] = call
        self.last_assigned[lot] = slot
        self.put_clock(self.drawn("patience_us", k, call), c.RANK_HANGUP, call)
        self.parked_at[call] = self.now
        self.put_clock(self.drawn("retrieval_us", k, call), c.RANK_RETRIEVAL, len(self.told) if self.dials else call)
        self.told.append((lot, slot, call))
        self.put_clock(max_in_parking_us, c.RANK_EXPIRY, call)
        if attendant == c.NOBODY:
            return
        if self.settings.announcement_us == 0:
            self.free_attendant(attendant)
        else:
            self.announcing[attendant] = call
            self.put(self.now + self.settings.announcement_us, c.RANK_ANNOUNCED, attendant)
