"""The walk through rows that commands had a part in is itself put to the test: planted faults are seen."""

import case_forms as f
from commanded_walk import sees, two_at_once

from parksim.engines import commanded
from parksim.engines.commanded import ANSWER, HANG_UP, PARK, PICK_UP, PLACE, UNPARK, Command
from parksim.rules import codes as c


def test_the_walk_sees_planted_faults():
    """Rows with a slot taken twice, a late time-out, a wrong parker or no end are complained of."""
    settings = f.settings()
    good = [f.offered(0, 0), f.answered(0, 0, 0), f.parked(1, 0, 0, 0, 9), f.gave_up_parked(2, 0, 0, 0)]
    assert sees(settings, good) == []
    twice = [*good[:3], f.offered(1, 1), f.answered(1, 1, 0), f.parked(1, 1, 0, 0, 9)]
    assert any("taken" in line for line in sees(settings, twice))
    assert any("deadline" in line for line in sees(settings, [*good[:3], f.expired(10, 0, 0, 0)]))
    assert any("parker" in line for line in sees(settings, [*good[:3], f.expired(9, 0, 0, 4)]))
    assert any("still there" in line for line in sees(settings, good[:3]))
    assert two_at_once([f.answered(0, 0, 0), f.answered(1, 1, 0)], set()) != []
    assert two_at_once([f.answered(0, 0, 0), f.answered(1, 1, 0)], {1}) == []


def test_the_walk_sees_planted_faults_of_a_pick_up_and_a_transfer():
    """A journal with a pick-up and a transfer is right; a row left out, moved, or of another slot or call is seen."""
    given = [
        *(Command(0, PLACE, extension=2), Command(1, ANSWER, 0, 2), Command(2, PARK, 0, 2, 10)),
        *(Command(3, PLACE, extension=3), Command(4, ANSWER, 1, 3), Command(5, PARK, 1, 3, 100)),
        *(Command(20, PICK_UP, 0, 3), Command(30, UNPARK, 1, 2)),
        *(Command(40, HANG_UP, 0), Command(50, HANG_UP, 1)),
    ]
    settings = f.settings(slots=(2,))
    rows = list(map(tuple, commanded.simulate(settings, f.workload(f.talks(at=1_000)), given).facts()))
    assert sees(settings, rows) == []
    names = [(c.KIND_NAMES[row[6]], c.REASON_NAMES[row[7]], row[5]) for row in rows if row[2] == 0]
    picked = names.index(("RETRIEVED", "ringing", 3))
    assert names[picked - 1] == ("RECALL_UNANSWERED", "fetched", 2)
    assert names[picked + 1][0] == "ENDED"
    place, moved = (next(n for n, row in enumerate(rows) if (row[2], row[6]) == (call, c.RETRIEVED)) for call in (0, 1))
    faults = {
        "no end of the ringing": rows[: place - 1] + rows[place:],
        "picked up later than the ringing ended": [*rows[:place], (21, *rows[place][1:]), *rows[place + 1 :]],
        "another call picked up": [*rows[:place], (*rows[place][:2], 1, *rows[place][3:]), *rows[place + 1 :]],
        "not transferred": rows[:moved] + rows[moved + 1 :],
        "transferred from another slot": [
            *rows[:moved],
            (*rows[moved][:4], 1 - rows[moved][4], *rows[moved][5:]),
            *rows[moved + 1 :],
        ],
        "transferred after its time": [*rows[:moved], (106, *rows[moved][1:]), *rows[moved + 1 :]],
    }
    for name, wrong in faults.items():
        assert sees(settings, wrong), name
