"""Uniform boundaries against the unit tests of confseq (Howard, Ramdas; MIT; values from their R implementation)."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad

from paribus.errors import InputError
from paribus.stats import confseq

UNIT_TESTS = [
    (confseq.best_rho(100), 12.60056),
    (confseq.normal_log_mixture(10, 100, 100, one_sided=False), -0.6510052),
    (confseq.normal_mixture_bound(100, 0.05, 100, one_sided=False), 30.35209),
    (confseq.normal_log_mixture(10, 100, 100), -0.06502391),
    (confseq.normal_mixture_bound(100, 0.05, 100), 27.66071),
    (confseq.gamma_exponential_log_mixture(10, 100, 100, 2), -0.2490165),
    (confseq.gamma_exponential_mixture_bound(100, 0.05, 100, 2), 33.02017),
    (confseq.gamma_poisson_log_mixture(10, 100, 100, 2), -0.06991219),
    (confseq.gamma_poisson_mixture_bound(100, 0.05, 100, 2), 30.1949),
    (confseq.beta_binomial_log_mixture(10, 100, 100, 0.2, 0.8, one_sided=False), -0.6941012),
    (confseq.beta_binomial_mixture_bound(100, 0.05, 100, 0.2, 0.8, one_sided=False), 31.4308),
    (confseq.beta_binomial_log_mixture(10, 100, 100, 0.2, 0.8), -0.07134019),
    (confseq.beta_binomial_mixture_bound(100, 0.05, 100, 0.2, 0.8), 28.41238),
    (confseq.beta_binomial_mixture_bound(2 * 0.2 * 0.8, 0.05, 100, 0.2, 0.8), 1.6),
    (confseq.poly_stitching_bound(100, 0.05, 10, 3), 64.48755),
    (confseq.poly_stitching_bound(100, 0.05, 10, -1), 28.99389),
    (confseq.empirical_process_lil_bound(1000, 0.05, 100), 0.08204769),
    (confseq.double_stitching_bound(0.5, 1000, 0.05, 100), 68.62803),
    (confseq.double_stitching_bound(0.9, 1000, 0.05, 100), 43.72119),
    (confseq.double_stitching_bound(0.1, 1000, 0.05, 100), 59.96521),
]


@pytest.mark.parametrize(("found", "published"), UNIT_TESTS)
def test_unit_tests_of_confseq(found: float, published: float) -> None:
    assert found == pytest.approx(published, abs=1e-5)


@pytest.mark.parametrize(
    ("successes", "n", "t_opt", "interval"),
    [
        (700, 1000, 100, (0.651629, 0.745949)),
        (15, 50, 50, (0.129556, 0.511896)),
        (5, 50, 50, (0.013021, 0.269264)),
        (1, 50, 50, (0.0, 0.13489)),
        (1, 2, 50, (0.0, 1.0)),
        (100, 200, 1, (0.328923, 0.671076)),
        (0, 1, 50, (0.0, 1.0)),
    ],
)
def test_bernoulli_sequences_of_confseq(successes: int, n: int, t_opt: float, interval: tuple) -> None:
    assert confseq.bernoulli_confidence_interval(successes, n, 0.05, t_opt) == pytest.approx(interval, abs=1e-5)


@pytest.mark.parametrize(
    ("p", "offset", "published"),
    [(0.5, 70, 0.814704), (0.5, 85, 0.0838055), (0.5, 100, 0.0054947), (0.9, 55, 0.0340463)],
)
def test_quantile_ab_test_of_confseq(p: float, offset: int, published: float) -> None:
    a = np.arange(1000)
    assert confseq.quantile_ab_p_value(a, a + offset, p) == pytest.approx(published, abs=1e-5)


def test_normal_mixture_is_its_integral() -> None:
    s, v, rho = 12.0, 80.0, confseq.best_rho(100, one_sided=True)
    prior = np.sqrt(rho / (2 * np.pi))
    mixed = quad(lambda x: 2 * prior * np.exp(x * s - x * x * v / 2 - rho * x * x / 2), 0, 3)[0]
    assert confseq.normal_log_mixture(s, v, 100) == pytest.approx(np.log(mixed))


def test_bernoulli_sequence_covers_over_all_looks() -> None:
    rng = np.random.default_rng(2)
    p, n, reps = 0.1, 600, 1500
    successes = np.cumsum(rng.random((reps, n)) < p, axis=1)
    t = np.arange(1, n + 1)
    v = p * (1 - p)
    mixture = confseq.beta_binomial_log_mixture(successes - t * p, t * v, 200 * v, p, 1 - p, one_sided=False)
    assert (mixture >= np.log(20)).any(axis=1).mean() < 0.05


def test_wrong_arguments() -> None:
    for call in (
        lambda: confseq.best_rho(-1.0),
        lambda: confseq.bernoulli_confidence_interval(3, 2, 0.05, 10),
        lambda: confseq.quantile_ab_p_value([1.0], [2.0], 1.5),
        lambda: confseq.empirical_process_lil_bound(10, 0.05, 1, A=0.5),
        lambda: confseq.gamma_poisson_mixture_bound(10, 1.2, 10, 1),
    ):
        with pytest.raises(InputError):
            call()


def test_lil_bound_is_infinite_before_its_start_and_shrinks() -> None:
    bound = confseq.empirical_process_lil_bound([10, 100, 1000, 10_000], 0.05, 100)
    assert np.isinf(bound[0])
    assert (np.diff(bound[1:]) < 0).all()
