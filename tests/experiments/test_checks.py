"""Health checks: each fails on what it is for, and together they are quiet on clean data."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats
from tests.experiments.simulated import FIRST_DAY, START, cells, design, key, measurement

import paribus as pb
from paribus.experiments import checks
from paribus.experiments.checks import Subject
from paribus.experiments.checks.outliers import largest_allowed
from paribus.experiments.checks.rates import rate_difference_p
from paribus.experiments.covariates import Imbalance
from paribus.experiments.plan import Kind, Method, Plan
from paribus.experiments.result import Check
from paribus.metrics.cells import UNKNOWN_FIRST, ClusterSums, Counts, Measurement
from paribus.metrics.definition import Metric, MetricType

MEAN = Metric("revenue", MetricType.MEAN)
FIXED = Plan(start=START, runtime_days=14)


def subject(counts: Counts, *, plan: Plan | None = None, ended: bool = True, horizon: bool = False) -> Subject:
    return Subject(design(MEAN, plan=plan), Measurement(counts, {}), ended=ended, horizon=horizon)


def units(control: int, treatment: int, **more: object) -> Counts:
    return Counts(control + treatment, {"control": control, "treatment": treatment}, **more)  # type: ignore[arg-type]


def answers(about: Subject, *, needs_effects: bool = False) -> dict[str, Check]:
    return {check.name: check for check in checks.run(about, needs_effects=needs_effects)}


def failed(about: Subject) -> set[str]:
    return {name for name, check in answers(about).items() if check.status == "failed"}


def test_the_registry_has_each_check_once_under_its_own_name() -> None:
    names = [check.name for check in checks.REGISTRY]
    assert len(set(names)) == len(names)
    about = subject(units(500, 500))
    for check in checks.REGISTRY:
        answer = check.look(about)
        assert (answer.name, answer.severity) == (check.name, check.severity)
        assert answer.sentence.endswith(".")


def test_clean_counts_raise_nothing() -> None:
    assert failed(subject(units(5000, 5040))) == set()


# ── sample ratio ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_sample_ratio_of_one_reading_is_the_exact_binomial() -> None:
    for control, treatment in ((5000, 5000), (5000, 5300), (821_588, 815_482)):
        got = answers(subject(units(control, treatment)))["sample ratio"].p_value
        want = scipy_stats.binomtest(treatment, control + treatment, 0.5).pvalue
        assert got == pytest.approx(want, rel=1e-6)


def test_a_sample_ratio_blocks_and_says_which_arm() -> None:
    check = answers(subject(units(50_212, 48_104)))["sample ratio"]
    assert (check.status, check.severity) == ("failed", "blocking")
    assert "fewer in treatment" in check.sentence
    assert "p < .0001" in check.sentence


def test_an_undeclared_split_cannot_be_tested() -> None:
    about = Subject(design(MEAN, split_declared=False), Measurement(units(900, 100), {}))
    assert answers(about)["sample ratio"].status == "not_applicable"


def test_an_uneven_split_is_tested_against_its_weights() -> None:
    about = subject(units(9000, 1000))
    variants = tuple(replace(v, weight=w) for v, w in zip(about.design.variants, (9, 1), strict=True))
    assert "sample ratio" not in failed(replace(about, design=replace(about.design, variants=variants)))


def by_day(rng: np.random.Generator, days: int, per_day: int, p: float = 0.5, epoch: str | None = None) -> dict:
    found = {}
    for i in range(days):
        treatment = int(rng.binomial(per_day, p))
        day = (FIRST_DAY + timedelta(days=i)).isoformat()
        found |= {(epoch, day, "control"): per_day - treatment, (epoch, day, "treatment"): treatment}
    return found


def days_so_far(counted: dict, days: int) -> Counts:
    last = (FIRST_DAY + timedelta(days=days)).isoformat()
    kept = {place: n for place, n in counted.items() if place[1] < last}
    total = {arm: sum(n for (_, _, a), n in kept.items() if a == arm) for arm in ("control", "treatment")}
    return units(total["control"], total["treatment"], by_day=kept)


@pytest.mark.slow
def test_read_every_day_the_sample_ratio_holds_its_error_over_the_experiment() -> None:
    """2,000 sound experiments of 14 days, each read daily: at most .001 + 3.3 standard errors may ever block."""
    rng = np.random.default_rng(1)
    runs, blocked = 2000, 0
    look = next(check.look for check in checks.REGISTRY if check.name == "sample ratio")
    for _ in range(runs):
        counted = by_day(rng, 14, 400)
        blocked += any(
            look(subject(days_so_far(counted, d), plan=FIXED, ended=d == 14, horizon=True)).status == "failed"
            for d in (3, 7, 11, 14)
        )
    assert blocked / runs <= 0.001 + 3.3 * (0.001 / runs) ** 0.5


@pytest.mark.slow
def test_a_lost_percent_is_found_with_the_power_of_the_exact_test() -> None:
    """1% of one arm lost at 100,000 units per arm: watched daily and tested at the end, against one exact test."""
    rng = np.random.default_rng(2)
    runs, found, exact = 2000, 0, 0
    look = next(check.look for check in checks.REGISTRY if check.name == "sample ratio")
    for _ in range(runs):
        split = rng.binomial(20_000, 0.5, 10)
        kept = rng.binomial(20_000 - split, 0.99)
        counted = {(None, f"2026-03-{i + 2:02}", "control"): int(n) for i, n in enumerate(split)}
        counted |= {(None, f"2026-03-{i + 2:02}", "treatment"): int(n) for i, n in enumerate(kept)}
        found += look(subject(days_so_far(counted, 10), plan=FIXED, horizon=True)).status == "failed"
        total = split.sum() + kept.sum()
        exact += 2 * min(scipy_stats.binom.cdf(kept.sum(), total, 0.5), 0.5) <= 0.001
    assert exact / runs == pytest.approx(0.145, abs=0.025)  # Phi(2.24 - 3.29): all that alpha = .001 leaves
    assert found >= exact - 0.006 * runs


def test_a_gross_mismatch_blocks_on_the_first_days() -> None:
    counted = by_day(np.random.default_rng(3), 2, 2000, p=0.42)
    about = subject(days_so_far(counted, 2), plan=FIXED, ended=False, horizon=True)
    assert "sample ratio" in failed(about)


def test_mismatches_of_two_epochs_do_not_cancel() -> None:
    counted = by_day(np.random.default_rng(4), 5, 2000, 0.55, "1") | {
        (e, d.replace("03-0", "03-1"), a): n
        for (e, d, a), n in by_day(np.random.default_rng(5), 5, 2000, 0.45, "2").items()
    }
    total = days_so_far(counted, 30)
    assert scipy_stats.binomtest(total.units["treatment"], total.rows, 0.5).pvalue > 0.01
    assert "sample ratio" in failed(subject(total, plan=FIXED, horizon=True))


def test_a_registered_sequential_plan_without_end_reads_the_sequence_only() -> None:
    plan = Plan(method=Method.ANYTIME, start=START)
    counts = days_so_far(by_day(np.random.default_rng(6), 10, 1000), 10)
    check = answers(subject(counts, plan=plan, ended=False, horizon=False))["sample ratio"]
    assert check.status == "passed"


def test_days_and_segments_explain() -> None:
    counted = by_day(np.random.default_rng(7), 10, 1000)
    counted[None, "2026-03-05", "treatment"] -= 200
    segments = {("browser", b, arm): 1000 for b in ("Chrome", "Firefox", None) for arm in ("control", "treatment")}
    segments["browser", "Safari", "control"], segments["browser", "Safari", "treatment"] = 1000, 700
    found = answers(subject(replace(days_so_far(counted, 10), by_segment=segments)))
    day, segment = found["sample ratio by day"], found["sample ratio by segment"]
    assert (day.severity, day.status) == ("diagnostic", "failed")
    assert "2026-03-05" in day.sentence
    assert (segment.severity, segment.status) == ("diagnostic", "failed")
    assert "browser = Safari" in segment.sentence


# ── units and rows ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_empty_arm_blocks() -> None:
    assert "no data" in failed(subject(units(100, 0)))


@pytest.mark.parametrize(("mixed", "blocks"), [((50, 52), False), ((50, 150), True)])
def test_multiple_exposure_blocks_when_it_differs_by_arm(mixed: tuple[int, int], blocks: bool) -> None:
    counts = units(10_000, 10_000, mixed_units={"control": mixed[0], "treatment": mixed[1]})
    assert ("multiple exposure" in failed(subject(counts))) == blocks
    assert "are left out" in answers(subject(counts))["multiple exposure"].sentence


def test_leaving_units_out_cannot_hide_the_ratio_of_first_exposures() -> None:
    counts = units(10_000, 10_000, mixed_units={"control": 900, "treatment": 100})
    assert {"sample ratio", "multiple exposure"} <= failed(subject(counts))


def test_many_mixed_units_warn_even_when_alike() -> None:
    counts = units(10_000, 10_000, mixed_units={"control": 400, "treatment": 410})
    assert failed(subject(counts)) == {"share with multiple exposure"}


def test_mixed_units_of_a_table_without_times_have_no_arm_whose_rate_could_differ() -> None:
    counts = units(10_000, 10_000, mixed_units={UNKNOWN_FIRST: 150})
    assert failed(subject(counts)) == set(), "they are 0.7% of the units"
    assert "150 units met several variants" in answers(subject(counts))["multiple exposure"].sentence
    many = units(10_000, 10_000, mixed_units={UNKNOWN_FIRST: 900})
    assert failed(subject(many)) == {"share with multiple exposure"}


@pytest.mark.parametrize(("lost", "blocks"), [((100, 103), False), ((20, 120), True)])
def test_loss_blocks_when_it_differs_by_arm(lost: tuple[int, int], blocks: bool) -> None:
    rng = np.random.default_rng(8)
    rows = {key(arm): rng.normal(10, 1, 10_000 - n) for arm, n in zip(("control", "treatment"), lost, strict=True)}
    made = measurement(cells("revenue", ["y"], rows))
    about = Subject(design(MEAN), replace(made, counts=units(10_000, 10_000)))
    assert ("loss by arm" in failed(about)) == blocks


def test_units_that_wait_for_their_window_are_no_loss() -> None:
    rng = np.random.default_rng(9)
    rows = {key(arm): rng.normal(10, 1, 8_000) for arm in ("control", "treatment")}
    own = replace(cells("revenue", ["y"], rows), immature=(2_000, 2_010))
    about = Subject(design(MEAN), replace(measurement(own), counts=units(10_000, 10_010)))
    assert failed(about) == set()
    assert "4,010 units" in answers(about)["loss by arm"].sentence


def test_rates_are_compared_by_fishers_test() -> None:
    got = rate_difference_p({"a": 5, "b": 14}, {"a": 1000, "b": 1000}, "a")
    assert got == pytest.approx(scipy_stats.fisher_exact([[5, 995], [14, 986]]).pvalue)


def test_the_unit_of_analysis_is_not_finer_than_randomization() -> None:
    clusters = ClusterSums("revenue", ("control", "treatment"), ("a", "b"), (5.0, 5.0), ((1.0, 2.0),))
    loose = Subject(design(MEAN, kind=Kind.CLUSTER, interference="cluster: village"), Measurement(units(50, 50), {}))
    assert "unit of analysis" in failed(loose)
    tied = replace(loose, measurement=replace(loose.measurement, clusters={"revenue": clusters}))
    assert failed(tied) == {"few clusters"}
    assert "unit of analysis" in failed(subject(units(500, 500, conflicting_units=200)))
    assert "unit of analysis" not in failed(subject(units(500, 500, conflicting_units=3)))


@pytest.mark.parametrize(
    ("counts", "name", "words"),
    [
        (
            {"null_unit_rows": 7, "blank_unit_rows": 2},
            "missing units and variants",
            "7 with no unit and 2 with a blank",
        ),
        ({"unknown_variant_rows": {"contrl": 9}}, "missing units and variants", "the unknown variant 'contrl'"),
        ({"duplicate_rows": 12}, "duplicated rows", "12 rows repeat a unit"),
        ({"not_finite": {"revenue": 3}}, "values that are not finite", "3 values of revenue are"),
        ({"null_values": {"revenue": 4}}, "missing values", "4 units have no value of revenue"),
        ({"served_differs": {"treatment": 60}}, "served against assigned", "treatment 60"),
        ({"outside_window": {"control": 40}}, "exposure window", "40 exposures"),
    ],
)
def test_dirt_is_counted_and_warned_about(counts: dict[str, object], name: str, words: str) -> None:
    about = subject(units(1000, 1000, **counts))
    assert failed(about) == {name}
    check = answers(about)[name]
    assert check.severity == "warning"
    assert words in check.sentence


@pytest.mark.parametrize(
    ("counts", "name", "words"),
    [
        ({"null_unit_rows": 1}, "missing units and variants", "1 row (0.03%) is left out: 1 with no unit"),
        ({"duplicate_rows": 1}, "duplicated rows", "1 row repeats a unit"),
        (
            {"not_finite": {"revenue": 1}},
            "values that are not finite",
            "1 value of revenue is not finite and counts as",
        ),
        ({"null_values": {"revenue": 1}}, "missing values", "1 unit has no value of revenue and is left out"),
        ({"outside_window": {"control": 1}}, "exposure window", "1 exposure (0.03%) lies before"),
        ({"mixed_units": {"control": 1}}, "multiple exposure", "1 unit met several variants and is left out"),
    ],
)
def test_one_is_written_as_one(counts: dict[str, object], name: str, words: str) -> None:
    assert words in answers(subject(units(2000, 2000, **counts)))[name].sentence


@pytest.mark.parametrize(
    ("arms", "stray"),
    [
        ({"control": 2500, "treatment": 2480, "treatmnt": 3}, {"treatmnt"}),
        ({"control": 2500, "treatment": 2480, "Treatment ": 900}, {"Treatment "}),
        ({"control": 2500, "treatment": 2480, "treatment2": 200}, {"treatment2"}),
        ({"control": 2500, "treatment": 2480, "treatment2": 2300}, set()),
        ({"control": 9000, "treatment": 1000}, set()),
    ],
)
def test_a_label_that_became_an_arm_by_mistake_is_counted(arms: dict[str, int], stray: set[str]) -> None:
    read = replace(design(MEAN, arms=tuple(arms)), split_declared=False)
    about = Subject(read, Measurement(Counts(sum(arms.values()), arms), {}))
    check = answers(about)["stray variant labels"]
    assert set(check.evidence.get("units", {})) == stray
    assert (check.status == "failed") == bool(stray)
    declared = replace(about, design=replace(read, split_declared=True))
    assert answers(declared)["stray variant labels"].status == "not_applicable"


def test_balance_warns_when_a_covariate_differs() -> None:
    alike = Imbalance("revenue", "x1", "treatment", 0.2)
    about = replace(subject(units(500, 500)), imbalances=(alike,))
    assert failed(about) == set()
    unlike = replace(about, imbalances=(alike, Imbalance("revenue", "h1", "treatment", 1e-5, history=True)))
    assert failed(unlike) == {"pre-period balance"}
    assert "without adjustment" in answers(unlike)["pre-period balance"].sentence


def outlier(rng: np.random.Generator, n: int, absurd: float | None) -> Check:
    y = rng.lognormal(0, 1.5, (2, n)) * (rng.random((2, n)) < 0.3)
    if absurd is not None:
        y[1, 0] = absurd
    made = measurement(
        cells("revenue", ["y"], {key("control"): y[0], key("treatment"): y[1]}),
        maxima={"revenue": float(y.max())},
        totals={"revenue": float(y.sum())},
    )
    return answers(Subject(design(MEAN), made))["outlier dominance"]


def test_a_single_absurd_unit_is_named() -> None:
    check = outlier(np.random.default_rng(10), 1000, 1e9)
    assert (check.status, check.severity) == ("failed", "warning")
    assert "> 99.99% of its total" in check.sentence
    assert outlier(np.random.default_rng(10), 1000, 5_000.0).status == "failed"


def test_a_heavy_tail_by_itself_is_no_outlier() -> None:
    rng = np.random.default_rng(11)
    assert sum(outlier(rng, 250, None).status == "failed" for _ in range(300)) <= 6


def test_the_outlier_limit_falls_with_the_units_behind_the_metric() -> None:
    assert (largest_allowed(5), largest_allowed(36), largest_allowed(1e6)) == (0.9, 0.5, 0.25)


def test_an_overlapping_experiment_that_is_not_independent_is_named() -> None:
    """Two experiments on 6,000 units: the split of each holds, that within the other's arms only if independent."""
    rng = np.random.default_rng(9)
    own = rng.choice(["control", "treatment"], 6000)
    independent = rng.choice(["a", "b"], 6000)
    drawn_alike = np.where(rng.random(6000) < 0.1, np.where(own == "control", "a", "b"), independent)
    for other, status in ((independent, "passed"), (drawn_alike, "failed")):
        frame = pd.DataFrame({"user": range(6000), "group": own, "other": other, "revenue": rng.normal(10, 4, 6000)})
        found = pb.analyze(
            frame,
            unit="user",
            variant="group",
            metrics=["revenue"],
            segments=["other"],
            split={"control": 50, "treatment": 50},
        )
        by_name = {check.name: check for check in found.checks}
        assert by_name["sample ratio"].status == "passed"
        assert by_name["sample ratio by segment"].status == status
