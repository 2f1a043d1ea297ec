"""Advice: answers known by formula are found, what cannot be met is named, and searches over planted verdicts."""

import itertools
import math
import random
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest

from parksim.errors import PlanError
from parksim.scenario.model import TEMPLATE, Scenario
from parksim.stats import estimate as est
from parksim.studies import advise as advising
from parksim.studies.advise import advise, at_once
from parksim.studies.foreseen import foreseen
from parksim.studies.formulas import formulas
from parksim.studies.levers import TIME_STEPS_S, Lever, levers_of
from parksim.studies.store import Store
from parksim.studies.study import ObjectiveVerdict, study
from parksim.theory.erlang import erlang_b, erlang_b_servers, erlang_c_within

SCENARIOS = Path(__file__).parents[2] / "scenarios"
ENGINE = "kernel" if find_spec("numba") else "simpy"
OFFERED_ERLANG = 2.543
"""Of lot-only, as its file says."""


def lot_only(**values):
    """Return the lot alone for a day; its refused parks are Erlang's."""
    values = {name.replace("__", "."): value for name, value in values.items()}
    return Scenario.load(SCENARIOS / "lot-only.toml").with_values({"run.horizon": "25h"} | values)


def exact(scenario, measure, **values):
    """Return a measure by formula."""
    changed = scenario.with_values({name.replace("__", "."): value for name, value in values.items()})
    return formulas(changed)[measure].value


def test_slots_are_erlangs_answer():
    """From three slots to the least number that refuses under 4 %, with one less named as too few; gains are Erlang's.

    Seed 1; a gain is in its interval with probability 99.9 %.
    """
    least = erlang_b_servers(OFFERED_ERLANG, 0.04)
    advice = advise(lot_only(lot__slots=3), keys=["lot.slots"], replications=60, engine=ENGINE, level=0.999)
    (change,) = advice.changes
    assert (change.values, change.now, change.less) == (
        {"lot.slots": least},
        {"lot.slots": 3},
        {"lot.slots": least - 1},
    )
    assert (advice.best, advice.verdict, advice.spare) == (change, "missed", ())
    assert (change.steps, change.unclear) == ({"lot.slots": 1}, ())
    gain = change.effects["refused_share"]
    assert gain.low < erlang_b(least, OFFERED_ERLANG) - erlang_b(3, OFFERED_ERLANG) < gain.high
    assert change.side("refused_share") == "better"
    assert advice.to_dict()["changes"][0]["effects"]["refused_share"]["side"] == "better"


def test_what_is_more_than_needed_is_erlangs_answer_too():
    """Of nine slots three can go, and the next one cannot; of the six that remain none can."""
    least = erlang_b_servers(OFFERED_ERLANG, 0.04)
    (spare,) = advise(lot_only(lot__slots=9), replications=60, engine=ENGINE).spare
    assert (spare.values, spare.less) == ({"lot.slots": least}, {"lot.slots": least - 1})
    assert advise(lot_only(lot__slots=least), replications=60, engine=ENGINE).spare == ()


@pytest.mark.slow
def test_a_shorter_time_out_is_that_of_the_formula():
    """Of five slots the longest time-out of its step with which under 4 % are refused; by formula one step fails."""
    scenario = lot_only(lot__slots=5)
    (change,) = advise(scenario, keys=["lot.max_in_parking"], replications=60, engine=ENGINE).changes
    value, less, step = (of["lot.max_in_parking"] for of in (change.values, change.less, change.steps))
    met = [s for s in range(step, 180, step) if exact(scenario, "refused_share", lot__max_in_parking=s) < 0.04]
    assert (value, less) == (met[-1], met[-1] + step)
    assert exact(scenario, "refused_share", lot__max_in_parking=less) > 0.04
    assert (step in TIME_STEPS_S, change.unclear) == (True, ())


def switchboard(**values):
    """Return attendants alone: nobody parks or hangs up, handling is exponential, so Erlang C holds."""
    text = (SCENARIOS / "lot-only.toml").read_text(encoding="utf-8")
    changed = {
        "run.horizon": "20h",
        "attendants.count": 1,
        "attendants.handling": '{ kind = "exponential", mean = "60s" }',
        "parking.probability": 0,
    }
    asked = text.replace('refused_share = "< 4 %"', 'answered_within_share = "> 80 %"')
    return Scenario.loads(asked).with_values(changed | values)


