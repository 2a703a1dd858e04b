import numpy as np
import pytest

from paribus.errors import InputError
from paribus.stats.estimate import Reason, Undetermined, estimates
from paribus.stats.meta import prior_from_past, random_effects, shrink

# Effects and variances of past experiments with a spread beyond noise, in percent.
EFFECTS = np.array([0.2, -1.1, 2.4, 0.9, -0.3, 3.1])
VARIANCES = np.array([0.25, 0.16, 0.36, 0.09, 0.49, 0.64])


@pytest.mark.parametrize("method", ["DL", "PM", "REML"])
def test_equal_variances_leave_the_sample_variance_minus_the_noise(method: str) -> None:
    y = np.array([0.0, 1.0, 4.0, 7.0])  # variance 10 around the mean 3
    pooled = random_effects(y, np.full(4, 2.0), method=method)
    assert not isinstance(pooled, Undetermined)
    assert pooled.mu == pytest.approx(3.0)
    assert pooled.tau2 == pytest.approx(8.0, rel=1e-7)
    assert pooled.se == pytest.approx(np.sqrt(10 / 4), rel=1e-7)
    assert pooled.shrunk == pytest.approx(3 + 0.8 * (y - 3), rel=1e-7)
    assert round(pooled.Q, 9) == 15.0


def test_paule_mandel_makes_the_generalized_q_its_expectation() -> None:
    pooled = random_effects(EFFECTS, VARIANCES, method="PM")
    assert not isinstance(pooled, Undetermined)
    w = 1 / (VARIANCES + pooled.tau2)
    assert (w * (EFFECTS - w @ EFFECTS / w.sum()) ** 2).sum() == pytest.approx(5.0, rel=1e-9)


def test_a_coarse_search_of_tau2_stops_within_its_accuracy() -> None:
    exact, coarse = (random_effects(EFFECTS, VARIANCES, method="PM", accuracy=a) for a in (0.0, 0.01))
    assert coarse.tau2 != exact.tau2
    assert coarse.tau2 == pytest.approx(exact.tau2, abs=0.01)


def test_reml_maximizes_the_restricted_likelihood() -> None:
    def log_likelihood(tau2: float) -> float:
        w = 1 / (VARIANCES + tau2)
        residual = EFFECTS - w @ EFFECTS / w.sum()
        return 0.5 * float(np.log(w).sum() - np.log(w.sum()) - w @ residual**2)

    pooled = random_effects(EFFECTS, VARIANCES, method="REML")
    assert not isinstance(pooled, Undetermined)
    best = log_likelihood(pooled.tau2)
    assert all(log_likelihood(tau2) <= best for tau2 in np.linspace(0, 20, 400))
    slope = (log_likelihood(pooled.tau2 + 1e-4) - log_likelihood(pooled.tau2 - 1e-4)) / 2e-4
    assert slope == pytest.approx(0.0, abs=1e-7)


@pytest.mark.parametrize("method", ["DL", "PM", "REML"])
def test_effects_that_agree_are_pooled(method: str) -> None:
    pooled = random_effects([1.0, 1.1, 0.9], [1.0, 1.0, 1.0], method=method)
    assert not isinstance(pooled, Undetermined)
    assert pooled.tau2 == 0
    assert pooled.shrunk == pytest.approx([1.0, 1.0, 1.0])


def test_one_effect_is_no_meta_analysis() -> None:
    assert random_effects([1.0], [1.0]) == Undetermined(Reason.TOO_FEW_UNITS, "1 estimates, at least 2 are needed")
    with pytest.raises(InputError, match="no estimator 'RMEL'"):
        random_effects([1.0, 2.0], [1.0, 1.0], method="RMEL")  # type: ignore[arg-type]  # the mistake under test


def test_the_prior_has_the_spread_of_effects_and_the_error_of_their_mean() -> None:
    assert prior_from_past([0.0, 1.0, 4.0, 7.0], np.full(4, np.sqrt(2.0)), method="DL") == pytest.approx(
        (3.0, np.sqrt(8 + 10 / 4))
    )
    with pytest.raises(InputError, match="not positive"):
        prior_from_past([0.0, 1.0], [1.0, 0.0])
    assert isinstance(prior_from_past([0.0], [1.0]), Undetermined)


def test_shrinking_along_an_axis_is_the_meta_analysis_of_each_set() -> None:
    value = np.stack([EFFECTS, EFFECTS[::-1] / 2])
    effects = estimates(value, np.sqrt(VARIANCES), 0, 0, 1, level=0.9, method="z")
    shrunk = shrink(effects, axis=1)
    for i in range(2):
        alone = random_effects(value[i], VARIANCES, method="DL")
        assert not isinstance(alone, Undetermined)
        assert shrunk.value[i] == pytest.approx(alone.shrunk)
        assert shrunk.se[i] == pytest.approx(alone.shrunk_se)
    assert shrunk.upper - shrunk.value == pytest.approx(1.6448536 * shrunk.se, rel=1e-6)


def test_shrinking_leaves_out_what_is_undetermined() -> None:
    value = np.append(EFFECTS, 99.0)
    effects = estimates(value, np.sqrt(np.append(VARIANCES, 1.0)), 0, 0, 1, level=0.95, method="z")
    effects = effects.without(value == 99.0, Reason.NO_DATA)
    shrunk = shrink(effects, axis=0)
    alone = random_effects(EFFECTS, VARIANCES, method="DL")
    assert not isinstance(alone, Undetermined)
    assert shrunk.value[:-1] == pytest.approx(alone.shrunk)
    assert shrunk.at(6) == Undetermined(Reason.NO_DATA)
