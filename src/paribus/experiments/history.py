"""The history of an experiment's metrics: moments before the feature, and how fast new units arrive.

The document's own statements read it; only the variant is set aside, since in history there is none that matters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np

from paribus.charts import numbers
from paribus.errors import InputError
from paribus.experiments.document import Document
from paribus.experiments.population import Population, of_moments
from paribus.metrics.cells import Cells, ClusterSums, Measurement
from paribus.metrics.definition import DataModel, Metric, MetricType
from paribus.metrics.measure import measure
from paribus.stats.estimate import Floats
from paribus.stats.moments import Moments
from paribus.stats.runtime import Arrivals, observed_arrivals, saturating_arrivals
from paribus.warehouse.engine import Engine, Table
from paribus.warehouse.sql.buckets import BUCKET, VARIANT, bucketed, randomized

LEAST_UNITS = 20
MOST_BUCKETS = 1000


@dataclass(frozen=True, slots=True)
class History:
    """What history says.

    populations  by metric; metrics that have no moments (quantiles) are left out, with a note
    cells        moments by metric; one cell per bucket where buckets were asked for
    arrivals     cumulated new units by day since the first; None where the data have no times
    daily_units  mean of the first two weeks
    clusters     cluster sums by metric, where units came in clusters
    cutoff       data before this time were read; None for all
    """

    populations: Mapping[str, Population]
    cells: Mapping[str, Moments]
    units: int
    first: date | None
    last: date | None
    arrivals: Arrivals | None
    daily_units: float | None
    clusters: Mapping[str, ClusterSums]
    cutoff: datetime | None
    notes: tuple[str, ...]


def look(
    document: Document,
    engine: Engine,
    *,
    metrics: Sequence[Metric] | None = None,
    buckets: int = 0,
    salt: str = "paribus",
) -> History:
    """The history of the document's metrics, before the plan's start where there is data from before.

    Args:
        document: the experiment.
        engine: what answers queries about its data.
        metrics: instead of the document's.
        buckets: random cells of units to measure apart, at most `MOST_BUCKETS`; 0 measures days instead.
        salt: of the buckets.

    Raises:
        InputError: the data or the definitions cannot be read, or there are too few units.
        EngineError: the engine failed.
    """
    design, start = document.design, document.design.plan.start
    asked = [m for m in (metrics or design.metrics) if m.type is not MetricType.QUANTILE]
    notes = []
    left_out = [m.name for m in design.metrics if m.type is MetricType.QUANTILE]
    if left_out:
        notes.append(f"Quantiles have no variance per unit and are left out: {', '.join(left_out)}.")
    if not asked:
        raise InputError(
            "no metric has moments",
            where=document.position("metrics"),
            rule="a sample size follows from a mean and a variance; quantiles have none",
            fix="add a mean, proportion, count or ratio",
        )
    model, wrapped = _whole(document.data, engine, buckets=buckets, salt=salt)
    cutoff = start
    found = _measured(document, model, wrapped, asked, cutoff, buckets)
    if start is not None and sum(found.counts.units.values()) < LEAST_UNITS:
        cutoff = None
        found = _measured(document, model, wrapped, asked, None, buckets)
        notes.append("There is no history from before the plan's start: all data are taken as history.")
    units = sum(found.counts.units.values())
    if units < LEAST_UNITS:
        raise InputError(
            f"the history has {units} units",
            where=(model.units or model.exposures or document.position("units")).relation  # type: ignore[union-attr]
            if (model.units or model.exposures)
            else None,
            rule=f"at least {LEAST_UNITS} units, with the metrics as they are without the feature",
            fix="point the file at data from before the experiment, or give numbers: paribus design --baseline …",
        )
    pooled = {name: _pooled(cells) for name, cells in found.cells.items()}
    by_name = {m.name: m for m in asked}
    populations = {
        name: _in_clusters(of_moments(by_name[name], total), found.clusters.get(name)) for name, total in pooled.items()
    }
    days = _new_units(found)
    arrivals = _arrivals([n for _, n in days])
    return History(
        populations=populations,
        cells={name: _by_bucket(cells) for name, cells in found.cells.items()} if buckets else {},
        units=units,
        first=days[0][0] if days else _date(found.counts.first_time),
        last=days[-1][0] if days else _date(found.counts.last_time),
        arrivals=arrivals,
        daily_units=None if arrivals is None else arrivals(14.0) / 14,
        clusters=found.clusters,
        cutoff=cutoff,
        notes=(*notes, *found.warnings),
    )


def randomized_anew(document: Document, engine: Engine, salt: str) -> tuple[DataModel, Engine]:
    """The data model and an engine by which the same statements read new, random variants instead of the data's own."""
    weights = {variant.name: variant.weight for variant in document.design.variants}
    name, column = _main(document.data, engine)
    text = randomized(engine.relation_sql(name), column, engine.dialect, weights=weights, salt=salt)
    return _with_variant(document.data, VARIANT, None), _Derived(engine, name, text, {VARIANT: "text"})


def _measured(
    document: Document,
    model: DataModel,
    engine: Engine,
    metrics: Sequence[Metric],
    cutoff: datetime | None,
    buckets: int,
) -> Measurement:
    timed = model.exposures is not None or (model.units is not None and model.units.exposed_at is not None)
    return measure(
        engine,
        model,
        metrics,
        ["all"],
        as_of=cutoff,
        by_day=timed and not buckets,
        tolerance=document.design.tolerance_seconds,
    )


