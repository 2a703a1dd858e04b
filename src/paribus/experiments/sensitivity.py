"""Sensitivity of a result to the method: every comparison read again by other methods, from the proof's own moments.

The sealed plan decides, and nothing here can change that. Where the plan hides effects so does this, and a plan that
is read more than once shows only what holds at any time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from paribus.charts import numbers
from paribus.errors import InputError
from paribus.experiments import looks
from paribus.experiments.analysis import opened_of
from paribus.experiments.covariates import adjustable
from paribus.experiments.effects import N_OPT, control_of
from paribus.experiments.layout import Batch, is_share
from paribus.experiments.other_readings import AT_ANY_TIME, ONCE, Pair, Scale
from paribus.experiments.phrases import p_words
from paribus.experiments.plan import Design, Method
from paribus.experiments.proof import read_proof
from paribus.experiments.result import Result
from paribus.metrics.definition import SHARES, Metric
from paribus.stats.arm import outcome
from paribus.stats.bandit import probability_best, top_two_probabilities
from paribus.stats.estimate import Estimate, Undetermined
from paribus.stats.moments import Moments
from paribus.stats.selection import retrodesign

EXPECTED = 0.05  # relative effect that a mixture expects where the plan names none


@dataclass(frozen=True, slots=True)
class OtherReading:
    """One comparison by one method, uncorrected for others.

    is_share     whether the metric is a share of units
    at_any_time  whether the method holds at every look, or once, at the plan's end
    """

    metric: str
    treatment: str
    method: str
    scale: Scale
    is_share: bool
    at_any_time: bool
    effect: Estimate | Undetermined


@dataclass(frozen=True, slots=True)
class Chance:
    """How likely an arm is the best of all under flat priors, and how often top-two Thompson sampling would play it."""

    metric: str
    variant: str
    best: float
    top_two: float


@dataclass(frozen=True, slots=True)
class Worth:
    """What a test with this standard error is worth if the smallest worthwhile effect is true (Gelman, Carlin 2014)."""

    metric: str
    treatment: str
    effect: float
    power: float
    type_s: float
    exaggeration: float


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """The readings in the order of the design's metrics, chances of several arms, and what such a test is worth."""

    readings: tuple[OtherReading, ...]
    chances: tuple[Chance, ...]
    worth: tuple[Worth, ...]
    level: float

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; what is undetermined has its reason."""
        from paribus.experiments.plain import to_plain

        plain: dict[str, Any] = to_plain(self)
        return plain

    def text(self) -> str:
        """A table by comparison."""
        return "\n".join(_lines(self))

    def __repr__(self) -> str:
        return self.text()


def sensitivity(result: Result) -> Sensitivity:
    """Every comparison of a result by other methods, as its plan allows; metrics of clusters and quantiles have none.

    Raises:
        InputError: the plan or a health check hides effects.
        ProofError: the result carries no readable proof.
    """
    proof = read_proof(result.proof)
    design, measurement = proof.design, proof.measurement
    opened = opened_of(design, measurement, proof.as_of)
    hidden = (*opened.blocking, *opened.read.forbidden)
    if hidden:
        raise InputError(
            "effects are hidden, by every method",
            where=result.experiment or "",
            rule=hidden[0],
            fix="mend the cause, or wait for the time that the plan names",
        )
    readings: list[OtherReading] = []
    chances: list[Chance] = []
    worth: list[Worth] = []
    treatments = [variant.name for variant in design.variants if variant.name != design.control]
    look = opened.read.looks[-1]
    for batch in opened.grouped:
        if any(metric.name in measurement.clusters for metric in batch.metrics):
            continue
        pairs = looks.pairs_at(batch, look, control_of(design))
        adjust = adjustable(batch, design, opened.imbalances)
        for j, metric in enumerate(batch.metrics):
            each = [
                _pair(
                    batch, design, metric, _cell(pairs.control, t, j), _cell(pairs.treatment, t, j), bool(adjust[t, j])
                )
                for t in range(len(treatments))
            ]
            for name, pair in zip(treatments, each, strict=True):
                readings += _of_pair(design, metric, name, pair)
                worth += _worth(metric, name, pair)
            chances += _chances(metric, design.control, treatments, each)
    order = {metric.name: i for i, metric in enumerate(design.metrics)}
    readings.sort(key=lambda r: (order[r.metric], treatments.index(r.treatment)))
    return Sensitivity(tuple(readings), tuple(chances), tuple(worth), design.plan.confidence_level)


def _pair(batch: Batch, design: Design, metric: Metric, control: Moments, treatment: Moments, adjusts: bool) -> Pair:
    plan = design.plan
    worthwhile = plan.smallest_worthwhile.get(metric.name)
    baseline = abs(float(outcome(control, batch.outcome).value))
    expected = (worthwhile or EXPECTED) * baseline
    return Pair(
        control,
        treatment,
        batch.outcome,
        tuple(batch.covariates),
        adjusts and bool(batch.covariates),
        is_share(metric) and len(batch.grid.strata) == 1,
        plan.confidence_level,
        float(plan.n_opt or plan.planned_units or N_OPT),
        expected if np.isfinite(expected) and expected > 0 else 1.0,
        worthwhile,
    )


def _cell(m: Moments, t: int, j: int) -> Moments:
    return Moments(m.names, m.n[t, 0, j], m.mean[t, 0, j], m.m2[t, 0, j], m.m3[t, 0, j])


def _of_pair(design: Design, metric: Metric, treatment: str, pair: Pair) -> Iterator[OtherReading]:
    if not min(float(pair.control.n), float(pair.treatment.n)) > 1:
        return
    once = ONCE if design.plan.method is Method.FIXED else ()
    for functions, at_any_time in ((once, False), (AT_ANY_TIME, True)):
        for function in functions:
            for method, scale, effect in function(pair):
                in_points = metric.type in SHARES
                yield OtherReading(metric.name, treatment, method, scale, in_points, at_any_time, effect)


def _worth(metric: Metric, treatment: str, pair: Pair) -> Iterator[Worth]:
    control, treated = pair.arms
    se = float(np.hypot(control.se, treated.se))
    if np.isfinite(se) and se > 0 and pair.worthwhile:
        found = retrodesign(pair.expected, se, pair.alpha)
        yield Worth(
            metric.name, treatment, pair.expected, float(found.power), float(found.type_s), float(found.exaggeration)
        )


def _chances(metric: Metric, control: str, treatments: list[str], each: list[Pair]) -> Iterator[Chance]:
    if len(treatments) < 2:
        return
    arms = [each[0].arms[0], *(pair.arms[1] for pair in each)]
    value, se = np.array([float(a.value) for a in arms]), np.array([float(a.se) for a in arms])
    if not (np.isfinite(value).all() and np.isfinite(se).all() and (se > 0).all()):
        return
    good = 1.0 if metric.direction == "increase" else -1.0
    best, played = probability_best(good * value, se), top_two_probabilities(good * value, se)
    for i, name in enumerate((control, *treatments)):
        yield Chance(metric.name, name, float(best[i]), float(played[i]))


def _lines(found: Sensitivity) -> Iterator[str]:
    yield "The same data by other methods, each comparison by itself. The sealed plan"
    yield "decides; nothing here can change that. * holds at any look"
    before = ("", "")
    for r in found.readings:
        if (r.metric, r.treatment) != before:
            before = (r.metric, r.treatment)
            yield ""
            yield f"{r.metric}, {r.treatment}: {100 * found.level:g}% intervals"
        yield f"{'*' if r.at_any_time else ' '} {r.method:<33} {_shown(r)}".rstrip()
    for w in found.worth:
        yield ""
        yield f"{w.metric}, {w.treatment}: were the smallest worthwhile effect of {w.effect:.3g} true, a test like"
        yield (
            f"this would find it with power {w.power:.2f}, in {w.type_s:.2g} of its findings with the wrong sign, "
            f"{w.exaggeration:.2g} times too large."
        )
    if found.chances:
        yield ""
        yield "Chance to be the best arm, flat priors (share in top-two Thompson sampling)"
        for c in found.chances:
            yield f"  {f'{c.metric}, {c.variant}':<33} {c.best:>10.3f} ({c.top_two:.3f})"


def _shown(r: OtherReading) -> str:
    e = r.effect
    if isinstance(e, Undetermined):
        return f"undetermined: {e}"
    unit: numbers.Unit = "percent" if r.scale == "lift" else "points" if r.is_share else "number"
    width = (e.upper - e.lower) / 4
    value = numbers.number(e.value, se=width if np.isfinite(width) else None, unit=unit, signed=True)
    p = "" if np.isnan(e.p_value) else p_words(e.p_value)
    ends = "" if np.isnan(e.lower) else numbers.interval(e.lower, e.upper, se=width, unit=unit)
    return f"{value:>10} {ends:>20} {p}"
