"""Sample size, runtime and detectable effect of an experiment, under every method side by side.

The sample is the largest that any of the plan's comparisons needs: each success metric at its corrected alpha, each
guardrail at its margin, all with beta divided over guardrails + 1 (Schultzberg, Ankargren, Franberg 2024). The whole
decision rule is then simulated at that size (`operating`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from paribus.errors import InputError
from paribus.experiments.family import families
from paribus.experiments.operating import Characteristics, characteristics, truths_of
from paribus.experiments.plan import Design, Kind, Method, Plan, Prior, Variant
from paribus.experiments.population import Population
from paribus.experiments.sample_size import Comparison, Reader
from paribus.metrics.definition import Metric, MetricType, Role
from paribus.stats.estimate import Undetermined
from paribus.stats.metric_power import power_per_metric
from paribus.stats.runtime import Arrivals, constant_arrivals, runtime_days

if TYPE_CHECKING:
    from paribus.charts import Figure
    from paribus.experiments.document import Document
    from paribus.warehouse.engine import Engine

Progress = Callable[[float, str], None]
MDE_DAYS = 14
MOST_LOOKS = 8
LOOKS_WITHOUT_CALENDAR = 4
LOSS_SHARE = 0.05  # a loss threshold where the plan has none, as a share of the effect to detect


@dataclass(frozen=True, slots=True)
class MethodSize:
    """What one method needs; units are those of all arms together unless said.

    per_arm         largest sample, in the smallest treatment arm
    expected_h1     expected sample when the success metric's effect is as planned (it stops early), h0 when there is none
    days            until the largest sample has arrived and matured, in full weeks; None without arrivals
    false_positive  probability that the first success metric is shown better without any effect
    detectable      relative effect of the first success metric found with the planned power after `MDE_DAYS` days
    looks           days of the looks, or their number's fractions without a calendar
    binding         the metric that asks for the most
    """

    method: Method
    per_arm: int
    maximum: int
    expected_h1: float
    expected_h0: float
    days: int | Undetermined | None
    days_h1: int | Undetermined | None
    days_h0: int | Undetermined | None
    false_positive: float
    detectable: float | None
    looks: tuple[int, ...]
    binding: str


@dataclass(frozen=True, slots=True)
class Curve:
    """One method's detectable relative effect and power for the planned effect, by days (or units without arrivals)."""

    name: str
    x: tuple[float, ...]
    detectable: tuple[float, ...]
    power: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Sizing:
    """The answer to "how many, how long, how small": sizes by method, curves, and the whole rule as simulated.

    metric        the first success metric, whose baseline and effect head the table
    plain         the deciding method's size without CUPED, where CUPED helps
    by_metric     units of all arms that each comparison asks for, under the deciding method
    x             what the curves run over: "days" or "units"
    """

    title: str
    metric: str
    baseline: float
    sd: float
    mde: float
    plan: Plan
    arms: int
    guardrails: int
    daily_units: float | None
    sizes: tuple[MethodSize, ...]
    by_metric: Mapping[str, int]
    curves: tuple[Curve, ...]
    x: str
    rule: tuple[Characteristics, ...]
    plain: MethodSize | None = None
    plain_curve: Curve | None = None
    variance_reduction: float = 0.0
    is_share: bool = False
    notes: tuple[str, ...] = ()
    seed: int = 0

    @property
    def chosen(self) -> MethodSize:
        """The deciding method's size."""
        return next(size for size in self.sizes if size.method is self.plan.method)

    def text(self) -> str:
        """The sizing as a paper's table, at most 80 columns wide."""
        from paribus.experiments.sizing_text import text

        return text(self)

    def to_dict(self) -> dict[str, Any]:
        """The sizing as plain JSON values."""
        from paribus.experiments.sizing_text import plain

        return plain(self)

    def plot(self, *, width: float = 720) -> Figure:
        """The detectable effect against days (or units), one curve per method; `save("power.svg")` writes it."""
        from paribus.experiments.sizing_text import plot

        return plot(self, width=width)

    def __repr__(self) -> str:
        return self.text()

    def _repr_svg_(self) -> str:
        return self.plot().svg


