"""The board's alerts in a real browser: a full lot, stays that end soon, the sound, and what was missed meanwhile."""

import re

import pytest
from board_stage import CONTRASTS, S, picture, stay

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install '.[browser]'")
expect = sync_api.expect

NOW_US = picture()["now_us"]
LISTEN = """() => {
    window.told = [];
    window.tones = 0;
    new MutationObserver(() => told.push(document.getElementById('alarm').textContent))
        .observe(document.getElementById('alarm'), {childList: true, characterData: true, subtree: true});
    const make = AudioContext.prototype.createOscillator;
    AudioContext.prototype.createOscillator = function () { tones += 1; return make.call(this); };
}"""
"""Keeps what is announced, and counts the tones."""


def slots(*lefts):
    """Return slots whose stays end in so many seconds; None is a free one."""
    return [left and stay(str(place), left, now_us=NOW_US, parked_s=600) for place, left in enumerate(lefts)]


def test_a_full_lot_is_seen_and_told_once(opened, served):
    """The bar stands while the lot is full; it is announced when it becomes full, and anew the next time."""
    page = opened(picture(1, slots(95, None)), clock=True)
    page.evaluate(LISTEN)
    bar = page.locator("#alert")
    expect(bar).to_be_hidden()
    served.show(picture(2, slots(95, 95)))
    expect(bar).to_have_text("Lot 0003 is full")
    expect(bar).to_have_attribute("data-state", "full")
    assert page.locator("#alarm").get_attribute("aria-live") == "assertive"
    served.show(picture(3, slots(90, 90)))
    page.clock.fast_forward(6_000)
    assert page.evaluate("told") == ["Lot 0003 is full."]
    served.show(picture(4, slots(None, 90)))
    expect(bar).to_be_hidden()
    served.show(picture(5, slots(90, 90)))
    expect(bar).to_be_visible()
    assert page.evaluate("told") == ["Lot 0003 is full."] * 2
    assert page.evaluate("tones") == 0


def test_of_two_lots_each_is_told(opened, served):
    """Each full lot is named; a lot without slots is not full."""
    lots = [{"name": name, "first": 1, "slots": shown} for name, shown in (("A", slots(95)), ("B", [None]), ("C", []))]
    page = opened(picture(1, lots=lots))
    expect(page.locator("#alert")).to_have_text("Lot A is full")
    lots[1]["slots"] = slots(None, 90)[1:]
    served.show(picture(2, lots=lots))
    expect(page.locator("#alert")).to_have_text("Lot A is full · Lot B is full")


def test_a_stay_that_ends_soon(opened):
    """Half a minute before its time is up the bar says so, with the time that is left; the most urgent come first."""
    page = opened(picture(1, slots(40, 32, 31, None)), clock=True)
    page.evaluate(LISTEN)
    bar = page.locator("#alert")
    expect(bar).to_be_hidden()
    page.clock.run_for(1_500)
    expect(bar).to_have_text("Slot 703: time up in 0:30")
    expect(bar).to_have_attribute("data-state", "ending")
    page.clock.run_for(10_000)
    expect(bar).to_have_text("Slot 703: time up in 0:20 · Slot 702: time up in 0:21 · and 1 more")
    assert page.evaluate("told") == [
        "Slot 703: time up in 0:30.",
        "Slot 702: time up in 0:26.",
        "Slot 701: time up in 0:29.",
    ]
    page.clock.run_for(21_500)
    expect(bar).to_have_text("Slot 701: time up in 0:07")


@pytest.mark.parametrize("changes", [{"rate": 10.1}, {"paused": True}, {"running": False}])
def test_no_alert_where_nobody_could_act(opened, changes):
    """At more than ten times real time, and while time stands, a stay that ends soon is no alert; a full lot is."""
    page = opened(picture(1, slots(900, 25, None), **changes))
    expect(page.locator(".slot.soon, .slot.over")).to_have_count(1)
    expect(page.locator("#alert")).to_be_hidden()


