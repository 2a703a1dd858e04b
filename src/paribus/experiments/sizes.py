"""The sizes that follow from a setting: for every method the units, the days, the detectable effect, and the rule.

The sample is the largest that any of the plan's comparisons needs: each success metric at its corrected alpha, each
guardrail at its margin, all with beta divided over guardrails + 1 (Schultzberg, Ankargren, Franberg 2024). The whole
decision rule is then simulated at that size (`operating`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from paribus.charts import numbers
from paribus.errors import InputError
from paribus.experiments.assurance import assured
from paribus.experiments.family import families
from paribus.experiments.operating import Characteristics, characteristics, truths_of
from paribus.experiments.plan import Design, Method, Plan, Prior
from paribus.experiments.population import Population
from paribus.experiments.sample_size import Comparison, Reader, calibrated_loss
from paribus.experiments.sizing_result import MDE_DAYS, Curve, MethodSize, Peeking, Sizing
from paribus.metrics.definition import MetricType, Role
from paribus.stats.estimate import Undetermined
from paribus.stats.group_sequential import peeking_error
from paribus.stats.metric_power import power_per_metric
from paribus.stats.runtime import Arrivals, runtime_days
from paribus.stats.solving import normal_quantiles

Progress = Callable[[float, str], None]
MOST_LOOKS = 8
LOOKS_WITHOUT_CALENDAR = 4


@dataclass(frozen=True, slots=True)
class Setting:
    """Everything a sizing follows from.

    effects     planned relative effects of the success metrics, as sizes
    window      days a unit needs to mature
    prior       what is believed of the first success metric's relative effect, where it is not what the plan says
    """

    design: Design
    populations: Mapping[str, Population]
    effects: Mapping[str, float]
    arrivals: Arrivals | None = None
    daily_units: float | None = None
    window: int = 0
    notes: tuple[str, ...] = field(default=())
    prior: Prior | None = None


def size(
    setting: Setting, *, seed: int = 0, progress: Progress | None = None, replications: int | None = None
) -> Sizing:
    """The sizing that follows from a setting; the deciding method's rule is simulated at its own size.

    Args:
        setting: what sizes follow from.
        seed: of the simulation.
        progress: called with the share done and a word.
        replications: simulated experiments in each world; 0 simulates nothing, None takes the default.
    """
    setting = _sizable(setting)
    design, plan = setting.design, setting.design.plan
    compared = comparisons(design, setting.populations, setting.effects, adjusted=plan.cuped)
    first = compared[0]
    raw = comparisons(design, setting.populations, setting.effects, adjusted=False)
    reduction = 1 - first.variance / raw[0].variance if raw[0].variance > 0 else 0.0
    notes = list(setting.notes)
    fixed_total = _scaled(design, max(_total(Reader(replace(plan, method=Method.FIXED)), compared)))
    count = _number_of_looks(_days(setting, fixed_total))
    threshold = plan.loss_threshold or calibrated_loss(plan, _fractions(plan, Method.BAYESIAN, count), first)
    sizes, readers = [], {}
    for method in Method:
        reader = readers[method] = Reader(plan_for(plan, method, threshold), _fractions(plan, method, count))
        sizes.append(_method_size(setting, method, reader, compared, count))
    chosen = next(s for s in sizes if s.method is plan.method)
    by_metric = {
        c.metric: int(np.ceil(_scaled(design, total)))
        for c, total in zip(compared, _total(readers[plan.method], compared), strict=True)
    }
    plain = plain_curve = None
    xs, x = _abscissa(setting, sizes)
    if reduction > 1e-3:
        plain = _method_size(setting, plan.method, readers[plan.method], raw, count)
        plain_curve = _curve("without CUPED", setting, readers[plan.method], raw[0], xs, x)
    deciding = replace(design, plan=plan_for(plan, plan.method, threshold))
    populations = setting.populations
    found: tuple[Characteristics, ...] = ()
    units, looks = _simulated_end(setting, chosen, count)
    if replications != 0:
        found = characteristics(
            deciding,
            populations,
            truths_of(design, setting.effects, populations),
            units=units,
            looks=looks,
            replications=replications,
            seed=seed,
            progress=progress,
        )
    if plan.method is Method.BAYESIAN and plan.loss_threshold is None:
        notes.append(
            f"The plan has no loss threshold; {_percent(threshold)} is taken, at which the rule ships as often without "
            f"an effect as a fixed horizon. Write loss_threshold: {_percent(threshold)}."
        )
    prior = setting.prior or plan.priors.get(first.metric)
    return Sizing(
        title=design.title or design.key,
        metric=first.metric,
        baseline=first.baseline,
        sd=float(np.sqrt(raw[0].variance)),
        mde=setting.effects[first.metric],
        plan=plan,
        arms=len(design.variants),
        guardrails=sum(c.is_guardrail for c in compared),
        daily_units=setting.daily_units,
        sizes=tuple(sizes),
        by_metric=by_metric,
        curves=tuple(_curve(m.value, setting, readers[m], first, xs, x) for m in Method),
        x=x,
        rule=found,
        loss_threshold=threshold,
        type=setting.populations[first.metric].metric.type,
        first=first,
        nominal=replace(raw[0], alpha=1 - plan.confidence_level, power=plan.power),
        fractions=readers[Method.GROUP_SEQUENTIAL].fractions,
        own_fractions=readers[plan.method].fractions,
        peeking=_peeking(setting, chosen),
        assurance=None
        if prior is None
        else assured(readers[plan.method], first, units / _scaled(design, 1.0), prior, units=units),
        plain=plain,
        plain_curve=plain_curve,
        variance_reduction=max(reduction, 0.0),
        is_share=setting.populations[first.metric].is_share,
        notes=tuple(notes),
        seed=seed,
    )


def _simulated_end(setting: Setting, chosen: MethodSize, count: int) -> tuple[int, tuple[int, ...]]:
    """Units and looks at which the rule is simulated: what arrives in the plan's own runtime, else its own size.

    Units enroll up to a runtime's end and mature after it; planned looks count those that have matured by then.
    """
    plan, least = setting.design.plan, 2 * len(setting.design.variants)
    if setting.arrivals is None or plan.runtime_days is None:
        # Without arrivals a week is only a name.
        return max(chosen.maximum, least), chosen.looks or tuple(7 * (i + 1) for i in range(count))
    matures = 0 if plan.method in (Method.FIXED, Method.ANYTIME) else setting.window
    units = round(setting.arrivals(float(max(plan.runtime_days - matures, 0))))
    return max(units, least), _look_days(plan, plan.method, plan.runtime_days, count)


def _peeking(setting: Setting, chosen: MethodSize) -> Peeking | None:
    """A fixed plan read on every day on which a unit has matured, as if equally many did each day."""
    if chosen.method is not Method.FIXED or not isinstance(chosen.days, int):
        return None
    looks, alpha = max(chosen.days - setting.window, 1), 1 - setting.design.plan.confidence_level
    return Peeking(looks, alpha, peeking_error(looks, normal_quantiles(alpha, 0.5, "two-sided")))


def _sizable(setting: Setting) -> Setting:
    """The setting with the metrics that a verdict hangs on and that can be sized, and a note on the others."""
    design, notes = setting.design, list(setting.notes)
    deciding = [m for m in design.metrics if m.role is not Role.SECONDARY and m.name in setting.populations]
    constant = [m for m in deciding if m.role is Role.GUARDRAIL and not _varies(setting.populations[m.name])]
    if constant:
        deciding = [m for m in deciding if m not in constant]
        notes.append(
            f"{', '.join(m.name for m in constant)} is the same for every unit of the history, so no sample follows "
            "from it; the experiment reads it against its margin all the same."
        )
    unplanned = [m.name for m in deciding if m.role is Role.SUCCESS and m.name not in setting.effects]
    if unplanned:
        notes.append(f"No effect is planned for {', '.join(unplanned)}; the sample does not count on them.")
    unguarded = [m.name for m in deciding if m.role is Role.GUARDRAIL and not m.margin]
    if unguarded:
        notes.append(
            f"No sample shows a guardrail without a margin to be safe: {', '.join(unguarded)}. Write margin: 1%."
        )
    plan = design.plan
    success = sum(m.role is Role.SUCCESS for m in design.metrics)
    if plan.correction == "graph" and sum(m.role is Role.SUCCESS for m in deciding) < success:
        plan = replace(plan, correction="holm")
        notes.append("The graph names metrics that cannot be sized; Holm's method is assumed instead.")
    return replace(setting, design=replace(design, metrics=tuple(deciding), plan=plan), notes=tuple(notes))


def _varies(population: Population) -> bool:
    return bool(population.variance(adjusted=False).variance > 0)


def comparisons(
    design: Design, populations: Mapping[str, Population], effects: Mapping[str, float], *, adjusted: bool
) -> list[Comparison]:
    """Every hypothesis that the sample must serve: success metrics first, then guardrails with a margin."""
    plan = design.plan
    weights = {variant.name: variant.weight for variant in design.variants}
    ratio = min(w for name, w in weights.items() if name != design.control) / weights[design.control]
    guarded = [m for m in design.metrics if m.role is Role.GUARDRAIL and m.name in populations and m.margin]
    power = power_per_metric(plan.power, len(guarded))
    family = families(design)[Role.SUCCESS]
    levels = family.levels(ratio)
    found: list[Comparison] = []
    for metric in (*(m for m in design.metrics if m.name in effects), *guarded):
        population = populations[metric.name]
        # A table of counts has no covariates; where there are covariates a share is adjusted as a mean.
        moment = population.variance(adjusted=adjusted)
        success = metric.role is Role.SUCCESS
        margin = metric.margin or 0.0
        size = effects[metric.name] if success else margin
        distance = size if not success and metric.margin_absolute else size * abs(moment.value)
        if np.isnan(moment.value):
            raise InputError(
                f"no unit of the history has a value of {metric.name}",
                where=f"metrics.{metric.name}",
                rule="a metric with a window is known of the units whose window has closed",
                fix=f"a history longer than the window of {metric.window_days} days"
                if metric.window_days
                else "is the history the right one, and does the metric read what is meant?",
            )
        if not distance > 0 or not moment.variance > 0:
            raise InputError(
                f"{metric.name} is {moment.value:.4g} for every unit"
                if moment.value
                else f"the value of {metric.name} is zero, and an effect relative to zero is not defined",
                where=f"metrics.{metric.name}",
                rule="a sample size follows from a mean that is not zero and a variance that is not zero",
                fix="is the history the right one, and does the metric read what is meant?",
            )
        if success and population.is_share and metric.direction == "increase" and moment.value * (1 + size) >= 1:
            raise InputError(
                f"{size:.3g} more than {moment.value:.3g} is {moment.value * (1 + size):.3g}, "
                "and no proportion is above 1",
                where="mde",
                rule="the effect is relative: 0.03 turns 0.12 into 0.1236",
                fix=f"write less than {1 / moment.value - 1:.3g}",
            )
        own = family.metrics.index(metric.name) if success else 0
        found.append(
            Comparison(
                metric=metric.name,
                distance=distance,
                variance=moment.variance,
                baseline=moment.value,
                alpha=float(1 - levels[own].min()) if success else 1 - plan.confidence_level,
                power=power,
                ratio=ratio,
                share=population.is_share and success,
                upward=metric.direction == "increase",
                is_guardrail=not success,
                undated=metric.type is MetricType.QUANTILE or population.clustered,
                prior=plan.priors.get(metric.name, Prior()),
            )
        )
    return found


def plan_for(plan: Plan, method: Method, threshold: float) -> Plan:
    """The plan with another deciding method; `threshold` is the Bayesian one's of loss."""
    return replace(plan, method=method, loss_threshold=threshold if method is Method.BAYESIAN else plan.loss_threshold)


