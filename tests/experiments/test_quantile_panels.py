"""Quantile metrics from order statistics to panels, against closed forms, numpy and scipy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta

import numpy as np
import pytest
from scipy import stats as scipy_stats
from tests.experiments.simulated import SEAL, START, design, key

from paribus.experiments.analysis import infer
from paribus.experiments.plan import Method, Plan
from paribus.experiments.quantiles import quantile_panels
from paribus.experiments.reading import Look, Reading
from paribus.experiments.result import Comparison
from paribus.metrics.cells import CellKey, Counts, Measurement, Ranks
from paribus.metrics.definition import Metric, MetricType, Role
from paribus.stats.estimate import Estimate, Reason, Undetermined
from paribus.stats.moments import Moments

P90 = Metric("load", MetricType.QUANTILE, quantile=0.9, direction="decrease")
MEDIAN = Metric("load", MetricType.QUANTILE, quantile=0.5)
GROUP_SEQUENTIAL = Plan(method=Method.GROUP_SEQUENTIAL, start=START, looks=(7, 14), planned_units=4000)


def ranks(rows: Mapping[CellKey, tuple[np.ndarray, np.ndarray | None]], p: float, level: float = 0.95) -> Ranks:
    """Order statistics of each key's rows at the binomial's ranks, and the share at or below q by the rows' unit."""
    points: dict[str, list[float]] = {"q": [], "lower": [], "upper": []}
    moments = []
    for values, units in rows.values():
        x = np.sort(values)
        low, high = scipy_stats.binom.ppf([(1 - level) / 2, (1 + level) / 2], len(x), p).astype(int)
        points["q"].append(float(np.quantile(x, p)))
        points["lower"].append(float(x[low - 1]))
        points["upper"].append(float(x[high]) if high < len(x) else math.nan)
        if units is not None:
            own = np.column_stack([np.bincount(units, values <= points["q"][-1]), np.bincount(units)]).astype(float)
            moments.append(Moments.from_rows(own, ["s", "n"]))
    clustered = None
    if moments:
        clustered = Moments(
            ("s", "n"), *(np.stack([getattr(m, part) for m in moments]) for part in ("n", "mean", "m2", "m3"))
        )
    n = tuple(len(values) for values, _ in rows.values())
    return Ranks("load", tuple(rows), n, {k: tuple(v) for k, v in points.items()}, clustered)


def measured(found: Ranks) -> Measurement:
    units = {k.variant: n for k, n in zip(found.keys, found.n, strict=True) if k.attribute is None}
    return Measurement(Counts(sum(units.values()), units), {}, ranks={"load": found})


def effect(comparison: Comparison) -> Estimate:
    assert isinstance(comparison.absolute, Estimate), comparison.absolute
    return comparison.absolute


def two_arms(rng: np.random.Generator, n: int, factor: float = 1.0) -> dict[CellKey, tuple[np.ndarray, None]]:
    return {key("control"): (rng.exponential(size=n), None), key("treatment"): (factor * rng.exponential(size=n), None)}


def test_the_error_of_a_p90_of_exponentials_is_that_of_theory() -> None:
    """Asymptotic variance p (1 - p) / (n f(q)^2), with density f(q) = 1 - p for an exponential: .9 x .1 / .1^2 / n."""
    n, rng, errors = 4_000, np.random.default_rng(1), []
    for _ in range(60):
        rows = two_arms(rng, n)
        (c,) = infer(design(P90), measured(ranks(rows, 0.9))).comparisons
        errors.append(effect(c).se)
    own = [np.quantile(values, 0.9) for values, _ in rows.values()]
    assert (c.control.value, c.treatment.value) == pytest.approx(own)
    assert effect(c).value == pytest.approx(own[1] - own[0])
    assert effect(c).p_value == pytest.approx(2 * scipy_stats.norm.sf(abs(effect(c).value / effect(c).se)), rel=1e-2)
    # One distance of order statistics is noisy (about 12% here), and whole ranks make it slightly wide.
    assert 0.98 < np.mean(errors) / (3 * math.sqrt(2 / n)) < 1.06


