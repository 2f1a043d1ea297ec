"""The store: what is put comes back to the bit, what was changed on the disk is found out, one writes at a time."""

import math
import random
import sqlite3
import subprocess
import sys

import pytest

from parksim.errors import StoreError
from parksim.studies.store import Key, Store, canonical, parsed

RESULTS = {
    Key(digest * 64, seed, replication, "simpy", "0.1.0"): {
        "refused_share": 0.1 * replication + 1e-17,
        "recall_busy_share": math.nan,
        "occupancy_pmf": [0.1, 0.2, 0.7, math.nan],
    }
    for digest in "ab"
    for seed in (1, 2)
    for replication in range(5)
}


def written(path):
    """Write a small store and return its path."""
    with Store.open(path) as store:
        store.put(RESULTS)
    return path


def same(one, other):
    """Say whether two results are equal, nan equal to nan."""
    return canonical(one) == canonical(other)


def test_what_is_put_comes_back(tmp_path):
    """All twenty records come back with the same doubles, undefined ones as nan, and none is damaged."""
    with Store.open(written(tmp_path / "a.db"), read_only=True) as store:
        found = dict(store.records())
        assert list(store.results("a" * 64, 2, "simpy", "0.1.0")) == [0, 1, 2, 3, 4]
        assert store.results("a" * 64, 2, "kernel", "0.1.0") == {}
        assert store.verify() == []
    assert found.keys() == RESULTS.keys()
    assert all(same(found[key], RESULTS[key]) for key in RESULTS)


def test_canonical_text_is_read_back():
    """Canonical JSON is the same however the dictionary was filled, and reads back as the same doubles."""
    values = {"b": [1.0, math.nan, 0.1 + 0.2], "a": 5e-324}
    text = canonical(values)
    assert text == canonical(dict(reversed(values.items()))) == '{"a":5e-324,"b":[1.0,null,0.30000000000000004]}'
    assert canonical(parsed(text)) == text


def test_any_changed_byte_of_a_row_is_found(tmp_path):
    """Of 400 single-byte changes in random columns of random rows (seed 1) every one is reported, and it alone."""
    path = written(tmp_path / "a.db")
    draw = random.Random(1)
    columns = ("scenario", "engine", "version", "measures", "checksum", "seed", "replication")
    for _ in range(400):
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA synchronous = OFF")
        rows = connection.execute("SELECT * FROM records").fetchall()
        row, column = draw.choice(rows), draw.choice(columns)
        old = row[("scenario", "seed", "replication", "engine", "version", "measures", "checksum").index(column)]
        if isinstance(old, str):
            raw = bytearray(old.encode())
            raw[draw.randrange(len(raw))] ^= draw.randrange(1, 256)
            new, cast = bytes(raw), "CAST(? AS TEXT)"
        else:
            new, cast = old ^ 1 << draw.randrange(3, 30), "?"
        where = "scenario = ? AND seed = ? AND replication = ?"
        connection.execute("BEGIN")
        connection.execute(f"UPDATE records SET {column} = {cast} WHERE {where}", (new, *row[:3]))
        connection.execute("COMMIT")
        with Store.open(path, read_only=True) as store:
            found = dict(store.records())
            assert len(store.damaged) == 1, (column, old, new)
            assert store.verify() == store.damaged
        assert len(found) == len(RESULTS) - 1
        assert all(same(result, RESULTS[key]) for key, result in found.items())
        connection.execute("BEGIN")
        connection.execute("DELETE FROM records")
        connection.executemany("INSERT INTO records VALUES (?,?,?,?,?,?,?)", rows)
        connection.execute("COMMIT")
        connection.close()


def test_any_changed_byte_of_the_file_is_found_or_harmless(tmp_path):
    """After any of 400 single-byte changes of the file (seed 2) no record is read that was not written."""
    path = written(tmp_path / "a.db")
    whole = path.read_bytes()
    draw = random.Random(2)
    refused = reported = read = 0
    for _ in range(400):
        raw = bytearray(whole)
        raw[draw.randrange(len(raw))] ^= draw.randrange(1, 256)
        path.write_bytes(raw)
        for ending in ("-wal", "-shm"):
            path.with_name(path.name + ending).unlink(missing_ok=True)
        try:
            with Store.open(path) as store:
                for key, result in store.records():
                    assert same(result, RESULTS[key])
                reported += bool(store.damaged)
        except StoreError as error:
            refused += str(path) in str(error)
        else:
            read += 1
    assert refused + read == 400
    assert min(refused, reported) > 10


def test_a_second_writer_is_told_who_writes(tmp_path):
    """A second writer, here and in another process, is refused with the holder's number; readers are not."""
    with Store.open(tmp_path / "a.db") as store:
        with pytest.raises(StoreError, match=r"a\.db: process \d+ on .* is writing it; wait"):
            Store.open(tmp_path / "a.db")
        program = "import sys; from parksim.studies.store import Store; Store.open(sys.argv[1])"
        second = subprocess.run(
            [sys.executable, "-c", program, tmp_path / "a.db"], capture_output=True, text=True, check=False
        )
        assert second.returncode == 1
        assert "is writing it; wait until that ends" in second.stderr
        store.put(RESULTS)
        with Store.open(tmp_path / "a.db", read_only=True) as reader:
            assert len(dict(reader.records())) == len(RESULTS)
    Store.open(tmp_path / "a.db").close()


def test_what_is_no_store_is_refused(tmp_path):
    """A newer schema, another program's database, a text, a missing file and a missing folder are refused in words."""
    path = written(tmp_path / "a.db")
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 2")
    connection.close()
    with pytest.raises(StoreError, match="schema 2, written by a newer parksim, and this one knows 1; update"):
        Store.open(path)
    other = sqlite3.connect(tmp_path / "b.db")
    other.execute("CREATE TABLE t (x)")
    other.close()
    with pytest.raises(StoreError, match=r"b\.db: is a database, but not a store of parksim; name another file"):
        Store.open(tmp_path / "b.db")
    (tmp_path / "c.db").write_text("name = 'a scenario'\n" * 100)
    with pytest.raises(StoreError, match=r"c\.db: is not a store of parksim"):
        Store.open(tmp_path / "c.db")
    with pytest.raises(StoreError, match=r"d\.db: there is no such file"):
        Store.open(tmp_path / "d.db", read_only=True)
    with pytest.raises(StoreError, match="there is no folder"):
        Store.open(tmp_path / "e" / "d.db")


@pytest.mark.parametrize(("pragma", "words"), [("max_page_count = 1", "disk is full"), ("query_only = 1", "cannot be")])
def test_what_cannot_be_written_is_told_and_what_was_stays(tmp_path, pragma, words):
    """On a full disk and in a file that may not be written, putting raises StoreError and changes nothing."""
    big = {key._replace(engine="kernel"): result | {"pad": [0.5] * 2000} for key, result in RESULTS.items()}
    with Store.open(written(tmp_path / "a.db")) as store:
        store._connection.execute(f"PRAGMA {pragma}")
        with pytest.raises(StoreError, match=rf"a\.db: .*{words}"):
            store.put(big)
    with Store.open(tmp_path / "a.db", read_only=True) as store:
        assert dict(store.records()).keys() == RESULTS.keys()
