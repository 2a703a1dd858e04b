"""What a design does on the user's own history: its error, its power, its smallest detectable effect.

The metrics are measured by the statements of a real analysis, once, with cells by random buckets of units; then units
are re-randomized (`rerandomization`). Without effect the plan's test should reject at its level (A/A, Kohavi, Tang, Xu
2020, ch. 19); with an effect multiplied into one arm, how often it is found is the power.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from paribus.errors import InputError, PlanError
from paribus.experiments.certificate import Certificate, MetricCertificate, Power
from paribus.experiments.document import Document
from paribus.experiments.effects import rule_of
from paribus.experiments.history import in_one_arm
from paribus.experiments.layout import Batch, Grid, is_share
from paribus.experiments.plan import Design, Kind, Method
from paribus.experiments.reading import Look
from paribus.experiments.rerandomization import SIDE, Replays, arms_of, assignments, bucket_error, by_bucket
from paribus.metrics.cells import Cells
from paribus.metrics.definition import Covariate, DataModel, Metric, MetricType, Role
from paribus.metrics.measure import measure
from paribus.stats.arm import outcome
from paribus.stats.domain import domain_of
from paribus.warehouse.engine import Engine
from paribus.warehouse.one_arm import ALL, OneArm

__all__ = ["Certificate", "certify"]

MIN_UNITS = 200
WINDOWS = (7, 14, 28)  # days before exposure that a CUPED covariate may span
EFFECTS = (0.01, 0.02, 0.05)  # injected where the plan states no smallest worthwhile effect
_FOR_WINDOWS = 100  # re-randomizations that compare the windows
_WITH_WINDOWS = {MetricType.MEAN, MetricType.PROPORTION, MetricType.COUNT, MetricType.RATIO}

Progress = Callable[[float, str], None]


def certify(
    document: Document,
    engine: Engine,
    *,
    replications: int = 1000,
    seed: int = 0,
    windows: Sequence[int] = WINDOWS,
    progress: Progress | None = None,
) -> Certificate:
    """Re-randomizes the history that a document points at and says how its design fares on it.

    All rows count, whatever the plan's start and end; the variants that the history may have are pooled.

    Args:
        document: the experiment; its relations hold the history, a variant column is not needed.
        engine: what answers queries about them.
        replications: re-randomizations.
        seed: of the re-randomization; the buckets are always the same.
        windows: days before exposure to try for covariates, each measured anew; none are tried without any.
        progress: called with the share done and a word.

    Raises:
        InputError: fewer than 200 units, fewer than 100 replications, or data that cannot be read.
        PlanError: the design randomizes clusters, or the engine cannot draw buckets.
        EngineError: the engine failed.
    """
    tell = progress or (lambda share, word: None)
    design = document.design
    _checked(document, replications)
    control, treatment, weights = _comparison(design)
    bucketed, model = in_one_arm(document.data, engine, side=SIDE)
    tell(0.0, "measuring")
    cells, units = _measured(bucketed, model, design.metrics, design)
    if units < MIN_UNITS:
        raise InputError(
            f"the history has {units:,} units",
            where=document.position("data"),
            rule=f"re-randomization needs at least {MIN_UNITS}",
            fix="point the file at a longer history",
        )
    assigned = assignments(weights, replications, seed)
    gains = _windows(bucketed, model, design, assigned[:_FOR_WINDOWS], windows, tell)
    found = []
    for i, metric in enumerate(design.metrics):
        tell(0.4 + 0.6 * i / len(design.metrics), metric.name)
        found.append(_metric(metric, design, cells.get(metric.name), assigned, weights, gains.get(metric.name)))
    tell(1.0, "done")
    return Certificate(
        experiment=design.key,
        units=units,
        replications=replications,
        buckets=SIDE**2,
        seed=seed,
        comparison=(control, treatment),
        method=design.plan.method.value,
        metrics=tuple(found),
        notes=_notes(design, document.data, bucketed),
    )


def _checked(document: Document, replications: int) -> None:
    if document.design.kind is Kind.CLUSTER:
        raise PlanError(
            "the design randomizes clusters, and certification re-randomizes units",
            where=document.position("kind"),
            rule="units that are randomized together cannot be split singly",
        )
    if replications < 100:
        raise InputError(
            f"{replications} replications", where="replications", rule="at least 100 tell an error rate from noise"
        )


def _comparison(design: Design) -> tuple[str, str, tuple[float, ...]]:
    """Control, the first treatment, and the weights of control, that treatment and all other arms together."""
    weight = {variant.name: variant.weight for variant in design.variants}
    treatment = next(name for name in weight if name != design.control)
    others = sum(weight.values()) - weight[design.control] - weight[treatment]
    return design.control, treatment, (weight[design.control], weight[treatment], max(others, 0.0))


def _measured(
    bucketed: OneArm, model: DataModel, metrics: tuple[Metric, ...], design: Design
) -> tuple[dict[str, Cells], int]:
    """Cells by bucket of the metrics that have moments, and the number of units."""
    own = tuple(metric for metric in metrics if metric.type is not MetricType.QUANTILE)
    if not own:
        raise InputError(
            "no metric can be certified", where="metrics", rule="a quantile has no moments to re-randomize"
        )
    found = measure(bucketed, model, own, [ALL], tolerance=design.tolerance_seconds)
    return found.cells, sum(found.counts.units.values())


def _windows(
    bucketed: OneArm,
    model: DataModel,
    design: Design,
    assigned: NDArray[np.int8],
    tried: Sequence[int],
    tell: Progress,
) -> dict[str, dict[int, float | None]]:
    """Variance reduction by window and metric: the same statements with one covariate of that many days."""
    if model.exposures is None or not design.plan.cuped:
        return {}
    own = tuple(metric for metric in design.metrics if metric.type in _WITH_WINDOWS)
    out: dict[str, dict[int, float | None]] = {metric.name: {} for metric in own}
    for i, days in enumerate(tried if own else ()):
        tell(0.1 + 0.1 * i, f"covariates of {days} days")
        asked = tuple(replace(metric, covariates=(Covariate(days=days),)) for metric in own)
        cells, _ = _measured(bucketed, model, asked, design)
        for metric in asked:
            gain = _replays(metric, design, cells[metric.name], assigned).variance_reduction
            out[metric.name][days] = max(gain, 0.0) if np.isfinite(gain) else None
    return out


def _replays(metric: Metric, design: Design, cells: Cells, assigned: NDArray[np.int8]) -> Replays:
    batch = Batch((metric,), Grid.of((), ()), cells.moments, ())
    covariates = tuple(batch.covariates) if design.plan.cuped else ()
    control, treatment = arms_of(by_bucket(cells), assigned)
    looks = len(design.plan.looks) or 1
    boundary = rule_of(design.plan, Look(looks, None, True))(design.plan.confidence_level)
    share = is_share(metric) and not covariates and design.plan.method is Method.FIXED
    return Replays(control, treatment, batch.outcome, covariates, boundary, share)


def _metric(
    metric: Metric,
    design: Design,
    cells: Cells | None,
    assigned: NDArray[np.int8],
    weights: tuple[float, ...],
    by_window: Mapping[int, float | None] | None,
) -> MetricCertificate:
    if cells is None:
        return MetricCertificate(metric.name, "", 0, refusal="A quantile has no moments: it is not certified.")
    pooled = by_bucket(cells).total()
    units = int(pooled.n)
    if units < MIN_UNITS:
        return MetricCertificate(
            metric.name, "", units, refusal=f"Only {units:,} units have a value: at least {MIN_UNITS} are needed."
        )
    replays = _replays(metric, design, cells, assigned)
    whole = outcome(pooled, replays.what)
    if not (np.isfinite(whole.value) and whole.var > 0):
        return MetricCertificate(
            metric.name, "", units, refusal="The metric does not vary over the history: there is nothing to test."
        )
    without = ""
    if not np.isfinite(replays.variance_reduction):
        replays = replace(replays, covariates=())
        without = "The plan's covariates have no data before exposure here: the test is certified without them."
    plan = design.plan
    alpha = 1 - plan.confidence_level
    r = len(assigned)
    type_i = float(np.mean(replays.rejected()[0]))
    sign = 1.0 if metric.direction == "increase" else -1.0
    stated = plan.smallest_worthwhile.get(metric.name)
    power = []
    for effect in (stated,) if stated else EFFECTS:
        p = replays.power(sign * abs(effect))
        power.append(Power(sign * abs(effect), p, float(np.sqrt(p * (1 - p) / r))))
    filled = int(np.count_nonzero(by_bucket(cells).n))
    return MetricCertificate(
        metric=metric.name,
        test=_test_name(replays),
        units=units,
        baseline=float(whole.value),
        alpha=alpha,
        type_i_error=type_i,
        error=float(np.hypot(np.sqrt(alpha * (1 - alpha) / r), bucket_error(alpha, filled))),
        power=tuple(power),
        target_power=plan.power,
        detectable=replays.detectable(plan.power, sign) if whole.value != 0 else None,
        variance_reduction=max(replays.variance_reduction, 0.0),
        by_window=by_window,
        without_covariates=without,
        skewness=float(whole.skewness) if np.isfinite(whole.skewness) else None,
        safe_units=None if replays.share else _safe_units(replays, float(whole.skewness), weights, metric.role),
    )


def _test_name(replays: Replays) -> str:
    if replays.share:
        return "score test of two proportions"
    name = "delta method" if isinstance(replays.what, tuple) else "Welch"
    return f"{name}, CUPED, {replays.boundary.method}" if replays.covariates else f"{name}, {replays.boundary.method}"


def _safe_units(replays: Replays, skewness: float, weights: tuple[float, ...], role: Role) -> int | None:
    """Units in both arms from which the test's validity domain (`stats.domain`) admits that skewness."""
    if not np.isfinite(skewness):
        return None
    method = "ratio" if isinstance(replays.what, tuple) else ("cuped" if replays.covariates else "welch")
    domain = domain_of(method)
    limit = domain.max_asymmetry_one_sided if role is Role.GUARDRAIL else domain.max_asymmetry
    share = min(weights[:2]) / sum(weights[:2])

    def admitted(total: int) -> bool:
        small, large = total * share, total * (1 - share)
        lean = (1 / small - 1 / large) / np.sqrt(1 / small + 1 / large)
        allowed = float(domain.max_skewness(np.asarray(small), np.asarray(float(total))))
        return bool(small >= domain.min_units and abs(skewness) <= allowed and abs(skewness * lean) <= limit)

    high = 2
    while not admitted(high):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if admitted(middle) else (middle, high)
    return high


def _notes(design: Design, data: DataModel, bucketed: OneArm) -> tuple[str, ...]:
    notes = [
        f"Units are drawn into arms by {SIDE**2:,} random buckets; the standard errors of the type I errors count "
        "what that adds to drawing them singly.",
    ]
    if len(design.variants) > 2:
        notes.append("Only the first treatment is compared with control; the other arms keep their share of the units.")
    if design.plan.method is not Method.FIXED:
        notes.append(
            f"The {design.plan.method.value.replace('_', ' ')} plan is read once here, at its end. Earlier looks spend "
            "their own part of the error, and what they find comes on top of the power shown"
            + (
                "; stopping for futility, which is not replayed, takes some of it away."
                if design.plan.futility != "none"
                else "."
            )
        )
    named = data.units or data.exposures
    if named is not None and (named.stratum or named.epoch):
        notes.append(
            "Strata and epochs of the history are set aside: what is certified is the test without them, whose "
            "variance is at least that of the stratified one."
        )
    if design.plan.correction != "none" and len(design.metrics) > 1:
        notes.append("Each metric is tested at the plan's own level, before the correction for several comparisons.")
    return (*notes, *dict.fromkeys(bucketed.notes))
