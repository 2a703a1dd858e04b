"""The true effect behind a measured one: closed forms, and one correction only."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm
from tests.experiments.comparisons import comparison

from paribus.experiments.plan import Method
from paribus.experiments.prior import EffectPrior
from paribus.experiments.result import Comparison
from paribus.impact.effect import TrueEffect, normal_effect, probabilities, true_effect
from paribus.metrics.definition import MetricType, Role
from paribus.stats.estimate import Estimate, Reason, Undetermined
from paribus.stats.selection import conditional_mle

Z = 1.959963984540054
OWN = EffectPrior(0.01, 0.03, "all 25 completed experiments of the family 'share'", 25)


def estimate(value: float, se: float, **more: object) -> Estimate:
    made = Estimate(value, se, value - Z * se, value + Z * se, 0.01, float("inf"), 0.95, "two-sided", "z")
    return replace(made, **more)  # type: ignore[arg-type]


def measured(value: float, se: float = 0.02, **more: object) -> Comparison:
    plain = comparison("orders", MetricType.PROPORTION, Role.SUCCESS, 0.1, 0.11, 0.002, "better")
    return replace(plain, relative=estimate(value, se), simultaneous=None, **more)  # type: ignore[arg-type]


def found(of: Comparison, **more: object) -> TrueEffect:
    effect = true_effect(of, **{"method": Method.FIXED, **more})  # type: ignore[arg-type]
    assert isinstance(effect, TrueEffect)
    return effect


def test_the_posterior_under_the_family_s_own_prior_is_the_precision_weighted_mean() -> None:
    effect = found(measured(0.06), prior=OWN)
    precision = 1 / 0.02**2 + 1 / 0.03**2
    assert effect.value == pytest.approx((0.06 / 0.02**2 + 0.01 / 0.03**2) / precision)
    low, high = effect.interval(0.95)
    assert (high - low) / 2 == pytest.approx(Z / precision**0.5, rel=1e-3)
    assert effect.corrected
    assert "25 completed" in effect.method


def test_a_published_prior_corrects_nothing() -> None:
    published = EffectPrior(0.0, 0.06, "published")
    assert found(measured(0.06), prior=published) == found(measured(0.06))


def test_an_effect_that_was_shown_is_the_conditional_likelihood_s_maximum() -> None:
    effect = found(measured(0.06))
    # d/dmu of log phi(x - mu) - log P(|X| > z) vanishes, by brute force on a grid of a fine step (z = 3).
    mu = np.linspace(0, 4, 400_001)
    likelihood = norm.logpdf(3.0 - mu) - np.log(norm.sf(Z - mu) + norm.cdf(-Z - mu))
    assert effect.value / 0.02 == pytest.approx(mu[likelihood.argmax()], abs=1e-4)
    assert 0 < effect.value < 0.06
    exact = conditional_mle(0.06, 0.02, alpha=0.05, level=0.95)
    assert effect.interval(0.95) == pytest.approx((float(exact.lower), float(exact.upper)), abs=1e-4)
    assert found(measured(-0.06)).interval(0.9) == pytest.approx([-end for end in effect.interval(0.9)[::-1]], abs=1e-9)
    assert np.all(np.diff(effect.points) >= 0)


def test_the_conditional_distribution_covers_among_those_that_were_shown() -> None:
    rng = np.random.default_rng(5)
    true, hits, n = 2.0, 0, 0
    for x in rng.normal(true, 1.0, 400):
        if abs(x) > Z:
            low, high = found(measured(float(x), 1.0)).interval(0.9)
            hits, n = hits + (low <= true <= high), n + 1
    assert hits / n == pytest.approx(0.9, abs=3.3 * (0.9 * 0.1 / n) ** 0.5)


def test_an_effect_that_was_not_shown_is_left_as_it_is() -> None:
    effect = found(measured(0.03, conclusion="inconclusive"))
    assert effect.value == pytest.approx(0.03)
    assert effect.interval() == pytest.approx((0.03 - Z * 0.02, 0.03 + Z * 0.02), rel=1e-3)
    assert not effect.corrected


def test_what_the_result_took_off_for_stopping_early_is_taken_off_once() -> None:
    at_stop = estimate(0.045, 0.02, lower=0.0, upper=0.08, method="median unbiased")
    effect = found(measured(0.06, at_stop=at_stop), method=Method.ANYTIME)
    assert effect.value == 0.045
    assert effect.interval(0.95) == pytest.approx((0.0, 0.08), abs=1e-4)


def test_an_early_stop_that_later_data_contradict_adds_nothing() -> None:
    at_stop = estimate(0.09, 0.03, lower=0.02, upper=0.15, method="median unbiased, at look 3")
    effect = found(measured(0.06, at_stop=at_stop), method=Method.ANYTIME)
    assert effect.value <= 0.06
    assert effect.corrected
    assert "conditional" in effect.method


def test_a_bayesian_plan_s_posterior_is_not_corrected_again() -> None:
    effect = found(measured(0.06), method=Method.BAYESIAN, prior=OWN)
    assert effect.value == pytest.approx(0.06)
    assert "sealed prior" in effect.method


def test_less_is_better_turns_the_sign() -> None:
    assert found(measured(-0.06, direction="decrease", conclusion="inconclusive")).value == pytest.approx(0.06)


def test_without_an_effect_there_is_none() -> None:
    none = Undetermined(Reason.TOO_FEW_UNITS)
    assert true_effect(replace(measured(0.06), relative=none), method=Method.FIXED) is none


def test_an_effect_is_not_larger_than_what_is_possible() -> None:
    effect = normal_effect(0.0, 0.1, "prior", most=0.05)
    assert max(effect.points) == 0.05
    # The mean of min(X, c): -sd phi(c/sd) + c (1 - Phi(c/sd)), for X normal around 0.
    assert effect.value == pytest.approx(-0.1 * norm.pdf(0.5) + 0.05 * norm.sf(0.5), abs=1e-4)


def test_draws_have_the_distribution_s_moments() -> None:
    draws = normal_effect(0.02, 0.05, "x").draw(np.random.default_rng(1), 20_000)
    assert draws.mean() == pytest.approx(0.02, abs=1e-6)
    assert draws.std() == pytest.approx(0.05, rel=2e-3)
    assert probabilities()[80] == 0.5
