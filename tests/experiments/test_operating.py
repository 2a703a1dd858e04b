"""The simulated rates of the whole decision rule, against closed forms, published boundaries and simulations made here.

Tolerances are four standard errors of the simulation under test: with some twenty rates, one false alarm in a thousand
runs, and none at the fixed seeds.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from tests.experiments.simulated import design

from paribus.experiments.analysis import infer, verdicts
from paribus.experiments.operating import START, Characteristics, Rate, Truth, characteristics, truths_of
from paribus.experiments.plan import Design, Kind, Method, Plan, Seal
from paribus.experiments.population import Population
from paribus.metrics.cells import CellKey, Cells, Counts, Measurement
from paribus.metrics.definition import Metric, MetricType, Role
from paribus.stats.moments import Moments

Z = stats.norm.ppf
REVENUE = Metric("revenue", MetricType.MEAN)
VISITS = Metric("visits", MetricType.MEAN, role=Role.GUARDRAIL, margin=0.25, margin_absolute=True)
SEAL = Seal("a", "b", START - timedelta(days=1), None, 0, "sealed before data", {})
PUBLISHED = Path(__file__).parent.parent / "oracles" / "data" / "group_sequential.json"


def population(metric: Metric, mean: float, sd: float) -> Population:
    return Population(metric, ("y",), np.array([mean]), np.array([[sd**2]]))


POPULATIONS = {"revenue": population(REVENUE, 10.0, 5.0), "visits": population(VISITS, 4.0, 2.0)}


def ncp(effect: float, sd: float, per_arm: float) -> float:
    """The expected z of a difference between two arms of equal size."""
    return effect / (sd * float(np.sqrt(2 / per_arm)))


def agrees(rate: Rate, expected: float) -> None:
    error = np.sqrt(max(expected * (1 - expected), 2 / rate.of) / rate.of)
    assert abs(rate.value - expected) < 4 * error, (rate.value, expected, error)


def simulated(made: Design, *truths: Truth, **more: object) -> tuple[Characteristics, ...]:
    return characteristics(made, POPULATIONS, truths, **more)  # type: ignore[arg-type]  # options by name


def worlds(made: Design, effect: float) -> dict[str, Truth]:
    return {truth.name: truth for truth in truths_of(made, {"revenue": effect}, POPULATIONS)}


@pytest.mark.parametrize("method", ["fixed", "anytime", "group_sequential", "bayesian"])
def test_experiments_inferred_together_have_the_verdicts_that_each_has_alone(method: str) -> None:
    made = design(REVENUE, VISITS)
    made = replace(made, plan=replace(made.plan, method=Method(method), start=START, runtime_days=14, looks=(7, 14)))
    measured = [_cells(seed) for seed in range(12)]
    measured[3] = replace(measured[3], counts=replace(measured[3].counts, units={"control": 400, "treatment": 800}))
    now = START + timedelta(days=14)
    together = verdicts(made, measured, registered=SEAL, as_of=now)
    assert together == [infer(made, each, registered=SEAL, as_of=now).verdict for each in measured]
    assert len({verdict.value for verdict in together}) > 1


def _cells(seed: int) -> Measurement:
    """Two metrics of two arms of 600 units a week, one of them moved in some of the seeds."""
    rng = np.random.default_rng(seed)
    places = [(day, arm) for day in (0, 7) for arm in ("control", "treatment")]
    keys = tuple(CellKey(arm, day=(START + timedelta(days=day)).date()) for day, arm in places)
    n = np.full(4, 600.0)
    moved = (seed % 3) * np.array([0.0, 0.7, 0.0, 0.7])

    def cells(name: str, mean: float, sd: float, shift: NDArray[np.float64]) -> Cells:
        y = rng.normal(mean, sd, (4, 600)) + shift[:, None]
        sums = y.sum(1)[:, None], (y**2).sum(1)[:, None, None], (y**3).sum(1)[:, None]
        return Cells(name, keys, Moments.from_shifted_sums(("y",), n, np.zeros(1), *sums))

    by_day = {(None, key.day.isoformat(), key.variant): 600 for key in keys if key.day}
    end = START + timedelta(days=14)
    counts = Counts(2400, {"control": 1200, "treatment": 1200}, by_day=by_day, first_time=START, last_time=end)
    return Measurement(counts, {"revenue": cells("revenue", 10, 5, moved), "visits": cells("visits", 4, 2, 0 * moved)})


# ── a fixed horizon ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_one_success_metric_is_a_two_sided_z_test() -> None:
    """Ships with the power of the upper tail, errs at alpha / 2 on either side; blocked by SRM at .001."""
    made, n = design(REVENUE), 800
    world = worlds(made, 0.05)
    drift = ncp(0.5, 5.0, n / 2)
    planned, none, harm = simulated(made, world["planned"], world["none"], world["harm"], units=n, replications=200)
    agrees(planned.ship, stats.norm.sf(Z(0.975) - drift))
    agrees(planned.roll_back, stats.norm.cdf(-Z(0.975) - drift))
    agrees(none.ship, 0.025)
    agrees(none.roll_back, 0.025)
    agrees(harm.roll_back, stats.norm.sf(Z(0.975) - drift))
    for found in (planned, none, harm):
        agrees(found.invalid, 0.001)
        assert (found.units, found.days) == (n, None)
    assert none.false_ship == none.ship
    assert planned.false_ship.count == 0


def test_a_guardrail_at_its_margin_is_shipped_at_alpha_times_power() -> None:
    """Success and guardrail are drawn independently: ships where one shows power and the other errs at alpha / 2."""
    made, n = design(REVENUE, VISITS), 4000
    world = worlds(made, 0.06)
    margin, planned = simulated(made, world["margin"], world["planned"], units=n, replications=200)
    power = stats.norm.sf(Z(0.975) - ncp(0.6, 5.0, n / 2))
    safe = stats.norm.sf(Z(0.975) - ncp(0.25, 2.0, n / 2))
    agrees(margin.ship, power * 0.025)
    agrees(margin.roll_back, 0.025)
    assert margin.false_ship == margin.ship
    assert margin.false_roll_back is None
    agrees(planned.ship, power * safe)


def test_the_rule_agrees_with_units_drawn_one_by_one() -> None:
    """The rule written here on t tests: every unit is drawn, its arm included; no moments, none of the rule's code."""
    n, paths = 400, 3000
    rng = np.random.default_rng(11)
    made = design(REVENUE, VISITS)
    world = Truth("mixed", "both move", {"revenue": 0.12, "visits": -0.07}, False)
    (found,) = simulated(made, world, units=n, replications=200)
    treated = rng.random((paths, n)) < 0.5
    revenue = rng.normal(10, 5, (paths, n)) + np.where(treated, 1.2, 0.0)
    visits = rng.normal(4, 2, (paths, n)) - np.where(treated, 0.28, 0.0)

    def interval(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        a, b = np.where(treated, np.nan, y), np.where(treated, y, np.nan)
        gap = np.nanmean(b, axis=1) - np.nanmean(a, axis=1)
        counts = treated.sum(axis=1)
        se = np.sqrt(np.nanvar(b, axis=1, ddof=1) / counts + np.nanvar(a, axis=1, ddof=1) / (n - counts))
        return gap - stats.t.ppf(0.975, n - 2) * se, gap + stats.t.ppf(0.975, n - 2) * se

    (low, high), (guard_low, guard_high) = interval(revenue), interval(visits)
    harmed = (guard_high < -0.25) | (high < 0)
    ships = ~harmed & (low > 0) & (guard_low > -0.25)
    for rate, mine in ((found.ship, ships), (found.roll_back, harmed)):
        error = np.hypot(np.sqrt(mine.mean() * (1 - mine.mean()) / paths), rate.se)
        assert abs(rate.value - mine.mean()) < 4 * error


def test_a_share_is_simulated_by_its_counts() -> None:
    """R: power.prop.test(p1 = .2, p2 = .25, power = .8) asks for 1093.739 in each arm."""
    converted = Metric("converted", MetricType.PROPORTION)
    populations = {"converted": Population(converted, ("y",), np.array([0.2]), np.array([[0.16]]))}
    truth = Truth("planned", "", {"converted": 0.25}, True)
    (found,) = characteristics(design(converted), populations, [truth], units=2188, replications=150)
    agrees(found.ship, 0.8)


def test_a_share_of_clusters_has_the_variance_of_clusters() -> None:
    """Twice the variance of single units asks for twice as many; the rule itself is no check of the drawing."""
    converted = Metric("converted", MetricType.PROPORTION)
    shops = Population(converted, ("y",), np.array([0.2]), np.array([[0.16]]), inflation=2.0, clustered=True)
    made = replace(design(converted), kind=Kind.CLUSTER, interference="cluster: shop")
    world = [Truth("planned", "", {"converted": 0.25}, True), Truth("none", "", {}, False)]
    planned, none = characteristics(made, {"converted": shops}, world, units=2 * 2188, replications=300)
    agrees(planned.ship, 0.8)
    agrees(none.ship, 0.025)
    agrees(none.roll_back, 0.025)
    assert none.invalid.count <= 3


# ── looks ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def walk(drift: float, fractions: np.ndarray, paths: int, rng: np.random.Generator) -> np.ndarray:
    """Z statistics at the looks of experiments with expected z `drift` at the end."""
    steps = rng.normal(drift * np.diff(fractions, prepend=0), np.sqrt(np.diff(fractions, prepend=0)), (paths, 4))
    return np.cumsum(steps, axis=1) / np.sqrt(fractions)


def first(stopped: np.ndarray) -> np.ndarray:
    """The look at which each path stops, the last where it never does."""
    return np.where(stopped.any(axis=1), stopped.argmax(axis=1), stopped.shape[1] - 1)


def test_group_sequential_looks_by_the_published_boundary() -> None:
    """Lan-DeMets O'Brien-Fleming type, four looks, two-sided .05: rpact's critical values, a random walk drawn here."""
    cases = {case["id"]: case for case in json.loads(PUBLISHED.read_text())["cases"]}
    critical = np.array(cases["group_sequential/asOF-K4-a0.05-2s"]["expected"]["critical_values"])
    made, n = design(REVENUE, plan=Plan(method=Method.GROUP_SEQUENTIAL)), 1600
    rng, fractions = np.random.default_rng(5), np.arange(1, 5) / 4
    world = worlds(made, 0.08)
    found = simulated(made, world["planned"], world["none"], units=n, looks=(7, 14, 21, 28), replications=60)
    for one, drift in zip(found, (ncp(0.8, 5.0, n / 2), 0.0), strict=True):
        z = walk(drift, fractions, 100_000, rng)
        at = first(np.abs(z) >= critical)
        last = z[np.arange(len(z)), at]
        agrees(one.ship, float(np.mean(last >= critical[at])))
        agrees(one.roll_back, float(np.mean(last <= -critical[at])))
        length = fractions[at]
        assert one.units / n == pytest.approx(length.mean(), abs=4 * length.std() / np.sqrt(one.ship.of) + 1e-9)
        assert one.days == pytest.approx(28 * one.units / n)


def test_bayesian_looks_by_the_posterior_loss() -> None:
    """Normal prior and likelihood (Stucchio 2015): ships where the expected loss is small, a random walk drawn here."""
    made, n = design(REVENUE, plan=Plan(method=Method.BAYESIAN, loss_threshold=0.002)), 1600
    rng, fractions = np.random.default_rng(6), np.arange(1, 5) / 4
    world = worlds(made, 0.05)
    prior_sd = made.plan.priors["revenue"].sd if "revenue" in made.plan.priors else 0.3
    found = simulated(made, world["planned"], world["none"], units=n, looks=(7, 14, 21, 28), replications=60)
    for one, drift in zip(found, (ncp(0.5, 5.0, n / 2), 0.0), strict=True):
        z = walk(drift, fractions, 100_000, rng)
        sd = 5.0 * np.sqrt(2 / (n / 2)) / np.sqrt(fractions) / 10.0
        variance = 1 / (1 / prior_sd**2 + 1 / sd**2)
        mean = z * sd * variance / sd**2
        u = mean / np.sqrt(variance)
        loss = np.sqrt(variance) * stats.norm.pdf(u) - mean * stats.norm.sf(u)
        ships, worse = loss <= 0.002, stats.norm.cdf(-u) >= 0.975
        at = first(ships | worse)
        agrees(one.ship, float(np.mean(ships[np.arange(len(z)), at])))
        agrees(one.roll_back, float(np.mean(worse[np.arange(len(z)), at])))


# ── what is counted ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_another_arm_is_a_false_ship_even_where_the_first_is_right() -> None:
    truth = Truth("planned", "", {"revenue": 0.1}, True)
    found = Characteristics(truth, Rate(70, 100), Rate(3, 100), Rate(2, 100), Rate(0, 100), 1.0, None)
    assert found.false_ship == Rate(3, 100)
    assert found.false_roll_back == Rate(2, 100)
    wrong = Characteristics(Truth("harm", "", {"revenue": -0.1}, False), *[Rate(5, 100)] * 4, 1.0, None)
    assert wrong.false_ship == Rate(10, 100)
    assert wrong.false_roll_back is None


def test_three_arms_err_together_at_the_familys_level() -> None:
    """Holm over two treatments: either is shown better by chance in at most .025 of experiments, whichever it is."""
    made = design(REVENUE, arms=("control", "treatment", "other"))
    (none,) = simulated(made, worlds(made, 0.05)["none"], units=900, replications=200)
    # one of two correlated differences beyond 2.2414 (rho = .5): the first step of Holm
    above = float(1 - stats.multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]]).cdf([Z(0.9875)] * 2))
    agrees(none.false_ship, above)
    assert none.false_ship.count == none.ship.count + none.other.count


def test_the_error_of_a_rate_is_never_zero() -> None:
    """Agresti and Coull 1998: two successes and two failures more."""
    assert Rate(0, 96).se == pytest.approx(np.sqrt(0.02 * 0.98 / 100))
    assert Rate(50, 100).value == 0.5


def test_worlds_point_each_metric_the_wrong_way() -> None:
    slow = Metric("slow", MetricType.MEAN, direction="decrease")
    made = design(slow, VISITS)
    populations = {**POPULATIONS, "slow": population(slow, 100.0, 10.0)}
    found = {truth.name: truth.effects for truth in truths_of(made, {"slow": 0.1}, populations)}
    assert found == {
        "planned": {"slow": -0.1},
        "none": {},
        "margin": {"slow": -0.1, "visits": -0.0625},  # .25 of a mean of 4
        "harm": {"slow": 0.1},
    }


def test_the_same_seed_gives_the_same_rates() -> None:
    made = design(REVENUE)
    truth = worlds(made, 0.05)["planned"]
    one, two, other = (simulated(made, truth, units=800, replications=25, seed=s) for s in (1, 1, 2))
    assert one == two
    assert one != other
