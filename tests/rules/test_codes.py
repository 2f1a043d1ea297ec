"""The codes are a file format: journals written today must be readable for ever, so numbers and names are pinned."""

import itertools

import pytest

from parksim.rules import codes, life

KINDS = [
    *("OFFERED", "ANSWERED", "REFUSED", "PARKED", "RELEASED", "RETRIEVED", "ABANDONED", "EXPIRED"),
    *("RECALL_RINGING", "RECALL_ANSWERED", "RECALL_UNANSWERED", "ENDED", "LOST", "REMINDED"),
]
REASONS = {
    "NO_REASON": "",
    "WAITING": "waiting",
    "IN_LOT": "parked",
    "RETURNING": "returning",
    "RINGING": "ringing",
    "LOT_FULL": "lot_full",
    "QUEUE_FULL": "queue_full",
    "UNANSWERED": "unanswered",
    "BUSY": "busy",
    "TALKED": "talked",
    "AFTER_RETRIEVAL": "retrieved",
    "OVERFLOWED": "overflow",
    "AGAIN": "again",
    "LAST": "last",
    "EMPTY_SLOT": "empty_slot",
    "STALE_TIMER": "stale_timer",
    "FORWARDED": "forwarded",
    "FETCHED": "fetched",
    "SLOT_TAKEN": "slot_taken",
    "STRANGER": "stranger",
    "MET": "met",
    "ON_REMINDER": "reminder",
}
RANKS = [
    *("HANGUP", "TALK_END", "ANNOUNCED", "STAFF_SERVE", "RETRIEVAL", "ANSWER", "EXPIRY", "RING_OUT"),
    *("SERVE", "ARRIVAL", "PARK_REQUEST"),
]
POLICIES = {
    "CHOICE_NAMES": ["CHOOSE_LOWEST", "CHOOSE_NEXT", "CHOOSE_RANDOM"],
    "SLOT_NAMES": ["SLOT_LOT", "SLOT_OWN", "SLOT_CHOSEN"],
    "TAKEN_NAMES": ["TAKEN_NEXT", "TAKEN_REFUSE", "TAKEN_RETRIEVE"],
    "FULL_NAMES": ["FULL_KEEP", "FULL_OVERFLOW", "FULL_DROP"],
    "RECALL_TO_NAMES": ["TO_PARKER", "TO_GROUP", "TO_ELSEWHERE", "TO_REMINDER"],
    "BUSY_NAMES": ["BUSY_WAIT", "BUSY_GROUP", "BUSY_DROP"],
    "UNANSWERED_NAMES": ["UNANSWERED_GROUP", "UNANSWERED_DROP"],
}


def test_kinds_keep_their_numbers():
    """A kind's number is its place in the list, and new ones may only be appended."""
    assert list(codes.KIND_NAMES[: len(KINDS)]) == KINDS
    assert [getattr(codes, name) for name in codes.KIND_NAMES] == list(range(len(codes.KIND_NAMES)))


def test_reasons_keep_their_numbers_and_names():
    """A reason's number and the name shown for it never change, and no two share either."""
    assert [getattr(codes, constant) for constant in REASONS] == list(range(len(REASONS)))
    assert list(codes.REASON_NAMES[: len(REASONS)]) == list(REASONS.values())
    assert len(set(codes.REASON_NAMES)) == len(codes.REASON_NAMES)


def test_ranks_stand_in_the_order_of_simultaneous_events():
    """Facts of the world, then the system's time-outs, then claims: the written order, without a gap."""
    assert list(codes.RANK_NAMES) == RANKS
    assert [getattr(codes, f"RANK_{name}") for name in RANKS] == list(range(11))


@pytest.mark.parametrize(("names", "constants"), POLICIES.items())
def test_each_policy_has_a_name_and_a_number(names, constants):
    """The name of a policy stands at its number, and is the last word of its constant in small letters."""
    assert [getattr(codes, constant) for constant in constants] == list(range(len(constants)))
    assert list(getattr(codes, names)) == [constant.split("_", 1)[1].lower() for constant in constants]


def test_codes_fit_their_columns_and_are_plain_integers():
    """Kinds and reasons fit an unsigned byte; every constant is an int, that the kernel compiles, or names."""
    public = {name: value for name, value in vars(codes).items() if name.isupper()}
    assert len(public) > 50
    for name, value in public.items():
        assert type(value) is (tuple if name.endswith("_NAMES") else int), name
    assert all(0 <= value <= 255 for value in itertools.chain(range(len(KINDS)), range(len(REASONS))))


def test_nothing_is_minus_one():
    """Nobody and never are -1, which is no call, no slot, no extension and no instant."""
    assert codes.NOBODY == codes.NEVER == -1


def test_what_is_absent_is_no_number_of_anything():
    """Nobody, never and unlimited are -1, below every number; what is forbidden is no state of a call."""
    assert (codes.NOBODY, codes.NEVER, codes.UNLIMITED) == (-1, -1, -1)
    assert life.FORBIDDEN == -1
