"""The board's charts and lists in a real browser: every column, its number, its words, for one lot, two and many."""

import pytest
from board_stage import BAD, CONTRASTS, COUNTED, SHARES, S, day, picture, stay

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install '.[browser]'")
expect = sync_api.expect

TREND = {
    "column_us": 300 * S,
    "begin_us": 28_800 * S,  # 16:00 by the clock
    "refused": [0] * 20 + [2, 0, 1, 0, 0],
    "returned": [1] * 25,
    "waiting": [0.0] * 24 + [2.5],
    "taken": [[place / 8 for place in range(25)]],
}
NOW_US = 36_060 * S  # 18:01: the last column is a minute long


def heights(page, kind):
    """Return the share of its chart's height of each bar of a chart."""
    return page.locator(f"svg.{kind}").evaluate_all(
        "charts => charts.map(chart => [...chart.querySelectorAll('rect')].map(e => e.height.baseVal.value / 60))"
    )


def test_the_charts_have_the_values(opened):
    """Four charts of 25 columns: each as high as its value by the chart's upper edge, all in the table as numbers."""
    page = opened(picture(1, [None] * 4, trend=TREND, now_us=NOW_US, running=False))
    values = {"taken": (TREND["taken"][0], 4), "refused": (TREND["refused"], 2), "returned": (TREND["returned"], 1)}
    values["waiting"] = (TREND["waiting"], 3)
    for kind, (told, top) in values.items():
        (seen,) = heights(page, kind)
        assert seen == pytest.approx([one / top for one in told], abs=0.001)
    mean = (sum(range(24)) / 8 * 300 + 3 * 60) / (24 * 300 + 60)
    names = page.get_by_role("img").evaluate_all("charts => charts.map(chart => chart.getAttribute('aria-label'))")
    assert names == [
        f"Taken slots, mean {mean:.2f} of 4; most 3 in the five minutes from 18:00",
        "Refused parks, 3 in all; most 2 in the five minutes from 17:40",
        "Returned calls, 25 in all; most 1 in the five minutes from 16:00",
        "Waiting callers, mean 0.02; most 2.5 in the five minutes from 18:00",
    ]
    axis = page.locator("#charts .axis").first
    assert axis.locator("span").all_inner_texts() == ["16:00", "18:05"]
    assert page.locator("#numbers tbody tr").count() == 0
    page.get_by_text("The numbers of the charts").press("Enter")
    rows = page.locator("#numbers tr")
    expect(rows).to_have_count(26)
    cells = [row.locator("th, td").all_inner_texts() for row in rows.all()]
    assert cells[0] == ["From", "Taken slots", "Refused parks", "Returned calls", "Waiting callers"]
    assert cells[21] == ["17:40", "2.5", "2", "1", "0"]
    assert cells[25] == ["18:00", "3", "0", "1", "2.5"]


def test_a_chart_follows_the_pictures(opened, served):
    """A young day's columns stand on the right; the next picture's take their place, the open table's as well."""
    young = TREND | {name: TREND[name][-2:] for name in ("refused", "returned", "waiting")}
    young |= {"taken": [[1.0, 2.0]], "begin_us": 28_800 * S}
    page = opened(picture(1, [None] * 4, trend=young, now_us=28_800 * S + 330 * S, running=False))
    (seen,) = heights(page, "taken")
    assert seen == pytest.approx([0.25, 0.5])
    left = page.locator("svg.taken rect").first.evaluate("bar => bar.x.baseVal.value / 250")
    assert left == pytest.approx(23 / 25)
    assert page.locator("#charts .axis").first.locator("span").all_inner_texts() == ["14:05", "16:10"]
    page.get_by_text("The numbers of the charts").click()
    expect(page.locator("#numbers tbody tr")).to_have_count(2)
    served.show(picture(2, [None] * 4, trend=TREND, now_us=NOW_US, running=False))
    expect(page.locator("#numbers tbody tr")).to_have_count(25)
    assert len(heights(page, "taken")[0]) == 25


