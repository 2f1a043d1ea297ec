"""The model under command: without commands it is the model; with them it obeys, stays whole, and replays."""

from copy import deepcopy
from random import Random

import case_forms as f
import pytest
import simpy
from commanded_walk import Walk, sees, two_at_once
from random_cases import random_case

import parksim
from parksim.engines import commanded, processes
from parksim.engines.commanded import (
    _STATES_FOR,
    ANSWER,
    DELAY,
    HANG_UP,
    HOLD,
    PARK,
    PICK_UP,
    PLACE,
    RANKS,
    STOP,
    UNHOLD,
    UNPARK,
    Command,
    CommandedExchange,
    CommandError,
)
from parksim.engines.traffic import Traffic, batch, endless_batches
from parksim.journal.journal import JournalError
from parksim.rules import codes as c
from parksim.rules.routing import BUSY_NOW, OFF_DUTY
from parksim.scenario.model import Scenario

SCENARIOS = (
    "contact-centre",
    "hospital",
    "lot-only",
    "overload",
    "park1",
    "recorded",
    "shifts",
    "small-office",
    "two-organisations",
    "warehouse",
)
KINDS = (PLACE, ANSWER, PARK, PARK, PARK, UNPARK, UNPARK, PICK_UP, HANG_UP, HANG_UP, HOLD, UNHOLD, DELAY, STOP)


def short(name: str, horizon: str = "2h") -> Scenario:
    """Return a shipped scenario with a short horizon."""
    scenario = Scenario.load(f"scenarios/{name}.toml")
    return scenario.with_values({"run.horizon": horizon, "run.warm_up": "0s", "run.cool_down": "0s"})


# ------------------------------------------------------------------------------------------- without any command


@pytest.mark.parametrize("name", SCENARIOS)
def test_without_commands_it_is_the_model(name):
    """The rows of a shipped scenario (2 h) equal those of the SimPy engine by bytes."""
    scenario = short(name, "12h" if name == "recorded" else "2h")
    workload = parksim.draw(scenario, 1, 0)
    assert len(workload.arrival_us) > 0
    plain = processes.simulate(scenario.settings, workload)
    assert commanded.simulate(scenario.settings, workload, []).tobytes() == plain.tobytes()


def agree(cases: int, seed: int) -> None:
    """Compare both models on so many random cases, one and several lots."""
    rng = Random(seed)
    for case in range(cases):
        settings, workload = random_case(rng, several_lots=case % 3 == 0)
        plain = processes.simulate(settings, workload)
        assert commanded.simulate(settings, workload, []).tobytes() == plain.tobytes(), f"case {case} of seed {seed}"


def test_random_cases_agree():
    """300 random cases full of ties, on both grids: the same bytes. Exact, so without level; seed 401."""
    agree(300, 401)


@pytest.mark.slow
def test_many_random_cases_agree():
    """10,000 random cases: the same bytes. Seed 402."""
    agree(10_000, 402)


def test_changes_of_the_number_on_duty_sleep_and_wake():
    """When nothing is to come they stop; a command later on finds who is on duty then, as if they had gone on."""
    settings_ = f.settings(attendants=2, counts=(1, 2), period_us=50)
    exchange = CommandedExchange(simpy.Environment(), settings_, Traffic([]), Walk(settings_).take)
    exchange.run()
    assert (exchange.now_us, exchange.duty) == (50, 2)
    exchange.at(1_049, RANKS[PLACE], lambda: None)
    exchange.run()
    assert (exchange.now_us, exchange.attendants.idle_since_us) == (1_050, [0, 1_050])
    exchange.at(1_100, RANKS[HANG_UP], lambda: None)  # at the full period itself, but before its SERVE
    exchange.env.step()
    assert (exchange.now_us, exchange.duty) == (1_100, 2)
    exchange.run()
    assert exchange.attendants.idle_since_us == [0, OFF_DUTY]


# ------------------------------------------------------------------------------------------------ random sessions


