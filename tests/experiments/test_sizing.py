"""Sizing: closed forms and published values, what is asked of the user, and history read back from known data."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from typer.testing import CliRunner

import paribus as pb
from paribus.cli import app
from paribus.errors import InputError
from paribus.experiments import sizing
from paribus.experiments.document import load
from paribus.experiments.history import arrivals_of, look
from paribus.experiments.operating import characteristics, truths_of
from paribus.experiments.plan import Design, Kind, Method, Plan, Prior, Variant
from paribus.experiments.population import Population
from paribus.experiments.sample_size import Comparison, Reader, calibrated_loss
from paribus.experiments.sizes import Setting, comparisons, size
from paribus.experiments.sizing_result import MethodSize, Sizing
from paribus.metrics.definition import Metric, MetricType, Role
from paribus.stats.estimate import Undetermined
from paribus.warehouse import open_engine

Z = stats.norm.ppf
SHARE = Comparison("converted", 0.05, 0.16, 0.2, 0.05, 0.8, share=True)
MEAN = Comparison("revenue", 0.3, 100.0, 10.0, 0.05, 0.8)
LOOKS = (0.25, 0.5, 0.75, 1.0)


@pytest.fixture(autouse=True)
def _few_replications(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("paribus.experiments.operating.REPLICATIONS", 20)
    monkeypatch.setattr("paribus.experiments.operating.REPLICATIONS_WITH_LOOKS", 6)


def by_method(found: Sizing, method: Method) -> MethodSize:
    return next(size for size in found.sizes if size.method is method)


def reader(method: Method, **more: float) -> Reader:
    fractions = (1.0,) if method in (Method.FIXED, Method.ANYTIME) else LOOKS
    return Reader(Plan(method=method, **more), fractions)  # type: ignore[arg-type]  # fields by name


# ── one comparison under each method ─────────────────────────────────────────────────────────────────────────────────


def test_a_share_by_the_pooled_test_is_the_textbook_number() -> None:
    """R: power.prop.test(p1 = .2, p2 = .25, power = .8) gives n = 1093.739."""
    assert reader(Method.FIXED).total(SHARE) / 2 == pytest.approx(1093.739, rel=1e-5)


def test_what_has_no_daily_view_is_sized_by_the_sequence_that_reads_it() -> None:
    """Planned looks read quantiles and clusters by an anytime-valid sequence; other methods have one rule for all."""
    undated = replace(MEAN, undated=True)
    assert reader(Method.GROUP_SEQUENTIAL).total(undated) == reader(Method.ANYTIME).total(MEAN)
    assert reader(Method.GROUP_SEQUENTIAL).total(undated) > reader(Method.GROUP_SEQUENTIAL).total(MEAN)
    assert reader(Method.FIXED).total(undated) == reader(Method.FIXED).total(MEAN)


def test_a_mean_is_the_t_test_of_r() -> None:
    """R: power.t.test(delta = .5, sd = 1, power = .8) gives n = 63.76576."""
    c = Comparison("m", 0.5, 1.0, 10.0, 0.05, 0.8)
    assert reader(Method.FIXED).total(c) / 2 == pytest.approx(63.76576, rel=1e-5)


def test_unequal_arms_cost_what_their_variance_costs() -> None:
    uneven = Comparison("m", 0.3, 100.0, 10.0, 0.05, 0.8, ratio=1 / 9)
    # (1 + r)^2 / (4 r) times the units of an even split: 100 / 36 for 90/10.
    both = reader(Method.FIXED).total(uneven), reader(Method.FIXED).total(MEAN)
    assert both[0] / both[1] == pytest.approx(100 / 36, rel=1e-3)


def published(case: str) -> dict[str, list[float]]:
    """What rpact computes for a design of the oracles."""
    found = json.loads((Path(__file__).parent.parent / "oracles" / "data" / "group_sequential.json").read_text())
    expected: dict[str, list[float]] = next(c["expected"] for c in found["cases"] if c["id"] == case)
    return expected


def test_group_sequential_costs_the_published_inflation() -> None:
    """Lan-DeMets O'Brien-Fleming type, four looks, two-sided .05, power .8, by rpact."""
    fixed = (Z(0.975) + Z(0.8)) ** 2 * 100 * 2 / 0.3**2 * 2
    want = published("group_sequential/asOF-K4-a0.05-2s")["inflation_factor"]
    assert reader(Method.GROUP_SEQUENTIAL).total(MEAN) / fixed == pytest.approx(want, rel=1e-4)


