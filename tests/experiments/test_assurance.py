"""The chance to win at all, against published values, quadrature and draws; and what daily looks do to a fixed plan."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import integrate, stats
from tests.experiments.test_sizing import MEAN, SHARE, TABLE, reader, share_setting, table
from typer.testing import CliRunner

import paribus as pb
from paribus.cli import app
from paribus.errors import InputError
from paribus.experiments import sizing
from paribus.experiments.assurance import assured, belief
from paribus.experiments.plan import Method, Plan, Prior
from paribus.experiments.sizes import size

LOOKS = np.array([0.25, 0.5, 0.75, 1.0])
DATA = Path(__file__).parent.parent / "oracles" / "data"


@pytest.fixture(autouse=True)
def _few_replications(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("paribus.experiments.operating.REPLICATIONS", 10)


def case(file: str, key: str) -> dict[str, dict[str, float]]:
    cases = json.loads((DATA / file).read_text())["cases"]
    return next(each for each in cases if each["id"] == key)


def test_a_fixed_horizon_is_the_published_closed_form() -> None:
    """O'Hagan, Stevens, Campbell 2005: a relative standard error of .02 is that of 5,000 units with sd 10 around 10."""
    known = case("power.json", "power/assurance-1")
    prior = Prior(known["inputs"]["prior_mean"], known["inputs"]["prior_sd"])
    found = assured(reader(Method.FIXED), MEAN, 10_000, prior, units=10_000)
    assert found.closed_form == pytest.approx(known["expected"]["assurance"], rel=1e-9)
    assert found.limit == pytest.approx(stats.norm.cdf(0.5))

    def weighed(effect: float) -> float:
        power = stats.nct.sf(stats.t.ppf(0.975, 9998), 9998, effect / 0.02)
        return float(power * stats.norm.pdf(effect, prior.mean, prior.sd))

    want = integrate.quad(weighed, -0.15, 0.17, epsabs=1e-12)[0]
    assert found.expected_power == pytest.approx(want, abs=1e-6)


def test_a_share_wins_as_often_as_drawn_tables_do() -> None:
    """Pooled z of binomial tables whose true share is drawn from the prior."""
    draw, n, prior = np.random.default_rng(1), 2000, Prior(0.05, 0.1)
    truth = 0.2 * (1 + draw.normal(prior.mean, prior.sd, 400_000))
    a, b = draw.binomial(n, 0.2, truth.size) / n, draw.binomial(n, truth) / n
    pooled = (a + b) / 2
    z = (b - a) / np.sqrt(pooled * (1 - pooled) * 2 / n)
    found = assured(reader(Method.FIXED), SHARE, 2 * n, prior, units=2 * n)
    assert found.expected_power == pytest.approx((z >= 1.959964).mean(), abs=0.004)


@pytest.mark.parametrize("method", [Method.GROUP_SEQUENTIAL, Method.BAYESIAN])
def test_looks_win_as_often_as_drawn_walks_do(method: Method) -> None:
    draw, prior, paths = np.random.default_rng(2), Prior(0.01, 0.03), 200_000
    own = reader(method, loss_threshold=0.002) if method is Method.BAYESIAN else reader(method)
    se = math.sqrt(2 * 100 / 8000) / 10 / np.sqrt(LOOKS)
    truth = draw.normal(prior.mean, prior.sd, paths)[:, None]
    walk = np.cumsum(draw.normal(0, 0.5, (paths, 4)), axis=1) / np.sqrt(LOOKS)
    estimate = truth + walk * se
    if method is Method.GROUP_SEQUENTIAL:
        known = case("group_sequential.json", "group_sequential/asOF-K4-a0.05-2s")["expected"]["critical_values"]
        up, down = estimate / se >= np.array(known), estimate / se <= -np.array(known)
    else:
        variance = 1 / (1 / 0.3**2 + 1 / se**2)
        u = estimate * variance / se**2 / np.sqrt(variance)
        up = np.sqrt(variance) * (stats.norm.pdf(u) - u * stats.norm.sf(u)) <= 0.002
        down = stats.norm.cdf(-u) >= 0.975
    first = np.where((up | down).any(axis=1), (up | down).argmax(axis=1), 3)
    wins = up[np.arange(paths), first].mean()
    found = assured(own, MEAN, 16_000, prior, units=16_000)
    assert found.expected_power == pytest.approx(wins, abs=0.004)