def test_the_standard_error_is_the_distance_of_the_limits_over_two_z() -> None:
    """Deng, Knoblich, Lu 2018, section 4.1, by hand: ranks 41 and 61 of the binomial (101, .5), z = 1.96."""
    x = np.arange(1.0, 102.0)
    rows = {key("control"): (x, None), key("treatment"): (x + 3, None)}
    assert scipy_stats.binom.ppf([0.025, 0.975], 101, 0.5).tolist() == [41, 60]
    (c,) = infer(design(MEDIAN), measured(ranks(rows, 0.5))).comparisons
    assert c.control.se == pytest.approx((61 - 41) / (2 * 1.959964) * math.sqrt(100 / 101), rel=1e-6)


def test_the_relative_interval_is_fiellers() -> None:
    rows = two_arms(np.random.default_rng(2), 4000, 1.1)
    (c,) = infer(design(P90), measured(ranks(rows, 0.9))).comparisons
    assert isinstance(c.relative, Estimate)
    a, b, va, vb = c.control.value, c.treatment.value, c.control.se**2, c.treatment.se**2
    z = scipy_stats.t.isf(0.025, effect(c).df)
    # roots r of (b - r a)^2 = z^2 (vb + r^2 va)
    roots = np.sort(np.roots([a * a - z * z * va, -2 * a * b, b * b - z * z * vb])) - 1
    assert [c.relative.lower, c.relative.upper] == pytest.approx(roots, rel=1e-4)


def test_two_arms_and_segments_each_get_their_own_interval() -> None:
    rng = np.random.default_rng(3)
    rows: dict[CellKey, tuple[np.ndarray, None]] = {
        key(arm, attribute=attribute, level=level): (rng.exponential(size=2000), None)
        for arm in ("control", "a", "b")
        for attribute, level in ((None, None), ("country", "DE"), ("country", None))
    }
    read = Reading(Plan(), (Look(1, None, True),), (), True, "the plan's end")
    made = design(P90, arms=("control", "a", "b"))
    whole, by_level = quantile_panels(P90, ranks(rows, 0.9), made, read, np.array([0.975, 0.95]))
    assert by_level is not None
    assert whole.absolute.shape == (2, 1, 1)
    assert by_level.groups == (("country", None), ("country", "DE"))
    values = {k: np.quantile(v, 0.9) for k, (v, _) in rows.items()}
    for t, arm in enumerate(("a", "b")):
        for g, level in enumerate((None, "DE")):
            gap = (
                values[key(arm, attribute="country", level=level)]
                - values[key("control", attribute="country", level=level)]
            )
            assert by_level.absolute.value[t, g, 0] == pytest.approx(gap)
    assert whole.simultaneous is not None
    assert whole.reach is not None
    ends = [float(end[1, 0]) for end in whole.simultaneous]
    assert ends == pytest.approx([whole.relative.lower[1, 0, 0], whole.relative.upper[1, 0, 0]])
    z = scipy_stats.t.isf([0.0125, 0.025], whole.absolute.df[:, 0, 0])
    assert whole.reach[:, 0] == pytest.approx(z * whole.absolute.se[:, 0, 0])


def clustered(rng: np.random.Generator, units: int, rows_each: int, shared: float) -> tuple[np.ndarray, np.ndarray]:
    of = np.repeat(np.arange(units), rows_each)
    return shared * rng.normal(size=units)[of] + rng.normal(size=len(of)), of


def test_rows_of_one_unit_count_through_their_unit() -> None:
    """Rows that are copies of their unit's value carry the information of the units alone."""
    rng, of, ratios = np.random.default_rng(4), np.repeat(np.arange(900), 6), []
    names = ("control", "treatment")
    for _ in range(40):
        x = [rng.normal(size=900) for _ in names]
        copies = ranks({key(v): (np.repeat(own, 6), of) for v, own in zip(names, x, strict=True)}, 0.5)
        naive = Ranks("load", copies.keys, copies.n, copies.points)
        (c,), (rowwise,) = (infer(design(MEDIAN), measured(found)).comparisons for found in (copies, naive))
        ratios.append(effect(rowwise).se / effect(c).se)
        errors = effect(c).se / math.sqrt(math.pi / 2 * 2 / 900)  # of the median of 900 normal values in each arm
        assert 0.5 < errors < 1.6
    assert np.mean(ratios) == pytest.approx(1 / math.sqrt(6), rel=0.01)


