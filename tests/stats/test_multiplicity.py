"""Adjustments against R's p.adjust (values in the oracle files), brute-force closed tests and simulated coverage."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from paribus.errors import InputError
from paribus.stats.estimate import estimates
from paribus.stats.multiplicity import adjusted, adjusted_p_values, interval_levels, rejections, simes

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=7)
STATSMODELS = {
    "bonferroni": "bonferroni",
    "sidak": "sidak",
    "holm": "holm",
    "holm-sidak": "holm-sidak",
    "hochberg": "simes-hochberg",
    "hommel": "hommel",
    "benjamini-hochberg": "fdr_bh",
    "benjamini-yekutieli": "fdr_by",
}


@pytest.mark.parametrize("method", STATSMODELS)
def test_equal_to_statsmodels(method: str) -> None:
    rng = np.random.default_rng(1)
    for size in (1, 2, 5, 30):
        p = rng.random(size) ** 3
        expected = multipletests(p, method=STATSMODELS[method])[1]
        assert adjusted_p_values(p, method) == pytest.approx(expected, rel=1e-10)


@given(P_VALUES)
def test_hommel_is_the_closure_of_simes(p: list[float]) -> None:
    m = len(p)
    closed = [
        max(simes([p[j] for j in s]) for r in range(1, m + 1) for s in combinations(range(m), r) if i in s)
        for i in range(m)
    ]
    assert adjusted_p_values(p, "hommel") == pytest.approx(closed, rel=1e-9, abs=1e-12)


@given(P_VALUES)
def test_order_of_power(p: list[float]) -> None:
    values = {method: adjusted_p_values(p, method) for method in (*STATSMODELS, "hochberg-sidak")}
    slack = 1e-12
    for stronger, weaker in (
        ("holm", "bonferroni"),
        ("hochberg", "holm"),
        ("hommel", "hochberg"),
        ("sidak", "bonferroni"),
        ("hochberg-sidak", "hochberg"),
        ("benjamini-hochberg", "hommel"),
    ):
        assert (values[stronger] <= values[weaker] + slack).all()
    assert all(((v >= np.array(p) - slack) & (v <= 1)).all() for v in values.values())


def test_undetermined_p_values_are_no_hypotheses() -> None:
    assert adjusted_p_values([0.01, np.nan, 0.04], "bonferroni") == pytest.approx([0.02, np.nan, 0.08], nan_ok=True)
    assert adjusted_p_values(np.array([[0.01, 0.02], [0.5, np.nan]]), "holm") == pytest.approx(
        np.array([[0.02, 0.02], [0.5, np.nan]]), nan_ok=True
    )
    assert rejections([0.01, np.nan, 0.04], 0.05, "bonferroni") == 1


def test_ties_at_alpha_are_rejected() -> None:
    assert rejections([0.05, 0.05, 0.05], 0.05, "benjamini-hochberg") == 3


def family(z: np.ndarray, alternative: str = "two-sided"):
    from scipy.stats import norm

    p = 2 * norm.sf(np.abs(z)) if alternative == "two-sided" else norm.sf(z)
    return estimates(z, np.ones_like(z), z - 2, z + 2, p, level=0.95, alternative=alternative, method="z")


@pytest.mark.parametrize("method", [*STATSMODELS, "hochberg-sidak", "none"])
def test_interval_excludes_zero_exactly_when_the_adjusted_p_is_at_most_alpha(method: str) -> None:
    rng = np.random.default_rng(3)
    z = rng.normal(0, 2.5, (200, 6))
    result = adjusted(family(z), method)
    excludes = (result.lower >= 0) | (result.upper <= 0)
    rejected = result.p_value <= 0.05
    if method in ("holm", "holm-sidak", "hochberg", "hochberg-sidak", "hommel"):
        assert (excludes >= rejected).all()
    assert (excludes == rejected).mean() > 0.995  # Sidak's interval can be wider by rounding of the level only


def test_bonferroni_intervals_cover_all_parameters_at_once() -> None:
    rng = np.random.default_rng(5)
    truth = np.array([0.0, 1.0, -2.0, 0.5])
    result = adjusted(family(truth + rng.normal(size=(4000, 4))), "bonferroni")
    covered = ((result.lower <= truth) & (truth <= result.upper)).all(axis=1).mean()
    assert covered == pytest.approx(0.95, abs=4 * np.sqrt(0.05 * 0.95 / 4000))


def test_false_coverage_rate_of_selected_intervals() -> None:
    rng = np.random.default_rng(6)
    truth = np.array([0.0, 0.0, 0.0, 1.5, 3.0, 3.0])
    result = adjusted(family(truth + rng.normal(size=(4000, 6))), "benjamini-hochberg")
    chosen = result.p_value <= 0.05
    missed = chosen & ~((result.lower <= truth) & (truth <= result.upper))
    assert (missed.sum(axis=1) / np.maximum(chosen.sum(axis=1), 1)).mean() < 0.05


def test_intervals_of_sequential_looks_share_alpha_too() -> None:
    from paribus.stats.anytime import AsymptoticSequence
    from paribus.stats.group_sequential import group_sequential_design
    from paribus.stats.gsd_inference import GroupSequentialLook

    plan = group_sequential_design(looks=3, alpha=0.05)
    halved = group_sequential_design(looks=3, alpha=0.025)
    look = adjusted(family(np.array([1.0, 2.0])), "bonferroni", boundary=GroupSequentialLook(plan, 2), n=500.0)
    assert look.upper - look.value == pytest.approx(halved.critical[1], rel=1e-9)
    sequence = adjusted(family(np.array([1.0, 2.0])), "bonferroni", boundary=AsymptoticSequence(), n=500.0)
    expected = AsymptoticSequence(level=0.975).radius(1.0, 500.0, np.inf)
    assert sequence.upper - sequence.value == pytest.approx(float(expected))


def test_levels() -> None:
    assert interval_levels([0.01, 0.5], 0.95, "bonferroni") == pytest.approx([0.975, 0.975])
    assert interval_levels([0.001, 0.002, 0.9, 0.8], 0.95, "benjamini-hochberg") == pytest.approx([0.975] * 4)


def test_wrong_input() -> None:
    with pytest.raises(InputError, match="holm"):
        adjusted_p_values([0.1], "holmes")  # type: ignore[arg-type]
    with pytest.raises(InputError):
        adjusted_p_values([1.5])
