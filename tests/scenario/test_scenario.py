"""Scenarios that load: defaults, digests, replaced values, recorded calls, and the numbers the engines get."""

import copy
import json
import pickle
import tomllib
from datetime import datetime
from pathlib import Path

import numpy as np
import pydantic
import pytest
from cases_of_wrong_scenarios import RIGHT
from hypothesis import given, settings
from hypothesis import strategies as st

from parksim.catalogue import SCALARS
from parksim.rules import codes
from parksim.scenario.laws import Exponential
from parksim.scenario.model import TEMPLATE, Scenario, ScenarioError, Settings
from parksim.scenario.objectives import Objective

FOLDER = Path(__file__).parents[2] / "scenarios"
FILES = sorted(FOLDER.glob("*.toml"))


def stay_patience(scenario):
    """Return the patience of callers parked in the only lot."""
    return scenario.stay_patience(scenario.lot)


SMALLEST = """\
name = "x"
run.horizon = "1h"
arrivals = { kind = "poisson", rate = "60/h" }
attendants = { count = 1, handling = 10 }
parking.probability = 1
lot.slots = 2
retrieval.delay = "20s"
"""


def test_what_is_not_given_has_the_documented_default():
    """Every default of the file format, written out once."""
    scenario = Scenario.loads(SMALLEST)
    assert scenario.settings == Settings(
        attendants=1,
        staff=-1,
        queue_limit=-1,
        max_parks=1,
        announcement_us=0,
        when_full=codes.FULL_KEEP,
        retries=0,
        retry_after_us=-1,
        recall_to=codes.TO_PARKER,
        ring_us=30_000_000,
        attempts=1,
        busy=codes.BUSY_WAIT,
        unanswered=codes.UNANSWERED_GROUP,
        slots=(2,),
        choices=(codes.CHOOSE_LOWEST,),
    )
    assert (scenario.horizon_us, scenario.warm_up_us, scenario.cool_down_us) == (3_600_000_000, 0, 0)
    assert (scenario.queue_patience, stay_patience(scenario), scenario.recall_patience) == (None, None, None)
    assert scenario.attendants.talk.mean_s == scenario.retrieval.talk.mean_s == scenario.recall.answer.mean_s == 0
    assert scenario.retrieval.never == scenario.recall.never == 0
    assert scenario.lot.max_in_parking.mean_s == 180
    assert (scenario.lot.first, scenario.lot.limits, scenario.queue.target) == (1, "uapi", 20)
    assert (scenario.run.precision, scenario.objectives, scenario.uapi.users) == (None, (), {})


def test_each_given_value_reaches_the_engines_as_an_integer():
    """Every setting differs from its default here, and arrives as written."""
    scenario = Scenario.loads(
        """
        name = "x"
        run = { horizon = "1d", warm_up = "30m", cool_down = "PT1H" }
        arrivals = { kind = "poisson", rate = "0.2/s" }
        queue.limit = 0
        attendants = { count = "unlimited", handling = 10 }
        parking = { probability = "60 %", max_parks = 3, announcement = "2.5s" }
        recall = { to = "group", ring = "unlimited", busy = "drop", unanswered = "drop" }
        retrieval = { delay = "20s", staff = 7 }
        [lot]
        slots = 9
        choice = "random"
        when_full = "drop"
        retries = 2
        retry_after = "500ms"
        """
    )
    assert scenario.settings == Settings(-1, 7, 0, 3, 2_500_000, 2, 2, 500_000, 1, -1, 1, 2, 1, (9,), (2,))
    assert (scenario.warm_up_us, scenario.cool_down_us) == (1_800_000_000, 3_600_000_000)
    assert (scenario.arrivals.rate, scenario.parking.probability) == (0.2, 0.6)


