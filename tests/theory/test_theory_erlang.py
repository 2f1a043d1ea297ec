"""Erlang's formulas and their kin against brute-force chains, SciPy, exact fractions and printed tables."""

import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import integrate, special, stats

from parksim import theory

# Loads for a blocking as the Erlang B tables of traffic handbooks print them: (servers, blocking, load).
PRINTED_B = [
    (1, 0.01, 0.0101),
    (2, 0.01, 0.153),
    (5, 0.01, 1.361),
    (10, 0.01, 4.461),
    (20, 0.01, 12.03),
    (50, 0.01, 37.90),
    (100, 0.01, 84.06),
    (5, 0.001, 0.762),
    (10, 0.001, 3.092),
    (20, 0.001, 9.41),
    (10, 0.05, 6.216),
    (20, 0.05, 15.25),
]


def steady_state(rates_up, rates_down):
    """Return the stationary law of a birth-death chain by solving its balance equations as a linear system."""
    size = len(rates_up) + 1
    generator = np.diag(rates_up, 1) + np.diag(rates_down, -1)
    generator -= np.diag(generator.sum(axis=1))
    system = np.vstack([generator.T, np.ones(size)])
    return np.linalg.lstsq(system, np.eye(size + 1)[size], rcond=None)[0]


def exact_erlang_b(servers, offered):
    """Return B by its definition in exact fractions: (A^c / c!) / sum A^n / n!."""
    weights = [Fraction(offered) ** n / math.factorial(n) for n in range(servers + 1)]
    return weights[-1] / sum(weights)


@pytest.mark.parametrize(("servers", "blocking", "load"), PRINTED_B)
def test_erlang_b_agrees_with_the_printed_tables(servers, blocking, load):
    """Both inverses reproduce the printed table to its digits."""
    digits = len(str(load).split(".")[1])
    assert round(theory.erlang_b_offered(servers, blocking), digits) == load
    assert theory.erlang_b_servers(load * 0.99, blocking) == servers


@pytest.mark.parametrize("servers", [0, 1, 2, 7, 30, 120])
@pytest.mark.parametrize("offered", ["1/1000", "3/10", "1", "7/2", "29", "140"])
def test_erlang_b_equals_its_definition_in_fractions(servers, offered):
    """The recursion equals the definition summed in exact fractions, to 14 digits."""
    exact = exact_erlang_b(servers, offered)
    assert theory.erlang_b(servers, float(Fraction(offered))) == pytest.approx(float(exact), rel=1e-14)


@pytest.mark.parametrize(
    ("servers", "offered"),
    [(1000, 900.0), (1000, 1500.0), (10_000, 9_900.0), (100_000, 100_000.0), (100_000, 99_000.5)],
)
def test_erlang_b_of_large_groups_agrees_with_scipy(servers, offered):
    """For large groups B is the Poisson law's p(c) / P(N <= c) of SciPy, to the 1e-9 that SciPy itself keeps."""
    expected = math.exp(stats.poisson.logpmf(servers, offered) - stats.poisson.logcdf(servers, offered))
    assert theory.erlang_b(servers, offered) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("offered", [0.2, 3.7, 41.0])
def test_erlang_b_agrees_with_its_integral(offered):
    """1/B is the integral of e^-x (1 + x/A)^c over x >= 0 (Fortet's form), by SciPy's quadrature."""
    for servers in (1, 4, 25):
        integral = integrate.quad(lambda x, c=servers: math.exp(-x + c * math.log1p(x / offered)), 0, 400, limit=400)[0]
        assert theory.erlang_b(servers, offered) == pytest.approx(1.0 / integral, rel=1e-8)


def test_erlang_b_at_the_ends():
    """No server refuses all, no load is never refused, and a hopeless load is refused but for c / A."""
    assert theory.erlang_b(0, 5.0) == 1.0
    assert theory.erlang_b(0, 0.0) == 1.0
    assert theory.erlang_b(3, 0.0) == 0.0
    assert theory.erlang_b(10, 1e12) == pytest.approx(1.0 - 10 / 1e12, rel=1e-15)
    assert theory.erlang_b(400, 1e-3) == 0.0  # 1e-1200 / 400! is no double


def test_the_curve_holds_every_group_up_to_the_last():
    """Entry n of the curve is B(n, A)."""
    curve = theory.erlang_b_curve(12, 7.3)
    assert curve.tolist() == [theory.erlang_b(n, 7.3) for n in range(13)]


