"""Journals as files and as objects: what is saved is what is loaded, and whatever is wrong is told by file and line."""

import io
import json
import os
from pathlib import Path
from random import Random

import numpy as np
import pytest

from parksim.engines import processes
from parksim.journal.journal import COLUMNS, Journal, JournalError, JournalWriter
from parksim.rules import codes as c
from parksim.rules.lot import Fact
from parksim.scenario.model import TEMPLATE, Scenario
from parksim.scenario.workload import draw

SCENARIO = Scenario.loads(TEMPLATE).with_values({"run.horizon": "2h"})
HEADER = {"name": "a day", "seed": 1, "settings": SCENARIO.settings._asdict()}
BLOCK = 65_536
"""Rows that a writer packs before it makes columns of them."""

OFFERED = (5, -1, 0, -1, -1, -1, c.OFFERED, c.NO_REASON)
ANSWERED = (5, -1, 0, -1, -1, 0, c.ANSWERED, c.NO_REASON)
ENDED = (9, -1, 0, -1, -1, 0, c.ENDED, c.TALKED)
ROWS = [OFFERED, ANSWERED, ENDED]


@pytest.fixture(scope="module")
def workload():
    """Return the calls of two hours."""
    return draw(SCENARIO, seed=1)


@pytest.fixture(scope="module")
def journal(workload):
    """Return the journal of two hours, with the settings in its header."""
    made = processes.simulate(SCENARIO.settings, workload)
    made.header.update(HEADER)
    return made


def from_json(value):
    """Return what JSON makes of it: lists of tuples."""
    return json.loads(json.dumps(value))


# Round trips.


@pytest.mark.parametrize("ending", [".jsonl", ".npz"])
def test_what_is_saved_is_loaded(journal, tmp_path, ending):
    """Columns to the byte with their types, and the header as JSON has it."""
    path = tmp_path / f"journal{ending}"
    journal.save(path)
    loaded = Journal.load(path)
    assert loaded == journal
    assert loaded.tobytes() == journal.tobytes()
    assert {name: column.dtype for name, column in loaded.columns.items()} == dict(COLUMNS)
    assert loaded.header == from_json(journal.header)
    assert len(loaded) == len(journal) > 500


@pytest.mark.parametrize("ending", [".jsonl", ".npz"])
def test_the_content_tells_the_form(journal, tmp_path, ending):
    """A file under another name is read all the same."""
    journal.save(tmp_path / f"journal{ending}")
    (tmp_path / f"journal{ending}").rename(tmp_path / "journal.txt")
    assert Journal.load(tmp_path / "journal.txt") == journal


@pytest.mark.parametrize("ending", [".jsonl", ".npz"])
@pytest.mark.parametrize("rows", [[], ROWS], ids=["no rows", "three rows"])
def test_a_journal_needs_no_header_and_no_rows(tmp_path, ending, rows):
    """Nothing happened, or nobody said how it was made: that is a journal too."""
    path = tmp_path / f"journal{ending}"
    Journal.of(rows).save(str(path))
    loaded = Journal.load(str(path))
    assert (loaded.header, [tuple(fact) for fact in loaded.facts()]) == ({}, rows)


@pytest.mark.parametrize("ending", [".jsonl", ".npz"])
def test_the_extremes_of_every_column_are_kept(tmp_path, ending):
    """The least and the greatest numbers that the columns hold come back; codes are those there are."""
    ends = [[np.iinfo(dtype).min, np.iinfo(dtype).max] for _, dtype in COLUMNS[:6]]
    codes = [[0, len(c.KIND_NAMES) - 1], [0, len(c.REASON_NAMES) - 1]]
    made = Journal.of(list(zip(*ends, *codes, strict=True)))
    made.save(tmp_path / f"journal{ending}")
    assert Journal.load(tmp_path / f"journal{ending}") == made


