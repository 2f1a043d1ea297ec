"""The board's controls in a real browser: time and calls by pointer and keyboard, for whom they are shown, refusals."""

import re

import pytest
from board_stage import picture, stay

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install '.[browser]'")
expect = sync_api.expect

NOW_US = picture()["now_us"]
EVERYTHING = {"time": True, "calls": True}
ATTENDANTS = [
    {"extension": "0003*201", "state": "talking", "call": "c1", "since_us": NOW_US},
    {"extension": "0003*202", "state": "free", "call": None, "since_us": NOW_US},
    {"extension": "0003*203", "state": "ringing", "call": "c3", "since_us": NOW_US},
]
PLACED = [{"call": "c4", "caller": "555", "extension": "0003*204", "since_us": NOW_US}]


@pytest.fixture(params=[(1280, "light"), (390, "dark")], ids=["desk", "phone"])
def page(opened, served, request):
    """A board with two parked calls and two in hand, whose viewer may do everything; on a desk and on a phone."""
    width, scheme = request.param
    served.may = EVERYTHING
    slots = [stay("s1", 95, now_us=NOW_US), None, stay("s3", 120, now_us=NOW_US)]
    shown = picture(1, slots, attendants=ATTENDANTS, placed=PLACED)
    page = opened(shown, viewport={"width": width, "height": 844}, color_scheme=scheme, has_touch=width < 500)
    expect(page.locator("#pause")).to_be_visible()
    return page


def wait_for(page, served, commands):
    """Wait until these commands, and no others, have come to the server."""
    for _ in range(100):
        if len(served.commanded) >= len(commands):
            break
        page.wait_for_timeout(20)
    assert served.commanded == commands


@pytest.mark.parametrize(
    ("may", "time", "calls"),
    [({"time": False, "calls": False}, False, 0), ({"time": False, "calls": True}, False, 4), (EVERYTHING, True, 4)],
)
def test_controls_are_shown_to_who_may_use_them(opened, served, may, time, calls):
    """Who may do nothing sees a board without a button; the calls' buttons and time's are told apart."""
    served.may = may
    slots = [stay("s1", 95, now_us=NOW_US), None, stay("s3", 120, now_us=NOW_US)]
    page = opened(picture(1, slots, attendants=ATTENDANTS, placed=PLACED))
    page.wait_for_function("document.querySelectorAll('.slot').length === 3")
    page.wait_for_timeout(300)
    assert page.locator("#pause").is_visible() == page.locator("#speed").is_visible() == time
    assert page.locator("button.act:visible").count() == calls


def test_time_by_pointer_and_keyboard(page, served):
    """Pause, resume, and the speed: a command each; what the picture says then is what is shown."""
    page.click("#pause")
    wait_for(page, served, [{"command": "pause"}])
    served.show(picture(2, paused=True, rate=30.0))
    expect(page.locator("#pause")).to_have_text("Resume")
    expect(page.locator("#rate")).to_have_text("paused")
    expect(page.locator("#speed")).to_have_value("30")
    first = page.locator("#clock").inner_text()
    page.wait_for_timeout(500)
    assert page.locator("#clock").inner_text() == first
    page.locator("#pause").focus()
    page.keyboard.press("Enter")
    wait_for(page, served, [{"command": "pause"}, {"command": "run", "rate": 30}])
    served.show(picture(3, rate=30.0))
    expect(page.locator("#pause")).to_have_text("Pause")
    page.keyboard.press("Tab")
    page.keyboard.press("End")
    wait_for(page, served, [{"command": "pause"}, {"command": "run", "rate": 30}, {"command": "run", "rate": 600}])
    rates = page.locator("#speed option").evaluate_all("options => options.map(option => option.value)")
    assert rates == ["1", "2", "5", "10", "30", "60", "120", "300", "600"]
    served.show(picture(4, rate=7.5))
    expect(page.locator("#speed")).to_have_value("7.5")
    served.refuses = "Only a token of scope global moves the time."
    page.click("#pause")
    expect(page.locator("#time-said")).to_have_text(served.refuses)