def test_the_callers_patience_serves_where_none_is_given():
    """Own patience first, "unlimited" included; else the caller's; else none."""
    text = SMALLEST + 'caller.patience = "60s"\nqueue.patience = "unlimited"\nlot.patience = 30\n'
    scenario = Scenario.loads(text)
    assert scenario.queue_patience is None
    assert stay_patience(scenario).mean_s == 30
    assert scenario.recall_patience.mean_s == 60


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_shipped_scenarios_load_and_return_from_their_canonical_text(path):
    """Each shipped file loads; its canonical text gives an equal scenario, by pickle too; it names no machine."""
    scenario = Scenario.load(path)
    again = Scenario.model_validate(json.loads(scenario.canonical))
    assert again == scenario
    assert again.digest == scenario.digest
    assert again.settings == scenario.settings
    assert again.horizon_us == scenario.horizon_us
    assert again.canonical == scenario.canonical
    assert pickle.loads(pickle.dumps(scenario)).digest == scenario.digest
    assert str(FOLDER) not in scenario.canonical
    assert scenario.short_digest == scenario.digest[:12]


def test_the_shipped_scenarios_are_all_there():
    """One for each place that is described, the reference model, the lot alone, recorded calls, lots, shifts."""
    assert {path.stem for path in FILES} == {
        *("small-office", "hospital", "warehouse", "contact-centre", "overload", "park1", "lot-only", "recorded"),
        *("two-organisations", "shifts"),
    }


