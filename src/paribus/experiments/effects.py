"""Effects by the plan's deciding method: arms, adjustment, looks, intervals; arrays (treatment, group, metric).

Defaults: a mean by Welch's test, adjusted for pre-exposure covariates where there are any (pooled-within theta); a
share without covariates at a fixed horizon by its 2 x 2 table (score, exact where events are few), else by its moments;
a ratio of sums by the delta method; relative effects by Fieller's interval from the same test. Under a sequential plan
every look up to now is computed again, intervals are intersected and p-values kept at their smallest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paribus.experiments.layout import Batch, Group, Pairs, is_share
from paribus.experiments.plan import Design, Method, Plan
from paribus.experiments.reading import Look, Reading, Rule
from paribus.metrics.definition import Metric, Role
from paribus.stats.adjustment import cuped
from paribus.stats.arm import Arm, difference, outcome
from paribus.stats.boundary import Boundary
from paribus.stats.domain import outside
from paribus.stats.estimate import Estimates, Floats, Reason
from paribus.stats.relative import lift
from paribus.stats.two_proportions import EXACT_BELOW, proportion_difference, proportion_lift

# Where neither n_opt nor planned units were sealed, an anytime-valid sequence is tuned to this many units: any constant
# is valid, one that follows the data is not.
N_OPT = 5000.0
NOT_BY_DAY = "segments are not measured by day"


@dataclass(frozen=True, slots=True, eq=False)
class Arms:
    """Control and treatment as arms, with the share of variance that covariates remove."""

    control: Arm
    treatment: Arm
    reduction: Floats


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

    simultaneous  ends of the relative interval (of the absolute one where that is undetermined) at the levels of the
                  plan's correction; of the whole only, axes (treatment, metric)
    margin_p      guardrails: one-sided p-value against the margin, axes (treatment, metric); NaN for others
    reach         how far the estimate must now be from no effect to be shown, on the absolute scale, same axes
    rules         the boundary's rule at every look, axes (look, treatment, metric)
    sign          sign of the estimate at the look that decided, same axes
    futile        whether the futility boundary is crossed, same axes
    method        in words, by metric
    totals        of ratios: sums of numerator and denominator in control and treatment
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
    margin_p: Floats | None = None
    reach: Floats | None = None
    rules: NDArray[np.object_] | None = None
    sign: Floats | None = None
    futile: NDArray[np.bool_] | None = None
    series: Series | None = None
    totals: tuple[Floats, Floats, Floats, Floats] | None = None
    notes: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def of_groups(self, groups: slice) -> Panel:
        """The panel of some groups, without what belongs to the whole alone."""
        return self._part(lambda a: a[:, groups], self.groups[groups])

    def of_metrics(self, part: slice) -> Panel:
        """The panel of some metrics, with all that belongs to the whole but its notes."""

        def own(a: NDArray[Any] | None) -> Any:
            return None if a is None else a[..., part]

        return replace(
            self._part(own, self.groups),
            metrics=self.metrics[part],
            method=self.method[part],
            simultaneous=None if self.simultaneous is None else (own(self.simultaneous[0]), own(self.simultaneous[1])),
            margin_p=own(self.margin_p),
            reach=own(self.reach),
            rules=own(self.rules),
            sign=own(self.sign),
            futile=own(self.futile),
            totals=None if self.totals is None else tuple(own(a) for a in self.totals),
            notes={},
        )

    def noting(self, said: Mapping[str, str]) -> Panel:
        """The same with one more sentence about some metrics."""
        return replace(self, notes={**self.notes, **{m: (*self.notes.get(m, ()), note) for m, note in said.items()}})

    def refused(self, reason: Reason) -> Panel:
        """The same without any effect, for this reason."""
        everywhere = np.ones(self.absolute.shape, dtype=np.bool_)
        absolute, relative, unadjusted = (
            e.without(everywhere, reason) for e in (self.absolute, self.relative, self.unadjusted)
        )
        nothing = np.full((self.absolute.shape[0], len(self.metrics)), np.nan)
        return replace(
            self,
            absolute=absolute,
            relative=relative,
            unadjusted=unadjusted,
            simultaneous=None if self.simultaneous is None else (nothing, nothing),
            margin_p=None if self.margin_p is None else nothing,
            reach=None if self.reach is None else nothing,
        )

    def metric_first(self) -> Panel:
        """The same numbers with axes (metric, treatment, group), for writing them metric by metric."""
        return self._part(lambda a: np.moveaxis(a, -1, 0), self.groups)

    def _part(self, change: Callable[[NDArray[Any]], NDArray[Any]], groups: tuple[Group, ...]) -> Panel:
        def arm(a: Arm) -> Arm:
            return Arm(*(change(getattr(a, name)) for name in ("n", "value", "var", "skewness")))

        absolute = reshaped(self.absolute, change)
        return Panel(
            metrics=self.metrics,
            groups=groups,
            control=arm(self.control),
            treatment=arm(self.treatment),
            absolute=absolute,
            relative=reshaped(self.relative, change),
            unadjusted=absolute if self.unadjusted is self.absolute else reshaped(self.unadjusted, change),
            reduction=change(self.reduction),
            adjusted=change(self.adjusted),
            method=self.method,
            notes=self.notes,
        )


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


def shares(batch: Batch, plan: Plan, pairs: Pairs) -> tuple[Floats, Floats, Floats, Floats] | None:
    """Successes and units of control and treatment, where the comparison is one of two tables of counts.

    That is for shares at a fixed horizon without covariates or strata; else shares are means of zeros and ones.
    """
    adjusted = bool(batch.covariates) and plan.cuped
    if plan.method is not Method.FIXED or adjusted or len(batch.grid.strata) > 1 or not is_share(batch.metrics[0]):
        return None
    x_c, x_t = (np.rint(np.where(m.n > 0, m.mean[..., 0], 0.0) * m.n) for m in (pairs.control, pairs.treatment))
    return x_c, pairs.control.n, x_t, pairs.treatment.n


def compare(
    batch: Batch,
    both: Arms,
    boundary: Boundary,
    table: tuple[Floats, Floats, Floats, Floats] | None = None,
    *,
    exact: bool = True,
) -> tuple[Estimates, Estimates, str]:
    """The absolute and the relative effect of one test, and the test's name; undetermined outside its domain.

    Args:
        batch: the metrics, along the last axis.
        both: the arms.
        boundary: interval and p-value rule.
        table: successes and units, for the comparison of two shares.
        exact: whether few events are worth an exact test (else such comparisons are undetermined).
    """
    if table is not None:
        below = EXACT_BELOW if exact else 0.0
        absolute = proportion_difference(*table, level=boundary.level, exact_below=below)
        relative = proportion_lift(*table, level=boundary.level, exact_below=below)
        if not exact:
            x_c, n_c, x_t, n_t = table
            with np.errstate(invalid="ignore", divide="ignore"):
                events = np.minimum(x_c + x_t, n_c + n_t - x_c - x_t) / (n_c + n_t) * np.minimum(n_c, n_t)
            few = ~(events >= EXACT_BELOW)
            absolute, relative = (e.without(few, Reason.TOO_FEW_EVENTS) for e in (absolute, relative))
        return absolute, relative, absolute.method
    absolute = difference(both.control, both.treatment, boundary=boundary)
    relative = lift(both.control, both.treatment, boundary=boundary, negative_baseline="magnitude")
    reasons = _outside(batch, both)
    return _without(absolute, reasons), _without(relative, reasons), _named(batch, boundary)


def _outside(batch: Batch, both: Arms) -> NDArray[np.object_]:
    """Why a method's error rate is not assured, by comparison; guardrails are one-sided tests."""
    if len(batch.grid.strata) > 1:
        method = "poststratified"
    elif isinstance(batch.outcome, tuple):
        method = "ratio"
    else:
        method = "cuped" if batch.covariates else "welch"
    one_sided = np.array([metric.role is Role.GUARDRAIL for metric in batch.metrics])
    if not one_sided.any():
        return outside(method, both.control, both.treatment)
    strict = outside(method, both.control, both.treatment, one_sided=True)
    return strict if one_sided.all() else np.where(one_sided, strict, outside(method, both.control, both.treatment))