@pytest.mark.parametrize("offered", [0.0, 1e-6, 0.5, 6.0, 87.3, 2_000.0])
@pytest.mark.parametrize("blocking", [1e-9, 0.001, 0.05, 0.5, 1.0])
def test_the_least_number_of_servers_is_the_least(offered, blocking):
    """The answer meets the target and one server fewer does not."""
    servers = theory.erlang_b_servers(offered, blocking)
    assert theory.erlang_b(servers, offered) <= blocking
    assert servers == 0 or theory.erlang_b(servers - 1, offered) > blocking


@pytest.mark.parametrize("servers", [1, 2, 10, 333, 20_000])
@pytest.mark.parametrize("blocking", [1e-12, 1e-4, 0.01, 0.3, 0.9, 0.999])
def test_the_greatest_load_inverts_erlang_b(servers, blocking):
    """Put back into Erlang B the load gives the blocking to 1e-10 relative."""
    assert theory.erlang_b(servers, theory.erlang_b_offered(servers, blocking)) == pytest.approx(blocking, rel=1e-10)


@pytest.mark.parametrize(("servers", "offered"), [(0, 2.0), (1, 0.4), (6, 4.0), (40, 70.0), (3, 0.0)])
def test_busy_servers_are_the_steady_state_of_the_chain(servers, offered):
    """The law of busy servers solves the balance equations of M/M/c/c (linear algebra, no formula)."""
    pmf = theory.busy_pmf(servers, offered)
    chain = steady_state(np.full(servers, offered), np.arange(1, servers + 1, dtype=float))
    assert pmf == pytest.approx(chain, abs=1e-12)
    assert pmf[-1] == pytest.approx(theory.erlang_b(servers, offered), rel=1e-12)
    assert pmf @ np.arange(servers + 1) == pytest.approx(theory.carried_erlang(servers, offered), rel=1e-12)


def test_busy_servers_of_a_very_large_group():
    """With 100,000 servers at 100,000 erlang the law adds up to 1 and its last entry is Erlang B."""
    pmf = theory.busy_pmf(100_000, 100_000.0)
    assert math.fsum(pmf.tolist()) == pytest.approx(1.0, abs=1e-14)
    assert pmf[-1] == pytest.approx(theory.erlang_b(100_000, 100_000.0), rel=1e-10)


@pytest.mark.parametrize(("servers", "offered"), [(1, 0.7), (3, 2.0), (8, 6.9), (14, 10.0)])
def test_erlang_c_is_the_steady_state_of_the_chain(servers, offered):
    """P(wait), mean wait and P(wait > t) agree with M/M/c solved as a chain of 300 states (linear algebra)."""
    states = 300
    n = np.arange(states + 1)
    chain = steady_state(np.full(states, offered), np.minimum(n[1:], servers).astype(float))
    assert theory.erlang_c(servers, offered) == pytest.approx(chain[servers:].sum(), rel=1e-9)
    queue = (np.maximum(n - servers, 0) * chain).sum()
    assert theory.erlang_c_wait_s(servers, offered, 30.0) == pytest.approx(queue / offered * 30.0, rel=1e-9)
    # An arrival that finds n >= c waits for n - c + 1 departures at the rate c / s: a gamma law.
    longer = sum(chain[k] * special.gammaincc(k - servers + 1, servers * 0.8) for k in range(servers, states))
    assert theory.erlang_c_longer(servers, offered, 30.0, 24.0) == pytest.approx(longer, rel=1e-9)


def test_erlang_c_of_one_server_is_its_utilisation():
    """M/M/1: P(wait) = rho, mean wait = rho s / (1 - rho)."""
    assert theory.erlang_c(1, 0.6) == pytest.approx(0.6, rel=1e-15)
    assert theory.erlang_c_wait_s(1, 0.6, 10.0) == pytest.approx(15.0, rel=1e-14)


def test_erlang_c_of_the_call_centre_textbook():
    """10 erlang of 180 s on 14 agents: 17.4 % wait, 88.8 % within 20 s, 7.8 s on average (a known worked example)."""
    assert round(theory.erlang_c(14, 10.0), 3) == 0.174
    assert round(theory.erlang_c_within(14, 10.0, 180.0, 20.0), 3) == 0.888
    assert round(theory.erlang_c_wait_s(14, 10.0, 180.0), 1) == 7.8


def test_waits_are_exponential_beyond_zero():
    """The wait's law integrates to its mean (SciPy's quadrature) and starts at the probability of waiting."""
    mean = integrate.quad(lambda t: theory.erlang_c_longer(5, 4.2, 60.0, t), 0, np.inf)[0]
    assert mean == pytest.approx(theory.erlang_c_wait_s(5, 4.2, 60.0), rel=1e-9)
    assert theory.erlang_c_longer(5, 4.2, 60.0, 0.0) == theory.erlang_c(5, 4.2)