@dataclass(frozen=True, slots=True)
class Setting:
    """Everything a sizing follows from.

    effects     planned relative effects of the success metrics, as sizes
    window      days a unit needs to mature
    """

    design: Design
    populations: Mapping[str, Population]
    effects: Mapping[str, float]
    arrivals: Arrivals | None = None
    daily_units: float | None = None
    window: int = 0
    notes: tuple[str, ...] = field(default=())


def from_numbers(
    *,
    baseline: float | None,
    sd: float | None = None,
    mde: float | None = None,
    daily_units: float | None = None,
    plan: Plan | None = None,
    arms: int = 2,
    guardrails: int = 0,
    seed: int = 0,
    progress: Progress | None = None,
) -> Sizing:
    """The sizing of one success metric from numbers that someone states; guardrails are taken to be alike.

    Args:
        baseline: control's share in (0, 1), or with `sd` the mean of any metric.
        sd: standard deviation per unit.
        mde: relative effect to detect, positive (0.03 for 3%).
        daily_units: new units per day, all arms together; without it there is no runtime.
        plan: the deciding method and its levels.
        arms: the control included; treatments are compared with it, at an alpha corrected for their number.
        guardrails: each with the metric's own variance and the effect to detect as its margin.
        seed: of the simulation.
        progress: called with the share done and a word.

    Raises:
        InputError: a number is missing or cannot be what is meant; the message says what to write.
    """
    plan = plan or Plan()
    baseline, mde = _checked_baseline(baseline, sd), _checked_mde(mde)
    _check_counts(daily_units, arms, guardrails)
    if sd is None and baseline * (1 + mde) >= 1:
        raise InputError(
            f"{mde:.3g} more than {baseline:.3g} is {baseline * (1 + mde):.3g}, and no proportion is above 1",
            where="mde",
            rule="the effect is relative: 0.03 turns 0.12 into 0.1236",
            fix=f"write less than {1 / baseline - 1:.3g}",
        )
    kind = MetricType.PROPORTION if sd is None else MetricType.MEAN
    variance = baseline * (1 - baseline) if sd is None else sd**2
    metrics = [Metric("success", kind)]
    metrics += [
        Metric(f"guardrail {i + 1}", kind, role=Role.GUARDRAIL, margin=mde) for i in range(guardrails)
    ]
    populations = {m.name: Population(m, ("y",), np.array([baseline]), np.array([[variance]])) for m in metrics}
    names = ["control", "treatment", *(f"treatment {i}" for i in range(2, arms))]
    design = Design(
        key="design",
        kind=Kind.AB,
        interference="none because it is assumed",
        variants=tuple(Variant(name, 1 / arms) for name in names),
        control="control",
        metrics=tuple(metrics),
        plan=plan,
    )
    notes: list[str] = []
    if guardrails:
        notes.append(
            f"Guardrails are taken to have the metric's own variance and a margin of {_percent(mde)}; "
            "with experiment.yaml each has its own."
        )
    arrivals = constant_arrivals(daily_units) if daily_units else None
    setting = Setting(design, populations, {"success": mde}, arrivals, daily_units, notes=tuple(notes))
    return size(setting, seed=seed, progress=progress)


