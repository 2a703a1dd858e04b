"""Every comparison of a result by other methods, as its plan allows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from paribus.errors import InputError
from paribus.experiments import looks
from paribus.experiments.analysis import Opened, opened_of, simultaneous_levels
from paribus.experiments.checks import sample_ratio
from paribus.experiments.covariates import adjustable
from paribus.experiments.effects import N_OPT, control_of
from paribus.experiments.family import families
from paribus.experiments.layout import Batch, is_share
from paribus.experiments.plan import Design, Method
from paribus.experiments.proof import read_proof
from paribus.experiments.result import Result
from paribus.experiments.sensitivity.events import crossings, events
from paribus.experiments.sensitivity.family import family_of
from paribus.experiments.sensitivity.findings import (
    Chance,
    Choice,
    Crossing,
    LaterLooks,
    OtherReading,
    Sensitivity,
    Worth,
)
from paribus.experiments.sensitivity.later_looks import later_looks
from paribus.experiments.sensitivity.margins import margins, margins_always
from paribus.experiments.sensitivity.means import adjusted, chosen_for_showing, lifts, means
from paribus.experiments.sensitivity.pair import Found, Pair
from paribus.experiments.sensitivity.published import published
from paribus.experiments.sensitivity.sequences import always
from paribus.experiments.sensitivity.shares import choices, tables
from paribus.experiments.sensitivity.split_over_time import since, splits_over_time
from paribus.experiments.sensitivity.strata import by_strata, by_strata_always, strata_of
from paribus.metrics.definition import SHARES, Metric
from paribus.stats.arm import outcome
from paribus.stats.bandit import probability_best, top_two_probabilities
from paribus.stats.estimate import Estimate, Estimates, Undetermined
from paribus.stats.moments import Moments
from paribus.stats.reading import z_statistic
from paribus.stats.selection import retrodesign

EXPECTED = 0.05  # relative effect that a mixture expects where the plan names none
ONCE: tuple[Callable[[Pair], Found], ...] = (means, lifts, adjusted, tables, by_strata, chosen_for_showing, margins)
COMPARED: tuple[Callable[[Pair], Found], ...] = (published,)
AT_ANY_TIME: tuple[Callable[[Pair], Found], ...] = (always, events, by_strata_always, margins_always)
# Posteriors under flat priors are no evidence at a look that was chosen; these plans are read once, or ask for them.
SHOW_CHOICES = (Method.FIXED, Method.BAYESIAN)


def sensitivity(result: Result) -> Sensitivity:
    """Every comparison of a result by other methods, as its plan allows; metrics of clusters and quantiles have none.

    Raises:
        InputError: the plan or a health check hides effects.
        ProofError: the result carries no readable proof.
    """
    proof = read_proof(result.proof)
    design, measurement = proof.design, proof.measurement
    opened = opened_of(design, measurement, proof.as_of)
    _refuse_hidden(result, opened)
    found = _Found()
    for batch in opened.grouped:
        if not any(metric.name in measurement.clusters for metric in batch.metrics):
            found.read(batch, design, opened)
    order = {metric.name: i for i, metric in enumerate(design.metrics)}
    treatments = _treatments(design)
    found.readings.sort(key=lambda r: (order[r.metric], treatments.index(r.treatment)))
    return Sensitivity(
        tuple(found.readings),
        tuple(found.chances),
        tuple(found.worth),
        design.plan.confidence_level,
        tuple(found.choices),
        tuple(found.crossings),
        family_of(design, result.comparisons, found.pairs, design.plan.confidence_level),
        tuple(found.later),
        tuple(splits_over_time(opened.subject)),
    )


@dataclass(slots=True)
class _Found:
    """What was found so far, batch by batch."""

    readings: list[OtherReading] = field(default_factory=list)
    chances: list[Chance] = field(default_factory=list)
    worth: list[Worth] = field(default_factory=list)
    choices: list[Choice] = field(default_factory=list)
    crossings: list[Crossing] = field(default_factory=list)
    later: list[LaterLooks] = field(default_factory=list)
    pairs: list[tuple[str, Pair]] = field(default_factory=list)

    def read(self, batch: Batch, design: Design, opened: Opened) -> None:
        """Adds the comparisons of one batch."""
        adjust = adjustable(batch, design, opened.imbalances)
        treatments = _treatments(design)
        for metric, each in _pairs(batch, design, opened, adjust):
            for name, pair in zip(treatments, each, strict=True):
                self.pairs.append((name, pair))
                self.readings += _readings(design, name, pair)
                self.worth += _worth(metric, name, pair)
                self.crossings += crossings(pair, name)
                if design.plan.method in SHOW_CHOICES:
                    self.choices += choices(pair, name)
            self.chances += _chances(metric, design.control, treatments, each)
        levels = simultaneous_levels(design, families(design), batch.metrics)
        self.later += later_looks(batch, design, opened.read, levels, adjust)


def _refuse_hidden(result: Result, opened: Opened) -> None:
    hidden = (*opened.blocking, *opened.read.forbidden)
    if hidden:
        ratio = next(check for check in opened.health if check.name == sample_ratio.NAME)
        raise InputError(
            "effects are hidden, by every method",
            where=result.experiment or "",
            rule=hidden[0] + (since(opened.subject) if hidden[0] == ratio.sentence else ""),
            fix="mend the cause, or wait for the time that the plan names",
        )


def _treatments(design: Design) -> list[str]:
    return [variant.name for variant in design.variants if variant.name != design.control]


def _pairs(
    batch: Batch, design: Design, opened: Opened, adjust: NDArray[np.bool_]
) -> Iterator[tuple[Metric, list[Pair]]]:
    """Every metric with its pairs, one for each treatment arm."""
    look, control, plan = opened.read.looks[-1], control_of(design), design.plan
    both = looks.pairs_at(batch, look, control)
    others = [i for i in range(batch.arms) if i != control]
    for j, metric in enumerate(batch.metrics):
        each = []
        for t, variant in enumerate(others):
            own, treated = _cell(both.control, t, j), _cell(both.treatment, t, j)
            worthwhile = plan.smallest_worthwhile.get(metric.name)
            expected = (worthwhile or EXPECTED) * abs(float(outcome(own, batch.outcome).value))
            each.append(
                Pair(
                    metric=metric,
                    control=own,
                    treatment=treated,
                    what=batch.outcome,
                    covariates=tuple(batch.covariates),
                    adjusts=bool(adjust[t, j]) and bool(batch.covariates),
                    is_share=is_share(metric) and len(batch.grid.strata) == 1,
                    level=plan.confidence_level,
                    n_opt=float(plan.n_opt or plan.planned_units or N_OPT),
                    expected=expected if np.isfinite(expected) and expected > 0 else 1.0,
                    worthwhile=worthwhile,
                    split=_split(batch, opened, control, variant),
                    strata=tuple(strata_of(batch, look, control, variant, j)),
                )
            )
        yield metric, each


def _split(batch: Batch, opened: Opened, control: int, treatment: int) -> float | None:
    """The probability of treatment for a unit of the two arms, where it is known and was one from start to end."""
    subject = opened.subject
    if len(batch.grid.strata) > 1 or not (subject.design.split_declared or subject.counts.probabilities):
        return None
    names, _ = sample_ratio.split(subject)
    weights = dict(zip(names, sample_ratio.weights_of(subject, batch.grid.strata[0][0]), strict=True))
    own, treated = (float(weights.get(batch.variants[i], 0.0)) for i in (control, treatment))
    return treated / (own + treated) if own > 0 and treated > 0 else None


def _cell(m: Moments, t: int, j: int) -> Moments:
    return Moments(m.names, m.n[t, 0, j], m.mean[t, 0, j], m.m2[t, 0, j], m.m3[t, 0, j])


def _readings(design: Design, treatment: str, pair: Pair) -> Iterator[OtherReading]:
    if not min(float(pair.control.n), float(pair.treatment.n)) > 1:
        return
    once = (*ONCE, *COMPARED) if design.plan.method is Method.FIXED else ()
    for functions, at_any_time in ((once, False), (AT_ANY_TIME, True)):
        for function in functions:
            for method, scale, found in function(pair):
                effect, statistic = _read(found)
                in_points = pair.metric.type in SHARES
                yield OtherReading(
                    pair.metric.name, treatment, method, scale, in_points, at_any_time, effect, statistic
                )


def _read(found: Estimates | Estimate | Undetermined) -> tuple[Estimate | Undetermined, float | None]:
    """The reading, and its statistic where it has one."""
    if not isinstance(found, Estimates):
        return found, None
    statistic = float(found.extra["statistic"]) if "statistic" in found.extra else float(z_statistic(found))
    return found.at(), statistic if np.isfinite(statistic) else None


def _worth(metric: Metric, treatment: str, pair: Pair) -> Iterator[Worth]:
    control, treated = pair.arms
    se = float(np.hypot(control.se, treated.se))
    if np.isfinite(se) and se > 0 and pair.worthwhile:
        found = retrodesign(pair.expected, se, pair.alpha)
        yield Worth(
            metric.name, treatment, pair.expected, float(found.power), float(found.type_s), float(found.exaggeration)
        )


def _chances(metric: Metric, control: str, treatments: list[str], each: Sequence[Pair]) -> Iterator[Chance]:
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
