"""What stands beside the readings: margins, choices, strata, all comparisons together, and the split over time."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import optimize
from scipy import stats as scipy_stats
from scipy.integrate import quad
from scipy.special import gammaln
from typer.testing import CliRunner

import paribus as pb
from paribus.cli import app
from paribus.errors import InputError
from paribus.experiments.sensitivity import OtherReading, Sensitivity
from paribus.stats.estimate import Estimate

PLAN = """\
paribus: 1
experiment: shop
interference: none because carts are personal
units: {table: rows.csv, unit: user, variant: group, exposed_at: at}
variants: {control: 50, treatment: 50}
segments: [country]
metrics:
  - {name: revenue, type: mean, value: revenue}
  - {name: items, type: mean, value: items}
  - {name: crashed, type: proportion, value: crashed, role: guardrail, direction: decrease, margin: {absolute: 0.02}}
  - {name: stayed, type: proportion, value: stayed, role: guardrail, margin: 2%}
  - {name: delay, type: mean, value: delay, role: guardrail, direction: decrease, margin: 3%}
plan: {method: fixed, start: 2026-03-02, runtime_days: 14}
"""


def rows(n: int = 4000, share: float = 0.5) -> pd.DataFrame:
    draw = np.random.default_rng(11)
    group = np.where(draw.random(n) < share, "treatment", "control")
    country = draw.choice(["de", "fr", "it"], n, p=[0.6, 0.3, 0.1])
    return pd.DataFrame(
        {
            "user": np.arange(n),
            "group": group,
            "at": pd.Timestamp("2026-03-02") + pd.to_timedelta(np.arange(n) * 14 / n, unit="D"),
            "country": country,
            "revenue": draw.normal(10, 4, n) + 5 * (country == "fr") + 0.9 * (group == "treatment"),
            "items": draw.poisson(3, n),
            "crashed": (draw.random(n) < 0.05).astype(int),
            "stayed": (draw.random(n) < 0.7).astype(int),
            "delay": draw.gamma(4, 10, n),
        }
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("shop")
    rows().to_csv(made / "rows.csv", index=False)
    (made / "experiment.yaml").write_text(PLAN)
    result = pb.analyze(made / "experiment.yaml", as_of="2026-03-20")
    (made / "result.json").write_text(json.dumps(result.to_dict()))
    return made


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    return rows()


@pytest.fixture(scope="module")
def found(folder: Path) -> Sensitivity:
    return pb.sensitivity(folder / "result.json")


def named(found: Sensitivity, metric: str, method: str) -> tuple[OtherReading, Estimate]:
    (one,) = (r for r in found.readings if r.metric == metric and r.method == method)
    assert isinstance(one.effect, Estimate)
    return one, one.effect


def arms(data: pd.DataFrame, metric: str) -> tuple[pd.Series, pd.Series]:
    return data[metric][data.group == "control"], data[metric][data.group == "treatment"]


def farrington_manning(x_c: int, n_c: int, x_t: int, n_t: int, null: float) -> float:
    """The statistic, with the likelihood under the null maximized numerically."""

    def loss(p: float) -> float:
        q = p + null
        return -float(x_c * np.log(p) + (n_c - x_c) * np.log1p(-p) + x_t * np.log(q) + (n_t - x_t) * np.log1p(-q))

    low, high = max(0.0, -null) + 1e-9, min(1.0, 1 - null) - 1e-9
    p = optimize.minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-12}).x
    q = p + null
    return float((x_t / n_t - x_c / n_c - null) / np.sqrt(p * (1 - p) / n_c + q * (1 - q) / n_t))


def test_an_absolute_margin_by_the_score_test(found: Sensitivity, data: pd.DataFrame) -> None:
    control, treatment = arms(data, "crashed")
    z = farrington_manning(control.sum(), len(control), treatment.sum(), len(treatment), 0.02)
    reading, effect = named(found, "crashed", "margin 0.02, Farrington–Manning")
    assert effect.p_value == pytest.approx(scipy_stats.norm.cdf(z), rel=1e-4)
    assert (effect.lower, effect.alternative) == (-np.inf, "less")
    at_end = farrington_manning(control.sum(), len(control), treatment.sum(), len(treatment), effect.upper)
    assert at_end == pytest.approx(-1.959964, abs=1e-4)
    assert not reading.at_any_time


def test_a_relative_margin_by_the_score_test_takes_control_as_known(found: Sensitivity, data: pd.DataFrame) -> None:
    control, treatment = arms(data, "stayed")
    null = -0.02 * control.mean()
    z = farrington_manning(control.sum(), len(control), treatment.sum(), len(treatment), null)
    _, effect = named(found, "stayed", f"margin {-null:.2g}, Farrington–Manning")
    assert effect.p_value == pytest.approx(scipy_stats.norm.sf(z), rel=1e-4)


def test_margins_by_welch_and_by_the_variance_of_a_share(found: Sensitivity, data: pd.DataFrame) -> None:
    control, treatment = arms(data, "delay")
    n_c, n_t, v_c, v_t = len(control), len(treatment), control.var(), treatment.var()
    t = (treatment.mean() - 1.03 * control.mean()) / np.sqrt(v_t / n_t + 1.03**2 * v_c / n_c)
    df = (v_c / n_c + v_t / n_t) ** 2 / ((v_c / n_c) ** 2 / (n_c - 1) + (v_t / n_t) ** 2 / (n_t - 1))
    reading, effect = named(found, "delay", "margin 3%, Welch")
    assert reading.statistic == pytest.approx(t)
    assert effect.p_value == pytest.approx(scipy_stats.t.cdf(t, df))
    control, treatment = arms(data, "crashed")
    p_c, p_t = control.mean(), treatment.mean()
    z = (p_t - p_c - 0.02) / np.sqrt(p_c * (1 - p_c) / len(control) + p_t * (1 - p_t) / len(treatment))
    reading, effect = named(found, "crashed", "margin 0.02, p (1 - p)")
    assert reading.statistic == pytest.approx(z)
    assert effect.p_value == pytest.approx(scipy_stats.norm.cdf(z))
    assert named(found, "crashed", "margin 0.02, any look")[1].upper > effect.upper


def test_the_statistic_of_a_test_is_that_of_scipy(found: Sensitivity, data: pd.DataFrame) -> None:
    control, treatment = arms(data, "items")
    theirs = scipy_stats.ttest_ind(treatment, control, equal_var=False)
    assert named(found, "items", "Welch t")[0].statistic == pytest.approx(theirs.statistic)
    assert named(found, "items", "lift by log")[0].statistic is not None
    assert named(found, "items", "stitched bound")[0].statistic is None


def test_choices_of_shares_are_integrals_over_both_posteriors(found: Sensitivity, data: pd.DataFrame) -> None:
    assert {c.metric for c in found.choices} == {"crashed", "stayed"}
    for choice in found.choices:
        control, treatment = (scipy_stats.beta(1 + a.sum(), 1 + len(a) - a.sum()) for a in arms(data, choice.metric))
        low, high = control.ppf(1e-9), control.ppf(1 - 1e-9)
        higher = quad(lambda p, c=control, t=treatment: c.pdf(p) * t.sf(p), low, high)[0]
        if_lower = quad(lambda p, c=control, t=treatment: t.cdf(p) * c.sf(p), low, high)[0]
        is_increase = choice.metric == "stayed"
        assert choice.chance == pytest.approx(higher if is_increase else 1 - higher, abs=1e-6)
        assert (choice.loss_treatment if is_increase else choice.loss_control) == pytest.approx(if_lower, rel=1e-5)


def test_post_stratified_by_what_was_known_before(found: Sensitivity, data: pd.DataFrame) -> None:
    groups = data.groupby(["country", "group"]).revenue
    n, mean, var = (groups.agg(what).unstack() for what in ("size", "mean", "var"))
    weight = n.sum(axis=1) / n.to_numpy().sum()
    each = mean.treatment - mean.control
    value = (weight * each).sum()
    within = (weight**2 * (var / n).sum(axis=1)).sum()
    se = np.sqrt(within + (weight * (each - value) ** 2).sum() / n.to_numpy().sum())
    reading, effect = next(
        (r, r.effect)
        for r in found.readings
        if (r.metric, r.method, r.at_any_time) == ("revenue", "post-stratified by country", False)
    )
    assert isinstance(effect, Estimate)
    assert (effect.value, effect.se) == pytest.approx((value, se), rel=1e-9)
    assert reading.statistic == pytest.approx(value / se)
    assert effect.se < named(found, "revenue", "Welch t")[1].se


def test_small_levels_are_joined(tmp_path: Path) -> None:
    few = rows(400).assign(country=lambda d: np.where(d.index < 8, d.index.astype(str), "de"))
    few.to_csv(tmp_path / "rows.csv", index=False)
    (tmp_path / "experiment.yaml").write_text(PLAN)
    found = pb.analyze(tmp_path / "experiment.yaml", as_of="2026-03-20").sensitivity()
    joined = few.assign(country=np.where(few.country == "de", "de", "few")).groupby(["country", "group"])["items"]
    mean, n = joined.mean().unstack(), joined.size().unstack()
    assert n.loc["few"].min() >= 2
    value = ((mean.treatment - mean.control) * n.sum(axis=1)).sum() / 400
    stratified = [r for r in found.readings if r.metric == "items" and r.method == "post-stratified by country"]
    assert len(stratified) == 2
    for r in stratified:
        assert isinstance(r.effect, Estimate)
        assert r.effect.value == pytest.approx(value)


def test_simes_over_the_success_metrics(found: Sensitivity, data: pd.DataFrame) -> None:
    p = sorted(scipy_stats.ttest_ind(*arms(data, metric), equal_var=False).pvalue for metric in ("revenue", "items"))
    assert found.family is not None
    assert found.family.hypotheses == 2
    assert found.family.any_success == pytest.approx(min(2 * p[0], p[1]), rel=1e-8)


def test_evidence_against_no_effect_and_what_survives(found: Sensitivity) -> None:
    assert found.family is not None
    moved = found.family.moved
    assert len(moved) == 5
    e = {m.metric: m.e for m in moved}
    welch = named(found, "revenue", "Welch t")[1]
    n, var = 4000, welch.se**2
    doubled = -2 * np.log(0.05)
    tau = (doubled + np.log(doubled + 1)) / 5000 * var * n
    exact = np.sqrt(var / (var + tau)) * np.exp(welch.value**2 * tau / (2 * var * (var + tau)))
    assert e["revenue"] == pytest.approx(exact)
    ranked = sorted(e.values(), reverse=True)
    most = max((k for k in range(1, 6) if ranked[k - 1] >= 5 / (0.05 * k)), default=0)
    assert {m.metric for m in moved if m.survives} == {name for name in e if e[name] in ranked[:most]}
    assert [m.metric for m in moved if m.survives] == ["revenue"]


def test_evidence_is_adjusted_where_the_plan_adjusts(data: pd.DataFrame) -> None:
    given = data.assign(before=data.delay + np.random.default_rng(2).normal(0, 5, len(data)))
    result = pb.analyze(
        given, unit="user", variant="group", metrics=["revenue", "delay"], covariates={"delay": ["before"]}
    )
    found = result.sensitivity()
    assert found.family is not None
    (e,) = (m.e for m in found.family.moved if m.metric == "delay")
    adjusted = named(found, "delay", "CUPED, theta pooled within")[1]
    x = adjusted.value / adjusted.se
    doubled = -2 * np.log(0.05)
    growth = 4000 / 5000 * (doubled + np.log(doubled + 1))
    assert e == pytest.approx(np.exp(x**2 / 2 * growth / (1 + growth)) / np.sqrt(1 + growth))
    assert adjusted.se < 0.5 * named(found, "delay", "Welch t")[1].se


def test_the_split_after_every_day_is_a_dirichlet_multinomial(found: Sensitivity, data: pd.DataFrame) -> None:
    (split,) = found.splits
    counts = pd.crosstab(data["at"].dt.date.astype(str), data.group).cumsum().to_numpy()
    total = counts.sum(axis=1)
    log_e = (gammaln(50 + counts) - gammaln(50)).sum(axis=1) - gammaln(100 + total) + gammaln(100) + total * np.log(2)
    assert split.p_value == pytest.approx(np.minimum.accumulate(np.minimum(1, np.exp(-log_e))))
    assert split.units == tuple(total)
    assert (split.epoch, split.since, split.alpha) == (None, None, 0.001)


def test_a_refusal_for_the_split_says_since_when(tmp_path: Path) -> None:
    rows(share=0.6).to_csv(tmp_path / "rows.csv", index=False)
    (tmp_path / "experiment.yaml").write_text(PLAN)
    result = pb.analyze(tmp_path / "experiment.yaml", as_of="2026-03-20")
    with pytest.raises(InputError, match=r"daily counts show it since 2026-03-\d\d"):
        result.sensitivity()


def test_the_command_says_it_within_80_columns(folder: Path) -> None:
    said = CliRunner().invoke(app, ["sensitivity", str(folder / "result.json")])
    assert said.exit_code == 0
    assert all(len(line) <= 80 for line in said.output.splitlines())
    for words in (
        "Farrington–Manning",
        "Simes' test of 2",
        "e-BH over 5",
        "fit the split at every look",
        "flat priors",
    ):
        assert words in said.output
    plain = json.loads(CliRunner().invoke(app, ["sensitivity", str(folder / "result.json"), "--json"]).output)
    assert plain["family"]["hypotheses"] == 2
    assert len(plain["crossings"]) == 6
    assert {"statistic", "at_any_time"} <= plain["readings"][0].keys()


def test_a_plan_with_looks_shows_no_posterior_and_no_test_that_holds_once(folder: Path, tmp_path: Path) -> None:
    rows().to_csv(tmp_path / "rows.csv", index=False)
    plan = PLAN.replace("{method: fixed, start: 2026-03-02, runtime_days: 14}", "{method: anytime, start: 2026-03-02}")
    (tmp_path / "experiment.yaml").write_text(plan)
    found = pb.analyze(tmp_path / "experiment.yaml", as_of="2026-03-20").sensitivity()
    assert all(r.at_any_time for r in found.readings)
    assert not found.choices
    assert found.family is not None
    assert found.family.any_success is None
    assert {"margin 3%, any look", "post-stratified by country"} <= {r.method for r in found.readings}


def test_a_file_that_is_no_result_is_refused(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text('{"verdict": {}}')
    said = CliRunner().invoke(app, ["sensitivity", str(tmp_path / "result.json")])
    assert said.exit_code != 0
