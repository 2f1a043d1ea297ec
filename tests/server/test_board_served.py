"""The board as ``parksim serve`` serves it, in a real browser: the printed link, calls over UAPI, a server killed.

Skipped where playwright (extra ``browser``) or Chromium is not installed.
"""

import re
from pathlib import Path

import pytest
from server_process import serving
from uapi_client import UapiClient, UapiError

from tests.chromium import CHROMIUM, chromium

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install '.[browser]'")
expect = sync_api.expect

HOSPITAL = Path(__file__).parents[2] / "scenarios/hospital.toml"
TOKEN = "secret-of-mine-0123"
WITHIN_MS = 1_000
"""A slot appears and leaves within a second of the fact."""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: apt-get install chromium")


@pytest.fixture
def page():
    """A page of a browser; at its end it has said nothing, and asked one place only for the board's own files."""
    said, asked = [], []
    with sync_api.sync_playwright() as playwright, chromium(playwright) as browser:
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(10_000)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        yield page
    # Chromium itself says when a connection that it was promised is gone, which a killed server's is.
    assert [text for text in said if not re.search("ERR_(CONNECTION|INCOMPLETE|EMPTY)", text)] == []
    places = {re.sub(r"\?token=.*", "", url) for url in asked}
    assert len({url.split("/")[2] for url in places}) == 1
    own = {"/", "/board.css", "/board.js", "/board.svg", "/board/events", "/board/commands"}
    assert {"/" + url.split("/", 3)[3] for url in places} <= own


def serve(*options):
    """Serve the hospital without its traffic to user 12."""
    program = "-m", "parksim"
    return serving(program, HOSPITAL, "--no-traffic", *options, PARKSIM_TOKENS=f"{TOKEN} 12")


def link(served):
    """Return the link that was printed."""
    return re.search(r"^Board: (\S+)$", served.text, re.MULTILINE)[1]


def test_calls_come_and_go_within_a_second(page):
    """Parked, un-parked, refused, timed out: each is seen within a second of its answer; the link's key is not kept."""
    with serve("--port", "0", "--rate", "10", "--set", "lot.slots=2") as served:
        page.goto(link(served))
        assert "token" not in page.url
        expect(page.locator("#connection")).to_have_text("Live")
        slots = page.locator(".slot")
        with UapiClient(f"http://127.0.0.1:{served.port}", TOKEN) as client:
            one, two, three = (client.create("0003*201", peer) for peer in ("555", "556", "557"))
            client.park(one)
            expect(slots.nth(0)).to_contain_text("555", timeout=WITHIN_MS)
            expect(slots.nth(0)).to_contain_text("parked by 0003*201")
            client.park(two, stay_s=30)
            expect(slots.nth(1)).to_contain_text("556", timeout=WITHIN_MS)
            with pytest.raises(UapiError, match="409 pc_parkinglot_full"):
                client.park(three)
            expect(page.locator("#refusal")).to_contain_text("Park refused at", timeout=WITHIN_MS)
            client.unpark(one, "0003*202")
            expect(slots.nth(0)).to_contain_text("free", timeout=WITHIN_MS)
            returning = page.get_by_role("table", name="Returning")
            expect(returning).to_contain_text("556", timeout=3_000 + WITHIN_MS)
            expect(returning).to_contain_text("ringing")
            expect(slots.nth(1)).to_contain_text("free")
            client.hang_up(two)
            expect(returning).to_be_hidden(timeout=WITHIN_MS)


def test_a_server_that_is_killed_and_started_again(page, tmp_path):
    """The board says that it reconnects, and comes back by itself with the picture of the session that goes on."""
    options = ("--rate", "1", "--journal", tmp_path / "session")
    with serve("--port", "0", *options) as served:
        page.goto(link(served))
        with UapiClient(f"http://127.0.0.1:{served.port}", TOKEN) as client:
            client.park(client.create("0003*201", "555"), stay_s=600)
        slot = page.locator(".slot").nth(0)
        expect(slot).to_contain_text("555")
        served.process.kill()
        expect(page.locator("#connection")).to_contain_text("Reconnecting")
        expect(page.locator("body")).to_have_class(re.compile("stale"))
    with serve("--port", str(served.port), *options):
        expect(page.locator("#connection")).to_have_text("Live", timeout=10_000)
        expect(page.locator("body")).not_to_have_class(re.compile("stale"))
        expect(slot).to_contain_text("555")
        expect(slot).to_contain_text(re.compile(r"9:[0-5]\d left"))
        missed = r"^\s*Back after 0:\d\d\. The server was started again.*\. Missed from \S+ to \S+: nothing\. Close\s*$"
        expect(page.locator("#missed")).to_have_text(re.compile(missed))
        expect(page.locator("#counters > div", has_text="calls")).to_contain_text("1")


