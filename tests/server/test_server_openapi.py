"""The service's description: complete, and true to what the server answers; schemathesis says so, too."""

import json

import pytest
from desk_stand import WatchedDesk
from schemathesis_run import SWITCHED_OFF, Run, checks, fresh_desk
from server_stand import CALL, running

from parksim.rules import uapi
from parksim.server.openapi import ANY_REQUEST, document

DOCUMENT = document({"/": "text/html", "/board.js": "text/javascript"})
OPERATIONS = [
    (path, method)
    for path, item in DOCUMENT["paths"].items()
    for method in item
    if method in {"get", "head", "put", "post", "delete", "options"}
]


def codes_of(operation):
    """Return the (status, code) pairs of an operation's refusals."""
    found = set()
    for status, answer in operation["responses"].items():
        if int(status) >= 400 and "content" in answer:
            error = answer["content"]["application/json"]["schema"]["properties"]["error"]
            found |= {(int(status), code) for code in error["properties"]["code"]["enum"]}
    return found


def test_every_refusal_is_described():
    """Each status and code of the ladder stands at some operation, and no operation has another.

    404 and 405 stand at none: what is described is there, with that method.
    """
    described = set().union(*(codes_of(DOCUMENT["paths"][path][method]) for path, method in OPERATIONS))
    assert described == {(refusal.status, refusal.code) for refusal in uapi.Refusal} - {
        (404, "not_found"),
        (405, "method_not_allowed"),
    }
    assert {"404,", "405"} <= set(DOCUMENT["info"]["description"].split())


def test_every_operation_tells_what_any_request_may_earn():
    """What comes before the service looks at a request can come at each path."""
    expected = {(refusal.status, refusal.code) for refusal in ANY_REQUEST}
    for path, method in OPERATIONS:
        if method != "head":
            assert expected <= codes_of(DOCUMENT["paths"][path][method]), (path, method)


def test_every_route_is_described():
    """For each described path the methods are those that the service routes, and the other way round."""
    for path, item in DOCUMENT["paths"].items():
        if not path.startswith("/uapi/"):
            continue
        words = {"userId": "12", "extension": "0003*210", "phoneCallId": CALL, "type": "0", "id": "30"}
        leads = uapi.route(path.format(**words))
        methods = {method.upper() for method in item} - {"PARAMETERS"}
        assert leads is not None
        if path.endswith(("simple", "callback", "conferenceInvite")):
            assert methods == {"POST", "OPTIONS"} == set(leads.methods) - {"GET", "HEAD", "PUT", "DELETE"}
        else:
            assert methods == set(leads.methods)


def test_a_board_without_its_page():
    """Where the page is missing, that is what is described."""
    assert (404, "not_found") in codes_of(document({})["paths"]["/"]["get"])
    assert "200" not in document({})["paths"]["/"]["get"]["responses"]


def test_references_lead_somewhere():
    """Each reference is to a schema that is there, and each schema of the wire is closed."""
    text = json.dumps(DOCUMENT)
    schemas = DOCUMENT["components"]["schemas"]
    named = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert named <= set(schemas)
    for name in ("PhoneCall", "PhoneCallView", "PhoneCallLink", "PhoneCallCollection", "PhoneCallList", "Paging"):
        assert schemas[name]["additionalProperties"] is False
    assert "owner_id" not in text


def test_switched_off_checks_are_named():
    """Every check of schemathesis is either on or switched off with a reason."""
    assert {check.__name__ for check in checks()} == {
        *("status_code_conformance", "content_type_conformance"),
        *("response_headers_conformance", "response_schema_conformance"),
    }
    assert all(len(reason) > 20 for reason in SWITCHED_OFF.values())


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of schemathesis against a server of its own."""
    path = tmp_path_factory.mktemp("run") / "calls.json"
    with running(fresh_desk(path)) as site:
        made = Run(site, path)
        yield made
        made.session.close()


@pytest.mark.slow
def test_schemathesis_finds_nothing(run):
    """240 generated requests (seed 20) get only answers that are described; the command sends 10,000."""
    run.run(240, 20, at_once=5)
    assert run.statuses.total() >= 240
    assert {200, 400, 401} <= set(run.statuses)


def test_schemathesis_sees_a_planted_fault(run, monkeypatch):
    """A status, a code or a field that is not described would be found."""
    good = WatchedDesk.respond

    def undescribed(change):
        return lambda desk, request: change(good(desk, request))

    for change in (
        lambda reply: reply._replace(status=418),
        lambda reply: reply._replace(status=503) if reply.status == 400 else reply,
        lambda reply: reply._replace(body=reply.body.replace(b'"code":"', b'"code":"x_')),
        lambda reply: reply._replace(body=reply.body.replace(b'{"error":{', b'{"error":{"trace":"x",')),
        lambda reply: reply._replace(headers=(("Content-Type", "text/plain"),)),
    ):
        monkeypatch.setattr(WatchedDesk, "respond", undescribed(change))
        with pytest.raises((AssertionError, BaseExceptionGroup)):
            run.run(run.statuses.total() + 100, 30, at_once=5)
        monkeypatch.undo()
