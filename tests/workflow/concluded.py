"""Results of the real engine on drawn units with a known truth, and the facts of steps 3 and 14 around them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from tests.experiments.simulated import SEAL, cells, design, key, measurement

from paribus.experiments.analysis import infer
from paribus.experiments.plan import Plan
from paribus.experiments.result import Novelty, NoveltyPoint, Result
from paribus.metrics.cells import CellKey
from paribus.metrics.definition import Metric, MetricType, Role
from paribus.stats.estimate import Estimate
from paribus.workflow import Measured
from paribus.workflow.facts.conclude import AnalyzeFacts, Effect
from paribus.workflow.facts.design import DesignFacts

SUCCESS = "order_completed"
ARMS = ("control", "treatment")
END = datetime(2026, 3, 30, tzinfo=UTC)


_DRAWN: dict[str, Result] = {}


def result(**given: Any) -> Result:
    """What `drawn` gives, drawn once in a process: results are frozen."""
    key = repr(sorted(given.items()))
    if key not in _DRAWN:
        _DRAWN[key] = drawn(**given)
    return _DRAWN[key]


def drawn(
    *,
    n: int = 20_000,
    base: float = 0.3,
    lift: float = 0.0,
    lifts: dict[str, tuple[str, float, float]] | None = None,
    errors: tuple[float, float] = (0.02, 0.02),
    steps: tuple[float, float] | None = None,
    plan: Plan | None = None,
    segments: Sequence[str] = ("device",),
    registered: bool = True,
    seed: int = 1,
    interference: str = "none because carts are not shared",
) -> Result:
    """A fixed-horizon experiment, `n` units an arm.

    Args:
        n: units an arm.
        base: success rate of control.
        lift: relative effect on everyone.
        lifts: by level of `device`: (its name, its share of the units, its own relative effect), instead of `lift`.
        errors: error rate of control and treatment.
        steps: share that submits a payment, of control and treatment; a funnel step before success.
        plan: instead of a fixed plan.
        segments: attributes shown.
        registered: whether the plan was sealed.
        seed: of the draws.
        interference: the plan's answer.
    """
    rng = np.random.default_rng(seed)
    groups = lifts or {"mobile": ("mobile", 0.5, lift), "desktop": ("desktop", 0.5, lift)}
    metrics = [
        Metric(SUCCESS, MetricType.PROPORTION),
        Metric("error_shown", MetricType.PROPORTION, Role.GUARDRAIL, "decrease", margin=0.01, margin_absolute=True),
    ]
    if steps:
        metrics.append(Metric("reached_payment_submitted", MetricType.PROPORTION, Role.SECONDARY))
    rows: dict[str, dict[CellKey, Any]] = {metric.name: {} for metric in metrics}
    for a, arm in enumerate(ARMS):
        whole: dict[str, list[Any]] = {metric.name: [] for metric in metrics}
        for name, share, own in groups.values():
            count = round(n * share)
            reached = rng.random(count) < (steps[a] if steps else 1.0)
            rate = base * (1 + own * a) / (steps[a] if steps else 1.0)
            values = {
                SUCCESS: (reached & (rng.random(count) < rate)).astype(float),
                "error_shown": (rng.random(count) < errors[a]).astype(float),
                "reached_payment_submitted": reached.astype(float),
            }
            for metric in metrics:
                whole[metric.name].append(values[metric.name])
                rows[metric.name][key(arm, attribute="device", level=name)] = values[metric.name][:, None]
        for metric in metrics:
            rows[metric.name][key(arm)] = np.concatenate(whole[metric.name])[:, None]
    made = design(
        *metrics,
        plan=plan or Plan(smallest_worthwhile={SUCCESS: 0.02}),
        segments=tuple(segments),
        interference=interference,
    )
    drawn_cells = [cells(metric.name, ["y"], rows[metric.name]) for metric in metrics]
    return infer(made, measurement(*drawn_cells), registered=SEAL if registered else None, as_of=END)


def analyzed(of: Result, **changes: Any) -> AnalyzeFacts:
    """The facts of step 14 around a result."""
    hidden = any(check.severity == "blocking" and check.status == "failed" for check in of.checks)
    given: dict[str, Any] = {
        "verdict": of.verdict.value.value,
        "rule": of.verdict.rule,
        "sentence": of.verdict.sentence,
        "effects": ()
        if hidden
        else tuple(
            Effect(
                metric=c.metric,
                role=c.role.value,
                arm=c.treatment.variant,
                relative=_measured(c.relative),
                absolute=_measured(c.absolute),
                conclusion=c.conclusion,
                evidence="result",
            )
            for c in of.comparisons
        ),
        "hidden": hidden,
        "units": of.units,
        "checks": (),
        "decided_at": END.isoformat(),
        "planned_end": (END + timedelta(days=1)).isoformat(),
        "result": {k: v for k, v in of.to_dict().items() if k != "seconds"},
    }
    return AnalyzeFacts(**{**given, **changes})


def designed(**changes: Any) -> DesignFacts:
    """The facts of step 3."""
    one = Measured(value=1.0, evidence="plan")
    given: dict[str, Any] = {
        "experiment": "one-click-checkout",
        "flag": "one-click-checkout",
        "document": {"plan": {}},
        "plan_hash": "0" * 64,
        "units_per_arm": one,
        "runtime_days": one,
        "minimum_detectable_effect": one,
        "chosen_method": "fixed",
        "why": "it is",
        "methods": (),
        "interference": "none because carts are not shared",
        "entry_event": "checkout_started",
        "arrivals_per_day": Measured(value=100.0, evidence="history"),
    }
    return DesignFacts(**{**given, **changes})


def novelty(values: Sequence[float], se: float = 0.004, metric: str = "order_completed_count") -> Novelty:
    """A view by days since exposure with these effects at 1, 2, 3, 7, 14, 28 days."""
    days = (1, 2, 3, 7, 14, 28)[: len(values)]
    points = tuple(NoveltyPoint(d, _estimate(v, se)) for d, v in zip(days, values, strict=True))
    return Novelty(metric, "treatment", 40_000, points, _estimate(values[-1] - values[0], 2 * se), "by days.")


def _estimate(value: float, se: float) -> Estimate:
    z = 1.959963984540054
    return Estimate(value, se, value - z * se, value + z * se, 0.5, float("inf"), 0.95, "two-sided", "z")


def _measured(quantity: Any) -> Measured:
    if not isinstance(quantity, Estimate):
        return Measured(value=None, evidence="result")
    return Measured(
        value=quantity.value, low=quantity.lower, high=quantity.upper, level=quantity.level, evidence="result"
    )
