"""Logs of other systems: a simulated day in each form gives the journal's measures, and planted faults are found."""

import gzip
import json
import random
from pathlib import Path

import pytest
from log_forms import TRACES, ami_text
from writers import (
    SQL_HEADER,
    cdr_text,
    cel_rows,
    cel_sql_text,
    cel_text,
    freeswitch_text,
    queue_log_text,
)

import parksim
from parksim.cli.main import main
from parksim.errors import LogError
from parksim.pbx.formats.cel import COLUMNS
from parksim.pbx.formats.table import READERS
from parksim.rules import codes as c

SHARED = Path(__file__).parents[3] / "shared" / "cases" / "logs"
DAY = """
name = "day"
[run]
horizon = "1d"
[arrivals]
kind = "poisson"
rate = "40/h"
[queue]
patience = { kind = "exponential", mean = "60s" }
[attendants]
count = 3
handling = { kind = "lognormal", median = "40s", sigma = 0.5 }
talk = "60s"
[parking]
probability = 0.6
max_parks = 3
[lot]
slots = 3
first = 701
max_in_parking = "90s"
[retrieval]
delay = { kind = "lognormal", median = "50s", sigma = 0.8 }
never = 0.1
talk = "30s"
[recall]
answer = "4s"
[caller]
patience = { kind = "exponential", mean = "300s" }
"""
OF_STAYS = (
    *("parks_made", "retrieved_share", "expired_share", "abandoned_share", "recalls_per_hour"),
    *("occupancy_mean", "occupancy_p95", "occupancy_max", "parked_s_mean", "parked_s_p50", "parked_s_p95"),
)
OF_REFUSALS = ("parks_requested", "offered_erlang", "refused_share", "time_full_share")
OF_WAITS = ("calls_offered", "queue_abandoned_share")


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    """The facts of a simulated day, and its measures as those of a log."""
    journal = parksim.run(parksim.Scenario.loads(DAY), seed=1).journal
    path = tmp_path_factory.mktemp("day") / "day.jsonl"
    journal.save(path)
    return [*journal.facts()], parksim.replay(path).measures


@pytest.fixture(scope="module")
def soak():
    """The facts of 200 calls of a real Asterisk, and what a replay says of them."""
    met = parksim.replay(TRACES / "soak_first.jsonl")
    return [*met.log.journal.facts()], met


def replayed(folder, *texts, **options):
    """Replay some logs together."""
    paths = []
    for number, text in enumerate(texts):
        paths.append(folder / f"log{number}")
        paths[-1].write_text(text, encoding="utf-8")
    return parksim.replay(paths, **options)


def counts(agreement):
    """Return how many rows of each kind there are, if all of them agree."""
    assert agreement.first is None
    assert all(agreed == rows for _, agreed, rows in agreement.by_kind())
    return {kind: rows for kind, _, rows in agreement.by_kind()}


@pytest.mark.parametrize(
    "text", [cel_text, lambda facts: cel_text(facts, old=True), lambda facts: cel_text(facts, around=False)]
)
def test_cel_has_the_measures_of_the_day(day, text, tmp_path):
    """Stays and refusals, without a slot: of Asterisk 12, of 1.8, and with PARK_* events alone."""
    facts, measures = day
    met = replayed(tmp_path, text(facts))
    assert counts(met.agreement)["REFUSED"] == 2
    assert not met.log.has_slots
    for name in (*OF_STAYS, *OF_REFUSALS):
        assert met.measures[name].value == pytest.approx(measures[name].value, rel=1e-12), name


def test_an_export_of_the_table_has_whole_seconds(day, tmp_path):
    """They are judged by the second, and counts are those of the day."""
    facts, measures = day
    met = replayed(tmp_path, cel_sql_text(facts))
    assert counts(met.agreement)["PARKED"] == measures["parks_made"].value
    assert met.agreement.tolerance_us == 1_000_000
    for name in ("parks_made", "retrieved_share", "expired_share", "abandoned_share", "refused_share"):
        assert met.measures[name].value == measures[name].value
    assert met.measures["parked_s_mean"].value == pytest.approx(measures["parked_s_mean"].value, abs=0.2)