def test_a_line_is_a_fact_with_names():
    """JSON Lines: first the header with its mark and schema, then one object a fact, kind and reason in words."""
    header, *facts = map(json.loads, Journal.of(ROWS, {"name": "päuse ☎"}).lines())
    assert header == {"journal": "parksim", "schema": 1, "name": "päuse ☎"}
    assert facts[2] == dict(zip(Fact._fields, ENDED, strict=True)) | {"kind": "ENDED", "reason": "talked"}


def test_texts_are_written_as_they_are(tmp_path):
    """A name with letters of any alphabet stands readable in the file and comes back."""
    made = Journal.of(ROWS, {"name": "päuse ☎"})
    for ending in (".jsonl", ".npz"):
        made.save(tmp_path / f"journal{ending}")
        assert Journal.load(tmp_path / f"journal{ending}").header == {"name": "päuse ☎"}
    assert "päuse ☎" in (tmp_path / "journal.jsonl").read_text(encoding="utf-8")


def test_an_unknown_ending_is_refused_before_anything_is_written(journal, tmp_path):
    """Only .jsonl and .npz are written; the message names both and what was asked for."""
    for name, ending in (("journal.csv", "'.csv'"), ("journal", "'without ending'")):
        with pytest.raises(JournalError, match=rf"journal.*: a journal is written as \.jsonl or \.npz, not {ending}"):
            journal.save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


# The object.


def test_equal_is_equal_by_bytes():
    """The header takes no part; any cell does; nothing else is equal to a journal, and it has no hash."""
    made = Journal.of(ROWS, {"seed": 1})
    assert made == Journal.of([Fact._make(row) for row in ROWS], {"seed": 2})
    assert made != Journal.of(ROWS[:2])
    for place in range(len(COLUMNS)):
        other = [list(row) for row in ROWS]
        other[1][place] += 1
        assert made != Journal.of([tuple(row) for row in other])
    assert made != ROWS
    with pytest.raises(TypeError, match="unhashable"):
        hash(made)


def test_the_bytes_are_the_columns():
    """Little-endian, one column after the other, 28 bytes a row."""
    made = Journal.of(ROWS)
    content = io.BytesIO(made.tobytes())
    for place, (name, dtype) in enumerate(COLUMNS):
        column = np.frombuffer(content.read(3 * np.dtype(dtype).itemsize), dtype)
        assert column.tolist() == [row[place] for row in ROWS] == getattr(made, name).tolist()
    assert content.read() == b""
    assert len(made.tobytes()) == 3 * 28


def test_columns_cannot_be_written():
    """What was written stays as it was."""
    made = Journal.of(ROWS)
    with pytest.raises(ValueError, match="read-only"):
        made.time_us[0] = 7


def test_columns_of_different_lengths_are_refused():
    """Each row has each column."""
    columns = dict(Journal.of(ROWS).columns)
    columns["slot"] = columns["slot"][:2]
    with pytest.raises(JournalError, match=r"the columns of a journal have one length, not \[2, 3\]"):
        Journal(columns)


def test_a_journal_shows_its_length_and_name():
    """In a notebook one sees what it is, not thousands of rows."""
    assert repr(Journal.of(ROWS)) == "<Journal of 3 facts, unnamed>"
    assert repr(Journal.of(ROWS, {"name": "a day"})) == "<Journal of 3 facts, a day>"


@pytest.mark.parametrize("rows", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 1])
def test_a_writer_keeps_every_row_in_order(rows):
    """However the rows fall into the writer's blocks: the same columns; and it is empty afterwards."""
    writer = JournalWriter()
    for number in range(rows):
        writer.append(number, -number, number, number % 7, number % 11, number % 13, number % 5, number % 3)
    journal = writer.journal({"name": "long"})
    numbers = np.arange(rows)
    expected = (numbers, -numbers, numbers, *(numbers % n for n in (7, 11, 13, 5, 3)))
    for (name, dtype), column in zip(COLUMNS, expected, strict=True):
        assert np.array_equal(getattr(journal, name), column)
        assert getattr(journal, name).dtype == dtype
        assert getattr(journal, name).flags.c_contiguous
    assert journal.header == {"name": "long"}
    assert len(writer.journal()) == 0


