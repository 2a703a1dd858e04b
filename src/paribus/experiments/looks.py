"""The whole, look by look: every planned look is computed again, intervals intersect, p-values keep their minimum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from paribus.experiments.effects import (
    Arms,
    Panel,
    Series,
    arms,
    compare,
    control_of,
    reshaped,
    rule_of,
    shares,
    unadjusted,
)
from paribus.experiments.guardrails import margin_p
from paribus.experiments.layout import WHOLE, Batch, Pairs, joined_by_metric
from paribus.experiments.phrases import p_words
from paribus.experiments.plan import Design, Method, Plan
from paribus.experiments.reading import EachCell, Look, Reading, Rule
from paribus.metrics.definition import SHARES, Metric, Role
from paribus.stats.anytime import running_intersection, running_minimum
from paribus.stats.arm import Arm, difference, outcome, spread
from paribus.stats.boundary import Boundary
from paribus.stats.estimate import Estimates, Floats
from paribus.stats.interactions import cochran
from paribus.stats.moments import Moments

# Information gained from look to look, as a fraction of the plan: where the variance grew so much that less is known
# than before, this much is assumed.
LEAST_STEP = 0.01
# Fractions of information that are this near to those of the days are taken to be them.
AS_PLANNED = 0.05

# Events in both arms together from which a share's own moments say how far it may be off.
FEW_EVENTS = 1.5

# Said of metrics without a window, whose units go on collecting events while the experiment is read.
SEQUENTIAL_OPEN = (
    "It has no window, so earlier looks are computed from the values known now, not from those known then, and may "
    "change; with window_days each unit counts once, when its window has closed."
)
FIXED_OPEN = "It has no window, so the days of its curve show the values known now, not those known then."


def whole(
    batch: Batch,
    design: Design,
    read: Reading,
    levels: Floats,
    adjust: NDArray[np.bool_],
    *,
    describes: bool = True,
) -> Panel:
    """The effects in the whole at the last look.

    Args:
        batch, design, read: what is read, and how.
        levels: those of the correction, axes (treatment, metric).
        adjust: whether covariates are used, with the same axes.
        describes: whether somebody reads the numbers; else guardrails have no p-values, by which nothing is decided,
            and others may be off by a thousandth of themselves.
    """
    plan, control = design.plan, control_of(design)
    looks = read.looks if batch.grid.days else read.looks[-1:]
    pairs = [pairs_at(batch, look, control) for look in looks]
    both = _with_rare(by_look([arms(batch, own, adjust[:, None, :]) for own in pairs]), batch.metrics)
    table = shares(batch, plan, pairs[-1])
    counted = None if table is None else _tables(table)
    rules = _rules(design, looks, both, mixed=len(batch.grid.strata) > 1)
    tested = describes or np.array([metric.role is not Role.GUARDRAIL for metric in batch.metrics])
    boundary = _boundary(rules, plan.confidence_level, tests=tested, joins=not describes)
    absolute, relative, method = compare(batch, both, boundary, counted)
    lower, upper = np.full(levels.shape, np.nan), np.full(levels.shape, np.nan)
    units = both.control.n + both.treatment.n
    with np.errstate(invalid="ignore", divide="ignore"):
        reach = boundary.radius(absolute.se, units, absolute.df)
    now = np.full(levels.shape, np.nan)
    for level in np.unique(levels):
        at = levels == level
        if level == plan.confidence_level:
            a, r = _running(absolute), _running(relative)
            now[at] = reach[-1][at]
        else:
            own = _boundary(rules, float(level), tests=False, joins=not describes)
            a, r = (_running(e) for e in compare(batch, both, own, counted)[:2])
            with np.errstate(invalid="ignore", divide="ignore"):
                now[at] = own.radius(absolute.se, units, absolute.df)[-1][at]
        lower[at] = np.where(r.determined, r.lower, a.lower)[at]
        upper[at] = np.where(r.determined, r.upper, a.upper)[at]
    against = margin_p(batch.metrics, both.control, both.treatment, boundary, counted) if describes else None
    last = pairs[-1]
    ratio = "d" in batch.moments.names
    dated = by_cohort(looks, batch.window_days)
    return Panel(
        metrics=batch.metrics,
        groups=(WHOLE,),
        control=_last(both.control.unadjusted),
        treatment=_last(both.treatment.unadjusted),
        absolute=_one_group(_running(absolute)),
        relative=_one_group(_running(relative)),
        unadjusted=_one_group(_running(unadjusted(batch, both, boundary, absolute, adjust))),
        reduction=both.reduction[-1][:, None],
        adjusted=(both.reduction[-1] != 0)[:, None],
        method=(method,) * len(batch.metrics),
        simultaneous=(lower, upper),
        margin_p=None if against is None else _against_margin(against, batch.metrics, absolute, relative),
        reach=now,
        rules=rules,
        sign=_deciding_sign(absolute),
        futile=_futile(rules, absolute, batch.metrics),
        series=Series(dated, units, absolute, relative, reach) if batch.grid.days else None,
        totals=(*_sums(last.control), *_sums(last.treatment)) if ratio else None,
        notes=_notes(batch, design, control, last.pooled),
    )


def _with_rare(both: Arms, metrics: tuple[Metric, ...]) -> Arms:
    """Guardrails on shares that hardly anything happened of get the error of two events more in each arm.

    None or one in both arms together is the best that can be, and says how much at most it is: a variance from no event
    would say that nothing can happen, and a test refused as too skewed that nothing is known. Two events more make the
    interval as wide as the exact one for no events (3.7 / n at 95%, one-sided 97.5%).
    """
    guards = [m.role is Role.GUARDRAIL and m.margin_absolute and m.type in SHARES for m in metrics]
    if not any(guards):
        return both
    with np.errstate(invalid="ignore"):
        events = both.control.value * both.control.n + both.treatment.value * both.treatment.n
        rare = np.array(guards) & (events < FEW_EVENTS)
    if not rare.any():
        return both
    return replace(both, control=_at_most(both.control, rare), treatment=_at_most(both.treatment, rare))


def _at_most(arm: Arm, rare: NDArray[np.bool_]) -> Arm:
    with np.errstate(invalid="ignore"):
        share = (arm.value * arm.n + 2) / (arm.n + 4)
    known = rare & (arm.n > 1)
    return replace(
        arm,
        var=np.where(known, share * (1 - share), arm.var),
        skewness=np.where(known, np.nan, arm.skewness),
    )


def whole_of_each(
    each: Sequence[Batch], design: Design, read: Reading, levels: Floats, adjust: Sequence[NDArray[np.bool_]]
) -> list[Panel]:
    """The same of several experiments that have the same cells and metrics, computed at once; nothing is described.

    Args:
        each: a batch of every experiment.
        design, read, levels: as for `whole`, the same for all.
        adjust: by experiment.
    """
    joined = joined_by_metric(each)
    together = np.tile(levels, (1, len(each)))
    panel = whole(joined, design, read, together, np.concatenate(adjust, axis=1), describes=False)
    width = len(each[0].metrics)
    return [panel.of_metrics(slice(i * width, (i + 1) * width)) for i in range(len(each))]


def pairs_at(batch: Batch, look: Look, control: int) -> Pairs:
    """Control and treatments at a look: as they were known then, where values go on growing and that was measured."""
    known = batch.known.get(look.label)
    if known is not None:
        return known.pairs(control=control, whole_only=True)
    until = look.last_cohort(batch.window_days) if batch.grid.days else None
    return batch.pairs(until, control=control, whole_only=True)


def by_cohort(looks: Sequence[Look], window_days: int) -> tuple[Look, ...]:
    """Looks dated by the last cohort that had matured, as the curve shows them, not by when the window closed."""
    return tuple(replace(look, before=look.last_cohort(window_days - 1)) for look in looks)


def by_look(each: Sequence[Arms]) -> Arms:
    """Arms by (treatment, one group, metric) at several looks, as arms by (look, treatment, metric)."""
    return Arms(
        _stacked([a.control for a in each]),
        _stacked([a.treatment for a in each]),
        np.stack([a.reduction[:, 0] for a in each]),
    )


def _rules(design: Design, looks: Sequence[Look], both: Arms, *, mixed: bool) -> NDArray[np.object_]:
    """The rule of every (look, treatment, metric).

    Group-sequential information is 1 / se^2; its planned end is that of the planned units, at the information per unit
    that the first look measured: later looks cannot change what an earlier one spent. Without planned units alpha is
    spent by the days of the looks, and how they are correlated follows from the information all the same.

    Arms that are mixed of strata or epochs have independent increments in n times the effect, so that information is
    its variance, n^2 se^2: a split that moves changes what a unit tells, and looks would be less alike than 1 / se^2
    says (error .062 for .05).
    """
    plan = design.plan
    rules = np.empty(both.control.value.shape, dtype=object)
    if plan.method is not Method.GROUP_SEQUENTIAL:
        for k, t, m in np.ndindex(*rules.shape):
            rules[k, t, m] = rule_of(plan, looks[k])
        return rules
    se, _ = spread(both.control, both.treatment)
    units = both.control.n + both.treatment.n
    with np.errstate(divide="ignore", invalid="ignore"):
        information = np.where(se > 0, (units * se) ** 2 if mixed else se**-2.0, 0.0)
    if not plan.planned_units:
        for k, t, m in np.ndindex(*rules.shape):
            rules[k, t, m] = _by_days(plan, looks[: k + 1], information[: k + 1, t, m])
        return rules
    weight = {v.name: v.weight for v in design.variants}
    total = sum(weight.values())
    treatments = [v.name for v in design.variants if v.name != design.control]
    for t, m in np.ndindex(*rules.shape[1:]):
        planned = plan.planned_units * (weight[design.control] + weight[treatments[t]]) / total
        fractions: list[float] = []
        per_unit = np.nan
        for k, look in enumerate(looks):
            known, n = float(information[k, t, m]), float(units[k, t, m])
            if known > 0:
                per_unit = known / n if np.isnan(per_unit) else per_unit
                least = fractions[-1] + LEAST_STEP if fractions else 0.0
                fractions.append(max(known / (per_unit * planned), least))
            rules[k, t, m] = rule_of(plan, look, tuple(fractions))
    return rules


def _by_days(plan: Plan, looks: Sequence[Look], information: Floats) -> Rule:
    """The rule of the last look, with alpha spent by days; looks before there was any information cannot have decided.

    Information that grew about as the days did is taken as grown so: the boundary is then the planned one.
    """
    days = sorted(plan.looks)
    known = [k for k, each in enumerate(information.tolist()) if each > 0]
    if not days or len(known) < 2 or known[-1] != len(looks) - 1:
        return rule_of(plan, looks[-1])
    times = tuple(days[looks[k].number - 1] / days[-1] for k in known)
    grown = np.maximum.accumulate(information[known])
    fractions = times[-1] * grown / grown[-1]
    if np.all(np.abs(fractions - times) <= AS_PLANNED):
        return rule_of(plan, looks[-1])
    for i in range(len(fractions) - 2, -1, -1):
        fractions[i] = min(fractions[i], fractions[i + 1] - LEAST_STEP)
    if fractions[0] <= 0:
        return rule_of(plan, looks[-1])
    return rule_of(plan, looks[-1], tuple(fractions.tolist()), times)


def _boundary(rules: NDArray[np.object_], level: float, *, tests: bool | NDArray[np.bool_], joins: bool) -> Boundary:
    """One boundary for all looks and comparisons at this level, with p-values where they are asked for."""
    first = cast(Rule, rules.flat[0])
    if first.plan.method is not Method.GROUP_SEQUENTIAL:
        return first(level)
    own = np.empty(rules.shape, dtype=object)
    own.reshape(-1)[:] = [rule(level) for rule in rules.flat]
    return EachCell(own, level, tests=tests, joins=joins)


def _running(e: Estimates) -> Estimates:
    """The last look with the intersection of all intervals and the smallest p-value so far.

    Where the looks contradict each other the last look's own interval stands: an effect that changes has no value that
    was in all of them, and each look's interval still holds for the effect at its time.
    """
    if e.shape[0] == 1:
        return _look(e, 0)
    lower, upper, contradicted = _intersected(e)
    p = running_minimum(e.p_value, axis=0)
    last = _look(e, -1)
    return replace(
        last,
        lower=np.where(last.determined, np.where(contradicted, last.lower, lower), np.nan),
        upper=np.where(last.determined, np.where(contradicted, last.upper, upper), np.nan),
        p_value=np.where(last.determined, p[-1], np.nan),
    )


def _intersected(e: Estimates) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Ends of the intersection at the last look, and where that look's own estimate lies outside of it."""
    lower, upper = (ends[-1] for ends in running_intersection(e.lower, e.upper, axis=0))
    value = e.value[-1]
    return lower, upper, np.asarray((value < lower) | (value > upper))


