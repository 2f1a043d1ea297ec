"""The board in a real browser: Debian's Chromium, driven by playwright, against a stage of scripted pictures.

Skipped where playwright (extra ``browser``) or Chromium is not installed. One browser serves all tests of the file.
"""

import re
import time
from importlib.resources import files

import pytest
from board_stage import BAD, CONTRASTS, COUNTED, POLICY, SHARES, S, day, picture, stage, stay

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install '.[browser]'")
expect = sync_api.expect

NOW_US = picture()["now_us"]
HOSTILE = (
    "<img src=x onerror=alert(1)>",
    '"><script>alert(2)</script>',
    "javascript:alert(3)",
    "\u202egnp.exe\u2066 \u0000\u001b[31m",
    "Z\u0300\u0301" + "\u0302" * 300,
    "W" * 10_000,
    "&lt;b&gt; {{7*7}} ${7*7}",
)
WITHIN_MS = 1_000
"""A slot appears and leaves within a second of the picture."""


def seconds_left(slot) -> int:
    """Return the countdown that a slot shows."""
    minutes, seconds = re.search(r"(\d+):(\d\d) left", slot.text_content()).groups()
    return 60 * int(minutes) + int(seconds)


def test_slots_appear_and_leave(opened, served):
    """A parked call stands in its slot, with caller, parker and times, and leaves it, each within a second."""
    page = opened(picture(1, [None, None, None]))
    slot = page.get_by_role("listitem").nth(1)
    assert slot.inner_text().split() == ["slot", "702", "free"]
    served.show(picture(2, [None, stay("7", 95, now_us=NOW_US, caller="John Doe <3333>"), None]))
    expect(slot).to_contain_text("John Doe <3333>", timeout=WITHIN_MS)
    assert re.fullmatch(
        r"slot 702 1:3\d left caller John Doe <3333> parked by 0003\*210 for 1:0\d", slot.text_content().strip()
    )
    expect(page.locator(".lot h2")).to_have_text("Lot 0003 1 of 3 taken")
    served.show(picture(3, [None, None, None]))
    expect(slot).not_to_contain_text("John Doe", timeout=WITHIN_MS)
    assert page.locator(".slot.free").count() == 3


def test_the_countdown_runs_at_the_simulated_rate(opened):
    """Between pictures simulated time runs at the rate: 60 simulated seconds a real one, within the time measured."""
    page = opened(picture(1, [stay("7", 3_000, now_us=NOW_US)], rate=60.0))
    slot = page.locator(".slot")
    began, first = time.monotonic(), seconds_left(slot)
    page.wait_for_timeout(1_000)
    last, ended = seconds_left(slot), time.monotonic()
    # What is shown is at most one tick (0.2 s) old, and drawn in whole seconds.
    assert 60 * (1.0 - 0.2) - 1 <= first - last <= 60 * (ended - began + 0.2) + 1
    expect(page.locator("#clock")).to_have_text(re.compile(r"^Mon,? 5 Jan 18:0[1-9]:\d\d$"))
    expect(page.locator("#rate")).to_have_text("\u00d7 60")


def test_a_stopped_simulation_stands_still(opened):
    """When the switchboard does not run, nothing counts down."""
    page = opened(picture(1, [stay("7", 95, now_us=NOW_US)], rate=600.0, running=False))
    page.wait_for_timeout(500)
    assert seconds_left(page.locator(".slot")) == 95
    expect(page.locator("#clock")).to_have_text(re.compile("18:00:00$"))
    expect(page.locator("#rate")).to_have_text("stopped")


def test_the_clock_keeps_the_offset_of_the_epoch(opened):
    """An epoch with an offset is shown in the time of its place."""
    page = opened(picture(1, running=False, epoch="2026-01-05T08:00:00+05:30"))
    expect(page.locator("#clock")).to_have_text(re.compile("18:00:00$"))


