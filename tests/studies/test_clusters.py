"""A Dask cluster on loopback: the same rows as at home, also when a worker is killed; and what is told without one."""

import os
import signal
import socket
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from parksim.cli.main import main
from parksim.cli.options import BAD_INPUT, DONE, NOT_FINISHED
from parksim.errors import StudyError
from parksim.scenario.model import Scenario
from parksim.studies.clusters import cluster_at
from parksim.studies.store import Store
from parksim.studies.sweep import sweep

distributed = pytest.importorskip("distributed", reason="needs the extra cluster")
LOT = Path(__file__).parents[2] / "scenarios" / "lot-only.toml"
OVER = {"lot.slots": range(4, 7), "lot.max_in_parking": ("60s", "120s")}
COMMAND = ("--set", "run.horizon=2h", "--over", "lot.slots=4..6", "--over", "lot.max_in_parking=60s,120s")


@pytest.fixture(scope="module")
def cluster():
    """Start two workers of one thread each, on loopback."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0"
    ) as made:
        yield made


def swept(**options):
    """Sweep six designs, five replications each, and return the rows as text."""
    scenario = Scenario.load(LOT).with_values({"run.horizon": "2h"})
    return str(sweep(scenario, OVER, 5, engine="simpy", **options).flat())


def test_three_executors_give_identical_rows(cluster):
    """This process, a pool of two and a cluster: equal to the last digit."""
    with cluster_at(cluster.scheduler_address) as (executor, at_once):
        assert at_once == 2
        there = swept(executor=executor, workers=at_once)
    assert there == swept() == swept(executor="processes", workers=2)


def test_a_clusters_worker_that_is_killed_loses_nothing(cluster, tmp_path):
    """One of the two workers is killed after the first results: the others' rows are as ever, each stored once."""
    killed = []

    def kill(_done, _to_do):
        if not killed:
            killed.append(next(iter(cluster.workers.values())).pid)
            os.kill(killed[0], signal.SIGKILL)

    with cluster_at(cluster.scheduler_address) as (executor, at_once):
        there = swept(executor=executor, workers=at_once, store=tmp_path / "a.db", progress=kill)
    assert killed
    assert there == swept()
    with Store.open(tmp_path / "a.db") as store:
        assert len(dict(store.records())) == 30
        assert store.verify() == []


def test_the_command_runs_on_a_cluster(cluster, capsys, tmp_path):
    """``--cluster`` writes the same CSV as without; with ``--workers`` it is refused."""
    files = []
    for number, options in enumerate([(), ("--cluster", cluster.scheduler_address)]):
        path = tmp_path / f"{number}.csv"
        assert main(["sweep", str(LOT), *COMMAND, "--replications", "2", "--csv", str(path), *options]) == DONE
        files.append(path.read_bytes())
    assert files[0] == files[1]
    capsys.readouterr()
    assert main(["sweep", str(LOT), *COMMAND, "--cluster", cluster.scheduler_address, "--workers", "2"]) == BAD_INPUT
    assert "--workers and --cluster exclude each other" in capsys.readouterr().err


def test_run_takes_a_cluster(cluster, capsys):
    """``run --cluster`` prints the bytes that it prints without."""
    outputs = []
    for options in ((), ("--cluster", cluster.scheduler_address)):
        assert main(["run", str(LOT), "--set", "run.horizon=2h", "--replications", "7", "--json", *options]) == DONE
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1]


def test_nobody_at_the_address_is_told_at_once(capsys, monkeypatch):
    """A port where nobody listens: exit code 4 and one line, before Dask begins to wait; no address: exit code 2."""
    monkeypatch.setattr(distributed, "Client", lambda *_, **__: pytest.fail("somebody is waited for"))
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
    code = main(["sweep", str(LOT), *COMMAND, "--cluster", address])
    told = f"parksim: could not finish: {address}: no Dask scheduler answers there; start one, or leave --cluster out\n"
    assert (code, *capsys.readouterr()) == (NOT_FINISHED, "", told)
    for wrong in ("127.0.0.1:8786", "tcp://", "tcp://127.0.0.1", "tcp://x:y", "http://127.0.0.1:80"):
        assert main(["sweep", str(LOT), *COMMAND, "--cluster", wrong]) == BAD_INPUT
        assert f"{wrong}: write a scheduler's address" in capsys.readouterr().err


def test_workers_of_other_code_are_refused(cluster, monkeypatch):
    """A cluster whose code differs from that at home is not used: its rows might differ, too."""
    monkeypatch.setattr("parksim.studies.clusters.made_by", partial(made_elsewhere, os.getpid()))
    with (
        pytest.raises(StudyError, match=r"worker tcp://.* runs other code, which may give other results: there, here"),
        cluster_at(cluster.scheduler_address),
    ):
        pytest.fail("the cluster was used")


def made_elsewhere(home, _engine):
    """Say "here" in this process and "there" in any other."""
    return "here" if os.getpid() == home else "there"


def test_a_cluster_without_workers_is_refused():
    """A scheduler alone is not waited for."""
    with (
        distributed.LocalCluster(n_workers=0, host="127.0.0.1", dashboard_address="127.0.0.1:0") as empty,
        pytest.raises(StudyError, match="the cluster has no workers; start some"),
        cluster_at(empty.scheduler_address),
    ):
        pytest.fail("the cluster was used")
