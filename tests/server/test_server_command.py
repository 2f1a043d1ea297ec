"""``parksim serve``: what it prints, how it ends, and one clear message for whatever is wrong."""

import re
import signal
import socket
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import serve_stand_in
from server_process import serving as serving_by

import parksim.server
from parksim.cli.main import main

STAND_IN = Path(__file__).with_name("serve_stand_in.py")
serving = partial(serving_by, (STAND_IN,))
SCENARIO = """
name = "Two <b>users</b>"
[run]
horizon = "1h"
[arrivals]
kind = "poisson"
rate = "10/h"
[attendants]
count = 1
handling = "30s"
[parking]
probability = 0.5
[lot]
slots = 3
[retrieval]
delay = "45s"
[uapi]
users = { "12" = ["0003*210"], "33" = ["0003*024"] }
"""


@pytest.fixture
def scenario(tmp_path):
    """A scenario file with two users."""
    path = tmp_path / "two.toml"
    path.write_text(SCENARIO, encoding="utf-8")
    return path


@pytest.fixture
def stand_in(monkeypatch):
    """The stand-in desk in this process, and no tokens in the environment."""
    monkeypatch.delenv("PARKSIM_TOKENS", raising=False)
    for name in ("desk", "session"):
        module = getattr(serve_stand_in, name)
        monkeypatch.setitem(sys.modules, f"parksim.server.{name}", module)
        monkeypatch.setattr(parksim.server, name, module, raising=False)


def test_a_session(scenario):
    """It prints address, board's link and token once, serves, and ends at Ctrl-C with a word and code 130."""
    with serving(scenario, "--port", "0", "--rate", "60", "--no-traffic", "--seed", "7") as served:
        assert served.lines[0] == (
            f"Two <b>users</b>: a live switchboard at http://127.0.0.1:{served.port}/uapi/phoneCalls/"
        )
        token = re.search(r"^Token: (\S+) \(", served.text, re.MULTILINE)[1]
        key = re.search(r"^Board: http://127\.0\.0\.1:[0-9]+/\?token=(\S+)$", served.text, re.MULTILINE)[1]
        assert served.ask("/uapi/phoneCalls/@me/@self", token)[0] == 200
        assert served.ask("/uapi/phoneCalls/33/@self", token)[0] == 400
        assert served.ask("/uapi/phoneCalls/@me/@self")[0] == 401
        assert served.ask("/board/events", token)[0] == 401
        assert token != key
        code, out, err = served.end(signal.SIGINT)
    assert (code, out) == (130, "")
    opened, *rest = err.splitlines()
    for option in ("'rate', 60.0", "'seed', 7", "'traffic', False", "'journal', None", "'fsync', False"):
        assert f"({option})" in opened
    assert f"('base_url', 'http://127.0.0.1:{served.port}')" in opened
    assert rest == ["entered", "left", "parksim: interrupted; the switchboard has ended"]
    assert token not in err
    assert key not in err


def test_it_ends_at_sigterm(scenario, tmp_path):
    """A service manager's signal ends it with code 0, although somebody is connected; Park answers as it was told."""
    with serving(scenario, "--port", "0", "--session", tmp_path / "j", "--fsync", "--answer", "accepted") as served:
        token = re.search(r"^Token: (\S+) \(", served.text, re.MULTILINE)[1]
        body = b'{"action":"Park","phoneCallViewId":"01"}'
        assert served.ask(f"/uapi/phoneCalls/@me/@self/{serve_stand_in.CALL}", token, "PUT", body)[0] == 202
        with socket.create_connection(("127.0.0.1", served.port)) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\n")
            code, out, err = served.end(signal.SIGTERM)
        assert (code, out) == (0, "")
        assert "('fsync', True)" in err
        assert err.endswith("entered\nleft\n")


