"""From a slider's movement to new numbers, in the page that plays: milliseconds, measured in the page by itself.

``python -m tests.speed.play`` makes the page of 30 hospital days, opens it in headless Chromium, moves sliders of
slots, time-out and attendants to values that were not tried before, one movement after the answer to the last one, and
prints the median and the 95 % quantile of the time to the first numbers (5 replications) and to all (30).
"""

import tempfile
from pathlib import Path

import parksim
from tests.chromium import chromium

ROOT = Path(__file__).parents[2]

MOVES = {
    "Slots of the lot": (1, 2, 3, 5, 6, 7, 8, 9, 10),
    "Time-out, seconds": (60, 75, 90, 105, 120, 135, 150, 200, 240),
    "Attendants": (2, 4, 5, 6, 7, 8),
}


def quantile(values, share):
    """Return a quantile: the least value that is not exceeded by this share."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def measured(page, path):
    """Move the sliders and return the milliseconds of each movement, by what was waited for."""
    page.goto(path.as_uri())
    page.locator("#play[data-done='1']").wait_for(timeout=120_000)
    number, start = 1, page.evaluate("performance.getEntriesByType('measure').map((one) => [one.name, one.duration])")
    page.evaluate("performance.clearMeasures()")
    for name, values in MOVES.items():
        slider = page.get_by_role("slider", name=name, exact=True)
        for value in values:
            slider.fill(str(value))
            number += 1
            page.locator(f"#play[data-done='{number}']").wait_for(timeout=120_000)
    found = page.evaluate("performance.getEntriesByType('measure').map((one) => [one.name, one.duration])")
    return start, {kind: [duration for name, duration in found if name == kind] for kind in dict(found)}


def main():
    """Print the table."""
    from playwright.sync_api import sync_playwright

    scenario = parksim.Scenario.load(ROOT / "scenarios" / "hospital.toml")
    study = parksim.study(scenario, 30, seed=1)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "hospital.html"
        study.report(path, play=True)
        with chromium(playwright) as browser:
            start, found = measured(browser.new_page(viewport={"width": 1280, "height": 900}), path)
        size = path.stat().st_size
    print(f"page: {size / 1e6:.2f} MB; at its start {', '.join(f'{name} {ms:.0f} ms' for name, ms in start)}")
    for kind, durations in found.items():
        median, slow = quantile(durations, 0.5), quantile(durations, 0.95)
        print(f"{kind:>14}: median {median:4.0f} ms, 95 % {slow:4.0f} ms, of {len(durations)} movements")


if __name__ == "__main__":
    main()
