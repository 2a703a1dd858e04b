"""Other methods on a result's own moments: values of scipy and of the formulas, and what a plan lets be shown."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats
from typer.testing import CliRunner

import paribus as pb
from paribus.cli import app
from paribus.errors import InputError
from paribus.experiments.sensitivity import OtherReading, Sensitivity
from paribus.stats.estimate import Estimate, Undetermined

PLAN = """\
paribus: 1
experiment: shop
interference: none because carts are personal
units: {table: rows.csv, unit: user, variant: group, exposed_at: at}
variants: {control: 50, treatment: 50}
metrics:
  - {name: revenue, type: mean, value: revenue}
plan: PLAN
"""


def rows(n: int = 3000, arms: tuple[str, ...] = ("control", "treatment")) -> pd.DataFrame:
    draw = np.random.default_rng(5)
    group = draw.choice(arms, n)
    before = draw.gamma(2, 5, n)
    return pd.DataFrame(
        {
            "user": np.arange(n),
            "group": group,
            "before": before,
            "revenue": 0.6 * before + draw.normal(10, 4, n) + (group == "treatment") * 0.6,
            "bought": (draw.random(n) < 0.2 + 0.06 * (group == "treatment")).astype(int),
        }
    )


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    return rows()


@pytest.fixture(scope="module")
def found(data: pd.DataFrame) -> Sensitivity:
    result = pb.analyze(
        data, unit="user", variant="group", metrics=["bought", "revenue"], covariates={"revenue": ["before"]}
    )
    return result.sensitivity()


def named(found: Sensitivity, metric: str, method: str) -> OtherReading:
    (one,) = (r for r in found.readings if r.metric == metric and r.method.startswith(method))
    return one


def read(found: Sensitivity, metric: str, method: str) -> Estimate:
    effect = named(found, metric, method).effect
    assert isinstance(effect, Estimate)
    return effect


def test_tests_of_means_are_those_of_scipy(found: Sensitivity, data: pd.DataFrame) -> None:
    arms = [data.revenue[data.group == arm] for arm in ("treatment", "control")]
    for method, equal in (("Welch t", False), ("Student t", True)):
        theirs = scipy_stats.ttest_ind(*arms, equal_var=equal)
        ours = read(found, "revenue", method)
        low, high = theirs.confidence_interval()
        assert (ours.p_value, ours.lower, ours.upper) == pytest.approx((theirs.pvalue, low, high), rel=1e-8)


def test_tests_of_tables_are_those_of_scipy(found: Sensitivity, data: pd.DataFrame) -> None:
    table = pd.crosstab(data.group, data.bought).to_numpy()
    assert read(found, "bought", "Fisher").p_value == pytest.approx(scipy_stats.fisher_exact(table).pvalue, rel=1e-6)
    yates, likelihood = (
        scipy_stats.chi2_contingency(table, **options).pvalue
        for options in ({"correction": True}, {"correction": False, "lambda_": "log-likelihood"})
    )
    assert read(found, "bought", "chi-square").p_value == pytest.approx(yates, rel=1e-8)
    assert read(found, "bought", "likelihood").p_value == pytest.approx(likelihood, rel=1e-8)
    x, n = table[:, 1], table.sum(axis=1)
    low, high = scipy_stats.contingency.relative_risk(x[1], n[1], x[0], n[0]).confidence_interval()
    katz = read(found, "bought", "Katz")
    assert (katz.lower, katz.upper) == pytest.approx((low - 1, high - 1), rel=1e-8)


def test_covariates_narrow_by_what_they_explain(found: Sensitivity, data: pd.DataFrame) -> None:
    design = np.column_stack([np.ones(len(data)), data.group == "treatment", data.before - data.before.mean()])
    design = np.column_stack([design, design[:, 1] * design[:, 2]])
    slope = np.linalg.lstsq(design, data.revenue, rcond=None)[0][1]
    lin, welch = read(found, "revenue", "Lin"), read(found, "revenue", "Welch")
    assert lin.value == pytest.approx(slope, rel=1e-8)
    assert lin.se < 0.75 * welch.se
    assert not any(r.method.startswith("CUPED") for r in found.readings if r.metric == "bought")


def test_what_holds_at_any_look_is_wider_than_what_holds_once(found: Sensitivity) -> None:
    for metric in ("bought", "revenue"):
        once = named(found, metric, "Welch")
        always = [r for r in found.readings if r.metric == metric and r.at_any_time and "regression" not in r.method]
        assert not once.at_any_time
        assert len(always) >= 3
        for r in always:
            assert isinstance(r.effect, Estimate)
            assert isinstance(once.effect, Estimate)
            assert r.effect.upper - r.effect.lower > once.effect.upper - once.effect.lower


def test_several_arms_have_chances_that_sum_to_one() -> None:
    result = pb.analyze(rows(arms=("control", "treatment", "other")), unit="user", variant="group", metrics=["revenue"])
    found = result.sensitivity()
    assert [c.variant for c in found.chances] == ["control", "other", "treatment"]
    assert sum(c.best for c in found.chances) == pytest.approx(1)
    assert sum(c.top_two for c in found.chances) == pytest.approx(1)
    assert max(found.chances, key=lambda c: c.best).variant == "treatment"


def planned(folder: Path, plan: str, days: int = 14) -> Path:
    at = pd.Timestamp("2026-03-02") + pd.to_timedelta(np.arange(3000) * days / 3000, unit="D")
    rows().assign(at=at).to_csv(folder / "rows.csv", index=False)
    (folder / "experiment.yaml").write_text(PLAN.replace("PLAN", plan))
    return folder / "experiment.yaml"


def test_a_plan_with_looks_shows_only_what_holds_at_any_look(tmp_path: Path) -> None:
    path = planned(tmp_path, "{method: group_sequential, start: 2026-03-02, looks: [7, 14]}")
    found = pb.analyze(path, as_of="2026-03-10").sensitivity()
    assert found.readings
    assert all(r.at_any_time for r in found.readings)


def test_what_the_plan_hides_no_method_shows(tmp_path: Path) -> None:
    path = planned(tmp_path, "{method: fixed, start: 2026-03-02, runtime_days: 14}")
    pb.seal(path, author="ana")
    early = pb.analyze(path, as_of="2026-03-10")
    with pytest.raises(InputError, match="hidden, by every method"):
        early.sensitivity()


def test_a_constant_metric_is_undetermined_by_every_method() -> None:
    flat = rows().assign(flat=1.0, none=0)
    found = pb.analyze(flat, unit="user", variant="group", metrics=["flat", "none"]).sensitivity()
    assert isinstance(named(found, "flat", "Welch").effect, Undetermined)
    assert isinstance(named(found, "none", "Katz").effect, Undetermined)
    assert found.text()


def test_the_worth_of_a_test_follows_from_the_smallest_worthwhile_effect(tmp_path: Path) -> None:
    plan = "{method: fixed, start: 2026-03-02, runtime_days: 14, smallest_worthwhile: {revenue: 2%}}"
    found = pb.analyze(planned(tmp_path, plan), as_of="2026-03-20").sensitivity()
    (worth,) = found.worth
    se = read(found, "revenue", "Welch").se
    z = worth.effect / se
    power = scipy_stats.norm.sf(1.959964 - z) + scipy_stats.norm.cdf(-1.959964 - z)
    assert worth.power == pytest.approx(power, rel=1e-3)
    assert "equivalence within ±0.02 (TOST)" in {r.method for r in found.readings}


def test_the_command_reads_a_saved_result(tmp_path: Path, data: pd.DataFrame) -> None:
    result = pb.analyze(data, unit="user", variant="group", metrics=["bought", "revenue"])
    (tmp_path / "result.json").write_text(json.dumps(result.to_dict()))
    said = CliRunner().invoke(app, ["sensitivity", str(tmp_path / "result.json")])
    assert said.exit_code == 0
    assert "Newcombe hybrid score" in said.output
    assert all(len(line) <= 80 for line in said.output.splitlines())
    plain = json.loads(CliRunner().invoke(app, ["sensitivity", str(tmp_path / "result.json"), "--json"]).output)
    assert {r["method"] for r in plain["readings"]} >= {"Welch t", "asymptotic confidence sequence"}