@pytest.mark.parametrize("method", list(Method))
@pytest.mark.parametrize("comparison", [SHARE, MEAN], ids=["share", "mean"])
def test_power_size_and_detectable_effect_are_one_curve(method: Method, comparison: Comparison) -> None:
    own = reader(method, loss_threshold=0.002) if method is Method.BAYESIAN else reader(method)
    total = own.total(comparison)
    assert own.power(comparison, total) == pytest.approx(0.8, abs=1e-6)
    assert own.detectable(comparison, total) == pytest.approx(comparison.distance, rel=1e-4)
    assert own.detectable(comparison, 4 * total) < comparison.distance
    assert 0 < own.expected_fraction(comparison, total, effect=True) <= 1


def test_expected_length_and_false_positives_as_simulated() -> None:
    """A random walk at the looks, drawn here, against the integrals."""
    draw = np.random.default_rng(8)
    c, paths = MEAN, 40_000
    for method in (Method.GROUP_SEQUENTIAL, Method.BAYESIAN):
        own = reader(method, loss_threshold=0.002) if method is Method.BAYESIAN else reader(method)
        total = own.total(c)
        at = np.array(LOOKS)
        se = c.se(total, 0.0) / np.sqrt(at)
        steps = draw.normal(0, np.sqrt(np.diff(at, prepend=0)), (paths, 4))
        z = np.cumsum(steps, axis=1) / np.sqrt(at)
        if method is Method.GROUP_SEQUENTIAL:
            upper = np.array(published("group_sequential/asOF-K4-a0.05-2s")["critical_values"])
            stop_up, stop_down = z >= upper, z <= -upper
        else:
            sd = se / c.baseline
            post_var = 1 / (1 / 0.3**2 + 1 / sd**2)
            mean = z * sd * post_var / sd**2
            u = mean / np.sqrt(post_var)
            loss = np.sqrt(post_var) * stats.norm.pdf(u) - mean * stats.norm.sf(u)
            stop_up, stop_down = loss <= 0.002, stats.norm.cdf(-u) >= 0.975
        stopped = stop_up | stop_down
        first = np.where(stopped.any(axis=1), stopped.argmax(axis=1), 3)
        up = stop_up[np.arange(paths), first]
        assert own.expected_fraction(c, total, effect=False) == pytest.approx(at[first].mean(), abs=0.01)
        assert own.false_positive(c, total) == pytest.approx(up.mean(), abs=0.01)


def test_an_anytime_reading_costs_more_and_errs_less() -> None:
    own, fixed = reader(Method.ANYTIME), reader(Method.FIXED)
    total = own.total(MEAN)
    assert 1.5 < total / fixed.total(MEAN) < 2.5
    assert own.false_positive(MEAN, total) < 0.025
    assert own.expected_fraction(MEAN, total, effect=True) < 0.7


# ── the whole sizing ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_command_lines_example() -> None:
    """12%, +3%, 4,000 units a day: Chow 2008's formula with the pooled variance under the null, whole weeks."""
    found = sizing.from_numbers(baseline=0.12, mde=0.03, daily_units=4000)
    p, q = 0.12, 0.1236
    m = (p + q) / 2
    root = Z(0.975) * math.sqrt(2 * m * (1 - m)) + Z(0.8) * math.sqrt(p * (1 - p) + q * (1 - q))
    want = math.ceil((root / (q - p)) ** 2)
    fixed = found.chosen
    assert (fixed.per_arm, fixed.maximum) == (want, 2 * want)
    assert fixed.days == math.ceil(2 * want / 4000 / 7) * 7
    # at 14 days, 28,000 per arm
    assert fixed.detectable == pytest.approx(math.sqrt(2 * want / 56_000) * 0.03, rel=0.03)
    assert found.daily_units == 4000
    assert "129,560" in found.text()
    assert all(len(line) <= 80 for line in found.text().splitlines())