def test_columns_may_be_named(day, tmp_path):
    """A mapping of one's own needs --columns; with a header it does not."""
    facts, _ = day
    wanted = [0, 1, 14, 15, 16, 18, 19]
    names = "eventtype,eventtime,uniqueid,linkedid,peer,userdeftype,eventextra"
    rows = (line.split('","') for line in cel_text(facts).splitlines())
    text = "".join(
        '"' + '","'.join(row[at].strip('"') if at != 19 else row[at].removesuffix('"') for at in wanted) + '"\n'
        for row in rows
    )
    assert counts(replayed(tmp_path, text, columns=names).agreement)["REFUSED"] == 2
    assert counts(replayed(tmp_path, f"{names}\n{text}").agreement)["REFUSED"] == 2
    with pytest.raises(LogError, match="cannot read this as a log"):
        replayed(tmp_path, text)


@pytest.mark.parametrize("form", ["plain", "json", "lines", "xml"])
def test_valet_events_have_the_measures_of_the_day(day, form, tmp_path):
    """Slots, stays and time-outs; what ends a stay without a bridge is inferred, and said."""
    facts, measures = day
    met = replayed(tmp_path, freeswitch_text(facts, form))
    assert counts(met.agreement)["PARKED"] == measures["parks_made"].value
    for name in OF_STAYS:
        assert met.measures[name].value == pytest.approx(measures[name].value, rel=1e-6), name
    assert met.measures["refused_share"].value is None
    assert "what ends a stay without a bridge is not said" in str(next(iter(met.log.remarks.values())))


def test_a_queue_log_has_offers_waits_and_abandonments(day, tmp_path):
    """Alone it says nothing of parks; beside CEL it says who came and waited, and CEL the rest."""
    facts, measures = day
    alone = replayed(tmp_path, queue_log_text(facts))
    assert alone.agreement.parking_rows == 0
    together = replayed(tmp_path, queue_log_text(facts), cel_text(facts))
    assert counts(together.agreement)["REFUSED"] == 2
    for met in (alone, together):
        for name in OF_WAITS:
            assert met.measures[name].value == measures[name].value
        assert met.measures["answer_wait_s_mean"].value == pytest.approx(measures["answer_wait_s_mean"].value, abs=0.1)
        assert len(met.log.agents) == 3
    for name in (*OF_STAYS, *OF_REFUSALS, "parks_per_call"):
        assert together.measures[name].value == pytest.approx(measures[name].value, rel=1e-12), name
    scenario = together.calibrate().scenario
    assert scenario.attendants.count == 3
    assert scenario.queue_patience.mean_s == pytest.approx(60, rel=0.5)


@pytest.mark.parametrize("form", ["asterisk", "freeswitch", "cucm", "3cx"])
def test_call_detail_records_have_arrivals_and_waits(day, form, tmp_path):
    """And say that they tell nothing of parks, and how their calls are offered to a scenario."""
    facts, measures = day
    met = replayed(tmp_path, cdr_text(facts, form))
    for name in OF_WAITS:
        assert met.measures[name].value == measures[name].value
    assert met.measures["refused_share"].value is None
    assert 'kind = "recorded", file = "log0", column = "' in met.log.lacking


def test_cel_brings_refusals_to_ami(soak, tmp_path):
    """AMI has slots and limits, CEL the ten refused parks: together they are the recording's own."""
    facts, met = soak
    with_slots = [fact for fact in facts if fact.kind != c.REFUSED]
    together = replayed(tmp_path, ami_text(with_slots, epoch_s=1_772_409_600), cel_text(facts))
    assert counts(together.agreement) == counts(met.agreement)
    assert together.log.has_slots
    for name in (*OF_STAYS, "parks_requested", "refused_share"):
        assert together.measures[name].value == pytest.approx(met.measures[name].value, rel=1e-12)


def test_the_soak_as_cel_has_the_same_outcomes_and_counts(soak, tmp_path):
    """Time-outs that single parks have of their own are seen, and said."""
    facts, met = soak
    cel = replayed(tmp_path, cel_text(facts))
    assert counts(cel.agreement) == counts(met.agreement)
    assert any("time-outs of single parks" in one and "2 s (4)" in one for one in cel.agreement.inferred)
    assert any("5 slots, as 10 refused parks show" in one for one in cel.agreement.inferred)


def test_a_time_out_moved_by_three_seconds_is_found(soak, tmp_path):
    """Each of those of the lot's own 4 s; the rules have none at 7 s."""
    facts, _ = soak
    begun = {fact.call: fact.time_us for fact in facts if fact.kind == c.PARKED}
    moved = 0
    for number, fact in enumerate(facts):
        if fact.kind != c.EXPIRED or abs(fact.time_us - begun[fact.call] - 4_000_000) > 5_000:
            continue
        late = [*facts[:number], fact._replace(time_us=fact.time_us + 3_000_000), *facts[number + 1 :]]
        late = [one for one in late if one.call != fact.call or one.time_us <= late[number].time_us]
        found = replayed(tmp_path, cel_text(sorted(late, key=lambda one: one.time_us))).agreement
        assert found.first is not None, number
        moved += 1
        if moved == 8:
            return