@pytest.mark.parametrize(
    ("servers", "rate", "service", "patience"),
    [(1, 0.5, 1.0, 3.0), (4, 6.0, 1.0, 0.5), (10, 7.0, 1.0, 20.0), (25, 0.4, 60.0, 90.0), (3, 9.0, 1.0, 1.0)],
)
def test_erlang_a_is_the_steady_state_of_the_chain(servers, rate, service, patience):
    """All five measures agree with M/M/c+M solved as a chain of 400 states (linear algebra)."""
    n = np.arange(401)
    down = np.minimum(n, servers) / service + np.maximum(n - servers, 0) / patience
    chain = steady_state(np.full(400, rate), down[1:])
    queue = theory.erlang_a(servers, rate, service, patience)
    waiting = (np.maximum(n - servers, 0) * chain).sum()
    assert queue.wait_share == pytest.approx(chain[servers:].sum(), rel=1e-8)
    assert queue.queue_mean == pytest.approx(waiting, rel=1e-8)
    assert queue.wait_s == pytest.approx(waiting / rate, rel=1e-8)
    assert queue.abandoned_share == pytest.approx(waiting / patience / rate, rel=1e-8)
    assert queue.busy_mean == pytest.approx((np.minimum(n, servers) * chain).sum(), rel=1e-8)


@pytest.mark.parametrize(
    ("servers", "offered", "patience"),
    [(50, 48.0, 2.0), (5000, 10_000.0, 1.0), (5000, 4000.0, 0.1), (2000, 2000.0, 1000.0), (100, 20.0, 5.0)],
)
def test_erlang_a_balances(servers, offered, patience):
    """Of all calls, those served and those abandoned are all: A (1 - abandoned) = busy, from 20 to 10,000 erlang."""
    queue = theory.erlang_a(servers, offered, 1.0, patience)
    assert queue.busy_mean == pytest.approx(offered * (1.0 - queue.abandoned_share), rel=1e-11)


@pytest.mark.parametrize(("servers", "offered", "patience"), [(50, 48.0, 2.0), (20, 30.0, 0.7), (200, 180.0, 4.0)])
def test_erlang_a_agrees_with_palms_closed_form(servers, offered, patience):
    """P(wait) = A(x, y) B / (1 + (A(x, y) - 1) B), A = 1 + sum of y^j / ((x+1)..(x+j)), by SciPy's gamma functions."""
    x, y = servers * patience, offered * patience  # c mu / theta, lambda / theta
    palm = x * math.exp(y - x * math.log(y) + special.gammaln(x)) * special.gammainc(x, y)
    blocked = theory.erlang_b(servers, offered)
    expected = palm * blocked / (1.0 + (palm - 1.0) * blocked)
    assert theory.erlang_a(servers, offered, 1.0, patience).wait_share == pytest.approx(expected, rel=1e-9)


def test_erlang_a_with_patience_like_service_is_a_poisson_law():
    """When patience and service have one mean, all in the system are M/M/infinity: Poisson (SciPy)."""
    queue = theory.erlang_a(30, 28.0, 1.0, 1.0)
    n = np.arange(30, 200)
    assert queue.wait_share == pytest.approx(stats.poisson.sf(29, 28.0), rel=1e-11)
    assert queue.queue_mean == pytest.approx(float(((n - 30) * stats.poisson.pmf(n, 28.0)).sum()), rel=1e-10)


def test_erlang_a_lies_between_its_ends():
    """Endless patience is Erlang C, none is Erlang B, and the numbers go there continuously."""
    waits, blocked = theory.erlang_c(10, 8.0), theory.erlang_b(10, 8.0)
    assert theory.erlang_a(10, 8.0, 1.0, math.inf).wait_share == waits
    assert theory.erlang_a(10, 8.0, 1.0, 1e7).wait_share == pytest.approx(waits, rel=1e-5)
    assert theory.erlang_a(10, 8.0, 1.0, 0.0).abandoned_share == blocked
    assert theory.erlang_a(10, 8.0, 1.0, 1e-9).abandoned_share == pytest.approx(blocked, rel=1e-7)


