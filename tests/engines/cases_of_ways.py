"""Hand-computed journals of the ways to park that only some systems have."""

from case_forms import Case, answered, ended, expired, gave_up_parked, offered, parked, parks, settings, workload

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
]
