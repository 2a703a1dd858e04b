"""What an experiment's own data say of its first success metric, for sizing the next one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from paribus.errors import InputError
from paribus.metrics.definition import MetricType, Role
from paribus.stats.metric_power import metric_variance

if TYPE_CHECKING:
    from paribus.experiments.document import Document
    from paribus.metrics.cells import Counts
    from paribus.stats.moments import Moments
    from paribus.warehouse.engine import Engine


@dataclass(frozen=True, slots=True)
class History:
    """A metric as measured, all arms pooled.

    sd             standard deviation per unit; None for a proportion, whose value says it
    reduction      share of the variance that the covariates explain; None without covariates
    daily_units    mean new units a day; None without exposure times
    """

    metric: str
    value: float
    sd: float | None
    unadjusted_sd: float
    reduction: float | None
    units: int
    daily_units: float | None


def measured(document: Document, engine: Engine) -> History:
    """The document's first success metric on its own data.

    Raises:
        InputError: there is no such metric, it is a quantile or clustered, or it does not vary.
    """
    from paribus.experiments.analysis import measure_design

    design = document.design
    metric = next((m for m in design.metrics if m.role is Role.SUCCESS), None)
    if metric is None:
        raise InputError("there is no success metric to size for", where=document.position("metrics"))
    where = document.position(f"metrics.{metric.name}")
    measurement = measure_design(design, document.data, engine)
    if metric.name in measurement.clusters or metric.name not in measurement.cells:
        raise InputError(
            f"{metric.name!r} is {'clustered' if metric.name in measurement.clusters else 'a quantile'}, and sizes "
            "are computed for metrics of independent units",
            where=where,
            fix="paribus design --baseline … --sd … --mde …, with the standard deviation of the clusters' means",
        )
    cells = measurement.cells[metric.name]
    whole = [i for i, key in enumerate(cells.keys) if key.attribute is None]
    pooled: Moments = cells.moments.take(whole).total()
    n = int(pooled.n)
    if n < 2:
        raise InputError(f"the data have {n} units", where=where, rule="a variance needs at least two units")
    names = pooled.names
    denominator = names.index("d") if "d" in names else None
    others = [name for name in names if name[0] == "h" or (name[0] == "x" and not name.endswith("d"))]
    covariates = [
        (names.index(name), names.index(name + "d") if name[0] == "x" and name + "d" in names else None)
        for name in others
    ]
    plain = metric_variance(pooled.mean, pooled.cov, denominator=denominator)
    if not plain.variance > 0 or plain.value == 0:
        raise InputError(
            f"{metric.name!r} has mean {plain.value:g} and variance {plain.variance:g} in these data",
            where=where,
            rule="a relative effect needs a value other than 0 that differs between units",
        )
    reduction = None
    if covariates:
        adjusted = metric_variance(pooled.mean, pooled.cov, denominator=denominator, covariates=covariates)
        reduction = 1 - adjusted.variance / plain.variance
    shares = (MetricType.PROPORTION, MetricType.RETENTION, MetricType.FUNNEL)
    is_share = metric.type in shares and denominator is None
    sd = float(np.sqrt(plain.variance))
    return History(
        metric.name, plain.value, None if is_share else sd, sd, reduction, n, arrivals(measurement.counts)
    )


def arrivals(counts: Counts) -> float | None:
    """Mean new units a day from the first to the last day of exposure; None without days."""
    if not counts.by_day:
        return None
    days = sorted(date.fromisoformat(day) for _, day, _ in counts.by_day)
    return sum(counts.by_day.values()) / ((days[-1] - days[0]).days + 1)