def test_guardrails_and_arms_are_paid_for() -> None:
    alone = sizing.from_numbers(baseline=40, sd=85, mde=0.05)
    guarded = sizing.from_numbers(baseline=40, sd=85, mde=0.05, guardrails=2)
    several = sizing.from_numbers(baseline=40, sd=85, mde=0.05, arms=3)

    def formula(alpha: float, power: float) -> float:
        return float((Z(1 - alpha / 2) + Z(power)) ** 2 * 2 * 85**2 / 2**2)

    # beta over guardrails + 1: power 1 - .2 / 3; alpha over two treatments by Holm's first step
    assert alone.chosen.per_arm == pytest.approx(formula(0.05, 0.8), rel=1e-3)
    assert guarded.chosen.per_arm == pytest.approx(formula(0.05, 1 - 0.2 / 3), rel=1e-3)
    assert several.chosen.per_arm == pytest.approx(formula(0.025, 0.8), rel=1e-3)
    assert several.chosen.maximum == 3 * several.chosen.per_arm
    assert guarded.by_metric.keys() == {"success", "guardrail 1", "guardrail 2"}


def test_every_method_stands_beside_the_deciding_one() -> None:
    found = sizing.from_numbers(
        baseline=0.12, mde=0.05, daily_units=6000, plan=Plan(method=Method.GROUP_SEQUENTIAL), guardrails=1
    )
    assert [s.method for s in found.sizes] == list(Method)
    fixed, sequential, anytime = (by_method(found, m) for m in (Method.FIXED, Method.GROUP_SEQUENTIAL, Method.ANYTIME))
    assert fixed.maximum < sequential.maximum < anytime.maximum
    assert sequential.expected_h1 < fixed.maximum < sequential.expected_h0 * 1.05
    assert sequential.looks[-1] == sequential.days
    assert fixed.looks == ()
    assert [c.truth.name for c in found.rule] == ["planned", "none", "margin", "harm"]


def test_the_same_seed_gives_the_same_sizing() -> None:
    one, two, other = (sizing.from_numbers(baseline=0.2, mde=0.1, seed=seed).to_dict() for seed in (3, 3, 4))
    assert one == two
    assert one["rule"] != other["rule"]


def test_plain_values_and_a_figure(tmp_path: Path) -> None:
    for daily in (None, 100.0, 5000.0):
        found = sizing.from_numbers(baseline=40, sd=85, mde=0.05, daily_units=daily)
        plain = json.loads(json.dumps(found.to_dict(), allow_nan=False))
        assert plain["sizes"]["fixed"]["per_arm"] == found.chosen.per_arm
        assert plain["curves"]["x"] == ("units" if daily is None else "days")
        figure = found.plot()
        assert figure.save(tmp_path / "power.svg").read_text().startswith("<svg")
        assert all(len(line) <= 80 for line in found.text().splitlines())
    slow = sizing.from_numbers(baseline=40, sd=85, mde=0.05, daily_units=100)
    assert isinstance(slow.chosen.days, Undetermined)
    assert ">365" in slow.text()
    assert slow.to_dict()["sizes"]["fixed"]["days"] is None


def test_a_rule_that_ships_without_any_effect_says_so() -> None:
    """A loss threshold far above the standard error: every effect is detectable, which no search may chase to zero."""
    loose = reader(Method.BAYESIAN, loss_threshold=0.05)
    assert loose.detectable(MEAN, 1e6) == 0
    assert loose.false_positive(MEAN, 1e6) > 0.9


