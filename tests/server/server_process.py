"""``parksim serve`` as a process of its own, for tests: what it printed, requests to it, and how it ended."""

import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager


class Served:
    """A running command."""

    def __init__(self, process):
        self.process = process
        self.lines = []
        for line in process.stdout:
            self.lines.append(line.rstrip("\n"))
            if line.startswith("Ctrl-C"):
                break
        self.text = "\n".join(self.lines)
        self.port = int(re.search(r"http://(?:[\w.-]+|\[[0-9a-f:]+\]):([0-9]+)/\?token=", self.text)[1])

    def ask(self, path, token=None, method="GET", body=None):
        """Send a request by a client library; return (status, body)."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method, data=body)
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def end(self, number):
        """Send a signal; return (exit code, rest of stdout, stderr)."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=20)
        return self.process.returncode, out, err


@contextmanager
def serving(program, *arguments, **environment):
    """Run ``program serve ...`` (arguments of Python) by this Python; it is killed if the test has not ended it."""
    known = {name: value for name, value in os.environ.items() if name != "PARKSIM_TOKENS"}
    process = subprocess.Popen(
        [sys.executable, "-W", "error", *program, "serve", *map(str, arguments)],
        env={**known, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield Served(process)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()
