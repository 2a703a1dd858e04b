"""Dunnett's comparisons against his tables, scipy's own test, and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from paribus.errors import InputError
from paribus.stats.dunnett import dunnett_critical_value, dunnett_p_values


@pytest.mark.parametrize(
    ("arms", "df", "sides", "table"),
    [
        # Dunnett 1955, 1964: 5% points for k treatments against a control, equal sizes
        (2, np.inf, 2, 2.21),
        (3, np.inf, 2, 2.35),
        (5, np.inf, 2, 2.51),
        (9, np.inf, 2, 2.69),
        (3, 10, 2, 2.76),
        (5, 20, 2, 2.73),
        (2, np.inf, 1, 1.92),
        (3, 10, 1, 2.34),
        (5, 20, 1, 2.39),
    ],
)
def test_tables(arms: int, df: float, sides: int, table: float) -> None:
    assert dunnett_critical_value(arms, df=df, sides=sides) == pytest.approx(table, abs=0.0051)


def test_one_arm_is_student() -> None:
    assert dunnett_critical_value(1, 0.05, df=7) == pytest.approx(stats.t.isf(0.025, 7), abs=1e-8)
    assert dunnett_p_values([2.0], df=7)[0] == pytest.approx(2 * stats.t.sf(2.0, 7), abs=1e-10)


def test_unequal_sizes_against_scipy() -> None:
    rng = np.random.default_rng(2)
    control = rng.normal(0, 1, 20)
    groups = [rng.normal(0.6, 1, 8), rng.normal(-0.4, 1, 15), rng.normal(0.9, 1, 12)]
    reference = stats.dunnett(*groups, control=control, random_state=1)
    df = len(control) + sum(map(len, groups)) - 4
    ours = dunnett_p_values(reference.statistic, n_control=20, n_treatments=[8, 15, 12], df=df)
    assert ours == pytest.approx(reference.pvalue, abs=3e-4)  # scipy integrates by quasi-Monte Carlo


def test_adjusted_p_at_the_critical_value_is_alpha() -> None:
    for sides in (1, 2):
        options = {"n_control": 300.0, "n_treatments": [100.0, 50.0], "df": 40.0, "sides": sides}
        critical = dunnett_critical_value(alpha=0.03, **options)
        assert dunnett_p_values([critical, 0.0], **options)[0] == pytest.approx(0.03, rel=1e-8)


def test_step_down_is_never_weaker_and_controls_the_error() -> None:
    rng = np.random.default_rng(3)
    factor, own = rng.normal(size=(1500, 1)), rng.normal(size=(1500, 3))
    t = (own - factor) / np.sqrt(2) + np.array([3.0, 0.0, 0.0])
    single = np.array([dunnett_p_values(row) for row in t[:200]])
    down = np.array([dunnett_p_values(row, step_down=True) for row in t])
    assert (down[:200] <= single + 1e-12).all()
    assert (down[:, 1:] <= 0.05).any(axis=1).mean() < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 1500)


def test_wrong_input() -> None:
    for call in (
        lambda: dunnett_critical_value(),
        lambda: dunnett_critical_value(2, alpha=0.0),
        lambda: dunnett_critical_value(n_control=0.0, n_treatments=[1.0]),
    ):
        with pytest.raises(InputError):
            call()
