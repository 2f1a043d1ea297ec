"""``replaying``: what a real PBX wrote agrees with the rules, and a log with a fault is caught at the very row."""

import json
from pathlib import Path

import pytest
from log_forms import (
    SHARED,
    TRACES,
    ami_text,
    changed_line,
    csv_text,
    exchanged,
    lines_of,
    pairs_of_one_slot,
    parking,
    slot_key,
    slot_of,
    swapped,
    write,
)

import parksim
from parksim.pbx import conformance as replaying
from parksim.pbx import log as fieldlogs
from parksim.rules import codes

SOAK = lines_of(TRACES / "soak_first.jsonl")
EVENTS_OF = {"soak_first": 404, "slots_first": 24, "slots_next": 24, "timeout": 42, "giveup": 15, "full": 4}
LOT = {"kind": "meta", "t": 0.0, "lots": {"here": {"first": 701, "last": 702, "parkingtime": 30}}}


def compared(path, **options):
    """Return how a log agrees with the rules."""
    return replaying.compare(fieldlogs.read_log(path), **options)


def first_line(tmp_path, lines, **options):
    """Return the line that a replay names, None when everything agrees."""
    first = compared(write(tmp_path / "log.jsonl", lines), **options).first
    return None if first is None else first.line


def event(t, kind, call, slot, **more):
    """Return a parking event as a line of a log."""
    return {"t": t, "kind": "event", "Event": kind, "call": call, "lot": "here", "slot": slot, **more}


@pytest.mark.parametrize("folder", [TRACES, SHARED])
@pytest.mark.parametrize(("name", "events"), EVENTS_OF.items())
def test_every_parking_event_of_the_pbx_agrees(folder, name, events):
    """513 parking events of six recordings, shortened and whole, in ten lots; 13 refusals found the lot full."""
    if not folder.is_dir():
        pytest.skip("the unshortened recordings do not lie beside the project")
    agreement = compared(folder / f"{name}.jsonl")
    assert agreement.first is None
    assert agreement.parking_agreed == agreement.parking_rows == events
    assert agreement.agreed["REFUSED"] == {"soak_first": 10, "full": 3}.get(name, 0)


@pytest.mark.parametrize(("name", "choice"), [("soak_first", 0), ("slots_first", 0), ("slots_next", 1)])
def test_the_slot_choice_is_inferred_and_the_other_disagrees(name, choice):
    """The choice of the PBX's configuration is found from its parks alone; told the other one, parks disagree."""
    path = TRACES / f"{name}.jsonl"
    (plan,) = compared(path).lots.values()
    assert plan.choice == choice
    assert compared(path, choice=1 - choice).first is not None


def test_events_of_one_slot_that_changed_places_are_caught_there(tmp_path):
    """Every eighth of the soak's pairs: exchanged or swapped, the first of both is named."""
    pairs = list(pairs_of_one_slot(SOAK))[::8]
    assert len(pairs) == 50
    for one, other in pairs:
        assert first_line(tmp_path, exchanged(SOAK, one, other)) == one + 1
    for one, other in pairs[::4]:
        assert first_line(tmp_path, swapped(SOAK, one, other)) == one + 1


def test_a_changed_slot_is_caught_there(tmp_path):
    """Every twentieth parking event of the soak, in each of the four other slots of the lot: 84 logs."""
    tried = 0
    for number in parking(SOAK)[::20]:
        for slot in {771, 772, 773, 774, 775} - {SOAK[number]["slot"]}:
            assert first_line(tmp_path, changed_line(SOAK, number, slot=slot)) == number + 1
            tried += 1
    assert tried == 84


def test_an_early_expiry_is_caught_there(tmp_path):
    """Every second of the soak's 47 time-outs, told 100 ms early, where it stands and where it then belongs."""
    expiries = [number for number in parking(SOAK) if SOAK[number]["Event"] == "ParkedCallTimeOut"]
    assert len(expiries) == 47
    for number in expiries[::2]:
        early = changed_line(SOAK, number, t=round(SOAK[number]["t"] - 0.1, 4))
        assert first_line(tmp_path, early) == number + 1
        belongs = sorted(early, key=lambda line: line["t"])
        assert first_line(tmp_path, belongs) == belongs.index(early[number]) + 1


SMALL = ("slots_first", "slots_next", "timeout", "giveup", "full")


def faults_not_caught_there(tmp_path, lines):
    """Return (faults tried, those that were not caught at their row), of every kind at every row of a recording."""
    tried, missed = 0, []

    def expect(changed, *rows):
        nonlocal tried
        tried += 1
        found = first_line(tmp_path, changed)
        if found not in rows:
            missed.append((rows, found))

    for one, other in pairs_of_one_slot(lines):
        expect(exchanged(lines, one, other), one + 1)
        expect(swapped(lines, one, other), one + 1)
    key, lots = slot_key(lines), lines[0]["lots"]
    for number in parking(lines):
        lot, slot = slot_of(lines[number])
        for label in range(lots[lot]["first"], lots[lot]["last"] + 1):
            if str(label) != slot:
                expect(changed_line(lines, number, **{key: type(lines[number][key])(label)}), number + 1)
        if lines[number]["Event"] == "ParkedCallTimeOut":
            early = changed_line(lines, number, t=round(lines[number]["t"] - 0.1, 4))
            belongs = sorted(early, key=lambda line: line["t"])
            expect(early, number + 1)
            expect(belongs, belongs.index(early[number]) + 1)
    return tried, missed


