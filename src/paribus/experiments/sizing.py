"""Sample size, runtime and detectable effect of an experiment, from numbers that someone states or from its history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from paribus.charts import numbers
from paribus.errors import InputError
from paribus.experiments.assurance import belief
from paribus.experiments.plan import Design, Kind, Plan, Variant
from paribus.experiments.population import Population
from paribus.experiments.sizes import Progress, Setting, size
from paribus.experiments.sizing_result import Sizing
from paribus.metrics.definition import Metric, MetricType, Role
from paribus.stats.runtime import constant_arrivals

if TYPE_CHECKING:
    from paribus.experiments.document import Document
    from paribus.warehouse.engine import Engine

__all__ = ["Sizing", "from_history", "from_numbers"]


def from_numbers(
    *,
    baseline: float | None,
    sd: float | None = None,
    mde: float | None = None,
    daily_units: float | None = None,
    plan: Plan | None = None,
    arms: int = 2,
    guardrails: int = 0,
    prior: tuple[float, float] | None = None,
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
        prior: mean and standard deviation of what is believed of the relative effect; it changes no size.
        seed: of the simulation.
        progress: called with the share done and a word.

    Raises:
        InputError: a number is missing or cannot be what is meant; the message says what to write.
    """
    plan = plan or Plan()
    baseline, mde = _checked_baseline(baseline, sd), _checked_mde(mde)
    _check_counts(daily_units, arms, guardrails)
    kind = MetricType.PROPORTION if sd is None else MetricType.MEAN
    variance = baseline * (1 - baseline) if sd is None else sd**2
    metrics = [Metric("success", kind)]
    metrics += [Metric(f"guardrail {i + 1}", kind, role=Role.GUARDRAIL, margin=mde) for i in range(guardrails)]
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
        title="an experiment from numbers",
    )
    notes: list[str] = []
    if guardrails:
        notes.append(
            "Guardrails are taken to have the metric's own variance and a margin of "
            f"{numbers.significant(mde * 100, 2)}%; with experiment.yaml each has its own."
        )
    arrivals = constant_arrivals(daily_units) if daily_units else None
    believed = belief(prior) if prior is not None else None
    setting = Setting(design, populations, {"success": mde}, arrivals, daily_units, notes=tuple(notes), prior=believed)
    return size(setting, seed=seed, progress=progress)


def from_history(
    document: Document,
    engine: Engine,
    *,
    mde: float | None = None,
    daily_units: float | None = None,
    prior: tuple[float, float] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Sizing:
    """The sizing of an experiment file from its own history: baselines, variances, CUPED and arrivals as measured.

    Args:
        document: the experiment; its plan gives method, levels, margins and, as `smallest_worthwhile`, effects.
        engine: what answers queries about its data.
        mde: relative effect to detect in every success metric, instead of the plan's.
        daily_units: instead of the arrivals seen in history.
        prior: mean and standard deviation of what is believed of the first success metric's relative effect, instead
            of the plan's prior; it changes no size.
        seed: of the simulation.
        progress: called with the share done and a word.

    Raises:
        InputError: no history, no effect to detect, or no metric that can be sized.
        EngineError: the engine failed.
    """
    if progress is not None:
        progress(0.0, "reading the history")
    setting = setting_of(document, engine, mde=mde, daily_units=daily_units)
    if prior is not None:
        setting = replace(setting, prior=belief(prior))
    return size(setting, seed=seed, progress=progress)


def setting_of(
    document: Document, engine: Engine, *, mde: float | None = None, daily_units: float | None = None
) -> Setting:
    """What sizes follow from, as measured on the history; arguments and errors as for `from_history`."""
    from paribus.experiments.history import look

    if mde is not None:
        mde = _checked_mde(mde)
    _check_counts(daily_units, 2, 0)
    past = look(document, engine)
    design = document.design
    effects = planned_effects(document, past.populations, mde)
    arrivals = constant_arrivals(daily_units) if daily_units else past.arrivals
    return Setting(
        design=design,
        populations=past.populations,
        effects=effects,
        arrivals=arrivals,
        daily_units=daily_units or past.daily_units,
        window=max((m.window_days or 0 for m in design.metrics if m.name in past.populations), default=0),
        notes=past.notes,
    )


def planned_effects(document: Document, populations: Mapping[str, Population], mde: float | None) -> dict[str, float]:
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