def _method_size(
    setting: Setting, method: Method, reader: Reader, compared: Sequence[Comparison], count: int
) -> MethodSize:
    design = setting.design
    totals = _total(reader, compared)
    at = int(np.argmax(totals))
    first, pair = compared[0], max(totals)
    maximum = max(_scaled(design, pair), design.plan.min_sample_size / min(_weights(design)))
    detectable = None
    if setting.arrivals is not None:
        arrived = setting.arrivals(float(max(MDE_DAYS - setting.window, 0)))
        detectable = _detectable(reader, first, arrived * pair / _scaled(design, pair))
    treatments = [w for w, v in zip(_weights(design), design.variants, strict=True) if v.name != design.control]
    per_arm = int(np.ceil(maximum * min(treatments) * (1 - 1e-12)))
    whole = sum(int(np.ceil(maximum * w * (1 - 1e-12))) for w in _weights(design))
    h1, h0 = (reader.expected_fraction(first, pair, effect=effect) * whole for effect in (True, False))
    days = _days(setting, whole)
    return MethodSize(
        method=method,
        per_arm=per_arm,
        maximum=whole,
        expected_h1=h1,
        expected_h0=h0,
        days=days,
        days_h1=_days(setting, h1),
        days_h0=_days(setting, h0),
        false_positive=reader.false_positive(first, pair),
        detectable=detectable,
        looks=_look_days(setting.design.plan, method, days, count),
        binding=compared[at].metric,
    )