def test_urgent_is_more_than_a_colour(opened):
    """The last 30 s are marked by frame and sign, what is over by words, never by a negative time."""
    lefts = (31, 30, 0.5, 0, -500, None)
    page = opened(
        picture(1, [stay(str(left), left, now_us=NOW_US, parked_s=600) for left in lefts], running=False),
    )
    slots = page.locator(".slot")
    states = [slots.nth(place).get_attribute("class").split()[1] for place in range(len(lefts))]
    assert states == ["taken", "soon", "soon", "over", "over", "unlimited"]
    words = [slots.nth(place).locator(".left").inner_text().replace("\n", " ") for place in range(len(lefts))]
    assert words == ["0:31 left", "0:30 left", "0:01 left", "time up", "time up", "no limit"]
    signs = page.evaluate("""[...document.querySelectorAll('.slot')].map(slot => [
        getComputedStyle(slot.querySelector('.left'), '::before').content[1],
        getComputedStyle(slot).borderTopWidth,
    ])""")
    assert [sign for sign, _ in signs][1:5] == ["▲", "▲", "■", "■"]
    assert signs[0][0] not in "▲■"
    assert float(signs[1][1][:-2]) > float(signs[0][1][:-2])
    expect(page.locator(".lot h2")).to_have_text("Lot 0003 6 of 6 taken, 4 urgent")


def test_a_stay_turns_urgent_by_itself(opened):
    """Without a further picture a stay becomes urgent and then over, as simulated time passes."""
    page = opened(picture(1, [stay("7", 60, now_us=NOW_US)], rate=40.0))
    expect(page.locator(".slot.taken")).to_have_count(1)
    expect(page.locator(".slot.soon")).to_have_count(1, timeout=2_000)
    expect(page.locator(".slot.over")).to_have_count(1, timeout=2_000)
    expect(page.locator(".slot.over")).to_contain_text("time up")


def test_everything_else_is_shown(opened):
    """Queue, attendants, returning calls and counters stand in tables and lists with their times."""
    states = ("free", "talking", "ringing", "announcing", "off")
    shown = picture(
        1,
        running=False,
        queue=[{"call": "1", "caller": "Anna <1>", "since_us": NOW_US - 75 * S}],
        attendants=[
            {"extension": f"0003*21{place}", "state": state, "call": None, "since_us": NOW_US - place * S}
            for place, state in enumerate(states)
        ],
        returns=[
            {"call": "2", "caller": "Bo", "parker": "0003*210", "ringing": True, "since_us": NOW_US - 3_661 * S},
            {"call": "3", "caller": "Cy", "parker": "0003*211", "ringing": False, "since_us": NOW_US + S},
        ],
        day=day(calls=12_340, parked=12_341, refused=3, fetched=4, returned=5, lost=6, ended=7, queue=1_000, lot=8),
        refusals=[{"at_us": NOW_US - 61 * S, "caller": "Di", "parker": "0003*212", "lot": "0003"}],
        timeouts=[{"at_us": NOW_US, "caller": "Ed", "parker": "0003*213", "lot": "0003"}],
    )
    page = opened(shown)

    def rows(name):
        table = page.get_by_role("table", name=name)
        return [[cell.strip() for cell in row.inner_text().split("\t")] for row in table.get_by_role("row").all()]

    assert rows("Queue") == [["Caller", "Waiting"], ["Anna <1>", "1:15"]]
    assert rows("Attendants")[1:] == [
        *(["0003*210", "○ free", "0:00"], ["0003*211", "● talking", "0:01"], ["0003*212", "◆ ringing", "0:02"]),
        *(["0003*213", "◇ announcing", "0:03"], ["0003*214", "\u2013 off", "0:04"]),
    ]
    assert rows("Returning")[1:] == [["Bo", "0003*210", "◆ ringing", "1:01:01"], ["Cy", "0003*211", "… waits", "0:00"]]
    expect(page.get_by_role("heading", name="Attendants")).to_have_text("Attendants 1 of 5 free")
    counted = page.locator("#counters > div").evaluate_all(
        "boxes => boxes.map(box => [box.children[0].textContent, box.children[1].textContent])"
    )
    assert dict(counted) == {
        "calls": "12,340",
        "parked": "12,341",
        "refused": "3",
        "fetched": "4",
        "returned": "5",
        "gave up": "1,008",
        "lost": "6",
        "ended": "7",
    }
    expect(page.locator("#gave-up")).to_have_text("Gave up: 1,000 in the queue, 8 in the lot, 0 on the way back.")
    assert rows("Last refusals") == [["Caller", "Parker", "At"], ["Di", "0003*212", "17:58:59"]]
    assert rows("Last returns") == [["Caller", "Parker", "At"], ["Ed", "0003*213", "18:00:00"]]