def leaves(table, above=()):
    """Yield the path of every value that is no table."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from leaves(value, (*above, key))
        elif isinstance(value, list) and all(isinstance(one, dict) for one in value):
            for place, one in enumerate(value):
                yield from leaves(one, (*above, key, place))
        else:
            yield (*above, key)


def other(value):
    """Return other values, of which at least one is valid wherever ``value`` is."""
    if isinstance(value, str):
        words = ["random", "next", "overflow", "group", "parker", "drop", "pbx"]
        return [*words, 5, "200h", "7m7s", "77/h", "71 %", "< 0.123", "3", "http://a.b"]
    if isinstance(value, list):
        return [["9s"], [0.5, 0.5], [*value[:-1], 77.0], [*value[:-1], 77], ["5s", "6s"], ["0003*299"]]
    if isinstance(value, datetime):
        return [value.replace(year=value.year + 1)]
    return [value + 1, value + 11, value / 2 + 0.01, 0.5, "7m7s"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_any_change_of_a_value_changes_the_digest(path):
    """Each value of each shipped file is changed in turn; every valid change gives another digest."""
    raw = tomllib.loads(path.read_text())
    digest = Scenario.load(path).digest
    for place in leaves(raw):
        if place[-1] in ("kind", "file", "column"):
            continue  # changing these alone is no valid scenario
        changed = 0
        *above, last = place
        old = raw
        for part in place:
            old = old[part]
        for new in other(old):
            if new == old:
                continue
            edited = copy.deepcopy(raw)
            table = edited
            for part in above:
                table = table[part]
            table[last] = new
            try:
                scenario = Scenario.model_validate(edited, context={"folder": FOLDER})
            except pydantic.ValidationError:
                continue
            changed += 1
            assert scenario.digest != digest, (place, new)
        assert changed, place


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_digest_does_not_depend_on_the_order_of_keys(random):
    """Tables in any order of their keys have one digest."""

    def shuffled(table):
        keys = list(table)
        random.shuffle(keys)
        return {key: shuffled(table[key]) if isinstance(table[key], dict) else table[key] for key in keys}

    raw = tomllib.loads((FOLDER / "contact-centre.toml").read_text())
    assert Scenario.model_validate(shuffled(raw)).digest == Scenario.load(FOLDER / "contact-centre.toml").digest


def test_the_digest_does_not_depend_on_the_way_of_writing():
    """Units, white space, comments, per cent and quoted keys make no difference; the order of extensions does."""
    one = Scenario.loads(SMALLEST)
    two = Scenario.loads(
        '# a comment\nname="x"\n[run]\nhorizon = 3600\n[arrivals]\nrate = "1/min"\nkind = "poisson"\n'
        '[attendants]\nhandling = { value = "PT10S", kind = "constant" }\ncount = 1\n[parking]\nprobability = "100 %"\n'
        '["lot"]\n\n\nslots = 2\n[retrieval]\ndelay = 20.0\nnever = 0.0\n[recall]\nring = "0.5min"\n'
    )
    assert one == two
    assert hash(one) == hash(two)
    assert one.digest == two.digest
    users = 'uapi.users = { "1" = ["10"], "2" = ["20"] }\n'
    swapped = 'uapi.users = { "2" = ["20"], "1" = ["10"] }\n'
    assert Scenario.loads(SMALLEST + users).digest != Scenario.loads(SMALLEST + swapped).digest


def test_the_digest_of_the_template_is_stable():
    """The canonical form may not change unnoticed: journals and stored studies carry its digest."""
    assert Scenario.loads(TEMPLATE).short_digest == "367314af8562"


@pytest.mark.parametrize(
    ("key", "value", "read"),
    [
        ("lot.slots", "12", lambda scenario: scenario.settings.slots == (12,)),
        ("lot.slots", 12, lambda scenario: scenario.settings.slots == (12,)),
        ("lot.slots", np.int64(12), lambda scenario: scenario.settings.slots == (12,)),
        ("parking.probability", np.float64(0.25), lambda scenario: scenario.parking.probability == 0.25),
        ("attendants.talk", "45s", lambda scenario: scenario.attendants.talk.mean_s == 45),
        (
            "attendants.talk",
            "{ kind = 'exponential', mean = 9 }",
            lambda scenario: scenario.attendants.talk.mean_s == 9,
        ),
        ("caller.patience", Exponential(kind="exponential", mean=9), lambda s: stay_patience(s).mean_s == 9),
        ("attendants.handling.sigma", "0.9", lambda scenario: scenario.attendants.handling.log_sd == 0.9),
        ("attendants.count", "unlimited", lambda scenario: scenario.settings.attendants == -1),
        ("attendants.count", f"{[1, *[3] * 23]}", lambda scenario: scenario.settings.counts == (1, *[3] * 23)),
        ("attendants.count", [0, *[3] * 23], lambda scenario: scenario.settings.attendants == 3),
        ("attendants.count", (2,) * 24, lambda scenario: not scenario.attendants.change),
        ("queue.limit", "5", lambda scenario: scenario.settings.queue_limit == 5),
        ("name", "two words", lambda scenario: scenario.name == "two words"),
        ("name", '"7"', lambda scenario: scenario.name == "7"),
        ("name", "a\nb = 1", None),
        ("objectives.refused_share", "< 3 %", lambda scenario: scenario.objectives[0].value == 0.03),
        ('uapi.users."12"', "['10', '11']", lambda scenario: scenario.uapi.users == {"12": ("10", "11")}),
        ("uapi.epoch", "2026-02-01T00:00:00Z", lambda scenario: scenario.uapi.epoch.month == 2),
    ],
)
def test_values_can_be_replaced(key, value, read):
    """A text is read as TOML and, where it is none, taken as it is; other values are taken as they are."""
    scenario = Scenario.loads(RIGHT)
    before = scenario.canonical
    if read is None:
        with pytest.raises(ScenarioError, match="printable"):
            scenario.with_values({key: value})
    else:
        changed = scenario.with_values({key: value})
        assert read(changed)
        assert changed.digest != scenario.digest
    assert scenario.canonical == before


def test_replacing_nothing_or_one_after_the_other_is_consistent():
    """No values: an equal scenario; two calls give what one call with both gives, from a dict as from a file."""
    for scenario in (Scenario.loads(RIGHT), Scenario.model_validate(tomllib.loads(RIGHT))):
        assert scenario.with_values({}) == scenario
        both = scenario.with_values({"lot.slots": 9, "recall.ring": "20s"})
        assert scenario.with_values({"lot.slots": 9}).with_values({"recall.ring": "20s"}) == both
        assert both.settings.ring_us == 20_000_000


def test_files_start_at_the_scenario_and_replaced_ones_at_the_working_folder(tmp_path, monkeypatch):
    """A name in the file is relative to the file's folder, one given by hand to the folder one works in."""
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    (home / "waits.txt").write_text("1\n2\n")
    (work / "waits.txt").write_text("wait\n10s\n1m\n")
    (home / "s.toml").write_text(SMALLEST + 'caller.patience = { kind = "empirical", file = "waits.txt" }\n')
    monkeypatch.chdir(work)
    scenario = Scenario.load("../home/s.toml")
    assert stay_patience(scenario).mean_s == 1.5
    assert stay_patience(scenario.with_values({"lot.slots": 5})).mean_s == 1.5
    assert stay_patience(scenario.with_values({"caller.patience.file": "waits.txt"})).mean_s == 35
    assert scenario.with_values({"queue.patience": '{kind="empirical",file="waits.txt"}'}).queue_patience.mean_s == 35