def test_a_falling_metric_wins_by_falling() -> None:
    up = assured(reader(Method.ANYTIME), MEAN, 10_000, Prior(0.02, 0.02), units=1)
    down = assured(reader(Method.ANYTIME), replace(MEAN, upward=False), 10_000, Prior(-0.02, 0.02), units=1)
    assert (down.expected_power, down.limit) == (up.expected_power, up.limit)
    assert up.expected_power < up.closed_form  # a sequence reaches less far than a single test


@pytest.mark.parametrize("comparison", [MEAN, SHARE])
def test_a_certain_effect_has_the_power_of_the_plan(comparison: object) -> None:
    c = MEAN if comparison is MEAN else SHARE
    for method in Method:
        own = reader(method, loss_threshold=0.002) if method is Method.BAYESIAN else reader(method)
        found = assured(own, c, own.total(c), Prior(c.distance / c.baseline, 1e-6), units=1)
        assert found.expected_power == pytest.approx(0.8, abs=1e-4)


def test_what_is_stated_changes_no_size_and_is_told() -> None:
    without = sizing.from_numbers(baseline=40, sd=85, mde=0.05)
    told = sizing.from_numbers(baseline=40, sd=85, mde=0.05, prior=(0.0, 0.03))
    assert without.sizes == told.sizes
    assert without.assurance is None
    assert told.assurance is not None
    assert told.assurance.units == told.chosen.maximum
    assert "(mean 0%, sd 3%; stated)" in " ".join(told.text().split())
    assert told.to_dict()["assurance"]["prior"]["sd"] == 0.03
    assert all(len(line) <= 80 for line in told.text().splitlines())


def test_the_plans_own_prior_is_taken_and_can_be_replaced(tmp_path: Path) -> None:
    sealed = "priors: {revenue: {mean: 1%, sd: 2%, origin: 31 experiments}}, smallest_worthwhile"
    path = table(tmp_path, text=TABLE.replace("smallest_worthwhile", sealed))
    own, other = pb.design(path), pb.design(path, prior=(0.0, 0.02))
    assert own.assurance is not None
    assert other.assurance is not None
    assert "31 experiments" in own.assurance.sentence("revenue")
    assert other.assurance.limit == 0.5
    assert other.assurance.expected_power < own.assurance.expected_power
    assert own.sizes == other.sizes


@pytest.mark.parametrize(
    ("prior", "says"),
    [((0.0, 0.0), "positive"), ((0.0, -0.1), "positive"), ((3.0, 0.1), "0.03 or 3%"), ((0.0, math.inf), "positive")],
)
def test_beliefs_that_cannot_be_meant_teach(prior: tuple[float, float], says: str) -> None:
    with pytest.raises(InputError) as raised:
        belief(prior)
    assert says in str(raised.value)


def test_the_command_takes_a_prior() -> None:
    command = ["design", "--baseline", "12%", "--mde", "3%", "--daily-units", "4000"]
    told = json.loads(CliRunner().invoke(app, [*command, "--prior", "1%, 2%", "--json"]).stdout)
    assert told["assurance"]["prior"] == {"mean": 0.01, "sd": 0.02, "origin": "stated"}
    assert told["peeking"]["looks"] == 70
    wrong = CliRunner().invoke(app, [*command, "--prior", "1%"])
    assert wrong.exit_code == 2
    assert "0%,3%" in wrong.stderr


# ── a fixed plan that is read every day ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("looks", "error"), [(5, 0.142), (10, 0.193), (20, 0.248), (50, 0.320)])
def test_daily_looks_err_as_published(looks: int, error: float) -> None:
    """Armitage, McPherson, Rowe 1969, table 2: units mature on so many days."""
    setting = share_setting(runtime_days=None, method=Method.FIXED)
    arrivals = 4200 / looks  # 4,164 units are asked for
    window = -looks % 7
    found = size(replace(setting, arrivals=lambda day: arrivals * day, window=window), replications=0)
    assert found.peeking is not None
    assert found.peeking.looks == looks
    assert found.peeking.error == pytest.approx(error, abs=0.0006)


def test_only_a_fixed_plan_with_a_calendar_can_be_peeked_at() -> None:
    assert sizing.from_numbers(baseline=0.12, mde=0.03).peeking is None
    assert size(share_setting(runtime_days=14), replications=0).peeking is None
    told = sizing.from_numbers(baseline=0.12, mde=0.03, daily_units=4000, plan=Plan(confidence_level=0.9))
    assert "the first p < 0.1 would" in " ".join(told.text().split())
