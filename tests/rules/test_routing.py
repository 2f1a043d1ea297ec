"""Who answers, which clock rings first, where a call goes: every case enumerated against a naive answer."""

from itertools import product

import numpy as np
import pytest

from parksim.rules import codes, routing
from parksim.rules.codes import NEVER, NOBODY
from parksim.rules.routing import BUSY_NOW, OFF_DUTY, Wake

SMALL_US = (NEVER, 0, 1, 2)


def naive_first(clocks, end_rank):
    """Return the earliest of [(instant, rank)], of equal instants the lower rank; (never, ``end_rank``) of none."""
    running = sorted(clock for clock in clocks if clock[0] != NEVER)
    return Wake(*running[0]) if running else Wake(NEVER, end_rank)


@pytest.mark.parametrize("extensions", range(5))
def test_the_longest_idle_is_the_earliest_to_become_free_then_the_first_by_position(extensions):
    """All 5^n states of up to four extensions (busy, off duty, idle since 0, 1, 2): as sorting the free ones says."""
    for idle_since_us in product((OFF_DUTY, BUSY_NOW, 0, 1, 2), repeat=extensions):
        free = sorted((since_us, position) for position, since_us in enumerate(idle_since_us) if since_us >= 0)
        expected = free[0][1] if free else NOBODY
        assert routing.longest_idle(idle_since_us, extensions) == expected
        assert routing.longest_idle(list(idle_since_us), extensions) == expected
        column = np.array([*idle_since_us, 0], np.int64)  # longer than the group, and nobody may write it
        column.flags.writeable = False
        assert routing.longest_idle(column, extensions) == expected


def test_who_is_on_duty_is_told_period_by_period_round_and_round():
    """All rosters of up to four periods with 0 to 2 on duty, three rounds of them: as the list repeated says."""
    for counts in (counts for length in range(1, 5) for counts in product(range(3), repeat=length)):
        repeated = [count for count in counts * 4 for _ in range(7)]  # instant by instant, periods of 7
        for now_us in range(3 * 7 * len(counts)):
            duty = routing.on_duty(counts, 7, now_us)
            assert duty == repeated[now_us]
            later = (us for us in range(now_us + 1, len(repeated)) if repeated[us] != duty)
            at_a_change = now_us % 7 == 0  # which is where it is asked
            if at_a_change:
                assert routing.next_change_us(counts, 7, now_us) == next(later, NEVER)
    assert routing.next_change_us((), 7, 0) == NEVER


def test_a_change_of_the_number_on_duty():
    """Each of two extensions in each state, with 0 to 2 on duty at 9: who comes, who stays, who goes, who finishes."""
    for extension, duty, since_us in product(range(2), range(3), (BUSY_NOW, OFF_DUTY, 0, 5)):
        after_us = routing.idle_after_change(since_us, extension, duty, 9)
        on = extension < duty
        comes = {BUSY_NOW: BUSY_NOW, OFF_DUTY: 9, 0: 0, 5: 5}
        goes = {BUSY_NOW: BUSY_NOW, OFF_DUTY: OFF_DUTY, 0: OFF_DUTY, 5: OFF_DUTY}
        assert after_us == (comes if on else goes)[since_us]
        assert routing.is_free(after_us) == (on and since_us != BUSY_NOW)
        assert routing.idle_when_freed(extension, duty, 9) == (9 if on else OFF_DUTY)


@pytest.mark.parametrize("parked_us", [0, 7])
def test_a_stay_ends_by_the_first_clock_and_ties_go_by_rank(parked_us):
    """All 64 races of patience, retrieval and limit: the first instant, then hang-up before retrieval before timer."""
    for patience_us, retrieval_us, limit_us in product(SMALL_US, repeat=3):
        clocks = [
            (delay_us if delay_us == NEVER else parked_us + delay_us, rank)
            for delay_us, rank in (
                (patience_us, codes.RANK_HANGUP),
                (retrieval_us, codes.RANK_RETRIEVAL),
                (limit_us, codes.RANK_EXPIRY),
            )
        ]
        wake = routing.first_of_stay(parked_us, patience_us, retrieval_us, limit_us)
        assert wake == naive_first(clocks, codes.RANK_EXPIRY), (patience_us, retrieval_us, limit_us)