def _without(found: Estimates, reasons: NDArray[Any]) -> Estimates:
    for reason in set(reasons.flat) - {None}:
        found = found.without(reasons == reason, reason)
    return found


def _named(batch: Batch, boundary: Boundary) -> str:
    test = "delta method" if isinstance(batch.outcome, tuple) else "Welch"
    return f"{test}, {boundary.method}"


def by_segment(batch: Batch, design: Design, read: Reading, adjust: NDArray[np.bool_]) -> Panel | None:
    """The effects in every segment as they stand now; the families they form are `segments`' work.

    Segments are not measured by day: at a planned look that leaves later units out they are read as other metrics
    without days are.
    """
    if len(batch.grid.groups) < 2:
        return None
    look = read.looks[-1]
    until = look.last_cohort(batch.window_days) if batch.grid.days else None
    pairs = batch.pairs(until, control=control_of(design)).without_whole()
    both = arms(batch, pairs, adjust[:, None, :])
    dated = look.before is None or design.plan.method is not Method.GROUP_SEQUENTIAL
    boundary = (rule_of if dated else undated_rule)(design.plan, look)(design.plan.confidence_level)
    absolute, relative, method = compare(batch, both, boundary, shares(batch, design.plan, pairs), exact=False)
    return Panel(
        metrics=batch.metrics,
        groups=batch.grid.groups[1:],
        control=both.control.unadjusted,
        treatment=both.treatment.unadjusted,
        absolute=absolute,
        relative=relative,
        unadjusted=unadjusted(batch, both, boundary, absolute, adjust),
        reduction=both.reduction,
        adjusted=np.broadcast_to(adjust[:, None, :], both.reduction.shape),
        method=(method,) * len(batch.metrics),
        notes={} if dated else dict.fromkeys((m.name for m in batch.metrics), undated_notes(design.plan, NOT_BY_DAY)),
    )


