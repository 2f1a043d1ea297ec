"""``parksim serve`` as a process, with nothing in anybody's stead: README's lines, a client, clocks, faults, kills."""

import json
import re
import shutil
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import httpx
import pytest
from desk_stand import write_register
from server_process import serving
from server_stand import CALL
from uapi_client import UapiClient, UapiError

from parksim import Scenario
from parksim.server.desk import Desk

S = 1_000_000
ROOT = Path(__file__).parents[2]
PARKSIM = ("-m", "parksim")
HOSPITAL = ROOT / "scenarios/hospital.toml"
TOKEN = "secret-of-mine-0123"
QUIET = "--port", "0", "--no-traffic"
USERS = ("--set", 'uapi.users={"12" = ["0003*210", "0003*211"], "33" = ["0003*024"]}', "--set", "lot.first=1")


@contextmanager
def serve(*options, program=PARKSIM):
    """Serve the hospital to user 12."""
    with serving(program, HOSPITAL, *options, PARKSIM_TOKENS=f"{TOKEN} 12") as served:
        yield served


@contextmanager
def serving_calls(*options):
    """Serve without traffic on a free port; give the process and a client."""
    with serve(*QUIET, *options) as served, UapiClient(f"http://127.0.0.1:{served.port}", TOKEN) as client:
        yield served, client


def picture_of(served):
    """Return what the board shows now; it is opened by its printed link."""
    link = re.search(r"^Board: (\S+)$", served.text, re.MULTILINE)[1]
    with httpx.Client(trust_env=False, verify=False) as browser:
        assert browser.get(link).status_code == 303
        with browser.stream("GET", f"http://127.0.0.1:{served.port}/board/events") as stream:
            return next(json.loads(line[6:]) for line in stream.iter_lines() if line.startswith("data: "))


def view_of(listed):
    """Return the only view of the only call."""
    [entry] = listed["entry"]
    [view] = entry["phoneCallView"]
    return view


# ------------------------------------------------------------------------------------------------------- README


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_curl_lines_of_readme(tmp_path):
    """README's lines, as printed but for the port: made, parked at a position, shown there, come back."""
    readme = (ROOT / "parksim/server/README.md").read_text(encoding="utf-8")
    [lines] = re.findall(r"```sh\n(BASE=.*?)```", readme, re.DOTALL)
    assert 'PARKSIM_TOKENS="secret-of-mine 12"' in readme
    assert "parksim serve scenarios/hospital.toml --rate 60\n" in readme
    journal = tmp_path / "session"
    with serving(
        PARKSIM, HOSPITAL, "--rate", "60", "--port", "0", "--journal", journal, PARKSIM_TOKENS="secret-of-mine 12"
    ) as served:
        script = lines.replace("127.0.0.1:8080", f"127.0.0.1:{served.port}")
        attempt, shown = 0, {}
        while "parked" not in shown and attempt < 3:  # where half a second passes between two lines it is too late
            attempt += 1
            done = subprocess.run(["sh", "-e", "-c", script], capture_output=True, text=True, timeout=30, check=True)
            assert done.stderr == ""
            answers = re.split(r"(?<=\})(?=\{\"entry)", done.stdout)
            parked, shown, returned = (view_of(json.loads(answer)) for answer in answers)
    assert (parked["status"], parked["parkedBy"]) == ("5", "0003*201")
    assert parked["parkedPos"] in {"701", "702", "703", "704"}  # beside the simulated calls
    assert (shown["parkedPos"], shown["parked"]) == (parked["parkedPos"], parked["parked"])
    assert returned["status"] == "4"
    assert not {"parked", "parkedPos"} & set(returned)
    kept = [json.loads(line) for line in journal.read_text().splitlines()]
    assert [line["method"] for line in kept if "method" in line] == ["POST", "PUT"] * attempt


# ----------------------------------------------------------------------------------------------------- a client