@pytest.mark.parametrize(
    ("servers", "sources", "idle"), [(3, 4, 1 / 3), (1, 1, 0.2), (5, 30, 0.1), (4, 4, 2.0), (6, 4, 1.0)]
)
def test_engset_is_the_steady_state_of_the_chain(servers, sources, idle):
    """The congestions agree with the chain in which idle sources call (linear algebra), by time and by attempt."""
    top = min(servers, sources)
    chain = steady_state((sources - np.arange(top)) * idle, np.arange(1, top + 1, dtype=float))
    attempts = (sources - np.arange(top + 1)) * idle * chain
    system = theory.engset(servers, sources, idle)
    full, lost = (chain[-1], attempts[-1]) if servers <= sources else (0.0, 0.0)
    carried = chain @ np.arange(top + 1)
    assert system.time_congestion == pytest.approx(full, abs=1e-12)
    assert system.call_congestion == pytest.approx(lost / attempts.sum(), abs=1e-12)
    assert system.carried_erlang == pytest.approx(carried, rel=1e-11)
    assert system.traffic_congestion == pytest.approx(1.0 - carried / (sources * idle / (1 + idle)), abs=1e-11)


def test_engset_of_many_sources_is_erlang_b():
    """A million sources that together offer 6 erlang are a Poisson stream."""
    system = theory.engset(10, 1_000_000, 6e-6)
    assert system.call_congestion == pytest.approx(theory.erlang_b(10, 6.0), rel=1e-4)


@pytest.mark.parametrize("offered", [0.0, 1e-5, 0.7, 12.0, 5_000.0])
def test_an_unlimited_lot_is_poisson(offered):
    """The probabilities are SciPy's Poisson law and the quantiles its quantiles."""
    pmf = theory.unlimited_pmf(offered)
    assert pmf == pytest.approx(stats.poisson.pmf(np.arange(len(pmf)), offered), rel=1e-9, abs=1e-300)
    assert stats.poisson.sf(len(pmf) - 1, offered) < 1e-20
    for probability in (0.01, 0.5, 0.95, 0.99, 1 - 1e-9):
        assert theory.unlimited_quantile(offered, probability) == stats.poisson.ppf(probability, offered)


def test_an_unlimited_lot_up_to_a_state():
    """A given last state is the last, even far out where hardly anything is."""
    pmf = theory.unlimited_pmf(2.0, up_to=60)
    assert len(pmf) == 61
    assert pmf[60] == pytest.approx(stats.poisson.pmf(60, 2.0), rel=1e-10)
    assert theory.unlimited_pmf(0.0, up_to=2).tolist() == [1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: theory.erlang_b(-1, 1.0), "servers must be at least 0"),
        (lambda: theory.erlang_b(1, -1.0), "offered_erlang must be >= 0"),
        (lambda: theory.erlang_b(1, math.nan), "offered_erlang must be >= 0"),
        (lambda: theory.erlang_b_curve(1, math.inf), "offered_erlang must be >= 0"),
        (lambda: theory.erlang_b_servers(1.0, 0.0), "blocking must be in"),
        (lambda: theory.erlang_b_servers(1e9, 0.1), "more than 10000000 servers"),
        (lambda: theory.erlang_b_offered(0, 0.1), "servers must be at least 1"),
        (lambda: theory.erlang_b_offered(1, 1.0), "blocking must be in"),
        (lambda: theory.erlang_c(3, 3.0), "no steady state"),
        (lambda: theory.erlang_c_longer(3, 2.0, 0.0, 1.0), "service_s must be > 0"),
        (lambda: theory.erlang_c_longer(3, 2.0, 1.0, -1.0), "t_s must be >= 0"),
        (lambda: theory.erlang_a(3, 0.0, 1.0, 1.0), "offered_per_s must be > 0"),
        (lambda: theory.erlang_a(3, 1.0, 1.0, -1.0), "patience_s must be >= 0"),
        (lambda: theory.erlang_a(3, 5.0, 1.0, math.inf), "no steady state"),
        (lambda: theory.erlang_a(3, 5.0, 1.0, 1e9), "too great"),
        (lambda: theory.engset(1, 0, 1.0), "sources must be at least 1"),
        (lambda: theory.engset(1, 1, -1.0), "idle_erlang must be >= 0"),
        (lambda: theory.unlimited_pmf(1.0, up_to=-1), "up_to must be at least 0"),
        (lambda: theory.pmf_quantile([1.0], 1.0), "probability must be in"),
    ],
)
def test_bad_arguments_are_named(call, words):
    """A number outside a formula's domain is a ValueError that says which and what it was."""
    with pytest.raises(ValueError, match=words):
        call()


def test_servers_are_whole():
    """Half a server is a TypeError; a NumPy integer is an integer."""
    with pytest.raises(TypeError):
        theory.erlang_b(2.5, 1.0)
    assert theory.erlang_b(np.int64(2), 1.0) == 0.2