def test_five_calls_in_four_slots_are_found(soak, tmp_path):
    """Stated, or shown by the refusals of a lot of four: the park that the rules would have refused."""
    facts, _ = soak
    stated = replayed(tmp_path, cel_text(facts), slots=4).agreement
    assert "5 calls are parked in 4 slots, the rules would have refused it" in stated.first.why
    parked: set[int] = set()
    four = []
    for fact in facts:  # a lot of four: each park that makes five of them is refused, but one
        if fact.kind == c.PARKED and len(parked) == 4 and fact.call != 63:
            four.append(fact._replace(kind=c.REFUSED, reason=c.LOT_FULL))
        elif fact.kind in (c.PARKED, c.RETRIEVED, c.EXPIRED) or (fact.kind == c.ABANDONED and fact.reason == c.IN_LOT):
            if fact.kind != c.PARKED and fact.call not in parked:
                continue
            (parked.add if fact.kind == c.PARKED else parked.discard)(fact.call)
            four.append(fact)
        elif fact.kind == c.REFUSED and len(parked) >= 4:
            four.append(fact)
    shown = replayed(tmp_path, cel_text(four, around=False)).agreement
    most = max_together(four)
    if most == 5:
        assert "5 calls are parked in 4 slots" in shown.first.why
    else:
        assert shown.first is None


def max_together(facts):
    """Return the most calls that are parked together."""
    parked, most = set(), 0
    for fact in facts:
        if fact.kind == c.PARKED:
            parked.add(fact.call)
        elif fact.kind != c.REFUSED:
            parked.discard(fact.call)
        most = max(most, len(parked))
    return most


def test_a_refusal_while_a_slot_is_free_is_found(soak, tmp_path):
    """One more refusal, at an instant at which one call is parked."""
    facts, _ = soak
    extra = facts[0]._replace(kind=c.REFUSED, reason=c.LOT_FULL, time_us=facts[-1].time_us + 60_000_000, call=9_999)
    found = replayed(tmp_path, cel_text([*facts, extra])).agreement
    assert "0 of 5 slots are taken, the rules would have given it one" in found.first.why


@pytest.mark.parametrize("cut", [(0.1, 1.0), (0.0, 0.9), (0.3, 0.6)])
def test_a_log_that_begins_and_ends_in_mid_life_is_not_blamed(day, cut, tmp_path):
    """What depends on what was before is not judged."""
    facts, _ = day
    begin, end = (int(len(facts) * share) for share in cut)
    for text in (cel_text(facts[begin:end]), freeswitch_text(facts[begin:end], "plain")):
        assert replayed(tmp_path, text).agreement.first is None


def test_lines_shuffled_within_five_milliseconds_are_not_blamed(day, tmp_path):
    """Seed 3: each instant is moved by up to 2 ms, and lines are in the order of the moved instants."""
    facts, _ = day
    draw = random.Random(3)
    moved = sorted(
        (fact._replace(time_us=fact.time_us + draw.randrange(2_000)) for fact in facts), key=lambda one: one.time_us
    )
    assert replayed(tmp_path, cel_text(moved)).agreement.first is None


def test_rotated_and_packed_files_come_in_any_order(day, tmp_path):
    """Three parts of a CEL, one packed, and the queue's log between them."""
    facts, measures = day
    lines = cel_text(facts).splitlines(keepends=True)
    third = len(lines) // 3
    (tmp_path / "cel.2").write_text("".join(lines[:third]))
    (tmp_path / "cel.1.gz").write_bytes(gzip.compress("".join(lines[third : 2 * third]).encode()))
    (tmp_path / "cel").write_text("".join(lines[2 * third :]))
    (tmp_path / "queue_log").write_text(queue_log_text(facts))
    met = parksim.replay([tmp_path / name for name in ("cel", "queue_log", "cel.2", "cel.1.gz")])
    assert counts(met.agreement)["PARKED"] == measures["parks_made"].value
    assert met.measures["calls_offered"].value == measures["calls_offered"].value