def test_a_ring_ends_by_the_first_clock_and_ties_go_by_rank():
    """All 256 races of patience, retrieval, answer and end: the first instant, then hang-up, retrieval, answer, end."""
    for patience_end_us, retrieval_us, answer_us, ring_end_us in product(SMALL_US, repeat=4):
        clocks = [
            (patience_end_us, codes.RANK_HANGUP),
            (retrieval_us, codes.RANK_RETRIEVAL),
            (answer_us, codes.RANK_ANSWER),
            (ring_end_us, codes.RANK_RING_OUT),
        ]
        wake = routing.first_of_ring(patience_end_us, retrieval_us, answer_us, ring_end_us)
        assert wake == naive_first(clocks, codes.RANK_RING_OUT), clocks


@pytest.mark.parametrize(("retrieval_us", "comes_us"), [(NEVER, NEVER), (9, NEVER), (10, NEVER), (11, 16)])
def test_who_comes_for_a_ringing_call_comes_after_the_first_ring(retrieval_us, comes_us):
    """The delay runs from the park at 5; the period begins at 15, and who came until then found nobody."""
    assert routing.retrieval_of_ring(5, retrieval_us, 15) == comes_us


def test_a_retrieval_at_the_deadline_wins_and_an_answer_at_the_last_moment_counts():
    """The two ties that people ask about, in words of the design: 180 s and 180 s; 30 s and 30 s."""
    second_us = 1_000_000
    assert routing.first_of_stay(0, NEVER, 180 * second_us, 180 * second_us).rank == codes.RANK_RETRIEVAL
    assert routing.first_of_ring(NEVER, NEVER, 30 * second_us, 30 * second_us).rank == codes.RANK_ANSWER


@pytest.mark.parametrize(
    ("policy", "asked", "retries", "expected"),
    [
        (codes.FULL_KEEP, 1, 0, routing.TALK_ON),
        (codes.FULL_KEEP, 1, 1, routing.ASK_AGAIN),
        (codes.FULL_KEEP, 2, 1, routing.TALK_ON),
        (codes.FULL_KEEP, 2, 2, routing.ASK_AGAIN),
        (codes.FULL_KEEP, 3, 2, routing.TALK_ON),
        (codes.FULL_OVERFLOW, 1, 5, routing.OVERFLOW),
        (codes.FULL_DROP, 1, 5, routing.LEAVE),
    ],
)
def test_what_follows_a_full_lot(policy, asked, retries, expected):
    """Kept calls ask ``retries`` times more, then talk on; the other policies never ask again."""
    assert routing.after_lot_full(policy, asked, retries) == expected


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (codes.BUSY_WAIT, routing.STAY),
        (codes.BUSY_GROUP, routing.JOIN_GROUP),
        (codes.BUSY_DROP, routing.LEAVE),
    ],
)
def test_what_follows_a_busy_parker(policy, expected):
    """Each of the three policies has its own consequence."""
    assert routing.after_busy(policy) == expected


def test_what_follows_a_ring_that_nobody_answers():
    """As many rings as attempts, for all attempts up to four; then the policy decides."""
    after = {codes.UNANSWERED_GROUP: routing.JOIN_GROUP, codes.UNANSWERED_DROP: routing.LEAVE}
    for policy, attempts in product(after, range(1, 5)):
        story = [routing.after_unanswered(policy, attempt, attempts) for attempt in range(1, attempts + 1)]
        assert story == [routing.RING_AGAIN] * (attempts - 1) + [after[policy]]


def test_consequences_are_told_apart():
    """The seven consequences are seven different numbers."""
    consequences = [
        *(routing.STAY, routing.JOIN_GROUP, routing.LEAVE, routing.RING_AGAIN),
        *(routing.ASK_AGAIN, routing.TALK_ON, routing.OVERFLOW),
    ]
    assert len(set(consequences)) == 7


@pytest.mark.parametrize(
    ("waiting", "limit", "full"),
    [(0, 0, True), (0, 1, False), (1, 1, True), (2, 1, True), (0, NEVER, False), (10**6, NEVER, False)],
)
def test_a_queue_turns_calls_away_from_its_limit_on(waiting, limit, full):
    """A limit of 0 makes a loss system, no limit never turns anybody away."""
    assert routing.queue_is_full(waiting, limit) is full