class Session:
    """A random case and random commands, most of them possible, on the case's own grid so that ties abound."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.settings, self.workload = random_case(rng, several_lots=rng.random() < 0.3, calls=rng.randint(1, 15))
        self.grid_us = 1_000_000 if self.settings.period_us >= 1_000_000 else 1  # that of the case
        self.walk = Walk(self.settings)
        self.exchange = CommandedExchange(
            simpy.Environment(), self.settings, Traffic([batch(self.workload)]), self.walk.take
        )
        self.done: list[Command] = []
        self.refused = 0

    def run(self) -> None:
        """Give all commands, let everything happen, hang up what is left."""
        rng = self.rng
        last = int(self.workload.arrival_us[-1]) // self.grid_us + 12
        for _ in range(rng.randint(5, 40)):
            kinds = [rng.choice(KINDS if rng.random() < 0.1 else KINDS[:-2])]
            while rng.random() < 0.15:
                kinds.append(rng.choice([kind for kind in KINDS if RANKS[kind] == RANKS[kinds[0]]]))
            self.exchange.at(rng.randint(0, last) * self.grid_us, RANKS[kinds[0]], lambda kinds=kinds: self.give(kinds))
        self.exchange.env.run()
        while self.exchange.places:
            call = min(self.exchange.places)
            now_us = self.exchange.now_us + 1
            self.exchange.at(now_us, RANKS[HANG_UP], lambda call=call: self.do(Command(0, HANG_UP, call), joined=False))
            self.exchange.env.run()

    def give(self, kinds: list[str]) -> None:
        """Give commands of these kinds together, about whatever calls there are, or are not."""
        joined = False
        for kind in kinds:
            self.walk.compare(self.exchange)
            joined = self.do(self.command(kind), joined=joined) or joined

    def command(self, kind: str) -> Command:
        """Draw a command."""
        rng = self.rng
        fitting = [call for call, place in self.exchange.places.items() if place.state in _STATES_FOR.get(kind, ())]
        calls = fitting if fitting and rng.random() < 0.7 else [*self.exchange.places, self.exchange.next_call, 0]
        people = max(self.settings.attendants, 1) + max(self.settings.staff, 0) + 2
        extension = rng.randrange(people)
        limit_us = rng.choice((1, 2, 5, 9)) * self.grid_us
        if kind in {PLACE, STOP}:
            return Command(0, kind, extension=extension)
        if kind == DELAY:
            return Command(0, kind, limit_us=limit_us)
        limit_us = c.NEVER if kind != PARK or rng.random() < 0.2 else limit_us
        lot = rng.randrange(len(self.settings.slots)) if kind == PARK else 0
        asked = rng.choice((c.NOBODY, c.NOBODY, 0, 3)) if kind == PARK else c.NOBODY
        return Command(0, kind, rng.choice(calls), extension, limit_us, lot, asked)

    def do(self, command: Command, *, joined: bool) -> bool:
        """Do a command and keep it, or see that its refusal changes nothing."""
        command = command._replace(time_us=self.exchange.now_us, joined=joined)
        before = self.everything()
        try:
            self.exchange.do(command)
        except CommandError:
            assert self.everything() == before
            self.refused += 1
            return False
        self.done.append(command)
        self.walk.compare(self.exchange)
        return True

    def everything(self) -> object:
        """Return all that a command might change."""
        exchange = self.exchange
        lots = [(lot.occupants, lot.parkers, lot.deadlines_us, lot.view.last_slot) for lot in exchange.lots]
        lines = [list(line) for line in (exchange.queue, exchange.group_returns, exchange.retrievals, exchange.joined)]
        own = [list(line) for line in exchange.own_returns]
        calendar = len(exchange.env._queue)
        idle = (
            exchange.attendants.idle_since_us,
            exchange.staff.idle_since_us,
            exchange.next_call,
            exchange.announcing_since_us,
        )
        return deepcopy((exchange.places, lots, idle, len(self.walk.rows), calendar)), lines, own


def sessions(number: int, seed: int) -> None:
    """Run so many random sessions; look at everything that must hold of each."""
    rng = Random(seed)
    done = refused = 0
    for case in range(number):
        session = Session(rng)
        session.run()
        where = f"session {case} of seed {seed}"
        assert session.walk.wrong == [], where
        rows = session.walk.rows
        assert sees(session.settings, rows) == [], where
        touched = {command.call for command in session.done}
        assert two_at_once(rows, touched) == [], where
        exchange = session.exchange
        assert BUSY_NOW not in exchange.attendants.idle_since_us + exchange.staff.idle_since_us, where
        lines = (exchange.queue, exchange.group_returns, *exchange.own_returns, exchange.retrievals)
        assert not any(lines), where
        assert not any((exchange._drawn, exchange._processes, exchange._limits_us)), where
        again = commanded.simulate(session.settings, session.workload, session.done)
        assert list(map(tuple, again.facts())) == rows, where
        done += len(session.done)
        refused += session.refused
    assert done > 5 * number
    assert refused > number


def test_random_sessions_hold_and_replay():
    """300 sessions of random commands: nothing is broken, refusals change nothing, replays are equal. Seed 403."""
    sessions(300, 403)


@pytest.mark.slow
def test_many_random_sessions_hold_and_replay():
    """5,000 sessions of random commands. Seed 404."""
    sessions(5_000, 404)


# ----------------------------------------------------------------------------------------------------- by hand

FAR = 7
"""An extension that is neither an attendant nor of the staff."""
RECALLED = [f.offered(0, 0), f.answered(0, 0, 0), f.parked(10, 0, 0, 0, 110)]
RINGING = [*RECALLED, f.expired(110, 0, 0, 0), f.rings(110, 0, 0, 140)]
BUSY_PARKER = [*RECALLED, f.offered(100, 1), f.answered(100, 1, 0), f.expired(110, 0, 0, 0)]

CASES = {
    "hang up in the queue": (
        {},
        [f.talks(), f.talks(at=1)],
        [Command(5, HANG_UP, 1)],
        [f.offered(0, 0), f.answered(0, 0, 0), f.offered(1, 1), f.gave_up_waiting(5, 1), f.ended(30, 0, 0)],
    ),
    "hang up while handled, and the next one is answered": (
        {},
        [f.talks(), f.talks(at=1)],
        [Command(5, HANG_UP, 0)],
        [
            *[f.offered(0, 0), f.answered(0, 0, 0), f.offered(1, 1), f.ended(5, 0, 0), f.answered(5, 1, 0)],
            f.ended(35, 1, 0),
        ],
    ),
    "hang up in the lot": ({}, [f.parks()], [Command(20, HANG_UP, 0)], [*RECALLED, f.gave_up_parked(20, 0, 0, 0)]),
    "hang up in the lot at the deadline": (
        {},
        [f.parks()],
        [Command(110, HANG_UP, 0)],
        [*RECALLED, f.gave_up_parked(110, 0, 0, 0)],
    ),
    "hang up with a member of the staff, who is free again": (
        {"staff": 1},
        [f.parks(retrieval_us=10)],
        [Command(25, HANG_UP, 0)],
        [*RECALLED, f.retrieved(20, 0, 0, 1), f.ended(25, 0, 1, c.AFTER_RETRIEVAL)],
    ),
    "hang up with a staff without end": (
        {},
        [f.parks(retrieval_us=10)],
        [Command(25, HANG_UP, 0)],
        [*RECALLED, f.retrieved(20, 0, 0, -1), f.ended(25, 0, -1, c.AFTER_RETRIEVAL)],
    ),
    "hang up while the return waits for its parker": (
        {},
        [f.parks(), f.talks(at=100)],
        [Command(115, HANG_UP, 0)],
        [*BUSY_PARKER, f.gave_up_returning(115, 0), f.ended(130, 1, 0)],
    ),
    "hang up while it rings": (
        {},
        [f.parks(answer_us=20)],
        [Command(115, HANG_UP, 0)],
        [*RINGING, f.gave_up_ringing(115, 0, 0)],
    ),
    "answer a return that rings": (
        {},
        [f.parks(answer_us=20)],
        [Command(115, ANSWER, 0, FAR)],
        [*RINGING, f.recalled(115, 0, 0), f.ended(145, 0, 0)],
    ),
    "fetch at the deadline, and talk as the workload says": (
        {},
        [f.parks()],
        [Command(110, UNPARK, 0, FAR)],
        [*RECALLED, f.retrieved(110, 0, 0, FAR), f.ended(130, 0, FAR, c.AFTER_RETRIEVAL)],
    ),
    "fetch while its retrieval waits for the staff": (
        {"staff": 0},
        [f.parks(retrieval_us=10)],
        [Command(40, UNPARK, 0, FAR)],
        [*RECALLED, f.retrieved(40, 0, 0, FAR), f.ended(60, 0, FAR, c.AFTER_RETRIEVAL)],
    ),
    "park while handled: the attendant is free, the call returns at the command's limit": (
        {},
        [f.parks(), f.talks(at=1)],
        [Command(5, PARK, 0, 0, 50)],
        [
            *[f.offered(0, 0), f.answered(0, 0, 0), f.offered(1, 1), f.parked(5, 0, 0, 0, 55), f.answered(5, 1, 0)],
            *[f.ended(35, 1, 0), f.expired(55, 0, 0, 0), f.rings(55, 0, 0, 85), f.recalled(55, 0, 0)],
            f.ended(85, 0, 0),
        ],
    ),
    "the shortest stay": (
        {},
        [f.talks()],
        [Command(15, PARK, 0, 0, 1)],
        [
            *[f.offered(0, 0), f.answered(0, 0, 0), f.parked(15, 0, 0, 0, 16), f.expired(16, 0, 0, 0)],
            *[f.rings(16, 0, 0, 46), f.recalled(16, 0, 0), f.ended(46, 0, 0)],
        ],
    ),
    "the longest stay": (
        {},
        [f.talks()],
        [Command(15, PARK, 0, 0, 2**62), Command(20, HANG_UP, 0)],
        [f.offered(0, 0), f.answered(0, 0, 0), f.parked(15, 0, 0, 0, 15 + 2**62), f.gave_up_parked(20, 0, 0, 0)],
    ),
    "park while talking": (
        {},
        [f.talks()],
        [Command(15, PARK, 0, 0, 50), Command(20, UNPARK, 0, FAR)],
        [
            *[f.offered(0, 0), f.answered(0, 0, 0), f.parked(15, 0, 0, 0, 65), f.retrieved(20, 0, 0, FAR)],
            f.ended(40, 0, FAR, c.AFTER_RETRIEVAL),
        ],
    ),
    "park while asking again": (
        {"attendants": 2, "retries": 3},
        [f.parks(max_in_parking_us=200), f.parks(at=5)],
        [Command(17, HANG_UP, 0), Command(18, PARK, 1, 1, 30), Command(20, HANG_UP, 1)],
        [
            *[f.offered(0, 0), f.answered(0, 0, 0), f.offered(5, 1), f.answered(5, 1, 1), f.parked(10, 0, 0, 0, 210)],
            *[f.refused(15, 1, 1), f.gave_up_parked(17, 0, 0, 0), f.parked(18, 1, 0, 1, 48)],
            f.gave_up_parked(20, 1, 0, 1),
        ],
    ),
    "a full lot refuses, and the call goes its way": (
        {"attendants": 2},
        [f.parks(), f.talks(at=11)],
        [Command(12, PARK, 1, 1, 50), Command(13, HANG_UP, 0)],
        [
            *[*RECALLED, f.offered(11, 1), f.answered(11, 1, 1), f.refused(12, 1, 1), f.gave_up_parked(13, 0, 0, 0)],
            f.ended(41, 1, 1),
        ],
    ),
    "parked by whoever is no attendant it rings there until it is answered": (
        {},
        [f.parks(), f.talks(at=1)],
        [Command(5, PARK, 0, FAR, 50), Command(400, ANSWER, 0), Command(410, HANG_UP, 0)],
        [
            *[f.offered(0, 0), f.answered(0, 0, 0), f.offered(1, 1), f.parked(5, 0, 0, FAR, 55), f.answered(5, 1, 0)],
            *[f.ended(35, 1, 0), f.expired(55, 0, 0, FAR), f.rings(55, 0, FAR, -1), f.recalled(400, 0, FAR)],
            f.ended(410, 0, FAR),
        ],
    ),
    "it rings elsewhere while the attendant still announces": (
        {"announcement_us": 60},
        [f.parks()],
        [Command(5, PARK, 0, FAR, 50), Command(70, HANG_UP, 0)],
        [
            *[f.offered(0, 0), f.answered(0, 0, 0), f.parked(5, 0, 0, FAR, 55), f.expired(55, 0, 0, FAR)],
            *[f.rings(55, 0, FAR, -1), f.released(65, 0, 0), f.gave_up_ringing(70, 0, FAR)],
        ],
    ),
    "a placed call takes no attendant": (
        {},
        [f.talks(at=3)],
        [
            *[Command(1, PLACE, extension=0), Command(2, ANSWER, 0, 0), Command(4, PARK, 0, 0, 10)],
            *[Command(14, UNPARK, 0, 0), Command(15, PARK, 0, 0, 10), Command(30, HANG_UP, 0)],
        ],
        [
            *[f.offered(1, 0), f.answered(2, 0, 0), f.offered(3, 1), f.answered(3, 1, 0), f.parked(4, 0, 0, 0, 14)],
            *[f.retrieved(14, 0, 0, 0), f.parked(15, 0, 0, 0, 25), f.expired(25, 0, 0, 0), f.rings(25, 0, 0, -1)],
            *[f.gave_up_ringing(30, 0, 0), f.ended(33, 1, 0)],
        ],
    ),
    "parks given together come before whoever they free": (
        {"attendants": 2, "slots": (2,), "choices": (c.CHOOSE_LOWEST,)},
        [f.talks(), f.talks(), f.talks(at=1)],
        [
            *[Command(5, PARK, 0, 0, 50), Command(5, PARK, 1, 1, 50, joined=True)],
            *[Command(6, HANG_UP, 0), Command(6, HANG_UP, 1, joined=True)],
        ],
        [
            *[f.offered(0, 0), f.answered(0, 0, 0), f.offered(0, 1), f.answered(0, 1, 1), f.offered(1, 2)],
            *[f.parked(5, 0, 0, 0, 55), f.parked(5, 1, 1, 1, 55), f.answered(5, 2, 0)],
            *[f.gave_up_parked(6, 0, 0, 0), f.gave_up_parked(6, 1, 1, 1), f.ended(35, 2, 0)],
        ],
    ),
    "traffic put off, the call of that very instant too": (
        {},
        [f.talks(at=10), f.talks(at=50)],
        [Command(10, DELAY, limit_us=7)],
        [
            *[f.offered(17, 0), f.answered(17, 0, 0), f.ended(47, 0, 0), f.offered(57, 1), f.answered(57, 1, 0)],
            f.ended(87, 1, 0),
        ],
    ),
    "traffic stopped": (
        {},
        [f.talks(at=10), f.talks(at=50)],
        [Command(20, STOP), Command(60, DELAY, limit_us=5)],
        [f.offered(10, 0), f.answered(10, 0, 0), f.ended(40, 0, 0)],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_worked_out_by_hand(name):
    """The rows of a small case with commands, worked out on the fingers."""
    changes, calls, commands, rows = CASES[name]
    settings = f.settings(**changes)
    journal = commanded.simulate(settings, f.workload(*calls), commands)
    assert list(map(tuple, journal.facts())) == rows
    assert sees(settings, rows) == []


def test_a_fetched_call_talks_as_long_as_its_own_park_says():
    """Of parks with talks of unlike lengths the first one's talk follows the first fetch, to the microsecond."""
    scenario = short("hospital")
    workload = parksim.draw(scenario, 1, 0)
    plain = processes.simulate(scenario.settings, workload).facts()
    first = next(fact for fact in plain if fact.kind == c.PARKED)
    talks_us = workload.staff_talk_us[:, first.call].tolist()
    assert len(set(talks_us)) == len(talks_us) > 2
    at_us = first.time_us + 1
    journal = commanded.simulate(scenario.settings, workload, [Command(at_us, UNPARK, first.call, FAR)])
    ends = [fact for fact in journal.facts() if (fact.call, fact.kind) == (first.call, c.ENDED)]
    assert [(fact.time_us, fact.reason) for fact in ends] == [(at_us + talks_us[0], c.AFTER_RETRIEVAL)]