def _whole(data: DataModel, engine: Engine, *, buckets: int, salt: str) -> tuple[DataModel, Engine]:
    name, column = _main(data, engine)
    text = bucketed(engine.relation_sql(name), column, engine.dialect, buckets=max(buckets, 1), salt=salt)
    derived = _Derived(engine, name, text, {BUCKET: "text", VARIANT: "text"})
    return _with_variant(data, VARIANT, BUCKET if buckets else None), derived


def _main(data: DataModel, engine: Engine) -> tuple[str, str]:
    """The relation that holds the variants, and the column whose values are randomized: clusters, else units."""
    main = data.units or data.exposures
    if main is None:
        raise InputError("the data model needs a table of units or exposures", where="data")
    wanted = main.cluster or main.unit
    columns = engine.columns(main.relation)
    folded = [column for column in columns if column.lower() == wanted.lower()]
    return main.relation, wanted if wanted in columns or len(folded) != 1 else folded[0]


def _with_variant(data: DataModel, variant: str, stratum: str | None) -> DataModel:
    """The model with other variants; epochs, reasons and strata belonged to the old ones."""
    units = None if data.units is None else replace(data.units, variant=variant, stratum=stratum, epoch=None)
    exposures = None
    if data.exposures is not None:
        exposures = replace(
            data.exposures, variant=variant, stratum=stratum, epoch=None, reason=None, served=None, probability=None
        )
    return replace(data, units=units, exposures=exposures)


@dataclass(frozen=True, slots=True)
class _Derived:
    """An engine in which one relation is read through a derived table with further columns."""

    engine: Engine
    relation: str
    text: str
    added: Mapping[str, str]

    @property
    def dialect(self) -> str:
        return self.engine.dialect

    @property
    def notes(self) -> list[str]:
        return self.engine.notes

    def relation_sql(self, relation: str) -> str:
        return self.text if relation == self.relation else self.engine.relation_sql(relation)

    def columns(self, relation: str) -> dict[str, str]:
        own = self.engine.columns(relation)
        return {**own, **self.added} if relation == self.relation else own

    def query(self, sql: str) -> Table:
        return self.engine.query(sql)

    def fingerprint(self, relations: Sequence[str], *, full: bool = False) -> dict[str, Any]:
        return self.engine.fingerprint(relations, full=full)

    def close(self) -> None:
        """Nothing of its own: the engine belongs to the caller."""


def _pooled(cells: Cells) -> Moments:
    whole = [i for i, key in enumerate(cells.keys) if key.attribute is None]
    return cells.moments.take(whole).total()


def _by_bucket(cells: Cells) -> Moments:
    """One cell per bucket; the buckets are disjoint sets of units."""
    codes: dict[str | None, int] = {}
    for key in cells.keys:
        codes.setdefault(key.stratum, len(codes))
    return cells.moments.total([codes[key.stratum] for key in cells.keys])


def _in_clusters(population: Population, sums: ClusterSums | None) -> Population:
    """The population with the variance that its clusters give it: residual sums by cluster (Liang, Zeger 1986)."""
    if sums is None or len(set(sums.cluster)) < 2:
        return population
    n, y = np.asarray(sums.n), np.asarray(sums.sums[0])
    base = np.asarray(sums.sums[1]) if "d" in population.names else n
    value = y.sum() / base.sum()
    per_unit = float(((y - value * base) ** 2).sum() * len(n) / (len(n) - 1) / n.sum() / (base.sum() / n.sum()) ** 2)
    raw = population.variance(adjusted=False).variance
    return replace(population, inflation=per_unit / raw if raw > 0 else 1.0, clustered=True)


def _new_units(found: Measurement) -> list[tuple[date, int]]:
    """First-exposed units by day, without gaps."""
    by_day: dict[date, int] = {}
    for (_, day, _), n in found.counts.by_day.items():
        by_day[date.fromisoformat(day)] = by_day.get(date.fromisoformat(day), 0) + n
    if not by_day:
        return []
    first, last = min(by_day), max(by_day)
    days = [first + timedelta(days=i) for i in range((last - first).days + 1)]
    return [(day, by_day.get(day, 0)) for day in days]


def _arrivals(new: Sequence[int]) -> Arrivals | None:
    """A saturating curve fitted to the cumulated new units; as seen, where it shows no saturation.

    For N (1 - exp(-a t)) the best N is linear given a, so that a search over a alone fits both by least squares.
    """
    from scipy.optimize import minimize_scalar

    if not new:
        return None
    cumulative = np.cumsum(new, dtype=np.float64)
    days = np.arange(1.0, len(new) + 1)
    if len(new) < 7:
        return observed_arrivals(cumulative.tolist())

    def population(a: float) -> tuple[float, Floats]:
        shape = -np.expm1(-a * days)
        n = float(cumulative @ shape / (shape @ shape))
        return n, cumulative - n * shape

    def misfit(log_a: float) -> float:
        return float((population(float(np.exp(log_a)))[1] ** 2).sum())

    last = len(new)
    a = float(np.exp(minimize_scalar(misfit, bounds=(np.log(1e-4 / last), np.log(10.0)), method="bounded").x))
    if a * last < 0.1:
        return observed_arrivals(cumulative.tolist())
    n, _ = population(a)
    return saturating_arrivals(n * a, n)


def _date(time: datetime | None) -> date | None:
    return None if time is None else time.date()


def span(past: History) -> str:
    """The days of history in words; empty without times."""
    if past.first is None or past.last is None:
        return ""
    return f"{numbers.day(past.first)} to {numbers.day(past.last)}"
