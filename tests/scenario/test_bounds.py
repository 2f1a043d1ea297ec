"""What a scenario, its files and its names may hold: refused at the door, with the bound and the key."""

import os
import threading

import pytest
from cases_of_wrong_scenarios import RIGHT

from parksim.errors import ScenarioError, UnfitError
from parksim.scenario import messages, reading, recordings
from parksim.scenario.model import MOST_SLOTS, Scenario


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"lot.slots": 10_000, "run.horizon": 1e9, "arrivals.rate": "0.0005/s"}, "lot.slots = 10000"),
        ({"attendants.count": 10_000, "run.horizon": 1e9, "arrivals.rate": "0.0005/s"}, "attendants.count = 10000"),
        ({"recall.ring": 1e9, "recall.attempts": 1000, "recall.never": 1}, "recall.ring = 1000000000.0"),
        ({"attendants.handling": 1e8, "arrivals.rate": "10/s"}, "attendants.handling = 100000000.0"),
    ],
)
def test_times_beyond_64_bits(values, key):
    """An instant or a sum of times that may pass 2^62 microseconds is refused at its key."""
    with pytest.raises(ScenarioError, match=r"2\^62 us") as caught:
        Scenario.loads(RIGHT).with_values(values)
    assert key in str(caught.value)


def test_real_scenarios_are_far_below():
    """A year of a large switchboard at which calls wait and return is no question of 64 bits."""
    values = {"run.horizon": "365d", "arrivals.rate": "2000/h", "attendants.count": 60, "lot.slots": 200}
    assert Scenario.loads(RIGHT).with_values(values | {"recall.attempts": 5, "parking.max_parks": 3}).lots


def test_slots_of_all_lots_together():
    """A hundred lots of 10,000 slots are refused: each slot has figures of its own."""
    lots = "".join(f'[[lot]]\nname = "l{number}"\nslots = 10000\n' for number in range(100))
    text = RIGHT.replace('[lot]\nslots = 6\nmax_in_parking = "180s"\n', lots)
    with pytest.raises(ScenarioError, match=rf"1,000,000 slots, more than {MOST_SLOTS:,}"):
        Scenario.loads(text)


@pytest.mark.parametrize(
    ("key", "value", "rule"),
    [
        ("retrieval.delay", {"kind": "lognormal", "mean": 60, "cv": 1e160}, "at most 1e\\+06"),
        ("retrieval.delay", {"kind": "lognormal", "median": 60, "sigma": 1e155}, "at most 1e\\+06"),
        ("uapi.epoch", "9999-12-31T23:59:59-14:00", "years 1900 to 9000"),
        ("uapi.epoch", "0001-01-01T00:00:00+14:00", "years 1900 to 9000"),
    ],
)
def test_far_values(key, value, rule):
    """Spreads whose square is no number, and epochs at the ends of the calendar, are refused."""
    with pytest.raises(ScenarioError, match=rule):
        Scenario.loads(RIGHT).with_values({key: value})


@pytest.mark.parametrize("table", ["", "[caller]\n", "[uapi.users]\n", "[objectives]\n"])
def test_many_wrong_keys(table):
    """Thousands of wrong keys are counted, the first ten are told, and only few are looked up."""
    keys = "".join(f"k{number} = 1\n" for number in range(3_000))
    rest = RIGHT[RIGHT.index("[run]") :].partition("[caller]")[0]
    text = f'{keys}name = "x"\n{rest}' if not table else f'name = "x"\n{rest}{table}{keys}'
    with pytest.raises(ScenarioError) as caught:
        Scenario.loads(text)
    assert len(str(caught.value).splitlines()) <= 11
    assert max(map(len, str(caught.value).splitlines())) <= 500


def test_more_values_than_a_scenario_has():
    """A list too long to be refused one by one is refused as a whole."""
    with pytest.raises(ScenarioError, match="more than 100,000; put long lists into a file"):
        Scenario.loads(f"x = [{'1,' * messages.MOST_VALUES}]")


@pytest.mark.parametrize(
    ("cells", "rule"),
    [
        (["1e999999", "2"], "is out of range"),
        (["9" * 400], "is out of range"),
        (["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"], "spans 3652059 days"),
    ],
)
def test_far_instants(cells, rule):
    """Numbers beyond 64 bits or Decimal's range, and dates far apart, are refused with their file."""
    table = recordings.Table("calls.csv", "", tuple(enumerate(cells, 2)))
    with pytest.raises(UnfitError, match=rule):
        recordings.instants(table)


@pytest.mark.parametrize("cell", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_ends_of_the_calendar(cell):
    """A date at an end of the calendar is an instant like any other, also where its time in UTC has no date."""
    assert recordings.instants(recordings.Table("calls.csv", "", ((2, cell),))).days == 1


def test_column_of_too_many_values(tmp_path, monkeypatch):
    """A column ends at its bound, before all of it is in memory."""
    monkeypatch.setattr(recordings, "MOST_VALUES", 3)
    (tmp_path / "calls.csv").write_text("1\n2\n3\n4\n")
    with pytest.raises(UnfitError, match="more than 3 values"):
        recordings.read_column(tmp_path / "calls.csv", None)


def test_pipes(tmp_path, monkeypatch):
    """A pipe is read while somebody writes, up to its bound; one into which nobody writes is not waited for."""
    monkeypatch.setattr(reading, "PIPE_WAITS_S", 0.2)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(UnfitError, match="nobody has written"):
        reading.read(pipe, 10)
    monkeypatch.setattr(reading, "PIPE_WAITS_S", 10.0)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"0123456789",))
    writer.start()
    assert reading.read(pipe, 10) == b"0123456789"
    writer.join()


def test_devices_and_large_files(tmp_path):
    """A device is refused before it is read, a file by its size."""
    with pytest.raises(UnfitError, match="is not a regular file"):
        reading.read(reading.Path("/dev/zero"), 10)
    with (tmp_path / "large").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(UnfitError, match="is larger than 1 MiB"):
        reading.read(tmp_path / "large", reading.MIB)