def test_the_day_is_told_in_a_sentence_and_in_shares(opened, served):
    """Each share stands beside its objective, met or missed by word and sign; a sentence says how the day goes."""
    page = opened(picture(1, shares=SHARES, headline=BAD))
    expect(page.locator("#headline")).to_have_text(f"✕ {BAD['text']}")
    tiles = page.get_by_role("list", name="Shares since midnight").get_by_role("listitem")
    assert [" ".join(tile.split()) for tile in tiles.all_text_contents()] == [
        "2.2 % ✕ missed parks refused because the lot is full wanted < 1 % 4 of 182",
        "90.8 % ✓ met calls answered within the target wanted > 80 % 1,258 of 1,384",
        "\u2013 not measured wait for an answer, not exceeded by 95 % wanted < 30 s",
        "0 % calls dropped by the switchboard, without hang-ups 0 of 284",
        "\u2013 parked callers who hang up",
    ]
    served.show(picture(9, shares=[SHARES[2] | {"measured": True}], headline=BAD))
    expect(tiles.first).to_contain_text("no value yet", timeout=WITHIN_MS)
    good = {"state": "good", "text": "The day goes well: the objective is met so far."}
    grounds = [page.locator("#headline").evaluate("e => getComputedStyle(e).backgroundColor")]
    served.show(picture(2, shares=SHARES[1:2], headline=good))
    expect(page.locator("#headline")).to_have_text(f"✓ {good['text']}", timeout=WITHIN_MS)
    expect(tiles).to_have_count(1)
    grounds.append(page.locator("#headline").evaluate("e => getComputedStyle(e).backgroundColor"))
    assert grounds[0] != grounds[1]


def test_reconnecting_restores_the_picture(opened, served):
    """When the stream ends the board says so and goes on; when it is back, it shows what is there now."""
    page = opened(picture(1, [stay("7", 95, now_us=NOW_US), None]))
    expect(page.locator(".slot").nth(0)).to_contain_text("Caller 7")
    served.newest = picture(9, [None, stay("8", 95, now_us=NOW_US)])
    served.cut()
    # All of it in one look: a busy machine may be connected again before a second one.
    waiting = page.locator("body[class='roomy stale'] #connection[data-state='reconnecting']")
    expect(waiting).to_have_text(re.compile(r"Reconnecting for 0:0\d"))
    expect(page.locator("#connection")).to_have_text("Live")
    expect(page.locator(".slot").nth(1)).to_contain_text("Caller 8", timeout=WITHIN_MS)
    expect(page.locator(".slot").nth(0)).to_contain_text("free")
    assert page.locator("body").get_attribute("class") == "roomy"


def test_who_is_not_let_in_is_told_what_to_do(browser, served):
    """Without the cookie the board names the way in, and comes to life once it is let in."""
    served.lets_in = False
    context = browser.new_context()
    page = context.new_page()
    page.goto(served.address)
    expect(page.locator("#connection")).to_have_text("Not let in: open the link that the server printed")
    served.lets_in = True
    expect(page.locator("#connection")).to_have_text("Live", timeout=5_000)
    context.close()