def test_a_cel_without_parks_says_how_they_are_switched_on(tmp_path):
    """And a row that breaks off, or a column that is missing, is one message."""
    with pytest.raises(LogError, match=r"in cel\.conf set enable = yes"):
        replayed(
            tmp_path, '"CHAN_START","1772438394.4","","","","","","700","x","a","","","3","","1.1","1.1","","","",""\n'
        )
    with pytest.raises(LogError, match="line 2: 2 cells where the first row has 20"):
        replayed(tmp_path, f"{SQL_HEADER}\n1,PARK_START\n")
    with pytest.raises(LogError, match="no column of this Asterisk's CEL is uniqueid"):
        replayed(tmp_path, "eventtype,eventtime\nPARK_START,1772438394.4\n")


def test_bytes_of_any_form_are_answered(day, tmp_path):
    """800 mutations of 1,000 lines of each form, seed 8: an answer or one message, never another error."""
    facts, _ = day
    draw = random.Random(8)
    few = facts[:120]
    texts = [
        cel_text(few),
        cel_sql_text(few),
        queue_log_text(few),
        *(cdr_text(few, one) for one in ("asterisk", "freeswitch", "cucm", "3cx")),
    ]
    texts += [freeswitch_text(few, form) for form in ("plain", "json", "lines", "xml")]
    path = tmp_path / "mutated"
    refused = 0
    for _ in range(800):
        content = bytearray(draw.choice(texts).encode())
        for _ in range(draw.randrange(1, 5)):
            at = draw.randrange(len(content))
            content[at : at + draw.randrange(4)] = bytes(draw.choice(b'",;|{}<>/\\\n\0\xe9 019aZ:.-') for _ in range(2))
        path.write_bytes(content)
        try:
            _ = parksim.replay(path).measures
        except LogError as error:
            refused += "\n" not in str(error)
    assert 0 < refused < 800


@pytest.mark.skipif(not SHARED.exists(), reason="the shared files are not beside the project")
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("cel-master.csv", ["all 160 parking events agree", "80 of 80 PARKED", "Not told: in which slot"]),
        ("cel-master-11.csv", ["all 160 parking events agree", "45 of 45 RETRIEVED"]),
        ("freeswitch-plain.txt", ["all 160 parking events agree", "the slots 701 to 703"]),
        ("queue_log", ["cannot be told from this log", "80 calls came, 80 were answered after 15.0 s"]),
        ("cdr-asterisk-master.csv", ["Asterisk's CDR", "cannot be told from this log", 'column = "10"']),
        ("cdr-cucm.csv", ["Cisco Unified CM's CDR", "cannot be told from this log", 'column = "dateTimeOrigination"']),
    ],
)
def test_the_shared_files_get_their_answers(name, said, capsys):
    """What the folder's README says of each."""
    main(["replay", str(SHARED / name)])
    screen = " ".join(capsys.readouterr().out.split())
    for words in said:
        assert words in screen


def test_each_form_has_a_name_of_its_own():
    """No two readers share one, since rows are made by it."""
    names = [reader.form for reader in READERS]
    assert len(names) == len({*names}) >= 10


def test_a_real_asterisk_tells_its_refusals_by_cel():
    """60 parks asked of a lot of three (Asterisk 22.10): AMI has 42 stays, CEL the 18 refusals, each written twice."""
    cel, ami = TRACES / "asterisk22-cel.csv.gz", TRACES / "asterisk22-ami.txt.gz"
    of_cel, of_ami, of_both = (parksim.replay(paths) for paths in (cel, ami, [cel, ami]))
    assert counts(of_cel.agreement) == {"PARKED": 42, "REFUSED": 18, "RETRIEVED": 24, "ABANDONED": 7, "EXPIRED": 11}
    assert counts(of_both.agreement) == counts(of_cel.agreement)
    assert any("3 slots, as 18 refused parks show" in one for one in of_cel.agreement.inferred)
    assert of_both.log.has_slots
    for name in OF_STAYS:
        assert of_cel.measures[name].value == pytest.approx(of_ami.measures[name].value, rel=1e-3), name


def test_cel_as_json_is_the_same(day, tmp_path):
    """Asterisk 22 writes an object a line where cel_custom.conf says so."""
    facts, _ = day
    names = [*COLUMNS[:19], "eventextra"]
    rows = [dict(zip(names, row, strict=True)) for row in cel_rows(facts)]
    met = replayed(tmp_path, "".join(json.dumps(row) + "\n" for row in rows))
    assert counts(met.agreement) == counts(replayed(tmp_path, cel_text(facts)).agreement)