# Damaged files.

GOOD_HEADER = '{"journal": "parksim", "schema": 1}'
GOOD_FACT = json.dumps(dict(zip(Fact._fields, OFFERED, strict=True)) | {"kind": "OFFERED", "reason": ""})


def fact(**changes):
    """Return the line of a good fact with some values changed."""
    return json.dumps(json.loads(GOOD_FACT) | changes)


DAMAGED = {
    "empty": ("", "the file is empty; a journal begins with its header"),
    "an empty line": ("\n", "line 1: this is no journal of parksim"),
    "text": ("Dear diary,\n", "line 1: this is no journal of parksim, or it is damaged"),
    "foreign JSON": ('{"name": "somebody"}\n', 'line 1: this is no journal of parksim: its header lacks "journal"'),
    "a foreign journal": ('{"journal": "other", "schema": 1}\n', 'line 1: .* lacks "journal": "parksim"'),
    "a list": ("[1, 2]\n", "line 1: this is no journal of parksim"),
    "no header": (f"{GOOD_FACT}\n{GOOD_FACT}\n", 'line 1: .* its header lacks "journal"'),
    "no schema": ('{"journal": "parksim"}\n', "line 1: the header's schema is None"),
    "a schema in words": ('{"journal": "parksim", "schema": "1"}\n', "line 1: the header's schema is '1'"),
    "a schema of none": ('{"journal": "parksim", "schema": 0}\n', "line 1: the header's schema is 0"),
    "a true schema": ('{"journal": "parksim", "schema": true}\n', "line 1: the header's schema is True"),
    "a newer schema": (
        '{"journal": "parksim", "schema": 2, "more": 1}\n',
        "line 1: journal schema 2 is newer than 1, which this parksim reads; update parksim",
    ),
    "cut off": (f"{GOOD_HEADER}\n{GOOD_FACT}\n{GOOD_FACT[:40]}", "line 3: .* or it is damaged: no JSON"),
    "trailing garbage": (f"{GOOD_HEADER}\n{GOOD_FACT} and so on\n", "line 2: .* no JSON"),
    "garbage behind the end": (f"{GOOD_HEADER}\n{GOOD_FACT}\n\x00\x00", "line 3: .* no JSON"),
    "a gap": (f"{GOOD_HEADER}\n{GOOD_FACT}\n\n{GOOD_FACT}\n", "line 3: .* no JSON"),
    "too deep": (f"{GOOD_HEADER}\n{'[' * 200_000}\n", "line 2: .* no JSON"),
    "a number": (f"{GOOD_HEADER}\n7\n", "line 2: a fact is a JSON object, not int"),
    "a list as a fact": (f"{GOOD_HEADER}\n[]\n", "line 2: a fact is a JSON object, not list"),
    "a column left out": (
        f'{GOOD_HEADER}\n{{"time_us": 5, "kind": "OFFERED"}}\n',
        "line 2: a fact has deadline_us, call",
    ),
    "an unknown kind": (f"{GOOD_HEADER}\n{fact(kind='MISLAID')}\n", "line 2: 'MISLAID' is no kind"),
    "a kind in numbers": (f"{GOOD_HEADER}\n{fact(kind=3)}\n", "line 2: 3 is no kind"),
    "an unhashable kind": (f"{GOOD_HEADER}\n{fact(kind=['PARKED'])}\n", r"line 2: \['PARKED'\] is no kind"),
    "an unknown reason": (f"{GOOD_HEADER}\n{fact(reason='whim')}\n", "line 2: 'whim' is no reason"),
    "a text": (f"{GOOD_HEADER}\n{fact(slot='7')}\n", "line 2: slot is '7'; it is a whole number from -32768 to 32767"),
    "a fraction": (f"{GOOD_HEADER}\n{fact(time_us=1.5)}\n", "line 2: time_us is 1.5; it is a whole number"),
    "whole in floating point": (f"{GOOD_HEADER}\n{fact(time_us=1.0)}\n", "line 2: time_us is 1.0"),
    "no number": (f"{GOOD_HEADER}\n{fact(time_us=float('nan'))}\n", "line 2: time_us is nan"),
    "true": (f"{GOOD_HEADER}\n{fact(call=True)}\n", "line 2: call is True"),
    "nothing": (f"{GOOD_HEADER}\n{fact(call=None)}\n", "line 2: call is None"),
    "too great": (f"{GOOD_HEADER}\n{GOOD_FACT}\n{fact(slot=32_768)}\n", "line 3: slot is 32768; .* to 32767"),
    "too small": (f"{GOOD_HEADER}\n{fact(call=-(2**31) - 1)}\n", "line 2: call is -2147483649"),
    "far too great": (f"{GOOD_HEADER}\n{fact(time_us=2**63)}\n", "line 2: time_us is 9223372036854775808"),
}


