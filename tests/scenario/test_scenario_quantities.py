"""The grammar of durations, rates and shares."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parksim.scenario.quantities import LONGEST_S, UnfitError, duration_s, microseconds, rate_per_s, share


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (0, 0),
        (45, 45),
        (4.5, 4.5),
        ("45s", 45),
        ("0s", 0),
        ("2m30s", 150),
        ("2m 30s", 150),
        ("30 s", 30),
        ("2min", 120),
        ("2 minutes", 120),
        ("1 minute", 60),
        ("90 seconds", 90),
        ("45sec", 45),
        ("1 day", 86_400),
        ("2 days 3 hours", 183_600),
        ("1 hr 30 mins", 5400),
        ("5 milliseconds", 0.005),
        ("1h", 3600),
        ("1d", 86_400),
        ("1d2h3m4s5ms", 93_784.005),
        ("500ms", 0.5),
        ("1m500ms", 60.5),
        ("0.1s", 0.1),
        ("1.5h", 5400),
        ("PT45S", 45),
        ("PT2M30.5S", 150.5),
        ("P1D", 86_400),
        ("P1DT1H", 90_000),
        ("PT0.000001S", 0.000001),
        (LONGEST_S, 1e9),
    ],
)
def test_durations(written, seconds):
    """Numbers of seconds, units from days to milliseconds, and ISO 8601."""
    assert duration_s(written) == seconds


@pytest.mark.parametrize(
    "written",
    [
        *(
            "",
            " ",
            "s",
            "P",
            "PT",
            "P1",
            "PT1",
            "45",
            "45 second s",
            "45secnds",
            "1s1m",
            "1h1h",
            "-5s",
            "+5s",
            "1e3s",
            "5S",
        ),
        *(
            "٣s",
            "\uff13s",
            "1_0s",
            "0x10s",
            ".5s",
            "5.s",
            "5s\n",
            "pt5s",
            "P1Y",
            "P1M",
            "1w",
            "nan",
            "inf",
            "unlimited",
        ),
        *("9" * 100 + "s", True, False, None, [], {}, float("nan"), float("inf"), -1, -0.001, 1e9 + 1, 10**400),
    ],
)
def test_what_is_no_duration_is_refused(written):
    """Each is refused with a next step, none is guessed at."""
    with pytest.raises(UnfitError) as caught:
        duration_s(written)
    assert caught.value.rule
    assert caught.value.step


@given(st.integers(0, 10**15))
def test_microseconds_survive_the_way_through_seconds(us):
    """Every whole number of microseconds up to the longest duration returns from its text unchanged."""
    text = f"{Decimal(us) / 1_000_000:f}s"
    assert microseconds(duration_s(text)) == us


@pytest.mark.parametrize(
    ("written", "per_s"),
    [
        ("120/h", 120 / 3600),
        ("2/min", 2 / 60),
        ("2/m", 2 / 60),
        ("0.2/s", 0.2),
        ("86400/d", 1),
        ("120/hour", 1 / 30),
        ("120 per hour", 1 / 30),
        ("2/minute", 1 / 30),
        ("5 per second", 5),
        (" 3 / s ", 3),
    ],
)
def test_rates(written, per_s):
    """A number, a slash and a unit."""
    assert rate_per_s(written) == per_s


@pytest.mark.parametrize(
    "written",
    ["", "120", "/h", "120/", "120/y", "-1/h", "0/h", "1e400/h", "nan/h", "٣/h", 120, 0.2, True, None, ["1/h"]],
)
def test_what_is_no_rate_is_refused(written):
    """A rate without its unit, or of nothing, is refused with a next step."""
    with pytest.raises(UnfitError) as caught:
        rate_per_s(written)
    assert caught.value.step


@pytest.mark.parametrize(
    ("written", "part"),
    [
        (0, 0),
        (1, 1),
        (0.6, 0.6),
        ("5%", 0.05),
        ("0.1 %", 0.001),
        ("100%", 1),
        ("5 percent", 0.05),
        ("5 per cent", 0.05),
    ],
)
def test_shares(written, part):
    """A number from 0 to 1, or per cent."""
    assert share(written) == part


@pytest.mark.parametrize(
    "written", ["", "%", "5", "101%", "-1%", "5 in a hundred", 1.01, -0.01, True, None, float("nan")]
)
def test_what_is_no_share_is_refused(written):
    """Anything outside 0 to 1 and any other text is refused with a next step."""
    with pytest.raises(UnfitError) as caught:
        share(written)
    assert caught.value.step
