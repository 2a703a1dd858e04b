"""Power against R (values in the oracle files), statsmodels, textbooks and simulated analyses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.power import TTestIndPower

from paribus.errors import InputError
from paribus.stats.metric_power import (
    comparison_alpha,
    design_effect,
    metric_variance,
    power_per_metric,
    power_relative,
    sample_size_relative,
)
from paribus.stats.power import minimum_detectable_effect, power_means, sample_size_means, sample_size_non_inferiority
from paribus.stats.proportion_power import minimum_detectable_proportion, power_proportions, sample_size_proportions


@pytest.mark.parametrize(("d", "n"), [(0.2, 394), (0.5, 64), (0.8, 26)])
def test_cohen_1988_table_2_4_1(d: float, n: int) -> None:
    assert sample_size_means(d, 1.0).whole.control == n


@pytest.mark.parametrize("ratio", [0.25, 1.0, 3.0])
@pytest.mark.parametrize("alternative", ["two-sided", "greater"])
def test_pooled_t_power_of_statsmodels_for_equal_variances(ratio: float, alternative: str) -> None:
    theirs = TTestIndPower().power(
        0.3, 200, 0.05, ratio=ratio, alternative={"greater": "larger"}.get(alternative, alternative)
    )
    # Welch's degrees of freedom are a little fewer than the pooled ones for unequal arms.
    assert power_means(0.3, 1.0, 200, 200 * ratio, alternative=alternative) == pytest.approx(theirs, abs=8e-3)


def test_power_of_welch_is_simulated() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(0, 1, (4000, 25)), rng.normal(1.0, 2, (4000, 60))
    p = stats.ttest_ind(b, a, axis=1, equal_var=False).pvalue
    predicted = power_means(1.0, 1.0, 25, 60, sd_treatment=2.0)
    assert (p <= 0.05).mean() == pytest.approx(predicted, abs=0.02)


@given(
    effect=st.floats(0.01, 3),
    sd=st.floats(0.1, 5),
    power=st.floats(0.2, 0.99),
    alternative=st.sampled_from(["two-sided", "greater", "less"]),
    ratio=st.sampled_from([0.2, 1.0, 4.0]),
)
def test_size_power_and_effect_are_inverse(
    effect: float, sd: float, power: float, alternative: str, ratio: float
) -> None:
    effect = -effect if alternative == "less" else effect
    options = {"alternative": alternative, "alpha": 0.05}
    size = sample_size_means(effect, sd, power=power, ratio=ratio, **options)
    reached = float(power_means(effect, sd, size.control, size.treatment, **options))
    assert reached >= power - 1e-6
    if size.control > 3 and size.treatment > 3:
        assert reached == pytest.approx(power, abs=1e-6)
        back = minimum_detectable_effect(sd, size.control, size.treatment, power=power, **options)
        assert back == pytest.approx(effect, rel=1e-5)


def test_proportions_are_simulated_at_the_size_found() -> None:
    rng = np.random.default_rng(2)
    size = sample_size_proportions(0.1, 0.13, test="pooled", ratio=2.0).whole
    x, y = rng.binomial(int(size.control), 0.1, 20_000), rng.binomial(int(size.treatment), 0.13, 20_000)
    p = (x + y) / size.total
    z = (y / size.treatment - x / size.control) / np.sqrt(p * (1 - p) * (1 / size.control + 1 / size.treatment))
    assert (z >= stats.norm.isf(0.025)).mean() == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize("test", ["pooled", "unpooled", "arcsine", "evan-miller"])
def test_detectable_proportion_has_its_power(test: str) -> None:
    up = minimum_detectable_proportion(0.2, 1500, test=test)
    down = minimum_detectable_proportion(0.2, 1500, 4000, test=test, alternative="less")
    assert power_proportions(0.2, up, 1500, test=test) == pytest.approx(0.8)
    assert power_proportions(0.2, down, 1500, 4000, test=test, alternative="less") == pytest.approx(0.8)
    assert down < 0.2 < up
    with pytest.raises(InputError, match="no proportion"):
        minimum_detectable_proportion(0.99, 5, test=test)


def test_detectable_proportion_is_the_inverse_of_the_size() -> None:
    size = sample_size_proportions(0.2, effect=0.05)
    assert minimum_detectable_proportion(0.2, size.control) == pytest.approx(0.25)


def test_metric_variance_is_that_of_the_linearized_rows() -> None:
    rng = np.random.default_rng(3)
    x = rng.gamma(4.0, 1.0, (500, 4)) @ rng.random((4, 4))
    metric = metric_variance(x.mean(axis=0), np.cov(x.T), numerator=0, denominator=1, covariates=[(2, 3)])
    m = x.mean(axis=0)
    y = (x[:, 0] - m[0] / m[1] * x[:, 1]) / m[1]
    z = (x[:, 2] - m[2] / m[3] * x[:, 3]) / m[3]
    residual = y - np.cov(y, z)[0, 1] / z.var(ddof=1) * z
    assert metric.value == pytest.approx(m[0] / m[1])
    assert metric.variance == pytest.approx(residual.var(ddof=1))


def test_relative_size_and_power_are_inverse() -> None:
    metric = metric_variance([10.0], [[400.0]])
    size = sample_size_relative(metric, 0.05, power=0.9, ratio=0.5)
    assert power_relative(metric, 0.05, size.total, ratio=0.5) == pytest.approx(0.9)
    with pytest.raises(InputError, match="zero"):
        sample_size_relative(metric_variance([0.0], [[1.0]]), 0.05)


def test_non_inferiority_is_the_one_sided_test_of_the_shifted_difference() -> None:
    size = sample_size_non_inferiority(0.1, 1.0, effect=0.02)
    z = stats.norm.isf(0.025) + stats.norm.isf(0.2)
    assert size.control == pytest.approx(2 * z**2 / 0.12**2)


def test_design_effect_and_shares() -> None:
    assert design_effect(1, 0.3) == 1.0
    assert design_effect(50, 0.02, 0.5) == pytest.approx(1 + (1.25 * 50 - 1) * 0.02)
    assert power_per_metric(0.8, 0) == 0.8
    assert comparison_alpha(1) == pytest.approx(0.05)
    assert comparison_alpha(4, method="bonferroni") == 0.0125
    assert 0.0125 < comparison_alpha(4) < 0.05


@pytest.mark.parametrize(
    "call",
    [
        lambda: sample_size_means(0.0, 1.0),
        lambda: sample_size_means(-1.0, 1.0, alternative="greater"),
        lambda: sample_size_means(1.0, 0.0),
        lambda: sample_size_means(1.0, 1.0, power=1.0),
        lambda: sample_size_proportions(0.2, 1.2),
        lambda: sample_size_proportions(0.2),
        lambda: sample_size_non_inferiority(-0.1, 1.0),
        lambda: design_effect(0.5, 0.1),
        lambda: power_proportions(0.1, 0.2, 100, test="pooled z"),
    ],
)
def test_impossible_questions_are_refused(call) -> None:
    with pytest.raises(InputError):
        call()