def test_a_client_that_follows_the_vendors_requests():
    """List, create, park with a number and with the default, un-park, hold, hang up; refusals in its words."""
    with serving_calls(*USERS) as (served, client):
        assert client.list()["totalResults"] == 0
        call = client.create("0003*210", "3235742879")
        other = client.create("0003*211", "3235742880")
        found = client.list("0003*210", count=5, filterBy="id", filterOp="equals", filterValue=call,
                            fields="id,extension", sortOrder="descending")  # fmt: skip
        assert found["entry"] == [{"id": call, "extension": "0003*210"}]
        assert (found["itemsPerPage"], found["filtered"], found["sorted"]) == (5, True, True)
        assert client.list()["totalResults"] == 2

        parked = view_of(client.park(call, "0003*210", 30))
        assert (parked["parkedPos"], parked["parkedBy"]) == ("1", "0003*210")
        assert view_of(client.park(other))["parkedPos"] == "2"
        assert view_of(client.park(call, "0003*210", 30)) == parked

        fetched = view_of(client.unpark(call, "0003*211", "0003*210"))
        assert fetched["parkedPos"] == "1"  # until its telephone is answered, which takes no time here
        assert "parkedPos" not in view_of(client.list("0003*210"))
        held = view_of(client.act("OnHold", call, "0003*210"))
        assert "onHold" in held
        assert "onHold" not in view_of(client.act("OffHold", call, "0003*210"))
        assert client.hang_up(call, "0003*210", "3235742879") == [call]
        assert client.hang_up(other) == [other]
        assert client.list()["totalResults"] == 0

        for give, status, code in (
            (lambda: client.park(call, "0003*210"), 400, "pc_phonecall_invalid"),
            (lambda: client.park(call, "0003*999"), 400, "extension_invalid"),
            (lambda: client.list(user="33"), 400, "user_invalid"),
            (lambda: client.act("Monitor", call, "0003*210"), 400, "pc_phonecall_invalid"),
            (lambda: client.park(client.create("0003*210", "1"), stay_s=9), 400, "pc_parktimeout_invalid"),
            (lambda: client.act("Monitor", client.create("0003*210", "2")), 501, "request_not_implemented"),
        ):
            with pytest.raises(UapiError) as refused:
                give()
            assert (refused.value.status, refused.value.code) == (status, code)
        with (
            UapiClient(f"http://127.0.0.1:{served.port}", "of-nobody-0123") as nobody,
            pytest.raises(UapiError, match="401 access_denied"),
        ):
            nobody.list()


def test_a_client_hears_of_its_calls_and_need_not_ask():
    """Create, park, time-out, pick up, park, transfer, hang up: each is told by the stream with the call as listed."""
    with serving_calls(*USERS, "--rate", "60") as (_, client), client.events() as heard:
        assert next(heard)[1:] == ("", None)
        call = client.create("0003*210", "3235742879")
        assert [next(heard)[1] for _ in range(2)] == ["offered", "answered"]
        client.park(call, stay_s=30)
        parked = next(heard)
        assert parked[1] == "parked"
        [parked_view] = parked[2]["phoneCall"]["phoneCallView"]
        assert (parked_view["parkedPos"], parked_view["parkedBy"]) == ("1", "0003*210")
        assert [next(heard)[1] for _ in range(2)] == ["expired", "recall_ringing"]
        assert view_of(client.pick_up(call, "0003*211"))["status"] == "4"
        assert [next(heard)[1] for _ in range(2)] == ["recall_unanswered", "retrieved"]
        assert view_of(client.list())["source"] == ["0003*211"]
        client.park(call, stay_s=3600)
        assert next(heard)[2]["extension"] == "0003*211"
        moved = view_of(client.transfer(call, "0003*210"))
        assert next(heard)[2]["phoneCall"]["phoneCallView"] == [moved]
        assert client.hang_up(call) == [call]
        last = next(heard)
        assert last[1] == "ended"
        with client.events(last=parked[0]) as again:  # as after a break
            assert next(again)[0] == parked[0]
            assert [next(again)[1] for _ in range(2)] == ["expired", "recall_ringing"]
        with client.events("0003*210", last=parked[0] - 1) as again:
            assert [next(again) for _ in range(2)][1] == parked