def test_attendants_are_erlang_cs_answer():
    """Two hours of work an hour: the least number of attendants by Erlang C, although one alone is overrun."""
    servers = next(n for n in range(3, 9) if erlang_c_within(n, 2.0, 60.0, 20.0) > 0.8)
    (change,) = advise(switchboard(), keys=["attendants.count"], replications=40, engine=ENGINE).changes
    assert (change.values, change.less) == ({"attendants.count": servers}, {"attendants.count": servers - 1})


def test_saturated_attendants_are_named():
    """Where only slots may change, the objective of the attendants is out of reach, with their load and number."""
    advice = advise(switchboard(), keys=["lot.slots"], replications=20, engine=ENGINE)
    assert (advice.best, set(advice.out_of_reach)) == (None, {"answered_within_share"})
    why = advice.out_of_reach["answered_within_share"]
    assert (why.why, why.busy) == ("saturated", pytest.approx(1.0, abs=0.01))
    assert why.load == pytest.approx(2.0, abs=0.05)  # 40,000 calls and more: five standard errors are 0.05


def test_an_objective_without_a_value_is_named_so():
    """Without a time-out no call comes back: an objective on the returns has no value, whatever is changed."""
    text = (SCENARIOS / "lot-only.toml").read_text(encoding="utf-8")
    scenario = Scenario.loads(text.replace('refused_share = "< 4 %"', 'recall_answered_share = "> 80 %"'))
    scenario = scenario.with_values({"run.horizon": "2h", "parking.probability": 0})
    advice = advise(scenario, keys=["lot.slots"], replications=10, engine=ENGINE)
    why = advice.out_of_reach["recall_answered_share"]
    assert (advice.best, why.why, why.reason) == (None, "undefined", "no call timed out")


@pytest.mark.slow
def test_the_trade_of_the_time_out_is_named():
    """By the formulas no time-out meets both targets: the advice names what each end meets and what it misses."""
    targets = {"objectives__refused_share": "< 4 %", "objectives__expired_share": "< 14 %"}
    scenario = lot_only(lot__slots=5, **targets)
    for seconds in (*range(10, 600, 10), *range(600, 3601, 60)):
        refused, returned = (
            exact(scenario, name, lot__max_in_parking=seconds) for name in ("refused_share", "expired_share")
        )
        assert refused > 0.04 or returned > 0.14
    advice = advise(scenario, keys=["lot.max_in_parking"], replications=40, engine=ENGINE)
    assert (advice.best, advice.pairs) == (None, ())
    why = advice.out_of_reach["refused_share"]
    assert (why.why, why.key, why.lost) == ("trade", "lot.max_in_parking", ("expired_share",))
    assert exact(scenario, "refused_share", lot__max_in_parking=why.value) < 0.04
    assert {one.value > 180 for one in advice.failed} == {True, False}
    both = advise(scenario, keys=["lot.max_in_parking", "lot.slots"], replications=40, engine=ENGINE)
    assert both.best.values == {"lot.slots": 6}


def test_a_run_with_other_seeds_says_what_is_foreseen():
    """What is foreseen from 20 replications contradicts a run of 200 in at most 2.5 % of cases, each way.

    4,000 planted pairs at each of five distances from the target, the worst case among them; level 0.001 for each,
    seed 7. That few are left open far from the target shows that it is not foreseen by saying nothing.
    """
    rng = random.Random(7)

    def planted(mean, number):
        values = [rng.gauss(mean, 1.0) for _ in range(number)]
        estimate = est.t_interval(est.mean_of(values))
        one = ObjectiveVerdict(SimpleNamespace(measure="m", relation="<", value=0.0), est.verdict(estimate, "<", 0.0))
        return SimpleNamespace(objectives=[one], results=values, estimate=lambda _: estimate)

    for distance in (-0.9, -0.4, -0.14, 0.0, 0.4):
        wrong = {"met": 0, "missed": 0}
        left_open = 0
        for _ in range(4_000):
            (said,) = foreseen(planted(distance, 20), 200)
            is_met = rng.gauss(distance, 1 / math.sqrt(200)) + 1.96 / math.sqrt(200) < 0.0
            left_open += said.verdict == "undecided"
            if said.verdict != "undecided":
                wrong[said.verdict] += (said.verdict == "met") != is_met
        assert max(wrong.values()) <= 0.025 * 4_000 + 3.1 * math.sqrt(4_000 * 0.025), (distance, wrong)
        if distance in {-0.9, 0.4}:
            assert left_open < 2_000