def _against_margin(p: Floats, metrics: tuple[Metric, ...], absolute: Estimates, relative: Estimates) -> Floats:
    """The smallest p-value of all looks, of the last one where the looks contradict each other, as for intervals."""
    unlike = [_intersected(e)[2] for e in (absolute, relative)]
    contradicted = np.where([metric.margin_absolute for metric in metrics], *unlike)
    smallest = np.min(np.where(np.isnan(p), np.inf, p), axis=0)
    return np.asarray(np.where(contradicted | np.isinf(smallest), p[-1], smallest))


def _deciding_sign(absolute: Estimates) -> Floats:
    p = np.where(np.isnan(absolute.p_value), np.inf, absolute.p_value)
    # Of equal p-values the latest look speaks.
    at = len(p) - 1 - np.argmin(p[::-1], axis=0)
    return np.asarray(np.sign(np.take_along_axis(absolute.value, at[None], axis=0)[0]))


def _futile(rules: NDArray[np.object_], absolute: Estimates, metrics: tuple[Metric, ...]) -> NDArray[np.bool_]:
    last = _look(absolute, -1)
    bound = np.vectorize(lambda rule: rule.futility(), otypes=[np.float64])(rules[-1])
    good = np.array([1.0 if metric.direction == "increase" else -1.0 for metric in metrics])
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(good * last.value / last.se < bound)


