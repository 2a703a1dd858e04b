import csv

import numpy as np
import pytest
from scipy.optimize import nnls
from tests.oracles import DATA

from paribus.errors import InputError
from paribus.stats import (
    Reason,
    Undetermined,
    difference_in_differences,
    ols,
    panel_did,
    panel_table,
    placebo_test,
    synthetic_control,
    synthetic_did,
    two_way_fixed_effects,
)


def panel(seed=0, units=12, periods=6, effect=2.0):
    rng = np.random.default_rng(seed)
    unit, time = (a.ravel() for a in np.meshgrid(np.arange(units), np.arange(periods), indexing="ij"))
    treated = ((unit >= units // 2) & (time >= periods // 2)).astype(float)
    y = rng.normal(size=units)[unit] + rng.normal(size=periods)[time] + effect * treated + rng.normal(size=unit.size)
    return unit, time, y, treated


def proposition_99():
    """Outcomes, control states and years before 1989."""
    with (DATA / "california_prop99.csv").open(encoding="utf-8", newline="") as file:
        rows = [(r["State"], int(r["Year"]), float(r["PacksPerCapita"])) for r in csv.DictReader(file, delimiter=";")]
    state, year, packs = zip(*rows, strict=True)
    treated = [s == "California" and y >= 1989 for s, y in zip(state, year, strict=True)]
    table = panel_table(state, year, packs, treated)
    return table.outcomes, table.n_control, table.n_before


def test_two_way_fixed_effects_are_least_squares_with_dummies():
    unit, time, y, treated = panel()
    X = np.column_stack([treated, unit[:, None] == np.arange(12), time[:, None] == np.arange(1, 6)]).astype(float)
    fit = ols(y, X, covariance="CR1", clusters=unit)
    found = two_way_fixed_effects(unit, time, y, treated).at()
    assert (found.value, found.se, found.df) == pytest.approx((fit.coef[0], fit.se[0], fit.df[0]))
    assert difference_in_differences(unit, time, y, treated).effect.at().value == pytest.approx(found.value)


def test_staggered_adoption_is_refused():
    unit, time, y, treated = panel()
    treated[(unit == 11) & (time == 3)] = 0
    with pytest.raises(InputError, match="different periods"):
        two_way_fixed_effects(unit, time, y, treated)


def test_one_treated_unit_has_no_clustered_standard_error():
    unit, time, y, treated = panel()
    treated[unit < 11] = 0
    assert two_way_fixed_effects(unit, time, y, treated).at() == Undetermined(Reason.TOO_FEW_UNITS)


def test_proposition_99_has_the_published_effects():
    """Arkhangelsky et al. 2021, table 1, with another digit from their program."""
    panel99 = proposition_99()
    assert panel_did(*panel99).effect == pytest.approx(-27.349, abs=0.001)
    assert synthetic_control(*panel99, solver="frank_wolfe").effect == pytest.approx(-19.620, abs=0.001)
    assert synthetic_did(*panel99, solver="frank_wolfe").effect == pytest.approx(-15.604, abs=0.001)


def test_exact_weights_are_those_of_non_negative_least_squares():
    outcomes, n_control, n_before = proposition_99()
    found = synthetic_control(outcomes, n_control, n_before)
    A, b = outcomes[:-1, :n_before].T, outcomes[-1, :n_before]
    weights = nnls(np.vstack([A, np.full(n_control, 1e5)]), np.append(b, 1e5))[0]
    assert found.unit_weights == pytest.approx(weights, abs=1e-4)
    stopped = synthetic_control(outcomes, n_control, n_before, solver="frank_wolfe")
    assert found.pre_rmse < stopped.pre_rmse
    assert synthetic_did(outcomes, n_control, n_before).effect == pytest.approx(-15.604, abs=0.01)


def test_placebos_of_proposition_99():
    """Arkhangelsky et al. 2021, table 1: standard error 17.7 for differences in differences."""
    outcomes, n_control, n_before = proposition_99()
    found = placebo_test(outcomes, n_control, n_before, estimator="did")
    change = outcomes[:, n_before:].mean(axis=1) - outcomes[:, :n_before].mean(axis=1)
    own, rest = change[:-1], (change[:-1].sum() - change[:-1]) / (n_control - 1)
    assert found.effects == pytest.approx(own - rest)
    assert found.se == pytest.approx(17.7, rel=0.1)
    assert found.p_value == pytest.approx((1 + np.sum(np.abs(own - rest) >= 27.349)) / 39)


def test_too_few_controls_have_no_placebos():
    y = np.random.default_rng(0).normal(size=(5, 6))
    assert placebo_test(y, 3, 3).reason is Reason.TOO_FEW_UNITS


def test_of_many_controls_the_weights_are_still_the_best():
    """No weight can move to another unit and fit better (Karush, Kuhn, Tucker), with a penalty of 200 controls."""
    rng = np.random.default_rng(3)
    outcomes = rng.normal(size=(201, 30)).cumsum(axis=1)
    n_control, n_before = 200, 20
    w = synthetic_did(outcomes, n_control, n_before).unit_weights
    before = outcomes[:, :n_before]
    A = before[:-1].T - before[:-1].mean(axis=1)
    b = before[-1] - before[-1].mean()
    zeta = 10**0.25 * np.diff(before[:-1], axis=1).std(ddof=1)
    slope = A.T @ (A @ w - b) + n_before * zeta**2 * w
    assert w.sum() == pytest.approx(1)
    assert slope[w > 0] == pytest.approx(np.full((w > 0).sum(), slope.min()), abs=1e-7 * np.abs(A.T @ b).max())
