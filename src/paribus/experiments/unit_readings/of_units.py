"""Every metric's units, drawn as its measurement read them, and every treatment read by each method."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from paribus.errors import InputError
from paribus.experiments.analysis import Opened, opened_of
from paribus.experiments.covariates import adjustable
from paribus.experiments.layout import window_of
from paribus.experiments.plan import Design, Method
from paribus.experiments.proof import Proof
from paribus.experiments.sampled import drawn_units, metric_of
from paribus.experiments.unit_readings.findings import ArmQuantile, Draw, LeftOut, UnitReading, UnitReadings
from paribus.experiments.unit_readings.pair import UnitPair, label, unit_pair
from paribus.experiments.unit_readings.quantiles import QUANTILES, arm_quantile, quantile_effects
from paribus.experiments.unit_readings.regressions import adjusted, resampled, slopes
from paribus.metrics.definition import SHARES, DataModel, Metric
from paribus.metrics.unit_rows import MOST, UnitRows

if TYPE_CHECKING:
    from paribus.warehouse.engine import Engine

Open = Callable[[Design, DataModel], "AbstractContextManager[Engine]"]

FEWEST = 5  # units of an arm below which nothing is read


def unit_readings(
    proof: Proof,
    data: DataModel,
    opened: Open,
    *,
    metrics: Sequence[str] = (),
    quantiles: Sequence[float] = QUANTILES,
    most: int = MOST,
    seed: int = 0,
) -> UnitReadings:
    """Readings of a result whose effects are shown; whether they are is for the caller to know.

    Args:
        proof: the result's.
        data: where its rows are.
        opened: gives the engine that answers queries about them.
        metrics: all of the design unless named.
        quantiles: shares at which values are compared, each in (0, 1).
        most: rows of each metric that may leave the warehouse.
        seed: of the first unit that is drawn.

    Raises:
        InputError: no such metric; a quantile outside of (0, 1).
        EngineError: the engine failed.
    """
    design = proof.design
    for p in quantiles:
        if not 0 < p < 1:
            raise InputError(f"{p:g} is no quantile", where="quantile", rule="between 0 and 1", fix="0.9 for 90%")
    chosen = [metric_of(design, name) for name in metrics] or list(design.metrics)
    named = replace(design, segments=design.segments or data.segments)
    opened_at = opened_of(design, proof.measurement, proof.as_of)
    adjusts, before = _adjusts(design, opened_at), opened_at.read.looks[-1].before
    found = _Found()
    for metric in chosen:
        try:
            with opened(named, data) as engine:
                rows = drawn_units(
                    named,
                    data,
                    engine,
                    proof.measurement,
                    metric=metric.name,
                    most=most,
                    seed=seed,
                    until=None if before is None else _midnight(design, metric, data, before),
                )
        except InputError as error:
            found.left_out.append(LeftOut(metric.name, None, error.what))
            continue
        epochs = len(set(rows.epochs))
        if epochs > 1:
            reason = f"units of {epochs} epochs have splits of their own and are not read as one sample"
            found.left_out.append(LeftOut(metric.name, None, reason))
            continue
        found.read(metric, rows, design, adjusts, tuple(sorted(set(quantiles))))
    return UnitReadings(
        tuple(found.draws),
        tuple(found.readings),
        tuple(found.quantiles),
        tuple(found.left_out),
        design.plan.confidence_level,
        design.plan.method is Method.FIXED,
    )


def _midnight(design: Design, metric: Metric, data: DataModel, before: date) -> datetime:
    """The time of a look; a table of units does not tell which windows had closed, so its cohorts end sooner."""
    day = before - timedelta(days=window_of(metric)) if data.units is not None else before
    return datetime.combine(day, time(), ZoneInfo(design.time_zone))


def _adjusts(design: Design, opened: Opened) -> frozenset[tuple[str, str]]:
    """The (metric, treatment) whose covariates may adjust: by the plan, and unless the arms differ in them."""
    treatments = _treatments(design)
    return frozenset(
        (metric.name, treatment)
        for batch in opened.grouped
        for use in (adjustable(batch, design, opened.imbalances),)
        for j, metric in enumerate(batch.metrics)
        for t, treatment in enumerate(treatments)
        if use[t, j]
    )


@dataclass(slots=True)
class _Found:
    """What was found so far, metric by metric."""

    draws: list[Draw] = field(default_factory=list)
    readings: list[UnitReading] = field(default_factory=list)
    quantiles: list[ArmQuantile] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)

    def read(
        self,
        metric: Metric,
        rows: UnitRows,
        design: Design,
        adjusts: frozenset[tuple[str, str]],
        quantiles: tuple[float, ...],
    ) -> None:
        """Adds every treatment of one metric."""
        levels = () if metric.type in SHARES else quantiles
        names: dict[str, str] = {}
        control_told = False
        for treatment in _treatments(design):
            pair = unit_pair(rows, design, treatment, adjusts=(metric.name, treatment) in adjusts)
            control, treated = pair.control, pair.treatment
            if min(control.size, treated.size) < FEWEST:
                self.left_out.append(
                    LeftOut(metric.name, treatment, f"an arm has fewer than {FEWEST} units with a value")
                )
                continue
            names |= {name: label(metric, name) for name in pair.names}
            self.readings += _readings(metric, treatment, pair, levels)
            for p in levels:
                if not control_told:
                    self.quantiles.append(arm_quantile(pair, control, metric.name, design.control, p))
                self.quantiles.append(arm_quantile(pair, treated, metric.name, treatment, p))
            control_told = True
        self.draws.append(Draw(metric.name, len(rows.outcome), rows.total, names, rows.statement))


def _readings(metric: Metric, treatment: str, pair: UnitPair, quantiles: tuple[float, ...]) -> Iterator[UnitReading]:
    share = metric.type in SHARES
    for found in (adjusted(pair), resampled(pair)):
        for method, always, effect in found:
            yield UnitReading(metric.name, treatment, method, None, None, share, always, effect)
    for name, method, always, effect in slopes(pair):
        yield UnitReading(metric.name, treatment, method, None, name, share, always, effect)
    for p in quantiles:
        for method, always, effect in quantile_effects(pair, p):
            yield UnitReading(metric.name, treatment, method, p, None, share, always, effect)


def _treatments(design: Design) -> list[str]:
    return [variant.name for variant in design.variants if variant.name != design.control]