REFUSALS = {
    "no such call": ([f.talks()], Command(5, HANG_UP, 9), "there is no call 9"),
    "one that is over": ([f.talks()], Command(99, HANG_UP, 0), "there is no call 0"),
    "park in the lot": ([f.parks()], Command(20, PARK, 0, 0, 5), "call 0 is parked: no park now"),
    "park at the deadline": ([f.parks(answer_us=9)], Command(110, PARK, 0, 0, 5), "call 0 is ringing: no park now"),
    "pick up in the lot": ([f.parks()], Command(20, PICK_UP, 0, 0), "call 0 is parked: no pick_up now"),
    "fetch what talks": ([f.talks()], Command(5, UNPARK, 0, 0), "call 0 is with an attendant: no unpark now"),
    "answer what talks": ([f.talks()], Command(5, ANSWER, 0, 0), "no answer now"),
    "answer in the queue": ([f.talks(), f.talks(at=1)], Command(5, ANSWER, 1, 0), "call 1 is in the queue: no answer"),
    "hold in the lot": ([f.parks()], Command(20, HOLD, 0), "no hold now"),
    "no such lot": ([f.talks()], Command(5, PARK, 0, 0, 5, 1), "there is no lot 1"),
    "no stay": ([f.talks()], Command(5, PARK, 0, 0, 0), "a stay lasts from 1 us"),
    "a stay beyond all times": ([f.talks()], Command(5, PARK, 0, 0, 2**62 + 1), "a stay lasts from 1 us"),
    "no such command": ([f.talks()], Command(5, "pick up", 0), "there is no command 'pick up'"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refused_command_says_why(name):
    """What cannot be done is a CommandError that names call and state; the rules alone would not know."""
    calls, command, message = REFUSALS[name]
    walk = Walk(f.settings())
    exchange = CommandedExchange(simpy.Environment(), f.settings(), Traffic([batch(f.workload(*calls))]), walk.take)
    exchange.at(command.time_us, RANKS.get(command.kind, 0), lambda: exchange.do(command))
    with pytest.raises(CommandError, match=f"^.*{message}"):
        exchange.run()
    exchange.run()
    assert list(map(tuple, processes.simulate(f.settings(), f.workload(*calls)).facts())) == walk.rows


def test_hold_is_kept_and_parking_ends_it():
    """A call is on hold from HOLD to UNHOLD or PARK; saying it twice changes nothing; no rows come of it."""
    commands = [Command(2, HOLD, 0), Command(3, HOLD, 0), Command(6, UNHOLD, 0), Command(7, HOLD, 0)]
    commands += [Command(9, PARK, 0, 0, 5)]
    exchange = CommandedExchange(
        simpy.Environment(), f.settings(), Traffic([batch(f.workload(f.talks()))]), lambda *_row: None
    )
    exchange.schedule(commands)
    seen = []
    for at_us in (2, 3, 6, 7, 9):
        exchange.at(at_us, RANKS[HOLD], lambda: seen.append(exchange.places[0].held_us))
    exchange.run()
    assert seen == [2, 2, c.NEVER, 7, c.NEVER]


def test_a_call_parked_oftener_than_drawn_has_nobody_on_the_way():
    """Parked by command once more than the scenario ever does, a call waits for its limit and is talked to as last."""
    commands = [Command(115, PARK, 0, 0, 40)]
    workload = f.workload(f.parks(patience_us=200, retrieval_us=200, answer_us=0))
    rows = list(map(tuple, commanded.simulate(f.settings(), workload, commands).facts()))
    assert rows[3:] == [
        *[f.expired(110, 0, 0, 0), f.rings(110, 0, 0, 140), f.recalled(110, 0, 0), f.parked(115, 0, 0, 0, 155)],
        *[f.expired(155, 0, 0, 0), f.rings(155, 0, 0, 185), f.recalled(155, 0, 0), f.ended(185, 0, 0)],
    ]


# ------------------------------------------------------------------------------------------------- public replay


def test_the_public_replay():
    """``parksim.run`` takes commands for the SimPy engine, and says that the kernel takes none."""
    scenario = short("small-office")
    commands = [Command(10, PLACE, extension=0), Command(20, HANG_UP, 0)]
    run = parksim.run(scenario, commands=commands)
    plain = parksim.run(scenario)
    assert len(run.journal) == len(plain.journal) + 2
    assert run.journal.header["commands"] == 2
    with pytest.raises(ValueError, match="the kernel takes no commands"):
        parksim.run(scenario, engine="kernel", commands=commands)
    with pytest.raises(ValueError, match="there is no engine 'x'"):
        parksim.run(scenario, engine="x", commands=commands)
    with pytest.raises(CommandError, match="there is no call 999999"):
        parksim.run(scenario, commands=[Command(10, HANG_UP, 999_999)])


def test_a_journal_with_commands_is_not_judged_by_the_rules_alone():
    """``check`` and ``replay`` say that commands stand behind it, instead of blaming a row."""
    scenario = short("small-office")
    journal = parksim.run(scenario, commands=[Command(10, PLACE, extension=0), Command(20, HANG_UP, 0)]).journal
    for judge in (journal.check, journal.replay):
        with pytest.raises(JournalError, match="2 commands from outside stand behind this journal"):
            judge()
    assert parksim.run(scenario).journal.check() is None


# ---------------------------------------------------------------------------------------------- endless traffic


@pytest.mark.parametrize(
    ("name", "values", "days"),
    [
        ("hospital", {}, 6),
        ("hospital", {"arrivals.calls_per_hour": [100] * 23 + [5000]}, 6),
        ("lot-only", {}, 2),
        ("recorded", {}, 6),
    ],
)
def test_endless_traffic_has_the_scenarios_rates(name, values, days):
    """Stretches follow each other in order, of bounded size, and each hour of the day has its expected calls.

    24 hours of the day as Poisson counts, |z| < 5 each: level about 24 * 6e-7. Seed 1.
    """
    scenario = Scenario.load(f"scenarios/{name}.toml").with_values(values)
    traffic = Traffic(endless_batches(scenario, 1, 0))
    counts = [0] * 24
    before_us = 0
    while (coming := traffic.next_call()) is not None and coming[2] < days * 86_400_000_000:
        columns, _, arrival_us = coming
        assert before_us <= arrival_us
        assert name == "recorded" or len(columns.arrival_us) < 3_000
        before_us = arrival_us
        counts[arrival_us // 3_600_000_000 % 24] += 1
    source = scenario.arrivals
    if name == "recorded":
        drawn = parksim.draw(scenario, 1, 0).arrival_us
        assert sum(counts) == days * 86_400_000_000 // (scenario.horizon_us + scenario.cool_down_us) * len(drawn)
        return
    rates = source.calls_per_hour if name == "hospital" else (source.rate * 3600,) * 24
    for hour, (count, rate) in enumerate(zip(counts, rates, strict=True)):
        assert abs(count - rate * days) < 5 * max(rate * days, 1) ** 0.5 + 1, f"hour {hour}: {count} for {rate * days}"


def test_endless_traffic_may_be_rare():
    """A call in ten thousand hours is found at once; so is the first of a recording that is cut soon after it."""
    scenario = short("lot-only").with_values({"arrivals.rate": "0.0001/h"})
    first = Traffic(endless_batches(scenario, 1, 0)).next_call()
    assert first is not None
    assert first[2] > 86_400_000_000
    early = Scenario.load("scenarios/recorded.toml").with_values({"run.horizon": "26000s", "run.warm_up": "0s"})
    first = Traffic(endless_batches(early, 1, 0)).next_call()
    assert first is not None
    assert first[2] < 26_000_000_000
