import numpy as np
import pytest
from scipy import stats as scipy_stats

from paribus.errors import InputError
from paribus.stats.selection import conditional_mle, retrodesign


def test_retrodesign_is_what_simulated_significant_estimates_do() -> None:
    z = np.random.default_rng(7).normal(1.0, 1.0, 2_000_000)
    significant = z[np.abs(z) > scipy_stats.norm.isf(0.025)]
    found = retrodesign(0.5, 0.5)
    assert float(found.power) == pytest.approx(significant.size / z.size, abs=1e-3)
    assert float(found.type_s) == pytest.approx((significant < 0).mean(), abs=1e-3)
    assert float(found.exaggeration) == pytest.approx(np.abs(significant).mean(), abs=5e-3)


@pytest.mark.parametrize(
    ("effect", "se", "power", "type_s", "exaggeration"),
    [(0.1, 3.28, 0.05, 0.46, 77), (2.0, 8.1, 0.06, 0.24, 9.7)],  # Gelman, Carlin 2014, by simulation
)
def test_published_examples(effect: float, se: float, power: float, type_s: float, exaggeration: float) -> None:
    found = retrodesign(effect, se)
    assert float(found.power) == pytest.approx(power, abs=0.005)
    assert float(found.type_s) == pytest.approx(type_s, abs=0.005)
    assert float(found.exaggeration) == pytest.approx(exaggeration, rel=0.02)


@pytest.mark.parametrize("x", [2.0, 2.5, 4.0])
def test_the_conditional_estimate_maximizes_the_conditional_likelihood(x: float) -> None:
    z = scipy_stats.norm.isf(0.025)
    mu = np.linspace(0, x, 100_001)
    selected = scipy_stats.norm.sf(z - mu) + scipy_stats.norm.cdf(-z - mu)
    best = mu[np.argmax(scipy_stats.norm.logpdf(x - mu) - np.log(selected))]
    assert float(conditional_mle(x, 1.0).value) == pytest.approx(best, abs=1e-4)
    assert float(conditional_mle(-x, 1.0).value) == pytest.approx(-best, abs=1e-4)


def test_the_conditional_interval_covers_at_its_level_among_the_selected() -> None:
    estimate = np.random.default_rng(3).normal(1.0, 1.0, 40_000)
    found = conditional_mle(estimate, 1.0, selection="greater", level=0.9)
    chosen = ~np.isnan(found.value)
    assert np.array_equal(chosen, estimate >= scipy_stats.norm.isf(0.05))
    covered = (found.lower[chosen] <= 1.0) & (found.upper[chosen] >= 1.0)
    assert covered.mean() == pytest.approx(0.9, abs=4 * np.sqrt(0.09 / chosen.sum()))


def test_an_estimate_far_beyond_the_threshold_hardly_shrinks() -> None:
    assert float(conditional_mle(0.1, 0.01).value) == pytest.approx(0.1, rel=1e-9)


def test_a_standard_error_of_zero_is_refused() -> None:
    with pytest.raises(InputError, match="standard error"):
        retrodesign(1.0, 0.0)
