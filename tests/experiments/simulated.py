"""Measurements made from numbers instead of a warehouse, with known truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
from numpy.typing import ArrayLike

from paribus.experiments.plan import Design, Kind, Plan, Seal, Variant
from paribus.metrics.cells import CellKey, Cells, Counts, Measurement
from paribus.metrics.definition import Covariate, Metric, MetricType
from paribus.stats.moments import Moments

START = datetime(2026, 3, 2, tzinfo=UTC)
FIRST_DAY = date(2026, 3, 2)
SEAL = Seal("0" * 64, "ana", START - timedelta(days=1), None, 0, "sealed before data", {})
MEAN = Metric("revenue", MetricType.MEAN)
ADJUSTED = Metric("revenue", MetricType.MEAN, covariates=(Covariate(days=14),))


def design(
    *metrics: Metric, plan: Plan | None = None, arms: Sequence[str] = ("control", "treatment"), **more: object
) -> Design:
    """An A/B test with an even split of its arms; the first is the control."""
    made = Design(
        key="checkout",
        kind=Kind.AB,
        interference="none because carts are not shared",
        variants=tuple(Variant(name, 1 / len(arms)) for name in arms),
        control=arms[0],
        metrics=metrics,
        plan=plan or Plan(),
    )
    return replace(made, **more)  # type: ignore[arg-type]


def key(variant: str, day: int | None = None, **more: str | None) -> CellKey:
    """A cell of the whole, on the day of that number after the start."""
    return CellKey(variant, day=None if day is None else FIRST_DAY + timedelta(days=day), **more)


def cells(metric: str, names: Sequence[str], rows: Mapping[CellKey, ArrayLike]) -> Cells:
    """Cells from unit rows."""
    each = [Moments.from_rows(np.asarray(values), names) for values in rows.values()]
    n, mean, m2, m3 = (np.stack([getattr(m, part) for m in each]) for part in ("n", "mean", "m2", "m3"))
    return Cells(metric, tuple(rows), Moments(tuple(names), n, mean, m2, m3))


def measurement(*measured: Cells, **more: object) -> Measurement:
    """A measurement whose counts are those of the first metric's cells."""
    units: dict[str, int] = {}
    by_day: dict[tuple[str | None, str, str], int] = {}
    by_segment: dict[tuple[str, str | None, str], int] = {}
    for cell, n in zip(measured[0].keys, measured[0].moments.n, strict=True):
        if cell.attribute is not None:
            place = (cell.attribute, cell.level, cell.variant)
            by_segment[place] = by_segment.get(place, 0) + int(n)
            continue
        units[cell.variant] = units.get(cell.variant, 0) + int(n)
        if cell.day is not None:
            at = (cell.epoch, cell.day.isoformat(), cell.variant)
            by_day[at] = by_day.get(at, 0) + int(n)
    counts = Counts(sum(units.values()), units, by_day=by_day, by_segment=by_segment)
    return Measurement(replace(counts, **more), {c.metric: c for c in measured})  # type: ignore[arg-type]


def two_arms(metric: str, names: Sequence[str], control: ArrayLike, treatment: ArrayLike) -> Measurement:
    """Two arms without days."""
    return measurement(cells(metric, names, {key("control"): control, key("treatment"): treatment}))


def daily(
    rng: np.random.Generator, days: int, per_day: int, effect: float = 0.0, *, metric: str = "revenue"
) -> Measurement:
    """Normal values with mean 10 and standard deviation 5, `per_day` units in each arm on each day."""
    rows = {
        key(arm, day): rng.normal(10 + shift, 5, per_day)
        for day in range(days)
        for arm, shift in (("control", 0.0), ("treatment", effect))
    }
    return measurement(cells(metric, ["y"], rows))