def test_a_files_contents_enter_the_digest_and_not_its_place(tmp_path):
    """The same measured durations elsewhere give the same digest, other ones another."""
    digests = []
    for name, content in [("a", "1\n2\n"), ("b", "1\n2\n"), ("c", "1\n3\n")]:
        (tmp_path / name).mkdir()
        (tmp_path / name / "waits.txt").write_text(content)
        text = SMALLEST + 'caller.patience = { kind = "empirical", file = "waits.txt" }\n'
        digests.append(Scenario.loads(text, folder=tmp_path / name).digest)
    assert digests[0] == digests[1] != digests[2]


def test_a_scenario_from_a_result_says_that_its_files_are_not_at_hand():
    """From the canonical text alone settings and horizon are known, the recorded instants are not."""
    scenario = Scenario.load(FOLDER / "recorded.toml")
    again = Scenario.model_validate(json.loads(scenario.canonical))
    assert again.horizon_us == scenario.horizon_us
    with pytest.raises(ValueError, match="not at hand"):
        _ = again.recording


def test_model_validate_raises_what_pydantic_raises():
    """Python callers of ``model_validate`` get pydantic's own error, with its structure."""
    with pytest.raises(pydantic.ValidationError) as caught:
        Scenario.model_validate({**tomllib.loads(RIGHT), "lot": {"slots": 0}})
    assert caught.value.errors()[0]["loc"] == ("lot", "(one lot)", "slots")


def test_scenarios_do_not_change():
    """No attribute can be set, at the top or in a table."""
    scenario = Scenario.loads(RIGHT)
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        scenario.name = "y"
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        scenario.lot.slots = 7


def test_the_json_schema_knows_the_keys():
    """The schema that editors use names every table and key, and forbids others."""
    schema = Scenario.model_json_schema()
    assert schema["additionalProperties"] is False
    assert set(schema["properties"]) == set(Scenario.model_fields)
    assert set(schema["$defs"]["LotSection"]["properties"]) >= {"slots", "max_in_parking", "patience", "limits"}
    assert set(schema["properties"]["objectives"]["properties"]) == set(SCALARS)
    assert json.loads(json.dumps(schema)) == schema


@pytest.mark.parametrize(
    ("measure", "text", "relation", "value"),
    [
        ("refused_share", "< 1 %", "<", 0.01),
        ("refused_share", "<=0.01", "<=", 0.01),
        ("attendant_utilisation", ">= 80%", ">=", 0.8),
        ("answered_within_share", " > 0.8 ", ">", 0.8),
        ("parked_s_mean", "< 1m30s", "<", 90),
        ("answer_wait_s_p95", "< 20", "<", 20),
        ("recalls_per_hour", "< 12", "<", 12),
        ("recalls_per_hour", "< 0.5/min", "<", 30),
        ("occupancy_max", "<= 6", "<=", 6),
    ],
)
def test_objectives_are_read_in_their_measures_unit(measure, text, relation, value):
    """Shares may be in per cent, times are durations, the rest plain numbers."""
    (objective,) = Scenario.loads(SMALLEST + f'objectives.{measure} = "{text}"\n').objectives
    assert objective == Objective(measure=measure, relation=relation, value=value, text=text)