def _notes(batch: Batch, design: Design, control: int, pooled: NDArray[np.bool_]) -> dict[str, tuple[str, ...]]:
    """How strata and epochs were joined, whether their effects differ, and what the looks before now rest on."""
    notes = _by_stratum(batch, control, pooled)
    for metric in batch.metrics:
        if batch.grid.days and metric.is_open and not batch.known:
            said = SEQUENTIAL_OPEN if design.plan.method is not Method.FIXED else FIXED_OPEN
            notes[metric.name] = (*notes.get(metric.name, ()), said)
    return notes


def _by_stratum(batch: Batch, control: int, pooled: NDArray[np.bool_]) -> dict[str, tuple[str, ...]]:
    if len(batch.grid.strata) == 1:
        return {}
    what = "epochs" if any(epoch is not None for epoch, _ in batch.grid.strata) else "strata"
    own = [outcome(m, batch.outcome) for m in batch.by_stratum(control)]
    p_values = cochran(difference(own[0], own[1]), axis=0).p_value
    notes: dict[str, tuple[str, ...]] = {}
    for j, metric in enumerate(batch.metrics):
        together = f"Weighted over {len(batch.grid.strata)} {what} by the units of both arms."
        if pooled[..., j].any():
            together = f"The {what} are pooled, because an arm has too few units in one of them."
        known = p_values[:, j][~np.isnan(p_values[:, j])]
        if len(known):
            p = min(1.0, float(known.min()) * len(known))
            differ = "differ" if p <= 0.05 else "do not differ"
            notes[metric.name] = (together, f"The effects of the {what} {differ} ({p_words(p)}).")
        else:
            notes[metric.name] = (together,)
    return notes


