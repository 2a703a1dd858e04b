"""The history of an experiment's metrics: moments before the feature, and how fast new units arrive.

The document's own statements read it; only the variant is set aside, since in history there is none that matters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import numpy as np

from paribus.errors import InputError
from paribus.experiments.document import Document
from paribus.experiments.population import Population, of_moments
from paribus.metrics.cells import Cells, ClusterSums, Measurement, Ranks
from paribus.metrics.definition import DataModel, Metric
from paribus.metrics.measure import measure
from paribus.stats.arm import ratio
from paribus.stats.estimate import Floats
from paribus.stats.moments import Moments
from paribus.stats.quantile import clustered_quantile_arm, quantile_arm
from paribus.stats.runtime import Arrivals, observed_arrivals, saturating_arrivals
from paribus.warehouse.engine import Engine
from paribus.warehouse.one_arm import ALL, COARSE, FINE, VARIANT, OneArm

LEAST_UNITS = 20
FORTNIGHT = 14
# New units over the whole history may fall short of a straight line by this share before the curve is bent.
STRAIGHT = 0.1


@dataclass(frozen=True, slots=True)
class History:
    """What history says.

    populations  by metric; a quantile whose variance the history does not tell is left out, with a note
    arrivals     cumulated new units by day since the first; None where the data have no times
    daily_units  mean of the first two weeks
    """

    populations: Mapping[str, Population]
    units: int
    first: date | None
    last: date | None
    arrivals: Arrivals | None
    daily_units: float | None
    notes: tuple[str, ...]


def look(document: Document, engine: Engine) -> History:
    """The history of the document's metrics, before the plan's start where there are data from before.

    Raises:
        InputError: the data or the definitions cannot be read, or there are too few units.
        EngineError: the engine failed.
    """
    design, start = document.design, document.design.plan.start
    notes = []
    one_arm, model = in_one_arm(document.data, engine)
    found = _measured(document, model, one_arm, design.metrics, start)
    if start is not None and _units(found) < LEAST_UNITS:
        found = _measured(document, model, one_arm, design.metrics, None)
        notes.append("There is no history from before the plan's start: all data are taken as history.")
    if _units(found) < LEAST_UNITS:
        raise InputError(
            f"the history has {_units(found)} units",
            where=one_arm.relation,
            rule=f"at least {LEAST_UNITS} units, with the metrics as they are without the feature",
            fix="point the file at data from before the experiment, or give numbers: paribus design --baseline …",
        )
    by_name = {m.name: m for m in design.metrics}
    populations = {
        name: _in_clusters(of_moments(by_name[name], _pooled(cells)), found.clusters.get(name))
        for name, cells in found.cells.items()
        if name not in found.ranks
    }
    for name, ranks in found.ranks.items():
        own = _of_quantile(by_name[name], ranks, found, document.design.plan.confidence_level)
        if own is None:
            notes.append(f"The history does not say how much {name} varies; it is left out.")
        else:
            populations[name] = own
    if not populations:
        raise InputError(
            "no metric has a variance",
            where=document.position("metrics"),
            rule="a sample size follows from a metric's variance",
            fix="give a longer history, or add a mean, proportion, count or ratio",
        )
    days = _new_units(found)
    arrivals = arrivals_of([n for _, n in days])
    return History(
        populations=populations,
        units=_units(found),
        first=days[0][0] if days else None,
        last=days[-1][0] if days else None,
        arrivals=arrivals,
        daily_units=None if arrivals is None else arrivals(FORTNIGHT) / FORTNIGHT,
        notes=tuple(notes),
    )


def arrivals_of(new: Sequence[int]) -> Arrivals | None:
    """Cumulated new units by day as a saturating curve fitted to days seen; as seen, where nothing saturates.

    For N (1 - exp(-a t)) the best N is linear given a, so that a search over a alone fits both by least squares.
    """
    from scipy.optimize import minimize_scalar

    if not new:
        return None
    cumulative = np.cumsum(new, dtype=np.float64)
    last = len(new)
    days = np.arange(1.0, last + 1)

    def fitted(a: float) -> tuple[float, Floats]:
        shape = -np.expm1(-a * days)
        population = float(cumulative @ shape / (shape @ shape))
        return population, cumulative - population * shape

    def misfit(log_a: float) -> float:
        return float((fitted(float(np.exp(log_a)))[1] ** 2).sum())

    a = 0.0
    if last >= FORTNIGHT // 2:
        a = float(np.exp(minimize_scalar(misfit, bounds=(np.log(1e-4 / last), np.log(10.0)), method="bounded").x))
    if a * last < STRAIGHT:
        return observed_arrivals(cumulative.tolist())
    population, _ = fitted(a)
    return saturating_arrivals(population * a, population)


def _measured(
    document: Document, model: DataModel, engine: Engine, metrics: Sequence[Metric], cutoff: datetime | None
) -> Measurement:
    timed = model.exposures is not None or (model.units is not None and model.units.exposed_at is not None)
    return measure(
        engine,
        model,
        metrics,
        [ALL],
        as_of=cutoff,
        by_day=timed,
        tolerance=document.design.tolerance_seconds,
        confidence_level=document.design.plan.confidence_level,
    )


def in_one_arm(data: DataModel, engine: Engine, *, side: int = 0) -> tuple[OneArm, DataModel]:
    """The engine and the model with one variant; epochs, reasons and strata belonged to the old ones.

    With `side` a unit's stratum and epoch are its bucket, one of side^2, and clusters are set aside too.

    Raises:
        InputError: the model has neither units nor exposures.
        PlanError: the engine cannot draw buckets.
    """
    named = data.units or data.exposures
    if named is None:
        raise InputError("the data model needs a table of units or exposures", where="data")
    one_arm = OneArm(engine, named.relation, named.unit, side)
    bucket = {"stratum": COARSE, "epoch": FINE, "cluster": None} if side else {"stratum": None, "epoch": None}
    units, exposures = data.units, data.exposures
    if units is not None:
        units = replace(units, variant=VARIANT, **bucket)
    if exposures is not None:
        exposures = replace(exposures, variant=VARIANT, reason=None, served=None, probability=None, **bucket)
    return one_arm, replace(data, units=units, exposures=exposures)


def _units(found: Measurement) -> int:
    return sum(found.counts.units.values())


def _pooled(cells: Cells) -> Moments:
    return cells.moments.take([i for i, key in enumerate(cells.keys) if key.attribute is None]).total()


def _in_clusters(population: Population, sums: ClusterSums | None) -> Population:
    """The population with the variance that its clusters give it: residual sums by cluster (Liang, Zeger 1986)."""
    if sums is None or len(sums.n) < 2:
        return population
    n, y = np.asarray(sums.n), np.asarray(sums.sums[0])
    base = np.asarray(sums.sums[1]) if "d" in population.names else n
    value = y.sum() / base.sum()
    spread = ((y - value * base) ** 2).sum() * len(n) / (len(n) - 1)
    per_unit = float(spread / n.sum() / (base.sum() / n.sum()) ** 2)
    raw = population.variance(adjusted=False).variance
    return replace(population, inflation=per_unit / raw if raw > 0 else 1.0, clustered=True)


def _of_quantile(metric: Metric, ranks: Ranks, found: Measurement, level: float) -> Population | None:
    """The quantile as a mean whose variance is that of the quantile times the units behind it; None where unknown."""
    (i,) = (i for i, key in enumerate(ranks.keys) if key.attribute is None)
    q, lower, upper = (ranks.points[name][i] for name in ("q", "lower", "upper"))
    arm = quantile_arm(ranks.n[i], q, lower, upper, level=level)
    if ranks.clustered is not None:
        arm = clustered_quantile_arm(arm, metric.quantile or 0.5, ratio(ranks.clustered.take(i), "s", "n"))
    units = float(_pooled(found.cells[metric.name]).n)
    variance = float(arm.var / arm.n) * units
    if not (np.isfinite(variance) and variance > 0):
        return None
    return Population(metric, ("y",), np.array([q]), np.array([[variance]]))


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