@pytest.mark.parametrize("looks", [1, 4, 8])
@pytest.mark.parametrize("comparison", [SHARE, MEAN], ids=["share", "mean"])
def test_a_loss_threshold_that_nobody_gave_ships_like_a_fixed_horizon(comparison: Comparison, looks: int) -> None:
    """Without effect 2.5% ship: by a random walk drawn here, which stops at loss and harm of a flat-prior posterior."""
    fractions = tuple((i + 1) / looks for i in range(looks))
    flat = replace(comparison, prior=Prior(sd=1e3))
    threshold = calibrated_loss(Plan(), fractions, flat)
    own = Reader(Plan(method=Method.BAYESIAN, loss_threshold=threshold), fractions)
    total = own.total(flat)
    at, draw = np.array(fractions), np.random.default_rng(9)
    z = np.cumsum(draw.normal(0, np.sqrt(np.diff(at, prepend=0)), (100_000, looks)), axis=1) / np.sqrt(at)
    loss = (stats.norm.pdf(z) - z * stats.norm.sf(z)) * flat.se(total, 0.0) / np.sqrt(at) / flat.baseline
    up, down = loss <= threshold, z <= Z(0.025)
    first = np.where((up | down).any(axis=1), (up | down).argmax(axis=1), looks - 1)
    assert up[np.arange(len(z)), first].mean() == pytest.approx(0.025, abs=0.002)
    if looks == 1:  # the loss of the critical value itself
        se = flat.se(total, flat.distance) / flat.baseline
        want = (stats.norm.pdf(Z(0.975)) - Z(0.975) * 0.025) * se
        assert threshold == pytest.approx(want, rel=0.05)


def test_the_sizing_names_the_threshold_that_it_took() -> None:
    found = sizing.from_numbers(baseline=40, sd=85, mde=0.05, plan=Plan(method=Method.BAYESIAN))
    text = " ".join(found.text().split())
    assert found.to_dict()["loss_threshold"] == found.loss_threshold
    assert by_method(found, Method.BAYESIAN).false_positive == pytest.approx(0.025, rel=0.03)
    assert "no loss threshold" in text
    assert "ships at an expected loss up to" in text
    stated = sizing.from_numbers(baseline=40, sd=85, mde=0.05, plan=Plan(method=Method.BAYESIAN, loss_threshold=0.002))
    assert stated.loss_threshold == 0.002
    assert "no loss threshold" not in stated.text()


def test_a_curve_falls_and_its_power_rises() -> None:
    found = sizing.from_numbers(baseline=0.12, mde=0.03, daily_units=4000)
    for curve in found.curves:
        assert all(b < a for a, b in zip(curve.detectable, curve.detectable[1:], strict=False))
        assert all(b >= a - 1e-9 for a, b in zip(curve.power, curve.power[1:], strict=False))


# ── what cannot be meant ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"mde": 0.03}, "--baseline 0.12"),
        ({"baseline": 12, "mde": 0.03}, "write 0.12 or 12%"),
        ({"baseline": 0, "mde": 0.03}, "neither of them"),
        ({"baseline": -3, "mde": 0.03}, "add its standard deviation"),
        ({"baseline": 400, "mde": 0.03}, "--sd"),
        ({"baseline": 0, "sd": 3, "mde": 0.03}, "relative to the mean"),
        ({"baseline": 4, "sd": 0, "mde": 0.03}, "it is positive"),
        ({"baseline": 0.12}, "--mde 3%"),
        ({"baseline": 0.12, "mde": 0}, "infinitely many"),
        ({"baseline": 0.12, "mde": -0.03}, "write 0.03"),
        ({"baseline": 0.12, "mde": 3}, "write 0.03 or 3%"),
        ({"baseline": 0.9, "mde": 0.2}, "no proportion is above 1"),
        ({"baseline": 0.12, "mde": 0.03, "daily_units": 0}, "it is positive"),
        ({"baseline": 0.12, "mde": 0.03, "arms": 1}, "at least one treatment"),
        ({"baseline": 0.12, "mde": 0.03, "guardrails": -1}, "not negative"),
    ],
)
def test_numbers_that_cannot_be_meant_teach(given: dict[str, float], says: str) -> None:
    with pytest.raises(InputError) as raised:
        sizing.from_numbers(**{"baseline": None, **given})  # type: ignore[arg-type]  # numbers by name
    assert says in str(raised.value)


# ── from history ─────────────────────────────────────────────────────────────────────────────────────────────────────