def _stacked(each: list[Arm]) -> Arm:
    def stack(name: str) -> Floats | None:
        values = [getattr(arm, name) for arm in each]
        return None if values[0] is None else np.stack([value[:, 0] for value in values])

    n, value, var, skewness = (np.stack([getattr(a, f)[:, 0] for a in each]) for f in ("n", "value", "var", "skewness"))
    return Arm(n, value, var, skewness, *(stack(name) for name in ("baseline", "baseline_var", "baseline_cov")))


def _last(arm: Arm) -> Arm:
    return Arm(arm.n[-1][:, None], arm.value[-1][:, None], arm.var[-1][:, None], arm.skewness[-1][:, None])


def _sums(m: Moments) -> tuple[Floats, Floats]:
    return m.mean[..., 0] * m.n, m.mean[..., 1] * m.n


def _look(e: Estimates, k: int) -> Estimates:
    return reshaped(e, lambda a: a[k])


def _one_group(e: Estimates) -> Estimates:
    return reshaped(e, lambda a: a[:, None])


def _tables(table: tuple[Floats, Floats, Floats, Floats]) -> tuple[Floats, Floats, Floats, Floats]:
    """Tables (treatment, one group, metric) as (one look, treatment, metric)."""
    x_c, n_c, x_t, n_t = (np.moveaxis(a, 1, 0) for a in table)
    return x_c, n_c, x_t, n_t