def test_a_register_file_and_answers_that_are_accepted(tmp_path):
    """--register gives the vectors' start, --answer accepted its 202; what was parked is there on the next List."""
    register = write_register(tmp_path / "calls.json", taken=2)
    with serving_calls(*USERS, "--register", register, "--answer", "accepted") as (served, client):
        [accepted] = client.park(CALL, "0003*210", "30")
        assert (accepted["id"], accepted["extension"]) == (CALL, "0003*210")
        assert accepted["link"]["self"] == f"http://127.0.0.1:{served.port}/uapi/phoneCalls/12/0003*210/{CALL}"
        assert view_of(client.list("0003*210"))["parkedPos"] == "3"


# ------------------------------------------------------------------------------------------------------- clocks


def test_thirty_seconds_are_half_a_second_at_sixty_times(tmp_path):
    """At --rate 60 a stay of 30 s is over after 0.5 s, not earlier; List, the board and the journal say the same."""
    options = (*USERS, "--rate", "60", "--journal", tmp_path / "session")
    with serving_calls(*options) as (served, client):
        call = client.create("0003*210", "3235742879")
        before_s = time.monotonic()
        parked = view_of(client.park(call, stay_s=30))
        after_s = time.monotonic()
        while "parkedPos" in view_of(client.list()):
            assert time.monotonic() - after_s < 3  # half a second, and whatever else the machine does
            time.sleep(0.005)
        assert time.monotonic() - before_s >= 0.5
        seen = view_of(client.list())
        assert seen["status"] == "4"
        ringing = datetime.fromisoformat(seen["ringing"])
        assert ringing - datetime.fromisoformat(parked["parked"]) == timedelta(seconds=30)
        picture = picture_of(served)
        [back] = picture["returns"]
        assert (back["call"], back["parker"], back["ringing"]) == (call, "0003*210", True)
        assert datetime.fromisoformat(picture["epoch"]) + timedelta(seconds=back["since_us"] // S) == ringing
        assert picture["counters"]["expired"] == 1
        assert not any(picture["lots"][0]["slots"])
    with serving_calls(*options) as (_, client):
        assert view_of(client.list()) == seen  # it rings since the same instant


# ------------------------------------------------------------------------------------------------------- faults


BROKEN_PARK = """
import sys
from parksim.cli.main import main
from parksim.engines import commanded

def broken(*_):
    raise ZeroDivisionError("planted")

commanded._WORK[commanded.PARK] = broken
sys.exit(main())
"""
BROKEN_CLOCK = """
import asyncio
import sys
from parksim.cli.main import main
from parksim.engines.clocks import RealClock

async def broken(*_):
    await asyncio.sleep(1)
    raise ZeroDivisionError("planted")

RealClock.wait = broken
sys.exit(main())
"""


def test_a_model_that_fails_ends_the_server(tmp_path):
    """A fault in a command: 500 for it, exit code 4 and why; started again it says which line, or, mended, goes on."""
    journal = tmp_path / "session"
    with serve(*QUIET, *USERS, "--journal", journal, program=("-c", BROKEN_PARK)) as served:
        with UapiClient(f"http://127.0.0.1:{served.port}", TOKEN) as client:
            call = client.create("0003*210", "3235742879")
            with pytest.raises(UapiError, match="500 internal_server_error"):
                client.park(call)
        out, err = served.process.communicate(timeout=20)
    assert (served.process.returncode, out) == (4, "")
    assert err.splitlines()[-1] == (
        "parksim: could not finish: the switchboard has failed (ZeroDivisionError: planted), which is a fault of "
        f"parksim; the same command resumes with the calls in {journal}"
    )
    assert "in broken" in err  # where it happened, for whoever mends it
    assert TOKEN not in err
    options = ("serve", HOSPITAL, *QUIET, *USERS, "--journal", journal)
    again = subprocess.run(
        [sys.executable, "-c", BROKEN_PARK, *map(str, options)], capture_output=True, text=True, timeout=60, check=False
    )
    assert again.returncode == 4
    assert re.search(r"session, line [0-9]+: cannot be done again \(planted\); name another --session", again.stderr)
    assert "Traceback" not in again.stderr
    with serving_calls(*USERS, "--journal", journal) as (_, client):  # mended, it goes on
        assert view_of(client.list())["parkedPos"] == "1"


def test_a_clock_that_fails_ends_the_server():
    """A fault between requests ends the server by itself, with exit code 4, though somebody watches the board."""
    with serve(*QUIET, program=("-c", BROKEN_CLOCK)) as served:
        link = re.search(r"^Board: (\S+)$", served.text, re.MULTILINE)[1]
        with httpx.Client(trust_env=False, verify=False) as browser:
            browser.get(link)
            with browser.stream("GET", f"http://127.0.0.1:{served.port}/board/events", timeout=30) as stream:
                assert any(line.startswith("data: ") for line in stream.iter_lines())
        out, err = served.process.communicate(timeout=20)
    assert (served.process.returncode, out) == (4, "")
    assert "the switchboard has failed (ZeroDivisionError: planted)" in err.splitlines()[-1]


# -------------------------------------------------------------------------------------------------------- kills


def parks_until_it_is_killed(port, seed, acknowledged):
    """Make calls and park them for an hour until nobody answers; keep position and instant of what is acknowledged."""
    with UapiClient(f"http://127.0.0.1:{port}", TOKEN) as client:
        try:
            for number in range(1_000):
                call = client.create("0003*210", str(1_000 * seed + number))
                view = view_of(client.park(call, "0003*210", 3600))
                acknowledged[call] = (int(view["parkedPos"]), view["parked"])
        except httpx.HTTPError:
            pass  # it is killed


@pytest.mark.slow
def test_a_server_killed_at_fifty_moments_loses_nothing(tmp_path):
    """SIGKILL of one session's server at 50 random moments while four clients park beside traffic. Seed 52.

    Each time it is started again, and then every park that any client was told of is there, over HTTP at its position,
    parked when it was; and in the file's desk with its deadline, at one position. A moment is a number of parks
    further on and up to 20 ms more, so that it falls anywhere in the life of a request, on machines of any speed.
    """
    rng = Random(52)
    journal = tmp_path / "session"
    values = {"lot.slots": 5_000, "lot.first": 1, "uapi.users": {"12": ["0003*210", "0003*211"], "33": ["0003*024"]}}
    scenario = Scenario.load(HOSPITAL).with_values(values)
    acknowledged, least = {}, 0
    for kill in range(50):
        with serve("--port", "0", *USERS, "--set", "lot.slots=5000", "--journal", journal) as served:
            with UapiClient(f"http://127.0.0.1:{served.port}", TOKEN) as client:
                listed = {entry["id"]: entry["phoneCallView"][0] for entry in client.list(count=5_000)["entry"]}
            for call, (position, parked) in acknowledged.items():
                assert (listed[call]["parkedPos"], listed[call]["parked"]) == (str(position), parked)
            threads = [
                threading.Thread(target=parks_until_it_is_killed, args=(served.port, 4 * kill + number, acknowledged))
                for number in range(4)
            ]
            least = len(acknowledged) + rng.randrange(1, 12)
            for thread in threads:
                thread.start()
            while len(acknowledged) < least:
                time.sleep(0.001)
            time.sleep(rng.random() * 0.02)
            served.process.kill()
            for thread in threads:
                thread.join(30)
        desk = Desk(scenario, journal=journal)
        stays = {call.id: call.stay for call in desk.register.calls if call.stay is not None}
        desk.close_file()
        assert len({stay.slot for stay in stays.values()}) == len(stays)
        assert len({call.id for call in desk.register.calls}) == len(desk.register.calls)
        for call, (position, parked) in acknowledged.items():
            since = datetime.fromisoformat(parked) - desk.register.epoch
            assert stays[call].slot == position - 1
            deadline_us = desk.register.lots[0].deadlines_us[stays[call].slot]
            assert deadline_us // S == since // timedelta(seconds=1) + 3600  # dates are whole seconds
    assert len(acknowledged) >= least > 200
