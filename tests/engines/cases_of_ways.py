"""Hand-computed journals of the ways to park that only some systems have."""

from case_forms import (
    Case,
    answered,
    ended,
    expired,
    gave_up_parked,
    lost,
    offered,
    parked,
    parks,
    recalled,
    retrieved,
    retrieved_ringing,
    rings,
    settings,
    talks,
    unanswered,
    workload,
)

from parksim.rules import codes as c

WAYS: list[Case] = [
    Case(
        "a return to elsewhere",
        "Call 0 is parked at 10 until 30 and then leaves for voicemail, though its parker is free: no telephone rings, "
        "no call is lost, and its 0 of patience for a return does not count. Call 1 gets its slot at that instant. Its "
        "caller hangs up at 50 exactly: the hang-up comes before the time-out, and nothing is forwarded.",
        settings(recall_to=c.TO_ELSEWHERE, attendants=2),
        workload(
            parks(0, max_in_parking_us=20, recall_patience_us=0),
            parks(20, max_in_parking_us=20, patience_us=20),
        ),
        [
            offered(0, 0),
            answered(0, 0, by=0),
            parked(10, 0, slot=0, by=0, until=30),
            offered(20, 1),
            answered(20, 1, by=1),
            expired(30, 0, slot=0, parker=0),
            ended(30, 0, freed=c.NOBODY, reason=c.FORWARDED),
            parked(30, 1, slot=0, by=1, until=50),
            gave_up_parked(50, 1, slot=0, parker=1),
        ],
        (),
    ),
    Case(
        "fetched while it rings",
        "Call 0 rings at attendant 0 from 30 on. At 35 a member comes for it, and the attendant would answer: who "
        "comes is first. The attendant is free and takes call 1, which waits since 32.",
        settings(retrievable=1, staff=1),
        workload(parks(0, max_in_parking_us=20, retrieval_us=25, answer_us=5), talks(32)),
        [
            offered(0, 0),
            answered(0, 0, by=0),
            parked(10, 0, slot=0, by=0, until=30),
            expired(30, 0, slot=0, parker=0),
            rings(30, 0, parker=0, until=60),
            offered(32, 1),
            unanswered(35, 0, parker=0, reason=c.FETCHED),
            retrieved_ringing(35, 0, by=1),
            answered(35, 1, by=0),
            ended(55, 0, freed=1, reason=c.AFTER_RETRIEVAL),
            ended(65, 1, freed=0),
        ],
        ((c.RANK_RETRIEVAL, c.RANK_ANSWER),),
    ),
    Case(
        "no member is free while it rings",
        "The only member talks with call 0 from 15 to 115. So who would come for call 1 at 35 does not; it rings on "
        "and is answered as its period ends.",
        settings(retrievable=1, staff=1, attendants=2, slots=(2,)),
        workload(
            parks(0, retrieval_us=5, staff_talk_us=100),
            parks(0, max_in_parking_us=20, retrieval_us=25, answer_us=30),
        ),
        [
            offered(0, 0),
            answered(0, 0, by=0),
            offered(0, 1),
            answered(0, 1, by=1),
            parked(10, 0, slot=0, by=0, until=110),
            parked(10, 1, slot=1, by=1, until=30),
            retrieved(15, 0, slot=0, by=2),
            expired(30, 1, slot=1, parker=1),
            rings(30, 1, parker=1, until=60),
            recalled(60, 1, by=1),
            ended(90, 1, freed=1),
            ended(115, 0, freed=2, reason=c.AFTER_RETRIEVAL),
        ],
        ((c.RANK_ANSWER, c.RANK_RING_OUT),),
    ),
    Case(
        "who comes before it rings finds nobody",
        "The parker is busy with call 1 from 15 to 45, so call 0, back since 30, rings only at 45. Somebody comes for "
        "it at 45 exactly, before attendants are served, and goes away; nobody answers, and it rings out.",
        settings(retrievable=1, unanswered=c.UNANSWERED_DROP),
        workload(parks(0, max_in_parking_us=20, retrieval_us=35, answer_us=c.NEVER), talks(15)),
        [
            offered(0, 0),
            answered(0, 0, by=0),
            parked(10, 0, slot=0, by=0, until=30),
            offered(15, 1),
            answered(15, 1, by=0),
            expired(30, 0, slot=0, parker=0),
            ended(45, 1, freed=0),
            rings(45, 0, parker=0, until=75),
            unanswered(75, 0, parker=0),
            lost(75, 0, c.UNANSWERED, 0),
        ],
        ((c.RANK_RETRIEVAL, c.RANK_SERVE),),
    ),
]