@pytest.mark.parametrize(("name", "faults"), [*zip(SMALL, (134, 134, 278, 80, 8), strict=True)])
def test_every_fault_in_every_row_of_small_recordings_is_caught_there(tmp_path, name, faults):
    """634 logs: all pairs of a slot exchanged and swapped, all rows in all other slots, all time-outs 100 ms early.

    The slot choice is inferred from the log with the fault in it.
    """
    assert faults_not_caught_there(tmp_path, lines_of(TRACES / f"{name}.jsonl")) == (faults, [])


@pytest.mark.slow
@pytest.mark.parametrize("folder", [TRACES, SHARED])
def test_every_fault_in_every_row_of_the_soak_is_caught_there(tmp_path, folder):
    """The same of the soak, shortened and whole: 2,506 logs each."""
    if not folder.is_dir():
        pytest.skip("the unshortened recordings do not lie beside the project")
    assert faults_not_caught_there(tmp_path, lines_of(folder / "soak_first.jsonl")) == (2_506, [])


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_every_fault_in_every_row_of_whole_recordings_is_caught_there(tmp_path, name):
    """The five others as they were recorded: some 630 logs."""
    if not SHARED.is_dir():
        pytest.skip("the unshortened recordings do not lie beside the project")
    tried, missed = faults_not_caught_there(tmp_path, lines_of(SHARED / f"{name}.jsonl"))
    assert (tried > 0, missed) == (True, [])


def test_a_call_put_into_a_taken_slot_is_caught_whatever_the_tolerance(tmp_path):
    """Two parks 3 ms apart may have been decided in either order, but not into one slot."""
    lines = [LOT, event(1.0, "ParkedCall", "a", 701), event(1.003, "ParkedCall", "b", 701)]
    first = compared(write(tmp_path / "log.jsonl", lines)).first
    assert (first.line, "in slot 701 there is a" in first.why) == (3, True)


def test_a_slot_given_on_while_its_retrieval_is_being_written_agrees_within_the_tolerance(tmp_path):
    """UnParkedCall 4 ms after the slot's next ParkedCall is an overlap; 6 ms after it is two calls in a slot."""
    for late_s, line in ((0.004, None), (0.006, 4)):
        lines = [
            LOT,
            event(1.0, "ParkedCall", "a", 701),
            event(2.0, "ParkedCall", "b", 702),
            event(3.0, "ParkedCall", "c", 701),
            event(3.0 + late_s, "UnParkedCall", "a", 701),
        ]
        path = write(tmp_path / "log.jsonl", lines)
        agreement = compared(path)
        assert (agreement.first and agreement.first.line) == line
        assert agreement.overlaps == (line is None)
        assert compared(path, tolerance_us=7_000).first is None
    assert fieldlogs.read_log(write(path, [*lines[:4], event(3.004, "UnParkedCall", "a", 701)])).measured.slot.tolist()[
        -2:
    ] == [0, 0]


@pytest.mark.parametrize(
    ("rows", "line", "said"),
    [
        ([event(1, "ParkedCall", "a", 702)], 2, "would have given it slot 701"),
        ([event(1, "ParkedCall", "a", 704)], 2, "the lot has the slots 701 to 702"),
        ([event(1, "ParkedCall", "a", 701), event(2, "ParkedCall", "a", 702)], 3, "parked already, in slot 701"),
        ([event(1, "ParkedCall", "a", 701), event(2, "UnParkedCall", "b", 701)], 3, "in slot 701 there is a"),
        ([event(1, "ParkedCall", "a", 701), event(2, "ParkedCallGiveUp", "a", 702)], 3, "in slot 702 there is nobody"),
        ([event(1, "ParkedCall", "a", 701), event(31.01, "ParkedCallTimeOut", "a", 701)], 3, "EXPIRED of call a"),
        ([event(1, "ParkedCall", "a", 701), event(30.9, "ParkedCallTimeOut", "a", 701)], 3, "100.0 ms later"),
        ([event(1, "ParkedCall", "a", 701), event(31.01, "UnParkedCall", "a", 701)], 3, "at 31.0000 s before it"),
        ([event(1, "ParkedCall", "a", 701), event(40, "ParkedCall", "b", 702)], 3, "EXPIRED of call a in slot 701"),
        (
            [event(1, "ParkedCall", "a", 701, limit_s=0), event(40, "ParkedCallTimeOut", "a", 701)],
            3,
            "this stay has no time-out",
        ),
        (
            [event(i, "ParkedCall", call, 700 + i) for i, call in ((1, "a"), (2, "b"))]
            + [event(3, "ParkedCall", "c", 701)],
            4,
            "in slot 701 there is a",
        ),
        (
            [
                {"t": 1, "kind": "cmd", "do": "park", "call": "a", "lot": "here"},
                {"t": 2.5, "kind": "derived", "what": "no ParkedCall event", "call": "a"},
                event(3, "ParkedCall", "b", 701),
            ],
            2,
            "would have given it slot 701",
        ),
    ],
)
def test_each_rule_broken_is_told_with_its_row(tmp_path, rows, line, said):
    """Twelve faults: wrong or no slot, parked twice, wrong call, nobody, late, early, missing, never, taken, free."""
    first = compared(write(tmp_path / "log.jsonl", [LOT, *rows])).first
    assert first.line == line
    assert said in first.why


