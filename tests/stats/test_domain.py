"""The validity domain at the cells of the simulation gates; `make calibrate` runs them all, with more replications."""

import causaldata
import numpy as np
import pytest

from paribus.errors import InputError
from paribus.stats import (
    DOMAINS,
    Arm,
    Fixed,
    Moments,
    Reason,
    Undetermined,
    difference,
    domain_of,
    mean,
    noninferiority,
    outside,
    ratio,
    within_domain,
)

SHARE = {"50/50": 0.5, "90/10": 0.1}


def normal(rng, shape):
    return rng.standard_normal(shape)[..., None]


def zero_inflated_lognormal(rng, shape):
    return ((rng.random(shape) < 0.1) * rng.lognormal(size=shape))[..., None]


def clicks_per_view(rng, shape):
    views = rng.poisson(rng.gamma(2, 2, shape)) + 1
    return np.stack([rng.binomial(views, rng.beta(2, 8, shape)), views], axis=-1).astype(float)


def arms(draw, n, split, reps, seed):
    """Control and treatment moments of many A/A experiments."""
    rng = np.random.default_rng(seed)
    small = round(n * SHARE[split])
    found = []
    for size in (n - small, small):
        x = draw(rng, (reps, size))
        m = x.mean(1)
        d = x - m[:, None]
        names = ("y", "d")[: x.shape[-1]]
        found.append(Moments(names, np.full(reps, float(size)), m, np.einsum("rni,rnj->rij", d, d), (d**3).sum(1)))
    return found


def read(draw, method, n, split, reps=2000, seed=0):
    value = (lambda m: ratio(m, "y", "d")) if method == "ratio" else mean
    control, treatment = map(value, arms(draw, n, split, reps, seed))
    return within_domain(difference(control, treatment), method, control, treatment)


@pytest.mark.parametrize(
    ("draw", "method", "n", "split"),
    [
        (normal, "welch", 50, "50/50"),
        (normal, "welch", 500, "50/50"),
        (normal, "welch", 500, "90/10"),
        (zero_inflated_lognormal, "welch", 5000, "50/50"),
        (clicks_per_view, "ratio", 500, "50/50"),
        (clicks_per_view, "ratio", 5000, "90/10"),
    ],
)
def test_inside_the_error_is_what_it_says(draw, method, n, split):
    reps = 1000 if n == 5000 else 4000
    found = read(draw, method, n, split, reps)
    assert found.determined.mean() > 0.995
    assert (found.p_value < 0.05).mean() == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / reps))


@pytest.mark.parametrize(
    ("draw", "method", "n", "split", "reason"),
    [
        (normal, "welch", 50, "90/10", Reason.TOO_FEW_UNITS),
        (zero_inflated_lognormal, "welch", 50, "50/50", Reason.TOO_SKEWED),
        (zero_inflated_lognormal, "welch", 500, "50/50", Reason.TOO_SKEWED),
        (zero_inflated_lognormal, "welch", 500, "90/10", Reason.TOO_SKEWED),
        (zero_inflated_lognormal, "welch", 5000, "90/10", Reason.TOO_SKEWED),
        (clicks_per_view, "ratio", 50, "50/50", Reason.TOO_FEW_UNITS),
        (clicks_per_view, "ratio", 500, "90/10", Reason.TOO_FEW_UNITS),
    ],
)
def test_outside_nothing_is_said(draw, method, n, split, reason):
    found = read(draw, method, n, split, 1000)
    assert found.determined.mean() <= 0.001
    assert (found.reason == reason).mean() > 0.99


def test_a_real_experiment_on_earnings_is_inside():
    # LaLonde's NSW: 185 treated, 260 control, earnings of 1978
    rows = causaldata.nsw_mixtape.load_pandas().data
    control, treatment = (mean(Moments.from_rows(rows.re78[rows.treat == t], ["y"])) for t in (0, 1))
    found = within_domain(difference(control, treatment), "welch", control, treatment).at()
    assert (found.value, found.se) == (pytest.approx(1794.34, abs=0.01), pytest.approx(671.0, abs=0.05))
    assert found.p_value == pytest.approx(0.0079, abs=5e-5)
    assert (found.lower, found.upper) == (pytest.approx(474, abs=0.5), pytest.approx(3115, abs=0.5))


def test_one_sided_tests_bear_less_skewness():
    one = np.array(1.0)
    control, treatment = Arm(4500 * one, one, one, 3 * one), Arm(500 * one, one, one, 3 * one)
    assert within_domain(difference(control, treatment), "welch", control, treatment).at() != Undetermined(
        Reason.TOO_SKEWED
    )
    found = noninferiority(control, treatment, margin=0.1, boundary=Fixed(0.975))
    assert within_domain(found, "welch", control, treatment).at() == Undetermined(Reason.TOO_SKEWED)


def test_one_unit_that_makes_up_the_variance_is_refused():
    y = np.zeros(4000)
    y[0] = 1e9
    whale, others = mean(Moments.from_rows(y, ["y"])), mean(Moments.from_rows(np.arange(4000.0), ["y"]))
    assert outside("welch", others, whale)[()] is Reason.TOO_SKEWED


def test_unknown_skewness_refuses_nothing():
    arm = mean(Moments.from_covariance(["y"], 100, [1.0], [[1.0]]))
    assert outside("welch", arm, arm)[()] is None


def test_domains_are_data():
    assert {"welch", "cuped", "ratio", "cluster", "score", "exact"} <= set(DOMAINS)
    assert DOMAINS["ratio"].min_units == 100
    with pytest.raises(InputError, match="did you mean 'welch'"):
        domain_of("welsh")


def test_a_symmetric_lift_needs_a_baseline_that_is_known_well() -> None:
    for error, reason in ((0.04, None), (0.06, Reason.TOO_FEW_UNITS)):
        arm = Arm(np.array(100.0), np.array(-2.0), np.array(100.0) * (error * 2.0) ** 2, np.array(0.0))
        assert outside("delta", arm, arm)[()] is reason
        assert outside("welch", arm, arm)[()] is None