def unadjusted(
    batch: Batch, both: Arms, boundary: Boundary, absolute: Estimates, adjust: NDArray[np.bool_]
) -> Estimates:
    """The absolute effect without covariates."""
    if not (adjust.any() and batch.covariates):
        return absolute
    plain = Arms(both.control.unadjusted, both.treatment.unadjusted, both.reduction)
    return _without(difference(plain.control, plain.treatment, boundary=boundary), _outside(batch, plain))


def reshaped(e: Estimates, change: Callable[[NDArray[Any]], NDArray[Any]]) -> Estimates:
    """The same estimates with every array changed alike: a slice, or another shape."""
    names = ("value", "se", "lower", "upper", "p_value", "df", "reason")
    arrays: dict[str, Any] = {name: change(getattr(e, name)) for name in names}
    return replace(e, **arrays, extra={name: change(a) for name, a in e.extra.items()})


def control_of(design: Design) -> int:
    """The control's position among the variants."""
    return [variant.name for variant in design.variants].index(design.control)


def rule_of(plan: Plan, look: Look, information: tuple[float, ...] = (), times: tuple[float, ...] = ()) -> Rule:
    """The boundary's rule at one look; without observed information, that of the planned looks."""
    n_opt = float(plan.n_opt or plan.planned_units or N_OPT)
    if plan.method is Method.GROUP_SEQUENTIAL and not information:
        days = sorted(plan.looks) or [1]
        information = tuple(day / days[-1] for day in days[: look.number])
    return Rule(plan, n_opt, information, look.final, times)


def undated_rule(plan: Plan, look: Look) -> Rule:
    """The rule of a metric without a daily view, which is read as its data stand now: it holds at any time.

    Between two planned looks a group-sequential boundary would be read more often than it allows.
    """
    if plan.method is Method.GROUP_SEQUENTIAL and plan.looks:
        return rule_of(replace(plan, method=Method.ANYTIME), look)
    return rule_of(plan, look)


def has_looks(plan: Plan) -> bool:
    """Whether the plan is read more than once."""
    return plan.method is not Method.FIXED and (plan.method is not Method.GROUP_SEQUENTIAL or bool(plan.looks))


def undated_notes(plan: Plan, why: str) -> tuple[str, ...]:
    """That a metric has no daily view, why, and what its interval holds for; empty where a plan has no looks."""
    if not has_looks(plan):
        return ()
    held = {
        Method.GROUP_SEQUENTIAL: "its interval and p-value are anytime-valid, not those of the planned looks",
        Method.ANYTIME: "its interval and p-value hold at any time",
        Method.BAYESIAN: "its posterior is that of the data now, between the planned looks too",
    }[plan.method]
    return (f"No daily view: {why}. It is read as it stands now; {held}.",)


def _known(a: Floats | None) -> Floats:
    return np.asarray(np.nan) if a is None else a
