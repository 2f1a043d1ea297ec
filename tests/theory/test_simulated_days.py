"""Days and hours that differ, simulated, against what is known of them: each test states its level and seed."""

import checks
import numpy as np
import pytest
import scipy.integrate
import scipy.stats

from parksim.scenario.laws import parse_law
from parksim.studies.formulas import formulas

DAY_S = 86_400
CALLS = 60
"""A day; so few that the calls' own randomness is as large as that of the days."""
CV = 0.2
DAYS = 1_000
SEED = 12


def of_one_day(cv):
    """Return what is expected of a day's mean occupancy and its variance, in a lot that starts empty and never fills.

    With parks at rate F r, each staying S, the mean over a day of length T is the sum over calls of min(S, T - u) / T,
    where u is the instant of the park. Given F it is compound Poisson. So by Campbell's theorem (Kingman, Poisson
    Processes, 1993, section 3.2) its mean is F m with m = r / T * integral of E min(S, a) da over [0, T], and its
    variance F v with v = r / T^2 * integral of E min(S, a)^2 da. By the law of total variance, F having the mean 1 and
    the variance cv^2,

        variance = v + cv^2 m^2.

    E min(S, a) is the integral of P(S > t) over [0, a], E min(S, a)^2 that of 2 t P(S > t); no stay is over 180 s here.
    """
    delay, limit_s = parse_law({"kind": "exponential", "mean": 60}), 180.0

    def moments(power):
        def below(a):
            return scipy.integrate.quad(
                lambda t: power * t ** (power - 1) * float(delay.survival(np.array([t]))[0]), 0, a
            )[0]

        return scipy.integrate.quad(below, 0, limit_s)[0] + (DAY_S - limit_s) * below(limit_s)

    rate = CALLS / DAY_S
    mean, own = rate / DAY_S * moments(1), rate / DAY_S**2 * moments(2)
    return mean, own, own + (cv * mean) ** 2


@pytest.mark.slow
def test_occupancy_varies_from_day_to_day_as_a_mixed_poisson():
    """1,000 days of the lot alone with 500 slots: mean and variance of a day's occupancy; level 1e-5 each, seed 12.

    Negative controls: without the days' part, and with cv 0.3, the variance would be refused.
    """
    mean, own, variance = of_one_day(CV)
    values = {"arrivals": {"kind": "poisson", "rate": f"{CALLS}/d", "busy_days": {"cv": CV}}, "lot.slots": 500}
    scenario = checks.scenario(
        "lot-only",
        values | {"retrieval.delay": {"kind": "exponential", "mean": 60}, "run.horizon": "1d", "run.warm_up": 0},
    )
    seen = checks.column(checks.simulated(scenario, DAYS, SEED), "occupancy_mean")
    limit = checks.bound(DAYS)
    assert abs(checks.score(seen - mean)) < limit
    squares = (seen - mean) ** 2
    assert abs(checks.score(squares - variance)) < limit
    assert abs(checks.score(squares - own)) > limit
    assert abs(checks.score(squares - own - (0.3 * mean) ** 2)) > limit


@pytest.mark.parametrize("busy", [{}, {"busy_days": {"cv": 0.3}}], ids=["days alike", "busy days"])
def test_requests_and_calls_have_their_hours(busy):
    """24 replications of a day, a share for each hour: calls and requests of every hour as expected; level 1e-5 each.

    Seed 13; the share that never comes back is that of the race, busy days or not.
    """
    arrivals = {"kind": "hourly", "calls_per_hour": [10 + 2 * hour for hour in range(24)]} | busy
    values = {"arrivals": arrivals, "parking.probability": [0.2, 0.4, 0.9, 0.6] * 6, "run.horizon": "1d"}
    scenario = checks.scenario("lot-only", values | {"run.warm_up": 0})
    truths = checks.known(scenario)
    assert {"calls_offered_by_hour", "parks_requested_by_hour", "parks_requested", "expired_share"} <= set(truths)
    assert truths["parks_requested_by_hour"][2] == pytest.approx(14 * 0.9)
    results = checks.simulated(scenario, checks.LEAST, 13)
    assert checks.faults(results, truths) == []
    # Negative control: the shares an hour late.
    late = formulas(scenario.with_values({"parking.probability": [0.6, 0.2, 0.4, 0.9] * 6}))
    assert checks.faults(results, {"parks_requested_by_hour": late["parks_requested_by_hour"].value})
