"""The model written down at any instant and made again goes on as if nothing had been."""

import inspect
import json
from random import Random

import case_forms as f
import pytest
from test_commanded import SCENARIOS, Session, short

from parksim.engines import snapshot as kept
from parksim.engines.commanded import RANKS, Command, CommandedExchange
from parksim.engines.snapshot import Calendar, KeptExchange, Snapshot, plain
from parksim.engines.traffic import Bookmark, Traffic, batch, endless_batches, one_batch
from parksim.errors import StateError

WHY_IN_NO_SNAPSHOT = {
    "env": "made anew at the instant",
    "settings": "of the scenario",
    "write": "of who makes it",
    "_write_on": "of who makes it",
    "calls": "reads _drawn and _limits_us",
    "offered": "of calls that are known before; here they come",
    "_arrived": "of calls that are known before; here they come",
    "_idle_trunks": "of calls that are known before; here they come",
    "first_member": "of the settings",
    "dials": "of the settings",
    "reminds": "of the settings",
    "stays_end_by_others": "of the settings",
    "overflows": "of the settings",
    "_placing": "said anew at each offer",
    "works": "of who makes it",
    "_arrivals": "made anew; traffic says where it stands",
}
"""The attributes of an exchange that a snapshot need not hold."""
HELD = {
    "attendants": "people",
    "staff": "people",
    "queue": "lines",
    "own_returns": "lines",
    "group_returns": "lines",
    "to_look_at": "looks",
    "joined": "looks",
    "retrievals": "retrievals",
    "stays": "lives",
    "parked": "lives",
    "lots": "lots",
    "places": "places",
    "announcing_since_us": "announcing",
    "_limits_us": "limits",
    "_drawn": "drawn",
    "_processes": "lives",
    "_traffic": "traffic",
}
"""The attributes of an exchange, and in which field of a snapshot each is."""


class Interrupted:
    """A model that is given commands one after the other, and is written down and made again at drawn moments."""

    def __init__(self, settings, batches, rng=None, share=0.2) -> None:
        self.settings, self.batches, self.rng, self.share = settings, batches, rng, share
        self.rows = []
        self.made = 0
        self.kept: set[str] = set()
        self.exchange = self.model(0, Traffic(batches(None)))

    def model(self, now_us, traffic) -> KeptExchange:
        """Return a new model that writes on."""
        return KeptExchange(Calendar(now_us), self.settings, traffic, lambda *row: self.rows.append(row))

    def step(self) -> None:
        """Let the next event happen; now and then be another model afterwards."""
        self.exchange.env.step()
        if self.rng is not None and self.rng.random() < self.share:
            self.change()

    def change(self) -> None:
        """Go on as another model, by way of JSON."""
        self.exchange.env.settle(self.exchange.env.step)
        before = self.exchange.snapshot()
        self.kept.update(life[1] for life in before.lives)
        self.kept.update(row[3] for row in before.calendar)
        read = Snapshot(*json.loads(json.dumps(before)))
        place = read.traffic
        traffic = Traffic(()) if place is None else Traffic(self.batches(Bookmark(*place[0])), place[1])
        self.exchange = self.model(read.now_us, traffic)
        self.exchange.become(read)
        assert self.exchange.snapshot().alike() == before.alike()
        self.made += 1

    def give(self, commands: list[Command]) -> None:
        """Do commands of one instant and rank, after all that comes before."""
        done = []
        work = [lambda one=one: done.append(self.exchange.do(one)) for one in commands]
        self.exchange.at(commands[0].time_us, RANKS[commands[0].kind], lambda: [one() for one in work])
        while not done:
            self.exchange.env.step()
        if self.rng is not None and self.rng.random() < 0.5:
            self.change()

    def run(self, commands: list[Command]) -> list[tuple[int, ...]]:
        """Give the commands, each at its instant, and let everything else happen; return the rows."""
        together: list[list[Command]] = []
        for command in commands:
            if command.joined:
                together[-1].append(command)
            else:
                together.append([command])
        for some in together:
            while self.exchange.env.peek() < some[0].time_us:
                self.step()
            self.give(some)
        while self.exchange.env.peek() != float("inf"):
            self.step()
        return self.rows