def from_history(
    document: Document,
    engine: Engine,
    *,
    mde: float | None = None,
    daily_units: float | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Sizing:
    """The sizing of an experiment file from its own history: baselines, variances, CUPED and arrivals as measured.

    Args:
        document: the experiment; its plan gives method, levels, margins and, as `smallest_worthwhile`, effects.
        engine: what answers queries about its data.
        mde: relative effect to detect in every success metric, instead of the plan's.
        daily_units: instead of the arrivals seen in history.
        seed: of the simulation.
        progress: called with the share done and a word.

    Raises:
        InputError: no history, no effect to detect, or no metric that can be sized.
        EngineError: the engine failed.
    """
    from paribus.experiments.history import look

    if mde is not None:
        mde = _checked_mde(mde)
    _check_counts(daily_units, 2, 0)
    if progress is not None:
        progress(0.0, "reading the history")
    past = look(document, engine)
    design = document.design
    effects = planned_effects(document, past.populations, mde)
    arrivals = constant_arrivals(daily_units) if daily_units else past.arrivals
    setting = Setting(
        design=design,
        populations=past.populations,
        effects=effects,
        arrivals=arrivals,
        daily_units=daily_units or past.daily_units,
        window=max((m.window_days or 0 for m in design.metrics if m.name in past.populations), default=0),
        notes=past.notes,
    )
    return size(setting, seed=seed, progress=progress)


def planned_effects(
    document: Document, populations: Mapping[str, Population], mde: float | None
) -> dict[str, float]:
    """The relative effects that the success metrics are planned for, by metric.

    Raises:
        InputError: neither an argument nor the plan says, or no success metric can be sized.
    """
    worth = document.design.plan.smallest_worthwhile
    success = [m.name for m in document.design.metrics if m.role is Role.SUCCESS and m.name in populations]
    if not success:
        raise InputError(
            "no success metric can be sized",
            where=document.position("metrics"),
            rule="a sample size follows from the mean and variance of a success metric",
            fix="give a mean, proportion, count or ratio the role success",
        )
    effects = {name: mde if mde is not None else worth.get(name) for name in success}
    known = {name: effect for name, effect in effects.items() if effect}
    if not known:
        raise InputError(
            "the effect to detect is missing",
            where=document.position("plan.smallest_worthwhile"),
            rule="a sample size follows from the smallest effect that is worth finding",
            fix=f"--mde 3%, or in the plan: smallest_worthwhile: {{{success[0]}: 3%}}",
        )
    return known


def size(setting: Setting, *, seed: int = 0, progress: Progress | None = None) -> Sizing:
    """The sizing that follows from a setting; the deciding method's rule is simulated at its own size."""
    design, plan = setting.design, setting.design.plan
    compared = comparisons(design, setting.populations, setting.effects, adjusted=plan.cuped)
    first = compared[0]
    raw = comparisons(design, setting.populations, setting.effects, adjusted=False)
    reduction = 1 - first.variance / raw[0].variance if raw[0].variance > 0 else 0.0
    notes = list(setting.notes)
    fixed_total = _scaled(design, max(_total(Reader(plan_for(plan, Method.FIXED, first)), compared)))
    calendar = _days(setting, fixed_total)
    sizes, readers = [], {}
    for method in Method:
        own = plan_for(plan, method, first)
        looks = _looks(plan, method, calendar)
        fractions = tuple(day / looks[-1] for day in looks) if looks else _even(method)
        reader = readers[method] = Reader(own, fractions)
        sizes.append(_method_size(setting, method, reader, looks, compared))
    chosen = next(s for s in sizes if s.method is plan.method)
    by_metric = {
        c.metric: int(np.ceil(_scaled(design, total)))
        for c, total in zip(compared, _total(readers[plan.method], compared), strict=True)
    }
    plain = plain_curve = None
    xs, x = _abscissa(setting, sizes)
    if reduction > 1e-3:
        plain = _method_size(setting, plan.method, readers[plan.method], chosen.looks, raw)
        plain_curve = _curve("without CUPED", setting, readers[plan.method], raw[0], xs, x)
    rule_looks = chosen.looks or tuple(7 * (i + 1) for i in range(len(readers[plan.method].fractions)))
    if plan.method is Method.ANYTIME and not chosen.looks:
        rule_looks = tuple(7 * (i + 1) for i in range(LOOKS_WITHOUT_CALENDAR))
    deciding = replace(design, plan=plan_for(plan, plan.method, first))
    populations = setting.populations
    found = characteristics(
        deciding,
        populations,
        truths_of(design, setting.effects, populations),
        units=max(chosen.maximum, 2 * len(design.variants)),
        looks=rule_looks,
        seed=seed,
        progress=progress,
    )
    if plan.method is Method.BAYESIAN and plan.loss_threshold is None:
        notes.append(
            f"The plan has no loss threshold; {_percent(deciding.plan.loss_threshold or 0)} is taken, "
            f"{_percent(LOSS_SHARE)} of the effect to detect."
        )
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
        plain=plain,
        plain_curve=plain_curve,
        variance_reduction=max(reduction, 0.0),
        is_share=setting.populations[first.metric].is_share,
        notes=tuple(notes),
        seed=seed,
    )


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
    found = []
    for metric in (*(m for m in design.metrics if m.name in effects), *guarded):
        population = populations[metric.name]
        # A table of counts has no covariates; where there are covariates a share is adjusted as a mean.
        moment = population.variance(adjusted=adjusted)
        success = metric.role is Role.SUCCESS
        margin = metric.margin or 0.0
        size = effects[metric.name] if success else margin
        distance = size if not success and metric.margin_absolute else size * abs(moment.value)
        if not distance > 0 or not moment.variance > 0:
            raise InputError(
                f"{metric.name} is {moment.value:.4g} for every unit"
                if moment.value
                else f"the value of {metric.name} is zero, and an effect relative to zero is not defined",
                where=f"metrics.{metric.name}",
                rule="a sample size follows from a mean that is not zero and a variance that is not zero",
                fix="is the history the right one, and does the metric read what is meant?",
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
                prior=plan.priors.get(metric.name, Prior()),
            )
        )
    return found


