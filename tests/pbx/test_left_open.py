"""What a log leaves open: joint draws beside the scenario, and a check of fit that names what the model has not."""

import math

import numpy as np
import pytest
import scipy.stats

from parksim.cli.main import main
from parksim.pbx.check_of_fit import LOGS, bands, in_words
from parksim.pbx.fitting import DRAWN
from parksim.pbx.replay import replay
from parksim.scenario.model import Scenario
from parksim.stats import survival
from parksim.studies.replication import run
from parksim.studies.study import study
from tests.statistics.unknown import KNOWN


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """The journal of some 200 calls (seed 1), as a log."""
    path = tmp_path_factory.mktemp("log") / "known.jsonl"
    run(Scenario.loads(KNOWN), 1).journal.save(path)
    return path


@pytest.fixture(scope="module")
def made(log):
    """Its calibration."""
    return replay(log).calibrate()


def test_counted_figures_have_the_draws_of_their_counts(made):
    """The rate's are gamma, the share's beta, by Kolmogorov's test at 0.1 % (200 draws, a seed of their own)."""
    rate, share = made.figures["arrivals.rate"], made.figures["parking.probability"]
    calls = round((rate.value / (rate.high - rate.low) * 2 * 1.96) ** 2)  # a gamma law's variance over its mean
    gamma = scipy.stats.gamma(calls, scale=rate.value / calls)
    assert scipy.stats.kstest(made.draws["arrivals.rate"], gamma.cdf).pvalue > 0.001
    drawn = made.draws["parking.probability"]
    assert np.quantile(drawn, (0.025, 0.975)) == pytest.approx([share.low, share.high], abs=0.02)
    assert all(len(values) == DRAWN for values in made.draws.values())


def test_a_laws_draws_have_the_covariance_of_its_fit():
    """Of 20,000 draws (seed 1) means and covariances of the logarithms are those of the information, within 4 %."""
    rng = np.random.default_rng(5)
    times_s, ends_s = rng.lognormal(4, 0.7, 300), rng.exponential(100, 300)
    times_s[rng.random(300) < 0.2] = math.inf
    fit = survival.fit("lognormal", np.minimum(times_s, ends_s), times_s <= ends_s, with_never=True)
    drawn = fit.draws(20_000, np.random.default_rng(1))
    logs = np.log([drawn["median"], drawn["sigma"]])
    assert logs.mean(axis=1) == pytest.approx(fit.theta, abs=0.02)
    assert np.cov(logs) == pytest.approx(fit.covariance[:2, :2], rel=0.1, abs=2e-4)
    assert np.quantile(drawn["never"], (0.025, 0.5, 0.975)) == pytest.approx(
        [fit.never.low, fit.never.value, fit.never.high], abs=0.01
    )
    assert np.corrcoef(drawn["never"], drawn["median"])[0, 1] < -0.1  # what comes later looks like never


def test_an_exponential_mean_has_the_exact_law():
    """Twelve durations, all seen: 24 times the mean over each draw is chi-squared with 24 degrees (seed 2)."""
    fit = survival.fit("exponential", np.full(12, 30.0), np.ones(12, bool))
    drawn = fit.draws(2_000, np.random.default_rng(2))["mean"]
    assert scipy.stats.kstest(24 * 30.0 / drawn, scipy.stats.chi2(24).cdf).pvalue > 0.001


@pytest.mark.slow
def test_calibrate_writes_the_draws_beside_the_scenario(log, tmp_path, capsys):
    """The scenario names them, and a study has the second interval without further words; equal logs, equal bytes."""
    out = tmp_path / "site.toml"
    for _ in range(2):
        assert main(["calibrate", str(log), "--out", str(out)]) == 0
        written = (tmp_path / "site-draws.csv").read_bytes(), out.read_bytes()
    said = capsys.readouterr().out
    assert "site-draws.csv: joint draws of" in said
    assert "Check of fit:" in said
    scenario = Scenario.load(out)
    assert scenario.unknown is not None
    assert {"arrivals.rate", "parking.probability", "retrieval.never"} <= set(scenario.not_known)
    second = study(scenario, 4).with_unknown("occupancy_mean")
    assert second.input_share > 0.5
    replay(log).calibrate().save(out)
    assert (tmp_path / "site-draws.csv").read_bytes() == written[0]


def test_a_log_of_the_model_fits(log, made):
    """All measures of a log that parksim wrote lie within the simulated ones (each with 95 %; seed 1)."""
    met = replay(log)
    found = bands(made, met.log, met.measures)
    assert {"refused_share", "expired_share", "occupancy_mean"} <= found.keys()
    assert sum(band.holds for band in found.values()) >= len(found) - 1
    assert f"within those of {LOGS} simulated logs" in in_words(found)


def test_a_log_of_another_model_is_named(tmp_path):
    """Calls that come five at a time are no Poisson process: far more are refused than any simulated log has."""
    instants = sorted(600.0 * burst + call for burst in range(60) for call in range(5))
    (tmp_path / "calls.csv").write_text("\n".join(map(str, instants)) + "\n")
    bursts = {
        "arrivals": {"kind": "recorded", "file": str(tmp_path / "calls.csv")},
        "run.horizon": "11h",
        "parking.probability": 1.0,
    }
    path = tmp_path / "bursts.jsonl"
    run(Scenario.loads(KNOWN).with_values(bursts), 1).journal.save(path)
    met = replay(path)
    found = bands(met.calibrate(), met.log, met.measures)
    assert not found["refused_share"].holds
    assert found["refused_share"].value > found["refused_share"].high
    assert "Outside:" in in_words(found)
    assert "refused_share" in in_words(found)
