"""From arrays of effects to comparisons: what each one shows, and the numbers as values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paribus.experiments.effects import Panel
from paribus.experiments.family import Family, deterioration_p
from paribus.experiments.layout import Batch
from paribus.experiments.plan import Design
from paribus.experiments.records import records
from paribus.experiments.result import ArmValue, Comparison, Conclusion, Quantity
from paribus.metrics.cells import Measurement
from paribus.metrics.definition import Metric, MetricType, Role
from paribus.stats.estimate import Estimate, Estimates, Floats, Reason, Undetermined
from paribus.stats.metric_power import power_per_metric
from paribus.stats.power import sample_size_non_inferiority

_NONE = {reason: Undetermined(reason) for reason in Reason}


def quantities(e: Estimates) -> list[Quantity]:
    """The cells' results in row-major order, as values."""
    columns = [(name, getattr(e, name).ravel().tolist()) for name in ("value", "se", "lower", "upper", "p_value", "df")]
    found = records(Estimate, e.value.size, columns, level=e.level, alternative=e.alternative, method=e.method)
    if e.determined.all():
        return list(found)
    return [
        one if reason is None else _NONE[reason] for one, reason in zip(found, e.reason.ravel().tolist(), strict=True)
    ]


def arm_values(variants: Sequence[str], panel: Panel, side: int, axis: int = 0) -> list[ArmValue]:
    """One arm's own numbers in row-major order; side 0 is the control, 1 the treatment.

    `variants` names the arm of each place along `axis`.
    """
    arm = (panel.control, panel.treatment)[side]
    shape = panel.absolute.shape
    totals = () if panel.totals is None else panel.totals[2 * side : 2 * side + 2]
    n, *numbers = (np.broadcast_to(a, shape) for a in (arm.n, arm.value, arm.se, *totals))
    along = [1] * len(shape)
    along[axis] = len(variants)
    names = np.broadcast_to(np.asarray(variants, dtype=object).reshape(along), shape).ravel().tolist()
    units = np.rint(n).astype(np.int64).ravel().tolist()
    columns = zip(("value", "se", "numerator", "denominator"), (a.ravel().tolist() for a in numbers), strict=False)
    return records(ArmValue, len(names), [("variant", names), ("units", units), *columns])


def of_whole(design: Design, panel: Panel, family: dict[Role, Family], adjusted: Floats) -> list[Comparison]:
    """The comparisons of a panel's metrics in the whole; `adjusted` p-values have axes (treatment, metric)."""
    treatments = [variant.name for variant in design.variants if variant.name != design.control]
    shape = panel.absolute.shape
    lists = [quantities(e) for e in (panel.absolute, panel.relative, panel.unadjusted)]
    controls = arm_values([design.control] * len(treatments), panel, 0)
    values = arm_values(treatments, panel, 1)
    found = []
    for i, (t, _, m) in enumerate(np.ndindex(*shape)):
        metric = panel.metrics[m]
        absolute, relative, plain = (each[i] for each in lists)
        if metric.type is MetricType.RATIO and np.isnan(controls[i].value + values[i].value):
            absolute, relative, plain = map(_of_nothing, (absolute, relative, plain))
        p = float(adjusted[t, m])
        sign = float(panel.sign[t, m]) if panel.sign is not None else 0.0
        conclusion = concluded(design, metric, absolute, relative, p, sign)
        removed = float(panel.reduction[t, 0, m])
        own = family.get(metric.role)
        ends = None
        if panel.simultaneous is not None and own is not None and not np.isnan(panel.simultaneous[0][t, m]):
            ends = float(panel.simultaneous[0][t, m]), float(panel.simultaneous[1][t, m])
        found.append(
            Comparison(
                metric=metric.name,
                type=metric.type,
                role=metric.role,
                direction=metric.direction,
                control=controls[i],
                treatment=values[i],
                absolute=absolute,
                relative=relative,
                unadjusted=plain,
                method=_method(panel, m, bool(panel.adjusted[t, 0, m]), own),
                adjusted_p=None if own is None or np.isnan(p) else p,
                simultaneous=ends,
                margin_p=_margin_p(panel, t, m, conclusion),
                detectable=_detectable(design, panel, t, m, absolute, relative),
                margin=_margin(metric),
                margin_absolute=metric.margin_absolute,
                conclusion=conclusion,
                variance_reduction=removed if panel.adjusted[t, 0, m] else None,
                required_units=_required(design, panel, t, m) if conclusion == "not shown safe" else None,
                notes=panel.notes.get(metric.name, ()),
            )
        )
    return found


def _of_nothing(effect: Quantity) -> Quantity:
    """A ratio whose denominators sum to zero in an arm has no effect for that reason, not for odd values."""
    return _NONE[Reason.ZERO_DENOMINATOR] if effect == _NONE[Reason.NOT_FINITE] else effect


