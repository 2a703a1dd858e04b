"""Units of an experiment as rows, drawn as its measurement read them: the same enrolment, windows and caps."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from paribus.errors import InputError, did_you_mean
from paribus.experiments.measuring import earliest
from paribus.experiments.reading import planned_end
from paribus.metrics.definition import Metric, Role
from paribus.metrics.unit_rows import MOST, TYPES, UnitRows, unit_rows

if TYPE_CHECKING:
    from paribus.experiments.plan import Design
    from paribus.metrics.cells import Measurement
    from paribus.metrics.definition import DataModel
    from paribus.warehouse.engine import Engine


def drawn_units(
    design: Design,
    data: DataModel,
    engine: Engine,
    measurement: Measurement,
    *,
    metric: str = "",
    attributes: Sequence[str] = (),
    most: int = MOST,
    seed: int = 0,
    until: datetime | None = None,
    fragment_dialect: str | None = None,
) -> UnitRows:
    """A sample of the units behind a measurement, with one metric's outcome.

    Args:
        design, data, engine, measurement: of the analysis.
        metric: the first success metric unless named.
        attributes: the design's segments unless named; on the lake, names that the engine was opened with.
        most: rows that may leave the warehouse.
        seed: of the first unit that is drawn.
        until: the time of the look that is read, in its time zone; None: all that was measured.
        fragment_dialect: dialect of the fragments.

    Raises:
        InputError: no such metric, or one without a value for each unit; no attribute.
    """
    chosen = metric_of(design, metric)
    named = tuple(attributes) or design.segments or data.segments
    closed = measurement.lake.closed_at if measurement.lake is not None else None
    return unit_rows(
        engine,
        data,
        chosen,
        [variant.name for variant in design.variants],
        named,
        most=most,
        seed=seed,
        as_of=measurement.as_of,
        start=design.plan.start,
        end=earliest(planned_end(design.plan, design.plan.start), closed),
        until=until,
        tolerance=design.tolerance_seconds,
        cap=measurement.caps.get(chosen.name),
        fragment_dialect=fragment_dialect,
    )


def metric_of(design: Design, name: str) -> Metric:
    """The metric of this name; the first success metric that has a value for each unit without one.

    Raises:
        InputError: there is none.
    """
    known = {metric.name: metric for metric in design.metrics}
    if name:
        if name not in known:
            raise InputError(f"there is no metric {name!r}", where="metric", fix=did_you_mean(name, known))
        return known[name]
    found = [m for m in design.metrics if m.role is Role.SUCCESS and m.type in TYPES]
    if not found:
        raise InputError(
            "no success metric has a value for each unit",
            where="metric",
            rule="effects of single units are those of a mean, count, share, funnel or retention",
        )
    return found[0]


def weights_of(design: Design, measurement: Measurement) -> dict[str, float]:
    """The design's weight of each variant; the observed shares where nobody declared a split."""
    if design.split_declared:
        return {variant.name: variant.weight for variant in design.variants}
    return {variant.name: float(measurement.counts.units.get(variant.name, 0)) for variant in design.variants}
