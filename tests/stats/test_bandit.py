import numpy as np
import pytest
from scipy.stats import norm

from paribus.errors import InputError
from paribus.stats.bandit import probability_best, top_two_probabilities


def test_two_arms_have_a_closed_form() -> None:
    found = probability_best([0.0877, 0.0968], [0.0059, 0.0094])
    assert found[1] == pytest.approx(norm.cdf(0.0091 / np.hypot(0.0059, 0.0094)), abs=1e-12)


def test_equal_arms_share_equally_and_a_certain_winner_takes_all() -> None:
    assert probability_best(np.zeros(5), np.full(5, 2.0)) == pytest.approx(np.full(5, 0.2), abs=1e-12)
    assert probability_best([0.0, 100.0, 1.0], [1.0, 1.0, 1.0]) == pytest.approx([0, 1, 0], abs=1e-12)


def test_arms_of_very_different_spread_agree_with_draws() -> None:
    mean, sd = np.array([0.0, 0.1, -0.5, 0.05]), np.array([1.0, 1e-3, 3.0, 0.1])
    best = np.random.default_rng(1).normal(mean, sd, (1_000_000, 4)).argmax(axis=1)
    assert probability_best(mean, sd) == pytest.approx(np.bincount(best, minlength=4) / best.size, abs=2.5e-3)


def test_top_two_agrees_with_its_definition() -> None:
    mean, sd, beta = np.array([0.0, 0.5, 1.0]), np.array([1.0, 0.7, 0.4]), 0.3
    a = probability_best(mean, sd)
    expected = [a[i] * (beta + (1 - beta) * sum(a[j] / (1 - a[j]) for j in range(3) if j != i)) for i in range(3)]
    found = top_two_probabilities(mean, sd, beta)
    assert found == pytest.approx(expected, rel=1e-9)
    assert found.sum() == pytest.approx(1.0)


def test_top_two_still_plays_the_runner_up_of_a_near_certain_leader() -> None:
    found = top_two_probabilities([0.0, 9.0, -1.0], [1.0, 1.0, 1.0])
    assert found[1] == pytest.approx(0.5, abs=1e-6)
    assert found.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("sd", [[1.0, 0.0], [1.0, np.nan]])
def test_what_is_no_posterior_is_refused(sd: list[float]) -> None:
    with pytest.raises(InputError, match="not a normal"):
        probability_best([0.0, 1.0], sd)