TABLE = """\
paribus: 1
experiment: history
interference: none because carts are personal
units: {table: history.csv, unit: user, variant: group}
variants: {control: 50, treatment: 50}
metrics:
  - {name: revenue, type: mean, value: revenue, covariates: [before]}
  - {name: converted, type: proportion, value: converted}
  - {name: visits, type: mean, value: visits, role: guardrail, margin: 2%}
  - {name: late, type: quantile, quantile: 0.9, value: revenue, role: secondary}
plan: {runtime_days: 14, smallest_worthwhile: {revenue: 2%}}
"""
EVENTS = """\
paribus: 1
experiment: events
interference: none because carts are personal
exposures: {table: exposures.csv, unit: user, variant: group, time: at}
events:
  orders: {table: orders.csv, unit: user, time: at}
variants: {control: 50, treatment: 50}
metrics:
  - {name: revenue, type: mean, source: orders, value: amount, window_days: 7}
plan: {start: START, runtime_days: 28}
"""


def table(folder: Path, n: int = 4000, text: str = TABLE) -> Path:
    draw = np.random.default_rng(2)
    before, noise, visits = 10 + draw.normal(size=n), draw.normal(size=n), 1 + draw.poisson(3, n)
    converted = draw.random(n) < 0.2
    # No group was ever assigned: history knows no variants.
    rows = [f"u{i},,{before[i] + noise[i]:.9f},{before[i]:.9f},{visits[i]},{int(converted[i])}" for i in range(n)]
    (folder / "history.csv").write_text("user,group,revenue,before,visits,converted\n" + "\n".join(rows) + "\n")
    (folder / "experiment.yaml").write_text(text)
    return folder / "experiment.yaml"


def events(folder: Path, start: str) -> Path:
    """1,000 units that come at random out of 1,000 at 5% a day: new ones get fewer, and half have come by day 14."""
    draw = np.random.default_rng(3)
    first = datetime(2026, 1, 5, tzinfo=UTC)
    days = np.minimum(draw.exponential(20, 1000), 41.9)
    at = [first + timedelta(days=float(d)) for d in days]
    exposures = [f"u{i},,{t:%Y-%m-%d %H:%M:%S}" for i, t in enumerate(at)]
    orders = [f"u{i},{t + timedelta(days=1):%Y-%m-%d %H:%M:%S},{draw.gamma(4, 10):.6f}" for i, t in enumerate(at)]
    (folder / "exposures.csv").write_text("user,group,at\n" + "\n".join(exposures) + "\n")
    (folder / "orders.csv").write_text("user,at,amount\n" + "\n".join(orders) + "\n")
    (folder / "experiment.yaml").write_text(EVENTS.replace("START", start))
    return folder / "experiment.yaml"


def test_history_gives_baseline_variance_and_what_covariates_remove(tmp_path: Path) -> None:
    found = pb.design(table(tmp_path))
    assert found.metric == "revenue"
    assert found.baseline == pytest.approx(10, abs=0.1)
    assert found.sd == pytest.approx(math.sqrt(2), rel=0.03)
    assert found.variance_reduction == pytest.approx(0.5, abs=0.03)
    assert found.plain is not None
    assert found.plain.expected_h1 > found.chosen.expected_h1 * 0.99
    # the guardrail binds: mean 4, variance 3, margin 2%, one-sided .025 with power .9
    want = (Z(0.975) + Z(0.9)) ** 2 * 2 * 3 / 0.08**2
    assert found.by_metric["visits"] / 2 == pytest.approx(want, rel=0.05)
    assert found.chosen.binding == "visits"
    text = found.text()
    for said in ("No effect is planned for converted", "Without CUPED"):
        assert said in " ".join(text.split()), said
    assert all(len(line) <= 80 for line in text.splitlines())


def test_a_quantile_is_sized_by_its_density(tmp_path: Path) -> None:
    """The 90th percentile of normal values, mean 10 and variance 2: 10 + 1.28 sd, variance .9 (.1) / density^2."""
    text = TABLE.replace("value: revenue, role: secondary", "value: revenue, role: guardrail, margin: 2%")
    found = pb.design(table(tmp_path, n=20_000, text=text))
    q = stats.norm(10, math.sqrt(2)).ppf(0.9)
    variance = 0.09 / stats.norm(10, math.sqrt(2)).pdf(q) ** 2
    # beta is divided over two guardrails and one; 84 ranks to each side tell the variance within 16%
    want = (Z(0.975) + Z(1 - 0.2 / 3)) ** 2 * 2 * variance / (0.02 * q) ** 2
    assert found.by_metric["late"] / 2 == pytest.approx(want, rel=0.4)