def test_the_controls_do_what_they_say(page, tmp_path):
    """Pause, speed, park, retrieve, hang up on a real server; after a kill the rate is the one that was chosen."""
    options = ("--rate", "10", "--session", tmp_path / "session")
    with serve("--port", "0", *options) as served:
        page.goto(link(served))
        with UapiClient(f"http://127.0.0.1:{served.port}", TOKEN) as client:
            calls = [client.create("0003*201", peer) for peer in ("555", "556")]
            rows = page.locator("#placed tbody tr")
            expect(rows).to_have_count(2)
            for slot, peer in enumerate(("555", "556")):
                rows.filter(has_text=peer).get_by_role("button").click()
                page.get_by_role("button", name="Park", exact=True).click()
                expect(page.locator(".slot").nth(slot)).to_contain_text(peer, timeout=WITHIN_MS)
            page.locator(".slot").nth(0).click()
            page.get_by_role("button", name="Retrieve to 0003*201").press("Enter")
            expect(page.locator(".slot").nth(0)).to_contain_text("free", timeout=WITHIN_MS)
            expect(rows).to_have_count(1)
            page.locator(".slot .act").press("Enter")
            page.get_by_role("button", name="Hang up", exact=True).press("Enter")
            expect(page.locator(".slot").nth(1)).to_contain_text("free", timeout=WITHIN_MS)
            assert [call["id"] for call in client.list()["entry"]] == calls[:1]
        page.click("#pause")
        expect(page.locator("#rate")).to_have_text("paused", timeout=WITHIN_MS)
        page.select_option("#speed", "300")
        expect(page.locator("#rate")).to_have_text("\u00d7 300", timeout=WITHIN_MS)
        page.click("#pause")
        expect(page.locator("#rate")).to_have_text("paused", timeout=WITHIN_MS)
        clock = page.locator("#clock").inner_text()
        served.process.kill()
        expect(page.locator("#connection")).to_contain_text("Reconnecting")
    with serve("--port", str(served.port), *options):
        expect(page.locator("#connection")).to_have_text("Live", timeout=10_000)
        expect(page.locator("#rate")).to_have_text("paused")
        assert page.locator("#clock").inner_text() == clock
        page.click("#pause")
        expect(page.locator("#rate")).to_have_text("\u00d7 300", timeout=WITHIN_MS)


def test_a_day_that_began_before(page):
    """``--start 10:30`` serves a lot that has lived: the board's clock, the calls since midnight, and a verdict."""
    program = "-m", "parksim"
    with serving(program, HOSPITAL, "--port", "0", "--start", "10:30", PARKSIM_TOKENS=f"{TOKEN} 12") as served:
        page.goto(link(served))
        expect(page.locator("#clock")).to_have_text(re.compile(r"^Mon,? 5 Jan 10:30:\d\d$"))
        expect(page.locator("#headline-text")).to_have_text(
            re.compile(r"^The day goes badly: 1 of 3 objectives is missed \(parks refused because the lot is full: ")
        )
        calls = page.locator("#counters > div", has_text="calls").locator("dd")
        assert 250 < int(calls.inner_text()) < 350
        page.get_by_text("The numbers of the charts").click()
        rows = [row.locator("td").all_inner_texts() for row in page.locator("#numbers tbody tr").all()]
        assert [row[0] for row in rows] == [f"{at // 60:02}:{at % 60:02}" for at in range(510, 635, 5)]
        times = page.locator("#refusals tbody td:last-child").all_inner_texts()
        assert 0 < sum(int(row[2]) for row in rows) == sum(time >= "08:30:00" for time in times) < 12
