"""Decay read off longer and longer windows: an exact exponential comes back."""

from __future__ import annotations

import numpy as np
import pytest
from tests.workflow.concluded import novelty

from paribus.impact.persistence import UNKNOWN, fit, persistence

TAU = 5.0
DAYS = np.array([1.0, 2, 3, 7, 14, 28])
LEVEL = 0.10 * TAU / DAYS * (1 - np.exp(-DAYS / TAU))


def test_an_exponential_decay_comes_back_with_its_half_life() -> None:
    found = fit(novelty(LEVEL.tolist()))
    assert found is not None
    assert found.half_life == pytest.approx(TAU * np.log(2), rel=0.03)
    assert found.first == pytest.approx(0.10, rel=0.03)
    # A year's mean over the mean of 14 days, both integrals of exp(-t / tau).
    year, fortnight = (TAU / d * (1 - np.exp(-d / TAU)) for d in (365, 14))
    assert found.share(14) == pytest.approx(year / fortnight, abs=0.02)


def test_a_shown_fading_leaves_what_the_fit_says_at_most() -> None:
    found = persistence(novelty(LEVEL.tolist(), se=0.001), measured_days=14)
    assert found.mean < 0.1
    assert 0.0 <= found.least < found.most < 0.1
    assert "halves" in found.why


def test_what_is_left_after_the_novelty_is_kept() -> None:
    found = fit(novelty((0.03 + 0.7 * LEVEL).tolist(), se=0.001))
    assert found is not None
    assert found.lasting == pytest.approx(0.03, abs=0.002)
    assert found.first == pytest.approx(0.10, rel=0.03)
    kept = persistence(novelty((0.03 + 0.7 * LEVEL).tolist(), se=0.001), measured_days=14)
    assert kept.mean == pytest.approx(0.031 / (0.03 + 0.7 * LEVEL[4]), abs=0.05)


def test_an_effect_that_does_not_fade_lasts_and_the_data_bound_the_least() -> None:
    found = persistence(novelty([0.05] * 6, se=0.001), measured_days=14)
    assert found.most == 1.0
    assert found.least == pytest.approx(1 - 1.96 * 2 * 0.001 / 0.05, abs=1e-3)
    wide = persistence(novelty([0.05] * 6, se=0.02), measured_days=14)
    assert wide.least == UNKNOWN.least


def test_without_a_view_the_assumption_is_said() -> None:
    assert persistence(None, measured_days=14) is UNKNOWN
    assert "half" in UNKNOWN.why
    assert fit(novelty([0.05, 0.04, 0.03])) is None