def test_an_interrupted_session_says_how_to_resume(scenario, tmp_path):
    """The last line names the session file; a torn line in it is reported, and a damaged checkpoint."""
    path = tmp_path / "kept.torn"
    with serving(scenario, "--port", "0", "--session", path) as served:
        code, _, err = served.end(signal.SIGINT)
    assert code == 130
    assert err.splitlines()[1] == f"parksim: {path}: its last line was torn; 17 bytes of it were cut off"
    assert err.splitlines()[2] == "parksim: planted: a checkpoint is damaged"
    assert err.endswith(f"; the same command resumes with the calls in {path}\n")


def test_a_port_in_use(scenario):
    """One message, code 4, and no desk was opened."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = subprocess.run(
            [sys.executable, STAND_IN, "serve", scenario, "--port", str(port)],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 4
    assert done.stdout == ""
    assert done.stderr == (
        f"parksim: could not finish: cannot listen on 127.0.0.1 port {port} (Address already in use); "
        "choose another by --port, or 0 for one that is free\n"
    )


def test_tokens_from_a_file(scenario, tmp_path):
    """The file's tokens count and none is printed; a mode that lets others read it is warned of."""
    path = tmp_path / "tokens"
    path.write_text("t0ken-from-file 33 global\n", encoding="utf-8")
    path.chmod(0o644)
    with serving(scenario, "--port", "0", "--token-file", path) as served:
        assert "Token:" not in served.text
        assert "t0ken" not in served.text
        assert served.ask("/uapi/phoneCalls/12/@self", "t0ken-from-file")[0] == 200
        _, _, err = served.end(signal.SIGTERM)
    assert err.splitlines()[0] == f"parksim: {path}: others can read it; chmod 600 {path} keeps its tokens secret"


def test_tokens_from_the_environment(scenario):
    """PARKSIM_TOKENS does the same; all addresses may be bound then, and links keep a public name."""
    with serving(
        scenario, "--port", "0", "--host", "0.0.0.0", "--set", "uapi.base_url=https://pbx.example/",
        PARKSIM_TOKENS="t0ken-of-env-12 12; t0ken-of-env-33 33 user",
    ) as served:  # fmt: skip
        assert "https://pbx.example/uapi/phoneCalls/" in served.lines[0]
        assert served.ask("/uapi/phoneCalls/@me/0003*024", "t0ken-of-env-33")[0] == 200
        code, _, err = served.end(signal.SIGTERM)
    assert code == 0
    assert "('base_url', 'https://pbx.example')" in err