def test_a_parked_call_by_pointer(page, served):
    """A taken slot opens its commands; retrieving it names the telephone; the dialog closes and the news tells it."""
    page.locator(".slot").nth(0).click()
    dialog = page.get_by_role("dialog", name="Slot 701, Caller s1 <0201s1>")
    assert dialog.get_by_role("button").all_inner_texts() == ["Retrieve to 0003*210", "Hang up", "Leave it"]
    dialog.get_by_role("button", name="Retrieve").click()
    wait_for(page, served, [{"command": "retrieve", "call": "s1"}])
    expect(page.locator("#act")).to_be_hidden()
    expect(page.get_by_role("status").last).to_contain_text("Slot 701, Caller s1 <0201s1>: its parker is rung.")
    page.locator(".slot").nth(1).click()
    expect(page.locator("#act")).to_be_hidden()
    assert len(served.commanded) == 1


def test_a_parked_call_by_keyboard(page, served):
    """Each taken slot is reached by Tab and says what it opens; Escape leaves it, Enter hangs up, the focus returns."""
    button = page.get_by_role("button", name="Slot 703, Caller s3 <0201s3>: retrieve or hang up")
    for _ in range(30):
        page.keyboard.press("Tab")
        if button.evaluate("button => button === document.activeElement"):
            break
    page.keyboard.press("Enter")
    expect(page.locator("#act")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#act")).to_be_hidden()
    assert button.evaluate("button => button === document.activeElement")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    wait_for(page, served, [{"command": "hang_up", "call": "s3"}])


@pytest.mark.parametrize(
    ("row", "call", "title"), [("#attendants tr", "c1", "Call at 0003*201"), ("#placed tr", "c4", "Call at 0003*204")]
)
def test_a_call_in_hand(page, served, row, call, title):
    """Of attendants that talk, and of clients' calls, a button opens park and hang up; of others there is none."""
    page.locator(row).nth(1).get_by_role("button", name=f"{title}: park or hang up").click()
    dialog = page.get_by_role("dialog", name=title)
    assert dialog.get_by_role("button").all_inner_texts() == ["Park", "Hang up", "Leave it"]
    dialog.get_by_role("button", name="Park").click()
    wait_for(page, served, [{"command": "park", "call": call}])
    assert page.locator("#attendants tbody tr").nth(1).get_by_role("button").count() == 0
    assert page.locator("#attendants tbody tr").nth(2).get_by_role("button").count() == 0


def test_what_is_refused_is_said(page, served):
    """A refused command leaves the dialog open with the server's reason, as an alert."""
    served.refuses = "The parking lot is full."
    page.locator("#attendants tr").nth(1).get_by_role("button").click()
    page.get_by_role("button", name="Park", exact=True).click()
    expect(page.locator("#act").get_by_role("alert")).to_have_text("The parking lot is full.")
    expect(page.locator("#act")).to_be_visible()
    page.get_by_role("button", name="Leave it").click()
    expect(page.locator("#act")).to_be_hidden()


def test_a_call_that_leaves_meanwhile(page, served):
    """When the call of the open dialog is gone, the dialog says so and commands nothing."""
    page.locator(".slot").nth(0).click()
    served.show(picture(2, [None, None, stay("s1x", 95, now_us=NOW_US)]))
    expect(page.locator("#act-said")).to_have_text("This call is not there any more.")
    expect(page.get_by_role("button", name="Hang up", exact=True)).to_be_disabled()
    page.get_by_role("button", name="Leave it").click()
    assert served.commanded == []
    page.locator(".slot").nth(2).click()
    expect(page.get_by_role("button", name="Hang up", exact=True)).to_be_enabled()


@pytest.mark.parametrize("width", [390, 1280])
def test_buttons_are_large_enough(opened, served, width):
    """Every control is at least 24 by 24 pixels (WCAG 2.2, 2.5.8), and in the dialog 44 high, on a phone as well."""
    served.may = EVERYTHING
    slots = [stay(str(place), 95, now_us=NOW_US) for place in range(200)]
    page = opened(picture(1, slots, attendants=ATTENDANTS), viewport={"width": width, "height": 800})
    expect(page.locator("#pause")).to_be_visible()
    page.evaluate("document.querySelectorAll('.slot').forEach(e => e.style.contentVisibility = 'visible')")
    page.locator(".slot").nth(7).click()
    sizes = page.evaluate("""[...document.querySelectorAll('button, select')].filter(e => e.checkVisibility())
        .map(e => [e.offsetWidth, e.offsetHeight, !!e.closest('dialog')])""")
    assert len(sizes) > 200
    assert [size for size in sizes if min(size[:2]) < 24 or (size[2] and size[1] < 44)] == []
    box = page.locator("#act").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert re.match("Slot 708", page.locator("#act-title").inner_text())