@pytest.mark.parametrize(("text", "message"), DAMAGED.values(), ids=DAMAGED)
def test_damaged_lines_are_told_by_file_and_line(tmp_path, text, message):
    """One message: the file, the first wrong line, what stands there and what should."""
    path = tmp_path / "journal.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(JournalError, match=rf"journal\.jsonl(, |: ){message}"):
        Journal.load(path)


@pytest.mark.parametrize(
    "content", [b"\x80\x81\x82\n", b"\xff\xfe{\x00", b"\x00" * 100], ids=["bytes", "utf-16", "zeros"]
)
def test_binary_files_are_no_journals(tmp_path, content):
    """Whatever the bytes are, the message is about the first line."""
    (tmp_path / "journal.jsonl").write_bytes(content)
    with pytest.raises(JournalError, match=r"journal\.jsonl, line 1: this is no journal of parksim"):
        Journal.load(tmp_path / "journal.jsonl")


@pytest.mark.parametrize(("name", "why"), [("missing.jsonl", "No such file"), (".", "Is a directory")])
def test_what_cannot_be_read_says_why(tmp_path, name, why):
    """A missing file and a folder are named with the reason of the operating system."""
    with pytest.raises(JournalError, match=f"cannot be read .*{why}"):
        Journal.load(tmp_path / name)


def archive(path, *, without=(), **changes):
    """Write the archive of three rows with some of its members changed."""
    members = {"header": np.array(GOOD_HEADER), **Journal.of(ROWS).columns} | changes
    np.savez_compressed(path, **{name: member for name, member in members.items() if name not in without})


WRONG_ARCHIVES = {
    "a newer schema": ({"header": np.array('{"journal": "parksim", "schema": 2}')}, "journal schema 2 is newer than 1"),
    "a foreign header": ({"header": np.array('{"name": "x"}')}, 'its header lacks "journal": "parksim"'),
    "a header that is none": ({"header": np.array("[")}, "this is no journal of parksim, or it is damaged"),
    "no header": ({"without": ["header"]}, "or it is damaged .*header"),
    "a column left out": ({"without": ["slot"]}, "or it is damaged .*slot"),
    "another type": ({"slot": np.zeros(3, np.int64)}, "column slot is int64 .* a journal's are int16"),
    "another order of bytes": ({"time_us": np.zeros(3, ">i8")}, "column time_us is >i8"),
    "objects": ({"slot": np.array([None, None, None])}, "or it is damaged .*[Oo]bject"),
    "two dimensions": ({"time_us": np.zeros((3, 1), np.int64)}, r"column time_us is int64 of shape \(3, 1\)"),
    "another length": ({"slot": np.zeros(2, np.int16)}, r"column slot is int16 of shape \(2,\)"),
    "an unknown kind": ({"kind": np.full(3, len(c.KIND_NAMES), np.uint8)}, "a code that this parksim does not know"),
    "an unknown reason": ({"reason": np.full(3, 255, np.uint8)}, "a code that this parksim does not know"),
}