def test_a_quantile_of_rows_is_sized_by_its_units(tmp_path: Path) -> None:
    """Every unit has four rows of one value, so the median is that of the units: variance .25 / density^2 per unit."""
    draw = np.random.default_rng(6)
    first = datetime(2026, 1, 5, tzinfo=UTC)
    at = [first + timedelta(minutes=5 * i) for i in range(5000)]
    exposures = [f"u{i},,{t:%Y-%m-%d %H:%M:%S}" for i, t in enumerate(at)]
    values = draw.normal(40, 10, 5000)
    orders = [
        f"u{i},{t + timedelta(hours=h):%Y-%m-%d %H:%M:%S},{v:.6f}"
        for i, (t, v) in enumerate(zip(at, values, strict=True))
        for h in range(1, 5)
    ]
    (tmp_path / "exposures.csv").write_text("user,group,at\n" + "\n".join(exposures) + "\n")
    (tmp_path / "orders.csv").write_text("user,at,amount\n" + "\n".join(orders) + "\n")
    metric = "{name: middle, type: quantile, quantile: 0.5, source: orders, value: amount, level_of_rows: row}"
    text = EVENTS.replace("START", "2026-06-01").replace(
        "{name: revenue, type: mean, source: orders, value: amount, window_days: 7}", metric
    )
    (tmp_path / "experiment.yaml").write_text(text)
    document = load(tmp_path / "experiment.yaml")
    engine = open_engine(None, base_dir=tmp_path)
    population = look(document, engine).populations["middle"]
    engine.close()
    assert population.value == pytest.approx(40, abs=0.5)
    want = 0.25 / stats.norm(40, 10).pdf(40) ** 2
    assert population.variance(adjusted=False).variance == pytest.approx(want, rel=0.15)


def test_the_rule_is_simulated_with_quantile_guardrails(tmp_path: Path) -> None:
    """A guardrail whose error is its margin is hardly ever shown safe, so that the rule hardly ever ships."""
    text = TABLE.replace("value: revenue, role: secondary", "value: revenue, role: guardrail, margin: 2%")
    document = load(table(tmp_path, text=text))
    engine = open_engine(None, base_dir=tmp_path)
    setting = sizing.setting_of(document, engine)
    engine.close()
    ships = [size(setting).rule[0].ship.value]
    late = setting.populations["late"]
    wide = replace(late, cov=late.cov * 100)
    guarded = next(m for m in setting.design.metrics if m.name == "late")
    found = characteristics(
        setting.design,
        {**setting.populations, "late": wide},
        truths_of(setting.design, setting.effects, setting.populations)[:1],
        units=by_method(size(setting, replications=0), Method.FIXED).maximum,
    )
    ships.append(found[0].ship.value)
    assert guarded.type is MetricType.QUANTILE
    assert ships[0] >= 0.7
    assert ships[1] <= 0.1


def test_history_gives_arrivals_that_get_fewer(tmp_path: Path) -> None:
    found = pb.design(events(tmp_path, "2026-06-01"), mde=0.1)
    # 1 - exp(-14 / 20) of a thousand have come by day 14
    assert found.daily_units == pytest.approx(1000 * (1 - math.exp(-0.7)) / 14, rel=0.1)
    fixed = found.chosen
    # gamma(4, 10): mean 40, sd 20; 7 days to mature, then whole weeks
    assert found.baseline == pytest.approx(40, rel=0.05)
    assert fixed.maximum == pytest.approx(2 * (Z(0.975) + Z(0.8)) ** 2 * 2 * 0.25 / 0.01, rel=0.15)
    need = -20 * math.log(1 - fixed.maximum / 1000)
    assert isinstance(fixed.days, int)
    assert abs(fixed.days - need - 7) <= 10
    assert fixed.days % 7 == 0
    constant = pb.design(tmp_path / "experiment.yaml", mde=0.1, daily_units=100)
    # 8 days until 778 units have arrived and 7 until the last has matured: 15, in full weeks 21
    assert constant.chosen.days == 21


