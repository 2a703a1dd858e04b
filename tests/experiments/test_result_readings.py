"""What a comparison says beside its interval: the margin's p-value, the detectable effect, an early stop corrected."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from scipy import stats as scipy_stats
from tests.experiments.simulated import MEAN, SEAL, START, cells, daily, design, key, measurement, two_arms

from paribus.experiments.analysis import infer
from paribus.experiments.clustered import clustered
from paribus.experiments.plan import Method, Plan, Prior
from paribus.experiments.reading import Look, Reading
from paribus.experiments.report import text
from paribus.experiments.report.method import may_be_read
from paribus.experiments.report.row import row
from paribus.experiments.result import Comparison, VerdictValue
from paribus.metrics.cells import NO_CLUSTER, ClusterSums
from paribus.metrics.definition import Metric, MetricType, Role
from paribus.stats.estimate import Estimate

ANYTIME = Plan(method=Method.ANYTIME, start=START, runtime_days=14, n_opt=2800)
GROUP_SEQUENTIAL = Plan(method=Method.GROUP_SEQUENTIAL, start=START, looks=(4, 7, 10, 14), planned_units=2800)
READ = Reading(ANYTIME, (Look(1, None),), (), False, "the plan's end")


def shown(quantity: object) -> Estimate:
    assert isinstance(quantity, Estimate), quantity
    return quantity


def only(result: object) -> Comparison:
    (found,) = result.comparisons  # type: ignore[attr-defined]
    return found  # type: ignore[no-any-return]


def exact(z: float, n: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Two arms of n units around 10 with variance 1, whose z statistic is z."""
    base = np.tile([-1.0, 1.0], n // 2) * math.sqrt((n - 1) / n) + 10
    return base, base + z * math.sqrt(2 / n)


# ── guardrails ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_p_value_of_a_guardrail_is_against_its_margin() -> None:
    metric = Metric("m", MetricType.MEAN, role=Role.GUARDRAIL, margin=0.2, margin_absolute=True)
    control, treatment = exact(-3.0)
    c = only(infer(design(metric), two_arms("m", ["y"], control, treatment), registered=SEAL))
    want = scipy_stats.ttest_ind(treatment + 0.2, control, alternative="greater", equal_var=False).pvalue
    assert c.margin_p == pytest.approx(want, rel=1e-6)
    assert row(c).p == "< .0001"  # and not the p-value of no difference, which is .0027
    assert c.conclusion == "safe"


@pytest.mark.parametrize("direction", ["increase", "decrease"])
@pytest.mark.parametrize("absolute", [True, False])
@pytest.mark.parametrize("plan", [Plan(), replace(ANYTIME, confidence_level=0.9), GROUP_SEQUENTIAL])
def test_safe_and_its_p_value_are_one_decision(direction: str, absolute: bool, plan: Plan) -> None:
    rng = np.random.default_rng(1)
    decided = set()
    for effect in (-0.8, -0.3, 0.0, 0.3, 0.8):
        metric = Metric(
            "revenue",
            MetricType.MEAN,
            role=Role.GUARDRAIL,
            direction=direction,  # type: ignore[arg-type]
            margin=0.5 if absolute else 0.05,
            margin_absolute=absolute,
        )
        made = daily(rng, 14, 100, effect)
        c = only(infer(design(metric, plan=plan), made, registered=SEAL, as_of=START + timedelta(days=14)))
        assert c.margin_p is not None
        assert (c.conclusion == "safe") == (c.margin_p <= (1 - plan.confidence_level) / 2)
        decided.add(c.conclusion)
    assert len(decided) > 1


@pytest.mark.parametrize("table", [(300, 5000, 310, 5000), (3, 400, 6, 410)])
def test_a_share_against_a_relative_margin_by_its_table(table: tuple[int, int, int, int]) -> None:
    """The score statistic of p_t = 1.5 p_c (exact where events are few); the one-sided interval says the same."""
    x_c, n_c, x_t, n_t = table
    metric = Metric("m", MetricType.PROPORTION, role=Role.GUARDRAIL, direction="decrease", margin=0.5)
    arms = [np.arange(n) < x for x, n in ((x_c, n_c), (x_t, n_t))]
    c = only(infer(design(metric), two_arms("m", ["y"], *arms), registered=SEAL))
    assert c.margin_p is not None
    assert (c.conclusion == "safe") == (c.margin_p <= 0.025)
    if x_c > 100:
        p_c = 0.0
        # Restricted maximum likelihood of p_c given p_t = 1.5 p_c, by a search.
        from scipy.optimize import minimize_scalar

        def cost(p: float) -> float:
            s = 1.5 * p
            return -(
                x_c * math.log(p) + (n_c - x_c) * math.log1p(-p) + x_t * math.log(s) + (n_t - x_t) * math.log1p(-s)
            )

        p_c = float(minimize_scalar(cost, bounds=(1e-6, 0.6), method="bounded", options={"xatol": 1e-12}).x)
        p_t, total = 1.5 * p_c, n_c + n_t
        var = (p_t * (1 - p_t) / n_t + 2.25 * p_c * (1 - p_c) / n_c) * total / (total - 1)
        z = (x_t / n_t - 1.5 * x_c / n_c) / math.sqrt(var)
        assert c.margin_p == pytest.approx(scipy_stats.norm.cdf(z), rel=1e-4)


def test_clusters_against_a_margin() -> None:
    rng = np.random.default_rng(2)
    sums = np.concatenate([rng.normal(20, 2, 40), rng.normal(19.6, 2, 40)])
    clusters = ClusterSums(
        "revenue",
        ("control",) * 40 + ("treatment",) * 40,
        tuple(f"v{i}" for i in range(80)),
        (2.0,) * 80,
        (tuple(sums.tolist()),),
    )
    made = replace(
        two_arms("revenue", ["y"], rng.normal(10, 1, 80), rng.normal(10, 1, 80)), clusters={"revenue": clusters}
    )
    metric = Metric("revenue", MetricType.MEAN, role=Role.GUARDRAIL, margin=0.9, margin_absolute=True)
    c = only(infer(design(metric), made))
    means = sums / 2
    want = scipy_stats.ttest_ind(means[40:] + 0.9, means[:40], alternative="greater").pvalue
    assert c.margin_p == pytest.approx(want, rel=1e-6)
    relative = only(infer(design(replace(metric, margin=0.09, margin_absolute=False)), made))
    assert relative.margin_p is not None
    assert (relative.conclusion == "safe") == (relative.margin_p <= 0.025)


def test_the_report_says_what_a_guardrails_p_is() -> None:
    metric = Metric("m", MetricType.MEAN, role=Role.GUARDRAIL, margin=0.01)
    said = text(infer(design(metric), two_arms("m", ["y"], *exact(0.0)), registered=SEAL), width=200)
    assert "p is one-sided and against the margin" in said


def test_a_sequential_plan_that_asks_for_dunnett_says_that_it_gets_holm() -> None:
    rng = np.random.default_rng(3)
    rows = {key(arm, day): rng.normal(10, 5, 100) for arm in ("control", "a", "b") for day in range(14)}
    plan = replace(ANYTIME, correction="dunnett")
    made = design(MEAN, arms=("control", "a", "b"), plan=plan)
    result = infer(made, measurement(cells("revenue", ["y"], rows)), registered=SEAL)
    assert any("Dunnett's method is for a fixed horizon; Holm's is used" in w for w in result.warnings)
    assert all("Holm's method over 2 hypotheses" in c.method for c in result.comparisons)
    assert "Holm in place of Dunnett" in text(result, width=200)


# ── the effect that could be shown now ───────────────────────────────────────────────────────────────────────────────


def test_the_detectable_effect_is_found_with_the_plans_power() -> None:
    """At the reading's size, an effect of that size is shown in 80 of 100 experiments."""
    n = 4000
    c = only(infer(design(MEAN), two_arms("revenue", ["y"], *exact(0.3, n)), registered=SEAL))
    assert c.detectable == pytest.approx((1.959964 + 0.841621) * math.sqrt(2 / n) / 10, rel=1e-3)
    assert "would show an effect of ±0.627% now" in " ".join(row(c).tags)
    rng = np.random.default_rng(4)
    hits = 0
    for _ in range(400):
        arms = rng.normal(10, 1, (2, 200))
        arms[1] += 10 * c.detectable * math.sqrt(n / 200)
        hits += scipy_stats.ttest_ind(*arms).pvalue <= 0.05
    assert hits / 400 == pytest.approx(0.8, abs=0.07)


def test_the_detectable_effect_counts_the_correction_and_the_sequence() -> None:
    one = only(infer(design(MEAN), two_arms("revenue", ["y"], *exact(0.3)), registered=SEAL))
    arms = [exact(0.3), exact(0.2)]
    metrics = tuple(Metric(f"m{i}", MetricType.MEAN) for i in range(2))
    measured = [cells(f"m{i}", ["y"], {key("control"): a, key("treatment"): b}) for i, (a, b) in enumerate(arms)]
    both = infer(design(*metrics), measurement(*measured), registered=SEAL).comparisons
    assert one.detectable is not None
    assert both[0].detectable == pytest.approx(one.detectable * (2.241403 + 0.841621) / (1.959964 + 0.841621), rel=1e-3)
    made = daily(np.random.default_rng(5), 14, 100)
    fixed, anytime = (
        only(infer(design(MEAN, plan=plan), made, registered=SEAL, as_of=START + timedelta(days=14)))
        for plan in (Plan(start=START, runtime_days=14), ANYTIME)
    )
    assert fixed.detectable is not None
    assert anytime.detectable is not None
    assert anytime.detectable > 1.2 * fixed.detectable


# ── after an early stop ──────────────────────────────────────────────────────────────────────────────────────────────


def test_an_early_stop_is_corrected_and_its_estimate_is_median_unbiased() -> None:
    """Of experiments stopped at their first look, plain estimates are nearly all above the truth."""
    rng = np.random.default_rng(6)
    plan = replace(GROUP_SEQUENTIAL, looks=(7, 14), spending="pocock")
    truth, plain, corrected, covered = 0.5, [], [], []
    for _ in range(100):
        made = daily(rng, 14, 100, truth)
        for day in (7, 14):
            c = only(infer(design(MEAN, plan=plan), made, registered=SEAL, as_of=START + timedelta(days=day)))
            if c.conclusion == "better" or day == 14:
                break
        at_look = shown(c.absolute)
        if c.at_stop is None:  # it ran to its end, where the repeated interval stands
            corrected.append(at_look.value)
            continue
        scale = c.control.value
        plain.append(at_look.value)
        corrected.append(shown(c.at_stop).value * scale)
        covered.append(shown(c.at_stop).lower * scale < truth < shown(c.at_stop).upper * scale)
    assert np.mean(np.array(plain) > truth) > 0.9
    assert np.mean(np.array(corrected) > truth) == pytest.approx(0.5, abs=0.17)
    assert np.mean(covered) > 0.85


@pytest.mark.slow
def test_what_was_read_every_day_is_median_unbiased_too() -> None:
    """An anytime-valid plan read daily and stopped when it shows something: half of the corrected are too large."""
    rng = np.random.default_rng(10)
    truth, plain, corrected = 1.0, [], []
    for _ in range(70):
        made = daily(rng, 14, 100, truth)
        for day in range(1, 15):
            kept = [i for i, k in enumerate(made.cells["revenue"].keys) if (k.day - START.date()).days < day]
            own = made.cells["revenue"]
            part = replace(own, keys=tuple(own.keys[i] for i in kept), moments=own.moments.take(np.array(kept)))
            c = only(
                infer(design(MEAN, plan=ANYTIME), measurement(part), registered=SEAL, as_of=START + timedelta(days=day))
            )
            if c.conclusion == "better" and day < 14:
                plain.append(shown(c.absolute).value)
                corrected.append(shown(c.at_stop).value * c.control.value)
                break
        else:
            corrected.append(shown(c.absolute).value)
    assert len(plain) > 35
    assert np.mean(np.array(plain) > truth) > 0.65
    assert np.mean(np.array(corrected) > truth) == pytest.approx(0.5, abs=0.2)


def test_the_note_says_that_the_estimate_is_too_large_and_by_which_method() -> None:
    made = daily(np.random.default_rng(14), 14, 100, effect=1.2)
    c = only(infer(design(MEAN, plan=GROUP_SEQUENTIAL), made, registered=SEAL, as_of=START + timedelta(days=7)))
    assert c.conclusion == "better"
    assert "median unbiased, stage-wise ordering, at look 2" in c.notes[-1]
    assert shown(c.at_stop).value < shown(c.relative).value
    final = only(infer(design(MEAN, plan=GROUP_SEQUENTIAL), made, registered=SEAL, as_of=START + timedelta(days=14)))
    assert final.at_stop is None


def test_an_anytime_valid_stop_is_drawn_toward_the_prior() -> None:
    """Normal prior and normal estimate, by hand: the mean weighs by precisions."""
    made = daily(np.random.default_rng(14), 14, 100, effect=1.2)
    plan = replace(ANYTIME, priors={"revenue": Prior(0.0, 0.03)})
    c = only(infer(design(MEAN, plan=plan), made, registered=SEAL, as_of=START + timedelta(days=9)))
    estimate = shown(c.relative)
    weight = 0.03**2 / (0.03**2 + estimate.se**2)
    assert c.conclusion == "better"
    assert shown(c.at_stop).value == pytest.approx(weight * estimate.value)
    assert "too large on average" in c.notes[-1]


# ── what the reading rests on ────────────────────────────────────────────────────────────────────────────────────────


def test_a_fixed_plan_is_read_when_the_last_window_has_closed() -> None:
    made = daily(np.random.default_rng(7), 14, 200, effect=2.0)
    metric = Metric("revenue", MetricType.MEAN, window_days=7)
    plan = Plan(start=START, runtime_days=14)
    early = infer(design(metric, plan=plan), made, registered=SEAL, as_of=START + timedelta(days=20, hours=23))
    assert early.verdict.value is VerdictValue.NOT_YET
    assert "when the last unit's window has closed" in may_be_read(early)
    assert "lies ahead" in may_be_read(early)
    late = infer(design(metric, plan=plan), made, registered=SEAL, as_of=START + timedelta(days=21))
    assert late.verdict.value is VerdictValue.SHIP
    assert "is reached" in may_be_read(late)
    returned = Metric("revenue", MetricType.RETENTION, retention_days=(1, 3), source="visits")
    assert (
        infer(design(returned, plan=plan), made, registered=SEAL, as_of=START + timedelta(days=17)).verdict.value
        is VerdictValue.NOT_YET
    )


def test_a_metric_without_a_window_says_what_earlier_looks_rest_on() -> None:
    made = daily(np.random.default_rng(8), 14, 100)
    open_ended = Metric("revenue", MetricType.MEAN, source="orders")
    c = only(infer(design(open_ended, plan=ANYTIME), made, registered=SEAL, as_of=START + timedelta(days=14)))
    assert any("earlier looks are computed from the values known now" in note for note in c.notes)
    closed = replace(open_ended, window_days=1)
    c = only(infer(design(closed, plan=ANYTIME), made, registered=SEAL, as_of=START + timedelta(days=14)))
    assert not any("values known now" in note for note in c.notes)


def test_clusters_under_a_sequential_plan_say_that_there_is_no_daily_view() -> None:
    rng = np.random.default_rng(9)
    clusters = ClusterSums(
        "revenue",
        ("control",) * 60 + ("treatment",) * 60,
        (*(f"v{i}" for i in range(119)), NO_CLUSTER),
        (2.0,) * 120,
        (tuple(rng.normal(20, 2, 120).tolist()),),
    )
    made = replace(daily(rng, 14, 10), clusters={"revenue": clusters})
    c = only(infer(design(MEAN, plan=GROUP_SEQUENTIAL), made, registered=SEAL, as_of=START + timedelta(days=9)))
    assert any("No daily view: clusters are measured over all days" in note for note in c.notes)
    assert "anytime-valid t" in c.method
    once = only(infer(design(MEAN), made))
    wide, narrow = (shown(x.absolute).upper - shown(x.absolute).lower for x in (c, once))
    assert 1.3 < wide / narrow < 2  # few as they are, clusters keep an interval
    assert "anytime" not in once.method


def test_clusters_read_every_day_keep_the_error() -> None:
    """Forty clusters that go on filling, read on each of 14 days, without an effect."""
    rng, wrong = np.random.default_rng(12), 0
    for _ in range(60):
        level = rng.normal(0, 0.5, 40)[:, None]
        sums = (level * 20 + rng.normal(0, math.sqrt(20), (40, 14))).cumsum(axis=1)
        for day in range(14):
            clusters = ClusterSums(
                "revenue",
                ("control",) * 20 + ("treatment",) * 20,
                tuple(f"v{i}" for i in range(40)),
                (20.0 * (day + 1),) * 40,
                (tuple(sums[:, day].tolist()),),
            )
            found = clustered(MEAN, clusters, design(MEAN, plan=ANYTIME), READ, np.array([0.95]))
            if found.absolute.p_value[0, 0, 0] <= 0.05:
                wrong += 1
                break
    assert wrong <= 3


@pytest.mark.parametrize("plan", [ANYTIME, GROUP_SEQUENTIAL])
def test_looks_that_contradict_each_other_leave_the_last_one_for_interval_and_p(plan: Plan) -> None:
    rng = np.random.default_rng(11)
    for turn in (-1.0, -3.0, -6.0):
        rows = {
            key(arm, day): rng.normal(10 + (arm == "treatment") * (6.0 if day < 7 else turn), 5, 100)
            for day in range(14)
            for arm in ("control", "treatment")
        }
        metric = Metric("revenue", MetricType.MEAN, role=Role.GUARDRAIL, margin=0.05)
        made = measurement(cells("revenue", ["y"], rows))
        c = only(infer(design(metric, plan=plan), made, registered=SEAL, as_of=START + timedelta(days=14)))
        assert c.margin_p is not None
        assert (c.conclusion == "safe") == (c.margin_p <= 0.025)
