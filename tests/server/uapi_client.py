"""A client of the UAPI as its vendor publishes one: it knows the requests and what it reads of answers, no more.

Every path ends with a slash, ``*`` and ``@`` go raw, no redirect is followed. Any 2xx with a JSON body is a success; of
every other answer it reads ``error.code`` and ``error.message``.
"""

import json
from contextlib import contextmanager
from urllib.parse import quote

import httpx

PATIENCE_S = 60
"""So long may an answer take where a machine has much else to do."""


class UapiError(Exception):
    """What the service refused, in its own words."""

    def __init__(self, status, code, message):
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code


class UapiClient:
    """Calls of one token's user; a context manager."""

    def __init__(self, url, token):
        self._url = url
        self._http = httpx.Client(
            trust_env=False,
            verify=False,  # nothing here is encrypted
            follow_redirects=False,
            timeout=PATIENCE_S,
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._http.close()

    def _send(self, method, path, query="", body=None):
        url = f"{self._url}/uapi/phoneCalls/{path}/" + (f"?{query}" if query else "")
        content = None if body is None else json.dumps(body, separators=(",", ":"))
        answer = self._http.request(method, httpx.URL(url), content=content)
        if answer.is_success:
            return answer.json()
        error = answer.json()["error"]
        raise UapiError(answer.status_code, error["code"], error["message"])

    def list(self, extension="@self", user="@me", **options):
        """Return the calls of an extension, as a collection."""
        asked = {"count": 20, "startIndex": 0} | options
        query = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in asked.items())
        return self._send("GET", f"{user}/{extension}", query)

    def create(self, extension, number, user="@me", nonce="n1"):
        """Let an extension call a number; return the call's id."""
        party = {"source": [extension], "destination": [number]}
        body = {"extension": extension, "phoneCallView": [party], "nonce": nonce}
        return self._send("POST", f"{user}/simple", body=body)[0]["id"]

    def act(self, action, call, extension="@self", user="@me", view="01", **more):
        """Do something to a call."""
        return self._send("PUT", f"{user}/{extension}/{call}", body={"action": action, "phoneCallViewId": view, **more})

    def park(self, call, extension="@self", stay_s=180, **more):
        """Park a call."""
        return self.act("Park", call, extension, maxInParking=stay_s, **more)

    def unpark(self, call, to, extension="@self"):
        """Let a telephone fetch a parked call."""
        return self.act("UnPark", call, extension, sendCallTo=to, callerId="John Doe <42420042>", waitForPickup="25")

    def pick_up(self, call, to, extension="@self"):
        """Let a telephone pick up a call that rings at another one."""
        return self.act("PickUp", call, extension, sendCallTo=to, waitForPickup="25")

    def transfer(self, call, to, extension="@self"):
        """Give a call to another number."""
        return self._send("PUT", f"@me/{extension}/{call}", body={"action": "Transfer", "sendCallTo": to})

    @contextmanager
    def events(self, extension="@self", last=None):
        """Open the stream of call events; give an iterator of (number, name, data)."""
        fields = {} if last is None else {"Last-Event-ID": str(last)}
        url = f"{self._url}/uapi/extensions/@me/{extension}/phoneCallStream/"
        with self._http.stream("GET", httpx.URL(url), headers=fields) as answer:
            assert answer.status_code == 200
            yield _events(answer.iter_lines())

    def hang_up(self, call, extension="@self", number=None):
        """End a call; return the ids of what has ended."""
        query = "" if number is None else f"phoneNumber={number}"
        return [ended["id"] for ended in self._send("DELETE", f"@me/{extension}/{call}", query)]


def _events(lines):
    """Yield the events of a stream's lines; the first tells with which number the stream begins."""
    event = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if name in {"id", "event", "data"}:
            event[name] = value
        elif not line and "id" in event:
            yield int(event["id"]), event.get("event", ""), json.loads(event.get("data", "null"))
            event = {}