def test_history_from_before_the_start_only(tmp_path: Path) -> None:
    """Data until 15 February; a plan that starts on 25 January learns from twenty days, one in 2025 from all."""
    before = pb.design(events(tmp_path, "2026-01-25"), mde=0.1)
    assert not any("all data" in note for note in before.notes)
    early = pb.design(events(tmp_path, "2025-01-01"), mde=0.1)
    assert any("all data are taken as history" in note for note in early.notes)


def test_no_history_no_effect_and_nothing_to_size_teach(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="history has 7 units"):
        pb.design(table(tmp_path, n=7))
    path = table(tmp_path, text=TABLE.replace("smallest_worthwhile: {revenue: 2%}", "power: 0.8"))
    with pytest.raises(InputError) as raised:
        pb.design(path)
    assert "smallest_worthwhile: {revenue: 3%}" in str(raised.value)


def test_what_the_file_says_cannot_be_said_beside_it(tmp_path: Path) -> None:
    path = table(tmp_path)
    with pytest.raises(InputError, match="plan and arms beside an experiment file"):
        pb.design(path, plan=Plan(), arms=3)
    for option in (["--method", "fixed"], ["--power", "0.9"], ["--baseline", "12%"], ["--guardrails", "1"]):
        told = CliRunner().invoke(app, ["design", str(path), *option])
        assert told.exit_code == 2
        assert "beside an experiment file" in told.stderr


def test_arrivals_without_saturation_go_on_as_seen() -> None:
    steady = arrivals_of([100] * 28)
    assert steady is not None
    assert steady(56) == pytest.approx(5600, rel=0.03)
    assert arrivals_of([]) is None


def test_a_falling_metric_is_sized_downwards(tmp_path: Path) -> None:
    text = TABLE.replace(
        "{name: converted, type: proportion, value: converted}",
        "{name: converted, type: proportion, value: converted, direction: decrease}",
    )
    document = load(table(tmp_path, text=text))
    engine = open_engine(None, base_dir=tmp_path)
    populations = look(document, engine).populations
    engine.close()
    found = comparisons(document.design, populations, {"converted": 0.1}, adjusted=True)[0]
    assert found.variances(found.distance)[1] < found.variances(found.distance)[0]


# ── what the rule is simulated at ────────────────────────────────────────────────────────────────────────────────────


def share_setting(*, runtime_days: int | None, method: Method = Method.ANYTIME, errors: float = 0.01) -> Setting:
    """A share of 0.6 that is to rise by 12%, an error rate as guardrail, 500 units a day, a window of a week."""
    success = Metric("ordered", MetricType.PROPORTION, direction="increase")
    guard = Metric("failed", MetricType.PROPORTION, direction="decrease", role=Role.GUARDRAIL, margin=0.01)
    guard = replace(guard, margin_absolute=True)
    rates = {success: 0.6, guard: errors}
    populations = {m.name: Population(m, ("y",), np.array([p]), np.array([[p * (1 - p)]])) for m, p in rates.items()}
    design = Design(
        key="checkout",
        kind=Kind.AB,
        interference="none because carts are not shared",
        variants=(Variant("control", 0.5), Variant("treatment", 0.5)),
        control="control",
        metrics=tuple(rates),
        plan=Plan(method=method, runtime_days=runtime_days, looks=(7, 14) if method is Method.GROUP_SEQUENTIAL else ()),
    )
    return Setting(design, populations, {"ordered": 0.12}, lambda day: 500.0 * day, 500.0, window=7)


def test_the_rule_is_simulated_at_what_the_plans_runtime_brings() -> None:
    """Without an effect nothing stops early, so the mean number of units is that of the end: 500 a day."""
    units = {days: size(share_setting(runtime_days=days)).rule[1].units for days in (14, 28)}
    assert units == {14: 7000, 28: 14000}
    by_looks = size(share_setting(runtime_days=14, method=Method.GROUP_SEQUENTIAL))
    assert by_looks.rule[1].units == 3500  # planned looks count units whose week is over
    own = size(share_setting(runtime_days=None))
    assert own.rule[1].units == by_method(own, Method.ANYTIME).maximum


def test_a_guardrail_that_never_moved_is_left_out_of_the_sample_and_said() -> None:
    found = size(share_setting(runtime_days=14, errors=0.0))
    assert "failed" not in found.by_metric
    assert any("failed is the same for every unit" in note for note in found.notes)
