"""Effects by the plan's deciding method: arms, adjustment, looks, intervals; arrays (treatment, group, metric).

Defaults: a mean by Welch's test, adjusted for pre-exposure covariates where there are any (pooled-within theta); a
share without covariates at a fixed horizon by its 2 x 2 table (score, exact where events are few), else by its moments;
a ratio of sums by the delta method; relative effects by Fieller's interval from the same test. Under a sequential plan
every look up to now is computed again, intervals are intersected and p-values kept at their smallest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from paribus.experiments.layout import WHOLE, Batch, Group, Pairs, is_share
from paribus.experiments.plan import Design, Method, Plan
from paribus.experiments.reading import EachCell, Look, Reading, Rule
from paribus.metrics.definition import Metric
from paribus.stats.adjustment import cuped
from paribus.stats.anytime import running_intersection, running_minimum
from paribus.stats.arm import Arm, difference, outcome
from paribus.stats.boundary import Boundary, Fixed
from paribus.stats.domain import outside
from paribus.stats.estimate import Estimates, Floats, Reason, estimates
from paribus.stats.moments import Moments
from paribus.stats.relative import lift
from paribus.stats.two_proportions import EXACT_BELOW, proportion_difference, proportion_lift

# Where neither n_opt nor planned units were sealed, an anytime-valid sequence is tuned to this many units: any constant
# is valid, one that follows the data is not.
N_OPT = 5000.0


@dataclass(frozen=True, slots=True, eq=False)
class Arms:
    """Control and treatment as arms, with the share of variance that covariates remove."""

    control: Arm
    treatment: Arm
    reduction: Floats

    def unadjusted(self) -> Arms:
        """The same without covariates."""
        return Arms(self.control.unadjusted, self.treatment.unadjusted, np.zeros_like(self.reduction))


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """The readings of all looks, axes (look, treatment, metric): what the cumulative curve draws.

    `reach` is the distance of the plan's boundary from no effect, on the absolute scale.
    """

    looks: tuple[Look, ...]
    units: Floats
    absolute: Estimates
    relative: Estimates
    reach: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """Effects of some metrics, arrays (treatment, group, metric).

    simultaneous  lower and upper ends of the relative interval (absolute where `relative` is undetermined) at the
                  level of the plan's correction; the whole only, axes (treatment, metric)
    sign          of the estimate at the look that decided
    futile        whether the futility boundary is crossed
    method        in words, by metric
    """

    metrics: tuple[Metric, ...]
    groups: tuple[Group, ...]
    control: Arm
    treatment: Arm
    absolute: Estimates
    relative: Estimates
    unadjusted: Estimates
    reduction: Floats
    adjusted: NDArray[np.bool_]
    method: tuple[str, ...]
    simultaneous: tuple[Floats, Floats] | None = None
    sign: Floats | None = None
    futile: NDArray[np.bool_] | None = None
    series: Series | None = None
    totals: dict[str, tuple[Floats, Floats]] = field(default_factory=dict)  # ratios: sums of y and d, by arm
    notes: dict[str, tuple[str, ...]] = field(default_factory=dict)


def arms(batch: Batch, pairs: Pairs, adjust: NDArray[np.bool_] | bool) -> Arms:
    """The two arms of every comparison; adjusted for covariates where `adjust` says so."""
    plain = [outcome(m, batch.outcome) for m in (pairs.control, pairs.treatment)]
    nothing = np.zeros_like(plain[0].value)
    if not batch.covariates or not np.any(adjust):
        return Arms(plain[0], plain[1], nothing)
    found = cuped(pairs.control, pairs.treatment, batch.outcome, batch.covariates)
    # A covariate without a value in some comparison (a ratio of zeros) leaves that comparison as it was.
    use = np.broadcast_to(adjust, nothing.shape) & np.isfinite(found.control.value) & np.isfinite(found.treatment.value)
    use = use & np.isfinite(found.control.var) & np.isfinite(found.treatment.var)
    control, treatment = (
        replace(
            adjusted,
            value=np.where(use, adjusted.value, raw.value),
            var=np.where(use, adjusted.var, raw.var),
            baseline=raw.value,
            baseline_var=raw.var,
            baseline_cov=np.where(use, _known(adjusted.baseline_cov), raw.var),
        )
        for adjusted, raw in zip((found.control, found.treatment), plain, strict=True)
    )
    return Arms(control, treatment, np.where(use, found.variance_reduction, 0.0))


def whole(batch: Batch, design: Design, read: Reading, levels: Floats, adjust: NDArray[np.bool_]) -> Panel:
    """The effects in the whole, at the last look; `levels` are those of the correction, axes (treatment, metric)."""
    control = control_of(design)
    looks = read.looks if batch.grid.days else read.looks[-1:]
    each = [
        batch.pairs(look.last_cohort(batch.window_days), control=control, whole_only=True)
        if batch.grid.days
        else batch.pairs(control=control, whole_only=True)
        for look in looks
    ]
    last = each[-1]
    by_look = [arms(batch, pairs, adjust[:, None, :]) for pairs in each]
    stacked = Arms(
        _stack([a.control for a in by_look]),
        _stack([a.treatment for a in by_look]),
        np.stack([a.reduction[:, 0] for a in by_look]),
    )
    panel = _panel(batch, design.plan, read, looks, stacked, last, levels, adjust)
    sums = {"control": _sums(last.control), "treatment": _sums(last.treatment)} if "d" in batch.moments.names else {}
    notes: dict[str, tuple[str, ...]] = {}
    if len(batch.grid.strata) > 1:
        for j, metric in enumerate(batch.metrics):
            share = "not stratified: an arm has too few units in a stratum" if last.pooled[..., j].any() else "stratified"
            notes[metric.name] = (share,)
    return replace(panel, totals=sums, notes=notes)


def by_segment(batch: Batch, design: Design, read: Reading, adjust: NDArray[np.bool_]) -> Panel | None:
    """The effects in every segment at the last look, without multiplicity (that is `segments`' work)."""
    if len(batch.grid.groups) < 2:
        return None
    look = read.looks[-1]
    until = look.last_cohort(batch.window_days) if batch.grid.days else None
    pairs = _without_whole(batch.pairs(until, control=control_of(design)))
    both = arms(batch, pairs, adjust[:, None, :])
    boundary = rule_of(design.plan, read, look, ())(design.plan.confidence_level)
    absolute, relative, method = _compare(batch, design.plan, both, pairs, boundary, exact=False)
    return Panel(
        metrics=batch.metrics,
        groups=batch.grid.groups[1:],
        control=both.control.unadjusted,
        treatment=both.treatment.unadjusted,
        absolute=absolute,
        relative=relative,
        unadjusted=absolute if not batch.covariates else difference(
            both.control.unadjusted, both.treatment.unadjusted, boundary=boundary
        ),
        reduction=both.reduction,
        adjusted=np.broadcast_to(adjust[:, None, :], both.reduction.shape),
        method=(method,) * len(batch.metrics),
    )


def control_of(design: Design) -> int:
    """The control's position among the variants."""
    return [variant.name for variant in design.variants].index(design.control)


def rule_of(plan: Plan, read: Reading, look: Look, information: tuple[float, ...]) -> Rule:
    """The boundary's rule at one look; without observed information, that of the planned looks."""
    n_opt = float(plan.n_opt or plan.planned_units or N_OPT)
    if plan.method is Method.GROUP_SEQUENTIAL and not information:
        days = sorted(plan.looks) or [1]
        information = tuple(day / days[-1] for day in days[: look.number])
    return Rule(plan, n_opt, information, look.final)


def _panel(
    batch: Batch,
    plan: Plan,
    read: Reading,
    looks: Sequence[Look],
    stacked: Arms,
    last: Pairs,
    levels: Floats,
    adjust: NDArray[np.bool_],
) -> Panel:
    """Effects over looks, reduced to the last."""
    rules = _rules(plan, read, looks, stacked)
    level = plan.confidence_level
    boundary = _boundary(rules, level)
    single = _Flat(stacked, last)
    absolute, relative, method = _compare(batch, plan, stacked, single.pairs, boundary, exact=len(looks) == 1)
    plain = absolute if not batch.covariates else difference(
        stacked.control.unadjusted, stacked.treatment.unadjusted, boundary=boundary
    )
    lower, upper = np.full(levels.shape, np.nan), np.full(levels.shape, np.nan)
    for own in np.unique(levels):
        a, r, _ = _compare(
            batch, plan, stacked, single.pairs, _boundary(rules, float(own)), exact=len(looks) == 1, intervals=True
        )
        r, a = _running(r), _running(a)
        at = levels == own
        lower[at] = np.where(r.determined, r.lower, a.lower)[at]
        upper[at] = np.where(r.determined, r.upper, a.upper)[at]
    first = np.argmin(np.where(np.isnan(absolute.p_value), np.inf, absolute.p_value), axis=0)
    sign = np.sign(np.take_along_axis(absolute.value, first[None], axis=0)[0])
    with np.errstate(invalid="ignore", divide="ignore"):
        reach = boundary.radius(absolute.se, stacked.control.n + stacked.treatment.n, absolute.df)
    units = stacked.control.n + stacked.treatment.n
    series = Series(tuple(looks), units, absolute, relative, reach) if batch.grid.days else None
    return Panel(
        metrics=batch.metrics,
        groups=(WHOLE,),
        control=_at_last(stacked.control),
        treatment=_at_last(stacked.treatment),
        absolute=_one_group(_running(absolute)),
        relative=_one_group(_running(relative)),
        unadjusted=_one_group(_running(plain)),
        reduction=stacked.reduction[-1][:, None],
        adjusted=(adjust & bool(batch.covariates))[:, None],
        method=(method,) * len(batch.metrics),
        simultaneous=(lower, upper),
        sign=sign,
        futile=_futile(rules, absolute, batch.metrics),
        series=series,
    )