def concluded(
    design: Design, metric: Metric, absolute: Quantity, relative: Quantity, adjusted: float, sign: float
) -> Conclusion:
    """What the deciding method says about one comparison.

    Success metrics are better by the corrected p-value and worse by the deterioration test; guardrails are safe or
    harmful where the interval lies wholly on one side of the margin; secondary metrics by their own family.
    """
    good = 1.0 if metric.direction == "increase" else -1.0
    if metric.role is Role.GUARDRAIL:
        return against_margin(_margin(metric) or 0.0, absolute if metric.margin_absolute else relative, good)
    if isinstance(absolute, Undetermined):
        return "undetermined"
    alpha = 1 - design.plan.confidence_level
    if adjusted <= alpha and sign * good > 0:
        return "better"
    worse = absolute.p_value <= deterioration_p(design) if metric.role is Role.SUCCESS else adjusted <= alpha
    if worse and sign * good < 0:
        return "worse"
    worth = design.plan.smallest_worthwhile.get(metric.name)
    if worth is not None and isinstance(relative, Estimate) and -worth < relative.lower and relative.upper < worth:
        return "equivalent"
    return "inconclusive"


def against_margin(margin: float, effect: Quantity, good: float) -> Conclusion:
    """Safe or harmful where the interval lies wholly on one side of the margin; `good` is +1 where more is better."""
    if isinstance(effect, Undetermined):
        return "undetermined"
    best, worst = (effect.upper, effect.lower) if good > 0 else (-effect.lower, -effect.upper)
    if worst > -margin:
        return "safe"
    return "harmful" if best < -margin else "not shown safe"


def _margin_p(panel: Panel, t: int, m: int, conclusion: Conclusion) -> float | None:
    if panel.margin_p is None or conclusion == "undetermined" or np.isnan(panel.margin_p[t, m]):
        return None
    return float(panel.margin_p[t, m])


def _detectable(design: Design, panel: Panel, t: int, m: int, absolute: Quantity, relative: Quantity) -> float | None:
    """The reach of the boundary now plus the room that the plan's power asks for; relative where that is shown."""
    from scipy.special import ndtri

    if panel.reach is None or panel.metrics[m].role is Role.GUARDRAIL or not isinstance(absolute, Estimate):
        return None
    size = float(panel.reach[t, m]) + float(ndtri(design.plan.power)) * absolute.se
    if isinstance(relative, Estimate):
        size /= abs(float(panel.control.value[t, 0, m]))
    return size if np.isfinite(size) else None


def _margin(metric: Metric) -> float | None:
    """The margin; a guardrail without one may not get worse at all."""
    return (metric.margin or 0.0) if metric.role is Role.GUARDRAIL else None


def _required(design: Design, panel: Panel, t: int, m: int) -> int | None:
    """Units per arm that would show a guardrail without any effect to be safe, with the plan's power."""
    metric = panel.metrics[m]
    margin = _margin(metric) or 0.0
    control, treatment = panel.control, panel.treatment
    if not metric.margin_absolute:
        margin *= abs(float(control.value[t, 0, m]))
    kept = 1 - float(panel.reduction[t, 0, m])
    sd = float(np.sqrt(kept * (control.var[t, 0, m] + treatment.var[t, 0, m]) / 2))
    if not (margin > 0 and np.isfinite(sd) and sd > 0):
        return None
    guardrails = sum(other.role is Role.GUARDRAIL for other in design.metrics)
    size = sample_size_non_inferiority(
        margin,
        sd,
        power=power_per_metric(design.plan.power, guardrails),
        alpha=(1 - design.plan.confidence_level) / 2,
    )
    return int(np.ceil(max(size.control, size.treatment)))


def _method(panel: Panel, m: int, adjusted: bool, family: Family | None) -> str:
    parts = [panel.method[m]]
    if adjusted:
        parts.append("CUPED")
    if family is not None and family.size > 1:
        parts.append(family.in_words)
    return ", ".join(parts)


def hidden(
    design: Design, measurement: Measurement, grouped: Sequence[Batch], reason: Reason
) -> tuple[Comparison, ...]:
    """Comparisons without any number but units: an effect that may not be read cannot be worked out from the arms."""
    units = {metric.name: _units(batch, m) for batch in grouped for m, metric in enumerate(batch.metrics)}
    nothing = Undetermined(reason)
    treatments = [variant.name for variant in design.variants if variant.name != design.control]
    nan = float("nan")
    return tuple(
        Comparison(
            metric=metric.name,
            type=metric.type,
            role=metric.role,
            direction=metric.direction,
            control=ArmValue(design.control, n.get(design.control, 0), nan, nan),
            treatment=ArmValue(name, n.get(name, 0), nan, nan),
            absolute=nothing,
            relative=nothing,
            unadjusted=nothing,
            method="not read",
            margin=_margin(metric),
            margin_absolute=metric.margin_absolute,
        )
        for metric in design.metrics
        for n in (units.get(metric.name) or measurement.counts.units,)
        for name in treatments
    )


def _units(batch: Batch, m: int) -> dict[str, int]:
    grid = batch.grid
    return {
        name: int(batch.moments.n[(grid.variant == v) & (grid.group == 0), m].sum())
        for v, name in enumerate(batch.variants)
    }
