"""schemathesis against a server with its real desk: generated requests, no answer that the description does not have.

    python tests/server/schemathesis_run.py [--requests 10000] [--seed 1]

Requests are drawn from the description, two thirds of them valid and one third broken, over all its operations, those
on calls more often; most of their paths and bodies name calls that exist, and the tokens are those of three users, or
none. Every answer must be one of the description's: its status, its media type, its fields, its body (whose schema for
an error has the exact codes), and no answer may be a fault of the server (5xx, but for 501, which is UAPI's word for
what there is not). Ends with exit code 1 at the first request that gets another answer, and prints it.
"""

import argparse
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

import requests
import schemathesis
from desk_stand import WatchedDesk
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.generation import GenerationMode
from server_stand import CALL, TOKENS, running

SWITCHED_OFF = {
    "not_a_server_error": "501 is UAPI's answer to an action or method that is not implemented; "
    "that nothing else from 500 on comes is checked here instead",
    "negative_data_rejection": "UAPI ignores fields and parameters that it does not read, takes any Content-Type, and "
    "answers an unknown call id with an empty list",
    "positive_data_acceptance": "a word that fits the grammar may still name nothing: 400",
    "missing_required_header": "no header field is required but Authorization, whose lack is tested apart",
    "unsupported_method": "needs requests of its own phase; test_server_wire.py asks with foreign methods",
    "allow_header_conformance": "needs the same; there, too",
    "use_after_free": "an ended call is listed as an empty page, as published pollers rely on",
    "ensure_resource_availability": "a created call is not owed to the next request: another may have hung it up",
    "ignored_auth": "the ladder answers 404 and 405 before it asks for the token; test_server_access.py tests it",
    "object_level_authorization": "needs two users' sessions; test_server_access.py compares theirs with nobody's",
}
"""Checks of schemathesis that UAPI's decisions contradict, or that have a test of their own; and why."""

CALLS = [CALL, *(f"{number:020x}" for number in (10_000, 10_001, 10_002))]
PATHS = [
    *({"userId": user, "extension": "0003*210", "phoneCallId": call} for user in ("12", "@owner") for call in CALLS),
    *({"userId": "@me", "extension": "@self", "phoneCallId": call} for call in CALLS),
    {"userId": "33", "extension": "0003*024", "phoneCallId": f"{1:020x}"},
    {"userId": "@viewer", "extension": "210", "phoneCallId": f"{2:020x}"},
]
"""Words of paths that lead to a call; one of them in turn is kept as drawn."""
ENDLESS = ("get", "/uapi/extensions/{userId}/{extension}/phoneCallStream")
"""What has no end to wait for; test_call_stream.py reads it."""
FIELDS = {"phoneCallViewId": "01", "extension": "0003*210", "sendCallTo": "0003*024"}
"""Fields of bodies that name something that exists."""
REACHED = {200, 202, 204, 400, 401, 409, 501}
"""What a long run must have met, lest it only ever met refusals."""


def checks():
    """Return the checks that are on."""
    load_all_checks()
    return [check for check in CHECKS.get_all() if check.__name__ not in SWITCHED_OFF]


def fresh_desk(path, taken=2):
    """Return a desk with four calls that talk and four positions, some of them taken."""
    return WatchedDesk(path, taken, capacity=4, calls=4)


class Run:
    """One run against one server: what was asked, and how often each status came; ``path`` is its register file."""

    def __init__(self, site, path):
        self.site = site
        self.path = path
        self.session = requests.Session()
        self.session.trust_env = False
        self.statuses = Counter()
        self.checks = checks()
        description = self.session.get(f"{site.url}/openapi.json", timeout=10).json()
        self.schema = schemathesis.openapi.from_dict(description)
        described = [found.ok() for found in self.schema.get_all_operations()]
        self.operations = [found for found in described if (found.method, found.path) != ENDLESS]
        self.turns = self.operations + [found for found in self.operations if "phoneCalls/{userId}/" in found.path] * 5

    def ask(self, case, data):
        """Send one case, some of its words replaced, and check the answer."""
        if case.path_parameters and data.draw(st.integers(0, 3)):
            known = data.draw(st.sampled_from(PATHS))
            kept = data.draw(st.sampled_from([None, None, None, *known]))
            asked = set(case.path_parameters) - {kept}
            case.path_parameters |= {name: word for name, word in known.items() if name in asked}
        if isinstance(case.body, dict) and data.draw(st.integers(0, 3)):
            case.body = {**case.body, **{name: FIELDS[name] for name in FIELDS if name in case.body}}
        token = data.draw(st.sampled_from([*TOKENS, *TOKENS, None]))
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        headers |= data.draw(st.sampled_from([{}, {}, {"Prefer": "respond-async"}]))
        self.site.wait_for(self.site.desk.let_pass(data.draw(st.sampled_from([0, 1e-6, 1, 30]))))
        answer = case.call(
            base_url=self.site.url, session=self.session, headers=headers, allow_redirects=False, timeout=10
        )
        self.statuses[answer.status_code] += 1
        assert answer.status_code < 500 or answer.status_code == 501, answer.text
        case.validate_response(answer, checks=self.checks, headers=headers)

    def run(self, number, first_seed, at_once=50):
        """Send at least so many requests, some to each operation in turn, from a fresh lot now and then."""
        turn = 0
        while self.statuses.total() < number:
            operation = self.turns[turn % len(self.turns)]
            mode = GenerationMode.NEGATIVE if turn % 3 == 2 else GenerationMode.POSITIVE
            self.site.begin_with(fresh_desk(self.path, 2 + turn // 3 % 3))
            left = number - self.statuses.total()
            try:
                case = operation.as_strategy(generation_mode=mode)
                self._draw(case, min(at_once, left), first_seed + turn)
            except Unsatisfiable:  # nothing of the operation can be broken
                pass
            turn += 1

    def _draw(self, cases, number, with_seed):
        @seed(with_seed)
        @settings(
            max_examples=number,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(cases, st.data())
        def asked(case, data):
            self.ask(case, data)

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of schemathesis and its libraries, about values it draws
            asked()


def main():
    """Run, and print what came."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, running(fresh_desk(path := Path(folder, "calls.json"))) as site:
        run = Run(site, path)
        print(f"{len(run.operations)} operations; on: {', '.join(check.__name__ for check in run.checks)}")
        for name, reason in SWITCHED_OFF.items():
            print(f"off: {name}: {reason}")
        try:
            run.run(options.requests, options.seed)
            if options.requests >= 5_000:
                assert set(run.statuses) == REACHED, "not every status was reached, or another came"
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
            print(error)
            return 1
        finally:
            run.session.close()
            print(
                f"{run.statuses.total():,} requests in {time.monotonic() - began_s:.0f} s:",
                dict(sorted(run.statuses.items())),
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
