"""Events that fall into treatment: closed forms, agreement of p, interval and boundary, error over all looks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import betaln

from paribus.experiments.sensitivity.events import SHARE, SUMS, crossings, events
from paribus.experiments.sensitivity.pair import Pair
from paribus.metrics.definition import Metric, MetricType
from paribus.stats.confseq import best_rho
from paribus.stats.estimate import Estimate, Undetermined
from paribus.stats.moments import Moments

METHODS = ("beta-binomial", "gamma-Poisson", "gamma-exponential")


def arm(x: float, n: float) -> Moments:
    share = x / n
    square = n * share * (1 - share)
    return Moments(("y",), np.array(n), np.array([share]), np.array([[square]]), np.array([square * (1 - 2 * share)]))


def pair(x_c: float, x_t: float, *, split: float | None = 0.5, n: float = 100_000) -> Pair:
    return Pair(
        metric=Metric("bought", MetricType.PROPORTION),
        control=arm(x_c, n * (1 - (split or 0.5))),
        treatment=arm(x_t, n * (split or 0.5)),
        what="y",
        covariates=(),
        adjusts=False,
        is_share=True,
        level=0.95,
        n_opt=2000.0,
        expected=0.01,
        worthwhile=None,
        split=split,
    )


def read(found: Pair) -> dict[str, Estimate]:
    out = {}
    for method, scale, effect in events(found):
        assert scale == "lift"
        assert isinstance(effect, Estimate)
        out[method.removeprefix("events' split, ")] = effect
    return out


def test_the_beta_binomial_p_value_is_the_ratio_of_two_likelihoods() -> None:
    x_c, x_t = 40, 75
    prior = (best_rho(0.25 * SHARE * 2000) - 0.25) / 0.5
    log_e = betaln(prior + x_t, prior + x_c) - betaln(prior, prior) + (x_c + x_t) * np.log(2)
    assert read(pair(x_c, x_t))["beta-binomial"].p_value == pytest.approx(np.exp(-log_e), rel=1e-9)


def test_the_lift_is_that_of_equal_units() -> None:
    for effect in read(pair(40, 75)).values():
        assert effect.value == pytest.approx(75 / 40 - 1)
    one_in_four = read(pair(40, 20, split=0.25))["beta-binomial"]
    assert one_in_four.value == pytest.approx(20 * 3 / 40 - 1)
    assert one_in_four.lower < 0.5 < one_in_four.upper


@pytest.mark.parametrize("split", [0.5, 0.2])
def test_p_value_interval_and_boundary_agree(split: float) -> None:
    n = 60
    limits = {c.method: (c.few, c.many) for c in crossings(pair(30, 30, split=split), "treatment")}
    assert tuple(limits) == METHODS
    for x_t in range(1, n):
        for method, effect in read(pair(n - x_t, x_t, split=split)).items():
            few, many = limits[method]
            shown = (few is not None and x_t <= few) or (many is not None and x_t >= many)
            assert (effect.p_value <= 0.05) == shown
            assert (not effect.lower <= 0 <= effect.upper) == shown


def test_what_knows_more_of_the_steps_reaches_further() -> None:
    few, many = ([getattr(c, end) for c in crossings(pair(300, 300), "treatment")] for end in ("few", "many"))
    assert few[0] == max(few)
    assert many[0] == min(many)


@pytest.mark.parametrize("split", [0.5, 0.15, 0.9])
def test_the_error_over_all_looks_is_at_most_alpha(split: float) -> None:
    """Every tenth of 2,000 events is a look; 4,000 experiments without an effect."""
    rng = np.random.default_rng(7)
    at = np.arange(10, 2001, 10)
    paths = np.cumsum(rng.binomial(10, split, (4000, len(at))), axis=1)
    limits = [crossings(pair(n - 1, 1, split=split), "treatment") for n in at.tolist()]
    for method in zip(*limits, strict=True):
        few = np.array([-1 if c.few is None else c.few for c in method])
        many = np.array([c.events + 1 if c.many is None else c.many for c in method])
        crossed = ((paths <= few) | (paths >= many)).any(axis=1).mean()
        assert 0.002 < crossed < 0.05 + 0.007


def test_few_events_cannot_show_anything() -> None:
    for c in crossings(pair(2, 1), "treatment"):
        assert (c.few, c.many) == (None, None)
        assert (c.events, c.observed, c.expected) == (3, 1, 1.5)


def test_without_events_or_a_known_split_there_is_no_reading() -> None:
    effects = [effect for _, _, effect in events(pair(0, 0))]
    assert len(effects) == 3
    assert all(isinstance(effect, Undetermined) for effect in effects)
    assert not list(crossings(pair(0, 0), "treatment"))
    assert not list(events(pair(40, 75, split=None)))
    assert not list(events(replace(pair(40, 75), is_share=False)))
    none_in_control = [effect for _, _, effect in events(pair(0, 9))]
    assert all(isinstance(effect, Undetermined) for effect in none_in_control)


@pytest.mark.parametrize("split", [0.01, 0.2, 0.5, 0.8, 0.99])
def test_the_cumulants_of_a_step_are_below_those_of_each_mixture(split: float) -> None:
    """What makes the sums sub-Poisson of scale 1 - q and sub-exponential of half of it, each of variance q (1 - q)."""
    v, c = split * (1 - split), 1 - split
    size = np.linspace(1e-3, 0.999, 400) / (c / 2)
    step = np.log(split * np.exp(size * c) + (1 - split) * np.exp(-size * split))
    poisson = (np.exp(c * size) - c * size - 1) / c**2
    exponential = (-np.log1p(-c / 2 * size) - c / 2 * size) / (c / 2) ** 2
    assert {sums.name: sums.scale for sums in SUMS} == {"gamma-Poisson": 1.0, "gamma-exponential": 0.5}
    assert np.all(step <= v * poisson * (1 + 1e-12))
    assert np.all(poisson <= exponential * (1 + 1e-12))
