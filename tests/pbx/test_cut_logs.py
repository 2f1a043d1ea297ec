"""``replaying`` a log that begins in the middle of life: it is not blamed for what it does not say."""

import random

import pytest
from log_forms import SHARED, TRACES, changed_line, exchanged, lines_of, pairs_of_one_slot, parking, swapped, write

import parksim
from parksim.pbx import conformance as replaying
from parksim.pbx import log as fieldlogs
from parksim.rules import codes

HERE = {"t": 0.0, "kind": "meta", "lots": {"here": {"first": 701, "last": 702, "parkingtime": 30}}}


def compared(path, lines, **options):
    """Return how a log of some lines agrees with the rules."""
    return replaying.compare(fieldlogs.read_log(write(path / "log.jsonl", lines)), **options)


def csv(path, *rows, header="time,event,call,slot"):
    """Write a log as CSV."""
    path = path / "log.csv"
    path.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    return path


@pytest.mark.parametrize("folder", [TRACES, SHARED])
@pytest.mark.parametrize("name", ["soak_first", "slots_next", "slots_first", "timeout", "giveup"])
def test_no_row_is_called_wrong_after_a_cut(tmp_path, folder, name):
    """From 0 to 50 parking events cut off, and as many lines, with and without the line that names the lots.

    Each row agrees or is not judged: the releases of calls that were parked before, and parks that depend on them.
    """
    if not folder.is_dir():
        pytest.skip("the unshortened recordings do not lie beside the project")
    lines = lines_of(folder / f"{name}.jsonl")
    ends = [number + 1 for number in parking(lines)]
    for cut, end in enumerate([1, *ends[:-1]][:51]):
        for kept in (lines[end:], lines[cut + 1 :]):
            for begun in ([], lines[:1]):
                agreement = compared(tmp_path, [*begun, *kept])
                assert agreement.first is None, (cut, len(kept))
                assert agreement.agreed + agreement.unjudged == agreement.rows
                assert agreement.parking_agreed > 0 or len(parking(kept)) < 6


@pytest.mark.parametrize("cut", [7, 24, 50])
def test_a_fault_after_a_cut_is_named(tmp_path, cut):
    """The soak without its first events: of calls parked later slots changed, and pairs exchanged or swapped."""
    whole = lines_of(TRACES / "soak_first.jsonl")
    lines = whole[parking(whole)[cut] :]
    events = parking(lines)
    parked = {lines[number]["call"] for number in events if lines[number]["Event"] == "ParkedCall"}
    known = [number for number in events[:12] + events[12::40] if lines[number]["call"] in parked]
    faults = [
        (number, changed_line(lines, number, slot=slot))
        for number in known
        for slot in {771, 773, 775} - {lines[number]["slot"]}
    ]
    for one, other in list(pairs_of_one_slot(lines))[::20]:
        if lines[one]["call"] in parked:
            faults += [(one, exchanged(lines, one, other)), (one, swapped(lines, one, other))]
    assert len(faults) > 40
    for number, wrong in faults:
        first = compared(tmp_path, wrong).first
        assert first is not None
        assert first.line == number + 1


def test_the_first_assignment_teaches_where_next_continues(tmp_path):
    """Of four parks and their ends the first is not judged; the one that then goes to a wrong slot is named."""
    rows = [
        f"{2 * i + end},{kind},{i},{703 + i % 3}" for i in range(4) for end, kind in ((1, "parked"), (2, "retrieved"))
    ]
    rows.insert(0, "0.5,retrieved,early,705")
    agreement = parksim.replay(csv(tmp_path, *rows), choice="next", slots=3).agreement
    assert (agreement.first, agreement.unjudged) == (None, {"RETRIEVED": 1, "PARKED": 1})
    assert agreement.parking_agreed == 7
    rows[3:5] = [row.replace("704", "703") for row in rows[3:5]]
    assert parksim.replay(csv(tmp_path, *rows), choice="next", slots=3).agreement.first.line == 5


