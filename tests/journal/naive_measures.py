"""Every measure once more, from the rows alone, in plain Python and exact fractions: slow and obvious.

Written from the definitions, not from ``parksim.journal.measures``: intervals are collected by walking through the
journal and cut by comparing ends, where the real ones sum columns. What is undefined is None.
"""

from collections import defaultdict
from fractions import Fraction
from itertools import pairwise

from parksim.rules import codes as c

HOUR_US = 3_600_000_000
LEAVES = {c.RETRIEVED, c.EXPIRED}
ENDS = {c.ENDED, c.LOST, c.ABANDONED}


def naive_measures(facts, settings, warm_up_us, horizon_us, target_us):
    """Return the measures of a journal's facts by name, fractions or None; lists of them for vectors."""
    return _Counted(list(facts), settings, warm_up_us, horizon_us).all(target_us)


class _Counted:
    def __init__(self, facts, settings, start_us, end_us):
        self.facts, self.settings = facts, settings
        self.start_us, self.end_us, self.length_us = start_us, end_us, end_us - start_us
        self.offered = {f.call: f.time_us for f in facts if f.kind == c.OFFERED}
        self.calls = {call for call, time_us in self.offered.items() if start_us <= time_us < end_us}
        self.stays = self._stays()

    def of(self, kind, *reasons):
        """Return the facts of one kind that belong to counted calls."""
        return [
            f for f in self.facts if f.call in self.calls and f.kind == kind and f.reason in (reasons or (f.reason,))
        ]

    def _stays(self):
        """Return (the fact PARKED, the fact that ended it) of all stays."""
        parked, stays = {}, []
        for fact in self.facts:
            if fact.kind == c.PARKED:
                parked[fact.call] = fact
            elif (fact.kind in LEAVES and fact.reason != c.RINGING) or (
                fact.kind == c.ABANDONED and fact.reason == c.IN_LOT
            ):
                stays.append((parked.pop(fact.call), fact))
        assert not parked
        return stays

    def overlap_us(self, from_us, to_us, start_us=None, end_us=None):
        """Return for how long an interval and the window (or another one) have time in common."""
        start_us = self.start_us if start_us is None else start_us
        end_us = self.end_us if end_us is None else end_us
        return max(0, min(to_us, end_us) - max(from_us, start_us))

    def busy(self):
        """Return (extension, from, to) of everything that kept an extension busy."""
        since, intervals = {}, []

        def take(extension, time_us):
            if extension != c.NOBODY:
                since.setdefault(extension, time_us)

        def free(extension, time_us):
            if extension != c.NOBODY:
                intervals.append((extension, since.pop(extension), time_us))

        announces = self.settings.announcement_us > 0
        for f in self.facts:
            if f.kind in {c.ANSWERED, c.RECALL_RINGING, c.RECALL_ANSWERED, c.RETRIEVED}:
                take(f.extension, f.time_us)
            elif (
                f.kind in {c.RELEASED, c.ENDED}
                or (f.kind == c.PARKED and not announces)
                or (f.kind, f.reason)
                in {
                    (c.LOST, c.LOT_FULL),
                    (c.LOST, c.SLOT_TAKEN),
                    (c.LOST, c.MET),
                    (c.ABANDONED, c.RINGING),
                    (c.RECALL_UNANSWERED, c.LAST),
                }
                or (f.kind, f.reason) == (c.RECALL_UNANSWERED, c.FETCHED)
            ):
                free(f.extension, f.time_us)
        assert not since
        return intervals

    def utilisation(self, first, count):
        """Return the busy share of the extensions first, first + 1, ..."""
        if count == c.NEVER:
            return None
        mine = [(a, b) for extension, a, b in self.busy() if first <= extension < first + count]
        return ratio(sum(self.overlap_us(a, b) for a, b in mine), count * self.length_us)

    def on_duty(self, at_us):
        """Return how many attendants are on duty at the end of an instant."""
        counts = self.settings.counts or [self.settings.attendants]
        return counts[at_us // self.settings.period_us % len(counts)]

    def attendance(self, from_us, to_us):
        """Return the time that attendants are busy and the time that they are there: on duty, or busy after it."""
        period_us = self.settings.period_us
        busy_us = there_us = 0
        mine = [one for one in self.busy() if 0 <= one[0] < self.settings.attendants]
        while from_us < to_us:
            end_us = min(to_us, (from_us // period_us + 1) * period_us) if self.settings.counts else to_us
            duty = self.on_duty(from_us)
            there_us += duty * (end_us - from_us)
            for extension, since_us, until_us in mine:
                both_us = self.overlap_us(since_us, until_us, from_us, end_us)
                busy_us += both_us
                there_us += both_us if extension >= duty else 0
            from_us = end_us
        return busy_us, there_us

    def attendants(self):
        """Return what share of their time attendants are busy."""
        if self.settings.attendants == c.NEVER:
            return None
        return ratio(*self.attendance(self.start_us, self.end_us))

    def attendants_by_hour(self):
        """Return of each hour of the day what share of their time attendants are busy."""
        both = [[0, 0] for _ in range(24)]
        if self.settings.attendants != c.NEVER:
            for hour, from_us, to_us in self.hours():
                for place, time_us in enumerate(self.attendance(from_us, to_us)):
                    both[hour][place] += time_us
        return [ratio(*times_us) for times_us in both]

    def in_time_by_hour(self, target_us):
        """Return of each hour of day what share of the calls offered in it were answered in time."""
        in_time = {f.call for f in self.of(c.ANSWERED) if f.time_us - self.offered[f.call] <= target_us}
        part, whole = (self.by_hour([self.offered[call] for call in calls]) for calls in (in_time, self.calls))
        return [ratio(a, b) for a, b in zip(part, whole, strict=True)]

    def levels(self):
        """Return for how long each number of slots was taken, within the window."""
        edges = {self.start_us, self.end_us}
        for parked, left in self.stays:
            edges |= {min(max(f.time_us, self.start_us), self.end_us) for f in (parked, left)}
        edges = sorted(edges)
        held = defaultdict(int)
        for from_us, to_us in pairwise(edges):
            taken = sum(p.time_us <= from_us and to_us <= e.time_us for p, e in self.stays)
            held[taken] += to_us - from_us
        return held

    def hours(self):
        """Yield (hour of day, from, to) for each stretch of the window that lies within one hour."""
        from_us = self.start_us
        while from_us < self.end_us:
            to_us = min(self.end_us, (from_us // HOUR_US + 1) * HOUR_US)
            yield from_us // HOUR_US % 24, from_us, to_us
            from_us = to_us

    def by_hour(self, times_us):
        """Return how many instants fall into each hour of day."""
        return [Fraction(sum(time_us // HOUR_US % 24 == hour for time_us in times_us)) for hour in range(24)]

    def all(self, target_us):
        """Return every measure."""
        settings, calls = self.settings, len(self.calls)
        parks, refusals = self.of(c.PARKED), self.of(c.REFUSED)
        expiries = self.of(c.EXPIRED)
        rung = {(f.call, f.time_us) for f in self.facts if f.kind == c.RECALL_RINGING}
        waits = [f.time_us - self.offered[f.call] for f in self.of(c.ANSWERED)]
        lengths = [left.time_us - parked.time_us for parked, left in self.stays if parked.call in self.calls]
        in_window = [f for f in self.facts if f.kind == c.EXPIRED and self.start_us <= f.time_us < self.end_us]
        held, slots = self.levels(), sum(settings.slots)
        busy = None
        if settings.recall_to == c.TO_PARKER:
            busy = ratio(sum((f.call, f.time_us) not in rung for f in expiries), len(expiries))
        recalled = Fraction(len(in_window) * HOUR_US, self.length_us)
        mean_stay = ratio(sum(lengths), 1_000_000 * len(lengths))
        requested = len(parks) + len(refusals)
        places = [(lot, slot) for lot, count in enumerate(settings.slots) for slot in range(count)]
        first_member = max(settings.attendants, 0)
        return {
            "calls_offered": Fraction(calls),
            "parks_requested": Fraction(requested),
            "parks_made": Fraction(len(parks)),
            "offered_erlang": None if mean_stay is None else requested * mean_stay * 1_000_000 / self.length_us,
            "refused_share": ratio(len(refusals), requested),
            "time_full_share": Fraction(held[slots], self.length_us),
            "retrieved_share": ratio(len(self.of(c.RETRIEVED, c.NO_REASON)), len(parks)),
            "expired_share": ratio(len(expiries), len(parks)),
            "abandoned_share": ratio(len(self.of(c.ABANDONED, c.IN_LOT)), len(parks)),
            "recalls_per_hour": recalled,
            "recall_busy_share": busy,
            "recall_answered_share": ratio(len(self.of(c.RECALL_ANSWERED)), len(expiries)),
            "recall_abandoned_share": ratio(len(self.of(c.ABANDONED, c.RETURNING, c.RINGING)), len(expiries)),
            "lost_share": ratio(len(self.of(c.LOST)), calls),
            "queue_abandoned_share": ratio(len(self.of(c.ABANDONED, c.WAITING)), calls),
            "queue_full_share": ratio(len(self.of(c.LOST, c.QUEUE_FULL)), calls),
            "occupancy_mean": Fraction(sum(level * time_us for level, time_us in held.items()), self.length_us),
            "occupancy_p95": Fraction(
                next(n for n in range(slots + 1) if 20 * sum(held[k] for k in range(n + 1)) >= 19 * self.length_us)
            ),
            "occupancy_max": Fraction(max(level for level, time_us in held.items() if time_us)),
            "parked_s_mean": mean_stay,
            "parked_s_p50": quantile_s(lengths, Fraction(1, 2)),
            "parked_s_p95": quantile_s(lengths, Fraction(19, 20)),
            "parks_per_call": ratio(len(parks), calls),
            "attendant_utilisation": self.attendants(),
            "staff_utilisation": self.utilisation(first_member, settings.staff) if settings.staff else None,
            "answer_wait_s_mean": ratio(sum(waits), 1_000_000 * len(waits)),
            "answer_wait_s_p95": quantile_s(waits, Fraction(19, 20)),
            "answered_within_share": ratio(sum(wait <= target_us for wait in waits), calls),
            "occupancy_pmf": [Fraction(held[level], self.length_us) for level in range(slots + 1)],
            "slot_utilisation": [
                Fraction(
                    sum(self.overlap_us(p.time_us, e.time_us) for p, e in self.stays if (p.lot, p.slot) == place),
                    self.length_us,
                )
                for place in places
            ],
            **self._ways(requested, len(parks), len(expiries)),
            **self._hourly(parks, refusals, in_window, target_us),
            **self._by_lot(parks, refusals, expiries),
        }

    def _ways(self, requested, parks, expiries):
        """Return the measures of the ways in which calls are parked, fetched and taken back."""
        return {
            "slot_reused_share": ratio(self.reused(), parks),
            "reminded_share": ratio(len(self.of(c.REMINDED, c.NO_REASON)), parks),
            "resumed_share": ratio(len(self.of(c.RETRIEVED, c.ON_REMINDER)), parks),
            "slot_taken_share": ratio(len(self.of(c.REFUSED, c.SLOT_TAKEN)), requested),
            "stranger_share": ratio(len(self.of(c.RETRIEVED, c.STRANGER)), parks),
            "recall_retrieved_share": ratio(len(self.of(c.RETRIEVED, c.RINGING)), expiries),
            "forwarded_share": ratio(len(self.of(c.ENDED, c.FORWARDED)), len(self.calls)),
        }

    def reused(self):
        """Return how many parks of counted calls took a slot that became free within the 60 s before."""
        return sum(
            any(
                (earlier.lot, earlier.slot) == (parked.lot, parked.slot)
                and 0 <= parked.time_us - left.time_us <= 60_000_000
                and self.facts.index(left) < self.facts.index(parked)
                for earlier, left in self.stays
            )
            for parked, _ in self.stays
            if parked.call in self.calls
        )

    def _by_lot(self, parks, refusals, expiries):
        lots = range(len(self.settings.slots))
        made, refused, expired = (
            [sum(f.lot == lot for f in facts) for lot in lots] for facts in (parks, refusals, expiries)
        )
        taken_us = [sum(self.overlap_us(p.time_us, e.time_us) for p, e in self.stays if p.lot == lot) for lot in lots]
        return {
            "parks_requested_by_lot": [Fraction(a + b) for a, b in zip(made, refused, strict=True)],
            "refused_share_by_lot": [ratio(b, a + b) for a, b in zip(made, refused, strict=True)],
            "expired_share_by_lot": [ratio(a, b) for a, b in zip(expired, made, strict=True)],
            "occupancy_mean_by_lot": [Fraction(time_us, self.length_us) for time_us in taken_us],
        }

    def _hourly(self, parks, refusals, in_window, target_us):
        made, refused = (self.by_hour([f.time_us for f in facts]) for facts in (parks, refusals))
        expired = [p.time_us for p, e in self.stays if p.call in self.calls and e.kind == c.EXPIRED]
        expired, returns = self.by_hour(expired), self.by_hour([f.time_us for f in in_window])
        open_us, taken_us = [0] * 24, [0] * 24
        for hour, from_us, to_us in self.hours():
            open_us[hour] += to_us - from_us
            taken_us[hour] += sum(self.overlap_us(p.time_us, e.time_us, from_us, to_us) for p, e in self.stays)
        return {
            "calls_offered_by_hour": self.by_hour([self.offered[call] for call in self.calls]),
            "parks_requested_by_hour": [a + b for a, b in zip(made, refused, strict=True)],
            "refused_share_by_hour": [ratio(b, a + b) for a, b in zip(made, refused, strict=True)],
            "expired_share_by_hour": [ratio(a, b) for a, b in zip(expired, made, strict=True)],
            "recalls_per_hour_by_hour": [ratio(a * HOUR_US, b) for a, b in zip(returns, open_us, strict=True)],
            "attendant_utilisation_by_hour": self.attendants_by_hour(),
            "answered_within_share_by_hour": self.in_time_by_hour(target_us),
            "occupancy_mean_by_hour": [ratio(a, b) for a, b in zip(taken_us, open_us, strict=True)],
        }


def ratio(part, whole):
    """Return a share, or None of nothing."""
    return Fraction(part, whole) if whole else None


def quantile_s(durations_us, share):
    """Return the smallest duration that at least this share of all do not exceed, in seconds."""
    for duration_us in sorted(durations_us):
        if Fraction(sum(other <= duration_us for other in durations_us), len(durations_us)) >= share:
            return Fraction(duration_us, 1_000_000)
    return None
