"""The analysis: from a design and the cells that left the warehouse to a result with exactly one verdict.

`infer` is pure. Health checks come first; while a blocking one fails, or the plan forbids a reading, no effect is
computed at all. Then every metric's effect by the deciding method, the families' corrections, and the decision rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from paribus.charts.numbers import Unit
from paribus.experiments import checks, curve, epochs, looks, novelty
from paribus.experiments.canonical import plan_body
from paribus.experiments.capping import with_caps
from paribus.experiments.clustered import clustered
from paribus.experiments.comparisons import hidden, of_whole
from paribus.experiments.covariates import Imbalance, adjustable, imbalances
from paribus.experiments.decision import ArmEvidence, Evidence, Finding, decide, describe_unregistered
from paribus.experiments.early_stop import with_early_stop
from paribus.experiments.effects import Panel, Series, by_segment
from paribus.experiments.family import Family, families
from paribus.experiments.indicators import early_indicators
from paribus.experiments.layout import Batch, batches
from paribus.experiments.measuring import measure_design
from paribus.experiments.notes import data_notes
from paribus.experiments.phrases import effect
from paribus.experiments.plain import to_plain
from paribus.experiments.plan import Design, Method, Seal
from paribus.experiments.posterior import decided_by_posterior, with_posteriors
from paribus.experiments.quantiles import quantile_panels
from paribus.experiments.reading import Reading, planned_end, reading
from paribus.experiments.result import Check, Comparison, CurvePoint, Result, Verdict
from paribus.experiments.segments import by_segments
from paribus.metrics.cells import LakeState, Measurement
from paribus.metrics.definition import SHARES, Metric, Role
from paribus.stats.estimate import Estimate, Floats, Reason

if TYPE_CHECKING:
    from paribus.metrics.definition import DataModel
    from paribus.metrics.kept import KeptUnits
    from paribus.warehouse.engine import Engine
    from paribus.warehouse.event_links import Links


def infer(
    design: Design,
    measurement: Measurement,
    *,
    registered: Seal | None = None,
    as_of: datetime | None = None,
    deviations: tuple[str, ...] = (),
) -> Result:
    """The result that follows from a design and a measurement, and from nothing else.

    Args:
        design: the experiment as sealed (or, unregistered, as written).
        measurement: all that left the warehouse.
        registered: the seal; without one there is no verdict, only what the plan would have said.
        as_of: the time of reading; looks are those planned up to it.
        deviations: what differs from the sealed plan, in sentences.
    """
    opened = opened_of(design, measurement, as_of)
    read, health, family = opened.read, opened.health, families(design)
    if opened.is_hidden:
        effects = _hidden(design, opened)
    else:
        effects = _effects(design, opened, family)
        health = (*health, *checks.run(replace(opened.subject, comparisons=effects.whole), needs_effects=True))
    evidence = _evidence(design, effects, read, opened.blocking)
    verdict = decide(evidence) if registered is not None else describe_unregistered(evidence)
    notes = [f.note for f in family.values() if f.note]
    return Result(
        experiment=design.key,
        title=design.title,
        verdict=verdict,
        checks=tuple(health),
        comparisons=effects.whole,
        segments=effects.segments,
        curve=effects.curve,
        units={variant.name: measurement.counts.units.get(variant.name, 0) for variant in design.variants},
        control=design.control,
        as_of=as_of or measurement.as_of,
        method=design.plan.method.value,
        confidence_level=design.plan.confidence_level,
        registered=registered is not None,
        plan=plan_body(design),
        seal=None if registered is None else to_plain(registered),
        deviations=(*(each.sentence for each in (registered.amendments if registered else ())), *deviations),
        data_notes=data_notes(design, measurement),
        statements=measurement.statements,
        proof={},
        warnings=(*measurement.warnings, *read.notes, *notes),
        lake=measurement.lake,
        early_indicators=() if opened.blocking else early_indicators(design, measurement),
        novelty=() if opened.is_hidden else novelty.novelty(design, measurement.windows),
    )


def verdicts(
    design: Design, measurements: Sequence[Measurement], *, registered: Seal, as_of: datetime | None = None
) -> list[Verdict]:
    """The verdicts of experiments that have the same cells and differ in their numbers alone, as replications do.

    Each is the one that `infer` gives; effects are computed for all at once, and what only describes is left out.

    Args:
        design, registered, as_of: as for `infer`.
        measurements: of the experiments; metrics without clusters and ranks, values known by cohort.
    """
    family = families(design)
    each_opened = [opened_of(design, each, as_of, blocking_only=True) for each in measurements]
    shown = [opened for opened in each_opened if not opened.is_hidden]
    together = [
        looks.whole_of_each(
            own,
            design,
            shown[0].read,
            simultaneous_levels(design, family, own[0].metrics),
            [adjustable(batch, design, opened.imbalances) for batch, opened in zip(own, shown, strict=True)],
        )
        for own in zip(*(opened.grouped for opened in shown), strict=True)
    ]
    panels = dict(zip(map(id, shown), zip(*together, strict=True), strict=True))
    found = []
    for opened in each_opened:
        if opened.is_hidden:
            effects = _hidden(design, opened)
        else:
            own = list(panels.get(id(opened), ()))
            whole = _comparisons(design, opened.measurement, own, family)
            if design.plan.method is Method.BAYESIAN:
                whole = decided_by_posterior(design, with_posteriors(design, whole))
            effects = _Effects(whole, futile=_futile(own))
        found.append(decide(_evidence(design, effects, opened.read, opened.blocking)))
    return found


def analyze(
    design: Design,
    model: DataModel,
    engine: Engine,
    *,
    registered: Seal | None = None,
    as_of: datetime | None = None,
    deviations: tuple[str, ...] = (),
    segments: Sequence[str] | None = None,
    caps: Mapping[str, tuple[float | None, float | None]] | None = None,
    fragment_dialect: str | None = None,
    full_fingerprint: bool = False,
    source_url: str | None = None,
    folder: str | None = None,
    lake: LakeState | None = None,
    kept: KeptUnits | None = None,
    links: Links | None = None,
    since_exposure: bool = False,
) -> Result:
    """Measures the design's metrics and infers the result, with its proof.

    Args:
        design: the experiment as sealed, or as written.
        model: where the data are.
        engine: what answers queries about them.
        registered: the seal, if there is one.
        as_of: read the data as they were known before this time.
        deviations: what differs from the sealed plan.
        segments: attributes to break effects down by (default: the design's).
        caps: winsorizing limits by metric, as sealed.
        fragment_dialect: dialect of the fragments (default: the engine's).
        full_fingerprint: SHA-256 of files of any size.
        source_url: the engine's URL as written, for the proof.
        folder: the folder that relative file names start from, as written, for the proof.
        lake: the state of the lake that the engine reads, if it reads one.
        kept: the units of the experiment in the maintained tables of that lake, when they hold them.
        links: those that the engine applies, when it joins identities.
        since_exposure: also measure effects by days since exposure, to see whether they fade (one more statement).

    Raises:
        InputError, FragmentError: what the data or the definitions cannot answer.
        PlanError: the plan contradicts itself.
        EngineError: the engine failed.
    """
    from paribus.experiments.proof import build_proof, with_proof

    started = perf_counter()
    # Days and segments are those of the design: a file that was changed since it was sealed names others.
    declared = tuple(dict.fromkeys((*design.segments, *model.segments)))
    model = replace(model, time_zone=design.time_zone, segments=declared)
    if segments is not None:
        design = replace(design, segments=tuple(segments))
    measurement = measure_design(
        design,
        model,
        engine,
        as_of=as_of,
        caps=caps,
        fragment_dialect=fragment_dialect,
        full_fingerprint=full_fingerprint,
        lake=lake,
        kept=kept,
        links=links,
        since_exposure=since_exposure,
    )
    result = infer(design, measurement, registered=registered, as_of=as_of, deviations=deviations)
    proof = build_proof(
        design,
        measurement,
        registered=registered,
        as_of=as_of,
        deviations=deviations,
        data=model,
        source_url=source_url,
        folder=folder,
    )
    return with_proof(result, proof, seconds=perf_counter() - started)


@dataclass(frozen=True, slots=True)
class Opened:
    """A measurement as it may be read: its cells in batches, what the plan allows, and what the checks say."""

    measurement: Measurement
    grouped: list[Batch]
    read: Reading
    subject: checks.Subject
    health: tuple[Check, ...]

    @property
    def imbalances(self) -> tuple[Imbalance, ...]:
        return self.subject.imbalances

    @property
    def blocking(self) -> tuple[str, ...]:
        return tuple(each.sentence for each in self.health if each.severity == "blocking" and each.status == "failed")

    @property
    def days(self) -> tuple[date, ...]:
        return _days(self.grouped)

    @property
    def is_hidden(self) -> bool:
        return bool(self.blocking or self.read.forbidden)


def opened_of(
    design: Design, measurement: Measurement, as_of: datetime | None, *, blocking_only: bool = False
) -> Opened:
    grouped = batches(design, measurement.cells, measurement.cutoffs)
    read = reading(design, measurement, as_of, _days(grouped))
    subject = checks.Subject(
        design=design,
        measurement=measurement,
        ended=read.ended,
        horizon=planned_end(design.plan, design.plan.start or measurement.counts.first_time) is not None,
        imbalances=tuple(each for batch in grouped for each in imbalances(batch, design)),
    )
    return Opened(measurement, grouped, read, subject, checks.run(subject, blocking_only=blocking_only))


def _days(grouped: list[Batch]) -> tuple[date, ...]:
    return tuple(sorted({day for batch in grouped for day in batch.grid.days}))


@dataclass(frozen=True, slots=True)
class _Effects:
    """Everything an allowed reading shows."""

    whole: tuple[Comparison, ...]
    segments: tuple[Comparison, ...] = ()
    curve: tuple[CurvePoint, ...] = ()
    futile: bool = False


def _hidden(design: Design, opened: Opened) -> _Effects:
    reason = Reason.BLOCKED if opened.blocking else Reason.PLAN_FORBIDS
    return _Effects(hidden(design, opened.measurement, opened.grouped, reason))


def _effects(design: Design, opened: Opened, family: dict[Role, Family]) -> _Effects:
    measurement, read, days = opened.measurement, opened.read, opened.days
    told = measurement.counts.probabilities
    panels: list[Panel] = []
    segmented: list[Panel] = []
    drawn: list[tuple[Panel, Series]] = []
    for batch in opened.grouped:
        clusters = [metric.name in measurement.clusters for metric in batch.metrics]
        if all(clusters):
            continue
        adjust = adjustable(batch, design, opened.imbalances)
        panel = looks.whole(batch, design, read, simultaneous_levels(design, family, batch.metrics), adjust)
        panels.append(panel.noting(epochs.weighted(batch, design, read.looks[-1], adjust, told)))
        by_level = by_segment(batch, design, read, adjust)
        if by_level is not None:
            segmented.append(by_level)
        before_end = curve.daily(batch, design, panel, adjust) if design.plan.method is Method.FIXED else None
        drawn += [(panel, series) for series in (before_end, panel.series) if series is not None]
    joined, by_level_joined = _over_all_epochs(design, measurement, read, family)
    panels += joined
    segmented += by_level_joined
    whole = with_posteriors(design, _comparisons(design, measurement, panels, family))
    whole = with_early_stop(design, read, panels, whole)
    if design.plan.method is Method.BAYESIAN:
        whole = decided_by_posterior(design, whole)
    return _Effects(
        whole=whole,
        segments=by_segments(design, segmented),
        curve=curve.curve(design, drawn, days[-1] if days else None),
        futile=_futile(panels),
    )


def _over_all_epochs(
    design: Design, measurement: Measurement, read: Reading, family: dict[Role, Family]
) -> tuple[list[Panel], list[Panel]]:
    """Clusters and order statistics, in the whole and by segment; they know no epochs, so a moved split hides them."""
    whole: list[Panel] = []
    segmented: list[Panel] = []
    for metric in design.metrics:
        levels = simultaneous_levels(design, family, (metric,))[:, 0]
        if metric.name in measurement.clusters:
            whole.append(clustered(metric, measurement.clusters[metric.name], design, read, levels))
        elif metric.name in measurement.ranks:
            panel, by_level = quantile_panels(metric, measurement.ranks[metric.name], design, read, levels)
            whole.append(panel)
            segmented += [by_level] if by_level is not None else []
    if epochs.has_moved(measurement.counts.probabilities, [variant.name for variant in design.variants]):
        return [p.refused(Reason.SPLIT_MOVED) for p in whole], [p.refused(Reason.SPLIT_MOVED) for p in segmented]
    return whole, segmented


def _comparisons(
    design: Design, measurement: Measurement, panels: list[Panel], family: dict[Role, Family]
) -> tuple[Comparison, ...]:
    """The effects in the whole, in the order of the design's metrics, with the families' corrections."""
    adjusted = _adjusted(design, panels, family)
    comparisons = [
        comparison
        for panel, p in zip(panels, adjusted, strict=True)
        for comparison in of_whole(design, _with_ends(panel, p, family), family, p)
    ]
    order = {metric.name: i for i, metric in enumerate(design.metrics)}
    comparisons.sort(key=lambda c: order[c.metric])
    return with_caps(design, measurement, comparisons)


def simultaneous_levels(design: Design, family: dict[Role, Family], metrics: tuple[Metric, ...]) -> Floats:
    """Level of every comparison's simultaneous interval, axes (treatment, metric)."""
    weight = {variant.name: variant.weight for variant in design.variants}
    treatments = [variant.name for variant in design.variants if variant.name != design.control]
    levels = np.full((len(treatments), len(metrics)), design.plan.confidence_level)
    for m, metric in enumerate(metrics):
        own = family.get(metric.role)
        if own is not None:
            by_metric = own.levels(weight[treatments[0]] / weight[design.control])
            levels[:, m] = by_metric[own.metrics.index(metric.name)]
    return levels


def _adjusted(design: Design, panels: list[Panel], family: dict[Role, Family]) -> list[Floats]:
    """Adjusted p-values of every panel, axes (treatment, metric); NaN outside the families."""
    out = [np.full((panel.absolute.shape[0], len(panel.metrics)), np.nan) for panel in panels]
    places = {metric.name: (i, m) for i, panel in enumerate(panels) for m, metric in enumerate(panel.metrics)}
    for own in family.values():
        shape = (len(own.metrics), own.arms)
        p, n_control, n_treatment = (np.full(shape, np.nan) for _ in range(3))
        known = [(row, *places[name]) for row, name in enumerate(own.metrics) if name in places]
        for row, i, m in known:
            p[row] = panels[i].absolute.p_value[:, 0, m]
            n_control[row] = panels[i].control.n[:, 0, m]
            n_treatment[row] = panels[i].treatment.n[:, 0, m]
        adjusted = own.adjust(p, n_control, n_treatment)
        for row, i, m in known:
            out[i][:, m] = adjusted[row]
    return out


def _with_ends(panel: Panel, adjusted: Floats, family: dict[Role, Family]) -> Panel:
    """The panel with simultaneous intervals that agree with the corrected decisions."""
    if panel.simultaneous is None or panel.sign is None:
        return panel
    lower, upper = (a.copy() for a in panel.simultaneous)
    for m, metric in enumerate(panel.metrics):
        own = family.get(metric.role)
        if own is not None:
            ends = own.ends(lower[:, m], upper[:, m], adjusted[:, m], panel.sign[:, m])
            lower[:, m], upper[:, m] = ends
    return replace(panel, simultaneous=(lower, upper))


def _futile(panels: list[Panel]) -> bool:
    """Whether every success metric in every arm has crossed its futility boundary."""
    crossed = [
        bool(panel.futile[:, m].all()) if panel.futile is not None else False
        for panel in panels
        for m, metric in enumerate(panel.metrics)
        if metric.role is Role.SUCCESS
    ]
    return bool(crossed) and all(crossed)


def _evidence(design: Design, effects: _Effects, read: Reading, blocking: tuple[str, ...]) -> Evidence:
    treatments = [variant.name for variant in design.variants if variant.name != design.control]
    units = {variant.name: 0 for variant in design.variants}
    counting = [c for c in effects.whole if c.role is not Role.SECONDARY] or list(effects.whole)
    for name in units:
        own = [arm.units for c in counting for arm in (c.control, c.treatment) if arm.variant == name]
        units[name] = min(own, default=0)
    return Evidence(
        arms=tuple(
            ArmEvidence(name, tuple(_finding(c) for c in effects.whole if c.treatment.variant == name))
            for name in treatments
        ),
        units=units,
        blocking=blocking,
        forbidden=read.forbidden,
        min_sample_size=design.plan.min_sample_size,
        ended=read.ended or effects.futile,
        until=read.until,
    )


def _finding(c: Comparison) -> Finding:
    good = 1.0 if c.direction == "increase" else -1.0
    shown = c.relative if isinstance(c.relative, Estimate) and not c.margin_absolute else c.absolute
    size = good * shown.value if isinstance(shown, Estimate) else 0.0
    unit: Unit = "points" if c.type in SHARES else "number"
    relative, absolute = None if c.margin_absolute else c.relative, c.absolute
    if c.simultaneous is not None and isinstance(shown, Estimate):
        # The corrected interval decides and stands in the table; beside another one it would seem a contradiction.
        shown = replace(shown, lower=c.simultaneous[0], upper=c.simultaneous[1])
        relative, absolute = (shown, absolute) if isinstance(relative, Estimate) else (relative, shown)
    words = effect(relative, absolute, unit)
    return Finding(c.metric, c.role, c.conclusion, words, size, c.required_units)