def test_a_slot_that_the_log_never_names_may_be_taken(tmp_path):
    """Of a lot of three, 701 is not in the log: parks into 702 are not judged, a refusal with 703 taken neither."""
    header = "time,event,call,slot"
    rows = [
        "1,parked,a,702",
        "2,parked,b,703",
        "3,refused,c,",
        "4,retrieved,b,703",
        "5,retrieved,a,702",
        "6,parked,a,704",
    ]
    agreement = parksim.replay(csv(tmp_path, *rows, header=header), slots=4, choice="lowest").agreement
    assert agreement.first.line == 4
    lines = [
        {"t": 0.5, "kind": "event", "Event": "UnParkedCall", "call": "x", "lot": "here", "slot": 702},
        {"t": 1, "kind": "event", "Event": "ParkedCall", "call": "a", "lot": "here", "slot": 702},
        {"t": 2, "kind": "cmd", "do": "park", "call": "b", "lot": "here"},
        {"t": 3.5, "kind": "derived", "what": "no ParkedCall event", "call": "b"},
    ]
    agreement = compared(tmp_path, [HERE, *lines])
    assert (agreement.first, agreement.agreed.total()) == (None, 0)
    assert agreement.unjudged == {"RETRIEVED": 1, "PARKED": 1, "REFUSED": 1}
    plain = agreement.as_dict()
    assert (plain["parking_events_not_judged"], plain["not_judged"]["REFUSED"]) == (2, 1)


@pytest.mark.parametrize("do", ["unpark", "list_parked", "parkedcalls", "retrieve_parked", "parking_status"])
def test_a_command_that_requests_no_slot_invents_no_refusal(tmp_path, do):
    """Only park, park_unbridged and call_into_park_application are requests."""
    park = {"t": 1, "kind": "event", "Event": "ParkedCall", "call": "a", "lot": "here", "slot": 701}
    log = fieldlogs.read_log(
        write(
            tmp_path / "log.jsonl",
            [HERE, park, {"t": 2, "kind": "cmd", "do": do, "call": "a"}, {"t": 9, "kind": "snapshot"}],
        )
    )
    assert not log.requests_recorded
    assert [row.kind for row in log.rows if row.kind == codes.REFUSED] == []


def test_what_is_stated_is_checked_against_the_log(tmp_path):
    """Four slots used and 45 s told: with three slots the first row in the fourth is named, with 150 s each park."""
    rows = [f"{1 + i},parked,{i},{701 + i},45" for i in range(4)] + [
        f"{10 + i},retrieved,{i},{701 + i}," for i in range(4)
    ]
    path = csv(tmp_path, *rows, header="time,event,call,slot,limit")
    assert parksim.replay(path, slots=4, max_in_parking="45s").follows
    assert parksim.replay(path, slots=3).agreement.first.line == 5
    denied = parksim.replay(path, max_in_parking="150s").agreement
    assert (denied.first.line, denied.agreed["PARKED"], denied.agreed["RETRIEVED"]) == (2, 0, 4)
    assert "the log says a time-out of 45 s, not a time-out of 150 s" in denied.first.why
    assert not parksim.replay(path, max_in_parking="unlimited").follows
    rows[1] = rows[1].replace(",45", ",20")  # a request may have its own
    assert parksim.replay(csv(tmp_path, *rows, header="time,event,call,slot,limit"), max_in_parking="45s").follows


def test_an_uneven_choice_is_not_called_random(tmp_path):
    """A PBX that always takes the highest free slot follows no rule, and its parks are disagreed with."""
    rows, free, parked, draw = [], {701, 702, 703, 704}, [], random.Random(1)
    for i in range(200):
        if len(parked) == 4 or (parked and draw.random() < 0.5):
            call, slot = parked.pop(draw.randrange(len(parked)))
            rows.append(f"{i},retrieved,{call},{slot}")
            free.add(slot)
        else:
            slot = max(free)
            free.remove(slot)
            parked.append((i, slot))
            rows.append(f"{i},parked,{i},{slot}")
    agreement = parksim.replay(csv(tmp_path, *rows)).agreement
    assert len(agreement.disagreements) > 20
    assert not any("random" in one for one in agreement.inferred)