CALLS = """offered_at,who
2026-01-05 23:59:59.5,a
2026-01-05 08:00:00,b
2026-01-06T00:00:00,c
2026-01-07 07:30:00.000001,e
2026-01-05 08:00:00,d
"""


def recorded(tmp_path, content, extra=""):
    """Return a scenario whose calls stand in a file of this content."""
    (tmp_path / "calls.csv").write_text(content)
    text = SMALLEST.replace('run.horizon = "1h"\n', "").replace(
        'arrivals = { kind = "poisson", rate = "60/h" }',
        f'arrivals = {{ kind = "recorded", file = "calls.csv"{extra} }}',
    )
    return Scenario.loads(text, folder=tmp_path)


def test_recorded_calls_count_from_the_midnight_before_the_first(tmp_path):
    """Unsorted rows are sorted, equal instants kept, and the run ends at the midnight after the last."""
    scenario = recorded(tmp_path, CALLS, ', column = "offered_at"')
    hour = 3_600_000_000
    expected = [8 * hour, 8 * hour, 24 * hour - 500_000, 24 * hour, 55 * hour + hour // 2 + 1]
    assert scenario.recording.instant_us.tolist() == expected
    assert scenario.recording.instant_us.dtype == np.int64
    assert scenario.horizon_us == 72 * hour
    assert scenario.recording.days == 3
    assert [scenario.recording.of_day(day).tolist() for day in range(3)] == [
        [8 * hour, 8 * hour, 24 * hour - 500_000],
        [0],
        [7 * hour + hour // 2 + 1],
    ]
    daily = recorded(tmp_path, CALLS, ', column = "offered_at", resample = "days"')
    assert daily.horizon_us == 24 * hour
    assert daily.digest != scenario.digest


def test_a_call_at_midnight_belongs_to_the_day_that_begins(tmp_path):
    """The horizon is half open, so a last call at exactly midnight makes the run a day longer."""
    assert recorded(tmp_path, "2026-01-05 08:00\n2026-01-06 00:00\n").horizon_us == 2 * 86_400_000_000


def test_recorded_seconds_are_read_to_the_microsecond(tmp_path):
    """Seconds may begin anywhere; time 0 is the last multiple of a day before the first."""
    scenario = recorded(tmp_path, f"t\n{86_400 * 20_000 + 5}.000001\n{86_400 * 20_000}.1\n")
    assert scenario.recording.instant_us.tolist() == [100_000, 5_000_001]


def test_offsets_of_recorded_dates_are_respected(tmp_path):
    """Elapsed time goes by the instants, the days of a resample by each row's own calendar."""
    scenario = recorded(tmp_path, "2026-03-28 23:00:00+01:00\n2026-03-29 05:00:00+02:00\n2026-03-28 21:00:00Z\n")
    hour = 3_600_000_000
    assert scenario.recording.instant_us.tolist() == [21 * hour, 22 * hour, 27 * hour]
    assert scenario.recording.days == 2
    assert scenario.recording.of_day(1).tolist() == [5 * hour]


def test_the_shipped_recording_is_what_its_scenario_says():
    """Three days, out of order in places, with one instant given twice, none of it lost."""
    scenario = Scenario.load(FOLDER / "recorded.toml")
    rows = (FOLDER / "recorded-calls.csv").read_text().splitlines()[1:]
    stamps = [row.split(",")[0] for row in rows]
    assert stamps != sorted(stamps)
    assert len(set(stamps)) == len(stamps) - 1
    assert scenario.recording.instant_us.size == len(rows)
    assert (scenario.recording.days, scenario.horizon_us) == (3, 3 * 86_400_000_000)
    assert sum(scenario.recording.of_day(day).size for day in range(3)) == len(rows)