@pytest.mark.parametrize(("changes", "message"), WRONG_ARCHIVES.values(), ids=WRONG_ARCHIVES)
def test_wrong_archives_are_told_by_file(tmp_path, changes, message):
    """One message: the file, what is wrong and what should be."""
    archive(tmp_path / "journal.npz", **changes)
    with pytest.raises(JournalError, match=rf"journal\.npz: .*{message}"):
        Journal.load(tmp_path / "journal.npz")


def test_the_archive_that_the_wrong_ones_are_made_of_is_right(tmp_path):
    """What is found wrong above is the change, not the archive."""
    archive(tmp_path / "journal.npz")
    assert Journal.load(tmp_path / "journal.npz") == Journal.of(ROWS)


@pytest.mark.parametrize("ending", [".jsonl", ".npz"])
def test_damaged_bytes_never_bring_the_reader_down(tmp_path, ending):
    """Of 500 files with bytes exchanged or cut off (seed 1) each is read, or refused in one message with its name."""
    rng, path = Random(1), tmp_path / f"journal{ending}"
    Journal.of(ROWS * 20, HEADER).save(path)
    whole, refusals = path.read_bytes(), []
    for _ in range(500):
        content = bytearray(whole)
        for _ in range(rng.choice((1, 2, 20))):
            content[rng.randrange(len(content))] = rng.randrange(256)
        path.write_bytes(content[: rng.choice((len(content), rng.randrange(len(content))))])
        try:
            Journal.load(path)
        except JournalError as error:
            refusals.append(str(error))
    assert len(refusals) > 400
    assert all(str(path) in refusal for refusal in refusals)


@pytest.mark.parametrize("ending", [".jsonl", ".npz"])
def test_a_flipped_byte_never_changes_a_journal_unnoticed(tmp_path, ending):
    """Of 600 files with one byte flipped (seed 6) each is refused with its name, or is the same journal."""
    draw, path = Random(6), tmp_path / f"journal{ending}"
    made = Journal.of(ROWS * 20, {"name": "x", "seed": 3})
    made.save(path)
    whole, refusals = path.read_bytes(), []
    for _ in range(600):
        content = bytearray(whole)
        content[draw.randrange(len(content))] ^= draw.randrange(1, 256)
        path.write_bytes(content)
        try:
            loaded = Journal.load(path)
        except JournalError as error:
            refusals.append(str(error))
            continue
        assert (loaded, loaded.header) == (made, made.header)
    assert len(refusals) > 400
    assert all(str(path) in refusal for refusal in refusals)


@pytest.mark.parametrize("ending", [".jsonl", ".npz"])
def test_a_journal_edited_by_hand_is_told_from_one_that_was_not(tmp_path, ending):
    """Unchecked it is read and says so; an untouched one says nothing, nor does one without checksum."""
    path = tmp_path / f"journal{ending}"
    Journal.of(ROWS, {"name": "x"}).save(path)
    assert Journal.load(path).altered == ""
    if ending == ".jsonl":
        path.write_text(path.read_text().replace('"name": "x"', '"name": "y"'))
    else:
        with np.load(path) as archive:
            members = dict(archive)
        np.savez_compressed(path, **members | {"header": np.array(str(members["header"]).replace('"x"', '"y"'))})
    with pytest.raises(JournalError, match=r"edited by hand or is damaged.*--unchecked"):
        Journal.load(path)
    loaded = Journal.load(path, unchecked=True)
    assert (loaded.header, str(path) in loaded.altered) == ({"name": "y"}, True)
    old = tmp_path / "old.jsonl"
    old.write_text("".join(Journal.of(ROWS, {"name": "x"}).lines()))
    assert Journal.load(old).altered == ""