@pytest.mark.parametrize(("lots", "titles"), [(2, ["Taken, lot A", "Taken, lot B"]), (5, ["Taken slots"])])
def test_several_lots(opened, lots, titles):
    """Up to four lots have a chart each, against their own slots; the slots of more are added up."""
    shown = [{"name": "ABCDE"[place], "first": 1, "slots": [None] * (place + 1)} for place in range(lots)]
    trend = TREND | {"taken": [[0.5] * 25 for _ in range(lots)]}
    page = opened(picture(1, lots=shown, trend=trend, now_us=NOW_US, running=False))
    assert [text for text in page.locator("figcaption bdi").all_inner_texts() if "Taken" in text] == titles
    seen = heights(page, "taken")
    expected = [0.5 / (place + 1) for place in range(lots)] if lots == 2 else [0.5 * lots / (lots * (lots + 1) / 2)]
    assert [bars[0] for bars in seen] == pytest.approx(expected)


def lots_of(lots, slots):
    """Return lots of which every third slot is free and every fifth stay ends soon, if no lot is full."""
    return [
        {
            "name": f"000{3 + lot}",
            "first": 701 + 1_000 * lot,
            "slots": [
                None if place % 3 == 2 else stay(f"{lot}-{place}", 12 if place % 5 == 1 else 95, now_us=NOW_US)
                for place in range(slots)
            ],
        }
        for lot in range(lots)
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize(("lots", "slots"), [(1, 4), (1, 200), (2, 4), (2, 100)])
def test_the_board_holds_at_every_size(opened, served, lots, slots, width, scheme):
    """For 4 and 200 slots, one lot and two: nothing is cut off sideways, all is legible, the verdict comes first."""
    served.may = {"time": True, "calls": True}
    counts = day(**dict.fromkeys((*COUNTED, "queue", "lot", "return"), 12_345))
    listed = [{"at_us": NOW_US, "caller": "Caller <5550000269>", "parker": "0003*202", "lot": "0004"}] * 12
    trend = TREND | {"taken": [TREND["taken"][0]] * lots}
    shown = picture(1, lots=lots_of(lots, slots), trend=trend, now_us=NOW_US, day=counts, shares=SHARES, headline=BAD)
    shown |= {"refusals": listed, "timeouts": listed}
    page = opened(shown, viewport={"width": width, "height": 800}, color_scheme=scheme, reduced_motion="reduce")
    expect(page.locator("#alert")).to_be_visible()
    where = "0003*202, lot 0004" if lots == 2 else "0003*202"
    assert page.locator("#refusals td:nth-child(2), #timeouts td:nth-child(2)").all_inner_texts() == [where] * 24
    assert page.evaluate("document.documentElement.scrollWidth") == width
    outside = page.evaluate("""[...document.querySelectorAll('body *')]
        .filter(e => e.checkVisibility() && !e.closest('.slot, .unseen, .skip'))
        .filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML)""")
    assert outside == []
    covered = page.evaluate("""[...document.querySelectorAll('.share, figcaption, #counters > div')].filter(e =>
        e.scrollWidth > e.clientWidth + 1 || e.scrollHeight > e.clientHeight + 1).map(e => e.outerHTML)""")
    assert covered == []
    page.evaluate("document.querySelectorAll('.slot').forEach(e => e.style.contentVisibility = 'visible')")
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) > 100
    assert [found for found in contrasts if found[0] < 4.5] == []
    tops = [page.locator(place).first.bounding_box()["y"] for place in ("#headline", "#shares", "#counters")]
    assert tops == sorted(tops)
    assert tops[0] < 200
    if width == 1280:  # the first look has the verdict, the shares, the trend, and slots
        seen = ("#headline", "#shares", "#counters", ".slot", "svg.taken", "svg.waiting" if lots == 1 else "svg.taken")
        bottoms = [box["y"] + box["height"] for box in (page.locator(place).first.bounding_box() for place in seen)]
        assert max(bottoms) <= page.locator("#alert").bounding_box()["y"]
