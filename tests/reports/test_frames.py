"""Results as tables: pandas, polars and DuckDB read a result's very numbers, and exports hold them to the last bit."""

import csv
import io
import json
import subprocess
import sys

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import parksim
from parksim.catalogue import SCALARS
from parksim.results import FORMULA_STARTS, MissingLibraryError, Names, Table, html_table, to_csv

SCENARIO = parksim.Scenario.load("scenarios/lot-only.toml").with_values({"run.horizon": "1h", "run.warm_up": "10m"})


@pytest.fixture(scope="module")
def study():
    """Four replications of an hour."""
    return parksim.study(SCENARIO, replications=4, engine="simpy")


@pytest.fixture(scope="module")
def run():
    """One replication of an hour."""
    return parksim.run(SCENARIO)


@pytest.fixture(scope="module")
def swept():
    """Three designs."""
    return parksim.sweep(SCENARIO, {"lot.slots": [4, 5], "lot.choice": ["lowest"]}, 3, engine="simpy")


def numbers(result):
    """Return the columns of a result that hold numbers."""
    return {name: column for name, column in result.table.columns.items() if not isinstance(column, Names)}


def address(array):
    """Return where an array's first number is."""
    return array.__array_interface__["data"][0]


@pytest.mark.parametrize("which", ["study", "run", "swept"])
def test_nothing_is_copied(which, request):
    """Every column of numbers has the address of the result's own in pandas, in Arrow and in polars."""
    result = request.getfixturevalue(which)
    frame, arrow, polars = result.to_pandas(), result.to_arrow(), pl.DataFrame(result)
    assert len(frame) == len(polars) == arrow.num_rows == len(result.table) > 0
    assert len(numbers(result)) > 4
    for name, column in numbers(result).items():
        assert address(frame[name].to_numpy()) == address(column), name
        assert arrow[name].chunk(0).buffers()[1].address == address(column), name
        assert address(polars[name].to_numpy(allow_copy=False)) == address(column), name


def test_duckdb_reads_a_result_directly(study, run):
    """A query over a Python variable gives the sums that NumPy gives."""
    result = study
    (sums,) = duckdb.sql("select count(*), sum(parks_made) from result").fetchall()
    assert sums == (4, sum(one["parks_made"] for one in study.results))
    facts = run
    parked = duckdb.sql("select count(*) from facts where kind = 'PARKED'").fetchall()
    assert parked == [(int((run.journal.kind == 3).sum()),)]
    assert facts is run
    assert result is study


def test_a_study_is_one_row_a_replication(study):
    """Each scalar of each replication, to the last bit."""
    frame = study.to_pandas()
    assert list(frame) == ["replication", *SCALARS]
    for name in SCALARS:
        np.testing.assert_array_equal(frame[name], [one[name] for one in study.results])


def test_a_run_is_one_row_a_fact(run):
    """The journal's columns with words for kinds and reasons; a journal alone has the same table."""
    frame = run.to_pandas()
    lines = list(run.journal.lines())[1:]
    assert frame["kind"].tolist() == [json.loads(line)["kind"] for line in lines]
    assert frame["reason"].dtype == "category"
    pd.testing.assert_frame_equal(frame, run.journal.to_pandas())


def test_a_sweep_is_one_row_a_design(swept):
    """The values, the intervals and the verdicts of ``flat``."""
    rows = swept.to_arrow().to_pylist()
    flat = swept.flat()
    assert len(rows) == 2
    for row, one in zip(rows, flat, strict=True):
        told = {name: None if isinstance(cell, float) and np.isnan(cell) else cell for name, cell in row.items()}
        assert told == one


def test_exports_hold_every_bit(tmp_path, study):
    """CSV and Parquet give the numbers back; another ending is refused."""
    study.table.save(tmp_path / "s.parquet")
    back = pq.read_table(tmp_path / "s.parquet")
    for name, column in numbers(study).items():
        assert back[name].to_numpy().tobytes() == column.tobytes(), name
    study.table.save(tmp_path / "s.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "s.csv").read_text(encoding="utf-8"))))
    assert [float(row["occupancy_mean"]) for row in rows] == [one["occupancy_mean"] for one in study.results]
    with pytest.raises(ValueError, match=r"\.csv or \.parquet, not '\.xlsx'"):
        study.table.save(tmp_path / "s.xlsx")


def test_a_cell_is_no_formula():
    """What a spreadsheet would compute is made text, in names and values; numbers stay numbers."""
    for start in FORMULA_STARTS:
        (line,) = list(csv.reader(io.StringIO(to_csv([start + "name"], []), newline="")))
        assert line == ["'" + start + "name"]
    table = Table({"who": Names(np.array([0]), ("=1+1",)), "x": np.array([-1.5])})
    assert table.to_csv() == "who,x\r\n'=1+1,-1.5\r\n"


def test_html_is_inert(run, study, swept):
    """Scenario, run, study and sweep show themselves; a name made of markup is text."""
    evil = '<img src=x onerror="alert(1)">'
    scenario = SCENARIO.with_values({"name": evil})
    shown = scenario._repr_html_()
    assert "<img" not in shown
    assert "&lt;img src=x" in shown
    assert "lot.slots" in shown
    again = parksim.study(scenario, replications=2, engine="simpy")._repr_html_()
    assert "<img" not in again
    assert "refused_share" in again
    for result in (run, study, swept):
        assert result._repr_html_().startswith("<table>")
    assert html_table("", [], [[float("nan"), 0.1234567, None]]).count("<td>-</td>") == 2


def test_a_table_is_rectangular():
    """Columns of two lengths are refused; what has no table says so."""
    with pytest.raises(ValueError, match="one length"):
        Table({"a": np.zeros(2), "b": np.zeros(3)})
    assert repr(Table({"a": np.zeros(2)})) == "<Table of 2 rows: a>"
    assert len(Table({})) == 0
    with pytest.raises(TypeError, match="int has no table"):
        parksim.reports.tables.table_of(3)


def test_undefined_is_empty_everywhere():
    """A nan is an empty cell in CSV, None as a row, a dash in HTML, and stays nan in the frames."""
    table = Table({"x": np.array([np.nan, 1.0])})
    assert table.to_csv() == "x\r\n\r\n1.0\r\n" or table.to_csv() == 'x\r\n""\r\n1.0\r\n'
    assert list(table.rows()) == [(None,), (1.0,)]
    assert np.isnan(table.to_pandas()["x"][0])
    assert isinstance(table.to_arrow(), pa.Table)


def test_a_missing_library_is_named():
    """Without pandas or pyarrow the message names the extra; nothing else of parksim needs them."""
    script = (
        "import sys; sys.modules['pandas'] = sys.modules['pyarrow'] = None\n"
        "import numpy as np; from parksim.results import MissingLibraryError, Table\n"
        "for work in (Table({'a': np.zeros(1)}).to_pandas, Table({'a': np.zeros(1)}).to_arrow):\n"
        "    try: work()\n"
        "    except MissingLibraryError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "pandas is not installed; install it with: pip install 'parksim[notebook]'",
        "pyarrow is not installed; install it with: pip install 'parksim[notebook]'",
    ]
    assert issubclass(MissingLibraryError, ImportError)