def test_refused_parks_flash_and_stay_readable(opened, served):
    """A refusal is named with its number and instant, flashes, stays for seconds, then goes; the count remains."""

    def refused(number, count):
        return picture(number, [], counters=picture()["counters"] | {"refused": count}, day=day(refused=count))

    page = opened(refused(1, 5), clock=True)
    line, box = page.locator("#refusal"), page.locator("#counters > div", has_text="refused")
    expect(line).to_be_hidden()
    served.show(refused(2, 7))
    expect(line).to_have_text("2 parks refused at 18:00:00", timeout=WITHIN_MS)
    expect(box).to_have_class("just")
    assert line.evaluate("line => line.getAnimations().length") == 1
    served.show(refused(3, 8))
    expect(line).to_have_text("Park refused at 18:00:00", timeout=WITHIN_MS)
    page.clock.fast_forward(5_000)
    expect(line).to_be_visible()
    page.clock.fast_forward(5_000)
    expect(line).to_be_hidden()
    expect(box).not_to_have_class("just")
    expect(box).to_contain_text("8")


def test_less_motion_means_none(opened, served):
    """Who prefers less motion sees the refusal without the flashing."""
    page = opened(picture(1), reduced_motion="reduce")
    served.show(picture(2, counters=picture()["counters"] | {"refused": 1}))
    expect(page.locator("#refusal")).to_have_text("Park refused at 18:00:00", timeout=WITHIN_MS)
    assert page.evaluate("document.getAnimations().length") == 0


@pytest.mark.parametrize("width", [360, 1440])
def test_hostile_text_is_inert(opened, width):
    """Whatever callers, parkers, lots, extensions and scenarios are called, it is text, and the layout holds."""
    slots = [stay(str(place), 95, now_us=NOW_US, caller=text) | {"parker": text} for place, text in enumerate(HOSTILE)]
    shown = picture(
        1,
        name=HOSTILE[5],
        lots=[{"name": text, "first": 701, "slots": slots} for text in HOSTILE],
        queue=[{"call": text, "caller": text, "since_us": 0} for text in HOSTILE],
        attendants=[{"extension": text, "state": text, "call": text, "since_us": 0} for text in HOSTILE],
        returns=[{"call": text, "caller": text, "parker": text, "ringing": True, "since_us": 0} for text in HOSTILE],
    )
    page = opened(shown, viewport={"width": width, "height": 740})
    expect(page.locator(".slot")).to_have_count(len(HOSTILE) ** 2)
    assert page.locator("img, b, body script").count() == 0
    assert page.locator("#slots .slot .caller bdi").nth(0).text_content() == HOSTILE[0]
    assert not re.search("[\u0000-\u0008\u202a-\u202e\u2066-\u2069]", page.locator("body").inner_text())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    outside = page.evaluate(
        "[...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1 "
        "&& !e.closest('.slot, td, .unseen')).map(e => e.outerHTML.slice(0, 80))"
    )
    assert outside == []


def test_the_policy_is_in_force(opened):
    """The page lives under the policy that the server sends: what is inline does not run, elsewhere is not asked."""
    page = opened()
    page.evaluate("""() => {
        window.violations = [];
        document.addEventListener('securitypolicyviolation', event => violations.push(event.violatedDirective));
    }""")
    assert page.evaluate("fetch('/board.css').then(answer => answer.headers.get('content-security-policy'))") == POLICY
    text = files("parksim").joinpath("server", "board", "board.html").read_text()
    assert not re.search(r"<style|style=|\son\w+=|<script(?! src=\"/board\.js\" defer></script>)|https?:", text)


def test_without_javascript_a_sentence_says_so(opened):
    """Where scripts are switched off, the page says what is needed."""
    page = opened(java_script_enabled=False, wait=False)
    notice = page.locator("noscript .notice")
    expect(notice).to_be_visible()
    assert notice.text_content().startswith("This board needs JavaScript")


