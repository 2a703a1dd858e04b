"""Information and the achieved detectable effect, against the textbook and simulated readings of the same rule."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from tests.experiments.simulated import MEAN, SEAL, START, daily, design, two_arms
from tests.experiments.test_result_readings import ANYTIME, GROUP_SEQUENTIAL, exact

from paribus.experiments.analysis import infer
from paribus.experiments.plan import Method, Plan, Prior
from paribus.experiments.power_reached import Reached, reached
from paribus.experiments.report import text
from paribus.metrics.definition import Metric, MetricType, Role

Z, POWER = 1.959964, 0.841621


def test_a_fixed_plan_s_is_the_textbook_s() -> None:
    n = 4000
    plan = Plan(planned_units=10_000)
    (found,) = reached(infer(design(MEAN, plan=plan), two_arms("revenue", ["y"], *exact(0.3, n)), registered=SEAL))
    assert (found.units, found.planned_units, found.information) == (8000, 10_000, 0.8)
    assert found.detectable == pytest.approx((Z + POWER) * math.sqrt(2 / n) / 10, rel=1e-3)
    assert found.sentence == (
        "revenue: 8,000 of 10,000 planned units (80.0% of the information); a true effect of ±0.627% would be shown "
        "now with 80% power."
    )


def test_without_planned_units_only_the_effect_is_told() -> None:
    (found,) = reached(infer(design(MEAN), two_arms("revenue", ["y"], *exact(0.3)), registered=SEAL))
    assert (found.planned_units, found.information) == (None, None)
    assert found.sentence.startswith("revenue: 8,000 units; a true effect of")


def test_planned_units_are_those_of_the_two_arms() -> None:
    result = infer(
        design(MEAN, plan=Plan(planned_units=9_000)), two_arms("revenue", ["y"], *exact(0.3)), registered=SEAL
    )
    third = {**result.plan["variants"][0], "name": "other"}
    (found,) = reached(replace(result, plan={**result.plan, "variants": [*result.plan["variants"], third]}))
    assert found.planned_units == 6_000


def test_of_several_arms_each_is_named() -> None:
    result = infer(design(MEAN), two_arms("revenue", ["y"], *exact(0.3)), registered=SEAL)
    (one,) = result.comparisons
    other = replace(one, treatment=replace(one.treatment, variant="other"))
    found = reached(replace(result, comparisons=(one, other)))
    assert [each.sentence.partition(":")[0] for each in found] == ["revenue in treatment", "revenue in other"]


def test_only_success_metrics_and_nothing_while_effects_are_hidden() -> None:
    guard = Metric("revenue", MetricType.MEAN, role=Role.GUARDRAIL, margin=0.1)
    assert reached(infer(design(guard), two_arms("revenue", ["y"], *exact(0.3)), registered=SEAL)) == ()
    lopsided = two_arms("revenue", ["y"], exact(0.3, 4000)[0], exact(0.3, 2000)[1])
    assert reached(infer(design(MEAN), lopsided, registered=SEAL)) == ()


def test_a_sequence_needs_a_larger_effect_than_a_fixed_test_on_the_same_data() -> None:
    made = daily(np.random.default_rng(5), 14, 100)
    sizes = []
    for plan in (Plan(start=START, runtime_days=14), GROUP_SEQUENTIAL, ANYTIME):
        result = infer(design(MEAN, plan=plan), made, registered=SEAL, as_of=START + timedelta(days=14))
        sizes.append(reached(result)[0].detectable)
    assert sizes[0] < sizes[1] < sizes[2]  # type: ignore[operator]


@pytest.mark.parametrize("threshold", [None, 0.0004])
@pytest.mark.parametrize("direction", ["increase", "decrease"])
def test_a_bayesian_plan_decides_for_its_detectable_effect_as_often_as_its_power_says(
    threshold: float | None, direction: str
) -> None:
    n, sign = 4000, 1.0 if direction == "increase" else -1.0
    plan = Plan(method=Method.BAYESIAN, priors={"revenue": Prior(0.0, 0.02)}, loss_threshold=threshold)
    metric = replace(MEAN, direction=direction)  # type: ignore[arg-type]
    made = design(metric, plan=plan)
    result = infer(made, two_arms("revenue", ["y"], *exact(0.3, n)), registered=SEAL)
    (found,) = reached(result)
    assert found.detectable is not None
    rng = np.random.default_rng(3)
    hits, size = 0, 400
    for _ in range(size):
        z = sign * found.detectable * 10 / math.sqrt(2 / n) + rng.normal()
        again = infer(made, two_arms("revenue", ["y"], *exact(z, n)), registered=SEAL)
        hits += again.comparisons[0].conclusion == "better"
    assert hits / size == pytest.approx(0.8, abs=3.3 * math.sqrt(0.16 / size))


def test_the_report_says_it() -> None:
    result = infer(
        design(MEAN, plan=Plan(planned_units=10_000)), two_arms("revenue", ["y"], *exact(0.3)), registered=SEAL
    )
    from paribus.experiments.report.document import full
    from paribus.experiments.report.lines import plain
    from paribus.experiments.report.page import page

    told = " ".join(plain(full(result, 200)).split())
    assert "80.0% of the information" in told
    assert "80.0% of the information" in page(result)
    assert text(result)


# ── what a new plan would need ───────────────────────────────────────────────────────────────────────────────────────


def ended(plan: Plan, z: float = 1.0, n: int = 4000) -> Reached:
    """A plan that is over, whose smallest worthwhile effect is 0.3% of a mean of 10, with this z statistic."""
    worth = replace(plan, smallest_worthwhile={"revenue": 0.003}, planned_units=2 * n)
    (found,) = reached(infer(design(MEAN, plan=worth), two_arms("revenue", ["y"], *exact(z, n)), registered=SEAL))
    return found


def test_an_open_end_tells_what_a_new_plan_needs_and_never_to_go_on() -> None:
    found = ended(Plan())
    # R: power.t.test(delta = .03, sd = 1, power = .8) gives n = 17443.3 per arm
    assert found.needed_units == pytest.approx(2 * 17443.3, rel=1e-3)
    assert found.sentence.endswith(
        f"To show ±0.300% a new plan, sealed before its own data, needs {found.needed_units:,} units."
    )


def test_what_decided_or_would_have_needs_nothing() -> None:
    assert ended(Plan(), z=4.0).needed_units is None
    assert ended(Plan(), n=40_000).needed_units is None  # ended equivalent, or with room to spare
    assert ended(GROUP_SEQUENTIAL).needed_units is None
    (unplanned,) = reached(infer(design(MEAN), two_arms("revenue", ["y"], *exact(1.0)), registered=SEAL))
    assert unplanned.needed_units is None


def test_under_a_prior_the_new_plan_decides_with_its_power() -> None:
    """The chance that the credible interval leaves zero at the effect, from the normal distribution by hand."""
    prior_sd = 0.004
    found = ended(Plan(method=Method.BAYESIAN, priors={"revenue": Prior(0.0, prior_sd)}))
    assert found.needed_units is not None
    variance = 2 / (found.needed_units / 2) / 100
    # The posterior mean is the estimate times w; its interval leaves zero beyond z sqrt(w variance).
    w = prior_sd**2 / (prior_sd**2 + variance)
    least = Z * math.sqrt(w * variance) / w
    power = 0.5 * math.erfc((least - 0.003) / math.sqrt(2 * variance))
    assert power == pytest.approx(0.8, abs=1e-3)


@pytest.mark.parametrize("metrics", [1, 2])
def test_an_anytime_plan_s_new_units_show_the_effect_with_its_power(metrics: int) -> None:
    """The sequence of Waudby-Smith et al. 2021 (eq. 14) at the units told, by its formula written out here."""
    names = ["revenue", "visits"][:metrics]
    plan = replace(ANYTIME, smallest_worthwhile={"revenue": 0.02})
    made = daily(np.random.default_rng(5), 14, 100)
    cells = made.cells["revenue"]
    both = replace(made, cells={name: replace(cells, metric=name) for name in names})
    result = infer(
        design(*(replace(MEAN, name=name) for name in names), plan=plan),
        both,
        registered=SEAL,
        as_of=START + timedelta(days=14),
    )
    assert result.verdict.value == "iterate"
    found = reached(result)[0]
    assert found.needed_units is not None
    estimate = result.comparisons[0].absolute
    se_now = estimate.se / result.comparisons[0].control.value  # type: ignore[union-attr]  # determined
    n, alpha = found.needed_units, 0.05 / metrics
    se = se_now * math.sqrt(found.units / n)
    # Tuned at 2,800 units for the plan's level, and one mixture for all levels.
    rho = math.sqrt((-2 * math.log(0.05) + math.log(-2 * math.log(0.05) + 1)) / 2800)
    scaled = n * rho**2
    radius = se * math.sqrt((scaled + 1) / scaled * (2 * math.log(1 / alpha) + math.log(scaled + 1)))
    power = 0.5 * math.erfc((radius - 0.02) / (se * math.sqrt(2)))
    assert power == pytest.approx(0.8, abs=2e-3)
