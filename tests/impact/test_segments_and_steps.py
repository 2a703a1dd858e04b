"""Opposite segments by the published test, friction between arms, cohorts by week."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from scipy.stats import chi2_contingency
from tests.experiments.simulated import FIRST_DAY, cells, key
from tests.workflow.concluded import SUCCESS, result

from paribus.impact.cohort import cohorts
from paribus.impact.friction import Share, contrasts, transitions
from paribus.impact.heterogeneity import by_attribute, simpson
from paribus.stats.qualitative import opposition


@pytest.mark.parametrize(("segments", "critical"), [(2, 2.71), (3, 4.23), (4, 5.43), (5, 6.50), (6, 7.48)])
def test_the_five_percent_points_of_gail_and_simon(segments: int, critical: float) -> None:
    effects = [critical**0.5, *([-10.0] * (segments - 1))]
    assert opposition(effects, [1.0] * segments).p_value == pytest.approx(0.05, abs=5e-4)


def test_effects_of_one_sign_are_never_opposite() -> None:
    assert opposition([0.1, 3.0, 9.0], [1.0, 1.0, 1.0]).p_value == 1.0


def test_nulls_name_opposite_segments_at_most_as_often_as_they_may() -> None:
    rng = np.random.default_rng(2)
    named = sum(
        min(3 * min(opposition(rng.normal(size=k), np.ones(k)).p_value for k in (2, 2, 4)), 1) <= 0.05
        for _ in range(3_000)
    )
    assert named / 3_000 <= 0.05


def test_a_whole_that_hides_opposite_segments_is_found_and_one_that_does_not_is_not() -> None:
    hidden = result(lifts={"m": ("mobile", 0.6, 0.15), "d": ("desktop", 0.4, -0.12)})
    (found,) = simpson(hidden.segments, SUCCESS)
    assert found.attribute == "device"
    assert {level.level: level.conclusion for level in found.levels} == {"mobile": "better", "desktop": "worse"}
    assert simpson(result(lift=0.08).segments, SUCCESS) == ()
    (plain,) = by_attribute(result(lift=0.08).segments, SUCCESS)
    assert not plain.differs


def test_friction_is_found_where_it_was_planted() -> None:
    found = transitions([("checkout", 10_000, 10_000), ("pay", 7_000, 6_000), ("order", 6_300, 5_400)], 10_000, 10_000)
    assert [(t.start, t.end, t.is_worse) for t in found] == [("checkout", "pay", True), ("pay", "order", False)]
    first = found[0]
    assert first.contrast.difference == pytest.approx(-0.1)
    expected = chi2_contingency([[7_000, 3_000], [6_000, 4_000]], correction=False).pvalue
    assert first.contrast.p_value == pytest.approx(2 * expected, rel=0.3)  # Holm: the smaller of two, doubled
    assert first.lost == pytest.approx(0.4)


def test_contrasts_are_corrected_over_all_that_were_searched() -> None:
    rng = np.random.default_rng(4)
    false = 0
    for _ in range(200):
        named = [(str(i), Share(rng.binomial(500, 0.1), 500), Share(rng.binomial(500, 0.1), 500)) for i in range(20)]
        false += any(c.is_shown for c in contrasts(named))
    assert false / 200 <= 0.05 + 3.3 * (0.05 * 0.95 / 200) ** 0.5
    assert contrasts([("nobody", Share(0, 0), Share(1, 10))]) == ()


def test_cohorts_are_weeks_of_first_exposure() -> None:
    rng = np.random.default_rng(6)
    rows = {
        key(arm, day): rng.normal(10 * (1 + (0.2 if day < 7 else 0.0) * (arm == "treatment")), 3, (400, 1))
        for day in range(14)
        for arm in ("control", "treatment")
    }
    found = cohorts(cells("orders", ["y"], rows), control="control", treatment="treatment")
    assert [week.start for week in found.weeks] == [FIRST_DAY, FIRST_DAY + timedelta(days=7)]
    for i, week in enumerate(found.weeks):
        c, t = (
            np.concatenate([rows[key(arm, day)] for day in range(7 * i, 7 * i + 7)]).ravel()
            for arm in ("control", "treatment")
        )
        assert week.units == 5_600
        assert week.effect == pytest.approx(t.mean() / c.mean() - 1)
        se = (t.var(ddof=1) / len(t) / c.mean() ** 2 + c.var(ddof=1) / len(c) * t.mean() ** 2 / c.mean() ** 4) ** 0.5
        assert week.se == pytest.approx(se, rel=1e-6)
    assert found.p_value is not None
    assert found.p_value < 1e-6
    assert isinstance(found.weeks[0].start, date)