@pytest.mark.parametrize("slots", [0, 6, 20, 100])
def test_nothing_scrolls_sideways_on_a_telephone(opened, slots):
    """At a width of 360 pixels all is to be had by scrolling down, and no countdown is cut."""
    stays = [stay(str(place), (12, 95, 0, 4_000)[place % 4], now_us=NOW_US) for place in range(slots)]
    counts = day(**dict.fromkeys((*COUNTED, "queue", "lot", "return"), 123_456))
    page = opened(
        picture(1, stays, day=counts, shares=SHARES, headline=BAD, running=False),
        viewport={"width": 360, "height": 740},
    )
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    cut = "[...document.querySelectorAll('.slot .left')].filter(e => e.scrollWidth > e.clientWidth + 1).length"
    page.evaluate("document.querySelectorAll('.slot').forEach(e => e.style.contentVisibility = 'visible')")
    assert page.evaluate(cut) == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_suffices_in_the_light_and_in_the_dark(opened, served, scheme):
    """Every text has a contrast of at least 4.5 to its ground (WCAG 2.2, 1.4.3 AA); the dark is dark."""
    stays = [None, *(stay(str(left), left, now_us=NOW_US) for left in (95, 12, 0, None))]
    attendants = [
        {"extension": state, "state": state, "call": None, "since_us": 0} for state in ("free", "ringing", "off")
    ]
    shown = picture(1, stays, attendants=attendants, shares=SHARES, headline=BAD)
    page = opened(shown, color_scheme=scheme, reduced_motion="reduce")
    served.show(shown | {"id": 2, "counters": picture()["counters"] | {"refused": 1}})
    expect(page.locator("#refusal")).to_be_visible()
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) > 40
    assert [found for found in contrasts if found[0] < 4.5] == []
    red = int(re.findall(r"\d+", page.evaluate("getComputedStyle(document.body).backgroundColor"))[0])
    assert red < 64 if scheme == "dark" else red > 192
    served.cut()
    expect(page.locator("#connection")).to_have_attribute("data-state", "reconnecting")
    assert [found for found in page.evaluate(CONTRASTS) if found[0] < 4.5] == []


def test_the_keyboard_reaches_every_part(opened):
    """Tab reaches the skip links in turn, visibly, and each leads to its part of the page."""
    page = opened(picture(1, [None] * 6))
    for name, part in (
        ("The day", "today"),
        ("Slots", "slots"),
        ("The last two hours", "trend"),
        ("Returning calls", "returning"),
        ("Attendants", "attendants"),
        ("Queue", "queue"),
    ):
        page.evaluate("document.activeElement.blur(); getSelection().removeAllRanges(); scrollTo(0, 0)")
        link = page.get_by_role("link", name=name)
        for _ in range(10):
            page.keyboard.press("Tab")
            if link.evaluate("link => link === document.activeElement"):
                break
        assert link.evaluate("link => getComputedStyle(link.parentElement).clipPath") == "none"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == part


def test_roles_and_names(opened):
    """Landmarks, headings, lists and tables have the roles and names by which a screen reader finds them."""
    page = opened(picture(1, [None, stay("7", 95, now_us=NOW_US)], queue=[{"call": "1", "caller": "A", "since_us": 0}]))
    assert page.locator("html").get_attribute("lang") == "en"
    for role in ("banner", "main", "navigation", "status"):
        assert page.get_by_role(role).count() == 1, role
    assert page.get_by_role("heading", level=1).all_inner_texts() == ["Hospital switchboard, weekday"]
    headings = [text.split()[0] for text in page.get_by_role("heading", level=2).all_inner_texts()]
    assert headings == ["Since", "Lot", "The", "Returning", "Attendants", "Queue", "Last", "Last"]
    for name in (
        "The day",
        "Slots",
        "Lot 0003",
        "Returning",
        "Attendants",
        "Queue",
        "The last two hours",
        "Last refusals",
        "Last returns",
    ):
        assert page.get_by_role("region", name=re.compile(f"^{name}")).count() == 1, name
    assert page.get_by_role("list", name="Lot 0003").get_by_role("listitem").count() == 2
    assert page.get_by_role("table", name="Queue").get_by_role("columnheader").all_inner_texts() == [
        "Caller",
        "Waiting",
    ]
    identifiers = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(identifiers) == len(set(identifiers))
    named = page.evaluate("""[...document.querySelectorAll('[aria-labelledby]')].map(e =>
        document.getElementById(e.getAttribute('aria-labelledby'))?.textContent.trim())""")
    assert named
    assert all(named)
    assert page.title() == "1 parked \u2013 Hospital switchboard, weekday"


