import numpy as np
import pytest

from paribus.errors import InputError
from paribus.stats import (
    Moments,
    Reason,
    Undetermined,
    difference,
    hajek,
    heterogeneity,
    indicators,
    lin_regression,
    mean,
    poststratified,
    poststratify,
)


def cells(arrays):
    return Moments.stack([Moments.from_rows(a, ["y"]) for a in arrays])


def test_poststratification_is_the_interacted_regression_on_strata():
    rng = np.random.default_rng(0)
    stratum, treated = rng.integers(0, 3, 200), rng.integers(0, 2, 200)
    y = 3 * stratum + treated * (1 + stratum) + rng.normal(size=200)
    arms = [cells([y[(stratum == s) & (treated == t)] for s in range(3)]) for t in (0, 1)]
    found = difference(*map(mean, poststratify(*arms)))
    fit = lin_regression(y, treated, indicators(stratum))
    assert float(found.value) == pytest.approx(fit.coef[1])
    assert float(found.se) == pytest.approx(fit.se[1])


def test_given_shares_weigh_the_strata():
    c, t = cells([[0.0, 2.0], [10.0, 12.0]]), cells([[1.0, 3.0], [14.0, 16.0]])
    found = difference(*map(mean, poststratify(c, t, shares=[0.25, 0.75])))
    assert float(found.value) == pytest.approx(0.25 * 1 + 0.75 * 4)
    with pytest.raises(InputError, match="sum to one"):
        poststratify(c, t, shares=[0.5, 0.75])


def test_a_stratum_without_enough_units_leaves_no_estimate():
    c, t = cells([[0.0, 2.0], [10.0]]), cells([[1.0, 3.0], [14.0, 16.0]])
    assert difference(*map(mean, poststratify(c, t))).at() == Undetermined(Reason.TOO_FEW_UNITS)
    assert poststratified(c, t).at() == Undetermined(Reason.TOO_FEW_UNITS)


def test_weights_of_epochs_are_those_of_the_units():
    rng = np.random.default_rng(1)
    epochs = [rng.normal(e, 1 + e, size) for e, size in enumerate((30, 50, 20))]
    p = [0.5, 0.9, 0.1]
    found = hajek(cells(epochs), p)
    y, w = np.concatenate(epochs), np.repeat(1 / np.array(p), (30, 50, 20))
    center = (w @ y) / w.sum()
    assert found.mean[0] == pytest.approx(center)
    u = w * (y - center) / w.sum()
    # by hand: var(weighted mean) = n / (n - 1) sum u^2
    assert float(mean(found).se) ** 2 == pytest.approx(100 / 99 * (u @ u))
    assert found.skewness[0] == pytest.approx((u**3).mean() / (u**2).mean() ** 1.5)


def test_one_epoch_is_no_weighting():
    y = np.random.default_rng(2).normal(size=40)
    found, plain = hajek(cells([y]), [0.3]), Moments.from_rows(y, ["y"])
    np.testing.assert_allclose(found.m2, plain.m2)
    np.testing.assert_allclose(found.m3, plain.m3)


def test_a_changed_split_does_not_pose_as_an_effect():
    # Simpson: no effect on any day, but day 2 is better and had more treatment. 2,000 experiments.
    rng = np.random.default_rng(3)
    reps, sizes = 2000, {0: (450, 50), 1: (250, 250)}

    def summaries(arm):
        m = Moments(
            ("y",),
            np.stack([np.full(reps, float(sizes[e][arm])) for e in (0, 1)]),
            np.stack([2.0 * e + rng.normal(0, 1 / np.sqrt(sizes[e][arm]), reps) for e in (0, 1)])[..., None],
            np.stack([rng.chisquare(sizes[e][arm] - 1, reps) for e in (0, 1)])[..., None, None],
            np.zeros((2, reps, 1)),
        )
        return m

    control, treatment = summaries(0), summaries(1)
    naive = difference(mean(control.total([0, 0]).take(0)), mean(treatment.total([0, 0]).take(0)))
    weighted = difference(mean(hajek(control, [0.9, 0.5])), mean(hajek(treatment, [0.1, 0.5])))
    stratified = difference(*map(mean, poststratify(control, treatment)))
    assert (naive.p_value < 0.05).mean() > 0.9
    assert (stratified.p_value < 0.05).mean() == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / reps))
    assert (weighted.p_value < 0.05).mean() < 0.06
    assert weighted.value.mean() == pytest.approx(0, abs=0.02)


def test_the_effect_of_an_epoch_is_tested_against_the_others():
    c, t = cells([[0.0, 1, 2, 3], [0.0, 1, 2, 3]]), cells([[1.0, 2, 3, 4], [9.0, 10, 11, 12]])
    found = heterogeneity(difference(mean(c), mean(t)))
    # effects 1 and 9, each variance 2 (5/3) / 4 = 5/6: Q = 8^2 / (5/3)
    assert found.q == pytest.approx(64 / (5 / 3))
    assert found.p_value < 1e-8


def test_probabilities_lie_between_zero_and_one():
    with pytest.raises(InputError, match="probability"):
        hajek(cells([[1.0, 2.0]]), [0.0])


@pytest.mark.parametrize("scale", ["absolute", "relative"])
def test_estimated_shares_add_their_own_variance(scale):
    # 4,000 experiments whose strata sizes and arms are drawn, with effects 0 and 4 by stratum
    rng = np.random.default_rng(6)
    reps, n = 4000, 400
    inside = rng.random((reps, n)) < 0.4
    treated = rng.random((reps, n)) < 0.5
    y = 10 + 5 * inside + 4 * inside * treated + rng.normal(size=(reps, n))

    def arm(t):
        parts = [(treated == t) & (inside == s) for s in (False, True)]
        count = np.stack([part.sum(1).astype(float) for part in parts])
        m = np.stack([np.where(part, y, 0).sum(1) for part in parts]) / count
        m2 = np.stack([np.where(part, (y - m[i][:, None]) ** 2, 0).sum(1) for i, part in enumerate(parts)])
        return Moments(("y",), count, m[..., None], m2[..., None, None], np.zeros_like(m)[..., None])

    found = poststratified(arm(False), arm(True), scale=scale)
    assert found.se.mean() == pytest.approx(found.value.std(), rel=0.05)