class Planted(advising.Bench):
    """A bench with planted verdicts: ``rules`` say by measure whether values meet it; nothing is run."""

    def __init__(self, rules, unclear=()):
        """Plant the rules, and the changes of which nothing is foreseen."""
        super().__init__(SimpleNamespace(objectives=[SimpleNamespace(measure=name) for name in rules]), None, 200)
        self.rules, self.unclear = rules, unclear

    def verdict(self, change, names=None):
        """Return what the rules say."""
        if change in self.unclear:
            return "undecided"
        met = all(self.rules[name](change.get("t", 0), change.get("n", 0)) for name in names or self.rules)
        return "met" if met else "missed"

    def is_confirmed(self, change, as_met):
        """Return that the rules are right."""
        return (self.verdict(change) == "met") == as_met


T, N = (Lever(key, 0, tuple(range(1, 13))) for key in "tn")


def test_the_least_pair_is_found():
    """Of 288 planted trades between two keys, the pair that looking at all would call least, or that there is none."""
    found = 0
    for least_t, least_n, slope, more in itertools.product((1, 2, 5, 9), (1, 3, 7), (0, 0.5, 1, 2), range(6)):
        rules = {
            "expired": lambda t, _, low=least_t: t >= low,
            "refused": lambda t, n, low=least_n, by=slope: n >= low + by * t,
            "other": lambda _, n, low=more: n >= low,
        }
        met = [(n, t) for n, t in itertools.product(range(1, 13), repeat=2) if all(r(t, n) for r in rules.values())]
        places = advising._both(Planted(rules), N, T, frozenset({"expired"}))
        assert places == (None if not met else (min(met)[0] - 1, min(met)[1] - 1))
        found += places is not None
    assert found > 100


def test_a_count_goes_by_one_and_the_value_before_it_may_be_too_close_to_call():
    """Unclear counts are not proposed: the next one is the answer, and one step less is said to be unclear."""
    bench = Planted({"refused": lambda _, n: n >= 5}, unclear=({"n": 3}, {"n": 4}, {"n": 5}))
    place = advising._alone(bench, N, frozenset({"refused"}))
    assert bench.told_apart(N, place, {}) == (6, (5,), 1)
    assert (bench.is_missed({"n": 5}), bench.is_missed({"n": 2})) == (False, True)


class PlantedKey(advising.Bench):
    """A bench with planted verdicts of one key: ``says`` returns that of a value."""

    def __init__(self, lever, says):
        """Plant what is said of the lever's values."""
        super().__init__(None, None, 200)
        self.lever, self.says = lever, says

    def verdict(self, change, _names=None):
        """Return what is planted."""
        return self.says(change.get(self.lever.key, self.lever.now))

    def is_confirmed(self, change, as_met):
        """Return that the plan is right."""
        return self.verdict(change) == ("met" if as_met else "missed")


@pytest.mark.parametrize("now", [40, 95, 300, 420])
def test_the_step_of_a_time_out_is_the_finest_that_leaves_nothing_too_close_to_call(now):
    """For every zone that cannot be decided: the ends of the step are outside, and of each finer step one is inside."""
    name, ends = "lot.max_in_parking", [s for s in range(10, 600, 20) if s != now]
    for surely, width in itertools.product(ends, (0, 10, 20, 50, 110)):
        longer = surely > now
        fails = surely - width - 10 if longer else surely + width + 10
        between = range(min(surely, fails) + 1, max(surely, fails))

        def says(s, surely=surely, longer=longer, between=between):
            return "undecided" if s in between else "met" if (s >= surely if longer else s <= surely) else "missed"

        values = [s for s in range(10, 600, 10) if (s > now if longer else s < now)]
        lever = Lever(name, now, tuple(values if longer else reversed(values)))
        value, (less,), step = PlantedKey(lever, says).told_apart(lever, lever.values.index(surely), {})
        assert says(value) == "met"
        assert says(less) == "missed" or less == now
        if value % step or step not in TIME_STEPS_S:  # no step of the list does: it is counted from the value itself
            assert (value, less, step) == (surely, fails if fails in (now, *values) else now, abs(value - less))
            continue
        assert (value % step, less == now or abs(less - value) == step) == (0, True)
        nearer = range(value + 1, less) if less > value else range(less + 1, value)
        assert not [s for s in nearer if s % step == 0 and s != now]
        for finer in TIME_STEPS_S[: TIME_STEPS_S.index(step)]:
            its = [s for s in range(finer, 3601, finer) if (s > now if longer else s < now)]
            its = its if longer else its[::-1]
            first = next((at for at, s in enumerate(its) if says(s) == "met"), None)
            assert first is None or (first > 0 and says(its[first - 1]) == "undecided")