def test_news_is_spoken_but_not_chattered(opened, served):
    """Parks, returns and refusals are told together; twenty pictures within a second make no more of it."""
    page = opened(picture(1, [None] * 30), clock=True)
    page.evaluate("""() => {
        window.spoken = [];
        new MutationObserver(() => spoken.push(document.getElementById('spoken').textContent))
            .observe(document.getElementById('spoken'), {childList: true, characterData: true, subtree: true});
    }""")
    served.show(
        picture(
            2,
            [stay("a", 95, now_us=NOW_US), *[None] * 29],
            returns=[{"call": "b", "caller": "B", "parker": "0003*210", "ringing": True, "since_us": 0}],
            counters=picture()["counters"] | {"refused": 2},
            headline=BAD,
        )
    )
    expect(page.get_by_role("status")).to_have_text(
        f"{BAD['text']} Parked in 701. Time up, returning to 0003*210. 2 parks refused.", timeout=WITHIN_MS
    )
    for number in range(3, 23):
        further = [stay(str(place), 95, now_us=NOW_US) for place in range(number)]
        slots = [stay("a", 95, now_us=NOW_US), *further, *[None] * (29 - number)]
        served.show(picture(number, slots, headline=BAD))
        page.wait_for_timeout(50)
    assert page.evaluate("spoken.length") == 1
    page.clock.fast_forward(5_000)
    expect(page.get_by_role("status")).to_have_text("22 calls parked.")
    assert page.evaluate("spoken.length") == 2


def test_five_thousand_calls_are_no_flood(opened, served):
    """Of 5,000 parked and 5,000 queued calls the page draws the most urgent and the first, and counts the others."""

    def crowd(number):
        stays = [stay(f"{number}-{place}", 5_094 - place, now_us=NOW_US) for place in range(5_000)]
        queued = [{"call": str(place), "caller": f"Q{place}", "since_us": 0} for place in range(5_000)]
        return picture(number, [None, *stays], queue=queued)

    page = opened(crowd(1))
    for number in range(2, 12):
        served.show(crowd(number))
    slots = page.locator(".slot")
    expect(slots).to_have_count(400)
    expect(slots.last).to_contain_text("slot 5701 1:3")
    expect(slots.last).to_contain_text("Caller 11-4999")
    expect(slots.first).to_contain_text("slot 5302")
    expect(page.locator(".lot h2")).to_have_text("Lot 0003 5,000 of 5,001 taken")
    expect(page.locator(".lot .more")).to_contain_text("and 4,601 more slots")
    assert page.locator("#queue tbody tr").count() == 50
    expect(page.locator("#queue .more")).to_have_text("and 4,950 more")


def test_the_server_serves_these_files():
    """The server answers ``/`` with the page, and the files that it names by their paths."""
    app = pytest.importorskip("parksim.server.app")
    pages = app.board_pages()
    assert set(pages) == {"/", "/board.js", "/board.css", "/board.svg"}
    with stage() as staged:
        assert {path: page.body for path, page in pages.items()} == {path: staged.pages[path] for path in pages}