def sessions(number: int, seed: int) -> set[str]:
    """Interrupt so many random sessions at a fifth of their events; return what was waited for and called back."""
    rng = Random(seed)
    kept_names: set[str] = set()
    made = 0
    for case in range(number):
        session = Session(rng)
        session.run()
        with_batches = session.settings, lambda _, of=session.workload: [batch(of)]
        plain_run = Interrupted(*with_batches).run(session.done)
        broken = Interrupted(*with_batches, Random(case))
        assert broken.run(session.done) == plain_run, f"session {case} of seed {seed}"
        made += broken.made
        kept_names |= broken.kept
    assert made > 10 * number
    return kept_names


def test_random_sessions_go_on():
    """60 random sessions of commands, made again after a fifth of the events: the same rows. Seed 411."""
    sessions(60, 411)


@pytest.mark.slow
def test_many_random_sessions_go_on():
    """3,000 random sessions: the same rows, and every place at which a call waits was met. Seed 412."""
    met = sessions(3_000, 412)
    assert met >= set(kept._ARGUMENTS) | kept._CALLED_BACK - {"_serve", "_staff_serve"}


@pytest.mark.parametrize("name", SCENARIOS)
def test_shipped_scenarios_go_on(name):
    """A shipped scenario (1 h) made again some twenty times: the same rows as uninterrupted. Seed 413."""
    scenario = short(name, "12h" if name == "recorded" else "1h")

    def batches(bookmark):
        return one_batch(scenario, 1, 0, bookmark)

    plain_run = Interrupted(scenario.settings, batches).run([])
    broken = Interrupted(scenario.settings, batches, Random(413), share=min(0.4, 30 / len(plain_run)))
    assert broken.run([]) == plain_run
    assert broken.made > 5


def test_endless_traffic_goes_on_from_its_bookmark():
    """Traffic of busy days, continued from the bookmark of any of its stretches, brings the same calls."""
    scenario = short("hospital").with_values({"arrivals.busy_days": {"cv": 0.4}})
    bookmarks, first = [], []
    stretches = endless_batches(scenario, 5, 3)
    for _ in range(60):
        stretch = next(stretches)
        bookmarks.append(stretch.bookmark)
        first.append(stretch.calls.arrival_us.tolist())
    assert bookmarks[-1].days > 1
    for place in (0, 3, 30, 50):
        again = endless_batches(scenario, 5, 3, bookmarks[place])
        assert [next(again).calls.arrival_us.tolist() for _ in range(4)] == first[place : place + 4]


def test_every_attribute_of_the_model_is_in_a_snapshot_or_has_a_reason():
    """A new attribute of the exchange must be kept, or be named here with the reason why it need not be."""
    exchange = KeptExchange(Calendar(), f.settings(), Traffic([]), print)
    told = {*kept.NUMBERS, *HELD, *WHY_IN_NO_SNAPSHOT}
    assert set(vars(exchange)) == told
    assert set(HELD.values()) <= set(Snapshot._fields)


def test_every_place_where_a_call_waits_is_known():
    """The generators that wait for an event themselves are those that a snapshot knows, and the arrivals."""
    waiting = set()
    for name, function in inspect.getmembers(CommandedExchange, inspect.isgeneratorfunction):
        lines = [line.split("#")[0] for line in inspect.getsource(function).splitlines()]
        if any("yield" in line.replace("yield from", "") for line in lines):
            waiting.add(name)
    assert waiting - {"_trunk", "_come"} == set(kept._ARGUMENTS)


def test_what_has_no_name_is_no_snapshot():
    """Work that nobody could make again is refused at once, not lost at a restart."""
    exchange = KeptExchange(Calendar(), f.settings(), Traffic([]), print)
    exchange.at(5, 0, lambda: None)
    exchange.env.settle(exchange.env.step)
    with pytest.raises(StateError, match="has no name in works"):
        exchange.snapshot()
    other = Snapshot(*plain(KeptExchange(Calendar(), f.settings(), Traffic([]), print).snapshot()))
    with pytest.raises(StateError, match="nothing is known"):
        exchange.become(other._replace(calendar=[[5, 1 << 32, 0, "_hang_up", []]]))