def plan_for(plan: Plan, method: Method, first: Comparison) -> Plan:
    """The plan with another deciding method; a Bayesian one without a loss threshold gets one from the effect."""
    threshold = plan.loss_threshold
    if method is Method.BAYESIAN and threshold is None:
        threshold = LOSS_SHARE * first.distance / abs(first.baseline)
    return replace(plan, method=method, loss_threshold=threshold if method is Method.BAYESIAN else plan.loss_threshold)


def _method_size(
    setting: Setting, method: Method, reader: Reader, looks: tuple[int, ...], compared: Sequence[Comparison]
) -> MethodSize:
    design = setting.design
    totals = _total(reader, compared)
    at = int(np.argmax(totals))
    first, pair = compared[0], max(totals)
    maximum = max(_scaled(design, pair), design.plan.min_sample_size / min(_weights(design)))
    h1, h0 = (reader.expected_fraction(first, pair, effect=effect) * maximum for effect in (True, False))
    detectable = None
    if setting.arrivals is not None:
        arrived = setting.arrivals(float(max(MDE_DAYS - setting.window, 0)))
        detectable = _detectable(reader, first, arrived * pair / _scaled(design, pair))
    smallest = min(variant.weight for variant in design.variants if variant.name != design.control)
    per_arm = int(np.ceil(maximum * smallest / sum(_weights(design)) * (1 - 1e-12)))
    whole = sum(int(np.ceil(maximum * w / sum(_weights(design)) * (1 - 1e-12))) for w in _weights(design))
    return MethodSize(
        method=method,
        per_arm=per_arm,
        maximum=whole,
        expected_h1=h1,
        expected_h0=h0,
        days=_days(setting, maximum),
        days_h1=_days(setting, h1),
        days_h0=_days(setting, h0),
        false_positive=reader.false_positive(first, pair),
        detectable=detectable,
        looks=looks,
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


def _looks(plan: Plan, method: Method, calendar: int | Undetermined | None) -> tuple[int, ...]:
    """Days of the looks: the plan's own, else weekly up to the fixed runtime and at most `MOST_LOOKS`."""
    if method is Method.FIXED:
        return ()
    if plan.looks and plan.method is method:
        return tuple(plan.looks)
    if not isinstance(calendar, int):
        return ()
    weeks = max(calendar // 7, 2)
    count = min(weeks, MOST_LOOKS)
    return tuple(sorted({round(7 * weeks * (i + 1) / count) for i in range(count)}))


def _even(method: Method) -> tuple[float, ...]:
    if method in (Method.GROUP_SEQUENTIAL, Method.BAYESIAN):
        return tuple((i + 1) / LOOKS_WITHOUT_CALENDAR for i in range(LOOKS_WITHOUT_CALENDAR))
    return (1.0,)


def _detectable(reader: Reader, c: Comparison, pair: float) -> float:
    return reader.detectable(c, pair) / abs(c.baseline) if pair >= 2 * (1 + c.ratio) else float("inf")


def _abscissa(setting: Setting, sizes: Sequence[MethodSize]) -> tuple[tuple[float, ...], str]:
    """Weeks up to twice the longest runtime, or units up to twice the largest sample."""
    days = [s.days for s in sizes if isinstance(s.days, int)]
    if setting.arrivals is not None and days:
        last = min(max(2 * min(days), max(days), 28), 182)
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


def _checked_baseline(baseline: float | None, sd: float | None) -> float:
    if baseline is None:
        raise InputError(
            "the control's value is missing",
            where="baseline",
            rule="a sample size needs what the metric is now, or an experiment.yaml with history",
            fix="--baseline 0.12 for a share of 12%, or --baseline 40 --sd 85 for a mean",
        )
    if sd is not None:
        if not (np.isfinite(sd) and sd > 0):
            raise InputError(f"a standard deviation of {sd:g}", where="sd", rule="it is positive", fix="--sd 85")
        if not np.isfinite(baseline) or baseline == 0:
            raise InputError(
                f"a mean of {baseline:g}",
                where="baseline",
                rule="the effect is relative to the mean, so the mean is not zero",
                fix="give the mean of the metric without the feature",
            )
        return baseline
    if 1 <= baseline < 100:
        raise InputError(
            f"a proportion of {baseline:g}",
            where="baseline",
            rule="without --sd the metric is a proportion, between 0 and 1",
            fix=(f"write {baseline / 100:g} or {baseline:g}% if it is {baseline:g}%; " if baseline > 1 else "")
            + f"if it is a mean, add its standard deviation: --baseline {baseline:g} --sd …",
        )
    if not 0 < baseline < 1:
        raise InputError(
            f"a proportion of {baseline:g}",
            where="baseline",
            rule="without --sd the metric is a proportion, between 0 and 1 and neither of them",
            fix=f"if it is a mean, add its standard deviation: --baseline {baseline:g} --sd …",
        )
    return baseline


def _checked_mde(mde: float | None) -> float:
    if mde is None:
        raise InputError(
            "the effect to detect is missing",
            where="mde",
            rule="the smaller the effect, the larger the sample",
            fix="--mde 3% for the smallest relative effect that is worth finding",
        )
    if mde == 0 or not np.isfinite(mde):
        raise InputError(
            "an effect of zero needs infinitely many units" if mde == 0 else f"an effect of {mde:g}",
            where="mde",
            rule="the effect to detect is a positive share of the baseline",
            fix="--mde 3%",
        )
    if mde < 0:
        raise InputError(
            f"an effect of {mde:g}",
            where="mde",
            rule="the effect to detect is a size; tests are two-sided",
            fix=f"write {-mde:g}",
        )
    if mde > 1:
        raise InputError(
            f"an effect of {mde:g} is {mde:.0%} of the baseline",
            where="mde",
            rule="the effect is relative: 0.03 or 3% turns 0.12 into 0.1236",
            fix=f"write {mde / 100:g} or {mde:g}%",
        )
    return mde


def _check_counts(daily_units: float | None, arms: int, guardrails: int) -> None:
    if daily_units is not None and not (np.isfinite(daily_units) and daily_units > 0):
        raise InputError(
            f"{daily_units:g} units a day", where="daily units", rule="it is positive", fix="--daily-units 4000"
        )
    if arms < 2:
        raise InputError(f"{arms} arm", where="arms", rule="a control and at least one treatment", fix="--arms 2")
    if guardrails < 0:
        raise InputError(f"{guardrails} guardrails", where="guardrails", rule="not negative", fix="--guardrails 0")


def _percent(share: float) -> str:
    from paribus.charts import numbers

    return numbers.significant(share * 100, 2) + "%"