def test_few_units_behind_many_rows_are_undetermined() -> None:
    rng = np.random.default_rng(5)
    many = {key(v): clustered(rng, 200, 20, 1.0) for v in ("control", "treatment")}
    few = {**many, key("treatment"): clustered(rng, 25, 160, 1.0)}
    # 300 units, but one row each save for twelve of 300
    sizes = np.array([300] * 12 + [1] * 288)
    of = np.repeat(np.arange(300), sizes)
    dominated = {**many, key("treatment"): (rng.normal(size=300)[of] + rng.normal(size=len(of)), of)}
    for rows, known in ((many, True), (few, False), (dominated, False)):
        (c,) = infer(design(P90), measured(ranks(rows, 0.9))).comparisons
        assert isinstance(c.absolute, Estimate) == isinstance(c.relative, Estimate) == known
        if not known:
            assert isinstance(c.absolute, Undetermined)
            assert c.absolute.reason is Reason.TOO_FEW_CLUSTERS


def test_a_sequential_plan_reads_a_quantile_at_any_time_and_says_that_there_is_no_daily_view() -> None:
    rows = two_arms(np.random.default_rng(6), 2000)
    made = measured(ranks(rows, 0.9))
    (fixed,) = infer(design(P90), made).comparisons
    result = infer(design(P90, plan=GROUP_SEQUENTIAL), made, registered=SEAL, as_of=START + timedelta(days=9))
    (c,) = result.comparisons
    assert "No daily view: order statistics of days do not add up" in " ".join(c.notes)
    assert not any("No daily view" in note for note in fixed.notes)
    assert "asymptotic confidence sequence" in c.method
    # Two looks of O'Brien and Fleming end at 1.97 standard errors; what holds at any time is wider than that.
    assert (effect(c).upper - effect(c).lower) / effect(c).se > 2 * 2.5
    at_the_end = Plan(method=Method.GROUP_SEQUENTIAL, start=START, runtime_days=14)
    (once,) = infer(design(P90, plan=at_the_end), made, registered=SEAL, as_of=START + timedelta(days=14)).comparisons
    assert (effect(once).upper - effect(once).lower) / effect(once).se == pytest.approx(2 * 1.96, rel=2e-3)


@pytest.mark.slow
def test_reading_a_quantile_every_day_between_looks_keeps_the_error() -> None:
    """Rows arrive daily; the experiment is read each day, between the planned looks too, and no effect exists."""
    rng = np.random.default_rng(7)
    shown, runs = 0, 120
    for _ in range(runs):
        arrived = {v: rng.exponential(size=14 * 150) for v in ("control", "treatment")}
        for day in range(7, 15):
            made = measured(ranks({key(v): (x[: day * 150], None) for v, x in arrived.items()}, 0.9))
            result = infer(design(P90, plan=GROUP_SEQUENTIAL), made, registered=SEAL, as_of=START + timedelta(days=day))
            if result.comparisons[0].conclusion in ("better", "worse"):
                shown += 1
                break
    assert shown / runs <= 0.05 + 3.3 * math.sqrt(0.05 * 0.95 / runs)


@pytest.mark.parametrize(("factor", "conclusion"), [(1.0, "safe"), (1.045, "not shown safe"), (1.2, "harmful")])
def test_a_quantile_guardrail_has_a_p_value_against_its_margin(factor: float, conclusion: str) -> None:
    metric = Metric("load", MetricType.QUANTILE, quantile=0.9, direction="decrease", role=Role.GUARDRAIL, margin=0.05)
    rng = np.random.default_rng(8)
    x = rng.exponential(size=20_000)
    rows = {key("control"): (x, None), key("treatment"): (factor * x, None)}
    (c,) = infer(design(metric), measured(ranks(rows, 0.9)), registered=SEAL).comparisons
    assert c.conclusion == conclusion
    # t - 1.05 c over its standard error, by hand
    z = (c.treatment.value - 1.05 * c.control.value) / math.hypot(c.treatment.se, 1.05 * c.control.se)
    assert c.margin_p == pytest.approx(scipy_stats.norm.cdf(z), rel=2e-3, abs=1e-12)
