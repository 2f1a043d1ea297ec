"""The edges of the service: the last page, the longest target, all fields, one extension beyond the directory."""

import pytest
from test_uapi_list import listed, many
from uapi_strategies import ORGANIZATIONS, USERS, S, code, get, parked, talking

from parksim.rules import codes as c
from parksim.rules import uapi
from parksim.rules.lot import Fact
from parksim.rules.uapi import models as m
from parksim.rules.uapi.mirror import mirrored
from parksim.rules.uapi.register import FLOW_INCOMING, FLOW_LOCAL, FLOW_OUTGOING

NOW = 60 * S


def test_a_page_that_ends_with_the_last_call_has_no_next():
    """Of seven calls a page of seven is the last one, and a page of six is not."""
    for count, names in ((7, set()), (6, {"next"})):
        links = listed(f"count={count}")[1].get("paging") or {}
        assert {name for name in ("next", "prev") if links.get(name)} == names


def test_all_fields_may_be_asked_for():
    """Every field of a call by name is what no name at all gives; one more is refused."""
    every = listed(f"fields={','.join(m.CALL_FIELDS)}")[1]
    assert every["entry"] == listed("")[1]["entry"]
    refused = uapi.respond(many(), get(f"/12/0003*210?fields={','.join(m.CALL_FIELDS)},xx"), now_us=NOW)
    assert refused.reply.status == 400


@pytest.mark.parametrize(("root", "status"), [("/uapi/phoneCalls/12/0003*210", 200), ("/uapi/nothing", 404)])
def test_a_target_of_the_greatest_length_is_read(root, status):
    """A target of exactly the limit is read, found or not; one sign more is too long."""
    longest = root + "?" + "x" * (m.TARGET_LIMIT_CHARACTERS - len(root) - 1)
    answers = [
        uapi.respond(many(), uapi.Request("GET", one, user="12"), now_us=NOW) for one in (longest, longest + "x")
    ]
    assert [one.reply.status for one in answers] == [status, 414]


def test_only_a_post_creates():
    """A GET of the path that creates calls asks for an extension of that name, and there is none."""
    answer = uapi.respond(talking(), get("/12/simple"), now_us=NOW)
    assert code(answer)[0] == 400


def test_the_owner_of_an_unknown_extension_is_nobody():
    """An extension that is not there has no owner; it is not that of the directory's last extension."""
    register = uapi.new_register({"12": ["0003*210"], "33": ["0003*024"]})
    answer = uapi.respond(register, get("/@owner/0003*999", user="33"), now_us=NOW)
    assert code(answer) == code(uapi.respond(register, get("/33/0003*999", user="33"), now_us=NOW))


def test_a_call_within_the_house_is_local():
    """Between two extensions a call is local; from outside it is incoming, to the outside outgoing."""
    register = uapi.new_register(USERS, organizations=ORGANIZATIONS)
    flows = []
    for peer, incoming in (("0003*024", True), ("3235742879", True), ("3235742879", False)):
        made = uapi.offer(register, "0003*210", peer=peer, now_us=S, incoming=incoming).register
        flows.append(made.calls[-1].views[0].flow)
    assert flows == [FLOW_LOCAL, FLOW_INCOMING, FLOW_OUTGOING]


def test_one_extension_beyond_the_directory_is_not_listed():
    """A call that the first extension beyond the directory answers is not in the register; that of the last one is."""
    for extension, calls in ((0, 1), (1, 1), (2, 0)):
        register = uapi.new_register({"12": ["0003*210", "0003*211"]})
        for kind, who in ((c.OFFERED, c.NOBODY), (c.ANSWERED, extension)):
            register = mirrored(register, Fact(S, c.NEVER, 0, c.NOBODY, c.NOBODY, who, kind, 0))
        assert len(register.calls) == calls


def test_a_slot_of_one_organisation_leaves_the_others_lots():
    """A park changes its organisation's lot alone: all lots are there afterwards, in their order."""
    before, after = talking(), parked()
    assert len(before.lots) == len(after.lots) == len(ORGANIZATIONS)
    changed = [one != other for one, other in zip(before.lots, after.lots, strict=True)]
    assert changed.count(True) == 1