def test_what_has_no_end_is_no_journal(tmp_path):
    """A pipe, a device and an archive of zeros that unpacks to 256 MiB are refused at once."""
    os.mkfifo(tmp_path / "pipe.jsonl")
    for path in (tmp_path / "pipe.jsonl", Path("/dev/zero")):
        with pytest.raises(JournalError, match=r"cannot be read \(it is not a regular file\)"):
            Journal.load(path)
    archive(tmp_path / "bomb.npz", time_us=np.zeros(1 << 25, np.int64))
    with pytest.raises(JournalError, match="it unpacks to 256 MiB"):
        Journal.load(tmp_path / "bomb.npz")


# The auditor, by way of the journal.


@pytest.mark.parametrize("ending", [".jsonl", ".npz"])
def test_a_saved_journal_is_checked_by_its_own_settings(journal, workload, tmp_path, ending):
    """Tuples that became lists on the way are tuples again; with and without the calls nothing is found."""
    journal.save(tmp_path / f"journal{ending}")
    loaded = Journal.load(tmp_path / f"journal{ending}")
    assert loaded.settings == SCENARIO.settings
    assert isinstance(loaded.settings.slots, tuple)
    assert loaded.check() is None
    assert loaded.check(workload) is None


def test_a_finding_names_the_line_of_the_file(journal, workload, tmp_path):
    """The row found wrong stands in that line of the file."""
    rows = list(journal.facts())
    rows[99] = rows[99]._replace(slot=rows[99].slot + 1)
    Journal.of(rows, journal.header).save(tmp_path / "journal.jsonl")
    loaded = Journal.load(tmp_path / "journal.jsonl")
    for found in (loaded.check(), loaded.check(workload)):
        assert found.row == 99
        line = (tmp_path / "journal.jsonl").read_text().splitlines()[found.line - 1]
        assert json.loads(line)["slot"] == found.fact.slot == rows[99].slot


def test_other_settings_may_be_given(journal, workload):
    """A journal of six slots is none of five, and one without a header is checked by what is given."""
    five = SCENARIO.settings._replace(slots=(5,), choices=(c.CHOOSE_NEXT,))
    assert journal.check(settings=five) is not None
    bare = Journal(journal.columns)
    assert bare.check(workload, SCENARIO.settings) is None
    assert bare.replay(settings=SCENARIO.settings) == journal.replay()


