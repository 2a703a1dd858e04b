"""How the looks to come may end under a group-sequential plan, and where other boundaries have this look.

The plan's own boundary at its own looks, at each hypothesis' share of alpha: the chance that a later look shows the
treatment better, given what is known now (Lan, Simon, Halperin 1982; Jennison, Turnbull 2000, ch. 10), and the effect
that the units to come must show for the last look to show it. Futility bounds are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from paribus.experiments import looks
from paribus.experiments.effects import Arms, arms, control_of
from paribus.experiments.layout import Batch, is_share
from paribus.experiments.plan import Design, Method, Plan
from paribus.experiments.reading import Reading, Rule
from paribus.experiments.sensitivity.findings import LaterLooks
from paribus.metrics.definition import SHARES, Metric, Role
from paribus.stats.arm import Arm, difference
from paribus.stats.estimate import Floats
from paribus.stats.group_sequential import GroupSequentialDesign, group_sequential_design
from paribus.stats.gsd_inference import (
    GroupSequentialLook,
    arms_by_look,
    conditional_power,
    information_of_means,
)
from paribus.stats.reading import z_statistic
from paribus.stats.spending import OBRIEN_FLEMING, POCOCK

# How many times the pace so far the units to come are searched for the effect that they must show.
_FARTHEST = 100.0


@dataclass(frozen=True, slots=True)
class _Now:
    """A comparison at the look that is read: arms as the plan compares them, and its looks up to now.

    z     statistics of the looks up to now, positive where treatment is better
    good  1 where more of the metric is better, else -1
    """

    control: Arm
    treatment: Arm
    z: Floats
    good: float

    @property
    def units(self) -> float:
        return float(self.control.n + self.treatment.n)


def later_looks(
    batch: Batch, design: Design, read: Reading, levels: Floats, adjust: NDArray[np.bool_]
) -> Iterator[LaterLooks]:
    """Every success metric in every treatment arm; nothing at the last look, or where nothing is known by day.

    Args:
        batch, design: the metrics.
        read: what the plan allows now.
        levels: 1 less each hypothesis' share of alpha, axes (treatment, metric).
        adjust: whether covariates adjust, same axes.
    """
    plan, last = design.plan, read.looks[-1]
    if plan.method is not Method.GROUP_SEQUENTIAL or not plan.looks or last.final:
        return
    panel = looks.whole(batch, design, read, levels, adjust)
    both = arms(batch, looks.pairs_at(batch, last, control_of(design)), adjust[:, None, :])
    treatments = [variant.name for variant in design.variants if variant.name != design.control]
    for t, m in np.ndindex(*levels.shape):
        metric = batch.metrics[m]
        if metric.role is not Role.SUCCESS or panel.series is None or panel.rules is None:
            continue
        good = 1.0 if metric.direction == "increase" else -1.0
        rule = cast(Rule, panel.rules[-1, t, m])
        now = _now(good, z_statistic(panel.series.absolute)[:, t, m], both, t, m)
        if now is None or len(now.z) != len(rule.information):
            continue
        units = _units_to_come(design, treatments[t], last.number, now.units)
        if units is not None:
            whole = _all_looks(plan, rule, last.number, float(levels[t, m]), units / now.units)
            yield _ahead(plan, metric, treatments[t], last.number, whole, now, units)


def _units_to_come(design: Design, treatment: str, number: int, now: float) -> Floats | None:
    """Units of control and this arm that come until each later look, spread over the days of the plan.

    Those that are planned and not there yet; without planned units as many a day as until now; None where none is.
    """
    days = np.array(sorted(design.plan.looks), dtype=np.float64)
    if design.plan.planned_units:
        weight = {variant.name: variant.weight for variant in design.variants}
        share = (weight[design.control] + weight[treatment]) / sum(weight.values())
        left = design.plan.planned_units * share - now
    else:
        left = now * (days[-1] / days[number - 1] - 1)
    return left * np.diff(days[number - 1 :]) / (days[-1] - days[number - 1]) if left > 0 else None


def _all_looks(plan: Plan, rule: Rule, number: int, level: float, growth: Floats) -> GroupSequentialDesign:
    """The plan's design with the looks up to now as they came, and those to come if units tell as much as until now.

    Args:
        plan, level: what is planned, and 1 less the hypothesis' share of alpha.
        rule: of the look that is read.
        number: which of the planned ones it is.
        growth: units that come until each later look, over those that there are.
    """
    days, reached = sorted(plan.looks), rule.information[-1]
    information = (*rule.information, *(reached * (1 + np.cumsum(growth))).tolist())
    times = (*rule.times, *(day / days[-1] for day in days[number:])) if rule.times else ()
    boundary = replace(rule, information=information, final=True, times=times)(level)
    return cast(GroupSequentialLook, boundary).design


def _now(good: float, statistics: Floats, both: Arms, t: int, m: int) -> _Now | None:
    z = good * statistics[np.isfinite(statistics)]
    control, treatment = (
        Arm(a.n[t, 0, m], a.value[t, 0, m], a.var[t, 0, m], a.skewness[t, 0, m]) for a in (both.control, both.treatment)
    )
    known = len(z) and control.n > 1 and treatment.n > 1 and float(control.var + treatment.var) > 0
    return _Now(control, treatment, z, good) if known else None


def _ahead(
    plan: Plan,
    metric: Metric,
    treatment: str,
    number: int,
    whole: GroupSequentialDesign,
    now: _Now,
    units: Floats,
) -> LaterLooks:
    at = len(now.z)
    fractions = np.array(whole.information) / whole.information[-1]
    effect = float(now.treatment.value - now.control.value)
    shown = bool(np.any(np.abs(now.z) >= np.array(whole.critical[:at])))
    worth = plan.smallest_worthwhile.get(metric.name)
    worthwhile = None if worth is None else worth * abs(float(now.control.value))
    shapes = [
        group_sequential_design(shape, information=fractions, alpha=whole.alpha).critical[at - 1]
        for shape in (OBRIEN_FLEMING, POCOCK)
    ]
    return LaterLooks(
        metric=metric.name,
        treatment=treatment,
        look=number,
        looks=len(plan.looks),
        units=now.units,
        units_to_come=float(units.sum()),
        statistic=float(now.z[-1]),
        boundary=float(whole.critical[at - 1]),
        obrien_fleming=float(shapes[0]),
        pocock=float(shapes[1]),
        shown=shown,
        is_share=metric.type in SHARES or is_share(metric),
        effect=effect,
        chance_as_seen=None if shown else _chance(whole, now, now.good * effect, units),
        chance_if_worthwhile=None if shown or worthwhile is None else _chance(whole, now, worthwhile, units),
        rest_must_show=None if shown else _must_show(whole, now, float(units.sum())),
    )


def _chance(whole: GroupSequentialDesign, now: _Now, effect: float, units: Floats) -> float:
    """The chance that a later look shows the treatment better if this is the effect, in the better direction."""
    ratio = float(now.treatment.n / now.control.n)
    se = float(np.hypot(now.control.se, now.treatment.se))
    # The standard deviation with which as many units as there are now have the standard error that they have.
    sd = se * np.sqrt(now.units * ratio) / (1 + ratio)
    to_come = information_of_means(units, sd, ratio)
    return conditional_power(whole, float(now.z[-1]), len(now.z), effect=effect, information=to_come)


def _must_show(whole: GroupSequentialDesign, now: _Now, units: float) -> float | None:
    """The effect of the units to come with which the last look just shows the treatment better, with control as now."""
    from scipy.optimize import brentq

    more = units / now.units
    control = _with_stage(now.control, more, float(now.control.value))
    reach = _FARTHEST * float(np.sqrt(now.control.var + now.treatment.var) / np.sqrt(now.units))

    def beyond(effect: float) -> float:
        treatment = _with_stage(now.treatment, more, float(now.control.value) + effect)
        return now.good * float(z_statistic(difference(control, treatment))[-1]) - whole.critical[-1]

    if not beyond(-reach) * beyond(reach) < 0:
        return None
    return float(brentq(beyond, -reach, reach))


def _with_stage(arm: Arm, more: float, mean: float) -> Arm:
    """The arm at the end, when `more` times as many units have come whose mean is `mean` and that spread alike."""
    sd = float(np.sqrt(arm.var))
    return arms_by_look([float(arm.n), float(arm.n) * more], [float(arm.value), mean], [sd, sd])