def _total(reader: Reader, compared: Sequence[Comparison]) -> list[float]:
    return [reader.total(c) for c in compared]


def _weights(design: Design) -> list[float]:
    total = sum(variant.weight for variant in design.variants)
    return [variant.weight / total for variant in design.variants]


def _scaled(design: Design, pair: float) -> float:
    """Units in all arms, from units in control and the smallest treatment."""
    weights = {variant.name: variant.weight for variant in design.variants}
    smallest = min(w for name, w in weights.items() if name != design.control)
    return pair * sum(weights.values()) / (weights[design.control] + smallest)


def _days(setting: Setting, units: float) -> int | Undetermined | None:
    """Full weeks until so many units have arrived and their windows have closed."""
    if setting.arrivals is None:
        return None
    days = runtime_days(units, setting.arrivals, whole_weeks=False)
    return days if isinstance(days, Undetermined) else -(-(days + setting.window) // 7) * 7


def _number_of_looks(runtime: int | Undetermined | None) -> int:
    """Weekly looks over the fixed method's runtime, at most `MOST_LOOKS`."""
    if not isinstance(runtime, int):
        return LOOKS_WITHOUT_CALENDAR
    return min(max(runtime // 7, 2), MOST_LOOKS)


def _fractions(plan: Plan, method: Method, count: int) -> tuple[float, ...]:
    """The looks as shares of the end: the plan's own, else evenly spaced."""
    if method in (Method.FIXED, Method.ANYTIME):
        return (1.0,)
    if plan.looks and plan.method is method:
        return tuple(day / plan.looks[-1] for day in plan.looks)
    return tuple((i + 1) / count for i in range(count))


def _look_days(plan: Plan, method: Method, days: int | Undetermined | None, count: int) -> tuple[int, ...]:
    """Days of the looks; without a runtime there are none to name, unless the plan names its own."""
    if method is Method.FIXED:
        return ()
    if plan.looks and plan.method is method:
        return tuple(plan.looks)
    if not isinstance(days, int):
        return ()
    return tuple(sorted({max(round(days * (i + 1) / count), 1) for i in range(count)}))


def _detectable(reader: Reader, c: Comparison, pair: float) -> float:
    return reader.detectable(c, pair) / abs(c.baseline) if pair >= 2 * (1 + c.ratio) else float("inf")


def _abscissa(setting: Setting, sizes: Sequence[MethodSize]) -> tuple[tuple[float, ...], str]:
    """Weeks up to twice the longest runtime, or units up to twice the largest sample."""
    days = [s.days for s in sizes if isinstance(s.days, int)]
    if setting.arrivals is not None and days:
        last = min(max(2 * min(days), *days, 28), 182)
        first = 7 * (setting.window // 7 + 1)
        return tuple(float(d) for d in range(first, last + 1, 7)), "days"
    if setting.arrivals is not None:
        return tuple(float(d) for d in range(28, 366, 14)), "days"
    most = 2 * max(s.maximum for s in sizes)
    return tuple(float(n) for n in np.linspace(most / 20, most, 20)), "units"


def _curve(name: str, setting: Setting, reader: Reader, first: Comparison, xs: tuple[float, ...], x: str) -> Curve:
    share = 1 / _scaled(setting.design, 1.0)
    pairs = []
    for at in xs:
        arrived = at
        if x == "days" and setting.arrivals is not None:
            arrived = setting.arrivals(max(at - setting.window, 0.0))
        pairs.append(arrived * share)
    enough = [pair >= 2 * (1 + first.ratio) for pair in pairs]
    return Curve(
        name,
        xs,
        tuple(_detectable(reader, first, pair) for pair in pairs),
        tuple(reader.power(first, pair) if ok else float("nan") for pair, ok in zip(pairs, enough, strict=True)),
    )


def _percent(share: float) -> str:
    return numbers.significant(share * 100, 2) + "%"