def test_many_alerts_are_one_sentence(opened):
    """More than three at once are counted, and the most urgent is named."""
    page = opened(picture(1, slots(*range(5, 29), None)))
    expect(page.locator("#alarm")).to_have_text("24 alerts. Slot 701: time up in 0:05.")


def test_the_sound_is_heard_where_it_is_wanted(opened, served):
    """Off at first; switched on by the keyboard it sounds at once and with each announcement, and stays on."""
    page = opened(picture(1, slots(95, None)), clock=True)
    page.evaluate(LISTEN)
    button = page.get_by_role("button", name="Sound")
    assert button.get_attribute("aria-pressed") == "false"
    button.press("Space")
    expect(button).to_have_text("Sound on")
    assert button.get_attribute("aria-pressed") == "true"
    assert page.evaluate("tones") == 2
    served.show(picture(2, slots(95, 95)))
    expect(page.locator("#alert")).to_be_visible()
    assert page.evaluate("tones") == 4
    page.reload()
    expect(page.get_by_role("button", name="Sound")).to_have_text("Sound on after a click")
    page.locator("h1").click()
    expect(page.get_by_role("button", name="Sound")).to_have_text("Sound on")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "false")


COUNTERS = picture()["counters"]


@pytest.mark.parametrize(
    ("later", "words"),
    [
        (
            {
                "counters": COUNTERS | {"offered": 12, "refused": 1, "expired": 3, "abandoned": 1},
                "now_us": NOW_US + 65 * S,
            },
            r"Missed from 18:00:00 to 18:01:05: 12 calls, 1 refusal, 3 returns, 1 caller who gave up\.",
        ),
        (
            {"begun_s": 2.0, "resumed_after_us": 300 * S, "now_us": NOW_US + 310 * S},
            r"The server was started again; for 5:00 of simulated time there was none\. Missed .*: nothing\.",
        ),
        ({"begun_s": 2.0}, r"The server was started again\. Missed from 18:00:00 to 18:00:00: nothing\."),
        ({"begun_s": 2.0, "now_us": 0}, r"The server was started anew, without the calls of before\."),
    ],
)
def test_what_was_missed_is_said(opened, served, later, words):
    """After a break the board says how long it was and what happened in it, until it is told to go."""
    page = opened(picture(1, slots(600, None)))
    served.newest = picture(2, slots(600, None), **later)
    served.cut()
    notice = page.locator("#missed")
    expect(notice).to_have_text(re.compile(rf"^\s*Back after 0:\d\d\. {words} Close\s*$"))
    words = notice.locator("span").inner_text()
    expect(page.get_by_role("status").last).to_contain_text(words, timeout=10_000)  # "Reconnecting" was told before
    page.get_by_role("button", name="Close").press("Enter")
    expect(page.locator("#missed")).to_be_hidden()


def test_a_short_break_without_news_is_not_worth_a_word(opened, served):
    """The stream was cut for a moment and nothing has happened: no notice."""
    page = opened(picture(1, slots(600, None)))
    served.cut()
    expect(page.locator("body.stale")).to_have_count(1)
    expect(page.locator("body.stale")).to_have_count(0)
    page.wait_for_timeout(300)
    expect(page.locator("#missed")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("left", [95, 12])
def test_alerts_are_legible_and_hide_nothing_for_good(opened, served, scheme, left):
    """Both kinds of alert, the notice and the controls have a contrast of 4.5; the page's end scrolls above the bar."""
    served.may = {"time": True, "calls": True}
    page = opened(picture(1, slots(left, left)), color_scheme=scheme, viewport={"width": 390, "height": 844})
    served.newest = picture(2, slots(left, left), begun_s=2.0)
    served.cut()
    expect(page.locator("#missed")).to_be_visible()
    expect(page.locator("#alert")).to_be_visible()
    page.locator(".slot").first.click()
    assert [found for found in page.evaluate(CONTRASTS) if found[0] < 4.5] == []
    page.keyboard.press("Escape")
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    last = page.locator("#timeouts .nothing").bounding_box()
    assert last["y"] + last["height"] <= page.locator("#alert").bounding_box()["y"]
    assert page.evaluate("document.documentElement.scrollWidth") == 390