def test_a_replay_goes_to_any_instant(journal):
    """At the end everybody is gone; in between as many are inside as have come and not gone."""
    assert journal.replay().inside == 0
    ends = {c.ENDED, c.LOST, c.ABANDONED}
    for until_us in journal.time_us[:: len(journal) // 20].tolist():
        state = journal.replay(until_us)
        kinds = journal.kind[journal.time_us <= until_us].tolist()
        assert state.inside == kinds.count(c.OFFERED) - sum(kind in ends for kind in kinds) == len(state.calls)


def test_a_replay_of_a_wrong_journal_is_refused(journal):
    """The message names the row."""
    rows = list(journal.facts())
    wrong = Journal.of([*rows[:50], rows[50]._replace(extension=77), *rows[51:]], journal.header)
    with pytest.raises(JournalError, match="the journal does not follow the rules: row 51: "):
        wrong.replay()


def test_calls_that_do_not_go_with_the_settings_are_refused(journal, workload):
    """Calls drawn for fewer parks cannot be compared, and the message says so."""
    with pytest.raises(
        JournalError, match="the journal cannot be checked: the workload has 3 parks a call, the settings 4"
    ):
        journal.check(workload, SCENARIO.settings._replace(max_parks=4))


PLAIN = from_json(HEADER["settings"])
WRONG_SETTINGS = {
    "none": (None, "the journal's header has no settings; give those it was made with"),
    "a list": ([1, 2], "has no settings"),
    "one left out": ({name: value for name, value in PLAIN.items() if name != "staff"}, "lack staff"),
    "a text": (PLAIN | {"attendants": "3"}, "have attendants = '3', which cannot be"),
    "true": (PLAIN | {"retries": True}, "have retries = True"),
    "a fraction": (PLAIN | {"ring_us": 1.5}, "have ring_us = 1.5"),
    "below unlimited": (PLAIN | {"staff": -2}, "have staff = -2"),
    "more than a journal counts": (PLAIN | {"attendants": 10**12}, "have attendants = 1000000000000"),
    "more slots than a journal counts": (PLAIN | {"slots": [32_768]}, "have slots = .32768."),
    "slots as a number": (PLAIN | {"slots": 6}, "have slots = 6"),
    "slots in words": (PLAIN | {"slots": ["6"]}, "have slots = .'6'."),
    "one number too much": (PLAIN | {"attempts": [1]}, "have attempts = .1."),
    "no lot": (PLAIN | {"slots": [], "choices": []}, "need a number of slots and a choice for each lot"),
    "on duty as a number": (PLAIN | {"counts": 3}, "have counts = 3, which cannot be"),
    "less than nobody on duty": (PLAIN | {"attendants": 3, "counts": [3, -1]}, "have counts = .3, -1., which cannot"),
    "more on duty than there are": (PLAIN | {"attendants": 3, "counts": [3, 4]}, "have counts = .3, 4., which cannot"),
    "never all on duty": (PLAIN | {"attendants": 3, "counts": [1, 2]}, "the greatest of which is attendants"),
    "nobody ever on duty": (PLAIN | {"attendants": 0, "counts": [0]}, "have counts = .0., which cannot be"),
    "more hours than a day has": (PLAIN | {"attendants": 3, "counts": [3] * 25}, "at most 24 numbers"),
    "an hour of nothing": (PLAIN | {"period_us": 0}, "have period_us = 0, less than 1"),
    "no choice": (PLAIN | {"slots": [6, 2]}, "need a number of slots and a choice for each lot"),
}


@pytest.mark.parametrize(("given", "message"), WRONG_SETTINGS.values(), ids=WRONG_SETTINGS)
def test_settings_that_are_none_are_refused(given, message):
    """A check and a replay say what is wrong with the header; nothing is guessed."""
    made = Journal.of(ROWS, {"settings": given})
    for ask in (made.check, made.replay):
        with pytest.raises(JournalError, match=message):
            ask()


def test_an_older_header_has_attendants_all_day():
    """Headers that were written before attendants had hours are read as they were meant."""
    older = {name: value for name, value in PLAIN.items() if name not in ("counts", "period_us")}
    assert Journal.of(ROWS, {"settings": older}).settings == SCENARIO.settings


def test_a_journal_of_years_is_checked_in_no_time():
    """Rows that are an age apart, with a change every microsecond: the rounds of changes between them are left out."""
    settings = PLAIN | {"attendants": 2, "counts": [1, 2, 0], "period_us": 1, "queue_limit": -1}
    age_us = 2**61 // 3 * 3
    rows = [
        (age_us, -1, 0, -1, -1, -1, c.OFFERED, 0),
        (age_us, -1, 0, -1, -1, 0, c.ANSWERED, 0),
        (2 * age_us, -1, 0, -1, -1, 0, c.ENDED, c.TALKED),
    ]
    made = Journal.of(rows, {"settings": settings})
    assert made.check() is None
    state = made.replay(2 * age_us + 2 * 10**18 + 2)
    assert [one.idle_since_us for one in state.attendants] == [state.time_us // 3 * 3, state.time_us // 3 * 3 + 1]
    wrong = made.check(settings=made.settings._replace(attendants=1, counts=(0, 1, 0)))
    assert wrong is not None
    assert wrong.row == 1


def test_further_settings_are_passed_over():
    """A header of a later version may say more."""
    made = Journal.of(ROWS, {"settings": PLAIN | {"music": "Für Elise"}})
    assert made.settings == SCENARIO.settings
