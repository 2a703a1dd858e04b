"""Early indicators: leading metrics that a plan names, read at any time, each by a rule of its own.

A plan that is read once says nothing for weeks; a leading metric may speak earlier, if its own error is kept. Each is
read by a confidence sequence (Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas 2021), which holds at all times together, at
the plan's level divided over indicators and arms: of experiments without any effect at most one in twenty ever sees a
bad or a good sign. A bad sign warns or holds the ramp. A good one is no success: nothing here touches the verdict.
"""

from __future__ import annotations

from typing import Literal

from paribus.charts.numbers import count, interval, number
from paribus.experiments.effects import N_OPT
from paribus.experiments.plan import Design, Indicator
from paribus.experiments.result import EarlyIndicator, Quantity
from paribus.metrics.cells import Measurement
from paribus.metrics.definition import Metric, MetricType
from paribus.stats.anytime import AsymptoticSequence
from paribus.stats.arm import Arm, mean, ratio
from paribus.stats.estimate import Estimate, Reason, Undetermined
from paribus.stats.relative import lift

EARLY = 4
"""A sequence is tightest at a quarter of the units that the plan's own would be: an early sign is wanted early."""
FEWEST = 100
"""Units of an arm below which a sequence for large samples is not read."""

State = Literal["bad sign", "good sign", "nothing yet", "undetermined"]


def early_indicators(design: Design, measurement: Measurement) -> tuple[EarlyIndicator, ...]:
    """Every indicator of the plan in every treatment arm, whether or not the plan allows a reading of effects now."""
    plan = design.plan
    treatments = [variant.name for variant in design.variants if variant.name != design.control]
    named = {metric.name: metric for metric in design.metrics}
    kept = [each for each in plan.early_indicators if each.metric in named]
    if not kept:
        return ()
    level = 1 - (1 - plan.confidence_level) / (len(kept) * len(treatments))
    sequence = AsymptoticSequence(float(plan.n_opt or plan.planned_units or N_OPT) / EARLY, level)
    return tuple(
        _read(each, named[each.metric], design.control, arm, measurement, sequence)
        for each in kept
        for arm in treatments
    )


def _read(
    of: Indicator, metric: Metric, control: str, treatment: str, measurement: Measurement, sequence: AsymptoticSequence
) -> EarlyIndicator:
    arms = [_arm(metric, measurement, name) for name in (control, treatment)]
    units = sum(0 if arm is None else int(arm.n) for arm in arms)
    relative: Quantity = Undetermined(Reason.TOO_FEW_UNITS)
    if arms[0] is not None and arms[1] is not None and min(int(arm.n) for arm in arms if arm) >= FEWEST:
        relative = lift(arms[0], arms[1], boundary=sequence).at()
    good = 1.0 if metric.direction == "increase" else -1.0
    state = _state(relative, good, of.worse_than)
    return EarlyIndicator(
        of.metric,
        treatment,
        of.rule,
        of.worse_than,
        units,
        relative,
        state,
        _sentence(of, treatment, units, relative, state),
    )


def _arm(metric: Metric, measurement: Measurement, variant: str) -> Arm | None:
    """All matured units of one variant; None where there are none."""
    cells = measurement.cells.get(metric.name)
    if cells is None:
        return None
    own = [i for i, key in enumerate(cells.keys) if key.attribute is None and key.variant == variant]
    if not own:
        return None
    moments = cells.moments.take(own).total()
    if metric.type is MetricType.RATIO:
        return ratio(moments, "y", "d")
    return mean(moments, "y")


def _state(relative: Quantity, good: float, worse_than: float) -> State:
    if not isinstance(relative, Estimate):
        return "undetermined"
    low, high = sorted((good * relative.lower, good * relative.upper))
    if high < -worse_than:
        return "bad sign"
    return "good sign" if low > 0 else "nothing yet"


def _sentence(of: Indicator, arm: str, units: int, relative: Quantity, state: State) -> str:
    if not isinstance(relative, Estimate):
        return f"{of.metric} in {arm}: {relative} ({count(units)} units)."
    spread = (relative.upper - relative.lower) / 4
    ends = interval(relative.lower, relative.upper, se=spread, unit="percent", signed=True)
    value = number(relative.value, se=spread, unit="percent", signed=True)
    what = {
        "bad sign": "a bad sign" + (": traffic is held" if of.rule == "hold" else ""),
        "good sign": "a good sign, which decides nothing",
        "nothing yet": "nothing is shown yet",
    }[state]
    return f"{of.metric} in {arm}: {value} {ends} from {count(units)} units, {what}."