def status_for(served, host, *fields):
    """Return the status of a request that names a host."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=20) as sock:
        lines = ["GET /openapi.json HTTP/1.1", f"Host: {host}", *fields, "Connection: close", "", ""]
        sock.sendall("\r\n".join(lines).encode())
        return int(sock.makefile("rb").readline().split()[1])


def test_a_name_of_a_container_network(scenario):
    """--allow-host lets a name in, at our port and without one; --proxy-headers what a proxy says of host and port."""
    with serving(
        scenario, "--port", "0", "--allow-host", "parksim", "--allow-host", "localhost:9090", "--proxy-headers"
    ) as served:
        for host, fields, status in (
            ("parksim", (), 200),
            (f"parksim:{served.port}", (), 200),
            ("localhost:9090", (), 200),
            ("parksim:9090", (), 421),
            ("127.0.0.1", (), 421),
            ("127.0.0.1", ("X-Forwarded-Port: 80",), 200),
            ("parksim:9090", ("X-Forwarded-Host: parksim:9090",), 200),
            ("evil.example", ("X-Forwarded-Host: parksim",), 421),
        ):
            assert status_for(served, host, *fields) == status, (host, fields)


def test_ipv6(scenario):
    """An IPv6 address is bound and shown in brackets."""
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            pass
    except OSError:
        pytest.skip("this machine has no IPv6")
    with serving(scenario, "--port", "0", "--host", "::1") as served:
        assert f"Board: http://[::1]:{served.port}/?token=" in served.text
        assert served.end(signal.SIGTERM)[0] == 0


@pytest.mark.parametrize(
    ("options", "complaint"),
    [(["--rate", "0"], "--rate 0: from 0.001 to 100,000 simulated seconds a second"),
     (["--rate", "nan"], "--rate nan: from 0.001"),
     (["--port", "65536"], "--port 65536: from 0 to 65535"),
     (["--answer", "202"], "--answer 202: choose one of updated, accepted"),
     *((["--start", text], f"--start {text}: write a time of day from 00:00 to 23:59, such as 10:30")
       for text in ("25:00", "24:00", "10", "10:60", "10.30", "1030", "9:30", "-1:00", "10:30:61", "10:30Z", "noon")),
     (["--fsync"], "--fsync waits for a session file; give --session FILE as well"),
     (["--seed", "-1"], "--seed -1: a whole number from 0"),
     (["--host", "0.0.0.0", "--port", "0"], "--host 0.0.0.0: others can reach that address, so who"),
     (["--host", "::", "--port", "0"], "--host ::: others can reach that address"),
     (["--token-file", "missing"], "missing: cannot be read (No such file or directory)"),
     (["--allow-host", "http://parksim"], "--allow-host 'http://parksim' is no host; write a name such as parksim"),
     (["--set", "uapi.users={}"], "[uapi] has no users"),
     (["--set", "uapi.users={'12' = ['0003*210', '0004*500']}"], "two.toml: uapi: extension '0004*500' is of no"),
     (["--port", "0", "--session", "j.other"], "planted: the file is of another scenario")],
)  # fmt: skip
@pytest.mark.usefixtures("stand_in")
def test_options_that_are_wrong(scenario, capsys, options, complaint):
    """One message on stderr, code 2, nothing on stdout."""
    assert main(["serve", str(scenario), *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("parksim: ")
    assert complaint in err
    assert err.count("\n") == 1


@pytest.mark.usefixtures("stand_in")
def test_a_session_that_cannot_be_used(scenario, capsys):
    """One message, code 4."""
    assert main(["serve", str(scenario), "--port", "0", "--session", "j.locked"]) == 4
    assert capsys.readouterr().err == "parksim: could not finish: planted: another server uses the file\n"


@pytest.mark.usefixtures("stand_in")
def test_an_address_of_another_machine(scenario, capsys, monkeypatch):
    """It cannot be bound: one message, code 4."""
    monkeypatch.setenv("PARKSIM_TOKENS", "t0ken-of-env-12 12")
    for host, reason in (
        ("192.0.2.1", "cannot listen on 192.0.2.1 port"),
        ("no.such.host.invalid", "is no address of this"),
    ):
        assert main(["serve", str(scenario), "--host", host, "--port", "0"]) == 4
        assert reason in capsys.readouterr().err


@pytest.mark.usefixtures("stand_in")
def test_without_the_extra(scenario, capsys, monkeypatch):
    """The message says what to install."""
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    for name in ("serving", "wire", "app"):
        monkeypatch.delitem(sys.modules, f"parksim.server.{name}", raising=False)
        monkeypatch.delattr(parksim.server, name, raising=False)
    assert main(["serve", str(scenario), "--port", "0"]) == 2
    assert "serve needs uvicorn; install it by: pip install 'parksim[server]'" in capsys.readouterr().err


def test_parksim_does_not_load_the_server():
    """Neither ``import parksim`` nor the command line loads uvicorn, httptools or the application."""
    heavy = {"uvicorn", "httptools", "parksim.server.app"}
    script = f"import sys, parksim, parksim.cli.main; print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_second_interrupt_ends_at_once(scenario):
    """Whoever cannot wait presses Ctrl-C again."""
    with serving(scenario, "--port", "0") as served, socket.create_connection(("127.0.0.1", served.port)) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\n")
        served.process.send_signal(signal.SIGINT)
        time.sleep(0.02)
        code, _, err = served.end(signal.SIGINT)
    assert code == 130
    assert "Traceback" not in err
