"""Readings of rows: values of statsmodels, scipy and NumPy on the same rows, and what plan and sample let be shown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats as scipy_stats
from scipy.stats import mstats
from typer.testing import CliRunner

import paribus as pb
from paribus.cli import app
from paribus.errors import InputError
from paribus.experiments.sensitivity import Sensitivity
from paribus.experiments.unit_readings import ArmQuantile, UnitReadings
from paribus.stats.estimate import Estimate, Reason, Undetermined

PLAN = """\
paribus: 1
experiment: shop
interference: none because carts are personal
units: {table: rows.csv, unit: user, variant: group, exposed_at: at}
variants: {control: 50, treatment: 50}
metrics:
  - {name: revenue, type: mean, value: revenue, covariates: [{value: before}]}
  - {name: share_used, type: ratio, value: revenue, denominator: before}
plan: PLAN
"""


def rows(n: int = 3001, arms: tuple[str, ...] = ("control", "treatment")) -> pd.DataFrame:
    draw = np.random.default_rng(11)
    group = draw.choice(arms, n)
    before = draw.gamma(2, 5, n)
    revenue = 0.6 * before + draw.lognormal(2, 0.7, n)
    top = np.quantile(revenue, 0.85)
    return pd.DataFrame(
        {
            "user": np.arange(n),
            "group": group,
            "before": before,
            "again": before,
            "revenue": np.where((group == "treatment") & (revenue > top), revenue * 1.4, revenue),
            "orders": draw.poisson(1, n),
            "bought": (draw.random(n) < 0.3).astype(int),
        }
    )


def read(data: pd.DataFrame, metrics: list[str] | str = "revenue", **given: Any) -> UnitReadings:
    found = pb.sensitivity(data, unit="user", variant="group", metrics=metrics, **given)
    assert found.units is not None
    return found.units


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    return rows()


@pytest.fixture(scope="module")
def found(data: pd.DataFrame) -> UnitReadings:
    return read(data, ["revenue", "orders", "bought"], covariates={"revenue": "before"})


def effect(found: UnitReadings, method: str, p: float | None = None, metric: str = "revenue") -> Estimate:
    own = [r for r in found.readings if r.metric == metric and r.method.startswith(method) and r.quantile == p]
    (one,) = (r for r in own if r.covariate is None)
    assert isinstance(one.effect, Estimate)
    return one.effect


def arm(found: UnitReadings, variant: str, p: float) -> ArmQuantile:
    (one,) = (q for q in found.quantiles if (q.metric, q.variant, q.quantile) == ("revenue", variant, p))
    return one


def by_statsmodels(data: pd.DataFrame, *, interacted: bool) -> Any:
    treated = (data.group == "treatment").to_numpy(float)
    x = (data.before - data.before.mean()).to_numpy()
    columns = [np.ones(len(data)), treated, x, *([treated * x] if interacted else [])]
    return sm.OLS(data.revenue.to_numpy(), np.column_stack(columns))


@pytest.mark.parametrize("covariance", ["classical", "HC2", "HC3"])
@pytest.mark.parametrize(("name", "interacted"), [("ANCOVA", False), ("Lin regression", True)])
def test_regressions_are_those_of_statsmodels(
    found: UnitReadings, data: pd.DataFrame, name: str, interacted: bool, covariance: str
) -> None:
    kind = "nonrobust" if covariance == "classical" else covariance
    theirs = by_statsmodels(data, interacted=interacted).fit(cov_type=kind, use_t=True)
    ours = effect(found, f"{name}, {covariance}")
    low, high = theirs.conf_int()[1]
    assert (ours.value, ours.se) == pytest.approx((theirs.params[1], theirs.bse[1]), rel=1e-9)
    assert (ours.lower, ours.upper, ours.p_value) == pytest.approx((low, high, theirs.pvalues[1]), rel=1e-7)


def test_the_effects_change_with_a_covariate_is_the_product_times_its_standard_deviation(
    found: UnitReadings, data: pd.DataFrame
) -> None:
    theirs = by_statsmodels(data, interacted=True).fit(cov_type="HC2", use_t=True)
    own = [r for r in found.readings if r.covariate == "x1"]
    once, always = (next(r for r in own if r.at_any_time is looks).effect for looks in (False, True))
    assert isinstance(once, Estimate)
    assert isinstance(always, Estimate)
    sd = float(data.before.std(ddof=0))
    assert (once.value, once.se) == pytest.approx((theirs.params[3] * sd, theirs.bse[3] * sd), rel=1e-9)
    assert always.value == pytest.approx(once.value, rel=1e-9)
    assert always.upper - always.lower > once.upper - once.lower
    assert found.draws[0].covariates == {"x1": "before"}


def test_the_regression_at_any_look_is_the_one_from_moments(data: pd.DataFrame) -> None:
    both = pb.sensitivity(
        data, unit="user", variant="group", metrics="revenue", covariates={"revenue": "before"}, units=5000
    )
    (moments,) = (r.effect for r in both.readings if r.method == "anytime-valid regression")
    assert both.units is not None
    of_rows = effect(both.units, "anytime-valid Lin regression")
    assert isinstance(moments, Estimate)
    assert (of_rows.value, of_rows.lower, of_rows.upper, of_rows.p_value) == pytest.approx(
        (moments.value, moments.lower, moments.upper, moments.p_value), rel=1e-8
    )


def test_the_bootstrap_is_near_welch(found: UnitReadings, data: pd.DataFrame) -> None:
    arms = [data.revenue[data.group == name] for name in ("treatment", "control")]
    welch = scipy_stats.ttest_ind(*arms, equal_var=False).confidence_interval()
    ours = effect(found, "Poisson bootstrap")
    assert ours.value == pytest.approx(arms[0].mean() - arms[1].mean(), rel=1e-9)
    assert ours.upper - ours.lower == pytest.approx(welch.high - welch.low, rel=0.1)


@pytest.mark.parametrize("p", [0.25, 0.5, 0.9, 0.99])
def test_an_arms_quantiles_are_those_of_numpy_scipy_and_the_binomial(
    found: UnitReadings, data: pd.DataFrame, p: float
) -> None:
    values = np.sort(data.revenue[data.group == "control"].to_numpy())
    own = arm(found, "control", p)
    assert own.units == len(values)
    assert own.value == pytest.approx(np.quantile(values, p), rel=1e-12)
    assert own.smooth == pytest.approx(float(mstats.hdquantiles(values, [p])[0]), rel=1e-9)
    ranks = [int(scipy_stats.binom.ppf(q, len(values), p)) for q in (0.025, 0.975)]
    assert own.limits == (values[ranks[0] - 1], values[ranks[1]])
    for wider in (own.at_any_look, own.of_all, own.by_distance):
        assert wider is not None
        assert own.limits is not None
        assert wider[0] < own.limits[0] < own.limits[1] < wider[1]


@pytest.mark.parametrize("p", [0.25, 0.5, 0.9])
def test_effects_on_quantiles_are_those_of_quantile_regression(
    found: UnitReadings, data: pd.DataFrame, p: float
) -> None:
    treated = (data.group == "treatment").to_numpy(float)
    theirs = sm.QuantReg(data.revenue.to_numpy(), sm.add_constant(treated)).fit(q=p)
    errors = [effect(found, f"quantile regression, {kind}", p) for kind in ("nid", "iid", "ker")]
    assert errors[0].value == pytest.approx(theirs.params[1], abs=0.02)
    assert [e.se for e in errors] == pytest.approx([theirs.bse[1]] * 3, rel=0.2)
    assert effect(found, "order statistics", p).se == pytest.approx(theirs.bse[1], rel=0.25)
    assert errors[0].p_value == pytest.approx(2 * scipy_stats.norm.sf(abs(errors[0].value / errors[0].se)))


def test_where_the_distribution_moved_is_told_and_where_not(found: UnitReadings) -> None:
    assert all(effect(found, "quantile regression, nid", p).p_value < 1e-4 for p in (0.9, 0.95))
    for p, moved in ((0.25, False), (0.5, False), (0.9, True)):
        alone, equal = effect(found, "this quantile", p), effect(found, "equal quantiles", p)
        assert (alone.lower > 0, equal.p_value < 0.001) == (moved, moved)
    for p in (0.25, 0.5, 0.9):
        once, alone = effect(found, "order statistics", p), effect(found, "this quantile", p)
        together = effect(found, "all quantiles, double stitching", p)
        assert together.lower < alone.lower < once.lower < once.upper < alone.upper < together.upper


def test_values_that_are_often_equal_have_no_effect_on_quantiles(found: UnitReadings) -> None:
    own = [r for r in found.readings if r.metric == "orders" and r.method.startswith("quantile regression")]
    assert {e.reason for r in own if isinstance(e := r.effect, Undetermined)} == {Reason.TIED}
    assert all(isinstance(r.effect, Undetermined) for r in own)
    assert not any(r.quantile for r in found.readings if r.metric == "bought")


def test_a_quantile_beyond_the_sample_is_undetermined(data: pd.DataFrame) -> None:
    found = read(data[:200], quantiles=[0.99])
    own = [r.effect for r in found.readings if r.quantile and not r.at_any_time]
    assert {e.reason for e in own if isinstance(e, Undetermined)} == {Reason.TOO_FEW_UNITS}
    assert len(own) == 4
    assert all(isinstance(e, Undetermined) for e in own)


def test_a_covariate_that_repeats_another_is_left_out(data: pd.DataFrame) -> None:
    found = read(data, covariates={"revenue": ["before", "again"]})
    assert list(found.draws[0].covariates) == ["x1"]


@pytest.mark.parametrize("flat", ["five", "before"])
def test_what_covariates_or_a_constant_explain_has_no_variance(data: pd.DataFrame, flat: str) -> None:
    found = read(data.assign(flat=5.0 if flat == "five" else data.before), "flat", covariates={"flat": "before"})
    effects = [r.effect for r in found.readings if "bootstrap" not in r.method and r.quantile is None]
    assert len(effects) == 9
    assert {e.reason for e in effects if isinstance(e, Undetermined)} == {Reason.NO_VARIANCE}
    assert all(isinstance(e, Undetermined) for e in effects)


def test_missing_values_before_exposure_are_told_apart(data: pd.DataFrame) -> None:
    gaps = data.assign(before=data.before.where(np.arange(len(data)) % 5 > 0))
    found = read(gaps, covariates={"revenue": "before"})
    assert found.draws[0].covariates == {"x1": "before", "h1": "has before"}
    treated, known = (gaps.group == "treatment").to_numpy(float), gaps.before.notna().to_numpy(float)
    columns = np.column_stack([np.ones(len(gaps)), treated, gaps.before.fillna(0), known])
    theirs = sm.OLS(gaps.revenue.to_numpy(), columns).fit(cov_type="HC3")
    ours = effect(found, "ANCOVA, HC3")
    assert (ours.value, ours.se) == pytest.approx((theirs.params[1], theirs.bse[1]), rel=1e-9)


def test_arms_that_differ_before_are_not_adjusted(data: pd.DataFrame) -> None:
    leaking = data.assign(before=data.before + 5 * (data.group == "treatment"))
    found = read(leaking, covariates={"revenue": "before"})
    assert found.draws[0].covariates == {}
    assert not any("regression" in r.method for r in found.readings if r.quantile is None)


def test_a_sample_is_told_and_holds_at_no_look_but_its_own(data: pd.DataFrame) -> None:
    found = read(data, covariates={"revenue": "before"}, units=1000)
    (draw,) = found.draws
    assert (draw.units, draw.total) == (750, 3001)
    assert "%" in draw.statement or "mod" in draw.statement.lower()
    assert found.readings
    assert not any(r.at_any_time for r in found.readings)
    assert all(q.at_any_look is q.of_all is q.by_distance is None for q in found.quantiles)


def test_several_arms_share_the_control() -> None:
    found = read(rows(arms=("control", "treatment", "other")), quantiles=[0.5])
    assert [q.variant for q in found.quantiles] == ["control", "other", "treatment"]
    assert {r.treatment for r in found.readings} == {"other", "treatment"}


def planned(folder: Path, plan: str, days: int = 14) -> Path:
    at = pd.Timestamp("2026-03-02") + pd.to_timedelta(np.arange(3001) * days / 3001, unit="D")
    rows().assign(at=at).to_csv(folder / "rows.csv", index=False)
    (folder / "experiment.yaml").write_text(PLAN.replace("PLAN", plan))
    return folder / "experiment.yaml"


def test_a_plan_with_looks_shows_the_units_of_its_look_by_what_holds_at_any(tmp_path: Path) -> None:
    path = planned(tmp_path, "{method: group_sequential, start: 2026-03-02, looks: [7, 14]}")
    found = pb.sensitivity(path, as_of="2026-03-10").units
    assert found is not None
    assert (found.draws[0].units, found.draws[0].total) == (1501, 1501)
    assert found.readings
    assert all(r.at_any_time for r in found.readings)
    assert all(q.limits is None for q in found.quantiles)
    (left,) = found.left_out
    assert (left.metric, left.reason) == ("share_used", "share_used is a ratio, which has no value for each unit")
    drawn = pb.sensitivity(path, as_of="2026-03-10", units=500)
    assert drawn.units is not None
    assert drawn.units.readings == ()
    assert "this plan is read more than once" in " ".join(drawn.text().split())


def test_what_the_plan_hides_no_unit_shows(tmp_path: Path) -> None:
    path = planned(tmp_path, "{method: fixed, start: 2026-03-02, runtime_days: 14}")
    pb.seal(path, author="ana")
    with pytest.raises(InputError, match="hidden, by every method"):
        pb.sensitivity(path, as_of="2026-03-10")


def test_a_split_that_fails_its_check_hides_units_too(data: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="hidden, by every method"):
        read(data, split={"control": 80, "treatment": 20})


def test_units_of_clusters_are_left_out(data: pd.DataFrame) -> None:
    clustered = data.assign(city=data.group + (data.user % 40).astype(str))
    found = read(clustered, cluster="city")
    (left,) = found.left_out
    assert "clusters were randomized" in left.reason
    assert not found.readings


def test_a_result_alone_has_no_rows(data: pd.DataFrame) -> None:
    result = pb.analyze(data, unit="user", variant="group", metrics="revenue")
    assert pb.sensitivity(result.to_dict()).units is None


@pytest.mark.parametrize("wrong", [{"quantiles": [1.0]}, {"units": 0}])
def test_what_cannot_be_read_is_refused(data: pd.DataFrame, wrong: Mapping[str, Any]) -> None:
    with pytest.raises(InputError):
        read(data, **wrong)


def run(*arguments: str) -> tuple[int, str]:
    said = CliRunner().invoke(app, ["sensitivity", *arguments])
    return said.exit_code, said.output


def test_the_command_reads_a_table_and_an_experiment_file(tmp_path: Path, data: pd.DataFrame) -> None:
    data.to_csv(tmp_path / "table.csv", index=False)
    table = [str(tmp_path / "table.csv"), "--unit", "user", "--variant", "group", "--covariate", "revenue=before"]
    table += ["--metric", "revenue", "--metric", "orders"]
    code, text = run(*table, "--quantile", "0.5", "--quantile", "0.9")
    assert code == 0
    assert "revenue: 3,001 of 3,001 units; adjusted for x1 (before)" in text
    assert "where did it move?" in text
    assert all(len(line) <= 80 for line in text.splitlines())
    code, text = run(*table, "--json", "--units", "1000")
    plain = json.loads(text)["units"]
    assert [draw["units"] for draw in plain["draws"]] == [750, 750]
    assert all(draw["statement"].startswith("WITH") for draw in plain["draws"])
    path = planned(tmp_path, "{method: fixed, start: 2026-03-02, runtime_days: 14}")
    code, text = run(str(path), "--metric", "revenue", "--as-of", "2026-03-20")
    assert code == 0
    assert "Lin regression, HC3" in text
    code, text = run(str(path), "--metric", "revenu")
    assert code == 2
    code, text = run(*table, "--quantile", "90")
    assert code == 2
    code, text = run(table[0])
    assert (code, "missing: unit, variant, metrics" in text) == (2, True)


def test_text_has_what_is_undetermined_by_its_reason() -> None:
    skewed = rows(60)
    skewed["revenue"] = np.where(skewed.user == 7, 1e6, 1.0)
    found: Sensitivity = pb.sensitivity(skewed, unit="user", variant="group", metrics="revenue")
    assert found.units is not None
    text = found.text()
    assert "undetermined, the distribution is too skewed" in " ".join(text.split("Units as rows")[1].split())