def test_the_step_of_a_roster_is_in_attendant_hours():
    """72 hours of which 4 can surely go, and 7 surely cannot: 68 or 64 in steps of four, by hand; also upwards."""
    rosters = [tuple(3 - (hour < dropped) for hour in range(24)) for dropped in range(25)]
    down = Lever("attendants.count", rosters[0], tuple(rosters[1:]))
    bench = PlantedKey(
        down,
        lambda one: {68: "met", 67: "undecided", 66: "undecided"}.get(sum(one), "met" if sum(one) > 68 else "missed"),
    )
    value, (less,), step = bench.told_apart(down, 3, {}, spare=True)
    assert (sum(value), sum(less), step) == (68, 64, 4)
    up = Lever("attendants.count", rosters[12], tuple(reversed(rosters[:12])))
    bench = PlantedKey(up, lambda one: "met" if sum(one) > 65 else "undecided" if sum(one) > 62 else "missed")
    value, (less,), step = bench.told_apart(up, 5, {})
    assert (sum(rosters[12]), sum(value), sum(less), step) == (60, 66, 60, 6)


def test_hours_of_a_roster_come_worst_first():
    """One attendant everywhere and calls in two hours: the busier hour gets the first, the other the next."""
    calls = [0] * 24
    calls[9], calls[10] = 120, 60
    scenario = Scenario.load(SCENARIOS / "shifts.toml").with_values(
        {"attendants.count": [1] * 24, "arrivals.calls_per_hour": calls}
    )
    up, down = (lever for lever in levers_of(scenario, lambda: study(scenario, 5)) if lever.key == "attendants.count")
    assert [up.values[0][hour] for hour in (8, 9, 10, 11)] == [1, 2, 1, 1]
    assert [up.values[1][hour] for hour in (8, 9, 10, 11)] == [1, 2, 2, 1]
    assert down.values == ()


def test_the_levers_are_what_somebody_would_configure():
    """Slots and staff one by one, time-outs in tens of seconds and then minutes, within UAPI's limits; of each lot."""
    scenario = Scenario.load(SCENARIOS / "two-organisations.toml")
    levers = {(lever.key, lever.is_less): lever.values for lever in levers_of(scenario, lambda: None)}
    assert {key for key, _ in levers} == {
        f"lot.{lot}.{what}" for lot in ("clinic", "firm") for what in ("slots", "max_in_parking")
    } | {"attendants.count"}
    assert levers["lot.clinic.slots", True] == (2, 1)
    assert levers["attendants.count", False][:2] == (6, 7)
    longer = levers["lot.firm.max_in_parking", False]
    assert (longer[0], longer[-1], {b - a for a, b in itertools.pairwise(longer)}) == (100, 3600, {10, 60})
    assert levers["lot.firm.max_in_parking", True][-1] == 10


def test_an_advice_resumes_from_its_store(tmp_path):
    """The second time nothing is run, and the answer is the same; ``Study.advice`` asks the same question."""
    scenario = lot_only(lot__slots=5, run__horizon="3h")
    file = tmp_path / "a.db"
    one = advise(scenario, keys=["lot.slots"], replications=10, store=file)
    with Store.open(file) as store:
        other = study(scenario, 2, store=store).advice(keys=["lot.slots"], replications=10, store=store)
    assert (one.ran > 0, other.ran) == (True, 0)
    assert one.to_dict() == other.to_dict()


def test_run_names_a_change_only_where_it_would_do():
    """One slot more meets the target of five slots at once; of three slots nothing is named, nor where all is met."""
    for slots, found in ((5, {"lot.slots": (5, 6)}), (3, {}), (6, {})):
        assert at_once(study(lot_only(lot__slots=slots), 30, engine=ENGINE)) == found


def test_what_cannot_be_asked_is_refused():
    """No objective, an unknown key, too few replications: one message with what to write."""
    plain = Scenario.loads(TEMPLATE[: TEMPLATE.index("[objectives]")])
    with pytest.raises(PlanError, match=r"sets no objective.*add \[objectives\]"):
        advise(plain)
    with pytest.raises(PlanError, match=r"lot\.slotz: advise does not change it; did you mean lot\.slots\?"):
        advise(lot_only(), keys=["lot.slotz"])
    with pytest.raises(PlanError, match="at least 10 replications, not 9"):
        advise(lot_only(), replications=9)