def test_after_a_fault_the_rest_is_not_condemned(tmp_path):
    """One changed slot in the soak spoils 2 of 404 events, that park and its end, and nothing else."""
    number = next(number for number in parking(SOAK) if SOAK[number]["t"] > 50)
    agreement = compared(write(tmp_path / "log.jsonl", changed_line(SOAK, number, slot=775)))
    assert agreement.first.line == number + 1
    assert agreement.parking_rows - agreement.parking_agreed <= 3


def test_a_csv_tells_what_the_recording_told(tmp_path):
    """The soak's 404 parking events, written as CSV, are read back as the same facts and all agree with the rules."""
    path = tmp_path / "soak.csv"
    path.write_text(csv_text(SOAK), encoding="utf-8")
    agreement = compared(path)
    assert (agreement.first, agreement.parking_agreed) == (None, 404)
    told, other = fieldlogs.read_log(path), fieldlogs.read_log(TRACES / "soak_first.jsonl")
    assert [(row.call, row.kind, row.slot, row.time_us) for row in told.parking] == [
        (row.call, row.kind, row.slot, row.time_us) for row in other.parking
    ]
    assert any("slots 771 to 775" in one for one in agreement.inferred)


@pytest.mark.parametrize("choice", ["lowest", "next", "random"])
def test_what_parksim_writes_follows_the_rules(tmp_path, choice):
    """A journal of each slot choice, by itself and as AMI text, with or without empty lines, which tells no settings.

    Where ``next`` continues is unknown until the first park, which cannot be judged.
    """
    scenario = parksim.Scenario.load(Path(__file__).parents[2] / "scenarios" / "small-office.toml")
    scenario = scenario.with_values(
        {"lot.choice": choice, "run.horizon": "8h", "arrivals.rate": "60/h", "lot.slots": 4}
    )
    journal = parksim.run(scenario, seed=5).journal
    journal.save(tmp_path / "journal.jsonl")
    agreement = compared(tmp_path / "journal.jsonl")
    assert agreement.first is None
    assert agreement.agreed["PARKED"] == (journal.kind == codes.PARKED).sum() > 100
    text = ami_text(list(journal.facts()))
    for form in (text, text.replace("\r\n\r\n", "\r\n")):
        (tmp_path / "ami.txt").write_bytes(form.encode())
        agreement = compared(tmp_path / "ami.txt")
        assert agreement.first is None
        assert agreement.unjudged == ({"PARKED": 1} if choice == "next" else {})
        assert agreement.agreed["PARKED"] == (journal.kind == codes.PARKED).sum() - agreement.unjudged["PARKED"]
        assert [plan.choice for plan in agreement.lots.values()] == [codes.CHOICE_NAMES.index(choice)]


def test_a_log_that_begins_in_the_middle_is_judged_by_what_it_tells(tmp_path):
    """The soak from its hundredth event on, without saying that the lot is empty: all of its rows agree."""
    rows = csv_text(SOAK).splitlines(keepends=True)
    path = tmp_path / "late.csv"
    path.write_text(rows[0] + "".join(rows[101:]), encoding="utf-8")
    agreement = compared(path)
    assert (agreement.first, agreement.parking_rows) == (None, 304)
    parked = {row.split(";")[2] for row in rows[101:] if ";ParkedCall;" in row}
    before = {row.split(";")[2] for row in rows[101:]} - parked
    assert agreement.parking_unjudged == len(before) == 304 - agreement.parking_agreed > 0


def test_a_time_out_that_no_park_tells_is_inferred_and_can_be_given(tmp_path):
    """Without the parks' own limits 4 s is inferred from 41 of 47 time-outs; those of other lengths then disagree."""
    lines = [{key: value for key, value in line.items() if key != "limit_s"} for line in SOAK]
    path = tmp_path / "soak.csv"
    path.write_text(csv_text(lines), encoding="utf-8")
    agreement = compared(path)
    assert any("a time-out of 4 s" in one for one in agreement.inferred)
    assert agreement.agreed["EXPIRED"] > 35
    assert compared(path, limit_us=2_000_000).agreed["EXPIRED"] < 10


def test_the_agreement_in_plain_values_can_be_written_as_json():
    """``as_dict`` has the first disagreement, the counts by kind and what was inferred."""
    plain = compared(TRACES / "full.jsonl").as_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert plain["by_kind"]["REFUSED"] == {"agreed": 3, "rows": 3}
    assert plain["agrees"] is True
