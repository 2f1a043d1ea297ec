"""The page that plays in Firefox, driven over its Marionette protocol: the same numbers to the digit.

Skipped where Firefox is not installed. The protocol is that of Mozilla: messages of JSON after their length.
"""

import json
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

import parksim
from parksim.reports.screen import shown

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
WITHIN_S = 120
ROOT = Path(__file__).parents[2]
HOSPITAL = parksim.Scenario.load(ROOT / "scenarios" / "hospital.toml").with_values({"run.horizon": "12h"})
TABLE = """return [...document.querySelectorAll("#play-objectives tbody tr")]
  .map((row) => [...row.cells].map((one) => one.textContent))"""
DONE = "return document.getElementById('play').dataset.done || ''"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(FIREFOX is None, reason="Firefox is not installed: apt-get install firefox-esr"),
]


class Marionette:
    """A Firefox that is told what to do."""

    def __init__(self, port):
        self._socket = connected(port)
        self._answers = self._socket.makefile("rb")
        self._number = 0
        self._read()
        self.do("WebDriver:NewSession", capabilities={})

    def _read(self):
        length = b""
        while (sign := self._answers.read(1)) != b":":
            length += sign
        return json.loads(self._answers.read(int(length)))

    def do(self, command, **arguments):
        """Send a command and return its answer."""
        self._number += 1
        text = json.dumps([0, self._number, command, arguments]).encode()
        self._socket.sendall(str(len(text)).encode() + b":" + text)
        _, _, error, answer = self._read()
        assert error is None, error
        return answer

    def run(self, script):
        """Run a script in the page and return its value."""
        return self.do("WebDriver:ExecuteScript", script=script, args=[])["value"]

    def wait_for(self, number):
        """Wait until a computation is finished."""
        ends_s = time.monotonic() + WITHIN_S
        while self.run(DONE) != str(number):
            assert time.monotonic() < ends_s
            time.sleep(0.1)

    def close(self):
        """End the connection."""
        self._answers.close()
        self._socket.close()


def connected(port):
    """Return a connection to a Firefox that is about to listen."""
    ends_s = time.monotonic() + WITHIN_S
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except OSError:
            assert time.monotonic() < ends_s
            time.sleep(0.2)


@pytest.fixture
def firefox(tmp_path):
    """A headless Firefox with a profile of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    profile = tmp_path / "profile"
    profile.mkdir()
    (profile / "user.js").write_text(f'user_pref("marionette.port", {port});\n', encoding="utf-8")
    command = [FIREFOX, "--headless", "--marionette", "--no-remote", "--profile", str(profile)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        driven = Marionette(port)
        yield driven
        driven.close()
        process.terminate()


def test_firefox_shows_the_numbers_of_the_study(firefox, tmp_path):
    """At its start those of the report; with a slot more those of that study; from a file, by a worker of its own."""
    study, other = (
        parksim.study(scenario, 4, seed=1, engine="simpy")
        for scenario in (HOSPITAL, HOSPITAL.with_values({"lot.slots": 5}))
    )
    study.report(tmp_path / "h.html", play=True)
    firefox.do("WebDriver:Navigate", url=(tmp_path / "h.html").as_uri())
    firefox.wait_for(1)
    assert [row[2:4] for row in firefox.run(TABLE)] == numbers(study)
    slots = "const one = document.querySelector('#play-controls input'); one.value = 5;"
    firefox.run(f"{slots} one.dispatchEvent(new Event('input', {{ bubbles: true }}))")
    firefox.wait_for(2)
    assert [row[2:4] for row in firefox.run(TABLE)] == numbers(other)


def numbers(study):
    """Return what the page is to show of the objectives."""
    return [list(shown(one.objective.measure, study.estimate(one.objective.measure))) for one in study.objectives]
