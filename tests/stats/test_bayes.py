import numpy as np
import pytest
from scipy import integrate
from scipy import stats as scipy_stats
from scipy.special import betaln

from paribus.errors import InputError
from paribus.stats.bayes import NormalPosterior, beta_binomial, normal_posterior


def test_a_flat_prior_gives_back_the_estimate_and_one_minus_the_one_sided_p_value() -> None:
    posterior = normal_posterior([0.02, -0.5], [0.01, 0.2])
    assert posterior.mean.tolist() == [0.02, -0.5]
    assert posterior.sd.tolist() == [0.01, 0.2]
    assert posterior.probability_above(0.0) == pytest.approx(scipy_stats.norm.cdf([2.0, -2.5]), rel=1e-12)


def test_precisions_add_and_weight_the_means() -> None:
    # data N(3, 1), prior N(0, 2^2): precision 1 + 1/4, mean 3 / 1.25
    posterior = normal_posterior(3.0, 1.0, 0.0, 2.0)
    assert float(posterior.mean) == pytest.approx(2.4)
    assert float(posterior.sd) == pytest.approx(np.sqrt(0.8))


@pytest.mark.parametrize(("mean", "sd"), [(0.1, 0.05), (-0.3, 0.2), (0.0, 1.0)])
def test_losses_and_probabilities_are_integrals_of_the_density(mean: float, sd: float) -> None:
    posterior, density = NormalPosterior(np.array(mean), np.array(sd)), scipy_stats.norm(mean, sd).pdf
    ends = (mean - 12 * sd, mean + 12 * sd)
    treatment, control = posterior.expected_loss()
    options = {"points": [0.0], "epsabs": 1e-13}
    assert float(treatment) == pytest.approx(
        integrate.quad(lambda t: max(-t, 0) * density(t), *ends, **options)[0], abs=1e-11
    )
    assert float(control) == pytest.approx(
        integrate.quad(lambda t: max(t, 0) * density(t), *ends, **options)[0], abs=1e-11
    )
    assert float(posterior.probability_between(-0.01, 0.2)) == pytest.approx(
        integrate.quad(density, -0.01, 0.2)[0], abs=1e-9
    )
    assert np.array(posterior.interval(0.9)) == pytest.approx(scipy_stats.norm(mean, sd).interval(0.9))


def test_losses_far_from_zero_neither_overflow_nor_turn_negative() -> None:
    treatment, control = NormalPosterior(np.array([1e4, -1e4, 20.0]), np.ones(3)).expected_loss()
    assert treatment[:2] == pytest.approx([0.0, 1e4])
    assert control[:2] == pytest.approx([1e4, 0.0])
    assert 0 < treatment[2] < np.exp(-200) / np.sqrt(2 * np.pi)  # below phi(20) / 20^2 (Mills)


def test_a_prior_without_spread_is_refused() -> None:
    with pytest.raises(InputError, match="not positive"):
        normal_posterior(1.0, 1.0, 0.0, 0.0)


def test_chance_to_win_is_the_finite_sum_for_whole_parameters() -> None:
    # Miller 2015, eq. 6: P(B > A) for Beta(121, 881) and Beta(151, 851)
    i = np.arange(151)
    total = np.exp(betaln(121 + i, 881 + 851) - np.log(851 + i) - betaln(1 + i, 851) - betaln(121, 881)).sum()
    found = beta_binomial(120, 1000, 150, 1000)
    assert float(found.chance_to_win) == pytest.approx(total, rel=1e-9)
    assert float(found.chance_to_lose) == pytest.approx(1 - total, rel=1e-8)


@pytest.mark.parametrize(("prior", "tolerance"), [(1.0, 1e-10), (0.5, 1e-10), (0.01, 1e-6)])
def test_small_priors_lose_no_probability_at_the_ends(prior: float, tolerance: float) -> None:
    # one more success: P = 1/2 + B(2p, 2p) / (p B(p, p)^2)
    expected = 0.5 + np.exp(betaln(2 * prior, 2 * prior) - 2 * betaln(prior, prior)) / prior
    found = beta_binomial(0, 0, 1, 1, prior=(prior, prior))
    assert float(found.chance_to_win) == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize("n", [1, 100, 1_000_000_000])
def test_the_losses_differ_by_the_difference_of_the_means(n: int) -> None:
    found = beta_binomial(n // 10, n, n // 9, n)
    gap = found.mean_treatment - found.mean_control
    assert float(found.loss_control - found.loss_treatment) == pytest.approx(float(gap), abs=1e-11)


def test_a_billion_units_agree_with_the_normal_approximation() -> None:
    n, p = 1e9, 0.1
    x_t = p * n + 13_416.0
    z = (x_t - p * n) / np.sqrt(2 * n * p * (1 - p))
    found = beta_binomial(p * n, n, x_t, n)
    assert float(found.chance_to_win) == pytest.approx(scipy_stats.norm.cdf(z), abs=1e-5)


def test_cells_broadcast_and_swapping_the_arms_swaps_the_chances() -> None:
    one = beta_binomial([[1, 2]], 10, [[3], [4]], 10)
    other = beta_binomial([[3], [4]], 10, [[1, 2]], 10)
    assert one.chance_to_win.shape == (2, 2)
    assert one.chance_to_win == pytest.approx(other.chance_to_lose, rel=1e-9)
    assert one.loss_treatment == pytest.approx(other.loss_control, rel=1e-9)
